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

/* A table from addresses to numbers. */
struct pointer_entry {
  const void *key;
  int value;
};
struct pointer_table {
  struct pointer_entry *entries;
  int count, capacity;
};

/* NULL when there is none. Good until the next call of pointer_table_at. */
int *pointer_table_find(const struct pointer_table *table, const void *key);
/* Where the number is, which is `initial` when the key is new. */
int *pointer_table_at(struct arena *arena, struct pointer_table *table, const void *key, int initial);

#endif
