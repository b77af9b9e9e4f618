/* Reads a text as one long row of tokens; an example is a window of it. */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

static bool lam_is_window(const struct lam_column *column) {
  return column->feature == LAM_TOKENS || column->feature == LAM_NEXT || column->feature == LAM_TARGET;
}

static bool lam_text_open(struct lam_dataset *dataset) {
  const struct lam_data *data = dataset->data;
  struct lam_vocabulary *vocabulary = &dataset->vocabulary;
  char message[LAM_MESSAGE];
  size_t length;
  char *text = lam_read_file(dataset->path, "; --data FILE names another", &length);
  bool good = text && (length || lam_error("%s is empty", dataset->path));
  if (good && !lam_dataset_recall(dataset))
    good = lam_told(data->tokenizer->learn(vocabulary, text, length, message), dataset->path, message);
  if (good) good = lam_vocabulary_remember(vocabulary, dataset->facts) || lam_error("out of memory");
  for (int i = 0; good && i < data->column_count; i++) {
    if (!dataset->needed[i] || !lam_is_window(&data->columns[i])) continue;
    dataset->window = data->columns[i].length;
    if (dataset->ranges[i] && dataset->vocabulary.count > dataset->ranges[i])
      good = lam_error("%s has %lld different %s and the axis of %s has %lld: it must be at least %lld", dataset->path,
                       (long long)vocabulary->count, data->tokenizer->units, data->columns[i].name,
                       (long long)dataset->ranges[i], (long long)vocabulary->count);
  }
  if (good && !dataset->window) good = lam_error("data %s: no input takes tokens", data->name);
  if (good) {
    dataset->contents = lam_allocate((int64_t)length, sizeof(int32_t));
    dataset->units = lam_dataset_encode(dataset, text, length, dataset->contents, dataset->path);
  }
  free(text);
  return good && dataset->units >= 0;
}

static void lam_text_fill(const struct lam_dataset *dataset, int column, const struct lam_row *row, void *to) {
  const struct lam_column *c = &dataset->data->columns[column];
  const int32_t *tokens = dataset->contents;
  for (int64_t i = 0; i < c->length; i++) {
    int64_t at = row->begin + i + (c->feature == LAM_NEXT);
    bool inside =
        row->begin + i + dataset->shifted < row->end; /* there is a token, and its successor if examples need one */
    bool marked = c->feature == LAM_YES || (inside && (c->feature == LAM_WEIGHT || c->feature == LAM_PRESENT));
    lam_set(to, c->type, i, !lam_is_window(c) ? marked : at < row->end ? tokens[at] : 0);
  }
}

LAM_API const struct lam_reader lam_text_reader = {"text", lam_text_open, NULL, lam_text_fill, NULL};
