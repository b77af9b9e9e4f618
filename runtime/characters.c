/* Characters as tokens: the code points that the text has, in UTF-8. */
#include "runtime/characters.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/lines.h"
#include "runtime/safetensors.h"

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

static int lam_utf8_error(const char *text, size_t offset, char message[LAM_MESSAGE]) {
  return lam_fail(message, LAM_WRONG_ARGUMENT,
                  "byte 0x%02x in line %lld is not UTF-8; tokenizer = byte takes any bytes",
                  (unsigned)(unsigned char)text[offset], lam_line_of(text, offset));
}

static int lam_collect_characters(unsigned char *set, const char *text, size_t length, char message[LAM_MESSAGE]) {
  for (size_t i = 0; i < length;) {
    uint32_t code;
    int bytes = lam_utf8_read(text + i, length - i, &code);
    if (!bytes) return lam_utf8_error(text, i, message);
    set[code / 8] |= (unsigned char)(1 << code % 8);
    i += (size_t)bytes;
  }
  return LAM_OK;
}

static bool lam_characters_from_set(struct lam_vocabulary *vocabulary, const unsigned char *set) {
  *vocabulary = (struct lam_vocabulary){.tokenizer = vocabulary->tokenizer};
  for (int pass = 0; pass < 2; pass++) {
    if (pass && !(vocabulary->codes = malloc((size_t)vocabulary->count * sizeof *vocabulary->codes + 1))) return false;
    vocabulary->count = 0;
    for (uint32_t code = 0; code < LAM_CODE_POINTS; code++) {
      if (!set[code / 8]) code |= 7; /* none of these eight */
      if (!(set[code / 8] >> code % 8 & 1)) continue;
      if (pass) vocabulary->codes[vocabulary->count] = code;
      vocabulary->count++;
    }
  }
  return true;
}

int lam_learn_characters(struct lam_vocabulary *vocabulary, const char *text, size_t length,
                         char message[LAM_MESSAGE]) {
  unsigned char *set = calloc(LAM_CODE_POINTS / 8, 1);
  int status = set ? lam_collect_characters(set, text, length, message) : LAM_NO_MEMORY;
  if (status == LAM_OK && !lam_characters_from_set(vocabulary, set)) status = LAM_NO_MEMORY;
  if (status == LAM_NO_MEMORY) lam_fail(message, LAM_NO_MEMORY, "not enough memory for the vocabulary");
  free(set);
  return status;
}

static int lam_by_code(const void *x, const void *y) {
  uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
  return (a > b) - (a < b);
}

static int64_t lam_encode_characters(const struct lam_vocabulary *vocabulary, const char *text, size_t length,
                                     int32_t *ids, int64_t limit, char message[LAM_MESSAGE]) {
  int64_t count = 0;
  for (size_t i = 0; i < length && count < limit; count++) {
    uint32_t code;
    int bytes = lam_utf8_read(text + i, length - i, &code);
    if (!bytes) return lam_utf8_error(text, i, message), -1;
    const uint32_t *found = bsearch(&code, vocabulary->codes, (size_t)vocabulary->count, sizeof code, lam_by_code);
    if (!found) {
      lam_fail(message, LAM_WRONG_ARGUMENT,
               "the character \"%.*s\" (U+%04X) in line %lld is not among the %lld that the model knows", bytes,
               text + i, (unsigned)code, lam_line_of(text, i), (long long)vocabulary->count);
      return LAM_UNKNOWN;
    }
    if (ids) ids[count] = (int32_t)(found - vocabulary->codes);
    i += (size_t)bytes;
  }
  return count;
}

static int lam_recall_characters(struct lam_vocabulary *vocabulary, const struct lam_pairs *facts,
                                 char message[LAM_MESSAGE]) {
  const struct lam_pair *fact = lam_pairs_find(facts, "vocabulary");
  return fact && fact->length ? lam_learn_characters(vocabulary, fact->value, fact->length, message) : LAM_WRONG_FILE;
}

static bool lam_remember_characters(const struct lam_vocabulary *vocabulary, struct lam_pairs *facts) {
  char *text = malloc((size_t)vocabulary->count * 4 + 1);
  size_t length = 0;
  if (!text) return false;
  for (int64_t i = 0; i < vocabulary->count; i++) length += (size_t)lam_utf8_write(vocabulary->codes[i], text + length);
  const bool good = lam_pairs_add(facts, "vocabulary", text, length);
  free(text);
  return good;
}

static int lam_decode_character(const struct lam_vocabulary *vocabulary, int32_t id, char text[4]) {
  return lam_utf8_write(vocabulary->codes[id], text);
}

LAM_API const struct lam_tokenizer lam_char_tokenizer = {"char",
                                                         "characters",
                                                         -1,
                                                         lam_recall_characters,
                                                         lam_remember_characters,
                                                         lam_encode_characters,
                                                         lam_decode_character,
                                                         lam_learn_characters,
                                                         LAM_CODE_POINTS / 8,
                                                         lam_collect_characters,
                                                         lam_characters_from_set};

/* --- Of a model --------------------------------------------------------------------------------------------------- */

/* Whether the axes of all tokens have room for the ids. */
static int lam_check_room(struct lam_model *model, int64_t characters) {
  for (const struct lam_ids *ids = model->ids; ids < model->ids + model->ids_count; ids++)
    if (!ids->field && ids->range && characters + ids->reserved > ids->range)
      return lam_fail(model->message, LAM_WRONG_ARGUMENT, "the text has %lld different %s%s, and their axis has %lld",
                      (long long)characters, model->vocabulary.tokenizer->units,
                      ids->reserved ? ", the mask is one token more" : "", (long long)ids->range);
  return LAM_OK;
}

int lam_model_learn(struct lam_model *model, const char *text, size_t length) {
  struct lam_pairs *facts = &model->run.facts;
  const int64_t before = facts->count;
  if (lam_pairs_find(facts, "tokenizer"))
    return lam_fail(model->message, LAM_WRONG_ARGUMENT, "the model has its vocabulary already");
  if (!length) return lam_fail(model->message, LAM_WRONG_ARGUMENT, "a text without characters gives no vocabulary");
  struct lam_vocabulary learned = {.tokenizer = model->vocabulary.tokenizer};
  int status = lam_learn_characters(&learned, text, length, model->message);
  if (!status) status = lam_check_room(model, learned.count);
  if (!status && !lam_vocabulary_remember(&learned, facts))
    status = lam_fail(model->message, LAM_NO_MEMORY, "not enough memory for the vocabulary");
  if (status == LAM_OK) {
    lam_forget_vocabulary(model);
    model->vocabulary = learned;
  } else {
    free(learned.codes);
    lam_pairs_cut(facts, 0, before);
  }
  return status;
}
