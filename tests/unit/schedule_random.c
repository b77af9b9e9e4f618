/* Schedules of every operation and of random graphs, run as loops, against the interpreter of the tensor IR. */
#include "passes/passes.h"
#include "tests/harness/run_module.h"
#include "tests/unit/check.h"

static const struct target targets[] = {
    {.name = "plain", .lanes = 4, .registers = 16, .double_precision = true, .tile_rows = 4, .tile_vectors = 2},
    {.name = "masked",
     .lanes = 8,
     .registers = 32,
     .masks = true,
     .double_precision = true,
     .tile_rows = 3,
     .tile_vectors = 2}};
static const char *const pipelines[] = {"-fuse,-plan,-tile", "-plan", "default"};

static void check_sample(struct sample *sample, int choice) {
  struct arena *arena = sample->arena;
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct pass_options options = {.pipeline = pipelines[choice % 3], .target = &targets[choice / 3 % 2], .verify = true};
  int failed = check_totals.failed;
  pass_inline(sample->graph);
  struct module *module = run_schedules(&sample->program, &options, diagnostics);
  if (module) join_derived(module);
  if (CHECK(module && !diagnostics->error_count) && CHECK(module->routines.count <= 2)) {
    CHECK_STRING(compare_sample(sample, module, module->routines.items[0], 1e-9), NULL);
    if (choice % 3 == 2) CHECK_STRING(check_plan(arena, module, module->routines.items[0], true), NULL);
  }
  diagnostics_print(diagnostics, stdout);
  if (check_totals.failed > failed) {
    printf("target %s, pipeline '%s'\n", options.target->name, options.pipeline);
    graph_print(stdout, sample->graph);
  }
}

enum { ROUNDS = 12 };

static void check_round(uint64_t seed) {
  for (int i = 0; i < 24 * OP_COUNT + 600; i++) {
    struct arena *arena = arena_new();
    int flags = i % 2 ? SAMPLE_SIZES : 0;
    struct sample *sample = i < 24 * OP_COUNT ? sample_operation(arena, (enum op)(i / 24), seed + (uint64_t)i, flags)
                                              : sample_graph(arena, 5 + i % 13, seed + (uint64_t)i, flags);
    if (sample->stage != STAGE_LOWERED) check_sample(sample, i);
    arena_free(arena);
  }
}

int main(void) {
  for (int round = 0; round < ROUNDS; round++) check_round(check_random());
  return check_done("schedule_random");
}
