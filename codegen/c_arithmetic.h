/* Rules that make numbers come out the same wherever printed C is compiled and run, and checks that report where they
   would not. */
#ifndef CODEGEN_C_ARITHMETIC_H
#define CODEGEN_C_ARITHMETIC_H

#include "codegen/text.h"
#include "ir/target.h"

/* Prints pragmas that forbid the compiler to change sums, and errors where a compiler cannot be kept from it. They
   stand before all includes. */
void c_arithmetic_rules(struct text *text);
/* Prints static int NAME_is_right(void), which tells whether numbers come out right with this processor and compiler;
   it uses lam_error. */
void c_machine_checks(struct text *text, const struct target *target, const char *name);

#endif
