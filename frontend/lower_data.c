/* Data: where examples come from, and which of their columns feed the model and the loss. */
#include "frontend/lower.h"

#include <string.h>

/* What the spec's data block says about one column. */
struct description {
  enum feature feature;
  const char *field;
  struct product axes; /* of one example */
  struct axis *range;
  enum kind kind;
  int64_t start, stop;
  bool any_shape; /* a constant takes the shape of the input that it feeds */
  struct span span;
};

static const char *const text_settings[] = {"text", "tokenizer", "split", "corrupt"};
static const char *const csv_settings[] = {"csv", "tokenizer", "split"};
static const char *const synthetic_settings[] = {"examples", "split"};

static const struct {
  const char *name;
  enum feature feature;
} text_columns[] = {
    {"tokens", FEATURE_TOKENS}, {"next", FEATURE_NEXT}, {"weight", FEATURE_WEIGHT}, {"target", FEATURE_TARGET}};

/* The names of the settings that data from that source has. */
static const char *const *settings_of(enum data_source source, int *count) {
  switch (source) {
    case DATA_TEXT:
      return *count = sizeof text_settings / sizeof *text_settings, text_settings;
    case DATA_CSV:
      return *count = sizeof csv_settings / sizeof *csv_settings, csv_settings;
    case DATA_SYNTHETIC:
      return *count = sizeof synthetic_settings / sizeof *synthetic_settings, synthetic_settings;
  }
  return *count = 0, NULL;
}

static bool is_setting(enum data_source source, const char *name) {
  int count;
  const char *const *settings = settings_of(source, &count);
  for (int i = 0; i < count; i++)
    if (!strcmp(settings[i], name)) return true;
  return false;
}

static struct frame *data_frame(struct lowering *lowering) {
  struct frame *frame = frame_new(lowering, lowering->data_file, lowering->data, "", lowering->data->span);
  frame->caller = NULL;
  return frame;
}

/* --- Settings ----------------------------------------------------------------------------------------------------- */

static enum tokenizer read_tokenizer(struct lowering *lowering, enum data_source source) {
  struct span span;
  const char *name = setting_name(lowering, &lowering->data->body, "data", "tokenizer", &span);
  if (!name) return source == DATA_SYNTHETIC ? TOKENIZER_NONE : TOKENIZER_CHAR;
  if (!strcmp(name, "char")) return TOKENIZER_CHAR;
  if (!strcmp(name, "byte")) return TOKENIZER_BYTE;
  fail(lowering, span,
       "there is no tokenizer '%s'; there are char, whose ids are characters, and byte, whose ids are bytes", name);
  return TOKENIZER_NONE;
}

static double read_share(struct lowering *lowering, const char *name, double fallback) {
  struct found_setting found;
  const double share = setting_number(lowering, &lowering->data->body, "data", name, fallback);
  if (find_setting(lowering, &lowering->data->body, "data", name, &found) && !(share >= 0 && share <= 1))
    fail(lowering, found.span, "'%s' must be a share from 0 to 1", name);
  return share;
}

/* Reports a statement that cannot be a column of synthetic data: it has the name of a setting for data from files, or
   its value is a string. */
static bool is_no_column(struct lowering *lowering, const struct ast_statement *statement) {
  const char *name = statement->targets.items[0].text;
  const bool text = statement->expressions.items[0]->kind == AST_STRING;
  if (!text && !is_setting(DATA_TEXT, name)) return false;
  names candidates = {0};
  for (size_t i = 0; i < sizeof text_settings / sizeof *text_settings; i++)
    array_push(lowering->arena, &candidates, text_settings[i]);
  array_push(lowering->arena, &candidates, "csv");
  if (is_setting(DATA_TEXT, name))
    fail(lowering, statement->span, "'%s' is for data from a file: text = \"...\" or csv = \"...\"", name);
  else
    fail(lowering, statement->targets.items[0].span, "data has no setting '%s'%s", name,
         suggestion(lowering, name, &candidates));
  return true;
}

static void synthesize_columns(struct lowering *lowering, struct data_settings *settings) {
  lowering->program->synthesize = begin_graph(lowering, ROUTINE_synthesize);
  lowering->batch = NULL;
  lowering->frame = data_frame(lowering);
  lowering->example_axis = fresh_axis(lowering, "example", settings->examples, NULL, lowering->data->span);
  struct scope *scope = lowering->synthetic = lowering->frame->scope;
  const struct thing index = thing_value(build_index(lowering->graph, lowering->example_axis));
  scope_declare(lowering, scope, "index", index, lowering->data->span);
  for (int i = 0; i < lowering->data->body.count; i++) {
    struct ast_statement *statement = lowering->data->body.items[i];
    if (statement->kind == AST_ASSIGN && is_setting(DATA_SYNTHETIC, statement->targets.items[0].text)) continue;
    if (statement->kind == AST_FOR || statement->kind == AST_PARAM) {
      fail(lowering, statement->span, "data holds settings and columns: name = value");
      continue;
    }
    if (statement->kind == AST_ASSIGN && is_no_column(lowering, statement)) continue;
    lower_block(lowering, &(ast_block){.items = &statement, .count = 1});
  }
  lowering->frame = NULL;
}

void finish_synthesize(struct lowering *lowering) {
  struct program *program = lowering->program;
  if (!program->synthesize || lowering->diagnostics->error_count) return;
  lowering->graph = program->synthesize;
  for (int i = 0; i < program->data->columns.count; i++) {
    const struct column *column = &program->data->columns.items[i];
    struct value *value = scope_find(lowering->synthetic, column->name)->thing.value;
    /* An output holds one example after the other, each with the axes of the input that the column feeds, in its
       order. */
    struct axis *axes[MAX_AXES] = {program->synthesize->values.items[0]->axes[0]};
    value = build_expand(lowering->graph, value, axes, 1);
    for (int j = 0; j < column->axis_count && j + 1 < MAX_AXES; j++) axes[j + 1] = column->axes[j];
    graph_add_ordered_output(lowering->graph, column->name, value, axes);
  }
  finish_graph(lowering);
}

void finish_tokenizer(struct lowering *lowering) {
  struct data_settings *data = lowering->program->data;
  bool texts = data->source == DATA_TEXT;
  for (int i = 0; i < data->columns.count; i++) {
    const enum feature feature = data->columns.items[i].feature;
    texts = texts || feature == FEATURE_TOKENS || feature == FEATURE_PRESENT || feature == FEATURE_WEIGHT;
  }
  if (!texts) data->tokenizer = TOKENIZER_NONE;
}

static void check_columns(struct lowering *lowering);

void read_data_settings(struct lowering *lowering) {
  const ast_block *block = &lowering->data->body;
  struct found_setting found;
  struct data_settings *settings = arena_new_struct(lowering->arena, struct data_settings);
  const bool text = find_setting(lowering, block, "data", "text", &found),
             csv = find_setting(lowering, block, "data", "csv", &found);
  if (text && csv) fail(lowering, found.span, "data comes from a text or from a csv file, not from both");
  lowering->program->data = settings;
  for (int i = 0; i < block->count; i++)
    if (block->items[i]->kind == AST_ASSIGN && block->items[i]->targets.count == 1)
      table_set(lowering->arena, &lowering->data_statements, block->items[i]->targets.items[0].text, block->items[i]);
  settings->name = lowering->data->name.text;
  settings->span = lowering->data->span;
  settings->source = text ? DATA_TEXT : csv ? DATA_CSV : DATA_SYNTHETIC;
  if (text || csv)
    settings->path = setting_path(lowering, lowering->data_file, &lowering->data->body, "data", text ? "text" : "csv",
                                  &settings->path_here);
  settings->tokenizer = read_tokenizer(lowering, settings->source);
  settings->split = read_share(lowering, "split", 1);
  settings->mask = text ? read_share(lowering, "corrupt", 0) : 0;
  settings->examples = setting_integer(lowering, block, "data", "examples", 1000, 1, INT32_MAX);
  if (settings->source == DATA_SYNTHETIC)
    synthesize_columns(lowering, settings);
  else
    check_columns(lowering);
}

/* --- What columns there are --------------------------------------------------------------------------------------- */

static const struct ast_statement *column_statement(struct lowering *lowering, const char *name) {
  return is_setting(lowering->program->data->source, name) ? NULL : table_find(&lowering->data_statements, name);
}

static void supplied_names(struct lowering *lowering, names *into) {
  const struct data_settings *data = lowering->program->data;
  if (data->source == DATA_SYNTHETIC) {
    for (int i = 0; i < lowering->synthetic->symbols.count; i++)
      if (strcmp(lowering->synthetic->symbols.items[i]->name, "index"))
        array_push(lowering->arena, into, lowering->synthetic->symbols.items[i]->name);
    return;
  }
  for (size_t i = 0; data->source == DATA_TEXT && i < sizeof text_columns / sizeof *text_columns; i++)
    if (text_columns[i].feature != FEATURE_TARGET || data->mask > 0)
      array_push(lowering->arena, into, text_columns[i].name);
  for (int i = 0; i < lowering->data->body.count; i++) {
    const struct ast_statement *statement = lowering->data->body.items[i];
    if (statement->kind == AST_ASSIGN && column_statement(lowering, statement->targets.items[0].text) == statement)
      array_push(lowering->arena, into, statement->targets.items[0].text);
  }
}

/* Describes a column that is a constant, which can feed any input: `kinds = 0`, `real = true`. */
static bool describe_constant(struct lowering *lowering, const struct ast_statement *statement,
                              struct description *description) {
  const struct ast_expression *expression = statement->expressions.items[0];
  const bool zero = expression->kind == AST_NUMBER && expression->number == 0;
  const bool yes = expression->kind == AST_PATH && !strcmp(expression->path.text, "true");
  if (zero || yes) {
    description->feature = zero ? FEATURE_ZERO : FEATURE_YES;
    description->kind = zero ? KIND_INTEGER : KIND_BOOLEAN;
    description->any_shape = true;
    return true;
  }
  names candidates = {0};
  for (size_t i = 0; i < sizeof text_settings / sizeof *text_settings; i++)
    array_push(lowering->arena, &candidates, text_settings[i]);
  array_push(lowering->arena, &candidates, "csv");
  const char *name = statement->targets.items[0].text;
  fail(lowering, statement->span, "'%s' is no setting of data, and no column: a column is 0, true%s%s", name,
       lowering->program->data->source == DATA_TEXT
           ? ", tokens, next, weight or target"
           : ", number(\"field\"), category(\"field\"), text(\"field\", axis) or present(\"field\", axis)",
       suggestion(lowering, name, &candidates));
  return false;
}

static bool find_text_feature(struct lowering *lowering, const char *name, enum feature *feature) {
  for (size_t i = 0; i < sizeof text_columns / sizeof *text_columns; i++)
    if (!strcmp(text_columns[i].name, name) &&
        (text_columns[i].feature != FEATURE_TARGET || lowering->program->data->mask > 0)) {
      *feature = text_columns[i].feature;
      return true;
    }
  return false;
}

static bool describe_text(struct lowering *lowering, const char *name, struct description *description, bool *known);

/* The model's input that gets the text's tokens, or NULL; the other columns of a text have its shape. */
static const struct ast_signature *token_input(struct lowering *lowering) {
  for (int i = 0; i < lowering->model->parameters.count; i++) {
    const struct ast_signature *signature = &lowering->model->parameters.items[i].signature;
    const struct ast_statement *statement = column_statement(lowering, signature->name.text);
    const struct ast_expression *expression = statement ? statement->expressions.items[0] : NULL;
    enum feature feature;
    const char *name = expression && expression->kind == AST_PATH ? expression->path.text
                       : statement                                ? ""
                                                                  : signature->name.text;
    if (find_text_feature(lowering, name, &feature) && feature == FEATURE_TOKENS) return signature;
  }
  return NULL;
}

static bool describe_text(struct lowering *lowering, const char *name, struct description *description, bool *known) {
  const struct ast_statement *statement = column_statement(lowering, name);
  const struct ast_expression *expression = statement ? statement->expressions.items[0] : NULL;
  if (statement) description->span = statement->span;
  *known = statement != NULL;
  if (!find_text_feature(lowering,
                         expression && expression->kind == AST_PATH ? expression->path.text
                         : statement                                ? ""
                                                                    : name,
                         &description->feature))
    return statement && describe_constant(lowering, statement, description);
  *known = true;
  description->kind = description->feature == FEATURE_WEIGHT ? KIND_REAL : KIND_INTEGER;
  const struct ast_signature *tokens = token_input(lowering);
  if (!tokens) {
    fail(lowering, lowering->model->name.span,
         "no input of model '%s' takes the text: call one 'tokens', or write 'name = tokens' in the data",
         lowering->model->name.text);
    return false;
  }
  struct frame *frame = lowering->frame;
  lowering->frame = frame_new(lowering, lowering->model_file, NULL, "", (struct span){0});
  bool good = tokens->dims.count == 1 && resolve_product(lowering, &tokens->dims.items[0], &description->axes);
  description->range = tokens->range.text ? resolve_axis(lowering, tokens->range) : NULL;
  lowering->frame = frame;
  if (tokens->dims.count != 1 || !tokens->range.text)
    fail(lowering, tokens->span, "a text feeds an input with one axis and a range: %s[seq] in vocab",
         tokens->name.text);
  good &= description->range != NULL;
  if (description->kind != KIND_INTEGER) description->range = NULL;
  return good;
}

static bool read_id(struct lowering *lowering, const struct ast_expression *call, const char *name, int64_t *id) {
  const struct ast_argument *argument = named(call, name);
  return !argument || !argument->value ||
         evaluate_integer(lowering, argument->value, arena_format(lowering->arena, "'%s'", name), 0, INT32_MAX, id);
}

static bool describe_csv(struct lowering *lowering, const char *name, struct description *description, bool *known) {
  const struct ast_statement *statement = column_statement(lowering, name);
  *known = statement != NULL;
  if (!statement) return false;
  const struct ast_expression *call = statement->expressions.items[0];
  description->span = statement->span;
  static const struct {
    const char *name;
    enum feature feature;
    enum kind kind;
    int least, most;
  } forms[] = {{"number", FEATURE_NUMBER, KIND_REAL, 1, 1},
               {"category", FEATURE_CATEGORY, KIND_INTEGER, 1, 2},
               {"text", FEATURE_TOKENS, KIND_INTEGER, 2, 2},
               {"present", FEATURE_PRESENT, KIND_BOOLEAN, 2, 2}};
  size_t form = 0;
  while (form < sizeof forms / sizeof *forms && (call->kind != AST_CALL || strcmp(call->path.text, forms[form].name)))
    form++;
  if (form == sizeof forms / sizeof *forms) return describe_constant(lowering, statement, description);
  if (!check_arguments(lowering, call, forms[form].least, forms[form].most, "*")) return false;
  for (int i = 0; i < call->arguments.count; i++) {
    const struct ast_argument *argument = &call->arguments.items[i];
    if (!argument->name.parts.count) continue;
    if (forms[form].least == 2 && (!strcmp(argument->name.text, "start") || !strcmp(argument->name.text, "stop")))
      continue;
    fail(lowering, argument->span, "%s has no argument '%s'", call->path.text, argument->name.text);
    return false;
  }
  if (positional(call, 0)->kind != AST_STRING) {
    fail(lowering, positional(call, 0)->span, "the name of a field is a text, as in %s(\"price\")", call->path.text);
    return false;
  }
  description->feature = forms[form].feature;
  description->kind = forms[form].kind;
  description->field = positional(call, 0)->text;
  struct frame *frame = lowering->frame;
  lowering->frame = data_frame(lowering);
  struct axis *axis = positional(call, 1) ? axis_argument(lowering, call, 1) : NULL;
  bool good = !positional(call, 1) || axis;
  good &= read_id(lowering, call, "start", &description->start) && read_id(lowering, call, "stop", &description->stop);
  lowering->frame = frame;
  if (description->feature == FEATURE_CATEGORY)
    description->range = axis;
  else if (axis)
    description->axes = (struct product){.factors = {axis}, .count = 1};
  return good;
}

/* Reports statements of the data block that are neither settings nor columns, whether they are used or not. */
static void check_columns(struct lowering *lowering) {
  const ast_block *block = &lowering->data->body;
  struct table seen = {0};
  for (int i = 0; i < block->count; i++) {
    struct ast_statement *statement = block->items[i];
    if (statement->kind != AST_ASSIGN || statement->targets.count != 1 || statement->expressions.count != 1) {
      fail(lowering, statement->span, "data holds settings and columns: name = value");
      continue;
    }
    const char *name = statement->targets.items[0].text;
    check_set_once(lowering, &seen, statement);
    if (is_setting(lowering->program->data->source, name)) continue;
    struct description description = {.start = -1, .stop = -1};
    const struct ast_expression *expression = statement->expressions.items[0];
    enum feature feature;
    bool known;
    if (lowering->program->data->source == DATA_CSV)
      describe_csv(lowering, name, &description, &known);
    else if (expression->kind != AST_PATH || !find_text_feature(lowering, expression->path.text, &feature))
      describe_constant(lowering, statement, &description);
  }
}

static bool describe_synthetic(struct lowering *lowering, const char *name, struct description *description,
                               bool *known) {
  const struct symbol *symbol = strcmp(name, "index") ? scope_find(lowering->synthetic, name) : NULL;
  *known = symbol != NULL;
  if (!symbol || symbol->thing.kind == THING_POISON) return false;
  struct thing *thing = &scope_find(lowering->synthetic, name)->thing;
  if (thing->kind != THING_VALUE) {
    struct graph *graph = lowering->graph;
    lowering->graph = lowering->program->synthesize;
    *thing = thing_value(as_value(lowering, *thing, symbol->span));
    lowering->graph = graph;
    if (thing->kind != THING_VALUE) return false;
  }
  const struct value *value = thing->value;
  const struct axis *example = lowering->program->synthesize->values.items[0]->axes[0];
  description->feature = FEATURE_SYNTHETIC;
  description->kind = value->kind;
  description->range = value->range == example ? NULL : value->range;
  description->span = symbol->span;
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] != example) description->axes.factors[description->axes.count++] = value->axes[i];
  return true;
}

static bool describe_any(struct lowering *lowering, const char *name, struct description *description, bool *known) {
  switch (lowering->program->data->source) {
    case DATA_TEXT:
      return describe_text(lowering, name, description, known);
    case DATA_CSV:
      return describe_csv(lowering, name, description, known);
    case DATA_SYNTHETIC:
      return describe_synthetic(lowering, name, description, known);
  }
  return false;
}

/* Describes a column. False when there is none of this name (`known` is false), or when it was refused with an error
   (`known` is true). */
static bool describe(struct lowering *lowering, const char *name, struct description *description, bool *known) {
  *description = (struct description){.start = -1, .stop = -1, .span = lowering->data->span};
  if (!describe_any(lowering, name, description, known)) return false;
  for (int i = 0; i < description->axes.count; i++)
    if (description->axes.factors[i] == lowering->batch)
      return *known = true,
             refuse(lowering, description->span, "column '%s' has the axis 'batch' twice (every column has it)", name);
  return true;
}

/* --- Columns in use ----------------------------------------------------------------------------------------------- */

static void use_column(struct lowering *lowering, const char *name, const struct description *description,
                       const struct value *input) {
  struct data_settings *data = lowering->program->data;
  for (int i = 0; i < data->columns.count; i++)
    if (!strcmp(data->columns.items[i].name, name)) return;
  struct column column = {.name = name,
                          .feature = description->feature,
                          .field = description->field,
                          .kind = input->kind,
                          .length = 1,
                          .range = input->range ? input->range->extent : 0,
                          .start = description->start,
                          .stop = description->stop,
                          .span = description->span};
  column.axes = arena_new_array(lowering->arena, struct axis *, input->axis_count);
  for (int i = 0; i < input->axis_count; i++) {
    if (input->axes[i] == lowering->batch) continue;
    column.length *= input->axes[i]->extent;
    column.axes[column.axis_count++] = input->axes[i];
  }
  if (column.feature == FEATURE_PRESENT && column.kind == KIND_REAL) column.feature = FEATURE_WEIGHT;
  array_push(lowering->arena, &data->columns, column);
}

static const char *list_names(struct lowering *lowering, const names *list) {
  enum { LISTED = 20 };
  const char *text = "";
  for (int i = 0; i < list->count && i < LISTED; i++)
    text = arena_format(lowering->arena, "%s%s%s", text, i ? ", " : "", list->items[i]);
  if (list->count > LISTED) text = arena_format(lowering->arena, "%s and %d more", text, list->count - LISTED);
  return list->count ? text : "nothing";
}

const char *supplied_text(struct lowering *lowering) {
  names supplied = {0};
  supplied_names(lowering, &supplied);
  return arena_format(lowering->arena, "data '%s' supplies %s%s", lowering->data->name.text,
                      list_names(lowering, &supplied),
                      lowering->program->data->source == DATA_TEXT && !(lowering->program->data->mask > 0)
                          ? " (and target, with corrupt = 0.15)"
                          : "");
}

void feed_model_input(struct lowering *lowering, const struct ast_signature *signature, const struct value *input) {
  struct description description;
  bool known = false;
  const char *name = signature->name.text;
  if (!input) return;
  if (!describe(lowering, name, &description, &known)) {
    if (known) return;
    fail(lowering, signature->name.span, "nothing feeds the model's input '%s': %s", name, supplied_text(lowering));
    report_note(lowering->diagnostics, lowering->data->name.span, "the data is declared here");
    return;
  }
  const bool weight = description.feature == FEATURE_PRESENT && input->kind == KIND_REAL;
  if (description.kind != input->kind && !weight) {
    fail(lowering, description.span, "column '%s' is %s, and the model's input is %s", name,
         kind_names[description.kind], kind_names[input->kind]);
    report_note(lowering->diagnostics, signature->span, "the input is declared here");
    return;
  }
  bool same = description.any_shape || description.axes.count == input->axis_count - 1;
  for (int i = 0; same && !description.any_shape && i < description.axes.count; i++)
    same = value_has_axis(input, description.axes.factors[i]);
  if (!same) {
    fail(lowering, description.span, "column '%s' has axes %s for an example, and the model's input has %s", name,
         list_text(lowering, description.axes.factors, description.axes.count), shape_text(lowering, input));
    report_note(lowering->diagnostics, signature->span, "the input is declared here");
    return;
  }
  if (description.range && input->range && description.range->extent != input->range->extent) {
    fail(lowering, description.span, "column '%s' is in %s=%lld, and the model's input in %s=%lld", name,
         description.range->name, (long long)description.range->extent, input->range->name,
         (long long)input->range->extent);
    return;
  }
  use_column(lowering, name, &description, input);
}

/* The range of ids in a CSV file's texts: the one that the model declares for an input made of such a text. */
static struct axis *text_range(struct lowering *lowering) {
  for (int i = 0; i < lowering->inputs.count; i++) {
    struct description description;
    bool known;
    const struct value *input = lowering->inputs.items[i];
    if (!input || !input->range) continue;
    if (describe_csv(lowering, lowering->model->parameters.items[i].signature.name.text, &description, &known) &&
        description.feature == FEATURE_TOKENS)
      return input->range;
  }
  return NULL;
}

bool data_column(struct lowering *lowering, const char *name, struct span span, struct thing *thing) {
  struct description description;
  bool known = false;
  const bool described = describe(lowering, name, &description, &known);
  if (!described) {
    *thing = poison();
    return known;
  }
  for (int i = 0; i < lowering->inputs.count; i++)
    if (!strcmp(lowering->model->parameters.items[i].signature.name.text, name)) {
      *thing = thing_value(lowering->inputs.items[i]);
      return true;
    }
  const char *key = arena_format(lowering->arena, "column %s", name);
  struct value *input = table_find(&lowering->counters, key);
  if (!input) {
    struct axis *axes[MAX_AXES] = {lowering->batch};
    int count = 1;
    for (int i = 0; i < description.axes.count && count < MAX_AXES; i++) axes[count++] = description.axes.factors[i];
    if (lowering->program->data->source == DATA_CSV && description.feature == FEATURE_TOKENS)
      description.range = text_range(lowering);
    set_origin(lowering, span);
    input = made(lowering, build_input(lowering->graph, name, description.kind, description.range, axes, count), span)
                .value;
    if (!input) {
      *thing = poison();
      return true;
    }
    table_set(lowering->arena, &lowering->counters, key, input);
    use_column(lowering, name, &description, input);
  }
  *thing = thing_value(input);
  return true;
}

void check_unread_columns(struct lowering *lowering) {
  const struct data_settings *data = lowering->program->data;
  int count;
  const char *const *settings = settings_of(data->source, &count);
  for (int i = 0; i < lowering->data->body.count; i++) {
    const struct ast_statement *statement = lowering->data->body.items[i];
    if (statement->kind != AST_ASSIGN || statement->targets.count != 1) continue;
    const struct ast_path *target = &statement->targets.items[0];
    bool read = is_setting(data->source, target->text);
    for (int k = 0; !read && k < data->columns.count; k++) read = !strcmp(data->columns.items[k].name, target->text);
    const char *meant = read ? NULL : closest_name(target->text, settings, count);
    if (meant)
      fail(lowering, target->span,
           "nothing reads the column '%s', and data has no setting of that name; did you mean '%s'?", target->text,
           meant);
  }
}
