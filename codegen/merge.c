/* Merges kernels that differ in a few sizes into one that takes those sizes: four matrix products of a layer become one
   function. A kernel that lacks stores of single numbers is merged into one that has them: it gets no memory for them. */
#include "codegen/merge.h"

#include <ctype.h>
#include <string.h>

#include "codegen/merge_walk.h"

/* --- Families ----------------------------------------------------------------------------------------------------------- */

enum { MOST_SIZES = 10 };

struct member {
  struct function *function;
  struct walk walk;
  /* where it lacks stores of the first member: for each parameter of that one which of its own it is, or -1 */
  const int *parameters;
  int parameter_count;
};

struct family {
  ARRAY(struct member) members;
  int other; /* an earlier family with the same text, which is full, or -1 */
  int other_core; /* an earlier family with the same text but for optional stores, or -1 */
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
  struct table by_core; /* the same for the text without optional stores */
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

static void widen_array(struct array *array, const struct array *other) {
  bool same = array->comment && other->comment && !strcmp(array->comment, other->comment);
  if (!same) array->comment = NULL;
  if (array->memory != MEMORY_GLOBAL)
    array->count = array->count > other->count ? array->count : other->count;
  else if (array->count != other->count)
    array->count = 0;
}

/* Keeps of arrays and variables only such facts as hold in all members. */
static void widen(const struct family *family) {
  const struct walk *kept = &family->members.items[0].walk;
  for (int i = 1; i < family->members.count; i++) {
    const struct walk *walk = &family->members.items[i].walk;
    for (int j = 0; j < kept->arrays.count; j++) widen_array(kept->arrays.items[j], walk->arrays.items[j]);
    for (int j = 0; j < kept->optional.count; j++) {
      const struct optional_store *store = &kept->optional.items[j];
      const int own = family->members.items[i].parameters ? family->members.items[i].parameters[store->parameter]
                                                          : store->parameter;
      if (own >= 0)
        widen_array(store->array, family->members.items[i].function->parameters.items[own].array);
      else
        store->array->optional = true;
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

/* The arguments in the order of the first member's parameters, without memory for the stores that this one lacks. */
static void order_arguments(struct arena *arena, struct launch *launch, const struct member *member) {
  const struct launch before = *launch;
  launch->arguments.items = NULL;
  launch->arguments.count = launch->arguments.capacity = 0;
  for (int i = 0; i < member->parameter_count; i++) {
    const int own = member->parameters[i];
    array_push(arena, &launch->arguments, own < 0 ? (struct launch_argument){0} : before.arguments.items[own]);
  }
}

static void add_arguments(struct merger *m, const struct member *member, const struct function *kept, const int *holes,
                          int sizes) {
  const struct launch_list *launches = launches_of(m, member->function);
  for (int i = 0; i < launches->items.count; i++) {
    struct launch *launch = launches->items.items[i];
    launch->function = kept;
    if (member->parameters) order_arguments(m->arena, launch, member);
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
  merge_walk(arena, &m->functions, kept, replacements);
  kept->name = name_without_sizes(arena, m->module, kept);
  if (sizes) function_serve_several(arena, kept);
}

static bool is_optional_parameter(const struct walk *walk, int parameter) {
  for (int i = 0; i < walk->optional.count; i++)
    if (walk->optional.items[i].parameter == parameter) return true;
  return false;
}

static const struct optional_store *same_store(const struct walk *walk, const struct optional_store *store) {
  for (int i = 0; i < walk->optional.count; i++) {
    const struct optional_store *own = &walk->optional.items[i];
    if (own->place == store->place && own->array->storage == store->array->storage && !strcmp(own->text, store->text))
      return own;
  }
  return NULL;
}

/* Whether a hole of the kept function is in a store that another lacks. */
static bool is_in_missing_store(const struct walk *kept, const int *parameters, int hole) {
  for (int i = 0; i < kept->optional.count; i++) {
    const struct optional_store *store = &kept->optional.items[i];
    if (parameters[store->parameter] < 0 && hole >= store->first_hole && hole < store->first_hole + store->holes)
      return true;
  }
  return false;
}

/* Whether the member is the first one of a family but for stores that it lacks; it then gets the holes and parameters of
   that one. */
static bool lacks_stores(struct arena *arena, const struct member *first, struct member *member) {
  const struct walk *kept = &first->walk, *own = &member->walk;
  struct walk full = *own;
  int *parameters = arena_new_array(arena, int, first->function->parameters.count + 1);
  int stores = 0, hole = 0, next = 0, plain = 0;
  full.values.items = NULL, full.values.count = full.values.capacity = 0;
  full.types.items = NULL, full.types.count = full.types.capacity = 0;
  if (own->optional.count >= kept->optional.count) return false;
  for (int i = 0; i < first->function->parameters.count; i++) {
    const struct optional_store *store = next < kept->optional.count ? &kept->optional.items[next] : NULL;
    if (!store || store->parameter != i) {
      while (is_optional_parameter(own, plain)) plain++;
      parameters[i] = plain++;
      continue;
    }
    next++;
    const struct optional_store *mine = same_store(own, store);
    parameters[i] = mine ? mine->parameter : -1;
    stores += mine != NULL;
  }
  if (stores != own->optional.count) return false;
  for (int i = 0; i < kept->values.count; i++) {
    const bool missing = is_in_missing_store(kept, parameters, i);
    array_push(arena, &full.values, missing ? kept->values.items[i] : own->values.items[hole]);
    array_push(arena, &full.types, missing ? kept->types.items[i] : own->types.items[hole]);
    hole += !missing;
  }
  member->walk = full;
  member->parameters = parameters;
  member->parameter_count = first->function->parameters.count;
  return true;
}

static int *latest_of(struct merger *m, struct table *table, const char *text) {
  int *latest = table_find(table, text);
  if (latest) return latest;
  table_set(m->arena, table, text, latest = arena_new_struct(m->arena, int));
  *latest = -1;
  return latest;
}

/* Adds the member to the first family with its text that has room; else to one with more stores. */
static void add_member(struct merger *m, struct member member) {
  int *latest = latest_of(m, &m->by_text, text_string(member.walk.text));
  int *latest_core = latest_of(m, &m->by_core, text_string(member.walk.core));
  int first_with_room = -1;
  for (int i = *latest; i >= 0; i = m->families.items[i].other)
    if (could_join(&m->families.items[i], member, m->arena)) first_with_room = i;
  for (int i = *latest_core; i >= 0 && first_with_room < 0; i = m->families.items[i].other_core) {
    struct member other = member;
    if (!lacks_stores(m->arena, &m->families.items[i].members.items[0], &other)) continue;
    if (could_join(&m->families.items[i], other, m->arena)) first_with_room = i, member = other;
  }
  if (first_with_room >= 0) {
    array_push(m->arena, &m->families.items[first_with_room].members, member);
    return;
  }
  struct family family = {.other = *latest, .other_core = *latest_core};
  array_push(m->arena, &family.members, member);
  *latest = *latest_core = m->families.count;
  array_push(m->arena, &m->families, family);
}

/* Kernels that are gone leave gaps in the numbers of names: of layernorm, layernorm_2 and layernorm_5 the last becomes
   layernorm_3. */
static void close_gaps(struct arena *arena, struct module *module) {
  struct table taken = {0};
  for (int i = 0; i < module->functions.count; i++) table_set(arena, &taken, module->functions.items[i]->name, module);
  for (int i = 0; i < module->functions.count; i++) {
    struct function *function = module->functions.items[i];
    size_t digits = 0, length = strlen(function->name);
    while (digits < length && isdigit((unsigned char)function->name[length - 1 - digits])) digits++;
    if (!digits || digits + 1 >= length || function->name[length - 1 - digits] != '_') continue;
    const char *base = arena_copy(arena, function->name, length - 1 - digits), *name = base;
    for (int number = 2; table_find(&taken, name) && strcmp(name, function->name) != 0; number++)
      name = arena_format(arena, "%s_%d", base, number);
    if (name == base || !strcmp(name, function->name)) continue;
    table_set(arena, &taken, function->name, NULL);
    table_set(arena, &taken, function->name = name, module);
  }
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
      add_member(m, (struct member){.function = function, .walk = merge_walk(arena, &m->functions, function, NULL)});
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
  close_gaps(arena, module);
}
