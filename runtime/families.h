/* Tensors and ports of an emitted program, where its tables say that they lie. */
#ifndef LAM_FAMILIES_H
#define LAM_FAMILIES_H

#include "runtime/program.h"

/* The tensors of `self` in the order of the spec: copy by copy for neighbours of one repeat. Their names are
   allocated. */
LAM_API void lam_list_tensors(const struct lam_family *families, int count, const void *self,
                              struct lam_tensor *tensors);
LAM_API void lam_place_ports(struct lam_program *program); /* where program->self has them */

#endif
