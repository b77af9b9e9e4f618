/* The verb bench: times steps of one graph, kernel by kernel, on the data that the spec names. It writes no weights. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lam_benching {
  struct lam_program *program;
  const struct lam_bench *bench;
  const struct lam_workload *workload, *micro; /* micro: that of a micro-batch, where a step has several; or NULL */
  struct lam_run run;
  struct lam_dataset *dataset; /* or NULL: the inputs are random */
  struct lam_feed *feed; /* for training on data; else NULL */
  int64_t accumulate;
  double *now; /* seconds by kernel in this step */
  struct lam_times times;
};

static const struct lam_workload *lam_workload(const struct lam_bench *bench, const char *name) {
  for (int i = 0; i < bench->workload_count; i++)
    if (strcmp(bench->workloads[i].name, name) == 0) return &bench->workloads[i];
  return NULL;
}

static bool lam_bench_choose(struct lam_benching *benching, const char *name) {
  const struct lam_bench *bench = benching->bench;
  benching->workload = name ? lam_workload(bench, name) : bench->workload_count ? &bench->workloads[0] : NULL;
  if (name && strcmp(name, "accumulate") == 0) benching->workload = NULL; /* it is measured with train */
  if (!benching->workload) {
    lam_error("there is no graph %s to measure; this program has", name ? name : "");
    for (int i = 0; i < bench->workload_count; i++)
      if (strcmp(bench->workloads[i].name, "accumulate") != 0) fprintf(stderr, "  %s\n", bench->workloads[i].name);
    return false;
  }
  bool trains = benching->workload->routine == LAM_TRAIN;
  benching->micro = trains ? lam_workload(bench, "accumulate") : NULL;
  benching->accumulate = benching->micro ? benching->program->settings->accumulate : 1;
  return true;
}

/* --- Inputs ------------------------------------------------------------------------------------------------------- */

static void lam_bench_units(struct lam_benching *benching) {
  struct lam_program *program = benching->program;
  const struct lam_workload *inner = benching->micro ? benching->micro : benching->workload;
  const struct lam_routine *routine = lam_routine_at(program, inner->routine);
  int64_t rows = 1, length = 0;
  for (int i = 0; i < routine->input_count; i++) {
    const struct lam_port *port = &routine->inputs[i];
    if (port->rank > 0) rows = port->shape[0];
    for (int c = 0; program->data && c < program->data->column_count; c++)
      if (program->data->columns[c].feature == LAM_TOKENS && strcmp(program->data->columns[c].name, port->name) == 0)
        length = program->data->columns[c].length;
    if (program->generation && strcmp(port->name, program->generation->feed) == 0 && port->rank == 2)
      length = inner->routine == LAM_STEP ? inner->sizes[0] : port->shape[1];
  }
  benching->times.unit = length ? "tokens" : "examples";
  benching->times.units = (double)(rows * (length ? length : 1) * benching->accumulate);
}

/* Reads inputs from the data, for training and evaluation. They stay random where there is no such file. */
static bool lam_bench_inputs(struct lam_benching *benching, const struct lam_options *options) {
  struct lam_program *program = benching->program;
  int routine = benching->micro ? LAM_ACCUMULATE : benching->workload->routine;
  const char *given = lam_option_text(options, "data", NULL);
  const struct lam_data *data = program->data;
  bool trains = benching->workload->routine == LAM_TRAIN, reads = trains || routine == LAM_EVALUATE;
  lam_random_inputs(program, benching->workload->routine, benching->workload->sizes);
  if (benching->micro) lam_random_inputs(program, benching->micro->routine, benching->micro->sizes);
  if (given && (!data || !reads)) return lam_error("this graph reads no data: leave out --data");
  if (!data || !reads) return true;
  if (data->path && !given) {
    char *found = lam_find_file(program, data->path, data->path_here, NULL);
    bool there = found && access(found, R_OK) == 0;
    free(found);
    if (!there) return lam_note("there is no %s here: the inputs are random", data->path), true;
  }
  benching->dataset = lam_dataset_open(program, routine, given, benching->run.seed, &benching->run.facts);
  if (!benching->dataset) return false;
  if (lam_dataset_examples(benching->dataset, trains ? LAM_TRAINING : LAM_EVERYTHING) < 1)
    return lam_error("%s is too short for one example", benching->dataset->path);
  if (trains) {
    benching->feed = lam_feed_start(benching->dataset, &benching->run, benching->accumulate);
    return true;
  }
  int64_t examples = lam_dataset_examples(benching->dataset, LAM_EVERYTHING);
  void **batch = lam_batch_create(benching->dataset);
  for (int64_t i = 0; i < benching->dataset->batch; i++) {
    struct lam_row row = lam_dataset_row(benching->dataset, LAM_EVERYTHING, i % examples);
    lam_batch_fill(batch, benching->dataset, i, &row);
  }
  lam_batch_deliver(batch, benching->dataset);
  lam_batch_free(batch, benching->dataset);
  return true;
}

/* --- Steps -------------------------------------------------------------------------------------------------------- */

static double lam_bench_step(struct lam_benching *benching) {
  struct lam_program *program = benching->program;
  struct lam_run *run = &benching->run;
  const struct lam_workload *workload = benching->workload;
  bool trains = workload->routine == LAM_TRAIN;
  double begin = lam_seconds();
  for (int64_t i = 0; i < benching->accumulate; i++) {
    if (benching->feed) lam_feed_next(benching->feed);
    if (benching->micro) lam_run_routine(program, LAM_ACCUMULATE, run->step + 1, run->steps, run->seed, NULL);
  }
  lam_run_routine(program, workload->routine, trains ? run->step + 1 : 0, run->steps, run->seed, workload->sizes);
  run->step++;
  return lam_seconds() - begin;
}

/* Takes steps to warm up, then measures as many as asked for, or as take a few seconds. */
static void lam_bench_steps(struct lam_benching *benching, const struct lam_options *options) {
  enum { WARM = 2, FEWEST = 5, MOST = 1000 };
  const double seconds = 5;
  struct lam_times *times = &benching->times;
  int kernels = benching->bench->kernel_count;
  double warm = 0;
  lam_watch_kernels(benching->bench, benching->now, times->calls);
  for (int64_t i = 0; i < WARM; i++) warm = lam_bench_step(benching);
  double fit = warm > 0 ? seconds / warm : MOST;
  int64_t steps = fit < FEWEST ? FEWEST : fit > MOST ? MOST : (int64_t)fit;
  times->steps = lam_option_integer(options, "steps", steps);
  times->step_seconds = lam_allocate(times->steps, sizeof *times->step_seconds);
  times->seconds = lam_allocate(times->steps * kernels, sizeof *times->seconds);
  for (int64_t i = 0; i < times->steps; i++) {
    memset(benching->now, 0, (size_t)kernels * sizeof *benching->now);
    memset(times->calls, 0, (size_t)kernels * sizeof *times->calls);
    times->step_seconds[i] = lam_bench_step(benching);
    memcpy(times->seconds + i * kernels, benching->now, (size_t)kernels * sizeof *benching->now);
  }
}

static void lam_add_work(struct lam_times *times, const struct lam_workload *workload, double factor) {
  for (int i = 0; i < workload->work_count; i++) {
    times->operations[workload->work[i].kernel] += factor * workload->work[i].operations;
    times->bytes[workload->work[i].kernel] += factor * workload->work[i].bytes;
  }
}

static int lam_bench_main(struct lam_program *program, const struct lam_options *options) {
  struct lam_benching benching = {.program = program, .bench = program->bench};
  const char *weights = lam_option_text(options, "weights", NULL), *json = lam_option_text(options, "json", NULL);
  int kernels = benching.bench->kernel_count;
  struct lam_times *times = &benching.times;
  if (!lam_bench_choose(&benching, lam_option_text(options, "graph", NULL))) return 1;
  if (json && !lam_is_writable(json)) return 1;
  benching.run.seed = program->settings ? program->settings->seed : 0;
  if (lam_initialize(program->model, benching.run.seed) != LAM_OK) return lam_error("%s", program->model->message) + 1;
  if (weights && !lam_checkpoint_load(program, &benching.run, weights, LAM_USE)) return 1;
  benching.run.step = benching.run.rows = 0;
  benching.run.steps = program->settings && program->settings->steps > 0 ? program->settings->steps : 1000;
  if (!lam_bench_inputs(&benching, options)) return 1;
  *times = (struct lam_times){.program = program, .graph = benching.workload->name};
  times->fastest = lam_option_text(options, "fastest", NULL) != NULL;
  times->calls = lam_allocate(kernels, sizeof *times->calls);
  times->operations = lam_allocate(kernels, sizeof *times->operations);
  times->bytes = lam_allocate(kernels, sizeof *times->bytes);
  benching.now = lam_allocate(kernels, sizeof *benching.now);
  lam_bench_units(&benching);
  lam_add_work(times, benching.workload, 1);
  if (benching.micro) lam_add_work(times, benching.micro, (double)benching.accumulate);
  lam_bench_steps(&benching, options);
  if (benching.feed) lam_feed_stop(benching.feed);
  return lam_report(times, lam_option_text(options, "all", NULL) != NULL, json) ? 0 : 1;
}

static const struct lam_option lam_bench_options[] = {
    {"graph", "NAME",
     "train, evaluate, predict (predict_1 ...), prepare, step (one token), prompt or derive (default: the first it "
     "has)",
     0, 0},
    {"steps", "N", "steps to measure, after two that are not (default: 5 seconds' worth)", 1, 1000000},
    {"weights", "FILE", "weights in safetensors (default: initial values)", 0, 0},
    {"data", "FILE", "other data than the spec's", 0, 0},
    {"json", "FILE", "the same for machines", 0, 0},
    {"fastest", NULL, "each kernel's least time, not its median, and their sum: for a machine that does other work", 0,
     0},
    {"all", NULL, "list every kernel, those that take little time too", 0, 0},
    {0}};
LAM_API const struct lam_verb lam_bench_verb = {"bench", "time by kernel, beside what the machine can do",
                                                lam_bench_options, lam_bench_main};
