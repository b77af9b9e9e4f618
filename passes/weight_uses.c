/* Parameters are followed through views to the contractions and lookups that read them. */
#include "passes/weight_uses.h"

#include "passes/rewrite.h"
#include "passes/view_origin.h"

int weight_place(const struct program *program, const struct value *value) {
  if (value->op != OP_state || value->kind != KIND_REAL) return -1;
  const struct state *state = value->state->role == ROLE_AVERAGE ? value->state->of : value->state;
  if (!state || state->role != ROLE_PARAMETER) return -1;
  for (int i = 0; i < program->states.count; i++)
    if (program->states.items[i] == state) return i;
  return -1;
}

static void look_at_contraction(const struct value *contraction, int side, const struct origin_of *origin,
                                struct weight_uses *own) {
  const struct value *x = contraction->inputs[side], *other = contraction->inputs[1 - side];
  unsigned *summed = origin->chosen ? &own->summed_after_lookup : &own->summed;
  own->batched |= origin->chosen;
  for (int i = 0; i < x->axis_count; i++) {
    if (list_has_axis(contraction->list, contraction->list_count, x->axes[i]))
      *summed |= origin->axes[i];
    else if (value_has_axis(other, x->axes[i]))
      own->batched |= origin->axes[i];
  }
}

static void look_at_use(const struct value *user, const struct origin_of *origins, struct weight_uses *uses) {
  for (int j = 0; j < user->input_count; j++) {
    const struct value *x = user->inputs[j];
    const struct origin_of *origin = &origins[x->id];
    if (!origin->source) continue;
    struct weight_uses *own = &uses[origin->source - 1];
    if (user->op == OP_contract) look_at_contraction(user, j, origin, own);
    if (user->op == OP_gather && j == 0 && !origin->chosen) own->looked_up |= axes_along(origin, x, user->axis);
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
    const int x = contraction->inputs[1 - j]->id, place = origins[contraction->inputs[j]->id].source - 1;
    if (place < 0 || origins[contraction->inputs[j]->id].chosen) continue;
    if (origins[x].source && !origins[x].chosen) continue;
    if (!readers[x]) readers[x] = place + 1;
    const int one = weight_uses_first(uses, place), other = weight_uses_first(uses, readers[x] - 1);
    if (one != other) uses[one > other ? one : other].before = (one > other ? other : one) + 1;
  }
}

/* Marks the parameters of the contractions that come last on the way to some output. */
static void find_heads(const struct graph *graph, const struct origin_of *origins, bool *reached,
                       struct weight_uses *uses) {
  for (int i = graph->values.count - 1; i >= 0; i--) {
    const struct value *value = graph->values.items[i];
    for (int j = 0; reached[value->id] && j < value->input_count; j++) {
      const struct origin_of *origin = &origins[value->inputs[j]->id];
      if (value->op != OP_contract)
        reached[value->inputs[j]->id] = true;
      else if (origin->source && !origin->chosen)
        uses[origin->source - 1].is_head = true;
    }
  }
}

/* Marks what is needed of the graph by values that are marked, and by updates. */
static void mark_needed(const struct graph *graph, bool *needed) {
  for (int i = graph->values.count - 1; i >= 0; i--) {
    const struct value *value = graph->values.items[i];
    if (value->op == OP_update) needed[value->id] = true;
    for (int j = 0; needed[value->id] && j < value->input_count; j++) needed[value->inputs[j]->id] = true;
  }
}

static struct origin_of origin_of_weight(const struct program *program, const struct value *value,
                                         const struct origin_of *origins) {
  struct origin_of own = {.source = weight_place(program, value) + 1};
  for (int k = 0; own.source && k < value->axis_count; k++) own.axes[k] = 1u << k;
  if (own.source) return own;
  if (value->op != OP_gather) return origin_of_view(value, origins);
  const struct value *table = value->inputs[0];
  const struct origin_of *from = &origins[table->id];
  if (!from->source) return own;
  own.source = from->source;
  own.chosen = from->chosen | axes_along(from, table, value->axis);
  for (int k = 0; k < value->axis_count; k++) own.axes[k] = axes_along(from, table, value->axes[k]);
  return own;
}

void weight_uses_of(const struct program *program, const struct graph *graph, struct value *const *results, int count,
                    struct weight_uses *uses) {
  struct arena *scratch = arena_new();
  bool *needed = arena_new_array(scratch, bool, graph->next_value);
  bool *reached = arena_new_array(scratch, bool, graph->next_value);
  struct origin_of *origins = arena_new_array(scratch, struct origin_of, graph->next_value);
  int *readers = arena_new_array(scratch, int, graph->next_value);
  for (int i = 0; i < count; i++) needed[results[i]->id] = reached[results[i]->id] = true;
  mark_needed(graph, needed);
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (!needed[value->id]) continue;
    look_at_use(value, origins, uses);
    if (value->op == OP_contract) look_at_partner(value, origins, readers, uses);
    origins[value->id] = origin_of_weight(program, value, origins);
  }
  find_heads(graph, origins, reached, uses);
  arena_free(scratch);
}

void weight_uses_add(const struct program *program, const struct graph *graph, struct weight_uses *uses) {
  struct arena *scratch = arena_new();
  struct value **results = arena_new_array(scratch, struct value *, graph->outputs.count);
  for (int i = 0; i < graph->outputs.count; i++) results[i] = graph->outputs.items[i].value;
  weight_uses_of(program, graph, results, graph->outputs.count, uses);
  arena_free(scratch);
}

int weight_last_axis(unsigned axes) {
  int last = -1;
  for (int i = 0; i < MAX_RANK; i++)
    if (axes >> i & 1) last = i;
  return last;
}
