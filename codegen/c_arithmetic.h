/* Rules that make numbers come out the same wherever printed C is compiled and run, and checks that report where they
   would not. */
#ifndef CODEGEN_C_ARITHMETIC_H
#define CODEGEN_C_ARITHMETIC_H

#include "codegen/text.h"
#include "ir/target.h"

/* Prints pragmas that forbid the compiler to change sums, and errors where a compiler cannot be kept from it. They
   stand before all includes. */
void c_arithmetic_rules(struct text *text);
/* Prints const char *NAME_problem(void), which tells why numbers would not come out right with this processor and
   compiler; NULL where they do. */
void c_machine_checks(struct text *text, const struct target *target, const char *name);
/* Includes the headers that NAME_problem needs. */
void c_machine_headers(struct text *text, const struct target *target);

#endif
