/* From a spec to code in this process, by way of the cache. */
#ifndef DRIVER_SPEC_CODE_H
#define DRIVER_SPEC_CODE_H

#include "codegen/jit/jit.h"
#include "driver/driver.h"

struct spec_code {
  const char *name; /* the program's, as a C identifier: its symbols are NAME_program, NAME_create and so on */
  struct jit_program *code; /* to be freed by jit_unload */
  int (*main)(int count, char **arguments); /* the program's command line */
};

/* Whether the program that is compiled in this process will use OpenMP. */
bool has_openmp(const struct options *options);

/* Compiles the spec of `options` into what options->kind says, from the cache where that has it; `name` is the program's. A program
   or a shared object is still to be linked. False after printing what is wrong. */
bool spec_code_compile(struct options *options, const char **name, struct jit_object *object);

/* Compiles as much of the spec as options->only_verb needs, or takes the code from the cache, and links it into this
   process. False after printing what is wrong. May be called again, even while code of an earlier call runs. */
bool spec_code_load(struct options *options, struct spec_code *code);

/* Makes crash reports name the functions of this process's code, and tells the names to perf if options->perf is
   set. */
void name_code(const struct options *options);

/* --- spec_runtime.c: the runtime's modules, which were compiled when Lamella was built --------------------------------------------- */

/* Whether what the options ask for can be linked to them. */
bool spec_runtime_suits(const struct options *options);
/* Reads them; false where there are none. They are to be freed. */
bool spec_runtime_read(struct jit_object *runtime);
enum { RUNTIME_MODULES = 64 }; /* the most that there can be */
/* Finds the objects of the chosen modules, which `runtime` still owns, for a program that was emitted without them. Returns how many
   there are: none where nothing was read. */
int spec_runtime_choose(const struct jit_object *runtime, runtime_modules chosen, bool openmp,
                        struct jit_object *objects);

/* --- spec_record.c: what a spec compiled to, so that a second run needs neither the frontend nor the passes ------------------------ */

/* A hash of everything that the program depends on, except the files that it is made of. */
struct hash spec_record_key(const struct options *options);
/* Finds the program's name and the key of its object, if no file that it was made of has changed. */
bool spec_record_find(struct options *options, struct cache *cache, struct hash key, const char **name,
                      struct hash *object);
/* Keeps a record. `text` is the hash of the C text that the cache keeps for debuggers, or NULL. */
void spec_record_keep(struct options *options, struct cache *cache, struct hash key, const struct program *program,
                      struct hash object, const struct hash *text);

#endif
