/* The exact passes on every operation and on random graphs: what they leave is valid, and equal in double to what they were given,
   up to the order of sums. */
#include "passes/passes.h"
#include "tests/harness/random_graph.h"
#include "tests/unit/check.h"

enum { MOST_OUTPUTS = 64 };

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

static bool near(const double *got, const double *wanted, int64_t count) {
  double largest = 1;
  for (int64_t i = 0; i < count; i++) largest = fabs(wanted[i]) > largest ? fabs(wanted[i]) : largest;
  for (int64_t i = 0; i < count; i++)
    if (!(fabs(got[i] - wanted[i]) <= 1e-12 * largest)) return false;
  return true;
}

static int64_t elements(const struct tensor *tensor, const int64_t *sizes) {
  int64_t count = 1;
  for (int i = 0; i < tensor->axis_count; i++) count *= axis_length(tensor->axes[i], sizes);
  return count;
}

static void check_pass(struct sample *sample, const char *name, void (*pass)(struct graph *graph)) {
  struct arena *arena = sample->arena;
  struct environment environment = sample_environment(sample);
  struct tensor before[MOST_OUTPUTS], after[MOST_OUTPUTS];
  int outputs = sample->graph->outputs.count, failed = check_totals.failed;
  if (sample->stage == STAGE_LOWERED || !CHECK(outputs <= MOST_OUTPUTS)) return;
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  if (!file) abort();
  graph_print(file, sample->graph);
  fclose(file);
  double **given = keep(sample);
  if (CHECK_STRING(graph_interpret(sample->graph, &environment, before, NULL), NULL)) {
    double **wanted = keep(sample);
    restore(sample, given);
    pass(sample->graph);
    if (CHECK_STRING(graph_verify(arena, sample->graph, pass == pass_inline ? STAGE_FLAT : sample->stage), NULL) &&
        CHECK_STRING(graph_interpret(sample->graph, &environment, after, NULL), NULL) &&
        CHECK(sample->graph->outputs.count == outputs)) {
      for (int i = 0; i < outputs; i++) {
        int64_t count = elements(&before[i], sample->sizes);
        bool same = before[i].axis_count ==
                    after[i].axis_count; /* outputs are laid out by their axes, so their order stays too */
        for (int j = 0; same && j < before[i].axis_count; j++) same = before[i].axes[j] == after[i].axes[j];
        if (CHECK(same)) CHECK(near(after[i].data, before[i].data, count));
      }
      for (int i = 0; i < sample->contents.count; i++)
        CHECK(near(sample->contents.items[i].data, wanted[i], sample->contents.items[i].count));
    }
    restore(sample, given);
  }
  if (check_totals.failed > failed) {
    printf("pass %s made of\n%s", name, text);
    graph_print(stdout, sample->graph);
  }
  free(text);
}

static const struct {
  const char *name;
  void (*pass)(struct graph *graph);
} passes[] = {{"inline", pass_inline}, {"simplify", pass_simplify}, {"common", pass_common}, {"sweep", graph_sweep}};

int main(void) {
  uint64_t seed = check_random();
  int count = (int)(sizeof passes / sizeof *passes);
  for (int p = 0; p <= count; p++) {
    for (int i = 0; i < 8 * OP_COUNT + 150; i++) {
      struct arena *arena = arena_new();
      int flags = i % 2 ? SAMPLE_SIZES : 0;
      struct sample *sample = i < 8 * OP_COUNT ? sample_operation(arena, (enum op)(i / 8), seed + (uint64_t)i, flags)
                                               : sample_graph(arena, 5 + i % 13, seed + (uint64_t)i, flags);
      /* Each alone, and all of them in turn. */
      for (int q = 0; q < count; q++)
        if (p == q || p == count) check_pass(sample, passes[q].name, passes[q].pass);
      arena_free(arena);
    }
  }
  return check_done("passes");
}
