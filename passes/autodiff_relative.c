/* Relative gradients: d loss / d log v, which is the gradient of v times v, for values v that exponentials are part of.

   1 / (1 + exp(-x)) is 1 / inf for x far below zero. Its slope tends to 0, and so does the gradient at each step on the
   backward pass, but the last step, that of exp, is 0 times inf. The relative gradient of v = 1 + e is -d / v, however large
   v is. That of e is e / v times as much, a share between 0 and 1, and it equals the plain gradient of the exponent of
   e. So no step leaves the range of numbers. In this way the logistic function, its relatives (log(1 + exp(x)), x / (1
   + exp(-x)), 2 / (exp(x) + exp(-x))) and all that is made of them, however they are spelled, get right slopes, also at
   both infinities where the slopes have limits.

   Only division, logarithms, roots and powers begin a relative gradient, since these operations turn large numbers into
   small ones. Operations that multiply or add keep the plain gradient, because a product with a value that is 0 could
   not be undone. For the same reason a value which may be 0 at an ordinary place, such as exp(x) - 1, gets the plain
   gradient there and the relative one elsewhere. A sum of exponentials and numbers of one sign is 0 only where all of
   it has vanished. */
#include <math.h>

#include "passes/autodiff.h"

/* A constant, or NULL. */
static const struct value *number_of(const struct value *value) {
  if (value->op == OP_expand) value = value->inputs[0];
  return value->op == OP_constant ? value : NULL;
}

bool takes_relative(const struct backward *b, const struct value *x) {
  return x->id < b->count && b->takes_relative[x->id];
}

/* 1 where a value is certainly not negative, -1 where it is certainly not positive, else 0; judged from the graph
   alone. */
static int sign_of(const struct backward *b, const struct value *x) {
  const struct value *number = number_of(x);
  return number ? (number->number < 0 ? -1 : 1) : takes_relative(b, x) ? b->sign[x->id] : 0;
}

/* Whether the value can pass on a relative gradient; *sign is its sign as in struct backward. */
static bool can_take(const struct backward *b, const struct value *value, int *sign) {
  struct value **x = value->inputs;
  int left = value->input_count > 0 ? sign_of(b, x[0]) : 0, right = value->input_count > 1 ? sign_of(b, x[1]) : 0;
  switch ((int)value->op) {
    case OP_exp:
      *sign = 1;
      return true;
    case OP_neg:
      *sign = -left;
      return takes_relative(b, x[0]);
    case OP_sqrt:
    case OP_rsqrt:
      *sign = 1;
      return takes_relative(b, x[0]);
    case OP_add:
      *sign = left == right ? left : 0;
      return takes_relative(b, x[0]) || takes_relative(b, x[1]);
    case OP_sub:
      *sign = left == -right ? left : 0;
      return takes_relative(b, x[0]) || takes_relative(b, x[1]);
    case OP_where:
      *sign = right == sign_of(b, x[2]) ? right : 0;
      return takes_relative(b, x[1]) || takes_relative(b, x[2]);
    case OP_mul:
    case OP_div:
      *sign = left * right;
      return (takes_relative(b, x[0]) && (takes_relative(b, x[1]) || number_of(x[1]))) ||
             (takes_relative(b, x[1]) && number_of(x[0]));
    case OP_pow:
      *sign = left > 0;
      if (takes_relative(b, x[0])) return number_of(x[1]) != NULL;
      return number_of(x[0]) && number_of(x[0])->number > 0; /* a power of another base than e */
    default:
      *sign = left;
      return only_looks(value) && takes_relative(b, x[0]);
  }
}

void mark_relative(struct backward *backward, struct value *const *targets, int target_count) {
  const struct graph *graph = backward->graph;
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    int sign = 0;
    bool can = backward->active[value->id] && can_take(backward, value, &sign);
    for (int j = 0; j < target_count && can; j++) can = value != targets[j];
    backward->takes_relative[value->id] = can;
    backward->sign[value->id] = (signed char)sign;
  }
}

static void give_where(struct backward *b, struct value *x, struct value *gradient, struct value *mask,
                       bool is_relative) {
  b->dirty = true;
  b->is_relative = is_relative;
  give_alike(b, x, gradient, mask_and(b->graph, b->mask, mask));
}

void give_either(struct backward *b, struct value *x, struct value *relative, struct value *absolute) {
  if (!takes_relative(b, x)) {
    give(b, x, absolute);
  } else if (b->sign[x->id]) {
    give_relative(b, x, relative);
  } else {
    struct value *some = build_binary(b->graph, OP_ne, x, build_constant(b->graph, 0));
    give_where(b, x, relative, some, true);
    if (absolute) give_where(b, x, absolute, mask_not(b->graph, some), false);
  }
}

static struct value *scaled(struct backward *b, struct value *x, double factor) {
  return build_binary(b->graph, OP_mul, x, build_constant(b->graph, factor));
}

/* Passes the relative gradient `d` of y on to x, where y = x + u, or y = u - x where `sign` is -1. The share of x in y
   is x / y, or 1 where x is infinite. */
static void pass_to_term(struct backward *b, struct value *y, struct value *d, struct value *x, double sign) {
  struct graph *graph = b->graph;
  if (!wanted(b, x)) return;
  struct value *quotient = build_binary(graph, OP_div, d, y), *share = build_binary(graph, OP_div, x, y);
  if (sign < 0) quotient = build_unary(graph, OP_neg, quotient), share = build_unary(graph, OP_neg, share);
  struct value *infinite = build_unary(graph, OP_abs, x);
  infinite = build_binary(graph, OP_eq, infinite, build_constant(graph, INFINITY));
  share = build_binary(graph, OP_mul, d, build_where(graph, infinite, build_constant(graph, 1), share));
  if (takes_relative(b, x) && b->sign[x->id]) /* where x is 0 its share is 0, however large d is */
    give_where(b, x, share, build_binary(graph, OP_ne, x, build_constant(graph, 0)), true);
  else
    give_either(b, x, share, quotient);
}

/* x is a branch of y, taken where `mask` is true. There it equals y, and so is not 0. */
static void pass_to_branch(struct backward *b, struct value *y, struct value *d, struct value *x, struct value *mask) {
  const bool relative = takes_relative(b, x);
  if (wanted(b, x)) give_where(b, x, relative ? d : build_binary(b->graph, OP_div, d, y), mask, relative);
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
      if (number_of(x[0]))
        give(b, x[1], scaled(b, d, log(number_of(x[0])->number)));
      else
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
