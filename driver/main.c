/* lamella VERB SPEC [options]: finds the verb and runs it. */
#include "driver/driver.h"

#include <string.h>
#include <sys/resource.h>

#include "runtime/runtime.h"

const struct verb verbs[] = {
    {"build", verb_build, "SPEC [-o EXE] [options]", "Compiles a spec into an executable program",
     "CSLOGMujnotpDmdcvTaV"},
    {"run", verb_run, "SPEC [options] VERB [arguments of the program]",
     "Compiles a spec in memory and runs a verb of the program: train, eval, generate, predict, info, bench",
     "tpDmdOGMujePnvTaV"},
    {"emit", verb_emit, "SPEC -o DIR [options]",
     "Writes the program as C: one .c and one .h that need libc and libm alone", "otupDmdbvTaV"},
    {"check", verb_check, "SPEC [options]", "Reports what is wrong in a spec, or what is in it", "pDmTaV"},
    {"show", verb_show, "SPEC --stage=ast|tensor|clusters|loops|c|passes [options]",
     "Prints what the compiler makes of a spec, stage by stage", "stupDmdgbTaV"},
    {"compare", verb_compare, "SPEC [--passes=[NAME=]LIST]... [--variant='NAME: OPTIONS']... [options]",
     "Trains by several pipelines, targets, -O levels or settings in turn, and says which is fastest",
     "ptuDOmWNBKRJHwvT"},
    {"interpret", verb_interpret, "SPEC [options] VERB [arguments of the program]",
     "Runs a program's verb by the interpreter, in double precision: the definition of the language, slow", "pDmdTaV"},
    {0},
};

static void usage(FILE *file) {
  fputs(
      "Lamella compiles specs of Transformer models and their training loops into C.\n\n"
      "usage: lamella VERB SPEC [options]\n\nverbs:\n",
      file);
  for (const struct verb *verb = verbs; verb->name; verb++) fprintf(file, "  %-10s %s\n", verb->name, verb->summary);
  fputs("\n`lamella VERB --help` says more; --version prints the version.\n", file);
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
  if (!strcmp(word, "--version")) {
    puts("lamella " LAMELLA_VERSION);
    return EXIT_DONE;
  }
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
