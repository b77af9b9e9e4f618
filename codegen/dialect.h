/* What languages of C's family write differently. The printer (c_*.c) writes what they have in common, and asks its dialect for the rest;
   what an operation is on numbers and on vectors stands in simd.def, and functions that printed code calls in c_helpers.c. */
#ifndef CODEGEN_DIALECT_H
#define CODEGEN_DIALECT_H

#include "codegen/text.h"
#include "ir/loop.h"
#include "ir/target.h"

/* What has a word of its own, which is defined in the files that use it. */
enum construct {
  CONSTRUCT_PARALLEL, /* before a loop: its iterations are for all threads */
  CONSTRUCT_EACH, /* WORD(count) before a call: once for each task, in order */
  CONSTRUCT_TASKS, /* the same on all threads */
  CONSTRUCT_UNROLL, /* before a loop: as many copies of its body */
  CONSTRUCT_PREFETCH, /* WORD(array, index): the element will be read soon */
  CONSTRUCT_COUNT
};

/* Declarations from outside that printed code may need. */
enum header {
  HEADER_VECTORS, /* the target's instructions */
  HEADER_MATH, /* functions of real numbers, and what is no number */
  HEADER_INTEGERS, /* integers by their bits */
  HEADER_MEMORY, /* copies of bytes */
  HEADER_COUNT
};

struct dialect {
  const char *types[TYPE_INDEX + 1]; /* of variables and of elements, by type */
  const char *wide_real; /* a real in double precision */
  const char *restricted; /* after the star of a pointer whose memory no other pointer leads to */
  const char *vectorised; /* before a function that has the target's instructions */
  /* before a function that only this file has; and one to be put where it is called */
  const char *internal, *inlined;
  const char *constructs[CONSTRUCT_COUNT], *headers[HEADER_COUNT];
  const char *task; /* what the definitions of EACH and TASKS call the number of a task */
  /* the body of a parallel loop lacks the instructions of the function around it, unless it is a function itself */
  bool has_parts;
  bool (*is_taken)(const char *name); /* nothing may be called so: keywords, macros, what printed text calls */
  bool (*is_library_name)(const char *name); /* no function may: what headers declare, here or on another system */
  /* What stands before all else, so that numbers come out alike wherever the file is compiled. */
  void (*print_rules)(struct text *text);
  /* NAME_is_right: a function that says whether processor and compiler are such that numbers come out right. */
  void (*print_checks)(struct text *text, const struct target *target, const char *name);
  /* What words and targets need to be defined before functions. */
  void (*print_definitions)(struct text *text, const struct target *target, const bool used[CONSTRUCT_COUNT]);
};

/* C11, with OpenMP where the compiler has it, and what gcc and clang add to it. */
extern const struct dialect dialect_c;

/* The header that declares a name, as far as printed code uses it; HEADER_COUNT if none does. */
enum header header_of(const char *name);

#endif
