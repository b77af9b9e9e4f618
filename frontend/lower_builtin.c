/* The functions that the compiler knows: one row each, looked up after the spec's own. */
#include "frontend/lower.h"

#include <math.h>
#include <string.h>

/* --- Arguments ---------------------------------------------------------------------------------------------------- */

const struct ast_expression *positional(const struct ast_expression *call, int index) {
  for (int i = 0; i < call->arguments.count; i++) {
    const struct ast_argument *argument = &call->arguments.items[i];
    if (!argument->name.parts.count && !argument->is_axis && index-- == 0) return argument->value;
  }
  return NULL;
}

int positional_count(const struct ast_expression *call) {
  int count = 0;
  for (int i = 0; i < call->arguments.count; i++)
    count += !call->arguments.items[i].name.parts.count && !call->arguments.items[i].is_axis;
  return count;
}

const struct ast_argument *named(const struct ast_expression *call, const char *name) {
  for (int i = 0; i < call->arguments.count; i++)
    if (call->arguments.items[i].name.parts.count && !strcmp(call->arguments.items[i].name.text, name))
      return &call->arguments.items[i];
  return NULL;
}

bool check_arguments(struct lowering *lowering, const struct ast_expression *call, int low, int high,
                     const char *allowed) {
  const int count = positional_count(call);
  if (count < low || (high >= 0 && count > high)) {
    const char *wanted = low == high ? arena_format(lowering->arena, "%d", low)
                         : high < 0  ? arena_format(lowering->arena, "at least %d", low)
                                     : arena_format(lowering->arena, "%d to %d", low, high);
    fail(lowering, call->span, "%s takes %s argument%s, and has %d", call->path.text, wanted,
         low == 1 && high == 1 ? "" : "s", count);
    return false;
  }
  for (int i = 0; i < call->arguments.count; i++) {
    const struct ast_argument *argument = &call->arguments.items[i];
    if (!argument->name.parts.count || !strcmp(allowed, "*")) continue;
    if (!*allowed || strcmp(argument->name.text, allowed)) {
      fail(lowering, argument->span, "%s has no argument named '%s'", call->path.text, argument->name.text);
      return false;
    }
  }
  return true;
}

struct axis *axis_argument(struct lowering *lowering, const struct ast_expression *call, int index) {
  const struct ast_expression *expression = positional(call, index);
  struct product product;
  if (!expression || !resolve_product_expression(lowering, expression, &product)) return NULL;
  if (product.count == 1) return product.factors[0];
  fail(lowering, expression->span, "one axis is expected here");
  return NULL;
}

struct value *value_argument(struct lowering *lowering, const struct ast_expression *call, int index) {
  const struct ast_expression *expression = positional(call, index);
  return expression
             ? as_value(lowering, single(lowering, evaluate(lowering, expression), expression->span), expression->span)
             : NULL;
}

struct axis *result_axis_argument(struct lowering *lowering, const struct ast_expression *call) {
  const struct ast_argument *argument = NULL;
  for (int i = 0; i < call->arguments.count && !argument; i++)
    if (call->arguments.items[i].is_axis) argument = &call->arguments.items[i];
  if (!argument) {
    fail(lowering, call->span, "%s names the axis of its result: %s(..., axis both = both), with 'both' declared",
         call->path.text, call->path.text);
    return NULL;
  }
  struct product product;
  if (!resolve_product(lowering, &argument->axis, &product)) return NULL;
  if (product.count == 1 && !product.factors[0]->size) return product.factors[0];
  if (product.count == 1)
    fail(lowering, argument->span, "%s along axis '%s' is an error in generate: its length is only known at run time",
         call->path.text, product.factors[0]->name);
  else
    fail(lowering, argument->span, "one axis is expected here");
  return NULL;
}

/* --- Elementwise -------------------------------------------------------------------------------------------------- */

static struct thing lower_elementwise(struct lowering *lowering, const struct builtin *self,
                                      const struct ast_expression *call) {
  if (!check_arguments(lowering, call, 1, 1, "")) return poison();
  return lower_unary(lowering, self->op, evaluate(lowering, positional(call, 0)), call->span);
}

static struct thing lower_round_random(struct lowering *lowering, const struct builtin *self,
                                       const struct ast_expression *call) {
  if (!check_arguments(lowering, call, 2, 2, "")) return poison();
  struct value *values[2];
  for (int i = 0; i < 2; i++) {
    const struct ast_expression *argument = positional(call, i);
    values[i] = as_real(lowering, single(lowering, evaluate(lowering, argument), argument->span), argument->span);
    if (!values[i]) return poison();
  }
  if (!has_room(lowering, call->span, values, 2, 0)) return poison();
  set_origin(lowering, call->span);
  return made(lowering, build_binary(lowering->graph, self->op, values[0], values[1]), call->span);
}

static struct thing lower_where(struct lowering *lowering, const struct builtin *self,
                                const struct ast_expression *call) {
  (void)self;
  if (!check_arguments(lowering, call, 3, 3, "")) return poison();
  struct thing parts[3];
  for (int i = 0; i < 3; i++)
    parts[i] = single(lowering, evaluate(lowering, positional(call, i)), positional(call, i)->span);
  for (int i = 0; i < 3; i++)
    if (parts[i].kind == THING_POISON) return poison();
  if (parts[0].kind == THING_NUMBER) return parts[0].number != 0 ? parts[1] : parts[2];
  for (int i = 1; i < 3; i++) {
    const struct thing other = parts[3 - i];
    if (parts[i].kind == THING_NUMBER && other.kind == THING_VALUE && other.value->kind == KIND_REAL)
      parts[i].integer = parts[i].boolean = false;
    if (parts[i].kind == THING_NUMBER && other.kind == THING_NUMBER && !other.integer) parts[i].integer = false;
  }
  struct value *values[3];
  for (int i = 0; i < 3; i++)
    if (!(values[i] = as_value(lowering, parts[i], positional(call, i)->span))) return poison();
  if (values[0]->kind != KIND_BOOLEAN)
    return fail(lowering, positional(call, 0)->span, "the condition of where must be boolean, and is %s",
                kind_names[values[0]->kind]);
  if (!has_room(lowering, call->span, values, 3, 0)) return poison();
  set_origin(lowering, call->span);
  return made(lowering, build_where(lowering->graph, values[0], values[1], values[2]), call->span);
}

static struct thing lower_stop(struct lowering *lowering, const struct builtin *self,
                               const struct ast_expression *call) {
  (void)self;
  if (!check_arguments(lowering, call, 1, 1, "")) return poison();
  struct value *value = value_argument(lowering, call, 0);
  set_origin(lowering, call->span);
  return value ? thing_value(build_stop(lowering->graph, value)) : poison();
}

/* --- Reductions --------------------------------------------------------------------------------------------------- */

/* Finds the axes that are named from argument `first` on, or all of the value's axes where none is named and that is
   allowed. */
static bool reduced_axes(struct lowering *lowering, const struct ast_expression *call, int first,
                         const struct value *value, struct axis **over, int *count) {
  *count = 0;
  for (int i = first; i < positional_count(call); i++) {
    struct product product;
    const struct ast_expression *expression = positional(call, i);
    if (!resolve_product_expression(lowering, expression, &product)) return false;
    for (int j = 0; j < product.count; j++) {
      struct axis *axis = product.factors[j];
      for (int k = 0; k < *count; k++)
        if (over[k] == axis) return refuse(lowering, expression->span, "axis '%s' is named twice", axis->name);
      if (!value_has_axis(value, axis))
        return refuse(lowering, expression->span, "%s goes over axis '%s', and the value has %s", call->path.text,
                      axis->name, shape_text(lowering, value));
      if (breaks_window_law(lowering, expression->span, axis, "reducing")) return false;
      over[(*count)++] = axis;
    }
  }
  if (*count) return true;
  if (!lowering->reduce_all)
    return refuse(lowering, call->span,
                  "%s names its axes, as in %s(x, %s%s); only optimizers and losses may leave them out",
                  call->path.text, call->path.text, first > 1 ? "0.5, " : "",
                  value->axis_count ? value->axes[value->axis_count - 1]->name : "a");
  for (int i = 0; i < value->axis_count; i++) over[(*count)++] = value->axes[i];
  return true;
}

static struct thing reduce(struct lowering *lowering, enum op op, struct value *value, struct axis *const *over,
                           int count, struct span span) {
  set_origin(lowering, span);
  return made(lowering, count ? build_reduce(lowering->graph, op, value, over, count) : value, span);
}

static struct thing lower_sum(struct lowering *lowering, const struct builtin *self,
                              const struct ast_expression *call) {
  const bool mean = !strcmp(self->name, "mean"), norm = !strcmp(self->name, "norm");
  struct axis *over[MAX_AXES];
  int count;
  if (!check_arguments(lowering, call, 1, -1, "")) return poison();
  struct value *value = value_argument(lowering, call, 0);
  if (!value || !reduced_axes(lowering, call, 1, value, over, &count)) return poison();
  set_origin(lowering, call->span);
  if (mean || norm || value->kind == KIND_BOOLEAN) value = to_real(lowering, value);
  if (norm) value = build_binary(lowering->graph, OP_mul, value, value);
  struct thing sum = reduce(lowering, OP_reduce_sum, value, over, count, call->span);
  if (norm) return lower_unary(lowering, OP_sqrt, sum, call->span);
  if (!mean) return sum;
  double elements = 1;
  for (int i = 0; i < count; i++) elements *= (double)over[i]->extent;
  return lower_binary(lowering, "/", sum, thing_number(elements, false), call->span);
}

/* max(x, a) along an axis, or max(x, y, ...) elementwise. */
static struct thing lower_max(struct lowering *lowering, const struct builtin *self,
                              const struct ast_expression *call) {
  const bool minimum = !strcmp(self->name, "min");
  if (!check_arguments(lowering, call, 1, -1, "")) return poison();
  const int arguments = positional_count(call);
  bool along = true;
  for (int i = 1; i < arguments; i++) along &= is_axis_expression(lowering, positional(call, i));
  if (!along) {
    struct thing result = evaluate(lowering, positional(call, 0));
    for (int i = 1; i < arguments; i++)
      result = lower_binary(lowering, self->name, result, evaluate(lowering, positional(call, i)), call->span);
    return result;
  }
  struct axis *over[MAX_AXES];
  int count;
  struct value *value = value_argument(lowering, call, 0);
  if (!value || !reduced_axes(lowering, call, 1, value, over, &count)) return poison();
  set_origin(lowering, call->span);
  if (value->kind == KIND_BOOLEAN) value = to_real(lowering, value);
  if (!minimum) return reduce(lowering, OP_reduce_max, value, over, count, call->span);
  /* The least integer has no negative, so the order of integers is reversed by -1 - x. */
  struct graph *graph = lowering->graph;
  const bool integer = value->kind == KIND_INTEGER;
  value = integer ? build_binary(graph, OP_sub, build_integer(graph, -1), value) : build_unary(graph, OP_neg, value);
  const struct thing result = reduce(lowering, OP_reduce_max, value, over, count, call->span);
  if (!integer) return lower_unary(lowering, OP_neg, result, call->span);
  return result.kind != THING_VALUE ? result
                                    : thing_value(build_binary(graph, OP_sub, build_integer(graph, -1), result.value));
}

/* quantile(x, q, a, ...) */
static struct thing lower_quantile(struct lowering *lowering, const struct builtin *self,
                                   const struct ast_expression *call) {
  (void)self;
  if (!check_arguments(lowering, call, 2, -1, "")) return poison();
  const struct ast_expression *second = positional(call, 1);
  struct axis *over[MAX_AXES];
  int count;
  struct value *value = value_argument(lowering, call, 0);
  const struct thing share = single(lowering, evaluate(lowering, second), second->span);
  if (share.kind == THING_NUMBER && !(share.number >= 0 && share.number <= 1))
    return fail(lowering, second->span, "the share of a quantile is a number from 0 to 1, and here it is %.10g",
                share.number);
  struct value *q = as_real(lowering, share, second->span);
  if (!value || !q || !reduced_axes(lowering, call, 2, value, over, &count)) return poison();
  if (q->axis_count)
    return fail(lowering, second->span, "the share of a quantile is one number, and this has %s",
                shape_text(lowering, q));
  for (int i = 0; i < count; i++)
    if (over[i]->size)
      return fail(lowering, call->span,
                  "quantile over axis '%s' is an error in generate: its length is only known at run time",
                  over[i]->name);
  set_origin(lowering, call->span);
  return made(lowering, build_quantile(lowering->graph, value, q, over, count), call->span);
}

/* --- Axes as numbers ---------------------------------------------------------------------------------------------- */

static struct thing lower_size(struct lowering *lowering, const struct builtin *self,
                               const struct ast_expression *call) {
  (void)self;
  struct product product;
  if (!check_arguments(lowering, call, 1, 1, "") ||
      !resolve_product_expression(lowering, positional(call, 0), &product))
    return poison();
  return thing_number((double)product_extent(&product), true);
}

static struct thing lower_index(struct lowering *lowering, const struct builtin *self,
                                const struct ast_expression *call) {
  const bool position = !strcmp(self->name, "position");
  if (!check_arguments(lowering, call, 1, 1, "")) return poison();
  struct axis *axis = axis_argument(lowering, call, 0);
  if (!axis) return poison();
  set_origin(lowering, call->span);
  if (is_window(lowering, axis)) {
    if (!position)
      return fail(lowering, call->span,
                  "index(%s) is an error in generate: it would number the rows of a window. position(%s) is where "
                  "they stand in the whole",
                  axis->name, axis->name);
    struct value *where = lowering->run_inputs[RUN_POSITION];
    if (!value_has_axis(where, axis)) where = build_rename(lowering->graph, where, lowering->window_axis, axis);
    return thing_value(where);
  }
  return thing_value(build_index(lowering->graph, axis));
}

static struct thing lower_given(struct lowering *lowering, const struct builtin *self,
                                const struct ast_expression *call) {
  (void)self;
  if (!check_arguments(lowering, call, 1, 1, "")) return poison();
  const struct ast_expression *argument = positional(call, 0);
  const struct symbol *symbol = argument->kind == AST_PATH && argument->path.parts.count == 1
                                    ? scope_find(lowering->frame->scope, argument->path.text)
                                    : NULL;
  if (!symbol) return fail(lowering, argument->span, "given(name) asks whether a parameter of this function was given");
  return thing_boolean(symbol->thing.kind != THING_NONE);
}

/* --- The table ---------------------------------------------------------------------------------------------------- */

/* By operation. The language calls those by name whose rows have PROPERTY_CALLED. */
static const struct builtin elementwise[OP_COUNT] = {
#define ELEMENTWISE(name, noun, class, inputs, takes, gives, properties, price, operations, real, integer, boolean) \
  [OP_##name] = {#name, lower_elementwise, OP_##name},
#include "ir/ops.def"
};

static const struct builtin others[] = {
    {"where", lower_where, OP_where},
    {"stop", lower_stop, OP_stop},
    {"sum", lower_sum, OP_reduce_sum},
    {"mean", lower_sum, OP_reduce_sum},
    {"norm", lower_sum, OP_reduce_sum},
    {"max", lower_max, OP_max},
    {"min", lower_max, OP_min},
    {"size", lower_size, OP_index},
    {"index", lower_index, OP_index},
    {"position", lower_index, OP_index},
    {"given", lower_given, OP_constant},
    {"uniform", lower_draw, OP_random},
    {"normal", lower_draw, OP_random},
    {"top", lower_top, OP_top},
    {"scan", lower_scan, OP_scan},
    {"stack", lower_stack, OP_concat},
    {"concat", lower_concat, OP_concat},
    {"pad", lower_pad, OP_pad},
    {"cached", lower_cached, OP_update},
    {"round_random", lower_round_random, OP_round_random},
    {"quantile", lower_quantile, OP_quantile},
};

const struct builtin *find_builtin(const char *name) {
  for (int op = 0; op < OP_COUNT; op++)
    if (op_facts[op].properties & PROPERTY_CALLED && !strcmp(op_facts[op].name, name)) return &elementwise[op];
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (!strcmp(others[i].name, name)) return &others[i];
  return NULL;
}

void collect_builtin_names(struct lowering *lowering, names *into) {
  for (int op = 0; op < OP_COUNT; op++)
    if (op_facts[op].properties & PROPERTY_CALLED) array_push(lowering->arena, into, op_facts[op].name);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) array_push(lowering->arena, into, others[i].name);
}
