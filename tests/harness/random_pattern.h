/* What models are made of, as graphs: random operations seldom meet in these ways, and schedules are made for them. */
#ifndef TESTS_HARNESS_RANDOM_PATTERN_H
#define TESTS_HARNESS_RANDOM_PATTERN_H

#include "tests/harness/random_graph.h"

/* A softmax, a norm, a layer, attention, a loss, rotary positions, a table, a ranking, a repeat of layers, or the update of an
   optimizer, on operands as the sample's other operations have them. */
struct value *sample_pattern(struct sample *sample);

#endif
