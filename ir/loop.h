/* The loop IR: functions over flat memory, close to C, that C is printed from.

   A *module* holds functions (kernels and the helpers they call), buffers, and routines: the lists of launches that make a
   training step or a generation step. A function knows nothing of the graph: its parameters are pointers and numbers, so that
   one function serves every copy and every shape that differs in its arguments only.

   Everything is in elements: a buffer has an element type, and an index counts elements from the pointer. */
#ifndef IR_LOOP_H
#define IR_LOOP_H

#include "ir/table.h"
#include "ir/tensor.h"

/* --- Types and expressions ------------------------------------------------------------------------------------------------ */

/* TYPE_REAL is printed as float, or double for the reference target; TYPE_INTEGER is int32_t (tokens, indices stored in memory);
   TYPE_BOOLEAN is uint8_t; TYPE_INDEX is int64_t (loop variables, sizes, strides). */
enum type { TYPE_REAL, TYPE_INTEGER, TYPE_BOOLEAN, TYPE_INDEX };
extern const char *const type_names[]; /* "real" "integer" "boolean" "index" */
struct target;
enum type type_of_kind(enum kind kind);
/* The storage that any value of the type fits. No memory holds values of TYPE_INDEX. */
enum storage storage_of_type(enum type type);
/* The bytes of `count` elements in the memory of a program for the target; and how many elements fill so many bytes. (The
   runtime includes nothing of the compiler and has its own lam_type_size.) */
int64_t storage_bytes(const struct target *target, enum storage storage, int64_t count);
int64_t storage_elements(const struct target *target, enum storage storage, int64_t bytes);
/* Whether all that elements of `stored` can be is exact in `storage`. */
bool storage_holds(enum storage storage, enum storage stored);

/* A loop variable, a `let`, or a number parameter. */
struct variable {
  const char *name; /* unique in its function */
  enum type type;
  int64_t bound; /* TYPE_INDEX: 0 <= it < bound, known from its loop or its `let`; 0: nothing is known */
  /* all its values are multiples of this: a loop's step, or what the numbers that a kernel is given have in common; 0: nothing is known */
  int64_t multiple;
  const char *base; /* the name that was asked for, before it was made unique */
  bool unnamed; /* that name says the operation alone, since neither the spec nor a call gives the value one */
};

enum memory { MEMORY_GLOBAL, MEMORY_REGISTER, MEMORY_STACK };
extern const char *const memory_names[]; /* "global" "register" "stack" */

/* Memory that a function sees: a pointer parameter (global) or its own (register: indexed by constants and lanes only once
   unrolled; stack: an array). */
struct array {
  const char *name; /* unique in its function */
  enum type type; /* of a load's result */
  /* How elements are stored. A load converts what is narrower than the type; what is stored must be exact in it. */
  enum storage storage;
  enum memory memory;
  int64_t count; /* elements; for a parameter the least that the caller gives, 0 if it depends on numbers */
  bool written; /* parameters: not const */
  bool optional; /* written parameters that are not read: a launch may give no memory, and then nothing is stored */
  const char *comment; /* "[batch=12, seq=64, embed=128]", or NULL */
  const char *base; /* the name that was asked for, before it was made unique */
};

enum expression_kind {
  EXPRESSION_NUMBER, /* `number` of `type` */
  EXPRESSION_VARIABLE,
  EXPRESSION_LOAD, /* array[arguments[0]] */
  /* an elementwise `op` of ops.def on arguments; on TYPE_INDEX: add sub mul quotient mod min max and comparisons */
  EXPRESSION_APPLY,
  EXPRESSION_FMA, /* arguments[0] * arguments[1] + arguments[2], rounded once where the target has fma */
  EXPRESSION_CONVERT, /* arguments[0] to `type` (real from integer or index, index from integer, integer from index) */
  EXPRESSION_FOLD, /* all lanes of a register array (starting at arguments[0], `lanes` of them) by `op` (add, or of reals max):
                          halving tree, lane i with lane i + half */
  /* arguments[0] + the sum over j < `lanes` of x[i + j] y[k + j], where the loads arguments[1] = x[i] and arguments[2] = y[k] say where the
     two begin, both narrower than what they are summed in: what processors have instructions for, of 2 or 4 products a lane. In which
     order reals are added, and whether a subnormal number counts as 0, is the processor's choice. Integers are exact modulo 2^32 */
  EXPRESSION_DOT,
  /* the quantile for the share arguments[2] of arguments[1] reals of memory, of which the load arguments[0] is the first; quantile_of
     says which */
  EXPRESSION_QUANTILE,
  /* a random number: (seed, stream, step, example, element), all index or integer; see random_draw */
  EXPRESSION_DRAW
};

struct expression {
  enum expression_kind kind;
  enum type type;
  double number;
  const struct variable *variable;
  const struct array *array;
  enum op op;
  enum storage storage; /* APPLY of OP_cast */
  enum distribution distribution;
  int lanes;
  const struct expression **arguments;
  int argument_count;
};

/* --- Statements ----------------------------------------------------------------------------------------------------------- */

/* serial: in order. parallel: no iteration touches an element that another one writes (OpenMP threads; arrays declared
   inside are private to each thread). vector: the extent is the constant number of lanes, iterations are independent,
   and the body has only let, store and if; printed with the rows of simd.def. unrolled: constant extent, printed as
   copies. */
enum loop_kind { LOOP_SERIAL, LOOP_PARALLEL, LOOP_VECTOR, LOOP_UNROLLED };
extern const char *const loop_kind_names[];

enum statement_kind {
  STATEMENT_LOOP, /* for variable = 0; variable < extent; variable += step (step 1 unless said) */
  STATEMENT_LET, /* variable = expression, once */
  STATEMENT_ARRAY, /* declares `array` (register or stack), contents undefined */
  STATEMENT_STORE, /* array[index] = expression */
  /* array[index] will be read soon; the index may lie outside, and nothing happens but to the time taken */
  STATEMENT_PREFETCH,
  /* Elements of a bitmap, of which only those that are not zero lie in memory: for i < extent, a multiple of EXPAND_STEP,
     to[at + i] = the next of values[from], values[from + 1] ... where bit i % MASK_BITS of masks[first + i / MASK_BITS] is set, else 0.
     The call arguments are &to[at], &values[from] and &masks[first]. C may read values up to EXPAND_BYTES past the last that is taken,
     and does nothing with them */
  STATEMENT_EXPAND,
  /* A product of matrices, for which processors have instructions on whole tiles: for row < rows and column < columns,
     c[row * c_row + column] = (begun > 0 ? c[row * c_row + column] : 0) + the sum over k < depth of
       a[row * a_row + k] b[k / group * b_step + column * group + k % group],
     where the storages of a and b are those of a dot of `group` products (dots.def). What lies in b's last group behind the depth is 0. In
     which order reals are added, and whether a subnormal number counts as 0, is the processor's choice. Integers are exact modulo 2^32.
     The call arguments are &c[..], c_row, &a[..], a_row, &b[..], b_step, rows, columns, depth, begun and far: see enum multiply_argument.
     Far is a constant without meaning: 1 where c is so large that it leaves the caches before it is read */
  STATEMENT_MULTIPLY,
  STATEMENT_IF, /* if (expression) body */
  STATEMENT_CALL, /* function(call arguments) */
  STATEMENT_COMMENT /* a line for the reader of the output */
};

/* Of bitmaps, see STATEMENT_EXPAND. */
enum { MASK_BITS = 32, EXPAND_STEP = 2 * MASK_BITS, EXPAND_BYTES = 64 };

/* The arguments of STATEMENT_MULTIPLY. */
enum multiply_argument {
  MULTIPLY_C,
  MULTIPLY_C_ROW,
  MULTIPLY_A,
  MULTIPLY_A_ROW,
  MULTIPLY_B,
  MULTIPLY_B_STEP,
  MULTIPLY_ROWS,
  MULTIPLY_COLUMNS,
  MULTIPLY_DEPTH,
  MULTIPLY_BEGUN,
  MULTIPLY_FAR,
  MULTIPLY_ARGUMENTS
};
extern const char *const multiply_arguments[MULTIPLY_ARGUMENTS]; /* "c" "c_row" "a" ... */

/* An argument of a call: a pointer into an array (array, offset) or a number (array == NULL). */
struct argument {
  const struct array *array;
  const struct expression *expression; /* offset or number */
};

struct block {
  ARRAY(struct statement *) statements;
  struct function *function; /* whose names stay unique; set by function_new, block_loop and block_if */
};

struct statement {
  enum statement_kind kind;
  struct variable *variable;
  enum loop_kind loop;
  const struct expression *extent;
  int64_t step;
  struct block body;
  struct array *array;
  const struct expression *index, *expression;
  const struct function *function;
  const char *text; /* of a comment */
  ARRAY(struct argument) arguments;
};

/* A parameter: a pointer (array) or a number (variable). */
struct parameter {
  struct array *array;
  struct variable *variable;
};

struct function {
  const char *name; /* "causal_attention_scores"; unique in its module */
  const char
      *comment; /* what a part of other kernels does, for the reader: "packed[panel, k, 16 columns] of b[k, column]" */
  /* what a kernel computes where it was first needed: "y[row, out] = sum over in of x * weight"; no part of its meaning */
  const char *formula;
  /* contractions: by what the kernel multiplies, "12x32 dots of 4 bytes, AVX512-VNNI"; else NULL. No part of its meaning either */
  const char *multiplies;
  bool serves_several; /* the formula says so: values of other names or shapes are computed by the same function */
  ARRAY(struct parameter) parameters;
  struct block body;
  bool is_helper; /* called by other functions, never launched */
  struct table names; /* taken, by parameters, variables and arrays: the last suffix given to the name (int *) */
};

/* --- Programs ------------------------------------------------------------------------------------------------------------- */

enum buffer_role { BUFFER_STATE, BUFFER_INPUT, BUFFER_OUTPUT, BUFFER_ACTIVATION };

/* Memory of the program: a state, an input, an output, or an activation that lives within one routine. */
struct buffer {
  const char *name; /* as a C identifier: "h_attn_c_attn_weight"; copies of a repeat share it and differ in `copy` */
  const char *label; /* as the spec says it: "h.3.attn.scores" */
  enum buffer_role role;
  enum output_role output_role; /* BUFFER_OUTPUT: the output's */
  enum run_input run_input; /* BUFFER_INPUT: the input's */
  enum type type;
  enum storage storage;
  int64_t count;
  const char *comment; /* axes and extents */
  const struct state *state;
  struct axis **axes; /* in the order of storage, row-major */
  int axis_count;
  int copy; /* in its repeat; -1 outside any */
  /* It is a further name for the memory of this one, from when that holds another value; or NULL. */
  struct buffer *memory;
  bool dumped; /* --dump named it: it must be whole when its routine ends */
  int64_t offset; /* activations: elements from the start of the arena, by type alignment; set by the plan */
  int mark, number; /* of whoever walks over buffers */
};

struct launch_argument {
  struct buffer *buffer; /* or NULL: a number */
  /* The same memory under the name of what lies there at that time. The plan puts it into `buffer`. */
  struct buffer *shown;
  int64_t offset; /* elements into the buffer */
  enum { NUMBER_CONSTANT, NUMBER_SIZE, NUMBER_SEED, NUMBER_STEP } number_kind;
  int64_t number; /* the constant; the size's index */
  double real; /* a real constant, when the parameter is real */
};

/* What of the model a launch computes: a call of a function of the spec, or a value. */
struct work_part {
  const char *path; /* of the call, or the value's: "h.3.attn" */
  const char *function; /* "attend"; "" or NULL for a value */
  bool is_gradient; /* of the value of that path */
  const char *gradient_of; /* a call on the way back: the value whose gradient the launch makes; or NULL */
  bool is_hidden; /* the memory of that gradient is called after something larger */
};

struct launch {
  const struct function *function;
  ARRAY(struct launch_argument) arguments;
  const char *label; /* the value or part it computes: "h.3.attn" */
  struct origin origin;
  ARRAY(struct work_part) parts; /* what a comment tells of it, the main part first */
  bool derived; /* it reads parameters alone, so it goes to the routine derive */
  const struct buffer *quantizes; /* the parameter of which it makes steps, and only of it; see passes/derive_order.c */
  bool in_order; /* the function's parallel loop is run serially by this launch; set when programs are written */
};

struct routine {
  int number; /* of its graph in the program (program_graph) */
  const char *name; /* of its graph */
  const struct graph *graph;
  ARRAY(struct launch *) launches;
  ARRAY(struct buffer *) inputs;
  ARRAY(struct buffer *) outputs;
  int64_t activation_bytes; /* of its arena, set by the plan */
};

struct module {
  struct arena *arena;
  const char *name;
  ARRAY(struct function *) functions; /* callees before callers */
  ARRAY(struct buffer *) buffers;
  ARRAY(struct routine *) routines;
};

/* --- Building expressions (folding constants: add(x, 0) is x, mul of numbers is a number) ----------------------------------- */

const struct expression *expression_number(struct arena *arena, enum type type, double number);
const struct expression *expression_index(struct arena *arena, int64_t number);
const struct expression *expression_variable(struct arena *arena, const struct variable *variable);
const struct expression *expression_load(struct arena *arena, const struct array *array,
                                         const struct expression *index);
/* The type follows from op and arguments: comparisons, and, or, not are boolean; where has its branches' type. */
const struct expression *expression_apply(struct arena *arena, enum op op, const struct expression *x,
                                          const struct expression *y, const struct expression *z);
/* x rounded to a storage type (real stays as it is); of an integer, index or boolean x: converted to real first. */
const struct expression *expression_cast(struct arena *arena, enum storage storage, const struct expression *x);
/* x * y + z; of integers the two operations, since nothing is rounded. */
const struct expression *expression_fma(struct arena *arena, const struct expression *x, const struct expression *y,
                                        const struct expression *z);
const struct expression *expression_convert(struct arena *arena, enum type type, const struct expression *x);
/* `x` and `y` are loads; see EXPRESSION_DOT. */
const struct expression *expression_dot(struct arena *arena, int count, const struct expression *sum,
                                        const struct expression *x, const struct expression *y);
/* `first` is a load; see EXPRESSION_QUANTILE. */
const struct expression *expression_quantile(struct arena *arena, const struct expression *first,
                                             const struct expression *count, const struct expression *q);
const struct expression *expression_fold(struct arena *arena, enum op op, const struct array *array,
                                         const struct expression *start, int lanes);
const struct expression *expression_draw(struct arena *arena, enum distribution distribution,
                                         const struct expression *const arguments[5]);
/* Shorthands on TYPE_INDEX. */
const struct expression *index_add(struct arena *arena, const struct expression *x, const struct expression *y);
const struct expression *index_multiply(struct arena *arena, const struct expression *x, int64_t factor);
/* The integer coefficient of `variable` in an affine expression; false when it is not affine in it with a constant coefficient. */
bool expression_coefficient(const struct expression *x, const struct variable *variable, int64_t *coefficient);
/* Whether an index is a multiple of the divisor, whatever its variables are; *quotient is then index / divisor. */
bool expression_divides(struct arena *arena, const struct expression *index, int64_t divisor,
                        const struct expression **quotient);
/* Takes an index apart into a multiple of the divisor and a rest from 0 to divisor - 1; false where that cannot be told. */
bool expression_remainder(struct arena *arena, const struct expression *index, int64_t divisor,
                          const struct expression **whole, const struct expression **rest);
bool expression_uses(const struct expression *x, const struct variable *variable);
bool expression_equal(const struct expression *x, const struct expression *y);
/* The least and the largest value of an index expression, where the bounds of its variables tell; else false. */
bool expression_range(const struct expression *x, int64_t *low, int64_t *high);
/* The type of `op` on arguments of these types; false when it takes no such types. Integers of different types do not mix. */
bool apply_type(enum op op, const enum type *arguments, enum type *type);

/* --- Building functions. Names are made unique by the function. -------------------------------------------------------------- */

struct function *function_new(struct arena *arena, const char *name);
/* `name` is taken: what is made later gets another. */
void function_add_name(struct arena *arena, struct function *function, const char *name);
struct array *function_add_pointer(struct arena *arena, struct function *function, const char *name, enum type type,
                                   int64_t count, bool written, const char *comment);
struct variable *function_add_number(struct arena *arena, struct function *function, const char *name, enum type type);
/* The loop statement; its body is filled by the caller. Appended to `block`. */
struct statement *block_loop(struct arena *arena, struct block *block, enum loop_kind kind, const char *name,
                             const struct expression *extent);
struct variable *block_let(struct arena *arena, struct block *block, const char *name,
                           const struct expression *expression);
struct array *block_array(struct arena *arena, struct block *block, const char *name, enum type type,
                          enum memory memory, int64_t count);
void block_store(struct arena *arena, struct block *block, struct array *array, const struct expression *index,
                 const struct expression *expression);
void block_prefetch(struct arena *arena, struct block *block, struct array *array, const struct expression *index);
/* See STATEMENT_EXPAND. */
void block_expand(struct arena *arena, struct block *block, struct argument to, struct argument values,
                  struct argument masks, int64_t count);
/* See STATEMENT_MULTIPLY. */
void block_multiply(struct arena *arena, struct block *block, const struct argument arguments[MULTIPLY_ARGUMENTS]);
/* How many products the dots of such a statement have; 0 where no dot has the storages of a and b. */
int multiply_group(const struct statement *statement);
struct statement *block_if(struct arena *arena, struct block *block, const struct expression *condition);
struct statement *block_call(struct arena *arena, struct block *block, const struct function *function);
void block_comment(struct arena *arena, struct block *block, const char *text);

/* --- Whole functions and modules ------------------------------------------------------------------------------------------- */

/* Equal but for their names: the test for emitting a kernel once. */
bool function_equal(const struct function *x, const struct function *y);
/* The same number for equal functions. */
uint64_t function_hash(const struct function *function);
/* Shorter names: what was made unique in the function becomes unique in its scope only, so that two loops in a row may both
   run over `i`. For the end, before printing. */
void function_tidy_names(struct arena *arena, struct function *function);
/* Marks that the function computes values of other names or shapes too: its formula is then that of its first call. */
void function_serve_several(struct arena *arena, struct function *function);
/* NULL or what is wrong: scopes, types, vector loops with constant extents, register arrays indexed by constants and lanes. */
const char *function_verify(struct arena *arena, const struct function *function);
void module_print(FILE *file, const struct module *module);
void function_print(FILE *file, const struct function *function);
/* Reads functions (not buffers or routines) printed by function_print; reports errors and returns NULL. */
struct module *module_read(struct arena *arena, const struct source *source, struct diagnostics *diagnostics);

/* The loop IR's interpreter, in double: runs meanings, and checks bounds, reads of what was never written, and races between
   iterations of parallel and vector loops. Arguments in the order of parameters: arrays as memory with a length, numbers as
   doubles. Returns NULL or what went wrong. */
struct loop_memory {
  double *data;
  unsigned char *defined; /* one for each element, or NULL: all are */
  int64_t count;
};
struct loop_argument {
  struct loop_memory *memory;
  int64_t offset;
  double number;
};
const char *function_interpret(struct arena *arena, const struct function *function,
                               const struct loop_argument *arguments);

#endif
