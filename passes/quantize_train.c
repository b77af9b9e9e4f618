/* Quantised training: the forward pass of train and accumulate reads the weights that prediction will read, and gradients go to the
   float32 weights as if nothing had been rounded. The weight as reals of few bits is the result of a region with a gradient of its own,
   the straight-through estimator (Bengio, Leonard and Courville, 2013), which is 0 where a weight is beyond the range of the steps
   (Esser et al., Learned Step Size Quantization, 2020). The scale passes no gradient. Only what the loss depends on reads it: what else
   the graph does with a weight, such as the optimizer's decay, is about the float32 weight.

   It runs before autodiff, on graphs without calls of functions that have no gradient of their own. */
#include "passes/passes.h"
#include "passes/quantize.h"
#include "passes/rewrite.h"

struct trainer {
  struct quantizer *quantizer;
  struct graph *graph;
  struct rewrite rewrite;
  bool *forward; /* by the id of an old value: the loss depends on it */
  struct value **wide; /* the weight in few bits, as reals, where something reads it */
};

static void find_forward(struct trainer *t) {
  const struct graph *graph = t->graph;
  for (int i = 0; i < graph->outputs.count; i++)
    if (graph->outputs.items[i].role != OUTPUT_ORDINARY) t->forward[graph->outputs.items[i].value->id] = true;
  for (int i = t->rewrite.count - 1; i >= 0; i--) {
    const struct value *value = t->rewrite.old[i];
    if (value->op == OP_gradient) t->forward[value->inputs[0]->id] = true;
    for (int j = 0; t->forward[value->id] && value->op != OP_gradient && j < value->input_count; j++)
      t->forward[value->inputs[j]->id] = true;
  }
}

static struct region *region_new(struct trainer *t, const char *name, const char *suffix) {
  struct arena *arena = t->graph->arena;
  struct region *region = arena_new_struct(arena, struct region);
  region->name = arena_format(arena, "%s%s", name, suffix);
  region->body = graph_new(arena, region->name, t->graph->next_axis);
  region->approximate = true;
  return region;
}

static struct value *region_input(struct region *region, const char *name, const struct value *like) {
  struct value *input = build_input(region->body, name, KIND_REAL, NULL, like->axes, like->axis_count);
  array_push(region->body->arena, &region->inputs, input);
  return input;
}

/* A function of one value whose result has steps in place of all bits, and its gradient. `over`, `count`: what an activation shares a
   scale along; of a weight `how` tells it. */
static struct value *rounded_straight_through(struct trainer *t, struct value *x, const char *name,
                                              const struct quantization *how, struct axis *const *over, int count) {
  struct region *region = region_new(t, name, ""), *gradient = region_new(t, name, ".gradient");
  struct value *inputs[3];
  for (int i = 0; i < 2; i++) {
    struct region *own = i ? gradient : region;
    struct graph *body = own->body;
    body->origin = t->graph->origin;
    inputs[0] = region_input(own, name, x);
    struct parts *parts;
    if (how) {
      parts = quantized_parts(body, t->rewrite.scratch, inputs[0], how);
    } else {
      parts = arena_new_struct(t->rewrite.scratch, struct parts);
      parts->steps = quantized_activation(body, inputs[0], over, count, &parts->scale);
    }
    if (i == 0) {
      graph_add_ordered_output(body, name, build_expand(body, quantized_wide(body, parts), x->axes, x->axis_count),
                               x->axes);
      continue;
    }
    region_input(own, "result", x);
    inputs[2] = region_input(own, "slope", x);
    graph_add_ordered_output(body, name, quantized_slope(body, inputs[0], inputs[2], parts), x->axes);
  }
  region->gradient = gradient;
  return build_result(t->graph, build_call(t->graph, region, &x, 1), 0);
}

static const struct quantization *quantization_of(const struct trainer *t, const struct value *value) {
  const int place = quantized_state(t->quantizer, value);
  const struct quantization *how = place < 0 ? NULL : &t->quantizer->of[place];
  return how && how->rule && how->rule->parameters[PARAMETER_quantize_train] != 0 ? how : NULL;
}

static struct value *wide_weight(struct trainer *t, const struct value *old, const struct quantization *how) {
  struct value **wide = &t->wide[old->id];
  if (!*wide) {
    *wide = rounded_straight_through(t, rewrite_get(&t->rewrite, old), old->state->name, how, NULL, 0);
    (*wide)->name = arena_format(t->graph->arena, "%s/quantized", old->state->name);
  }
  return *wide;
}

/* The weight that a value is a view of, where that is to be rounded. */
static const struct quantization *weight_under(const struct trainer *t, const struct value *value) {
  while (op_facts[value->op].class == CLASS_VIEW && value->input_count == 1) value = value->inputs[0];
  return quantization_of(t, value);
}

/* An operand that is multiplied by a weight in steps, in steps itself where the weight's rule says so. */
static struct value *activation(struct trainer *t, const struct value *contraction, int side, struct value *x) {
  const struct quantization *how = weight_under(t, contraction->inputs[1 - side]);
  if (!how || !how->quantizes_activations || weight_under(t, contraction->inputs[side])) return x;
  return rounded_straight_through(t, x, "activation", NULL, contraction->list, contraction->list_count);
}

void pass_quantize_train(struct quantizer *quantizer, struct graph *graph) {
  const struct program *program = quantizer->program;
  if (graph != program->train && graph != program->accumulate) return;
  const struct origin origin = graph->origin;
  struct trainer t = {.quantizer = quantizer, .graph = graph, .rewrite = rewrite_begin(graph)};
  t.forward = arena_new_array(t.rewrite.scratch, bool, t.rewrite.map_count);
  t.wide = arena_new_array(t.rewrite.scratch, struct value *, t.rewrite.map_count);
  find_forward(&t);
  for (int i = 0; i < t.rewrite.count; i++) {
    struct value *old = t.rewrite.old[i];
    graph->origin = old->origin;
    struct value **inputs = arena_new_array(t.rewrite.scratch, struct value *, old->input_count);
    bool changes = false;
    for (int j = 0; t.forward[old->id] && j < old->input_count; j++) {
      struct value *input = old->inputs[j], *now = rewrite_get(&t.rewrite, input);
      const struct quantization *how = quantization_of(&t, input);
      inputs[j] = how ? wide_weight(&t, input, how) : now;
      if (old->op == OP_contract) inputs[j] = activation(&t, old, j, inputs[j]);
      changes = changes || inputs[j] != now;
    }
    if (changes)
      rewrite_set(&t.rewrite, old, value_copy(graph, old, inputs));
    else
      rewrite_keep(&t.rewrite, old);
  }
  graph->origin = origin;
  rewrite_end(&t.rewrite);
  graph_sweep(graph);
}
