/* Weights that become a part of a program, and among them steps and scales of parameters. bake.c reads what files have as it is. */
#ifndef DRIVER_BAKE_H
#define DRIVER_BAKE_H

#include "ir/program.h"
#include "runtime/runtime.h"

struct baked_steps;
/* The steps and scales of the program's parameters. Afterwards the program computes none, and of the parameters it has those alone
   that something else reads. */
const struct baked_steps *bake_steps(struct arena *arena, struct program *program, const struct lam_weights *weights);
/* Writes elements of a state of the role ROLE_QUANTIZED as they lie in memory, reals as doubles where they are `wide`. */
void baked_step_elements(const struct baked_steps *steps, const struct state *state, bool wide, int64_t first,
                         int64_t count, void *to);

#endif
