/* Which parameters prune takes, and how: rules of the pipeline meet what the graphs do with the parameters.

   Biases and gains, which have one axis, stay whole whatever a pattern matches: they are few, and biases often begin as zeros, which
   would stay zeros. A rule without patterns is for what some contraction reads. */
#include "passes/prune.h"

#include "passes/calibrate.h"
#include "passes/weight_uses.h"

const struct pruned *pruned_state(const struct pruner *pruner, const struct state *state) {
  const struct program *program = pruner->program;
  const struct state *parameter = state->role == ROLE_AVERAGE ? state->of : state;
  for (int i = 0; parameter && i < program->states.count; i++)
    if (program->states.items[i] == parameter) return pruner->of[i].rule ? &pruner->of[i] : NULL;
  return NULL;
}

/* Whether the rule makes sense by itself. */
static bool check_rule(struct pruner *pruner, const struct pass_rule *rule) {
  const double *parameters = rule->parameters;
  const int64_t n = (int64_t)parameters[PARAMETER_prune_n], m = (int64_t)parameters[PARAMETER_prune_m];
  const int64_t begin = (int64_t)parameters[PARAMETER_prune_begin], end = (int64_t)parameters[PARAMETER_prune_end];
  const bool groups = parameters[PARAMETER_prune_method] == PRUNE_NM,
             measures = parameters[PARAMETER_prune_method] == PRUNE_WANDA;
  if (groups && n > m)
    report_error(
        pruner->diagnostics, rule->span,
        "%lld of every %lld weights cannot stay: n is how many stay, and m of how many, as in prune(nm, n = 2, "
        "m = 4)",
        (long long)n, (long long)m);
  else if (groups && end)
    report_error(
        pruner->diagnostics, rule->span,
        "nm prunes at once, when step %lld begins, and has no end; prune(l1, begin = ..., end = ...) prunes by "
        "and by",
        (long long)begin);
  else if (measures && end)
    report_error(
        pruner->diagnostics, rule->span,
        "wanda prunes by what is measured when training has ended, and has no end; prune(l1, begin = ..., end = ...) "
        "prunes by and by");
  else if (measures && !pruner->program->calibration)
    report_error(
        pruner->diagnostics, rule->span,
        "wanda follows from what multiplies the weights: a block 'calibrate MODEL on DATA { examples = 128 }' says by "
        "which data that is measured");
  else if (end && end < begin)
    report_error(pruner->diagnostics, rule->span,
                 "it would end, at step %lld, before it begins, at step %lld; end = 0 prunes at once", (long long)end,
                 (long long)begin);
  else
    return true;
  return false;
}

static bool choose_groups(struct pruner *pruner, const struct state *state, const struct weight_uses *uses,
                          struct pruned *own) {
  const int last = weight_last_axis(uses->summed);
  const int64_t m = (int64_t)own->rule->parameters[PARAMETER_prune_m];
  if (last < 0) {
    report_error(pruner->diagnostics, own->rule->span,
                 "nm takes groups along the axis that a contraction sums over, and none reads parameter %s; take "
                 "patterns that leave it out",
                 state->name);
    return false;
  }
  own->along = state->axes[last];
  if (own->along->extent % m == 0) return true;
  report_error(pruner->diagnostics, own->rule->span,
               "groups of %lld do not divide the %lld elements of axis %s of parameter %s; take an m that does, or "
               "patterns that leave the parameter out",
               (long long)m, (long long)own->along->extent, own->along->name, state->name);
  return false;
}

static bool choose_statistic(struct pruner *pruner, const struct state *state, const struct weight_uses *uses,
                             struct pruned *own) {
  if (!uses->summed) {
    report_error(
        pruner->diagnostics, own->rule->span,
        "wanda goes by what a contraction multiplies the weights by, and none reads parameter %s; take patterns "
        "that leave it out",
        state->name);
    return false;
  }
  own->statistic = calibrate_ask(pruner->program, state, uses->summed, MEASURE_SQUARE);
  return true;
}

/* `model`: what the graphs of the model as it is used do with the parameter. */
static bool choose(struct pruner *pruner, int place, const struct weight_uses *uses, const struct weight_uses *model) {
  const struct state *state = pruner->program->states.items[place];
  struct pruned *own = &pruner->of[place];
  own->rule = pipeline_rule(pruner->pipeline, PASS_prune, state->name, uses->summed != 0);
  if (!own->rule) return true;
  switch ((enum prune_method)own->rule->parameters[PARAMETER_prune_method]) {
    case PRUNE_NM:
      return choose_groups(pruner, state, uses, own);
    case PRUNE_WANDA:
      return choose_statistic(pruner, state, model, own);
    case PRUNE_L1:
      break;
  }
  return true;
}

/* A rule without patterns must find something to prune. */
static bool check_found(struct pruner *pruner, const struct pass_rule *rule, const struct weight_uses *uses) {
  if (rule->patterns.count) return true;
  for (int i = 0; i < pruner->program->states.count; i++)
    if (is_weight(pruner->program->states.items[i]) && uses[i].summed) return true;
  report_error(pruner->diagnostics, rule->span,
               "no contraction reads a parameter of two or more axes; patterns say what to prune, as in prune(l1, 0.5, "
               "\"*.weight\")");
  return false;
}

bool prune_choose(struct pruner *pruner) {
  struct program *program = pruner->program;
  const struct pipeline *pipeline = pruner->pipeline;
  const int count = program->states.count; /* what is asked for adds states */
  struct weight_uses *uses = arena_new_array(program->arena, struct weight_uses, count),
                     *model = arena_new_array(program->arena, struct weight_uses, count);
  pruner->of = arena_new_array(program->arena, struct pruned, count);
  for (int i = 0; program_graph(program, i); i++) {
    const struct graph *graph = *program_graph(program, i);
    if (graph) weight_uses_add(program, graph, uses);
    if (program_uses_model(program, graph)) weight_uses_add(program, graph, model);
  }
  for (int i = 0; i < program->left_out.count; i++) {
    weight_uses_add(program, program->left_out.items[i].graph, uses);
    weight_uses_add(program, program->left_out.items[i].graph, model);
  }
  bool good = pipeline_check_patterns(pipeline, PASS_prune, program, pruner->diagnostics);
  for (int i = 0; i < pipeline->rules.count; i++) {
    const struct pass_rule *rule = &pipeline->rules.items[i];
    if (rule->pass == PASS_prune) good = check_rule(pruner, rule) && check_found(pruner, rule, uses) && good;
  }
  if (!good) return false;
  for (int i = 0; i < count; i++)
    if (is_weight(program->states.items[i])) good = choose(pruner, i, &uses[i], &model[i]) && good;
  return good;
}
