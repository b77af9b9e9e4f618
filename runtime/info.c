/* Describes the program: its tensors, data and settings. */
#include "runtime/runtime.h"

#include <stdio.h>

static void lam_info_ports(const char *routine, const struct lam_port *ports, int count, const char *direction) {
  static const char *const types[] = {"real", "integer", "boolean"};
  char shape[LAM_SHAPE_TEXT];
  for (const struct lam_port *port = ports; port < ports + count; port++)
    printf("  %-10s %s %s %s %s\n", routine, direction, port->name, lam_port_text(shape, port), types[port->type]);
}

static void lam_info_data(const struct lam_data *data) {
  const struct lam_tokenizer *tokenizer = data->tokenizer;
  printf("data      %s: %s%s%s%s%s, split %g", data->name, data->reader ? data->reader->name : "unread",
         data->path ? " " : "", data->path ? data->path : "", tokenizer ? ", " : "", tokenizer ? tokenizer->units : "",
         data->split);
  if (data->examples > 0) printf(", %lld examples", (long long)data->examples);
  if (data->mask > 0) printf(", %g%% masked", 100 * data->mask);
  putchar('\n');
}

static void lam_info_settings(const struct lam_settings *settings) {
  bool steps = settings->steps >= 0;
  printf("training  batch %lld x %lld, %lld %s, seed %lu", (long long)settings->batch, (long long)settings->accumulate,
         (long long)(steps ? settings->steps : settings->epochs), steps ? "steps" : "epochs",
         (unsigned long)settings->seed);
  if (settings->clip > 0) printf(", clip %g", settings->clip);
  if (settings->average > 0) printf(", average %g", settings->average);
  printf("%s%s\n", settings->initial ? ", from " : "", settings->initial ? settings->initial : "");
}

static int lam_info_main(struct lam_program *program, const struct lam_options *options) {
  static const char *const roles[] = {"parameter", "optimizer", "accumulator", "average",
                                      "cache",     "prepared",  "derived"};
  static const char *const stored[] = {"", "", "", "bf16", "f16", "i8", "u8", "i4", "u4"}; /* by enum lam_type */
  int64_t numbers[LAM_DERIVED + 1] = {0}, trained = 0;
  double bytes[LAM_DERIVED + 1] = {0}, total = 0;
  char shape[LAM_SHAPE_TEXT];
  int threads = 1;
#ifdef _OPENMP
  threads = omp_get_max_threads();
#endif
  bool all = lam_option_text(options, "all", NULL) != NULL;
  printf("program   %s, model %s, for %s, %d thread%s\n", program->name, program->model->name, program->target, threads,
         threads > 1 ? "s" : "");
  if (program->data) lam_info_data(program->data);
  if (program->settings && program->routines[LAM_TRAIN].exists) lam_info_settings(program->settings);
  for (int i = 0; i < program->model->tensor_count; i++) {
    const struct lam_tensor *tensor = &program->model->tensors[i];
    int64_t count = lam_count(tensor->shape, tensor->rank);
    numbers[tensor->role] += count;
    if (tensor->role == LAM_PARAMETER && !tensor->frozen) trained += count;
    bytes[tensor->role] += (double)lam_type_bytes(tensor->type, count);
    if (tensor->role != LAM_PARAMETER && !all) continue;
    lam_shape_text(shape, tensor->axes, tensor->shape, tensor->rank);
    printf("  %-40s %-32s %s%s%s%s\n", tensor->name, shape, roles[tensor->role], *stored[tensor->type] ? ", " : "",
           stored[tensor->type], tensor->frozen ? ", frozen" : "");
  }
  for (int i = 0; lam_routine_at(program, i); i++) {
    const struct lam_routine *routine = lam_routine_at(program, i);
    if (!routine->exists) continue;
    lam_info_ports(lam_routine_name(program, i), routine->inputs, routine->input_count, "<-");
    lam_info_ports(lam_routine_name(program, i), routine->outputs, routine->output_count, "->");
  }
  printf("numbers   %lld parameters (%lld trained)", (long long)numbers[LAM_PARAMETER], (long long)trained);
  for (int role = 0; role <= LAM_DERIVED; role++) {
    total += bytes[role];
    if (role != LAM_PARAMETER && numbers[role]) printf(", %lld %s", (long long)numbers[role], roles[role]);
    if (role == LAM_CACHE && numbers[role]) printf(" (%.1f MB)", bytes[role] / 1e6);
  }
  printf("; %.1f MB in all\n", total / 1e6);
  return 0;
}

static const struct lam_option lam_info_options[] = {{"all", NULL, "list every tensor, not parameters alone", 0, 0},
                                                     {0}};
LAM_API const struct lam_verb lam_info_verb = {"info", "model, tensors, data and settings", lam_info_options,
                                               lam_info_main};
