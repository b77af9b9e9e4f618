/* Places in a text. */
#ifndef LAM_LINES_H
#define LAM_LINES_H

#include "runtime/model.h"

LAM_API long long lam_line_of(const char *text, size_t offset); /* the number of the line that has the byte there */

#endif
