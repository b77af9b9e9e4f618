/* The facts that schedules and the printer need about the machine that code is made for, filled in by codegen/targets.c. No
   code asks which target it is. */
#ifndef IR_TARGET_H
#define IR_TARGET_H

#include <stdbool.h>
#include <stdint.h>

enum architecture { ARCHITECTURE_ANY, ARCHITECTURE_X86_64, ARCHITECTURE_AARCH64 };

/* The rows of dots.def, as bits of a set. */
enum dot {
#define DOT(name, count, x, y) DOT_##name,
#include "ir/dots.def"
  DOT_COUNT
};

struct target {
  const char *name; /* "portable" "avx2" "avx512" "neon" "reference"; with features "avx512+vnni+bf16" */
  const char *description; /* for --help */
  int lanes; /* of a vector of reals; vector loops have this extent */
  int registers; /* vector registers */
  bool simd; /* vector loops are printed with rows of simd.def; else as plain loops */
  bool masks; /* guarded vector loops cost little */
  int dots; /* a set of 1 << enum dot: those that it computes by one instruction */
  const char *dot_instructions[DOT_COUNT]; /* what the extension is called that has them: "AVX512-VNNI" */
  /* those of which it has products of whole tiles (STATEMENT_MULTIPLY), and what the extension is called that has them */
  int matrix_dots;
  const char *matrix_instructions;
  int composed_dots; /* those that a few instructions compute, in less time than one multiply-add for each product */
  /* The share of the elements of a weight, reals or bytes, up to which it is read faster as a bitmap (STATEMENT_EXPAND) than whole; 0: the
     target has no loads for that */
  double expand_reals, expand_bytes;
  bool double_precision; /* reals are double: the reference target */
  int tile_rows, tile_vectors; /* the contraction's register tile: rows x vectors */
  /* the tile for a processor that begins two multiply-adds a cycle and so waits for loads; 0: no other tile */
  int busy_rows, busy_vectors;
  const char *processor; /* the tile is for, or NULL: the target's usual one */
  enum architecture architecture; /* of the processors that run its code */
  const char *vector_header; /* that declares its intrinsics, such as "immintrin.h", or NULL */
  const char *attribute; /* of __attribute__((target(...))), or NULL */
  const char *
      cpu_features; /* what the machine must have, by the names of codegen/targets.c, separated by spaces; "" for none */
};

#endif
