/* What the kernels of contractions begin with: their pointers, the loops around tiles, and how an index along merged axes moves
   the offsets of operands and the coordinates of axes. */
#include <string.h>

#include "passes/contract.h"

const struct expression *contract_extent(struct kernel *k, const struct dimension *dimension) {
  const struct expression *needed = stream_needed(dimension->stream, dimension->axis);
  if (needed) return needed;
  return dimension->axis->size ? kernel_extent(k, dimension->axis) : expression_index(k->arena, dimension->extent);
}

double contract_usual(const struct dimension *dimension) {
  return dimension->axis->size ? axis_usual(dimension->axis) : (double)dimension->extent;
}

void contract_add_offsets(struct arena *arena, const struct dimension *dimension, struct linear at,
                          struct position *position) {
  position->a_at = linear_add(arena, position->a_at, linear_scale(arena, at, dimension->a));
  position->b_at = linear_add(arena, position->b_at, linear_scale(arena, at, dimension->b));
  position->c_at = linear_add(arena, position->c_at, linear_scale(arena, at, dimension->c));
  position->initial_at = linear_add(arena, position->initial_at, linear_scale(arena, at, dimension->initial));
  contract_set_coordinates(arena, dimension, at, &position->coordinates);
}

void contract_set_coordinates(struct arena *arena, const struct dimension *dimension, struct linear at,
                              struct coordinates *coordinates) {
  const struct stream *stream = dimension->stream;
  for (int i = dimension->axis_count - 1; i > 0; i--) {
    const struct axis *axis = dimension->axes[i];
    const int64_t extent = stream_extent(stream, axis);
    coordinates_set(coordinates, axis, stream_coordinate(arena, stream, axis, linear_mod(arena, at, extent)));
    at = linear_quotient(arena, at, extent);
  }
  if (dimension->axis_count)
    coordinates_set(coordinates, dimension->axes[0], stream_coordinate(arena, stream, dimension->axes[0], at));
}

int64_t contract_tasks(const struct contraction *x) {
  int64_t tasks = 1;
  const struct group *groups[] = {&x->batch, &x->m, &x->n};
  for (int g = 0; g < 3; g++)
    for (int i = 0; i < groups[g]->count; i++)
      if (!groups[g]->items[i].axis->size) tasks *= groups[g]->items[i].extent;
  return tasks;
}

void contract_around(struct kernel *k, const struct contraction *x, struct linear task, struct position *at) {
  struct arena *arena = k->arena;
  struct group around = {0};
  const struct group *groups[] = {&x->batch, &x->m, &x->n};
  for (int g = 0; g < 3; g++)
    for (int i = 0; i < groups[g]->count; i++)
      if (!groups[g]->items[i].axis->size) around.items[around.count++] = groups[g]->items[i];
  for (int i = around.count - 1; i >= 0; i--) {
    struct linear along = i > 0 ? linear_mod(arena, task, around.items[i].extent) : task;
    task = linear_quotient(arena, task, around.items[i].extent);
    along = kernel_named(k, name_identifier(arena, around.items[i].axis->name), along);
    contract_add_offsets(arena, &around.items[i], along, at);
  }
  for (int g = 0; g < 3; g++) {
    for (int i = 0; i < groups[g]->count; i++) {
      const struct axis *axis = groups[g]->items[i].axis;
      if (!axis->size) continue;
      struct linear along =
          kernel_loop(k, LOOP_SERIAL, name_identifier(arena, axis->name), kernel_extent(k, axis), axis->extent, 1);
      contract_add_offsets(arena, &groups[g]->items[i], along, at);
    }
  }
}

/* Counts how often values are used by all that the kernel computes besides its sums. */
static void count_uses(struct kernel *k, const struct contraction *x) {
  ARRAY(const struct value *) roots = {0};
  if (x->a_copied || x->b_computed) array_push(k->arena, &roots, x->value);
  for (int i = 1; x->ends && i < x->cluster->values.count; i++) {
    array_push(k->arena, &roots, x->cluster->values.items[i]);
    array_push(k->arena, &k->locals, (struct local){x->cluster->values.items[i], NULL, false});
  }
  kernel_count_uses(x->s, roots.items, roots.count);
}

/* "12x32 dots of 4 bytes, AVX512-VNNI": the shape of the tile, if there is one, and what it multiplies by. */
static const char *multiplies_by(const struct contraction *x) {
  struct arena *arena = x->s->arena;
  const struct target *target = x->s->target;
  const char *shape = x->width ? arena_format(arena, "%dx%d ", x->rows, x->width) : "";
  const bool real = x->value->kind == KIND_REAL;
  const char *from = x->bitmap ? ", of a bitmap" : "";
  if (x->group == 1)
    return arena_format(arena, "%smultiply-adds of %s%s", shape,
                        !real                      ? "32-bit integers"
                        : target->double_precision ? "float64"
                                                   : "float32",
                        from);
  const char *by = x->matrix ? target->matrix_instructions : target->dot_instructions[x->dot];
  return arena_format(arena, "%sdots of %d %s, %s%s", shape, x->group, real ? storage_names[x->b_storage] : "bytes",
                      by ? by : "composed of products of 16 bits", from);
}

/* Sets the coordinate of an axis to where the kernel's own loops begin. */
static void begin_at(const struct contraction *x, struct position *at, const struct axis *axis) {
  const struct stream *stream = x->s->stream;
  struct linear first = stream_is_around(stream, axis)
                            ? coordinates_get(&stream->coordinates, axis)
                            : stream_coordinate(x->s->arena, stream, axis, linear_constant(0));
  coordinates_set(&at->coordinates, axis, first);
}

struct kernel *contract_kernel(struct contraction *x, struct position *at) {
  struct arena *arena = x->s->arena;
  const struct value *value = x->named->name ? x->named : x->value;
  const char *what = arena_format(arena, "%lldx%lld", (long long)x->depth.extent, (long long)x->column.extent);
  bool local = value->origin.function && value->origin.function[0];
  if (!local) what = arena_format(arena, "%s_%s", value->name ? name_end(arena, value->name, 1) : "product", what);
  struct kernel *k = kernel_new(x->s, value, what);
  k->value = x->named;
  k->cluster = x->ends ? x->cluster : NULL;
  const char *by = multiplies_by(x), *also = k->function->multiplies;
  if (!also || !strstr(also, by)) k->function->multiplies = also ? arena_format(arena, "%s; %s", also, by) : by;
  *at = (struct position){.b_step = x->depth.b, .panel_stride = x->width * x->column.b};
  /* Axes of one element are no dimensions. */
  for (int i = 0; i < x->value->axis_count; i++) begin_at(x, at, x->value->axes[i]);
  for (int i = 0; i < x->value->list_count; i++) begin_at(x, at, x->value->list[i]);
  count_uses(k, x);
  if (x->a_packed)
    at->a = kernel_pointer(k, x->a_packed, false);
  else if (!x->a_copied)
    at->a = kernel_window(k, &x->a, false);
  if (x->excess) at->excess = kernel_pointer(k, x->excess, false);
  if (!x->b_computed)
    at->b = x->packing == PACK_BUFFER ? kernel_pointer(k, x->packed, false) : kernel_window(k, &x->b, false);
  if (!x->sums_pass) at->c = kernel_window(k, &x->c, true);
  const struct stream *stream = x->s->stream;
  at->excess_at = linear_constant(0);
  at->a_at = x->a_computed ? linear_constant(0) : stream_offset(arena, stream, x->a_value, &x->a);
  at->b_at = x->b_computed ? linear_constant(0) : stream_offset(arena, stream, x->b_value, &x->b);
  at->c_at = stream_offset(arena, stream, x->value, &x->c);
  at->initial_at = stream_offset(arena, stream, x->value, &x->initial);
  if (x->initial.buffer) {
    at->begins = true;
    at->initial = kernel_window(k, &x->initial, false);
    at->initial_row = x->row.initial;
  }
  return k;
}
