/* The next token of a text, drawn by what the model says of each. */
#include "runtime/sample.h"

#include <math.h>
#include <stdlib.h>

/* The larger weight first, then the smaller index. */
static bool lam_before(const double *weights, int64_t x, int64_t y) {
  return weights[x] != weights[y] ? weights[x] > weights[y] : x < y;
}

static void lam_sift(const double *weights, int64_t *heap, int64_t count, int64_t at) {
  for (int64_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && lam_before(weights, heap[child + 1], heap[child])) child++;
    if (!lam_before(weights, heap[child], heap[at])) return;
    int64_t kept = heap[at];
    heap[at] = heap[child];
    heap[child] = kept;
  }
}

/* Puts the most likely first: `limit` of them at most, and no more than reach `share` of the total. The kept end up at
   the end of `heap`, last the most likely; returns how many. */
static int64_t lam_select(const double *weights, int64_t *heap, int64_t count, int64_t limit, double share,
                          double *reached) {
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++) heap[i] = i;
  for (int64_t i = count / 2 - 1; i >= 0; i--) lam_sift(weights, heap, count, i);
  while (kept < limit && kept < count && (!kept || *reached < share)) {
    int64_t best = heap[0], left = count - ++kept;
    heap[0] = heap[left];
    heap[left] = best;
    lam_sift(weights, heap, left, 0);
    *reached += weights[best];
  }
  return kept;
}

int64_t lam_choose(const lam_real *logits, int64_t stride, int64_t count, int64_t known, int64_t stop,
                   struct lam_sampling sampling, double uniform, double *memory) {
  double *values = memory, *weights = memory + count, total = 0, reached = 0;
  int64_t *likeliest = (int64_t *)(memory + 2 * count), best = 0;
  for (int64_t i = 0; i < count; i++) {
    values[i] = i < known || i == stop ? (double)logits[i * stride] : (double)-INFINITY;
    if (values[i] != values[i]) return -1;
    if (values[i] > values[best]) best = i;
  }
  if (sampling.temperature <= 0 || values[best] - values[best] != 0) return best;
  for (int64_t i = 0; i < count; i++) total += weights[i] = exp((values[i] - values[best]) / sampling.temperature);
  const bool few = sampling.top_k > 0 && sampling.top_k < count;
  if (!few && sampling.top_p >= 1) { /* any */
    double point = uniform * total;
    for (int64_t i = 0; i < count; i++)
      if ((point -= weights[i]) < 0) return i;
    return best; /* rounding took the last one */
  }
  const int64_t kept = lam_select(weights, likeliest, count, few ? sampling.top_k : count,
                                  few ? (double)INFINITY : sampling.top_p * total, &reached);
  const double share = sampling.top_p * (few ? reached : total);
  double sum = 0;
  int64_t end = count;
  while (end > count - kept && (end == count || sum < share)) sum += weights[likeliest[--end]];
  double point = uniform * sum;
  for (int64_t i = count - 1; i >= end; i--)
    if ((point -= weights[likeliest[i]]) < 0) return likeliest[i];
  return best;
}

int lam_model_sample(struct lam_model *model, const struct lam_logits *logits, int64_t row,
                     struct lam_sampling sampling, double uniform, int32_t *id) {
  char why[LAM_MESSAGE];
  const int64_t rows = logits->rows, count = logits->ids;
  if (!rows) return lam_fail(model->message, LAM_WRONG_ARGUMENT, "there is no row to sample from: step computes them");
  if (row < 0 || row >= rows)
    return lam_fail(model->message, LAM_WRONG_ARGUMENT,
                    "row must be from 0 to %lld, since the last step computed %lld, not %lld", (long long)rows - 1,
                    (long long)rows, (long long)row);
  if (!(sampling.temperature >= 0 && sampling.top_k >= 0 && sampling.top_p >= 0))
    return lam_fail(model->message, LAM_WRONG_ARGUMENT, "temperature, top_k and top_p must be at least 0");
  if (!(uniform >= 0 && uniform < 1))
    return lam_fail(model->message, LAM_WRONG_ARGUMENT, "uniform must be from 0 to less than 1");
  if (model->vocabulary.tokenizer && lam_recall_vocabulary(model, why) == LAM_NO_MEMORY)
    return lam_fail(model->message, LAM_NO_MEMORY, "%s", why);
  double *memory = malloc((size_t)count * 3 * sizeof *memory);
  if (!memory)
    return lam_fail(model->message, LAM_NO_MEMORY, "not enough memory to sample from %lld ids", (long long)count);
  const int64_t known = model->vocabulary.count ? model->vocabulary.count : count;
  const int64_t chosen = lam_choose(logits->data + row * logits->row_stride, logits->id_stride, count, known,
                                    logits->stop, sampling, uniform, memory);
  free(memory);
  if (chosen < 0)
    return lam_fail(model->message, LAM_NOT_FINITE, "a logit is not a number: are these the model's weights?");
  *id = (int32_t)chosen;
  return LAM_OK;
}
