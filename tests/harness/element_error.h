/* The error analysis of single elements: the precision of programs, and how far one element of an elementwise operation
   may be off when its operands are. error_bound.h applies it to the tensors of a graph. */
#ifndef TESTS_HARNESS_ELEMENT_ERROR_H
#define TESTS_HARNESS_ELEMENT_ERROR_H

#include "ir/tensor.h"

struct precision {
  double unit; /* of rounding: half the distance from 1 to the next number */
  double least; /* the least positive number */
  double largest; /* the largest finite one */
  double functions; /* the largest error of exp, log ..., in units of rounding */
  bool reassociates; /* sums may have another order, and be joined with the addition that follows */
};

/* The precision of programs for float targets or for the target `reference`, and of the interpreter itself. */
struct precision precision_of(bool double_precision, bool reassociates);

/* The operands of one element: their numbers and errors. */
struct point {
  double x[3], e[3];
};

/* The error of an element of `value`. The errors of its operands move it by at most `moved`; `terms` additions round it,
   and the magnitudes of their terms have the sum `size`. INFINITY where the number may not be representable. */
double element_error(const struct precision *precision, const struct value *value, double number, double moved,
                     double size, int terms);
/* The error of an element `y` of an elementwise operation. */
double elementwise_error(const struct precision *precision, const struct value *value, double y, const struct point *p);

#endif
