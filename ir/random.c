#include <math.h>

#include "ir/interpret.h"

void philox(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element, uint32_t words[4]) {
  const uint32_t multiplier_0 = 0xD2511F53u, multiplier_1 = 0xCD9E8D57u; /* from the paper's reference code */
  const uint32_t weyl_0 = 0x9E3779B9u, weyl_1 = 0xBB67AE85u;
  uint32_t key[2] = {seed, stream};
  uint32_t counter[4] = {step, example, (uint32_t)element, (uint32_t)(element >> 32)};
  for (int round = 0; round < 10; round++) {
    uint64_t product_0 = (uint64_t)multiplier_0 * counter[0], product_1 = (uint64_t)multiplier_1 * counter[2];
    uint32_t next[4] = {(uint32_t)(product_1 >> 32) ^ counter[1] ^ key[0], (uint32_t)product_1,
                        (uint32_t)(product_0 >> 32) ^ counter[3] ^ key[1], (uint32_t)product_0};
    for (int i = 0; i < 4; i++) counter[i] = next[i];
    key[0] += weyl_0;
    key[1] += weyl_1;
  }
  for (int i = 0; i < 4; i++) words[i] = counter[i];
}

double random_draw(enum distribution distribution, uint32_t seed, uint32_t stream, uint32_t step, uint32_t example,
                   uint64_t element) {
  uint32_t words[4];
  philox(seed, stream, step, example, element, words);
  double first = (double)(words[0] >> 8) / 16777216.0, second = (double)(words[1] >> 8) / 16777216.0;
  switch (distribution) {
    case DISTRIBUTION_UNIFORM:
      return first;
    /* 1 - first lies in (0, 1], so that the logarithm is finite. */
    case DISTRIBUTION_NORMAL:
      return sqrt(-2.0 * log(1.0 - first)) * cos(6.283185307179586 * second);
  }
  bug("distribution %d", (int)distribution);
}
