/* Moves what generation needs to compute only once: values of program->step that do not depend on the window move to
   program->prepare, which writes them to states that step reads. Examples are a translator's encoder and its cross
   keys. (What depends on parameters alone went to program->derive before, where that pass is not left out.)

   A value stays in step when it depends on the window (on the fed tokens, their positions, a cache, a run-time size),
   when it needs no input and no contraction (such as 1 + weight, which is cheaper to repeat than to keep), or when it
   is a constant, an index, a weight, or one of these repeated along axes. Everything else moves, inputs too: a step is
   given the window and nothing more. */
#include <string.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

struct hoister {
  struct program *program;
  bool only_inputs;
  struct graph *step, *prepare;
  bool *windowed; /* by id in the old step graph: depends on the window */
  bool *costly; /* depends on an input or contains a contraction */
  struct value **prepared; /* by id: the value that replaces it in prepare */
};

static bool window_axis(const struct axis *axis) { return axis && axis->size && axis->size->role != SIZE_ORDINARY; }

static bool depends_on_window(const struct hoister *hoister, const struct value *value) {
  for (int i = 0; i < value->input_count; i++)
    if (hoister->windowed[value->inputs[i]->id]) return true;
  for (int i = 0; i < value->axis_count; i++)
    if (window_axis(value->axes[i])) return true;
  for (int i = 0; i < value->list_count; i++)
    if (window_axis(value->list[i])) return true;
  if (window_axis(value->axis) || window_axis(value->result)) return true;
  if (value->op == OP_update) return true;
  if (value->op == OP_state) return value->state->role == ROLE_CACHE;
  if (value->op != OP_input) return false;
  const struct generate_settings *generation = hoister->program->generation;
  return value->run_input == RUN_POSITION || (generation && !strcmp(value->name, generation->feed));
}

static bool moves(const struct hoister *hoister, const struct value *value) {
  if (hoister->windowed[value->id] || !hoister->costly[value->id]) return false;
  if (hoister->only_inputs) return value->op == OP_input;
  /* Expanding along axes costs nothing, and its input is smaller to keep. */
  return value->op != OP_expand && value->axis_count <= MAX_RANK;
}

/* Copies the needed values to prepare. Inputs come before users in the old list, so one loop over it is enough. */
static void fill_prepare(struct hoister *hoister, struct value *const *old, int count, const bool *needed) {
  for (int i = 0; i < count; i++) {
    const struct value *value = old[i];
    if (!needed[value->id]) continue;
    struct value **inputs = arena_new_array(hoister->prepare->arena, struct value *, value->input_count);
    for (int j = 0; j < value->input_count; j++) inputs[j] = hoister->prepared[value->inputs[j]->id];
    hoister->prepared[value->id] = value_copy(hoister->prepare, value, inputs);
  }
}

static bool name_taken(const struct program *program, const char *name) {
  for (int i = 0; i < program->states.count; i++)
    if (!strcmp(program->states.items[i]->name, name)) return true;
  return false;
}

/* A state for a value, with batch outermost as everywhere in generation. */
static struct state *prepared_state(struct hoister *hoister, const struct value *value) {
  struct arena *arena = hoister->program->arena;
  struct state *state = arena_new_struct(arena, struct state);
  const char *name = arena_format(arena, "prepared/%s", value->name ? value->name : op_facts[value->op].name);
  state->name = name;
  for (int i = 2; name_taken(hoister->program, state->name); i++) state->name = arena_format(arena, "%s.%d", name, i);
  state->role = ROLE_PREPARED;
  state->kind = value->kind;
  state->axes = arena_new_array(arena, struct axis *, value->axis_count);
  state->axis_count = value->axis_count;
  batch_first(value->axes, value->axis_count, state->axes);
  state->initial = INITIAL_CONSTANT;
  state->stream = hash_path(state->name);
  state->span = value->origin.span;
  array_push(arena, &hoister->program->states, state);
  return state;
}

static bool is_sized(const struct axis *axis, const struct size *size) { return axis && axis->size == size; }

static bool has_size(const struct graph *graph, const struct size *size) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (is_sized(value->range, size) || is_sized(value->axis, size) || is_sized(value->result, size)) return true;
    for (int k = 0; k < value->axis_count; k++)
      if (is_sized(value->axes[k], size)) return true;
    for (int k = 0; value->list && k < value->list_count; k++)
      if (is_sized(value->list[k], size)) return true;
  }
  return false;
}

void pass_hoist(struct program *program, bool only_inputs) {
  struct graph *step = program->step;
  if (!step || program->prepare) return;
  struct arena *arena = step->arena;
  graph_sweep(step);
  int count = step->values.count;
  struct hoister hoister = {
      .program = program,
      .only_inputs = only_inputs,
      .step = step,
      .windowed = arena_new_array(arena, bool, count),
      .costly = arena_new_array(arena, bool, count),
      .prepared = arena_new_array(arena, struct value *, count),
  };
  /* A value on the border moves, while something that stays, or an output, uses it. */
  bool *border = arena_new_array(arena, bool, count), *needed = arena_new_array(arena, bool, count);
  bool *used = arena_new_array(arena, bool, count);
  bool found = false;
  for (int i = 0; i < count; i++) {
    const struct value *value = step->values.items[i];
    hoister.windowed[i] = depends_on_window(&hoister, value);
    hoister.costly[i] = value->op == OP_input || value->op == OP_contract;
    for (int j = 0; j < value->input_count; j++)
      hoister.costly[i] = hoister.costly[i] || hoister.costly[value->inputs[j]->id];
  }
  for (int i = 0; i < step->outputs.count; i++) used[step->outputs.items[i].value->id] = true;
  for (int i = count - 1; i >= 0; i--) {
    const struct value *value = step->values.items[i];
    if (value->op == OP_update) used[i] = true;
    if (!used[i]) continue;
    if (moves(&hoister, value)) {
      border[i] = needed[i] = found = true;
      continue;
    }
    for (int j = 0; j < value->input_count; j++) used[value->inputs[j]->id] = true;
  }
  if (!found) return;
  for (int i = count - 1; i >= 0; i--)
    if (needed[i])
      for (int j = 0; j < step->values.items[i]->input_count; j++) needed[step->values.items[i]->inputs[j]->id] = true;

  struct graph *prepare = graph_new(arena, routine_facts[ROUTINE_prepare].name, step->next_axis);
  for (int i = 0; i < step->sizes.count; i++) array_push(arena, &prepare->sizes, step->sizes.items[i]);
  hoister.prepare = program->prepare = prepare;
  fill_prepare(&hoister, step->values.items, count, needed);

  struct rewrite rewrite = rewrite_begin(step);
  for (int i = 0; i < count; i++) {
    struct value *old = rewrite.old[i];
    if (!used[i]) continue;
    if (!border[i]) {
      rewrite_keep(&rewrite, old);
      continue;
    }
    struct state *state = prepared_state(&hoister, old);
    prepare->origin = step->origin = old->origin;
    build_update(prepare, state, hoister.prepared[i], NULL, NULL);
    struct value *read = build_state(step, state);
    read->range = old->range;
    rewrite_set(&rewrite, old, read);
  }
  rewrite_end(&rewrite);
  graph_sweep(step);
  graph_sweep(prepare);
  /* The last sizes, which no value that moved has to do with, are not asked for; the others keep their numbers. */
  while (prepare->sizes.count > 0 && !has_size(prepare, prepare->sizes.items[prepare->sizes.count - 1]))
    prepare->sizes.count--;
}
