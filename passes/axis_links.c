#include "passes/axis_links.h"

#include "ir/table.h"

struct axis_links {
  struct arena *arena;
  const struct graph *graph;
  int *first; /* by value id: the number of its first axis among all axes of values */
  int count;
  int *parent; /* of a forest, a tree for each class */
  struct axis_class *class; /* of a tree's root */
};

static int root_of(const struct axis_links *links, int node) {
  while (links->parent[node] != node) node = links->parent[node] = links->parent[links->parent[node]];
  return node;
}

static int node_of(const struct axis_links *links, const struct value *value, const struct axis *axis) {
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] == axis) return links->first[value->id] + i;
  return -1;
}

static struct axis_class *class_at(const struct axis_links *links, int node) {
  return &links->class[root_of(links, node)];
}

static void fix(struct axis_links *links, const struct value *value, const struct axis *axis, const char *why) {
  const int node = node_of(links, value, axis);
  struct axis_class *class = node < 0 ? NULL : class_at(links, node);
  if (!class || class->fixed) return;
  class->fixed = why;
  class->span = value->origin.span;
}

static void join(struct axis_links *links, int x, int y);

/* Two descriptions of the same parts: these are linked one by one where they are alike, else they stay as they are. */
static void join_factors(struct axis_links *links, struct axis_class *class, const struct axis_class *other) {
  if (!other->factors) return;
  if (!class->factors) {
    class->factors = other->factors;
    class->factor_count = other->factor_count;
    return;
  }
  bool alike = class->factor_count == other->factor_count;
  for (int i = 0; alike && i < class->factor_count; i++) alike = class->factors[i]->extent == other->factors[i]->extent;
  for (int i = 0; alike && i < class->factor_count; i++)
    join(links, (int)(class->factors[i] - links->class), (int)(other->factors[i] - links->class));
  if (!alike && !class->fixed) class->fixed = "it is divided in two ways";
}

static void join(struct axis_links *links, int x, int y) {
  x = root_of(links, x), y = root_of(links, y);
  if (x == y) return;
  links->parent[y] = x;
  struct axis_class *class = &links->class[x], *other = &links->class[y];
  if (!class->fixed) class->fixed = other->fixed, class->span = other->span;
  join_factors(links, class, other);
}

static void join_axes(struct axis_links *links, const struct value *x, const struct axis *axis, const struct value *y,
                      const struct axis *to) {
  const int a = node_of(links, x, axis), b = node_of(links, y, to);
  if (a >= 0 && b >= 0) join(links, a, b);
}

/* The axis of `whole` consists of the axes of `parts` in the list, outermost first. */
static void set_factors(struct axis_links *links, const struct value *whole, const struct axis *axis,
                        const struct value *parts, struct axis *const *list, int count) {
  const int node = node_of(links, whole, axis);
  if (node < 0) return;
  struct axis_class factored = {.factors = arena_new_array(links->arena, const struct axis_class *, count),
                                .factor_count = count};
  for (int i = 0; i < count; i++) factored.factors[i] = class_at(links, node_of(links, parts, list[i]));
  join_factors(links, class_at(links, node), &factored);
}

static void link_contraction_or_elementwise(struct axis_links *links, const struct value *value) {
  for (int i = 0; i < value->input_count; i++) {
    const struct value *x = value->inputs[i];
    for (int k = 0; k < x->axis_count; k++) {
      join_axes(links, x, x->axes[k], value, x->axes[k]);
      for (int j = 0; j < i; j++) join_axes(links, value->inputs[j], x->axes[k], x, x->axes[k]);
    }
  }
}

/* All axes but those that the operation is about are those of its operands. */
static void link_others(struct axis_links *links, const struct value *value) {
  for (int i = 0; i < value->input_count; i++)
    for (int k = 0; k < value->inputs[i]->axis_count; k++)
      join_axes(links, value->inputs[i], value->inputs[i]->axes[k], value, value->inputs[i]->axes[k]);
}

static const char numbered[] = "the model tells its elements apart by their numbers";

static void link(struct axis_links *links, const struct value *value) {
  const struct value *x = value->input_count ? value->inputs[0] : NULL;
  if (op_is_elementwise(value->op) || value->op == OP_contract || value->op == OP_stop ||
      op_facts[value->op].class == CLASS_REDUCE || value->op == OP_expand) {
    link_contraction_or_elementwise(links, value);
    return;
  }
  link_others(links, value);
  switch ((int)value->op) {
    case OP_input:
      for (int i = 0; i < value->axis_count; i++) fix(links, value, value->axes[i], "an input has it");
      break;
    case OP_rename:
      join_axes(links, x, value->axis, value, value->result);
      break;
    case OP_split:
      set_factors(links, x, value->axis, value, value->list, value->list_count);
      break;
    case OP_merge:
      set_factors(links, value, value->result, x, value->list, value->list_count);
      break;
    case OP_select:
      fix(links, x, value->axis, numbered);
      break;
    default:
      /* What mixes along an axis, or counts along it, fixes it; and so does what makes another one of it. */
      if (x) fix(links, x, value->axis, numbered);
      fix(links, value, value->axis, numbered);
      fix(links, value, value->result, numbered);
      for (int i = 0; i < value->list_count; i++) {
        fix(links, value, value->list[i], numbered);
        for (int j = 0; j < value->input_count; j++) fix(links, value->inputs[j], value->list[i], numbered);
      }
      break;
  }
}

struct axis_links *axis_links_new(struct arena *arena, const struct graph *graph) {
  struct axis_links *links = arena_new_struct(arena, struct axis_links);
  *links = (struct axis_links){.arena = arena, .graph = graph};
  links->first = arena_new_array(arena, int, graph->next_value);
  for (int i = 0; i < graph->values.count; i++) {
    links->first[graph->values.items[i]->id] = links->count;
    links->count += graph->values.items[i]->axis_count;
  }
  links->parent = arena_new_array(arena, int, links->count);
  links->class = arena_new_array(arena, struct axis_class, links->count);
  for (int i = 0; i < links->count; i++) links->parent[i] = i;
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    for (int k = 0; k < value->axis_count; k++)
      links->class[links->first[value->id] + k].extent = value->axes[k]->extent;
  }
  for (int i = 0; i < graph->values.count; i++) link(links, graph->values.items[i]);
  for (int i = 0; i < graph->outputs.count; i++) {
    const struct value *value = graph->outputs.items[i].value;
    for (int k = 0; k < value->axis_count; k++) fix(links, value, value->axes[k], "an output has it");
  }
  /* Parts were noted when they may not have been linked yet. */
  for (int i = 0; i < links->count; i++)
    for (int k = 0; k < links->class[i].factor_count; k++)
      links->class[i].factors[k] = class_at(links, (int)(links->class[i].factors[k] - links->class));
  return links;
}

const struct axis_class *axis_class_of(const struct axis_links *links, const struct value *value, int axis) {
  return class_at(links, links->first[value->id] + axis);
}

int64_t axis_unit(const struct axis_class *class, int64_t element, const struct axis_class *unit) {
  if (class == unit) return element;
  for (int i = class->factor_count - 1; i >= 0; i--) {
    const struct axis_class *factor = class->factors[i];
    const int64_t found = axis_unit(factor, element % factor->extent, unit);
    if (found >= 0) return found;
    element /= factor->extent;
  }
  return -1;
}
