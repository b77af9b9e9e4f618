/* Steps of the optimizer, and how a run is handed over. */
#ifndef LAM_TRAIN_H
#define LAM_TRAIN_H

#include "runtime/batches.h"

/* Takes one step of the optimizer on the next `accumulate` batches, and returns its loss; `run->step` counts it. */
LAM_API double lam_train_step(struct lam_program *program, struct lam_run *run, struct lam_feed *feed,
                              int64_t accumulate);

/* What lets a run leave off for another program, or go on where another left off. */
struct lam_handover {
  bool (*waits)(void); /* whether this program has to wait */
  /* Reports that all is ready, waits, and loads what an earlier program saved, if told to. Where that had learned other
     facts of its data, *same_facts is false, the run has those facts, and the caller opens the data with them again.
     False: training ends by *code. */
  bool (*begin)(struct lam_program *program, struct lam_run *run, const char *path, bool *same_facts, int *code);
  bool (*asked)(void); /* whether the run was asked to leave off since the last call */
  void (*refused)(void); /* reports that it goes on, since it cannot save what another would begin with */
};
/* The exit status of a run that left off for another program, as SIGUSR1 asks it to. */
enum { LAM_HANDED_OVER = 75 };

LAM_TABLE(struct lam_verb lam_train_verb) /* for programs with a train block and data */

#endif
