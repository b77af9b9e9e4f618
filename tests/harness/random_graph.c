#include "tests/harness/random_graph.h"

#include <math.h>
#include <string.h>

enum domain {
  DOMAIN_ANY, /* in about [-2, 2] */
  DOMAIN_POSITIVE, /* at least 1/2 */
  DOMAIN_NONZERO, /* at least 1/2 in magnitude */
  DOMAIN_SMALL /* in [-1, 1] */
};

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
static uint64_t draw(struct sample *sample) {
  uint64_t z = sample->state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

static int below(struct sample *sample, int bound) { return (int)(draw(sample) % (uint64_t)bound); }
static bool chance(struct sample *sample, int percent) { return below(sample, 100) < percent; }
static double unit(struct sample *sample) { return (double)(draw(sample) >> 40) / 16777216.0; }
static bool smooth(const struct sample *sample) { return sample->flags & SAMPLE_SMOOTH; }

static double real_number(struct sample *sample, enum domain domain, bool coarse) {
  double x = 4 * unit(sample) - 2;
  if (coarse) x = nearbyint(4 * x) / 4;
  switch (domain) {
    case DOMAIN_ANY:
      break;
    case DOMAIN_POSITIVE:
      x = fabs(x) + 0.5;
      break;
    case DOMAIN_NONZERO:
      x = x < 0 ? x - 0.5 : x + 0.5;
      break;
    case DOMAIN_SMALL:
      x /= 2;
      break;
  }
  return (double)(float)x; /* so that float programs get the same numbers */
}

static struct axis *axis_of(struct sample *sample, const char *name, int64_t extent) {
  return axis_new(sample->graph, name, extent, (struct span){0});
}

static int64_t present(const struct sample *sample, struct axis *const *axes, int count) {
  int64_t product = 1;
  for (int i = 0; i < count; i++) product *= axis_length(axes[i], sample->sizes);
  return product;
}

static double *add_content(struct sample *sample, const char *name, bool is_state, int64_t count) {
  struct content content = {name, is_state, count, arena_new_array(sample->arena, double, count)};
  array_push(sample->arena, &sample->contents, content);
  return content.data;
}

static const char *fresh_name(struct sample *sample, const char *stem) {
  return arena_format(sample->arena, "%s_%d", stem, sample->input_count++);
}

static struct state *new_state(struct sample *sample, enum kind kind, struct axis *const *axes, int count,
                               enum role role) {
  struct state *state = arena_new_struct(sample->arena, struct state);
  state->name = fresh_name(sample, "state");
  state->role = role;
  state->kind = kind;
  state->axes = arena_new_array(sample->arena, struct axis *, count);
  if (count) memcpy(state->axes, axes, sizeof *axes * (size_t)count);
  state->axis_count = count;
  state->initial = (enum initial)below(sample, 3);
  if (kind != KIND_REAL) state->initial = INITIAL_CONSTANT;
  state->high = state->initial == INITIAL_CONSTANT ? 0 : 0.02;
  state->stream = hash_path(state->name);
  array_push(sample->arena, &sample->program.states, state);
  return state;
}

static struct value *real_leaf(struct sample *sample, struct axis *const *axes, int count, enum domain domain) {
  bool coarse = !smooth(sample) && chance(sample, 40);
  int64_t elements = present(sample, axes, count);
  bool sized = false;
  for (int i = 0; i < count; i++) sized = sized || axes[i]->size;
  double *data;
  struct value *value;
  if (smooth(sample) || (!sized && chance(sample, 30))) {
    struct state *state = new_state(sample, KIND_REAL, axes, count, ROLE_PARAMETER);
    elements = axes_count(axes, count);
    data = add_content(sample, state->name, true, elements);
    value = build_state(sample->graph, state);
  } else {
    const char *name = fresh_name(sample, "real");
    data = add_content(sample, name, false, elements);
    value = build_input(sample->graph, name, KIND_REAL, NULL, axes, count);
  }
  for (int64_t i = 0; i < elements; i++) data[i] = real_number(sample, domain, coarse);
  return value;
}

/* Integers that index `range`, or, where it is NULL, small ones without zero when `nonzero`. */
static struct value *integer_leaf(struct sample *sample, struct axis *const *axes, int count, struct axis *range,
                                  bool nonzero) {
  int64_t elements = present(sample, axes, count);
  const char *name = fresh_name(sample, "integer");
  double *data = add_content(sample, name, false, elements);
  for (int64_t i = 0; i < elements; i++) {
    int64_t length = range ? axis_length(range, sample->sizes) : 0;
    data[i] = range ? (double)(draw(sample) % (uint64_t)length) : below(sample, 11) - 5;
    if (nonzero && data[i] == 0) data[i] = 7;
  }
  return build_input(sample->graph, name, KIND_INTEGER, range, axes, count);
}

static struct value *boolean_leaf(struct sample *sample, struct axis *const *axes, int count) {
  int64_t elements = present(sample, axes, count);
  const char *name = fresh_name(sample, "boolean");
  double *data = add_content(sample, name, false, elements);
  for (int64_t i = 0; i < elements; i++) data[i] = below(sample, 2);
  return build_input(sample->graph, name, KIND_BOOLEAN, NULL, axes, count);
}

/* Axes of an operand: some of the pool in any order, `must` among them where it is given. */
static int choose_axes(struct sample *sample, struct axis *must, const struct axis *never, struct axis **axes) {
  struct axis *pool[6];
  int available = 0, count = 0;
  for (int i = 0; i < 6; i++)
    if (sample->axes[i] != must && sample->axes[i] != never) pool[available++] = sample->axes[i];
  int wanted = below(sample, must ? 3 : 4);
  for (; count < wanted; count++) {
    int i = below(sample, available);
    axes[count] = pool[i];
    pool[i] = pool[--available];
  }
  if (must) {
    int place = below(sample, count + 1);
    memmove(axes + place + 1, axes + place, sizeof *axes * (size_t)(count - place));
    axes[place] = must;
    count++;
  }
  return count;
}

/* An earlier value that can be an operand here, or NULL. */
static struct value *earlier(struct sample *sample, enum kind kind, const struct axis *must, const struct axis *never) {
  if (!sample->several || chance(sample, 25)) return NULL;
  struct value *found = NULL;
  int candidates = 0;
  for (int i = 0; i < sample->graph->values.count; i++) {
    struct value *value = sample->graph->values.items[i];
    bool fits = value->kind == kind && value->op != OP_call && value->axis_count <= 3 && value_count(value) <= 600 &&
                value->op != OP_constant && (!must || value_has_axis(value, must)) &&
                !(never && value_has_axis(value, never));
    if (fits && below(sample, ++candidates) == 0) found = value;
  }
  return found;
}

static struct value *tame(struct sample *sample, struct value *x, enum domain domain) {
  struct graph *graph = sample->graph;
  struct value *half = build_constant(graph, 0.5);
  x = build_unary(graph, OP_tanh, x);
  switch (domain) {
    case DOMAIN_ANY:
      return build_binary(graph, OP_mul, x, build_constant(graph, 2));
    case DOMAIN_POSITIVE:
      return build_binary(graph, OP_add, build_unary(graph, OP_abs, x), half);
    case DOMAIN_NONZERO: {
      struct value *negative = build_binary(graph, OP_lt, x, build_constant(graph, 0));
      return build_where(graph, negative, build_binary(graph, OP_sub, x, half), build_binary(graph, OP_add, x, half));
    }
    case DOMAIN_SMALL:
      return x;
  }
  bug("domain %d", (int)domain);
}

static struct value *real_operand(struct sample *sample, struct axis *must, const struct axis *never,
                                  enum domain domain) {
  struct value *known = earlier(sample, KIND_REAL, must, never);
  if (known)
    return domain == DOMAIN_ANY && known->op != OP_contract && known->op != OP_exp ? known
                                                                                   : tame(sample, known, domain);
  struct axis *axes[MAX_AXES];
  int count = choose_axes(sample, must, never, axes);
  return real_leaf(sample, axes, count, domain);
}

static struct value *integer_operand(struct sample *sample, struct axis *must, const struct axis *never, bool nonzero) {
  struct axis *axes[MAX_AXES];
  int count = choose_axes(sample, must, never, axes);
  return integer_leaf(sample, axes, count, NULL, nonzero);
}

static struct value *boolean_operand(struct sample *sample) {
  struct value *known = earlier(sample, KIND_BOOLEAN, NULL, NULL);
  if (known) return known;
  struct axis *axes[MAX_AXES];
  int count = choose_axes(sample, NULL, NULL, axes);
  return boolean_leaf(sample, axes, count);
}

/* Real, or integer where the operation takes both and derivatives do not matter. */
static struct value *number_operand(struct sample *sample, struct axis *must, const struct axis *never,
                                    enum domain domain) {
  if (!smooth(sample) && chance(sample, 25)) return integer_operand(sample, must, never, domain != DOMAIN_ANY);
  return real_operand(sample, must, never, domain);
}

static struct axis *any_axis(struct sample *sample) { return sample->axes[below(sample, 6)]; }

/* Axes whose length is a constant: views cut and join these. */
static struct axis *constant_axis(struct sample *sample) {
  struct axis *axis;
  do axis = any_axis(sample);
  while (axis->size);
  return axis;
}

/* Some of the axes of a value, at least one where it has one. */
static int some_axes(struct sample *sample, const struct value *value, struct axis **axes) {
  int count = 0;
  for (int i = 0; i < value->axis_count; i++)
    if (chance(sample, 50)) axes[count++] = value->axes[i];
  if (!count && value->axis_count) axes[count++] = value->axes[below(sample, value->axis_count)];
  return count;
}

static struct value *make_random(struct sample *sample) {
  struct graph *graph = sample->graph;
  struct axis *axes[MAX_AXES];
  bool keyed = chance(sample, 60);
  int count = choose_axes(sample, keyed ? sample->batch : NULL, NULL, axes);
  struct value *step = build_input(graph, "step", KIND_REAL, NULL, NULL, 0), *example = NULL;
  if (!sample_content(sample, "step", false)) *add_content(sample, "step", false, 1) = 3;
  if (keyed) {
    example = build_input(graph, "example", KIND_INTEGER, NULL, &sample->batch, 1);
    if (!sample_content(sample, "example", false)) {
      double *data = add_content(sample, "example", false, sample->batch->extent);
      for (int64_t i = 0; i < sample->batch->extent; i++) data[i] = (double)(10 + 3 * i);
    }
  }
  return build_random(graph, (enum distribution)below(sample, 2), (uint32_t)draw(sample), step, example, axes, count);
}

static struct value *make_contract(struct sample *sample) {
  struct axis *over[MAX_AXES], *shared = any_axis(sample);
  struct value *x = real_operand(sample, shared, NULL, DOMAIN_ANY), *y = real_operand(sample, shared, NULL, DOMAIN_ANY);
  int count = 0;
  for (int i = 0; i < x->axis_count; i++)
    if (value_has_axis(y, x->axes[i]) && (x->axes[i] == shared || chance(sample, 30))) over[count++] = x->axes[i];
  return build_contract(sample->graph, x, y, over, count);
}

static struct value *make_gather(struct sample *sample) {
  struct axis *axes[MAX_AXES], *axis = any_axis(sample);
  struct value *table = number_operand(sample, axis, NULL, DOMAIN_ANY);
  int count = choose_axes(sample, NULL, NULL, axes);
  return build_gather(sample->graph, table, axis, integer_leaf(sample, axes, count, axis, false));
}

static struct value *make_scatter(struct sample *sample) {
  struct axis *axes[MAX_AXES], *axis = any_axis(sample);
  struct value *base = real_operand(sample, axis, NULL, DOMAIN_ANY);
  int count = choose_axes(sample, NULL, NULL, axes);
  struct value *index = integer_leaf(sample, axes, count, axis, false);
  /* A source's axes are the base's other ones and the index's. */
  count = 0;
  for (int i = 0; i < base->axis_count; i++)
    if (base->axes[i] != axis) axes[count++] = base->axes[i];
  for (int i = 0; i < index->axis_count; i++)
    if (index->axes[i] == axis || !value_has_axis(base, index->axes[i])) axes[count++] = index->axes[i];
  if (count > 1 && chance(sample, 50)) {
    struct axis *first = axes[0];
    axes[0] = axes[count - 1];
    axes[count - 1] = first;
  }
  return build_scatter_add(sample->graph, base, axis, index, real_leaf(sample, axes, count, DOMAIN_ANY));
}

static struct value *make_split_or_merge(struct sample *sample, enum op op) {
  static const int64_t lengths[] = {1, 2, 3, 5};
  struct axis *factors[3];
  int count = 2 + below(sample, 2);
  int64_t product = 1;
  for (int i = 0; i < count; i++) {
    factors[i] = axis_of(sample, "factor", lengths[below(sample, 4)]);
    product *= factors[i]->extent;
  }
  struct axis *whole = axis_of(sample, "whole", product), *axes[MAX_AXES];
  if (op == OP_split) {
    int rank = choose_axes(sample, whole, NULL, axes);
    return build_split(sample->graph, real_leaf(sample, axes, rank, DOMAIN_ANY), whole, factors, count);
  }
  int rank = choose_axes(sample, factors[0], NULL, axes);
  for (int i = 1; i < count; i++) {
    int place = below(sample, rank + 1);
    memmove(axes + place + 1, axes + place, sizeof *axes * (size_t)(rank - place));
    axes[place] = factors[i];
    rank++;
  }
  return build_merge(sample->graph, real_leaf(sample, axes, rank, DOMAIN_ANY), factors, count, whole);
}

static struct value *make_slice_or_pad(struct sample *sample, enum op op) {
  struct axis *axis = constant_axis(sample);
  struct value *x = number_operand(sample, axis, NULL, DOMAIN_ANY);
  if (op == OP_slice) {
    int64_t length = 1 + below(sample, (int)axis->extent), start = below(sample, (int)(axis->extent - length) + 1);
    return build_slice(sample->graph, x, axis, start, axis_of(sample, "part", length));
  }
  int64_t before = below(sample, 3), after = below(sample, 3);
  return build_pad(sample->graph, x, axis, axis_of(sample, "padded", axis->extent + before + after), before,
                   below(sample, 3) - 1);
}

static struct value *make_concat(struct sample *sample) {
  struct axis *axes[3], *all[MAX_AXES];
  struct value *parts[3];
  int count = 1 + below(sample, 3);
  int64_t total = 0;
  for (int i = 0; i < count; i++) {
    axes[i] = i && chance(sample, 30) ? axes[0] : axis_of(sample, "part", 1 + below(sample, 4));
    total += axes[i]->extent;
    int rank = choose_axes(sample, axes[i], NULL, all);
    parts[i] = real_leaf(sample, all, rank, DOMAIN_ANY);
  }
  return build_concat(sample->graph, parts, axes, count, axis_of(sample, "joined", total));
}

static struct value *make_update(struct sample *sample) {
  struct axis *axes[MAX_AXES], *axis = any_axis(sample);
  int count = choose_axes(sample, axis, NULL, axes);
  struct state *state = new_state(sample, KIND_REAL, axes, count, ROLE_CACHE);
  int64_t elements = axes_count(axes, count);
  double *data = add_content(sample, state->name, true, elements);
  for (int64_t i = 0; i < elements; i++) data[i] = real_number(sample, DOMAIN_ANY, false);
  if (chance(sample, 50)) {
    int kept = 0; /* what the value lacks it is repeated along */
    for (int i = 0; i < count; i++)
      if (chance(sample, 80)) axes[kept++] = axes[i];
    return build_update(sample->graph, state, real_leaf(sample, axes, kept, DOMAIN_ANY), NULL, NULL);
  }
  /* Which of several writes to one place counts is the last in order; distinct places leave no doubt in parallel programs. */
  struct axis *row = axis_of(sample, "row", 1 + below(sample, (int)axis_length(axis, sample->sizes)));
  const char *name = fresh_name(sample, "place");
  double *places = add_content(sample, name, false, row->extent);
  for (int64_t i = 0; i < row->extent; i++) places[i] = (double)(row->extent - 1 - i);
  struct value *index = build_input(sample->graph, name, KIND_INTEGER, axis, &row, 1);
  count = 0;
  axes[count++] = row;
  for (int i = 0; i < state->axis_count; i++)
    if (state->axes[i] != axis) axes[count++] = state->axes[i];
  return build_update(sample->graph, state, real_leaf(sample, axes, count, DOMAIN_ANY), axis, index);
}

/* z = tanh(x) y and w = x + y, half of the time with the gradient spelled out. */
static struct value *make_call(struct sample *sample) {
  struct graph *outer = sample->graph;
  struct axis *axes[MAX_AXES];
  int count = choose_axes(sample, NULL, NULL, axes);
  struct value *actuals[2] = {real_leaf(sample, axes, count, DOMAIN_ANY), NULL};
  for (int i = 0; i < count / 2; i++) { /* the axes of the two in another order */
    struct axis *kept = axes[i];
    axes[i] = axes[count - 1 - i];
    axes[count - 1 - i] = kept;
  }
  actuals[1] = real_leaf(sample, axes, count, DOMAIN_ANY);
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
  if (chance(sample, 50)) {
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
  int count = choose_axes(sample, NULL, NULL, axes);
  struct state *state = new_state(sample, KIND_REAL, axes, count, ROLE_PARAMETER);
  int64_t elements = axes_count(axes, count);
  double *data = add_content(sample, state->name, true, elements);
  for (int64_t i = 0; i < elements; i++) data[i] = real_number(sample, DOMAIN_ANY, false);
  struct value *x = build_state(sample->graph, state);
  struct value *square = build_binary(sample->graph, OP_mul, x, x);
  struct value *loss = build_reduce(sample->graph, OP_reduce_sum, square, square->axes, square->axis_count);
  sample->stage = STAGE_LOWERED;
  sample->differentiable = false;
  return build_gradient(sample->graph, loss, x);
}

static struct value *make_state(struct sample *sample) {
  struct axis *axes[MAX_AXES];
  int count = choose_axes(sample, NULL, NULL, axes);
  struct state *state = new_state(sample, KIND_REAL, axes, count, ROLE_PARAMETER);
  int64_t elements = axes_count(axes, count);
  double *data = add_content(sample, state->name, true, elements);
  for (int64_t i = 0; i < elements; i++) data[i] = real_number(sample, DOMAIN_ANY, false);
  return build_state(sample->graph, state);
}

static struct value *make_expand(struct sample *sample) {
  struct axis *axis = any_axis(sample), *axes[2] = {axis, axis_of(sample, "copy", 1 + below(sample, 3))};
  return build_expand(sample->graph, number_operand(sample, NULL, axis, DOMAIN_ANY), axes, 1 + below(sample, 2));
}

static struct value *make_cast(struct sample *sample) {
  static const enum storage rounding[] = {STORAGE_F32, STORAGE_BF16, STORAGE_F16,
                                          STORAGE_I32, STORAGE_I8,   STORAGE_BOOL};
  if (smooth(sample)) return build_cast(sample->graph, real_operand(sample, NULL, NULL, DOMAIN_ANY), STORAGE_F64);
  sample->differentiable = false;
  if (chance(sample, 25)) return build_cast(sample->graph, integer_operand(sample, NULL, NULL, false), STORAGE_REAL);
  if (chance(sample, 25)) return build_cast(sample->graph, boolean_operand(sample), STORAGE_REAL);
  return build_cast(sample->graph, real_operand(sample, NULL, NULL, DOMAIN_ANY), rounding[below(sample, 6)]);
}

static struct value *make_reduce(struct sample *sample, enum op op) {
  struct axis *axes[MAX_AXES];
  struct value *x = number_operand(sample, any_axis(sample), NULL, DOMAIN_ANY);
  int count = some_axes(sample, x, axes);
  return build_reduce(sample->graph, op, x, axes, count);
}

static struct value *make_top(struct sample *sample) {
  struct axis *axis = constant_axis(sample);
  struct value *x = real_operand(sample, axis, NULL, DOMAIN_ANY);
  return build_top(sample->graph, x, axis, axis_of(sample, "best", 1 + below(sample, (int)axis->extent)));
}

static struct value *make(struct sample *sample, enum op op) {
  struct graph *graph = sample->graph;
  struct axis *axis;
  struct value *x;
  switch (op) {
    case OP_constant:
      return smooth(sample) || chance(sample, 50) ? build_constant(graph, real_number(sample, DOMAIN_ANY, false))
             : chance(sample, 50)                 ? build_integer(graph, below(sample, 9) - 4)
                                                  : build_boolean(graph, chance(sample, 50));
    case OP_input:
      return smooth(sample) || chance(sample, 30) ? boolean_operand(sample)
                                                  : integer_operand(sample, NULL, NULL, false);
    case OP_state:
      return make_state(sample);
    case OP_index:
      return build_index(graph, any_axis(sample));
    case OP_random:
      return make_random(sample);
    case OP_neg:
    case OP_abs:
      return build_unary(graph, op, number_operand(sample, NULL, NULL, DOMAIN_ANY));
    case OP_tanh:
    case OP_erf:
    case OP_sin:
    case OP_cos:
    case OP_floor:
    case OP_round:
      return build_unary(graph, op, real_operand(sample, NULL, NULL, DOMAIN_ANY));
    case OP_exp:
      return build_unary(graph, op, real_operand(sample, NULL, NULL, DOMAIN_SMALL));
    case OP_log:
    case OP_sqrt:
    case OP_rsqrt:
      return build_unary(graph, op, real_operand(sample, NULL, NULL, DOMAIN_POSITIVE));
    case OP_not:
      return build_unary(graph, op, boolean_operand(sample));
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
      x = number_operand(sample, NULL, NULL, DOMAIN_ANY);
      return build_binary(graph, op, x, number_operand(sample, NULL, NULL, DOMAIN_ANY));
    case OP_div:
    case OP_mod:
      x = number_operand(sample, NULL, NULL, DOMAIN_ANY);
      return build_binary(graph, op, x, number_operand(sample, NULL, NULL, DOMAIN_NONZERO));
    case OP_quotient:
      x = integer_operand(sample, NULL, NULL, false);
      return build_binary(graph, op, x, integer_operand(sample, NULL, NULL, true));
    case OP_pow:
      x = real_operand(sample, NULL, NULL, DOMAIN_POSITIVE);
      return build_binary(graph, op, x, real_operand(sample, NULL, NULL, DOMAIN_SMALL));
    case OP_and:
    case OP_or:
      x = boolean_operand(sample);
      return build_binary(graph, op, x, boolean_operand(sample));
    case OP_where: {
      struct value *condition = boolean_operand(sample);
      x = number_operand(sample, NULL, NULL, DOMAIN_ANY);
      return build_where(graph, condition, x, number_operand(sample, NULL, NULL, DOMAIN_ANY));
    }
    case OP_reduce_sum:
    case OP_reduce_max:
      return make_reduce(sample, op);
    case OP_scan:
      axis = any_axis(sample);
      return build_scan(graph, number_operand(sample, axis, NULL, DOMAIN_ANY), axis, chance(sample, 50));
    case OP_top:
      return make_top(sample);
    case OP_contract:
      return make_contract(sample);
    case OP_gather:
      return make_gather(sample);
    case OP_scatter_add:
      return make_scatter(sample);
    case OP_rename:
      axis = constant_axis(sample);
      x = number_operand(sample, axis, NULL, DOMAIN_ANY);
      return build_rename(graph, x, axis, axis_of(sample, "renamed", axis->extent));
    case OP_split:
    case OP_merge:
      return make_split_or_merge(sample, op);
    case OP_slice:
    case OP_pad:
      return make_slice_or_pad(sample, op);
    case OP_select:
      axis = constant_axis(sample);
      x = number_operand(sample, axis, NULL, DOMAIN_ANY);
      return build_select(graph, x, axis, below(sample, (int)axis->extent));
    case OP_expand:
      return make_expand(sample);
    case OP_concat:
      return make_concat(sample);
    case OP_stop:
      sample->differentiable = false;
      return build_stop(graph, real_operand(sample, NULL, NULL, DOMAIN_ANY));
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

static struct sample *begin(struct arena *arena, const char *name, uint64_t seed, int flags) {
  /* Short and odd, and all six together few enough that a value may have every one of them. */
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
  for (int i = 0; i < 6; i++) {
    if (i == 5 && flags & SAMPLE_SIZES) {
      const struct size *size = size_new(sample->graph, "window", 2 + below(sample, 3));
      sample->axes[i] = axis_new_sized(sample->graph, names[i], size, (struct span){0});
      sample->sizes[size->index] = 1 + below(sample, (int)size->bound);
    } else {
      sample->axes[i] = axis_of(sample, names[i], lengths[i][below(sample, 2)]);
    }
  }
  sample->batch = sample->axes[0];
  return sample;
}

struct sample *sample_operation(struct arena *arena, enum op op, uint64_t seed, int flags) {
  struct sample *sample = begin(arena, op_facts[op].name, seed ^ hash_path(op_facts[op].name), flags);
  graph_add_output(sample->graph, "result", make(sample, op));
  return sample;
}

struct sample *sample_graph(struct arena *arena, int operations, uint64_t seed, int flags) {
  struct sample *sample = begin(arena, "sample", seed, flags);
  sample->several = true;
  for (int i = 0; i < operations; i++) {
    enum op op = (enum op)below(sample, OP_COUNT);
    /* Gradients belong before autodiff, and what is not differentiable as it stands is of no use in a smooth graph. */
    bool skip = op == OP_gradient || (smooth(sample) && (op == OP_stop || op == OP_update));
    sample->graph->origin.path = i % 3 ? "layer.0" : "";
    sample->graph->origin.function = i % 2 ? "layer" : "";
    if (skip) continue;
    struct value *value = make(sample, op);
    if (value->op != OP_input && !value->name) value->name = arena_format(arena, "layer.0.v%d", i);
  }
  struct graph *graph = sample->graph;
  bool *used = arena_new_array(arena, bool, graph->next_value);
  int values = graph->values.count;
  for (int i = 0; i < values; i++)
    for (int j = 0; j < graph->values.items[i]->input_count; j++) used[graph->values.items[i]->inputs[j]->id] = true;
  for (int i = 0; i < values; i++)
    if (!used[graph->values.items[i]->id])
      graph_add_output(graph, arena_format(arena, "out_%d", graph->outputs.count), graph->values.items[i]);
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
                              .seed = 42,
                              .input = find_input,
                              .state = find_state,
                              .context = sample};
}
