/* Whether all that a function stores is exact where it is stored. What is known of a value in the graph (its range, what it is chosen from)
   cannot always be seen from the loads of a kernel, so what is stored in a narrow array is rounded to it, which changes nothing, where
   a reader of the kernel could not know that it is exact. What a variable can be follows from its `let`; what a function's own array
   holds, from all that is stored in it: the walk is repeated until no store adds anything. */
#include <math.h>

#include "ir/exactness.h"

struct known {
  const void *thing; /* a variable or an array of the function's own */
  struct exactness exactness;
};

struct walk {
  struct arena *arena;
  const struct function *function;
  ARRAY(struct known) items;
  struct pointer_table places; /* by variable or array: where it stands among the items */
  struct arena *rounds; /* where what is stored and may not be exact is to be rounded: memory for that; or NULL */
  const char *message;
  bool checks, grew;
};

static struct known *find(struct walk *walk, const void *thing) {
  int *at = pointer_table_at(walk->arena, &walk->places, thing, -1);
  if (*at < 0) {
    *at = walk->items.count;
    array_push(walk->arena, &walk->items, (struct known){thing, exactness_none()});
  }
  return &walk->items.items[*at];
}

static enum kind kind_of_type(enum type type) {
  return type == TYPE_REAL ? KIND_REAL : type == TYPE_BOOLEAN ? KIND_BOOLEAN : KIND_INTEGER;
}

/* Indices have 64 bits and do not wrap around. */
static struct exactness index_exactness(const struct expression *x) {
  int64_t low, high;
  return expression_range(x, &low, &high) ? exactness_between((double)low, (double)high)
                                          : exactness_between(-INFINITY, INFINITY);
}

static struct exactness exactness_of(struct walk *walk, const struct expression *x) {
  struct exactness operands[3];
  const enum kind kind = kind_of_type(x->type);
  if (x->type == TYPE_INDEX) return index_exactness(x);
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      return exactness_number(kind, x->number);
    case EXPRESSION_VARIABLE: {
      const int *at = pointer_table_find(&walk->places, x->variable);
      return at ? walk->items.items[*at].exactness : exactness_any(kind); /* a number that the function is given */
    }
    case EXPRESSION_LOAD:
    case EXPRESSION_FOLD:
      if (x->kind == EXPRESSION_FOLD && x->op != OP_max) return exactness_any(kind);
      return x->array->memory == MEMORY_GLOBAL ? exactness_stored(x->array->storage) : find(walk, x->array)->exactness;
    case EXPRESSION_APPLY:
      for (int i = 0; i < x->argument_count; i++) operands[i] = exactness_of(walk, x->arguments[i]);
      return exactness_apply(x->op, x->storage, kind, kind_of_type(x->arguments[x->op == OP_where ? 1 : 0]->type),
                             operands);
    case EXPRESSION_CONVERT:
      operands[0] = exactness_of(walk, x->arguments[0]);
      if (kind == KIND_REAL)
        return exactness_apply(OP_cast, STORAGE_REAL, kind, kind_of_type(x->arguments[0]->type), operands);
      return operands[0].low >= INT32_MIN && operands[0].high <= INT32_MAX ? operands[0] : exactness_any(kind);
    case EXPRESSION_FMA:
    case EXPRESSION_DOT:
    case EXPRESSION_QUANTILE:
    case EXPRESSION_DRAW:
      return exactness_any(kind);
  }
  return exactness_any(kind);
}

static bool same(struct exactness x, struct exactness y) {
  return x.formats == y.formats && x.low == y.low && x.high == y.high && x.may_be_nan == y.may_be_nan;
}

static void add(struct walk *walk, const void *thing, struct exactness more) {
  struct known *known = find(walk, thing);
  const struct exactness both = exactness_either(known->exactness, more);
  walk->grew = walk->grew || !same(both, known->exactness);
  known->exactness = both;
}

static const struct expression *rounded(struct arena *arena, enum storage storage, const struct expression *x) {
  const struct storage_facts *facts = &storage_facts[storage];
  if (facts->kind == KIND_REAL) return expression_cast(arena, storage, x);
  const struct expression *least = expression_number(arena, TYPE_INTEGER, (double)facts->least),
                          *most = expression_number(arena, TYPE_INTEGER, (double)facts->most);
  return expression_apply(arena, OP_max, expression_apply(arena, OP_min, x, most, NULL), least, NULL);
}

static void walk_block(struct walk *walk, const struct block *block) {
  for (int i = 0; i < block->statements.count && !walk->message; i++) {
    struct statement *s = block->statements.items[i];
    if (s->kind == STATEMENT_LET) add(walk, s->variable, exactness_of(walk, s->expression));
    if (s->kind == STATEMENT_STORE) {
      const struct exactness x = exactness_of(walk, s->expression);
      if (s->array->memory != MEMORY_GLOBAL) add(walk, s->array, x);
      const bool fits = exactness_fits(x, s->array->storage);
      if (walk->checks && !fits && walk->rounds)
        s->expression = rounded(walk->rounds, s->array->storage, s->expression);
      else if (walk->checks && !fits)
        walk->message = arena_format(walk->arena, "function %s: what is stored in %s may not be exact in %s",
                                     walk->function->name, s->array->name, storage_names[s->array->storage]);
    }
    /* A helper may write anything that its parameter's storage holds. */
    for (int j = 0; s->kind == STATEMENT_CALL && j < s->arguments.count; j++) {
      const struct array *array = s->arguments.items[j].array;
      if (array && array->memory != MEMORY_GLOBAL && s->function->parameters.items[j].array->written)
        add(walk, array, exactness_stored(array->storage));
    }
    if (s->kind == STATEMENT_EXPAND && s->arguments.items[0].array->memory != MEMORY_GLOBAL)
      add(walk, s->arguments.items[0].array, exactness_stored(s->arguments.items[0].array->storage));
    if (s->kind == STATEMENT_MULTIPLY && s->arguments.items[MULTIPLY_C].array->memory != MEMORY_GLOBAL)
      add(walk, s->arguments.items[MULTIPLY_C].array, exactness_stored(s->arguments.items[MULTIPLY_C].array->storage));
    walk_block(walk, &s->body);
  }
}

static bool has_narrow(const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *s = block->statements.items[i];
    if (s->kind == STATEMENT_STORE && s->array->storage != storage_of_type(s->array->type)) return true;
    if (has_narrow(&s->body)) return true;
  }
  return false;
}

enum { MOST_ROUNDS = 64 }; /* intervals that grow by counting up have no end */

static const char *check(struct arena *arena, const struct function *function, struct arena *rounds) {
  if (!has_narrow(&function->body)) return NULL;
  struct arena *scratch = arena_new();
  struct walk walk = {.arena = scratch, .function = function, .rounds = rounds};
  for (int round = 0; round == 0 || walk.grew; round++) {
    walk.grew = false;
    walk_block(&walk, &function->body);
    if (round < MOST_ROUNDS) continue;
    for (int i = 0; i < walk.items.count; i++)
      walk.items.items[i].exactness = (struct exactness){0, -INFINITY, INFINITY, true};
    break;
  }
  walk.checks = true;
  walk_block(&walk, &function->body);
  const char *message = walk.message ? arena_strdup(arena, walk.message) : NULL;
  arena_free(scratch);
  return message;
}

const char *function_stores_exactly(struct arena *arena, const struct function *function) {
  return check(arena, function, NULL);
}

void function_store_exactly(struct arena *arena, struct function *function) { check(arena, function, arena); }
