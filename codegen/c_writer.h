/* The function that is being printed, for all files of the C-family printer. */
#ifndef CODEGEN_C_WRITER_H
#define CODEGEN_C_WRITER_H

#include "codegen/c_print.h"
#include "ir/names.h"

/* How a variable of the loop IR is printed. */
enum binding_kind {
  BINDING_NAME,   /* a C variable */
  BINDING_VECTOR, /* a C variable that holds a value for each lane */
  BINDING_LANE,   /* the lane itself; `name` is the variable of a loop over lanes while one is open, else NULL */
  BINDING_VALUE   /* `expression`: an index that is computed where it is used */
};

struct binding {
  const struct variable *variable;
  enum binding_kind kind;
  const char *name;
  const struct expression *expression;
  const char *lanes; /* for a BINDING_VECTOR: the C array that its lanes were stored to, or NULL */
};

struct array_binding {
  const struct array *array;
  const char *name;
  bool vectors; /* a register array held as vectors: element k is lane k % lanes of name[k / lanes] */
  bool single;  /* a register array of one element (or vector): a plain variable */
};

/* The operations of simd.def that read and write elements of a storage: one element of an array, and a vector at a pointer. Where
   `is_usual`, an element is written as C writes it. */
struct access {
  bool is_usual;
  enum operation element, set, load, load_masked, store, store_masked;
};
const struct access *access_of(enum storage storage);
/* The operation of an EXPRESSION_DOT; OPERATION_COUNT when there is none for its storages. */
enum operation dot_operation(const struct expression *dot);

/* What kind of statement a line is; the loop that it may be the body of must know. */
enum line_kind {
  LINE_SIMPLE, /* may stand on the loop's own line */
  LINE_COMPOUND, /* one statement too, but on a line of its own: a loop, a condition, a macro's call */
  LINE_DECLARATION /* needs braces around it, as a comment does */
};

/* The lines of a block so far. */
struct lines {
  int count; /* statements and comments */
  enum line_kind kind; /* the last one's kind */
  const char *line; /* its text, where it is simple */
  const char *assigned; /* "x" of "x = ...;", or NULL */
};

struct writer {
  struct c_printer *printer;
  struct arena *arena;
  const struct target *target;
  const struct dialect *dialect;
  const struct simd *simd;
  struct text *text;
  struct lines lines;
  const struct function *function;
  struct text *parts; /* functions made of the bodies of parallel loops, to be printed before this one */
  int part_count;
  bool in_parallel;
  ARRAY(struct binding) bindings; /* the latest binding of a variable counts */
  ARRAY(struct array_binding) arrays;
  struct scope_names names;
  struct pointer_table places; /* by variable: where its latest binding is */
  struct uses own; /* those of its names that the text mentions */
  /* While a vector loop is printed as vectors: */
  const struct variable *lane; /* NULL outside */
  const char *lane_name; /* NULL unless lanes are taken one by one */
  const char *guard; /* the mask of active lanes; NULL: all. Code that prints it must mention it */
  const struct expression *condition; /* the same for one lane */
};

/* --- c_writer.c ----------------------------------------------------------------------------------------------------------- */

struct writer writer_new(struct c_printer *printer, const struct function *function);
/* Declares a name that differs from all in scope: `name`, or one like it. */
const char *writer_declare(struct writer *writer, const char *name);
void writer_bind(struct writer *writer, struct binding binding);
struct binding *writer_find(struct writer *writer, const struct variable *variable);
struct array_binding *writer_find_array(struct writer *writer, const struct array *array);
/* Records that the text mentions the name, and returns it. */
const char *writer_mention(struct writer *writer, const char *name);
/* The same for the name of an array. */
const char *writer_array(struct writer *writer, const struct array *array);
/* The vector that begins at element `start` of an array of vectors: "x[r * 2 + v]", or "x" of a single register. */
const char *vector_element(struct writer *writer, const struct array_binding *array, const struct expression *start);
/* The expression with bound values in place of their variables, folded. */
const struct expression *writer_resolve(struct writer *writer, const struct expression *expression);
/* A row of simd.def with its arguments in place. */
struct piece writer_fill(struct writer *writer, const struct template *template, const struct piece *arguments);

/* A point in the list of mentioned names. Text that was composed after it and is not printed can be forgotten. */
struct mark {
  int names, uses;
};
struct mark writer_mark(const struct writer *writer);
bool writer_mentions_since(const struct writer *writer, struct mark mark, const char *name);
void writer_forget(struct writer *writer, struct mark from, struct mark to);

/* Prints a line of the function. */
void writer_line(struct writer *writer, enum line_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints "place = value;". */
void writer_assign(struct writer *writer, const char *place, const char *value);
void writer_comment(struct writer *writer, const char *comment);
/* Redirects lines to a text of their own, from writer_begin_aside until writer_end_aside, which returns it. */
struct aside {
  struct text *text;
  struct lines lines;
};
struct aside writer_begin_aside(struct writer *writer, int indentation);
struct aside writer_end_aside(struct writer *writer, struct aside outer);

/* --- c_function.c --------------------------------------------------------------------------------------------------------- */

/* Declares a parameter and returns its text. */
const char *writer_parameter(struct writer *writer, const struct parameter *parameter);
/* "void NAME(", with the words that stand before it in the file. */
const char *writer_beginning(struct writer *writer, const char *name, bool internal);
/* The lines of a function whose parameters are all names in scope. */
const char *writer_body(struct writer *writer, const struct block *block);
/* "array[index] = value;" for an array whose elements are narrower than the type they are computed in. */
const char *writer_set_text(struct writer *writer, const struct array *array, const struct expression *index,
                            struct piece value);
/* Prints an unrolled loop of vector loops that store narrow elements in turn, for which there is an operation; false: it is none. */
bool vector_group(struct writer *writer, const struct statement *unrolled);
/* Prints a whole function. */
void writer_function(struct writer *writer, const char *first_line, const char *body);

/* --- c_expression.c: expressions without lanes, or of one lane ------------------------------------------------------------------ */

struct piece scalar_piece(struct writer *writer, const struct expression *expression);
const char *scalar_text(struct writer *writer, const struct expression *expression);
/* "x", "x + 3": a pointer to an element. */
struct piece pointer_piece(struct writer *writer, const struct array *array, const struct expression *index);
/* The first four counters of a draw as C arguments. */
void draw_counters(struct writer *writer, const struct expression *draw, struct piece counters[4]);
struct piece draw_element(struct writer *writer, const struct expression *x);
/* Whether it is a cast of a real to what holds every real. */
bool is_idle_cast(const struct writer *writer, const struct expression *x);
/* Whether the expression is a constant integer, which *number receives. */
bool is_literal(const struct expression *expression, int64_t *number);

/* --- c_vector.c: vector loops ---------------------------------------------------------------------------------------------------- */

void vector_loop(struct writer *writer, const struct statement *loop);
/* Prints a line that stores a vector's lanes to a new C array, and returns the array's name. `type` tells reals,
   integers and booleans apart. */
const char *vector_spill(struct writer *writer, const char *name, enum type type, const char *vector);

/* --- c_pattern.c: loops that have a better text than their parts ---------------------------------------------------------------------- */

/* Prints a serial loop that copies rows to columns, vector by vector, as calls that transpose in registers. False when
   the loop is none. */
bool print_transpose(struct writer *writer, const struct statement *loop);

/* --- c_registers.c ---------------------------------------------------------------------------------------------------------------- */

/* Whether a register array can be an array of vectors, since all its uses are of whole vectors at known places. */
bool array_is_vectors(const struct target *target, const struct block *scope, const struct array *array);
/* Whether a register array of one element can be a plain variable: no call takes its address and no index has
   variables. */
bool array_is_number(const struct block *scope, const struct array *array);
/* The variables and arrays that `block` uses and does not declare. */
struct free_names {
  ARRAY(const struct variable *) variables;
  ARRAY(const struct array *) arrays;
};
void block_free_names(struct arena *arena, const struct block *block, struct free_names *free_names);

#endif
