/* Optimizers: one body, lowered for each parameter with the arguments that its `for` patterns leave it. */
#include "frontend/lower.h"

#include <string.h>

/* --- What the train block says about one parameter
   ------------------------------------------------------------------ */

/* An argument of the optimizer that `for "pattern" { optimizer.NAME = value }` or -D optimizer.NAME replaces. */
struct replacement {
  const char *name;
  const struct ast_expression *expression;
  struct span span;
};

struct choice {
  const struct ast_expression *call;
  ARRAY(struct replacement) replacements;
  enum { FREEZE_UNSAID, FREEZE_YES, FREEZE_NO } frozen;
};

static bool matches(const struct ast_statement *statement, const char *name) {
  for (int i = 0; i < statement->patterns.count; i++)
    if (pattern_matches(statement->patterns.items[i].text, name)) return true;
  return false;
}

/* `about`: what is said of freezing is about this parameter. */
static void choose_from(struct lowering *lowering, const struct ast_statement *statement, bool about,
                        struct choice *choice) {
  for (int i = 0; i < statement->body.count; i++) {
    const struct ast_statement *setting = statement->body.items[i];
    if (setting->kind != AST_ASSIGN || setting->targets.count != 1 || setting->expressions.count != 1) {
      fail(lowering, setting->span,
           "a 'for' in train holds settings: freeze = 1, optimizer = name(...), optimizer.decay = 0");
      continue;
    }
    const struct ast_path *target = &setting->targets.items[0];
    const struct ast_expression *value = setting->expressions.items[0];
    if (!strcmp(target->text, "freeze")) {
      int64_t frozen = 0;
      if (evaluate_integer(lowering, value, "'freeze'", 0, 1, &frozen) && about)
        choice->frozen = frozen ? FREEZE_YES : FREEZE_NO;
    } else if (!strcmp(target->text, "optimizer")) {
      choice->call = value;
      choice->replacements.count = 0;
    } else if (target->parts.count == 2 && !strcmp(target->parts.items[0].text, "optimizer")) {
      const struct replacement replacement = {target->parts.items[1].text, value, target->span};
      array_push(lowering->arena, &choice->replacements, replacement);
    } else {
      static const char *const known[] = {"freeze", "optimizer", "optimizer.lr", "optimizer.decay"};
      names candidates = {0};
      for (size_t j = 0; j < sizeof known / sizeof *known; j++) array_push(lowering->arena, &candidates, known[j]);
      fail(lowering, target->span, "'%s' is not set for single parameters%s", target->text,
           suggestion(lowering, target->text, &candidates));
    }
  }
}

static void add_overrides(struct lowering *lowering, struct choice *choice) {
  for (int i = 0; i < lowering->optimizer_overrides.count; i++) {
    const char *name = lowering->overrides.items[lowering->optimizer_overrides.items[i]].define->name;
    struct override *override = find_override(lowering, name);
    const struct ast_expression *expression = override_expression(lowering, override);
    const struct replacement replacement = {name + strlen("optimizer."), expression, override->span};
    if (expression) array_push(lowering->arena, &choice->replacements, replacement);
  }
}

/* A frame for expressions of the train block, in whose file names are looked up. */
static struct frame *train_frame(struct lowering *lowering) {
  struct frame *frame = frame_new(lowering, lowering->train_file, lowering->train, "", lowering->train->span);
  frame->caller = NULL;
  return frame;
}

/* Whether what the statement says of freezing is about the parameter that it matches: not where that is a part of an adapter, and is
   matched by patterns for the parameter that is adapted. */
static bool freezes(const struct ast_statement *statement, const struct state *state) {
  for (int i = 0; i < statement->patterns.count; i++) {
    const char *pattern = statement->patterns.items[i].text;
    const bool is_about_both = is_of_adapter(state) && pattern_matches(pattern, state->adapter->of->name);
    if (pattern_matches(pattern, state->name) && !is_about_both) return true;
  }
  return false;
}

static struct choice choose(struct lowering *lowering, const struct state *state) {
  const ast_block *block = &lowering->train->body;
  struct choice choice = {0};
  struct found_setting found;
  if (find_setting(lowering, block, "train", "optimizer", &found))
    choice.call =
        found.statement ? found.expression : override_expression(lowering, find_override(lowering, "train.optimizer"));
  add_overrides(lowering, &choice);
  struct frame *before = lowering->frame;
  lowering->frame = train_frame(lowering);
  for (int i = 0; i < block->count; i++)
    if (block->items[i]->kind == AST_FOR && matches(block->items[i], state->name))
      choose_from(lowering, block->items[i], freezes(block->items[i], state), &choice);
  lowering->frame = before;
  return choice;
}

/* A spec may say how factors of adapters are trained, by patterns with a slash, and be compiled without adapters. */
static bool is_about_absent_adapters(const struct lowering *lowering, const struct ast_statement *statement) {
  bool slashes = !lowering->program->adapters.count;
  for (int i = 0; i < statement->patterns.count; i++)
    slashes = slashes && strchr(statement->patterns.items[i].text, '/');
  return slashes;
}

void apply_freezes(struct lowering *lowering) {
  const ast_block *block = &lowering->train->body;
  names paths = {0};
  for (int i = 0; i < lowering->parameters.count; i++) {
    struct state *state = lowering->parameters.items[i]->state;
    const int frozen = choose(lowering, state).frozen;
    const bool in_base = lowering->program->adapters.count && !is_of_adapter(state);
    const bool is_fixed = state->adapter && state == state->adapter->alpha;
    state->frozen = is_fixed || frozen == FREEZE_YES || (in_base && frozen == FREEZE_UNSAID);
    array_push(lowering->arena, &paths, state->name);
  }
  for (int i = 0; i < block->count; i++) {
    const struct ast_statement *statement = block->items[i];
    if (statement->kind != AST_FOR) continue;
    bool found = false;
    for (int j = 0; j < paths.count; j++) found |= matches(statement, paths.items[j]);
    if (!found && statement->patterns.count && !is_about_absent_adapters(lowering, statement))
      fail(lowering, statement->patterns.items[0].span, "no parameter of model '%s' matches '%s'%s",
           lowering->model->name.text, statement->patterns.items[0].text,
           suggestion(lowering, statement->patterns.items[0].text, &paths));
  }
}

/* --- Arguments ---------------------------------------------------------------------------------------------------- */

/* The expression for a parameter of the optimizer, from the third on: a replacement, a named argument, or a positional
   one. */
static const struct ast_expression *argument_of(const struct choice *choice, const struct ast_item *optimizer,
                                                int index) {
  const char *name = optimizer->parameters.items[index].signature.name.text;
  for (int i = choice->replacements.count; i-- > 0;)
    if (!strcmp(choice->replacements.items[i].name, name)) return choice->replacements.items[i].expression;
  const struct ast_argument *argument = named(choice->call, name);
  return argument ? argument->value : positional(choice->call, index - 2);
}

static bool check_choice(struct lowering *lowering, const struct choice *choice, const struct ast_item *optimizer) {
  names candidates = {0};
  for (int i = 2; i < optimizer->parameters.count; i++)
    array_push(lowering->arena, &candidates, optimizer->parameters.items[i].signature.name.text);
  const int before = lowering->diagnostics->error_count;
  for (int i = 0; i < choice->call->arguments.count + choice->replacements.count; i++) {
    const int number = i - choice->call->arguments.count;
    const struct ast_argument *argument = number < 0 ? &choice->call->arguments.items[i] : NULL;
    const char *name = argument ? argument->name.text : choice->replacements.items[number].name;
    const struct span span = argument ? argument->span : choice->replacements.items[number].span;
    if (argument && !argument->name.parts.count) continue;
    bool known = false;
    for (int j = 0; j < candidates.count; j++) known |= !strcmp(candidates.items[j], name);
    if (!known)
      fail(lowering, span, "optimizer %s has no argument '%s'%s", optimizer->name.text, name,
           suggestion(lowering, name, &candidates));
  }
  if (positional_count(choice->call) > candidates.count)
    fail(lowering, choice->call->span, "optimizer %s takes at most %d arguments", optimizer->name.text,
         candidates.count);
  return lowering->diagnostics->error_count == before;
}

/* Evaluates an argument once for all parameters: a learning rate is computed once in a step. */
static struct thing shared_argument(struct lowering *lowering, const struct ast_expression *expression) {
  const char *key = arena_format(lowering->arena, "argument %p", (const void *)expression);
  struct thing *thing = table_find(&lowering->counters, key);
  if (thing) return *thing;
  struct frame *before = lowering->frame;
  lowering->frame = train_frame(lowering);
  thing = arena_new_struct(lowering->arena, struct thing);
  *thing = single(lowering, evaluate(lowering, expression), expression->span);
  if (thing->kind == THING_VALUE && thing->value->axis_count)
    *thing = fail(lowering, expression->span, "an optimizer's argument is one number, and this has axes %s",
                  shape_text(lowering, thing->value));
  lowering->frame = before;
  table_set(lowering->arena, &lowering->counters, key, thing);
  return *thing;
}

/* --- The body ----------------------------------------------------------------------------------------------------- */

/* Binds the names in p[row, col] to the axes of the parameter, in the file's order. */
static bool bind_axes(struct lowering *lowering, struct frame *frame, const struct ast_item *optimizer,
                      const struct state *parameter, struct span use) {
  const struct ast_signature *signature = &optimizer->parameters.items[0].signature;
  if (!signature->has_dims) return true;
  if (signature->dims.count != parameter->axis_count) {
    /* Only the first parameter with another number of axes is reported. */
    if (next_ordinal(lowering, arena_format(lowering->arena, "misfit %d", use.begin)) == 0)
      fail(lowering, use,
           "optimizer %s is for parameters with %d axes, and '%s' has %s; give those another, as in for \"%s\" { "
           "optimizer = "
           "adamw(lr = 1e-3) }",
           optimizer->name.text, signature->dims.count, parameter->name,
           list_text(lowering, parameter->axes, parameter->axis_count), parameter->name);
    return false;
  }
  for (int i = 0; i < signature->dims.count; i++) {
    const struct ast_product *dim = &signature->dims.items[i];
    if (dim->factors.count != 1) {
      fail(lowering, dim->span, "an optimizer names each axis of its parameter, as in p[row, col]");
      return false;
    }
    const struct thing axis = {.kind = THING_AXIS, .axis = parameter->axes[i]};
    scope_declare(lowering, frame->scope, dim->factors.items[0].text, axis, dim->span);
  }
  return true;
}

static void collect_updates(struct lowering *lowering, const struct frame *frame, pending_updates *updates) {
  for (int i = 0; i < frame->scope->symbols.count; i++) {
    const struct symbol *symbol = frame->scope->symbols.items[i];
    struct state *state = symbol->state;
    if (!state || !symbol->assigned) continue;
    struct value *value = as_real(lowering, symbol->thing, symbol->span);
    if (!value) continue;
    set_origin(lowering, symbol->span);
    bool good = true;
    for (int j = 0; j < value->axis_count; j++) {
      bool known = false;
      for (int k = 0; k < state->axis_count; k++) known |= state->axes[k] == value->axes[j];
      good &= known;
    }
    if (!good) {
      fail(lowering, symbol->span, "'%s' has axes %s, and %s is assigned to it", symbol->name,
           list_text(lowering, state->axes, state->axis_count), shape_text(lowering, value));
      continue;
    }
    value = build_expand(lowering->graph, value, state->axes, state->axis_count);
    if (!value->name) value->name = arena_format(lowering->arena, "%s.%s", frame->path, symbol->name);
    array_push(lowering->arena, updates, (struct pending_update){state, value});
  }
}

void lower_state_statement(struct lowering *lowering, const struct ast_statement *statement) {
  struct frame *frame = lowering->frame;
  const struct ast_name name = statement->targets.items[0].parts.items[0];
  if (!frame->item || frame->item->kind != ITEM_OPTIMIZER) {
    fail(lowering, statement->span, "'state' belongs in optimizers; 'param' makes what a model learns");
    return;
  }
  if (frame->repeat_depth) {
    fail(lowering, statement->span, "'state' cannot stand in a repeat");
    return;
  }
  if (scope_find(frame->scope, name.text)) {
    fail(lowering, name.span, "'%s' already names something here", name.text);
    return;
  }
  struct axis *axes[MAX_AXES];
  int count = 0;
  struct state *parameter = frame->scope->symbols.items[0]->state;
  if (statement->like.text) {
    const struct symbol *like = scope_find(frame->scope, statement->like.text);
    const struct value *value = like ? as_value(lowering, like->thing, statement->like.span) : NULL;
    if (!like) fail(lowering, statement->like.span, "there is no '%s' here", statement->like.text);
    if (!value) return;
    /* The state's axes have the order of the parameter's in its file, or that of the state that it is like. */
    const struct state *order = like->state ? like->state : parameter;
    for (int i = 0; i < order->axis_count; i++)
      if (value_has_axis(value, order->axes[i])) axes[count++] = order->axes[i];
    for (int i = 0; i < value->axis_count; i++) {
      bool placed = false;
      for (int j = 0; j < order->axis_count; j++) placed |= order->axes[j] == value->axes[i];
      if (!placed) axes[count++] = value->axes[i];
    }
  }
  for (int i = 0; i < statement->dims.count && count < MAX_AXES; i++) {
    struct product product;
    if (!resolve_product(lowering, &statement->dims.items[i], &product)) return;
    for (int j = 0; j < product.count && count < MAX_AXES; j++) axes[count++] = product.factors[j];
  }
  double initial = 0;
  if (!evaluate_number(lowering, statement->expression, "a state's initial value", &initial)) return;
  const char *path = arena_format(lowering->arena, "%s/%s", parameter->name, name.text);
  struct state *state = table_find(&lowering->states, path);
  if (!state) {
    state = state_new(lowering, path, ROLE_OPTIMIZER, KIND_REAL, axes, count, name.span);
    state->low = initial;
    state->of = parameter;
  }
  set_origin(lowering, statement->span);
  struct symbol *symbol = scope_declare(lowering, frame->scope, name.text,
                                        made(lowering, build_state(lowering->graph, state), name.span), name.span);
  symbol->state = state;
}

void lower_optimizer(struct lowering *lowering, struct state *parameter, struct value *value, struct value *gradient,
                     pending_updates *updates) {
  const struct choice choice = choose(lowering, parameter);
  if (!choice.call) return;
  if (choice.call->kind != AST_CALL) {
    fail(lowering, choice.call->span, "an optimizer is written as a call: adamw(lr = 1e-3)");
    return;
  }
  const struct file *file = NULL;
  const struct ast_item *optimizer =
      find_item(lowering, lowering->train_file, ITEM_OPTIMIZER, choice.call->path.text, &file);
  if (!optimizer) {
    names candidates = {0};
    collect_item_names(lowering, lowering->train_file, ITEM_OPTIMIZER, &candidates);
    const char *known = "";
    for (int i = 0; i < candidates.count && i < 20; i++)
      known = arena_format(lowering->arena, "%s%s%s", known, i ? ", " : "; there are ", candidates.items[i]);
    fail(lowering, choice.call->path.span, "there is no optimizer '%s'%s", choice.call->path.text,
         candidates.count ? known : "; the standard ones are there after 'use \"std/optim.lam\"'");
    return;
  }
  if (optimizer->parameters.count < 2 || optimizer->parameters.items[0].kind != PARAMETER_VALUE ||
      optimizer->parameters.items[1].kind != PARAMETER_VALUE) {
    fail(lowering, optimizer->name.span,
         "an optimizer begins with a parameter and its gradient: optimizer %s(p, g, lr)", optimizer->name.text);
    return;
  }
  if (!distinct_parameters(lowering, optimizer) || !check_choice(lowering, &choice, optimizer)) return;
  struct frame *frame = frame_new(lowering, file, optimizer, parameter->name, choice.call->span),
               *before = lowering->frame;
  frame->function = optimizer->name.text;
  const bool reduce_all = lowering->reduce_all;
  lowering->reduce_all = true;
  set_origin(lowering, parameter->span);
  struct symbol *symbol = scope_declare(lowering, frame->scope, optimizer->parameters.items[0].signature.name.text,
                                        thing_value(value), optimizer->parameters.items[0].span);
  symbol->state = parameter;
  scope_declare(lowering, frame->scope, optimizer->parameters.items[1].signature.name.text, thing_value(gradient),
                optimizer->parameters.items[1].span);
  bool good = bind_axes(lowering, frame, optimizer, parameter, choice.call->span);
  for (int i = 2; i < optimizer->parameters.count && good; i++) {
    const struct ast_parameter *formal = &optimizer->parameters.items[i];
    const struct ast_expression *argument = argument_of(&choice, optimizer, i);
    struct thing thing = poison();
    if (argument) {
      thing = shared_argument(lowering, argument);
    } else if (formal->initial) {
      lowering->frame = frame;
      thing = single(lowering, evaluate(lowering, formal->initial), formal->initial->span);
      lowering->frame = before;
    } else {
      good = refuse(lowering, choice.call->span, "optimizer %s needs '%s'", optimizer->name.text,
                    formal->signature.name.text);
    }
    scope_declare(lowering, frame->scope, formal->signature.name.text, thing, formal->span);
  }
  if (good) {
    lowering->frame = frame;
    const int errors = lowering->diagnostics->error_count;
    lower_block(lowering, &optimizer->body);
    if (!symbol->assigned && lowering->diagnostics->error_count == errors)
      fail(lowering, optimizer->name.span, "optimizer %s never assigns '%s'", optimizer->name.text, symbol->name);
    collect_updates(lowering, frame, updates);
  }
  lowering->frame = before;
  lowering->reduce_all = reduce_all;
}
