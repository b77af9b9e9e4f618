#include "tests/harness/foreign.h"

#include <unistd.h>

bool target_runs_in_tests(const struct target *target) {
  if (!target_is_foreign(target)) return target_runs_here(target);
  const struct target *host = target_find("avx2");
  return target->architecture == ARCHITECTURE_AARCH64 && target_runs_here(host) &&
         access("/usr/include/simde/arm/neon.h", R_OK) == 0;
}

const char *const *target_options(const struct target *target) {
  static const char *const none[] = {NULL};
  static const char *const simde[] = {
      "-isystem", SOURCE_FOLDER "/tests/harness/simde", "-mavx2", "-mfma", "-Wno-pass-failed", NULL};
  return target_is_foreign(target) ? simde : none;
}

const char *target_option_text(struct arena *arena, const struct target *target) {
  const char *text = "";
  for (const char *const *word = target_options(target); *word; word++)
    text = arena_format(arena, "%s %s", text, *word);
  return text;
}
