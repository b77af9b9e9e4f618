/* What makes numbers come out alike wherever printed C is compiled and run, and what says so where they would not. */
#ifndef CODEGEN_C_ARITHMETIC_H
#define CODEGEN_C_ARITHMETIC_H

#include "codegen/text.h"
#include "ir/target.h"

/* Pragmas that forbid the compiler to change sums, and errors where that cannot be forbidden. They stand before all includes. */
void c_arithmetic_rules(struct text *text);
/* static int NAME_is_right(void): whether processor and compiler are such that numbers come out right; it uses lam_error. */
void c_machine_checks(struct text *text, const struct target *target, const char *name);

#endif
