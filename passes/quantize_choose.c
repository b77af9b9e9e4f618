/* Which parameters quantize changes, and how: rules of the pipeline meet what the graphs do with the parameters.

   A rule with patterns is for whatever they match. One without is for what a contraction reads, and for tables of lookups; and where
   it asks for 4 bits, the weights that an output is computed by (the head) and tables keep 8, with one scale a row, since most of the
   loss is theirs.

   A scale must not vary along what a contraction sums over, or it could not be multiplied with the sum. So elements share a scale
   along all axes that some contraction of some graph sums over; along all but the one of the lookup where there is no contraction. */
#include <string.h>

#include "passes/calibrate.h"
#include "passes/quantize.h"

/* What a value is made of, as far as views go. */
struct origin_of {
  int state; /* 1 + the place of the parameter that it is a view of; 0: it is none */
  unsigned axes[MAX_AXES]; /* for each axis of the value: the axes of the parameter that it runs along */
};

/* What all graphs do with a parameter. */
struct uses {
  unsigned summed, looked_up; /* axes of the state */
  bool is_head;
  int same; /* the place of a parameter that multiplies the same values, or its own */
};

int quantized_state(const struct quantizer *quantizer, const struct value *value) {
  if (value->op != OP_state || value->kind != KIND_REAL) return -1;
  const struct state *state = value->state->role == ROLE_AVERAGE ? value->state->of : value->state;
  if (!state || state->role != ROLE_PARAMETER) return -1;
  for (int i = 0; i < quantizer->program->states.count; i++)
    if (quantizer->program->states.items[i] == state) return i;
  return -1;
}

const struct quantization *quantization_under(const struct quantizer *quantizer, const struct value *value) {
  while (op_facts[value->op].class == CLASS_VIEW && value->input_count == 1) value = value->inputs[0];
  const int place = quantized_state(quantizer, value);
  return place < 0 ? NULL : &quantizer->of[place];
}

static unsigned axes_along(const struct origin_of *origin, const struct value *value, const struct axis *axis) {
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] == axis) return origin->axes[i];
  return 0;
}

/* The axes of the parameter that an axis of the view runs along. */
static unsigned axes_of_view(const struct value *view, const struct axis *axis, const struct origin_of *from) {
  const struct value *x = view->inputs[0];
  if (value_has_axis(x, axis) && axis != view->result) return axes_along(from, x, axis);
  unsigned axes = 0;
  switch ((int)view->op) {
    case OP_rename:
    case OP_slice:
    case OP_pad:
    case OP_split:
      return axes_along(from, x, view->axis);
    case OP_merge:
      for (int i = 0; i < view->list_count; i++) axes |= axes_along(from, x, view->list[i]);
      return axes;
    default:
      return 0;
  }
}

static int first_of(const struct uses *uses, int place) {
  while (uses[place].same != place) place = uses[place].same;
  return place;
}

/* Notes that the contraction's parameter multiplies the same values as others do. `readers`: by the id of a value, 1 + the place of a
   parameter that multiplies it. */
static void look_at_partner(const struct value *contraction, const struct origin_of *origins, int *readers,
                            struct uses *uses) {
  for (int j = 0; j < 2; j++) {
    const int x = contraction->inputs[1 - j]->id, place = origins[contraction->inputs[j]->id].state - 1;
    if (place < 0 || origins[x].state) continue;
    if (!readers[x]) readers[x] = place + 1;
    const int one = first_of(uses, place), other = first_of(uses, readers[x] - 1);
    uses[one > other ? one : other].same = one > other ? other : one;
  }
}

static void look_at_use(const struct value *user, const struct origin_of *origins, struct uses *uses) {
  for (int j = 0; j < user->input_count; j++) {
    const struct value *x = user->inputs[j];
    const struct origin_of *origin = &origins[x->id];
    if (!origin->state) continue;
    struct uses *own = &uses[origin->state - 1];
    for (int i = 0; user->op == OP_contract && i < user->list_count; i++)
      own->summed |= axes_along(origin, x, user->list[i]);
    if (user->op == OP_gather && j == 0) own->looked_up |= axes_along(origin, x, user->axis);
  }
}

/* Marks the parameters of the contractions that come last on the way to some output. */
static void find_heads(const struct graph *graph, const struct origin_of *origins, bool *reached, struct uses *uses) {
  for (int i = 0; i < graph->outputs.count; i++) reached[graph->outputs.items[i].value->id] = true;
  for (int i = graph->values.count - 1; i >= 0; i--) {
    const struct value *value = graph->values.items[i];
    for (int j = 0; reached[value->id] && j < value->input_count; j++) {
      const struct origin_of *origin = &origins[value->inputs[j]->id];
      if (value->op != OP_contract)
        reached[value->inputs[j]->id] = true;
      else if (origin->state)
        uses[origin->state - 1].is_head = true;
    }
  }
}

static void look_at_graph(const struct quantizer *quantizer, const struct graph *graph, struct uses *uses) {
  struct arena *scratch = arena_new();
  struct origin_of *origins = arena_new_array(scratch, struct origin_of, graph->next_value);
  int *readers = arena_new_array(scratch, int, graph->next_value);
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    struct origin_of *own = &origins[value->id];
    look_at_use(value, origins, uses);
    if (value->op == OP_contract) look_at_partner(value, origins, readers, uses);
    own->state = quantized_state(quantizer, value) + 1;
    for (int k = 0; own->state && k < value->axis_count; k++) own->axes[k] = 1u << k;
    if (op_facts[value->op].class != CLASS_VIEW || value->op == OP_concat || !origins[value->inputs[0]->id].state)
      continue;
    own->state = origins[value->inputs[0]->id].state;
    for (int k = 0; k < value->axis_count; k++)
      own->axes[k] = axes_of_view(value, value->axes[k], &origins[value->inputs[0]->id]);
  }
  find_heads(graph, origins, arena_new_array(scratch, bool, graph->next_value), uses);
  arena_free(scratch);
}

static int last_axis(unsigned axes) {
  int last = -1;
  for (int i = 0; i < MAX_RANK; i++)
    if (axes >> i & 1) last = i;
  return last;
}

static unsigned all_axes(const struct state *state) { return (1u << state->axis_count) - 1; }

/* The group that the rule asks for; false after reporting that it does not fit. */
static bool choose_group(struct quantizer *quantizer, const struct state *state, struct quantization *own) {
  const int64_t wanted = (int64_t)own->rule->parameters[PARAMETER_quantize_group];
  const int last = last_axis(own->shared);
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
    if (own->shared >> i & 1) count *= i == last_axis(own->shared) && own->group ? own->group : state->axes[i]->extent;
  const int64_t most = ((int64_t)1 << 31) / (127 * (own->weights == QUANTIZED_I4 ? 8 : 127));
  if (!own->quantizes_activations || count < most) return true;
  report_error(quantizer->diagnostics, own->rule->span,
               "sums over %lld products of steps do not fit in 32 bits, as parameter %s asks for; quantize its weights "
               "alone, or take groups",
               (long long)count, state->name);
  return false;
}

/* Why factors of channels cannot be had; NULL where they can. */
static const char *why_no_factors(const struct quantizer *quantizer, const struct quantization *own) {
  if (own->rule->parameters[PARAMETER_quantize_smooth] > 0 && !own->quantizes_activations)
    return "it makes activations easier to round, and this rule rounds none: give activations = i8, too";
  if (!quantizer->program->calibration)
    return "it follows from what multiplies the weights: a block 'calibrate MODEL on DATA { examples = 128 }' says by "
           "which "
           "data that is measured";
  if (own->rule->parameters[PARAMETER_quantize_train] != 0)
    return "it follows from what is measured when training has ended, and train = 1 trains with the steps that "
           "prediction "
           "reads: leave one of the two out";
  return NULL;
}

/* Whether channels have factors, as the rule asks; false after reporting, once for a rule, that they cannot. Nothing is searched for a
   table, since the error of what is looked up is no part of what the search makes small, nor where a rule for 4 bits leaves 8. */
static bool choose_factors(struct quantizer *quantizer, const struct state *state, struct quantization *own,
                           const struct uses *uses, bool keeps_bytes) {
  const double *parameters = own->rule->parameters, smooth = parameters[PARAMETER_quantize_smooth];
  const bool searches =
      parameters[PARAMETER_quantize_method] == METHOD_AWQ && smooth == 0 && !uses->looked_up && !keeps_bytes;
  if (!uses->summed || (!searches && smooth == 0)) return true;
  const char *why = why_no_factors(quantizer, own);
  if (why && quantizer->told != own->rule)
    report_error(quantizer->diagnostics, own->rule->span, "%s: %s", searches ? "method = awq" : "smooth", why);
  if (why) quantizer->told = own->rule;
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
static void share_factors(struct quantizer *quantizer, const struct uses *uses, int count) {
  struct program *program = quantizer->program;
  for (int i = 0; i < count; i++) {
    struct quantization *own = &quantizer->of[i];
    if (!own->factored) continue;
    for (int k = first_of(uses, i); k < i; k++) {
      const struct quantization *other = &quantizer->of[k];
      if (!other->factored || first_of(uses, k) != first_of(uses, i) || !are_factored_alike(other, own)) continue;
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

static bool choose(struct quantizer *quantizer, int place, const struct uses *uses) {
  const struct state *state = quantizer->program->states.items[place];
  struct quantization *own = &quantizer->of[place];
  const bool usual = state->axis_count >= 2 && (uses->summed || uses->looked_up);
  own->rule = pipeline_rule(quantizer->pipeline, PASS_quantize, state->name, usual);
  if (!own->rule || state->axis_count == 0 || state->storage != STORAGE_REAL) {
    own->rule = NULL;
    return true;
  }
  own->weights = (enum quantized)own->rule->parameters[PARAMETER_quantize_weights];
  if (own->weights == QUANTIZED_BF16 || own->weights == QUANTIZED_F16) return true;
  const bool is_table = uses->looked_up != 0;
  const bool keeps_bytes = !own->rule->patterns.count && (uses->is_head || is_table);
  if (keeps_bytes) own->weights = QUANTIZED_I8;
  own->quantizes_activations = own->rule->parameters[PARAMETER_quantize_activations] != 0;
  own->shared = uses->summed ? uses->summed : all_axes(state) & ~uses->looked_up;
  if (!own->shared) own->shared = all_axes(state);
  return (keeps_bytes || choose_group(quantizer, state, own)) && check_sum(quantizer, state, own) &&
         choose_factors(quantizer, state, own, uses, keeps_bytes);
}

struct quantizer *pass_quantize_choose(struct program *program, const struct pipeline *pipeline,
                                       struct diagnostics *diagnostics) {
  struct quantizer *quantizer = arena_new_struct(program->arena, struct quantizer);
  *quantizer = (struct quantizer){.program = program, .pipeline = pipeline, .diagnostics = diagnostics};
  if (!pipeline_check_patterns(pipeline, PASS_quantize, program, diagnostics)) return NULL;
  const int count = program->states.count;
  struct uses *uses = arena_new_array(program->arena, struct uses, count);
  quantizer->of = arena_new_array(program->arena, struct quantization, count);
  for (int i = 0; i < count; i++) quantizer->of[i].state = program->states.items[i], uses[i].same = i;
  for (int i = 0; program_graph(program, i); i++)
    if (program_uses_model(program, *program_graph(program, i)))
      look_at_graph(quantizer, *program_graph(program, i), uses);
  for (int i = 0; i < program->left_out.count; i++) look_at_graph(quantizer, program->left_out.items[i], uses);
  bool good = true;
  for (int i = 0; i < count; i++)
    if (program->states.items[i]->role == ROLE_PARAMETER && program->states.items[i]->kind == KIND_REAL)
      good = choose(quantizer, i, &uses[i]) && good;
  share_factors(quantizer, uses, count);
  return good ? quantizer : NULL;
}
