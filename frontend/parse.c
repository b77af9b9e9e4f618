/* The entry points of the parser, and the token stream between the scanner and the grammar: where a newline ends a
   statement, and which brackets are open. */
#include "frontend/parse.h"

#include <string.h>

#include "frontend/spec.tab.h"
#include "ir/display.h"

typedef void *yyscan_t;
struct yy_buffer_state;
int spec_scan(SPEC_STYPE *value, SPEC_LTYPE *location, yyscan_t scanner);
int spec_lex(SPEC_STYPE *value, SPEC_LTYPE *location, struct parse *parse);
int spec_lex_init_extra(struct parse *parse, yyscan_t *scanner);
int spec_lex_destroy(yyscan_t scanner);
struct yy_buffer_state *spec__scan_bytes(const char *text, int length, yyscan_t scanner);

struct span parse_advance(struct parse *parse, int length) {
  int begin = parse->offset;
  parse->offset += length;
  return (struct span){parse->source, begin, parse->offset};
}

struct ast_name parse_text(struct parse *parse, const char *text, int length, struct span span) {
  return (struct ast_name){arena_copy(parse->arena, text, (size_t)length), span};
}

static bool is_word(int kind) {
  switch (kind) {
    /* clang-format off */
    case AXIS: case MODEL: case FN: case OVER: case PARAM: case STATE: case REPEAT: case RETURN: case USE: case DATA:
    case TRAIN: case GENERATE: case CALIBRATE: case OPTIMIZER: case PIPELINE: case GRADIENT: case IF: case ELSE:
    case IN: case AS: case ON: case LIKE: case AND: case OR: case NOT: case FOR:
    /* clang-format on */
      return true;
  }
  return false;
}

/* Go's rule: a newline ends a statement when the last token can end one. Brackets are not counted, so that an unclosed
   bracket costs one error and not the rest of the file. Unlike in Go, a newline ends nothing when the next token cannot
   begin anything (see continues), so a '{', an else, a closing bracket or an operator may stand first in a line. */
static bool ends_statement(int kind) {
  switch (kind) {
      /* clang-format off */
    case IDENT: case NUMBER: case STRING: case ')': case ']': case '}':
    case MODEL: case FN: case OVER: case USE: case DATA: case TRAIN: case GENERATE: case CALIBRATE: case OPTIMIZER:
    case PIPELINE: case GRADIENT: case IN: case AS: case ON: case LIKE: case RETURN:
      /* clang-format on */
      return true;
  }
  return false;
}

static bool continues(const struct parse *parse, int kind) {
  switch (kind) {
      /* clang-format off */
    case '{': case ')': case ']': case ELSE: case ARROW: case ',': case '=': case '~': case '+': case '-': case '*':
    case '/': case '%': case '@': case '^': case '<': case '>': case LE: case GE: case EQ: case NE: case AND: case OR:
      /* clang-format on */
      return true;
    case GRADIENT:
      return parse->open.count == 0 && parse->last.kind == '}';
  }
  return false;
}

static int indent_of(const struct source *source, int offset) {
  int start = offset, indent = 0;
  while (start > 0 && source->text[start - 1] != '\n') start--;
  while (source->text[start + indent] == ' ' || source->text[start + indent] == '\t') indent++;
  return indent;
}

bool begins_line(const struct source *source, int offset) {
  while (offset > 0 && (source->text[offset - 1] == ' ' || source->text[offset - 1] == '\t')) offset--;
  return offset == 0 || source->text[offset - 1] == '\n';
}

static bool same_line(const struct source *source, int first, int second) {
  return !memchr(source->text + first, '\n', (size_t)(second - first));
}

/* In f(a} within a block of many lines, the '}' was meant as a ')', and must not end the block. */
static void mend_bracket(struct parse *parse, struct token *token) {
  struct bracket *top = parse->open.count ? &parse->open.items[parse->open.count - 1] : NULL;
  if (token->kind != '}' || !top || top->kind == '{' || !same_line(parse->source, top->span.begin, token->span.begin))
    return;
  for (int i = parse->open.count - 1; i >= 0; i--) {
    struct bracket *bracket = &parse->open.items[i];
    if (bracket->kind == '{' && same_line(parse->source, bracket->span.begin, token->span.begin)) return;
  }
  token->kind = top->kind == '(' ? ')' : ']';
  parse_error(parse, token->span, "expected '%c' before '}'", token->kind);
}

/* Keeps parse->open. Round and square brackets never extend past a curly bracket or the end of a statement, so these
   close them. */
static void track_bracket(struct parse *parse, const struct token *token) {
  int kind = token->kind;
  if (kind == '{' || kind == '}' || parse->last.kind == NL)
    while (parse->open.count && parse->open.items[parse->open.count - 1].kind != '{') parse->open.count--;
  if (kind == '(' || kind == '[' || kind == '{') {
    struct bracket bracket = {(char)kind, token->span, indent_of(parse->source, token->span.begin)};
    array_push(parse->arena, &parse->open, bracket);
    if (parse->open.count > DEEPEST_BRACKETS) {
      parse_error(parse, token->span, "brackets are nested more than %d deep", DEEPEST_BRACKETS);
      parse->abandoned = true;
    }
    return;
  }
  if (kind != ')' && kind != ']' && kind != '}') return;
  struct bracket *top = parse->open.count ? &parse->open.items[parse->open.count - 1] : NULL;
  if (top && (kind == '}' || top->kind == (kind == ')' ? '(' : '['))) {
    if (kind == '}' && !parse->suspect.source && begins_line(parse->source, token->span.begin) &&
        indent_of(parse->source, token->span.begin) < top->indent)
      parse->suspect = top->span;
    parse->open.count--;
  } else if (kind == '}') {
    parse->stray_brace = token->span.begin;
  }
}

static struct token scan(struct parse *parse) {
  struct token token = {.span = {parse->source, parse->offset, parse->offset}};
  if (parse->holding) {
    parse->holding = false;
    return parse->held;
  }
  if (parse->abandoned) return token;
  SPEC_STYPE value = {.name = {NULL, {NULL, 0, 0}}};
  token.kind = spec_scan(&value, &token.span, parse->scanner);
  if (token.kind == 0) token.span = (struct span){parse->source, parse->offset, parse->offset};
  if (is_word(token.kind) || token.kind == IDENT || token.kind == NUMBER || token.kind == STRING)
    token.name = value.name;
  /* No word is reserved inside a path: parameters are named as other programs name them. */
  if (parse->last.kind == '.' && is_word(token.kind)) token.kind = IDENT;
  return token;
}

int spec_lex(SPEC_STYPE *value, SPEC_LTYPE *location, struct parse *parse) {
  struct token token;
  if (parse->start) {
    token = (struct token){.kind = parse->start, .span = {parse->source, parse->offset, parse->offset}};
    parse->start = 0;
  } else {
    bool ending = ends_statement(parse->last.kind), newline = false;
    struct span end = {NULL, 0, 0};
    while ((token = scan(parse)).kind == TOKEN_NEWLINE) {
      if (!newline) end = token.span;
      newline = true;
    }
    mend_bracket(parse, &token);
    if (ending && (newline ? !continues(parse, token.kind) : token.kind == '}' || token.kind == 0)) {
      parse->held = token; /* a '}' ends the last statement of a block, and the end of the file the last one of all */
      parse->holding = true;
      token = (struct token){.kind = NL, .span = newline ? end : token.span};
    }
    const struct bracket none = {0, {NULL, 0, 0}, 0};
    parse->around = parse->open.count ? parse->open.items[parse->open.count - 1] : none;
    track_bracket(parse, &token);
  }
  parse->before_last = parse->last;
  parse->last = token;
  value->name = token.name;
  *location = token.span;
  return token.kind;
}

/* Reports the first byte that is not text, or that would make the text look different from what is read. */
static bool check_text(struct parse *parse) {
  const struct source *source = parse->source;
  uint32_t code = 0;
  size_t at = 0;
  for (int length; at < source->length; at += (size_t)length) {
    if (!(length = character_at(source->text + at, source->length - at, &code))) break;
    if (character_turns_text(code) || (character_is_control(code) && code != '\t' && code != '\n' && code != '\r'))
      break;
  }
  if (at == source->length) return true;
  const unsigned char byte = (unsigned char)source->text[at];
  const struct span span = {source, (int)at, (int)at + 1};
  uint32_t ignored;
  if (byte == 0)
    report_error(parse->diagnostics, span, "there is a zero byte here, so this is not a text file");
  else if (!character_at(source->text + at, source->length - at, &ignored))
    report_error(parse->diagnostics, span, "the byte 0x%02X is not UTF-8: a spec is a UTF-8 text", byte);
  else if (character_turns_text(code))
    report_error(parse->diagnostics, span,
                 "the character U+%04X turns the direction of text round, so that what is read is not what is shown",
                 (unsigned)code);
  else
    report_error(parse->diagnostics, span,
                 "the control character U+%04X cannot stand in a spec; tabs and line ends can", (unsigned)code);
  return false;
}

static void run(struct parse *parse, int begin) {
  const struct source *source = parse->source;
  parse->stray_brace = -1;
  if (!check_text(parse)) return;
  if (begin == 0 && source->length >= 3 && !memcmp(source->text, "\xEF\xBB\xBF", 3)) begin = 3; /* a byte order mark */
  parse->offset = begin;
  if (spec_lex_init_extra(parse, &parse->scanner)) bug("the scanner could not be set up");
  spec__scan_bytes(source->text + begin, (int)source->length - begin, parse->scanner);
  spec_parse(parse);
  spec_lex_destroy(parse->scanner);
}

struct ast_file *parse_source(struct arena *arena, const struct source *source, struct diagnostics *diagnostics) {
  struct ast_file *file = arena_new_struct(arena, struct ast_file);
  file->source = source;
  struct parse parse = {
      .arena = arena, .source = source, .diagnostics = diagnostics, .start = START_FILE, .file = file};
  run(&parse, 0);
  return file;
}

struct ast_expression *parse_expression_at(struct arena *arena, const struct source *source, int begin,
                                           struct diagnostics *diagnostics) {
  struct parse parse = {.arena = arena, .source = source, .diagnostics = diagnostics, .start = START_EXPRESSION};
  int errors = diagnostics->error_count;
  run(&parse, begin);
  return diagnostics->error_count > errors ? NULL : parse.expression;
}

struct ast_expression *parse_expression(struct arena *arena, const struct source *source,
                                        struct diagnostics *diagnostics) {
  return parse_expression_at(arena, source, 0, diagnostics);
}
