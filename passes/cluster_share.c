/* Pulled values that several clusters would compute at a price are materialised by the first of them. */
#include "passes/fuse.h"

struct price {
  int cost, loads, operands;
  int values; /* how many values were looked at */
};
enum {
  MOST_DEPTH = 1000 /* operations inside one another in one expression: walks over it recurse on the stack */
};
enum { MOST_PRICED = 4096 /* values behind one whose price is added: a longer sum would decide nothing else */ };

/* A cluster that computes a pulled value on the way to its roots; `shifted` where it does so at other coordinates than
   its own. */
struct puller {
  struct cluster *cluster;
  bool shifted;
  const struct value *root; /* the first root that pulls the value */
  int roots, last; /* how many of its roots pull the value, and the stamp of the last one */
  bool summed;     /* one of them is a reduction */
};

struct pullers {
  ARRAY(struct puller) items;
};

static void mark_pulled(struct former *f, struct pullers *pullers, const struct value *value, struct cluster *cluster,
                        const struct value *root, bool shifted, int *seen, int stamp) {
  struct scheduler *s = f->s;
  if (stops_here(s, value) || is_leaf(value)) return;
  int mark = stamp * 2 + shifted;
  if (seen[value->id] == mark || seen[value->id] == stamp * 2 + 1) return;
  seen[value->id] = mark;
  struct pullers *own = &pullers[value->id];
  /* Clusters are walked one after the other, so this cluster can only be the last in the list. */
  if (!own->items.count || own->items.items[own->items.count - 1].cluster != cluster)
    array_push(s->arena, &own->items, ((struct puller){.cluster = cluster, .root = root}));
  struct puller *last = &own->items.items[own->items.count - 1];
  last->shifted = last->shifted || shifted;
  last->summed = last->summed || is_reduction(root);
  if (last->last != stamp) last->roots++;
  last->last = stamp;
  bool moves = op_facts[value->op].class == CLASS_VIEW && value->op != OP_expand;
  for (int j = 0; j < value->input_count; j++)
    mark_pulled(f, pullers, value->inputs[j], cluster, root, shifted || moves || (value->op == OP_gather && j == 0),
                seen, stamp);
}

static void add_price(struct former *f, struct price *price, const struct value *value, int64_t size, bool first) {
  struct scheduler *s = f->s;
  if (price->values++ > MOST_PRICED) return;
  if (!first) {
    if (memo_table_find(&f->priced, value)) return;
    memo_table_set(&f->priced, value, 1);
    if (stops_here(s, value) || value->op == OP_input || value->op == OP_state) {
      price->operands++;
      if (value->axis_count > 0 && value_count(value) * 4 > size) price->loads++;
      return;
    }
  }
  price->cost += op_facts[value->op].price;
  /* elements that are read by way of an index */
  if (value->op == OP_gather && value->axis_count > 0) price->loads += s->pipeline.parameters[PARAMETER_fuse_loads];
  for (int i = 0; i < value->input_count; i++) add_price(f, price, value->inputs[i], size, false);
}

/* What computing a pulled value costs. */
static struct price price_of(struct former *f, const struct value *value) {
  struct price price = {0};
  memo_table_clear(&f->priced);
  add_price(f, &price, value, value_count(value), true);
  return price;
}

/* Whether all pullers can wait for `home` (NULL: a new cluster) when it computes the value whose readings are the
   present ones. */
static bool can_precede(struct former *f, struct cluster *home, const struct pullers *pullers) {
  if (home) search_begin(&f->home), search_from(f, &f->home, home);
  for (int i = 0; i < pullers->items.count; i++) {
    const struct cluster *puller = representative(pullers->items.items[i].cluster);
    if (puller == home) continue;
    if (search_meets(f, &f->below, puller) || (home && search_meets(f, &f->home, puller))) return false;
  }
  return true;
}

/* Whether a cluster can store a value that it pulls. */
static bool can_keep(struct former *f, const struct puller *puller, const struct value *value,
                     const struct cluster *own, const struct pullers *pullers) {
  struct cluster *cluster = representative(puller->cluster);
  if (puller->shifted || cluster->kind != CLUSTER_SWEEP || why_unsuited(cluster, value, own) != REFUSAL_NONE)
    return false;
  /* A value smaller than the space is stored once a row. A total has no rows: its numbers are known only when all
     elements are done. */
  if (value->axis_count < cluster->space_count && (is_total(cluster) || !is_rest(cluster, value))) return false;
  return why_illegal(f, cluster, own) == REFUSAL_NONE && can_precede(f, cluster, pullers);
}

/* A cluster of single numbers that can compute one more, or NULL. */
static struct cluster *find_numbers(struct former *f, const struct cluster *own, const struct pullers *pullers) {
  for (int i = f->numbers.count - 1; i >= 0; i--) {
    struct cluster *candidate = f->numbers.items[i];
    if (!candidate->merged && why_illegal(f, candidate, own) == REFUSAL_NONE && can_precede(f, candidate, pullers))
      return candidate;
  }
  return NULL;
}

/* The first cluster that computes the value at its own coordinates stores it. Where there is no such cluster, the value
   gets one of its own. Where each choice would make clusters wait for each other, the value stays as it is. */
static void materialise_in(struct former *f, const struct value *value, const struct pullers *pullers,
                           enum keep_reason kept) {
  struct scheduler *s = f->s;
  const struct puller *first = NULL;
  struct cluster *earliest = NULL; /* in the order of slots, which is not that of positions */
  for (int i = 0; i < pullers->items.count; i++) {
    const struct puller *puller = &pullers->items.items[i];
    struct cluster *cluster = representative(puller->cluster);
    if (!first || cluster->position < representative(first->cluster)->position) first = puller;
    earliest = cluster_earlier(cluster, earliest);
  }
  struct cluster own = {.kind = CLUSTER_SWEEP};
  space_of(s, value, &own);
  read_root(f, value);
  search_readings(f);
  struct cluster *home = NULL;
  const struct value *by = NULL;
  enum join_reason why = JOIN_PULLED;
  if (first && can_keep(f, first, value, &own, pullers)) home = representative(first->cluster), by = first->root;
  if (!home && value->axis_count == 0) home = find_numbers(f, &own, pullers), why = home ? JOIN_NUMBERS : why;
  bool apart = !home && can_precede(f, NULL, pullers);
  for (int i = 0; i < pullers->items.count && !home && !apart; i++)
    if (can_keep(f, &pullers->items.items[i], value, &own, pullers))
      home = representative(pullers->items.items[i].cluster), by = pullers->items.items[i].root;
  if (!home && !apart) {
    note_of(s, value)->stays = true;
    return;
  }
  keep(s, value, kept);
  layout_intermediate(s, value);
  if (apart) {
    why = JOIN_APART;
    home = cluster_new(f, CLUSTER_SWEEP, earliest);
    space_of(s, value, home);
    home->position = first ? representative(first->cluster)->position : 0;
    if (!home->space_count) array_push(s->arena, &f->numbers, home);
  }
  join(f, home, value, &own, why, by);
  for (int i = 0; i < pullers->items.count; i++) add_need(f, representative(pullers->items.items[i].cluster), home);
}

bool materialise_early(struct former *f) {
  struct scheduler *s = f->s;
  bool any = false;
  const double *limits = s->pipeline.parameters;
  int *depths = arena_new_array(s->arena, int, s->graph->next_value);
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (is_leaf(value) || stops_here(s, value)) continue;
    int *depth = &depths[value->id];
    for (int j = 0; j < value->input_count; j++)
      if (depths[value->inputs[j]->id] >= *depth) *depth = depths[value->inputs[j]->id] + 1;
    if (is_view(value) || !access_is_expression(value) || facts_uses(&s->facts, value) < 1) continue;
    if (!f->deep && *depth < MOST_DEPTH) continue;
    const struct price price = price_of(f, value);
    bool shared = facts_uses(&s->facts, value) > 1 &&
                  (price.cost >= limits[PARAMETER_fuse_keep] || price.loads >= limits[PARAMETER_fuse_loads]);
    if (!shared && price.operands <= limits[PARAMETER_fuse_operands] && *depth < MOST_DEPTH) continue;
    keep(s, value, shared ? KEEP_STEPS : *depth >= MOST_DEPTH ? KEEP_DEPTH : KEEP_OPERANDS);
    any = true;
    *depth = 0;
  }
  return any;
}

/* Whether the same clusters pull the value's only user, which is just as large: then that user is the one to store. */
static bool is_link(struct scheduler *s, const struct pullers *pullers, const struct value *value) {
  if (facts_uses(&s->facts, value) != 1) return false;
  const struct value *user = facts_user(&s->facts, value, 0);
  return op_is_elementwise(user->op) && !stops_here(s, user) && user->axis_count == value->axis_count &&
         user->kind == value->kind && pullers[user->id].items.count == pullers[value->id].items.count;
}

void materialise_shared(struct former *f) {
  struct scheduler *s = f->s;
  int count = s->graph->next_value;
  struct pullers *pullers = arena_new_array(s->arena, struct pullers, count);
  int *seen = arena_new_array(s->arena, int, count);
  int stamp = 1;
  for (int c = 0; c < s->decisions.clusters.count; c++) {
    struct cluster *cluster = s->decisions.clusters.items[c];
    if (cluster->merged) continue;
    for (int i = 0; i < cluster->values.count; i++, stamp++) {
      const struct value *root = cluster->values.items[i];
      bool moves = op_facts[root->op].class == CLASS_VIEW && root->op != OP_expand;
      for (int j = 0; j < root->input_count; j++)
        mark_pulled(f, pullers, root->inputs[j], cluster, root, moves || (root->op == OP_gather && j == 0), seen,
                    stamp);
    }
  }
  number_positions(f);
  for (int c = 0; c < s->decisions.clusters.count; c++) {
    struct cluster *cluster = s->decisions.clusters.items[c];
    if (!cluster->merged && cluster->kind == CLUSTER_SWEEP && !cluster->space_count)
      array_push(s->arena, &f->numbers, cluster);
  }
  const double *limits = s->pipeline.parameters;
  const int most = (int)limits[PARAMETER_fuse_operands];
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (is_leaf(value) || stops_here(s, value)) continue;
    if (is_view(value) || pullers[value->id].items.count == 0) continue;
    struct price priced = price_of(f, value), *price = &priced;
    /* Numbers that hold for the whole step, such as the learning rate, are computed once. */
    bool global = value->axis_count == 0 && price->cost > 2;
    bool shared = pullers[value->id].items.count > 1 &&
                  (price->cost >= limits[PARAMETER_fuse_keep] || price->loads >= limits[PARAMETER_fuse_loads]);
    /* Evaluation also stores the values that training stores in a kernel of rows, so that the two share the kernel. */
    const struct puller *only = &pullers[value->id].items.items[0];
    bool rows = s->program->train && only->roots > 1 && only->summed && !only->shifted &&
                reduces_rows(representative(only->cluster)) &&
                value->axis_count == representative(only->cluster)->space_count &&
                price->loads >= limits[PARAMETER_fuse_loads];
    enum keep_reason kept = shared                   ? KEEP_SHARED
                            : rows                   ? KEEP_TRAINED
                            : price->operands > most ? KEEP_OPERANDS
                                                     : KEEP_NUMBER;
    shared = shared || rows;
    if (!global && !shared && price->operands <= most) continue;
    if (!global && is_link(s, pullers, value)) continue;
    /* Of a chain of single numbers, only the last one is stored. */
    bool last = false;
    for (int j = 0; j < facts_uses(&s->facts, value) && global; j++) {
      const struct value *user = facts_user(&s->facts, value, j);
      last = last || user->axis_count > 0 || is_reduction(user) || stops_here(s, user);
    }
    if (global && !shared && !last && price->operands <= most) continue;
    materialise_in(f, value, &pullers[value->id], kept);
  }
}

/* Reductions that another cluster reads need memory; the others stay in registers. */
void materialise_reductions(struct former *f) {
  struct scheduler *s = f->s;
  for (int c = 0; c < s->decisions.clusters.count; c++) {
    struct cluster *cluster = s->decisions.clusters.items[c];
    if (cluster->merged) continue;
    for (int i = 0; i < cluster->values.count; i++) {
      const struct value *root = cluster->values.items[i];
      read_root(f, root);
      for (int j = 0; j < f->readings.items.count; j++) {
        const struct value *read = f->readings.items.items[j].value;
        bool elsewhere = cluster_of(s, read) != cluster || f->readings.items.items[j].shifted;
        if (!is_reduction(read) || !elsewhere) continue;
        keep(s, read, KEEP_REDUCED);
      }
    }
  }
}
