/* What the files that turn graphs into loops share. The order of work for one graph:
     facts.c     finds what is true of the graph (facts.h); everything below is decided (decisions.h)
     layout.c    gives each materialised value a buffer and strides
     fuse.c      decides which values are materialised, and which are computed together by one kernel
     schedule_*  write one kernel for each cluster, by means of kernel.c (open blocks, parameters) and access.c (values as
                 expressions)
     share.c     makes equal kernels one function
     derive_launches.c  moves launches that read parameters alone to the routine derive
     plan.c      lets activations that do not live at the same time share memory */
#ifndef PASSES_SCHEDULE_H
#define PASSES_SCHEDULE_H

#include "ir/table.h"
#include "passes/decisions.h"
#include "passes/facts.h"
#include "passes/linear.h"
#include "passes/passes.h"
#include "passes/pipeline.h"

enum { MAX_OPEN_BLOCKS = 40 };

/* A register tile of a contraction: rows x (vectors x lanes) elements of the result. */
struct tile {
  int rows, vectors;
  bool guarded; /* only the first `columns` columns are there */
  enum type type; /* of the sums */
  int group; /* how many products one dot sums; 1: multiply-adds */
  enum storage a, b; /* of the operands */
  bool begins_at_zero; /* always: there is nothing that the sums could begin from */
  bool excess; /* the sums hold too much, by an amount for each column, which is taken off */
};

/* A tile helper that was made before. */
struct tile_entry {
  struct tile tile;
  const struct function *function;
};

/* A number for each value of the graph, for what a walk over expressions has found. All of them are forgotten at once.
   Each walk has a table of its own. */
struct memo_table {
  int *numbers, *stamps; /* by value id */
  int now;
};

/* An empty table for the graph's values. */
struct memo_table memo_table_new(struct arena *arena, const struct graph *graph);
/* Forgets all numbers. */
void memo_table_clear(struct memo_table *table);
/* The value's number, or NULL when it has none. */
int *memo_table_find(const struct memo_table *table, const struct value *value);
void memo_table_set(struct memo_table *table, const struct value *value, int number);

/* How many traversals of a row compute a value anew, and the last traversal that was counted. */
struct traversal_count {
  int traversals, last;
};

/* Working memory that walks keep from one kernel of a graph to the next, so that none of them needs new memory for
   each. No other code uses it. */
struct scratch {
  struct memo_table levels, needed; /* schedule_row.c: level_of, mark_needed */
  struct memo_table flat; /* schedule_flat.c: pulls_flat */
  struct traversal_count *counts; /* schedule_row.c: count_traversals; by value id, zero between kernels */
  struct memo_table uses; /* kernel.c: uses in the kernel at hand */
  struct memo_table told; /* kernel_parts.c: count_operations */
};

/* One run from the graphs of a program to a module of loops. */
struct scheduler {
  /* About the whole program: */
  struct arena *arena;
  struct program *program;
  const struct pass_options *options;
  const struct target *target;
  struct diagnostics *diagnostics;
  struct pipeline pipeline;
  bool fuse, plan; /* whether these passes are on */
  /* About the module that is made: */
  struct module *module;
  struct name_table *names; /* of buffers */
  struct name_table *function_names;
  struct share_table *shared;
  struct table states; /* struct buffer *, by name */
  ARRAY(struct tile_entry) tiles, columns; /* columns: see contract_columns.c */
  ARRAY(struct launch *) derived; /* launches of graphs scheduled so far that the routine derive is to do */
  /* About the graph at hand: */
  const struct graph *graph;
  struct routine *routine;
  const struct stream *stream; /* the stream at hand, or NULL */
  struct graph_facts facts;
  struct decisions decisions;
  struct scratch scratch;
};

/* What is decided about a value of the graph at hand. */
static inline struct note *note_of(const struct scheduler *scheduler, const struct value *value) {
  return &scheduler->decisions.notes[value->id];
}

/* The contraction that an addition computes, which begins from the other operand; else the value itself. */
static inline const struct value *product_of(const struct scheduler *scheduler, const struct value *value) {
  const struct value *product = note_of(scheduler, value)->absorbed;
  return product ? product : value;
}

/* --- Names (names.c) ------------------------------------------------------------------------------------------------------ */

struct name_table *name_table_new(struct arena *arena);
/* `base`, or `base`_2, `base`_3 ...: whichever is free, and from now on taken. */
const char *name_unique(struct name_table *table, const char *base);
/* Anything as a C identifier: other characters become underscores. */
const char *name_identifier(struct arena *arena, const char *text);
/* A path without its repeat's number, as an identifier: "h.3.attn.y" in the repeat h gives "h_attn_y". */
const char *name_without_copy(struct arena *arena, const char *path, const struct origin *origin);
/* The last parts of a path, as an identifier: one part of "h.3.attn.y" gives "y", of "h.0.ln_1.weight/m" gives "m"; two
   parts of "h.3.attn.y" give "attn_y". A gradient is called after the value that it belongs to: "bias_gradient". */
const char *name_end(struct arena *arena, const char *path, int parts);
/* A name for a value in the text of a kernel: the last part of its own name, or its operation's. */
const char *value_title(struct arena *arena, const struct value *value);
/* What a value without a name is called: the noun of its operation, or of what that does here, such as `squares` of a sum of them. */
const char *value_noun(const struct value *value);
/* What a reduction has added up so far, or the most so far: "mean_total_so_far". */
const char *title_so_far(struct arena *arena, const struct value *reduction);

/* --- Decisions told (schedule.c, explain.c) --------------------------------------------------------------------------------- */

/* Materialises the value for this reason, unless it is materialised for another one already. */
void keep(struct scheduler *scheduler, const struct value *value, enum keep_reason why);
/* Prints what became one kernel in the graph just scheduled, and why. */
void explain_clusters(struct scheduler *scheduler, FILE *file);

/* --- Kernels under construction (kernel.c) ---------------------------------------------------------------------------------- */

/* The coordinates of one element, by axis. Axes that a value lacks are ignored. */
struct coordinates {
  int count;
  const struct axis *axes[2 * MAX_AXES];
  struct linear at[2 * MAX_AXES];
};

/* An expression and the innermost open block that it depends on. */
struct leveled {
  const struct expression *x;
  int level;
};

/* A block that is being filled. Statements that belong to an outer block go before the loop that is open in it. */
struct open_block {
  struct block *block;
  int position; /* of the statement that is open in the block, or -1 */
};

struct memo {
  const struct value *value;
  struct linear *at; /* one for each axis of value */
  struct leveled known;
};

struct pointer_parameter {
  struct buffer *buffer;
  int64_t offset; /* of the pointer in the buffer */
  struct array *array;
  /* The memory under the name of the value that the kernel finds there, and of the last one that it stores there; NULL
     where it finds or stores none. */
  struct buffer *found, *stored;
};

struct number_parameter {
  struct variable *variable;
  struct launch_argument argument;
};

struct leveled_variable {
  const struct variable *variable;
  int level;
};

/* A value that the kernel itself computes and keeps, in its place or in an array of the kernel's own. Until it is
   stored it is computed where it is needed; from then on it is loaded. */
struct local {
  const struct value *value;
  struct array *array; /* one row on the stack; NULL: the value's place */
  bool stored;
};

struct kernel {
  struct scheduler *scheduler;
  const struct value *value; /* that it was begun for */
  const struct cluster *cluster; /* all that it computes; NULL: that value alone */
  struct arena *arena;
  struct function *function;
  struct launch *launch;
  enum kernel_form form;
  ARRAY(struct pointer_parameter) pointers;
  ARRAY(struct number_parameter) numbers;
  ARRAY(struct leveled_variable) variables;
  ARRAY(struct memo) memos;
  ARRAY(struct local) locals;
  const struct coordinates *row; /* the coordinates of the element at hand, for arrays of one row */
  struct linear row_index;
  bool any_count; /* lengths are arguments, so pointers have no known count */
  struct open_block open[MAX_OPEN_BLOCKS];
  int depth;
  int base; /* the depth at which a cluster's loops begin: behind those of its stream, or 0 */
  int64_t packed_ahead; /* elements that a stream's kernel has packed before its loop over blocks */
};

/* A new kernel for `value`, or that of the stream at hand. Its name is made of the function of the spec that the value stands in, of "gradient" on the
   backward pass, and of `what`, which may be empty. */
struct kernel *kernel_new(struct scheduler *scheduler, const struct value *value, const char *what);
/* Counts how often each value is used when `roots` are computed from memory: a value that is used several times is
   worth a name. */
void kernel_count_uses(struct scheduler *scheduler, const struct value *const *roots, int count);
/* How often the kernel at hand uses the value. */
int kernel_uses(const struct scheduler *scheduler, const struct value *value);
/* Appends the launch to the routine; a function that equals an earlier one is shared. In a stream only the cluster ends. */
void kernel_finish(struct kernel *kernel);
/* kernel_names.c: lets its parameters and variables ask for the names that a reader of the output sees. */
void kernel_choose_names(struct kernel *kernel);
/* kernel_parts.c: notes in the launch what of the model it computes. */
void kernel_tell_parts(struct kernel *kernel);
/* kernel_parts.c: a value of the function of the spec in which most of the cluster's operations stand; where the last
   value's has no fewer, that. */
const struct value *cluster_main_value(struct scheduler *scheduler, const struct cluster *cluster);
/* formula.c: what the kernel computes, for its reader; NULL where there is nothing to say. After kernel_choose_names. */
const char *kernel_formula(struct kernel *kernel);
struct array *kernel_pointer(struct kernel *kernel, struct buffer *buffer, bool written);
/* The same for the buffer of a value's place, which says by what name the value is known there. */
struct array *kernel_place(struct kernel *kernel, const struct place *place, bool written);
/* A pointer to the middle of a buffer, so that kernels that differ only in where they begin are one function. */
struct array *kernel_window(struct kernel *kernel, const struct place *place, bool written);
/* By which name a reader is told of the memory that the pointer leads to: that of the value found there, else of the
   last one that is stored there. */
const struct buffer *pointer_shown(const struct pointer_parameter *pointer);
/* A new number parameter, or the one that has this argument already. */
struct variable *kernel_number(struct kernel *kernel, const char *name, enum type type,
                               struct launch_argument argument);
/* The present length of an axis: a constant, or a number parameter. */
const struct expression *kernel_extent(struct kernel *kernel, const struct axis *axis);
/* Opens a loop and returns its variable as a sum with its range. `bound` is the largest value that `extent` can
   have. */
struct linear kernel_loop(struct kernel *kernel, enum loop_kind kind, const char *name, const struct expression *extent,
                          int64_t bound, int64_t step);
/* Opens a guard. */
void kernel_if(struct kernel *kernel, const struct expression *condition);
/* Opens a guard of the innermost loop's variable `lane`, and returns the variable as it is behind the guard: below `bound`, and
   known there only, so that nothing that depends on it is computed before. Opens none where the condition always holds. */
struct linear kernel_guard_lane(struct kernel *kernel, struct linear lane, const struct expression *condition,
                                int64_t bound);
/* The same for the lanes below `count`. */
struct linear kernel_lanes_below(struct kernel *kernel, struct linear lane, const struct expression *count,
                                 int64_t bound);
/* Where a kernel was when it went ahead. */
struct ahead {
  int depth, count;
  struct open_block outer, open[MAX_OPEN_BLOCKS];
};

/* In a stream of several blocks: what is written now stands before the loop over blocks, so that it is done once for a task. It may not
   depend on the block. */
struct ahead kernel_go_ahead(struct kernel *kernel);
/* From here on the kernel is written where it was. */
void kernel_go_back(struct kernel *kernel, const struct ahead *ahead);
/* Closes the innermost loop or guard. */
void kernel_end(struct kernel *kernel);
void kernel_close_to(struct kernel *kernel, int depth);
struct block *kernel_block(struct kernel *kernel);
/* Adds a let to the open block `level`, before the statement that is open there. */
struct leveled kernel_let(struct kernel *kernel, int level, const char *name, const struct expression *x);
/* The same with the name of the value that the expression computes. */
struct leveled kernel_let_value(struct kernel *kernel, int level, const struct value *value,
                                const struct expression *x);
/* The sum itself when it is simple, else a let for it in the present block. */
struct linear kernel_named(struct kernel *kernel, const char *name, struct linear x);
struct array *kernel_array(struct kernel *kernel, const char *name, enum type type, enum memory memory, int64_t count);
void kernel_store(struct kernel *kernel, struct array *array, struct linear index, const struct expression *x);
/* Combines the first `vectors` vectors of a register array into one number by `op` (add or max): element i with element
   i + half, until one is left. There are 1, 2, 4 ... vectors. */
const struct expression *kernel_fold(struct kernel *kernel, enum op op, struct array *array, int vectors);
int kernel_level(struct kernel *kernel, const struct expression *x);
/* Remembers that `value` at these coordinates is `known`, for as long as the block that it depends on is open. */
void kernel_remember(struct kernel *kernel, const struct value *value, const struct coordinates *at,
                     struct leveled known);
struct local *kernel_local(struct kernel *kernel, const struct value *value);
bool kernel_recall(struct kernel *kernel, const struct value *value, const struct coordinates *at,
                   struct leveled *known);

/* --- Partial sums (partial_sums.c) -------------------------------------------------------------------------------------------- */

/* Sums of reals are computed as partial sums side by side: element i of a run goes to the partial sum i mod (SUM_LANES * unroll),
   those that are left over, fewer than SUM_LANES, to the first ones; in the end kernel_fold makes one of all. All this depends on
   the shape alone, so every target adds in the same order: where one with SUM_LANES lanes has a vector, another has several. */
enum { SUM_LANES = 16 };

/* How many times SUM_LANES partial sums a run of a constant number of elements has: it divides the number of times SUM_LANES
   elements. */
int sum_unroll(int64_t count);
/* How many vectors SUM_LANES * unroll partial sums are; fewer where a run has `count` elements at most, and the last half of
   them would remain what they begin with, which changes nothing. */
int sum_vectors(const struct target *target, int64_t count, int unroll);
/* Opens loops over the elements of so many vectors, and returns the number of the element at hand. */
struct linear kernel_vectors(struct kernel *kernel, int vectors);

/* A loop over `count` elements by vectors. The body is written for each part of it: whole groups of `side` elements side by
   side, and what is left, behind a guard. `at` is the element's number, `slot` that of its partial sum. */
struct run {
  const char *name; /* of the loop's variable */
  const struct expression *count; /* fewer than `side` are left of a constant: fewer than SUM_LANES, too */
  int64_t bound; /* the most of `count` */
  int64_t side; /* times the lanes */
  bool is_whole; /* the count, which is no constant, is certainly one of whole groups */
  void (*body)(void *context, struct linear at, struct linear slot);
  void *context;
};
void kernel_run(struct kernel *kernel, const struct run *run);

/* --- Values as expressions (access.c) ---------------------------------------------------------------------------------------- */

void coordinates_set(struct coordinates *coordinates, const struct axis *axis, struct linear at);
struct linear coordinates_get(const struct coordinates *coordinates, const struct axis *axis);
/* The value's element: a load where it is materialised, else computed on the spot. */
struct leveled access_value(struct kernel *kernel, const struct value *value, const struct coordinates *at);
/* The element computed from the value's inputs even where it is materialised: for the kernel that materialises it. */
struct leveled access_definition(struct kernel *kernel, const struct value *value, const struct coordinates *at);
/* An integer value as a sum, to be used as a coordinate of an axis of `extent` elements. */
struct linear access_index(struct kernel *kernel, const struct value *value, const struct coordinates *at,
                           int64_t extent, const struct axis *present);
/* The offset of an element in its buffer. */
struct linear access_offset(struct kernel *kernel, const struct value *value, const struct place *place,
                            const struct coordinates *at);
/* The elements from one of the axis to the next in the place; 0 where the value lacks the axis. */
int64_t stride_along(const struct value *value, const struct place *place, const struct axis *axis);
/* Sets *place to the value as a view of something materialised, with constant strides. False when it is no such
   view. */
bool access_strided(struct scheduler *scheduler, const struct value *value, struct place *place);
/* The same where the value is reals made of whole numbers in memory, whose place it is. */
bool access_widened(struct scheduler *scheduler, const struct value *value, struct place *place);
/* The same for an expression: the place of an operand of it that has all its axes. Of axes that were merged though they do not lie one
   inside the other, the stride is that of the innermost. */
bool access_widest(struct scheduler *scheduler, const struct value *value, struct place *place);
/* Whether one element of the value can be computed as an expression: views, elementwise operations, leaves, draws,
   gathers. */
bool access_is_expression(const struct value *value);

/* --- Places (layout.c) -------------------------------------------------------------------------------------------------------- */

struct buffer *buffer_of_state(struct scheduler *scheduler, const struct state *state);
struct place *place_of_state(struct scheduler *scheduler, const struct state *state, const struct value *value);
/* A new buffer for `value`, row-major in the order of `axes`; `name` may be NULL. */
struct place *place_new(struct scheduler *scheduler, const struct value *value, enum buffer_role role, const char *name,
                        struct axis *const *axes);
/* Makes the memory of a value, which is alone in its buffer, that of a block of `rows` rows along the axis `blocked`. `order`: of its axes,
   outermost first. */
void place_in_block(struct scheduler *scheduler, const struct value *value, struct axis *const *order,
                    const struct axis *blocked, int64_t rows);
/* A value's label, path included. A value without a name is called by where it was made, or by what it is made from;
   *origin is then the origin of that. */
const char *value_label(struct scheduler *scheduler, const struct value *value, const struct origin **origin);
/* A buffer for what one kernel passes to the next; named after `value` and `what`. `comment` may be NULL. */
struct buffer *scratch_buffer(struct scheduler *scheduler, const struct value *value, const char *what, enum type type,
                              int64_t count, const char *comment);
void layout_states(struct scheduler *scheduler);
/* Gives inputs, states and outputs their places, and marks the values that --dump keeps whole. */
void layout_interface(struct scheduler *scheduler);
/* Gives a materialised value a place if it has none yet; the second function does so for all values. */
void layout_intermediate(struct scheduler *scheduler, const struct value *value);
void layout_intermediates(struct scheduler *scheduler);
/* The place of a concat's part inside the place of the whole. */
struct place layout_part(const struct value *concat, const struct place *whole, int part);

/* --- Clusters (fuse.c) --------------------------------------------------------------------------------------------------------- */

/* The cluster that a root is in, or NULL. */
struct cluster *cluster_of(struct scheduler *scheduler, const struct value *value);
/* Decides what is materialised and computed together, gives every materialised value its place, and puts the clusters in an
   order in which they can run. */
void form_clusters(struct scheduler *scheduler);
/* How long an axis will usually be: a window of generation is mostly one row, and `past` half of its bound. */
double axis_usual(const struct axis *axis);
/* Whether it is a sum or a maximum over axes. One over none has a kernel of its own, since it ends no row. */
bool is_reduction(const struct value *value);

/* --- Schedules ------------------------------------------------------------------------------------------------------------------- */

/* The kernels of a cluster. */
void schedule_cluster(struct scheduler *scheduler, struct cluster *cluster);
/* One kernel of plain loops for one materialised value of any operation. */
void schedule_naive(struct scheduler *scheduler, const struct value *value);
/* Schedules a contraction whose operands lie in memory with constant strides, by register tiles or dot products.
   Returns UNTILED_NOT, or why it made no kernel. */
enum untiled_reason schedule_contract(struct scheduler *scheduler, const struct value *value,
                                      const struct cluster *cluster, bool *ended);
/* Whether everything that `value` is computed from lies in memory exactly as `like` does, or is one number. */
bool values_lie_flat(struct scheduler *scheduler, const struct value *value, const struct value *like);
/* Whether everything that a cluster stores for each element of its space, and reads for that, lies as `like` does. */
bool elements_lie_flat(struct scheduler *scheduler, struct cluster *cluster, const struct value *like);
/* Coordinates for a flat index over memory that lies as `value` at `place` does. */
void flat_coordinates(const struct value *value, const struct place *place, struct linear index,
                      struct coordinates *at);
/* A new kernel, named after the last value that it stores. */
struct kernel *sweep_kernel(struct scheduler *scheduler, const struct value *last);
/* The kernels of a sweep: row kernels, flat ones, columns and whole sums (schedule_row.c, schedule_column.c). */
void schedule_sweep(struct scheduler *scheduler, struct cluster *cluster);
void schedule_columns(struct scheduler *scheduler, struct cluster *cluster);
void schedule_total(struct scheduler *scheduler, struct cluster *cluster);
/* The operation that combines two parts of a reduction. */
enum op reduce_op(const struct value *value);
/* The number that a reduction begins with. */
double reduce_initial(const struct value *value);
/* A reduction's result so far combined with one more element. A maximum ignores NaN: the element is the first operand,
   since max gives its second operand where the two do not compare. */
const struct expression *reduce_with(struct arena *arena, const struct value *value, const struct expression *old,
                                     const struct expression *x);
/* The helper that computes a tile; see schedule_tile.c. */
const struct function *tile_helper(struct scheduler *scheduler, struct tile tile);
/* The body of a kernel for a scatter_add (schedule_scatter.c). */
void write_scatter(struct kernel *kernel, const struct value *value, const struct place *place);
/* Copies the parts of a concat that are not computed in their place. */
void schedule_concat(struct scheduler *scheduler, const struct value *concat);
/* Copies a value to another place. */
void schedule_copy(struct scheduler *scheduler, const struct value *value, const struct place *to, const char *what);

/* --- Sharing and planning --------------------------------------------------------------------------------------------------------- */

struct share_table *share_table_new(struct arena *arena);
/* An equal function made before, or `function` itself, which is then kept in the module under a unique name. */
struct function *share_function(struct scheduler *scheduler, struct function *function);
/* derive_launches.c: whether launches of the graph at hand that read parameters alone move to the routine derive. */
bool derives_launches(const struct scheduler *scheduler);
/* derive_launches.c: marks the launches of the routine at hand that the routine derive is to do; and takes them out of it. */
void choose_derived_launches(struct scheduler *scheduler);
void move_derived_launches(struct scheduler *scheduler);
/* derive_order.c: has the launches of derive that make steps of a parameter, and of no other, stand first, one parameter after the
   other, and says so in them (`quantizes`). */
void order_derived_launches(struct scheduler *scheduler, struct routine *routine);
/* Gives activations their offsets. */
void plan_routine(struct scheduler *scheduler, struct routine *routine);

#endif
