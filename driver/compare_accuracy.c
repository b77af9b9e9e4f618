/* Measures how far a variant's first step is from the definition of the language, by the model's outputs for the first
   examples, the loss, and what the step leaves behind. An optimizer's states after one step are the gradients but for
   known factors, so where there are states, they stand for the gradients. Parameters are compared only where there are
   no states, because an optimizer such as Adam divides a gradient by its own size; where a gradient is nothing but
   rounding error, the quotient is too. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "driver/compare.h"
#include "driver/interpret.h"
#include "runtime/runtime.h"

/* The number of elements that the interpreter computes in about ten seconds. */
static const double interpreter_most = 2e8;
enum { VARIANT_PATIENCE = 300 };

static double graph_work(const struct graph *graph) {
  double work = 0;
  for (int i = 0; graph && i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    double elements = (double)value_count(value);
    if (value->op == OP_contract)
      for (int k = 0; k < value->list_count; k++) elements *= (double)value->list[k]->extent;
    work += elements;
  }
  return work;
}

static int run_interpreted(void *context) {
  struct lam_program program = *(struct lam_program *)context;
  program.verbs = (const struct lam_verb *const[]){&lam_steps_verb, NULL};
  return lam_main(&program, 2, (char *[]){(char *)"the interpreter", (char *)"steps", NULL});
}

/* Makes a child that has just started take one step, and sets the seconds that it took. Returns its loss, or NaN. */
static double first_step(struct arena *arena, struct child *child, double patience, const char *folder, bool *outputs,
                         double *seconds) {
  double loss = NAN;
  const char *line = NULL;
  *outputs = false;
  if (child_tell(child, arena_format(arena, "outputs %s/outputs.safetensors", folder)))
    line = child_hear(child, patience);
  if (!line) return NAN;
  *outputs = !strcmp(line, "done");
  line = child_tell(child, "time 1") ? child_hear(child, patience) : NULL;
  if (!line || sscanf(line, "%lf %lf", &loss, seconds) != 2) return NAN;
  line =
      child_tell(child, arena_format(arena, "state %s/state.safetensors", folder)) ? child_hear(child, patience) : NULL;
  return line && !strcmp(line, "done") ? loss : NAN;
}

static bool interpret(struct comparison *comparison, struct oracle *oracle) {
  struct arena *arena = comparison->arena;
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct pass_options passes = oracle->options->passes;
  passes.pipeline = "default";
  struct program *program = read_program(oracle->options, arena, diagnostics);
  if (!program || !run_graph_passes(program, &passes, diagnostics)) return false;
  double work = graph_work(program->predict) + graph_work(program->train);
  if (program->accumulate) work += graph_work(program->accumulate) * (double)program->training->accumulate;
  if (work > interpreter_most) return false;
  struct child_work child_work = {run_interpreted, interpret_program(arena, program),
                                  arena_format(arena, "%s/errors", oracle->folder), 1};
  struct child child;
  bool outputs;
  double seconds;
  const double patience = comparison->check_patience;
  oracle->loss = child_start(&child, &child_work, patience)
                     ? first_step(arena, &child, patience, oracle->folder, &outputs, &seconds)
                     : NAN;
  child_end(&child);
  oracle->what = "the interpreter";
  return oracle->known = !isnan(oracle->loss);
}

void oracle_run(struct comparison *comparison, struct oracle *oracle) {
  struct arena *arena = comparison->arena;
  if (mkdir(oracle->folder, 0700) != 0 && errno != EEXIST) {
    oracle->what = "no folder could be made for the results";
    return;
  }
  if (interpret(comparison, oracle) || compare_stopped) return;
  /* The interpreter would take too long. C in double precision without fusion stands in for it; tests check that
     against the interpreter. */
  struct variant *reference = arena_new_struct(arena, struct variant);
  reference->name = "the reference";
  reference->timing = &reference->timings[0];
  reference->options = *oracle->options;
  reference->options.passes.target = target_find("reference");
  reference->options.adapts = &oracle->options->passes;
  reference->options.passes.pipeline = "none, tile, parallel, plan, share";
  reference->options.level = 2;
  reference->options.passes.times = NULL;
  reference->errors = arena_format(arena, "%s/errors", oracle->folder);
  bool outputs;
  double seconds;
  oracle->loss =
      variant_compile(comparison, reference) && variant_start(comparison, reference)
          ? first_step(arena, &reference->child, comparison->check_patience, oracle->folder, &outputs, &seconds)
          : NAN;
  bool late = reference->child.is_late;
  child_end(&reference->child);
  jit_object_free(&reference->object);
  oracle->known = !isnan(oracle->loss);
  oracle->what =
      oracle->known ? "C in double precision (the interpreter would take too long)"
      : late ? arena_format(arena, "a step in double precision takes more than the %.0f s that --time leaves for it",
                            comparison->check_patience)
             : arena_format(arena, "no step in double precision was possible%s%s", reference->failure ? ": it " : "",
                            reference->failure ? reference->failure : "");
}

struct sums {
  double largest, total, count;
  const char *worst;
};

/* Adds the differences of elements, each relative to the largest element of its tensor. */
static void add_elements(struct comparison *comparison, const char *name, const lam_real *x, const lam_real *y,
                         int64_t count, struct sums *sums) {
  double scale = 0;
  for (int64_t k = 0; k < count; k++)
    if (isfinite(x[k]) && fabs(x[k]) > scale) scale = fabs(x[k]);
  for (int64_t k = 0; k < count; k++) {
    bool same = x[k] == y[k] || (isnan(x[k]) && isnan(y[k]));
    double difference = same                               ? 0
                        : isfinite(x[k]) && isfinite(y[k]) ? fabs(x[k] - y[k]) / (scale > 0 ? scale : 1)
                                                           : INFINITY;
    if (difference > sums->largest) {
      sums->largest = difference;
      sums->worst = arena_copy(comparison->arena, name, strlen(name));
    }
    sums->total += difference;
    sums->count++;
  }
}

/* Compares two files. With `states`, only the optimizer's states, whose names have a '/'. False when one file lacks
   something that the other has. */
static bool add_file(struct comparison *comparison, const char *expected_path, const char *got_path, bool states,
                     struct sums *sums) {
  struct lam_weights *expected = lam_weights_open(expected_path, lam_join_parts),
                     *got = lam_weights_open(got_path, lam_join_parts);
  bool good = expected && got;
  for (int64_t i = 0; good && i < expected->count; i++) {
    const struct lam_entry *wanted = &expected->entries[i], *entry = lam_weights_find(got, wanted->name);
    if (states && !strchr(wanted->name, '/')) continue;
    int64_t count = lam_count(wanted->shape, wanted->rank);
    good = entry && entry->rank == wanted->rank && count == lam_count(entry->shape, entry->rank);
    if (!good) break;
    lam_real *x = lam_allocate(count, sizeof *x), *y = lam_allocate(count, sizeof *y);
    good = lam_weights_read(expected, wanted, LAM_TYPE_REAL, x) && lam_weights_read(got, entry, LAM_TYPE_REAL, y);
    if (good) add_elements(comparison, wanted->name, x, y, count, sums);
    free(x), free(y);
  }
  if (expected) lam_weights_close(expected);
  if (got) lam_weights_close(got);
  return good;
}

static bool has_states(const char *path) {
  struct lam_weights *weights = lam_weights_open(path, lam_join_parts);
  bool found = false;
  for (int64_t i = 0; weights && i < weights->count; i++)
    found = found || (strchr(weights->entries[i].name, '/') && weights->entries[i].rank > 0);
  if (weights) lam_weights_close(weights);
  return found;
}

bool accuracy_of_outputs(struct comparison *comparison, const char *expected, const char *got,
                         struct accuracy *accuracy) {
  struct sums sums = {.worst = ""};
  if (!add_file(comparison, expected, got, false, &sums)) return false;
  *accuracy = (struct accuracy){.known = sums.count > 0,
                                .largest = sums.largest,
                                .mean = sums.count > 0 ? sums.total / sums.count : 0,
                                .worst = sums.worst};
  return true;
}

void accuracy_measure(struct comparison *comparison, struct variant *variant) {
  struct arena *arena = comparison->arena;
  const struct oracle *oracle = &comparison->oracles.items[variant->oracle];
  bool outputs;
  double loss =
      first_step(arena, &variant->child, VARIANT_PATIENCE, comparison->folder, &outputs, &variant->timing->probe);
  if (isnan(loss)) {
    variant_fail(comparison, variant, "took no first step");
    return;
  }
  array_push(arena, &variant->losses, loss);
  if (!oracle->known) return;
  const char *expected = arena_format(arena, "%s/state.safetensors", oracle->folder),
             *got = arena_format(arena, "%s/state.safetensors", comparison->folder);
  struct sums sums = {.worst = "the loss"};
  bool good = add_file(comparison, expected, got, has_states(expected), &sums);
  if (outputs)
    good = good && add_file(comparison, arena_format(arena, "%s/outputs.safetensors", oracle->folder),
                            arena_format(arena, "%s/outputs.safetensors", comparison->folder), false, &sums);
  if (!good) {
    variant_fail(comparison, variant, "gave other tensors than the definition, or they could not be read");
    return;
  }
  double off = fabs(loss - oracle->loss) / (fabs(oracle->loss) > 0 ? fabs(oracle->loss) : 1);
  if (off > sums.largest) sums.largest = off, sums.worst = "the loss";
  variant->accuracy = (struct accuracy){.known = true,
                                        .largest = sums.largest,
                                        .mean = (sums.total + off) / (sums.count + 1),
                                        .loss = loss - oracle->loss,
                                        .worst = sums.worst};
}
