/* The pass mixed on whole models: what contractions multiply is exact in 16 bits, nothing is rounded in vain or twice,
   optimizers are left alone, and so are graphs that do not compute the loss. Weights without masters are rounded where they are written. */
#include "tests/unit/model_run.h"

/* What a run sees of each value: whether every element is a number of the storage. */
struct watched {
  struct model_run run; /* first, so that it is the context of its functions */
  enum storage storage;
  bool *exact; /* by id */
};

static void look(void *context, const struct value *value, const struct tensor *tensor) {
  struct watched *watched = context;
  const int64_t count = axes_count(tensor->axes, tensor->axis_count);
  bool exact = true;
  for (int64_t i = 0; i < count && exact; i++)
    exact = isnan(tensor->data[i]) || scalar_round(watched->storage, tensor->data[i]) == tensor->data[i];
  watched->exact[value->id] = exact;
}

static void fill_inputs(struct model_run *run, struct arena *arena, const struct graph *graph) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (value->op != OP_input) continue;
    const int64_t count = value_count(value);
    double *data = arena_new_array(arena, double, count);
    for (int64_t j = 0; j < count; j++) {
      const double number = content_of(value->name, j);
      data[j] = value->kind == KIND_BOOLEAN ? number > -0.5 : value->kind == KIND_REAL ? number + 2 : 0;
      if (value->range) data[j] = floor((number + 1) / 2 * (double)value->range->extent);
    }
    set_input(run, value->name, data);
  }
}

/* Marks what an optimizer computes: it depends on what one remembers of a parameter. */
static void find_optimizers(const struct graph *graph, bool *in_optimizer) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    bool found = value->op == OP_state && value->state->role == ROLE_OPTIMIZER && value->state->of;
    for (int j = 0; j < value->input_count && !found; j++) found = in_optimizer[value->inputs[j]->id];
    in_optimizer[value->id] = found;
  }
}

/* Whether the value is nothing but a view, or the negative, of what was rounded already. */
static bool is_rounded(const struct value *value, enum storage storage) {
  while (op_facts[value->op].class == CLASS_VIEW || value->op == OP_neg || value->op == OP_abs)
    value = value->inputs[0];
  if (value->op == OP_state) return value->state->storage == storage;
  return value->op == OP_cast && (value->storage == storage || value->inputs[0]->kind == KIND_BOOLEAN);
}

static bool is_narrow(const struct state *state) { return state->storage != STORAGE_REAL; }

/* Without masters, trained parameters of two or more axes lie in bf16, and nothing else does; each update of one rounds with a draw
   that no other has. */
static void check_weights(const struct program *program, bool has_masters) {
  int narrow = 0, updates = 0;
  for (int i = 0; i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    const bool wanted = !has_masters && state->role == ROLE_PARAMETER && !state->frozen && state->axis_count > 1;
    if (role_is_derived(state->role)) continue;
    CHECK(state->storage == (wanted ? STORAGE_BF16 : STORAGE_REAL));
    narrow += is_narrow(state);
  }
  for (int i = 0; i < program->train->values.count; i++) {
    const struct value *value = program->train->values.items[i];
    if (value->op != OP_update || !is_narrow(value->state)) continue;
    updates++;
    if (!CHECK(value->inputs[0]->op == OP_round_random)) continue;
    const struct value *draw = value->inputs[0]->inputs[1];
    CHECK(draw->op == OP_random && draw->distribution == DISTRIBUTION_UNIFORM);
    for (int j = 0; j < program->train->values.count; j++) {
      const struct value *other = program->train->values.items[j];
      CHECK(other->op != OP_random || other == draw || other->stream != draw->stream);
    }
  }
  CHECK(updates == narrow);
}

static void check_graph(struct watched *watched, const struct graph *graph) {
  if (!graph) return;
  struct arena *arena = arena_new();
  watched->exact = arena_new_array(arena, bool, graph->next_value);
  bool *in_optimizer = arena_new_array(arena, bool, graph->next_value), multiplies = false, rounds = false;
  bool *was_rounded = arena_new_array(arena, bool, graph->next_value);
  find_optimizers(graph, in_optimizer);
  fill_inputs(&watched->run, arena, graph);
  struct environment environment = {
      .arena = arena, .seed = 7, .input = model_run_input, .state = model_run_state, .context = watched};
  CHECK_STRING(graph_interpret(graph, &environment, NULL, look), NULL);
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    bool good = true;
    if (value->op == OP_contract && !in_optimizer[value->id]) {
      good = CHECK(watched->exact[value->inputs[0]->id]) && CHECK(watched->exact[value->inputs[1]->id]);
      multiplies = true;
    } else if (value->op == OP_cast && value->storage == watched->storage) {
      const int input = value->inputs[0]->id;
      good = CHECK(!is_rounded(value->inputs[0], watched->storage)) && CHECK(!was_rounded[input]) &&
             CHECK(!in_optimizer[value->id]);
      was_rounded[input] = rounds = true;
    } else if (value->op == OP_cast) {
      good = CHECK(value->storage != STORAGE_F32); /* the marks of gradients are gone */
    }
    if (!good) printf("  %s, value %d, %s\n", graph->name, value->id, value->name ? value->name : "");
  }
  CHECK(multiplies == rounds);
  arena_free(arena);
}

static const char *text_of(struct arena *arena, const struct graph *graph) {
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  graph_print(file, graph);
  fclose(file);
  const char *copy = arena_strdup(arena, text);
  free(text);
  return copy;
}

/* The contents of narrow states, as a program would load them. */
static void round_states(const struct model_run *run) {
  for (int i = 0; i < run->program->states.count; i++) {
    const struct state *state = run->program->states.items[i];
    const int64_t count = is_narrow(state) ? axes_count(state->axes, state->axis_count) : 0;
    for (int64_t k = 0; k < count; k++) run->states[i][k] = scalar_round(state->storage, run->states[i][k]);
  }
}

static void check_model(const char *path, const char *const *defines, const char *pipeline, enum storage storage) {
  struct watched watched = {.storage = storage};
  const bool has_masters = !strstr(pipeline, "masters = 0");
  struct model_run plain;
  if (!model_open_under(&watched.run, path, defines, pipeline) || !model_open(&plain, path, defines, true)) return;
  const struct program *mixed = watched.run.program;
  check_weights(mixed, has_masters);
  round_states(&watched.run);
  check_graph(&watched, mixed->train);
  check_graph(&watched, mixed->accumulate);
  check_graph(&watched, mixed->evaluate);
  const struct graph *others[] = {mixed->predict, mixed->prepare, mixed->step},
                     *before[] = {plain.program->predict, plain.program->prepare, plain.program->step};
  for (int i = 0; i < 3 && has_masters; i++)
    if (CHECK(!others[i] == !before[i]) && others[i])
      CHECK(!strcmp(text_of(plain.arena, others[i]), text_of(plain.arena, before[i])));
  model_close(&watched.run);
  model_close(&plain);
}

/* A scale for each group goes into an operand of the contraction, but not where that was rounded. */
static void check_scaled(bool is_rounded) {
  struct arena *arena = arena_new();
  int next_axis = 0;
  struct graph *graph = graph_new(arena, "scaled", &next_axis);
  const struct span nowhere = {0};
  struct axis *row = axis_new(graph, "row", 3, nowhere), *group = axis_new(graph, "group", 2, nowhere),
              *in = axis_new(graph, "in", 4, nowhere), *out = axis_new(graph, "out", 5, nowhere);
  struct value *x = build_input(graph, "x", KIND_REAL, NULL, (struct axis *[]){row, group, in}, 3),
               *w = build_input(graph, "w", KIND_REAL, NULL, (struct axis *[]){group, in, out}, 3),
               *scale = build_input(graph, "scale", KIND_REAL, NULL, (struct axis *[]){group, out}, 2);
  if (is_rounded) x = build_cast(graph, x, STORAGE_BF16), w = build_cast(graph, w, STORAGE_BF16);
  struct value *scaled = build_binary(graph, OP_mul, build_contract(graph, x, w, &in, 1), scale);
  graph_add_output(graph, "y", build_reduce(graph, OP_reduce_sum, scaled, &group, 1));
  pass_simplify(graph, SIMPLIFY_ROUNDS);
  const struct value *y = graph->outputs.items[0].value;
  CHECK(y->op == (is_rounded ? OP_reduce_sum : OP_contract));
  arena_free(arena);
}

/* One step from a scale, as by the rows of GradScaler's own rules: {scale, tracker, whether an input is infinite} and
   {scale, tracker, skipped steps} after it. All parameters and targets are 0, so gradients are, at every scale. */
static void check_scales(void) {
  static const struct {
    double scale, tracker;
    bool overflows;
    double next, next_tracker, skipped;
  } rows[] = {
      {65536, 0, false, 65536, 1, 0},        {65536, 1998, false, 65536, 1999, 0},
      {65536, 1999, false, 131072, 0, 0},    {0x1p126, 1999, false, 0x1p127, 0, 0},
      {0x1p127, 1999, false, 0x1p127, 0, 0}, /* twice as much would not be finite */
      {65536, 1999, true, 32768, 0, 1},      {1, 5, true, 0.5, 0, 1},
      {0x1p-20, 5, true, 0x1p-21, 0, 1},
  };
  struct model_run run;
  if (!model_open_under(&run, "tests/golden/mixed.lam", (const char *const[]){NULL}, "default, mixed(f16)")) return;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct arena *arena = arena_new();
    const struct graph *graph = run.program->train;
    double x[16] = {0}, t[4] = {0}, step = 7;
    if (rows[i].overflows) x[5] = INFINITY;
    set_input(&run, "x", x);
    set_input(&run, "t", t);
    set_input(&run, "step", &step);
    for (int s = 0; s < run.program->states.count; s++) {
      const struct state *state = run.program->states.items[s];
      memset(run.states[s], 0, sizeof(double) * (size_t)axes_count(state->axes, state->axis_count));
    }
    double *scale = state_contents(&run, "scaler/scale"), *tracker = state_contents(&run, "scaler/growth_tracker"),
           *skipped = state_contents(&run, "scaler/skipped_steps");
    if (!CHECK(scale && tracker && skipped)) break;
    *scale = rows[i].scale, *tracker = rows[i].tracker;
    const struct tensor *results = model_step(&run, arena, graph, NULL);
    if (results && CHECK(output_of(graph, results, "loss_scale")))
      CHECK_NEAR(*output_of(graph, results, "loss_scale")->data, rows[i].scale, 0);
    CHECK_NEAR(*scale, rows[i].next, 0);
    CHECK_NEAR(*tracker, rows[i].next_tracker, 0);
    CHECK_NEAR(*skipped, rows[i].skipped, 0);
    arena_free(arena);
  }
  model_close(&run);
}

int main(void) {
  check_scales();
  check_scaled(false);
  check_scaled(true);
  static const struct {
    const char *path, *defines[6];
  } models[] = {
      {"tests/golden/gpt.lam", {"train.batch=2"}},
      {"tests/golden/bert.lam", {"train.batch=2"}},
      {"tests/golden/llama.lam", {"train.batch=2", "train.accumulate=2"}},
      {"tests/golden/translate.lam", {"train.batch=2"}},
      {"tests/golden/mixed.lam", {NULL}},
      {"specs/mlp.lam", {NULL}},
      {"specs/linear.lam", {NULL}},
      {"specs/moe.lam", {"train.batch=1"}},
      {"specs/lora.lam", {"train.batch=1"}},
  };
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    check_model(models[i].path, models[i].defines, "default, mixed(bf16)", STORAGE_BF16);
    check_model(models[i].path, models[i].defines, "default, mixed(f16)", STORAGE_F16);
    check_model(models[i].path, models[i].defines, "default, mixed(bf16, masters = 0)", STORAGE_BF16);
  }
  return check_done("mixed");
}
