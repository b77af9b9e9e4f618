#include "codegen/template.h"

#include <ctype.h>
#include <string.h>

#include "codegen/dialect.h"
#include "ir/arena.h"

/* --- Pieces --------------------------------------------------------------------------------------------------------------- */

struct piece piece_name(const char *text) { return (struct piece){.text = text, .binding = BINDS_NAME}; }

const char *piece_text(struct arena *arena, struct piece piece, int binding) {
  return piece.binding >= binding ? piece.text : arena_format(arena, "(%s)", piece.text);
}

/* --- Uses ----------------------------------------------------------------------------------------------------------------- */

void uses_add(struct arena *arena, struct uses *uses, const char *name) { array_push(arena, &uses->names, name); }

void uses_drop(struct uses *uses, int from, int to) {
  if (from == to) return;
  memmove(uses->names.items + from, uses->names.items + to,
          sizeof *uses->names.items * (size_t)(uses->names.count - to));
  uses->names.count -= to - from;
}

void uses_add_text(struct arena *arena, struct uses *uses, const char *text) {
  for (const char *at = text; *at;) {
    if (at[0] == '/' && at[1] == '*') {
      const char *end = strstr(at + 2, "*/");
      at = end ? end + 2 : at + strlen(at);
    } else if (*at == '"' || *at == '\'') {
      char quote = *at++;
      while (*at && *at != quote) at += *at == '\\' && at[1] ? 2 : 1;
      if (*at) at++;
    } else if (isalpha((unsigned char)*at) || *at == '_') {
      size_t length = 1;
      while (isalnum((unsigned char)at[length]) || at[length] == '_') length++;
      const char *name = arena_copy(arena, at, length);
      if (!strncmp(name, "lam_", 4) || header_of(name) != HEADER_COUNT) uses_add(arena, uses, name);
      at += length;
    } else if (isdigit((unsigned char)*at)) {
      while (isalnum((unsigned char)*at) || *at == '.') at++;
    } else {
      at++;
    }
  }
}

/* --- Taking texts apart ----------------------------------------------------------------------------------------------------- */

/* A hole for an argument, with the text before it. */
struct hole {
  const char *before;
  int argument;
  int level; /* how tightly the argument must bind */
  bool beside_or; /* a && b || c is right, and compilers warn of it */
  bool after_minus; /* "- -x" must not become "--x" */
};

struct template {
  const char *text, *rest; /* the whole text, and the part after the last hole */
  ARRAY(struct hole) holes;
  int binding;
  bool negative;
  struct uses uses;
};

struct operator_level {
  const char *text;
  int level, operand; /* the level of its result; the lowest level of its left operand */
};
/* Operands of comparisons, shifts and bit operations get parentheses where compilers would warn without them. */
static const struct operator_level operators[] = {
    {"*", 13, 13}, {"/", 13, 13},  {"%", 13, 13}, {"+", 12, 12},  {"-", 12, 12}, {"<<", 11, 14}, {">>", 11, 14},
    {"<", 10, 12}, {"<=", 10, 12}, {">", 10, 12}, {">=", 10, 12}, {"==", 9, 12}, {"!=", 9, 12},  {"&", 8, 14},
    {"^", 7, 14},  {"|", 6, 14},   {"&&", 5, 5},  {"||", 4, 4},   {"?", 3, 4},   {":", 3, 4},    {"=", 2, 14},
};
enum { LEVEL_AND = 5, LEVEL_OR = 4 };

/* The operator between the spaces at `at`, or NULL. */
static const struct operator_level *operator_at(const char *at) {
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    size_t length = strlen(operators[i].text);
    if (strncmp(at, operators[i].text, length) == 0 && at[length] == ' ') return &operators[i];
  }
  return NULL;
}

/* The hole at `at`. `left` is the operator to its left at the same depth. */
static struct hole hole_at(const char *text, const char *at, const struct operator_level *left) {
  const struct operator_level *right = at[2] == ' ' ? operator_at(at + 3) : NULL;
  struct hole hole = {.argument = at[1] - '0', .level = BINDS_LIST};
  if (left) hole.level = left->operand > left->level ? left->operand : left->level + 1;
  if (right && right->operand > hole.level) hole.level = right->operand;
  if (at > text && strchr("-!)*", at[-1]) && BINDS_UNARY > hole.level) hole.level = BINDS_UNARY;
  hole.beside_or = (left && left->level == LEVEL_OR) || (right && right->level == LEVEL_OR);
  hole.after_minus = at > text && at[-1] == '-';
  return hole;
}

const struct template *template_parse(struct arena *arena, const char *text, const char *needs) {
  struct template *template = arena_new_struct(arena, struct template);
  const struct operator_level *left[8] = {0};
  const char *from = text;
  int depth = 0;
  bool cast = text[0] == '(' && isalpha((unsigned char)text[1]);
  *template = (struct template){.text = text,
                                .binding = cast || (text[0] && strchr("-!*", text[0])) ? BINDS_UNARY : BINDS_NAME};
  template->negative = text[0] == '-';
  for (const char *at = text; *at; at++) {
    if (*at == '(') {
      if (++depth == sizeof left / sizeof *left) bug("the row \"%s\" is nested too deeply", text);
      left[depth] = NULL;
    } else if (*at == ')') {
      depth--;
    } else if (*at == ',') {
      left[depth] = NULL;
    } else if (*at == ' ') {
      const struct operator_level *operator= operator_at(at + 1);
      if (!operator) continue;
      left[depth] = operator;
      if (depth == 0 && operator->level<template->binding) template->binding = operator->level;
    } else if (*at == '$') {
      struct hole hole = hole_at(text, at, left[depth]);
      hole.before = arena_copy(arena, from, (size_t)(at - from));
      array_push(arena, &template->holes, hole);
      from = at + 2;
      at++;
    }
  }
  template->rest = from;
  uses_add_text(arena, &template->uses, text);
  if (needs) uses_add(arena, &template->uses, needs);
  return template;
}

const char *template_text(const struct template *template) { return template->text; }

/* --- Filling in ------------------------------------------------------------------------------------------------------------- */

struct piece template_fill(struct arena *arena, struct uses *uses, const struct template *template,
                           const struct piece *arguments) {
  struct piece result = {"", template->binding, template->negative};
  for (int i = 0; i < template->holes.count; i++) {
    const struct hole *hole = &template->holes.items[i];
    const struct piece *argument = &arguments[hole->argument];
    int level = hole->level;
    if (hole->beside_or && argument->binding == LEVEL_AND) level = LEVEL_AND + 1;
    if (hole->after_minus && argument->negative) level = BINDS_NAME + 1;
    if (i == 0 && !hole->before[0]) result.negative = argument->negative && argument->binding >= level;
    result.text = arena_format(arena, "%s%s%s", result.text, hole->before, piece_text(arena, *argument, level));
  }
  result.text = arena_format(arena, "%s%s", result.text, template->rest);
  for (int i = 0; i < template->uses.names.count; i++) uses_add(arena, uses, template->uses.names.items[i]);
  return result;
}
