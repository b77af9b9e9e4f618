/* Names: scopes, frames, and what a name may mean where it stands. */
#include "frontend/lower.h"

#include <stdarg.h>
#include <string.h>

/* --- Errors ------------------------------------------------------------------------------------------------------- */

enum { LONGEST_CHAIN = 8 };

struct thing fail(struct lowering *lowering, struct span span, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const char *message = arena_vformat(lowering->arena, format, arguments);
  va_end(arguments);
  const int before = lowering->diagnostics->error_count;
  report_error(lowering->diagnostics, span, "%s", message);
  if (lowering->diagnostics->error_count == before) return poison(); /* said before; its notes too */
  int shown = 0;
  for (const struct frame *frame = lowering->frame; frame && frame->caller && shown < LONGEST_CHAIN;
       frame = frame->caller)
    if (frame->call.source)
      report_note(lowering->diagnostics, frame->call, "in the call of %s", frame->function), shown++;
  return poison();
}

const char *suggestion(struct lowering *lowering, const char *name, const names *candidates) {
  const char *closest = closest_name(name, candidates->items, candidates->count);
  return closest ? arena_format(lowering->arena, "; did you mean '%s'?", closest) : "";
}

void place(struct lowering *lowering, struct span span) {
  if (!lowering->graph) return;
  const struct frame *frame = lowering->frame;
  lowering->graph->origin = (struct origin){.span = span,
                                            .path = frame ? frame->path : "",
                                            .function = frame ? frame->function : "",
                                            .repeat = frame ? frame->repeat : NULL,
                                            .copy = frame ? frame->copy : 0};
}

const char *join_path(struct arena *arena, const char *path, const char *name) {
  const size_t length = strlen(path), rest = strlen(name);
  if (!length) return name;
  char *joined = arena_alloc(arena, length + rest + 2);
  memcpy(joined, path, length);
  joined[length] = '.';
  memcpy(joined + length + 1, name, rest);
  return joined;
}

int next_ordinal(struct lowering *lowering, const char *key) {
  int *counter = table_find(&lowering->counters, key);
  if (!counter) {
    counter = arena_new_struct(lowering->arena, int);
    table_set(lowering->arena, &lowering->counters, key, counter);
  }
  return (*counter)++;
}

struct thing thing_number(double number, bool integer) {
  return (struct thing){.kind = THING_NUMBER, .number = number, .integer = integer};
}
struct thing thing_boolean(bool value) {
  return (struct thing){.kind = THING_NUMBER, .number = value, .integer = true, .boolean = true};
}

/* --- Scopes ------------------------------------------------------------------------------------------------------- */

struct scope *scope_new(struct arena *arena, struct scope *parent) {
  struct scope *scope = arena_new_struct(arena, struct scope);
  scope->parent = parent;
  return scope;
}

struct symbol *scope_find(const struct scope *scope, const char *name) {
  for (; scope; scope = scope->parent)
    for (int i = scope->symbols.count; i-- > 0;)
      if (!strcmp(scope->symbols.items[i]->name, name)) return scope->symbols.items[i];
  return NULL;
}

struct symbol *scope_declare(struct lowering *lowering, struct scope *scope, const char *name, struct thing thing,
                             struct span span) {
  struct symbol *symbol = arena_new_struct(lowering->arena, struct symbol);
  *symbol = (struct symbol){.name = name, .thing = thing, .span = span};
  array_push(lowering->arena, &scope->symbols, symbol);
  return symbol;
}

struct frame *frame_new(struct lowering *lowering, const struct file *file, const struct ast_item *item,
                        const char *path, struct span call) {
  struct frame *frame = arena_new_struct(lowering->arena, struct frame);
  *frame = (struct frame){.caller = lowering->frame,
                          .file = file,
                          .item = item,
                          .function = item && item->kind == ITEM_FUNCTION ? item->name.text : "",
                          .path = path,
                          .call = call,
                          .scope = scope_new(lowering->arena, NULL)};
  if (lowering->frame) {
    frame->repeat = lowering->frame->repeat;
    frame->copy = lowering->frame->copy;
    frame->sharing = lowering->frame->sharing;
  }
  return frame;
}

/* --- Top-level names ---------------------------------------------------------------------------------------------- */

enum { DEEPEST_USE = 16 };

static const struct ast_item *item_in(const struct file *file, enum ast_item_kind kind, const char *name,
                                      const struct file **found, int depth) {
  for (int i = 0; i < file->tree->items.count; i++) {
    const struct ast_item *item = file->tree->items.items[i];
    if (item->kind == kind && item->name.text && !strcmp(item->name.text, name)) {
      if (found) *found = file;
      return item;
    }
  }
  for (int i = file->uses.count; i-- > 0 && depth < DEEPEST_USE;) {
    const struct ast_item *item = item_in(file->uses.items[i], kind, name, found, depth + 1);
    if (item) return item;
  }
  return NULL;
}

const struct ast_item *find_item(const struct file *file, enum ast_item_kind kind, const char *name,
                                 const struct file **found) {
  return item_in(file, kind, name, found, 0);
}

static struct global_axis *global_axis_in(const struct file *file, const char *name, int depth) {
  for (int i = 0; i < file->axes.count; i++)
    if (!strcmp(file->axes.items[i]->declaration->name.text, name)) return file->axes.items[i];
  for (int i = file->uses.count; i-- > 0 && depth < DEEPEST_USE;) {
    struct global_axis *axis = global_axis_in(file->uses.items[i], name, depth + 1);
    if (axis) return axis;
  }
  return NULL;
}

struct global_axis *find_global_axis(const struct file *file, const char *name) {
  return global_axis_in(file, name, 0);
}

static void item_names_in(struct lowering *lowering, const struct file *file, enum ast_item_kind kind, names *into,
                          int depth) {
  for (int i = 0; i < file->tree->items.count; i++) {
    const struct ast_item *item = file->tree->items.items[i];
    if (item->kind == kind && item->name.text) array_push(lowering->arena, into, item->name.text);
  }
  for (int i = 0; i < file->uses.count && depth < DEEPEST_USE; i++)
    item_names_in(lowering, file->uses.items[i], kind, into, depth + 1);
}

void collect_item_names(struct lowering *lowering, const struct file *file, enum ast_item_kind kind, names *into) {
  item_names_in(lowering, file, kind, into, 0);
}

bool find_function(struct lowering *lowering, const char *name, struct thing *thing) {
  const struct symbol *symbol = scope_find(lowering->frame->scope, name);
  if (symbol && (symbol->thing.kind == THING_FUNCTION || symbol->thing.kind == THING_POISON)) {
    *thing = symbol->thing;
    return true;
  }
  const struct file *file = NULL;
  const struct ast_item *item = find_item(lowering->frame->file, ITEM_FUNCTION, name, &file);
  if (item) {
    *thing = (struct thing){.kind = THING_FUNCTION, .function = item, .file = file};
    return true;
  }
  const struct builtin *builtin = find_builtin(name);
  if (builtin) *thing = (struct thing){.kind = THING_FUNCTION, .builtin = builtin};
  return builtin != NULL;
}

struct parameter *find_parameter(struct lowering *lowering, const char *path) {
  struct parameter *parameter = NULL;
  if (*lowering->frame->path)
    parameter = table_find(&lowering->parameter_names, join_path(lowering->arena, lowering->frame->path, path));
  return parameter ? parameter : table_find(&lowering->parameter_names, path);
}

static void collect_global_axes(struct lowering *lowering, const struct file *file, names *into, int depth) {
  for (int i = 0; i < file->axes.count; i++)
    array_push(lowering->arena, into, file->axes.items[i]->declaration->name.text);
  for (int i = 0; i < file->uses.count && depth < DEEPEST_USE; i++)
    collect_global_axes(lowering, file->uses.items[i], into, depth + 1);
}

void collect_visible_names(struct lowering *lowering, names *into) {
  const struct frame *frame = lowering->frame;
  for (const struct scope *scope = frame->scope; scope; scope = scope->parent)
    for (int i = 0; i < scope->symbols.count; i++) array_push(lowering->arena, into, scope->symbols.items[i]->name);
  const size_t length = strlen(frame->path);
  for (int i = 0; i < lowering->parameters.count; i++) {
    const char *path = lowering->parameters.items[i]->path;
    array_push(lowering->arena, into, path);
    if (length && !strncmp(path, frame->path, length) && path[length] == '.')
      array_push(lowering->arena, into, path + length + 1);
  }
  collect_global_axes(lowering, frame->file, into, 0);
  static const char *const special[] = {"inf", "none", "true", "false", "training", "step", "steps", "batch"};
  for (size_t i = 0; i < sizeof special / sizeof *special; i++) array_push(lowering->arena, into, special[i]);
}
