#include <string.h>

#include "codegen/codegen.h"

/* Products of bytes as those of numbers of 16 bits, which processors add in pairs. */
enum { DOTS_OF_BYTES = 1 << DOT_u8_i8 | 1 << DOT_i8_u8 | 1 << DOT_i8 | 1 << DOT_u8 };

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
     .description = "x86-64 with AVX2 and FMA (Haswell, Zen and later)",
     .lanes = 8,
     .registers = 16,
     .simd = true,
     .expand_reals = 0.65,
     .composed_dots = DOTS_OF_BYTES,
     .tile_rows = 6,
     .tile_vectors = 2,
     .architecture = ARCHITECTURE_X86_64,
     .vector_header = "immintrin.h",
     .attribute = "avx2,fma",
     .cpu_features = "avx2 fma"},
    {.name = "avx512",
     .description = "x86-64 with AVX-512 F, BW, VL and DQ (Skylake-X, Zen 4 and later)",
     .lanes = 16,
     .registers = 32,
     .simd = true,
     .masks = true,
     .composed_dots = DOTS_OF_BYTES,
     .tile_rows = 12,
     .tile_vectors = 2,
     .expand_reals = 0.8,
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

static const struct target *find(const char *name, size_t length) {
  for (int i = 0; i < TARGET_COUNT; i++)
    if (strlen(targets[i].name) == length && !strncmp(targets[i].name, name, length)) return &targets[i];
  return NULL;
}

const struct target *target_find(const char *name) { return find(name, strlen(name)); }

/* --- Features ------------------------------------------------------------------------------------------------------------- */

/* The order is that in which names have them: avx512+vnni+bf16. */
static const struct target_feature extensions[] = {
    {"portable", "fma", NULL, NULL, "multiply-adds round once, as by avx2, avx512 and neon: the same bits", 0, NULL, 0,
     0},
    {"avx2", "f16c", "f16c", "f16c", "conversions between float and half precision", 0, NULL, 0, 0},
    {"avx2", "vnni", "avxvnni", "avxvnni", "AVX-VNNI: dot products of bytes", 1 << DOT_u8_i8 | 1 << DOT_i8_u8,
     "AVX-VNNI", 0, 0},
    {"avx512", "vnni", "avx512vnni", "avx512vnni", "AVX512-VNNI: dot products of bytes",
     1 << DOT_u8_i8 | 1 << DOT_i8_u8, "AVX512-VNNI", 0, 0},
    {"avx512", "bf16", "avx512bf16", "avx512bf16", "AVX512-BF16: dot products of bfloat16", 1 << DOT_bf16,
     "AVX512-BF16", 0, 0},
    {"avx512", "vbmi2", "avx512vbmi2", "avx512vbmi2", "AVX512-VBMI2: loads of pruned bytes", 0, NULL, 0.8, 0},
    {"avx512", "amx", "amx-tile,amx-bf16,amx-int8", "amxtile amxbf16 amxint8",
     "AMX: products of matrices of bfloat16 and of bytes", 0, "AMX", 0, 1 << DOT_bf16 | DOTS_OF_BYTES},
    {"neon", "dot", "+dotprod", "asimddp", "dot products of bytes", 1 << DOT_i8 | 1 << DOT_u8, "DotProd", 0, 0},
    {"neon", "i8mm", "+i8mm", "i8mm", "dot products of bytes of which one has a sign", 1 << DOT_u8_i8 | 1 << DOT_i8_u8,
     "I8MM", 0, 0},
    {"neon", "bf16", "+bf16", "bf16", "conversions to bfloat16", 0, NULL, 0, 0},
};
enum { EXTENSION_COUNT = sizeof extensions / sizeof *extensions };

const struct target_feature *target_feature_at(int number) {
  return number >= 0 && number < EXTENSION_COUNT ? &extensions[number] : NULL;
}

bool target_takes(const struct target *target, const char *base, const char *feature) {
  size_t length = strlen(base);
  if (strncmp(target->name, base, length) != 0 || !strchr("+", target->name[length])) return false;
  if (!feature) return true;
  size_t part = strlen(feature);
  for (const char *at = strchr(target->name, '+'); at; at = strchr(at + 1, '+'))
    if (!strncmp(at + 1, feature, part) && strchr("+", at[1 + part])) return true;
  return false;
}

/* The target with those of its extensions alone that are set, whatever it has. */
static const struct target *extended(struct arena *arena, const struct target *target,
                                     const bool has[EXTENSION_COUNT]) {
  const struct target *base = find(target->name, strcspn(target->name, "+"));
  struct target *result = arena_new_struct(arena, struct target);
  *result = *target;
  result->name = base->name, result->attribute = base->attribute, result->cpu_features = base->cpu_features;
  result->dots = base->dots, result->matrix_dots = base->matrix_dots;
  result->expand_bytes = base->expand_bytes;
  memcpy(result->dot_instructions, base->dot_instructions, sizeof base->dot_instructions);
  for (int i = 0; i < EXTENSION_COUNT; i++) {
    if (!has[i]) continue;
    result->name = arena_format(arena, "%s+%s", result->name, extensions[i].name);
    result->dots |= extensions[i].dots;
    if (extensions[i].expand_bytes > 0) result->expand_bytes = extensions[i].expand_bytes;
    for (int dot = 0; dot < DOT_COUNT; dot++)
      if (extensions[i].dots >> dot & 1) result->dot_instructions[dot] = extensions[i].instructions;
    result->matrix_dots |= extensions[i].matrix_dots;
    if (extensions[i].matrix_dots) result->matrix_instructions = extensions[i].instructions;
    if (!extensions[i].cpu_features) continue;
    result->cpu_features = arena_format(arena, "%s %s", result->cpu_features, extensions[i].cpu_features);
    /* The oldest architecture of AArch64 with each of its extensions stands before them. */
    result->attribute = base->architecture == ARCHITECTURE_AARCH64
                            ? arena_format(arena, "%s%s", result->attribute ? result->attribute : "arch=armv8.2-a",
                                           extensions[i].attribute)
                            : arena_format(arena, "%s,%s", result->attribute, extensions[i].attribute);
  }
  return result;
}

const struct target *target_reduced(struct arena *arena, const struct target *target,
                                    bool (*keeps)(const void *context, const char *feature), const void *context) {
  bool has[EXTENSION_COUNT] = {false};
  for (int i = 0; i < EXTENSION_COUNT; i++)
    has[i] = target_takes(target, extensions[i].target, extensions[i].name) && keeps(context, extensions[i].name);
  return extended(arena, target, has);
}

/* --- Processors ----------------------------------------------------------------------------------------------------------- */

enum { HWCAP = 16, HWCAP2 = 26 }; /* AT_HWCAP and AT_HWCAP2 of Linux */
enum { TILE_DATA = 18 }; /* XFEATURE_XTILEDATA of Linux */

static const struct cpu_feature features[] = {
    {"fma", 1, 0, 2, 12, 0x06, 0},        {"avx2", 7, 0, 1, 5, 0x06, 0},
    {"f16c", 1, 0, 2, 29, 0x06, 0},       {"avxvnni", 7, 1, 0, 4, 0x06, 0},
    {"avx512f", 7, 0, 1, 16, 0xe6, 0},    {"avx512dq", 7, 0, 1, 17, 0xe6, 0},
    {"avx512bw", 7, 0, 1, 30, 0xe6, 0},   {"avx512vl", 7, 0, 1, 31, 0xe6, 0},
    {"avx512vnni", 7, 0, 2, 11, 0xe6, 0}, {"avx512bf16", 7, 1, 0, 5, 0xe6, 0},
    {"avx512vbmi2", 7, 0, 2, 6, 0xe6, 0}, {"amxtile", 7, 0, 3, 24, 0x60000, TILE_DATA},
    {"amxbf16", 7, 0, 3, 22, 0x60000, 0}, {"amxint8", 7, 0, 3, 25, 0x60000, 0},
    {"asimd", HWCAP, 0, 0, 1, 0, 0},      {"asimddp", HWCAP, 0, 0, 20, 0, 0},
    {"i8mm", HWCAP2, 0, 0, 13, 0, 0},     {"bf16", HWCAP2, 0, 0, 14, 0, 0},
};

int cpu_feature_count(const struct target *target) {
  int count = *target->cpu_features != 0;
  for (const char *at = target->cpu_features; *at; at++) count += *at == ' ';
  return count;
}

static const struct cpu_feature *find_feature(const char *name, size_t length) {
  for (size_t i = 0; i < sizeof features / sizeof *features; i++)
    if (strlen(features[i].name) == length && !strncmp(features[i].name, name, length)) return &features[i];
  bug("no processor is known by %s", name);
}

const struct cpu_feature *cpu_feature_of(const struct target *target, int number) {
  const char *name = target->cpu_features;
  for (; number; number--) name += strcspn(name, " ") + 1;
  return find_feature(name, strcspn(name, " "));
}

#if defined __x86_64__
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>

extern long syscall(long, ...); /* unistd.h declares it for more than POSIX alone */
#endif

static const enum architecture here = ARCHITECTURE_X86_64;

/* Whether the system lets this process use registers that are only for those who ask. */
static bool is_granted(unsigned asked) {
#ifdef __linux__
  enum { REQUEST_PERMISSION = 0x1023 }; /* ARCH_REQ_XCOMP_PERM, which older headers lack */
  return !asked || syscall(SYS_arch_prctl, REQUEST_PERMISSION, (unsigned long)asked) == 0;
#else
  return !asked;
#endif
}

/* What cpuid reports; zeros where it knows of no such leaf. Answers are kept, since features are many and a virtual machine stops at each
   cpuid. */
static const unsigned *cpuid_words(unsigned leaf, unsigned subleaf) {
  enum { KEPT = 8 };
  static _Thread_local struct {
    unsigned leaf, subleaf, words[4];
  } kept[KEPT];
  static _Thread_local int count;
  for (int i = 0; i < count; i++)
    if (kept[i].leaf == leaf && kept[i].subleaf == subleaf) return kept[i].words;
  const int own = count < KEPT ? count++ : KEPT - 1;
  unsigned *words = kept[own].words;
  kept[own].leaf = leaf, kept[own].subleaf = subleaf;
  if (!__get_cpuid_count(leaf, subleaf, &words[0], &words[1], &words[2], &words[3]))
    memset(words, 0, sizeof kept[own].words);
  return words;
}

static bool has_feature(const struct cpu_feature *feature) {
  unsigned saved = 0, high;
  if (cpuid_words(1, 0)[2] >> 27 & 1) __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  return cpuid_words(feature->leaf, feature->subleaf)[feature->word] >> feature->bit & 1 &&
         (saved & feature->state) == feature->state && is_granted(feature->asked);
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
  for (int i = 0; i < cpu_feature_count(target); i++)
    if (!has_feature(cpu_feature_of(target, i))) return false;
  return true;
}

/* Whether this machine has all of a list of features. */
static bool has_all(const char *names) {
  for (size_t length; *names; names += length + (names[length] != 0)) {
    length = strcspn(names, " ");
    if (!has_feature(find_feature(names, length))) return false;
  }
  return true;
}

/* The best target that this machine runs, with all of its extensions that this machine has. */
static const struct target *native(struct arena *arena) {
  const struct target *best = NULL;
  for (int i = 0; i < TARGET_COUNT; i++)
    if (!targets[i].double_precision && target_runs_here(&targets[i])) best = &targets[i];
  bool has[EXTENSION_COUNT];
  for (int i = 0; i < EXTENSION_COUNT; i++) {
    const char *names = extensions[i].cpu_features;
    has[i] = names && target_takes(best, extensions[i].target, NULL) && has_all(names);
  }
  return extended(arena, best, has);
}

const struct target *target_read(struct arena *arena, const char *text, const char **problem) {
  size_t length = strcspn(text, "+");
  const struct target *base = find(text, length);
  *problem = NULL;
  if (!strcmp(text, "native")) return native(arena);
  if (!base && length == strlen("native") && !strncmp(text, "native", length)) {
    *problem = "native takes no features, since it has all that this machine has: name a target, as in avx512+vnni";
    return NULL;
  }
  if (!base) {
    const char *known = "native";
    for (int i = 0; i < TARGET_COUNT; i++) known = arena_format(arena, "%s, %s", known, targets[i].name);
    *problem = arena_format(arena, "no target is called '%.*s'; there are %s", (int)length, text, known);
    return NULL;
  }
  bool has[EXTENSION_COUNT] = {false};
  for (const char *at = text + length; *at;) {
    const char *name = at + 1, *known = "";
    size_t part = strcspn(name, "+");
    int found = -1;
    for (int i = 0; i < EXTENSION_COUNT; i++) {
      if (!target_takes(base, extensions[i].target, NULL)) continue;
      known = arena_format(arena, "%s%s%s", known, *known ? ", " : "", extensions[i].name);
      if (strlen(extensions[i].name) == part && !strncmp(extensions[i].name, name, part)) found = i;
    }
    if (found < 0) {
      *problem = *known ? arena_format(arena, "the target %s has no feature '%.*s': it has %s", base->name, (int)part,
                                       name, known)
                        : arena_format(arena, "the target %s has no features", base->name);
      return NULL;
    }
    has[found] = true;
    at = name + part;
  }
  return *(text + length) ? extended(arena, base, has) : base;
}

const char *architecture_name(enum architecture architecture) {
  static const char *const names[] = {"any machine", "x86-64", "AArch64"};
  return names[architecture];
}
