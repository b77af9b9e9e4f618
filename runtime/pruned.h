/* Whether weights that come from a file were pruned. */
#ifndef LAM_PRUNED_H
#define LAM_PRUNED_H

#include "runtime/weights.h"

/* lam_model.pruned is 1 + the step of training before which weights were pruned last. Where it is 0 or less, they were
   not since they were loaded or drawn; -step is then the step that they are to be pruned for, and 0 the last.

   lam_model.note_pruned: the weights were read for the purpose, an enum lam_purpose. */
LAM_API void lam_note_pruned(struct lam_model *model, const struct lam_weights *weights, int purpose);

#endif
