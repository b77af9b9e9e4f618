/* The text of graph_print, read back line by line. The first error ends the reading: what follows would mostly be its echo. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ir/tensor.h"

/* Tables are indexed by the numbers in the file, so these bound the memory that a small file can ask for. */
enum { LARGEST_NUMBER = 1 << 20, LONGEST_LIST = 1 << 16, LARGEST_TABLES = 1 << 23 };
static const int64_t largest_extent = (int64_t)1 << 40;

enum token { TOKEN_WORD, TOKEN_QUOTED, TOKEN_NUMBER, TOKEN_VALUE, TOKEN_MARK, TOKEN_LINE, TOKEN_END, TOKEN_WRONG };

/* A table that grows, by number. */
struct table {
  void **items;
  int count;
};

struct reader {
  struct arena *arena;
  const struct source *source;
  struct diagnostics *diagnostics;
  int position; /* past the token */
  enum token token;
  struct span span;
  const char *text; /* a word's or a quoted text's contents; a mark or a number as it is written */
  bool failed;

  struct graph *graph;
  struct table axes, values, repeats, regions;
  int table_room; /* the room taken by all tables so far */
  ARRAY(struct axis *) all_axes;
  ARRAY(struct state *) states;
};

static void fail(struct reader *reader, const char *message) {
  if (!reader->failed) report_error(reader->diagnostics, reader->span, "%s", message);
  reader->failed = true;
}

static bool is_word_letter(char letter) { return isalnum((unsigned char)letter) || letter == '_'; }

static int hex_digit(char letter) {
  return isdigit((unsigned char)letter)    ? letter - '0'
         : isxdigit((unsigned char)letter) ? tolower((unsigned char)letter) - 'a' + 10
                                           : -1;
}

static void read_quoted(struct reader *reader) {
  const char *text = reader->source->text;
  int length = (int)reader->source->length, p = reader->position + 1;
  const char *end = memchr(text + p, '\n', (size_t)(length - p)); /* a text may hold zero bytes */
  char *copy = arena_alloc(reader->arena, (size_t)(end ? end - text : length) - (size_t)p + 1);
  int count = 0;
  for (; p < length && text[p] != '"' && text[p] != '\n'; p++) {
    char letter = text[p];
    if (letter == '\\' && p + 1 < length && (text[p + 1] == '"' || text[p + 1] == '\\')) {
      letter = text[++p];
    } else if (letter == '\\' && p + 3 < length && text[p + 1] == 'x' && hex_digit(text[p + 2]) >= 0 &&
               hex_digit(text[p + 3]) >= 0) {
      letter = (char)(hex_digit(text[p + 2]) * 16 + hex_digit(text[p + 3]));
      p += 3;
    }
    if (letter) copy[count++] = letter;
  }
  bool closed = p < length && text[p] == '"';
  reader->text = copy;
  reader->position = closed ? p + 1 : p;
  reader->token = closed ? TOKEN_QUOTED : TOKEN_WRONG;
}

static void advance(struct reader *reader) {
  const char *text = reader->source->text;
  int length = (int)reader->source->length, p = reader->position;
  while (p < length && (text[p] == ' ' || text[p] == '\t' || text[p] == '\r' || text[p] == '#')) {
    if (text[p] == '#')
      while (p < length && text[p] != '\n') p++;
    else
      p++;
  }
  int begin = reader->position = p;
  char letter = p < length ? text[p] : 0;
  if (p >= length) {
    reader->token = TOKEN_END;
  } else if (letter == '\n') {
    reader->token = TOKEN_LINE;
    reader->position++;
  } else if (letter == '"') {
    read_quoted(reader);
  } else if (isalpha((unsigned char)letter) || letter == '_') {
    while (p < length && is_word_letter(text[p])) p++;
    reader->token = TOKEN_WORD;
    reader->position = p;
  } else if (isdigit((unsigned char)letter) || letter == '-' || letter == '%') {
    for (p++; p < length && (is_word_letter(text[p]) || text[p] == '.' ||
                             ((text[p] == '-' || text[p] == '+') && text[p - 1] == 'e'));)
      p++;
    reader->token = letter == '%' ? TOKEN_VALUE : TOKEN_NUMBER;
    reader->position = p;
  } else if (letter == '<' && p + 1 < length && text[p + 1] == '=') {
    reader->token = TOKEN_MARK;
    reader->position += 2;
  } else {
    reader->token = strchr("[](),='", letter) && letter ? TOKEN_MARK : TOKEN_WRONG;
    reader->position++;
  }
  reader->span = (struct span){reader->source, begin, reader->position};
  if (reader->token != TOKEN_QUOTED && reader->token != TOKEN_WRONG)
    reader->text = arena_copy(reader->arena, text + begin, (size_t)(reader->position - begin));
  if (reader->token == TOKEN_LINE || reader->token == TOKEN_END) reader->text = "";
  if (reader->token == TOKEN_WRONG)
    fail(reader, letter == '"' ? "the quotation is not closed" : "this character has no meaning here");
}

static void expected(struct reader *reader, const char *what) {
  const char *found = reader->token == TOKEN_LINE  ? "the end of the line"
                      : reader->token == TOKEN_END ? "the end of the file"
                                                   : arena_format(reader->arena, "'%s'", reader->text);
  fail(reader, arena_format(reader->arena, "expected %s, found %s", what, found));
}

static bool at_mark(const struct reader *reader, const char *mark) {
  return !reader->failed && reader->token == TOKEN_MARK && !strcmp(reader->text, mark);
}

static bool at_word(const struct reader *reader, const char *word) {
  return !reader->failed && reader->token == TOKEN_WORD && !strcmp(reader->text, word);
}

static bool accept_mark(struct reader *reader, const char *mark) {
  if (!at_mark(reader, mark)) return false;
  advance(reader);
  return true;
}

static bool accept_word(struct reader *reader, const char *word) {
  if (!at_word(reader, word)) return false;
  advance(reader);
  return true;
}

static void want_mark(struct reader *reader, const char *mark) {
  if (!accept_mark(reader, mark)) expected(reader, arena_format(reader->arena, "'%s'", mark));
}

static void want_line(struct reader *reader) {
  if (reader->token != TOKEN_LINE && reader->token != TOKEN_END) expected(reader, "the end of the line");
  while (!reader->failed && reader->token == TOKEN_LINE) advance(reader);
}

static const char *want_name(struct reader *reader, const char *what) {
  const char *text = reader->text;
  if (reader->token != TOKEN_WORD && reader->token != TOKEN_QUOTED) {
    expected(reader, what);
    return "";
  }
  if (!*text) fail(reader, "an empty name");
  advance(reader);
  return text;
}

static const char *want_quoted(struct reader *reader, const char *what) {
  const char *text = reader->text;
  if (reader->token != TOKEN_QUOTED) {
    expected(reader, what);
    return "";
  }
  advance(reader);
  return text;
}

static int64_t parse_integer(struct reader *reader, const char *text, int64_t low, int64_t high) {
  char *end;
  errno = 0;
  long long number = strtoll(text, &end, 10);
  if (errno || *end || end == text || number < low || number > high) {
    fail(reader,
         arena_format(reader->arena, "expected a whole number from %lld to %lld", (long long)low, (long long)high));
    return low;
  }
  return number;
}

static int64_t want_integer(struct reader *reader, int64_t low, int64_t high) {
  if (reader->token != TOKEN_NUMBER) {
    expected(reader, "a whole number");
    return low;
  }
  int64_t number = parse_integer(reader, reader->text, low, high);
  advance(reader);
  return number;
}

static double want_number(struct reader *reader) {
  if (reader->token != TOKEN_NUMBER && !at_word(reader, "inf") && !at_word(reader, "nan")) {
    expected(reader, "a number");
    return 0;
  }
  char *end;
  double number = strtod(reader->text, &end);
  if (*end || end == reader->text) expected(reader, "a number");
  advance(reader);
  return number;
}

/* Reads one of `count` words; its number, or 0 after an error. */
static int want_choice(struct reader *reader, const char *const *names, int count, const char *what) {
  for (int i = 0; i < count; i++)
    if (accept_word(reader, names[i])) return i;
  expected(reader, what);
  return 0;
}
#define CHOICE(reader, names, last, what) want_choice(reader, names, (int)(last) + 1, what)

static void *table_get(const struct table *table, int number) {
  return number >= 0 && number < table->count ? table->items[number] : NULL;
}

static void table_set(struct reader *reader, struct table *table, int number, void *item) {
  if (number >= table->count) {
    int count = number + number / 2 + 64;
    reader->table_room += count - table->count;
    if (reader->table_room > LARGEST_TABLES) {
      fail(reader, "the numbers in this file are too large");
      return;
    }
    void **items = arena_new_array(reader->arena, void *, count);
    if (table->count) memcpy(items, table->items, sizeof *items * (size_t)table->count);
    table->items = items;
    table->count = count;
  }
  table->items[number] = item;
}

static struct axis *want_axis(struct reader *reader) {
  struct span span = reader->span;
  const char *name = want_name(reader, "an axis");
  if (reader->failed) return NULL;
  struct axis *found = NULL;
  if (accept_mark(reader, "'")) {
    found = table_get(&reader->axes, (int)want_integer(reader, 0, LARGEST_NUMBER));
    if (found && strcmp(found->name, name)) found = NULL;
  } else {
    for (int i = 0; i < reader->all_axes.count; i++) {
      struct axis *axis = reader->all_axes.items[i];
      if (strcmp(axis->name, name)) continue;
      if (found) {
        reader->span = span;
        fail(reader,
             arena_format(reader->arena, "axis %s could be %s'%d or %s'%d", name, name, found->id, name, axis->id));
      }
      found = axis;
    }
  }
  if (!found && !reader->failed) {
    reader->span = span;
    fail(reader, arena_format(reader->arena, "axis %s is not declared", name));
  }
  return found;
}

static struct axis **want_axes(struct reader *reader, int *count) {
  ARRAY(struct axis *) axes = {0};
  want_mark(reader, "[");
  while (!reader->failed && !at_mark(reader, "]")) {
    if (axes.count) want_mark(reader, ",");
    struct axis *axis = want_axis(reader);
    if (axis) array_push(reader->arena, &axes, axis);
    if (axes.count > LONGEST_LIST) fail(reader, "too long a list");
  }
  want_mark(reader, "]");
  *count = axes.count;
  /* An empty list is not NULL, just as in a graph that was built: copying 0 bytes from NULL is undefined. */
  return axes.items ? axes.items : arena_new_array(reader->arena, struct axis *, 1);
}

static struct state *find_state(const struct reader *reader, const char *name) {
  for (int i = 0; i < reader->states.count; i++)
    if (!strcmp(reader->states.items[i]->name, name)) return reader->states.items[i];
  return NULL;
}

static struct state *want_state(struct reader *reader) {
  struct span span = reader->span;
  const char *name = want_quoted(reader, "the name of a state");
  struct state *state = find_state(reader, name);
  if (!state && !reader->failed) {
    reader->span = span;
    fail(reader, arena_format(reader->arena, "state %s is not declared", name));
  }
  return state;
}

/* Reads a role. 0, the ordinary role, is not written. */
static int accept_role(struct reader *reader, const char *const *names, int last) {
  for (int i = 1; i <= last; i++)
    if (accept_word(reader, names[i])) return i;
  return 0;
}

static void read_size(struct reader *reader) {
  struct span span = reader->span;
  const char *name = want_name(reader, "the name of a size");
  want_mark(reader, "<=");
  int64_t bound = want_integer(reader, 1, largest_extent);
  const enum size_role role = (enum size_role)accept_role(reader, size_role_names, SIZE_PAST);
  for (int i = 0; i < reader->graph->sizes.count; i++)
    if (!strcmp(reader->graph->sizes.items[i]->name, name)) {
      reader->span = span;
      fail(reader, "this size is declared already");
    }
  if (!reader->failed) size_new(reader->graph, name, role, bound);
}

static void read_axis(struct reader *reader) {
  struct axis *axis = arena_new_struct(reader->arena, struct axis);
  axis->span = reader->span;
  axis->name = want_name(reader, "the name of an axis");
  want_mark(reader, "'");
  axis->id = (int)want_integer(reader, 0, LARGEST_NUMBER);
  want_mark(reader, "=");
  if (reader->token == TOKEN_NUMBER) {
    axis->extent = want_integer(reader, 1, largest_extent);
  } else {
    struct span span = reader->span;
    const char *name = want_name(reader, "a length or a size");
    for (int i = 0; i < reader->graph->sizes.count; i++)
      if (!strcmp(reader->graph->sizes.items[i]->name, name)) axis->size = reader->graph->sizes.items[i];
    if (axis->size)
      axis->extent = axis->size->bound;
    else if (!reader->failed) {
      reader->span = span;
      fail(reader, arena_format(reader->arena, "size %s is not declared", name));
    }
  }
  axis->role = (enum axis_role)accept_role(reader, axis_role_names, AXIS_BATCH);
  if (reader->failed) return;
  if (table_get(&reader->axes, axis->id)) {
    reader->span = axis->span;
    fail(reader, "this number belongs to another axis");
    return;
  }
  table_set(reader, &reader->axes, axis->id, axis);
  array_push(reader->arena, &reader->all_axes, axis);
  if (axis->id >= *reader->graph->next_axis) *reader->graph->next_axis = axis->id + 1;
}

static void read_state(struct reader *reader) {
  struct state *state = arena_new_struct(reader->arena, struct state);
  state->span = reader->span;
  state->name = want_quoted(reader, "the name of a state");
  if (find_state(reader, state->name)) fail(reader, "this state is declared already");
  state->axes = want_axes(reader, &state->axis_count);
  state->kind = (enum kind)CHOICE(reader, kind_names, KIND_BOOLEAN, "real, integer or boolean");
  state->role = (enum role)CHOICE(reader, role_names, ROLE_QUANTIZED, "a role such as parameter");
  state->initial = (enum initial)CHOICE(reader, initial_names, INITIAL_UNIFORM, "constant, normal or uniform");
  want_mark(reader, "(");
  state->low = want_number(reader);
  if (state->initial != INITIAL_CONSTANT) {
    want_mark(reader, ",");
    state->high = want_number(reader);
  }
  want_mark(reader, ")");
  state->stream =
      accept_word(reader, "stream") ? (uint32_t)want_integer(reader, 0, UINT32_MAX) : hash_path(state->name);
  if (accept_word(reader, "as")) {
    state->storage = (enum storage)CHOICE(reader, storage_names, STORAGE_COUNT - 1, "a storage type such as bf16");
    if (!reader->failed && (storage_kind(state->storage) != state->kind || !storage_facts[state->storage].c))
      fail(reader, "a state of this kind is not stored so");
  }
  if (accept_word(reader, "kept")) state->kept = want_integer(reader, 1, INT64_MAX);
  state->frozen = accept_word(reader, "frozen");
  if (accept_word(reader, "of")) state->of = want_state(reader);
  if (!reader->failed) array_push(reader->arena, &reader->states, state);
}

static void read_repeat(struct reader *reader) {
  struct repeat *repeat = arena_new_struct(reader->arena, struct repeat);
  int number = (int)want_integer(reader, 0, LARGEST_NUMBER);
  repeat->path = want_quoted(reader, "the path of a repeat");
  repeat->count = (int)want_integer(reader, 0, LARGEST_NUMBER);
  if (!reader->failed) table_set(reader, &reader->repeats, number, repeat);
}

static int want_value_number(struct reader *reader) {
  if (reader->token != TOKEN_VALUE) {
    expected(reader, "a value such as %1");
    return 0;
  }
  int number = (int)parse_integer(reader, reader->text + 1, 0, LARGEST_NUMBER);
  advance(reader);
  return number;
}

static struct value *want_value(struct reader *reader) {
  struct span span = reader->span;
  int number = want_value_number(reader);
  struct value *value = table_get(&reader->values, number);
  if (!value && !reader->failed) {
    reader->span = span;
    fail(reader, arena_format(reader->arena, "%%%d is not computed yet", number));
  }
  return value;
}

static void read_inputs(struct reader *reader, struct value *value) {
  ARRAY(struct value *) inputs = {0};
  if (!accept_mark(reader, "(")) return;
  while (!reader->failed && !at_mark(reader, ")")) {
    if (inputs.count) want_mark(reader, ",");
    struct value *input = want_value(reader);
    array_push(reader->arena, &inputs, input);
    if (inputs.count > LONGEST_LIST) fail(reader, "too many inputs");
  }
  want_mark(reader, ")");
  value->inputs = inputs.items;
  value->input_count = inputs.count;
}

static void want_word(struct reader *reader, const char *word) {
  if (!accept_word(reader, word)) expected(reader, arena_format(reader->arena, "'%s'", word));
}

static void read_attributes(struct reader *reader, struct value *value) {
  int attributes = op_facts[value->op].attributes;
  if (attributes & ATTRIBUTE_INPUT) name_input(value, want_quoted(reader, "the name of an input"));
  if (attributes & ATTRIBUTE_STATE) value->state = want_state(reader);
  if (attributes & ATTRIBUTE_DRAW) {
    value->distribution =
        (enum distribution)CHOICE(reader, distribution_names, DISTRIBUTION_NORMAL, "uniform or normal");
    want_word(reader, "stream");
    value->stream = (uint32_t)want_integer(reader, 0, UINT32_MAX);
  }
  if (attributes & ATTRIBUTE_CALLEE) {
    want_word(reader, "region");
    value->callee = table_get(&reader->regions, (int)want_integer(reader, 0, LARGEST_NUMBER));
    if (!value->callee) fail(reader, "this region is not declared");
  }
  if (attributes & ATTRIBUTE_AXIS && (!(attributes & ATTRIBUTE_MAY_LACK_AXIS) || at_word(reader, "along"))) {
    want_word(reader, "along");
    value->axis = want_axis(reader);
  }
  if (attributes & (ATTRIBUTE_OVER | ATTRIBUTE_ALONG | ATTRIBUTE_TO)) {
    want_word(reader, attributes & ATTRIBUTE_OVER ? "over" : attributes & ATTRIBUTE_ALONG ? "along" : "to");
    value->list = want_axes(reader, &value->list_count);
  }
  if (attributes & ATTRIBUTE_RESULT) {
    want_word(reader, "to");
    value->result = want_axis(reader);
  }
  if (attributes & ATTRIBUTE_STORAGE) {
    want_word(reader, "as");
    value->storage = (enum storage)CHOICE(reader, storage_names, STORAGE_COUNT - 1, "a storage type such as bf16");
  }
  if (attributes & ATTRIBUTE_START) {
    want_word(reader, "at");
    value->start = want_integer(reader, 0, largest_extent);
  }
  if (attributes & ATTRIBUTE_NUMBER) {
    if (value->op != OP_constant) want_word(reader, "with");
    value->number = want_number(reader);
  }
}

static void read_origin(struct reader *reader, struct value *value) {
  value->origin.path = value->origin.function = "";
  if (value->op != OP_input && accept_word(reader, "name")) value->name = want_quoted(reader, "a name");
  if (accept_word(reader, "gradient")) {
    want_word(reader, "of");
    value->gradient_of = want_quoted(reader, "a name");
  }
  if (accept_word(reader, "call")) value->call = want_quoted(reader, "a call");
  if (value->op == OP_rename && accept_word(reader, "cached"))
    value->cached = want_quoted(reader, "the name of a cache");
  if (accept_word(reader, "path")) value->origin.path = want_quoted(reader, "a path");
  if (accept_word(reader, "function")) value->origin.function = want_quoted(reader, "a function");
  if (accept_word(reader, "copy")) {
    value->origin.copy = (int)want_integer(reader, 0, LARGEST_NUMBER);
    want_word(reader, "of");
    value->origin.repeat = table_get(&reader->repeats, (int)want_integer(reader, 0, LARGEST_NUMBER));
    if (!value->origin.repeat) fail(reader, "this repeat is not declared");
  }
  value->again = accept_word(reader, "again");
}

static enum op want_op(struct reader *reader) {
  const char *names[OP_COUNT];
  for (int i = 0; i < OP_COUNT; i++) names[i] = op_facts[i].name;
  for (int i = 0; i < OP_COUNT; i++)
    if (accept_word(reader, names[i])) return (enum op)i;
  const char *close = reader->token == TOKEN_WORD ? closest_name(reader->text, names, OP_COUNT) : NULL;
  expected(reader, close ? arena_format(reader->arena, "an operation (did you mean %s?)", close) : "an operation");
  return OP_constant;
}

static void read_value(struct reader *reader, struct graph *graph) {
  struct value *value = arena_new_struct(reader->arena, struct value);
  struct span span = reader->span;
  value->id = want_value_number(reader);
  if (table_get(&reader->values, value->id)) {
    reader->span = span;
    fail(reader, arena_format(reader->arena, "%%%d is computed already", value->id));
  }
  value->kind = (enum kind)CHOICE(reader, kind_names, KIND_BOOLEAN, "real, integer or boolean");
  if (accept_word(reader, "in")) value->range = want_axis(reader);
  value->axes = want_axes(reader, &value->axis_count);
  want_mark(reader, "=");
  value->op = want_op(reader);
  read_inputs(reader, value);
  if (!reader->failed) read_attributes(reader, value);
  if (!reader->failed) read_origin(reader, value);
  if (reader->failed) return;
  span.end = reader->span.begin;
  value->origin.span = span;
  table_set(reader, &reader->values, value->id, value);
  array_push(reader->arena, &graph->values, value);
  if (value->id >= graph->next_value) graph->next_value = value->id + 1;
}

static void read_output(struct reader *reader, struct graph *graph) {
  const char *name = want_quoted(reader, "the name of an output");
  const enum output_role role = (enum output_role)accept_role(reader, output_role_names, OUTPUT_WEIGHT_SUM);
  int count = 0;
  struct axis **axes = at_mark(reader, "[") ? want_axes(reader, &count) : NULL;
  want_mark(reader, "=");
  struct value *value = accept_word(reader, "none") ? NULL : want_value(reader);
  if (reader->failed) return;
  if (axes && (!value || count != value->axis_count))
    fail(reader, "the order of an output's axes names each of them");
  else if (axes)
    graph_add_ordered_output(graph, name, value, axes);
  else
    graph_add_output(graph, name, value);
  if (!reader->failed) graph->outputs.items[graph->outputs.count - 1].role = role;
}

static void read_region(struct reader *reader) {
  struct region *region = arena_new_struct(reader->arena, struct region);
  struct span span = reader->span;
  int number = (int)want_integer(reader, 0, LARGEST_NUMBER);
  region->name = want_name(reader, "the name of a region");
  ARRAY(int) inputs = {0};
  want_mark(reader, "(");
  while (!reader->failed && !at_mark(reader, ")")) {
    if (inputs.count) want_mark(reader, ",");
    array_push(reader->arena, &inputs, want_value_number(reader));
  }
  want_mark(reader, ")");
  region->approximate = accept_word(reader, "approximate");
  if (accept_word(reader, "gradient")) {
    region->gradient = table_get(&reader->regions, (int)want_integer(reader, 0, LARGEST_NUMBER));
    if (!region->gradient) fail(reader, "this region is not declared");
  }
  want_line(reader);
  region->body = graph_new(reader->arena, region->name, reader->graph->next_axis);
  while (!reader->failed && !at_word(reader, "end")) {
    if (accept_word(reader, "output"))
      read_output(reader, region->body);
    else
      read_value(reader, region->body);
    want_line(reader);
  }
  accept_word(reader, "end");
  for (int i = 0; i < inputs.count && !reader->failed; i++) {
    struct value *input = table_get(&reader->values, inputs.items[i]);
    if (!input || input->op != OP_input) {
      reader->span = span;
      fail(reader, arena_format(reader->arena, "%%%d is not an input of the region", inputs.items[i]));
    }
    array_push(reader->arena, &region->inputs, input);
  }
  reader->values = (struct table){0}; /* values are numbered anew in each region */
  if (!reader->failed && table_get(&reader->regions, number)) {
    reader->span = span;
    fail(reader, "this number belongs to another region");
  }
  if (!reader->failed) table_set(reader, &reader->regions, number, region);
}

static void read_line(struct reader *reader) {
  if (accept_word(reader, "size"))
    read_size(reader);
  else if (accept_word(reader, "axis"))
    read_axis(reader);
  else if (accept_word(reader, "state"))
    read_state(reader);
  else if (accept_word(reader, "repeat"))
    read_repeat(reader);
  else if (accept_word(reader, "output"))
    read_output(reader, reader->graph);
  else if (reader->token == TOKEN_VALUE)
    read_value(reader, reader->graph);
  else if (at_word(reader, "region") && reader->graph->values.count)
    fail(reader, "regions come before values");
  else if (accept_word(reader, "region"))
    read_region(reader);
  else
    expected(reader, "size, axis, state, repeat, region, a value or output");
  want_line(reader);
}

struct graph *graph_read(struct arena *arena, const struct source *source, struct diagnostics *diagnostics) {
  struct reader reader = {.arena = arena, .source = source, .diagnostics = diagnostics};
  advance(&reader);
  while (!reader.failed && reader.token == TOKEN_LINE) advance(&reader);
  struct span span = reader.span;
  want_word(&reader, "graph");
  reader.graph = graph_new(arena, want_name(&reader, "the name of a graph"), arena_new_struct(arena, int));
  want_line(&reader);
  while (!reader.failed && reader.token != TOKEN_END) read_line(&reader);
  if (reader.failed) return NULL;
  const char *error = graph_verify(arena, reader.graph, STAGE_LOWERED);
  if (!error) return reader.graph;
  report_error(diagnostics, span, "%s", error);
  return NULL;
}
