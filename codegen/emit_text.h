/* Constants of C and rows of tables, for the files that write what other C reads. */
#ifndef CODEGEN_EMIT_TEXT_H
#define CODEGEN_EMIT_TEXT_H

#include "codegen/text.h"
#include "ir/loop.h"

/* The runtime's constants of element types, by kind and by type. */
extern const char *const c_kind_constants[];
const char *c_type_constant(enum type type);
/* A C string, or NULL. */
const char *c_string(struct arena *arena, const char *text);
/* The shortest text that gives the number back. */
const char *c_double(struct arena *arena, double x);
/* "\"vocab,embed\"" */
const char *c_axes(struct arena *arena, struct axis *const *axes, int count);
/* "{12, 64}"; `name` is for the message where there are too many. */
const char *c_shape(struct arena *arena, const char *name, struct axis *const *axes, int count);

/* Rows of a table, as many to a line as fit. */
struct rows {
  struct text *text;
  const char *line; /* what is not yet written */
};
void rows_add(struct rows *rows, const char *row);
void rows_end(struct rows *rows);

#endif
