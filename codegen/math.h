/* The elementary functions that emitted programs carry. Each is written once, as a formula over the operations of simd.def, and
   printed as a function of one number and as one of a vector, so that both round alike, under every compiler. */
#ifndef CODEGEN_MATH_H
#define CODEGEN_MATH_H

#include "codegen/text.h"
#include "codegen/simd.h"

struct formula;

/* The formula of that number, in an order with callees before callers; NULL past the last. */
const struct formula *formula_at(int number);
/* The function's name: "lam_exp", or "lam_exp_lanes" for the vector function. */
const char *formula_name(struct arena *arena, const struct formula *formula, bool lanes);
/* A comment that says what the function computes and how exactly. */
const char *formula_comment(const struct formula *formula);
/* Prints the function: result, name and parameters to *head, without "static inline", and the lines between its braces
   to *body. Names that it mentions are added to `uses`. */
void formula_print(struct arena *arena, const struct target *target, const struct simd *simd,
                   const struct formula *formula, bool lanes, struct uses *uses, const char **head, const char **body);

#endif
