/* Checks how much a program would have to hold. No value, input, result or state may have more elements or axes than
   are supported, and all states, inputs and results together must fit too. Whole graphs are checked, before anything is
   laid out, so that no value is missed. */
#include "frontend/lower.h"

static const double LARGEST_TOTAL = 0x1p44;

double element_count(struct axis *const *axes, int count) {
  double product = 1;
  for (int i = 0; i < count; i++) product *= (double)axes[i]->extent;
  return product;
}

static const char *title(struct lowering *lowering, const char *what, const char *name) {
  return name ? arena_format(lowering->arena, "%s '%s'", what, name) : "this";
}

static bool check(struct lowering *lowering, const char *what, struct axis *const *axes, int count, struct span span,
                  bool is_held) {
  const double size = element_count(axes, count);
  if (size > LARGEST_COUNT)
    report_error(lowering->diagnostics, span, "%s has %.4g elements (%s), and more than 2^40 are not supported", what,
                 size, list_text(lowering, axes, count));
  else if (is_held && count > MAX_RANK)
    report_error(lowering->diagnostics, span,
                 "%s has %d axes (%s), and what a program takes, gives or keeps has at most %d", what, count,
                 list_text(lowering, axes, count), MAX_RANK);
  else
    return true;
  return false;
}

bool check_storage(struct lowering *lowering, const struct graph *graph) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    const struct state *state = value->state;
    if (state &&
        !check(lowering, title(lowering, "state", state->name), state->axes, state->axis_count, state->span, true))
      return false;
    const bool input = value->op == OP_input;
    const char *what = title(lowering, input ? "input" : "value", value->name);
    if (!check(lowering, what, value->axes, value->axis_count, value->origin.span, input)) return false;
  }
  for (int i = 0; i < graph->outputs.count; i++) {
    const struct output *output = &graph->outputs.items[i];
    const struct value *value = output->value;
    if (value && !check(lowering, title(lowering, "result", output->name), value->axes, value->axis_count,
                        value->origin.span, true))
      return false;
  }
  return true;
}

void check_total_storage(struct lowering *lowering) {
  struct program *program = lowering->program;
  double total = 0, largest = 0;
  struct span span = {0};
  for (int i = 0; i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    const double size = element_count(state->axes, state->axis_count);
    total += size;
    if (size > largest) largest = size, span = state->span;
  }
  for (int number = 0; program_graph(program, number); number++) {
    const struct graph *graph = *program_graph(program, number);
    for (int i = 0; graph && i < graph->values.count + graph->outputs.count; i++) {
      const bool output = i >= graph->values.count;
      const struct value *value = output ? graph->outputs.items[i - graph->values.count].value : graph->values.items[i];
      if (!output && value->op != OP_input) continue;
      const double size = element_count(value->axes, value->axis_count);
      total += size;
      if (size > largest) largest = size, span = value->origin.span;
    }
  }
  if (total > LARGEST_TOTAL)
    report_error(lowering->diagnostics, span,
                 "the program's inputs, results and states have %.4g elements together, and more than 2^44 fit no "
                 "address space; "
                 "this is the largest",
                 total);
}
