#include "codegen/merge_walk.h"

#include <string.h>

static void put(struct walk *walk, const char *text) {
  text_raw(walk->text, text);
  if (!walk->apart) text_raw(walk->core, text);
}

static void say(struct walk *walk, const char *what, int64_t number) {
  put(walk, arena_format(walk->arena, "%s%lld ", what, (long long)number));
}

static void declare(struct walk *walk, const void *thing) {
  *pointer_table_at(walk->arena, &walk->declared, thing, 0) = walk->functions->count + walk->declared.count;
}

static void refer(struct walk *walk, const char *what, const void *thing) {
  const int *number = pointer_table_find(&walk->declared, thing);
  if (!number) number = pointer_table_find(walk->functions, thing);
  if (!number) bug("a kernel refers to what it does not declare");
  say(walk, what, *number);
}

static void declare_array(struct walk *walk, struct array *array) {
  declare(walk, array);
  array_push(walk->arena, &walk->arrays, array);
  say(walk, "array", array->storage * 16 + array->memory);
  if (array->memory == MEMORY_GLOBAL) say(walk, "written", array->written);
  if (array->memory == MEMORY_REGISTER) say(walk, "count", array->count);
}

static void declare_variable(struct walk *walk, struct variable *variable) {
  declare(walk, variable);
  array_push(walk->arena, &walk->variables, variable);
  say(walk, "variable", variable->type);
}

static const char *base_name(const struct variable *variable) {
  return variable->base ? variable->base : variable->name;
}

static const struct expression *hole(struct walk *walk, const struct expression *x, const char *hint) {
  int number = walk->values.count;
  int64_t value = (int64_t)x->number;
  if (x->type == TYPE_REAL) memcpy(&value, &x->number, sizeof value);
  array_push(walk->arena, &walk->values, value);
  array_push(walk->arena, &walk->types, x->type);
  array_push(walk->arena, &walk->hints, hint);
  put(walk, x->type == TYPE_REAL ? "#r " : "# ");
  return walk->replacements && walk->replacements[number] ? walk->replacements[number] : x;
}

static const char *name_of_index(struct walk *walk, const char *name) {
  if (!walk->indexed) return name;
  const char *array = walk->indexed->base ? walk->indexed->base : walk->indexed->name;
  return arena_format(walk->arena, "%s_%s", array, name);
}

/* A name for the number beside `other` in the operation `op`. */
static const char *operand_hint(struct walk *walk, enum op op, const struct expression *other, const char *hint) {
  switch ((int)op) {
    case OP_mul:
      return name_of_index(walk, other->kind == EXPRESSION_VARIABLE
                                     ? arena_format(walk->arena, "%s_stride", base_name(other->variable))
                                     : "stride");
    case OP_add:
    case OP_sub:
      return name_of_index(walk, "offset");
    case OP_mod:
    case OP_quotient:
      return hint ? hint : "period";
  }
  return "limit";
}

/* In vector loops the printer looks at numbers, so holes are only those that say where a vector begins. */
static bool may_have_holes(const struct walk *walk, const struct expression *x, int argument) {
  if (!walk->lane) return true;
  if (x->op == OP_add) return true;
  return x->op == OP_mul && !expression_uses(x->arguments[1 - argument], walk->lane);
}

static const struct expression *walk_expression(struct walk *walk, const struct expression *x, bool holes,
                                                const char *hint);

static const struct expression *walk_arguments(struct walk *walk, const struct expression *x, bool holes,
                                               const char *hint) {
  const struct expression **arguments = arena_new_array(walk->arena, const struct expression *, x->argument_count);
  bool changed = false;
  for (int i = 0; i < x->argument_count; i++) {
    bool binary = x->kind == EXPRESSION_APPLY && x->argument_count == 2;
    const char *own = binary ? operand_hint(walk, x->op, x->arguments[1 - i], hint) : hint;
    /* The hint is for a number that stands alone; a number deeper down means something else. */
    bool number = x->arguments[i]->kind == EXPRESSION_NUMBER;
    bool allowed = holes && (x->kind != EXPRESSION_APPLY || (binary && may_have_holes(walk, x, i)));
    arguments[i] = walk_expression(walk, x->arguments[i], allowed, number ? own : hint);
    changed = changed || arguments[i] != x->arguments[i];
  }
  if (!changed) return x;
  struct expression *copy = arena_new_struct(walk->arena, struct expression);
  *copy = *x;
  copy->arguments = arguments;
  return copy;
}

static const struct expression *walk_expression(struct walk *walk, const struct expression *x, bool holes,
                                                const char *hint) {
  if (!x) return NULL;
  if (x->kind == EXPRESSION_NUMBER) {
    if (holes && x->type == TYPE_INDEX) return hole(walk, x, hint ? hint : "size");
    if (x->type == TYPE_REAL && walk->factors) return hole(walk, x, "factor");
    put(walk, arena_format(walk->arena, "%d:%.17g ", (int)x->type, x->number));
    return x;
  }
  if (x->kind == EXPRESSION_VARIABLE) {
    refer(walk, "v", x->variable);
    return x;
  }
  put(walk, arena_format(walk->arena, "(%d %d %d %d %d %d ", (int)x->kind, (int)x->type, (int)x->op, (int)x->storage,
                         (int)x->distribution, x->lanes));
  if (x->array) refer(walk, "a", x->array);
  bool factors = walk->factors;
  const struct array *indexed = walk->indexed;
  if (x->kind == EXPRESSION_LOAD) walk->indexed = x->array;
  walk->factors = x->kind == EXPRESSION_APPLY && x->op == OP_mul;
  bool inside = holes && x->kind != EXPRESSION_FOLD && x->kind != EXPRESSION_DRAW;
  if (x->kind == EXPRESSION_LOAD) inside = x->array->memory != MEMORY_REGISTER, hint = NULL;
  x = walk_arguments(walk, x, inside, hint);
  walk->factors = factors;
  walk->indexed = indexed;
  put(walk, ") ");
  return x;
}

/* The index of an element of the array. */
static const struct expression *walk_index(struct walk *walk, const struct array *array, const struct expression *x,
                                           bool holes, const char *hint) {
  walk->indexed = array;
  x = walk_expression(walk, x, holes, hint);
  walk->indexed = NULL;
  return x;
}

static struct optional_store *optional_store_to(struct walk *walk, const struct array *array) {
  for (int i = 0; i < walk->optional.count; i++)
    if (walk->optional.items[i].array == array) return &walk->optional.items[i];
  return NULL;
}

static void walk_optional_store(struct walk *walk, struct statement *s) {
  struct optional_store *own = optional_store_to(walk, s->array);
  walk->apart = true;
  say(walk, "\noptional", own - walk->optional.items);
  own->place = walk->core->length;
  own->first_hole = walk->values.count;
  const size_t begin = walk->text->length;
  s->index = walk_index(walk, s->array, s->index, true, NULL);
  put(walk, "= ");
  s->expression = walk_expression(walk, s->expression, true, NULL);
  own->text = text_string(walk->text) + begin;
  own->text = arena_copy(walk->arena, own->text, walk->text->length - begin);
  own->holes = walk->values.count - own->first_hole;
  walk->apart = false;
}

static void walk_block(struct walk *walk, struct block *block);

static void walk_call(struct walk *walk, struct statement *s) {
  refer(walk, "call", s->function);
  for (int i = 0; i < s->arguments.count; i++) {
    struct argument *argument = &s->arguments.items[i];
    const struct variable *parameter = s->function->parameters.items[i].variable;
    if (argument->array) refer(walk, "a", argument->array);
    argument->expression =
        walk_index(walk, argument->array, argument->expression, true, parameter ? parameter->name : "offset");
  }
}

static void walk_statement(struct walk *walk, struct statement *s) {
  const struct variable *lane = walk->lane;
  if (s->kind == STATEMENT_STORE && optional_store_to(walk, s->array)) {
    walk_optional_store(walk, s);
    return;
  }
  say(walk, "\ns", s->kind);
  switch (s->kind) {
    case STATEMENT_LOOP:
      say(walk, "loop", s->loop);
      say(walk, "step", s->step);
      s->extent = walk_expression(walk, s->extent, !lane && (s->loop == LOOP_SERIAL || s->loop == LOOP_PARALLEL),
                                  arena_format(walk->arena, "%s_count", base_name(s->variable)));
      declare_variable(walk, s->variable);
      if (s->loop == LOOP_VECTOR) walk->lane = s->variable;
      break;
    case STATEMENT_LET:
      s->expression =
          walk_expression(walk, s->expression, !lane, arena_format(walk->arena, "%ss", base_name(s->variable)));
      declare_variable(walk, s->variable);
      break;
    case STATEMENT_ARRAY:
      declare_array(walk, s->array);
      break;
    case STATEMENT_STORE:
      refer(walk, "a", s->array);
      s->index = walk_index(walk, s->array, s->index, s->array->memory != MEMORY_REGISTER, NULL);
      s->expression = walk_expression(walk, s->expression, !lane, NULL);
      break;
    case STATEMENT_EXPAND:
      say(walk, "count", (int)s->extent->number);
      for (int i = 0; i < s->arguments.count; i++) {
        struct argument *argument = &s->arguments.items[i];
        refer(walk, "a", argument->array);
        argument->expression = walk_index(walk, argument->array, argument->expression, true, "offset");
      }
      break;
    case STATEMENT_MULTIPLY:
      for (int i = 0; i < s->arguments.count; i++) {
        struct argument *argument = &s->arguments.items[i];
        if (argument->array) refer(walk, "a", argument->array);
        if (i == MULTIPLY_FAR) say(walk, "far", (int)argument->expression->number);
        if (i == MULTIPLY_FAR) continue;
        argument->expression = walk_index(walk, argument->array, argument->expression, true,
                                          argument->array ? "offset" : multiply_arguments[i]);
      }
      break;
    case STATEMENT_PREFETCH:
      refer(walk, "a", s->array);
      s->index = walk_index(walk, s->array, s->index, true, NULL);
      break;
    case STATEMENT_IF:
      s->expression = walk_expression(walk, s->expression, !lane, NULL);
      break;
    case STATEMENT_CALL:
      walk_call(walk, s);
      break;
    case STATEMENT_COMMENT:
      put(walk, s->text);
      break;
  }
  walk_block(walk, &s->body);
  walk->lane = lane;
}

static void walk_block(struct walk *walk, struct block *block) {
  put(walk, "{");
  for (int i = 0; i < block->statements.count; i++) walk_statement(walk, block->statements.items[i]);
  put(walk, "}");
}

static bool reads(const struct expression *x, const struct array *array) {
  if (!x) return false;
  if (x->array == array) return true;
  for (int i = 0; i < x->argument_count; i++)
    if (reads(x->arguments[i], array)) return true;
  return false;
}

/* How many statements store single numbers to the array; other uses count as many. */
static int count_stores(const struct block *block, const struct array *array, bool in_vectors) {
  enum { MANY = 1000 };
  int stores = 0;
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *s = block->statements.items[i];
    const bool is_store = s->kind == STATEMENT_STORE && s->array == array;
    if (is_store) stores += in_vectors ? MANY : 1;
    if (!is_store && s->kind != STATEMENT_ARRAY && s->array == array) stores += MANY;
    if (reads(s->index, array) || reads(s->expression, array) || reads(s->extent, array)) stores += MANY;
    for (int j = 0; j < s->arguments.count; j++)
      if (s->arguments.items[j].array == array || reads(s->arguments.items[j].expression, array)) stores += MANY;
    stores +=
        count_stores(&s->body, array,
                     in_vectors || (s->kind == STATEMENT_LOOP && (s->loop == LOOP_VECTOR || s->loop == LOOP_UNROLLED)));
  }
  return stores;
}

struct walk merge_walk(struct arena *arena, const struct pointer_table *functions, struct function *function,
                       const struct expression *const *replacements) {
  struct walk walk = {.arena = arena,
                      .text = text_new(arena),
                      .core = text_new(arena),
                      .functions = functions,
                      .replacements = replacements};
  put(&walk, function->comment ? function->comment : "");
  for (int i = 0; i < function->parameters.count; i++) {
    struct parameter *parameter = &function->parameters.items[i];
    if (parameter->array && parameter->array->written && count_stores(&function->body, parameter->array, false) == 1) {
      array_push(arena, &walk.optional, ((struct optional_store){.array = parameter->array, .parameter = i}));
      walk.apart = true;
      say(&walk, "optional", parameter->array->storage);
      walk.apart = false;
    } else if (parameter->array)
      declare_array(&walk, parameter->array);
    else
      declare_variable(&walk, parameter->variable);
  }
  walk_block(&walk, &function->body);
  return walk;
}
