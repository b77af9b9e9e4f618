/* Simplification: rules of simplify.def are applied to each value in order until none applies, and the walk is repeated until no
   rule fires. Every rule makes the graph smaller or cheaper, so this ends. */
#include "passes/simplify.h"

#include "passes/rewrite.h"

/* Rows for every elementwise operation have this in the place of one. */
enum { OP_elementwise = OP_COUNT };

struct rule_row {
  int op;
  struct value *(*apply)(struct simplifier *simplifier, struct value *value);
};
static const struct rule_row rows[] = {
#define RULE(op, name, text) {OP_##op, rule_##name},
#include "passes/simplify.def"
#undef RULE
};

/* More rounds than any spec needs; what a graph that needs more loses is speed. */
enum { MAX_ROUNDS = 24, MAX_STEPS = 32 };

bool used_once(const struct simplifier *simplifier, const struct value *value) {
  int number = value->id - simplifier->first;
  return number < 0 || number >= simplifier->uses_count || simplifier->uses[number] <= 1;
}

bool is_number(const struct value *value, double *number) {
  if (value->op == OP_expand) value = value->inputs[0];
  if (value->op != OP_constant) return false;
  *number = value->number;
  return true;
}

struct value *spread(struct simplifier *simplifier, struct value *x, const struct value *like) {
  return build_expand(simplifier->graph, x, like->axes, like->axis_count);
}

struct value *number_like(struct simplifier *simplifier, const struct value *like, double number) {
  struct graph *graph = simplifier->graph;
  switch (like->kind) {
    case KIND_REAL: return spread(simplifier, build_constant(graph, number), like);
    case KIND_INTEGER: return spread(simplifier, build_integer(graph, (int64_t)number), like);
    case KIND_BOOLEAN: return spread(simplifier, build_boolean(graph, number != 0), like);
  }
  bug("kind %d", (int)like->kind);
}

static struct value *apply_one(struct simplifier *simplifier, struct value *value) {
  bool elementwise = op_is_elementwise(value->op);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].op != (int)value->op && !(elementwise && rows[i].op == OP_elementwise)) continue;
    struct value *replacement = rows[i].apply(simplifier, value);
    if (!replacement) continue;
    if (replacement->kind != value->kind || !same_axes(replacement, value))
      bug("a rule for %s changes what it is", op_facts[value->op].name);
    return replacement;
  }
  return NULL;
}

bool simplify_once(struct graph *graph) {
  bool changed = false, differentiated = true;
  struct rewrite rewrite = rewrite_begin(graph);
  int *old_uses = arena_new_array(graph->arena, int, rewrite.map_count);
  for (int i = 0; i < rewrite.count; i++) {
    const struct value *old = rewrite.old[i];
    if (old->op == OP_gradient) differentiated = false;
    for (int j = 0; j < old->input_count; j++) old_uses[old->inputs[j]->id]++;
  }
  for (int i = 0; i < graph->outputs.count; i++) old_uses[graph->outputs.items[i].value->id]++;

  /* Ids go on from those of the old values, and a rule makes a few. */
  int first = graph->next_value, capacity = 4 * rewrite.count + 64;
  int *uses = arena_new_array(graph->arena, int, capacity);
  struct simplifier simplifier = {graph, uses, first, capacity, differentiated};
  struct origin origin = graph->origin;
  for (int i = 0; i < rewrite.count; i++) {
    struct value *old = rewrite.old[i];
    struct value *value = rewrite_copy(&rewrite, old);
    graph->origin = old->origin;
    for (int step = 0; step < MAX_STEPS; step++) {
      struct value *replacement = apply_one(&simplifier, value);
      if (!replacement) break;
      name_value(replacement, old->name);
      value = replacement;
      changed = true;
    }
    if (value->id - first < capacity) uses[value->id - first] += old_uses[old->id];
    rewrite_set(&rewrite, old, value);
  }
  graph->origin = origin;
  rewrite_end(&rewrite);
  graph_sweep(graph);
  return changed;
}

void pass_simplify(struct graph *graph) {
  for (int round = 0; round < MAX_ROUNDS; round++)
    if (!simplify_once(graph)) return;
}
