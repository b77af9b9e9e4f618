/* Whether values lie in memory in the same way, without gaps, so that a kernel may run over one flat index and not over
   axes. schedule_row.c and schedule_column.c write such kernels. */
#include "passes/schedule.h"

static bool is_dense(const struct value *value, const struct place *place) {
  if (place->offset) return false;
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i]->size) return false;
  return place->buffer->count == value_count(value);
}

static bool same_strides(const struct value *x, const struct place *x_place, const struct value *y,
                         const struct place *y_place) {
  if (x->axis_count != y->axis_count) return false;
  for (int i = 0; i < x->axis_count; i++) {
    bool found = false;
    for (int j = 0; j < y->axis_count; j++)
      found = found || (y->axes[j] == x->axes[i] && y_place->strides[j] == x_place->strides[i]);
    if (!found) return false;
  }
  return true;
}

/* Whether the renamed axes stand in the order of the operand's, so that the operand's strides are those of the
   result. */
static bool renames_in_place(const struct value *rename) {
  const struct value *x = rename->inputs[0];
  for (int i = 0; i < x->axis_count; i++)
    if (rename->axes[i] != (x->axes[i] == rename->axis ? rename->result : x->axes[i])) return false;
  return true;
}

/* Whether everything that the value is computed from lies as `like` does, or is one number. */
static bool pulls_flat(struct scheduler *s, struct cluster *cluster, const struct value *value,
                       const struct value *like, const struct place *place, bool root) {
  const struct note *note = note_of(s, value);
  if (!root && note->place) {
    bool own = false;
    for (int i = 0; i < cluster->values.count; i++) own = own || cluster->values.items[i] == value;
    if (!own)
      return value->axis_count == 0 || (is_dense(value, note->place) && same_strides(value, note->place, like, place));
  }
  if (value->op == OP_constant) return true;
  if (!root && value->op == OP_rename) {
    /* A rename is another name for the same memory. */
    const struct value *x = value->inputs[0];
    const struct place *at = note_of(s, x)->place;
    return at && is_dense(x, at) && same_strides(value, at, like, place) && renames_in_place(value);
  }
  if (!op_is_elementwise(value->op) && value->op != OP_update && value->op != OP_stop && value->op != OP_expand)
    return false;
  if (value->op == OP_expand && value->inputs[0]->axis_count > 0) return false;
  const int *known = memo_table_find(&s->scratch.flat, value);
  if (known) return *known;
  bool flat = true;
  for (int i = 0; i < value->input_count && flat; i++)
    flat = pulls_flat(s, cluster, value->inputs[i], like, place, false);
  memo_table_set(&s->scratch.flat, value, flat);
  return flat;
}

bool values_lie_flat(struct scheduler *s, const struct value *value, const struct value *like) {
  struct cluster none = {.kind = CLUSTER_SWEEP};
  const struct place *place = note_of(s, like)->place;
  memo_table_clear(&s->scratch.flat);
  return is_dense(like, place) && pulls_flat(s, &none, value, like, place, false);
}

bool elements_lie_flat(struct scheduler *s, struct cluster *cluster, const struct value *like) {
  const struct place *place = note_of(s, like)->place;
  memo_table_clear(&s->scratch.flat);
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    if (is_reduction(value) || value->axis_count < cluster->space_count) continue;
    const struct place *own = note_of(s, value)->place;
    if (!is_dense(value, own) || !same_strides(value, own, like, place) ||
        !pulls_flat(s, cluster, value, like, place, true))
      return false;
  }
  return true;
}

/* The flat index becomes the coordinate along the contiguous axis; all other coordinates are 0. */
void flat_coordinates(const struct value *value, const struct place *place, struct linear index,
                      struct coordinates *at) {
  bool found = false;
  for (int i = 0; i < value->axis_count; i++) {
    bool unit = !found && place->strides[i] == 1;
    found = found || unit;
    coordinates_set(at, value->axes[i], unit ? index : linear_constant(0));
  }
}
