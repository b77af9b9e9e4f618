#include "tests/harness/random_graph.h"

#include <string.h>

#include "tests/harness/random_operand.h"
#include "tests/harness/random_pattern.h"

static struct value *known_input(const struct sample *sample, const char *name) {
  for (int i = 0; i < sample->graph->values.count; i++) {
    struct value *value = sample->graph->values.items[i];
    if (value->op == OP_input && !strcmp(value->name, name)) return value;
  }
  return NULL;
}

static struct value *make_random(struct sample *sample) {
  struct graph *graph = sample->graph;
  struct axis *axes[MAX_AXES];
  bool keyed = sample_chance(sample, 60);
  int count = sample_choose_axes(sample, keyed ? sample->batch : NULL, NULL, axes);
  struct value *step = known_input(sample, "step"), *example = keyed ? known_input(sample, "example") : NULL;
  if (!step) {
    step = build_input(graph, "step", KIND_REAL, NULL, NULL, 0);
    *sample_add_content(sample, "step", false, 1) = SAMPLE_STEP;
  }
  if (keyed && !example) {
    example = build_input(graph, "example", KIND_INTEGER, NULL, &sample->batch, 1);
    double *data = sample_add_content(sample, "example", false, sample->batch->extent);
    for (int64_t i = 0; i < sample->batch->extent; i++) data[i] = (double)(10 + 3 * i);
  }
  const enum distribution distribution = (enum distribution)sample_below(sample, 2);
  return build_random(graph, distribution, (uint32_t)sample_draw(sample), step, example, axes, count);
}

/* An integer as it is, or brought into what a storage of few bits holds. */
static struct value *narrowed(struct sample *sample, struct value *x) {
  static const enum storage storages[] = {STORAGE_I8, STORAGE_U8, STORAGE_I4, STORAGE_U4};
  const int choice = sample_below(sample, 6);
  return choice < 4 ? build_cast(sample->graph, x, storages[choice]) : x;
}

static struct value *make_contract(struct sample *sample) {
  struct axis *over[MAX_AXES], *shared = sample_any_axis(sample);
  struct value *x, *y;
  if (!sample_smooth(sample) && sample_chance(sample, 30)) {
    x = narrowed(sample, sample_integer_operand(sample, shared, NULL, false));
    y = narrowed(sample, sample_integer_operand(sample, shared, NULL, false));
  } else {
    x = sample_real_operand(sample, shared, NULL, DOMAIN_ANY);
    y = sample_real_operand(sample, shared, NULL, DOMAIN_ANY);
  }
  int count = 0;
  for (int i = 0; i < x->axis_count; i++)
    if (value_has_axis(y, x->axes[i]) && (x->axes[i] == shared || sample_chance(sample, 30)))
      over[count++] = x->axes[i];
  return build_contract(sample->graph, x, y, over, count);
}

static struct value *make_gather(struct sample *sample) {
  struct axis *axes[MAX_AXES], *axis = sample_any_axis(sample);
  struct value *table = sample_number_operand(sample, axis, NULL, DOMAIN_ANY);
  int count = sample_choose_axes(sample, NULL, NULL, axes);
  return build_gather(sample->graph, table, axis, sample_integer_leaf(sample, axes, count, axis, false));
}

static struct value *make_scatter(struct sample *sample) {
  struct axis *axes[MAX_AXES], *axis = sample_any_axis(sample);
  struct value *base = sample_real_operand(sample, axis, NULL, DOMAIN_ANY);
  int count = sample_choose_axes(sample, NULL, NULL, axes);
  struct value *index = sample_integer_leaf(sample, axes, count, axis, false);
  /* A source has the base's other axes and the index's. */
  count = 0;
  for (int i = 0; i < base->axis_count; i++)
    if (base->axes[i] != axis) axes[count++] = base->axes[i];
  for (int i = 0; i < index->axis_count; i++)
    if (index->axes[i] == axis || !value_has_axis(base, index->axes[i])) axes[count++] = index->axes[i];
  if (count > 1 && sample_chance(sample, 50)) {
    struct axis *first = axes[0];
    axes[0] = axes[count - 1];
    axes[count - 1] = first;
  }
  return build_scatter_add(sample->graph, base, axis, index, sample_real_value(sample, axes, count));
}

/* Splits an axis of an earlier value into two factors, or merges two of its axes. NULL where it has none that allow
   this. */
static struct value *split_or_merge_earlier(struct sample *sample, enum op op) {
  struct axis *factors[MAX_AXES];
  if (op == OP_split) {
    struct axis *whole = sample_constant_axis(sample);
    struct value *x = sample_number_operand(sample, whole, NULL, DOMAIN_ANY);
    int64_t first = 1 + sample_below(sample, (int)whole->extent);
    while (whole->extent % first) first--;
    factors[0] = sample_axis_of(sample, "outer", first);
    factors[1] = sample_axis_of(sample, "inner", whole->extent / first);
    return build_split(sample->graph, x, whole, factors, 2);
  }
  struct value *x = sample_number_operand(sample, sample_constant_axis(sample), NULL, DOMAIN_ANY);
  int count = 0;
  for (int i = 0; i < x->axis_count; i++) {
    if (x->axes[i]->size) continue;
    int place = sample_below(sample, count + 1);
    factors[count++] = factors[place];
    factors[place] = x->axes[i];
  }
  if (count < 2) return NULL;
  return build_merge(sample->graph, x, factors, 2,
                     sample_axis_of(sample, "whole", factors[0]->extent * factors[1]->extent));
}

static struct value *make_split_or_merge(struct sample *sample, enum op op) {
  static const int64_t lengths[] = {1, 2, 3, 5};
  struct value *of_earlier = sample->several && sample_chance(sample, 60) ? split_or_merge_earlier(sample, op) : NULL;
  if (of_earlier) return of_earlier;
  struct axis *factors[3];
  int count = 2 + sample_below(sample, 2);
  int64_t product = 1;
  for (int i = 0; i < count; i++) {
    factors[i] = sample_axis_of(sample, "factor", lengths[sample_below(sample, 4)]);
    product *= factors[i]->extent;
  }
  struct axis *whole = sample_axis_of(sample, "whole", product), *axes[MAX_AXES];
  if (op == OP_split) {
    int rank = sample_choose_axes(sample, whole, NULL, axes);
    return build_split(sample->graph, sample_real_value(sample, axes, rank), whole, factors, count);
  }
  int rank = sample_choose_axes(sample, factors[0], NULL, axes);
  for (int i = 1; i < count; i++) {
    int place = sample_below(sample, rank + 1);
    memmove(axes + place + 1, axes + place, sizeof *axes * (size_t)(rank - place));
    axes[place] = factors[i];
    rank++;
  }
  return build_merge(sample->graph, sample_real_value(sample, axes, rank), factors, count, whole);
}

static struct value *make_slice_or_pad(struct sample *sample, enum op op) {
  struct axis *axis = sample_constant_axis(sample);
  struct value *x = sample_number_operand(sample, axis, NULL, DOMAIN_ANY);
  if (op == OP_slice) {
    int64_t length = 1 + sample_below(sample, (int)axis->extent),
            start = sample_below(sample, (int)(axis->extent - length) + 1);
    return build_slice(sample->graph, x, axis, start, sample_axis_of(sample, "part", length));
  }
  int64_t before = sample_below(sample, 3), after = sample_below(sample, 3);
  struct axis *padded = sample_axis_of(sample, "padded", axis->extent + before + after);
  return build_pad(sample->graph, x, axis, padded, before, sample_below(sample, 3) - 1);
}

static struct value *make_concat(struct sample *sample) {
  struct axis *axes[3], *all[MAX_AXES];
  struct value *parts[3];
  int count = 1 + sample_below(sample, 3);
  int64_t total = 0;
  if (sample->several && sample_chance(sample, 50)) {
    axes[0] = axes[1] = sample_constant_axis(sample);
    for (int i = 0; i < 2; i++) parts[i] = sample_number_operand(sample, axes[i], NULL, DOMAIN_ANY);
    return build_concat(sample->graph, parts, axes, 2, sample_axis_of(sample, "joined", 2 * axes[0]->extent));
  }
  for (int i = 0; i < count; i++) {
    axes[i] = i && sample_chance(sample, 30) ? axes[0] : sample_axis_of(sample, "part", 1 + sample_below(sample, 4));
    total += axes[i]->extent;
    int rank = sample_choose_axes(sample, axes[i], NULL, all);
    parts[i] = sample_real_value(sample, all, rank);
  }
  return build_concat(sample->graph, parts, axes, count, sample_axis_of(sample, "joined", total));
}

/* An update, with a computed value, of a state that the graph reads and that nothing writes yet. */
static struct value *update_known(struct sample *sample) {
  const struct graph *graph = sample->graph;
  struct state *found = NULL;
  int candidates = 0;
  for (int i = 0; i < sample->program.states.count; i++) {
    struct state *state = sample->program.states.items[i];
    bool fits = state->kind == KIND_REAL, read = false;
    for (int j = 0; j < graph->values.count; j++) {
      const struct value *value = graph->values.items[j];
      if (value->state == state && value->op == OP_update) fits = false;
      if (value->state == state && value->op == OP_state) read = true;
    }
    if (fits && read && sample_below(sample, ++candidates) == 0) found = state;
  }
  if (!found) return NULL;
  struct value *source = NULL;
  candidates = 0;
  for (int i = 0; i < graph->values.count; i++) {
    struct value *value = graph->values.items[i];
    bool fits = value->kind == KIND_REAL && value->op != OP_call;
    for (int j = 0; j < value->axis_count && fits; j++) {
      bool known = false;
      for (int k = 0; k < found->axis_count; k++) known = known || found->axes[k] == value->axes[j];
      fits = known;
    }
    if (fits && sample_below(sample, ++candidates) == 0) source = value;
  }
  return source ? build_update(sample->graph, found, source, NULL, NULL) : NULL;
}

static struct value *make_update(struct sample *sample) {
  if (sample->flags & SAMPLE_PATTERNS && sample_chance(sample, 50)) {
    struct value *update = update_known(sample);
    if (update) return update;
  }
  struct axis *axes[MAX_AXES], *axis = sample_any_axis(sample);
  int count = sample_choose_axes(sample, axis, NULL, axes);
  struct state *state = sample_new_state(sample, KIND_REAL, axes, count, ROLE_CACHE);
  int64_t elements = axes_count(axes, count);
  double *data = sample_add_content(sample, state->name, true, elements);
  for (int64_t i = 0; i < elements; i++) data[i] = sample_real_number(sample, DOMAIN_ANY, false);
  if (sample_chance(sample, 50)) {
    int kept = 0; /* the value is repeated along axes that it lacks */
    for (int i = 0; i < count; i++)
      if (sample_chance(sample, 80)) axes[kept++] = axes[i];
    return build_update(sample->graph, state, sample_real_value(sample, axes, kept), NULL, NULL);
  }
  /* Of several writes to one place the last counts, and parallel programs have no order. So places are distinct. */
  struct axis *row = sample_axis_of(sample, "row", 1 + sample_below(sample, (int)axis_length(axis, sample->sizes)));
  const char *name = sample_fresh_name(sample, "place");
  double *places = sample_add_content(sample, name, false, row->extent);
  for (int64_t i = 0; i < row->extent; i++) places[i] = (double)(row->extent - 1 - i);
  struct value *index = build_input(sample->graph, name, KIND_INTEGER, axis, &row, 1);
  count = 0;
  axes[count++] = row;
  for (int i = 0; i < state->axis_count; i++)
    if (state->axes[i] != axis) axes[count++] = state->axes[i];
  return build_update(sample->graph, state, sample_real_value(sample, axes, count), axis, index);
}

/* A call of z = tanh(x) y and w = x + y, which half of the time has its own gradient. */
static struct value *make_call(struct sample *sample) {
  struct graph *outer = sample->graph;
  struct axis *axes[MAX_AXES];
  struct value *actuals[2] = {sample_real_operand(sample, NULL, NULL, DOMAIN_ANY), NULL};
  int count = actuals[0]->axis_count;
  for (int i = 0; i < count; i++) axes[i] = actuals[0]->axes[i];
  for (int i = 0; i < count / 2; i++) { /* gives y's axes another order */
    struct axis *kept = axes[i];
    axes[i] = axes[count - 1 - i];
    axes[count - 1 - i] = kept;
  }
  actuals[1] = sample_real_value(sample, axes, count);
  struct region *region = arena_new_struct(sample->arena, struct region);
  region->name = "mixer";
  region->body = graph_new(sample->arena, region->name, outer->next_axis);
  const char *const names[] = {"x", "y", "z", "w", "dz", "dw"};
  struct value *inputs[6];
  for (int i = 0; i < 2; i++) {
    inputs[i] = build_input(region->body, names[i], KIND_REAL, NULL, axes, count);
    array_push(sample->arena, &region->inputs, inputs[i]);
  }
  graph_add_output(region->body, "z",
                   build_binary(region->body, OP_mul, build_unary(region->body, OP_tanh, inputs[0]), inputs[1]));
  graph_add_output(region->body, "w", build_binary(region->body, OP_add, inputs[0], inputs[1]));
  if (sample_chance(sample, 50)) {
    struct region *gradient = region->gradient = arena_new_struct(sample->arena, struct region);
    gradient->name = "mixer.gradient";
    struct graph *body = gradient->body = graph_new(sample->arena, gradient->name, outer->next_axis);
    for (int i = 0; i < 6; i++) {
      inputs[i] = build_input(body, names[i], KIND_REAL, NULL, axes, count);
      array_push(sample->arena, &gradient->inputs, inputs[i]);
    }
    struct value *t = build_unary(body, OP_tanh, inputs[0]);
    struct value *slope = build_binary(body, OP_sub, build_constant(body, 1), build_binary(body, OP_mul, t, t));
    struct value *dx = build_binary(body, OP_mul, build_binary(body, OP_mul, inputs[4], inputs[1]), slope);
    graph_add_output(body, "dx", build_binary(body, OP_add, dx, inputs[5]));
    graph_add_output(body, "dy", build_binary(body, OP_add, build_binary(body, OP_mul, inputs[4], t), inputs[5]));
  }
  struct value *call = build_call(outer, region, actuals, 2);
  if (sample->stage == STAGE_FLAT) sample->stage = STAGE_DIFFERENTIATED;
  struct value *first = build_result(outer, call, 0), *second = build_result(outer, call, 1);
  return build_binary(outer, OP_sub, first, second);
}

static struct value *make_gradient(struct sample *sample) {
  struct axis *axes[MAX_AXES];
  int count = sample_choose_axes(sample, NULL, NULL, axes);
  struct state *state = sample_new_state(sample, KIND_REAL, axes, count, ROLE_PARAMETER);
  int64_t elements = axes_count(axes, count);
  double *data = sample_add_content(sample, state->name, true, elements);
  for (int64_t i = 0; i < elements; i++) data[i] = sample_real_number(sample, DOMAIN_ANY, false);
  struct value *x = build_state(sample->graph, state);
  struct value *square = build_binary(sample->graph, OP_mul, x, x);
  struct value *loss = build_reduce(sample->graph, OP_reduce_sum, square, square->axes, square->axis_count);
  sample->stage = STAGE_LOWERED;
  sample->differentiable = false;
  return build_gradient(sample->graph, loss, x);
}

static struct value *make_state(struct sample *sample) {
  struct axis *axes[MAX_AXES];
  int count = sample_choose_axes(sample, NULL, NULL, axes);
  struct state *state = sample_new_state(sample, KIND_REAL, axes, count, ROLE_PARAMETER);
  int64_t elements = axes_count(axes, count);
  double *data = sample_add_content(sample, state->name, true, elements);
  for (int64_t i = 0; i < elements; i++) data[i] = sample_real_number(sample, DOMAIN_ANY, false);
  return build_state(sample->graph, state);
}

static struct value *make_expand(struct sample *sample) {
  struct axis *axis = sample_any_axis(sample),
              *axes[2] = {axis, sample_axis_of(sample, "copy", 1 + sample_below(sample, 3))};
  struct value *x = sample_number_operand(sample, NULL, axis, DOMAIN_ANY);
  return build_expand(sample->graph, x, axes, 1 + sample_below(sample, 2));
}

static struct value *make_cast(struct sample *sample) {
  static const enum storage rounding[] = {STORAGE_F32, STORAGE_BF16, STORAGE_F16};
  if (sample_smooth(sample))
    return build_cast(sample->graph, sample_real_operand(sample, NULL, NULL, DOMAIN_ANY), STORAGE_F64);
  sample->differentiable = false;
  /* Storages to cast integers and booleans to. A real becomes neither by a cast. */
  static const enum storage of_integer[] = {STORAGE_REAL, STORAGE_REAL, STORAGE_F16, STORAGE_BOOL,
                                            STORAGE_I8,   STORAGE_U8,   STORAGE_I4,  STORAGE_U4};
  static const enum storage of_boolean[] = {STORAGE_REAL, STORAGE_REAL, STORAGE_BF16,
                                            STORAGE_I8,   STORAGE_I32,  STORAGE_U4};
  if (sample_chance(sample, 40)) {
    struct value *integer = sample_integer_operand(sample, NULL, NULL, false);
    return build_cast(sample->graph, integer, of_integer[sample_below(sample, 8)]);
  }
  if (sample_chance(sample, 40)) {
    struct value *boolean = sample_boolean_operand(sample);
    return build_cast(sample->graph, boolean, of_boolean[sample_below(sample, 6)]);
  }
  struct value *real = sample_real_operand(sample, NULL, NULL, DOMAIN_ANY);
  return build_cast(sample->graph, real, rounding[sample_below(sample, 3)]);
}

static struct value *make_reduce(struct sample *sample, enum op op) {
  struct axis *axes[MAX_AXES];
  struct value *x = sample_number_operand(sample, sample_any_axis(sample), NULL, DOMAIN_ANY);
  int count = sample_some_axes(sample, x, axes);
  return build_reduce(sample->graph, op, x, axes, count);
}

static struct value *make_top(struct sample *sample) {
  struct axis *axis = sample_constant_axis(sample);
  struct value *x = sample_real_operand(sample, axis, NULL, DOMAIN_ANY);
  return build_top(sample->graph, x, axis, sample_axis_of(sample, "best", 1 + sample_below(sample, (int)axis->extent)));
}

/* The share is mostly a constant. Where it is computed, its rounding to single precision shows in measured slopes. */
static struct value *make_quantile(struct sample *sample) {
  static const double shares[] = {0, 1, 0.5, 0.25, 0.9, 0.37};
  struct axis *axes[MAX_AXES];
  struct value *x = sample_real_operand(sample, sample_constant_axis(sample), NULL, DOMAIN_ANY);
  int chosen = sample_some_axes(sample, x, axes), count = 0;
  for (int i = 0; i < chosen; i++)
    if (!axes[i]->size) axes[count++] = axes[i];
  struct value *share = build_constant(sample->graph, shares[sample_below(sample, 6)]);
  if (sample_chance(sample, 30)) {
    sample->differentiable = false;
    struct value *number = sample_real_operand(sample, NULL, NULL, DOMAIN_ANY);
    share = number->axis_count ? build_reduce(sample->graph, OP_reduce_sum, number, number->axes, number->axis_count)
                               : number;
  }
  return build_quantile(sample->graph, x, share, axes, count);
}

static struct value *make(struct sample *sample, enum op op) {
  struct graph *graph = sample->graph;
  struct axis *axis;
  struct value *x;
  switch (op) {
    case OP_constant:
      if (sample->flags & SAMPLE_EXTREME && sample_chance(sample, 50))
        return build_constant(graph, sample_extreme_number(sample));
      return sample_smooth(sample) || sample_chance(sample, 50)
                 ? build_constant(graph, sample_real_number(sample, DOMAIN_ANY, false))
             : sample_chance(sample, 50) ? build_integer(graph, sample_chance(sample, 30) ? sample_wide_integer(sample)
                                                                                          : sample_below(sample, 9) - 4)
                                         : build_boolean(graph, sample_chance(sample, 50));
    case OP_input:
      return sample_smooth(sample) || sample_chance(sample, 30) ? sample_boolean_operand(sample)
                                                                : sample_integer_operand(sample, NULL, NULL, false);
    case OP_state:
      return make_state(sample);
    case OP_index:
      return build_index(graph, sample_any_axis(sample));
    case OP_random:
      return make_random(sample);
    case OP_neg:
    case OP_abs:
      return build_unary(graph, op, sample_number_operand(sample, NULL, NULL, DOMAIN_ANY));
    case OP_tanh:
    case OP_erf:
    case OP_sin:
    case OP_cos:
    case OP_floor:
    case OP_round:
      return build_unary(graph, op, sample_real_operand(sample, NULL, NULL, DOMAIN_ANY));
    case OP_exp:
      return build_unary(graph, op, sample_real_operand(sample, NULL, NULL, DOMAIN_SMALL));
    case OP_log:
    case OP_sqrt:
    case OP_rsqrt:
      return build_unary(graph, op, sample_real_operand(sample, NULL, NULL, DOMAIN_POSITIVE));
    case OP_not:
      return build_unary(graph, op, sample_boolean_operand(sample));
    case OP_cast:
      return make_cast(sample);
    case OP_add:
    case OP_sub:
    case OP_mul:
    case OP_max:
    case OP_min:
    case OP_lt:
    case OP_le:
    case OP_eq:
    case OP_ne:
      x = sample_number_operand(sample, NULL, NULL, DOMAIN_ANY);
      return build_binary(graph, op, x, sample_number_operand(sample, NULL, NULL, DOMAIN_ANY));
    case OP_div:
    case OP_mod:
      x = sample_number_operand(sample, NULL, NULL, DOMAIN_ANY);
      return build_binary(graph, op, x, sample_number_operand(sample, NULL, NULL, DOMAIN_NONZERO));
    case OP_quotient:
      x = sample_integer_operand(sample, NULL, NULL, false);
      return build_binary(graph, op, x, sample_integer_operand(sample, NULL, NULL, sample_chance(sample, 80)));
    case OP_round_random:
      sample->differentiable = false;
      x = sample_real_operand(sample, NULL, NULL, DOMAIN_ANY);
      return build_binary(graph, op, x, sample_real_operand(sample, NULL, NULL, DOMAIN_ANY));
    case OP_pow:
      x = sample_real_operand(sample, NULL, NULL, DOMAIN_POSITIVE);
      return build_binary(graph, op, x, sample_real_operand(sample, NULL, NULL, DOMAIN_SMALL));
    case OP_and:
    case OP_or:
      x = sample_boolean_operand(sample);
      return build_binary(graph, op, x, sample_boolean_operand(sample));
    case OP_where: {
      struct value *condition = sample_boolean_operand(sample);
      x = sample_number_operand(sample, NULL, NULL, DOMAIN_ANY);
      return build_where(graph, condition, x, sample_number_operand(sample, NULL, NULL, DOMAIN_ANY));
    }
    case OP_reduce_sum:
    case OP_reduce_max:
      return make_reduce(sample, op);
    case OP_scan:
      axis = sample_any_axis(sample);
      x = sample_number_operand(sample, axis, NULL, DOMAIN_ANY);
      return build_scan(graph, x, axis, sample_chance(sample, 50));
    case OP_top:
      return make_top(sample);
    case OP_quantile:
      return make_quantile(sample);
    case OP_contract:
      return make_contract(sample);
    case OP_gather:
      return make_gather(sample);
    case OP_scatter_add:
      return make_scatter(sample);
    case OP_rename:
      axis = sample_constant_axis(sample);
      x = sample_number_operand(sample, axis, NULL, DOMAIN_ANY);
      return build_rename(graph, x, axis, sample_axis_of(sample, "renamed", axis->extent));
    case OP_split:
    case OP_merge:
      return make_split_or_merge(sample, op);
    case OP_slice:
    case OP_pad:
      return make_slice_or_pad(sample, op);
    case OP_select:
      axis = sample_constant_axis(sample);
      x = sample_number_operand(sample, axis, NULL, DOMAIN_ANY);
      return build_select(graph, x, axis, sample_below(sample, (int)axis->extent));
    case OP_expand:
      return make_expand(sample);
    case OP_concat:
      return make_concat(sample);
    case OP_stop:
      sample->differentiable = false;
      return build_stop(graph, sample_real_operand(sample, NULL, NULL, DOMAIN_ANY));
    case OP_gradient:
      return make_gradient(sample);
    case OP_update:
      return make_update(sample);
    case OP_call:
    case OP_result:
      return make_call(sample);
    case OP_COUNT:
      break;
  }
  bug("operation %d", (int)op);
}

/* An axis of run-time size, whose length is any number up to the bound. */
static struct axis *sized_axis(struct sample *sample, const char *axis, enum size_role role, int64_t bound) {
  const struct size *size = size_new(sample->graph, size_role_names[role], role, bound);
  sample->sizes[size->index] = 1 + sample_below(sample, (int)bound);
  return axis_new_sized(sample->graph, axis, size, (struct span){0});
}

static struct sample *begin(struct arena *arena, const char *name, uint64_t seed, int flags) {
  /* Lengths are short and odd, and so small that a value may have all six axes. */
  static const int64_t lengths[6][2] = {{2, 3}, {3, 4}, {5, 9}, {1, 2}, {1, 1}, {2, 3}};
  static const char *const names[] = {"batch", "seq", "embed", "head", "seq", "window"};
  struct sample *sample = arena_new_struct(arena, struct sample);
  sample->arena = arena;
  sample->state = seed * 0x2545F4914F6CDD1Du + 1;
  sample->flags = flags;
  sample->stage = STAGE_FLAT;
  sample->differentiable = true;
  sample->program.arena = arena;
  sample->program.name = sample->program.model = "sample";
  sample->graph = graph_new(arena, name, &sample->program.next_axis);
  sample->program.predict = sample->graph;
  /* At most two axes are long, and one with a run-time size may be the second: loops over it then have whole vectors
     and a rest. */
  bool long_window = flags & SAMPLE_SIZES && flags & SAMPLE_LONG && sample_chance(sample, 60);
  bool second = flags & SAMPLE_SIZES && sample_chance(sample, 30);
  for (int i = 0; i < 6; i++) {
    if (i == 5 && flags & SAMPLE_SIZES) {
      int64_t bound = long_window ? 5 + sample_below(sample, 36) : 2 + sample_below(sample, 3);
      sample->axes[i] = sized_axis(sample, names[i], SIZE_WINDOW, bound);
    } else if (i == 3 && second) {
      sample->axes[i] = sized_axis(sample, names[i], SIZE_PAST, 1 + sample_below(sample, 9));
    } else {
      sample->axes[i] = sample_axis_of(sample, names[i], lengths[i][sample_below(sample, 2)]);
    }
  }
  sample->batch = sample->axes[0];
  sample->batch->role = AXIS_BATCH;
  if (flags & SAMPLE_LONG) {
    static const int64_t longer[] = {7, 13, 15, 16, 17, 24, 31, 33, 40, 65};
    int first = 1 + sample_below(sample, 2);
    sample->axes[first] = sample_axis_of(sample, names[first], longer[sample_below(sample, 10)]);
    if (!long_window && sample_chance(sample, 50))
      sample->axes[3 - first] = sample_axis_of(sample, "wide", longer[sample_below(sample, 7)]);
  }
  return sample;
}

struct sample *sample_operation(struct arena *arena, enum op op, uint64_t seed, int flags) {
  struct sample *sample = begin(arena, op_facts[op].name, seed ^ hash_path(op_facts[op].name), flags);
  graph_add_output(sample->graph, "result", make(sample, op));
  return sample;
}

/* Whether the value is a parameter of constant size. */
static bool is_parameter(const struct value *value) {
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i]->size) return false;
  return value->op == OP_state && value->kind == KIND_REAL && value->state->role == ROLE_PARAMETER;
}

void sample_add_gradients(struct sample *sample, struct value *loss) {
  struct graph *graph = sample->graph;
  int count = graph->values.count;
  for (int i = 0; i < count; i++) {
    struct value *value = graph->values.items[i];
    bool known = !is_parameter(value);
    for (int j = 0; j < graph->outputs.count && !known; j++)
      known = !strcmp(graph->outputs.items[j].name, value->state->name);
    if (!known) graph_add_output(graph, value->state->name, build_gradient(graph, loss, value));
  }
  sample->stage = STAGE_LOWERED;
}

struct value *sample_add_loss(struct sample *sample) {
  struct graph *graph = sample->graph;
  struct value *loss = NULL;
  int outputs = graph->outputs.count;
  for (int i = 0; i < outputs; i++) {
    struct value *value = graph->outputs.items[i].value;
    struct value *weights = build_random(graph, DISTRIBUTION_NORMAL, (uint32_t)(77 + i), build_constant(graph, 1), NULL,
                                         value->axes, value->axis_count);
    struct value *part = build_binary(graph, OP_mul, weights, value);
    if (part->axis_count) part = build_reduce(graph, OP_reduce_sum, part, part->axes, part->axis_count);
    loss = loss ? build_binary(graph, OP_add, loss, part) : part;
  }
  return loss;
}

/* Makes outputs of values that nothing uses. With patterns, only some updates are outputs, since they have an effect of
   their own, and a few used values are too. */
static void add_outputs(struct sample *sample) {
  struct graph *graph = sample->graph;
  bool *used = arena_new_array(sample->arena, bool, graph->next_value);
  int values = graph->values.count;
  for (int i = 0; i < values; i++)
    for (int j = 0; j < graph->values.items[i]->input_count; j++) used[graph->values.items[i]->inputs[j]->id] = true;
  for (int i = 0; i < values; i++) {
    struct value *value = graph->values.items[i];
    bool wanted = !used[value->id];
    if (sample->flags & SAMPLE_PATTERNS) {
      if (value->op == OP_update)
        wanted = wanted && sample_chance(sample, 40);
      else
        wanted = wanted || (value->op != OP_call && sample_chance(sample, 4));
    }
    if (wanted) graph_add_output(graph, arena_format(sample->arena, "out_%d", graph->outputs.count), value);
  }
  if (!graph->outputs.count) graph_add_output(graph, "out_0", build_constant(graph, 1));
}

struct sample *sample_graph(struct arena *arena, int operations, uint64_t seed, int flags) {
  struct sample *sample = begin(arena, "sample", seed, flags);
  sample->several = true;
  for (int i = 0; i < operations; i++) {
    enum op op = (enum op)sample_below(sample, OP_COUNT);
    /* Gradients exist only before autodiff, and operations without a derivative of their own are of no use in a smooth
       graph. */
    bool skip =
        op == OP_gradient || (sample_smooth(sample) && (op == OP_stop || op == OP_update || op == OP_round_random));
    sample->graph->origin.path = i % 3 ? "layer.0" : "";
    sample->graph->origin.function = i % 2 ? "layer" : "";
    bool pattern = flags & SAMPLE_PATTERNS && sample_chance(sample, 25);
    if (skip && !pattern) continue;
    struct value *value = pattern ? sample_pattern(sample) : make(sample, op);
    if (value->op != OP_input && !value->name) value->name = arena_format(arena, "layer.0.v%d", i);
  }
  add_outputs(sample);
  if (flags & SAMPLE_GRADIENTS) {
    struct value *loss = sample_add_loss(sample);
    graph_add_output(sample->graph, "loss", loss);
    sample_add_gradients(sample, loss);
  }
  return sample;
}

struct content *sample_content(struct sample *sample, const char *name, bool is_state) {
  for (int i = 0; i < sample->contents.count; i++) {
    struct content *content = &sample->contents.items[i];
    if (content->is_state == is_state && !strcmp(content->name, name)) return content;
  }
  return NULL;
}

static const double *find_input(void *context, const struct value *input) {
  struct content *content = sample_content(context, input->name, false);
  return content ? content->data : NULL;
}

static double *find_state(void *context, const struct state *state) {
  struct content *content = sample_content(context, state->name, true);
  return content ? content->data : NULL;
}

struct environment sample_environment(struct sample *sample) {
  return (struct environment){.arena = sample->arena,
                              .sizes = sample->sizes,
                              .seed = SAMPLE_SEED,
                              .input = find_input,
                              .state = find_state,
                              .context = sample};
}
