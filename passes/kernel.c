#include <string.h>

#include "passes/forward.h"
#include "passes/stream.h"
#include "passes/unused.h"

/* The kernel of the stream that is being written, whose parts write into it; or NULL. */
static struct kernel *kernel_around(const struct scheduler *scheduler) {
  return scheduler->stream ? scheduler->stream->kernel : NULL;
}

struct kernel *kernel_new(struct scheduler *scheduler, const struct value *value, const char *what) {
  struct arena *arena = scheduler->arena;
  struct kernel *kernel = kernel_around(scheduler);
  if (kernel) {
    kernel->value = value;
    return kernel;
  }
  kernel = arena_new_struct(arena, struct kernel);
  kernel->scheduler = scheduler;
  kernel->value = value;
  kernel->arena = arena;
  const char *part = value->origin.function && value->origin.function[0] ? value->origin.function : NULL;
  bool back = facts_is_way_back(&scheduler->facts, value) && !strstr(what, "gradient");
  const char *words[3] = {part, back ? "gradient" : NULL, what[0] ? what : NULL}, *name = NULL;
  for (int i = 0; i < 3; i++)
    if (words[i]) name = name ? arena_format(arena, "%s_%s", name, words[i]) : words[i];
  kernel->function = function_new(arena, name_identifier(arena, name ? name : op_facts[value->op].name));
  kernel->launch = arena_new_struct(arena, struct launch);
  kernel->launch->label = value->name ? value->name : value->origin.path;
  kernel->launch->origin = value->origin;
  kernel->open[0] = (struct open_block){&kernel->function->body, -1};
  return kernel;
}

static void count_uses(struct scheduler *s, const struct value *value) {
  for (int i = 0; i < value->input_count; i++) {
    const struct value *input = value->inputs[i];
    int *uses = memo_table_find(&s->scratch.uses, input);
    if (uses) {
      ++*uses;
      continue;
    }
    memo_table_set(&s->scratch.uses, input, 1);
    if (!note_of(s, input)->place && access_is_expression(input)) count_uses(s, input);
  }
}

void kernel_count_uses(struct scheduler *s, const struct value *const *roots, int count) {
  memo_table_clear(&s->scratch.uses);
  for (int i = 0; i < count; i++) count_uses(s, roots[i]);
}

int kernel_uses(const struct scheduler *s, const struct value *value) {
  const int *uses = memo_table_find(&s->scratch.uses, value);
  return uses ? *uses : 0;
}

struct block *kernel_block(struct kernel *kernel) { return kernel->open[kernel->depth].block; }

struct array *kernel_pointer(struct kernel *kernel, struct buffer *buffer, bool written) {
  return kernel_window(kernel, &(struct place){.buffer = buffer}, written);
}

struct array *kernel_place(struct kernel *kernel, const struct place *place, bool written) {
  return kernel_window(kernel, &(struct place){.buffer = place->buffer, .named = place->named}, written);
}

const struct buffer *pointer_shown(const struct pointer_parameter *pointer) {
  return pointer->found ? pointer->found : pointer->stored;
}

/* What a kernel reads after it has stored to the same memory is its own. */
static void note_name(struct pointer_parameter *pointer, struct buffer *name, bool written) {
  if (written)
    pointer->stored = name, pointer->array->written = true;
  else if (!pointer->stored && !pointer->found)
    pointer->found = name;
}

struct array *kernel_window(struct kernel *kernel, const struct place *place, bool written) {
  struct buffer *buffer = place->buffer, *known_as = place->named ? place->named : buffer;
  const int64_t offset = place->offset;
  if (known_as != buffer && known_as->memory != buffer) bug("%s does not lie in %s", known_as->label, buffer->label);
  for (int i = 0; i < kernel->pointers.count; i++) {
    struct pointer_parameter *pointer = &kernel->pointers.items[i];
    if (pointer->buffer != buffer || pointer->offset != offset) continue;
    note_name(pointer, known_as, written);
    return pointer->array;
  }
  const char *name = name_end(kernel->arena, buffer->label, 1);
  struct array *array = function_add_pointer(kernel->arena, kernel->function, name, buffer->type,
                                             offset || kernel->any_count ? 0 : buffer->count, written,
                                             kernel->any_count ? NULL : buffer->comment);
  array->storage = buffer->storage;
  struct pointer_parameter pointer = {buffer, offset, array, NULL, NULL};
  note_name(&pointer, known_as, written);
  array_push(kernel->arena, &kernel->pointers, pointer);
  return array;
}

struct variable *kernel_number(struct kernel *kernel, const char *name, enum type type,
                               struct launch_argument argument) {
  for (int i = 0; i < kernel->numbers.count; i++) {
    const struct launch_argument *other = &kernel->numbers.items[i].argument;
    if (kernel->numbers.items[i].variable->type == type && other->number_kind == argument.number_kind &&
        other->number == argument.number && other->real == argument.real)
      return kernel->numbers.items[i].variable;
  }
  struct variable *variable = function_add_number(kernel->arena, kernel->function, name, type);
  array_push(kernel->arena, &kernel->numbers, (struct number_parameter){variable, argument});
  array_push(kernel->arena, &kernel->variables, (struct leveled_variable){variable, 0});
  return variable;
}

const struct expression *kernel_extent(struct kernel *kernel, const struct axis *axis) {
  const struct expression *needed = stream_needed(kernel->scheduler->stream, axis);
  if (needed) return needed;
  if (!axis->size) return expression_index(kernel->arena, axis->extent);
  struct launch_argument argument = {.number_kind = NUMBER_SIZE, .number = axis->size->index};
  struct variable *number =
      kernel_number(kernel, name_identifier(kernel->arena, axis->size->name), TYPE_INDEX, argument);
  number->bound = axis->size->bound + 1;
  return expression_variable(kernel->arena, number);
}

static void open_inner(struct kernel *kernel, struct block *block) {
  struct open_block *outer = &kernel->open[kernel->depth];
  outer->position = outer->block->statements.count - 1;
  if (++kernel->depth == MAX_OPEN_BLOCKS) bug("loops nested too deep in %s", kernel->function->name);
  kernel->open[kernel->depth] = (struct open_block){block, -1};
}

struct linear kernel_loop(struct kernel *kernel, enum loop_kind kind, const char *name, const struct expression *extent,
                          int64_t bound, int64_t step) {
  if (kind == LOOP_PARALLEL && (kernel_around(kernel->scheduler) || !kernel->scheduler->pipeline.on[PASS_parallel]))
    kind = LOOP_SERIAL;
  struct statement *loop = block_loop(kernel->arena, kernel_block(kernel), kind, name, extent);
  loop->step = loop->variable->multiple = step;
  open_inner(kernel, &loop->body);
  array_push(kernel->arena, &kernel->variables, (struct leveled_variable){loop->variable, kernel->depth});
  return linear_variable(kernel->arena, loop->variable, (bound - 1) / step * step, step, kernel->depth);
}

void kernel_if(struct kernel *kernel, const struct expression *condition) {
  struct statement *guard = block_if(kernel->arena, kernel_block(kernel), condition);
  /* Expressions of the surrounding loop's variable are safe to compute only behind the guard. */
  int outer = kernel->depth;
  open_inner(kernel, &guard->body);
  for (int i = 0; i < kernel->variables.count; i++)
    if (kernel->variables.items[i].level == outer) kernel->variables.items[i].level = kernel->depth;
}

struct linear kernel_guard_lane(struct kernel *kernel, struct linear lane, const struct expression *condition,
                                int64_t bound) {
  if (condition->kind == EXPRESSION_NUMBER && condition->number != 0) return lane;
  kernel_if(kernel, condition);
  return linear_variable(kernel->arena, lane.terms[0].atom->variable, bound - 1, 1, kernel->depth);
}

struct linear kernel_lanes_below(struct kernel *kernel, struct linear lane, const struct expression *count,
                                 int64_t bound) {
  struct arena *arena = kernel->arena;
  const struct expression *is_below = expression_apply(arena, OP_lt, linear_expression(arena, lane), count, NULL);
  return kernel_guard_lane(kernel, lane, is_below, bound);
}

void kernel_end(struct kernel *kernel) {
  int closed = kernel->depth--;
  kernel->open[kernel->depth].position = -1;
  int kept = 0;
  for (int i = 0; i < kernel->memos.count; i++)
    if (kernel->memos.items[i].known.level < closed) kernel->memos.items[kept++] = kernel->memos.items[i];
  kernel->memos.count = kept;
}

void kernel_close_to(struct kernel *kernel, int depth) {
  while (kernel->depth > depth) kernel_end(kernel);
}

static struct variable *let(struct kernel *kernel, int level, const char *name, const struct expression *x) {
  struct open_block *outer = &kernel->open[level];
  struct variable *variable = block_let(kernel->arena, outer->block, name, x);
  if (outer->position >= 0) {
    struct statement **items = outer->block->statements.items;
    int last = outer->block->statements.count - 1;
    struct statement *statement = items[last];
    memmove(&items[outer->position + 1], &items[outer->position], sizeof *items * (size_t)(last - outer->position));
    items[outer->position++] = statement;
  }
  array_push(kernel->arena, &kernel->variables, (struct leveled_variable){variable, level});
  return variable;
}

struct leveled kernel_let(struct kernel *kernel, int level, const char *name, const struct expression *x) {
  return (struct leveled){expression_variable(kernel->arena, let(kernel, level, name, x)), level};
}

struct leveled kernel_let_value(struct kernel *kernel, int level, const struct value *value,
                                const struct expression *x) {
  struct variable *variable = let(kernel, level, value_title(kernel->arena, value), x);
  variable->unnamed = !value->name && !value->call;
  return (struct leveled){expression_variable(kernel->arena, variable), level};
}

struct linear kernel_named(struct kernel *kernel, const char *name, struct linear x) {
  if (x.count != 1 || x.terms[0].atom->kind == ATOM_VARIABLE) return x;
  int64_t low, high;
  linear_range(x, &low, &high);
  const struct variable *variable = let(kernel, kernel->depth, name, linear_expression(kernel->arena, x));
  return linear_variable(kernel->arena, variable, high, 1, kernel->depth);
}

struct array *kernel_array(struct kernel *kernel, const char *name, enum type type, enum memory memory, int64_t count) {
  return block_array(kernel->arena, kernel_block(kernel), name, type, memory, count);
}

void kernel_store(struct kernel *kernel, struct array *array, struct linear index, const struct expression *x) {
  block_store(kernel->arena, kernel_block(kernel), array, linear_expression(kernel->arena, index), x);
}

const struct expression *kernel_fold(struct kernel *kernel, enum op op, struct array *array, int vectors) {
  return expression_fold(kernel->arena, op, array, expression_index(kernel->arena, 0),
                         vectors * kernel->scheduler->target->lanes);
}

int kernel_level(struct kernel *kernel, const struct expression *x) {
  if (x->kind == EXPRESSION_VARIABLE) {
    for (int i = kernel->variables.count - 1; i >= 0; i--)
      if (kernel->variables.items[i].variable == x->variable) return kernel->variables.items[i].level;
    bug("variable %s is not the kernel's", x->variable->name);
  }
  if (x->kind == EXPRESSION_FOLD) return kernel->depth;
  if (x->kind == EXPRESSION_LOAD && x->array->memory != MEMORY_GLOBAL) return kernel->depth;
  int level = 0;
  for (int i = 0; i < x->argument_count; i++) {
    int inner = kernel_level(kernel, x->arguments[i]);
    if (inner > level) level = inner;
  }
  return level;
}

void kernel_remember(struct kernel *kernel, const struct value *value, const struct coordinates *at,
                     struct leveled known) {
  struct memo memo = {value, arena_new_array(kernel->arena, struct linear, value->axis_count), known};
  for (int i = 0; i < value->axis_count; i++) memo.at[i] = coordinates_get(at, value->axes[i]);
  array_push(kernel->arena, &kernel->memos, memo);
}

struct local *kernel_local(struct kernel *kernel, const struct value *value) {
  for (int i = 0; i < kernel->locals.count; i++)
    if (kernel->locals.items[i].value == value) return &kernel->locals.items[i];
  return NULL;
}

bool kernel_recall(struct kernel *kernel, const struct value *value, const struct coordinates *at,
                   struct leveled *known) {
  for (int i = kernel->memos.count - 1; i >= 0; i--) {
    const struct memo *memo = &kernel->memos.items[i];
    if (memo->value != value) continue;
    bool same = true;
    for (int j = 0; j < value->axis_count && same; j++)
      same = linear_equal(memo->at[j], coordinates_get(at, value->axes[j]));
    if (same) {
      *known = memo->known;
      return true;
    }
  }
  return false;
}

struct ahead kernel_go_ahead(struct kernel *kernel) {
  struct ahead ahead = {.depth = kernel->depth};
  for (int i = kernel->base; i <= kernel->depth; i++) ahead.open[i] = kernel->open[i];
  kernel->depth = kernel->base - 1;
  ahead.outer = kernel->open[kernel->depth];
  ahead.count = ahead.outer.block->statements.count;
  kernel->open[kernel->depth].position = -1;
  return ahead;
}

void kernel_go_back(struct kernel *kernel, const struct ahead *ahead) {
  struct block *block = ahead->outer.block;
  struct statement **items = block->statements.items;
  const int added = block->statements.count - ahead->count, place = ahead->outer.position, moved = ahead->count - place;
  kernel_close_to(kernel, kernel->base - 1);
  struct statement **after = arena_new_array(kernel->arena, struct statement *, moved);
  memcpy(after, items + place, sizeof *after * (size_t)moved);
  memmove(items + place, items + ahead->count, sizeof *items * (size_t)added);
  memcpy(items + place + added, after, sizeof *after * (size_t)moved);
  kernel->open[kernel->depth].position = place + added;
  kernel->depth = ahead->depth;
  for (int i = kernel->base; i <= kernel->depth; i++) kernel->open[i] = ahead->open[i];
}

/* Gives the function that the launch calls its formula. One that an earlier kernel made, for values of other names or axes,
   says that its formula is that of its first call; once it says so, further kernels need no formula. */
static void tell_formula(struct kernel *kernel, struct function *called) {
  const bool own = called == kernel->function;
  if (own ? called->comment != NULL : !called->formula || called->serves_several) return;
  const char *formula = kernel_formula(kernel);
  if (own)
    called->formula = formula;
  else if (!formula || strcmp(formula, called->formula) != 0)
    function_serve_several(kernel->arena, called);
}

/* Parameters are first the pointers that are read, then those that are written, then numbers, so that a call reads like
   an assignment from left to right. The launch's arguments have the same order. */
void kernel_finish(struct kernel *kernel) {
  if (kernel_around(kernel->scheduler)) {
    kernel_close_to(kernel, kernel->base);
    kernel->locals.count = 0;
    kernel->row = NULL;
    return;
  }
  struct arena *arena = kernel->arena;
  struct function *function = kernel->function;
  struct launch *launch = kernel->launch;
  forward_unnamed(arena, function);
  struct mentions mentions = drop_unused(arena, function);
  function_store_exactly(arena, function);
  kernel_choose_names(kernel);
  function->parameters.count = 0;
  for (int written = 0; written < 2; written++) {
    for (int i = 0; i < kernel->pointers.count; i++) {
      struct pointer_parameter *pointer = &kernel->pointers.items[i];
      if (pointer->array->written != (written == 1) || !is_mentioned(&mentions, pointer->array)) continue;
      array_push(arena, &function->parameters, (struct parameter){pointer->array, NULL});
      array_push(arena, &launch->arguments,
                 ((struct launch_argument){.buffer = pointer->buffer,
                                           .shown = (struct buffer *)(uintptr_t)pointer_shown(pointer),
                                           .offset = pointer->offset}));
    }
  }
  for (int i = 0; i < kernel->numbers.count; i++) {
    if (!is_mentioned(&mentions, kernel->numbers.items[i].variable)) continue;
    array_push(arena, &function->parameters, (struct parameter){NULL, kernel->numbers.items[i].variable});
    array_push(arena, &launch->arguments, kernel->numbers.items[i].argument);
  }
  times_enter(kernel->scheduler->options->times, "share");
  struct function *called = share_function(kernel->scheduler, function);
  launch->function = called;
  kernel_tell_parts(kernel);
  tell_formula(kernel, called);
  times_leave(kernel->scheduler->options->times);
  array_push(arena, &kernel->scheduler->routine->launches, launch);
  array_push(arena, &kernel->scheduler->decisions.forms, kernel->form);
}
