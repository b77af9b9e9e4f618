/* Choosing the next token. */
#ifndef LAM_GENERATE_H
#define LAM_GENERATE_H

#include "runtime/program.h"

/* Draws an index by temperature, then from the top_k largest (0: all), then from the fewest of those whose share is
   top_p. `uniform` lies in [0, 1); `memory` has room for 2 x count numbers. -1 when a logit is not a number. */
LAM_API int64_t lam_sample(const double *logits, int64_t count, double temperature, int64_t top_k, double top_p,
                           double uniform, double *memory);

LAM_TABLE(struct lam_verb lam_generate_verb) /* has the routine step */

#endif
