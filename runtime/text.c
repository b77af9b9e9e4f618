/* One long row of tokens, of which an example is a window. */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

static bool lam_text_vocabulary(struct lam_dataset *dataset, const char *text, size_t length) {
  if (lam_vocabulary_recall(&dataset->vocabulary, dataset->data->tokenizer, dataset->facts)) {
    if (!lam_pairs_find(dataset->facts, "tokenizer")) lam_vocabulary_remember(&dataset->vocabulary, dataset->facts);
    return true;
  }
  unsigned char *set = lam_allocate(LAM_CODE_POINTS / 8, 1);
  bool good = lam_vocabulary_collect(set, text, length, dataset->path);
  if (good) {
    lam_vocabulary_from_set(&dataset->vocabulary, set);
    lam_vocabulary_remember(&dataset->vocabulary, dataset->facts);
  }
  free(set);
  return good;
}

static bool lam_text_open(struct lam_dataset *dataset) {
  const struct lam_data *data = dataset->data;
  size_t length;
  char *text = lam_read_file(dataset->path, "; --data FILE names another", &length);
  if (!text) return false;
  if (!length) return lam_error("%s is empty", dataset->path);
  if (!lam_text_vocabulary(dataset, text, length)) return false;
  for (int i = 0; i < data->column_count; i++) {
    enum lam_feature feature = data->columns[i].feature;
    if (!dataset->needed[i] || (feature != LAM_TOKENS && feature != LAM_NEXT && feature != LAM_TARGET)) continue;
    dataset->window = data->columns[i].length;
    if (dataset->ranges[i] && dataset->vocabulary.count > dataset->ranges[i])
      return lam_error("%s has %lld different %s and the axis of %s has %lld: it must be at least %lld", dataset->path,
                       (long long)dataset->vocabulary.count, data->tokenizer == LAM_CHAR ? "characters" : "bytes",
                       data->columns[i].name, (long long)dataset->ranges[i], (long long)dataset->vocabulary.count);
  }
  if (!dataset->window) return lam_error("data %s: no input takes tokens", data->name);
  int32_t *tokens = lam_allocate((int64_t)length, sizeof *tokens);
  dataset->units = lam_encode(&dataset->vocabulary, text, length, tokens, (int64_t)length, dataset->path);
  dataset->contents = tokens;
  free(text);
  return dataset->units >= 0;
}

static void lam_text_fill(const struct lam_dataset *dataset, int column, const struct lam_row *row, void *to) {
  const struct lam_column *c = &dataset->data->columns[column];
  const int32_t *tokens = dataset->contents;
  int64_t targets =
      row->end - row->begin - dataset->shifted; /* elements that have a token, and its successor if that is asked for */
  for (int64_t i = 0; i < c->length; i++) {
    int64_t at = row->begin + i + (c->feature == LAM_NEXT);
    bool inside = i < targets;
    double number = c->feature == LAM_TOKENS || c->feature == LAM_NEXT || c->feature == LAM_TARGET
                        ? (at < row->end ? tokens[at] : 0)
                        : c->feature == LAM_YES || (inside && (c->feature == LAM_WEIGHT || c->feature == LAM_PRESENT));
    lam_set(to, c->type, i, number);
  }
}

const struct lam_reader lam_text_reader = {lam_text_open, lam_text_fill};
