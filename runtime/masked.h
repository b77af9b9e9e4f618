/* Masked language modelling. */
#ifndef LAM_MASKED_H
#define LAM_MASKED_H

#include "runtime/data.h"

LAM_TABLE(struct lam_corruption lam_masking)

#endif
