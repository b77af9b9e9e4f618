/* Measures what the weights of a model are multiplied by. */
#ifndef LAM_CALIBRATE_H
#define LAM_CALIBRATE_H

#include "runtime/data.h"

LAM_TABLE(struct lam_verb lam_calibrate_verb) /* for programs with the routine calibrate and data */

#endif
