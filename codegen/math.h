/* The elementary functions that emitted programs carry. Each is written once, as a formula over the operations of simd.def, and
   printed as a function of one number and as one of a vector, so that both round alike, under every compiler. */
#ifndef CODEGEN_MATH_H
#define CODEGEN_MATH_H

#include "codegen/text.h"
#include "codegen/simd.h"

struct formula;

/* The formula number `number`, callees before callers; NULL past the last. */
const struct formula *formula_at(int number);
/* "lam_exp"; of the vector function "lam_exp_lanes". */
const char *formula_name(struct arena *arena, const struct formula *formula, bool lanes);
/* What it computes and how well, for a comment. */
const char *formula_comment(const struct formula *formula);
/* The function, without "static inline": result, name and parameters in *head, the lines between its braces in *body. What they mention
   goes to `uses`. */
void formula_print(struct arena *arena, const struct target *target, const struct simd *simd,
                   const struct formula *formula, bool lanes, struct uses *uses, const char **head, const char **body);

#endif
