#include "ir/times.h"

#include <string.h>
#include <time.h>

enum { DEEPEST = 16 };

struct phase {
  const char *name, *note;
  double seconds;
};

struct times {
  struct arena *arena;
  ARRAY(struct phase) phases;
  int open[DEEPEST], depth;
  double begin, last; /* last: since when the present phase runs */
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Adds the time that has passed to the present phase. */
static void charge(struct times *times) {
  double time = now();
  times->phases.items[times->open[times->depth - 1]].seconds += time - times->last;
  times->last = time;
}

static void enter(struct times *times, int phase) {
  if (times->depth == DEEPEST) bug("phases are too deep");
  times->open[times->depth++] = phase;
}

struct times *times_new(struct arena *arena) {
  struct times *times = arena_new_struct(arena, struct times);
  times->arena = arena;
  times->begin = times->last = now();
  array_push(arena, &times->phases, (struct phase){.name = "other"});
  enter(times, 0);
  return times;
}

void times_enter_new(struct times *times, const char *name) {
  if (!times) return;
  charge(times);
  array_push(times->arena, &times->phases, (struct phase){.name = name});
  enter(times, times->phases.count - 1);
}

void times_enter(struct times *times, const char *name) {
  if (!times) return;
  for (int i = 0; i < times->phases.count; i++) {
    if (strcmp(times->phases.items[i].name, name) != 0) continue;
    charge(times);
    enter(times, i);
    return;
  }
  times_enter_new(times, name);
}

void times_note(struct times *times, const char *note) {
  if (times) times->phases.items[times->open[times->depth - 1]].note = note;
}

void times_leave(struct times *times) {
  if (!times) return;
  charge(times);
  if (--times->depth < 1) bug("a phase is left that was not entered");
}

void times_print(FILE *file, struct times *times) {
  if (!times) return;
  charge(times);
  for (int i = 1; i <= times->phases.count; i++) {
    const struct phase *phase = &times->phases.items[i % times->phases.count]; /* "other" is the last */
    fprintf(file, "%8.4f s  %-*s%s%s\n", phase->seconds, phase->note ? 10 : 0, phase->name, phase->note ? " " : "",
            phase->note ? phase->note : "");
  }
  fprintf(file, "%8.4f s  total\n", times->last - times->begin);
}
