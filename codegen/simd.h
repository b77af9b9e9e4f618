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

/* A target's texts; vector[] has NULL where it has none. */
struct simd {
  const struct template *scalar[OPERATION_COUNT], *vector[OPERATION_COUNT];
};
const struct simd *simd_of(struct arena *arena, const struct target *target);

/* The operation that an elementwise operation of ops.def is on arguments of `type`; OPERATION_COUNT when it is none. For
   OP_where `type` is that of the branches. */
enum operation operation_of(enum op op, enum type type);

#endif
