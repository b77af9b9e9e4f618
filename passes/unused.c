#include "passes/unused.h"

bool is_mentioned(const struct mentions *mentions, const void *item) {
  for (int i = mentions->items.count - 1; i >= 0; i--)
    if (mentions->items.items[i] == item) return true;
  return false;
}

static void mention(struct mentions *mentions, const void *item) {
  if (item && !is_mentioned(mentions, item)) array_push(mentions->arena, &mentions->items, item);
}

static void mention_expression(struct mentions *mentions, const struct expression *x) {
  if (!x) return;
  mention(mentions, x->variable);
  mention(mentions, x->array);
  for (int i = 0; i < x->argument_count; i++) mention_expression(mentions, x->arguments[i]);
}

static void read_arrays(struct mentions *reads, const struct expression *x) {
  if (!x) return;
  mention(reads, x->array);
  for (int i = 0; i < x->argument_count; i++) read_arrays(reads, x->arguments[i]);
}

/* The arrays that anything in the block reads; a store alone does not. */
static void read_in_block(struct mentions *reads, const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *statement = block->statements.items[i];
    read_arrays(reads, statement->extent);
    read_arrays(reads, statement->index);
    read_arrays(reads, statement->expression);
    if (statement->kind != STATEMENT_ARRAY && statement->kind != STATEMENT_STORE) mention(reads, statement->array);
    for (int j = 0; j < statement->arguments.count; j++) {
      mention(reads, statement->arguments.items[j].array);
      read_arrays(reads, statement->arguments.items[j].expression);
    }
    read_in_block(reads, &statement->body);
  }
}

/* Whether a store writes back what it reads: what is left of a sum with 0 or a product with 1 that is computed in place. */
static bool stores_itself(struct arena *arena, const struct statement *store) {
  const struct expression *x = store->expression;
  while (x->kind == EXPRESSION_CONVERT && x->arguments[0]->type == x->type) x = x->arguments[0];
  if (x->kind != EXPRESSION_LOAD || x->array != store->array) return false;
  const struct expression *distance = expression_apply(arena, OP_sub, x->arguments[0], store->index, NULL);
  return distance->kind == EXPRESSION_NUMBER && distance->number == 0;
}

/* Goes from the end to the beginning, since everything is mentioned after it was made. */
static void drop_in_block(struct mentions *mentions, const struct mentions *reads, struct block *block) {
  int kept = block->statements.count;
  for (int i = block->statements.count - 1; i >= 0; i--) {
    struct statement *statement = block->statements.items[i];
    bool makes_variable = statement->kind == STATEMENT_LET && !is_mentioned(mentions, statement->variable);
    bool makes_array = statement->kind == STATEMENT_ARRAY && !is_mentioned(mentions, statement->array);
    bool stores_in_vain = statement->kind == STATEMENT_STORE &&
                          ((statement->array->memory != MEMORY_GLOBAL && !is_mentioned(reads, statement->array)) ||
                           stores_itself(mentions->arena, statement));
    if (makes_variable || makes_array || stores_in_vain) continue;
    drop_in_block(mentions, reads, &statement->body);
    bool has_body = statement->kind == STATEMENT_LOOP || statement->kind == STATEMENT_IF;
    if (has_body && !statement->body.statements.count) continue;
    mention_expression(mentions, statement->extent);
    mention_expression(mentions, statement->index);
    mention_expression(mentions, statement->expression);
    if (statement->kind != STATEMENT_ARRAY) mention(mentions, statement->array);
    for (int j = 0; j < statement->arguments.count; j++) {
      mention(mentions, statement->arguments.items[j].array);
      mention_expression(mentions, statement->arguments.items[j].expression);
    }
    block->statements.items[--kept] = statement;
  }
  for (int i = kept; i < block->statements.count; i++) block->statements.items[i - kept] = block->statements.items[i];
  block->statements.count -= kept;
}

struct mentions drop_unused(struct arena *arena, struct function *function) {
  struct mentions mentions = {.arena = arena}, reads = {.arena = arena};
  read_in_block(&reads, &function->body);
  drop_in_block(&mentions, &reads, &function->body);
  return mentions;
}
