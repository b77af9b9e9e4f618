/* What becomes of a weight w: steps * scale, whole numbers in 8 or 4 bits and a real for all elements that share it.

     i8        scale = max |w| / 127, steps = round(w / scale), from -127 to 127
     i4        scale = the w of largest magnitude, with its sign, / -8, steps = round(w / scale), clamped to -8 .. 7: all 16 steps are
               used, where max |w| / 7 would leave one out
     bf16, f16 w rounded; no scale

   Where channels have factors, w here is the weight times these. The methods hqq and table have files of their own. */
#include "passes/quantize.h"

static struct value *number(struct graph *graph, double number) { return build_constant(graph, number); }

/* The one of largest magnitude, with its sign. */
static struct value *extreme(struct graph *graph, struct value *x, struct axis *const *over, int count) {
  struct value *high = build_reduce(graph, OP_reduce_max, x, over, count);
  struct value *low =
      build_unary(graph, OP_neg, build_reduce(graph, OP_reduce_max, build_unary(graph, OP_neg, x), over, count));
  struct value *is_high = build_binary(graph, OP_le, build_unary(graph, OP_neg, low), high);
  return build_where(graph, is_high, high, low);
}

/* Where all elements are 0, any scale but 0 does. */
static struct value *scale_for(struct graph *graph, struct value *most, double steps) {
  struct value *zero = build_binary(graph, OP_eq, most, number(graph, 0));
  struct value *one = number(graph, 1), *divided = build_where(graph, zero, one, most);
  return build_binary(graph, OP_div, divided, number(graph, steps));
}

static struct value *steps_of(struct graph *graph, struct value *x, struct value *scale, int low, int high) {
  struct value *steps = build_unary(graph, OP_round, build_binary(graph, OP_div, x, scale));
  steps = build_binary(graph, OP_min, build_integer(graph, high), steps);
  return build_binary(graph, OP_max, build_integer(graph, low), steps);
}

struct value *quantized_in_groups(struct graph *graph, struct value *x, const struct parts *parts) {
  struct axis *factors[2] = {parts->outer, parts->inner};
  return parts->grouped ? build_split(graph, x, parts->grouped, factors, 2) : x;
}

int quantized_axes(struct graph *graph, const struct value *weight, const struct quantization *how, struct parts *parts,
                   struct axis *over[MAX_RANK]) {
  int count = 0;
  for (int i = 0; i < weight->axis_count; i++)
    if (how->shared >> i & 1) over[count++] = weight->axes[i];
  if (!how->group) return count;
  const struct axis *axis = parts->grouped = over[count - 1];
  parts->outer = axis_new(graph, "group", axis->extent / how->group, axis->span);
  parts->inner = axis_new(graph, axis->name, how->group, axis->span);
  over[0] = parts->inner;
  return 1;
}

struct value *quantized_steps(struct graph *graph, struct value *x, struct axis *const *over, int count, bool bytes,
                              struct value **scale) {
  struct value *most = bytes ? build_reduce(graph, OP_reduce_max, build_unary(graph, OP_abs, x), over, count)
                             : extreme(graph, x, over, count);
  *scale = scale_for(graph, most, bytes ? 127 : -8);
  return steps_of(graph, x, *scale, bytes ? -127 : -8, bytes ? 127 : 7);
}

struct parts *quantized_parts(struct graph *graph, struct arena *scratch, struct value *weight,
                              const struct quantization *how) {
  struct parts *parts = arena_new_struct(scratch, struct parts);
  const char *name = weight->op == OP_state ? weight->state->name : weight->name;
  if (how->weights == QUANTIZED_BF16 || how->weights == QUANTIZED_F16) {
    parts->steps = build_cast(graph, weight, how->weights == QUANTIZED_BF16 ? STORAGE_BF16 : STORAGE_F16);
    parts->steps->name = arena_format(graph->arena, "%s/%s", name, storage_names[parts->steps->storage]);
    return parts;
  }
  parts->quantizes_activations = how->quantizes_activations;
  struct axis *over[MAX_RANK];
  const int count = quantized_axes(graph, weight, how, parts, over);
  struct value *x = weight;
  if (how->factored) {
    const bool averages = weight->op == OP_state && weight->state->role == ROLE_AVERAGE;
    struct value *factors = quantized_factors(graph, how->factored, averages);
    parts->inverse = build_binary(graph, OP_div, number(graph, 1), factors);
    parts->inverse->name = arena_format(graph->arena, "%s/inverse", how->factored->statistic->of->name);
    x = build_binary(graph, OP_mul, weight, factors);
  }
  x = quantized_in_groups(graph, x, parts);
  const bool bytes = how->weights == QUANTIZED_I8;
  if (how->method == METHOD_HQQ || how->method == METHOD_TABLE) {
    if (how->method == METHOD_HQQ) quantize_half_quadratic(graph, x, over, count, parts);
    if (how->method == METHOD_TABLE) quantize_by_table(graph, x, over, count, parts);
    if (parts->offset) parts->offset->name = arena_format(graph->arena, "%s/offset", name);
    parts->scale->name = arena_format(graph->arena, "%s/scale", name);
    parts->steps->name = arena_format(graph->arena, "%s/%s", name, parts->levels ? "nf4" : "u4");
    return parts;
  }
  parts->steps = quantized_steps(graph, x, over, count, bytes, &parts->scale);
  parts->scale->name = arena_format(graph->arena, "%s/scale", name);
  parts->steps->name = arena_format(graph->arena, "%s/%s", name, bytes ? "i8" : "i4");
  return parts;
}

struct value *quantized_levels(struct graph *graph, const struct parts *parts) {
  if (parts->levels) return build_gather(graph, parts->levels, parts->levels->axes[0], parts->steps);
  return parts->steps->kind == KIND_INTEGER ? build_cast(graph, parts->steps, STORAGE_F32) : parts->steps;
}

struct value *quantized_wide(struct graph *graph, const struct parts *parts) {
  struct value *wide = quantized_levels(graph, parts);
  if (!parts->scale) return wide;
  wide = build_binary(graph, OP_mul, wide, parts->scale);
  if (parts->offset) wide = build_binary(graph, OP_add, wide, parts->offset);
  if (parts->grouped) {
    struct axis *factors[2] = {parts->outer, parts->inner};
    wide = build_merge(graph, wide, factors, 2, parts->grouped);
  }
  return parts->inverse ? build_binary(graph, OP_mul, wide, parts->inverse) : wide;
}

struct value *quantized_activation(struct graph *graph, struct value *x, struct axis *const *over, int count,
                                   struct value **scale) {
  struct value *most = build_reduce(graph, OP_reduce_max, build_unary(graph, OP_abs, x), over, count);
  *scale = scale_for(graph, most, 127);
  return steps_of(graph, x, *scale, -127, 127);
}

/* Steps that round to one beyond the ends are cut off; half a step further out is still in the range of the last one. */
struct value *quantized_slope(struct graph *graph, struct value *x, struct value *slope, const struct parts *parts) {
  if (!parts->scale || parts->offset || parts->levels)
    return slope; /* the ends of the steps are those of the weights */
  x = quantized_in_groups(graph, x, parts);
  struct value *free = build_unary(graph, OP_round, build_binary(graph, OP_div, x, parts->scale));
  struct value *inside = build_binary(graph, OP_eq, free, parts->steps);
  if (parts->grouped) {
    struct axis *factors[2] = {parts->outer, parts->inner};
    inside = build_merge(graph, inside, factors, 2, parts->grouped);
  }
  return build_where(graph, inside, slope, number(graph, 0));
}
