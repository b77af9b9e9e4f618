#include <string.h>

#include "codegen/codegen.h"

/* The order is that of --help; "native" is the last of those that this machine runs, the reference target aside. */
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
     .fused_multiply_add = true,
     .tile_rows = 6,
     .tile_vectors = 2,
     .attribute = "avx2,fma",
     .cpu_features = "avx2 fma"},
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
     .attribute = "avx512f,avx512bw,avx512vl,avx512dq,fma",
     .cpu_features = "avx512f avx512bw avx512vl avx512dq fma"},
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

/* Whether `word` stands among the words of `line`. */
static bool has_word(const char *line, const char *word, size_t length) {
  for (const char *at = line; (at = strstr(at, word)) != NULL; at++)
    if (strncmp(at, word, length) == 0 && (at == line || at[-1] == ' ' || at[-1] == '\t') && strchr(" \n", at[length]))
      return true;
  return false;
}

bool target_runs_here(const struct target *target) {
  if (!*target->cpu_features) return true;
  FILE *file = fopen("/proc/cpuinfo", "r");
  if (!file) return false;
  char line[16384];
  bool runs = false;
  while (!runs && fgets(line, sizeof line, file)) {
    if (strncmp(line, "flags", 5) != 0) continue;
    runs = true;
    for (const char *feature = target->cpu_features; *feature && runs;) {
      size_t length = strcspn(feature, " ");
      char word[32] = {0};
      if (length >= sizeof word) bug("the feature %s is too long a name", feature);
      memcpy(word, feature, length);
      runs = has_word(line, word, length);
      feature += length + (feature[length] == ' ');
    }
    break; /* all processors of a machine have the same flags */
  }
  fclose(file);
  return runs;
}
