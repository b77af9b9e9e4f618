/* Weights of few bits in files: a tensor NAME as "NAME/i8" with "NAME/scale", or the like. Programs that need none of
   that do not carry it; they find it by lam_model.join_parts. */
#ifndef LAM_PARTS_H
#define LAM_PARTS_H

#include "runtime/safetensors.h"

/* Adds an entry for each tensor of which the file has such parts and not the tensor itself. */
LAM_API int lam_join_parts(struct lam_weights *weights, char message[LAM_MESSAGE]);

#endif
