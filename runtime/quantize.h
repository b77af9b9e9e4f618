/* The verb that writes a file of quantized weights. */
#ifndef LAM_QUANTIZE_H
#define LAM_QUANTIZE_H

#include "runtime/options.h"

LAM_TABLE(struct lam_verb lam_quantize_verb)

#endif
