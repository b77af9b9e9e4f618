/* Bounds how far a program's numbers may be from the interpreter's, by a running error analysis (Wilkinson; Higham,
   "Accuracy and Stability of Numerical Algorithms", 2nd edition, sections 3.1 and 3.3) of one run of a graph.

   Every element gets a bound of its own, from the errors of its operands, the roundings of the operation (as many as it
   has additions) and the magnitudes that met in it. So the bound grows where a graph is ill-conditioned, and nowhere
   else. Where a comparison may go either way, an operand may be zero or a number may overflow, an element has no
   bound. */
#ifndef TESTS_HARNESS_ERROR_BOUND_H
#define TESTS_HARNESS_ERROR_BOUND_H

#include "tests/harness/element_error.h"
#include "tests/harness/random_graph.h"

/* The interpreter's numbers, and how far from them another program's may be. 0: it must give the same number, infinity
   or NaN. INFINITY: the analysis has no bound. */
struct bounded {
  int64_t count;
  double *numbers, *errors;
};

/* Runs the flat graph on the sample's contents, which do not change. `outputs` gets an entry for each output of the
   graph, laid out as by graph_interpret. `states` gets one for each of the sample's contents that is a state, at full
   extent, as the run leaves it; its other entries are left alone. Returns NULL, or the interpreter's message. */
const char *bound_errors(struct arena *arena, struct sample *sample, const struct graph *graph,
                         const struct precision *precision, struct bounded *outputs, struct bounded *states);
/* The first element of `found` that is too far off, or -1. Elements without a bound are added to *open. */
int64_t bound_broken(const struct bounded *bounded, const double *found, int64_t *open);

#endif
