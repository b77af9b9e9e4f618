/* Measures the variants, and concludes which is the fastest.

   Every variant runs in processes of its own. In each round the variants take their turns one after the other, in
   random order. A turn is a block of steps, of which only the shortest step counts: it is the time of a step that
   nothing disturbs. Each variant gets several processes, one after the other, because times also depend on where memory
   happens to lie. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/compare.h"

/* After 17 rounds that all agree, the test is sure even for all pairs of VARIANTS_MOST. */
enum {
  ROUNDS_FEWEST = 5,
  ROUNDS_LEAST = 17,
  ROUNDS_MOST = 150,
  BLOCK_MOST = 1000,
  PROCESSES = 3,
  KERNEL_STEPS_MOST = 2000
};

static const double patience = 120; /* seconds for a step */
static const double answer_patience = 3600; /* for an answer about all of the data */

struct start {
  struct comparison *comparison;
  struct variant *variant;
};

/* Runs in the child. */
static int run_program(void *context) {
  const struct start *start = context;
  char *message = NULL;
  struct jit_program *program = jit_load(&start->variant->object, 1, true, &message);
  int (*run)(int, char **) = NULL;
  if (program) *(void **)&run = jit_symbol(program, "lamella_program");
  if (!run) {
    fprintf(stderr, "error: %s\n", message ? message : "the program has no main");
    return 1;
  }
  child_report_memory();
  char threads[32], slow[32];
  const struct comparison *comparison = start->comparison;
  snprintf(threads, sizeof threads, "%d", comparison->threads);
  snprintf(slow, sizeof slow, "%.17g", start->variant->slow);
  const char *arguments[] = {start->variant->name,
                             comparison->weights ? "measure" : "steps",
                             "--threads",
                             threads,
                             "--slow",
                             slow,
                             "--weights",
                             comparison->weights,
                             "--work",
                             work_facts[comparison->race->work].name,
                             NULL};
  const int count = comparison->weights ? 10 : 6;
  arguments[count] = NULL;
  return run(count, (char **)arguments);
}

bool variant_start(struct comparison *comparison, struct variant *variant) {
  struct start start = {comparison, variant};
  struct child_work work = {run_program, &start, variant->errors, comparison->threads};
  if (!child_start(&variant->child, &work, patience)) {
    variant_fail(comparison, variant, "did not start");
    return false;
  }
  variant->timing->units = variant->child.units;
  variant->timing->unit = arena_copy(comparison->arena, variant->child.unit, strlen(variant->child.unit));
  return true;
}

void variant_fail(struct comparison *comparison, struct variant *variant, const char *what) {
  child_end(&variant->child);
  if (variant->failure || compare_stopped) return;
  char said[600] = "";
  FILE *file = fopen(variant->errors, "r");
  if (file) {
    size_t length = fread(said, 1, sizeof said - 1, file);
    while (length && said[length - 1] == '\n') length--;
    said[length] = 0;
    fclose(file);
  }
  variant->failure = arena_format(comparison->arena, "%s%s%s", what, *said ? ": " : "", said);
  fprintf(stderr, "lamella compare: %s %s\n", variant->name, variant->failure);
}

const char *variant_ask(struct comparison *comparison, struct variant *variant, const char *command, const char *what) {
  if (variant->failure) return NULL;
  const char *line = child_tell(&variant->child, command) ? child_hear(&variant->child, answer_patience) : NULL;
  if (!line) variant_fail(comparison, variant, what);
  return line;
}

/* Makes a variant take steps. Returns the seconds of the shortest, or a negative number. */
static double take_steps(struct comparison *comparison, struct variant *variant, int count, bool measured, bool first) {
  double least = -1;
  if (variant->failure || !child_tell(&variant->child, arena_format(comparison->arena, "time %d", count))) {
    variant_fail(comparison, variant, "stopped");
    return -1;
  }
  for (int i = 0; i < count; i++) {
    double loss, seconds;
    const char *line = child_hear(&variant->child, patience);
    if (!line || sscanf(line, "%lf %lf", &loss, &seconds) != 2) {
      variant_fail(comparison, variant,
                   variant->child.is_late ? "took more than two minutes for a step" : "stopped within a step");
      return -1;
    }
    if (first && comparison->race->work == WORK_TRAIN) array_push(comparison->arena, &variant->losses, loss);
    if (measured) array_push(comparison->arena, &variant->timing->steps, seconds);
    if (least < 0 || seconds < least) least = seconds;
  }
  return least;
}

static uint64_t next_random(uint64_t *state) {
  uint64_t x = *state += 0x9E3779B97F4A7C15u; /* splitmix64 */
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

static void shuffle(uint64_t *state, int *order, int count) {
  for (int i = 0; i < count; i++) order[i] = i;
  for (int i = count - 1; i > 0; i--) {
    int j = (int)(next_random(state) % (uint64_t)(i + 1)), kept = order[i];
    order[i] = order[j], order[j] = kept;
  }
}

/* Whether a variant that is slow by far takes part in this round: it does now and then, until it has been in enough
   rounds. */
static bool has_part(const struct comparison *comparison, const struct variant *variant) {
  int every = ROUNDS_LEAST / comparison->race->few;
  return variant->timing->parts < comparison->race->few && comparison->race->rounds % (every > 1 ? every : 1) == 0;
}

/* Runs one block of each variant, in random order. */
static void run_round(struct comparison *comparison, uint64_t *state, bool first) {
  int order[VARIANTS_MOST];
  shuffle(state, order, comparison->variants.count);
  for (int i = 0; i < comparison->variants.count && !compare_stopped; i++) {
    struct variant *variant = comparison->variants.items[order[i]];
    if (variant->failure) continue;
    double least = NAN;
    /* A variant that is slow by far gets a shorter block where a whole one would take long. */
    int block = comparison->race->block;
    if (variant->timing->slow_by_far && block * variant->timing->probe > 0.1)
      block = variant->timing->probe < 0.1 ? (int)(0.1 / variant->timing->probe) : 1;
    double begin = seconds_now();
    if (!variant->timing->slow_by_far || has_part(comparison, variant)) {
      least = take_steps(comparison, variant, block, true, first);
      variant->timing->parts++;
    }
    if (variant->timing->slow_by_far) comparison->race->extra_seconds += seconds_now() - begin;
    if (!variant->failure) array_push(comparison->arena, &variant->timing->blocks, least / variant->timing->units);
  }
}

/* The logarithms of how much slower x is than y, for the rounds in which both took part. Where only one is slow by far,
   the two are independent samples instead, of all rounds of each. */
static struct sample log_ratios(struct comparison *comparison, const struct variant *x, const struct variant *y) {
  double *items = arena_new_array(comparison->arena, double, comparison->race->rounds),
         *others = arena_new_array(comparison->arena, double, comparison->race->rounds);
  struct sample sample = {items, x->timing->slow_by_far != y->timing->slow_by_far ? others : NULL, 0, 0};
  for (int i = 0; i < comparison->race->rounds; i++) {
    double own = log(x->timing->blocks.items[i]), other = log(y->timing->blocks.items[i]);
    if (!sample.others) own -= other;
    if (!isnan(own)) items[sample.count++] = own;
    if (sample.others && !isnan(other)) others[sample.other_count++] = other;
  }
  return sample;
}

static bool measured(const struct comparison *comparison, const struct variant *variant) {
  return !variant->failure && variant->timing->blocks.count >= comparison->race->rounds && comparison->race->rounds > 0;
}

static void find_fastest(struct comparison *comparison) {
  double best = INFINITY;
  bool slow = true; /* a variant that is slow by far can be the fastest only when all others failed */
  comparison->race->fastest = -1;
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    if (!measured(comparison, variant) || (variant->timing->slow_by_far && !slow)) continue;
    if (slow && !variant->timing->slow_by_far) slow = false, best = INFINITY;
    double *blocks = arena_new_array(comparison->arena, double, comparison->race->rounds);
    int count = 0;
    for (int j = 0; j < comparison->race->rounds; j++)
      if (!isnan(variant->timing->blocks.items[j])) blocks[count++] = variant->timing->blocks.items[j];
    double middle = median_of(comparison->arena, blocks, count);
    if (middle < best) best = middle, comparison->race->fastest = i;
  }
}

/* Whether more rounds would tell nothing more, since every ratio is known to a quarter of the margin or to a hundredth
   of itself. Only the width of intervals counts and not where they lie, so that no answer is favoured. */
static bool narrow_enough(struct comparison *comparison) {
  find_fastest(comparison);
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    if (!measured(comparison, variant) || i == comparison->race->fastest) continue;
    if (variant->timing->slow_by_far && variant->timing->parts < comparison->race->few) return false;
    if (variant->timing->slow_by_far) continue;
    struct interval interval = shift_interval(
        log_ratios(comparison, variant, comparison->variants.items[comparison->race->fastest]), 1 - comparison->level);
    double width = interval.high - interval.low;
    if (width > comparison->margin / 2 && width > 0.02 * fabs(interval.middle)) return false;
  }
  return true;
}

/* Keeps the median of a process's steps; called before the process ends. */
static void keep_median(struct comparison *comparison, struct variant *variant) {
  if (variant->failure || !variant->timing->steps.count) return;
  array_push(comparison->arena, &variant->timing->medians,
             log(median_of(comparison->arena, variant->timing->steps.items, variant->timing->steps.count)));
}

static void measure_memory(struct variant *variant) {
  double bytes = variant->failure ? 0 : child_memory(&variant->child);
  if (bytes > variant->timing->memory) variant->timing->memory = bytes;
}

/* Warms a process that has just started. Even a slow program takes one step, since the one for its accuracy was
   cold. */
static void warm(struct comparison *comparison, struct variant *variant, bool first) {
  const double enough = 0.3;
  double begin = seconds_now();
  for (int step = 0; step < 6 && seconds_now() - begin < enough && !variant->failure; step++) {
    double seconds = take_steps(comparison, variant, 1, false, first);
    if (step == 0 || seconds < variant->timing->probe) variant->timing->probe = seconds;
  }
}

/* Starts new processes and warms them. A variant that is slow by far keeps its process, since where memory lies is not
   what makes it slow. */
static void start_processes(struct comparison *comparison, int process) {
  for (int i = 0; i < comparison->variants.count && !compare_stopped; i++) {
    struct variant *variant = comparison->variants.items[i];
    if (variant->failure || (process > 0 && variant->timing->slow_by_far)) continue;
    if (process > 0) {
      measure_memory(variant);
      keep_median(comparison, variant);
      variant->timing->steps.count = 0;
      child_end(&variant->child);
    }
    if (!variant->child.pid && !variant_start(comparison, variant)) continue;
    warm(comparison, variant, process == 0);
  }
}

static int pairs_of(const struct comparison *comparison) {
  return comparison->variants.count * (comparison->variants.count - 1) / 2;
}

/* Chooses blocks long enough that a clock and a pipe do not matter, and enough rounds for the test. Variants that are
   slow by far need only few rounds to be told so, and the time of these is not counted. */
static void choose_rounds(struct comparison *comparison, double budget) {
  double least = INFINITY, all = 0;
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    if (!variant->failure && variant->timing->probe / variant->timing->units < least)
      least = variant->timing->probe / variant->timing->units;
  }
  for (int i = 0; i < comparison->variants.count; i++) {
    struct variant *variant = comparison->variants.items[i];
    if (variant->failure) continue;
    variant->timing->slow_by_far = variant->timing->probe / variant->timing->units > 5 * least;
    if (!variant->timing->slow_by_far) all += variant->timing->probe;
  }
  double rounds = budget / (4 * all);
  rounds = rounds < ROUNDS_LEAST ? ROUNDS_LEAST : rounds > ROUNDS_MOST ? ROUNDS_MOST : rounds;
  double block = budget / rounds / all;
  if (block > 8 && block * all > 0.1) block = 0.1 / all > 8 ? 0.1 / all : 8;
  comparison->race->block = block < 1 ? 1 : block > BLOCK_MOST ? BLOCK_MOST : (int)block;
  comparison->race->few = small_sample(rounds < 2 * ROUNDS_LEAST ? ROUNDS_LEAST : 2 * ROUNDS_LEAST,
                                       comparison->level / pairs_of(comparison));
}

/* Times kernels, in steps apart from those that are compared. */
static void measure_kernels(struct comparison *comparison, struct variant *variant) {
  struct arena *arena = comparison->arena;
  int steps = variant->timing->probe > 0 && variant->timing->probe < 0.1 ? (int)(0.3 / variant->timing->probe) + 3
              : variant->timing->probe < 1                               ? 3
                                                                         : 1,
      count = 0, calls, name, where;
  if (variant->failure) return;
  if (steps > KERNEL_STEPS_MOST) steps = KERNEL_STEPS_MOST;
  bool told = child_tell(&variant->child, arena_format(arena, "kernels %d", steps));
  const char *line = NULL;
  for (int i = 0; told && i <= steps; i++) line = child_hear(&variant->child, patience);
  if (!line || sscanf(line, "kernels %d", &count) != 1) {
    variant_fail(comparison, variant, "stopped while kernels were timed");
    return;
  }
  for (int i = 0; i < count; i++) {
    double seconds;
    line = child_hear(&variant->child, patience);
    if (!line || sscanf(line, "%d %lf %n%*s%n", &calls, &seconds, &name, &where) != 2) {
      variant_fail(comparison, variant, "stopped while kernels were timed");
      return;
    }
    if (!calls) continue;
    struct kernel_time kernel = {arena_copy(arena, line + name, (size_t)(where - name)),
                                 arena_copy(arena, line + where, strlen(line + where)), seconds / steps,
                                 (double)calls / steps};
    kernel.where += *kernel.where == ' ';
    array_push(arena, &variant->timing->kernels, kernel);
  }
}

/* Takes the steps that are still missing before the loss is asked for. Only the first process can do so, since it has
   taken all steps from the first on. */
static void finish_losses(struct comparison *comparison) {
  for (int i = 0; i < comparison->variants.count && !compare_stopped; i++) {
    struct variant *variant = comparison->variants.items[i];
    double begin = seconds_now();
    if (!variant->failure && variant->losses.count < comparison->loss_steps)
      take_steps(comparison, variant, comparison->loss_steps - variant->losses.count, false, true);
    comparison->race->extra_seconds += seconds_now() - begin;
  }
}

/* The part of the budget that was spent since `begin`. */
static double spent(const struct comparison *comparison, double begin) {
  return seconds_now() - begin - comparison->race->extra_seconds;
}

static bool time_is_over(struct comparison *comparison) {
  if (comparison->race->rounds < ROUNDS_FEWEST || seconds_now() < comparison->until) return false;
  return comparison->race->cut_short = true;
}

static void run_race(struct comparison *comparison, double budget, uint64_t *state) {
  double begin = seconds_now();
  start_processes(comparison, 0);
  double starting = comparison->race->starting + seconds_now() - begin;
  choose_rounds(comparison, budget);
  comparison->race->processes = starting * PROCESSES > budget / 2 ? 1 : PROCESSES;
  for (int process = 0; process < comparison->race->processes && !compare_stopped && !comparison->race->cut_short;
       process++) {
    if (process > 0) start_processes(comparison, process);
    double until = budget * (process + 1) / comparison->race->processes;
    int least = (ROUNDS_LEAST * (process + 1) + comparison->race->processes - 1) / comparison->race->processes,
        most = ROUNDS_MOST * (process + 1) / comparison->race->processes;
    /* On a machine that is busy with other things, the last process may take up to twice the time for a decent number
       of rounds. */
    bool last = process == comparison->race->processes - 1;
    while (!compare_stopped && comparison->race->rounds < most && !time_is_over(comparison) &&
           (comparison->race->rounds < least || spent(comparison, begin) < until ||
            (last && comparison->race->rounds < 2 * ROUNDS_LEAST && spent(comparison, begin) < 2 * budget))) {
      run_round(comparison, state, process == 0);
      if (!compare_stopped) comparison->race->rounds++;
      if (last && comparison->race->rounds >= 2 * ROUNDS_LEAST && narrow_enough(comparison)) break;
    }
    if (process == 0) finish_losses(comparison);
  }
  for (int i = 0; i < comparison->variants.count; i++) {
    measure_memory(comparison->variants.items[i]);
    keep_median(comparison, comparison->variants.items[i]);
    if ((comparison->options->json || comparison->options->page) && !compare_stopped)
      measure_kernels(comparison, comparison->variants.items[i]);
    child_end(&comparison->variants.items[i]->child);
  }
}

void enter_race(struct comparison *comparison, int i) {
  comparison->race = &comparison->races[i];
  for (int k = 0; k < comparison->variants.count; k++)
    comparison->variants.items[k]->timing = &comparison->variants.items[k]->timings[i];
}

void measure_variants(struct comparison *comparison, double budget) {
  uint64_t state = comparison->seed;
  for (int i = 0; i < comparison->race_count && !compare_stopped; i++) {
    enter_race(comparison, i);
    run_race(comparison, budget / comparison->race_count, &state);
  }
}

bool variants_differ(struct comparison *comparison, const struct variant *x, const struct variant *y) {
  return difference_probability(log_ratios(comparison, x, y), comparison->margin) <= comparison->level;
}

/* Every pair is tested, as it is only known afterwards which variant is the fastest. */
static void conclude_race(struct comparison *comparison) {
  struct arena *arena = comparison->arena;
  int count = comparison->variants.count, pairs = 0;
  find_fastest(comparison);
  if (comparison->race->fastest < 0) return;
  const struct variant *fastest = comparison->variants.items[comparison->race->fastest];
  double *probabilities = arena_new_array(arena, double, count *count);
  int *of_fastest = arena_new_array(arena, int, count);
  for (int i = 0; i < count; i++) {
    struct variant *variant = comparison->variants.items[i];
    of_fastest[i] = -1;
    if (!measured(comparison, variant)) continue;
    struct interval step = mean_interval(variant->timing->medians.items, variant->timing->medians.count);
    variant->timing->step = (struct interval){exp(step.low), exp(step.middle), exp(step.high)};
    if (variant->timing->medians.count == 1)
      variant->timing->step = median_interval(arena, variant->timing->steps.items, variant->timing->steps.count, 0.95);
    variant->timing->ratio = (struct interval){1, 1, 1};
    variant->timing->probability = 1;
    if (variant != fastest) {
      struct interval shift = shift_interval(log_ratios(comparison, variant, fastest), 1 - comparison->level);
      variant->timing->ratio = (struct interval){exp(shift.low), exp(shift.middle), exp(shift.high)};
    }
    for (int j = 0; j < i; j++) {
      const struct variant *other = comparison->variants.items[j];
      if (!measured(comparison, other)) continue;
      if (other == fastest || variant == fastest) of_fastest[variant == fastest ? j : i] = pairs;
      probabilities[pairs++] = difference_probability(log_ratios(comparison, variant, other), comparison->margin);
    }
  }
  holm_correct(arena, probabilities, pairs);
  for (int i = 0; i < count; i++) {
    if (of_fastest[i] < 0) continue;
    comparison->variants.items[i]->timing->probability = probabilities[of_fastest[i]];
    comparison->variants.items[i]->timing->differs = probabilities[of_fastest[i]] <= comparison->level;
  }
}

void conclude(struct comparison *comparison) {
  for (int i = 0; i < comparison->race_count; i++) {
    enter_race(comparison, i);
    conclude_race(comparison);
  }
}
