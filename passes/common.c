/* Common subexpressions: values are kept in a hash table by everything that makes them what they are, so an equal one is found in
   constant time. What several copies of a repeat turn out to share leaves them. Then what no output or update needs is dropped. */
#include <string.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

struct value_table {
  struct value **slots;
  uint32_t mask;
};

static uint32_t mix(uint32_t hash, uint64_t bits) {
  uint64_t mixed = (hash ^ bits) * 0x9e3779b97f4a7c15u;
  return (uint32_t)(mixed >> 32) ^ (uint32_t)mixed;
}

static uint64_t bits_of(double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof bits);
  return bits;
}

static bool commutes(enum op op) { return op_facts[op].properties & PROPERTY_COMMUTES; }

/* Sums over the same axes in another order are the same sum. */
static bool list_is_set(enum op op) { return op_facts[op].attributes & ATTRIBUTE_OVER; }

static uint32_t hash_value(const struct value *value) {
  uint32_t hash = mix(mix(2166136261u, value->op), bits_of(value->number));
  hash = mix(hash, (uint64_t)value->start * 31 + (uint64_t)value->kind * 7 + value->storage + value->stream);
  hash = mix(hash, (uintptr_t)value->state ^ (uintptr_t)value->callee);
  hash = mix(hash, (value->axis ? (uint64_t)value->axis->id + 1 : 0) << 32 |
                       (value->result ? (uint64_t)value->result->id + 1 : 0));
  uint32_t list = 0;
  for (int i = 0; i < value->list_count; i++)
    list =
        list_is_set(value->op) ? list + mix(1, (uint64_t)value->list[i]->id) : mix(list, (uint64_t)value->list[i]->id);
  hash = mix(hash, list);
  uint32_t inputs = 0;
  for (int i = 0; i < value->input_count; i++)
    inputs = commutes(value->op) ? inputs + mix(1, (uint64_t)value->inputs[i]->id)
                                 : mix(inputs, (uint64_t)value->inputs[i]->id);
  return mix(hash, inputs);
}

static bool equal_lists(const struct value *x, const struct value *y) {
  if (x->list_count != y->list_count) return false;
  for (int i = 0; i < x->list_count; i++)
    if (list_is_set(x->op) ? !list_has_axis(y->list, y->list_count, x->list[i]) : x->list[i] != y->list[i])
      return false;
  return true;
}

static bool equal_inputs(const struct value *x, const struct value *y) {
  if (x->input_count != y->input_count) return false;
  if (commutes(x->op) && x->inputs[0] == y->inputs[1] && x->inputs[1] == y->inputs[0]) return true;
  for (int i = 0; i < x->input_count; i++)
    if (x->inputs[i] != y->inputs[i]) return false;
  return true;
}

static bool equal_values(const struct value *x, const struct value *y) {
  if (x->op != y->op || x->kind != y->kind || x->range != y->range || bits_of(x->number) != bits_of(y->number) ||
      x->state != y->state || x->axis != y->axis || x->result != y->result || x->start != y->start ||
      x->storage != y->storage || x->distribution != y->distribution || x->stream != y->stream ||
      x->callee != y->callee || !equal_lists(x, y) || !equal_inputs(x, y))
    return false;
  if (x->op == OP_input && strcmp(x->name, y->name)) return false;
  /* The order of axes numbers the draws. */
  if (x->op == OP_random || x->op == OP_input) {
    if (x->axis_count != y->axis_count) return false;
    for (int i = 0; i < x->axis_count; i++)
      if (x->axes[i] != y->axes[i]) return false;
  }
  return true;
}

/* Whether the value, or the function that it calls, writes a state: equal writes are not one. */
static bool has_effect(const struct value *value) {
  if (value->op == OP_update) return true;
  if (value->op != OP_call) return false;
  const struct graph *body = value->callee->body;
  for (int i = 0; i < body->values.count; i++)
    if (has_effect(body->values.items[i])) return true;
  return false;
}

/* The equal value known before, or NULL after `value` was entered. */
static struct value *find_or_enter(struct value_table *table, struct value *value) {
  uint32_t slot = hash_value(value) & table->mask;
  for (; table->slots[slot]; slot = (slot + 1) & table->mask)
    if (equal_values(table->slots[slot], value)) return table->slots[slot];
  table->slots[slot] = value;
  return NULL;
}

/* --- What copies of a repeat share ----------------------------------------------------------------------------------------- */

/* The dotted words that two paths begin with alike. */
static const char *common_path(struct arena *arena, const char *x, const char *y) {
  size_t end = 0;
  for (size_t i = 0;; i++) {
    bool x_ends = !x[i] || x[i] == '.', y_ends = !y[i] || y[i] == '.';
    if (x_ends && y_ends) end = i;
    if (x[i] != y[i] || !x[i]) break;
  }
  return arena_copy(arena, x, end);
}

/* A value that several copies need is taken out of its copy. True when it was in one. */
static bool leave_copy(struct arena *arena, struct value *known, const struct value *other) {
  struct origin *origin = &known->origin;
  if (!origin->repeat || (origin->repeat == other->origin.repeat && origin->copy == other->origin.copy)) return false;
  origin->path = common_path(arena, origin->path ? origin->path : "", other->origin.path ? other->origin.path : "");
  origin->repeat = NULL;
  origin->copy = 0;
  return true;
}

/* Moves values marked as shared before the copies, right after their inputs. The copies are then alike, value for
   value. */
static void move_shared(struct graph *graph, const bool *shared, struct arena *scratch) {
  const int count = graph->values.count;
  /* Each value goes to the place `key`, 0 being before all others, and within a place values keep their order. */
  int *key = arena_new_array(scratch, int, graph->next_value), *begin = arena_new_array(scratch, int, count + 2);
  struct value **old = arena_new_array(scratch, struct value *, count);
  for (int i = 0; i < count; i++) {
    struct value *value = old[i] = graph->values.items[i];
    key[value->id] = shared[value->id] ? 0 : i + 1;
    for (int j = 0; j < value->input_count; j++)
      if (key[value->inputs[j]->id] > key[value->id]) key[value->id] = key[value->inputs[j]->id];
    begin[key[value->id] + 1]++;
  }
  for (int i = 0; i <= count; i++) begin[i + 1] += begin[i];
  for (int i = 0; i < count; i++) graph->values.items[begin[key[old[i]->id]]++] = old[i];
}

void pass_common(struct graph *graph) {
  graph_sweep(graph);
  uint32_t size = 16;
  while (size < 2 * (uint32_t)graph->values.count) size *= 2;
  struct arena *scratch = arena_new();
  struct value_table table = {arena_new_array(scratch, struct value *, (int)size), size - 1};
  struct rewrite rewrite = rewrite_begin(graph);
  bool *shared = arena_new_array(scratch, bool, rewrite.map_count), moves = false;
  for (int i = 0; i < rewrite.count; i++) {
    struct value *value = rewrite_keep(&rewrite, rewrite.old[i]);
    struct value *known = has_effect(value) ? NULL : find_or_enter(&table, value);
    if (!known) continue;
    name_like(known, value);
    if (leave_copy(graph->arena, known, value)) shared[known->id] = moves = true;
    rewrite_set(&rewrite, value, known);
  }
  rewrite_end(&rewrite);
  if (moves) move_shared(graph, shared, scratch);
  arena_free(scratch);
  graph_sweep(graph);
}
