/* What graphs do with parameters: facts that decide what a pass about weights makes of each. */
#ifndef PASSES_USES_H
#define PASSES_USES_H

#include "ir/program.h"

/* What graphs do with a parameter, seen through views. Sets of axes have a bit for each axis of the state. */
struct parameter_uses {
  unsigned summed; /* a contraction sums over it */
  unsigned summed_after_lookup; /* the same of what a lookup took from the parameter, as from a table of experts */
  unsigned
      batched; /* both operands of a contraction have it, which keeps it; or a lookup chose along it before the contraction */
  unsigned looked_up; /* a lookup chooses along it */
  bool is_head; /* no further contraction follows on the way to some result */
};
/* Adds what the graph does to `uses`, which has an item for each of program->states. `results` are the model's. */
void find_parameter_uses(const struct program *program, const struct graph *graph, struct value *const *results,
                         int count, struct parameter_uses *uses);
/* The place in program->states of the parameter that the value is, or is an average of; -1 where it is neither. */
int parameter_place(const struct program *program, const struct value *value);

#endif
