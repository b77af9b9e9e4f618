/* The part of the runtime that a program uses: functions, tables and structs that nothing reaches are left out, and so are
   prototypes of functions that are defined before their first use. */
#include "codegen/shake.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "codegen/text.h"

enum item_kind { ITEM_PLAIN, ITEM_BLANK, ITEM_COMMENT, ITEM_PROTOTYPE, ITEM_DEFINITION };

/* Lines that stand or fall together: a function, a table, a struct, a comment, a condition with all in it. */
struct item {
  enum item_kind kind;
  const char *text;
  const char *name; /* prototypes and definitions */
  bool wanted;
};

struct file {
  struct arena *arena;
  ARRAY(struct item) items;
};

static bool starts(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

static size_t line_length(const char *at) {
  size_t length = strcspn(at, "\n");
  return length + (at[length] == '\n');
}

/* The last character of the line that is not a space or part of a comment behind it. */
static char line_end(const char *at) {
  size_t length = strcspn(at, "\n");
  const char *comment = strstr(at, "/*");
  if (comment && comment < at + length && comment > at) length = (size_t)(comment - at);
  while (length && at[length - 1] == ' ') length--;
  return length ? at[length - 1] : 0;
}

/* The word before the first '(' , or before " = {" or "[" of a table; of a struct its tag. */
static const char *item_name(struct arena *arena, const char *text) {
  bool definition = starts(text, "struct ") && text[strcspn(text, "\n{")] == '{';
  const char *end = definition ? text + strcspn(text, "{") - 1 : text + strcspn(text, "([={\n");
  while (end > text && !is_word(end[-1])) end--;
  const char *begin = end;
  while (begin > text && is_word(begin[-1])) begin--;
  return arena_copy(arena, begin, (size_t)(end - begin));
}

static size_t comment_length(const char *at) {
  const char *end = strstr(at, "*/");
  if (!end) bug("a comment of the runtime has no end");
  return (size_t)(end - at) + line_length(end);
}

static size_t condition_length(const char *at) {
  int depth = 0;
  for (const char *line = at; *line; line += line_length(line)) {
    if (starts(line, "#if")) depth++;
    if (starts(line, "#endif") && --depth == 0) return (size_t)(line - at) + line_length(line);
  }
  bug("a condition of the runtime has no end");
}

/* Up to the line that closes what the first one opens, or that ends in ';'. */
static size_t code_length(const char *at, bool *braces) {
  const char *line = at;
  char end = 0;
  for (; *line; line += line_length(line)) {
    end = line_end(line);
    if (end == '{' || end == ';' || end == '}') break;
  }
  *braces = end != ';' || memchr(at, '{', (size_t)(line - at) + strcspn(line, "\n"));
  if (end == '{') {
    bool table = line_length(line) > 4 && !strncmp(line + line_length(line) - 4, "= {", 3);
    while (*line && (table ? line_end(line) != ';' : line[0] != '}')) line += line_length(line);
  }
  return (size_t)(line - at) + line_length(line);
}

static void read_items(struct file *file, const char *at) {
  while (*at) {
    struct item item = {ITEM_PLAIN, NULL, NULL, true};
    size_t length = line_length(at);
    bool braces;
    if (at[0] == '\n') {
      item.kind = ITEM_BLANK;
    } else if (starts(at, "/*")) {
      item.kind = ITEM_COMMENT;
      length = comment_length(at);
    } else if (starts(at, "#if")) {
      length = condition_length(at);
    } else if (at[0] != '#') {
      length = code_length(at, &braces);
      item.text = arena_copy(file->arena, at, length);
      bool forward = starts(at, "struct ") && strcspn(at, ";") == strlen("struct ") + strcspn(at + strlen("struct "), "; *\n");
      bool named = starts(at, "static ") || (starts(at, "struct ") && (braces || forward));
      if (named) {
        item.name = item_name(file->arena, item.text);
        item.kind = braces ? ITEM_DEFINITION : ITEM_PROTOTYPE;
        item.wanted = false;
        /* A variable without a first value. */
        if (!braces && !forward && !strchr(item.text, '(')) item.kind = ITEM_DEFINITION;
      }
    }
    if (!item.text) item.text = arena_copy(file->arena, at, length);
    array_push(file->arena, &file->items, item);
    at += length;
  }
}

static bool mentions(const char *text, const char *name) {
  size_t length = strlen(name);
  for (const char *at = text; (at = strstr(at, name)) != NULL; at += length)
    if ((at == text || !is_word(at[-1])) && !is_word(at[length])) return true;
  return false;
}

static void want_names_in(struct file *file, const char *text) {
  for (int i = 0; i < file->items.count; i++) {
    struct item *item = &file->items.items[i];
    if (item->kind != ITEM_DEFINITION || item->wanted || !mentions(text, item->name)) continue;
    item->wanted = true;
    want_names_in(file, item->text);
  }
}

/* A prototype is for those who call the function before its definition. */
static bool is_needed(const struct file *file, int prototype) {
  const char *name = file->items.items[prototype].name;
  for (int i = 0; i < file->items.count; i++) {
    const struct item *item = &file->items.items[i];
    if (item->kind == ITEM_DEFINITION && !strcmp(item->name, name)) return false;
    bool code = item->kind == ITEM_PLAIN || item->kind == ITEM_DEFINITION;
    if (code && item->wanted && mentions(item->text, name)) break;
  }
  for (int i = 0; i < file->items.count; i++)
    if (file->items.items[i].kind == ITEM_DEFINITION && !strcmp(file->items.items[i].name, name))
      return file->items.items[i].wanted;
  return false;
}

/* A comment belongs to what stands right below it. */
static void drop_comments(struct file *file) {
  for (int i = file->items.count - 1; i-- > 0;) {
    struct item *item = &file->items.items[i];
    if (item->kind != ITEM_COMMENT) continue;
    const struct item *next = &file->items.items[i + 1];
    bool heading = starts(item->text, "/* --- "), banner = starts(item->text, "/* ---- ");
    if (heading && !banner) item->wanted = false;
    else if (next->kind == ITEM_PROTOTYPE) item->wanted = false;
    else if (!banner && next->kind != ITEM_BLANK) item->wanted = next->wanted;
  }
  /* A file of which nothing is left: its name, and what it says of itself in the next line. */
  int banner = -1;
  for (int i = 0; i <= file->items.count; i++) {
    struct item *item = i < file->items.count ? &file->items.items[i] : NULL;
    if (item && (item->kind == ITEM_BLANK || (item->kind == ITEM_COMMENT && banner == i - 1))) continue;
    if (!item || (item->kind == ITEM_COMMENT && starts(item->text, "/* ---- "))) {
      if (banner >= 0) file->items.items[banner].wanted = false;
      if (banner >= 0 && banner + 1 < i && file->items.items[banner + 1].kind == ITEM_COMMENT)
        file->items.items[banner + 1].wanted = false;
      banner = i;
    } else if (item->wanted) {
      banner = -1;
    }
  }
}

const char *shake(struct arena *arena, const char *runtime, const char *users) {
  struct file file = {.arena = arena};
  struct text *text = text_new(arena);
  read_items(&file, runtime);
  want_names_in(&file, users);
  for (int i = 0; i < file.items.count; i++)
    if (file.items.items[i].kind == ITEM_PLAIN) want_names_in(&file, file.items.items[i].text);
  for (int i = 0; i < file.items.count; i++)
    if (file.items.items[i].kind == ITEM_PROTOTYPE) file.items.items[i].wanted = is_needed(&file, i);
  drop_comments(&file);
  bool blank = true, prototype = false;
  for (int i = 0; i < file.items.count; i++) {
    const struct item *item = &file.items.items[i];
    if (!item->wanted) continue;
    if (item->kind == ITEM_BLANK && (blank || prototype)) continue;
    if (prototype && item->kind != ITEM_PROTOTYPE) text_blank(text);
    text_raw(text, item->text);
    blank = item->kind == ITEM_BLANK;
    prototype = item->kind == ITEM_PROTOTYPE;
  }
  return text_string(text);
}
