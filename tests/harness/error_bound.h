/* How far a program's numbers may be from the interpreter's: a running error analysis (Wilkinson; Higham, "Accuracy and Stability of
   Numerical Algorithms", 2nd edition, sections 3.1 and 3.3) of one run of a graph. Every element gets a bound of its own, made
   of the errors of its operands, of the roundings of the operation (as many as it has additions) and of the magnitudes that met. So
   the bound grows where a graph is ill-conditioned, and nowhere else; where a comparison may go either way, an
   operand may be zero or a number may overflow, it says so. */
#ifndef TESTS_HARNESS_ERROR_BOUND_H
#define TESTS_HARNESS_ERROR_BOUND_H

#include "tests/harness/random_graph.h"

struct precision {
  double unit; /* of rounding: half of the distance between 1 and the next number */
  double least; /* the least positive number */
  double largest; /* the largest finite one */
  double functions; /* how far exp, log ... are off at most, in units of rounding */
  bool reassociates; /* sums may be in another order, and joined with the addition that follows */
};

/* What programs compute with for targets of float, for the target `reference`, and the interpreter itself. */
struct precision precision_of(bool double_precision, bool reassociates);

/* The interpreter's numbers and how far from them another program's may be. 0: the same number, infinity or NaN. INFINITY: the
   analysis knows no bound. */
struct bounded {
  int64_t count;
  double *numbers, *errors;
};

/* Runs the flat graph on the sample's contents, which stay as they are. `outputs` gets an entry for each output of the graph, laid
   out as graph_interpret does, and `states` one for each of the sample's contents that is a state, at full extent, as the run
   leaves it (the others are left alone). Returns NULL, or the interpreter's message. */
const char *bound_errors(struct arena *arena, struct sample *sample, const struct graph *graph,
                         const struct precision *precision, struct bounded *outputs, struct bounded *states);
/* The first element of `found` that is too far off, or -1. Elements without a bound are added to *open. */
int64_t bound_broken(const struct bounded *bounded, const double *found, int64_t *open);

#endif
