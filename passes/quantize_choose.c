/* Which parameters quantize changes, and how: rules of the pipeline meet what the graphs do with the parameters.

   A rule with patterns is for whatever weights they match. One without is for what a contraction reads, and for tables of lookups; and where
   it asks for 4 bits, the weights that an output is computed by (the head) and tables keep 8, with one scale a row, since most of the
   loss is theirs.

   A scale must not vary along what a contraction sums over, or it could not be multiplied with the sum. So elements share a scale
   along all axes that some contraction of some graph sums over; along all but the one of the lookup where there is no contraction. */
#include "passes/calibrate.h"
#include "passes/quantize.h"
#include "passes/weight_uses.h"

int quantized_state(const struct quantizer *quantizer, const struct value *value) {
  return weight_place(quantizer->program, value);
}

const struct quantization *quantization_under(const struct quantizer *quantizer, const struct value *value) {
  while (op_facts[value->op].class == CLASS_VIEW && value->input_count == 1) value = value->inputs[0];
  const int place = quantized_state(quantizer, value);
  return place < 0 ? NULL : &quantizer->of[place];
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
  const double *parameters = rule->parameters;
  const enum quantize_method method = (enum quantize_method)parameters[PARAMETER_quantize_method];
  const bool has_steps =
      parameters[PARAMETER_quantize_weights] == QUANTIZED_I8 || parameters[PARAMETER_quantize_weights] == QUANTIZED_I4;
  const char *why = NULL;
  if (!has_steps && (method != METHOD_NEAREST || parameters[PARAMETER_quantize_activations] != 0 ||
                     parameters[PARAMETER_quantize_group] >= 0 || parameters[PARAMETER_quantize_smooth] > 0))
    why =
        "reals of 16 bits have no steps, which group, method, smooth and activations are about; leave these out, or "
        "write i8 or i4";
  else if ((method == METHOD_HQQ || method == METHOD_TABLE) && parameters[PARAMETER_quantize_weights] != QUANTIZED_I4)
    why = "the methods hqq and table are about weights of 4 bits: write quantize(i4, ...)";
  else if (method == METHOD_TABLE && parameters[PARAMETER_quantize_activations] != 0)
    why =
        "steps of a table are uneven, and activations in steps are multiplied by even ones; take another method, or "
        "activations = real";
  if (why) report_error(quantizer->diagnostics, rule->span, "%s", why);
  return !why;
}

/* Why factors of channels cannot be had; NULL where they can. */
static const char *why_no_factors(const struct quantizer *quantizer, const struct quantization *own) {
  if (own->rule->parameters[PARAMETER_quantize_smooth] > 0 && !own->quantizes_activations)
    return "it makes activations easier to round, and this rule rounds none: give activations = i8, too";
  if (!quantizer->program->calibration)
    return "it follows from what multiplies the weights: a block 'calibrate MODEL on DATA { examples = 128 }' says by "
           "which data that is measured";
  if (own->rule->parameters[PARAMETER_quantize_train] != 0)
    return "it follows from what is measured when training has ended, and train = 1 trains with the steps that "
           "prediction reads: leave one of the two out";
  return NULL;
}

/* Whether channels have factors, as the rule asks; false after reporting that they cannot. Nothing is searched for a
   table, since the error of what is looked up is no part of what the search makes small. */
static bool choose_factors(struct quantizer *quantizer, const struct state *state, struct quantization *own,
                           const struct weight_uses *uses) {
  const double *parameters = own->rule->parameters, smooth = parameters[PARAMETER_quantize_smooth];
  const bool searches = own->method == METHOD_AWQ && smooth == 0 && !uses->looked_up;
  if (!uses->summed || (!searches && smooth == 0)) return true;
  const char *why = why_no_factors(quantizer, own);
  if (why) report_error(quantizer->diagnostics, own->rule->span, "%s: %s", searches ? "method = awq" : "smooth", why);
  if (why) return false;
  own->factored = arena_new_struct(quantizer->program->arena, struct factored);
  own->factored->smooth = smooth;
  for (int i = 0; i < quantizer->program->states.count; i++) {
    struct state *average = quantizer->program->states.items[i];
    if (average->role == ROLE_AVERAGE && average->of == state) own->average = average;
  }
  return true;
}

/* Whether the channels of two parameters are the same axes, and their factors made in the same way. */
static bool are_factored_alike(const struct quantization *x, const struct quantization *y) {
  unsigned rest = y->shared;
  for (int i = 0; i < x->state->axis_count; i++) {
    if (!(x->shared >> i & 1)) continue;
    int k = 0;
    while (k < y->state->axis_count && !(rest >> k & 1 && y->state->axes[k] == x->state->axes[i])) k++;
    if (k == y->state->axis_count) return false;
    rest &= ~(1u << k);
  }
  return !rest && x->factored->smooth == y->factored->smooth;
}

/* Parameters that multiply the same values get the factors of the first of them, for whose sake something is measured. */
static void share_factors(struct quantizer *quantizer, const struct weight_uses *uses, int count) {
  struct program *program = quantizer->program;
  for (int i = 0; i < count; i++) {
    struct quantization *own = &quantizer->of[i];
    if (!own->factored) continue;
    for (int k = weight_uses_first(uses, i); k < i; k++) {
      const struct quantization *other = &quantizer->of[k];
      if (!other->factored || weight_uses_first(uses, k) != weight_uses_first(uses, i) ||
          !are_factored_alike(other, own))
        continue;
      own->factored = other->factored;
      break;
    }
    struct factored *factored = own->factored;
    array_push(program->arena, &factored->members, own);
    if (!factored->statistic)
      factored->statistic =
          calibrate_ask(program, own->state, own->shared, factored->smooth > 0 ? MEASURE_MAX : MEASURE_SQUARE);
  }
}

static bool choose(struct quantizer *quantizer, int place, const struct weight_uses *uses) {
  const struct state *state = quantizer->program->states.items[place];
  struct quantization *own = &quantizer->of[place];
  if (state->storage == STORAGE_REAL)
    own->rule = pipeline_rule(quantizer->pipeline, PASS_quantize, state->name,
                              !is_of_adapter(state) && (uses->summed || uses->looked_up));
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
  return (keeps_bytes || choose_group(quantizer, state, own)) && check_sum(quantizer, state, own) &&
         choose_factors(quantizer, state, own, uses);
}

struct quantizer *pass_quantize_choose(struct program *program, const struct pipeline *pipeline,
                                       struct diagnostics *diagnostics) {
  struct quantizer *quantizer = arena_new_struct(program->arena, struct quantizer);
  *quantizer = (struct quantizer){.program = program, .pipeline = pipeline, .diagnostics = diagnostics};
  if (!pipeline_check_patterns(pipeline, PASS_quantize, program, diagnostics)) return NULL;
  struct weight_uses *uses = arena_new_array(program->arena, struct weight_uses, program->states.count);
  const int count = program->states.count;
  quantizer->of = arena_new_array(program->arena, struct quantization, count);
  for (int i = 0; i < count; i++) quantizer->of[i].state = program->states.items[i];
  for (int i = 0; program_graph(program, i); i++)
    if (program_uses_model(program, *program_graph(program, i)))
      weight_uses_add(program, *program_graph(program, i), uses);
  for (int i = 0; i < program->left_out.count; i++) weight_uses_add(program, program->left_out.items[i].graph, uses);
  bool good = true;
  for (int i = 0; i < pipeline->rules.count; i++)
    if (pipeline->rules.items[i].pass == PASS_quantize) {
      program->reads_few_bits = true;
      good = check_rule(quantizer, &pipeline->rules.items[i]) && good;
    }
  for (int i = 0; good && i < count; i++)
    if (is_weight(program->states.items[i])) good = choose(quantizer, i, &uses[i]);
  if (good) share_factors(quantizer, uses, count);
  return good ? quantizer : NULL;
}
