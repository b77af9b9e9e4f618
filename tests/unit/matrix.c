/* Products of matrices (STATEMENT_MULTIPLY): compiled for targets without and with instructions for whole tiles, for every row of dots.def
   and sizes with all kinds of tails, the C gives what the loop interpreter gives. The numbers are small and whole, so every order of a sum
   gives the same. */
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "tests/unit/check.h"

struct sizes {
  int rows, columns, depth;
  bool begun;
};
static const struct sizes sizes[] = {
    {1, 1, 1, false},    {16, 16, 32, false}, {32, 32, 64, true},  {17, 33, 31, true},
    {4, 48, 100, false}, {64, 64, 7, false},  {50, 15, 129, true}, {33, 64, 256, false},
    {70, 65, 66, true},  {64, 61, 40, false}, {64, 61, 40, true},
};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* A row of dots.def. */
struct pair {
  const char *name;
  int group;
  enum storage a, b;
};
static const struct pair pairs[] = {
#define DOT(name, count, x, y) {#name, count, STORAGE_##x, STORAGE_##y},
#include "ir/dots.def"
};

/* Rows are a little further apart than they are long; those of 61 sums begin with lines of the cache. */
enum { APART = 3, MOST = 1 << 15 };

static struct arena *arena;

static const struct expression *number(int64_t x) { return expression_index(arena, x); }

static int b_step_of(const struct pair *dot, struct sizes s) { return (s.columns + APART) * dot->group; }

static struct function *product(const struct pair *dot, int size) {
  const struct sizes s = sizes[size];
  struct function *function = function_new(arena, arena_format(arena, "%s_%d", dot->name, size));
  const bool is_real = storage_kind(dot->a) == KIND_REAL;
  const enum type type = is_real ? TYPE_REAL : TYPE_INTEGER;
  struct array *c = function_add_pointer(arena, function, "c", type, 0, true, NULL);
  struct array *a = function_add_pointer(arena, function, "a", type, 0, false, NULL);
  struct array *b = function_add_pointer(arena, function, "b", type, 0, false, NULL);
  a->storage = dot->a, b->storage = dot->b;
  const struct argument arguments[MULTIPLY_ARGUMENTS] = {
      {c, number(0)},          {NULL, number(s.columns + APART)},
      {a, number(0)},          {NULL, number(s.depth + APART)},
      {b, number(0)},          {NULL, number(b_step_of(dot, s))},
      {NULL, number(s.rows)},  {NULL, number(s.columns)},
      {NULL, number(s.depth)}, {NULL, number(s.begun ? 2 : 0)}, /* how often it went on does not matter */

      {NULL, number(!s.begun)}};
  block_multiply(arena, &function->body, arguments);
  CHECK_STRING(function_verify(arena, function), NULL);
  return function;
}

static uint64_t draws;
static double draw(enum storage storage) {
  const double x = (double)((draws = draws * 6364136223846793005u + 1442695040888963407u) >> 33 & 255);
  return storage == STORAGE_U8 ? x : x - 128;
}

/* The bits that memory has of the number. */
static void put(void *memory, enum storage storage, int at, double x) {
  const float single = (float)x;
  uint32_t wide;
  memcpy(&wide, &single, sizeof wide);
  if (storage == STORAGE_BF16)
    ((uint16_t *)memory)[at] = (uint16_t)(wide >> 16);
  else
    ((uint8_t *)memory)[at] = (uint8_t)(int)x;
}

static void *load(const char *folder, const struct target *target, const struct module *module, const char *compiler) {
  const char *file = arena_format(arena, "%s/%s-%s", folder, target->name, compiler);
  FILE *out = fopen(arena_format(arena, "%s.c", file), "w");
  if (!CHECK(out != NULL)) return NULL;
  fputs(emit_functions(arena, module, target), out);
  fclose(out);
  const char *command = arena_format(arena, "%s -std=c11 -O2 -Wall -Wextra -Werror -shared -fPIC %s.c -o %s.so -lm",
                                     compiler, file, file);
  if (!CHECK(system(command) == 0)) return NULL;
  return dlopen(arena_format(arena, "%s.so", file), RTLD_NOW | RTLD_LOCAL);
}

static void check_product(const struct target *target, void *library, const struct function *function,
                          const struct pair *dot, struct sizes s) {
  typedef void (*compiled)(void *c, const void *a, const void *b);
  static double memory[3][MOST], c_double[MOST];
  static _Alignas(64) float c_float[MOST];
  static _Alignas(64) int32_t c_int[MOST];
  static uint16_t a[MOST], b[MOST];
  for (int i = 0; i < MOST; i++) {
    const bool is_behind = i / b_step_of(dot, s) * dot->group + i % dot->group >= s.depth;
    memory[0][i] = draw(STORAGE_I8), memory[1][i] = draw(dot->a), memory[2][i] = is_behind ? 0 : draw(dot->b);
    c_double[i] = memory[0][i], c_float[i] = (float)memory[0][i], c_int[i] = (int32_t)memory[0][i];
    put(a, dot->a, i, memory[1][i]), put(b, dot->b, i, memory[2][i]);
  }
  struct loop_memory given[3];
  struct loop_argument arguments[3];
  for (int i = 0; i < 3; i++) {
    given[i] = (struct loop_memory){memory[i], NULL, MOST};
    arguments[i] = (struct loop_argument){.memory = &given[i]};
  }
  CHECK_STRING(function_interpret(arena, function, arguments), NULL);
  void *symbol = dlsym(library, function->name);
  if (!CHECK(symbol != NULL)) return;
  compiled call;
  memcpy(&call, &symbol, sizeof call);
  const bool is_real = storage_kind(dot->a) == KIND_REAL;
  call(!is_real ? (void *)c_int : target->double_precision ? (void *)c_double : (void *)c_float, a, b);
  int wrong = 0;
  for (int i = 0; i < MOST; i++)
    wrong += (!is_real ? c_int[i] : target->double_precision ? c_double[i] : (double)c_float[i]) != memory[0][i];
  if (!CHECK(wrong == 0)) printf("  %d elements of %s by %s\n", wrong, function->name, target->name);
}

static void check_target(const char *folder, const char *name) {
  const char *problem;
  const struct target *target = target_read(arena, name, &problem);
  struct module module = {.arena = arena, .name = "matrix"};
  for (int i = 0; i < DOT_COUNT; i++)
    for (int j = 0; j < SIZES; j++) array_push(arena, &module.functions, product(&pairs[i], j));
  if (!target_runs_here(target)) {
    SKIP(arena_format(arena, "no %s here", name));
    return;
  }
  for (int by = 0; by < 2; by++) {
    void *library = load(folder, target, &module, by ? "clang-19" : "gcc");
    if (!CHECK(library != NULL)) return;
    for (int i = 0; i < DOT_COUNT; i++)
      for (int j = 0; j < SIZES; j++)
        check_product(target, library, module.functions.items[i * SIZES + j], &pairs[i], sizes[j]);
    dlclose(library);
  }
}

int main(void) {
  char folder[] = "/tmp/lamella-matrix-XXXXXX";
  arena = arena_new();
  if (!CHECK(mkdtemp(folder) != NULL)) return check_done("matrix");
  check_target(folder, "portable");
  check_target(folder, "reference");
  check_target(folder, "avx512+amx");
  if (!check_totals.failed) CHECK(system(arena_format(arena, "rm -r %s", folder)) == 0);
  arena_free(arena);
  return check_done("matrix");
}
