/* C text to running code without a compiler process: Clang's libraries make an object in memory, LLVM's ORC links it into this
   process. Both sit in shared objects that are loaded by the first call that needs them (liblamella-clang.so, 200 MB of
   libraries, and liblamella-load.so, 30 MB where LLVM's archives were there), so a command that never compiles starts without them; they are sought
   beside the executable, in ../lib/lamella (or as the installation has it), and in $LAMELLA_JIT alone where that is set.

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
  const struct jit_file *files; /* files that it can include besides the system's headers, as if beside it */
  int file_count;
  enum jit_output output;
  int level; /* -O0 to -O3 */
  bool debug; /* -g */
  bool openmp; /* -fopenmp */
  const char *march; /* -march=, or NULL */
  const char *const *arguments; /* further arguments for the compiler, such as "-DNAME" */
  int argument_count;
  /* for JIT_OBJECT: with more than one thread, the object is several ELF files in a row, for jit_load alone */
  int threads;
  /* for JIT_OBJECT: objects that become a part of it, for jit_load and the linker */
  const struct jit_object *joined;
  int joined_count;
  struct cache *cache; /* for the object and for intrinsic headers; NULL: none */
};

/* The result of compiling: one ELF file, or several in a row, each at a multiple of 16 bytes; or assembly as text. */
struct jit_object {
  char *bytes;
  size_t size;
  struct hash key; /* a hash of everything that it depends on, the compiler included; the key of the cache's entry */
};

/* Whether Lamella was built with the shared objects. */
bool jit_is_built(void);
/* Whether Clang, and whether the loader, can be loaded. */
bool jit_can_compile(char **message);
bool jit_can_load(char **message);

/* Clang's own version text, such as "Debian clang version 19.1.7 (3~deb12u1)", and the file of its library. NULL where
   it cannot be loaded. */
const char *jit_compiler_version(void);
const char *jit_compiler_file(void);
/* A hash of this executable and of the shared objects, as they are on disk, and of this machine's processor. It loads
   none of them. */
struct hash jit_identity(void);

/* Whether what is compiled with OpenMP finds its header and its library, the shared or the static one. */
bool jit_has_openmp(void);
bool jit_has_static_openmp(void);

/* Loads Clang and the intrinsic headers that jit_compile will need for such a source, whose text need not be known yet.
   A thread may call this while another makes the text. */
void jit_prepare(const struct jit_source *source);

/* Compiles one text. Intrinsic headers are parsed once per process and set of options, so a call takes only the time
   for the text itself. Warnings are no errors; after a failure the message is what the compiler printed. */
bool jit_compile(const struct jit_source *source, struct jit_object *object, char **message);
void jit_object_free(struct jit_object *object);
/* The bytes that an ELF file of this size takes in a row of several. */
size_t jit_object_room(size_t size);
/* Finds the next ELF file of an object, which still owns the bytes; *at must be 0 at first. False past the last. */
bool jit_object_next(const struct jit_object *object, size_t *at, struct jit_object *elf);
/* The modules of the runtime, compiled when Lamella was built: several ELF files in a row, in a file that lies where the shared objects
   do. False where there is none, or one of another runtime than `fingerprint` says (tools/precompile.c). */
bool jit_read_runtime(uint64_t fingerprint, struct jit_object *modules);
/* The command, as words, by which Clang's driver would call the system's linker for these arguments ("a.o", "-o", "a",
   "-lm"). The array ends with NULL; the words and the array are to be freed. NULL after a message. */
char **jit_link_command(const char *const *arguments, int count, char **message);

/* A program ready to run: objects linked with each other and with this process's libraries (libc, libm; libomp where
   `openmp`). */
struct jit_program;
struct jit_program *jit_load(const struct jit_object *objects, int count, bool openmp, char **message);
/* The address of a function or variable with external linkage; NULL where there is none. */
void *jit_symbol(struct jit_program *program, const char *name);
/* Frees code and data. Nothing of the program may run any more, or be registered (atexit, signal handlers). */
void jit_unload(struct jit_program *program);

/* From now on a crash in loaded code prints a backtrace with the names of its functions, before the process ends as it
   would have. gdb does not need this, since it is told of everything that is loaded. */
void jit_name_crashes(void);
/* Writes the names of loaded functions to /tmp/perf-PID.map for perf. False where that cannot be written. */
bool jit_perf_map(void);

#endif
