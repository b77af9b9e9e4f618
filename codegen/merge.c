/* Kernels that differ in a few sizes become one that takes those sizes: four matrix products of a layer are one function. */
#include "codegen/merge.h"

#include <ctype.h>
#include <string.h>

#include "codegen/text.h"

/* --- One function as a text with holes ---------------------------------------------------------------------------------- */

/* Functions are alike when their texts are equal: everything but names, and but the numbers in the holes. */
struct walk {
  struct arena *arena;
  struct text *text;
  ARRAY(const void *) declared;
  ARRAY(struct array *) arrays;
  ARRAY(struct variable *) variables;
  ARRAY(int64_t) values; /* of the holes; of a real number the bits */
  ARRAY(enum type) types;
  ARRAY(const char *) hints; /* what a hole's number might be called */
  const struct variable *lane; /* of the vector loop around */
  bool factors; /* in a product, where a real number is a hole too */
  const struct expression *const *replacements; /* by hole; NULL: that hole keeps its number. Or NULL */
};

static void say(struct walk *walk, const char *what, int64_t number) {
  text_raw(walk->text, arena_format(walk->arena, "%s%lld ", what, (long long)number));
}

static void declare(struct walk *walk, const void *thing) { array_push(walk->arena, &walk->declared, thing); }

static void refer(struct walk *walk, const char *what, const void *thing) {
  for (int i = walk->declared.count; i-- > 0;)
    if (walk->declared.items[i] == thing) {
      say(walk, what, i);
      return;
    }
  bug("a kernel refers to what it does not declare");
}

static void declare_array(struct walk *walk, struct array *array) {
  declare(walk, array);
  array_push(walk->arena, &walk->arrays, array);
  say(walk, "array", array->type * 16 + array->memory);
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
  text_raw(walk->text, x->type == TYPE_REAL ? "#r " : "# ");
  return walk->replacements && walk->replacements[number] ? walk->replacements[number] : x;
}

/* What the number beside `other` under `op` might be called. */
static const char *operand_hint(struct walk *walk, enum op op, const struct expression *other, const char *hint) {
  switch ((int)op) {
    case OP_mul:
      return other->kind == EXPRESSION_VARIABLE ? arena_format(walk->arena, "%s_stride", base_name(other->variable))
                                                : "stride";
    case OP_add:
    case OP_sub:
      return "offset";
    case OP_mod:
    case OP_quotient:
      return hint ? hint : "period";
  }
  return "limit";
}

/* In vector loops the printer looks at the numbers: it must see them all but those that only say where a vector begins. */
static bool may_have_holes(const struct walk *walk, const struct expression *x, int argument) {
  if (!walk->lane) return true;
  if (x->op == OP_add) return true;
  return x->op == OP_mul && !expression_uses(x->arguments[1 - argument], walk->lane);
}

static const struct expression *walk_expression(struct walk *walk, const struct expression *x, bool holes, const char *hint);

static const struct expression *walk_arguments(struct walk *walk, const struct expression *x, bool holes, const char *hint) {
  const struct expression **arguments = arena_new_array(walk->arena, const struct expression *, x->argument_count);
  bool changed = false;
  for (int i = 0; i < x->argument_count; i++) {
    bool binary = x->kind == EXPRESSION_APPLY && x->argument_count == 2;
    const char *own = binary ? operand_hint(walk, x->op, x->arguments[1 - i], hint) : hint;
    /* A number that a hint is for stands alone; one deeper down has another meaning. */
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

static const struct expression *walk_expression(struct walk *walk, const struct expression *x, bool holes, const char *hint) {
  if (!x) return NULL;
  if (x->kind == EXPRESSION_NUMBER) {
    if (holes && x->type == TYPE_INDEX) return hole(walk, x, hint ? hint : "size");
    if (x->type == TYPE_REAL && walk->factors) return hole(walk, x, "factor");
    text_raw(walk->text, arena_format(walk->arena, "%d:%.17g ", (int)x->type, x->number));
    return x;
  }
  if (x->kind == EXPRESSION_VARIABLE) {
    refer(walk, "v", x->variable);
    return x;
  }
  text_raw(walk->text, arena_format(walk->arena, "(%d %d %d %d %d %d ", (int)x->kind, (int)x->type, (int)x->op, (int)x->storage,
                                    (int)x->distribution, x->lanes));
  if (x->array) refer(walk, "a", x->array);
  bool factors = walk->factors;
  walk->factors = x->kind == EXPRESSION_APPLY && x->op == OP_mul;
  bool inside = holes && x->kind != EXPRESSION_FOLD && x->kind != EXPRESSION_DRAW;
  if (x->kind == EXPRESSION_LOAD) inside = x->array->memory != MEMORY_REGISTER, hint = NULL;
  x = walk_arguments(walk, x, inside, hint);
  walk->factors = factors;
  text_raw(walk->text, ") ");
  return x;
}

static void walk_block(struct walk *walk, struct block *block);

static void walk_call(struct walk *walk, struct statement *s) {
  refer(walk, "call", s->function);
  for (int i = 0; i < s->arguments.count; i++) {
    struct argument *argument = &s->arguments.items[i];
    const struct variable *parameter = s->function->parameters.items[i].variable;
    if (argument->array) refer(walk, "a", argument->array);
    argument->expression = walk_expression(walk, argument->expression, true, parameter ? parameter->name : "offset");
  }
}

static void walk_statement(struct walk *walk, struct statement *s) {
  const struct variable *lane = walk->lane;
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
      s->expression = walk_expression(walk, s->expression, !lane, arena_format(walk->arena, "%ss", base_name(s->variable)));
      declare_variable(walk, s->variable);
      break;
    case STATEMENT_ARRAY:
      declare_array(walk, s->array);
      break;
    case STATEMENT_STORE:
      refer(walk, "a", s->array);
      s->index = walk_expression(walk, s->index, s->array->memory != MEMORY_REGISTER, NULL);
      s->expression = walk_expression(walk, s->expression, !lane, NULL);
      break;
    case STATEMENT_PREFETCH:
      refer(walk, "a", s->array);
      s->index = walk_expression(walk, s->index, true, NULL);
      break;
    case STATEMENT_IF:
      s->expression = walk_expression(walk, s->expression, !lane, NULL);
      break;
    case STATEMENT_CALL:
      walk_call(walk, s);
      break;
    case STATEMENT_COMMENT:
      text_raw(walk->text, s->text);
      break;
    case STATEMENT_INSTR:
    case STATEMENT_BARRIER:
    case STATEMENT_COPY_ASYNC:
    case STATEMENT_COMMIT:
    case STATEMENT_WAIT:
      bug("%s: the statement is for a GPU", s->text ? s->text : "a kernel");
  }
  walk_block(walk, &s->body);
  walk->lane = lane;
}

static void walk_block(struct walk *walk, struct block *block) {
  text_raw(walk->text, "{");
  for (int i = 0; i < block->statements.count; i++) walk_statement(walk, block->statements.items[i]);
  text_raw(walk->text, "}");
}

/* `module` declares the functions that may be called. */
static struct walk walk_function(struct arena *arena, const struct module *module, struct function *function,
                                 const struct expression *const *replacements) {
  struct walk walk = {.arena = arena, .text = text_new(arena), .replacements = replacements};
  for (int i = 0; i < module->functions.count; i++) declare(&walk, module->functions.items[i]);
  text_raw(walk.text, function->comment ? function->comment : "");
  for (int i = 0; i < function->parameters.count; i++) {
    struct parameter *parameter = &function->parameters.items[i];
    if (parameter->array) declare_array(&walk, parameter->array);
    else declare_variable(&walk, parameter->variable);
  }
  walk_block(&walk, &function->body);
  return walk;
}

/* --- Families ----------------------------------------------------------------------------------------------------------- */

enum { MOST_SIZES = 10 };

struct member {
  struct function *function;
  struct walk walk;
};

struct family {
  ARRAY(struct member) members;
};

static bool same_values(const struct family *family, int x, int y) {
  for (int i = 0; i < family->members.count; i++) {
    const int64_t *values = family->members.items[i].walk.values.items;
    if (values[x] != values[y] || family->members.items[i].walk.types.items[x] != family->members.items[i].walk.types.items[y]) return false;
  }
  return true;
}

static bool varies(const struct family *family, int hole) {
  for (int i = 1; i < family->members.count; i++)
    if (family->members.items[i].walk.values.items[hole] != family->members.items[0].walk.values.items[hole]) return true;
  return false;
}

/* The first hole with the same numbers in all members: they share a parameter. */
static int first_alike(const struct family *family, int hole) {
  for (int i = 0; i < hole; i++)
    if (same_values(family, i, hole)) return i;
  return hole;
}

static int count_sizes(const struct family *family) {
  int sizes = 0;
  for (int i = 0; i < family->members.items[0].walk.values.count; i++)
    sizes += varies(family, i) && first_alike(family, i) == i;
  return sizes;
}

static bool joins(struct family *family, struct member member, struct arena *arena) {
  const struct walk *own = &family->members.items[0].walk;
  if (strcmp(text_string(own->text), text_string(member.walk.text)) != 0) return false;
  array_push(arena, &family->members, member);
  if (count_sizes(family) <= MOST_SIZES) return true;
  family->members.count--;
  return false;
}

/* What is known of arrays and variables must hold in all members. */
static void widen(const struct family *family) {
  const struct walk *kept = &family->members.items[0].walk;
  for (int i = 1; i < family->members.count; i++) {
    const struct walk *walk = &family->members.items[i].walk;
    for (int j = 0; j < kept->arrays.count; j++) {
      struct array *array = kept->arrays.items[j], *other = walk->arrays.items[j];
      bool same = array->comment && other->comment && !strcmp(array->comment, other->comment);
      if (!same) array->comment = NULL;
      if (array->memory != MEMORY_GLOBAL) array->count = array->count > other->count ? array->count : other->count;
      else if (array->count != other->count) array->count = 0;
    }
    for (int j = 0; j < kept->variables.count; j++) {
      int64_t *bound = &kept->variables.items[j]->bound, other = walk->variables.items[j]->bound;
      *bound = !*bound || !other ? 0 : *bound > other ? *bound : other;
    }
  }
}

/* "linear_768x3072_2" without the sizes that it is no longer for. */
static const char *name_without_sizes(struct arena *arena, const struct module *module, const struct function *function) {
  size_t length = strlen(function->name), end = length;
  while (end > 0 && (isdigit((unsigned char)function->name[end - 1]) || strchr("x_", function->name[end - 1]))) end--;
  const char *tail = function->name + end;
  if (tail[0] != '_' || !strchr(tail, 'x')) return function->name;
  const char *base = arena_copy(arena, function->name, end), *name = base;
  for (int number = 2;; number++) {
    bool taken = false;
    for (int i = 0; i < module->functions.count; i++) taken = taken || !strcmp(module->functions.items[i]->name, name);
    if (!taken) return name;
    name = arena_format(arena, "%s_%d", base, number);
  }
}

static struct launch_argument argument_of(const struct walk *walk, int hole) {
  struct launch_argument argument = {.number_kind = NUMBER_CONSTANT};
  if (walk->types.items[hole] == TYPE_REAL) memcpy(&argument.real, &walk->values.items[hole], sizeof argument.real);
  else argument.number = walk->values.items[hole];
  return argument;
}

static void add_arguments(struct arena *arena, const struct module *module, const struct member *member,
                          const struct function *kept, const int *holes, int sizes) {
  for (int i = 0; i < module->routines.count; i++) {
    for (int j = 0; j < module->routines.items[i]->launches.count; j++) {
      struct launch *launch = module->routines.items[i]->launches.items[j];
      if (launch->function != member->function) continue;
      launch->function = kept;
      for (int k = 0; k < sizes; k++)
        array_push(arena, &launch->arguments, argument_of(&member->walk, holes[k]));
    }
  }
}

static void merge_family(struct arena *arena, struct module *module, struct family *family) {
  struct function *kept = family->members.items[0].function;
  const struct walk *walk = &family->members.items[0].walk;
  const struct expression **replacements = arena_new_array(arena, const struct expression *, walk->values.count + 1);
  int holes[MOST_SIZES], sizes = 0;
  for (int i = 0; i < walk->values.count; i++) {
    if (!varies(family, i)) continue;
    int first = first_alike(family, i);
    if (first == i) {
      struct variable *size = function_add_number(arena, kept, walk->hints.items[i], walk->types.items[i]);
      replacements[i] = expression_variable(arena, size);
      holes[sizes++] = i;
    } else {
      replacements[i] = replacements[first];
    }
  }
  widen(family);
  for (int i = 1; i < family->members.count; i++)
    add_arguments(arena, module, &family->members.items[i], kept, holes, sizes);
  /* The kept one last: its launches are then no longer told from those that it took over. */
  for (int i = 0; i < module->routines.count; i++)
    for (int j = 0; j < module->routines.items[i]->launches.count; j++) {
      struct launch *launch = module->routines.items[i]->launches.items[j];
      if (launch->function != kept || launch->arguments.count == kept->parameters.count) continue;
      for (int k = 0; k < sizes; k++)
        array_push(arena, &launch->arguments, argument_of(walk, holes[k]));
    }
  walk_function(arena, module, kept, replacements);
  if (sizes) kept->name = name_without_sizes(arena, module, kept);
}

static bool is_launched(const struct module *module, const struct function *function) {
  for (int i = 0; i < module->routines.count; i++)
    for (int j = 0; j < module->routines.items[i]->launches.count; j++)
      if (module->routines.items[i]->launches.items[j]->function == function) return true;
  return false;
}

void merge_kernels(struct arena *arena, struct module *module) {
  ARRAY(struct family) families = {0};
  for (int i = 0; i < module->functions.count; i++) {
    struct function *function = module->functions.items[i];
    if (function->is_helper || !is_launched(module, function)) continue;
    struct member member = {function, walk_function(arena, module, function, NULL)};
    bool joined = false;
    for (int j = 0; j < families.count && !joined; j++) joined = joins(&families.items[j], member, arena);
    if (joined) continue;
    struct family family = {0};
    array_push(arena, &family.members, member);
    array_push(arena, &families, family);
  }
  for (int i = 0; i < families.count; i++)
    if (families.items[i].members.count > 1) merge_family(arena, module, &families.items[i]);
  int kept = 0;
  for (int i = 0; i < module->functions.count; i++) {
    bool gone = false;
    for (int j = 0; j < families.count && !gone; j++)
      for (int k = 1; k < families.items[j].members.count; k++)
        gone = gone || families.items[j].members.items[k].function == module->functions.items[i];
    if (!gone) module->functions.items[kept++] = module->functions.items[i];
  }
  module->functions.count = kept;
}
