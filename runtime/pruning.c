/* Prunes weights before the steps that the pipeline names, and before they are used. */
#include "runtime/pruning.h"

#include "runtime/memory.h"

/* A routine that trains asks for the steps that are listed; any other one asks before weights are used at all. */
void lam_prune_when_due(struct lam_program *program, int number, int64_t step, int64_t steps, uint32_t seed) {
  if (number == LAM_PRUNE || number == LAM_DERIVE || number == LAM_SYNTHESIZE) return;
  int64_t *pruned = program->model->pruned;
  const bool trains = number == LAM_TRAIN || number == LAM_ACCUMULATE;
  const int64_t at = trains ? step : -*pruned;
  bool due = !trains && *pruned <= 0;
  for (int i = 0; i < program->prunings->count && trains && *pruned != step + 1; i++) {
    const struct lam_pruning *own = &program->prunings->items[i];
    const bool listed = step == own->end || (step < own->end && (step - own->begin) % own->every == 0);
    due = due || (step >= own->begin && (*pruned <= 0 || listed));
  }
  if (!due) return;
  lam_run_routine(program, LAM_PRUNE, at, steps, seed, NULL);
  *pruned = at + 1;
}
