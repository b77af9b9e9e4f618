/* What a program tells the runtime about itself: the compiler writes these tables, and the interpreter fills them. */
#ifndef LAM_PROGRAM_H
#define LAM_PROGRAM_H

#ifdef _OPENMP
#include <omp.h>
#endif

#include "runtime/model.h"

struct lam_routine {
  int exists;
  /* Runs the routine once on its ports' memory. `step` is that of training, else 0; `sizes` are the graph's run-time
     sizes in order (step: rows, past), or NULL. Returns LAM_OK or an error's status. */
  int (*run)(void *self, int64_t step, uint32_t seed, const int64_t *sizes);
  struct lam_port *inputs;
  int input_count;
  struct lam_port *outputs;
  int output_count;
  int reads_derived; /* it reads what LAM_DERIVE computes of the parameters */
};

/* predict for a batch of another size. These routines have the numbers from LAM_ROUTINES on. */
struct lam_prediction {
  const char *name; /* "predict_32" */
  void *self; /* passed to the routine; NULL: the program's */
  struct lam_routine routine;
};

enum lam_routine_name {
  LAM_TRAIN,
  LAM_ACCUMULATE,
  LAM_EVALUATE,
  LAM_CALIBRATE,
  LAM_PREDICT,
  LAM_PREPARE,
  LAM_STEP,
  LAM_SYNTHESIZE,
  LAM_PRUNE,
  LAM_DERIVE,
  LAM_ROUTINES
};
enum lam_feature { /* what each holds: struct column of the compiler's ir/program.h */
                   LAM_TOKENS,
                   LAM_NEXT,
                   LAM_WEIGHT,
                   LAM_TARGET,
                   LAM_ZERO,
                   LAM_YES,
                   LAM_NUMBER,
                   LAM_CATEGORY,
                   LAM_PRESENT,
                   LAM_SYNTHETIC_COLUMN
};

struct lam_column {
  const char *name;
  enum lam_feature feature;
  const char *field;
  enum lam_type type;
  int64_t length, range, start, stop;
};

struct lam_data {
  const char *name, *path; /* path: absolute, or to be found by lam_find_file; or NULL */
  int path_here; /* the command line of the compiler named the path: look in the current folder first */
  const struct lam_reader *reader; /* of text, csv or synthetic */
  const struct lam_tokenizer *tokenizer; /* or NULL */
  int64_t examples;
  double split, mask;
  const struct lam_corruption *corruption; /* where mask is above 0; else NULL */
  const struct lam_column *columns;
  int column_count;
};

struct lam_settings {
  int64_t batch, accumulate, steps, epochs;
  double clip, average;
  int64_t evaluate_every, checkpoint_every, log_every;
  int shuffle;
  uint32_t seed;
  const char *initial; /* a path like that of the data, or NULL */
  int initial_here;
};

struct lam_calibration {
  int64_t examples;
};

struct lam_session;
struct lam_options;
struct lam_generation {
  const char *feed, *from;
  int64_t capacity, vocabulary, start, stop;
  /* Reads what the text is generated from; or NULL: it is generated from the prompt alone. */
  bool (*source)(struct lam_session *session, const struct lam_options *options);
};

struct lam_program {
  const char *name, *target;
  void *self; /* passed to the routines */
  struct lam_model *model; /* its tensors */
  struct lam_routine routines[LAM_ROUTINES];
  struct lam_prediction *predictions;
  int prediction_count;
  int (*choose)(struct lam_program *program, int64_t rows); /* the prediction for so many rows; NULL: LAM_PREDICT */
  const struct lam_data *data; /* or NULL */
  const struct lam_settings *settings; /* or NULL: the spec has no train block */
  const struct lam_calibration *calibration; /* or NULL */
  const struct lam_generation *generation; /* or NULL */
  const struct lam_prunings *prunings; /* where there is LAM_PRUNE, which the function runs when it is due; or NULL */
  void (*prune)(struct lam_program *program, int number, int64_t step, int64_t steps, uint32_t seed);
  const struct lam_verb *const *verbs; /* the verbs of its command line; NULL past the last */
  const char *version; /* of the compiler that made it */
  const char *spec_folder; /* the way from the program's folder to that of its spec; or NULL: it is not known */
  const struct lam_bench *bench; /* or NULL: kernels cannot be timed */
  const struct lam_tracer *tracer; /* or NULL: there is no --trace */
  const struct lam_adapters *adapters; /* or NULL: there is no --lora */
  const struct lam_handover *handover; /* or NULL: no other program takes over from this one */
};

/* The whole command line of a program: runs the verb that argv[1] names and returns the exit code. */
LAM_API int lam_main(struct lam_program *program, int argc, char **argv);

#endif
