#include "ir/walk.h"

#include <string.h>

void walk_begin(struct walk *walk, int arrays) {
  walk->rank = 0;
  walk->arrays = arrays;
  memset(walk->offset, 0, sizeof walk->offset);
}

void walk_dimension(struct walk *walk, int64_t length, const int64_t *strides) {
  if (walk->rank == MAX_WALK_RANK) bug("a walk over more than %d dimensions", MAX_WALK_RANK);
  walk->lengths[walk->rank] = length;
  for (int k = 0; k < walk->arrays; k++) walk->strides[walk->rank][k] = strides[k];
  walk->rank++;
}

void walk_join(struct walk *walk) {
  int rank = 0;
  for (int d = 0; d < walk->rank; d++) {
    int64_t length = walk->lengths[d]; /* entry d may be the one that is overwritten */
    if (length == 1) continue;
    bool joins = rank > 0;
    for (int k = 0; joins && k < walk->arrays; k++) joins = walk->strides[rank - 1][k] == walk->strides[d][k] * length;
    if (!joins) {
      walk->lengths[rank] = 1;
      rank++;
    }
    walk->lengths[rank - 1] *= length;
    for (int k = 0; k < walk->arrays; k++) walk->strides[rank - 1][k] = walk->strides[d][k];
  }
  walk->rank = rank;
}

bool walk_first(struct walk *walk) {
  for (int d = 0; d < walk->rank; d++) {
    if (walk->lengths[d] <= 0) return false;
    walk->counters[d] = 0;
  }
  walk->length = walk->rank ? walk->lengths[walk->rank - 1] : 1;
  for (int k = 0; k < walk->arrays; k++) walk->stride[k] = walk->rank ? walk->strides[walk->rank - 1][k] : 0;
  return true;
}

bool walk_next(struct walk *walk) {
  for (int d = walk->rank - 2; d >= 0; d--) {
    bool wraps = ++walk->counters[d] == walk->lengths[d];
    int64_t steps = wraps ? 1 - walk->lengths[d] : 1;
    for (int k = 0; k < walk->arrays; k++) walk->offset[k] += steps * walk->strides[d][k];
    if (!wraps) return true;
    walk->counters[d] = 0;
  }
  return false;
}
