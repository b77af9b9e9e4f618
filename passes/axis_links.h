/* Which axes of a graph's values run along each other, so that leaving elements out of one leaves them out of all: the units of a layer.
   An axis is an identity of the spec and may serve many layers; what is linked here are the axes of single values. */
#ifndef PASSES_AXIS_LINKS_H
#define PASSES_AXIS_LINKS_H

#include "ir/tensor.h"

/* The axes of values that are linked. */
struct axis_class {
  int64_t extent;
  /* A class whose elements are those of others, outermost first, as in [head * key]; NULL: it has no parts. */
  const struct axis_class **factors;
  int factor_count;
  const char *fixed; /* why no element may be left out, such as "an input has it"; or NULL */
  struct span span; /* of the value that is why */
};

struct axis_links;
/* The links of a graph without calls; they live as long as the arena. */
struct axis_links *axis_links_new(struct arena *arena, const struct graph *graph);
/* The class of the value's axis number `axis`. Linked axes have the same one. */
const struct axis_class *axis_class_of(const struct axis_links *links, const struct value *value, int axis);
/* The element of `unit` that an element of `class` belongs to; -1 where the class has no part of it. */
int64_t axis_unit(const struct axis_class *class, int64_t element, const struct axis_class *unit);

#endif
