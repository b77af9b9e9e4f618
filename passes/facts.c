#include "passes/facts.h"

#include "passes/rewrite.h"

/* --- Users ------------------------------------------------------------------------------------------------------------------ */

static void find_users(struct graph_facts *facts, struct arena *arena, const struct graph *graph) {
  int total = 0;
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    for (int j = 0; j < value->input_count; j++) facts->values[value->inputs[j]->id].user_count++;
  }
  for (int i = 0; i < graph->values.count; i++) {
    struct value_facts *own = &facts->values[graph->values.items[i]->id];
    own->first_user = total;
    total += own->user_count;
    own->user_count = 0;
  }
  facts->users = arena_alloc(arena, sizeof *facts->users * (size_t)(total + 1));
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    for (int j = 0; j < value->input_count; j++) {
      struct value_facts *input = &facts->values[value->inputs[j]->id];
      facts->users[input->first_user + input->user_count++] = value;
    }
  }
}

int facts_uses(const struct graph_facts *facts, const struct value *value) {
  return facts->values[value->id].user_count;
}

const struct value *facts_user(const struct graph_facts *facts, const struct value *value, int number) {
  return facts->users[facts->values[value->id].first_user + number];
}

/* --- The backward pass -------------------------------------------------------------------------------------------------------- */

static void find_gradients(struct graph_facts *facts, const struct graph *graph) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (!value->gradient_of) continue;
    if (!facts->first_gradient) facts->first_gradient = value->id;
    facts->last_gradient = value->id;
  }
}

bool facts_is_way_back(const struct graph_facts *facts, const struct value *value) {
  return facts->first_gradient && value->id >= facts->first_gradient && value->id <= facts->last_gradient;
}

/* --- The order of axes ------------------------------------------------------------------------------------------------------ */

static int axis_bound(const struct graph *graph) {
  int bound = 0;
  for (int i = 0; i < graph->values.count; i++)
    for (int j = 0; j < graph->values.items[i]->axis_count; j++)
      if (graph->values.items[i]->axes[j]->id >= bound) bound = graph->values.items[i]->axes[j]->id + 1;
  return bound;
}

static int class_of(struct graph_facts *facts, int id) {
  int *classes = facts->axis_class;
  while (classes[id] != id) id = classes[id] = classes[classes[id]];
  return id;
}

static void find_axis_order(struct graph_facts *facts, struct arena *arena, const struct graph *graph) {
  int bound = axis_bound(graph), next = 0;
  facts->axis_order = arena_new_array(arena, int, bound);
  facts->axis_class = arena_new_array(arena, int, bound);
  int *order = facts->axis_order;
  for (int i = 0; i < bound; i++) facts->axis_class[i] = i, order[i] = bound + i;
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (value->op == OP_rename) {
      int x = class_of(facts, value->axis->id), y = class_of(facts, value->result->id);
      facts->axis_class[x > y ? x : y] = x > y ? y : x;
    }
    /* Axes of inputs, such as examples and positions, come first. Axes that are made inside, such as features and
       heads, follow. */
    for (int j = 0; value->op == OP_input && j < value->axis_count; j++)
      if (order[value->axes[j]->id] >= bound) order[value->axes[j]->id] = is_batch(value->axes[j]) ? -1 : next++;
  }
  for (int i = 0; i < bound; i++) facts->axis_class[i] = class_of(facts, i);
  /* All axes of a class take the place of the first of them; the class is the least number among them. */
  for (int i = 0; i < bound; i++) {
    int class = facts->axis_class[i];
    if (order[i] < order[class]) order[class] = order[i];
  }
  for (int i = 0; i < bound; i++) order[i] = order[facts->axis_class[i]];
}

void facts_order_axes(const struct graph_facts *facts, struct axis **axes, int count) {
  int64_t keys[MAX_AXES];
  for (int i = 0; i < count; i++) {
    int id = axes[i]->id;
    bool second = false;
    for (int j = 0; j < count; j++)
      second = second || (axes[j]->id < id && facts->axis_class[axes[j]->id] == facts->axis_class[id]);
    keys[i] = ((int64_t)facts->axis_order[id] + (second ? 1 << 24 : 0)) * (1 << 20) + id;
  }
  for (int i = 1; i < count; i++) {
    for (int j = i; j > 0 && keys[j] < keys[j - 1]; j--) {
      int64_t key = keys[j];
      struct axis *axis = axes[j];
      keys[j] = keys[j - 1], axes[j] = axes[j - 1];
      keys[j - 1] = key, axes[j - 1] = axis;
    }
  }
}

/* --- What storage prefers ------------------------------------------------------------------------------------------------------- */

static void prefer(struct graph_facts *facts, const struct value *value, const struct state *state) {
  struct value_facts *own = &facts->values[value->id];
  if (value->axis_count != state->axis_count || own->prefers) return;
  for (int i = 0; i < state->axis_count; i++)
    if (!value_has_axis(value, state->axes[i])) return;
  own->prefers = state->axes;
  if (op_is_elementwise(value->op) || value->op == OP_stop)
    for (int i = 0; i < value->input_count; i++) prefer(facts, value->inputs[i], state);
}

/* What is stored of a state in another format lies as the state does, which is then one walk over both. */
static void find_preferences(struct graph_facts *facts, const struct graph *graph) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (value->op == OP_cast && value->inputs[0]->op == OP_state && value->inputs[0]->axis_count > 1)
      prefer(facts, value, value->inputs[0]->state);
    if (value->op == OP_update && value->input_count == 1) prefer(facts, value->inputs[0], value->state);
  }
}

static void add_row(struct row_axes *rows, struct axis *axis) {
  if (!list_has_axis(rows->axes, rows->count, axis) && rows->count < MAX_AXES) rows->axes[rows->count++] = axis;
}

/* Finds row_axes for all values, from the last to the first, so that a value's users are done before it. */
static void find_rows(struct graph_facts *facts, struct arena *arena, const struct graph *graph) {
  facts->rows = arena_new_array(arena, struct row_axes, graph->next_value);
  for (int v = graph->values.count - 1; v >= 0; v--) {
    const struct value *value = graph->values.items[v];
    struct row_axes *rows = &facts->rows[value->id];
    for (int i = 0; i < facts_uses(facts, value); i++) {
      const struct value *user = facts_user(facts, value, i);
      enum op_class class = op_facts[user->op].class;
      if (class == CLASS_REDUCE && user->list_count == 1 && !is_batch(user->list[0])) add_row(rows, user->list[0]);
      for (int j = 0; j < facts->rows[user->id].count && (op_is_elementwise(user->op) || class == CLASS_STOP); j++)
        add_row(rows, facts->rows[user->id].axes[j]);
    }
  }
}

struct graph_facts facts_find(struct arena *arena, const struct graph *graph) {
  struct graph_facts facts = {.values = arena_new_array(arena, struct value_facts, graph->next_value)};
  find_users(&facts, arena, graph);
  find_gradients(&facts, graph);
  find_axis_order(&facts, arena, graph);
  find_preferences(&facts, graph);
  find_rows(&facts, arena, graph);
  facts.exactness = graph_exactness(arena, graph);
  return facts;
}
