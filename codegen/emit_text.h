/* Prints C constants and rows of tables, for the files that print tables. */
#ifndef CODEGEN_EMIT_TEXT_H
#define CODEGEN_EMIT_TEXT_H

#include "codegen/text.h"
#include "ir/loop.h"

/* The names of the runtime's constants for element types, by kind and by type. */
extern const char *const c_kind_constants[];
const char *c_storage_constant(enum storage storage);
/* The text as a C string literal; "NULL" where it is NULL. */
const char *c_string(struct arena *arena, const char *text);
const char *c_bytes(struct arena *arena, const char *bytes, size_t length); /* a literal of any bytes */
/* The number with the fewest digits that read back to it. */
const char *c_double(struct arena *arena, double x);
/* The extents as an initializer: "{12, 64}". A bug that says `name` where there are too many. */
const char *c_shape(struct arena *arena, const char *name, struct axis *const *axes, int count);

/* Prints rows of a table, as many on a line as fit. */
struct rows {
  struct text *text;
  const char *line; /* rows that are not printed yet */
};
void rows_add(struct rows *rows, const char *row);
void rows_end(struct rows *rows);

#endif
