/* What a text is generated from, where a model has an encoder. */
#ifndef LAM_SOURCE_H
#define LAM_SOURCE_H

#include "runtime/generate.h"

/* Reads it from the option "source" into the inputs of step and prepare, and runs prepare. */
LAM_API bool lam_read_source(struct lam_session *session, const struct lam_options *options);

#endif
