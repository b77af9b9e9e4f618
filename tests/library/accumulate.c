/* Training of several batches a step by the library: parameters that are loaded in the middle of a step begin it anew: accumulate FILE. */
#include "table.h"

#include <stdio.h>
#include <string.h>

static int accumulate(struct table *m, int64_t step, int color) {
  for (int i = 0; i < TABLE_ACCUMULATE_BATCH; i++)
    m->accumulate.c[i] = color, m->accumulate.kind[i] = i % 2, m->accumulate.x[i] = 1;
  return table_accumulate(m, step);
}

static int step(struct table *m) { return accumulate(m, 1, 0) || accumulate(m, 1, 1) || table_train(m, 1); }

int main(int count, char **arguments) {
  struct table *m = table_create(), *other = table_create();
  struct table_array row;
  int64_t at = -1;
  if (count != 2 || !m || !other || table_initialize(m, 1) || table_save(m, arguments[1])) return 2;
  if (step(m) || table_tensor(m, "row", &row)) return 3;
  for (int way = 0; way < 3; way++) {
    struct table_array same;
    if (table_initialize(other, 2) || accumulate(other, 1, 2)) return 4;
    if (way == 0   ? table_load(other, arguments[1])
        : way == 1 ? table_start_from(other, arguments[1])
                   : table_resume(other, arguments[1], &at))
      return 5;
    if (step(other) || table_tensor(other, "row", &same)) return 6;
    if (memcmp(row.data, same.data, (size_t)row.count * sizeof(float))) return printf("way %d\n", way), 1;
  }
  table_destroy(m);
  table_destroy(other);
  return 0;
}
