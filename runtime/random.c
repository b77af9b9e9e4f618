/* Counter-based random numbers (Salmon et al., "Parallel random numbers", SC 2011). */
#include "runtime/random.h"

#include <math.h>

void lam_philox(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element, uint32_t words[4]) {
  uint32_t a = step, b = example, c = (uint32_t)element, d = (uint32_t)(element >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t even = (uint64_t)0xD2511F53u * a, odd = (uint64_t)0xCD9E8D57u * c;
    a = (uint32_t)(odd >> 32) ^ b ^ seed;
    c = (uint32_t)(even >> 32) ^ d ^ stream;
    b = (uint32_t)odd;
    d = (uint32_t)even;
    seed += 0x9E3779B9u;
    stream += 0xBB67AE85u;
  }
  words[0] = a, words[1] = b, words[2] = c, words[3] = d;
}

double lam_uniform_draw(const uint32_t words[4]) { return (double)(words[0] >> 8) / 16777216.0; }

double lam_normal_draw(const uint32_t words[4]) {
  /* 1 - u lies in (0, 1], so that the logarithm is finite. */
  double u = 1.0 - (double)(words[0] >> 8) / 16777216.0, v = (double)(words[1] >> 8) / 16777216.0;
  return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

int64_t lam_below(const uint32_t words[4], int64_t bound) {
  return (int64_t)(((uint64_t)words[2] << 32 | words[3]) % (uint64_t)bound);
}
