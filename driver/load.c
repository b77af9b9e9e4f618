#include "driver/driver.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static bool refuse(struct options *options, const struct diagnostics *diagnostics) {
  diagnostics_print(diagnostics, stderr);
  options->refused = true;
  return false;
}

bool is_stdin(const struct options *options) { return !strcmp(options->spec, "-"); }

const char *spec_title(const struct options *options) {
  return is_stdin(options) ? SPEC_OF_STDIN : printable(options->arena, options->spec);
}

const struct source *read_spec(const struct options *options, struct arena *arena) {
  static const struct source *of_stdin;
  if (!is_stdin(options)) return source_read(arena, options->spec);
  if (of_stdin) return of_stdin;
  of_stdin = source_read_stream(arena_new(), stdin, SPEC_OF_STDIN); /* its arena lasts until the command ends */
  int error = errno;
  clearerr(stdin); /* a process that runs a program may have another stdin, which must not look ended */
  errno = error;
  return of_stdin;
}

struct program *read_program(struct options *options, struct arena *arena, struct diagnostics *diagnostics) {
  times_enter(options->passes.times, "frontend");
  options->frontend.files = &options->files; /* here, since options are copied */
  const struct source *source = read_spec(options, arena);
  struct program *program = source ? lower_source(arena, source, &options->frontend, diagnostics) : NULL;
  if (!source)
    report_error(diagnostics, (struct span){0}, "%s cannot be read: %s", spec_title(options), strerror(errno));
  times_leave(options->passes.times);
  return program;
}

struct program *load_program(struct options *options, struct diagnostics *diagnostics) {
  struct program *program = read_program(options, options->arena, diagnostics);
  if (program && !keep_only(program, options, diagnostics)) program = NULL;
  if (program) keep_for_verb(program, options->only_verb);
  if (program && !run_graph_passes(program, &options->passes, diagnostics)) program = NULL;
  if (program && !diagnostics->error_count) return program;
  refuse(options, diagnostics);
  return NULL;
}

bool compile_program(struct options *options, struct program **program, struct emitted *emitted) {
  struct diagnostics *diagnostics = diagnostics_new(options->arena);
  options->passes.loops_follow = true;
  options->passes.fixed_parameters = options->weights != NULL;
  *program = load_program(options, diagnostics);
  if (!*program) return false;
  if (options->verbose)
    fprintf(stderr, "%s: %s\n", options->passes.target->name, target_tile_text(options->arena, options->passes.target));
  if (!bake_weights(options, *program)) return false;
  struct module *module = run_schedules(*program, &options->passes, diagnostics);
  if (!module || diagnostics->error_count) return refuse(options, diagnostics);
  *emitted = emit_c(options->arena, *program, module, options->passes.target, &options->emission);
  add_way_to_spec(options, *program, emitted);
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
