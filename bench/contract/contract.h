/* A contender of W6 defines these functions for time.c: one product of float32 matrices, c[m, n] = sum over k. Layout
   'w': x[m, k] w[k, n]; 't': x[m, k] w[n, k]; 'g': x[k, m] w[k, n]. All are contiguous, the last axis innermost. */
#ifndef BENCH_CONTRACT_H
#define BENCH_CONTRACT_H

#include <stdint.h>

struct product {
  const char *name;
  char layout;
  int64_t m, k, n;
};

/* Prepares whatever may be prepared once for a shape, as a framework would, and returns what `contract` is given. It may not keep a copy of
   the weights in another form, since they change with each step. */
void *contract_prepare(const struct product *product, const float *x, const float *w, float *c);
void contract(void *prepared, const struct product *product, const float *x, const float *w, float *c);

#endif
