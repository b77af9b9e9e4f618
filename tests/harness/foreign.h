/* Code for other architectures in the process of a test. NEON's runs on x86-64 with AVX2: tests/harness/simde has an arm_neon.h
   that gives its intrinsics the meaning they have, by SIMDe. So the texts of NEON's rows are tested wherever x86-64's are; the
   instructions themselves are tested by cases/neon under qemu. */
#ifndef TESTS_HARNESS_FOREIGN_H
#define TESTS_HARNESS_FOREIGN_H

#include "codegen/codegen.h"

/* The targets that tests go through: those of target_at, and some with features. NULL past the last. */
const struct target *tested_target(int number);
/* Whether functions for the target (emit_functions) can be compiled here, with target_options, and called. NEON with features
   cannot, since x86-64 knows no attributes for them. */
bool target_runs_in_tests(const struct target *target);
/* The words that gcc and clang need for that, up to a NULL; none for targets of this machine. */
const char *const *target_options(const struct target *target);
/* The same for a shell, each after a space. */
const char *target_option_text(struct arena *arena, const struct target *target);

#endif
