/* A step of mixed, on graphs as lowering leaves them: weights without masters. Trained parameters of two or more axes, which are
   nearly all of a model's memory, lie in bf16. Gains and biases, which have one axis, stay in float32: they are few, and a gain near 1
   has no room in 8 bits for what it learns.

   An update is most often less than half a step of bf16, and rounding to the nearest would drop it. So the new value is rounded up
   or down at random, as often as it takes for the mean of what is written to be the new value itself: stochastic rounding (Gupta,
   Agrawal, Gopalakrishnan and Narayanan, Deep Learning with Limited Numerical Precision, 2015). The draws are those of the spec's
   `uniform`: functions of seed, parameter, step and element, so that a run which is resumed writes the same bytes.

   What the optimizer keeps stays in float32, and so do averages, which see the new value before it is rounded. */
#include "passes/passes.h"
#include "passes/rewrite.h"

static bool has_no_master(const struct state *state) {
  return state->role == ROLE_PARAMETER && state->kind == KIND_REAL && !state->frozen && state->axis_count >= 2;
}

/* The update writes what it would, rounded. */
static struct value *rounded_update(struct rewrite *rewrite, const struct value *old) {
  struct graph *graph = rewrite->graph;
  const struct state *state = old->state;
  struct value *next = rewrite_get(rewrite, old->inputs[0]), *step = rewrite_step(rewrite);
  const uint32_t stream = hash_path(arena_format(graph->arena, "%s/rounding", state->name));
  struct value *draw = build_random(graph, DISTRIBUTION_UNIFORM, stream, step, NULL, state->axes, state->axis_count);
  draw->name = arena_format(graph->arena, "%s.draw", state->name);
  struct value *rounded = build_binary(graph, OP_round_random, next, draw);
  rounded->name = arena_format(graph->arena, "%s.rounded", state->name);
  return value_copy(graph, old, &rounded);
}

void pass_mixed_weights(struct program *program, struct graph *graph) {
  for (int i = 0; program->training && i < program->states.count; i++) {
    struct state *state = program->states.items[i];
    if (has_no_master(state)) state->storage = STORAGE_BF16;
  }
  if (graph != program->train) return;
  const struct origin origin = graph->origin;
  struct rewrite rewrite = rewrite_begin(graph);
  for (int i = 0; i < rewrite.count; i++) {
    struct value *old = rewrite.old[i];
    if (rewrite.map[old->id]) continue;
    graph->origin = old->origin;
    if (old->op == OP_update && has_no_master(old->state))
      rewrite_set(&rewrite, old, rounded_update(&rewrite, old));
    else
      rewrite_keep(&rewrite, old);
  }
  rewrite_end(&rewrite);
  graph->origin = origin;
}
