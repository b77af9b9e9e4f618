#ifndef PASSES_FORWARD_H
#define PASSES_FORWARD_H

#include "ir/loop.h"

/* Puts each value whose variable is unnamed, which reads no memory, and which one value or store of the same block
   reads, in the place where it is read; and a value that is only stored, to an array of its name, in the store. The
   operations stay the same, and so do all bits. */
void forward_unnamed(struct arena *arena, struct function *function);

#endif
