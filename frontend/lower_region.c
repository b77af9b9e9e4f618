/* Functions with a gradient of their own: a call of a region, its gradient lowered from the body and the gradient block. */
#include "frontend/lower.h"

#include <string.h>

struct region_build {
  const struct ast_item *function;
  struct frame *frame;
  struct scope *arguments; /* the arguments as passed: numbers, functions, axes, and values of the surrounding graph */
  struct symbol **values; /* those arguments that are values */
  int value_count;
};

/* Opens a scope that has the arguments again, with inputs of the graph being built in place of values. */
static void open_scope(struct lowering *lowering, struct region_build *build, struct region *region) {
  struct scope *scope = scope_new(lowering->arena, NULL);
  for (int i = 0; i < build->arguments->symbols.count; i++) {
    const struct symbol *symbol = build->arguments->symbols.items[i];
    struct thing thing = symbol->thing;
    if (thing.kind == THING_VALUE) {
      const struct value *value = thing.value;
      set_origin(lowering, build->frame->call);
      thing = thing_value(
          build_input(lowering->graph, symbol->name, value->kind, value->range, value->axes, value->axis_count));
      array_push(lowering->arena, &region->inputs, thing.value);
    }
    scope_declare(lowering, scope, symbol->name, thing, symbol->span);
  }
  build->frame->scope = scope;
  build->frame->returned = NULL;
  build->frame->results.count = 0;
}

static struct region *region_new(struct lowering *lowering, const struct ast_item *function, const char *suffix) {
  struct region *region = arena_new_struct(lowering->arena, struct region);
  region->name = arena_format(lowering->arena, "%s%s", function->name.text, suffix);
  region->body = graph_new(lowering->arena, region->name, &lowering->program->next_axis);
  region->approximate = function->gradient_approximate;
  lowering->graph = region->body;
  return region;
}

static bool result_values(struct lowering *lowering, struct frame *frame, struct value **results) {
  if (!frame->returned || frame->results.count > MAX_RESULTS) {
    if (!frame->returned && lowering->diagnostics->error_count) return false;
    fail(lowering, frame->item->name.span, "a function with a gradient returns 1 to %d values", MAX_RESULTS);
    return false;
  }
  for (int i = 0; i < frame->results.count; i++) {
    results[i] = as_real(lowering, frame->results.items[i], frame->returned->span); /* only reals have gradients */
    if (!results[i]) return false;
  }
  return true;
}

/* The gradient that the block assigned for one argument, with exactly the argument's axes; NULL where it assigned
   none. */
static struct value *assigned_gradient(struct lowering *lowering, const struct frame *frame,
                                       const struct symbol *argument) {
  const struct symbol *symbol = scope_find(frame->scope, arena_format(lowering->arena, "d%s", argument->name));
  if (!symbol && argument->thing.value->kind == KIND_REAL)
    fail(lowering, frame->item->name.span, "the gradient of %s does not assign 'd%s'; write d%s = 0 if there is none",
         frame->function, argument->name, argument->name);
  if (!symbol) return NULL;
  struct value *value = as_real(lowering, symbol->thing, symbol->span), *of = argument->thing.value;
  if (!value) return NULL;
  if (of->kind != KIND_REAL) {
    fail(lowering, symbol->span, "'%s' is %s: it has no gradient", argument->name, kind_names[of->kind]);
    return NULL;
  }
  struct axis *surplus[MAX_AXES];
  int count = 0;
  for (int i = 0; i < value->axis_count; i++)
    if (!value_has_axis(of, value->axes[i])) surplus[count++] = value->axes[i];
  set_origin(lowering, symbol->span);
  if (count) value = build_reduce(lowering->graph, OP_reduce_sum, value, surplus, count);
  return build_expand(lowering->graph, value, of->axes, of->axis_count);
}

static struct region *lower_gradient(struct lowering *lowering, struct region_build *build,
                                     const struct region *forward) {
  const struct ast_item *function = build->function;
  struct frame *frame = build->frame;
  struct region *region = region_new(lowering, function, ".gradient");
  open_scope(lowering, build, region);
  lower_block(lowering, &function->body); /* defines the body's names; unused values are swept */
  const struct ast_statement *returned = frame->returned;
  const int results = forward->body->outputs.count;
  for (int i = 0; i < results; i++) {
    const struct value *value = forward->body->outputs.items[i].value;
    const char *name = arena_format(lowering->arena, "result%d", i);
    struct value *input = build_input(lowering->graph, name, value->kind, value->range, value->axes, value->axis_count);
    array_push(lowering->arena, &region->inputs, input);
    /* A name that the body returned stands for the result itself. */
    if (!returned || i >= returned->expressions.count || returned->expressions.count != results) continue;
    const struct ast_expression *expression = returned->expressions.items[i];
    struct symbol *symbol = expression->kind == AST_PATH ? scope_find(frame->scope, expression->path.text) : NULL;
    if (symbol) symbol->thing = thing_value(input);
  }
  if (function->gradient_parameters.count != results) {
    fail(lowering, function->name.span, "%s returns %d value%s, and its gradient takes %d", function->name.text,
         results, results == 1 ? "" : "s", function->gradient_parameters.count);
    return NULL;
  }
  for (int i = 0; i < results; i++) {
    const struct value *value = forward->body->outputs.items[i].value;
    const struct ast_name name = function->gradient_parameters.items[i].signature.name;
    struct value *input = build_input(lowering->graph, name.text, KIND_REAL, NULL, value->axes, value->axis_count);
    array_push(lowering->arena, &region->inputs, input);
    scope_declare(lowering, frame->scope, name.text, thing_value(input), name.span);
  }
  frame->returned = NULL;
  lower_block(lowering, &function->gradient);
  if (frame->returned)
    fail(lowering, frame->returned->span, "a gradient block assigns d%s and the like; it returns nothing", "x");
  for (int i = 0; i < build->value_count; i++) {
    struct value *value = assigned_gradient(lowering, frame, build->values[i]);
    const char *name = arena_format(lowering->arena, "d%s", build->values[i]->name);
    graph_add_output(region->body, name, value);
  }
  return region;
}

void lower_region(struct lowering *lowering, struct frame *frame) {
  struct graph *outer = lowering->graph;
  const bool in_region = lowering->in_region;
  struct region_build build = {.function = frame->item, .frame = frame, .arguments = frame->scope};
  build.values = arena_new_array(lowering->arena, struct symbol *, frame->scope->symbols.count);
  for (int i = 0; i < frame->scope->symbols.count; i++)
    if (frame->scope->symbols.items[i]->thing.kind == THING_VALUE)
      build.values[build.value_count++] = frame->scope->symbols.items[i];
  lowering->in_region = true;

  struct region *region = region_new(lowering, frame->item, "");
  open_scope(lowering, &build, region);
  lower_block(lowering, &frame->item->body);
  const struct ast_statement *returned = frame->returned;
  struct value *results[MAX_RESULTS];
  bool good = result_values(lowering, frame, results);
  const int count = frame->results.count;
  for (int i = 0; good && i < count; i++) {
    const char *name = i < frame->item->results.count ? frame->item->results.items[i].name.text
                                                      : arena_format(lowering->arena, "result%d", i);
    graph_add_output(region->body, name, results[i]);
  }
  const int before = lowering->diagnostics->error_count;
  if (good) region->gradient = lower_gradient(lowering, &build, region);
  good = good && region->gradient && lowering->diagnostics->error_count == before;

  lowering->graph = outer;
  lowering->in_region = in_region;
  frame->returned = returned;
  frame->results.count = 0;
  struct value *call = NULL;
  if (good) {
    struct value **inputs = arena_new_array(lowering->arena, struct value *, build.value_count);
    for (int i = 0; i < build.value_count; i++) inputs[i] = build.values[i]->thing.value;
    set_origin(lowering, frame->call);
    call = build_call(outer, region, inputs, build.value_count);
  }
  for (int i = 0; i < count; i++) {
    const struct thing result = call ? thing_value(build_result(outer, call, i)) : poison();
    array_push(lowering->arena, &frame->results, result);
  }
}
