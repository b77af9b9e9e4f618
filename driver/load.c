#include "driver/driver.h"

#include <string.h>
#include <time.h>

/* Drops the graphs that a verb of the program does not use. A program without that verb stays whole, and reports the
   error itself. */
static void keep_for_verb(struct program *program, const char *verb) {
  static const struct {
    const char *verb;
    enum routine_number routine;
    unsigned others; /* a set of 1 << enum routine_number */
  } rows[] = {
      {"train", ROUTINE_train, 1u << ROUTINE_accumulate | 1u << ROUTINE_evaluate | 1u << ROUTINE_synthesize},
      {"eval", ROUTINE_evaluate, 1u << ROUTINE_synthesize},
      {"generate", ROUTINE_step, 1u << ROUTINE_prepare},
      {"predict", ROUTINE_predict, 1u << ROUTINE_synthesize},
  };
  for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
    if (!verb || strcmp(verb, rows[row].verb) != 0 || !*program_graph(program, rows[row].routine)) continue;
    const unsigned kept = rows[row].others | 1u << rows[row].routine;
    for (int i = 0; i < ROUTINE_COUNT; i++)
      if (!(kept >> i & 1)) *program_graph(program, i) = NULL;
  }
}

static bool refuse(struct options *options, const struct diagnostics *diagnostics) {
  diagnostics_print(diagnostics, stderr);
  options->refused = true;
  return false;
}

struct program *read_program(struct options *options, struct arena *arena, struct diagnostics *diagnostics) {
  times_enter(options->passes.times, "frontend");
  options->frontend.files = &options->files; /* set here, since options are copied */
  struct program *program = lower_spec(arena, options->spec, &options->frontend, diagnostics);
  times_leave(options->passes.times);
  return program;
}

struct program *load_program(struct options *options, struct diagnostics *diagnostics) {
  struct program *program = read_program(options, options->arena, diagnostics);
  if (program) keep_for_verb(program, options->only_verb);
  if (program && !run_graph_passes(program, &options->passes, diagnostics)) program = NULL;
  if (program && !diagnostics->error_count) return program;
  refuse(options, diagnostics);
  return NULL;
}

bool compile_program(struct options *options, struct program **program, struct emitted *emitted) {
  struct diagnostics *diagnostics = diagnostics_new(options->arena);
  options->passes.loops_follow = true;
  *program = load_program(options, diagnostics);
  if (!*program) return false;
  if (options->verbose)
    fprintf(stderr, "%s: %s\n", options->passes.target->name, target_tile_text(options->arena, options->passes.target));
  struct module *module = run_schedules(*program, &options->passes, diagnostics);
  if (!module || diagnostics->error_count) return refuse(options, diagnostics);
  *emitted = emit_c(options->arena, *program, module, options->passes.target, &options->emission);
  return true;
}

void print_times(struct options *options, const char *heading) {
  if (options->passes.times && heading) fprintf(stderr, "%s:\n", heading);
  times_print(stderr, options->passes.times);
  options->passes.times = options->emission.times = NULL;
}

double seconds_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}
