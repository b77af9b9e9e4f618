/* Adapters of low rank in files of their own: "NAME/lora_A" [axes..., rank], "NAME/lora_B" [rank, axes...] and the
   number "NAME/lora_alpha" for a parameter NAME. The option --lora adds scale * alpha / rank * A B to it when weights
   are loaded, whatever pipeline the program has; the verb merge writes the sum. */
#ifndef LAM_ADAPTERS_H
#define LAM_ADAPTERS_H

#include "runtime/checkpoint.h"

LAM_TABLE(struct lam_adapters lam_adapters)
LAM_TABLE(struct lam_verb lam_merge_verb)

#endif
