/* Which values are materialised, and which are computed together.

   Roots are the values that some kernel must compute: reductions, contractions, what outputs, updates, contractions and the
   like read from memory. Everything between roots is pulled: computed on the spot, as part of an expression, by every kernel that
   needs it. Roots that share an iteration space are joined in one cluster where no path between them leaves it. A pulled
   value that several clusters would compute at a price is then materialised by the first of them. */
#include <string.h>

#include "passes/fuse.h"

enum {
  WINDOW_MOST = 32,     /* rows of a generation step at most */
  COST_KEEP = 28,       /* arithmetic that is worth a store and a load */
  LOADS_KEEP = 2,       /* operands as large as the value: two loads are more than one */
  LOADS_MOST = 12,      /* operands of any size in one expression */
  SIBLING_DISTANCE = 64 /* how many clusters back one may still be joined */
};

double axis_usual(const struct axis *axis) {
  if (!axis->size) return (double)axis->extent;
  return axis->extent <= WINDOW_MOST ? 1 : (double)axis->extent / 2;
}

bool axis_listed(struct axis *const *axes, int count, const struct axis *axis) {
  for (int i = 0; i < count; i++)
    if (axes[i] == axis) return true;
  return false;
}

static bool same_set(struct axis *const *x, int x_count, struct axis *const *y, int y_count) {
  if (x_count != y_count) return false;
  for (int i = 0; i < x_count; i++)
    if (!axis_listed(y, y_count, x[i])) return false;
  return true;
}

static bool is_view(const struct value *value) {
  return (op_facts[value->op].class == CLASS_VIEW && value->op != OP_concat && value->op != OP_pad) || value->op == OP_stop;
}

static bool is_leaf(const struct value *value) { return op_facts[value->op].class == CLASS_LEAF; }

/* Computed elementwise from other values: not a leaf, not a mere view. */
static bool is_computed(const struct value *value) { return !is_leaf(value) && !is_view(value); }

static bool is_reduction(const struct value *value) { return value->op == OP_reduce_sum || value->op == OP_reduce_max; }

/* --- Roots ------------------------------------------------------------------------------------------------------------------ */

static void require(struct scheduler *s, const struct value *value) {
  if (!s->notes[value->id].place) s->notes[value->id].materialised = true;
}

/* What a value read with strides is a view of. */
static const struct value *base_of(struct scheduler *s, const struct value *value) {
  while (is_view(value) && !s->notes[value->id].materialised) value = value->inputs[0];
  return value;
}

static void require_memory(struct scheduler *s, const struct value *value) {
  const struct value *base = base_of(s, value);
  /* Numbers made from nothing have no memory of their own: the view of them gets it. */
  require(s, is_leaf(base) && !s->notes[base->id].place ? value : base);
}

static void require_updates(struct scheduler *s, const struct value *value) {
  struct note *note = &s->notes[value->id];
  note->place = place_of_state(s, value->state, value);
  note->materialised = true;
}

static void mark_required(struct scheduler *s) {
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (value->op == OP_contract) {
      require_memory(s, value->inputs[0]);
      require_memory(s, value->inputs[1]);
      require(s, value);
    } else if (value->op == OP_update) {
      require_updates(s, value);
      if (value->input_count == 2 && is_computed(value->inputs[0])) require(s, value->inputs[0]);
    } else if (op_facts[value->op].class == CLASS_MIX || (op_facts[value->op].class == CLASS_SCATTER && !access_is_expression(value))) {
      const struct value *source = value->inputs[value->input_count - 1];
      if (is_computed(base_of(s, source))) require_memory(s, source);
      require(s, value);
    } else if (value->op == OP_gather && is_computed(base_of(s, value->inputs[0]))) {
      require_memory(s, value->inputs[0]);
    } else if (value->op == OP_concat && value->axis_count > 0 && value_count(value) >= 1 << 12) {
      require(s, value);
    } else if (value->op == OP_add && value->axis_count == 0) {
      /* A sum of sums, such as the norm of all gradients: one link a kernel, not one kernel with a hundred operands. */
      for (int j = 0; j < 2; j++)
        if (is_reduction(value->inputs[j])) require(s, value);
    }
  }
}

/* add(contract, other): the contraction begins from `other` instead of zero, if nothing else wants it without. */
static void absorb_additions(struct scheduler *s) {
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (value->op != OP_add) continue;
    for (int j = 1; j >= 0; j--) {
      const struct value *product = value->inputs[j], *other = value->inputs[1 - j];
      struct note *note = &s->notes[product->id];
      if (product->op != OP_contract || note->uses != 1 || note->place || product->axis_count != value->axis_count || note->prefers != s->notes[value->id].prefers)
        continue;
      const struct value *base = base_of(s, other);
      bool lies = s->notes[base->id].place || s->notes[base->id].materialised;
      if (!lies || other->op == OP_concat || value_count(other) * 1 > value_count(product) || other->axis_count == 0) continue;
      note->materialised = false;
      note->is_absorbed = true;
      s->notes[value->id].absorbed = product;
      s->notes[value->id].materialised = true;
      break;
    }
  }
}

/* Operands whose views do not come out as strides are materialised as they are. */
static void check_operands(struct scheduler *s) {
  bool more = false;
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (value->op != OP_contract) continue;
    for (int j = 0; j < 2; j++) {
      struct place place;
      if (access_strided(s, value->inputs[j], &place)) continue;
      s->notes[value->inputs[j]->id].materialised = true;
      more = true;
    }
  }
  if (more) layout_intermediates(s);
}

/* --- What a root reads ---------------------------------------------------------------------------------------------------------- */

static bool stops_here(struct scheduler *s, const struct value *value) {
  const struct note *note = &s->notes[value->id];
  return note->materialised || note->place || is_reduction(value) || value->op == OP_contract;
}

static void read_value(struct scheduler *s, struct readings *r, const struct value *value, bool shifted);

static void read_inputs(struct scheduler *s, struct readings *r, const struct value *value, bool shifted) {
  bool moves = op_facts[value->op].class == CLASS_VIEW && value->op != OP_expand;
  for (int i = 0; i < value->input_count; i++) read_value(s, r, value->inputs[i], shifted || moves || (value->op == OP_gather && i == 0));
}

static void read_value(struct scheduler *s, struct readings *r, const struct value *value, bool shifted) {
  int mark = r->stamp * 2 + shifted;
  if (r->seen[value->id] == mark || r->seen[value->id] == r->stamp * 2 + 1) return;
  r->seen[value->id] = mark;
  if (stops_here(s, value)) {
    array_push(s->arena, &r->items, (struct reading){value, shifted});
    return;
  }
  read_inputs(s, r, value, shifted);
}

void read_root(struct former *f, const struct value *root) {
  struct scheduler *s = f->s;
  struct readings *r = &f->readings;
  r->items.count = 0;
  r->stamp++;
  if (s->notes[root->id].absorbed) {
    const struct value *product = s->notes[root->id].absorbed;
    for (int i = 0; i < root->input_count; i++)
      if (root->inputs[i] != product) read_value(s, r, root->inputs[i], true);
    root = product;
  }
  read_inputs(s, r, root, root->op == OP_contract);
}

/* --- Clusters ------------------------------------------------------------------------------------------------------------------- */

static struct cluster *cluster_of(struct scheduler *s, const struct value *value) {
  struct cluster *cluster = s->notes[value->id].cluster;
  while (cluster && cluster->merged) cluster = cluster->merged;
  return cluster;
}

static struct cluster *representative(struct cluster *cluster) {
  while (cluster->merged) cluster = cluster->merged;
  return cluster;
}

static void add_need(struct scheduler *s, struct cluster *cluster, struct cluster *need) {
  if (!need || need == cluster) return;
  for (int i = 0; i < cluster->needs.count; i++)
    if (representative(cluster->needs.items[i]) == need) return;
  array_push(s->arena, &cluster->needs, need);
}

static int visit_stamp;

/* Whether `from` needs `target`, directly or not. */
static bool reaches(struct cluster *from, const struct cluster *target) {
  if (from == target) return true;
  if (from->visited == visit_stamp) return false;
  from->visited = visit_stamp;
  for (int i = 0; i < from->needs.count; i++)
    if (reaches(representative(from->needs.items[i]), target)) return true;
  return false;
}

/* The iteration space of a root, ordered, and what is reduced in it. */
static void space_of(struct scheduler *s, const struct value *value, struct cluster *cluster) {
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

static bool is_rest(const struct cluster *cluster, const struct value *value) {
  if (value->axis_count != cluster->space_count - cluster->reduced_count) return false;
  for (int i = 0; i < value->axis_count; i++)
    if (!axis_listed(cluster->space, cluster->space_count, value->axes[i]) || axis_listed(cluster->reduced, cluster->reduced_count, value->axes[i]))
      return false;
  return true;
}

/* Whether a root's space suits a cluster: the same axes, reduced the same way; or without the reduced axes, what is left. */
static bool suits(const struct cluster *cluster, const struct value *value, const struct cluster *own) {
  if (cluster->kind != CLUSTER_SWEEP) return false;
  bool same = same_set(cluster->space, cluster->space_count, own->space, own->space_count);
  if (own->reduced_count) {
    if (!same) return false;
    if (same_set(cluster->reduced, cluster->reduced_count, own->reduced, own->reduced_count)) return true;
    return cluster->reduced_count == 0 && reduces_rows(own);
  }
  if (cluster->reduced_count == 0) return same;
  /* Columns and totals store nothing for each element. */
  if (same) return reduces_rows(cluster);
  return is_rest(cluster, value);
}

/* Whether the root can be computed by the cluster: nothing that it reads from elsewhere depends on the cluster. */
static bool legal(struct former *f, struct cluster *cluster, const struct cluster *own) {
  const struct readings *r = &f->readings;
  bool columns = cluster->reduced_count && !reduces_rows(cluster);
  for (int i = 0; i < r->items.count; i++) {
    struct cluster *from = cluster_of(f->s, r->items.items[i].value);
    if (!from) continue;
    if (from == cluster) {
      if (r->items.items[i].shifted || (columns && own->reduced_count)) return false;
      continue;
    }
    visit_stamp++;
    if (reaches(from, cluster)) return false;
  }
  return true;
}

static void join(struct former *f, struct cluster *cluster, const struct value *value, const struct cluster *own) {
  struct scheduler *s = f->s;
  array_push(s->arena, &cluster->values, value);
  if (own->reduced_count && !cluster->reduced_count) {
    cluster->reduced_count = own->reduced_count;
    memcpy(cluster->reduced, own->reduced, sizeof own->reduced);
    memcpy(cluster->space, own->space, sizeof own->space);
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

static bool can_merge(struct cluster *x, struct cluster *y) {
  if (x == y || x->kind != CLUSTER_SWEEP || y->kind != CLUSTER_SWEEP) return false;
  if (!same_set(x->space, x->space_count, y->space, y->space_count)) return false;
  if (x->reduced_count && y->reduced_count && !same_set(x->reduced, x->reduced_count, y->reduced, y->reduced_count)) return false;
  if ((x->reduced_count && !reduces_rows(x)) || (y->reduced_count && !reduces_rows(y))) return false;
  visit_stamp++;
  if (reaches(x, y)) return false;
  visit_stamp++;
  return !reaches(y, x);
}

static struct cluster *cluster_new(struct scheduler *s, enum cluster_kind kind) {
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

static void place_root(struct former *f, const struct value *value) {
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
      if (can_merge(home, candidate)) merge_clusters(f, home, candidate);
    }
    /* Siblings: clusters that read the same memory in the same space. */
    for (int i = 0; i < f->readings.items.count && !home; i++) {
      const struct value *read = f->readings.items.items[i].value;
      if (read->axis_count == 0) continue;
      for (int j = f->consumers[read->id].list.count - 1; j >= 0 && !home; j--) {
        struct cluster *candidate = representative(f->consumers[read->id].list.items[j]);
        if (s->clusters.count - candidate->number > SIBLING_DISTANCE) break;
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

static bool is_root(struct scheduler *s, const struct value *value) {
  const struct note *note = &s->notes[value->id];
  if (note->is_absorbed || (is_leaf(value) && value->op != OP_index)) return false;
  return note->materialised || is_reduction(value);
}

/* --- Materialising what several clusters pull ------------------------------------------------------------------------------------- */

struct price {
  int cost, loads, operands;
};

static int op_cost(const struct value *value) {
  switch (value->op) {
  case OP_exp: case OP_log: case OP_sin: case OP_cos: return 8;
  case OP_tanh: case OP_erf: return 12;
  case OP_pow: return 20;
  case OP_div: case OP_sqrt: case OP_rsqrt: case OP_mod: case OP_quotient: return 3;
  case OP_random: return 40;
  case OP_gather: return 2;
  case OP_constant: case OP_input: case OP_state: case OP_index: return 0;
  case OP_neg: case OP_abs: case OP_floor: case OP_round: case OP_not: case OP_cast: case OP_add: case OP_sub: case OP_mul:
  case OP_max: case OP_min: case OP_lt: case OP_le: case OP_eq: case OP_ne: case OP_and: case OP_or: case OP_where: return 1;
  case OP_reduce_sum: case OP_reduce_max: case OP_scan: case OP_top: case OP_contract: case OP_scatter_add: case OP_rename:
  case OP_split: case OP_merge: case OP_slice: case OP_select: case OP_expand: case OP_pad: case OP_concat: case OP_stop:
  case OP_gradient: case OP_update: case OP_call: case OP_result: return 0;
  case OP_COUNT: break;
  }
  return 0;
}

/* A cluster that computes a value on the way to its own; `shifted` when at other coordinates too. */
struct puller {
  struct cluster *cluster;
  bool shifted;
};

struct pullers {
  ARRAY(struct puller) items;
};

static void mark_pulled(struct former *f, struct pullers *pullers, const struct value *value, struct cluster *cluster, bool shifted, int *seen, int stamp) {
  struct scheduler *s = f->s;
  if (stops_here(s, value) || is_leaf(value)) return;
  int mark = stamp * 2 + shifted;
  if (seen[value->id] == mark || seen[value->id] == stamp * 2 + 1) return;
  seen[value->id] = mark;
  struct pullers *own = &pullers[value->id];
  /* Clusters are gone through one by one, so this one is the last if it is there. */
  struct puller *last = own->items.count ? &own->items.items[own->items.count - 1] : NULL;
  if (!last || last->cluster != cluster) array_push(s->arena, &own->items, (struct puller){cluster, shifted});
  else if (shifted) last->shifted = true;
  bool moves = op_facts[value->op].class == CLASS_VIEW && value->op != OP_expand;
  for (int j = 0; j < value->input_count; j++)
    mark_pulled(f, pullers, value->inputs[j], cluster, shifted || moves || (value->op == OP_gather && j == 0), seen, stamp);
}

static void add_price(struct scheduler *s, struct price *price, const struct value *value, int64_t size, bool first) {
  if (!first) {
    if (s->level_stamp[value->id] == s->level_now) return;
    s->level_stamp[value->id] = s->level_now;
    if (stops_here(s, value) || value->op == OP_input || value->op == OP_state) {
      price->operands++;
      if (value->axis_count > 0 && value_count(value) * 4 > size) price->loads++;
      return;
    }
  }
  price->cost += op_cost(value);
  if (value->op == OP_gather && value->axis_count > 0) price->loads += LOADS_KEEP; /* by way of an index */
  for (int i = 0; i < value->input_count; i++) add_price(s, price, value->inputs[i], size, false);
}

/* What it takes to compute a pulled value. */
static struct price price_of(struct scheduler *s, const struct value *value) {
  struct price price = {0};
  s->level_now++;
  add_price(s, &price, value, value_count(value), true);
  return price;
}

static void number_positions(struct scheduler *s);

/* Whether a cluster, or what it needs, is one of those wanted. */
static bool reaches_wanted(struct cluster *from, int wanted) {
  if (from->wanted == wanted) return true;
  if (from->visited == visit_stamp) return false;
  from->visited = visit_stamp;
  for (int i = 0; i < from->needs.count; i++)
    if (reaches_wanted(representative(from->needs.items[i]), wanted)) return true;
  return false;
}

/* Whether the clusters wanted can wait for `home` (NULL: a new one) with the value of the present readings in it. */
static bool can_precede(struct former *f, struct cluster *home, int wanted) {
  const struct readings *r = &f->readings;
  visit_stamp++;
  for (int i = 0; home && i < home->needs.count; i++)
    if (reaches_wanted(representative(home->needs.items[i]), wanted)) return false;
  for (int i = 0; i < r->items.count; i++) {
    struct cluster *from = cluster_of(f->s, r->items.items[i].value);
    if (from && from != home && reaches_wanted(from, wanted)) return false;
  }
  return true;
}

/* Whether a cluster can store a value that it pulls. */
static bool can_keep(struct former *f, const struct puller *puller, const struct value *value, const struct cluster *own, int wanted) {
  struct cluster *cluster = representative(puller->cluster);
  if (puller->shifted || cluster->kind != CLUSTER_SWEEP || !suits(cluster, value, own)) return false;
  if (value->axis_count < cluster->space_count && !is_rest(cluster, value)) return false;
  return legal(f, cluster, own) && can_precede(f, cluster, wanted);
}

/* The first cluster that computes the value at its own coordinates stores it; a value with none gets a cluster. Where each choice
   would make clusters wait for each other, the value stays as it is. */
static void materialise_in(struct former *f, const struct value *value, const struct pullers *pullers) {
  struct scheduler *s = f->s;
  static int wanted;
  wanted++;
  const struct puller *first = NULL;
  for (int i = 0; i < pullers->items.count; i++) {
    const struct puller *puller = &pullers->items.items[i];
    representative(puller->cluster)->wanted = wanted;
    if (!first || representative(puller->cluster)->position < representative(first->cluster)->position) first = puller;
  }
  struct cluster own = {.kind = CLUSTER_SWEEP};
  space_of(s, value, &own);
  read_root(f, value);
  struct cluster *home = first && can_keep(f, first, value, &own, wanted) ? representative(first->cluster) : NULL;
  /* Single numbers are computed together, where none waits for another's user. */
  for (int i = s->clusters.count - 1; i >= 0 && !home && value->axis_count == 0; i--) {
    struct cluster *candidate = s->clusters.items[i];
    if (candidate->merged || candidate->kind != CLUSTER_SWEEP || candidate->space_count) continue;
    if (legal(f, candidate, &own) && can_precede(f, candidate, wanted)) home = candidate;
  }
  bool apart = !home && can_precede(f, NULL, wanted);
  for (int i = 0; i < pullers->items.count && !home && !apart; i++)
    if (can_keep(f, &pullers->items.items[i], value, &own, wanted)) home = representative(pullers->items.items[i].cluster);
  if (!home && !apart) return;
  s->notes[value->id].materialised = true;
  layout_intermediates(s);
  if (apart) {
    home = cluster_new(s, CLUSTER_SWEEP);
    space_of(s, value, home);
    home->position = first ? representative(first->cluster)->position : 0;
  }
  join(f, home, value, &own);
  for (int i = 0; i < pullers->items.count; i++) add_need(s, representative(pullers->items.items[i].cluster), home);
}

/* Whether the value's only user is pulled by the same clusters and just as large: then that is the one to keep. */
static bool is_link(struct scheduler *s, const struct pullers *pullers, const struct value *value) {
  const struct note *note = &s->notes[value->id];
  if (note->user_count != 1) return false;
  const struct value *user = s->users[note->first_user];
  return op_is_elementwise(user->op) && !stops_here(s, user) && user->axis_count == value->axis_count && user->kind == value->kind &&
         pullers[user->id].items.count == pullers[value->id].items.count;
}

static void materialise_shared(struct former *f) {
  struct scheduler *s = f->s;
  int count = s->graph->next_value;
  struct pullers *pullers = arena_new_array(s->arena, struct pullers, count);
  int *seen = arena_new_array(s->arena, int, count);
  int stamp = 1;
  for (int c = 0; c < s->clusters.count; c++) {
    struct cluster *cluster = s->clusters.items[c];
    if (cluster->merged) continue;
    for (int i = 0; i < cluster->values.count; i++, stamp++) {
      const struct value *root = cluster->values.items[i];
      bool moves = op_facts[root->op].class == CLASS_VIEW && root->op != OP_expand;
      for (int j = 0; j < root->input_count; j++) mark_pulled(f, pullers, root->inputs[j], cluster, moves || (root->op == OP_gather && j == 0), seen, stamp);
    }
  }
  number_positions(s);
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (is_leaf(value) || stops_here(s, value)) continue;
    if (is_view(value) || pullers[value->id].items.count == 0) continue;
    struct price priced = price_of(s, value), *price = &priced;
    /* Numbers that hold for the whole step, such as the learning rate, are computed once. */
    bool global = value->axis_count == 0 && price->cost > 2;
    bool shared = pullers[value->id].items.count > 1 && (price->cost >= COST_KEEP || price->loads >= LOADS_KEEP);
    if (!global && !shared && price->operands <= LOADS_MOST) continue;
    if (!global && is_link(s, pullers, value)) continue;
    /* Of a chain of single numbers, the last. */
    bool last = false;
    const struct note *note = &s->notes[value->id];
    for (int j = 0; j < note->user_count && global; j++) {
      const struct value *user = s->users[note->first_user + j];
      last = last || user->axis_count > 0 || is_reduction(user) || stops_here(s, user);
    }
    if (global && !shared && !last && price->operands <= LOADS_MOST) continue;
    materialise_in(f, value, &pullers[value->id]);
  }
}

/* Reductions that another cluster reads need memory; the others stay in registers. */
static void materialise_reductions(struct former *f) {
  struct scheduler *s = f->s;
  for (int c = 0; c < s->clusters.count; c++) {
    struct cluster *cluster = s->clusters.items[c];
    if (cluster->merged) continue;
    for (int i = 0; i < cluster->values.count; i++) {
      const struct value *root = cluster->values.items[i];
      /* What training keeps for the way back, evaluation keeps too, so that they share kernels. */
      if (is_reduction(root) && s->program->train && reduces_rows(cluster) && !root->axes[root->axis_count - 1]->size)
        s->notes[root->id].materialised = true;
      read_root(f, root);
      for (int j = 0; j < f->readings.items.count; j++) {
        const struct value *read = f->readings.items.items[j].value;
        bool elsewhere = cluster_of(s, read) != cluster || f->readings.items.items[j].shifted;
        if (is_reduction(read) && elsewhere) s->notes[read->id].materialised = true;
      }
    }
  }
}

/* --- Order ------------------------------------------------------------------------------------------------------------------------- */


/* Positions in an order in which every cluster comes after what it needs, as early after it as the graph's order has it. A cluster
   of updates follows its last need at once, so that a gradient is used while it is in the cache. False on a cycle. */
struct ordering {
  struct scheduler *s;
  int next;
  ARRAY(struct cluster *) sorted;
};

static bool settle(struct ordering *order, struct cluster *cluster) {
  if (cluster->visited == visit_stamp) return cluster->position >= 0;
  cluster->visited = visit_stamp;
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

/* Nothing but updates: its place is right after what it needs. */
static bool only_updates(const struct cluster *cluster) {
  for (int i = 0; i < cluster->values.count; i++)
    if (cluster->values.items[i]->op != OP_update) return false;
  return cluster->kind == CLUSTER_SWEEP;
}

static bool is_ready(const struct cluster *cluster) {
  for (int i = 0; i < cluster->needs.count; i++) {
    const struct cluster *need = representative(cluster->needs.items[i]);
    if (need->visited != visit_stamp || need->position < 0) return false;
  }
  return true;
}

static bool sort_clusters(struct scheduler *s, struct ordering *order) {
  *order = (struct ordering){.s = s};
  visit_stamp++;
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
      if (is_ready(updates.items[u])) settle(order, updates.items[u]);
      else updates.items[waiting++] = updates.items[u];
    }
    updates.count = waiting;
  }
  for (int i = 0; i < updates.count; i++)
    if (!settle(order, updates.items[i])) return false;
  return true;
}

static void number_positions(struct scheduler *s) {
  struct ordering order;
  if (!sort_clusters(s, &order)) bug("clusters of graph %s need each other", s->graph->name);
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
static void order_updates(struct former *f) {
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
        visit_stamp++;
        if (reaches(reader, writer)) blocked = true;
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

/* In the graph's order, as they may have come by joining. */
static void sort_values(struct cluster *cluster) {
  for (int i = 1; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    int at = i;
    for (; at > 0 && cluster->values.items[at - 1]->id > value->id; at--) cluster->values.items[at] = cluster->values.items[at - 1];
    cluster->values.items[at] = value;
  }
}

void form_clusters(struct scheduler *s) {
  struct former former = {.s = s}, *f = &former;
  int count = s->graph->next_value;
  f->readings.seen = arena_new_array(s->arena, int, count);
  f->readings.stamp = 1;
  f->consumers = arena_alloc(s->arena, sizeof *f->consumers * (size_t)count);
  s->clusters.items = NULL;
  s->clusters.count = s->clusters.capacity = 0;
  mark_required(s);
  absorb_additions(s);
  layout_intermediates(s);
  check_operands(s);
  for (int i = 0; i < s->graph->values.count; i++)
    if (is_root(s, s->graph->values.items[i])) place_root(f, s->graph->values.items[i]);
  materialise_shared(f);
  materialise_reductions(f);
  layout_intermediates(s);
  order_updates(f);
  struct ordering order;
  if (!sort_clusters(s, &order)) bug("clusters of graph %s need each other", s->graph->name);
  for (int i = 0; i < order.sorted.count; i++) sort_values(order.sorted.items[i]);
  s->clusters.items = order.sorted.items;
  s->clusters.count = order.sorted.count;
  s->clusters.capacity = order.sorted.capacity;
  if (s->plan) reuse_operands(f);
}
