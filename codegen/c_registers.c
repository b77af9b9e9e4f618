/* How a block uses its names: which register arrays can be vectors, and which names the body of a parallel loop takes
   from outside. */
#include "codegen/c_writer.h"

/* --- Arrays of vectors ------------------------------------------------------------------------------------------------------ */

struct usage {
  const struct target *target;
  const struct array *array;
  const struct variable *lane; /* of the vector loop around, or NULL */
  ARRAY(const struct variable *) unrolled;
  struct arena *arena;
  int parallel; /* parallel loops around, inside of the array's scope */
  bool vectors; /* all uses so far are of whole vectors */
  bool used;
};

/* Whether a sum is certainly a multiple of the lanes, whatever the unrolled loops' variables are. */
static bool is_aligned(const struct usage *usage, const struct expression *x) {
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      return (int64_t)x->number % usage->target->lanes == 0;
    case EXPRESSION_VARIABLE:
      return false;
    case EXPRESSION_APPLY:
      if (x->op == OP_add || x->op == OP_sub)
        return is_aligned(usage, x->arguments[0]) && is_aligned(usage, x->arguments[1]);
      if (x->op == OP_mul) return is_aligned(usage, x->arguments[0]) || is_aligned(usage, x->arguments[1]);
      return false;
    case EXPRESSION_LOAD:
    case EXPRESSION_FMA:
    case EXPRESSION_DOT:
    case EXPRESSION_QUANTILE:
    case EXPRESSION_CONVERT:
    case EXPRESSION_FOLD:
    case EXPRESSION_DRAW:
      return false;
  }
  return false;
}

/* Whether an index is constant once loops are unrolled, but for the lane. */
static bool is_known(const struct usage *usage, const struct expression *x) {
  if (x->kind == EXPRESSION_NUMBER) return true;
  if (x->kind == EXPRESSION_VARIABLE) {
    if (x->variable == usage->lane) return true;
    for (int i = 0; i < usage->unrolled.count; i++)
      if (usage->unrolled.items[i] == x->variable) return true;
    return false;
  }
  if (x->kind != EXPRESSION_APPLY) return false;
  for (int i = 0; i < x->argument_count; i++)
    if (!is_known(usage, x->arguments[i])) return false;
  return true;
}

/* Whether the index is the lane plus a known multiple of the lanes. */
static bool is_vector_place(const struct usage *usage, const struct expression *index) {
  int64_t coefficient;
  if (!usage->lane || usage->parallel || !is_known(usage, index)) return false;
  if (!expression_coefficient(index, usage->lane, &coefficient) || coefficient != 1) return false;
  const struct expression *base =
      expression_apply(usage->arena, OP_sub, index, expression_variable(usage->arena, usage->lane), NULL);
  return is_aligned(usage, base);
}

static void see_expression(struct usage *usage, const struct expression *x) {
  if (!x) return;
  if (x->array == usage->array) {
    usage->used = true;
    if (x->kind == EXPRESSION_LOAD && !is_vector_place(usage, x->arguments[0])) usage->vectors = false;
    if (x->kind == EXPRESSION_FOLD && (usage->parallel || x->lanes % usage->target->lanes != 0 ||
                                       !is_known(usage, x->arguments[0]) || !is_aligned(usage, x->arguments[0])))
      usage->vectors = false;
  }
  for (int i = 0; i < x->argument_count; i++) see_expression(usage, x->arguments[i]);
}

static void see_block(struct usage *usage, const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *s = block->statements.items[i];
    if (s->kind == STATEMENT_STORE && s->array == usage->array) {
      usage->used = true;
      if (!is_vector_place(usage, s->index)) usage->vectors = false;
    }
    see_expression(usage, s->index);
    see_expression(usage, s->expression);
    see_expression(usage, s->extent);
    for (int j = 0; j < s->arguments.count; j++) {
      if (s->arguments.items[j].array == usage->array) usage->vectors = false;
      see_expression(usage, s->arguments.items[j].expression);
    }
    if (s->kind == STATEMENT_LOOP) {
      const struct variable *lane = usage->lane;
      int unrolled = usage->unrolled.count;
      if (s->loop == LOOP_VECTOR) usage->lane = s->variable;
      if (s->loop == LOOP_UNROLLED) array_push(usage->arena, &usage->unrolled, s->variable);
      if (s->loop == LOOP_PARALLEL) usage->parallel++;
      see_block(usage, &s->body);
      if (s->loop == LOOP_PARALLEL) usage->parallel--;
      usage->lane = lane;
      usage->unrolled.count = unrolled;
    } else {
      see_block(usage, &s->body);
    }
  }
}

bool array_is_vectors(const struct target *target, const struct block *scope, const struct array *array) {
  if (!target->simd || array->memory != MEMORY_REGISTER || array->count % target->lanes != 0) return false;
  struct usage usage = {.target = target, .array = array, .arena = arena_new(), .vectors = true};
  see_block(&usage, scope);
  arena_free(usage.arena);
  return usage.vectors && usage.used;
}

static bool block_uses_as_number(const struct block *block, const struct array *array);

static bool uses_as_number(const struct expression *x, const struct array *array) {
  if (!x) return true;
  if (x->array == array && (x->kind != EXPRESSION_LOAD || x->arguments[0]->kind != EXPRESSION_NUMBER)) return false;
  for (int i = 0; i < x->argument_count; i++)
    if (!uses_as_number(x->arguments[i], array)) return false;
  return true;
}

static bool statement_uses_as_number(const struct statement *s, const struct array *array) {
  if (s->kind == STATEMENT_STORE && s->array == array && s->index->kind != EXPRESSION_NUMBER) return false;
  for (int i = 0; i < s->arguments.count; i++)
    if (s->arguments.items[i].array == array || !uses_as_number(s->arguments.items[i].expression, array)) return false;
  if (!uses_as_number(s->index, array) || !uses_as_number(s->expression, array) || !uses_as_number(s->extent, array))
    return false;
  /* The body of a parallel loop may become a function, which takes arrays by their address. */
  if (s->kind == STATEMENT_LOOP && s->loop == LOOP_PARALLEL) {
    struct arena *arena = arena_new();
    struct free_names outside = {0};
    block_free_names(arena, &s->body, &outside);
    bool shared = false;
    for (int i = 0; i < outside.arrays.count; i++) shared = shared || outside.arrays.items[i] == array;
    arena_free(arena);
    if (shared) return false;
  }
  return block_uses_as_number(&s->body, array);
}

static bool block_uses_as_number(const struct block *block, const struct array *array) {
  for (int i = 0; i < block->statements.count; i++)
    if (!statement_uses_as_number(block->statements.items[i], array)) return false;
  return true;
}

bool array_is_number(const struct block *scope, const struct array *array) {
  return array->memory == MEMORY_REGISTER && array->count == 1 && block_uses_as_number(scope, array);
}

/* --- Free names --------------------------------------------------------------------------------------------------------------- */

struct collection {
  struct arena *arena;
  struct free_names *free_names;
  struct pointer_table known; /* names that were met: the block's own, and free ones */
};

/* Whether the name is met for the first time. */
static bool is_new(struct collection *c, const void *thing) {
  int *known = pointer_table_at(c->arena, &c->known, thing, 0);
  return !(*known)++;
}

static void use_array(struct collection *c, const struct array *array) {
  if (is_new(c, array)) array_push(c->arena, &c->free_names->arrays, array);
}

static void use_expression(struct collection *c, const struct expression *x) {
  if (!x) return;
  if (x->array) use_array(c, x->array);
  for (int i = 0; i < x->argument_count; i++) use_expression(c, x->arguments[i]);
  if (x->kind == EXPRESSION_VARIABLE && is_new(c, x->variable))
    array_push(c->arena, &c->free_names->variables, x->variable);
}

static void use_block(struct collection *c, const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *s = block->statements.items[i];
    if (s->kind == STATEMENT_ARRAY)
      is_new(c, s->array);
    else if (s->array)
      use_array(c, s->array);
    use_expression(c, s->index);
    use_expression(c, s->expression);
    use_expression(c, s->extent);
    for (int j = 0; j < s->arguments.count; j++) {
      if (s->arguments.items[j].array) use_array(c, s->arguments.items[j].array);
      use_expression(c, s->arguments.items[j].expression);
    }
    if (s->variable) is_new(c, s->variable);
    use_block(c, &s->body);
  }
}

void block_free_names(struct arena *arena, const struct block *block, struct free_names *free_names) {
  struct collection collection = {.arena = arena, .free_names = free_names};
  use_block(&collection, block);
}
