#include "ir/tensor.h"

#include <string.h>

const struct op_facts op_facts[OP_COUNT] = {
#define OP(name, noun, class, inputs, attributes, price) \
  [OP_##name] = {#name, #noun, CLASS_##class, inputs, attributes, price, 0, 0, 0, 0},
#define ELEMENTWISE(name, noun, class, inputs, takes, gives, properties, price, operations, real, integer, boolean) \
  [OP_##name] = {#name,                                                                                             \
                 #noun,                                                                                             \
                 CLASS_##class,                                                                                     \
                 inputs,                                                                                            \
                 RESULT_##gives == RESULT_STORAGE ? ATTRIBUTE_STORAGE : 0,                                          \
                 price,                                                                                             \
                 OPERANDS_##takes,                                                                                  \
                 RESULT_##gives,                                                                                    \
                 properties,                                                                                        \
                 operations},
#include "ir/ops.def"
};

const char *const kind_names[] = {[KIND_REAL] = "real", [KIND_INTEGER] = "integer", [KIND_BOOLEAN] = "boolean"};
const char *const storage_names[STORAGE_COUNT] = {
#define STORAGE(NAME, name, kind, bits, least, most, c) #name,
#include "ir/storage.def"
};
const struct storage_facts storage_facts[STORAGE_COUNT] = {
#define STORAGE(NAME, name, kind, bits, least, most, c) {#name, KIND_##kind, bits, least, most, c},
#include "ir/storage.def"
};
const char *const axis_role_names[] = {[AXIS_ORDINARY] = "ordinary", [AXIS_BATCH] = "batch"};
const char *const size_role_names[] = {[SIZE_ORDINARY] = "ordinary", [SIZE_WINDOW] = "window", [SIZE_PAST] = "past"};
const char *const output_role_names[] = {[OUTPUT_ORDINARY] = "ordinary",
                                         [OUTPUT_LOSS] = "loss",
                                         [OUTPUT_LOSS_SUM] = "loss_sum",
                                         [OUTPUT_WEIGHT_SUM] = "weight_sum"};
const char *const role_names[] = {
    [ROLE_PARAMETER] = "parameter", [ROLE_OPTIMIZER] = "optimizer", [ROLE_ACCUMULATOR] = "accumulator",
    [ROLE_AVERAGE] = "average",     [ROLE_CACHE] = "cache",         [ROLE_PREPARED] = "prepared",
    [ROLE_STATISTIC] = "statistic", [ROLE_DERIVED] = "derived",     [ROLE_QUANTIZED] = "quantized"};
const char *const initial_names[] = {
    [INITIAL_CONSTANT] = "constant", [INITIAL_NORMAL] = "normal", [INITIAL_UNIFORM] = "uniform"};
const char *const distribution_names[] = {[DISTRIBUTION_UNIFORM] = "uniform", [DISTRIBUTION_NORMAL] = "normal"};

bool role_is_derived(enum role role) { return role == ROLE_DERIVED || role == ROLE_QUANTIZED; }

bool op_is_elementwise(enum op op) {
  enum op_class class = op_facts[op].class;
  return class == CLASS_UNARY || class == CLASS_BINARY || class == CLASS_COMPARE || class == CLASS_LOGIC ||
         class == CLASS_TERNARY;
}

enum kind storage_kind(enum storage storage) { return storage_facts[storage].kind; }

bool state_is_fixed(const struct state *state) {
  return state->role == ROLE_PARAMETER || state->role == ROLE_AVERAGE || state->role == ROLE_STATISTIC;
}

enum storage state_storage(const struct state *state) {
  static const enum storage usual[] = {
      [KIND_REAL] = STORAGE_REAL, [KIND_INTEGER] = STORAGE_I32, [KIND_BOOLEAN] = STORAGE_BOOL};
  return state->storage == STORAGE_REAL ? usual[state->kind] : state->storage;
}

bool is_of_adapter(const struct state *state) { return state->adapter && state->adapter->of != state; }

struct graph *graph_new(struct arena *arena, const char *name, int *next_axis) {
  struct graph *graph = arena_new_struct(arena, struct graph);
  graph->arena = arena;
  graph->name = name;
  graph->next_axis = next_axis;
  graph->origin.path = graph->origin.function = "";
  return graph;
}

struct axis *axis_new(struct graph *graph, const char *name, int64_t extent, struct span span) {
  if (extent < 0) bug("axis %s: extent %lld", name, (long long)extent);
  struct axis *axis = arena_new_struct(graph->arena, struct axis);
  axis->name = name;
  axis->id = (*graph->next_axis)++;
  axis->extent = extent;
  axis->span = span;
  return axis;
}

struct axis *axis_new_batch(struct graph *graph, int64_t extent, struct span span) {
  struct axis *axis = axis_new(graph, axis_role_names[AXIS_BATCH], extent, span);
  axis->role = AXIS_BATCH;
  return axis;
}

struct axis *axis_new_sized(struct graph *graph, const char *name, const struct size *size, struct span span) {
  struct axis *axis = axis_new(graph, name, size->bound, span);
  axis->size = size;
  return axis;
}

const struct size *size_new(struct graph *graph, const char *name, enum size_role role, int64_t bound) {
  for (int i = 0; i < graph->sizes.count; i++) {
    const struct size *known = graph->sizes.items[i];
    if (strcmp(known->name, name)) continue;
    if (known->bound != bound) bug("size %s: bounds %lld and %lld", name, (long long)known->bound, (long long)bound);
    if (known->role != role) bug("size %s: roles %s and %s", name, size_role_names[known->role], size_role_names[role]);
    return known;
  }
  struct size *size = arena_new_struct(graph->arena, struct size);
  size->name = name;
  size->role = role;
  size->bound = bound;
  size->index = graph->sizes.count;
  array_push(graph->arena, &graph->sizes, size);
  return size;
}

bool is_batch(const struct axis *axis) { return axis->role == AXIS_BATCH; }

void batch_first(struct axis *const *axes, int count, struct axis **order) {
  int placed = 0;
  for (int rest = 0; rest < 2; rest++)
    for (int i = 0; i < count; i++)
      if (is_batch(axes[i]) == (rest == 0)) order[placed++] = axes[i];
}

int scatter_order(const struct value *value, struct axis **order) {
  const struct value *index = value->inputs[1];
  int count = 0;
  for (int i = 0; i < index->axis_count; i++) {
    struct axis *axis = index->axes[i];
    if (axis != value->axis && value_has_axis(value, axis)) continue;
    int at = count++;
    for (; at > 0 && !is_batch(order[at - 1]) && (is_batch(axis) || order[at - 1]->id > axis->id); at--)
      order[at] = order[at - 1];
    order[at] = axis;
  }
  return count;
}

void graph_add_ordered_output(struct graph *graph, const char *name, struct value *value, struct axis *const *axes) {
  const int count = value ? value->axis_count : 0;
  struct axis **order = arena_new_array(graph->arena, struct axis *, count);
  for (int i = 0; i < count; i++) order[i] = axes[i];
  array_push(graph->arena, &graph->outputs, ((struct output){.name = name, .value = value, .axes = order}));
}

void graph_add_output(struct graph *graph, const char *name, struct value *value) {
  struct axis *order[MAX_AXES];
  if (value) batch_first(value->axes, value->axis_count, order);
  graph_add_ordered_output(graph, name, value, order);
}

void graph_add_output_of_role(struct graph *graph, enum output_role role, struct value *value) {
  graph_add_output(graph, output_role_names[role], value);
  graph->outputs.items[graph->outputs.count - 1].role = role;
}

bool axis_listed(struct axis *const *list, int count, const struct axis *axis) {
  for (int i = 0; i < count; i++)
    if (list[i] == axis) return true;
  return false;
}

bool value_has_sized_axis(const struct value *value) {
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i]->size) return true;
  return false;
}

bool value_has_axis(const struct value *value, const struct axis *axis) {
  return axis_listed(value->axes, value->axis_count, axis);
}

bool same_axes(const struct value *x, const struct value *y) {
  if (x->axis_count != y->axis_count) return false;
  for (int i = 0; i < x->axis_count; i++)
    if (!value_has_axis(y, x->axes[i])) return false;
  return true;
}

int64_t axes_count(struct axis *const *axes, int count) {
  int64_t product = 1;
  for (int i = 0; i < count; i++)
    if (!axes[i]->extent) return 0;
  for (int i = 0; i < count; i++)
    if (__builtin_mul_overflow(product, axes[i]->extent, &product)) return INT64_MAX;
  return product;
}

int64_t value_count(const struct value *value) { return axes_count(value->axes, value->axis_count); }

const char *axes_list(struct arena *arena, struct axis *const *axes, int count) {
  const char *list = "";
  for (int i = 0; i < count; i++) list = arena_format(arena, "%s%s%s", list, i ? "," : "", axes[i]->name);
  return list;
}

const char *axes_text(struct arena *arena, struct axis *const *axes, int count, bool extents) {
  const char *text = "[";
  for (int i = 0; i < count; i++) {
    bool ambiguous = false;
    for (int j = 0; j < count; j++) ambiguous = ambiguous || (j != i && !strcmp(axes[i]->name, axes[j]->name));
    text = arena_format(arena, "%s%s%s", text, i ? ", " : "", axes[i]->name);
    if (ambiguous) text = arena_format(arena, "%s'%d", text, axes[i]->id);
    if (extents) text = arena_format(arena, "%s%s%lld", text, axes[i]->size ? "<=" : "=", (long long)axes[i]->extent);
  }
  return arena_format(arena, "%s]", text);
}

uint32_t hash_path(const char *path) {
  uint32_t hash = 2166136261u;
  for (; *path; path++) hash = (hash ^ (unsigned char)*path) * 16777619u;
  return hash;
}

bool pattern_matches(const char *pattern, const char *name) {
  const char *star = NULL, *resume = NULL;
  while (*name) {
    if (*pattern == '*') {
      star = ++pattern;
      resume = name;
    } else if (*pattern && (*pattern == '?' || *pattern == *name)) {
      pattern++, name++;
    } else if (star) { /* let the last star take one letter more */
      pattern = star;
      name = ++resume;
    } else {
      return false;
    }
  }
  while (*pattern == '*') pattern++;
  return !*pattern;
}

struct value *value_copy(struct graph *graph, const struct value *value, struct value *const *inputs) {
  struct value *copy = arena_new_struct(graph->arena, struct value);
  *copy = *value;
  copy->id = graph->next_value++;
  copy->inputs = arena_new_array(graph->arena, struct value *, value->input_count);
  if (value->input_count)
    memcpy(copy->inputs, inputs ? inputs : value->inputs, sizeof(struct value *) * (size_t)value->input_count);
  array_push(graph->arena, &graph->values, copy);
  return copy;
}

static bool writes(const struct graph *graph) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (value->op == OP_update || (value->op == OP_call && writes(value->callee->body))) return true;
  }
  return false;
}

void graph_sweep(struct graph *graph) {
  int count = graph->values.count;
  /* Inputs come before users, so one walk from the end marks all; ids serve as indices meanwhile. */
  for (int i = 0; i < count; i++) graph->values.items[i]->id = i;
  struct arena *scratch = arena_new();
  bool *needed = arena_new_array(scratch, bool, count);
  for (int i = 0; i < graph->outputs.count; i++)
    if (graph->outputs.items[i].value) needed[graph->outputs.items[i].value->id] = true;
  for (int i = count - 1; i >= 0; i--) {
    struct value *value = graph->values.items[i];
    if (value->op == OP_update || (value->op == OP_call && writes(value->callee->body))) needed[i] = true;
    if (!needed[i]) continue;
    for (int j = 0; j < value->input_count; j++) needed[value->inputs[j]->id] = true;
  }
  int kept = 0;
  for (int i = 0; i < count; i++) {
    if (!needed[i]) continue;
    graph->values.items[kept] = graph->values.items[i];
    graph->values.items[kept]->id = kept;
    kept++;
  }
  graph->values.count = graph->next_value = kept;
  arena_free(scratch);
}
