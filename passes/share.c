/* Equal kernels are one function: the copies of a layer, and whatever else happens to be the same. */
#include "passes/schedule.h"

struct share_entry {
  struct function *function;
  uint64_t hash;
};

struct share_table {
  struct arena *arena;
  ARRAY(struct share_entry) entries;
};

struct share_table *share_table_new(struct arena *arena) {
  struct share_table *table = arena_new_struct(arena, struct share_table);
  table->arena = arena;
  return table;
}

struct function *share_function(struct scheduler *s, struct function *function) {
  struct share_table *table = s->shared;
  uint64_t hash = function_hash(function);
  for (int i = 0; i < table->entries.count && s->pipeline.on[PASS_share]; i++)
    if (table->entries.items[i].hash == hash && function_equal(table->entries.items[i].function, function))
      return table->entries.items[i].function;
  function->name = name_unique(s->function_names, function->name);
  array_push(table->arena, &table->entries, (struct share_entry){function, hash});
  array_push(s->module->arena, &s->module->functions, function);
  return function;
}
