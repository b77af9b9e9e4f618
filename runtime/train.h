/* Steps of the optimizer. */
#ifndef LAM_TRAIN_H
#define LAM_TRAIN_H

#include "runtime/batches.h"

/* Takes one step of the optimizer on the next `accumulate` batches, and returns its loss; `run->step` counts it. */
LAM_API double lam_train_step(struct lam_program *program, struct lam_run *run, struct lam_feed *feed,
                              int64_t accumulate);

/* How a run leaves off for another program, and that takes over. */
enum lam_order {
  LAM_ORDER_STOP, /* nobody gives orders any more */
  LAM_ORDER_BEGIN = 'b', /* as without --watch */
  LAM_ORDER_GO_ON = 'g' /* go on from the weights that an earlier program of this run saved */
};
struct lam_handover {
  bool (*waits)(void); /* whether there will be an order */
  void (*listen)(void); /* from now on a signal asks the run to leave off */
  bool (*asked)(void); /* whether it did, since the last time */
  /* Says that all is ready, and where weights go, and waits for the order. */
  enum lam_order (*ready)(const char *path);
  /* Says that the run goes on, since it cannot save what another would begin with. */
  void (*refused)(void);
  /* Unless the weights learned the same of their data, the run has their facts, and data is to be opened with these
     again. */
  bool (*take_over)(struct lam_program *program, struct lam_run *run, const char *path, bool *same_facts);
};
/* The exit status of a run that left off for another; asked for by SIGUSR1. */
enum { LAM_HANDED_OVER = 75 };

LAM_TABLE(struct lam_verb lam_train_verb) /* has a train block and data */

#endif
