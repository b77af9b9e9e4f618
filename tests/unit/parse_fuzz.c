/* Random damage to real specs: the parser must end and report places inside the text, and a text that it accepts must
   print and read back as the same tree. Under the sanitizers (preset asan) it also finds every stray access. --seconds
   N makes it run for so long. */
#include <dirent.h>

#include "frontend/ast.h"
#include "tests/unit/check.h"
#include "tests/unit/tree_dump.h"

enum { MUTATIONS = 20000, MOST_SPECS = 64, LARGEST = 1 << 15 };

static struct {
  char *text;
  size_t length;
} specs[MOST_SPECS];
static int spec_count;

static void read_folder(const char *folder) {
  DIR *directory = opendir(folder);
  if (!directory) return;
  for (struct dirent *entry; (entry = readdir(directory)) && spec_count < MOST_SPECS;) {
    size_t length = strlen(entry->d_name);
    if (length < 4 || strcmp(entry->d_name + length - 4, ".lam")) continue;
    struct arena *arena = arena_new();
    struct source *source = source_read(arena, arena_format(arena, "%s/%s", folder, entry->d_name));
    if (source && source->length < LARGEST / 2) {
      specs[spec_count].text = malloc(source->length + 1);
      memcpy(specs[spec_count].text, source->text, source->length + 1);
      specs[spec_count++].length = source->length;
    }
    arena_free(arena);
  }
  closedir(directory);
}

/* Cuts `cut` bytes at `at` and puts `length` bytes of `piece` there. */
static size_t splice(char *text, size_t size, size_t at, size_t cut, const char *piece, size_t length) {
  if (cut > size - at) cut = size - at;
  if (size - cut + length > LARGEST) return size;
  memmove(text + at + length, text + at + cut, size - at - cut);
  memcpy(text + at, piece, length);
  return size - cut + length;
}

static size_t mutate(char *text, size_t size) {
  static const char *const pieces[] = {"(",         ")",        "[",    "]",          "{",       "}",      "\n",
                                       ";",         ",",        "=",    "==",         "->",      "..",     ".",
                                       ":",         "@",        "^",    "-",          "not ",    "if ",    " else ",
                                       "axis ",     "model ",   "fn ",  "repeat ",    "return ", "param ", "\"",
                                       "'",         "#",        "1",    "1e999",      "0.5",     "x",      " in ",
                                       "gradient ", "\xc3\xa9", "\xff", "pipeline {", " * ",     "~",      "\r\n"};
  size_t at = size ? (size_t)check_below((int)size) : 0;
  switch (check_below(5)) {
    case 0:
      return splice(text, size, at, (size_t)check_below(8), "", 0);
    case 1: {
      const char *piece = pieces[check_below((int)(sizeof pieces / sizeof *pieces))];
      return splice(text, size, at, (size_t)check_below(2), piece, strlen(piece));
    }
    case 2: {
      char byte = (char)check_below(256);
      return splice(text, size, at, 1, &byte, 1);
    }
    case 3: { /* a piece of another spec */
      int other = check_below(spec_count);
      size_t from = (size_t)check_below((int)specs[other].length + 1), length = (size_t)check_below(64);
      if (length > specs[other].length - from) length = specs[other].length - from;
      return splice(text, size, at, (size_t)check_below(64), specs[other].text + from, length);
    }
    case 4: { /* a line doubled or dropped */
      size_t begin = at, end = at;
      while (begin > 0 && text[begin - 1] != '\n') begin--;
      while (end < size && text[end] != '\n') end++;
      if (check_below(2)) return splice(text, size, begin, end - begin, "", 0);
      char line[256];
      size_t length = end - begin < sizeof line ? end - begin : sizeof line;
      memcpy(line, text + begin, length);
      return splice(text, size, begin, 0, line, length);
    }
  }
  return size;
}

int main(int count, char **arguments) {
  if (!check_options("parse_fuzz", count, arguments)) return 2;
  read_folder(SOURCE_FOLDER "/tests/parse");
  read_folder(SOURCE_FOLDER "/specs");
  read_folder(SOURCE_FOLDER "/specs/std");
  read_folder(SOURCE_FOLDER "/tests/values");
  if (!CHECK(spec_count > 0)) return check_done("parse_fuzz");
  static char text[LARGEST + 1];
  long accepted = 0, round = 0;
  for (; check_goes_on(round, MUTATIONS); round++) {
    int chosen = check_below(spec_count);
    size_t size = specs[chosen].length;
    memcpy(text, specs[chosen].text, size);
    for (int i = check_below(4); i >= 0; i--) size = mutate(text, size);
    struct arena *arena = arena_new();
    struct diagnostics *diagnostics = diagnostics_new(arena);
    struct source source = {"fuzz", arena_copy(arena, text, size), size};
    struct ast_file *tree = parse_source(arena, &source, diagnostics);
    bool good = true;
    if (diagnostics->error_count == 0) {
      accepted++;
      char *printed = NULL;
      size_t length = 0;
      FILE *file = open_memstream(&printed, &length);
      ast_print(file, tree);
      fclose(file);
      struct ast_file *again = parse_source(arena, source_from_text(arena, "printed", printed), diagnostics);
      char *before = dump_tree(tree), *after = dump_tree(again);
      good = !strcmp(before, after) && diagnostics->error_count == 0;
      if (!good) printf("%.*s\n---- printed as\n%s\n", (int)size, text, printed);
      free(before), free(after), free(printed);
    }
    if (!CHECK(good)) break;
    arena_free(arena);
  }
  printf("accepted: %ld specs of %ld\n", accepted, round);
  CHECK(accepted > round / 100);
  return check_done("parse_fuzz");
}
