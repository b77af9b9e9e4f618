#include <ctype.h>
#include <string.h>

#include "passes/rewrite.h"
#include "passes/schedule.h"

struct name_entry {
  const char *name;
  int next; /* the number to try for the next one of this base */
};

struct name_table {
  struct arena *arena;
  struct name_entry *entries;
  int count, capacity; /* capacity: a power of two */
};

struct name_table *name_table_new(struct arena *arena) {
  struct name_table *table = arena_new_struct(arena, struct name_table);
  table->arena = arena;
  table->capacity = 32;
  table->entries = arena_new_array(arena, struct name_entry, table->capacity);
  return table;
}

static struct name_entry *find(struct name_table *table, const char *name) {
  for (uint32_t slot = hash_path(name);; slot++) {
    struct name_entry *entry = &table->entries[slot & (uint32_t)(table->capacity - 1)];
    if (!entry->name || strcmp(entry->name, name) == 0) return entry;
  }
}

static void insert(struct name_table *table, const char *name) {
  if (table->count * 2 >= table->capacity) {
    struct name_entry *old = table->entries;
    int old_capacity = table->capacity;
    table->capacity *= 2;
    table->entries = arena_new_array(table->arena, struct name_entry, table->capacity);
    for (int i = 0; i < old_capacity; i++)
      if (old[i].name) *find(table, old[i].name) = old[i];
  }
  *find(table, name) = (struct name_entry){name, 2};
  table->count++;
}

const char *name_unique(struct name_table *table, const char *base) {
  struct name_entry *entry = find(table, base);
  if (!entry->name) {
    insert(table, base);
    return base;
  }
  const char *name;
  do name = arena_format(table->arena, "%s_%d", base, entry->next++);
  while (find(table, name)->name);
  insert(table, name);
  return name;
}

const char *name_identifier(struct arena *arena, const char *text) {
  char *name = arena_strdup(arena, text);
  for (char *c = name; *c; c++)
    if (!isalnum((unsigned char)*c)) *c = '_';
  if (!isalpha((unsigned char)*name)) return arena_format(arena, "v_%s", name);
  return name;
}

const char *name_without_copy(struct arena *arena, const char *path, const struct origin *origin) {
  if (origin && origin->repeat && origin->repeat->path[0]) {
    char *prefix = arena_format(arena, "%s.%d", origin->repeat->path, origin->copy);
    size_t length = strlen(prefix);
    if (strncmp(path, prefix, length) == 0 && (path[length] == '.' || path[length] == 0))
      return name_identifier(arena, arena_format(arena, "%s%s", origin->repeat->path, path + length));
  }
  return name_identifier(arena, path);
}

const char *name_end(struct arena *arena, const char *path, int parts) {
  const size_t of = gradient_of_length(path);
  const char *end = path + (of ? of : strlen(path));
  const char *name = end; /* the suffix, so far */
  for (bool any = false; end > path && parts > 0;) {
    const char *begin = end;
    while (begin > path && begin[-1] != '.' && begin[-1] != '/') begin--;
    const int count = (int)(end - begin);
    if (strspn(begin, "0123456789") < (size_t)count) { /* the number of a copy is no name */
      name =
          any ? arena_format(arena, "%.*s_%s", count, begin, name) : arena_format(arena, "%.*s%s", count, begin, name);
      any = true, parts--;
    }
    end = begin > path ? begin - 1 : path;
  }
  return name_identifier(arena, *name ? name : path);
}

/* Whether the value is called after its operation alone. */
static bool is_nameless(const struct value *value) { return !value->name && !value->call; }

static bool is_scaled(const struct value *value) {
  return value->op == OP_mul && is_nameless(value) &&
         (value->inputs[0]->op == OP_constant || value->inputs[1]->op == OP_constant);
}

/* What the value sums the squares of, where it does that and has no name; or NULL. */
static const struct value *squared(const struct value *value) {
  const struct value *term = value->op == OP_reduce_sum && is_nameless(value) ? value->inputs[0] : NULL;
  return term && term->op == OP_mul && term->inputs[0] == term->inputs[1] ? term->inputs[0] : NULL;
}

const char *value_noun(const struct value *value) {
  static const char *const nouns[2][2] = {{"squares", "all_squares"}, {"scaled_squares", "all_scaled_squares"}};
  const bool all = value->op == OP_add && is_nameless(value);
  const struct value *first = value;
  while (first->op == OP_add && is_nameless(first) && squared(first->inputs[1])) first = first->inputs[0];
  const struct value *one = squared(first), *last = all ? squared(value->inputs[1]) : one;
  if (one && last && is_scaled(one) == is_scaled(last)) return nouns[is_scaled(one)][all];
  return is_scaled(value) ? "scaled" : op_facts[value->op].noun;
}

const char *value_title(struct arena *arena, const struct value *value) {
  if (value->op == OP_state) return name_end(arena, value->state->name, 1);
  if (value->op == OP_index) return name_identifier(arena, arena_format(arena, "%s_index", value->axis->name));
  if (value->name) return name_end(arena, value->name, 1);
  if (!value->call) return value_noun(value);
  const char *path = value->origin.path, *function = value->origin.function;
  const bool labelled = path && function && *function && !strcmp(value->call, path);
  return labelled ? name_identifier(arena, function) : name_end(arena, value->call, 1);
}

const char *title_so_far(struct arena *arena, const struct value *reduction) {
  return arena_format(arena, "%s_so_far", value_title(arena, reduction));
}
