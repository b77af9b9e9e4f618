/* Choosing the next token. */
#ifndef LAM_SAMPLE_H
#define LAM_SAMPLE_H

#include "runtime/model.h"

struct lam_sampling {
  double temperature, top_p;
  int64_t top_k;
};
/* Draws an id by temperature, then from the top_k likeliest (0: all), then from the fewest of those whose share is
   top_p. Between two logits lie `stride` numbers. Ids from `known` on are never chosen, but for `stop`. `uniform` lies
   in [0, 1); `memory` has room for 3 x count numbers. -1 where a logit is not a number. */
LAM_API int64_t lam_choose(const lam_real *logits, int64_t stride, int64_t count, int64_t known, int64_t stop,
                           struct lam_sampling sampling, double uniform, double *memory);
/* What a step computed: how many rows of logits, and how far apart rows are, and the ids of a row. */
struct lam_logits {
  const lam_real *data;
  int64_t rows, row_stride, ids, id_stride;
  int64_t stop; /* the id that ends a text; -1: none */
};
/* The same of a row of a model's logits. Ids that its vocabulary does not have are left out, but for `stop`. */
LAM_API int lam_model_sample(struct lam_model *model, const struct lam_logits *logits, int64_t row,
                             struct lam_sampling sampling, double uniform, int32_t *id);

#endif
