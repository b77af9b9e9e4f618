/* Counts of operations and of memory touched, on functions whose counts are known. */
#include "ir/work.h"

#include "codegen/codegen.h"
#include "passes/passes.h"
#include "tests/harness/random_graph.h"
#include "tests/harness/foreign.h"
#include "tests/unit/check.h"

/* --- Functions as text -------------------------------------------------------------------------------------------------- */

static const struct example {
  const char *what, *text;
  double operations, reals, integers;
} examples[] = {
    {"a sum, a multiply-add and a function for each element; x read, y written",
     "function f(real x[100], written real y[100]) {\n"
     "  serial i < 100 {\n"
     "    y[i] = exp(fma(x[i], x[i], 1.0) + x[i])\n"
     "  }\n"
     "}\n",
     400, 200, 0},
    {"lanes behind a guard do nothing; what is changed in place is read and written",
     "function f(written real x[100]) {\n"
     "  serial i < 100 step 16 {\n"
     "    vector lane < 16 {\n"
     "      if lane < 100 - i {\n"
     "        x[i + lane] = x[i + lane] * 2.0\n"
     "      }\n"
     "    }\n"
     "  }\n"
     "}\n",
     100, 200, 0},
    {"what was written before is not fetched; choices and signs are free; an element used by all is one",
     "function f(real x[40], real b[1], written real y[40]) {\n"
     "  let shift = b[0]\n"
     "  parallel row < 8 {\n"
     "    serial i < 5 {\n"
     "      y[row * 5 + i] = where(x[row * 5 + i] < shift, neg(x[row * 5 + i]), abs(shift))\n"
     "    }\n"
     "    serial i_2 < 5 {\n"
     "      y[row * 5 + i_2] = y[row * 5 + i_2] - shift\n"
     "    }\n"
     "  }\n"
     "}\n",
     40, 81, 0},
    {"columns of a matrix, a part of each row",
     "function f(real x[600], written real y[20]) {\n"
     "  serial column < 20 {\n"
     "    register real sum[1]\n"
     "    sum[0] = 0.0\n"
     "    serial row < 12 {\n"
     "      sum[0] = sum[0] + x[row * 50 + column]\n"
     "    }\n"
     "    y[column] = sum[0]\n"
     "  }\n"
     "}\n",
     240, 260, 0},
    {"rows chosen by data: as many as there are indices",
     "function f(integer t[7], real table[1000], written real y[70]) {\n"
     "  serial row < 7 {\n"
     "    let token = t[row]\n"
     "    serial i < 10 {\n"
     "      y[row * 10 + i] = table[index(token) * 10 + i]\n"
     "    }\n"
     "  }\n"
     "}\n",
     0, 140, 7},
    {"but never more than there are",
     "function f(integer t[7], real table[30], written real y[70]) {\n"
     "  serial row < 7 {\n"
     "    let token = t[row]\n"
     "    serial i < 10 {\n"
     "      y[row * 10 + i] = table[index(token) * 10 + i]\n"
     "    }\n"
     "  }\n"
     "}\n",
     0, 100, 7},
    {"below the diagonal",
     "function f(real x[10000], written real y[100]) {\n"
     "  serial i < 100 {\n"
     "    register real sum[1]\n"
     "    sum[0] = 0.0\n"
     "    serial j < i + 1 {\n"
     "      sum[0] = sum[0] + x[i * 100 + j]\n"
     "    }\n"
     "    y[i] = sum[0]\n"
     "  }\n"
     "}\n",
     5050, 10100, 0},
    {"tasks taken apart by division, the last column of which is short",
     "function f(real x[2800], written real y[2800]) {\n"
     "  parallel task < 12 {\n"
     "    let row = task % 4\n"
     "    let column = task // 4\n"
     "    serial r < 10 {\n"
     "      serial i < min(70 - column * 30, 30) {\n"
     "        y[row * 700 + r * 70 + column * 30 + i] = x[row * 700 + r * 70 + column * 30 + i] + 1.0\n"
     "      }\n"
     "    }\n"
     "  }\n"
     "}\n",
     2800, 5600, 0},
    {"lanes that are computed but not stored do not count; a fold does",
     "function f(real x[5], written real y[6]) {\n"
     "  register real sum[16]\n"
     "  vector lane < 16 {\n"
     "    sum[lane] = 0.0\n"
     "  }\n"
     "  serial k < 10 {\n"
     "    vector lane_2 < 16 {\n"
     "      sum[lane_2] = fma(2.0, sum[lane_2], sum[lane_2])\n"
     "    }\n"
     "  }\n"
     "  vector lane_3 < 16 {\n"
     "    if lane_3 < 5 {\n"
     "      y[lane_3] = sum[lane_3]\n"
     "    }\n"
     "  }\n"
     "  register real all[8]\n"
     "  vector lane_4 < 8 {\n"
     "    all[lane_4] = 1.0\n"
     "  }\n"
     "  y[5] = fold.add(all[0], 8)\n"
     "}\n",
     107, 6, 0},
};

static void check_example(const struct example *example) {
  struct arena *arena = arena_new();
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct module *module = module_read(arena, source_from_text(arena, example->what, example->text), diagnostics);
  if (CHECK(module != NULL)) {
    const struct function *function = module->functions.items[0];
    double numbers[8] = {0}, moved[STORAGE_COUNT];
    int64_t counts[8] = {0};
    for (int i = 0; i < function->parameters.count; i++) counts[i] = function->parameters.items[i].array->count;
    function_traffic(arena, function, numbers, counts, moved);
    bool right = CHECK_NEAR(function_operations(arena, function, numbers), example->operations, 0);
    right &= CHECK_NEAR(moved[STORAGE_REAL], example->reals, 0);
    right &= CHECK_NEAR(moved[STORAGE_I32], example->integers, 0);
    if (!right) printf("  %s\n", example->what);
  } else {
    diagnostics_print(diagnostics, stdout);
  }
  arena_free(arena);
}

/* --- Contractions ------------------------------------------------------------------------------------------------------- */

/* c[m, n] = sum over k of a[m, k] b[k, n] by every target's schedules: 2 m n k operations however it is cut, and where few rows are
   summed along vectors, the folds of these. Three matrices move, those that are packed three times. */
static void check_contraction(const struct target *target, int64_t m, int64_t k, int64_t n) {
  struct arena *arena = arena_new();
  struct program program = {.arena = arena, .name = "work"};
  struct graph *graph = program.predict = graph_new(arena, "predict", &program.next_axis);
  struct axis *rows = axis_new(graph, "m", m, (struct span){0}), *inner = axis_new(graph, "k", k, (struct span){0});
  struct axis *columns = axis_new(graph, "n", n, (struct span){0}), *a[] = {rows, inner}, *b[] = {inner, columns};
  struct value *x = build_input(graph, "a", KIND_REAL, NULL, a, 2), *y = build_input(graph, "b", KIND_REAL, NULL, b, 2);
  graph_add_output(graph, "c", build_contract(graph, x, y, &inner, 1));
  struct pass_options options = {.pipeline = "default", .target = target};
  struct module *module = run_schedules(&program, &options, diagnostics_new(arena));
  double operations = 0, moved = 0, exact = 2 * (double)(m * n * k), least = (double)(m * k + k * n + m * n);
  for (int i = 0; i < module->routines.items[0]->launches.count; i++) {
    struct work work = launch_work(arena, module->routines.items[0]->launches.items[i], NULL);
    operations += work.operations;
    moved += work.moved[STORAGE_REAL];
  }
  double folds = (double)(m * n) * 4 * target->lanes, most = least + 2 * 2 * (double)(k * (n + 64) + m * k);
  bool right = CHECK(operations >= exact && operations <= exact + (m > 8 ? 0 : folds));
  right &= CHECK(moved >= least && moved <= most);
  if (!right)
    printf("  target %s, %lld x %lld x %lld: %.0f operations for %.0f, %.0f elements of at least %.0f\n", target->name,
           (long long)m, (long long)k, (long long)n, operations, exact, moved, least);
  arena_free(arena);
}

int main(void) {
  static const int64_t shapes[][3] = {{64, 64, 64},  {96, 128, 65}, {13, 37, 27}, {100, 8, 3},    {24, 1000, 40},
                                      {50, 33, 640}, {1, 64, 96},   {4, 33, 17},  {768, 128, 384}};
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) check_example(&examples[i]);
  for (int i = 0; tested_target(i); i++)
    for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++)
      check_contraction(tested_target(i), shapes[j][0], shapes[j][1], shapes[j][2]);
  return check_done("work");
}
