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
  bool *active;               /* by id: a target is this value or among those that it is computed from */
  struct gradients *absolute; /* by id: gradients that reached a value, in the order they came */
  struct gradients *relative; /* by id: the same for gradients times the value; see autodiff_relative.c */
  bool *takes_relative;       /* by id: it can pass on a relative gradient */
  signed char *sign; /* by id: 1: never negative, -1: never positive, 0: unknown; only where takes_relative */
  struct gradient **results; /* by id of a call: the gradients of its results */
  bool failed;
  /* The three fields below belong to the gradient that is being passed on. */
  struct value *mask;
  bool dirty; /* what the rule makes of it is dirty */
  bool is_relative;
};

/* Whether a gradient of `x` is of any use. Rules ask before they build values that only `give` would take. */
bool wanted(const struct backward *backward, const struct value *x);
/* Passes `gradient` on to `x`: summed over axes that `x` lacks, and repeated along those that it lacks itself. Does
   nothing when no gradient of `x` is wanted. */
void give(struct backward *backward, struct value *x, struct value *gradient);
/* The same for a gradient that counts as zero where `mask` is false, whatever `gradient` is there. */
void give_selected(struct backward *backward, struct value *x, struct value *gradient, struct value *mask);
/* The same for a relative gradient: `gradient` is that of `x` times `x`. `x` must take relative gradients and must not
   be 0 where its gradient may be something else than 0. */
void give_relative(struct backward *backward, struct value *x, struct value *gradient);
/* Passes on one of two forms of the gradient of `x`: `relative` where `x` takes relative gradients and is not 0, else
   `absolute`. Where `x` takes relative gradients, `absolute` may be NULL, which means 0. */
void give_either(struct backward *backward, struct value *x, struct value *relative, struct value *absolute);
/* Passes on a gradient of the present kind, absolute or relative, with a mask of its own. */
void give_alike(struct backward *backward, struct value *x, struct value *gradient, struct value *mask);

/* A view that adds no elements of its own. */
bool only_looks(const struct value *value);

/* --- Masks (autodiff_mask.c) ---------------------------------------------------------------------------------------------- */

struct value *mask_and(struct graph *graph, struct value *x, struct value *y);
struct value *mask_or(struct graph *graph, struct value *x, struct value *y);
struct value *mask_not(struct graph *graph, struct value *x);
/* The mask on the axes of `x` alone: true where `mask` is true anywhere along the axes that `x` lacks. */
struct value *mask_over(struct graph *graph, struct value *mask, const struct value *x);
/* The gradient's value with zeros where its mask is false. */
struct value *cleaned(struct graph *graph, const struct gradient *gradient);
/* The sum of all parts, which are removed from the list. Gradients of slices of one value are joined and not added. */
struct gradient gradient_total(struct graph *graph, struct gradients *gradients);

/* --- Relative gradients (autodiff_relative.c) ----------------------------------------------------------------------------- */

/* Marks the values that take relative gradients. A target does not, since its absolute gradient is asked for. */
void mark_relative(struct backward *backward, struct value *const *targets, int target_count);
bool takes_relative(const struct backward *backward, const struct value *x);
/* Passes on the relative gradient `d` of `y`, which is no view: views pass on both kinds by their usual rules. */
void pass_relative(struct backward *backward, struct value *y, struct value *d);

/* The rule of each row of ops.def: passes on the gradient `d` of `y` to y's inputs. */
#define OP(name, noun, class, inputs, attributes, price) \
  void gradient_##name(struct backward *backward, struct value *y, struct value *d);
#include "ir/ops.def"

#endif
