/* Runs the program's command line. */
#include "runtime/runtime.h"

#include <fenv.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef _OPENMP
/* Unsets OMP_NUM_THREADS where it is no list of numbers or has too large a number: LLVM's OpenMP would abort. */
static void lam_check_threads(void) {
  enum { MOST = 4096 };
  const char *text = lam_environment("OMP_NUM_THREADS");
  for (const char *at = text; at; at++) {
    char *end;
    long number = strtol(at, &end, 10);
    end += strspn(end, " \t");
    if (number < 1 || number > MOST || (*end && *end != ',')) break;
    if (!*end) return;
    at = end;
  }
  if (!text) return;
  lam_note("OMP_NUM_THREADS is \"%s\", which is no number from 1 to %d: it is not used", text, MOST);
  unsetenv("OMP_NUM_THREADS");
}

/* Between kernels, OpenMP's workers wait in a loop before they sleep, by default so long that a busy machine comes to a
   halt. OpenMP reads the time to wait before main begins, so a program without one sets a short time and starts itself
   again. */
static void lam_wait_briefly(char **argv) {
  static const char *const told[] = {"GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY"};
  for (int i = 0; i < 3; i++)
    if (lam_environment(told[i])) return;
  setenv("GOMP_SPINCOUNT", "2000", 0); /* for gcc's OpenMP: turns of the loop */
#if defined __clang_major__ && __clang_major__ >= 18
  setenv("KMP_BLOCKTIME", "100us", 0); /* for clang's */
#else
  setenv("KMP_BLOCKTIME", "0", 0); /* older clang's takes whole milliseconds, and one is too long */
#endif
  execv("/proc/self/exe", argv); /* where that fails, the program goes on as it is */
}
#endif

static int lam_usage(FILE *file, const struct lam_program *program, const char *name) {
  fprintf(file, "%s: model %s of %s\n\nusage: %s VERB [OPTIONS]\n\n", name, program->model->name, program->name, name);
  for (const struct lam_verb *const *verb = program->verbs; *verb; verb++)
    fprintf(file, "  %-10s %s\n", (*verb)->name, (*verb)->summary);
  fprintf(file, "\n%s VERB --help lists the options of a verb; %s --version says what made this program.\n", name,
          name);
  return file == stderr ? 2 : 0;
}

static void lam_print_options(const struct lam_option *option) {
  for (; option->name; option++) {
    int length = printf("  --%s %s", option->name, option->argument ? option->argument : "");
    printf("%*s %s\n", length < 24 ? 24 - length : 0, "", option->help);
  }
}

static const struct lam_verb *lam_find_verb(const struct lam_program *program, const char *word) {
  const char *names[16] = {0};
  for (int i = 0; program->verbs[i] && i < 15; i++) {
    names[i] = program->verbs[i]->name;
    if (strcmp(names[i], word) == 0) return program->verbs[i];
  }
  const char *meant = lam_closest(word, names, sizeof *names);
  lam_error("there is no verb %s%s%s%s", word, meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
  return NULL;
}

static int lam_command(struct lam_program *program, int argc, char **argv) {
  const char *name = argc > 0 ? argv[0] : program->name, *word = argc > 1 ? argv[1] : NULL;
  if (!word) return lam_usage(stderr, program, name);
  if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) return lam_usage(stdout, program, name);
  if (!strcmp(word, "--version"))
    return printf("%s, made by Lamella %s for %s\n", program->name, program->version, program->target), 0;
  const struct lam_tracer *tracer = program->tracer;
  struct lam_options options = {.program = name, .verb = lam_find_verb(program, word)};
  if (tracer) options.more = tracer->options;
  if (!options.verb) return lam_usage(stderr, program, name);
  if (program->adapters) options.adapters = program->adapters->options(options.verb);
  if (!lam_options_parse(&options, argc - 2, argv + 2)) {
    fprintf(stderr, "%s %s --help lists the options\n", name, word);
    return 2;
  }
  int code = 0;
  if (lam_option_text(&options, "help", NULL)) {
    printf("usage: %s %s [OPTIONS]\n%s\n\n", name, word, options.verb->summary);
    lam_print_options(options.verb->options);
    if (options.adapters) lam_print_options(options.adapters);
    if (options.more) lam_print_options(options.more);
    lam_print_options(lam_common_options);
  } else {
#ifdef _OPENMP
    int64_t threads = lam_option_integer(&options, "threads", 0);
    if (threads) omp_set_num_threads((int)threads);
#endif
    const char *trace = lam_option_text(&options, "trace", NULL);
    if (trace && !tracer->open(program, trace)) return 1;
    code = options.verb->run(program, &options);
    if (trace && !tracer->close(program, code == 0 || code == 130) && code == 0) code = 1;
  }
  free(options.given);
  return code;
}

int lam_main(struct lam_program *program, int argc, char **argv) {
#ifdef _OPENMP
  lam_check_threads();
  lam_wait_briefly(argv);
#endif
  fesetenv(FE_DFL_ENV); /* a program linked with -ffast-math begins by flushing subnormal numbers to zero */
  lam_hold_streams();
  /* In every locale, numbers are read and written with a decimal point. */
  locale_t numbers = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0), before = numbers ? uselocale(numbers) : (locale_t)0;
  int code = lam_finish("", lam_command(program, argc, argv));
  if (numbers) uselocale(before), freelocale(numbers);
  return code;
}
