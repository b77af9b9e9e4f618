/* compare.html as a string, which the build makes of the file. */
#ifndef DRIVER_PAGE_TEXT_H
#define DRIVER_PAGE_TEXT_H

#include "codegen/runtime_text.h"

extern const struct runtime_text page_texts[];

#endif
