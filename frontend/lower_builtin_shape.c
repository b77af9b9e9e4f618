/* Functions that change shapes, order elements, remember windows, or draw numbers. */
#include "frontend/lower.h"

#include <string.h>

/* The value at an argument, checked to have the axis and not to break the law of windows; NULL after an error. */
static struct value *along(struct lowering *lowering, const struct ast_expression *call, int value_index,
                           struct axis *axis) {
  struct value *value = value_argument(lowering, call, value_index);
  if (!value || !axis) return NULL;
  if (!value_has_axis(value, axis)) {
    fail(lowering, positional(call, value_index)->span, "%s goes along axis '%s', and the value has %s",
         call->path.text, axis->name, shape_text(lowering, value));
    return NULL;
  }
  if (breaks_window_law(lowering, call->span, axis, arena_format(lowering->arena, "%s along", call->path.text)))
    return NULL;
  return value;
}

struct thing lower_scan(struct lowering *lowering, const struct builtin *self, const struct ast_expression *call) {
  (void)self;
  if (!check_arguments(lowering, call, 2, 2, "")) return poison();
  struct axis *axis = axis_argument(lowering, call, 1);
  struct value *value = along(lowering, call, 0, axis);
  if (!value) return poison();
  set_origin(lowering, call->span);
  if (value->kind == KIND_BOOLEAN) value = to_real(lowering, value);
  return made(lowering, build_scan(lowering->graph, value, axis, false), call->span);
}

/* values, indices = top(x, axis, pick): the size(pick) largest, descending. */
struct thing lower_top(struct lowering *lowering, const struct builtin *self, const struct ast_expression *call) {
  (void)self;
  if (!check_arguments(lowering, call, 3, 3, "")) return poison();
  struct axis *axis = axis_argument(lowering, call, 1), *pick = axis_argument(lowering, call, 2);
  struct value *value = along(lowering, call, 0, axis);
  if (!value || !pick) return poison();
  if (pick->size || (axis->size && pick->extent > 1))
    return fail(lowering, call->span,
                "in generate '%s' may have fewer than %lld rows: its length is only known at run time, and only the "
                "largest one "
                "is always there",
                (pick->size ? pick : axis)->name, (long long)pick->extent);
  if (pick->extent > axis->extent)
    return fail(lowering, call->span, "%s=%lld largest elements are wanted of axis %s, which has only %lld", pick->name,
                (long long)pick->extent, axis->name, (long long)axis->extent);
  if (value_has_axis(value, pick))
    return fail(lowering, call->span, "axis '%s' would come twice: the value has %s", pick->name,
                shape_text(lowering, value));
  set_origin(lowering, call->span);
  if (value->kind == KIND_BOOLEAN) value = to_real(lowering, value);
  struct thing *results = arena_new_array(lowering->arena, struct thing, 2);
  struct value *index = build_top(lowering->graph, value, axis, pick);
  results[0] = made(lowering, build_gather(lowering->graph, value, axis, index), call->span);
  results[1] = thing_value(index);
  return (struct thing){.kind = THING_TUPLE, .items = results, .item_count = 2};
}

static struct thing join(struct lowering *lowering, const struct ast_expression *call, struct value **parts,
                         struct axis **axes, int count, struct axis *result) {
  int64_t total = 0;
  for (int i = 0; i < count; i++) total += axes[i]->extent;
  if (total != result->extent)
    return fail(lowering, call->span, "%s gives %lld elements, and axis %s has %lld", call->path.text, (long long)total,
                result->name, (long long)result->extent);
  for (int i = 0; i < count; i++)
    if (value_has_axis(parts[i], result) && axes[i] != result)
      return fail(lowering, call->span, "axis '%s' would come twice: a part has %s", result->name,
                  shape_text(lowering, parts[i]));
  for (int i = 0; i < count; i++)
    for (int j = 0; j < count; j++)
      if (axes[i] != axes[j] && axes[i] != result && value_has_axis(parts[j], axes[i]))
        return fail(lowering, call->span,
                    "one part is joined along axis '%s', and another keeps it: the parts are aligned by it",
                    axes[i]->name);
  bool real = false;
  for (int i = 1; i < count; i++) real |= parts[i]->kind != parts[0]->kind;
  set_origin(lowering, call->span);
  for (int i = 0; real && i < count; i++) parts[i] = to_real(lowering, parts[i]);
  if (!has_room(lowering, call->span, parts, count, 1)) return poison();
  for (int i = 0; i < count; i++) {
    struct axis *lacking[MAX_AXES * 2];
    int lacking_count = 0;
    for (int j = 0; j < count; j++)
      for (int k = 0; k < parts[j]->axis_count; k++) {
        struct axis *axis = parts[j]->axes[k];
        bool known = axis == axes[j] || value_has_axis(parts[i], axis);
        for (int l = 0; l < lacking_count; l++) known |= lacking[l] == axis;
        if (!known) lacking[lacking_count++] = axis;
      }
    parts[i] = build_expand(lowering->graph, parts[i], lacking, lacking_count);
  }
  return made(lowering, build_concat(lowering->graph, parts, axes, count, result), call->span);
}

/* stack(x, y, ..., axis two = two): a new axis, one element for each argument. */
struct thing lower_stack(struct lowering *lowering, const struct builtin *self, const struct ast_expression *call) {
  (void)self;
  if (!check_arguments(lowering, call, 1, -1, "*")) return poison();
  const int count = positional_count(call);
  struct axis *result = result_axis_argument(lowering, call);
  struct value **parts = arena_new_array(lowering->arena, struct value *, count);
  struct axis **axes = arena_new_array(lowering->arena, struct axis *, count);
  bool real = false, good = result != NULL;
  for (int i = 0; i < count; i++) {
    if (!(parts[i] = value_argument(lowering, call, i)))
      good = false;
    else
      real |= parts[i]->kind == KIND_REAL;
  }
  if (!good) return poison();
  struct axis *one = fresh_axis(lowering, "one", 1, NULL, call->span);
  if (!has_room(lowering, call->span, parts, count, 1)) return poison();
  set_origin(lowering, call->span);
  for (int i = 0; i < count; i++) {
    if (value_has_axis(parts[i], result))
      return fail(lowering, positional(call, i)->span, "axis '%s' would come twice: this has %s", result->name,
                  shape_text(lowering, parts[i]));
    if (real) parts[i] = to_real(lowering, parts[i]);
    parts[i] = build_expand(lowering->graph, parts[i], &one, 1);
    axes[i] = one;
  }
  return join(lowering, call, parts, axes, count, result);
}

/* concat(x, a, y, b, axis both = both): x along a, then y along b. */
struct thing lower_concat(struct lowering *lowering, const struct builtin *self, const struct ast_expression *call) {
  (void)self;
  if (!check_arguments(lowering, call, 2, -1, "*")) return poison();
  const int count = positional_count(call) / 2;
  if (positional_count(call) % 2) return fail(lowering, call->span, "concat takes pairs of a value and its axis");
  struct axis *result = result_axis_argument(lowering, call);
  struct value **parts = arena_new_array(lowering->arena, struct value *, count);
  struct axis **axes = arena_new_array(lowering->arena, struct axis *, count);
  bool good = result != NULL;
  for (int i = 0; i < count; i++) {
    axes[i] = axis_argument(lowering, call, 2 * i + 1);
    if (!(parts[i] = along(lowering, call, 2 * i, axes[i]))) good = false;
    if (good && axes[i]->size)
      good =
          refuse(lowering, call->span,
                 "concat along axis '%s' is an error in generate: its length is only known at run time", axes[i]->name);
  }
  return good ? join(lowering, call, parts, axes, count, result) : poison();
}

/* pad(x, a, before, axis longer = longer[, value]) */
struct thing lower_pad(struct lowering *lowering, const struct builtin *self, const struct ast_expression *call) {
  (void)self;
  if (!check_arguments(lowering, call, 3, 4, "*")) return poison();
  struct axis *axis = axis_argument(lowering, call, 1), *result = result_axis_argument(lowering, call);
  struct value *value = along(lowering, call, 0, axis);
  int64_t before = 0;
  double number = 0;
  if (!evaluate_integer(lowering, positional(call, 2), "how much comes before", 0, INT32_MAX, &before)) return poison();
  if (positional(call, 3) && !evaluate_number(lowering, positional(call, 3), "what is padded with", &number))
    return poison();
  if (!value || !result) return poison();
  if (axis->size)
    return fail(lowering, call->span,
                "pad along axis '%s' is an error in generate: its length is only known at run time", axis->name);
  if (before + axis->extent > result->extent)
    return fail(lowering, call->span, "%lld elements before %s=%lld make more than axis %s=%lld has", (long long)before,
                axis->name, (long long)axis->extent, result->name, (long long)result->extent);
  if (value_has_axis(value, result))
    return fail(lowering, call->span, "axis '%s' would come twice: the value has %s", result->name,
                shape_text(lowering, value));
  set_origin(lowering, call->span);
  return made(lowering, build_pad(lowering->graph, value, axis, result, before, number), call->span);
}

/* --- Memory of windows -------------------------------------------------------------------------------------------- */

static const char *cache_name(struct lowering *lowering, const struct ast_expression *argument) {
  const struct ast_expression *base = argument;
  while (base->kind == AST_VIEW) base = base->left;
  const char *what = base->kind == AST_PATH ? base->path.text : "value";
  const char *name = join_path(lowering->arena, lowering->frame->path, what);
  const int ordinal = next_ordinal(lowering, arena_format(lowering->arena, "cache %s", name));
  return arena_format(lowering->arena, ordinal ? "%s/cache%d" : "%s/cache", name, ordinal + 1);
}

/* cached(k[seq -> past]) is a rename; in a step of generation its result has all rows so far, of which k are the
   newest. */
struct thing lower_cached(struct lowering *lowering, const struct builtin *self, const struct ast_expression *call) {
  (void)self;
  if (!check_arguments(lowering, call, 1, 1, "")) return poison();
  const struct ast_expression *argument = positional(call, 0);
  if (argument->kind != AST_VIEW || argument->views.count != 1 || argument->views.items[0].kind != VIEW_RENAME)
    return fail(lowering, argument->span,
                "cached takes a value whose window is renamed: cached(k[seq -> past]), with 'axis past == seq'");
  const struct ast_view *view = &argument->views.items[0];
  struct product from, to;
  const bool good = resolve_product(lowering, &view->from, &from);
  if (!resolve_product(lowering, &view->to, &to) || !good) return poison();
  if (from.count != 1 || to.count != 1) return fail(lowering, view->span, "cached renames one axis to one axis");
  struct value *value = as_value(lowering, single(lowering, evaluate(lowering, argument->left), argument->left->span),
                                 argument->left->span);
  if (!value) return poison();
  if (!is_window(lowering, from.factors[0])) {
    value = apply_rename(lowering, value, &from, &to, view->span);
    if (!value) return poison();
    value->cached = cache_name(lowering, argument);
    return made(lowering, value, call->span);
  }
  struct axis *window = from.factors[0], *past = to.factors[0];
  if (!is_past(lowering, past))
    return fail(lowering, view->span, "axis '%s' must be declared 'axis %s == %s' to hold the rows so far", past->name,
                past->name, window->name);
  if (!value_has_axis(value, window))
    return fail(lowering, view->span, "there is no axis '%s' to change here: this has %s", window->name,
                shape_text(lowering, value));
  if (value_has_axis(value, past))
    return fail(lowering, view->span, "axis '%s' would come twice: this has %s", past->name,
                shape_text(lowering, value));
  if (lowering->in_region)
    return fail(lowering, call->span, "cached cannot stand in a function with a gradient of its own");
  struct axis *axes[MAX_AXES + 2];
  int count = 0;
  axes[count++] = lowering->batch;
  axes[count++] = past;
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] != window && value->axes[i] != lowering->batch) axes[count++] = value->axes[i];
  if (count > MAX_AXES) return fail(lowering, call->span, "the cache would have more than %d axes", MAX_AXES);
  set_origin(lowering, call->span);
  struct state *state =
      state_new(lowering, cache_name(lowering, argument), ROLE_CACHE, value->kind, axes, count, call->span);
  struct value *position = lowering->run_inputs[RUN_POSITION];
  if (window != lowering->window_axis)
    position = build_rename(lowering->graph, position, lowering->window_axis, window);
  value = build_expand(lowering->graph, value, (struct axis *[]){lowering->batch}, 1);
  return made(lowering, build_update(lowering->graph, state, value, past, position), call->span);
}

/* --- Random numbers ----------------------------------------------------------------------------------------------- */

/* uniform(like x), normal(like x); with numbers and axes: normal(std, a, ...), uniform(low, high, a, ...). */
struct thing lower_draw(struct lowering *lowering, const struct builtin *self, const struct ast_expression *call) {
  const bool normal = !strcmp(self->name, "normal");
  if (!check_arguments(lowering, call, 0, -1, "like")) return poison();
  struct axis *axes[MAX_AXES + 1];
  int count = 0, numbers = 0;
  bool keyed = false, good = true;
  const struct ast_argument *like = named(call, "like");
  if (lowering->example_axis) axes[count++] = lowering->example_axis, keyed = true;
  if (like) {
    const struct value *value = like->value ? as_value(lowering, evaluate(lowering, like->value), like->span) : NULL;
    if (!value) return poison();
    for (int i = 0; i < value->axis_count; i++)
      if (value->axes[i] != lowering->example_axis && count < MAX_AXES) axes[count++] = value->axes[i];
  }
  struct thing amounts[2] = {poison(), poison()};
  for (int i = 0; i < positional_count(call); i++) {
    const struct ast_expression *argument = positional(call, i);
    struct product product;
    if (!is_axis_expression(lowering, argument)) {
      if (numbers == 2)
        return fail(lowering, argument->span, "%s takes two numbers at most, and then axes", self->name);
      amounts[numbers++] = single(lowering, evaluate(lowering, argument), argument->span);
      continue;
    }
    if (!resolve_product_expression(lowering, argument, &product)) return poison();
    for (int j = 0; j < product.count && good; j++) {
      for (int k = 0; k < count; k++) good &= axes[k] != product.factors[j];
      if (!good || count >= MAX_AXES)
        return fail(lowering, argument->span, "axis '%s' is too many here", product.factors[j]->name);
      axes[count++] = product.factors[j];
    }
  }
  if (!like && !lowering->example_axis && !count)
    return fail(lowering, call->span,
                "%s draws a number for each element of something: %s(like x), or %s(%s, axis, ...)", self->name,
                self->name, self->name, normal ? "std" : "low, high");
  if (lowering->in_region)
    return fail(lowering, call->span, "%s cannot stand in a function with a gradient of its own", self->name);
  for (int i = 0; i < count; i++) {
    keyed |= axes[i] == lowering->batch;
    if (breaks_window_law(lowering, call->span, axes[i], "drawing along")) return poison();
  }
  const char *path = lowering->frame->path;
  const int ordinal = next_ordinal(lowering, arena_format(lowering->arena, "draw %s", path));
  set_origin(lowering, call->span);
  struct value *step = run_input(lowering, RUN_STEP), *example = keyed ? run_input(lowering, RUN_EXAMPLE) : NULL;
  set_origin(lowering, call->span);
  struct value *draw =
      build_random(lowering->graph, normal ? DISTRIBUTION_NORMAL : DISTRIBUTION_UNIFORM,
                   hash_path(arena_format(lowering->arena, "%s#%d", path, ordinal)), step, example, axes, count);
  struct thing result = made(lowering, draw, call->span);
  if (numbers == 0) return result;
  if (normal) {
    result = lower_binary(lowering, "*", amounts[numbers - 1], result, call->span);
    return numbers == 2 ? lower_binary(lowering, "+", amounts[0], result, call->span) : result;
  }
  if (numbers == 1)
    return fail(lowering, call->span, "uniform takes two numbers, from where to where, or none for 0 to 1");
  const struct thing width = lower_binary(lowering, "-", amounts[1], amounts[0], call->span);
  return lower_binary(lowering, "+", amounts[0], lower_binary(lowering, "*", width, result, call->span), call->span);
}
