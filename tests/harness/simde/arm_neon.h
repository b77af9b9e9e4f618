/* The intrinsics of NEON for x86-64 with AVX2, FMA and F16C, from SIMDe (Debian's libsimde-dev), and those that its version
   0.7.4 lacks. Without FMA it would round multiply-adds twice, and without F16C clang asks for functions of its own library. */
#ifndef TESTS_HARNESS_SIMDE_ARM_NEON_H
#define TESTS_HARNESS_SIMDE_ARM_NEON_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/arm/neon.h>

#ifndef __FMA__
#error "without -mfma a multiply-add would be rounded twice"
#endif

#ifndef vdivq_f32
static inline float32x4_t vdivq_f32(float32x4_t x, float32x4_t y) { return x / y; }
#endif
/* Each 32-bit lane plus the products of its four bytes, without sign in x and with one in y, modulo 2^32. */
#ifndef vusdotq_s32
static inline int32x4_t vusdotq_s32(int32x4_t sum, uint8x16_t x, int8x16_t y) {
  int32_t sums[4];
  uint8_t left[16];
  int8_t right[16];
  vst1q_s32(sums, sum);
  vst1q_u8(left, x);
  vst1q_s8(right, y);
  for (int i = 0; i < 16; i++) sums[i / 4] = (int32_t)((uint32_t)sums[i / 4] + (uint32_t)(left[i] * right[i]));
  return vld1q_s32(sums);
}
#endif
#ifndef vsqrtq_f32
static inline float32x4_t vsqrtq_f32(float32x4_t x) {
  float lanes[4];
  vst1q_f32(lanes, x);
  for (int i = 0; i < 4; i++) lanes[i] = __builtin_sqrtf(lanes[i]);
  return vld1q_f32(lanes);
}
#endif

#endif
