/* The order of clusters, and which updates can be written in place. */
#include "passes/fuse.h"

/* Positions in an order in which every cluster comes after what it needs, as early after it as the graph's order has it. A cluster
   of updates follows its last need at once, so that a gradient is used while it is in the cache. False on a cycle. */
struct ordering {
  struct scheduler *s;
  int next;
  ARRAY(struct cluster *) sorted;
};

static bool settle(struct ordering *order, struct cluster *cluster) {
  if (cluster->visited == order->s->visit_now) return cluster->position >= 0;
  cluster->visited = order->s->visit_now;
  cluster->position = -1;
  for (int i = 0; i < cluster->needs.count; i++)
    if (!settle(order, representative(cluster->needs.items[i]))) return false;
  cluster->position = order->next++;
  array_push(order->s->arena, &order->sorted, cluster);
  return true;
}

static int first_value(const struct cluster *cluster) {
  int first = cluster->values.items[0]->id;
  for (int i = 1; i < cluster->values.count; i++)
    if (cluster->values.items[i]->id < first) first = cluster->values.items[i]->id;
  return first;
}

/* Nothing but updates, and totals of what they write: its place is right after what it needs. */
static bool only_updates(const struct cluster *cluster) {
  bool some = false;
  for (int i = 0; i < cluster->values.count; i++) {
    if (cluster->values.items[i]->op != OP_update && !is_reduction(cluster->values.items[i])) return false;
    some = some || cluster->values.items[i]->op == OP_update;
  }
  return some && cluster->kind == CLUSTER_SWEEP;
}

static bool is_ready(const struct scheduler *s, const struct cluster *cluster) {
  for (int i = 0; i < cluster->needs.count; i++) {
    const struct cluster *need = representative(cluster->needs.items[i]);
    if (need->visited != s->visit_now || need->position < 0) return false;
  }
  return true;
}

static bool sort_into(struct scheduler *s, struct ordering *order) {
  *order = (struct ordering){.s = s};
  s->visit_now++;
  /* Roots come in the graph's order, so a cluster is settled when its first root is met. */
  struct cluster **by_value = arena_new_array(s->arena, struct cluster *, s->graph->next_value);
  ARRAY(struct cluster *) updates = {0};
  for (int c = 0; c < s->clusters.count; c++) {
    struct cluster *cluster = s->clusters.items[c];
    if (cluster->merged || !cluster->values.count) continue;
    by_value[first_value(cluster)] = cluster;
    if (only_updates(cluster)) array_push(s->arena, &updates, cluster);
  }
  for (int i = 0; i < s->graph->next_value; i++) {
    if (!by_value[i]) continue;
    if (!only_updates(by_value[i]) && !settle(order, by_value[i])) return false;
    int waiting = 0;
    for (int u = 0; u < updates.count; u++) {
      if (is_ready(s, updates.items[u])) settle(order, updates.items[u]);
      else updates.items[waiting++] = updates.items[u];
    }
    updates.count = waiting;
  }
  for (int i = 0; i < updates.count; i++)
    if (!settle(order, updates.items[i])) return false;
  return true;
}

void sort_clusters(struct scheduler *s) {
  struct ordering order;
  if (!sort_into(s, &order)) bug("clusters of graph %s need each other", s->graph->name);
  s->clusters.items = order.sorted.items;
  s->clusters.count = order.sorted.count;
  s->clusters.capacity = order.sorted.capacity;
}

void number_positions(struct scheduler *s) {
  struct ordering order;
  if (!sort_into(s, &order)) bug("clusters of graph %s need each other", s->graph->name);
}

/* An update that cannot be written where its state lies until the end goes through memory of its own. */
static void divert_update(struct scheduler *s, const struct value *update) {
  struct note *note = &s->notes[update->id];
  struct place *state = note->place;
  note->place = place_new(s, update, BUFFER_ACTIVATION, arena_format(s->arena, "%s.new", update->state->name), state->buffer->axes);
  array_push(s->arena, &s->copies, (struct copy){update, NULL, state, "update"});
}

static bool reads_elsewhere(struct former *f, const struct value *update) {
  struct scheduler *s = f->s;
  struct cluster *writer = cluster_of(s, update);
  for (int i = 0; i < writer->values.count; i++) {
    read_root(f, writer->values.items[i]);
    for (int j = 0; j < f->readings.items.count; j++) {
      const struct reading *reading = &f->readings.items.items[j];
      if (reading->value->op == OP_state && reading->value->state == update->state && (reading->shifted || writer->kind != CLUSTER_SWEEP)) return true;
    }
  }
  return false;
}

/* Which updates can be written in place: those whose readers can all come before. The rest is copied when all is done. */
void order_updates(struct former *f) {
  struct scheduler *s = f->s;
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *update = s->graph->values.items[i];
    if (update->op != OP_update) continue;
    struct cluster *writer = cluster_of(s, update);
    bool blocked = update->input_count == 1 && reads_elsewhere(f, update);
    int before = writer->needs.count;
    for (int j = 0; j < s->graph->values.count && !blocked; j++) {
      const struct value *state = s->graph->values.items[j];
      if (state->op != OP_state || state->state != update->state) continue;
      for (int c = 0; c < f->consumers[state->id].list.count && !blocked; c++) {
        struct cluster *reader = representative(f->consumers[state->id].list.items[c]);
        if (reader == writer) continue;
        if (reaches(s, reader, writer)) blocked = true;
        else add_need(s, writer, reader);
      }
    }
    if (!blocked) continue;
    writer->needs.count = before;
    if (update->input_count == 2)
      bug("the rows of %s are written before its old contents were read", update->state->name);
    divert_update(s, update);
  }
}
