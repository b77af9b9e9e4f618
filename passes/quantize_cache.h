/* What quantize_cache has found out about caches before it changes a graph. quantize_cache_choose.c finds it, quantize_cache.c uses it. */
#ifndef PASSES_QUANTIZE_CACHE_H
#define PASSES_QUANTIZE_CACHE_H

#include "passes/quantize.h"

/* A cache of reals that a step of generation keeps. The state has the axes batch, rows (the positions so far), and then its own, which what
   is cached has in every graph and in that order. */
struct cache {
  const struct state *state; /* as lowering leaves it */
  const struct pass_rule *rule; /* NULL: it stays as it is */
  struct quantization how; /* `shared`: own axes, a bit for each */
  int rotated; /* the own axis along which rows are rotated; -1: none */
};

struct cache_quantizer {
  struct program *program;
  ARRAY(struct cache) caches;
};

/* The cache whose contents the value is: the update of one, or what stands in its place in other graphs. NULL: it is none. */
const struct cache *cache_of(const struct cache_quantizer *quantizer, const struct value *value);
/* The own axes of such a value, in order; returns their number. `axes` has room for MAX_AXES. */
int cache_axes(const struct value *value, struct axis **axes);

#endif
