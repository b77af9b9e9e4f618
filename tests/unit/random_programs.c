/* Random graphs of every operation under many pipelines, interpreted and as compiled C, many graphs in one translation unit. What is
   compared with what, and how near it must be, stands in tests/harness/trial.h.

   random_programs [--seed N] [--count N]   graphs N, N + 1 ...; without --count as many as a test run takes */
#include <stdlib.h>
#include <time.h>

#include "codegen/codegen.h"
#include "passes/pipeline.h"
#include "tests/harness/trial.h"
#include "tests/unit/check.h"

#ifdef __SANITIZE_ADDRESS__
enum { USUAL_COUNT = 50 };
#else
enum { USUAL_COUNT = 1000 };
#endif
enum { CHUNK = 50 };

struct totals {
  int64_t graphs, trials, functions, elements, open;
};

static uint64_t draw(uint64_t *state) {
  uint64_t x = *state += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/* One of the ends of the parameter's range, or near the lower one, where the shapes of these graphs are, or anything. */
static int random_setting(const struct parameter_facts *parameter, uint64_t *state) {
  int64_t room = (int64_t)parameter->most - parameter->least + 1;
  switch (draw(state) % 4) {
    case 0:
      return parameter->least;
    case 1:
      return draw(state) % 2 ? parameter->most : parameter->usual;
    case 2:
      return parameter->least + (int)(draw(state) % (uint64_t)(room < 10 ? room : 10));
    default:
      return parameter->least + (int)(draw(state) % (uint64_t)room);
  }
}

static const char *random_pipeline(struct arena *arena, uint64_t *state) {
  const char *text = "none";
  for (int pass = 0; pass < PASS_COUNT; pass++) {
    if (pass_facts[pass].when == PASS_ALWAYS || draw(state) % 2) continue;
    const char *settings = "";
    for (int i = 0; i < PARAMETER_COUNT; i++)
      if ((int)parameter_facts[i].pass == pass && draw(state) % 3 == 0)
        settings = arena_format(arena, "%s%s%s = %d", settings, *settings ? ", " : "", parameter_facts[i].name,
                                random_setting(&parameter_facts[i], state));
    text = arena_format(arena, "%s, %s", text, pass_facts[pass].name);
    if (*settings) text = arena_format(arena, "%s(%s)", text, settings);
  }
  return text;
}

static void report(const struct expectation *expected, const char *pipeline, const char *target, uint64_t seed) {
  printf("# seed %llu\n# pipeline %s\n# target %s\n", (unsigned long long)seed, pipeline, target);
  sample_print(stdout, expected->sample);
}

/* The seed of a trial's graph. */
struct entry {
  struct expectation expected;
  uint64_t seed;
};

static void add_graph(struct trial_set *set, struct entry *entry) {
  struct arena *arena = set->arena;
  uint64_t state = entry->seed;
  static const int flags[] = {0, SAMPLE_SIZES};
  const struct expectation *expected = &entry->expected;
  struct sample *sample = sample_graph(arena, 3 + (int)(draw(&state) % 14), entry->seed, flags[draw(&state) % 2]);
  if (!CHECK_STRING(expectation_new(arena, sample, &entry->expected), NULL)) {
    report(expected, "none", "reference", entry->seed);
    return;
  }
  const struct target *first = set->targets[draw(&state) % (uint64_t)set->target_count];
  const struct target *second = set->targets[draw(&state) % (uint64_t)set->target_count];
  trial_set_add(set, expected, "none", first);
  for (int i = 0; i < PASS_COUNT; i++)
    if (pass_facts[i].when != PASS_ALWAYS)
      trial_set_add(set, expected, arena_format(arena, "none, %s", pass_facts[i].name), first);
  trial_set_add(set, expected, "default", second);
  trial_set_add(set, expected, random_pipeline(arena, &state), second);
}

static void run_chunk(uint64_t seed, int count, struct totals *totals) {
  struct arena *arena = arena_new();
  struct trial_set *set = trial_set_new(arena);
  struct entry *entries = arena_new_array(arena, struct entry, count);
  for (int i = 0; i < count; i++) {
    entries[i].seed = seed + (uint64_t)i;
    add_graph(set, &entries[i]);
  }
  const struct target *failed = trial_set_run(set, NULL, 0);
  if (!CHECK(!failed)) printf("  the C for %s of the graphs from seed %llu\n", failed->name, (unsigned long long)seed);
  for (int i = 0; i < set->trials.count; i++) {
    const struct trial *trial = set->trials.items[i];
    totals->elements += trial->checked;
    totals->open += trial->open;
    const struct entry *entry = (const struct entry *)trial->expected;
    if (!CHECK_STRING(trial->wrong, NULL)) report(trial->expected, trial->pipeline, trial->target->name, entry->seed);
  }
  totals->graphs += count;
  totals->trials += set->trials.count;
  totals->functions += set->functions;
  arena_free(arena);
}

int main(int argc, char **argv) {
  uint64_t seed = 1;
  int count = USUAL_COUNT;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--seed")) seed = strtoull(argv[i + 1], NULL, 0);
    if (!strcmp(argv[i], "--count")) count = atoi(argv[i + 1]);
  }
  struct totals totals = {0};
  for (int done = 0; done < count; done += CHUNK)
    run_chunk(seed + (uint64_t)done, count - done < CHUNK ? count - done : CHUNK, &totals);
  double seconds = (double)clock() / CLOCKS_PER_SEC;
  printf(
      "%lld graphs in %.1f s of one processor, %.1f a second; %lld trials, %lld kernels compiled, %lld elements, "
      "%.2f%% of them "
      "without a bound\n",
      (long long)totals.graphs, seconds, (double)totals.graphs / seconds, (long long)totals.trials,
      (long long)totals.functions, (long long)totals.elements,
      100 * (double)totals.open / (double)(totals.elements ? totals.elements : 1));
  return check_done("random_programs");
}
