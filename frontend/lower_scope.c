/* Names: scopes, frames, and what a name may mean at the place where it is used. */
#include "frontend/lower.h"

#include <stdarg.h>
#include <string.h>

/* --- Errors ------------------------------------------------------------------------------------------------------- */

enum { LONGEST_CHAIN = 8 };

struct thing fail(struct lowering *lowering, struct span span, const char *format, ...) {
  if (lowering->exhausted) return poison();
  va_list arguments;
  va_start(arguments, format);
  const char *message = arena_vformat(lowering->arena, format, arguments);
  va_end(arguments);
  const int before = lowering->diagnostics->error_count;
  report_error(lowering->diagnostics, span, "%s", message);
  if (lowering->diagnostics->error_count == before) return poison(); /* it was reported before, with its notes */
  int shown = 0;
  for (const struct frame *frame = lowering->frame; frame && frame->caller && shown < LONGEST_CHAIN;
       frame = frame->caller)
    if (frame->call.source)
      report_note(lowering->diagnostics, frame->call, "in the call of %s", frame->function), shown++;
  /* only few errors are shown, and wording each takes time */
  lowering->exhausted = lowering->diagnostics->error_count >= MAX_ERRORS;
  return poison();
}

bool is_exhausted(struct lowering *lowering, struct span span, int64_t steps) {
  if (lowering->exhausted) return true;
  lowering->steps_taken += steps;
  const bool values = lowering->graph && lowering->graph->values.count > MAX_VALUES;
  if (lowering->steps_taken <= MAX_STEPS && !values) return false;
  if (values)
    fail(lowering, span,
         "the graph '%s' has more than %d values by now: are there too many copies of repeats, or calls?",
         lowering->graph->name, MAX_VALUES);
  else
    fail(lowering, span,
         "more than %d expressions and statements are carried out by now: are there too many copies of "
         "repeats, or calls?",
         MAX_STEPS);
  int shown = 0;
  for (const struct unrolling *repeat = lowering->unrolling; repeat && shown < LONGEST_CHAIN;
       repeat = repeat->outer, shown++)
    report_note(lowering->diagnostics, repeat->statement->span, "in copy %d of %d of this repeat", repeat->copy + 1,
                repeat->count);
  return lowering->exhausted = true;
}

const char *suggestion(struct lowering *lowering, const char *name, const names *candidates) {
  if (lowering->diagnostics->error_count >= lowering->diagnostics->limit) return ""; /* it would not be shown */
  const char *closest = closest_name(name, candidates->items, candidates->count);
  return closest ? arena_format(lowering->arena, "; did you mean '%s'?", closest) : "";
}

void set_origin(struct lowering *lowering, struct span span) {
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

enum { FEW_SYMBOLS = 8 };

struct symbol *scope_find(const struct scope *scope, const char *name) {
  for (; scope; scope = scope->parent) {
    if (scope->names.count) {
      struct symbol *symbol = table_find(&scope->names, name);
      if (symbol) return symbol;
      continue;
    }
    for (int i = scope->symbols.count; i-- > 0;)
      if (!strcmp(scope->symbols.items[i]->name, name)) return scope->symbols.items[i];
  }
  return NULL;
}

struct symbol *scope_declare(struct lowering *lowering, struct scope *scope, const char *name, struct thing thing,
                             struct span span) {
  struct symbol *symbol = arena_new_struct(lowering->arena, struct symbol);
  *symbol = (struct symbol){.name = name, .thing = thing, .span = span};
  array_push(lowering->arena, &scope->symbols, symbol);
  if (scope->symbols.count > FEW_SYMBOLS)
    for (int i = scope->names.count ? scope->symbols.count - 1 : 0; i < scope->symbols.count; i++)
      table_set(lowering->arena, &scope->names, scope->symbols.items[i]->name, scope->symbols.items[i]);
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

/* The result of a look-up from a file: an item or an axis and the file that holds it, or nothing. */
struct found {
  const void *what;
  struct file *file;
};

/* Searches the file's own names first, then those of the files it uses, the last used first. A file that this search
   has visited already has no such name. */
static struct found search(struct file *file, enum ast_item_kind kind, const char *name, int visit) {
  if (file->visit == visit) return (struct found){0};
  file->visit = visit;
  const void *what = table_find(kind == ITEM_AXIS ? &file->axis_names : &file->items[kind], name);
  if (what) return (struct found){what, file};
  struct found found = {0};
  for (int i = file->uses.count; i-- > 0 && !found.what;) found = search(file->uses.items[i], kind, name, visit);
  return found;
}

static struct found look_up(struct lowering *lowering, const struct file *from, enum ast_item_kind kind,
                            const char *name) {
  struct file *file = (struct file *)from; /* the file remembers the result */
  struct found *known = table_find(&file->visible[kind], name);
  if (!known) {
    known = arena_new_struct(lowering->arena, struct found);
    *known = search(file, kind, name, ++lowering->visit);
    table_set(lowering->arena, &file->visible[kind], name, known);
  }
  return *known;
}

const struct ast_item *find_item(struct lowering *lowering, const struct file *file, enum ast_item_kind kind,
                                 const char *name, const struct file **holder) {
  const struct found found = look_up(lowering, file, kind, name);
  if (found.what && holder) *holder = found.file;
  return found.what;
}

struct global_axis *find_global_axis(struct lowering *lowering, const struct file *file, const char *name) {
  return (struct global_axis *)look_up(lowering, file, ITEM_AXIS, name).what;
}

static void item_names_in(struct lowering *lowering, struct file *file, enum ast_item_kind kind, names *into,
                          int visit) {
  if (file->visit == visit) return;
  file->visit = visit;
  for (int i = 0; i < file->tree->items.count; i++) {
    const struct ast_item *item = file->tree->items.items[i];
    const char *name = kind == ITEM_AXIS ? item->axis.name.text : item->name.text;
    if (item->kind == kind && name) array_push(lowering->arena, into, name);
  }
  for (int i = 0; i < file->uses.count; i++) item_names_in(lowering, file->uses.items[i], kind, into, visit);
}

void collect_item_names(struct lowering *lowering, const struct file *file, enum ast_item_kind kind, names *into) {
  if (lowering->diagnostics->error_count >= lowering->diagnostics->limit) return;
  item_names_in(lowering, (struct file *)file, kind, into, ++lowering->visit);
}

bool find_function(struct lowering *lowering, const char *name, struct thing *thing) {
  const struct symbol *symbol = scope_find(lowering->frame->scope, name);
  if (symbol && (symbol->thing.kind == THING_FUNCTION || symbol->thing.kind == THING_POISON)) {
    *thing = symbol->thing;
    return true;
  }
  const struct file *file = NULL;
  const struct ast_item *item = find_item(lowering, lowering->frame->file, ITEM_FUNCTION, name, &file);
  if (item) {
    *thing = (struct thing){.kind = THING_FUNCTION, .function = item, .file = file};
    return true;
  }
  const struct builtin *builtin = find_builtin(name);
  if (builtin) *thing = (struct thing){.kind = THING_FUNCTION, .builtin = builtin};
  return builtin != NULL;
}

bool has_own_meaning(const char *name) {
  static const char *const reserved[] = {"step",  "steps", "training", "example", "position",
                                         "batch", "inf",   "none",     "true",    "false"};
  for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
    if (!strcmp(name, reserved[i])) return true;
  return false;
}

struct parameter *find_parameter(struct lowering *lowering, const char *path) {
  struct parameter *parameter = NULL;
  if (*lowering->frame->path)
    parameter = table_find(&lowering->parameter_names, join_path(lowering->arena, lowering->frame->path, path));
  return parameter ? parameter : table_find(&lowering->parameter_names, path);
}

void collect_visible_names(struct lowering *lowering, names *into) {
  const struct frame *frame = lowering->frame;
  if (lowering->diagnostics->error_count >= lowering->diagnostics->limit) return; /* a suggestion would not be shown */
  for (const struct scope *scope = frame->scope; scope; scope = scope->parent)
    for (int i = 0; i < scope->symbols.count; i++) array_push(lowering->arena, into, scope->symbols.items[i]->name);
  const size_t length = strlen(frame->path);
  for (int i = 0; i < lowering->parameters.count; i++) {
    const char *path = lowering->parameters.items[i]->path;
    array_push(lowering->arena, into, path);
    if (length && !strncmp(path, frame->path, length) && path[length] == '.')
      array_push(lowering->arena, into, path + length + 1);
  }
  collect_item_names(lowering, frame->file, ITEM_AXIS, into);
  static const char *const special[] = {"inf", "none", "true", "false", "training", "step", "steps", "batch"};
  for (size_t i = 0; i < sizeof special / sizeof *special; i++) array_push(lowering->arena, into, special[i]);
}
