#include "codegen/simd.h"

#include <ctype.h>
#include <string.h>

const struct operation_facts operation_facts[OPERATION_COUNT] = {
#define OPERATION(name, result, arguments, scalar) {#name, result, arguments},
#include "codegen/simd.def"
};

struct row {
  const char *target; /* NULL: the meaning */
  bool vector;
  enum operation operation;
  const char *text;
};

static const struct row rows[] = {
#define OPERATION(name, result, arguments, scalar) {NULL, false, OPERATION_##name, scalar},
#define VECTOR(target, name, text) {#target, true, OPERATION_##name, text},
#define SCALAR(target, name, text) {#target, false, OPERATION_##name, text},
#include "codegen/simd.def"
};

const struct simd *simd_of(struct arena *arena, const struct target *target) {
  struct simd *simd = arena_new_struct(arena, struct simd);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].target && strcmp(rows[i].target, target->name) != 0) continue;
    (rows[i].vector ? simd->vector : simd->scalar)[rows[i].operation] = rows[i].text;
  }
  return simd;
}

/* Each elementwise operation of ops.def on reals, on integers and on booleans. */
struct translation {
  enum operation real, integer, boolean;
};
#define OPERATION_none OPERATION_COUNT
static const struct translation translations[OP_COUNT] = {
#define ELEMENTWISE(name, class, inputs, takes, gives, properties, price, operations, real, integer, boolean) \
  [OP_##name] = {OPERATION_##real, OPERATION_##integer, OPERATION_##boolean},
#include "ir/ops.def"
};

enum operation operation_of(enum op op, enum type type) {
  if (!op_is_elementwise(op)) return OPERATION_none;
  switch (type) {
    case TYPE_REAL: return translations[op].real;
    case TYPE_INTEGER:
    case TYPE_INDEX: return translations[op].integer;
    case TYPE_BOOLEAN: return translations[op].boolean;
  }
  return OPERATION_none;
}

/* --- Texts ---------------------------------------------------------------------------------------------------------------- */

struct piece piece_name(const char *text) { return (struct piece){text, BINDS_NAME}; }

const char *piece_text(struct arena *arena, struct piece piece, int binding) {
  return piece.binding >= binding ? piece.text : arena_format(arena, "(%s)", piece.text);
}

struct operator_level {
  const char *text;
  int level, operand; /* what it makes, and how tightly its left operand must bind at least */
};
/* Comparisons, shifts and bit operations want sums, products and the like in parentheses where compilers warn of them. */
static const struct operator_level operators[] = {
    {"*", 13, 13}, {"/", 13, 13},  {"%", 13, 13}, {"+", 12, 12}, {"-", 12, 12}, {"<<", 11, 14}, {">>", 11, 14},
    {"<", 10, 12}, {"<=", 10, 12}, {">", 10, 12}, {">=", 10, 12}, {"==", 9, 12}, {"!=", 9, 12},  {"&", 8, 14},
    {"^", 7, 14},  {"|", 6, 14},   {"&&", 5, 5},  {"||", 4, 4},  {"?", 3, 4},   {":", 3, 4},    {"=", 2, 14},
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

/* How tightly the argument at `at` in a row's text must bind. `before` is the operator to its left at the same depth. */
static int argument_level(const char *text, const char *at, const struct operator_level *before, const struct piece *argument) {
  int level = BINDS_LIST;
  if (before) level = before->operand > before->level ? before->operand : before->level + 1;
  const struct operator_level *after = at[2] == ' ' ? operator_at(at + 3) : NULL;
  if (after && after->operand > level) level = after->operand;
  if (at > text && strchr("-!)*", at[-1]) && BINDS_UNARY > level) level = BINDS_UNARY;
  /* a && b || c is right, and draws a warning. */
  bool in_or = (before && before->level == LEVEL_OR) || (after && after->level == LEVEL_OR);
  if (in_or && argument->binding == LEVEL_AND) level = LEVEL_AND + 1;
  /* "- -x" must not become "--x". */
  if (at > text && at[-1] == '-' && argument->text[0] == '-') level = BINDS_NAME + 1;
  return level;
}

struct piece piece_fill(struct arena *arena, const char *text, const struct piece *arguments) {
  char *result = arena_strdup(arena, "");
  const struct operator_level *before[8] = {0};
  int depth = 0, binding = BINDS_NAME;
  bool cast = text[0] == '(' && isalpha((unsigned char)text[1]);
  if (strchr("-!*", text[0]) || cast) binding = BINDS_UNARY;
  const char *from = text;
  for (const char *at = text; *at; at++) {
    if (*at == '(') {
      if (++depth == sizeof before / sizeof *before) bug("the row \"%s\" is nested too deeply", text);
      before[depth] = NULL;
    } else if (*at == ')') {
      depth--;
    } else if (*at == ',') {
      before[depth] = NULL;
    } else if (*at == ' ') {
      const struct operator_level *operator= operator_at(at + 1);
      if (!operator) continue;
      before[depth] = operator;
      if (depth == 0 && operator->level < binding) binding = operator->level;
    } else if (*at == '$') {
      const struct piece *argument = &arguments[at[1] - '0'];
      int level = argument_level(text, at, before[depth], argument);
      result = arena_format(arena, "%s%.*s%s", result, (int)(at - from), from, piece_text(arena, *argument, level));
      from = at + 2;
      at++;
    }
  }
  return (struct piece){arena_format(arena, "%s%s", result, from), binding};
}
