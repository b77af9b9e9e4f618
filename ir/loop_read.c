/* Reads functions in the text that loop_print.c writes. Nothing is folded: what is read is what was printed. */
#include "ir/loop_text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 200, LONGEST_NAME = 200 };

enum token { TOKEN_END, TOKEN_NAME, TOKEN_NUMBER, TOKEN_STRING, TOKEN_SIGN };

struct named {
  const char *name;
  struct variable *variable; /* or */
  struct array *array;
};

struct reader {
  struct arena *arena;
  const struct source *source;
  struct diagnostics *diagnostics;
  struct module *module;
  size_t position;
  jmp_buf failure; /* the first error ends the reading */
  int depth;

  enum token token;
  int begin, end;
  const char *text; /* of a name, a sign, or a string without its quotes */
  double number;
  enum type number_type;
  ARRAY(struct named) scope;
};

static _Noreturn void fail(struct reader *reader, const char *message) {
  struct span span = {reader->source, reader->begin, reader->end > reader->begin ? reader->end : reader->begin + 1};
  report_error(reader->diagnostics, span, "%s", message);
  longjmp(reader->failure, 1);
}

/* --- Tokens ----------------------------------------------------------------------------------------------------------------- */

static void read_string(struct reader *reader) {
  const char *at = reader->source->text + reader->position + 1;
  char *text = arena_alloc(reader->arena, strcspn(at, "\n") + 1), *to = text;
  for (; *at != '"'; at++) {
    if (!*at || *at == '\n') fail(reader, "this string has no end");
    if (*at == '\\' && at[1])
      at++, *to++ = *at == 'n' ? '\n' : *at;
    else
      *to++ = *at;
  }
  *to = 0;
  reader->token = TOKEN_STRING;
  reader->text = text;
  reader->position = (size_t)(at + 1 - reader->source->text);
}

static void read_number(struct reader *reader) {
  const char *text = reader->source->text + reader->position;
  char *end;
  reader->token = TOKEN_NUMBER;
  reader->number = strtod(text, &end);
  reader->number_type = TYPE_INDEX;
  for (const char *at = text; at < end; at++)
    if (strchr(".eExXpPn", *at)) reader->number_type = TYPE_REAL;
  if (reader->number_type == TYPE_INDEX && fabs(reader->number) > 9007199254740992.0)
    fail(reader, "this number is too large");
  if (*end == 'i') end++, reader->number_type = TYPE_INTEGER;
  if (isalnum((unsigned char)*end) || *end == '_') fail(reader, "this is no number");
  reader->position = (size_t)(end - reader->source->text);
}

static void next(struct reader *reader) {
  const char *text = reader->source->text;
  size_t length = reader->source->length;
  for (;;) {
    while (reader->position < length && isspace((unsigned char)text[reader->position])) reader->position++;
    if (reader->position >= length || text[reader->position] != '#') break;
    while (reader->position < length && text[reader->position] != '\n') reader->position++;
  }
  size_t start = reader->position;
  reader->begin = reader->end = (int)start;
  reader->text = "";
  if (start >= length) {
    reader->token = TOKEN_END;
    return;
  }
  unsigned char c = (unsigned char)text[start];
  if (c == '"') {
    read_string(reader);
  } else if (isdigit(c)) {
    read_number(reader);
  } else if (isalpha(c) || c == '_') {
    size_t end = start;
    while (end < length && (isalnum((unsigned char)text[end]) || text[end] == '_' || text[end] == '.')) end++;
    if (end - start > LONGEST_NAME) fail(reader, "this name is too long");
    reader->token = TOKEN_NAME;
    reader->text = arena_copy(reader->arena, text + start, end - start);
    reader->position = end;
  } else {
    static const char *const signs[] = {"<=", "==", "!=", "//", "(", ")", "[", "]", "{", "}",
                                        ",",  "=",  "<",  "+",  "-", "*", "/", "%", "&", NULL};
    int i = 0;
    while (signs[i] && strncmp(text + start, signs[i], strlen(signs[i])) != 0) i++;
    reader->end = (int)start + 1;
    if (!signs[i]) fail(reader, "this character means nothing here");
    reader->token = TOKEN_SIGN;
    reader->text = signs[i];
    reader->position = start + strlen(signs[i]);
  }
  reader->end = (int)reader->position;
}

static bool at_sign(const struct reader *reader, const char *sign) {
  return reader->token == TOKEN_SIGN && !strcmp(reader->text, sign);
}

static bool at_word(const struct reader *reader, const char *word) {
  return reader->token == TOKEN_NAME && !strcmp(reader->text, word);
}

static bool accept(struct reader *reader, const char *text) {
  if (!at_sign(reader, text) && !at_word(reader, text)) return false;
  next(reader);
  return true;
}

static void expect(struct reader *reader, const char *text) {
  if (!accept(reader, text)) fail(reader, arena_format(reader->arena, "expected '%s'", text));
}

static const char *expect_name(struct reader *reader) {
  if (reader->token != TOKEN_NAME) fail(reader, "expected a name");
  const char *name = reader->text;
  if (strchr(name, '.')) fail(reader, "a name has no dots");
  next(reader);
  return name;
}

static int64_t expect_integer(struct reader *reader) {
  if (reader->token != TOKEN_NUMBER || reader->number_type != TYPE_INDEX) fail(reader, "expected a whole number");
  int64_t number = (int64_t)reader->number;
  next(reader);
  return number;
}

static int find_word(const char *word, const char *const *words, int count) {
  for (int i = 0; i < count; i++)
    if (!strcmp(word, words[i])) return i;
  return -1;
}

/* What stands before a name: a type, or a storage narrower than that of its type. */
struct element {
  enum type type;
  enum storage storage;
  bool is_narrow;
};

static struct element expect_element(struct reader *reader) {
  const char *word = reader->token == TOKEN_NAME ? reader->text : "";
  const int type = find_word(word, type_names, TYPE_INDEX + 1), storage = find_word(word, storage_names, STORAGE_COUNT);
  struct element element = {.is_narrow = type < 0};
  if (type >= 0) {
    element.type = (enum type)type;
    if (element.type != TYPE_INDEX) element.storage = storage_of_type(element.type);
  } else if (storage >= 0 && storage_facts[storage].c) {
    element.storage = (enum storage)storage;
    element.type = type_of_kind(storage_kind(element.storage));
  } else {
    fail(reader, "expected real, integer, boolean, index, or how elements are stored, such as bf16");
  }
  next(reader);
  return element;
}

/* --- Names ------------------------------------------------------------------------------------------------------------------ */

static const struct named *find(struct reader *reader, const char *name) {
  for (int i = reader->scope.count; i-- > 0;)
    if (!strcmp(reader->scope.items[i].name, name)) return &reader->scope.items[i];
  return NULL;
}

static struct array *find_array(struct reader *reader, const char *name) {
  const struct named *named = find(reader, name);
  if (!named || !named->array) fail(reader, arena_format(reader->arena, "'%s' is no array in scope", name));
  return named->array;
}

static struct variable *declare_variable(struct reader *reader, const char *name, enum type type) {
  if (find(reader, name)) fail(reader, arena_format(reader->arena, "'%s' is declared already", name));
  struct variable *variable = arena_new_struct(reader->arena, struct variable);
  variable->name = variable->base = name;
  variable->type = type;
  array_push(reader->arena, &reader->scope, (struct named){.name = name, .variable = variable});
  return variable;
}

static struct array *declare_array(struct reader *reader, const char *name, enum storage storage, enum memory memory,
                                   int64_t count) {
  if (find(reader, name)) fail(reader, arena_format(reader->arena, "'%s' is declared already", name));
  if (count < 0) fail(reader, "a count is not negative");
  struct array *array = arena_new_struct(reader->arena, struct array);
  array->name = array->base = name;
  array->type = type_of_kind(storage_kind(storage));
  array->storage = storage;
  array->memory = memory;
  array->count = count;
  array_push(reader->arena, &reader->scope, (struct named){.name = name, .array = array});
  return array;
}

/* --- Expressions ------------------------------------------------------------------------------------------------------------- */

static const struct expression *read_expression(struct reader *reader);

static struct expression *node(struct reader *reader, enum expression_kind kind, enum type type, int count) {
  struct expression *x = arena_new_struct(reader->arena, struct expression);
  x->kind = kind;
  x->type = type;
  x->argument_count = count;
  x->arguments = count ? arena_new_array(reader->arena, const struct expression *, count) : NULL;
  return x;
}

static const struct expression *apply(struct reader *reader, enum op op, enum storage storage,
                                      const struct expression *const *arguments) {
  struct expression *x = node(reader, EXPRESSION_APPLY, TYPE_REAL, op_facts[op].inputs);
  enum type types[3];
  for (int i = 0; i < x->argument_count; i++) types[i] = arguments[i]->type, x->arguments[i] = arguments[i];
  if (!apply_type(op, types, &x->type)) {
    const char *text = type_names[types[0]];
    for (int i = 1; i < x->argument_count; i++)
      text = arena_format(reader->arena, "%s and %s", text, type_names[types[i]]);
    fail(reader, arena_format(reader->arena, "%s does not take %s", op_facts[op].name, text));
  }
  x->op = op;
  x->storage = storage;
  return x;
}

static const struct expression *read_index(struct reader *reader) {
  const struct expression *index = read_expression(reader);
  if (index->type != TYPE_INDEX) fail(reader, "expected an index");
  return index;
}

static void read_arguments(struct reader *reader, const struct expression **arguments, int count) {
  expect(reader, "(");
  for (int i = 0; i < count; i++) {
    if (i) expect(reader, ",");
    arguments[i] = read_expression(reader);
  }
  expect(reader, ")");
}

static const struct expression *read_fold(struct reader *reader, const char *name) {
  enum op op = !strcmp(name, "fold.add") ? OP_add : OP_max;
  if (op == OP_max && strcmp(name, "fold.max") != 0) fail(reader, "a fold is by add or max");
  expect(reader, "(");
  const struct array *array = find_array(reader, expect_name(reader));
  expect(reader, "[");
  const struct expression *start = read_index(reader);
  expect(reader, "]");
  expect(reader, ",");
  struct expression *x = node(reader, EXPRESSION_FOLD, array->type, 1);
  x->op = op;
  x->array = array;
  x->arguments[0] = start;
  int64_t lanes = expect_integer(reader);
  if (lanes < 1 || lanes > 1024) fail(reader, "a fold is over 1 to 1024 lanes");
  x->lanes = (int)lanes;
  expect(reader, ")");
  return x;
}

/* A name and an opening parenthesis: an operation, a conversion, a draw. */
static const struct expression *read_call(struct reader *reader, const char *name) {
  const struct expression *arguments[5];
  int type = find_word(name, type_names, TYPE_INDEX + 1);
  if (!strncmp(name, "fold.", 5)) return read_fold(reader, name);
  if (!strncmp(name, "draw.", 5)) {
    struct expression *x = node(reader, EXPRESSION_DRAW, TYPE_REAL, 5);
    x->distribution = !strcmp(name, "draw.normal") ? DISTRIBUTION_NORMAL : DISTRIBUTION_UNIFORM;
    if (x->distribution == DISTRIBUTION_UNIFORM && strcmp(name, "draw.uniform") != 0)
      fail(reader, "a draw is uniform or normal");
    read_arguments(reader, x->arguments, 5);
    for (int i = 0; i < 5; i++)
      if (x->arguments[i]->type != TYPE_INDEX && x->arguments[i]->type != TYPE_INTEGER)
        fail(reader, "a draw takes integers");
    return x;
  }
  if (!strcmp(name, "quantile")) {
    read_arguments(reader, arguments, 3);
    if (arguments[0]->kind != EXPRESSION_LOAD || arguments[0]->type != TYPE_REAL || arguments[1]->type != TYPE_INDEX ||
        arguments[2]->type != TYPE_REAL)
      fail(reader, "a quantile takes the first of the reals in memory, how many there are, and a real");
    return expression_quantile(reader->arena, arguments[0], arguments[1], arguments[2]);
  }
  if (!strncmp(name, "dot.", 4)) {
    read_arguments(reader, arguments, 3);
    for (int i = 1; i < 3; i++)
      if (arguments[i]->kind != EXPRESSION_LOAD || arguments[i]->type != arguments[0]->type)
        fail(reader, "a dot takes a sum and two elements of memory, all of one type");
    if (strcmp(name, "dot.2") != 0 && strcmp(name, "dot.4") != 0) fail(reader, "a dot is of 2 or 4 products");
    return expression_dot(reader->arena, name[4] - '0', arguments[0], arguments[1], arguments[2]);
  }
  if (!strcmp(name, "fma")) {
    struct expression *x = node(reader, EXPRESSION_FMA, TYPE_REAL, 3);
    read_arguments(reader, x->arguments, 3);
    for (int i = 0; i < 3; i++)
      if (x->arguments[i]->type != TYPE_REAL) fail(reader, "fma takes reals");
    return x;
  }
  if (type >= 0) {
    struct expression *x = node(reader, EXPRESSION_CONVERT, (enum type)type, 1);
    read_arguments(reader, x->arguments, 1);
    if (type == TYPE_BOOLEAN || x->arguments[0]->type == TYPE_REAL) fail(reader, "there is no such conversion");
    return x;
  }
  enum storage storage = STORAGE_REAL;
  if (!strncmp(name, "cast.", 5)) {
    int found = find_word(name + 5, storage_names, STORAGE_COUNT);
    if (found < 0) fail(reader, "no such storage type");
    storage = (enum storage)found;
    name = "cast";
  }
  for (int i = 0; i < OP_COUNT; i++) {
    if (strcmp(op_facts[i].name, name) != 0 || !op_is_elementwise((enum op)i)) continue;
    read_arguments(reader, arguments, op_facts[i].inputs);
    return apply(reader, (enum op)i, storage, arguments);
  }
  fail(reader, arena_format(reader->arena, "no operation is called '%s'", name));
}

static const struct expression *number(struct reader *reader, enum type type, double value) {
  struct expression *x = node(reader, EXPRESSION_NUMBER, type, 0);
  x->number = value;
  return x;
}

static const struct expression *read_primary(struct reader *reader) {
  bool negative = accept(reader, "-");
  if (reader->token == TOKEN_NUMBER) {
    const struct expression *x = number(reader, reader->number_type, negative ? -reader->number : reader->number);
    next(reader);
    return x;
  }
  if (accept(reader, "inf")) return number(reader, TYPE_REAL, negative ? -INFINITY : INFINITY);
  if (negative) fail(reader, "expected a number");
  if (accept(reader, "nan")) return number(reader, TYPE_REAL, NAN);
  if (accept(reader, "true")) return number(reader, TYPE_BOOLEAN, 1);
  if (accept(reader, "false")) return number(reader, TYPE_BOOLEAN, 0);
  if (accept(reader, "(")) {
    const struct expression *x = read_expression(reader);
    expect(reader, ")");
    return x;
  }
  if (reader->token != TOKEN_NAME) fail(reader, "expected a value");
  const char *name = reader->text;
  const struct named *named = find(reader, name);
  next(reader);
  if (at_sign(reader, "(")) return read_call(reader, name);
  if (!named) fail(reader, arena_format(reader->arena, "'%s' is not in scope", name));
  if (named->variable) {
    struct expression *x = node(reader, EXPRESSION_VARIABLE, named->variable->type, 0);
    x->variable = named->variable;
    return x;
  }
  struct expression *x = node(reader, EXPRESSION_LOAD, named->array->type, 1);
  x->array = named->array;
  expect(reader, "[");
  x->arguments[0] = read_index(reader);
  expect(reader, "]");
  return x;
}

static const struct infix *find_infix(const struct reader *reader, enum binding least) {
  const struct infix *infix;
  for (int i = 0; (infix = infix_at(i)) != NULL; i++)
    if (infix->binding >= least && at_sign(reader, infix->sign)) return infix;
  return NULL;
}

static const struct expression *read_level(struct reader *reader, enum binding least) {
  if (++reader->depth > DEEPEST) fail(reader, "this is nested too deeply");
  const struct expression *arguments[2] = {read_primary(reader), NULL};
  for (const struct infix *infix; (infix = find_infix(reader, least));) {
    next(reader);
    arguments[1] = read_level(reader, infix->binding + 1);
    arguments[0] = apply(reader, infix->op, STORAGE_REAL, arguments);
    if (infix->binding == BINDING_COMPARE) least = BINDING_ADD; /* comparisons do not chain */
  }
  reader->depth--;
  return arguments[0];
}

static const struct expression *read_expression(struct reader *reader) { return read_level(reader, BINDING_COMPARE); }

/* --- Statements -------------------------------------------------------------------------------------------------------------- */

static void read_block(struct reader *reader, struct block *block, struct function *function);

static void read_element(struct reader *reader, struct statement *statement, const char *name) {
  statement->array = find_array(reader, name);
  expect(reader, "[");
  statement->index = read_index(reader);
  expect(reader, "]");
}

static void read_assignment(struct reader *reader, struct statement *statement, const char *name) {
  read_element(reader, statement, name);
  expect(reader, "=");
  statement->expression = read_expression(reader);
  if (statement->expression->type != statement->array->type)
    fail(reader, arena_format(reader->arena, "a value of type %s stored in an array of type %s",
                              type_names[statement->expression->type], type_names[statement->array->type]));
}

static void read_operands(struct reader *reader, struct statement *statement) {
  expect(reader, "(");
  while (!at_sign(reader, ")")) {
    struct argument argument = {0};
    if (statement->arguments.count) expect(reader, ",");
    if (accept(reader, "&")) {
      argument.array = find_array(reader, expect_name(reader));
      expect(reader, "[");
      argument.expression = read_index(reader);
      expect(reader, "]");
    } else {
      argument.expression = read_expression(reader);
    }
    array_push(reader->arena, &statement->arguments, argument);
  }
  expect(reader, ")");
}

static const char *expect_string(struct reader *reader) {
  if (reader->token != TOKEN_STRING) fail(reader, "expected a string");
  const char *text = reader->text;
  next(reader);
  return text;
}

static const struct function *find_function(struct reader *reader, const char *name) {
  for (int i = 0; i < reader->module->functions.count; i++)
    if (!strcmp(reader->module->functions.items[i]->name, name)) return reader->module->functions.items[i];
  return NULL;
}

static void read_loop(struct reader *reader, struct statement *statement, enum loop_kind kind,
                      struct function *function) {
  int visible = reader->scope.count;
  int64_t low, high;
  statement->kind = STATEMENT_LOOP;
  statement->loop = kind;
  const char *name = expect_name(reader);
  expect(reader, "<");
  statement->extent = read_level(reader, BINDING_ADD);
  if (statement->extent->type != TYPE_INDEX) fail(reader, "an extent is an index");
  if (accept(reader, "step")) statement->step = expect_integer(reader);
  if (statement->step < 1) fail(reader, "a step is at least 1");
  statement->variable = declare_variable(reader, name, TYPE_INDEX);
  if (expression_range(statement->extent, &low, &high) && high > 0) statement->variable->bound = high;
  statement->variable->multiple = statement->step;
  read_block(reader, &statement->body, function);
  reader->scope.count = visible;
}

static void read_statement(struct reader *reader, struct statement *statement, struct function *function) {
  if (reader->token != TOKEN_NAME) fail(reader, "expected a statement");
  const char *word = reader->text;
  next(reader);
  int kind = find_word(word, loop_kind_names, LOOP_UNROLLED + 1),
      memory = find_word(word, memory_names, MEMORY_STACK + 1);
  statement->step = 1;
  if (at_sign(reader, "[")) {
    statement->kind = STATEMENT_STORE;
    statement->step = 0;
    read_assignment(reader, statement, word);
    return;
  }
  if (kind >= 0) {
    read_loop(reader, statement, (enum loop_kind)kind, function);
    return;
  }
  statement->step = 0;
  if (memory >= 0) {
    statement->kind = STATEMENT_ARRAY;
    struct element element = expect_element(reader);
    if (element.type == TYPE_INDEX) fail(reader, "memory holds no values of type index");
    const char *name = expect_name(reader);
    expect(reader, "[");
    statement->array = declare_array(reader, name, element.storage, (enum memory)memory, expect_integer(reader));
    statement->array->written = true;
    expect(reader, "]");
  } else if (!strcmp(word, "let")) {
    int64_t low, high;
    const char *name = expect_name(reader);
    expect(reader, "=");
    statement->kind = STATEMENT_LET;
    statement->expression = read_expression(reader);
    statement->variable = declare_variable(reader, name, statement->expression->type);
    if (expression_range(statement->expression, &low, &high) && low >= 0) statement->variable->bound = high + 1;
  } else if (!strcmp(word, "if")) {
    int visible = reader->scope.count;
    statement->kind = STATEMENT_IF;
    statement->expression = read_expression(reader);
    if (statement->expression->type != TYPE_BOOLEAN) fail(reader, "a condition is boolean");
    read_block(reader, &statement->body, function);
    reader->scope.count = visible;
  } else if (!strcmp(word, "call")) {
    statement->kind = STATEMENT_CALL;
    const char *name = expect_name(reader);
    statement->function = find_function(reader, name);
    if (!statement->function)
      fail(reader, arena_format(reader->arena, "no function before this one is called '%s'", name));
    read_operands(reader, statement);
  } else if (!strcmp(word, "expand")) {
    statement->kind = STATEMENT_EXPAND;
    statement->extent = expression_index(reader->arena, expect_integer(reader));
    read_operands(reader, statement);
  } else if (!strcmp(word, "multiply")) {
    statement->kind = STATEMENT_MULTIPLY;
    read_operands(reader, statement);
  } else if (!strcmp(word, "prefetch")) {
    statement->kind = STATEMENT_PREFETCH;
    read_element(reader, statement, expect_name(reader));
  } else if (!strcmp(word, "comment")) {
    statement->kind = STATEMENT_COMMENT;
    statement->text = expect_string(reader);
  } else {
    fail(reader, arena_format(reader->arena, "no statement begins with '%s'", word));
  }
}

static void read_block(struct reader *reader, struct block *block, struct function *function) {
  if (++reader->depth > DEEPEST) fail(reader, "this is nested too deeply");
  block->function = function;
  expect(reader, "{");
  int visible = reader->scope.count;
  while (!at_sign(reader, "}")) {
    struct statement *statement = arena_new_struct(reader->arena, struct statement);
    statement->body.function = function;
    read_statement(reader, statement, function);
    array_push(reader->arena, &block->statements, statement);
  }
  reader->scope.count = visible;
  reader->depth--;
  expect(reader, "}");
}

static void read_parameter(struct reader *reader, struct function *function) {
  bool written = accept(reader, "written");
  struct element element = expect_element(reader);
  const char *name = expect_name(reader);
  struct parameter parameter = {0};
  if (accept(reader, "[")) {
    if (element.type == TYPE_INDEX) fail(reader, "memory holds no values of type index");
    parameter.array = declare_array(reader, name, element.storage, MEMORY_GLOBAL, expect_integer(reader));
    parameter.array->written = written;
    expect(reader, "]");
    if (reader->token == TOKEN_STRING) parameter.array->comment = expect_string(reader);
  } else {
    if (written) fail(reader, "only memory is written");
    if (element.is_narrow) fail(reader, "a number is real, integer, boolean or index");
    parameter.variable = declare_variable(reader, name, element.type);
  }
  function_add_name(reader->arena, function, name);
  array_push(reader->arena, &function->parameters, parameter);
}

static void read_function(struct reader *reader) {
  expect(reader, "function");
  struct function *function = arena_new_struct(reader->arena, struct function);
  reader->scope.count = 0;
  function->name = expect_name(reader);
  if (find_function(reader, function->name))
    fail(reader, arena_format(reader->arena, "'%s' is declared already", function->name));
  expect(reader, "(");
  while (!at_sign(reader, ")")) {
    if (function->parameters.count) expect(reader, ",");
    read_parameter(reader, function);
  }
  expect(reader, ")");
  function->is_helper = accept(reader, "helper");
  if (reader->token == TOKEN_STRING) function->comment = expect_string(reader);
  read_block(reader, &function->body, function);
  array_push(reader->arena, &reader->module->functions, function);
}

struct module *module_read(struct arena *arena, const struct source *source, struct diagnostics *diagnostics) {
  struct reader *reader = arena_new_struct(arena, struct reader);
  *reader = (struct reader){
      .arena = arena, .source = source, .diagnostics = diagnostics, .module = arena_new_struct(arena, struct module)};
  reader->module->arena = arena;
  reader->module->name = "module";
  if (setjmp(reader->failure)) return NULL;
  next(reader);
  if (accept(reader, "module")) reader->module->name = expect_name(reader);
  while (reader->token != TOKEN_END) read_function(reader);
  return reader->module;
}
