#include "codegen/simd.h"

#include <string.h>

const struct operation_facts operation_facts[OPERATION_COUNT] = {
#define OPERATION(name, result, arguments, scalar) {#name, result, arguments},
#define VECTOR(target, name, text)
#define SCALAR(target, name, text)
#include "codegen/simd.def"
#undef OPERATION
#undef VECTOR
#undef SCALAR
};

struct row {
  const char *target; /* NULL: the meaning */
  bool vector;
  enum operation operation;
  const char *text;
};

static const struct row rows[] = {
#define OPERATION(name, result, arguments, scalar) {NULL, false, OPERATION_##name, scalar},
#define VECTOR(target, name, text) {#target, true, OPERATION_##name, text},
#define SCALAR(target, name, text) {#target, false, OPERATION_##name, text},
#include "codegen/simd.def"
#undef OPERATION
#undef VECTOR
#undef SCALAR
};

const struct simd *simd_of(struct arena *arena, const struct target *target) {
  struct simd *simd = arena_new_struct(arena, struct simd);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].target && strcmp(rows[i].target, target->name) != 0) continue;
    (rows[i].vector ? simd->vector : simd->scalar)[rows[i].operation] = template_parse(arena, rows[i].text);
  }
  return simd;
}

/* One operation of ops.def on reals, on integers and on booleans. */
struct translation {
  enum op op;
  enum operation real, integer, boolean;
};
#define NONE OPERATION_COUNT
static const struct translation translations[] = {
    {OP_neg, OPERATION_real_neg, OPERATION_int_neg, NONE},
    {OP_abs, OPERATION_real_abs, OPERATION_int_abs, NONE},
    {OP_exp, OPERATION_real_exp, NONE, NONE},
    {OP_log, OPERATION_real_log, NONE, NONE},
    {OP_sqrt, OPERATION_real_sqrt, NONE, NONE},
    {OP_rsqrt, OPERATION_real_rsqrt, NONE, NONE},
    {OP_tanh, OPERATION_real_tanh, NONE, NONE},
    {OP_erf, OPERATION_real_erf, NONE, NONE},
    {OP_sin, OPERATION_real_sin, NONE, NONE},
    {OP_cos, OPERATION_real_cos, NONE, NONE},
    {OP_floor, OPERATION_floor_to_int, NONE, NONE},
    {OP_round, OPERATION_round_to_int, NONE, NONE},
    {OP_not, NONE, NONE, OPERATION_mask_not},
    {OP_add, OPERATION_real_add, OPERATION_int_add, NONE},
    {OP_sub, OPERATION_real_sub, OPERATION_int_sub, NONE},
    {OP_mul, OPERATION_real_mul, OPERATION_int_mul, NONE},
    {OP_div, OPERATION_real_div, NONE, NONE},
    {OP_quotient, NONE, OPERATION_int_quotient, NONE},
    {OP_mod, OPERATION_real_mod, OPERATION_int_mod, NONE},
    {OP_max, OPERATION_real_max, OPERATION_int_max, OPERATION_mask_or},
    {OP_min, OPERATION_real_min, OPERATION_int_min, OPERATION_mask_and},
    {OP_pow, OPERATION_real_pow, NONE, NONE},
    {OP_lt, OPERATION_real_lt, OPERATION_int_lt, OPERATION_mask_lt},
    {OP_le, OPERATION_real_le, OPERATION_int_le, OPERATION_mask_le},
    {OP_eq, OPERATION_real_eq, OPERATION_int_eq, OPERATION_mask_eq},
    {OP_ne, OPERATION_real_ne, OPERATION_int_ne, OPERATION_mask_ne},
    {OP_and, NONE, NONE, OPERATION_mask_and},
    {OP_or, NONE, NONE, OPERATION_mask_or},
    {OP_where, OPERATION_real_select, OPERATION_int_select, OPERATION_mask_select},
};

enum operation operation_of(enum op op, enum type type) {
  for (size_t i = 0; i < sizeof translations / sizeof *translations; i++) {
    if (translations[i].op != op) continue;
    switch (type) {
      case TYPE_REAL: return translations[i].real;
      case TYPE_INTEGER:
      case TYPE_INDEX: return translations[i].integer;
      case TYPE_BOOLEAN: return translations[i].boolean;
    }
  }
  return NONE;
}
