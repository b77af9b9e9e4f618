/* A model's tensors in a file, with what it takes to go on: step, seed, what data taught. */
#ifndef LAM_WEIGHTS_H
#define LAM_WEIGHTS_H

#include "runtime/safetensors.h"

enum lam_purpose {
  LAM_USE, /* evaluation, generation, prediction: parameters, averages and statistics */
  LAM_USE_ALONE, /* the same, and nothing will train: what no other routine reads is not kept (LAM_STREAMED) */
  LAM_MEASURE, /* calibration: parameters and averages; statistics begin as zero */
  LAM_RESUME, /* everything, and where the run stood */
  LAM_START_FROM /* the parameters that the file has; the message says what is missing or unexpected */
};
/* All of it or nothing: what does not fit changes no tensor and nothing of `run`, whose facts become those of the
   file. Of what that says nothing, learned facts stay. Training that starts from a file whose ids mean something else
   than those of the run is refused. A note, if any, stands in the model's message, which is empty otherwise. */
LAM_API int lam_load(struct lam_model *model, struct lam_run *run, const struct lam_weights *weights,
                     enum lam_purpose purpose);
/* Writes them to an open file; `path` is for the message. */
LAM_API int lam_put_checkpoint(struct lam_model *model, const struct lam_run *run, FILE *file, const char *path);
/* The same for the model's own run: from a file, or from `size` bytes in memory. */
LAM_API int lam_model_load(struct lam_model *model, const char *path, enum lam_purpose purpose);
LAM_API int lam_model_load_memory(struct lam_model *model, const void *bytes, size_t size, enum lam_purpose purpose);
/* Into a file, which stays as it was where that fails; LAM_NOT_FINITE where a tensor is infinite or not a number. */
LAM_API int lam_model_save(struct lam_model *model, const char *path);

/* Parts of loading: whether the file has the tensor as the model wants it; where the run stood (all: the file must
   say); whether a key is of a fact. */
LAM_API bool lam_weights_fit(const struct lam_weights *weights, const struct lam_entry *entry,
                             const struct lam_tensor *tensor);
LAM_API int lam_read_run(const struct lam_weights *weights, struct lam_run *run, bool all, char message[LAM_MESSAGE]);
LAM_API int lam_check_tensor(const struct lam_weights *weights, const struct lam_entry *entry,
                             const struct lam_tensor *tensor, char message[LAM_MESSAGE]);
LAM_API int lam_read_facts(struct lam_model *model, const struct lam_weights *weights, enum lam_purpose purpose,
                           struct lam_pairs *to);
/* Elements being taken from a file, and the entry that a tensor's are taken from, or NULL. */
struct lam_taking {
  struct lam_model *model;
  const struct lam_weights *weights;
  enum lam_purpose purpose;
  void *memory, *place; /* of quantized.c */
};
LAM_API const struct lam_entry *lam_source_of(const struct lam_taking *taking, const struct lam_tensor *tensor);
/* Parts of saving: whether the tensor goes into files, as what was measured does once it is; writes these tensors, with
   what is known of the run. `quantized`: NULL, or what the file is to say of its steps. */
LAM_API bool lam_is_saved(const struct lam_tensor *tensor);
LAM_API int lam_put_listed(struct lam_model *model, const struct lam_run *run, const char *quantized,
                           const struct lam_tensor *tensors, int count, FILE *file, const char *path);
LAM_API int lam_check_finite(struct lam_model *model, const char *path); /* LAM_NOT_FINITE: `path` cannot be written */
LAM_API bool lam_is_fact(const char *key);
/* Whether a tensor of that name is what calibration measured, of whatever model. */
LAM_API bool lam_is_statistic(const char *name);
/* Whether what the fact says of a vocabulary is true of this tokenizer, which may be NULL. */
LAM_API int lam_check_vocabulary(const struct lam_weights *weights, const struct lam_pair *fact,
                                 const struct lam_tokenizer *tokenizer, char message[LAM_MESSAGE]);
/* Adds a name to a list, "h.0.a, h.0.b", that ends in dots where it grows too long. */
enum { LAM_LIST = 256 };
LAM_API void lam_list_add(char list[LAM_LIST], const char *name);

#endif
