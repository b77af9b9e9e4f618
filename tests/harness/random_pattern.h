/* Graphs as they occur in models. Random operations seldom combine in these ways, and schedules are made for them. */
#ifndef TESTS_HARNESS_RANDOM_PATTERN_H
#define TESTS_HARNESS_RANDOM_PATTERN_H

#include "tests/harness/random_graph.h"

/* A softmax, a norm, a layer, attention, a loss, rotary positions, a table, a ranking, a repeat of layers, or an
   optimizer's update. The operands are like those of the sample's other operations. */
struct value *sample_pattern(struct sample *sample);

#endif
