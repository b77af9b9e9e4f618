/* Trains step by step. A run that is stopped and resumed gives the same numbers as one that is not. */
#include "runtime/runtime.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static volatile sig_atomic_t lam_interrupted;

static void lam_interrupt(int signal) {
  lam_interrupted = signal;
  lam_end_tidily(signal);
}

/* The first signal asks for a stop after the step; the second ends the program at once. */
static void lam_catch_signals(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = lam_interrupt;
  lam_interrupted = 0;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

struct lam_training {
  struct lam_program *program;
  struct lam_run run;
  char *path, *base; /* base: what adapters are for; or NULL */
  struct lam_dataset *data, *validation; /* validation: NULL when there is none */
  struct lam_feed *feed;
  struct lam_progress progress;
  int64_t accumulate, rows; /* batches and rows in a step */
};

/* Whether training may write to a file, or else an error: a second training, started by mistake, must not destroy the
   result of the first. An empty file holds nobody's work, and a device or a pipe is written into, not replaced. */
static bool lam_may_replace(const char *path) {
  char *file;
  struct stat about;
  bool replaces = lam_find_replaced(path, &file) && file && stat(file, &about) == 0 && about.st_size > 0;
  free(file);
  if (!replaces) return true;
  char message[LAM_MESSAGE]; /* it is not shown: the file need not hold weights */
  struct lam_weights *weights;
  if (lam_open_weights(&weights, path, NULL, message) != LAM_OK) weights = NULL;
  const struct lam_pairs *metadata = weights ? &weights->metadata : NULL;
  const struct lam_pair *step = weights ? lam_pairs_find(metadata, "step") : NULL,
                        *steps = step ? lam_pairs_find(metadata, "steps") : NULL,
                        *model = weights ? lam_pairs_find(metadata, "model") : NULL;
  const char *name = model ? model->value : "another model",
             *advice = "--overwrite replaces it, --out FILE names another file";
  if (steps && strtoll(step->value, NULL, 10) >= strtoll(steps->value, NULL, 10))
    lam_error("%s holds a finished training of %s, %s steps: %s", path, name, steps->value, advice);
  else if (steps)
    lam_error("%s holds a training of %s at step %s of %s: --resume goes on, %s", path, name, step->value, steps->value,
              advice);
  else
    lam_error("%s is there already, and holds %s%s: %s", path, weights ? "weights of " : "no weights",
              weights ? name : "", advice);
  lam_weights_close(weights);
  return false;
}

/* Returns the path of the weights to begin with, for free(): that of --init, or else the one that the spec names. NULL
   if there is none, or, with `good` false, after an error. */
static char *lam_training_initial(const struct lam_training *training, const struct lam_options *options, bool *good) {
  const struct lam_settings *settings = training->program->settings;
  const char *given = lam_option_text(options, "init", NULL);
  char *initial = given               ? lam_join(given, "")
                  : settings->initial ? lam_find_file(training->program, settings->initial, settings->initial_here,
                                                      "; --init FILE names another")
                                      : NULL;
  *good = initial || !settings->initial;
  if (initial && lam_same_file(initial, training->path))
    *good = lam_error("training would write over %s, which it begins with: --out FILE names another file", initial);
  return initial;
}

static bool lam_training_resumes(struct lam_training *training, const struct lam_options *options) {
  struct lam_run *run = &training->run;
  if (!lam_checkpoint_load(training->program, run, training->path, LAM_RESUME)) return false;
  if (run->seed != lam_option_integer(options, "seed", run->seed))
    lam_note("the run goes on with its own seed, %lu", (unsigned long)run->seed);
  return true;
}

static bool lam_training_weights(struct lam_training *training, const struct lam_options *options) {
  struct lam_program *program = training->program;
  struct lam_run *run = &training->run;
  bool resumes = lam_option_text(options, "resume", NULL), replaces = lam_option_text(options, "overwrite", NULL),
       good = !resumes || !replaces ||
              lam_error("--resume goes on with a run, and --overwrite begins it anew: give one of the two");
  char *initial = resumes ? NULL : lam_training_initial(training, options, &good);
  good = good && (resumes || replaces || lam_may_replace(training->path));
  run->seed = (uint32_t)lam_option_integer(options, "seed", program->settings->seed);
  if (good) {
    lam_initialize(program->model, run->seed);
    if (program->adapters)
      good = program->adapters->begin(program, run, options, initial, training->path, &training->base);
    if (good && resumes) good = lam_training_resumes(training, options);
    if (good && initial) good = lam_checkpoint_load(program, run, initial, LAM_START_FROM);
  }
  free(initial);
  return good;
}

static bool lam_training_data(struct lam_training *training, const struct lam_options *options) {
  struct lam_program *program = training->program;
  struct lam_run *run = &training->run;
  struct lam_progress *progress = &training->progress;
  const struct lam_settings *settings = program->settings;
  bool splits = program->routines[LAM_ACCUMULATE].exists;
  const char *path = lam_option_text(options, "data", NULL);
  struct lam_dataset *data =
      lam_dataset_open(program, splits ? LAM_ACCUMULATE : LAM_TRAIN, path, run->seed, &run->facts);
  if (!data) return false;
  int64_t examples = lam_dataset_examples(data, LAM_TRAINING), before = run->steps;
  const char *unit = data->window ? "tokens" : "rows";
  training->accumulate = splits && settings->accumulate > 1 ? settings->accumulate : 1;
  training->rows = data->batch * training->accumulate;
  training->data = data;
  if (examples < 1)
    return lam_error("the training part of %s is too short: %lld %s, where one example takes %lld", data->path,
                     (long long)data->training, unit, (long long)(data->window ? data->window + data->shifted : 1));
  if (program->routines[LAM_EVALUATE].exists && lam_dataset_examples(data, LAM_VALIDATION) > 0)
    training->validation = lam_dataset_share(data, LAM_EVALUATE);
  int64_t epochs = (settings->epochs * examples + training->rows - 1) / training->rows;
  run->steps = lam_option_integer(options, "steps", settings->steps >= 0 ? settings->steps : epochs);
  if (run->step > 0 && before != run->steps)
    lam_note("this run takes %lld steps in all, the one that it resumes %lld: what depends on that differs",
             (long long)run->steps, (long long)before);
  progress->steps = run->steps;
  progress->every = settings->log_every > 0 ? settings->log_every : INT64_MAX;
  progress->quiet = lam_option_text(options, "quiet", NULL) != NULL;
  progress->units = training->rows * (data->window ? data->window : 1);
  progress->unit = data->window ? "tokens" : "examples";
  if (run->step <= run->steps) return true;
  return lam_error("%s is at step %lld, past the %lld asked for: --steps N asks for more", training->path,
                   (long long)run->step, (long long)run->steps);
}

double lam_train_step(struct lam_program *program, struct lam_run *run, struct lam_feed *feed, int64_t accumulate) {
  run->step++;
  const struct lam_routine *micro = &program->routines[LAM_ACCUMULATE];
  double sum = 0, weight = 0;
  for (int64_t i = 0; micro->exists && i < accumulate; i++) {
    lam_feed_next(feed);
    lam_run_routine(program, LAM_ACCUMULATE, run->step, run->steps, run->seed, NULL);
    sum += lam_output(micro, "loss_sum");
    weight += lam_output(micro, "weight_sum");
  }
  if (micro->exists) {
    lam_run_routine(program, LAM_TRAIN, run->step, run->steps, run->seed, NULL);
    return weight != 0 ? sum / weight : 0;
  }
  lam_feed_next(feed);
  lam_run_routine(program, LAM_TRAIN, run->step, run->steps, run->seed, NULL);
  return lam_output(&program->routines[LAM_TRAIN], "loss");
}

/* The tensor that the step just done made infinite or NaN, or NULL. Where the output update_check is missing, all are
   searched. */
static const char *lam_spoilt(const struct lam_program *program) {
  const struct lam_routine *train = &program->routines[LAM_TRAIN];
  const struct lam_port *check = lam_find_port(train->outputs, train->output_count, "update_check");
  double sum = check ? 0 : (double)NAN;
  for (int64_t i = 0; check && i < lam_count(check->shape, check->rank); i++)
    sum += lam_get(check->data, check->type, i);
  return sum == 0 ? NULL : lam_not_finite(program->model);
}

static bool lam_is_due(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

/* Prints the parameters of a small model. */
static void lam_print_parameters(const struct lam_program *program) {
  enum { FEW = 16 };
  int64_t numbers = 0;
  for (int i = 0; i < program->model->tensor_count; i++)
    if (program->model->tensors[i].role == LAM_PARAMETER)
      numbers += lam_count(program->model->tensors[i].shape, program->model->tensors[i].rank);
  for (int i = 0; i < program->model->tensor_count && numbers <= FEW; i++) {
    const struct lam_tensor *tensor = &program->model->tensors[i];
    if (tensor->role != LAM_PARAMETER || !lam_type_is_real(tensor->type)) continue;
    printf("%s", tensor->name);
    for (int64_t k = 0; k < lam_count(tensor->shape, tensor->rank); k++)
      printf(" %.6g", lam_get(tensor->data, tensor->type, k));
    putchar('\n');
  }
}

static int lam_training_loop(struct lam_training *training, const struct lam_options *options) {
  struct lam_program *program = training->program;
  const struct lam_settings *settings = program->settings;
  struct lam_run *run = &training->run;
  struct lam_progress *progress = &training->progress;
  const char *out = lam_option_text(options, "out", NULL);
  int64_t saved = -1;
  bool interrupted = false;
  for (bool last = false; !last;) {
    bool made = run->step > progress->first; /* whether this run has taken a step */
    double paused = lam_seconds(); /* the speed shown is that of steps alone */
    interrupted = lam_interrupted;
    last = interrupted || run->step >= run->steps;
    if (program->handover && !interrupted && program->handover->asked()) {
      if (lam_checkpoint_save(program, run, training->path)) {
        lam_progress_end(progress);
        return LAM_HANDED_OVER;
      }
      program->handover->refused();
    }
    if (training->validation && (last ? !interrupted : made && lam_is_due(run->step, settings->evaluate_every))) {
      double loss;
      bool some = lam_evaluate(training->validation, LAM_VALIDATION, &loss);
      lam_progress_evaluation(progress, run->step, some ? &loss : NULL);
    }
    if (last || (made && lam_is_due(run->step, settings->checkpoint_every))) {
      if (!lam_checkpoint_save(program, run, training->path)) return 1;
      saved = run->step;
    }
    progress->start += lam_seconds() - paused;
    if (last) break;
    lam_span_begin("training step", run->step + 1);
    double loss = lam_train_step(program, run, training->feed, training->accumulate);
    run->rows += training->rows;
    lam_span_end();
    const struct lam_routine *train = &program->routines[LAM_TRAIN];
    lam_progress_step(progress, run->step, loss, train);
    const char *spoilt = lam_spoilt(program);
    const bool skipped = lam_output(train, "step_is_skipped") == 1, scaled = lam_output(train, "loss_scale") != 0;
    if ((isfinite(loss) || skipped) && scaled && !spoilt) continue;
    lam_progress_end(progress);
    if (!scaled)
      lam_error(
          "step %lld: the scale of the loss has fallen to 0 and no gradient was finite: training stops; a loss "
          "that is not finite, or data that are not, may be the reason",
          (long long)run->step);
    else
      lam_error("step %lld: the loss is %g%s%s%s: training stops; a lower learning rate, warmup or clip may help",
                (long long)run->step, loss, spoilt ? ", and the update of " : "", spoilt ? spoilt : "",
                spoilt ? " is not finite" : "");
    if (saved >= 0) lam_note("%s holds step %lld", training->path, (long long)saved);
    return 1;
  }
  lam_progress_end(progress);
  if (!interrupted) lam_print_parameters(program);
  if (!interrupted) return 0;
  lam_note("stopped after step %lld of %lld; %s train --resume%s%s goes on", (long long)run->step,
           (long long)run->steps, options->program, out ? " --out " : "", out ? out : "");
  return 130;
}

/* Opens the data with the facts of another program's run, which goes on here. */
static bool lam_training_reopen(struct lam_training *training, const struct lam_options *options) {
  lam_dataset_close(training->data);
  free(training->validation);
  training->data = training->validation = NULL;
  return lam_training_data(training, options);
}

static int lam_train_main(struct lam_program *program, const struct lam_options *options) {
  struct lam_locked lock = {0};
  struct lam_training training = {.program = program, .path = lam_checkpoint_path(program, options, "out")};
  const char *log = lam_option_text(options, "log", NULL);
  int code = 1;
  bool good = lam_is_writable(training.path);
  /* Until the order comes, the file belongs to another program, which gives way to this one. */
  const struct lam_handover *handover = program->handover;
  if (!handover || !handover->waits()) good = good && lam_lock(&lock, training.path);
  good = good && lam_training_weights(&training, options) && lam_training_data(&training, options);
  if (good) lam_catch_signals();
  if (handover && good) {
    bool same_facts = true;
    good = handover->begin(program, &training.run, training.path, &same_facts, &code) &&
           (same_facts || lam_training_reopen(&training, options)) && lam_lock(&lock, training.path);
  }
  if (training.base) good = good && lam_pairs_add(&training.run.facts, LAM_BASE, training.base, strlen(training.base));
  training.progress.first = training.run.step;
  if (good && lam_progress_start(&training.progress, log, training.run.step > 0)) {
    training.feed = lam_feed_start(training.data, &training.run, training.accumulate);
    code = lam_training_loop(&training, options);
    lam_feed_stop(training.feed);
    if (training.progress.log_failed && code == 0) code = 1;
  }
  lam_unlock(&lock);
  lam_dataset_close(training.data);
  lam_pairs_free(&training.run.facts);
  free(training.validation);
  free(training.base), free(training.path);
  return code;
}

static const struct lam_option lam_train_options[] = {
    {"steps", "N", "optimizer steps in all (default: the spec's)", 0, 4294967295.0},
    {"seed", "N", "of initial values, order and dropout (default: the spec's)", 0, 4294967295.0},
    {"data", "FILE", "other data than the spec's", 0, 0},
    {"out", "FILE", "where weights go (default: NAME.safetensors)", 0, 0},
    {"resume", NULL, "go on from the weights in the file of --out", 0, 0},
    {"overwrite", NULL, "begin anew though that file holds something", 0, 0},
    {"init", "FILE", "begin with the weights that this file has", 0, 0},
    {"log", "FILE", "one JSON object for each step logged and each evaluation", 0, 0},
    {"quiet", NULL, "print evaluations only", 0, 0},
    {0}};
LAM_API const struct lam_verb lam_train_verb = {"train", "trains the model and writes its weights", lam_train_options,
                                                lam_train_main};
