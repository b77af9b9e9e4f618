/* One kernel of plain loops for one value: the schedule of values that no other schedule takes and, when fusion is off,
   of all values. */
#include <math.h>
#include <string.h>

#include "passes/schedule.h"

/* Opens loops over axes, outermost first. The first is parallel when `work` is large enough for threads. TOGETHER as
   the work keeps all of them serial, for iterations that must run in order. */
enum { TOGETHER = -1 };
static void open_loops(struct kernel *k, struct axis *const *axes, int count, double work, struct coordinates *at) {
  bool parallel = work >= k->scheduler->pipeline.parameters[PARAMETER_parallel_work];
  for (int i = 0; i < count; i++) {
    if (axes[i]->extent == 1 && !axes[i]->size) {
      coordinates_set(at, axes[i], linear_constant(0));
      continue;
    }
    coordinates_set(at, axes[i],
                    kernel_loop(k, parallel ? LOOP_PARALLEL : LOOP_SERIAL, name_identifier(k->arena, axes[i]->name),
                                kernel_extent(k, axes[i]), axes[i]->extent, 1));
    parallel = false;
  }
}

static double work_of(struct axis *const *axes, int count) {
  double work = 1;
  for (int i = 0; i < count; i++) work *= axis_usual(axes[i]);
  return work;
}

/* A variable that loops may change: an array of one element. */
static struct array *scalar(struct kernel *k, const char *name, enum type type, double initial) {
  struct array *array = kernel_array(k, name, type, MEMORY_REGISTER, 1);
  kernel_store(k, array, linear_constant(0), expression_number(k->arena, type, initial));
  return array;
}

static const struct expression *read_scalar(struct kernel *k, const struct array *array) {
  return expression_load(k->arena, array, expression_index(k->arena, 0));
}

static void write_scalar(struct kernel *k, struct array *array, const struct expression *x) {
  kernel_store(k, array, linear_constant(0), x);
}

static const struct expression *reduce_step(struct kernel *k, const struct value *value, struct array *sum,
                                            const struct coordinates *at) {
  const struct expression *x = access_value(k, value->inputs[0], at).x;
  if (value->op != OP_contract) return reduce_with(k->arena, value, read_scalar(k, sum), x);
  return expression_fma(k->arena, x, access_value(k, value->inputs[1], at).x, read_scalar(k, sum));
}

const struct expression *reduce_with(struct arena *arena, const struct value *value, const struct expression *old,
                                     const struct expression *x) {
  return value->op == OP_reduce_max ? expression_apply(arena, OP_max, x, old, NULL)
                                    : expression_apply(arena, OP_add, old, x, NULL);
}

enum op reduce_op(const struct value *value) { return value->op == OP_reduce_max ? OP_max : OP_add; }

double reduce_initial(const struct value *value) {
  if (value->op != OP_reduce_max) return 0;
  return value->kind == KIND_REAL ? -INFINITY : -2147483647;
}

static void naive_reduce(struct kernel *k, const struct value *value, const struct place *place,
                         const struct value *from) {
  struct array *target = kernel_place(k, place, true);
  double work = work_of(value->axes, value->axis_count) * work_of(value->list, value->list_count);
  struct coordinates at = {0};
  open_loops(k, value->axes, value->axis_count, work, &at);
  int depth = k->depth;
  struct array *sum =
      scalar(k, value->op == OP_reduce_max ? "largest" : "sum", type_of_kind(value->kind), reduce_initial(value));
  if (from) write_scalar(k, sum, access_value(k, from, &at).x);
  open_loops(k, value->list, value->list_count, TOGETHER, &at);
  write_scalar(k, sum, reduce_step(k, value, sum, &at));
  kernel_close_to(k, depth);
  kernel_store(k, target, access_offset(k, value, place, &at), read_scalar(k, sum));
}

static int axes_without(struct axis *const *axes, int count, const struct axis *without, struct axis **rest) {
  int kept = 0;
  for (int i = 0; i < count; i++)
    if (axes[i] != without) rest[kept++] = axes[i];
  return kept;
}

static void naive_scan(struct kernel *k, const struct value *value, const struct place *place) {
  struct array *target = kernel_place(k, place, true);
  struct axis *rest[MAX_AXES];
  int rest_count = axes_without(value->axes, value->axis_count, value->axis, rest);
  struct coordinates at = {0};
  open_loops(k, rest, rest_count, work_of(value->axes, value->axis_count), &at);
  struct array *sum = scalar(k, "sum", type_of_kind(value->kind), 0);
  const struct expression *extent = kernel_extent(k, value->axis);
  struct linear along =
      kernel_loop(k, LOOP_SERIAL, name_identifier(k->arena, value->axis->name), extent, value->axis->extent, 1);
  if (value->start == 1) {
    struct linear last =
        linear_from(k->arena, expression_apply(k->arena, OP_sub, extent, expression_index(k->arena, 1), NULL), 0,
                    value->axis->extent - 1, 0);
    along = linear_add(k->arena, last, linear_scale(k->arena, along, -1));
    /* The range of this sum is taken to be wider than the axis; an atom of its own gets the true range. */
    along = linear_from(k->arena, linear_expression(k->arena, along), 0, value->axis->extent - 1, k->depth);
  }
  coordinates_set(&at, value->axis, along);
  write_scalar(k, sum,
               expression_apply(k->arena, OP_add, read_scalar(k, sum), access_value(k, value->inputs[0], &at).x, NULL));
  kernel_store(k, target, access_offset(k, value, place, &at), read_scalar(k, sum));
}

static const struct expression *is_number(struct arena *arena, const struct expression *x, bool is) {
  return expression_apply(arena, is ? OP_eq : OP_ne, x, x, NULL);
}

/* Finds for each rank the largest element that follows the previous one in the order of the ranking: values descending,
   indices ascending, NaN last. */
static void naive_top(struct kernel *k, const struct value *value, const struct place *place) {
  struct arena *arena = k->arena;
  struct array *target = kernel_place(k, place, true);
  struct axis *rest[MAX_AXES];
  int rest_count = axes_without(value->axes, value->axis_count, value->result, rest);
  enum type type = type_of_kind(value->inputs[0]->kind);
  struct coordinates at = {0};
  open_loops(k, rest, rest_count, work_of(value->axes, value->axis_count) * (double)value->axis->extent, &at);
  double most = type == TYPE_REAL ? INFINITY : 2147483647;
  struct array *last = scalar(k, "last", type, most), *last_at = scalar(k, "last_at", TYPE_INTEGER, -1);
  coordinates_set(&at, value->result,
                  kernel_loop(k, LOOP_SERIAL, "rank", kernel_extent(k, value->result), value->result->extent, 1));
  struct array *best = scalar(k, "best", type, -most), *best_at = scalar(k, "best_at", TYPE_INTEGER, -1);
  struct coordinates inner = at;
  struct linear along = kernel_loop(k, LOOP_SERIAL, name_identifier(arena, value->axis->name),
                                    kernel_extent(k, value->axis), value->axis->extent, 1);
  coordinates_set(&inner, value->axis, along);
  const struct expression *x = access_value(k, value->inputs[0], &inner).x;
  if (x->kind != EXPRESSION_VARIABLE) x = kernel_let(k, k->depth, "candidate", x).x;
  const struct expression *here = expression_convert(arena, TYPE_INTEGER, linear_expression(arena, along));
  const struct expression *less = expression_apply(arena, OP_lt, x, read_scalar(k, last), NULL);
  const struct expression *tied = expression_apply(arena, OP_eq, x, read_scalar(k, last), NULL);
  const struct expression *later = expression_apply(arena, OP_lt, read_scalar(k, last_at), here, NULL);
  const struct expression *unseen =
      expression_apply(arena, OP_or, less, expression_apply(arena, OP_and, tied, later, NULL), NULL);
  const struct expression *first =
      expression_apply(arena, OP_lt, read_scalar(k, best_at), expression_number(arena, TYPE_INTEGER, 0), NULL);
  const struct expression *better = expression_apply(arena, OP_lt, read_scalar(k, best), x, NULL);
  if (type == TYPE_REAL) {
    const struct expression *numbers_before =
        expression_apply(arena, OP_or, is_number(arena, read_scalar(k, last), true), later, NULL);
    const struct expression *over_nan =
        expression_apply(arena, OP_and, is_number(arena, read_scalar(k, best), false), is_number(arena, x, true), NULL);
    unseen = expression_apply(arena, OP_or, unseen,
                              expression_apply(arena, OP_and, is_number(arena, x, false), numbers_before, NULL), NULL);
    better = expression_apply(arena, OP_or, better, over_nan, NULL);
  }
  kernel_if(k, expression_apply(arena, OP_and, unseen, expression_apply(arena, OP_or, first, better, NULL), NULL));
  write_scalar(k, best, x);
  write_scalar(k, best_at, here);
  kernel_end(k);
  kernel_end(k);
  write_scalar(k, last, read_scalar(k, best));
  write_scalar(k, last_at, read_scalar(k, best_at));
  /* Where the axis is shorter now than there are ranks, nothing was found; index 0 still lies inside the axis. */
  kernel_store(
      k, target, access_offset(k, value, place, &at),
      expression_apply(arena, OP_max, read_scalar(k, best_at), expression_number(arena, TYPE_INTEGER, 0), NULL));
}

/* Whether the axes lie one inside the other in the place, and the innermost without gaps, so that all of their elements are a row. */
static bool is_contiguous(const struct value *value, const struct place *place, struct axis *const *axes, int count) {
  int64_t row = 1, whole = axes_count(axes, count);
  for (bool found = true; found && row < whole;) {
    found = false;
    for (int i = 0; i < count && !found; i++) {
      found = axes[i]->extent > 1 && stride_along(value, place, axes[i]) == row;
      if (found) row *= axes[i]->extent;
    }
  }
  return row == whole;
}

/* Where the elements of each of the quantiles lie side by side as reals: where they are, or in a copy. */
static struct place quantile_elements(struct scheduler *s, const struct value *value) {
  const struct value *x = value->inputs[0];
  struct place lies;
  if (access_strided(s, x, &lies) && lies.buffer->storage == STORAGE_REAL &&
      is_contiguous(x, &lies, value->list, value->list_count))
    return lies;
  struct axis *axes[MAX_AXES];
  memcpy(axes, value->axes, sizeof *axes * (size_t)value->axis_count);
  memcpy(axes + value->axis_count, value->list, sizeof *axes * (size_t)value->list_count);
  const struct origin *origin = &value->origin;
  const char *name = arena_format(s->arena, "%s.elements", value_label(s, value, &origin));
  struct place *copy = place_new(s, x, BUFFER_ACTIVATION, name, axes);
  copy->buffer->storage = STORAGE_REAL;
  schedule_copy(s, x, copy, "elements");
  return *copy;
}

static void naive_quantile(struct kernel *k, const struct value *value, const struct place *place,
                           const struct place *elements) {
  struct array *target = kernel_place(k, place, true);
  const int64_t count = axes_count(value->list, value->list_count);
  struct coordinates at = {0};
  open_loops(k, value->axes, value->axis_count, work_of(value->axes, value->axis_count) * (double)count, &at);
  struct coordinates first = at;
  for (int i = 0; i < value->list_count; i++) coordinates_set(&first, value->list[i], linear_constant(0));
  const struct linear begin = access_offset(k, value->inputs[0], elements, &first);
  const struct expression *x =
      expression_load(k->arena, kernel_place(k, elements, false), linear_expression(k->arena, begin));
  const struct expression *q = access_value(k, value->inputs[1], &at).x;
  kernel_store(k, target, access_offset(k, value, place, &at),
               expression_quantile(k->arena, x, expression_index(k->arena, count), q));
}

/* Writes rows in place. Of two rows with the same index the later one must stay, so the loops over the index's own axes
   are serial. */
static void naive_update(struct kernel *k, const struct value *value, const struct place *place) {
  const struct value *source = value->inputs[0], *index = value->inputs[1];
  struct array *target = kernel_place(k, place, true);
  struct axis *outer[MAX_AXES], *inner[MAX_AXES];
  int outer_count = 0, inner_count = 0;
  for (int i = 0; i < source->axis_count; i++) {
    bool own = value_has_axis(index, source->axes[i]) &&
               (source->axes[i] == value->axis || !value_has_axis(value, source->axes[i]));
    if (own)
      inner[inner_count++] = source->axes[i];
    else
      outer[outer_count++] = source->axes[i];
  }
  struct coordinates at = {0};
  open_loops(k, outer, outer_count, work_of(source->axes, source->axis_count), &at);
  open_loops(k, inner, inner_count, TOGETHER, &at);
  struct coordinates to = at;
  coordinates_set(&to, value->axis, access_index(k, index, &at, value->axis->extent, NULL));
  kernel_store(k, target, access_offset(k, value, place, &to), access_value(k, source, &at).x);
}

static void naive_expression(struct kernel *k, const struct value *value, const struct place *place, bool defined) {
  struct array *target = kernel_place(k, place, true);
  struct coordinates at = {0};
  bool whole = place->buffer->axis_count == value->axis_count;
  for (int i = 0; i < value->axis_count; i++) whole = whole && value_has_axis(value, place->buffer->axes[i]);
  open_loops(k, whole ? place->buffer->axes : value->axes, value->axis_count, work_of(value->axes, value->axis_count),
             &at);
  struct leveled x = defined ? access_value(k, value, &at) : access_definition(k, value, &at);
  kernel_store(k, target, access_offset(k, value, place, &at), x.x);
}

void schedule_naive(struct scheduler *s, const struct value *value) {
  struct place elements = {0};
  if (value->op == OP_quantile) elements = quantile_elements(s, value);
  struct kernel *k = kernel_new(
      s, value,
      value->name ? name_end(s->arena, value->name, 1) : arena_format(s->arena, "%s_kernel", op_facts[value->op].name));
  const struct place *place = note_of(s, value)->place;
  kernel_count_uses(s, &value, 1);
  const struct value *product = note_of(s, value)->absorbed;
  if (product) {
    struct place own = {.buffer = place->buffer, .named = place->named, .offset = place->offset};
    for (int i = 0; i < product->axis_count; i++)
      for (int j = 0; j < value->axis_count; j++)
        if (value->axes[j] == product->axes[i]) own.strides[i] = place->strides[j];
    naive_reduce(k, product, &own, value->inputs[value->inputs[0] == product]);
  } else if (access_is_expression(value)) {
    naive_expression(k, value, place, false);
  } else {
    switch (op_facts[value->op].class) {
      case CLASS_REDUCE:
      case CLASS_CONTRACT:
        naive_reduce(k, value, place, NULL);
        break;
      case CLASS_MIX:
        if (value->op == OP_scan)
          naive_scan(k, value, place);
        else if (value->op == OP_quantile)
          naive_quantile(k, value, place, &elements);
        else
          naive_top(k, value, place);
        break;
      case CLASS_SCATTER:
        write_scatter(k, value, place);
        break;
      case CLASS_UPDATE:
        naive_update(k, value, place);
        break;
      case CLASS_LEAF:
      case CLASS_RANDOM:
      case CLASS_UNARY:
      case CLASS_BINARY:
      case CLASS_COMPARE:
      case CLASS_LOGIC:
      case CLASS_TERNARY:
      case CLASS_GATHER:
      case CLASS_VIEW:
      case CLASS_STOP:
      case CLASS_GRADIENT:
      case CLASS_CALL:
        bug("%s has no schedule", op_facts[value->op].name);
    }
  }
  kernel_close_to(k, 0);
  kernel_finish(k);
}
