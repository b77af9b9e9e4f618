#include "driver/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Drops the graphs that a verb of the program does not use. Where it has no such verb, it stays whole, and says so itself. */
static void keep_for_verb(struct program *program, const char *verb) {
  static const struct {
    const char *verb, *graph, *others;
  } rows[] = {
      {"train", "train", "accumulate evaluate synthesize"},
      {"eval", "evaluate", "synthesize"},
      {"generate", "step", "prepare"},
      {"predict", "predict", "synthesize"},
  };
  for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
    if (!verb || strcmp(verb, rows[row].verb) != 0) continue;
    bool has_verb = false;
    struct graph **graph;
    for (int i = 0; (graph = program_graph(program, i)) != NULL; i++)
      if (*graph && !strcmp((*graph)->name, rows[row].graph)) has_verb = true;
    for (int i = 0; has_verb && (graph = program_graph(program, i)) != NULL; i++)
      if (*graph && strcmp((*graph)->name, rows[row].graph) != 0 && !strstr(rows[row].others, (*graph)->name)) *graph = NULL;
  }
}

struct program *load_program(struct options *options, struct diagnostics *diagnostics) {
  struct program *program = lower_spec(options->arena, options->spec, &options->frontend, diagnostics);
  if (program) keep_for_verb(program, options->only_verb);
  if (program && !run_graph_passes(program, &options->passes, diagnostics)) program = NULL;
  if (!program || diagnostics->error_count) {
    diagnostics_print(diagnostics, stderr);
    return NULL;
  }
  return program;
}

bool compile_program(struct options *options, struct program **program, struct emitted *emitted) {
  struct diagnostics *diagnostics = diagnostics_new(options->arena);
  options->passes.loops_follow = true;
  *program = load_program(options, diagnostics);
  if (!*program) return false;
  struct module *module = run_schedules(*program, &options->passes, diagnostics);
  if (!module || diagnostics->error_count) {
    diagnostics_print(diagnostics, stderr);
    return false;
  }
  *emitted = emit_c(options->arena, *program, module, options->passes.target, &options->emission);
  return true;
}

double seconds_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static bool write_all(int file, const char *text, size_t length) {
  while (length) {
    ssize_t written = write(file, text, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text += written;
    length -= (size_t)written;
  }
  return true;
}

bool write_bytes(const char *path, const char *bytes, size_t size) {
  struct arena *arena = arena_new();
  const char *beside = arena_format(arena, "%s.%ld.tmp", path, (long)getpid());
  int file = open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  bool done = file >= 0 && write_all(file, bytes, size) && fsync(file) == 0;
  int error = errno;
  if (file >= 0 && close(file) != 0 && done) done = false, error = errno;
  if (done && rename(beside, path) != 0) done = false, error = errno;
  if (!done) {
    if (file >= 0) unlink(beside);
    fprintf(stderr, "lamella: error: cannot write %s: %s\n", path, strerror(error));
  }
  arena_free(arena);
  return done;
}

bool write_file(const char *path, const char *text) { return write_bytes(path, text, strlen(text)); }

const char *temporary_folder(struct options *options) {
  const char *place = getenv("TMPDIR") && *getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
  char *folder = arena_format(options->arena, "%s/lamella-XXXXXX", place);
  if (mkdtemp(folder)) return folder;
  fprintf(stderr, "lamella: error: cannot make a folder in %s: %s\n", place, strerror(errno));
  return NULL;
}
