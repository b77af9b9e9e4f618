/* Factors of a weight's channels: W becomes W * s before it is rounded, and x, which it multiplies, x / s, so that nothing changes but
   what is lost by rounding. Both kinds follow from what calibration measured of x; where that is 0, the factor is 1.

     smooth    s = max |x|^a / max |W|^(1 - a), with x in steps, too: what is hard to round in x goes over to W, which is rounded more
               easily (Xiao et al., SmoothQuant, 2023)
     awq       s = sqrt(E[x^2])^a: the weights of channels that matter most are rounded most finely. Of 20 exponents a from 0 on, the
               one with the least sum over channels of E[x^2] (Q(W s) / s - W)^2 (Lin et al., AWQ, 2024; there, s follows the mean of
               |x|, and the error is that of the product on samples of x, of which this is the diagonal) */
#include "passes/quantize.h"

enum { TRIALS = 20 };

static struct value *number(struct graph *graph, double number) { return build_constant(graph, number); }

/* Reduces all axes of x but those of `kept`. */
static struct value *reduce_to(struct graph *graph, enum op op, struct value *x, struct axis *const *kept, int count) {
  struct axis *over[MAX_AXES];
  int reduced = 0;
  for (int i = 0; i < x->axis_count; i++) {
    bool stays = false;
    for (int k = 0; k < count; k++) stays = stays || kept[k] == x->axes[i];
    if (!stays) over[reduced++] = x->axes[i];
  }
  return reduced ? build_reduce(graph, op, x, over, reduced) : x;
}

/* x to a power, and 1 where x is 0: there is nothing to be said of such a channel. */
static struct value *power(struct graph *graph, struct value *x, struct value *exponent) {
  struct value *none = build_binary(graph, OP_le, x, number(graph, 0));
  struct value *log = build_unary(graph, OP_log, build_where(graph, none, number(graph, 1), x));
  return build_unary(graph, OP_exp, build_binary(graph, OP_mul, log, exponent));
}

static struct value *smoothing(struct graph *graph, struct value *weight, const struct quantization *how) {
  struct value *x = build_state(graph, how->statistic->max);
  struct value *w = reduce_to(graph, OP_reduce_max, build_unary(graph, OP_abs, weight), x->axes, x->axis_count);
  struct value *factors = build_binary(graph, OP_div, power(graph, x, number(graph, how->smooth)),
                                       power(graph, w, number(graph, 1 - how->smooth)));
  struct value *zero = number(graph, 0);
  struct value *some =
      build_binary(graph, OP_and, build_binary(graph, OP_lt, zero, x), build_binary(graph, OP_lt, zero, w));
  return build_where(graph, some, factors, number(graph, 1));
}

static struct value *in_groups(struct graph *graph, struct value *x, const struct parts *parts) {
  struct axis *factors[2] = {parts->outer, parts->inner};
  return parts->grouped ? build_split(graph, x, parts->grouped, factors, 2) : x;
}

/* The best exponent. No value here is as large as all trials of a weight: each is a term of a maximum or a sum. */
static struct value *search(struct graph *graph, struct value *weight, const struct quantization *how,
                            const struct parts *parts) {
  struct axis *trial = axis_new(graph, "trial", TRIALS, weight->origin.span), *over[MAX_RANK];
  int count = 0;
  struct value *square = build_state(graph, how->statistic->square);
  for (int i = 0; i < weight->axis_count; i++)
    if (how->shared >> i & 1) over[count++] = weight->axes[i];
  if (parts->grouped) over[0] = parts->inner, count = 1;
  struct value *place = build_cast(graph, build_index(graph, trial), STORAGE_REAL);
  struct value *exponent = build_binary(graph, OP_div, place, number(graph, 2 * TRIALS)); /* of squares */
  weight = in_groups(graph, weight, parts);
  square = in_groups(graph, square, parts);
  struct value *factors = power(graph, square, exponent), *scale;
  factors->name = arena_format(graph->arena, "%s/factors.tried", how->statistic->of->name);
  struct value *steps = quantized_steps(graph, build_binary(graph, OP_mul, weight, factors), over, count,
                                        how->weights == QUANTIZED_I8, &scale);
  struct value *rounded = build_binary(graph, OP_mul, build_cast(graph, steps, STORAGE_F32), scale);
  struct value *off = build_binary(graph, OP_sub, build_binary(graph, OP_div, rounded, factors), weight);
  off = build_binary(graph, OP_mul, build_binary(graph, OP_mul, off, off), square);
  struct value *gain = build_unary(graph, OP_neg, reduce_to(graph, OP_reduce_sum, off, &trial, 1));
  gain->name = arena_format(graph->arena, "%s/gain.tried", how->statistic->of->name);
  struct value *most = build_reduce(graph, OP_reduce_max, gain, &trial, 1);
  struct value *is_best = build_binary(graph, OP_eq, gain, most);
  struct value *first = build_where(graph, is_best, build_unary(graph, OP_neg, place), number(graph, -TRIALS));
  first = build_unary(graph, OP_neg, build_reduce(graph, OP_reduce_max, first, &trial, 1));
  return build_binary(graph, OP_div, first, number(graph, 2 * TRIALS));
}

struct value *quantized_factors(struct graph *graph, struct value *weight, const struct quantization *how,
                                const struct parts *parts) {
  if (how->smooth > 0) return smoothing(graph, weight, how);
  return power(graph, build_state(graph, how->statistic->square), search(graph, weight, how, parts));
}
