/* The C-family printer: functions of the loop IR to C11 text. */
#ifndef CODEGEN_C_PRINT_H
#define CODEGEN_C_PRINT_H

#include "codegen/text.h"
#include "ir/loop.h"
#include "ir/target.h"

/* Prints one file's functions to a text that its user also writes to, in order. */
struct c_printer {
  struct arena *arena;
  const struct target *target;
  struct text *text;
  const struct simd *simd; /* the rows of the target */
};

struct c_printer *c_printer_new(struct arena *arena, const struct target *target);

/* "float" and "int32_t", "uint8_t", "int64_t"; reals are "double" at the reference target. */
const char *c_type(const struct target *target, enum type type);
/* A name that is no keyword, library function or macro of C: `name`, or `name` with an underscore. */
const char *c_identifier(struct arena *arena, const char *name);
/* Whether the headers that programs include, here or on another system, declare it: no function of a program may have it. */
bool c_is_library_name(const char *name);
/* A constant: "0.5f", "INFINITY", "12". */
const char *c_number(struct arena *arena, const struct target *target, enum type type, double number);
/* "static " and the like go into `linkage`; "" for an external function. */
void c_print_prototype(struct c_printer *printer, const struct function *function, const char *linkage);
void c_print_function(struct c_printer *printer, const struct function *function, const char *linkage);

/* --- c_task.c: kernels that are nothing but one parallel loop, printed as the function of one iteration ---------------------- */

/* Such a function ends with the loop, before which numbers may be computed; what calls it writes the loop. The compiler needs this:
   it does not give a function's target attribute to what it makes of a parallel loop's body (clang with -fopenmp). */
bool c_is_task(const struct function *function);
/* Makes tasks of a kernel that is nothing but one serial loop of loops; false when it is none. Its launches must keep their order. */
bool c_make_task(struct function *function);
/* void NAME(parameters, int64_t number of the task): without those parameters that only say how many tasks there are. */
void c_print_task(struct c_printer *printer, const struct function *function, const char *linkage);
/* Whether a task takes each of the function's parameters. */
const bool *c_task_takes(struct arena *arena, const struct function *function);
/* How many tasks there are, given the texts of all arguments. */
const char *c_task_count(struct c_printer *printer, const struct function *function, const char *const *arguments);

/* What must stand before `body`: includes, macros, and those helper functions (names beginning with lam_) that `body` or another
   helper mentions, and no others. Call it when the body is complete; text that the printer did not write counts too.
   The includes: stdint.h, math.h, and immintrin.h or string.h where needed. c_arithmetic_rules stand before all includes. */
const char *c_prelude(struct arena *arena, const struct target *target, const char *body);

/* --- c_arithmetic.c: what makes numbers come out alike wherever the code is compiled and run --------------------------------- */

/* Pragmas that forbid the compiler to change sums, and errors where that cannot be forbidden. */
void c_arithmetic_rules(struct text *text);
/* static int NAME_is_right(void): whether processor and compiler are such that numbers come out right; it uses lam_error. */
void c_machine_checks(struct text *text, const struct target *target, const char *name);

#endif
