#include "driver/driver.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int verb_emit(struct options *options) {
  if (!options->output) {
    fprintf(stderr, "lamella emit: where to? Name a folder with -o DIR\n");
    return EXIT_USAGE;
  }
  struct program *program;
  struct emitted emitted;
  if (!compile_program(options, &program, &emitted)) return EXIT_WRONG_INPUT;
  if (mkdir(options->output, 0777) != 0 && errno != EEXIST) {
    fprintf(stderr, "lamella: error: cannot make the folder %s: %s\n", printable(options->arena, options->output), strerror(errno));
    return EXIT_WRONG_INPUT;
  }
  const char *source = arena_format(options->arena, "%s/%s.c", options->output, program->name);
  const char *header = arena_format(options->arena, "%s/%s.h", options->output, program->name);
  if (!write_file(source, emitted.source) || !write_file(header, emitted.header)) return EXIT_WRONG_INPUT;
  if (options->verbose) fprintf(stderr, "wrote %s and %s for %s\n", printable(options->arena, source), printable(options->arena, header), options->passes.target->name);
  return EXIT_DONE;
}
