/* Which storage holds numbers exactly: what is known of all numbers that a value or an expression can be.

   Casts and intervals carry the meaning, storage follows from them: a value that was rounded to bf16 loses nothing in two bytes, nor does an
   integer between -8 and 7 in four bits. Layout asks this of values (passes/facts.h), and the verifier of loops of all that is stored. */
#ifndef IR_EXACTNESS_H
#define IR_EXACTNESS_H

#include "ir/loop.h"

struct exactness {
  int formats; /* reals: the set of narrow storages, a bit for each, in which every such number is exact */
  double low, high; /* all numbers lie between them, both included */
  bool may_be_nan;
};

/* Any number of that kind; no number at all, which unites with others to these; one number; what the storage can hold. */
struct exactness exactness_any(enum kind kind);
struct exactness exactness_none(void);
struct exactness exactness_number(enum kind kind, double number);
struct exactness exactness_stored(enum storage storage);
/* Whole numbers between the two, which are of the kind integer. */
struct exactness exactness_between(double low, double high);
/* A number that is of the one or of the other. */
struct exactness exactness_either(struct exactness x, struct exactness y);
/* The result of an elementwise operation whose operands are `operands` and whose kinds are `kind` (the result's) and `from` (the operands',
   without the condition of `where`); `storage` is that of a cast. */
struct exactness exactness_apply(enum op op, enum storage storage, enum kind kind, enum kind from,
                                 const struct exactness *operands);
/* Whether each such number is exact in the storage, which is of the kind. */
bool exactness_fits(struct exactness x, enum storage storage);
/* The narrowest storage of the kind in which each such number is exact, for rows of `row` elements. Elements that share a byte would be
   written by several threads where rows do not end with a byte, so such rows have a byte for each element. */
enum storage exactness_storage(struct exactness x, enum kind kind, int64_t row);

/* By value id: what is known of all elements, from the constants, casts and clamps that they go through. */
struct exactness *graph_exactness(struct arena *arena, const struct graph *graph);

/* NULL, or what is stored in the function that may not be exact where it is stored. */
const char *function_stores_exactly(struct arena *arena, const struct function *function);
/* Rounds what is stored where it would be such a thing. For a function whose stores are exact, which its loads alone do not tell. */
void function_store_exactly(struct arena *arena, struct function *function);

#endif
