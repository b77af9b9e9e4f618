/* Inputs that are not read from data. */
#ifndef LAM_INPUTS_H
#define LAM_INPUTS_H

#include "runtime/program.h"

/* Sets random inputs of a routine: ids in range, reals in [0, 1), booleans 1. Positions are the last ones of a
   generation with sizes[1] rows so far, sizes[0] of which are the window. */
LAM_API void lam_random_inputs(struct lam_program *program, int number, const int64_t sizes[2]);

#endif
