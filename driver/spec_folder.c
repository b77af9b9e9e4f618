/* Tells programs where their spec lies, because they look for data beside it (runtime/places.c). The text of a program does not
   say it, so that a spec gives the same text wherever it lies. */
#define _XOPEN_SOURCE 700 /* realpath */
#include <stdlib.h>
#include <string.h>

#include "codegen/emit_text.h"
#include "driver/driver.h"
#include "runtime/runtime.h"

/* The folder of a file. It is "." for a file of the current folder, and for the standard input. */
static const char *folder_of(struct arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return ".";
  return slash == path ? "/" : arena_copy(arena, path, (size_t)(slash - path));
}

void tell_spec_folder(const struct options *options) {
  setenv("LAMELLA_SPEC_FOLDER", folder_of(options->arena, options->spec), 1);
}

/* The absolute path of a folder without symbolic links, or NULL. */
static const char *real_folder(struct arena *arena, const char *folder) {
  char *path = realpath(folder, NULL);
  const char *copy = path ? arena_strdup(arena, path) : NULL;
  free(path);
  return copy;
}

/* The relative path from one folder to another, such as "../specs"; both are absolute and without links. It is "." if they are the
   same. */
static const char *way_between(struct arena *arena, const char *from, const char *to) {
  size_t common = 0; /* the length of the folders that both have */
  for (size_t i = 0;; i++) {
    bool from_ends = !from[i] || from[i] == '/', to_ends = !to[i] || to[i] == '/';
    if (from_ends && to_ends) common = i;
    if (!from[i] || from[i] != to[i]) break;
  }
  const char *way = "";
  for (const char *at = from + common; *at; at++)
    if (*at == '/' && at[1]) way = arena_format(arena, "%s../", way);
  const char *rest = to + common + (to[common] == '/');
  way = arena_format(arena, "%s%s", way, rest);
  size_t length = strlen(way);
  if (length && way[length - 1] == '/') way = arena_copy(arena, way, length - 1);
  return *way ? way : ".";
}

const char *way_to_spec(const struct options *options, const char *path) {
  char *file;
  if (!lam_find_replaced(path, &file) || !file)
    return NULL; /* into a device or a pipe: nobody knows where the program will be */
  const char *from = real_folder(options->arena, folder_of(options->arena, file)),
             *to = real_folder(options->arena, folder_of(options->arena, options->spec));
  free(file);
  return from && to ? way_between(options->arena, from, to) : NULL;
}

static bool is_sought(const char *path) { return path && *path != '/'; }

void add_way_to_spec(const struct options *options, const struct program *program, struct emitted *emitted) {
  bool seeks =
      (program->data && is_sought(program->data->path)) || (program->training && is_sought(program->training->initial));
  if (!options->way || !strcmp(options->way, ".") || !seeks) return;
  emitted->source = arena_format(options->arena, "#define LAMELLA_SPEC_FOLDER %s\n%s",
                                 c_string(options->arena, options->way), emitted->source);
}
