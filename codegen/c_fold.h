/* Folds of several vectors to one number, which printed code calls as functions such as lam_fold_add_8. */
#ifndef CODEGEN_C_FOLD_H
#define CODEGEN_C_FOLD_H

#include "codegen/c_print.h"

/* Vectors that lie one after the other from `pointer` on, by halves: vector i with i + half, until one is left, whose
   lanes are folded in the same order. A few are written where they are folded, and more are given to a function. */
struct piece fold_vectors(struct c_printer *printer, enum op op, enum type type, const char *const *vectors,
                          const char *pointer, int count);

/* The function of that number: its name, its head without "static inline", its body and what that uses. False past the
   last. */
struct fold_function {
  const char *name, *comment, *head, *body;
  struct uses uses;
};
bool fold_function_at(const struct c_printer *printer, int number, struct fold_function *function);

#endif
