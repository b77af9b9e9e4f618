/* Finds the files that a spec names. A program keeps no absolute path, so that it can be copied to another machine with
   its data beside it. */
#include "runtime/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAM_PLACES = 4 };
struct lam_place {
  char *folder; /* NULL: the current one */
  const char *name;
};

/* Returns the folder of the program for free(), "." if it is the current folder, or NULL where the system does not
   tell. */
static char *lam_own_folder(void) {
  char path[4096];
  struct stat own, here;
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) return NULL;
  path[length] = 0;
  char *slash = strrchr(path, '/');
  if (!slash) return NULL;
  slash[slash == path] = 0;
  bool current =
      stat(path, &own) == 0 && stat(".", &here) == 0 && own.st_dev == here.st_dev && own.st_ino == here.st_ino;
  return current ? lam_join(".", "") : lam_join(path, "");
}

/* Joins a folder and a path. A folder "." is left out, so that messages show the path as the user wrote it. */
static char *lam_join_path(const char *folder, const char *path) {
  if (!folder || !strcmp(folder, ".")) return lam_join(path, "");
  char *begin = lam_join(folder, "/"), *file = lam_join(begin, path);
  free(begin);
  return file;
}

/* Lists the places to look in, in their order and each once. Returns how many there are. */
static int lam_list_places(const struct lam_program *program, bool here, struct lam_place places[LAM_PLACES]) {
  const struct lam_place current = {NULL, "in the current folder"};
  const char *spec = lam_environment("LAMELLA_SPEC_FOLDER"); /* set by lamella run, interpret and compare */
  char *own = spec ? NULL : lam_own_folder();
  bool is_current = !strcmp(spec ? spec : own ? own : "", ".");
  int count = 0;
  if (here && !is_current) places[count++] = current;
  if (spec)
    places[count++] = (struct lam_place){lam_join(spec, ""), is_current ? "in the current folder" : "beside the spec"};
  if (own) places[count++] = (struct lam_place){lam_join(own, ""), "beside the program"};
  if (own && program->spec_folder)
    places[count++] =
        (struct lam_place){lam_join_path(own, program->spec_folder), "where the spec was when it was built"};
  if (!here && !is_current) places[count++] = current;
  free(own);
  return count;
}

char *lam_find_file(const struct lam_program *program, const char *path, bool here, const char *advice) {
  struct lam_place places[LAM_PLACES];
  char *found = NULL, text[2048] = "";
  size_t used = 0;
  if (*path == '/') return lam_join(path, ""); /* the caller opens it, and reports what is wrong with it */
  int count = lam_list_places(program, here, places);
  for (int i = 0; i < count; i++) {
    char *file = lam_join_path(places[i].folder, path);
    if (!found && (access(file, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)))
      found = file;
    else
      free(file);
    bool shown = places[i].folder && strcmp(places[i].folder, ".") != 0;
    if (used < sizeof text)
      used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s%s%s", i ? ", nor " : "not ", places[i].name,
                               shown ? " (" : "", shown ? places[i].folder : "", shown ? ")" : "");
    free(places[i].folder);
  }
  if (!found && advice) lam_error("cannot open %s: it is %s%s", path, text, advice);
  return found;
}
