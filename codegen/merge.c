/* Merges kernels that differ in a few sizes into one that takes those sizes: four matrix products of a layer become one
   function. */
#include "codegen/merge.h"

#include <ctype.h>
#include <string.h>

#include "codegen/text.h"
#include "ir/table.h"

/* --- One function as a text with holes ---------------------------------------------------------------------------------- */

/* Prints a function as a text without names, with holes for numbers. Functions with equal texts differ only in the
   numbers of the holes. */
struct walk {
  struct arena *arena;
  struct text *text;
  const struct pointer_table *functions; /* the numbers of the functions that may be called */
  struct pointer_table declared; /* numbers of everything else that was declared, after those */
  ARRAY(struct array *) arrays;
  ARRAY(struct variable *) variables;
  ARRAY(int64_t) values; /* the numbers of the holes; for a real number its bits */
  ARRAY(enum type) types;
  ARRAY(const char *) hints; /* names that the holes' numbers might be given */
  const struct array *indexed; /* the array whose index is walked, or NULL */
  const struct variable *lane; /* of the vector loop around */
  bool factors; /* inside of a product, where a real number is a hole too */
  const struct expression *const *replacements; /* by hole, or NULL; a hole whose entry is NULL keeps its number */
};

static void say(struct walk *walk, const char *what, int64_t number) {
  text_raw(walk->text, arena_format(walk->arena, "%s%lld ", what, (long long)number));
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
  text_raw(walk->text, x->type == TYPE_REAL ? "#r " : "# ");
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
    text_raw(walk->text, arena_format(walk->arena, "%d:%.17g ", (int)x->type, x->number));
    return x;
  }
  if (x->kind == EXPRESSION_VARIABLE) {
    refer(walk, "v", x->variable);
    return x;
  }
  text_raw(walk->text, arena_format(walk->arena, "(%d %d %d %d %d %d ", (int)x->kind, (int)x->type, (int)x->op,
                                    (int)x->storage, (int)x->distribution, x->lanes));
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
  text_raw(walk->text, ") ");
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
      text_raw(walk->text, s->text);
      break;
  }
  walk_block(walk, &s->body);
  walk->lane = lane;
}

static void walk_block(struct walk *walk, struct block *block) {
  text_raw(walk->text, "{");
  for (int i = 0; i < block->statements.count; i++) walk_statement(walk, block->statements.items[i]);
  text_raw(walk->text, "}");
}

static struct walk walk_function(struct arena *arena, const struct pointer_table *functions, struct function *function,
                                 const struct expression *const *replacements) {
  struct walk walk = {.arena = arena, .text = text_new(arena), .functions = functions, .replacements = replacements};
  text_raw(walk.text, function->comment ? function->comment : "");
  for (int i = 0; i < function->parameters.count; i++) {
    struct parameter *parameter = &function->parameters.items[i];
    if (parameter->array)
      declare_array(&walk, parameter->array);
    else
      declare_variable(&walk, parameter->variable);
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
  int other; /* an earlier family with the same text, which is full, or -1 */
};

struct launch_list {
  ARRAY(struct launch *) items;
};

struct merger {
  struct arena *arena;
  struct module *module;
  struct pointer_table functions; /* by function: its number in the module */
  struct launch_list *launches; /* by that number: the function's launches */
  ARRAY(struct family) families;
  struct table by_text; /* the latest family with a text, as a pointer to its number */
};

static bool same_values(const struct family *family, int x, int y) {
  for (int i = 0; i < family->members.count; i++) {
    const int64_t *values = family->members.items[i].walk.values.items;
    if (values[x] != values[y] ||
        family->members.items[i].walk.types.items[x] != family->members.items[i].walk.types.items[y])
      return false;
  }
  return true;
}

static bool varies(const struct family *family, int hole) {
  for (int i = 1; i < family->members.count; i++)
    if (family->members.items[i].walk.values.items[hole] != family->members.items[0].walk.values.items[hole])
      return true;
  return false;
}

/* The first hole that has the same number as this one in every member. Such holes share a parameter. */
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

static bool could_join(struct family *family, struct member member, struct arena *arena) {
  array_push(arena, &family->members, member);
  bool few = count_sizes(family) <= MOST_SIZES;
  family->members.count--;
  return few;
}

/* Keeps of arrays and variables only such facts as hold in all members. */
static void widen(const struct family *family) {
  const struct walk *kept = &family->members.items[0].walk;
  for (int i = 1; i < family->members.count; i++) {
    const struct walk *walk = &family->members.items[i].walk;
    for (int j = 0; j < kept->arrays.count; j++) {
      struct array *array = kept->arrays.items[j], *other = walk->arrays.items[j];
      bool same = array->comment && other->comment && !strcmp(array->comment, other->comment);
      if (!same) array->comment = NULL;
      if (array->memory != MEMORY_GLOBAL)
        array->count = array->count > other->count ? array->count : other->count;
      else if (array->count != other->count)
        array->count = 0;
    }
    for (int j = 0; j < kept->variables.count; j++) {
      int64_t *bound = &kept->variables.items[j]->bound, other = walk->variables.items[j]->bound;
      *bound = !*bound || !other ? 0 : *bound > other ? *bound : other;
      int64_t *multiple = &kept->variables.items[j]->multiple;
      if (*multiple != walk->variables.items[j]->multiple) *multiple = 0;
    }
  }
}

/* A name such as "linear_768x3072_2" without the sizes, which are arguments now. */
static const char *name_without_sizes(struct arena *arena, const struct module *module,
                                      const struct function *function) {
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
  if (walk->types.items[hole] == TYPE_REAL)
    memcpy(&argument.real, &walk->values.items[hole], sizeof argument.real);
  else
    argument.number = walk->values.items[hole];
  return argument;
}

static struct launch_list *launches_of(struct merger *m, const struct function *function) {
  return &m->launches[*pointer_table_find(&m->functions, function)];
}

static void add_arguments(struct merger *m, const struct member *member, const struct function *kept, const int *holes,
                          int sizes) {
  const struct launch_list *launches = launches_of(m, member->function);
  for (int i = 0; i < launches->items.count; i++) {
    struct launch *launch = launches->items.items[i];
    launch->function = kept;
    for (int k = 0; k < sizes; k++) array_push(m->arena, &launch->arguments, argument_of(&member->walk, holes[k]));
  }
}

/* What all numbers of a hole are multiples of, so that vectors of elements that share bytes are known to begin one; 0: of nothing. */
static int64_t common_divisor_of(const struct family *family, int hole) {
  int64_t multiple = 0;
  for (int i = 0; i < family->members.count; i++) {
    int64_t value = family->members.items[i].walk.values.items[hole];
    if (value < 0) return 0;
    while (value) {
      const int64_t rest = multiple % value;
      multiple = value, value = rest;
    }
  }
  return multiple > 1 ? multiple : 0;
}

static void merge_family(struct merger *m, struct family *family) {
  struct arena *arena = m->arena;
  struct function *kept = family->members.items[0].function;
  const struct walk *walk = &family->members.items[0].walk;
  const struct expression **replacements = arena_new_array(arena, const struct expression *, walk->values.count + 1);
  int holes[MOST_SIZES], sizes = 0;
  for (int i = 0; i < walk->values.count; i++) {
    if (!varies(family, i)) continue;
    int first = first_alike(family, i);
    if (first == i) {
      struct variable *size = function_add_number(arena, kept, walk->hints.items[i], walk->types.items[i]);
      if (size->type == TYPE_INDEX) size->multiple = common_divisor_of(family, i);
      replacements[i] = expression_variable(arena, size);
      holes[sizes++] = i;
    } else {
      replacements[i] = replacements[first];
    }
  }
  widen(family);
  for (int i = 0; i < family->members.count; i++) add_arguments(m, &family->members.items[i], kept, holes, sizes);
  walk_function(arena, &m->functions, kept, replacements);
  if (!sizes) return;
  kept->name = name_without_sizes(arena, m->module, kept);
  function_serve_several(arena, kept);
}

/* Adds the member to the first family with its text that has room. */
static void add_member(struct merger *m, struct member member) {
  int *latest = table_find(&m->by_text, text_string(member.walk.text));
  int first_with_room = -1;
  for (int i = latest ? *latest : -1; i >= 0; i = m->families.items[i].other)
    if (could_join(&m->families.items[i], member, m->arena)) first_with_room = i;
  if (first_with_room >= 0) {
    array_push(m->arena, &m->families.items[first_with_room].members, member);
    return;
  }
  struct family family = {.other = latest ? *latest : -1};
  array_push(m->arena, &family.members, member);
  if (!latest)
    table_set(m->arena, &m->by_text, text_string(member.walk.text), latest = arena_new_struct(m->arena, int));
  *latest = m->families.count;
  array_push(m->arena, &m->families, family);
}

void merge_kernels(struct arena *arena, struct module *module) {
  struct merger merger = {.arena = arena, .module = module}, *m = &merger;
  int count = module->functions.count;
  for (int i = 0; i < count; i++) *pointer_table_at(arena, &m->functions, module->functions.items[i], 0) = i;
  m->launches = arena_new_array(arena, struct launch_list, count);
  for (int i = 0; i < module->routines.count; i++)
    for (int j = 0; j < module->routines.items[i]->launches.count; j++) {
      struct launch *launch = module->routines.items[i]->launches.items[j];
      array_push(arena, &launches_of(m, launch->function)->items, launch);
    }
  for (int i = 0; i < count; i++) {
    struct function *function = module->functions.items[i];
    if (!function->is_helper && m->launches[i].items.count)
      add_member(m, (struct member){function, walk_function(arena, &m->functions, function, NULL)});
  }
  bool *gone = arena_new_array(arena, bool, count);
  for (int i = 0; i < m->families.count; i++) {
    struct family *family = &m->families.items[i];
    for (int j = 1; j < family->members.count; j++)
      gone[*pointer_table_find(&m->functions, family->members.items[j].function)] = true;
    if (family->members.count > 1) merge_family(m, family);
  }
  int kept = 0;
  for (int i = 0; i < count; i++)
    if (!gone[i]) module->functions.items[kept++] = module->functions.items[i];
  module->functions.count = kept;
}
