/* Which parameters quantize changes, and how: rules of the pipeline meet what the graphs do with the parameters.

   A rule with patterns is for whatever weights they match. One without is for what a contraction reads, and for tables of lookups; and where
   it asks for 4 bits, the weights that an output is computed by (the head) and tables keep 8, with one scale a row, since most of the
   loss is theirs.

   A scale must not vary along what a contraction sums over, or it could not be multiplied with the sum. So elements share a scale
   along all axes that some contraction of some graph sums over; along all but the one of the lookup where there is no contraction. */
#include "passes/quantize.h"
#include "passes/weight_uses.h"

/* All graphs of the model but those that train. */
static bool is_quantized_graph(const struct program *program, const struct graph *graph) {
  return graph && graph != program->train && graph != program->accumulate && graph != program->synthesize &&
         graph != program->derive && graph != program->prune;
}

int quantized_state(const struct quantizer *quantizer, const struct value *value) {
  return weight_place(quantizer->program, value);
}

static unsigned all_axes(const struct state *state) { return (1u << state->axis_count) - 1; }

/* The group that the rule asks for; false after reporting that it does not fit. */
static bool choose_group(struct quantizer *quantizer, const struct state *state, struct quantization *own) {
  const int64_t wanted = (int64_t)own->rule->parameters[PARAMETER_quantize_group];
  const int last = weight_last_axis(own->shared);
  if (wanted == 0 || last < 0 || (wanted < 0 && own->weights != QUANTIZED_I4)) return true;
  const struct axis *axis = state->axes[last];
  const int64_t group = wanted < 0 ? 32 : wanted;
  if (wanted < 0 && (axis->extent % group != 0 || axis->extent <= group)) return true;
  if (axis->extent % group != 0) {
    report_error(quantizer->diagnostics, own->rule->span,
                 "groups of %lld do not divide the %lld elements of axis %s of parameter %s; take a group that does, "
                 "0 for one scale a row, or patterns that leave the parameter out",
                 (long long)group, (long long)axis->extent, axis->name, state->name);
    return false;
  }
  own->group = group == axis->extent ? 0 : group;
  return true;
}

/* Sums of products of bytes stay below 2^31 up to this many. */
static bool check_sum(struct quantizer *quantizer, const struct state *state, const struct quantization *own) {
  int64_t count = 1;
  for (int i = 0; i < state->axis_count; i++)
    if (own->shared >> i & 1)
      count *= i == weight_last_axis(own->shared) && own->group ? own->group : state->axes[i]->extent;
  const int64_t most = ((int64_t)1 << 31) / (127 * (own->weights == QUANTIZED_I4 ? 8 : 127));
  if (!own->quantizes_activations || count < most) return true;
  report_error(quantizer->diagnostics, own->rule->span,
               "sums over %lld products of steps do not fit in 32 bits, as parameter %s asks for; quantize its weights "
               "alone, or take groups",
               (long long)count, state->name);
  return false;
}

/* Whether the method that a rule asks for goes with what else it asks for. */
static bool check_rule(struct quantizer *quantizer, const struct pass_rule *rule) {
  const enum quantize_method method = (enum quantize_method)rule->parameters[PARAMETER_quantize_method];
  const char *why = NULL;
  if ((method == METHOD_HQQ || method == METHOD_TABLE) && rule->parameters[PARAMETER_quantize_weights] != QUANTIZED_I4)
    why = "the methods hqq and table are about weights of 4 bits: write quantize(i4, ...)";
  else if (method == METHOD_TABLE && rule->parameters[PARAMETER_quantize_activations] != 0)
    why =
        "steps of a table are uneven, and activations in steps are multiplied by even ones; take another method, or "
        "activations = real";
  if (why) report_error(quantizer->diagnostics, rule->span, "%s", why);
  return !why;
}

static bool choose(struct quantizer *quantizer, int place, const struct weight_uses *uses) {
  const struct state *state = quantizer->program->states.items[place];
  struct quantization *own = &quantizer->of[place];
  if (state->storage == STORAGE_REAL)
    own->rule = pipeline_rule(quantizer->pipeline, PASS_quantize, state->name, uses->summed || uses->looked_up);
  if (!own->rule) return true;
  own->weights = (enum quantized)own->rule->parameters[PARAMETER_quantize_weights];
  own->method = (enum quantize_method)own->rule->parameters[PARAMETER_quantize_method];
  own->quantizes_activations = own->rule->parameters[PARAMETER_quantize_activations] != 0;
  if (own->weights == QUANTIZED_BF16 || own->weights == QUANTIZED_F16) return true;
  const bool is_table = uses->looked_up != 0;
  const bool keeps_bytes = !own->rule->patterns.count && (uses->is_head || is_table);
  if (keeps_bytes) own->weights = QUANTIZED_I8, own->method = METHOD_NEAREST;
  own->shared = uses->summed ? uses->summed : all_axes(state) & ~uses->looked_up;
  if (!own->shared) own->shared = all_axes(state);
  return (keeps_bytes || choose_group(quantizer, state, own)) && check_sum(quantizer, state, own);
}

struct quantizer *pass_quantize_choose(struct program *program, const struct pipeline *pipeline,
                                       struct diagnostics *diagnostics) {
  struct quantizer *quantizer = arena_new_struct(program->arena, struct quantizer);
  *quantizer = (struct quantizer){.program = program, .pipeline = pipeline, .diagnostics = diagnostics};
  if (!pipeline_check_patterns(pipeline, PASS_quantize, program, diagnostics)) return NULL;
  struct weight_uses *uses = arena_new_array(program->arena, struct weight_uses, program->states.count);
  quantizer->of = arena_new_array(program->arena, struct quantization, program->states.count);
  for (int i = 0; program_graph(program, i); i++)
    if (is_quantized_graph(program, *program_graph(program, i)))
      weight_uses_add(program, *program_graph(program, i), uses);
  for (int i = 0; i < program->left_out.count; i++) weight_uses_add(program, program->left_out.items[i], uses);
  bool good = true;
  for (int i = 0; i < pipeline->rules.count; i++)
    if (pipeline->rules.items[i].pass == PASS_quantize) good = check_rule(quantizer, &pipeline->rules.items[i]) && good;
  for (int i = 0; good && i < program->states.count; i++)
    if (is_weight(program->states.items[i])) good = choose(quantizer, i, &uses[i]);
  return good ? quantizer : NULL;
}
