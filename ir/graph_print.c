#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/tensor.h"

/* Everything that a graph and the regions it calls refer to, each once, in order of first appearance. */
struct printer {
  FILE *file;
  struct arena *arena;
  ARRAY(const struct axis *) axes;
  ARRAY(const struct state *) states;
  ARRAY(const struct size *) sizes;
  ARRAY(const struct repeat *) repeats;
  ARRAY(const struct region *) regions;
  bool *seen_axes, *ambiguous; /* by id */
  int seen_count;
};

static void see_axis(struct printer *printer, const struct axis *axis) {
  if (!axis) return;
  if (axis->id >= printer->seen_count) {
    int count = 2 * axis->id + 64;
    bool *larger = arena_new_array(printer->arena, bool, count);
    if (printer->seen_count) memcpy(larger, printer->seen_axes, (size_t)printer->seen_count);
    printer->seen_axes = larger;
    printer->seen_count = count;
  }
  if (printer->seen_axes[axis->id]) return;
  printer->seen_axes[axis->id] = true;
  array_push(printer->arena, &printer->axes, axis);
}

static void see_axes(struct printer *printer, struct axis *const *axes, int count) {
  for (int i = 0; i < count; i++) see_axis(printer, axes[i]);
}

static void see_state(struct printer *printer, const struct state *state) {
  if (!state) return;
  for (int i = 0; i < printer->states.count; i++)
    if (printer->states.items[i] == state) return;
  see_state(printer, state->of);
  array_push(printer->arena, &printer->states, state);
  see_axes(printer, state->axes, state->axis_count);
}

static void see_repeat(struct printer *printer, const struct repeat *repeat) {
  if (!repeat) return;
  for (int i = 0; i < printer->repeats.count; i++)
    if (printer->repeats.items[i] == repeat) return;
  array_push(printer->arena, &printer->repeats, repeat);
}

static void see_graph(struct printer *printer, const struct graph *graph);

static void see_value(struct printer *printer, const struct value *value) {
  see_axes(printer, value->axes, value->axis_count);
  see_axes(printer, value->list, value->list_count);
  see_axis(printer, value->axis);
  see_axis(printer, value->result);
  see_axis(printer, value->range);
  see_state(printer, value->state);
  see_repeat(printer, value->origin.repeat);
}

static void see_region(struct printer *printer, const struct region *region) {
  if (!region) return;
  for (int i = 0; i < printer->regions.count; i++)
    if (printer->regions.items[i] == region) return;
  see_region(printer, region->gradient);
  for (int i = 0; i < region->inputs.count; i++) see_value(printer, region->inputs.items[i]);
  see_graph(printer, region->body);
  array_push(printer->arena, &printer->regions, region);
}

static void see_graph(struct printer *printer, const struct graph *graph) {
  for (int i = 0; i < graph->sizes.count; i++) {
    bool known = false;
    for (int j = 0; j < printer->sizes.count; j++) known = known || printer->sizes.items[j] == graph->sizes.items[i];
    if (!known) array_push(printer->arena, &printer->sizes, graph->sizes.items[i]);
  }
  for (int i = 0; i < graph->values.count; i++) {
    see_value(printer, graph->values.items[i]);
    see_region(printer, graph->values.items[i]->callee);
  }
}

static int by_id(const void *x, const void *y) {
  const struct axis *const *a = x, *const *b = y;
  return ((*a)->id > (*b)->id) - ((*a)->id < (*b)->id);
}

static int by_name(const void *x, const void *y) {
  const struct axis *const *a = x, *const *b = y;
  return strcmp((*a)->name, (*b)->name);
}

static void find_ambiguous(struct printer *printer) {
  int count = printer->axes.count;
  printer->ambiguous = arena_new_array(printer->arena, bool, printer->seen_count);
  if (!count) return;
  const struct axis **axes = printer->axes.items;
  qsort(axes, (size_t)count, sizeof *axes, by_name);
  for (int i = 1; i < count; i++)
    if (!strcmp(axes[i - 1]->name, axes[i]->name))
      printer->ambiguous[axes[i - 1]->id] = printer->ambiguous[axes[i]->id] = true;
  qsort(axes, (size_t)count, sizeof *axes, by_id);
}

static void print_quoted(FILE *file, const char *text) {
  fputc('"', file);
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte == '"' || byte == '\\')
      fprintf(file, "\\%c", byte);
    else if (byte < 32 || byte == 127)
      fprintf(file, "\\x%02x", byte);
    else
      fputc(byte, file);
  }
  fputc('"', file);
}

/* Prints a word without quotes where it reads back as one token. */
static void print_word(FILE *file, const char *text) {
  bool bare = isalpha((unsigned char)*text) || *text == '_';
  for (const char *p = text; *p && bare; p++) bare = isalnum((unsigned char)*p) || *p == '_';
  if (bare)
    fputs(text, file);
  else
    print_quoted(file, text);
}

/* The fewest digits that read back to the same number. */
static void print_number(FILE *file, double number) {
  char text[40];
  if (isnan(number)) {
    fputs("nan", file);
    return;
  }
  for (int digits = 6; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, number);
    if (strtod(text, NULL) == number) break;
  }
  fputs(text, file);
}

static void print_axis(const struct printer *printer, const struct axis *axis) {
  print_word(printer->file, axis->name);
  if (printer->ambiguous[axis->id]) fprintf(printer->file, "'%d", axis->id);
}

static void print_axes(const struct printer *printer, struct axis *const *axes, int count) {
  fputc('[', printer->file);
  for (int i = 0; i < count; i++) {
    if (i) fputs(", ", printer->file);
    print_axis(printer, axes[i]);
  }
  fputc(']', printer->file);
}

static void print_kind(const struct printer *printer, enum kind kind, const struct axis *range) {
  fputs(kind_names[kind], printer->file);
  if (!range) return;
  fputs(" in ", printer->file);
  print_axis(printer, range);
}

static int region_number(const struct printer *printer, const struct region *region) {
  for (int i = 0; i < printer->regions.count; i++)
    if (printer->regions.items[i] == region) return i;
  bug("region %s was not seen", region->name);
}

static int repeat_number(const struct printer *printer, const struct repeat *repeat) {
  for (int i = 0; i < printer->repeats.count; i++)
    if (printer->repeats.items[i] == repeat) return i;
  bug("repeat %s was not seen", repeat->path);
}

static void print_attributes(const struct printer *printer, const struct value *value) {
  FILE *file = printer->file;
  int attributes = op_facts[value->op].attributes;
  if (attributes & ATTRIBUTE_INPUT) {
    fputc(' ', file);
    print_quoted(file, value->name);
  }
  if (attributes & ATTRIBUTE_STATE) {
    fputc(' ', file);
    print_quoted(file, value->state->name);
  }
  if (attributes & ATTRIBUTE_DRAW)
    fprintf(file, " %s stream %u", distribution_names[value->distribution], (unsigned)value->stream);
  if (attributes & ATTRIBUTE_CALLEE) fprintf(file, " region %d", region_number(printer, value->callee));
  if (attributes & ATTRIBUTE_AXIS && value->axis) {
    fputs(" along ", file);
    print_axis(printer, value->axis);
  }
  if (attributes & (ATTRIBUTE_OVER | ATTRIBUTE_ALONG | ATTRIBUTE_TO)) {
    fputs(attributes & ATTRIBUTE_OVER ? " over " : attributes & ATTRIBUTE_ALONG ? " along " : " to ", file);
    print_axes(printer, value->list, value->list_count);
  }
  if (attributes & ATTRIBUTE_RESULT) {
    fputs(" to ", file);
    print_axis(printer, value->result);
  }
  if (attributes & ATTRIBUTE_STORAGE) fprintf(file, " as %s", storage_names[value->storage]);
  if (attributes & ATTRIBUTE_START) fprintf(file, " at %lld", (long long)value->start);
  if (attributes & ATTRIBUTE_NUMBER) {
    fputs(value->op == OP_constant ? " " : " with ", file);
    print_number(file, value->number);
  }
}

static void print_value(const struct printer *printer, const struct value *value, const char *indent) {
  FILE *file = printer->file;
  fprintf(file, "%s%%%d ", indent, value->id);
  print_kind(printer, value->kind, value->range);
  fputc(' ', file);
  print_axes(printer, value->axes, value->axis_count);
  fprintf(file, " = %s", op_facts[value->op].name);
  if (value->input_count || op_facts[value->op].inputs) {
    fputc('(', file);
    for (int i = 0; i < value->input_count; i++) fprintf(file, "%s%%%d", i ? ", " : "", value->inputs[i]->id);
    fputc(')', file);
  }
  print_attributes(printer, value);
  const struct origin *origin = &value->origin;
  const struct {
    const char *word, *text;
  } texts[] = {{"name", value->op == OP_input ? NULL : value->name},
               {"gradient of", value->gradient_of},
               {"call", value->call},
               {"cached", value->cached},
               {"path", origin->path && *origin->path ? origin->path : NULL},
               {"function", origin->function && *origin->function ? origin->function : NULL}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (!texts[i].text) continue;
    fprintf(file, " %s ", texts[i].word);
    print_quoted(file, texts[i].text);
  }
  if (origin->repeat) fprintf(file, " copy %d of %d", origin->copy, repeat_number(printer, origin->repeat));
  if (value->again) fprintf(file, " again");
  fputc('\n', file);
}

static bool order_differs(const struct output *output) {
  struct axis *usual[MAX_AXES];
  batch_first(output->value->axes, output->value->axis_count, usual);
  for (int i = 0; i < output->value->axis_count; i++)
    if (usual[i] != output->axes[i]) return true;
  return false;
}

static void print_outputs(const struct printer *printer, const struct graph *graph, const char *indent) {
  for (int i = 0; i < graph->outputs.count; i++) {
    const struct output *output = &graph->outputs.items[i];
    fprintf(printer->file, "%soutput ", indent);
    print_quoted(printer->file, output->name ? output->name : "");
    if (output->role != OUTPUT_ORDINARY) fprintf(printer->file, " %s", output_role_names[output->role]);
    if (output->value && order_differs(output)) {
      fputc(' ', printer->file);
      print_axes(printer, output->axes, output->value->axis_count);
    }
    if (output->value)
      fprintf(printer->file, " = %%%d\n", output->value->id);
    else
      fputs(" = none\n", printer->file);
  }
}

static void print_region(const struct printer *printer, int number) {
  FILE *file = printer->file;
  const struct region *region = printer->regions.items[number];
  fprintf(file, "region %d ", number);
  print_word(file, region->name);
  fputs(" (", file);
  for (int i = 0; i < region->inputs.count; i++) fprintf(file, "%s%%%d", i ? ", " : "", region->inputs.items[i]->id);
  fputc(')', file);
  if (region->approximate) fputs(" approximate", file);
  if (region->gradient) fprintf(file, " gradient %d", region_number(printer, region->gradient));
  fputc('\n', file);
  /* An input that nothing needs may have been swept from the body, and is printed all the same. */
  for (int i = 0; i < region->inputs.count; i++) {
    bool kept = false;
    for (int j = 0; j < region->body->values.count; j++)
      kept = kept || region->body->values.items[j] == region->inputs.items[i];
    if (!kept) print_value(printer, region->inputs.items[i], "  ");
  }
  for (int i = 0; i < region->body->values.count; i++) print_value(printer, region->body->values.items[i], "  ");
  print_outputs(printer, region->body, "  ");
  fputs("end\n", file);
}

static void print_state(const struct printer *printer, const struct state *state) {
  FILE *file = printer->file;
  fputs("state ", file);
  print_quoted(file, state->name);
  fputc(' ', file);
  print_axes(printer, state->axes, state->axis_count);
  fprintf(file, " %s %s %s(", kind_names[state->kind], role_names[state->role], initial_names[state->initial]);
  print_number(file, state->low);
  if (state->initial != INITIAL_CONSTANT) {
    fputs(", ", file);
    print_number(file, state->high);
  }
  fputc(')', file);
  if (state->stream != hash_path(state->name)) fprintf(file, " stream %u", (unsigned)state->stream);
  if (state->storage != STORAGE_REAL) fprintf(file, " as %s", storage_names[state->storage]);
  if (state->kept) fprintf(file, " kept %lld", (long long)state->kept);
  if (state->frozen) fputs(" frozen", file);
  if (state->of) {
    fputs(" of ", file);
    print_quoted(file, state->of->name);
  }
  fputc('\n', file);
}

void graph_print(FILE *file, const struct graph *graph) {
  struct printer printer = {.file = file, .arena = arena_new()};
  see_graph(&printer, graph);
  find_ambiguous(&printer);
  fputs("graph ", file);
  print_word(file, graph->name);
  fputc('\n', file);
  for (int i = 0; i < printer.sizes.count; i++) {
    fputs("size ", file);
    print_word(file, printer.sizes.items[i]->name);
    fprintf(file, " <= %lld", (long long)printer.sizes.items[i]->bound);
    if (printer.sizes.items[i]->role != SIZE_ORDINARY)
      fprintf(file, " %s", size_role_names[printer.sizes.items[i]->role]);
    fputc('\n', file);
  }
  for (int i = 0; i < printer.axes.count; i++) {
    const struct axis *axis = printer.axes.items[i];
    fputs("axis ", file);
    print_word(file, axis->name);
    fprintf(file, "'%d = ", axis->id);
    if (axis->size)
      print_word(file, axis->size->name);
    else
      fprintf(file, "%lld", (long long)axis->extent);
    if (axis->role != AXIS_ORDINARY) fprintf(file, " %s", axis_role_names[axis->role]);
    fputc('\n', file);
  }
  for (int i = 0; i < printer.states.count; i++) print_state(&printer, printer.states.items[i]);
  for (int i = 0; i < printer.repeats.count; i++) {
    fprintf(file, "repeat %d ", i);
    print_quoted(file, printer.repeats.items[i]->path);
    fprintf(file, " %d\n", printer.repeats.items[i]->count);
  }
  for (int i = 0; i < printer.regions.count; i++) print_region(&printer, i);
  for (int i = 0; i < graph->values.count; i++) print_value(&printer, graph->values.items[i], "");
  print_outputs(&printer, graph, "");
  arena_free(printer.arena);
}
