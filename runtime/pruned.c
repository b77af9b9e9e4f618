/* What a file of weights says of pruning. */
#include "runtime/pruned.h"

#include <stdlib.h>

static int64_t lam_said_number(const struct lam_weights *weights, const char *key) {
  const struct lam_pair *pair = lam_pairs_find(&weights->metadata, key);
  const int64_t number = pair ? strtoll(pair->value, NULL, 10) : -1;
  return number > UINT32_MAX ? -1 : number; /* other programs may mean something else by it */
}

/* Whether the file has all that the model's checkpoints have: masks among that. */
static bool lam_has_masks(const struct lam_model *model, const struct lam_weights *weights) {
  for (int i = 0; i < model->tensor_count; i++)
    if (lam_is_kept(&model->tensors[i]) && !lam_weights_find(weights, model->tensors[i].name)) return false;
  return true;
}

void lam_note_pruned(struct lam_model *model, const struct lam_weights *weights, int purpose) {
  const int64_t said = lam_said_number(weights, "step"), step = said < 0 ? 0 : said,
                last = lam_said_number(weights, "pruned");
  *model->pruned = purpose == LAM_START_FROM ? -1 : purpose == LAM_RESUME ? -(step + 1) : -step;
  if (purpose == LAM_RESUME && last >= 0 && last <= step && lam_has_masks(model, weights)) *model->pruned = last + 1;
}
