/* Random valid graphs over every row of ops.def, with contents to run them on. Every check of a printer, pass or
   backend against the interpreter uses them. A sample is a function of its seed. An operation added to ops.def without
   a case here does not compile. */
#ifndef TESTS_HARNESS_RANDOM_GRAPH_H
#define TESTS_HARNESS_RANDOM_GRAPH_H

#include "ir/interpret.h"
#include "ir/program.h"

/* All runs of samples have these in common. */
enum { SAMPLE_SEED = 7, SAMPLE_STEP = 3 };

enum sample_flag {
  SAMPLE_SMOOTH =
      1, /* real operands are reads of states, continuous and away from kinks: derivatives can be measured */
  SAMPLE_SIZES = 2, /* some axes have a run-time size, less than its bound */
  SAMPLE_LONG = 4, /* two axes are longer than vectors, and mostly no multiples of them */
  SAMPLE_EXTREME =
      8, /* contents and constants may be infinite, NaN, zero, huge or subnormal; operands outside of their domains */
  SAMPLE_PATTERNS = 16, /* many operations are replaced by patterns that occur in models (random_pattern.h) */
  SAMPLE_GRADIENTS =
      32 /* the derivatives of a weighted sum of the real outputs by each parameter are outputs; needs SMOOTH */
};

struct content {
  const char *name; /* of an input or state */
  bool is_state;
  int64_t count;
  double *data;
};

struct sample {
  struct arena *arena;
  struct program program; /* `graph` as predict, and the states */
  struct graph *graph;
  int64_t sizes[4]; /* present lengths */
  enum stage stage; /* the stage that the graph satisfies */
  bool differentiable; /* autodiff should find its derivative: it has no stop, no rounding, no gradient */
  ARRAY(struct content) contents;

  /* Used while the sample is made: */
  uint64_t state;
  int flags;
  bool several; /* operands may be earlier values */
  struct axis *axes[6], *batch;
  int input_count;
};

/* A graph of one operation on fresh operands. The output "result" is its value; a `call` is read through `result`. */
struct sample *sample_operation(struct arena *arena, enum op op, uint64_t seed, int flags);
/* Adds outputs for the gradients of `loss` by each real parameter of constant size that the graph reads. They are named
   as the states are. */
void sample_add_gradients(struct sample *sample, struct value *loss);
/* The sum of all outputs, each weighted by random numbers of its own, since the symmetry of a plain sum could hide a
   wrong axis. */
struct value *sample_add_loss(struct sample *sample);
/* A graph of about `operations` operations on each other's results. Values that nothing uses are outputs. */
struct sample *sample_graph(struct arena *arena, int operations, uint64_t seed, int flags);
/* An environment for graph_interpret. It finds inputs and states by name, so that it serves rewritten graphs too.
   Updates write to the contents. */
struct environment sample_environment(struct sample *sample);
/* NULL when the name is unknown. */
struct content *sample_content(struct sample *sample, const char *name, bool is_state);

#endif
