/* A dialect: what languages of C's family write differently. The printer (c_*.c) writes what they have in common and
   asks its dialect for the rest. What an operation means on numbers and on vectors stands in simd.def, functions that
   printed code calls in c_helpers.c. */
#ifndef CODEGEN_DIALECT_H
#define CODEGEN_DIALECT_H

#include "codegen/text.h"
#include "ir/loop.h"
#include "ir/target.h"

/* Constructs with a word of their own, which is defined in the files that use it. */
enum construct {
  CONSTRUCT_PARALLEL, /* before a loop: its iterations are for all threads */
  CONSTRUCT_EACH, /* WORD(count) before a call: once for each task, in order */
  CONSTRUCT_TASKS, /* the same on all threads */
  CONSTRUCT_UNROLL, /* before a loop: to be unrolled completely */
  CONSTRUCT_PREFETCH, /* WORD(array, index): the element will be read soon */
  CONSTRUCT_COUNT
};

/* Kinds of declarations from outside that printed code may need. */
enum header {
  HEADER_VECTORS, /* the target's vector instructions */
  HEADER_MATH, /* functions on reals, infinity and NaN */
  HEADER_INTEGERS, /* integers of fixed width */
  HEADER_MEMORY, /* copying of bytes */
  HEADER_COUNT
};

struct dialect {
  const char *types[TYPE_INDEX + 1]; /* of variables and of elements, by type */
  const char *wide_real; /* a real in double precision */
  const char *aligned; /* before the type of an array that begins with a line of the cache */
  const char *restricted; /* after the star of a pointer: no other pointer leads to its memory */
  const char *vectorised; /* before a function that uses the target's instructions */
  /* before a function that only this file sees; and before one that is inlined at its calls */
  const char *internal, *inlined;
  const char *called; /* before a function that stays a function where it is called */
  const char *flattened; /* after `inlined`, where a call that is not inlined would cost more than time */
  const char *constructs[CONSTRUCT_COUNT];
  const char *headers[HEADER_COUNT]; /* lines that include them; without HEADER_VECTORS, which the target names */
  /* Lines behind the header of vector instructions, where some that gather are printed. */
  const char *gather_rule;
  const char *task; /* the name of a task's number in the definitions of EACH and TASKS */
  /* the body of a parallel loop does not get the target's instructions unless it is printed as a function */
  bool has_parts;
  bool (*is_taken)(const char *name); /* nothing may have the name: keyword, macro, or called by printed text */
  bool (*is_library_name)(const char *name); /* no function may have it: declared by headers here or elsewhere */
  /* Prints what must stand before all else, so that numbers come out the same wherever the file is compiled. */
  void (*print_rules)(struct text *text);
  /* Prints the function NAME_is_right, which tells whether numbers come out right with this processor and compiler. */
  void (*print_checks)(struct text *text, const struct target *target, const char *name);
  /* Includes what these checks need. */
  void (*print_check_headers)(struct text *text, const struct target *target);
  /* Prints the definitions that words and targets need before functions. */
  void (*print_definitions)(struct text *text, const struct target *target, const bool used[CONSTRUCT_COUNT]);
};

/* C11, with OpenMP where the compiler has it, and with extensions that gcc and clang share. */
extern const struct dialect dialect_c;

/* The header that declares a name, as far as printed code uses it; HEADER_COUNT if none does. */
enum header header_of(const char *name);

#endif
