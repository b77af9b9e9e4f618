/* The two shared objects, loaded when first needed. */
#include "codegen/jit/parts.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The text as memory of its own. */
static char *copy_text(const char *text) {
  char *copy = strdup(text);
  if (!copy) abort();
  return copy;
}

struct part {
  const char *file, *symbol;
  const void *loaded; /* the part's struct */
  char *problem;
  pthread_once_t once;
};

static void *open_in(const char *folder, size_t length, const char *between, const char *file) {
  char path[4096];
  if (snprintf(path, sizeof path, "%.*s%s/%s", (int)length, folder, between, file) >= (int)sizeof path) return NULL;
  return access(path, F_OK) == 0 ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

/* The folder of this executable; 0 where it is not known. */
static size_t own_folder(char *path, size_t size) {
  ssize_t length = readlink("/proc/self/exe", path, size);
  if (length <= 0 || (size_t)length >= size) return 0;
  while (length > 0 && path[length - 1] != '/') length--;
  return length > 0 ? (size_t)length - 1 : 0;
}

static void part_load(struct part *part) {
  const char *named = getenv("LAMELLA_JIT");
  void *handle = NULL;
  dlerror();
  if (named) {
    handle = open_in(named, strlen(named), "", part->file);
  } else {
    char path[4096];
    size_t length = own_folder(path, sizeof path);
    static const char *const places[] = {"", "/../lib/lamella", "/../..", NULL}; /* the last: build/tests/unit */
    for (int i = 0; places[i] && !handle; i++) handle = open_in(path, length, places[i], part->file);
  }
  const char *problem = handle ? NULL : dlerror();
  if (handle) part->loaded = dlsym(handle, part->symbol);
  if (part->loaded) return;
  char text[1024];
  snprintf(text, sizeof text, problem ? "cannot load %s: %s" : "%s is not there: Lamella was built without LLVM 19",
           part->file, problem);
  part->problem = copy_text(text);
}

static struct part clang_part = {
    .file = "liblamella-clang.so", .symbol = "lamella_clang_part", .once = PTHREAD_ONCE_INIT};
static struct part load_part = {.file = "liblamella-load.so", .symbol = "lamella_load_part", .once = PTHREAD_ONCE_INIT};
static void load_clang(void) { part_load(&clang_part); }
static void load_load(void) { part_load(&load_part); }

static const struct clang_part *need_clang(char **message) {
  pthread_once(&clang_part.once, load_clang);
  if (!clang_part.loaded && message) *message = copy_text(clang_part.problem);
  return clang_part.loaded;
}

static const struct load_part *need_load(char **message) {
  pthread_once(&load_part.once, load_load);
  if (!load_part.loaded && message) *message = copy_text(load_part.problem);
  return load_part.loaded;
}

bool jit_can_compile(char **message) { return need_clang(message) != NULL; }
bool jit_can_load(char **message) { return need_load(message) != NULL; }

const char *jit_compiler_version(void) {
  const struct clang_part *clang = need_clang(NULL);
  return clang ? clang->version : NULL;
}

bool jit_compile(const struct jit_source *source, struct jit_object *object, char **message) {
  const struct clang_part *clang = need_clang(message);
  return clang && clang->compile(source, object, message);
}

void jit_object_free(struct jit_object *object) {
  free(object->bytes);
  *object = (struct jit_object){0};
}

struct jit_program *jit_load(const struct jit_object *objects, int count, bool openmp, char **message) {
  const struct load_part *load = need_load(message);
  return load ? load->load(objects, count, openmp, message) : NULL;
}

void *jit_symbol(struct jit_program *program, const char *name) { return need_load(NULL)->symbol(program, name); }
void jit_unload(struct jit_program *program) { need_load(NULL)->unload(program); }
