/* Which axes of a parameter or a cache the views of it run along. */
#ifndef PASSES_VIEW_ORIGIN_H
#define PASSES_VIEW_ORIGIN_H

#include "ir/tensor.h"

/* What a value is made of, as far as views go, and lookups where whoever looks follows them. */
struct origin_of {
  int source; /* 1 + the number of the source that it is a view of; 0: it is none */
  unsigned axes[MAX_AXES]; /* for each axis of the value: the axes of the source that it runs along */
  unsigned chosen; /* the axes of the source that lookups chose along */
};
/* The source's axes that an axis of the value runs along. */
unsigned axes_along(const struct origin_of *origin, const struct value *value, const struct axis *axis);
/* What the value is a view of; `origins` are those of earlier values, by their ids. */
struct origin_of origin_of_view(const struct value *value, const struct origin_of *origins);

#endif
