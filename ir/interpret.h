/* The interpreter of the tensor IR, in double precision: the definition of the language. Every pass and backend is checked
   against it. It is written to be plainly right, not fast. */
#ifndef IR_INTERPRET_H
#define IR_INTERPRET_H

#include "ir/tensor.h"

/* Dense elements in the order of `axes`, the last axis fastest, laid out for the present length of each axis. Integers and
   booleans are held as doubles. */
struct tensor {
  struct axis *const *axes;
  int axis_count;
  double *data;
};

/* What a run of a graph reads and writes. */
struct environment {
  struct arena *arena; /* for results; the caller frees it */
  const int64_t *sizes; /* by size index; present lengths */
  uint32_t seed;
  /* The dense contents of an input, laid out by the input's axes at their present lengths; NULL is an error. */
  const double *(*input)(void *context, const struct value *input);
  /* The dense contents of a state, laid out by its axes at full extent; updates write here when the whole graph is done
     (every read sees the state before the run, except through the result of its update). */
  double *(*state)(void *context, const struct state *state);
  void *context;
};

/* Evaluates all outputs and updates. Returns NULL on success, else a message (an index out of its axis, with the value's
   place), in which case no state was written. `results`, when not NULL, receives a tensor for each output of the graph,
   laid out by the output's axes.
   `watch`, when not NULL, sees each value after it was computed. */
const char *graph_interpret(const struct graph *graph, struct environment *environment, struct tensor *results,
                            void (*watch)(void *context, const struct value *value, const struct tensor *tensor));

/* The present length of an axis. */
int64_t axis_length(const struct axis *axis, const int64_t *sizes);
/* One elementwise operation on numbers, `kind` being that of the result; the loop IR's interpreter uses it too.
   Integers and booleans are held as doubles. Integers have 32 bits and wrap around; a real out of their range becomes
   the nearest integer, NaN the least one. An integer's quotient and remainder by 0 are 0. */
double scalar_apply(enum op op, enum kind kind, double x, double y, double z);
/* A whole number (below 2^63) modulo 2^32, from -2^31 on. */
double scalar_wrap(double x);
/* The nearest integer of 32 bits to a whole number; for NaN the least. */
double scalar_saturate(double x);
/* x rounded to a storage type, half to even; integers saturate. */
double scalar_round(enum storage storage, double x);
/* The quantile of `count` numbers, at least one, as ops.def defines it. */
double quantile_of(const double *x, int64_t count, double q);
/* Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) with key (seed, stream) and counter
   (step, example, element low, element high). uniform: 24 bits of word 0 as [0, 1). normal: Box-Muller of words 0 and 1. */
void philox(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element, uint32_t words[4]);
double random_draw(enum distribution distribution, uint32_t seed, uint32_t stream, uint32_t step, uint32_t example,
                   uint64_t element);

#endif
