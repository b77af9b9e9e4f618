/* Contractions of many shapes, in every layout that occurs in training and decoding, compiled for each target and
   compared with the interpreter: whole tiles and all kinds of tails, sums in pieces, packed or not. `contract TARGET`
   tries one target, `contract every` all pipelines for each. */
#include <dlfcn.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "passes/passes.h"
#include "tests/harness/foreign.h"
#include "tests/harness/run_module.h"
#include "tests/unit/check.h"

#ifdef __SANITIZE_ADDRESS__
static const char flags[] = "-g -fsanitize=address";
enum { SHAPE_STEP = 2 }; /* compiling takes the time, so every other shape is enough here */
#else
static const char flags[] = "";
enum { SHAPE_STEP = 1 };
#endif

/* Compiling takes most of the time, and what optimising does to correct C is the matter of the cases that build programs. */
static const char *level = "-O0";

struct shape {
  int64_t batch, m, k, n;
};

static const struct shape shapes[] = {
    {1, 1, 16, 24},    {1, 1, 768, 65},   {2, 2, 40, 33},    {3, 3, 5, 7},     {1, 5, 64, 64},
    {2, 12, 32, 32},   {2, 13, 37, 27},   {4, 24, 96, 48},   {3, 31, 129, 17}, {1, 64, 128, 65},
    {2, 50, 1000, 40}, {1, 96, 1536, 64}, {2, 130, 70, 200}, {1, 37, 800, 97}, {1, 48, 64, 640},
    {5, 7, 33, 4},     {2, 100, 8, 3},    {1, 2, 104, 390},  {1, 3, 104, 384}, {1, 41, 1103, 33},
};

struct built {
  struct sample *sample;
  struct module *module;
};

static struct axis *axis(struct graph *graph, const char *name, int64_t extent) {
  return axis_new(graph, name, extent, (struct span){0});
}

static void add_content(struct sample *sample, const char *name, bool is_state, int64_t count) {
  double *data = arena_new_array(sample->arena, double, count);
  fill_value(data, count, KIND_REAL, NULL, name);
  array_push(sample->arena, &sample->contents, (struct content){name, is_state, count, data});
}

static struct value *input(struct sample *sample, const char *name, struct axis *x, struct axis *y, struct axis *z) {
  struct axis *axes[] = {x, y, z};
  struct value *value = build_input(sample->graph, name, KIND_REAL, NULL, axes, z ? 3 : 2);
  add_content(sample, name, false, value_count(value));
  return value;
}

static struct value *parameter(struct sample *sample, const char *name, struct axis *x, struct axis *y) {
  struct state *state = arena_new_struct(sample->arena, struct state);
  state->name = name;
  state->axes = arena_new_array(sample->arena, struct axis *, 2);
  state->axes[state->axis_count++] = x;
  if (y) state->axes[state->axis_count++] = y;
  array_push(sample->arena, &sample->program.states, state);
  struct value *value = build_state(sample->graph, state);
  add_content(sample, name, true, value_count(value));
  return value;
}

/* With all that the passes do; with every operand computed by the kernel that reads it, where it is an expression; and the
   tiles alone: every other value has a kernel of plain loops. Few rows read pruned weights as bitmaps on every target by the first, and
   by the second where that pays. */
static const char *const pipelines[] = {"default, derive(bitmap = 1)", "default, fuse(factors = 2)", "none, tile"};
enum { PIPELINES = sizeof pipelines / sizeof *pipelines };

/* What a kernel computes of its sums and of its operands: a gate, whose other factor is memory; a weight in steps with a
   scale for each column; and sums over two axes of operands that are no memory. */
static void add_computed(struct graph *g, struct value *x, struct value *dy, struct value *w, struct value *bias,
                         struct axis *in, struct axis *rows[2]) {
  struct value *gate = build_unary(g, OP_tanh, build_contract(g, x, w, &in, 1));
  graph_add_output(g, "gated", build_binary(g, OP_mul, gate, dy));
  struct value *steps = build_unary(g, OP_floor, build_binary(g, OP_mul, w, build_constant(g, 8)));
  struct value *weight = build_binary(g, OP_mul, build_cast(g, steps, STORAGE_REAL), bias);
  graph_add_output(g, "stepped", build_contract(g, x, weight, &in, 1));
  struct value *twice = build_binary(g, OP_add, x, x), *less = build_binary(g, OP_sub, dy, bias);
  graph_add_output(g, "dw_computed", build_contract(g, twice, less, rows, 2));
}

static struct value *rounded(struct graph *g, struct value *x) { return build_cast(g, x, STORAGE_BF16); }

static struct value *whole(struct graph *g, struct value *x) {
  struct value *steps = build_unary(g, OP_round, build_binary(g, OP_mul, x, build_constant(g, 4)));
  return rounded(g, build_cast(g, steps, STORAGE_REAL));
}

/* The same products of operands that were rounded to 16 bits: read from memory in two bytes, or rounded where they are read; with the
   sum's axis innermost in both operands, in one, or in none; going on from the sums to what is stored in two bytes again. */
static void add_narrow(struct graph *g, struct value *x, struct value *dy, struct value *w, struct value *v,
                       struct axis *in, struct axis *out, struct axis *rows[2], struct axis *past) {
  struct value *x_16 = rounded(g, build_unary(g, OP_neg, x)), *dy_16 = rounded(g, dy), *w_16 = rounded(g, w);
  struct value *y = build_contract(g, x_16, w_16, &in, 1);
  graph_add_output(g, "narrow_y", y);
  graph_add_output(g, "narrow_z", build_contract(g, x_16, rounded(g, v), &in, 1));
  graph_add_output(g, "narrow_dw", build_contract(g, x_16, dy_16, rows, 2));
  graph_add_output(g, "narrow_dx", build_contract(g, dy_16, w_16, &out, 1));
  graph_add_output(g, "half_wide", build_contract(g, x, w_16, &in, 1));
  /* Sums of small whole numbers are exact in any order, so what is rounded of them is the same. */
  struct value *x_whole = whole(g, x), *again = build_rename(g, x_whole, rows[1], past);
  struct value *scores = rounded(g, build_contract(g, x_whole, again, &in, 1));
  graph_add_output(g, "narrow_scores", scores);
  graph_add_output(g, "narrow_mixed", build_contract(g, scores, again, &past, 1));
  graph_add_output(g, "halves",
                   build_contract(g, build_cast(g, x, STORAGE_F16), build_cast(g, w, STORAGE_F16), &in, 1));
}

/* Whole numbers that reach beyond what the storage holds on both sides, and are cut off there; I32: which wrap around. */
static struct value *integer(struct graph *g, struct value *x, enum storage storage) {
  const double scale = storage == STORAGE_I32 ? 1 << 30 : 2 * ((double)storage_facts[storage].most + 1); /* exact */
  struct value *steps = build_unary(g, OP_round, build_binary(g, OP_mul, x, build_constant(g, scale)));
  return build_cast(g, steps, storage);
}

/* Sums of integers of every storage, and both orders of storages without and with a sign; of each pair one or two of the layouts. What is
   read twice lies in memory, other operands are computed where they are read. */
static void add_integers(struct graph *g, struct value *x, struct value *dy, struct value *w, struct value *v,
                         struct value *bias, struct axis *in, struct axis *out, struct axis *rows[2],
                         struct axis *past) {
  struct value *x_8 = integer(g, x, STORAGE_I8), *w_8 = integer(g, w, STORAGE_I8), *v_8 = integer(g, v, STORAGE_I8);
  struct value *x_bytes = integer(g, x, STORAGE_U8), *dy_8 = integer(g, dy, STORAGE_I8);
  struct value *sum = build_contract(g, x_8, w_8, &in, 1), *start = integer(g, bias, STORAGE_I32);
  graph_add_output(g, "i8_i8", sum);
  graph_add_output(g, "i8_i8_begun", build_binary(g, OP_add, build_contract(g, x_8, v_8, &in, 1), start));
  graph_add_output(g, "u8_i8", build_contract(g, x_bytes, w_8, &in, 1));
  graph_add_output(g, "i8_u8", build_contract(g, x_8, integer(g, w, STORAGE_U8), &in, 1));
  graph_add_output(g, "u8_u8", build_contract(g, x_bytes, integer(g, v, STORAGE_U8), &in, 1));
  graph_add_output(g, "i8_i4", build_contract(g, x_8, integer(g, v, STORAGE_I4), &in, 1));
  graph_add_output(g, "u4_i8", build_contract(g, integer(g, x, STORAGE_U4), v_8, &in, 1));
  graph_add_output(g, "i32_i8", build_contract(g, integer(g, x, STORAGE_I32), w_8, &in, 1));
  graph_add_output(g, "i8_dw", build_contract(g, x_8, dy_8, rows, 2));
  graph_add_output(g, "i8_dx", build_contract(g, dy_8, w_8, &out, 1));
  struct value *again = build_rename(g, x_8, rows[1], past);
  struct value *scores = build_contract(g, x_8, again, &in, 1);
  graph_add_output(g, "i8_scores", scores);
  graph_add_output(g, "i32_mixed", build_contract(g, scores, again, &past, 1));
  /* What 8 bits and a scale for each column make of a layer. */
  graph_add_output(g, "scaled", build_binary(g, OP_mul, build_cast(g, sum, STORAGE_REAL), bias));
}

/* A weight of whole numbers that lies in memory in few bits. Its last axes may be NULL. */
static struct value *steps(struct sample *sample, const char *name, enum storage storage, struct axis *x,
                           struct axis *y, struct axis *z) {
  struct value *value = parameter(sample, name, x, y);
  struct state *state = sample->program.states.items[sample->program.states.count - 1];
  struct axis *axes[] = {x, y, z};
  state->kind = KIND_INTEGER, state->storage = storage;
  state->axes = arena_new_array(sample->arena, struct axis *, 3);
  state->axis_count = 0;
  for (int i = 0; i < 3; i++)
    if (axes[i]) state->axes[state->axis_count++] = axes[i];
  value = build_state(sample->graph, state);
  struct content *content = &sample->contents.items[sample->contents.count - 1];
  content->count = value_count(value);
  content->data = arena_new_array(sample->arena, double, content->count);
  const struct storage_facts *facts = &storage_facts[storage];
  fill_value(content->data, content->count, KIND_REAL, NULL, name);
  for (int64_t i = 0; i < content->count; i++)
    content->data[i] =
        floor((content->data[i] + 0.9) / 2 * (double)(facts->most - facts->least + 1)) + (double)facts->least;
  return value;
}

static struct value *real(struct graph *g, struct value *x) { return build_cast(g, x, STORAGE_F32); }

/* What quantize makes of weights: steps with a scale for each column, which the sums are multiplied by, and with one for each group along
   the sum; with the sum's axis innermost, and outermost. */
static void add_few_bits(struct sample *sample, struct value *x, struct value *dy, struct value *bias, struct axis *in,
                         struct axis *out) {
  struct graph *g = sample->graph;
  struct value *v_8 = real(g, steps(sample, "v_8", STORAGE_I8, out, in, NULL));
  struct value *w_8 = real(g, steps(sample, "w_8", STORAGE_I8, in, out, NULL));
  struct value *sums = build_contract(g, x, v_8, &in, 1);
  graph_add_output(g, "v_8_scaled", build_binary(g, OP_mul, sums, bias));
  struct value *small = build_binary(g, OP_mul, build_contract(g, x, v_8, &in, 1), build_constant(g, 1.0 / 4096));
  graph_add_output(g, "v_8_gated", build_binary(g, OP_mul, build_unary(g, OP_tanh, small), dy));
  graph_add_output(g, "w_8", build_binary(g, OP_add, build_contract(g, x, w_8, &in, 1), bias));
  if (in->extent % 8 != 0 || out->extent % 2 != 0) return;
  const int64_t length = in->extent % 32 == 0 ? 32 : 8;
  struct axis *group = axis(g, "group", in->extent / length), *inner = axis(g, "inner", length),
              *both[] = {group, inner};
  const enum storage storages[] = {STORAGE_I4, STORAGE_U8};
  for (int i = 0; i < 2; i++) {
    const char *name = storage_names[storages[i]];
    struct value *v = steps(sample, arena_format(sample->arena, "v_%s", name), storages[i], out, group, inner);
    struct value *w = steps(sample, arena_format(sample->arena, "w_%s", name), storages[i], group, inner, out);
    struct value *scale = parameter(sample, arena_format(sample->arena, "scale_%s", name), out, group);
    v = build_merge(g, build_binary(g, OP_mul, real(g, v), scale), both, 2, in);
    w = build_merge(g, build_binary(g, OP_mul, real(g, w), scale), both, 2, in);
    sums = build_contract(g, x, v, &in, 1);
    graph_add_output(g, arena_format(sample->arena, "v_%s_groups", name), build_binary(g, OP_add, sums, dy));
    graph_add_output(g, arena_format(sample->arena, "w_%s_groups", name), build_contract(g, x, w, &in, 1));
  }
  /* Steps of a table, a choice among 16 numbers, which take as long to compile as all others: a few shapes are enough. */
  struct axis *level = axis(g, "level", 16);
  struct value *levels = parameter(sample, "levels", level, NULL);
  for (int i = 0; i < 2 && out->extent > 300; i++) {
    struct value *chosen =
        i ? steps(sample, "t_row", STORAGE_U4, out, in, NULL) : steps(sample, "t_column", STORAGE_U4, in, out, NULL);
    chosen->range = level;
    chosen = build_binary(g, OP_mul, build_gather(g, levels, level, chosen), bias);
    graph_add_output(g, i ? "t_row" : "t_column", build_contract(g, x, chosen, &in, 1));
  }
  struct value *whole_row = real(g, steps(sample, "row_4", STORAGE_I4, out, in, NULL));
  graph_add_output(g, "row_4", build_contract(g, x, whole_row, &in, 1));
}

/* Lets many elements of the state that was made last be zero: more in some rows than in others, and in one all. Returns how many are
   not. */
static int64_t prune_last(struct sample *sample) {
  struct state *state = sample->program.states.items[sample->program.states.count - 1];
  struct content *content = &sample->contents.items[sample->contents.count - 1];
  const int64_t row = state->axes[state->axis_count - 1]->extent;
  int64_t kept = 0;
  for (int64_t i = 0; i < content->count; i++) {
    const uint64_t draw = (uint64_t)i * UINT64_C(0x9E3779B97F4A7C15) >> 40;
    if (draw % 7 >= (uint64_t)(i / row % 5) * 2) content->data[i] = 0;
    kept += content->data[i] != 0;
  }
  return kept;
}

/* Weights that are mostly zeros, which few rows read as bitmaps: reals, bytes that are made reals, and bytes that dots take; and one of which
   more elements are not zero than it was said to have, so that some of its rows have no room. */
static void add_pruned(struct sample *sample, struct value *x, struct value *bias, struct axis *in, struct axis *out) {
  struct graph *g = sample->graph;
  const char *names[] = {"pruned", "crowded", "pruned_8", "pruned_bytes"};
  const enum storage storages[] = {STORAGE_REAL, STORAGE_REAL, STORAGE_I8, STORAGE_U8};
  for (int i = 0; i < 4; i++) {
    const bool is_real = storages[i] == STORAGE_REAL;
    struct value *w =
        is_real ? parameter(sample, names[i], out, in) : steps(sample, names[i], storages[i], out, in, NULL);
    const int64_t kept = prune_last(sample);
    sample->program.states.items[sample->program.states.count - 1]->kept = (i == 1 ? kept / 2 : kept) + 1;
    struct value *sums = build_contract(g, x, is_real ? w : real(g, w), &in, 1);
    graph_add_output(g, arena_format(sample->arena, "%s_y", names[i]), build_binary(g, OP_add, sums, bias));
    if (is_real) continue;
    sums = build_contract(g, integer(g, x, STORAGE_I8), w, &in, 1);
    graph_add_output(g, arena_format(sample->arena, "%s_dots", names[i]), sums);
  }
}

/* A layer and its gradients, with both orders of the weight; and products for each element of a batch. */
static struct sample *sample_of(struct arena *arena, struct shape shape) {
  struct sample *sample = arena_new_struct(arena, struct sample);
  sample->arena = arena;
  sample->stage = STAGE_FLAT;
  sample->program.arena = arena;
  sample->program.name = "contract";
  struct graph *g = sample->graph = graph_new(arena, "predict", &sample->program.next_axis);
  sample->program.predict = g;
  struct axis *batch = axis_new_batch(g, shape.batch, (struct span){0}), *seq = axis(g, "seq", shape.m),
              *in = axis(g, "in", shape.k);
  struct axis *out = axis(g, "out", shape.n), *past = axis(g, "past", shape.m), *rows[] = {batch, seq};
  struct value *x = input(sample, "x", batch, seq, in), *dy = input(sample, "dy", batch, seq, out);
  struct value *w = parameter(sample, "w", in, out), *v = parameter(sample, "v", out, in);
  struct value *bias = parameter(sample, "bias", out, NULL);
  struct value *y = build_binary(g, OP_add, build_contract(g, x, w, &in, 1), bias);
  graph_add_output(g, "y", y);
  graph_add_output(g, "z", build_contract(g, build_unary(g, OP_tanh, x), v, &in, 1));
  graph_add_output(g, "dw", build_contract(g, x, dy, rows, 2));
  struct value *dx = build_binary(g, OP_add, build_contract(g, dy, w, &out, 1), build_contract(g, dy, v, &out, 1));
  graph_add_output(g, "dx", dx);
  struct value *scores = build_contract(g, x, build_rename(g, x, seq, past), &in, 1);
  graph_add_output(g, "scores", scores);
  graph_add_output(g, "mixed", build_contract(g, scores, build_rename(g, y, seq, past), &past, 1));
  add_computed(g, x, dy, w, bias, in, rows);
  add_narrow(g, x, dy, w, v, in, out, rows, past);
  add_integers(g, x, dy, w, v, bias, in, out, rows, past);
  add_few_bits(sample, x, dy, bias, in, out);
  add_pruned(sample, x, bias, in, out);
  return sample;
}

static void *compile(struct arena *arena, const struct target *target, const char *folder, const char *name,
                     const char *source) {
  const char *file = arena_format(arena, "%s/%s.c", folder, name),
             *library = arena_format(arena, "%s/%s.so", folder, name);
  FILE *out = fopen(file, "w");
  if (!CHECK(out != NULL)) return NULL;
  fputs(source, out);
  fclose(out);
  const char *command = arena_format(arena, "cc -std=c11 %s -Wall -Wextra -Werror%s -shared -fPIC %s -o %s %s -lm",
                                     level, target_option_text(arena, target), flags, library, file);
  if (!CHECK(system(command) == 0)) return NULL;
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  CHECK(handle != NULL);
  return handle;
}

static void check_target(const struct target *target, const char *pipeline, const char *folder, const char *name) {
  enum { SHAPES = sizeof shapes / sizeof *shapes / SHAPE_STEP };
  struct arena *arena = arena_new();
  struct module all = {.arena = arena, .name = target->name};
  struct built built[SHAPES];
  for (int i = 0; i < SHAPES; i++) {
    built[i].sample = sample_of(arena, shapes[i * SHAPE_STEP]);
    struct pass_options options = {.pipeline = pipeline, .target = target};
    built[i].module = run_schedules(&built[i].sample->program, &options, diagnostics_new(arena));
    join_derived(built[i].module);
    for (int j = 0; j < built[i].module->functions.count; j++) {
      struct function *function = built[i].module->functions.items[j];
      function->name = arena_format(arena, "s%d_%s", i, function->name);
      CHECK_STRING(function_verify(arena, function), NULL);
      array_push(arena, &all.functions, function);
    }
  }
  char *source = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&source, &length);
  if (!stream) abort();
  fputs(emit_functions(arena, &all, target), stream);
  for (int i = 0; i < SHAPES; i++)
    fputs(caller_text(arena, built[i].module, built[i].module->routines.items[0], arena_format(arena, "s%d", i),
                      target->double_precision),
          stream);
  fclose(stream);
  void *handle = compile(arena, target, folder, name, source);
  for (int i = 0; handle && i < SHAPES; i++) {
    void *code = dlsym(handle, arena_format(arena, "s%d", i));
    compiled_routine *routine;
    memcpy(&routine, &code, sizeof code);
    const char *wrong = compare_compiled(built[i].sample, built[i].module, built[i].module->routines.items[0], routine,
                                         target->double_precision, target->double_precision ? 1e-10 : 2e-5);
    if (!CHECK_STRING(wrong, NULL)) printf("target %s, pipeline '%s', shape %d\n", target->name, pipeline, i);
  }
  if (handle) dlclose(handle);
  free(source);
  arena_free(arena);
}

int main(int argc, char **argv) {
  char folder[] = "/tmp/lamella-contract-XXXXXX";
  if (!CHECK(mkdtemp(folder) != NULL)) return check_done("contract");
  const bool every = argc > 1 && !strcmp(argv[1], "every");
  if (every) level = "-O1";
  for (int i = 0; tested_target(i); i++) {
    if (argc > 1 && !every && strcmp(argv[1], tested_target(i)->name) != 0) continue;
    if (!target_runs_in_tests(tested_target(i))) {
      SKIP(tested_target(i)->name);
      continue;
    }
    /* Most kernels of a target with a feature are those of the target without it. */
    const int pipeline_count = every || !strchr(tested_target(i)->name, '+') ? PIPELINES : 1;
    for (int j = 0; j < pipeline_count; j++) {
      char name[32];
      snprintf(name, sizeof name, "%s-%d", tested_target(i)->name, j);
      check_target(tested_target(i), pipelines[j], folder, name);
    }
  }
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", folder);
  if (!check_totals.failed) CHECK(system(command) == 0);
  return check_done("contract");
}
