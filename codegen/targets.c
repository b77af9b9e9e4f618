#include <string.h>

#include "codegen/codegen.h"

/* The order is that of --help. "native" is the last one that this machine runs, apart from the reference target. */
static const struct target targets[] = {
    {.name = "portable",
     .description = "C11 for any compiler and machine; its optimizer makes the vectors",
     .lanes = 8,
     .registers = 16,
     .tile_rows = 4,
     .tile_vectors = 2,
     .cpu_features = ""},
    {.name = "avx2",
     .description = "x86-64 with AVX2, FMA and F16C (Haswell, Zen and later)",
     .lanes = 8,
     .registers = 16,
     .simd = true,
     .fused_multiply_add = true,
     .tile_rows = 6,
     .tile_vectors = 2,
     .architecture = ARCHITECTURE_X86_64,
     .vector_header = "immintrin.h",
     .attribute = "avx2,fma,f16c",
     .cpu_features = "avx2 fma f16c"},
    {.name = "avx512",
     .description = "x86-64 with AVX-512 F, BW, VL and DQ (Skylake-X, Zen 4 and later)",
     .lanes = 16,
     .registers = 32,
     .simd = true,
     .masks = true,
     .fused_multiply_add = true,
     .tile_rows = 12,
     .tile_vectors = 2,
     .busy_rows = 8,
     .busy_vectors = 3,
     .architecture = ARCHITECTURE_X86_64,
     .vector_header = "immintrin.h",
     .attribute = "avx512f,avx512bw,avx512vl,avx512dq,fma",
     .cpu_features = "avx512f avx512bw avx512vl avx512dq fma"},
    {.name = "neon",
     .description = "AArch64 with Advanced SIMD (all 64-bit Arm processors that run Linux, macOS or Windows)",
     .lanes = 4,
     .registers = 32,
     .simd = true,
     .fused_multiply_add = true,
     .tile_rows = 6,
     .tile_vectors = 4,
     .architecture = ARCHITECTURE_AARCH64,
     .vector_header = "arm_neon.h",
     .cpu_features = "asimd"},
    {.name = "reference",
     .description = "C11 in double precision with the C library's functions: the oracle for the others",
     .lanes = 4,
     .registers = 16,
     .double_precision = true,
     .tile_rows = 2,
     .tile_vectors = 1,
     .cpu_features = ""},
};
enum { TARGET_COUNT = sizeof targets / sizeof *targets };

const struct target *target_at(int number) { return number >= 0 && number < TARGET_COUNT ? &targets[number] : NULL; }

const struct target *target_find(const char *name) {
  if (strcmp(name, "native") == 0) {
    const struct target *best = NULL;
    for (int i = 0; i < TARGET_COUNT; i++)
      if (!targets[i].double_precision && target_runs_here(&targets[i])) best = &targets[i];
    return best;
  }
  for (int i = 0; i < TARGET_COUNT; i++)
    if (strcmp(targets[i].name, name) == 0) return &targets[i];
  return NULL;
}

/* --- Processors ----------------------------------------------------------------------------------------------------------- */

enum { HWCAP = 16 }; /* AT_HWCAP of Linux */

static const struct cpu_feature features[] = {
    {"fma", 1, 2, 12, 0x06},      {"f16c", 1, 2, 29, 0x06},     {"avx2", 7, 1, 5, 0x06},
    {"avx512f", 7, 1, 16, 0xe6},  {"avx512dq", 7, 1, 17, 0xe6}, {"avx512bw", 7, 1, 30, 0xe6},
    {"avx512vl", 7, 1, 31, 0xe6}, {"asimd", HWCAP, 0, 1, 0},
};

int target_feature_count(const struct target *target) {
  int count = *target->cpu_features != 0;
  for (const char *at = target->cpu_features; *at; at++) count += *at == ' ';
  return count;
}

const struct cpu_feature *target_feature(const struct target *target, int number) {
  const char *name = target->cpu_features;
  for (; number; number--) name += strcspn(name, " ") + 1;
  size_t length = strcspn(name, " ");
  for (size_t i = 0; i < sizeof features / sizeof *features; i++)
    if (strlen(features[i].name) == length && !strncmp(features[i].name, name, length)) return &features[i];
  bug("no processor is known by %s", name);
}

#if defined __x86_64__
#include <cpuid.h>

static const enum architecture here = ARCHITECTURE_X86_64;

static bool has_feature(const struct cpu_feature *feature) {
  unsigned words[4] = {0}, saved = 0, high;
  if (__get_cpuid(1, &words[0], &words[1], &words[2], &words[3]) && words[2] >> 27 & 1)
    __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  return __get_cpuid_count(feature->leaf, 0, &words[0], &words[1], &words[2], &words[3]) &&
         words[feature->word] >> feature->bit & 1 && (saved & feature->state) == feature->state;
}
#elif defined __aarch64__ && defined __linux__
#include <sys/auxv.h>

static const enum architecture here = ARCHITECTURE_AARCH64;

static bool has_feature(const struct cpu_feature *feature) { return getauxval(feature->leaf) >> feature->bit & 1; }
#else
static const enum architecture here = ARCHITECTURE_ANY;

static bool has_feature(const struct cpu_feature *feature) { return !feature; }
#endif

bool target_is_foreign(const struct target *target) {
  return target->architecture != ARCHITECTURE_ANY && target->architecture != here;
}

bool target_runs_here(const struct target *target) {
  if (target_is_foreign(target)) return false;
  for (int i = 0; i < target_feature_count(target); i++)
    if (!has_feature(target_feature(target, i))) return false;
  return true;
}

const char *architecture_name(enum architecture architecture) {
  static const char *const names[] = {"any machine", "x86-64", "AArch64"};
  return names[architecture];
}
