/* Gradients against measured slopes: for every row of ops.def, and for random graphs of all of them, the derivative along random
   directions by a five-point stencil in double precision. */
#include "passes/passes.h"
#include "tests/harness/random_graph.h"
#include "tests/unit/check.h"

enum { DIRECTIONS = 3 };

static double uniform(void) { return (double)(check_random() >> 11) * 0x1p-52 - 1; }

static bool evaluate(struct sample *sample, struct tensor *results) {
  struct environment environment = sample_environment(sample);
  const char *error = graph_interpret(sample->graph, &environment, results, NULL);
  if (error) printf("  %s: %s\n", sample->graph->name, error);
  return !error;
}

static double slope(struct sample *sample, struct content *content, const double *direction, double step) {
  static const double at[] = {-2, -1, 1, 2}, weight[] = {1, -8, 8, -1};
  double *base = arena_new_array(sample->arena, double, (int)content->count), sum = 0;
  memcpy(base, content->data, sizeof *base * (size_t)content->count);
  for (int i = 0; i < 4; i++) {
    struct tensor *results = arena_new_array(sample->arena, struct tensor, sample->graph->outputs.count);
    for (int64_t j = 0; j < content->count; j++) content->data[j] = base[j] + at[i] * step * direction[j];
    sum += weight[i] * (evaluate(sample, results) ? results[0].data[0] : NAN);
  }
  memcpy(content->data, base, sizeof *base * (size_t)content->count);
  return sum / (12 * step);
}

/* Compares the gradient outputs of the graph with measured slopes of its output 0. */
static void check_slopes(struct sample *sample, const char *what, uint64_t seed) {
  struct graph *graph = sample->graph;
  struct tensor *results = arena_new_array(sample->arena, struct tensor, graph->outputs.count);
  if (!CHECK(evaluate(sample, results))) return;
  for (int i = 1; i < graph->outputs.count; i++) {
    struct content *content = sample_content(sample, graph->outputs.items[i].name, true);
    const struct value *gradient = graph->outputs.items[i].value;
    const struct state *state = NULL;
    for (int j = 0; j < sample->program.states.count; j++)
      if (!strcmp(sample->program.states.items[j]->name, content->name)) state = sample->program.states.items[j];
    if (!CHECK(gradient->axis_count == state->axis_count)) continue;
    double norm = 0;
    for (int64_t j = 0; j < content->count; j++) norm += results[i].data[j] * results[i].data[j];
    norm = sqrt(norm);
    for (int d = 0; d < DIRECTIONS; d++) {
      /* The direction in the state's order of elements and in the gradient's. */
      double *direction = arena_new_array(sample->arena, double, (int)content->count), analytic = 0;
      for (int64_t j = 0; j < content->count; j++) {
        direction[j] = uniform();
        int64_t rest = j, place = 0, index[MAX_AXES];
        for (int k = state->axis_count - 1; k >= 0; k--) {
          index[k] = rest % state->axes[k]->extent;
          rest /= state->axes[k]->extent;
        }
        for (int k = 0; k < gradient->axis_count; k++)
          for (int l = 0; l < state->axis_count; l++)
            if (state->axes[l] == results[i].axes[k]) place = place * state->axes[l]->extent + index[l];
        analytic += direction[j] * results[i].data[place];
      }
      double measured = slope(sample, content, direction, 1e-3), finer = slope(sample, content, direction, 2.5e-4);
      double tolerance = 1e-8 * norm + 1e-9;
      /* Two steps that disagree straddle a kink: there is no slope to compare with. */
      if (!(fabs(measured - finer) <= 0.5 * tolerance)) {
        SKIP("a kink lies in the direction of a measured slope");
        continue;
      }
      if (!CHECK(fabs(measured - analytic) <= tolerance))
        printf("  %s, seed %llu, %s: gradient %.12g, slope %.12g, norm %g\n", what, (unsigned long long)seed,
               content->name, analytic, measured, norm);
    }
  }
}

/* Elements that operations look at: what the passes must not add to. */
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

static void verify(const struct sample *sample, enum stage stage, const char *what, uint64_t seed) {
  const char *error = graph_verify(sample->arena, sample->graph, stage);
  if (!CHECK(!error)) printf("  %s, seed %llu: %s\n", what, (unsigned long long)seed, error);
}

static void check_sample(struct sample *sample, const char *what, uint64_t seed) {
  struct diagnostics *diagnostics = diagnostics_new(sample->arena);
  struct value *loss = sample_add_loss(sample);
  sample->graph->outputs.count = 0;
  graph_add_output(sample->graph, "loss", loss);
  sample_add_gradients(sample, loss);
  if (check_below(2)) {
    pass_inline(sample->graph);
    pass_simplify(sample->graph, SIMPLIFY_ROUNDS);
    pass_common(sample->graph);
    verify(sample, STAGE_LOWERED, what, seed);
  }
  CHECK(pass_autodiff(sample->graph, diagnostics));
  verify(sample, STAGE_DIFFERENTIATED, what, seed);
  pass_inline(sample->graph);
  verify(sample, STAGE_FLAT, what, seed);
  check_slopes(sample, what, seed);
  int64_t before = work(sample->graph);
  pass_simplify(sample->graph, SIMPLIFY_ROUNDS);
  verify(sample, STAGE_FLAT, what, seed);
  pass_common(sample->graph);
  verify(sample, STAGE_FLAT, what, seed);
  CHECK(work(sample->graph) <= before);
  check_slopes(sample, what, seed);
}

/* An indexed update has no derivative, and the message names its place. */
static void check_error(void) {
  struct arena *arena = arena_new();
  int next_axis = 0;
  struct graph *graph = graph_new(arena, "train", &next_axis);
  struct source *source = source_from_text(arena, "x.lam", "cached(k)\n");
  struct axis *axis = axis_new(graph, "past", 4, (struct span){0});
  struct state cache = {.name = "cache", .role = ROLE_CACHE, .axes = &axis, .axis_count = 1};
  struct state weight = {.name = "w", .role = ROLE_PARAMETER};
  struct value *w = build_state(graph, &weight);
  graph->origin.span = (struct span){source, 0, 6};
  struct value *written = build_update(graph, &cache, w, axis, build_integer(graph, 2));
  struct value *loss = build_reduce(graph, OP_reduce_sum, written, &axis, 1);
  graph_add_output(graph, "gradient", build_gradient(graph, loss, w));
  struct diagnostics *diagnostics = diagnostics_new(arena);
  CHECK(!pass_autodiff(graph, diagnostics));
  CHECK(diagnostics->error_count == 1 &&
        strstr(diagnostics->messages.items[0], "x.lam:1:1: error: the loss depends on cache"));
  arena_free(arena);
}

/* A parameter that the loss does not see has the gradient zero, and a stop lets nothing through. */
static void check_zero(void) {
  struct arena *arena = arena_new();
  int next_axis = 0;
  struct graph *graph = graph_new(arena, "train", &next_axis);
  struct axis *axis = axis_new(graph, "a", 3, (struct span){0});
  struct state used = {.name = "used", .axes = &axis, .axis_count = 1},
               unused = {.name = "unused", .axes = &axis, .axis_count = 1};
  struct value *x = build_state(graph, &used), *y = build_state(graph, &unused);
  struct value *loss =
      build_reduce(graph, OP_reduce_sum, build_binary(graph, OP_mul, build_stop(graph, x), x), &axis, 1);
  graph_add_output(graph, "used", build_gradient(graph, loss, x));
  graph_add_output(graph, "unused", build_gradient(graph, loss, y));
  CHECK(pass_autodiff(graph, diagnostics_new(arena)));
  pass_simplify(graph, SIMPLIFY_ROUNDS);
  pass_common(graph);
  CHECK(graph->outputs.items[0].value->op == OP_state); /* d (stop(x) x) = stop(x) = x */
  const struct value *zero = graph->outputs.items[1].value;
  CHECK(zero->op == OP_expand && zero->inputs[0]->op == OP_constant && zero->inputs[0]->number == 0);
  arena_free(arena);
}

int main(void) {
  for (int op = 0; op < OP_COUNT; op++) {
    if (op == OP_gradient || op == OP_update || op == OP_round_random)
      continue; /* the last one's gradient is no slope */
    for (uint64_t seed = 0; seed < 16; seed++) {
      struct arena *arena = arena_new();
      struct sample *sample =
          sample_operation(arena, (enum op)op, seed, SAMPLE_SMOOTH | (seed % 4 == 3 ? SAMPLE_SIZES : 0));
      if (sample->differentiable) check_sample(sample, op_facts[op].name, seed);
      arena_free(arena);
    }
  }
  for (uint64_t seed = 0; seed < 60; seed++) {
    struct arena *arena = arena_new();
    struct sample *sample = sample_graph(arena, 4 + (int)seed % 12, seed, SAMPLE_SMOOTH);
    if (sample->differentiable) check_sample(sample, "graph", seed);
    arena_free(arena);
  }
  check_error();
  check_zero();
  return check_done("autodiff");
}
