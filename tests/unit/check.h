/* Checks for the test programs of this folder. A program runs its checks and ends with `return check_done("name")`,
   which prints the one line that tests/run reads. A failed check prints its place and text, and the program goes on. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
  int passed, failed, skipped;
  uint64_t seed, state; /* of the random numbers; seed 0: none drawn */
  time_t until; /* 0: as many rounds as usual */
} check_totals;

/* Counts a check; true when it held, so that what depends on it can be left out. */
static inline bool check_one(bool held, const char *file, int line, const char *text) {
  if (held) {
    check_totals.passed++;
    return true;
  }
  check_totals.failed++;
  printf("%s:%d: failed: %s\n", file, line, text);
  return false;
}

static inline bool check_string(const char *got, const char *expected, const char *file, int line, const char *text) {
  if (check_one(got && expected ? !strcmp(got, expected) : got == expected, file, line, text)) return true;
  printf("  expected: %s\n  got:      %s\n", expected ? expected : "NULL", got ? got : "NULL");
  return false;
}

/* Within `tolerance`, absolute or relative to the expected value, whichever is wider. */
static inline bool check_near(double got, double expected, double tolerance, const char *file, int line,
                              const char *text) {
  double scale = fabs(expected) > 1 ? fabs(expected) : 1;
  bool near = got == expected || (isnan(got) && isnan(expected)) || fabs(got - expected) <= tolerance * scale;
  if (check_one(near, file, line, text)) return true;
  printf("  expected: %.17g within %g\n  got:      %.17g\n", expected, tolerance, got);
  return false;
}

#define CHECK(condition) check_one((condition), __FILE__, __LINE__, #condition)
#define CHECK_STRING(got, expected) check_string((got), (expected), __FILE__, __LINE__, #got)
#define CHECK_NEAR(got, expected, tolerance) check_near((got), (expected), (tolerance), __FILE__, __LINE__, #got)
#define SKIP(reason) (check_totals.skipped++, printf("%s:%d: skipped: %s\n", __FILE__, __LINE__, reason))

/* Random numbers (splitmix64) from a seed that is printed with a failure; LAMELLA_SEED=N chooses another. */
static inline uint64_t check_random(void) {
  if (!check_totals.seed) {
    const char *chosen = getenv("LAMELLA_SEED");
    check_totals.seed = chosen ? strtoull(chosen, NULL, 0) : 20240601;
    check_totals.state = check_totals.seed;
  }
  uint64_t x = check_totals.state += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/* A random integer in [0, limit). */
static inline int check_below(int limit) { return (int)(check_random() % (uint64_t)limit); }

/* Reads the options of fuzzers: --seconds N to run for so long, and --seed N. False after a message. */
static inline bool check_options(const char *name, int count, char **arguments) {
  for (int i = 1; i < count; i += 2) {
    char *end = NULL;
    unsigned long long number = i + 1 < count ? strtoull(arguments[i + 1], &end, 0) : 0;
    bool seconds = !strcmp(arguments[i], "--seconds");
    if (!end || *end || !number || (!seconds && strcmp(arguments[i], "--seed") != 0)) {
      fprintf(stderr, "usage: %s [--seconds N] [--seed N]\n", name);
      return false;
    }
    if (seconds)
      check_totals.until = time(NULL) + (time_t)number;
    else
      check_totals.seed = check_totals.state = number;
  }
  check_random();
  printf("unit %s: the random seed is %llu\n", name, (unsigned long long)check_totals.seed);
  fflush(stdout);
  return true;
}

/* Whether there is another round after this many; `usual` is the usual number. */
static inline bool check_goes_on(long round, long usual) {
  return check_totals.until ? check_totals.failed < 100 && time(NULL) < check_totals.until : round < usual;
}

static inline int check_done(const char *name) {
  if (check_totals.failed && check_totals.seed)
    printf("unit %s: the random seed was %llu; LAMELLA_SEED=%llu repeats this run\n", name,
           (unsigned long long)check_totals.seed, (unsigned long long)check_totals.seed);
  printf("unit %s: %d passed, %d failed, %d skipped\n", name, check_totals.passed, check_totals.failed,
         check_totals.skipped);
  return check_totals.failed > 0;
}

#endif
