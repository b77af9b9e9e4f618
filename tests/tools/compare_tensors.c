/* compare_tensors EXPECTED GOT TOLERANCE PAIRS: compares tensors of two safetensors files. Each line of PAIRS names a
   tensor of EXPECTED, one of GOT, and the order in which GOT's axes are to be taken: "q transformer.h.0.q 0 2 1 3".
   Elements are compared in that order, whatever the shapes; equal infinities are equal. Prints the differences; the
   exit status is 1 if there are any. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/runtime.h"

static double *contents(struct lam_weights *weights, const char *name, const struct lam_entry **entry, int64_t *count) {
  *entry = lam_weights_find(weights, name);
  if (!*entry) {
    printf("there is no tensor %s\n", name);
    return NULL;
  }
  *count = lam_count((*entry)->shape, (*entry)->rank);
  double *data = lam_allocate(*count, sizeof *data);
  return lam_weights_read(weights, *entry, LAM_TYPE_REAL, data) ? data : NULL;
}

/* Where element number `i` of the permuted tensor lies in `entry`. */
static int64_t permuted(const struct lam_entry *entry, const int *order, int64_t i) {
  int64_t strides[LAM_MAX_RANK], stride = 1, at = 0;
  for (int k = entry->rank - 1; k >= 0; k--) strides[k] = stride, stride *= entry->shape[k];
  for (int k = entry->rank - 1; k >= 0; k--) {
    at += i % entry->shape[order[k]] * strides[order[k]];
    i /= entry->shape[order[k]];
  }
  return at;
}

static bool compare(struct lam_weights *expected, struct lam_weights *got, double tolerance, char *line) {
  char *rest = NULL, *name = strtok_r(line, " \n", &rest), *other = strtok_r(NULL, " \n", &rest), *word;
  if (!name || !other) return true;
  int order[LAM_MAX_RANK], rank = 0;
  while ((word = strtok_r(NULL, " \n", &rest)) && rank < LAM_MAX_RANK) order[rank++] = atoi(word);
  const struct lam_entry *a, *b;
  int64_t count = 0, other_count = 0;
  double *x = contents(expected, name, &a, &count), *y = contents(got, other, &b, &other_count), worst = 0;
  if (!x || !y) return false;
  if (!rank)
    for (; rank < b->rank; rank++) order[rank] = rank;
  if (count != other_count || rank != b->rank) {
    printf("%s has %lld elements, %s has %lld in %d axes\n", name, (long long)count, other, (long long)other_count,
           b->rank);
    return false;
  }
  for (int64_t i = 0; i < count; i++) {
    double u = x[i], v = y[permuted(b, order, i)];
    double difference = u == v ? 0 : fabs(u - v);
    if (!(difference <= worst)) worst = difference;
  }
  free(x);
  free(y);
  if (worst <= tolerance) return true;
  printf("%s and %s differ by %g\n", name, other, worst);
  return false;
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  struct lam_weights *expected = lam_weights_open(arguments[1], lam_join_parts),
                     *got = lam_weights_open(arguments[2], lam_join_parts);
  FILE *pairs = fopen(arguments[4], "r");
  if (!expected || !got || !pairs) return 1;
  char line[512];
  bool good = true;
  int compared = 0;
  for (; fgets(line, sizeof line, pairs); compared++)
    if (!compare(expected, got, atof(arguments[3]), line)) good = false;
  fclose(pairs);
  printf("%d tensors compared\n", compared);
  return !good;
}
