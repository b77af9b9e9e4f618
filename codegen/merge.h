/* Merges kernels that differ in sizes, or in stores that only some of them have. */
#ifndef CODEGEN_MERGE_H
#define CODEGEN_MERGE_H

#include "ir/loop.h"

/* Launched functions that are equal but for a few numbers (extents, strides, offsets) are replaced by the first of
   them, which gets the numbers as parameters; so are those that only lack stores of single numbers, for which they give
   no memory. Launches are changed accordingly. */
void merge_kernels(struct arena *arena, struct module *module);

#endif
