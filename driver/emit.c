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
  bool made = mkdir(options->output, 0777) == 0;
  if (!made && errno != EEXIST) {
    fprintf(stderr, "lamella: error: cannot make the folder %s: %s\n", printable(options->arena, options->output), strerror(errno));
    return EXIT_WRONG_INPUT;
  }
  if (made) temporary_add(options->output); /* until both files are there */
  const char *source = arena_format(options->arena, "%s/%s.c", options->output, program->name);
  const char *header = arena_format(options->arena, "%s/%s.h", options->output, program->name);
  bool new_header = access(header, F_OK) != 0;
  if (!write_file(header, emitted.header)) return EXIT_WRONG_INPUT;
  if (new_header) temporary_add(header);
  if (!write_file(source, emitted.source)) return EXIT_WRONG_INPUT;
  temporary_keep_all();
  if (options->verbose) fprintf(stderr, "wrote %s and %s for %s\n", printable(options->arena, source), printable(options->arena, header), options->passes.target->name);
  return EXIT_DONE;
}
