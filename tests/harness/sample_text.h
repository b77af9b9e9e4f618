/* A random graph with its contents as text that reads back: the text of the graph (ir/tensor.h), with everything else in the comments
   before it.

     # sizes 3                      present lengths, by index
     # input "real_0" 0.5 -1 inf    in the order of the input's axes, at present lengths
     # state "state_1" 1 2 3        in the order of the state's axes, at full extent
     graph sample
     ... */
#ifndef TESTS_HARNESS_SAMPLE_TEXT_H
#define TESTS_HARNESS_SAMPLE_TEXT_H

#include <stdio.h>

#include "tests/harness/random_graph.h"

void sample_print(FILE *file, const struct sample *sample);
const char *sample_text(struct arena *arena, const struct sample *sample);
/* Reads a sample. Reports errors and returns NULL. Contents that are missing, or of another length than the graph
   requires, are errors. Other comments, such as the seed, are ignored. */
struct sample *sample_read(struct arena *arena, const struct source *source, struct diagnostics *diagnostics);
/* A copy of the sample in `arena`, with a graph, axes, states and contents of its own. */
struct sample *sample_copy(struct arena *arena, const struct sample *sample);

#endif
