/* Inside simplify: what a rule sees. */
#ifndef PASSES_SIMPLIFY_H
#define PASSES_SIMPLIFY_H

#include "passes/passes.h"

enum {
#define RULE(op, name, text) RULE_OF_##op##_##name,
#include "passes/simplify.def"
#undef RULE
  SIMPLIFY_RULES
};

struct simplifier;
typedef struct value *simplify_rule(struct simplifier *simplifier, struct value *value);

struct simplifier {
  struct graph *graph;
  int *uses; /* by id: how often each value is used; 1 for values that rules made */
  int uses_count;
  bool differentiated; /* no gradient is left to expand */
  simplify_rule *rules[OP_COUNT][SIMPLIFY_RULES]; /* those of each operation, in order */
  int rule_count[OP_COUNT];
};

bool used_once(const struct simplifier *simplifier, const struct value *value);
/* Whether the value is a constant, possibly expanded; *number is then its number. */
bool is_number(const struct value *value, double *number);
/* A constant of the kind of `like`, expanded to its axes. */
struct value *number_like(struct simplifier *simplifier, const struct value *like, double number);
/* `x` expanded to the axes of `like`. */
struct value *spread(struct simplifier *simplifier, struct value *x, const struct value *like);

/* The rules: each gives what `value` is to be replaced with, or NULL. Several rows share one. */
#define RULE(op, name, text) simplify_rule rule_##name;
#include "passes/simplify.def"
#undef RULE

#endif
