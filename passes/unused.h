/* What folding leaves behind in a function: values that nothing reads any more. */
#ifndef PASSES_UNUSED_H
#define PASSES_UNUSED_H

#include "ir/loop.h"

/* The variables and arrays that a function's statements mention. */
struct mentions {
  struct arena *arena;
  ARRAY(const void *) items; /* of struct variable and struct array */
};

/* Removes lets and arrays that are not mentioned after them, what is stored in the function's own arrays that it never reads,
   and loops and conditions with nothing left in them; lists what the rest mentions: a parameter that is not listed need not be
   one. */
struct mentions drop_unused(struct arena *arena, struct function *function);
bool is_mentioned(const struct mentions *mentions, const void *item);

#endif
