#include "passes/rewrite.h"

#include <string.h>

struct rewrite rewrite_begin(struct graph *graph) {
  struct arena *scratch = arena_new();
  struct rewrite rewrite = {.graph = graph,
                            .scratch = scratch,
                            .old = arena_new_array(scratch, struct value *, graph->values.count),
                            .count = graph->values.count,
                            .map = arena_new_array(scratch, struct value *, graph->next_value),
                            .map_count = graph->next_value};
  if (rewrite.count) memcpy(rewrite.old, graph->values.items, sizeof *rewrite.old * (size_t)rewrite.count);
  graph->values.count = 0;
  return rewrite;
}

struct value *rewrite_get(const struct rewrite *rewrite, const struct value *old) {
  if (old->id < 0 || old->id >= rewrite->map_count || !rewrite->map[old->id])
    bug("value %d (%s) of graph %s is used before it is made", old->id, op_facts[old->op].name, rewrite->graph->name);
  return rewrite->map[old->id];
}

void rewrite_set(struct rewrite *rewrite, const struct value *old, struct value *new_value) {
  if (old->id < 0 || old->id >= rewrite->map_count) bug("value %d is not of graph %s", old->id, rewrite->graph->name);
  rewrite->map[old->id] = new_value;
}

struct value *rewrite_keep(struct rewrite *rewrite, struct value *old) {
  for (int i = 0; i < old->input_count; i++) old->inputs[i] = rewrite_get(rewrite, old->inputs[i]);
  array_push(rewrite->graph->arena, &rewrite->graph->values, old);
  rewrite_set(rewrite, old, old);
  return old;
}

struct value *rewrite_step(struct rewrite *rewrite) {
  for (int i = 0; i < rewrite->count; i++) {
    struct value *old = rewrite->old[i];
    if (old->run_input != RUN_STEP) continue;
    return rewrite->map[old->id] ? rewrite->map[old->id] : rewrite_keep(rewrite, old);
  }
  return build_input(rewrite->graph, run_input_names[RUN_STEP], KIND_REAL, NULL, NULL, 0);
}

void rewrite_end(struct rewrite *rewrite) {
  struct graph *graph = rewrite->graph;
  for (int i = 0; i < graph->outputs.count; i++)
    graph->outputs.items[i].value = rewrite_get(rewrite, graph->outputs.items[i].value);
  arena_free(rewrite->scratch);
}

static bool takes_name(const struct value *value) { return !value->name && op_facts[value->op].class != CLASS_LEAF; }

void name_like(struct value *value, const struct value *other) {
  if (!takes_name(value)) return;
  if (!value->call) value->call = other->call;
  if (!other->name) return;
  value->name = other->name;
  value->gradient_of = other->gradient_of;
}

static const char gradient_suffix[] = "/gradient";

const char *gradient_name(struct arena *arena, const char *name) {
  return arena_format(arena, "%s%s", name, gradient_suffix);
}

size_t gradient_of_length(const char *name) {
  const size_t length = strlen(name), suffix = sizeof gradient_suffix - 1;
  return length > suffix && !strcmp(name + length - suffix, gradient_suffix) ? length - suffix : 0;
}

void name_gradient(struct graph *graph, struct value *value, const struct value *of) {
  if (!takes_name(value)) return;
  const char *name = of->op == OP_state ? of->state->name : of->name;
  /* Of several values that have this gradient, a call's result comes before what the call made on its way to it. */
  const bool called = value->call && of->op != OP_state;
  if (!name && of->call && !called) value->call = gradient_name(graph->arena, of->call);
  if (!name) return;
  if (!called) value->name = gradient_name(graph->arena, name);
  value->gradient_of = name;
}

bool list_has_axis(struct axis *const *list, int count, const struct axis *axis) {
  for (int i = 0; i < count; i++)
    if (list[i] == axis) return true;
  return false;
}

int axes_missing(const struct value *x, const struct value *y, struct axis **axes) {
  int count = 0;
  for (int i = 0; i < x->axis_count; i++)
    if (!value_has_axis(y, x->axes[i])) axes[count++] = x->axes[i];
  return count;
}

bool is_constant(const struct value *value, double number) {
  return value->op == OP_constant && value->number == number;
}

struct value *view_again(struct graph *graph, const struct value *old, struct value *x) {
  int present = 0;
  if (old->op != OP_merge && !value_has_axis(x, old->axis)) return x;
  switch ((int)old->op) {
    case OP_rename:
      return build_rename(graph, x, old->axis, old->result);
    case OP_split:
      return build_split(graph, x, old->axis, old->list, old->list_count);
    case OP_slice:
      return build_slice(graph, x, old->axis, old->start, old->result);
    case OP_select:
      return build_select(graph, x, old->axis, old->start);
    case OP_merge:
      for (int i = 0; i < old->list_count; i++) present += value_has_axis(x, old->list[i]);
      if (present == 0) return x;
      return present == old->list_count ? build_merge(graph, x, old->list, old->list_count, old->result) : NULL;
    default:
      return NULL;
  }
}
