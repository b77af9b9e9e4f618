/* Counts a function's operations without running it: of loop iterations that are alike, one is looked at. */
#include <math.h>
#include <string.h>

#include "ir/interpret.h"
#include "ir/work.h"

/* Some elements of a register array may be of no use: lanes beyond the last column are computed and never stored. So
   operations whose results go into registers are counted apart, until it is known which share of the elements is
   stored. */
enum { MOST_REGISTERS = 12, MOST_TASKS = 4096 };

struct tally {
  double operations;
  double computed[MOST_REGISTERS]; /* operations whose results went into the array */
  double stored[MOST_REGISTERS],
      possible[MOST_REGISTERS]; /* elements of it that went to memory; that would, without guards */
};
enum { TALLY_NUMBERS = sizeof(struct tally) / sizeof(double) };

struct binding {
  const struct variable *variable;
  double value; /* NAN: unknown */
  unsigned registers; /* that it was computed from */
};

struct known_call {
  const struct function *function;
  const double *numbers;
  double operations;
};

struct counting {
  struct arena *arena;
  ARRAY(struct known_call) calls;
};

struct frame {
  struct counting *counting;
  ARRAY(struct binding) bindings;
  const struct array *registers[MOST_REGISTERS];
  int register_count;
  unsigned whole; /* a set of registers: those summed over all lanes by a fold */
};

static double operations_of(struct counting *counting, const struct function *function, const double *numbers);

static void bind(struct frame *frame, const struct variable *variable, double value, unsigned registers) {
  array_push(frame->counting->arena, &frame->bindings, (struct binding){variable, value, registers});
}

static const struct binding *find(const struct frame *frame, const struct variable *variable) {
  for (int i = frame->bindings.count - 1; i >= 0; i--)
    if (frame->bindings.items[i].variable == variable) return &frame->bindings.items[i];
  return NULL;
}

static int register_of(const struct frame *frame, const struct array *array) {
  for (int i = 0; i < frame->register_count; i++)
    if (frame->registers[i] == array) return i;
  return -1;
}

/* --- Expressions -------------------------------------------------------------------------------------------------------- */

/* The value of an expression; NAN where it depends on data. */
static double evaluate(const struct frame *frame, const struct expression *x) {
  double arguments[3] = {0};
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      return x->number;
    case EXPRESSION_VARIABLE: {
      const struct binding *binding = find(frame, x->variable);
      return binding ? binding->value : NAN;
    }
    case EXPRESSION_CONVERT:
      return x->type == TYPE_REAL ? NAN : evaluate(frame, x->arguments[0]);
    case EXPRESSION_APPLY:
      for (int i = 0; i < x->argument_count && i < 3; i++) {
        arguments[i] = evaluate(frame, x->arguments[i]);
        if (isnan(arguments[i])) return NAN;
      }
      return scalar_apply(x->op, x->type == TYPE_INTEGER ? KIND_INTEGER : KIND_REAL, arguments[0], arguments[1],
                          arguments[2]);
    case EXPRESSION_LOAD:
    case EXPRESSION_FMA:
    case EXPRESSION_DOT:
    case EXPRESSION_QUANTILE:
    case EXPRESSION_FOLD:
    case EXPRESSION_DRAW:
      break;
  }
  return NAN;
}

static double expression_operations(const struct expression *x) {
  double count = 0;
  for (int i = 0; i < x->argument_count; i++) count += expression_operations(x->arguments[i]);
  if (x->kind == EXPRESSION_DOT) count += 2 * x->lanes;
  if (x->type != TYPE_REAL) return count;
  if (x->kind == EXPRESSION_FMA) count += 2;
  if (x->kind == EXPRESSION_FOLD) count += x->lanes - 1;
  if (x->kind == EXPRESSION_APPLY) count += op_facts[x->op].operations;
  return count;
}

/* The registers that an expression's value comes from, directly or through names. */
static unsigned registers_in(struct frame *frame, const struct expression *x) {
  unsigned registers = 0;
  if (x->kind == EXPRESSION_VARIABLE) {
    const struct binding *binding = find(frame, x->variable);
    return binding ? binding->registers : 0;
  }
  int number = x->array ? register_of(frame, x->array) : -1;
  if (number >= 0 && x->kind == EXPRESSION_FOLD) frame->whole |= 1u << number;
  if (number >= 0) registers |= 1u << number;
  for (int i = 0; i < x->argument_count; i++) registers |= registers_in(frame, x->arguments[i]);
  return registers;
}

/* --- Loops -------------------------------------------------------------------------------------------------------------- */

struct variable_set {
  ARRAY(const struct variable *) items;
};

static bool uses_any(const struct expression *x, const struct variable_set *set) {
  for (int i = 0; i < set->items.count; i++)
    if (expression_uses(x, set->items.items[i])) return true;
  return false;
}

/* Whether the number of times that some statement of the block runs depends on one of the variables. */
static bool controls(struct arena *arena, const struct block *block, struct variable_set *set) {
  int outside = set->items.count;
  bool depends = false;
  for (int i = 0; i < block->statements.count && !depends; i++) {
    const struct statement *statement = block->statements.items[i];
    if (statement->kind == STATEMENT_LET && statement->variable->type == TYPE_INDEX &&
        uses_any(statement->expression, set))
      array_push(arena, &set->items, statement->variable);
    if (statement->kind == STATEMENT_LOOP) depends = uses_any(statement->extent, set);
    if (statement->kind == STATEMENT_IF) depends = uses_any(statement->expression, set);
    for (int j = 0; j < statement->arguments.count && !depends; j++)
      depends = !statement->arguments.items[j].array && uses_any(statement->arguments.items[j].expression, set);
    depends = depends || controls(arena, &statement->body, set);
  }
  set->items.count = outside;
  return depends;
}

static void walk(struct frame *frame, const struct block *block, double done, double possible, struct tally *tally);

static void add(struct tally *sum, const struct tally *tally, double factor) {
  double to[TALLY_NUMBERS], from[TALLY_NUMBERS];
  memcpy(to, sum, sizeof to);
  memcpy(from, tally, sizeof from);
  for (int i = 0; i < TALLY_NUMBERS; i++) to[i] += factor * from[i];
  memcpy(sum, to, sizeof to);
}

static struct tally iteration(struct frame *frame, const struct statement *loop, int64_t number, bool done) {
  struct tally tally = {0};
  int outside = frame->bindings.count;
  bind(frame, loop->variable, (double)(number * loop->step), 0);
  walk(frame, &loop->body, done, 1, &tally);
  frame->bindings.count = outside;
  return tally;
}

/* Adds iterations `first` to `last`, whose own tallies are `begin` and `end`. What a loop does changes in one direction
   along it (guards, shorter last pieces), so where both ends are equal all between them is equal too. */
static void add_range(struct frame *frame, const struct statement *loop, bool done, int64_t first,
                      const struct tally *begin, int64_t last, const struct tally *end, struct tally *sum) {
  if (!memcmp(begin, end, sizeof *begin) || last - first < 2) {
    int64_t iterations = last - first + 1;
    add(sum, begin, (double)(iterations / 2));
    add(sum, end, (double)(iterations - iterations / 2));
    return;
  }
  int64_t middle = first + (last - first) / 2;
  struct tally tally = iteration(frame, loop, middle, done);
  add_range(frame, loop, done, first, begin, middle, &tally, sum);
  add_range(frame, loop, done, middle, &tally, last, end, sum);
  add(sum, &tally, -1); /* the middle was counted twice */
}

static void walk_loop(struct frame *frame, const struct statement *loop, double done, double possible,
                      struct tally *tally) {
  double extent = evaluate(frame, loop->extent);
  int64_t step = loop->step > 0 ? loop->step : 1, iterations = isnan(extent) ? 1 : ((int64_t)extent + step - 1) / step;
  if (iterations <= 0) return;
  struct variable_set set = {0};
  array_push(frame->counting->arena, &set.items, loop->variable);
  if (iterations == 1 || !controls(frame->counting->arena, &loop->body, &set)) {
    int outside = frame->bindings.count;
    bind(frame, loop->variable, 0, 0);
    walk(frame, &loop->body, done * (double)iterations, possible * (double)iterations, tally);
    frame->bindings.count = outside;
    return;
  }
  bool is_done = done > 0;
  struct tally sum = {0};
  if (loop->loop == LOOP_PARALLEL && iterations <= MOST_TASKS) {
    /* A task number is taken apart by division, so tasks do not change in one direction: each is counted. */
    for (int64_t i = 0; i < iterations; i++) {
      struct tally one = iteration(frame, loop, i, is_done);
      add(&sum, &one, 1);
    }
  } else {
    struct tally begin = iteration(frame, loop, 0, is_done), end = iteration(frame, loop, iterations - 1, is_done);
    add_range(frame, loop, is_done, 0, &begin, iterations - 1, &end, &sum);
  }
  add(tally, &sum, possible);
}

static void walk_store(struct frame *frame, const struct statement *store, double done, double possible,
                       struct tally *tally) {
  int number = register_of(frame, store->array);
  unsigned registers = registers_in(frame, store->expression);
  *(number >= 0 ? &tally->computed[number] : &tally->operations) += done * expression_operations(store->expression);
  for (int i = 0; i < frame->register_count && store->array->memory == MEMORY_GLOBAL; i++) {
    if (!(registers >> i & 1)) continue;
    tally->stored[i] += done;
    tally->possible[i] += possible;
  }
}

static void walk_call(struct frame *frame, const struct statement *call, double done, struct tally *tally) {
  double *numbers = arena_new_array(frame->counting->arena, double, call->arguments.count);
  for (int i = 0; i < call->arguments.count; i++)
    numbers[i] = call->arguments.items[i].array ? NAN : evaluate(frame, call->arguments.items[i].expression);
  tally->operations += done * operations_of(frame->counting, call->function, numbers);
}

static double multiply_operations(struct frame *frame, const struct statement *multiply) {
  double products = 1;
  for (int i = MULTIPLY_ROWS; i <= MULTIPLY_DEPTH; i++)
    products *= evaluate(frame, multiply->arguments.items[i].expression);
  return 2 * products;
}

/* `possible` is how often the block would run without guards. `done` is how often it runs: the same, or 0 behind a
   guard that does not hold. */
static void walk(struct frame *frame, const struct block *block, double done, double possible, struct tally *tally) {
  int outside = frame->bindings.count;
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *statement = block->statements.items[i];
    double condition;
    switch (statement->kind) {
      case STATEMENT_LOOP:
        walk_loop(frame, statement, done, possible, tally);
        break;
      case STATEMENT_LET:
        bind(frame, statement->variable, evaluate(frame, statement->expression),
             registers_in(frame, statement->expression));
        tally->operations += done * expression_operations(statement->expression);
        break;
      case STATEMENT_ARRAY:
        if (register_of(frame, statement->array) < 0 && frame->register_count < MOST_REGISTERS)
          frame->registers[frame->register_count++] = statement->array;
        break;
      case STATEMENT_STORE:
        walk_store(frame, statement, done, possible, tally);
        break;
      case STATEMENT_IF:
        condition = evaluate(frame, statement->expression);
        walk(frame, &statement->body, condition == 0 ? 0 : done, possible, tally);
        break;
      case STATEMENT_CALL:
        walk_call(frame, statement, done, tally);
        break;
      case STATEMENT_MULTIPLY:
        tally->operations += done * multiply_operations(frame, statement);
        break;
      case STATEMENT_EXPAND:
      case STATEMENT_PREFETCH:
      case STATEMENT_COMMENT:
        break;
    }
  }
  frame->bindings.count = outside;
}

static bool same_numbers(const struct function *function, const double *x, const double *y) {
  for (int i = 0; i < function->parameters.count; i++)
    if (x[i] != y[i] && !(isnan(x[i]) && isnan(y[i]))) return false;
  return true;
}

static double operations_of(struct counting *counting, const struct function *function, const double *numbers) {
  for (int i = 0; i < counting->calls.count; i++) {
    const struct known_call *call = &counting->calls.items[i];
    if (call->function == function && same_numbers(function, call->numbers, numbers)) return call->operations;
  }
  struct frame frame = {.counting = counting};
  struct tally tally = {0};
  for (int i = 0; i < function->parameters.count; i++)
    if (!function->parameters.items[i].array) bind(&frame, function->parameters.items[i].variable, numbers[i], 0);
  walk(&frame, &function->body, 1, 1, &tally);
  double operations = tally.operations;
  for (int i = 0; i < frame.register_count; i++) {
    bool partly = tally.possible[i] > 0 && !(frame.whole >> i & 1);
    operations += tally.computed[i] * (partly ? tally.stored[i] / tally.possible[i] : 1);
  }
  array_push(counting->arena, &counting->calls, (struct known_call){function, numbers, operations});
  return operations;
}

double function_operations(struct arena *arena, const struct function *function, const double *numbers) {
  struct counting counting = {.arena = arena};
  return operations_of(&counting, function, numbers);
}
