/* Factors of a weight's channels: W becomes W * s before it is rounded, and x, which it multiplies, x / s, so that nothing changes but
   what is lost by rounding. Both kinds follow from what calibration measured of x; where that is 0, the factor is 1.

     smooth    s = max |x|^a / max |W|^(1 - a), with x in steps, too: what is hard to round in x goes over to W, which is rounded more
               easily (Xiao et al., SmoothQuant, 2023)
     awq       s = sqrt(E[x^2])^a: the weights of channels that matter most are rounded most finely. Of 20 exponents a from 0 on, the
               one with the least sum over channels of E[x^2] (Q(W s) / s - W)^2 (Lin et al., AWQ, 2024; there, s follows the mean of
               |x|, and the error is that of the product on samples of x, of which this is the diagonal)

   Weights that multiply the same x share factors, so that x is divided once: the maximum is over all of them, and so is the sum. Where x
   is what a norm gives, its gain and its bias are divided, which derive does once. */
#include "passes/quantize.h"

#include "passes/rewrite.h"

enum { TRIALS = 20 };

static struct value *number(struct graph *graph, double number) { return build_constant(graph, number); }

/* Reduces all axes of x but those of `kept`. */
static struct value *reduce_to(struct graph *graph, enum op op, struct value *x, struct axis *const *kept, int count) {
  struct axis *over[MAX_AXES];
  int reduced = 0;
  for (int i = 0; i < x->axis_count; i++)
    if (!list_has_axis(kept, count, x->axes[i])) over[reduced++] = x->axes[i];
  return reduced ? build_reduce(graph, op, x, over, reduced) : x;
}

/* x to a power, and 1 where x is 0: there is nothing to be said of such a channel. */
static struct value *power(struct graph *graph, struct value *x, struct value *exponent) {
  struct value *none = build_binary(graph, OP_le, x, number(graph, 0));
  struct value *log = build_unary(graph, OP_log, build_where(graph, none, number(graph, 1), x));
  return build_unary(graph, OP_exp, build_binary(graph, OP_mul, log, exponent));
}

static struct value *weight_of(struct graph *graph, const struct quantization *how, bool averages) {
  return build_state(graph, averages && how->average ? how->average : how->state);
}

static struct value *smoothing(struct graph *graph, const struct factored *factored, bool averages) {
  struct value *x = build_state(graph, factored->statistic->max), *w = NULL;
  for (int i = 0; i < factored->members.count; i++) {
    struct value *own = build_unary(graph, OP_abs, weight_of(graph, factored->members.items[i], averages));
    own = reduce_to(graph, OP_reduce_max, own, x->axes, x->axis_count);
    w = w ? build_binary(graph, OP_max, w, own) : own;
  }
  struct value *factors = power(graph, x, number(graph, factored->smooth));
  factors = build_binary(graph, OP_div, factors, power(graph, w, number(graph, 1 - factored->smooth)));
  struct value *zero = number(graph, 0);
  struct value *some = build_binary(graph, OP_lt, zero, x);
  some = build_binary(graph, OP_and, some, build_binary(graph, OP_lt, zero, w));
  return build_where(graph, some, factors, number(graph, 1));
}

/* The error of a weight for each trial, whose exponent of squares is given. No value here is as large as all trials of a weight: each is a
   term of a maximum or a sum. */
static struct value *error_of(struct graph *graph, struct value *weight, const struct quantization *how,
                              struct value *square, struct value *exponent, struct axis *trial) {
  struct axis *over[MAX_RANK];
  struct parts parts = {0};
  const int count = quantized_axes(graph, weight, how, &parts, over);
  weight = quantized_in_groups(graph, weight, &parts);
  square = quantized_in_groups(graph, square, &parts);
  struct value *factors = power(graph, square, exponent), *scale;
  struct value *steps = quantized_steps(graph, build_binary(graph, OP_mul, weight, factors), over, count,
                                        how->weights == QUANTIZED_I8, &scale);
  struct value *rounded = build_binary(graph, OP_mul, build_cast(graph, steps, STORAGE_F32), scale);
  struct value *off = build_binary(graph, OP_sub, build_binary(graph, OP_div, rounded, factors), weight);
  off = build_binary(graph, OP_mul, build_binary(graph, OP_mul, off, off), square);
  return reduce_to(graph, OP_reduce_sum, off, &trial, 1);
}

/* The factors by the exponent that is best for all members together; of equals the least. */
static struct value *search(struct graph *graph, const struct factored *factored, bool averages) {
  struct axis *trial = axis_new(graph, "trial", TRIALS, graph->origin.span);
  struct value *square = build_state(graph, factored->statistic->square), *error = NULL;
  struct value *place = build_cast(graph, build_index(graph, trial), STORAGE_REAL);
  struct value *exponent = build_binary(graph, OP_div, place, number(graph, 2 * TRIALS));
  for (int i = 0; i < factored->members.count; i++) {
    const struct quantization *how = factored->members.items[i];
    struct value *own = error_of(graph, weight_of(graph, how, averages), how, square, exponent, trial);
    error = error ? build_binary(graph, OP_add, error, own) : own;
  }
  struct value *gain = build_unary(graph, OP_neg, error), *most = build_reduce(graph, OP_reduce_max, gain, &trial, 1);
  gain->name = arena_format(graph->arena, "%s/gain", factored->statistic->of->name);
  struct value *is_best = build_binary(graph, OP_eq, gain, most), *first = build_unary(graph, OP_neg, place);
  first = build_where(graph, is_best, first, number(graph, -TRIALS));
  first = build_unary(graph, OP_neg, build_reduce(graph, OP_reduce_max, first, &trial, 1));
  return power(graph, square, build_binary(graph, OP_div, first, number(graph, 2 * TRIALS)));
}

struct value *quantized_factors(struct graph *graph, struct factored *factored, bool averages) {
  if (factored->graph == graph) return factored->factors;
  factored->graph = graph;
  factored->factors = factored->smooth > 0 ? smoothing(graph, factored, averages) : search(graph, factored, averages);
  factored->factors->name = arena_format(graph->arena, "%s/factors", factored->statistic->of->name);
  return factored->factors;
}

/* --- Where x is divided by them --------------------------------------------------------------------------------------------- */

/* Whether the value is made of parameters and numbers alone, element by element. */
static bool is_of_parameters(const struct value *value, int depth) {
  enum { DEEPEST = 8 };
  if (value->op == OP_state) return state_is_fixed(value->state);
  if (value->op == OP_constant) return true;
  if (depth == DEEPEST || !(op_is_elementwise(value->op) || op_facts[value->op].class == CLASS_VIEW)) return false;
  for (int i = 0; i < value->input_count; i++)
    if (!is_of_parameters(value->inputs[i], depth + 1)) return false;
  return true;
}

/* Which operand of a sum or product is made of parameters, as the gain and the bias of a norm are; -1: none. */
static int fixed_operand(const struct value *value, enum op op) {
  for (int i = 0; value->op == op && i < 2; i++)
    if (is_of_parameters(value->inputs[i], 0) && value->inputs[i]->op != OP_constant) return i;
  return -1;
}

struct value *quantized_divided(struct graph *graph, struct value *x, struct value *inverse, bool folds) {
  const int term = folds ? fixed_operand(x, OP_add) : -1, factor = folds ? fixed_operand(x, OP_mul) : -1;
  if (term >= 0) {
    struct value *rest = quantized_divided(graph, x->inputs[1 - term], inverse, true);
    return build_binary(graph, OP_add, rest, build_binary(graph, OP_mul, x->inputs[term], inverse));
  }
  if (factor < 0) return build_binary(graph, OP_mul, x, inverse);
  struct value *own = build_binary(graph, OP_mul, x->inputs[factor], inverse);
  return build_binary(graph, OP_mul, x->inputs[1 - factor], own);
}

bool *quantized_folds(const struct quantizer *quantizer, const struct graph *graph, struct arena *arena) {
  bool *folds = arena_new_array(arena, bool, graph->next_value);
  int *users = arena_new_array(arena, int, graph->next_value), *own = arena_new_array(arena, int, graph->next_value);
  const struct factored **by = arena_new_array(arena, const struct factored *, graph->next_value);
  for (int i = 0; i < graph->outputs.count; i++) users[graph->outputs.items[i].value->id]++;
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *user = graph->values.items[i];
    for (int j = 0; j < user->input_count; j++) {
      const int x = user->inputs[j]->id;
      const struct quantization *how =
          user->op == OP_contract ? quantization_under(quantizer, user->inputs[1 - j]) : NULL;
      users[x]++;
      if (!how || !how->factored || (by[x] && by[x] != how->factored)) continue;
      by[x] = how->factored;
      own[x]++;
    }
  }
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *x = graph->values.items[i];
    if (!by[x->id] || users[x->id] != own[x->id]) continue;
    const int term = fixed_operand(x, OP_add);
    const struct value *product = term >= 0 ? x->inputs[1 - term] : x;
    folds[x->id] = fixed_operand(product, OP_mul) >= 0 && (product == x || users[product->id] == 1);
  }
  return folds;
}
