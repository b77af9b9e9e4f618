/* Whole models: the gradient that a training step computes, for every parameter tensor, against the slope of the loss that
   evaluation computes. Both come from one spec, and the graphs go through all passes. */
#include "tests/unit/model_run.h"

enum { DIRECTIONS = 3 };

struct model_case {
  const char *path;
  const char *const *defines;
};

/* The graph that asks for gradients made into one that only gives them: an output for each, named as the parameter. */
static struct graph *gradients_only(struct program *program) {
  struct graph *graph = NULL;
  for (int i = 0; program_graph(program, i) && !graph; i++) {
    struct graph *candidate = *program_graph(program, i);
    for (int j = 0; candidate && j < candidate->values.count && !graph; j++)
      if (candidate->values.items[j]->op == OP_gradient) graph = candidate;
  }
  if (!graph) return NULL;
  graph->outputs.count = 0;
  int kept = 0;
  bool *dropped = calloc((size_t)graph->next_value, sizeof *dropped); /* updates and what is computed from them */
  for (int i = 0; i < graph->values.count; i++) {
    struct value *value = graph->values.items[i];
    dropped[value->id] = value->op == OP_update;
    for (int j = 0; j < value->input_count; j++) dropped[value->id] |= dropped[value->inputs[j]->id];
    if (dropped[value->id]) continue;
    graph->values.items[kept++] = value;
    if (value->op == OP_gradient) {
      if (!graph->outputs.count) graph_add_output(graph, "the loss", value->inputs[0]);
      graph_add_output(graph, value->inputs[1]->state->name, value);
    }
  }
  graph->values.count = kept;
  free(dropped);
  return graph;
}

/* Random contents for whatever the two graphs take. */
static void set_inputs(struct model_run *run, const struct graph *graph) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (value->op != OP_input || model_run_input(run, value)) continue;
    int64_t count = value_count(value);
    double *data = arena_new_array(run->arena, double, (int)count);
    for (int64_t j = 0; j < count; j++) {
      switch (value->kind) {
        case KIND_REAL:
          data[j] = value->axis_count ? 0.5 + 0.4 * content_of(value->name, j) : 1;
          break;
        case KIND_INTEGER:
          data[j] = (double)(value->range ? check_below((int)value->range->extent) : j % 2);
          break;
        case KIND_BOOLEAN:
          data[j] = j % 7 != 6;
          break;
      }
    }
    set_input(run, value->name, data);
  }
}

static double mean_loss(struct model_run *run) {
  struct arena *arena = arena_new();
  struct tensor *results = model_step(run, arena, run->program->evaluate, NULL);
  double loss = NAN;
  if (results)
    loss = output_of(run->program->evaluate, results, "loss_sum")->data[0] /
           output_of(run->program->evaluate, results, "weight_sum")->data[0];
  arena_free(arena);
  return loss;
}

static double slope(struct model_run *run, double *contents, int64_t count, const double *direction, double step) {
  static const double at[] = {-2, -1, 1, 2}, weight[] = {1, -8, 8, -1};
  double sum = 0, *base = malloc(sizeof *base * (size_t)count);
  memcpy(base, contents, sizeof *base * (size_t)count);
  for (int i = 0; i < 4; i++) {
    for (int64_t j = 0; j < count; j++) contents[j] = base[j] + at[i] * step * direction[j];
    sum += weight[i] * mean_loss(run);
  }
  memcpy(contents, base, sizeof *base * (size_t)count);
  free(base);
  return sum / (12 * step);
}

/* The gradient in the order of the state's axes. */
static void reorder(const struct tensor *tensor, const struct state *state, double *data) {
  int64_t count = axes_count(state->axes, state->axis_count);
  for (int64_t j = 0; j < count; j++) {
    int64_t rest = j, place = 0, index[MAX_AXES];
    for (int k = state->axis_count - 1; k >= 0; k--) {
      index[k] = rest % state->axes[k]->extent;
      rest /= state->axes[k]->extent;
    }
    for (int k = 0; k < tensor->axis_count; k++)
      for (int l = 0; l < state->axis_count; l++)
        if (state->axes[l] == tensor->axes[k]) place = place * state->axes[l]->extent + index[l];
    data[j] = tensor->data[place];
  }
}

static int check_parameter(struct model_run *run, const struct model_case *model, const struct state *state,
                           const struct tensor *gradient, double scale) {
  int64_t count = axes_count(state->axes, state->axis_count);
  double *contents = state_contents(run, state->name), *ordered = arena_new_array(run->arena, double, (int)count);
  double *direction = arena_new_array(run->arena, double, (int)count), norm = 0;
  reorder(gradient, state, ordered);
  for (int64_t j = 0; j < count; j++) norm += ordered[j] * ordered[j];
  norm = sqrt(norm);
  int checked = 0;
  for (int d = 0; d < DIRECTIONS; d++) {
    double length = 0, analytic = 0;
    for (int64_t j = 0; j < count; j++) {
      direction[j] = (double)(check_random() >> 11) * 0x1p-52 - 1;
      length += direction[j] * direction[j];
    }
    for (int64_t j = 0; j < count; j++) {
      direction[j] /= sqrt(length);
      analytic += direction[j] * ordered[j];
    }
    double measured = slope(run, contents, count, direction, 2e-3),
           finer = slope(run, contents, count, direction, 1e-3);
    double tolerance = 1e-8 * norm + 1e-10 * scale;
    if (fabs(measured - finer) > tolerance) { /* across a kink: another expert, or a relu */
      SKIP("a kink lies in the direction of a measured slope");
      continue;
    }
    checked++;
    if (!CHECK(fabs(finer - analytic) <= tolerance))
      printf("  %s, %s: gradient %.12g, slope %.12g, norm %g\n", model->path, state->name, analytic, finer, norm);
  }
  return checked;
}

static void check_model(const struct model_case *model) {
  struct model_run run;
  if (!model_open(&run, model->path, model->defines, false)) return;
  struct graph *graph = gradients_only(run.program);
  struct diagnostics *diagnostics = diagnostics_new(run.arena);
  struct pass_options passes = {.verify = true};
  if (CHECK(graph && run.program->evaluate) && CHECK(run_graph_passes(run.program, &passes, diagnostics))) {
    set_inputs(&run, graph);
    set_inputs(&run, run.program->evaluate);
    struct tensor *results = model_step(&run, run.arena, graph, NULL);
    int tensors = 0, checked = 0;
    double loss = mean_loss(&run), scale = results ? fabs(results[0].data[0]) : 0;
    /* The loss of training may be left to divide by the weights of all micro-batches. */
    double factor = results ? loss / results[0].data[0] : NAN;
    for (int i = 1; results && i < graph->outputs.count; i++) {
      const struct state *state = NULL;
      for (int j = 0; j < run.program->states.count; j++)
        if (!strcmp(run.program->states.items[j]->name, graph->outputs.items[i].name))
          state = run.program->states.items[j];
      int64_t count = axes_count(state->axes, state->axis_count);
      for (int64_t j = 0; j < count; j++) results[i].data[j] *= factor;
      checked += check_parameter(&run, model, state, &results[i], scale * factor);
      tensors++;
    }
    if (!CHECK(tensors > 1 && checked > 2 * tensors))
      printf("  %s: %d slopes of %d tensors\n", model->path, checked, tensors);
  }
  model_close(&run);
}

int main(void) {
  static const char *const gpt[] = {"vocab=13",  "pos=8",      "seq=6",   "embed=12",      "head=3",
                                    "hidden=16", "repeat.h=2", "batch=2", "train.batch=2", NULL};
  static const char *const bert[] = {"vocab=13", "pos=8",     "seq=6",         "embed=12",
                                     "head=3",   "hidden=16", "train.batch=2", NULL};
  static const char *const llama[] = {"vocab=13",        "seq=6",         "embed=24", "hidden=16",
                                      "repeat.layers=2", "train.batch=2", NULL};
  static const char *const translate[] = {"vocab=13", "source=5",  "seq=6",         "embed=12",
                                          "head=3",   "hidden=16", "train.batch=2", NULL};
  static const char *const small[] = {"vocab=13", "seq=6", "embed=12", "head=3", "train.batch=2", NULL};
  static const char *const few[] = {"train.batch=3", NULL};
  static const struct model_case models[] = {{"tests/golden/gpt.lam", gpt},
                                             {"tests/golden/bert.lam", bert},
                                             {"tests/golden/llama.lam", llama},
                                             {"tests/golden/translate.lam", translate},
                                             {"specs/moe.lam", small},
                                             {"specs/lora.lam", small},
                                             {"specs/mlp.lam", few},
                                             {"specs/linear.lam", few}};
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) check_model(&models[i]);
  return check_done("model_gradients");
}
