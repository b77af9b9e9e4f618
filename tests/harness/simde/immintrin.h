/* The intrinsics of x86-64, and those of AVX-VNNI for processors without it, by what they mean. */
#ifndef TESTS_HARNESS_SIMDE_IMMINTRIN_H
#define TESTS_HARNESS_SIMDE_IMMINTRIN_H

#include_next <immintrin.h>
#include <stdint.h>

/* Each 32-bit lane plus the products of its four bytes, without sign in x and with one in y, modulo 2^32. */
__attribute__((target("avx2"))) static inline __m256i meaning_of_dpbusd(__m256i sum, __m256i x, __m256i y) {
  uint32_t sums[8];
  uint8_t left[32];
  int8_t right[32];
  _mm256_storeu_si256((__m256i *)sums, sum);
  _mm256_storeu_si256((__m256i *)left, x);
  _mm256_storeu_si256((__m256i *)right, y);
  for (int i = 0; i < 32; i++) sums[i / 4] += (uint32_t)(left[i] * right[i]);
  return _mm256_loadu_si256((const __m256i *)sums);
}
#undef _mm256_dpbusd_avx_epi32
#define _mm256_dpbusd_avx_epi32(sum, x, y) meaning_of_dpbusd(sum, x, y)

#endif
