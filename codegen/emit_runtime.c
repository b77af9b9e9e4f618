/* The files of runtime/ that a program carries, one after the other. */
#include <ctype.h>
#include <string.h>

#include "codegen/emit.h"
#include "codegen/runtime_text.h"

/* Which other files a file needs: what it mentions and they define. Kept by hand; a missing row is a link error of the
   programs that the tests build. Order is that of the output. */
static const struct need {
  const char *file, *needs;
} needs[] = {
    {"watch.c", "files.c memory.c"},
    {"memory.c", ""},
    {"files.c", "memory.c"},
    {"random.c", "memory.c"},
    {"families.c", "memory.c"},
    {"tensors.c", "random.c memory.c"},
    {"safetensors.c", "files.c memory.c"},
    {"checkpoint.c", "safetensors.c tensors.c memory.c"},
    {"tokenizer.c", "memory.c safetensors.c"},
    {"masked.c", "memory.c random.c"},
    {"data.c", "memory.c tokenizer.c random.c"},
    {"text.c", "data.c tokenizer.c"},
    {"csv.c", "data.c tokenizer.c"},
    {"synthetic.c", "data.c"},
    {"batches.c", "data.c random.c"},
    {"progress.c", "files.c memory.c"},
    {"options.c", "memory.c"},
    {"evaluate.c", "data.c checkpoint.c options.c"},
    {"handover.c", "checkpoint.c memory.c"},
    {"train.c", "data.c batches.c evaluate.c checkpoint.c tensors.c progress.c options.c"},
    {"generate.c", "tokenizer.c checkpoint.c random.c options.c"},
    {"predict.c", "data.c checkpoint.c options.c"},
    {"info.c", "memory.c options.c"},
    {"steps.c", "train.c"},
    {"bench_report.c", "files.c memory.c watch.c"},
    {"bench.c", "data.c batches.c checkpoint.c tensors.c random.c options.c watch.c bench_report.c"},
    {"main.c", "files.c memory.c options.c info.c"},
};
enum { FILES = sizeof needs / sizeof *needs };

static bool starts(const char *line, const char *with) { return strncmp(line, with, strlen(with)) == 0; }

static void want(bool wanted[FILES], const char *name) {
  for (int i = 0; i < FILES; i++) {
    if (strcmp(needs[i].file, name) != 0 || wanted[i]) continue;
    wanted[i] = true;
    for (const char *at = needs[i].needs; *at;) {
      char other[64];
      size_t length = strcspn(at, " ");
      if (length >= sizeof other) bug("the name %s is too long", at);
      memcpy(other, at, length);
      other[length] = 0;
      want(wanted, other);
      at += length + (at[length] == ' ');
    }
  }
}

static void choose(const struct emitter *emitter, bool wanted[FILES]) {
  static const char *const verb_files[] = {"train.c", "evaluate.c", "generate.c", "predict.c", "info.c"};
  static const char *const source_files[] = {"text.c", "csv.c", "synthetic.c"};
  const struct program *program = emitter->program;
  bool verbs[5];
  emit_verbs(program, verbs);
  if (emitter->options.bench) want(wanted, "bench.c");
  for (int i = 0; i < 5; i++)
    if (verbs[i]) want(wanted, verb_files[i]);
  if (verbs[0] && emitter->options.steps) want(wanted, "steps.c");
  if (verbs[0] && emitter->options.handover) want(wanted, "handover.c");
  if (program->data) want(wanted, source_files[program->data->source]);
  if (program->data && program->data->mask > 0) want(wanted, "masked.c");
  want(wanted, "main.c");
  want(wanted, "families.c");
}

/* --- Files -------------------------------------------------------------------------------------------------------------- */

static const char *runtime_file(const char *name) {
  for (const struct runtime_text *file = runtime_texts; file->name; file++)
    if (!strcmp(file->name, name)) return file->text;
  bug("the runtime has no file %s", name);
}

/* One line and its newline; NULL at the end. */
static const char *next_line(struct arena *arena, const char **at) {
  if (!**at) return NULL;
  size_t length = strcspn(*at, "\n");
  const char *line = arena_copy(arena, *at, length);
  *at += length + ((*at)[length] == '\n');
  return line;
}

static bool is_guard(const char *line, const char *word) {
  size_t length = strlen(line);
  return starts(line, word) && length > 2 && !strcmp(line + length - 2, "_H");
}

void include_add(struct arena *arena, struct include_list *includes, const char *line) {
  for (int i = 0; i < includes->lines.count; i++)
    if (!strcmp(includes->lines.items[i], line)) return;
  array_push(arena, &includes->lines, line);
}

/* Words at an indentation, as many to a line as fit. */
static void add_words(struct text *text, const char *words, size_t indentation, size_t later) {
  while (strlen(words) + indentation > TEXT_COLUMNS) {
    size_t end = TEXT_COLUMNS - indentation;
    while (end > TEXT_COLUMNS / 2 && words[end] != ' ') end--;
    text_raw(text, arena_format(text->arena, "%*s%.*s\n", (int)indentation, "", (int)end, words));
    words += end + (words[end] == ' ');
    indentation = later;
  }
  text_raw(text, arena_format(text->arena, "%*s%s\n", (int)indentation, "", words));
}

/* A line of the runtime may be a little longer than the output's: comments go on in the next line, and what stands behind code
   goes before it. */
static void add_line(struct text *text, const char *line, bool *in_comment) {
  size_t indentation = strspn(line, " ");
  const char *rest = line + indentation, *behind = strstr(rest, " /*");
  bool comment = *in_comment || starts(rest, "/*"), rule = starts(rest, "/* ---");
  const char *opened = line, *closed = line;
  for (const char *at = line; (at = strstr(at, "/*")) != NULL; at++) opened = at + 1;
  for (const char *at = line; (at = strstr(at, "*/")) != NULL; at++) closed = at + 1;
  if (opened != line || closed != line) *in_comment = opened > closed;
  if (strlen(line) <= TEXT_COLUMNS) {
    add_words(text, rest, indentation, indentation);
  } else if (rule) {
    text_raw(text, arena_format(text->arena, "%.*s */\n", TEXT_COLUMNS - 3, line));
  } else if (comment) {
    add_words(text, rest, indentation, starts(rest, "/*") ? indentation + 3 : indentation);
  } else {
    text->indentation = (int)(indentation / 2);
    if (behind && strstr(behind, "*/") && !strstr(behind, "*/")[2]) {
      add_words(text, behind + 1, indentation, indentation + 3);
      rest = arena_copy(text->arena, rest, (size_t)(behind - rest));
    }
    text_line(text, "%s", rest);
    text->indentation = 0;
  }
}

/* In the output everything is one file, and two such files can be linked into one program: the runtime's functions and tables
   become static. Declarations of tables go: their definitions come before their users. */
static bool is_definition(const char *line) {
  static const char *const others[] = {"static ", "typedef ", "extern ", "return ", NULL};
  if (!isalpha((unsigned char)line[0])) return false;
  for (int i = 0; others[i]; i++)
    if (starts(line, others[i])) return false;
  const char *name = strstr(line, "lam_");
  while (name && name[-1] != ' ' && name[-1] != '*' && name > line) name = strstr(name + 1, "lam_");
  for (; name; name = strstr(name + 1, "lam_")) {
    const char *end = name + strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (*end == '(' || starts(end, " = {") || starts(end, "[] = {")) return true;
    if (memchr(line, '(', (size_t)(name - line))) return false;
  }
  return false;
}

/* Whether a declaration goes on in the next line. */
static bool goes_on(const char *line) {
  const char *comment = strstr(line, " /*");
  size_t length = comment ? (size_t)(comment - line) : strlen(line);
  return length && line[length - 1] != ';' && line[length - 1] != '{' && line[length - 1] != '}';
}

enum { DEEPEST = 32 };

/* A section of runtime.h, headed by "--- NAME.c: ...", that declares what a file defines which the program does not have. */
static bool is_unwanted_section(const char *line, const bool *wanted) {
  const char *name = line + strlen("/* --- ");
  for (int i = 0; i < FILES; i++)
    if (starts(name, needs[i].file)) return !wanted[i];
  return false;
}

/* A file without its own includes and include guard: the output has one of each include, at its top. Includes inside of a
   condition stay where they are. */
static void add_file(struct emitter *emitter, struct text *text, const char *contents, struct include_list *includes,
                     const bool *wanted) {
  struct arena *arena = emitter->arena;
  contents = emit_conditions(emitter, contents);
  bool guard[DEEPEST] = {false}, blank = true, in_comment = false, unwanted = false;
  int depth = 0, inside = 0; /* inside: conditions that are not the guard */
  for (const char *line; (line = next_line(arena, &contents)) != NULL;) {
    if (starts(line, "#if")) {
      if (depth == DEEPEST) bug("conditions of the runtime are nested too deeply");
      guard[depth++] = is_guard(line, "#ifndef ");
      if (guard[depth - 1]) continue;
      inside++;
    } else if (starts(line, "#endif")) {
      if (depth && guard[--depth]) continue;
      inside--;
    } else if (is_guard(line, "#define ") || starts(line, "#include \"") || starts(line, "#define _POSIX_C_SOURCE")) {
      continue;
    } else if (starts(line, "#include <") && !inside) {
      include_add(arena, includes, line);
      continue;
    }
    if (starts(line, "/* --- ")) unwanted = is_unwanted_section(line, wanted);
    if (unwanted || starts(line, "extern const ")) continue;
    if (!line[0] && blank) continue;
    blank = !line[0];
    if (is_definition(line)) {
      line = arena_format(arena, "static %s", line);
      while (goes_on(line)) {
        const char *more = next_line(arena, &contents);
        line = arena_format(arena, "%s%s%s", line, line[strlen(line) - 1] == '(' ? "" : " ", more + strspn(more, " "));
      }
    }
    add_line(text, line, &in_comment);
  }
  if (!blank) text_blank(text);
}

void emit_runtime_declarations(struct emitter *emitter, struct text *text, struct include_list *includes) {
  text_raw(text, "/* Without main, or with settings that a spec does not have, some functions have no caller. */\n"
                 "#pragma GCC diagnostic ignored \"-Wunused-function\"\n\n");
  bool wanted[FILES] = {false};
  choose(emitter, wanted);
  add_file(emitter, text, runtime_file("program.h"), includes, wanted);
  add_file(emitter, text, runtime_file("runtime.h"), includes, wanted);
}

/* The file's name and, where its first comment is one line, that, which then is left out. */
static const char *file_title(struct arena *arena, const char *name, const char **contents) {
  size_t length = strcspn(*contents, "\n");
  const char *comment = *contents + strlen("/* "), *end = *contents + length - strlen(" */");
  if (!starts(*contents, "/* ") || strncmp(end, " */", 3) != 0 || length + strlen(name) > TEXT_COLUMNS - 12) return name;
  *contents += length + 1;
  if (end[-1] == '.') end--;
  return arena_format(arena, "%s: %c%.*s", name, tolower((unsigned char)*comment), (int)(end - comment - 1), comment + 1);
}

void emit_runtime(struct emitter *emitter, struct text *text, struct include_list *includes) {
  bool wanted[FILES] = {false};
  choose(emitter, wanted);
  for (int i = 0; i < FILES; i++) {
    if (!wanted[i]) continue;
    const char *contents = runtime_file(needs[i].file);
    emit_banner(text, file_title(emitter->arena, needs[i].file, &contents));
    if (!starts(contents, "/*")) text_blank(text);
    add_file(emitter, text, contents, includes, wanted);
  }
}

bool emit_runtime_has(const struct emitter *emitter, const char *file) {
  bool wanted[FILES] = {false};
  choose(emitter, wanted);
  for (int i = 0; i < FILES; i++)
    if (!strcmp(needs[i].file, file)) return wanted[i];
  return false;
}
