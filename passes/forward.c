/* Writes a value that nothing names, and that one expression reads, into that expression: a kernel reads like the formula
   that it computes. */
#include "passes/forward.h"

#include <string.h>

enum { MOST_OPERATIONS = 8 /* of an expression that takes another one in */ };

static int count_uses(const struct expression *x, const struct variable *variable) {
  if (!x) return 0;
  int uses = x->kind == EXPRESSION_VARIABLE && x->variable == variable;
  for (int i = 0; i < x->argument_count; i++) uses += count_uses(x->arguments[i], variable);
  return uses;
}

static int uses_in_block(const struct block *block, const struct variable *variable) {
  int uses = 0;
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *statement = block->statements.items[i];
    uses += count_uses(statement->extent, variable) + count_uses(statement->index, variable) +
            count_uses(statement->expression, variable) + uses_in_block(&statement->body, variable);
    for (int j = 0; j < statement->arguments.count; j++)
      uses += count_uses(statement->arguments.items[j].expression, variable);
  }
  return uses;
}

static int operations(const struct expression *x) {
  int count = x->kind == EXPRESSION_APPLY;
  for (int i = 0; i < x->argument_count; i++) count += operations(x->arguments[i]);
  return count;
}

static bool reads_memory(const struct expression *x) {
  if (x->array) return true;
  for (int i = 0; i < x->argument_count; i++)
    if (reads_memory(x->arguments[i])) return true;
  return false;
}

static const struct expression *with(struct arena *arena, const struct expression *x, const struct variable *variable,
                                     const struct expression *value) {
  if (x->kind == EXPRESSION_VARIABLE && x->variable == variable) return value;
  if (!count_uses(x, variable)) return x;
  struct expression *copy = arena_new_struct(arena, struct expression);
  *copy = *x;
  copy->arguments = arena_new_array(arena, const struct expression *, x->argument_count);
  for (int i = 0; i < x->argument_count; i++) copy->arguments[i] = with(arena, x->arguments[i], variable, value);
  return copy;
}

/* The only statement after number `at` that reads the variable, if it is a value or a store in the same block. */
static struct statement *only_reader(const struct block *block, int at, const struct variable *variable) {
  struct statement *reader = NULL;
  if (uses_in_block(block, variable) != 1) return NULL;
  for (int i = at + 1; i < block->statements.count && !reader; i++) {
    struct statement *statement = block->statements.items[i];
    bool takes = statement->kind == STATEMENT_LET || statement->kind == STATEMENT_STORE;
    if (takes && count_uses(statement->expression, variable)) reader = statement;
  }
  return reader;
}

static bool reads_array(const struct expression *x, const struct array *array) {
  if (x->array == array) return true;
  for (int i = 0; i < x->argument_count; i++)
    if (reads_array(x->arguments[i], array)) return true;
  return false;
}

/* The store after number `at` that is all that the value is for, where nothing tells more of it than the array's name
   does; or NULL. What is written before that store is not what the value is computed of. */
static struct statement *only_store(const struct block *block, int at) {
  const struct statement *let = block->statements.items[at];
  const struct variable *variable = let->variable;
  struct statement *store = only_reader(block, at, variable);
  if (!store || store->kind != STATEMENT_STORE || store->expression->kind != EXPRESSION_VARIABLE) return NULL;
  const char *name = store->array->base ? store->array->base : store->array->name;
  const bool is_copy = let->expression->kind == EXPRESSION_LOAD || let->expression->kind == EXPRESSION_VARIABLE;
  if (!variable->unnamed && !is_copy && strcmp(name, variable->base ? variable->base : variable->name) != 0)
    return NULL;
  for (int i = at + 1; block->statements.items[i] != store; i++) {
    const struct statement *between = block->statements.items[i];
    const bool writes = between->kind == STATEMENT_STORE && reads_array(let->expression, between->array);
    if (writes || (between->kind != STATEMENT_STORE && between->kind != STATEMENT_LET)) return NULL;
  }
  return store;
}

static void forward_in_block(struct arena *arena, struct block *block, bool in_vectors) {
  int kept = 0;
  for (int i = 0; i < block->statements.count; i++) {
    struct statement *statement = block->statements.items[i];
    forward_in_block(arena, &statement->body,
                     in_vectors || (statement->kind == STATEMENT_LOOP && statement->loop == LOOP_VECTOR));
    struct statement *reader = NULL;
    if (statement->kind == STATEMENT_LET && statement->variable->unnamed && !reads_memory(statement->expression))
      reader = only_reader(block, i, statement->variable);
    struct statement *store = NULL;
    if (!reader && statement->kind == STATEMENT_LET && (!in_vectors || statement->expression->kind == EXPRESSION_LOAD))
      store = only_store(block, i);
    if (store)
      store->expression = statement->expression;
    else if (reader && operations(statement->expression) + operations(reader->expression) <= MOST_OPERATIONS)
      reader->expression = with(arena, reader->expression, statement->variable, statement->expression);
    else
      block->statements.items[kept++] = statement;
  }
  block->statements.count = kept;
}

void forward_unnamed(struct arena *arena, struct function *function) {
  forward_in_block(arena, &function->body, false);
}
