/* Which axes of a parameter or a cache the views of it run along. */
#include "passes/view_origin.h"

unsigned axes_along(const struct origin_of *origin, const struct value *value, const struct axis *axis) {
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] == axis) return origin->axes[i];
  return 0;
}

/* The axes of the source that an axis of the view runs along. */
static unsigned axes_of_view(const struct value *view, const struct axis *axis, const struct origin_of *from) {
  const struct value *x = view->inputs[0];
  if (value_has_axis(x, axis) && axis != view->result) return axes_along(from, x, axis);
  unsigned axes = 0;
  switch ((int)view->op) {
    case OP_rename:
    case OP_slice:
    case OP_pad:
    case OP_split:
      return axes_along(from, x, view->axis);
    case OP_merge:
      for (int i = 0; i < view->list_count; i++) axes |= axes_along(from, x, view->list[i]);
      return axes;
    default:
      return 0;
  }
}

struct origin_of origin_of_view(const struct value *value, const struct origin_of *origins) {
  struct origin_of own = {0};
  if (op_facts[value->op].class != CLASS_VIEW || value->op == OP_concat) return own;
  const struct origin_of *from = &origins[value->inputs[0]->id];
  own.source = from->source;
  own.chosen = from->chosen;
  for (int i = 0; own.source && i < value->axis_count; i++) own.axes[i] = axes_of_view(value, value->axes[i], from);
  return own;
}
