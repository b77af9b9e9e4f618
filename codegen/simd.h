/* The rows of simd.def. */
#ifndef CODEGEN_SIMD_H
#define CODEGEN_SIMD_H

#include "codegen/template.h"
#include "ir/loop.h"
#include "ir/target.h"

enum operation {
#define OPERATION(name, result, arguments, scalar) OPERATION_##name,
#include "codegen/simd.def"
  OPERATION_COUNT
};

struct operation_facts {
  const char *name;
  char result;
  const char *arguments;
};
extern const struct operation_facts operation_facts[OPERATION_COUNT];

/* The texts for one target; vector[] has NULL where it has none. Printing a text that needs a feature of the target records
   "+FEATURE" among the names used. */
struct simd {
  const struct template *scalar[OPERATION_COUNT], *vector[OPERATION_COUNT];
};
const struct simd *simd_of(struct arena *arena, const struct target *target);

/* The operation of simd.def for an elementwise operation of ops.def on arguments of `type`, which for OP_where is that
   of the branches. OPERATION_COUNT when there is none. */
enum operation operation_of(enum op op, enum type type);

#endif
