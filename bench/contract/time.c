/* Times the products that standard input lists ("NAME LAYOUT M K N" a line) by the contender that this program is linked with, and prints
   "NAME<tab>MILLISECONDS" for each: the median over runs of calls, after one call that does not count. With one row, as in decoding, each
   call has other weights, of which there are more than a cache holds: in decoding, weights come from memory for each token. */
#include "bench/contract/contract.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 5, UNCACHED = 1 << 28 };
#define ENOUGH 0.004 /* seconds of calls for one figure */
#define LONG 0.03 /* seconds of a call that is timed three times, not RUNS times */

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int ascending(const void *x, const void *y) {
  return (*(const double *)x > *(const double *)y) - (*(const double *)x < *(const double *)y);
}

static float *numbers(int64_t count) {
  float *memory = aligned_alloc(64, ((size_t)count * sizeof(float) + 63) / 64 * 64);
  if (!memory) exit(1);
  for (int64_t i = 0; i < count; i++) memory[i] = 0.01f * (float)(i % 97) - 0.5f;
  return memory;
}

/* Checks a few elements by sums in double precision: a wrong product is not worth timing. */
static int is_right(const struct product *p, const float *x, const float *w, const float *c) {
  for (int64_t probe = 0; probe < 64; probe++) {
    int64_t i = probe * 7919 % p->m, j = probe * 104729 % p->n;
    double sum = 0, sizes = 0;
    for (int64_t k = 0; k < p->k; k++) {
      double product = (double)(p->layout == 'g' ? x[k * p->m + i] : x[i * p->k + k]) *
                       (p->layout == 't' ? w[j * p->k + k] : w[k * p->n + j]);
      sum += product, sizes += fabs(product);
    }
    /* The error of rounding grows with about the root of k. A product of some thousand terms that misses one is further
       off. */
    if (fabs(sum - (double)c[i * p->n + j]) > 8 * sqrt((double)p->k) * FLT_EPSILON * sizes)
      return fprintf(stderr, "%s: c[%lld, %lld] is %g, not %g\n", p->name, (long long)i, (long long)j,
                     (double)c[i * p->n + j], sum),
             0;
  }
  return 1;
}

struct timed {
  struct product product;
  void *prepared;
  float *x, *w, *c;
  int64_t weights, copies, calls;
};

/* The mean seconds of a call, over `repeats` calls in a row. */
static double time_calls(struct timed *timed, int64_t repeats) {
  double start = now();
  for (int64_t i = 0; i < repeats; i++)
    contract(timed->prepared, &timed->product, timed->x, timed->w + timed->calls++ % timed->copies * timed->weights,
             timed->c);
  return (now() - start) / (double)repeats;
}

static double median_call(struct timed *timed, double first) {
  int runs = first < LONG ? RUNS : 3;
  double seconds[RUNS];
  int64_t repeats = 1;
  if (first < LONG)
    while (time_calls(timed, repeats) * (double)repeats < ENOUGH) repeats *= 2;
  for (int run = 0; run < runs; run++) seconds[run] = time_calls(timed, repeats);
  qsort(seconds, (size_t)runs, sizeof *seconds, ascending);
  return seconds[runs / 2];
}

int main(void) {
  char name[128];
  struct timed timed = {.product = {.name = name}};
  struct product *p = &timed.product;
  long long m, k, n;
  while (scanf("%127s %c %lld %lld %lld", name, &p->layout, &m, &k, &n) == 5) {
    p->m = m, p->k = k, p->n = n;
    timed.weights = k * n, timed.copies = m > 1 ? 1 : 1 + UNCACHED / (k * n * (int64_t)sizeof(float)), timed.calls = 0;
    timed.x = numbers(m * k), timed.w = numbers(timed.copies * timed.weights), timed.c = numbers(m * n);
    timed.prepared = contract_prepare(p, timed.x, timed.w, timed.c);
    double first = time_calls(&timed, 1);
    if (!is_right(p, timed.x, timed.w, timed.c)) return 1;
    printf("%s\t%.6f\n", name, 1000 * median_call(&timed, first));
    fflush(stdout);
    free(timed.x), free(timed.w), free(timed.c);
  }
  return 0;
}
