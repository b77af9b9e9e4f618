#include "codegen/c_helpers.h"

#include <stddef.h>


static const struct helper helpers[] = {
    /* --- Numbers and bits --- */
    {NULL, "lam_bits",
     "int32_t lam_bits(float x) {\n"
     "  int32_t bits;\n"
     "  memcpy(&bits, &x, sizeof bits);\n"
     "  return bits;\n"
     "}\n"},
    {NULL, "lam_real_of_bits",
     "float lam_real_of_bits(int32_t bits) {\n"
     "  float x;\n"
     "  memcpy(&x, &bits, sizeof x);\n"
     "  return x;\n"
     "}\n"},
    {NULL, "lam_max", "$R lam_max($R x, $R y) { return x > y ? x : y; }\n"},
    {NULL, "lam_min", "$R lam_min($R x, $R y) { return x < y ? x : y; }\n"},
    {NULL, "lam_max_int", "int64_t lam_max_int(int64_t x, int64_t y) { return x > y ? x : y; }\n"},
    {NULL, "lam_min_int", "int64_t lam_min_int(int64_t x, int64_t y) { return x < y ? x : y; }\n"},
    {NULL, "lam_abs_int", "int64_t lam_abs_int(int64_t x) { return x < 0 ? -x : x; }\n"},
    {NULL, "lam_quotient",
     "int64_t lam_quotient(int64_t x, int64_t y) { return x / y - (x % y != 0 && (x < 0) != (y < 0)); }\n"},
    {NULL, "lam_mod",
     "int64_t lam_mod(int64_t x, int64_t y) {\n"
     "  const int64_t rest = x % y;\n"
     "  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;\n"
     "}\n"},
    {NULL, "lam_mod_real", "$R lam_mod_real($R x, $R y) { return x - y * $M(floor)(x / y); }\n"},
    {NULL, "lam_pow", "float lam_pow(float x, float y) { return (float)pow(x, y); }\n"},
    {NULL, "lam_round_within",
     "/* To a whole number, halves to even, and not beyond low or high. */\n"
     "$R lam_round_within($R x, double low, double high) {\n"
     "  const double whole = rint((double)x);\n"
     "  return ($R)(whole < low ? low : whole > high ? high : whole);\n"
     "}\n"},
    {NULL, "lam_round_to",
     "/* To a binary float of `bits` of mantissa whose least number is 2^least, halves to even; past its range infinity. */\n"
     "double lam_round_to(double x, int bits, int least) {\n"
     "  int exponent;\n"
     "  if (x == 0.0 || !isfinite(x)) return x;\n"
     "  frexp(x, &exponent);\n"
     "  const double unit = ldexp(1.0, exponent - bits > least ? exponent - bits : least);\n"
     "  const double y = rint(x / unit) * unit, largest = bits == 11 ? 65504.0 : 0x1.fep127;\n"
     "  return fabs(y) > largest ? copysign(INFINITY, y) : y;\n"
     "}\n"},

    /* --- Vectors in memory --- */
    {NULL, "lam_fold_add_array",
     "/* Lane i with lane i + half, until one is left. */\n"
     "$R lam_fold_add_array(const $R *x, int lanes) {\n"
     "  $R sums[64];\n"
     "  for (int i = 0; i < lanes; i++) sums[i] = x[i];\n"
     "  for (int half = lanes / 2; half > 0; half /= 2)\n"
     "    for (int i = 0; i < half; i++) sums[i] += sums[i + half];\n"
     "  return sums[0];\n"
     "}\n"},
    {NULL, "lam_fold_max_array",
     "$R lam_fold_max_array(const $R *x, int lanes) {\n"
     "  $R largest = x[0];\n"
     "  for (int i = 1; i < lanes; i++) largest = x[i] > largest ? x[i] : largest;\n"
     "  return largest;\n"
     "}\n"},

    /* --- Random numbers --- */
    {NULL, "lam_random_words",
     "/* Philox 4x32-10 (Salmon et al., \"Parallel random numbers: as easy as 1, 2, 3\", SC 2011): words 0 and 1. */\n"
     "void lam_random_words(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element, uint32_t words[2]) {\n"
     "  uint32_t a = step, b = example, c = (uint32_t)element, d = (uint32_t)(element >> 32);\n"
     "  for (int i = 0; i < 10; i++) {\n"
     "    const uint64_t even = (uint64_t)0xD2511F53u * a, odd = (uint64_t)0xCD9E8D57u * c;\n"
     "    a = (uint32_t)(odd >> 32) ^ b ^ seed;\n"
     "    c = (uint32_t)(even >> 32) ^ d ^ stream;\n"
     "    b = (uint32_t)odd;\n"
     "    d = (uint32_t)even;\n"
     "    seed += 0x9E3779B9u;\n"
     "    stream += 0xBB67AE85u;\n"
     "  }\n"
     "  words[0] = a, words[1] = b;\n"
     "}\n"},
    {NULL, "lam_draw_uniform",
     "$R lam_draw_uniform(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element) {\n"
     "  uint32_t words[2];\n"
     "  lam_random_words(seed, stream, step, example, element, words);\n"
     "  return ($R)(words[0] >> 8) / 16777216;\n"
     "}\n"},
    {NULL, "lam_draw_normal",
     "$R lam_draw_normal(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element) {\n"
     "  uint32_t words[2];\n"
     "  lam_random_words(seed, stream, step, example, element, words);\n"
     "  const double u = 1.0 - (words[0] >> 8) / 16777216.0, v = (words[1] >> 8) / 16777216.0;\n"
     "  return ($R)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));\n"
     "}\n"},

    /* --- AVX2 --- */
    {"avx2", "lam_not", "__m256 lam_not(__m256 mask) { return _mm256_xor_ps(mask, _mm256_castsi256_ps(_mm256_set1_epi32(-1))); }\n"},
    {"avx2", "lam_lane_numbers", "__m256i lam_lane_numbers(void) { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }\n"},
    {"avx2", "lam_first_lanes",
     "/* The mask of the first `count` lanes. */\n"
     "__m256 lam_first_lanes(int64_t count) {\n"
     "  const int32_t lanes = (int32_t)(count < 0 ? 0 : count > 8 ? 8 : count);\n"
     "  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), lam_lane_numbers()));\n"
     "}\n"},
    {"avx2", "lam_load_mask",
     "__m256 lam_load_mask(const uint8_t *p) {\n"
     "  const __m256i x = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));\n"
     "  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(x, _mm256_setzero_si256()));\n"
     "}\n"},
    {"avx2", "lam_load_mask_masked",
     "__m256 lam_load_mask_masked(const uint8_t *p, __m256 on) {\n"
     "  const int lanes = _mm256_movemask_ps(on);\n"
     "  int32_t x[8];\n"
     "  for (int i = 0; i < 8; i++) x[i] = lanes >> i & 1 ? -(p[i] != 0) : 0;\n"
     "  return _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)x));\n"
     "}\n"},
    {"avx2", "lam_store_mask_masked",
     "void lam_store_mask_masked(uint8_t *p, __m256 on, __m256 mask) {\n"
     "  const int lanes = _mm256_movemask_ps(on), bits = _mm256_movemask_ps(mask);\n"
     "  for (int i = 0; i < 8; i++)\n"
     "    if (lanes >> i & 1) p[i] = bits >> i & 1;\n"
     "}\n"},
    {"avx2", "lam_store_mask",
     "void lam_store_mask(uint8_t *p, __m256 mask) {\n"
     "  const int bits = _mm256_movemask_ps(mask);\n"
     "  for (int i = 0; i < 8; i++) p[i] = bits >> i & 1;\n"
     "}\n"},
    {"avx2", "lam_fold_add",
     "/* All lanes: lane i with lane i + half, until one is left. */\n"
     "float lam_fold_add(__m256 x) {\n"
     "  __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));\n"
     "  y = _mm_add_ps(y, _mm_movehl_ps(y, y));\n"
     "  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));\n"
     "}\n"},
    {"avx2", "lam_fold_max",
     "float lam_fold_max(__m256 x) {\n"
     "  __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));\n"
     "  y = _mm_max_ps(y, _mm_movehl_ps(y, y));\n"
     "  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));\n"
     "}\n"},

    /* --- AVX-512 --- */
    {"avx512", "lam_lane_numbers",
     "__m512i lam_lane_numbers(void) {\n"
     "  return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);\n"
     "}\n"},
    {"avx512", "lam_first_lanes",
     "/* The mask of the first `count` lanes. */\n"
     "__mmask16 lam_first_lanes(int64_t count) {\n"
     "  return (__mmask16)(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);\n"
     "}\n"},
    {"avx512", "lam_load_mask",
     "__mmask16 lam_load_mask(const uint8_t *p) {\n"
     "  const __m128i x = _mm_loadu_si128((const __m128i *)p);\n"
     "  return _mm_test_epi8_mask(x, x);\n"
     "}\n"},
    {"avx512", "lam_load_mask_masked",
     "__mmask16 lam_load_mask_masked(const uint8_t *p, __mmask16 on) {\n"
     "  const __m128i x = _mm_maskz_loadu_epi8(on, p);\n"
     "  return _mm_test_epi8_mask(x, x);\n"
     "}\n"},
    {"avx512", "lam_select_mask",
     "__mmask16 lam_select_mask(__mmask16 mask, __mmask16 x, __mmask16 y) { return (__mmask16)((mask & x) | (~mask & y)); }\n"},
    {"avx512", "lam_fold_add",
     "/* All lanes: lane i with lane i + half, until one is left. */\n"
     "float lam_fold_add(__m512 x) {\n"
     "  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));\n"
     "  __m128 y = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));\n"
     "  y = _mm_add_ps(y, _mm_movehl_ps(y, y));\n"
     "  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));\n"
     "}\n"},
    {"avx512", "lam_fold_max",
     "float lam_fold_max(__m512 x) {\n"
     "  const __m256 half = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));\n"
     "  __m128 y = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));\n"
     "  y = _mm_max_ps(y, _mm_movehl_ps(y, y));\n"
     "  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));\n"
     "}\n"},
};

const struct helper *helper_at(int number) {
  return number >= 0 && (size_t)number < sizeof helpers / sizeof *helpers ? &helpers[number] : NULL;
}
