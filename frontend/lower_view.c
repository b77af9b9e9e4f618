/* Views: x[a -> b], splits, merges, x[a = i], slices. */
#include "frontend/lower.h"

#include <math.h>
#include <string.h>

static bool in_product(const struct product *product, const struct axis *axis) {
  for (int i = 0; i < product->count; i++)
    if (product->factors[i] == axis) return true;
  return false;
}

/* Reports an axis with a run-time size in a product: the elements of the product would not lie where storage has
   them. */
static bool sized_in_product(struct lowering *lowering, const struct product *product, struct span span,
                             const char *what) {
  for (int i = 0; i < product->count; i++) {
    const struct axis *axis = product->factors[i];
    if (!axis->size) continue;
    if (!breaks_window_law(lowering, span, axis, what))
      fail(lowering, span, "%s axis '%s' is an error in generate: its length is only known at run time", what,
           axis->name);
    return true;
  }
  return false;
}

struct value *apply_rename(struct lowering *lowering, struct value *value, const struct product *from,
                           const struct product *to, struct span span) {
  struct graph *graph = lowering->graph;
  for (int i = 0; i < from->count; i++)
    if (!value_has_axis(value, from->factors[i])) {
      fail(lowering, span, "there is no axis '%s' to change here: this has %s", from->factors[i]->name,
           shape_text(lowering, value));
      return NULL;
    }
  for (int i = 0; i < to->count; i++)
    if (value_has_axis(value, to->factors[i]) && !in_product(from, to->factors[i])) {
      fail(lowering, span, "axis '%s' would come twice: this has %s", to->factors[i]->name,
           shape_text(lowering, value));
      return NULL;
    }
  if (product_extent(from) != product_extent(to)) {
    fail(lowering, span, "%s has %lld elements and %s has %lld", product_text(lowering, from),
         (long long)product_extent(from), product_text(lowering, to), (long long)product_extent(to));
    return NULL;
  }
  if (value->axis_count - from->count + to->count > MAX_AXES) {
    fail(lowering, span, "the result would have more than %d axes: this has %s", MAX_AXES, shape_text(lowering, value));
    return NULL;
  }
  if (from->count == 1 && to->count == 1 && from->factors[0]->size != to->factors[0]->size) {
    const char *a = from->factors[0]->name, *b = to->factors[0]->name;
    if (to->factors[0]->size)
      fail(lowering, span,
           "'%s' has a length in generate that is only known at run time, and '%s' another; w[%s = position(%s)] takes "
           "as many rows",
           b, a, a, b);
    else
      fail(lowering, span, "'%s' has a length in generate that is only known at run time, and '%s' another", a, b);
    return NULL;
  }
  if (from->count != 1 || to->count != 1) {
    if (sized_in_product(lowering, from, span, "merging or splitting")) return NULL;
    if (sized_in_product(lowering, to, span, "merging or splitting")) return NULL;
  }
  set_origin(lowering, span);
  if (from->count == 1 && to->count == 1)
    return from->factors[0] == to->factors[0] ? value : build_rename(graph, value, from->factors[0], to->factors[0]);
  if (from->count == 1 && to->count) return build_split(graph, value, from->factors[0], to->factors, to->count);
  if (from->count && to->count == 1 && !in_product(from, to->factors[0]))
    return build_merge(graph, value, from->factors, from->count, to->factors[0]);
  /* In the general case the factors are merged to one axis, which is then split. */
  struct axis *merged = from->count == 1
                            ? from->factors[0]
                            : fresh_axis(lowering, product_name(lowering, from), product_extent(from), NULL, span);
  if (from->count == 0)
    value = build_expand(graph, value, &merged, 1);
  else if (from->count > 1)
    value = build_merge(graph, value, from->factors, from->count, merged);
  if (to->count == 0) return build_select(graph, value, merged, 0);
  if (to->count == 1) return build_rename(graph, value, merged, to->factors[0]);
  return build_split(graph, value, merged, to->factors, to->count);
}

static struct thing lower_rename(struct lowering *lowering, struct value *value, const struct ast_view *view) {
  struct product from, to;
  const bool good = resolve_product(lowering, &view->from, &from);
  if (!resolve_product(lowering, &view->to, &to) || !good) return poison();
  if (from.count == 1 && breaks_window_law(lowering, view->span, from.factors[0], "renaming")) return poison();
  struct value *result = apply_rename(lowering, value, &from, &to, view->span);
  return result ? made(lowering, result, view->span) : poison();
}

static struct thing lower_gather(struct lowering *lowering, struct value *table, struct axis *axis, struct value *index,
                                 const struct ast_view *view) {
  const struct span span = view->low->span;
  if (index->kind != KIND_INTEGER)
    return fail(lowering, span,
                "an index must be an integer, and this is %s with axes %s; floor or round makes integers",
                kind_names[index->kind], shape_text(lowering, index));
  const struct axis *range = index->range;
  if (range && range != axis) {
    /* The numbers along an axis may index any axis that is long enough; ids of one set may not index another. */
    const bool ordinal = index->op == OP_index;
    if (range->extent > axis->extent)
      return fail(lowering, span, "this index goes up to %s=%lld and axis %s has only %lld", range->name,
                  (long long)range->extent, axis->name, (long long)axis->extent);
    if (!ordinal && range->extent != axis->extent)
      return fail(lowering, span, "this index is declared 'in %s' (%lld), and cannot index axis %s (%lld)", range->name,
                  (long long)range->extent, axis->name, (long long)axis->extent);
  }
  if (axis->size && range && range != axis && range->size != axis->size)
    return fail(
        lowering, span,
        "this index goes up to %s=%lld, and in generate '%s' may have fewer rows; only what is computed from positions "
        "knows how many there are, as in max(position(seq) - 1, 0)",
        range->name, (long long)range->extent, axis->name);
  struct value *both[] = {table, index};
  if (!has_room(lowering, view->span, both, 2, 0)) return poison();
  set_origin(lowering, view->span);
  return made(lowering, build_gather(lowering->graph, table, axis, index), view->span);
}

static struct thing lower_index(struct lowering *lowering, struct value *value, const struct ast_view *view) {
  struct axis *axis = resolve_axis(lowering, view->axis);
  struct thing index = single(lowering, evaluate(lowering, view->low), view->low->span);
  if (!axis || index.kind == THING_POISON) return poison();
  if (!value_has_axis(value, axis))
    return fail(lowering, view->axis.span, "there is no axis '%s' to index here: this has %s", axis->name,
                shape_text(lowering, value));
  if (breaks_window_law(lowering, view->span, axis, "indexing")) return poison();
  if (index.kind != THING_NUMBER) {
    struct value *by = as_value(lowering, index, view->low->span);
    return by ? lower_gather(lowering, value, axis, by, view) : poison();
  }
  if (index.number != floor(index.number) || index.number < 0 || index.number >= (double)axis->extent)
    return fail(lowering, view->low->span, "index %.10g is not in axis %s, which has 0 to %lld", index.number,
                axis->name, (long long)axis->extent - 1);
  if (axis->size && index.number > 0)
    return fail(lowering, view->span,
                "in generate there may be no row %.0f of '%s' yet: only row 0 is always there. A mask reads it where "
                "it is, as in "
                "sum(where(position(%s) == %.0f, x, 0), %s)",
                index.number, axis->name, axis->name, index.number, axis->name);
  set_origin(lowering, view->span);
  return made(lowering, build_select(lowering->graph, value, axis, (int64_t)index.number), view->span);
}

static struct thing lower_range(struct lowering *lowering, struct value *value, const struct ast_view *view) {
  struct axis *axis = resolve_axis(lowering, view->axis);
  struct product to;
  if (!view->to.factors.count)
    return fail(lowering, view->span, "a slice names its result: %s = %s .. %s -> other, with other a declared axis",
                view->axis.text, view->low ? "low" : "", view->high ? "high" : "");
  if (!resolve_product(lowering, &view->to, &to) || !axis) return poison();
  if (to.count != 1) return fail(lowering, view->to.span, "a slice becomes one axis; split it afterwards");
  int64_t low = 0, high = axis->extent;
  if (view->low && !evaluate_integer(lowering, view->low, "where a slice begins", 0, axis->extent, &low))
    return poison();
  if (view->high && !evaluate_integer(lowering, view->high, "where a slice ends", 0, axis->extent, &high))
    return poison();
  struct axis *result = to.factors[0];
  if (!value_has_axis(value, axis))
    return fail(lowering, view->axis.span, "there is no axis '%s' to slice here: this has %s", axis->name,
                shape_text(lowering, value));
  if (breaks_window_law(lowering, view->span, axis, "slicing")) return poison();
  if (axis->size || result->size)
    return fail(lowering, view->span, "slicing axis '%s' is an error in generate: its length is only known at run time",
                (axis->size ? axis : result)->name);
  if (high - low != result->extent)
    return fail(lowering, view->span, "the slice %lld .. %lld has %lld elements and axis %s has %lld", (long long)low,
                (long long)high, (long long)(high - low), result->name, (long long)result->extent);
  if (result != axis && value_has_axis(value, result))
    return fail(lowering, view->to.span, "axis '%s' would come twice: this has %s", result->name,
                shape_text(lowering, value));
  set_origin(lowering, view->span);
  if (result == axis) return thing_value(value); /* the slice is the whole axis */
  return made(lowering, build_slice(lowering->graph, value, axis, low, result), view->span);
}

struct thing lower_view(struct lowering *lowering, const struct ast_expression *expression) {
  struct thing thing = single(lowering, evaluate(lowering, expression->left), expression->left->span);
  if (thing.kind == THING_NUMBER) return fail(lowering, expression->span, "a number has no axes to view");
  for (int i = 0; i < expression->views.count; i++) {
    const struct ast_view *view = &expression->views.items[i];
    struct value *value = as_value(lowering, thing, expression->left->span);
    if (!value) return poison();
    switch (view->kind) {
      case VIEW_RENAME:
        thing = lower_rename(lowering, value, view);
        break;
      case VIEW_INDEX:
        thing = lower_index(lowering, value, view);
        break;
      case VIEW_RANGE:
        thing = lower_range(lowering, value, view);
        break;
    }
  }
  return thing;
}
