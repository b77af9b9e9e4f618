/* The names that a finished kernel's parameters and variables ask for. They are chosen last, when all of them are known. */
#include <string.h>

#include "passes/schedule.h"

/* Pointers that would have the same name, as the weights of two layers, take one more part of their paths. */
static void tell_pointers_apart(struct kernel *kernel) {
  const int count = kernel->pointers.count;
  bool *longer = arena_new_array(kernel->arena, bool, count);
  for (int i = 0; i < count; i++)
    for (int j = 0; j < count; j++) {
      const struct pointer_parameter *x = &kernel->pointers.items[i], *y = &kernel->pointers.items[j];
      longer[i] = longer[i] || (i != j && x->buffer != y->buffer && !strcmp(x->array->base, y->array->base));
    }
  for (int i = 0; i < count; i++) {
    struct pointer_parameter *pointer = &kernel->pointers.items[i];
    if (longer[i]) pointer->array->base = name_end(kernel->arena, pointer_shown(pointer)->label, 2);
  }
}

struct array_names {
  ARRAY(const char *) items;
};

static void list_arrays(struct arena *arena, struct array_names *names, const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *statement = block->statements.items[i];
    if (statement->kind == STATEMENT_ARRAY) array_push(arena, &names->items, statement->array->base);
    list_arrays(arena, names, &statement->body);
  }
}

/* A variable that holds an element of an array is not called as the array is: it is the array at the present place. */
static void name_elements(struct arena *arena, const struct array_names *names, struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    struct statement *statement = block->statements.items[i];
    name_elements(arena, names, &statement->body);
    bool is_array = false;
    for (int j = 0; j < names->items.count && statement->kind == STATEMENT_LET; j++)
      is_array = is_array || !strcmp(names->items.items[j], statement->variable->base);
    if (is_array) statement->variable->base = arena_format(arena, "%s_at", statement->variable->base);
  }
}

void kernel_choose_names(struct kernel *kernel) {
  struct array_names names = {0};
  for (int i = 0; i < kernel->pointers.count; i++) {
    const struct pointer_parameter *pointer = &kernel->pointers.items[i];
    pointer->array->base = name_end(kernel->arena, pointer_shown(pointer)->label, 1);
  }
  tell_pointers_apart(kernel);
  for (int i = 0; i < kernel->pointers.count; i++)
    array_push(kernel->arena, &names.items, kernel->pointers.items[i].array->base);
  list_arrays(kernel->arena, &names, &kernel->function->body);
  name_elements(kernel->arena, &names, &kernel->function->body);
}
