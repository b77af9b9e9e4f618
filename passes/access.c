/* Values as expressions at given coordinates. A view rewrites the coordinates, an elementwise operation applies itself
   to its operands at the same coordinates, and a materialised value is a load. So a chain of views and elementwise
   operations is one expression in the kernel that uses it. */
#include <math.h>
#include <string.h>

#include "passes/stream.h"

void coordinates_set(struct coordinates *coordinates, const struct axis *axis, struct linear at) {
  int i = 0;
  while (i < coordinates->count && coordinates->axes[i] != axis) i++;
  if (i == 2 * MAX_AXES) bug("more than %d coordinates", 2 * MAX_AXES);
  if (i == coordinates->count) coordinates->count++;
  coordinates->axes[i] = axis;
  coordinates->at[i] = at;
}

struct linear coordinates_get(const struct coordinates *coordinates, const struct axis *axis) {
  for (int i = 0; i < coordinates->count; i++)
    if (coordinates->axes[i] == axis) return coordinates->at[i];
  bug("no coordinate along %s'%d", axis->name, axis->id);
}

bool access_is_expression(const struct value *value) {
  switch (op_facts[value->op].class) {
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
      return true;
    case CLASS_SCATTER: /* at most one source reaches each element when the index has no axis of its own */
      for (int i = 0; i < value->inputs[1]->axis_count; i++)
        if (value->inputs[1]->axes[i] == value->axis || !value_has_axis(value->inputs[0], value->inputs[1]->axes[i]))
          return false;
      return true;
    case CLASS_UPDATE:
      return value->input_count == 1;
    case CLASS_REDUCE:
    case CLASS_MIX:
    case CLASS_CONTRACT:
    case CLASS_GRADIENT:
    case CLASS_CALL:
      return false;
  }
  return false;
}

/* The coordinates along the axes that `value` has, `without` left out: a copy that may be changed. */
static struct coordinates narrowed(const struct value *value, const struct coordinates *at,
                                   const struct axis *without) {
  struct coordinates result = {0};
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] != without) coordinates_set(&result, value->axes[i], coordinates_get(at, value->axes[i]));
  return result;
}

struct linear access_offset(struct kernel *kernel, const struct value *value, const struct place *place,
                            const struct coordinates *at) {
  struct linear offset = linear_constant(place->offset);
  const struct stream *stream = kernel->scheduler->stream;
  for (int i = 0; i < value->axis_count; i++) {
    if (!place->strides[i]) continue;
    struct linear along = coordinates_get(at, value->axes[i]);
    if (place->in_block && value->axes[i] == stream->blocked)
      along = linear_add(kernel->arena, along, linear_scale(kernel->arena, stream->first, -1));
    offset = linear_add(kernel->arena, offset, linear_scale(kernel->arena, along, place->strides[i]));
  }
  return offset;
}

int64_t stride_along(const struct value *value, const struct place *place, const struct axis *axis) {
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] == axis) return place->strides[i];
  return 0;
}

/* Whether the factors, outermost first, lie one inside the other in memory, as one axis would; *stride is then its
   stride. */
static bool factors_merge(const struct value *value, const struct place *place, struct axis *const *factors, int count,
                          int64_t *stride) {
  int64_t expected = -1;
  *stride = 0;
  for (int i = count - 1; i >= 0; i--) {
    if (factors[i]->extent == 1) continue;
    int64_t own = stride_along(value, place, factors[i]);
    if (expected < 0)
      *stride = own;
    else if (own != expected)
      return false;
    expected = own * factors[i]->extent;
  }
  return true;
}

/* What find_place looks through besides views. */
enum look { LOOK_AT_VIEWS, LOOK_THROUGH_WIDENING, LOOK_AT_WIDEST };

static bool find_place(struct scheduler *s, const struct value *value, enum look look, struct place *place);

/* The place of the operand that has all axes of an elementwise value, with strides in the order of the value's axes; and of the index of
   a choice in a table. */
static bool find_operand(struct scheduler *s, const struct value *value, enum look look, struct place *place) {
  const bool widens = value->op == OP_cast && value->kind == KIND_REAL && value->inputs[0]->kind == KIND_INTEGER;
  const bool looks_up = look == LOOK_AT_WIDEST && value->op == OP_gather;
  if (look == LOOK_AT_VIEWS || (look == LOOK_THROUGH_WIDENING && !widens)) return false;
  if (!op_is_elementwise(value->op) && !looks_up) return false;
  for (int i = 0; i < value->input_count; i++) {
    const struct value *x = value->inputs[i];
    struct place inner;
    if (x->axis_count != value->axis_count || !find_place(s, x, look, &inner)) continue;
    place->buffer = inner.buffer;
    place->named = inner.named;
    place->in_block = inner.in_block;
    place->offset = inner.offset;
    for (int j = 0; j < value->axis_count; j++) place->strides[j] = stride_along(x, &inner, value->axes[j]);
    return true;
  }
  return false;
}

static bool find_place(struct scheduler *s, const struct value *value, enum look look, struct place *place) {
  const struct place *own = note_of(s, value)->place;
  if (own) {
    *place = *own;
    return true;
  }
  enum op op = value->op;
  bool view = op == OP_rename || op == OP_split || op == OP_merge || op == OP_slice || op == OP_select ||
              op == OP_expand || op == OP_stop || (op == OP_update && value->input_count == 1);
  struct place inner;
  if (!view) return find_operand(s, value, look, place);
  if (!find_place(s, value->inputs[0], look, &inner)) return false;
  const struct value *x = value->inputs[0];
  place->buffer = inner.buffer;
  place->named = inner.named;
  place->in_block = inner.in_block;
  place->offset = inner.offset;
  if (op == OP_slice || op == OP_select) place->offset += value->start * stride_along(x, &inner, value->axis);
  int64_t merged = 0, split = stride_along(x, &inner, value->axis);
  if (op == OP_merge && !factors_merge(x, &inner, value->list, value->list_count, &merged) && look != LOOK_AT_WIDEST)
    return false;
  for (int i = 0; i < value->axis_count; i++) {
    const struct axis *axis = value->axes[i];
    if (axis == value->result)
      place->strides[i] = op == OP_merge ? merged : stride_along(x, &inner, value->axis);
    else
      place->strides[i] = stride_along(x, &inner, axis);
  }
  for (int j = value->list_count - 1; op == OP_split && j >= 0; j--) {
    for (int i = 0; i < value->axis_count; i++)
      if (value->axes[i] == value->list[j]) place->strides[i] = split;
    split *= value->list[j]->extent;
  }
  return true;
}

bool access_strided(struct scheduler *s, const struct value *value, struct place *place) {
  return find_place(s, value, LOOK_AT_VIEWS, place);
}

bool access_widened(struct scheduler *s, const struct value *value, struct place *place) {
  return value->kind == KIND_REAL && find_place(s, value, LOOK_THROUGH_WIDENING, place) &&
         storage_kind(place->buffer->storage) == KIND_INTEGER;
}

bool access_widest(struct scheduler *s, const struct value *value, struct place *place) {
  return find_place(s, value, LOOK_AT_WIDEST, place);
}

static struct leveled number(struct kernel *kernel, enum type type, double x) {
  return (struct leveled){expression_number(kernel->arena, type, x), 0};
}

static int deeper(int x, int y) { return x > y ? x : y; }

static struct leveled apply(struct kernel *kernel, enum op op, struct leveled x, struct leveled y, struct leveled z) {
  int level = deeper(x.level, deeper(y.x ? y.level : 0, z.x ? z.level : 0));
  return (struct leveled){expression_apply(kernel->arena, op, x.x, y.x, z.x), level};
}

static const struct leveled none = {NULL, 0};

static struct leveled as_integer(struct kernel *kernel, struct linear x) {
  if (x.count == 0) return number(kernel, TYPE_INTEGER, (double)x.constant);
  return (struct leveled){expression_convert(kernel->arena, TYPE_INTEGER, linear_expression(kernel->arena, x)),
                          linear_level(x)};
}

/* The coordinate less `offset`, clamped to [0, extent). *inside tells whether it was inside before; it has no
   expression where it always was. */
static struct linear window(struct kernel *kernel, struct linear at, int64_t offset, int64_t extent,
                            struct leveled *inside) {
  struct arena *arena = kernel->arena;
  struct linear moved = linear_add(arena, at, linear_constant(-offset));
  int64_t low, high;
  linear_range(moved, &low, &high);
  *inside = none;
  if (low >= 0 && high < extent) return moved;
  const struct expression *x = linear_expression(arena, moved);
  int level = linear_level(moved);
  if (low < 0) {
    *inside = (struct leveled){expression_apply(arena, OP_le, expression_index(arena, 0), x, NULL), level};
    x = expression_apply(arena, OP_max, x, expression_index(arena, 0), NULL);
  }
  if (high >= extent) {
    struct leveled below = {
        expression_apply(arena, OP_lt, linear_expression(arena, moved), expression_index(arena, extent), NULL), level};
    *inside = inside->x ? apply(kernel, OP_and, *inside, below, none) : below;
    x = expression_apply(arena, OP_min, x, expression_index(arena, extent - 1), NULL);
  }
  return linear_from(arena, x, 0, extent - 1, level);
}

static struct leveled access_concat(struct kernel *kernel, const struct value *value, const struct coordinates *at) {
  struct arena *arena = kernel->arena;
  struct linear along = coordinates_get(at, value->result);
  int64_t low, high, end = value->result->extent;
  linear_range(along, &low, &high);
  struct leveled result = none;
  for (int i = value->input_count - 1; i >= 0; i--) {
    const struct value *part = value->inputs[i];
    int64_t begin = end - value->list[i]->extent, part_end = end;
    end = begin;
    if (high < begin || low >= part_end) continue;
    struct coordinates inner = {0};
    for (int j = 0; j < part->axis_count; j++)
      if (part->axes[j] != value->list[i]) coordinates_set(&inner, part->axes[j], coordinates_get(at, part->axes[j]));
    struct leveled inside;
    coordinates_set(&inner, value->list[i], window(kernel, along, begin, value->list[i]->extent, &inside));
    struct leveled x = access_value(kernel, part, &inner);
    if (!result.x) {
      result = x;
    } else {
      struct leveled below = {
          expression_apply(arena, OP_lt, linear_expression(arena, along), expression_index(arena, part_end), NULL),
          linear_level(along)};
      result = apply(kernel, OP_where, below, x, result);
    }
  }
  return result;
}

static struct leveled access_random(struct kernel *kernel, const struct value *value, const struct coordinates *at) {
  struct arena *arena = kernel->arena;
  const struct axis *batch = value->input_count > 1 ? value->inputs[1]->axes[0] : NULL;
  struct linear element = linear_constant(0);
  int64_t stride = 1;
  for (int i = value->axis_count - 1; i >= 0; i--) {
    if (value->axes[i] == batch) continue;
    element = linear_add(arena, element, linear_scale(arena, coordinates_get(at, value->axes[i]), stride));
    stride *= value->axes[i]->extent;
  }
  struct leveled step = access_value(kernel, value->inputs[0], at);
  if (step.x->type == TYPE_REAL) step = apply(kernel, OP_floor, step, none, none);
  struct leveled example = batch ? access_value(kernel, value->inputs[1], at) : number(kernel, TYPE_INTEGER, 0);
  struct launch_argument seed = {.number_kind = NUMBER_SEED},
                         stream = {.number_kind = NUMBER_CONSTANT, .number = value->stream};
  const struct variable *seed_number = kernel_number(kernel, "random_seed", TYPE_INDEX, seed),
                        *stream_number = kernel_number(kernel, "stream", TYPE_INDEX, stream);
  const struct expression *arguments[5] = {expression_variable(arena, seed_number),
                                           expression_variable(arena, stream_number), step.x, example.x,
                                           linear_expression(arena, element)};
  return (struct leveled){expression_draw(arena, value->distribution, arguments),
                          deeper(linear_level(element), deeper(step.level, example.level))};
}

static struct leveled access_cast(struct kernel *kernel, const struct value *value, const struct coordinates *at) {
  struct arena *arena = kernel->arena;
  struct leveled x = access_value(kernel, value->inputs[0], at);
  enum kind from = value->inputs[0]->kind;
  const struct storage_facts *facts = &storage_facts[value->storage];
  if (value->kind == KIND_REAL && from == KIND_BOOLEAN)
    x = apply(kernel, OP_where, x, number(kernel, TYPE_REAL, 1), number(kernel, TYPE_REAL, 0));
  else if (value->kind == KIND_REAL && from == KIND_INTEGER)
    x.x = expression_convert(arena, TYPE_REAL, x.x);
  else if (value->kind == KIND_INTEGER && from == KIND_BOOLEAN)
    x = apply(kernel, OP_where, x, number(kernel, TYPE_INTEGER, 1), number(kernel, TYPE_INTEGER, 0));
  else if (value->kind == KIND_BOOLEAN && from != KIND_BOOLEAN)
    x = apply(kernel, OP_ne, x, number(kernel, type_of_kind(from), 0), none);
  else if (value->kind == KIND_INTEGER && value->storage != STORAGE_I32)
    x = apply(kernel, OP_min, apply(kernel, OP_max, x, number(kernel, TYPE_INTEGER, (double)facts->least), none),
              number(kernel, TYPE_INTEGER, (double)facts->most), none);
  /* Rounding to the type that reals have anyway changes nothing. */
  bool plain = value->kind != KIND_REAL || value->storage == STORAGE_REAL || value->storage == STORAGE_F64 ||
               (value->storage == STORAGE_F32 && !kernel->scheduler->target->double_precision);
  if (!plain) x.x = expression_cast(arena, value->storage, x.x);
  return x;
}

/* Whether an index is known to lie in an axis. Programs check ids when they read them; the runtime makes positions
   itself. */
static bool is_inside(const struct value *value, int64_t extent) {
  if (value->range) return value->range->extent <= extent;
  return value->run_input == RUN_POSITION;
}

/* Any other index is clamped to the axis, so that a program touches no memory but its own. */
static struct leveled held_inside(struct kernel *kernel, const struct value *value, struct leveled x, int64_t extent) {
  if (is_inside(value, extent)) return x;
  x = apply(kernel, OP_max, x, number(kernel, TYPE_INTEGER, 0), none);
  return extent > INT32_MAX ? x : apply(kernel, OP_min, x, number(kernel, TYPE_INTEGER, (double)(extent - 1)), none);
}

/* The base, plus the source where the index equals the coordinate; for an index without axes of its own. */
static struct leveled access_scatter(struct kernel *kernel, const struct value *value, const struct coordinates *at) {
  struct leveled base = access_value(kernel, value->inputs[0], at);
  struct leveled index =
      held_inside(kernel, value->inputs[1], access_value(kernel, value->inputs[1], at), value->axis->extent);
  struct leveled here = as_integer(kernel, coordinates_get(at, value->axis));
  struct leveled source = access_value(kernel, value->inputs[2], at);
  struct leveled zero = number(kernel, type_of_kind(value->kind), 0);
  struct leveled added = apply(kernel, OP_where, apply(kernel, OP_eq, here, index, none), source, zero);
  if (value->inputs[0]->op == OP_constant && value->inputs[0]->number == 0) return added;
  return apply(kernel, OP_add, base, added, none);
}

static struct leveled access_view(struct kernel *kernel, const struct value *value, const struct coordinates *at) {
  struct arena *arena = kernel->arena;
  if (value->op == OP_concat) return access_concat(kernel, value, at);
  const struct value *x = value->inputs[0];
  struct coordinates inner = {0};
  for (int i = 0; i < value->axis_count; i++)
    if (value_has_axis(x, value->axes[i])) coordinates_set(&inner, value->axes[i], coordinates_get(at, value->axes[i]));
  struct leveled inside = none;
  if (value->op == OP_rename) {
    coordinates_set(&inner, value->axis, coordinates_get(at, value->result));
  } else if (value->op == OP_split) {
    struct linear along = linear_constant(0);
    for (int i = 0; i < value->list_count; i++)
      along =
          linear_add(arena, linear_scale(arena, along, value->list[i]->extent), coordinates_get(at, value->list[i]));
    coordinates_set(&inner, value->axis, along);
  } else if (value->op == OP_merge) {
    struct linear along = coordinates_get(at, value->result);
    for (int i = value->list_count - 1; i >= 0; i--) {
      coordinates_set(&inner, value->list[i], i ? linear_mod(arena, along, value->list[i]->extent) : along);
      along = linear_quotient(arena, along, value->list[i]->extent);
    }
  } else if (value->op == OP_slice) {
    coordinates_set(&inner, value->axis,
                    linear_add(arena, coordinates_get(at, value->result), linear_constant(value->start)));
  } else if (value->op == OP_select) {
    coordinates_set(&inner, value->axis, linear_constant(value->start));
  } else if (value->op == OP_pad) {
    struct linear along = coordinates_get(at, value->result);
    int64_t low, high;
    linear_range(along, &low, &high);
    if (high < value->start || low >= value->start + value->axis->extent)
      return number(kernel, type_of_kind(value->kind), value->number);
    coordinates_set(&inner, value->axis, window(kernel, along, value->start, value->axis->extent, &inside));
  }
  struct leveled result = access_value(kernel, x, &inner);
  if (!inside.x) return result;
  return apply(kernel, OP_where, inside, result, number(kernel, type_of_kind(value->kind), value->number));
}

static bool is_materialised(struct kernel *kernel, const struct value *value) {
  return note_of(kernel->scheduler, value)->place != NULL;
}

struct linear access_index(struct kernel *kernel, const struct value *value, const struct coordinates *at,
                           int64_t extent, const struct axis *present) {
  struct arena *arena = kernel->arena;
  if (present && !present->size) present = NULL;
  if (!is_materialised(kernel, value)) {
    if (value->op == OP_index && is_inside(value, extent)) return coordinates_get(at, value->axis);
    if (value->op == OP_constant && (!present || value->number <= 0)) {
      int64_t x = (int64_t)value->number;
      return linear_constant(x < 0 ? 0 : x < extent ? x : extent - 1);
    }
    if (value->op == OP_stop) return access_index(kernel, value->inputs[0], at, extent, present);
    if (value->op == OP_rename || value->op == OP_expand) {
      struct coordinates inner = narrowed(value, at, value->op == OP_rename ? value->result : NULL);
      if (value->op == OP_rename) coordinates_set(&inner, value->axis, coordinates_get(at, value->result));
      return access_index(kernel, value->inputs[0], &inner, extent, present);
    }
  }
  struct leveled x = held_inside(kernel, value, access_value(kernel, value, at), extent);
  const struct expression *index = expression_convert(arena, TYPE_INDEX, x.x);
  if (present && !is_inside(value, extent)) { /* the axis may have fewer rows now than it has room for */
    const struct expression *last =
        expression_apply(arena, OP_sub, kernel_extent(kernel, present), expression_index(arena, 1), NULL);
    index = expression_apply(arena, OP_min, index, last, NULL);
  }
  return linear_from(arena, index, 0, extent - 1, x.level);
}

struct leveled access_definition(struct kernel *kernel, const struct value *value, const struct coordinates *at) {
  switch (op_facts[value->op].class) {
    case CLASS_LEAF:
      if (value->op == OP_constant) return number(kernel, type_of_kind(value->kind), value->number);
      if (value->op == OP_index) return as_integer(kernel, coordinates_get(at, value->axis));
      bug("%s has no place", op_facts[value->op].name);
    case CLASS_RANDOM:
      return access_random(kernel, value, at);
    case CLASS_UNARY:
      if (value->op == OP_cast) return access_cast(kernel, value, at);
      return apply(kernel, value->op, access_value(kernel, value->inputs[0], at), none, none);
    case CLASS_BINARY:
    case CLASS_COMPARE:
    case CLASS_LOGIC: {
      struct leveled x = access_value(kernel, value->inputs[0], at);
      return apply(kernel, value->op, x, access_value(kernel, value->inputs[1], at), none);
    }
    case CLASS_TERNARY: {
      struct leveled condition = access_value(kernel, value->inputs[0], at),
                     x = access_value(kernel, value->inputs[1], at);
      return apply(kernel, value->op, condition, x, access_value(kernel, value->inputs[2], at));
    }
    case CLASS_GATHER: {
      const struct value *table = value->inputs[0];
      struct coordinates inner = narrowed(table, at, value->axis);
      coordinates_set(&inner, value->axis,
                      access_index(kernel, value->inputs[1], at, value->axis->extent, value->axis));
      return access_value(kernel, table, &inner);
    }
    case CLASS_SCATTER:
      return access_scatter(kernel, value, at);
    case CLASS_VIEW:
      return access_view(kernel, value, at);
    case CLASS_STOP:
    case CLASS_UPDATE:
      return access_value(kernel, value->inputs[0], at);
    case CLASS_REDUCE:
    case CLASS_MIX:
    case CLASS_CONTRACT:
    case CLASS_GRADIENT:
    case CLASS_CALL:
      break;
  }
  bug("%s is not an expression", op_facts[value->op].name);
}

/* Small enough to be repeated at each use rather than named. */
static bool is_trivial(const struct expression *x) {
  return x->kind == EXPRESSION_NUMBER || x->kind == EXPRESSION_VARIABLE ||
         (x->kind == EXPRESSION_CONVERT && x->arguments[0]->kind == EXPRESSION_VARIABLE);
}

/* The kernel has stored the value for the row at hand only; elements at other coordinates are computed again. */
static bool is_at_row(struct kernel *kernel, const struct value *value, const struct coordinates *at) {
  for (int i = 0; kernel->row && i < value->axis_count; i++)
    if (!linear_equal(coordinates_get(kernel->row, value->axes[i]), coordinates_get(at, value->axes[i]))) return false;
  return true;
}

struct leveled access_value(struct kernel *kernel, const struct value *value, const struct coordinates *at) {
  struct leveled result;
  struct note *note = note_of(kernel->scheduler, value);
  if (!note->place && value->op == OP_constant) return access_definition(kernel, value, at);
  if (kernel_recall(kernel, value, at, &result)) return result;
  struct local *local = kernel_local(kernel, value);
  bool stored = local && local->stored && is_at_row(kernel, value, at);
  if (stored && local->array) {
    const struct expression *index = linear_expression(kernel->arena, kernel->row_index);
    result = (struct leveled){expression_load(kernel->arena, local->array, index), kernel->depth};
  } else if (local && !stored) {
    result = access_definition(kernel, value, at);
    if (!is_trivial(result.x)) result = kernel_let_value(kernel, result.level, value, result.x);
    kernel_remember(kernel, value, at, result);
    return result;
  } else if (note->place) {
    struct linear offset = access_offset(kernel, value, note->place, at);
    result.x = expression_load(kernel->arena, kernel_place(kernel, note->place, false),
                               linear_expression(kernel->arena, offset));
    result.level = linear_level(offset);
  } else {
    result = access_definition(kernel, value, at);
    if (op_facts[value->op].class == CLASS_VIEW || value->op == OP_stop) return result;
  }
  if (is_trivial(result.x)) return result;
  /* A value gets a name where the innermost loop does not change it, so that it is computed outside, or where it is
     used twice. */
  if (result.level < kernel->depth || kernel_uses(kernel->scheduler, value) > 1)
    result = kernel_let_value(kernel, result.level, value, result.x);
  kernel_remember(kernel, value, at, result);
  return result;
}
