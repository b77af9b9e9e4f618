/* Declarations shared by the files lower*.c. A spec is executed once for each graph: functions are inlined at their
   calls, repeats are unrolled, compile-time numbers are folded, and what remains builds values of the tensor IR. */
#ifndef FRONTEND_LOWER_H
#define FRONTEND_LOWER_H

#include "frontend/ast.h"
#include "frontend/frontend.h"
#include "ir/program.h"
#include "ir/table.h"

/* Limits. For one graph at most MAX_STEPS expressions and statements are carried out, and at most MAX_VALUES values
   built. */
enum {
  MAX_REPEAT = 4096,
  MAX_CALL_DEPTH = 100,
  WINDOW_BOUND = 32,
  MAX_STEPS = 1 << 21,
  MAX_VALUES = 1 << 20,
  MAX_ERRORS = 200
};

typedef ARRAY(const char *) names;

/* --- What an expression is ---------------------------------------------------------------------------------------- */

struct lowering;
struct file;

/* A function that the compiler provides. It reads its arguments itself, since axes and values may be mixed among
   them. */
struct builtin {
  const char *name;
  struct thing (*lower)(struct lowering *lowering, const struct builtin *self, const struct ast_expression *call);
  enum op op; /* of an elementwise function */
};

enum thing_kind {
  THING_POISON, /* an error was reported; code that uses it stays silent */
  THING_NONE, /* the name `none`: an argument that was not given */
  THING_NUMBER, /* known when the spec is compiled */
  THING_VALUE,
  THING_AXIS,
  THING_FUNCTION,
  THING_TUPLE
};

struct thing {
  enum thing_kind kind;
  double number;
  bool integer, boolean; /* number: a whole number; the result of a comparison */
  struct value *value;
  struct axis *axis;
  const struct ast_item *function; /* a function of the spec, with the file that it is written in; or */
  const struct file *file;
  const struct builtin *builtin;
  struct thing *items;
  int item_count;
};
typedef ARRAY(struct thing) things;

static inline struct thing poison(void) { return (struct thing){.kind = THING_POISON}; }
static inline struct thing thing_value(struct value *value) {
  return value ? (struct thing){.kind = THING_VALUE, .value = value} : poison();
}
struct thing thing_number(double number, bool integer);
struct thing thing_boolean(bool value);

/* --- Files, scopes, frames ---------------------------------------------------------------------------------------- */

enum stage_of_axis { AXIS_UNKNOWN, AXIS_BEING_SIZED, AXIS_KNOWN, AXIS_BROKEN };

/* An axis declared at the top of a file. In the graph "step" the axis that generation runs over, and those declared
   equal to it, stand for other axes than elsewhere; global_axis_now gives the one for the graph being built. */
struct global_axis {
  const struct ast_axis *declaration;
  const struct file *file;
  enum stage_of_axis stage;
  struct axis *axis;
  struct global_axis *like; /* axis a == like */
  struct global_axis *root; /* the first of the axes that it is declared equal to, or itself */
};

struct file {
  const char *path, *folder;
  const char
      *way; /* the relative path from the spec's folder to this file's, "" if they are the same; NULL for the library */
  bool in_library; /* built into the compiler */
  const struct ast_file *tree;
  ARRAY(struct file *) uses;
  ARRAY(struct global_axis *) axes;
  struct table items[ITEM_KINDS]; /* struct ast_item *, the first of a name */
  struct table axis_names; /* struct global_axis *, the first of a name */
  struct table visible[ITEM_KINDS]; /* struct found *: results of look-ups from this file */
  int visit; /* the search that saw this file last */
};

struct symbol {
  const char *name;
  struct thing thing;
  struct span span;
  bool fixed; /* may not be assigned: a repeat's index */
  struct state *state; /* in an optimizer: assigning the name updates this state */
  bool assigned;
};

struct scope {
  struct scope *parent;
  ARRAY(struct symbol *) symbols;
  struct table names; /* struct symbol *; filled once there are many: few are found faster one by one */
};

/* Axes in a product, outermost first. */
struct product {
  struct axis *factors[MAX_AXES];
  int count;
};

/* An axis parameter of a call in progress: `axis` inside the function, the product `actual` outside. */
struct formal {
  const char *name;
  struct axis *axis;
  struct product actual;
  bool alias; /* axis is the only factor of actual: nothing to rename */
};

/* The copy of a nameless repeat that a statement stands in. All copies share their parameters. */
struct sharing {
  const struct sharing *outer;
  const struct ast_statement *statement;
  int copy;
};

/* A repeat that is being unrolled, for the note of an error in one of its copies. */
struct unrolling {
  const struct unrolling *outer;
  const struct ast_statement *statement;
  int copy, count;
};

/* A function, model or optimizer whose body is being lowered. Frames stay readable after their call has ended. */
struct frame {
  struct frame *caller;
  const struct file *file;
  const struct ast_item *item;
  const char *function; /* its name, for values' origin; "" at the top */
  const char *path;
  struct span call;
  struct scope *scope;
  struct formal *formals;
  int formal_count;
  const struct repeat *repeat;
  int copy;
  const struct sharing *sharing;
  int repeat_depth;
  things results;
  const struct ast_statement *returned; /* the `return` that was met, or NULL */
  /* Finds names before all other rules do: the columns of the data, in a loss. */
  bool (*resolve)(struct lowering *lowering, const char *name, struct span span, struct thing *thing);
};

/* A parameter of the model in the graph being built. */
struct parameter {
  const char *path;
  struct state *state;
  struct value *raw; /* the state as read, with the state's own axes */
  struct value *value; /* with the axes of the frame that declared it */
  struct frame *frame;
  const struct sharing *sharing;
  struct span span;
};

/* One -D and whether anything asked for it. */
struct override {
  const struct define *define;
  const struct ast_expression *expression; /* parsed when it is first asked for */
  bool used, parsed;
  bool hidden; /* a later one has the same name */
  struct span span;
};

/* A setting of a block, or the -D that replaces it. */
struct found_setting {
  const struct ast_statement *statement; /* NULL: from -D */
  const struct ast_expression *expression;
  const char *text; /* from -D: as typed */
  struct span span;
};

struct lowering {
  struct arena *arena;
  struct diagnostics *diagnostics;
  const struct frontend_options *options;
  struct program *program;
  ARRAY(struct file *) files; /* the spec first */
  ARRAY(struct override) overrides;
  struct table override_names; /* int *: the last override of each name, as an index into overrides */
  ARRAY(int) optimizer_overrides; /* indices of those that set arguments of the optimizer */
  struct table file_paths; /* struct file *, by path */
  struct table data_statements; /* struct ast_statement *: the last assignment of a name in the data's block */
  int visit; /* numbers the searches through used files */
  int file_depth, sizing_depth; /* how deeply files are read from files, and axes are sized by axes */
  bool exhausted; /* a limit was passed, or there were too many errors: nothing more is carried out */
  const struct unrolling *unrolling;

  const struct ast_item *model, *train, *data, *calibrate, *generate;
  const struct file *model_file, *train_file, *data_file, *generate_file; /* calibrate stands in the spec itself */

  struct table states; /* struct state *, by name */
  struct table averages; /* parameter name -> struct state * */
  struct table axes; /* fresh axes by where they are made, so that all graphs of a program have the same ones */
  struct table repeats; /* struct repeat *, by path and count */
  struct axis *batch_axis; /* of training, evaluation and prediction */
  names repeat_paths; /* those met so far, for suggestions */
  struct global_axis *generate_over; /* the axis that generation runs over */

  /* The graph being built. */
  struct graph *graph;
  struct frame *frame;
  int depth;
  int64_t steps_taken; /* of MAX_STEPS */
  bool training; /* the compile-time name `training` */
  bool read_averages;
  bool reduce_all; /* sum(x) without axes sums over all: in optimizers and losses */
  bool sizes; /* the name of an axis means its size: in axis declarations */
  bool in_region; /* lowering a function with its own gradient */
  struct axis *batch;
  bool names_batch; /* the graph names it so far */
  struct axis *example_axis; /* for synthetic data: the axis of examples, which draws have */
  struct value *run_inputs
      [RUN_INPUTS]; /* made when first read, but the position: in the graph of generation from the start, else NULL */
  ARRAY(struct parameter *) parameters;
  struct table parameter_names;
  struct table counters; /* int *: ordinals within the graph */
  struct global_axis *over; /* step: the axis of the window, and its sizes */
  const struct size *window, *past;
  struct axis *window_axis;
  struct table past_axes;
  ARRAY(struct reach *) reaches; /* of the integers of one graph, by the value's number */
  const struct graph *reaches_of;
  ARRAY(struct value *) inputs; /* of the model, in order */
  things outputs; /* of the model, in order */
  ARRAY(struct product) output_axes; /* the declared axes of each output; none where none are declared */
  struct scope *synthetic; /* columns of synthetic data */
};

/* --- lower_scope.c: names and errors ------------------------------------------------------------------------------ */

/* Reports an error at `span`, with the chain of calls, and returns poison. */
struct thing fail(struct lowering *lowering, struct span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same where a condition is wanted: returns false. */
#define refuse(...) (fail(__VA_ARGS__), false)
/* Counts `steps` expressions or statements. Once the graph has taken more than it may, reports an error and returns
   true, now and from then on: callers do nothing then, so that the work ends soon. */
bool is_exhausted(struct lowering *lowering, struct span span, int64_t steps);
/* "; did you mean 'x'?" or "". */
const char *suggestion(struct lowering *lowering, const char *name, const names *candidates);
/* The place that values built from now on come from. */
void set_origin(struct lowering *lowering, struct span span);
const char *join_path(struct arena *arena, const char *path, const char *name);
int next_ordinal(struct lowering *lowering, const char *key);

struct scope *scope_new(struct arena *arena, struct scope *parent);
struct symbol *scope_find(const struct scope *scope, const char *name);
struct symbol *scope_declare(struct lowering *lowering, struct scope *scope, const char *name, struct thing thing,
                             struct span span);
/* A frame called from the present one; the caller of this function enters and leaves it. */
struct frame *frame_new(struct lowering *lowering, const struct file *file, const struct ast_item *item,
                        const char *path, struct span call);

/* Top-level names as seen from a file: its own come first, then those of the files that it uses. NULL if there is
   none. */
const struct ast_item *find_item(struct lowering *lowering, const struct file *file, enum ast_item_kind kind,
                                 const char *name, const struct file **holder);
struct global_axis *find_global_axis(struct lowering *lowering, const struct file *file, const char *name);
void collect_item_names(struct lowering *lowering, const struct file *file, enum ast_item_kind kind, names *into);
bool find_function(struct lowering *lowering, const char *name, struct thing *thing);
struct parameter *find_parameter(struct lowering *lowering, const char *path);
/* Whether the name means something in every text, also in optimizers and functions of std: no input or parameter may be called so, for it
   would be taken there for that. */
bool has_own_meaning(const char *name);
/* All names that can be used at this point, for suggestions. */
void collect_visible_names(struct lowering *lowering, names *into);

/* --- lower_axis.c: axes ------------------------------------------------------------------------------------------- */

void declare_global_axes(struct lowering *lowering, struct file *file);
struct axis *resolve_global_axis(struct lowering *lowering, struct global_axis *global);
struct axis *global_axis_now(struct lowering *lowering, struct global_axis *global);
/* Whether a name of the spec, which nothing else has, means the axis of examples: that axis exists without being
   declared. */
bool is_batch_name(const char *name);
/* A new axis; `size` is its run-time size, or NULL. One without is the same axis again when its place is lowered for
   another graph. */
struct axis *fresh_axis(struct lowering *lowering, const char *name, int64_t extent, const struct size *size,
                        struct span span);
/* The axis of that name at this point; NULL, without an error, when there is none. */
struct axis *find_axis(struct lowering *lowering, const char *name);
struct axis *resolve_axis(struct lowering *lowering, struct ast_name name);
bool resolve_product(struct lowering *lowering, const struct ast_product *from, struct product *product);
/* Whether an argument such as `part * head * key` is made of axes alone. */
bool is_axis_expression(struct lowering *lowering, const struct ast_expression *expression);
bool resolve_product_expression(struct lowering *lowering, const struct ast_expression *expression,
                                struct product *product);
const char *product_text(struct lowering *lowering, const struct product *product);
int64_t product_extent(const struct product *product);
const char *product_name(struct lowering *lowering, const struct product *product);
void lower_axis_statement(struct lowering *lowering, const struct ast_axis *axis);
bool is_window(const struct lowering *lowering, const struct axis *axis);
bool is_past(const struct lowering *lowering, const struct axis *axis);
/* Whether the law of generation forbids mixing along this axis in the present graph; then an error is reported. */
bool breaks_window_law(struct lowering *lowering, struct span span, const struct axis *axis, const char *what);
/* "[batch, seq=64]" of a value's axes, or "no axes". */
const char *shape_text(struct lowering *lowering, const struct value *value);
const char *list_text(struct lowering *lowering, struct axis *const *axes, int count);
bool check_size(struct lowering *lowering, struct span span, double size, const char *what, int64_t *extent);

/* --- lower_expression.c ------------------------------------------------------------------------------------------- */

struct thing evaluate(struct lowering *lowering, const struct ast_expression *expression);
/* Evaluates a list of expressions into a flat list: a tuple, or a call with several results, counts as several. */
void evaluate_list(struct lowering *lowering, struct ast_expression *const *expressions, int count, things *into);
/* The thing as a value. NULL after an error, which is reported unless the thing is poison. */
struct value *as_value(struct lowering *lowering, struct thing thing, struct span span);
struct value *as_real(struct lowering *lowering, struct thing thing, struct span span);
/* Evaluates a number that is known when the spec is compiled. `what` names it in messages. */
bool evaluate_number(struct lowering *lowering, const struct ast_expression *expression, const char *what,
                     double *number);
bool evaluate_integer(struct lowering *lowering, const struct ast_expression *expression, const char *what, int64_t low,
                      int64_t high, int64_t *number);
struct thing lower_binary(struct lowering *lowering, const char *op, struct thing left, struct thing right,
                          struct span span);
struct thing lower_unary(struct lowering *lowering, enum op op, struct thing operand, struct span span);
struct value *to_real(struct lowering *lowering, struct value *value);
/* Whether an operation on these values has no more axes than a value can have. Reports an error when it would. */
bool has_room(struct lowering *lowering, struct span span, struct value *const *values, int count, int extra);
/* The value as a thing, after the checks that every result must pass. */
struct thing made(struct lowering *lowering, struct value *value, struct span span);
struct thing single(struct lowering *lowering, struct thing thing, struct span span);

/* --- lower_view.c ------------------------------------------------------------------------------------------------- */

struct thing lower_view(struct lowering *lowering, const struct ast_expression *expression);
/* One rename, split or merge. The border of a call uses it too. */
struct value *apply_rename(struct lowering *lowering, struct value *value, const struct product *from,
                           const struct product *to, struct span span);

/* --- lower_call.c, lower_region.c --------------------------------------------------------------------------------- */

struct thing lower_call(struct lowering *lowering, const struct ast_expression *call);
/* Whether all parameters of a function or optimizer have different names. Reports a name that two of them have. */
bool distinct_parameters(struct lowering *lowering, const struct ast_item *item);
/* Takes a value from inside a call to outside of it: its axes are renamed. NULL after an error. */
struct value *leave_frame(struct lowering *lowering, const struct frame *frame, struct value *value, struct span span);
struct value *enter_frame(struct lowering *lowering, const struct frame *frame, const struct ast_signature *signature,
                          struct value *value);
bool check_signature(struct lowering *lowering, const struct ast_signature *signature, struct thing thing,
                     const char *what, struct span span);
/* Lowers a function with a gradient of its own to a call of a region. `frame` has been entered and holds its
   arguments. */
void lower_region(struct lowering *lowering, struct frame *frame);

/* --- lower_builtin.c, lower_builtin_shape.c ----------------------------------------------------------------------- */

const struct builtin *find_builtin(const char *name);
void collect_builtin_names(struct lowering *lowering, names *into);
struct thing lower_stack(struct lowering *, const struct builtin *, const struct ast_expression *);
struct thing lower_concat(struct lowering *, const struct builtin *, const struct ast_expression *);
struct thing lower_pad(struct lowering *, const struct builtin *, const struct ast_expression *);
struct thing lower_top(struct lowering *, const struct builtin *, const struct ast_expression *);
struct thing lower_scan(struct lowering *, const struct builtin *, const struct ast_expression *);
struct thing lower_cached(struct lowering *, const struct builtin *, const struct ast_expression *);
struct thing lower_draw(struct lowering *, const struct builtin *, const struct ast_expression *);
/* Argument number `index` among the positional ones; NULL when there are fewer. */
const struct ast_expression *positional(const struct ast_expression *call, int index);
int positional_count(const struct ast_expression *call);
const struct ast_argument *named(const struct ast_expression *call, const char *name);
/* Whether there are `low` to `high` positional arguments (high -1: any number) and no named ones but `allowed`; else an
   error is reported. */
bool check_arguments(struct lowering *lowering, const struct ast_expression *call, int low, int high,
                     const char *allowed);
struct axis *axis_argument(struct lowering *lowering, const struct ast_expression *call, int index);
struct value *value_argument(struct lowering *lowering, const struct ast_expression *call, int index);
struct axis *result_axis_argument(struct lowering *lowering, const struct ast_expression *call);

/* --- lower_statement.c, lower_parameter.c ------------------------------------------------------------------------- */

void lower_block(struct lowering *lowering, const ast_block *block);
void lower_parameter(struct lowering *lowering, const struct ast_statement *statement);
struct thing read_parameter(struct lowering *lowering, struct parameter *parameter, struct span span);
struct state *state_new(struct lowering *lowering, const char *name, enum role role, enum kind kind,
                        struct axis *const *axes, int axis_count, struct span span);
/* A statement `state m like p = 0` of an optimizer; in lower_optimizer.c. */
void lower_state_statement(struct lowering *lowering, const struct ast_statement *statement);

/* --- lower_setting.c ---------------------------------------------------------------------------------------------- */

void read_overrides(struct lowering *lowering);
struct override *find_override(struct lowering *lowering, const char *name);
const struct ast_expression *override_expression(struct lowering *lowering, struct override *override);
void report_unused_overrides(struct lowering *lowering);
/* Finds the setting `name` of a block, or -D PREFIX.name, which replaces it. False when there is neither. */
bool find_setting(struct lowering *lowering, const ast_block *block, const char *prefix, const char *name,
                  struct found_setting *found);
/* Reports an assignment whose name is in `seen` already, and otherwise adds the name. */
void check_set_once(struct lowering *lowering, struct table *seen, struct ast_statement *statement);
/* Reports settings that the block does not know, and those that are set twice. */
void check_settings(struct lowering *lowering, const ast_block *block, const char *prefix, const char *const *known,
                    int known_count);
int64_t setting_integer(struct lowering *lowering, const ast_block *block, const char *prefix, const char *name,
                        int64_t fallback, int64_t low, int64_t high);
double setting_number(struct lowering *lowering, const ast_block *block, const char *prefix, const char *name,
                      double fallback);
const char *setting_string(struct lowering *lowering, const ast_block *block, const char *prefix, const char *name);
/* The path of a file. Written in a spec it is relative to the spec's folder; given by -D it is relative to the folder where the
   command runs, and `here` is set. */
const char *setting_path(struct lowering *lowering, const struct file *file, const ast_block *block, const char *prefix,
                         const char *name, bool *here);
/* A setting that is a name, as in `tokenizer = char`. */
const char *setting_name(struct lowering *lowering, const ast_block *block, const char *prefix, const char *name,
                         struct span *span);

/* --- lower_integer.c ------------------------------------------------------------------------------------------------ */

/* Whether an integer value can stay within its 32 bits. Reports one that certainly leaves them, whatever the data
   are. */
bool fits_integer(struct lowering *lowering, const struct value *value, struct span span);

/* --- lower_storage.c ------------------------------------------------------------------------------------------------ */

/* The most elements that one value may have: as reals in double precision they must fit the address space of a
   process. */
static const double LARGEST_COUNT = 0x1p40;
/* The number of elements that these axes make, even where it exceeds 64 bits. */
double element_count(struct axis *const *axes, int count);
/* Reports the first value, input, result or state of a graph that is larger, or has more axes, than is supported. */
bool check_storage(struct lowering *lowering, const struct graph *graph);
/* Reports a program that no process has room for. */
void check_total_storage(struct lowering *lowering);

/* --- lower_model.c ------------------------------------------------------------------------------------------------ */

struct graph *begin_graph(struct lowering *lowering, enum routine_number number);
void finish_graph(struct lowering *lowering);
/* Lowers the model's body with inputs that carry the batch; fills inputs and outputs. False after errors. */
bool lower_forward(struct lowering *lowering);
/* Any but the position, made when first asked for. */
struct value *run_input(struct lowering *lowering, enum run_input which);
void lower_predict(struct lowering *lowering);
/* Lets the pipeline change the graph, whose results are there; parameters that it adds become parameters of the graph. False after
   errors. */
bool adapt_graph(struct lowering *lowering, bool trains);
/* The same model for each size of --batch. */
void lower_predictions(struct lowering *lowering);
/* Makes the model's result of that number an output of the graph, with its axes in the declared order. */
void add_model_output(struct lowering *lowering, int number);
int result_number(const struct lowering *lowering, const char *name);
/* The model's input of that name, or NULL. */
const struct ast_signature *model_input(const struct lowering *lowering, const char *name);

/* --- lower_train.c, lower_optimizer.c ----------------------------------------------------------------------------- */

/* Settings, and the graphs train, accumulate and evaluate. */
void read_train_settings(struct lowering *lowering);
void lower_train(struct lowering *lowering);
void lower_evaluate(struct lowering *lowering);
/* Checks that the data supplies all inputs of the model in the graph being built. */
void feed_inputs(struct lowering *lowering);

struct pending_update {
  struct state *state;
  struct value *value;
};
typedef ARRAY(struct pending_update) pending_updates;
/* Lowers the optimizer for one parameter, and appends its updates to `updates`. */
void lower_optimizer(struct lowering *lowering, struct state *parameter, struct value *value, struct value *gradient,
                     pending_updates *updates);
/* Marks the frozen parameters, and reports patterns that match none. */
void apply_freezes(struct lowering *lowering);

/* --- lower_data.c ------------------------------------------------------------------------------------------------- */

void read_data_settings(struct lowering *lowering);
/* Looks for a column of the data. If there is one, it becomes a column of the program and an input of the graph, which
   *thing receives. */
bool data_column(struct lowering *lowering, const char *name, struct span span, struct thing *thing);
/* "data 'line' supplies x, y": a list of what a loss may name, for messages. */
const char *supplied_text(struct lowering *lowering);
/* Checks that the data supplies a model input. */
void feed_model_input(struct lowering *lowering, const struct ast_signature *signature, const struct value *input);
/* Ends the graph "synthesize", which read_data_settings began, with an output for each column in use. */
void finish_synthesize(struct lowering *lowering);
/* Reports columns that nothing reads and whose names resemble a setting's. */
void check_unread_columns(struct lowering *lowering);
/* Data without a text in use need no tokenizer. */
void finish_tokenizer(struct lowering *lowering);

/* --- lower_calibrate.c -------------------------------------------------------------------------------------------- */

void read_calibrate_settings(struct lowering *lowering);
void lower_calibrate(struct lowering *lowering);

/* --- lower_generate.c --------------------------------------------------------------------------------------------- */

/* Fills program->generation; false after errors. */
bool read_generate_settings(struct lowering *lowering);
void lower_generate(struct lowering *lowering);

#endif
