/* What graphs do with parameters. A parameter is followed through views and lookups to the contractions that read it. */
#include "passes/uses.h"

/* What a value is made of, as far as views and lookups go. */
struct origin_of {
  int state; /* 1 + the place of the parameter that it is a view of; 0: it is none */
  unsigned axes[MAX_AXES]; /* for each axis of the value: the axes of the parameter that it runs along */
  unsigned chosen; /* the axes of the parameter that lookups chose along */
};

int parameter_place(const struct program *program, const struct value *value) {
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

static bool is_summed(const struct value *contraction, const struct axis *axis) {
  for (int i = 0; i < contraction->list_count; i++)
    if (contraction->list[i] == axis) return true;
  return false;
}

static void look_at_contraction(const struct value *contraction, int side, const struct origin_of *origin,
                                struct parameter_uses *own) {
  const struct value *x = contraction->inputs[side], *other = contraction->inputs[1 - side];
  unsigned *summed = origin->chosen ? &own->summed_after_lookup : &own->summed;
  own->batched |= origin->chosen;
  for (int i = 0; i < x->axis_count; i++)
    if (is_summed(contraction, x->axes[i]))
      *summed |= origin->axes[i];
    else if (value_has_axis(other, x->axes[i]))
      own->batched |= origin->axes[i];
}

static void look_at_use(const struct value *user, const struct origin_of *origins, struct parameter_uses *uses) {
  for (int j = 0; j < user->input_count; j++) {
    const struct value *x = user->inputs[j];
    const struct origin_of *origin = &origins[x->id];
    if (!origin->state) continue;
    struct parameter_uses *own = &uses[origin->state - 1];
    if (user->op == OP_contract) look_at_contraction(user, j, origin, own);
    if (user->op == OP_gather && j == 0 && !origin->chosen) own->looked_up |= axes_along(origin, x, user->axis);
  }
}

/* Marks the parameters of the contractions that come last on the way to some result. */
static void find_heads(const struct graph *graph, const struct origin_of *origins, bool *reached,
                       struct parameter_uses *uses) {
  for (int i = graph->values.count - 1; i >= 0; i--) {
    const struct value *value = graph->values.items[i];
    for (int j = 0; reached[value->id] && j < value->input_count; j++) {
      const struct origin_of *origin = &origins[value->inputs[j]->id];
      if (value->op != OP_contract)
        reached[value->inputs[j]->id] = true;
      else if (origin->state && !origin->chosen)
        uses[origin->state - 1].is_head = true;
    }
  }
}

static void follow(const struct program *program, const struct value *value, struct origin_of *origins) {
  struct origin_of *own = &origins[value->id];
  own->state = parameter_place(program, value) + 1;
  for (int k = 0; own->state && k < value->axis_count; k++) own->axes[k] = 1u << k;
  if (own->state || value->input_count == 0) return;
  const struct origin_of *from = &origins[value->inputs[0]->id];
  const bool is_view = op_facts[value->op].class == CLASS_VIEW && value->op != OP_concat;
  if (!from->state || (!is_view && value->op != OP_gather)) return;
  own->state = from->state;
  own->chosen = from->chosen;
  for (int k = 0; k < value->axis_count; k++)
    own->axes[k] =
        is_view ? axes_of_view(value, value->axes[k], from) : axes_along(from, value->inputs[0], value->axes[k]);
  if (value->op == OP_gather) own->chosen |= axes_along(from, value->inputs[0], value->axis);
}

void find_parameter_uses(const struct program *program, const struct graph *graph, struct value *const *results,
                         int count, struct parameter_uses *uses) {
  struct arena *scratch = arena_new();
  struct origin_of *origins = arena_new_array(scratch, struct origin_of, graph->next_value);
  bool *reached = arena_new_array(scratch, bool, graph->next_value);
  for (int i = 0; i < graph->values.count; i++) {
    look_at_use(graph->values.items[i], origins, uses);
    follow(program, graph->values.items[i], origins);
  }
  for (int i = 0; i < count; i++) reached[results[i]->id] = true;
  find_heads(graph, origins, reached, uses);
  arena_free(scratch);
}
