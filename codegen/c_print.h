/* The C-family printer: functions of the loop IR to text, in the words of a dialect. */
#ifndef CODEGEN_C_PRINT_H
#define CODEGEN_C_PRINT_H

#include "codegen/dialect.h"
#include "codegen/simd.h"
#include "codegen/text.h"
#include "ir/loop.h"
#include "ir/target.h"

/* Prints one file's functions to a text that its user also writes to, in order, and records what the file needs before them. */
struct c_printer {
  struct arena *arena;
  const struct target *target;
  const struct dialect *dialect;
  struct text *text;
  const struct simd *simd; /* the rows of the target */
  struct uses uses; /* what must be declared or defined */
  bool headers[HEADER_COUNT]; /* what the prelude includes, once it is printed */
};

struct c_printer *c_printer_new(struct arena *arena, const struct target *target);

/* "float" and "int32_t", "uint8_t", "int64_t"; reals are "double" at the reference target. */
const char *c_type(const struct c_printer *printer, enum type type);
/* A name that is no keyword, library function or macro of the language: `name`, or `name` with an underscore. */
const char *c_identifier(const struct c_printer *printer, const char *name);
/* A constant: "0.5f", "INFINITY", "12". */
struct piece c_number(struct c_printer *printer, enum type type, double number);
/* `internal`: other files do not see it. */
void c_print_prototype(struct c_printer *printer, const struct function *function, bool internal);
void c_print_function(struct c_printer *printer, const struct function *function, bool internal);

/* --- c_task.c: kernels that are nothing but one parallel loop, printed as the function of one iteration ---------------------- */

/* Such a function ends with the loop, before which numbers may be computed; what calls it writes the loop. The compiler needs this:
   it does not give a function's target attribute to what it makes of a parallel loop's body (clang with -fopenmp). */
bool c_is_task(const struct function *function);
/* Makes tasks of a kernel that is nothing but one serial loop of loops; false when it is none. Its launches must keep their order. */
bool c_make_task(struct function *function);
/* void NAME(parameters, int64_t number of the task): without those parameters that only say how many tasks there are. Returns all of it
   but the name: tasks for which that is equal do the same. */
const char *c_print_task(struct c_printer *printer, const struct function *function, bool internal);
/* Whether a task takes each of the function's parameters. */
const bool *c_task_takes(struct arena *arena, const struct function *function);

/* What a caller gives for a parameter. */
struct c_argument {
  struct piece piece;
  bool is_number; /* known now */
  int64_t number;
};
/* How many tasks there are, given all arguments. */
struct c_argument c_task_count(struct c_printer *printer, const struct function *function,
                               const struct c_argument *arguments);
/* What stands before the call of a task: "LAM_TASKS(12)" on all threads, "LAM_EACH(12)" in order. */
const char *c_task_loop(struct c_printer *printer, const char *count, bool in_order);

/* --- c_prelude.c ------------------------------------------------------------------------------------------------------------- */

/* What must stand before what was printed, and what else was recorded as used: includes, macros, and those helper functions that it or
   another helper mentions, and no others. The includes: stdint.h, math.h, and immintrin.h or string.h where needed. The dialect's rules
   stand before all includes. */
const char *c_prelude(struct c_printer *printer);

#endif
