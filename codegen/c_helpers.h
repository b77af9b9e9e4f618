/* The helper functions that printed code may mention, other than those of math.c. */
#ifndef CODEGEN_C_HELPERS_H
#define CODEGEN_C_HELPERS_H

/* In `head` and `body`, $R is float or double, and $M(name) the float or double form of a function of math.h (fabsf or
   fabs). */
struct helper {
  const char *target; /* NULL: every target without a helper of its own of this name */
  const char *name;
  const char *comment; /* or NULL */
  const char *head; /* result, name and parameters, without "static inline" */
  const char *body; /* one statement without a newline, or lines */
};

/* The helper of that number, in an order with callees before callers; NULL past the last. */
const struct helper *helper_at(int number);
/* Those of c_helpers_storage.c, a part of the same list. */
extern const struct helper storage_helpers[];
extern const int storage_helper_count;
/* Those of c_helpers_matrix.c, which come last. */
extern const struct helper matrix_helpers[];
extern const int matrix_helper_count;

#endif
