/* Runs a routine of a loop module under the loop interpreter and compares it with the graph it was made from. */
#ifndef TESTS_HARNESS_RUN_MODULE_H
#define TESTS_HARNESS_RUN_MODULE_H

#include "ir/interpret.h"
#include "ir/loop.h"
#include "ir/program.h"
#include "tests/harness/random_graph.h"

/* Fills contents of inputs and states with numbers that depend on the name alone; integers lie in their range. */
void fill_value(double *data, int64_t count, enum kind kind, const struct axis *range, const char *name);
/* Lets the module's first routine begin with the launches of the routine derive, if there is one, as a program does when
   parameters have changed. */
void join_derived(struct module *module);
/* Compares outputs and states, derived ones apart: reals within `tolerance`, relative to the largest magnitude of the tensor, outputs
   that are integers or booleans exactly. NULL, or what differs. `sizes` are the present lengths, by index. */
const char *compare_routine(struct arena *arena, const struct module *module, const struct routine *routine,
                            const int64_t *sizes, double tolerance);
/* The same for a random graph with its own contents. */
const char *compare_sample(struct sample *sample, const struct module *module, const struct routine *routine,
                           double tolerance);
/* The same for the functions printed as C and compiled. `compiled` is the function of caller_text, which launches them
   on memory for each buffer of the module. */
typedef void compiled_routine(void **memory, const int64_t *sizes);
const char *compare_compiled(struct sample *sample, const struct module *module, const struct routine *routine,
                             compiled_routine *compiled, bool double_precision, double tolerance);
/* Runs the compiled routine on the sample's contents, which do not change; activations lie in one block as planned.
   `found` gets an array for each output of the routine's graph, laid out as by the interpreter, and one at the place of
   each content that is a state. Returns NULL, or what was written where nothing may be. */
struct found {
  double **outputs, **states;
};
const char *run_compiled_sample(struct arena *arena, struct sample *sample, const struct module *module,
                                const struct routine *routine, compiled_routine *compiled, bool double_precision,
                                struct found *found);
const char *caller_text(struct arena *arena, const struct module *module, const struct routine *routine,
                        const char *name, bool double_precision);
/* NULL, or a message about two activations that live at the same time and overlap, or about one outside the arena. */
const char *check_plan(struct arena *arena, const struct module *module, const struct routine *routine,
                       bool double_precision);

#endif
