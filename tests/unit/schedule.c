/* Schedules against the interpreter of the tensor IR: graphs of every operation, run as loops by the loop interpreter. */
#include "passes/passes.h"
#include "tests/unit/check.h"
#include "tests/harness/run_module.h"

static const struct target tests_target = {.name = "test",
                                           .lanes = 4,
                                           .registers = 16,
                                           .masks = false,
                                           .double_precision = true,
                                           .tile_rows = 4,
                                           .tile_vectors = 2};
static const struct target masked_target = {.name = "masked",
                                            .lanes = 4,
                                            .registers = 16,
                                            .masks = true,
                                            .double_precision = true,
                                            .tile_rows = 3,
                                            .tile_vectors = 2};

struct fixture {
  struct arena *arena;
  struct program program;
  struct graph *graph;
  struct axis *batch, *seq, *embed, *hidden;
};

static struct axis *axis(struct fixture *f, const char *name, int64_t extent) {
  return axis_new(f->graph, name, extent, (struct span){0});
}

static struct fixture fixture_new(const char *name, int64_t batch, int64_t seq, int64_t embed, int64_t hidden) {
  struct fixture f = {.arena = arena_new()};
  f.program.arena = f.arena;
  f.program.name = name;
  f.graph = graph_new(f.arena, name, arena_new_struct(f.arena, int));
  f.batch = axis_new_batch(f.graph, batch, (struct span){0});
  f.seq = axis(&f, "seq", seq);
  f.embed = axis(&f, "embed", embed);
  f.hidden = axis(&f, "hidden", hidden);
  return f;
}

static struct state *state(struct fixture *f, const char *name, enum role role, struct axis *x, struct axis *y) {
  struct state *s = arena_new_struct(f->arena, struct state);
  s->name = name;
  s->role = role;
  s->axes = arena_new_array(f->arena, struct axis *, 2);
  if (x) s->axes[s->axis_count++] = x;
  if (y) s->axes[s->axis_count++] = y;
  array_push(f->arena, &f->program.states, s);
  return s;
}

static struct value *real(struct fixture *f, const char *name, struct axis *x, struct axis *y, struct axis *z) {
  struct axis *axes[3];
  int count = 0;
  if (x) axes[count++] = x;
  if (y) axes[count++] = y;
  if (z) axes[count++] = z;
  return build_input(f->graph, name, KIND_REAL, NULL, axes, count);
}

/* Pipelines with plain loops alone, with fusion alone, with register tiles alone, and with everything. */
static const char *const pipelines[] = {"none", "none, fuse, plan", "none, tile, plan", "default"};
enum { PIPELINES = sizeof pipelines / sizeof *pipelines };

static void check(struct fixture *f, const int64_t *sizes) {
  static const struct target *const targets[] = {&tests_target, &masked_target};
  const char *wrong = graph_verify(f->arena, f->graph, STAGE_FLAT);
  if (wrong) {
    printf("%s: graph: %s\n", f->graph->name, wrong);
    CHECK(!wrong);
    return;
  }
  f->program.train = f->graph;
  static const int64_t no_sizes[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  for (int i = 0; i < 2 * PIPELINES; i++) {
    struct diagnostics *diagnostics = diagnostics_new(f->arena);
    struct pass_options options = {.pipeline = pipelines[i % PIPELINES], .target = targets[i / PIPELINES]};
    struct module *module = run_schedules(&f->program, &options, diagnostics);
    for (int j = 0; j < module->functions.count; j++) {
      wrong = function_verify(f->arena, module->functions.items[j]);
      if (wrong) break;
    }
    if (!wrong) wrong = check_plan(f->arena, module, module->routines.items[0], true);
    if (!wrong) wrong = compare_routine(f->arena, module, module->routines.items[0], sizes ? sizes : no_sizes, 1e-9);
    bool show = getenv("SHOW") && strcmp(getenv("SHOW"), f->graph->name) == 0;
    if (wrong || show) {
      if (show) module_print(stdout, module);
      printf("%s (%s, target %s): %s\n", f->graph->name, options.pipeline, options.target->name, wrong ? wrong : "ok");
    }
    if (!CHECK(!wrong)) break;
  }
  arena_free(f->arena);
}

static void output(struct fixture *f, const char *name, struct value *value) {
  graph_add_output(f->graph, name, value);
}

static void elementwise(void) {
  struct fixture f = fixture_new("elementwise", 3, 5, 10, 4);
  struct graph *g = f.graph;
  struct value *x = real(&f, "x", f.batch, f.seq, f.embed), *y = real(&f, "y", f.embed, NULL, NULL),
               *z = real(&f, "z", f.seq, f.batch, NULL);
  static const enum op unary[] = {OP_neg, OP_abs, OP_exp, OP_tanh, OP_erf, OP_sin, OP_cos};
  struct value *sum = x;
  for (size_t i = 0; i < sizeof unary / sizeof *unary; i++)
    sum = build_binary(g, OP_add, sum, build_unary(g, unary[i], x));
  static const enum op binary[] = {OP_add, OP_sub, OP_mul, OP_div, OP_max, OP_min, OP_mod};
  for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
    sum = build_binary(g, OP_add, sum, build_binary(g, binary[i], x, i % 2 ? y : z));
  struct value *positive = build_binary(g, OP_add, build_unary(g, OP_abs, x), build_constant(g, 0.5));
  sum = build_binary(g, OP_add, sum, build_unary(g, OP_log, positive));
  sum = build_binary(g, OP_add, sum, build_unary(g, OP_sqrt, positive));
  sum = build_binary(g, OP_add, sum, build_unary(g, OP_rsqrt, positive));
  sum = build_binary(g, OP_add, sum, build_binary(g, OP_pow, positive, y));
  struct value *mask =
      build_binary(g, OP_and, build_binary(g, OP_lt, x, y), build_unary(g, OP_not, build_binary(g, OP_le, z, x)));
  mask = build_binary(g, OP_or, mask, build_binary(g, OP_eq, build_index(g, f.seq), build_index(g, f.embed)));
  output(&f, "y", build_where(g, mask, sum, build_unary(g, OP_floor, x)));
  output(&f, "mask", build_cast(g, mask, STORAGE_REAL));
  output(&f, "rounded", build_cast(g, x, STORAGE_BF16));
  output(&f, "same", x);
  output(&f, "seven", build_constant(g, 7));
  check(&f, NULL);
}

static void views(void) {
  struct fixture f = fixture_new("views", 2, 6, 12, 4);
  struct graph *g = f.graph;
  struct value *x = build_unary(g, OP_exp, real(&f, "x", f.batch, f.seq, f.embed));
  struct axis *head = axis(&f, "head", 3), *key = axis(&f, "key", 4), *past = axis(&f, "past", 6),
              *flat = axis(&f, "flat", 18);
  struct axis *tail = axis(&f, "tail", 4), *wide = axis(&f, "wide", 20), *both = axis(&f, "both", 16),
              *factors[2] = {head, key};
  struct value *split = build_split(g, x, f.embed, factors, 2);
  output(&f, "split", split);
  struct value *renamed = build_rename(g, split, f.seq, past);
  output(&f, "renamed", build_unary(g, OP_neg, renamed));
  struct axis *merged[2] = {head, past};
  output(&f, "merged", build_merge(g, renamed, merged, 2, flat));
  struct value *slice = build_slice(g, x, f.embed, 3, tail);
  output(&f, "slice", build_unary(g, OP_abs, slice));
  output(&f, "select", build_select(g, x, f.seq, 2));
  output(&f, "expand", build_expand(g, build_select(g, x, f.seq, 1), &f.hidden, 1));
  output(&f, "pad", build_pad(g, x, f.embed, wide, 5, -2));
  struct value *parts[2] = {x, slice};
  struct axis *part_axes[2] = {f.embed, tail};
  struct value *joined = build_concat(g, parts, part_axes, 2, both);
  output(&f, "concat", build_unary(g, OP_neg, joined));
  output(&f, "padded",
         build_binary(g, OP_add, build_pad(g, slice, tail, both, 0, 0), build_pad(g, x, f.embed, both, 4, 0)));
  output(&f, "back", build_slice(g, joined, both, 10, axis(&f, "cut", 5)));
  check(&f, NULL);
}

static void reductions(void) {
  struct fixture f = fixture_new("reductions", 3, 6, 21, 4);
  struct graph *g = f.graph;
  struct value *x = real(&f, "x", f.batch, f.seq, f.embed);
  struct axis *outer[2] = {f.batch, f.seq}, *all[3] = {f.batch, f.seq, f.embed};
  output(&f, "row", build_reduce(g, OP_reduce_sum, x, &f.embed, 1));
  output(&f, "largest", build_reduce(g, OP_reduce_max, x, &f.embed, 1));
  output(&f, "column", build_reduce(g, OP_reduce_sum, build_binary(g, OP_mul, x, x), outer, 2));
  output(&f, "middle", build_reduce(g, OP_reduce_sum, x, &f.seq, 1));
  output(&f, "most", build_reduce(g, OP_reduce_max, x, outer, 2));
  output(&f, "all", build_reduce(g, OP_reduce_sum, x, all, 3));
  output(&f, "scan", build_scan(g, x, f.seq, false));
  output(&f, "back", build_scan(g, x, f.embed, true));
  output(&f, "top", build_top(g, x, f.embed, axis(&f, "best", 3)));
  check(&f, NULL);
}

static void softmax(void) {
  struct fixture f = fixture_new("softmax", 2, 7, 19, 4);
  struct graph *g = f.graph;
  struct value *x = real(&f, "x", f.batch, f.seq, f.embed);
  struct value *most = build_stop(g, build_reduce(g, OP_reduce_max, x, &f.embed, 1));
  struct value *e = build_unary(g, OP_exp, build_binary(g, OP_sub, x, most));
  struct value *p = build_binary(g, OP_div, e, build_reduce(g, OP_reduce_sum, e, &f.embed, 1));
  struct value *dy = real(&f, "dy", f.batch, f.seq, f.embed);
  struct value *dot = build_reduce(g, OP_reduce_sum, build_binary(g, OP_mul, dy, p), &f.embed, 1);
  output(&f, "p", p);
  output(&f, "dx", build_binary(g, OP_mul, p, build_binary(g, OP_sub, dy, dot)));
  check(&f, NULL);
}

static void layernorm(void) {
  struct fixture f = fixture_new("layernorm", 3, 4, 33, 4);
  struct graph *g = f.graph;
  struct value *x = real(&f, "x", f.batch, f.seq, f.embed), *n = build_constant(g, 1 / 33.0);
  struct value *w = build_state(g, state(&f, "ln.weight", ROLE_PARAMETER, f.embed, NULL)),
               *dy = real(&f, "dy", f.batch, f.seq, f.embed);
  struct value *mean = build_binary(g, OP_mul, build_reduce(g, OP_reduce_sum, x, &f.embed, 1), n);
  struct value *centred = build_binary(g, OP_sub, x, mean);
  struct value *variance = build_binary(
      g, OP_mul, build_reduce(g, OP_reduce_sum, build_binary(g, OP_mul, centred, centred), &f.embed, 1), n);
  struct value *scale = build_unary(g, OP_rsqrt, build_binary(g, OP_add, variance, build_constant(g, 1e-5)));
  struct value *hat = build_binary(g, OP_mul, centred, scale);
  output(&f, "y", build_binary(g, OP_mul, hat, w));
  struct axis *outer[2] = {f.batch, f.seq};
  output(&f, "dw", build_reduce(g, OP_reduce_sum, build_binary(g, OP_mul, dy, hat), outer, 2));
  struct value *dhat = build_binary(g, OP_mul, dy, w);
  struct value *m1 = build_binary(g, OP_mul, build_reduce(g, OP_reduce_sum, dhat, &f.embed, 1), n);
  struct value *m2 =
      build_binary(g, OP_mul, build_reduce(g, OP_reduce_sum, build_binary(g, OP_mul, dhat, hat), &f.embed, 1), n);
  struct value *dx = build_binary(g, OP_sub, build_binary(g, OP_sub, dhat, m1), build_binary(g, OP_mul, hat, m2));
  output(&f, "dx", build_binary(g, OP_mul, dx, scale));
  check(&f, NULL);
}

static void adam(void) {
  struct fixture f = fixture_new("adam", 3, 4, 37, 5);
  struct graph *g = f.graph;
  struct state *p = state(&f, "w", ROLE_PARAMETER, f.hidden, f.embed),
               *m = state(&f, "w/m", ROLE_OPTIMIZER, f.hidden, f.embed);
  struct state *v = state(&f, "w/v", ROLE_OPTIMIZER, f.hidden, f.embed);
  struct value *step = build_input(g, "step", KIND_REAL, NULL, NULL, 0), *x = real(&f, "x", f.batch, f.embed, NULL);
  struct value *dy = real(&f, "dy", f.batch, f.hidden, NULL), *one = build_constant(g, 1),
               *beta = build_constant(g, 0.9);
  struct value *gradient = build_contract(g, dy, x, &f.batch, 1), *weight = build_state(g, p);
  struct value *rate = build_binary(g, OP_mul, build_constant(g, 0.01), build_unary(g, OP_cos, step));
  struct value *m_new = build_binary(g, OP_add, build_binary(g, OP_mul, build_state(g, m), beta),
                                     build_binary(g, OP_mul, gradient, build_constant(g, 0.1)));
  struct value *v_new =
      build_binary(g, OP_add, build_binary(g, OP_mul, build_state(g, v), beta),
                   build_binary(g, OP_mul, build_binary(g, OP_mul, gradient, gradient), build_constant(g, 0.1)));
  struct value *correction = build_binary(g, OP_sub, one, build_binary(g, OP_pow, beta, step));
  struct value *change = build_binary(g, OP_div, build_binary(g, OP_div, m_new, correction),
                                      build_binary(g, OP_add, build_unary(g, OP_sqrt, v_new), one));
  build_update(g, m, m_new, NULL, NULL);
  build_update(g, v, v_new, NULL, NULL);
  build_update(g, p, build_binary(g, OP_sub, weight, build_binary(g, OP_mul, rate, change)), NULL, NULL);
  struct value *y = build_contract(g, x, weight, &f.embed, 1);
  output(&f, "y", y);
  check(&f, NULL);
}

/* Two states that take each other's contents: no order of writes is right without a copy. */
static void swap(void) {
  struct fixture f = fixture_new("swap", 3, 4, 9, 5);
  struct graph *g = f.graph;
  struct state *p = state(&f, "p", ROLE_PARAMETER, f.hidden, f.embed),
               *q = state(&f, "q", ROLE_PARAMETER, f.hidden, f.embed);
  struct state *count = state(&f, "count", ROLE_OPTIMIZER, NULL, NULL),
               *zero = state(&f, "zero", ROLE_ACCUMULATOR, f.embed, NULL);
  struct value *x = build_state(g, p), *y = build_state(g, q);
  build_update(g, p, y, NULL, NULL);
  build_update(g, q, x, NULL, NULL);
  build_update(g, count, build_binary(g, OP_add, build_state(g, count), build_constant(g, 1)), NULL, NULL);
  output(&f, "old", build_binary(g, OP_mul, build_state(g, zero), build_constant(g, 3)));
  build_update(g, zero, build_expand(g, build_constant(g, 0), &f.embed, 1), NULL, NULL);
  output(&f, "sum", build_reduce(g, OP_reduce_sum, build_binary(g, OP_mul, x, y), &f.embed, 1));
  check(&f, NULL);
}

static void embedding(void) {
  struct fixture f = fixture_new("embedding", 3, 6, 10, 7);
  struct graph *g = f.graph;
  struct axis *batch_seq[2] = {f.batch, f.seq}, *vocab = axis(&f, "vocab", 11);
  struct state *table = state(&f, "wte", ROLE_PARAMETER, vocab, f.embed);
  struct value *tokens = build_input(g, "tokens", KIND_INTEGER, vocab, batch_seq, 2), *w = build_state(g, table);
  struct value *x = build_gather(g, w, vocab, tokens);
  output(&f, "x", build_binary(g, OP_mul, x, build_constant(g, 2)));
  struct value *dy = real(&f, "dy", f.batch, f.seq, f.embed);
  struct axis *rest[2] = {vocab, f.embed};
  struct value *zero = build_expand(g, build_constant(g, 0), rest, 2);
  output(&f, "dw", build_scatter_add(g, zero, vocab, tokens, dy));
  output(&f, "more", build_scatter_add(g, w, vocab, tokens, dy));
  struct value *logits = real(&f, "logits", f.batch, f.seq, vocab);
  output(&f, "picked", build_gather(g, logits, vocab, tokens));
  struct value *source = real(&f, "source", f.batch, f.seq, NULL);
  struct axis *full[3] = {f.batch, f.seq, vocab};
  output(&f, "spread", build_scatter_add(g, build_expand(g, build_constant(g, 0), full, 3), vocab, tokens, source));
  output(&f, "positions",
         build_gather(g, build_state(g, state(&f, "wpe", ROLE_PARAMETER, f.hidden, f.embed)), f.hidden,
                      build_index(g, f.seq)));
  check(&f, NULL);
}

static void contraction(const char *name, int64_t batch, int64_t m, int64_t k, int64_t n) {
  struct fixture f = fixture_new(name, batch, m, k, n);
  struct graph *g = f.graph;
  struct value *x = real(&f, "x", f.batch, f.seq, f.embed),
               *w = build_state(g, state(&f, "w", ROLE_PARAMETER, f.embed, f.hidden));
  struct value *u = build_state(g, state(&f, "u", ROLE_PARAMETER, f.hidden, f.embed)),
               *dy = real(&f, "dy", f.batch, f.seq, f.hidden);
  output(&f, "y", build_contract(g, x, w, &f.embed, 1));
  output(&f, "z", build_contract(g, build_unary(g, OP_tanh, x), u, &f.embed, 1));
  struct axis *outer[2] = {f.batch, f.seq};
  output(&f, "dw", build_contract(g, x, dy, outer, 2));
  output(&f, "dx", build_contract(g, w, dy, &f.hidden, 1));
  struct axis *past = axis(&f, "past", m);
  output(&f, "scores", build_contract(g, x, build_rename(g, x, f.seq, past), &f.embed, 1));
  check(&f, NULL);
}

static void attention(void) {
  struct fixture f = fixture_new("attention", 2, 9, 12, 4);
  struct graph *g = f.graph;
  struct axis *part = axis(&f, "part", 36), *head = axis(&f, "head", 2), *key = axis(&f, "key", 6),
              *past = axis(&f, "past", 9), *three = axis(&f, "three", 3);
  struct value *x = real(&f, "x", f.batch, f.seq, f.embed),
               *w = build_state(g, state(&f, "w", ROLE_PARAMETER, f.embed, part));
  struct axis *factors[3] = {three, head, key}, *merged[2] = {head, key};
  struct value *qkv = build_split(g, build_contract(g, x, w, &f.embed, 1), part, factors, 3);
  struct value *q = build_select(g, qkv, three, 0), *ks = build_rename(g, build_select(g, qkv, three, 1), f.seq, past);
  struct value *vs = build_rename(g, build_select(g, qkv, three, 2), f.seq, past);
  struct value *scores = build_binary(g, OP_mul, build_contract(g, q, ks, &key, 1), build_constant(g, 0.4));
  struct value *mask = build_binary(g, OP_le, build_index(g, past), build_index(g, f.seq));
  struct value *masked = build_where(g, mask, scores, build_constant(g, -1e30));
  struct value *most = build_reduce(g, OP_reduce_max, masked, &past, 1);
  struct value *e =
      build_where(g, mask, build_unary(g, OP_exp, build_binary(g, OP_sub, masked, most)), build_constant(g, 0));
  struct value *p = build_binary(g, OP_div, e, build_reduce(g, OP_reduce_sum, e, &past, 1));
  struct value *y = build_merge(g, build_contract(g, p, vs, &past, 1), merged, 2, f.embed);
  output(&f, "y", build_contract(g, y, build_state(g, state(&f, "o", ROLE_PARAMETER, f.embed, f.hidden)), &f.embed, 1));
  check(&f, NULL);
}

/* A cache written at positions, then read whole; window and past have run-time lengths. */
static void decode(void) {
  struct fixture f = fixture_new("decode", 2, 6, 8, 4);
  struct graph *g = f.graph;
  struct axis *window = axis_new_sized(g, "seq", size_new(g, "window", SIZE_WINDOW, 8), (struct span){0});
  struct axis *past = axis_new_sized(g, "past", size_new(g, "past", SIZE_PAST, 16), (struct span){0});
  struct axis *axes[2] = {f.batch, window};
  struct state *cache = arena_new_struct(f.arena, struct state);
  struct axis *cache_axes[3] = {f.batch, past, f.embed};
  *cache = (struct state){.name = "cache", .role = ROLE_CACHE, .axes = cache_axes, .axis_count = 3};
  array_push(f.arena, &f.program.states, cache);
  struct value *position =
      build_binary(g, OP_add, build_index(g, window), build_expand(g, build_integer(g, 5), &f.batch, 1));
  struct value *k = real(&f, "k", f.batch, window, f.embed), *q = real(&f, "q", f.batch, window, f.embed);
  (void)axes;
  struct value *all = build_update(g, cache, build_unary(g, OP_neg, k), past, position);
  struct value *scores = build_contract(g, q, all, &f.embed, 1);
  struct value *mask = build_binary(g, OP_le, build_index(g, past), position);
  output(&f, "scores", build_where(g, mask, scores, build_constant(g, 0)));
  output(&f, "sums", build_reduce(g, OP_reduce_sum, build_where(g, mask, scores, build_constant(g, 0)), &past, 1));
  static const int64_t sizes[2] = {3, 8};
  check(&f, sizes);
}

static void dropout(void) {
  struct fixture f = fixture_new("dropout", 3, 5, 14, 4);
  struct graph *g = f.graph;
  struct value *x = real(&f, "x", f.batch, f.seq, f.embed), *step = build_input(g, "step", KIND_REAL, NULL, NULL, 0);
  struct value *example = build_input(g, "example", KIND_INTEGER, NULL, &f.batch, 1);
  struct value *draw = build_random(g, DISTRIBUTION_UNIFORM, 99, step, example, x->axes, x->axis_count);
  struct value *keep = build_binary(g, OP_lt, draw, build_constant(g, 0.7));
  output(&f, "y", build_where(g, keep, x, build_constant(g, 0)));
  output(&f, "normal", build_random(g, DISTRIBUTION_NORMAL, 98, step, NULL, x->axes, x->axis_count));
  check(&f, NULL);
}

int main(void) {
  elementwise();
  views();
  reductions();
  softmax();
  layernorm();
  adam();
  swap();
  embedding();
  contraction("contract_odd", 3, 5, 7, 9);
  contraction("contract_small", 2, 4, 8, 8);
  contraction("contract_tile", 3, 16, 24, 32);
  contraction("contract_tails", 2, 13, 37, 27);
  contraction("contract_row", 1, 1, 16, 24);
  attention();
  decode();
  dropout();
  return check_done("schedule");
}
