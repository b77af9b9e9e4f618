/* A trial is one random graph under one pipeline for one target. The graph after the passes is compared with the graph
   before them, both interpreted, and the C made of it with the interpreter on the same graph. Each comparison has its
   own error analysis on both sides (error_bound.h). After a pass the interpreter's numbers may differ by the roundings
   of both graphs, and a program's by roundings in its precision, in any order of sums where a pass is of the class
   `reassociates`. */
#ifndef TESTS_HARNESS_TRIAL_H
#define TESTS_HARNESS_TRIAL_H

#include "ir/target.h"
#include "tests/harness/batch.h"
#include "tests/harness/error_bound.h"
#include "tests/harness/sample_text.h"

/* All variants of a sample are compared with the graph after those passes that belong to every pipeline. */
struct bounds {
  struct bounded *outputs, *states; /* NULL until they are needed */
};

struct expectation {
  struct sample *sample; /* as it was made */
  struct sample *flat;
  struct bounds exact; /* in the interpreter's own precision */
  struct bounds *of_target; /* for programs made of `flat`, by [double precision][reassociates] */
};

/* How many elements were compared, and how many of them have no bound and so tell nothing. */
struct tally {
  int64_t checked, open;
};

struct trial {
  const struct expectation *expected;
  const char *pipeline;
  const struct target *target;
  struct sample
      *sample; /* a copy, whose graph went through the passes; `flat` where there are none that rewrite graphs */
  struct module *module;
  struct bounds bounds; /* for the program */
  struct tally rewritten; /* the interpreted graph after the passes, against the one before */
  struct tally compiled; /* the program, against the interpreter */
  const char *wrong; /* NULL while all is well */
  int number; /* its routine's, in the batch of its target */
  struct found found; /* what the program gave */
  const struct trial *twin; /* the same for another target, whose program has to give the same bits; or NULL */
};

/* Both return NULL, or what is wrong: a pass fails or leaves a wrong graph, or the interpreter gives something else
   afterwards. A sample that the interpreter refuses is wrong too. */
const char *expectation_new(struct arena *arena, struct sample *sample, struct expectation *expected);
/* Takes the graph as one step of generation, under the pipeline "none, hoist" or, without `hoists`, "none". The values
   that moved to `prepare` and then the rest of the step, both interpreted, must give the same bits as the graph did.
   NULL, or what differs. */
const char *compare_hoisted(struct arena *arena, const struct expectation *expected, bool hoists);
/* Interprets the graph twice under the pipeline "none, derive", with parameters that change in between, and what it derives of
   these before each time: it must give the same bits as under "none". NULL, or what differs. *derived: whether anything is
   derived of them. */
const char *compare_derived(struct arena *arena, const struct expectation *expected, bool *derived);
const char *trial_prepare(struct arena *arena, struct trial *trial);
/* Checks the compiled routine against the bounds, and keeps what it gave. */
const char *trial_check(struct arena *arena, struct trial *trial, compiled_routine *compiled);

/* Trials that are compiled together: one translation unit for each target. */
enum { MAX_TARGETS = 16 };

struct trial_set {
  struct arena *arena;
  const struct target *targets[MAX_TARGETS]; /* those that this machine runs, NEON by SIMDe (foreign.h) */
  int target_count;
  struct batch *batches[MAX_TARGETS];
  ARRAY(struct trial *) trials;
  int functions; /* how many were compiled */
  void (*watch)(const struct trial *trial); /* where set, called before a trial's code runs */
};

struct trial_set *trial_set_new(struct arena *arena);
/* Adds a trial and prepares it; an error so far is in its `wrong`. */
struct trial *trial_set_add(struct trial_set *set, const struct expectation *expected, const char *pipeline,
                            const struct target *target);
/* Adds the trial's twin, where bits have to be the same (target_with_same_bits). */
void trial_set_add_twin(struct trial_set *set, struct trial *trial);
/* Compiles all trials, runs and checks those without an error, and sets `wrong` in those that fail. NULL, or a target
   whose source does not compile. */
const struct target *trial_set_run(struct trial_set *set, const struct compiling *how);

#endif
