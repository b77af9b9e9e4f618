/* The tensor IR: a flat graph of about fifty primitives on tensors with named axes. It is closed under differentiation.

   An axis is an identity, not a spelling: two axes may be called "seq" and stay apart. A tensor has an axis once. A value has
   axes (a set; the order kept is canonical: it numbers the elements for random draws and for printing, and says nothing of
   storage) and a kind. Values are listed in an order in which inputs come before their users.

   Reference: Chiang, Rush, Barak, "Named Tensor Notation", 2021. */
#ifndef IR_TENSOR_H
#define IR_TENSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ir/arena.h"
#include "ir/diagnostics.h"

/* A value has at most MAX_AXES; what a file or a program's interface holds (parameters, inputs, outputs) at most MAX_RANK. */
enum { MAX_AXES = 12, MAX_RANK = 8, MAX_RESULTS = 16 };

enum op {
#define OP(name, noun, class, inputs, attributes, price) OP_##name,
#include "ir/ops.def"
  OP_COUNT
};

enum op_class {
  CLASS_LEAF,
  CLASS_RANDOM,
  CLASS_UNARY,
  CLASS_BINARY,
  CLASS_COMPARE,
  CLASS_LOGIC,
  CLASS_TERNARY,
  CLASS_REDUCE,
  CLASS_MIX,
  CLASS_CONTRACT,
  CLASS_GATHER,
  CLASS_SCATTER,
  CLASS_VIEW,
  CLASS_STOP,
  CLASS_GRADIENT,
  CLASS_UPDATE,
  CLASS_CALL
};

/* What the operands of an elementwise operation must be. All are of one kind; this does not count the condition of
   `where`, which is boolean. Builders convert operands of other kinds to reals where that makes them fit. */
enum operands {
  OPERANDS_ANY,
  OPERANDS_NUMBERS, /* reals or integers */
  OPERANDS_ORDERED, /* reals or integers; in loops also booleans, false being less than true */
  OPERANDS_REALS,
  OPERANDS_INTEGERS, /* in loops also indices */
  OPERANDS_BOOLEANS
};

/* The kind of an elementwise operation's result. */
enum result_kind {
  RESULT_SAME, /* as the operands */
  RESULT_INTEGER,
  RESULT_BOOLEAN,
  RESULT_STORAGE /* that of the attribute `storage` */
};

enum op_property {
  PROPERTY_CALLED = 1, /* the language has it as a function of one argument, of the same name */
  /* f(x, y) = f(y, x), to the last bit; not max and min, which give the second operand where one is NaN */
  PROPERTY_COMMUTES = 2,
  PROPERTY_CHOOSES = 4 /* the result is one of the operands as it stands */
};

/* The attributes of an operation in the text of a graph, besides its inputs. */
enum attribute {
  ATTRIBUTE_NUMBER = 1, /* constant 0.5          pad ... with 0 */
  ATTRIBUTE_STATE = 2, /* state "wte.weight" */
  ATTRIBUTE_AXIS = 4, /* along seq */
  ATTRIBUTE_RESULT = 8, /* to tail */
  ATTRIBUTE_OVER = 16, /* over [batch, seq]: the list, whose order says nothing */
  ATTRIBUTE_ALONG = 32, /* along [batch, seq]: the list */
  ATTRIBUTE_TO = 64, /* to [head, key]: the list */
  ATTRIBUTE_START = 128, /* at 3 */
  ATTRIBUTE_STORAGE = 256, /* as bf16 */
  ATTRIBUTE_DRAW = 512, /* normal stream 12 */
  ATTRIBUTE_CALLEE = 1024, /* region 2 */
  ATTRIBUTE_INPUT = 2048, /* input "tokens" */
  ATTRIBUTE_MAY_LACK_AXIS = 4096
};

/* The facts in one row of ops.def, which explains the columns. The fields after `price` are for elementwise operations
   only. */
struct op_facts {
  const char *name, *noun;
  enum op_class class;
  int inputs; /* -1: any number */
  int attributes; /* a set of enum attribute */
  int price;
  enum operands takes;
  enum result_kind gives;
  int properties; /* a set of enum op_property */
  int operations;
};
extern const struct op_facts op_facts[OP_COUNT];
/* UNARY to TERNARY. */
bool op_is_elementwise(enum op op);

enum kind { KIND_REAL, KIND_INTEGER, KIND_BOOLEAN };
extern const char *const kind_names[]; /* "real" "integer" "boolean" */

/* How numbers are stored, the rows of storage.def. The interpreter rounds to it at a cast and computes in double elsewhere. */
enum storage {
#define STORAGE(NAME, name, kind, bits, least, most, c) STORAGE_##NAME,
#include "ir/storage.def"
  STORAGE_COUNT
};
struct storage_facts {
  const char *name;
  enum kind kind;
  int bits;
  int64_t least, most;
  const char *c; /* NULL: as the type that its elements are computed in */
};
extern const struct storage_facts storage_facts[STORAGE_COUNT];
extern const char *const storage_names[STORAGE_COUNT];
enum kind storage_kind(enum storage storage);

/* What an axis, a size or an output is to the program around the graph. A role is set where its owner is made, and
   nothing is ever told from a name: a spec may call an axis "window" or an output "loss". */
enum axis_role { AXIS_ORDINARY, AXIS_BATCH };
extern const char *const axis_role_names[]; /* "ordinary" "batch" */
/* The size of a window, which is the rows of one generation step, and the number of rows so far. */
enum size_role { SIZE_ORDINARY, SIZE_WINDOW, SIZE_PAST };
extern const char *const size_role_names[]; /* "ordinary" "window" "past" */
/* The loss: the weighted mean of a batch, which is the quotient of the two sums. */
enum output_role { OUTPUT_ORDINARY, OUTPUT_LOSS, OUTPUT_LOSS_SUM, OUTPUT_WEIGHT_SUM };
extern const char *const output_role_names[]; /* "ordinary" "loss" "loss_sum" "weight_sum" */

/* A size known only when the program runs, such as the length of a window. Kernels take it as an argument. */
struct size {
  const char *name;
  enum size_role role;
  int64_t bound;
  int index; /* in the graph's sizes */
};

struct axis {
  const char *name; /* as spelled in the spec; several axes may share it */
  enum axis_role role;
  int id; /* unique in the program; printed as name'id where the name alone is ambiguous */
  int64_t extent; /* its length, or the most it can be when `size` is set. Storage is always laid out for `extent`. */
  const struct size *size; /* NULL: `extent` is the length */
  struct span span;
};

enum role {
  ROLE_PARAMETER,
  ROLE_OPTIMIZER,
  ROLE_ACCUMULATOR,
  ROLE_AVERAGE,
  ROLE_CACHE,
  ROLE_PREPARED,
  ROLE_STATISTIC, /* what the graph calibrate measured; in weight files of which it is a part */
  ROLE_DERIVED, /* computed of parameters alone, by the graph derive; not in files, and without initial draws */
  ROLE_QUANTIZED /* the same of one parameter (or average), which files may hold in its place: its steps, and their scale */
};
extern const char
    *const role_names[]; /* "parameter" "optimizer" "accumulator" "average" "cache" "prepared" "statistic" "derived"
                            "quantized" */
/* Whether the graph derive computes states of the role. */
bool role_is_derived(enum role role);
enum initial { INITIAL_CONSTANT, INITIAL_NORMAL, INITIAL_UNIFORM };
extern const char *const initial_names[]; /* "constant" "normal" "uniform" */

/* What is trained in place of a parameter of two or more axes, which stays as it is: the model reads it as
   `of` + alpha / rank * a @rank b. */
struct adapter {
  struct state *of, *a, *b, *alpha; /* alpha is one number, which is not trained */
  struct axis *rank; /* the last axis of a, and the first of b */
  bool merges; /* graphs that do not train read the parameter with the product added to it */
};

/* A tensor that outlives a step. Parameters are named as in a weight file, and `axes` is the file's order. */
struct state {
  const char *name; /* "h.0.attn.c_attn.weight"; optimizer states "h.0.attn.c_attn.weight/m" */
  enum role role;
  enum kind kind;
  enum storage
      storage; /* how it lies in memory, where that is narrower than its kind; else STORAGE_REAL. See state_storage */
  struct axis **axes;
  int axis_count;
  enum initial initial;
  double low, high; /* constant: low. normal: low is the mean, high the standard deviation. uniform: between them. */
  uint32_t stream; /* of its initial draws: hash_path(name) */
  struct state *of; /* the parameter that an optimizer state, accumulator, average or quantized state belongs to */
  /* Of a quantized state: its extents in files, one for each axis of `of`. Steps have those of the parameter; an element of the scale is
     for as many neighbours along each axis as the parameter's extent has there of the scale's. */
  const int64_t *file_shape;
  /* Of a pruned parameter, and of what is zero where that is: how many of its elements are not zero when it is pruned as far as its rule
     says, at most; 0: nothing is known. It decides how the state is read, and no result: more may be */
  int64_t kept;
  bool frozen;
  struct adapter *adapter; /* the one that it is adapted by, or that it is a part of; or NULL */
  struct span span;
};

/* Whether the state stays as it is while a model is used: a parameter, an average, or what was measured. */
bool state_is_fixed(const struct state *state);
/* The storage that the state lies in: loading and initial draws round to it, and what updates it is exact in it. */
enum storage state_storage(const struct state *state);
/* Whether the state is a part of an adapter: a, b or alpha. */
bool is_of_adapter(const struct state *state);

enum distribution { DISTRIBUTION_UNIFORM, DISTRIBUTION_NORMAL };
extern const char *const distribution_names[]; /* "uniform" "normal" */

/* One `repeat` of the spec after it was unrolled. */
struct repeat {
  const char *path; /* "h", or "" for a repeat without a name */
  int count;
};

/* Where a value came from: for messages, names in the output, and rolling copies back into loops. */
struct origin {
  struct span span;
  const char *path; /* of the call that made it: "h.0.attn"; "" at the top */
  const char *function; /* the function of the spec whose body it stands in: "layernorm"; "" at the top */
  const struct repeat *repeat; /* the innermost repeat that it stands in, or NULL */
  int copy; /* which copy */
};

/* Inputs that every run supplies, besides those of the model; ir/program.h says what they hold. No model's input has their names. */
enum run_input { RUN_NONE, RUN_STEP, RUN_STEPS, RUN_STEP_TAKEN, RUN_EXAMPLE, RUN_POSITION, RUN_INPUTS };
extern const char *const run_input_names[RUN_INPUTS]; /* RUN_NONE: NULL */

struct value {
  int id;
  enum op op;
  enum kind kind;
  enum run_input run_input; /* inputs: as the name says */
  int axis_count, input_count; /* numbers stand side by side, since graphs of ten thousand values are walked often */
  struct axis **axes;
  struct value **inputs;
  struct axis *range; /* integers: they index this axis (0 <= value < extent), where known */

  /* Attributes; ops.def says which an operation has. */
  double number;
  const char *name; /* input: its name. Any other: what the spec calls it, path included ("h.0.attn.scores"), or NULL */
  /* the spec's name for the value whose gradient this is; NULL where it is no gradient, or that value has no name */
  const char *gradient_of;
  /* What a value without a name is called after the call that computed it: "h.0.ln_1" where that call has a label,
     "h.0.ln_1.mean", "h.0.ln_1.mean_total" for a value on the way to that mean; or NULL. */
  const char *call;
  struct state *state;
  struct axis *axis, *result;
  struct axis **list;
  int list_count;
  enum storage storage;
  enum distribution distribution;
  uint32_t stream; /* random: hash_path of the call path and the draw's ordinal in it */
  int64_t start;
  struct region *callee;
  /* rename: the name of the state that keeps this in a step of generation, where the spec has `cached` for it; or NULL. It means nothing
     to the value itself: passes that change what is cached find the same value in other graphs by it, before any pass can fold views. */
  const char *cached;
  /* The backward pass computes it once more, so that nothing is kept for it from the forward pass. It means nothing to the value itself;
     but whoever finds the same value in the forward pass leaves it apart. */
  bool again;

  struct origin origin;
};

/* An output of a graph. Passes may replace the value by one with its axes in another order; `axes` keeps the order that
   the outside was promised. */
struct output {
  const char *name;
  enum output_role role;
  struct value *value;
  struct axis **axes;
};

struct graph {
  struct arena *arena;
  const char *name; /* "train", "step" ... */
  ARRAY(struct value *) values; /* inputs before users */
  ARRAY(struct output) outputs;
  ARRAY(const struct size *) sizes;
  int next_value;
  int *next_axis; /* shared by the graphs of a program: axes are unique across them */
  struct origin origin; /* given to each value built */
};

/* A function with its own values, for `call`. `inputs` are input values of `body`; `body->outputs` are the results.
   `gradient`, where set, takes the inputs, the results, and the gradients of the results (in this order) and gives a gradient
   for each input, in order (a missing one is an output whose value is NULL). */
struct region {
  const char *name;
  struct graph *body;
  ARRAY(struct value *) inputs;
  struct region *gradient;
  bool approximate; /* the gradient is not the body's derivative by design: derivative tests leave it out */
};

/* --- Building. Each checks its operands with bug(): the frontend reports a user's error before it builds. ------------------ */

struct graph *graph_new(struct arena *arena, const char *name, int *next_axis);
struct axis *axis_new(struct graph *graph, const char *name, int64_t extent, struct span span);
/* The axis of examples, which is called "batch" everywhere. */
struct axis *axis_new_batch(struct graph *graph, int64_t extent, struct span span);
struct axis *axis_new_sized(struct graph *graph, const char *name, const struct size *size, struct span span);
/* The graph's size of this name, made when there is none. */
const struct size *size_new(struct graph *graph, const char *name, enum size_role role, int64_t bound);
/* Adds an output. Its promised order of axes is the batch first, then the others as the value has them. */
void graph_add_output(struct graph *graph, const char *name, struct value *value);
/* The same for an output with a role for the loop around the graph; the role gives its name. */
void graph_add_output_of_role(struct graph *graph, enum output_role role, struct value *value);
void graph_add_ordered_output(struct graph *graph, const char *name, struct value *value, struct axis *const *axes);

struct value *build_constant(struct graph *graph, double number); /* real */
struct value *build_integer(struct graph *graph, int64_t number);
struct value *build_boolean(struct graph *graph, bool value);
struct value *build_input(struct graph *graph, const char *name, enum kind kind, struct axis *range,
                          struct axis *const *axes, int count);
/* Calls an input so, and sets which of a run's inputs it is. */
void name_input(struct value *input, const char *name);
struct value *build_state(struct graph *graph, struct state *state);
struct value *build_index(struct graph *graph, struct axis *axis);
/* `example` may be NULL; when given, the draw's elements are numbered by `axes` without example's axis. */
struct value *build_random(struct graph *graph, enum distribution distribution, uint32_t stream, struct value *step,
                           struct value *example, struct axis *const *axes, int count);
/* An elementwise operation. Integers and booleans mixed with reals become real by a cast; comparison gives boolean;
   integer with integer stays integer for neg abs add sub mul mod quotient max min, and is cast to real for the rest. */
struct value *build_unary(struct graph *graph, enum op op, struct value *x);
struct value *build_binary(struct graph *graph, enum op op, struct value *x, struct value *y);
struct value *build_where(struct graph *graph, struct value *condition, struct value *x, struct value *y);
struct value *build_cast(struct graph *graph, struct value *x, enum storage storage);
struct value *build_reduce(struct graph *graph, enum op op, struct value *x, struct axis *const *over, int count);
struct value *build_scan(struct graph *graph, struct value *x, struct axis *axis, bool from_end);
struct value *build_top(struct graph *graph, struct value *x, struct axis *axis, struct axis *result);
/* Of reals, `q` without axes; see ops.def. */
struct value *build_quantile(struct graph *graph, struct value *x, struct value *q, struct axis *const *over,
                             int count);
/* Of two integers: an integer, modulo 2^32; else both operands are made real. */
struct value *build_contract(struct graph *graph, struct value *x, struct value *y, struct axis *const *over,
                             int count);
struct value *build_gather(struct graph *graph, struct value *table, struct axis *axis, struct value *index);
struct value *build_scatter_add(struct graph *graph, struct value *base, struct axis *axis, struct value *index,
                                struct value *source);
struct value *build_rename(struct graph *graph, struct value *x, struct axis *axis, struct axis *result);
struct value *build_split(struct graph *graph, struct value *x, struct axis *axis, struct axis *const *factors,
                          int count);
struct value *build_merge(struct graph *graph, struct value *x, struct axis *const *factors, int count,
                          struct axis *result);
struct value *build_slice(struct graph *graph, struct value *x, struct axis *axis, int64_t start, struct axis *result);
struct value *build_select(struct graph *graph, struct value *x, struct axis *axis, int64_t start);
/* x itself when it has all of `axes`. */
struct value *build_expand(struct graph *graph, struct value *x, struct axis *const *axes, int count);
struct value *build_pad(struct graph *graph, struct value *x, struct axis *axis, struct axis *result, int64_t start,
                        double number);
struct value *build_concat(struct graph *graph, struct value *const *parts, struct axis *const *axes, int count,
                           struct axis *result);
struct value *build_stop(struct graph *graph, struct value *x);
struct value *build_gradient(struct graph *graph, struct value *loss, struct value *of);
struct value *build_update(struct graph *graph, struct state *state, struct value *value, struct axis *axis,
                           struct value *index);
struct value *build_call(struct graph *graph, struct region *callee, struct value *const *inputs, int count);
struct value *build_result(struct graph *graph, struct value *call, int number);

/* --- Looking ------------------------------------------------------------------------------------------------------------- */

bool axis_listed(struct axis *const *list, int count, const struct axis *axis);
bool value_has_axis(const struct value *value, const struct axis *axis);
bool value_has_sized_axis(const struct value *value); /* one whose length is known only when the program runs */
bool same_axes(const struct value *x, const struct value *y); /* as sets */
/* Whether the axis is the one of examples, by its role. */
bool is_batch(const struct axis *axis);
/* The axes as the outside has them where nothing else is declared: batch first, the others in their order. */
void batch_first(struct axis *const *axes, int count, struct axis **order);
/* The axes of a scatter_add's index along which several sources may go to one element, outermost first in the order in which these are
   added: batch, then the others by their number. In which order an operand happens to have its axes says nothing, since passes change
   that. Returns how many there are. */
int scatter_order(const struct value *value, struct axis **order);
/* The number of elements, counting a sized axis at its bound. */
int64_t value_count(const struct value *value); /* INT64_MAX where it would overflow */
int64_t axes_count(struct axis *const *axes, int count);
/* "[batch, seq, embed]", with extents when asked: "[batch=12, seq=64, embed=128]". */
const char *axes_text(struct arena *arena, struct axis *const *axes, int count, bool extents);
/* "batch,seq,embed" */
const char *axes_list(struct arena *arena, struct axis *const *axes, int count);
/* FNV-1a, 32 bits: the stream of a path. */
uint32_t hash_path(const char *path);
/* Does `pattern` (with * for any letters and ? for one) match the whole name? */
bool pattern_matches(const char *pattern, const char *name);

/* --- Whole graphs -------------------------------------------------------------------------------------------------------- */

/* Where a graph stands: `gradient` only before autodiff, no `call` once calls are inlined. */
enum stage { STAGE_LOWERED, STAGE_DIFFERENTIATED, STAGE_FLAT };
/* NULL, or what is wrong, with the value it is wrong in. Checked: order, operand counts, kinds and axes of every operation,
   extents, one whole writer for each state, no reader of a state's old contents hidden behind its update, outputs present. */
const char *graph_verify(struct arena *arena, const struct graph *graph, enum stage stage);
/* Text that graph_read reads back to an equal graph. */
void graph_print(FILE *file, const struct graph *graph);
/* Reports errors against `source` and returns NULL. */
struct graph *graph_read(struct arena *arena, const struct source *source, struct diagnostics *diagnostics);
/* A copy of `value` in `graph` with new inputs: what passes rewrite with. Name and origin are kept. */
struct value *value_copy(struct graph *graph, const struct value *value, struct value *const *inputs);
/* Values that no output or update needs, removed; ids renumbered. */
void graph_sweep(struct graph *graph);

#endif
