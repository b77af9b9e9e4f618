/* Predicts: the model's outputs for rows. */
#ifndef LAM_PREDICT_H
#define LAM_PREDICT_H

#include "runtime/program.h"

LAM_API int64_t lam_batch_size(const struct lam_routine *routine); /* rows that it takes at once */

LAM_TABLE(struct lam_verb lam_predict_verb) /* for programs with the routine predict */

#endif
