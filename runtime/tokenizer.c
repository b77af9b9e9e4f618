/* Text to ids and back, by any tokenizer. */
#include "runtime/tokenizer.h"

#include <stdlib.h>
#include <string.h>

bool lam_vocabulary_remember(const struct lam_vocabulary *vocabulary, struct lam_pairs *facts) {
  if (lam_pairs_find(facts, "tokenizer")) return true;
  const struct lam_tokenizer *tokenizer = vocabulary->tokenizer;
  return lam_pairs_add(facts, "tokenizer", tokenizer->name, strlen(tokenizer->name)) &&
         (!tokenizer->remember || tokenizer->remember(vocabulary, facts));
}

int64_t lam_encode(const struct lam_vocabulary *vocabulary, const char *text, size_t length, int32_t *ids,
                   int64_t limit, char message[LAM_MESSAGE]) {
  return vocabulary->tokenizer->encode(vocabulary, text, length, ids, limit, message);
}

int lam_decode(const struct lam_vocabulary *vocabulary, int32_t id, char text[4]) {
  return id >= 0 && id < vocabulary->count ? vocabulary->tokenizer->decode(vocabulary, id, text) : 0;
}

/* --- Of a model --------------------------------------------------------------------------------------------------- */

int lam_model_vocabulary(struct lam_model *model) {
  if (model->vocabulary.count) return LAM_OK;
  const int status = lam_recall_vocabulary(model, model->message);
  if (status != LAM_OK && !*model->message)
    return lam_fail(model->message, LAM_WRONG_ARGUMENT,
                    "there is no vocabulary: weights that training wrote have one, or a text gives it");
  return status;
}

int lam_model_encode(struct lam_model *model, const char *text, size_t length, int32_t *ids, int64_t room,
                     int64_t *count) {
  int status = lam_model_vocabulary(model);
  if (!status && ids && room < 0)
    status = lam_fail(model->message, LAM_WRONG_ARGUMENT, "there is no room for %lld ids", (long long)room);
  const int64_t all = status ? 0 : lam_encode(&model->vocabulary, text, length, NULL, INT64_MAX, model->message);
  if (all < 0) status = LAM_WRONG_ARGUMENT;
  if (!status && ids) lam_encode(&model->vocabulary, text, length, ids, room, model->message);
  if (!status) *count = all;
  return status;
}

int lam_model_decode(struct lam_model *model, int32_t id, char text[4], int *length) {
  const int status = lam_model_vocabulary(model);
  if (!status) *length = lam_decode(&model->vocabulary, id, text);
  return status;
}
