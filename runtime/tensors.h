/* What tensors hold before the first step. */
#ifndef LAM_TENSORS_H
#define LAM_TENSORS_H

#include "runtime/program.h"

LAM_API void lam_initialize(struct lam_program *program, uint32_t seed); /* every tensor at its initial value */
LAM_API void lam_start_averages(struct lam_program *program); /* averages become copies of their parameters */

#endif
