/* Inside prune: what is decided of each parameter. */
#ifndef PASSES_PRUNE_H
#define PASSES_PRUNE_H

#include "passes/pipeline.h"

/* In the order of the words in passes.def. */
enum prune_method { PRUNE_L1, PRUNE_NM };

/* What happens to one parameter. */
struct pruned {
  const struct pass_rule *rule; /* NULL: it stays whole */
  struct state *mask; /* which of its weights stay, in programs that train it; NULL: nothing keeps that */
  struct axis *along; /* PRUNE_NM: the axis whose elements are taken in groups */
};

struct pruner {
  struct program *program;
  const struct pipeline *pipeline;
  struct diagnostics *diagnostics;
  struct pruned *of; /* by the place of a state in program->states */
};

/* Finds out what the rules do to each parameter (prune_choose.c). Graphs are as lowering leaves them. False after reporting a rule
   that cannot be followed. */
bool prune_choose(struct pruner *pruner);
/* What the rules do to the parameter that this is or is an average of; NULL where that stays whole. */
const struct pruned *pruned_state(const struct pruner *pruner, const struct state *state);

#endif
