/* Kernels that differ in sizes alone. */
#ifndef CODEGEN_MERGE_H
#define CODEGEN_MERGE_H

#include "ir/loop.h"

/* Launched functions that are equal but for a few numbers (extents, strides, offsets) become the first of them, which takes
   the numbers as parameters; launches are changed accordingly. */
void merge_kernels(struct arena *arena, struct module *module);

#endif
