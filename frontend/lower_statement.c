/* Statements: assignment, return, repeat, if. */
#include "frontend/lower.h"

#include <stdlib.h>
#include <string.h>

/* --- Assignment --------------------------------------------------------------------------------------------------- */

/* The name, also for the values on the way to it: what `mean` summed up for `variance = mean(...)` is variance_total. */
static void name_value(struct lowering *lowering, struct value *value, const char *name) {
  value->name = name;
  const size_t length = value->call ? strlen(value->call) : 0;
  for (int i = 0; i < value->input_count && length; i++) {
    struct value *input = value->inputs[i];
    if (input->call && !input->name && !strncmp(input->call, value->call, length) && input->call[length] == '_')
      input->call = arena_format(lowering->arena, "%s%s", name, input->call + length);
  }
}

static void assign(struct lowering *lowering, const struct ast_path *target, struct thing thing) {
  struct frame *frame = lowering->frame;
  const char *name = target->text;
  if (target->parts.count != 1) {
    fail(lowering, target->span, "'%s' cannot be assigned: a dotted path is a parameter", name);
    return;
  }
  struct symbol *symbol = scope_find(frame->scope, name);
  if (symbol && symbol->thing.kind == THING_AXIS) {
    fail(lowering, target->span, "'%s' is an axis here, and axes and values do not hide each other", name);
    report_note(lowering->diagnostics, symbol->span, "the axis is declared here");
    return;
  }
  if (symbol && symbol->fixed) {
    fail(lowering, target->span, "'%s' is fixed in each copy of the repeat", name);
    return;
  }
  if (!symbol) {
    const struct global_axis *global = find_global_axis(lowering, frame->file, name);
    const struct parameter *parameter =
        table_find(&lowering->parameter_names, join_path(lowering->arena, frame->path, name));
    if (global || is_batch_name(name)) {
      fail(lowering, target->span, "'%s' is an axis, and axes and values do not hide each other", name);
      if (global) report_note(lowering->diagnostics, global->declaration->name.span, "the axis is declared here");
      return;
    }
    /* A function that is called without a label has the path of its caller, and yet its names are its own. */
    if (parameter && parameter->frame == frame) {
      fail(lowering, target->span, "'%s' is a parameter: only the optimizer changes it", name);
      return;
    }
  }
  if (thing.kind == THING_AXIS)
    thing = fail(lowering, target->span, "'%s' would be a second name for an axis; 'axis %s == %s' makes an axis", name,
                 name, thing.axis->name);
  if (thing.kind == THING_VALUE && !thing.value->name && thing.value->op != OP_state)
    name_value(lowering, thing.value, join_path(lowering->arena, frame->path, name));
  if (!symbol) symbol = scope_declare(lowering, frame->scope, name, thing, target->span);
  symbol->thing = thing;
  symbol->assigned = true;
}

static void lower_assignment(struct lowering *lowering, const struct ast_statement *statement) {
  things values = {0};
  evaluate_list(lowering, statement->expressions.items, statement->expressions.count, &values);
  if (values.count != statement->targets.count) {
    bool silent = false;
    for (int i = 0; i < values.count; i++) silent |= values.items[i].kind == THING_POISON;
    if (!silent)
      fail(lowering, statement->span, "%d name%s on the left and %d value%s on the right", statement->targets.count,
           statement->targets.count == 1 ? "" : "s", values.count, values.count == 1 ? "" : "s");
    for (int i = 0; i < statement->targets.count; i++) assign(lowering, &statement->targets.items[i], poison());
    return;
  }
  for (int i = 0; i < values.count; i++) assign(lowering, &statement->targets.items[i], values.items[i]);
}

/* --- Repeat ------------------------------------------------------------------------------------------------------- */

static int repeat_count(struct lowering *lowering, const struct ast_statement *statement, const char *path) {
  int64_t count;
  const bool sizes = lowering->sizes;
  const struct ast_expression *expression = statement->expression;
  if (statement->targets.count) {
    const struct ast_path *target = &statement->targets.items[0];
    array_push(lowering->arena, &lowering->repeat_paths, path);
    struct override *override = find_override(lowering, arena_format(lowering->arena, "repeat.%s", path));
    if (!override)
      override = find_override(
          lowering, arena_format(lowering->arena, "repeat.%s", target->parts.items[target->parts.count - 1].text));
    if (override && !(expression = override_expression(lowering, override))) return -1;
  }
  lowering->sizes = true;
  const bool known = evaluate_integer(lowering, expression, "the count of a repeat", 0, MAX_REPEAT, &count);
  lowering->sizes = sizes;
  return known ? (int)count : -1;
}

static const struct repeat *find_repeat(struct lowering *lowering, const char *path, int count) {
  const char *key = arena_format(lowering->arena, "%s|%d", path, count);
  struct repeat *repeat = table_find(&lowering->repeats, key);
  if (!repeat) {
    repeat = arena_new_struct(lowering->arena, struct repeat);
    *repeat = (struct repeat){.path = path, .count = count};
    table_set(lowering->arena, &lowering->repeats, key, repeat);
  }
  return repeat;
}

struct carried {
  struct symbol *symbol;
  struct thing before;
};
typedef ARRAY(struct carried) carried_names;

static bool same_shape(const struct lowering *lowering, const struct thing *before, const struct thing *after) {
  if (before->kind == THING_POISON || after->kind == THING_POISON) return true;
  if (before->kind == THING_NUMBER &&
      after->kind == THING_VALUE) { /* a sum that began with the number 0 may have become one number for each example */
    for (int i = 0; i < after->value->axis_count; i++)
      if (after->value->axes[i] != lowering->batch) return false;
    return true;
  }
  if (before->kind != after->kind) return false;
  return before->kind != THING_VALUE ||
         (before->value->kind == after->value->kind && same_axes(before->value, after->value));
}

static const char *describe(struct lowering *lowering, const struct thing *thing) {
  switch (thing->kind) {
    case THING_VALUE:
      return arena_format(lowering->arena, "%s with %s", kind_names[thing->value->kind],
                          shape_text(lowering, thing->value));
    case THING_NUMBER:
      return "a number without axes";
    case THING_AXIS:
      return "an axis";
    case THING_FUNCTION:
      return "a function";
    case THING_POISON:
    case THING_NONE:
    case THING_TUPLE:
      return "nothing";
  }
  return "";
}

/* Names declared before the repeat are carried from copy to copy. They must keep their axes and kind, or copies would
   not be alike. */
static bool check_carried(struct lowering *lowering, carried_names *carried, const struct ast_statement *statement) {
  bool good = true;
  for (int i = 0; i < carried->count; i++) {
    struct carried *item = &carried->items[i];
    if (!same_shape(lowering, &item->before, &item->symbol->thing)) {
      fail(lowering, statement->span,
           "a repeat carries '%s' from copy to copy, so its axes and kind must not change: it was %s and becomes %s",
           item->symbol->name, describe(lowering, &item->before), describe(lowering, &item->symbol->thing));
      item->symbol->thing = poison();
      good = false;
    }
    item->before = item->symbol->thing;
  }
  return good;
}

static void lower_repeat(struct lowering *lowering, const struct ast_statement *statement) {
  struct frame *frame = lowering->frame;
  const struct frame before = *frame;
  const bool named = statement->targets.count > 0;
  const char *path = named ? join_path(lowering->arena, frame->path, statement->targets.items[0].text) : "";
  const int count = repeat_count(lowering, statement, path);
  if (count < 0) return;
  const struct repeat *repeat = find_repeat(lowering, path, count);
  carried_names carried = {0};
  for (const struct scope *scope = frame->scope; scope; scope = scope->parent)
    for (int i = 0; i < scope->symbols.count; i++)
      array_push(lowering->arena, &carried, (struct carried){scope->symbols.items[i], scope->symbols.items[i]->thing});
  frame->repeat_depth++;
  struct unrolling unrolling = {.outer = lowering->unrolling, .statement = statement, .count = count};
  lowering->unrolling = &unrolling;
  for (int copy = 0; copy < count; copy++) {
    unrolling.copy = copy;
    if (is_exhausted(lowering, statement->span, 1 + carried.count / 8)) break;
    struct sharing *sharing = arena_new_struct(lowering->arena, struct sharing);
    *sharing = (struct sharing){.outer = before.sharing, .statement = statement, .copy = copy};
    frame->scope = scope_new(lowering->arena, before.scope);
    frame->repeat = repeat;
    frame->copy = copy;
    if (named)
      frame->path = arena_format(lowering->arena, "%s.%d", path, copy);
    else
      frame->sharing = sharing;
    if (statement->as.text)
      scope_declare(lowering, frame->scope, statement->as.text, thing_number(copy, true), statement->as.span)->fixed =
          true;
    lower_block(lowering, &statement->body);
    if (!check_carried(lowering, &carried, statement) || frame->returned) break;
  }
  lowering->unrolling = unrolling.outer;
  frame->repeat_depth--;
  frame->scope = before.scope;
  frame->repeat = before.repeat;
  frame->copy = before.copy;
  frame->sharing = before.sharing;
  frame->path = before.path;
}

/* --- The rest ----------------------------------------------------------------------------------------------------- */

static void lower_return(struct lowering *lowering, const struct ast_statement *statement) {
  struct frame *frame = lowering->frame;
  if (frame->repeat_depth)
    fail(lowering, statement->span, "return cannot stand in a repeat: the copies after it would not run");
  frame->results.count = 0;
  evaluate_list(lowering, statement->expressions.items, statement->expressions.count, &frame->results);
  frame->returned = statement;
}

static void lower_if(struct lowering *lowering, const struct ast_statement *statement) {
  const struct thing condition =
      single(lowering, evaluate(lowering, statement->expression), statement->expression->span);
  if (condition.kind == THING_POISON) return;
  if (condition.kind != THING_NUMBER) {
    fail(lowering, statement->expression->span,
         "'if' chooses when the spec is compiled, so its condition is made of numbers; where(condition, a, b) chooses "
         "element by element");
    return;
  }
  if (condition.number != 0)
    lower_block(lowering, &statement->body);
  else if (statement->has_otherwise)
    lower_block(lowering, &statement->otherwise);
}

static void lower_statement(struct lowering *lowering, const struct ast_statement *statement) {
  if (is_exhausted(lowering, statement->span, 1)) return;
  switch (statement->kind) {
    case AST_ASSIGN:
      lower_assignment(lowering, statement);
      break;
    case AST_EXPRESSION:
      for (int i = 0; i < statement->expressions.count; i++) evaluate(lowering, statement->expressions.items[i]);
      break;
    case AST_RETURN:
      lower_return(lowering, statement);
      break;
    case AST_REPEAT:
      lower_repeat(lowering, statement);
      break;
    case AST_PARAM:
      lower_parameter(lowering, statement);
      break;
    case AST_STATE:
      lower_state_statement(lowering, statement);
      break;
    case AST_AXIS:
      lower_axis_statement(lowering, &statement->axis);
      break;
    case AST_IF:
      lower_if(lowering, statement);
      break;
    case AST_FOR:
      fail(lowering, statement->span, "'for' belongs in train blocks; repeat name[n] { ... } repeats statements");
      break;
  }
}

void lower_block(struct lowering *lowering, const ast_block *block) {
  for (int i = 0; i < block->count && !lowering->frame->returned; i++) {
    lower_statement(lowering, block->items[i]);
    if (block->items[i]->kind == AST_RETURN && i + 1 < block->count)
      fail(lowering, block->items[i + 1]->span, "this is never reached: the function has returned");
  }
}
