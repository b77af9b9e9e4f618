/* Processors, and how many multiply-adds of whole vectors each begins in a cycle. This decides the usual tile of a
   contraction. */
#include <string.h>

#include "codegen/codegen.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

enum vendor { VENDOR_INTEL, VENDOR_AMD, VENDOR_OTHER };

/* A row for each kind of processor with AVX2, by what the instruction cpuid reports: its family, and models from
   `first` to `last`. The names are those of compilers. */
static const struct row {
  struct processor processor;
  enum vendor vendor;
  int family, first, last;
} rows[] = {
    {{"haswell", 1}, VENDOR_INTEL, 6, 0x3c, 0x3c},
    {{"haswell", 1}, VENDOR_INTEL, 6, 0x3f, 0x3f},
    {{"haswell", 1}, VENDOR_INTEL, 6, 0x45, 0x46},
    {{"broadwell", 1}, VENDOR_INTEL, 6, 0x3d, 0x3d},
    {{"broadwell", 1}, VENDOR_INTEL, 6, 0x47, 0x47},
    {{"broadwell", 1}, VENDOR_INTEL, 6, 0x4f, 0x4f},
    {{"broadwell", 1}, VENDOR_INTEL, 6, 0x56, 0x56},
    {{"skylake", 1}, VENDOR_INTEL, 6, 0x4e, 0x4e},
    {{"skylake", 1}, VENDOR_INTEL, 6, 0x5e, 0x5e},
    {{"skylake", 1}, VENDOR_INTEL, 6, 0x8e, 0x8e},
    {{"skylake", 1}, VENDOR_INTEL, 6, 0x9e, 0x9e},
    /* Cascade Lake and Cooper Lake are newer steppings of this model. A few of the cheapest begin only one. */
    {{"skylake-avx512", 2}, VENDOR_INTEL, 6, 0x55, 0x55},
    {{"cannonlake", 1}, VENDOR_INTEL, 6, 0x66, 0x66},
    {{"icelake-client", 1}, VENDOR_INTEL, 6, 0x7d, 0x7e},
    {{"tigerlake", 1}, VENDOR_INTEL, 6, 0x8c, 0x8d},
    {{"rocketlake", 1}, VENDOR_INTEL, 6, 0xa7, 0xa7},
    {{"alderlake", 1}, VENDOR_INTEL, 6, 0x97, 0x97},
    {{"alderlake", 1}, VENDOR_INTEL, 6, 0x9a, 0x9a},
    {{"raptorlake", 1}, VENDOR_INTEL, 6, 0xb7, 0xb7},
    {{"icelake-server", 2}, VENDOR_INTEL, 6, 0x6a, 0x6c},
    {{"sapphirerapids", 2}, VENDOR_INTEL, 6, 0x8f, 0x8f},
    {{"emeraldrapids", 2}, VENDOR_INTEL, 6, 0xcf, 0xcf},
    {{"graniterapids", 2}, VENDOR_INTEL, 6, 0xad, 0xae},
    {{"znver1", 1}, VENDOR_AMD, 0x17, 0x00, 0x2f},
    {{"znver2", 1}, VENDOR_AMD, 0x17, 0x30, 0xff},
    {{"znver3", 1}, VENDOR_AMD, 0x19, 0x00, 0x0f},
    {{"znver3", 1}, VENDOR_AMD, 0x19, 0x20, 0x5f},
    {{"znver4", 1}, VENDOR_AMD, 0x19, 0x10, 0x1f},
    {{"znver4", 1}, VENDOR_AMD, 0x19, 0x60, 0xff},
    {{"znver5", 2}, VENDOR_AMD, 0x1a, 0x00, 0xff},
};
enum { ROW_COUNT = sizeof rows / sizeof *rows };

/* Processors that are not listed. Later ones of Intel with AVX-512 are for servers, which begin two. */
static const struct processor unknown = {"a processor that is not listed", 1},
                              unknown_intel = {"an Intel processor that is not listed", 2};

static const struct processor *processor_of(enum vendor vendor, int family, int model) {
  for (int i = 0; i < ROW_COUNT; i++)
    if (rows[i].vendor == vendor && rows[i].family == family && rows[i].first <= model && model <= rows[i].last)
      return &rows[i].processor;
  return vendor == VENDOR_INTEL ? &unknown_intel : &unknown;
}

/* What cpuid reports of this processor; false where there is no such instruction. */
static bool identify(enum vendor *vendor, int *family, int *model) {
#ifdef __x86_64__
  unsigned a, b, c, d;
  if (!__get_cpuid(0, &a, &b, &c, &d)) return false;
  char name[13] = {0};
  memcpy(name, &b, 4), memcpy(name + 4, &d, 4), memcpy(name + 8, &c, 4);
  *vendor = !strcmp(name, "GenuineIntel") ? VENDOR_INTEL : !strcmp(name, "AuthenticAMD") ? VENDOR_AMD : VENDOR_OTHER;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return false;
  *family = (int)(a >> 8 & 15), *model = (int)(a >> 4 & 15);
  if (*family == 15) *family += (int)(a >> 20 & 255);
  if (*family >= 6) *model += (int)(a >> 16 & 15) << 4;
  return true;
#else
  *vendor = VENDOR_OTHER, *family = *model = 0;
  return false;
#endif
}

static const struct processor *processor_here(void) {
  enum vendor vendor;
  int family, model;
  return identify(&vendor, &family, &model) ? processor_of(vendor, family, model) : &unknown;
}

const struct processor *processor_at(int number) {
  return number >= 0 && number < ROW_COUNT ? &rows[number].processor : NULL;
}

const struct processor *processor_find(const char *name) {
  if (!strcmp(name, "native")) return processor_here();
  for (int i = 0; i < ROW_COUNT; i++)
    if (!strcmp(rows[i].processor.name, name)) return &rows[i].processor;
  return NULL;
}

const struct target *target_tuned(struct arena *arena, const struct target *target, const struct processor *processor) {
  struct target *tuned = arena_new_struct(arena, struct target);
  *tuned = *target;
  tuned->processor = processor->name;
  if (processor->multiply_adds < 2 || !target->busy_rows) return tuned;
  tuned->tile_rows = target->busy_rows;
  tuned->tile_vectors = target->busy_vectors;
  return tuned;
}

const char *target_tile_text(struct arena *arena, const struct target *target) {
  int rows = target->tile_rows, vectors = target->tile_vectors;
  const char *why = "as is usual for the target";
  if (target->processor && target->busy_rows)
    why = arena_format(
        arena, "for %s, which begins %s of %d bits a cycle", target->processor,
        rows == target->busy_rows && vectors == target->busy_vectors ? "two multiply-adds" : "one multiply-add",
        32 * target->lanes);
  return arena_format(arena, "tiles of %d rows and %d vectors (%d loads for %d multiply-adds), %s", rows, vectors,
                      rows + vectors, rows * vectors, why);
}
