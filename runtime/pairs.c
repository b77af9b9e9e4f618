/* Keys with values, in the order in which they came. */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

void lam_pairs_add(struct lam_pairs *pairs, const char *key, const char *value, size_t length) {
  char *copy = lam_allocate((int64_t)(strlen(key) + length) + 2, 1);
  memcpy(copy, value, length);
  strcpy(copy + length + 1, key);
  pairs->items = lam_grow(pairs->items, pairs->count, &pairs->capacity, sizeof *pairs->items);
  pairs->items[pairs->count++] = (struct lam_pair){copy + length + 1, copy, length};
}

const struct lam_pair *lam_pairs_find(const struct lam_pairs *pairs, const char *key) {
  for (int64_t i = 0; i < pairs->count; i++)
    if (!strcmp(pairs->items[i].key, key)) return &pairs->items[i];
  return NULL;
}

void lam_pairs_free(struct lam_pairs *pairs) {
  for (int64_t i = 0; i < pairs->count; i++) free((char *)pairs->items[i].value);
  free(pairs->items);
}
