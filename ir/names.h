/* Names in nested scopes, each unlike all that are visible with it: what is declared, in order, and cut off again when a scope ends. A name
   costs the same however many there are. */
#ifndef IR_NAMES_H
#define IR_NAMES_H

#include <stdbool.h>

#include "ir/table.h"

struct name_entry {
  const char *name;
  bool visible;
  int number; /* name_2 to the one before name_number are taken; 0: nobody asked yet */
  struct name_entry *base; /* of "x_12" that of "x", where `own` is 12; else NULL */
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
