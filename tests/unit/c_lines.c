/* How functions are laid out in lines: which loops have braces, what stands on one line, which parameters are marked as unused. */
#include <string.h>

#include "codegen/codegen.h"
#include "tests/unit/check.h"

/* The statements of a function f(real x[0], written real y[0], integer k[0], index n), and its lines in C. */
static const struct example {
  const char *target, *statements, *lines;
} examples[] = {
    {"portable", "serial i < n { y[i] = x[i] }", "  (void)k;\n  for (int64_t i = 0; i < n; i++) y[i] = x[i];\n"},
    {"portable", "serial i < n { serial j < 4 { y[i * 4 + j] = x[i] } }",
     "  (void)k;\n"
     "  for (int64_t i = 0; i < n; i++)\n"
     "    for (int64_t j = 0; j < 4; j++) y[i * 4 + j] = x[i];\n"},
    {"portable", "serial i < n { y[i] = x[i] y[i + n] = x[i] }",
     "  (void)k;\n"
     "  for (int64_t i = 0; i < n; i++) {\n"
     "    y[i] = x[i];\n"
     "    y[i + n] = x[i];\n"
     "  }\n"},
    {"portable", "serial i < n { let a = x[i] }",
     "  (void)y;\n"
     "  (void)k;\n"
     "  for (int64_t i = 0; i < n; i++) {\n"
     "    const float a = x[i];\n"
     "  }\n"},
    {"portable", "serial i < n { if x[i] < 1.0 { y[i] = x[i] y[0] = 2.0 } }",
     "  (void)k;\n"
     "  for (int64_t i = 0; i < n; i++)\n"
     "    if (x[i] < 1.0f) {\n"
     "      y[i] = x[i];\n"
     "      y[0] = 2.0f;\n"
     "    }\n"},
    {"portable", "serial i < n { prefetch x[i] }",
     "  (void)y;\n"
     "  (void)k;\n"
     "  for (int64_t i = 0; i < n; i++)\n"
     "    LAM_PREFETCH(x, i);\n"},
    {"portable", "parallel i < n { y[i] = 0.5 }",
     "  (void)x;\n"
     "  (void)k;\n"
     "  LAM_PARALLEL for (int64_t i = 0; i < n; i++) y[i] = 0.5f;\n"},
    {"portable", "serial i < n { comment \"x\" }",
     "  (void)x;\n"
     "  (void)y;\n"
     "  (void)k;\n"
     "  for (int64_t i = 0; i < n; i++) {\n"
     "    /* x */\n"
     "  }\n"},
    /* A statement without effect is not printed, and uses nothing. */
    {"portable", "serial i < n { y[i] = y[i] } y[0] = x[0]", "  (void)k;\n  (void)n;\n  y[0] = x[0];\n"},
    {"portable", "serial i < n { y[i + index(k[0])] = y[i + index(k[0])] } y[0] = x[0]",
     "  (void)k;\n  (void)n;\n  y[0] = x[0];\n"},
    {"portable", "unrolled i < 3 { y[i] = y[i] }", "  (void)x;\n  (void)y;\n  (void)k;\n  (void)n;\n"},
    {"portable", "unrolled i < 1 { y[i] = x[n] }", "  (void)k;\n  y[0] = x[n];\n"},
    /* A register begins with the value that is stored in it next, if that fits on the line. */
    {"portable", "register real sum[1] sum[0] = x[0] y[0] = sum[0]",
     "  (void)k;\n  (void)n;\n  float sum = x[0];\n  y[0] = sum;\n"},
    {"portable", "register real sum[1] y[1] = x[0] sum[0] = x[1] y[0] = sum[0]",
     "  (void)k;\n  (void)n;\n  float sum;\n  y[1] = x[0];\n  sum = x[1];\n  y[0] = sum;\n"},
    {"portable", "register real sum[2] sum[0] = x[0] sum[1] = x[1] y[0] = sum[0]",
     "  (void)k;\n  (void)n;\n  float sum[2];\n  sum[0] = x[0];\n  sum[1] = x[1];\n  y[0] = sum[0];\n"},
    {"portable", "register real sum[1] serial i < n { sum[0] = x[i] } y[0] = sum[0]",
     "  (void)k;\n  float sum;\n  for (int64_t i = 0; i < n; i++) sum = x[i];\n  y[0] = sum;\n"},
    {"portable", "register real sum[1] unrolled i < 1 { y[i] = 2.0 sum[0] = x[i] } y[1] = sum[0]",
     "  (void)k;\n  (void)n;\n  float sum;\n  y[0] = 2.0f;\n  sum = x[0];\n  y[1] = sum;\n"},
    /* A sign stands apart from another sign. */
    {"portable", "y[0] = neg(neg(x[0])) - -0.5", "  (void)k;\n  (void)n;\n  y[0] = -1 * (-1 * x[0]) - -0.5f;\n"},
    {"portable", "y[0] = real(neg(index(k[0]) * n))", "  (void)x;\n  y[0] = (float)-((int64_t)k[0] * n);\n"},
    {"portable", "y[0] = real(neg(neg(n)))", "  (void)x;\n  (void)k;\n  y[0] = (float)-(-n);\n"},
    /* Loops become vectors. */
    {"avx512", "serial i < n step 16 { vector l < 16 { y[i + l] = x[i + l] } }",
     "  (void)k;\n  for (int64_t i = 0; i < n; i += 16) _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + i));\n"},
    {"avx512", "register real sum[16] vector l < 16 { sum[l] = 0.0 } vector m < 16 { y[m] = sum[m] }",
     "  (void)x;\n  (void)k;\n  (void)n;\n  __m512 sum = _mm512_setzero_ps();\n  _mm512_storeu_ps(y, sum);\n"},
    {"avx512", "vector l < 16 { if l < n { y[l] = x[l] } }",
     "  (void)k;\n  const __mmask16 on = lam_first_lanes(n);\n  _mm512_mask_storeu_ps(y, on, _mm512_maskz_loadu_ps(on, "
     "x));\n"},
    {"avx512", "vector l < 16 { if l < n { y[l * 2] = 3.0 } }",
     "  (void)x;\n  (void)k;\n"
     "  float y_lanes[16];\n"
     "  _mm512_storeu_ps(y_lanes, _mm512_set1_ps(3.0f));\n"
     "  for (int64_t l = 0; l < 16; l++) if (l < n) y[l * 2] = y_lanes[l];\n"},
};

static void check_example(const struct example *example) {
  struct arena *arena = arena_new();
  struct diagnostics *diagnostics = diagnostics_new(arena);
  const char *text = arena_format(arena, "function f(real x[0], written real y[0], integer k[0], index n) { %s }\n",
                                  example->statements);
  struct module *module = module_read(arena, source_from_text(arena, "function", text), diagnostics);
  diagnostics_print(diagnostics, stdout);
  if (CHECK(module != NULL)) {
    text = emit_functions(arena, module, target_find(example->target));
    /* The prototype stands first. */
    const char *begin = strstr(text, "void f("), *end;
    begin = begin ? strstr(begin + 1, "void f(") : NULL;
    begin = begin ? strstr(begin, "{\n") : NULL;
    end = begin ? strstr(begin, "\n}\n") : NULL;
    if (CHECK(end != NULL)) CHECK_STRING(arena_copy(arena, begin + 2, (size_t)(end - begin - 1)), example->lines);
    bool masked = strstr(example->lines, "lam_first_lanes") != NULL;
    CHECK(masked == (strstr(text, "lam_first_lanes") != NULL)); /* without a mask there is no helper for it */
  }
  arena_free(arena);
}

int main(void) {
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) check_example(&examples[i]);
  return check_done("c_lines");
}
