/* Parameters are followed through views to the contractions and lookups that read them. */
#include "passes/weight_uses.h"

#include "passes/view_origin.h"

int weight_place(const struct program *program, const struct value *value) {
  if (value->op != OP_state || value->kind != KIND_REAL) return -1;
  const struct state *state = value->state->role == ROLE_AVERAGE ? value->state->of : value->state;
  if (!state || state->role != ROLE_PARAMETER) return -1;
  for (int i = 0; i < program->states.count; i++)
    if (program->states.items[i] == state) return i;
  return -1;
}

static void look_at_use(const struct value *user, const struct origin_of *origins, struct weight_uses *uses) {
  for (int j = 0; j < user->input_count; j++) {
    const struct value *x = user->inputs[j];
    const struct origin_of *origin = &origins[x->id];
    if (!origin->source) continue;
    struct weight_uses *own = &uses[origin->source - 1];
    for (int i = 0; user->op == OP_contract && i < user->list_count; i++)
      own->summed |= axes_along(origin, x, user->list[i]);
    if (user->op == OP_gather && j == 0) own->looked_up |= axes_along(origin, x, user->axis);
  }
}

/* Marks the parameters of the contractions that come last on the way to some output. */
static void find_heads(const struct graph *graph, const struct origin_of *origins, bool *reached,
                       struct weight_uses *uses) {
  for (int i = 0; i < graph->outputs.count; i++) reached[graph->outputs.items[i].value->id] = true;
  for (int i = graph->values.count - 1; i >= 0; i--) {
    const struct value *value = graph->values.items[i];
    for (int j = 0; reached[value->id] && j < value->input_count; j++) {
      const struct origin_of *origin = &origins[value->inputs[j]->id];
      if (value->op != OP_contract)
        reached[value->inputs[j]->id] = true;
      else if (origin->source)
        uses[origin->source - 1].is_head = true;
    }
  }
}

/* Marks what outputs and updates need. */
static bool *needed_values(struct arena *scratch, const struct graph *graph) {
  bool *needed = arena_new_array(scratch, bool, graph->next_value);
  for (int i = 0; i < graph->outputs.count; i++) needed[graph->outputs.items[i].value->id] = true;
  for (int i = graph->values.count - 1; i >= 0; i--) {
    const struct value *value = graph->values.items[i];
    if (value->op == OP_update) needed[value->id] = true;
    for (int j = 0; needed[value->id] && j < value->input_count; j++) needed[value->inputs[j]->id] = true;
  }
  return needed;
}

void weight_uses_add(const struct program *program, const struct graph *graph, struct weight_uses *uses) {
  struct arena *scratch = arena_new();
  const bool *needed = needed_values(scratch, graph);
  struct origin_of *origins = arena_new_array(scratch, struct origin_of, graph->next_value);
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    struct origin_of *own = &origins[value->id];
    if (!needed[value->id]) continue;
    look_at_use(value, origins, uses);
    own->source = weight_place(program, value) + 1;
    for (int k = 0; own->source && k < value->axis_count; k++) own->axes[k] = 1u << k;
    if (!own->source) *own = origin_of_view(value, origins);
  }
  find_heads(graph, origins, arena_new_array(scratch, bool, graph->next_value), uses);
  arena_free(scratch);
}

int weight_last_axis(unsigned axes) {
  int last = -1;
  for (int i = 0; i < MAX_RANK; i++)
    if (axes >> i & 1) last = i;
  return last;
}
