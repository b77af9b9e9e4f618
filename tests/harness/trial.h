/* One random graph under one pipeline for one target: what the passes make of it against the graph as it was, both interpreted, and
   the C that comes out of it against the interpreter on the same graph. Each comparison has its own error analysis on both sides
   (error_bound.h): after a pass the interpreter may be as far off as the roundings of both graphs are, and a program as far as
   roundings in its precision, in any order of sums where a pass is of the class `reassociates`. */
#ifndef TESTS_HARNESS_TRIAL_H
#define TESTS_HARNESS_TRIAL_H

#include "ir/target.h"
#include "tests/harness/batch.h"
#include "tests/harness/error_bound.h"
#include "tests/harness/sample_text.h"

/* What all variants of a sample are compared with: the graph after the passes that no pipeline is without. */
struct bounds {
  struct bounded *outputs, *states; /* NULL until they are wanted */
};

struct expectation {
  struct sample *sample; /* as it was made */
  struct sample *flat;
  struct bounds exact; /* of the interpreter's own precision */
  struct bounds *of_target; /* of `flat`, for programs: [double precision][reassociates] */
};

/* Elements compared, and those among them without a bound, which say nothing. */
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
  struct bounds bounds; /* of the program */
  struct tally rewritten; /* of the graph after the passes, interpreted, against the graph before them */
  struct tally compiled; /* of the program against the interpreter */
  const char *wrong; /* NULL while all is well */
  int number; /* of its routine in its target's batch */
};

/* Both return NULL, or what is wrong: a pass that fails or leaves a wrong graph, or an interpreter that gives something else
   afterwards. A sample that the interpreter refuses is wrong too. */
const char *expectation_new(struct arena *arena, struct sample *sample, struct expectation *expected);
/* The graph as the one that generation runs at each step, under the pipeline "none, hoist" or, without `hoists`, "none": what moved
   to `prepare`, interpreted, and then the rest of the step give the same bits as the graph did. NULL, or what they do not. */
const char *compare_hoisted(struct arena *arena, const struct expectation *expected, bool hoists);
const char *trial_prepare(struct arena *arena, struct trial *trial);
/* The compiled routine against the bounds. */
const char *trial_check(struct arena *arena, struct trial *trial, compiled_routine *compiled);

/* Trials that are compiled together: one translation unit for each target. */
enum { MAX_TARGETS = 8 };

struct trial_set {
  struct arena *arena;
  const struct target *targets[MAX_TARGETS]; /* that this machine runs */
  int target_count;
  struct batch *batches[MAX_TARGETS];
  ARRAY(struct trial *) trials;
  int functions; /* compiled */
  void (*watch)(const struct trial *trial); /* called before a trial's code runs, where set */
};

struct trial_set *trial_set_new(struct arena *arena);
/* A trial that is prepared; what is wrong already stands in its `wrong`. */
struct trial *trial_set_add(struct trial_set *set, const struct expectation *expected, const char *pipeline,
                            const struct target *target);
/* Compiles all, runs and checks those that are well so far, and sets `wrong` of those that fail.
   NULL, or a target whose source does not compile. */
const struct target *trial_set_run(struct trial_set *set, const struct compiling *how);

#endif
