/* scatter_add: the base, to which each source is added at its index. Sources are added in order, so that the result
   never depends on threads. Axes that the index does not mix run in parallel, with blocks of the innermost axis as
   vectors where that axis is free. A base that lies where the result does is added to in place. */
#include "passes/schedule.h"

enum { SCATTER_TASKS = 8, SCATTER_VECTORS = 4 };

struct scatter {
  struct kernel *k;
  const struct value *value;
  const struct place *place;
  struct array *target;
  const struct axis *axis; /* the axis that vectors run along, or NULL */
  struct linear block; /* first column of the task */
  int64_t vectors;
  struct coordinates at;
};

static bool axes_same(const struct place *x, const struct value *x_value, const struct place *y,
                      const struct value *y_value) {
  if (!x || x->buffer != y->buffer || x->offset != y->offset) return false;
  for (int i = 0; i < x_value->axis_count; i++)
    for (int j = 0; j < y_value->axis_count; j++)
      if (x_value->axes[i] == y_value->axes[j] && x->strides[i] != y->strides[j]) return false;
  return true;
}

/* The contiguous axis, unless it is the indexed one or one of the index's; NULL when vectors cannot run along it. */
static const struct axis *vector_axis(const struct scatter *w) {
  const struct value *value = w->value, *index = value->inputs[1];
  for (int i = 0; i < value->axis_count; i++) {
    const struct axis *axis = value->axes[i];
    if (w->place->strides[i] != 1 || axis == value->axis || value_has_axis(index, axis) || axis->size) continue;
    return value->kind == KIND_REAL && axis->extent >= w->k->scheduler->target->lanes ? axis : NULL;
  }
  return NULL;
}

/* Opens the loops over the task's vectors and sets the column's coordinate. The caller closes them. */
static void open_vectors(struct scatter *w) {
  struct kernel *k = w->k;
  struct arena *arena = k->arena;
  if (!w->axis) return;
  int lanes = k->scheduler->target->lanes;
  struct linear column = w->block;
  if (w->vectors > 1)
    column = linear_add(
        arena, column,
        kernel_loop(k, LOOP_SERIAL, "column", expression_index(arena, w->vectors * lanes), w->vectors * lanes, lanes));
  struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
  if (w->axis->extent % (w->vectors * lanes)) {
    const struct expression *at = linear_expression(arena, linear_add(arena, column, lane));
    const struct expression *inside =
        expression_apply(arena, OP_lt, at, expression_index(arena, w->axis->extent), NULL);
    lane = kernel_guard_lane(k, lane, inside, lanes);
  }
  coordinates_set(&w->at, w->axis, linear_add(arena, column, lane));
}

static struct linear open_axis(struct kernel *k, const struct axis *axis, enum loop_kind loop) {
  if (axis->extent == 1 && !axis->size) return linear_constant(0);
  return kernel_loop(k, loop, name_identifier(k->arena, axis->name), kernel_extent(k, axis), axis->extent, 1);
}

void write_scatter(struct kernel *k, const struct value *value, const struct place *place) {
  struct arena *arena = k->arena;
  struct scheduler *s = k->scheduler;
  const struct value *index = value->inputs[1], *source = value->inputs[2], *base = value->inputs[0];
  struct scatter scatter = {.k = k, .value = value, .place = place}, *w = &scatter;
  const bool in_place = axes_same(note_of(s, base)->place, base, place, value);
  if (in_place) kernel_place(k, note_of(s, base)->place, false);
  w->target = kernel_place(k, place, true);
  w->axis = vector_axis(w);
  double work = (double)value_count(source);
  if (!in_place) work += (double)value_count(value);
  enum loop_kind loop = work >= s->pipeline.parameters[PARAMETER_parallel_work] ? LOOP_PARALLEL : LOOP_SERIAL;
  if (w->axis) {
    int64_t lanes = s->target->lanes, vectors = (w->axis->extent + lanes - 1) / lanes;
    w->vectors = vectors >= SCATTER_TASKS * SCATTER_VECTORS ? SCATTER_VECTORS : vectors >= SCATTER_TASKS * 2 ? 2 : 1;
    int64_t blocks = (vectors + w->vectors - 1) / w->vectors;
    w->block = linear_constant(0);
    if (blocks > 1)
      w->block = linear_scale(arena, kernel_loop(k, loop, "block", expression_index(arena, blocks), blocks, 1),
                              w->vectors * lanes);
    loop = LOOP_SERIAL;
  }
  for (int i = 0; i < value->axis_count; i++) {
    const struct axis *axis = value->axes[i];
    if (axis == value->axis || axis == w->axis) continue;
    coordinates_set(&w->at, axis, open_axis(k, axis, loop));
    loop = LOOP_SERIAL;
  }
  int depth = k->depth;
  if (!in_place) {
    coordinates_set(&w->at, value->axis, open_axis(k, value->axis, LOOP_SERIAL));
    open_vectors(w);
    kernel_store(k, w->target, access_offset(k, value, place, &w->at), access_value(k, base, &w->at).x);
    kernel_close_to(k, depth);
  }
  struct axis *order[MAX_AXES];
  const int added = scatter_order(value, order);
  for (int i = 0; i < added; i++) coordinates_set(&w->at, order[i], open_axis(k, order[i], LOOP_SERIAL));
  struct linear to_row = access_index(k, index, &w->at, value->axis->extent, NULL);
  open_vectors(w);
  struct coordinates to = w->at;
  coordinates_set(&to, value->axis, to_row);
  struct linear offset = access_offset(k, value, place, &to);
  const struct expression *old = expression_load(arena, w->target, linear_expression(arena, offset));
  kernel_store(k, w->target, offset, expression_apply(arena, OP_add, old, access_value(k, source, &w->at).x, NULL));
}
