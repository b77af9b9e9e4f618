/* Simplification: rules of simplify.def are applied to each value in order until none applies, and the walk is repeated until no
   rule fires. Every rule makes the graph smaller or cheaper, so this ends. */
#include "passes/simplify.h"

#include "ir/interpret.h"
#include "passes/rewrite.h"

/* Rows that are for every elementwise operation have this in place of an operation. */
enum { OP_elementwise = OP_COUNT };

struct rule_row {
  int op;
  simplify_rule *apply;
};
static const struct rule_row rows[] = {
#define RULE(op, name, text) {OP_##op, rule_##name},
#include "passes/simplify.def"
#undef RULE
};

enum { MAX_STEPS = 32 };

bool used_once(const struct simplifier *simplifier, const struct value *value) {
  return value->id >= simplifier->uses_count || simplifier->uses[value->id] <= 1;
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
    case KIND_REAL:
      return spread(simplifier, build_constant(graph, number), like);
    case KIND_INTEGER:
      return spread(simplifier, build_integer(graph, (int64_t)scalar_wrap(number)), like);
    case KIND_BOOLEAN:
      return spread(simplifier, build_boolean(graph, number != 0), like);
  }
  bug("kind %d", (int)like->kind);
}

/* Lists the rows for each operation in the table's order, since most operations have few rules and a graph has many
   values. */
static void sort_rules(struct simplifier *simplifier) {
  for (int i = 0; i < SIMPLIFY_RULES; i++)
    for (int op = 0; op < OP_COUNT; op++)
      if (rows[i].op == op || (rows[i].op == OP_elementwise && op_is_elementwise((enum op)op)))
        simplifier->rules[op][simplifier->rule_count[op]++] = rows[i].apply;
}

static struct value *apply_one(struct simplifier *simplifier, struct value *value) {
  for (int i = 0; i < simplifier->rule_count[value->op]; i++) {
    struct value *replacement = simplifier->rules[value->op][i](simplifier, value);
    if (!replacement) continue;
    if (replacement->kind != value->kind || !same_axes(replacement, value))
      bug("a rule for %s changes what it is", op_facts[value->op].name);
    return replacement;
  }
  return NULL;
}

static bool walk(struct simplifier *simplifier) {
  struct graph *graph = simplifier->graph;
  bool changed = false;
  simplifier->differentiated = true;
  struct rewrite rewrite = rewrite_begin(graph);
  int *old_uses = arena_new_array(rewrite.scratch, int, rewrite.map_count);
  for (int i = 0; i < rewrite.count; i++) {
    const struct value *old = rewrite.old[i];
    if (old->op == OP_gradient) simplifier->differentiated = false;
    for (int j = 0; j < old->input_count; j++) old_uses[old->inputs[j]->id]++;
  }
  for (int i = 0; i < graph->outputs.count; i++) old_uses[graph->outputs.items[i].value->id]++;

  /* Values that rules make have ids after the old ones; there is room to count the uses of some of them. */
  simplifier->uses_count = graph->next_value + 3 * rewrite.count + 64;
  simplifier->uses = arena_new_array(rewrite.scratch, int, simplifier->uses_count);
  struct origin origin = graph->origin;
  for (int i = 0; i < rewrite.count; i++) {
    struct value *old = rewrite.old[i], *value = rewrite_keep(&rewrite, old);
    graph->origin = old->origin;
    for (int step = 0; step < MAX_STEPS; step++) {
      struct value *replacement = apply_one(simplifier, value);
      if (!replacement) break;
      name_like(replacement, old);
      value = replacement;
      changed = true;
    }
    if (value->id < simplifier->uses_count) simplifier->uses[value->id] += old_uses[old->id];
    rewrite_set(&rewrite, old, value);
  }
  graph->origin = origin;
  rewrite_end(&rewrite);
  if (changed) graph_sweep(graph);
  return changed;
}

void pass_simplify(struct graph *graph, int rounds) {
  struct simplifier simplifier = {.graph = graph};
  sort_rules(&simplifier);
  graph_sweep(graph);
  for (int round = 0; round < rounds; round++)
    if (!walk(&simplifier)) return;
}
