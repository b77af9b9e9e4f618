/* What is computed from a contraction's sums, element by element: an activation, a product with something of the same
   shape, a gradient through either. The kernel computes it for each tile right after the tile's sums are stored, while
   these are in the nearest cache, so that it costs no pass over memory. */
#include "passes/contract.h"

/* The kernel has one pointer for the sums, at the beginning of their buffer, and vectors run along its columns. */
bool contract_can_end(const struct contraction *x) {
  const struct cluster *cluster = x->cluster;
  if (!cluster || cluster->values.count < 2) return false;
  if (note_of(x->s, x->named)->place->offset || x->column.axis_count != 1 || x->column.axis->size) return false;
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    const struct place *place = note_of(x->s, value)->place;
    if (!place || stride_along(value, place, x->column.axes[0]) != 1) return false;
  }
  return true;
}

/* Lets the sums be read from the kernel's own array, in which the element at hand stands at `place`. */
static void read_sums(struct kernel *k, const struct contraction *x, const struct position *at,
                      const struct coordinates *coordinates, struct linear place) {
  struct local *local = kernel_local(k, x->named);
  if (!local) {
    array_push(k->arena, &k->locals, (struct local){x->named, NULL, true});
    local = kernel_local(k, x->named);
  }
  local->array = at->c;
  k->row = coordinates;
  k->row_index = place;
}

/* One vector of every value of the cluster but the sums themselves. */
static void store_elements(struct kernel *k, const struct contraction *x, const struct coordinates *at) {
  const struct value *const *others = x->cluster->values.items + 1;
  const int count = x->cluster->values.count - 1;
  const struct expression **results = arena_new_array(k->arena, const struct expression *, count);
  for (int i = 0; i < count; i++) results[i] = access_value(k, others[i], at).x;
  for (int i = 0; i < count; i++) {
    const struct place *place = note_of(x->s, others[i])->place;
    kernel_store(k, kernel_place(k, place, true), access_offset(k, others[i], place, at), results[i]);
  }
}

void contract_end(struct kernel *k, const struct contraction *x, const struct position *at, struct linear row, int rows,
                  struct linear column, const struct expression *columns) {
  struct arena *arena = k->arena;
  const int depth = k->depth, lanes = x->s->target->lanes;
  struct coordinates coordinates = at->coordinates;
  struct linear r = linear_constant(0);
  if (rows > 1) r = kernel_loop(k, LOOP_SERIAL, "r", expression_index(arena, rows), rows, 1);
  row = linear_add(arena, row, r);
  contract_set_coordinates(arena, &x->row, row, &coordinates);
  struct linear first =
      kernel_loop(k, LOOP_SERIAL, "column", columns ? columns : expression_index(arena, x->width), x->width, lanes);
  struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
  if (columns) {
    const struct expression *left = expression_apply(arena, OP_sub, columns, linear_expression(arena, first), NULL);
    lane = kernel_lanes_below(k, lane, left, lanes);
  }
  struct linear within = linear_add(arena, first, lane);
  contract_set_coordinates(arena, &x->column, linear_add(arena, column, within), &coordinates);
  if (x->sums_pass) {
    const struct linear place = linear_add(arena, at->sums_at, linear_scale(arena, r, x->width));
    read_sums(k, x, at, &coordinates, linear_add(arena, place, within));
  }
  store_elements(k, x, &coordinates);
  k->row = NULL;
  kernel_close_to(k, depth);
}
