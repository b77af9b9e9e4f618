/* Texts that no file of tests/errors can hold: bytes that are no text, very deep nesting, very many errors. */
#include "frontend/ast.h"
#include "tests/unit/check.h"

static struct diagnostics *errors_of(struct arena *arena, const char *text, size_t length) {
  struct source *source = arena_new_struct(arena, struct source);
  *source = (struct source){"test", arena_copy(arena, text, length), length};
  struct diagnostics *diagnostics = diagnostics_new(arena);
  parse_source(arena, source, diagnostics);
  return diagnostics;
}

/* The first message up to its line's end. */
static const char *first_line(struct arena *arena, const struct diagnostics *diagnostics) {
  if (!diagnostics->messages.count) return "";
  const char *message = diagnostics->messages.items[0];
  return arena_copy(arena, message, strcspn(message, "\n"));
}

static void check_bytes(struct arena *arena) {
  static const struct {
    const char *text;
    size_t length;
    const char *message;
  } rows[] = {
      {"axis a = 3 \0 axis", 17, "test:1:12: error: there is a zero byte here, so this is not a text file"},
      {"axis a\n\xff", 8, "test:2:1: error: the byte 0xFF is not UTF-8: a spec is a UTF-8 text"},
      {"# caf\xe9\n", 7, "test:1:6: error: the byte 0xE9 is not UTF-8: a spec is a UTF-8 text"},
      {"# \xc0\x80", 4, "test:1:3: error: the byte 0xC0 is not UTF-8: a spec is a UTF-8 text"},
      {"# \xed\xa0\x80", 5, "test:1:3: error: the byte 0xED is not UTF-8: a spec is a UTF-8 text"},
      {"# \xf0\x9f\x98", 5, "test:1:3: error: the byte 0xF0 is not UTF-8: a spec is a UTF-8 text"},
      {"\x7f"
       "ELF",
       4, "test:1:1: error: the control character U+007F cannot stand in a spec; tabs and line ends can"},
      {"axis \x01 a", 8,
       "test:1:6: error: the control character U+0001 cannot stand in a spec; tabs and line ends can"},
      {"# a \x1b[2J", 8,
       "test:1:5: error: the control character U+001B cannot stand in a spec; tabs and line ends can"},
      {"use \"\xc2\x9b\"", 8,
       "test:1:6: error: the control character U+009B cannot stand in a spec; tabs and line ends can"},
      {"# \xe2\x80\xae a", 7,
       "test:1:3: error: the character U+202E turns the direction of text round, so that what is read is not what is "
       "shown"},
      {"axis\xc2\xa0"
       "a",
       7, "test:1:5: error: there is a no-break space (U+00A0) here: replace it by a plain space"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct diagnostics *diagnostics = errors_of(arena, rows[i].text, rows[i].length);
    CHECK(diagnostics->error_count == 1);
    CHECK_STRING(first_line(arena, diagnostics), rows[i].message);
  }
  const char good[] = "# caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\naxis a = 3 # \xc3\xa9";
  CHECK(errors_of(arena, good, strlen(good))->error_count == 0);
  CHECK(errors_of(arena, "", 0)->error_count == 0);
  CHECK(errors_of(arena, "\n\n# nothing", 11)->error_count == 0);
  /* Columns count characters, not bytes. */
  const char column[] = "use \"\xc3\xa9\xc3\xa9\" ?";
  CHECK_STRING(first_line(arena, errors_of(arena, column, strlen(column))),
               "test:1:10: error: the character '?' has no meaning in a spec outside comments and strings");
}

/* `head`, then `piece` `count` times, then `tail`. */
static struct diagnostics *repeated(struct arena *arena, const char *head, const char *piece, int count,
                                    const char *tail) {
  size_t step = strlen(piece), at = strlen(head), length = at + step * (size_t)count + strlen(tail);
  char *text = arena_alloc(arena, length + 1);
  memcpy(text, head, at);
  for (int i = 0; i < count; i++, at += step) memcpy(text + at, piece, step);
  memcpy(text + at, tail, strlen(tail));
  return errors_of(arena, text, length);
}

static void check_depth(struct arena *arena) {
  static const struct {
    const char *head, *piece, *tail;
  } deep[] = {
      {"axis a = ", "(", "1"},
      {"axis a = ", "-", "1"},
      {"axis a = ", "1 + ", "1"},
      {"axis a = ", "1 ^ ", "1"},
      {"axis a = ", "not ", "1"},
      {"axis a = ", "f(", "1"},
      {"axis a = x", "[b = 0]", ""},
      {"axis a = x", "[b = x", ""},
      {"fn f() { ", "if x { ", ""},
      {"fn f() { ", "if x { } else ", "{ } }"},
      {"fn f() { ", "repeat [2] { ", ""},
      {"axis a = ", "x @b ", "y"},
      {"axis a = ", "f(x, k = (1, ", "1"},
  };
  for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
    struct diagnostics *diagnostics = repeated(arena, deep[i].head, deep[i].piece, 100000, deep[i].tail);
    CHECK(diagnostics->error_count == 1);
    CHECK(strstr(first_line(arena, diagnostics), "deep") || strstr(first_line(arena, diagnostics), "levels"));
  }
  CHECK(repeated(arena, "axis a = ", "1 + ", 200, "1\n")->error_count == 0);
  CHECK(repeated(arena, "fn f() { x = 1", ", x", 100000, " }")->error_count == 0);
  CHECK(repeated(arena, "", "axis a = 1; ", 50000, "")->error_count == 0);
}

static void check_many(struct arena *arena) {
  /* There is one error a line, up to a limit, at which the parser gives up. */
  struct diagnostics *diagnostics = repeated(arena, "fn f() {\n", "x = = )) 3 ] ( = ?\n", 50, "}");
  CHECK(diagnostics->error_count == 50);
  CHECK(diagnostics->messages.count == 20);
  CHECK(repeated(arena, "", "wrong (\n", 100000, "")->error_count <= 200);
  CHECK(repeated(arena, "", "}", 100000, "")->error_count == 1);
}

int main(void) {
  struct arena *arena = arena_new();
  check_bytes(arena);
  check_depth(arena);
  check_many(arena);
  arena_free(arena);
  return check_done("parse_limits");
}
