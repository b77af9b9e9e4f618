#include "passes/schedule.h"

struct memo_table memo_table_new(struct arena *arena, const struct graph *graph) {
  return (struct memo_table){arena_new_array(arena, int, graph->next_value),
                             arena_new_array(arena, int, graph->next_value), 1};
}

void memo_table_clear(struct memo_table *table) { table->now++; }

int *memo_table_find(const struct memo_table *table, const struct value *value) {
  return table->stamps[value->id] == table->now ? &table->numbers[value->id] : NULL;
}

void memo_table_set(struct memo_table *table, const struct value *value, int number) {
  table->stamps[value->id] = table->now;
  table->numbers[value->id] = number;
}
