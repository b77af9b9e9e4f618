/* Finds which elements a function touches, without running it. An index is a sum of steps along loops, so the elements
   that it reaches form a box in memory. */
#include <math.h>

#include "ir/work.h"

enum { MOST_TERMS = 12 };

/* An affine sum is constant + the sum of factor * atom. An atom takes the values 0, 1 ... below its extent: it is the
   counter of a loop, or any other number with so many values. */
struct term {
  int atom;
  int64_t factor;
};
struct affine {
  int64_t constant;
  int count;
  struct term terms[MOST_TERMS];
};

/* Elements `low` to `high`. Dimensions are listed from the innermost out; each step is larger than all that lies
   within. */
struct box {
  int64_t low, high;
  double size;
  int count;
  int64_t steps[MOST_TERMS], extents[MOST_TERMS];
};

struct touched {
  const struct array *array;
  int64_t count; /* elements there are, 0: unknown */
  ARRAY(struct box) read;
  ARRAY(struct box) written;
};

struct named {
  const struct variable *variable;
  struct affine value;
};

/* A pointer parameter: an array of the function launched, from some element on. */
struct pointer {
  const struct array *array;
  int touched;
  struct affine offset;
};

struct narrowed {
  int atom;
  int64_t extent;
};

struct tracing {
  struct arena *arena;
  ARRAY(int64_t) extents; /* of atoms */
  ARRAY(struct named) names;
  ARRAY(struct pointer) pointers;
  ARRAY(struct narrowed) narrowed; /* extents before conditions around narrowed them */
  struct touched *touched;
};

/* --- Sums --------------------------------------------------------------------------------------------------------------- */

static struct affine constant(int64_t number) { return (struct affine){.constant = number}; }

static struct affine fresh(struct tracing *tracing, int64_t low, int64_t extent) {
  struct affine sum = {.constant = low, .count = 1};
  array_push(tracing->arena, &tracing->extents, extent > 1 ? extent : 1);
  sum.terms[0] = (struct term){tracing->extents.count - 1, 1};
  return sum;
}

static void range_of(const struct tracing *tracing, const struct affine *sum, int64_t *low, int64_t *high) {
  *low = *high = sum->constant;
  for (int i = 0; i < sum->count; i++) {
    int64_t most = sum->terms[i].factor * (tracing->extents.items[sum->terms[i].atom] - 1);
    *(most < 0 ? low : high) += most;
  }
}

/* The most values that the sum can take. */
static double values_of(const struct tracing *tracing, const struct affine *sum) {
  double values = 1;
  for (int i = 0; i < sum->count; i++)
    if (sum->terms[i].factor) values *= (double)tracing->extents.items[sum->terms[i].atom];
  return values;
}

static struct affine add(struct tracing *tracing, const struct affine *x, const struct affine *y, int64_t factor) {
  struct affine sum = *x;
  sum.constant += factor * y->constant;
  for (int i = 0; i < y->count; i++) {
    int j = 0;
    while (j < sum.count && sum.terms[j].atom != y->terms[i].atom) j++;
    if (j == sum.count) {
      if (sum.count == MOST_TERMS) {
        int64_t low, high, other_low, other_high;
        range_of(tracing, x, &low, &high);
        range_of(tracing, y, &other_low, &other_high);
        int64_t span = (other_high - other_low) * (factor < 0 ? -factor : factor);
        return fresh(tracing, low + (factor < 0 ? other_high : other_low) * factor, high - low + span + 1);
      }
      sum.terms[sum.count++] = (struct term){y->terms[i].atom, 0};
    }
    sum.terms[j].factor += factor * y->terms[i].factor;
  }
  return sum;
}

static struct affine scaled(struct affine sum, int64_t factor) {
  sum.constant *= factor;
  for (int i = 0; i < sum.count; i++) sum.terms[i].factor *= factor;
  return sum;
}

static struct affine affine_of(struct tracing *tracing, const struct expression *x);

static int64_t floor_quotient(int64_t x, int64_t y) { return x / y - (x % y != 0 && (x < 0) != (y < 0)); }

/* A number that depends on data: it takes at most as many values as its arguments have together, and is taken to count
   from 0. */
static struct affine of_data(struct tracing *tracing, const struct expression *x) {
  double values = 1;
  for (int i = 0; i < x->argument_count; i++) {
    struct affine argument = affine_of(tracing, x->arguments[i]);
    values *= values_of(tracing, &argument);
  }
  if (values > 1e15) values = 1e15;
  return fresh(tracing, 0, (int64_t)values);
}

static struct affine affine_of_apply(struct tracing *tracing, const struct expression *x) {
  if (x->argument_count != 2 || (x->type != TYPE_INDEX && x->type != TYPE_INTEGER)) return of_data(tracing, x);
  struct affine a = affine_of(tracing, x->arguments[0]), b = affine_of(tracing, x->arguments[1]);
  int64_t low, high, least, most;
  range_of(tracing, &a, &low, &high);
  range_of(tracing, &b, &least, &most);
  bool is_number = least == most;
  if (x->op == OP_add) return add(tracing, &a, &b, 1);
  if (x->op == OP_sub) return add(tracing, &a, &b, -1);
  if (x->op == OP_mul && is_number) return scaled(a, least);
  if (x->op == OP_mul && low == high) return scaled(b, low);
  if (x->op == OP_quotient && is_number && least > 0) {
    int64_t begin = floor_quotient(low, least);
    return fresh(tracing, begin, floor_quotient(high, least) - begin + 1);
  }
  if (x->op == OP_mod && is_number && least > 0) {
    if (low == high) return constant(low - least * floor_quotient(low, least));
    if (low >= 0 && high < least) return a;
    return fresh(tracing, 0, high - low + 1 < least ? high - low + 1 : least);
  }
  if (x->op == OP_min || x->op == OP_max) {
    bool is_min = x->op == OP_min;
    int64_t begin = is_min == (low < least) ? low : least, end = is_min == (high < most) ? high : most;
    return fresh(tracing, begin, end - begin + 1);
  }
  return of_data(tracing, x);
}

static struct affine affine_of(struct tracing *tracing, const struct expression *x) {
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      return constant((int64_t)x->number);
    case EXPRESSION_VARIABLE:
      for (int i = tracing->names.count - 1; i >= 0; i--)
        if (tracing->names.items[i].variable == x->variable) return tracing->names.items[i].value;
      return constant(0);
    case EXPRESSION_CONVERT:
      return affine_of(tracing, x->arguments[0]);
    case EXPRESSION_APPLY:
      return affine_of_apply(tracing, x);
    case EXPRESSION_LOAD:
    case EXPRESSION_FMA:
    case EXPRESSION_DOT:
    case EXPRESSION_QUANTILE:
    case EXPRESSION_FOLD:
    case EXPRESSION_DRAW:
      break;
  }
  return of_data(tracing, x);
}

/* --- Boxes -------------------------------------------------------------------------------------------------------------- */

static struct box box_of(const struct tracing *tracing, const struct affine *sum) {
  struct box box = {.size = 1};
  int64_t steps[MOST_TERMS], extents[MOST_TERMS];
  int count = 0;
  range_of(tracing, sum, &box.low, &box.high);
  for (int i = 0; i < sum->count; i++) {
    int64_t step = sum->terms[i].factor < 0 ? -sum->terms[i].factor : sum->terms[i].factor;
    int64_t extent = tracing->extents.items[sum->terms[i].atom];
    if (!step || extent == 1) continue;
    int at = count++;
    for (; at > 0 && steps[at - 1] > step; at--) steps[at] = steps[at - 1], extents[at] = extents[at - 1];
    steps[at] = step, extents[at] = extent;
  }
  for (int i = 0; i < count; i++) {
    int last = box.count - 1;
    /* A dimension whose step continues or overlaps the one within makes that one longer. */
    if (last >= 0 && steps[i] % box.steps[last] == 0 && steps[i] <= box.steps[last] * box.extents[last]) {
      box.extents[last] += steps[i] / box.steps[last] * (extents[i] - 1);
    } else {
      box.steps[box.count] = steps[i];
      box.extents[box.count++] = extents[i];
    }
  }
  for (int i = 0; i < box.count; i++) box.size *= (double)box.extents[i];
  return box;
}

static bool same_box(const struct box *x, const struct box *y) {
  if (x->low != y->low || x->count != y->count) return false;
  for (int i = 0; i < x->count; i++)
    if (x->steps[i] != y->steps[i] || x->extents[i] != y->extents[i]) return false;
  return true;
}

/* Whether one contiguous box has all of the other. */
static bool covers(const struct box *x, const struct box *y) {
  return x->size == (double)(x->high - x->low + 1) && x->low <= y->low && x->high >= y->high;
}

static double count_elements(const struct box *boxes, int count, int64_t limit) {
  double sum = 0;
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (int i = 0; i < count; i++) {
    bool within = false;
    for (int j = 0; j < count && !within; j++)
      within = j != i && covers(&boxes[j], &boxes[i]) && !(j > i && covers(&boxes[i], &boxes[j]));
    if (!within) sum += boxes[i].size;
    low = boxes[i].low < low ? boxes[i].low : low;
    high = boxes[i].high > high ? boxes[i].high : high;
  }
  if (count && sum > (double)high - (double)low + 1) sum = (double)high - (double)low + 1;
  return limit > 0 && sum > (double)limit ? (double)limit : sum;
}

static void touch_at(struct tracing *tracing, const struct array *array, struct affine at, bool write) {
  for (int i = tracing->pointers.count - 1; i >= 0; i--) {
    if (tracing->pointers.items[i].array != array) continue;
    struct pointer pointer = tracing->pointers.items[i];
    if (pointer.touched < 0) return;
    struct touched *touched = &tracing->touched[pointer.touched];
    at = add(tracing, &pointer.offset, &at, 1);
    struct box box = box_of(tracing, &at);
    for (int j = 0; j < touched->written.count; j++)
      if (same_box(&touched->written.items[j], &box) || (!write && covers(&touched->written.items[j], &box))) return;
    for (int j = 0; j < touched->read.count && !write; j++)
      if (same_box(&touched->read.items[j], &box)) return;
    if (write)
      array_push(tracing->arena, &touched->written, box);
    else
      array_push(tracing->arena, &touched->read, box);
    return;
  }
}

static void touch(struct tracing *tracing, const struct array *array, const struct expression *index, bool write) {
  touch_at(tracing, array, affine_of(tracing, index), write);
}

/* A quantile reads its elements several times, of which the first counts. */
static void touch_elements(struct tracing *tracing, const struct expression *quantile) {
  const struct expression *first = quantile->arguments[0];
  const struct affine begin = affine_of(tracing, first->arguments[0]),
                      count = affine_of(tracing, quantile->arguments[1]);
  int64_t low, high;
  range_of(tracing, &count, &low, &high);
  const struct affine along = fresh(tracing, 0, high);
  touch_at(tracing, first->array, add(tracing, &begin, &along, 1), false);
}

static void touch_loads(struct tracing *tracing, const struct expression *x) {
  for (int i = 0; i < x->argument_count; i++) touch_loads(tracing, x->arguments[i]);
  if (x->kind == EXPRESSION_LOAD) touch(tracing, x->array, x->arguments[0], false);
  if (x->kind == EXPRESSION_QUANTILE) touch_elements(tracing, x);
  for (int i = 1; x->kind == EXPRESSION_DOT && i < 3; i++)
    for (int j = 1; j < x->lanes; j++) {
      const struct expression *load = x->arguments[i];
      const struct expression *next =
          index_add(tracing->arena, load->arguments[0], expression_index(tracing->arena, j));
      touch(tracing, load->array, next, false);
    }
}

/* --- Statements --------------------------------------------------------------------------------------------------------- */

static void name(struct tracing *tracing, const struct variable *variable, struct affine value) {
  array_push(tracing->arena, &tracing->names, (struct named){variable, value});
}

static void walk(struct tracing *tracing, const struct block *block);

static void walk_loop(struct tracing *tracing, const struct statement *loop) {
  int64_t low, high, step = loop->step > 0 ? loop->step : 1;
  touch_loads(tracing, loop->extent);
  struct affine extent = affine_of(tracing, loop->extent);
  range_of(tracing, &extent, &low, &high);
  if (high <= 0) return;
  name(tracing, loop->variable, scaled(fresh(tracing, 0, (high + step - 1) / step), step));
  walk(tracing, &loop->body);
}

/* Reduces extents by a condition. False when the condition never holds. */
static bool narrow(struct tracing *tracing, const struct expression *condition) {
  if (condition->kind != EXPRESSION_APPLY || condition->argument_count != 2) return true;
  const struct expression *left = condition->arguments[0], *right = condition->arguments[1];
  if (condition->op == OP_and) return narrow(tracing, left) && narrow(tracing, right);
  if (condition->op != OP_lt && condition->op != OP_le && condition->op != OP_eq) return true;
  if (left->type != TYPE_INDEX || right->type != TYPE_INDEX) return true;
  struct affine a = affine_of(tracing, left), b = affine_of(tracing, right);
  int64_t low, high, least, most;
  range_of(tracing, &a, &low, &high);
  range_of(tracing, &b, &least, &most);
  if (condition->op == OP_eq) {
    if (least != most || left->kind != EXPRESSION_VARIABLE) return true;
    name(tracing, left->variable, constant(least));
    return low <= least && least <= high;
  }
  if (condition->op == OP_lt) most--;
  if (low > most) return false;
  const struct term *only = NULL;
  for (int i = 0; i < a.count; i++) {
    if (!a.terms[i].factor || tracing->extents.items[a.terms[i].atom] == 1) continue;
    if (only || a.terms[i].factor < 0) return true;
    only = &a.terms[i];
  }
  if (!only || high <= most) return true;
  int64_t *extent = &tracing->extents.items[only->atom];
  array_push(tracing->arena, &tracing->narrowed, (struct narrowed){only->atom, *extent});
  *extent = (most - a.constant) / only->factor + 1;
  return true;
}

static void walk_if(struct tracing *tracing, const struct statement *statement) {
  int outside = tracing->narrowed.count;
  touch_loads(tracing, statement->expression);
  if (narrow(tracing, statement->expression)) walk(tracing, &statement->body);
  while (tracing->narrowed.count > outside) {
    struct narrowed narrowed = tracing->narrowed.items[--tracing->narrowed.count];
    tracing->extents.items[narrowed.atom] = narrowed.extent;
  }
}

static void walk_call(struct tracing *tracing, const struct statement *call) {
  int names = tracing->names.count, pointers = tracing->pointers.count;
  for (int i = 0; i < call->arguments.count; i++) {
    const struct argument *argument = &call->arguments.items[i];
    const struct parameter *parameter = &call->function->parameters.items[i];
    if (argument->expression) touch_loads(tracing, argument->expression);
    struct affine value = argument->expression ? affine_of(tracing, argument->expression) : constant(0);
    if (!argument->array) {
      name(tracing, parameter->variable, value);
      continue;
    }
    struct pointer pointer = {parameter->array, -1, value};
    for (int j = pointers - 1; j >= 0 && pointer.touched < 0; j--) {
      if (tracing->pointers.items[j].array != argument->array) continue;
      pointer.touched = tracing->pointers.items[j].touched;
      pointer.offset = add(tracing, &tracing->pointers.items[j].offset, &value, 1);
    }
    array_push(tracing->arena, &tracing->pointers, pointer);
  }
  walk(tracing, &call->function->body);
  tracing->names.count = names;
  tracing->pointers.count = pointers;
}

/* Where the values of a row of a bitmap begin depends on data, and how many there are. So all that lie in the memory count as read. */
static void walk_expand(struct tracing *tracing, const struct statement *statement) {
  const struct argument *to = &statement->arguments.items[0], *values = &statement->arguments.items[1],
                        *masks = &statement->arguments.items[2];
  const int64_t count = (int64_t)statement->extent->number;
  const struct affine along = fresh(tracing, 0, count), words = fresh(tracing, 0, count / MASK_BITS),
                      at = affine_of(tracing, to->expression), first = affine_of(tracing, masks->expression);
  touch_at(tracing, to->array, add(tracing, &at, &along, 1), true);
  touch_at(tracing, values->array, fresh(tracing, 0, INT32_MAX), false); /* as far as it reaches */
  touch_at(tracing, masks->array, add(tracing, &first, &words, 1), false);
}

/* A number's largest value. */
static int64_t most_of(struct tracing *tracing, const struct statement *statement, enum multiply_argument which) {
  const struct affine value = affine_of(tracing, statement->arguments.items[which].expression);
  int64_t low, high;
  range_of(tracing, &value, &low, &high);
  return high;
}

/* Touches elements (i, j) of an operand of a product: i < rows, which are so far apart, j < columns. */
static void touch_matrix(struct tracing *tracing, const struct argument *operand, int64_t rows, int64_t apart,
                         int64_t columns, bool write) {
  const struct affine begin = affine_of(tracing, operand->expression);
  const struct affine row = scaled(fresh(tracing, 0, rows), apart), column = fresh(tracing, 0, columns);
  const struct affine at = add(tracing, &begin, &row, 1);
  touch_at(tracing, operand->array, add(tracing, &at, &column, 1), write);
}

static void walk_multiply(struct tracing *tracing, const struct statement *statement) {
  const struct argument *arguments = statement->arguments.items;
  const int64_t rows = most_of(tracing, statement, MULTIPLY_ROWS), depth = most_of(tracing, statement, MULTIPLY_DEPTH),
                columns = most_of(tracing, statement, MULTIPLY_COLUMNS), group = multiply_group(statement);
  const int64_t c_row = most_of(tracing, statement, MULTIPLY_C_ROW);
  if (most_of(tracing, statement, MULTIPLY_BEGUN) > 0)
    touch_matrix(tracing, &arguments[MULTIPLY_C], rows, c_row, columns, false);
  touch_matrix(tracing, &arguments[MULTIPLY_A], rows, most_of(tracing, statement, MULTIPLY_A_ROW), depth, false);
  touch_matrix(tracing, &arguments[MULTIPLY_B], (depth + group - 1) / group,
               most_of(tracing, statement, MULTIPLY_B_STEP), columns * group, false);
  touch_matrix(tracing, &arguments[MULTIPLY_C], rows, c_row, columns, true);
}

static void walk(struct tracing *tracing, const struct block *block) {
  int outside = tracing->names.count;
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *statement = block->statements.items[i];
    int names = tracing->names.count;
    switch (statement->kind) {
      case STATEMENT_LOOP:
        walk_loop(tracing, statement);
        tracing->names.count = names;
        break;
      case STATEMENT_LET:
        touch_loads(tracing, statement->expression);
        if (statement->variable->type != TYPE_REAL)
          name(tracing, statement->variable, affine_of(tracing, statement->expression));
        break;
      case STATEMENT_STORE:
        touch_loads(tracing, statement->index);
        touch_loads(tracing, statement->expression);
        touch(tracing, statement->array, statement->index, true);
        break;
      case STATEMENT_IF:
        walk_if(tracing, statement);
        tracing->names.count = names;
        break;
      case STATEMENT_CALL:
        walk_call(tracing, statement);
        break;
      case STATEMENT_EXPAND:
        walk_expand(tracing, statement);
        break;
      case STATEMENT_MULTIPLY:
        walk_multiply(tracing, statement);
        break;
      case STATEMENT_ARRAY:
      case STATEMENT_PREFETCH:
      case STATEMENT_COMMENT:
        break;
    }
  }
  tracing->names.count = outside;
}

void function_traffic(struct arena *arena, const struct function *function, const double *numbers,
                      const int64_t *counts, double moved[STORAGE_COUNT]) {
  int count = function->parameters.count;
  struct tracing tracing = {.arena = arena, .touched = arena_new_array(arena, struct touched, count)};
  for (int i = 0; i < count; i++) {
    const struct parameter *parameter = &function->parameters.items[i];
    if (parameter->array) {
      tracing.touched[i] = (struct touched){.array = parameter->array, .count = counts[i]};
      array_push(arena, &tracing.pointers, (struct pointer){parameter->array, i, constant(0)});
    } else {
      name(&tracing, parameter->variable, constant(isnan(numbers[i]) ? 0 : (int64_t)numbers[i]));
    }
  }
  walk(&tracing, &function->body);
  for (int i = 0; i < STORAGE_COUNT; i++) moved[i] = 0;
  for (int i = 0; i < count; i++) {
    const struct touched *touched = &tracing.touched[i];
    if (!touched->array) continue;
    moved[touched->array->storage] += count_elements(touched->read.items, touched->read.count, touched->count) +
                                      count_elements(touched->written.items, touched->written.count, touched->count);
  }
}

struct work launch_work(struct arena *arena, const struct launch *launch, const int64_t *sizes) {
  int count = launch->arguments.count;
  double *numbers = arena_new_array(arena, double, count);
  int64_t *counts = arena_new_array(arena, int64_t, count);
  struct work work;
  for (int i = 0; i < count; i++) {
    const struct launch_argument *argument = &launch->arguments.items[i];
    numbers[i] = NAN; /* seed and step: they decide nothing */
    if (argument->buffer)
      counts[i] = argument->buffer->count - argument->offset;
    else if (argument->number_kind == NUMBER_CONSTANT)
      numbers[i] = (double)argument->number;
    else if (argument->number_kind == NUMBER_SIZE)
      numbers[i] = (double)sizes[argument->number];
  }
  work.operations = function_operations(arena, launch->function, numbers);
  function_traffic(arena, launch->function, numbers, counts, work.moved);
  return work;
}
