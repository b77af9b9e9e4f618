/* Streams: the extents and coordinates of axes in them, and their kernels. */
#include "passes/contract.h"

int64_t stream_batch(const struct value *contraction) {
  int64_t count = 1;
  for (int i = 0; i < contraction->axis_count; i++)
    if (value_has_axis(contraction->inputs[0], contraction->axes[i]) &&
        value_has_axis(contraction->inputs[1], contraction->axes[i]))
      count *= contraction->axes[i]->extent;
  return count;
}

bool stream_are_rows(const struct value *contraction, struct axis *const *axes, int count) {
  for (int side = 0; side < 2; side++) {
    bool all = true;
    for (int i = 0; i < count; i++)
      all = all && value_has_axis(contraction->inputs[side], axes[i]) &&
            !value_has_axis(contraction->inputs[1 - side], axes[i]);
    if (all) return true;
  }
  return false;
}

bool stream_is_around(const struct stream *stream, const struct axis *axis) {
  for (int i = 0; stream && i < stream->around_count; i++)
    if (stream->around[i] == axis) return true;
  return false;
}

int64_t stream_extent(const struct stream *stream, const struct axis *axis) {
  return stream && axis == stream->blocked ? stream->rows : axis->extent;
}

const struct expression *stream_needed(const struct stream *stream, const struct axis *axis) {
  return stream && axis == stream->clipped ? stream->needed : NULL;
}

struct linear stream_coordinate(struct arena *arena, const struct stream *stream, const struct axis *axis,
                                struct linear at) {
  return stream && axis == stream->blocked ? linear_add(arena, stream->first, at) : at;
}

struct linear stream_offset(struct arena *arena, const struct stream *stream, const struct value *value,
                            const struct place *place) {
  struct linear offset = linear_constant(0);
  for (int i = 0; stream && i < value->axis_count; i++) {
    const struct axis *axis = value->axes[i];
    struct linear first = linear_constant(0);
    if (stream_is_around(stream, axis))
      first = coordinates_get(&stream->coordinates, axis);
    else if (axis == stream->blocked && !place->in_block)
      first = stream->first;
    offset = linear_add(arena, offset, linear_scale(arena, first, place->strides[i]));
  }
  return offset;
}

bool stream_adds(const struct stream *stream, const struct value *contraction) {
  return stream && axis_listed(contraction->list, contraction->list_count, stream->blocked);
}

/* Two operations for each product that the stream's contractions sum, in all tasks. */
static double flops_of(struct scheduler *s, const struct stream *stream) {
  double flops = 0;
  for (int i = 0; i < stream->clusters.count; i++) {
    const struct value *value = product_of(s, stream->clusters.items[i]->values.items[0]);
    if (value->op != OP_contract) continue;
    double own = 2 * (double)value_count(value);
    for (int j = 0; j < value->list_count; j++) own *= (double)value->list[j]->extent;
    flops += own;
  }
  return flops;
}

/* Opens the loops around all clusters: one over tasks, one over blocks. */
static void open_around(struct scheduler *s, struct stream *stream, struct kernel *k) {
  struct arena *arena = s->arena;
  int64_t tasks = 1;
  for (int i = 0; i < stream->around_count; i++) tasks *= stream->around[i]->extent;
  const enum loop_kind loop = flops_of(s, stream) >= PARALLEL_FLOPS ? LOOP_PARALLEL : LOOP_SERIAL;
  struct linear task = linear_constant(0);
  if (tasks > 1) task = kernel_loop(k, loop, "task", expression_index(arena, tasks), tasks, 1);
  stream->coordinates.count = 0;
  for (int i = stream->around_count - 1; i >= 0; i--) {
    const struct axis *axis = stream->around[i];
    struct linear along = i > 0 ? linear_mod(arena, task, axis->extent) : task;
    task = linear_quotient(arena, task, axis->extent);
    coordinates_set(&stream->coordinates, axis, kernel_named(k, name_identifier(arena, axis->name), along));
  }
  const int64_t blocks = stream->blocked->extent / stream->rows;
  stream->first = linear_constant(0);
  stream->block = NULL;
  if (blocks == 1) return;
  struct linear block = kernel_loop(k, LOOP_SERIAL, "block", expression_index(arena, blocks), blocks, 1);
  stream->first = linear_scale(arena, block, stream->rows);
  stream->block = linear_expression(arena, block);
  if (stream->clipped)
    stream->needed = linear_expression(arena, linear_add(arena, stream->first, linear_constant(stream->rows)));
}

void schedule_stream(struct scheduler *s, struct stream *stream) {
  struct cluster *all = arena_new_struct(s->arena, struct cluster);
  all->kind = CLUSTER_SWEEP;
  for (int i = 0; i < stream->clusters.count; i++) {
    const struct cluster *cluster = stream->clusters.items[i];
    for (int j = 0; j < cluster->values.count; j++) array_push(s->arena, &all->values, cluster->values.items[j]);
  }
  struct kernel *k = kernel_new(s, all->values.items[all->values.count - 1], "");
  stream_clip(s, stream);
  s->stream = stream;
  open_around(s, stream, k);
  stream->kernel = k;
  k->base = k->depth;
  for (int i = 0; i < stream->clusters.count; i++) schedule_cluster(s, stream->clusters.items[i]);
  stream->kernel = NULL;
  s->stream = NULL;
  k->base = 0;
  k->cluster = all;
  k->form = FORM_STREAM;
  kernel_close_to(k, 0);
  stream->launch = s->routine->launches.count;
  kernel_finish(k);
}
