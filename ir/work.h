/* The work of a launch, counted from its loops, so that a measured time can be compared with what the machine can do. */
#ifndef IR_WORK_H
#define IR_WORK_H

#include "ir/loop.h"

/* Operations on reals: 1 for each sum, difference, product, quotient, maximum and minimum, 2 for a multiply-add, lanes - 1 for
   folding a vector, and 1 for each call of a function (exp, sqrt, mod), however long it takes. Signs, comparisons, choices,
   roundings, conversions, integers and draws of random numbers are free. Results for columns of a tile that nobody stores are
   not counted: a product of m x k and k x n has 2 m n k operations however it is cut into tiles. Values that several kernels
   compute again, because that is cheaper than memory, count each time.

   For an elementwise operation the count is the column `operations` of ops.def. The column `price` tells another thing: how long
   one element takes compared with a sum. Fusion decides by it what to compute again. Work is compared with a peak in
   multiply-adds and with figures that others publish, where exp is one operation. If prices were counts, a long time spent on exp
   would look like much work done.

   Elements moved: each element of memory counts once for each launch that reads it, and once more for each that writes it. An
   element that the launch itself wrote before it reads it counts as written only. This is the least traffic that the launch can
   have: elements that fall out of a cache and are fetched again are not in it. Indices that come from data (a gather's) count as
   so many different rows, at most the whole array. Where one array is accessed in several overlapping ways that no simple shape
   describes, the count is between the true one and the sum over the ways. */
struct work {
  double operations;
  double moved[STORAGE_COUNT]; /* elements, by storage */
};

/* `sizes` are the routine's run-time sizes. */
struct work launch_work(struct arena *arena, const struct launch *launch, const int64_t *sizes);

/* The two halves of launch_work. `numbers` has the values of the function's number parameters, NAN where unknown;
   `counts` has the elements from each pointer on, 0 where unknown. Both are by parameter. */
double function_operations(struct arena *arena, const struct function *function, const double *numbers);
void function_traffic(struct arena *arena, const struct function *function, const double *numbers,
                      const int64_t *counts, double moved[STORAGE_COUNT]);

#endif
