/* Half-quadratic quantisation (Badri and Shaji, 2023): w = (steps - zero) * scale with steps from 0 to 15, where the scale is the range of
   the elements that share it, and the zero, a real, is what leaves errors that are few and large in place of many and small: it minimises
   a sum of |error|^0.7. Each iteration takes the errors that such a sum would let stand out of the weights (a shrinkage with a closed form),
   and sets the zero to the mean of what the rest asks for. There is no data in it. */
#include <math.h>

#include "passes/quantize.h"

/* Those of the authors' code but for the number of iterations: it stops when the error of the whole matrix no longer falls, which most
   often is before the tenth. */
enum { ITERATIONS = 10, LAST_STEP = 15 };
static const double norm = 0.7, first_beta = 10, beta_growth = 1.01;

struct hqq {
  struct graph *graph;
  struct axis *const *over;
  int count;
  struct value *x, *scale, *quotient;
};

static struct value *number(const struct hqq *h, double number) { return build_constant(h->graph, number); }

static struct value *steps_at(const struct hqq *h, struct value *zero) {
  struct value *steps = build_unary(h->graph, OP_round, build_binary(h->graph, OP_add, h->quotient, zero));
  steps = build_binary(h->graph, OP_min, build_integer(h->graph, LAST_STEP), steps);
  return build_binary(h->graph, OP_max, build_integer(h->graph, 0), steps);
}

/* The errors that stay: sign(e) * max(0, |e| - |e|^(norm - 1) / beta). */
static struct value *shrunk(const struct hqq *h, struct value *error, double beta) {
  struct graph *graph = h->graph;
  struct value *size = build_unary(graph, OP_abs, error);
  struct value *taken = build_binary(graph, OP_pow, size, number(h, norm - 1));
  taken = build_binary(graph, OP_mul, taken, number(h, 1 / beta));
  struct value *rest = build_binary(graph, OP_sub, size, taken);
  rest = build_binary(graph, OP_max, rest, number(h, 0));
  struct value *is_negative = build_binary(graph, OP_lt, error, number(h, 0));
  return build_where(graph, is_negative, build_unary(graph, OP_neg, rest), rest);
}

static struct value *better_zero(const struct hqq *h, struct value *zero, double beta) {
  struct graph *graph = h->graph;
  struct value *steps = build_cast(graph, steps_at(h, zero), STORAGE_F32);
  struct value *again = build_binary(graph, OP_mul, build_binary(graph, OP_sub, steps, zero), h->scale);
  struct value *kept = build_binary(graph, OP_sub, h->x, shrunk(h, build_binary(graph, OP_sub, h->x, again), beta));
  struct value *wanted = build_binary(graph, OP_sub, steps, build_binary(graph, OP_div, kept, h->scale));
  double elements = 1;
  for (int i = 0; i < h->count; i++) elements *= (double)h->over[i]->extent;
  struct value *sum = build_reduce(graph, OP_reduce_sum, wanted, h->over, h->count);
  return build_binary(graph, OP_mul, sum, number(h, 1 / elements));
}

void quantize_half_quadratic(struct graph *graph, struct value *x, struct axis *const *over, int count,
                             struct parts *parts) {
  struct hqq h = {.graph = graph, .over = over, .count = count, .x = x};
  struct value *high = build_reduce(graph, OP_reduce_max, x, over, count);
  struct value *low = build_reduce(graph, OP_reduce_max, build_unary(graph, OP_neg, x), over, count); /* negated */
  struct value *range = build_binary(graph, OP_add, high, low);
  struct value *is_zero = build_binary(graph, OP_eq, range, number(&h, 0));
  range = build_where(graph, is_zero, number(&h, 1), range);
  h.scale = build_binary(graph, OP_div, range, number(&h, LAST_STEP));
  h.quotient = build_binary(graph, OP_div, x, h.scale);
  struct value *zero = build_binary(graph, OP_div, low, h.scale);
  for (int i = 0; i < ITERATIONS; i++) zero = better_zero(&h, zero, first_beta * pow(beta_growth, i));
  parts->steps = steps_at(&h, zero);
  parts->scale = h.scale;
  /* No negation, which simplify would take into the sum that the offset is added to: files hold the offset. */
  parts->offset = build_binary(graph, OP_mul, zero, build_binary(graph, OP_div, range, number(&h, -LAST_STEP)));
}
