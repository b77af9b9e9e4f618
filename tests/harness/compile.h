/* Compiles C to code that this process runs: in process by Clang's libraries (codegen/jit/) where they are installed,
   or by a compiler's command. */
#ifndef TESTS_HARNESS_COMPILE_H
#define TESTS_HARNESS_COMPILE_H

#include <stdbool.h>

#include "ir/arena.h"
#include "ir/target.h"

struct library;

struct compiling {
  const char *compiler; /* a command such as "gcc"; NULL: in process, else "cc" (the address sanitizer needs "cc") */
  int level; /* of optimisation */
  const struct target *target; /* that the source is for: see foreign.h; NULL: one of this machine */
  bool threads; /* two OpenMP threads, when compiled in process and the library is there; else one */
};

/* Whether `threads` has an effect. */
bool compile_has_threads(void);
/* Compiles with warnings as errors. NULL when that failed; the compiler's messages are then on stderr. */
struct library *compile_library(struct arena *arena, const char *source, const struct compiling *how);
/* NULL when there is none of this name. */
void *library_symbol(struct library *library, const char *name);
void library_close(struct library *library);

#endif
