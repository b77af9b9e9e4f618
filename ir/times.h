/* Where a command's time goes, for --time-passes: phases, one of which runs at any time. A phase that is entered within another stops the
   other's clock, so that the lines add up to the whole. All functions do nothing when `times` is NULL. */
#ifndef IR_TIMES_H
#define IR_TIMES_H

#include <stdio.h>

#include "ir/arena.h"

struct times;

/* Begins with the phase "other". */
struct times *times_new(struct arena *arena);
/* Enters a phase. `name` must live as long as `times`. A phase that is entered again continues on its own line;
   times_enter_new begins another line. */
void times_enter(struct times *times, const char *name);
void times_enter_new(struct times *times, const char *name);
/* A note to print on the line of the present phase. */
void times_note(struct times *times, const char *note);
void times_leave(struct times *times);
/* A line a phase, in the order in which they were first entered, and the total so far. */
void times_print(FILE *file, struct times *times);

#endif
