/* Errors that a user can cause. Each names file, line and column, shows the line with a caret, and says what to do;
   several are collected in one run, and a command that saw one writes nothing. */
#ifndef IR_DIAGNOSTICS_H
#define IR_DIAGNOSTICS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "ir/arena.h"

/* A text that spans point into: a spec, a standard-library file, or a command-line argument ("-D embed=x"). */
struct source {
  const char *path; /* as the user named it; what messages print */
  const char *text; /* zero-terminated */
  size_t length;
};

/* Bytes [begin, end) of a source; source == NULL means that no place is known. */
struct span {
  const struct source *source;
  int begin, end;
};

struct diagnostics {
  struct arena *arena;
  int error_count;
  int limit;              /* after this many errors the rest are counted and not kept (default 20) */
  ARRAY(const char *) messages; /* complete texts, in the order reported, each ending in a newline */
};

struct diagnostics *diagnostics_new(struct arena *arena);

/* "path:line:column: error: TEXT", the source line, and a caret with tildes under the span. An error with the same place
   and text as an earlier one is dropped. */
void report_error(struct diagnostics *diagnostics, struct span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with "note:", belonging to the error just reported (dropped with it): the chain of calls, an earlier declaration. */
void report_note(struct diagnostics *diagnostics, struct span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints all messages and, where there were more than the limit, how many are left out. */
void diagnostics_print(const struct diagnostics *diagnostics, FILE *file);

/* 1-based line and column (in characters, not bytes) of a byte offset. */
void source_position(const struct source *source, int offset, int *line, int *column);
/* "path:line:column" of where a span begins, or "" when it has no source. */
const char *span_text(struct arena *arena, struct span span);

/* The candidate closest to `name` by edit distance, or NULL when none is close enough to suggest (a third of its letters). */
const char *closest_name(const char *name, const char *const *candidates, int count);

/* The whole file as a source, or NULL with errno set. Files over 64 MiB are refused with EFBIG. */
struct source *source_read(struct arena *arena, const char *path);
/* Reads a stream to its end, as a source with that path. NULL with errno set. */
struct source *source_read_stream(struct arena *arena, FILE *file, const char *path);
struct source *source_from_text(struct arena *arena, const char *path, const char *text);

#endif
