/* The two shared objects, loaded when first needed. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "codegen/jit/parts.h"
#include "ir/environment.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined __x86_64__
#include <cpuid.h>
#elif defined __aarch64__ && defined __linux__
#include <sys/auxv.h>
#endif

/* A copy of the text, to be freed. */
static char *copy_text(const char *text) {
  char *copy = strdup(text);
  if (!copy) abort();
  return copy;
}

struct part {
  const char *file, *symbol;
  const void *loaded; /* the part's struct */
  char *problem;
  size_t room; /* the memory that it takes, with all libraries that it needs */
  pthread_once_t once;
};

enum { PATH_SIZE = 4096 };

/* The folder of this executable, without a final slash; false where it is not known. */
static bool own_folder(char *path) {
  ssize_t length = readlink("/proc/self/exe", path, PATH_SIZE);
  if (length <= 0 || length >= PATH_SIZE) return false;
  while (length > 0 && path[length - 1] != '/') length--;
  if (length > 0) path[length - 1] = 0;
  return length > 0;
}

/* The folders where a shared object may lie, by number from 0. If $LAMELLA_JIT is set it is the only one; otherwise they are relative to
   the folder of the executable. False past the last. */
static bool place_of(int number, char *path) {
  static const char *const places[] = {"", "/" LAMELLA_PARTS, "/../..", NULL}; /* the last is for build/tests/unit */
  const char *named = environment("LAMELLA_JIT");
  char folder[PATH_SIZE];
  if (named) return number == 0 && snprintf(path, PATH_SIZE, "%s", named) < PATH_SIZE;
  return places[number] && own_folder(folder) && snprintf(path, PATH_SIZE, "%s%s", folder, places[number]) < PATH_SIZE;
}

/* Where the shared object `file` is. */
static bool find_file(const char *file, char *path) {
  char folder[PATH_SIZE];
  for (int i = 0; place_of(i, folder); i++)
    if (snprintf(path, PATH_SIZE, "%s/%s", folder, file) < PATH_SIZE && access(path, F_OK) == 0) return true;
  return false;
}

/* Writes a message for a missing shared object: where it was looked for, and what to do. */
static void say_missing(const char *file, char *text, size_t size) {
#ifdef LAMELLA_LLVM
  char folder[PATH_SIZE];
  int used = snprintf(text, size, "%s is missing", file);
  for (int i = 0; i < 2 && place_of(i, folder); i++) /* the place for unit tests is not shown */
    used += snprintf(text + used, size - (size_t)used, "%s %s", i ? " and" : ", looked for in", folder);
  snprintf(text + used, size - (size_t)used,
           "; it belongs to this Lamella, and is to be copied with it, or its folder named by $LAMELLA_JIT");
#else
  snprintf(text, size, "%s is not there: this Lamella was built without LLVM 19, which tools/setup installs", file);
#endif
}

/* Whether libraries of some hundred megabytes fit where memory has a limit (ulimit -v): without room for their threads' variables,
   the C library ends the program. */
static bool has_room(size_t size) {
  void *room = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return room != MAP_FAILED && munmap(room, size) == 0;
}

static void part_load(struct part *part) {
  char path[PATH_SIZE], text[3 * PATH_SIZE];
  if (!find_file(part->file, path)) {
    say_missing(part->file, text, sizeof text);
  } else if (!has_room(part->room)) {
    snprintf(text, sizeof text, "out of memory: there is no room for %s", part->file);
  } else {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle) part->loaded = dlsym(handle, part->symbol);
    if (part->loaded) return;
    snprintf(text, sizeof text, "cannot load %s: %s; it needs Clang and LLVM 19 (Debian: libclang-cpp19)", part->file,
             dlerror());
  }
  part->problem = copy_text(text);
}

static struct part clang_part = {
    .file = "liblamella-clang.so", .symbol = "lamella_clang_part", .room = 448 << 20, .once = PTHREAD_ONCE_INIT};
static struct part load_part = {.file = "liblamella-load.so",
                                .symbol = "lamella_load_part",
                                .room = (size_t)LAMELLA_LOADER_ROOM << 20,
                                .once = PTHREAD_ONCE_INIT};
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
  return clang ? clang->version() : NULL;
}

const char *jit_compiler_file(void) {
  const struct clang_part *clang = need_clang(NULL);
  return clang ? clang->library() : NULL;
}

static const char runtime_file[] = "lamella-runtime.o";
static const struct hash no_hash;

static struct hash hash_stamp(struct hash seed, const char *path) {
  struct stat about = {0};
  if (stat(path, &about) != 0) about = (struct stat){0};
  const int64_t stamp[] = {(int64_t)about.st_dev, (int64_t)about.st_ino, about.st_size, about.st_mtim.tv_sec,
                           about.st_mtim.tv_nsec};
  return hash_bytes(hash_text(seed, path), stamp, sizeof stamp);
}

/* Hashes the stamp of the shared object `file`, which is looked for first. */
static struct hash hash_file(struct hash seed, const char *file) {
  char path[PATH_SIZE];
  return find_file(file, path) ? hash_stamp(seed, path) : hash_text(seed, NULL);
}

/* Hashes what -march=native may depend on here. */
static struct hash hash_processor(struct hash hash) {
#if defined __x86_64__
  unsigned a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d)) { /* b depends on the core that this happens to run on */
    const unsigned model[] = {a, c, d};
    hash = hash_bytes(hash, model, sizeof model);
  }
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    const unsigned features[] = {b, c, d};
    hash = hash_bytes(hash, features, sizeof features);
  }
#elif defined __aarch64__ && defined __linux__
  const unsigned long features[] = {getauxval(AT_HWCAP), getauxval(AT_HWCAP2)};
  hash = hash_bytes(hash, features, sizeof features);
#endif
  return hash;
}

struct hash jit_identity(void) {
  struct hash hash = hash_file(hash_file(hash_stamp(no_hash, "/proc/self/exe"), clang_part.file), load_part.file);
  return hash_processor(hash_file(hash, runtime_file));
}

/* The hash of the shared object stands for everything that it does with a source besides calling Clang. */
static struct hash source_key(const struct clang_part *clang, const struct jit_source *source) {
  const struct hash how = hash_file(no_hash, clang_part.file), what = clang->key(source);
  struct hash key = hash_bytes(how, &what, sizeof what);
  for (int i = 0; i < source->joined_count; i++) key = hash_bytes(key, source->joined[i].bytes, source->joined[i].size);
  return key;
}

/* Adds the joined objects behind what was compiled. */
static void join_objects(const struct jit_source *source, struct jit_object *object) {
  size_t size = jit_object_room(object->size);
  for (int i = 0; i < source->joined_count; i++) size += jit_object_room(source->joined[i].size);
  char *bytes = calloc(size + 1, 1);
  if (!bytes) abort();
  memcpy(bytes, object->bytes, object->size);
  size_t at = jit_object_room(object->size);
  for (int i = 0; i < source->joined_count; i++) {
    memcpy(bytes + at, source->joined[i].bytes, source->joined[i].size);
    at += jit_object_room(source->joined[i].size);
  }
  free(object->bytes);
  object->bytes = bytes, object->size = size;
}

bool jit_read_runtime(uint64_t fingerprint, struct jit_object *modules) {
  char path[PATH_SIZE];
  FILE *in = find_file(runtime_file, path) ? fopen(path, "rb") : NULL;
  struct stat about;
  *modules = (struct jit_object){0};
  if (!in) return false;
  uint64_t head[2];
  const bool is_file = fstat(fileno(in), &about) == 0 && S_ISREG(about.st_mode) && fread(head, sizeof head, 1, in) == 1;
  const size_t size = is_file ? (size_t)about.st_size - sizeof head : 0;
  const bool is_own = is_file && head[0] == fingerprint && head[1] == size && size > 0;
  modules->bytes = is_own ? malloc(size) : NULL;
  if (modules->bytes && fread(modules->bytes, 1, size, in) == size)
    modules->size = size;
  else
    jit_object_free(modules);
  fclose(in);
  return modules->size > 0;
}

void jit_prepare(const struct jit_source *source) {
  const struct clang_part *clang = need_clang(NULL);
  if (clang) clang->prepare(source);
}

bool jit_compile(const struct jit_source *source, struct jit_object *object, char **message) {
  const struct clang_part *clang = need_clang(message);
  if (!clang) return false;
  object->key = source_key(clang, source);
  object->bytes = cache_read(source->cache, object->key, &object->size);
  if (object->bytes) return true;
  if (!clang->compile(source, object, message)) return false;
  if (source->joined_count) join_objects(source, object);
  cache_write(source->cache, object->key, object->bytes, object->size);
  return true;
}

char **jit_link_command(const char *const *arguments, int count, char **message) {
  const struct clang_part *clang = need_clang(message);
  return clang ? clang->link_command(arguments, count, message) : NULL;
}

#ifdef LAMELLA_LLVM
static bool has_openmp(const char *library) {
  static const char *const header = "lib/clang/19/include/omp.h";
  char path[PATH_SIZE];
  const char *const files[] = {header, library};
  for (int i = 0; i < 2; i++)
    if (snprintf(path, sizeof path, "%s/%s", llvm_folder(), files[i]) >= PATH_SIZE || access(path, R_OK) != 0)
      return false;
  return true;
}
bool jit_has_openmp(void) { return has_openmp("lib/libomp.so"); }
bool jit_has_static_openmp(void) { return has_openmp("lib/libomp.a"); }
bool jit_is_built(void) { return true; }
#else
bool jit_has_openmp(void) { return false; }
bool jit_has_static_openmp(void) { return false; }
bool jit_is_built(void) { return false; }
#endif

struct jit_program *jit_load(const struct jit_object *objects, int count, bool openmp, char **message) {
  const struct load_part *load = need_load(message);
  return load ? load->load(objects, count, openmp, message) : NULL;
}

void *jit_symbol(struct jit_program *program, const char *name) { return need_load(NULL)->symbol(program, name); }
void jit_unload(struct jit_program *program) { need_load(NULL)->unload(program); }

void jit_name_crashes(void) {
  const struct load_part *load = need_load(NULL);
  if (load) load->name_crashes();
}

bool jit_perf_map(void) {
  const struct load_part *load = need_load(NULL);
  return load && load->perf_map();
}
