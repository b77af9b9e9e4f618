/* Evaluates and times predictions when told to. */
#ifndef LAM_MEASURE_H
#define LAM_MEASURE_H

#include "runtime/program.h"

LAM_TABLE(struct lam_verb lam_measure_verb) /* for programs that are compared and do not train */

#endif
