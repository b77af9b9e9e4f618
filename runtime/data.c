/* Examples from any source: which columns a routine needs, which examples are for training, batches of rows. */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

static int lam_find_column(const struct lam_data *data, const char *name) {
  for (int i = 0; i < data->column_count; i++)
    if (strcmp(data->columns[i].name, name) == 0) return i;
  return -1;
}

bool lam_is_fed(const struct lam_port *port) { return port->rank > 0 && strcmp(port->name, "example") != 0; }

/* Matches a routine's inputs with columns. */
static bool lam_dataset_bind(struct lam_dataset *dataset, int routine) {
  const struct lam_data *data = dataset->data;
  dataset->routine = lam_routine_at(dataset->program, routine);
  for (int i = 0; i < dataset->routine->input_count; i++) {
    const struct lam_port *port = &dataset->routine->inputs[i];
    if (!lam_is_fed(port)) continue;
    int c = lam_find_column(data, port->name);
    if (c < 0) return lam_error("data %s has no column for the input %s", data->name, port->name);
    const struct lam_column *column = &data->columns[c];
    dataset->batch = port->shape[0];
    dataset->needed[c] = true;
    dataset->ranges[c] = column->range && (!port->range || column->range < port->range) ? column->range : port->range;
    dataset->shifted |= column->feature == LAM_NEXT;
    dataset->partial |= column->feature == LAM_WEIGHT;
  }
  return true;
}

/* Whether the ranges of tokens have room for the ids that corruption puts in. */
static bool lam_dataset_corruption(const struct lam_dataset *dataset) {
  for (int i = 0; i < dataset->data->column_count; i++)
    if (dataset->needed[i] && dataset->data->columns[i].feature == LAM_TOKENS &&
        !dataset->data->corruption->check(dataset, dataset->ranges[i]))
      return false;
  return true;
}

int lam_vocabulary_recall(struct lam_vocabulary *vocabulary, const struct lam_tokenizer *tokenizer,
                          const struct lam_pairs *facts, char message[LAM_MESSAGE]) {
  *vocabulary = (struct lam_vocabulary){.tokenizer = tokenizer};
  message[0] = 0;
  return tokenizer->recall(vocabulary, facts, message);
}

bool lam_dataset_recall(struct lam_dataset *dataset) {
  char message[LAM_MESSAGE];
  return lam_vocabulary_recall(&dataset->vocabulary, dataset->data->tokenizer, dataset->facts, message) == LAM_OK;
}

int64_t lam_dataset_encode(const struct lam_dataset *dataset, const char *text, size_t length, int32_t *ids,
                           const char *where) {
  char message[LAM_MESSAGE];
  const int64_t count = lam_encode(&dataset->vocabulary, text, length, ids, INT64_MAX, message);
  const bool unknown = count == LAM_UNKNOWN;
  if (count < 0)
    lam_error("%s: %s%s", where, message, unknown ? "; training without --init and --resume learns others" : "");
  return count;
}

void lam_dataset_close(struct lam_dataset *dataset) {
  if (!dataset) return;
  if (dataset->contents && dataset->data->reader->close) dataset->data->reader->close(dataset);
  free(dataset->vocabulary.codes);
  free(dataset->contents);
  free(dataset->found);
  free(dataset->needed);
  free(dataset->ranges);
  free(dataset);
}

struct lam_dataset *lam_dataset_open(struct lam_program *program, int routine, const char *path, uint32_t seed,
                                     struct lam_pairs *facts) {
  const struct lam_data *data = program->data;
  struct lam_dataset *dataset = lam_allocate(1, sizeof *dataset);
  *dataset = (struct lam_dataset){.program = program, .data = data, .seed = seed, .facts = facts, .batch = 1};
  bool sought = !path && data->path;
  if (sought)
    path = dataset->found = lam_find_file(program, data->path, data->path_here, "; --data FILE names another");
  dataset->path = path ? path : data->name; /* synthetic data has no file */
  dataset->needed = lam_allocate(data->column_count, sizeof *dataset->needed);
  dataset->ranges = lam_allocate(data->column_count, sizeof *dataset->ranges);
  bool predicts = routine == LAM_PREDICT || routine >= LAM_ROUTINES;
  dataset->partial = predicts;
  bool trains = routine == LAM_TRAIN || routine == LAM_ACCUMULATE;
  bool good = (dataset->found || !sought) && (!trains || lam_dataset_bind(dataset, LAM_EVALUATE)) &&
              lam_dataset_bind(dataset, routine) && data->reader->open(dataset);
  if (good && dataset->units > INT32_MAX) good = lam_error("%s has more than 2^31 examples", dataset->path);
  dataset->corrupted = data->corruption && !predicts;
  good = good && (!dataset->corrupted || lam_dataset_corruption(dataset));
  /* Where the share is a whole number of units but for rounding, all of these are for training. */
  dataset->training = data->split >= 1 ? dataset->units : (int64_t)((double)dataset->units * data->split + 1e-9);
  if (good) return dataset;
  lam_dataset_close(dataset);
  return NULL;
}

struct lam_dataset *lam_dataset_share(const struct lam_dataset *dataset, int routine) {
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
  return tokens > 0 ? (tokens + (dataset->partial ? dataset->window - 1 : 0)) / dataset->window : 0;
}

struct lam_row lam_dataset_row(const struct lam_dataset *dataset, enum lam_part part, int64_t number) {
  int64_t begin, end;
  lam_dataset_part(dataset, part, &begin, &end);
  begin += number * (dataset->window ? dataset->window : 1);
  return (struct lam_row){begin, end, 0, (uint32_t)begin};
}

void **lam_batch_create(const struct lam_dataset *dataset) {
  const struct lam_routine *routine = dataset->routine;
  void **batch = lam_allocate(routine->input_count, sizeof *batch);
  for (int i = 0; i < routine->input_count; i++)
    batch[i] = lam_allocate((int64_t)lam_port_bytes(&routine->inputs[i]), 1);
  return batch;
}

void lam_batch_free(void **batch, const struct lam_dataset *dataset) {
  for (int i = 0; i < dataset->routine->input_count; i++) free(batch[i]);
  free(batch);
}

void lam_batch_fill(void **batch, const struct lam_dataset *dataset, int64_t place, const struct lam_row *row) {
  int32_t *tokens = NULL;
  lam_real *weight = NULL;
  int64_t length = 0;
  for (int i = 0; i < dataset->routine->input_count; i++) {
    const struct lam_port *port = &dataset->routine->inputs[i];
    if (!strcmp(port->name, "example")) ((int32_t *)batch[i])[place] = (int32_t)row->example;
    if (!lam_is_fed(port)) continue;
    int c = lam_find_column(dataset->data, port->name);
    char *to = (char *)batch[i] + lam_port_bytes(port) / (size_t)port->shape[0] * (size_t)place;
    dataset->data->reader->fill(dataset, c, row, to);
    const struct lam_column *column = &dataset->data->columns[c];
    if (column->feature == LAM_TOKENS) tokens = (int32_t *)to, length = column->length;
    if (column->feature == LAM_WEIGHT) weight = (lam_real *)to;
  }
  if (dataset->corrupted && tokens) dataset->data->corruption->apply(dataset, row, length, tokens, weight);
}

void lam_batch_deliver(void *const *batch, const struct lam_dataset *dataset) {
  for (int i = 0; i < dataset->routine->input_count; i++) {
    struct lam_port *port = &dataset->routine->inputs[i];
    if (port->rank > 0) memcpy(port->data, batch[i], lam_port_bytes(port));
  }
}
