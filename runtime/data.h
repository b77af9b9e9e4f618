/* Examples from any source. */
#ifndef LAM_DATA_H
#define LAM_DATA_H

#include "runtime/tokenizer.h"

enum lam_part { LAM_TRAINING, LAM_VALIDATION, LAM_EVERYTHING };

/* Data that was opened for a routine: only the columns that it takes as inputs are needed. */
struct lam_dataset {
  struct lam_program *program;
  const struct lam_data *data;
  struct lam_routine *routine;
  const char *path; /* the path in messages */
  char *found; /* the path of the spec's own file, once found; NULL for a file of --data, and for data without a file */
  bool *needed; /* whether each column is needed */
  int64_t *ranges; /* of each column: its ids must be less; 0: not checked */
  uint32_t seed; /* what keys synthetic data and corruption */
  struct lam_pairs *facts;
  int64_t units; /* rows of a table, tokens of a text */
  int64_t training; /* how many of the first units are for training */
  int64_t window; /* text: tokens in an example; else 0 */
  bool shifted; /* text: an example needs the token after its window */
  bool partial; /* text: the last window of a part may be short */
  bool corrupted; /* examples are spoilt by data->corruption */
  int64_t batch; /* rows that the routine takes at once */
  struct lam_vocabulary vocabulary;
  void *contents; /* what the reader keeps */
};
/* One example: where it starts, where its part of the data ends, and what keys its random draws. */
struct lam_row {
  int64_t begin, end;
  uint32_t step, example;
};
struct lam_reader {
  const char *name;
  bool (*open)(struct lam_dataset *dataset); /* sets units, window, contents */
  void (*close)(struct lam_dataset *dataset); /* frees what `contents` points to, if that is more than one block */
  void (*fill)(const struct lam_dataset *dataset, int column, const struct lam_row *row, void *to); /* one example */
  const char *(*class_name)(const struct lam_pairs *facts, int64_t id); /* what a class is called; or NULL */
};
/* Spoils tokens of examples, so that a model learns to restore them. */
struct lam_corruption {
  bool (*check)(const struct lam_dataset *dataset, int64_t range); /* whether ids below `range` have room for its own */
  /* Chooses tokens of an example, spoils them, and writes 1 to `weight` (unless NULL) where a token was chosen. */
  void (*apply)(const struct lam_dataset *dataset, const struct lam_row *row, int64_t length, int32_t *tokens,
                lam_real *weight);
};
/* Opens data for the routine of that number; NULL after an error. A `path` of NULL is the spec's. Data opened for
   training serves evaluation, too. */
LAM_API struct lam_dataset *lam_dataset_open(struct lam_program *program, int routine, const char *path, uint32_t seed,
                                             struct lam_pairs *facts);
/* The vocabulary that facts have; LAM_WRONG_FILE with an empty message where these have none. */
LAM_API int lam_vocabulary_recall(struct lam_vocabulary *vocabulary, const struct lam_tokenizer *tokenizer,
                                  const struct lam_pairs *facts, char message[LAM_MESSAGE]);
/* Takes the vocabulary from the facts; false where these have none. */
LAM_API bool lam_dataset_recall(struct lam_dataset *dataset);
/* Like lam_encode for all of a text; less than 0 after an error about `where`. */
LAM_API int64_t lam_dataset_encode(const struct lam_dataset *dataset, const char *text, size_t length, int32_t *ids,
                                   const char *where);
LAM_API void lam_dataset_close(struct lam_dataset *dataset);
/* The same data for another routine. It is for free(), before `dataset` is closed. */
LAM_API struct lam_dataset *lam_dataset_share(const struct lam_dataset *dataset, int routine);
LAM_API int64_t lam_dataset_examples(const struct lam_dataset *dataset, enum lam_part part);
/* Example number `number` of a part: rows or windows in order. */
LAM_API struct lam_row lam_dataset_row(const struct lam_dataset *dataset, enum lam_part part, int64_t number);
LAM_API bool lam_is_fed(const struct lam_port *port); /* an input whose rows are examples */
/* Memory for all rows of each of the routine's inputs, outside of the ports: a thread can fill it ahead. */
LAM_API void **lam_batch_create(const struct lam_dataset *dataset);
LAM_API void lam_batch_free(void **batch, const struct lam_dataset *dataset);
LAM_API void lam_batch_fill(void **batch, const struct lam_dataset *dataset, int64_t place, const struct lam_row *row);
LAM_API void lam_batch_deliver(void *const *batch, const struct lam_dataset *dataset); /* to the routine's ports */

#endif
