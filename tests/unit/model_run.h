/* Lowers specs and runs them by the interpreter, for property tests: states have random contents by their names, and
   inputs too. */
#ifndef TESTS_UNIT_MODEL_RUN_H
#define TESTS_UNIT_MODEL_RUN_H

#include "frontend/frontend.h"
#include "ir/interpret.h"
#include "passes/passes.h"
#include "tests/unit/check.h"

enum { MAX_INPUTS = 32 };

struct model_run {
  struct arena *arena;
  struct program *program;
  double **states; /* beside program->states, at full extents */
  const char *input_names[MAX_INPUTS];
  const double *inputs[MAX_INPUTS];
  int input_count;
};

/* A number in [-1, 1) that depends on the name and the element alone, so that two programs get the same contents. */
static inline double content_of(const char *name, int64_t element) {
  uint64_t x = ((uint64_t)hash_path(name) << 32 ^ (uint64_t)element) * 0x9E3779B97F4A7C15u;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9u;
  return (double)(x >> 11) / 4503599627370496.0 - 1;
}

/* `pipeline`: the passes to run, NULL for the usual ones, or "" for none at all. */
static inline bool model_open_under(struct model_run *run, const char *path, const char *const *defines,
                                    const char *pipeline) {
  *run = (struct model_run){.arena = arena_new()};
  struct diagnostics *diagnostics = diagnostics_new(run->arena);
  struct define list[MAX_INPUTS];
  int count = 0;
  for (; defines[count]; count++) {
    const char *equals = strchr(defines[count], '=');
    list[count] = (struct define){.source = source_from_text(run->arena, "-D", defines[count]),
                                  .name = arena_copy(run->arena, defines[count], (size_t)(equals - defines[count])),
                                  .value_begin = (int)(equals - defines[count]) + 1};
  }
  struct frontend_options options = {
      .defines = list, .define_count = count, .standard_library = SOURCE_FOLDER "/specs"};
  run->program = lower_spec(run->arena, arena_format(run->arena, "%s/%s", SOURCE_FOLDER, path), &options, diagnostics);
  struct pass_options passes = {.pipeline = pipeline, .verify = true};
  if (run->program && !(pipeline && !*pipeline) && !run_graph_passes(run->program, &passes, diagnostics))
    run->program = NULL;
  if (!CHECK(run->program != NULL)) {
    diagnostics_print(diagnostics, stdout);
    return false;
  }
  struct program *program = run->program;
  run->states = arena_new_array(run->arena, double *, program->states.count);
  for (int i = 0; i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    int64_t elements = axes_count(state->axes, state->axis_count);
    run->states[i] = arena_new_array(run->arena, double, elements);
    bool filled = state->role == ROLE_PARAMETER || state->role == ROLE_AVERAGE;
    const char *name = state->of ? state->of->name : state->name;
    for (int64_t j = 0; j < elements; j++) run->states[i][j] = filled ? 0.4 * content_of(name, j) : state->low;
  }
  return true;
}

static inline bool model_open(struct model_run *run, const char *path, const char *const *defines, bool with_passes) {
  return model_open_under(run, path, defines, with_passes ? NULL : "");
}

static inline void model_close(struct model_run *run) { arena_free(run->arena); }

static inline void set_input(struct model_run *run, const char *name, const double *data) {
  for (int i = 0; i < run->input_count; i++)
    if (!strcmp(run->input_names[i], name)) {
      run->inputs[i] = data;
      return;
    }
  run->input_names[run->input_count] = name;
  run->inputs[run->input_count++] = data;
}

static inline const double *model_run_input(void *context, const struct value *input) {
  const struct model_run *run = context;
  for (int i = 0; i < run->input_count; i++)
    if (!strcmp(run->input_names[i], input->name)) return run->inputs[i];
  return NULL;
}

static inline double *model_run_state(void *context, const struct state *state) {
  const struct model_run *run = context;
  for (int i = 0; i < run->program->states.count; i++)
    if (run->program->states.items[i] == state) return run->states[i];
  return NULL;
}

static inline double *state_contents(struct model_run *run, const char *name) {
  for (int i = 0; i < run->program->states.count; i++)
    if (!strcmp(run->program->states.items[i]->name, name)) return run->states[i];
  return NULL;
}

/* The outputs of one run, in an arena of their own that the caller frees; NULL after an error. */
static inline struct tensor *model_step(struct model_run *run, struct arena *arena, const struct graph *graph,
                                        const int64_t *sizes) {
  struct environment environment = {
      .arena = arena, .sizes = sizes, .seed = 7, .input = model_run_input, .state = model_run_state, .context = run};
  struct tensor *results = arena_new_array(arena, struct tensor, graph->outputs.count);
  const char *error = graph_interpret(graph, &environment, results, NULL);
  if (CHECK(error == NULL)) return results;
  printf("  %s: %s\n", graph->name, error);
  return NULL;
}

static inline const struct tensor *output_of(const struct graph *graph, const struct tensor *results,
                                             const char *name) {
  for (int i = 0; i < graph->outputs.count; i++)
    if (!strcmp(graph->outputs.items[i].name, name)) return &results[i];
  return NULL;
}

/* The element at coordinates given by axis name; the other axes are at `rest`, the last fastest. */
static inline double tensor_at(const struct tensor *tensor, const int64_t *sizes, const char *first,
                               int64_t first_index, const char *second, int64_t second_index, int64_t rest) {
  int64_t index = 0, stride = 1;
  for (int i = tensor->axis_count; i-- > 0;) {
    int64_t length = axis_length(tensor->axes[i], sizes), at;
    if (!strcmp(tensor->axes[i]->name, first))
      at = first_index;
    else if (second && !strcmp(tensor->axes[i]->name, second))
      at = second_index;
    else
      at = rest % length, rest /= length;
    index += at * stride;
    stride *= length;
  }
  return tensor->data[index];
}

#endif
