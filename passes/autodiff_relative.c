/* Relative gradients: d loss / d log v, that is the gradient of v times v, for values v that exponentials are part of.

   1 / (1 + exp(-x)) is 1 / inf for x far below zero. Its slope tends to 0, and so does each step's gradient on the way back, but the
   last one, of exp, is 0 times inf. The relative gradient of v = 1 + e is -d / v, however large v is, that of e is e / v times as
   much, a share between 0 and 1, and that of e is the gradient of what e is the exponential of: no step leaves the range of numbers.
   The logistic function, its relatives (log(1 + exp(x)), x / (1 + exp(-x)), 2 / (exp(x) + exp(-x))) and all that is made of them in
   whatever spelling have right slopes so, also at both infinities where these have limits.

   Only division, logarithms, roots and powers begin a relative gradient: these are the operations that turn large into small. What
   multiplies or adds keeps the plain gradient, as a product with a value that is 0 could not be undone. */
#include <math.h>

#include "passes/autodiff.h"

static bool is_number(const struct value *value) {
  if (value->op == OP_expand) value = value->inputs[0];
  return value->op == OP_constant;
}

bool takes_relative(const struct backward *b, const struct value *x) { return x->id < b->count && b->takes_relative[x->id]; }

static bool can_take(const struct backward *b, const struct value *value) {
  struct value **x = value->inputs;
  switch ((int)value->op) {
    case OP_exp:
      return true;
    case OP_neg:
    case OP_sqrt:
    case OP_rsqrt:
      return takes_relative(b, x[0]);
    case OP_add:
    case OP_sub:
      return takes_relative(b, x[0]) || takes_relative(b, x[1]);
    case OP_where:
      return takes_relative(b, x[1]) || takes_relative(b, x[2]);
    case OP_mul:
    case OP_div:
      return (takes_relative(b, x[0]) && (takes_relative(b, x[1]) || is_number(x[1]))) || (takes_relative(b, x[1]) && is_number(x[0]));
    case OP_pow:
      return takes_relative(b, x[0]) && is_number(x[1]);
    default:
      return only_looks(value) && takes_relative(b, x[0]);
  }
}

void mark_relative(struct backward *backward, struct value *const *targets, int target_count) {
  const struct graph *graph = backward->graph;
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    bool can = backward->active[value->id] && can_take(backward, value);
    for (int j = 0; j < target_count && can; j++) can = value != targets[j];
    backward->takes_relative[value->id] = can;
  }
}

static struct value *scaled(struct backward *b, struct value *x, double factor) {
  return build_binary(b->graph, OP_mul, x, build_constant(b->graph, factor));
}

/* y = x + u, or u - x where `sign` is -1: the share of x in y is 1 where x is all of it. Where x is 0 the share is too, and nothing
   passes, however large d is. */
static void pass_to_term(struct backward *b, struct value *y, struct value *d, struct value *x, double sign) {
  struct graph *graph = b->graph;
  if (!wanted(b, x)) return;
  if (!takes_relative(b, x)) {
    struct value *quotient = build_binary(graph, OP_div, d, y);
    give(b, x, sign < 0 ? build_unary(graph, OP_neg, quotient) : quotient);
    return;
  }
  struct value *share = build_binary(graph, OP_div, x, y);
  if (sign < 0) share = build_unary(graph, OP_neg, share);
  struct value *infinite = build_binary(graph, OP_eq, build_unary(graph, OP_abs, x), build_constant(graph, INFINITY));
  share = build_where(graph, infinite, build_constant(graph, 1), share);
  struct value *some = build_binary(graph, OP_ne, x, build_constant(graph, 0));
  b->is_relative = true;
  b->dirty = true;
  give_alike(b, x, build_binary(graph, OP_mul, d, share), mask_and(graph, b->mask, some));
}

static void pass_to_branch(struct backward *b, struct value *y, struct value *d, struct value *x, struct value *mask) {
  b->dirty = true;
  b->is_relative = takes_relative(b, x);
  if (wanted(b, x)) give_alike(b, x, b->is_relative ? d : build_binary(b->graph, OP_div, d, y), mask_and(b->graph, b->mask, mask));
}

void pass_relative(struct backward *b, struct value *y, struct value *d) {
  struct value **x = y->inputs;
  switch ((int)y->op) {
    case OP_exp:
      give(b, x[0], d);
      break;
    case OP_neg:
      give_relative(b, x[0], d);
      break;
    case OP_sqrt:
      give_relative(b, x[0], scaled(b, d, 0.5));
      break;
    case OP_rsqrt:
      give_relative(b, x[0], scaled(b, d, -0.5));
      break;
    case OP_pow:
      give_relative(b, x[0], build_binary(b->graph, OP_mul, d, x[1]));
      break;
    case OP_mul:
      for (int i = 0; i < 2; i++) give_relative(b, x[i], d);
      break;
    case OP_div:
      give_relative(b, x[0], d);
      if (wanted(b, x[1])) give_relative(b, x[1], build_unary(b->graph, OP_neg, d));
      break;
    case OP_add:
    case OP_sub:
      pass_to_term(b, y, d, x[0], 1);
      pass_to_term(b, y, d, x[1], y->op == OP_sub ? -1 : 1);
      break;
    case OP_where:
      pass_to_branch(b, y, d, x[1], x[0]);
      pass_to_branch(b, y, d, x[2], mask_not(b->graph, x[0]));
      break;
    default:
      bug("%s takes no relative gradient", op_facts[y->op].name);
  }
}
