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
  if (!strcmp(program->name, "lamella_runtime")) {
    fprintf(stderr,
            "lamella: error: the runtime is written to lamella_runtime.c, and so would the model be: give the spec's "
            "file another name\n");
    return EXIT_WRONG_INPUT;
  }
  bool made = mkdir(options->output, 0777) == 0;
  if (!made && errno != EEXIST) {
    fprintf(stderr, "lamella: error: cannot make the folder %s: %s\n", printable(options->arena, options->output),
            strerror(errno));
    return EXIT_WRONG_INPUT;
  }
  if (made) temporary_add(options->output); /* removed again unless all files are written */
  struct arena *arena = options->arena;
  const struct {
    const char *path, *text;
  } files[] = {{arena_format(arena, "%s/%s.h", options->output, program->name), emitted.header},
               {arena_format(arena, "%s/lamella_runtime.h", options->output), emitted.runtime_header},
               {arena_format(arena, "%s/lamella_runtime.c", options->output), emitted.runtime},
               {arena_format(arena, "%s/%s_main.c", options->output, program->name), emitted.main},
               {arena_format(arena, "%s/%s.c", options->output, program->name), emitted.core}};
  enum { FILES = sizeof files / sizeof *files };
  for (int i = 0; i < FILES; i++) {
    const bool is_new = access(files[i].path, F_OK) != 0;
    if (!write_file(files[i].path, files[i].text)) return EXIT_WRONG_INPUT;
    if (is_new) temporary_add(files[i].path);
  }
  temporary_keep_all();
  if (options->verbose)
    fprintf(stderr, "wrote %s with its header, main and runtime for %s\n", printable(arena, files[FILES - 1].path),
            options->passes.target->name);
  return EXIT_DONE;
}
