/* In which order derived states hold their elements. No file has them, so the order is the compiler's choice: what sums read is innermost,
   and elements of four bits lie in words, of which a vector has one for each lane (derive.h). Views say so in the graphs, and everything
   else follows from them. */
#include "passes/derive.h"

#include "passes/rewrite.h"

static bool is_marked(const struct value *value, unsigned set, const struct axis *axis) {
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] == axis) return set >> i & 1;
  return false;
}

/* Whether the axis of an operand is one along which the value's marked axes run. */
static bool runs_along(const struct value *value, unsigned set, const struct axis *axis) {
  switch ((int)value->op) {
    case OP_contract:
      return list_has_axis(value->list, value->list_count, axis);
    case OP_rename:
    case OP_slice:
    case OP_pad:
      return is_marked(value, set, axis == value->axis ? value->result : axis);
    case OP_merge:
      return is_marked(value, set, list_has_axis(value->list, value->list_count, axis) ? value->result : axis);
    case OP_split:
      for (int i = 0; axis == value->axis && i < value->list_count; i++)
        if (is_marked(value, set, value->list[i])) return true;
      return is_marked(value, set, axis);
    default:
      return is_marked(value, set, axis);
  }
}

static bool passes_marks(const struct value *value) {
  const enum op_class class = op_facts[value->op].class;
  return op_is_elementwise(value->op) || class == CLASS_VIEW || class == CLASS_STOP || class == CLASS_CONTRACT;
}

unsigned *find_summed_axes(struct arena *arena, const struct graph *graph) {
  unsigned *sets = arena_new_array(arena, unsigned, graph->values.count);
  for (int i = graph->values.count - 1; i >= 0; i--) {
    const struct value *value = graph->values.items[i];
    for (int j = 0; passes_marks(value) && j < value->input_count; j++) {
      const struct value *x = value->inputs[j];
      for (int k = 0; k < x->axis_count; k++)
        if (runs_along(value, sets[i], x->axes[k])) sets[x->id] |= 1u << k;
    }
  }
  return sets;
}

struct derived_order derived_order_of(struct axis *const *axes, int count, unsigned summed, int bits) {
  struct derived_order order = {.count = count};
  int filled = 0;
  if (bits == 0 || bits > 8) summed = 0;
  for (int last = 0; last < 2; last++)
    for (int i = 0; i < count; i++)
      if ((summed >> i & 1) == (unsigned)last) order.axes[filled++] = axes[i];
  int64_t length = 1;
  for (int i = 0; i < count; i++)
    if (summed >> i & 1) order.summed++, length *= axes[i]->extent;
  order.in_words =
      bits == 4 && order.summed > 0 && length % (WORDS * SLOTS) == 0 && count - order.summed + 3 <= MAX_RANK;
  return order;
}

struct value *derived_in_words(struct graph *graph, struct value *value, struct derived_order *order) {
  const int kept = order->count - order->summed;
  struct axis *along = order->axes[kept];
  int64_t length = 1;
  for (int i = kept; i < order->count; i++) length *= order->axes[i]->extent;
  const struct span span = along->span;
  if (order->summed > 1) {
    along = axis_new(graph, along->name, length, span);
    value = build_merge(graph, value, order->axes + kept, order->summed, along);
  }
  struct axis *block = axis_new(graph, "block", length / (WORDS * SLOTS), span),
              *slot = axis_new(graph, "slot", SLOTS, span), *word = axis_new(graph, "word", WORDS, span);
  struct axis *const places[] = {block, word, slot};
  for (int i = 0; i < 3; i++) order->axes[kept + i] = places[i];
  order->count = kept + 3;
  return build_split(graph, value, along, (struct axis *[]){block, slot, word}, 3);
}

struct value *derived_from_words(struct graph *graph, struct value *read, struct axis *const *words,
                                 struct axis *const *summed, int count) {
  struct axis *const factors[] = {words[0], words[2], words[1]};
  if (count == 1) return build_merge(graph, read, factors, 3, summed[0]);
  const int64_t length = words[0]->extent * WORDS * SLOTS;
  struct axis *along = axis_new(graph, summed[0]->name, length, summed[0]->span);
  return build_split(graph, build_merge(graph, read, factors, 3, along), along, summed, count);
}
