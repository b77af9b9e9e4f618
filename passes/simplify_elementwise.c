/* Simplification rules of elementwise operations. */
#include <math.h>

#include "ir/interpret.h"
#include "passes/rewrite.h"
#include "passes/simplify.h"

struct value *rule_fold(struct simplifier *s, struct value *value) {
  double x[3] = {0};
  for (int i = 0; i < value->input_count; i++) {
    if (value->inputs[i]->op != OP_constant) return NULL;
    x[i] = value->inputs[i]->number;
  }
  double number = scalar_apply(value->op, value->kind, x[0], x[1], x[2]);
  if (value->op == OP_cast) number = scalar_round(value->storage, x[0]);
  if (isnan(number)) return NULL; /* NaN is made where the spec makes it, not here */
  return number_like(s, value, number);
}

struct value *rule_narrow(struct simplifier *s, struct value *value) {
  struct value *x[3];
  bool found = false;
  for (int i = 0; i < value->input_count; i++) {
    bool expanded = value->inputs[i]->op == OP_expand;
    x[i] = expanded ? value->inputs[i]->inputs[0] : value->inputs[i];
    found = found || expanded;
  }
  if (!found) return NULL;
  struct value *narrow;
  switch (value->input_count) {
    case 1:
      narrow =
          value->op == OP_cast ? build_cast(s->graph, x[0], value->storage) : build_unary(s->graph, value->op, x[0]);
      break;
    case 2:
      narrow = build_binary(s->graph, value->op, x[0], x[1]);
      break;
    case 3:
      narrow = build_where(s->graph, x[0], x[1], x[2]);
      break;
    default:
      bug("%s has %d inputs", op_facts[value->op].name, value->input_count);
  }
  narrow->range = value->range;
  return spread(s, narrow, value);
}

/* Where one input is the constant `number`, the other input; else NULL. */
static struct value *beside(const struct value *value, double number) {
  double found;
  for (int i = 0; i < 2; i++)
    if (is_number(value->inputs[1 - i], &found) && found == number) return value->inputs[i];
  return NULL;
}

struct value *rule_add_zero(struct simplifier *s, struct value *value) {
  struct value *x = beside(value, 0);
  return x ? spread(s, x, value) : NULL;
}

struct value *rule_add_negative(struct simplifier *s, struct value *value) {
  for (int i = 1; i >= 0; i--)
    if (value->inputs[i]->op == OP_neg)
      return build_binary(s->graph, OP_sub, value->inputs[1 - i], value->inputs[i]->inputs[0]);
  return NULL;
}

/* The gradient of a table that is also used elsewhere is so made in one buffer: rows are added to the other
   gradient. */
struct value *rule_add_to_scatter(struct simplifier *s, struct value *value) {
  for (int i = 0; i < 2; i++) {
    struct value *scatter = value->inputs[i], *y = value->inputs[1 - i];
    if (scatter->op != OP_scatter_add || !used_once(s, scatter) || !same_axes(scatter, y)) continue;
    struct value *base = build_binary(s->graph, OP_add, scatter->inputs[0], y);
    return build_scatter_add(s->graph, base, scatter->axis, scatter->inputs[1], scatter->inputs[2]);
  }
  return NULL;
}

struct value *rule_subtract_zero(struct simplifier *s, struct value *value) {
  double number;
  if (is_number(value->inputs[1], &number) && number == 0) return spread(s, value->inputs[0], value);
  if (is_number(value->inputs[0], &number) && number == 0)
    return spread(s, build_unary(s->graph, OP_neg, value->inputs[1]), value);
  return NULL;
}

struct value *rule_subtract_negative(struct simplifier *s, struct value *value) {
  struct value *y = value->inputs[1];
  return y->op == OP_neg ? build_binary(s->graph, OP_add, value->inputs[0], y->inputs[0]) : NULL;
}

struct value *rule_multiply_one(struct simplifier *s, struct value *value) {
  struct value *x = beside(value, 1);
  if (x) return spread(s, x, value);
  x = beside(value, -1);
  return x ? spread(s, build_unary(s->graph, OP_neg, x), value) : NULL;
}

struct value *rule_multiply_negative(struct simplifier *s, struct value *value) {
  struct value *x = value->inputs[0], *y = value->inputs[1];
  double number;
  if (x->op == OP_neg && y->op == OP_neg) return build_binary(s->graph, OP_mul, x->inputs[0], y->inputs[0]);
  for (int i = 0; i < 2; i++) {
    x = value->inputs[i], y = value->inputs[1 - i];
    if (x->op == OP_neg && is_number(y, &number))
      return build_binary(s->graph, OP_mul, x->inputs[0], number_like(s, y, -number));
  }
  return NULL;
}

/* Only a power of two has an exact reciprocal. */
struct value *rule_divide_constant(struct simplifier *s, struct value *value) {
  double number;
  int exponent;
  if (!is_number(value->inputs[1], &number) || !isfinite(number)) return NULL;
  if (number == 1) return spread(s, value->inputs[0], value);
  if (fabs(frexp(number, &exponent)) != 0.5 || exponent > 64 || exponent < -64) return NULL;
  return build_binary(s->graph, OP_mul, value->inputs[0], number_like(s, value->inputs[1], 1 / number));
}

struct value *rule_negate(struct simplifier *s, struct value *value) {
  struct value *x = value->inputs[0];
  double number;
  if (x->op == OP_neg) return x->inputs[0];
  if (x->op == OP_sub && used_once(s, x)) return build_binary(s->graph, OP_sub, x->inputs[1], x->inputs[0]);
  if (x->op != OP_mul || !used_once(s, x)) return NULL;
  for (int i = 0; i < 2; i++)
    if (is_number(x->inputs[i], &number))
      return build_binary(s->graph, OP_mul, x->inputs[1 - i], number_like(s, x->inputs[i], -number));
  return NULL;
}

struct value *rule_power(struct simplifier *s, struct value *value) {
  struct value *x = value->inputs[0];
  double number;
  if (!is_number(value->inputs[1], &number)) return NULL;
  if (number == 0) return number_like(s, value, 1);
  struct value *power = NULL;
  if (number == 1) power = x;
  if (number == 2) power = build_binary(s->graph, OP_mul, x, x);
  if (number == 3) power = build_binary(s->graph, OP_mul, build_binary(s->graph, OP_mul, x, x), x);
  if (number == -1) power = build_binary(s->graph, OP_div, build_constant(s->graph, 1), x);
  return power ? spread(s, power, value) : NULL;
}

struct value *rule_extreme_of_same(struct simplifier *s, struct value *value) {
  (void)s;
  return value->inputs[0] == value->inputs[1] ? value->inputs[0] : NULL;
}

struct value *rule_not_not(struct simplifier *s, struct value *value) {
  (void)s;
  return value->inputs[0]->op == OP_not ? value->inputs[0]->inputs[0] : NULL;
}

/* `neutral` is the constant that leaves the other input as it is; the opposite constant decides alone. */
static struct value *logic(struct simplifier *s, struct value *value, double neutral) {
  if (value->inputs[0] == value->inputs[1]) return value->inputs[0];
  struct value *x = beside(value, neutral);
  if (x) return spread(s, x, value);
  return beside(value, 1 - neutral) ? number_like(s, value, 1 - neutral) : NULL;
}
struct value *rule_and_constant(struct simplifier *s, struct value *value) { return logic(s, value, 1); }
struct value *rule_or_constant(struct simplifier *s, struct value *value) { return logic(s, value, 0); }

struct value *rule_where_known(struct simplifier *s, struct value *value) {
  struct value *condition = value->inputs[0], *x = value->inputs[1], *y = value->inputs[2];
  double number, other;
  if (is_number(condition, &number)) return spread(s, number != 0 ? x : y, value);
  if (x == y || (is_number(x, &number) && is_number(y, &other) && number == other)) return spread(s, x, value);
  return condition->op == OP_not ? build_where(s->graph, condition->inputs[0], y, x) : NULL;
}

struct value *rule_where_nested(struct simplifier *s, struct value *value) {
  struct value *condition = value->inputs[0], *x = value->inputs[1], *y = value->inputs[2];
  bool first = x->op == OP_where && x->inputs[0] == condition, second = y->op == OP_where && y->inputs[0] == condition;
  if (!first && !second) return NULL;
  return spread(s, build_where(s->graph, condition, first ? x->inputs[1] : x, second ? y->inputs[2] : y), value);
}

struct value *rule_cast_again(struct simplifier *s, struct value *value) {
  (void)s;
  struct value *x = value->inputs[0];
  bool same = x->op == OP_cast && x->storage == value->storage;
  return same || (value->storage == STORAGE_REAL && x->kind == KIND_REAL) ? x : NULL;
}

/* All gradients are expanded, so nothing is left for a stop to keep out. */
struct value *rule_stop_done(struct simplifier *s, struct value *value) {
  return s->differentiated ? value->inputs[0] : NULL;
}
