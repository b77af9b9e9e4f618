/* The verb bench. */
#ifndef LAM_BENCH_H
#define LAM_BENCH_H

#include "runtime/kernels.h"

LAM_TABLE(struct lam_verb lam_bench_verb)

#endif
