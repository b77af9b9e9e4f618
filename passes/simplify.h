/* Inside simplify: what a rule sees. */
#ifndef PASSES_SIMPLIFY_H
#define PASSES_SIMPLIFY_H

#include "passes/passes.h"

struct simplifier {
  struct graph *graph;
  const int *uses; /* how often each value is used, from the id `first` on; those that rules made count as used once */
  int first, uses_count;
  bool differentiated; /* no gradient is left to expand */
};

/* One walk over the graph; true when a rule fired. */
bool simplify_once(struct graph *graph);

bool used_once(const struct simplifier *simplifier, const struct value *value);
/* Is it a constant, possibly expanded? */
bool is_number(const struct value *value, double *number);
/* A constant of the kind of `like`, expanded to its axes. */
struct value *number_like(struct simplifier *simplifier, const struct value *like, double number);
/* `x` expanded to the axes of `like`. */
struct value *spread(struct simplifier *simplifier, struct value *x, const struct value *like);

/* The rules: each gives what `value` is to be replaced with, or NULL. Several rows share one. */
#define RULE(op, name, text) struct value *rule_##name(struct simplifier *simplifier, struct value *value);
#include "passes/simplify.def"
#undef RULE

#endif
