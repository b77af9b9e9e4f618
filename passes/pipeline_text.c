/* Reading the text of a pipeline. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pipeline.h"

const struct pass_facts pass_facts[PASS_COUNT] = {
#define PASS(name, when, class, requires, breaks, parameters, summary) \
  [PASS_##name] = {#name, PASS_##when, PASS_##class, STAGE_##requires, breaks, parameters, summary},
#include "passes/passes.def"
#undef PASS
};

struct reader {
  struct diagnostics *diagnostics;
  const struct source *source;
  int at, end;
  struct pipeline *pipeline;
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
  while (reader->at < reader->end && (isalnum((unsigned char)reader->source->text[reader->at]) || reader->source->text[reader->at] == '_'))
    reader->at++;
  *span = span_of(reader, begin, reader->at);
  if (reader->at == begin) return NULL;
  return arena_copy(reader->diagnostics->arena, reader->source->text + begin, (size_t)(reader->at - begin));
}

static bool fail(struct reader *reader, struct span span, const char *what, const char *name, const char *const *known, int count) {
  const char *near = closest_name(name, known, count);
  if (near) {
    report_error(reader->diagnostics, span, "unknown %s '%s'; did you mean '%s'?", what, name, near);
  } else {
    const char *list = "";
    for (int i = 0; i < count; i++) list = arena_format(reader->diagnostics->arena, "%s%s%s", list, i ? ", " : "", known[i]);
    report_error(reader->diagnostics, span, count ? "unknown %s '%s'; there are %s" : "unknown %s '%s'%s", what, name, list);
  }
  return false;
}

/* The names of a row's parameters; returns their number. */
static int parameter_names(struct arena *arena, enum pass pass, const char **names) {
  int count = 0;
  for (const char *at = pass_facts[pass].parameters; *at;) {
    size_t length = strcspn(at, " ");
    if (count == MAX_PASS_PARAMETERS) bug("pass %s has too many parameters", pass_facts[pass].name);
    names[count++] = arena_copy(arena, at, length);
    at += length + (at[length] == ' ');
  }
  return count;
}

static bool read_parameter(struct reader *reader, enum pass pass, int position) {
  const char *names[MAX_PASS_PARAMETERS];
  int count = parameter_names(reader->diagnostics->arena, pass, names), which = position;
  struct span span;
  int begin = reader->at;
  const char *name = word(reader, &span);
  if (name && take(reader, '=')) {
    for (which = 0; which < count && strcmp(names[which], name); which++) continue;
    if (which == count) {
      if (!count) report_error(reader->diagnostics, span, "%s takes no parameters", pass_facts[pass].name);
      else fail(reader, span, arena_format(reader->diagnostics->arena, "parameter of %s", pass_facts[pass].name), name, names, count);
      return false;
    }
  } else {
    reader->at = begin;
  }
  skip_space(reader);
  char *end;
  const char *text = reader->source->text + reader->at;
  double number = strtod(text, &end);
  span = span_of(reader, reader->at, reader->at + (int)(end - text));
  if (end == text || reader->at + (end - text) > reader->end) {
    report_error(reader->diagnostics, span, "a parameter of %s is a number", pass_facts[pass].name);
    return false;
  }
  if (which >= count) {
    report_error(reader->diagnostics, span, count ? "%s takes %d parameter%s" : "%s takes no parameters", pass_facts[pass].name,
                 count, count == 1 ? "" : "s");
    return false;
  }
  if (!isnan(reader->pipeline->parameters[pass][which])) {
    report_error(reader->diagnostics, span, "%s of %s is given twice", names[which], pass_facts[pass].name);
    return false;
  }
  if (!(number >= 0) || isinf(number)) {
    report_error(reader->diagnostics, span, "%s of %s must be a number from 0 on", names[which], pass_facts[pass].name);
    return false;
  }
  reader->pipeline->parameters[pass][which] = number;
  reader->at += (int)(end - text);
  return true;
}

static void turn_on_default(struct pipeline *pipeline) { pipeline->on[PASS_fuse] = true; }

static bool read_item(struct reader *reader) {
  bool off = take(reader, '-');
  struct span span;
  const char *name = word(reader, &span);
  if (!name) {
    report_error(reader->diagnostics, span, "a pass is expected here, such as fuse or -plan");
    return false;
  }
  if (!off && !strcmp(name, "default")) {
    turn_on_default(reader->pipeline);
    return true;
  }
  if (!off && !strcmp(name, "none")) {
    for (int i = 0; i < PASS_COUNT; i++) reader->pipeline->on[i] = pass_facts[i].when == PASS_ALWAYS;
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
    report_error(reader->diagnostics, span, "%s cannot be left out: it is part of every pipeline", name);
    return false;
  }
  reader->pipeline->on[pass] = !off;
  if (off || !take(reader, '(')) return true;
  if (take(reader, ')')) return true;
  for (int i = 0;; i++) {
    if (!read_parameter(reader, (enum pass)pass, i)) return false;
    if (take(reader, ')')) return true;
    if (!take(reader, ',')) {
      report_error(reader->diagnostics, span_of(reader, reader->at, reader->at + 1), "',' or ')' is expected here");
      return false;
    }
  }
}

static bool read_items(struct reader *reader) {
  skip_space(reader);
  while (reader->at < reader->end) {
    if (!read_item(reader)) return false;
    skip_space(reader);
    if (reader->at == reader->end) return true;
    if (!take(reader, ',') && !take(reader, ';')) {
      report_error(reader->diagnostics, span_of(reader, reader->at, reader->at + 1), "',' is expected between passes");
      return false;
    }
  }
  return true;
}

bool pipeline_parse(struct program *program, const struct pass_options *options, struct diagnostics *diagnostics,
                    struct pipeline *pipeline) {
  for (int i = 0; i < PASS_COUNT; i++) {
    pipeline->on[i] = pass_facts[i].when != PASS_CHOSEN;
    for (int j = 0; j < MAX_PASS_PARAMETERS; j++) pipeline->parameters[i][j] = NAN;
  }
  struct reader reader = {.diagnostics = diagnostics, .pipeline = pipeline};
  if (options->pipeline) {
    reader.source = source_from_text(diagnostics->arena, "--passes", options->pipeline);
    reader.end = (int)reader.source->length;
    return read_items(&reader);
  }
  if (!program->pipeline.count) turn_on_default(pipeline);
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

enum pass_class pipeline_class(const struct pipeline *pipeline) {
  enum pass_class class = PASS_EXACT;
  for (int i = 0; i < PASS_COUNT; i++)
    if (pipeline->on[i] && pass_facts[i].class > class) class = pass_facts[i].class;
  return class;
}
