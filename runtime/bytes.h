/* The tokenizer of which ids are bytes. */
#ifndef LAM_BYTES_H
#define LAM_BYTES_H

#include "runtime/tokenizer.h"

LAM_TABLE(struct lam_tokenizer lam_byte_tokenizer)

#endif
