#include "tests/harness/compile.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "codegen/jit/jit.h"
#include "tests/harness/foreign.h"

struct library {
  void *handle; /* when it was compiled to a file, or */
  struct jit_program *program;
};

#ifdef __SANITIZE_ADDRESS__
static const bool in_process = false;
static const char sanitizers[] = " -g -fsanitize=address";
#else
static const bool in_process = true;
static const char sanitizers[] = "";
#endif

bool compile_has_threads(void) {
  char *message = NULL;
  bool has = in_process && jit_has_openmp() && jit_can_compile(&message) && jit_can_load(&message);
  free(message);
  return has;
}

enum { MOST_ARGUMENTS = 16 };

static struct jit_program *compile_in_process(const char *source, const struct compiling *how, bool openmp) {
  const char *arguments[MOST_ARGUMENTS] = {"-Wall", "-Wextra", "-Werror"};
  int count = 3;
  for (const char *const *word = how->target ? target_options(how->target) : NULL;
       word && *word && count < MOST_ARGUMENTS; word++)
    arguments[count++] = *word;
  struct jit_source request = {.main = {"batch.c", source},
                               .level = how->level,
                               .openmp = openmp,
                               .arguments = arguments,
                               .argument_count = count};
  struct jit_object object = {0};
  struct jit_program *program = NULL;
  char *message = NULL;
  if (jit_compile(&request, &object, &message)) program = jit_load(&object, 1, openmp, &message);
  if (!program) fprintf(stderr, "%s\n", message ? message : "the compiler failed without a message");
  jit_object_free(&object);
  free(message);
  return program;
}

/* Compiles to a file. Only the source of a failure stays behind: a library remains mapped when its file is removed. */
static void *compile_file(struct arena *arena, const char *source, const char *compiler, const struct compiling *how) {
  char folder[] = "/tmp/lamella-test-XXXXXX";
  if (!mkdtemp(folder)) return NULL;
  const char *file = arena_format(arena, "%s/source.c", folder),
             *library = arena_format(arena, "%s/library.so", folder);
  FILE *out = fopen(file, "w");
  bool written = out && fputs(source, out) >= 0;
  if (out) written = fclose(out) == 0 && written;
  const char *command =
      arena_format(arena, "%s -std=c11 -O%d -Wall -Wextra -Werror%s%s -shared -fPIC -o %s %s -lm", compiler, how->level,
                   sanitizers, how->target ? target_option_text(arena, how->target) : "", library, file);
  void *handle = NULL;
  if (written && system(command) == 0) handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle)
    unlink(file);
  else
    fprintf(stderr, "%s failed\n", command);
  unlink(library);
  rmdir(folder);
  return handle;
}

/* To be called before the library of OpenMP is loaded, which reads these once. Waiting threads sleep, because other
   tests need the processor. */
static void ask_for_two_threads(void) {
  setenv("OMP_NUM_THREADS", "2", 1);
  setenv("OMP_DYNAMIC", "false", 1);
  setenv("KMP_BLOCKTIME", "0", 1);
}

struct library *compile_library(struct arena *arena, const char *source, const struct compiling *how) {
  struct library *library = arena_new_struct(arena, struct library);
  char *message = NULL;
  bool threads = how->threads && compile_has_threads();
  if (threads) ask_for_two_threads();
  if (!how->compiler && in_process && jit_can_compile(&message) && jit_can_load(&message))
    library->program = compile_in_process(source, how, threads);
  else
    library->handle = compile_file(arena, source, how->compiler ? how->compiler : "cc", how);
  free(message);
  return library->program || library->handle ? library : NULL;
}

void *library_symbol(struct library *library, const char *name) {
  return library->program ? jit_symbol(library->program, name) : dlsym(library->handle, name);
}

void library_close(struct library *library) {
  if (library->program)
    jit_unload(library->program);
  else
    dlclose(library->handle);
}
