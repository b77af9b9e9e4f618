/* Index arithmetic as sums: constant + sum of factor * atom. Coordinates are kept in this form until they are printed,
   so that splits and merges of axes cancel ((r / n) * n + r % n is r), and the stride along a loop variable can be read
   off. */
#ifndef PASSES_LINEAR_H
#define PASSES_LINEAR_H

#include "ir/loop.h"

/* quotient and mod: that of a sum which no rule could simplify. expression: anything else, such as an index read from
   memory. */
enum atom_kind { ATOM_VARIABLE, ATOM_QUOTIENT, ATOM_MOD, ATOM_EXPRESSION };

struct atom {
  enum atom_kind kind;
  const struct variable *variable;
  const struct linear *of;
  int64_t divisor;
  const struct expression *expression; /* TYPE_INDEX */
  int64_t low, high; /* its least and its largest value */
  int64_t multiple; /* all its values are multiples of this, the step of its loop */
  int level; /* of the innermost open block that it depends on; see struct kernel */
};

struct term {
  const struct atom *atom;
  int64_t factor;
};

struct linear {
  int64_t constant;
  const struct term *terms;
  int count;
};

struct linear linear_constant(int64_t constant);
struct linear linear_variable(struct arena *arena, const struct variable *variable, int64_t high, int64_t multiple,
                              int level);
struct linear linear_from(struct arena *arena, const struct expression *expression, int64_t low, int64_t high,
                          int level);
struct linear linear_add(struct arena *arena, struct linear x, struct linear y);
struct linear linear_scale(struct arena *arena, struct linear x, int64_t factor);
/* Floor division by a positive constant, and its remainder. */
struct linear linear_quotient(struct arena *arena, struct linear x, int64_t divisor);
struct linear linear_mod(struct arena *arena, struct linear x, int64_t divisor);
void linear_range(struct linear x, int64_t *low, int64_t *high);
int linear_level(struct linear x);
bool linear_equal(struct linear x, struct linear y);
const struct expression *linear_expression(struct arena *arena, struct linear x);
/* The factor of `variable`; false when it also stands inside a quotient, a remainder or an expression. */
bool linear_factor(struct linear x, const struct variable *variable, int64_t *factor);

#endif
