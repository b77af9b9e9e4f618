/* Describes a program. */
#ifndef LAM_INFO_H
#define LAM_INFO_H

#include "runtime/program.h"

LAM_TABLE(struct lam_verb lam_info_verb) /* for every program */

#endif
