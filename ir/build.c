#include <string.h>

#include "ir/infer.h"
#include "ir/tensor.h"

/* Infers the rest of a value that has its operation, inputs and attributes, and lists it in the graph. */
static struct value *finish(struct graph *graph, struct value *value, struct value *const *inputs, int count) {
  for (int i = 0; i < count; i++)
    if (!inputs[i]) bug("%s in graph %s: input %d is missing", op_facts[value->op].name, graph->name, i);
  value->inputs = arena_new_array(graph->arena, struct value *, count);
  if (count) memcpy(value->inputs, inputs, sizeof *inputs * (size_t)count);
  value->input_count = count;
  value->origin = graph->origin;
  struct inferred inferred;
  const char *error = infer(graph->arena, value, &inferred);
  if (error) {
    const char *place = span_text(graph->arena, value->origin.span);
    bug("%s%s%s in graph %s: %s", place, *place ? ": " : "", op_facts[value->op].name, graph->name, error);
  }
  value->kind = inferred.kind;
  value->range = inferred.range;
  value->axes = arena_new_array(graph->arena, struct axis *, inferred.axis_count);
  memcpy(value->axes, inferred.axes, sizeof *inferred.axes * (size_t)inferred.axis_count);
  value->axis_count = inferred.axis_count;
  value->id = graph->next_value++;
  array_push(graph->arena, &graph->values, value);
  return value;
}

static struct value *begin(struct graph *graph, enum op op) {
  struct value *value = arena_new_struct(graph->arena, struct value);
  value->op = op;
  return value;
}

static struct axis **copy_axes(struct graph *graph, struct axis *const *axes, int count) {
  struct axis **copy = arena_new_array(graph->arena, struct axis *, count);
  if (count) memcpy(copy, axes, sizeof *axes * (size_t)count);
  return copy;
}

static struct value *finish_1(struct graph *graph, struct value *value, struct value *x) {
  return finish(graph, value, (struct value *const[]){x}, 1);
}

static struct value *finish_2(struct graph *graph, struct value *value, struct value *x, struct value *y) {
  return finish(graph, value, (struct value *const[]){x, y}, 2);
}

static struct value *leaf(struct graph *graph, enum op op, enum kind kind, double number) {
  struct value *value = begin(graph, op);
  value->kind = kind;
  value->number = number;
  return finish(graph, value, NULL, 0);
}

struct value *build_constant(struct graph *graph, double number) { return leaf(graph, OP_constant, KIND_REAL, number); }

struct value *build_integer(struct graph *graph, int64_t number) {
  return leaf(graph, OP_constant, KIND_INTEGER, (double)number);
}

struct value *build_boolean(struct graph *graph, bool value) { return leaf(graph, OP_constant, KIND_BOOLEAN, value); }

const char *const run_input_names[RUN_INPUTS] = {NULL, "step", "steps", "step/taken", "example", "position"};

void name_input(struct value *input, const char *name) {
  input->name = name;
  input->run_input = RUN_NONE;
  for (int i = 1; i < RUN_INPUTS; i++)
    if (!strcmp(name, run_input_names[i])) input->run_input = (enum run_input)i;
}

struct value *build_input(struct graph *graph, const char *name, enum kind kind, struct axis *range,
                          struct axis *const *axes, int count) {
  struct value *value = begin(graph, OP_input);
  name_input(value, name);
  value->kind = kind;
  value->range = range;
  value->axes = copy_axes(graph, axes, count);
  value->axis_count = count;
  return finish(graph, value, NULL, 0);
}

struct value *build_state(struct graph *graph, struct state *state) {
  struct value *value = begin(graph, OP_state);
  value->state = state;
  return finish(graph, value, NULL, 0);
}

struct value *build_index(struct graph *graph, struct axis *axis) {
  struct value *value = begin(graph, OP_index);
  value->axis = axis;
  return finish(graph, value, NULL, 0);
}

struct value *build_random(struct graph *graph, enum distribution distribution, uint32_t stream, struct value *step,
                           struct value *example, struct axis *const *axes, int count) {
  struct value *value = begin(graph, OP_random);
  value->distribution = distribution;
  value->stream = stream;
  value->axes = copy_axes(graph, axes, count);
  value->axis_count = count;
  return finish(graph, value, (struct value *const[]){step, example}, example ? 2 : 1);
}

static struct value *to_real(struct graph *graph, struct value *x) {
  return x->kind == KIND_REAL ? x : build_cast(graph, x, STORAGE_REAL);
}

/* An operand that sums and the like can take: booleans count as 0 and 1. */
static struct value *to_number(struct graph *graph, struct value *x) {
  return x->kind == KIND_BOOLEAN ? to_real(graph, x) : x;
}

struct value *build_unary(struct graph *graph, enum op op, struct value *x) {
  const struct op_facts *facts = &op_facts[op];
  if (facts->class != CLASS_UNARY || facts->gives == RESULT_STORAGE) bug("build_unary of %s", facts->name);
  if (facts->gives == RESULT_INTEGER && x->kind == KIND_INTEGER) return x;
  if (facts->takes == OPERANDS_NUMBERS) x = to_number(graph, x);
  if (facts->takes == OPERANDS_REALS) x = to_real(graph, x);
  return finish_1(graph, begin(graph, op), x);
}

/* Whether two operands of these kinds are both converted to reals. */
static bool meet_as_reals(enum op op, enum kind x, enum kind y) {
  switch (op_facts[op].takes) {
    case OPERANDS_NUMBERS:
    case OPERANDS_ORDERED:
      return x != y || x == KIND_BOOLEAN;
    case OPERANDS_ANY:
      return x != y;
    case OPERANDS_REALS:
      return true;
    case OPERANDS_INTEGERS:
    case OPERANDS_BOOLEANS:
      break;
  }
  return false;
}

struct value *build_binary(struct graph *graph, enum op op, struct value *x, struct value *y) {
  if (!op_is_elementwise(op) || op_facts[op].inputs != 2) bug("build_binary of %s", op_facts[op].name);
  if (meet_as_reals(op, x->kind, y->kind)) {
    x = to_real(graph, x);
    y = to_real(graph, y);
  }
  return finish_2(graph, begin(graph, op), x, y);
}

struct value *build_where(struct graph *graph, struct value *condition, struct value *x, struct value *y) {
  if (x->kind != y->kind) {
    x = to_real(graph, x);
    y = to_real(graph, y);
  }
  return finish(graph, begin(graph, OP_where), (struct value *const[]){condition, x, y}, 3);
}

struct value *build_cast(struct graph *graph, struct value *x, enum storage storage) {
  bool same = (storage == STORAGE_REAL && x->kind == KIND_REAL) ||
              (storage == STORAGE_BOOL && x->kind == KIND_BOOLEAN) ||
              (storage == STORAGE_I32 && x->kind == KIND_INTEGER);
  if (same) return x;
  struct value *value = begin(graph, OP_cast);
  value->storage = storage;
  return finish_1(graph, value, x);
}

static struct value *with_list(struct graph *graph, enum op op, struct axis *const *list, int count) {
  struct value *value = begin(graph, op);
  value->list = copy_axes(graph, list, count);
  value->list_count = count;
  return value;
}

struct value *build_reduce(struct graph *graph, enum op op, struct value *x, struct axis *const *over, int count) {
  if (op_facts[op].class != CLASS_REDUCE) bug("build_reduce of %s", op_facts[op].name);
  return finish_1(graph, with_list(graph, op, over, count), to_number(graph, x));
}

static struct value *with_axis(struct graph *graph, enum op op, struct axis *axis, struct axis *result, int64_t start) {
  struct value *value = begin(graph, op);
  value->axis = axis;
  value->result = result;
  value->start = start;
  return value;
}

struct value *build_scan(struct graph *graph, struct value *x, struct axis *axis, bool from_end) {
  return finish_1(graph, with_axis(graph, OP_scan, axis, NULL, from_end), to_number(graph, x));
}

struct value *build_top(struct graph *graph, struct value *x, struct axis *axis, struct axis *result) {
  return finish_1(graph, with_axis(graph, OP_top, axis, result, 0), to_number(graph, x));
}

struct value *build_quantile(struct graph *graph, struct value *x, struct value *q, struct axis *const *over,
                             int count) {
  x = to_real(graph, x);
  q = to_real(graph, q);
  return finish_2(graph, with_list(graph, OP_quantile, over, count), x, q);
}

struct value *build_contract(struct graph *graph, struct value *x, struct value *y, struct axis *const *over,
                             int count) {
  if (x->kind != KIND_INTEGER || y->kind != KIND_INTEGER) {
    x = to_real(graph, x);
    y = to_real(graph, y);
  }
  return finish_2(graph, with_list(graph, OP_contract, over, count), x, y);
}

struct value *build_gather(struct graph *graph, struct value *table, struct axis *axis, struct value *index) {
  return finish_2(graph, with_axis(graph, OP_gather, axis, NULL, 0), table, index);
}

/* `x` expanded along those of `axes` that it lacks, `except` left out, and along the axes of `index`. */
static struct value *expand_indexed(struct graph *graph, struct value *x, struct axis *const *axes, int count,
                                    const struct axis *except, const struct value *index) {
  for (int i = 0; i < count; i++)
    if (axes[i] != except) x = build_expand(graph, x, &axes[i], 1);
  return index ? build_expand(graph, x, index->axes, index->axis_count) : x;
}

struct value *build_scatter_add(struct graph *graph, struct value *base, struct axis *axis, struct value *index,
                                struct value *source) {
  if (base->kind != source->kind) {
    base = to_real(graph, base);
    source = to_real(graph, source);
  }
  source = expand_indexed(graph, source, base->axes, base->axis_count, axis, index);
  return finish(graph, with_axis(graph, OP_scatter_add, axis, NULL, 0), (struct value *const[]){base, index, source},
                3);
}

struct value *build_rename(struct graph *graph, struct value *x, struct axis *axis, struct axis *result) {
  return finish_1(graph, with_axis(graph, OP_rename, axis, result, 0), x);
}

struct value *build_split(struct graph *graph, struct value *x, struct axis *axis, struct axis *const *factors,
                          int count) {
  struct value *value = with_list(graph, OP_split, factors, count);
  value->axis = axis;
  return finish_1(graph, value, x);
}

struct value *build_merge(struct graph *graph, struct value *x, struct axis *const *factors, int count,
                          struct axis *result) {
  struct value *value = with_list(graph, OP_merge, factors, count);
  value->result = result;
  return finish_1(graph, value, x);
}

struct value *build_slice(struct graph *graph, struct value *x, struct axis *axis, int64_t start, struct axis *result) {
  return finish_1(graph, with_axis(graph, OP_slice, axis, result, start), x);
}

struct value *build_select(struct graph *graph, struct value *x, struct axis *axis, int64_t start) {
  return finish_1(graph, with_axis(graph, OP_select, axis, NULL, start), x);
}

struct value *build_expand(struct graph *graph, struct value *x, struct axis *const *axes, int count) {
  struct axis **fresh = arena_new_array(graph->arena, struct axis *, count);
  int fresh_count = 0;
  for (int i = 0; i < count; i++)
    if (!value_has_axis(x, axes[i])) fresh[fresh_count++] = axes[i];
  return fresh_count ? finish_1(graph, with_list(graph, OP_expand, fresh, fresh_count), x) : x;
}

struct value *build_pad(struct graph *graph, struct value *x, struct axis *axis, struct axis *result, int64_t start,
                        double number) {
  struct value *value = with_axis(graph, OP_pad, axis, result, start);
  value->number = number;
  return finish_1(graph, value, x);
}

struct value *build_concat(struct graph *graph, struct value *const *parts, struct axis *const *axes, int count,
                           struct axis *result) {
  struct value **inputs = arena_new_array(graph->arena, struct value *, count);
  bool mixed = false;
  for (int i = 0; i < count; i++) mixed = mixed || parts[i]->kind != parts[0]->kind;
  for (int i = 0; i < count; i++) inputs[i] = mixed ? to_real(graph, parts[i]) : parts[i];
  /* A part that lacks an axis which another part has is repeated along it. Of thousands of parts few have an axis that is new. */
  struct value axes_so_far = {0};
  struct axis *known[MAX_AXES];
  int *wider = arena_new_array(graph->arena, int, count), wider_count = 0;
  axes_so_far.axes = known;
  for (int j = 0; j < count; j++) {
    bool adds = false;
    for (int k = 0; k < parts[j]->axis_count; k++) {
      if (parts[j]->axes[k] == axes[j] || value_has_axis(&axes_so_far, parts[j]->axes[k])) continue;
      if (axes_so_far.axis_count < MAX_AXES) known[axes_so_far.axis_count++] = parts[j]->axes[k];
      adds = true;
    }
    if (adds) wider[wider_count++] = j;
  }
  for (int i = 0; i < count; i++)
    for (int k = 0; k < wider_count; k++) {
      const int j = wider[k];
      inputs[i] = expand_indexed(graph, inputs[i], parts[j]->axes, parts[j]->axis_count, axes[j], NULL);
    }
  struct value *value = with_list(graph, OP_concat, axes, count);
  value->result = result;
  return finish(graph, value, inputs, count);
}

struct value *build_stop(struct graph *graph, struct value *x) { return finish_1(graph, begin(graph, OP_stop), x); }

struct value *build_gradient(struct graph *graph, struct value *loss, struct value *of) {
  return finish_2(graph, begin(graph, OP_gradient), loss, of);
}

struct value *build_update(struct graph *graph, struct state *state, struct value *value, struct axis *axis,
                           struct value *index) {
  if (state->kind == KIND_REAL) value = to_real(graph, value);
  value = expand_indexed(graph, value, state->axes, state->axis_count, index ? axis : NULL, index);
  struct value *update = with_axis(graph, OP_update, index ? axis : NULL, NULL, 0);
  update->state = state;
  return finish(graph, update, (struct value *const[]){value, index}, index ? 2 : 1);
}

struct value *build_call(struct graph *graph, struct region *callee, struct value *const *inputs, int count) {
  struct value *value = begin(graph, OP_call);
  value->callee = callee;
  return finish(graph, value, inputs, count);
}

struct value *build_result(struct graph *graph, struct value *call, int number) {
  return finish_1(graph, with_axis(graph, OP_result, NULL, NULL, number), call);
}
