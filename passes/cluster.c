/* Clusters: roots that share an iteration space are computed together where no path between them leaves the cluster. */
#include <string.h>

#include "passes/fuse.h"

enum { MOST_ROOTS = 128 /* so many roots a kernel at most; without a limit a deep graph's would have thousands */ };

/* Sets the cluster's space and reduced axes to those of one root: the axes that it runs over, in order, and those that
   it sums along. */
void space_of(struct scheduler *s, const struct value *value, struct cluster *cluster) {
  const struct value *shape = is_reduction(value) ? value->inputs[0] : value;
  cluster->space_count = shape->axis_count;
  memcpy(cluster->space, shape->axes, sizeof *shape->axes * (size_t)shape->axis_count);
  struct place *place = note_of(s, value)->place;
  if (!is_reduction(value) && place && place->buffer->axis_count == value->axis_count &&
      same_set(place->buffer->axes, value->axis_count, value->axes, value->axis_count))
    memcpy(cluster->space, place->buffer->axes, sizeof *cluster->space * (size_t)value->axis_count);
  else
    facts_order_axes(&s->facts, cluster->space, cluster->space_count);
  if (is_reduction(value) && cluster->space_count &&
      axis_listed(value->list, value->list_count, cluster->space[cluster->space_count - 1])) {
    /* Rows: the axes that are kept go outside, those that are summed inside. */
    struct axis *sorted[MAX_AXES];
    int filled = 0;
    for (int summed = 0; summed < 2; summed++)
      for (int i = 0; i < cluster->space_count; i++)
        if (axis_listed(value->list, value->list_count, cluster->space[i]) == (summed == 1))
          sorted[filled++] = cluster->space[i];
    memcpy(cluster->space, sorted, sizeof *sorted * (size_t)filled);
  }
  if (is_reduction(value)) {
    for (int i = 0; i < cluster->space_count; i++)
      if (axis_listed(value->list, value->list_count, cluster->space[i]))
        cluster->reduced[cluster->reduced_count++] = cluster->space[i];
  }
}

bool reduces_rows(const struct cluster *cluster) {
  for (int i = 0; i < cluster->reduced_count; i++)
    if (cluster->space[cluster->space_count - cluster->reduced_count + i] != cluster->reduced[i]) return false;
  return cluster->reduced_count > 0 && cluster->reduced_count < cluster->space_count;
}

bool is_total(const struct cluster *cluster) {
  return cluster->space_count > 0 && cluster->reduced_count == cluster->space_count;
}

bool is_rest(const struct cluster *cluster, const struct value *value) {
  if (value->axis_count != cluster->space_count - cluster->reduced_count) return false;
  for (int i = 0; i < value->axis_count; i++)
    if (!axis_listed(cluster->space, cluster->space_count, value->axes[i]) ||
        axis_listed(cluster->reduced, cluster->reduced_count, value->axes[i]))
      return false;
  return true;
}

/* Whether a root's space suits a cluster. It does when it has the same axes, reduced in the same way, or only those
   axes that are left when the cluster's reduced ones are gone. */
enum refusal_reason why_unsuited(const struct cluster *cluster, const struct value *value, const struct cluster *own) {
  if (cluster->kind == CLUSTER_CONTRACT || (cluster->ends_sums && own->reduced_count)) return REFUSAL_CONTRACTION;
  if (cluster->kind == CLUSTER_CONCAT) return REFUSAL_CONCAT;
  if (cluster->kind == CLUSTER_OTHER) return REFUSAL_PLAIN;
  bool same = same_set(cluster->space, cluster->space_count, own->space, own->space_count);
  if (own->reduced_count) {
    if (!same) return REFUSAL_SPACE;
    if (same_set(cluster->reduced, cluster->reduced_count, own->reduced, own->reduced_count)) return REFUSAL_NONE;
    if (cluster->reduced_count) return REFUSAL_REDUCED;
    return reduces_rows(own) || is_total(own) ? REFUSAL_NONE : REFUSAL_COLUMNS;
  }
  if (cluster->reduced_count == 0) return same ? REFUSAL_NONE : REFUSAL_SPACE;
  /* A kernel of sums down columns stores nothing for each element. */
  if (same) return reduces_rows(cluster) || is_total(cluster) ? REFUSAL_NONE : REFUSAL_COLUMNS;
  return is_rest(cluster, value) ? REFUSAL_NONE : REFUSAL_SPACE;
}

/* Whether the cluster may compute the root: nothing that the root reads from other clusters may depend on this one. */
enum refusal_reason why_illegal(struct former *f, const struct cluster *cluster, const struct cluster *own) {
  const struct readings *r = &f->readings;
  const bool total = is_total(cluster), columns = cluster->reduced_count && !reduces_rows(cluster) && !total;
  if (f->deep && cluster->values.count >= MOST_ROOTS) return REFUSAL_FULL;
  for (int i = 0; i < r->items.count; i++) {
    if (cluster_of(f->s, r->items.items[i].value) != cluster) continue;
    if (r->items.items[i].shifted) return REFUSAL_SHIFTED;
    if (columns && own->reduced_count) return REFUSAL_UNFINISHED;
    /* An element cannot read a total of its own cluster, which is known only when all elements are done. */
    if (total && own->space_count == cluster->space_count && r->items.items[i].value->axis_count < cluster->space_count)
      return REFUSAL_UNFINISHED;
  }
  return search_needs(f, &f->below, cluster) ? REFUSAL_ORDER : REFUSAL_NONE;
}

void search_readings(struct former *f) {
  search_begin(&f->below);
  for (int i = 0; i < f->readings.items.count; i++) {
    struct cluster *from = cluster_of(f->s, f->readings.items.items[i].value);
    if (from) search_from(f, &f->below, from);
  }
}

void join(struct former *f, struct cluster *cluster, const struct value *value, const struct cluster *own,
          enum join_reason why, const struct value *by) {
  struct scheduler *s = f->s;
  note_of(s, value)->joined = why;
  note_of(s, value)->joined_by = by;
  array_push(s->arena, &cluster->values, value);
  if (own->reduced_count && !cluster->reduced_count) {
    cluster->reduced_count = own->reduced_count;
    /* A total may be summed in any order, so it takes the order of the elements that are stored. */
    if (!is_total(own)) memcpy(cluster->space, own->space, sizeof own->space);
    memcpy(cluster->reduced, is_total(own) ? cluster->space : own->reduced, sizeof own->reduced);
  }
  note_of(s, value)->cluster = cluster;
  for (int i = 0; i < f->readings.items.count; i++) {
    const struct value *read = f->readings.items.items[i].value;
    add_need(f, cluster, cluster_of(s, read));
    struct readers *readers = &f->readers[read->id];
    if (!readers->items.count || representative(readers->items.items[readers->items.count - 1]) != cluster)
      array_push(s->arena, &readers->items, cluster);
  }
}

/* Whether two clusters that a root reads from, and may be computed in, can be merged. Neither needs the other, since
   otherwise the root could not be computed in both. */
static enum refusal_reason why_unmerged(const struct former *f, const struct cluster *x, const struct cluster *y) {
  if (!same_set(x->space, x->space_count, y->space, y->space_count)) return REFUSAL_SPACE;
  if (x->ends_sums || y->ends_sums) return REFUSAL_CONTRACTION;
  if (x->reduced_count && y->reduced_count && !same_set(x->reduced, x->reduced_count, y->reduced, y->reduced_count))
    return REFUSAL_REDUCED;
  if ((x->reduced_count && !reduces_rows(x)) || (y->reduced_count && !reduces_rows(y))) return REFUSAL_UNFINISHED;
  return f->deep && x->values.count + y->values.count > MOST_ROOTS ? REFUSAL_FULL : REFUSAL_NONE;
}

/* Remembers why the root is not computed in the cluster, for whoever asks. */
static void refuse(struct former *f, const struct value *value, struct cluster *cluster, enum refusal_reason why) {
  if (f->s->options->clusters)
    array_push(f->s->arena, &f->s->decisions.refusals, ((struct refusal){value, cluster, why}));
}

static enum cluster_kind kind_of(struct scheduler *s, const struct value *value) {
  if (value->op == OP_contract || note_of(s, value)->absorbed) return CLUSTER_CONTRACT;
  if (value->op == OP_concat) return CLUSTER_CONCAT;
  if (is_reduction(value) || access_is_expression(value)) return CLUSTER_SWEEP;
  return CLUSTER_OTHER;
}

/* Whether the root is computed in the backward pass for a second time, so that nothing is kept from this cluster. */
static bool is_kept_from(const struct former *f, const struct value *value, const struct cluster *cluster) {
  return value->again && !facts_is_way_back(&f->s->facts, cluster->values.items[0]);
}

/* Finds the clusters that a root reads from and may be computed in, and lists them in former->homes in the order of the
   root's readings. Returns the latest of them, since it waits for the most, or NULL. */
static struct cluster *find_homes(struct former *f, const struct value *value, const struct cluster *own) {
  struct cluster *latest = NULL;
  f->homes.count = 0;
  f->offered++;
  for (int i = 0; i < f->readings.items.count; i++) {
    struct cluster *candidate = cluster_of(f->s, f->readings.items.items[i].value);
    if (!candidate || candidate->scratch.offered == f->offered) continue;
    candidate->scratch.offered = f->offered;
    enum refusal_reason why = why_unsuited(candidate, value, own);
    if (is_kept_from(f, value, candidate)) why = REFUSAL_AGAIN;
    if (why == REFUSAL_NONE) why = why_illegal(f, candidate, own);
    if (why != REFUSAL_NONE) {
      refuse(f, value, candidate, why);
      continue;
    }
    array_push(f->s->arena, &f->homes, candidate);
    if (latest && candidate->number <= latest->number) continue;
    latest = candidate;
    f->led_home = f->readings.items.items[i].value;
  }
  return latest;
}

/* A sibling: a cluster of the same space that reads memory which the root reads too. NULL when there is none. */
static struct cluster *find_sibling(struct former *f, const struct value *value, const struct cluster *own) {
  struct scheduler *s = f->s;
  f->offered++;
  for (int i = 0; i < f->readings.items.count; i++) {
    const struct value *read = f->readings.items.items[i].value;
    if (read->axis_count == 0) continue;
    const struct readers *readers = &f->readers[read->id];
    for (int j = readers->items.count - 1; j >= 0; j--) {
      struct cluster *candidate = representative(readers->items.items[j]);
      if (s->decisions.clusters.count - candidate->number > s->pipeline.parameters[PARAMETER_fuse_distance]) break;
      if (candidate->scratch.offered == f->offered) continue;
      candidate->scratch.offered = f->offered;
      bool alike = own->reduced_count == candidate->reduced_count ||
                   (!own->reduced_count && reduces_rows(candidate) && value->axis_count == candidate->space_count);
      if (is_kept_from(f, value, candidate)) continue;
      if (!alike || why_unsuited(candidate, value, own) != REFUSAL_NONE) continue;
      enum refusal_reason why = why_illegal(f, candidate, own);
      if (why != REFUSAL_NONE) {
        refuse(f, value, candidate, why);
        continue;
      }
      f->led_home = read;
      return candidate;
    }
  }
  return NULL;
}

void assign_root(struct former *f, const struct value *value) {
  struct scheduler *s = f->s;
  struct cluster own = {.kind = kind_of(s, value)};
  read_root(f, value);
  struct cluster *home = NULL;
  enum join_reason why = JOIN_READS;
  if (own.kind == CLUSTER_SWEEP) {
    space_of(s, value, &own);
    search_readings(f);
    home = find_homes(f, value, &own);
    for (int i = 0; i < f->homes.count; i++) {
      if (f->homes.items[i] == home) continue;
      enum refusal_reason unmerged = why_unmerged(f, home, f->homes.items[i]);
      if (unmerged == REFUSAL_NONE)
        merge_clusters(f, home, f->homes.items[i]);
      else
        refuse(f, value, f->homes.items[i], unmerged);
    }
    if (!home) home = find_sibling(f, value, &own), why = JOIN_SIBLING;
  }
  if (!home) {
    why = JOIN_FIRST;
    home = cluster_new(f, own.kind, NULL);
    memcpy(home->space, own.space, sizeof own.space);
    memcpy(home->reduced, own.reduced, sizeof own.reduced);
    home->space_count = own.space_count, home->reduced_count = own.reduced_count;
    home->ends_sums = rounds_sums(s, value);
  }
  int known = home->needs.count;
  join(f, home, value, &own, why, why == JOIN_FIRST ? NULL : f->led_home);
  cluster_settle(home, known);
}
