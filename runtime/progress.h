/* Reports how training goes on. */
#ifndef LAM_PROGRESS_H
#define LAM_PROGRESS_H

#include "runtime/program.h"

struct lam_progress {
  int64_t first, steps, every; /* first: where this run began */
  int64_t units; /* tokens or examples in a step */
  const char *unit;
  bool quiet, live; /* live: one line that changes, for a terminal */
  double start, drawn, smooth;
  const char *log_path;
  void *log; /* FILE, or NULL */
  bool log_failed;
};
LAM_API bool lam_progress_start(struct lam_progress *progress, const char *log, bool append);
/* Reports a step that the routine train has just made: the loss, and of the routine's outputs "gradient_norm",
   "loss_scale" and "skipped_steps" those that there are. */
LAM_API void lam_progress_step(struct lam_progress *progress, int64_t step, double loss,
                               const struct lam_routine *train);
LAM_API void lam_progress_evaluation(struct lam_progress *progress, int64_t step,
                                     const double *loss); /* NULL: there was nothing to evaluate */
LAM_API void lam_progress_end(struct lam_progress *progress);

#endif
