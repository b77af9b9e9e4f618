/* A branch that is not taken has no effect on gradients. Random expressions that `where` guards, on numbers that make
   them NaN where they are not taken, are compared with the gradients of the same expressions alone. */
#include "passes/passes.h"
#include "ir/interpret.h"
#include "ir/program.h"
#include "tests/unit/check.h"

enum { ROWS = 4, COLUMNS = 5, COUNT = ROWS * COLUMNS, MOST = 24 };

struct trial {
  struct arena *arena;
  struct graph *graph;
  struct axis *row, *column, *other, *flat;
  struct state x, chosen;
  double numbers[COUNT], choices[COUNT];
  uint64_t random; /* of the expression: the same one is built in two graphs */
};

static int below(struct trial *trial, int limit) {
  trial->random = trial->random * 6364136223846793005u + 1442695040888963407u;
  return (int)((trial->random >> 33) % (uint64_t)limit);
}

static double *find_state(void *context, const struct state *state) {
  struct trial *trial = context;
  return !strcmp(state->name, "x") ? trial->numbers : trial->choices;
}

/* Keeps the axes [row, column], [row] or none. */
static struct value *operation(struct trial *trial, struct value *const *pool, int count, bool rows) {
  static const enum op unary[] = {OP_neg, OP_abs, OP_exp, OP_log, OP_sqrt, OP_rsqrt, OP_tanh, OP_erf, OP_sin, OP_cos};
  static const enum op binary[] = {OP_add, OP_sub, OP_mul, OP_div, OP_max, OP_min, OP_div, OP_mul, OP_pow};
  static const double numbers[] = {0.5, -1, -0.5, 1.5, 3, 2, 1, 0, -2, 4};
  struct graph *graph = trial->graph;
  struct value *x = pool[below(trial, count)], *y = pool[below(trial, count)];
  struct value *number = build_constant(graph, numbers[below(trial, 10)]);
  switch (below(trial, 10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return build_unary(graph, unary[below(trial, 10)], x);
    case 4:
    case 5:
      return build_binary(graph, binary[below(trial, 9)], x, y);
    case 6:
      return build_binary(graph, binary[below(trial, 9)], x, number);
    case 7:
      return build_binary(graph, binary[below(trial, 8)], number, x);
    case 8:
      if (!value_has_axis(x, trial->column)) return build_unary(graph, OP_sqrt, x);
      if (below(trial, 2))
        return build_rename(graph, build_rename(graph, x, trial->column, trial->other), trial->other, trial->column);
      struct axis *factors[] = {trial->row, trial->column};
      x = build_unary(graph, unary[below(trial, 10)], build_merge(graph, x, factors, 2, trial->flat));
      return build_split(graph, x, trial->flat, factors, 2);
    default:
      if (!rows || !value_has_axis(x, trial->column))
        return build_where(graph, build_binary(graph, OP_lt, x, number), x, y);
      return build_reduce(graph, below(trial, 4) ? OP_reduce_sum : OP_reduce_max, x, &trial->column, 1);
  }
}

/* The gradient by x of the sum of an expression, or of where(chosen, expression, 2 x). */
static bool gradient(struct trial *trial, uint64_t seed, bool rows, bool guarded, bool simplified, double *result) {
  int next_axis = 0;
  struct arena *arena = trial->arena = arena_new();
  struct graph *graph = trial->graph = graph_new(arena, "train", &next_axis);
  trial->row = axis_new(graph, "row", ROWS, (struct span){0});
  trial->column = axis_new(graph, "column", COLUMNS, (struct span){0});
  trial->other = axis_new(graph, "other", COLUMNS, (struct span){0});
  trial->flat = axis_new(graph, "flat", COUNT, (struct span){0});
  struct axis *axes[] = {trial->row, trial->column};
  trial->x = (struct state){.name = "x", .axes = axes, .axis_count = 2};
  trial->chosen = (struct state){.name = "chosen", .axes = axes, .axis_count = rows ? 1 : 2};
  trial->random = seed;
  struct value *pool[MOST] = {build_state(graph, &trial->x)}, *x = pool[0];
  int operations = 2 + below(trial, 12), count = 1;
  for (int i = 0; i < operations; i++, count++) pool[count] = operation(trial, pool, count, rows);
  struct value *y = build_expand(graph, pool[count - 1], axes, 2);
  if (guarded) {
    struct value *chosen = build_binary(graph, OP_lt, build_constant(graph, 0.5), build_state(graph, &trial->chosen));
    y = build_where(graph, chosen, y, build_binary(graph, OP_mul, x, build_constant(graph, 2)));
  }
  struct value *loss = build_reduce(graph, OP_reduce_sum, y, axes, 2);
  graph_add_output(graph, "gradient", build_gradient(graph, loss, x));
  if (simplified) pass_simplify(graph, SIMPLIFY_ROUNDS), pass_common(graph);
  CHECK(pass_autodiff(graph, diagnostics_new(arena)));
  if (simplified) pass_simplify(graph, SIMPLIFY_ROUNDS), pass_common(graph);
  const char *error = graph_verify(arena, graph, STAGE_DIFFERENTIATED);
  if (!CHECK(!error)) printf("  %s\n", error);
  struct environment environment = {.arena = arena, .seed = 1, .state = find_state, .context = trial};
  struct tensor tensor;
  bool good = CHECK(!graph_interpret(graph, &environment, &tensor, NULL)) && CHECK(tensor.axis_count == 2);
  for (int i = 0; i < COUNT && good; i++)
    result[i] = tensor.data[tensor.axes[0] == trial->row ? i : i % COLUMNS * ROWS + i / COLUMNS];
  arena_free(arena);
  return good;
}

static int compared;

static void check_expression(uint64_t seed) {
  static const double nasty[] = {0, -0.0, -1, INFINITY, -INFINITY, NAN, 1e300, -1e300, 5e-324, 1};
  struct trial trial = {0};
  bool rows = check_below(2), simplified = check_below(2);
  double guarded[COUNT], alone[COUNT], tame[COUNT];
  int choices = rows ? ROWS : COUNT;
  for (int i = 0; i < choices; i++) trial.choices[i] = check_below(2);
  for (int i = 0; i < COUNT; i++) {
    tame[i] = 0.2 + check_below(1000) * 0.002;
    trial.numbers[i] = trial.choices[rows ? i / COLUMNS : i] != 0 ? tame[i] : nasty[check_below(10)];
  }
  if (!gradient(&trial, seed, rows, true, simplified, guarded)) return;
  memcpy(trial.numbers, tame, sizeof tame);
  if (!gradient(&trial, seed, rows, false, simplified, alone)) return;
  for (int i = 0; i < COUNT; i++) {
    bool taken = trial.choices[rows ? i / COLUMNS : i] != 0;
    double expected = taken ? alone[i] : 2;
    if (taken && !isfinite(expected)) continue; /* an expression that is not finite itself */
    compared += taken;
    if (!CHECK(guarded[i] == expected || fabs(guarded[i] - expected) <= 1e-9 * (1 + fabs(expected))))
      printf("  expression %llu, %s, element %d, %s: %.17g, alone %.17g\n", (unsigned long long)seed,
             rows ? "rows" : "elements", i, taken ? "taken" : "not taken", guarded[i], expected);
  }
}

/* A value that is also used unguarded keeps its infinite slope: where(c, s, 0) + s with s = sqrt(0). */
static void check_shared(void) {
  struct arena *arena = arena_new();
  int next_axis = 0;
  struct graph *graph = graph_new(arena, "train", &next_axis);
  struct trial trial = {.x = {.name = "x"}, .chosen = {.name = "chosen"}};
  struct value *x = build_state(graph, &trial.x), *root = build_unary(graph, OP_sqrt, x),
               *zero = build_constant(graph, 0);
  struct value *chosen = build_binary(graph, OP_lt, zero, build_state(graph, &trial.chosen));
  struct value *guarded = build_where(graph, chosen, root, zero);
  struct value *both = build_binary(graph, OP_add, guarded, root);
  graph_add_output(graph, "guarded", build_gradient(graph, guarded, x));
  graph_add_output(graph, "both", build_gradient(graph, both, x));
  CHECK(pass_autodiff(graph, diagnostics_new(arena)));
  struct environment environment = {.arena = arena, .seed = 1, .state = find_state, .context = &trial};
  struct tensor tensors[2];
  CHECK(!graph_interpret(graph, &environment, tensors, NULL));
  CHECK(tensors[0].data[0] == 0 && tensors[1].data[0] == INFINITY);
  arena_free(arena);
}

/* A gradient of a gradient: f = where(0 < x, sqrt(x) + log(x), x^3) has f'' = -x^-1.5 / 4 - x^-2 and 6 x. */
static void check_second(void) {
  struct arena *arena = arena_new();
  int next_axis = 0;
  struct graph *graph = graph_new(arena, "train", &next_axis);
  struct axis *axis = axis_new(graph, "a", 4, (struct span){0});
  struct trial trial = {.x = {.name = "x", .axes = &axis, .axis_count = 1}, .numbers = {0, -1, 1, 4}};
  struct value *x = build_state(graph, &trial.x), *zero = build_constant(graph, 0);
  struct value *root = build_binary(graph, OP_add, build_unary(graph, OP_sqrt, x), build_unary(graph, OP_log, x));
  struct value *cube = build_binary(graph, OP_pow, x, build_constant(graph, 3));
  struct value *y = build_where(graph, build_binary(graph, OP_lt, zero, x), root, cube);
  struct value *slope = build_gradient(graph, build_reduce(graph, OP_reduce_sum, y, &axis, 1), x);
  graph_add_output(graph, "second", build_gradient(graph, build_reduce(graph, OP_reduce_sum, slope, &axis, 1), x));
  CHECK(pass_autodiff(graph, diagnostics_new(arena)));
  struct environment environment = {.arena = arena, .seed = 1, .state = find_state, .context = &trial};
  struct tensor tensor;
  static const double expected[] = {0, -6, -1.25, -0.09375};
  CHECK(!graph_interpret(graph, &environment, &tensor, NULL));
  for (int i = 0; i < 4; i++) CHECK_NEAR(tensor.data[i], expected[i], 1e-14);
  arena_free(arena);
}

int main(void) {
  for (int i = 0; i < 3000; i++) check_expression(check_random());
  CHECK(compared > 10000);
  check_shared();
  check_second();
  return check_done("autodiff_branches");
}
