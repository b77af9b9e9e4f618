/* precompile OUTPUT: compiles the modules of the runtime for programs that Lamella links (driver/spec_runtime.c). The file begins with two
   numbers of 64 bits, runtime_fingerprint and how many bytes follow. Then comes each module as an ELF file, first without OpenMP, then with
   it, in the order of runtime/modules.def. */
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
  const size_t room = jit_object_room(object.size);
  char *bytes = arena_new_array(arena, char, room);
  memcpy(bytes, object.bytes, object.size);
  jit_object_free(&object);
  return fwrite(bytes, 1, room, output) == room;
}

int main(int count, char **arguments) {
  struct arena *arena = arena_new();
  FILE *output = count == 2 ? fopen(arguments[1], "wb") : NULL;
  if (!output) {
    if (count == 2)
      perror(arguments[1]);
    else
      fprintf(stderr, "usage: precompile OUTPUT\n");
    return EXIT_FAILURE;
  }
  uint64_t head[2] = {runtime_fingerprint()};
  bool done = fwrite(head, sizeof head, 1, output) == 1;
  for (int openmp = 0; openmp < 2; openmp++)
    for (int i = 0; done && i < runtime_module_count(); i++)
      done = compile(arena, emit_runtime_module(arena, target_find("portable"), i), openmp, output);
  head[1] = (uint64_t)ftell(output) - sizeof head;
  rewind(output);
  done = done && fwrite(head, sizeof head, 1, output) == 1;
  done = fclose(output) == 0 && done;
  if (!done) remove(arguments[1]);
  arena_free(arena);
  return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
