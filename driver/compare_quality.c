/* The loss of trained weights by each variant, which tells what quantising costs, beside the time that it saves. Evaluation gives the
   same number each time, so it is done once; the outputs for the first examples are compared with those of the first variant. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/compare.h"
#include "runtime/runtime.h"

const struct work_facts work_facts[WORK_COUNT] = {
    [WORK_TRAIN] = {"train", "train", ROUTINE_train, "step", "steps"},
    [WORK_EVALUATE] = {"eval", "evaluate", ROUTINE_evaluate, "batch", "batches"},
    [WORK_PREDICT] = {"predict", "predict", ROUTINE_predict, "batch", "batches"},
    [WORK_GENERATE] = {"generate", "generate", ROUTINE_step, "token", "tokens"},
};

static void add_race(struct comparison *comparison, enum work work) {
  for (int i = 0; i < comparison->race_count; i++)
    if (comparison->races[i].work == work) return;
  comparison->races[comparison->race_count++] = (struct race){.work = work, .fastest = -1};
}

static int unknown_verb(struct comparison *comparison, const char *text) {
  const char *names[WORK_COUNT];
  for (int i = 0; i < WORK_COUNT; i++) names[i] = work_facts[i].verb;
  const char *closest = closest_name(text, names, WORK_COUNT);
  fprintf(stderr, "lamella compare: --verb takes train, eval, predict or generate, not '%s'%s%s%s\n",
          printable(comparison->arena, text), closest ? "; did you mean '" : "", closest ? closest : "",
          closest ? "'?" : "");
  return EXIT_USAGE;
}

/* "+0.01" or "+1%" */
static int read_limit(struct comparison *comparison, const char *text) {
  char *end;
  comparison->limit = text;
  comparison->limit_number = strtod(text, &end);
  comparison->limit_is_relative = *end == '%';
  if (comparison->limit_is_relative) comparison->limit_number /= 100, end++;
  if (end != text && !*end && comparison->limit_number >= 0 && isfinite(comparison->limit_number)) return -1;
  fprintf(stderr,
          "lamella compare: --max-loss takes how much a loss may be above another, such as +0.01 or +1%%, not '%s'\n",
          printable(comparison->arena, text));
  return EXIT_USAGE;
}

static int refuse_training(const char *option) {
  fprintf(stderr,
          "lamella compare: %s is about trained weights, and training has none; leave it out, or compare by "
          "--verb=eval, predict or "
          "generate\n",
          option);
  return EXIT_USAGE;
}

/* The weights are checked before minutes are spent. Where they are needed in the end, the programs say what does not fit. */
static int find_weights(struct comparison *comparison, const struct program *program) {
  const char *given = comparison->options->weights;
  comparison->weights = given ? given : arena_format(comparison->arena, "%s.safetensors", program->name);
  if (!given && access(comparison->weights, R_OK) != 0) {
    fprintf(stderr,
            "lamella compare: there are no weights %s: %s; train first (lamella run %s train), or name a file by "
            "--weights=FILE\n",
            comparison->weights, strerror(errno), spec_title(comparison->options));
    return EXIT_WRONG_INPUT;
  }
  struct lam_weights *weights = lam_weights_open(comparison->weights, lam_join_parts);
  lam_weights_close(weights);
  return weights ? -1 : EXIT_WRONG_INPUT;
}

/* The usual works are those by which a model is used. */
static int choose_usual(struct comparison *comparison, const struct program *program) {
  const bool generates = program->step && program->generation, predicts = program->predict;
  const bool chosen = comparison->race_count > 0;
  if (!chosen && generates) add_race(comparison, WORK_GENERATE);
  if (!chosen && predicts) add_race(comparison, WORK_PREDICT);
  if (!comparison->race_count) add_race(comparison, WORK_EVALUATE);
  for (int i = 0; i < comparison->race_count; i++) {
    const enum work work = comparison->races[i].work;
    if ((work != WORK_GENERATE || generates) && (work != WORK_PREDICT || predicts)) continue;
    fprintf(stderr, "lamella compare: %s has no routine for --verb=%s%s\n", spec_title(comparison->options),
            work_facts[work].verb, work == WORK_GENERATE ? ": it needs a generate block" : "");
    return EXIT_WRONG_INPUT;
  }
  return -1;
}

int choose_works(struct comparison *comparison) {
  const struct options *options = comparison->options;
  struct choices verbs = choices_of(comparison, 'r'), limits = choices_of(comparison, 'l');
  comparison->chosen = -1;
  comparison->by_layer = choices_of(comparison, 'Y').items.count > 0;
  int code = limits.items.count ? read_limit(comparison, limits.items.items[limits.items.count - 1]) : -1;
  for (int i = 0; i < verbs.items.count && code < 0; i++) {
    int work = 0;
    while (work < WORK_COUNT && strcmp(verbs.items.items[i], work_facts[work].verb) != 0) work++;
    if (work == WORK_COUNT)
      code = unknown_verb(comparison, verbs.items.items[i]);
    else
      add_race(comparison, (enum work)work);
  }
  if (code >= 0) return code;
  const char *option = options->weights       ? "--weights"
                       : comparison->limit    ? "--max-loss"
                       : comparison->by_layer ? "--per-layer"
                                              : NULL;
  bool trains = !verbs.items.count && !option;
  for (int i = 0; i < comparison->race_count; i++) trains |= comparison->races[i].work == WORK_TRAIN;
  if (trains && option) return refuse_training(option);
  if (trains && comparison->race_count > 1) return refuse_training("another --verb beside train");
  if (trains && !comparison->race_count) add_race(comparison, WORK_TRAIN);
  if (trains) return -1;
  if (comparison->by_layer) comparison->race_count = 0, add_race(comparison, WORK_EVALUATE);
  if (choices_of(comparison, 'K').items.count) {
    fprintf(stderr, "lamella compare: --steps is about the loss of training, and these variants do not train\n");
    return EXIT_USAGE;
  }
  struct diagnostics *diagnostics = diagnostics_new(comparison->arena);
  /* The pipelines of the command line are of variants, and may have names in front. */
  struct options plain = *comparison->options;
  plain.passes.pipeline = NULL;
  struct program *program = read_program(&plain, comparison->arena, diagnostics);
  if (!program) {
    diagnostics_print(diagnostics, stderr);
    return EXIT_WRONG_INPUT;
  }
  if (!program->evaluate || !program->data) {
    fprintf(stderr, "lamella compare: %s has no loss: it needs a train block and data\n",
            spec_title(comparison->options));
    return EXIT_WRONG_INPUT;
  }
  comparison->is_validation = program->data->split < 1;
  code = choose_usual(comparison, program);
  return code < 0 ? find_weights(comparison, program) : code;
}

void keep_works(const struct comparison *comparison, struct program *program) {
  bool predicts = false, generates = false;
  if (!comparison->weights) { /* only training is compared */
    program->evaluate = program->step = program->prepare = NULL;
    program->generation = NULL;
    return;
  }
  for (int i = 0; i < comparison->race_count; i++) {
    predicts |= comparison->races[i].work == WORK_PREDICT;
    generates |= comparison->races[i].work == WORK_GENERATE;
  }
  keep_untrained(program, predicts, generates);
}

bool evaluate_variant(struct comparison *comparison, struct variant *variant, int64_t batches,
                      struct evaluation *evaluation) {
  const char *command = arena_format(comparison->arena, "evaluate %lld", (long long)batches);
  const char *line = variant_ask(comparison, variant, command, "could not be evaluated");
  long long examples, count;
  *evaluation = (struct evaluation){.loss = NAN};
  bool good = line && sscanf(line, "%lf %lld %lld", &evaluation->loss, &examples, &count) == 3;
  if (good) {
    evaluation->examples = examples;
    evaluation->count = (int)count;
    evaluation->sums = arena_alloc(comparison->arena, sizeof *evaluation->sums * (size_t)(count + 1));
  }
  for (int i = 0; good && i < evaluation->count; i++) {
    double *sums = evaluation->sums[i];
    line = child_hear(&variant->child, 120);
    good = line && sscanf(line, "%lf %lf", &sums[0], &sums[1]) == 2;
  }
  if (!good) variant_fail(comparison, variant, "gave no loss");
  return good;
}

/* Of the ratio of two sums over batches (Cochran, Sampling Techniques, 1977, 6.4): each batch differs from what the whole says of it. */
double difference_error(const struct evaluation *x, const struct evaluation *y) {
  double weights = 0, squares = 0;
  if (x->count < 4 || x->count != y->count) return NAN;
  for (int i = 0; i < x->count; i++) {
    if (x->sums[i][1] != y->sums[i][1]) return NAN;
    weights += x->sums[i][1];
  }
  for (int i = 0; i < x->count; i++) {
    const double off = x->sums[i][0] - y->sums[i][0] - (x->loss - y->loss) * x->sums[i][1];
    squares += off * off;
  }
  return sqrt(squares * x->count / (x->count - 1.0)) / fabs(weights);
}

void quality_measure(struct comparison *comparison, struct variant *variant) {
  struct arena *arena = comparison->arena;
  const struct variant *first = comparison->variants.items[0];
  if (!evaluate_variant(comparison, variant, 0, &variant->evaluation)) return;
  const char *expected = arena_format(arena, "%s/first.safetensors", comparison->folder);
  const char *own = variant == first ? expected : arena_format(arena, "%s/outputs.safetensors", comparison->folder);
  const char *line =
      variant_ask(comparison, variant, arena_format(arena, "outputs %s", own), "did not write its outputs");
  if (!line || strcmp(line, "done") != 0 || variant == first || first->failure) return;
  /* Variants of other settings may have other outputs, which cannot be compared. */
  if (access(expected, R_OK) == 0) accuracy_of_outputs(comparison, expected, own, &variant->accuracy);
}

double loss_limit(const struct comparison *comparison, double from) {
  return from + comparison->limit_number * (comparison->limit_is_relative ? fabs(from) : 1);
}

void choose_by_loss(struct comparison *comparison) {
  const struct variant *first = comparison->variants.items[0];
  if (!comparison->limit || first->failure || !isfinite(first->evaluation.loss)) return;
  enter_race(comparison, 0);
  const double limit = loss_limit(comparison, first->evaluation.loss);
  double best = INFINITY;
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    const double time = variant->timing->step.middle / variant->timing->units;
    if (variant->failure || !(variant->evaluation.loss <= limit) || !(variant->timing->step.middle > 0) || time >= best)
      continue;
    best = time;
    comparison->chosen = i;
  }
}
