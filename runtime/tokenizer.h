/* Text to ids and back. */
#ifndef LAM_TOKENIZER_H
#define LAM_TOKENIZER_H

#include "runtime/pairs.h"

struct lam_vocabulary {
  const struct lam_tokenizer *tokenizer;
  uint32_t *codes; /* of characters: the code points, ascending; for free() */
  int64_t count; /* ids */
};
struct lam_tokenizer {
  const char *name, *units; /* "char", "characters": in the spec and in weights; in messages */
  int32_t mask; /* the id that stands for a masked token; -1: the one after the last */
  /* From the facts that training wrote; false when it has to be learned. */
  bool (*recall)(struct lam_vocabulary *vocabulary, const struct lam_pairs *facts);
  void (*remember)(const struct lam_vocabulary *vocabulary, struct lam_pairs *facts);
  int64_t (*encode)(const struct lam_vocabulary *vocabulary, const char *text, size_t length, int32_t *ids,
                    int64_t limit, const char *where);
  int (*decode)(const struct lam_vocabulary *vocabulary, int32_t id, char text[4]);
  /* Learning: texts are added to a set of so many bytes, zero at first, `where` naming the text in messages; the
     vocabulary is made of that. NULL where nothing is learned. */
  size_t set_bytes;
  bool (*collect)(unsigned char *set, const char *text, size_t length, const char *where);
  void (*from_set)(struct lam_vocabulary *vocabulary, const unsigned char *set);
};

LAM_API long long lam_line_of(const char *text, size_t offset); /* the number of the line that has the byte there */
/* From the facts; false when these have none. */
LAM_API bool lam_vocabulary_recall(struct lam_vocabulary *vocabulary, const struct lam_tokenizer *tokenizer,
                                   const struct lam_pairs *facts);
LAM_API void lam_vocabulary_remember(const struct lam_vocabulary *vocabulary, struct lam_pairs *facts);
/* Of one text, where recalling it failed. */
LAM_API bool lam_vocabulary_learn(struct lam_vocabulary *vocabulary, const char *text, size_t length,
                                  const char *where);
/* Writes the ids of a text (unless ids is NULL), `limit` at most, and returns how many; -1 when a character has none.
 */
LAM_API int64_t lam_encode(const struct lam_vocabulary *vocabulary, const char *text, size_t length, int32_t *ids,
                           int64_t limit, const char *where);
LAM_API int lam_decode(const struct lam_vocabulary *vocabulary, int32_t id, char text[4]); /* returns how many bytes */

#endif
