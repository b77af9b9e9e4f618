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

static struct pointer_entry *pointer_entry(const struct pointer_table *table, const void *key) {
  /* Addresses differ mostly in their middle bits; the multiplication moves these to the upper half, which is used. */
  for (uint64_t slot = ((uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15u) >> 32;; slot++) {
    struct pointer_entry *entry = &table->entries[slot & (uint64_t)(table->capacity - 1)];
    if (!entry->key || entry->key == key) return entry;
  }
}

int *pointer_table_find(const struct pointer_table *table, const void *key) {
  if (!table->capacity) return NULL;
  struct pointer_entry *entry = pointer_entry(table, key);
  return entry->key ? &entry->value : NULL;
}

int *pointer_table_at(struct arena *arena, struct pointer_table *table, const void *key, int initial) {
  if (table->count * 2 >= table->capacity) {
    struct pointer_table old = *table;
    table->capacity = old.capacity ? 2 * old.capacity : 64;
    table->entries = arena_new_array(arena, struct pointer_entry, table->capacity);
    for (int i = 0; i < old.capacity; i++)
      if (old.entries[i].key) *pointer_entry(table, old.entries[i].key) = old.entries[i];
  }
  struct pointer_entry *entry = pointer_entry(table, key);
  if (!entry->key) {
    *entry = (struct pointer_entry){key, initial};
    table->count++;
  }
  return &entry->value;
}
