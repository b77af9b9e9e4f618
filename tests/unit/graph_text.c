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

/* Contents back as they were, so that a second run sees the same states. */
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
