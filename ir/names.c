#include "ir/names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static struct name_entry *entry_of(struct arena *arena, struct scope_names *names, const char *name) {
  struct name_entry *entry = table_find(&names->table, name);
  if (entry) return entry;
  entry = arena_new_struct(arena, struct name_entry);
  entry->name = name;
  table_set(arena, &names->table, name, entry);
  const char *end = name + strlen(name), *digits = end;
  while (digits > name && isdigit((unsigned char)digits[-1])) digits--;
  if (digits < end && end - digits < 9 && digits - name > 1 && digits[-1] == '_') {
    entry->base = entry_of(arena, names, arena_copy(arena, name, (size_t)(digits - 1 - name)));
    entry->own = atoi(digits);
  }
  return entry;
}

const char *names_declare(struct arena *arena, struct scope_names *names, const char *base,
                          bool (*is_reserved)(const char *name)) {
  struct name_entry *first = entry_of(arena, names, base), *entry = first;
  if (entry->visible || (is_reserved && is_reserved(base))) {
    if (first->number < 2) first->number = 2;
    do entry = entry_of(arena, names, arena_format(arena, "%s_%d", base, first->number++));
    while (entry->visible || (is_reserved && is_reserved(entry->name)));
  }
  entry->visible = true;
  array_push(arena, &names->items, entry->name);
  return entry->name;
}

static void set_free(struct scope_names *names, const char *name) {
  struct name_entry *entry = table_find(&names->table, name);
  entry->visible = false;
  /* The counter of "x" may have gone past "x_12", which is free again. */
  if (entry->base && entry->base->number > entry->own && entry->own >= 2) entry->base->number = entry->own;
}

void names_cut(struct scope_names *names, int count) {
  while (names->items.count > count) {
    const char *name = names->items.items[--names->items.count];
    if (*name) set_free(names, name);
  }
}

void names_forget(struct scope_names *names, const char *name) {
  for (int i = names->items.count - 1; i >= 0; i--) {
    if (names->items.items[i] != name) continue;
    names->items.items[i] = "";
    set_free(names, name);
    return;
  }
}
