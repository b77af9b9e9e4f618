#include "tests/harness/foreign.h"

#include <string.h>
#include <unistd.h>

const struct target *tested_target(int number) {
  static const char *const names[] = {"avx2+f16c", "avx2+vnni", "avx512+vnni+bf16", "neon+dot+i8mm"};
  enum { NAMES = sizeof names / sizeof *names };
  static const struct target *known[NAMES];
  const char *problem;
  int count = 0;
  while (target_at(count)) count++;
  if (number < count) return target_at(number);
  if (number >= count + NAMES) return NULL;
  const struct target **target = &known[number - count];
  if (!*target) *target = target_read(arena_new(), names[number - count], &problem);
  return *target;
}

bool target_runs_in_tests(const struct target *target) {
  if (!target_is_foreign(target)) return target_runs_here(target);
  const struct target *host = target_find("avx2");
  return target->architecture == ARCHITECTURE_AARCH64 && !strchr(target->name, '+') && target_runs_here(host) &&
         access("/usr/include/simde/arm/neon.h", R_OK) == 0;
}

const char *const *target_options(const struct target *target) {
  static const char *const none[] = {NULL};
  static const char *const simde[] = {
      "-isystem", SOURCE_FOLDER "/tests/harness/simde", "-mavx2", "-mfma", "-mf16c", "-Wno-pass-failed", NULL};
  return target_is_foreign(target) ? simde : none;
}

const char *target_option_text(struct arena *arena, const struct target *target) {
  const char *text = "";
  for (const char *const *word = target_options(target); *word; word++)
    text = arena_format(arena, "%s %s", text, *word);
  return text;
}
