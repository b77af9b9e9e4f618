/* The products of W6 by OpenBLAS, from the PyPI package scipy-openblas32. */
#include "bench/contract/contract.h"

#include <cblas.h>
#include <stddef.h>

void *contract_prepare(const struct product *product, const float *x, const float *w, float *c) {
  (void)product, (void)x, (void)w, (void)c;
  return NULL;
}

void contract(void *prepared, const struct product *p, const float *x, const float *w, float *c) {
  (void)prepared;
  int m = (int)p->m, k = (int)p->k, n = (int)p->n;
  scipy_cblas_sgemm(CblasRowMajor, p->layout == 'g' ? CblasTrans : CblasNoTrans,
                    p->layout == 't' ? CblasTrans : CblasNoTrans, m, n, k, 1, x, p->layout == 'g' ? m : k, w,
                    p->layout == 't' ? k : n, 0, c, n);
}
