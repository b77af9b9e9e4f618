/* lamella compare SPEC: measures the same training steps as compiled by several pipelines, targets, -O levels and
   settings; or the loss of trained weights, and the time of predictions with them. This file has the way from the options
   to the reports; compare.h lists the others. */
#include "driver/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/runtime.h"

void compare_say(const struct comparison *comparison, const char *what, const char *whom) {
  const bool on_terminal = isatty(STDERR_FILENO);
  if (on_terminal) fputs("\r\033[K", stderr);
  if (!what) return;
  if (on_terminal)
    fprintf(stderr, "%s %s", what, whom);
  else if (comparison->options->verbose)
    fprintf(stderr, "%s %s\n", what, whom);
  fflush(stderr);
}

static bool prepare(struct comparison *comparison) {
  for (int i = 0; i < comparison->variants.count; i++) {
    struct variant *variant = comparison->variants.items[i];
    if (!can_run_target(comparison->options, variant->options.passes.target)) return false;
    variant->errors = arena_format(comparison->arena, "%s/errors%d", comparison->folder, i);
  }
  compare_say(comparison, "compiling", "");
  if (!compile_variants(comparison)) return false;
  comparison->options->passes.times = NULL; /* each variant had a table of its own */
  enter_race(comparison, 0);
  for (int i = 0; i < comparison->oracles.count && !compare_stopped; i++) {
    compare_say(comparison, "checking by", "the definition");
    oracle_run(comparison, &comparison->oracles.items[i]);
  }
  int good = 0;
  for (int i = 0; i < comparison->variants.count && !compare_stopped; i++) {
    struct variant *variant = comparison->variants.items[i];
    compare_say(comparison, "starting", variant->name);
    double begin = seconds_now();
    if (variant_start(comparison, variant)) {
      comparison->race->starting += seconds_now() - begin;
      if (comparison->weights)
        quality_measure(comparison, variant);
      else
        accuracy_measure(comparison, variant);
    }
    good += !variant->failure;
    if (comparison->weights && i == 0 && !good) return false; /* the others would be compared with it */
  }
  return good > 0;
}

static void remove_folder(const struct comparison *comparison) {
  static const char *const names[] = {"outputs.safetensors", "state.safetensors", "first.safetensors"};
  for (int i = 0; i < comparison->variants.count; i++)
    unlink(arena_format(comparison->arena, "%s/errors%d", comparison->folder, i));
  for (int i = -1; i < comparison->oracles.count; i++) {
    const char *folder = i < 0 ? comparison->folder : comparison->oracles.items[i].folder;
    for (int j = 0; j < 3; j++) unlink(arena_format(comparison->arena, "%s/%s", folder, names[j]));
    unlink(arena_format(comparison->arena, "%s/errors", folder));
    if (i >= 0) rmdir(folder);
  }
  rmdir(comparison->folder);
}

static int number_option(struct comparison *comparison, char letter, const char *name, bool whole, double least,
                         double most, double *number) {
  struct choices choices = choices_of(comparison, letter);
  if (!choices.items.count) return -1;
  const char *text = choices.items.items[choices.items.count - 1];
  char *end;
  *number = strtod(text, &end);
  if (*text && !*end && *number >= least && *number <= most && (!whole || *number == floor(*number))) return -1;
  fprintf(stderr, "lamella compare: --%s takes a %snumber from %.10g to %.10g, not '%s'\n", name, whole ? "whole " : "",
          least, most, printable(comparison->arena, text));
  return EXIT_USAGE;
}

int verb_compare(struct options *options) {
  struct comparison own = {.arena = options->arena, .options = options, .margin = 0.01, .level = 0.01},
                    *comparison = &own;
  double threads = processors_allowed(), budget = 20, loss_steps = 0, seed = (double)(time(NULL) % 1000000);
  int code = number_option(comparison, 'N', "threads", true, 1, processors_allowed(), &threads);
  if (code < 0) code = number_option(comparison, 'B', "time", false, 0.1, 86400, &budget);
  if (code < 0) code = number_option(comparison, 'K', "steps", true, 1, 1e9, &loss_steps);
  if (code < 0) code = number_option(comparison, 'R', "seed", true, 0, 4294967295.0, &seed);
  if (code < 0) code = choose_works(comparison);
  if (code < 0) code = choose_variants(comparison);
  if (code < 0) code = slow_down(comparison);
  if (code >= 0) return code;
  comparison->threads = (int)threads;
  comparison->loss_steps = (int)loss_steps;
  comparison->seed = (uint64_t)seed;
  if (comparison->by_layer && !choices_of(comparison, 'B').items.count) budget = 60; /* it makes many evaluations */
  /* Outputs are checked before minutes are spent. */
  if (options->json && strcmp(options->json, "-") && !lam_is_writable(options->json)) return EXIT_WRONG_INPUT;
  if (options->page && !lam_is_writable(options->page)) return EXIT_WRONG_INPUT;
  char *message = NULL;
  if (!jit_can_compile(&message) || !jit_can_load(&message)) {
    fprintf(stderr, "lamella compare: programs cannot be compiled in memory here: %s\n", message);
    free(message);
    return EXIT_WRONG_INPUT;
  }
  tell_spec_folder(options);
  const char *folder = temporary_folder(options);
  if (!folder) return EXIT_WRONG_INPUT;
  comparison->folder = folder;
  compare_catch_signals();
  double begin = seconds_now();
  /* The user's time is for the rounds. Compiling, checking and starting get half of it more, and 30 s, as they take for
     a small model. */
  comparison->until = begin + 1.5 * budget + 30;
  comparison->check_patience = budget / 4 > 20 ? budget / 4 : 20;
  if (!comparison->weights) assign_oracles(comparison);
  code = EXIT_WRONG_INPUT;
  if (comparison->by_layer) {
    code = compare_layers(comparison, budget);
  } else if (prepare(comparison)) {
    compare_say(comparison, "measuring", "");
    measure_variants(comparison, budget);
    comparison->seconds = seconds_now() - begin;
    conclude(comparison);
    choose_by_loss(comparison);
    compare_say(comparison, NULL, NULL);
    if (!compare_stopped) {
      report_table(options->json && !strcmp(options->json, "-") ? stderr : stdout, comparison);
      const bool written = write_reports(comparison, report_json(comparison));
      code = written && comparison->races[0].fastest >= 0 ? EXIT_DONE : EXIT_WRONG_INPUT;
    }
    for (int i = 0; i < comparison->variants.count; i++)
      if (comparison->variants.items[i]->failure) code = EXIT_WRONG_INPUT;
  }
  for (int i = 0; i < comparison->variants.count; i++) {
    child_end(&comparison->variants.items[i]->child);
    jit_object_free(&comparison->variants.items[i]->object);
  }
  remove_folder(comparison);
  return compare_stopped ? 128 + compare_stopped : code;
}
