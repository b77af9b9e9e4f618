/* How passes change a graph: the old list of values is set aside, and a new one is built from it in order, value by value. */
#ifndef PASSES_REWRITE_H
#define PASSES_REWRITE_H

#include "ir/tensor.h"

struct rewrite {
  struct graph *graph;
  struct value **old; /* the values before, in order */
  int count;
  struct value **map; /* by the id of an old value: what stands for it now, or NULL */
  int map_count;
};

/* Empties the graph's list of values; its outputs still point to old values until rewrite_end. */
struct rewrite rewrite_begin(struct graph *graph);
/* What stands for an old value; a bug when nothing does yet. */
struct value *rewrite_get(const struct rewrite *rewrite, const struct value *old);
void rewrite_set(struct rewrite *rewrite, const struct value *old, struct value *new_value);
/* What stands for its inputs. */
struct value **rewrite_inputs(const struct rewrite *rewrite, const struct value *old);
/* A copy of an old value on what stands for its inputs, also set as what stands for it. */
struct value *rewrite_copy(struct rewrite *rewrite, const struct value *old);
/* The outputs follow. */
void rewrite_end(struct rewrite *rewrite);

/* Gives `value` a name unless it has one. Leaves keep theirs: an input's name is what the run supplies it by. */
void name_value(struct value *value, const char *name);
bool list_has_axis(struct axis *const *list, int count, const struct axis *axis);
/* The axes of `x` that `y` lacks; returns their number. `axes` has room for MAX_AXES. */
int axes_missing(const struct value *x, const struct value *y, struct axis **axes);
bool is_constant(const struct value *value, double number);

#endif
