/* How fast emitted contractions are: for the shapes that training and decoding meet, in each layout, GFLOP/s and the share of the
   machine's measured peak of multiply-adds, on as many threads as OMP_NUM_THREADS says. bench/contract.sh builds and runs it.

   contract [TARGET [M K N]]: c[m, n] = sum over k of x[m, k] w[k, n], x[m, k] w[n, k], and x[k, m] y[k, n]. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "passes/passes.h"
#include "tests/harness/run_module.h"

enum { ROUNDS = 7 };

struct shape {
  int64_t m, k, n;
};
static const struct shape usual[] = {
    {768, 128, 384}, {768, 128, 512}, {768, 512, 128}, {768, 128, 65},   {256, 768, 2304}, {256, 768, 3072},
    {256, 3072, 768}, {512, 512, 512}, {4096, 384, 1536}, {16, 384, 384}, {1, 768, 2048},
};

static const char *const layouts[] = {"x[m,k] w[k,n]", "x[m,k] w[n,k]", "x[k,m] y[k,n]"};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static struct program *program_of(struct arena *arena, struct shape shape, int layout) {
  struct program *program = arena_new_struct(arena, struct program);
  program->arena = arena;
  program->name = "contract";
  struct graph *g = program->predict = graph_new(arena, "predict", &program->next_axis);
  struct span nowhere = {0};
  struct axis *m = axis_new(g, "m", shape.m, nowhere), *k = axis_new(g, "k", shape.k, nowhere), *n = axis_new(g, "n", shape.n, nowhere);
  struct axis *left[] = {layout == 2 ? k : m, layout == 2 ? m : k}, *right[] = {layout == 1 ? n : k, layout == 1 ? k : n};
  struct value *x = build_input(g, "x", KIND_REAL, NULL, left, 2), *w = build_input(g, "w", KIND_REAL, NULL, right, 2);
  graph_add_output(g, "y", build_contract(g, x, w, &k, 1));
  return program;
}

static void *compile(struct arena *arena, const char *folder, const char *source, const char *flags) {
  const char *file = arena_format(arena, "%s/contract.c", folder), *library = arena_format(arena, "%s/contract.so", folder);
  FILE *out = fopen(file, "w");
  if (!out) return NULL;
  fputs(source, out);
  fclose(out);
  if (system(arena_format(arena, "cc -std=c11 -O2 %s -fopenmp -shared -fPIC -o %s %s -lm", flags, library, file)) != 0) return NULL;
  return dlopen(library, RTLD_NOW | RTLD_LOCAL);
}

/* Multiply-adds that depend on nothing but registers: the peak of one thread times the number of threads. */
static const char peak_source[] =
    "#include <stdint.h>\n"
    "#ifdef __AVX512F__\n"
    "enum { LANES = 16 };\n"
    "#else\n"
    "enum { LANES = 8 };\n"
    "#endif\n"
    "typedef float wide __attribute__((vector_size(LANES * 4)));\n"
    "int bench_lanes(void) { return LANES; }\n"
    "float bench_peak(int64_t count) {\n"
    "  float total = 0;\n"
    "#pragma omp parallel reduction(+ : total)\n"
    "  {\n"
    "    wide x = {0.999f}, y = {0.001f}, a = x, b = a + x, c = b + x, d = c + x, e = d + x, f = e + x, g = f + x, h = g + x;\n"
    "    wide i = h + x, j = i + x;\n"
    "    for (int64_t n = 0; n < count; n++) {\n"
    "      a = a * x + y, b = b * x + y, c = c * x + y, d = d * x + y, e = e * x + y;\n"
    "      f = f * x + y, g = g * x + y, h = h * x + y, i = i * x + y, j = j * x + y;\n"
    "    }\n"
    "    a = a + b + c + d + e + f + g + h + i + j;\n"
    "    for (int lane = 0; lane < LANES; lane++) total += a[lane];\n"
    "  }\n"
    "  return total;\n"
    "}\n";

static int ascending(const void *x, const void *y) { return (*(const double *)x > *(const double *)y) - (*(const double *)x < *(const double *)y); }

struct timed {
  compiled_routine *routine;
  void **memory;
  float (*peak)(int64_t);
  int64_t repeats, peak_count;
  double seconds[ROUNDS], peak_seconds[ROUNDS];
};

/* The peak and the product take turns, so that both see the same machine. */
static void measure(struct timed *timed) {
  timed->repeats = 1;
  for (double spent = 0; spent < 0.02; timed->repeats *= 2) {
    double start = now();
    for (int64_t i = 0; i < timed->repeats; i++) timed->routine(timed->memory, NULL);
    spent = now() - start;
  }
  for (int round = 0; round < ROUNDS; round++) {
    double start = now();
    for (int64_t i = 0; i < timed->repeats; i++) timed->routine(timed->memory, NULL);
    timed->seconds[round] = (now() - start) / (double)timed->repeats;
    start = now();
    timed->peak(timed->peak_count);
    timed->peak_seconds[round] = now() - start;
  }
  qsort(timed->seconds, ROUNDS, sizeof *timed->seconds, ascending);
  qsort(timed->peak_seconds, ROUNDS, sizeof *timed->peak_seconds, ascending);
}

static void bench(struct shape shape, int layout, const struct target *target, const char *folder, float (*peak)(int64_t), int lanes, int threads) {
  struct arena *arena = arena_new();
  struct program *program = program_of(arena, shape, layout);
  struct pass_options options = {.pipeline = "fuse,plan", .target = target};
  struct module *module = run_schedules(program, &options, diagnostics_new(arena));
  const struct routine *routine = module->routines.items[0];
  const char *own = arena_format(arena, "%s/%lld-%lld-%lld-%d", folder, (long long)shape.m, (long long)shape.k, (long long)shape.n, layout);
  if (system(arena_format(arena, "mkdir -p %s", own)) != 0) exit(1);
  void *handle = compile(arena, own, arena_format(arena, "%s\n%s", emit_functions(arena, module, target),
                                                  caller_text(arena, module, routine, "bench_run", target->double_precision)), "");
  if (!handle) exit(1);
  struct timed timed = {.peak = peak, .peak_count = 2000000};
  void *code = dlsym(handle, "bench_run");
  memcpy(&timed.routine, &code, sizeof code);
  timed.memory = arena_new_array(arena, void *, module->buffers.count);
  for (int i = 0; i < module->buffers.count; i++) {
    size_t count = (size_t)module->buffers.items[i]->count;
    if (posix_memalign(&timed.memory[i], 64, count * sizeof(double)) != 0) exit(1);
    for (size_t j = 0; j < count; j++) {
      if (target->double_precision) ((double *)timed.memory[i])[j] = 0.01 * (double)(j % 97);
      else ((float *)timed.memory[i])[j] = 0.01f * (float)(j % 97);
    }
  }
  measure(&timed);
  double flops = 2.0 * (double)shape.m * (double)shape.k * (double)shape.n;
  double peak_rate = 2.0 * 10 * lanes * (double)timed.peak_count * threads / timed.peak_seconds[ROUNDS / 2] * 1e-9;
  double rate = flops / timed.seconds[ROUNDS / 2] * 1e-9;
  printf("%6lld %6lld %6lld  %-14s %9.3f ms %8.1f GFLOP/s  %5.1f%% of %.0f\n", (long long)shape.m, (long long)shape.k, (long long)shape.n,
         layouts[layout], timed.seconds[ROUNDS / 2] * 1e3, rate, 100 * rate / peak_rate, peak_rate);
  fflush(stdout);
  for (int i = 0; i < module->buffers.count; i++) free(timed.memory[i]);
  dlclose(handle);
  arena_free(arena);
}

int main(int argc, char **argv) {
  const struct target *target = target_find(argc > 1 ? argv[1] : "native");
  if (!target) return fprintf(stderr, "no target %s\n", argv[1]), 2;
  char folder[] = "/tmp/lamella-bench-XXXXXX";
  if (!mkdtemp(folder)) return 1;
  struct arena *arena = arena_new();
  const char *variable = getenv("OMP_NUM_THREADS");
  int threads = variable ? atoi(variable) : (int)sysconf(_SC_NPROCESSORS_ONLN);
  void *handle = compile(arena, folder, peak_source, "-O3 -march=native -ffp-contract=fast"), *code = handle ? dlsym(handle, "bench_peak") : NULL;
  if (!code) return 1;
  float (*peak)(int64_t);
  int (*lanes_of)(void);
  memcpy(&peak, &code, sizeof code);
  code = dlsym(handle, "bench_lanes");
  memcpy(&lanes_of, &code, sizeof code);
  int lanes = lanes_of();
  printf("target %s, %d threads\n     m      k      n\n", target->name, threads);
  if (argc > 4) {
    struct shape shape = {atoll(argv[2]), atoll(argv[3]), atoll(argv[4])};
    for (int layout = 0; layout < 3; layout++) bench(shape, layout, target, folder, peak, lanes, threads);
  } else {
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
      for (int layout = 0; layout < 3; layout++) bench(usual[i], layout, target, folder, peak, lanes, threads);
  }
  return system(arena_format(arena, "rm -r %s", folder)) != 0;
}
