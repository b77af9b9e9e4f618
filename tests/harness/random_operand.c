#include "tests/harness/random_operand.h"

#include <math.h>
#include <string.h>

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
uint64_t sample_draw(struct sample *sample) {
  uint64_t z = sample->state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

int sample_below(struct sample *sample, int bound) { return (int)(sample_draw(sample) % (uint64_t)bound); }
bool sample_chance(struct sample *sample, int percent) { return sample_below(sample, 100) < percent; }
static double unit(struct sample *sample) { return (double)(sample_draw(sample) >> 40) / 16777216.0; }
bool sample_smooth(const struct sample *sample) { return sample->flags & SAMPLE_SMOOTH; }

double sample_real_number(struct sample *sample, enum domain domain, bool coarse) {
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
  return (double)(float)x; /* so that programs with floats get the same number */
}

double sample_extreme_number(struct sample *sample) {
  static const double numbers[] = {
      0,        -0.0,           INFINITY,        -INFINITY, NAN,     0x1p-149, -0x1p-149, 0x1p-130,
      0x1p-126, 0x1.fffffep127, -0x1.fffffep127, 0x1p100,   -0x1p90, 0x1p64,   0x1p24,    88,
      -104};
  return numbers[sample_below(sample, (int)(sizeof numbers / sizeof *numbers))];
}

/* Puts extreme numbers into some leaves, only a few of them, since elements that they spoil are no longer compared. */
static void add_extremes(struct sample *sample, double *data, int64_t count) {
  if (!(sample->flags & SAMPLE_EXTREME) || sample_chance(sample, 40)) return;
  int share = sample_chance(sample, 20) ? 50 : 4;
  for (int64_t i = 0; i < count; i++)
    if (sample_chance(sample, share)) data[i] = sample_extreme_number(sample);
}

struct axis *sample_axis_of(struct sample *sample, const char *name, int64_t extent) {
  return axis_new(sample->graph, name, extent, (struct span){0});
}

static int64_t present(const struct sample *sample, struct axis *const *axes, int count) {
  int64_t product = 1;
  for (int i = 0; i < count; i++) product *= axis_length(axes[i], sample->sizes);
  return product;
}

double *sample_add_content(struct sample *sample, const char *name, bool is_state, int64_t count) {
  struct content content = {name, is_state, count, arena_new_array(sample->arena, double, count)};
  array_push(sample->arena, &sample->contents, content);
  return content.data;
}

const char *sample_fresh_name(struct sample *sample, const char *stem) {
  return arena_format(sample->arena, "%s_%d", stem, sample->input_count++);
}

struct state *sample_new_state(struct sample *sample, enum kind kind, struct axis *const *axes, int count,
                               enum role role) {
  struct state *state = arena_new_struct(sample->arena, struct state);
  state->name = sample_fresh_name(sample, "state");
  state->role = role;
  state->kind = kind;
  state->axes = arena_new_array(sample->arena, struct axis *, count);
  if (count) memcpy(state->axes, axes, sizeof *axes * (size_t)count);
  state->axis_count = count;
  state->initial = (enum initial)sample_below(sample, 3);
  if (kind != KIND_REAL) state->initial = INITIAL_CONSTANT;
  state->high = state->initial == INITIAL_CONSTANT ? 0 : 0.02;
  state->stream = hash_path(state->name);
  array_push(sample->arena, &sample->program.states, state);
  return state;
}

/* Has some parameters be pruned ones: about as many of their elements are zero as they say, or fewer, or more. */
static void prune_some(struct sample *sample, struct state *state, double *data, int64_t elements) {
  if (state->axis_count < 2 || !sample_chance(sample, 40)) return;
  const int percent = (int)sample_below(sample, 100);
  for (int64_t i = 0; i < elements; i++)
    if (sample_chance(sample, percent)) data[i] = 0;
  state->kept = 1 + sample_below(sample, (int)elements);
}

struct value *sample_real_leaf(struct sample *sample, struct axis *const *axes, int count, enum domain domain) {
  bool coarse = !sample_smooth(sample) && sample_chance(sample, 40);
  int64_t elements = present(sample, axes, count);
  bool sized = false;
  for (int i = 0; i < count; i++) sized = sized || axes[i]->size;
  double *data;
  struct state *state = NULL;
  struct value *value;
  if (sample_smooth(sample) || (!sized && sample_chance(sample, 30))) {
    state = sample_new_state(sample, KIND_REAL, axes, count, ROLE_PARAMETER);
    elements = axes_count(axes, count);
    data = sample_add_content(sample, state->name, true, elements);
    value = build_state(sample->graph, state);
  } else {
    const char *name = sample_fresh_name(sample, "real");
    data = sample_add_content(sample, name, false, elements);
    value = build_input(sample->graph, name, KIND_REAL, NULL, axes, count);
  }
  for (int64_t i = 0; i < elements; i++) data[i] = sample_real_number(sample, domain, coarse);
  add_extremes(sample, data, elements);
  if (state && !coarse && !sample_smooth(sample) && domain == DOMAIN_ANY) prune_some(sample, state, data, elements);
  return value;
}

/* Any integer of 32 bits; sums and products of such integers wrap around. */
int64_t sample_wide_integer(struct sample *sample) {
  static const int64_t edges[] = {INT32_MIN, INT32_MIN + 1, INT32_MAX, INT32_MAX - 1, 65536, -65536, 1 << 30, 46341};
  return sample_chance(sample, 50) ? edges[sample_below(sample, 8)] : (int32_t)(uint32_t)sample_draw(sample);
}

/* Integers that index `range`, or, where it is NULL, small ones and a few wide ones, without zero when `nonzero`. */
struct value *sample_integer_leaf(struct sample *sample, struct axis *const *axes, int count, struct axis *range,
                                  bool nonzero) {
  int64_t elements = present(sample, axes, count);
  const char *name = sample_fresh_name(sample, "integer");
  double *data = sample_add_content(sample, name, false, elements);
  const bool wide = !range && !sample_smooth(sample) && sample_chance(sample, 20);
  for (int64_t i = 0; i < elements; i++) {
    int64_t length = range ? axis_length(range, sample->sizes) : 0;
    data[i] = range ? (double)(sample_draw(sample) % (uint64_t)length) : sample_below(sample, 11) - 5;
    if (wide && sample_chance(sample, 30)) data[i] = (double)sample_wide_integer(sample);
    if (nonzero && data[i] == 0) data[i] = 7;
  }
  return build_input(sample->graph, name, KIND_INTEGER, range, axes, count);
}

struct value *sample_boolean_leaf(struct sample *sample, struct axis *const *axes, int count) {
  int64_t elements = present(sample, axes, count);
  const char *name = sample_fresh_name(sample, "boolean");
  double *data = sample_add_content(sample, name, false, elements);
  for (int64_t i = 0; i < elements; i++) data[i] = sample_below(sample, 2);
  return build_input(sample->graph, name, KIND_BOOLEAN, NULL, axes, count);
}

/* Axes of an operand: some of the pool in any order, `must` among them where it is given. */
int sample_choose_axes(struct sample *sample, struct axis *must, const struct axis *never, struct axis **axes) {
  struct axis *pool[6];
  int available = 0, count = 0;
  for (int i = 0; i < 6; i++)
    if (sample->axes[i] != must && sample->axes[i] != never) pool[available++] = sample->axes[i];
  int wanted = sample_below(sample, must ? 3 : 4);
  for (; count < wanted; count++) {
    int i = sample_below(sample, available);
    axes[count] = pool[i];
    pool[i] = pool[--available];
  }
  if (must) {
    int place = sample_below(sample, count + 1);
    memmove(axes + place + 1, axes + place, sizeof *axes * (size_t)(count - place));
    axes[place] = must;
    count++;
  }
  return count;
}

/* An earlier value that can be an operand here, or NULL. */
static struct value *earlier(struct sample *sample, enum kind kind, const struct axis *must, const struct axis *never) {
  if (!sample->several || sample_chance(sample, 25)) return NULL;
  struct value *found = NULL;
  int candidates = 0;
  for (int i = 0; i < sample->graph->values.count; i++) {
    struct value *value = sample->graph->values.items[i];
    bool fits = value->kind == kind && value->op != OP_call && value->axis_count <= 3 &&
                value_count(value) <= (sample->flags & SAMPLE_LONG ? 6000 : 600) && value->op != OP_constant &&
                (!must || value_has_axis(value, must)) && !(never && value_has_axis(value, never));
    if (fits && sample_below(sample, ++candidates) == 0) found = value;
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
      struct value *less = build_binary(graph, OP_sub, x, half);
      return build_where(graph, negative, less, build_binary(graph, OP_add, x, half));
    }
    case DOMAIN_SMALL:
      return x;
  }
  bug("domain %d", (int)domain);
}

struct value *sample_real_operand(struct sample *sample, struct axis *must, const struct axis *never,
                                  enum domain domain) {
  struct value *known = earlier(sample, KIND_REAL, must, never);
  bool wild = sample->flags & SAMPLE_EXTREME && sample_chance(sample, 50);
  bool calm = domain == DOMAIN_ANY && known && known->op != OP_contract && known->op != OP_exp;
  if (known) return calm || wild ? known : tame(sample, known, domain);
  struct axis *axes[MAX_AXES];
  int count = sample_choose_axes(sample, must, never, axes);
  return sample_real_leaf(sample, axes, count, domain);
}

struct value *sample_real_value(struct sample *sample, struct axis *const *axes, int count) {
  static const enum op joins[] = {OP_add, OP_sub, OP_mul, OP_max};
  struct value *leaf = sample_real_leaf(sample, axes, count, DOMAIN_ANY), *found = NULL;
  if (!sample->several || sample_chance(sample, 30)) return leaf;
  int candidates = 0;
  for (int i = 0; i < sample->graph->values.count; i++) {
    struct value *value = sample->graph->values.items[i];
    bool fits = value->kind == KIND_REAL && value->op != OP_call && value->op != OP_constant && value != leaf;
    for (int j = 0; j < value->axis_count && fits; j++) fits = value_has_axis(leaf, value->axes[j]);
    if (fits && sample_below(sample, ++candidates) == 0) found = value;
  }
  if (!found) return leaf;
  if (found->op == OP_contract || found->op == OP_exp) found = tame(sample, found, DOMAIN_ANY);
  return build_binary(sample->graph, joins[sample_below(sample, sample_smooth(sample) ? 3 : 4)], found, leaf);
}

/* Brings an integer into [-5, 5], where leaves are. */
static struct value *tame_integer(struct sample *sample, struct value *x, bool nonzero) {
  struct graph *graph = sample->graph;
  x = build_binary(graph, OP_mod, x, build_integer(graph, 11));
  x = build_binary(graph, OP_sub, x, build_integer(graph, 5));
  if (!nonzero) return x;
  struct value *is_zero = build_binary(graph, OP_eq, x, build_integer(graph, 0));
  return build_where(graph, is_zero, build_integer(graph, 7), x);
}

struct value *sample_integer_operand(struct sample *sample, struct axis *must, const struct axis *never, bool nonzero) {
  struct value *known = sample_smooth(sample) ? NULL : earlier(sample, KIND_INTEGER, must, never);
  if (known) return nonzero || sample_chance(sample, 50) ? tame_integer(sample, known, nonzero) : known;
  struct axis *axes[MAX_AXES];
  int count = sample_choose_axes(sample, must, never, axes);
  return sample_integer_leaf(sample, axes, count, NULL, nonzero);
}

struct value *sample_boolean_operand(struct sample *sample) {
  struct value *known = earlier(sample, KIND_BOOLEAN, NULL, NULL);
  if (known) return known;
  struct axis *axes[MAX_AXES];
  int count = sample_choose_axes(sample, NULL, NULL, axes);
  return sample_boolean_leaf(sample, axes, count);
}

/* An operand that is real, or integer where the operation takes both and derivatives do not matter. */
struct value *sample_number_operand(struct sample *sample, struct axis *must, const struct axis *never,
                                    enum domain domain) {
  if (!sample_smooth(sample) && sample_chance(sample, 25))
    return sample_integer_operand(sample, must, never, domain != DOMAIN_ANY);
  return sample_real_operand(sample, must, never, domain);
}

struct axis *sample_any_axis(struct sample *sample) { return sample->axes[sample_below(sample, 6)]; }

/* An axis of constant length, which views can cut and join. */
struct axis *sample_constant_axis(struct sample *sample) {
  struct axis *axis;
  do axis = sample_any_axis(sample);
  while (axis->size);
  return axis;
}

/* Some of the axes of a value, at least one where it has one. */
int sample_some_axes(struct sample *sample, const struct value *value, struct axis **axes) {
  int count = 0;
  for (int i = 0; i < value->axis_count; i++)
    if (sample_chance(sample, 50)) axes[count++] = value->axes[i];
  if (!count && value->axis_count) axes[count++] = value->axes[sample_below(sample, value->axis_count)];
  return count;
}
