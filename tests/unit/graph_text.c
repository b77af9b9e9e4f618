/* Every operation, and random graphs of many: valid, interpreted, and the same after printing and reading. */
#include "tests/harness/random_graph.h"
#include "tests/unit/check.h"

static char *print(struct arena *arena, const struct graph *graph) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  if (!file) abort();
  graph_print(file, graph);
  fclose(file);
  char *copy = arena_copy(arena, text, length);
  free(text);
  return copy;
}

static struct graph *read(struct arena *arena, const char *text) {
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct graph *graph = graph_read(arena, source_from_text(arena, "printed", text), diagnostics);
  if (!graph) {
    diagnostics_print(diagnostics, stdout);
    printf("%s", text);
  }
  return graph;
}

/* Restores the contents, so that a second run sees the same states. */
static double **keep(struct sample *sample) {
  double **kept = arena_new_array(sample->arena, double *, sample->contents.count);
  for (int i = 0; i < sample->contents.count; i++) {
    kept[i] = arena_new_array(sample->arena, double, sample->contents.items[i].count);
    memcpy(kept[i], sample->contents.items[i].data, sizeof(double) * (size_t)sample->contents.items[i].count);
  }
  return kept;
}

static void restore(struct sample *sample, double **kept) {
  for (int i = 0; i < sample->contents.count; i++)
    memcpy(sample->contents.items[i].data, kept[i], sizeof(double) * (size_t)sample->contents.items[i].count);
}

static int64_t elements(const struct tensor *tensor, const int64_t *sizes) {
  int64_t count = 1;
  for (int i = 0; i < tensor->axis_count; i++) count *= axis_length(tensor->axes[i], sizes);
  return count;
}

static const double *give_numbers(void *context, const struct value *input) {
  (void)input;
  return context;
}

/* The order of an output's axes is written where it is not the usual one, batch first. */
static void check_output_order(void) {
  const char *text =
      "graph g\naxis a'0 = 2\naxis batch'1 = 3 batch\n%0 real [a, batch] = input \"x\"\noutput \"x\" = %0\n"
      "output \"y\" [a, batch] = %0\n";
  static double numbers[] = {0, 1, 2, 3, 4, 5};
  struct arena *arena = arena_new();
  struct graph *graph = read(arena, text);
  if (!CHECK(graph != NULL)) return;
  CHECK_STRING(print(arena, graph), text);
  struct environment environment = {.arena = arena, .input = give_numbers, .context = numbers};
  struct tensor results[2];
  if (CHECK_STRING(graph_interpret(graph, &environment, results, NULL), NULL))
    for (int i = 0; i < 6; i++) CHECK(results[0].data[i] == i % 2 * 3 + i / 2 && results[1].data[i] == i);
  static const char *const wrong[] = {"[a]", "[a, a]", "[]"};
  for (int i = 0; i < 3; i++) {
    const char *longer = arena_format(arena, "%soutput \"z\" %s = %%0\n", text, wrong[i]);
    CHECK(!graph_read(arena, source_from_text(arena, "wrong", longer), diagnostics_new(arena)));
  }
  arena_free(arena);
}

/* Roles are read as they are written, and nothing takes its role from its name. */
static void check_roles(void) {
  const char *text =
      "graph g\nsize window <= 2\nsize w <= 2 window\nsize p <= 3 past\naxis batch'0 = 2\naxis rows'1 = 3 batch\naxis "
      "a'2 = w\n"
      "axis b'3 = p\n%0 real [batch, rows, a, b] = input \"x\"\n%1 real [batch, rows, a, b] = neg(%0) name "
      "\"y/gradient\"\n"
      "%2 real [batch, rows, a, b] = neg(%1) name \"y\" gradient of \"h.0.x\" path \"h.0\"\noutput \"loss\" = %1\n"
      "output \"x\" loss = %2\noutput \"y\" loss_sum = %1\noutput \"z\" weight_sum [batch, rows, a, b] = %2\n";
  struct arena *arena = arena_new();
  struct graph *graph = read(arena, text);
  if (!CHECK(graph != NULL)) return;
  CHECK_STRING(print(arena, graph), text);
  const struct value *x = graph->values.items[0], *y = graph->values.items[1], *z = graph->values.items[2];
  CHECK(!is_batch(x->axes[0]) && is_batch(x->axes[1]));
  static const enum size_role sizes[] = {SIZE_ORDINARY, SIZE_WINDOW, SIZE_PAST};
  for (int i = 0; i < 3; i++) CHECK(graph->sizes.items[i]->role == sizes[i]);
  CHECK(!y->gradient_of);
  CHECK_STRING(z->gradient_of, "h.0.x");
  static const enum output_role outputs[] = {OUTPUT_ORDINARY, OUTPUT_LOSS, OUTPUT_LOSS_SUM, OUTPUT_WEIGHT_SUM};
  for (int i = 0; i < 4; i++) CHECK(graph->outputs.items[i].role == outputs[i]);
  CHECK(graph->outputs.items[1].axes[0] == x->axes[1]);
  arena_free(arena);
}

/* A rename tells which cache keeps what it gives; other operations have no such mark. */
static void check_cached(void) {
  const char *text =
      "graph g\naxis a'0 = 2\naxis b'1 = 2\n%0 real [a] = input \"x\"\n"
      "%1 real [b] = rename(%0) along a to b name \"k\" cached \"h.0.k/cache\" path \"h.0\"\noutput \"y\" = %1\n";
  const char *wrong =
      "graph g\naxis a'0 = 2\n%0 real [a] = input \"x\"\n%1 real [a] = neg(%0) cached \"k\"\noutput \"y\" = %1\n";
  struct arena *arena = arena_new();
  struct graph *graph = read(arena, text);
  if (!CHECK(graph != NULL)) return;
  CHECK_STRING(print(arena, graph), text);
  CHECK_STRING(graph->values.items[1]->cached, "h.0.k/cache");
  CHECK(!graph_read(arena, source_from_text(arena, "wrong", wrong), diagnostics_new(arena)));
  arena_free(arena);
}

static void check_sample(struct sample *sample) {
  struct arena *arena = sample->arena;
  if (!CHECK_STRING(graph_verify(arena, sample->graph, sample->stage), NULL)) {
    graph_print(stdout, sample->graph);
    return;
  }
  char *text = print(arena, sample->graph);
  struct graph *again = read(arena, text);
  if (!CHECK(again != NULL)) return;
  CHECK_STRING(print(arena, again), text);
  if (sample->stage == STAGE_LOWERED) return;
  struct environment environment = sample_environment(sample);
  double **kept = keep(sample);
  struct tensor first[64], second[64];
  if (!CHECK(sample->graph->outputs.count <= 64)) return;
  if (!CHECK_STRING(graph_interpret(sample->graph, &environment, first, NULL), NULL)) {
    printf("%s", text);
    return;
  }
  double **after = keep(sample);
  restore(sample, kept);
  if (!CHECK_STRING(graph_interpret(again, &environment, second, NULL), NULL)) return;
  for (int i = 0; i < sample->contents.count; i++)
    CHECK(!memcmp(sample->contents.items[i].data, after[i], sizeof(double) * (size_t)sample->contents.items[i].count));
  for (int i = 0; i < sample->graph->outputs.count; i++) {
    int64_t count = elements(&first[i], sample->sizes);
    CHECK(count == elements(&second[i], sample->sizes) &&
          !memcmp(first[i].data, second[i].data, sizeof(double) * (size_t)count));
    bool finite = true;
    for (int64_t j = 0; j < count; j++) finite = finite && isfinite(first[i].data[j]);
    if (!CHECK(finite)) printf("%s", text);
  }
}

int main(void) {
  static const int flags[] = {0, SAMPLE_SIZES, SAMPLE_SMOOTH, SAMPLE_SMOOTH | SAMPLE_SIZES};
  uint64_t seed = check_random();
  check_output_order();
  check_roles();
  check_cached();
  for (int op = 0; op < OP_COUNT; op++) {
    bool found = false;
    for (int i = 0; i < 24; i++) {
      struct arena *arena = arena_new();
      struct sample *sample = sample_operation(arena, (enum op)op, seed + (uint64_t)i, flags[i % 4]);
      for (int j = 0; j < sample->graph->values.count; j++)
        found = found || sample->graph->values.items[j]->op == (enum op)op;
      check_sample(sample);
      arena_free(arena);
    }
    if (!CHECK(found)) printf("  no sample has the operation %s\n", op_facts[op].name);
  }
  for (int i = 0; i < 200; i++) {
    struct arena *arena = arena_new();
    check_sample(sample_graph(arena, 5 + i % 11, seed + (uint64_t)i, flags[i % 4]));
    arena_free(arena);
  }
  return check_done("graph_text");
}
