/* The model's outputs for rows of data or for inputs given by hand. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Inputs given by hand: for each of the routine's inputs all rows, or NULL where the runtime fills them. */
struct lam_given {
  void **values;
  int64_t rows; /* -1: not known yet */
};

static size_t lam_row_bytes(const struct lam_port *port) {
  return (size_t)lam_count(port->shape + 1, port->rank - 1) * lam_type_size(port->type);
}

static bool lam_has_batch(const struct lam_port *port) {
  return port->rank > 0 && strncmp(port->axes, "batch", 5) == 0 && (!port->axes[5] || port->axes[5] == ',');
}

/* Inputs such as step and example are not the user's. */
static bool lam_is_users(const struct lam_port *port) {
  return lam_has_batch(port) && strcmp(port->name, "example") != 0;
}

/* Memory for the rows of an input: as many as `entry` has, whose shape must fit, or one. NULL after a message. */
static void *lam_given_set(struct lam_given *given, const struct lam_routine *routine, const char *name,
                           const struct lam_entry *entry, const struct lam_port **port) {
  char there[LAM_SHAPE_TEXT], here[LAM_SHAPE_TEXT];
  int number = 0;
  while (number < routine->input_count &&
         (strcmp(routine->inputs[number].name, name) != 0 || !lam_is_users(&routine->inputs[number])))
    number++;
  if (number == routine->input_count) return lam_error("the model has no input %s", name), NULL;
  if (given->values[number]) return lam_error("input %s is given twice", name), NULL;
  *port = &routine->inputs[number];
  bool same = !entry || entry->rank == (*port)->rank;
  for (int k = 1; entry && same && k < entry->rank; k++) same = entry->shape[k] == (*port)->shape[k];
  if (!same)
    return lam_error("%s is %s in the file, and the model takes %s, any number of rows", name,
                     lam_shape_text(there, NULL, entry->shape, entry->rank),
                     lam_shape_text(here, (*port)->axes, (*port)->shape, (*port)->rank)),
           NULL;
  int64_t rows = entry ? entry->shape[0] : 1;
  if (given->rows >= 0 && given->rows != rows)
    return lam_error("input %s has %lld rows, another %lld", name, (long long)rows, (long long)given->rows), NULL;
  given->rows = rows;
  return given->values[number] = lam_allocate(rows, lam_row_bytes(*port));
}

/* NAME=1,2,3: one row. */
static bool lam_given_text(struct lam_given *given, const struct lam_routine *routine, const char *text) {
  char name[128] = "", shape[LAM_SHAPE_TEXT];
  size_t length = strcspn(text, "=");
  if (!text[length] || !length || length >= sizeof name)
    return lam_error("--input %s: NAME=NUMBER,NUMBER... is wanted", text);
  memcpy(name, text, length);
  const struct lam_port *port;
  void *values = lam_given_set(given, routine, name, NULL, &port);
  if (!values) return false;
  int64_t wanted = lam_count(port->shape + 1, port->rank - 1), count = 0;
  for (const char *at = text + length + 1; *at; count++) {
    char *end;
    double x = strtod(at, &end);
    if (end == at || (*end && *end != ',')) return lam_error("--input %s: \"%s\" is not a number", name, at);
    if (port->type == LAM_TYPE_INTEGER && !(x >= 0 && x <= INT32_MAX)) x = -1; /* refused later, with the row */
    if (count < wanted) lam_set(values, port->type, count, x);
    at = end + (*end == ',');
  }
  if (count == wanted) return true;
  return lam_error("--input %s: %lld numbers, where %s takes %lld", name, (long long)count,
                   lam_shape_text(shape, port->axes, port->shape, port->rank), (long long)wanted);
}

/* Tensors by input name, rows first. */
static bool lam_given_file(struct lam_given *given, const struct lam_routine *routine, const char *path) {
  struct lam_weights *weights = lam_weights_open(path);
  bool good = weights != NULL;
  for (int64_t i = 0; good && i < weights->count; i++) {
    const struct lam_entry *entry = &weights->entries[i];
    const struct lam_port *port;
    void *values = lam_given_set(given, routine, entry->name, entry, &port);
    good = values && lam_weights_read(weights, entry, port->type, values);
  }
  lam_weights_close(weights);
  return good;
}

static bool lam_given_check(const struct lam_given *given, const struct lam_routine *routine) {
  char shape[LAM_SHAPE_TEXT];
  for (int i = 0; i < routine->input_count; i++) {
    const struct lam_port *port = &routine->inputs[i];
    if (!lam_is_users(port)) continue;
    if (!given->values[i])
      return lam_error("input %s %s is not given", port->name,
                       lam_shape_text(shape, port->axes, port->shape, port->rank));
    int64_t count = lam_count(port->shape + 1, port->rank - 1);
    for (int64_t k = 0; port->type == LAM_TYPE_INTEGER && k < given->rows * count; k++) {
      int32_t id = ((int32_t *)given->values[i])[k];
      if (port->range && (id < 0 || id >= port->range))
        return lam_error("input %s, row %lld: %d is not from 0 to %lld", port->name, (long long)(k / count), (int)id,
                         (long long)port->range - 1);
    }
  }
  return true;
}

/* Rows past the last are copies of it. */
static void lam_given_deliver(const struct lam_given *given, struct lam_routine *routine, int64_t first) {
  for (int i = 0; i < routine->input_count; i++) {
    struct lam_port *port = &routine->inputs[i];
    if (!lam_has_batch(port)) continue;
    for (int64_t k = 0; k < port->shape[0]; k++) {
      int64_t row = first + k < given->rows ? first + k : given->rows - 1;
      size_t bytes = lam_row_bytes(port);
      if (given->values[i])
        memcpy((char *)port->data + (size_t)k * bytes, (char *)given->values[i] + (size_t)row * bytes, bytes);
      else
        ((int32_t *)port->data)[k] = (int32_t)row;
    }
  }
}

/* The name of a class, where the data's only categories have one for each. */
static const char *lam_class_name(const struct lam_run *run, int64_t id) {
  const struct lam_pair *names = NULL;
  for (int64_t i = 0; i < run->facts.count; i++)
    if (strncmp(run->facts.items[i].key, "categories:", 11) == 0) {
      if (names) return NULL;
      names = &run->facts.items[i];
    }
  for (size_t at = 0; names && at < names->length; at += strlen(names->value + at) + 1)
    if (id-- == 0) return names->value + at;
  return NULL;
}

/* The largest of `count` numbers from element `first` on. */
static int64_t lam_largest(const struct lam_port *port, int64_t first, int64_t count) {
  int64_t best = 0;
  for (int64_t k = 1; k < count; k++)
    if (lam_get(port->data, port->type, first + k) > lam_get(port->data, port->type, first + best)) best = k;
  return best;
}

/* Few numbers all; of many the largest along the last axis, at every place of the others. */
static void lam_print_outputs(const struct lam_routine *routine, const struct lam_run *run, int64_t row,
                              int64_t place) {
  enum { FEW = 16, PLACES = 64 };
  char shape[LAM_SHAPE_TEXT];
  printf("%lld", (long long)row);
  for (const struct lam_port *port = routine->outputs; port < routine->outputs + routine->output_count; port++) {
    if (!lam_has_batch(port)) continue;
    int64_t count = lam_count(port->shape + 1, port->rank - 1), last = port->rank > 1 ? port->shape[port->rank - 1] : 1;
    printf("  %s", port->name);
    for (int64_t k = 0; count <= FEW && k < count; k++)
      printf(" %.6g", lam_get(port->data, port->type, place * count + k));
    if (count > FEW && count / last > PLACES)
      printf(" %s", lam_shape_text(shape, port->axes, port->shape, port->rank));
    else if (count > FEW || (port->rank == 2 && count > 1))
      for (int64_t k = 0; k < count; k += last)
        printf("%s%lld", k ? " " : " top ", (long long)lam_largest(port, place * count + k, last));
    const char *name =
        port->rank == 2 && count > 1 ? lam_class_name(run, lam_largest(port, place * count, count)) : NULL;
    if (name) printf(" (%s)", name);
  }
  putchar('\n');
}

/* Memory for all rows of all outputs, and what to write. */
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
    if (lam_has_batch(port))
      memcpy((char *)tensors[i].data + (size_t)first * lam_row_bytes(port), port->data,
             (size_t)count * lam_row_bytes(port));
    else
      memcpy(tensors[i].data, port->data, (size_t)lam_count(port->shape, port->rank) * lam_type_size(port->type));
  }
}

static int lam_predict_main(struct lam_program *program, const struct lam_options *options) {
  struct lam_routine *routine = &program->routines[LAM_PREDICT];
  struct lam_run run = {.seed = program->settings ? program->settings->seed : 0};
  struct lam_given given = {lam_allocate(routine->input_count, sizeof(void *)), -1};
  const char *file = lam_option_text(options, "inputs", NULL), *out = lam_option_text(options, "out", NULL);
  bool by_hand = file || lam_option_text(options, "input", NULL);
  struct lam_dataset *dataset = NULL;
  struct lam_batch batch = {0};
  bool weights = lam_option_text(options, "weights", NULL) != NULL;
  for (int i = 0; i < program->tensor_count; i++) weights = weights || program->tensors[i].role == LAM_PARAMETER;
  if (weights && !lam_checkpoint_load(program, &run, lam_checkpoint_path(program, options, "weights"), LAM_USE)) return 1;
  for (int i = 0; i < options->count; i++)
    if (strcmp(options->given[i].key, "input") == 0 && !lam_given_text(&given, routine, options->given[i].value))
      return 1;
  if (file && !lam_given_file(&given, routine, file)) return 1;
  if (by_hand && !lam_given_check(&given, routine)) return 1;
  if (!by_hand && !program->data) return lam_error("which inputs? --input or --inputs gives them") + 1;
  if (!by_hand) {
    dataset = lam_dataset_open(program, LAM_PREDICT, lam_option_text(options, "data", NULL), run.seed, &run.facts);
    if (!dataset) return 1;
    lam_batch_create(&batch, dataset);
  }
  int64_t rows = by_hand ? given.rows : lam_dataset_examples(dataset, LAM_EVERYTHING), size = 1;
  for (int i = 0; i < routine->input_count; i++)
    if (lam_has_batch(&routine->inputs[i])) size = routine->inputs[i].shape[0];
  struct lam_tensor *tensors = out ? lam_collect_start(routine, rows) : NULL;
  for (int64_t first = 0; first < rows; first += size) {
    int64_t count = first + size < rows ? size : rows - first;
    for (int64_t i = 0; dataset && i < size; i++) {
      struct lam_row row = lam_dataset_row(dataset, LAM_EVERYTHING, i < count ? first + i : first);
      lam_batch_fill(&batch, dataset, i, &row);
    }
    if (dataset)
      lam_batch_deliver(&batch, dataset);
    else
      lam_given_deliver(&given, routine, first);
    lam_run_routine(program, LAM_PREDICT, 0, 0, run.seed, NULL);
    if (out) lam_collect(tensors, routine, first, count);
    for (int64_t i = 0; !out && i < count; i++) lam_print_outputs(routine, &run, first + i, i);
  }
  if (out) {
    struct lam_pairs metadata = {0};
    lam_pairs_add(&metadata, "format", "lamella outputs", 15);
    if (!lam_weights_write(out, tensors, routine->output_count, &metadata)) return 1;
    printf("%lld rows in %s\n", (long long)rows, out);
  }
  return 0;
}

static const struct lam_option lam_predict_options[] = {
    {"weights", "FILE", "weights in safetensors (default: NAME.safetensors)", 0, 0},
    {"data", "FILE", "rows to predict for (default: the spec's data)", 0, 0},
    {"input", "NAME=NUMBERS", "one row of an input, for each input: x=1,2,3", 0, 0},
    {"inputs", "FILE", "rows of all inputs, as tensors in safetensors", 0, 0},
    {"out", "FILE", "write all outputs as tensors in safetensors", 0, 0},
    {0}};
const struct lam_verb lam_predict_verb = {"predict", "the model's outputs for rows of data", lam_predict_options,
                                          lam_predict_main};
