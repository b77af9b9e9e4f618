/* Keeps track of which cluster needs which, while clusters grow and are joined.

   The question asked for every root is whether one cluster needs another, directly or not. To keep the search for the
   answer near where it began, clusters are always kept in an order in which they could run (D. J. Pearce and P. H. J.
   Kelly, "A dynamic topological sort algorithm for directed acyclic graphs", 2006): all that a cluster needs stands
   before it, and a search for a target leaves out all that stands before the target. A new need that goes against the
   order moves only clusters that lie between its two ends and depend on either. */
#include <stdlib.h>
#include <string.h>

#include "passes/fuse.h"

/* A place in the order. Clusters are moved by dealing the same slots out anew. */
struct slot {
  struct slot *next;
  int64_t label; /* ascending along the list */
};

static const int64_t LABEL_STEP = (int64_t)1 << 32;

struct cluster *representative(struct cluster *cluster) {
  while (cluster->merged) {
    if (cluster->merged->merged) cluster->merged = cluster->merged->merged; /* a shorter way for the next search */
    cluster = cluster->merged;
  }
  return cluster;
}

struct cluster *cluster_of(struct scheduler *s, const struct value *value) {
  struct cluster *cluster = note_of(s, value)->cluster;
  return cluster ? representative(cluster) : NULL;
}

/* --- The order ------------------------------------------------------------------------------------------------------------ */

static int64_t label_of(const struct cluster *cluster) { return cluster->scratch.slot->label; }

static void label_anew(struct former *f) {
  int64_t label = 0;
  for (struct slot *slot = f->first_slot; slot; slot = slot->next) slot->label = label += LABEL_STEP;
}

/* A slot right before that of `before`, or the last of all. */
static struct slot *slot_new(struct former *f, struct cluster *before) {
  struct slot *slot = arena_new_struct(f->s->arena, struct slot);
  if (!before) {
    slot->label = (f->last_slot ? f->last_slot->label : 0) + LABEL_STEP;
    if (f->last_slot)
      f->last_slot->next = slot;
    else
      f->first_slot = slot;
    f->last_slot = slot;
    return slot;
  }
  /* The new slot takes the place of `before`, which moves to another one between that place and the next. */
  struct slot *old = before->scratch.slot;
  if (old->next && old->next->label - old->label < 2) label_anew(f);
  slot->next = old->next;
  slot->label = old->next ? old->label + (old->next->label - old->label) / 2 : old->label + LABEL_STEP;
  before->scratch.slot = slot;
  if (!old->next) f->last_slot = slot;
  old->next = slot;
  return old;
}

struct cluster *cluster_new(struct former *f, enum cluster_kind kind, struct cluster *before) {
  struct scheduler *s = f->s;
  struct cluster *cluster = arena_new_struct(s->arena, struct cluster);
  cluster->kind = kind;
  cluster->number = s->decisions.clusters.count;
  cluster->scratch.slot = slot_new(f, before);
  array_push(s->arena, &s->decisions.clusters, cluster);
  return cluster;
}

struct cluster *cluster_earlier(struct cluster *x, struct cluster *y) {
  return !y || label_of(x) < label_of(y) ? x : y;
}

static int by_label(const void *x, const void *y) {
  int64_t a = label_of(*(struct cluster *const *)x), b = label_of(*(struct cluster *const *)y);
  return (a > b) - (a < b);
}

static int slots_by_label(const void *x, const void *y) {
  int64_t a = (*(struct slot *const *)x)->label, b = (*(struct slot *const *)y)->label;
  return (a > b) - (a < b);
}

static void move_along(struct former *f, struct cluster *cluster) {
  if (cluster->scratch.moved == f->moving) return;
  cluster->scratch.moved = f->moving;
  array_push(f->s->arena, &f->moves, cluster);
}

/* Moves `high` and the clusters that it needs before `low` and the clusters that need it, as far as these lie between
   the two. Afterwards no cluster between `high` and `low` is needed by one of them or needs one of them. */
static void put_before(struct former *f, struct cluster *high, struct cluster *low) {
  int64_t least = label_of(low), most = label_of(high);
  f->moving++;
  f->moves.count = 0;
  move_along(f, high);
  for (int i = 0; i < f->moves.count; i++) {
    const struct cluster *cluster = f->moves.items[i];
    for (int j = 0; j < cluster->needs.count; j++) {
      struct cluster *need = representative(cluster->needs.items[j]);
      if (need == low) bug("clusters of graph %s need each other", f->s->graph->name);
      if (label_of(need) > least) move_along(f, need);
    }
  }
  int before = f->moves.count;
  move_along(f, low);
  for (int i = before; i < f->moves.count; i++) {
    const struct cluster *cluster = f->moves.items[i];
    for (int j = 0; j < cluster->users.count; j++) {
      struct cluster *user = representative(cluster->users.items[j]);
      if (label_of(user) < most) move_along(f, user);
    }
  }
  int count = f->moves.count;
  f->slots.count = 0;
  qsort(f->moves.items, (size_t)before, sizeof *f->moves.items, by_label);
  qsort(f->moves.items + before, (size_t)(count - before), sizeof *f->moves.items, by_label);
  for (int i = 0; i < count; i++) array_push(f->s->arena, &f->slots, f->moves.items[i]->scratch.slot);
  qsort(f->slots.items, (size_t)count, sizeof *f->slots.items, slots_by_label);
  for (int i = 0; i < count; i++) f->moves.items[i]->scratch.slot = f->slots.items[i];
}

void add_need(struct former *f, struct cluster *cluster, struct cluster *need) {
  struct arena *arena = f->s->arena;
  if (!need || need == cluster) return;
  /* Successive roots often read the same memory, so a need that repeats the last one is left out. */
  if (cluster->needs.count && representative(cluster->needs.items[cluster->needs.count - 1]) == need) return;
  if (label_of(need) > label_of(cluster)) put_before(f, need, cluster);
  array_push(arena, &cluster->needs, need);
  array_push(arena, &need->users, cluster);
}

void merge_clusters(struct former *f, struct cluster *into, struct cluster *from) {
  struct scheduler *s = f->s;
  /* Afterwards no cluster between the two depends on either or is needed by either, so the slot of either suits both
     together. */
  if (label_of(into) < label_of(from))
    put_before(f, from, into);
  else
    put_before(f, into, from);
  from->merged = into;
  for (int i = 0; i < from->values.count; i++) array_push(s->arena, &into->values, from->values.items[i]);
  for (int i = 0; i < from->needs.count; i++)
    if (representative(from->needs.items[i]) != into) array_push(s->arena, &into->needs, from->needs.items[i]);
  for (int i = 0; i < from->users.count; i++)
    if (representative(from->users.items[i]) != into) array_push(s->arena, &into->users, from->users.items[i]);
  if (from->reduced_count && !into->reduced_count) {
    into->reduced_count = from->reduced_count;
    memcpy(into->reduced, from->reduced, sizeof from->reduced);
    memcpy(into->space, from->space, sizeof from->space);
  }
}

/* --- Searches --------------------------------------------------------------------------------------------------------------- */

/* Sets `above`, the latest of the cluster's needs so far. These links form a tree in which a cluster needs all that
   stand above it. Jumps over several links make it quick to tell whether one stands above another, even in a chain of a
   thousand steps (E. W. Myers, "An applicative random-access stack", 1983). */
void cluster_settle(struct cluster *cluster, int first) {
  struct cluster *above = cluster->scratch.above ? representative(cluster->scratch.above) : NULL;
  for (int i = first; i < cluster->needs.count; i++) {
    struct cluster *need = representative(cluster->needs.items[i]);
    if (!above || label_of(need) > label_of(above)) above = need;
  }
  if (!above || above == cluster || cluster->scratch.has_below) return; /* clusters below it rely on their depth */
  above->scratch.has_below = true;
  cluster->scratch.above = above;
  cluster->scratch.depth = above->scratch.depth + 1;
  const struct cluster *jump = above->scratch.jump;
  struct cluster *second = jump ? jump->scratch.jump : NULL;
  bool level = second && above->scratch.depth - jump->scratch.depth == jump->scratch.depth - second->scratch.depth;
  cluster->scratch.jump = level ? second : above;
}

static bool stands_above(const struct cluster *target, struct cluster *cluster) {
  while (cluster && cluster->scratch.depth > target->scratch.depth) {
    struct cluster *jump = cluster->scratch.jump;
    cluster = jump && jump->scratch.depth >= target->scratch.depth ? jump : cluster->scratch.above;
  }
  return cluster && representative(cluster) == target;
}

/* The top of the heap is the latest cluster, so a search goes backwards through the order and can be resumed for an
   earlier target. */
static void heap_push(struct former *f, struct search *search, struct cluster *cluster) {
  array_push(f->s->arena, &search->heap, cluster);
  struct cluster **heap = search->heap.items;
  int at = search->heap.count - 1;
  for (; at > 0 && label_of(heap[(at - 1) / 2]) < label_of(cluster); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
  heap[at] = cluster;
}

static struct cluster *heap_pop(struct search *search) {
  struct cluster **heap = search->heap.items, *top = heap[0], *last = heap[--search->heap.count];
  int at = 0, count = search->heap.count;
  for (int child = 1; child < count; at = child, child = 2 * at + 1) {
    if (child + 1 < count && label_of(heap[child + 1]) > label_of(heap[child])) child++;
    if (label_of(heap[child]) <= label_of(last)) break;
    heap[at] = heap[child];
  }
  heap[at] = last;
  return top;
}

void search_begin(struct search *search) {
  search->heap.count = 0;
  search->latest = NULL;
  search->stamp++;
}

void search_from(struct former *f, struct search *search, struct cluster *cluster) {
  if (cluster->scratch.seen[search->number] == search->stamp) return;
  cluster->scratch.seen[search->number] = search->stamp;
  heap_push(f, search, cluster);
  if (!search->latest || label_of(cluster) > label_of(search->latest)) search->latest = cluster;
}

static void search_down_to(struct former *f, struct search *search, const struct cluster *target) {
  while (search->heap.count && label_of(search->heap.items[0]) > label_of(target)) {
    const struct cluster *cluster = heap_pop(search);
    for (int i = 0; i < cluster->needs.count; i++) {
      struct cluster *need = representative(cluster->needs.items[i]);
      need->scratch.found[search->number] = search->stamp;
      search_from(f, search, need);
    }
  }
}

/* look_up searches the other way, from the target to the clusters that need it, a few steps far. A gradient's
   reduction, for example, is a few steps from the norm of all gradients, while a search down from that norm would cross
   the whole model. */
enum answer { ANSWER_NO, ANSWER_YES, ANSWER_UNKNOWN };
enum { MOST_STEPS = 64 };

static enum answer look_up(struct former *f, const struct search *search, const struct cluster *target) {
  int steps = 0;
  f->climbing++;
  f->climbed.count = 0;
  array_push(f->s->arena, &f->climbed, target);
  for (int i = 0; i < f->climbed.count; i++) {
    const struct cluster *cluster = f->climbed.items[i];
    for (int j = 0; j < cluster->users.count; j++) {
      struct cluster *user = representative(cluster->users.items[j]);
      if (user->scratch.seen[search->number] == search->stamp || stands_above(user, search->latest)) return ANSWER_YES;
      if (++steps > MOST_STEPS) return ANSWER_UNKNOWN;
      if (user->scratch.climbed == f->climbing || label_of(user) > label_of(search->latest)) continue;
      user->scratch.climbed = f->climbing;
      array_push(f->s->arena, &f->climbed, user);
    }
  }
  return ANSWER_NO;
}

bool search_needs(struct former *f, struct search *search, const struct cluster *target) {
  if (!search->latest) return false;
  if (search->latest != target && stands_above(target, search->latest)) return true;
  const enum answer answer = look_up(f, search, target);
  if (answer != ANSWER_UNKNOWN) return answer == ANSWER_YES;
  if (target->scratch.found[search->number] != search->stamp) search_down_to(f, search, target);
  return target->scratch.found[search->number] == search->stamp;
}

bool search_meets(struct former *f, struct search *search, const struct cluster *target) {
  if (target->scratch.seen[search->number] != search->stamp) search_down_to(f, search, target);
  return target->scratch.seen[search->number] == search->stamp;
}
