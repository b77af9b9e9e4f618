/* Text to ids and back: bytes, or the characters (Unicode code points) that a text has. */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

long long lam_line_of(const char *text, size_t offset) {
  long long line = 1;
  for (size_t i = 0; i < offset; i++) line += text[i] == '\n' || (text[i] == '\r' && text[i + 1] != '\n');
  return line;
}

#if LAM_WITH_CHARACTERS
int lam_utf8_read(const char *text, size_t left, uint32_t *code) {
  const unsigned char *at = (const unsigned char *)text;
  if (!left) return 0;
  int length = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (!length || (size_t)length > left) return 0;
  *code = length == 1 ? at[0] : at[0] & (0xFFu >> (length + 1));
  for (int i = 1; i < length; i++) {
    if (at[i] >> 6 != 2) return 0;
    *code = *code << 6 | (at[i] & 0x3F);
  }
  bool valid = *code >= least[length] && *code < LAM_CODE_POINTS && !(*code >= 0xD800 && *code < 0xE000);
  return valid ? length : 0;
}

static bool lam_utf8_error(const char *where, const char *text, size_t offset) {
  return lam_error("%s: byte 0x%02x in line %lld is not UTF-8; tokenizer = byte takes any bytes", where,
                   (unsigned char)text[offset], lam_line_of(text, offset));
}

bool lam_vocabulary_collect(unsigned char *set, const char *text, size_t length, const char *where) {
  for (size_t i = 0; i < length;) {
    uint32_t code;
    int bytes = lam_utf8_read(text + i, length - i, &code);
    if (!bytes) return lam_utf8_error(where, text, i);
    set[code / 8] |= (unsigned char)(1 << code % 8);
    i += (size_t)bytes;
  }
  return true;
}

void lam_vocabulary_from_set(struct lam_vocabulary *vocabulary, const unsigned char *set) {
  *vocabulary = (struct lam_vocabulary){.tokenizer = LAM_CHAR};
  for (int pass = 0; pass < 2; pass++) {
    if (pass) vocabulary->codes = lam_allocate(vocabulary->count, sizeof *vocabulary->codes);
    vocabulary->count = 0;
    for (uint32_t code = 0; code < LAM_CODE_POINTS; code++) {
      if (!set[code / 8]) code |= 7; /* none of these eight */
      if (!(set[code / 8] >> code % 8 & 1)) continue;
      if (pass) vocabulary->codes[vocabulary->count] = code;
      vocabulary->count++;
    }
  }
}

bool lam_vocabulary_learn(struct lam_vocabulary *vocabulary, const char *text, size_t length, const char *where) {
  unsigned char *set = lam_allocate(LAM_CODE_POINTS / 8, 1);
  bool good = lam_vocabulary_collect(set, text, length, where);
  if (good) lam_vocabulary_from_set(vocabulary, set);
  free(set);
  return good;
}

static int lam_by_code(const void *x, const void *y) {
  uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
  return (a > b) - (a < b);
}

static int64_t lam_encode_characters(const struct lam_vocabulary *vocabulary, const char *text, size_t length,
                                     int32_t *ids, int64_t limit, const char *where) {
  int64_t count = 0;
  for (size_t i = 0; i < length && count < limit; count++) {
    uint32_t code;
    int bytes = lam_utf8_read(text + i, length - i, &code);
    if (!bytes) return lam_utf8_error(where, text, i) - 1;
    const uint32_t *found = bsearch(&code, vocabulary->codes, (size_t)vocabulary->count, sizeof code, lam_by_code);
    if (!found)
      return lam_error("%s: the character \"%.*s\" (U+%04X) in line %lld is not among the %lld that the model knows; "
                       "training without --init and --resume learns others",
                       where, bytes, text + i, code, lam_line_of(text, i), (long long)vocabulary->count) -
             1;
    if (ids) ids[count] = (int32_t)(found - vocabulary->codes);
    i += (size_t)bytes;
  }
  return count;
}
#endif

bool lam_vocabulary_recall(struct lam_vocabulary *vocabulary, enum lam_tokenizer tokenizer,
                           const struct lam_pairs *facts) {
  *vocabulary = (struct lam_vocabulary){.tokenizer = tokenizer, .count = 256};
#if LAM_WITH_CHARACTERS
  const struct lam_pair *fact = lam_pairs_find(facts, "vocabulary");
  if (tokenizer == LAM_BYTE) return true;
  return fact && lam_vocabulary_learn(vocabulary, fact->value, fact->length, "the weights' vocabulary");
#else
  (void)facts;
  return true;
#endif
}

void lam_vocabulary_remember(const struct lam_vocabulary *vocabulary, struct lam_pairs *facts) {
  if (lam_pairs_find(facts, "tokenizer")) return;
  lam_pairs_add(facts, "tokenizer", vocabulary->tokenizer == LAM_CHAR ? "char" : "byte", 4);
#if LAM_WITH_CHARACTERS
  if (vocabulary->tokenizer != LAM_CHAR) return;
  char *text = lam_allocate(vocabulary->count, 4);
  size_t length = 0;
  for (int64_t i = 0; i < vocabulary->count; i++) length += (size_t)lam_utf8_write(vocabulary->codes[i], text + length);
  lam_pairs_add(facts, "vocabulary", text, length);
  free(text);
#endif
}

int64_t lam_encode(const struct lam_vocabulary *vocabulary, const char *text, size_t length, int32_t *ids,
                   int64_t limit, const char *where) {
#if LAM_WITH_CHARACTERS
  if (vocabulary->tokenizer == LAM_CHAR) return lam_encode_characters(vocabulary, text, length, ids, limit, where);
#endif
  (void)vocabulary, (void)where;
  int64_t count = (int64_t)length < limit ? (int64_t)length : limit;
  for (int64_t i = 0; ids && i < count; i++) ids[i] = (unsigned char)text[i];
  return count;
}

int lam_decode(const struct lam_vocabulary *vocabulary, int32_t id, char text[4]) {
  if (id < 0 || id >= vocabulary->count) return 0;
#if LAM_WITH_CHARACTERS
  if (vocabulary->tokenizer == LAM_CHAR) return lam_utf8_write(vocabulary->codes[id], text);
#endif
  text[0] = (char)id;
  return 1;
}
