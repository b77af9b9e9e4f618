/* Declarations shared by the files of `lamella compare`:
     compare.c          the verb: from the options to the reports
     compare_measure.c  the order of measuring, and what follows from the times
     compare_variants.c reads the variants from the command line
     compare_compile.c  compiles specs to machine code
     compare_process.c  the processes in which programs run
     compare_accuracy.c measures how far results are from the definition of the language
     compare_quality.c  the loss of trained weights, and which variant is fast and good enough
     compare_layers.c   what quantising each parameter alone does to the loss
     compare_proposal.c which parameters to quantise, as the text of a pipeline
     compare_report.c   the tables for people
     compare_json.c     the file for machines
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

/* A process that takes steps or predicts when it is told to (runtime/steps.c, runtime/measure.c). It ends when this process does. */
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

/* What is timed. */
enum work { WORK_TRAIN, WORK_EVALUATE, WORK_PREDICT, WORK_GENERATE, WORK_COUNT };
struct work_facts {
  const char *verb; /* of programs, and what --verb calls it */
  const char *name; /* what runtime/measure.c calls it */
  enum routine_number routine;
  const char *once, *many; /* the head of its column: "step", "token" */
};
extern const struct work_facts work_facts[WORK_COUNT];

/* The times of a variant at one work. */
struct timing {
  double units; /* tokens or examples, in one go */
  const char *unit;
  ARRAY(double) blocks; /* by round: seconds per unit of the shortest step; NaN where it took no part */
  double probe; /* seconds of a step, before measuring */
  bool slow_by_far; /* a step takes more than five times the fastest's, so it takes part in few rounds */
  int parts; /* the number of rounds that it took part in */
  ARRAY(double) steps; /* of the present process: seconds of each step measured */
  ARRAY(double) medians; /* by process: the logarithm of the median step's seconds */
  double memory; /* the most that it took, in bytes */
  ARRAY(struct kernel_time) kernels;
  /* Conclusions: */
  struct interval step; /* seconds, and where 95% of repetitions would lie */
  struct interval ratio; /* of its time per unit to that of the fastest */
  double probability; /* that its ratio lies within the margin, corrected */
  bool differs;
};

/* A work that all variants do in turn. */
struct race {
  enum work work;
  int rounds, block, processes;
  int few; /* rounds that are enough for variants that are slow by far */
  double extra_seconds; /* spent on those, and on steps for their loss alone: no part of the budget */
  double starting; /* seconds to start one process of every variant */
  bool cut_short; /* rounds ended because of comparison->until */
  int fastest; /* number of a variant, or -1 */
};

/* The loss of weights on data, and what it is made of. */
struct evaluation {
  double loss; /* NaN: not known */
  int64_t examples;
  int count; /* of batches */
  double (*sums)[2]; /* by batch: of weights times losses, and of weights */
};

struct variant {
  const char *name;
  struct options options;
  const char *program; /* the program's name */
  struct emitted emitted;
  struct jit_object object;
  double translate_seconds, compile_seconds; /* processor time: from the spec to C, from C to machine code */
  int64_t code_bytes, source_lines;
  int64_t activation_bytes;
  int launches;
  ARRAY(struct life) lives;
  double weight_bytes[STORAGE_COUNT]; /* of the parameters, and of what is derived of them, that the works read */
  int oracle; /* the number of the oracle that it is checked against */
  double slow; /* percent, for tests */
  const char *errors; /* the file that its messages go to */
  const char *failure; /* NULL: none */
  struct child child;
  struct timing timings[WORK_COUNT]; /* by race */
  struct timing *timing; /* that of comparison->race */
  ARRAY(double) losses; /* of training, of the first process, by step */
  struct evaluation evaluation; /* of weights */
  struct accuracy accuracy;
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
  struct race races[WORK_COUNT], *race; /* race: the present one */
  int race_count;
  int threads;
  /* the runtime's modules that were compiled before, where all variants can be linked to them: what compiling takes and makes is then that
     of the variants' own functions, for all of them or for none */
  struct jit_object runtime;
  double until; /* by seconds_now: after this no round begins, once there are enough for any answer */
  double check_patience; /* the seconds that an oracle may take for a step */
  int loss_steps; /* the loss is asked for after so many steps; 0: after as many as all variants take */
  uint64_t seed;
  double margin, level, seconds; /* level: of the test, 0.01; seconds: the whole time taken */
  /* Where variants do not train, but predict: */
  const char *weights; /* the file; NULL: they train */
  bool is_validation; /* else these are all of the data, which are not split */
  bool by_layer; /* --per-layer */
  const char *limit; /* --max-loss, or NULL */
  double limit_number;
  bool limit_is_relative;
  int chosen; /* the fastest variant within the limit, or -1 */
};

/* Tells what is done now, on a terminal or with -v; NULL: nothing any more. */
void compare_say(const struct comparison *comparison, const char *what, const char *whom);
/* Makes race number `i` the present one. */
void enter_race(struct comparison *comparison, int i);

/* --- compare_measure.c --------------------------------------------------------------------------------------------------- */

/* Starts a process for the variant. */
bool variant_start(struct comparison *comparison, struct variant *variant);
/* Marks the variant as failed, for this reason, and keeps the last messages of its process. */
void variant_fail(struct comparison *comparison, struct variant *variant, const char *what);
/* Runs the rounds of all races, in about `budget` seconds, and ends the processes. */
void measure_variants(struct comparison *comparison, double budget);
/* Sets the variants' conclusions, and the fastest, of each race. */
void conclude(struct comparison *comparison);
/* Whether two variants differ by more than noise in the present race, as one pair alone. */
bool variants_differ(struct comparison *comparison, const struct variant *x, const struct variant *y);
/* The next line of the variant's process after a command; NULL after marking the variant as failed, for this reason. */
const char *variant_ask(struct comparison *comparison, struct variant *variant, const char *command, const char *what);

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
/* Sets how far the outputs in a file are from those in another; false where the two have not the same tensors. */
bool accuracy_of_outputs(struct comparison *comparison, const char *expected, const char *got,
                         struct accuracy *accuracy);

/* --- compare_quality.c --------------------------------------------------------------------------------------------------------- */

/* Reads --verb, --weights, --max-loss and --per-layer: what is compared, and by which works. Returns -1, or the exit code after a
   message. */
int choose_works(struct comparison *comparison);
/* Drops the graphs of a program that its comparison does not run. */
void keep_works(const struct comparison *comparison, struct program *program);
/* Asks a variant for the loss of its weights, on at most so many batches (0: all); false after marking it as failed. */
bool evaluate_variant(struct comparison *comparison, struct variant *variant, int64_t batches,
                      struct evaluation *evaluation);
/* The standard error of the difference between two losses on the same data, by what each batch says of it. NaN for fewer than 4
   batches, or different ones. */
double difference_error(const struct evaluation *x, const struct evaluation *y);
/* Asks a variant that has just started for the loss of the weights, and compares its outputs with those of the first. */
void quality_measure(struct comparison *comparison, struct variant *variant);
/* The most that a loss may be by --max-loss, where it is `from` without quantising. */
double loss_limit(const struct comparison *comparison, double from);
/* Sets comparison->chosen. */
void choose_by_loss(struct comparison *comparison);

/* --- compare_layers.c ---------------------------------------------------------------------------------------------------------- */

/* What becomes of the loss, and of a parameter's bytes, where a rule of quantize is for it alone. */
struct trial {
  double loss, error, bytes; /* loss: NaN where the rule cannot be followed; error: of its difference */
};
struct layer {
  const char *name; /* of the parameter */
  double bytes; /* as it is */
  struct trial *trials; /* by rule */
  int chosen; /* the proposal: the number of a rule, or -1 */
  double most; /* the largest loss of its trials */
  int place; /* in the order of the program */
};
struct layers {
  ARRAY(struct layer) items;
  ARRAY(const char *) rules; /* what stands in the brackets of quantize(...): "i8", "i4, group = 64" */
  ARRAY(const char *) others; /* parameters that are no layers here */
  const char *base; /* the pipeline without rules, as text; "": the usual one */
  double loss, bytes; /* without rules; the bytes of all layers */
  double limit; /* the most that the loss of the proposal may be */
  int64_t examples, batches; /* that each loss is of; batches: 0, all */
  const char *proposal; /* as --passes takes it; NULL: there is none */
  double proposal_loss, proposal_error, proposal_bytes;
};
/* --per-layer: measures and reports. Returns the exit code. */
int compare_layers(struct comparison *comparison, double budget);

/* --- compare_proposal.c -------------------------------------------------------------------------------------------------------- */

/* Chooses rules, greedily by what they add to the loss for a byte that they save, as long as all of what they add, each alone, is no more
   than `allowance`. False where no rule is chosen. */
bool choose_rules(struct layers *layers, double allowance);
/* The rules chosen, as short as patterns make them: quantize(i4, "h.*.mlp.c_fc.weight"), quantize(i8, "wte.weight"). */
const char *proposal_text(const struct layers *layers, struct arena *arena);

/* --- compare_report.c ---------------------------------------------------------------------------------------------------------- */

/* The tables, and what follows from them; `comparison` but for its present race stays as it is. */
void report_table(FILE *file, struct comparison *comparison);
/* The step whose losses stand side by side in the table: the one that was asked for, or the last that all variants took. */
int loss_step(const struct comparison *comparison);
void report_layers(FILE *file, const struct comparison *comparison, const struct layers *layers);

/* --- compare_json.c ------------------------------------------------------------------------------------------------------------ */

char *report_json(struct comparison *comparison); /* for free() */
char *report_layers_json(const struct comparison *comparison, const struct layers *layers); /* for free() */
/* Writes the files that --json and --html ask for; false after a message. The text of --json is for free(). */
bool write_reports(const struct comparison *comparison, char *json);

/* --- compare_page.c -------------------------------------------------------------------------------------------------------------- */

/* The report as one page without other files, as text in the arena, from that of --json. */
const char *report_page(const struct comparison *comparison, const char *json);

#endif
