/* What the files of the runtime share. Functions that open files or read what others wrote return false (or NULL) after
   a message on stderr; running out of memory ends the program. */
#ifndef LAM_RUNTIME_H
#define LAM_RUNTIME_H

#include "runtime/features.h"

#if LAM_WITH_FILES_APART && !defined _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "runtime/program.h"

/* --- memory.c: memory, messages, and what every file uses --------------------------------------------------------- */

/* "error: ..." on stderr. Returns false, so that a function can end with `return lam_error(...)`. */
#define lam_error(...) lam_message("error", __VA_ARGS__)
#define lam_note(...) (void)lam_message("note", __VA_ARGS__)
#if LAM_WITH_FILES_APART
__attribute__((format(printf, 2, 3)))
#endif
bool lam_message(const char *kind, const char *format, ...);
/* Zeroed memory for `count` elements of `size` bytes, for free(). Ends the program when there is none. */
void *lam_allocate(int64_t count, size_t size);
/* The array itself, or a larger copy, with room for one more element after `count`. */
void *lam_grow(void *array, int64_t count, int64_t *capacity, size_t size);
char *lam_join(const char *first, const char *second); /* one after the other, for free() */
/* The contents of a file with a zero after them, or NULL. `advice` ends the message ("; --data FILE names another"). */
char *lam_read_file(const char *path, const char *advice, size_t *length);
/* The one of `names` (a pointer every `stride` bytes, NULL past the last) that `word` was probably meant to be, or
   NULL. */
const char *lam_closest(const char *word, const void *names, size_t stride);
/* Of the environment, or NULL; a program that runs with more rights than its caller has listens to nothing of it. */
const char *lam_environment(const char *name);
double lam_seconds(void); /* on a clock that only goes forward */

/* A text as a terminal may have it, its control characters spelled out, in `memory`. */
enum { LAM_SHOWN = 8192 };
const char *lam_shown(char memory[LAM_SHOWN], const char *text);

size_t lam_type_size(enum lam_type type);
double lam_get(const void *data, enum lam_type type, int64_t i);
void lam_set(void *data, enum lam_type type, int64_t i, double number);
int64_t lam_count(const int64_t *shape, int rank);
/* "[vocab=65, embed=128]" in `text`, which is returned; axes may be NULL. */
enum { LAM_SHAPE_TEXT = 256 };
const char *lam_shape_text(char text[LAM_SHAPE_TEXT], const char *axes, const int64_t *shape, int rank);
const char *lam_port_text(char text[LAM_SHAPE_TEXT], const struct lam_port *port);
size_t lam_port_bytes(const struct lam_port *port);
struct lam_port *lam_find_port(struct lam_port *ports, int count, const char *name); /* or NULL */
double lam_output(const struct lam_routine *routine, const char *name); /* a scalar; NaN where there is none */
/* Sets the inputs "step" and "steps" of a routine, where it has them, and runs it. */
void lam_run_routine(struct lam_program *program, enum lam_routine_name name, int64_t step, int64_t steps,
                     uint32_t seed, const int64_t *sizes);

/* --- files.c: what is written -------------------------------------------------------------------------------------- */

/* A file is written beside the one that it replaces, synced, and renamed, so that a crash leaves the old one or the new
   one, whose mode is the old one's. Links are followed; what is no regular file, a device or a pipe, is written into.
   */
struct lam_output {
  const char *path;
  char *file, *beside; /* what is replaced, and by what; NULL: the path itself is written into */
  void *stream; /* FILE */
};
bool lam_output_open(struct lam_output *output, const char *path); /* or an error */
/* The end, or, where it is not good for anything (errno says why), back to what was there, with an error. */
bool lam_output_close(struct lam_output *output, bool good);
/* Whether a file of that name can be made, or else an error: better now than after a day of training. */
bool lam_is_writable(const char *path);
bool lam_cannot_write(const char *path, int problem); /* the error; false */

/* The steps of these. The file that a new one is to replace, for free(), or NULL where `path` is written into; false
   with errno where neither can be. */
bool lam_find_replaced(const char *path, char **file);
/* A new file of a name of its own in the same folder, with the mode that `file` has: its descriptor, and its path for
   free(); or -1. */
int lam_create_beside(const char *file, char **beside);

/* Keeps other trainings from a file, as long as the program runs. False after an error: there is one; where files
   cannot be locked, a note says so. */
struct lam_lock {
  char *path; /* NULL: nothing is locked */
  int file;
};
bool lam_lock(struct lam_lock *lock, const char *path);
void lam_unlock(struct lam_lock *lock);
void lam_end_tidily(int signal); /* from now on, what is left half done is removed at this signal */

/* At the begin: a file must not get the number of a standard stream that is closed, or what is printed would be written
   into it. */
void lam_hold_streams(void);
/* At the end: the exit code, 1 after an error where something that was printed has not arrived. */
int lam_finish(const char *program, int code);

/* --- watch.c: where the time goes ---------------------------------------------------------------------------------- */

#if LAM_WITH_BENCH
/* Around every kernel. */
double lam_kernel_begin(void);
void lam_kernel_end(int kernel, double begin);
/* From now on the kernels' times and calls are added to these, by kernel. */
void lam_watch_kernels(const struct lam_bench *bench, double *seconds, int64_t *calls);
/* What a thread does between two points, for the trace; spans nest. `number`: of a step, or -1. A line that begins with
   lam_span_ is left out of programs that cannot trace. */
void lam_span_begin(const char *name, int64_t number);
void lam_span_end(void);
void lam_span_thread(const char *name); /* what this thread is called */
extern const char *const lam_routine_names[LAM_ROUTINES];
/* Chrome's trace events, as Perfetto opens them; written when the trace is closed, unless it is not to be kept. */
bool lam_trace_open(const struct lam_program *program, const char *path);
bool lam_trace_close(const struct lam_program *program, bool keep);
void lam_json_text(void *file, const char *text); /* in quotes, to a FILE */
#endif

/* --- bench_report.c: times beside what the machine can do ----------------------------------------------------------- */

#if LAM_WITH_BENCH
struct lam_times {
  const struct lam_program *program;
  const char *graph; /* the workload's name */
  int64_t steps;
  double *step_seconds; /* by step */
  double *seconds; /* by step, then by kernel */
  int64_t *calls; /* by kernel, of a step */
  double *operations, *bytes; /* by kernel, of a step */
  bool fastest; /* times are those of the fastest steps, by kernel, not medians */
  double units; /* tokens or examples in a step */
  const char *unit;
};
/* Measures the peaks and prints the table (all: kernels that take little time too); `json`: a file for machines, or
   NULL. */
bool lam_report(const struct lam_times *times, bool all, const char *json);
#endif

/* --- options.c: the command line ---------------------------------------------------------------------------------- */

struct lam_option {
  const char *name, *argument, *help; /* argument: NULL: a switch; "N": an integer; "X": a number; else a text */
  double minimum, maximum;
};
struct lam_options {
  const struct lam_verb *verb;
  const char *program; /* argv[0] */
  int count;
  struct lam_pair *given;
};
struct lam_verb {
  const char *name, *summary;
  const struct lam_option *options; /* a NULL name past the last */
  int (*run)(struct lam_program *program, const struct lam_options *options); /* gives the exit code */
};
extern const struct lam_option lam_common_options[];
bool lam_options_parse(struct lam_options *options, int count, char **arguments);
const char *lam_option_text(const struct lam_options *options, const char *name, const char *otherwise);
int64_t lam_option_integer(const struct lam_options *options, const char *name, int64_t otherwise);
double lam_option_number(const struct lam_options *options, const char *name, double otherwise);

/* --- random.c: draws that depend on what they are for, never on what was drawn before ----------------------------- */

/* Philox 4x32-10 with key (seed, stream) and counter (step, example, element low, element high). */
void lam_philox(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element, uint32_t words[4]);
double lam_uniform_draw(const uint32_t words[4]); /* 24 bits of word 0 as [0, 1) */
double lam_normal_draw(const uint32_t words[4]); /* Box-Muller of words 0 and 1 */
int64_t lam_below(const uint32_t words[4], int64_t bound); /* below `bound`, from words 2 and 3 */
#if LAM_WITH_EPOCHS
void lam_shuffle(uint32_t *order, int64_t count, uint32_t seed, uint32_t epoch); /* 0 .. count - 1 in an order drawn */
#endif
/* The streams of the runtime's draws; a spec's are hashes of paths, so that a clash is unlikely and harmless. */
enum { LAM_STREAM_SHUFFLE = 1, LAM_STREAM_WINDOW, LAM_STREAM_MASK, LAM_STREAM_SAMPLE };

/* --- families.c --------------------------------------------------------------------------------------------------- */

/* Sets the pointers of an emitted program's struct `self` to tensors one after the other in `memory`, which has room
   for as many bytes as a call with NULL returns. */
size_t lam_place_tensors(const struct lam_family *families, int count, void *self, void *memory);
/* The tensors of `self` in the order of the spec: copy by copy for neighbours of one repeat. Their names are allocated.
   */
void lam_list_tensors(const struct lam_family *families, int count, const void *self, struct lam_tensor *tensors);
void lam_place_ports(struct lam_program *program); /* where program->self has them */

/* --- tensors.c ---------------------------------------------------------------------------------------------------- */

void lam_initialize(struct lam_program *program, uint32_t seed); /* every tensor at its initial value */
void lam_start_averages(struct lam_program *program); /* averages become copies of their parameters */

/* --- safetensors.c: the file format of weights -------------------------------------------------------------------- */

struct lam_pair {
  const char *key, *value;
  size_t length; /* of the value, which may hold zeros */
};
struct lam_pairs {
  struct lam_pair *items;
  int64_t count, capacity;
};
void lam_pairs_add(struct lam_pairs *pairs, const char *key, const char *value, size_t length); /* copies both */
const struct lam_pair *lam_pairs_find(const struct lam_pairs *pairs, const char *key);
void lam_pairs_free(struct lam_pairs *pairs);
int lam_utf8_write(uint32_t code, char text[4]); /* returns how many bytes */

struct lam_entry {
  const char *name, *type_name; /* "F32" */
  int type; /* of safetensors.c */
  int rank;
  int64_t shape[LAM_MAX_RANK];
  uint64_t begin, end; /* bytes of the file's data */
  const unsigned char *data;
};
struct lam_weights {
  const char *path;
  unsigned char *map;
  size_t length;
  char *names; /* the memory of all names */
  struct lam_entry *entries; /* by name */
  int64_t count;
  struct lam_pairs metadata;
};
struct lam_weights *lam_weights_open(const char *path);
void lam_weights_close(struct lam_weights *weights);
const struct lam_entry *lam_weights_find(const struct lam_weights *weights, const char *name);
/* The entry's elements converted to `type`. */
bool lam_weights_read(const struct lam_weights *weights, const struct lam_entry *entry, enum lam_type type, void *to);
/* Writes name, type, shape and data of tensors, reals as F32. */
bool lam_weights_write(const char *path, const struct lam_tensor *tensors, int count, const struct lam_pairs *metadata);

/* --- checkpoint.c: a program's weights in a file ------------------------------------------------------------------ */

/* Where training stands. Facts are what data taught ("vocabulary", "categories:FIELD"); they travel with the
   weights. */
struct lam_run {
  int64_t step, steps, rows; /* rows: examples seen */
  uint32_t seed;
  struct lam_pairs facts;
};
enum lam_purpose {
  LAM_USE, /* evaluation, generation, prediction: parameters and averages */
  LAM_RESUME, /* everything, and where the run stood */
  LAM_START_FROM, /* the parameters that the file has; says what is missing or unexpected */
  LAM_GO_ON /* what still fits of a file that another version of the spec left; says what does not */
};
/* The first tensor of a checkpoint that holds an infinity or NaN, though it did not begin with one; or NULL. */
const char *lam_not_finite(const struct lam_program *program);
/* Fails, and leaves the file as it was, where such a tensor is. */
bool lam_checkpoint_save(struct lam_program *program, const struct lam_run *run, const char *path);
bool lam_checkpoint_load(struct lam_program *program, struct lam_run *run, const char *path, enum lam_purpose purpose);
/* The file that an option or the program's name gives, for free(). */
char *lam_checkpoint_path(const struct lam_program *program, const struct lam_options *options, const char *option);
/* Loads that of the option "weights", for use; without a seed of its own it has the settings'. */
bool lam_checkpoint_use(struct lam_program *program, struct lam_run *run, const struct lam_options *options);

/* --- tokenizer.c -------------------------------------------------------------------------------------------------- */

struct lam_vocabulary {
  enum lam_tokenizer tokenizer;
#if LAM_WITH_CHARACTERS
  uint32_t *codes; /* char: the code points, ascending */
#endif
  int64_t count; /* ids; byte: 256 */
};
long long lam_line_of(const char *text, size_t offset); /* the number of the line that has the byte there */
#if LAM_WITH_CHARACTERS
/* The length of the UTF-8 sequence at `text`, or 0 when it is not one; its code point. */
int lam_utf8_read(const char *text, size_t left, uint32_t *code);
/* Adds a text's characters to a set of bits, LAM_CODE_POINTS of them. `where` names the text in messages. */
enum { LAM_CODE_POINTS = 0x110000 };
bool lam_vocabulary_collect(unsigned char *set, const char *text, size_t length, const char *where);
void lam_vocabulary_from_set(struct lam_vocabulary *vocabulary, const unsigned char *set);
/* Of one text. */
bool lam_vocabulary_learn(struct lam_vocabulary *vocabulary, const char *text, size_t length, const char *where);
#endif
/* From and to the fact "vocabulary"; false when facts have none. */
bool lam_vocabulary_recall(struct lam_vocabulary *vocabulary, enum lam_tokenizer tokenizer,
                           const struct lam_pairs *facts);
void lam_vocabulary_remember(const struct lam_vocabulary *vocabulary, struct lam_pairs *facts);
/* Writes the ids of a text (unless ids is NULL), `limit` at most, and returns how many; -1 when a character has
   none. */
int64_t lam_encode(const struct lam_vocabulary *vocabulary, const char *text, size_t length, int32_t *ids,
                   int64_t limit, const char *where);
int lam_decode(const struct lam_vocabulary *vocabulary, int32_t id, char text[4]); /* returns how many bytes */

/* --- data.c: examples from any source ----------------------------------------------------------------------------- */

enum lam_part { LAM_TRAINING, LAM_VALIDATION, LAM_EVERYTHING };

/* Data that was opened for a routine: only the columns that it takes as inputs are needed. */
struct lam_dataset {
  struct lam_program *program;
  const struct lam_data *data;
  struct lam_routine *routine;
  const char *path;
  bool *needed; /* of each column */
  int64_t *ranges; /* of each column: its ids must be less; 0: not checked */
  uint32_t seed; /* of synthetic data and corruption */
  struct lam_pairs *facts;
  int64_t units; /* rows of a table, tokens of a text */
  int64_t training; /* so many, the first, are for training */
  int64_t window; /* text: tokens in an example; else 0 */
  bool shifted; /* text: an example looks one token further */
  bool partial; /* text: the last window of a part may be short */
#if LAM_WITH_MASK
  bool corrupted; /* tokens are masked, as data.mask says */
#endif
  int64_t batch; /* rows that the routine takes */
  struct lam_vocabulary vocabulary;
  void *contents; /* the reader's */
};
/* One example: where it starts, where its part of the data ends, and what keys its random draws. */
struct lam_row {
  int64_t begin, end;
  uint32_t step, example;
};
struct lam_reader {
  const char *name;
  bool (*open)(struct lam_dataset *dataset); /* sets units, window, contents */
  void (*close)(struct lam_dataset *dataset); /* frees what `contents` points to, if that is more than one block */
  void (*fill)(const struct lam_dataset *dataset, int column, const struct lam_row *row, void *to); /* one example */
};
/* NULL after a message. `path` may be NULL: the spec's. Data opened for training serves evaluation too. */
struct lam_dataset *lam_dataset_open(struct lam_program *program, enum lam_routine_name routine, const char *path,
                                     uint32_t seed, struct lam_pairs *facts);
void lam_dataset_close(struct lam_dataset *dataset);
/* The same data for another routine, for free() before it is closed. */
struct lam_dataset *lam_dataset_share(const struct lam_dataset *dataset, enum lam_routine_name routine);
int64_t lam_dataset_examples(const struct lam_dataset *dataset, enum lam_part part);
/* Example number `number` of a part: rows or windows in order. */
struct lam_row lam_dataset_row(const struct lam_dataset *dataset, enum lam_part part, int64_t number);
bool lam_is_fed(const struct lam_port *port); /* an input whose rows are examples */
/* A batch outside the ports, as many rows of each of the routine's inputs: what a prefetching thread fills. */
void **lam_batch_create(const struct lam_dataset *dataset);
void lam_batch_free(void **batch, const struct lam_dataset *dataset);
void lam_batch_fill(void **batch, const struct lam_dataset *dataset, int64_t place, const struct lam_row *row);
void lam_batch_deliver(void *const *batch, const struct lam_dataset *dataset); /* to the routine's ports */

/* --- masked.c ----------------------------------------------------------------------------------------------------- */

#if LAM_WITH_MASK
/* Chooses tokens of an example, spoils them, and writes 1 to `weight` (unless NULL) where a token was chosen. */
void lam_mask_apply(const struct lam_dataset *dataset, const struct lam_row *row, int64_t length, int32_t *tokens,
                    lam_real *weight);
bool lam_mask_check(const struct lam_dataset *dataset, int64_t range); /* whether the ids have room for the mask */
#endif

/* --- batches.c: the order of training, prefetched ----------------------------------------------------------------- */

struct lam_feed;
/* Batches after row `run->rows` and step `run->step`; `accumulate` of them make a step. */
struct lam_feed *lam_feed_start(const struct lam_dataset *dataset, const struct lam_run *run, int64_t accumulate);
void lam_feed_next(struct lam_feed *feed); /* into the ports */
void lam_feed_stop(struct lam_feed *feed);

/* --- train.c ------------------------------------------------------------------------------------------------------ */

/* Takes one step of the optimizer on the next `accumulate` batches, and returns its loss; `run->step` counts it. */
double lam_train_step(struct lam_program *program, struct lam_run *run, struct lam_feed *feed, int64_t accumulate);

/* --- evaluate.c --------------------------------------------------------------------------------------------------- */

/* The weighted mean loss over a whole part of the data; false where no element of it has weight. */
bool lam_evaluate(struct lam_dataset *dataset, enum lam_part part, double *loss);

/* --- generate.c --------------------------------------------------------------------------------------------------- */

/* Draws an index by temperature, then from the top_k largest (0: all), then from the fewest of those whose share is
   top_p. `uniform` lies in [0, 1); `memory` has room for 2 x count numbers. -1 when a logit is not a number. */
int64_t lam_sample(const double *logits, int64_t count, double temperature, int64_t top_k, double top_p, double uniform,
                   double *memory);

/* --- handover.c: under `lamella run --watch` ----------------------------------------------------------------------- */

#if LAM_WITH_HANDOVER
enum lam_order {
  LAM_ORDER_STOP, /* nobody gives orders any more */
  LAM_ORDER_BEGIN = 'b', /* as without --watch */
  LAM_ORDER_GO_ON = 'g' /* go on from the weights that an earlier program of this run saved */
};
bool lam_handover_waits(void); /* whether there will be an order */
/* Says that all is ready, and where weights go, and waits for the order. */
enum lam_order lam_handover_ready(const char *path);
/* Says that the run goes on, since it cannot save what another would begin with. */
void lam_handover_refused(void);
/* Unless the weights learned the same of their data, the run has their facts, and data is to be opened with these
   again. */
bool lam_take_over(struct lam_program *program, struct lam_run *run, const char *path, bool *same_facts);
/* The exit status of a run that left off for another; asked for by SIGUSR1. */
enum { LAM_HANDED_OVER = 75 };
#endif

/* --- progress.c --------------------------------------------------------------------------------------------------- */

struct lam_progress {
  int64_t first, steps, every; /* first: where this run began */
  int64_t units; /* tokens or examples in a step */
  const char *unit;
  bool quiet, live; /* live: one line that changes, for a terminal */
  double start, drawn, smooth;
  const char *log_path;
  void *log; /* FILE, or NULL */
  bool log_failed;
};
bool lam_progress_start(struct lam_progress *progress, const char *log, bool append);
void lam_progress_step(struct lam_progress *progress, int64_t step, double loss,
                       double gradient_norm); /* NaN: no norm */
void lam_progress_evaluation(struct lam_progress *progress, int64_t step,
                             const double *loss); /* NULL: there was nothing to evaluate */
void lam_progress_end(struct lam_progress *progress);

#endif
