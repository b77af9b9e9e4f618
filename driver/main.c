/* lamella VERB SPEC [options]: finds the verb and runs it. */
#include "driver/driver.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "codegen/jit/jit.h"
#include "commit.h"
#include "runtime/runtime.h"

const struct verb verbs[] = {
    {"build", verb_build, "SPEC [-o EXE] [options]", "Compiles a spec into an executable program",
     "CSLqQOGMujnotpDmiyxkdcvTaV"},
    {"run", verb_run, "SPEC [options] VERB [arguments of the program]",
     "Compiles a spec in memory and runs a verb of the program: train, eval, generate, predict, info, bench",
     "tpDmiyxdOGMujePnvTaV"},
    {"emit", verb_emit, "SPEC... -o DIR [options]",
     "Writes programs as C: for each spec a .c and a .h that need libc and libm alone, and one runtime for all in DIR",
     "otupDmiyxkdEbvTaV"},
    {"check", verb_check, "SPEC [options]", "Reports what is wrong in a spec, or what is in it", "pDmxTaV"},
    {"show", verb_show, "SPEC --stage=ast|tensor|clusters|loops|c|passes [options]",
     "Prints what the compiler makes of a spec, stage by stage", "stupDmiyxdgbTaV"},
    {"compare", verb_compare, "SPEC [--passes=[NAME=]LIST]... [--variant='NAME: OPTIONS']... [options]",
     "Trains or predicts by several pipelines, targets, -O levels or settings in turn: which is fastest, and at what "
     "loss",
     "ptuDOmWkrlYNBKRJHwvT"},
    {"shrink", verb_shrink, "SPEC --keep=AXIS=COUNT... --weights=FILE -o FILE [options]",
     "Writes weights with fewer hidden units, heads or the like: those with the largest weights", "okDmz"},
    {"interpret", verb_interpret, "SPEC [options] VERB [arguments of the program]",
     "Runs a program's verb by the interpreter, in double precision: the definition of the language, slow", "pDmxdTaV"},
    {0},
};

static void usage(FILE *file) {
  fputs(
      "Lamella compiles specs of Transformer models and their training loops into C.\n\n"
      "usage: lamella VERB SPEC [options]\n\nverbs:\n",
      file);
  for (const struct verb *verb = verbs; verb->name; verb++) fprintf(file, "  %-10s %s\n", verb->name, verb->summary);
  fputs(
      "\nSPEC is a file, or - for the standard input. `lamella VERB --help` says more; --version prints the version.\n",
      file);
}

/* Prints the version, and what else a report of a fault should contain. */
static int print_version(void) {
  static const char commit[] = LAMELLA_COMMIT;
  char *problem = NULL;
  printf("lamella %s%s%s%s\nLLVM: ", LAMELLA_VERSION, *commit ? " (commit " : "", commit, *commit ? ")" : "");
  puts(jit_can_compile(&problem) ? jit_compiler_version() : problem);
  free(problem);
  fputs("targets: ", stdout);
  for (int i = 0; target_at(i); i++) printf("%s%s", i ? ", " : "", target_at(i)->name);
  struct arena *arena = arena_new();
  const char *problem_of_native;
  printf("; native is %s here\n", target_read(arena, "native", &problem_of_native)->name);
  arena_free(arena);
  return EXIT_DONE;
}

static int command(int count, char **arguments) {
  if (count < 2) {
    usage(stderr);
    return EXIT_USAGE;
  }
  const char *word = arguments[1];
  if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
    usage(stdout);
    return EXIT_DONE;
  }
  if (!strcmp(word, "--version")) return print_version();
  const char *names[16];
  int name_count = 0;
  for (const struct verb *verb = verbs; verb->name; verb++) {
    names[name_count++] = verb->name;
    if (strcmp(word, verb->name)) continue;
    before_out_of_memory = temporary_remove_all;
    struct options options = {.arena = arena_new()};
    int code = options_parse(&options, verb, count - 2, arguments + 2);
    if (code < 0) code = verb->run(&options);
    print_times(&options, NULL);
    temporary_remove_all();
    arena_free(options.arena);
    return code;
  }
  const char *closest = closest_name(word, names, name_count);
  word = printable(arena_new(), word);
  if (closest)
    fprintf(stderr, "lamella: no verb is called '%s'; did you mean '%s'?\n", word, closest);
  else
    fprintf(stderr, "lamella: no verb is called '%s'\n", word);
  usage(stderr);
  return EXIT_USAGE;
}

/* Walks of long chains of operations recurse, so the stack of the main thread is allowed to grow: it may grow up to the
   limit of the moment. */
static void allow_depth(void) {
  struct rlimit stack;
  const rlim_t wanted = (rlim_t)64 << 20;
  if (getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY || stack.rlim_cur >= wanted) return;
  stack.rlim_cur = stack.rlim_max == RLIM_INFINITY || stack.rlim_max >= wanted ? wanted : stack.rlim_max;
  setrlimit(RLIMIT_STACK, &stack);
}

int main(int count, char **arguments) {
  allow_depth();
  lam_hold_streams();
  return lam_finish("lamella: ", command(count, arguments));
}
