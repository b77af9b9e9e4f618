/* precompile OUTPUT: compiles the modules of the runtime for programs that Lamella links (driver/spec_runtime.c): each to an ELF file, first
   without OpenMP, then with it, in the order of runtime/modules.def, one after the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "codegen/jit/jit.h"

/* Compiles a module and writes it; false after a message. */
static bool compile(struct arena *arena, const char *text, bool openmp, FILE *output) {
  static const char *const arguments[] = {"-fvisibility=hidden"};
  struct jit_source source = {.main = {"lamella_runtime.c", text},
                              .level = 2,
                              .openmp = openmp && jit_has_openmp(),
                              .arguments = arguments,
                              .argument_count = 1};
  struct jit_object object = {0};
  char *message = NULL;
  if (!jit_compile(&source, &object, &message)) {
    fprintf(stderr, "precompile: %s\n", message);
    return false;
  }
  const size_t room = (object.size + 15) / 16 * 16;
  char *bytes = arena_new_array(arena, char, room);
  memcpy(bytes, object.bytes, object.size);
  jit_object_free(&object);
  return fwrite(bytes, 1, room, output) == room;
}

int main(int count, char **arguments) {
  struct arena *arena = arena_new();
  FILE *output = count == 2 ? fopen(arguments[1], "wb") : NULL;
  if (!output) return EXIT_FAILURE;
  bool done = true;
  for (int openmp = 0; openmp < 2; openmp++) {
    for (int i = 0; done && i < runtime_module_count(); i++)
      done = compile(arena, emit_runtime_module(arena, target_find("portable"), i), openmp, output);
  }
  done = fclose(output) == 0 && done;
  if (!done) remove(arguments[1]);
  arena_free(arena);
  return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
