/* How passes change a graph: the old list of values is set aside, and a new one is built from it in order, value by value. */
#ifndef PASSES_REWRITE_H
#define PASSES_REWRITE_H

#include "ir/tensor.h"

struct rewrite {
  struct graph *graph;
  struct arena *scratch; /* freed by rewrite_end: `old`, `map`, and whatever else a pass needs only meanwhile */
  struct value **old; /* the values before, in order */
  int count;
  struct value **map; /* by the id of an old value: the value that replaces it, or NULL */
  int map_count;
};

/* Empties the graph's list of values; its outputs still point to old values until rewrite_end. */
struct rewrite rewrite_begin(struct graph *graph);
/* The value that replaces an old one; having none yet is a bug. */
struct value *rewrite_get(const struct rewrite *rewrite, const struct value *old);
void rewrite_set(struct rewrite *rewrite, const struct value *old, struct value *new_value);
/* Keeps an old value, with new inputs. It is the value itself and not a copy: graphs of deep models are walked many
   times, and nothing costs more than touching memory for the first time. */
struct value *rewrite_keep(struct rewrite *rewrite, struct value *old);
/* The graph's input RUN_STEP, made when there is none. It may stand after the value that needs it, and then moves here. */
struct value *rewrite_step(struct rewrite *rewrite);
/* Makes outputs point to the new values, and frees the scratch memory. */
void rewrite_end(struct rewrite *rewrite);

/* Gives `value` the name of `other`, whose place it takes, unless it has one. Leaves keep theirs: an input's name is what the run
   supplies it by. */
void name_like(struct value *value, const struct value *other);
/* The name of the gradient of what is called so, and back: the length of the name of what a name is the gradient of, 0 where it is that of
   no gradient. No name of the spec has a slash. */
const char *gradient_name(struct arena *arena, const char *name);
size_t gradient_of_length(const char *name);
/* Calls `value` the gradient of `of`, unless it has a name or `of` has none. */
void name_gradient(struct graph *graph, struct value *value, const struct value *of);
bool list_has_axis(struct axis *const *list, int count, const struct axis *axis);
/* The axes of `x` that `y` lacks; returns their number. `axes` has room for MAX_AXES. */
int axes_missing(const struct value *x, const struct value *y, struct axis **axes);
bool is_constant(const struct value *value, double number);
/* The view (a rename, split, merge, slice or select) of another value than it is of, which may lack the axes that it is about. NULL
   where a merge has some of them and not all, and for all other views. */
struct value *view_again(struct graph *graph, const struct value *view, struct value *x);

#endif
