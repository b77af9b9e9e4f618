/* What is known of all elements of each value of a graph, whatever its inputs are. */
#include "ir/exactness.h"

/* What the elements of all operands have in common. */
static struct exactness exactness_of_operands(const struct exactness *known, const struct value *value) {
  struct exactness x = exactness_none();
  for (int i = 0; i < value->input_count; i++) x = exactness_either(x, known[value->inputs[i]->id]);
  return x;
}

static struct exactness exactness_of_leaf(const struct value *value) {
  if (value->op == OP_constant) return exactness_number(value->kind, value->number);
  if (value->op == OP_state) return exactness_stored(state_storage(value->state));
  if (value->op == OP_index) return exactness_between(0, (double)(value->axis->extent - 1));
  if (value->kind == KIND_INTEGER && value->range) return exactness_between(0, (double)(value->range->extent - 1));
  return exactness_any(value->kind);
}

static struct exactness exactness_of(const struct exactness *known, const struct value *value) {
  struct exactness operands[3];
  switch (op_facts[value->op].class) {
    case CLASS_LEAF:
      return exactness_of_leaf(value);
    case CLASS_UNARY:
    case CLASS_BINARY:
    case CLASS_COMPARE:
    case CLASS_LOGIC:
    case CLASS_TERNARY:
      for (int i = 0; i < value->input_count; i++) operands[i] = known[value->inputs[i]->id];
      return exactness_apply(value->op, value->storage, value->kind, value->inputs[value->op == OP_where ? 1 : 0]->kind,
                             operands);
    case CLASS_VIEW:
      if (value->op == OP_pad)
        return exactness_either(exactness_of_operands(known, value), exactness_number(value->kind, value->number));
      return exactness_of_operands(known, value);
    case CLASS_STOP:
    case CLASS_GATHER:
      return known[value->inputs[0]->id];
    case CLASS_UPDATE:
      return exactness_stored(state_storage(value->state));
    case CLASS_MIX:
      if (value->op == OP_top) return exactness_between(0, (double)(value->axis->extent - 1));
      return exactness_any(value->kind);
    case CLASS_RANDOM:
    case CLASS_REDUCE:
    case CLASS_CONTRACT:
    case CLASS_SCATTER:
    case CLASS_GRADIENT:
    case CLASS_CALL:
      return exactness_any(value->kind);
  }
  return exactness_any(value->kind);
}

struct exactness *graph_exactness(struct arena *arena, const struct graph *graph) {
  struct exactness *known = arena_new_array(arena, struct exactness, graph->next_value);
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    known[value->id] = exactness_of(known, value);
  }
  return known;
}
