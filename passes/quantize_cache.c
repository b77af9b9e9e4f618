/* Caches of few bits. What generation keeps of a position, a row of a cache, becomes steps * scale, with a scale for each row and head: two
   states in place of one of reals. The window's own rows go through them before anything reads them, and in graphs without a cache what
   the spec calls cached is rounded to the same steps. So a window sees the same rows whether they are its own or older, and prediction
   and generation agree.

   Scales leave the contraction (quantize.c): scores are (q @ steps) * scale, and of the values weights * scale @ steps. Rotated rows
   (quantize_rotate.c) are never rotated back: queries are rotated like keys, which leaves their products as they are, and of rotated
   values the weighted sums are rotated back. */
#include "passes/quantize_cache.h"

#include "ir/exactness.h"
#include "passes/passes.h"

/* --- States ------------------------------------------------------------------------------------------------------- */

/* A state in place of the cache: batch, heads, positions, and the axes that share a scale or, without `shared`, not these. So all that a head
   reads lies side by side: steps row by row, and its scales, which a softmax reads along positions. */
static struct state *state_like(struct program *program, const struct cache *cache, const char *name, bool shared) {
  const struct state *reals = cache->state;
  struct state *state = arena_new_struct(program->arena, struct state);
  *state = *reals;
  state->name = name;
  state->stream = hash_path(name);
  state->axes = arena_new_array(program->arena, struct axis *, reals->axis_count);
  state->axis_count = 0;
  state->axes[state->axis_count++] = reals->axes[0];
  for (int turn = 0; turn < 2; turn++) {
    for (int i = 2; i < reals->axis_count; i++)
      if ((cache->how.shared >> (i - 2) & 1) == (unsigned)turn && (turn == 0 || shared))
        state->axes[state->axis_count++] = reals->axes[i];
    if (turn == 0) state->axes[state->axis_count++] = reals->axes[1];
  }
  return state;
}

/* The state of the steps takes the place and the name of that of reals. */
static struct state *steps_state(struct program *program, const struct cache *cache) {
  struct state *state = state_like(program, cache, cache->state->name, true);
  state->kind = KIND_INTEGER;
  const bool bytes = cache->how.weights == QUANTIZED_I8;
  const struct exactness steps = exactness_between(bytes ? -127 : -8, bytes ? 127 : 7);
  state->storage = exactness_storage(steps, KIND_INTEGER, state->axes[state->axis_count - 1]->extent);
  for (int i = 0; i < program->states.count; i++)
    if (program->states.items[i] == cache->state) program->states.items[i] = state;
  return state;
}

static struct state *scale_state(struct program *program, const struct cache *cache) {
  const char *name = arena_format(program->arena, "%s/scale", cache->state->name);
  struct state *state = state_like(program, cache, name, false);
  array_push(program->arena, &program->states, state);
  return state;
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

/* The rows x in parts. `old` is the value that they are the contents or the newest rows of. */
static struct parts *parts_of_rows(struct parted *p, const struct cache *cache, const struct value *old,
                                   struct value *x) {
  struct axis *own[MAX_AXES], *rotated = NULL;
  cache_axes(old, own);
  if (cache->rotated >= 0) {
    rotated = own[cache->rotated];
    x = rotated_value(p, x, rotated);
  }
  struct quantization how = cache->how;
  how.shared = 0;
  for (int i = 0; i < x->axis_count; i++)
    for (int j = 0; cache->how.shared >> j; j++)
      if (cache->how.shared >> j & 1 && x->axes[i] == own[j]) how.shared |= 1u << i;
  name_like(x, old);
  if (!x->name) x->name = cache->state->name;
  struct parts *parts = quantized_parts(p->graph, p->rewrite.scratch, x, &how);
  parts->rotated = rotated;
  return parts;
}

static struct parts *parts_of_update(struct cache_quantizer *quantizer, struct parted *p, const struct cache *cache,
                                     const struct value *old) {
  struct value *index = parted_value(p, old->inputs[1]);
  struct parts *parts = parts_of_rows(p, cache, old, parted_value(p, old->inputs[0]));
  parts->steps = build_update(p->graph, steps_state(quantizer->program, cache), parts->steps, old->axis, index);
  parts->scale = build_update(p->graph, scale_state(quantizer->program, cache), parts->scale, old->axis, index);
  parts->scale->name = parts->scale->state->name;
  name_like(parts->steps, old);
  return parts;
}

static struct parts *parts_of_cache(void *context, struct parted *p, const struct value *old) {
  struct cache_quantizer *quantizer = context;
  const struct cache *cache = cache_of(quantizer, old);
  if (!cache || !cache->rule) return NULL;
  if (old->op == OP_update) return parts_of_update(quantizer, p, cache, old);
  struct value *x = build_rename(p->graph, parted_value(p, old->inputs[0]), old->axis, old->result);
  return parts_of_rows(p, cache, old, x);
}

void pass_quantize_cache(struct cache_quantizer *quantizer, struct graph *graph) {
  if (program_uses_model(quantizer->program, graph)) quantized_graph(graph, parts_of_cache, quantizer, NULL);
}
