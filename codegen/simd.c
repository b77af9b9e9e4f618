#include "codegen/simd.h"

#include <string.h>

#include "codegen/codegen.h"

const struct operation_facts operation_facts[OPERATION_COUNT] = {
#define OPERATION(name, result, arguments, scalar) {#name, result, arguments},
#include "codegen/simd.def"
};

struct row {
  const char *target; /* NULL: the meaning */
  const char *feature; /* that the target must have, or NULL */
  bool vector;
  enum operation operation;
  const char *text;
};

static const struct row rows[] = {
#define OPERATION(name, result, arguments, scalar) {NULL, NULL, false, OPERATION_##name, scalar},
#define VECTOR(target, name, text) {#target, NULL, true, OPERATION_##name, text},
#define WITH(target, feature, name, text) {#target, #feature, true, OPERATION_##name, text},
#define SCALAR(target, name, text) {#target, NULL, false, OPERATION_##name, text},
#define SCALAR_WITH(target, feature, name, text) {#target, #feature, false, OPERATION_##name, text},
#include "codegen/simd.def"
};

const struct simd *simd_of(struct arena *arena, const struct target *target) {
  struct simd *simd = arena_new_struct(arena, struct simd);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const struct row *row = &rows[i];
    if (row->target && !target_takes(target, row->target, row->feature)) continue;
    const struct template **place = &(row->vector ? simd->vector : simd->scalar)[row->operation];
    *place = template_parse(arena, row->text, row->feature ? arena_format(arena, "+%s", row->feature) : NULL);
  }
  return simd;
}

/* Each elementwise operation of ops.def on reals, on integers and on booleans. */
struct translation {
  enum operation real, integer, boolean;
};
#define OPERATION_none OPERATION_COUNT
static const struct translation translations[OP_COUNT] = {
#define ELEMENTWISE(name, noun, class, inputs, takes, gives, properties, price, operations, real, integer, boolean) \
  [OP_##name] = {OPERATION_##real, OPERATION_##integer, OPERATION_##boolean},
#include "ir/ops.def"
};

enum operation operation_of(enum op op, enum type type) {
  if (!op_is_elementwise(op)) return OPERATION_none;
  switch (type) {
    case TYPE_REAL:
      return translations[op].real;
    case TYPE_INTEGER:
    case TYPE_INDEX:
      return translations[op].integer;
    case TYPE_BOOLEAN:
      return translations[op].boolean;
  }
  return OPERATION_none;
}
