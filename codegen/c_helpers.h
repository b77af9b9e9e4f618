/* The helper functions that printed code may mention, other than those of math.c. */
#ifndef CODEGEN_C_HELPERS_H
#define CODEGEN_C_HELPERS_H

/* In a text $R is float or double, $L the number of lanes, $M(name) the float or double form of a function of math.h (fabsf or fabs). */
struct helper {
  const char *target; /* NULL: every target that has none of its own of this name */
  const char *name;
  const char *text; /* the whole function, without "static inline" */
};

/* Callees before callers; NULL past the last. */
const struct helper *helper_at(int number);

#endif
