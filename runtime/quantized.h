/* Models that keep steps of parameters, whole numbers of few bits with a scale, which files may have in their place. */
#ifndef LAM_QUANTIZED_H
#define LAM_QUANTIZED_H

#include "runtime/weights.h"

LAM_TABLE(struct lam_quantized lam_quantized) /* for lam_model.quantized */
/* As lam_put_checkpoint, for predictions alone: the steps of parameters that have some; and of the rest parameters and
   averages. */
LAM_API int lam_put_quantized(struct lam_model *model, const struct lam_run *run, FILE *file, const char *path);

#endif
