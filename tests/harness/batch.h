/* Many scheduled graphs as one translation unit. Compiling is most of what testing them costs, and equal kernels, of
   one graph under several pipelines or of several graphs, are compiled once. */
#ifndef TESTS_HARNESS_BATCH_H
#define TESTS_HARNESS_BATCH_H

#include "ir/target.h"
#include "tests/harness/compile.h"
#include "tests/harness/run_module.h"

struct batch;

struct batch *batch_new(struct arena *arena, const struct target *target);
/* Adds the module's first routine, whose functions are renamed. Returns its number in the batch. */
int batch_add(struct batch *batch, const struct module *module);
/* The C of the whole batch, and how many functions it has. */
const char *batch_source(struct batch *batch, int *functions);
/* The routine of that number in the compiled source. */
compiled_routine *batch_routine(struct arena *arena, struct library *library, int number);

#endif
