/* Inside autodiff: what a derivative rule sees and calls. */
#ifndef PASSES_AUTODIFF_H
#define PASSES_AUTODIFF_H

#include "passes/passes.h"

/* Gradients that reached a value, in the order they came. */
struct contributions {
  ARRAY(struct value *) parts;
};

/* One sweep from a loss back to the values its gradient is asked for. */
struct backward {
  struct graph *graph;
  struct diagnostics *diagnostics;
  int count;                          /* ids of the values swept over are less */
  bool *active;                       /* by id: a wanted value is this one or among those it is computed from */
  struct contributions *contributions; /* by id */
  struct value ***results;            /* by id of a call: the gradients of its results */
  bool failed;
};

/* Is a gradient of `x` of any use? Rules ask before they build what only give would take. */
bool wanted(const struct backward *backward, const struct value *x);
/* `gradient` flows to `x`: axes that it has beyond x's are summed, those it lacks repeated. Nothing happens when none is wanted. */
void give(struct backward *backward, struct value *x, struct value *gradient);

/* The rule of each row of ops.def: passes on the gradient `d` of `y` to y's inputs. */
#define OP(name, class, inputs) void gradient_##name(struct backward *backward, struct value *y, struct value *d);
#include "ir/ops.def"
#undef OP

#endif
