/* Facts of a graph that hold whatever is decided about it: who uses which value, how axes are ordered, along which axes
   rows are summed, and where the backward pass begins and ends. They are found once, before the first decision, and no
   decision changes them. */
#ifndef PASSES_FACTS_H
#define PASSES_FACTS_H

#include "ir/exactness.h"

/* A value is used once for each operand that it is: x * x uses x twice. */
struct value_facts {
  int first_user, user_count; /* in graph_facts.users */
  struct axis *const *prefers; /* the order of axes of the state that it is written to, or NULL */
};

/* Axes along which a value, or something that is computed elementwise from it, is reduced alone: rows along them should
   be contiguous. */
struct row_axes {
  struct axis *axes[MAX_AXES];
  int count;
};

struct graph_facts {
  struct value_facts *values; /* by value id */
  struct exactness *exactness; /* by value id: what is known of all elements, whatever the inputs are */
  const struct value **users;
  struct row_axes *rows; /* by value id */
  int first_gradient, last_gradient; /* ids of the first and the last gradient, or 0 */
  int *axis_order; /* by axis id: where the axis goes in a layout */
  /* by axis id: renamed axes are of one class, whose number is the least of theirs */
  int *axis_class;
};

/* All facts of the graph, which must not change afterwards. */
struct graph_facts facts_find(struct arena *arena, const struct graph *graph);
/* How many operands the value is. */
int facts_uses(const struct graph_facts *facts, const struct value *value);
/* The user of one of these operands, `number` from 0 to facts_uses. */
const struct value *facts_user(const struct graph_facts *facts, const struct value *value, int number);
/* Whether the value stands between the first and the last gradient of the graph. */
bool facts_is_way_back(const struct graph_facts *facts, const struct value *value);
/* Brings axes into the order that storage has them in by default: batch, then the axes of inputs, then the others as they were declared.
   Of two axes of one class, such as the positions that look and those looked at, the second is the innermost. */
void facts_order_axes(const struct graph_facts *facts, struct axis **axes, int count);

#endif
