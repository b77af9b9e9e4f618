#include "driver/driver.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int verb_emit(struct options *options) {
  if (!options->output) {
    fprintf(stderr, "lamella emit: where to? Name a folder with -o DIR\n");
    return EXIT_USAGE;
  }
  struct program *program;
  struct emitted emitted;
  if (!compile_program(options, &program, &emitted)) return EXIT_WRONG_INPUT;
  bool is_new = mkdir(options->output, 0777) == 0;
  if (!is_new && errno != EEXIST) {
    fprintf(stderr, "lamella: error: cannot make the folder %s: %s\n", options->output, strerror(errno));
    return EXIT_WRONG_INPUT;
  }
  if (is_new) temporary_add(options->output); /* unless all of it gets written */
  const char *source = arena_format(options->arena, "%s/%s.c", options->output, program->name);
  const char *header = arena_format(options->arena, "%s/%s.h", options->output, program->name);
  if (!write_file(source, emitted.source)) return EXIT_WRONG_INPUT;
  if (!write_file(header, emitted.header)) {
    if (is_new) unlink(source);
    return EXIT_WRONG_INPUT;
  }
  temporary_keep_all();
  if (options->verbose) fprintf(stderr, "wrote %s and %s for %s\n", source, header, options->passes.target->name);
  return EXIT_DONE;
}
