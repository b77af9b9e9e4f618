/* What rules make of the weights, once more as reals, apart from the graphs that read them. Contractions give the same with these as
   with steps and scales, but for rounding: so one program tells what every rule would do to its results. */
#include "passes/quantize.h"
#include "passes/passes.h"

/* The state that evaluation reads for a parameter: itself, or its average. */
static struct state *state_read(const struct quantizer *quantizer, int place) {
  const struct graph *graph = quantizer->program->evaluate;
  for (int i = 0; graph && i < graph->values.count; i++)
    if (quantized_state(quantizer, graph->values.items[i]) == place) return graph->values.items[i]->state;
  return quantizer->program->states.items[place];
}

static double bytes_of(const struct parts *parts, const struct quantization *how) {
  static const double bits[] = {[QUANTIZED_I8] = 8, [QUANTIZED_I4] = 4, [QUANTIZED_BF16] = 16, [QUANTIZED_F16] = 16};
  const struct value *reals[] = {parts->scale, parts->offset, parts->levels};
  double bytes = (double)value_count(parts->steps) * bits[how->weights] / 8;
  for (int i = 0; i < 3; i++)
    if (reals[i]) bytes += 4.0 * (double)value_count(reals[i]);
  return bytes;
}

bool quantized_weights(struct program *program, const struct pipeline *pipeline, struct diagnostics *diagnostics,
                       struct quantized_weights *weights) {
  const struct quantizer *quantizer = pass_quantize_choose(program, pipeline, diagnostics);
  *weights = (struct quantized_weights){0};
  if (!quantizer) return false;
  weights->graph = graph_new(program->arena, "quantized", &program->next_axis);
  for (int i = 0; i < program->states.count; i++) {
    const struct quantization *how = &quantizer->of[i];
    if (!how->rule) continue;
    struct state *state = state_read(quantizer, i);
    struct parts *parts = quantized_parts(weights->graph, program->arena, build_state(weights->graph, state), how);
    graph_add_ordered_output(weights->graph, state->name, quantized_wide(weights->graph, parts), state->axes);
    struct quantized_weight weight = {program->states.items[i], state, bytes_of(parts, how)};
    array_push(program->arena, &weights->items, weight);
  }
  return true;
}
