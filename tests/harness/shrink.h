/* A failing trial made smaller, as long as it fails in the same way. */
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
  /* failure_run; NULL is that, too */
  enum ending (*run)(struct arena *arena, const struct failure *failure, const char **message);
  int seconds; /* that it may take; 0: half a minute */
};

/* Runs it in a process of its own, so that a crash is an ending like any other, and so is no end. */
enum ending failure_ending(const struct failure *failure);
/* Runs it here; `message` receives what is wrong, or NULL. */
enum ending failure_run(struct arena *arena, const struct failure *failure, const char **message);
/* Tries to drop outputs, updates, values, lengths of axes, passes and odd contents, at most `tries` times in all; fewer times where
   there is no end to wait for. */
struct failure failure_shrink(struct arena *arena, const struct failure *failure, int tries);
/* The text that reads back, with pipeline, target and how to compile in comments before it. */
void failure_print(FILE *file, const struct failure *failure);
/* False, with a message on stderr, where the file is none. */
bool failure_read(struct arena *arena, const char *path, struct failure *failure);

#endif
