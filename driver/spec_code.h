/* From a spec to code in this process, and the cache in between. */
#ifndef DRIVER_SPEC_CODE_H
#define DRIVER_SPEC_CODE_H

#include "codegen/jit/jit.h"
#include "driver/driver.h"

struct spec_code {
  const char *name; /* of the program, as a C identifier: NAME_program, NAME_create and so on are its symbols */
  struct jit_program *code; /* jit_unload gives it back */
  int (*main)(int count, char **arguments); /* the program's command line */
};

/* Whether what is compiled in this process runs on all processors. */
bool has_openmp(const struct options *options);

/* Compiles the spec of `options` into what options->kind says, from the cache where that has it; `name` is the program's. A program
   or a shared object is still to be linked. False after printing what is wrong. */
bool spec_code_compile(struct options *options, const char **name, struct jit_object *object);

/* Compiles the spec of `options`, as much of it as options->only_verb needs, and links it into this process; from the cache where
   that has it. False after printing what is wrong. May be called again, also while code of an earlier call runs. */
bool spec_code_load(struct options *options, struct spec_code *code);

/* Lets crashes in this process's code be told by names, and perf know them if options->perf says so. */
void name_code(const struct options *options);

/* --- spec_record.c: what a spec compiled to, so that a second run needs neither the frontend nor the passes ------------------------ */

/* All that the program depends on besides the files it is made of. */
struct hash spec_record_key(const struct options *options);
/* The program's name and the key of its object, if every file is as it was then. */
bool spec_record_find(struct options *options, struct cache *cache, struct hash key, const char **name,
                      struct hash *object);
/* `text` is that of the C text which the cache keeps for debuggers, or NULL. */
void spec_record_keep(struct options *options, struct cache *cache, struct hash key, const struct program *program,
                      struct hash object, const struct hash *text);

#endif
