/* The batch rule: a batch gives what its examples give one by one, in outputs, losses and gradients, with dropout. */
#include "tests/unit/model_run.h"

enum { BATCH = 3 };

struct model_case {
  const char *path;
  const char *const *defines; /* the batch goes before them */
};

static bool open_with_batch(struct model_run *run, const struct model_case *model, int batch) {
  const char *defines[MAX_INPUTS] = {batch == 1 ? "batch=1" : "batch=3", "train.accumulate=2"};
  int count = 2;
  for (int i = 0; model->defines[i]; i++) defines[count++] = model->defines[i];
  return model_open(run, model->path, defines, true);
}

/* The inputs of a graph for the examples from `first` on; contents depend on the example and the element alone. */
static void set_examples(struct model_run *run, struct arena *arena, const struct graph *graph, int first) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (value->op != OP_input) continue;
    const int64_t count = value_count(value), batch = value->axis_count ? value->axes[0]->extent : 1,
                  each = count / batch;
    double *data = arena_new_array(arena, double, count);
    for (int64_t j = 0; j < count; j++) {
      const double number = content_of(value->name, (first + j / each) * 1000 + j % each);
      data[j] = value->kind == KIND_BOOLEAN ? number > -0.5 : value->kind == KIND_REAL ? number + 2 : 0;
      if (value->range) data[j] = floor((number + 1) / 2 * (double)value->range->extent);
      if (!strcmp(value->name, "example")) data[j] = (double)(first + j);
      if (!strcmp(value->name, "step")) data[j] = 3;
    }
    set_input(run, value->name, data);
  }
}

static void compare_predictions(struct model_run *together, struct model_run *apart) {
  struct graph *graph = together->program->predict, *single = apart->program->predict;
  struct arena *arena = arena_new();
  set_examples(together, arena, graph, 0);
  struct tensor *results = model_step(together, arena, graph, NULL);
  double worst = 0;
  for (int b = 0; b < BATCH && results; b++) {
    set_examples(apart, arena, single, b);
    struct tensor *alone = model_step(apart, arena, single, NULL);
    if (!alone) break;
    for (int i = 0; i < graph->outputs.count; i++) {
      const int64_t elements = axes_count(alone[i].axes, alone[i].axis_count);
      for (int64_t j = 0; j < elements; j++) {
        double difference = fabs(tensor_at(&alone[i], NULL, "batch", 0, NULL, 0, j) -
                                 tensor_at(&results[i], NULL, "batch", b, NULL, 0, j));
        if (!(difference <= worst)) worst = difference;
      }
    }
  }
  CHECK_NEAR(worst, 0, 1e-12);
  arena_free(arena);
}

/* Gradients add up in the accumulators, and the loss and its weight with them. */
static void compare_gradients(struct model_run *together, struct model_run *apart) {
  struct graph *graph = together->program->accumulate, *single = apart->program->accumulate;
  struct arena *arena = arena_new();
  set_examples(together, arena, graph, 0);
  bool good = model_step(together, arena, graph, NULL) != NULL;
  for (int b = 0; b < BATCH && good; b++) {
    set_examples(apart, arena, single, b);
    good = model_step(apart, arena, single, NULL) != NULL;
  }
  double worst = 0, largest = 0;
  for (int i = 0; i < together->program->states.count && good; i++) {
    const struct state *state = together->program->states.items[i];
    if (state->role != ROLE_ACCUMULATOR) continue;
    const double *sum = state_contents(apart, state->name);
    if (!CHECK(sum != NULL)) continue;
    for (int64_t j = 0; j < axes_count(state->axes, state->axis_count); j++) {
      const double difference = fabs(together->states[i][j] - sum[j]) / (1 + fabs(sum[j]));
      if (!(difference <= worst)) worst = difference;
      if (fabs(sum[j]) > largest) largest = fabs(sum[j]);
    }
  }
  CHECK_NEAR(worst, 0, 1e-11);
  CHECK(largest > 0.1);
  arena_free(arena);
}

int main(void) {
  static const char *const gpt[] = {"vocab=17", "pos=6", "embed=12", "head=3", "repeat.h=2", NULL};
  static const char *const bert[] = {"vocab=17", "pos=6", "embed=12", "head=3", "repeat.layer=2", NULL};
  static const char *const llama[] = {"vocab=17", "seq=6",     "embed=24",        "kv=2",
                                      "group=2",  "hidden=20", "repeat.layers=2", NULL};
  static const char *const translate[] = {"vocab=17", "source=5",        "seq=5", "embed=12",
                                          "head=3",   "repeat.layers=2", NULL};
  static const char *const line[] = {NULL};
  static const struct model_case models[] = {{"specs/shakespeare.lam", gpt}, {"specs/bert.lam", bert},
                                             {"specs/llama.lam", llama},     {"specs/translate.lam", translate},
                                             {"specs/linear.lam", line},     {"specs/mlp.lam", line}};
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    struct model_run together, apart;
    if (!open_with_batch(&together, &models[i], BATCH) || !open_with_batch(&apart, &models[i], 1)) continue;
    compare_predictions(&together, &apart);
    compare_gradients(&together, &apart);
    model_close(&together);
    model_close(&apart);
  }
  return check_done("batch_rule");
}
