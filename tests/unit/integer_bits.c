/* Sums of integers have the same bits whatever multiplies them: a layer of 8 bits, W8A8 with a scale for each row of activations and for each
   column of weights, by every target, by one, two and three threads, with tiles and along k. Its integers are compared with those of
   plain 64-bit arithmetic, and what is made of them by scales with what the first target makes. */
#include <dlfcn.h>
#include <math.h>
#include <string.h>

#include "codegen/codegen.h"
#include "passes/passes.h"
#include "tests/harness/compile.h"
#include "tests/harness/foreign.h"
#include "tests/harness/run_module.h"
#include "tests/unit/check.h"

enum { EXTENT = 512, OUT = 192, OUTPUTS = 4 };
static const int64_t row_counts[] = {1, 3, 96};
enum { CASES = sizeof row_counts / sizeof *row_counts };

static struct axis *axis(struct graph *graph, const char *name, int64_t extent) {
  return axis_new(graph, name, extent, (struct span){0});
}

static double *add_content(struct sample *sample, const char *name, bool is_state, int64_t count) {
  double *data = arena_new_array(sample->arena, double, count);
  fill_value(data, count, KIND_REAL, NULL, name);
  array_push(sample->arena, &sample->contents, (struct content){name, is_state, count, data});
  return data;
}

/* Weights that are stored in 8 bits, of all values from -128 to 127. */
static struct value *weights(struct sample *sample, const char *name, struct axis *x, struct axis *y) {
  struct state *state = arena_new_struct(sample->arena, struct state);
  state->name = name, state->kind = KIND_INTEGER, state->storage = STORAGE_I8;
  state->axes = arena_new_array(sample->arena, struct axis *, 2);
  state->axes[state->axis_count++] = x, state->axes[state->axis_count++] = y;
  array_push(sample->arena, &sample->program.states, state);
  struct value *value = build_state(sample->graph, state);
  double *data = add_content(sample, name, true, value_count(value));
  for (int64_t i = 0; i < value_count(value); i++) data[i] = fmax(-128, fmin(127, floor(data[i] * 150)));
  return value;
}

/* Outputs: activations in 8 bits, their products with weights in both orders, and the layer's result. */
static struct sample *sample_of(struct arena *arena, int64_t rows) {
  struct sample *sample = arena_new_struct(arena, struct sample);
  sample->arena = arena;
  sample->stage = STAGE_FLAT;
  sample->program = (struct program){.arena = arena, .name = "bits"};
  struct graph *g = sample->graph = graph_new(arena, "predict", &sample->program.next_axis);
  sample->program.predict = g;
  struct axis *row = axis(g, "row", rows), *in = axis(g, "in", EXTENT), *out = axis(g, "out", OUT), *both[] = {row, in};
  struct value *x = build_input(g, "x", KIND_REAL, NULL, both, 2);
  add_content(sample, "x", false, value_count(x));
  struct value *most = build_reduce(g, OP_reduce_max, build_unary(g, OP_abs, x), &in, 1);
  struct value *scale = build_binary(g, OP_div, most, build_constant(g, 127));
  struct value *x_8 = build_cast(g, build_unary(g, OP_round, build_binary(g, OP_div, x, scale)), STORAGE_I8);
  struct value *sum = build_contract(g, x_8, weights(sample, "w", in, out), &in, 1);
  graph_add_output(g, "x_8", x_8);
  graph_add_output(g, "sum", sum);
  graph_add_output(g, "sum_along", build_contract(g, x_8, weights(sample, "v", out, in), &in, 1));
  graph_add_output(g, "y", build_binary(g, OP_mul, build_cast(g, sum, STORAGE_REAL), scale));
  return sample;
}

/* The sums of the sample's weights with the activations that the program found. */
static void check_sums(const struct sample *sample, int64_t rows, double **outputs) {
  const double *w = sample->contents.items[1].data, *v = sample->contents.items[2].data, *x = outputs[0];
  int wrong = 0;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < OUT; j++) {
      int64_t sum = 0, along = 0;
      for (int64_t k = 0; k < EXTENT; k++) {
        sum += (int64_t)x[i * EXTENT + k] * (int64_t)w[k * OUT + j];
        along += (int64_t)x[i * EXTENT + k] * (int64_t)v[j * EXTENT + k];
      }
      wrong += outputs[1][i * OUT + j] != (double)sum || outputs[2][i * OUT + j] != (double)along;
    }
  if (!CHECK(wrong == 0)) printf("  %d of %lld sums are wrong\n", wrong, (long long)(rows * OUT));
}

/* Sets how many threads OpenMP's loops have from now on; false where there are none. */
static bool set_threads(int count) {
  void *handle = dlopen(NULL, RTLD_NOW), *symbol = handle ? dlsym(handle, "omp_set_num_threads") : NULL;
  void (*set)(int);
  if (!symbol) return count == 1;
  memcpy(&set, &symbol, sizeof set);
  set(count);
  return true;
}

static void check_target(struct arena *first_arena, const struct target *target, double *first[CASES][OUTPUTS]) {
  struct arena *arena = arena_new();
  for (int c = 0; c < CASES; c++) {
    const int64_t rows = row_counts[c], counts[OUTPUTS] = {rows * EXTENT, rows * OUT, rows * OUT, rows * OUT};
    struct sample *sample = sample_of(arena, rows);
    struct pass_options options = {.pipeline = "default", .target = target};
    struct module *module = run_schedules(&sample->program, &options, diagnostics_new(arena));
    join_derived(module);
    const struct routine *routine = module->routines.items[0];
    const char *source = arena_format(arena, "%s%s", emit_functions(arena, module, target),
                                      caller_text(arena, module, routine, "run", target->double_precision));
    struct library *library =
        compile_library(arena, source, &(struct compiling){.level = 1, .target = target, .threads = true});
    if (!CHECK(library != NULL)) continue;
    void *code = library_symbol(library, "run");
    compiled_routine *run;
    memcpy(&run, &code, sizeof run);
    for (int threads = 1; threads <= 3; threads++) {
      if (!set_threads(threads)) continue;
      struct found found = {arena_new_array(arena, double *, OUTPUTS), arena_new_array(arena, double *, 3)};
      CHECK_STRING(run_compiled_sample(arena, sample, module, routine, run, target->double_precision, &found), NULL);
      check_sums(sample, rows, found.outputs);
      for (int o = 0; o < OUTPUTS; o++) {
        const size_t bytes = sizeof(double) * (size_t)counts[o];
        if (!first[c][o]) first[c][o] = memcpy(arena_alloc(first_arena, bytes), found.outputs[o], bytes);
        if (!CHECK(!memcmp(first[c][o], found.outputs[o], bytes)))
          printf("  %s, %lld rows, %d threads: %s\n", target->name, (long long)rows, threads,
                 sample->graph->outputs.items[o].name);
      }
    }
    library_close(library);
  }
  arena_free(arena);
}

int main(void) {
  struct arena *arena = arena_new();
  double *first[CASES][OUTPUTS] = {{NULL}};
  if (!compile_has_threads()) SKIP("the compiler's library has no threads here");
  for (int i = 0; tested_target(i); i++) {
    const struct target *target = tested_target(i);
    if (target->double_precision) continue; /* its activations are rounded from other numbers */
    if (target_runs_in_tests(target))
      check_target(arena, target, first);
    else
      SKIP(target->name);
  }
  arena_free(arena);
  return check_done("integer_bits");
}
