#include "ir/table.h"

#include <stdint.h>
#include <string.h>

#include "ir/tensor.h"

static int slot_of(const struct table *table, const char *key) {
  uint32_t slot = hash_path(key) & (uint32_t)(table->capacity - 1);
  while (table->entries[slot].key && strcmp(table->entries[slot].key, key))
    slot = (slot + 1) & (uint32_t)(table->capacity - 1);
  return (int)slot;
}

void *table_find(const struct table *table, const char *key) {
  return table->capacity ? table->entries[slot_of(table, key)].value : NULL;
}

void table_set(struct arena *arena, struct table *table, const char *key, void *value) {
  if (2 * (table->count + 1) > table->capacity) {
    struct table larger = {.capacity = table->capacity ? 2 * table->capacity : 64};
    larger.entries = arena_new_array(arena, struct table_entry, larger.capacity);
    for (int i = 0; i < table->capacity; i++)
      if (table->entries[i].key)
        larger.entries[slot_of(&larger, table->entries[i].key)] = table->entries[i], larger.count++;
    *table = larger;
  }
  struct table_entry *entry = &table->entries[slot_of(table, key)];
  if (!entry->key) entry->key = key, table->count++;
  entry->value = value;
}
