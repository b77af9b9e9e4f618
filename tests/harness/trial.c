#include "tests/harness/trial.h"

#include <math.h>
#include <string.h>

#include "codegen/codegen.h"
#include "passes/pipeline.h"
#include "tests/harness/foreign.h"
#include "tests/harness/random_operand.h"

static const char *messages_of(struct arena *arena, const struct diagnostics *diagnostics) {
  const char *text = "";
  for (int i = 0; i < diagnostics->messages.count; i++)
    text = arena_format(arena, "%s%s", text, diagnostics->messages.items[i]);
  return *text ? text : "a pass failed without a message";
}

static const char *run_passes(struct arena *arena, struct sample *sample, const char *pipeline,
                              const struct target *target) {
  struct pass_options options = {.pipeline = pipeline, .target = target, .verify = true};
  struct diagnostics *diagnostics = diagnostics_new(arena);
  return run_graph_passes(&sample->program, &options, diagnostics) ? NULL : messages_of(arena, diagnostics);
}

static const char *analyse(struct arena *arena, struct sample *sample, struct precision precision,
                           struct bounds *bounds) {
  if (bounds->outputs) return NULL;
  bounds->outputs = arena_new_array(arena, struct bounded, sample->graph->outputs.count);
  bounds->states = arena_new_array(arena, struct bounded, sample->contents.count);
  return bound_errors(arena, sample, sample->graph, &precision, bounds->outputs, bounds->states);
}

/* For each axis of an output, the stride of the axis with the same number in another output: copies of a graph have
   axes of their own. */
static bool match_axes(const struct output *value, const struct output *other, const int64_t *sizes, int64_t *strides) {
  const int count = value->value->axis_count;
  if (count != other->value->axis_count) return false;
  for (int i = 0; i < count; i++) {
    int64_t stride = 1;
    bool found = false;
    for (int j = count - 1; j >= 0; j--) {
      if (other->axes[j]->id == value->axes[i]->id) strides[i] = stride, found = true;
      stride *= axis_length(other->axes[j], sizes);
    }
    if (!found) return false;
  }
  return true;
}

static const char *compare_output(struct arena *arena, const struct sample *sample, int number,
                                  const struct output *value, const struct bounded *got, const struct output *other,
                                  const struct bounded *expected, struct tally *tally) {
  const char *name = sample->graph->outputs.items[number].name;
  int64_t strides[MAX_AXES], counters[MAX_AXES] = {0}, at = 0;
  if (!match_axes(value, other, sample->sizes, strides)) return arena_format(arena, "%s has other axes", name);
  tally->checked += got->count;
  for (int64_t i = 0; i < got->count; i++) {
    double x = got->numbers[i], y = expected->numbers[at], error = got->errors[i] + expected->errors[at];
    tally->open += isinf(error);
    bool near = isinf(error) || x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= error;
    if (!near)
      return arena_format(arena,
                          "interpreted, %s[%lld] is %.17g and was %.17g before the passes, which may differ by %g",
                          name, (long long)i, x, y, error);
    for (int k = value->value->axis_count - 1; k >= 0; k--) {
      at += strides[k];
      if (++counters[k] < axis_length(value->axes[k], sample->sizes)) break;
      at -= counters[k] * strides[k];
      counters[k] = 0;
    }
  }
  return NULL;
}

static const char *compare_graphs(struct arena *arena, const struct sample *sample, const struct bounds *bounds,
                                  const struct expectation *expected, struct tally *tally) {
  for (int i = 0; i < sample->graph->outputs.count; i++) {
    const char *wrong = compare_output(arena, sample, i, &sample->graph->outputs.items[i], &bounds->outputs[i],
                                       &expected->flat->graph->outputs.items[i], &expected->exact.outputs[i], tally);
    if (wrong) return wrong;
  }
  for (int i = 0; i < sample->contents.count; i++) {
    if (!sample->contents.items[i].is_state) continue;
    const struct bounded *got = &bounds->states[i], *before = &expected->exact.states[i];
    tally->checked += got->count;
    for (int64_t j = 0; j < got->count; j++) {
      double x = got->numbers[j], y = before->numbers[j], error = got->errors[j] + before->errors[j];
      tally->open += isinf(error);
      if (!isinf(error) && x != y && !(isnan(x) && isnan(y)) && !(fabs(x - y) <= error))
        return arena_format(arena, "interpreted, state %s[%lld] becomes %.17g and %.17g before the passes",
                            sample->contents.items[i].name, (long long)j, x, y);
    }
  }
  return NULL;
}

static const char *interpret_graph(struct arena *arena, struct sample *sample, const struct graph *graph,
                                   struct tensor *results) {
  struct environment environment = sample_environment(sample);
  environment.arena = arena;
  return graph_interpret(graph, &environment, results, NULL);
}

/* Checks that inlining calls changes nothing: a graph with calls and without gradients can be interpreted before any
   pass. */
static const char *compare_calls(struct arena *arena, struct expectation *expected) {
  struct sample *called = sample_copy(arena, expected->sample);
  int count = called->graph->outputs.count;
  struct tensor *results = arena_new_array(arena, struct tensor, count);
  struct tally tally = {0};
  const char *wrong = interpret_graph(arena, called, called->graph, results);
  if (wrong) return wrong;
  for (int i = 0; i < count; i++) {
    double *exact = arena_new_array(arena, double, expected->exact.outputs[i].count);
    struct bounded got = {expected->exact.outputs[i].count, results[i].data, exact};
    wrong = compare_output(arena, called, i, &called->graph->outputs.items[i], &got,
                           &expected->flat->graph->outputs.items[i], &expected->exact.outputs[i], &tally);
    if (wrong) return arena_format(arena, "with its calls: %s", wrong);
  }
  return NULL;
}

const char *expectation_new(struct arena *arena, struct sample *sample, struct expectation *expected) {
  expected->sample = sample;
  const char *wrong = graph_verify(arena, sample->graph, STAGE_LOWERED);
  if (wrong) return arena_format(arena, "as made: %s", wrong);
  expected->flat = sample_copy(arena, sample);
  wrong = run_passes(arena, expected->flat, "none", target_find("reference"));
  expected->exact = (struct bounds){0};
  expected->of_target = arena_new_array(arena, struct bounds, 4);
  if (!wrong) wrong = analyse(arena, expected->flat, precision_of(true, true), &expected->exact);
  if (!wrong && sample->stage == STAGE_DIFFERENTIATED) wrong = compare_calls(arena, expected);
  return wrong;
}

/* Bounds for numbers that a pass must not change at all. */
static struct bounded exactly(struct arena *arena, int64_t count, double *numbers) {
  return (struct bounded){count, numbers, arena_new_array(arena, double, count)};
}

const char *compare_hoisted(struct arena *arena, const struct expectation *expected, bool hoists) {
  struct sample *sample = sample_copy(arena, expected->sample);
  struct program *program = &sample->program;
  int states = program->states.count, contents = sample->contents.count, outputs = sample->graph->outputs.count;
  program->step = sample->graph;
  program->predict = NULL;
  const char *wrong = run_passes(arena, sample, hoists ? "none, hoist" : "none", target_find("reference"));
  if (wrong) return wrong;
  for (int i = states; i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    sample_add_content(sample, state->name, true, axes_count(state->axes, state->axis_count));
  }
  if (program->prepare) wrong = interpret_graph(arena, sample, program->prepare, NULL);
  struct tensor *results = arena_new_array(arena, struct tensor, outputs);
  if (!wrong) wrong = interpret_graph(arena, sample, program->step, results);
  struct tally tally = {0};
  for (int i = 0; !wrong && i < outputs; i++) {
    const struct bounded *known = &expected->exact.outputs[i];
    struct bounded got = exactly(arena, known->count, results[i].data),
                   wanted = exactly(arena, known->count, known->numbers);
    wrong = compare_output(arena, sample, i, &program->step->outputs.items[i], &got,
                           &expected->flat->graph->outputs.items[i], &wanted, &tally);
  }
  for (int i = 0; !wrong && i < contents; i++) {
    const struct content *content = &sample->contents.items[i];
    struct bounded wanted = exactly(arena, content->count, expected->exact.states[i].numbers);
    int64_t broken = content->is_state ? bound_broken(&wanted, content->data, &tally.open) : -1;
    if (broken >= 0) wrong = arena_format(arena, "state %s[%lld] differs", content->name, (long long)broken);
  }
  return wrong ? arena_format(arena, "%s: %s", hoists ? "hoisted" : "inputs hoisted", wrong) : NULL;
}

/* The numbers of a state's content from one step of a simple generator on: those of parameters that have changed. */
static void change_content(struct content *content, uint32_t seed) {
  for (int64_t i = 0; i < content->count; i++) {
    seed = seed * 1664525u + 1013904223u;
    content->data[i] += (double)(float)((double)(seed >> 8) / 16777216.0 - 0.5);
  }
}

/* Interprets the graph by the values that it derives, if it has any: *derived tells. */
static const char *interpret_derived(struct arena *arena, struct sample *sample, struct tensor *results,
                                     bool *derived) {
  struct program *program = &sample->program;
  const char *wrong = program->derive ? interpret_graph(arena, sample, program->derive, NULL) : NULL;
  *derived = program->derive != NULL;
  return wrong ? wrong : interpret_graph(arena, sample, sample->graph, results);
}

const char *compare_derived(struct arena *arena, const struct expectation *expected, bool *derived) {
  struct sample *whole = sample_copy(arena, expected->sample), *sample = sample_copy(arena, expected->sample);
  const int states = sample->program.states.count, outputs = sample->graph->outputs.count;
  const char *wrong = run_passes(arena, whole, "none", target_find("reference"));
  if (!wrong) wrong = run_passes(arena, sample, "none, derive", target_find("reference"));
  for (int i = states; i < sample->program.states.count; i++) {
    const struct state *state = sample->program.states.items[i];
    sample_add_content(sample, state->name, true, axes_count(state->axes, state->axis_count));
  }
  struct tensor *results[2];
  for (int i = 0; i < 2; i++) results[i] = arena_new_array(arena, struct tensor, outputs);
  struct tally tally = {0};
  for (int round = 0; !wrong && round < 2; round++) {
    bool none;
    wrong = interpret_derived(arena, whole, results[0], &none);
    const char *other = interpret_derived(arena, sample, results[1], derived);
    /* With changed parameters an index may leave its axis: the graph then says so, with and without the pass. */
    if (!wrong != !other) return arena_format(arena, "derived: %s", wrong ? wrong : other);
    if (wrong) return round ? NULL : wrong;
    for (int i = 0; !wrong && i < outputs; i++) {
      int64_t count = 1;
      for (int k = 0; k < results[0][i].axis_count; k++) count *= axis_length(results[0][i].axes[k], sample->sizes);
      struct bounded wanted = exactly(arena, count, results[0][i].data),
                     got = exactly(arena, count, results[1][i].data);
      wrong = compare_output(arena, sample, i, &sample->graph->outputs.items[i], &got, &whole->graph->outputs.items[i],
                             &wanted, &tally);
    }
    for (int i = 0; !wrong && i < whole->contents.count; i++) {
      struct content *wanted = &whole->contents.items[i], *got = &sample->contents.items[i];
      if (!wanted->is_state) continue;
      struct bounded bounded = exactly(arena, wanted->count, wanted->data);
      if (bound_broken(&bounded, got->data, &tally.open) >= 0)
        wrong = arena_format(arena, "state %s differs", wanted->name);
      change_content(wanted, (uint32_t)i), change_content(got, (uint32_t)i);
    }
  }
  return wrong ? arena_format(arena, "derived: %s", wrong) : NULL;
}

/* Checks the graph after the passes against the graph before them. `scheduled`: the program to make loops of. */
static const char *rewrite(struct arena *arena, struct trial *trial, struct program **scheduled) {
  const struct expectation *expected = trial->expected;
  trial->sample = sample_copy(arena, expected->sample);
  const char *wrong = run_passes(arena, trial->sample, trial->pipeline, trial->target);
  if (wrong) return wrong;
  *scheduled = &trial->sample->program;
  if (trial->sample->program.derive) {
    /* Errors are analysed along the whole graph, as it was before values that derive computes left it. */
    trial->sample = sample_copy(arena, expected->sample);
    wrong = run_passes(arena, trial->sample, arena_format(arena, "%s, -derive", trial->pipeline), trial->target);
    if (wrong) return wrong;
  }
  struct bounds exact = {0};
  wrong = analyse(arena, trial->sample, precision_of(true, true), &exact);
  return wrong ? wrong : compare_graphs(arena, trial->sample, &exact, expected, &trial->rewritten);
}

const char *trial_prepare(struct arena *arena, struct trial *trial) {
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct pass_options options = {.pipeline = trial->pipeline, .target = trial->target, .verify = true};
  struct pipeline pipeline;
  trial->sample = trial->expected->flat;
  if (!pipeline_parse(&trial->sample->program, &options, diagnostics, &pipeline))
    return messages_of(arena, diagnostics);
  bool rewrites =
      pipeline.on[PASS_simplify] || pipeline.on[PASS_common] || pipeline.on[PASS_hoist] || pipeline.on[PASS_derive];
  struct program *scheduled = &trial->sample->program;
  const char *wrong = rewrites ? rewrite(arena, trial, &scheduled) : NULL;
  if (wrong) return wrong;

  trial->module = run_schedules(scheduled, &options, diagnostics);
  if (!trial->module || diagnostics->error_count) return messages_of(arena, diagnostics);
  join_derived(trial->module);
  for (int i = 0; i < trial->module->functions.count; i++) {
    wrong = function_verify(arena, trial->module->functions.items[i]);
    if (wrong) return arena_format(arena, "%s: %s", trial->module->functions.items[i]->name, wrong);
  }
  wrong = check_plan(arena, trial->module, trial->module->routines.items[0], trial->target->double_precision);
  if (wrong) return wrong;

  bool is_double = trial->target->double_precision, reassociates = pipeline_class(&pipeline) != PASS_EXACT;
  struct bounds *known = rewrites ? &trial->bounds : &trial->expected->of_target[2 * is_double + reassociates];
  wrong = analyse(arena, trial->sample, precision_of(is_double, reassociates), known);
  trial->bounds = *known;
  return wrong;
}

static const char *compare_found(struct arena *arena, struct trial *trial, const char *what, const char *name,
                                 const struct bounded *bounded, const double *found) {
  trial->compiled.checked += bounded->count;
  int64_t broken = bound_broken(bounded, found, &trial->compiled.open);
  if (broken < 0) return NULL;
  return arena_format(arena, "compiled, %s%s[%lld] is %.9g and should be %.9g, from which it may differ by %.3g", what,
                      name, (long long)broken, found[broken], bounded->numbers[broken], bounded->errors[broken]);
}

const char *trial_check(struct arena *arena, struct trial *trial, compiled_routine *compiled) {
  struct sample *sample = trial->sample;
  const char *wrong = run_compiled_sample(arena, sample, trial->module, trial->module->routines.items[0], compiled,
                                          trial->target->double_precision, &trial->found);
  for (int i = 0; !wrong && i < sample->graph->outputs.count; i++)
    wrong = compare_found(arena, trial, "", sample->graph->outputs.items[i].name, &trial->bounds.outputs[i],
                          trial->found.outputs[i]);
  for (int i = 0; !wrong && i < sample->contents.count; i++)
    if (sample->contents.items[i].is_state)
      wrong = compare_found(arena, trial, "state ", sample->contents.items[i].name, &trial->bounds.states[i],
                            trial->found.states[i]);
  return wrong;
}

/* All NaN are alike: processors differ in which one they make. */
static const char *compare_bits(struct arena *arena, const struct trial *trial, const char *name, int64_t count,
                                const double *found, const double *twins) {
  for (int64_t i = 0; i < count; i++)
    if (memcmp(&found[i], &twins[i], sizeof found[i]) && (found[i] == found[i] || twins[i] == twins[i]))
      return arena_format(arena, "%s[%lld] is %.9g, and %.9g by %s, which should be the same bits", name, (long long)i,
                          found[i], twins[i], trial->twin->target->name);
  return NULL;
}

static const char *compare_twin(struct arena *arena, const struct trial *trial) {
  const struct sample *sample = trial->sample;
  const struct found *found = &trial->found, *twins = &trial->twin->found;
  const char *wrong = NULL;
  for (int i = 0; !wrong && i < sample->graph->outputs.count; i++)
    wrong = compare_bits(arena, trial, sample->graph->outputs.items[i].name, trial->bounds.outputs[i].count,
                         found->outputs[i], twins->outputs[i]);
  for (int i = 0; !wrong && i < sample->contents.count; i++)
    if (sample->contents.items[i].is_state)
      wrong = compare_bits(arena, trial, sample->contents.items[i].name, sample->contents.items[i].count,
                           found->states[i], twins->states[i]);
  return wrong;
}

struct trial_set *trial_set_new(struct arena *arena) {
  struct trial_set *set = arena_new_struct(arena, struct trial_set);
  set->arena = arena;
  for (int i = 0; tested_target(i); i++) {
    if (!target_runs_in_tests(tested_target(i))) continue;
    if (set->target_count == MAX_TARGETS) bug("too many targets");
    set->batches[set->target_count] = batch_new(arena, tested_target(i));
    set->targets[set->target_count++] = tested_target(i);
  }
  return set;
}

static int target_number(const struct trial_set *set, const struct target *target) {
  for (int i = 0; i < set->target_count; i++)
    if (set->targets[i] == target) return i;
  bug("this machine does not run %s", target->name);
}

struct trial *trial_set_add(struct trial_set *set, const struct expectation *expected, const char *pipeline,
                            const struct target *target) {
  struct trial *trial = arena_new_struct(set->arena, struct trial);
  *trial = (struct trial){.expected = expected, .pipeline = pipeline, .target = target};
  trial->wrong = trial_prepare(set->arena, trial);
  if (!trial->wrong) trial->number = batch_add(set->batches[target_number(set, target)], trial->module);
  array_push(set->arena, &set->trials, trial);
  return trial;
}

void trial_set_add_twin(struct trial_set *set, struct trial *trial) {
  const struct target *target = target_with_same_bits(trial->target);
  if (target && target != trial->target) trial->twin = trial_set_add(set, trial->expected, trial->pipeline, target);
}

static bool check_target(struct trial_set *set, int target, const struct compiling *how) {
  int functions;
  const char *source = batch_source(set->batches[target], &functions);
  struct compiling for_target = *how;
  for_target.target = set->targets[target];
  struct library *library = compile_library(set->arena, source, &for_target);
  set->functions += functions;
  for (int i = 0; i < set->trials.count && library; i++) {
    struct trial *trial = set->trials.items[i];
    if (trial->wrong || trial->target != set->targets[target]) continue;
    if (set->watch) set->watch(trial);
    trial->wrong = trial_check(set->arena, trial, batch_routine(set->arena, library, trial->number));
  }
  if (library) library_close(library);
  return library != NULL;
}

const struct target *trial_set_run(struct trial_set *set, const struct compiling *how) {
  for (int i = 0; i < set->target_count; i++)
    if (!check_target(set, i, how)) return set->targets[i];
  for (int i = 0; i < set->trials.count; i++) {
    struct trial *trial = set->trials.items[i];
    if (trial->twin && !trial->wrong && !trial->twin->wrong) trial->wrong = compare_twin(set->arena, trial);
  }
  return NULL;
}
