/* Passes over tensor graphs, and schedules from graphs to loops. passes/pipeline.c is the place to begin reading. */
#ifndef PASSES_PASSES_H
#define PASSES_PASSES_H

#include "ir/diagnostics.h"
#include "ir/loop.h"
#include "ir/program.h"
#include "ir/target.h"
#include "ir/times.h"

struct pipeline;
struct quantizer;
struct cache_quantizer;

struct pass_options {
  const char *pipeline;      /* text such as "-plan, fuse(keep = 40)", or NULL for the spec's */
  const char *pipeline_name; /* what messages call that text; NULL: "--passes" */
  const struct target *target;
  const char *const *dump;   /* patterns of value names that stay whole (no fusion across them) */
  int dump_count;
  bool verify;               /* run the verifier after every pass */
  struct times *times;       /* where the time of each pass is counted, or NULL */
  /* the pass after which to print the graphs, or the loops if it makes loops, on stderr; or NULL */
  const char *dump_after;
  bool loops_follow;         /* run_schedules comes after the graph passes */
  FILE *clusters;            /* where run_schedules tells which values became one kernel and why; or NULL */
  const char *clusters_of;   /* the only graph to tell this of; NULL: all */
  bool
      fixed_parameters; /* they lie in memory that is only read; copies of them would take memory that can be written */
  bool errors_only; /* stop after the last pass that can find an error in the spec: nothing uses the graphs */
};

/* Runs the passes that make a program executable by the interpreter: autodiff, inlining of calls, simplification, common
   subexpressions, dead code, hoisting of what generation computes once. Errors are reported; false if there were any. */
bool run_graph_passes(struct program *program, const struct pass_options *options, struct diagnostics *diagnostics);
/* From graphs (after run_graph_passes) to loops: fusion, scheduling, sharing of equal kernels, memory plan. */
struct module *run_schedules(struct program *program, const struct pass_options *options,
                             struct diagnostics *diagnostics);

/* The single passes, as tests and pipeline.c call them. Each leaves a graph that graph_verify accepts. */

/* Replaces every gradient(loss, value) by reverse-mode differentiation. Reports an error where a path from a value to
   the loss runs through an operation that has no derivative. */
bool pass_autodiff(struct graph *graph, struct diagnostics *diagnostics);
/* Makes the values that options->dump names outputs of the graph "predict". A pattern that names none is an error. */
bool pass_dump(struct program *program, const struct pass_options *options, struct diagnostics *diagnostics);
/* Replaces calls by their bodies. */
void pass_inline(struct graph *graph);
/* Applies the rules of simplify.def: x * 1, x + 0, views of views, casts of casts, sums of expanded values. Exact. The
   graph is walked until no rule fires, at most `rounds` times. SIMPLIFY_ROUNDS are more than any spec needs; a graph
   that needs more is only slower. */
enum { SIMPLIFY_ROUNDS = 24 };
void pass_simplify(struct graph *graph, int rounds);
/* Computes equal values once, and removes values that nothing needs. Exact. */
void pass_common(struct graph *graph);
/* The storages that pass_mixed has, in the order of the words in passes.def. */
extern const enum storage mixed_storages[];
/* Prepares the graphs train and accumulate for pass_mixed, before their gradients are expanded: marks gradients of parameters by
   casts to f32, and with STORAGE_F16 has the loss scaled and steps skipped (mixed_scale.c). With STORAGE_REAL the pass is left
   out. Either way optimizers are told which step it is: RUN_STEP_TAKEN goes. Other graphs stay as they are. */
void pass_mixed_begin(struct program *program, struct graph *graph, enum storage storage);
/* Has the backward pass compute again what it reads of values of `least` bytes and more that streams would keep in blocks
   (stream_again.c). */
void pass_stream_again(struct graph *graph, double least);
/* Has trained parameters of two or more axes lie in bf16, with no other copy of them, and the graph train round what it writes to
   them at random (mixed_weights.c). The graph is as lowering leaves it; other graphs stay as they are. */
void pass_mixed_weights(struct program *program, struct graph *graph);
/* Has the graph, which computes the loss, multiply in `storage`, and save for its backward pass what is exact in it (mixed.c).
   The graph is flat, its equal values are one, and its gradients of parameters are marked. */
void pass_mixed(struct graph *graph, enum storage storage);
/* Gives the parameters that rules of lora are about adapters, and has the graph read them so (lora.c). It runs while the frontend lowers
   a program, on each graph of the model, so that training differentiates and optimizes what it adds like all that the spec says.
   `options` are struct pass_options. Returns false after reporting rules that cannot be followed. */
bool pass_lora(void *options, struct program *program, const struct forward_graph *forward,
               struct diagnostics *diagnostics);
/* What the pipeline's rules make of each parameter, by what all graphs of the model do with it as lowering leaves them
   (quantize_choose.c). NULL after reporting rules that cannot be followed. */
struct quantizer *pass_quantize_choose(struct program *program, const struct pipeline *pipeline,
                                       struct diagnostics *diagnostics);
/* Has the graph calibrate measure what program->statistics asks for, in place of its outputs (calibrate.c). It is flat. */
void pass_calibrate(struct program *program, struct graph *graph);
/* Has a graph that does not train read these parameters in few bits (quantize.c). It is flat, and its equal values are one. */
void pass_quantize(struct quantizer *quantizer, struct graph *graph);
/* Has train and accumulate compute the loss by such parameters, too, where a rule says `train = 1` (quantize_train.c). They are as they are
   before autodiff. Both leave other graphs as they are. */
void pass_quantize_train(struct quantizer *quantizer, struct graph *graph);
/* Makes the graph prune, which has weights become zero that the pipeline's rules name, and has the graphs train and accumulate keep
   them zero (prune.c). Graphs are as lowering leaves them. Reports rules that cannot be followed, and is false then. */
bool pass_prune(struct program *program, const struct pipeline *pipeline, struct diagnostics *diagnostics);
/* What the pipeline's rules make of each cache of generation, by what all graphs of the model do with it as lowering leaves them
   (quantize_cache_choose.c). NULL after reporting rules that cannot be followed. */
struct cache_quantizer *pass_quantize_cache_choose(struct program *program, const struct pipeline *pipeline,
                                                   struct diagnostics *diagnostics);
/* Has a graph that does not train compute by caches of few bits, which the graph step keeps (quantize_cache.c). It is as lowering leaves
   it; graphs that train stay as they are. */
void pass_quantize_cache(struct cache_quantizer *quantizer, struct graph *graph);
/* Moves what graphs that do not train compute of parameters alone to program->derive, where that saves work or bytes; see
   derive.c. */
void pass_derive(struct program *program);
/* Whether the value is what quantize made of the parameter, steps or a scale, by its name; and at the end of derive: leaves the role
   ROLE_QUANTIZED to those states alone that files can hold in a parameter's place (derive_files.c). */
bool is_part_of(const struct value *value, const struct state *parameter);
void settle_parts(struct program *program);
/* A new state of the role ROLE_DERIVED, the last in program->states. Its name is `name` or, where that is taken, NAME.2 and so on. */
struct state *derived_state(struct program *program, const char *name, enum kind kind, struct axis *const *axes,
                            int axis_count, struct span span);
/* Moves what does not depend on the window from program->step to program->prepare; with `only_inputs`, nothing but
   inputs. */
void pass_hoist(struct program *program, bool only_inputs);

#endif
