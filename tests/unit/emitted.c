/* Every operation, scheduled, printed as C for each target, compiled and run, against the interpreter. All of a target's graphs are one
   translation unit. */
#include "codegen/codegen.h"
#include "tests/harness/foreign.h"
#include "tests/harness/trial.h"
#include "tests/unit/check.h"

enum { EACH = 6 };

int main(void) {
  static const char *const pipelines[] = {"none", "none, fuse", "default"};
  static const int flags[] = {0, SAMPLE_SIZES};
  struct arena *arena = arena_new();
  struct trial_set *set = trial_set_new(arena);
  for (int i = 0; target_at(i); i++)
    if (!target_runs_in_tests(target_at(i))) SKIP(target_at(i)->name);
  uint64_t seed = check_random();
  for (int op = 0; op < OP_COUNT; op++)
    for (int i = 0; i < EACH; i++) {
      struct expectation *expected = arena_new_struct(arena, struct expectation);
      struct sample *sample = sample_operation(arena, (enum op)op, seed + (uint64_t)i, flags[i % 2]);
      if (!CHECK_STRING(expectation_new(arena, sample, expected), NULL)) continue;
      for (int t = 0; t < set->target_count; t++) trial_set_add(set, expected, pipelines[i % 3], set->targets[t]);
    }
  CHECK(!trial_set_run(set, &(struct compiling){.level = 1}));
  for (int i = 0; i < set->trials.count; i++) {
    const struct trial *trial = set->trials.items[i];
    if (CHECK_STRING(trial->wrong, NULL)) continue;
    printf("# pipeline %s\n# target %s\n", trial->pipeline, trial->target->name);
    sample_print(stdout, trial->expected->sample);
  }
  arena_free(arena);
  return check_done("emitted");
}
