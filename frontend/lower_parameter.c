/* Parameters: one state for each path, the same in every graph of the program. */
#include "frontend/lower.h"

#include <string.h>

struct state *state_new(struct lowering *lowering, const char *name, enum role role, enum kind kind,
                        struct axis *const *axes, int axis_count, struct span span) {
  struct state *state = arena_new_struct(lowering->arena, struct state);
  *state = (struct state){
      .name = name, .role = role, .kind = kind, .axis_count = axis_count, .stream = hash_path(name), .span = span};
  state->axes = arena_new_array(lowering->arena, struct axis *, axis_count);
  if (axis_count) memcpy(state->axes, axes, sizeof *axes * (size_t)axis_count);
  table_set(lowering->arena, &lowering->states, name, state);
  array_push(lowering->arena, &lowering->program->states, state);
  return state;
}

/* --- What a declaration says -------------------------------------------------------------------------------------- */

struct draws {
  enum initial initial;
  double low, high;
};

static bool read_draw(struct lowering *lowering, const struct ast_expression *draw, struct draws *draws) {
  const bool normal = draw->kind == AST_CALL && !strcmp(draw->path.text, "normal");
  const bool uniform = draw->kind == AST_CALL && !strcmp(draw->path.text, "uniform");
  if (!normal && !uniform) {
    fail(lowering, draw->span, "a parameter is drawn from normal(std), normal(mean, std) or uniform(low, high)");
    return false;
  }
  if (!check_arguments(lowering, draw, normal ? 1 : 2, 2, "")) return false;
  double numbers[2] = {0, 0};
  const int count = positional_count(draw);
  for (int i = 0; i < count; i++)
    if (!evaluate_number(lowering, positional(draw, i), "how a parameter is drawn", &numbers[i])) return false;
  draws->initial = normal ? INITIAL_NORMAL : INITIAL_UNIFORM;
  draws->low = count == 2 ? numbers[0] : 0;
  draws->high = numbers[count - 1];
  if (normal && !(draws->high >= 0)) {
    fail(lowering, draw->span, "a standard deviation must be 0 or more, and is %g", draws->high);
    return false;
  }
  return true;
}

static bool read_initial(struct lowering *lowering, const struct ast_statement *statement, struct draws *draws) {
  switch (statement->initial) {
    case INITIALISE_NONE:
      fail(lowering, statement->span, "a parameter says how it begins: '= 0', or '~ normal(0.02)'");
      return false;
    case INITIALISE_VALUE:
      draws->initial = INITIAL_CONSTANT;
      return evaluate_number(lowering, statement->expression, "a parameter's initial value", &draws->low);
    case INITIALISE_DRAW:
      return read_draw(lowering, statement->expression, draws);
  }
  return false;
}

/* The dimensions of a declaration: for each, an axis of the file, and the product of axes that it is in the body. */
struct dimensions {
  struct axis *axes[MAX_AXES];
  struct product products[MAX_AXES];
  int count;
};

static bool read_dimensions(struct lowering *lowering, const struct ast_statement *statement,
                            struct dimensions *dimensions) {
  bool good = true;
  double elements = 1;
  dimensions->count = 0;
  for (int i = 0; i < statement->dims.count; i++) {
    const struct ast_product *dim = &statement->dims.items[i];
    struct product *product = &dimensions->products[dimensions->count];
    if (dimensions->count == MAX_RANK)
      return refuse(lowering, dim->span, "a parameter has at most %d axes; a product such as [a * b] is one", MAX_RANK);
    if (!resolve_product(lowering, dim, product)) {
      good = false;
      continue;
    }
    for (int j = 0; j < product->count; j++) {
      const struct axis *axis = product->factors[j];
      if (is_window(lowering, axis) || is_past(lowering, axis))
        good =
            refuse(lowering, dim->span,
                   "a parameter with axis '%s' is an error in generate: a step sees only a window of it. Index a table "
                   "that is as long as the limit, as in wpe.weight[pos = position(%s)]",
                   axis->name, axis->name);
      if (axis == lowering->batch) good = refuse(lowering, dim->span, "a parameter cannot have the axis 'batch'");
      for (int k = 0; k < dimensions->count; k++)
        for (int l = 0; l < dimensions->products[k].count; l++)
          if (dimensions->products[k].factors[l] == axis)
            good = refuse(lowering, dim->span,
                          "axis '%s' is twice in this parameter; inside a function, two axis parameters stay apart "
                          "even when both are bound to it",
                          axis->name);
    }
    elements *= (double)product_extent(product);
    if (elements > 1099511627776.0)
      return refuse(lowering, statement->span, "this parameter has %.4g elements, and more than 2^40 are not supported",
                    elements);
    struct axis *axis = product->count == 1 ? product->factors[0]
                                            : fresh_axis(lowering, product_name(lowering, product),
                                                         product_extent(product), NULL, dim->span);
    dimensions->axes[dimensions->count++] = axis;
  }
  return good;
}

/* --- One state for each path -------------------------------------------------------------------------------------- */

/* Whether `now` is a later copy of the same declaration: copies of a repeat without a name share parameters. */
static bool is_shared(const struct sharing *now, const struct sharing *then) {
  for (const struct sharing *outer = now; outer; outer = outer->outer)
    for (const struct sharing *other = then; other; other = other->outer)
      if (outer->statement == other->statement && outer->copy != other->copy) return true;
  return false;
}

static struct state *find_or_make(struct lowering *lowering, const char *path, const struct dimensions *dimensions,
                                  const struct draws *draws, struct span span) {
  struct state *state = table_find(&lowering->states, path);
  if (state) {
    bool same = state->role == ROLE_PARAMETER && state->axis_count == dimensions->count;
    for (int i = 0; same && i < dimensions->count; i++) same = state->axes[i]->extent == dimensions->axes[i]->extent;
    if (same) return state;
    fail(lowering, span, "parameter '%s' has axes %s elsewhere and %s here", path,
         list_text(lowering, state->axes, state->axis_count), list_text(lowering, dimensions->axes, dimensions->count));
    return NULL;
  }
  state = state_new(lowering, path, ROLE_PARAMETER, KIND_REAL, dimensions->axes, dimensions->count, span);
  state->initial = draws->initial;
  state->low = draws->low;
  state->high = draws->high;
  return state;
}

/* The state's contents with the axes that this declaration gives them. */
static struct value *with_axes(struct lowering *lowering, struct value *value, const struct state *state,
                               const struct dimensions *dimensions, struct span span) {
  set_origin(lowering, span);
  /* Where an old axis in one place is the new axis in another, the rename goes through fresh axes. */
  bool crossed = false;
  for (int i = 0; i < state->axis_count; i++)
    for (int j = 0; j < state->axis_count; j++) crossed |= i != j && dimensions->axes[i] == state->axes[j];
  struct axis *now[MAX_AXES];
  for (int i = 0; i < state->axis_count; i++) {
    now[i] = state->axes[i];
    if (now[i] == dimensions->axes[i] || !crossed) continue;
    now[i] = fresh_axis(lowering, now[i]->name, now[i]->extent, NULL, span);
    value = build_rename(lowering->graph, value, state->axes[i], now[i]);
  }
  for (int i = 0; i < state->axis_count; i++) {
    if (now[i] != dimensions->axes[i]) value = build_rename(lowering->graph, value, now[i], dimensions->axes[i]);
    const struct product merged = {.factors = {dimensions->axes[i]}, .count = 1};
    if (dimensions->products[i].count != 1 && value)
      value = apply_rename(lowering, value, &merged, &dimensions->products[i], span);
    if (!value) return NULL;
  }
  return value;
}

void lower_parameter(struct lowering *lowering, const struct ast_statement *statement) {
  struct frame *frame = lowering->frame;
  const struct ast_path *target = &statement->targets.items[0];
  const char *path = join_path(lowering->arena, frame->path, target->text);
  struct dimensions dimensions;
  struct draws draws = {INITIAL_CONSTANT, 0, 0};
  if (lowering->in_region || !lowering->model || !lowering->batch || lowering->example_axis) {
    fail(lowering, statement->span, "a parameter cannot be declared in %s",
         lowering->in_region ? "a function with a gradient of its own: pass it as an argument"
                             : "data, losses and optimizers");
    return;
  }
  struct symbol *symbol = target->parts.count == 1 ? scope_find(frame->scope, target->text) : NULL;
  if (symbol) {
    fail(lowering, target->span, "'%s' already names something here", target->text);
    report_note(lowering->diagnostics, symbol->span, "declared here");
    return;
  }
  if (target->parts.count == 1 && has_own_meaning(target->text)) {
    fail(lowering, target->span, "'%s' has a meaning of its own and cannot name a parameter", target->text);
    return;
  }
  if (target->parts.count == 1 && find_axis(lowering, target->text)) {
    fail(lowering, target->span, "'%s' is an axis, and axes and values do not hide each other", target->text);
    return;
  }
  const bool good = read_dimensions(lowering, statement, &dimensions);
  if (!read_initial(lowering, statement, &draws) || !good) {
    if (target->parts.count == 1) scope_declare(lowering, frame->scope, target->text, poison(), target->span);
    return;
  }
  struct parameter *parameter = table_find(&lowering->parameter_names, path);
  if (parameter && !is_shared(frame->sharing, parameter->sharing)) {
    fail(lowering, target->span,
         "parameter '%s' is declared twice; a label at one of the calls, as in 'second: f(x)', gives it a path "
         "of its own",
         path);
    report_note(lowering->diagnostics, parameter->span, "the first declaration");
    if (target->parts.count == 1) scope_declare(lowering, frame->scope, target->text, poison(), target->span);
    return;
  }
  struct state *state = find_or_make(lowering, path, &dimensions, &draws, target->span);
  if (!state) return;
  set_origin(lowering, statement->span);
  if (!parameter) {
    parameter = arena_new_struct(lowering->arena, struct parameter);
    struct state *average = lowering->read_averages ? table_find(&lowering->averages, path) : NULL;
    *parameter = (struct parameter){.path = path, .state = state, .span = target->span};
    parameter->raw = build_state(lowering->graph, average ? average : state);
    array_push(lowering->arena, &lowering->parameters, parameter);
    table_set(lowering->arena, &lowering->parameter_names, path, parameter);
  }
  parameter->value = with_axes(lowering, parameter->raw, state, &dimensions, statement->span);
  parameter->frame = frame;
  parameter->sharing = frame->sharing;
}

/* --- Reading one from elsewhere ----------------------------------------------------------------------------------- */

static bool is_within(const struct frame *frame, const struct frame *inner) {
  for (; inner; inner = inner->caller)
    if (inner == frame) return true;
  return false;
}

static struct value *enter_frames(struct lowering *lowering, const struct frame *outer, const struct frame *inner,
                                  struct value *value) {
  if (inner == outer || !inner) return value;
  value = enter_frames(lowering, outer, inner->caller, value);
  return value ? enter_frame(lowering, inner, NULL, value) : NULL;
}

struct thing read_parameter(struct lowering *lowering, struct parameter *parameter, struct span span) {
  if (lowering->in_region)
    return fail(lowering, span,
                "a function with a gradient of its own cannot read parameters: pass '%s' as an argument",
                parameter->path);
  struct value *value = parameter->value;
  const struct frame *frame = parameter->frame;
  set_origin(lowering, span);
  for (; value && frame && !is_within(frame, lowering->frame); frame = frame->caller)
    value = leave_frame(lowering, frame, value, span);
  if (value) value = enter_frames(lowering, frame, lowering->frame, value);
  return value ? thing_value(value) : poison();
}
