/* Which memory of results is not needed after all. Elementwise results take the place of an operand which is not read afterwards: logits
   become their gradient, scores become weights. What only its own kernel reads is not stored. This is decided before kernels are written, because a kernel then has one pointer for both. */
#include <string.h>

#include "passes/fuse.h"

struct reuse {
  struct former *f;
  int *last_read; /* by value id: position of the last cluster that reads it, or -1 */
};

static void find_last_reads(struct reuse *r) {
  struct scheduler *s = r->f->s;
  r->last_read = arena_new_array(s->arena, int, s->graph->next_value);
  for (int i = 0; i < s->graph->next_value; i++) r->last_read[i] = -1;
  for (int c = 0; c < s->decisions.clusters.count; c++) {
    const struct cluster *cluster = s->decisions.clusters.items[c];
    for (int i = 0; i < cluster->values.count; i++) {
      read_root(r->f, cluster->values.items[i]);
      for (int j = 0; j < r->f->readings.items.count; j++) r->last_read[r->f->readings.items.items[j].value->id] = c;
    }
  }
  /* A value that is copied at the end is read there. */
  for (int i = 0; i < s->decisions.copies.count; i++)
    r->last_read[s->decisions.copies.items[i].value->id] = s->decisions.clusters.count;
}

/* Whether the value is alone in a buffer of activations and fills it. */
static bool owns_buffer(const struct scheduler *s, const struct value *value) {
  const struct place *place = note_of(s, value)->place;
  return place && place->buffer->role == BUFFER_ACTIVATION && !place->buffer->dumped && place->offset == 0 &&
         value->axis_count > 0 && (place->in_block || place->buffer->count == value_count(value)) &&
         place->buffer->axis_count == value->axis_count && value->op != OP_concat;
}

static bool same_layout(const struct scheduler *s, const struct value *x, const struct value *y) {
  if (note_of(s, x)->place->in_block != note_of(s, y)->place->in_block) return false;
  if (x->axis_count != y->axis_count || note_of(s, x)->place->buffer->storage != note_of(s, y)->place->buffer->storage)
    return false;
  for (int i = 0; i < x->axis_count; i++) {
    bool found = false;
    for (int j = 0; j < y->axis_count; j++)
      found =
          found || (x->axes[i] == y->axes[j] && note_of(s, x)->place->strides[i] == note_of(s, y)->place->strides[j]);
    if (!found) return false;
  }
  return true;
}

/* Where the value stands in the cluster, or -1. */
static int position_in(const struct cluster *cluster, const struct value *value) {
  for (int i = 0; i < cluster->values.count; i++)
    if (cluster->values.items[i] == value) return i;
  return -1;
}

/* Whether a reduction of the cluster needs the value, directly or not. Such a value is stored before the last
   traversal, and would overwrite what that traversal may still read. */
static bool feeds_reduction(struct reuse *r, const struct cluster *cluster, const struct value *value) {
  bool *needed = arena_new_array(r->f->s->arena, bool, cluster->values.count);
  for (bool more = true; more;) {
    more = false;
    for (int i = cluster->values.count - 1; i >= 0; i--) {
      if (!needed[i] && !is_reduction(cluster->values.items[i])) continue;
      read_root(r->f, cluster->values.items[i]);
      for (int j = 0; j < r->f->readings.items.count; j++) {
        int at = position_in(cluster, r->f->readings.items.items[j].value);
        if (at >= 0 && !needed[at]) needed[at] = more = true;
      }
    }
  }
  return needed[position_in(cluster, value)];
}

/* An operand of the cluster that nothing reads later and that lies as `value` will, or NULL. */
static const struct value *find_operand(struct reuse *r, const struct cluster *cluster, int position,
                                        const struct value *value) {
  struct scheduler *s = r->f->s;
  ARRAY(const struct value *) shifted = {0}, candidates = {0};
  for (int i = 0; i < cluster->values.count; i++) {
    read_root(r->f, cluster->values.items[i]);
    for (int j = 0; j < r->f->readings.items.count; j++) {
      const struct reading *reading = &r->f->readings.items.items[j];
      if (reading->shifted)
        array_push(s->arena, &shifted, reading->value);
      else if (cluster->values.items[i] == value)
        array_push(s->arena, &candidates, reading->value);
    }
  }
  for (int i = 0; i < candidates.count; i++) {
    const struct value *x = candidates.items[i];
    /* Of the cluster's own values, a contraction is complete when another one is stored in its place. */
    const bool own = position_in(cluster, x) >= 0,
               product = cluster->kind == CLUSTER_CONTRACT && x == cluster->values.items[0];
    /* The next block reads again what a stream reads whole. */
    const bool again = cluster->stream && (!note_of(s, x)->place || !note_of(s, x)->place->in_block);
    bool usable =
        !again && r->last_read[x->id] == position && owns_buffer(s, x) && same_layout(s, x, value) && (!own || product);
    for (int j = 0; j < shifted.count && usable; j++) usable = shifted.items[j] != x;
    /* Another result of this cluster may have taken the buffer already. */
    for (int j = product ? 1 : 0; j < cluster->values.count && usable; j++) {
      const struct place *place = note_of(s, cluster->values.items[j])->place;
      usable = !place || place->buffer != note_of(s, x)->place->buffer;
    }
    if (usable) return x;
  }
  return NULL;
}

enum { DROPPED = -1 }; /* buffer->mark */

static void drop_marked(struct scheduler *s) {
  int kept = 0;
  for (int i = 0; i < s->module->buffers.count; i++)
    if (s->module->buffers.items[i]->mark != DROPPED) s->module->buffers.items[kept++] = s->module->buffers.items[i];
  s->module->buffers.count = kept;
}

static bool is_named(const struct value *value) { return value->name || value->call; }

/* `value` will lie where `x` does. Its own buffer becomes a further name of that memory, since kernels that come later
   read `value` there and not `x`; but for values that a reader would call the same, as the gradients of one residual
   stream. */
static void take_buffer(struct scheduler *s, const struct value *value, const struct value *x) {
  struct place *place = note_of(s, value)->place;
  const struct place *other = note_of(s, x)->place;
  struct buffer *freed = place->buffer, *known_as = other->named ? other->named : other->buffer;
  const bool same = !strcmp(name_end(s->arena, freed->label, 1), name_end(s->arena, known_as->label, 1));
  const bool renamed = !same && (is_named(value) || is_named(x));
  place->buffer = other->buffer;
  place->named = renamed ? freed : other->named;
  if (renamed)
    freed->memory = other->buffer;
  else
    freed->mark = DROPPED;
}

/* Whether nothing but the contraction's own kernel has to do with the memory of its sums. */
static void find_passing(struct reuse *r, const struct cluster *cluster, int position) {
  struct scheduler *s = r->f->s;
  const struct value *sums = cluster->values.items[0];
  struct note *note = note_of(s, sums);
  if (cluster->values.count < 2 || r->last_read[sums->id] != position || !owns_buffer(s, sums)) return;
  for (int i = 1; i < cluster->values.count; i++) {
    const struct place *place = note_of(s, cluster->values.items[i])->place;
    if (place && place->buffer == note->place->buffer) return;
  }
  note->is_passing = true;
}

/* Whether a value that was to be stored can be computed on the spot, since its own kernel alone reads it after all. A
   rounding was to be stored in place of what it rounds; a kernel that reduces may read its elements in several
   traversals, and keeps them. Numbers that follow from a row's sums, as the last link of a sum of sums, are known when
   the row's elements are read again. */
static bool can_leave(struct reuse *r, const struct cluster *cluster, int position, const struct value *value) {
  const struct note *note = note_of(r->f->s, value);
  if (r->last_read[value->id] != position || !note->place) return false;
  if (note->kept == KEEP_NARROW) return cluster->reduced_count == 0 && owns_buffer(r->f->s, value);
  const struct buffer *buffer = note->place->buffer;
  const bool rows = cluster->reduced_count && cluster->kind == CLUSTER_SWEEP &&
                    (cluster->reduced_count == cluster->space_count || reduces_rows(cluster));
  return rows && (note->kept == KEEP_LINK || note->kept == KEEP_SHARED) && !is_reduction(value) &&
         value->axis_count == cluster->space_count - cluster->reduced_count && buffer->role == BUFFER_ACTIVATION &&
         !buffer->dumped && note->place->offset == 0;
}

static void leave_unread(struct reuse *r, struct cluster *cluster, int position) {
  struct scheduler *s = r->f->s;
  int kept = 0;
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    struct note *note = note_of(s, value);
    if (!can_leave(r, cluster, position, value)) {
      cluster->values.items[kept++] = value;
      continue;
    }
    note->place->buffer->mark = DROPPED;
    note->place = NULL;
    note->cluster = NULL;
    note->materialised = false;
  }
  cluster->values.count = kept;
}

void reuse_operands(struct former *f) {
  struct scheduler *s = f->s;
  struct reuse reuse = {.f = f}, *r = &reuse;
  find_last_reads(r);
  for (int c = 0; c < s->decisions.clusters.count; c++) {
    struct cluster *cluster = s->decisions.clusters.items[c];
    const struct value *scatter = cluster->values.items[0];
    if (scatter->op == OP_scatter_add && cluster->kind == CLUSTER_OTHER && owns_buffer(s, scatter)) {
      const struct value *base = scatter->inputs[0];
      bool dies = r->last_read[base->id] == c && owns_buffer(s, base) && same_layout(s, base, scatter);
      if (dies && scatter->inputs[2] != base) take_buffer(s, scatter, base);
      continue;
    }
    if (cluster->kind == CLUSTER_SWEEP || cluster->kind == CLUSTER_CONTRACT) leave_unread(r, cluster, c);
    bool rows = cluster->reduced_count == 0 || reduces_rows(cluster), product = cluster->kind == CLUSTER_CONTRACT;
    if ((cluster->kind != CLUSTER_SWEEP && !product) || !rows) continue;
    for (int i = product; i < cluster->values.count; i++) {
      const struct value *value = cluster->values.items[i];
      if (is_reduction(value) || value->axis_count != cluster->space_count || !owns_buffer(s, value) ||
          feeds_reduction(r, cluster, value))
        continue;
      const struct value *x = find_operand(r, cluster, c, value);
      if (!x) continue;
      take_buffer(s, value, x);
    }
    if (product) find_passing(r, cluster, c);
  }
  drop_marked(s);
}
