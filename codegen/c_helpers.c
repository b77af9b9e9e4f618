#include "codegen/c_helpers.h"

#include <stddef.h>

static const struct helper helpers[] = {
    /* --- Numbers and bits --- */
    {NULL, "lam_bits", NULL, "int32_t lam_bits(float x)",
     "  int32_t bits;\n"
     "  memcpy(&bits, &x, sizeof bits);\n"
     "  return bits;\n"},
    {NULL, "lam_real_of_bits", NULL, "float lam_real_of_bits(int32_t bits)",
     "  float x;\n"
     "  memcpy(&x, &bits, sizeof x);\n"
     "  return x;\n"},
    {NULL, "lam_max", NULL, "$R lam_max($R x, $R y)", "return x > y ? x : y;"},
    {NULL, "lam_min", NULL, "$R lam_min($R x, $R y)", "return x < y ? x : y;"},
    {NULL, "lam_max_int", NULL, "int64_t lam_max_int(int64_t x, int64_t y)", "return x > y ? x : y;"},
    {NULL, "lam_min_int", NULL, "int64_t lam_min_int(int64_t x, int64_t y)", "return x < y ? x : y;"},
    {NULL, "lam_abs_int", NULL, "int64_t lam_abs_int(int64_t x)", "return x < 0 ? -x : x;"},
    {NULL, "lam_quotient", NULL, "int64_t lam_quotient(int64_t x, int64_t y)",
     "return y ? x / y - (x % y != 0 && (x < 0) != (y < 0)) : 0;"},
    {NULL, "lam_mod", NULL, "int64_t lam_mod(int64_t x, int64_t y)",
     "  const int64_t rest = y ? x % y : 0;\n"
     "  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;\n"},
    {NULL, "lam_mod_real",
     "In [0, y): where adding y rounds to y, the number before it. No test is one that gcc drops under -ffast-math.",
     "$R lam_mod_real($R x, $R y)",
     "  $R (*volatile library)($R, $R) = $M(fmod); /* gcc's own lacks NaN there */\n"
     "  const $R rest = library(x, y), sum = rest + y;\n"
     "  if ((rest > 0 && y > 0) || (rest < 0 && y < 0)) return rest;\n"
     "  if (rest > 0 || rest < 0) return sum == y && isfinite(y) ? $M(nextafter)(y, 0) : sum;\n"
     "  return rest + 0;\n"},
    {NULL, "lam_whole", "A whole number as an integer, or the nearest there is; of NaN the least.",
     "int32_t lam_whole($R x)",
     "return (double)x >= 2147483648.0 ? INT32_MAX : (double)x >= -2147483648.0 ? (int32_t)x : INT32_MIN;"},
    {NULL, "lam_pow", NULL, "float lam_pow(float x, float y)", "return (float)pow((double)x, (double)y);"},
    {NULL, "lam_round_within", "To a whole number, halves to even, and not beyond low or high.",
     "$R lam_round_within($R x, double low, double high)",
     "  const double whole = rint((double)x);\n"
     "  return ($R)(whole < low ? low : whole > high ? high : whole);\n"},
    {NULL, "lam_round_random_to", "To bf16, away from 0 where u is less than the share of a step that this cuts off.",
     "double lam_round_random_to(double x, double u)",
     "  int exponent;\n"
     "  if (x == 0.0 || !isfinite(x)) return x;\n"
     "  frexp(x, &exponent);\n"
     "  const double unit = ldexp(1.0, exponent - 8 > -133 ? exponent - 8 : -133), steps = fabs(x) / unit;\n"
     "  const double rest = steps - floor(steps), y = (steps - rest + (rest > 0.0 && u < rest ? 1.0 : 0.0)) * unit;\n"
     "  return copysign(y < 0x1.fep127 ? y : 0x1.fep127, x);\n"},
    {NULL, "lam_round_to",
     "To a binary float of `bits` of mantissa whose least number is 2^least, halves to even; past its range infinity.",
     "double lam_round_to(double x, int bits, int least)",
     "  int exponent;\n"
     "  if (x == 0.0 || !isfinite(x)) return x;\n"
     "  frexp(x, &exponent);\n"
     "  const double unit = ldexp(1.0, exponent - bits > least ? exponent - bits : least);\n"
     "  const double y = rint(x / unit) * unit, largest = bits == 11 ? 65504.0 : 0x1.fep127;\n"
     "  return fabs(y) > largest ? copysign((double)INFINITY, y) : y;\n"},

    /* --- Vectors in memory --- */
    {NULL, "lam_fold_add_array", "Lane i with lane i + half, until one is left.",
     "$R lam_fold_add_array(const $R *x, int lanes)",
     "  $R sums[64];\n"
     "  for (int i = 0; i < lanes; i++) sums[i] = x[i];\n"
     "  for (int half = lanes / 2; half > 0; half /= 2)\n"
     "    for (int i = 0; i < half; i++) sums[i] += sums[i + half];\n"
     "  return sums[0];\n"},
    {NULL, "lam_fold_add_ints", NULL, "int32_t lam_fold_add_ints(const int32_t *x, int lanes)",
     "  uint32_t sum = 0;\n"
     "  for (int i = 0; i < lanes; i++) sum += (uint32_t)x[i];\n"
     "  return (int32_t)sum;\n"},
    {NULL, "lam_fold_max_array", "In the same order, since a zero of either sign is the larger one.",
     "$R lam_fold_max_array(const $R *x, int lanes)",
     "  $R most[64];\n"
     "  for (int i = 0; i < lanes; i++) most[i] = x[i];\n"
     "  for (int half = lanes / 2; half > 0; half /= 2)\n"
     "    for (int i = 0; i < half; i++) most[i] = most[i] > most[i + half] ? most[i] : most[i + half];\n"
     "  return most[0];\n"},
    {NULL, "lam_order_of", "Bits in the order of the numbers; -0 has those of 0.", "uint64_t lam_order_of($R x)",
     "  const double wide = (double)x;\n"
     "  uint64_t bits;\n"
     "  memcpy(&bits, &wide, sizeof bits);\n"
     "  if (bits << 1 == 0) bits = 0;\n"
     "  return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;\n"},
    {NULL, "lam_number_of", NULL, "double lam_number_of(uint64_t order)",
     "  const uint64_t bits = order >> 63 ? order & ~((uint64_t)1 << 63) : ~order;\n"
     "  double x;\n"
     "  memcpy(&x, &bits, sizeof x);\n"
     "  return x;\n"},
    {NULL, "lam_quantile",
     "The element of the rank q (count - 1), or between two ranks the number between their elements; NaN where one is "
     "NaN. The "
     "element is found byte by byte of its bits: how many begin with each byte tells which byte is its.",
     "$R lam_quantile(const $R *x, int64_t count, $R q)",
     "  const float share = (float)(q > 0 ? q < 1 ? q : 1 : 0);\n"
     "  const double last = (double)(count - 1);\n"
     "  const double rank = count > 16777216 ? (double)share * last : (double)(share * (float)last);\n"
     "  const int lowest = sizeof *x == sizeof(float) ? 24 : 0; /* converted floats differ in no bit below */\n"
     "  int64_t before = (int64_t)rank, equal = 0;\n"
     "  const double weight = rank - (double)before;\n"
     "  uint64_t order = 0, next = UINT64_MAX;\n"
     "  for (int shift = 56; shift >= lowest; shift -= 8) {\n"
     "    int64_t counts[256] = {0};\n"
     "    for (int64_t i = 0; i < count; i++) {\n"
     "      const uint64_t own = lam_order_of(x[i]);\n"
     "      if (own > 0xfff0000000000000u || own < 0x000fffffffffffffu) return x[i];\n"
     "      if ((own ^ order) >> shift >> 8 == 0) counts[own >> shift & 255]++;\n"
     "    }\n"
     "    int byte = 0;\n"
     "    while (before >= counts[byte]) before -= counts[byte++];\n"
     "    order |= (uint64_t)byte << shift;\n"
     "    equal = counts[byte];\n"
     "  }\n"
     "  if (!(order >> 63)) order |= ((uint64_t)1 << lowest) - 1;\n"
     "  const double lower = lam_number_of(order);\n"
     "  if (weight <= 0 || before + 1 < equal) return ($R)lower;\n"
     "  for (int64_t i = 0; i < count; i++) {\n"
     "    const uint64_t own = lam_order_of(x[i]);\n"
     "    if (own > order && own < next) next = own;\n"
     "  }\n"
     "  const double upper = lam_number_of(next), apart = upper - lower;\n"
     "  return ($R)(weight < 0.5 ? lower + weight * apart : upper - apart * (1 - weight));\n"},

    /* --- Random numbers --- */
    {NULL, "lam_random_words",
     "Philox 4x32-10 (Salmon et al., \"Parallel random numbers: as easy as 1, 2, 3\", SC 2011): words 0 and 1.",
     "void lam_random_words(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element, "
     "uint32_t words[2])",
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
     "  words[0] = a, words[1] = b;\n"},
    {NULL, "lam_draw_uniform", NULL,
     "$R lam_draw_uniform(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element)",
     "  uint32_t words[2];\n"
     "  lam_random_words(seed, stream, step, example, element, words);\n"
     "  return ($R)(words[0] >> 8) / 16777216;\n"},
    {NULL, "lam_draw_normal", NULL,
     "$R lam_draw_normal(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element)",
     "  uint32_t words[2];\n"
     "  lam_random_words(seed, stream, step, example, element, words);\n"
     "  const double u = 1.0 - (words[0] >> 8) / 16777216.0, v = (words[1] >> 8) / 16777216.0;\n"
     "  return ($R)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));\n"},

    /* --- AVX2 --- */
    {"avx2", "lam_not", NULL, "__m256 lam_not(__m256 mask)",
     "return _mm256_xor_ps(mask, _mm256_castsi256_ps(_mm256_set1_epi32(-1)));"},
    {"avx2", "lam_lane_numbers", NULL, "__m256i lam_lane_numbers(void)",
     "return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);"},
    {"avx2", "lam_first_lanes", "The mask of the first `count` lanes.", "__m256 lam_first_lanes(int64_t count)",
     "  const int32_t lanes = (int32_t)(count < 0 ? 0 : count > 8 ? 8 : count);\n"
     "  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(lanes), lam_lane_numbers()));\n"},
    {"avx2", "lam_load_mask", NULL, "__m256 lam_load_mask(const uint8_t *p)",
     "  const __m256i x = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));\n"
     "  return _mm256_castsi256_ps(_mm256_cmpgt_epi32(x, _mm256_setzero_si256()));\n"},
    {"avx2", "lam_load_mask_masked", NULL, "__m256 lam_load_mask_masked(const uint8_t *p, __m256 on)",
     "  const int lanes = _mm256_movemask_ps(on);\n"
     "  int32_t x[8];\n"
     "  for (int i = 0; i < 8; i++) x[i] = lanes >> i & 1 ? -(p[i] != 0) : 0;\n"
     "  return _mm256_castsi256_ps(_mm256_loadu_si256((const __m256i *)x));\n"},
    {"avx2", "lam_store_mask_masked", NULL, "void lam_store_mask_masked(uint8_t *p, __m256 on, __m256 mask)",
     "  const int lanes = _mm256_movemask_ps(on), bits = _mm256_movemask_ps(mask);\n"
     "  for (int i = 0; i < 8; i++)\n"
     "    if (lanes >> i & 1) p[i] = bits >> i & 1;\n"},
    {"avx2", "lam_store_mask", NULL, "void lam_store_mask(uint8_t *p, __m256 mask)",
     "  const int bits = _mm256_movemask_ps(mask);\n"
     "  for (int i = 0; i < 8; i++) p[i] = bits >> i & 1;\n"},
    {"avx2", "lam_whole_lanes",
     "Converted, what is too large or NaN becomes the least integer, which of large ones the bits turn into the "
     "largest.",
     "__m256i lam_whole_lanes(__m256 x)",
     "  const __m256 large = _mm256_cmp_ps(x, _mm256_set1_ps(2147483648.0f), _CMP_GE_OQ);\n"
     "  return _mm256_xor_si256(_mm256_cvttps_epi32(x), _mm256_castps_si256(large));\n"},
    {"avx2", "lam_fold_add", "All lanes: lane i with lane i + half, until one is left.", "float lam_fold_add(__m256 x)",
     "  __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));\n"
     "  y = _mm_add_ps(y, _mm_movehl_ps(y, y));\n"
     "  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));\n"},
    {"avx2", "lam_fold_add_int", NULL, "int32_t lam_fold_add_int(__m256i x)",
     "  __m128i y = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));\n"
     "  y = _mm_add_epi32(y, _mm_shuffle_epi32(y, 0x4e));\n"
     "  return _mm_cvtsi128_si32(_mm_add_epi32(y, _mm_shuffle_epi32(y, 0xb1)));\n"},
    {"avx2", "lam_fold_max", NULL, "float lam_fold_max(__m256 x)",
     "  __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));\n"
     "  y = _mm_max_ps(y, _mm_movehl_ps(y, y));\n"
     "  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));\n"},
    {"avx2", "lam_multiply_high", "The high halves of 32-bit products.",
     "__m256i lam_multiply_high(__m256i x, __m256i y)",
     "  const __m256i even = _mm256_mul_epu32(x, y);\n"
     "  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), y);\n"
     "  return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);\n"},
    {"avx2", "lam_draw_uniform_lanes", "lam_draw_uniform for `element` and those that follow it, `stride` apart.",
     "__m256 lam_draw_uniform_lanes(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element, "
     "uint32_t stride)",
     "  const __m256i first = _mm256_set1_epi32((int32_t)0xD2511F53u), second = "
     "_mm256_set1_epi32((int32_t)0xCD9E8D57u);\n"
     "  __m256i a = _mm256_set1_epi32((int32_t)step), b = _mm256_set1_epi32((int32_t)example);\n"
     "  __m256i c = _mm256_mullo_epi32(lam_lane_numbers(), _mm256_set1_epi32((int32_t)stride));\n"
     "  c = _mm256_add_epi32(_mm256_set1_epi32((int32_t)(uint32_t)element), c);\n"
     "  const __m256i top = _mm256_set1_epi32(INT32_MIN), start = _mm256_set1_epi32((int32_t)(uint32_t)element);\n"
     "  const __m256i wrapped = _mm256_cmpgt_epi32(_mm256_xor_si256(start, top), _mm256_xor_si256(c, top));\n"
     "  __m256i d = _mm256_sub_epi32(_mm256_set1_epi32((int32_t)(uint32_t)(element >> 32)), wrapped);\n"
     "  for (int i = 0; i < 10; i++) {\n"
     "    const __m256i high = _mm256_xor_si256(d, lam_multiply_high(a, first));\n"
     "    const __m256i low = _mm256_mullo_epi32(a, first);\n"
     "    a = _mm256_xor_si256(_mm256_xor_si256(b, lam_multiply_high(c, second)), _mm256_set1_epi32((int32_t)seed));\n"
     "    b = _mm256_mullo_epi32(c, second);\n"
     "    c = _mm256_xor_si256(high, _mm256_set1_epi32((int32_t)stream));\n"
     "    d = low;\n"
     "    seed += 0x9E3779B9u;\n"
     "    stream += 0xBB67AE85u;\n"
     "  }\n"
     "  return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32(a, 8)), _mm256_set1_ps(1.0f / 16777216));\n"},
    {"avx2", "lam_parts", "One part of 4 numbers from each of 2 rows.", "__m256 lam_parts(const float *x, int64_t row)",
     "  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(x)), _mm_loadu_ps(x + row), 1);\n"},
    {"avx2", "lam_transpose",
     "y[k, lane] = x[lane, k]: four columns at a time, each vector with a part of every fourth row.",
     "void lam_transpose(const float *x, int64_t x_row, float *y, int64_t y_row, int64_t count)",
     "  const int64_t whole = count - count % 4;\n"
     "  for (int64_t k = 0; k < whole; k += 4) {\n"
     "    const __m256 a = lam_parts(x + k, x_row * 4), b = lam_parts(x + x_row + k, x_row * 4);\n"
     "    const __m256 c = lam_parts(x + x_row * 2 + k, x_row * 4), d = lam_parts(x + x_row * 3 + k, x_row * 4);\n"
     "    const __m256d ab_lo = _mm256_castps_pd(_mm256_unpacklo_ps(a, b));\n"
     "    const __m256d cd_lo = _mm256_castps_pd(_mm256_unpacklo_ps(c, d));\n"
     "    const __m256d ab_hi = _mm256_castps_pd(_mm256_unpackhi_ps(a, b));\n"
     "    const __m256d cd_hi = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));\n"
     "    _mm256_storeu_ps(y + k * y_row, _mm256_castpd_ps(_mm256_unpacklo_pd(ab_lo, cd_lo)));\n"
     "    _mm256_storeu_ps(y + (k + 1) * y_row, _mm256_castpd_ps(_mm256_unpackhi_pd(ab_lo, cd_lo)));\n"
     "    _mm256_storeu_ps(y + (k + 2) * y_row, _mm256_castpd_ps(_mm256_unpacklo_pd(ab_hi, cd_hi)));\n"
     "    _mm256_storeu_ps(y + (k + 3) * y_row, _mm256_castpd_ps(_mm256_unpackhi_pd(ab_hi, cd_hi)));\n"
     "  }\n"
     "  for (int64_t k = whole; k < count; k++)\n"
     "    for (int lane = 0; lane < 8; lane++) y[k * y_row + lane] = x[lane * x_row + k];\n"},

    /* --- AVX-512 --- */
    {"avx512", "lam_lane_numbers", NULL, "__m512i lam_lane_numbers(void)",
     "  return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);\n"},
    {"avx512", "lam_first_lanes", "The mask of the first `count` lanes.", "__mmask16 lam_first_lanes(int64_t count)",
     "  return (__mmask16)(count >= 16 ? 0xffff : count <= 0 ? 0 : (1 << count) - 1);\n"},
    {"avx512", "lam_load_mask", NULL, "__mmask16 lam_load_mask(const uint8_t *p)",
     "  const __m128i x = _mm_loadu_si128((const __m128i *)p);\n"
     "  return _mm_test_epi8_mask(x, x);\n"},
    {"avx512", "lam_load_mask_masked", NULL, "__mmask16 lam_load_mask_masked(const uint8_t *p, __mmask16 on)",
     "  const __m128i x = _mm_maskz_loadu_epi8(on, p);\n"
     "  return _mm_test_epi8_mask(x, x);\n"},
    {"avx512", "lam_select_mask", NULL, "__mmask16 lam_select_mask(__mmask16 mask, __mmask16 x, __mmask16 y)",
     "return (__mmask16)((mask & x) | (~mask & y));"},
    {"avx512", "lam_whole_lanes", "Converted, what is too large or NaN becomes the least integer.",
     "__m512i lam_whole_lanes(__m512 x)",
     "  const __mmask16 large = _mm512_cmp_ps_mask(x, _mm512_set1_ps(2147483648.0f), _CMP_GE_OQ);\n"
     "  return _mm512_mask_mov_epi32(_mm512_cvttps_epi32(x), large, _mm512_set1_epi32(INT32_MAX));\n"},
    {"avx512", "lam_fold_add", "All lanes: lane i with lane i + half, until one is left.",
     "float lam_fold_add(__m512 x)",
     "  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));\n"
     "  __m128 y = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));\n"
     "  y = _mm_add_ps(y, _mm_movehl_ps(y, y));\n"
     "  return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));\n"},
    {"avx512", "lam_fold_max", NULL, "float lam_fold_max(__m512 x)",
     "  const __m256 half = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));\n"
     "  __m128 y = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));\n"
     "  y = _mm_max_ps(y, _mm_movehl_ps(y, y));\n"
     "  return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));\n"},
    {"avx512", "lam_multiply_high", "The high halves of 32-bit products.",
     "__m512i lam_multiply_high(__m512i x, __m512i y)",
     "  const __m512i even = _mm512_mul_epu32(x, y);\n"
     "  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(x, 32), y);\n"
     "  return _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);\n"},
    {"avx512", "lam_draw_uniform_lanes", "lam_draw_uniform for `element` and those that follow it, `stride` apart.",
     "__m512 lam_draw_uniform_lanes(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element, "
     "uint32_t stride)",
     "  const __m512i first = _mm512_set1_epi32((int32_t)0xD2511F53u), second = "
     "_mm512_set1_epi32((int32_t)0xCD9E8D57u);\n"
     "  __m512i a = _mm512_set1_epi32((int32_t)step), b = _mm512_set1_epi32((int32_t)example);\n"
     "  __m512i c = _mm512_mullo_epi32(lam_lane_numbers(), _mm512_set1_epi32((int32_t)stride));\n"
     "  c = _mm512_add_epi32(_mm512_set1_epi32((int32_t)(uint32_t)element), c);\n"
     "  const __m512i start = _mm512_set1_epi32((int32_t)(uint32_t)element);\n"
     "  const __mmask16 wrapped = _mm512_cmplt_epu32_mask(c, start);\n"
     "  __m512i d = _mm512_set1_epi32((int32_t)(uint32_t)(element >> 32));\n"
     "  d = _mm512_mask_add_epi32(d, wrapped, d, _mm512_set1_epi32(1));\n"
     "  for (int i = 0; i < 10; i++) {\n"
     "    const __m512i high = _mm512_xor_si512(d, lam_multiply_high(a, first));\n"
     "    const __m512i low = _mm512_mullo_epi32(a, first);\n"
     "    a = _mm512_xor_si512(_mm512_xor_si512(b, lam_multiply_high(c, second)), _mm512_set1_epi32((int32_t)seed));\n"
     "    b = _mm512_mullo_epi32(c, second);\n"
     "    c = _mm512_xor_si512(high, _mm512_set1_epi32((int32_t)stream));\n"
     "    d = low;\n"
     "    seed += 0x9E3779B9u;\n"
     "    stream += 0xBB67AE85u;\n"
     "  }\n"
     "  return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(a, 8)), _mm512_set1_ps(1.0f / 16777216));\n"},
    {"avx512", "lam_parts", "One part of 4 numbers from each of 4 rows.",
     "__m512 lam_parts(const float *x, int64_t row)",
     "  __m512 parts = _mm512_castps128_ps512(_mm_loadu_ps(x));\n"
     "  parts = _mm512_insertf32x4(parts, _mm_loadu_ps(x + row), 1);\n"
     "  parts = _mm512_insertf32x4(parts, _mm_loadu_ps(x + row * 2), 2);\n"
     "  return _mm512_insertf32x4(parts, _mm_loadu_ps(x + row * 3), 3);\n"},
    {"avx512", "lam_word_parts", "Four words of each of four rows.",
     "__m512i lam_word_parts(const uint8_t *x, int64_t row)",
     "  __m512i parts = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)x));\n"
     "  parts = _mm512_inserti32x4(parts, _mm_loadu_si128((const __m128i *)(x + row)), 1);\n"
     "  parts = _mm512_inserti32x4(parts, _mm_loadu_si128((const __m128i *)(x + row * 2)), 2);\n"
     "  return _mm512_inserti32x4(parts, _mm_loadu_si128((const __m128i *)(x + row * 3)), 3);\n"},
    {"avx512", "lam_transpose",
     "y[k, lane] = x[lane, k]: four columns at a time, each vector with a part of every fourth row.",
     "void lam_transpose(const float *x, int64_t x_row, float *y, int64_t y_row, int64_t count)",
     "  const int64_t whole = count - count % 4;\n"
     "  for (int64_t k = 0; k < whole; k += 4) {\n"
     "    const __m512 a = lam_parts(x + k, x_row * 4), b = lam_parts(x + x_row + k, x_row * 4);\n"
     "    const __m512 c = lam_parts(x + x_row * 2 + k, x_row * 4), d = lam_parts(x + x_row * 3 + k, x_row * 4);\n"
     "    const __m512d ab_lo = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));\n"
     "    const __m512d cd_lo = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));\n"
     "    const __m512d ab_hi = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));\n"
     "    const __m512d cd_hi = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));\n"
     "    _mm512_storeu_ps(y + k * y_row, _mm512_castpd_ps(_mm512_unpacklo_pd(ab_lo, cd_lo)));\n"
     "    _mm512_storeu_ps(y + (k + 1) * y_row, _mm512_castpd_ps(_mm512_unpackhi_pd(ab_lo, cd_lo)));\n"
     "    _mm512_storeu_ps(y + (k + 2) * y_row, _mm512_castpd_ps(_mm512_unpacklo_pd(ab_hi, cd_hi)));\n"
     "    _mm512_storeu_ps(y + (k + 3) * y_row, _mm512_castpd_ps(_mm512_unpackhi_pd(ab_hi, cd_hi)));\n"
     "  }\n"
     "  for (int64_t k = whole; k < count; k++)\n"
     "    for (int lane = 0; lane < 16; lane++) y[k * y_row + lane] = x[lane * x_row + k];\n"},
    {"avx512", "lam_transpose_words", "The same of words of four bytes, whose rows are so many bytes apart.",
     "void lam_transpose_words(const void *x, int64_t x_row, void *y, int64_t y_row, int64_t count)",
     "  const int64_t whole = count - count % 4;\n"
     "  for (int64_t k = 0; k < whole; k += 4) {\n"
     "    const uint8_t *const from = (const uint8_t *)x + k * 4;\n"
     "    uint8_t *const to = (uint8_t *)y + k * y_row;\n"
     "    const __m512i a = lam_word_parts(from, x_row * 4), b = lam_word_parts(from + x_row, x_row * 4);\n"
     "    const __m512i c = lam_word_parts(from + x_row * 2, x_row * 4), d = lam_word_parts(from + x_row * 3, x_row * "
     "4);\n"
     "    const __m512i ab_lo = _mm512_unpacklo_epi32(a, b), cd_lo = _mm512_unpacklo_epi32(c, d);\n"
     "    const __m512i ab_hi = _mm512_unpackhi_epi32(a, b), cd_hi = _mm512_unpackhi_epi32(c, d);\n"
     "    _mm512_storeu_si512(to, _mm512_unpacklo_epi64(ab_lo, cd_lo));\n"
     "    _mm512_storeu_si512(to + y_row, _mm512_unpackhi_epi64(ab_lo, cd_lo));\n"
     "    _mm512_storeu_si512(to + y_row * 2, _mm512_unpacklo_epi64(ab_hi, cd_hi));\n"
     "    _mm512_storeu_si512(to + y_row * 3, _mm512_unpackhi_epi64(ab_hi, cd_hi));\n"
     "  }\n"
     "  for (int64_t k = whole; k < count; k++)\n"
     "    for (int lane = 0; lane < 16; lane++)\n"
     "      memcpy((uint8_t *)y + k * y_row + lane * 4, (const uint8_t *)x + lane * x_row + k * 4, 4);\n"},

    /* --- NEON --- */
    {"neon", "lam_max_lanes", "x > y ? x : y in each lane.", "float32x4_t lam_max_lanes(float32x4_t x, float32x4_t y)",
     "return vbslq_f32(vcgtq_f32(x, y), x, y);"},
    {"neon", "lam_min_lanes", NULL, "float32x4_t lam_min_lanes(float32x4_t x, float32x4_t y)",
     "return vbslq_f32(vcltq_f32(x, y), x, y);"},
    {"neon", "lam_lane_numbers", NULL, "int32x4_t lam_lane_numbers(void)",
     "  static const int32_t numbers[4] = {0, 1, 2, 3};\n"
     "  return vld1q_s32(numbers);\n"},
    {"neon", "lam_first_lanes", "The mask of the first `count` lanes.", "uint32x4_t lam_first_lanes(int64_t count)",
     "  const int32_t lanes = (int32_t)(count < 0 ? 0 : count > 4 ? 4 : count);\n"
     "  return vcltq_s32(lam_lane_numbers(), vdupq_n_s32(lanes));\n"},
    {"neon", "lam_load_masked", "Reads the lanes that are on; the others are 0.",
     "float32x4_t lam_load_masked(const float *p, uint32x4_t on)",
     "  float32x4_t x = vdupq_n_f32(0.0f);\n"
     "  if (vgetq_lane_u32(on, 0)) x = vld1q_lane_f32(p, x, 0);\n"
     "  if (vgetq_lane_u32(on, 1)) x = vld1q_lane_f32(p + 1, x, 1);\n"
     "  if (vgetq_lane_u32(on, 2)) x = vld1q_lane_f32(p + 2, x, 2);\n"
     "  if (vgetq_lane_u32(on, 3)) x = vld1q_lane_f32(p + 3, x, 3);\n"
     "  return x;\n"},
    {"neon", "lam_load_int_masked", NULL, "int32x4_t lam_load_int_masked(const int32_t *p, uint32x4_t on)",
     "  int32x4_t x = vdupq_n_s32(0);\n"
     "  if (vgetq_lane_u32(on, 0)) x = vld1q_lane_s32(p, x, 0);\n"
     "  if (vgetq_lane_u32(on, 1)) x = vld1q_lane_s32(p + 1, x, 1);\n"
     "  if (vgetq_lane_u32(on, 2)) x = vld1q_lane_s32(p + 2, x, 2);\n"
     "  if (vgetq_lane_u32(on, 3)) x = vld1q_lane_s32(p + 3, x, 3);\n"
     "  return x;\n"},
    {"neon", "lam_store_masked", "Writes the lanes that are on.",
     "void lam_store_masked(float *p, uint32x4_t on, float32x4_t x)",
     "  if (vgetq_lane_u32(on, 0)) vst1q_lane_f32(p, x, 0);\n"
     "  if (vgetq_lane_u32(on, 1)) vst1q_lane_f32(p + 1, x, 1);\n"
     "  if (vgetq_lane_u32(on, 2)) vst1q_lane_f32(p + 2, x, 2);\n"
     "  if (vgetq_lane_u32(on, 3)) vst1q_lane_f32(p + 3, x, 3);\n"},
    {"neon", "lam_store_int_masked", NULL, "void lam_store_int_masked(int32_t *p, uint32x4_t on, int32x4_t x)",
     "  if (vgetq_lane_u32(on, 0)) vst1q_lane_s32(p, x, 0);\n"
     "  if (vgetq_lane_u32(on, 1)) vst1q_lane_s32(p + 1, x, 1);\n"
     "  if (vgetq_lane_u32(on, 2)) vst1q_lane_s32(p + 2, x, 2);\n"
     "  if (vgetq_lane_u32(on, 3)) vst1q_lane_s32(p + 3, x, 3);\n"},
    {"neon", "lam_gather", "Reads an element for each lane, from p[at].",
     "float32x4_t lam_gather(const float *p, int32x4_t at)",
     "  float32x4_t x = vdupq_n_f32(0.0f);\n"
     "  x = vld1q_lane_f32(p + vgetq_lane_s32(at, 0), x, 0);\n"
     "  x = vld1q_lane_f32(p + vgetq_lane_s32(at, 1), x, 1);\n"
     "  x = vld1q_lane_f32(p + vgetq_lane_s32(at, 2), x, 2);\n"
     "  x = vld1q_lane_f32(p + vgetq_lane_s32(at, 3), x, 3);\n"
     "  return x;\n"},
    {"neon", "lam_lookup", "The element of 16 that each lane asks for.",
     "float32x4_t lam_lookup(const float *p, int32x4_t at)",
     "  const uint8_t *const bytes = (const uint8_t *)p;\n"
     "  const uint8x16x4_t all = {{vld1q_u8(bytes), vld1q_u8(bytes + 16), vld1q_u8(bytes + 32), vld1q_u8(bytes + "
     "48)}};\n"
     "  const int32x4_t first = vmulq_n_s32(at, 0x04040404);\n"
     "  const uint8x16_t index = vreinterpretq_u8_s32(vaddq_s32(first, vdupq_n_s32(0x03020100)));\n"
     "  return vreinterpretq_f32_u8(vqtbl4q_u8(all, index));\n"},
    {"neon", "lam_gather_int", NULL, "int32x4_t lam_gather_int(const int32_t *p, int32x4_t at)",
     "  int32x4_t x = vdupq_n_s32(0);\n"
     "  x = vld1q_lane_s32(p + vgetq_lane_s32(at, 0), x, 0);\n"
     "  x = vld1q_lane_s32(p + vgetq_lane_s32(at, 1), x, 1);\n"
     "  x = vld1q_lane_s32(p + vgetq_lane_s32(at, 2), x, 2);\n"
     "  x = vld1q_lane_s32(p + vgetq_lane_s32(at, 3), x, 3);\n"
     "  return x;\n"},
    {"neon", "lam_gather_masked", NULL, "float32x4_t lam_gather_masked(const float *p, int32x4_t at, uint32x4_t on)",
     "  float32x4_t x = vdupq_n_f32(0.0f);\n"
     "  if (vgetq_lane_u32(on, 0)) x = vld1q_lane_f32(p + vgetq_lane_s32(at, 0), x, 0);\n"
     "  if (vgetq_lane_u32(on, 1)) x = vld1q_lane_f32(p + vgetq_lane_s32(at, 1), x, 1);\n"
     "  if (vgetq_lane_u32(on, 2)) x = vld1q_lane_f32(p + vgetq_lane_s32(at, 2), x, 2);\n"
     "  if (vgetq_lane_u32(on, 3)) x = vld1q_lane_f32(p + vgetq_lane_s32(at, 3), x, 3);\n"
     "  return x;\n"},
    {"neon", "lam_gather_int_masked", NULL,
     "int32x4_t lam_gather_int_masked(const int32_t *p, int32x4_t at, uint32x4_t on)",
     "  int32x4_t x = vdupq_n_s32(0);\n"
     "  if (vgetq_lane_u32(on, 0)) x = vld1q_lane_s32(p + vgetq_lane_s32(at, 0), x, 0);\n"
     "  if (vgetq_lane_u32(on, 1)) x = vld1q_lane_s32(p + vgetq_lane_s32(at, 1), x, 1);\n"
     "  if (vgetq_lane_u32(on, 2)) x = vld1q_lane_s32(p + vgetq_lane_s32(at, 2), x, 2);\n"
     "  if (vgetq_lane_u32(on, 3)) x = vld1q_lane_s32(p + vgetq_lane_s32(at, 3), x, 3);\n"
     "  return x;\n"},
    {"neon", "lam_load_mask", NULL, "uint32x4_t lam_load_mask(const uint8_t *p)",
     "  uint32_t bytes;\n"
     "  memcpy(&bytes, p, sizeof bytes);\n"
     "  const uint32x4_t x = vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(bytes))));\n"
     "  return vtstq_u32(x, x);\n"},
    {"neon", "lam_load_mask_masked", NULL, "uint32x4_t lam_load_mask_masked(const uint8_t *p, uint32x4_t on)",
     "  uint32_t x[4];\n"
     "  vst1q_u32(x, on);\n"
     "  for (int i = 0; i < 4; i++) x[i] = x[i] && p[i] ? 0xffffffff : 0;\n"
     "  return vld1q_u32(x);\n"},
    {"neon", "lam_store_mask", NULL, "void lam_store_mask(uint8_t *p, uint32x4_t mask)",
     "  const uint16x4_t x = vmovn_u32(vshrq_n_u32(mask, 31));\n"
     "  const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(x, x))), 0);\n"
     "  memcpy(p, &bytes, sizeof bytes);\n"},
    {"neon", "lam_store_mask_masked", NULL, "void lam_store_mask_masked(uint8_t *p, uint32x4_t on, uint32x4_t mask)",
     "  uint32_t lanes[4], x[4];\n"
     "  vst1q_u32(lanes, on);\n"
     "  vst1q_u32(x, mask);\n"
     "  for (int i = 0; i < 4; i++)\n"
     "    if (lanes[i]) p[i] = x[i] != 0;\n"},
    {"neon", "lam_whole_lanes", "Converted, what is too large becomes the largest integer there is, and NaN the least.",
     "int32x4_t lam_whole_lanes(float32x4_t x)",
     "return vbslq_s32(vceqq_f32(x, x), vcvtq_s32_f32(x), vdupq_n_s32(INT32_MIN));"},
    {"neon", "lam_fold_add", "All lanes: lane i with lane i + half, until one is left.",
     "float lam_fold_add(float32x4_t x)",
     "  const float32x2_t y = vadd_f32(vget_low_f32(x), vget_high_f32(x));\n"
     "  return vget_lane_f32(y, 0) + vget_lane_f32(y, 1);\n"},
    {"neon", "lam_fold_max", NULL, "float lam_fold_max(float32x4_t x)",
     "  const float32x2_t low = vget_low_f32(x), high = vget_high_f32(x);\n"
     "  const float32x2_t y = vbsl_f32(vcgt_f32(low, high), low, high);\n"
     "  const float first = vget_lane_f32(y, 0), second = vget_lane_f32(y, 1);\n"
     "  return first > second ? first : second;\n"},
    {"neon", "lam_multiply_high", "The high halves of 32-bit products.",
     "uint32x4_t lam_multiply_high(uint32x4_t x, uint32x4_t y)",
     "  const uint64x2_t low = vmull_u32(vget_low_u32(x), vget_low_u32(y)), high = vmull_high_u32(x, y);\n"
     "  return vuzp2q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high));\n"},
    {"neon", "lam_draw_uniform_lanes", "lam_draw_uniform for `element` and those that follow it, `stride` apart.",
     "float32x4_t lam_draw_uniform_lanes(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, "
     "uint64_t element, uint32_t stride)",
     "  const uint32x4_t first = vdupq_n_u32(0xD2511F53u), second = vdupq_n_u32(0xCD9E8D57u);\n"
     "  const uint32x4_t start = vdupq_n_u32((uint32_t)element);\n"
     "  uint32x4_t a = vdupq_n_u32(step), b = vdupq_n_u32(example);\n"
     "  uint32x4_t c = vmulq_u32(vreinterpretq_u32_s32(lam_lane_numbers()), vdupq_n_u32(stride));\n"
     "  c = vaddq_u32(start, c);\n"
     "  uint32x4_t d = vsubq_u32(vdupq_n_u32((uint32_t)(element >> 32)), vcltq_u32(c, start));\n"
     "  for (int i = 0; i < 10; i++) {\n"
     "    const uint32x4_t high = veorq_u32(d, lam_multiply_high(a, first)), low = vmulq_u32(a, first);\n"
     "    a = veorq_u32(veorq_u32(b, lam_multiply_high(c, second)), vdupq_n_u32(seed));\n"
     "    b = vmulq_u32(c, second);\n"
     "    c = veorq_u32(high, vdupq_n_u32(stream));\n"
     "    d = low;\n"
     "    seed += 0x9E3779B9u;\n"
     "    stream += 0xBB67AE85u;\n"
     "  }\n"
     "  return vmulq_f32(vcvtq_f32_u32(vshrq_n_u32(a, 8)), vdupq_n_f32(1.0f / 16777216));\n"},
    {"neon", "lam_transpose", "y[k, lane] = x[lane, k]: four columns at a time.",
     "void lam_transpose(const float *x, int64_t x_row, float *y, int64_t y_row, int64_t count)",
     "  const int64_t whole = count - count % 4;\n"
     "  for (int64_t k = 0; k < whole; k += 4) {\n"
     "    const float32x4_t a = vld1q_f32(x + k), b = vld1q_f32(x + x_row + k);\n"
     "    const float32x4_t c = vld1q_f32(x + x_row * 2 + k), d = vld1q_f32(x + x_row * 3 + k);\n"
     "    const float64x2_t ab_even = vreinterpretq_f64_f32(vtrn1q_f32(a, b));\n"
     "    const float64x2_t cd_even = vreinterpretq_f64_f32(vtrn1q_f32(c, d));\n"
     "    const float64x2_t ab_odd = vreinterpretq_f64_f32(vtrn2q_f32(a, b));\n"
     "    const float64x2_t cd_odd = vreinterpretq_f64_f32(vtrn2q_f32(c, d));\n"
     "    vst1q_f32(y + k * y_row, vreinterpretq_f32_f64(vzip1q_f64(ab_even, cd_even)));\n"
     "    vst1q_f32(y + (k + 1) * y_row, vreinterpretq_f32_f64(vzip1q_f64(ab_odd, cd_odd)));\n"
     "    vst1q_f32(y + (k + 2) * y_row, vreinterpretq_f32_f64(vzip2q_f64(ab_even, cd_even)));\n"
     "    vst1q_f32(y + (k + 3) * y_row, vreinterpretq_f32_f64(vzip2q_f64(ab_odd, cd_odd)));\n"
     "  }\n"
     "  for (int64_t k = whole; k < count; k++)\n"
     "    for (int lane = 0; lane < 4; lane++) y[k * y_row + lane] = x[lane * x_row + k];\n"},
};

const struct helper *helper_at(int number) {
  const int own = (int)(sizeof helpers / sizeof *helpers), stored = number - own;
  if (number < own) return &helpers[number];
  if (stored < storage_helper_count) return &storage_helpers[stored];
  return stored - storage_helper_count < matrix_helper_count ? &matrix_helpers[stored - storage_helper_count] : NULL;
}
