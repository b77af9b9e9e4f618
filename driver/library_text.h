/* The files of specs/std/ as strings, made by tools/embed at build time. */
#ifndef DRIVER_LIBRARY_TEXT_H
#define DRIVER_LIBRARY_TEXT_H

#include "codegen/runtime_text.h"

extern const struct runtime_text library_texts[];

#endif
