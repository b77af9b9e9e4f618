#include "codegen/dialect.h"

#include <string.h>

#include "codegen/c_arithmetic.h"
#include "codegen/c_names.h"

/* --- Names that headers declare ------------------------------------------------------------------------------------------------ */

static const char *const math_names[] = {
    "fabsf", "sqrtf", "floorf", "rintf", "fmaf",  "fabs",     "sqrt",     "floor",    "rint", "pow",
    "powf",  "expf",  "logf",   "frexp", "ldexp", "copysign", "isfinite", "INFINITY", "NAN",
#define FUNCTION(name) #name,
#include "codegen/simd.def"
};

enum header header_of(const char *name) {
  for (size_t i = 0; i < sizeof math_names / sizeof *math_names; i++)
    if (!strcmp(math_names[i], name)) return HEADER_MATH;
  return strcmp(name, "memcpy") ? HEADER_COUNT : HEADER_MEMORY;
}

/* --- C with OpenMP --------------------------------------------------------------------------------------------------------------- */

static void define_c_loops(struct text *text, const bool used[CONSTRUCT_COUNT]) {
  bool tasks = used[CONSTRUCT_TASKS], each = tasks || used[CONSTRUCT_EACH];
  if (tasks || used[CONSTRUCT_PARALLEL])
    text_raw(text,
             "#ifdef _OPENMP\n"
             "#define LAM_PARALLEL _Pragma(\"omp parallel for schedule(static)\")\n"
             "#else\n"
             "#define LAM_PARALLEL\n"
             "#endif\n");
  if (each) text_comment(text, "Calls a kernel once for each task: in order, or on all threads.");
  if (each) text_raw(text, "#define LAM_EACH(count) for (int64_t task = 0; task < (count); task++)\n");
  if (tasks) text_raw(text, "#define LAM_TASKS(count) LAM_PARALLEL LAM_EACH(count)\n");
  if (used[CONSTRUCT_UNROLL]) {
    text_comment(text, "Without it registers that a loop counts through would be memory.");
    text_raw(text,
             "#if defined(__clang__)\n"
             "#define LAM_UNROLL _Pragma(\"clang loop unroll(full)\")\n"
             "#elif defined(__GNUC__)\n"
             "#define LAM_UNROLL _Pragma(\"GCC unroll 64\")\n"
             "#else\n"
             "#define LAM_UNROLL\n"
             "#endif\n");
  }
}

static void define_c(struct text *text, const struct target *target, const bool used[CONSTRUCT_COUNT]) {
  if (target->attribute)
    text_line(text, "#define LAM_SIMD __attribute__((target(\"%s\")))", target->attribute);
  else if (target->simd)
    text_line(text, "#define LAM_SIMD");
  define_c_loops(text, used);
  if (used[CONSTRUCT_PREFETCH]) {
    text_comment(
        text,
        "Brings an element near that is read soon; it may lie behind the end, which is why no pointer is made of it.");
    text_raw(text,
             "#if defined(__GNUC__)\n"
             "#define LAM_PREFETCH(array, index) \\\n"
             "  __builtin_prefetch((const void *)((uintptr_t)(array) + (uintptr_t)(index) * sizeof *(array)))\n"
             "#else\n"
             "#define LAM_PREFETCH(array, index)\n"
             "#endif\n");
  }
}

/* clang with -fopenmp makes functions of the bodies of parallel loops and gives them no target attribute, so has_parts
   is set. */
const struct dialect dialect_c = {
    .types = {[TYPE_REAL] = "float", [TYPE_INTEGER] = "int32_t", [TYPE_BOOLEAN] = "uint8_t", [TYPE_INDEX] = "int64_t"},
    .wide_real = "double",
    .aligned = "_Alignas(64) ",
    .restricted = "restrict ",
    .vectorised = "LAM_SIMD ",
    .internal = "static ",
    .inlined = "static inline ",
    .called = "__attribute__((noinline)) ",
    .flattened = "__attribute__((always_inline)) ",
    .constructs = {[CONSTRUCT_PARALLEL] = "LAM_PARALLEL",
                   [CONSTRUCT_EACH] = "LAM_EACH",
                   [CONSTRUCT_TASKS] = "LAM_TASKS",
                   [CONSTRUCT_UNROLL] = "LAM_UNROLL",
                   [CONSTRUCT_PREFETCH] = "LAM_PREFETCH"},
    /* gcc's own macros for AVX-512's gathers, which it has in place of functions without -O, convert a mask to a number with a sign. */
    .gather_rule =
        "#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__)\n"
        "#pragma GCC diagnostic ignored \"-Wsign-conversion\" /* in gcc's macros for gathers */\n#endif\n",
    .headers = {[HEADER_MATH] = "#include <math.h>",
                [HEADER_INTEGERS] = "#include <stdint.h>",
                [HEADER_MEMORY] = "#include <string.h>"},
    .task = "task",
    .has_parts = true,
    .is_taken = c_is_taken,
    .is_library_name = c_is_library_name,
    .print_rules = c_arithmetic_rules,
    .print_checks = c_machine_checks,
    .print_check_headers = c_machine_headers,
    .print_definitions = define_c,
};
