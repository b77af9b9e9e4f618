#include "tests/harness/error_bound.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "ir/exactness.h"
#include "ir/evaluate.h"

/* What is known of one value. Its error is `moved` + gamma(terms) * `size`. `moved` comes from the errors of its
   operands, the rest from the roundings of the additions that it consists of; the magnitudes of their terms have the
   sum `size`. The two are kept apart so that an addition can be joined with the contraction before it, in any order. */
struct shadow {
  struct operand number, moved, size, error;
  int terms;
};

struct analysis {
  struct arena *arena;
  struct sample *sample;
  const struct graph *graph;
  struct precision precision;
  const struct exactness *exactness; /* by value id */
  struct evaluation evaluation;
  struct shadow *shadows; /* by value id */
  double **states; /* by content: a copy that the run may write to */
  double **state_errors;
};

/* --- Elementwise operations --------------------------------------------------------------------------------------------------- */

static void elementwise(struct analysis *analysis, const struct value *value, struct shadow *shadow,
                        const struct shadow *const *inputs) {
  int64_t counters[MAX_AXES] = {0}, at[3] = {0}, count = operand_count(&shadow->number, analysis->sample->sizes);
  for (int64_t element = 0; element < count; element++) {
    struct point p = {0};
    for (int i = 0; i < value->input_count; i++) {
      p.x[i] = inputs[i]->number.data[at[i]];
      p.e[i] = inputs[i]->error.data[at[i]];
    }
    double y = shadow->number.data[element];
    shadow->moved.data[element] = elementwise_error(&analysis->precision, value, y, &p);
    shadow->size.data[element] = fabs(y);
    for (int k = value->axis_count - 1; k >= 0; k--) {
      bool wraps = ++counters[k] == axis_length(value->axes[k], analysis->sample->sizes);
      for (int i = 0; i < value->input_count; i++)
        at[i] += operand_stride(&inputs[i]->number, value->axes[k]) * (wraps ? 1 - counters[k] : 1);
      if (!wraps) break;
      counters[k] = 0;
    }
  }
}

/* --- Sums and contractions ---------------------------------------------------------------------------------------------------- */

static struct operand blank(const struct analysis *analysis, const struct operand *like) {
  struct operand operand = *like;
  operand.data = arena_new_array(analysis->arena, double, operand_count(like, analysis->sample->sizes));
  return operand;
}

/* The magnitudes of finite elements, 0 for others; plus their errors if wanted. */
static struct operand magnitudes(const struct analysis *analysis, const struct shadow *shadow, bool with_error) {
  struct operand result = blank(analysis, &shadow->number);
  int64_t count = operand_count(&result, analysis->sample->sizes);
  for (int64_t i = 0; i < count; i++) {
    double number = fabs(shadow->number.data[i]);
    result.data[i] = isfinite(number) ? number + (with_error ? shadow->error.data[i] : 0) : 0;
  }
  return result;
}

/* 1 for elements that are infinite or NaN or, with `open`, for those that may be on either side of zero; else 0. */
static struct operand marks(const struct analysis *analysis, const struct shadow *shadow, bool open) {
  struct operand result = blank(analysis, &shadow->number);
  int64_t count = operand_count(&result, analysis->sample->sizes);
  for (int64_t i = 0; i < count; i++) {
    double number = shadow->number.data[i], error = shadow->error.data[i];
    result.data[i] = open ? error > 0 && fabs(number) <= error : !isfinite(number);
  }
  return result;
}

static void mix(struct analysis *analysis, const struct value *value, const struct operand *result,
                const struct operand *x, const struct operand *y, const struct operand *z) {
  struct operand inputs[3] = {*x, y ? *y : *x, z ? *z : *x};
  struct value plain = *value; /* errors and magnitudes do not wrap around */
  plain.kind = KIND_REAL;
  const char *error = evaluate_mixing(&plain, result, inputs, &analysis->evaluation);
  if (error) bug("%s", error);
}

static void add_into(const struct analysis *analysis, const struct operand *to, const struct operand *from) {
  int64_t count = operand_count(to, analysis->sample->sizes);
  for (int64_t i = 0; i < count; i++) to->data[i] += from->data[i];
}

static int64_t lengths(const struct analysis *analysis, struct axis *const *axes, int count) {
  int64_t product = 1;
  for (int i = 0; i < count; i++) product *= axis_length(axes[i], analysis->sample->sizes);
  return product;
}

/* Instructions for sums of products in bf16 may take a subnormal number for 0, be it an operand or a sum. */
static void flush_subnormals(struct analysis *analysis, const struct value *value, struct shadow *shadow,
                             const struct shadow *const *inputs) {
  struct operand part = blank(analysis, &shadow->number);
  for (int side = 0; side < 2; side++)
    if (value->kind != KIND_REAL || !exactness_fits(analysis->exactness[value->inputs[side]->id], STORAGE_BF16)) return;
  for (int side = 0; side < 2; side++) {
    struct operand small = magnitudes(analysis, inputs[side], false),
                   other = magnitudes(analysis, inputs[1 - side], true);
    for (int64_t i = 0, count = operand_count(&small, analysis->sample->sizes); i < count; i++)
      if (small.data[i] >= 0x1p-126) small.data[i] = 0;
    mix(analysis, value, &part, side ? &other : &small, side ? &small : &other, NULL);
    add_into(analysis, &shadow->moved, &part);
  }
  const double least = lengths(analysis, value->list, value->list_count) * 0x1p-126;
  for (int64_t i = 0, count = operand_count(&shadow->moved, analysis->sample->sizes); i < count; i++)
    shadow->moved.data[i] += least;
}

static void contraction(struct analysis *analysis, const struct value *value, struct shadow *shadow,
                        const struct shadow *const *inputs) {
  struct operand part = blank(analysis, &shadow->number);
  struct operand a = magnitudes(analysis, inputs[0], false);
  struct operand a_most = magnitudes(analysis, inputs[0], true), b_most = magnitudes(analysis, inputs[1], true);
  mix(analysis, value, &shadow->moved, &a, &inputs[1]->error, NULL);
  mix(analysis, value, &part, &inputs[0]->error, &b_most, NULL);
  add_into(analysis, &shadow->moved, &part);
  mix(analysis, value, &shadow->size, &a_most, &b_most, NULL);
  flush_subnormals(analysis, value, shadow, inputs);
  /* Infinity times a number that may be zero, or of either sign, may be anything. */
  for (int side = 0; side < 2; side++) {
    struct operand special = marks(analysis, inputs[side], false), open = marks(analysis, inputs[1 - side], true);
    mix(analysis, value, &part, side ? &open : &special, side ? &special : &open, NULL);
    int64_t count = operand_count(&part, analysis->sample->sizes);
    for (int64_t i = 0; i < count; i++)
      if (part.data[i] > 0) shadow->moved.data[i] = INFINITY;
  }
  shadow->terms = value->kind == KIND_REAL ? (int)lengths(analysis, value->list, value->list_count) : 0;
}

static void sum(struct analysis *analysis, const struct value *value, struct shadow *shadow,
                const struct shadow *const *inputs) {
  bool scatter = value->op == OP_scatter_add;
  const struct shadow *index = scatter ? inputs[1] : NULL, *source = scatter ? inputs[2] : NULL;
  struct operand size = magnitudes(analysis, inputs[0], true), added = size;
  if (scatter) added = magnitudes(analysis, source, true);
  mix(analysis, value, &shadow->moved, &inputs[0]->error, scatter ? &index->number : NULL,
      scatter ? &source->error : NULL);
  mix(analysis, value, &shadow->size, &size, scatter ? &index->number : NULL, scatter ? &added : NULL);
  int64_t terms = scatter                ? operand_count(&source->number, analysis->sample->sizes) + 1
                  : value->op == OP_scan ? axis_length(value->axis, analysis->sample->sizes)
                                         : lengths(analysis, value->list, value->list_count);
  shadow->terms = value->kind == KIND_REAL ? (int)terms - 1 : 0;
  int64_t count = operand_count(&shadow->moved, analysis->sample->sizes);
  int64_t indices = scatter ? operand_count(&index->number, analysis->sample->sizes) : 0;
  for (int64_t i = 0; i < indices; i++)
    if (index->error.data[i] != 0)
      for (int64_t j = 0; j < count; j++) shadow->moved.data[j] = INFINITY;
}

/* A ranking is certain where every chosen element is farther from all others than the errors of both, or both are
   exact. */
static void ranking(struct analysis *analysis, const struct value *value, struct shadow *shadow,
                    const struct shadow *x) {
  const int64_t *sizes = analysis->sample->sizes;
  int64_t length = axis_length(value->axis, sizes), best = value->result->extent;
  int64_t rows = operand_count(&x->number, sizes) / length, step = operand_stride(&x->number, value->axis);
  int64_t out = operand_stride(&shadow->number, value->result);
  for (int64_t row = 0; row < rows; row++) {
    /* The axes around the ranked one are the same on both sides, in the same order. */
    int64_t from = row / step * step * length + row % step, to = row / out * out * best + row % out;
    bool apart = true;
    for (int64_t i = 0; i < best && apart; i++) {
      int64_t chosen = (int64_t)shadow->number.data[to + i * out];
      double number = x->number.data[from + chosen * step], error = x->error.data[from + chosen * step];
      for (int64_t j = 0; j < length && apart; j++) {
        double other = x->error.data[from + j * step] + error;
        if (j != chosen && other > 0) apart = fabs(number - x->number.data[from + j * step]) > other;
      }
    }
    for (int64_t i = 0; i < best; i++) shadow->moved.data[to + i * out] = apart ? 0 : (double)(length - 1);
  }
}

/* An element of a rank moves no farther than the elements do. The quantile does not fall where its share rises. */
static void quantile(struct analysis *analysis, const struct value *value, struct shadow *shadow,
                     const struct shadow *x, const struct shadow *q) {
  const int64_t count = operand_count(&shadow->number, analysis->sample->sizes);
  struct operand shares[2], ends[2] = {blank(analysis, &shadow->number), blank(analysis, &shadow->number)};
  struct value most = *value;
  most.op = OP_reduce_max;
  mix(analysis, &most, &shadow->moved, &x->error, NULL, NULL);
  for (int i = 0; i < 2; i++) {
    shares[i] = blank(analysis, &q->number);
    *shares[i].data = *q->number.data + (i ? *q->error.data : -*q->error.data);
    mix(analysis, value, &ends[i], &x->number, &shares[i], NULL);
  }
  for (int64_t i = 0; i < count; i++) {
    const double y = shadow->number.data[i];
    if (*q->error.data != 0 && !isnan(y))
      shadow->moved.data[i] += fmax(fabs(ends[1].data[i] - y), fabs(y - ends[0].data[i]));
    if (isfinite(y))
      shadow->moved.data[i] += (fabs(y) + shadow->moved.data[i]) * analysis->precision.unit + analysis->precision.least;
  }
}

/* Where the index is not certain, any row may be read. */
static void lookup(struct analysis *analysis, const struct value *value, struct shadow *shadow,
                   const struct shadow *const *inputs) {
  mix(analysis, value, &shadow->moved, &inputs[0]->error, &inputs[1]->number, NULL);
  struct operand open = blank(analysis, &inputs[1]->number);
  int64_t counters[MAX_AXES] = {0}, at = 0, count = operand_count(&shadow->number, analysis->sample->sizes);
  for (int64_t i = 0; i < count; i++) {
    if (inputs[1]->error.data[at] != 0) shadow->moved.data[i] = INFINITY;
    for (int k = value->axis_count - 1; k >= 0; k--) {
      bool wraps = ++counters[k] == axis_length(value->axes[k], analysis->sample->sizes);
      at += operand_stride(&open, value->axes[k]) * (wraps ? 1 - counters[k] : 1);
      if (!wraps) break;
      counters[k] = 0;
    }
  }
}

/* --- Views, leaves, updates ----------------------------------------------------------------------------------------------------- */

static void view(struct analysis *analysis, const struct value *value, struct shadow *shadow,
                 const struct shadow *const *inputs) {
  struct operand *errors = arena_new_array(analysis->arena, struct operand, value->input_count);
  struct value same = *value;
  same.number = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int i = 0; i < value->input_count; i++) errors[i] = pass ? inputs[i]->size : inputs[i]->moved;
    const char *wrong = evaluate_view(&same, pass ? &shadow->size : &shadow->moved, errors, &analysis->evaluation);
    if (wrong) bug("%s", wrong);
  }
  for (int i = 0; i < value->input_count; i++)
    if (inputs[i]->terms > shadow->terms) shadow->terms = inputs[i]->terms;
}

static int content_number(const struct analysis *analysis, const char *name) {
  for (int i = 0; i < analysis->sample->contents.count; i++)
    if (analysis->sample->contents.items[i].is_state && !strcmp(analysis->sample->contents.items[i].name, name))
      return i;
  bug("the sample has no state %s", name);
}

static void update(struct analysis *analysis, const struct value *value, struct shadow *shadow,
                   const struct shadow *const *inputs) {
  const struct state *state = value->state;
  double *errors = analysis->state_errors[content_number(analysis, state->name)];
  struct operand full = operand_full(state->axes, state->axis_count, errors);
  if (value->input_count == 2) {
    const char *wrong = evaluate_put(value, &full, &inputs[1]->number, &inputs[0]->error, false, &analysis->evaluation);
    if (wrong) bug("%s", wrong);
    int64_t count = operand_count(&inputs[1]->number, analysis->sample->sizes);
    for (int64_t i = 0; i < count; i++)
      if (inputs[1]->error.data[i] != 0)
        for (int64_t j = 0; j < axes_count(state->axes, state->axis_count); j++) errors[j] = INFINITY;
  } else {
    operand_copy(state->axes, state->axis_count, &full, &inputs[0]->error, analysis->sample->sizes);
  }
  operand_copy(value->axes, value->axis_count, &shadow->moved, &full, analysis->sample->sizes);
}

static double leaf_error(const struct analysis *analysis, const struct value *value, double number) {
  bool drawn = value->op == OP_random && value->distribution == DISTRIBUTION_NORMAL;
  if (drawn) return fabs(number) * analysis->precision.unit * 2;
  if (value->kind != KIND_REAL || analysis->precision.largest > FLT_MAX || !isfinite(number)) return 0;
  return fabs(number - (double)(float)number);
}

static void analyse(struct analysis *analysis, const struct value *value, struct shadow *shadow,
                    const struct shadow *const *inputs) {
  int64_t count = operand_count(&shadow->number, analysis->sample->sizes);
  /* An addition after a contraction may become part of its sum. */
  bool joins = analysis->precision.reassociates && value->op == OP_add && value->kind == KIND_REAL &&
               (inputs[0]->terms || inputs[1]->terms);
  switch (op_facts[value->op].class) {
    case CLASS_LEAF:
    case CLASS_RANDOM:
      for (int64_t i = 0; i < count; i++) shadow->moved.data[i] = leaf_error(analysis, value, shadow->number.data[i]);
      break;
    case CLASS_UNARY:
    case CLASS_BINARY:
    case CLASS_COMPARE:
    case CLASS_LOGIC:
    case CLASS_TERNARY:
      if (!joins) {
        elementwise(analysis, value, shadow, inputs);
        break;
      }
      operand_copy(value->axes, value->axis_count, &shadow->moved, &inputs[0]->moved, analysis->sample->sizes);
      operand_copy(value->axes, value->axis_count, &shadow->size, &inputs[0]->size, analysis->sample->sizes);
      for (int pass = 0; pass < 2; pass++) {
        struct operand other = blank(analysis, &shadow->number);
        operand_copy(value->axes, value->axis_count, &other, pass ? &inputs[1]->size : &inputs[1]->moved,
                     analysis->sample->sizes);
        add_into(analysis, pass ? &shadow->size : &shadow->moved, &other);
      }
      shadow->terms = inputs[0]->terms + inputs[1]->terms + 1;
      break;
    case CLASS_REDUCE:
      if (value->op == OP_reduce_sum) {
        sum(analysis, value, shadow, inputs);
      } else {
        mix(analysis, value, &shadow->moved, &inputs[0]->error, NULL, NULL);
        if (!lengths(analysis, value->list, value->list_count)) bug("a maximum of nothing");
      }
      break;
    case CLASS_MIX:
      if (value->op == OP_top)
        ranking(analysis, value, shadow, inputs[0]);
      else if (value->op == OP_quantile)
        quantile(analysis, value, shadow, inputs[0], inputs[1]);
      else
        sum(analysis, value, shadow, inputs);
      break;
    case CLASS_CONTRACT:
      contraction(analysis, value, shadow, inputs);
      break;
    case CLASS_GATHER:
      lookup(analysis, value, shadow, inputs);
      break;
    case CLASS_SCATTER:
      sum(analysis, value, shadow, inputs);
      break;
    case CLASS_VIEW:
      view(analysis, value, shadow, inputs);
      if (value->op == OP_pad && value->kind == KIND_REAL && (double)(float)value->number != value->number)
        bug("a pad's number is exact in these graphs");
      break;
    case CLASS_STOP:
      operand_copy(value->axes, value->axis_count, &shadow->moved, &inputs[0]->moved, analysis->sample->sizes);
      operand_copy(value->axes, value->axis_count, &shadow->size, &inputs[0]->size, analysis->sample->sizes);
      shadow->terms = inputs[0]->terms;
      break;
    case CLASS_UPDATE:
      update(analysis, value, shadow, inputs);
      break;
    case CLASS_GRADIENT:
    case CLASS_CALL:
      bug("%s: the graph is not flat", op_facts[value->op].name);
  }
  for (int64_t i = 0; i < count; i++) {
    double number = shadow->number.data[i], *size = &shadow->size.data[i];
    if (!shadow->terms) *size = isfinite(number) ? fabs(number) : 0;
    shadow->error.data[i] =
        element_error(&analysis->precision, value, number, shadow->moved.data[i], *size, shadow->terms);
  }
  if (analysis->precision.reassociates &&
      (value->op == OP_contract || joins || op_facts[value->op].class == CLASS_VIEW))
    return;
  /* From here on the value's own error is all that matters of it. */
  shadow->terms = 0;
  for (int64_t i = 0; i < count; i++) {
    double number = shadow->number.data[i];
    shadow->moved.data[i] = shadow->error.data[i];
    shadow->size.data[i] = isfinite(number) ? fabs(number) : 0;
  }
}

static void watch(void *context, const struct value *value, const struct tensor *tensor) {
  struct analysis *analysis = context;
  const int64_t *sizes = analysis->sample->sizes;
  struct shadow *shadow = &analysis->shadows[value->id];
  shadow->number = operand_dense(value->axes, value->axis_count, NULL, sizes);
  shadow->number = blank(analysis, &shadow->number);
  memcpy(shadow->number.data, tensor->data, sizeof(double) * (size_t)operand_count(&shadow->number, sizes));
  shadow->moved = blank(analysis, &shadow->number);
  shadow->size = blank(analysis, &shadow->number);
  shadow->error = blank(analysis, &shadow->number);
  const struct shadow **inputs = arena_new_array(analysis->arena, const struct shadow *, value->input_count);
  for (int i = 0; i < value->input_count; i++) inputs[i] = &analysis->shadows[value->inputs[i]->id];
  analyse(analysis, value, shadow, inputs);
}

static const double *find_input(void *context, const struct value *input) {
  const struct content *content = sample_content(((struct analysis *)context)->sample, input->name, false);
  return content ? content->data : NULL;
}

static double *find_state(void *context, const struct state *state) {
  struct analysis *analysis = context;
  return analysis->states[content_number(analysis, state->name)];
}

/* The errors of an output's value, in the order of the output's axes. */
static double *in_order_of(const struct analysis *analysis, const struct output *output, int64_t count) {
  const struct value *value = output->value;
  const double *errors = analysis->shadows[value->id].error.data;
  double *ordered = arena_new_array(analysis->arena, double, count);
  for (int64_t i = 0; i < count; i++) {
    int64_t at[MAX_AXES], rest = i, index = 0;
    for (int k = value->axis_count - 1; k >= 0; k--) {
      const int64_t length = axis_length(value->axes[k], analysis->sample->sizes);
      at[k] = rest % length, rest /= length;
    }
    for (int k = 0; k < value->axis_count; k++)
      for (int j = 0; j < value->axis_count; j++)
        if (value->axes[j] == output->axes[k])
          index = index * axis_length(value->axes[j], analysis->sample->sizes) + at[j];
    ordered[index] = errors[i];
  }
  return ordered;
}

const char *bound_errors(struct arena *arena, struct sample *sample, const struct graph *graph,
                         const struct precision *precision, struct bounded *outputs, struct bounded *states) {
  struct analysis analysis = {.arena = arena,
                              .sample = sample,
                              .graph = graph,
                              .precision = *precision,
                              .exactness = graph_exactness(arena, graph),
                              .evaluation = {arena, sample->sizes, SAMPLE_SEED}};
  analysis.shadows = arena_new_array(arena, struct shadow, graph->next_value);
  analysis.states = arena_new_array(arena, double *, sample->contents.count);
  analysis.state_errors = arena_new_array(arena, double *, sample->contents.count);
  for (int i = 0; i < sample->contents.count; i++) {
    const struct content *content = &sample->contents.items[i];
    if (!content->is_state) continue;
    analysis.states[i] = arena_new_array(arena, double, content->count);
    analysis.state_errors[i] = arena_new_array(arena, double, content->count);
    memcpy(analysis.states[i], content->data, sizeof(double) * (size_t)content->count);
  }
  struct environment environment = sample_environment(sample);
  environment.arena = arena;
  environment.input = find_input;
  environment.state = find_state;
  environment.context = &analysis;
  struct tensor *results = arena_new_array(arena, struct tensor, graph->outputs.count);
  const char *wrong = graph_interpret(graph, &environment, results, watch);
  if (wrong) return wrong;
  for (int i = 0; i < graph->outputs.count; i++) {
    const struct output *output = &graph->outputs.items[i];
    const int64_t count = lengths(&analysis, output->value->axes, output->value->axis_count);
    outputs[i] = (struct bounded){count, results[i].data, in_order_of(&analysis, output, count)};
  }
  for (int i = 0; i < sample->contents.count; i++)
    if (sample->contents.items[i].is_state)
      states[i] = (struct bounded){sample->contents.items[i].count, analysis.states[i], analysis.state_errors[i]};
  return NULL;
}

int64_t bound_broken(const struct bounded *bounded, const double *found, int64_t *open) {
  for (int64_t i = 0; i < bounded->count; i++) {
    double number = bounded->numbers[i], error = bounded->errors[i];
    if (isinf(error)) {
      ++*open;
      continue;
    }
    if (number == found[i] || (isnan(number) && isnan(found[i]))) continue;
    if (!(fabs(number - found[i]) <= error)) return i;
  }
  return -1;
}
