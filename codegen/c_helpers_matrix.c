/* Functions that multiply matrices (STATEMENT_MULTIPLY): in plain C, which says what they do, and by the tile registers of AMX, which hold
   up to 16 rows of 64 bytes. */
#include <stddef.h>

#include "codegen/c_helpers.h"

#define MULTIPLY(name, sum, x, y)                                                    \
  "void " name "(" sum " *c, int64_t c_row, const " x " *a, int64_t a_row, const " y \
  " *b, int64_t b_step, "                                                            \
  "int64_t rows, int64_t columns, int64_t depth, int64_t begun)"

/* What a product is of elements that lie in groups along k; `total` is the type to sum in. */
#define PLAIN(group, total, a_k, b_k)                                               \
  "  for (int64_t row = 0; row < rows; row++)\n"                                    \
  "    for (int64_t column = 0; column < columns; column++) {\n"                    \
  "      const int64_t at = row * c_row + column;\n"                                \
  "      " total                                                                    \
  " sum = 0;\n"                                                                     \
  "      if (begun > 0) sum = (" total                                              \
  ")c[at];\n"                                                                       \
  "      for (int64_t k = 0; k < depth; k++) {\n"                                   \
  "        const int64_t group = k / " group ", within = k % " group                \
  ";\n"                                                                             \
  "        const int64_t i = row * a_row + k, j = group * b_step + column * " group \
  " + within;\n"                                                                    \
  "        sum += " a_k " * " b_k                                                   \
  ";\n"                                                                             \
  "      }\n"                                                                       \
  "      memcpy(c + at, &sum, sizeof sum);\n"                                       \
  "    }\n"
#define PLAIN_BYTES PLAIN("4", "uint32_t", "(uint32_t)a[i]", "(uint32_t)b[j]")

/* Blocks of 32 rows and 32 columns, by bytes: a column of b and of sums has four. A step along k is a row of a register; the last one may be
   shorter. */
#define TILES(group, step, dot)                                                                                       \
  "  enum { GROUP = " group ", STEP = " step                                                                          \
  " };\n"                                                                                                             \
  "  int64_t shape = 0;\n"                                                                                            \
  "  const size_t a_bytes = (size_t)a_row * sizeof *a, b_bytes = (size_t)b_step * sizeof *b;\n"                       \
  "  __asm__ volatile(\"\" : : \"r\"(a), \"r\"(b), \"r\"(c) : \"memory\"); /* gcc does not know what tiles read */\n" \
  "  for (int64_t i = 0; i < rows; i += 32)\n"                                                                        \
  "    for (int64_t j = 0; j < columns; j += 32) {\n"                                                                 \
  "      const int64_t r = rows - i < 32 ? rows - i : 32, n = columns - j < 32 ? columns - j : 32;\n"                 \
  "      uint8_t *const target = (uint8_t *)(c + i * c_row + j);\n"                                                   \
  "      _Alignas(64) uint8_t block[4096];\n"                                                                         \
  "      const int past = begun < 0 && r == 32 && n == 32 && c_row % 16 == 0 && (uintptr_t)target % 64 == 0;\n"       \
  "      const size_t c_bytes = past ? 128 : (size_t)c_row * sizeof *c;\n"                                            \
  "      uint8_t *const upper = past ? block : target, *const lower = upper + 16 * c_bytes;\n"                        \
  "      if (r * 64 + n != shape) lam_shape_tiles(r, n), shape = r * 64 + n;\n"                                       \
  "      _tile_zero(0);\n"                                                                                            \
  "      _tile_zero(1);\n"                                                                                            \
  "      _tile_zero(2);\n"                                                                                            \
  "      _tile_zero(3);\n"                                                                                            \
  "      if (begun > 0) _tile_loadd(0, upper, c_bytes);\n"                                                            \
  "      if (begun > 0 && n > 16) _tile_loadd(1, upper + 64, c_bytes);\n"                                             \
  "      if (begun > 0 && r > 16) _tile_loadd(2, lower, c_bytes);\n"                                                  \
  "      if (begun > 0 && r > 16 && n > 16) _tile_loadd(3, lower + 64, c_bytes);\n"                                   \
  "      for (int64_t k = 0; k < depth; k += STEP) {\n"                                                               \
  "        const uint8_t *x = (const uint8_t *)(a + i * a_row + k);\n"                                                \
  "        const uint8_t *y = (const uint8_t *)(b + k / GROUP * b_step + j * GROUP);\n"                               \
  "        size_t x_bytes = a_bytes, y_bytes = b_bytes;\n"                                                            \
  "        uint8_t x_rest[32 * 64], y_rest[16 * 128];\n"                                                              \
  "        if (depth - k < STEP) { /* with zeros behind it */\n"                                                      \
  "          memset(x_rest, 0, sizeof x_rest), memset(y_rest, 0, sizeof y_rest);\n"                                   \
  "          for (size_t row = 0; row < (size_t)r; row++)\n"                                                          \
  "            memcpy(x_rest + row * 64, x + row * x_bytes, (size_t)(depth - k) * sizeof *a);\n"                      \
  "          for (size_t row = 0; row * GROUP < (size_t)(depth - k); row++)\n"                                        \
  "            memcpy(y_rest + row * 128, y + row * y_bytes, (size_t)n * 4);\n"                                       \
  "          x = x_rest, y = y_rest, x_bytes = 64, y_bytes = 128;\n"                                                  \
  "          __asm__ volatile(\"\" : : \"r\"(x), \"r\"(y) : \"memory\");\n"                                           \
  "        }\n"                                                                                                       \
  "        _tile_loadd(4, x, x_bytes);\n"                                                                             \
  "        _tile_loadd(6, y, y_bytes);\n"                                                                             \
  "        " dot                                                                                                      \
  "(0, 4, 6);\n"                                                                                                      \
  "        if (n > 16) _tile_loadd(7, y + 64, y_bytes);\n"                                                            \
  "        if (n > 16) " dot                                                                                          \
  "(1, 4, 7);\n"                                                                                                      \
  "        if (r > 16) _tile_loadd(5, x + 16 * x_bytes, x_bytes);\n"                                                  \
  "        if (r > 16) " dot                                                                                          \
  "(2, 5, 6);\n"                                                                                                      \
  "        if (r > 16 && n > 16) " dot                                                                                \
  "(3, 5, 7);\n"                                                                                                      \
  "      }\n"                                                                                                         \
  "      _tile_stored(0, upper, c_bytes);\n"                                                                          \
  "      if (n > 16) _tile_stored(1, upper + 64, c_bytes);\n"                                                         \
  "      if (r > 16) _tile_stored(2, lower, c_bytes);\n"                                                              \
  "      if (r > 16 && n > 16) _tile_stored(3, lower + 64, c_bytes);\n"                                               \
  "      for (int64_t row = 0; row < 32 && past; row++) { /* past the caches, which would read it from memory first " \
  "*/\n"                                                                                                              \
  "        _mm512_stream_si512((void *)(c + (i + row) * c_row + j), _mm512_load_si512(block + row * 128));\n"         \
  "        _mm512_stream_si512((void *)(c + (i + row) * c_row + j + 16), _mm512_load_si512(block + row * 128 + "      \
  "64));\n"                                                                                                           \
  "      }\n"                                                                                                         \
  "    }\n"                                                                                                           \
  "  if (begun < 0) _mm_sfence();\n"                                                                                  \
  "  _tile_release();\n"
#define TILES_BYTES(dot) TILES("4", "64", dot)

#define WHAT                                                                                                      \
  "c[row, column] = (begun > 0 ? c[row, column] : 0) + sum over k of a[row, k] b[k / group, column, k % group]; " \
  "begun "                                                                                                        \
  "is below 0 where c is not read soon."

const struct helper matrix_helpers[] = {
    {NULL, "lam_multiply_bf16", WHAT, MULTIPLY("lam_multiply_bf16", "$R", "uint16_t", "uint16_t"),
     PLAIN("2", "$R", "lam_from_bf16(a[i])", "lam_from_bf16(b[j])")},
    {NULL, "lam_multiply_u8_i8", WHAT, MULTIPLY("lam_multiply_u8_i8", "int32_t", "uint8_t", "int8_t"), PLAIN_BYTES},
    {NULL, "lam_multiply_i8_u8", WHAT, MULTIPLY("lam_multiply_i8_u8", "int32_t", "int8_t", "uint8_t"), PLAIN_BYTES},
    {NULL, "lam_multiply_i8", WHAT, MULTIPLY("lam_multiply_i8", "int32_t", "int8_t", "int8_t"), PLAIN_BYTES},
    {NULL, "lam_multiply_u8", WHAT, MULTIPLY("lam_multiply_u8", "int32_t", "uint8_t", "uint8_t"), PLAIN_BYTES},

    {"avx512", "lam_shape_tiles",
     "Tile registers 0 to 3 hold the sums of a block, upper left, upper right, lower left, lower right; 4 and 5 the "
     "upper and the lower rows of a, 6 and 7 the left and the right columns of b.",
     "void lam_shape_tiles(int64_t rows, int64_t columns)",
     "  const int64_t r[2] = {rows < 16 ? rows : 16, rows > 16 ? rows - 16 : 1};\n"
     "  const int64_t n[2] = {columns < 16 ? columns : 16, columns > 16 ? columns - 16 : 1};\n"
     "  uint8_t shape[64] = {1}, *const bytes = shape + 16, *const heights = shape + 48;\n"
     "  for (int i = 0; i < 8; i++) {\n"
     "    bytes[2 * i] = (uint8_t)(i == 4 || i == 5 ? 64 : 4 * n[i % 2]);\n"
     "    heights[i] = (uint8_t)(i < 4 ? r[i / 2] : i < 6 ? r[i % 2] : 16);\n"
     "  }\n"
     "  __asm__ volatile(\"\" : : \"r\"(shape) : \"memory\"); /* gcc does not know that all of it is read */\n"
     "  _tile_loadconfig(shape);\n"},
    {"avx512", "lam_tiles_bf16", WHAT, MULTIPLY("lam_tiles_bf16", "float", "uint16_t", "uint16_t"),
     TILES("2", "32", "_tile_dpbf16ps")},
    {"avx512", "lam_tiles_u8_i8", WHAT, MULTIPLY("lam_tiles_u8_i8", "int32_t", "uint8_t", "int8_t"),
     TILES_BYTES("_tile_dpbusd")},
    {"avx512", "lam_tiles_i8_u8", WHAT, MULTIPLY("lam_tiles_i8_u8", "int32_t", "int8_t", "uint8_t"),
     TILES_BYTES("_tile_dpbsud")},
    {"avx512", "lam_tiles_i8", WHAT, MULTIPLY("lam_tiles_i8", "int32_t", "int8_t", "int8_t"),
     TILES_BYTES("_tile_dpbssd")},
    {"avx512", "lam_tiles_u8", WHAT, MULTIPLY("lam_tiles_u8", "int32_t", "uint8_t", "uint8_t"),
     TILES_BYTES("_tile_dpbuud")},
};

const int matrix_helper_count = (int)(sizeof matrix_helpers / sizeof *matrix_helpers);
