/* Equality of functions up to names, and the hash that goes with it. */
#include "ir/loop.h"

#include <string.h>

/* All that was declared so far, in order. Two functions are equal when each use in one refers to the declaration with
   the same number as the use in the other. The search begins at the newest, since most uses are of what was declared
   last. */
struct numbering {
  struct arena *arena;
  ARRAY(const void *) declared;
};

static void declare(struct numbering *numbering, const void *thing) {
  array_push(numbering->arena, &numbering->declared, thing);
}

static int number_of(const struct numbering *numbering, const void *thing) {
  for (int i = numbering->declared.count; i-- > 0;)
    if (numbering->declared.items[i] == thing) return i;
  return -1;
}

struct comparison {
  struct numbering x, y;
};

static bool same_thing(const struct comparison *comparison, const void *x, const void *y) {
  return !x == !y && (!x || number_of(&comparison->x, x) == number_of(&comparison->y, y));
}

static bool equal_expressions(const struct comparison *comparison, const struct expression *x,
                              const struct expression *y) {
  if (!x || !y) return x == y;
  if (x->kind != y->kind || x->type != y->type || x->argument_count != y->argument_count || x->op != y->op ||
      x->storage != y->storage || x->distribution != y->distribution || x->lanes != y->lanes ||
      memcmp(&x->number, &y->number, sizeof x->number))
    return false;
  if (!same_thing(comparison, x->variable, y->variable) || !same_thing(comparison, x->array, y->array)) return false;
  for (int i = 0; i < x->argument_count; i++)
    if (!equal_expressions(comparison, x->arguments[i], y->arguments[i])) return false;
  return true;
}

static bool equal_arrays(const struct array *x, const struct array *y) {
  return x->storage == y->storage && x->memory == y->memory && x->count == y->count && x->written == y->written;
}

static bool equal_texts(const char *x, const char *y) { return x && y ? !strcmp(x, y) : x == y; }

static int skip_comments(const struct block *block, int at) {
  while (at < block->statements.count && block->statements.items[at]->kind == STATEMENT_COMMENT) at++;
  return at;
}

static bool equal_blocks(struct comparison *comparison, const struct block *x, const struct block *y);

static bool equal_statements(struct comparison *comparison, const struct statement *x, const struct statement *y) {
  if (x->kind != y->kind || x->loop != y->loop || x->step != y->step ||
      !equal_expressions(comparison, x->extent, y->extent) || !equal_expressions(comparison, x->index, y->index) ||
      !equal_expressions(comparison, x->expression, y->expression) || !equal_texts(x->text, y->text))
    return false;
  if (x->kind == STATEMENT_CALL && x->function != y->function && !function_equal(x->function, y->function))
    return false;
  if (x->kind == STATEMENT_LOOP || x->kind == STATEMENT_LET) {
    if (x->variable->type != y->variable->type) return false;
    declare(&comparison->x, x->variable);
    declare(&comparison->y, y->variable);
  } else if (x->kind == STATEMENT_ARRAY) {
    if (!equal_arrays(x->array, y->array)) return false;
    declare(&comparison->x, x->array);
    declare(&comparison->y, y->array);
  } else if (!same_thing(comparison, x->array, y->array)) {
    return false;
  }
  if (x->arguments.count != y->arguments.count) return false;
  for (int i = 0; i < x->arguments.count; i++) {
    const struct argument *a = &x->arguments.items[i], *b = &y->arguments.items[i];
    if (!same_thing(comparison, a->array, b->array) || !equal_expressions(comparison, a->expression, b->expression))
      return false;
  }
  return equal_blocks(comparison, &x->body, &y->body);
}

static bool equal_blocks(struct comparison *comparison, const struct block *x, const struct block *y) {
  int i = 0, j = 0;
  for (;; i++, j++) {
    i = skip_comments(x, i), j = skip_comments(y, j);
    if (i == x->statements.count || j == y->statements.count) break;
    if (!equal_statements(comparison, x->statements.items[i], y->statements.items[j])) return false;
  }
  return i == x->statements.count && j == y->statements.count;
}

bool function_equal(const struct function *x, const struct function *y) {
  if (x == y) return true;
  if (x->is_helper != y->is_helper || x->parameters.count != y->parameters.count) return false;
  struct arena *arena = arena_new();
  struct comparison comparison = {.x = {.arena = arena}, .y = {.arena = arena}};
  bool equal = true;
  for (int i = 0; i < x->parameters.count && equal; i++) {
    struct parameter a = x->parameters.items[i], b = y->parameters.items[i];
    equal = a.array ? b.array && equal_arrays(a.array, b.array) : !b.array && a.variable->type == b.variable->type;
    declare(&comparison.x, a.array ? (const void *)a.array : a.variable);
    declare(&comparison.y, b.array ? (const void *)b.array : b.variable);
  }
  equal = equal && equal_blocks(&comparison, &x->body, &y->body);
  arena_free(arena);
  return equal;
}

/* --- Hash ------------------------------------------------------------------------------------------------------------------- */

struct hashing {
  struct numbering numbering;
  uint64_t hash;
};

static void mix(struct hashing *hashing, uint64_t word) {
  hashing->hash = (hashing->hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
  hashing->hash ^= hashing->hash >> 29;
}

static void hash_expression(struct hashing *hashing, const struct expression *x) {
  if (!x) {
    mix(hashing, 99);
    return;
  }
  uint64_t bits;
  memcpy(&bits, &x->number, sizeof bits);
  mix(hashing, (uint64_t)x->kind * 8 + (uint64_t)x->type);
  mix(hashing, bits);
  mix(hashing,
      (uint64_t)x->op * 4096 + (uint64_t)x->storage * 256 + (uint64_t)x->distribution * 128 + (uint64_t)x->lanes);
  if (x->variable) mix(hashing, (uint64_t)number_of(&hashing->numbering, x->variable));
  if (x->array) mix(hashing, (uint64_t)number_of(&hashing->numbering, x->array));
  for (int i = 0; i < x->argument_count; i++) hash_expression(hashing, x->arguments[i]);
}

static void hash_array(struct hashing *hashing, const struct array *array) {
  mix(hashing, (uint64_t)array->storage * 16 + (uint64_t)array->memory);
  mix(hashing, (uint64_t)array->count * 2 + array->written);
  declare(&hashing->numbering, array);
}

static void hash_block(struct hashing *hashing, const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *statement = block->statements.items[i];
    if (statement->kind == STATEMENT_COMMENT) continue;
    mix(hashing, (uint64_t)statement->kind * 16 + (uint64_t)statement->loop);
    mix(hashing, (uint64_t)statement->step);
    hash_expression(hashing, statement->extent);
    hash_expression(hashing, statement->index);
    hash_expression(hashing, statement->expression);
    if (statement->kind == STATEMENT_CALL) mix(hashing, function_hash(statement->function));
    if (statement->kind == STATEMENT_ARRAY)
      hash_array(hashing, statement->array);
    else if (statement->array)
      mix(hashing, (uint64_t)number_of(&hashing->numbering, statement->array));
    if (statement->variable) declare(&hashing->numbering, statement->variable);
    for (int j = 0; j < statement->arguments.count; j++) {
      const struct argument *argument = &statement->arguments.items[j];
      mix(hashing, argument->array ? (uint64_t)number_of(&hashing->numbering, argument->array) : 77);
      hash_expression(hashing, argument->expression);
    }
    mix(hashing, 1001);
    hash_block(hashing, &statement->body);
    mix(hashing, 1002);
  }
}

uint64_t function_hash(const struct function *function) {
  struct arena *arena = arena_new();
  struct hashing hashing = {.numbering = {.arena = arena}, .hash = function->is_helper};
  for (int i = 0; i < function->parameters.count; i++) {
    struct parameter parameter = function->parameters.items[i];
    if (parameter.array)
      hash_array(&hashing, parameter.array);
    else
      mix(&hashing, 500 + (uint64_t)parameter.variable->type), declare(&hashing.numbering, parameter.variable);
  }
  hash_block(&hashing, &function->body);
  arena_free(arena);
  return hashing.hash;
}
