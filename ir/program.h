/* A whole program as the frontend hands it on: graphs that share states, the data that feeds them, and the settings of the
   loops around them. */
#ifndef IR_PROGRAM_H
#define IR_PROGRAM_H

#include "ir/tensor.h"

/* `source` is NULL where there is no such file. */
struct spec_file {
  const char *path;
  const struct source *source;
};

/* Graph inputs that every run supplies besides the data's columns (enum run_input), by name and shape:
     "step"       real, no axes: 1 in the first step of training; 0 in evaluation, prediction and synthesis
     "steps"      real, no axes: how many steps the run has in all
     "step/taken" real, no axes: "step" as optimizers read it. It counts the steps that were taken, this one included. Passes replace
                  it by "step", or where steps may be skipped, by "step" less those that were
     "example"    integer [batch]: which example of the data a row is; keys random draws
     "position"   integer [batch, seq]: the positions of the window's rows (graph "step" only)

   The graphs, each NULL when the spec does not ask for it:
     train       one optimizer step on one batch. Outputs: "loss" (the weighted mean), "loss_sum", "weight_sum", with clipping
                 "gradient_norm", and "update_check" (for each parameter 0, or NaN where something that is not finite was
                 written for it). With accumulate > 1 train takes no data: it reads the accumulators, updates the parameters,
                 and sets the accumulators to zero.
     accumulate  only with accumulate > 1: adds one micro-batch's gradients, loss_sum and weight_sum to accumulator states
                 ("gradient/NAME", "loss_sum", "weight_sum"). Outputs: "loss_sum", "weight_sum" of this micro-batch.
     evaluate    the forward pass with dropout off. Outputs: "loss_sum" and "weight_sum" of one batch.
     calibrate   the forward pass with dropout off on a batch of the data; writes ROLE_STATISTIC states, which sum up the batches so
                 far. "step" is the batch's number, from 1. As the frontend makes it, its outputs are the model's; the pass calibrate
                 replaces them by what is measured, or drops the graph where nothing is asked for.
     predict     the forward pass with dropout off on the model's inputs. Outputs: the model's, by name. The graphs of
                 `predictions` do the same for batches of other sizes.
     prepare     computes once for a prompt what all steps of generation need (encoder, cross keys); writes ROLE_PREPARED states.
     step        the model on a window of generation. Inputs: feed[batch, seq] and "position"; output: `from`. The axis `over` has
                 a run-time size named "window" (rows of this call). Axes declared equal to it have one named "past" (rows so far,
                 this window included).
     synthesize  makes a whole synthetic data set. Outputs: one for each column, with axis `example`.
     prune       has small weights become zero and, where there is train, keeps in masks ("mask/NAME") which stay. It runs before the
                 steps that `prunings` name, with "step", and before another graph reads parameters that were not pruned
                 since they were loaded or drawn. "step" is 0 where it is not known; prune then does all that it ever will.
                 No frontend makes it: the pass prune does.
     derive      computes what graphs that do not train read of the parameters and statistics alone; writes ROLE_DERIVED states. It runs when
                 parameters have changed since it last ran. No frontend makes it: the pass derive does, and the schedules,
                 which move launches to it that read parameters alone.  */
typedef ARRAY(struct spec_file) spec_files;

/* The model once more, for a batch of another size than the spec's (--batch). Its graph is called predict_SIZE. */
enum { MOST_PREDICTIONS = 16 };
struct prediction {
  int64_t batch;
  struct graph *graph;
};

struct left_out {
  int number; /* as program_graph counts */
  const struct graph *graph;
};

/* When the graph prune runs: before the steps begin, begin + every ... that are less than end, and before end. */
struct pruning {
  int64_t begin, end, every;
};

struct program {
  struct arena *arena;
  spec_files files; /* every file that the frontend asked for, the spec first */
  const char *spec; /* its file, without directory and .lam, as a C identifier */
  const char *name; /* the same, or what --name says: what all that is emitted is called */
  const char *model; /* of the model */
  int next_axis;
  ARRAY(struct state *) states; /* parameters first, in the order of declaration */
  ARRAY(struct adapter *) adapters; /* where there are any, parameters that are frozen are in a file of their own */
  struct graph *train, *accumulate, *evaluate, *calibrate, *predict, *prepare, *step, *synthesize, *prune, *derive;
  ARRAY(struct prediction) predictions;
  /* Graphs of the model that the spec asks for and this command does without (--only, the verb of `run`). What passes decide about
     parameters must not depend on which part of a program is compiled, so they look at these, too. */
  ARRAY(struct left_out) left_out;
  ARRAY(struct pruning) prunings; /* where there is prune: at least one */
  bool mixes_examples; /* the model names the batch: what it says of an example may depend on the others in the batch */
  struct train_settings *training; /* or NULL */
  struct data_settings *data; /* or NULL */
  struct calibrate_settings *calibration; /* or NULL */
  ARRAY(struct statistic *)
  statistics; /* what rules ask to know of the parameters; their states are none of the frontend's */
  bool reads_few_bits; /* rules have weights read in few bits, so that files may hold them so */
  struct generate_settings *generation; /* or NULL */
  ARRAY(struct setting) pipeline; /* pipeline { fuse; mixed(bf16) } as text items */
};

/* A graph of the model while the frontend lowers it: its results are there, and the loss where it has one, and gradients and
   optimizers are not. */
struct forward_graph {
  struct graph *graph;
  struct value *const *results;
  int result_count;
  bool trains;
};

struct setting {
  const char *text;
  struct span span;
};

struct train_settings {
  int64_t batch; /* examples in a (micro-)batch; default 1 */
  int64_t accumulate; /* micro-batches in a step; default 1 */
  int64_t steps, epochs; /* one of them is set; the other is -1 */
  double clip; /* largest global norm of the gradient, or -1 */
  double average; /* decay of the EMA of the parameters, or -1 */
  int64_t evaluate_every, checkpoint_every, log_every; /* steps; 0: only at the end (log: 10) */
  bool shuffle; /* default true */
  uint32_t seed;
  const char *initial; /* the file of initial weights, like `path` of data; or NULL */
  bool initial_here;
  struct span span;
};

enum data_source { DATA_TEXT, DATA_CSV, DATA_SYNTHETIC };
/* char: ids of the distinct characters (Unicode code points) of the text, in code-point order. byte: the bytes themselves; the
   control bytes 0 to 3 serve as padding, start, stop and mask. */
enum tokenizer { TOKENIZER_NONE, TOKENIZER_CHAR, TOKENIZER_BYTE };

/* How a column of the data is made. Text sources: windows of `length` tokens.
     tokens    the window
     next      the window one token on
     weight    1 where there is a target, 0 at padding and beyond the end (in masked-LM data, 0 also at tokens not chosen)
     target    masked LM: the tokens before corruption
     zero, yes a column of zeros / true (token kinds, a mask with no padding)
   CSV sources, from the field `field`:
     number    a real, no axes
     category  index of the distinct value, in order of first appearance in the file
     tokens    the field's text, tokenized, padded or cut to `length`; with `start` >= 0 that id comes first, with `stop` >= 0 it
               comes last
     present   boolean: where the same text has a token
     weight    the same as a real
   Synthetic sources: output `name` of the graph synthesize. */
enum feature {
  FEATURE_TOKENS,
  FEATURE_NEXT,
  FEATURE_WEIGHT,
  FEATURE_TARGET,
  FEATURE_ZERO,
  FEATURE_YES,
  FEATURE_NUMBER,
  FEATURE_CATEGORY,
  FEATURE_PRESENT,
  FEATURE_SYNTHETIC
};

struct column {
  const char *name; /* of the graph's input that it feeds */
  enum feature feature;
  const char *field;
  enum kind kind;
  int64_t length; /* elements for one example */
  struct axis **axes; /* of one example, in the order of the input that it feeds */
  int axis_count;
  int64_t range; /* integers: every id must be less; 0 for none */
  int64_t start, stop; /* token ids, or -1 */
  struct span span;
};

struct data_settings {
  const char *name;
  enum data_source source;
  const char *path; /* of the file: absolute, or relative to the spec's folder; or NULL */
  bool path_here; /* relative to the folder where the command runs, because -D gave it */
  enum tokenizer tokenizer;
  int64_t examples; /* synthetic */
  double split; /* the share for training; the rest is validation; 1: no validation */
  double mask; /* masked LM: the share of tokens chosen (80% masked, 10% random, 10% kept), or 0 */
  ARRAY(struct column) columns;
  struct span span;
};

/* What gives ids of the data a meaning, and how many there can be. */
struct data_ids {
  const char *field; /* of categories; NULL: the tokenizer */
  int64_t range; /* every id must be less; 0: any */
  int64_t reserved; /* ids of the range that the tokenizer does not give: the mask */
};
typedef ARRAY(struct data_ids) data_ids_list;

struct calibrate_settings {
  int64_t examples; /* how many of the training part are measured, at most */
  struct span span;
};

/* What is known of all that is multiplied by a parameter, by input channel: the elements of the axes of the parameter that contractions
   sum over. */
struct statistic {
  const struct state *of; /* the parameter */
  unsigned axes; /* of the parameter, a bit for each: the channels */
  struct state *max, *square; /* max |x|, the mean of x^2; NULL where nothing asks for it */
};

struct generate_settings {
  const char *feed, *from; /* input and output of the step graph */
  int64_t capacity; /* positions at most: the bound of the axis `over` */
  int64_t vocabulary;
  int64_t start, stop; /* token ids, or -1: what a generation begins with, what ends it */
  struct span span;
};

/* The rows of routines.def. */
enum routine_number {
#define ROUTINE(name, constant, summary) ROUTINE_##name,
#include "ir/routines.def"
#undef ROUTINE
  ROUTINE_COUNT
};
struct routine_facts {
  const char *name, *constant, *summary;
};
extern const struct routine_facts routine_facts[ROUTINE_COUNT];
/* The ids of the data's columns, none twice; `data` may be NULL. */
data_ids_list data_ids_of(struct arena *arena, const struct data_settings *data);
/* The program's graph by enum routine_number, or of its predictions, which have the numbers from ROUTINE_COUNT on; NULL past
   the last. */
struct graph **program_graph(struct program *program, int number);
/* The prediction that has this number (program_graph); NULL for all other graphs. */
const struct prediction *program_prediction(const struct program *program, int number);
/* Whether the parameter stays in the file that adapters are trained on, and out of the file that training writes. */
bool program_is_in_base(const struct program *program, const struct state *state);
/* Whether the graph, one of the program's, is the model as it is used: what it reads of parameters and statistics alone can be derived. So
   it is none of train, accumulate, calibrate, synthesize, prune and derive. */
bool program_uses_model(const struct program *program, const struct graph *graph);
/* Whether steps of some parameter are kept that files can hold in its place (ROLE_QUANTIZED). */
bool program_has_steps(const struct program *program);
/* Whether some graph is the model on its inputs: predict, or a prediction. */
bool program_predicts(const struct program *program);

#endif
