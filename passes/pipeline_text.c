/* Pipelines as text: reading them, and printing what there is to choose from. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pipeline.h"

const struct pass_facts pass_facts[PASS_COUNT] = {
#define PASS(name, when, class, requires, breaks, summary) \
  [PASS_##name] = {#name, PASS_##when, PASS_##class, STAGE_##requires, breaks, summary},
#include "passes/passes.def"
};

const struct parameter_facts parameter_facts[PARAMETER_COUNT] = {
#define PARAMETER(pass, name, usual, least, most, summary) \
  [PARAMETER_##pass##_##name] = {PASS_##pass, #name, usual, least, most, false, NULL, summary},
#define NUMBER(pass, name, usual, least, most, summary) \
  [PARAMETER_##pass##_##name] = {PASS_##pass, #name, usual, least, most, true, NULL, summary},
#define WORD(pass, name, words, summary) \
  [PARAMETER_##pass##_##name] = {PASS_##pass, #name, 0, 0, 0, false, words, summary},
#include "passes/passes.def"
};

struct reader {
  struct diagnostics *diagnostics;
  const struct source *source;
  int at, end;
  struct pipeline *pipeline;
  double *parameters; /* those that an item sets: of the pipeline, or of a rule */
};

static struct span span_of(const struct reader *reader, int begin, int end) {
  return (struct span){reader->source, begin, end > begin ? end : begin + 1};
}

static void skip_space(struct reader *reader) {
  while (reader->at < reader->end && isspace((unsigned char)reader->source->text[reader->at])) reader->at++;
}

static bool take(struct reader *reader, char wanted) {
  skip_space(reader);
  if (reader->at >= reader->end || reader->source->text[reader->at] != wanted) return false;
  reader->at++;
  return true;
}

/* The next word, or NULL. */
static const char *word(struct reader *reader, struct span *span) {
  skip_space(reader);
  int begin = reader->at;
  while (reader->at < reader->end &&
         (isalnum((unsigned char)reader->source->text[reader->at]) || reader->source->text[reader->at] == '_'))
    reader->at++;
  *span = span_of(reader, begin, reader->at);
  if (reader->at == begin) return NULL;
  return arena_copy(reader->diagnostics->arena, reader->source->text + begin, (size_t)(reader->at - begin));
}

static bool fail(struct reader *reader, struct span span, const char *what, const char *name, const char *const *known,
                 int count) {
  const char *near = closest_name(name, known, count);
  if (near) {
    report_error(reader->diagnostics, span, "no %s is called '%s'; did you mean '%s'?", what, name, near);
  } else {
    const char *list = "";
    for (int i = 0; i < count; i++)
      list = arena_format(reader->diagnostics->arena, "%s%s%s", list, i ? ", " : "", known[i]);
    const char *format = count > 1    ? "no %s is called '%s'; there are %s"
                         : count == 1 ? "no %s is called '%s'; there is %s alone"
                                      : "no %s is called '%s'%s";
    report_error(reader->diagnostics, span, format, what, name, list);
  }
  return false;
}

/* The parameters of a pass are neighbours in passes.def: the first of them, and how many. */
static int parameters_of(enum pass pass, int *count) {
  int first = 0;
  *count = 0;
  for (int i = PARAMETER_COUNT - 1; i >= 0; i--)
    if (parameter_facts[i].pass == pass) first = i, ++*count;
  return first;
}

int parameter_words(struct arena *arena, enum pass_parameter parameter, const char *words[MOST_WORDS]) {
  const char *rest = parameter_facts[parameter].words;
  int count = 0;
  for (; rest && *rest && count < MOST_WORDS; rest += strspn(rest, " ")) {
    size_t length = strcspn(rest, " ");
    words[count++] = arena_copy(arena, rest, length);
    rest += length;
  }
  return count;
}

/* "bf16 or f16" */
static const char *words_text(struct arena *arena, const char *const *words, int count) {
  const char *text = words[0];
  for (int i = 1; i < count; i++) text = arena_format(arena, i + 1 < count ? "%s, %s" : "%s or %s", text, words[i]);
  return text;
}

/* One of the parameter's words, with a caret under what is none of them. */
static bool read_word(struct reader *reader, int parameter, const char *text, struct span span) {
  const struct parameter_facts *facts = &parameter_facts[parameter];
  struct arena *arena = reader->diagnostics->arena;
  const char *words[MOST_WORDS], *pass = pass_facts[facts->pass].name;
  int count = parameter_words(arena, (enum pass_parameter)parameter, words);
  for (int i = 0; i < count; i++) {
    if (strcmp(text, words[i])) continue;
    reader->parameters[parameter] = i;
    return true;
  }
  const char *near = closest_name(text, words, count);
  if (near)
    report_error(reader->diagnostics, span, "%s of %s cannot be '%s'; did you mean '%s'?", facts->name, pass, text,
                 near);
  else
    report_error(reader->diagnostics, span, "%s of %s must be %s (%s)", facts->name, pass,
                 words_text(arena, words, count), facts->summary);
  return false;
}

/* The value of a parameter, with a caret under what is no whole number or out of range, or none of its words. */
static bool read_value(struct reader *reader, int parameter) {
  const struct parameter_facts *facts = &parameter_facts[parameter];
  const char *pass = pass_facts[facts->pass].name;
  skip_space(reader);
  int begin = reader->at, end = begin;
  while (end < reader->end && !strchr(",;(){} \t\r\n", reader->source->text[end])) end++;
  const char *text = arena_copy(reader->diagnostics->arena, reader->source->text + begin, (size_t)(end - begin));
  struct span span = span_of(reader, begin, end);
  if (facts->words) {
    if (!read_word(reader, parameter, text, span)) return false;
    reader->at = end;
    return true;
  }
  char *rest;
  double number = strtod(text, &rest);
  if (!*text || *rest || (number != floor(number) && !(facts->is_real && number == number))) {
    report_error(reader->diagnostics, span, "%s of %s must be a %snumber from %g to %.10g (%s)", facts->name, pass,
                 facts->is_real ? "" : "whole ", facts->least, facts->most, facts->summary);
    return false;
  }
  if (number < facts->least || number > facts->most) {
    report_error(reader->diagnostics, span, "%s of %s must be from %g to %.10g (%s)", facts->name, pass, facts->least,
                 facts->most, facts->summary);
    return false;
  }
  reader->parameters[parameter] = number;
  reader->at = end;
  return true;
}

static bool read_parameter(struct reader *reader, enum pass pass, int position, bool *given) {
  int count, first = parameters_of(pass, &count), which = position;
  struct span span;
  skip_space(reader);
  int begin = reader->at;
  const char *name = word(reader, &span);
  bool named = name && take(reader, '=');
  if (!named) reader->at = begin;
  if (named && count) {
    const char *names[PARAMETER_COUNT];
    for (int i = 0; i < count; i++) names[i] = parameter_facts[first + i].name;
    for (which = 0; which < count && strcmp(names[which], name); which++) continue;
    if (which == count)
      return fail(reader, span, arena_format(reader->diagnostics->arena, "parameter of %s", pass_facts[pass].name),
                  name, names, count);
  }
  if (!named) span = span_of(reader, begin, begin + 1);
  if (which >= count) {
    report_error(reader->diagnostics, span, count ? "%s takes %d parameter%s" : "%s takes no parameters",
                 pass_facts[pass].name, count, count == 1 ? "" : "s");
    return false;
  }
  if (given[which]) {
    report_error(reader->diagnostics, span, "%s of %s is given twice", parameter_facts[first + which].name,
                 pass_facts[pass].name);
    return false;
  }
  given[which] = true;
  return read_value(reader, first + which);
}

/* Whether the parameters that a pass now has make sense together. */
static bool check_together(struct reader *reader, enum pass pass, struct span span) {
  const double *parameters = reader->parameters;
  if (pass != PASS_mixed || parameters[PARAMETER_mixed_masters] != 0) return true;
  if (mixed_storages[(int)parameters[PARAMETER_mixed_storage]] == STORAGE_BF16) return true;
  report_error(
      reader->diagnostics, span,
      "weights without masters lie in bf16: f16 has no numbers for small ones; write mixed(bf16, masters = 0), "
      "or mixed(f16)");
  return false;
}

static bool is_usual(enum pass pass) {
  return pass_facts[pass].when == PASS_ALWAYS || pass_facts[pass].when == PASS_USUAL;
}

static void set_usual(struct pipeline *pipeline) {
  pipeline->rules.count = 0;
  for (int i = 0; i < PASS_COUNT; i++) pipeline->on[i] = is_usual((enum pass)i);
  for (int i = 0; i < PARAMETER_COUNT; i++) pipeline->parameters[i] = parameter_facts[i].usual;
}

static void leave_out_rules(struct pipeline *pipeline, enum pass pass) {
  int count = 0;
  for (int i = 0; i < pipeline->rules.count; i++)
    if (pipeline->rules.items[i].pass != pass) pipeline->rules.items[count++] = pipeline->rules.items[i];
  pipeline->rules.count = count;
}

/* A pattern in quotes. */
static bool read_pattern(struct reader *reader, struct pass_rule *rule) {
  skip_space(reader);
  const int begin = reader->at;
  int end = begin + 1;
  while (end < reader->end && reader->source->text[end] != '"' && reader->source->text[end] != '\n') end++;
  const struct span span = span_of(reader, begin, end < reader->end ? end + 1 : end);
  if (end >= reader->end || reader->source->text[end] != '"') {
    report_error(reader->diagnostics, span, "the closing '\"' of this pattern is missing");
    return false;
  }
  if (!rule) {
    report_error(reader->diagnostics, span, "patterns choose weights or caches, and this pass is about neither");
    return false;
  }
  struct arena *arena = reader->diagnostics->arena;
  struct pass_pattern pattern = {arena_copy(arena, reader->source->text + begin + 1, (size_t)(end - begin - 1)), span};
  array_push(arena, &rule->patterns, pattern);
  reader->at = end + 1;
  return true;
}

/* The parameters in the brackets after a pass, the first of which was read. */
static bool read_brackets(struct reader *reader, enum pass pass, struct span span, struct pass_rule *rule) {
  if (take(reader, ')')) return true;
  bool given[PARAMETER_COUNT] = {false};
  for (int position = 0;;) {
    skip_space(reader);
    const bool pattern = reader->at < reader->end && reader->source->text[reader->at] == '"';
    if (pattern ? !read_pattern(reader, rule) : !read_parameter(reader, pass, position++, given)) return false;
    if (take(reader, ')')) return check_together(reader, pass, span_of(reader, span.begin, reader->at));
    if (!take(reader, ',')) {
      report_error(reader->diagnostics, span_of(reader, reader->at, reader->at + 1), "',' or ')' is expected here");
      return false;
    }
  }
}

static bool read_rule(struct reader *reader, enum pass pass, struct span span) {
  struct pass_rule rule = {.pass = pass};
  memcpy(rule.parameters, reader->pipeline->parameters, sizeof rule.parameters);
  reader->parameters = rule.parameters;
  const bool good = !take(reader, '(') || read_brackets(reader, pass, span, &rule);
  rule.span = span_of(reader, span.begin, reader->at);
  array_push(reader->diagnostics->arena, &reader->pipeline->rules, rule);
  return good;
}

static bool read_item(struct reader *reader) {
  bool off = take(reader, '-');
  struct span span;
  const char *name = word(reader, &span);
  if (!name) {
    report_error(reader->diagnostics, span, "a pass is expected here, such as fuse or -plan");
    return false;
  }
  if (!off && !strcmp(name, "default")) {
    set_usual(reader->pipeline);
    return true;
  }
  if (!off && !strcmp(name, "none")) {
    for (int i = 0; i < PASS_COUNT; i++) reader->pipeline->on[i] = pass_facts[i].when == PASS_ALWAYS;
    reader->pipeline->rules.count = 0;
    return true;
  }
  const char *names[PASS_COUNT];
  int pass = PASS_COUNT;
  for (int i = 0; i < PASS_COUNT; i++) {
    names[i] = pass_facts[i].name;
    if (!strcmp(name, names[i])) pass = i;
  }
  if (pass == PASS_COUNT) return fail(reader, span, "pass", name, names, PASS_COUNT);
  if (off && pass_facts[pass].when == PASS_ALWAYS) {
    report_error(reader->diagnostics, span, "%s cannot be left out: every program needs it", name);
    return false;
  }
  reader->pipeline->on[pass] = !off;
  if (off) leave_out_rules(reader->pipeline, (enum pass)pass);
  if (off) return true;
  if (pass_facts[pass].when == PASS_RULES) return read_rule(reader, (enum pass)pass, span);
  reader->parameters = reader->pipeline->parameters;
  return !take(reader, '(') || read_brackets(reader, (enum pass)pass, span, NULL);
}

static bool read_items(struct reader *reader) {
  skip_space(reader);
  while (reader->at < reader->end) {
    if (!read_item(reader)) return false;
    skip_space(reader);
    if (reader->at == reader->end) return true;
    if (reader->source->text[reader->at] != '-' && !take(reader, ',') && !take(reader, ';')) {
      report_error(reader->diagnostics, span_of(reader, reader->at, reader->at + 1), "',' is expected between passes");
      return false;
    }
  }
  return true;
}

bool pipeline_parse(struct program *program, const struct pass_options *options, struct diagnostics *diagnostics,
                    struct pipeline *pipeline) {
  *pipeline = (struct pipeline){0};
  set_usual(pipeline);
  struct reader reader = {.diagnostics = diagnostics, .pipeline = pipeline};
  if (options->pipeline) {
    reader.source = source_from_text(diagnostics->arena, options->pipeline_name ? options->pipeline_name : "--passes",
                                     options->pipeline);
    reader.end = (int)reader.source->length;
    return read_items(&reader);
  }
  bool good = true;
  for (int i = 0; i < program->pipeline.count; i++) {
    const struct setting *setting = &program->pipeline.items[i];
    struct span span = setting->span;
    size_t length = strlen(setting->text);
    bool in_source = span.source && span.begin >= 0 && span.begin + length <= span.source->length &&
                     !strncmp(span.source->text + span.begin, setting->text, length);
    reader.source = in_source ? span.source : source_from_text(diagnostics->arena, "pipeline", setting->text);
    reader.at = in_source ? span.begin : 0;
    reader.end = reader.at + (int)length;
    good = read_items(&reader) && good;
  }
  return good;
}

static bool rule_matches(const struct pass_rule *rule, const char *name, bool usual) {
  if (!rule->patterns.count) return usual;
  for (int i = 0; i < rule->patterns.count; i++)
    if (pattern_matches(rule->patterns.items[i].text, name)) return true;
  return false;
}

const struct pass_rule *pipeline_rule(const struct pipeline *pipeline, enum pass pass, const char *name, bool usual) {
  for (int i = pipeline->rules.count - 1; i >= 0; i--) {
    const struct pass_rule *rule = &pipeline->rules.items[i];
    if (rule->pass == pass && rule_matches(rule, name, usual)) return rule;
  }
  return NULL;
}

bool is_weight(const struct state *state) {
  return state->role == ROLE_PARAMETER && state->kind == KIND_REAL && state->axis_count >= 2;
}

static bool names_a_weight(const struct program *program, const char *pattern) {
  for (int i = 0; i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    if (is_weight(state) && pattern_matches(pattern, state->name)) return true;
  }
  return false;
}

bool pipeline_check_patterns(const struct pipeline *pipeline, enum pass pass, const struct program *program,
                             struct diagnostics *diagnostics) {
  bool good = true;
  for (int i = 0; i < pipeline->rules.count; i++) {
    const struct pass_rule *rule = &pipeline->rules.items[i];
    for (int j = 0; rule->pass == pass && j < rule->patterns.count; j++) {
      const struct pass_pattern *pattern = &rule->patterns.items[j];
      if (names_a_weight(program, pattern->text)) continue;
      report_error(
          diagnostics, pattern->span,
          "no weight is called so: these are the parameters of two or more axes, which the program's verb info lists");
      good = false;
    }
  }
  return good;
}

enum pass_class pipeline_class(const struct pipeline *pipeline) {
  enum pass_class class = PASS_EXACT;
  for (int i = 0; i < PASS_COUNT; i++)
    if (pipeline->on[i] && pass_facts[i].class > class) class = pass_facts[i].class;
  return class;
}

void pipeline_print(FILE *file, const struct pipeline *pipeline) {
  static const char *const classes[] = {
      [PASS_EXACT] = "exact", [PASS_REASSOCIATES] = "reassociates", [PASS_APPROXIMATES] = "approximates"};
  static const char *const whens[] = {
      [PASS_ALWAYS] = "always", [PASS_USUAL] = "usual", [PASS_CHOSEN] = "chosen", [PASS_RULES] = "rules"};
  static const char *const stages[] = {
      [STAGE_LOWERED] = "lowered", [STAGE_DIFFERENTIATED] = "differentiated", [STAGE_FLAT] = "flat"};
  struct arena *arena = arena_new();
  fprintf(file, "%-14s %-7s %-13s %-15s\n", "pass", pipeline ? "here" : "when", "class", "requires");
  for (int i = 0; i < PASS_COUNT; i++) {
    const struct pass_facts *facts = &pass_facts[i];
    const char *when = pipeline ? pipeline->on[i] ? "on" : "off" : whens[facts->when];
    fprintf(file, "%-14s %-7s %-13s %-15s %s\n", facts->name, when, classes[facts->class], stages[facts->requires],
            facts->summary);
    for (int j = 0; j < PARAMETER_COUNT; j++) {
      const struct parameter_facts *parameter = &parameter_facts[j];
      if ((int)parameter->pass != i) continue;
      const double number = pipeline ? pipeline->parameters[j] : parameter->usual;
      const char *words[MOST_WORDS];
      const int count = parameter_words(arena, (enum pass_parameter)j, words);
      if (count)
        fprintf(file, "  %-8s = %-6s %s: %s\n", parameter->name, words[(int)number], words_text(arena, words, count),
                parameter->summary);
      else
        fprintf(file, "  %-8s = %-6g %g to %.10g: %s\n", parameter->name, number, parameter->least, parameter->most,
                parameter->summary);
    }
  }
  for (int i = 0; pipeline && i < pipeline->rules.count; i++) {
    const struct span span = pipeline->rules.items[i].span;
    fprintf(file, "rule: %.*s\n", span.end - span.begin, span.source->text + span.begin);
  }
  arena_free(arena);
}

void pipeline_help(FILE *file) {
  struct arena *arena = arena_new();
  for (int i = 0; i < PASS_COUNT; i++) {
    if (pass_facts[i].when == PASS_ALWAYS) continue;
    fprintf(file, "%c %-14s %s", is_usual((enum pass)i) ? ' ' : '*', pass_facts[i].name, pass_facts[i].summary);
    const char *before = " (";
    for (int j = 0; j < PARAMETER_COUNT; j++) {
      if ((int)parameter_facts[j].pass != i) continue;
      const char *words[MOST_WORDS];
      const int count = parameter_words(arena, (enum pass_parameter)j, words);
      if (count)
        fprintf(file, "%s%s = %s", before, parameter_facts[j].name, words_text(arena, words, count));
      else
        fprintf(file, "%s%s = %g", before, parameter_facts[j].name, parameter_facts[j].usual);
      before = ", ";
    }
    fputs(*before == ',' ? ")\n" : "\n", file);
  }
  arena_free(arena);
}
