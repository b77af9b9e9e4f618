/* The reader of data that the spec itself makes. */
#ifndef LAM_SYNTHETIC_H
#define LAM_SYNTHETIC_H

#include "runtime/data.h"

LAM_TABLE(struct lam_reader lam_synthetic_reader)

#endif
