#include "tests/harness/sample_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = sizeof((struct sample *)0)->sizes / sizeof(int64_t) };

static void print_number(FILE *file, double number) {
  char text[40];
  int digits = 6;
  do snprintf(text, sizeof text, "%.*g", digits, number);
  while (++digits <= 17 && !isnan(number) && strtod(text, NULL) != number);
  fprintf(file, " %s", isnan(number) ? "nan" : text);
}

void sample_print(FILE *file, const struct sample *sample) {
  fputs("# sizes", file);
  for (int i = 0; i < SIZES; i++) fprintf(file, " %lld", (long long)sample->sizes[i]);
  fputc('\n', file);
  for (int i = 0; i < sample->contents.count; i++) {
    const struct content *content = &sample->contents.items[i];
    fprintf(file, "# %s \"%s\"", content->is_state ? "state" : "input", content->name);
    for (int64_t j = 0; j < content->count; j++) print_number(file, content->data[j]);
    fputc('\n', file);
  }
  graph_print(file, sample->graph);
}

const char *sample_text(struct arena *arena, const struct sample *sample) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  if (!file) abort();
  sample_print(file, sample);
  fclose(file);
  const char *copy = arena_copy(arena, text, length);
  free(text);
  return copy;
}

static bool begins(const char **at, const char *word) {
  if (strncmp(*at, word, strlen(word)) != 0) return false;
  *at += strlen(word);
  return true;
}

/* The numbers up to the end of the line. */
static void read_numbers(struct arena *arena, const char *at, struct content *content) {
  ARRAY(double) numbers = {0};
  while (*at == ' ') {
    char *end;
    double number = strtod(at, &end);
    if (end == at) break;
    array_push(arena, &numbers, number);
    at = end;
  }
  content->count = numbers.count;
  content->data = numbers.items ? numbers.items : arena_new_array(arena, double, 1);
}

static void read_comment(struct sample *sample, const char *at) {
  if (begins(&at, "# sizes")) {
    struct content sizes = {0};
    read_numbers(sample->arena, at, &sizes);
    for (int i = 0; i < SIZES && i < sizes.count; i++) sample->sizes[i] = (int64_t)sizes.data[i];
    return;
  }
  struct content content = {0};
  if (begins(&at, "# state \""))
    content.is_state = true;
  else if (!begins(&at, "# input \""))
    return;
  size_t length = strcspn(at, "\"\n");
  content.name = arena_copy(sample->arena, at, length);
  if (at[length] != '"') return;
  read_numbers(sample->arena, at + length + 1, &content);
  array_push(sample->arena, &sample->contents, content);
}

static void note_state(struct sample *sample, struct state *state) {
  for (int i = 0; i < sample->program.states.count; i++)
    if (sample->program.states.items[i] == state) return;
  array_push(sample->arena, &sample->program.states, state);
}

static bool has_contents(struct sample *sample, const struct source *source, const char *name, bool is_state,
                         int64_t count, struct diagnostics *diagnostics) {
  const struct content *content = sample_content(sample, name, is_state);
  if (content && content->count == count) return true;
  report_error(diagnostics, (struct span){source, 0, 1}, "%s \"%s\" needs a comment with its %lld numbers",
               is_state ? "state" : "input", name, (long long)count);
  return false;
}

static bool check_contents(struct sample *sample, const struct source *source, struct diagnostics *diagnostics) {
  for (int i = 0; i < sample->graph->sizes.count; i++) {
    const struct size *size = sample->graph->sizes.items[i];
    if (size->index >= SIZES || sample->sizes[size->index] < 1 || sample->sizes[size->index] > size->bound) {
      report_error(diagnostics, (struct span){source, 0, 1}, "size %s is not given, or not from 1 to %lld", size->name,
                   (long long)size->bound);
      return false;
    }
  }
  for (int i = 0; i < sample->graph->values.count; i++) {
    const struct value *value = sample->graph->values.items[i];
    int64_t count = 1;
    for (int j = 0; j < value->axis_count; j++) count *= axis_length(value->axes[j], sample->sizes);
    if (value->op == OP_input && !has_contents(sample, source, value->name, false, count, diagnostics)) return false;
  }
  for (int i = 0; i < sample->program.states.count; i++) {
    const struct state *state = sample->program.states.items[i];
    if (!has_contents(sample, source, state->name, true, axes_count(state->axes, state->axis_count), diagnostics))
      return false;
  }
  return true;
}

static struct sample *read_graph(struct arena *arena, const struct source *source, struct diagnostics *diagnostics) {
  struct sample *sample = arena_new_struct(arena, struct sample);
  sample->arena = arena;
  sample->program.arena = arena;
  sample->program.name = sample->program.model = "sample";
  sample->graph = graph_read(arena, source, diagnostics);
  if (!sample->graph) return NULL;
  sample->program.predict = sample->graph;
  sample->program.next_axis = *sample->graph->next_axis;
  for (int i = 0; i < sample->graph->values.count; i++)
    if (sample->graph->values.items[i]->state) note_state(sample, sample->graph->values.items[i]->state);
  sample->stage = STAGE_LOWERED;
  for (enum stage stage = STAGE_FLAT; stage > STAGE_LOWERED; stage--)
    if (!graph_verify(arena, sample->graph, stage)) {
      sample->stage = stage;
      break;
    }
  return sample;
}

struct sample *sample_read(struct arena *arena, const struct source *source, struct diagnostics *diagnostics) {
  struct sample *sample = read_graph(arena, source, diagnostics);
  if (!sample) return NULL;
  for (const char *line = source->text; *line; line += strcspn(line, "\n"), line += *line == '\n')
    if (*line == '#') read_comment(sample, line);
  return check_contents(sample, source, diagnostics) ? sample : NULL;
}

struct sample *sample_copy(struct arena *arena, const struct sample *sample) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  if (!file) abort();
  graph_print(file, sample->graph);
  fclose(file);
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct sample *copy =
      read_graph(arena, source_from_text(arena, "sample", arena_copy(arena, text, length)), diagnostics);
  free(text);
  if (!copy) {
    diagnostics_print(diagnostics, stderr);
    bug("a graph's text does not read back");
  }
  memcpy(copy->sizes, sample->sizes, sizeof copy->sizes);
  for (int i = 0; i < sample->contents.count; i++) {
    struct content content = sample->contents.items[i];
    double *data = arena_new_array(arena, double, content.count);
    content.data = memcpy(data, content.data, sizeof *data * (size_t)content.count);
    array_push(arena, &copy->contents, content);
  }
  return copy;
}
