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

/* From the end: what is mentioned, is mentioned after it was made. */
static void drop_in_block(struct mentions *mentions, struct block *block) {
  int kept = block->statements.count;
  for (int i = block->statements.count - 1; i >= 0; i--) {
    struct statement *statement = block->statements.items[i];
    bool makes_variable = statement->kind == STATEMENT_LET && !is_mentioned(mentions, statement->variable);
    bool makes_array = statement->kind == STATEMENT_ARRAY && !is_mentioned(mentions, statement->array);
    if (makes_variable || makes_array) continue;
    drop_in_block(mentions, &statement->body);
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
  struct mentions mentions = {.arena = arena};
  drop_in_block(&mentions, &function->body);
  return mentions;
}
