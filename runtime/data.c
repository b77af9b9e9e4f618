/* Examples from any source: which columns a routine needs, what is training, batches of rows. */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

/* Inputs that every routine may have besides the data's columns. */
static bool lam_is_standard_input(const char *name) {
  static const char *const names[] = {"step", "steps", "example", "position"};
  for (int i = 0; i < 4; i++)
    if (strcmp(name, names[i]) == 0) return true;
  return false;
}

static int lam_find_column(const struct lam_data *data, const char *name) {
  for (int i = 0; i < data->column_count; i++)
    if (strcmp(data->columns[i].name, name) == 0) return i;
  return -1;
}

/* Matches a routine's inputs with columns. */
static bool lam_dataset_bind(struct lam_dataset *dataset, enum lam_routine_name routine) {
  const struct lam_data *data = dataset->data;
  char shape[LAM_SHAPE_TEXT];
  dataset->routine = &dataset->program->routines[routine];
  for (int i = 0; i < dataset->routine->input_count; i++) {
    const struct lam_port *port = &dataset->routine->inputs[i];
    if (port->rank > 0) dataset->batch = port->shape[0];
    if (lam_is_standard_input(port->name)) continue;
    int c = lam_find_column(data, port->name);
    if (c < 0) return lam_error("data %s has no column for the input %s", data->name, port->name);
    const struct lam_column *column = &data->columns[c];
    if (port->rank < 1 || lam_count(port->shape + 1, port->rank - 1) != column->length || port->type != column->type)
      return lam_error("column %s of data %s has %lld elements an example, of another type or number than the input %s",
                       column->name, data->name, (long long)column->length,
                       lam_shape_text(shape, port->axes, port->shape, port->rank));
    dataset->needed[c] = true;
    dataset->ranges[c] = column->range && (!port->range || column->range < port->range) ? column->range : port->range;
    if (column->feature == LAM_NEXT) dataset->shifted = true;
    if (column->feature == LAM_WEIGHT) dataset->partial = true;
  }
  return true;
}

struct lam_dataset *lam_dataset_open(struct lam_program *program, enum lam_routine_name routine, const char *path,
                                     uint32_t seed, struct lam_pairs *facts) {
  const struct lam_data *data = program->data;
  if (!data) return lam_error("this program has no data of its own"), NULL;
  struct lam_dataset *dataset = lam_allocate(1, sizeof *dataset);
  dataset->program = program;
  dataset->data = data;
  dataset->path = path ? path : data->path;
  dataset->seed = seed;
  dataset->facts = facts;
  dataset->batch = 1;
  dataset->needed = lam_allocate(data->column_count, sizeof *dataset->needed);
  dataset->ranges = lam_allocate(data->column_count, sizeof *dataset->ranges);
  dataset->partial = routine == LAM_PREDICT;
  dataset->corrupted = data->mask > 0 && data->corruption && routine != LAM_PREDICT;
  if ((routine == LAM_TRAIN || routine == LAM_ACCUMULATE) && !lam_dataset_bind(dataset, LAM_EVALUATE)) return NULL;
  if (!lam_dataset_bind(dataset, routine) || !data->reader->open(dataset)) return NULL;
  if (dataset->units > INT32_MAX) return lam_error("%s has more than 2^31 examples", dataset->path), NULL;
  /* A whole number of units that the share reaches within rounding counts as reached. */
  dataset->training = data->split >= 1 ? dataset->units : (int64_t)((double)dataset->units * data->split + 1e-9);
  for (int i = 0; i < data->column_count; i++)
    if (dataset->corrupted && data->columns[i].feature == LAM_TOKENS && dataset->needed[i] &&
        !data->corruption->check(dataset, dataset->ranges[i]))
      return NULL;
  return dataset;
}

struct lam_dataset *lam_dataset_share(const struct lam_dataset *dataset, enum lam_routine_name routine) {
  struct lam_dataset *shared = lam_allocate(1, sizeof *shared);
  *shared = *dataset;
  return lam_dataset_bind(shared, routine) ? shared : NULL;
}

static void lam_dataset_part(const struct lam_dataset *dataset, enum lam_part part, int64_t *begin, int64_t *end) {
  *begin = part == LAM_VALIDATION ? dataset->training : 0;
  *end = part == LAM_TRAINING ? dataset->training : dataset->units;
}

int64_t lam_dataset_examples(const struct lam_dataset *dataset, enum lam_part part) {
  int64_t begin, end;
  lam_dataset_part(dataset, part, &begin, &end);
  if (!dataset->window) return end - begin;
  int64_t tokens = end - begin - dataset->shifted;
  if (tokens <= 0) return 0;
  return (tokens + (dataset->partial ? dataset->window - 1 : 0)) / dataset->window;
}

struct lam_row lam_dataset_row(const struct lam_dataset *dataset, enum lam_part part, int64_t number) {
  int64_t begin, end, stride = dataset->window ? dataset->window : 1;
  lam_dataset_part(dataset, part, &begin, &end);
  begin += number * stride;
  return (struct lam_row){begin, end, 0, (uint32_t)begin};
}

void lam_batch_create(struct lam_batch *batch, const struct lam_dataset *dataset) {
  const struct lam_data *data = dataset->data;
  batch->columns = lam_allocate(data->column_count, sizeof *batch->columns);
  batch->examples = lam_allocate(dataset->batch, sizeof *batch->examples);
  for (int i = 0; i < data->column_count; i++)
    if (dataset->needed[i])
      batch->columns[i] = lam_allocate(dataset->batch * data->columns[i].length, lam_type_size(data->columns[i].type));
}

void lam_batch_free(struct lam_batch *batch, const struct lam_dataset *dataset) {
  for (int i = 0; i < dataset->data->column_count; i++) free(batch->columns[i]);
  free(batch->columns);
  free(batch->examples);
}

void lam_batch_fill(struct lam_batch *batch, const struct lam_dataset *dataset, int64_t place,
                    const struct lam_row *row) {
  const struct lam_data *data = dataset->data;
  int32_t *tokens = NULL;
  lam_real *weight = NULL;
  int64_t length = 0;
  batch->examples[place] = (int32_t)row->example;
  for (int i = 0; i < data->column_count; i++) {
    const struct lam_column *column = &data->columns[i];
    if (!dataset->needed[i]) continue;
    char *to = (char *)batch->columns[i] + (size_t)(place * column->length) * lam_type_size(column->type);
    data->reader->fill(dataset, i, row, to);
    if (column->feature == LAM_TOKENS) {
      tokens = (int32_t *)to;
      length = column->length;
    }
    if (column->feature == LAM_WEIGHT) weight = (lam_real *)to;
  }
  if (dataset->corrupted && tokens) data->corruption->apply(dataset, row, length, tokens, weight);
}

void lam_batch_deliver(const struct lam_batch *batch, const struct lam_dataset *dataset) {
  for (int i = 0; i < dataset->routine->input_count; i++) {
    struct lam_port *port = &dataset->routine->inputs[i];
    size_t bytes = (size_t)lam_count(port->shape, port->rank) * lam_type_size(port->type);
    if (strcmp(port->name, "example") == 0)
      memcpy(port->data, batch->examples, bytes);
    else if (!lam_is_standard_input(port->name))
      memcpy(port->data, batch->columns[lam_find_column(dataset->data, port->name)], bytes);
  }
}
