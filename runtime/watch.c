/* Measures where the time goes: sums by kernel for the verb bench, events for --trace. Routines that are emitted for
   bench call every kernel between lam_kernel_begin and lam_kernel_end. */
#include "runtime/runtime.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LAM_EVENTS: the most that are kept. Kernels are most of all events, and have half of the room at most. */
enum { LAM_EVENTS = 100000, LAM_KERNEL_EVENTS = LAM_EVENTS / 2, LAM_SPANS = 16, LAM_WATCHED_THREADS = 8 };

struct lam_event {
  const char *name;
  int64_t number; /* of a step, batch or token; -1: none */
  int64_t begin, end; /* in nanoseconds */
  int thread;
};
struct lam_watched_thread {
  pthread_t thread;
  const char *name;
  int depth;
  struct lam_event open[LAM_SPANS];
};

static struct lam_watch {
  bool timing; /* whether kernels are timed */
  const struct lam_kernel *kernels;
  double *seconds; /* by kernel, or NULL */
  int64_t *calls;
  const char *path; /* the trace's file, or NULL */
  double start;
  struct lam_event *events;
  int64_t count, kernel_count, lost;
  struct lam_watched_thread threads[LAM_WATCHED_THREADS];
  int thread_count;
  pthread_mutex_t mutex;
} lam_watch;

/* --- Kernels ------------------------------------------------------------------------------------------------------ */

static int64_t lam_nanoseconds(double seconds) { return (int64_t)((seconds - lam_watch.start) * 1e9); }

static void lam_add_event(const struct lam_event *event) {
  if (lam_watch.count < LAM_EVENTS)
    lam_watch.events[lam_watch.count++] = *event;
  else
    lam_watch.lost++;
}

double lam_kernel_begin(void) { return lam_watch.timing ? lam_seconds() : 0; }

void lam_kernel_end(int kernel, double begin) {
  if (!lam_watch.timing) return;
  double end = lam_seconds();
  if (lam_watch.seconds) {
    lam_watch.seconds[kernel] += end - begin;
    lam_watch.calls[kernel]++;
  }
  if (!lam_watch.path) return;
  struct lam_event event = {lam_watch.kernels[kernel].name, -1, lam_nanoseconds(begin), lam_nanoseconds(end), 0};
  pthread_mutex_lock(&lam_watch.mutex);
  if (lam_watch.kernel_count < LAM_KERNEL_EVENTS) {
    lam_watch.kernel_count++;
    lam_add_event(&event);
  } else {
    lam_watch.lost++;
    lam_watch.timing = lam_watch.seconds != NULL;
  }
  pthread_mutex_unlock(&lam_watch.mutex);
}

void lam_watch_kernels(const struct lam_bench *bench, double *seconds, int64_t *calls) {
  lam_watch.kernels = bench->kernels;
  lam_watch.seconds = seconds;
  lam_watch.calls = calls;
  lam_watch.timing = true;
}

/* --- Spans -------------------------------------------------------------------------------------------------------- */

/* This thread's row, or NULL where it has none, as when there are too many threads. The caller holds the mutex. */
static struct lam_watched_thread *lam_watched_thread(void) {
  for (int i = 0; i < lam_watch.thread_count; i++)
    if (pthread_equal(lam_watch.threads[i].thread, pthread_self())) return &lam_watch.threads[i];
  return NULL;
}

/* Threads that follow each other under one name share a row. */
void lam_span_thread(const char *name) {
  if (!lam_watch.path) return;
  pthread_mutex_lock(&lam_watch.mutex);
  int i = 0;
  while (i < lam_watch.thread_count && strcmp(lam_watch.threads[i].name, name) != 0) i++;
  bool known = i < lam_watch.thread_count && pthread_equal(lam_watch.threads[i].thread, pthread_self());
  if (i < LAM_WATCHED_THREADS && !known) {
    lam_watch.threads[i] = (struct lam_watched_thread){.thread = pthread_self(), .name = name};
    if (i == lam_watch.thread_count) lam_watch.thread_count++;
  }
  pthread_mutex_unlock(&lam_watch.mutex);
}

void lam_span_begin(const char *name, int64_t number) {
  if (!lam_watch.path) return;
  int64_t now = lam_nanoseconds(lam_seconds());
  pthread_mutex_lock(&lam_watch.mutex);
  struct lam_watched_thread *thread = lam_watched_thread();
  if (thread && thread->depth++ < LAM_SPANS)
    thread->open[thread->depth - 1] = (struct lam_event){name, number, now, now, (int)(thread - lam_watch.threads)};
  pthread_mutex_unlock(&lam_watch.mutex);
}

void lam_span_end(void) {
  if (!lam_watch.path) return;
  int64_t now = lam_nanoseconds(lam_seconds());
  pthread_mutex_lock(&lam_watch.mutex);
  struct lam_watched_thread *thread = lam_watched_thread();
  if (thread && thread->depth > 0 && --thread->depth < LAM_SPANS) {
    struct lam_event *event = &thread->open[thread->depth];
    event->end = now;
    lam_add_event(event);
  }
  pthread_mutex_unlock(&lam_watch.mutex);
}

/* --- The file ----------------------------------------------------------------------------------------------------- */

bool lam_trace_open(const struct lam_program *program, const char *path) {
  if (!lam_is_writable(path)) return false;
  lam_watch.path = path;
  lam_watch.start = lam_seconds();
  lam_watch.events = lam_allocate(LAM_EVENTS, sizeof *lam_watch.events);
  pthread_mutex_init(&lam_watch.mutex, NULL);
  lam_span_thread("main");
  if (!program->bench) return true; /* the interpreter has no kernels */
  lam_watch.kernels = program->bench->kernels;
  lam_watch.timing = true;
  return true;
}

void lam_json_text(void *to, const char *text) {
  FILE *file = to;
  fputc('"', file);
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c < 32)
      fprintf(file, "\\u%04x", c);
    else
      fprintf(file, c == '"' || c == '\\' ? "\\%c" : "%c", c);
  }
  fputc('"', file);
}

static void lam_trace_name(FILE *file, const char *what, int thread, const char *name) {
  fprintf(file, "{\"name\":\"%s\",\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"args\":{\"name\":", what, thread);
  lam_json_text(file, name);
  fputs("}}", file);
}

static void lam_trace_event(FILE *file, const struct lam_event *event) {
  long long begin = event->begin, length = event->end - event->begin;
  fputs(",\n{\"name\":", file);
  lam_json_text(file, event->name);
  fprintf(file, ",\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%lld.%03lld,\"dur\":%lld.%03lld", event->thread + 1,
          begin / 1000, begin % 1000, length / 1000, length % 1000);
  if (event->number >= 0) fprintf(file, ",\"args\":{\"number\":%lld}", (long long)event->number);
  fputc('}', file);
}

bool lam_trace_close(const struct lam_program *program, bool keep) {
  struct lam_output output;
  bool good = !keep || lam_output_open(&output, lam_watch.path);
  if (keep && good) {
    FILE *file = output.stream;
    fprintf(file, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"events left out\":\"%lld\"},\"traceEvents\":[\n",
            (long long)lam_watch.lost);
    lam_trace_name(file, "process_name", 0, program->name);
    for (int i = 0; i < lam_watch.thread_count; i++) {
      fputs(",\n", file);
      lam_trace_name(file, "thread_name", i + 1, lam_watch.threads[i].name);
    }
    for (int64_t i = 0; i < lam_watch.count; i++) lam_trace_event(file, &lam_watch.events[i]);
    fputs("\n]}\n", file);
    good = lam_output_close(&output, true);
  }
  free(lam_watch.events);
  lam_watch.path = NULL;
  lam_watch.timing = false;
  return good;
}

static const struct lam_option lam_trace_options[] = {
    {"trace", "FILE", "events for Perfetto or chrome://tracing: the first 50000 kernels, all else to 100000", 0, 0},
    {0}};
LAM_API const struct lam_tracer lam_tracer = {lam_trace_options, lam_trace_open, lam_trace_close};
