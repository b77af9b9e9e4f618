/* Messages: places, carets, duplicates, limits, suggestions; and the arena under them. */
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "ir/diagnostics.h"
#include "tests/unit/check.h"

static const char *message(struct diagnostics *diagnostics, int index) {
  return index < diagnostics->messages.count ? diagnostics->messages.items[index] : NULL;
}

static void check_places(struct arena *arena) {
  struct source *source = source_from_text(arena, "a.lam", "first\n\tseco\xC3\xA9nd x\n\nlast");
  static const struct {
    int offset, line, column;
  } rows[] = {
      {0, 1, 1},  {4, 1, 5},  {5, 1, 6},  {6, 2, 1},  {7, 2, 2},  {11, 2, 6},
      {13, 2, 7}, {18, 3, 1}, {19, 4, 1}, {23, 4, 5}, {99, 4, 5},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int line, column;
    source_position(source, rows[i].offset, &line, &column);
    if (!CHECK(line == rows[i].line && column == rows[i].column))
      printf("  offset %d: %d:%d\n", rows[i].offset, line, column);
  }
  CHECK_STRING(span_text(arena, (struct span){source, 19, 20}), "a.lam:4:1");
  CHECK_STRING(span_text(arena, (struct span){NULL, 0, 0}), "");
}

static void check_messages(struct arena *arena) {
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct source *source = source_from_text(arena, "a.lam", "first\n\tseco\xC3\xA9nd x\n\nlast");
  report_error(diagnostics, (struct span){source, 7, 15}, "expected %d", 3);
  CHECK_STRING(message(diagnostics, 0),
               "a.lam:2:2: error: expected 3\n          seco\xC3\xA9nd x\n          ^~~~~~~\n");
  report_note(diagnostics, (struct span){source, 0, 0}, "here");
  CHECK_STRING(message(diagnostics, 1), "a.lam:1:1: note: here\n  first\n  ^\n");
  CHECK(diagnostics->error_count == 1);
  report_error(diagnostics, (struct span){source, 7, 15}, "expected 3"); /* the same again is dropped */
  CHECK(diagnostics->error_count == 1 && diagnostics->messages.count == 2);
  report_error(diagnostics, (struct span){source, 7, 15}, "expected 4");
  CHECK(diagnostics->error_count == 2);
  report_error(diagnostics, (struct span){NULL, 0, 0}, "no place");
  CHECK_STRING(message(diagnostics, 3), "lamella: error: no place\n");
  report_error(diagnostics, (struct span){source, 19, 400}, "to the end");
  CHECK_STRING(message(diagnostics, 4), "a.lam:4:1: error: to the end\n  last\n  ^~~~\n");
  report_error(diagnostics, (struct span){source, 23, 23}, "after the end");
  CHECK_STRING(message(diagnostics, 5), "a.lam:4:5: error: after the end\n  last\n      ^\n");
  report_error(diagnostics, (struct span){source, 0, 12}, "over lines");
  CHECK_STRING(message(diagnostics, 6), "a.lam:1:1: error: over lines\n  first\n  ^~~~~\n");
}

/* No byte that would drive a terminal is printed, and the caret stands under its place, however wide the text before it
   is. */
static void check_display(struct arena *arena) {
  static const struct {
    const char *line;
    int begin, end;
    const char *shown;
  } rows[] = {
      {"a \x1b[31mred\x07 b", 12, 13, "  a \\x1b[31mred\\x07 b\n                    ^\n"},
      {"a \x1b[2J b", 2, 6, "  a \\x1b[2J b\n    ^~~~~~~\n"},
      {"\x7f x", 2, 3, "  \\x7f x\n       ^\n"},
      {"\xc2\x9b"
       "31m x",
       6, 7, "  \\u009b31m x\n            ^\n"},
      {"\x9b\xff\xc0\x80 x", 5, 6, "  \\x9b\\xff\\xc0\\x80 x\n                   ^\n"},
      {"\xe2\x80\xae x \xe2\x81\xa6 y", 10, 11, "  \\u202e x \\u2066 y\n                  ^\n"},
      {"\xe2\x80\x8f\xef\xbb\xbf x", 7, 8, "  \\u200f\\ufeff x\n               ^\n"},
      {"\xf3\xa0\x81\x81 x", 5, 6, "  \\U000e0041 x\n             ^\n"},
      {"a\tb\tc", 4, 5, "  a       b       c\n                  ^\n"},
      {"a\tb\tc", 0, 3, "  a       b       c\n  ^~~~~~~~~\n"},
      {"\xe6\xa8\xa1\xe5\x9e\x8b x", 7, 8, "  \xe6\xa8\xa1\xe5\x9e\x8b x\n       ^\n"},
      {"\xe6\xa8\xa1\xe5\x9e\x8b x", 3, 6, "  \xe6\xa8\xa1\xe5\x9e\x8b x\n    ^~\n"},
      {"e\xcc\x81\xcc\xa7 x", 6, 7, "  e\xcc\x81\xcc\xa7 x\n    ^\n"},
      {"e\xcc\x81 x", 1, 3, "  e\xcc\x81 x\n  ^\n"},
      {"\xf0\x9f\x98\x80 x", 5, 6, "  \xf0\x9f\x98\x80 x\n     ^\n"},
      {"x y\r\n", 2, 9, "  x y\n    ^\n"},
      {"x\ry", 2, 3, "  x\\x0dy\n       ^\n"},
      {"x\n", 1, 1, "  x\n   ^\n"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct diagnostics *diagnostics = diagnostics_new(arena);
    struct source *source = source_from_text(arena, "a.lam", rows[i].line);
    report_error(diagnostics, (struct span){source, rows[i].begin, rows[i].end}, "wrong");
    const char *excerpt = strchr(message(diagnostics, 0), '\n') + 1;
    if (!CHECK_STRING(excerpt, rows[i].shown)) printf("  row %zu\n", i);
  }
  /* Every byte and every character up to U+30FF stands in names in messages and in names of files. */
  struct diagnostics *diagnostics = diagnostics_new(arena);
  report_error(diagnostics, (struct span){source_from_text(arena, "\x1b]0;a\x07.lam", "x"), 0, 1}, "no '%s'\nhere",
               "\x1b[1m\xe2\x80\xae");
  CHECK_STRING(message(diagnostics, 0), "\\x1b]0;a\\x07.lam:1:1: error: no '\\x1b[1m\\u202e'\\x0ahere\n  x\n  ^\n");
  bool safe = true;
  for (unsigned code = 1; code < 0x3100; code++) {
    char text[8] = {(char)code};
    if (code >= 0x800)
      snprintf(text, sizeof text, "%c%c%c", 0xE0 | code >> 12, 0x80 | (code >> 6 & 63), 0x80 | (code & 63));
    else if (code >= 0x100)
      snprintf(text, sizeof text, "%c%c", 0xC0 | code >> 6, 0x80 | (code & 63));
    struct diagnostics *one = diagnostics_new(arena);
    report_error(one, (struct span){source_from_text(arena, text, text), 0, 1}, "%s", text);
    report_error(one, (struct span){0}, "%s", text);
    for (int i = 0; i < one->messages.count; i++)
      for (const unsigned char *byte = (const unsigned char *)one->messages.items[i]; *byte; byte++)
        safe = safe && (*byte == '\n' || *byte >= ' ') && *byte != 0x7F && !(byte[0] == 0xC2 && byte[1] < 0xA0) &&
               !(byte[0] == 0xE2 && byte[1] == 0x80 && byte[2] >= 0xAA && byte[2] <= 0xAE) &&
               (code >= 0x100 || code < 0x80 || *byte < 0x80);
  }
  CHECK(safe);
  /* Of a long line the part around the caret is shown. */
  char *line = arena_alloc(arena, 100001);
  memset(line, 'x', 100000);
  line[50000] = 'Y';
  diagnostics = diagnostics_new(arena);
  report_error(diagnostics, (struct span){source_from_text(arena, "a.lam", line), 50000, 50001}, "wrong");
  const char *shown = strchr(message(diagnostics, 0), '\n') + 1, *caret = strchr(shown, '\n') + 1;
  CHECK(strlen(shown) < 400 && strchr(shown, 'Y') && strchr(shown, 'Y') - shown == strchr(caret, '^') - caret);
}

static void check_limit(struct arena *arena) {
  struct diagnostics *diagnostics = diagnostics_new(arena);
  for (int i = 0; i < 25; i++) {
    report_error(diagnostics, (struct span){NULL, 0, 0}, "error %d", i);
    report_note(diagnostics, (struct span){NULL, 0, 0}, "note %d", i);
  }
  CHECK(diagnostics->error_count == 25);
  CHECK(diagnostics->messages.count == 2 * diagnostics->limit);
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  diagnostics_print(diagnostics, file);
  fclose(file);
  CHECK(strstr(text, "5 more errors not shown.\n") != NULL);
  CHECK(strstr(text, "error 19\n") && !strstr(text, "error 20\n"));
  free(text);
}

static void check_closest(void) {
  static const char *const names[] = {"embed", "head", "hidden", "sequence", "a"};
  static const struct {
    const char *name, *closest;
  } rows[] = {
      {"embd", "embed"},        {"embedd", "embed"}, {"hed", "head"}, {"heda", NULL}, {"hiden", "hidden"},
      {"sequense", "sequence"}, {"zzz", NULL},       {"embed", NULL}, {"", NULL},     {"b", NULL},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *closest = closest_name(rows[i].name, names, 5);
    CHECK_STRING(closest, rows[i].closest);
  }
  char endless[200];
  memset(endless, 'x', sizeof endless);
  endless[sizeof endless - 1] = 0;
  CHECK(!closest_name(endless, names, 5));
}

static void check_files(struct arena *arena) {
  errno = 0;
  CHECK(!source_read(arena, "/no/such/file.lam") && errno == ENOENT);
  char path[] = "/tmp/lamella-check-XXXXXX";
  int file = mkstemp(path);
  if (!CHECK(file >= 0)) return;
  CHECK(write(file, "a\0b\n", 4) == 4);
  close(file);
  struct source *source = source_read(arena, path);
  CHECK(source && source->length == 4 && source->text[2] == 'b' && source->text[4] == 0);
  /* The message is larger than any first buffer. */
  FILE *large = fopen(path, "w");
  for (int i = 0; i < 100000; i++) fprintf(large, "%d\n", i);
  fclose(large);
  source = source_read(arena, path);
  CHECK(source && source->length == 588890 && !strcmp(source->text + source->length - 6, "99999\n"));
  unlink(path);
  CHECK(!source_read(arena, "/"));
}

static void check_arena(void) {
  struct arena *arena = arena_new();
  ARRAY(int) numbers = {0};
  for (int i = 0; i < 100000; i++) array_push(arena, &numbers, i);
  bool right = numbers.count == 100000;
  for (int i = 0; i < numbers.count; i++) right = right && numbers.items[i] == i;
  CHECK(right);
  bool zeroed = true, aligned = true;
  for (int i = 0; i < 1000; i++) {
    size_t size = (size_t)check_below(i % 50 == 0 ? 300000 : 300);
    unsigned char *memory = arena_alloc(arena, size);
    aligned = aligned && (uintptr_t)memory % _Alignof(max_align_t) == 0;
    for (size_t k = 0; k < size; k++) zeroed = zeroed && memory[k] == 0;
    memset(memory, 0xA5, size);
  }
  CHECK(zeroed);
  CHECK(aligned);
  CHECK_STRING(arena_format(arena, "%s-%d", "x", 12), "x-12");
  CHECK_STRING(arena_copy(arena, "abcdef", 3), "abc");
  arena_free(arena);
  arena_free(NULL);
}

int main(void) {
  struct arena *arena = arena_new();
  check_places(arena);
  check_messages(arena);
  check_display(arena);
  check_limit(arena);
  check_closest();
  check_files(arena);
  check_arena();
  arena_free(arena);
  return check_done("diagnostics");
}
