/* Names in nested scopes. A new name differs from all that are visible; the end of a scope frees its names. Declaring a
   name takes the same time however many there are. */
#ifndef IR_NAMES_H
#define IR_NAMES_H

#include <stdbool.h>

#include "ir/table.h"

struct name_entry {
  const char *name;
  bool visible;
  int number; /* the next suffix to try: smaller ones, from _2 on, are taken; 0: never counted */
  struct name_entry *base; /* for "x_12": the entry of "x", and `own` is 12; else NULL */
  int own;
};

struct scope_names {
  struct table table; /* struct name_entry *, by name */
  ARRAY(const char *) items; /* visible, the latest last; "" where one was forgotten before its scope ended */
};

/* `base`, or the first of `base`_2, `base`_3 ... that is free and that `is_reserved`, which may be NULL, leaves free; visible from here on. */
const char *names_declare(struct arena *arena, struct scope_names *names, const char *base,
                          bool (*is_reserved)(const char *name));
/* Ends scopes until `count` names are visible. */
void names_cut(struct scope_names *names, int count);
/* Frees a name early. */
void names_forget(struct scope_names *names, const char *name);

#endif
