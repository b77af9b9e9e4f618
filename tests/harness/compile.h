/* C sources made into code that this process runs: in process by Clang's libraries (codegen/jit/), where they are there, or by a
   compiler's command. */
#ifndef TESTS_HARNESS_COMPILE_H
#define TESTS_HARNESS_COMPILE_H

#include "ir/arena.h"

struct library;

/* `compiler` is a command, such as "gcc", or NULL for the one in process ("cc" where there is none, and in programs with the address
   sanitizer, whose code then has it too). Warnings are errors. NULL: it failed, and what it said is on stderr. */
struct library *compile_library(struct arena *arena, const char *source, const char *compiler, int level);
/* NULL when there is none of this name. */
void *library_symbol(struct library *library, const char *name);
void library_close(struct library *library);

#endif
