/* Tells the loss of weights, and times predictions with them, for `lamella compare`. It begins with a line "ready UNITS
   WHAT" on stdout, the tokens or examples in one run of what --work names. Then commands come as lines on stdin, and
   each is answered by lines on stdout:
     evaluate N    the mean loss over the validation part of the data, or all of them where they are not split; or over
                   at most N batches of it: the loss, how many examples and batches it is of, and for each batch its
                   sums of weights times losses, and of weights
     replace FILE  parameters and averages become those that the file has: "done"
     time N        runs the routine N times: for each "nan", since it has no loss of its own, and its seconds
     outputs FILE, kernels N, quit: as of runtime/steps.c */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lam_measuring {
  struct lam_program *program;
  struct lam_run run;
  struct lam_dataset *data;
  enum lam_part part;
  int routine; /* what is timed */
  int64_t sizes[2];
  double slow; /* the share of a run's time to wait after it */
};

static bool lam_measuring_data(struct lam_measuring *measuring) {
  struct lam_program *program = measuring->program;
  struct lam_run *run = &measuring->run;
  measuring->data = lam_dataset_open(program, LAM_EVALUATE, NULL, run->seed, &run->facts);
  if (!measuring->data) return false;
  measuring->part = lam_evaluated_part(program);
  return lam_dataset_examples(measuring->data, measuring->part) > 0 ||
         lam_cannot_evaluate(measuring->data, measuring->part);
}

/* Puts the first examples where the routine reads them, and tells how many tokens or examples it takes. */
static bool lam_measuring_rows(const struct lam_measuring *measuring, int64_t *units) {
  struct lam_dataset *dataset = lam_dataset_share(measuring->data, measuring->routine);
  if (!dataset) return false;
  int64_t examples = lam_dataset_examples(dataset, measuring->part);
  void **batch = lam_batch_create(dataset);
  for (int64_t i = 0; i < dataset->batch; i++) {
    struct lam_row row = lam_dataset_row(dataset, measuring->part, examples ? i % examples : 0);
    lam_batch_fill(batch, dataset, i, &row);
  }
  lam_batch_deliver(batch, dataset);
  lam_batch_free(batch, dataset);
  *units = dataset->batch * (dataset->window ? dataset->window : 1);
  free(dataset);
  return true;
}

/* A step of generation takes one token for each text of its batch, in the middle of the longest text that it can
   have. */
static int64_t lam_measuring_tokens(struct lam_measuring *measuring) {
  struct lam_program *program = measuring->program;
  const struct lam_routine *step = &program->routines[LAM_STEP];
  const int64_t capacity = program->generation->capacity;
  measuring->sizes[0] = 1;
  measuring->sizes[1] = capacity > 1 ? capacity / 2 : 1;
  if (program->routines[LAM_PREPARE].exists) {
    lam_random_inputs(program, LAM_PREPARE, measuring->sizes);
    lam_run_routine(program, LAM_PREPARE, 0, 0, measuring->run.seed, NULL);
  }
  lam_random_inputs(program, LAM_STEP, measuring->sizes);
  const struct lam_port *feed = lam_find_port(step->inputs, step->input_count, program->generation->feed);
  return feed && feed->rank ? feed->shape[0] : 1;
}

static bool lam_measuring_work(struct lam_measuring *measuring, const char *work) {
  struct lam_program *program = measuring->program;
  const bool generates = strcmp(work, "generate") == 0;
  int64_t units;
  measuring->routine = generates ? LAM_STEP : strcmp(work, "predict") == 0 ? LAM_PREDICT : LAM_EVALUATE;
  if (!program->routines[measuring->routine].exists) return lam_error("this program does not %s", work);
  if (generates)
    units = lam_measuring_tokens(measuring);
  else if (!lam_measuring_rows(measuring, &units))
    return false;
  printf("ready %lld %s\n", (long long)units, generates || measuring->data->window ? "tokens" : "examples");
  return true;
}

static void lam_measuring_run(void *context) {
  const struct lam_measuring *measuring = context;
  double begin = lam_seconds();
  lam_run_routine(measuring->program, measuring->routine, 0, 0, measuring->run.seed, measuring->sizes);
  double seconds = lam_seconds() - begin, wanted = seconds * (1 + measuring->slow);
  while (measuring->slow > 0 && seconds < wanted) seconds = lam_seconds() - begin;
  printf("nan %.9f\n", seconds);
  fflush(stdout);
}

static bool lam_measuring_time(void *context, const char *argument) {
  for (long long left = strtoll(argument, NULL, 10); left > 0; left--) lam_measuring_run(context);
  return true;
}

static bool lam_measuring_kernels(void *context, const char *argument) {
  const struct lam_measuring *measuring = context;
  lam_answer_kernels(measuring->program, lam_measuring_run, context, strtoll(argument, NULL, 10));
  return true;
}

static bool lam_measuring_outputs(void *context, const char *path) {
  const struct lam_measuring *measuring = context;
  return lam_answer_outputs(measuring->data, measuring->part, path);
}

/* Evaluation leaves its last batch in the memory that is timed, where evaluation is what is timed: a batch like any
   other. */
static bool lam_measuring_evaluate(void *context, const char *argument) {
  const struct lam_measuring *measuring = context;
  struct lam_evaluation evaluation;
  const bool some = lam_evaluate_some(measuring->data, measuring->part, strtoll(argument, NULL, 10), &evaluation) ||
                    lam_cannot_evaluate(measuring->data, measuring->part);
  if (some) printf("%.17g %lld %lld\n", evaluation.loss, (long long)evaluation.examples, (long long)evaluation.batches);
  for (int64_t k = 0; some && k < evaluation.batches; k++)
    printf("%.17g %.17g\n", evaluation.sums[k][0], evaluation.sums[k][1]);
  free(evaluation.sums);
  return some;
}

static bool lam_measuring_replace(void *context, const char *path) {
  struct lam_model *model = ((struct lam_measuring *)context)->program->model;
  struct lam_weights *weights = lam_weights_open(path, model->join_parts);
  char message[LAM_MESSAGE];
  bool good = weights != NULL;
  for (int64_t i = 0; good && i < weights->count; i++) {
    const struct lam_entry *entry = &weights->entries[i];
    const struct lam_tensor *tensor = lam_find_tensor(model, entry->name);
    good = tensor && tensor->data
               ? lam_check_tensor(weights, entry, tensor, message) == LAM_OK || lam_error("%s", message)
               : lam_error("%s has %s, which model %s does not keep", path, entry->name, model->name);
    good = good && lam_weights_read(weights, entry, tensor->type, tensor->data);
  }
  lam_weights_close(weights);
  lam_changed(model);
  if (good) puts("done");
  return good;
}

static const struct lam_command lam_measuring_orders[] = {
    {"evaluate", lam_measuring_evaluate}, {"replace", lam_measuring_replace}, {"time", lam_measuring_time},
    {"kernels", lam_measuring_kernels},   {"outputs", lam_measuring_outputs}, {0}};

static int lam_measure_main(struct lam_program *program, const struct lam_options *options) {
  struct lam_measuring measuring = {.program = program, .slow = lam_option_number(options, "slow", 0) / 100};
  bool good = lam_checkpoint_use(program, &measuring.run, options) && lam_measuring_data(&measuring) &&
              lam_measuring_work(&measuring, lam_option_text(options, "work", "evaluate")) &&
              lam_obey(lam_measuring_orders, &measuring);
  lam_dataset_close(measuring.data);
  lam_pairs_free(&measuring.run.facts);
  return good ? 0 : 1;
}

static const struct lam_option lam_measure_options[] = {
    {"weights", "FILE", "weights in safetensors (default: NAME.safetensors)", 0, 0},
    {"work", "NAME", "what to time: evaluate, predict or generate (default: evaluate)", 0, 0},
    {"slow", "X", "percent by which to slow each run down, to test what measures it", 0, 1000},
    {0}};
LAM_API const struct lam_verb lam_measure_verb = {"measure", "evaluates and times predictions when told to on stdin",
                                                  lam_measure_options, lam_measure_main};
