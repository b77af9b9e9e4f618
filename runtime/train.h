/* Steps of the optimizer, and how a run is handed over. */
#ifndef LAM_TRAIN_H
#define LAM_TRAIN_H

#include "runtime/batches.h"

/* Takes one step of the optimizer on the next `accumulate` batches, and returns its loss; `run->step` counts it. */
LAM_API double lam_train_step(struct lam_program *program, struct lam_run *run, struct lam_feed *feed,
                              int64_t accumulate);

/* Orders to a program that is ready to take a run over. */
enum lam_order {
  LAM_ORDER_STOP, /* nobody gives orders any more */
  LAM_ORDER_BEGIN = 'b', /* begin as without --watch */
  LAM_ORDER_GO_ON = 'g' /* go on from the weights that an earlier program of this run saved */
};
struct lam_handover {
  bool (*waits)(void); /* whether there will be an order */
  void (*listen)(void); /* from now on a signal asks the run to leave off */
  bool (*asked)(void); /* whether it has done so since the last call */
  /* Reports that all is ready, and where weights go, and waits for the order. */
  enum lam_order (*ready)(const char *path);
  /* Reports that the run goes on, since it cannot save what another would begin with. */
  void (*refused)(void);
  /* Loads what fits of the weights. Where these learned other facts of their data, *same_facts is false, the run has
     those facts, and the caller opens the data with them again. */
  bool (*take_over)(struct lam_program *program, struct lam_run *run, const char *path, bool *same_facts);
};
/* The exit status of a run that left off for another program, as SIGUSR1 asks it to. */
enum { LAM_HANDED_OVER = 75 };

LAM_TABLE(struct lam_verb lam_train_verb) /* for programs with a train block and data */

#endif
