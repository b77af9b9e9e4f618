/* What graphs do with parameters, for passes that change weights. */
#ifndef PASSES_WEIGHT_USES_H
#define PASSES_WEIGHT_USES_H

#include "ir/program.h"

/* What all graphs that were looked at do with a parameter. */
struct weight_uses {
  /* Axes of the state, a bit for each: those that contractions sum over, and those along which elements are looked up. */
  unsigned summed, looked_up;
  bool is_head; /* an output is computed by a contraction with it */
};

/* The place in program->states of the real parameter that the value is, or is an average of; -1 where it is neither. */
int weight_place(const struct program *program, const struct value *value);
/* Adds what the graph does, also by views of parameters, to `uses`, which has the places of program->states. */
void weight_uses_add(const struct program *program, const struct graph *graph, struct weight_uses *uses);
/* The last axis of a set of them; -1 where there is none. */
int weight_last_axis(unsigned axes);

#endif
