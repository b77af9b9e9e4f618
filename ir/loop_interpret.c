/* Runs functions of the loop IR in double, one iteration after the other, and watches every element: who wrote it and who read
   it, in the enclosing parallel loop and in the enclosing vector loop. */
#include "ir/loop.h"

#include <math.h>
#include <setjmp.h>
#include <string.h>

#include "ir/interpret.h"

/* Each iteration of each run of a parallel or vector loop has a number of its own, counted up from 1. A loop that began at
   number `start` races with whoever touched an element at `start` or later, unless that was the present iteration. */
enum watch { WATCH_PARALLEL, WATCH_VECTOR, WATCHES };

struct touch {
  int64_t writer, reader, other_reader; /* the last two different readers */
};

struct cells {
  double *data;
  unsigned char *defined; /* NULL: all are */
  int64_t count;
  struct touch *touches[WATCHES];
};

struct binding {
  const void *thing; /* variable or array */
  double number;
  struct cells *cells;
  int64_t offset;
};

struct machine {
  struct arena *arena;
  const struct function *function;
  jmp_buf failure;
  const char *message;
  int64_t iteration, start[WATCHES], present[WATCHES]; /* start 0: outside any */
  int call_depth;
  ARRAY(struct cells *) memories; /* those of arguments, with the caller's memory they stand for */
  ARRAY(const struct loop_memory *) owners;
  struct environment_table {
    struct binding *items;
    int count, capacity; /* a power of two; half full at most */
  } table;
};

static _Noreturn void fail(struct machine *machine, const char *format, ...) __attribute__((format(printf, 2, 3)));

static _Noreturn void fail(struct machine *machine, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  machine->message = arena_format(machine->arena, "function %s: %s", machine->function->name,
                                  arena_vformat(machine->arena, format, arguments));
  va_end(arguments);
  longjmp(machine->failure, 1);
}

/* --- Bindings: variables and arrays of the function that runs, by address ------------------------------------------------------ */

static struct binding *slot(struct environment_table *table, const void *thing) {
  size_t at = ((size_t)thing >> 4) * 0x9E3779B97F4A7C15u >> 20;
  for (;; at++) {
    struct binding *binding = &table->items[at & (size_t)(table->capacity - 1)];
    if (!binding->thing || binding->thing == thing) return binding;
  }
}

static struct binding *bind(struct machine *machine, const void *thing) {
  struct environment_table *table = &machine->table;
  if (table->count * 2 >= table->capacity) {
    struct environment_table grown = {.capacity = table->capacity ? table->capacity * 2 : 64};
    grown.items = arena_new_array(machine->arena, struct binding, grown.capacity);
    for (int i = 0; i < table->capacity; i++)
      if (table->items[i].thing) *slot(&grown, table->items[i].thing) = table->items[i];
    grown.count = table->count;
    *table = grown;
  }
  struct binding *binding = slot(table, thing);
  if (!binding->thing) table->count++;
  binding->thing = thing;
  return binding;
}

static struct binding *lookup(struct machine *machine, const void *thing, const char *name) {
  struct binding *binding = machine->table.capacity ? slot(&machine->table, thing) : NULL;
  if (!binding || !binding->thing) fail(machine, "%s has no value", name);
  return binding;
}

/* --- Memory ------------------------------------------------------------------------------------------------------------------ */

static struct cells *cells_new(struct arena *arena, double *data, unsigned char *defined, int64_t count) {
  struct cells *cells = arena_new_struct(arena, struct cells);
  cells->data = data, cells->defined = defined, cells->count = count;
  for (int i = 0; i < WATCHES; i++) cells->touches[i] = arena_new_array(arena, struct touch, count);
  return cells;
}

static const char *const watch_names[WATCHES] = {"parallel", "vector"};

static void note_read(struct machine *machine, const struct array *array, struct cells *cells, int64_t at,
                      int64_t index) {
  for (int i = 0; i < WATCHES; i++) {
    if (!machine->start[i]) continue;
    struct touch *touch = &cells->touches[i][at];
    if (touch->writer >= machine->start[i] && touch->writer != machine->present[i])
      fail(machine, "race: %s[%lld] is read and another iteration of the %s loop wrote it", array->name,
           (long long)index, watch_names[i]);
    if (touch->reader == machine->present[i]) continue;
    touch->other_reader = touch->reader;
    touch->reader = machine->present[i];
  }
}

static void note_write(struct machine *machine, const struct array *array, struct cells *cells, int64_t at,
                       int64_t index) {
  for (int i = 0; i < WATCHES; i++) {
    if (!machine->start[i]) continue;
    struct touch *touch = &cells->touches[i][at];
    int64_t start = machine->start[i], present = machine->present[i];
    if (touch->writer >= start && touch->writer != present)
      fail(machine, "race: %s[%lld] is written by two iterations of the %s loop", array->name, (long long)index,
           watch_names[i]);
    if ((touch->reader >= start && touch->reader != present) ||
        (touch->other_reader >= start && touch->other_reader != present))
      fail(machine, "race: %s[%lld] is written and another iteration of the %s loop read it", array->name,
           (long long)index, watch_names[i]);
    touch->writer = present;
  }
}

/* The element's place in its cells. */
static int64_t locate(struct machine *machine, const struct array *array, struct binding *binding, double index) {
  int64_t limit = array->count ? array->count : binding->cells->count - binding->offset;
  if (!(index >= 0) || index >= (double)limit)
    fail(machine, "%s[%.0f] is out of bounds: it has %lld elements", array->name, index, (long long)limit);
  int64_t at = binding->offset + (int64_t)index;
  if (at < 0 || at >= binding->cells->count)
    fail(machine, "%s[%.0f] is outside of the memory given for it", array->name, index);
  return at;
}

static double load(struct machine *machine, const struct array *array, double index) {
  struct binding *binding = lookup(machine, array, array->name);
  int64_t at = locate(machine, array, binding, index);
  if (binding->cells->defined && !binding->cells->defined[at])
    fail(machine, "%s[%.0f] is read and was never written", array->name, index);
  note_read(machine, array, binding->cells, at, (int64_t)index);
  return binding->cells->data[at];
}

static void store(struct machine *machine, const struct array *array, double index, double number) {
  struct binding *binding = lookup(machine, array, array->name);
  if (array->optional && !binding->cells) return;
  int64_t at = locate(machine, array, binding, index);
  note_write(machine, array, binding->cells, at, (int64_t)index);
  if (array->storage != STORAGE_REAL && !isnan(number) && scalar_round(array->storage, number) != number)
    fail(machine, "%s[%.0f] of storage %s cannot hold %g", array->name, index, storage_names[array->storage], number);
  binding->cells->data[at] = number;
  if (binding->cells->defined) binding->cells->defined[at] = 1;
}

/* --- Expressions ------------------------------------------------------------------------------------------------------------- */

static double evaluate(struct machine *machine, const struct expression *x);

static double apply(struct machine *machine, const struct expression *x) {
  /* The branch not taken is not looked at: a guarded load stays guarded. */
  if (x->op == OP_where) return evaluate(machine, x->arguments[evaluate(machine, x->arguments[0]) != 0 ? 1 : 2]);
  if (x->op == OP_and || x->op == OP_or) {
    bool first = evaluate(machine, x->arguments[0]) != 0;
    return first == (x->op == OP_or) ? first : evaluate(machine, x->arguments[1]) != 0;
  }
  double arguments[3] = {0};
  for (int i = 0; i < x->argument_count; i++) arguments[i] = evaluate(machine, x->arguments[i]);
  if (x->op == OP_cast) return scalar_round(x->storage, arguments[0]);
  if (x->type == TYPE_INDEX && (x->op == OP_quotient || x->op == OP_mod) && arguments[1] == 0)
    fail(machine, "%s by zero", op_facts[x->op].name);
  /* Indices have 64 bits and do not wrap. */
  enum kind kind = x->type == TYPE_BOOLEAN ? KIND_BOOLEAN : x->type == TYPE_INTEGER ? KIND_INTEGER : KIND_REAL;
  return scalar_apply(x->op, kind, arguments[0], arguments[1], arguments[2]);
}

/* The same tree as the printed code's: lane i with lane i + half. */
static double fold(struct machine *machine, const struct expression *x) {
  double lanes[1024], start = evaluate(machine, x->arguments[0]);
  if (x->lanes > 1024) fail(machine, "a fold of %d lanes", x->lanes);
  for (int i = 0; i < x->lanes; i++) lanes[i] = load(machine, x->array, start + i);
  const enum kind kind = x->type == TYPE_INTEGER ? KIND_INTEGER : KIND_REAL;
  for (int half = x->lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] = scalar_apply(x->op, kind, lanes[i], lanes[i + half], 0);
  return lanes[0];
}

static double dot(struct machine *machine, const struct expression *x) {
  const struct expression *left = x->arguments[1], *right = x->arguments[2];
  const double i = evaluate(machine, left->arguments[0]), k = evaluate(machine, right->arguments[0]);
  double sum = evaluate(machine, x->arguments[0]);
  for (int j = 0; j < x->lanes; j++) {
    const double x_j = load(machine, left->array, i + j), y_j = load(machine, right->array, k + j);
    sum += x_j * y_j;
    if (x->type == TYPE_INTEGER) sum = scalar_wrap(sum);
  }
  return sum;
}

static double quantile(struct machine *machine, const struct expression *x) {
  const struct expression *first = x->arguments[0];
  const double start = evaluate(machine, first->arguments[0]), count = evaluate(machine, x->arguments[1]);
  if (!(count >= 1)) fail(machine, "a quantile of %.0f elements", count);
  /* The last one first, so that memory is taken only for elements that are there. */
  load(machine, first->array, start + count - 1);
  double *elements = arena_new_array(machine->arena, double, (int64_t)count);
  for (int64_t i = 0; i < (int64_t)count; i++) elements[i] = load(machine, first->array, start + (double)i);
  return quantile_of(elements, (int64_t)count, evaluate(machine, x->arguments[2]));
}

static double evaluate(struct machine *machine, const struct expression *x) {
  double arguments[5];
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      return x->number;
    case EXPRESSION_VARIABLE:
      return lookup(machine, x->variable, x->variable->name)->number;
    case EXPRESSION_LOAD:
      return load(machine, x->array, evaluate(machine, x->arguments[0]));
    case EXPRESSION_APPLY:
      return apply(machine, x);
    case EXPRESSION_FMA:
      for (int i = 0; i < 3; i++) arguments[i] = evaluate(machine, x->arguments[i]);
      return fma(arguments[0], arguments[1], arguments[2]);
    case EXPRESSION_CONVERT:
      arguments[0] = evaluate(machine, x->arguments[0]);
      return x->type == TYPE_INTEGER ? scalar_wrap(arguments[0]) : arguments[0];
    case EXPRESSION_FOLD:
      return fold(machine, x);
    case EXPRESSION_DOT:
      return dot(machine, x);
    case EXPRESSION_QUANTILE:
      return quantile(machine, x);
    case EXPRESSION_DRAW:
      for (int i = 0; i < 5; i++) arguments[i] = evaluate(machine, x->arguments[i]);
      return random_draw(x->distribution, (uint32_t)(int64_t)arguments[0], (uint32_t)(int64_t)arguments[1],
                         (uint32_t)(int64_t)arguments[2], (uint32_t)(int64_t)arguments[3],
                         (uint64_t)(int64_t)arguments[4]);
  }
  return 0;
}

/* --- Statements -------------------------------------------------------------------------------------------------------------- */

static void run_block(struct machine *machine, const struct block *block);

/* The watch that a kind of loop belongs to; -1 for loops whose iterations run in order. */
static int watch_of(enum loop_kind kind) {
  switch (kind) {
    case LOOP_SERIAL:
    case LOOP_UNROLLED:
      return -1;
    case LOOP_VECTOR:
      return WATCH_VECTOR;
    case LOOP_PARALLEL:
      return WATCH_PARALLEL;
  }
  return -1;
}

static void run_loop(struct machine *machine, const struct statement *loop) {
  double extent = evaluate(machine, loop->extent);
  int watch = watch_of(loop->loop);
  int64_t start = watch < 0 ? 0 : machine->start[watch], present = watch < 0 ? 0 : machine->present[watch];
  if (watch >= 0 && start)
    fail(machine, "loop %s runs inside another %s loop", loop->variable->name, watch_names[watch]);
  if (watch >= 0) machine->start[watch] = machine->iteration + 1;
  for (int64_t i = 0; (double)i < extent; i += loop->step) {
    if (watch >= 0) machine->present[watch] = ++machine->iteration;
    bind(machine, loop->variable)->number = (double)i;
    run_block(machine, &loop->body);
  }
  if (watch >= 0) machine->start[watch] = start, machine->present[watch] = present;
}

static void declare_array(struct machine *machine, const struct array *array) {
  struct binding *binding = bind(machine, array);
  /* An array that is declared again, in the next iteration, keeps its memory and loses its contents. */
  if (!binding->cells)
    binding->cells = cells_new(machine->arena, arena_new_array(machine->arena, double, array->count),
                               arena_new_array(machine->arena, unsigned char, array->count), array->count);
  memset(binding->cells->defined, 0, (size_t)array->count);
  for (int i = 0; i < WATCHES; i++) memset(binding->cells->touches[i], 0, sizeof(struct touch) * (size_t)array->count);
}

static void run_function(struct machine *machine, const struct function *function, const struct binding *arguments);

static void run_call(struct machine *machine, const struct statement *call) {
  if (call->arguments.count != call->function->parameters.count)
    fail(machine, "%s gets %d arguments", call->function->name, call->arguments.count);
  struct binding *arguments = arena_new_array(machine->arena, struct binding, call->arguments.count);
  for (int i = 0; i < call->arguments.count; i++) {
    const struct argument *argument = &call->arguments.items[i];
    double number = evaluate(machine, argument->expression);
    if (argument->array) {
      arguments[i] = *lookup(machine, argument->array, argument->array->name);
      arguments[i].offset += (int64_t)number;
    } else {
      arguments[i].number = number;
    }
  }
  const struct function *caller = machine->function;
  struct environment_table table = machine->table;
  if (++machine->call_depth > 64) fail(machine, "calls are nested too deeply");
  machine->table = (struct environment_table){0};
  run_function(machine, call->function, arguments);
  machine->table = table;
  machine->function = caller;
  machine->call_depth--;
}

static void run_expand(struct machine *machine, const struct statement *statement) {
  const struct argument *to = &statement->arguments.items[0], *values = &statement->arguments.items[1],
                        *masks = &statement->arguments.items[2];
  const double at = evaluate(machine, to->expression), first = evaluate(machine, masks->expression);
  double next = evaluate(machine, values->expression);
  uint32_t mask = 0;
  for (int64_t i = 0; i < (int64_t)evaluate(machine, statement->extent); i++) {
    if (i % MASK_BITS == 0) mask = (uint32_t)(int64_t)load(machine, masks->array, first + (double)(i / MASK_BITS));
    const bool is_kept = mask >> i % MASK_BITS & 1;
    store(machine, to->array, at + (double)i, is_kept ? load(machine, values->array, next) : 0);
    next += is_kept;
  }
}

static void run_multiply(struct machine *machine, const struct statement *statement) {
  const struct array *c = statement->arguments.items[MULTIPLY_C].array,
                     *a = statement->arguments.items[MULTIPLY_A].array,
                     *b = statement->arguments.items[MULTIPLY_B].array;
  const int group = multiply_group(statement);
  double given[MULTIPLY_ARGUMENTS]; /* pointers: where they begin */
  for (int i = 0; i < MULTIPLY_ARGUMENTS; i++) given[i] = evaluate(machine, statement->arguments.items[i].expression);
  for (double row = 0; row < given[MULTIPLY_ROWS]; row++)
    for (double column = 0; column < given[MULTIPLY_COLUMNS]; column++) {
      const double at = given[MULTIPLY_C] + row * given[MULTIPLY_C_ROW] + column;
      double sum = given[MULTIPLY_BEGUN] > 0 ? load(machine, c, at) : 0;
      for (int64_t k = 0; k < (int64_t)given[MULTIPLY_DEPTH] || k % group != 0; k++) {
        const double b_k = load(
            machine, b,
            given[MULTIPLY_B] + (double)(k / group) * given[MULTIPLY_B_STEP] + column * group + (double)(k % group));
        if (k < (int64_t)given[MULTIPLY_DEPTH])
          sum += load(machine, a, given[MULTIPLY_A] + row * given[MULTIPLY_A_ROW] + (double)k) * b_k;
        else if (b_k != 0)
          fail(machine, "what lies in %s behind the depth of multiply is not 0", b->name);
        if (c->type == TYPE_INTEGER) sum = scalar_wrap(sum);
      }
      store(machine, c, at, sum);
    }
}

static void run_statement(struct machine *machine, const struct statement *statement) {
  double number;
  switch (statement->kind) {
    case STATEMENT_LOOP:
      run_loop(machine, statement);
      return;
    case STATEMENT_LET:
      number = evaluate(machine, statement->expression);
      bind(machine, statement->variable)->number = number;
      return;
    case STATEMENT_ARRAY:
      declare_array(machine, statement->array);
      return;
    case STATEMENT_STORE:
      number = evaluate(machine, statement->expression);
      store(machine, statement->array, evaluate(machine, statement->index), number);
      return;
    case STATEMENT_IF:
      if (evaluate(machine, statement->expression) != 0) run_block(machine, &statement->body);
      return;
    case STATEMENT_CALL:
      run_call(machine, statement);
      return;
    case STATEMENT_EXPAND:
      run_expand(machine, statement);
      return;
    case STATEMENT_MULTIPLY:
      run_multiply(machine, statement);
      return;
    case STATEMENT_PREFETCH:
    case STATEMENT_COMMENT:
      return;
  }
}

static void run_block(struct machine *machine, const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) run_statement(machine, block->statements.items[i]);
}

static void run_function(struct machine *machine, const struct function *function, const struct binding *arguments) {
  machine->function = function;
  for (int i = 0; i < function->parameters.count; i++) {
    const struct parameter *parameter = &function->parameters.items[i];
    const void *thing = parameter->array ? (const void *)parameter->array : parameter->variable;
    struct binding *binding = bind(machine, thing);
    *binding = arguments[i];
    binding->thing = thing;
    if (!parameter->array || (parameter->array->optional && !binding->cells)) continue;
    int64_t offset = binding->offset, count = binding->cells->count;
    if (offset < 0 || offset > count || parameter->array->count > count - offset)
      fail(machine, "%s needs %lld elements and gets %lld", parameter->array->name, (long long)parameter->array->count,
           (long long)(count - offset));
  }
  run_block(machine, &function->body);
}

/* Two arguments may point into the same memory: they share what is known of its elements. */
static struct cells *cells_of(struct machine *machine, const struct loop_memory *memory) {
  for (int i = 0; i < machine->owners.count; i++)
    if (machine->owners.items[i] == memory) return machine->memories.items[i];
  struct cells *cells = cells_new(machine->arena, memory->data, memory->defined, memory->count);
  array_push(machine->arena, &machine->owners, memory);
  array_push(machine->arena, &machine->memories, cells);
  return cells;
}

const char *function_interpret(struct arena *arena, const struct function *function,
                               const struct loop_argument *arguments) {
  /* The run's own memory is freed at its end; the message outlives it. */
  struct arena *scratch = arena_new();
  struct machine *machine = arena_new_struct(scratch, struct machine);
  machine->arena = scratch;
  machine->function = function;
  struct binding *bindings = arena_new_array(scratch, struct binding, function->parameters.count);
  for (int i = 0; i < function->parameters.count; i++) {
    bindings[i].number = arguments[i].number;
    bindings[i].offset = arguments[i].offset;
    if (!function->parameters.items[i].array) continue;
    if (!arguments[i].memory && function->parameters.items[i].array->optional) continue;
    if (!arguments[i].memory) bug("%s: argument %d has no memory", function->name, i);
    bindings[i].cells = cells_of(machine, arguments[i].memory);
  }
  if (!setjmp(machine->failure)) run_function(machine, function, bindings);
  const char *message = machine->message ? arena_strdup(arena, machine->message) : NULL;
  arena_free(scratch);
  return message;
}
