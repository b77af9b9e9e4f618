/* random_programs makes a smaller graph of a failing one, which fails in the same way, as text that reads back. */
#include <stdlib.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "tests/harness/shrink.h"
#include "tests/unit/check.h"

static bool has(const struct failure *failure, enum op op) {
  const struct graph *graph = failure->sample->graph;
  for (int i = 0; i < graph->values.count; i++)
    if (graph->values.items[i]->op == op) return true;
  return false;
}

/* Pretended faults: wrong C where a pass and an operation meet, a crash at an operation, a trial that does not end, and
   one that ends differently. */
static enum ending fail_by_pass(struct arena *arena, const struct failure *failure, const char **message) {
  (void)arena;
  *message = "pretended";
  if (!has(failure, OP_index)) return ENDS_REFUSED; /* a smaller graph must not end so instead */
  return strstr(failure->pipeline, "fuse") && has(failure, OP_gather) ? ENDS_UNCOMPILED : ENDS_WELL;
}

static enum ending crash(struct arena *arena, const struct failure *failure, const char **message) {
  (void)arena;
  *message = NULL;
  if (has(failure, OP_gather)) abort();
  return ENDS_WELL;
}

static enum ending hang(struct arena *arena, const struct failure *failure, const char **message) {
  (void)arena, (void)failure, (void)message;
  pause();
  return ENDS_WELL;
}

/* A graph that has both operations. */
static struct sample *find_sample(struct arena *arena) {
  for (;;) {
    struct sample *sample = sample_graph(arena, 20, check_random(), SAMPLE_PATTERNS);
    const struct failure failure = {.sample = sample};
    if (has(&failure, OP_index) && has(&failure, OP_gather) && sample->graph->values.count > 12) return sample;
  }
}

static void check_text(struct arena *arena, const struct failure *failure) {
  char path[] = "/tmp/shrink.XXXXXX";
  int descriptor = mkstemp(path);
  FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
  if (!CHECK(file)) return;
  failure_print(file, failure);
  fclose(file);
  struct failure read;
  if (CHECK(failure_read(arena, path, &read))) {
    CHECK_STRING(read.pipeline, failure->pipeline);
    CHECK_STRING(read.how.compiler, failure->how.compiler);
    CHECK(read.target == failure->target && read.how.level == failure->how.level);
    CHECK(read.sample->graph->values.count == failure->sample->graph->values.count);
  }
  unlink(path);
}

int main(void) {
  struct arena *arena = arena_new();
  struct failure failure = {.sample = find_sample(arena),
                            .pipeline = "none, parallel(work = 3), fuse, plan",
                            .target = target_find("portable"),
                            .how = {.compiler = "gcc", .level = 2, .threads = true},
                            .run = fail_by_pass};
  CHECK(failure_ending(&failure) == ENDS_UNCOMPILED);
  struct failure smaller = failure_shrink(arena, &failure, 2000);
  CHECK(failure_ending(&smaller) == ENDS_UNCOMPILED);
  /* The fault needs two operations; what leads from them to outputs may stay. */
  if (!CHECK(smaller.sample->graph->values.count <= 12)) failure_print(stdout, &smaller);
  CHECK_STRING(smaller.pipeline, "none, fuse");
  check_text(arena, &smaller);

  failure.run = crash;
  CHECK(failure_ending(&failure) == ENDS_CRASHED);
  smaller = failure_shrink(arena, &failure, 2000);
  CHECK(failure_ending(&smaller) == ENDS_CRASHED);
  CHECK(smaller.sample->graph->values.count <= 4);
  CHECK_STRING(smaller.pipeline, "none");

  /* Each try waits for the end, so there are few tries. */
  failure.run = hang, failure.seconds = 1;
  CHECK(failure_ending(&failure) == ENDS_NEVER);
  smaller = failure_shrink(arena, &failure, 3);
  CHECK(strlen(smaller.pipeline) < strlen(failure.pipeline));

  /* A graph without a fault stays as it is. */
  failure.run = NULL, failure.seconds = 0, failure.pipeline = "none", failure.how = (struct compiling){.level = 0};
  CHECK(failure_ending(&failure) == ENDS_WELL);
  CHECK(failure_shrink(arena, &failure, 10).sample == failure.sample);
  arena_free(arena);
  return check_done("shrink");
}
