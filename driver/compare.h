/* What the files of `lamella compare` share:
     compare.c          the order of measuring
     compare_variants.c what is compared: from the command line to variants
     compare_compile.c  from specs to machine code
     compare_process.c  the processes in which programs run
     compare_accuracy.c how far results are from the definition of the language
     compare_report.c   the table and the JSON file
     compare_page.c     the page with plots
     statistics.c       which is faster, and whether that is more than noise */
#ifndef DRIVER_COMPARE_H
#define DRIVER_COMPARE_H

#include <stdint.h>
#include <sys/types.h>

#include "codegen/jit/jit.h"
#include "driver/driver.h"
#include "driver/statistics.h"

/* --- compare_process.c ---------------------------------------------------------------------------------------------------- */

/* A process that takes steps when told to (runtime/steps.c). It dies with this one. */
struct child {
  pid_t pid; /* 0: none */
  int to, from;
  char buffer[1 << 16];
  int begin, end;
  bool is_late; /* it was not heard of in time */
  double memory_before; /* bytes of the process before the program began */
  double units; /* tokens or examples in a step */
  char unit[16];
};

/* What a child runs: `run` in the new process, with stdin and stdout as the other ends; gives the exit code. */
struct child_work {
  int (*run)(void *context);
  void *context;
  const char *errors; /* file for stderr */
  int threads; /* it is pinned to so many processors */
};

/* Starts one and waits until it is ready. False when that does not happen in `patience` seconds. */
bool child_start(struct child *child, const struct child_work *work, double patience);
/* Sends a line. */
bool child_tell(struct child *child, const char *line);
/* The next line that it prints; NULL at the end, after `patience` seconds, or when this process is to end. */
const char *child_hear(struct child *child, double patience);
/* In the child, before the program begins: tells how much memory there is without it. */
void child_report_memory(void);
/* The most memory that the program took, in bytes; before child_end. */
double child_memory(const struct child *child);
void child_end(struct child *child);
/* From now on SIGINT and SIGTERM ask for an end: compare_stopped is the signal. */
void compare_catch_signals(void);
extern volatile int compare_stopped;
/* How many processors this process may use. */
int processors_allowed(void);

/* --- compare.c ---------------------------------------------------------------------------------------------------------------- */

/* An activation of a step, in the static memory plan. */
struct life {
  const char *name;
  int first, last; /* launches of the routine, both included */
  int64_t offset, bytes;
};

struct kernel_time {
  const char *name, *where;
  double seconds; /* of a step */
  double calls;
};

struct accuracy {
  bool known;
  double largest, mean; /* of all elements, each relative to the largest of its tensor */
  double loss;
  const char *worst; /* the tensor that has the largest */
};

struct variant {
  const char *name;
  struct options options;
  const char *pipeline; /* as text */
  const char *program; /* its name */
  struct emitted emitted;
  struct jit_object object;
  double translate_seconds, compile_seconds; /* of a processor: spec to C, C to machine code */
  int64_t code_bytes, source_lines;
  int64_t activation_bytes;
  int launches;
  ARRAY(struct life) lives;
  int oracle; /* which of the comparison's it is checked against */
  double slow; /* percent, for tests */
  const char *errors; /* file of what it says */
  const char *failure; /* NULL: none */
  struct child child;
  double units;
  const char *unit;
  ARRAY(double) blocks; /* by round: the least seconds of a step, by unit; NaN where it took no part */
  double probe; /* seconds of a step, before measuring */
  bool slow_by_far; /* takes part in few rounds: a step takes more than five times the fastest's */
  int parts; /* rounds that it took part in */
  ARRAY(double) steps; /* seconds of every step measured, of the process that runs */
  ARRAY(double) medians; /* of the steps of each process: logarithms of seconds */
  ARRAY(double) losses; /* of the first process, step by step */
  double memory; /* bytes at most */
  struct accuracy accuracy;
  ARRAY(struct kernel_time) kernels;
  /* What is concluded. */
  struct interval step; /* seconds, and where 95% of repetitions would lie */
  struct interval ratio; /* of its time by unit to the fastest's */
  double probability; /* that it is within the margin of the fastest, corrected */
  bool differs;
};

/* The definition of the language on the same data. */
struct oracle {
  struct options *options;
  const char *folder; /* of outputs.safetensors and state.safetensors */
  const char *what; /* "the interpreter", or why there is none */
  bool known;
  double loss;
};

struct comparison {
  struct arena *arena;
  struct options *options;
  const char *folder; /* of temporary files */
  ARRAY(struct variant *) variants;
  ARRAY(struct oracle) oracles;
  int threads, rounds, block, processes;
  int few; /* rounds that are enough for what is slow by far */
  double extra_seconds; /* that those took, and steps for their loss alone: no part of the budget */
  double until; /* on the clock of seconds_now: then no round begins, once there are enough for any answer */
  double check_patience; /* seconds that the definition of the language may take for a step */
  bool cut_short; /* rounds ended by that clock */
  double starting; /* seconds to start one process of each variant */
  int loss_steps; /* steps after which the loss is asked for; 0: as many as all take */
  uint64_t seed;
  double margin, level, seconds; /* level: of the test, 0.01; seconds: taken in all */
  int fastest; /* number of a variant, or -1 */
};

/* Starts its process. */
bool variant_start(struct comparison *comparison, struct variant *variant);
/* Keeps the reason, with the end of what the process said. */
void variant_fail(struct comparison *comparison, struct variant *variant, const char *what);

/* --- compare_variants.c -------------------------------------------------------------------------------------------------------- */

enum { VARIANTS_MOST = 26 };

/* The values given for one option, in order. */
struct choices {
  ARRAY(const char *) items;
};
struct choices choices_of(struct comparison *comparison, char letter);
/* The next two return -1, or the exit code after a message. The variants that the options ask for, each with a name of its own. */
int choose_variants(struct comparison *comparison);
/* --slow NAME=5 */
int slow_down(struct comparison *comparison);
/* Variants with the same -D are checked against the same oracle. */
void assign_oracles(struct comparison *comparison);

/* --- compare_compile.c ----------------------------------------------------------------------------------------------------------- */

/* Compiles all variants to objects; false after saying what is wrong. */
bool compile_variants(struct comparison *comparison);
/* Compiles one. */
bool variant_compile(struct comparison *comparison, struct variant *variant);

/* --- compare_accuracy.c -------------------------------------------------------------------------------------------------------- */

/* Runs the oracle's first step and keeps what it gives. */
void oracle_run(struct comparison *comparison, struct oracle *oracle);
/* Has a variant that has just started take its first step, and compares. */
void accuracy_measure(struct comparison *comparison, struct variant *variant);

/* --- compare_report.c ---------------------------------------------------------------------------------------------------------- */

void report_table(FILE *file, const struct comparison *comparison);
char *report_json(const struct comparison *comparison); /* for free() */

/* --- compare_page.c -------------------------------------------------------------------------------------------------------------- */

/* One page that needs nothing else, as text in the arena. */
const char *report_page(const struct comparison *comparison);

#endif
