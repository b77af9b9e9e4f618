/* Times the products that standard input lists ("NAME LAYOUT M K N" a line) by the contender that this is linked with, and prints
   "NAME<tab>MILLISECONDS" for each: the median of some runs of a call, after one that is not counted. With one row, as in decoding, each call
   has other weights, more of them than a cache holds: a model's weights come from memory for each token. */
#include "bench/contract/contract.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 5, UNCACHED = 1 << 28 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int ascending(const void *x, const void *y) { return (*(const double *)x > *(const double *)y) - (*(const double *)x < *(const double *)y); }

static float *numbers(int64_t count) {
  float *memory = aligned_alloc(64, ((size_t)count * sizeof(float) + 63) / 64 * 64);
  if (!memory) exit(1);
  for (int64_t i = 0; i < count; i++) memory[i] = 0.01f * (float)(i % 97) - 0.5f;
  return memory;
}

/* A few sums in double precision: a product that is wrong is not worth timing. */
static int is_right(const struct product *p, const float *x, const float *w, const float *c) {
  for (int64_t probe = 0; probe < 64; probe++) {
    int64_t i = probe * 7919 % p->m, j = probe * 104729 % p->n;
    double sum = 0;
    for (int64_t k = 0; k < p->k; k++) sum += (double)(p->layout == 'g' ? x[k * p->m + i] : x[i * p->k + k]) * (p->layout == 't' ? w[j * p->k + k] : w[k * p->n + j]);
    if (fabs(sum - (double)c[i * p->n + j]) > 1e-4 * (double)p->k) return fprintf(stderr, "%s: c[%lld, %lld] is %g, not %g\n", p->name, (long long)i, (long long)j, (double)c[i * p->n + j], sum), 0;
  }
  return 1;
}

int main(void) {
  char name[128];
  struct product p = {.name = name};
  long long m, k, n;
  while (scanf("%127s %c %lld %lld %lld", name, &p.layout, &m, &k, &n) == 5) {
    p.m = m, p.k = k, p.n = n;
    int64_t size = k * n, copies = m > 1 ? 1 : 1 + UNCACHED / (size * (int64_t)sizeof(float)), call = 0;
    float *x = numbers(m * k), *w = numbers(copies * size), *c = numbers(m * n);
    void *prepared = contract_prepare(&p, x, w, c);
    contract(prepared, &p, x, w, c);
    if (!is_right(&p, x, w, c)) return 1;
    int64_t repeats = 1;
    double seconds[RUNS], spent = 0;
    for (;; repeats *= 2) {
      double start = now();
      for (int64_t i = 0; i < repeats; i++) contract(prepared, &p, x, w + call++ % copies * size, c);
      spent = now() - start;
      if (spent > 0.004) break;
    }
    for (int run = 0; run < RUNS; run++) {
      double start = now();
      for (int64_t i = 0; i < repeats; i++) contract(prepared, &p, x, w + call++ % copies * size, c);
      seconds[run] = (now() - start) / (double)repeats;
    }
    qsort(seconds, RUNS, sizeof *seconds, ascending);
    printf("%s\t%.6f\n", name, 1000 * seconds[RUNS / 2]);
    fflush(stdout);
    free(x), free(w), free(c);
  }
  return 0;
}
