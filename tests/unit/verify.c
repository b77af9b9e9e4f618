/* The verifier finds what is wrong: every operation of the harness is broken in every way that its attributes allow. */
#include "tests/harness/random_graph.h"
#include "tests/unit/check.h"

static struct value *find(struct graph *graph, enum op op) {
  for (int i = graph->values.count - 1; i >= 0; i--)
    if (graph->values.items[i]->op == op) return graph->values.items[i];
  return NULL;
}

/* Ways to break a value; false when the way does not apply to it. */
enum breakage {
  BREAK_KIND,
  BREAK_LOSE_AXIS,
  BREAK_FOREIGN_AXIS,
  BREAK_TWICE,
  BREAK_LOSE_INPUT,
  BREAK_NULL_INPUT,
  BREAK_SELF_INPUT,
  BREAK_INPUT_KIND,
  BREAK_AXIS,
  BREAK_NO_AXIS,
  BREAK_RESULT,
  BREAK_NO_RESULT,
  BREAK_LIST,
  BREAK_LIST_TWICE,
  BREAK_START,
  BREAK_STATE,
  BREAK_CALLEE,
  BREAK_NUMBER,
  BREAK_AXIS_NUMBER,
  BREAK_RANGE,
  BREAK_COUNT
};

static bool breaks(struct sample *sample, struct value *value, enum breakage breakage) {
  struct arena *arena = sample->arena;
  int attributes = op_facts[value->op].attributes;
  struct axis *foreign = axis_new(sample->graph, "foreign", 1000, (struct span){0});
  struct axis **axes = arena_new_array(arena, struct axis *, value->axis_count + 1);
  if (value->axis_count) memcpy(axes, value->axes, sizeof *axes * (size_t)value->axis_count);
  struct axis **list = arena_new_array(arena, struct axis *, value->list_count + 1);
  if (value->list_count) memcpy(list, value->list, sizeof *list * (size_t)value->list_count);
  /* What an input, a draw or a constant is, is for it to say. */
  bool free_axes = value->op == OP_input || value->op == OP_random,
       free_kind = value->op == OP_input || value->op == OP_constant;
  switch (breakage) {
    case BREAK_KIND:
      if (free_kind) return false;
      value->kind = (enum kind)((value->kind + 1) % 3);
      return true;
    case BREAK_LOSE_AXIS:
      if (!value->axis_count || free_axes) return false;
      value->axis_count--;
      return true;
    case BREAK_FOREIGN_AXIS:
      if (free_axes) return false;
      axes[value->axis_count++] = foreign;
      value->axes = axes;
      return true;
    case BREAK_TWICE:
      if (!value->axis_count) return false;
      axes[value->axis_count++] = axes[0];
      value->axes = axes;
      return true;
    case BREAK_LOSE_INPUT:
      if (!value->input_count || (value->op == OP_random && value->input_count == 2)) return false;
      if (value->op == OP_update && value->input_count == 2) value->axis = NULL;
      value->input_count--;
      return true;
    case BREAK_NULL_INPUT:
      if (!value->input_count) return false;
      value->inputs[0] = NULL;
      return true;
    case BREAK_SELF_INPUT:
      if (!value->input_count) return false;
      value->inputs[value->input_count - 1] = value;
      return true;
    case BREAK_INPUT_KIND: {
      /* Every operation but these objects to a boolean with an axis of its own in place of an input. */
      bool any = value->op == OP_not || value->op == OP_and || value->op == OP_or || value->op == OP_cast ||
                 value->op == OP_stop || value->op == OP_result;
      if (!value->input_count || any) return false;
      struct value *odd = build_input(sample->graph, "odd", KIND_BOOLEAN, NULL, &foreign, 1);
      for (int i = sample->graph->values.count - 1; i > 0; i--)
        sample->graph->values.items[i] = sample->graph->values.items[i - 1];
      sample->graph->values.items[0] = odd;
      value->inputs[0] = odd;
      return true;
    }
    case BREAK_AXIS:
      if (!(attributes & ATTRIBUTE_AXIS) || !value->axis || value->op == OP_index) return false;
      value->axis = foreign;
      return true;
    case BREAK_NO_AXIS:
      if (!(attributes & ATTRIBUTE_AXIS) || !value->axis) return false;
      value->axis = NULL;
      return true;
    case BREAK_RESULT:
      if (!(attributes & ATTRIBUTE_RESULT)) return false;
      value->result = foreign;
      return true;
    case BREAK_NO_RESULT:
      if (!(attributes & ATTRIBUTE_RESULT)) return false;
      value->result = NULL;
      return true;
    case BREAK_LIST:
      if (!value->list_count) return false;
      list[0] = foreign;
      value->list = list;
      return true;
    case BREAK_LIST_TWICE:
      if (!value->list_count) return false;
      list[value->list_count++] = list[0];
      value->list = list;
      return true;
    case BREAK_START:
      if (!(attributes & ATTRIBUTE_START)) return false;
      value->start = value->id % 2 ? -1 : 1000;
      return true;
    case BREAK_STATE:
      if (!(attributes & ATTRIBUTE_STATE)) return false;
      value->state = NULL;
      return true;
    case BREAK_CALLEE:
      if (!(attributes & ATTRIBUTE_CALLEE)) return false;
      value->callee = NULL;
      return true;
    case BREAK_NUMBER:
      value->id = sample->graph->next_value + (value->id % 2 ? 1 : -1 - 2 * sample->graph->next_value);
      return true;
    case BREAK_AXIS_NUMBER:
      if (value->axis_count < 2) return false;
      value->axes[0]->id = value->axes[1]->id;
      return true;
    case BREAK_RANGE:
      if (value->kind == KIND_INTEGER) return false;
      value->range = foreign;
      return true;
    case BREAK_COUNT:
      break;
  }
  return false;
}

static void check_breakages(void) {
  for (int op = 0; op < OP_COUNT; op++) {
    int broken = 0;
    for (int breakage = 0; breakage < BREAK_COUNT; breakage++) {
      for (uint64_t seed = 0; seed < 6; seed++) {
        struct arena *arena = arena_new();
        struct sample *sample = sample_operation(arena, (enum op)op, seed, 0);
        struct value *value = find(sample->graph, (enum op)op);
        if (value && breaks(sample, value, (enum breakage)breakage)) {
          broken++;
          if (!CHECK(graph_verify(arena, sample->graph, sample->stage) != NULL)) {
            printf("  breakage %d of %s, seed %llu\n", breakage, op_facts[op].name, (unsigned long long)seed);
            graph_print(stdout, sample->graph);
          }
        }
        arena_free(arena);
      }
    }
    CHECK(broken > 0);
  }
}

/* A text may hold zero bytes, within a quoted name too; the reader takes no memory by where the first one stands. */
static void check_zero_bytes(void) {
  struct arena *arena = arena_new();
  enum { LENGTH = 200000 };
  char *text = arena_alloc(arena, LENGTH + 1);
  memset(text, 'x', LENGTH);
  const char head[] = "graph g\n%0 real [] = input \"a\0";
  memcpy(text, head, sizeof head - 1);
  struct source source = {"g", text, LENGTH};
  CHECK(!graph_read(arena, &source, diagnostics_new(arena)));
  const char tail[] = "\"\noutput \"y\" = %0\n";
  memcpy(text + LENGTH - (sizeof tail - 1), tail, sizeof tail - 1);
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct graph *graph = graph_read(arena, &source, diagnostics);
  if (!graph) printf("%s", diagnostics->messages.items[0]);
  CHECK(graph && strlen(graph->values.items[0]->name) ==
                     LENGTH - (sizeof tail - 1) - strlen("graph g\n%0 real [] = input \"") - 1);
  arena_free(arena);
}

static const char *verify_text(struct arena *arena, const char *text) {
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct graph *graph = graph_read(arena, source_from_text(arena, "g", text), diagnostics);
  if (graph) return graph_verify(arena, graph, STAGE_FLAT);
  const char *message = strstr(diagnostics->messages.items[0], "error: ") + strlen("error: ");
  return arena_copy(arena, message, strcspn(message, "\n"));
}

#define AXES                                                                                                           \
  "graph g\naxis a'0 = 2\naxis b'1 = 3\naxis b'2 = 4\nstate \"w\" [a] real parameter constant(0)\n%0 real [a, b'1] = " \
  "input \"x\"\n"

static void check_messages(void) {
  static const struct {
    const char *text, *wanted;
  } rows[] = {
      {AXES "%1 real [a] = contract(%0, %0) over [b'2]\noutput \"y\" = %1\n",
       "%1 = contract: axis b'2 is not in the first input [a, b], from g:7:1"},
      {AXES "%1 integer [b'1] = index along b'1\n%2 real [a] = contract(%0, %1) over [b'1]\noutput \"y\" = %2\n",
       "%2 = contract: the second input is integer and must be real, from g:8:1"},
      {AXES "%1 real [a] = exp(%0) name \"h.0.x\"\noutput \"y\" = %1\n",
       "%1 = exp: it has the axes [a] and must have [a, b] (h.0.x), from g:7:1"},
      {AXES "%1 boolean [a, b'1] = not(%0)\noutput \"y\" = %1\n",
       "%1 = not: the first input is real and must be boolean, from g:7:1"},
      {AXES "%1 real [a, b'2] = rename(%0) along b'1 to b'2\noutput \"y\" = %1\n",
       "%1 = rename: the axis is 3 and b'2 is 4 long, from g:7:1"},
      {AXES "%1 real [a] = select(%0) along b'1 at 3\noutput \"y\" = %1\n",
       "%1 = select: element 3 of b'1, which is 3 long, from g:7:1"},
      {AXES "%1 real [a] = state \"w\"\n%2 real [a] = update(%1) \"w\"\n%3 real [a] = update(%2) \"w\"\n",
       "%3 = update: state w has two updates, from g:9:1"},
      {AXES "%1 real [a] = state \"w\"\n%2 real [a] = update(%1) \"w\"\n%3 real [a] = state \"w\"\noutput \"y\" = %3\n",
       "%3 = state: state w is read after its update, from g:9:1"},
      {"graph g\naxis a'0 = 2\naxis b'1 = 3\naxis b'2 = 4\n"
       "region 0 \"f.gradient\" (%0, %1, %2)\n%0 real [a, b'1] = input \"x\"\n%1 boolean [a, b'1] = input \"y\"\n%2 "
       "real [a, b'1] = input \"dy\"\n%3 real [a, b'1] = neg(%2)\noutput \"dx\" = %3\nend\n"
       "region 1 f (%0) gradient 0\n%0 real [a, b'1] = input \"x\"\n%1 real [a, b'1] = neg(%0)\noutput \"y\" = "
       "%1\nend\n"
       "%0 real [a, b'1] = input \"x\"\n%1 real [] = call(%0) region 1\n%2 real [a, b'1] = result(%1) at 0\noutput "
       "\"y\" = %2\n",
       "%1 = call: input 1 of the gradient of region f is boolean and must be real, from g:18:1"},
      {"graph g\naxis a'0 = 2\naxis b'1 = 3\naxis b'2 = 4\n"
       "region 0 \"f.gradient\" (%0, %1, %2)\n%0 real [a, b'1] = input \"x\"\n%1 real [a, b'1] = input \"y\"\n%2 real "
       "[a, b'1] = input \"dy\"\n%3 boolean [a, b'1] = lt(%2, %0)\noutput \"dx\" = %3\nend\n"
       "region 1 f (%0) gradient 0\n%0 real [a, b'1] = input \"x\"\n%1 real [a, b'1] = neg(%0)\noutput \"y\" = "
       "%1\nend\n"
       "%0 real [a, b'1] = input \"x\"\n%1 real [] = call(%0) region 1\n%2 real [a, b'1] = result(%1) at 0\noutput "
       "\"y\" = %2\n",
       "%1 = call: result 0 of the gradient of region f is boolean and must be real, from g:18:1"},
      {AXES "%1 real [] = constant 1\n%2 real [] = gradient(%1, %1)\noutput \"y\" = %2\n",
       "%2 = gradient: a gradient after autodiff, from g:8:1"},
      {AXES "%1 real [a] = input \"x\"\noutput \"y\" = %1\n",
       "%1 = input: input x is real [a] here and real [a, b] in %0 (x), from g:7:1"},
      {AXES "%1 integer [] = constant 0.5\noutput \"y\" = %1\n", "%1 = constant: the integer 0.5, from g:7:1"},
      {AXES, "graph g has neither outputs nor updates"},
      {AXES "output \"y\" = %0\noutput \"y\" = %0\n", "two outputs have the name y"},
      {AXES "output \"y\" = none\n", "output y has no value"},
      {AXES "%1 integer [] = constant inf\noutput \"y\" = %1\n", "%1 = constant: the integer inf, from g:7:1"},
  };
  struct arena *arena = arena_new();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    CHECK_STRING(verify_text(arena, rows[i].text), rows[i].wanted);
  struct sample *sample = sample_operation(arena, OP_call, 1, 0);
  CHECK(graph_verify(arena, sample->graph, STAGE_DIFFERENTIATED) == NULL &&
        graph_verify(arena, sample->graph, STAGE_FLAT) != NULL);
  /* What a call gives is had by `result` alone. */
  CHECK_STRING(
      verify_text(
          arena,
          "graph g\naxis a'0 = 2\nregion 0 f (%0)\n  %0 real [] = input \"x\"\n  output \"z\" = %0\nend\n"
          "%0 real [] = input \"x\"\n%1 real [] = call(%0) region 0\n%2 real [] = neg(%1)\noutput \"y\" = %2\n"),
      "%2 = neg: input %1 is a whole call, from g:9:1");
  arena_free(arena);
}

/* The reader names the place and what it expected; the first error is the only one. */
static void check_reading(void) {
  static const struct {
    const char *text, *wanted;
  } rows[] = {
      {"", "g:1:1: error: expected 'graph', found the end of the file\n  \n  ^\n"},
      {"graph g\naxis a'0 = x\n", "g:2:12: error: size x is not declared\n  axis a'0 = x\n             ^\n"},
      {"graph g\n%0 real [q] = input \"x\"\n",
       "g:2:10: error: axis q is not declared\n  %0 real [q] = input \"x\"\n           ^\n"},
      {"graph g\n%0 real [] = contant 1\n",
       "g:2:14: error: expected an operation (did you mean constant?), found 'contant'\n  %0 real [] = contant 1\n     "
       "          ^~~~~~~\n"},
      {"graph g\n%1 real [] = neg(%0)\n",
       "g:2:18: error: %0 is not computed yet\n  %1 real [] = neg(%0)\n                   ^~\n"},
      {"graph g\n%99999999999999999999 real [] = constant 1\n",
       "g:2:1: error: expected a whole number from 0 to 1048576\n  %99999999999999999999 real [] = constant 1\n  "
       "^~~~~~~~~~~~~~~~~~~~~\n"},
      {"graph g\nstate \"w [] real\n",
       "g:2:7: error: the quotation is not closed\n  state \"w [] real\n        ^~~~~~~~~~\n"},
      {"graph g\naxis a'0 = 1\naxis a'1 = 2\n%0 real [a] = input \"x\"\n",
       "g:4:10: error: axis a could be a'0 or a'1\n  %0 real [a] = input \"x\"\n           ^\n"},
      {"graph g\n%0 real [] = constant 1 1\n",
       "g:2:25: error: expected the end of the line, found '1'\n  %0 real [] = constant 1 1\n                          "
       "^\n"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct arena *arena = arena_new();
    struct diagnostics *diagnostics = diagnostics_new(arena);
    CHECK(graph_read(arena, source_from_text(arena, "g", rows[i].text), diagnostics) == NULL);
    if (CHECK(diagnostics->messages.count == 1)) CHECK_STRING(diagnostics->messages.items[0], rows[i].wanted);
    arena_free(arena);
  }
}

/* Texts with letters changed, cut and doubled are read or refused, and what is read prints and reads again. */
static void check_spoiled_text(void) {
  for (int i = 0; i < 3000; i++) {
    struct arena *arena = arena_new();
    struct sample *sample = sample_graph(arena, 4, (uint64_t)(i % 40), i % 2 ? SAMPLE_SIZES : 0);
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    if (!file) abort();
    graph_print(file, sample->graph);
    fclose(file);
    for (int j = check_below(4); j >= 0; j--) {
      size_t at = (size_t)check_below((int)length), from = (size_t)check_below((int)length);
      size_t count = (size_t)check_below(12);
      if (at + count <= length && from + count <= length) memmove(text + at, text + from, count);
      text[at] = (char)(check_below(4) ? text[from] : check_below(128));
    }
    struct diagnostics *diagnostics = diagnostics_new(arena);
    struct graph *graph =
        graph_read(arena, source_from_text(arena, "spoiled", arena_copy(arena, text, length)), diagnostics);
    CHECK((graph == NULL) == (diagnostics->error_count > 0));
    if (graph) CHECK(graph_verify(arena, graph, STAGE_LOWERED) == NULL);
    free(text);
    arena_free(arena);
  }
}

int main(void) {
  check_breakages();
  check_messages();
  check_zero_bytes();
  check_reading();
  check_spoiled_text();
  return check_done("verify");
}
