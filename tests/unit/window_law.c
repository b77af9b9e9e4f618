/* The law of generation: any split of a sequence into windows gives the outputs of the whole. Rows stand at their own
   positions, and may be fed again what they have seen. */
#include "tests/unit/model_run.h"

enum { BATCH = 3, SPLITS = 6 };

struct model_case {
  const char *path;
  const char *const *defines;
  const char *feed, *from;
};

/* What a model takes besides the tokens that generation feeds: a source with its mask, where there is one. */
static void set_source(struct model_run *run, const struct graph *graph, int length) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (value->op != OP_input || value_count(value) != BATCH * length || !strcmp(value->name, "position")) continue;
    double *data = arena_new_array(run->arena, double, BATCH *length);
    for (int j = 0; j < BATCH * length; j++)
      data[j] =
          value->kind == KIND_BOOLEAN ? j % length <= j / length * 2 : (double)check_below((int)value->range->extent);
    if (!strcmp(value->name, "from") || !strcmp(value->name, "real")) set_input(run, value->name, data);
  }
}

static double *select_window(struct arena *arena, const double *whole, int length, const int *begin, int window) {
  double *part = arena_new_array(arena, double, BATCH *window);
  for (int b = 0; b < BATCH; b++)
    for (int w = 0; w < window; w++) part[b * window + w] = whole ? whole[b * length + begin[b] + w] : begin[b] + w;
  return part;
}

/* One random split; the largest difference from the whole. */
static double split_difference(struct model_run *run, const struct model_case *model, const double *tokens,
                               const struct tensor *whole, int length, int vocabulary) {
  const struct graph *step = run->program->step;
  int filled[BATCH] = {0};
  double worst = 0;
  for (int i = 0; i < run->program->states.count; i++) { /* caches hold the last split's rows: none may be seen */
    const struct state *state = run->program->states.items[i];
    const double wrong = state->kind == KIND_INTEGER ? (double)storage_facts[state_storage(state)].most : 1e3;
    for (int64_t j = 0; state->role == ROLE_CACHE && j < axes_count(state->axes, state->axis_count); j++)
      run->states[i][j] = wrong;
  }
  bool done = false;
  while (!done) {
    struct arena *arena = arena_new();
    int window = 1 + check_below(length / 2), begin[BATCH], past = 0;
    for (int b = 0; b < BATCH; b++) {
      begin[b] = filled[b] - check_below(filled[b] > 2 ? 3 : filled[b] + 1);
      if (begin[b] + window > length) begin[b] = length - window;
      if (begin[b] + window > filled[b]) filled[b] = begin[b] + window;
      if (filled[b] > past) past = filled[b];
    }
    int64_t sizes[2];
    for (int i = 0; i < step->sizes.count; i++)
      sizes[step->sizes.items[i]->index] = step->sizes.items[i]->role == SIZE_WINDOW ? window : past;
    set_input(run, model->feed, select_window(arena, tokens, length, begin, window));
    set_input(run, "position", select_window(arena, NULL, length, begin, window));
    struct tensor *results = model_step(run, arena, step, sizes);
    done = !results;
    const struct tensor *logits = results ? output_of(step, results, model->from) : NULL;
    for (int b = 0; logits && b < BATCH; b++)
      for (int w = 0; w < window; w++)
        for (int v = 0; v < vocabulary; v++) {
          double got = tensor_at(logits, sizes, "batch", b, "seq", w, v);
          double expected = tensor_at(whole, NULL, "batch", b, "seq", begin[b] + w, v);
          double difference = fabs(got - expected);
          if (!(difference <= worst)) worst = difference;
        }
    arena_free(arena);
    bool all = true;
    for (int b = 0; b < BATCH; b++) all &= filled[b] == length;
    done |= all;
  }
  return worst;
}

/* `pipeline`: see model_open_under. */
static void check_model(const struct model_case *model, const char *pipeline) {
  struct model_run run;
  if (!model_open_under(&run, model->path, model->defines, pipeline)) return;
  const bool with_passes = !pipeline || *pipeline;
  const struct graph *predict = run.program->predict, *step = run.program->step;
  if (!CHECK(predict && step)) return;
  const int length = (int)run.program->generation->capacity, vocabulary = (int)run.program->generation->vocabulary;
  double zero = 0, *tokens = arena_new_array(run.arena, double, BATCH *length);
  for (int i = 0; i < BATCH * length; i++) tokens[i] = check_below(vocabulary);
  set_input(&run, "step", &zero);
  set_input(&run, "steps", &zero);
  set_source(&run, predict, length);
  set_input(&run, model->feed, tokens);
  if (run.program->derive) model_step(&run, run.arena, run.program->derive, NULL);
  struct tensor *results = model_step(&run, run.arena, predict, NULL);
  const struct tensor *whole = results ? output_of(predict, results, model->from) : NULL;
  const int64_t none[2] = {0, 0}; /* what is computed once depends on no window */
  if (whole && run.program->prepare && with_passes) model_step(&run, run.arena, run.program->prepare, none);
  for (int i = 0; whole && i < SPLITS; i++)
    CHECK_NEAR(split_difference(&run, model, tokens, whole, length, vocabulary), 0, 1e-12);
  /* The comparison has something to compare: outputs differ from place to place. */
  if (whole)
    CHECK(fabs(tensor_at(whole, NULL, "batch", 0, "seq", 1, 0) - tensor_at(whole, NULL, "batch", 1, "seq", 2, 0)) >
          1e-6);
  model_close(&run);
}

int main(void) {
  static const char *const gpt[] = {"vocab=17",   "pos=12",  "embed=12",         "head=3",
                                    "repeat.h=2", "batch=3", "generate.batch=3", NULL};
  static const char *const odd[] = {"vocab=17",   "pos=12",  "embed=9",          "head=3",
                                    "repeat.h=1", "batch=3", "generate.batch=3", NULL}; /* rows of 3 elements */
  static const char *const llama[] = {"vocab=17",        "seq=12",  "embed=24",         "kv=2", "group=2", "hidden=20",
                                      "repeat.layers=2", "batch=3", "generate.batch=3", NULL};
  static const char *const sort[] = {"vocab=7", "repeat.h=2", "batch=3", "generate.batch=3", NULL};
  static const char *const translate[] = {
      "vocab=17", "source=9", "seq=9", "embed=12", "head=3", "repeat.layers=2", "batch=3", "generate.batch=3", NULL};
  static const struct model_case models[] = {{"specs/shakespeare.lam", gpt, "tokens", "logits"},
                                             {"specs/shakespeare.lam", odd, "tokens", "logits"},
                                             {"specs/llama.lam", llama, "tokens", "logits"},
                                             {"specs/gpt-nano-sort.lam", sort, "tokens", "logits"},
                                             {"specs/translate.lam", translate, "to", "logits"}};
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    check_model(&models[i], "");
    check_model(&models[i], NULL);
    check_model(&models[i], "quantize_cache(i8)");
    check_model(&models[i], "quantize_cache(i4)");
    check_model(&models[i],
                "quantize_cache(i8, \"*k/cache\"), quantize_cache(i4, rotate = 0, \"*v/cache\"), quantize(i8)");
  }
  return check_done("window_law");
}
