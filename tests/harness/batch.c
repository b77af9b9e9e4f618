#include "tests/harness/batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"

enum { BUCKETS = 4096 };

struct known {
  const struct function *function;
  uint64_t hash;
  struct known *next;
};

struct batch {
  struct arena *arena;
  const struct target *target;
  struct module all;
  struct known *buckets[BUCKETS];
  ARRAY(const char *) callers;
};

struct batch *batch_new(struct arena *arena, const struct target *target) {
  struct batch *batch = arena_new_struct(arena, struct batch);
  batch->arena = arena;
  batch->target = target;
  batch->all.arena = arena;
  batch->all.name = "batch";
  return batch;
}

/* Adds a function; one that equals an earlier one only takes its name, which is all that calls of it need. */
static void add_function(struct batch *batch, struct function *function) {
  uint64_t hash = function_hash(function);
  struct known **bucket = &batch->buckets[hash % BUCKETS];
  for (const struct known *known = *bucket; known; known = known->next)
    if (known->hash == hash && function_equal(known->function, function)) {
      function->name = known->function->name;
      return;
    }
  function->name = arena_format(batch->arena, "k%d_%s", batch->all.functions.count, function->name);
  array_push(batch->arena, &batch->all.functions, function);
  struct known *known = arena_new_struct(batch->arena, struct known);
  *known = (struct known){function, hash, *bucket};
  *bucket = known;
}

int batch_add(struct batch *batch, const struct module *module) {
  for (int i = 0; i < module->functions.count; i++) add_function(batch, module->functions.items[i]);
  int number = batch->callers.count;
  const char *name = arena_format(batch->arena, "routine_%d", number);
  array_push(batch->arena, &batch->callers,
             caller_text(batch->arena, module, module->routines.items[0], name, batch->target->double_precision));
  return number;
}

const char *batch_source(struct batch *batch, int *functions) {
  *functions = batch->all.functions.count;
  for (int i = 0; i < batch->all.functions.count; i++) function_tidy_names(batch->arena, batch->all.functions.items[i]);
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  if (!file) abort();
  fputs(emit_functions(batch->arena, &batch->all, batch->target), file);
  for (int i = 0; i < batch->callers.count; i++) fputs(batch->callers.items[i], file);
  fclose(file);
  const char *copy = arena_copy(batch->arena, text, length);
  free(text);
  return copy;
}

compiled_routine *batch_routine(struct arena *arena, struct library *library, int number) {
  void *code = library_symbol(library, arena_format(arena, "routine_%d", number));
  compiled_routine *routine;
  memcpy(&routine, &code, sizeof code);
  return routine;
}
