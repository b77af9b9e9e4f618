/* What a program tells the runtime about itself: the compiler writes these tables, and the interpreter fills them. */
#ifndef LAM_PROGRAM_H
#define LAM_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/features.h"

/* Files hold F32 either way. */
#if LAM_WITH_FILES_APART
#ifndef LAM_REAL
#define LAM_REAL float
#endif
typedef LAM_REAL lam_real;
#else
#if LAM_WITH_DOUBLE
typedef double lam_real;
#else
typedef float lam_real;
#endif
#endif

enum { LAM_MAX_RANK = 8 };
enum lam_type { LAM_TYPE_REAL, LAM_TYPE_INTEGER, LAM_TYPE_BOOLEAN }; /* lam_real, int32_t, uint8_t in memory */
enum lam_role { LAM_PARAMETER, LAM_OPTIMIZER, LAM_ACCUMULATOR, LAM_AVERAGE, LAM_CACHE, LAM_PREPARED };
enum lam_initial { LAM_CONSTANT, LAM_NORMAL, LAM_UNIFORM };

/* A tensor that outlives a step; row-major in the file's order of axes. */
struct lam_tensor {
  const char *name, *axes; /* "vocab,embed" */
  int64_t shape[LAM_MAX_RANK];
  int rank;
  enum lam_role role;
  enum lam_type type;
  enum lam_initial initial;
  double low, high;
  int frozen; /* a parameter that is not trained */
  uint32_t stream; /* keys its initial draws */
  void *data;
};

/* A row of an emitted program's table of tensors: the copies of a repeat share one. Of `like`, rank, role, stream and
   data follow from the rest. */
struct lam_family {
  int copies; /* 0: a single tensor */
  enum lam_role role;
  size_t slot; /* where the program's struct has the pointer, or the array of pointers */
  struct lam_tensor like; /* its name has %d for the copy's number, where there are copies */
};

/* A named input or output of a routine; the memory is the program's. */
struct lam_port {
  const char *name, *axes;
  enum lam_type type;
  int rank;
  int64_t shape[LAM_MAX_RANK]; /* at full extent; batch first where it has one */
  int64_t range; /* integers: every value must be less; 0 for none */
  size_t slot; /* emitted programs: where the program's struct has the array */
  void *data;
};

struct lam_routine {
  int exists;
  /* Runs once on the inputs' memory. Sizes are the graph's run-time sizes in order (step: window, past), or NULL. */
  void (*run)(void *self, uint32_t seed, const int64_t *sizes);
  struct lam_port *inputs;
  int input_count;
  struct lam_port *outputs;
  int output_count;
};

enum lam_routine_name {
  LAM_TRAIN, LAM_ACCUMULATE, LAM_EVALUATE, LAM_PREDICT, LAM_PREPARE, LAM_STEP, LAM_SYNTHESIZE, LAM_ROUTINES
};
enum lam_tokenizer { LAM_NO_TOKENIZER, LAM_CHAR, LAM_BYTE };
enum lam_feature { /* what each holds: struct column of the compiler's ir/program.h */
  LAM_TOKENS, LAM_NEXT, LAM_WEIGHT, LAM_TARGET, LAM_ZERO, LAM_YES, LAM_NUMBER, LAM_CATEGORY, LAM_PRESENT,
  LAM_SYNTHETIC_COLUMN
};

struct lam_column {
  const char *name;
  enum lam_feature feature;
  const char *field;
  enum lam_type type;
  int64_t length, range, start, stop;
};

extern const struct lam_reader lam_text_reader, lam_csv_reader, lam_synthetic_reader;

struct lam_data {
  const char *name, *path;
  const struct lam_reader *reader; /* of runtime/text.c, csv.c or synthetic.c */
  enum lam_tokenizer tokenizer;
  int64_t examples;
  double split, mask;
  const struct lam_column *columns;
  int column_count;
};

struct lam_settings {
  int64_t batch, accumulate, steps, epochs;
  double clip, average;
  int64_t evaluate_every, checkpoint_every, log_every;
  int shuffle;
  uint32_t seed;
  const char *initial;
};

struct lam_generation {
  const char *feed, *from;
  int64_t capacity, vocabulary, start, stop;
};

extern const struct lam_verb lam_train_verb; /* has a train block and data */
extern const struct lam_verb lam_eval_verb; /* has the routine evaluate and data */
extern const struct lam_verb lam_generate_verb; /* has the routine step */
extern const struct lam_verb lam_predict_verb; /* has the routine predict */
extern const struct lam_verb lam_info_verb; /* every program */
extern const struct lam_verb lam_steps_verb; /* programs made to be compared */

#if LAM_WITH_BENCH
/* A function that the routines call: its name, and the parts of the model that it computes. */
struct lam_kernel {
  const char *name, *where;
};
/* What all calls of a kernel in one run of a routine do: operations on reals, and bytes that have to move. */
struct lam_work {
  int kernel;
  double operations, bytes;
};
/* A routine at certain sizes, for which the work was counted. */
struct lam_workload {
  const char *name; /* "train", "step", "prompt" */
  enum lam_routine_name routine;
  int64_t sizes[2];
  const struct lam_work *work;
  int work_count;
};
/* What time is measured against, made for the target like a kernel is. */
struct lam_peaks {
  int reals; /* of a task in the output, at most */
  int64_t operations; /* of multiply in a round of a task */
  int64_t chunk; /* reals that read reads in a task */
  void (*multiply)(lam_real *out, int64_t tasks, int64_t rounds);
  void (*read)(const lam_real *x, lam_real *sums, int64_t chunks, int64_t rounds);
};
struct lam_bench {
  const struct lam_kernel *kernels;
  int kernel_count;
  const struct lam_workload *workloads;
  int workload_count;
  struct lam_peaks peaks;
};
extern const struct lam_verb lam_bench_verb;
#endif

struct lam_program {
  const char *name, *model, *target;
  void *self; /* passed to the routines */
  struct lam_tensor *tensors;
  int tensor_count;
  struct lam_routine routines[LAM_ROUTINES];
  const struct lam_data *data; /* or NULL */
  const struct lam_settings *settings; /* or NULL: the spec has no train block */
  const struct lam_generation *generation; /* or NULL */
  const struct lam_verb *const *verbs; /* what the program can do on the command line; NULL past the last */
  const char *version; /* of the compiler that made it */
#if LAM_WITH_BENCH
  const struct lam_bench *bench; /* or NULL: kernels cannot be timed */
#endif
};

/* The whole command line of a program: runs the verb that argv[1] names and returns the exit code. */
int lam_main(struct lam_program *program, int argc, char **argv);

#endif
