/* Bytes as tokens: any text has them, and nothing is learned. */
#include "runtime/bytes.h"

static int lam_recall_bytes(struct lam_vocabulary *vocabulary, const struct lam_pairs *facts,
                            char message[LAM_MESSAGE]) {
  (void)facts, (void)message;
  vocabulary->count = 256;
  return LAM_OK;
}

static int64_t lam_encode_bytes(const struct lam_vocabulary *vocabulary, const char *text, size_t length, int32_t *ids,
                                int64_t limit, char message[LAM_MESSAGE]) {
  (void)vocabulary, (void)message;
  int64_t count = (int64_t)length < limit ? (int64_t)length : limit;
  for (int64_t i = 0; ids && i < count; i++) ids[i] = (unsigned char)text[i];
  return count;
}

static int lam_decode_byte(const struct lam_vocabulary *vocabulary, int32_t id, char text[4]) {
  (void)vocabulary;
  text[0] = (char)id;
  return 1;
}

enum { LAM_MASK_BYTE = 3 }; /* a control byte that texts do not have */
LAM_API const struct lam_tokenizer lam_byte_tokenizer = {.name = "byte",
                                                         .units = "bytes",
                                                         .mask = LAM_MASK_BYTE,
                                                         .recall = lam_recall_bytes,
                                                         .encode = lam_encode_bytes,
                                                         .decode = lam_decode_byte};
