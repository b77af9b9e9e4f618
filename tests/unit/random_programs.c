/* Random graphs of every operation under many pipelines, interpreted and as compiled C, many graphs in one translation
   unit. tests/harness/trial.h says what is compared with what, and how near results must be.

   random_programs [--seed N] [--count N]   graphs N, N + 1 ...; without --count as many as a test run takes
   random_programs --replay FILE            a graph as a failure prints it
   random_programs --shrink FILE            the same, made smaller
   random_programs --loops FILE             what the schedules make of it
   random_programs --known                  the graphs of tests/programs/ alone
   random_programs --show SEED              the graph of a seed, before anything is done to it */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "passes/pipeline.h"
#include "tests/harness/foreign.h"
#include "tests/harness/shrink.h"
#include "tests/unit/check.h"

#ifdef __SANITIZE_ADDRESS__
enum { USUAL_COUNT = 50, CHUNK = 20 };
#else
enum { USUAL_COUNT = 1000, CHUNK = 100 };
#endif
enum { SMALL_CHUNK = (CHUNK + 49) / 50, MOST_SHRUNK = 5, MOST_CRASHES = 5, MOST_SECONDS = 120 };

/* The share of elements without a bound, as the mean of the shares of all trials, so that no large tensor dominates it.
   */
struct mean_open {
  int64_t trials;
  double sum;
};

struct totals {
  int64_t graphs, trials, functions, elements, derived; /* derived: graphs with something to derive of parameters */
  struct mean_open compiled[2], rewritten[2]; /* of graphs without and with extreme numbers */
};

static void count_open(struct mean_open *mean, const struct tally *tally) {
  if (!tally->checked) return;
  mean->trials++;
  mean->sum += (double)tally->open / (double)tally->checked;
}

static double open_share(const struct mean_open *mean) { return mean->trials ? mean->sum / (double)mean->trials : 0; }

/* Chunks of trials run in processes of their own, so that one that crashes or does not end is found like any other
   failure. The trial at hand and the counts lie in memory that both processes share. */
static struct shared {
  uint64_t seed; /* of the graph at hand */
  char pipeline[2000]; /* of the trial at hand; empty while the graph is made */
  char target[64]; /* its name: targets with features are made in the process that asks for them */
  struct totals totals;
  int passed, failed, skipped, reported;
  bool done, late; /* late: the clock stopped it */
} *shared;

static bool share_memory(void) {
  FILE *file = tmpfile();
  if (!file || ftruncate(fileno(file), sizeof *shared) != 0) return false;
  void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
  fclose(file);
  if (memory == MAP_FAILED) return false;
  shared = memory;
  return true;
}

/* Starts the clock again. */
static void note(uint64_t seed, const char *pipeline, const struct target *target) {
  shared->seed = seed;
  snprintf(shared->target, sizeof shared->target, "%s", target ? target->name : "reference");
  snprintf(shared->pipeline, sizeof shared->pipeline, "%s", pipeline);
  alarm(MOST_SECONDS);
}

/* Runs the work in a process. False when it did not end: it is stopped after `seconds` without a note. Its checks count
   as if done here. */
static bool run_apart(void (*work)(const void *context), const void *context, int seconds) {
  shared->done = shared->late = false;
  fflush(NULL);
  pid_t child = fork();
  if (child < 0) return false;
  if (!child) {
    check_totals.passed = check_totals.failed = check_totals.skipped = 0;
    alarm((unsigned)seconds);
    work(context);
    shared->passed = check_totals.passed;
    shared->failed = check_totals.failed;
    shared->skipped = check_totals.skipped;
    shared->done = true;
    fflush(NULL);
    _exit(0);
  }
  int status;
  if (waitpid(child, &status, 0) != child) return false;
  shared->late = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
  if (!shared->done) return false;
  check_totals.passed += shared->passed;
  check_totals.failed += shared->failed;
  check_totals.skipped += shared->skipped;
  return true;
}

static uint64_t draw(uint64_t *state) {
  uint64_t x = *state += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/* A value at an end of the parameter's range, near the lower end, where the shapes of these graphs are, or anywhere in
   it. */
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

/* Few of these graphs are so large that threads would share a loop, or tiles would be used, by the usual parameters. */
static int random_work(uint64_t *state) { return (int)(draw(state) % 3 ? 0 : draw(state) % 1000); }

/* Results of a pass that approximates are those of the graph that it makes, not of the one that was interpreted. */
static bool keeps_meaning(int pass) { return pass_facts[pass].class != PASS_APPROXIMATES; }

static const char *random_pipeline(struct arena *arena, uint64_t *state) {
  const char *text = "none";
  if (draw(state) % 3 == 0)
    return draw(state) % 2 ? "default"
                           : arena_format(arena,
                                          "default, tile(work = %d), parallel(work = %d), "
                                          "stream(rows = %d, tasks = 1, again = 0)",
                                          random_work(state), random_work(state), (int)(draw(state) % 9));
  for (int pass = 0; pass < PASS_COUNT; pass++) {
    if (pass_facts[pass].when == PASS_ALWAYS || !keeps_meaning(pass) || draw(state) % 2) continue;
    const char *settings = "";
    for (int i = 0; i < PARAMETER_COUNT; i++)
      if ((int)parameter_facts[i].pass == pass && (i == PARAMETER_parallel_work || i == PARAMETER_tile_work))
        settings = arena_format(arena, "%s%s%s = %d", settings, *settings ? ", " : "", parameter_facts[i].name,
                                random_work(state));
      else if ((int)parameter_facts[i].pass == pass && draw(state) % 3 == 0)
        settings = arena_format(arena, "%s%s%s = %d", settings, *settings ? ", " : "", parameter_facts[i].name,
                                random_setting(&parameter_facts[i], state));
    text = arena_format(arena, "%s, %s", text, pass_facts[pass].name);
    if (*settings) text = arena_format(arena, "%s(%s)", text, settings);
  }
  return text;
}

/* Shrinking costs time, so it is done for the first few failures. */
static void report(struct failure failure, uint64_t seed) {
  struct arena *arena = arena_new();
  printf("# seed %llu; random_programs --replay FILE repeats this\n", (unsigned long long)seed);
  alarm(0); /* runs of its own have clocks of their own */
  if (shared->reported++ < MOST_SHRUNK) {
    failure = failure_shrink(arena, &failure, 300);
    const char *message = NULL;
    enum ending ending = failure_ending(&failure);
    if (ending < ENDS_CRASHED) ending = failure_run(arena, &failure, &message);
    if (ending != ENDS_WELL)
      printf("# made smaller, it ends %s%s%s\n", ending_names[ending], message ? ": " : "", message ? message : "");
  }
  failure_print(stdout, &failure);
  fflush(stdout);
  alarm(MOST_SECONDS);
  arena_free(arena);
}

/* The seed of a trial's graph. */
struct entry {
  struct expectation expected;
  uint64_t seed;
};

static struct sample *make_sample(struct arena *arena, uint64_t seed, uint64_t *random) {
  uint64_t state = seed;
  int flags = 0;
  if (draw(&state) % 2) flags |= SAMPLE_SIZES;
  if (draw(&state) % 3 == 0) flags |= SAMPLE_LONG;
  if (draw(&state) % 2) flags |= SAMPLE_PATTERNS;
  if (draw(&state) % 4 == 0)
    flags |= SAMPLE_SMOOTH | SAMPLE_GRADIENTS;
  else if (draw(&state) % 2)
    flags |= SAMPLE_EXTREME;
  struct sample *sample = sample_graph(arena, 2 + (int)(draw(&state) % 12), seed, flags);
  *random = state;
  return sample;
}

static uint64_t seed_of(const struct trial *trial) { return ((const struct entry *)trial->expected)->seed; }
static void watch(const struct trial *trial) { note(seed_of(trial), trial->pipeline, trial->target); }

static struct trial *add_trial(struct trial_set *set, const struct expectation *expected, const char *pipeline,
                               const struct target *target) {
  note(((const struct entry *)expected)->seed, pipeline, target);
  return trial_set_add(set, expected, pipeline, target);
}

static void add_graph(struct trial_set *set, struct entry *entry) {
  struct arena *arena = set->arena;
  uint64_t state;
  const struct expectation *expected = &entry->expected;
  note(entry->seed, "", NULL);
  struct sample *sample = make_sample(arena, entry->seed, &state);
  if (!CHECK_STRING(expectation_new(arena, sample, &entry->expected), NULL)) {
    report((struct failure){sample, "none", .target = target_find("reference")}, entry->seed);
    return;
  }
  const struct target *first = set->targets[draw(&state) % (uint64_t)set->target_count];
  const struct target *second = set->targets[draw(&state) % (uint64_t)set->target_count];
  if (!CHECK_STRING(compare_hoisted(arena, expected, draw(&state) % 4), NULL)) {
    sample_print(stdout, sample);
    printf("# seed %llu, as a graph of generation\n", (unsigned long long)entry->seed);
  }
  bool derived = false;
  if (!CHECK_STRING(compare_derived(arena, expected, &derived), NULL)) {
    sample_print(stdout, sample);
    printf("# seed %llu, with changed parameters\n", (unsigned long long)entry->seed);
  }
  shared->totals.derived += derived;
  add_trial(set, expected, "none", first);
  for (int i = 0; i < PASS_COUNT; i++) {
    if (pass_facts[i].when == PASS_ALWAYS || !keeps_meaning(i) || i == PASS_hoist) continue;
    /* The pass parallel costs as much as all others, since hardly any of its kernels exists already. */
    if (i == PASS_parallel && entry->seed % 4) continue;
    const char *settings = i == PASS_parallel || i == PASS_tile ? "(work = 0)" : "";
    struct trial *trial =
        add_trial(set, expected, arena_format(arena, "none, %s%s", pass_facts[i].name, settings), first);
    /* These passes change the order of sums, and targets the order of long ones at most. */
    if (pass_facts[i].class == PASS_REASSOCIATES && sample->flags & SAMPLE_LONG) trial_set_add_twin(set, trial);
  }
  trial_set_add_twin(set, add_trial(set, expected, random_pipeline(arena, &state), second));
}

struct chunk {
  uint64_t seed;
  int count;
  struct compiling how;
};

static struct failure failure_of(const struct trial *trial, const struct compiling *how) {
  return (struct failure){trial->expected->sample, trial->pipeline, trial->target, *how, NULL, 0};
}

/* Finds the trial whose C does not compile, among many. */
static void report_uncompiled(const struct trial_set *set, const struct target *target, const struct compiling *how) {
  alarm(0);
  for (int i = 0; i < set->trials.count; i++) {
    const struct trial *trial = set->trials.items[i];
    struct failure failure = failure_of(trial, how);
    if (trial->wrong || trial->target != target || failure_ending(&failure) != ENDS_UNCOMPILED) continue;
    report(failure, seed_of(trial));
    return;
  }
  printf("  each of the trials for %s compiles alone\n", target->name);
}

static void work_on_chunk(const void *context) {
  const struct chunk *chunk = context;
  struct totals *totals = &shared->totals;
  struct arena *arena = arena_new();
  struct trial_set *set = trial_set_new(arena);
  struct entry *entries = arena_new_array(arena, struct entry, chunk->count);
  for (int i = 0; i < chunk->count; i++) {
    entries[i].seed = chunk->seed + (uint64_t)i;
    add_graph(set, &entries[i]);
  }
  note(chunk->seed, "", NULL);
  alarm(5 * MOST_SECONDS); /* to compile all of them */
  set->watch = watch;
  const struct target *failed = trial_set_run(set, &chunk->how);
  if (!CHECK(!failed)) report_uncompiled(set, failed, &chunk->how);
  for (int i = 0; i < set->trials.count; i++) {
    const struct trial *trial = set->trials.items[i];
    bool extreme = trial->expected->sample->flags & SAMPLE_EXTREME;
    totals->elements += trial->compiled.checked;
    count_open(&totals->compiled[extreme], &trial->compiled);
    count_open(&totals->rewritten[extreme], &trial->rewritten);
    if (!CHECK_STRING(trial->wrong, NULL)) report(failure_of(trial, &chunk->how), seed_of(trial));
  }
  totals->graphs += chunk->count;
  totals->trials += set->trials.count;
  totals->functions += set->functions;
  arena_free(arena);
}

/* After a crash the graphs before and after the one at hand run again. */
static void run_chunk(const struct chunk *chunk) {
  static int crashes;
  const struct totals before = shared->totals;
  if (chunk->count < 1 || crashes > MOST_CRASHES) return;
  if (run_apart(work_on_chunk, chunk, MOST_SECONDS)) return;
  shared->totals = before;
  crashes++;
  uint64_t seed = shared->seed, state;
  const char *pipeline = *shared->pipeline ? shared->pipeline : "none";
  const struct target *target = tested_target_find(shared->target);
  check_totals.failed++;
  printf("%s:%d: failed: %s at seed %llu under %s for %s\n", __FILE__, __LINE__, shared->late ? "no end" : "a crash",
         (unsigned long long)seed, pipeline, target->name);
  fflush(stdout);
  struct arena *arena = arena_new();
  pipeline = arena_strdup(arena, pipeline);
  report((struct failure){make_sample(arena, seed, &state), pipeline, target, chunk->how, NULL, 0}, seed);
  alarm(0);
  arena_free(arena);
  int first = (int)(seed - chunk->seed);
  run_chunk(&(struct chunk){chunk->seed, first, chunk->how});
  run_chunk(&(struct chunk){seed + 1, chunk->count - first - 1, chunk->how});
}

static void crash(const void *context) {
  note(12345, context, target_find("reference"));
  signal(SIGABRT, SIG_DFL);
  abort();
}

static void hang(const void *context) {
  note(54321, context, target_find("reference"));
  alarm(1);
  for (;;) pause();
}

/* Checks that this program notices faults, and knows where they were. */
static void check_apart(void) {
  CHECK(!run_apart(crash, "none", MOST_SECONDS) && shared->seed == 12345 && !strcmp(shared->pipeline, "none"));
  CHECK(!run_apart(hang, "default", MOST_SECONDS) && shared->seed == 54321 && !strcmp(shared->pipeline, "default"));
  CHECK(shared->late);
}

/* An error analysis that answers "unknown" too often would let everything pass. In 1,000 graphs it does so for 3 % of
   the elements of a trial, and for 6 % where there are extreme numbers; in a few graphs the share may be anything. */
static void check_open(const struct totals *totals) {
  if (totals->graphs < 100) return;
  CHECK(totals->derived > totals->graphs / 20);
  CHECK(open_share(&totals->compiled[0]) < 0.08);
  CHECK(open_share(&totals->compiled[1]) < 0.15);
  CHECK(open_share(&totals->rewritten[0]) < 0.08);
  CHECK(open_share(&totals->rewritten[1]) < 0.15);
  for (int extreme = 0; extreme < 2; extreme++)
    CHECK(totals->compiled[extreme].trials > 0 && totals->rewritten[extreme].trials > 0);
}

static int show(uint64_t seed) {
  struct arena *arena = arena_new();
  uint64_t state;
  sample_print(stdout, make_sample(arena, seed, &state));
  arena_free(arena);
  return 0;
}

static int show_loops(const char *path) {
  struct arena *arena = arena_new();
  struct failure failure;
  struct expectation expected = {0};
  if (!failure_read(arena, path, &failure)) return 2;
  const char *wrong = expectation_new(arena, failure.sample, &expected);
  struct trial trial = {.expected = &expected, .pipeline = failure.pipeline, .target = failure.target};
  if (!wrong) wrong = trial_prepare(arena, &trial);
  if (trial.module) module_print(stdout, trial.module);
  if (wrong) printf("# %s\n", wrong);
  arena_free(arena);
  return wrong != NULL;
}

static int replay(const char *path, bool shrink) {
  struct arena *arena = arena_new();
  struct failure failure;
  if (!failure_read(arena, path, &failure)) return 2;
  if (shrink) {
    failure = failure_shrink(arena, &failure, 2000);
    failure_print(stdout, &failure);
  }
  const char *message;
  enum ending ending = failure_run(arena, &failure, &message);
  printf("# it ends %s%s%s\n", ending_names[ending], message ? ": " : "", message ? message : "");
  arena_free(arena);
  return ending != ENDS_WELL;
}

struct known {
  struct expectation expected;
  const char *name;
};

static void add_known(struct trial_set *set, const char *name) {
  struct failure failure;
  struct known *known = arena_new_struct(set->arena, struct known);
  known->name = name;
  if (!CHECK(failure_read(set->arena, arena_format(set->arena, SOURCE_FOLDER "/tests/programs/%s", name), &failure)))
    return;
  if (!CHECK_STRING(expectation_new(set->arena, failure.sample, &known->expected), NULL)) return;
  const char *const pipelines[] = {failure.pipeline, "none", "none, fuse", "default"};
  for (int i = 0; i < 4 * set->target_count; i++)
    trial_set_add(set, &known->expected, pipelines[i % 4], set->targets[i / 4]);
}

/* Tries the graphs on which something failed once, each under the pipeline where it failed, for every target. */
static void check_known(const void *context) {
  const char *compiler = context;
  struct arena *arena = arena_new();
  struct trial_set *set = trial_set_new(arena);
  DIR *listing = opendir(SOURCE_FOLDER "/tests/programs");
  for (const struct dirent *entry; listing && (entry = readdir(listing));)
    if (strstr(entry->d_name, ".graph")) add_known(set, arena_strdup(arena, entry->d_name));
  if (listing) closedir(listing);
  CHECK(set->trials.count > 0);
  const struct target *failed = trial_set_run(set, &(struct compiling){.compiler = compiler, .threads = true});
  if (!CHECK(!failed)) printf("  the C of tests/programs for %s\n", failed->name);
  for (int i = 0; i < set->trials.count; i++) {
    const struct trial *trial = set->trials.items[i];
    if (!CHECK_STRING(trial->wrong, NULL))
      printf("  %s, pipeline %s, target %s\n", ((const struct known *)trial->expected)->name, trial->pipeline,
             trial->target->name);
  }
  arena_free(arena);
}

static double processor_seconds(void) {
  struct tms used;
  times(&used);
  return (double)(used.tms_utime + used.tms_stime + used.tms_cutime + used.tms_cstime) / (double)sysconf(_SC_CLK_TCK);
}

int main(int argc, char **argv) {
  uint64_t seed = 1;
  int count = USUAL_COUNT;
  bool known = argc == 2 && !strcmp(argv[1], "--known"), chosen = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "--show")) return show(strtoull(argv[i + 1], NULL, 0));
    if (!strcmp(argv[i], "--loops")) return show_loops(argv[i + 1]);
    if (!strcmp(argv[i], "--replay") || !strcmp(argv[i], "--shrink")) return replay(argv[i + 1], argv[i][2] == 's');
    if (!strcmp(argv[i], "--seed")) seed = strtoull(argv[i + 1], NULL, 0), chosen = true;
    if (!strcmp(argv[i], "--count")) count = atoi(argv[i + 1]);
  }
  if (!share_memory()) {
    perror("random_programs: memory to share");
    return 1;
  }
  compile_has_threads(); /* the compiler is loaded here, once for all processes */
  check_apart();
  /* Most graphs are compiled in the quickest way, some as programs are built, and some by the other compiler. */
  const char *other = system("command -v gcc > /dev/null") == 0 ? "gcc" : NULL;
  if (!chosen) CHECK(run_apart(check_known, NULL, 5 * MOST_SECONDS));
  if (!chosen && other) CHECK(run_apart(check_known, other, 5 * MOST_SECONDS));
  if (known) count = 0;
  /* Optimising takes several times as long, so few graphs are compiled so: 3 %, and as many by the other compiler. */
  const struct {
    int size;
    struct compiling how;
  } kinds[] = {{CHUNK, {.level = 0}},
               {SMALL_CHUNK, {.level = 2, .threads = true}},
               {CHUNK, {.level = 0, .threads = true}},
               {SMALL_CHUNK, {.compiler = other, .level = 0}}};
  if (!other && count) SKIP("gcc is not here");
  for (int done = 0, chunk = 0, size; done < count; done += size, chunk++) {
    size = kinds[chunk % 4].size;
    if (size > count - done) size = count - done;
    run_chunk(&(struct chunk){seed + (uint64_t)done, size, kinds[chunk % 4].how});
  }
  const struct totals totals = shared->totals;
  double seconds = processor_seconds();
  printf(
      "%lld graphs in %.1f s of one processor, %.1f a second; %lld trials, %lld kernels compiled, %lld elements, of a "
      "trial's %.2f%% without a bound, %.2f%% with extreme numbers; of interpreted ones %.2f%% and %.2f%%\n",
      (long long)totals.graphs, seconds, (double)totals.graphs / seconds, (long long)totals.trials,
      (long long)totals.functions, (long long)totals.elements, 100 * open_share(&totals.compiled[0]),
      100 * open_share(&totals.compiled[1]), 100 * open_share(&totals.rewritten[0]),
      100 * open_share(&totals.rewritten[1]));
  check_open(&totals);
  return check_done("random_programs");
}
