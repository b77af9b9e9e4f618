/* Kernels as texts that say what they compute, for merging. */
#ifndef CODEGEN_MERGE_WALK_H
#define CODEGEN_MERGE_WALK_H

#include "codegen/text.h"
#include "ir/loop.h"
#include "ir/table.h"

/* The only store to a parameter that is written and not read. A kernel without it is the same but for that, so it may be
   left to the launch whether there is anything to store to. */
struct optional_store {
  struct array *array;
  int parameter;
  const char *text; /* empty until it was walked */
  size_t place; /* in the walk's text without such stores */
  int first_hole, holes;
};

/* A function that is printed as a text without names, with holes for numbers. Functions with equal texts differ only in
   the numbers of the holes. */
struct walk {
  struct arena *arena;
  struct text *text;
  struct text *core; /* the same without optional stores and their parameters */
  bool apart; /* inside of one of these */
  ARRAY(struct optional_store) optional;
  const struct pointer_table *functions; /* the numbers of the functions that may be called */
  struct pointer_table declared; /* numbers of everything else that was declared, after those */
  ARRAY(struct array *) arrays;
  ARRAY(struct variable *) variables;
  ARRAY(int64_t) values; /* the numbers of the holes; for a real number its bits */
  ARRAY(enum type) types;
  ARRAY(const char *) hints; /* names that the holes' numbers might be given */
  const struct array *indexed; /* the array whose index is walked, or NULL */
  const struct variable *lane; /* of the vector loop around */
  bool factors; /* inside of a product, where a real number is a hole too */
  const struct expression *const *replacements; /* by hole, or NULL; a hole whose entry is NULL keeps its number */
};

/* Walks over the function, and puts replacements in place of numbers where there are some. `functions` has the numbers
   of those that it may call. */
struct walk merge_walk(struct arena *arena, const struct pointer_table *functions, struct function *function,
                       const struct expression *const *replacements);

#endif
