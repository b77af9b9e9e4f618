/* Functions that read and write elements narrower than the type they are computed in. What is written is exact in the storage
   (ir/storage.def), so no function here rounds. */
#include "codegen/c_helpers.h"

#include <stddef.h>

/* What helpers that expand rows of bitmaps are for, see STATEMENT_EXPAND. */
#define EXPANDS "Elements of a bitmap: the next of the values where a bit of the masks is set, else 0."
/* Bytes by AVX2's look-up, which AVX-512 has no better one than without VBMI2. */
#define EXPAND_BYTES_BY_EIGHT                                                                 \
  "  const uint8_t *next = values;\n"                                                         \
  "  for (int64_t i = 0; i < count; i += 8) {\n"                                              \
  "    const uint32_t bits = (uint32_t)masks[i / 32] >> i % 32 & 255;\n"                      \
  "    const __m128i places = _mm_cvtsi64_si128((int64_t)lam_places(bits));\n"                \
  "    const __m128i x = _mm_shuffle_epi8(_mm_loadl_epi64((const __m128i *)next), places);\n" \
  "    _mm_storel_epi64((__m128i *)((uint8_t *)to + i), x);\n"                                \
  "    next += __builtin_popcount(bits);\n"                                                   \
  "  }\n"

const struct helper storage_helpers[] = {
    /* --- One element --- */
    {NULL, "lam_from_bf16", NULL, "$R lam_from_bf16(uint16_t bits)",
     "  const uint32_t wide = (uint32_t)bits << 16;\n"
     "  float x;\n"
     "  memcpy(&x, &wide, sizeof x);\n"
     "  return ($R)x;\n"},
    {NULL, "lam_to_bf16", NULL, "uint16_t lam_to_bf16($R x)",
     "  const float single = (float)x;\n"
     "  uint32_t wide;\n"
     "  memcpy(&wide, &single, sizeof wide);\n"
     "  return (uint16_t)(wide >> 16);\n"},
    {NULL, "lam_from_f16", NULL, "$R lam_from_f16(uint16_t bits)",
     "  const uint32_t rest = (uint32_t)(bits & 0x7fff) << 13;\n"
     "  const uint32_t wide = (bits & 0x7c00) == 0x7c00 ? rest | 0x7f800000 : rest + 0x38000000;\n"
     "  float x = (float)(bits & 0x3ff) * 0x1p-24f; /* where it is subnormal */\n"
     "  if (bits & 0x7c00) memcpy(&x, &wide, sizeof x);\n"
     "  return ($R)((bits & 0x8000 ? -1.0f : 1.0f) * x);\n"},
    {NULL, "lam_to_f16", NULL, "uint16_t lam_to_f16($R x)",
     "  const float single = (float)x;\n"
     "  uint32_t wide;\n"
     "  memcpy(&wide, &single, sizeof wide);\n"
     "  const uint32_t sign = wide >> 16 & 0x8000, rest = wide & 0x7fffffff;\n"
     "  if (rest >= 0x7f800000) return (uint16_t)(sign | 0x7c00 | (rest > 0x7f800000 ? 0x200 : 0));\n"
     "  if (rest >= 0x38800000) return (uint16_t)(sign | (rest - 0x38000000) >> 13);\n"
     "  return (uint16_t)(sign | (uint32_t)(fabsf(single) * 0x1p24f));\n"},
    {NULL, "lam_i4", NULL, "int32_t lam_i4(const uint8_t *x, int64_t i)",
     "return ((x[i / 2] >> (i % 2 * 4) & 15) ^ 8) - 8;"},
    {NULL, "lam_u4", NULL, "int32_t lam_u4(const uint8_t *x, int64_t i)", "return x[i / 2] >> (i % 2 * 4) & 15;"},
    {NULL, "lam_set_4_bits", "The other half of the byte stays.",
     "void lam_set_4_bits(uint8_t *x, int64_t i, int32_t value)",
     "  const int shift = (int)(i % 2 * 4);\n"
     "  x[i / 2] = (uint8_t)((x[i / 2] & ~(15 << shift)) | (value & 15) << shift);\n"},
    {NULL, "lam_dot_bf16", NULL, "$R lam_dot_bf16($R sum, const uint16_t *x, const uint16_t *y)",
     "return sum + lam_from_bf16(x[0]) * lam_from_bf16(y[0]) + lam_from_bf16(x[1]) * lam_from_bf16(y[1]);"},
    {NULL, "lam_dot_u8_i8", NULL, "int32_t lam_dot_u8_i8(int32_t sum, const uint8_t *x, const int8_t *y)",
     "return (int32_t)((uint32_t)sum + (uint32_t)(x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3]));"},
    {NULL, "lam_dot_u8", NULL, "int32_t lam_dot_u8(int32_t sum, const uint8_t *x, const uint8_t *y)",
     "return (int32_t)((uint32_t)sum + (uint32_t)(x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3]));"},
    {NULL, "lam_dot_i8", NULL, "int32_t lam_dot_i8(int32_t sum, const int8_t *x, const int8_t *y)",
     "return (int32_t)((uint32_t)sum + (uint32_t)(x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3]));"},
    {NULL, "lam_expand", EXPANDS, "void lam_expand($R *to, const $R *values, const int32_t *masks, int64_t count)",
     "  for (int64_t i = 0; i < count; i++) {\n"
     "    const int kept = (int)((uint32_t)masks[i / 32] >> i % 32 & 1);\n"
     "    to[i] = kept ? *values : 0;\n"
     "    values += kept;\n"
     "  }\n"},
    {NULL, "lam_expand_bytes", EXPANDS,
     "void lam_expand_bytes(void *to, const void *values, const int32_t *masks, int64_t count)",
     "  const uint8_t *next = values;\n"
     "  for (int64_t i = 0; i < count; i++) {\n"
     "    const int kept = (int)((uint32_t)masks[i / 32] >> i % 32 & 1);\n"
     "    ((uint8_t *)to)[i] = kept ? *next : 0;\n"
     "    next += kept;\n"
     "  }\n"},
    {NULL, "lam_places",
     "For each of eight bits a byte: how many bits below it are set; 128 where it is not set itself.",
     "uint64_t lam_places(uint32_t bits)",
     "  static const uint64_t places[256] = {\n"
     "      0x8080808080808080u, 0x8080808080808000u, 0x8080808080800080u, 0x8080808080800100u, 0x8080808080008080u,\n"
     "      0x8080808080018000u, 0x8080808080010080u, 0x8080808080020100u, 0x8080808000808080u, 0x8080808001808000u,\n"
     "      0x8080808001800080u, 0x8080808002800100u, 0x8080808001008080u, 0x8080808002018000u, 0x8080808002010080u,\n"
     "      0x8080808003020100u, 0x8080800080808080u, 0x8080800180808000u, 0x8080800180800080u, 0x8080800280800100u,\n"
     "      0x8080800180008080u, 0x8080800280018000u, 0x8080800280010080u, 0x8080800380020100u, 0x8080800100808080u,\n"
     "      0x8080800201808000u, 0x8080800201800080u, 0x8080800302800100u, 0x8080800201008080u, 0x8080800302018000u,\n"
     "      0x8080800302010080u, 0x8080800403020100u, 0x8080008080808080u, 0x8080018080808000u, 0x8080018080800080u,\n"
     "      0x8080028080800100u, 0x8080018080008080u, 0x8080028080018000u, 0x8080028080010080u, 0x8080038080020100u,\n"
     "      0x8080018000808080u, 0x8080028001808000u, 0x8080028001800080u, 0x8080038002800100u, 0x8080028001008080u,\n"
     "      0x8080038002018000u, 0x8080038002010080u, 0x8080048003020100u, 0x8080010080808080u, 0x8080020180808000u,\n"
     "      0x8080020180800080u, 0x8080030280800100u, 0x8080020180008080u, 0x8080030280018000u, 0x8080030280010080u,\n"
     "      0x8080040380020100u, 0x8080020100808080u, 0x8080030201808000u, 0x8080030201800080u, 0x8080040302800100u,\n"
     "      0x8080030201008080u, 0x8080040302018000u, 0x8080040302010080u, 0x8080050403020100u, 0x8000808080808080u,\n"
     "      0x8001808080808000u, 0x8001808080800080u, 0x8002808080800100u, 0x8001808080008080u, 0x8002808080018000u,\n"
     "      0x8002808080010080u, 0x8003808080020100u, 0x8001808000808080u, 0x8002808001808000u, 0x8002808001800080u,\n"
     "      0x8003808002800100u, 0x8002808001008080u, 0x8003808002018000u, 0x8003808002010080u, 0x8004808003020100u,\n"
     "      0x8001800080808080u, 0x8002800180808000u, 0x8002800180800080u, 0x8003800280800100u, 0x8002800180008080u,\n"
     "      0x8003800280018000u, 0x8003800280010080u, 0x8004800380020100u, 0x8002800100808080u, 0x8003800201808000u,\n"
     "      0x8003800201800080u, 0x8004800302800100u, 0x8003800201008080u, 0x8004800302018000u, 0x8004800302010080u,\n"
     "      0x8005800403020100u, 0x8001008080808080u, 0x8002018080808000u, 0x8002018080800080u, 0x8003028080800100u,\n"
     "      0x8002018080008080u, 0x8003028080018000u, 0x8003028080010080u, 0x8004038080020100u, 0x8002018000808080u,\n"
     "      0x8003028001808000u, 0x8003028001800080u, 0x8004038002800100u, 0x8003028001008080u, 0x8004038002018000u,\n"
     "      0x8004038002010080u, 0x8005048003020100u, 0x8002010080808080u, 0x8003020180808000u, 0x8003020180800080u,\n"
     "      0x8004030280800100u, 0x8003020180008080u, 0x8004030280018000u, 0x8004030280010080u, 0x8005040380020100u,\n"
     "      0x8003020100808080u, 0x8004030201808000u, 0x8004030201800080u, 0x8005040302800100u, 0x8004030201008080u,\n"
     "      0x8005040302018000u, 0x8005040302010080u, 0x8006050403020100u, 0x0080808080808080u, 0x0180808080808000u,\n"
     "      0x0180808080800080u, 0x0280808080800100u, 0x0180808080008080u, 0x0280808080018000u, 0x0280808080010080u,\n"
     "      0x0380808080020100u, 0x0180808000808080u, 0x0280808001808000u, 0x0280808001800080u, 0x0380808002800100u,\n"
     "      0x0280808001008080u, 0x0380808002018000u, 0x0380808002010080u, 0x0480808003020100u, 0x0180800080808080u,\n"
     "      0x0280800180808000u, 0x0280800180800080u, 0x0380800280800100u, 0x0280800180008080u, 0x0380800280018000u,\n"
     "      0x0380800280010080u, 0x0480800380020100u, 0x0280800100808080u, 0x0380800201808000u, 0x0380800201800080u,\n"
     "      0x0480800302800100u, 0x0380800201008080u, 0x0480800302018000u, 0x0480800302010080u, 0x0580800403020100u,\n"
     "      0x0180008080808080u, 0x0280018080808000u, 0x0280018080800080u, 0x0380028080800100u, 0x0280018080008080u,\n"
     "      0x0380028080018000u, 0x0380028080010080u, 0x0480038080020100u, 0x0280018000808080u, 0x0380028001808000u,\n"
     "      0x0380028001800080u, 0x0480038002800100u, 0x0380028001008080u, 0x0480038002018000u, 0x0480038002010080u,\n"
     "      0x0580048003020100u, 0x0280010080808080u, 0x0380020180808000u, 0x0380020180800080u, 0x0480030280800100u,\n"
     "      0x0380020180008080u, 0x0480030280018000u, 0x0480030280010080u, 0x0580040380020100u, 0x0380020100808080u,\n"
     "      0x0480030201808000u, 0x0480030201800080u, 0x0580040302800100u, 0x0480030201008080u, 0x0580040302018000u,\n"
     "      0x0580040302010080u, 0x0680050403020100u, 0x0100808080808080u, 0x0201808080808000u, 0x0201808080800080u,\n"
     "      0x0302808080800100u, 0x0201808080008080u, 0x0302808080018000u, 0x0302808080010080u, 0x0403808080020100u,\n"
     "      0x0201808000808080u, 0x0302808001808000u, 0x0302808001800080u, 0x0403808002800100u, 0x0302808001008080u,\n"
     "      0x0403808002018000u, 0x0403808002010080u, 0x0504808003020100u, 0x0201800080808080u, 0x0302800180808000u,\n"
     "      0x0302800180800080u, 0x0403800280800100u, 0x0302800180008080u, 0x0403800280018000u, 0x0403800280010080u,\n"
     "      0x0504800380020100u, 0x0302800100808080u, 0x0403800201808000u, 0x0403800201800080u, 0x0504800302800100u,\n"
     "      0x0403800201008080u, 0x0504800302018000u, 0x0504800302010080u, 0x0605800403020100u, 0x0201008080808080u,\n"
     "      0x0302018080808000u, 0x0302018080800080u, 0x0403028080800100u, 0x0302018080008080u, 0x0403028080018000u,\n"
     "      0x0403028080010080u, 0x0504038080020100u, 0x0302018000808080u, 0x0403028001808000u, 0x0403028001800080u,\n"
     "      0x0504038002800100u, 0x0403028001008080u, 0x0504038002018000u, 0x0504038002010080u, 0x0605048003020100u,\n"
     "      0x0302010080808080u, 0x0403020180808000u, 0x0403020180800080u, 0x0504030280800100u, 0x0403020180008080u,\n"
     "      0x0504030280018000u, 0x0504030280010080u, 0x0605040380020100u, 0x0403020100808080u, 0x0504030201808000u,\n"
     "      0x0504030201800080u, 0x0605040302800100u, 0x0504030201008080u, 0x0605040302018000u, 0x0605040302010080u,\n"
     "      0x0706050403020100u};\n"
     "  return places[bits];\n"},

    /* --- AVX2 --- */
    {"avx2", "lam_expand", EXPANDS,
     "void lam_expand(float *to, const float *values, const int32_t *masks, int64_t count)",
     "  for (int64_t i = 0; i < count; i += 8) {\n"
     "    const uint32_t bits = (uint32_t)masks[i / 32] >> i % 32 & 255;\n"
     "    const __m256i place = _mm256_cvtepi8_epi32(_mm_cvtsi64_si128((int64_t)lam_places(bits)));\n"
     "    const __m256 off = _mm256_castsi256_ps(_mm256_srai_epi32(place, 31));\n"
     "    const __m256 next = _mm256_permutevar8x32_ps(_mm256_loadu_ps(values), place);\n"
     "    if (i % 32 == 0) _mm_prefetch((const char *)values + 2048, _MM_HINT_T0);\n"
     "    _mm256_storeu_ps(to + i, _mm256_andnot_ps(off, next));\n"
     "    values += __builtin_popcount(bits);\n"
     "  }\n"},
    {"avx2", "lam_expand_bytes", EXPANDS,
     "void lam_expand_bytes(void *to, const void *values, const int32_t *masks, int64_t count)", EXPAND_BYTES_BY_EIGHT},
    {"avx2", "lam_widen_bf16", NULL, "__m256 lam_widen_bf16(__m128i x)",
     "return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));"},
    {"avx2", "lam_widen_f16", "What F16C does, for processors without it.", "__m256 lam_widen_f16(__m128i half)",
     "  const __m256i x = _mm256_cvtepu16_epi32(half), sign = _mm256_slli_epi32(_mm256_srli_epi32(x, 15), 31);\n"
     "  const __m256i rest = _mm256_slli_epi32(_mm256_and_si256(x, _mm256_set1_epi32(0x7fff)), 13);\n"
     "  const __m256i special = _mm256_cmpgt_epi32(rest, _mm256_set1_epi32(0x0f7fffff));\n"
     "  const __m256i small = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), rest);\n"
     "  const __m256i normal = _mm256_add_epi32(rest, _mm256_set1_epi32(0x38000000));\n"
     "  const __m256i large = _mm256_or_si256(normal, _mm256_and_si256(special, _mm256_set1_epi32(0x7f800000)));\n"
     "  const __m256 least = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srli_epi32(rest, 13)), "
     "_mm256_set1_ps(0x1p-24f));\n"
     "  const __m256 y = _mm256_blendv_ps(_mm256_castsi256_ps(large), least, _mm256_castsi256_ps(small));\n"
     "  return _mm256_or_ps(y, _mm256_castsi256_ps(sign));\n"},
    {"avx2", "lam_narrow_f16", "Of numbers that are exact in half precision.", "__m128i lam_narrow_f16(__m256 x)",
     "  const __m256i bits = _mm256_castps_si256(x), rest = _mm256_and_si256(bits, _mm256_set1_epi32(INT32_MAX));\n"
     "  const __m256i sign = _mm256_slli_epi32(_mm256_srli_epi32(bits, 31), 15);\n"
     "  const __m256i normal = _mm256_srli_epi32(_mm256_sub_epi32(rest, _mm256_set1_epi32(0x38000000)), 13);\n"
     "  const __m256i least = _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_castsi256_ps(rest), _mm256_set1_ps(0x1p24f)));\n"
     "  const __m256i infinity = _mm256_set1_epi32(0x7f800000), nan = _mm256_cmpgt_epi32(rest, infinity);\n"
     "  const __m256i special = _mm256_or_si256(nan, _mm256_cmpeq_epi32(rest, infinity));\n"
     "  const __m256i other = _mm256_or_si256(_mm256_set1_epi32(0x7c00), _mm256_and_si256(nan, "
     "_mm256_set1_epi32(0x200)));\n"
     "  const __m256i small = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x38800000), rest);\n"
     "  __m256i y = _mm256_blendv_epi8(normal, least, small);\n"
     "  y = _mm256_or_si256(_mm256_blendv_epi8(y, other, special), sign);\n"
     "  return _mm_packus_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));\n"},
    {"avx2", "lam_on_16_bits", "Elements of lanes that are on, and zeros.",
     "__m128i lam_on_16_bits(const uint16_t *p, __m256 on)",
     "  const int lanes = _mm256_movemask_ps(on);\n"
     "  uint16_t x[8];\n"
     "  for (int i = 0; i < 8; i++) x[i] = lanes >> i & 1 ? p[i] : 0;\n"
     "  return _mm_loadu_si128((const __m128i *)x);\n"},
    {"avx2", "lam_narrow_bf16", NULL, "__m128i lam_narrow_bf16(__m256 x)",
     "  const __m256i high = _mm256_srli_epi32(_mm256_castps_si256(x), 16);\n"
     "  return _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));\n"},
    {"avx2", "lam_store_16_bits_masked", NULL, "void lam_store_16_bits_masked(uint16_t *p, __m256 on, __m128i x)",
     "  const int lanes = _mm256_movemask_ps(on);\n"
     "  uint16_t y[8];\n"
     "  _mm_storeu_si128((__m128i *)y, x);\n"
     "  for (int i = 0; i < 8; i++)\n"
     "    if (lanes >> i & 1) p[i] = y[i];\n"},
    {"avx2", "lam_bytes_of", "The lowest byte of each lane.", "__m128i lam_bytes_of(__m256i x)",
     "  const __m256i low = _mm256_and_si256(x, _mm256_set1_epi32(255));\n"
     "  const __m128i y = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));\n"
     "  return _mm_packus_epi16(y, y);\n"},
    {"avx2", "lam_load_bytes", NULL, "__m128i lam_load_bytes(const void *p)",
     "return _mm_loadl_epi64((const __m128i *)p);"},
    {"avx2", "lam_on_bytes", "Bytes of lanes that are on, and zeros.", "__m128i lam_on_bytes(const void *p, __m256 on)",
     "  const int lanes = _mm256_movemask_ps(on);\n"
     "  uint8_t x[8];\n"
     "  for (int i = 0; i < 8; i++) x[i] = lanes >> i & 1 ? ((const uint8_t *)p)[i] : 0;\n"
     "  return _mm_loadl_epi64((const __m128i *)x);\n"},
    {"avx2", "lam_store_bytes", NULL, "void lam_store_bytes(void *p, __m256i x)",
     "_mm_storel_epi64((__m128i *)p, lam_bytes_of(x));"},
    {"avx2", "lam_store_bytes_masked", NULL, "void lam_store_bytes_masked(void *p, __m256 on, __m256i x)",
     "  const int lanes = _mm256_movemask_ps(on);\n"
     "  uint8_t y[8];\n"
     "  lam_store_bytes(y, x);\n"
     "  for (int i = 0; i < 8; i++)\n"
     "    if (lanes >> i & 1) ((uint8_t *)p)[i] = y[i];\n"},
    {"avx2", "lam_load_u4", "Two elements of each byte, the lower bits first.", "__m256i lam_load_u4(const uint8_t *p)",
     "  int32_t bytes;\n"
     "  memcpy(&bytes, p, sizeof bytes);\n"
     "  const __m128i x = _mm_cvtsi32_si128(bytes), mask = _mm_set1_epi8(15);\n"
     "  const __m128i even = _mm_and_si128(x, mask), odd = _mm_and_si128(_mm_srli_epi16(x, 4), mask);\n"
     "  return _mm256_cvtepu8_epi32(_mm_unpacklo_epi8(even, odd));\n"},
    {"avx2", "lam_load_u4_masked", NULL, "__m256i lam_load_u4_masked(const uint8_t *p, __m256 on)",
     "  const int lanes = _mm256_movemask_ps(on);\n"
     "  int32_t x[8];\n"
     "  for (int i = 0; i < 8; i++) x[i] = lanes >> i & 1 ? lam_u4(p, i) : 0;\n"
     "  return _mm256_loadu_si256((const __m256i *)x);\n"},
    {"avx2", "lam_extend_4_bits", "The sign of four bits.", "__m256i lam_extend_4_bits(__m256i x)",
     "  const __m256i sign = _mm256_set1_epi32(8);\n"
     "  return _mm256_sub_epi32(_mm256_xor_si256(x, sign), sign);\n"},
    {"avx2", "lam_lookup", "The element of 16 that each lane asks for.",
     "__m256 lam_lookup(const float *p, __m256i at)",
     "  const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(p), at);\n"
     "  const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(p + 8), at);\n"
     "  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(at, 28)));\n"},
    {"avx2", "lam_shift_words", "Words of eight elements, of which each begins with number `slot`.",
     "__m256i lam_shift_words(const uint8_t *p, int64_t slot)",
     "return _mm256_srl_epi32(_mm256_loadu_si256((const __m256i *)p), _mm_cvtsi32_si128((int32_t)(4 * slot)));"},
    {"avx2", "lam_load_i4_masked", NULL, "__m256i lam_load_i4_masked(const uint8_t *p, __m256 on)",
     "  const int lanes = _mm256_movemask_ps(on);\n"
     "  int32_t x[8];\n"
     "  for (int i = 0; i < 8; i++) x[i] = lanes >> i & 1 ? lam_i4(p, i) : 0;\n"
     "  return _mm256_loadu_si256((const __m256i *)x);\n"},
    {"avx2", "lam_store_4_bits", NULL, "void lam_store_4_bits(uint8_t *p, __m256i x)",
     "  const __m128i y = lam_bytes_of(_mm256_and_si256(x, _mm256_set1_epi32(15)));\n"
     "  const __m128i pairs = _mm_maddubs_epi16(y, _mm_set1_epi16(0x1001));\n"
     "  const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(pairs, pairs));\n"
     "  memcpy(p, &bytes, sizeof bytes);\n"},
    {"avx2", "lam_store_4_bits_masked", NULL, "void lam_store_4_bits_masked(uint8_t *p, __m256 on, __m256i x)",
     "  const int lanes = _mm256_movemask_ps(on);\n"
     "  int32_t y[8];\n"
     "  _mm256_storeu_si256((__m256i *)y, x);\n"
     "  for (int i = 0; i < 8; i++)\n"
     "    if (lanes >> i & 1) lam_set_4_bits(p, i, y[i]);\n"},
    {"avx2", "lam_store_pairs", "Elements of x and y in turn.", "void lam_store_pairs(uint16_t *p, __m256 x, __m256 y)",
     "  const __m256i low = _mm256_srli_epi32(_mm256_castps_si256(x), 16);\n"
     "  const __m256i high = _mm256_and_si256(_mm256_castps_si256(y), _mm256_set1_epi32(-65536));\n"
     "  _mm256_storeu_si256((__m256i *)p, _mm256_or_si256(low, high));\n"},
    {"avx2", "lam_store_fours", "The lowest bytes of the four in turn.",
     "void lam_store_fours(void *p, __m256i x, __m256i y, __m256i z, __m256i w)",
     "  const __m256i low = _mm256_set1_epi32(255);\n"
     "  const __m256i xy = _mm256_or_si256(_mm256_and_si256(x, low), _mm256_slli_epi32(_mm256_and_si256(y, low), 8));\n"
     "  const __m256i zw = _mm256_or_si256(_mm256_slli_epi32(_mm256_and_si256(z, low), 16), _mm256_slli_epi32(w, "
     "24));\n"
     "  _mm256_storeu_si256((__m256i *)p, _mm256_or_si256(xy, zw));\n"},
    {"avx2", "lam_4_bytes", "The same four bytes in each lane.", "__m256i lam_4_bytes(const void *p)",
     "  int32_t bytes;\n"
     "  memcpy(&bytes, p, sizeof bytes);\n"
     "  return _mm256_set1_epi32(bytes);\n"},
    {"avx2", "lam_dot_16_bits",
     "Bytes that were widened: those of even and of odd number apart. No product or sum is cut off.",
     "__m256i lam_dot_16_bits(__m256i sum, __m256i x_even, __m256i x_odd, __m256i y_even, __m256i y_odd)",
     "  sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x_even, y_even));\n"
     "  return _mm256_add_epi32(sum, _mm256_madd_epi16(x_odd, y_odd));\n"},
    {"avx2", "lam_even_i8", "Bytes of even number as 16 bits.", "__m256i lam_even_i8(__m256i x)",
     "return _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8);"},
    {"avx2", "lam_odd_i8", "Those of odd number.", "__m256i lam_odd_i8(__m256i x)", "return _mm256_srai_epi16(x, 8);"},
    {"avx2", "lam_even_u8", NULL, "__m256i lam_even_u8(__m256i x)",
     "return _mm256_and_si256(x, _mm256_set1_epi16(255));"},
    {"avx2", "lam_odd_u8", NULL, "__m256i lam_odd_u8(__m256i x)", "return _mm256_srli_epi16(x, 8);"},
    {"avx2", "lam_dot_u8_i8_lanes", NULL, "__m256i lam_dot_u8_i8_lanes(__m256i sum, __m256i x, __m256i y)",
     "return lam_dot_16_bits(sum, lam_even_u8(x), lam_odd_u8(x), lam_even_i8(y), lam_odd_i8(y));"},
    {"avx2", "lam_dot_i8_u8_lanes", NULL, "__m256i lam_dot_i8_u8_lanes(__m256i sum, __m256i x, __m256i y)",
     "return lam_dot_16_bits(sum, lam_even_i8(x), lam_odd_i8(x), lam_even_u8(y), lam_odd_u8(y));"},
    {"avx2", "lam_dot_i8_lanes", NULL, "__m256i lam_dot_i8_lanes(__m256i sum, __m256i x, __m256i y)",
     "return lam_dot_16_bits(sum, lam_even_i8(x), lam_odd_i8(x), lam_even_i8(y), lam_odd_i8(y));"},
    {"avx2", "lam_dot_u8_lanes", NULL, "__m256i lam_dot_u8_lanes(__m256i sum, __m256i x, __m256i y)",
     "return lam_dot_16_bits(sum, lam_even_u8(x), lam_odd_u8(x), lam_even_u8(y), lam_odd_u8(y));"},

    /* --- AVX-512 --- */
    {"avx512", "lam_expand", EXPANDS,
     "void lam_expand(float *to, const float *values, const int32_t *masks, int64_t count)",
     "  for (int64_t i = 0; i < count; i += 32) {\n"
     "    const uint32_t bits = (uint32_t)masks[i / 32], low = bits & 65535;\n"
     "    const float *const high = values + __builtin_popcount(low);\n"
     "    _mm_prefetch((const char *)values + 2048, _MM_HINT_T0);\n"
     "    _mm512_storeu_ps(to + i, _mm512_maskz_expand_ps((__mmask16)low, _mm512_loadu_ps(values)));\n"
     "    _mm512_storeu_ps(to + i + 16, _mm512_maskz_expand_ps((__mmask16)(bits >> 16), _mm512_loadu_ps(high)));\n"
     "    values += __builtin_popcount(bits);\n"
     "  }\n"},
    {"avx512", "lam_expand_bytes", EXPANDS,
     "void lam_expand_bytes(void *to, const void *values, const int32_t *masks, int64_t count)", EXPAND_BYTES_BY_EIGHT},
    {"avx512", "lam_expand_lines", EXPANDS,
     "void lam_expand_lines(void *to, const void *values, const int32_t *masks, int64_t count)",
     "  const uint8_t *next = values;\n"
     "  for (int64_t i = 0; i < count; i += 64) {\n"
     "    const uint64_t bits = (uint32_t)masks[i / 32] | (uint64_t)(uint32_t)masks[i / 32 + 1] << 32;\n"
     "    _mm_prefetch((const char *)next + 4096, _MM_HINT_T0);\n"
     "    _mm512_storeu_si512((uint8_t *)to + i, _mm512_maskz_expand_epi8(bits, _mm512_loadu_si512(next)));\n"
     "    next += __builtin_popcountll(bits);\n"
     "  }\n"},
    {"avx512", "lam_widen_bf16", NULL, "__m512 lam_widen_bf16(__m256i x)",
     "return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));"},
    {"avx512", "lam_narrow_bf16", NULL, "__m256i lam_narrow_bf16(__m512 x)",
     "return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(x), 16));"},
    {"avx512", "lam_narrow_f16", NULL, "__m256i lam_narrow_f16(__m512 x)",
     "return _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);"},
    {"avx512", "lam_store_pairs", "Elements of x and y in turn.",
     "void lam_store_pairs(uint16_t *p, __m512 x, __m512 y)",
     "  const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(x), 16);\n"
     "  const __m512i high = _mm512_and_si512(_mm512_castps_si512(y), _mm512_set1_epi32(-65536));\n"
     "  _mm512_storeu_si512(p, _mm512_or_si512(low, high));\n"},
    {"avx512", "lam_store_fours", "The lowest bytes of the four in turn.",
     "void lam_store_fours(void *p, __m512i x, __m512i y, __m512i z, __m512i w)",
     "  const __m512i low = _mm512_set1_epi32(255);\n"
     "  const __m512i xy = _mm512_or_si512(_mm512_and_si512(x, low), _mm512_slli_epi32(_mm512_and_si512(y, low), 8));\n"
     "  const __m512i zw = _mm512_or_si512(_mm512_slli_epi32(_mm512_and_si512(z, low), 16), _mm512_slli_epi32(w, "
     "24));\n"
     "  _mm512_storeu_si512(p, _mm512_or_si512(xy, zw));\n"},
    {"avx512", "lam_4_bytes", NULL, "__m512i lam_4_bytes(const void *p)",
     "  int32_t bytes;\n"
     "  memcpy(&bytes, p, sizeof bytes);\n"
     "  return _mm512_set1_epi32(bytes);\n"},
    {"avx512", "lam_load_u4", "Two elements of each byte, the lower bits first.",
     "__m512i lam_load_u4(const uint8_t *p)",
     "  const __m128i x = _mm_loadl_epi64((const __m128i *)p), mask = _mm_set1_epi8(15);\n"
     "  const __m128i even = _mm_and_si128(x, mask), odd = _mm_and_si128(_mm_srli_epi16(x, 4), mask);\n"
     "  return _mm512_cvtepu8_epi32(_mm_unpacklo_epi8(even, odd));\n"},
    {"avx512", "lam_load_u4_masked", NULL, "__m512i lam_load_u4_masked(const uint8_t *p, __mmask16 on)",
     "  int32_t x[16];\n"
     "  for (int i = 0; i < 16; i++) x[i] = on >> i & 1 ? lam_u4(p, i) : 0;\n"
     "  return _mm512_loadu_si512(x);\n"},
    {"avx512", "lam_shift_words", "Words of eight elements, of which each begins with number `slot`.",
     "__m512i lam_shift_words(const uint8_t *p, int64_t slot)",
     "return _mm512_srl_epi32(_mm512_loadu_si512(p), _mm_cvtsi32_si128((int32_t)(4 * slot)));"},
    {"avx512", "lam_i4_values", "What four bits stand for.", "__m512 lam_i4_values(void)",
     "return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1);"},
    {"avx512", "lam_look_up_i4", "For each element the value of its four bits; other bits of a lane are not looked at.",
     "__m512 lam_look_up_i4(const uint8_t *p, __m512 values)",
     "  int64_t bytes;\n"
     "  memcpy(&bytes, p, sizeof bytes);\n"
     "  const __m512i own = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);\n"
     "  const __m512i shifts = _mm512_setr_epi32(0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4);\n"
     "  const __m512i x = _mm512_shuffle_epi8(_mm512_set1_epi64(bytes), own);\n"
     "  return _mm512_permutexvar_ps(_mm512_srlv_epi32(x, shifts), values);\n"},
    {"avx512", "lam_extend_4_bits", "The sign of four bits.", "__m512i lam_extend_4_bits(__m512i x)",
     "  const __m512i sign = _mm512_set1_epi32(8);\n"
     "  return _mm512_sub_epi32(_mm512_xor_si512(x, sign), sign);\n"},
    {"avx512", "lam_load_i4_masked", NULL, "__m512i lam_load_i4_masked(const uint8_t *p, __mmask16 on)",
     "  int32_t x[16];\n"
     "  for (int i = 0; i < 16; i++) x[i] = on >> i & 1 ? lam_i4(p, i) : 0;\n"
     "  return _mm512_loadu_si512(x);\n"},
    {"avx512", "lam_store_4_bits", NULL, "void lam_store_4_bits(uint8_t *p, __m512i x)",
     "  const __m128i y = _mm512_cvtepi32_epi8(_mm512_and_si512(x, _mm512_set1_epi32(15)));\n"
     "  const __m128i pairs = _mm_maddubs_epi16(y, _mm_set1_epi16(0x1001));\n"
     "  _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(pairs, pairs));\n"},
    {"avx512", "lam_store_4_bits_masked", NULL, "void lam_store_4_bits_masked(uint8_t *p, __mmask16 on, __m512i x)",
     "  int32_t y[16];\n"
     "  _mm512_storeu_si512(y, x);\n"
     "  for (int i = 0; i < 16; i++)\n"
     "    if (on >> i & 1) lam_set_4_bits(p, i, y[i]);\n"},
    {"avx512", "lam_dot_16_bits",
     "Bytes that were widened: those of even and of odd number apart. No product or sum is cut off.",
     "__m512i lam_dot_16_bits(__m512i sum, __m512i x_even, __m512i x_odd, __m512i y_even, __m512i y_odd)",
     "  sum = _mm512_add_epi32(sum, _mm512_madd_epi16(x_even, y_even));\n"
     "  return _mm512_add_epi32(sum, _mm512_madd_epi16(x_odd, y_odd));\n"},
    {"avx512", "lam_even_i8", "Bytes of even number as 16 bits.", "__m512i lam_even_i8(__m512i x)",
     "return _mm512_srai_epi16(_mm512_slli_epi16(x, 8), 8);"},
    {"avx512", "lam_odd_i8", "Those of odd number.", "__m512i lam_odd_i8(__m512i x)",
     "return _mm512_srai_epi16(x, 8);"},
    {"avx512", "lam_even_u8", NULL, "__m512i lam_even_u8(__m512i x)",
     "return _mm512_and_si512(x, _mm512_set1_epi16(255));"},
    {"avx512", "lam_odd_u8", NULL, "__m512i lam_odd_u8(__m512i x)", "return _mm512_srli_epi16(x, 8);"},
    {"avx512", "lam_dot_u8_i8_lanes", NULL, "__m512i lam_dot_u8_i8_lanes(__m512i sum, __m512i x, __m512i y)",
     "return lam_dot_16_bits(sum, lam_even_u8(x), lam_odd_u8(x), lam_even_i8(y), lam_odd_i8(y));"},
    {"avx512", "lam_dot_i8_u8_lanes", NULL, "__m512i lam_dot_i8_u8_lanes(__m512i sum, __m512i x, __m512i y)",
     "return lam_dot_16_bits(sum, lam_even_i8(x), lam_odd_i8(x), lam_even_u8(y), lam_odd_u8(y));"},
    {"avx512", "lam_dot_i8_lanes", NULL, "__m512i lam_dot_i8_lanes(__m512i sum, __m512i x, __m512i y)",
     "return lam_dot_16_bits(sum, lam_even_i8(x), lam_odd_i8(x), lam_even_i8(y), lam_odd_i8(y));"},
    {"avx512", "lam_dot_u8_lanes", NULL, "__m512i lam_dot_u8_lanes(__m512i sum, __m512i x, __m512i y)",
     "return lam_dot_16_bits(sum, lam_even_u8(x), lam_odd_u8(x), lam_even_u8(y), lam_odd_u8(y));"},

    /* --- NEON --- */
    {"neon", "lam_expand", EXPANDS,
     "void lam_expand(float *to, const float *values, const int32_t *masks, int64_t count)",
     "  static const uint8_t lanes[16] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};\n"
     "  static const uint8_t bytes[16] = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3};\n"
     "  for (int64_t i = 0; i < count; i += 4) {\n"
     "    const uint32_t bits = (uint32_t)masks[i / 32] >> i % 32 & 15;\n"
     "    const uint8x16_t places = vcombine_u8(vcreate_u8(lam_places(bits)), vdup_n_u8(0));\n"
     "    /* Where a bit is not set the place is past the vector, and a look-up there gives 0. */\n"
     "    const uint8x16_t own = vqtbl1q_u8(places, vld1q_u8(lanes)), off = vandq_u8(own, vdupq_n_u8(128));\n"
     "    const uint8x16_t from = vaddq_u8(vorrq_u8(vshlq_n_u8(own, 2), off), vld1q_u8(bytes));\n"
     "    const uint8x16_t next = vreinterpretq_u8_f32(vld1q_f32(values));\n"
     "    vst1q_f32(to + i, vreinterpretq_f32_u8(vqtbl1q_u8(next, from)));\n"
     "    values += __builtin_popcount(bits);\n"
     "  }\n"},
    {"neon", "lam_expand_bytes", EXPANDS,
     "void lam_expand_bytes(void *to, const void *values, const int32_t *masks, int64_t count)",
     "  const uint8_t *next = values;\n"
     "  for (int64_t i = 0; i < count; i += 8) {\n"
     "    const uint32_t bits = (uint32_t)masks[i / 32] >> i % 32 & 255;\n"
     "    const uint8x16_t all = vcombine_u8(vld1_u8(next), vdup_n_u8(0));\n"
     "    vst1_u8((uint8_t *)to + i, vqtbl1_u8(all, vcreate_u8(lam_places(bits))));\n"
     "    next += __builtin_popcount(bits);\n"
     "  }\n"},
    {"neon", "lam_widen_bf16", NULL, "float32x4_t lam_widen_bf16(uint16x4_t x)",
     "return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(x), 16));"},
    {"neon", "lam_narrow_bf16", NULL, "uint16x4_t lam_narrow_bf16(float32x4_t x)",
     "return vshrn_n_u32(vreinterpretq_u32_f32(x), 16);"},
    {"neon", "lam_widen_f16", NULL, "float32x4_t lam_widen_f16(uint16x4_t x)",
     "return vcvt_f32_f16(vreinterpret_f16_u16(x));"},
    {"neon", "lam_narrow_f16", NULL, "uint16x4_t lam_narrow_f16(float32x4_t x)",
     "return vreinterpret_u16_f16(vcvt_f16_f32(x));"},
    {"neon", "lam_on_16_bits", "Elements of lanes that are on, and zeros.",
     "uint16x4_t lam_on_16_bits(const uint16_t *p, uint32x4_t on)",
     "  uint32_t lanes[4];\n"
     "  uint16_t x[4];\n"
     "  vst1q_u32(lanes, on);\n"
     "  for (int i = 0; i < 4; i++) x[i] = lanes[i] ? p[i] : 0;\n"
     "  return vld1_u16(x);\n"},
    {"neon", "lam_store_16_bits_masked", NULL,
     "void lam_store_16_bits_masked(uint16_t *p, uint32x4_t on, uint16x4_t x)",
     "  uint32_t lanes[4];\n"
     "  uint16_t y[4];\n"
     "  vst1q_u32(lanes, on);\n"
     "  vst1_u16(y, x);\n"
     "  for (int i = 0; i < 4; i++)\n"
     "    if (lanes[i]) p[i] = y[i];\n"},
    {"neon", "lam_load_u8", NULL, "int32x4_t lam_load_u8(const uint8_t *p)",
     "  uint32_t bytes;\n"
     "  memcpy(&bytes, p, sizeof bytes);\n"
     "  return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(bytes)))));\n"},
    {"neon", "lam_load_i8", NULL, "int32x4_t lam_load_i8(const int8_t *p)",
     "  uint32_t bytes;\n"
     "  memcpy(&bytes, p, sizeof bytes);\n"
     "  return vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(bytes))));\n"},
    {"neon", "lam_load_u8_masked", NULL, "int32x4_t lam_load_u8_masked(const uint8_t *p, uint32x4_t on)",
     "  uint32_t lanes[4];\n"
     "  int32_t x[4];\n"
     "  vst1q_u32(lanes, on);\n"
     "  for (int i = 0; i < 4; i++) x[i] = lanes[i] ? p[i] : 0;\n"
     "  return vld1q_s32(x);\n"},
    {"neon", "lam_load_i8_masked", NULL, "int32x4_t lam_load_i8_masked(const int8_t *p, uint32x4_t on)",
     "  uint32_t lanes[4];\n"
     "  int32_t x[4];\n"
     "  vst1q_u32(lanes, on);\n"
     "  for (int i = 0; i < 4; i++) x[i] = lanes[i] ? p[i] : 0;\n"
     "  return vld1q_s32(x);\n"},
    {"neon", "lam_store_bytes", "The lowest byte of each lane.", "void lam_store_bytes(void *p, int32x4_t x)",
     "  const uint16x4_t y = vmovn_u32(vreinterpretq_u32_s32(x));\n"
     "  const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(y, y))), 0);\n"
     "  memcpy(p, &bytes, sizeof bytes);\n"},
    {"neon", "lam_store_bytes_masked", NULL, "void lam_store_bytes_masked(void *p, uint32x4_t on, int32x4_t x)",
     "  uint32_t lanes[4];\n"
     "  uint8_t y[4];\n"
     "  vst1q_u32(lanes, on);\n"
     "  lam_store_bytes(y, x);\n"
     "  for (int i = 0; i < 4; i++)\n"
     "    if (lanes[i]) ((uint8_t *)p)[i] = y[i];\n"},
    {"neon", "lam_load_words", "Words of eight elements of four bits.", "int32x4_t lam_load_words(const uint8_t *p)",
     "return vreinterpretq_s32_u8(vld1q_u8(p));"},
    {"neon", "lam_load_u4", "Two elements of each byte, the lower bits first.",
     "int32x4_t lam_load_u4(const uint8_t *p)",
     "  static const int32_t shifts[4] = {0, -4, -8, -12};\n"
     "  const int32x4_t bytes = vdupq_n_s32(p[0] | p[1] << 8);\n"
     "  return vandq_s32(vshlq_s32(bytes, vld1q_s32(shifts)), vdupq_n_s32(15));\n"},
    {"neon", "lam_load_i4", NULL, "int32x4_t lam_load_i4(const uint8_t *p)",
     "  const int32x4_t sign = vdupq_n_s32(8);\n"
     "  return vsubq_s32(veorq_s32(lam_load_u4(p), sign), sign);\n"},
    {"neon", "lam_load_u4_masked", NULL, "int32x4_t lam_load_u4_masked(const uint8_t *p, uint32x4_t on)",
     "  uint32_t lanes[4];\n"
     "  int32_t x[4];\n"
     "  vst1q_u32(lanes, on);\n"
     "  for (int i = 0; i < 4; i++) x[i] = lanes[i] ? lam_u4(p, i) : 0;\n"
     "  return vld1q_s32(x);\n"},
    {"neon", "lam_load_i4_masked", NULL, "int32x4_t lam_load_i4_masked(const uint8_t *p, uint32x4_t on)",
     "  uint32_t lanes[4];\n"
     "  int32_t x[4];\n"
     "  vst1q_u32(lanes, on);\n"
     "  for (int i = 0; i < 4; i++) x[i] = lanes[i] ? lam_i4(p, i) : 0;\n"
     "  return vld1q_s32(x);\n"},
    {"neon", "lam_store_4_bits", NULL, "void lam_store_4_bits(uint8_t *p, int32x4_t x)",
     "  int32_t y[4];\n"
     "  vst1q_s32(y, x);\n"
     "  p[0] = (uint8_t)((y[0] & 15) | (y[1] & 15) << 4);\n"
     "  p[1] = (uint8_t)((y[2] & 15) | (y[3] & 15) << 4);\n"},
    {"neon", "lam_store_4_bits_masked", NULL, "void lam_store_4_bits_masked(uint8_t *p, uint32x4_t on, int32x4_t x)",
     "  uint32_t lanes[4];\n"
     "  int32_t y[4];\n"
     "  vst1q_u32(lanes, on);\n"
     "  vst1q_s32(y, x);\n"
     "  for (int i = 0; i < 4; i++)\n"
     "    if (lanes[i]) lam_set_4_bits(p, i, y[i]);\n"},
    {"neon", "lam_store_pairs", "Elements of x and y in turn.",
     "void lam_store_pairs(uint16_t *p, float32x4_t x, float32x4_t y)",
     "  const uint16x4_t low = lam_narrow_bf16(x), high = lam_narrow_bf16(y);\n"
     "  vst1_u16(p, vzip1_u16(low, high));\n"
     "  vst1_u16(p + 4, vzip2_u16(low, high));\n"},
    {"neon", "lam_store_fours", "The lowest bytes of the four in turn.",
     "void lam_store_fours(void *p, int32x4_t x, int32x4_t y, int32x4_t z, int32x4_t w)",
     "  const int32x4_t low = vdupq_n_s32(255);\n"
     "  const int32x4_t xy = vorrq_s32(vandq_s32(x, low), vshlq_n_s32(vandq_s32(y, low), 8));\n"
     "  const int32x4_t zw = vorrq_s32(vshlq_n_s32(vandq_s32(z, low), 16), vshlq_n_s32(w, 24));\n"
     "  const int32x4_t bytes = vorrq_s32(xy, zw);\n"
     "  memcpy(p, &bytes, sizeof bytes);\n"},
    {"neon", "lam_4_bytes", "The same four bytes in each lane.", "int8x16_t lam_4_bytes(const void *p)",
     "  int32_t bytes;\n"
     "  memcpy(&bytes, p, sizeof bytes);\n"
     "  return vreinterpretq_s8_s32(vdupq_n_s32(bytes));\n"},
};
const int storage_helper_count = (int)(sizeof storage_helpers / sizeof *storage_helpers);
