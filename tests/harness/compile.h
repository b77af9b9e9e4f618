/* C sources made into code that this process runs: in process by Clang's libraries (codegen/jit/), where they are there, or by a
   compiler's command. */
#ifndef TESTS_HARNESS_COMPILE_H
#define TESTS_HARNESS_COMPILE_H

#include <stdbool.h>

#include "ir/arena.h"

struct library;

struct compiling {
  const char *
      compiler; /* a command, such as "gcc", or NULL for the one in process ("cc" where there is none, and in programs with
                           the address sanitizer, whose code then has it too) */
  int level; /* of optimisation */
  bool threads; /* two threads by OpenMP: in process, where its library is there; else it is one thread as without */
};

/* Whether `threads` makes a difference. */
bool compile_has_threads(void);
/* Warnings are errors. NULL: it failed, and what it said is on stderr. */
struct library *compile_library(struct arena *arena, const char *source, const struct compiling *how);
/* NULL when there is none of this name. */
void *library_symbol(struct library *library, const char *name);
void library_close(struct library *library);

#endif
