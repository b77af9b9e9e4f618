/* Settings of train, data, calibrate and generate blocks, and the -D that replace them. */
#include "frontend/lower.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* --- -D name=value ------------------------------------------------------------------------------------------------ */

void read_overrides(struct lowering *lowering) {
  for (int i = 0; i < lowering->options->define_count; i++) {
    const struct define *define = &lowering->options->defines[i];
    struct override override = {.define = define,
                                .span = {.source = define->source, .begin = 0, .end = (int)define->source->length}};
    array_push(lowering->arena, &lowering->overrides, override);
    const bool of_optimizer = !strncmp(define->name, "optimizer.", strlen("optimizer."));
    if (of_optimizer) array_push(lowering->arena, &lowering->optimizer_overrides, i);
    int *last = arena_new_struct(lowering->arena, int);
    *last = i;
    table_set(lowering->arena, &lowering->override_names, define->name, last);
  }
  /* Of several overrides of one name the last counts. */
  for (int i = 0; i < lowering->overrides.count; i++)
    lowering->overrides.items[i].hidden =
        *(int *)table_find(&lowering->override_names, lowering->overrides.items[i].define->name) != i;
}

struct override *find_override(struct lowering *lowering, const char *name) {
  const int *last = table_find(&lowering->override_names, name);
  if (!last) return NULL;
  lowering->overrides.items[*last].used = true;
  return &lowering->overrides.items[*last];
}

/* The value is parsed at its place in the argument, so that spans point into the text as it was typed. */
const struct ast_expression *override_expression(struct lowering *lowering, struct override *override) {
  if (override->parsed) return override->expression;
  override->parsed = true;
  const struct define *define = override->define;
  const int before = lowering->diagnostics->error_count;
  override->expression =
      parse_expression_at(lowering->arena, define->source, define->value_begin, lowering->diagnostics);
  if (!override->expression && lowering->diagnostics->error_count == before)
    fail(lowering, override->span, "a value is missing after '='");
  return override->expression;
}

static bool known_axis_name(struct lowering *lowering, const char *name) {
  for (int i = 0; i < lowering->files.count; i++)
    if (table_find(&lowering->files.items[i]->axis_names, name)) return true;
  return false;
}

void report_unused_overrides(struct lowering *lowering) {
  const bool failed = lowering->diagnostics->error_count > 0;
  for (int i = 0; i < lowering->overrides.count; i++) {
    const struct override *override = &lowering->overrides.items[i];
    const char *name = override->define->name;
    if (override->used || override->hidden || known_axis_name(lowering, name)) continue;
    if (failed && strchr(name, '.')) continue; /* without the errors it might have been used */
    names candidates = {0};
    const bool shown = lowering->diagnostics->error_count < lowering->diagnostics->limit;
    for (int j = 0; shown && j < lowering->files.count; j++)
      for (int k = 0; k < lowering->files.items[j]->axes.count; k++)
        array_push(lowering->arena, &candidates, lowering->files.items[j]->axes.items[k]->declaration->name.text);
    for (int j = 0; shown && j < lowering->repeat_paths.count; j++)
      array_push(lowering->arena, &candidates,
                 arena_format(lowering->arena, "repeat.%s", lowering->repeat_paths.items[j]));
    static const char *const settings[] = {"batch",          "train.batch",      "train.steps",
                                           "train.epochs",   "train.accumulate", "train.clip",
                                           "train.eval",     "train.checkpoint", "train.log",
                                           "train.seed",     "train.shuffle",    "train.init",
                                           "train.average",  "train.loss",       "train.optimizer",
                                           "data.text",      "data.csv",         "data.split",
                                           "data.tokenizer", "data.examples",    "calibrate.examples",
                                           "data.corrupt",   "generate.batch",   "generate.start",
                                           "generate.stop",  "optimizer.lr",     "optimizer.decay"};
    for (size_t j = 0; j < sizeof settings / sizeof *settings; j++)
      array_push(lowering->arena, &candidates, settings[j]);
    bool setting = false;
    for (size_t j = 0; j < sizeof settings / sizeof *settings; j++) setting |= !strcmp(settings[j], name);
    if (setting)
      fail(lowering, override->span,
           "'%s' has nothing to act on: the program has no such block, or takes another kind of data", name);
    else
      fail(lowering, override->span, "nothing in this spec is called '%s'%s", name,
           suggestion(lowering, name, &candidates));
  }
}

/* --- Settings of blocks ------------------------------------------------------------------------------------------- */

static const struct ast_statement *last_assignment(const ast_block *block, const char *name) {
  const struct ast_statement *found = NULL;
  for (int i = 0; block && i < block->count; i++) {
    const struct ast_statement *statement = block->items[i];
    if (statement->kind == AST_ASSIGN && statement->targets.count == 1 &&
        !strcmp(statement->targets.items[0].text, name))
      found = statement;
  }
  return found;
}

bool find_setting(struct lowering *lowering, const ast_block *block, const char *prefix, const char *name,
                  struct found_setting *found) {
  struct override *override = find_override(lowering, arena_format(lowering->arena, "%s.%s", prefix, name));
  if (override) {
    *found = (struct found_setting){.text = override->define->source->text + override->define->value_begin,
                                    .span = override->span};
    return true;
  }
  const struct ast_statement *statement = last_assignment(block, name);
  if (!statement) return false;
  *found = (struct found_setting){
      .statement = statement, .expression = statement->expressions.items[0], .span = statement->span};
  return true;
}

static const struct ast_expression *setting_expression(struct lowering *lowering, const char *prefix, const char *name,
                                                       struct found_setting *found) {
  if (found->statement) {
    if (found->statement->expressions.count == 1) return found->expression;
    fail(lowering, found->span, "'%s' takes one value", name);
    return NULL;
  }
  return override_expression(lowering, find_override(lowering, arena_format(lowering->arena, "%s.%s", prefix, name)));
}

void check_set_once(struct lowering *lowering, struct table *seen, struct ast_statement *statement) {
  const struct ast_path *target = &statement->targets.items[0];
  const struct ast_statement *before = table_find(seen, target->text);
  if (!before) {
    table_set(lowering->arena, seen, target->text, statement);
  } else if (!lowering->exhausted) {
    fail(lowering, target->span, "'%s' is set twice", target->text);
    report_note(lowering->diagnostics, before->span, "it is first set here");
  }
}

enum { MOST_PATTERNS = 4096 };

void check_settings(struct lowering *lowering, const ast_block *block, const char *prefix, const char *const *known,
                    int known_count) {
  names candidates = {0};
  struct table seen = {0};
  int patterns = 0;
  for (int i = 0; i < known_count; i++) array_push(lowering->arena, &candidates, known[i]);
  for (int i = 0; i < block->count; i++) {
    struct ast_statement *statement = block->items[i];
    /* every pattern is compared with every parameter */
    if (statement->kind == AST_FOR && (patterns += statement->patterns.count) > MOST_PATTERNS) {
      fail(lowering, statement->span, "the blocks 'for' have more than %d patterns", MOST_PATTERNS);
      lowering->exhausted = true;
      return;
    }
    if (statement->kind == AST_FOR) continue; /* train checks these itself */
    if (statement->kind != AST_ASSIGN || statement->targets.count != 1) {
      fail(lowering, statement->span, "a %s block holds settings: name = value", prefix);
      continue;
    }
    const struct ast_path *target = &statement->targets.items[0];
    bool found = false;
    const char *all = "";
    for (int j = 0; j < known_count; j++) found |= !strcmp(known[j], target->text);
    if (!found) {
      const char *hint = suggestion(lowering, target->text, &candidates);
      for (int j = 0; !*hint && j < known_count; j++)
        all = arena_format(lowering->arena, "%s%s%s", all, *all ? ", " : "; it has ", known[j]);
      fail(lowering, target->span, "%s has no setting '%s'%s", prefix, target->text, *hint ? hint : all);
    }
    check_set_once(lowering, &seen, statement);
  }
}

/* The argument of `wrapper` where the expression is a call of it: 250 in every(250). */
static const struct ast_expression *inside(const struct ast_expression *expression, const char *wrapper) {
  if (expression && expression->kind == AST_CALL && !strcmp(expression->path.text, wrapper) &&
      positional_count(expression) == 1)
    return positional(expression, 0);
  return expression;
}

int64_t setting_integer(struct lowering *lowering, const ast_block *block, const char *prefix, const char *name,
                        int64_t fallback, int64_t low, int64_t high) {
  struct found_setting found;
  int64_t number = fallback;
  if (!find_setting(lowering, block, prefix, name, &found)) return fallback;
  const struct ast_expression *expression = inside(setting_expression(lowering, prefix, name, &found), "every");
  if (expression)
    evaluate_integer(lowering, expression, arena_format(lowering->arena, "'%s'", name), low, high, &number);
  return number;
}

double setting_number(struct lowering *lowering, const ast_block *block, const char *prefix, const char *name,
                      double fallback) {
  struct found_setting found;
  double number = fallback;
  if (!find_setting(lowering, block, prefix, name, &found)) return fallback;
  const struct ast_expression *expression = inside(setting_expression(lowering, prefix, name, &found), "ema");
  if (expression) evaluate_number(lowering, expression, arena_format(lowering->arena, "'%s'", name), &number);
  return number;
}

const char *setting_string(struct lowering *lowering, const ast_block *block, const char *prefix, const char *name) {
  struct found_setting found;
  if (!find_setting(lowering, block, prefix, name, &found)) return NULL;
  if (!found.statement) {
    const size_t length = strlen(found.text);
    const bool quoted = length >= 2 && found.text[0] == '"' && found.text[length - 1] == '"';
    return quoted ? arena_copy(lowering->arena, found.text + 1, length - 2) : found.text;
  }
  if (found.expression->kind == AST_STRING && found.statement->expressions.count == 1) return found.expression->text;
  fail(lowering, found.span, "'%s' must be a text, as in %s = \"...\"", name, name);
  return NULL;
}

const char *setting_path(struct lowering *lowering, const struct file *file, const ast_block *block, const char *prefix,
                         const char *name, bool *here) {
  struct found_setting found;
  const char *path = setting_string(lowering, block, prefix, name);
  if (!path || !find_setting(lowering, block, prefix, name, &found)) return NULL;
  if (!*path) fail(lowering, found.span, "the name of the file is empty");
  const char *folder = found.statement ? (file->way ? file->way : file->folder) : "";
  *here = !found.statement || !file->way;
  return *path == '/' || !*folder ? path : arena_format(lowering->arena, "%s/%s", folder, path);
}

const char *setting_name(struct lowering *lowering, const ast_block *block, const char *prefix, const char *name,
                         struct span *span) {
  struct found_setting found;
  if (!find_setting(lowering, block, prefix, name, &found)) return NULL;
  *span = found.span;
  if (!found.statement) return found.text;
  const struct ast_expression *expression = found.expression;
  if (expression->kind == AST_PATH || expression->kind == AST_CALL) return expression->path.text;
  if (expression->kind == AST_STRING) return expression->text;
  fail(lowering, found.span, "'%s' must be a name", name);
  return NULL;
}
