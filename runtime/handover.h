/* Training under `lamella run --watch`. */
#ifndef LAM_HANDOVER_H
#define LAM_HANDOVER_H

#include "runtime/checkpoint.h"

/* Orders to a program that is ready to take a run over. */
enum lam_order {
  LAM_ORDER_STOP, /* nobody gives orders any more */
  LAM_ORDER_BEGIN = 'b', /* begin as without --watch */
  LAM_ORDER_GO_ON = 'g' /* go on from the weights that an earlier program of this run saved */
};
LAM_TABLE(struct lam_handover lam_handover)
/* Loads what still fits of a file that another version of the spec left, and notes what does not. */
LAM_API bool lam_checkpoint_go_on(struct lam_program *program, struct lam_run *run, const char *path);

#endif
