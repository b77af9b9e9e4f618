/* Replaces calls by the bodies of their functions, also inside bodies. While a graph still has gradients to expand,
   calls of functions with a gradient of their own stay, since autodiff must find them. */
#include "passes/passes.h"
#include "passes/rewrite.h"

struct inliner {
  struct graph *graph;
  bool keep_custom;
};

/* The place of a value in a body; what the body does not say of it is taken from the call. */
static struct origin origin_in_call(struct origin inner, const struct origin *call) {
  if (!inner.span.source) inner.span = call->span;
  if (!inner.path || !*inner.path) inner.path = call->path;
  if (!inner.function || !*inner.function) inner.function = call->function;
  if (!inner.repeat) {
    inner.repeat = call->repeat;
    inner.copy = call->copy;
  }
  return inner;
}

/* Copies `values` into the graph. `map`, by id, holds the copy of each; a call that was replaced has its results in
   `results` instead. `call` is the call of the body, or NULL for the graph itself. */
static void copy_values(struct inliner *inliner, struct value *const *values, int count, struct value **map,
                        struct value ***results, const struct value *call);

static struct value **inline_call(struct inliner *inliner, const struct value *call, struct value *const *inputs) {
  struct graph *graph = inliner->graph;
  const struct region *region = call->callee;
  struct value **map = arena_new_array(graph->arena, struct value *, region->body->next_value);
  struct value ***results = arena_new_array(graph->arena, struct value **, region->body->next_value);
  for (int i = 0; i < region->inputs.count; i++) map[region->inputs.items[i]->id] = inputs[i];
  copy_values(inliner, region->body->values.items, region->body->values.count, map, results, call);
  struct value **outputs = arena_new_array(graph->arena, struct value *, region->body->outputs.count);
  for (int i = 0; i < region->body->outputs.count; i++) {
    const struct value *output = region->body->outputs.items[i].value;
    outputs[i] = output ? map[output->id] : NULL;
  }
  return outputs;
}

static void copy_values(struct inliner *inliner, struct value *const *values, int count, struct value **map,
                        struct value ***results, const struct value *call) {
  struct graph *graph = inliner->graph;
  struct value **inputs = NULL;
  int capacity = 0;
  for (int i = 0; i < count; i++) {
    const struct value *value = values[i];
    if (map[value->id]) continue; /* an input of the body */
    if (value->op == OP_result && results[value->inputs[0]->id]) {
      map[value->id] = results[value->inputs[0]->id][value->start];
      if (!map[value->id]) bug("%s gives no result %d", value->inputs[0]->callee->name, (int)value->start);
      name_like(map[value->id], value);
      continue;
    }
    if (value->input_count > capacity) {
      capacity = 2 * value->input_count;
      inputs = arena_new_array(graph->arena, struct value *, capacity);
    }
    for (int j = 0; j < value->input_count; j++) {
      inputs[j] = map[value->inputs[j]->id];
      if (!inputs[j])
        bug("value %d of %s is used before it is made", value->inputs[j]->id, call ? call->callee->name : graph->name);
    }
    if (value->op == OP_call && !(inliner->keep_custom && value->callee->gradient)) {
      struct value placed_call = *value;
      if (call) placed_call.origin = origin_in_call(value->origin, &call->origin);
      struct value **own = arena_new_array(graph->arena, struct value *, value->input_count);
      for (int j = 0; j < value->input_count; j++) own[j] = inputs[j];
      results[value->id] = inline_call(inliner, &placed_call, own);
      continue;
    }
    map[value->id] = value_copy(graph, value, inputs);
    if (call) map[value->id]->origin = origin_in_call(value->origin, &call->origin);
  }
}

void pass_inline(struct graph *graph) {
  bool calls = false, gradients = false;
  for (int i = 0; i < graph->values.count; i++) {
    calls = calls || graph->values.items[i]->op == OP_call;
    gradients = gradients || graph->values.items[i]->op == OP_gradient;
  }
  if (!calls) return;
  struct rewrite rewrite = rewrite_begin(graph);
  struct value ***results = arena_new_array(rewrite.scratch, struct value **, rewrite.map_count);
  struct inliner inliner = {graph, gradients};
  copy_values(&inliner, rewrite.old, rewrite.count, rewrite.map, results, NULL);
  rewrite_end(&rewrite);
  graph_sweep(graph);
}
