#include "tests/harness/foreign.h"

#include <string.h>
#include <unistd.h>

/* The features whose instructions tests/harness/simde gives their meaning. */
static bool is_emulated(const char *target, const char *feature) {
  static const char *const emulated[][2] = {{"avx2", "vnni"}, {"neon", "dot"}, {"neon", "i8mm"}};
  const size_t length = strcspn(target, "+");
  for (size_t i = 0; i < sizeof emulated / sizeof *emulated; i++)
    if (strlen(emulated[i][0]) == length && !strncmp(emulated[i][0], target, length) &&
        !strcmp(emulated[i][1], feature))
      return true;
  return false;
}

static bool is_real(const void *target, const char *feature) { return !is_emulated(target, feature); }

/* The target without what is emulated; the target itself where this machine runs it. */
static const struct target *base_of(struct arena *arena, const struct target *target) {
  return target_runs_here(target) ? target : target_reduced(arena, target, is_real, target->name);
}

/* A compiler must not choose instructions by itself that are emulated. */
static const struct target *compiled_as_base(struct arena *arena, const struct target *target) {
  struct target *copy = arena_new_struct(arena, struct target);
  *copy = *target;
  copy->attribute = base_of(arena, target)->attribute;
  return copy;
}

const struct target *tested_target(int number) {
  static const char *const names[] = {"portable+fma", "avx2+f16c",  "avx2+vnni", "avx512+vnni+bf16",
                                      "avx512+vbmi2", "avx512+amx", "neon+dot",  "neon+i8mm"};
  enum { NAMES = sizeof names / sizeof *names };
  static const struct target *known[NAMES];
  const char *problem;
  int count = 0;
  while (target_at(count)) count++;
  if (number < count) return target_at(number);
  if (number >= count + NAMES) return NULL;
  const struct target **target = &known[number - count];
  if (!*target) {
    struct arena *arena = arena_new();
    *target = compiled_as_base(arena, target_read(arena, names[number - count], &problem));
  }
  return *target;
}

const struct target *tested_target_find(const char *name) {
  for (int i = 0; tested_target(i); i++)
    if (!strcmp(tested_target(i)->name, name)) return tested_target(i);
  return NULL;
}

const struct target *target_with_same_bits(const struct target *target) {
  const bool fuses = strcmp(target->name, "portable") && !target->double_precision;
  if (!fuses || (target->dots | target->matrix_dots) >> DOT_bf16 & 1) return NULL;
  for (int i = 0;; i++)
    if (!strcmp(tested_target(i)->name, "portable+fma")) return tested_target(i);
}

bool target_runs_in_tests(const struct target *target) {
  struct arena *arena = arena_new();
  const struct target *base = base_of(arena, target), *host = target_find("avx2");
  const bool is_neon = base->architecture == ARCHITECTURE_AARCH64 && !strchr(base->name, '+');
  const bool runs = target_is_foreign(base)
                        ? is_neon && target_runs_here(host) && access("/usr/include/simde/arm/neon.h", R_OK) == 0
                        : target_runs_here(base);
  arena_free(arena);
  return runs;
}

const char *const *target_options(const struct target *target) {
  static const char *const none[] = {NULL};
  static const char *const meanings[] = {"-isystem", SOURCE_FOLDER "/tests/harness/simde", NULL};
  static const char *const simde[] = {
      "-isystem", SOURCE_FOLDER "/tests/harness/simde", "-mavx2", "-mfma", "-mf16c", "-Wno-pass-failed", NULL};
  if (target_is_foreign(target)) return simde;
  return target_runs_here(target) ? none : meanings;
}

const char *target_option_text(struct arena *arena, const struct target *target) {
  const char *text = "";
  for (const char *const *word = target_options(target); *word; word++)
    text = arena_format(arena, "%s %s", text, *word);
  return text;
}
