/* What a program tells the runtime about itself: the compiler writes these tables, and the interpreter fills them. */
#ifndef LAM_PROGRAM_H
#define LAM_PROGRAM_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef _OPENMP
#include <omp.h>
#endif

/* Modules are compiled apart; or they are one text with the program, which defines LAM_ONE_TEXT, and nothing of them is
   known outside of it. Tables then need no declaration, since they stand before their users. */
#ifdef LAM_ONE_TEXT
#define LAM_API static
#define LAM_TABLE(declaration)
#else
#define LAM_API
#define LAM_TABLE(declaration) extern const declaration;
#endif

/* What a real is in memory. Files hold F32 either way. */
#ifndef LAM_REAL
#define LAM_REAL float
#endif
typedef LAM_REAL lam_real;

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
  size_t slot; /* emitted programs: where the model's struct has the pointer to the array, or a scalar itself */
  void *data;
};

struct lam_routine {
  int exists;
  /* Runs once on the inputs' memory. `step` is that of training, else 0; sizes are the graph's run-time sizes in order
     (step: rows, past), or NULL. Returns 0, or why not. */
  int (*run)(void *self, int64_t step, uint32_t seed, const int64_t *sizes);
  struct lam_port *inputs;
  int input_count;
  struct lam_port *outputs;
  int output_count;
};

enum lam_routine_name {
  LAM_TRAIN,
  LAM_ACCUMULATE,
  LAM_EVALUATE,
  LAM_PREDICT,
  LAM_PREPARE,
  LAM_STEP,
  LAM_SYNTHESIZE,
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
  const char *name, *path;
  const struct lam_reader *reader; /* of text, csv or synthetic; NULL where no routine takes inputs from the data */
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
  const char *initial;
};

struct lam_generation {
  const char *feed, *from;
  int64_t capacity, vocabulary, start, stop;
};

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
  const struct lam_bench *bench; /* or NULL: kernels cannot be timed */
  const struct lam_tracer *tracer; /* or NULL: there is no --trace */
  const struct lam_handover *handover; /* or NULL: no other program takes over from this one */
};

/* The whole command line of a program: runs the verb that argv[1] names and returns the exit code. */
LAM_API int lam_main(struct lam_program *program, int argc, char **argv);

#endif
