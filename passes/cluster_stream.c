/* Which clusters are computed block by block (stream.h). They are found by structure, whoever wrote the spec and whatever its axes are
   called: a contraction whose result is *wide*, no smaller than its operands are, a sweep that reduces its rows, and whatever reads the
   wide values of these. Wide values are then no memory but for a block of rows; all that goes into and out of the stream is small.
   It costs nothing: no element is computed twice, and each sum has the order that it had. */
#include <stdlib.h>
#include <string.h>

#include "passes/contract.h"
#include "passes/fuse.h"

struct finder {
  struct former *f;
  struct scheduler *s;
  struct stream *stream; /* that is being found */
  const struct value *seed;
  struct axis *const *rows; /* the axes that its sweeps reduce */
  int row_count;
  /* Clusters that read values of the stream as no stream can: for them these are memory of full size. */
  ARRAY(const struct cluster *) left_out;
};

static bool is_wide(const struct finder *d, const struct value *value) {
  return same_set(d->seed->axes, d->seed->axis_count, value->axes, value->axis_count);
}

static bool has_cluster(const struct stream *stream, const struct cluster *cluster) {
  for (int i = 0; i < stream->clusters.count; i++)
    if (stream->clusters.items[i] == cluster) return true;
  return false;
}

/* Whether the cluster stands on the seed's side of where the backward pass begins. What is between would be needed by a stream that has
   clusters of both. */
static bool is_on_side(const struct finder *d, const struct cluster *cluster) {
  const struct graph_facts *facts = &d->s->facts;
  return facts_is_way_back(facts, cluster->values.items[0]) == facts_is_way_back(facts, d->seed);
}

static bool is_left_out(const struct finder *d, const struct cluster *cluster) {
  for (int i = 0; i < d->left_out.count; i++)
    if (d->left_out.items[i] == cluster) return true;
  return false;
}

/* Whether the cluster reads wide values of the stream. */
static bool belongs(struct finder *d, const struct cluster *cluster) {
  if (!is_on_side(d, cluster) || is_left_out(d, cluster)) return false;
  for (int i = 0; i < cluster->values.count; i++) {
    read_root(d->f, cluster->values.items[i]);
    for (int j = 0; j < d->f->readings.items.count; j++)
      for (int n = 0; n < d->stream->values.count; n++)
        if (d->f->readings.items.items[j].value == d->stream->values.items[n]) return true;
  }
  return false;
}

static void add_cluster(struct finder *d, struct cluster *cluster) {
  array_push(d->s->arena, &d->stream->clusters, cluster);
  for (int i = 0; i < cluster->values.count; i++)
    if (is_wide(d, cluster->values.items[i]) && !is_reduction(cluster->values.items[i]))
      array_push(d->s->arena, &d->stream->values, cluster->values.items[i]);
}

/* The clusters that compute what a cluster reads wide. */
static void add_sources(struct finder *d, const struct cluster *cluster) {
  for (int i = 0; i < cluster->values.count; i++) {
    read_root(d->f, cluster->values.items[i]);
    for (int j = 0; j < d->f->readings.items.count; j++) {
      const struct value *value = d->f->readings.items.items[j].value;
      struct cluster *source = cluster_of(d->s, value);
      if (source && is_wide(d, value) && !is_reduction(value) && is_on_side(d, source) && !is_left_out(d, source) &&
          !has_cluster(d->stream, source))
        add_cluster(d, source);
    }
  }
}

static int by_position(const void *x, const void *y) {
  return (*(struct cluster *const *)x)->position - (*(struct cluster *const *)y)->position;
}

/* Clusters that are added are looked at in their turn. */
static void grow(struct finder *d) {
  for (int i = 0; i < d->stream->clusters.count; i++) {
    const struct cluster *cluster = d->stream->clusters.items[i];
    add_sources(d, cluster);
    for (int j = 0; j < cluster->users.count; j++) {
      struct cluster *user = representative(cluster->users.items[j]);
      if (!has_cluster(d->stream, user) && belongs(d, user)) add_cluster(d, user);
    }
  }
  qsort(d->stream->clusters.items, (size_t)d->stream->clusters.count, sizeof *d->stream->clusters.items, by_position);
}

/* Whether the value can be memory of one block: it has a buffer of activations for itself, and is copied nowhere. */
static bool has_own_memory(const struct finder *d, const struct value *value) {
  const struct place *place = note_of(d->s, value)->place;
  if (!place || place->offset || place->buffer->role != BUFFER_ACTIVATION || place->buffer->dumped) return false;
  if (place->buffer->axis_count != value->axis_count || place->buffer->count != value_count(value)) return false;
  for (int i = 0; i < d->s->decisions.copies.count; i++)
    if (d->s->decisions.copies.items[i].value == value) return false;
  return true;
}

/* Whether a wide value is read on the way to the value, which is none itself. */
static bool reaches_wide(struct finder *d, const struct value *value) {
  if (is_wide(d, value) && !is_reduction(value)) return true;
  if (stops_here(d->s, value)) return false;
  for (int i = 0; i < value->input_count; i++)
    if (reaches_wide(d, value->inputs[i])) return true;
  return false;
}

/* Whether the operand is an element at the coordinates of the contraction's own: a value of the stream as it is, or nothing of it. */
static bool is_plain_operand(struct finder *d, const struct value *operand) {
  const struct cluster *source = cluster_of(d->s, operand);
  return (source && stops_here(d->s, operand)) || !reaches_wide(d, operand);
}

/* Whether one reading of a cluster finds what it reads: of what the stream itself computes only the rows of the block at hand are known, and
   only those of the task at hand. */
static bool finds_reading(struct finder *d, const struct cluster *cluster, const struct value *root,
                          const struct reading *reading) {
  const struct cluster *source = cluster_of(d->s, reading->value);
  const bool wide = is_wide(d, reading->value) && !is_reduction(reading->value);
  if (!source || source == cluster || !has_cluster(d->stream, source)) return true;
  /* What is summed over rows is complete behind the last block. */
  if (!wide && !value_has_axis(reading->value, d->stream->blocked)) return false;
  if (!reading->shifted) return true;
  return root->op == OP_contract && (root->inputs[0] == reading->value || root->inputs[1] == reading->value) &&
         is_plain_operand(d, root->inputs[0]) && is_plain_operand(d, root->inputs[1]);
}

static bool finds_readings(struct finder *d, const struct cluster *cluster) {
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *root = product_of(d->s, cluster->values.items[i]);
    read_root(d->f, cluster->values.items[i]);
    for (int j = 0; j < d->f->readings.items.count; j++)
      if (!finds_reading(d, cluster, root, &d->f->readings.items.items[j])) return false;
  }
  return true;
}

static bool suits_sweep(const struct finder *d, const struct cluster *cluster) {
  if (!same_set(cluster->space, cluster->space_count, d->seed->axes, d->seed->axis_count)) return false;
  for (int i = 0; i < cluster->values.count; i++)
    if (cluster->values.items[i]->op == OP_update) return false;
  if (!cluster->reduced_count) return d->row_count == 1 && cluster->space[cluster->space_count - 1] == d->rows[0];
  return reduces_rows(cluster) && same_set(cluster->reduced, cluster->reduced_count, d->rows, d->row_count);
}

/* Whether all clusters are of kinds that a stream's kernel can compute, and at least one reduces rows. */
static bool suits(const struct finder *d) {
  bool reduces = false;
  for (int i = 0; i < d->stream->clusters.count; i++) {
    const struct cluster *cluster = d->stream->clusters.items[i];
    if (cluster->kind != CLUSTER_CONTRACT && (cluster->kind != CLUSTER_SWEEP || !suits_sweep(d, cluster))) return false;
    reduces = reduces || (cluster->kind == CLUSTER_SWEEP && cluster->reduced_count);
  }
  return reduces;
}

/* Takes what the cluster reads out of the wide values. */
static void drop_read(struct finder *d, const struct cluster *cluster) {
  struct stream *stream = d->stream;
  for (int i = 0; i < cluster->values.count; i++) {
    read_root(d->f, cluster->values.items[i]);
    for (int j = 0; j < d->f->readings.items.count; j++)
      for (int n = stream->values.count - 1; n >= 0; n--)
        if (stream->values.items[n] == d->f->readings.items.items[j].value)
          stream->values.items[n] = stream->values.items[--stream->values.count];
  }
}

/* Other wide values, such as those that a cluster outside reads, stay memory of their full size, which the stream fills block by block. */
static void keep_own(struct finder *d) {
  struct stream *stream = d->stream;
  int kept = 0;
  for (int i = 0; i < stream->values.count; i++)
    if (has_own_memory(d, stream->values.items[i])) stream->values.items[kept++] = stream->values.items[i];
  stream->values.count = kept;
  for (int c = 0; c < stream->clusters.count; c++)
    for (int u = 0; u < stream->clusters.items[c]->users.count; u++) {
      const struct cluster *user = representative(stream->clusters.items[c]->users.items[u]);
      if (!has_cluster(stream, user)) drop_read(d, user);
    }
}

/* Whether the axis is one of the result and of both operands of each contraction: its elements have nothing to do with each other. */
static bool is_apart(const struct finder *d, const struct axis *axis) {
  for (int i = 0; i < d->stream->clusters.count; i++) {
    const struct cluster *cluster = d->stream->clusters.items[i];
    const struct value *value = product_of(d->s, cluster->values.items[0]);
    if (cluster->kind != CLUSTER_CONTRACT) continue;
    for (int j = 0; j < 2; j++)
      if (!value_has_axis(value->inputs[j], axis)) return false;
    if (!value_has_axis(value, axis)) return false;
  }
  return true;
}

/* The axes around, in the order of layouts, and the blocked one: the longest of those that are neither around nor rows. */
static bool choose_axes(struct finder *d) {
  struct stream *stream = d->stream;
  struct axis *order[MAX_AXES];
  memcpy(order, d->seed->axes, sizeof *order * (size_t)d->seed->axis_count);
  facts_order_axes(&d->s->facts, order, d->seed->axis_count);
  int64_t tasks = 1;
  for (int i = 0; i < d->seed->axis_count; i++) {
    if (axis_listed(d->rows, d->row_count, order[i])) continue;
    if (is_apart(d, order[i]))
      stream->around[stream->around_count++] = order[i], tasks *= order[i]->extent;
    else if (!stream->blocked || order[i]->extent > stream->blocked->extent)
      stream->blocked = order[i];
  }
  return stream->blocked && tasks >= (int64_t)d->s->pipeline.parameters[PARAMETER_stream_tasks];
}

/* Whether the clusters can run one right after the other: no cluster outside needs one of them and is needed by another. Then all
   clusters are put into such an order. */
static bool put_in_order(struct finder *d) {
  struct scheduler *s = d->s;
  struct stream *stream = d->stream;
  const int count = s->decisions.clusters.count, first = stream->clusters.items[0]->position,
            last = stream->clusters.items[stream->clusters.count - 1]->position;
  bool *after = arena_new_array(s->arena, bool, count);
  for (int i = first; i <= last; i++) {
    const struct cluster *cluster = s->decisions.clusters.items[i];
    const bool own = has_cluster(stream, cluster);
    for (int j = 0; j < cluster->needs.count; j++) {
      const struct cluster *need = representative(cluster->needs.items[j]);
      if (need == cluster || need->position < first) continue;
      if (need->position > i) return false; /* an order among updates, which no need tells */
      const bool waits = after[need->position] || has_cluster(stream, need);
      if (own && after[need->position]) return false;
      after[i] = after[i] || (!own && waits);
    }
  }
  /* Streams that were found before stay whole. */
  for (int i = first; i <= last; i++)
    for (int j = first; j < i && s->decisions.clusters.items[i]->stream; j++)
      if (s->decisions.clusters.items[i]->stream == s->decisions.clusters.items[j]->stream && after[i] != after[j])
        return false;
  ARRAY(struct cluster *) sorted = {0};
  for (int part = 0; part < 3; part++)
    for (int i = first; i <= last; i++) {
      struct cluster *cluster = s->decisions.clusters.items[i];
      const int own = has_cluster(stream, cluster) ? 1 : after[i] ? 2 : 0;
      if (own == part) array_push(s->arena, &sorted, cluster);
    }
  for (int i = 0; i < sorted.count; i++) {
    s->decisions.clusters.items[first + i] = sorted.items[i];
    sorted.items[i]->position = first + i;
  }
  return true;
}

/* The rows of a block: enough to multiply well, as many as leave its wide values in a cache, and a divisor of the axis. 0 where no number does. */
static int64_t choose_rows(const struct finder *d) {
  enum { LEAST_ROWS = 8, MOST_ROWS = 64, LEAST_VALUES = 2 };
  const struct stream *stream = d->stream;
  const double *parameters = d->s->pipeline.parameters;
  double row = 4 * (stream->values.count > LEAST_VALUES ? stream->values.count : LEAST_VALUES);
  for (int i = 0; i < d->seed->axis_count; i++)
    if (!stream_is_around(stream, d->seed->axes[i]) && d->seed->axes[i] != stream->blocked)
      row *= (double)d->seed->axes[i]->extent;
  const int64_t extent = stream->blocked->extent, wanted = (int64_t)parameters[PARAMETER_stream_rows];
  const int64_t least = wanted ? 1 : LEAST_ROWS;
  int64_t most = wanted ? wanted : (int64_t)(parameters[PARAMETER_stream_bytes] / row);
  if (!wanted && most > MOST_ROWS) most = MOST_ROWS;
  if (most < least) most = least;
  if (most >= extent) return extent;
  for (int64_t rows = most; rows >= least && rows * 4 >= most; rows--)
    if (extent % rows == 0) return rows;
  return 0;
}

/* The order of axes in memory: around, the rows of the block, other axes, and innermost those that sweeps reduce. */
static void order_block(const struct finder *d, struct axis **order) {
  const struct stream *stream = d->stream;
  int filled = 0;
  for (int part = 0; part < 3; part++)
    for (int i = 0; i < d->seed->axis_count; i++) {
      struct axis *axis = d->seed->axes[i];
      const bool row = axis_listed(d->rows, d->row_count, axis);
      if (part == 0 && stream_is_around(stream, axis)) order[filled++] = axis;
      if (part == 1 && axis == stream->blocked) order[filled++] = axis;
      if (part == 2 && !row && axis != stream->blocked && !stream_is_around(stream, axis)) order[filled++] = axis;
    }
  for (int i = 0; i < d->row_count; i++) order[filled++] = d->rows[i];
}

/* Whether all contractions of the stream go by tiles over what memory wide values then have. */
static bool can_stream(struct finder *d) {
  struct scheduler *s = d->s;
  struct stream *stream = d->stream;
  bool fits = true;
  s->stream = stream;
  for (int i = 0; i < stream->around_count; i++)
    coordinates_set(&stream->coordinates, stream->around[i], linear_constant(0));
  stream->first = linear_constant(0);
  for (int i = 0; i < stream->clusters.count && fits; i++) {
    const struct cluster *cluster = stream->clusters.items[i];
    if (cluster->kind == CLUSTER_CONTRACT) fits = contract_can_stream(s, cluster->values.items[0], cluster);
  }
  s->stream = NULL;
  return fits;
}

/* Gives all wide values memory for a block; where a contraction cannot go by tiles then, it is taken back. */
static bool place_blocks(struct finder *d) {
  struct scheduler *s = d->s;
  struct stream *stream = d->stream;
  const int count = stream->values.count;
  struct place *places = arena_new_array(s->arena, struct place, count);
  struct buffer *buffers = arena_new_array(s->arena, struct buffer, count);
  struct axis *order[MAX_AXES];
  order_block(d, order);
  for (int i = 0; i < count; i++) {
    struct place *place = note_of(s, stream->values.items[i])->place;
    places[i] = *place, buffers[i] = *place->buffer;
    place_in_block(s, stream->values.items[i], order, stream->blocked, stream->rows);
  }
  const bool fits = can_stream(d);
  for (int i = 0; i < count && !fits; i++) {
    struct place *place = note_of(s, stream->values.items[i])->place;
    *place = places[i], *place->buffer = buffers[i];
  }
  return fits;
}

/* The sweep that reduces rows of a value along axes of one operand of the contraction that computes it; NULL where there is none. */
static const struct cluster *sweep_of(struct finder *d, const struct value *product) {
  struct scheduler *s = d->s;
  for (int i = 0; i < s->decisions.clusters.count; i++) {
    const struct cluster *cluster = s->decisions.clusters.items[i];
    if (cluster->kind != CLUSTER_SWEEP || !reduces_rows(cluster)) continue;
    if (!same_set(cluster->space, cluster->space_count, product->axes, product->axis_count)) continue;
    if (!stream_are_rows(product, cluster->reduced, cluster->reduced_count)) continue;
    for (int j = 0; j < cluster->values.count; j++) {
      read_root(d->f, cluster->values.items[j]);
      for (int n = 0; n < d->f->readings.items.count; n++)
        if (product_of(s, d->f->readings.items.items[n].value) == product) return cluster;
    }
  }
  return NULL;
}

/* The clusters of the stream, without those that would read what is not known yet. False where nothing is left that is one. */
static bool grow_without_misreaders(struct finder *d, struct cluster *seed) {
  for (bool more = true; more;) {
    d->stream = arena_new_struct(d->s->arena, struct stream);
    add_cluster(d, seed);
    grow(d);
    if (!suits(d) || !choose_axes(d)) return false;
    more = false;
    for (int i = 0; i < d->stream->clusters.count; i++) {
      const struct cluster *cluster = d->stream->clusters.items[i];
      if (finds_readings(d, cluster)) continue;
      if (cluster == seed) return false;
      array_push(d->s->arena, &d->left_out, cluster);
      more = true;
    }
  }
  return true;
}

static void find_stream(struct former *f, struct cluster *cluster) {
  struct scheduler *s = f->s;
  const struct value *product = product_of(s, cluster->values.items[0]);
  if (product->op != OP_contract || product->kind != KIND_REAL || value_has_sized_axis(product)) return;
  if (stream_batch(product) < (int64_t)s->pipeline.parameters[PARAMETER_stream_tasks]) return;
  if (4 * value_count(product) < value_count(product->inputs[0]) + value_count(product->inputs[1])) return;
  struct finder finder = {.f = f, .s = s, .seed = product}, *d = &finder;
  const struct cluster *sweep = sweep_of(d, product);
  if (!sweep || sweep->stream) return;
  d->rows = sweep->reduced, d->row_count = sweep->reduced_count;
  if (!grow_without_misreaders(d, cluster)) return;
  for (int i = 0; i < d->stream->clusters.count; i++)
    if (d->stream->clusters.items[i]->stream) return;
  keep_own(d);
  d->stream->rows = choose_rows(d);
  if (!d->stream->rows || !put_in_order(d) || !place_blocks(d)) return;
  for (int i = 0; i < d->stream->clusters.count; i++) d->stream->clusters.items[i]->stream = d->stream;
}

void find_streams(struct former *f) {
  struct scheduler *s = f->s;
  ARRAY(struct cluster *) products = {0};
  for (int i = 0; i < s->decisions.clusters.count; i++) {
    struct cluster *cluster = s->decisions.clusters.items[i];
    cluster->position = i;
    if (cluster->kind == CLUSTER_CONTRACT) array_push(s->arena, &products, cluster);
  }
  /* A stream that is found moves clusters. */
  for (int i = 0; i < products.count; i++)
    if (!products.items[i]->stream) find_stream(f, products.items[i]);
}
