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

enum { LAM_ROLES = LAM_QUANTIZED + 1, LAM_TYPES = LAM_TYPE_U4 + 1 };
static const char *const lam_role_names[LAM_ROLES] = {"parameter", "optimizer", "accumulator", "average",
                                                      "cache",     "prepared",  "derived",     "quantized"};
static const char *const lam_stored[LAM_TYPES] = {"", "", "", "bf16", "f16", "i8", "u8", "i4", "u4"};

static void lam_info_cell(double bytes, double unit) {
  if (bytes > 0)
    printf(" %9.3f", bytes / unit);
  else
    printf(" %9s", "-");
}

/* A table of the bytes: a row for each role that some tensor has, a column for each storage. */
static void lam_info_bytes(double bytes[LAM_ROLES + 1][LAM_TYPES + 1]) {
  const bool large = bytes[LAM_ROLES][LAM_TYPES] >= 1e6;
  printf("%-13s", large ? "megabytes" : "kilobytes");
  for (int type = 0; type <= LAM_TYPES; type++) {
    const char *name = type == LAM_TYPES          ? "all"
                       : type == LAM_TYPE_REAL    ? sizeof(lam_real) == 8 ? "f64" : "f32"
                       : type == LAM_TYPE_INTEGER ? "i32"
                       : type == LAM_TYPE_BOOLEAN ? "bool"
                                                  : lam_stored[type];
    if (bytes[LAM_ROLES][type] > 0) printf(" %9s", name);
  }
  putchar('\n');
  for (int role = 0; role <= LAM_ROLES; role++) {
    if (!(bytes[role][LAM_TYPES] > 0)) continue;
    printf("  %-11s", role == LAM_ROLES ? "all" : lam_role_names[role]);
    for (int type = 0; type <= LAM_TYPES; type++)
      if (bytes[LAM_ROLES][type] > 0) lam_info_cell(bytes[role][type], large ? 1e6 : 1e3);
    putchar('\n');
  }
}

static int lam_info_main(struct lam_program *program, const struct lam_options *options) {
  int64_t numbers[LAM_ROLES] = {0}, trained = 0;
  double bytes[LAM_ROLES + 1][LAM_TYPES + 1] = {{0}};
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
    const double own = tensor->data ? (double)lam_type_bytes(tensor->type, count) : 0;
    bytes[tensor->role][tensor->type] += own;
    bytes[tensor->role][LAM_TYPES] += own;
    bytes[LAM_ROLES][tensor->type] += own;
    bytes[LAM_ROLES][LAM_TYPES] += own;
    if (tensor->role != LAM_PARAMETER && !all) continue;
    lam_shape_text(shape, tensor->axes, tensor->shape, tensor->rank);
    printf("  %-40s %-32s %s%s%s%s\n", tensor->name, shape, lam_role_names[tensor->role],
           *lam_stored[tensor->type] ? ", " : "", lam_stored[tensor->type], tensor->frozen ? ", frozen" : "");
  }
  for (int i = 0; lam_routine_at(program, i); i++) {
    const struct lam_routine *routine = lam_routine_at(program, i);
    if (!routine->exists) continue;
    lam_info_ports(lam_routine_name(program, i), routine->inputs, routine->input_count, "<-");
    lam_info_ports(lam_routine_name(program, i), routine->outputs, routine->output_count, "->");
  }
  printf("numbers   %lld parameters (%lld trained)", (long long)numbers[LAM_PARAMETER], (long long)trained);
  for (int role = LAM_OPTIMIZER; role <= LAM_QUANTIZED; role++)
    if (numbers[role]) printf(", %lld %s", (long long)numbers[role], lam_role_names[role]);
  printf("; %.1f MB in all\n", bytes[LAM_ROLES][LAM_TYPES] / 1e6);
  lam_info_bytes(bytes);
  return 0;
}

static const struct lam_option lam_info_options[] = {{"all", NULL, "list every tensor, not parameters alone", 0, 0},
                                                     {0}};
LAM_API const struct lam_verb lam_info_verb = {"info", "model, tensors, data and settings", lam_info_options,
                                               lam_info_main};
