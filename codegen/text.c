#include "codegen/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct text *text_new(struct arena *arena) {
  struct text *text = arena_new_struct(arena, struct text);
  text->arena = arena;
  return text;
}

const char *text_string(const struct text *text) { return text->length ? text->bytes : ""; }

static void add_bytes(struct text *text, const char *bytes, size_t length) {
  if (text->length + length + 1 > text->capacity) {
    size_t capacity = text->capacity ? text->capacity : 4096;
    while (capacity < text->length + length + 1) capacity *= 2;
    char *grown = arena_alloc(text->arena, capacity);
    if (text->length) memcpy(grown, text->bytes, text->length);
    text->bytes = grown;
    text->capacity = capacity;
  }
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  text->bytes[text->length] = 0;
}

static void add_spaces(struct text *text, int count) {
  for (int i = 0; i < count; i++) add_bytes(text, " ", 1);
}

void text_raw(struct text *text, const char *bytes) { add_bytes(text, bytes, strlen(bytes)); }

void text_blank(struct text *text) { add_bytes(text, "\n", 1); }

/* Whether a line may be broken at the space `line[at]`, which is in no string or comment. */
static bool may_break(const char *line, size_t at) {
  char before = at ? line[at - 1] : 0;
  if (before == ',' || before == ';') return true;
  if (before == '=' && line[at + 1] != '{') return true;
  /* A line may be broken before a binary operator with spaces on both sides. */
  const char *operator= line + at + 1;
  size_t length = strcspn(operator, " ");
  if (length == 0 || length > 2 || operator[length] != ' ') return false;
  return strspn(operator, "+-*/%<>=!&|?:") == length && strncmp(operator, "=", length) != 0 &&
         strncmp(operator, "/*", 2) != 0 && strncmp(operator, "*/", 2) != 0;
}

/* The best place to break a line where `room` columns are left: the least nested, and of several the last. Returns
   where the next line begins, or 0 when there is no place. A break comes after a space, or after an opening parenthesis
   where nothing else fits. */
static size_t break_place(const char *line, size_t room) {
  size_t best = 0;
  int depth = 0, best_depth = INT32_MAX;
  bool in_string = false, in_comment = false;
  for (size_t i = 0; line[i] && (i <= room || !best); i++) {
    char c = line[i];
    if (in_comment) {
      if (c == '*' && line[i + 1] == '/') in_comment = false;
    } else if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '/' && line[i + 1] == '*') {
      in_comment = true;
    } else if (c == '(' || c == '[' || c == '{') {
      depth++;
      if (c == '(' && i > room / 4 && i + 1 < room && line[i + 1] != ')' && 2 * depth + 12 <= best_depth)
        best = i + 1, best_depth = 2 * depth + 12;
    } else if (c == ')' || c == ']' || c == '}') {
      depth--;
    } else if (c == ' ' && may_break(line, i)) {
      /* A break after a comma is better than at an operator. A deeper one is better when the shallow one would leave
         most of the line empty. */
      int weight = 2 * depth + (i < room / 4 ? 16 : i < room / 2 ? 4 : 0) + (line[i - 1] != ',');
      if (weight <= best_depth) best = i + 1, best_depth = weight;
    }
  }
  return best;
}

static void add_wrapped(struct text *text, const char *line) {
  int column = text->indentation * 2;
  add_spaces(text, column);
  bool first = true;
  for (;;) {
    size_t room = (size_t)(TEXT_COLUMNS - (first ? column : column + 4));
    size_t length = strlen(line), at = length <= room ? 0 : break_place(line, room);
    if (!at) {
      add_bytes(text, line, length);
      add_bytes(text, "\n", 1);
      return;
    }
    add_bytes(text, line, line[at - 1] == ' ' ? at - 1 : at);
    add_bytes(text, "\n", 1);
    add_spaces(text, column + 4);
    line += at;
    first = false;
  }
}

void text_line(struct text *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add_wrapped(text, arena_vformat(text->arena, format, arguments));
  va_end(arguments);
}

void text_open(struct text *text, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  add_wrapped(text, arena_format(text->arena, "%s {", arena_vformat(text->arena, format, arguments)));
  va_end(arguments);
  text->indentation++;
}

void text_close(struct text *text) {
  text->indentation--;
  add_wrapped(text, "}");
}

/* A comment's text might hold the end of a comment (a name from a spec), so its marks are replaced by spaces. */
static char *harmless(struct arena *arena, const char *comment) {
  char *copy = arena_strdup(arena, comment);
  for (char *c = copy; *c; c++)
    if ((c[0] == '*' && c[1] == '/') || (c[0] == '/' && c[1] == '*')) *c = ' ';
  return copy;
}

void text_comment(struct text *text, const char *comment) {
  const char *rest = harmless(text->arena, comment);
  int column = text->indentation * 2;
  size_t room = (size_t)(TEXT_COLUMNS - column - 6);
  add_spaces(text, column);
  add_bytes(text, "/* ", 3);
  for (;;) {
    size_t length = strcspn(rest, "\n");
    if (length > room) {
      length = room;
      while (length > room / 2 && rest[length] != ' ') length--;
      if (rest[length] != ' ') length = room;
    }
    add_bytes(text, rest, length);
    rest += length;
    if (*rest == ' ' || *rest == '\n') rest++;
    if (!*rest) break;
    add_bytes(text, "\n", 1);
    add_spaces(text, column + 3);
  }
  add_bytes(text, " */\n", 4);
}
