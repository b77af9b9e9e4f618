/* Text to ids and back. */
#ifndef LAM_TOKENIZER_H
#define LAM_TOKENIZER_H

#include "runtime/model.h"

LAM_API bool lam_vocabulary_remember(const struct lam_vocabulary *vocabulary, struct lam_pairs *facts);
/* Writes the ids of a text (unless ids is NULL), `limit` at most, and returns how many. Less than 0 with a message:
   LAM_UNKNOWN where a character has no id, -1 where a byte is of no character. */
enum { LAM_UNKNOWN = -2 };
LAM_API int64_t lam_encode(const struct lam_vocabulary *vocabulary, const char *text, size_t length, int32_t *ids,
                           int64_t limit, char message[LAM_MESSAGE]);
LAM_API int lam_decode(const struct lam_vocabulary *vocabulary, int32_t id, char text[4]); /* returns how many bytes */

/* The same for the vocabulary of a model, which has a tokenizer and takes it from its run's facts. `count` is that of
   the whole text, of which the first `room` ids are written unless `ids` is NULL. */
LAM_API int lam_model_encode(struct lam_model *model, const char *text, size_t length, int32_t *ids, int64_t room,
                             int64_t *count);
LAM_API int lam_model_decode(struct lam_model *model, int32_t id, char text[4], int *length);
LAM_API int lam_model_vocabulary(struct lam_model *model); /* LAM_OK where there is one */

#endif
