/* Runs a program by the interpreter, behind the runtime's verbs: with the same loops, files and messages as a compiled
   program. */
#ifndef DRIVER_INTERPRET_H
#define DRIVER_INTERPRET_H

#include "ir/program.h"

struct lam_program;
struct lam_tokenizer;

/* Fills the runtime's tables from `program`, on which run_graph_passes has run. */
struct lam_program *interpret_program(struct arena *arena, struct program *program);
/* The runtime's, or NULL. */
/* The state as the runtime knows it, without its data. */
/* How the state lies in the memory of a compiled program. */
enum lam_type interpret_type(const struct state *state);
struct lam_tensor interpret_tensor(struct arena *arena, const struct program *program, const struct state *state);
const struct lam_tokenizer *interpret_tokenizer(enum tokenizer tokenizer);

#endif
