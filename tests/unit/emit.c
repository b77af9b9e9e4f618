/* Whole programs as source: a deep network made by hand, emitted for every target that runs here, compiled by gcc and clang with
   warnings as errors, loaded, and run against the interpreter of the tensor IR. The text itself: the same twice, no line over
   120 columns, the layers as one loop. */
#include <dlfcn.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "ir/interpret.h"
#include "passes/passes.h"
#include "runtime/runtime.h"
#include "tests/unit/check.h"

enum { BATCH = 3, WIDTH = 20, LAYERS = 6 };

static struct arena *arena;
static const char *folder;

/* The network has parameters h.0.fc.weight and so on, a residual stream, x = x + tanh(x @ weight + bias), and a table
   that an integer input indexes. */
static struct program *make_program(void) {
  struct program *program = arena_new_struct(arena, struct program);
  struct span span = {0};
  program->arena = arena;
  program->name = "deep-net";
  program->model = "deep";
  struct graph *graph = graph_new(arena, "predict", &program->next_axis);
  struct axis *batch = axis_new_batch(graph, BATCH, span), *in = axis_new(graph, "in", WIDTH, span),
              *out = axis_new(graph, "out", WIDTH, span);
  struct axis *kind = axis_new(graph, "kind", 5, span);
  struct axis *both[] = {batch, in};
  struct value *x = build_input(graph, "x", KIND_REAL, NULL, both, 2);
  struct value *which = build_input(graph, "kind", KIND_INTEGER, kind, both, 1);
  struct repeat *repeat = arena_new_struct(arena, struct repeat);
  *repeat = (struct repeat){"h", LAYERS};
  for (int i = -1; i < LAYERS; i++) {
    for (int j = 0; j < (i < 0 ? 1 : 2); j++) {
      struct state *state = arena_new_struct(arena, struct state);
      state->name = i < 0 ? "table" : arena_format(arena, "h.%d.fc.%s", i, j ? "bias" : "weight");
      state->axis_count = j ? 1 : 2;
      state->axes = arena_new_array(arena, struct axis *, 2);
      state->axes[0] = i < 0 ? kind : j ? out : in;
      state->axes[1] = i < 0 ? in : out;
      state->initial = INITIAL_NORMAL;
      state->high = 0.02;
      state->stream = hash_path(state->name);
      array_push(arena, &program->states, state);
    }
  }
  x = build_binary(graph, OP_add, x, build_gather(graph, build_state(graph, program->states.items[0]), kind, which));
  for (int i = 0; i < LAYERS; i++) {
    graph->origin =
        (struct origin){.path = arena_format(arena, "h.%d.fc", i), .function = "linear", .repeat = repeat, .copy = i};
    struct value *y = build_contract(graph, x, build_state(graph, program->states.items[1 + 2 * i]), &in, 1);
    y = build_binary(graph, OP_add, y, build_state(graph, program->states.items[2 + 2 * i]));
    x = build_binary(graph, OP_add, x, build_rename(graph, build_unary(graph, OP_tanh, y), out, in));
    x->name = arena_format(arena, "h.%d.x", i);
  }
  graph->origin = (struct origin){0};
  graph_add_output(graph, "y", x);
  graph_add_output(graph, "mean",
                   build_binary(graph, OP_div, build_reduce(graph, OP_reduce_sum, x, both, 2),
                                build_constant(graph, BATCH * WIDTH)));
  program->predict = graph;
  return program;
}

static double contents(uint32_t stream, int64_t i) {
  return random_draw(DISTRIBUTION_UNIFORM, 1, stream, 0, 0, (uint64_t)i) - 0.5;
}

static const double *interpreted_input(void *context, const struct value *input) {
  (void)context;
  double *data = arena_new_array(arena, double, value_count(input));
  for (int64_t i = 0; i < value_count(input); i++)
    data[i] = input->kind == KIND_INTEGER ? (double)(i % 5) : (float)contents(7, i);
  return data;
}

static double *interpreted_state(void *context, const struct state *state) {
  (void)context;
  int64_t count = 1;
  for (int i = 0; i < state->axis_count; i++) count *= state->axes[i]->extent;
  double *data = arena_new_array(arena, double, count);
  for (int64_t i = 0; i < count; i++) data[i] = (float)contents(state->stream, i);
  return data;
}

static int64_t count_of(const int64_t *shape, int rank) {
  int64_t count = 1;
  for (int i = 0; i < rank; i++) count *= shape[i];
  return count;
}

static void set_real(void *data, bool is_double, int64_t i, double x) {
  if (is_double)
    ((double *)data)[i] = x;
  else
    ((float *)data)[i] = (float)x;
}

static double get_real(const void *data, bool is_double, int64_t i) {
  return is_double ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

static void run_library(const char *path, const struct target *target, const struct tensor *results) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!CHECK(library != NULL)) {
    printf("%s\n", dlerror());
    return;
  }
  struct lam_program *(*make)(void);
  *(void **)&make = dlsym(library, "deep_net_program");
  if (!CHECK(make != NULL)) return;
  struct lam_program *program = make();
  int (*load)(void *, const char *);
  void *(*create)(void);
  void (*destroy)(void *);
  *(void **)&load = dlsym(library, "deep_net_load");
  *(void **)&create = dlsym(library, "deep_net_create");
  *(void **)&destroy = dlsym(library, "deep_net_destroy");
  if (!CHECK(load && create && destroy)) return;
  void *other = create();
  CHECK(other != NULL && other != program->self && load(other, "/nonexistent.safetensors") == LAM_CANNOT_READ);
  destroy(other);
  bool is_double = target->double_precision;
  CHECK(program->model->tensor_count == 1 + 2 * LAYERS);
  CHECK_STRING(program->model->tensors[0].name, "table");
  CHECK_STRING(program->model->tensors[1].name, "h.0.fc.weight");
  CHECK_STRING(program->model->tensors[2].name, "h.0.fc.bias");
  CHECK_STRING(program->model->tensors[3].name, "h.1.fc.weight");
  CHECK_STRING(program->model->tensors[3].axes, "in,out");
  CHECK(program->model->tensors[3].stream == hash_path("h.1.fc.weight") && program->model->tensors[3].high == 0.02 &&
        !program->model->tensors[3].frozen);
  for (int i = 0; i < program->model->tensor_count; i++) {
    struct lam_tensor *tensor = &program->model->tensors[i];
    for (int64_t j = 0; j < count_of(tensor->shape, tensor->rank); j++)
      set_real(tensor->data, is_double, j, contents(tensor->stream, j));
  }
  struct lam_routine *predict = &program->routines[LAM_PREDICT];
  if (!CHECK(predict->exists && predict->input_count == 2 && predict->output_count == 2)) return;
  CHECK(predict->inputs[1].range == 5 && predict->inputs[1].type == LAM_TYPE_INTEGER);
  for (int64_t i = 0; i < BATCH * WIDTH; i++) set_real(predict->inputs[0].data, is_double, i, contents(7, i));
  for (int i = 0; i < BATCH; i++) ((int32_t *)predict->inputs[1].data)[i] = i % 5;
  for (int run = 0; run < 2; run++) {
    CHECK(predict->run(program->self, 0, 1, NULL) == 0);
    for (int64_t i = 0; i < BATCH * WIDTH; i++)
      CHECK_NEAR(get_real(predict->outputs[0].data, is_double, i), results[0].data[i], is_double ? 1e-12 : 1e-5);
    CHECK_NEAR(get_real(predict->outputs[1].data, is_double, 0), results[1].data[0], is_double ? 1e-12 : 1e-5);
  }
}

static bool write_text(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  bool written = file && fputs(text, file) >= 0;
  return file && fclose(file) == 0 && written;
}

static void check_text(const char *text) {
  int line = 1;
  for (const char *at = text; *at; line++) {
    size_t length = strcspn(at, "\n");
    if (length > 120 || (length && at[length - 1] == ' ')) {
      CHECK(length <= 120 && at[length - 1] != ' ');
      printf("  line %d: %.*s\n", line, (int)length, at);
    }
    at += length + (at[length] == '\n');
  }
}

static bool have(const char *compiler) {
  return system(arena_format(arena, "%s --version > /dev/null 2>&1", compiler)) == 0;
}

static void test_target(const struct target *target, const struct tensor *results) {
  struct emitted texts[2];
  for (int i = 0; i < 2; i++) {
    struct program *program = make_program();
    struct diagnostics *diagnostics = diagnostics_new(arena);
    struct pass_options options = {.target = target, .verify = true};
    struct module *module = run_schedules(program, &options, diagnostics);
    if (!CHECK(module != NULL)) {
      diagnostics_print(diagnostics, stdout);
      return;
    }
    texts[i] = emit_c(arena, program, module, target, &(struct emit_options){0});
  }
  CHECK(!strcmp(texts[0].source, texts[1].source) && !strcmp(texts[0].header, texts[1].header));
  check_text(texts[0].source);
  check_text(texts[0].header);
  CHECK(strstr(texts[0].source, "for (int i = 1; i < 6; i++) {") != NULL);
  CHECK(strstr(texts[0].source, "h_fc_weight[i]") != NULL);
  CHECK(strstr(texts[0].header, "*h_fc_weight[6]; /* [in=20, out=20] */") != NULL);
  if (!CHECK(write_text(arena_format(arena, "%s/deep-net.c", folder), texts[0].source))) return;
  if (!CHECK(write_text(arena_format(arena, "%s/deep-net.h", folder), texts[0].header))) return;
  static const char *const compilers[] = {"gcc", "clang-19"};
  for (int i = 0; i < 2; i++) {
    if (!have(compilers[i])) {
      SKIP("no such compiler here");
      continue;
    }
    const char *library = arena_format(arena, "%s/%s-%s.so", folder, target->name, compilers[i]);
    const char *flags = "-std=c11 -O2 -Wall -Wextra -Werror";
    const char *source = arena_format(arena, "%s/deep-net.c", folder);
    if (CHECK(system(arena_format(arena, "%s %s -fPIC -shared -DLAMELLA_NO_MAIN %s -o %s -lm", compilers[i], flags,
                                  source, library)) == 0))
      run_library(library, target, results);
    CHECK(system(arena_format(arena, "%s %s %s -o %s/deep-net -lm && %s/deep-net info > /dev/null", compilers[i], flags,
                              source, folder, folder)) == 0);
  }
}

/* The compiler's names of routines, from which the emitted tables are made, are those of the runtime. */
static void test_routines(void) {
  struct program program = {0};
  CHECK((int)ROUTINE_COUNT == (int)LAM_ROUTINES && !program_graph(&program, ROUTINE_COUNT) &&
        !program_graph(&program, -1));
  CHECK(program_graph(&program, ROUTINE_prepare) == &program.prepare);
  for (int i = 0; i < ROUTINE_COUNT; i++) CHECK_STRING(routine_facts[i].name, lam_routine_names[i]);
  /* Predictions for batches of other sizes are counted after them, on both sides. */
  struct graph one = {.name = "predict_1"}, many = {.name = "predict_32"};
  struct prediction predictions[] = {{1, &one}, {32, &many}};
  CHECK(!program_predicts(&program));
  program.predictions.items = predictions, program.predictions.count = 2;
  CHECK(program_predicts(&program) && program_graph(&program, ROUTINE_COUNT) == &predictions[0].graph);
  CHECK(*program_graph(&program, ROUTINE_COUNT + 1) == &many && !program_graph(&program, ROUTINE_COUNT + 2));
  CHECK(program_prediction(&program, ROUTINE_COUNT + 1) == &predictions[1]);
  CHECK(!program_prediction(&program, ROUTINE_predict));
  struct lam_prediction run_predictions[] = {{.name = "predict_1"}, {.name = "predict_32"}};
  struct lam_program running = {.predictions = run_predictions, .prediction_count = 2};
  CHECK(lam_routine_at(&running, LAM_PREDICT) == &running.routines[LAM_PREDICT]);
  CHECK(lam_routine_at(&running, LAM_ROUTINES + 1) == &run_predictions[1].routine);
  CHECK(!lam_routine_at(&running, LAM_ROUTINES + 2));
  CHECK_STRING(lam_routine_name(&running, LAM_ROUTINES), "predict_1");
}

int main(void) {
  arena = arena_new();
  test_routines();
  folder = mkdtemp(arena_format(arena, "%s/lamella-emit-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp"));
  struct program *program = make_program();
  struct environment environment = {.arena = arena, .input = interpreted_input, .state = interpreted_state};
  struct tensor results[2];
  if (CHECK(folder != NULL) && CHECK(graph_interpret(program->predict, &environment, results, NULL) == NULL)) {
    for (int i = 0; target_at(i); i++)
      if (target_runs_here(target_at(i))) test_target(target_at(i), results);
    CHECK(system(arena_format(arena, "rm -r %s", folder)) == 0);
  }
  arena_free(arena);
  return check_done("emit");
}
