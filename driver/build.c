/* Compiles the emitted C with the machine's C compiler. */
#include "driver/driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 48 };

/* Runs a command given as words; its exit status, or 127 when it cannot be started. With `quiet`, its messages are dropped. */
static int run_command(const char *const *words, bool verbose, bool quiet) {
  if (verbose) {
    for (int i = 0; words[i]; i++) fprintf(stderr, "%s%s", i ? " " : "", words[i]);
    fputc('\n', stderr);
  }
  fflush(NULL);
  pid_t child = fork();
  if (child < 0) return 127;
  if (child == 0) {
    if (quiet && (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout))) _exit(127);
    execvp(words[0], (char *const *)words);
    _exit(127);
  }
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* "ccache gcc -m64" as words. */
static int split_words(struct arena *arena, const char *text, const char **words, int limit) {
  int count = 0;
  char *copy = arena_strdup(arena, text), *rest = NULL;
  for (char *word = strtok_r(copy, " \t", &rest); word && count < limit; word = strtok_r(NULL, " \t", &rest))
    words[count++] = word;
  return count;
}

static int compile(struct options *options, const char *compiler, const char *source, const char *executable, bool openmp,
                   bool quiet) {
  const char *words[MAX_WORDS];
  int count = split_words(options->arena, compiler, words, MAX_WORDS - 8);
  words[count++] = "-std=c11";
  words[count++] = "-O2";
  if (openmp) words[count++] = "-fopenmp";
  words[count++] = "-o";
  words[count++] = executable;
  words[count++] = source;
  words[count++] = "-lm";
  words[count] = NULL;
  return run_command(words, options->verbose, quiet);
}

static bool links_openmp(struct options *options, const char *compiler, const char *folder) {
  const char *source = arena_format(options->arena, "%s/openmp.c", folder);
  const char *program = arena_format(options->arena, "%s/openmp", folder);
  bool works = write_file(source, "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n") &&
               compile(options, compiler, source, program, true, true) == 0;
  unlink(source);
  unlink(program);
  return works;
}

/* The compiler's own message would name a file that the user never heard of. */
static bool can_write_beside(const struct options *options, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *folder = !slash ? "." : slash == path ? "/" : arena_copy(options->arena, path, (size_t)(slash - path));
  struct stat about;
  if (stat(path, &about) == 0 && S_ISDIR(about.st_mode)) errno = EISDIR;
  else if (access(folder, W_OK | X_OK) == 0) return true;
  fprintf(stderr, "lamella: error: cannot write %s: %s\n", path, strerror(errno));
  return false;
}

int verb_build(struct options *options) {
  struct program *program;
  struct emitted emitted;
  if (!compile_program(options, &program, &emitted)) return EXIT_WRONG_INPUT;
  const char *executable = options->output ? options->output : program->name;
  const char *compiler = options->compiler ? options->compiler : getenv("CC") && *getenv("CC") ? getenv("CC") : "cc";

  if (!can_write_beside(options, executable)) return EXIT_WRONG_INPUT;

  const char *temporary = getenv("TMPDIR") && *getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
  char *folder = arena_format(options->arena, "%s/lamella-XXXXXX", temporary);
  if (!mkdtemp(folder)) {
    fprintf(stderr, "lamella: error: cannot make a folder in %s: %s\n", temporary, strerror(errno));
    return EXIT_WRONG_INPUT;
  }
  const char *source = arena_format(options->arena, "%s/%s.c", folder, program->name);
  const char *header = arena_format(options->arena, "%s/%s.h", folder, program->name);
  const char *beside = arena_format(options->arena, "%s.%ld.tmp", executable, (long)getpid());
  int code = EXIT_WRONG_INPUT;
  bool keep = false;
  if (write_file(source, emitted.source) && write_file(header, emitted.header)) {
    bool openmp = links_openmp(options, compiler, folder);
    if (!openmp) fprintf(stderr, "lamella: note: %s has no OpenMP here; the program will use one thread\n", compiler);
    int status = compile(options, compiler, source, beside, openmp, false);
    if (status == 127) {
      fprintf(stderr, "lamella: error: cannot run the C compiler '%s'; install one, or name another with --cc\n", compiler);
    } else if (status != 0) {
      keep = true;
      fprintf(stderr, "lamella: internal error: %s refused the emitted program, which is kept at %s\n", compiler, source);
    } else if (rename(beside, executable) != 0) {
      fprintf(stderr, "lamella: error: cannot write %s: %s\n", executable, strerror(errno));
    } else {
      code = EXIT_DONE;
      if (options->verbose) fprintf(stderr, "wrote %s for %s\n", executable, options->passes.target->name);
    }
  }
  unlink(beside);
  if (!keep) {
    unlink(source);
    unlink(header);
    rmdir(folder);
  }
  return code;
}
