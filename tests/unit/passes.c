/* Passes on random graphs of every operation: the interpreter gives the same results before and after, every graph in
   between is valid, and no pass adds work. Then each pass is tried on graphs that it should improve. */
#include "passes/passes.h"
#include "passes/pipeline.h"
#include "tests/harness/random_graph.h"
#include "tests/unit/check.h"

struct results {
  struct tensor *outputs;
  double **states; /* contents after the run */
};

static bool run(struct sample *sample, struct results *results) {
  struct arena *arena = sample->arena;
  int count = sample->contents.count;
  double **before = arena_new_array(arena, double *, count);
  for (int i = 0; i < count; i++) {
    struct content *content = &sample->contents.items[i];
    before[i] = arena_new_array(arena, double, (int)content->count);
    memcpy(before[i], content->data, sizeof(double) * (size_t)content->count);
  }
  struct environment environment = sample_environment(sample);
  results->outputs = arena_new_array(arena, struct tensor, sample->graph->outputs.count);
  const char *error = graph_interpret(sample->graph, &environment, results->outputs, NULL);
  results->states = arena_new_array(arena, double *, count);
  for (int i = 0; i < count; i++) {
    struct content *content = &sample->contents.items[i];
    results->states[i] = arena_new_array(arena, double, (int)content->count);
    memcpy(results->states[i], content->data, sizeof(double) * (size_t)content->count);
    memcpy(content->data, before[i], sizeof(double) * (size_t)content->count);
  }
  if (error) printf("  %s\n", error);
  return !error;
}

static bool near(double x, double y) {
  return x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= 1e-12 * (1 + fabs(y));
}

static bool same_layout(const struct tensor *x, const struct tensor *y) {
  if (x->axis_count != y->axis_count) return false;
  for (int i = 0; i < x->axis_count; i++)
    if (x->axes[i] != y->axes[i]) return false;
  return true;
}

static void compare(struct sample *sample, const struct results *expected, const char *pass, const char *what,
                    uint64_t seed) {
  struct results got;
  if (!CHECK(run(sample, &got))) return;
  bool equal = true;
  for (int i = 0; i < sample->graph->outputs.count; i++) {
    const struct tensor *x = &got.outputs[i], *y = &expected->outputs[i];
    if (!CHECK(same_layout(x, y))) continue;
    int64_t count = 1;
    for (int j = 0; j < x->axis_count; j++) count *= axis_length(x->axes[j], sample->sizes);
    for (int64_t j = 0; j < count; j++) equal = equal && near(x->data[j], y->data[j]);
  }
  for (int i = 0; i < sample->contents.count; i++)
    for (int64_t j = 0; j < sample->contents.items[i].count; j++)
      equal = equal && near(got.states[i][j], expected->states[i][j]);
  if (!CHECK(equal)) printf("  after %s of %s, seed %llu\n", pass, what, (unsigned long long)seed);
}

static int64_t work(const struct graph *graph) {
  int64_t sum = 0;
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (op_facts[value->op].class == CLASS_VIEW || op_facts[value->op].class == CLASS_LEAF) continue;
    sum += value_count(value);
    for (int j = 0; j < value->input_count; j++) sum += value_count(value->inputs[j]);
  }
  return sum;
}

static void simplify(struct graph *graph) { pass_simplify(graph, SIMPLIFY_ROUNDS); }

static void check_sample(struct sample *sample, const char *what, uint64_t seed) {
  static const struct {
    const char *name;
    void (*apply)(struct graph *graph);
  } passes[] = {{"inline", pass_inline}, {"simplify", simplify}, {"common", pass_common}};
  struct diagnostics *diagnostics = diagnostics_new(sample->arena);
  CHECK(pass_autodiff(sample->graph, diagnostics));
  struct results expected;
  if (!CHECK(run(sample, &expected))) return;
  for (int i = 0; i < 3; i++) {
    int64_t before = work(sample->graph);
    passes[i].apply(sample->graph);
    const char *error = graph_verify(sample->arena, sample->graph, STAGE_FLAT);
    if (!CHECK(!error))
      printf("  after %s of %s, seed %llu: %s\n", passes[i].name, what, (unsigned long long)seed, error);
    if (i > 0) CHECK(work(sample->graph) <= before);
    compare(sample, &expected, passes[i].name, what, seed);
  }
}

/* --- Rules, one by one ----------------------------------------------------------------------------------------------------- */

static char *print_text(struct arena *arena, const struct graph *graph) {
  char *text = NULL;
  size_t length;
  FILE *file = open_memstream(&text, &length);
  graph_print(file, graph);
  fclose(file);
  char *copy = arena_strdup(arena, text);
  free(text);
  return copy;
}

/* A graph with operands for the rules. */
struct bench {
  struct graph *graph;
  struct axis *a, *b, *c, *d, *e, *f, *g;
  struct value *x, *y, *m, *i; /* real[a, b], real[a, b], boolean[a], integer[b] in a */
  int next_axis;
};

static void bench_new(struct bench *bench, struct arena *arena) {
  memset(bench, 0, sizeof *bench);
  struct graph *graph = bench->graph = graph_new(arena, "rule", &bench->next_axis);
  struct span none = {0};
  bench->a = axis_new(graph, "a", 3, none);
  bench->b = axis_new(graph, "b", 2, none);
  bench->c = axis_new(graph, "c", 6, none);
  bench->d = axis_new(graph, "d", 3, none);
  bench->e = axis_new(graph, "e", 1, none);
  bench->f = axis_new(graph, "f", 4, none);
  bench->g = axis_new(graph, "g", 2, none);
  struct axis *ab[] = {bench->a, bench->b};
  bench->x = build_input(graph, "x", KIND_REAL, NULL, ab, 2);
  bench->y = build_input(graph, "y", KIND_REAL, NULL, ab, 2);
  bench->m = build_input(graph, "m", KIND_BOOLEAN, NULL, ab, 1);
  bench->i = build_input(graph, "i", KIND_INTEGER, bench->a, ab + 1, 1);
}

static const double *bench_input(void *context, const struct value *input) {
  static const double x[] = {1.5, -2, 0.25, 3, -0.75, 0.5}, y[] = {0.5, 4, -1, 1.25, 2, -3}, m[] = {1, 0, 1},
                      i[] = {2, 0};
  (void)context;
  return !strcmp(input->name, "x") ? x : !strcmp(input->name, "y") ? y : !strcmp(input->name, "m") ? m : i;
}

static double *bench_evaluate(struct arena *arena, struct graph *graph) {
  struct environment environment = {.arena = arena, .input = bench_input};
  struct tensor *result = arena_new_array(arena, struct tensor, 1);
  const char *error = graph_interpret(graph, &environment, result, NULL);
  if (!CHECK(!error)) printf("  %s\n", error);
  return error ? NULL : result->data;
}

/* The operations of a simplified graph in order, as "input mul". */
static const char *operations(struct arena *arena, const struct graph *graph) {
  const char *text = "";
  for (int i = 0; i < graph->values.count; i++)
    text = arena_format(arena, "%s%s%s", text, i ? " " : "", op_facts[graph->values.items[i]->op].name);
  return text;
}

static struct value *binary(struct bench *b, enum op op, struct value *x, struct value *y) {
  return build_binary(b->graph, op, x, y);
}
static struct value *unary(struct bench *b, enum op op, struct value *x) { return build_unary(b->graph, op, x); }
static struct value *real(struct bench *b, double number) { return build_constant(b->graph, number); }
static struct value *boolean(struct bench *b, bool truth) { return build_boolean(b->graph, truth); }
static struct value *wide(struct bench *b, struct value *x, struct axis *axis) {
  return build_expand(b->graph, x, &axis, 1);
}
static struct value *sum(struct bench *b, struct value *x, struct axis *axis) {
  return build_reduce(b->graph, OP_reduce_sum, x, &axis, 1);
}
static struct value *most(struct bench *b, struct value *x, struct axis *axis) {
  return build_reduce(b->graph, OP_reduce_max, x, &axis, 1);
}
static struct value *zeros(struct bench *b) {
  return build_expand(b->graph, build_constant(b->graph, 0), (struct axis *[]){b->a, b->b}, 2);
}
static struct value *row(struct bench *b, struct value *x) { return build_select(b->graph, x, b->a, 1); }
static struct value *split(struct bench *b, struct value *x) {
  return build_split(b->graph, x, b->a, (struct axis *[]){b->d, b->e}, 2);
}
static struct value *merged(struct bench *b, struct value *x) {
  return build_merge(b->graph, x, (struct axis *[]){b->a, b->b}, 2, b->c);
}
static struct value *joined(struct bench *b) {
  struct axis *parts[] = {b->a, b->a};
  return build_concat(b->graph, (struct value *[]){b->x, b->y}, parts, 2, b->c);
}
static struct value *padded(struct bench *b) { return build_pad(b->graph, b->x, b->a, b->c, 2, 7); }

#define RULE_CASES                                                                                                     \
  CASE("constant", binary(b, OP_add, real(b, 1), real(b, 2)))                                                          \
  CASE("input constant select add expand",                                                                             \
       wide(b, binary(b, OP_add, row(b, binary(b, OP_add, b->x, real(b, 0))), real(b, 1)), b->f))                      \
  CASE("input", binary(b, OP_add, real(b, 0), b->x))                                                                   \
  CASE("input", binary(b, OP_sub, b->x, zeros(b)))                                                                     \
  CASE("input neg", binary(b, OP_sub, real(b, 0), b->x))                                                               \
  CASE("input input sub", binary(b, OP_add, unary(b, OP_neg, b->y), b->x))                                             \
  CASE("input input add", binary(b, OP_sub, b->x, unary(b, OP_neg, b->y)))                                             \
  CASE("input", binary(b, OP_mul, b->x, real(b, 1)))                                                                   \
  CASE("input neg", binary(b, OP_mul, real(b, -1), b->x))                                                              \
  CASE("input input mul", binary(b, OP_mul, unary(b, OP_neg, b->x), unary(b, OP_neg, b->y)))                           \
  CASE("input constant mul", binary(b, OP_mul, unary(b, OP_neg, b->x), real(b, 3)))                                    \
  CASE("input constant mul", unary(b, OP_neg, binary(b, OP_mul, b->x, real(b, 3))))                                    \
  CASE("input", binary(b, OP_div, b->x, real(b, 1)))                                                                   \
  CASE("input constant mul", binary(b, OP_div, b->x, real(b, 8)))                                                      \
  CASE("input constant div", binary(b, OP_div, b->x, real(b, 3)))                                                      \
  CASE("input", unary(b, OP_neg, unary(b, OP_neg, b->x)))                                                              \
  CASE("input input sub", unary(b, OP_neg, binary(b, OP_sub, b->x, b->y)))                                             \
  CASE("constant expand", binary(b, OP_pow, b->x, real(b, 0)))                                                         \
  CASE("input", binary(b, OP_pow, b->x, real(b, 1)))                                                                   \
  CASE("input mul", binary(b, OP_pow, b->x, real(b, 2)))                                                               \
  CASE("input mul mul", binary(b, OP_pow, b->x, real(b, 3)))                                                           \
  CASE("input constant div", binary(b, OP_pow, b->x, real(b, -1)))                                                     \
  CASE("input", binary(b, OP_max, b->x, b->x))                                                                         \
  CASE("input", unary(b, OP_not, unary(b, OP_not, b->m)))                                                              \
  CASE("input", binary(b, OP_and, b->m, boolean(b, true)))                                                             \
  CASE("constant expand", binary(b, OP_and, boolean(b, false), b->m))                                                  \
  CASE("input", binary(b, OP_or, boolean(b, false), b->m))                                                             \
  CASE("constant expand", binary(b, OP_or, b->m, boolean(b, true)))                                                    \
  CASE("input", build_where(b->graph, boolean(b, true), b->x, b->y))                                                   \
  CASE("input", build_where(b->graph, b->m, b->x, b->x))                                                               \
  CASE("input input input where", build_where(b->graph, unary(b, OP_not, b->m), b->x, b->y))                           \
  CASE("input input constant where", build_where(b->graph, b->m, build_where(b->graph, b->m, b->x, b->y), real(b, 0))) \
  CASE("input input constant where", build_where(b->graph, b->m, real(b, 0), build_where(b->graph, b->m, b->x, b->y))) \
  CASE("input cast", build_cast(b->graph, build_cast(b->graph, b->x, STORAGE_BF16), STORAGE_BF16))                     \
  CASE("input select", sum(b, wide(b, row(b, b->x), b->e), b->e))                                                      \
  CASE("input constant mul", sum(b, wide(b, b->x, b->f), b->f))                                                        \
  CASE("input constant max", most(b, wide(b, b->x, b->f), b->f))                                                       \
  CASE("input reduce_sum expand", sum(b, wide(b, b->x, b->f), b->a))                                                   \
  CASE("input reduce_sum", sum(b, sum(b, b->x, b->a), b->b))                                                           \
  CASE("input reduce_sum neg", sum(b, unary(b, OP_neg, b->x), b->a))                                                   \
  CASE("input reduce_max", most(b, most(b, b->x, b->b), b->a))                                                         \
  CASE("input reduce_sum", sum(b, build_rename(b->graph, b->x, b->a, b->d), b->d))                                     \
  CASE("input input contract expand", build_contract(b->graph, wide(b, b->x, b->f), b->y, &b->a, 1))                   \
  CASE("input input mul", build_contract(b->graph, b->x, b->y, NULL, 0))                                               \
  CASE("input slice", build_gather(b->graph, b->x, b->a, build_index(b->graph, b->g)))                                 \
  CASE("input reduce_sum", sum(b, build_gather(b->graph, b->x, b->a, build_index(b->graph, b->a)), b->b))              \
  CASE("input select", build_gather(b->graph, b->x, b->a, build_integer(b->graph, 2)))                                 \
  CASE("input input gather expand", build_gather(b->graph, b->x, b->a, wide(b, b->i, b->f)))                           \
  CASE("input input gather expand", build_gather(b->graph, wide(b, b->x, b->f), b->a, b->i))                           \
  CASE("input", build_rename(b->graph, build_rename(b->graph, b->x, b->a, b->d), b->d, b->a))                          \
  CASE("input expand",                                                                                                 \
       build_rename(b->graph, wide(b, b->x, b->f), b->f, axis_new(b->graph, "h", 4, (struct span){0})))                \
  CASE("input", build_select(b->graph, wide(b, b->x, b->f), b->f, 3))                                                  \
  CASE("input expand", wide(b, wide(b, b->x, b->f), b->g))                                                             \
  CASE("input", build_merge(b->graph, split(b, b->x), (struct axis *[]){b->d, b->e}, 2, b->a))                         \
  CASE("input", build_split(b->graph, merged(b, b->x), b->c, (struct axis *[]){b->a, b->b}, 2))                        \
  CASE("input rename rename", build_split(b->graph, merged(b, b->x), b->c, (struct axis *[]){b->d, b->g}, 2))          \
  CASE("input rename", build_slice(b->graph, b->x, b->a, 0, b->d))                                                     \
  CASE("input slice", build_slice(b->graph, build_slice(b->graph, joined(b), b->c, 1, b->f), b->f, 2, b->g))           \
  CASE("input slice", build_slice(b->graph, padded(b), b->c, 3, b->g))                                                 \
  CASE("constant expand", build_slice(b->graph, padded(b), b->c, 0, b->g))                                             \
  CASE("input select", build_select(b->graph, joined(b), b->c, 4))                                                     \
  CASE("input select", build_select(b->graph, padded(b), b->c, 2))                                                     \
  CASE("constant expand", build_select(b->graph, padded(b), b->c, 5))                                                  \
  CASE("input rename", build_pad(b->graph, b->x, b->a, b->d, 0, 9))                                                    \
  CASE("input rename", build_concat(b->graph, &b->x, &b->a, 1, b->d))                                                  \
  CASE("input neg", unary(b, OP_neg, build_stop(b->graph, b->x)))                                                      \
  CASE("input input gather", build_gather(b->graph, b->x, b->a, b->i))

static void check_rules(void) {
  int number = 0;
#define CASE(expected, made)                                                                                          \
  do {                                                                                                                \
    struct arena *arena = arena_new();                                                                                \
    struct bench bench, *b = &bench;                                                                                  \
    bench_new(b, arena);                                                                                              \
    struct value *value = (made);                                                                                     \
    graph_add_output(b->graph, "result", value);                                                                      \
    double *before = bench_evaluate(arena, b->graph);                                                                 \
    int64_t count = value_count(value);                                                                               \
    simplify(b->graph);                                                                                               \
    pass_common(b->graph);                                                                                            \
    double *after = bench_evaluate(arena, b->graph);                                                                  \
    bool equal = before && after;                                                                                     \
    for (int64_t j = 0; equal && j < count; j++) equal = fabs(before[j] - after[j]) <= 4e-16 * fabs(before[j]);       \
    if (!CHECK(equal)) printf("  %s\n", #made);                                                                       \
    if (!CHECK_STRING(operations(arena, b->graph), expected)) printf("  %s\n%s", #made, print_text(arena, b->graph)); \
    arena_free(arena);                                                                                                \
    number++;                                                                                                         \
  } while (0);
  RULE_CASES
#undef CASE
  CHECK(number > 50);
}

/* --- Common subexpressions --------------------------------------------------------------------------------------------------- */

/* A value that two copies of a repeat share comes before both and belongs to neither; the rest stays in order. */
static void check_shared(void) {
  struct arena *arena = arena_new();
  struct bench bench, *b = &bench;
  bench_new(b, arena);
  const struct repeat repeat = {"h", 2};
  struct value *x = b->x;
  for (int copy = 0; copy < 2; copy++) {
    b->graph->origin =
        (struct origin){.path = copy ? "h.1.attn" : "h.0.attn", .function = "rotary", .repeat = &repeat, .copy = copy};
    x = binary(b, OP_mul, x, b->y);
    struct value *table = unary(b, OP_cos, build_cast(b->graph, build_index(b->graph, b->a), STORAGE_REAL));
    x = binary(b, OP_add, table, x);
  }
  graph_add_output(b->graph, "result", x);
  pass_common(b->graph);
  CHECK_STRING(operations(arena, b->graph), "index cast cos input input mul add mul add");
  const struct origin *origin = &b->graph->values.items[2]->origin;
  CHECK(!origin->repeat);
  CHECK_STRING(origin->path, "h");
  CHECK(b->graph->values.items[8]->origin.copy == 1 && b->graph->values.items[8]->origin.repeat == &repeat);
  arena_free(arena);
}

/* Values that differ in one attribute are not equal; operands of a sum may change places. */
static void check_equal(void) {
  struct arena *arena = arena_new();
  struct bench bench, *b = &bench;
  bench_new(b, arena);
  struct value *step = build_input(b->graph, "step", KIND_REAL, NULL, NULL, 0);
  struct value *pairs[][2] = {
      {binary(b, OP_add, b->x, b->y), binary(b, OP_add, b->y, b->x)},
      {binary(b, OP_sub, b->x, b->y), binary(b, OP_sub, b->y, b->x)},
      {build_select(b->graph, b->x, b->a, 0), build_select(b->graph, b->x, b->a, 1)},
      {build_scan(b->graph, b->x, b->a, false), build_scan(b->graph, b->x, b->b, false)},
      {build_random(b->graph, DISTRIBUTION_UNIFORM, 1, step, NULL, b->x->axes, 2),
       build_random(b->graph, DISTRIBUTION_UNIFORM, 1, step, NULL, b->x->axes, 2)},
      {build_random(b->graph, DISTRIBUTION_UNIFORM, 2, step, NULL, b->x->axes, 2),
       build_random(b->graph, DISTRIBUTION_UNIFORM, 3, step, NULL, b->x->axes, 2)},
      {build_cast(b->graph, b->x, STORAGE_BF16), build_cast(b->graph, b->x, STORAGE_F16)},
      {build_reduce(b->graph, OP_reduce_sum, b->x, (struct axis *[]){b->a, b->b}, 2),
       build_reduce(b->graph, OP_reduce_sum, b->x, (struct axis *[]){b->b, b->a}, 2)},
      {binary(b, OP_mul, b->x, real(b, 0.0)), binary(b, OP_mul, b->x, real(b, -0.0))},
  };
  static const bool equal[] = {true, false, false, false, true, false, false, true, false};
  int count = sizeof pairs / sizeof *pairs;
  for (int i = 0; i < count; i++)
    for (int j = 0; j < 2; j++) graph_add_output(b->graph, arena_format(arena, "%d.%d", i, j), pairs[i][j]);
  pass_common(b->graph);
  for (int i = 0; i < count; i++) {
    bool same = b->graph->outputs.items[2 * i].value == b->graph->outputs.items[2 * i + 1].value;
    if (!CHECK(same == equal[i])) printf("  pair %d\n", i);
  }
  arena_free(arena);
}

int main(void) {
  for (int op = 0; op < OP_COUNT; op++)
    for (uint64_t seed = 0; seed < 24; seed++) {
      struct arena *arena = arena_new();
      check_sample(sample_operation(arena, (enum op)op, seed, seed % 3 ? 0 : SAMPLE_SIZES), op_facts[op].name, seed);
      arena_free(arena);
    }
  for (uint64_t seed = 0; seed < 300; seed++) {
    struct arena *arena = arena_new();
    check_sample(sample_graph(arena, 4 + (int)seed % 30, seed, seed % 3 ? 0 : SAMPLE_SIZES), "graph", seed);
    arena_free(arena);
  }
  check_rules();
  check_shared();
  check_equal();
  return check_done("passes");
}
