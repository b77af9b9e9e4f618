/* Inside autodiff: what a derivative rule sees and calls. */
#ifndef PASSES_AUTODIFF_H
#define PASSES_AUTODIFF_H

#include "passes/passes.h"

/* A gradient, or a part of one, and where it is known to be zero.

   A branch that is not taken must not reach the gradient, and zero times an infinite slope inside it is NaN. So `where` does not put
   zeros into what it passes on. It passes on the gradient of the whole with a mask, which goes inward with it, and the zeros are put
   in at the last place possible: where gradients are summed, contracted or asked for. */
struct gradient {
  struct value *value; /* NULL: none came */
  struct value *mask;  /* boolean; where false, the gradient is zero. NULL: nothing is known */
  bool dirty;          /* where the mask is false, `value` may hold anything: see cleaned() */
};
struct gradients {
  ARRAY(struct gradient) parts;
};

/* One sweep from a loss back to the values its gradient is asked for. */
struct backward {
  struct graph *graph;
  struct diagnostics *diagnostics;
  int count;                  /* ids of the values swept over are less */
  bool *active;               /* by id: a wanted value is this one or among those it is computed from */
  struct gradients *absolute; /* by id: gradients that reached a value, in the order they came */
  struct gradients *relative; /* the same of gradients times the value: see autodiff_relative.c */
  bool *takes_relative;       /* by id: it can pass on a relative gradient */
  signed char *sign;          /* by id, of those: 1 or -1 where it is certainly on that side of 0, else 0 */
  struct gradient **results;  /* by id of a call: the gradients of its results */
  bool failed;
  /* Of the gradient that is being passed on: */
  struct value *mask;
  bool dirty; /* what comes of it is */
  bool is_relative;
};

/* Is a gradient of `x` of any use? Rules ask before they build what only give would take. */
bool wanted(const struct backward *backward, const struct value *x);
/* `gradient` flows to `x`: axes that it has beyond x's are summed, those it lacks repeated. Nothing happens when none is wanted. */
void give(struct backward *backward, struct value *x, struct value *gradient);
/* The same of one that is zero where `mask` is false, whatever `gradient` is there. */
void give_selected(struct backward *backward, struct value *x, struct value *gradient, struct value *mask);
/* A gradient times `x`, which takes such and is not 0 where the gradient is not known to be. */
void give_relative(struct backward *backward, struct value *x, struct value *gradient);
/* A gradient of `x` in both forms: relative where `x` takes that and is not 0, else absolute; NULL: 0, where only `x` takes the other. */
void give_either(struct backward *backward, struct value *x, struct value *relative, struct value *absolute);
/* What stands by itself: absolute or relative, as the gradient passed on is, with a mask of its own. */
void give_alike(struct backward *backward, struct value *x, struct value *gradient, struct value *mask);

/* A view that adds no elements of its own. */
bool only_looks(const struct value *value);

/* --- Masks (autodiff_mask.c) ---------------------------------------------------------------------------------------------- */

struct value *mask_and(struct graph *graph, struct value *x, struct value *y);
struct value *mask_or(struct graph *graph, struct value *x, struct value *y);
struct value *mask_not(struct graph *graph, struct value *x);
/* True where it is true somewhere along the axes that `x` lacks. */
struct value *mask_over(struct graph *graph, struct value *mask, const struct value *x);
/* With zeros where the mask is false. */
struct value *cleaned(struct graph *graph, const struct gradient *gradient);
/* The sum of all parts; a part of a join may stand for several. */
struct gradient gradient_total(struct graph *graph, struct gradients *gradients);

/* --- Relative gradients (autodiff_relative.c) ----------------------------------------------------------------------------- */

/* A target takes none: its gradient is asked for. */
void mark_relative(struct backward *backward, struct value *const *targets, int target_count);
bool takes_relative(const struct backward *backward, const struct value *x);
/* Passes on the relative gradient `d` of `y`, which is no view: those pass on either kind by the rule of theirs. */
void pass_relative(struct backward *backward, struct value *y, struct value *d);

/* The rule of each row of ops.def: passes on the gradient `d` of `y` to y's inputs. */
#define OP(name, class, inputs, attributes, price) \
  void gradient_##name(struct backward *backward, struct value *y, struct value *d);
#include "ir/ops.def"

#endif
