/* Clusters: roots that share an iteration space are computed together where no path between them leaves the cluster. */
#include <string.h>

#include "passes/fuse.h"

struct cluster *cluster_of(struct scheduler *s, const struct value *value) {
  struct cluster *cluster = s->notes[value->id].cluster;
  while (cluster && cluster->merged) cluster = cluster->merged;
  return cluster;
}

struct cluster *representative(struct cluster *cluster) {
  while (cluster->merged) cluster = cluster->merged;
  return cluster;
}

void add_need(struct scheduler *s, struct cluster *cluster, struct cluster *need) {
  if (!need || need == cluster) return;
  for (int i = 0; i < cluster->needs.count; i++)
    if (representative(cluster->needs.items[i]) == need) return;
  array_push(s->arena, &cluster->needs, need);
}

static bool reaches_from(struct scheduler *s, struct cluster *from, const struct cluster *target) {
  if (from == target) return true;
  if (from->visited == s->visit_now) return false;
  from->visited = s->visit_now;
  for (int i = 0; i < from->needs.count; i++)
    if (reaches_from(s, representative(from->needs.items[i]), target)) return true;
  return false;
}

bool reaches(struct scheduler *s, struct cluster *from, const struct cluster *target) {
  s->visit_now++;
  return reaches_from(s, from, target);
}

/* The iteration space of a root, ordered, and what is reduced in it. */
void space_of(struct scheduler *s, const struct value *value, struct cluster *cluster) {
  const struct value *shape = is_reduction(value) ? value->inputs[0] : value;
  cluster->space_count = shape->axis_count;
  memcpy(cluster->space, shape->axes, sizeof *shape->axes * (size_t)shape->axis_count);
  struct place *place = s->notes[value->id].place;
  if (!is_reduction(value) && place && place->buffer->axis_count == value->axis_count && same_set(place->buffer->axes, value->axis_count, value->axes, value->axis_count))
    memcpy(cluster->space, place->buffer->axes, sizeof *cluster->space * (size_t)value->axis_count);
  else
    layout_order(s, cluster->space, cluster->space_count);
  if (is_reduction(value) && cluster->space_count && axis_listed(value->list, value->list_count, cluster->space[cluster->space_count - 1])) {
    /* Rows: what is kept outside, what is summed inside. */
    struct axis *sorted[MAX_AXES];
    int filled = 0;
    for (int summed = 0; summed < 2; summed++)
      for (int i = 0; i < cluster->space_count; i++)
        if (axis_listed(value->list, value->list_count, cluster->space[i]) == (summed == 1)) sorted[filled++] = cluster->space[i];
    memcpy(cluster->space, sorted, sizeof *sorted * (size_t)filled);
  }
  if (is_reduction(value)) {
    for (int i = 0; i < cluster->space_count; i++)
      if (axis_listed(value->list, value->list_count, cluster->space[i])) cluster->reduced[cluster->reduced_count++] = cluster->space[i];
  }
}

bool reduces_rows(const struct cluster *cluster) {
  for (int i = 0; i < cluster->reduced_count; i++)
    if (cluster->space[cluster->space_count - cluster->reduced_count + i] != cluster->reduced[i]) return false;
  return cluster->reduced_count > 0 && cluster->reduced_count < cluster->space_count;
}

bool is_total(const struct cluster *cluster) { return cluster->space_count > 0 && cluster->reduced_count == cluster->space_count; }

bool is_rest(const struct cluster *cluster, const struct value *value) {
  if (value->axis_count != cluster->space_count - cluster->reduced_count) return false;
  for (int i = 0; i < value->axis_count; i++)
    if (!axis_listed(cluster->space, cluster->space_count, value->axes[i]) || axis_listed(cluster->reduced, cluster->reduced_count, value->axes[i]))
      return false;
  return true;
}

/* Whether a root's space suits a cluster: the same axes, reduced the same way; or without the reduced axes, what is left. */
bool suits(const struct cluster *cluster, const struct value *value, const struct cluster *own) {
  if (cluster->kind != CLUSTER_SWEEP) return false;
  bool same = same_set(cluster->space, cluster->space_count, own->space, own->space_count);
  if (own->reduced_count) {
    if (!same) return false;
    if (same_set(cluster->reduced, cluster->reduced_count, own->reduced, own->reduced_count)) return true;
    return cluster->reduced_count == 0 && (reduces_rows(own) || is_total(own));
  }
  if (cluster->reduced_count == 0) return same;
  /* Columns store nothing for each element. */
  if (same) return reduces_rows(cluster) || is_total(cluster);
  return is_rest(cluster, value);
}

/* Whether the root can be computed by the cluster: nothing that it reads from elsewhere depends on the cluster. */
bool legal(struct former *f, struct cluster *cluster, const struct cluster *own) {
  const struct readings *r = &f->readings;
  bool total = is_total(cluster), columns = cluster->reduced_count && !reduces_rows(cluster) && !total;
  f->s->visit_now++; /* one walk for all of them: what was seen not to depend on the cluster does not */
  for (int i = 0; i < r->items.count; i++) {
    struct cluster *from = cluster_of(f->s, r->items.items[i].value);
    if (!from) continue;
    if (from == cluster) {
      if (r->items.items[i].shifted || (columns && own->reduced_count)) return false;
      /* A total is known when all elements are done. */
      if (total && own->space_count == cluster->space_count && r->items.items[i].value->axis_count < cluster->space_count) return false;
      continue;
    }
    if (reaches_from(f->s, from, cluster)) return false;
  }
  return true;
}

void join(struct former *f, struct cluster *cluster, const struct value *value, const struct cluster *own) {
  struct scheduler *s = f->s;
  array_push(s->arena, &cluster->values, value);
  if (own->reduced_count && !cluster->reduced_count) {
    cluster->reduced_count = own->reduced_count;
    /* A total may be summed in any order, and takes that of the elements that are stored. */
    if (!is_total(own)) memcpy(cluster->space, own->space, sizeof own->space);
    memcpy(cluster->reduced, is_total(own) ? cluster->space : own->reduced, sizeof own->reduced);
  }
  s->notes[value->id].cluster = cluster;
  for (int i = 0; i < f->readings.items.count; i++) {
    const struct value *read = f->readings.items.items[i].value;
    add_need(s, cluster, cluster_of(s, read));
    array_push(s->arena, &f->consumers[read->id].list, cluster);
  }
}

/* Two clusters of one space that a root reads from both become one, where neither needs the other. */
static void merge_clusters(struct former *f, struct cluster *into, struct cluster *from) {
  struct scheduler *s = f->s;
  for (int i = 0; i < from->values.count; i++) array_push(s->arena, &into->values, from->values.items[i]);
  for (int i = 0; i < from->needs.count; i++) add_need(s, into, representative(from->needs.items[i]));
  if (from->reduced_count && !into->reduced_count) {
    into->reduced_count = from->reduced_count;
    memcpy(into->reduced, from->reduced, sizeof from->reduced);
    memcpy(into->space, from->space, sizeof from->space);
  }
  from->merged = into;
}

static bool can_merge(struct scheduler *s, struct cluster *x, struct cluster *y) {
  if (x == y || x->kind != CLUSTER_SWEEP || y->kind != CLUSTER_SWEEP) return false;
  if (!same_set(x->space, x->space_count, y->space, y->space_count)) return false;
  if (x->reduced_count && y->reduced_count && !same_set(x->reduced, x->reduced_count, y->reduced, y->reduced_count)) return false;
  if ((x->reduced_count && !reduces_rows(x)) || (y->reduced_count && !reduces_rows(y))) return false;
  if (reaches(s, x, y)) return false;
  return !reaches(s, y, x);
}

struct cluster *cluster_new(struct scheduler *s, enum cluster_kind kind) {
  struct cluster *cluster = arena_new_struct(s->arena, struct cluster);
  cluster->kind = kind;
  cluster->number = s->clusters.count;
  array_push(s->arena, &s->clusters, cluster);
  return cluster;
}

static enum cluster_kind kind_of(struct scheduler *s, const struct value *value) {
  if (value->op == OP_contract || s->notes[value->id].absorbed) return CLUSTER_CONTRACT;
  if (value->op == OP_concat) return CLUSTER_CONCAT;
  if (is_reduction(value) || access_is_expression(value)) return CLUSTER_SWEEP;
  return CLUSTER_OTHER;
}

void place_root(struct former *f, const struct value *value) {
  struct scheduler *s = f->s;
  struct cluster own = {.kind = kind_of(s, value)};
  read_root(f, value);
  struct cluster *home = NULL;
  if (own.kind == CLUSTER_SWEEP) {
    space_of(s, value, &own);
    /* The latest first: it waits for the most. */
    for (int i = 0; i < f->readings.items.count; i++) {
      struct cluster *candidate = cluster_of(s, f->readings.items.items[i].value);
      if (!candidate || (home && candidate->number <= home->number) || !suits(candidate, value, &own) || !legal(f, candidate, &own)) continue;
      home = candidate;
    }
    for (int i = 0; i < f->readings.items.count && home; i++) {
      struct cluster *candidate = cluster_of(s, f->readings.items.items[i].value);
      if (!candidate || candidate == home || !suits(candidate, value, &own) || !legal(f, candidate, &own)) continue;
      if (can_merge(s, home, candidate)) merge_clusters(f, home, candidate);
    }
    /* Siblings: clusters that read the same memory in the same space. */
    for (int i = 0; i < f->readings.items.count && !home; i++) {
      const struct value *read = f->readings.items.items[i].value;
      if (read->axis_count == 0) continue;
      for (int j = f->consumers[read->id].list.count - 1; j >= 0 && !home; j--) {
        struct cluster *candidate = representative(f->consumers[read->id].list.items[j]);
        if (s->clusters.count - candidate->number > s->pipeline.parameters[PARAMETER_fuse_distance]) break;
        bool alike = own.reduced_count == candidate->reduced_count || (!own.reduced_count && reduces_rows(candidate) && value->axis_count == candidate->space_count);
        if (alike && suits(candidate, value, &own) && legal(f, candidate, &own)) home = candidate;
      }
    }
  }
  if (!home) {
    home = cluster_new(s, own.kind);
    memcpy(home->space, own.space, sizeof own.space);
    memcpy(home->reduced, own.reduced, sizeof own.reduced);
    home->space_count = own.space_count, home->reduced_count = own.reduced_count;
  }
  join(f, home, value, &own);
}
