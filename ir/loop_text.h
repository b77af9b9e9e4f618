/* What loop_print.c and loop_read.c share: which operations stand between their operands in the text of loops. All others are
   called by name. */
#ifndef IR_LOOP_TEXT_H
#define IR_LOOP_TEXT_H

#include "ir/loop.h"

/* How tightly an operation binds: operands that bind less are put in parentheses. Comparisons do not chain; the rest associate to
   the left. */
enum binding { BINDING_COMPARE = 1, BINDING_ADD, BINDING_MULTIPLY, BINDING_PRIMARY };

struct infix {
  const char *sign;
  enum op op;
  enum binding binding;
};

/* The infix operations, by number; NULL past the last. */
const struct infix *infix_at(int number);

#endif
