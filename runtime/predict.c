/* Prints or writes the model's outputs for rows of data or for inputs given by hand. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t lam_row_bytes(const struct lam_port *port) {
  return lam_port_bytes(port) / (size_t)(port->shape[0] ? port->shape[0] : 1);
}

static bool lam_has_batch(const struct lam_port *port) {
  return strcspn(port->axes, ",") == 5 && strncmp(port->axes, "batch", 5) == 0;
}

int64_t lam_batch_size(const struct lam_routine *routine) {
  int64_t size = 1;
  for (int i = 0; i < routine->input_count; i++)
    if (lam_has_batch(&routine->inputs[i])) size = routine->inputs[i].shape[0];
  return size;
}

static int64_t lam_row_count(const struct lam_port *port) { return lam_count(port->shape + 1, port->rank - 1); }

/* --- Inputs given by hand ----------------------------------------------------------------------------------------- */

struct lam_given {
  const struct lam_routine *routine;
  void **values; /* all rows of each of the routine's inputs, or NULL */
  int64_t rows; /* -1: not known yet */
};

/* Memory for an input's rows: as many as `entry` has, whose shape must fit, or one without it. NULL after an error. */
static void *lam_given_set(struct lam_given *given, const char *name, const struct lam_entry *entry,
                           const struct lam_port **input) {
  const struct lam_routine *routine = given->routine;
  const struct lam_port *port = *input = lam_find_port(routine->inputs, routine->input_count, name);
  char there[LAM_SHAPE_TEXT], here[LAM_SHAPE_TEXT];
  if (!port || !lam_is_fed(port)) return lam_error("the model has no input %s", name), NULL;
  if (given->values[port - routine->inputs]) return lam_error("input %s is given twice", name), NULL;
  bool same = !entry || entry->rank == port->rank;
  for (int k = 1; entry && same && k < entry->rank; k++) same = entry->shape[k] == port->shape[k];
  if (!same)
    return lam_error("%s is %s in the file, and the model takes %s, any number of rows", name,
                     lam_shape_text(there, NULL, entry->shape, entry->rank), lam_port_text(here, port)),
           NULL;
  int64_t rows = entry ? entry->shape[0] : 1;
  if (given->rows >= 0 && given->rows != rows)
    return lam_error("input %s has %lld rows, another %lld", name, (long long)rows, (long long)given->rows), NULL;
  given->rows = rows;
  return given->values[port - routine->inputs] = lam_allocate(rows, lam_row_bytes(port));
}

/* Reads one row of an input from NAME=1,2,3. */
static bool lam_given_text(struct lam_given *given, const char *text) {
  char name[128] = "", shape[LAM_SHAPE_TEXT], *end;
  size_t length = strcspn(text, "=");
  if (!text[length] || !length || length >= sizeof name)
    return lam_error("--input %s: NAME=NUMBER,NUMBER... is wanted", text);
  memcpy(name, text, length);
  const struct lam_port *port;
  void *values = lam_given_set(given, name, NULL, &port);
  if (!values) return false;
  int64_t count = 0;
  for (const char *at = text + length + 1; *at; count++) {
    double x = strtod(at, &end);
    if (end == at || (*end && *end != ',')) return lam_error("--input %s: \"%s\" is not a number", name, at);
    if (port->type == LAM_TYPE_INTEGER && !(x >= INT32_MIN && x <= INT32_MAX && x == (double)(int32_t)x))
      return lam_error("--input %s: %.*s is no whole number of 32 bits", name, (int)(end - at), at);
    if (count < lam_row_count(port)) lam_set(values, port->type, count, x);
    at = end + (*end == ',');
  }
  if (count == lam_row_count(port)) return true;
  return lam_error("--input %s: %lld numbers, where %s takes %lld", name, (long long)count, lam_port_text(shape, port),
                   (long long)lam_row_count(port));
}

/* Reads rows from tensors that have the inputs' names and an axis of rows first. */
static bool lam_given_file(struct lam_given *given, const char *path) {
  struct lam_weights *weights = lam_weights_open(path, NULL);
  bool good = weights != NULL;
  for (int64_t i = 0; good && i < weights->count; i++) {
    const struct lam_port *port;
    void *values = lam_given_set(given, weights->entries[i].name, &weights->entries[i], &port);
    good = values && lam_weights_read(weights, &weights->entries[i], port->type, values);
  }
  lam_weights_close(weights);
  return good;
}

static bool lam_given_check(const struct lam_given *given) {
  char shape[LAM_SHAPE_TEXT];
  for (int i = 0; i < given->routine->input_count; i++) {
    const struct lam_port *port = &given->routine->inputs[i];
    const int32_t *ids = given->values[i];
    if (!lam_is_fed(port)) continue;
    if (!ids) return lam_error("input %s %s is not given", port->name, lam_port_text(shape, port));
    int64_t count = port->type == LAM_TYPE_INTEGER && port->range ? lam_row_count(port) : 0;
    for (int64_t k = 0; k < given->rows * count; k++)
      if (ids[k] < 0 || ids[k] >= port->range)
        return lam_error("input %s, row %lld: %d is not from 0 to %lld", port->name, (long long)(k / count),
                         (int)ids[k], (long long)port->range - 1);
  }
  return true;
}

/* Sets the inputs of a routine that predicts to rows from `first` on; rows past the last are copies of it. All of these
   routines have the same inputs, in the same order. */
static void lam_given_deliver(const struct lam_given *given, const struct lam_routine *routine, int64_t first) {
  for (int i = 0; i < routine->input_count; i++) {
    const struct lam_port *port = &routine->inputs[i];
    size_t bytes = lam_row_bytes(port);
    for (int64_t k = 0; lam_has_batch(port) && k < port->shape[0]; k++) {
      int64_t row = first + k < given->rows ? first + k : given->rows - 1;
      if (given->values[i])
        memcpy((char *)port->data + (size_t)k * bytes, (char *)given->values[i] + (size_t)row * bytes, bytes);
      else
        ((int32_t *)port->data)[k] = (int32_t)row;
    }
  }
}

/* --- Outputs ------------------------------------------------------------------------------------------------------ */

/* The place of the largest of `count` numbers, counted from element `first` on. */
static int64_t lam_largest(const struct lam_port *port, int64_t first, int64_t count) {
  int64_t best = 0;
  for (int64_t k = 1; k < count; k++)
    if (lam_get(port->data, port->type, first + k) > lam_get(port->data, port->type, first + best)) best = k;
  return best;
}

/* Prints few numbers all; of many the place of the largest along the last axis, at each place of the others. */
static void lam_print_output(const struct lam_port *port, int64_t place, const struct lam_data *data,
                             const struct lam_pairs *facts) {
  enum { FEW = 16, PLACES = 64 };
  char shape[LAM_SHAPE_TEXT];
  int64_t count = lam_row_count(port), last = port->rank > 1 ? port->shape[port->rank - 1] : 1;
  bool is_class = port->rank == 2 && count > 1;
  printf("  %s", port->name);
  for (int64_t k = 0; count <= FEW && k < count; k++)
    printf(" %.6g", lam_get(port->data, port->type, place * count + k));
  if (count > FEW && count / last > PLACES)
    printf(" %s", lam_port_text(shape, port));
  else if (count > FEW || is_class)
    for (int64_t k = 0; k < count; k += last)
      printf("%s%lld", k ? " " : " top ", (long long)lam_largest(port, place * count + k, last));
  const bool named = is_class && data && data->reader->class_name;
  const char *name = named ? data->reader->class_name(facts, lam_largest(port, place * count, count)) : NULL;
  char shown[LAM_SHOWN];
  if (name) printf(" (%s)", lam_shown(shown, name));
}

static void lam_print_outputs(const struct lam_program *program, const struct lam_routine *routine, int64_t first,
                              int64_t count, const struct lam_pairs *facts) {
  for (int64_t row = 0; row < count; row++) {
    printf("%lld", (long long)(first + row));
    for (int i = 0; i < routine->output_count; i++)
      if (lam_has_batch(&routine->outputs[i])) lam_print_output(&routine->outputs[i], row, program->data, facts);
    putchar('\n');
  }
}

/* Tensors to write, with memory for all rows of all outputs. */
static struct lam_tensor *lam_collect_start(const struct lam_routine *routine, int64_t rows) {
  struct lam_tensor *tensors = lam_allocate(routine->output_count, sizeof *tensors);
  for (int i = 0; i < routine->output_count; i++) {
    const struct lam_port *port = &routine->outputs[i];
    tensors[i] = (struct lam_tensor){.name = port->name, .axes = port->axes, .type = port->type, .rank = port->rank};
    memcpy(tensors[i].shape, port->shape, sizeof port->shape);
    if (lam_has_batch(port)) tensors[i].shape[0] = rows;
    tensors[i].data = lam_allocate(lam_count(tensors[i].shape, port->rank), lam_type_size(port->type));
  }
  return tensors;
}

static void lam_collect(struct lam_tensor *tensors, const struct lam_routine *routine, int64_t first, int64_t count) {
  for (int i = 0; i < routine->output_count; i++) {
    const struct lam_port *port = &routine->outputs[i];
    size_t bytes = lam_row_bytes(port);
    if (lam_has_batch(port))
      memcpy((char *)tensors[i].data + (size_t)first * bytes, port->data, (size_t)count * bytes);
    else
      memcpy(tensors[i].data, port->data, lam_port_bytes(port));
  }
}

/* --- The verb ----------------------------------------------------------------------------------------------------- */

static bool lam_given_read(struct lam_given *given, const struct lam_options *options) {
  const char *file = lam_option_text(options, "inputs", NULL);
  for (int i = 0; i < options->count; i++)
    if (strcmp(options->given[i].key, "input") == 0 && !lam_given_text(given, options->given[i].value)) return false;
  return (!file || lam_given_file(given, file)) && lam_given_check(given);
}

/* Fills the inputs of a routine: `count` rows from row `first` on, then copies of that row. */
static void lam_predict_rows(const struct lam_dataset *data, int number, int64_t first, int64_t count) {
  struct lam_dataset *dataset = lam_dataset_share(data, number);
  void **batch = lam_batch_create(dataset);
  for (int64_t i = 0; i < dataset->batch; i++) {
    struct lam_row row = lam_dataset_row(dataset, LAM_EVERYTHING, i < count ? first + i : first);
    lam_batch_fill(batch, dataset, i, &row);
  }
  lam_batch_deliver(batch, dataset);
  lam_batch_free(batch, dataset);
  free(dataset);
}

static int lam_predict_main(struct lam_program *program, const struct lam_options *options) {
  int number = program->choose ? program->choose(program, 1) : LAM_PREDICT;
  struct lam_routine *routine = lam_routine_at(program, number); /* all that predict differ in the batch alone */
  struct lam_run run = {0};
  struct lam_given given = {routine, lam_allocate(routine->input_count, sizeof(void *)), -1};
  const char *out = lam_option_text(options, "out", NULL), *data = lam_option_text(options, "data", NULL);
  bool by_hand = lam_option_text(options, "inputs", NULL) || lam_option_text(options, "input", NULL);
  bool weights = lam_option_text(options, "weights", NULL) != NULL;
  for (int i = 0; i < program->model->tensor_count; i++) weights |= program->model->tensors[i].role == LAM_PARAMETER;
  if (weights && !lam_checkpoint_use(program, &run, options)) return 1;
  if (by_hand && !lam_given_read(&given, options)) return 1;
  if (!by_hand && !program->data) return lam_error("which inputs? --input or --inputs gives them") + 1;
  struct lam_dataset *dataset = by_hand ? NULL : lam_dataset_open(program, number, data, run.seed, &run.facts);
  if (!by_hand && !dataset) return 1;
  int64_t rows = by_hand ? given.rows : lam_dataset_examples(dataset, LAM_EVERYTHING);
  struct lam_tensor *tensors = lam_collect_start(routine, out ? rows : 0);
  for (int64_t first = 0, count; first < rows && !ferror(stdout); first += count) {
    if (program->choose) number = program->choose(program, rows - first);
    routine = lam_routine_at(program, number);
    count = lam_batch_size(routine) < rows - first ? lam_batch_size(routine) : rows - first;
    if (dataset)
      lam_predict_rows(dataset, number, first, count);
    else
      lam_given_deliver(&given, routine, first);
    lam_run_routine(program, number, 0, 0, run.seed, NULL);
    if (out)
      lam_collect(tensors, routine, first, count);
    else
      lam_print_outputs(program, routine, first, count, &run.facts);
  }
  struct lam_pairs metadata = {0};
  bool good = lam_pairs_add(&metadata, "format", "lamella outputs", 15) || lam_error("out of memory");
  if (good && out) good = lam_weights_write(out, tensors, routine->output_count, &metadata);
  char shown[LAM_SHOWN];
  if (out && good) printf("%lld rows in %s\n", (long long)rows, lam_shown(shown, out));
  for (int i = 0; i < routine->output_count; i++) free(tensors[i].data);
  for (int i = 0; i < routine->input_count; i++) free(given.values[i]);
  free(tensors);
  free(given.values);
  lam_dataset_close(dataset);
  lam_pairs_free(&run.facts);
  lam_pairs_free(&metadata);
  return good ? 0 : 1;
}

static const struct lam_option lam_predict_options[] = {
    {"weights", "FILE", "weights in safetensors (default: NAME.safetensors)", 0, 0},
    {"data", "FILE", "rows to predict for (default: the spec's data)", 0, 0},
    {"input", "NAME=NUMBERS", "one row of an input, for each input: x=1,2,3", 0, 0},
    {"inputs", "FILE", "rows of all inputs, as tensors in safetensors", 0, 0},
    {"out", "FILE", "write all outputs as tensors in safetensors", 0, 0},
    {0}};
LAM_API const struct lam_verb lam_predict_verb = {"predict", "the model's outputs for rows of data",
                                                  lam_predict_options, lam_predict_main};
