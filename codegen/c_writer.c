/* The state of a function that is being printed: names, their meanings, and the lines so far. */
#include "codegen/c_writer.h"

#include <ctype.h>
#include <string.h>

struct c_printer *c_printer_new(struct arena *arena, const struct target *target) {
  struct c_printer *printer = arena_new_struct(arena, struct c_printer);
  *printer = (struct c_printer){
      .arena = arena, .target = target, .dialect = &dialect_c, .text = text_new(arena), .simd = simd_of(arena, target)};
  return printer;
}

struct writer writer_new(struct c_printer *printer, const struct function *function) {
  return (struct writer){.printer = printer,
                         .arena = printer->arena,
                         .target = printer->target,
                         .dialect = printer->dialect,
                         .simd = printer->simd,
                         .text = text_new(printer->arena),
                         .function = function,
                         .parts = text_new(printer->arena)};
}

/* --- Names -------------------------------------------------------------------------------------------------------------------- */

/* Macros have names in capitals (EOF, NULL, INT_MAX), so the spec's names in capitals are printed in small letters. No
   macro has one letter. */
static const char *in_small_letters(struct arena *arena, const char *name) {
  for (const char *at = name; *at; at++)
    if (islower((unsigned char)*at)) return name;
  if (!name[0] || !name[1]) return name;
  char *small = arena_strdup(arena, name);
  for (char *at = small; *at; at++) *at = (char)tolower((unsigned char)*at);
  return small;
}

const char *c_identifier(const struct c_printer *printer, const char *name) {
  name = in_small_letters(printer->arena, name);
  return printer->dialect->is_taken(name) ? arena_format(printer->arena, "%s_", name) : name;
}

const char *writer_declare(struct writer *writer, const char *name) {
  return names_declare(writer->arena, &writer->names, c_identifier(writer->printer, name), NULL);
}

void writer_bind(struct writer *writer, struct binding binding) {
  *pointer_table_at(writer->arena, &writer->places, binding.variable, 0) = writer->bindings.count;
  array_push(writer->arena, &writer->bindings, binding);
}

struct binding *writer_find(struct writer *writer, const struct variable *variable) {
  const int *place = pointer_table_find(&writer->places, variable);
  if (place && *place < writer->bindings.count && writer->bindings.items[*place].variable == variable)
    return &writer->bindings.items[*place];
  /* The latest binding was in a scope that has ended. */
  for (int i = writer->bindings.count - 1; i >= 0; i--)
    if (writer->bindings.items[i].variable == variable) return &writer->bindings.items[i];
  bug("%s: the variable %s is not in scope", writer->function->name, variable->name);
}

struct array_binding *writer_find_array(struct writer *writer, const struct array *array) {
  for (int i = writer->arrays.count - 1; i >= 0; i--)
    if (writer->arrays.items[i].array == array) return &writer->arrays.items[i];
  bug("%s: the array %s is not in scope", writer->function->name, array->name);
}

const char *vector_element(struct writer *writer, const struct array_binding *array, const struct expression *start) {
  writer_mention(writer, array->name);
  if (array->single) return array->name;
  const struct expression *lanes = expression_index(writer->arena, writer->target->lanes);
  const struct expression *place = expression_apply(writer->arena, OP_quotient, start, lanes, NULL);
  return arena_format(writer->arena, "%s[%s]", array->name, scalar_text(writer, place));
}

static bool has_values(struct writer *writer, const struct expression *x) {
  if (x->kind == EXPRESSION_VARIABLE) return writer_find(writer, x->variable)->kind == BINDING_VALUE;
  for (int i = 0; i < x->argument_count; i++)
    if (has_values(writer, x->arguments[i])) return true;
  return false;
}

const struct expression *writer_resolve(struct writer *writer, const struct expression *x) {
  if (!has_values(writer, x)) return x;
  struct arena *arena = writer->arena;
  const struct expression *arguments[5] = {NULL, NULL, NULL, NULL, NULL};
  for (int i = 0; i < x->argument_count; i++) arguments[i] = writer_resolve(writer, x->arguments[i]);
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      return x;
    case EXPRESSION_VARIABLE:
      return writer_resolve(writer, writer_find(writer, x->variable)->expression);
    case EXPRESSION_LOAD:
      return expression_load(arena, x->array, arguments[0]);
    case EXPRESSION_APPLY:
      if (x->op == OP_cast) return expression_cast(arena, x->storage, arguments[0]);
      return expression_apply(arena, x->op, arguments[0], arguments[1], arguments[2]);
    case EXPRESSION_FMA:
      return expression_fma(arena, arguments[0], arguments[1], arguments[2]);
    case EXPRESSION_DOT:
      return expression_dot(arena, x->lanes, arguments[0], arguments[1], arguments[2]);
    case EXPRESSION_QUANTILE:
      return expression_quantile(arena, arguments[0], arguments[1], arguments[2]);
    case EXPRESSION_CONVERT:
      return expression_convert(arena, x->type, arguments[0]);
    case EXPRESSION_FOLD:
      return expression_fold(arena, x->op, x->array, arguments[0], x->lanes);
    case EXPRESSION_DRAW:
      return expression_draw(arena, x->distribution, arguments);
  }
  bug("no such expression");
}

struct piece writer_fill(struct writer *writer, const struct template *template, const struct piece *arguments) {
  return template_fill(writer->arena, &writer->printer->uses, template, arguments);
}

/* --- What the text mentions ------------------------------------------------------------------------------------------------------ */

const char *writer_mention(struct writer *writer, const char *name) {
  uses_add(writer->arena, &writer->own, name);
  return name;
}

bool writer_mentions_since(const struct writer *writer, struct mark mark, const char *name) {
  for (int i = mark.names; i < writer->own.names.count; i++)
    if (!strcmp(writer->own.names.items[i], name)) return true;
  return false;
}

const char *writer_array(struct writer *writer, const struct array *array) {
  return writer_mention(writer, writer_find_array(writer, array)->name);
}

struct mark writer_mark(const struct writer *writer) {
  return (struct mark){writer->own.names.count, writer->printer->uses.names.count};
}

void writer_forget(struct writer *writer, struct mark from, struct mark to) {
  uses_drop(&writer->own, from.names, to.names);
  uses_drop(&writer->printer->uses, from.uses, to.uses);
}

/* --- Lines ------------------------------------------------------------------------------------------------------------------------- */

void writer_line(struct writer *writer, enum line_kind kind, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const char *line = arena_vformat(writer->arena, format, arguments);
  va_end(arguments);
  text_line(writer->text, "%s", line);
  writer->lines = (struct lines){.count = writer->lines.count + 1, .kind = kind, .line = line};
}

void writer_assign(struct writer *writer, const char *place, const char *value) {
  writer_line(writer, LINE_SIMPLE, "%s = %s;", place, value);
  writer->lines.assigned = place;
}

void writer_comment(struct writer *writer, const char *comment) {
  text_comment(writer->text, comment);
  writer->lines = (struct lines){.count = writer->lines.count + 1, .kind = LINE_DECLARATION};
}

struct aside writer_begin_aside(struct writer *writer, int indentation) {
  struct aside outer = {writer->text, writer->lines};
  writer->text = text_new(writer->arena);
  writer->text->indentation = indentation;
  writer->lines = (struct lines){0};
  return outer;
}

struct aside writer_end_aside(struct writer *writer, struct aside outer) {
  struct aside inner = {writer->text, writer->lines};
  writer->text = outer.text;
  writer->lines = outer.lines;
  return inner;
}
