/* The order of clusters, and which updates can be written in place. */
#include "passes/fuse.h"

/* Gives clusters positions in an order in which each comes after all that it needs, as early as the graph's order
   allows. A cluster of updates comes right after the last of its needs, so that a gradient is used while it is in the
   cache. */
struct update {
  struct cluster *cluster;
  int missing; /* needs without a position so far */
};

struct waiters {
  ARRAY(int) updates;
};

struct ordering {
  struct former *f;
  struct scheduler *s;
  ARRAY(struct cluster *) sorted, open; /* open: a stack of clusters being settled; each waits for those above it */
  ARRAY(struct update) updates; /* in the graph's order */
  struct waiters *waiters; /* by cluster number: the updates that need it */
  /* updates whose needs all have positions, ascending; `later` are those before `current`, for the next round */
  ARRAY(int) ready, later;
  int current; /* the update at hand in this round, or -1 */
};

static void push_sorted(struct ordering *order, int update) {
  array_push(order->s->arena, &order->ready, update);
  int *items = order->ready.items, at = order->ready.count - 1;
  for (; at > 0 && items[at - 1] > update; at--) items[at] = items[at - 1];
  items[at] = update;
}

static void take_position(struct ordering *order, struct cluster *cluster) {
  cluster->position = order->sorted.count;
  array_push(order->s->arena, &order->sorted, cluster);
  const struct waiters *waiters = &order->waiters[cluster->number];
  for (int i = 0; i < waiters->updates.count; i++) {
    int update = waiters->updates.items[i];
    if (--order->updates.items[update].missing) continue;
    if (update < order->current)
      array_push(order->s->arena, &order->later, update);
    else
      push_sorted(order, update);
  }
}

static void open_cluster(struct ordering *order, struct cluster *cluster) {
  if (cluster->scratch.visited == order->f->visiting) return;
  cluster->scratch.visited = order->f->visiting;
  cluster->position = 0; /* until it has a position: the number of the next need to look at */
  array_push(order->s->arena, &order->open, cluster);
}

/* Gives the cluster a position, after giving one to all that it needs. */
static void settle(struct ordering *order, struct cluster *cluster) {
  open_cluster(order, cluster);
  while (order->open.count) {
    cluster = order->open.items[order->open.count - 1];
    if (cluster->position < cluster->needs.count) {
      open_cluster(order, representative(cluster->needs.items[cluster->position++]));
    } else {
      order->open.count--;
      take_position(order, cluster);
    }
  }
}

static int first_value(const struct cluster *cluster) {
  int first = cluster->values.items[0]->id;
  for (int i = 1; i < cluster->values.count; i++)
    if (cluster->values.items[i]->id < first) first = cluster->values.items[i]->id;
  return first;
}

/* Whether the cluster has nothing but updates, and totals of what they write. Its place is right after its needs. */
static bool only_updates(const struct cluster *cluster) {
  bool some = false;
  for (int i = 0; i < cluster->values.count; i++) {
    if (cluster->values.items[i]->op != OP_update && !is_reduction(cluster->values.items[i])) return false;
    some = some || cluster->values.items[i]->op == OP_update;
  }
  return some && cluster->kind == CLUSTER_SWEEP;
}

static void add_update(struct ordering *order, struct cluster *cluster) {
  int number = order->updates.count;
  array_push(order->s->arena, &order->updates, (struct update){cluster, cluster->needs.count});
  for (int i = 0; i < cluster->needs.count; i++) {
    const struct cluster *need = representative(cluster->needs.items[i]);
    array_push(order->s->arena, &order->waiters[need->number].updates, number);
  }
  if (!cluster->needs.count) push_sorted(order, number);
}

static void settle_ready(struct ordering *order) {
  for (int i = 0; i < order->later.count; i++) push_sorted(order, order->later.items[i]);
  order->later.count = 0;
  for (int i = 0; i < order->ready.count; i++) {
    order->current = order->ready.items[i];
    settle(order, order->updates.items[order->current].cluster);
  }
  order->ready.count = 0;
  order->current = -1;
}

static void sort_into(struct former *f, struct ordering *order) {
  struct scheduler *s = f->s;
  *order = (struct ordering){
      .f = f, .s = s, .current = -1, .waiters = arena_new_array(s->arena, struct waiters, s->decisions.clusters.count)};
  f->visiting++;
  /* Roots are taken in the graph's order, so a cluster is settled when its first root is met. */
  struct cluster **by_value = arena_new_array(s->arena, struct cluster *, s->graph->next_value);
  for (int c = 0; c < s->decisions.clusters.count; c++) {
    struct cluster *cluster = s->decisions.clusters.items[c];
    if (cluster->merged || !cluster->values.count) continue;
    by_value[first_value(cluster)] = cluster;
    if (only_updates(cluster)) add_update(order, cluster);
  }
  for (int i = 0; i < s->graph->next_value; i++) {
    if (!by_value[i]) continue;
    if (!only_updates(by_value[i])) settle(order, by_value[i]);
    settle_ready(order);
  }
  for (int i = 0; i < order->updates.count; i++) settle(order, order->updates.items[i].cluster);
}

void sort_clusters(struct former *f) {
  struct scheduler *s = f->s;
  struct ordering order;
  sort_into(f, &order);
  s->decisions.clusters.items = order.sorted.items;
  s->decisions.clusters.count = order.sorted.count;
  s->decisions.clusters.capacity = order.sorted.capacity;
}

void number_positions(struct former *f) {
  struct ordering order;
  sort_into(f, &order);
}

/* An update whose state is still read later is written to memory of its own and copied at the end. */
static void divert_update(struct scheduler *s, const struct value *update) {
  struct note *note = note_of(s, update);
  struct place *state = note->place;
  note->place = place_new(s, update, BUFFER_ACTIVATION, arena_format(s->arena, "%s.new", update->state->name),
                          state->buffer->axes);
  array_push(s->arena, &s->decisions.copies, (struct copy){update, NULL, state, "update", COPY_LATE});
}

static bool reads_elsewhere(struct former *f, const struct value *update) {
  struct scheduler *s = f->s;
  struct cluster *writer = cluster_of(s, update);
  for (int i = 0; i < writer->values.count; i++) {
    read_root(f, writer->values.items[i]);
    for (int j = 0; j < f->readings.items.count; j++) {
      const struct reading *reading = &f->readings.items.items[j];
      if (reading->value->op == OP_state && reading->value->state == update->state &&
          (reading->shifted || writer->kind != CLUSTER_SWEEP))
        return true;
    }
  }
  return false;
}

/* The clusters that read each state, by its name. */
static void find_state_readers(struct former *f, struct table *table) {
  struct scheduler *s = f->s;
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (value->op != OP_state) continue;
    struct readers *readers = table_find(table, value->state->name);
    if (!readers) table_set(s->arena, table, value->state->name, readers = arena_new_struct(s->arena, struct readers));
    for (int j = 0; j < f->readers[value->id].items.count; j++)
      array_push(s->arena, &readers->items, f->readers[value->id].items.items[j]);
  }
}

/* Decides which updates are written in place: those that can come after all readers of the state. The others are copied
   at the end. */
void order_updates(struct former *f) {
  struct scheduler *s = f->s;
  struct table by_state = {0};
  find_state_readers(f, &by_state);
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *update = s->graph->values.items[i];
    if (update->op != OP_update) continue;
    struct cluster *writer = cluster_of(s, update);
    const struct readers *readers = table_find(&by_state, update->state->name);
    int count = readers ? readers->items.count : 0;
    search_begin(&f->below);
    for (int j = 0; j < count; j++) {
      struct cluster *reader = representative(readers->items.items[j]);
      if (reader != writer) search_from(f, &f->below, reader);
    }
    bool blocked = search_needs(f, &f->below, writer) || (update->input_count == 1 && reads_elsewhere(f, update));
    for (int j = 0; j < count && !blocked; j++) add_need(f, writer, representative(readers->items.items[j]));
    if (!blocked) continue;
    if (update->input_count == 2)
      bug("the rows of %s are written before its old contents were read", update->state->name);
    divert_update(s, update);
  }
}
