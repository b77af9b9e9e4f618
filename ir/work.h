/* What a launch asks of the machine, counted from its loops: so that a measured time can be held against what the machine can do. */
#ifndef IR_WORK_H
#define IR_WORK_H

#include "ir/loop.h"

/* Operations on reals: 1 for each sum, difference, product, quotient, maximum and minimum, 2 for a multiply-add, lanes - 1 for
   folding a vector, and 1 for each call of a function (exp, sqrt, mod), however long it takes. Signs, comparisons, choices,
   roundings, conversions, integers and draws of random numbers are free. What a part of a tile computes for columns that nobody
   stores is not counted: a product of m x k and k x n has 2 m n k operations however it is cut. What several kernels compute again
   because that is cheaper than memory counts each time.

   Of an elementwise operation that is the column `operations` of ops.def. The column `price` says another thing, how long one
   element takes beside a sum, by which fusion decides what to compute again. Work is held against a peak in multiply-adds and
   beside what others publish, where exp is one operation; with prices for counts, its time would seem to be work well done.

   Elements moved: each element of memory once for each launch that reads it, and once more for each that writes it; an element
   that the launch itself wrote before it reads it counts as written only. That is the least traffic that the launch can have: what
   falls out of a cache and is fetched again is not in it. Indices that come from data (a gather's) count as many different rows
   as there are indices, at most the whole array. Where one array is accessed in several overlapping ways that no simple shape
   describes, the count is between the true one and the sum of the ways. */
struct work {
  double operations;
  double moved[TYPE_INDEX + 1]; /* elements, by type */
};

/* `sizes` are the routine's run-time sizes. */
struct work launch_work(struct arena *arena, const struct launch *launch, const int64_t *sizes);

/* The two halves of launch_work. `numbers` has the values of the function's number parameters, NAN where unknown;
   `counts` has the elements from each pointer on, 0 where unknown. Both are by parameter. */
double function_operations(struct arena *arena, const struct function *function, const double *numbers);
void function_traffic(struct arena *arena, const struct function *function, const double *numbers,
                      const int64_t *counts, double moved[TYPE_INDEX + 1]);

#endif
