/* Tensors and ports of an emitted program, where its tables say that they lie. */
#ifndef LAM_FAMILIES_H
#define LAM_FAMILIES_H

#include "runtime/program.h"

/* Sets the pointers of an emitted program's struct `self` to tensors one after the other in `memory`, which has room
   for as many bytes as a call with NULL returns. */
LAM_API size_t lam_place_tensors(const struct lam_family *families, int count, void *self, void *memory);
/* The tensors of `self` in the order of the spec: copy by copy for neighbours of one repeat. Their names are allocated.
 */
LAM_API void lam_list_tensors(const struct lam_family *families, int count, const void *self,
                              struct lam_tensor *tensors);
LAM_API void lam_place_ports(struct lam_program *program); /* where program->self has them */

#endif
