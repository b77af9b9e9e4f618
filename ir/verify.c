/* What must hold of every graph, whatever pass made it. */
#include <math.h>
#include <string.h>

#include "ir/exactness.h"
#include "ir/infer.h"
#include "ir/table.h"
#include "ir/tensor.h"

struct verifier {
  struct arena *arena;
  const struct graph *graph;
  const struct graph *outermost; /* whose sizes the axes have */
  enum stage stage;
  const struct value **known; /* by id: the values so far */
  /* Shared with the regions inside: */
  const struct axis **axes; /* by id */
  int axis_count;
  struct table *states;  /* const struct state *, by name */
  struct table *updated; /* those of them that have an update */
};

static const char *complain(const struct verifier *verifier, const struct value *value, const char *message) {
  const char *place = span_text(verifier->arena, value->origin.span);
  const char *text = arena_format(verifier->arena, "%%%d = %s: %s", value->id, op_facts[value->op].name, message);
  if (value->name) text = arena_format(verifier->arena, "%s (%s)", text, value->name);
  return *place ? arena_format(verifier->arena, "%s, from %s", text, place) : text;
}

static const char *check_axis(struct verifier *verifier, const struct axis *axis) {
  if (!axis) return "an axis is missing";
  struct arena *arena = verifier->arena;
  if (axis->id < 0 || axis->id >= verifier->axis_count)
    return arena_format(arena, "axis %s'%d has a number that is not below the program's %d", axis->name, axis->id,
                        verifier->axis_count);
  const struct axis *other = verifier->axes[axis->id];
  if (other == axis) return NULL;
  if (other) return arena_format(arena, "axes %s and %s have the same number %d", other->name, axis->name, axis->id);
  verifier->axes[axis->id] = axis;
  if (axis->extent < 1)
    return arena_format(arena, "axis %s'%d is %lld long, and must have an element", axis->name, axis->id,
                        (long long)axis->extent);
  const struct size *size = axis->size;
  if (!size) return NULL;
  const struct graph *graph = verifier->outermost;
  if (size->index < 0 || size->index >= graph->sizes.count || graph->sizes.items[size->index] != size)
    return arena_format(arena, "axis %s'%d has the size %s, which graph %s does not", axis->name, axis->id, size->name,
                        graph->name);
  if (axis->extent != size->bound)
    return arena_format(arena, "axis %s'%d is %lld long and its size %s at most %lld", axis->name, axis->id,
                        (long long)axis->extent, size->name, (long long)size->bound);
  return NULL;
}

static const char *check_axes(struct verifier *verifier, struct axis *const *axes, int count) {
  if (count < 0 || count > MAX_AXES) return arena_format(verifier->arena, "%d axes", count);
  for (int i = 0; i < count; i++) {
    const char *error = check_axis(verifier, axes[i]);
    if (error) return error;
    for (int j = 0; j < i; j++)
      if (axes[i] == axes[j])
        return arena_format(verifier->arena, "axis %s'%d comes twice", axes[i]->name, axes[i]->id);
  }
  return NULL;
}

static const char *check_state(struct verifier *verifier, const struct state *state) {
  if (!state) return "no state";
  const struct state *other = table_find(verifier->states, state->name);
  if (other == state) return NULL;
  if (other) return arena_format(verifier->arena, "two states have the name %s", state->name);
  table_set(verifier->arena, verifier->states, state->name, (void *)state);
  return check_axes(verifier, state->axes, state->axis_count);
}

static bool was_updated(const struct verifier *verifier, const struct state *state) {
  return table_find(verifier->updated, state->name) != NULL;
}

/* The axes, kind and range that a value says it has, against what its operation gives. */
static const char *check_result(struct verifier *verifier, const struct value *value) {
  struct arena *arena = verifier->arena;
  struct inferred inferred;
  const char *error = infer(arena, value, &inferred);
  if (error) return error;
  if (value->kind != inferred.kind)
    return arena_format(arena, "it is %s and must be %s", kind_names[value->kind], kind_names[inferred.kind]);
  bool equal = value->axis_count == inferred.axis_count;
  for (int i = 0; equal && i < inferred.axis_count; i++) equal = value_has_axis(value, inferred.axes[i]);
  if (!equal)
    return arena_format(arena, "it has the axes %s and must have %s",
                        axes_text(arena, value->axes, value->axis_count, false),
                        axes_text(arena, (struct axis *const *)inferred.axes, inferred.axis_count, false));
  if (value->range && value->kind != KIND_INTEGER)
    return arena_format(arena, "it is %s and indexes axis %s", kind_names[value->kind], value->range->name);
  return value->range ? check_axis(verifier, value->range) : NULL;
}

static const char *check_leaf(struct verifier *verifier, const struct value *value, int position) {
  struct arena *arena = verifier->arena;
  if (value->op == OP_constant) {
    const double largest = 9007199254740992.0; /* 2^53: beyond, a double skips integers */
    if (value->kind == KIND_INTEGER && (!(fabs(value->number) <= largest) || value->number != floor(value->number)))
      return arena_format(arena, "the integer %g", value->number);
    if (value->kind == KIND_BOOLEAN && value->number != 0 && value->number != 1)
      return arena_format(arena, "the boolean %g", value->number);
  }
  if (value->op == OP_state && was_updated(verifier, value->state))
    return arena_format(arena, "state %s is read after its update", value->state->name);
  if (value->op != OP_input) return NULL;
  for (int i = 0; i < position; i++) {
    const struct value *other = verifier->graph->values.items[i];
    if (other->op != OP_input || strcmp(other->name, value->name)) continue;
    if (other->kind != value->kind || !same_axes(other, value))
      return arena_format(arena, "input %s is %s %s here and %s %s in %%%d", value->name, kind_names[value->kind],
                          axes_text(arena, value->axes, value->axis_count, false), kind_names[other->kind],
                          axes_text(arena, other->axes, other->axis_count, false), other->id);
  }
  return NULL;
}

/* What is stored in narrow states is exact in them. */
static const char *check_stored(const struct verifier *verifier) {
  const struct exactness *exactness = NULL;
  for (int i = 0; i < verifier->graph->values.count; i++) {
    const struct value *value = verifier->graph->values.items[i];
    if (value->op != OP_update || value->state->storage == STORAGE_REAL) continue;
    if (!exactness) exactness = graph_exactness(verifier->arena, verifier->graph);
    if (!exactness_fits(exactness[value->inputs[0]->id], value->state->storage))
      return complain(verifier, value,
                      arena_format(verifier->arena, "what is stored in %s may not be exact in %s", value->state->name,
                                   storage_names[value->state->storage]));
  }
  return NULL;
}

static const char *check_graph(struct verifier *outer, struct arena *arena, const struct graph *graph,
                               const struct region *region, enum stage stage);

static const char *check_region(struct verifier *verifier, const struct region *region) {
  struct arena *arena = verifier->arena;
  if (!region || !region->body) return "no callee";
  for (int i = 0; i < region->inputs.count; i++)
    if (!region->inputs.items[i] || region->inputs.items[i]->op != OP_input)
      return arena_format(arena, "input %d of region %s is not an input", i, region->name);
  const char *error = check_graph(verifier, arena, region->body, region, verifier->stage);
  if (error) return arena_format(arena, "in region %s: %s", region->name, error);
  const struct region *gradient = region->gradient;
  if (!gradient) return NULL;
  if (!gradient->body) return arena_format(arena, "the gradient of region %s has no body", region->name);
  int results = region->body->outputs.count, wanted = region->inputs.count + 2 * results;
  if (gradient->inputs.count != wanted)
    return arena_format(arena, "the gradient of region %s takes %d inputs and must take %d", region->name,
                        gradient->inputs.count, wanted);
  if (gradient->body->outputs.count != region->inputs.count)
    return arena_format(arena, "the gradient of region %s gives %d results for %d inputs", region->name,
                        gradient->body->outputs.count, region->inputs.count);
  for (int i = 0; i < wanted; i++) {
    int result = (i - region->inputs.count) % (results ? results : 1);
    const struct value *like =
        i < region->inputs.count ? region->inputs.items[i] : region->body->outputs.items[result].value;
    const struct value *input = gradient->inputs.items[i];
    if (!input || input->op != OP_input)
      return arena_format(arena, "input %d of the gradient of region %s is missing", i, region->name);
    if (!like) return arena_format(arena, "region %s has a gradient and gives no result %d", region->name, result);
    const enum kind kind = i < region->inputs.count + results ? like->kind : KIND_REAL;
    if (input->kind != kind)
      return arena_format(arena, "input %d of the gradient of region %s is %s and must be %s", i, region->name,
                          kind_names[input->kind], kind_names[kind]);
    if (!same_axes(like, input))
      return arena_format(
          arena, "input %d of the gradient of region %s has the axes %s and must have %s", i, region->name,
          axes_text(arena, gradient->inputs.items[i]->axes, gradient->inputs.items[i]->axis_count, false),
          axes_text(arena, like->axes, like->axis_count, false));
  }
  for (int i = 0; i < gradient->body->outputs.count; i++) {
    const struct value *output = gradient->body->outputs.items[i].value;
    if (output && output->kind != KIND_REAL)
      return arena_format(arena, "result %d of the gradient of region %s is %s and must be real", i, region->name,
                          kind_names[output->kind]);
  }
  error = check_graph(verifier, arena, gradient->body, gradient, verifier->stage);
  return error ? arena_format(arena, "in the gradient of region %s: %s", region->name, error) : NULL;
}

static const char *check_value(struct verifier *verifier, const struct value *value, int position) {
  struct arena *arena = verifier->arena;
  for (int i = 0; i < value->input_count; i++) {
    const struct value *input = value->inputs[i];
    if (!input) return arena_format(arena, "input %d is missing", i);
    if (input->id < 0 || input->id >= verifier->graph->next_value || verifier->known[input->id] != input)
      return arena_format(arena, "input %%%d does not come before it", input->id);
    if (input->op == OP_call && value->op != OP_result)
      return arena_format(arena, "input %%%d is a whole call", input->id);
  }
  const char *error = check_axes(verifier, value->axes, value->axis_count);
  /* The list of a concat may have one axis several times; other lists may not. */
  for (int i = 0; !error && i < value->list_count; i++)
    error = value->op == OP_concat ? check_axis(verifier, value->list[i]) : NULL;
  if (!error && value->op != OP_concat) error = check_axes(verifier, value->list, value->list_count);
  if (!error && value->axis) error = check_axis(verifier, value->axis);
  if (!error && value->result) error = check_axis(verifier, value->result);
  if (!error && (value->op == OP_state || value->op == OP_update)) error = check_state(verifier, value->state);
  if (!error && value->op == OP_call) error = check_region(verifier, value->callee);
  if (!error) error = check_result(verifier, value);
  if (error) return error;
  switch (op_facts[value->op].class) {
    case CLASS_LEAF:
      return check_leaf(verifier, value, position);
    case CLASS_UPDATE:
      if (was_updated(verifier, value->state))
        return arena_format(arena, "state %s has two updates", value->state->name);
      table_set(arena, verifier->updated, value->state->name, value->state);
      return NULL;
    case CLASS_GRADIENT:
      return verifier->stage == STAGE_LOWERED ? NULL : "a gradient after autodiff";
    case CLASS_CALL:
      return verifier->stage == STAGE_FLAT ? "a call in a flat graph" : NULL;
    case CLASS_RANDOM:
    case CLASS_UNARY:
    case CLASS_BINARY:
    case CLASS_COMPARE:
    case CLASS_LOGIC:
    case CLASS_TERNARY:
    case CLASS_REDUCE:
    case CLASS_MIX:
    case CLASS_CONTRACT:
    case CLASS_GATHER:
    case CLASS_SCATTER:
    case CLASS_VIEW:
    case CLASS_STOP:
      return NULL;
  }
  bug("operation %d", (int)value->op);
}

static const char *check_outputs(const struct verifier *verifier, const struct region *region) {
  const struct graph *graph = verifier->graph;
  for (int i = 0; i < graph->outputs.count; i++) {
    const struct output *output = &graph->outputs.items[i];
    /* A gradient region has no value for an input that gets no gradient. */
    if (!output->value && region) continue;
    if (!output->name) return arena_format(verifier->arena, "output %d has no name", i);
    if (!output->value) return arena_format(verifier->arena, "output %s has no value", output->name);
    int id = output->value->id;
    if (id < 0 || id >= graph->next_value || verifier->known[id] != output->value)
      return arena_format(verifier->arena, "output %s is not a value of the graph", output->name);
    struct axis *const *axes = output->value->axes;
    for (int j = 0, k; j < output->value->axis_count; j++) {
      for (k = 0; k < output->value->axis_count && output->axes[k] != axes[j];) k++;
      if (k == output->value->axis_count)
        return arena_format(verifier->arena, "output %s is ordered by other axes than it has", output->name);
    }
    if (output->value->op == OP_call) return arena_format(verifier->arena, "output %s is a whole call", output->name);
    for (int j = 0; j < i; j++)
      if (!strcmp(graph->outputs.items[j].name, output->name) && !region)
        return arena_format(verifier->arena, "two outputs have the name %s", output->name);
  }
  if (!graph->outputs.count && !verifier->updated->count)
    return arena_format(verifier->arena, "graph %s has neither outputs nor updates", graph->name);
  return NULL;
}

static const char *check_graph(struct verifier *outer, struct arena *arena, const struct graph *graph,
                               const struct region *region, enum stage stage) {
  struct verifier verifier = {.arena = arena, .graph = graph, .stage = stage};
  verifier.outermost = outer ? outer->outermost : graph;
  if (outer) {
    verifier.axes = outer->axes;
    verifier.axis_count = outer->axis_count;
    verifier.states = outer->states;
    verifier.updated = outer->updated;
  } else {
    verifier.axis_count = *graph->next_axis;
    verifier.axes = arena_new_array(arena, const struct axis *, verifier.axis_count);
    verifier.states = arena_new_struct(arena, struct table);
    verifier.updated = arena_new_struct(arena, struct table);
  }
  verifier.known = arena_new_array(arena, const struct value *, graph->next_value);
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (!value) return arena_format(arena, "value number %d is missing", i);
    if ((int)value->op < 0 || value->op >= OP_COUNT) return arena_format(arena, "%%%d has no operation", value->id);
    const char *error = NULL;
    if (value->id < 0 || value->id >= graph->next_value)
      error = arena_format(arena, "its number is not below the graph's %d", graph->next_value);
    else if (verifier.known[value->id])
      error = "its number is taken";
    else
      error = check_value(&verifier, value, i);
    if (error) return complain(&verifier, value, error);
    verifier.known[value->id] = value;
  }
  const char *error = stage == STAGE_FLAT ? check_stored(&verifier) : NULL;
  return error ? error : check_outputs(&verifier, region);
}

const char *graph_verify(struct arena *arena, const struct graph *graph, enum stage stage) {
  return check_graph(NULL, arena, graph, NULL, stage);
}
