/* Masked language modelling (Devlin et al., "BERT", 2018): of the chosen tokens, 80% become the mask, 10% become a
   random token, and 10% stay. */
#include "runtime/runtime.h"

/* The mask's id: the tokenizer's, or the one after the last id of the vocabulary. */
static int32_t lam_mask_id(const struct lam_dataset *dataset) {
  int32_t mask = dataset->vocabulary.tokenizer->mask;
  return mask >= 0 ? mask : (int32_t)dataset->vocabulary.count;
}

static bool lam_mask_check(const struct lam_dataset *dataset, int64_t range) {
  if (!range || lam_mask_id(dataset) < range) return true;
  return lam_error(
      "%s has %lld different characters, and the mask is one token more: their axis must be at least %lld, not %lld",
      dataset->path, (long long)dataset->vocabulary.count, (long long)dataset->vocabulary.count + 1, (long long)range);
}

static void lam_mask_apply(const struct lam_dataset *dataset, const struct lam_row *row, int64_t length,
                           int32_t *tokens, lam_real *weight) {
  for (int64_t i = 0; i < length; i++) {
    uint32_t words[4];
    lam_philox(dataset->seed, LAM_STREAM_MASK, row->step, row->example, (uint64_t)i, words);
    bool chosen = row->begin + i < row->end && lam_uniform_draw(words) < dataset->data->mask;
    if (weight) weight[i] = chosen;
    if (!chosen) continue;
    uint32_t tenth = words[1] % 10;
    if (tenth < 8)
      tokens[i] = lam_mask_id(dataset);
    else if (tenth == 8)
      tokens[i] = (int32_t)lam_below(words, dataset->vocabulary.count);
  }
}

LAM_API const struct lam_corruption lam_masking = {lam_mask_check, lam_mask_apply};
