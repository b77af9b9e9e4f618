/* Integers have 32 bits and wrap around. An integer that certainly leaves its range, because constants and indices of
   axes alone decide its value, is an error. Integers that depend on data are not checked. */
#include "frontend/lower.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* What is known of an integer value: two numbers that it certainly takes somewhere and, where it is a linear function
   of the indices of its axes, that function. */
struct reach {
  bool known, linear;
  double low, high;
  double base, by[MAX_AXES]; /* the linear function: base + the sum of by[i] times the index along axis i */
};

static void take(struct reach *reach, double number) {
  if (!reach->known) reach->low = reach->high = number;
  reach->known = true;
  reach->low = fmin(reach->low, number);
  reach->high = fmax(reach->high, number);
}

static void take_ends(struct reach *reach, const struct value *value) {
  double low = reach->base, high = reach->base;
  for (int i = 0; i < value->axis_count; i++) {
    const double far = reach->by[i] * (double)(value->axes[i]->extent - 1);
    *(far < 0 ? &low : &high) += far;
  }
  reach->linear = true;
  take(reach, low), take(reach, high);
}

static double by_axis(const struct value *value, const struct reach *reach, const struct axis *axis) {
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] == axis) return reach->by[i];
  return 0;
}

static bool is_constant(const struct value *value, const struct reach *reach) {
  for (int i = 0; i < value->axis_count; i++)
    if (reach->by[i] != 0) return false;
  return reach->linear;
}

static double apply(enum op op, double x, double y) {
  switch ((int)op) {
    case OP_add:
      return x + y;
    case OP_sub:
      return x - y;
    case OP_mul:
      return x * y;
    case OP_max:
      return fmax(x, y);
    case OP_min:
      return fmin(x, y);
  }
  bug("%s", op_facts[op].name);
}

static struct reach binary_reach(const struct value *value, const struct reach *x, const struct reach *y) {
  const struct value *left = value->inputs[0], *right = value->inputs[1];
  struct reach reach = {0};
  bool apart = true;
  for (int i = 0; i < left->axis_count; i++) apart &= !value_has_axis(right, left->axes[i]);
  if (!x->linear || !y->linear) {
    /* Where two values have no axis in common, every element of one meets every element of the other. */
    for (int i = 0; apart && i < 4; i++)
      take(&reach, apply(value->op, i & 1 ? x->high : x->low, i & 2 ? y->high : y->low));
    return reach;
  }
  const bool scaled = value->op == OP_mul && (is_constant(left, x) || is_constant(right, y));
  if (value->op == OP_add || value->op == OP_sub || scaled) {
    reach.base = apply(value->op, x->base, y->base);
    for (int i = 0; i < value->axis_count; i++) {
      const double a = by_axis(left, x, value->axes[i]), b = by_axis(right, y, value->axes[i]);
      reach.by[i] = scaled ? a * y->base + b * x->base : apply(value->op, a, b);
    }
    take_ends(&reach, value);
    return reach;
  }
  /* Tries the corners, where every index is the first or the last. */
  for (unsigned corner = 0; corner < 1u << value->axis_count; corner++) {
    double a = x->base, b = y->base;
    for (int i = 0; i < value->axis_count; i++) {
      if (!(corner >> i & 1)) continue;
      a += by_axis(left, x, value->axes[i]) * (double)(value->axes[i]->extent - 1);
      b += by_axis(right, y, value->axes[i]) * (double)(value->axes[i]->extent - 1);
    }
    take(&reach, apply(value->op, a, b));
  }
  return reach;
}

/* The reach of a sum or a maximum over axes, or of the last element of a running sum. */
static struct reach mixing_reach(const struct value *value, const struct reach *x) {
  const struct value *input = value->inputs[0];
  struct axis *const *over = value->op == OP_scan ? &value->axis : value->list;
  const int count = value->op == OP_scan ? 1 : value->list_count;
  struct reach reach = {.base = x->base};
  if (!x->linear) return (struct reach){0};
  double times = 1;
  for (int i = 0; i < count && value->op != OP_reduce_max; i++) times *= (double)over[i]->extent;
  for (int i = 0; i < count; i++) {
    const double last = (double)(over[i]->extent - 1) * by_axis(input, x, over[i]);
    reach.base += value->op == OP_reduce_max ? fmax(last, 0) : last / 2;
  }
  reach.base *= times;
  for (int i = 0; i < value->axis_count; i++)
    if (value->op != OP_scan || value->axes[i] != value->axis) reach.by[i] = times * by_axis(input, x, value->axes[i]);
  take_ends(&reach, value);
  reach.linear = value->op != OP_scan;
  return reach;
}

static struct reach view_reach(const struct value *value, const struct reach *x) {
  const struct value *input = value->inputs[0];
  struct reach reach = {.known = x->known, .low = x->low, .high = x->high};
  const bool part = value->op == OP_slice || value->op == OP_select;
  if (!x->linear) return part ? (struct reach){0} : reach;
  reach = (struct reach){.base = x->base};
  if (part) reach.base += (double)value->start * by_axis(input, x, value->axis);
  double inside = 1;
  for (int i = value->axis_count - 1; i >= 0; i--) {
    const struct axis *axis = value->axes[i];
    bool factor = false;
    for (int j = 0; j < value->list_count && value->op == OP_split; j++) factor |= value->list[j] == axis;
    if (factor) {
      reach.by[i] = inside * by_axis(input, x, value->axis);
      inside *= (double)axis->extent;
    } else {
      reach.by[i] = by_axis(input, x, axis == value->result ? value->axis : axis);
    }
  }
  take_ends(&reach, value);
  return reach;
}

static struct reach reach_of(struct lowering *lowering, const struct value *value);

static struct reach find_reach(struct lowering *lowering, const struct value *value) {
  const struct reach nothing = {0};
  struct reach inputs[2], reach = {0};
  if (value->kind != KIND_INTEGER || value->input_count > 2) return nothing;
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i]->size) return nothing; /* present lengths may be shorter */
  if (value->op == OP_constant || value->op == OP_index) {
    reach.base = value->op == OP_constant ? value->number : 0;
    if (value->op == OP_index) reach.by[0] = 1;
    take_ends(&reach, value);
    return reach;
  }
  for (int i = 0; i < value->input_count; i++) {
    inputs[i] = reach_of(lowering, value->inputs[i]);
    if (!inputs[i].known) return nothing;
  }
  switch ((int)value->op) {
    case OP_neg:
      for (int i = 0; i < value->axis_count; i++) reach.by[i] = -by_axis(value->inputs[0], &inputs[0], value->axes[i]);
      reach.base = -inputs[0].base;
      if (inputs[0].linear)
        take_ends(&reach, value);
      else
        take(&reach, -inputs[0].low), take(&reach, -inputs[0].high);
      return reach;
    case OP_abs:
      take(&reach, fabs(inputs[0].low)), take(&reach, fabs(inputs[0].high));
      return reach;
    case OP_add:
    case OP_sub:
    case OP_mul:
    case OP_max:
    case OP_min:
      return binary_reach(value, &inputs[0], &inputs[1]);
    case OP_reduce_sum:
    case OP_reduce_max:
    case OP_scan:
      return mixing_reach(value, &inputs[0]);
    case OP_rename:
    case OP_expand:
    case OP_split:
    case OP_slice:
    case OP_select:
    case OP_stop:
      return view_reach(value, &inputs[0]);
    case OP_merge:
      return (struct reach){.known = true, .low = inputs[0].low, .high = inputs[0].high};
  }
  return nothing;
}

/* The reach of a value, which is found only once. */
static struct reach reach_of(struct lowering *lowering, const struct value *value) {
  if (lowering->reaches_of != lowering->graph) lowering->reaches.count = 0, lowering->reaches_of = lowering->graph;
  while (lowering->reaches.count <= value->id) array_push(lowering->arena, &lowering->reaches, NULL);
  if (!lowering->reaches.items[value->id]) {
    struct reach *reach = arena_new_struct(lowering->arena, struct reach);
    *reach = find_reach(lowering, value);
    lowering->reaches.items[value->id] = reach;
  }
  return *lowering->reaches.items[value->id];
}

bool fits_integer(struct lowering *lowering, const struct value *value, struct span span) {
  const struct reach reach = reach_of(lowering, value);
  if (!reach.known || (reach.low >= INT32_MIN && reach.high <= INT32_MAX)) return true;
  fail(lowering, span,
       "this reaches %.10g, and whole numbers have 32 bits (-2147483648 to 2147483647); multiply by 1.0 before to "
       "compute in reals",
       reach.high > INT32_MAX ? reach.high : reach.low);
  return false;
}
