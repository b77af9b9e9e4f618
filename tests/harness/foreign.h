/* Code for other machines in the process of a test. NEON's runs on x86-64 with AVX2: tests/harness/simde has an arm_neon.h that gives its
   intrinsics the meaning they have, by SIMDe, and an immintrin.h for those of AVX-VNNI. So the texts of rows for these are tested
   wherever x86-64's are; NEON's instructions themselves are tested by cases/neon under qemu. */
#ifndef TESTS_HARNESS_FOREIGN_H
#define TESTS_HARNESS_FOREIGN_H

#include "codegen/codegen.h"

/* The targets that tests go through: those of target_at, and some with features, which have no attribute for what this machine lacks.
   NULL past the last. */
const struct target *tested_target(int number);
/* The one of that name, or NULL. */
const struct target *tested_target_find(const char *name);
/* The target of plain C, which every machine runs, whose programs give the bits that those for `target` give, whatever the
   passes; NULL where bits may differ: that target rounds twice, or more finely, or sums by dots of bfloat16. */
const struct target *target_with_same_bits(const struct target *target);
/* Whether functions for the target, which is one of the tested ones, can be compiled here (emit_functions), with target_options, and
   called. */
bool target_runs_in_tests(const struct target *target);
/* The words that gcc and clang need for that, up to a NULL; none for targets of this machine. */
const char *const *target_options(const struct target *target);
/* The same for a shell, each after a space. */
const char *target_option_text(struct arena *arena, const struct target *target);

#endif
