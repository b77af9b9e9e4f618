/* Does what lines on stdin ask for: what the verbs of `lamella compare` have in common. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool lam_obey(const struct lam_command *orders, void *context) {
  char line[4096];
  bool good = true;
  while (good && fflush(stdout) == 0 && fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (strcmp(line, "quit") == 0) break;
    char *argument = strchr(line, ' ');
    if (argument) *argument++ = 0;
    const struct lam_command *order = orders;
    while (order->name && strcmp(order->name, line) != 0) order++;
    if (!order->name)
      good = lam_error("no command is called %s", line);
    else
      good = argument ? order->obey(context, argument) : lam_error("%s what?", line);
  }
  return good;
}

bool lam_answer_tensors(const char *path, const struct lam_tensor *tensors, int count) {
  struct lam_pairs metadata = {0};
  bool done = lam_weights_write(path, tensors, count, &metadata);
  if (done) puts("done");
  return done;
}

bool lam_answer_outputs(const struct lam_dataset *data, enum lam_part part, const char *path) {
  struct lam_program *program = data->program;
  struct lam_routine *routine = &program->routines[LAM_PREDICT];
  if (!routine->exists) {
    puts("none");
    return true;
  }
  struct lam_dataset *dataset = lam_dataset_share(data, LAM_PREDICT);
  void **batch = lam_batch_create(dataset);
  int64_t examples = lam_dataset_examples(dataset, part);
  for (int64_t i = 0; i < dataset->batch; i++) {
    struct lam_row row = lam_dataset_row(dataset, part, i < examples ? i : 0);
    lam_batch_fill(batch, dataset, i, &row);
  }
  lam_batch_deliver(batch, dataset);
  lam_run_routine(program, LAM_PREDICT, 0, 0, data->seed, NULL);
  struct lam_tensor *tensors = lam_allocate(routine->output_count, sizeof *tensors);
  for (int i = 0; i < routine->output_count; i++) {
    const struct lam_port *port = &routine->outputs[i];
    tensors[i] = (struct lam_tensor){
        .name = port->name, .axes = port->axes, .type = port->type, .rank = port->rank, .data = port->data};
    memcpy(tensors[i].shape, port->shape, sizeof port->shape);
  }
  bool done = lam_answer_tensors(path, tensors, routine->output_count);
  free(tensors);
  lam_batch_free(batch, dataset);
  free(dataset);
  return done;
}

void lam_answer_kernels(const struct lam_program *program, void (*work)(void *context), void *context,
                        long long times) {
  const struct lam_bench *bench = program->bench;
  int count = bench ? bench->kernel_count : 0;
  double *seconds = lam_allocate(count + 1, sizeof *seconds);
  int64_t *calls = lam_allocate(count + 1, sizeof *calls);
  if (bench) lam_watch_kernels(bench, seconds, calls);
  for (; times > 0; times--) work(context);
  printf("kernels %d\n", count);
  for (int i = 0; i < count; i++)
    printf("%lld %.9f %s %s\n", (long long)calls[i], seconds[i], bench->kernels[i].name, bench->kernels[i].where);
}
