/* Declarations shared by the files of `lamella compare`:
     compare.c          the verb: from the options to the reports
     compare_measure.c  the order of measuring, and what follows from the times
     compare_variants.c reads the variants from the command line
     compare_compile.c  compiles specs to machine code
     compare_process.c  the processes in which programs run
     compare_accuracy.c measures how far results are from the definition of the language
     compare_report.c   the table and the JSON file
     compare_page.c     the page with plots
     statistics.c       tells which variant is faster, and whether that is more than noise */
#ifndef DRIVER_COMPARE_H
#define DRIVER_COMPARE_H

#include <stdint.h>
#include <sys/types.h>

#include "codegen/jit/jit.h"
#include "driver/driver.h"
#include "driver/statistics.h"

/* --- compare_process.c ---------------------------------------------------------------------------------------------------- */

/* A process that takes steps when it is told to (runtime/steps.c). It ends when this process does. */
struct child {
  pid_t pid; /* 0: none */
  int to, from;
  char buffer[1 << 16];
  int begin, end;
  bool is_late; /* it did not answer in time */
  double memory_before; /* the bytes that the process had before the program began */
  double units; /* tokens or examples in a step */
  char unit[16];
};

/* The work of a child: `run` is called in the new process, whose stdin and stdout are the other ends of the pipes, and
   returns the exit code. */
struct child_work {
  int (*run)(void *context);
  void *context;
  const char *errors; /* file for stderr */
  int threads; /* the number of processors that it is pinned to */
};

/* Starts a child and waits until it is ready. False when that takes longer than `patience` seconds or fails. */
bool child_start(struct child *child, const struct child_work *work, double patience);
/* Sends a line to the child. */
bool child_tell(struct child *child, const char *line);
/* The next line that the child prints. NULL at its end, after `patience` seconds, or when this process is asked to
   end. */
const char *child_hear(struct child *child, double patience);
/* Called in the child before the program begins: reports how much memory there is without it. */
void child_report_memory(void);
/* The most memory that the program has taken, in bytes; to be called before child_end. */
double child_memory(const struct child *child);
void child_end(struct child *child);
/* From now on SIGINT and SIGTERM only set compare_stopped, which asks for an end. */
void compare_catch_signals(void);
extern volatile int compare_stopped;
/* How many processors this process may use. */
int processors_allowed(void);

/* --- compare.c ---------------------------------------------------------------------------------------------------------------- */

/* The life of an activation in a step, by the static memory plan. */
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
  double largest, mean; /* over all elements, each relative to the largest of its tensor */
  double loss;
  const char *worst; /* the tensor that has the largest */
};

struct variant {
  const char *name;
  struct options options;
  const char *pipeline; /* as text */
  const char *program; /* the program's name */
  struct emitted emitted;
  struct jit_object object;
  double translate_seconds, compile_seconds; /* processor time: from the spec to C, from C to machine code */
  int64_t code_bytes, source_lines;
  int64_t activation_bytes;
  int launches;
  ARRAY(struct life) lives;
  int oracle; /* the number of the oracle that it is checked against */
  double slow; /* percent, for tests */
  const char *errors; /* the file that its messages go to */
  const char *failure; /* NULL: none */
  struct child child;
  double units;
  const char *unit;
  ARRAY(double) blocks; /* by round: seconds per unit of the shortest step; NaN where it took no part */
  double probe; /* seconds of a step, before measuring */
  bool slow_by_far; /* a step takes more than five times the fastest's, so it takes part in few rounds */
  int parts; /* the number of rounds that it took part in */
  ARRAY(double) steps; /* of the present process: seconds of each step measured */
  ARRAY(double) medians; /* by process: the logarithm of the median step's seconds */
  ARRAY(double) losses; /* of the first process, by step */
  double memory; /* the most that it took, in bytes */
  struct accuracy accuracy;
  ARRAY(struct kernel_time) kernels;
  /* Conclusions: */
  struct interval step; /* seconds, and where 95% of repetitions would lie */
  struct interval ratio; /* of its time per unit to that of the fastest */
  double probability; /* that its ratio lies within the margin, corrected */
  bool differs;
};

/* The results of the language's definition on the same data. */
struct oracle {
  struct options *options;
  const char *folder; /* where outputs.safetensors and state.safetensors are */
  const char *what; /* "the interpreter", or why there is none */
  bool known;
  double loss;
};

struct comparison {
  struct arena *arena;
  struct options *options;
  const char *folder; /* for temporary files */
  ARRAY(struct variant *) variants;
  ARRAY(struct oracle) oracles;
  int threads, rounds, block, processes;
  int few; /* rounds that are enough for variants that are slow by far */
  double extra_seconds; /* spent on those, and on steps for their loss alone: no part of the budget */
  double until; /* by seconds_now: after this no round begins, once there are enough for any answer */
  double check_patience; /* the seconds that an oracle may take for a step */
  bool cut_short; /* rounds ended because of `until` */
  double starting; /* seconds to start one process of every variant */
  int loss_steps; /* the loss is asked for after so many steps; 0: after as many as all variants take */
  uint64_t seed;
  double margin, level, seconds; /* level: of the test, 0.01; seconds: the whole time taken */
  int fastest; /* number of a variant, or -1 */
};

/* --- compare_measure.c --------------------------------------------------------------------------------------------------- */

/* Starts a process for the variant. */
bool variant_start(struct comparison *comparison, struct variant *variant);
/* Marks the variant as failed, for this reason, and keeps the last messages of its process. */
void variant_fail(struct comparison *comparison, struct variant *variant, const char *what);
/* Runs the rounds, in about `budget` seconds, and ends the processes. */
void measure_variants(struct comparison *comparison, double budget);
/* Sets the variants' conclusions, and the fastest. */
void conclude(struct comparison *comparison);

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
/* Gives variants with the same -D and the same adapters the same oracle. */
void assign_oracles(struct comparison *comparison);

/* --- compare_compile.c ----------------------------------------------------------------------------------------------------------- */

/* Compiles all variants to objects. False after a message. */
bool compile_variants(struct comparison *comparison);
/* Compiles one variant. */
bool variant_compile(struct comparison *comparison, struct variant *variant);

/* --- compare_accuracy.c -------------------------------------------------------------------------------------------------------- */

/* Runs the oracle's first step and keeps the results. */
void oracle_run(struct comparison *comparison, struct oracle *oracle);
/* Makes a variant that has just started take its first step, and compares the results with its oracle's. */
void accuracy_measure(struct comparison *comparison, struct variant *variant);

/* --- compare_report.c ---------------------------------------------------------------------------------------------------------- */

void report_table(FILE *file, const struct comparison *comparison);
char *report_json(const struct comparison *comparison); /* for free() */

/* --- compare_page.c -------------------------------------------------------------------------------------------------------------- */

/* The report as one page without other files, as text in the arena. */
const char *report_page(const struct comparison *comparison);

#endif
