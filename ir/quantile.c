/* Quantiles by selection. The bits of numbers, taken as whole numbers, have the order of the numbers but for their sign. So the
   element of a rank is found byte by byte: how many numbers have each first byte tells which byte the element has, and so on
   among those that begin like it. That takes as many walks as there are bytes, and no memory. */
#include <string.h>

#include "ir/interpret.h"

/* Up to so many numbers the rank is computed in single precision, as torch.quantile does. */
static const int64_t MOST_SINGLE = 1 << 24;
static const uint64_t SIGN = (uint64_t)1 << 63;

/* Bits in the order of the numbers; -0 has those of 0. */
static uint64_t order_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  if (bits == SIGN) bits = 0;
  return bits & SIGN ? ~bits : bits | SIGN;
}

static double number_of(uint64_t order) {
  const uint64_t bits = order & SIGN ? order ^ SIGN : ~order;
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static double rank_of(double q, int64_t count) {
  const float share = (float)(q > 0 ? q < 1 ? q : 1 : 0);
  const double last = (double)(count - 1);
  return count > MOST_SINGLE ? (double)share * last : (double)(share * (float)last);
}

double quantile_of(const double *x, int64_t count, double q) {
  const double rank = rank_of(q, count);
  int64_t before = (int64_t)rank, equal = 0;
  const double weight = rank - (double)before;
  uint64_t order = 0;
  for (int64_t i = 0; i < count; i++)
    if (x[i] != x[i]) return x[i];
  for (int shift = 56; shift >= 0; shift -= 8) {
    int64_t counts[256] = {0};
    for (int64_t i = 0; i < count; i++) {
      const uint64_t own = order_of(x[i]);
      if (((own ^ order) >> shift >> 8) == 0) counts[own >> shift & 255]++;
    }
    int byte = 0;
    while (before >= counts[byte]) before -= counts[byte++];
    order |= (uint64_t)byte << shift;
    equal = counts[byte];
  }
  const double lower = number_of(order);
  if (weight == 0 || before + 1 < equal) return lower;
  uint64_t next = UINT64_MAX;
  for (int64_t i = 0; i < count; i++) {
    const uint64_t own = order_of(x[i]);
    if (own > order && own < next) next = own;
  }
  const double upper = number_of(next);
  return weight < 0.5 ? lower + weight * (upper - lower) : upper - (upper - lower) * (1 - weight);
}
