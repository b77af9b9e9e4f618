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
  CHECK_STRING(message(diagnostics, 0), "a.lam:2:2: error: expected 3\n  \tseco\xC3\xA9nd x\n  \t^~~~~~~\n");
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
  /* Larger than any first buffer. */
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
  check_limit(arena);
  check_closest();
  check_files(arena);
  check_arena();
  arena_free(arena);
  return check_done("diagnostics");
}
