/* compare.html as a string; the build makes it from the file. */
#ifndef DRIVER_PAGE_TEXT_H
#define DRIVER_PAGE_TEXT_H

#include "codegen/runtime_text.h"

extern const struct runtime_text page_texts[];

#endif
