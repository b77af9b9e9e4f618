#include "ir/interpret.h"

#include <stdlib.h>
#include <string.h>

#include "ir/evaluate.h"
#include "ir/walk.h"

/* A value's contents, while it is needed. */
struct slot {
  const struct value *owner; /* NULL until it was computed */
  struct operand operand;
  struct slot *results; /* of a call */
  int result_count;
  int uses; /* still to come */
};

/* The full contents of a state after its update, kept aside until the whole graph is done. */
struct pending {
  const struct state *state;
  double *data;
};

struct run {
  struct environment *environment;
  struct evaluation evaluation;
  ARRAY(struct pending) pending;
  void (*watch)(void *context, const struct value *value, const struct tensor *tensor);
};

static const char *fail(const struct run *run, const struct value *value, const char *message) {
  struct arena *arena = run->environment->arena;
  const char *place = span_text(arena, value->origin.span);
  const char *name = value->name ? value->name : arena_format(arena, "%%%d", value->id);
  return arena_format(arena, "%s%s%s (%s of %s)", place, *place ? ": " : "", message, op_facts[value->op].name, name);
}

static bool count_checked(struct axis *const *axes, int count, const int64_t *sizes, int64_t *elements) {
  *elements = 1;
  for (int i = 0; i < count; i++) {
    int64_t length = sizes ? axis_length(axes[i], sizes) : axes[i]->extent;
    if (__builtin_mul_overflow(*elements, length, elements)) return false;
  }
  int64_t bytes;
  return !__builtin_mul_overflow(*elements, (int64_t)sizeof(double), &bytes);
}

/* Memory for a tensor of these axes, at present lengths, or at full extent where `sizes` is NULL. Never empty. */
static double *take(struct axis *const *axes, int count, const int64_t *sizes) {
  int64_t elements;
  if (!count_checked(axes, count, sizes, &elements)) return NULL;
  return malloc(sizeof(double) * (size_t)(elements ? elements : 1));
}

static const char *no_memory(const struct run *run, const struct value *value) {
  struct arena *arena = run->environment->arena;
  return fail(run, value,
              arena_format(arena, "not enough memory for %s", axes_text(arena, value->axes, value->axis_count, true)));
}

static void slot_clear(struct slot *slot) {
  free(slot->operand.data);
  slot->operand.data = NULL;
  for (int i = 0; i < slot->result_count; i++) free(slot->results[i].operand.data);
  free(slot->results);
  slot->results = NULL;
  slot->result_count = 0;
}

static const char *read_input(struct run *run, const struct value *value, struct operand *result) {
  struct environment *environment = run->environment;
  const double *data = environment->input ? environment->input(environment->context, value) : NULL;
  if (!data) return arena_format(environment->arena, "the run does not supply it");
  memcpy(result->data, data, sizeof(double) * (size_t)operand_count(result, environment->sizes));
  return NULL;
}

static const char *find_state(struct run *run, const struct state *state, struct operand *full) {
  struct environment *environment = run->environment;
  double *data = environment->state ? environment->state(environment->context, state) : NULL;
  if (!data) return arena_format(environment->arena, "the run does not hold the state %s", state->name);
  *full = operand_full(state->axes, state->axis_count, data);
  return NULL;
}

static const char *update(struct run *run, const struct value *value, struct operand *result,
                          const struct operand *inputs) {
  const struct state *state = value->state;
  const int64_t *sizes = run->environment->sizes;
  struct operand before;
  const char *error = find_state(run, state, &before);
  if (error) return error;
  double *data = take(state->axes, state->axis_count, NULL);
  if (!data) return "not enough memory for the state";
  struct operand after = operand_full(state->axes, state->axis_count, data);
  array_push(run->environment->arena, &run->pending, (struct pending){state, after.data});
  memcpy(after.data, before.data, sizeof(double) * (size_t)axes_count(state->axes, state->axis_count));
  if (value->input_count == 2)
    error = evaluate_put(value, &after, &inputs[1], &inputs[0], false, &run->evaluation);
  else
    operand_copy(state->axes, state->axis_count, &after, &inputs[0], sizes);
  if (!error) operand_copy(state->axes, state->axis_count, result, &after, sizes);
  return error;
}

static uint32_t counter_word(double number) {
  return number >= -9e15 && number <= 9e15 ? (uint32_t)(int64_t)number : 0;
}

static void draw(struct run *run, const struct value *value, struct operand *result, const struct operand *inputs) {
  const struct axis *batch = value->input_count == 2 ? inputs[1].axes[0] : NULL;
  int64_t numbering[MAX_AXES], number = 1; /* the elements of one example, at full extent */
  for (int i = result->axis_count - 1; i >= 0; i--) {
    numbering[i] = result->axes[i] == batch ? 0 : number;
    if (result->axes[i] != batch) number *= result->axes[i]->extent;
  }
  struct walk walk;
  walk_begin(&walk, 3);
  for (int i = 0; i < result->axis_count; i++)
    walk_dimension(&walk, axis_length(result->axes[i], run->environment->sizes),
                   (int64_t[]){result->strides[i], numbering[i], result->axes[i] == batch ? 1 : 0});
  uint32_t step = counter_word(*inputs[0].data), seed = run->environment->seed;
  for (bool more = walk_first(&walk); more; more = walk_next(&walk))
    for (int64_t i = 0; i < walk.length; i++) {
      uint32_t example = batch ? counter_word(inputs[1].data[walk.offset[2] + i * walk.stride[2]]) : 0;
      result->data[walk.offset[0] + i * walk.stride[0]] = random_draw(
          value->distribution, seed, value->stream, step, example, (uint64_t)(walk.offset[1] + i * walk.stride[1]));
    }
}

static const char *evaluate(struct run *run, const struct value *value, struct operand *result,
                            const struct operand *inputs) {
  const int64_t *sizes = run->environment->sizes;
  switch (op_facts[value->op].class) {
    case CLASS_LEAF:
      if (value->op == OP_constant) {
        *result->data = value->number;
      } else if (value->op == OP_index) {
        for (int64_t i = axis_length(value->axis, sizes) - 1; i >= 0; i--) result->data[i] = (double)i;
      } else if (value->op == OP_state) {
        struct operand full;
        const char *error = find_state(run, value->state, &full);
        if (error) return error;
        operand_copy(value->axes, value->axis_count, result, &full, sizes);
      } else {
        return read_input(run, value, result);
      }
      return NULL;
    case CLASS_RANDOM:
      draw(run, value, result, inputs);
      return NULL;
    case CLASS_UNARY:
    case CLASS_BINARY:
    case CLASS_COMPARE:
    case CLASS_LOGIC:
    case CLASS_TERNARY:
      evaluate_elementwise(value, result, inputs, &run->evaluation);
      return NULL;
    case CLASS_REDUCE:
    case CLASS_MIX:
    case CLASS_CONTRACT:
    case CLASS_GATHER:
    case CLASS_SCATTER:
      return evaluate_mixing(value, result, inputs, &run->evaluation);
    case CLASS_VIEW:
      return evaluate_view(value, result, inputs, &run->evaluation);
    case CLASS_STOP:
      operand_copy(value->axes, value->axis_count, result, &inputs[0], sizes);
      return NULL;
    case CLASS_GRADIENT:
      return "a gradient is interpreted only after autodiff";
    case CLASS_UPDATE:
      return update(run, value, result, inputs);
    case CLASS_CALL:
      break;
  }
  bug("%s is not evaluated here", op_facts[value->op].name);
}

static const char *run_graph(struct run *run, const struct graph *graph, const struct region *region,
                             const struct operand *actuals, struct slot *outputs);

static const char *run_call(struct run *run, const struct value *value, struct slot *slot,
                            const struct operand *inputs) {
  int count = value->callee->body->outputs.count;
  slot->results = calloc((size_t)(count ? count : 1), sizeof *slot->results);
  if (!slot->results) return no_memory(run, value);
  slot->result_count = count;
  return run_graph(run, value->callee->body, value->callee, inputs, slot->results);
}

/* Copies `from` into fresh memory laid out by `axes`. */
static bool lay_out(struct run *run, struct axis *const *axes, int count, const struct operand *from,
                    struct operand *to) {
  const int64_t *sizes = run->environment->sizes;
  double *data = take(axes, count, sizes);
  if (!data) return false;
  *to = operand_dense(axes, count, data, sizes);
  operand_copy(axes, count, to, from, sizes);
  return true;
}

static const char *run_value(struct run *run, const struct value *value, struct slot *slots,
                             const struct region *region, const struct operand *actuals) {
  struct environment *environment = run->environment;
  struct slot *slot = &slots[value->id];
  struct operand few[3], *inputs = few;
  if (value->input_count > 3) inputs = arena_new_array(environment->arena, struct operand, value->input_count);
  for (int i = 0; i < value->input_count; i++) {
    if (slots[value->inputs[i]->id].owner != value->inputs[i])
      return fail(run, value,
                  arena_format(environment->arena, "%%%d is used before it is computed", value->inputs[i]->id));
    inputs[i] = slots[value->inputs[i]->id].operand;
  }
  slot->owner = value;
  if (value->op == OP_call) return run_call(run, value, slot, inputs);
  if (value->op == OP_result) {
    const struct operand *from = &slots[value->inputs[0]->id].results[value->start].operand;
    if (!lay_out(run, value->axes, value->axis_count, from, &slot->operand)) return no_memory(run, value);
    return NULL;
  }
  for (int i = 0; region && i < region->inputs.count; i++) {
    if (region->inputs.items[i] != value) continue;
    if (!lay_out(run, value->axes, value->axis_count, &actuals[i], &slot->operand)) return no_memory(run, value);
    return NULL;
  }
  double *data = take(value->axes, value->axis_count, environment->sizes);
  if (!data) return no_memory(run, value);
  slot->operand = operand_dense(value->axes, value->axis_count, data, environment->sizes);
  const char *error = evaluate(run, value, &slot->operand, inputs);
  return error ? fail(run, value, error) : NULL;
}

static const char *take_outputs(struct run *run, const struct graph *graph, const struct region *region,
                                const struct slot *slots, struct slot *outputs) {
  for (int i = 0; i < graph->outputs.count; i++) {
    const struct value *value = graph->outputs.items[i].value;
    if (!value) continue;
    if (slots[value->id].owner != value)
      return arena_format(run->environment->arena, "output %s is not computed", graph->outputs.items[i].name);
    struct axis *const *axes = region ? value->axes : graph->outputs.items[i].axes;
    if (!lay_out(run, axes, value->axis_count, &slots[value->id].operand, &outputs[i].operand))
      return no_memory(run, value);
  }
  return NULL;
}

static const char *run_graph(struct run *run, const struct graph *graph, const struct region *region,
                             const struct operand *actuals, struct slot *outputs) {
  int slot_count = 1;
  for (int i = 0; i < graph->values.count; i++)
    if (graph->values.items[i]->id >= slot_count) slot_count = graph->values.items[i]->id + 1;
  struct slot *slots = calloc((size_t)slot_count, sizeof *slots);
  if (!slots) return "not enough memory for the graph";
  const char *error = NULL;
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    for (int j = 0; j < value->input_count; j++) {
      if (value->inputs[j]->id < slot_count)
        slots[value->inputs[j]->id].uses++;
      else
        error = fail(run, value, "an input is not in the graph");
    }
  }
  for (int i = 0; i < graph->outputs.count; i++) {
    const struct value *value = graph->outputs.items[i].value;
    if (!value) continue;
    if (value->id < slot_count)
      slots[value->id].uses++;
    else
      error = arena_format(run->environment->arena, "output %s is not in the graph", graph->outputs.items[i].name);
  }
  for (int i = 0; !error && i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    struct slot *slot = &slots[value->id];
    error = run_value(run, value, slots, region, actuals);
    if (error) break;
    if (run->watch && slot->operand.data) {
      struct tensor seen = {value->axes, value->axis_count, slot->operand.data};
      run->watch(run->environment->context, value, &seen);
    }
    for (int j = 0; j < value->input_count; j++)
      if (!--slots[value->inputs[j]->id].uses) slot_clear(&slots[value->inputs[j]->id]);
    if (!slot->uses) slot_clear(slot);
  }
  if (!error) error = take_outputs(run, graph, region, slots, outputs);
  for (int i = 0; i < slot_count; i++) slot_clear(&slots[i]);
  free(slots);
  return error;
}

static const char *check_sizes(const struct graph *graph, const struct environment *environment) {
  for (int i = 0; i < graph->sizes.count; i++) {
    const struct size *size = graph->sizes.items[i];
    if (!environment->sizes)
      return arena_format(environment->arena, "graph %s needs the size %s", graph->name, size->name);
    int64_t present = environment->sizes[size->index];
    if (present < 0 || present > size->bound)
      return arena_format(environment->arena, "size %s is %lld and must be from 0 to %lld", size->name,
                          (long long)present, (long long)size->bound);
  }
  return NULL;
}

const char *graph_interpret(const struct graph *graph, struct environment *environment, struct tensor *results,
                            void (*watch)(void *context, const struct value *value, const struct tensor *tensor)) {
  struct run run = {.environment = environment,
                    .evaluation = {environment->arena, environment->sizes, environment->seed},
                    .watch = watch};
  const char *error = check_sizes(graph, environment);
  if (error) return error;
  int count = graph->outputs.count;
  struct slot *outputs = calloc((size_t)(count ? count : 1), sizeof *outputs);
  if (!outputs) return "not enough memory for the outputs";
  error = run_graph(&run, graph, NULL, NULL, outputs);
  for (int i = 0; !error && results && i < count; i++) {
    const struct value *value = graph->outputs.items[i].value;
    results[i] = (struct tensor){0};
    if (!value) continue;
    int64_t elements = operand_count(&outputs[i].operand, environment->sizes);
    double *data = arena_new_array(environment->arena, double, elements);
    memcpy(data, outputs[i].operand.data, sizeof(double) * (size_t)elements);
    results[i] = (struct tensor){graph->outputs.items[i].axes, value->axis_count, data};
  }
  for (int i = 0; i < run.pending.count; i++) {
    const struct pending *pending = &run.pending.items[i];
    if (!error) {
      double *data = environment->state(environment->context, pending->state);
      memcpy(data, pending->data,
             sizeof(double) * (size_t)axes_count(pending->state->axes, pending->state->axis_count));
    }
    free(pending->data);
  }
  for (int i = 0; i < count; i++) slot_clear(&outputs[i]);
  free(outputs);
  return error;
}
