/* The runtime's modules as machine code. The build of Lamella makes them, once without OpenMP and once with it (tools/precompile.c), so that
   of a program only its own functions are compiled. */
#include <elf.h>
#include <string.h>

#include "driver/spec_code.h"

/* Whether the file is whole: all modules, twice. */
static bool is_whole(const struct jit_object *file) {
  struct jit_object elf;
  int count = 0;
  for (size_t at = 0; jit_object_next(file, &at, &elf); count++)
    if (memcmp(elf.bytes, ELFMAG, SELFMAG) != 0 || elf.size > file->size - (size_t)(elf.bytes - file->bytes))
      return false;
  return count == 2 * runtime_module_count();
}

bool spec_runtime_suits(const struct options *options) {
  const bool links = options->kind == BUILD_HERE || options->kind == BUILD_PROGRAM || options->kind == BUILD_SHARED;
  /* A debugger is to find the runtime's source where the program's is; and the modules have reals of one kind. */
  return links && !options->debug && !options->passes.target->double_precision;
}

bool spec_runtime_read(struct jit_object *runtime) {
  if (!jit_read_runtime(runtime_fingerprint(), runtime)) return false;
  if (is_whole(runtime)) return true;
  jit_object_free(runtime);
  return false;
}

int spec_runtime_choose(const struct jit_object *runtime, runtime_modules chosen, bool openmp,
                        struct jit_object *objects) {
  struct jit_object elf;
  const int modules = runtime_module_count();
  int number = openmp ? -modules : 0, count = 0;
  for (size_t at = 0; jit_object_next(runtime, &at, &elf); number++)
    if (number >= 0 && number < modules && chosen >> number & 1) objects[count++] = elf;
  return count;
}
