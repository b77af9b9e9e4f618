/* The program's command line. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>

/* Between kernels, OpenMP's workers wait in a loop before they sleep, by default so long that a busy machine comes to a halt. How
   long is read before main begins, so a program that was told nothing says a short time and starts itself again. */
static void lam_wait_briefly(char **argv) {
  if (getenv("GOMP_SPINCOUNT") || getenv("KMP_BLOCKTIME") || getenv("OMP_WAIT_POLICY")) return;
  setenv("GOMP_SPINCOUNT", "2000", 0); /* gcc's: turns of the loop */
  setenv("KMP_BLOCKTIME", "0", 0);     /* clang's: milliseconds */
  execv("/proc/self/exe", argv);       /* where that is not to be had, the program goes on as it is */
}
#endif

static void lam_usage(FILE *file, const struct lam_program *program, const char *name) {
  fprintf(file, "%s: model %s of %s\n\nusage: %s VERB [OPTIONS]\n\n", name, program->model, program->name, name);
  for (const struct lam_verb *const *verb = program->verbs; *verb; verb++)
    fprintf(file, "  %-10s %s\n", (*verb)->name, (*verb)->summary);
  fprintf(file, "\n%s VERB --help lists the options of a verb; %s --version says what made this program.\n", name,
          name);
}

static void lam_verb_help(const struct lam_verb *verb, const char *name) {
  printf("usage: %s %s [OPTIONS]\n%s\n\n", name, verb->name, verb->summary);
  for (const struct lam_option *const *list =
           (const struct lam_option *const[]){verb->options, lam_common_options, NULL};
       *list; list++)
    for (const struct lam_option *option = *list; option->name; option++) {
      char left[64];
      snprintf(left, sizeof left, "--%s%s%s", option->name, option->argument ? " " : "",
               option->argument ? option->argument : "");
      printf("  %-22s %s\n", left, option->help);
    }
}

int lam_main(struct lam_program *program, int argc, char **argv) {
#ifdef _OPENMP
  lam_wait_briefly(argv);
#endif
  const char *name = argc > 0 ? argv[0] : program->name, *word = argc > 1 ? argv[1] : NULL;
  if (!word) {
    lam_usage(stderr, program, name);
    return 2;
  }
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
    lam_usage(stdout, program, name);
    return 0;
  }
  if (strcmp(word, "--version") == 0) {
    printf("%s, made by Lamella %s for %s\n", program->name, program->version ? program->version : "", program->target);
    return 0;
  }
  const char *names[16] = {0};
  struct lam_options options = {.program = name};
  for (int i = 0; program->verbs[i] && i < 15; i++) {
    names[i] = program->verbs[i]->name;
    if (strcmp(names[i], word) == 0) options.verb = program->verbs[i];
  }
  if (!options.verb) {
    const char *meant = lam_closest(word, names, sizeof *names);
    lam_error("there is no verb %s%s%s%s", word, meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
    lam_usage(stderr, program, name);
    return 2;
  }
  if (!lam_options_parse(&options, argc - 2, argv + 2)) {
    fprintf(stderr, "%s %s --help lists the options\n", name, word);
    return 2;
  }
  if (lam_option_text(&options, "help", NULL)) {
    lam_verb_help(options.verb, name);
    return 0;
  }
#ifdef _OPENMP
  if (lam_option_text(&options, "threads", NULL)) omp_set_num_threads((int)lam_option_integer(&options, "threads", 1));
#endif
  int code = options.verb->run(program, &options);
  if (fflush(stdout) != 0 && code == 0) code = lam_error("cannot write the output") + 1;
  return code;
}
