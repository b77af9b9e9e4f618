/* Takes training steps on demand, for `lamella compare`. It begins with a line "ready UNITS WHAT" on stdout, the
   tokens or examples in a step. Then commands come as lines on stdin, and each is answered by lines on stdout:
     steps N       takes N steps: for each its loss, and the seconds that it took
     outputs FILE  writes the model's outputs for the first examples: "done", or "none" without the routine predict
     state FILE    writes all tensors, the optimizer's too: "done"
     kernels N     takes N steps like "steps", with a clock at every kernel. Then come "kernels" and how many there are,
                   and for each its calls and seconds in all these steps, its name, and the parts of the model that it
                   computes. Later steps have the clocks, too, which cost time.
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
  char *initial = lam_find_file(settings->initial, settings->initial_here, "");
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

static void lam_stepper_step(struct lam_stepper *stepper) {
  struct lam_run *run = &stepper->run;
  double begin = lam_seconds();
  double loss = lam_train_step(stepper->program, run, stepper->feed, stepper->accumulate);
  run->rows += stepper->data->batch * stepper->accumulate;
  double seconds = lam_seconds() - begin, wanted = seconds * (1 + stepper->slow);
  while (stepper->slow > 0 && seconds < wanted) seconds = lam_seconds() - begin;
  printf("%.17g %.9f\n", loss, seconds);
  fflush(stdout); /* so that the reader gets each step as it ends */
}

static bool lam_stepper_write(const char *path, const struct lam_tensor *tensors, int count) {
  struct lam_pairs metadata = {0};
  bool done = lam_weights_write(path, tensors, count, &metadata);
  if (done) puts("done");
  return done;
}

/* Runs the model on the first examples of the training part, and writes its outputs. */
static bool lam_stepper_outputs(struct lam_stepper *stepper, const char *path) {
  struct lam_program *program = stepper->program;
  struct lam_routine *routine = &program->routines[LAM_PREDICT];
  if (!routine->exists) {
    puts("none");
    return true;
  }
  struct lam_dataset *dataset = lam_dataset_share(stepper->data, LAM_PREDICT);
  void **batch = lam_batch_create(dataset);
  int64_t examples = lam_dataset_examples(dataset, LAM_TRAINING);
  for (int64_t i = 0; i < dataset->batch; i++) {
    struct lam_row row = lam_dataset_row(dataset, LAM_TRAINING, i < examples ? i : 0);
    lam_batch_fill(batch, dataset, i, &row);
  }
  lam_batch_deliver(batch, dataset);
  lam_run_routine(program, LAM_PREDICT, 0, 0, stepper->run.seed, NULL);
  struct lam_tensor *tensors = lam_allocate(routine->output_count, sizeof *tensors);
  for (int i = 0; i < routine->output_count; i++) {
    const struct lam_port *port = &routine->outputs[i];
    tensors[i] = (struct lam_tensor){
        .name = port->name, .axes = port->axes, .type = port->type, .rank = port->rank, .data = port->data};
    memcpy(tensors[i].shape, port->shape, sizeof port->shape);
  }
  bool done = lam_stepper_write(path, tensors, routine->output_count);
  free(tensors);
  lam_batch_free(batch, dataset);
  free(dataset);
  return done;
}

static void lam_stepper_kernels(struct lam_stepper *stepper, long long steps) {
  const struct lam_bench *bench = stepper->program->bench;
  int count = bench ? bench->kernel_count : 0;
  double *seconds = lam_allocate(count + 1, sizeof *seconds);
  int64_t *calls = lam_allocate(count + 1, sizeof *calls);
  if (bench) lam_watch_kernels(bench, seconds, calls);
  for (; steps > 0; steps--) lam_stepper_step(stepper);
  printf("kernels %d\n", count);
  for (int i = 0; i < count; i++)
    printf("%lld %.9f %s %s\n", (long long)calls[i], seconds[i], bench->kernels[i].name, bench->kernels[i].where);
}

static bool lam_stepper_obey(struct lam_stepper *stepper, char *line) {
  char *argument = strchr(line, ' ');
  if (argument) *argument++ = 0;
  if (!argument) return lam_error("steps: %s what?", line);
  if (strcmp(line, "steps") == 0) {
    for (long long left = strtoll(argument, NULL, 10); left > 0; left--) lam_stepper_step(stepper);
    return true;
  }
  if (strcmp(line, "kernels") == 0) return lam_stepper_kernels(stepper, strtoll(argument, NULL, 10)), true;
  if (strcmp(line, "outputs") == 0) return lam_stepper_outputs(stepper, argument);
  if (strcmp(line, "state") == 0)
    return lam_stepper_write(argument, stepper->program->model->tensors, stepper->program->model->tensor_count);
  return lam_error("steps: no command is called %s", line);
}

static int lam_steps_main(struct lam_program *program, const struct lam_options *options) {
  struct lam_stepper stepper = {.program = program, .slow = lam_option_number(options, "slow", 0) / 100};
  if (!lam_stepper_open(&stepper, options)) return 1;
  bool good = true;
  char line[4096];
  while (good && fflush(stdout) == 0 && fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (strcmp(line, "quit") == 0) break;
    good = lam_stepper_obey(&stepper, line);
  }
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
