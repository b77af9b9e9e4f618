/* The counter of a loop over copies, and numbers that depend on it. */
#ifndef CODEGEN_EMIT_COUNTER_H
#define CODEGEN_EMIT_COUNTER_H

#include "codegen/c_print.h"
#include "codegen/roll.h"

/* A loop over copies: i begins at `begin` and goes by `direction`, 1 or -1, `copies` times. */
struct counter {
  int64_t begin;
  int direction, copies;
};

/* The counter with which most copy numbers are plain `i`. */
struct counter emit_choose_counter(const struct roll *roll, struct launch *const *launches);

struct c_argument emit_known_number(struct arena *arena, int64_t number);
/* constant + factor * i */
struct c_argument emit_affine(struct arena *arena, const struct counter *counter, int64_t factor, int64_t constant);
/* start + slope * t for copy t, as text in i. */
struct c_argument emit_in_counter(struct arena *arena, const struct counter *counter, int64_t start, int64_t slope);

#endif
