/* Weights that become zero and stay zero. The graph prune, which no other graph is needed for, chooses which weights of each parameter
   stay, writes zeros in place of the others, and where the program trains keeps the choice in masks. It runs before a step of training
   that the pipeline names, and before weights that were loaded are used; no other graph pays for it.

   Whoever reads a parameter finds the zeros in it. So evaluation, prediction and generation do not know of the pass. In the graphs that
   train, gradients of pruned weights are zero, as if the weights had been multiplied by their mask, and what an update would write
   there is zero; so they stay zeros, and a norm of gradients counts what is left.

     l1   stays: |w| > quantile(|w|, ratio) of a parameter, or of all that the rule is for. Ties and zeros go.
     wanda  stays: |w| |x| > quantile(|w| |x|, ratio) of the weights of an output, where |x| is the root of the mean square of what
            multiplies the weight, as calibration measured it; all, where nothing was measured. Sun, Liu, Bair and Kolter, A Simple
            and Effective Pruning Approach for Large Language Models, 2024.
     nm   stays: of every m elements along the axis that a contraction sums over, the n largest in magnitude; of equal ones the first.

   By and by: the ratio grows from 0 at the step `begin` to its number at `end` as 1 - (1 - progress)^3, every so many steps.
   Zhu and Gupta, To Prune, or Not to Prune: Exploring the Efficacy of Pruning for Model Compression, 2017. */
#include "passes/prune.h"

#include <string.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

static double parameter_of(const struct pass_rule *rule, enum pass_parameter parameter) {
  return rule->parameters[parameter];
}

static int64_t begin_of(const struct pass_rule *rule) { return (int64_t)parameter_of(rule, PARAMETER_prune_begin); }

static int64_t end_of(const struct pass_rule *rule) {
  const int64_t end = (int64_t)parameter_of(rule, PARAMETER_prune_end);
  return end ? end : begin_of(rule);
}

static struct value *named(struct value *value, const char *name) {
  value->name = name;
  return value;
}

/* --- Masks -------------------------------------------------------------------------------------------------------- */

/* The part before the slash is the name of no tensor, by which a checkpoint tells that the state belongs to a pipeline and not to a
   parameter (runtime/weights.c). */
static const char *mask_name(const struct program *program, const struct state *state) {
  const char *owner = "mask";
  for (int i = 0; i < program->states.count; i++)
    if (!strcmp(program->states.items[i]->name, owner))
      owner = arena_format(program->arena, "pruning_%s", owner), i = -1;
  return arena_format(program->arena, "%s/%s", owner, state->name);
}

static struct state *mask_of(struct program *program, struct state *state) {
  struct state *mask = arena_new_struct(program->arena, struct state);
  *mask = (struct state){.name = mask_name(program, state),
                         .role = ROLE_OPTIMIZER,
                         .kind = KIND_BOOLEAN,
                         .axes = state->axes,
                         .axis_count = state->axis_count,
                         .initial = INITIAL_CONSTANT,
                         .low = 1,
                         .of = state,
                         .span = state->span};
  mask->stream = hash_path(mask->name);
  array_push(program->arena, &program->states, mask);
  return mask;
}

/* --- Which weights stay ------------------------------------------------------------------------------------------- */

struct builder {
  struct pruner *pruner;
  struct graph *graph;
  struct value *step; /* the input, once it is needed: 0 outside of training */
};

static struct value *number(struct builder *b, double x) { return build_constant(b->graph, x); }

static struct value *binary(struct builder *b, enum op op, struct value *x, struct value *y) {
  return build_binary(b->graph, op, x, y);
}

static struct value *step_of(struct builder *b) {
  if (!b->step) b->step = build_input(b->graph, run_input_names[RUN_STEP], KIND_REAL, NULL, NULL, 0);
  return b->step;
}

/* The share of weights that go. Between two steps at which the graph runs it is that of the earlier. */
static struct value *share_of(struct builder *b, const struct pass_rule *rule) {
  const double ratio = parameter_of(rule, PARAMETER_prune_ratio), begin = (double)begin_of(rule),
               end = (double)end_of(rule), every = parameter_of(rule, PARAMETER_prune_every);
  if (begin == end) return number(b, ratio);
  struct value *step = step_of(b), *since = binary(b, OP_sub, step, number(b, begin));
  since = binary(b, OP_max, since, number(b, 0));
  struct value *times = build_unary(b->graph, OP_floor, binary(b, OP_div, since, number(b, every)));
  struct value *progress = binary(b, OP_mul, times, number(b, every / (end - begin)));
  struct value *outside = binary(b, OP_eq, step, number(b, 0)), *ended = binary(b, OP_le, number(b, end), step);
  ended = binary(b, OP_or, outside, ended);
  struct value *none = number(b, 0), *rest = binary(b, OP_sub, number(b, 1), progress);
  rest = build_where(b->graph, ended, none, rest);
  struct value *cube = binary(b, OP_mul, binary(b, OP_mul, rest, rest), rest);
  struct value *share = binary(b, OP_sub, number(b, 1), cube);
  return named(binary(b, OP_mul, number(b, ratio), share), "pruned_share");
}

static struct value *magnitude_of(struct builder *b, struct state *state) {
  struct value *magnitude = build_unary(b->graph, OP_abs, build_state(b->graph, state));
  return named(magnitude, arena_format(b->graph->arena, "%s/magnitude", state->name));
}

static struct value *quantile_of_all(struct builder *b, struct value *x, const struct pass_rule *rule) {
  return build_quantile(b->graph, x, share_of(b, rule), x->axes, x->axis_count);
}

/* One axis for all of the value's. */
static struct value *flat(struct builder *b, struct value *x) {
  if (x->axis_count < 2) return x;
  struct axis *axis = axis_new(b->graph, "weight", value_count(x), x->axes[0]->span);
  return build_merge(b->graph, x, x->axes, x->axis_count, axis);
}

/* The threshold of a rule for all that it is for together. */
static struct value *global_threshold(struct builder *b, const struct pass_rule *rule) {
  const struct program *program = b->pruner->program;
  struct value **parts = arena_new_array(b->graph->arena, struct value *, program->states.count);
  struct axis **axes = arena_new_array(b->graph->arena, struct axis *, program->states.count);
  int count = 0;
  int64_t total = 0;
  for (int i = 0; i < program->states.count; i++) {
    if (program->states.items[i]->role != ROLE_PARAMETER || b->pruner->of[i].rule != rule) continue;
    parts[count] = flat(b, magnitude_of(b, program->states.items[i]));
    axes[count] = parts[count]->axes[0];
    total += axes[count++]->extent;
  }
  struct value *all = parts[0];
  if (count > 1) all = build_concat(b->graph, parts, axes, count, axis_new(b->graph, "weight", total, rule->span));
  return named(quantile_of_all(b, all, rule), "threshold");
}

/* Of every m magnitudes along the axis the n largest: those of which less than n rank before it. */
static struct value *largest_of_groups(struct builder *b, const struct pruned *how, struct value *magnitude) {
  struct graph *graph = b->graph;
  const int64_t m = (int64_t)parameter_of(how->rule, PARAMETER_prune_m);
  const struct span span = how->along->span;
  struct axis *group = axis_new(graph, "group", how->along->extent / m, span),
              *place = axis_new(graph, "place", m, span), *other = axis_new(graph, "other", m, span);
  struct value *x = build_split(graph, magnitude, how->along, (struct axis *[]){group, place}, 2);
  struct value *y = build_rename(graph, x, place, other);
  struct value *index = build_index(graph, other), *first = binary(b, OP_lt, index, build_index(graph, place));
  struct value *less = binary(b, OP_lt, x, y), *equal = binary(b, OP_and, binary(b, OP_eq, x, y), first);
  struct value *before = binary(b, OP_or, less, equal), *one = number(b, 1);
  before = build_where(graph, before, one, number(b, 0));
  struct value *rank = build_reduce(graph, OP_reduce_sum, before, &other, 1);
  struct value *stays = binary(b, OP_lt, rank, number(b, parameter_of(how->rule, PARAMETER_prune_n)));
  return build_merge(graph, stays, (struct axis *[]){group, place}, 2, how->along);
}

/* The weights of each output by magnitude times that of their inputs. */
static struct value *largest_of_outputs(struct builder *b, const struct pruned *how, struct value *magnitude) {
  struct graph *graph = b->graph;
  struct value *square = build_state(graph, how->statistic->square);
  struct value *score = binary(b, OP_mul, magnitude, build_unary(graph, OP_sqrt, square));
  struct value *threshold = build_quantile(graph, score, share_of(b, how->rule), square->axes, square->axis_count);
  struct value *most = build_reduce(graph, OP_reduce_max, square, square->axes, square->axis_count);
  struct value *unknown = binary(b, OP_le, most, number(b, 0));
  return binary(b, OP_or, unknown, binary(b, OP_lt, threshold, score));
}

/* --- The graph prune ---------------------------------------------------------------------------------------------- */

/* Before the rule begins, everything stays that has stayed so far. */
static struct value *from_begin(struct builder *b, const struct pruned *how, struct value *stays) {
  const double begin = (double)begin_of(how->rule);
  if (begin <= 1) return stays;
  struct value *step = step_of(b), *begins = binary(b, OP_le, number(b, begin), step);
  begins = binary(b, OP_or, binary(b, OP_eq, step, number(b, 0)), begins);
  return build_where(b->graph, begins, stays,
                     how->mask ? build_state(b->graph, how->mask) : build_boolean(b->graph, true));
}

static void write_zeros(struct builder *b, struct state *state, struct value *stays) {
  struct value *now = build_state(b->graph, state), *next = build_where(b->graph, stays, now, number(b, 0));
  build_update(b->graph, state, named(next, arena_format(b->graph->arena, "%s/pruned", state->name)), NULL, NULL);
}

static void prune_parameter(struct builder *b, int place, struct value *threshold) {
  struct program *program = b->pruner->program;
  struct state *state = program->states.items[place];
  const struct pruned *how = &b->pruner->of[place];
  struct value *magnitude = magnitude_of(b, state), *stays;
  if (parameter_of(how->rule, PARAMETER_prune_method) == PRUNE_NM) {
    stays = largest_of_groups(b, how, magnitude);
  } else if (how->statistic) {
    stays = largest_of_outputs(b, how, magnitude);
  } else {
    if (!threshold)
      threshold =
          named(quantile_of_all(b, magnitude, how->rule), arena_format(b->graph->arena, "%s/threshold", state->name));
    stays = binary(b, OP_lt, threshold, magnitude);
  }
  stays = from_begin(b, how, stays);
  stays->name = arena_format(b->graph->arena, "%s/stays", state->name);
  if (how->mask) build_update(b->graph, how->mask, stays, NULL, NULL);
  write_zeros(b, state, stays);
  for (int i = 0; i < program->states.count; i++)
    if (program->states.items[i]->role == ROLE_AVERAGE && program->states.items[i]->of == state)
      write_zeros(b, program->states.items[i], stays);
}

static void build_prune(struct pruner *pruner) {
  struct program *program = pruner->program;
  struct builder b = {.pruner = pruner,
                      .graph = graph_new(program->arena, routine_facts[ROUTINE_prune].name, &program->next_axis)};
  b.graph->origin = (struct origin){.path = "", .function = ""};
  const int count = program->states.count;
  for (int i = 0; i < pruner->pipeline->rules.count; i++) {
    const struct pass_rule *rule = &pruner->pipeline->rules.items[i];
    const bool together =
        parameter_of(rule, PARAMETER_prune_scope) != 0 && parameter_of(rule, PARAMETER_prune_method) == PRUNE_L1;
    struct value *threshold = NULL;
    b.graph->origin.span = rule->span;
    for (int k = 0; k < count; k++) {
      if (program->states.items[k]->role != ROLE_PARAMETER || pruner->of[k].rule != rule) continue;
      if (together && !threshold) threshold = global_threshold(&b, rule);
      prune_parameter(&b, k, threshold);
    }
  }
  if (b.graph->values.count) program->prune = b.graph;
}

/* --- Training ----------------------------------------------------------------------------------------------------- */

/* The mask of the parameter that the state is or is an average of; NULL where it has none. */
static struct state *mask_for(const struct pruner *pruner, const struct state *state) {
  const struct pruned *how =
      state->role == ROLE_PARAMETER || state->role == ROLE_AVERAGE ? pruned_state(pruner, state) : NULL;
  return how ? how->mask : NULL;
}

static struct value *masked(struct graph *graph, struct state *mask, struct value *x) {
  struct value *stays = build_state(graph, mask);
  return build_where(graph, stays, x, build_constant(graph, 0));
}

static void mask_graph(struct pruner *pruner, struct graph *graph) {
  const struct origin origin = graph->origin;
  struct rewrite rewrite = rewrite_begin(graph);
  for (int i = 0; i < rewrite.count; i++) {
    struct value *old = rewrite.old[i];
    const struct value *of = old->op == OP_gradient ? old->inputs[1] : NULL;
    struct state *mask = old->op == OP_update && old->input_count == 1 ? mask_for(pruner, old->state)
                         : of && of->op == OP_state                    ? mask_for(pruner, of->state)
                                                                       : NULL;
    graph->origin = old->origin;
    if (!mask) {
      rewrite_keep(&rewrite, old);
    } else if (of) {
      struct value *gradient = build_gradient(graph, rewrite_get(&rewrite, old->inputs[0]), rewrite_get(&rewrite, of));
      rewrite_set(&rewrite, old, masked(graph, mask, gradient));
    } else {
      struct value *next = masked(graph, mask, rewrite_get(&rewrite, old->inputs[0]));
      if (old->inputs[0]->name) next->name = arena_format(graph->arena, "%s.pruned", old->inputs[0]->name);
      rewrite_set(&rewrite, old, value_copy(graph, old, &next));
    }
  }
  rewrite_end(&rewrite);
  graph->origin = origin;
  graph_sweep(graph);
}

/* Tells the loop around training when the graph prune is to run. */
static void plan_steps(struct pruner *pruner) {
  struct program *program = pruner->program;
  for (int i = 0; i < pruner->pipeline->rules.count; i++) {
    const struct pass_rule *rule = &pruner->pipeline->rules.items[i];
    if (rule->pass != PASS_prune) continue;
    struct pruning own = {begin_of(rule), end_of(rule), (int64_t)parameter_of(rule, PARAMETER_prune_every)};
    bool known = false;
    for (int k = 0; k < program->prunings.count; k++)
      known = known || !memcmp(&program->prunings.items[k], &own, sizeof own);
    if (!known) array_push(program->arena, &program->prunings, own);
  }
}

/* --- How many stay --------------------------------------------------------------------------------------------------- */

/* Of so many elements those above the quantile, and one more, since the rank is computed in single precision: it rounds down, so that
   what has it and all below go. */
static int64_t above_quantile(int64_t count, double ratio) { return count - (int64_t)(ratio * (double)(count - 1)); }

/* The most elements of a parameter that stay once the rule has reached its ratio. Of a quantile over several parameters it is what stays of
   one that is like the others, and a quarter more. */
static int64_t kept_of(const struct pruned *how, const struct state *state) {
  const int64_t count = axes_count(state->axes, state->axis_count);
  const double ratio = parameter_of(how->rule, PARAMETER_prune_ratio);
  int64_t kept = count, inputs;
  switch ((enum prune_method)parameter_of(how->rule, PARAMETER_prune_method)) {
    case PRUNE_NM:
      kept = count / (int64_t)parameter_of(how->rule, PARAMETER_prune_m) *
             (int64_t)parameter_of(how->rule, PARAMETER_prune_n);
      break;
    case PRUNE_WANDA:
      inputs = axes_count(how->statistic->square->axes, how->statistic->square->axis_count);
      kept = count / inputs * above_quantile(inputs, ratio);
      break;
    case PRUNE_L1:
      kept = above_quantile(count, ratio);
      if (parameter_of(how->rule, PARAMETER_prune_scope) != 0) kept += kept / 4;
      break;
  }
  return kept < 1 ? 1 : kept > count ? count : kept;
}

static void tell_kept(struct pruner *pruner) {
  const struct program *program = pruner->program;
  for (int i = 0; i < program->states.count; i++) {
    struct state *state = program->states.items[i];
    if (state->role != ROLE_PARAMETER && state->role != ROLE_AVERAGE) continue;
    const struct pruned *how = pruned_state(pruner, state);
    if (how) state->kept = kept_of(how, state);
  }
}

bool pass_prune(struct program *program, const struct pipeline *pipeline, struct diagnostics *diagnostics) {
  struct pruner pruner = {.program = program, .pipeline = pipeline, .diagnostics = diagnostics};
  const int count = program->states.count; /* what is asked for, and masks, add states */
  if (!prune_choose(&pruner)) return false;
  for (int i = 0; i < count && program->train; i++)
    if (pruner.of[i].rule && !program->states.items[i]->frozen)
      pruner.of[i].mask = mask_of(program, program->states.items[i]);
  tell_kept(&pruner);
  plan_steps(&pruner);
  build_prune(&pruner);
  if (program->train) mask_graph(&pruner, program->train);
  if (program->accumulate) mask_graph(&pruner, program->accumulate);
  return true;
}
