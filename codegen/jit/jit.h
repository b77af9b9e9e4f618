/* C text to running code without a compiler process: Clang's libraries make an object in memory, LLVM's ORC links it into this
   process. Both sit in shared objects that are loaded by the first call that needs them (liblamella-clang.so, 200 MB of
   libraries, and liblamella-load.so, the smaller half), so a command that never compiles starts without them; they are sought
   beside the executable, in ../lib/lamella (as far as installed so), and in $LAMELLA_JIT alone where that is set.

   Errors are texts: a function that fails returns false or NULL and sets *message, which the caller frees. Every function may be
   called from several threads at once, but for jit_unload of what another thread runs. */
#ifndef CODEGEN_JIT_JIT_H
#define CODEGEN_JIT_JIT_H

#include <stdbool.h>
#include <stddef.h>

#include "codegen/jit/cache.h"

/* A file that exists in memory only. */
struct jit_file {
  const char *path; /* as an #include "..." or a message spells it */
  const char *text;
};

enum jit_output { JIT_OBJECT, JIT_ASSEMBLY };

struct jit_source {
  struct jit_file main;
  const struct jit_file *files; /* what it includes besides the system's headers, beside it */
  int file_count;
  enum jit_output output;
  int level; /* -O0 to -O3 */
  bool debug; /* -g */
  bool openmp; /* -fopenmp */
  const char *march; /* -march=, or NULL */
  const char *const *arguments; /* more of the compiler's: "-DNAME" */
  int argument_count;
  /* JIT_OBJECT: with more than one the object is several ELF files, one after the other, for jit_load alone */
  int threads;
  struct cache *cache; /* for the object and for intrinsic headers; NULL: none */
};

/* What was compiled: an ELF file, or several one after the other, each at a multiple of 16 bytes; or assembly as text. */
struct jit_object {
  char *bytes;
  size_t size;
  struct hash key; /* of all that it depends on, the compiler included: that of the cache's entry */
};

/* Whether Lamella was built with the shared objects. */
bool jit_is_built(void);
/* Whether Clang, and whether the loader, can be loaded. */
bool jit_can_compile(char **message);
bool jit_can_load(char **message);

/* What Clang calls itself, such as "Debian clang version 19.1.7 (3~deb12u1)", and the file of its library; NULL where it cannot be
   loaded. */
const char *jit_compiler_version(void);
const char *jit_compiler_file(void);
/* This executable and the shared objects, as they are on disk, and this machine's processor: changes when any of them does. Loads none of
   them. */
struct hash jit_identity(void);

/* Whether what is compiled with OpenMP finds its header and its library, the shared or the static one. */
bool jit_has_openmp(void);
bool jit_has_static_openmp(void);

/* Loads Clang and the intrinsic headers that jit_compile would want for such a source, whose text is not known yet: to be called by a
   thread while another makes the text. */
void jit_prepare(const struct jit_source *source);

/* Compiles one text. Intrinsic headers are parsed once per process and set of options, so a call costs what the text itself costs.
   A warning is no error; what the compiler says is the message when it fails. */
bool jit_compile(const struct jit_source *source, struct jit_object *object, char **message);
void jit_object_free(struct jit_object *object);
/* The next ELF file of an object, which stays the owner of the bytes; `at` is 0 first. False past the last. */
bool jit_object_next(const struct jit_object *object, size_t *at, struct jit_object *elf);
/* The words of the command by which Clang's driver would call the system's linker for these arguments ("a.o", "-o", "a", "-lm");
   each is to be freed, and the array, which a NULL ends. NULL after a message. */
char **jit_link_command(const char *const *arguments, int count, char **message);

/* Links objects with each other and with this process's libraries (libc, libm; libomp where `openmp`), ready to run. */
struct jit_program;
struct jit_program *jit_load(const struct jit_object *objects, int count, bool openmp, char **message);
/* The address of a function or variable with external linkage; NULL where there is none. */
void *jit_symbol(struct jit_program *program, const char *name);
/* Frees code and data; nothing of it may run or be registered (atexit, signal handlers) any more. */
void jit_unload(struct jit_program *program);

/* From now on a crash in loaded code prints a backtrace with the names of its functions, then ends the process as it would have. gdb needs
   no such help: it is told of all that is loaded. */
void jit_name_crashes(void);
/* Tells perf the names of what is loaded, in /tmp/perf-PID.map; false where that cannot be written. */
bool jit_perf_map(void);

#endif
