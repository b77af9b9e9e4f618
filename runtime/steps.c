/* Takes training steps on demand, for `lamella compare`. It begins with a line "ready UNITS WHAT" on stdout, the
   tokens or examples in a step. Then commands come as lines on stdin, and each is answered by lines on stdout:
     time N        takes N steps: for each its loss, and the seconds that it took
     outputs FILE  writes the model's outputs for the first examples: "done", or "none" without the routine predict
     state FILE    writes all tensors, the optimizer's too: "done"
     kernels N     takes N steps like "time", with a clock at every kernel, and tells of each (runtime/orders.h). Later
                   steps have the clocks, too, which cost time.
     quit          ends the program */
#include "runtime/runtime.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lam_stepper {
  struct lam_program *program;
  struct lam_run run;
  struct lam_dataset *data;
  struct lam_feed *feed;
  int64_t accumulate;
  double slow; /* the share of a step's time to wait after it */
};

/* Loads the initial weights that the spec names. */
static bool lam_stepper_begin(struct lam_stepper *stepper, const struct lam_settings *settings) {
  char *initial = lam_find_file(stepper->program, settings->initial, settings->initial_here, "");
  bool good = initial && lam_checkpoint_load(stepper->program, &stepper->run, initial, LAM_START_FROM);
  free(initial);
  return good;
}

static bool lam_stepper_open(struct lam_stepper *stepper, const struct lam_options *options) {
  struct lam_program *program = stepper->program;
  const struct lam_settings *settings = program->settings;
  struct lam_run *run = &stepper->run;
  run->seed = (uint32_t)lam_option_integer(options, "seed", settings->seed);
  lam_initialize(program->model, run->seed);
  if (settings->initial && !lam_stepper_begin(stepper, settings)) return false;
  enum lam_routine_name routine = program->routines[LAM_ACCUMULATE].exists ? LAM_ACCUMULATE : LAM_TRAIN;
  stepper->accumulate = routine == LAM_ACCUMULATE && settings->accumulate > 1 ? settings->accumulate : 1;
  struct lam_dataset *data = stepper->data = lam_dataset_open(program, routine, NULL, run->seed, &run->facts);
  if (!data) return false;
  int64_t examples = lam_dataset_examples(data, LAM_TRAINING), rows = data->batch * stepper->accumulate;
  if (examples < 1) return lam_error("the training part of %s has no example", data->path);
  run->steps = settings->steps >= 0 ? settings->steps : (settings->epochs * examples + rows - 1) / rows;
  stepper->feed = lam_feed_start(data, run, stepper->accumulate);
  printf("ready %lld %s\n", (long long)(rows * (data->window ? data->window : 1)),
         data->window ? "tokens" : "examples");
  return true;
}

static void lam_stepper_step(void *context) {
  struct lam_stepper *stepper = context;
  struct lam_run *run = &stepper->run;
  double begin = lam_seconds();
  double loss = lam_train_step(stepper->program, run, stepper->feed, stepper->accumulate);
  run->rows += stepper->data->batch * stepper->accumulate;
  double seconds = lam_seconds() - begin, wanted = seconds * (1 + stepper->slow);
  while (stepper->slow > 0 && seconds < wanted) seconds = lam_seconds() - begin;
  printf("%.17g %.9f\n", loss, seconds);
  fflush(stdout); /* so that the reader gets each step as it ends */
}

static bool lam_stepper_time(void *context, const char *argument) {
  for (long long left = strtoll(argument, NULL, 10); left > 0; left--) lam_stepper_step(context);
  return true;
}

static bool lam_stepper_kernels(void *context, const char *argument) {
  const struct lam_stepper *stepper = context;
  lam_answer_kernels(stepper->program, lam_stepper_step, context, strtoll(argument, NULL, 10));
  return true;
}

static bool lam_stepper_outputs(void *context, const char *path) {
  const struct lam_stepper *stepper = context;
  return lam_answer_outputs(stepper->data, LAM_TRAINING, path);
}

static bool lam_stepper_state(void *context, const char *path) {
  const struct lam_model *model = ((struct lam_stepper *)context)->program->model;
  return lam_answer_tensors(path, model->tensors, model->tensor_count);
}

static const struct lam_command lam_stepper_orders[] = {{"time", lam_stepper_time},
                                                        {"kernels", lam_stepper_kernels},
                                                        {"outputs", lam_stepper_outputs},
                                                        {"state", lam_stepper_state},
                                                        {0}};

static int lam_steps_main(struct lam_program *program, const struct lam_options *options) {
  struct lam_stepper stepper = {.program = program, .slow = lam_option_number(options, "slow", 0) / 100};
  if (!lam_stepper_open(&stepper, options)) return 1;
  bool good = lam_obey(lam_stepper_orders, &stepper);
  lam_feed_stop(stepper.feed);
  lam_dataset_close(stepper.data);
  return good ? 0 : 1;
}

static const struct lam_option lam_steps_options[] = {
    {"seed", "N", "of initial values, order and dropout (default: the spec's)", 0, 4294967295.0},
    {"slow", "X", "percent by which to slow each step down, to test what measures it", 0, 1000},
    {0}};
LAM_API const struct lam_verb lam_steps_verb = {"steps", "takes training steps when told to on stdin, and times them",
                                                lam_steps_options, lam_steps_main};
