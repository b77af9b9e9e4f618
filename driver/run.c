/* lamella run SPEC VERB ...: runs a program's own verbs, compiled in memory. */
#include <stdlib.h>
#include <string.h>

#include "driver/spec_code.h"
#include "ir/environment.h"

/* Takes --watch also from among the program's own options. */
static void take_watch(struct options *options) {
  int kept = 0;
  for (int i = 0; i < options->rest_count; i++) {
    if (!strcmp(options->rest[i], "--watch"))
      options->watch = true;
    else
      options->rest[kept++] = options->rest[i];
  }
  options->rest_count = kept;
}

/* With -v, tells how long it took to compile or find the program. */
static void say_ready(const struct options *options, double begin) {
  if (options->verbose) fprintf(stderr, "%s begins after %.3f s\n", spec_title(options), seconds_now() - begin);
}

int verb_run(struct options *options) {
  double begin = seconds_now();
  take_watch(options);
  if (!can_run_target(options, options->passes.target)) return EXIT_WRONG_INPUT;
  /* OpenMP's workers wait only briefly between kernels. A built program has to start itself again to set this. */
  if (!environment("OMP_WAIT_POLICY")) setenv("KMP_BLOCKTIME", "100us", 0);
  tell_spec_folder(options);
  options->only_verb = options->rest_count > 0 ? options->rest[0] : NULL;
  for (int i = 0; i < options->rest_count; i++)
    if ((!i && !strcmp(options->rest[i], "bench")) || !strncmp(options->rest[i], "--trace", strlen("--trace")))
      options->emission.bench = true;
  if (options->watch) {
    if (!options->only_verb || strcmp(options->only_verb, "train")) {
      fprintf(stderr, "lamella run: --watch goes with the verb train\n");
      return EXIT_USAGE;
    }
    if (is_stdin(options)) {
      fprintf(stderr, "lamella run: --watch follows the edits of a file, and the standard input is none\n");
      return EXIT_USAGE;
    }
    options->emission.handover = true;
    int code = watch_training(options);
    options->passes.times = NULL; /* each version had a table of its own */
    return code;
  }
  struct spec_code code;
  if (!spec_code_load(options, &code)) return EXIT_WRONG_INPUT;
  print_times(options, NULL); /* before the program's own output */
  say_ready(options, begin);
  name_code(options);
  char **arguments = arena_new_array(options->arena, char *, options->rest_count + 2);
  arguments[0] = arena_format(options->arena, "lamella run %s", options->spec);
  for (int i = 0; i < options->rest_count; i++) arguments[i + 1] = options->rest[i];
  const int status = code.main(options->rest_count + 1, arguments);
  return tell_misplaced_option(options, status); /* the code stays loaded: exit may still call it */
}
