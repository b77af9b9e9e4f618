/* The loss over a part of the data. */
#ifndef LAM_EVALUATE_H
#define LAM_EVALUATE_H

#include "runtime/data.h"

/* The weighted mean loss over a whole part of the data; false where no element of that part has a weight. */
LAM_API bool lam_evaluate(struct lam_dataset *dataset, enum lam_part part, double *loss);

/* The same over at most `most` batches of the part (0: all), evenly spread. `sums`, for free(), has the two sums of
   each batch: of weights times losses, and of weights. */
struct lam_evaluation {
  double loss;
  int64_t examples, batches;
  double (*sums)[2];
};
LAM_API bool lam_evaluate_some(struct lam_dataset *dataset, enum lam_part part, int64_t most,
                               struct lam_evaluation *evaluation);
/* The part that tells how good a program's weights are: validation, or all of the data where these are not split. */
LAM_API enum lam_part lam_evaluated_part(const struct lam_program *program);
/* An error: why that part gave no loss, and what to do. */
LAM_API bool lam_cannot_evaluate(const struct lam_dataset *dataset, enum lam_part part);

LAM_TABLE(struct lam_verb lam_eval_verb) /* for programs with the routine evaluate and data */

#endif
