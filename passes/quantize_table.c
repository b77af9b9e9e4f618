/* Four bits by a table: each step stands for a level that need not be a multiple of anything. The levels are those of NF4 (Dettmers et al.,
   QLoRA, 2023), at which a sixteenth of what is drawn from a normal distribution lies nearest to each, within what max |w| divides into -1 .. 1.
   On a CPU a lookup among 16 levels is one shuffle. */
#include "passes/quantize.h"

enum { LEVELS = 16 };
static const double levels[LEVELS] = {-1.0,
                                      -0.6961928009986877,
                                      -0.5250730514526367,
                                      -0.39491748809814453,
                                      -0.28444138169288635,
                                      -0.18477343022823334,
                                      -0.09105003625154495,
                                      0.0,
                                      0.07958029955625534,
                                      0.16093020141124725,
                                      0.24611230194568634,
                                      0.33791524171829224,
                                      0.44070982933044434,
                                      0.5626170039176941,
                                      0.7229568362236023,
                                      1.0};

static struct value *number(struct graph *graph, double number) { return build_constant(graph, number); }

/* The levels as a value: a choice by the index along an axis. */
static struct value *level_table(struct graph *graph, struct axis *axis) {
  struct value *index = build_index(graph, axis), *table = number(graph, levels[LEVELS - 1]);
  for (int i = LEVELS - 2; i >= 0; i--) {
    struct value *is_level = build_binary(graph, OP_eq, index, build_integer(graph, i));
    table = build_where(graph, is_level, number(graph, levels[i]), table);
  }
  table->name = "levels";
  return table;
}

/* How many of the borders, halfway between two levels, lie below x. */
static struct value *nearest_level(struct graph *graph, struct value *x) {
  struct value *steps = NULL, *one = build_integer(graph, 1), *none = build_integer(graph, 0);
  for (int i = 0; i + 1 < LEVELS; i++) {
    struct value *border = number(graph, (levels[i] + levels[i + 1]) / 2);
    struct value *passed = build_where(graph, build_binary(graph, OP_lt, border, x), one, none);
    steps = steps ? build_binary(graph, OP_add, steps, passed) : passed;
  }
  return steps;
}

void quantize_by_table(struct graph *graph, struct value *x, struct axis *const *over, int count, struct parts *parts) {
  struct value *most = build_reduce(graph, OP_reduce_max, build_unary(graph, OP_abs, x), over, count);
  struct value *is_zero = build_binary(graph, OP_eq, most, number(graph, 0));
  parts->scale = build_where(graph, is_zero, number(graph, 1), most);
  struct axis *axis = axis_new(graph, "level", LEVELS, graph->origin.span);
  parts->levels = level_table(graph, axis);
  parts->steps = nearest_level(graph, build_binary(graph, OP_div, x, parts->scale));
  parts->steps->range = axis;
}
