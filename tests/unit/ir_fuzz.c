/* Damage to the text of graphs and of loops. A reader must end, with a message or with something that prints and reads
   back the same; a graph that it accepts is one that the interpreter, every pass and the schedules can take. --seconds
   N makes it run for so long. */
#include <signal.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "passes/passes.h"
#include "tests/harness/random_graph.h"
#include "tests/unit/check.h"

enum { TEXTS = 120, LARGEST = 40000, ROUNDS = 6000, FEW = 4096 };

static const char *texts[TEXTS]; /* each of a graph or of loops */
static int text_count;

static const char *printed_graph(struct arena *arena, const struct graph *graph) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  if (!file) abort();
  graph_print(file, graph);
  fclose(file);
  const char *copy = arena_copy(arena, text, length);
  free(text);
  return copy;
}

static const char *printed_loops(struct arena *arena, const struct module *module) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  if (!file) abort();
  for (int i = 0; i < module->functions.count; i++) function_print(file, module->functions.items[i]);
  fclose(file);
  const char *copy = arena_copy(arena, text, length);
  free(text);
  return copy;
}

/* --- Damage ---------------------------------------------------------------------------------------------------------------------- */

static size_t splice(char *text, size_t size, size_t at, size_t cut, const char *piece, size_t length) {
  if (cut > size - at) cut = size - at;
  if (size - cut + length > LARGEST) return size;
  memmove(text + at + length, text + at + cut, size - at - cut);
  memcpy(text + at, piece, length);
  return size - cut + length;
}

/* The word or number at or before `at`. */
static size_t word_at(const char *text, size_t size, size_t at, size_t *begin) {
  while (at > 0 && (text[at] == ' ' || text[at] == '\n')) at--;
  size_t end = at;
  while (at > 0 && text[at - 1] != ' ' && text[at - 1] != '\n' && text[at - 1] != ',' && text[at - 1] != '(') at--;
  while (end < size && text[end] != ' ' && text[end] != '\n' && text[end] != ',' && text[end] != ')') end++;
  *begin = at;
  return end - at;
}

static size_t damage(char *text, size_t size) {
  static const char *const pieces[] = {"0",
                                       "1",
                                       "-1",
                                       "3",
                                       "7",
                                       "9223372036854775807",
                                       "99999999999999999999",
                                       "1048577",
                                       "1e999",
                                       "nan",
                                       "inf",
                                       "%0",
                                       "%1",
                                       "%99999",
                                       "[",
                                       "]",
                                       "(",
                                       ")",
                                       ",",
                                       "=",
                                       "'",
                                       "\"",
                                       "real",
                                       "integer",
                                       "boolean",
                                       " over ",
                                       " along ",
                                       " to ",
                                       " at 1",
                                       " as f16",
                                       " in ",
                                       " region 0",
                                       "\n",
                                       " #",
                                       "\xff",
                                       "<",
                                       "<=",
                                       "add",
                                       "contract",
                                       "gather",
                                       "update",
                                       "call",
                                       "reduce_sum",
                                       "state",
                                       "axis a = 3\n",
                                       "serial ",
                                       "vector ",
                                       "{",
                                       "}",
                                       "let ",
                                       "size n <= 4\n"};
  size_t at = size ? (size_t)check_below((int)size) : 0, begin, length;
  switch (check_below(6)) {
    case 0:
      return splice(text, size, at, (size_t)check_below(8), "", 0);
    case 1: {
      char byte = (char)check_below(256);
      return splice(text, size, at, 1, &byte, 1);
    }
    case 2: { /* a line doubled, dropped or moved */
      size_t end = at;
      begin = at;
      while (begin > 0 && text[begin - 1] != '\n') begin--;
      while (end < size && text[end] != '\n') end++;
      if (end < size) end++;
      char line[512];
      length = end - begin < sizeof line ? end - begin : sizeof line;
      memcpy(line, text + begin, length);
      int way = check_below(3);
      if (way) size = splice(text, size, begin, end - begin, "", 0);
      if (way == 1 || !size) return size;
      size_t to = (size_t)check_below((int)size);
      while (to > 0 && text[to - 1] != '\n') to--;
      return splice(text, size, to, 0, line, length);
    }
    default: { /* a word exchanged for another one, of this text or not */
      length = word_at(text, size, at, &begin);
      const char *piece = pieces[check_below((int)(sizeof pieces / sizeof *pieces))];
      if (check_below(2)) return splice(text, size, begin, length, piece, strlen(piece));
      size_t other, from = word_at(text, size, (size_t)check_below((int)size), &other);
      char word[64];
      if (from > sizeof word) from = sizeof word;
      memcpy(word, text + other, from);
      return splice(text, size, begin, length, word, from);
    }
  }
}

static char text[LARGEST + 1];
static size_t text_size;

/* The text that ends the fuzzer is shown. */
static void show_text(int signal) {
  static const char head[] = "\nthe text was:\n";
  if (write(STDOUT_FILENO, head, sizeof head - 1) < 0 || write(STDOUT_FILENO, text, text_size) < 0) return;
  raise(signal);
}

static struct source *damaged(struct arena *arena) {
  const char *original = texts[check_below(text_count)];
  size_t size = strlen(original);
  if (size > LARGEST) size = LARGEST;
  memcpy(text, original, size);
  for (int i = check_below(3); i >= 0 && size; i--) size = damage(text, size);
  text_size = size;
  struct source *source = arena_new_struct(arena, struct source);
  *source = (struct source){"damaged", arena_copy(arena, text, size), size};
  return source;
}

/* --- Graphs ---------------------------------------------------------------------------------------------------------------------- */

struct holder {
  struct arena *arena;
  const int64_t *sizes;
};

static const double *any_input(void *context, const struct value *input) {
  const struct holder *memory = context;
  int64_t count = 1;
  for (int i = 0; i < input->axis_count; i++) count *= axis_length(input->axes[i], memory->sizes);
  return arena_new_array(memory->arena, double, count);
}

static double *any_state(void *context, const struct state *state) {
  return arena_new_array(((struct holder *)context)->arena, double, axes_count(state->axes, state->axis_count));
}

/* Whether every value is so small that running the graph costs nothing. */
static bool is_small(const struct graph *graph) {
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (value_count(value) > FEW) return false;
    if (value->state && axes_count(value->state->axes, value->state->axis_count) > FEW) return false;
    if (value->callee &&
        (!is_small(value->callee->body) || (value->callee->gradient && !is_small(value->callee->gradient->body))))
      return false;
  }
  return true;
}

static void use(struct arena *arena, struct graph *graph, bool fuse) {
  struct program program = {
      .arena = arena, .name = "damaged", .model = "damaged", .predict = graph, .next_axis = *graph->next_axis};
  for (int i = 0; i < graph->values.count; i++) {
    struct state *state = graph->values.items[i]->state;
    bool known = !state;
    for (int j = 0; j < program.states.count && !known; j++) known = program.states.items[j] == state;
    if (!known) array_push(arena, &program.states, state);
  }
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct pass_options options = {
      .pipeline = fuse ? "default" : "none", .target = target_find("portable"), .verify = true};
  if (!run_graph_passes(&program, &options, diagnostics)) {
    CHECK(diagnostics->error_count > 0);
    return;
  }
  int64_t sizes[64];
  for (int i = 0; i < 64; i++) sizes[i] = 1;
  struct holder memory = {arena, sizes};
  struct environment environment = {
      .arena = arena, .sizes = sizes, .input = any_input, .state = any_state, .context = &memory};
  bool few = graph->sizes.count <= 64;
  for (int i = 0; i < graph->sizes.count; i++)
    few = few && graph->sizes.items[i]->index < 64 && graph->sizes.items[i]->bound > 0;
  if (!few) return;
  graph_interpret(graph, &environment, NULL, NULL);
  struct module *module = run_schedules(&program, &options, diagnostics);
  if (!CHECK(module && !diagnostics->error_count)) return;
  for (int i = 0; i < module->functions.count; i++)
    CHECK_STRING(function_verify(arena, module->functions.items[i]), NULL);
}

static bool check_graph(int round) {
  struct arena *arena = arena_new();
  const struct source *source = damaged(arena);
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct graph *graph = graph_read(arena, source, diagnostics);
  CHECK(!graph == (diagnostics->error_count > 0));
  if (graph) {
    const char *text = printed_graph(arena, graph);
    struct graph *again = graph_read(arena, source_from_text(arena, "printed", text), diagnostics);
    if (CHECK(again != NULL))
      CHECK_STRING(printed_graph(arena, again), text);
    else
      printf("%s", text);
    int failed = check_totals.failed;
    if (is_small(graph)) use(arena, graph, round % 2);
    if (check_totals.failed > failed) printf("%s", text);
  }
  arena_free(arena);
  return graph != NULL;
}

/* --- Loops ----------------------------------------------------------------------------------------------------------------------- */

static bool check_loops(void) {
  struct arena *arena = arena_new();
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct module *module = module_read(arena, damaged(arena), diagnostics);
  CHECK(!module == (diagnostics->error_count > 0));
  if (module) {
    const char *text = printed_loops(arena, module);
    struct module *again = module_read(arena, source_from_text(arena, "printed", text), diagnostics);
    if (CHECK(again != NULL))
      CHECK_STRING(printed_loops(arena, again), text);
    else
      printf("%s", text);
    for (int i = 0; i < module->functions.count; i++) function_verify(arena, module->functions.items[i]);
  }
  arena_free(arena);
  return module != NULL;
}

int main(int count, char **arguments) {
  if (!check_options("ir_fuzz", count, arguments)) return 2;
  time_t until = check_totals.until;
  for (int i = 0; i < 2; i++)
    sigaction((int[]){SIGABRT, SIGSEGV}[i], &(struct sigaction){.sa_handler = show_text, .sa_flags = (int)SA_RESETHAND},
              NULL);
  struct arena *arena = arena_new();
  static const int flags[] = {0, SAMPLE_SIZES, SAMPLE_PATTERNS, SAMPLE_SMOOTH | SAMPLE_GRADIENTS};
  const char *loops[TEXTS];
  for (int i = 0; i < TEXTS; i++) {
    struct sample *sample = i < OP_COUNT ? sample_operation(arena, (enum op)i, (uint64_t)i, flags[i % 2])
                                         : sample_graph(arena, 3 + i % 5, (uint64_t)i, flags[i % 4]);
    texts[text_count++] = printed_graph(arena, sample->graph);
    struct pass_options options = {.pipeline = i % 2 ? "default" : "none", .target = target_find("portable")};
    struct diagnostics *diagnostics = diagnostics_new(arena);
    CHECK(run_graph_passes(&sample->program, &options, diagnostics));
    loops[i] = printed_loops(arena, run_schedules(&sample->program, &options, diagnostics));
  }
  long accepted = 0, rounds = 0;
  if (until) check_totals.until = (time(NULL) + until) / 2;
  for (; check_goes_on(rounds, ROUNDS); rounds++) accepted += check_graph((int)(rounds % ROUNDS));
  printf("accepted: %ld graphs of %ld\n", accepted, rounds);
  CHECK(accepted > rounds / 50);
  memcpy(texts, loops, sizeof loops);
  check_totals.until = until;
  for (accepted = rounds = 0; check_goes_on(rounds, ROUNDS); rounds++) accepted += check_loops();
  printf("accepted: %ld loops of %ld\n", accepted, rounds);
  CHECK(accepted > rounds / 50);
  arena_free(arena);
  return check_done("ir_fuzz");
}
