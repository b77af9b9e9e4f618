/* Derivative rules of operations that mix along axes, of views, and of calls. Named axes make them short: the gradient of a view
   is the view back, that of a contraction is a contraction over the axes that only the other operand has. */
#include <math.h>

#include "passes/autodiff.h"
#include "passes/rewrite.h"

static struct value *zeros(struct backward *b, struct axis *const *axes, int count) {
  return build_expand(b->graph, build_constant(b->graph, 0), axes, count);
}

void gradient_reduce_sum(struct backward *b, struct value *y, struct value *d) { give(b, y->inputs[0], d); }

/* Equal maxima share the gradient evenly, as in PyTorch's amax. Smaller elements are treated as a branch that is not
   taken. */
void gradient_reduce_max(struct backward *b, struct value *y, struct value *d) {
  struct graph *graph = b->graph;
  struct value *x = y->inputs[0], *zero = build_constant(graph, 0);
  struct value *largest = build_binary(graph, OP_eq, x, y);
  struct value *ties = build_reduce(graph, OP_reduce_sum, build_where(graph, largest, build_constant(graph, 1), zero),
                                    y->list, y->list_count);
  give_selected(b, x, build_binary(graph, OP_div, d, ties), largest);
}

void gradient_scan(struct backward *b, struct value *y, struct value *d) {
  give(b, y->inputs[0], build_scan(b->graph, d, y->axis, y->start == 0));
}

/* The result is indices, which have no derivative. */
void gradient_top(struct backward *b, struct value *y, struct value *d) { (void)b, (void)y, (void)d; }

/* The elements on either side of the quantile have shares by which it lies between them; equal elements share evenly. */
void gradient_quantile(struct backward *b, struct value *y, struct value *d) {
  struct graph *graph = b->graph;
  struct value *x = y->inputs[0], *one = build_constant(graph, 1), *zero = build_constant(graph, 0);
  struct value *least = build_constant(graph, -INFINITY), *sides[2], *elements[2], *ties[2];
  if (!wanted(b, x)) return;
  for (int i = 0; i < 2; i++) {
    struct value *inside = i ? build_binary(graph, OP_le, y, x) : build_binary(graph, OP_le, x, y);
    struct value *from = build_where(graph, inside, i ? build_unary(graph, OP_neg, x) : x, least);
    sides[i] = build_reduce(graph, OP_reduce_max, from, y->list, y->list_count);
    if (i) sides[i] = build_unary(graph, OP_neg, sides[i]);
    elements[i] = build_binary(graph, OP_eq, x, sides[i]);
    ties[i] = build_reduce(graph, OP_reduce_sum, build_where(graph, elements[i], one, zero), y->list, y->list_count);
  }
  struct value *between = build_binary(graph, OP_lt, sides[0], sides[1]);
  struct value *gap = build_where(graph, between, build_binary(graph, OP_sub, sides[1], sides[0]), one);
  struct value *share = build_binary(graph, OP_div, build_binary(graph, OP_sub, y, sides[0]), gap);
  struct value *shares[2] = {build_binary(graph, OP_sub, one, share), share};
  struct value *slope[2];
  for (int i = 0; i < 2; i++) slope[i] = build_binary(graph, OP_div, shares[i], ties[i]);
  struct value *slopes = build_where(graph, elements[0], slope[0], slope[1]);
  struct value *given = build_binary(graph, OP_mul, d, slopes);
  give_selected(b, x, given, build_binary(graph, OP_or, elements[0], elements[1]));
}

/* An axis of d that x lacks comes from the other operand, so d is contracted with that operand over it. Every axis of x
   is in d, or was summed and is then in the other operand. */
void gradient_contract(struct backward *b, struct value *y, struct value *d) {
  for (int i = 0; i < 2; i++) {
    struct value *x = y->inputs[i], *other = y->inputs[1 - i];
    if (!wanted(b, x)) continue;
    struct axis *axes[MAX_AXES];
    int count = axes_missing(d, x, axes);
    give(b, x, count ? build_contract(b->graph, d, other, axes, count) : build_binary(b->graph, OP_mul, d, other));
  }
}

/* Where the index has no axis of its own, as when a loss picks each row's target, the gradient is d where the index
   equals the position, and 0 elsewhere. With other indices several elements may come from one of the table, so their
   gradients are added there. */
void gradient_gather(struct backward *b, struct value *y, struct value *d) {
  struct graph *graph = b->graph;
  struct value *table = y->inputs[0], *index = y->inputs[1];
  if (!wanted(b, table)) return;
  bool aligned = true, repeated = value_has_axis(index, y->axis);
  for (int i = 0; i < index->axis_count; i++) aligned = aligned && value_has_axis(table, index->axes[i]);
  if (aligned && !repeated) {
    give_selected(b, table, d, build_binary(graph, OP_eq, index, build_index(graph, y->axis)));
    return;
  }
  b->mask = NULL;
  /* a permutation: the index's axis is another than the one it consumes, though both are spelled the same */
  if (repeated) {
    struct axis *own = y->axis->size ? axis_new_sized(graph, y->axis->name, y->axis->size, y->axis->span)
                                     : axis_new(graph, y->axis->name, y->axis->extent, y->axis->span);
    index = build_rename(graph, index, y->axis, own);
    d = build_rename(graph, d, y->axis, own);
  }
  give(b, table, build_scatter_add(graph, zeros(b, table->axes, table->axis_count), y->axis, index, d));
}

void gradient_scatter_add(struct backward *b, struct value *y, struct value *d) {
  give(b, y->inputs[0], d);
  if (wanted(b, y->inputs[2])) give(b, y->inputs[2], build_gather(b->graph, d, y->axis, y->inputs[1]));
}

/* `d`, a gradient of the view `y` or a mask of one, as a gradient of y's input number `input`. In a join, that input
   begins at `start`. A mask may lack axes. */
static struct value *seen_back(struct backward *b, const struct value *y, int input, int64_t start, struct value *d) {
  struct graph *graph = b->graph;
  switch ((int)y->op) {
    case OP_rename:
      return value_has_axis(d, y->result) ? build_rename(graph, d, y->result, y->axis) : d;
    case OP_split:
      for (int i = 0; i < y->list_count; i++)
        if (value_has_axis(d, y->list[i]))
          return build_merge(graph, build_expand(graph, d, y->list, y->list_count), y->list, y->list_count, y->axis);
      return d;
    case OP_merge:
      return value_has_axis(d, y->result) ? build_split(graph, d, y->result, y->list, y->list_count) : d;
    case OP_slice:
      return value_has_axis(d, y->result) ? build_pad(graph, d, y->result, y->axis, y->start, 0) : d;
    case OP_pad:
      return value_has_axis(d, y->result) ? build_slice(graph, d, y->result, y->start, y->axis) : d;
    case OP_concat:
      return value_has_axis(d, y->result) ? build_slice(graph, d, y->result, start, y->list[input]) : d;
    default:
      bug("%s is no view", op_facts[y->op].name);
  }
}

static void give_view(struct backward *b, struct value *y, int input, int64_t start, struct value *d) {
  if (!wanted(b, y->inputs[input])) return;
  struct value *mask = b->mask ? seen_back(b, y, input, start, b->mask) : NULL;
  give_alike(b, y->inputs[input], seen_back(b, y, input, start, d), mask);
}

void gradient_rename(struct backward *b, struct value *y, struct value *d) { give_view(b, y, 0, 0, d); }
void gradient_split(struct backward *b, struct value *y, struct value *d) { give_view(b, y, 0, 0, d); }
void gradient_merge(struct backward *b, struct value *y, struct value *d) { give_view(b, y, 0, 0, d); }
void gradient_slice(struct backward *b, struct value *y, struct value *d) { give_view(b, y, 0, 0, d); }
void gradient_pad(struct backward *b, struct value *y, struct value *d) { give_view(b, y, 0, 0, d); }

void gradient_select(struct backward *b, struct value *y, struct value *d) {
  if (y->axis->size) {
    struct value *here = build_index(b->graph, y->axis);
    here = build_binary(b->graph, OP_eq, here, build_integer(b->graph, y->start));
    give_alike(b, y->inputs[0], build_where(b->graph, here, d, build_constant(b->graph, 0)), b->mask);
    return;
  }
  struct axis *unit = axis_new(b->graph, y->axis->name, 1, y->axis->span);
  d = build_pad(b->graph, build_expand(b->graph, d, &unit, 1), unit, y->axis, y->start, 0);
  give_alike(b, y->inputs[0], d, b->mask);
}

void gradient_expand(struct backward *b, struct value *y, struct value *d) { give_alike(b, y->inputs[0], d, b->mask); }

void gradient_concat(struct backward *b, struct value *y, struct value *d) {
  int64_t start = 0;
  for (int i = 0; i < y->input_count; i++) {
    give_view(b, y, i, start, d);
    start += y->list[i]->extent;
  }
}

/* No gradient node is left among the values that are swept over. */
void gradient_gradient(struct backward *b, struct value *y, struct value *d) {
  (void)b, (void)d;
  bug("value %d is a gradient that was not expanded", y->id);
}

/* An update of the whole state has the value that it stores. */
void gradient_update(struct backward *b, struct value *y, struct value *d) {
  if (y->input_count == 1) {
    give(b, y->inputs[0], d);
  } else if (!b->failed && wanted(b, y->inputs[0])) {
    b->failed = true;
    report_error(b->diagnostics, y->origin.span,
                 "the loss depends on %s, which is written at an index: that has no derivative", y->state->name);
  }
}

/* The gradient is kept until the sweep reaches the call: by then all results of the call have had theirs. */
void gradient_result(struct backward *b, struct value *y, struct value *d) {
  struct value *call = y->inputs[0];
  if (!b->results[call->id])
    b->results[call->id] = arena_new_array(b->graph->arena, struct gradient, call->callee->body->outputs.count);
  struct gradient *slot = &b->results[call->id][y->start];
  slot->mask = slot->value ? mask_or(b->graph, slot->mask, b->mask) : b->mask;
  slot->value = slot->value ? build_binary(b->graph, OP_add, slot->value, d) : d;
}

/* Whether a function that is linear in its inputs from `first` on treats each place along the mask's axes by itself. If
   it does, its results are zero where these inputs are. */
static bool keeps_apart(const struct region *region, int first, const struct value *mask) {
  const struct graph *body = region->body;
  bool *depends = arena_new_array(body->arena, bool, body->next_value);
  for (int i = first; i < region->inputs.count; i++) depends[region->inputs.items[i]->id] = true;
  for (int i = 0; i < body->values.count; i++) {
    const struct value *value = body->values.items[i];
    for (int j = 0; j < value->input_count; j++)
      depends[value->id] = depends[value->id] || depends[value->inputs[j]->id];
    if (!depends[value->id]) continue;
    if (op_facts[value->op].class == CLASS_CALL) return false;
    bool mixes =
        (value->axis && value_has_axis(mask, value->axis)) || (value->result && value_has_axis(mask, value->result));
    for (int j = 0; j < value->list_count && value->op != OP_expand; j++)
      mixes = mixes || value_has_axis(mask, value->list[j]);
    if (mixes) return false;
  }
  return true;
}

/* The callee has a gradient of its own; a callee without one has been inlined. */
void gradient_call(struct backward *b, struct value *y, struct value *d) {
  (void)d;
  struct graph *graph = b->graph;
  struct region *callee = y->callee, *gradient = callee->gradient;
  if (!gradient) bug("the call of %s was not inlined", callee->name);
  int results = callee->body->outputs.count, count = 0;
  struct value **inputs = arena_new_array(graph->arena, struct value *, y->input_count + 2 * results);
  for (int i = 0; i < y->input_count; i++) inputs[count++] = y->inputs[i];
  for (int i = 0; i < results; i++) inputs[count++] = build_result(graph, y, i);
  bool some = false;
  b->mask = NULL;
  b->dirty = true;
  for (int i = 0; i < results; i++) {
    struct value *result = inputs[y->input_count + i];
    const struct gradient *given = &b->results[y->id][i];
    inputs[count++] = given->value ? given->value : zeros(b, result->axes, result->axis_count);
    if (!given->value) continue;
    b->mask = some ? mask_or(graph, b->mask, given->mask) : given->mask;
    some = true;
  }
  if (b->mask && !keeps_apart(gradient, y->input_count + results, b->mask)) b->mask = NULL;
  struct value *call = build_call(graph, gradient, inputs, count);
  for (int i = 0; i < y->input_count; i++)
    if (i < gradient->body->outputs.count && gradient->body->outputs.items[i].value && wanted(b, y->inputs[i]))
      give(b, y->inputs[i], build_result(graph, call, i));
}
