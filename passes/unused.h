/* Removes from a function what folding leaves behind: values that nothing reads any more. */
#ifndef PASSES_UNUSED_H
#define PASSES_UNUSED_H

#include "ir/loop.h"

/* The variables and arrays that a function's statements mention. */
struct mentions {
  struct arena *arena;
  ARRAY(const void *) items; /* of struct variable and struct array */
};

/* Removes lets and arrays that nothing mentions after them, stores to the function's own arrays that it never reads,
   stores of what lies there already, and loops and conditions that are left empty. Returns all that is still mentioned: a parameter that is not in the
   list is not needed. */
struct mentions drop_unused(struct arena *arena, struct function *function);
bool is_mentioned(const struct mentions *mentions, const void *item);

#endif
