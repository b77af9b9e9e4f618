/* Predictions for batches of several sizes: the choices of lam_program.choose. */
#ifndef LAM_SIZES_H
#define LAM_SIZES_H

#include "runtime/program.h"

/* The one with the largest batch of which the rows fill at least half, else the one with the smallest. */
LAM_API int lam_choose_size(struct lam_program *program, int64_t rows);
/* Always the same one: where a model mixes examples, what it says of a row must not depend on which sizes there are. */
LAM_API int lam_choose_first(struct lam_program *program, int64_t rows);

#endif
