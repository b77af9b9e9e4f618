/* Has the graph calibrate measure what rules ask for: of all that contractions multiply by a parameter, the largest magnitude and the mean
   square, for each of the parameter's channels, over all batches. Where the graph multiplies by a view of the parameter, what is measured
   takes the way back: a slice becomes zeros around it, a split is merged.

   Where several contractions read the parameter, the maximum is over all of them, and the mean over all elements of all of them. */
#include "passes/calibrate.h"

#include <string.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

/* --- What is asked for ------------------------------------------------------------------------------------------------------ */

static struct state *statistic_state(struct program *program, const struct statistic *statistic, const char *measure) {
  const struct state *of = statistic->of;
  struct axis *axes[MAX_RANK];
  int count = 0;
  for (int i = 0; i < of->axis_count; i++)
    if (statistic->axes >> i & 1) axes[count++] = of->axes[i];
  /* No state of an optimizer has a point in the part after the slash. */
  const char *name = arena_format(program->arena, "%s/input.%s", of->name, measure);
  struct state *state = derived_state(program, name, KIND_REAL, axes, count, of->span);
  state->role = ROLE_STATISTIC;
  return state;
}

const struct statistic *calibrate_ask(struct program *program, const struct state *parameter, unsigned axes,
                                      int measures) {
  struct statistic *own = NULL;
  for (int i = 0; i < program->statistics.count; i++)
    if (program->statistics.items[i]->of == parameter) own = program->statistics.items[i];
  if (!own) {
    own = arena_new_struct(program->arena, struct statistic);
    own->of = parameter, own->axes = axes;
    array_push(program->arena, &program->statistics, own);
  }
  if (own->axes != axes) bug("the channels of %s are asked for in two ways", parameter->name);
  if (measures & MEASURE_MAX && !own->max) own->max = statistic_state(program, own, "max");
  if (measures & MEASURE_SQUARE && !own->square) own->square = statistic_state(program, own, "square");
  return own;
}

/* --- One contraction -------------------------------------------------------------------------------------------------------- */

/* The parameter that a value is, as it stands or as views of it; or NULL. */
static const struct state *parameter_under(const struct value *value) {
  while (op_facts[value->op].class == CLASS_VIEW && value->input_count == 1) value = value->inputs[0];
  if (value->op != OP_state) return NULL;
  return value->state->role == ROLE_AVERAGE ? value->state->of : value->state;
}

/* Numbers that stand for channels of a view, as numbers for channels of what it is a view of; NULL where there is no such way. */
static struct value *behind_view(struct graph *graph, const struct value *view, struct value *x) {
  struct axis *const *list = view->list;
  int present = 0;
  switch ((int)view->op) {
    case OP_rename:
      return value_has_axis(x, view->result) ? build_rename(graph, x, view->result, view->axis) : x;
    case OP_split:
      for (int i = 0; i < view->list_count; i++) present += value_has_axis(x, list[i]);
      return present ? build_merge(graph, build_expand(graph, x, list, view->list_count), list, view->list_count,
                                   view->axis)
                     : x;
    case OP_merge:
      return value_has_axis(x, view->result) ? build_split(graph, x, view->result, list, view->list_count) : x;
    case OP_slice:
      return value_has_axis(x, view->result) ? build_pad(graph, x, view->result, view->axis, view->start, 0) : x;
    case OP_pad:
      return value_has_axis(x, view->result) ? build_slice(graph, x, view->result, view->start, view->axis) : x;
    case OP_select:
      return x;
    default:
      return NULL;
  }
}

/* The same for channels of the parameter itself, with all of the state's axes. */
static struct value *behind_views(struct graph *graph, const struct value *operand, struct value *x,
                                  const struct state *state) {
  for (; x && operand->op != OP_state; operand = operand->inputs[0]) x = behind_view(graph, operand, x);
  return x ? build_expand(graph, x, state->axes, state->axis_count) : NULL;
}

/* What batches so far and this one give together. */
struct measured {
  struct value *max, *sum;
  double count;
};

static void measure(struct graph *graph, const struct statistic *statistic, const struct value *contraction, int side,
                    struct value *x, struct measured *measured) {
  struct axis *over[MAX_AXES];
  int count = 0;
  double elements = 1;
  if (x->kind != KIND_REAL) x = build_cast(graph, x, STORAGE_REAL);
  for (int i = 0; i < x->axis_count; i++)
    if (!list_has_axis(contraction->list, contraction->list_count, x->axes[i])) {
      over[count++] = x->axes[i];
      elements *= (double)x->axes[i]->extent;
    }
  const struct value *operand = contraction->inputs[side];
  struct value *max = build_unary(graph, OP_abs, x), *sum = build_binary(graph, OP_mul, x, x);
  if (count) max = build_reduce(graph, OP_reduce_max, max, over, count);
  if (count) sum = build_reduce(graph, OP_reduce_sum, sum, over, count);
  max = statistic->max ? behind_views(graph, operand, max, statistic->max) : NULL;
  sum = statistic->square ? behind_views(graph, operand, sum, statistic->square) : NULL;
  if (max) measured->max = measured->max ? build_binary(graph, OP_max, measured->max, max) : max;
  if (sum) measured->sum = measured->sum ? build_binary(graph, OP_add, measured->sum, sum) : sum;
  if (sum) measured->count += elements;
}

/* --- The pass --------------------------------------------------------------------------------------------------------------- */

static int statistic_of(const struct program *program, const struct value *operand) {
  const struct state *state = parameter_under(operand);
  for (int i = 0; state && i < program->statistics.count; i++)
    if (program->statistics.items[i]->of == state) return i;
  return -1;
}

/* The states after this batch. The first one begins anew. */
static void write(struct graph *graph, const struct statistic *statistic, const struct measured *measured,
                  struct value *step) {
  struct value *one = build_constant(graph, 1), *zero = build_constant(graph, 0),
               *first = build_binary(graph, OP_eq, step, one);
  graph->origin.span = statistic->of->span;
  if (measured->max) {
    struct value *before = build_where(graph, first, zero, build_state(graph, statistic->max));
    build_update(graph, statistic->max, build_binary(graph, OP_max, before, measured->max), NULL, NULL);
  }
  if (measured->sum) {
    struct value *before = build_where(graph, first, zero, build_state(graph, statistic->square));
    struct value *mean = build_binary(graph, OP_div, measured->sum, build_constant(graph, measured->count));
    struct value *change = build_binary(graph, OP_div, build_binary(graph, OP_sub, mean, before), step);
    build_update(graph, statistic->square, build_binary(graph, OP_add, before, change), NULL, NULL);
  }
}

void pass_calibrate(struct program *program, struct graph *graph) {
  if (graph != program->calibrate) return;
  const struct origin origin = graph->origin;
  struct rewrite rewrite = rewrite_begin(graph);
  struct measured *measured = arena_new_array(rewrite.scratch, struct measured, program->statistics.count);
  for (int i = 0; i < rewrite.count; i++) {
    struct value *old = rewrite.old[i];
    graph->origin = old->origin;
    struct value *value = rewrite_keep(&rewrite, old);
    for (int side = 0; value->op == OP_contract && side < 2; side++) {
      const int place = statistic_of(program, value->inputs[side]);
      if (place >= 0)
        measure(graph, program->statistics.items[place], value, side, value->inputs[1 - side], &measured[place]);
    }
  }
  struct value *step = rewrite_step(&rewrite);
  for (int i = 0; i < program->statistics.count; i++) write(graph, program->statistics.items[i], &measured[i], step);
  graph->origin = origin;
  rewrite_end(&rewrite);
  graph->outputs.count = 0;
  graph_sweep(graph);
}
