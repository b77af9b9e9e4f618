/* Lowers real specs with words exchanged. It must end with a program or with errors, never with an internal error
   (bug() ends the test, which then fails). A program that it accepts must verify, which lowering itself checks, and go
   through the passes on graphs. --seconds N makes it run for so long. */
#include <ctype.h>
#include <dirent.h>
#include "codegen/codegen.h"
#include "frontend/frontend.h"
#include "passes/passes.h"
#include "tests/unit/check.h"

enum { MOST_SPECS = 80, LARGEST = 1 << 14, MOST_WORDS = 4096, SECONDS = 15 };

static struct spec {
  char *text;
  char path[512];
} specs[MOST_SPECS];
static int spec_count;

struct word {
  int begin, length;
};

/* Words and marks of a text, comments left out. */
static int split(const char *text, struct word *words) {
  int count = 0;
  for (int i = 0; text[i] && count < MOST_WORDS;) {
    if (text[i] == '#')
      while (text[i] && text[i] != '\n') i++;
    else if (isspace((unsigned char)text[i]))
      i++;
    else {
      const int begin = i++;
      const bool plain = isalnum((unsigned char)text[begin]) || text[begin] == '_';
      while (plain && text[i] && (isalnum((unsigned char)text[i]) || text[i] == '_')) i++;
      words[count++] = (struct word){begin, i - begin};
    }
  }
  return count;
}

/* Puts a word of the same kind (word or mark) of this spec, or a small number, in place of another; or takes one out. */
static void mutate(char *text) {
  static struct word words[MOST_WORDS];
  const int count = split(text, words);
  if (count < 2) return;
  const struct word old = words[check_below(count)];
  struct word new = words[check_below(count)];
  const bool plain = isalnum((unsigned char)text[old.begin]) || text[old.begin] == '_';
  for (int tries = 0; tries < 20 && plain != (isalnum((unsigned char)text[new.begin]) || text[new.begin] == '_');
       tries++)
    new = words[check_below(count)];
  char piece[128];
  static const char *const numbers[] = {"0",   "1",          "2",     "3",   "7",    "-1",       "0.5",
                                        "1e9", "3000000000", "batch", "inf", "none", "training", "step"};
  const int choice = check_below(10);
  if (choice == 0)
    piece[0] = 0;
  else if (choice <= 2)
    snprintf(piece, sizeof piece, "%s", numbers[check_below((int)(sizeof numbers / sizeof *numbers))]);
  else
    snprintf(piece, sizeof piece, "%.*s", new.length, text + new.begin);
  const int length = (int)strlen(piece), size = (int)strlen(text);
  if (size - old.length + length >= LARGEST - 1) return;
  memmove(text + old.begin + length, text + old.begin + old.length, (size_t)(size - old.begin - old.length) + 1);
  memcpy(text + old.begin, piece, (size_t)length);
}

/* A repeat of a thousand layers is right but slow, so the test avoids it. */
static bool repeats_are_small(const char *text) {
  for (const char *at = text; (at = strstr(at, "repeat")); at++) {
    const char *count = at + strcspn(at, "[\n");
    if (*count == '[' && !(isdigit((unsigned char)count[1]) && atof(count + 1) <= 64)) return false;
  }
  return true;
}

static void read_folder(const char *folder) {
  DIR *directory = opendir(folder);
  if (!directory) return;
  for (struct dirent *entry; (entry = readdir(directory)) && spec_count < MOST_SPECS;) {
    const size_t length = strlen(entry->d_name);
    if (length < 4 || strcmp(entry->d_name + length - 4, ".lam")) continue;
    struct arena *arena = arena_new();
    struct spec *spec = &specs[spec_count];
    snprintf(spec->path, sizeof spec->path, "%s/%s", folder, entry->d_name);
    const struct source *source = source_read(arena, spec->path);
    if (source && source->length < LARGEST / 2) {
      spec->text = malloc(source->length + 1);
      memcpy(spec->text, source->text, source->length + 1);
      spec_count++;
    }
    arena_free(arena);
  }
  closedir(directory);
}

int main(int count, char **arguments) {
  if (!check_options("lower_fuzz", count, arguments)) return 2;
  if (!check_totals.until) check_totals.until = time(NULL) + SECONDS;
  read_folder(SOURCE_FOLDER "/specs");
  read_folder(SOURCE_FOLDER "/tests/values");
  if (!CHECK(spec_count > 5)) return check_done("lower_fuzz");
  static char text[LARGEST];
  long accepted = 0, runs = 0;
  const char *keep =
      getenv("LAMELLA_FUZZ_KEEP"); /* a file that holds the text being tried, for when the test does not end */
  for (; check_goes_on(runs, 0); runs++) {
    const struct spec *spec = &specs[check_below(spec_count)];
    strcpy(text, spec->text);
    for (int changes = 1 + check_below(3); changes-- > 0;) mutate(text);
    if (!repeats_are_small(text)) continue;
    FILE *file = keep ? fopen(keep, "w") : NULL;
    if (file) fprintf(file, "# %s\n%s", spec->path, text), fclose(file);
    struct arena *arena = arena_new();
    struct diagnostics *diagnostics = diagnostics_new(arena);
    struct frontend_options options = {.standard_library = SOURCE_FOLDER "/specs"};
    struct program *program = lower_source(arena, source_from_text(arena, spec->path, text), &options, diagnostics);
    if (program) {
      accepted++;
      struct pass_options passes = {
          .pipeline = check_below(2) ? "default" : "none", .target = target_find("portable"), .verify = true};
      run_graph_passes(program, &passes, diagnostics);
    }
    CHECK(program ? diagnostics->error_count == 0 || diagnostics->messages.count > 0 : diagnostics->messages.count > 0);
    arena_free(arena);
  }
  printf("accepted: %ld specs of %ld\n", accepted, runs);
  CHECK(accepted > runs / 50); /* otherwise the changes are too wild to try much */
  return check_done("lower_fuzz");
}
