/* Where gradients are known to be zero, and their sums. */
#include "passes/autodiff.h"
#include "passes/rewrite.h"

static bool same_mask(const struct value *x, const struct value *y) {
  if (x == y) return true;
  if (!x || !y || x->op != y->op || (x->op != OP_not && x->op != OP_and && x->op != OP_or)) return false;
  for (int i = 0; i < x->input_count; i++)
    if (!same_mask(x->inputs[i], y->inputs[i])) return false;
  return true;
}

static bool opposite(const struct value *x, const struct value *y) {
  return (x->op == OP_not && same_mask(x->inputs[0], y)) || (y->op == OP_not && same_mask(y->inputs[0], x));
}

static bool among(const struct value *mask, const struct value *all) {
  return same_mask(mask, all) || (all->op == OP_and && (among(mask, all->inputs[0]) || among(mask, all->inputs[1])));
}

struct value *mask_and(struct graph *graph, struct value *x, struct value *y) {
  if (!x || !y) return x ? x : y;
  return among(y, x) ? x : among(x, y) ? y : build_binary(graph, OP_and, x, y);
}

/* True where either mask is. The masks of the two branches of one choice cancel out, so that a value which both
   branches use costs no selection. */
struct value *mask_or(struct graph *graph, struct value *x, struct value *y) {
  if (!x || !y || opposite(x, y)) return NULL;
  if (among(x, y)) return x;
  if (among(y, x)) return y;
  for (int i = 0; i < 4 && x->op == OP_and && y->op == OP_and; i++)
    if (same_mask(x->inputs[i / 2], y->inputs[i % 2]) && opposite(x->inputs[1 - i / 2], y->inputs[1 - i % 2]))
      return x->inputs[i / 2];
  return build_binary(graph, OP_or, x, y);
}

struct value *mask_not(struct graph *graph, struct value *x) {
  return x->op == OP_not ? x->inputs[0] : build_unary(graph, OP_not, x);
}

struct value *mask_over(struct graph *graph, struct value *mask, const struct value *x) {
  struct axis *axes[MAX_AXES];
  int count = axes_missing(mask, x, axes);
  if (!count) return mask;
  struct value *zero = build_constant(graph, 0), *number = build_where(graph, mask, build_constant(graph, 1), zero);
  return build_binary(graph, OP_lt, zero, build_reduce(graph, OP_reduce_max, number, axes, count));
}

struct value *cleaned(struct graph *graph, const struct gradient *gradient) {
  if (!gradient->value || !gradient->mask || !gradient->dirty) return gradient->value;
  return build_where(graph, gradient->mask, gradient->value, build_constant(graph, 0));
}

/* Whether the part is padded with zeros along `axis` (NULL: along any), as the gradients of slice and select are. */
static bool is_padding(const struct gradient *part, const struct axis *axis) {
  const struct value *value = part->value;
  return !part->dirty && value->op == OP_pad && value->number == 0 && (!axis || value->result == axis);
}

/* Where a value was cut along an axis (q, k and v of one projection), the gradients of its pieces are joined, which
   saves a sum of zero-padded pieces. Takes those parts out of `parts`, or leaves all of them when they overlap. */
static struct gradient join_slices(struct graph *graph, struct gradient *parts, int *count) {
  enum { MOST = 64 };
  struct value *pieces[MOST], *mask = NULL;
  int piece_count = 0;
  struct axis *axis = NULL;
  const struct gradient none = {0};
  for (int i = 0; i < *count; i++) {
    if (!is_padding(&parts[i], axis)) continue;
    if (piece_count == MOST) return none;
    axis = parts[i].value->result;
    mask = piece_count ? mask_or(graph, mask, parts[i].mask) : parts[i].mask;
    int at = piece_count++;
    for (; at > 0 && pieces[at - 1]->start > parts[i].value->start; at--) pieces[at] = pieces[at - 1];
    pieces[at] = parts[i].value;
  }
  if (piece_count < 2 || axis->size) return none;
  struct value *joined[2 * MOST + 1];
  struct axis *axes[2 * MOST + 1];
  int joined_count = 0;
  int64_t end = 0;
  for (int i = 0; i <= piece_count; i++) {
    int64_t next = i < piece_count ? pieces[i]->start : axis->extent;
    if (next < end) return none;
    if (next > end) { /* a gap: zeros */
      struct axis *gap = axis_new(graph, axis->name, next - end, axis->span);
      struct axis *all[MAX_AXES];
      int all_count = 0;
      for (int j = 0; j < pieces[0]->axis_count; j++)
        all[all_count++] = pieces[0]->axes[j] == axis ? gap : pieces[0]->axes[j];
      joined[joined_count] = build_expand(graph, build_constant(graph, 0), all, all_count);
      axes[joined_count++] = gap;
    }
    if (i == piece_count) break;
    joined[joined_count] = pieces[i]->inputs[0];
    axes[joined_count++] = pieces[i]->axis;
    end = next + pieces[i]->axis->extent;
  }
  int kept = 0;
  for (int i = 0; i < *count; i++)
    if (!is_padding(&parts[i], axis)) parts[kept++] = parts[i];
  *count = kept;
  return (struct gradient){build_concat(graph, joined, axes, joined_count, axis), mask, false};
}

static struct gradient sum_of(struct graph *graph, const struct gradient *x, const struct gradient *y) {
  if (!x->value) return *y;
  if (same_mask(x->mask, y->mask))
    return (struct gradient){build_binary(graph, OP_add, x->value, y->value), x->mask, x->dirty || y->dirty};
  struct value *clean_x = cleaned(graph, x), *clean_y = cleaned(graph, y);
  struct value *sum = build_binary(graph, OP_add, clean_x, clean_y);
  return (struct gradient){sum, mask_or(graph, x->mask, y->mask), false};
}

/* Parts with equal masks are added first, so that one selection serves all of them. */
struct gradient gradient_total(struct graph *graph, struct gradients *gradients) {
  struct gradient *parts = gradients->parts.items;
  int count = gradients->parts.count;
  struct gradient sum = join_slices(graph, parts, &count);
  for (int i = 0; i < count; i++) {
    if (!parts[i].value) continue;
    struct gradient alike = parts[i];
    for (int j = i + 1; j < count; j++) {
      if (!parts[j].value || !same_mask(alike.mask, parts[j].mask)) continue;
      alike = sum_of(graph, &alike, &parts[j]);
      parts[j].value = NULL;
    }
    sum = sum_of(graph, &sum, &alike);
  }
  gradients->parts.count = 0;
  return sum;
}
