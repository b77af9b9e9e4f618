/* The rows of simd.def, and filling in their texts. */
#ifndef CODEGEN_SIMD_H
#define CODEGEN_SIMD_H

#include "ir/arena.h"
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
  const char *scalar[OPERATION_COUNT], *vector[OPERATION_COUNT];
};
const struct simd *simd_of(struct arena *arena, const struct target *target);

/* The operation that an elementwise operation of ops.def is on arguments of `type`; OPERATION_COUNT when it is none. For
   OP_where `type` is that of the branches. */
enum operation operation_of(enum op op, enum type type);

/* C text and how tightly it binds: as C's levels are listed from 16 (names, calls) down to 1 (comma). */
enum { BINDS_NAME = 16, BINDS_UNARY = 14, BINDS_PRODUCT = 13, BINDS_SUM = 12, BINDS_CHOICE = 3, BINDS_LIST = 2 };
struct piece {
  const char *text;
  int binding;
};
struct piece piece_name(const char *text);
/* The piece's text, in parentheses unless it binds at least so tightly. */
const char *piece_text(struct arena *arena, struct piece piece, int binding);
/* A row's text with its arguments in place. */
struct piece piece_fill(struct arena *arena, const char *text, const struct piece *arguments);

#endif
