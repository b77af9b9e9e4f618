/* What the backward pass reads of a wide value, as the weights of attention are, it computes again: from the operands of the contraction
   behind it and from sums of its rows, which are small and stay memory. So no wide value has to wait for the backward pass, and streams
   (stream.h) keep blocks of them alone. This costs one more contraction; the same operations on the same numbers give the same bits.
   Only sums of a wide value over more than its rows are added in another order.

   A wide value is one that follows, element by element, from a contraction whose rows some reduction sums: what fuse will find to be a
   stream (cluster_stream.c), found on the graph, since clusters follow from which values there are. */
#include "passes/passes.h"
#include "passes/rewrite.h"
#include "passes/stream.h"

struct again {
  struct rewrite rewrite;
  struct value **old;
  int count, first_gradient; /* places in `old` */
  const struct value **product; /* by id: the contraction that a wide value follows from, or NULL */
  const struct value **rows; /* by id of a contraction: a reduction of rows of what follows from it, or NULL */
  bool *drawn; /* by id: a wide value that follows from draws and small values alone */
  struct value **made; /* by id: the value computed again */
  ARRAY(const struct value *) products; /* those that have such a reduction */
  double least; /* bytes of a wide value from which on it is */
};

static bool is_wide_product(const struct again *a, const struct value *value) {
  return value->op == OP_contract && value->kind == KIND_REAL && !value_has_sized_axis(value) &&
         stream_batch(value) > 1 && 4 * (double)value_count(value) >= a->least;
}

/* Finds wide values of the forward pass, and which of them have rows that are summed. */
static void find_wide(struct again *a) {
  for (int i = 0; i < a->first_gradient; i++) {
    const struct value *value = a->old[i];
    if (is_wide_product(a, value)) a->product[value->id] = value;
    for (int j = 0; j < value->input_count; j++) {
      const struct value *product = a->product[value->inputs[j]->id];
      if (!product) continue;
      if (op_is_elementwise(value->op) || value->op == OP_stop) {
        if (same_axes(value, product)) a->product[value->id] = product;
      } else if ((value->op == OP_reduce_max || value->op == OP_reduce_sum) &&
                 stream_are_rows(product, value->list, value->list_count)) {
        if (!a->rows[product->id]) array_push(a->rewrite.scratch, &a->products, product);
        a->rows[product->id] = value;
      }
    }
  }
}

static bool is_wide(const struct again *a, const struct value *old) {
  const struct value *product = a->product[old->id];
  return product && a->rows[product->id];
}

/* The rows of a wide value with these axes, as a reduction of them; NULL where it is none. */
static const struct value *rows_of(const struct again *a, const struct value *value) {
  for (int i = 0; i < a->products.count; i++)
    if (same_axes(value, a->products.items[i])) return a->rows[a->products.items[i]->id];
  return NULL;
}

/* Finds draws for each element of a wide value, as dropout makes, and what follows from them. */
static void find_drawn(struct again *a) {
  for (int i = 0; i < a->first_gradient; i++) {
    const struct value *value = a->old[i];
    if (!rows_of(a, value) || is_wide(a, value)) continue;
    bool all = op_is_elementwise(value->op) && value->input_count, some = value->op == OP_random;
    for (int j = 0; j < value->input_count; j++) {
      some = some || a->drawn[value->inputs[j]->id];
      all = all && (a->drawn[value->inputs[j]->id] || !rows_of(a, value->inputs[j]));
    }
    a->drawn[value->id] = some && (all || value->op == OP_random);
  }
}

/* The value computed again, or the value itself where it is small, or costs nothing to keep. */
static struct value *computed_again(struct again *a, const struct value *old) {
  if (!is_wide(a, old) && !a->drawn[old->id]) return rewrite_get(&a->rewrite, old);
  if (a->made[old->id]) return a->made[old->id];
  struct value **inputs = arena_new_array(a->rewrite.scratch, struct value *, old->input_count);
  for (int i = 0; i < old->input_count; i++) inputs[i] = computed_again(a, old->inputs[i]);
  a->rewrite.graph->origin = old->origin;
  struct value *made = value_copy(a->rewrite.graph, old, inputs);
  made->again = true;
  made->name = NULL; /* two values of one name would be taken for two copies */
  a->made[old->id] = made;
  return made;
}

static bool has_listed_axis(const struct value *value, struct axis *const *list, int count) {
  for (int i = 0; i < count; i++)
    if (value_has_axis(value, list[i])) return true;
  return false;
}

/* What the value would be if the sum of a wide value, from which it follows by products and choices, were taken after them; NULL where it
   does not follow so, or a factor or a condition has one of the sum's axes. The axes are then in the list. */
static struct value *before_sum(struct again *a, const struct value *old, struct axis **list, int *count) {
  struct graph *graph = a->rewrite.graph;
  if (old->op == OP_reduce_sum && rows_of(a, old->inputs[0])) {
    *count = 0;
    for (int i = 0; i < old->list_count; i++) list[(*count)++] = old->list[i];
    return rewrite_get(&a->rewrite, old->inputs[0]);
  }
  for (int i = 0; i < 2 && old->op == OP_mul; i++) {
    struct value *made = before_sum(a, old->inputs[i], list, count);
    if (!made || has_listed_axis(old->inputs[1 - i], list, *count)) continue;
    graph->origin = old->origin;
    return build_binary(graph, OP_mul, made, rewrite_get(&a->rewrite, old->inputs[1 - i]));
  }
  for (int i = 1; i < 3 && old->op == OP_where; i++) {
    if (!is_constant(old->inputs[3 - i], 0)) continue;
    struct value *made = before_sum(a, old->inputs[i], list, count);
    if (!made || has_listed_axis(old->inputs[0], list, *count)) continue;
    struct value *chosen = rewrite_get(&a->rewrite, old->inputs[0]),
                 *zero = rewrite_get(&a->rewrite, old->inputs[3 - i]);
    graph->origin = old->origin;
    return build_where(graph, chosen, i == 1 ? made : zero, i == 1 ? zero : made);
  }
  return NULL;
}

/* A sum of a wide value over its rows and further axes, as the gradient of a bias is, becomes one over rows, which belongs to the stream,
   and one of the small result. NULL where it is no such sum. The wide value may have been summed over some axes, such as the batch, before
   it was multiplied: this sum is then taken last, since its result has both axes of a score. */
static struct value *in_two_steps(struct again *a, const struct value *old) {
  if (old->op != OP_reduce_sum) return NULL;
  struct axis *list[MAX_AXES], *rest[MAX_AXES];
  int count = 0, rest_count = 0;
  struct value *x = rows_of(a, old->inputs[0]) ? rewrite_get(&a->rewrite, old->inputs[0])
                                               : before_sum(a, old->inputs[0], list, &count);
  const struct value *rows = x ? rows_of(a, x) : NULL;
  if (!rows) return NULL;
  /* Where there is no inner sum, the list is empty. All of it are axes that the outer sum lacks, as they are gone before. */
  for (int i = 0; i < old->list_count; i++) {
    if (axis_listed(list, count, old->list[i])) return NULL;
    list[count++] = old->list[i];
  }
  int found = 0;
  for (int i = 0; i < count; i++) {
    if (axis_listed(rows->list, rows->list_count, list[i]))
      found++;
    else
      rest[rest_count++] = list[i];
  }
  if (found < rows->list_count || !rest_count) return NULL;
  a->rewrite.graph->origin = old->origin;
  struct value *sums = build_reduce(a->rewrite.graph, OP_reduce_sum, x, rows->list, rows->list_count);
  struct value *sum = build_reduce(a->rewrite.graph, OP_reduce_sum, sums, rest, rest_count);
  name_like(sum, old);
  return sum;
}

void pass_stream_again(struct graph *graph, double least) {
  const struct origin origin = graph->origin;
  struct again again = {.rewrite = rewrite_begin(graph), .least = least}, *a = &again;
  struct arena *scratch = a->rewrite.scratch;
  a->old = a->rewrite.old, a->count = a->rewrite.count;
  a->product = arena_new_array(scratch, const struct value *, a->rewrite.map_count);
  a->rows = arena_new_array(scratch, const struct value *, a->rewrite.map_count);
  a->drawn = arena_new_array(scratch, bool, a->rewrite.map_count);
  a->made = arena_new_array(scratch, struct value *, a->rewrite.map_count);
  a->first_gradient = 0;
  while (a->first_gradient < a->count && !a->old[a->first_gradient]->gradient_of) a->first_gradient++;
  find_wide(a);
  find_drawn(a);
  for (int i = 0; i < a->count; i++) {
    struct value *old = a->old[i];
    struct value **inputs = arena_new_array(scratch, struct value *, old->input_count);
    bool changes = false;
    for (int j = 0; j < old->input_count; j++) {
      struct value *x = old->inputs[j];
      inputs[j] = i >= a->first_gradient ? computed_again(a, x) : rewrite_get(&a->rewrite, x);
      changes = changes || inputs[j] != x;
    }
    graph->origin = old->origin;
    struct value *made = i >= a->first_gradient ? in_two_steps(a, old) : NULL;
    if (!made) made = changes ? value_copy(graph, old, inputs) : rewrite_keep(&a->rewrite, old);
    rewrite_set(&a->rewrite, old, made);
  }
  graph->origin = origin;
  rewrite_end(&a->rewrite);
  graph_sweep(graph);
}
