/* What derive.c and derive_words.c share. */
#ifndef PASSES_DERIVE_H
#define PASSES_DERIVE_H

#include "ir/tensor.h"

/* For each value of a swept graph, by id, a set of its axes as bits: those that some contraction sums over, seen through views and
   elementwise operations. */
unsigned *find_summed_axes(struct arena *arena, const struct graph *graph);

/* Elements of four bits that are summed along lie in words of 32 bits, a block of WORDS * SLOTS of them after the other: element
   slot * WORDS + word of a block is that number `slot` of its word `word`. So one load and a shift by 4 * slot give as many elements that
   follow each other along the sum as a vector has lanes, on every target. */
enum { WORDS = 16, SLOTS = 8 };

/* In which order a derived state holds a value: its axes, those that are summed over last, and in words or as they come. */
struct derived_order {
  struct axis *axes[MAX_AXES];
  int count, summed; /* summed: how many of the last axes */
  bool in_words;
};

/* The order for a value with these axes. `bits`: of one element, if it is a whole number, else 0. */
struct derived_order derived_order_of(struct axis *const *axes, int count, unsigned summed, int bits);
/* The value with its last axes taken apart, [..., block, word, slot], which the order then has. */
struct value *derived_in_words(struct graph *graph, struct value *value, struct derived_order *order);
/* The opposite: `read` has the last axes block, word and slot of a state, which become the axes `summed`. */
struct value *derived_from_words(struct graph *graph, struct value *read, struct axis *const *words,
                                 struct axis *const *summed, int count);

#endif
