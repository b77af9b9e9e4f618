/* Steps and scales that become a part of the program in place of their parameters: those of the file where it has just these, or else
   what the graph derive makes of the file's parameters. */
#include "driver/bake.h"

#include <stdlib.h>
#include <string.h>

#include "driver/interpret.h"
#include "ir/interpret.h"

/* A state while the graph derive is interpreted. */
struct held {
  const struct state *state;
  double *data;
};

struct baked_steps {
  struct arena *arena;
  const struct lam_weights *weights;
  ARRAY(struct held) held;
};

static double *data_of(const struct baked_steps *steps, const struct state *state) {
  for (int i = 0; i < steps->held.count; i++)
    if (steps->held.items[i].state == state) return steps->held.items[i].data;
  return NULL;
}

static int64_t state_count(const struct state *state) {
  int64_t count = 1;
  for (int i = 0; i < state->axis_count; i++) count *= state->axes[i]->extent;
  return count;
}

static double *hold(struct baked_steps *steps, const struct state *state) {
  const struct held held = {state, arena_new_array(steps->arena, double, state_count(state))};
  array_push(steps->arena, &steps->held, held);
  return held.data;
}

/* The contents of a parameter are read where the graph first asks for them; those of the other states it writes itself. */
static double *find_state(void *context, const struct state *state) {
  struct baked_steps *steps = context;
  double *data = data_of(steps, state);
  if (data) return data;
  data = hold(steps, state);
  const struct lam_entry *entry = role_is_derived(state->role) ? NULL : lam_weights_find(steps->weights, state->name);
  if (entry) lam_read_elements(entry, LAM_TYPE_REAL, 0, state_count(state), data);
  return data;
}

static const double *find_input(void *context, const struct value *input) {
  (void)context;
  bug("the graph derive has an input %s", input->name);
}

/* Targets compute in single precision, so that steps are rounded as they round them. */
static void round_value(void *context, const struct value *value, const struct tensor *tensor) {
  (void)context;
  int64_t count = value->kind == KIND_REAL;
  for (int i = 0; i < tensor->axis_count; i++) count *= tensor->axes[i]->extent;
  for (int64_t i = 0; i < count; i++) tensor->data[i] = (double)(float)tensor->data[i];
}

/* The entry of the file for a part of a parameter, with the shape that the program wants; or NULL. */
static const struct lam_entry *part_entry(const struct baked_steps *steps, const struct state *part) {
  const struct lam_entry *entry = lam_weights_find(steps->weights, part->name),
                         *whole = lam_weights_find(steps->weights, part->of->name);
  if (!entry || !whole || entry->rank != part->of->axis_count) return NULL;
  if (entry->data != whole->data && entry->data != whole->scale && entry->data != whole->offset)
    return NULL; /* the parameter itself is there, too */
  for (int i = 0; i < entry->rank; i++)
    if (entry->shape[i] != part->file_shape[i]) return NULL;
  return entry;
}

static bool has_all_parts(const struct baked_steps *steps, const struct program *program, const struct state *of) {
  for (int i = 0; i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    if (state->role == ROLE_QUANTIZED && state->of == of && !part_entry(steps, state)) return false;
  }
  return true;
}

static bool is_update_of_part(const struct value *value) {
  return value->op == OP_update && value->state->role == ROLE_QUANTIZED;
}

/* What is a part of the program is not computed by it. */
static void drop_updates(struct program *program) {
  struct graph *graph = program->derive;
  int count = 0, updates = 0;
  for (int i = 0; i < graph->values.count; i++) {
    struct value *value = graph->values.items[i];
    if (is_update_of_part(value)) continue;
    updates += value->op == OP_update;
    graph->values.items[count++] = value;
  }
  graph->values.count = count;
  if (updates)
    graph_sweep(graph);
  else
    program->derive = NULL;
}

static bool is_used(struct program *program, const struct state *state) {
  for (int i = 0; program_graph(program, i); i++) {
    const struct graph *graph = *program_graph(program, i);
    for (int k = 0; graph && k < graph->values.count; k++)
      if (graph->values.items[k]->state == state) return true;
  }
  return false;
}

/* Parameters that nothing reads, since their steps are there, take no memory. */
static void drop_parameters(struct program *program) {
  int count = 0;
  for (int i = 0; i < program->states.count; i++) {
    struct state *state = program->states.items[i];
    bool in_steps = false;
    for (int k = 0; k < program->states.count; k++)
      in_steps =
          in_steps || (program->states.items[k]->role == ROLE_QUANTIZED && program->states.items[k]->of == state);
    if (!in_steps || is_used(program, state)) program->states.items[count++] = state;
  }
  program->states.count = count;
}

const struct baked_steps *bake_steps(struct arena *arena, struct program *program, const struct lam_weights *weights) {
  struct baked_steps *steps = arena_new_struct(arena, struct baked_steps);
  *steps = (struct baked_steps){.arena = arena, .weights = weights};
  bool some = false, all = true;
  for (int i = 0; i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    if (state->role != ROLE_QUANTIZED) continue;
    some = true;
    all = all && part_entry(steps, state);
  }
  if (!some) return steps;
  if (!all) {
    struct environment environment = {arena, NULL, 0, find_input, find_state, steps};
    const char *problem = graph_interpret(program->derive, &environment, NULL, round_value);
    if (problem) bug("the graph derive: %s", problem);
  }
  for (int i = 0; i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    if (state->role != ROLE_QUANTIZED || !has_all_parts(steps, program, state->of)) continue;
    double *data = data_of(steps, state);
    if (!data) data = hold(steps, state);
    lam_read_elements(part_entry(steps, state), LAM_TYPE_REAL, 0, state_count(state), data);
  }
  drop_updates(program);
  drop_parameters(program);
  return steps;
}

void baked_step_elements(const struct baked_steps *steps, const struct state *state, bool wide, int64_t first,
                         int64_t count, void *to) {
  const double *data = data_of(steps, state) + first;
  const enum lam_type type = interpret_type(state);
  for (int64_t i = 0; i < count; i++)
    if (type == LAM_TYPE_REAL && !wide)
      ((float *)to)[i] = (float)data[i];
    else
      lam_set(to, type, i, data[i]);
}
