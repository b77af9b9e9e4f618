/* Which parameters get adapters: rules of the pipeline meet what the training graph does with the parameters.

   A rule with patterns is for all parameters of two or more axes that they match. One without is for what a contraction reads, but for
   tables of lookups, the weights that a result is computed by (the head), and parameters that are no larger than the rank.

   Factor a has the axes that contractions sum over, b the others, and both have those that a contraction keeps of both operands, such as
   the axis of experts: each expert has an adapter of its own. A begins as torch.nn.Linear and PEFT draw it (Kaiming, uniform, a =
   sqrt(5)): between +-1 / sqrt(n), where n is the number of elements summed over; b begins as 0. So training begins from the base. For
   a table of lookups a has the axis looked up and is 0, and b is normal, as in PEFT's embeddings.

   Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021. */
#include <math.h>

#include "passes/lora.h"
#include "passes/weight_uses.h"

struct chooser {
  struct program *program;
  const struct pipeline *pipeline;
  struct graph *graph;
  struct diagnostics *diagnostics;
};

/* How the axes of a parameter are shared out; a bit for each. */
struct factors {
  unsigned a, b;
  bool is_table;
};

static unsigned all_axes(const struct state *state) { return (1u << state->axis_count) - 1; }

static struct factors share_axes(const struct state *state, const struct weight_uses *uses) {
  const unsigned all = all_axes(state), summed = uses->summed | uses->summed_after_lookup;
  const unsigned both = uses->batched & all & ~summed;
  struct factors factors = {.is_table = !summed && uses->looked_up};
  factors.a = (summed ? summed : uses->looked_up) & all;
  unsigned rest = all & ~factors.a & ~both;
  for (int i = state->axis_count - 1; !rest && factors.a && i >= 0; i--)
    if (factors.a >> i & 1) rest = 1u << i; /* the last axis of a */
  factors.a &= ~rest;
  factors.b = rest | both;
  if (factors.a) {
    factors.a |= both;
    return factors;
  }
  return (struct factors){1, all & ~1u, false};
}

static int64_t extent_of(const struct state *state, unsigned axes) {
  int64_t extent = 1;
  for (int i = 0; i < state->axis_count; i++)
    if (axes >> i & 1) extent *= state->axes[i]->extent;
  return extent;
}

/* The rank at which the product could be any matrix; for each element of the axes that both factors have. */
static int64_t most_rank(const struct state *state, struct factors factors) {
  const int64_t a = extent_of(state, factors.a & ~factors.b), b = extent_of(state, factors.b & ~factors.a);
  return a < b ? a : b;
}

static struct state *part_new(struct chooser *chooser, struct adapter *adapter, const char *name, unsigned axes) {
  struct arena *arena = chooser->program->arena;
  struct state *of = adapter->of, *state = arena_new_struct(arena, struct state);
  *state = (struct state){.name = arena_format(arena, "%s/%s", of->name, name),
                          .role = ROLE_PARAMETER,
                          .kind = KIND_REAL,
                          .axes = arena_new_array(arena, struct axis *, of->axis_count + 1),
                          .adapter = adapter,
                          .span = of->span};
  state->stream = hash_path(state->name);
  for (int i = 0; i < of->axis_count; i++)
    if (axes >> i & 1) state->axes[state->axis_count++] = of->axes[i];
  array_push(arena, &chooser->program->states, state);
  return state;
}

static void adapt(struct chooser *chooser, struct state *of, const struct pass_rule *rule, struct factors factors) {
  struct arena *arena = chooser->program->arena;
  struct adapter *adapter = arena_new_struct(arena, struct adapter);
  *adapter = (struct adapter){.of = of, .merges = rule->parameters[PARAMETER_lora_merge] != 0};
  adapter->rank = axis_new(chooser->graph, "rank", (int64_t)rule->parameters[PARAMETER_lora_rank], of->span);
  struct state *a = adapter->a = part_new(chooser, adapter, "lora_A", factors.a);
  a->axes[a->axis_count++] = adapter->rank;
  struct state *b = adapter->b = part_new(chooser, adapter, "lora_B", factors.b);
  for (int i = b->axis_count++; i > 0; i--) b->axes[i] = b->axes[i - 1];
  b->axes[0] = adapter->rank;
  adapter->alpha = part_new(chooser, adapter, "lora_alpha", 0);
  adapter->alpha->low = rule->parameters[PARAMETER_lora_alpha];
  if (factors.is_table) {
    b->initial = INITIAL_NORMAL;
    b->high = 1;
  } else {
    a->initial = INITIAL_UNIFORM;
    a->high = 1 / sqrt((double)extent_of(of, factors.a & ~factors.b));
    a->low = -a->high;
  }
  of->adapter = adapter;
  array_push(arena, &chooser->program->adapters, adapter);
}

static bool choose(struct chooser *chooser, struct state *state, const struct weight_uses *uses) {
  const struct factors factors = share_axes(state, uses);
  const bool is_usual =
      (uses->summed || uses->summed_after_lookup) && !(uses->looked_up & ~uses->batched) && !uses->is_head;
  const struct pass_rule *rule = pipeline_rule(chooser->pipeline, PASS_lora, state->name, is_usual);
  if (!rule) return true;
  const int64_t rank = (int64_t)rule->parameters[PARAMETER_lora_rank], most = most_rank(state, factors);
  if (!rule->patterns.count && rank >= most) return true;
  if (rank > most || state->axis_count == MAX_RANK) {
    report_error(chooser->diagnostics, rule->span,
                 rank > most
                     ? "rank %lld is larger than that of parameter %s, which is at most %lld: take a lower one, or "
                       "patterns that leave the parameter out"
                     : "with rank %lld a factor of parameter %s would have more than %lld axes: take patterns "
                       "that leave the parameter out",
                 (long long)rank, state->name, rank > most ? (long long)most : (long long)MAX_RANK);
    return false;
  }
  adapt(chooser, state, rule, factors);
  return true;
}

static const struct pass_rule *first_rule(const struct pipeline *pipeline) {
  for (int i = 0; i < pipeline->rules.count; i++)
    if (pipeline->rules.items[i].pass == PASS_lora) return &pipeline->rules.items[i];
  bug("lora is on without a rule");
}

bool choose_adapters(struct program *program, const struct pipeline *pipeline, const struct forward_graph *forward,
                     struct diagnostics *diagnostics) {
  struct chooser chooser = {program, pipeline, forward->graph, diagnostics};
  if (!forward->trains) {
    report_error(diagnostics, first_rule(pipeline)->span,
                 "lora adds what is trained, and this spec has no train block: leave it out; the option --lora of a "
                 "program's verbs adds adapters that are trained to the weights");
    return false;
  }
  if (!pipeline_check_patterns(pipeline, PASS_lora, program, diagnostics)) return false;
  const int count = program->states.count;
  struct weight_uses *uses = arena_new_array(program->arena, struct weight_uses, count);
  weight_uses_of(program, forward->graph, forward->results, forward->result_count, uses);
  bool good = true;
  for (int i = 0; i < count; i++)
    if (is_weight(program->states.items[i])) good = choose(&chooser, program->states.items[i], &uses[i]) && good;
  if (good && !program->adapters.count) {
    report_error(
        diagnostics, first_rule(pipeline)->span,
        "no parameter is left to adapt: without patterns lora takes parameters that a contraction reads, but for "
        "tables, those that are no larger than the rank, and those that a result is computed by; patterns name "
        "others");
    good = false;
  }
  return good;
}
