/* Text to ids and back, by any tokenizer. */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

long long lam_line_of(const char *text, size_t offset) {
  long long line = 1;
  for (size_t i = 0; i < offset; i++) line += text[i] == '\n' || (text[i] == '\r' && text[i + 1] != '\n');
  return line;
}

bool lam_vocabulary_recall(struct lam_vocabulary *vocabulary, const struct lam_tokenizer *tokenizer,
                           const struct lam_pairs *facts) {
  *vocabulary = (struct lam_vocabulary){.tokenizer = tokenizer};
  return tokenizer->recall(vocabulary, facts);
}

void lam_vocabulary_remember(const struct lam_vocabulary *vocabulary, struct lam_pairs *facts) {
  if (lam_pairs_find(facts, "tokenizer")) return;
  lam_pairs_add(facts, "tokenizer", vocabulary->tokenizer->name, strlen(vocabulary->tokenizer->name));
  if (vocabulary->tokenizer->remember) vocabulary->tokenizer->remember(vocabulary, facts);
}

bool lam_vocabulary_learn(struct lam_vocabulary *vocabulary, const char *text, size_t length, const char *where) {
  const struct lam_tokenizer *tokenizer = vocabulary->tokenizer;
  if (!tokenizer->collect) return true;
  unsigned char *set = lam_allocate((int64_t)tokenizer->set_bytes, 1);
  bool good = tokenizer->collect(set, text, length, where);
  if (good) tokenizer->from_set(vocabulary, set);
  free(set);
  return good;
}

int64_t lam_encode(const struct lam_vocabulary *vocabulary, const char *text, size_t length, int32_t *ids,
                   int64_t limit, const char *where) {
  return vocabulary->tokenizer->encode(vocabulary, text, length, ids, limit, where);
}

int lam_decode(const struct lam_vocabulary *vocabulary, int32_t id, char text[4]) {
  return id >= 0 && id < vocabulary->count ? vocabulary->tokenizer->decode(vocabulary, id, text) : 0;
}
