/* nonzero FILE TENSOR...: prints for each tensor of a safetensors file how many elements are not zero, and the sum of (place + 1) over
   them, which tells sets of as many elements apart: "TENSOR COUNT SUM", a line each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"

int main(int count, char **arguments) {
  struct lam_weights *weights = count > 2 ? lam_weights_open(arguments[1], lam_join_parts) : NULL;
  if (!weights) return 2;
  for (int i = 2; i < count; i++) {
    const struct lam_entry *entry = lam_weights_find(weights, arguments[i]);
    if (!entry) return printf("%s has no tensor %s\n", arguments[1], arguments[i]), 1;
    const enum lam_type type = strchr(entry->type_name, 'F') ? LAM_TYPE_REAL : LAM_TYPE_INTEGER;
    const int64_t size = lam_count(entry->shape, entry->rank);
    long long some = 0, sum = 0;
    void *data = lam_allocate(size, sizeof(double));
    if (!lam_weights_read(weights, entry, type, data)) return 1;
    for (int64_t k = 0; k < size; k++)
      if (lam_get(data, type, k) != 0) some++, sum += k + 1;
    printf("%s %lld %lld\n", arguments[i], some, sum);
    free(data);
  }
  return 0;
}
