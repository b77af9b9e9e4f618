/* Makes a failing trial smaller, as long as it fails in the same way. */
#ifndef TESTS_HARNESS_SHRINK_H
#define TESTS_HARNESS_SHRINK_H

#include "tests/harness/compile.h"
#include "tests/harness/trial.h"

/* How a trial ends. */
enum ending {
  ENDS_WELL,
  ENDS_REFUSED, /* the graph is not valid, or the interpreter refuses it */
  ENDS_REWRITTEN, /* a pass or schedule fails, or changes what the interpreter gives */
  ENDS_UNCOMPILED,
  ENDS_DIFFERENT, /* the program's numbers are not the interpreter's */
  ENDS_CRASHED,
  ENDS_NEVER /* or not in its time */
};
extern const char *const ending_names[];

struct failure {
  struct sample *sample;
  const char *pipeline;
  const struct target *target;
  struct compiling how;
  /* NULL: failure_run */
  enum ending (*run)(struct arena *arena, const struct failure *failure, const char **message);
  int seconds; /* how many it may take; 0: half a minute */
};

/* Runs the trial in a process of its own, so that a crash, or no end in its time, is an ending like any other. */
enum ending failure_ending(const struct failure *failure);
/* Runs the trial in this process; *message is what is wrong, or NULL. */
enum ending failure_run(struct arena *arena, const struct failure *failure, const char **message);
/* Tries to drop outputs, updates, values, lengths of axes, passes and odd contents, at most `tries` times in all, and
   less often when trials do not end. */
struct failure failure_shrink(struct arena *arena, const struct failure *failure, int tries);
/* Prints a text that reads back, with the pipeline, the target and how to compile in comments before it. */
void failure_print(FILE *file, const struct failure *failure);
/* Reads such a text. False, after a message on stderr, when the file is none. */
bool failure_read(struct arena *arena, const char *path, struct failure *failure);

#endif
