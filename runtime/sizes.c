/* Predictions for batches of several sizes: which of them serves so many rows. */
#include "runtime/runtime.h"

int lam_choose_size(struct lam_program *program, int64_t rows) {
  int best = -1;
  int64_t best_size = 0;
  for (int number = LAM_PREDICT; lam_routine_at(program, number);
       number = number < LAM_ROUTINES ? LAM_ROUTINES : number + 1) {
    const struct lam_routine *routine = lam_routine_at(program, number);
    if (!routine->exists) continue;
    const int64_t size = lam_batch_size(routine);
    bool fills = 2 * rows >= size, best_fills = 2 * rows >= best_size;
    if (best >= 0 && (fills != best_fills ? best_fills : fills ? size <= best_size : size >= best_size)) continue;
    best = number, best_size = size;
  }
  return best;
}

int lam_choose_first(struct lam_program *program, int64_t rows) {
  (void)rows;
  return program->routines[LAM_PREDICT].exists ? LAM_PREDICT : LAM_ROUTINES;
}
