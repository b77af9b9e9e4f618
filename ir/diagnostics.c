#include "ir/diagnostics.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ir/display.h"

enum { DEFAULT_LIMIT = 20, LARGEST_SOURCE = 64 << 20, LONGEST_LINE = 160 };

struct diagnostics *diagnostics_new(struct arena *arena) {
  struct diagnostics *diagnostics = arena_new_struct(arena, struct diagnostics);
  diagnostics->arena = arena;
  diagnostics->limit = DEFAULT_LIMIT;
  return diagnostics;
}

static bool starts_character(char byte) { return ((unsigned char)byte & 0xC0) != 0x80; }

void source_position(const struct source *source, int offset, int *line, int *column) {
  *line = 1, *column = 1;
  for (int i = 0; i < offset && (size_t)i < source->length; i++) {
    if (source->text[i] == '\n')
      (*line)++, *column = 1;
    else if (starts_character(source->text[i]))
      (*column)++;
  }
}

const char *span_text(struct arena *arena, struct span span) {
  if (!span.source) return "";
  int line, column;
  source_position(span.source, span.begin, &line, &column);
  return arena_format(arena, "%s:%d:%d", span.source->path, line, column);
}

/* The line that holds the span's start, and under it a caret at that start and tildes to the end of the span or of the
   line. Tabs become spaces, so that both lines stay aligned on every terminal. Of a long line only the part around the
   caret is shown. */
static const char *excerpt(struct arena *arena, struct span span) {
  enum { TAB = 8, BEFORE = LONGEST_LINE / 2 };
  const struct source *source = span.source;
  const int length = (int)source->length, begin = span.begin < length ? span.begin : length;
  int start = begin, end = begin;
  while (start > 0 && source->text[start - 1] != '\n') start--;
  while (end < length && source->text[end] != '\n') end++;
  if (end > start && source->text[end - 1] == '\r') end--;
  bool cut = begin - start > LONGEST_LINE;
  for (int most = begin - BEFORE; cut && (start < most || (start < begin && !starts_character(source->text[start])));)
    start++;
  if (end - start > LONGEST_LINE) {
    end = start + LONGEST_LINE > begin + 1 ? start + LONGEST_LINE : begin + 1;
    while (end < length && end > start && !starts_character(source->text[end])) end++;
  }
  ARRAY(char) text = {0}, marks = {0};
  for (const char *dots = cut ? "..." : ""; *dots; dots++) {
    array_push(arena, &text, *dots);
    array_push(arena, &marks, ' ');
  }
  int column = cut ? 3 : 0;
  for (int at = start; at < end;) {
    char shown[LONGEST_SHOWN_CHARACTER] = "        ";
    int columns = TAB - column % TAB, taken = 1;
    if (source->text[at] == '\t')
      shown[columns] = 0;
    else
      taken = character_shown(source->text + at, (size_t)(end - at), shown, &columns);
    for (const char *letter = shown; *letter; letter++) array_push(arena, &text, *letter);
    for (int i = 0; i < columns; i++)
      array_push(arena, &marks, at + taken <= begin ? ' ' : at <= begin && i == 0 ? '^' : at < span.end ? '~' : ' ');
    if (at == begin && !columns && marks.count) marks.items[marks.count - 1] = '^'; /* joined to the letter before it */
    at += taken;
    column += columns;
  }
  if (begin >= end) array_push(arena, &marks, '^');
  while (marks.count && marks.items[marks.count - 1] == ' ') marks.count--;
  return arena_format(arena, "  %.*s\n  %.*s\n", text.count, text.count ? text.items : "", marks.count,
                      marks.count ? marks.items : "");
}

static const char *compose(struct arena *arena, struct span span, const char *label, const char *format,
                           va_list arguments) {
  const char *text = printable(arena, arena_vformat(arena, format, arguments));
  if (!span.source) return arena_format(arena, "lamella: %s: %s\n", label, text);
  return arena_format(arena, "%s: %s: %s\n%s", printable(arena, span_text(arena, span)), label, text,
                      excerpt(arena, span));
}

void report_error(struct diagnostics *diagnostics, struct span span, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const char *message = compose(diagnostics->arena, span, "error", format, arguments);
  va_end(arguments);
  for (int i = 0; i < diagnostics->messages.count; i++)
    if (!strcmp(diagnostics->messages.items[i], message)) return; /* a repeated body reports once */
  diagnostics->error_count++;
  if (diagnostics->error_count <= diagnostics->limit) array_push(diagnostics->arena, &diagnostics->messages, message);
}

void report_note(struct diagnostics *diagnostics, struct span span, const char *format, ...) {
  if (diagnostics->error_count > diagnostics->limit) return;
  va_list arguments;
  va_start(arguments, format);
  const char *message = compose(diagnostics->arena, span, "note", format, arguments);
  va_end(arguments);
  for (int i = 0; i < diagnostics->messages.count; i++)
    if (!strcmp(diagnostics->messages.items[i], message)) return;
  array_push(diagnostics->arena, &diagnostics->messages, message);
}

void diagnostics_print(const struct diagnostics *diagnostics, FILE *file) {
  for (int i = 0; i < diagnostics->messages.count; i++) fputs(diagnostics->messages.items[i], file);
  int hidden = diagnostics->error_count - diagnostics->limit;
  if (hidden > 0) fprintf(file, "%d more error%s not shown.\n", hidden, hidden == 1 ? "" : "s");
}

static int edit_distance(const char *a, const char *b) {
  enum { LONGEST = 64 };
  size_t rows = strlen(a), columns = strlen(b);
  if (rows >= LONGEST || columns >= LONGEST) return INT_MAX;
  int previous[LONGEST + 1], current[LONGEST + 1];
  for (size_t j = 0; j <= columns; j++) previous[j] = (int)j;
  for (size_t i = 1; i <= rows; i++) {
    current[0] = (int)i;
    for (size_t j = 1; j <= columns; j++) {
      int best = previous[j - 1] + (a[i - 1] != b[j - 1]);
      if (previous[j] + 1 < best) best = previous[j] + 1;
      if (current[j - 1] + 1 < best) best = current[j - 1] + 1;
      current[j] = best;
    }
    memcpy(previous, current, sizeof previous);
  }
  return previous[columns];
}

const char *closest_name(const char *name, const char *const *candidates, int count) {
  const char *closest = NULL;
  int smallest = (int)(strlen(name) + 1) / 3; /* none for a single letter: any other would be as close */
  for (int i = 0; i < count; i++) {
    int distance = edit_distance(name, candidates[i]);
    if (distance <= smallest && (!closest || distance < smallest) && distance > 0)
      closest = candidates[i], smallest = distance;
  }
  return closest;
}

struct source *source_from_text(struct arena *arena, const char *path, const char *text) {
  struct source *source = arena_new_struct(arena, struct source);
  source->path = arena_strdup(arena, path);
  source->text = arena_strdup(arena, text);
  source->length = strlen(text);
  return source;
}

struct source *source_read_stream(struct arena *arena, FILE *file, const char *path) {
  struct source *source = NULL;
  size_t capacity = 1 << 14, length = 0;
  char *text = malloc(capacity);
  if (!text) out_of_memory(capacity);
  for (;;) {
    length += fread(text + length, 1, capacity - length, file);
    if (length < capacity) break;
    if (capacity >= LARGEST_SOURCE) {
      errno = EFBIG;
      goto done;
    }
    char *larger = realloc(text, capacity *= 2);
    if (!larger) out_of_memory(capacity);
    text = larger;
  }
  if (ferror(file)) goto done;
  source = arena_new_struct(arena, struct source);
  source->path = arena_strdup(arena, path);
  source->text = arena_copy(arena, text, length);
  source->length = length;
done:
  free(text);
  return source;
}

struct source *source_read(struct arena *arena, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  struct source *source = source_read_stream(arena, file, path);
  int error = errno;
  fclose(file);
  errno = error;
  return source;
}
