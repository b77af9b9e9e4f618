/* Takes steps when told to. */
#ifndef LAM_STEPS_H
#define LAM_STEPS_H

#include "runtime/program.h"

LAM_TABLE(struct lam_verb lam_steps_verb) /* for programs that are compared */

#endif
