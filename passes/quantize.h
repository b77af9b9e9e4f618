/* What quantize and quantize_cache find out about weights and caches before they change a graph (quantize_choose.c and
   quantize_cache_choose.c), and how graphs compute by steps and scales: quantize.c, which quantize_cache.c calls too. */
#ifndef PASSES_QUANTIZE_H
#define PASSES_QUANTIZE_H

#include "passes/pipeline.h"
#include "passes/rewrite.h"

/* The words of the parameter `weights` of quantize, in the order of passes.def. */
enum quantized { QUANTIZED_I8, QUANTIZED_I4, QUANTIZED_BF16, QUANTIZED_F16 };

/* The words of `method`, likewise. */
enum quantize_method { METHOD_NEAREST, METHOD_AWQ, METHOD_HQQ, METHOD_TABLE };

/* Parameters that multiply the same values: their channels have the same factors. */
struct factored {
  const struct statistic *statistic; /* of the first of them */
  double smooth; /* the exponent; 0: it is searched for */
  ARRAY(const struct quantization *) members;
  /* The factors, in the graph that asked for them last. */
  const struct graph *graph;
  struct value *factors;
};

/* What becomes of a parameter. */
struct quantization {
  struct state *state, *average; /* the parameter, and its average or NULL */
  const struct pass_rule *rule; /* NULL: it stays as it is */
  enum quantized weights;
  enum quantize_method method;
  bool quantizes_activations;
  int64_t group; /* elements of the last axis of `shared` that share a scale; 0: all */
  struct factored *factored; /* NULL: its channels have no factors */
  unsigned
      shared; /* the axes of the state along which elements share a scale, a bit for each: what some contraction sums over */
};

struct quantizer {
  struct program *program;
  const struct pipeline *pipeline;
  struct diagnostics *diagnostics;
  struct quantization *of; /* by the parameter's place in program->states */
};

/* A weight in a graph, or a view of one: level(steps) * scale + offset. */
struct parts {
  struct value *steps; /* integers; reals of 16 bits where there is no scale */
  struct value *levels; /* the level of each step, along an axis of its own; NULL: steps are their own levels */
  struct value *scale; /* lacks the axes along which elements share it; NULL: 1 */
  struct value *offset; /* the same; NULL: 0 */
  /* The steps have these two in place of an axis of the value, which `grouped` is; NULL without groups. The scale has the outer one. */
  struct axis *grouped, *outer, *inner;
  /* What multiplies the weight is multiplied by this first, as the wide weight is: 1 over the factors of channels. NULL: 1 */
  struct value *inverse;
  bool quantizes_activations;
  /* The axis of the value along which the steps are those of the rotated value; NULL where they are not rotated. */
  struct axis *rotated;
};
/* The weight, with the axes of the parameter in its order, in parts; `scratch` holds the struct. */
struct parts *quantized_parts(struct graph *graph, struct arena *scratch, struct value *weight,
                              const struct quantization *how);
/* The levels of the steps as reals, without scale and offset. */
struct value *quantized_levels(struct graph *graph, const struct parts *parts);
/* Sets steps, scale and offset of x, whose elements share a scale along `over`, by half-quadratic quantisation in 4 bits. */
void quantize_half_quadratic(struct graph *graph, struct value *x, struct axis *const *over, int count,
                             struct parts *parts);
/* Sets steps, levels and scale of x by a table of 16 levels. */
void quantize_by_table(struct graph *graph, struct value *x, struct axis *const *over, int count, struct parts *parts);
/* The parts as reals, with the axes of the weight. */
struct value *quantized_wide(struct graph *graph, const struct parts *parts);
/* The gradient `slope` of those reals, with the axes of the weight or activation x: itself, and 0 where x is beyond the range of its
   steps. */
struct value *quantized_slope(struct graph *graph, struct value *x, struct value *slope, const struct parts *parts);
/* The steps of an operand that is no weight, with a scale for all that is summed over. */
struct value *quantized_activation(struct graph *graph, struct value *x, struct axis *const *over, int count,
                                   struct value **scale);

/* The steps of x, and their scale, which elements along `over` share. */
struct value *quantized_steps(struct graph *graph, struct value *x, struct axis *const *over, int count, bool bytes,
                              struct value **scale);
/* What the channels of such weights, or of their averages, are multiplied by before they are rounded (quantize_factors.c). */
struct value *quantized_factors(struct graph *graph, struct factored *factored, bool averages);
/* x times `inverse`; where x is a product with values of parameters alone, or such a product and a sum with others, these are
   multiplied. `folds` says whether x is one. */
struct value *quantized_divided(struct graph *graph, struct value *x, struct value *inverse, bool folds);
/* By the id of a value of the graph, as it is before it is rewritten: whether it is such a product or sum that only contractions with
   weights of the same factors read. */
bool *quantized_folds(const struct quantizer *quantizer, const struct graph *graph, struct arena *arena);
/* The parameter that a value is, as it stands or as views of it; NULL where it is none. */
const struct quantization *quantization_under(const struct quantizer *quantizer, const struct value *value);
/* The axes that elements of a weight with that quantisation share a scale along; returns how many. With groups it is the one within a
   group, and `parts` gets the axes of groups. */
int quantized_axes(struct graph *graph, const struct value *weight, const struct quantization *how, struct parts *parts,
                   struct axis *over[MAX_RANK]);
/* x with groups in place of the axis that has them. */
struct value *quantized_in_groups(struct graph *graph, struct value *x, const struct parts *parts);

/* The place of the parameter that the value is, or is an average of; -1 where it is neither. */
int quantized_state(const struct quantizer *quantizer, const struct value *value);

/* What a rule makes of a parameter. */
struct quantized_weight {
  const struct state *parameter, *read; /* read: what evaluation reads for it, itself or its average */
  double bytes; /* of steps and scales */
};
struct quantized_weights {
  struct graph *graph; /* it computes them as reals, from the states that are read */
  ARRAY(struct quantized_weight) items; /* by output of the graph */
};
/* Finds what the rules make of parameters, by graphs as lowering leaves them, which stay as they are. False after reporting rules that
   cannot be followed. */
bool quantized_weights(struct program *program, const struct pipeline *pipeline, struct diagnostics *diagnostics,
                       struct quantized_weights *weights);

/* --- Rewriting a graph ---------------------------------------------------------------------------------------------- */

/* A matrix that rotates, with the axes that it has in the graph. */
struct rotation {
  struct axis *row, *column;
  struct value *matrix;
};

/* A graph some of whose values become parts. */
struct parted {
  struct graph *graph;
  struct rewrite rewrite;
  const bool *folds; /* by the id of an old value: quantized_folds; NULL: none */
  struct parts **parts; /* by the id of an old value: what it is made of, or NULL */
  ARRAY(struct rotation) rotations; /* those that the new graph has so far */
};
/* What an old value is made of that is no view of another one in parts, such as a weight; NULL: it stays whole. */
typedef struct parts *parts_source(void *context, struct parted *parted, const struct value *old);
/* Has a graph compute by the parts that `source` gives, and by views of them; contractions multiply by the steps. */
void quantized_graph(struct graph *graph, parts_source *source, void *context, const bool *folds);
/* The new value of an old one, made of its parts where nothing needed it whole so far. */
struct value *parted_value(struct parted *parted, const struct value *old);

/* x, multiplied along the axis by an orthogonal matrix that is its own inverse (quantize_rotate.c); and by how many elements at a time,
   of which there must be more than 1. */
struct value *rotated_value(struct parted *parted, struct value *x, struct axis *axis);
int64_t rotation_size(const struct axis *axis);

#endif
