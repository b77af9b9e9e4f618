/* Strided walks over several arrays at once: what every operation of the interpreter is made of. The walk yields runs along its
   last dimension; the caller's inner loop steps through them. */
#ifndef IR_WALK_H
#define IR_WALK_H

#include "ir/tensor.h"

enum { MAX_WALK_RANK = 4 * MAX_AXES, MAX_WALK_ARRAYS = 4 };

struct walk {
  int rank, arrays;
  int64_t lengths[MAX_WALK_RANK];
  int64_t strides[MAX_WALK_RANK][MAX_WALK_ARRAYS];
  int64_t counters[MAX_WALK_RANK];
  /* The run at hand: `length` elements; array k's begin at offset[k] and are stride[k] apart. */
  int64_t offset[MAX_WALK_ARRAYS];
  int64_t length;
  int64_t stride[MAX_WALK_ARRAYS];
};

void walk_begin(struct walk *walk, int arrays);
/* A further dimension inside those so far. `strides` has one for each array. */
void walk_dimension(struct walk *walk, int64_t length, const int64_t *strides);
/* For walks whose runs may be cut anywhere: joins dimensions that are contiguous in all arrays, which makes runs longer. */
void walk_join(struct walk *walk);
/* for (bool more = walk_first(&walk); more; more = walk_next(&walk)) ... No run comes when there are no elements. */
bool walk_first(struct walk *walk);
bool walk_next(struct walk *walk);

#endif
