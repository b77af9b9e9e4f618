/* Parameters are followed through views to the contractions and lookups that read them. */
#include "passes/weight_uses.h"

/* What a value is made of, as far as views go. */
struct origin_of {
  int state; /* 1 + the place of the parameter that it is a view of; 0: it is none */
  unsigned axes[MAX_AXES]; /* for each axis of the value: the axes of the parameter that it runs along */
};

int weight_place(const struct program *program, const struct value *value) {
  if (value->op != OP_state || value->kind != KIND_REAL) return -1;
  const struct state *state = value->state->role == ROLE_AVERAGE ? value->state->of : value->state;
  if (!state || state->role != ROLE_PARAMETER) return -1;
  for (int i = 0; i < program->states.count; i++)
    if (program->states.items[i] == state) return i;
  return -1;
}

static unsigned axes_along(const struct origin_of *origin, const struct value *value, const struct axis *axis) {
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] == axis) return origin->axes[i];
  return 0;
}

/* The axes of the parameter that an axis of the view runs along. */
static unsigned axes_of_view(const struct value *view, const struct axis *axis, const struct origin_of *from) {
  const struct value *x = view->inputs[0];
  if (value_has_axis(x, axis) && axis != view->result) return axes_along(from, x, axis);
  unsigned axes = 0;
  switch ((int)view->op) {
    case OP_rename:
    case OP_slice:
    case OP_pad:
    case OP_split:
      return axes_along(from, x, view->axis);
    case OP_merge:
      for (int i = 0; i < view->list_count; i++) axes |= axes_along(from, x, view->list[i]);
      return axes;
    default:
      return 0;
  }
}

static void look_at_use(const struct value *user, const struct origin_of *origins, struct weight_uses *uses) {
  for (int j = 0; j < user->input_count; j++) {
    const struct value *x = user->inputs[j];
    const struct origin_of *origin = &origins[x->id];
    if (!origin->state) continue;
    struct weight_uses *own = &uses[origin->state - 1];
    for (int i = 0; user->op == OP_contract && i < user->list_count; i++)
      own->summed |= axes_along(origin, x, user->list[i]);
    if (user->op == OP_gather && j == 0) own->looked_up |= axes_along(origin, x, user->axis);
  }
}

int weight_uses_first(const struct weight_uses *uses, int place) {
  while (uses[place].before) place = uses[place].before - 1;
  return place;
}

/* Notes that the contraction's parameter multiplies the same values as others do. `readers`: by the id of a value, 1 + the place of a
   parameter that multiplies it. */
static void look_at_partner(const struct value *contraction, const struct origin_of *origins, int *readers,
                            struct weight_uses *uses) {
  for (int j = 0; j < 2; j++) {
    const int x = contraction->inputs[1 - j]->id, place = origins[contraction->inputs[j]->id].state - 1;
    if (place < 0 || origins[x].state) continue;
    if (!readers[x]) readers[x] = place + 1;
    const int one = weight_uses_first(uses, place), other = weight_uses_first(uses, readers[x] - 1);
    if (one != other) uses[one > other ? one : other].before = (one > other ? other : one) + 1;
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
      else if (origin->state)
        uses[origin->state - 1].is_head = true;
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
  int *readers = arena_new_array(scratch, int, graph->next_value);
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    struct origin_of *own = &origins[value->id];
    if (!needed[value->id]) continue;
    look_at_use(value, origins, uses);
    if (value->op == OP_contract) look_at_partner(value, origins, readers, uses);
    own->state = weight_place(program, value) + 1;
    for (int k = 0; own->state && k < value->axis_count; k++) own->axes[k] = 1u << k;
    if (op_facts[value->op].class != CLASS_VIEW || value->op == OP_concat || !origins[value->inputs[0]->id].state)
      continue;
    own->state = origins[value->inputs[0]->id].state;
    for (int k = 0; k < value->axis_count; k++)
      own->axes[k] = axes_of_view(value, value->axes[k], &origins[value->inputs[0]->id]);
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
