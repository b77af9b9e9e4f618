/* Builders of functions: parameters, loops, statements. */
#include "ir/loop.h"
#include "ir/names.h"

#include <ctype.h>
#include <string.h>

/* Words that mean something else in C, in its library, or in the printed code. */
static const char *const reserved[] = {
    "auto",     "break",  "case",      "char",   "const",  "continue", "default", "do",     "double",  "else",
    "enum",     "extern", "float",     "for",    "goto",   "if",       "inline",  "int",    "long",    "register",
    "restrict", "return", "short",     "signed", "sizeof", "static",   "struct",  "switch", "typedef", "union",
    "unsigned", "void",   "volatile",  "while",  "bool",   "true",     "false",   "main",   "asm",     "exp",
    "log",      "sqrt",   "tanh",      "erf",    "sin",    "cos",      "floor",   "round",  "abs",     "pow",
    "fma",      "index",  "y0",        "y1",     "yn",     "j0",       "j1",      "jn",     "gamma",   "real",
    "mask",     "lanes",  "lane_mask", NULL};

static bool is_reserved(const char *name) {
  for (int i = 0; reserved[i]; i++)
    if (reserved[i][0] == name[0] && !strcmp(reserved[i], name)) return true;
  return false;
}

/* A C identifier like `name`. */
static char *identifier(struct arena *arena, const char *name) {
  char *text = arena_format(arena, "%s%s", isdigit((unsigned char)name[0]) || !name[0] ? "v" : "", name);
  for (char *at = text; *at; at++)
    if (!isalnum((unsigned char)*at)) *at = '_';
  return text;
}

void function_add_name(struct arena *arena, struct function *function, const char *name) {
  int *suffix = arena_new_struct(arena, int);
  *suffix = 1;
  table_set(arena, &function->names, name, suffix);
}

static const char *unique_name(struct arena *arena, struct function *function, const char *base) {
  static const struct table none;
  const struct table *names = function ? &function->names : &none;
  int *suffix = table_find(names, base), from_two = 1;
  const char *name = base;
  /* The search for a free suffix begins after the last one given, so naming a hundred variables alike takes a hundred
     steps. */
  for (int *last = suffix ? suffix : &from_two; is_reserved(name) || table_find(names, name);)
    name = arena_format(arena, "%s_%d", base, ++*last);
  if (function) function_add_name(arena, function, name);
  return name;
}

static struct variable *variable_new(struct arena *arena, struct function *function, const char *name, enum type type) {
  struct variable *variable = arena_new_struct(arena, struct variable);
  variable->base = identifier(arena, name);
  variable->name = unique_name(arena, function, variable->base);
  variable->type = type;
  return variable;
}

static struct array *array_new(struct arena *arena, struct function *function, const char *name, enum type type,
                               enum memory memory, int64_t count) {
  struct array *array = arena_new_struct(arena, struct array);
  array->base = identifier(arena, name);
  array->name = unique_name(arena, function, array->base);
  array->type = type;
  array->storage = storage_of_type(type);
  array->memory = memory;
  array->count = count;
  return array;
}

struct function *function_new(struct arena *arena, const char *name) {
  struct function *function = arena_new_struct(arena, struct function);
  function->name = identifier(arena, name);
  function->body.function = function;
  return function;
}

struct array *function_add_pointer(struct arena *arena, struct function *function, const char *name, enum type type,
                                   int64_t count, bool written, const char *comment) {
  if (type == TYPE_INDEX) bug("%s: memory holds no values of type index", name);
  struct array *array = array_new(arena, function, name, type, MEMORY_GLOBAL, count);
  array->written = written;
  array->comment = comment;
  array_push(arena, &function->parameters, (struct parameter){.array = array});
  return array;
}

struct variable *function_add_number(struct arena *arena, struct function *function, const char *name, enum type type) {
  struct variable *variable = variable_new(arena, function, name, type);
  array_push(arena, &function->parameters, (struct parameter){.variable = variable});
  return variable;
}

static struct statement *append(struct arena *arena, struct block *block, enum statement_kind kind) {
  struct statement *statement = arena_new_struct(arena, struct statement);
  statement->kind = kind;
  statement->body.function = block->function;
  array_push(arena, &block->statements, statement);
  return statement;
}

struct statement *block_loop(struct arena *arena, struct block *block, enum loop_kind kind, const char *name,
                             const struct expression *extent) {
  if (extent->type != TYPE_INDEX) bug("loop %s has an extent of type %s", name, type_names[extent->type]);
  struct statement *statement = append(arena, block, STATEMENT_LOOP);
  int64_t low, high;
  statement->loop = kind;
  statement->variable = variable_new(arena, block->function, name, TYPE_INDEX);
  statement->extent = extent;
  statement->step = 1;
  if (expression_range(extent, &low, &high) && high > 0) statement->variable->bound = high;
  return statement;
}

struct variable *block_let(struct arena *arena, struct block *block, const char *name,
                           const struct expression *expression) {
  struct statement *statement = append(arena, block, STATEMENT_LET);
  int64_t low, high;
  statement->variable = variable_new(arena, block->function, name, expression->type);
  statement->expression = expression;
  if (expression_range(expression, &low, &high) && low >= 0) statement->variable->bound = high + 1;
  return statement->variable;
}

struct array *block_array(struct arena *arena, struct block *block, const char *name, enum type type,
                          enum memory memory, int64_t count) {
  struct statement *statement = append(arena, block, STATEMENT_ARRAY);
  statement->array = array_new(arena, block->function, name, type, memory, count);
  statement->array->written = true;
  return statement->array;
}

void block_store(struct arena *arena, struct block *block, struct array *array, const struct expression *index,
                 const struct expression *expression) {
  if (index->type != TYPE_INDEX) bug("%s is indexed by a value of type %s", array->name, type_names[index->type]);
  if (expression->type != array->type && expression->kind == EXPRESSION_NUMBER)
    expression = expression_convert(arena, array->type, expression);
  if (expression->type != array->type)
    bug("a value of type %s stored in %s of type %s", type_names[expression->type], array->name,
        type_names[array->type]);
  struct statement *statement = append(arena, block, STATEMENT_STORE);
  statement->array = array;
  statement->index = index;
  statement->expression = expression;
}

void block_prefetch(struct arena *arena, struct block *block, struct array *array, const struct expression *index) {
  if (index->type != TYPE_INDEX) bug("%s is indexed by a value of type %s", array->name, type_names[index->type]);
  struct statement *statement = append(arena, block, STATEMENT_PREFETCH);
  statement->array = array;
  statement->index = index;
}

void block_expand(struct arena *arena, struct block *block, struct argument to, struct argument values,
                  struct argument masks, int64_t count) {
  struct statement *statement = append(arena, block, STATEMENT_EXPAND);
  statement->extent = expression_index(arena, count);
  array_push(arena, &statement->arguments, to);
  array_push(arena, &statement->arguments, values);
  array_push(arena, &statement->arguments, masks);
}

const char *const multiply_arguments[MULTIPLY_ARGUMENTS] = {"c",    "c_row",   "a",     "a_row", "b",  "b_step",
                                                            "rows", "columns", "depth", "begun", "far"};

void block_multiply(struct arena *arena, struct block *block, const struct argument arguments[MULTIPLY_ARGUMENTS]) {
  struct statement *statement = append(arena, block, STATEMENT_MULTIPLY);
  for (int i = 0; i < MULTIPLY_ARGUMENTS; i++) array_push(arena, &statement->arguments, arguments[i]);
}

int multiply_group(const struct statement *statement) {
  const enum storage a = statement->arguments.items[MULTIPLY_A].array->storage,
                     b = statement->arguments.items[MULTIPLY_B].array->storage;
#define DOT(name, count, x, y) \
  if (a == STORAGE_##x && b == STORAGE_##y) return count;
#include "ir/dots.def"
  return 0;
}

struct statement *block_if(struct arena *arena, struct block *block, const struct expression *condition) {
  if (condition->type != TYPE_BOOLEAN) bug("a condition of type %s", type_names[condition->type]);
  struct statement *statement = append(arena, block, STATEMENT_IF);
  statement->expression = condition;
  return statement;
}

struct statement *block_call(struct arena *arena, struct block *block, const struct function *function) {
  struct statement *statement = append(arena, block, STATEMENT_CALL);
  statement->function = function;
  return statement;
}

void block_comment(struct arena *arena, struct block *block, const char *text) {
  append(arena, block, STATEMENT_COMMENT)->text = text;
}

/* --- Shorter names ---------------------------------------------------------------------------------------------------------- */

struct scope {
  struct arena *arena;
  struct scope_names names;
};

static const char *name_in_scope(struct scope *scope, const char *name, const char *base) {
  return names_declare(scope->arena, &scope->names, base ? base : name, is_reserved);
}

static void tidy_block(struct scope *scope, struct block *block) {
  int visible = scope->names.items.count;
  for (int i = 0; i < block->statements.count; i++) {
    struct statement *statement = block->statements.items[i];
    if (statement->kind == STATEMENT_LET)
      statement->variable->name = name_in_scope(scope, statement->variable->name, statement->variable->base);
    if (statement->kind == STATEMENT_ARRAY)
      statement->array->name = name_in_scope(scope, statement->array->name, statement->array->base);
    int outside = scope->names.items.count;
    if (statement->kind == STATEMENT_LOOP)
      statement->variable->name = name_in_scope(scope, statement->variable->name, statement->variable->base);
    tidy_block(scope, &statement->body);
    names_cut(&scope->names, outside);
  }
  names_cut(&scope->names, visible);
}

void function_tidy_names(struct arena *arena, struct function *function) {
  struct scope scope = {.arena = arena};
  for (int i = 0; i < function->parameters.count; i++) {
    struct parameter parameter = function->parameters.items[i];
    if (parameter.array)
      parameter.array->name = name_in_scope(&scope, parameter.array->name, parameter.array->base);
    else
      parameter.variable->name = name_in_scope(&scope, parameter.variable->name, parameter.variable->base);
  }
  tidy_block(&scope, &function->body);
}

void function_serve_several(struct arena *arena, struct function *function) {
  if (function->formula && !function->serves_several)
    function->formula = arena_format(arena, "as first called: %s", function->formula);
  function->serves_several = true;
}
