/* expect_tensor FILE TENSOR SHAPE TOLERANCE NUMBER...: checks that a tensor of a safetensors file has that shape
   ("2x3", or "1" for one number without axes) and those elements in the file's order. Each may be off by TOLERANCE, or
   by that share of it where it is larger than 1. "nan", "inf" and "-inf" are equal to themselves. Prints the
   differences; the exit status is 1 if there are any. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"

static bool is_near(double got, double expected, double tolerance) {
  if (isnan(expected) || isinf(expected)) return isnan(expected) ? isnan(got) : got == expected;
  return fabs(got - expected) <= tolerance * fmax(1, fabs(expected));
}

int main(int count, char **arguments) {
  if (count < 5) return 2;
  struct lam_weights *weights = lam_weights_open(arguments[1], lam_join_parts);
  const struct lam_entry *entry = weights ? lam_weights_find(weights, arguments[2]) : NULL;
  if (!entry) return printf("%s has no tensor %s\n", arguments[1], arguments[2]), 1;

  char shape[256] = "";
  for (int k = 0; k < entry->rank; k++)
    snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%lld", k ? "x" : "", (long long)entry->shape[k]);
  const int64_t size = lam_count(entry->shape, entry->rank);
  if (strcmp(*shape ? shape : "1", arguments[3]) || size != count - 5)
    return printf("%s has the shape %s, and %s with %d numbers is expected\n", arguments[2], shape, arguments[3],
                  count - 5),
           1;

  const bool real = strchr(entry->type_name, 'F') != NULL;
  void *data = lam_allocate(size, sizeof(double));
  const enum lam_type type = real ? LAM_TYPE_REAL : LAM_TYPE_INTEGER;
  if (!lam_weights_read(weights, entry, type, data)) return 1;
  int wrong = 0;
  for (int64_t i = 0; i < size; i++) {
    const double got = lam_get(data, type, i), expected = strtod(arguments[5 + i], NULL);
    if (is_near(got, expected, strtod(arguments[4], NULL))) continue;
    if (wrong++ < 10)
      printf("%s: element %lld is %.9g, expected %s\n", arguments[2], (long long)i, got, arguments[5 + i]);
  }
  return wrong != 0;
}
