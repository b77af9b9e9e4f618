/* Adapters of low rank. A parameter w that has one stays as it is, and graphs read it as w + s * a @rank b, with s = alpha / rank. The
   product is never made where it need not be: x @ w becomes x @ w + (x @ a) * s @ b, and a lookup in w one in the factor that has the
   axis. Where a parameter is read otherwise (element by element, or by a view that mixes axes of both factors), and with `merge = 1`
   wherever nothing is trained, the sum is a value of the graph; the pass derive then computes it once.

   It runs while the frontend lowers a program, before gradients and optimizers are there: these then are about the factors, by the same
   code as about parameters of the spec, and what is frozen costs nothing. Values are changed in place, since the frontend holds some. */
#include "passes/lora.h"

#include <string.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

/* A value that is a parameter or a view of it, in factors: it is what it was + scale * a @rank b. */
struct product {
  const struct adapter *adapter; /* NULL: the value is none */
  struct value *a, *b, *scale; /* scale: alpha / rank */
  struct value *sum; /* that value, once something needed it */
};

struct adaption {
  const struct program *program;
  const struct forward_graph *forward;
  struct graph *graph;
  struct product *products; /* by the id of a value */
  struct product *whole; /* by the id of a rank: the adapter as the graph reads it */
};

/* Evaluation and prediction read the average of what is trained, where there is one. */
static struct value *read_factor(const struct adaption *adaption, struct state *factor) {
  for (int i = 0; i < adaption->program->states.count && !adaption->forward->trains; i++) {
    struct state *state = adaption->program->states.items[i];
    if (state->role == ROLE_AVERAGE && state->of == factor) return build_state(adaption->graph, state);
  }
  return build_state(adaption->graph, factor);
}

/* Axes of the list that the value has; returns their number. */
static int axes_within(struct axis *const *list, int count, const struct value *x, struct axis **axes) {
  int within = 0;
  for (int i = 0; i < count; i++)
    if (value_has_axis(x, list[i])) axes[within++] = list[i];
  return within;
}

static struct value *scaled(struct graph *graph, struct value *x, const struct product *product) {
  return build_binary(graph, OP_mul, x, product->scale);
}

/* The parameter, or the view of it, with its adapter's product. */
static struct value *sum_of(struct adaption *adaption, struct value *value) {
  struct product *product = &adaption->products[value->id];
  struct graph *graph = adaption->graph;
  if (product->sum) return product->sum;
  struct axis *rank = product->adapter->rank;
  struct value *change = build_contract(graph, scaled(graph, product->a, product), product->b, &rank, 1);
  product->sum = build_binary(graph, OP_add, value, change);
  if (value->op == OP_state) product->sum->name = arena_format(graph->arena, "%s/adapted", value->state->name);
  return product->sum;
}

/* Makes the value `old + change`: a copy of what it was comes before it, and its users stay its users. */
static void add_change(struct adaption *adaption, struct value *old, struct value *plain, struct value *change) {
  struct graph *graph = adaption->graph;
  const struct value *sum = build_binary(graph, OP_add, plain, change);
  if (sum->axis_count != old->axis_count || memcmp(sum->axes, old->axes, sizeof *sum->axes * (size_t)sum->axis_count))
    bug("an adapter gives %s other axes", op_facts[old->op].name);
  graph->values.count--;
  const struct value was = *old;
  *old = *sum;
  old->id = was.id, old->name = was.name, old->call = was.call, old->origin = was.origin, old->axes = was.axes;
  array_push(graph->arena, &graph->values, old);
}

static struct value *copy_without_name(struct adaption *adaption, const struct value *old) {
  struct value *plain = value_copy(adaption->graph, old, old->inputs);
  plain->name = NULL;
  return plain;
}

/* Whether the graph reads the value in factors. */
static bool is_in_factors(const struct adaption *adaption, const struct value *value) {
  const struct adapter *adapter = adaption->products[value->id].adapter;
  return adapter && (adaption->forward->trains || !adapter->merges);
}

/* x times the change of the parameter that it is multiplied by: over what is summed in the first factor, and then in the second. */
static struct value *change_of_contraction(struct adaption *adaption, const struct value *old, struct value *x,
                                           const struct product *product) {
  struct graph *graph = adaption->graph;
  struct axis *over[MAX_AXES + 1];
  struct value *first = product->a, *second = product->b;
  int count = axes_within(old->list, old->list_count, first, over);
  if (!count) {
    first = product->b, second = product->a;
    count = axes_within(old->list, old->list_count, first, over);
  }
  struct value *low = scaled(graph, build_contract(graph, x, first, over, count), product);
  count = axes_within(old->list, old->list_count, second, over);
  over[count++] = product->adapter->rank;
  return build_contract(graph, low, second, over, count);
}

/* A contraction over an axis of both factors needs the parameter as it is. */
static bool sums_both(const struct value *contraction, const struct product *product) {
  for (int i = 0; i < contraction->list_count; i++)
    if (value_has_axis(product->a, contraction->list[i]) && value_has_axis(product->b, contraction->list[i]))
      return true;
  return false;
}

static bool adapt_contraction(struct adaption *adaption, struct value *old) {
  for (int side = 1; side >= 0; side--) {
    const struct product *product = &adaption->products[old->inputs[side]->id];
    struct value **other = &old->inputs[1 - side];
    if (!is_in_factors(adaption, old->inputs[side]) || sums_both(old, product)) continue;
    if (adaption->products[(*other)->id].adapter) *other = sum_of(adaption, *other);
    struct value *change = change_of_contraction(adaption, old, *other, product);
    add_change(adaption, old, copy_without_name(adaption, old), change);
    return true;
  }
  return false;
}

/* A lookup in a table: one in the factor that has the axis. What was looked up along an axis of both factors stays a product. */
static bool adapt_lookup(struct adaption *adaption, struct value *old) {
  struct graph *graph = adaption->graph;
  const struct product *table = &adaption->products[old->inputs[0]->id];
  const bool in_a = value_has_axis(table->a, old->axis), in_b = value_has_axis(table->b, old->axis);
  struct value *index = old->inputs[1];
  struct value *a = in_a ? build_gather(graph, table->a, old->axis, index) : table->a;
  struct value *b = in_b ? build_gather(graph, table->b, old->axis, index) : table->b;
  if (in_a && in_b) {
    adaption->products[old->id] = (struct product){table->adapter, a, b, table->scale, NULL};
    array_push(graph->arena, &graph->values, old);
    return true;
  }
  struct axis *rank = table->adapter->rank;
  struct value *chosen = scaled(graph, in_a ? a : b, table);
  struct value *change = build_contract(graph, chosen, in_a ? b : a, &rank, 1);
  add_change(adaption, old, copy_without_name(adaption, old), change);
  return true;
}

/* A view of a parameter is one of its factors, too. */
static bool follow_view(struct adaption *adaption, struct value *old) {
  if (op_facts[old->op].class != CLASS_VIEW || old->input_count != 1) return false;
  const struct product *from = &adaption->products[old->inputs[0]->id];
  struct value *a = view_again(adaption->graph, old, from->a), *b = view_again(adaption->graph, old, from->b);
  if (!a || !b) return false;
  adaption->products[old->id] = (struct product){from->adapter, a, b, from->scale, NULL};
  array_push(adaption->graph->arena, &adaption->graph->values, old);
  return true;
}

/* Whether the value is a parameter with an adapter, whose factors its users then find. */
static bool find_parameter(struct adaption *adaption, struct value *value) {
  if (value->op != OP_state || !value->state->adapter || is_of_adapter(value->state)) return false;
  const struct adapter *adapter = value->state->adapter;
  array_push(adaption->graph->arena, &adaption->graph->values, value);
  struct product *whole = &adaption->whole[adapter->rank->id];
  if (!whole->adapter) {
    struct value *alpha = build_state(adaption->graph, adapter->alpha);
    struct value *rank = build_constant(adaption->graph, (double)adapter->rank->extent);
    whole->adapter = adapter;
    whole->a = read_factor(adaption, adapter->a);
    whole->b = read_factor(adaption, adapter->b);
    whole->scale = build_binary(adaption->graph, OP_div, alpha, rank);
  }
  adaption->products[value->id] = *whole;
  return true;
}

static void adapt_value(struct adaption *adaption, struct value *old) {
  bool reads = false;
  adaption->graph->origin = old->origin;
  if (find_parameter(adaption, old)) return;
  for (int j = 0; j < old->input_count; j++) reads |= adaption->products[old->inputs[j]->id].adapter != NULL;
  if (reads && old->op == OP_contract && adapt_contraction(adaption, old)) return;
  if (reads && is_in_factors(adaption, old->inputs[0])) {
    if (old->op == OP_gather && adapt_lookup(adaption, old)) return;
    if (follow_view(adaption, old)) return;
  }
  for (int j = 0; reads && j < old->input_count; j++)
    if (adaption->products[old->inputs[j]->id].adapter) old->inputs[j] = sum_of(adaption, old->inputs[j]);
  array_push(adaption->graph->arena, &adaption->graph->values, old);
}

static void adapt_graph(struct adaption *adaption) {
  struct graph *graph = adaption->graph;
  const struct origin origin = graph->origin;
  struct arena *scratch = arena_new();
  const int count = graph->values.count;
  struct value **old = arena_new_array(scratch, struct value *, count);
  for (int i = 0; i < count; i++) old[i] = graph->values.items[i];
  graph->values.count = 0;
  adaption->products = arena_new_array(scratch, struct product, graph->next_value);
  adaption->whole = arena_new_array(scratch, struct product, *graph->next_axis);
  for (int i = 0; i < count; i++) adapt_value(adaption, old[i]);
  for (int i = 0; i < graph->outputs.count; i++) {
    struct value **value = &graph->outputs.items[i].value;
    if (adaption->products[(*value)->id].adapter) *value = sum_of(adaption, *value);
  }
  arena_free(scratch);
  graph->origin = origin;
}

bool pass_lora(void *options, struct program *program, const struct forward_graph *forward,
               struct diagnostics *diagnostics) {
  struct pipeline pipeline;
  if (!pipeline_parse(program, options, diagnostics, &pipeline)) return false;
  if (!pipeline.on[PASS_lora]) return true;
  if (!program->adapters.count && !choose_adapters(program, &pipeline, forward, diagnostics)) return false;
  struct adaption adaption = {.program = program, .forward = forward, .graph = forward->graph};
  adapt_graph(&adaption);
  return true;
}
