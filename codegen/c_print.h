/* The C-family printer: functions of the loop IR to text, in the words of a dialect. */
#ifndef CODEGEN_C_PRINT_H
#define CODEGEN_C_PRINT_H

#include "codegen/dialect.h"
#include "codegen/simd.h"
#include "codegen/text.h"
#include "ir/loop.h"
#include "ir/target.h"

/* Prints the functions of one file. Its user may write to the same text in between. It records what the file must
   declare before them. */
struct c_printer {
  struct arena *arena;
  const struct target *target;
  const struct dialect *dialect;
  struct text *text;
  const struct simd *simd; /* the rows of the target */
  struct uses uses; /* names that must be declared or defined */
  bool headers[HEADER_COUNT]; /* those that the prelude includes, once it is printed */
  bool gathers; /* an intrinsic that gathers was printed */
};

struct c_printer *c_printer_new(struct arena *arena, const struct target *target);

/* The C type: "float", "int32_t", "uint8_t" or "int64_t". Reals are "double" for the reference target. */
const char *c_type(const struct c_printer *printer, enum type type);
/* How elements that are stored so are declared. */
const char *c_element_type(const struct c_printer *printer, enum storage storage);
/* `name`, or `name` with an underscore where it is a keyword, a macro or a function of the language. */
const char *c_identifier(const struct c_printer *printer, const char *name);
/* A constant: "0.5f", "INFINITY", "12". */
struct piece c_number(struct c_printer *printer, enum type type, double number);
/* `internal` functions are not seen by other files. */
void c_print_prototype(struct c_printer *printer, const struct function *function, bool internal);
void c_print_function(struct c_printer *printer, const struct function *function, bool internal);
/* What the function does or computes, as a comment. */
void c_print_comment(struct c_printer *printer, const struct function *function);

/* --- c_task.c: kernels that are nothing but one parallel loop, printed as the function of one iteration ---------------------- */

/* Whether the function can be printed as a task: it ends with a parallel loop, and before that only computes numbers.
   The loop is then written where the task is called. This is needed because compilers do not give a function's target
   attribute to what they make of the body of a parallel loop (clang with -fopenmp). */
bool c_is_task(const struct function *function);
/* Makes tasks of a kernel that is nothing but one serial loop around loops; false when it is not. Its launches must run
   the tasks in order. */
bool c_make_task(struct function *function);
/* Where the number of a task kernel's tasks is a constant, makes it the kernel's last parameter and returns it; else 0.
   Kernels that differ in it alone are one then, and their task does not take it. */
int64_t c_take_task_count(struct arena *arena, struct function *function);
/* Prints void NAME(parameters, int64_t number of the task), without parameters that only tell how many tasks there are.
   Returns everything but the name: tasks with the same text do the same. */
const char *c_print_task(struct c_printer *printer, const struct function *function, bool internal);
/* For each parameter of the function, whether its task takes it. */
const bool *c_task_takes(struct arena *arena, const struct function *function);

/* The argument that a caller gives for a parameter. */
struct c_argument {
  struct piece piece;
  bool is_number; /* it is a constant */
  int64_t number;
};
/* The number of tasks for these arguments of the function. */
struct c_argument c_task_count(struct c_printer *printer, const struct function *function,
                               const struct c_argument *arguments);
/* The words before the call of a task: "LAM_TASKS(12)" on all threads, "LAM_EACH(12)" in order. */
const char *c_task_loop(struct c_printer *printer, const char *count, bool in_order);

/* --- c_prelude.c ------------------------------------------------------------------------------------------------------------- */

/* The text that must stand before what was printed: includes, macros, and those helper functions alone that it, another
   helper or a recorded name uses. Includes are stdint.h and math.h, and the target's header of vectors or string.h where they are needed;
   the dialect's rules stand before them. */
const char *c_prelude(struct c_printer *printer);
/* The target with those features alone that the text asks for. */
const struct target *c_target_used(struct c_printer *printer);

#endif
