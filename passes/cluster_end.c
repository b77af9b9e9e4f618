/* Joins a sweep to the contraction that it goes on from, so that one kernel does both (contract_end.c). This is decided
   when all other clusters are formed: a sweep has then found what else it computes, and whom it waits for. */
#include <string.h>

#include "passes/fuse.h"

/* A contraction that a sweep reads a value of. */
struct product {
  struct cluster *cluster;
  bool fits; /* the value has the sweep's space, and is read at the sweep's coordinates */
  bool shifted; /* it is read at other coordinates than the sweep's */
};

struct ending {
  struct former *f;
  struct scheduler *s;
  ARRAY(struct cluster *) open; /* a walk's clusters, which are still to be looked at */
  ARRAY(struct product) products; /* of the sweep at hand */
  bool *unsure; /* of each position, whether it lies between two clusters that were joined after the numbering */
};

/* Numbering takes time in proportion to all clusters, so it is not done for every two that are joined. */
static void number_again(struct ending *e) {
  number_positions(e->f);
  memset(e->unsure, 0, (size_t)e->s->decisions.clusters.count * sizeof *e->unsure);
}

/* Whether the cluster needs `target`, directly or not, through another one. Positions are those of an
   order in which clusters can run, so all that stands before the target is left out. Once two clusters are joined this
   holds for a target that does not stand between them: what they need stands before the later one. */
static bool waits_for(struct ending *e, const struct cluster *from, const struct cluster *target) {
  e->f->visiting++;
  e->open.count = 0;
  for (int i = 0; i < from->needs.count; i++) {
    struct cluster *need = representative(from->needs.items[i]);
    if (need != target) array_push(e->s->arena, &e->open, need);
  }
  while (e->open.count) {
    struct cluster *cluster = e->open.items[--e->open.count];
    if (cluster == target) return true;
    if (cluster->scratch.visited == e->f->visiting || cluster->position < target->position) continue;
    cluster->scratch.visited = e->f->visiting;
    for (int i = 0; i < cluster->needs.count; i++) {
      struct cluster *need = representative(cluster->needs.items[i]);
      array_push(e->s->arena, &e->open, need);
    }
  }
  return false;
}

/* Whether all values of the sweep are elements of the space, and none of them an update: optimizers have an order of their
   own. */
static bool is_elementwise(const struct cluster *cluster) {
  if (cluster->kind != CLUSTER_SWEEP || cluster->reduced_count || !cluster->space_count) return false;
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    if (value->axis_count != cluster->space_count || value->op == OP_update) return false;
  }
  return true;
}

/* Fills `products` with all contractions that the sweep reads, once for each of the values read. */
static void find_products(struct ending *e, const struct cluster *sweep) {
  e->products.count = 0;
  for (int i = 0; i < sweep->values.count; i++) {
    read_root(e->f, sweep->values.items[i]);
    for (int j = 0; j < e->f->readings.items.count; j++) {
      const struct reading *reading = &e->f->readings.items.items[j];
      struct cluster *cluster = cluster_of(e->s, reading->value);
      if (!cluster || cluster->kind != CLUSTER_CONTRACT) continue;
      const bool fits = !reading->shifted &&
                        same_set(reading->value->axes, reading->value->axis_count, sweep->space, sweep->space_count);
      array_push(e->s->arena, &e->products, (struct product){cluster, fits, reading->shifted});
    }
  }
}

/* The contraction that the sweep goes on from: of those that it reads at its own coordinates the one that stands last,
   for that one waits for the most. */
static struct cluster *last_product(const struct ending *e) {
  struct cluster *last = NULL;
  for (int i = 0; i < e->products.count; i++) {
    const struct product *product = &e->products.items[i];
    if (product->fits && (!last || product->cluster->position > last->position)) last = product->cluster;
  }
  return last;
}

static bool reads_elsewhere(const struct ending *e, const struct cluster *cluster) {
  for (int i = 0; i < e->products.count; i++)
    if (e->products.items[i].cluster == cluster && e->products.items[i].shifted) return true;
  return false;
}

static void join_to(struct ending *e, struct cluster *sweep, struct cluster *product) {
  for (int i = product->position; i <= sweep->position; i++) e->unsure[i] = true;
  struct arena *arena = e->s->arena;
  for (int i = 0; i < sweep->values.count; i++) {
    struct note *note = note_of(e->s, sweep->values.items[i]);
    array_push(arena, &product->values, sweep->values.items[i]);
    if (note->joined != JOIN_FIRST) continue;
    note->joined = JOIN_READS;
    note->joined_by = product->values.items[0];
  }
  for (int i = 0; i < sweep->needs.count; i++)
    if (representative(sweep->needs.items[i]) != product) array_push(arena, &product->needs, sweep->needs.items[i]);
  for (int i = 0; i < sweep->users.count; i++)
    if (representative(sweep->users.items[i]) != product) array_push(arena, &product->users, sweep->users.items[i]);
  memcpy(product->space, sweep->space, sizeof sweep->space);
  product->space_count = sweep->space_count;
  sweep->merged = product;
}

void join_endings(struct former *f) {
  struct ending ending = {.f = f, .s = f->s}, *e = &ending;
  struct scheduler *s = f->s;
  if (f->deep || !s->pipeline.on[PASS_tile] || !s->pipeline.parameters[PARAMETER_fuse_sums]) return;
  e->unsure = arena_new_array(s->arena, bool, s->decisions.clusters.count);
  number_again(e);
  for (int c = 0; c < s->decisions.clusters.count; c++) {
    struct cluster *sweep = s->decisions.clusters.items[c];
    if (sweep->merged || !is_elementwise(sweep)) continue;
    find_products(e, sweep);
    struct cluster *product = last_product(e);
    if (product && e->unsure[product->position]) {
      number_again(e);
      product = last_product(e);
    }
    if (!product || reads_elsewhere(e, product) || waits_for(e, sweep, product)) continue;
    join_to(e, sweep, product);
  }
}
