/* Elements of compiled programs' memory as numbers. Conversions are written a second time, apart from those that programs carry. */
#ifndef TESTS_HARNESS_STORED_H
#define TESTS_HARNESS_STORED_H

#include "ir/loop.h"

/* The bytes of `count` elements. `double_precision` says what a real is. */
size_t stored_bytes(enum storage storage, bool double_precision, int64_t count);
void stored_put(void *memory, enum storage storage, bool double_precision, int64_t i, double number);
double stored_get(const void *memory, enum storage storage, bool double_precision, int64_t i);
/* What C calls elements that are stored so. */
const char *stored_type(enum storage storage, bool double_precision);

#endif
