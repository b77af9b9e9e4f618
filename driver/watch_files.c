/* Tells whether files have changed, by their contents. A file is read again when the system says that it is another
   file or was written to, and also shortly after that, since times may be too coarse to tell. The look comes twenty
   times a second. That costs microseconds, works on every file system, and does not depend on how an editor saves: over
   the file, beside it with a rename, or by deleting it first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "codegen/jit/cache.h"
#include "driver/watch.h"

struct watched_file {
  char *path;
  struct stat about;
  bool there;
  struct hash contents; /* 0: cannot be read */
};

enum { COARSE_SECONDS = 2 }; /* no file system has coarser times */

static struct hash hash_of(const char *path) {
  char bytes[1 << 14];
  struct hash hash = {{1}};
  FILE *file = fopen(path, "rb");
  if (!file) return (struct hash){0};
  for (size_t count; (count = fread(bytes, 1, sizeof bytes, file)) > 0;) hash = hash_bytes(hash, bytes, count);
  fclose(file);
  return hash;
}

static void look(struct watched_file *file) {
  struct stat about;
  if (stat(file->path, &about) != 0) {
    file->there = false;
    file->contents = (struct hash){0};
    return;
  }
  bool same = file->there && about.st_ino == file->about.st_ino && about.st_size == file->about.st_size &&
              about.st_mtim.tv_sec == file->about.st_mtim.tv_sec &&
              about.st_mtim.tv_nsec == file->about.st_mtim.tv_nsec;
  if (!same || time(NULL) - about.st_mtim.tv_sec <= COARSE_SECONDS) file->contents = hash_of(file->path);
  file->there = true;
  file->about = about;
}

void watch_list_set(struct watch_list *list, const char *const *paths, int count) {
  for (int i = 0; i < list->count; i++) free(list->files[i].path);
  free(list->files);
  list->files = calloc((size_t)(count ? count : 1), sizeof *list->files);
  list->count = list->files ? count : 0;
  for (int i = 0; i < list->count; i++) list->files[i].path = strdup(paths[i]);
}

uint64_t watch_list_print(struct watch_list *list) {
  struct hash print = {0};
  for (int i = 0; i < list->count; i++) {
    struct watched_file *file = &list->files[i];
    look(file);
    print = hash_bytes(hash_text(print, file->path), &file->contents, sizeof file->contents);
  }
  return print.words[0] ? print.words[0] : 1;
}

bool watch_list_has(const struct watch_list *list, const char *path) {
  for (int i = 0; i < list->count; i++)
    if (!strcmp(list->files[i].path, path)) return list->files[i].there;
  return false;
}
