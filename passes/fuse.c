/* Which values are materialised, and which are computed together.

   Roots are the values that some kernel must compute: reductions, contractions, what outputs, updates, contractions and the
   like read from memory. Everything between roots is pulled: computed on the spot, as part of an expression, by every kernel that
   needs it. Roots that share an iteration space are joined in one cluster where no path between them leaves it. A pulled
   value that several clusters would compute at a price is then materialised by the first of them. */
#include <stdlib.h>
#include <string.h>

#include "passes/fuse.h"

enum { WINDOW_MOST = 32 /* a generation step has at most so many rows */ };

double axis_usual(const struct axis *axis) {
  if (!axis->size) return (double)axis->extent;
  return axis->extent <= WINDOW_MOST ? 1 : (double)axis->extent / 2;
}

bool is_reduction(const struct value *value) {
  return (value->op == OP_reduce_sum || value->op == OP_reduce_max) && value->list_count;
}

bool same_set(struct axis *const *x, int x_count, struct axis *const *y, int y_count) {
  if (x_count != y_count) return false;
  for (int i = 0; i < x_count; i++)
    if (!axis_listed(y, y_count, x[i])) return false;
  return true;
}

bool is_view(const struct value *value) {
  return (op_facts[value->op].class == CLASS_VIEW && value->op != OP_concat && value->op != OP_pad) ||
         value->op == OP_stop;
}

bool is_leaf(const struct value *value) { return op_facts[value->op].class == CLASS_LEAF; }

/* Whether the value is computed from others: neither a leaf nor a mere view. */
bool is_computed(const struct value *value) { return !is_leaf(value) && !is_view(value); }

/* --- Roots ------------------------------------------------------------------------------------------------------------------ */

static void require(struct scheduler *s, const struct value *value, enum keep_reason why) {
  if (!note_of(s, value)->place) keep(s, value, why);
}

/* The value behind views that are read with strides. */
static const struct value *base_of(struct scheduler *s, const struct value *value) {
  while (is_view(value) && !note_of(s, value)->materialised) value = value->inputs[0];
  return value;
}

static void require_memory(struct scheduler *s, const struct value *value, enum keep_reason why) {
  const struct value *base = base_of(s, value);
  /* A leaf without a place, such as a constant, has no memory, so the view of it is materialised. */
  require(s, is_leaf(base) && !note_of(s, base)->place ? value : base, why);
}

enum {
  MOST_FACTOR = 24 /* operations, and their depth, of an operand that a contraction computes where it reads it */
};

/* The operations of an expression, up to values that are stored anyhow; more than MOST_FACTOR where it is longer. */
static int price_of_expression(struct scheduler *s, const struct value *value, int depth) {
  if (is_leaf(value) || note_of(s, value)->materialised || is_reduction(value) || value->op == OP_contract) return 0;
  if (depth > MOST_FACTOR || !access_is_expression(value) || value->op == OP_random) return MOST_FACTOR + 1;
  int price = is_view(value) ? 0 : 1;
  for (int i = 0; i < value->input_count && price <= MOST_FACTOR; i++)
    price += price_of_expression(s, value->inputs[i], depth + 1);
  return price;
}

static void require_updates(struct scheduler *s, const struct value *value) {
  note_of(s, value)->place = place_of_state(s, value->state, value);
  keep(s, value, KEEP_UPDATE);
}

/* Whether the value is an expression of parameters, of what is derived of them, and of numbers alone. */
static bool is_of_parameters(const struct value *value, int depth) {
  if (value->op == OP_state) return state_is_fixed(value->state) || role_is_derived(value->state->role);
  if (value->op == OP_constant || value->op == OP_index) return true;
  if (!access_is_expression(value) || value->op == OP_random || value->op == OP_input || depth == MOST_FACTOR)
    return false;
  for (int i = 0; i < value->input_count; i++)
    if (!is_of_parameters(value->inputs[i], depth + 1)) return false;
  return true;
}

/* Whether the value makes reals of a cache's whole numbers. A copy of them would be made anew at each step, of all positions so far. */
static bool widens_cache(const struct value *value) {
  if (value->op != OP_cast || value->kind != KIND_REAL || value->inputs[0]->kind != KIND_INTEGER) return false;
  const struct value *whole = value->inputs[0];
  while (is_view(whole)) whole = whole->inputs[0];
  return whole->op == OP_update && whole->state->role == ROLE_CACHE;
}

/* Whether a contraction computes this operand where it reads it: for itself alone, or because memory holds it in few bits. */
static bool is_computed_there(struct scheduler *s, const struct value *operand) {
  const int which = s->pipeline.parameters[PARAMETER_fuse_factors];
  const struct value *base = base_of(s, operand);
  if (!s->pipeline.on[PASS_tile] || !which || operand->kind != KIND_REAL) return false;
  if (note_of(s, base)->place || !is_computed(base) || !access_is_expression(base)) return false;
  const bool of_parameters = is_of_parameters(base, 0) || widens_cache(base);
  if (price_of_expression(s, base, 0) > MOST_FACTOR || (which == 1 && !of_parameters)) return false;
  /* Weights of few bits are less to read than what they become. */
  struct place place;
  if (of_parameters && access_widest(s, base, &place) && storage_facts[place.buffer->storage].bits <= 8) return true;
  for (const struct value *x = operand; x != base; x = x->inputs[0])
    if (facts_uses(&s->facts, x) != 1) return false;
  return facts_uses(&s->facts, base) == 1;
}

static void require_factor(struct scheduler *s, const struct value *operand) {
  if (!is_computed_there(s, operand)) require_memory(s, operand, KEEP_FACTOR);
}

bool rounds_sums(const struct scheduler *s, const struct value *value) {
  if (value->op != OP_cast || value->kind != KIND_REAL || storage_facts[value->storage].bits != 16) return false;
  const struct value *sums = value->inputs[0];
  const bool begun = sums->op == OP_add && (sums->inputs[0]->op == OP_contract || sums->inputs[1]->op == OP_contract);
  return (sums->op == OP_contract || begun) && facts_uses(&s->facts, sums) == 1;
}

/* Whether the value is a rounding to 16 bits that is stored in place of what it rounds: the sums of a contraction that nothing else
   reads, or a value that the backward pass needs in this form alone, so that the wide one ends with the forward pass. */
static bool is_stored_rounding(const struct scheduler *s, const struct value *value) {
  if (value->op != OP_cast || value->kind != KIND_REAL || storage_facts[value->storage].bits != 16) return false;
  const struct value *wide = value->inputs[0];
  if (wide->kind != KIND_REAL || value->axis_count < 2 || facts_is_way_back(&s->facts, value) || is_leaf(wide))
    return false;
  if (rounds_sums(s, value)) return true;
  for (int i = 0; i < facts_uses(&s->facts, value); i++)
    if (facts_is_way_back(&s->facts, facts_user(&s->facts, value, i))) return true;
  return false;
}

static void mark_required(struct scheduler *s) {
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (value->op == OP_contract) {
      require_factor(s, value->inputs[0]);
      require_factor(s, value->inputs[1]);
      require(s, value, KEEP_PRODUCT);
    } else if (value->op == OP_update) {
      require_updates(s, value);
      if (value->input_count == 2 && is_computed(value->inputs[0])) require(s, value->inputs[0], KEEP_ROWS);
    } else if (value->op == OP_quantile) {
      /* Its elements are copied side by side where they do not lie so, and are then computed for the copy alone. */
      require(s, value, KEEP_PLAIN);
    } else if (op_facts[value->op].class == CLASS_REDUCE && !is_reduction(value)) {
      require(s, value, KEEP_PLAIN);
    } else if (op_facts[value->op].class == CLASS_MIX ||
               (op_facts[value->op].class == CLASS_SCATTER && !access_is_expression(value))) {
      const struct value *source = value->inputs[value->input_count - 1];
      if (is_computed(base_of(s, source))) require_memory(s, source, KEEP_MIXED);
      require(s, value, KEEP_PLAIN);
    } else if (value->op == OP_gather && is_computed(base_of(s, value->inputs[0]))) {
      require_memory(s, value->inputs[0], KEEP_TABLE);
    } else if (value->op == OP_concat && value->axis_count > 0 && value_count(value) >= 1 << 12) {
      require(s, value, KEEP_JOINED);
    } else if (is_stored_rounding(s, value)) {
      require(s, value, KEEP_NARROW);
    } else if (value->op == OP_add && value->axis_count == 0) {
      /* In a sum of sums, such as the norm of all gradients, each addition is stored: so each kernel adds one link, and
         none has a hundred operands. */
      for (int j = 0; j < 2; j++)
        if (is_reduction(value->inputs[j])) require(s, value, KEEP_LINK);
    }
  }
}

/* Whether a contraction can begin from the value that is added to it (APART_NOT), or why it cannot. */
static enum apart_reason why_apart(struct scheduler *s, const struct value *sum, const struct value *product,
                                   const struct value *other) {
  const struct note *note = note_of(s, product);
  if (facts_uses(&s->facts, product) != 1) return APART_SHARED;
  if (note->place) return APART_PLACED;
  if (product->axis_count != sum->axis_count) return APART_AXES;
  if (s->facts.values[product->id].prefers != s->facts.values[sum->id].prefers) return APART_ORDER;
  const struct value *base = base_of(s, other);
  if (!note_of(s, base)->place && !note_of(s, base)->materialised) return APART_UNSTORED;
  if (other->op == OP_concat) return APART_CONCAT;
  if (value_count(other) > value_count(product)) return APART_AXES;
  return other->axis_count == 0 ? APART_NUMBER : APART_NOT;
}

/* `x`, an operand of an addition, is no contraction. Tells whether one is behind it that could not begin from the other
   operand: it is seen through a view, or begins from another operand already. */
static enum apart_reason why_not_seen(struct scheduler *s, const struct value *x) {
  bool view = is_view(x);
  for (; is_view(x); x = x->inputs[0])
    if (facts_uses(&s->facts, x) != 1) return APART_NOT;
  if (facts_uses(&s->facts, x) != 1) return APART_NOT;
  if (note_of(s, x)->absorbed) return APART_BEGUN;
  return view && x->op == OP_contract ? APART_VIEW : APART_NOT;
}

/* add(contract, other): the contraction begins from `other` instead of zero, unless something else needs the
   contraction alone. */
static void absorb_additions(struct scheduler *s) {
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    struct note *note = note_of(s, value);
    if (value->op != OP_add) continue;
    for (int j = 1; j >= 0 && !note->absorbed; j--) {
      const struct value *product = value->inputs[j], *other = value->inputs[1 - j];
      if (product->op != OP_contract) {
        if (note->apart == APART_NOT) note->apart = why_not_seen(s, product);
        continue;
      }
      note->apart = why_apart(s, value, product, other);
      if (note->apart != APART_NOT) continue;
      note_of(s, product)->materialised = false;
      note_of(s, product)->is_absorbed = true;
      note->absorbed = product;
      keep(s, value, KEEP_ABSORBED);
    }
  }
}

/* Operands that cannot be read as views with constant strides are materialised as they are. */
static void check_operands(struct scheduler *s) {
  bool more = false;
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (value->op != OP_contract) continue;
    for (int j = 0; j < 2; j++) {
      struct place place;
      if (access_strided(s, value->inputs[j], &place) || is_computed_there(s, value->inputs[j])) continue;
      keep(s, value->inputs[j], KEEP_STRIDES);
      more = true;
    }
  }
  if (more) layout_intermediates(s);
}

/* --- What a root reads ---------------------------------------------------------------------------------------------------------- */

bool stops_here(struct scheduler *s, const struct value *value) {
  const struct note *note = note_of(s, value);
  return note->materialised || note->place || is_reduction(value) || value->op == OP_contract;
}

static void read_value(struct scheduler *s, struct readings *r, const struct value *value, bool shifted);

static void read_inputs(struct scheduler *s, struct readings *r, const struct value *value, bool shifted) {
  bool moves = op_facts[value->op].class == CLASS_VIEW && value->op != OP_expand;
  for (int i = 0; i < value->input_count; i++)
    read_value(s, r, value->inputs[i], shifted || moves || (value->op == OP_gather && i == 0));
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
  if (note_of(s, root)->absorbed) {
    const struct value *product = note_of(s, root)->absorbed;
    for (int i = 0; i < root->input_count; i++)
      if (root->inputs[i] != product) read_value(s, r, root->inputs[i], true);
    root = product;
  }
  read_inputs(s, r, root, root->op == OP_contract);
}

/* --- Deep graphs ----------------------------------------------------------------------------------------------------

   Which values are worth keeping is known only once there are clusters (cluster_share.c). Until then a root reads
   through everything that is not materialised. In an unrolled recurrence, where each step is elementwise in the one
   before, every root would read all earlier steps. Such graphs, and no others, are cut beforehand, by the same prices,
   but with users in place of clusters. */

enum {
  DEEP = 2000 /* so many values behind one, read or computed on the spot, are found in recurrences alone */
};

struct depths {
  struct scheduler *s;
  int *behind; /* by value id: how many values, itself included */
  int *seen, stamp;
  ARRAY(const struct value *) open;
};

static void see(struct depths *d, const struct value *value) {
  if (d->seen[value->id] == d->stamp) return;
  d->seen[value->id] = d->stamp;
  array_push(d->s->arena, &d->open, value);
}

/* The number of values behind one, itself included, or DEEP where there are more. */
static int count_behind(struct depths *d, const struct value *value) {
  int most = 1;
  for (int i = 0; i < value->input_count; i++) most += d->behind[value->inputs[i]->id];
  if (most < DEEP) return most;
  /* The sum may count values twice that are reached in several ways, so here they are walked. */
  d->stamp++;
  d->open.count = 0;
  see(d, value);
  for (int i = 0; i < d->open.count && d->open.count < DEEP; i++) {
    const struct value *x = d->open.items[i];
    if (i > 0 && (stops_here(d->s, x) || is_leaf(x))) continue;
    for (int j = 0; j < x->input_count; j++) see(d, x->inputs[j]);
  }
  return d->open.count < DEEP ? d->open.count : DEEP;
}

static bool is_deep(struct scheduler *s) {
  struct depths depths = {.s = s}, *d = &depths;
  d->behind = arena_new_array(s->arena, int, s->graph->next_value);
  d->seen = arena_new_array(s->arena, int, s->graph->next_value);
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    bool ends = stops_here(s, value) || is_leaf(value);
    int behind = count_behind(d, value);
    if (behind >= DEEP) return true;
    d->behind[value->id] = ends ? 1 : behind;
  }
  return false;
}

/* --- All together --------------------------------------------------------------------------------------------------------------- */

static bool is_root(struct scheduler *s, const struct value *value) {
  const struct note *note = note_of(s, value);
  if (note->is_absorbed || (is_leaf(value) && value->op != OP_index)) return false;
  return note->materialised || is_reduction(value);
}

static int by_id(const void *x, const void *y) {
  return (*(const struct value *const *)x)->id - (*(const struct value *const *)y)->id;
}

/* Puts the roots into the graph's order, which joining clusters may have upset; a contraction comes first. */
static void sort_values(struct cluster *cluster) {
  const bool product = cluster->kind == CLUSTER_CONTRACT;
  if (cluster->values.count > product)
    qsort(cluster->values.items + product, (size_t)(cluster->values.count - product), sizeof *cluster->values.items,
          by_id);
}

void form_clusters(struct scheduler *s) {
  struct former former = {.s = s, .home.number = 1}, *f = &former;
  int count = s->graph->next_value;
  f->readings.seen = arena_new_array(s->arena, int, count);
  f->readings.stamp = 1;
  f->readers = arena_new_array(s->arena, struct readers, count);
  f->priced = memo_table_new(s->arena, s->graph);
  s->decisions.clusters.items = NULL;
  s->decisions.clusters.count = s->decisions.clusters.capacity = 0;
  s->decisions.roots_assigned = false;
  mark_required(s);
  absorb_additions(s);
  layout_intermediates(s);
  check_operands(s);
  f->deep = is_deep(s);
  if (materialise_early(f)) layout_intermediates(s);
  for (int i = 0; i < s->graph->values.count; i++)
    if (is_root(s, s->graph->values.items[i])) assign_root(f, s->graph->values.items[i]);
  s->decisions.roots_assigned = true;
  materialise_shared(f);
  materialise_reductions(f);
  layout_intermediates(s);
  join_endings(f);
  order_updates(f);
  sort_clusters(f);
  for (int i = 0; i < s->decisions.clusters.count; i++) sort_values(s->decisions.clusters.items[i]);
  if (s->pipeline.on[PASS_stream]) find_streams(f);
  if (s->plan && s->pipeline.parameters[PARAMETER_plan_reuse]) reuse_operands(f);
}
