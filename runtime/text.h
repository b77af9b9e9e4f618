/* The reader of one long text. */
#ifndef LAM_TEXT_H
#define LAM_TEXT_H

#include "runtime/data.h"

LAM_TABLE(struct lam_reader lam_text_reader)

#endif
