/* Derivative rules of the leaves and of elementwise operations. Inputs may lack axes of the result: `give` sums over
   those.

   A slope that is exactly 0, as where exp, tanh or erf have levelled off, stops the gradient as a branch that is not
   taken does: the gradient is zero there whatever the factors before and after it are, even where they are infinite. */
#include <math.h>

#include "passes/autodiff.h"

static const double TWO_OVER_SQRT_PI = 1.12837916709551257390;

static struct value *unary(struct backward *b, enum op op, struct value *x) { return build_unary(b->graph, op, x); }
static struct value *binary(struct backward *b, enum op op, struct value *x, struct value *y) {
  return build_binary(b->graph, op, x, y);
}
static struct value *times(struct backward *b, struct value *x, struct value *y) { return binary(b, OP_mul, x, y); }
static struct value *scaled(struct backward *b, struct value *x, double factor) {
  return times(b, x, build_constant(b->graph, factor));
}
static struct value *number(struct backward *b, double value) { return build_constant(b->graph, value); }

/* Rules that pass nothing on: leaves have no inputs, and integers, booleans and what a stop hides have no
   derivative. */
#define NO_GRADIENT(name)                                                             \
  void gradient_##name(struct backward *backward, struct value *y, struct value *d) { \
    (void)backward, (void)y, (void)d;                                                 \
  }
NO_GRADIENT(constant)
NO_GRADIENT(input)
NO_GRADIENT(state)
NO_GRADIENT(index)
NO_GRADIENT(random)
NO_GRADIENT(floor)
NO_GRADIENT(round)
NO_GRADIENT(not)
NO_GRADIENT(quotient)
NO_GRADIENT(lt)
NO_GRADIENT(le)
NO_GRADIENT(eq)
NO_GRADIENT(ne)
NO_GRADIENT(and)
NO_GRADIENT(or)
NO_GRADIENT(stop)

void gradient_neg(struct backward *b, struct value *y, struct value *d) { give(b, y->inputs[0], unary(b, OP_neg, d)); }

/* The slope at 0 is taken to be 0. */
void gradient_abs(struct backward *b, struct value *y, struct value *d) {
  struct value *x = y->inputs[0], *zero = number(b, 0);
  struct value *positive = build_where(b->graph, binary(b, OP_lt, zero, x), d, zero);
  struct value *is_negative = binary(b, OP_lt, x, zero);
  give(b, x, build_where(b->graph, is_negative, unary(b, OP_neg, d), positive));
}

static void give_sloped(struct backward *b, struct value *x, struct value *d, struct value *slope) {
  struct value *product = times(b, d, slope);
  give_selected(b, x, product, binary(b, OP_ne, slope, number(b, 0)));
}

void gradient_exp(struct backward *b, struct value *y, struct value *d) { give_sloped(b, y->inputs[0], d, y); }

void gradient_log(struct backward *b, struct value *y, struct value *d) {
  give_either(b, y->inputs[0], d, binary(b, OP_div, d, y->inputs[0]));
}

/* A constant that is not negative. */
static bool is_factor(const struct value *value) {
  if (value->op == OP_expand) value = value->inputs[0];
  return value->op == OP_constant && value->number >= 0;
}

/* A sum of squares, or their mean, which is 0 only where everything that is squared is 0. */
static bool is_squares(const struct value *value) {
  const struct value *const *x = (const struct value *const *)value->inputs;
  switch ((int)value->op) {
    case OP_mul:
      for (int i = 0; i < 2; i++) {
        const struct value *one = x[i], *other = x[1 - i];
        if (is_factor(one) && is_squares(other)) return true;
        if (one->op == OP_mul && ((is_factor(one->inputs[0]) && one->inputs[1] == other) ||
                                  (is_factor(one->inputs[1]) && one->inputs[0] == other)))
          return true;
      }
      return x[0] == x[1];
    case OP_pow:
      return x[1]->op == OP_constant && x[1]->number > 0 && fmod(x[1]->number, 2) == 0;
    case OP_add:
      return is_squares(x[0]) && is_squares(x[1]);
    case OP_div:
      return is_factor(x[1]) && is_squares(x[0]);
    case OP_reduce_sum:
      return is_squares(x[0]);
    default:
      return only_looks(value) && is_squares(x[0]);
  }
}

/* The slope of a root at 0 is infinite. That of a norm, which is a root of squares, is taken to be 0 there, as the
   slope of abs is. */
static void give_root(struct backward *b, struct value *y, struct value *gradient) {
  struct value *x = y->inputs[0];
  if (is_squares(x))
    give_selected(b, x, gradient, binary(b, OP_ne, x, number(b, 0)));
  else
    give(b, x, gradient);
}

void gradient_sqrt(struct backward *b, struct value *y, struct value *d) {
  struct value *x = y->inputs[0], *half = scaled(b, d, 0.5), *slope = binary(b, OP_div, half, y);
  if (takes_relative(b, x))
    give_either(b, x, times(b, half, y), is_squares(x) ? NULL : slope);
  else
    give_root(b, y, slope);
}

void gradient_rsqrt(struct backward *b, struct value *y, struct value *d) {
  struct value *half = scaled(b, d, -0.5);
  struct value *relative = times(b, half, y);
  give_either(b, y->inputs[0], relative, times(b, half, times(b, y, times(b, y, y))));
}

void gradient_tanh(struct backward *b, struct value *y, struct value *d) {
  struct value *one = number(b, 1);
  give_sloped(b, y->inputs[0], d, binary(b, OP_sub, one, times(b, y, y)));
}

void gradient_erf(struct backward *b, struct value *y, struct value *d) {
  struct value *x = y->inputs[0], *scale = scaled(b, d, TWO_OVER_SQRT_PI);
  give_sloped(b, x, scale, unary(b, OP_exp, unary(b, OP_neg, times(b, x, x))));
}

void gradient_sin(struct backward *b, struct value *y, struct value *d) {
  give(b, y->inputs[0], times(b, d, unary(b, OP_cos, y->inputs[0])));
}

void gradient_cos(struct backward *b, struct value *y, struct value *d) {
  give(b, y->inputs[0], unary(b, OP_neg, times(b, d, unary(b, OP_sin, y->inputs[0]))));
}

/* Rounding counts as the identity: its true derivative is 0 almost everywhere and of no use. The number that says where
   random rounding goes has none. */
void gradient_cast(struct backward *b, struct value *y, struct value *d) { give(b, y->inputs[0], d); }

void gradient_round_random(struct backward *b, struct value *y, struct value *d) { give(b, y->inputs[0], d); }

void gradient_add(struct backward *b, struct value *y, struct value *d) {
  give(b, y->inputs[0], d);
  give(b, y->inputs[1], d);
}

void gradient_sub(struct backward *b, struct value *y, struct value *d) {
  give(b, y->inputs[0], d);
  if (wanted(b, y->inputs[1])) give(b, y->inputs[1], unary(b, OP_neg, d));
}

void gradient_mul(struct backward *b, struct value *y, struct value *d) {
  for (int i = 0; i < 2; i++)
    if (wanted(b, y->inputs[i])) give(b, y->inputs[i], times(b, d, y->inputs[1 - i]));
}

void gradient_div(struct backward *b, struct value *y, struct value *d) {
  struct value *u = y->inputs[0], *v = y->inputs[1], *quotient = binary(b, OP_div, d, v), *product = times(b, d, y);
  give_either(b, u, product, quotient);
  if (!wanted(b, v)) return;
  struct value *relative = unary(b, OP_neg, product);
  struct value *slope = takes_relative(b, u) ? binary(b, OP_div, product, v) : times(b, quotient, y);
  give_either(b, v, relative, unary(b, OP_neg, slope));
}

/* y = u - v n, where n = (u - y) / v is a whole number that is constant between its steps. n is computed as a real,
   because it may be larger than integers are. */
void gradient_mod(struct backward *b, struct value *y, struct value *d) {
  give(b, y->inputs[0], d);
  if (!wanted(b, y->inputs[1])) return;
  struct value *steps = binary(b, OP_div, binary(b, OP_sub, y->inputs[0], y), y->inputs[1]);
  give(b, y->inputs[1], unary(b, OP_neg, times(b, d, steps)));
}

/* The gradient goes to the input that won. Of two equal inputs each gets half, as in PyTorch's maximum and minimum. The
   input that lost is treated as a branch that is not taken. */
static void give_extreme(struct backward *b, struct value *y, struct value *d) {
  struct value *tie = binary(b, OP_eq, y->inputs[0], y->inputs[1]);
  struct value *shared = build_where(b->graph, tie, scaled(b, d, 0.5), d);
  for (int i = 0; i < 2; i++) {
    if (!wanted(b, y->inputs[i])) continue;
    struct value *mine = y->inputs[i], *other = y->inputs[1 - i];
    give_selected(b, mine, shared, y->op == OP_max ? binary(b, OP_le, other, mine) : binary(b, OP_le, mine, other));
  }
}

void gradient_max(struct backward *b, struct value *y, struct value *d) { give_extreme(b, y, d); }
void gradient_min(struct backward *b, struct value *y, struct value *d) { give_extreme(b, y, d); }

/* x^n: n x^(n-1), which is 0 for n = 0 whatever x is, and x^n log(x), which is 0 at x = 0 for n >= 0. */
void gradient_pow(struct backward *b, struct value *y, struct value *d) {
  struct value *x = y->inputs[0], *n = y->inputs[1], *zero = number(b, 0);
  if (wanted(b, x) && n->op == OP_constant) {
    struct value *scale = scaled(b, d, n->number);
    struct value *slope = times(b, scale, n->number == 2 ? x : binary(b, OP_pow, x, number(b, n->number - 1)));
    if (n->number != 0 && takes_relative(b, x))
      give_either(b, x, times(b, scale, y), is_squares(x) ? NULL : slope);
    else if (n->number == 2)
      give(b, x, slope);
    else if (n->number != 0)
      give_root(b, y, slope);
  } else if (wanted(b, x)) {
    struct value *power = binary(b, OP_pow, x, binary(b, OP_sub, n, number(b, 1)));
    struct value *slope = times(b, times(b, d, n), power);
    give(b, x, build_where(b->graph, binary(b, OP_eq, n, zero), zero, slope));
  }
  if (wanted(b, n)) {
    struct value *vanishes = binary(b, OP_eq, x, zero);
    vanishes = binary(b, OP_and, vanishes, binary(b, OP_le, zero, n));
    give(b, n, build_where(b->graph, vanishes, zero, times(b, d, times(b, y, unary(b, OP_log, x)))));
  }
}

/* The zeros of the branch that is not taken come later: see struct gradient. */
void gradient_where(struct backward *b, struct value *y, struct value *d) {
  struct value *condition = y->inputs[0];
  if (wanted(b, y->inputs[1])) give_selected(b, y->inputs[1], d, condition);
  if (wanted(b, y->inputs[2])) give_selected(b, y->inputs[2], d, mask_not(b->graph, condition));
}
