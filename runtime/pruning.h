/* When weights are pruned. */
#ifndef LAM_PRUNING_H
#define LAM_PRUNING_H

#include "runtime/program.h"

/* Before the steps begin, begin + every ... below end, and end. */
struct lam_pruning {
  int64_t begin, end, every;
};
struct lam_prunings {
  const struct lam_pruning *items;
  int count;
};

/* lam_program.prune: runs LAM_PRUNE where that is due before the routine of this number. */
LAM_API void lam_prune_when_due(struct lam_program *program, int number, int64_t step, int64_t steps, uint32_t seed);

#endif
