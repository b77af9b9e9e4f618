/* The elementary functions of emitted code are within two units in the last place of the C library's in double, at
   special values too. A vector gives the same bits as its numbers one by one, and gcc the same as clang. */
#include <dlfcn.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "tests/harness/foreign.h"
#include "tests/unit/check.h"

enum { COUNT = 1 << 14, ROUNDS = 13 };

struct function_case {
  enum op op;
  double (*exact)(double);
};

static double rsqrt_exact(double x) { return 1 / sqrt(x); }
static const struct function_case cases[] = {
#define FUNCTION(name) {OP_##name, name},
#include "codegen/simd.def"
    {OP_rsqrt, rsqrt_exact}, {OP_sqrt, sqrt}};
enum { CASES = sizeof cases / sizeof *cases };

/* y[i] = op(x[i]), one by one or as guarded vectors. */
static struct function *map(struct arena *arena, const struct target *target, enum op op, bool vector) {
  struct function *function =
      function_new(arena, arena_format(arena, "map_%s%s", op_facts[op].name, vector ? "_vector" : ""));
  struct array *x = function_add_pointer(arena, function, "x", TYPE_REAL, 0, false, NULL);
  struct array *y = function_add_pointer(arena, function, "y", TYPE_REAL, 0, true, NULL);
  const struct expression *n = expression_variable(arena, function_add_number(arena, function, "n", TYPE_INDEX));
  struct statement *loop = block_loop(arena, &function->body, LOOP_SERIAL, "i", n);
  const struct expression *at = expression_variable(arena, loop->variable);
  struct block *block = &loop->body;
  if (vector) {
    loop->step = target->lanes;
    struct statement *lanes = block_loop(arena, block, LOOP_VECTOR, "lane", expression_index(arena, target->lanes));
    at = index_add(arena, at, expression_variable(arena, lanes->variable));
    block = &block_if(arena, &lanes->body, expression_apply(arena, OP_lt, at, n, NULL))->body;
  }
  block_store(arena, block, y, at, expression_apply(arena, op, expression_load(arena, x, at), NULL, NULL));
  return function;
}

typedef void mapping(const float *, float *, int64_t);

static mapping *find(void *handle, enum op op, bool vector) {
  char name[64];
  snprintf(name, sizeof name, "map_%s%s", op_facts[op].name, vector ? "_vector" : "");
  void *code = dlsym(handle, name);
  mapping *function;
  memcpy(&function, &code, sizeof code);
  return function;
}

/* How many units in the last place of a float `got` is off. */
static double distance(float got, double exact) {
  if (isnan(exact)) return isnan(got) ? 0 : INFINITY;
  if (isnan(got)) return INFINITY;
  double largest = 3.4028234663852886e38, halfway = 3.4028235677973366e38;
  if (isinf(got))
    return (fabs(exact) > halfway && (exact > 0) == (got > 0)) ? 0 : fabs(exact) > largest * 0.9999998 ? 1 : INFINITY;
  if (fabs(exact) > halfway) return got >= (float)largest ? 1 : INFINITY;
  int exponent;
  frexp(exact, &exponent);
  return fabs(got - exact) / ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
}

static void fill(float *x, int round) {
  static const double widths[ROUNDS] = {0, 0, 0.01, 0.5, 1, 1.5, 3, 5, 10, 100, 200, 1e4, 1e5};
  static const float special[] = {0.0f,      -0.0f,   INFINITY, -INFINITY, NAN,     1e-45f,     -1e-45f,
                                  1e-38f,    3.4e38f, -3.4e38f, 88.72f,    88.73f,  -103.9f,    -104.0f,
                                  -87.34f,   1.0f,    -1.0f,    1e5f,      100001,  -1e6f,      1e30f,
                                  0.921875f, 0.3f,    4.0f,     9.0f,      9.0109f, 0.70710678f};
  for (int i = 0; i < COUNT; i++) {
    uint64_t random = check_random();
    uint32_t bits = (uint32_t)random;
    if (widths[round] == 0)
      memcpy(&x[i], &bits, sizeof bits);
    else
      x[i] = (float)(((double)(random >> 11) / 9007199254740992.0 * 2 - 1) * widths[round]);
  }
  memcpy(x, special, sizeof special);
}

static void check_library(void *handle, void *other, const char *name) {
  static float x[COUNT], y[COUNT], vector[COUNT], again[COUNT];
  for (int c = 0; c < CASES; c++) {
    mapping *plain = find(handle, cases[c].op, false), *lanes = find(handle, cases[c].op, true);
    mapping *same = other ? find(other, cases[c].op, true) : NULL;
    double worst = 0;
    float at = 0;
    int differing = 0, compilers = 0;
    for (int round = 0; round < ROUNDS; round++) {
      int count = COUNT - round; /* so that there are tails */
      fill(x, round);
      plain(x, y, count);
      lanes(x, vector, count);
      if (same) same(x, again, count);
      for (int i = 0; i < count; i++) {
        bool both_nan = isnan(y[i]) && isnan(vector[i]);
        differing += !both_nan && memcmp(&y[i], &vector[i], sizeof *y) != 0;
        if (same) compilers += !(isnan(again[i]) && both_nan) && memcmp(&y[i], &again[i], sizeof *y) != 0;
        double off = distance(y[i], cases[c].exact(x[i]));
        if (off > worst) worst = off, at = x[i];
      }
    }
    if (!CHECK(worst <= 2.02)) printf("  %s %s: %.3f units off at %.9g\n", name, op_facts[cases[c].op].name, worst, at);
    if (!CHECK(differing == 0)) printf("  %s %s: %d vectors differ\n", name, op_facts[cases[c].op].name, differing);
    if (!CHECK(compilers == 0))
      printf("  %s %s: compilers differ %d times\n", name, op_facts[cases[c].op].name, compilers);
  }
}

int main(void) {
  char folder[] = "/tmp/lamella-math-XXXXXX";
  if (!mkdtemp(folder)) return 1;
  struct arena *arena = arena_new();
  for (int t = 0; target_at(t); t++) {
    const struct target *target = target_at(t);
    if (target->double_precision) continue;
    if (!target_runs_in_tests(target)) {
      SKIP(arena_format(arena, "this machine does not run %s", target->name));
      continue;
    }
    struct module module = {.arena = arena, .name = "maps"};
    for (int c = 0; c < CASES; c++)
      for (int vector = 0; vector < 2; vector++)
        array_push(arena, &module.functions, map(arena, target, cases[c].op, vector));
    const char *file = arena_format(arena, "%s/%s.c", folder, target->name);
    FILE *out = fopen(file, "w");
    if (!CHECK(out != NULL)) continue;
    fputs(emit_functions(arena, &module, target), out);
    fclose(out);
    static const char *const compilers[] = {"gcc", "clang-19"};
    void *handles[2] = {NULL, NULL};
    for (int c = 0; c < 2; c++) {
      if (system(arena_format(arena, "command -v %s > /dev/null", compilers[c])) != 0) {
        SKIP(arena_format(arena, "no %s", compilers[c]));
        continue;
      }
      const char *library = arena_format(arena, "%s/%s-%s.so", folder, target->name, compilers[c]);
      CHECK(system(arena_format(arena, "%s -std=c11 -O2 -Wall -Wextra -Werror%s -shared -fPIC -o %s %s -lm",
                                compilers[c], target_option_text(arena, target), library, file)) == 0);
      handles[c] = dlopen(library, RTLD_NOW | RTLD_LOCAL);
      CHECK(handles[c] != NULL);
    }
    if (handles[0])
      check_library(handles[0], handles[1], target->name);
    else if (handles[1])
      check_library(handles[1], NULL, target->name);
  }
  if (!check_totals.failed && system(arena_format(arena, "rm -r %s", folder)) != 0) return 1;
  arena_free(arena);
  return check_done("math_accuracy");
}
