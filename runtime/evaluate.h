/* The loss over a part of the data. */
#ifndef LAM_EVALUATE_H
#define LAM_EVALUATE_H

#include "runtime/data.h"

/* The weighted mean loss over a whole part of the data; false where no element of that part has a weight. */
LAM_API bool lam_evaluate(struct lam_dataset *dataset, enum lam_part part, double *loss);

LAM_TABLE(struct lam_verb lam_eval_verb) /* for programs with the routine evaluate and data */

#endif
