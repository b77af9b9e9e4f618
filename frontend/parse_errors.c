/* The wording of syntax errors: what was expected, in the user's words, and a hint where the mistake is a usual one. */
#include <stdarg.h>
#include <string.h>

#include "frontend/parse.h"
#include "frontend/spec.tab.h"

enum { MOST_ERRORS = 100, MOST_LISTED = 4, LONGEST_SHOWN = 40 };

bool parse_error(struct parse *parse, struct span span, const char *format, ...) {
  if (parse->abandoned) return false;
  /* A line with a million errors must not be scanned from its start a million times. */
  if (parse->error_line && parse->error_at <= span.begin &&
      !memchr(span.source->text + parse->error_at, '\n', (size_t)(span.begin - parse->error_at))) {
    parse->error_at = span.begin;
    return false;
  }
  int line, column;
  source_position(span.source, span.begin, &line, &column);
  if (line == parse->error_line) return false;
  parse->error_line = line;
  parse->error_at = span.begin;
  va_list arguments;
  va_start(arguments, format);
  const char *text = arena_vformat(parse->arena, format, arguments);
  va_end(arguments);
  report_error(parse->diagnostics, span, "%s", text);
  if (parse->diagnostics->error_count >= MOST_ERRORS) parse->abandoned = true;
  return true;
}

void explain_stray_character(struct parse *parse, const char *text, int length, struct span span) {
  static const struct {
    const char *character, *advice;
  } known[] = {
      {"\xE2\x80\x9C", "strings stand in plain double quotes (\")"},
      {"\xE2\x80\x9D", "strings stand in plain double quotes (\")"},
      {"\xE2\x88\x92", "a minus sign is a plain '-'"},
      {"\xE2\x80\x93", "a minus sign is a plain '-'"},
      {"\xC3\x97", "a product is written '*'"},
      {"\xC2\xB7", "a product is written '*'"},
      {"\xE2\x86\x92", "an arrow is written '->'"},
      {"\xE2\x89\xA4", "'at most' is written '<='"},
      {"\xE2\x89\xA5", "'at least' is written '>='"},
      {"\xE2\x89\xA0", "'not equal' is written '!='"},
      {"\xC2\xA0", "there is a no-break space (U+00A0) here: replace it by a plain space"},
      {"\xE2\x80\x8B", "there is an invisible space (U+200B) here: delete it"},
      {"\xEF\xBB\xBF", "there is an invisible byte order mark (U+FEFF) here: delete it"},
      {"'", "strings stand in double quotes"},
      {"\\", "a line goes on by itself after an operator or a comma"},
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(known[i].character, text)) {
      parse_error(parse, span, "%s", known[i].advice);
      return;
    }
  parse_error(parse, span, "the character '%.*s' has no meaning in a spec outside comments and strings", length, text);
}

static bool has(const char *const *expected, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (!strcmp(expected[i], name)) return true;
  return false;
}

static bool is_one_of(const char *name, const char *const *list) {
  for (; *list; list++)
    if (!strcmp(name, *list)) return true;
  return false;
}

static const char *const reserved[] = {"'axis'", "'param'", "'state'", "'repeat'", "'return'", "'if'",
                                       "'else'", "'and'",   "'or'",    "'not'",    "'for'",    NULL};
static const char *const name_words[] = {
    "'model'",     "'fn'",       "'over'",     "'use'", "'data'", "'train'", "'generate'", "'calibrate'",
    "'optimizer'", "'pipeline'", "'gradient'", "'in'",  "'as'",   "'on'",    "'like'",     NULL};
static const char *const operators[] = {"'+'",  "'-'",  "'*'", "'/'",  "'%'",  "'@'",  "'^'",
                                        "'<'",  "'<='", "'>'", "'>='", "'=='", "'!='", "'and'",
                                        "'or'", "'['",  "'.'", "'('",  "':'",  "'..'", NULL};
static const char *const comparisons[] = {"'<'", "'<='", "'>'", "'>='", "'=='", "'!='", NULL};

static bool is_word_byte(char byte) {
  return byte == '_' || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
}

/* Whether the line up to `offset` reads like the left side of an assignment: "x ", "a, b.c ". */
static bool after_targets(const struct source *source, int offset) {
  const char *text = source->text;
  int start = offset;
  while (start > 0 && text[start - 1] != '\n') start--;
  bool word = false, gap = false; /* a word has come since the last comma or point; a blank has come after it */
  for (int i = start; i < offset; i++) {
    if (is_word_byte(text[i])) {
      if (gap) return false;
      word = true;
    } else if (text[i] == ',' || text[i] == '.') {
      if (!word) return false;
      word = gap = false;
    } else if (text[i] == ' ' || text[i] == '\t') {
      gap = word;
    } else {
      return false;
    }
  }
  return word && start > 0;
}

/* The text at the place of the error, as the user sees it. */
static const char *found_text(struct parse *parse, struct span span, const char *found) {
  const char *text = parse->source->text + span.begin;
  if (!strcmp(found, "the end of the line")) {
    if (span.begin >= (int)parse->source->length) return "the end of the text";
    return *text == '}' ? "'}'" : found; /* a '}' implies a line end */
  }
  if (!strcmp(found, "the end of the file")) return "the end of the text";
  int length = span.end - span.begin;
  if (!strcmp(found, "a string"))
    return length <= LONGEST_SHOWN ? arena_copy(parse->arena, text, (size_t)length) : "the string";
  bool cut = length > LONGEST_SHOWN;
  return arena_format(parse->arena, "'%.*s%s'", cut ? LONGEST_SHOWN : length, text, cut ? "..." : "");
}

/* Joins the expected tokens to "A, B or C", with kinds of tokens in place of single ones. NULL where the list would not
   help. */
static const char *expected_text(struct parse *parse, const char *const *expected, int count) {
  const char *listed[16];
  int used = 0;
  bool name = has(expected, count, "a name"), number = has(expected, count, "a number");
  bool expression = number && has(expected, count, "'('");
  bool statement = name && has(expected, count, "'param'");
  if (statement)
    listed[used++] = "a statement";
  else if (expression)
    listed[used++] = "an expression";
  else if (number && parse->before_last.kind != '.')
    listed[used++] = "an axis";
  else if (name)
    listed[used++] = "a name";
  bool line_end = false, operator= false;
  for (int i = 0; i < count; i++) {
    const char *token = expected[i];
    if (!strcmp(token, "a name") || !strcmp(token, "a number") || (name && is_one_of(token, name_words))) continue;
    if (expression && (!strcmp(token, "'('") || !strcmp(token, "'-'") || !strcmp(token, "'not'") ||
                       !strcmp(token, "'..'") || !strcmp(token, "'axis'") || !strcmp(token, "a string")))
      continue;
    if (statement && is_one_of(token, reserved)) continue;
    if (!strcmp(token, "the end of the line") || !strcmp(token, "';'") || !strcmp(token, "the end of the file")) {
      line_end = !statement;
      continue;
    }
    if (is_one_of(token, operators)) {
      operator= true;
      continue;
    }
    if (used < 15) listed[used++] = token;
  }
  /* Inside brackets a list continues or ends; other tokens that the grammar allows there are rarely what was meant. */
  const char *closer = parse->around.kind == '(' ? "')'" : parse->around.kind == '[' ? "']'" : NULL;
  if (used > 2 && closer && !name && has(expected, count, closer) && has(expected, count, "','")) {
    used = 0;
    listed[used++] = closer;
    listed[used++] = "','";
  }
  if (line_end && !(name && has(expected, count, "'}'"))) listed[used++] = "the end of the line";
  /* Operators may follow any operand, so they are mentioned only when little else is expected. */
  bool operand = has(expected, count, "'+'");
  if (operator&& used <= 1 && operand) listed[used++] = "an operator";
  if (operator&& used <= 1 && !operand)
    for (int i = 0; i < count && used < 15; i++)
      if (is_one_of(expected[i], operators)) listed[used++] = expected[i];
  if (!used || used > MOST_LISTED) return NULL;
  const char *text = listed[0];
  for (int i = 1; i < used; i++)
    text = arena_format(parse->arena, "%s%s%s", text, i == used - 1 ? " or " : ", ", listed[i]);
  return text;
}

/* Shows the bracket that an error is about, unless it is on the same line. */
static void note_bracket(struct parse *parse, struct span bracket, const char *text) {
  int line, column;
  source_position(parse->source, bracket.begin, &line, &column);
  if (line != parse->error_line) report_note(parse->diagnostics, bracket, "%s", text);
}

/* The '{' that most probably lacks its '}': one whose '}' is indented too little, or else the innermost. */
static struct span unclosed_brace(const struct parse *parse) {
  if (parse->suspect.source) return parse->suspect;
  for (int i = parse->open.count - 1; i >= 0; i--)
    if (parse->open.items[i].kind == '{') return parse->open.items[i].span;
  return (struct span){NULL, 0, 0};
}

static void explain_declaration(struct parse *parse, struct span span, const char *found) {
  static const char *const words[] = {"axis",  "model",    "fn",        "optimizer", "data",
                                      "train", "generate", "calibrate", "pipeline",  "use"};
  const char *text = found_text(parse, span, found), *close = NULL;
  if (!strcmp(found, "a name")) {
    char *bare = arena_copy(parse->arena, text + 1, strlen(text) - 2);
    close = closest_name(bare, words, sizeof words / sizeof *words);
    if (!strcmp(bare, "def") || !strcmp(bare, "func") || !strcmp(bare, "function")) close = "fn";
    if (!strcmp(bare, "import") || !strcmp(bare, "include")) close = "use";
    if (!strcmp(bare, "class")) close = "model";
  }
  if (close)
    parse_error(parse, span, "expected a declaration before %s: did you mean '%s'?", text, close);
  else if (parse->stray_brace == span.begin && !strcmp(found, "'}'"))
    parse_error(parse, span, "this '}' closes nothing");
  else if (!strcmp(found, "'param'") || !strcmp(found, "'repeat'") || !strcmp(found, "'return'"))
    parse_error(parse, span, "%s stands inside a model or a function", text);
  else if (!strcmp(found, "'gradient'"))
    parse_error(parse, span, "'gradient' follows the '}' that ends a function's body");
  else
    parse_error(parse, span,
                "expected a declaration before %s: axis, model, fn, optimizer, data, train, generate, calibrate, "
                "pipeline or use",
                text);
}

/* The word of the language that the first word of a statement was probably meant to be, or NULL. */
static const char *statement_word(struct parse *parse, struct span span) {
  static const char *const words[] = {"axis", "param", "state", "repeat", "return", "if", "for"};
  struct token before = parse->before_last;
  int gap = span.begin - before.span.end;
  if (before.kind != IDENT || gap < 1 || !begins_line(parse->source, before.span.begin)) return NULL;
  if (!strcmp(before.name.text, "while")) return "repeat";
  if (!strcmp(before.name.text, "elif")) return "else if";
  return parse->source->text[span.begin] == '\n' ? NULL
                                                 : closest_name(before.name.text, words, sizeof words / sizeof *words);
}

/* Advice to add to a plain "expected ... before ...", or NULL. */
static const char *hint(struct parse *parse, struct span span, const char *found, const char *const *expected,
                        int count) {
  const struct source *source = parse->source;
  int before = parse->before_last.kind;
  bool newline = !strcmp(found, "the end of the line") && source->text[span.begin] == '\n';
  if (!strcmp(found, "'='") && after_targets(source, span.begin) && has(expected, count, "'+'"))
    return "the line above goes on here, since it ends in an operator, a comma or '='";
  if (!strcmp(found, "'='") && has(expected, count, "'=='")) return "to compare, write '=='";
  if (is_one_of(found, comparisons) && has(expected, count, "'and'"))
    return "comparisons do not chain: write a < b and b < c";
  if (!strcmp(found, "'..'")) return "a range stands inside [axis = low .. high -> name]";
  if (has(expected, count, "'='") && has(expected, count, "','") && has(expected, count, "':'") &&
      !has(expected, count, "'+'")) {
    if (!strcmp(found, "'('") || newline) return "a statement names what it makes: y = f(x), or label: f(x)";
    if (!strcmp(found, "'['")) return "values are made whole: there is no assignment to a part";
  }
  if (before == ':') return "a label takes a call, as in attn: f(x); a setting is written key = value";
  if (count == 2 && has(expected, count, "'('") && has(expected, count, "'.'"))
    return "a label takes a call, as in attn: f(x)";
  if (count == 2 && has(expected, count, "'['") && has(expected, count, "'.'"))
    return "write repeat name[count] { ... }";
  if (!strcmp(found, "']'") && has(expected, count, "'->'"))
    return "a view names its axis, as in x[seq = 0] or x[seq -> past]";
  if (before == FOR)
    return "'for' takes patterns of parameter names, as in for \"*.bias\" { ... }; layers are repeated by repeat "
           "name[count] { ... }";
  if (before == REPEAT) return "write repeat name[count] { ... }, or repeat [count] { ... } to share the parameters";
  if (!strcmp(found, "'if'")) return "a value is chosen by where(condition, this, that)";
  if (!strcmp(found, "'over'")) return "'over' stands before the '->'";
  if (!strcmp(found, "'.'") && (before == NUMBER || has(expected, count, "a number")))
    return "a number has digits on both sides of its point";
  if (has(expected, count, "'->'") && (newline || !strcmp(found, "'{'")) && before == ')')
    return "a model names its outputs and their axes, as in -> logits[seq, vocab]";
  if (newline && (parse->around.kind == '(' || parse->around.kind == '['))
    return "a line goes on in the next after a comma or an operator";
  return NULL;
}

void explain_syntax_error(struct parse *parse, struct span span, const char *found, const char *const *expected,
                          int count) {
  const struct source *source = parse->source;
  const char *text = found_text(parse, span, found);
  bool at_end = span.begin >= (int)source->length;
  const struct bracket *around = &parse->around;
  bool in_brackets = around->kind == '(' || around->kind == '[';
  bool line_end = in_brackets && !strcmp(found, "the end of the line");
  if (at_end && around->kind && !line_end) {
    if (!parse->unclosed_reported) {
      struct span brace = unclosed_brace(parse);
      if (brace.source) parse_error(parse, brace, "this '{' is not closed: expected '}' before the end of the text");
    }
    parse->unclosed_reported = true;
    return;
  }
  if (has(expected, count, "'model'") && !has(expected, count, "a name")) {
    explain_declaration(parse, span, found);
    return;
  }
  /* A declaration such as "fn f(x) {" inside a block means that the block before it was not closed. */
  struct token before = parse->before_last;
  static const char *const declares[] = {"model",    "fn",        "optimizer", "data",     "train",
                                         "generate", "calibrate", "use",       "pipeline", NULL};
  if (around->kind && before.name.text && is_one_of(before.name.text, declares) &&
      (!strcmp(found, "a name") || !strcmp(found, "a string")) && begins_line(source, before.span.begin) &&
      unclosed_brace(parse).source) {
    if (parse_error(parse, before.span, "a declaration cannot stand inside a block: is a '}' missing before '%s'?",
                    before.name.text) &&
        !parse->unclosed_reported)
      note_bracket(parse, unclosed_brace(parse), "this '{' is not closed");
    parse->unclosed_reported = true;
    return;
  }
  if (is_one_of(arena_format(parse->arena, "'%s'", before.name.text ? before.name.text : ""), reserved) &&
      before.kind != IDENT && before.kind != STRING &&
      (!strcmp(found, "'='") || !strcmp(found, "','") || !strcmp(found, "')'")) && before.kind != RETURN) {
    parse_error(parse, before.span, "'%s' is a word of the language and cannot be a name", before.name.text);
    return;
  }
  if (is_one_of(found, reserved) && strcmp(found, "'if'") && has(expected, count, "a name") &&
      !begins_line(source, span.begin) &&
      !(has(expected, count, "a number") && has(expected, count, "'('") && !strcmp(found, "'else'"))) {
    parse_error(parse, span, "%s is a word of the language and cannot be a name", text);
    return;
  }
  /* A closing bracket is wrong or missing. */
  static const char *const closers[] = {"')'", "']'", "'}'", "'{'", NULL};
  if (in_brackets && (line_end || is_one_of(found, closers))) {
    const char *closer = around->kind == '(' ? "')'" : "']'";
    if (has(expected, count, closer)) {
      const char *advice = hint(parse, span, found, expected, count);
      if (parse_error(parse, span, "expected %s before %s%s%s", closer, text, advice ? ": " : "", advice ? advice : ""))
        note_bracket(parse, around->span, "it would close this one");
      return;
    }
  }
  const char *word = has(expected, count, "'='") && !has(expected, count, "'+'") ? statement_word(parse, span) : NULL;
  if (word) {
    parse_error(parse, before.span, "expected a statement before '%s': did you mean '%s'?", before.name.text, word);
    return;
  }
  const char *wanted = expected_text(parse, expected, count), *advice = hint(parse, span, found, expected, count);
  if (!wanted && !advice)
    parse_error(parse, span, "did not expect %s here", text);
  else
    parse_error(parse, span, "%s%s %s%s%s", wanted ? "expected " : "did not expect ", wanted ? wanted : text,
                wanted ? arena_format(parse->arena, "before %s", text) : "here", advice ? ": " : "",
                advice ? advice : "");
}
