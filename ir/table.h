/* A table by name: open addressing, keys compared as text. Keys are kept and not copied, so they live as long as the table does. */
#ifndef IR_TABLE_H
#define IR_TABLE_H

#include "ir/arena.h"

struct table_entry {
  const char *key;
  void *value;
};
struct table {
  struct table_entry *entries;
  int count, capacity;
};

/* NULL when there is none. */
void *table_find(const struct table *table, const char *key);
/* Replaces the value that was there. */
void table_set(struct arena *arena, struct table *table, const char *key, void *value);

#endif
