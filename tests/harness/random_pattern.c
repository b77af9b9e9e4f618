#include "tests/harness/random_pattern.h"

#include <math.h>

#include "tests/harness/random_operand.h"

static struct value *binary(struct sample *sample, enum op op, struct value *x, struct value *y) {
  return build_binary(sample->graph, op, x, y);
}

static struct value *number(struct sample *sample, double x) { return build_constant(sample->graph, x); }

static struct value *operand(struct sample *sample, struct axis *axis) {
  return sample_real_operand(sample, axis, NULL, DOMAIN_ANY);
}

static struct value *parameter(struct sample *sample, struct axis *x, struct axis *y) {
  struct axis *axes[] = {x, y};
  struct state *state = sample_new_state(sample, KIND_REAL, axes, y ? 2 : 1, ROLE_PARAMETER);
  int64_t count = axes_count(axes, y ? 2 : 1);
  double *data = sample_add_content(sample, state->name, true, count);
  for (int64_t i = 0; i < count; i++) data[i] = sample_real_number(sample, DOMAIN_SMALL, false);
  return build_state(sample->graph, state);
}

static struct value *softmax(struct sample *sample, struct value *x, struct axis *axis, bool masked) {
  struct graph *graph = sample->graph;
  struct value *kept = masked ? sample_boolean_operand(sample) : NULL;
  if (masked) x = build_where(graph, kept, x, number(sample, -INFINITY));
  struct value *most = build_stop(graph, build_reduce(graph, OP_reduce_max, x, &axis, 1));
  struct value *power = build_unary(graph, OP_exp, binary(sample, OP_sub, x, most));
  return binary(sample, OP_div, power, build_reduce(graph, OP_reduce_sum, power, &axis, 1));
}

static struct value *norm(struct sample *sample, struct value *x, struct axis *axis) {
  struct graph *graph = sample->graph;
  struct value *share = number(sample, 1.0 / (double)axis->extent);
  struct value *mean = binary(sample, OP_mul, build_reduce(graph, OP_reduce_sum, x, &axis, 1), share);
  struct value *centred = binary(sample, OP_sub, x, mean), *square = binary(sample, OP_mul, centred, centred);
  struct value *variance = binary(sample, OP_mul, build_reduce(graph, OP_reduce_sum, square, &axis, 1), share);
  struct value *scale = build_unary(graph, OP_rsqrt, binary(sample, OP_add, variance, number(sample, 0.125)));
  struct value *y = binary(sample, OP_mul, centred, scale);
  y = binary(sample, OP_mul, y, parameter(sample, axis, NULL));
  return sample_chance(sample, 50) ? binary(sample, OP_add, y, parameter(sample, axis, NULL)) : y;
}

static struct value *layer(struct sample *sample, struct value *x, struct axis *in, struct axis *out) {
  bool turned = sample_chance(sample, 50);
  struct value *weight = turned ? parameter(sample, out, in) : parameter(sample, in, out);
  /* Operands that were rounded lie in 16 bits, or are rounded where they are read. */
  if (!sample_smooth(sample) && sample_chance(sample, 40)) {
    const enum storage storage = sample_chance(sample, 70) ? STORAGE_BF16 : STORAGE_F16;
    sample->differentiable = false;
    x = build_cast(sample->graph, x, storage);
    weight = build_cast(sample->graph, weight, storage);
  }
  struct value *y = build_contract(sample->graph, x, weight, &in, 1);
  if (sample_chance(sample, 70)) y = binary(sample, OP_add, y, parameter(sample, out, NULL));
  return y;
}

static struct value *gelu(struct sample *sample, struct value *x) {
  struct value *half = binary(sample, OP_mul, x, number(sample, 0.5));
  struct value *bell = build_unary(sample->graph, OP_erf, binary(sample, OP_mul, x, number(sample, 0.70710678)));
  return binary(sample, OP_mul, half, binary(sample, OP_add, bell, number(sample, 1)));
}

static struct value *attention(struct sample *sample, struct axis *seq, struct axis *embed) {
  struct graph *graph = sample->graph;
  struct axis *past = seq->size ? axis_new_sized(graph, "past", seq->size, (struct span){0})
                                : sample_axis_of(sample, "past", seq->extent);
  struct axis *batch = sample->batch, *axes[] = {batch, seq, embed};
  struct value *q = sample_real_value(sample, axes, 3), *k = sample_real_value(sample, axes, 3);
  struct value *scores = build_contract(graph, q, build_rename(graph, k, seq, past), &embed, 1);
  struct value *key = build_index(graph, past), *causal = binary(sample, OP_le, key, build_index(graph, seq));
  scores = build_where(graph, causal, scores, number(sample, -INFINITY));
  struct value *weights = softmax(sample, scores, past, false);
  struct value *v = build_rename(graph, sample_real_value(sample, axes, 3), seq, past);
  return build_contract(graph, weights, v, &past, 1);
}

/* By several heads, with queries, keys and axes large enough for tiles, so that it is a stream; and what streams must keep apart: a bias
   for each score, a mask, heads that share their keys, a reader of the weights. */
static struct value *attention_of_heads(struct sample *sample) {
  struct graph *graph = sample->graph;
  struct axis *head = sample_axis_of(sample, "head", 1 + sample_below(sample, 3));
  struct axis *look = sample_axis_of(sample, "look", 4 + sample_below(sample, 9));
  struct axis *past = sample_axis_of(sample, "past", 4 + sample_below(sample, 9));
  struct axis *key = sample_axis_of(sample, "key", 4 + sample_below(sample, 5));
  struct axis *queries[] = {sample->batch, head, look, key}, *turned[] = {sample->batch, look, head, key};
  struct axis *keys[] = {sample->batch, past, head, key}, *shared[] = {sample->batch, past, key};
  const bool shares = sample_chance(sample, 25);
  struct value *q = sample_real_value(sample, sample_chance(sample, 50) ? queries : turned, 4);
  struct value *k = sample_real_value(sample, shares ? shared : keys, shares ? 3 : 4);
  struct value *v = sample_real_value(sample, shares ? shared : keys, shares ? 3 : 4);
  struct value *scores = build_contract(graph, q, k, &key, 1);
  if (sample_chance(sample, 50)) scores = binary(sample, OP_mul, scores, number(sample, 0.4));
  if (sample_chance(sample, 30)) scores = binary(sample, OP_add, scores, parameter(sample, look, past));
  if (sample_chance(sample, 50)) {
    struct value *key_at = build_index(graph, past), *query_at = build_index(graph, look);
    struct value *seen = binary(sample, OP_le, key_at, query_at);
    scores = build_where(graph, seen, scores, number(sample, -INFINITY));
  }
  struct value *weights = softmax(sample, scores, past, false);
  struct value *y = build_contract(graph, weights, v, &past, 1);
  if (sample_chance(sample, 80)) return y;
  return binary(sample, OP_add, y,
                build_reduce(graph, OP_reduce_sum, binary(sample, OP_mul, weights, weights), &past, 1));
}

static struct value *loss(struct sample *sample, struct axis *axis) {
  struct graph *graph = sample->graph;
  struct value *x = operand(sample, axis);
  struct axis *rest[MAX_AXES];
  int count = 0;
  for (int i = 0; i < x->axis_count; i++)
    if (x->axes[i] != axis) rest[count++] = x->axes[i];
  struct value *most = build_stop(graph, build_reduce(graph, OP_reduce_max, x, &axis, 1));
  struct value *shifted = binary(sample, OP_sub, x, most);
  struct value *sum = build_reduce(graph, OP_reduce_sum, build_unary(graph, OP_exp, shifted), &axis, 1);
  struct value *picked = build_gather(graph, shifted, axis, sample_integer_leaf(sample, rest, count, axis, false));
  struct value *each = binary(sample, OP_sub, build_unary(graph, OP_log, sum), picked);
  return count ? build_reduce(graph, OP_reduce_sum, each, rest, count) : each;
}

static struct value *rotary(struct sample *sample, struct axis *seq) {
  struct graph *graph = sample->graph;
  struct axis *pair = sample_axis_of(sample, "pair", 2), *half = sample_axis_of(sample, "half", 3);
  struct axis *key = sample_axis_of(sample, "key", 6), *axes[] = {seq, key}, *factors[] = {pair, half};
  struct value *x = build_split(graph, sample_real_value(sample, axes, 2), key, factors, 2);
  struct value *a = build_select(graph, x, pair, 0), *b = build_select(graph, x, pair, 1);
  struct value *angle = build_cast(graph, build_index(graph, seq), STORAGE_REAL);
  angle = binary(sample, OP_mul, angle, parameter(sample, half, NULL));
  struct value *cosine = build_unary(graph, OP_cos, angle), *sine = build_unary(graph, OP_sin, angle);
  struct value *parts[2];
  parts[0] = binary(sample, OP_mul, a, cosine);
  parts[0] = binary(sample, OP_sub, parts[0], binary(sample, OP_mul, b, sine));
  parts[1] = binary(sample, OP_mul, a, sine);
  parts[1] = binary(sample, OP_add, parts[1], binary(sample, OP_mul, b, cosine));
  struct axis *part_axes[] = {half, half};
  return build_concat(graph, parts, part_axes, 2, key);
}

static struct value *table(struct sample *sample, struct axis *axis) {
  struct axis *rows = sample_axis_of(sample, "rows", 2 + sample_below(sample, 30)), *axes[MAX_AXES];
  int count = sample_choose_axes(sample, NULL, axis, axes);
  struct value *weights = parameter(sample, rows, axis);
  return build_gather(sample->graph, weights, rows, sample_integer_leaf(sample, axes, count, rows, false));
}

static struct value *ranked(struct sample *sample, struct axis *axis) {
  struct value *x = operand(sample, axis);
  struct axis *best =
      sample_axis_of(sample, "best", 1 + sample_below(sample, axis->extent < 3 ? (int)axis->extent : 3));
  return build_gather(sample->graph, x, axis, build_top(sample->graph, x, axis, best));
}

/* A repeat: the same block several times, each with parameters of its own. */
static struct value *repeat(struct sample *sample, struct axis *axis) {
  struct graph *graph = sample->graph;
  struct repeat *repeat = arena_new_struct(sample->arena, struct repeat);
  *repeat = (struct repeat){"h", 2 + sample_below(sample, 2)};
  struct axis *hidden = sample_axis_of(sample, "hidden", 1 + sample_below(sample, 20));
  struct value *x = operand(sample, axis);
  const struct origin outside = graph->origin;
  bool turned = sample_chance(sample, 50);
  for (int copy = 0; copy < repeat->count; copy++) {
    graph->origin.repeat = repeat;
    graph->origin.copy = copy;
    graph->origin.path = arena_format(sample->arena, "h.%d.mlp", copy);
    struct value *w = turned ? parameter(sample, hidden, axis) : parameter(sample, axis, hidden);
    struct value *y = build_contract(graph, x, w, &axis, 1);
    y = build_unary(graph, OP_tanh, binary(sample, OP_add, y, parameter(sample, hidden, NULL)));
    x = binary(sample, OP_add, x, build_contract(graph, y, parameter(sample, hidden, axis), &hidden, 1));
    x->name = arena_format(sample->arena, "h.%d.mlp.y%d", copy, graph->next_value);
  }
  graph->origin = outside;
  return x;
}

/* Two totals of values that are written, concatenated: the kernel that writes can compute them. */
static struct value *totals(struct sample *sample, struct value *m, struct value *p) {
  struct graph *graph = sample->graph;
  struct value *factor = number(sample, sample_chance(sample, 50) ? 0 : 0.5), *parts[2];
  struct axis *units[2];
  for (int i = 0; i < 2; i++) units[i] = sample_axis_of(sample, "one", 1);
  struct value *first = binary(sample, OP_mul, p, factor);
  struct value *sum = binary(sample, OP_add, first, binary(sample, OP_mul, m, factor));
  parts[0] = build_expand(graph, build_reduce(graph, OP_reduce_sum, sum, p->axes, p->axis_count), &units[0], 1);
  parts[1] = build_expand(graph, build_reduce(graph, OP_reduce_max, p, p->axes, p->axis_count), &units[1], 1);
  return build_concat(graph, parts, units, 2, sample_axis_of(sample, "check", 2));
}

/* An optimizer: m = 0.9 m + 0.1 g; p = p - 0.01 m / (sqrt(g g) + 1). It reads and writes two states. */
static struct value *optimize(struct sample *sample, struct axis *axis) {
  struct graph *graph = sample->graph;
  struct axis *other = sample_axis_of(sample, "row", 1 + sample_below(sample, 9)), *axes[] = {other, axis};
  struct state *states[2];
  struct value *old[2];
  for (int i = 0; i < 2; i++) {
    states[i] = sample_new_state(sample, KIND_REAL, axes, 2, i ? ROLE_OPTIMIZER : ROLE_PARAMETER);
    int64_t count = axes_count(axes, 2);
    double *data = sample_add_content(sample, states[i]->name, true, count);
    for (int64_t j = 0; j < count; j++) data[j] = sample_real_number(sample, DOMAIN_ANY, false);
    old[i] = build_state(graph, states[i]);
  }
  struct axis *turned[] = {axis, other};
  struct value *g = sample_real_value(sample, sample_chance(sample, 50) ? axes : turned, 2);
  struct value *m = binary(sample, OP_mul, old[1], number(sample, 0.9));
  m = binary(sample, OP_add, m, binary(sample, OP_mul, g, number(sample, 0.1)));
  struct value *size = build_unary(graph, OP_sqrt, binary(sample, OP_mul, g, g));
  struct value *change = binary(sample, OP_div, m, binary(sample, OP_add, size, number(sample, 1)));
  m = build_update(graph, states[1], m, NULL, NULL);
  struct value *p =
      build_update(graph, states[0],
                   binary(sample, OP_sub, old[0], binary(sample, OP_mul, change, number(sample, 0.01))), NULL, NULL);
  return sample_chance(sample, 50) ? totals(sample, m, p) : p;
}

struct value *sample_pattern(struct sample *sample) {
  struct axis *axis = sample_constant_axis(sample), *other = sample_constant_axis(sample);
  struct axis *inner = sample_axis_of(sample, "inner", 1 + sample_below(sample, 20));
  switch (sample_below(sample, 12)) {
    case 0:
      axis = sample_any_axis(sample);
      return softmax(sample, operand(sample, axis), axis, false);
    case 1:
      return softmax(sample, operand(sample, axis), axis, !sample_smooth(sample));
    case 2:
      return norm(sample, operand(sample, axis), axis);
    case 3:
      return gelu(sample, layer(sample, operand(sample, axis), axis, inner));
    case 4:
      return layer(sample, norm(sample, operand(sample, axis), axis), axis, other == axis ? inner : other);
    case 5:
      return attention(sample, sample_chance(sample, 30) ? sample->axes[5] : sample->axes[1], inner);
    case 6:
      return loss(sample, axis);
    case 7:
      return rotary(sample, sample->axes[1]);
    case 8:
      return table(sample, axis);
    case 9:
      return sample_smooth(sample) || sample_chance(sample, 60) ? repeat(sample, axis) : ranked(sample, axis);
    case 10:
      return attention_of_heads(sample);
    default:
      return sample_smooth(sample) ? norm(sample, operand(sample, axis), axis) : optimize(sample, axis);
  }
}
