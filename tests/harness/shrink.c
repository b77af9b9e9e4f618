#include "tests/harness/shrink.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/foreign.h"

/* A try takes tenths of a second. After one that did not end, tries get less time and are fewer. */
enum { MOST_SECONDS = 30, FEW_SECONDS = 5, FEW_TRIES = 60 };

const char *const ending_names[] = {"well",       "refused", "changed by a pass", "not compiled", "with other numbers",
                                    "in a crash", "never"};

enum ending failure_run(struct arena *arena, const struct failure *failure, const char **message) {
  struct expectation *expected = arena_new_struct(arena, struct expectation);
  *message = expectation_new(arena, failure->sample, expected);
  if (*message) return ENDS_REFUSED;
  struct trial_set *set = trial_set_new(arena);
  struct trial *trial = trial_set_add(set, expected, failure->pipeline, failure->target);
  trial_set_add_twin(set, trial);
  *message = trial->wrong;
  if (trial->wrong) return ENDS_REWRITTEN;
  *message = "the C does not compile";
  if (trial_set_run(set, &failure->how)) return ENDS_UNCOMPILED;
  *message = trial->wrong;
  return trial->wrong ? ENDS_DIFFERENT : ENDS_WELL;
}

enum ending failure_ending(const struct failure *failure) {
  fflush(stdout);
  pid_t child = fork();
  if (child < 0) return ENDS_CRASHED;
  if (!child) {
    signal(SIGALRM, SIG_DFL);
    alarm(failure->seconds ? (unsigned)failure->seconds : MOST_SECONDS);
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(ENDS_CRASHED);
    const char *message;
    _exit((int)(failure->run ? failure->run : failure_run)(arena_new(), failure, &message));
  }
  int status;
  if (waitpid(child, &status, 0) != child) return ENDS_CRASHED;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return ENDS_NEVER;
  return WIFEXITED(status) && WEXITSTATUS(status) < ENDS_CRASHED ? (enum ending)WEXITSTATUS(status) : ENDS_CRASHED;
}

/* --- Rewriting a sample ----------------------------------------------------------------------------------------------------------- */

static void replace_uses(struct graph *graph, const struct value *old, struct value *new) {
  for (int i = 0; i < graph->values.count; i++) {
    struct value *value = graph->values.items[i];
    for (int j = 0; j < value->input_count && value != new; j++)
      if (value->inputs[j] == old) value->inputs[j] = new;
  }
  for (int i = 0; i < graph->outputs.count; i++)
    if (graph->outputs.items[i].value == old) graph->outputs.items[i].value = new;
}

/* Removes values that no output and no update needs, and contents that no value reads. */
static void sweep(struct sample *sample, const struct value *dropped_update) {
  struct graph *graph = sample->graph;
  bool *needed = arena_new_array(sample->arena, bool, graph->next_value);
  for (int i = 0; i < graph->outputs.count; i++) needed[graph->outputs.items[i].value->id] = true;
  for (int i = graph->values.count - 1; i >= 0; i--) {
    const struct value *value = graph->values.items[i];
    if (value->op == OP_update && value != dropped_update) needed[value->id] = true;
    for (int j = 0; needed[value->id] && j < value->input_count; j++) needed[value->inputs[j]->id] = true;
  }
  int kept = 0;
  for (int i = 0; i < graph->values.count; i++)
    if (needed[graph->values.items[i]->id]) graph->values.items[kept++] = graph->values.items[i];
  graph->values.count = kept;
  kept = 0;
  for (int i = 0; i < sample->contents.count; i++) {
    const struct content *content = &sample->contents.items[i];
    bool read = false;
    for (int j = 0; j < graph->values.count; j++) {
      const struct value *value = graph->values.items[j];
      if (content->is_state)
        read = read || (value->state && !strcmp(value->state->name, content->name));
      else
        read = read || (value->op == OP_input && !strcmp(value->name, content->name));
    }
    if (read) sample->contents.items[kept++] = *content;
  }
  sample->contents.count = kept;
}

static int64_t present(const struct sample *sample, struct axis *const *axes, int count) {
  int64_t product = 1;
  for (int i = 0; i < count; i++) product *= axis_length(axes[i], sample->sizes);
  return product;
}

/* Watches one value in a run of the graph that changes nothing. */
struct spy {
  struct sample *sample;
  int id;
  double *data;
};

static const double *spy_input(void *context, const struct value *input) {
  const struct content *content = sample_content(((struct spy *)context)->sample, input->name, false);
  return content ? content->data : NULL;
}

static double *spy_state(void *context, const struct state *state) {
  const struct content *content = sample_content(((struct spy *)context)->sample, state->name, true);
  if (!content) return NULL;
  double *copy = arena_new_array(((struct spy *)context)->sample->arena, double, content->count);
  return memcpy(copy, content->data, sizeof(double) * (size_t)content->count);
}

static void spy_watch(void *context, const struct value *value, const struct tensor *tensor) {
  struct spy *spy = context;
  if (value->id != spy->id || spy->data) return;
  int64_t count = present(spy->sample, value->axes, value->axis_count);
  spy->data = arena_new_array(spy->sample->arena, double, count);
  memcpy(spy->data, tensor->data, sizeof(double) * (size_t)count);
}

/* Replaces a value by an input whose contents are what the interpreter gives for the value, or ones where it gives
   nothing. */
static bool value_to_input(struct sample *sample, int number) {
  struct graph *graph = sample->graph;
  struct value *value = graph->values.items[number];
  if (op_facts[value->op].class == CLASS_LEAF || value->op == OP_call || value->op == OP_update) return false;
  struct spy spy = {.sample = sample, .id = value->id};
  struct environment environment = sample_environment(sample);
  environment.input = spy_input, environment.state = spy_state, environment.context = &spy;
  graph_interpret(graph, &environment, NULL, spy_watch);
  int64_t count = present(sample, value->axes, value->axis_count);
  if (!spy.data) {
    spy.data = arena_new_array(sample->arena, double, count);
    for (int64_t i = 0; i < count; i++) spy.data[i] = value->range ? 0 : 1;
  }
  for (int64_t i = 0; i < count && value->kind == KIND_REAL; i++) spy.data[i] = (double)(float)spy.data[i];
  const char *name = arena_format(sample->arena, "value_%d", value->id);
  struct value *input = build_input(graph, name, value->kind, value->range, value->axes, value->axis_count);
  graph->values.count--;
  graph->values.items[number] = input;
  array_push(sample->arena, &sample->contents, (struct content){name, false, count, spy.data});
  replace_uses(graph, value, input);
  return true;
}

static bool value_to_operand(struct sample *sample, int number, int operand) {
  struct value *value = sample->graph->values.items[number];
  if (value->op == OP_update || operand >= value->input_count) return false;
  struct value *other = value->inputs[operand];
  if (!same_axes(value, other) || value->kind != other->kind || value->range != other->range) return false;
  replace_uses(sample->graph, value, other);
  return true;
}

/* Removes the elements that are outside when an axis of `axes` becomes shorter. */
static void shorten_content(struct sample *sample, const char *name, bool is_state, struct axis *const *axes, int count,
                            const struct axis *axis, int64_t length, const struct axis *range) {
  struct content *content = sample_content(sample, name, is_state);
  if (!content) return;
  int64_t counters[MAX_AXES] = {0}, kept = 0, total = content->count;
  for (int64_t i = 0; i < total; i++) {
    bool inside = true;
    for (int k = 0; k < count; k++) inside = inside && (axes[k] != axis || counters[k] < length);
    double number = content->data[i];
    if (range == axis && number >= (double)length) number = (double)(length - 1);
    if (inside) content->data[kept++] = number;
    for (int k = count - 1; k >= 0; k--) {
      if (++counters[k] < (is_state ? axes[k]->extent : axis_length(axes[k], sample->sizes))) break;
      counters[k] = 0;
    }
  }
  content->count = kept;
}

/* All axes of the graph, each once. */
static int list_axes(const struct sample *sample, struct axis **axes, int most) {
  int count = 0;
  for (int i = 0; i < sample->graph->values.count; i++) {
    const struct value *value = sample->graph->values.items[i];
    for (int j = 0; j < value->axis_count; j++) {
      bool known = false;
      for (int k = 0; k < count; k++) known = known || axes[k] == value->axes[j];
      if (!known && count < most) axes[count++] = value->axes[j];
    }
  }
  return count;
}

static bool shorten_axis(struct sample *sample, int number, int way) {
  struct axis *axes[256];
  if (number >= list_axes(sample, axes, 256)) return false;
  struct axis *axis = axes[number];
  int64_t length = axis_length(axis, sample->sizes), shorter = way == 0 ? 1 : way == 1 ? length / 2 : length - 1;
  if (shorter < 1 || shorter >= length) return false;
  for (int i = 0; i < sample->graph->values.count; i++) {
    struct value *value = sample->graph->values.items[i];
    if (value->op == OP_input)
      shorten_content(sample, value->name, false, value->axes, value->axis_count, axis, shorter, value->range);
  }
  for (int i = 0; i < sample->program.states.count && !axis->size; i++) {
    struct state *state = sample->program.states.items[i];
    shorten_content(sample, state->name, true, state->axes, state->axis_count, axis, shorter, NULL);
  }
  if (axis->size)
    sample->sizes[axis->size->index] = shorter;
  else
    axis->extent = shorter;
  return true;
}

static bool plain_content(struct sample *sample, int number, int way) {
  if (number >= sample->contents.count) return false;
  struct content *content = &sample->contents.items[number];
  bool changed = false;
  for (int64_t i = 0; i < content->count; i++) {
    double x = content->data[i], plain = way == 0 ? 0 : way == 1 ? 1 : isfinite(x) ? nearbyint(x) : x;
    changed = changed || !(x == plain || (isnan(x) && isnan(plain)));
    content->data[i] = plain;
  }
  return changed;
}

static bool drop_output(struct sample *sample, int number, int way) {
  struct graph *graph = sample->graph;
  if (graph->outputs.count < 2 || number >= graph->outputs.count) return false;
  if (way == 0)
    graph->outputs.items[0] = graph->outputs.items[number], graph->outputs.count = 1;
  else
    graph->outputs.items[number] = graph->outputs.items[--graph->outputs.count];
  return true;
}

static bool drop_update(struct sample *sample, int number) {
  const struct value *value = sample->graph->values.items[number];
  if (value->op != OP_update) return false;
  for (int i = 0; i < sample->graph->outputs.count; i++)
    if (sample->graph->outputs.items[i].value == value) return false;
  const int before = sample->graph->values.count;
  sweep(sample, value);
  return sample->graph->values.count < before; /* what other values read stays */
}

/* --- Searching ----------------------------------------------------------------------------------------------------------------------- */

enum change { DROP_OUTPUT, DROP_UPDATE, TO_INPUT, TO_OPERAND, SHORTEN, PLAIN, CHANGES };

/* The number of places on the sample where a change of this kind can be tried. */
static int places(const struct sample *sample, enum change change) {
  switch (change) {
    case DROP_OUTPUT:
      return 2 * sample->graph->outputs.count;
    case DROP_UPDATE:
    case TO_INPUT:
      return sample->graph->values.count;
    case TO_OPERAND:
      return 3 * sample->graph->values.count;
    case SHORTEN: {
      struct axis *axes[256];
      return 3 * list_axes(sample, axes, 256);
    }
    case PLAIN:
      return 3 * sample->contents.count;
    case CHANGES:
      break;
  }
  bug("change %d", (int)change);
}

static bool apply(struct sample *sample, enum change change, int place) {
  int count = sample->graph->values.count;
  switch (change) {
    case DROP_OUTPUT:
      return drop_output(sample, place % sample->graph->outputs.count, place / sample->graph->outputs.count);
    case DROP_UPDATE:
      return drop_update(sample, place);
    case TO_INPUT:
      return value_to_input(sample, count - 1 - place); /* from the end, where this saves most */
    case TO_OPERAND:
      return value_to_operand(sample, count - 1 - place / 3, place % 3);
    case SHORTEN:
      return shorten_axis(sample, place / 3, place % 3);
    case PLAIN:
      return plain_content(sample, place / 3, place % 3);
    case CHANGES:
      break;
  }
  bug("change %d", (int)change);
}

/* A pipeline's text without item `number`, or without that item's parameters; NULL where there is no such item. */
static const char *without_item(struct arena *arena, const char *pipeline, int number, bool parameters) {
  int depth = 0, item = 0;
  const char *begin = pipeline, *at = pipeline;
  for (;; at++) {
    if (*at == '(') depth++;
    if (*at == ')') depth--;
    if (*at && (*at != ',' || depth)) continue;
    if (item++ == number) break;
    if (!*at) return NULL;
    begin = at + 1;
  }
  int before = (int)(begin - pipeline);
  if (!parameters) {
    if (number == 0) return NULL; /* "none" or "default" */
    return arena_format(arena, "%.*s%s", before - 1, pipeline, at);
  }
  const char *open = memchr(begin, '(', (size_t)(at - begin));
  return open ? arena_format(arena, "%.*s%s", (int)(open - pipeline), pipeline, at) : NULL;
}

struct search {
  struct arena *arena;
  struct failure best;
  enum ending ending;
  int tries;
};

static bool accepts(struct search *search, const struct failure *failure) {
  if (search->tries-- <= 0 || failure_ending(failure) != search->ending) return false;
  search->best = *failure;
  return true;
}

static bool shrink_sample(struct search *search, enum change change) {
  bool any = false;
  for (int place = 0; search->tries > 0 && place < places(search->best.sample, change); place++) {
    struct failure next = search->best;
    next.sample = sample_copy(search->arena, search->best.sample);
    if (!apply(next.sample, change, place)) continue;
    sweep(next.sample, NULL);
    if (graph_verify(search->arena, next.sample->graph, STAGE_LOWERED)) continue;
    /* The next candidate may have moved to this place. */
    if (accepts(search, &next)) any = true, place--;
  }
  return any;
}

static bool shrink_pipeline(struct search *search) {
  bool any = false;
  for (int parameters = 0; parameters < 2; parameters++)
    for (int item = 0; search->tries > 0; item++) {
      struct failure next = search->best;
      next.pipeline = without_item(search->arena, search->best.pipeline, item, parameters);
      if (next.pipeline) {
        if (accepts(search, &next)) any = true, item--;
      } else if (!without_item(search->arena, search->best.pipeline, item + 1, false)) {
        break;
      }
    }
  return any;
}

struct failure failure_shrink(struct arena *arena, const struct failure *failure, int tries) {
  struct search search = {.arena = arena, .best = *failure, .tries = tries};
  search.ending = failure_ending(failure);
  if (search.ending == ENDS_WELL) return *failure;
  if (search.ending == ENDS_NEVER && tries > FEW_TRIES) search.tries = FEW_TRIES;
  if (search.ending == ENDS_NEVER && !search.best.seconds) search.best.seconds = FEW_SECONDS;
  bool again = true;
  while (again && search.tries > 0) {
    again = shrink_pipeline(&search);
    for (enum change change = 0; change < CHANGES; change++) again = shrink_sample(&search, change) || again;
  }
  return search.best;
}

/* --- Text ------------------------------------------------------------------------------------------------------------------------------ */

void failure_print(FILE *file, const struct failure *failure) {
  const struct compiling *how = &failure->how;
  fprintf(file, "# pipeline %s\n# target %s\n", failure->pipeline, failure->target->name);
  if (how->compiler) fprintf(file, "# compiler %s\n", how->compiler);
  if (how->level) fprintf(file, "# level %d\n", how->level);
  sample_print(file, failure->sample);
}

static const char *comment(struct arena *arena, const char *text, const char *word) {
  const char *at = strstr(text, word);
  if (!at || (at != text && at[-1] != '\n')) return NULL;
  at += strlen(word);
  return arena_copy(arena, at, strcspn(at, "\n"));
}

bool failure_read(struct arena *arena, const char *path, struct failure *failure) {
  struct source *source = source_read(arena, path);
  if (!source) {
    fprintf(stderr, "%s cannot be read\n", path);
    return false;
  }
  struct diagnostics *diagnostics = diagnostics_new(arena);
  failure->sample = sample_read(arena, source, diagnostics);
  diagnostics_print(diagnostics, stderr);
  failure->pipeline = comment(arena, source->text, "# pipeline ");
  const char *target = comment(arena, source->text, "# target "), *level = comment(arena, source->text, "# level ");
  failure->target = target ? tested_target_find(target) : NULL;
  failure->how = (struct compiling){
      .compiler = comment(arena, source->text, "# compiler "), .level = level ? atoi(level) : 0, .threads = true};
  failure->run = NULL;
  if (!failure->pipeline || !failure->target)
    fprintf(stderr, "%s: the comments '# pipeline ...' and '# target ...' are expected\n", path);
  return failure->sample && failure->pipeline && failure->target;
}
