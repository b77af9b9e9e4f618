/* specs/std/ as strings, which the build makes of the files. */
#ifndef DRIVER_LIBRARY_TEXT_H
#define DRIVER_LIBRARY_TEXT_H

#include "codegen/runtime_text.h"

extern const struct runtime_text library_texts[];

#endif
