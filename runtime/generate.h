/* Generates text from a prompt. */
#ifndef LAM_GENERATE_H
#define LAM_GENERATE_H

#include "runtime/program.h"

LAM_TABLE(struct lam_verb lam_generate_verb) /* for programs with the routine step */

#endif
