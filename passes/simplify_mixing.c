/* Simplification rules of operations that mix along axes, and of views. */
#include <math.h>

#include "ir/interpret.h"
#include "passes/rewrite.h"
#include "passes/simplify.h"

/* x with `axis` called `result`, or x itself. */
static struct value *renamed(struct simplifier *s, struct value *x, struct axis *axis, struct axis *result) {
  return axis == result ? x : build_rename(s->graph, x, axis, result);
}

/* A maximum ignores NaN, so the maximum of one number that may be NaN is still an operation, and not the number. */
static struct value *reduced(struct simplifier *s, enum op op, struct value *x, struct axis *const *list, int count) {
  if (count) return build_reduce(s->graph, op, x, list, count);
  bool may_be_nan = op == OP_reduce_max && x->kind == KIND_REAL;
  return may_be_nan ? build_binary(s->graph, OP_max, x, build_constant(s->graph, -INFINITY)) : x;
}

struct value *rule_reduce_nothing(struct simplifier *s, struct value *value) {
  struct value *x = value->inputs[0];
  struct axis *list[MAX_AXES];
  int count = 0;
  for (int i = 0; i < value->list_count; i++) {
    struct axis *axis = value->list[i];
    if (axis->extent == 1 && !axis->size)
      x = build_select(s->graph, x, axis, 0);
    else
      list[count++] = axis;
  }
  bool unchanged = count && count == value->list_count;
  /* Selecting the one element of each axis and then passing over NaN gains nothing. */
  bool no_gain = !count && value->list_count && value->op == OP_reduce_max && x->kind == KIND_REAL;
  return unchanged || no_gain ? NULL : reduced(s, value->op, x, list, count);
}

struct value *rule_reduce_expanded(struct simplifier *s, struct value *value) {
  struct value *expand = value->inputs[0];
  if (expand->op != OP_expand) return NULL;
  struct axis *list[MAX_AXES], *kept[MAX_AXES]; /* axes left to sum; axes left to expand, before or after the sum */
  int count = 0, kept_count = 0;
  double times = 1;
  bool gone = false, pulled = false;
  for (int i = 0; i < value->list_count; i++) {
    struct axis *axis = value->list[i];
    bool repeated = list_has_axis(expand->list, expand->list_count, axis);
    if (repeated && (value->op == OP_reduce_max ? axis->extent > 0 : !axis->size)) {
      times *= (double)axis->extent;
      gone = true;
    } else {
      list[count++] = axis;
      if (repeated) kept[kept_count++] = axis;
    }
  }
  for (int i = 0; i < expand->list_count; i++)
    pulled = pulled || !list_has_axis(value->list, value->list_count, expand->list[i]);
  if (!gone && !pulled) return NULL;
  if (!count && times == 1 && value->op == OP_reduce_max) return NULL; /* see rule_reduce_nothing */
  struct value *x = build_expand(s->graph, expand->inputs[0], kept, kept_count);
  x = reduced(s, value->op, x, list, count);
  if (value->op == OP_reduce_sum && times != 1) {
    struct value *factor = value->kind == KIND_INTEGER ? build_integer(s->graph, (int64_t)scalar_wrap(times))
                                                       : build_constant(s->graph, times);
    x = build_binary(s->graph, OP_mul, x, factor);
  }
  return spread(s, x, value);
}

struct value *rule_reduce_reduced(struct simplifier *s, struct value *value) {
  struct value *inner = value->inputs[0];
  if (inner->op != value->op || !used_once(s, inner)) return NULL;
  struct axis *list[2 * MAX_AXES];
  int count = 0;
  for (int i = 0; i < inner->list_count; i++) list[count++] = inner->list[i];
  for (int i = 0; i < value->list_count; i++) list[count++] = value->list[i];
  return build_reduce(s->graph, value->op, inner->inputs[0], list, count);
}

struct value *rule_reduce_negative(struct simplifier *s, struct value *value) {
  struct value *x = value->inputs[0];
  if (x->op != OP_neg || !used_once(s, x)) return NULL;
  return build_unary(s->graph, OP_neg,
                     build_reduce(s->graph, OP_reduce_sum, x->inputs[0], value->list, value->list_count));
}

struct value *rule_reduce_renamed(struct simplifier *s, struct value *value) {
  struct value *rename = value->inputs[0];
  if (rename->op != OP_rename || !list_has_axis(value->list, value->list_count, rename->result)) return NULL;
  struct axis *list[MAX_AXES];
  for (int i = 0; i < value->list_count; i++)
    list[i] = value->list[i] == rename->result ? rename->axis : value->list[i];
  /* The reduction does not keep the axis before the rename, for then the rename's input would have it twice. */
  return build_reduce(s->graph, value->op, rename->inputs[0], list, value->list_count);
}

/* The sum over `list` of a contraction times a scale, as one contraction over these axes too, with the scale in the operand
   that has all of its axes; of two, in the smaller one. So a weight with a scale for each group is multiplied as one with a
   scale for each element. Gradients are expanded first: they would need what the groups are before. */
static struct value *scaled_contraction(struct simplifier *s, struct value *product, struct value *scale,
                                        struct axis *const *list, int count) {
  if (!s->differentiated || product->op != OP_contract || !used_once(s, product)) return NULL;
  if (product->kind != KIND_REAL) return NULL; /* a scaled operand would need more bits */
  struct value *operands[2] = {product->inputs[0], product->inputs[1]};
  struct axis *all[2 * MAX_AXES];
  int all_count = 0, chosen = -1;
  for (int i = 0; i < product->list_count; i++) {
    if (value_has_axis(scale, product->list[i])) return NULL; /* the scale's is another axis, after the sum */
    all[all_count++] = product->list[i];
  }
  for (int i = 0; i < count; i++) {
    if (!value_has_axis(operands[0], list[i]) || !value_has_axis(operands[1], list[i])) return NULL;
    all[all_count++] = list[i];
  }
  for (int i = 0; i < 2; i++) {
    bool has_all = true;
    for (int j = 0; j < scale->axis_count; j++) has_all = has_all && value_has_axis(operands[i], scale->axes[j]);
    if (has_all && (chosen < 0 || value_count(operands[i]) < value_count(operands[chosen]))) chosen = i;
  }
  if (chosen < 0 || all_count > MAX_AXES) return NULL;
  /* What was rounded, so that it is multiplied in few bits, would have more of them again. */
  if (operands[chosen]->op == OP_cast && operands[chosen]->inputs[0]->kind == KIND_REAL) return NULL;
  operands[chosen] = build_binary(s->graph, OP_mul, operands[chosen], scale);
  return build_contract(s->graph, operands[0], operands[1], all, all_count);
}

struct value *rule_reduce_scaled(struct simplifier *s, struct value *value) {
  struct value *mul = value->inputs[0], *scaled = NULL;
  if (mul->op != OP_mul || mul->kind != KIND_REAL || !used_once(s, mul)) return NULL;
  for (int i = 0; i < 2 && !scaled; i++)
    scaled = scaled_contraction(s, mul->inputs[i], mul->inputs[1 - i], value->list, value->list_count);
  return scaled;
}

struct value *rule_contract_scaled(struct simplifier *s, struct value *value) {
  struct value *scaled = NULL;
  for (int i = 0; i < 2 && !scaled; i++)
    scaled = scaled_contraction(s, value->inputs[i], value->inputs[1 - i], value->list, value->list_count);
  return scaled;
}

struct value *rule_contract_expanded(struct simplifier *s, struct value *value) {
  struct value *x[2] = {value->inputs[0], value->inputs[1]};
  bool changed = false;
  for (int i = 0; i < 2; i++) {
    if (x[i]->op != OP_expand) continue;
    struct axis *summed[MAX_AXES];
    int count = 0;
    for (int j = 0; j < x[i]->list_count; j++)
      if (list_has_axis(value->list, value->list_count, x[i]->list[j])) summed[count++] = x[i]->list[j];
    if (count == x[i]->list_count) continue;
    x[i] = build_expand(s->graph, x[i]->inputs[0], summed, count);
    changed = true;
  }
  if (!changed) return NULL;
  return spread(s, build_contract(s->graph, x[0], x[1], value->list, value->list_count), value);
}

struct value *rule_contract_nothing(struct simplifier *s, struct value *value) {
  return value->list_count ? NULL : build_binary(s->graph, OP_mul, value->inputs[0], value->inputs[1]);
}

struct value *rule_gather_index(struct simplifier *s, struct value *value) {
  struct value *table = value->inputs[0], *index = value->inputs[1];
  if (index->op != OP_index || value->axis->size || index->axis->size || index->axis->extent > value->axis->extent)
    return NULL;
  if (index->axis == value->axis) return table;
  if (value_has_axis(table, index->axis)) return NULL; /* a diagonal */
  return build_slice(s->graph, table, value->axis, 0, index->axis);
}

struct value *rule_gather_constant(struct simplifier *s, struct value *value) {
  const struct value *index = value->inputs[1];
  bool inside = index->op == OP_constant && index->number >= 0 && index->number < (double)value->axis->extent;
  return inside && !value->axis->size ? build_select(s->graph, value->inputs[0], value->axis, (int64_t)index->number)
                                      : NULL;
}

struct value *rule_gather_expanded(struct simplifier *s, struct value *value) {
  struct value *table = value->inputs[0], *index = value->inputs[1];
  if (index->op == OP_expand && !list_has_axis(index->list, index->list_count, value->axis))
    return spread(s, build_gather(s->graph, table, value->axis, index->inputs[0]), value);
  /* The indexed axis stays: an index that lies outside it must still be an error. */
  if (table->op == OP_expand && !list_has_axis(table->list, table->list_count, value->axis))
    return spread(s, build_gather(s->graph, table->inputs[0], value->axis, index), value);
  return NULL;
}

struct value *rule_rename_same(struct simplifier *s, struct value *value) {
  (void)s;
  return value->axis == value->result ? value->inputs[0] : NULL;
}

struct value *rule_rename_renamed(struct simplifier *s, struct value *value) {
  struct value *inner = value->inputs[0];
  if (inner->op != OP_rename || inner->result != value->axis) return NULL;
  return renamed(s, inner->inputs[0], inner->axis, value->result);
}

/* A view of an expanded value is an expansion, when every axis that the view takes away is an expanded one. */
struct value *rule_view_expanded(struct simplifier *s, struct value *value) {
  struct value *expand = value->inputs[0];
  if (expand->op != OP_expand) return NULL;
  if (value->op == OP_merge) {
    for (int i = 0; i < value->list_count; i++)
      if (!list_has_axis(expand->list, expand->list_count, value->list[i])) return NULL;
    return spread(s, expand->inputs[0], value);
  }
  if (value->op == OP_expand || list_has_axis(expand->list, expand->list_count, value->axis))
    return spread(s, expand->inputs[0], value);
  return NULL;
}

/* Renames axes one after the other, so none of the new names may be in use meanwhile. */
static struct value *rename_all(struct simplifier *s, struct value *x, struct axis *const *from, struct axis *const *to,
                                int count) {
  for (int i = 0; i < count; i++)
    if (from[i]->extent != to[i]->extent || (from[i] != to[i] && value_has_axis(x, to[i]))) return NULL;
  for (int i = 0; i < count; i++) x = renamed(s, x, from[i], to[i]);
  return x;
}

struct value *rule_split_merged(struct simplifier *s, struct value *value) {
  struct value *merge = value->inputs[0];
  if (value->list_count == 1) return renamed(s, merge, value->axis, value->list[0]);
  if (merge->op != OP_merge || merge->result != value->axis || merge->list_count != value->list_count) return NULL;
  return rename_all(s, merge->inputs[0], merge->list, value->list, value->list_count);
}

struct value *rule_merge_split(struct simplifier *s, struct value *value) {
  struct value *split = value->inputs[0];
  if (value->list_count == 1) return renamed(s, split, value->list[0], value->result);
  if (split->op != OP_split || split->list_count != value->list_count) return NULL;
  for (int i = 0; i < value->list_count; i++)
    if (split->list[i] != value->list[i]) return NULL;
  return renamed(s, split->inputs[0], split->axis, value->result);
}

/* The part of a concat that holds [start, start + length), and the place in it where that begins; NULL when the range
   spans parts. */
static struct value *part_with(const struct value *concat, int64_t start, int64_t length, struct axis **axis,
                               int64_t *within) {
  int64_t begin = 0;
  for (int i = 0; i < concat->input_count; i++) {
    int64_t end = begin + concat->list[i]->extent;
    if (start >= begin && start + length <= end) {
      *axis = concat->list[i];
      *within = start - begin;
      return concat->inputs[i];
    }
    begin = end;
  }
  return NULL;
}

struct value *rule_slice_cut(struct simplifier *s, struct value *value) {
  struct value *x = value->inputs[0];
  int64_t length = value->result->extent, start = value->start;
  if (length == value->axis->extent) return renamed(s, x, value->axis, value->result);
  if (x->result != value->axis || length == 0) return NULL;
  if (x->op == OP_rename) return build_slice(s->graph, x->inputs[0], x->axis, start, value->result);
  if (x->op == OP_slice) return build_slice(s->graph, x->inputs[0], x->axis, start + x->start, value->result);
  if (x->op == OP_pad) {
    int64_t end = x->start + x->axis->extent;
    if (start >= x->start && start + length <= end)
      return build_slice(s->graph, x->inputs[0], x->axis, start - x->start, value->result);
    return start >= end || start + length <= x->start ? number_like(s, value, x->number) : NULL;
  }
  if (x->op == OP_concat) {
    struct axis *axis;
    int64_t within;
    struct value *part = part_with(x, start, length, &axis, &within);
    return part ? build_slice(s->graph, part, axis, within, value->result) : NULL;
  }
  return NULL;
}

struct value *rule_select_cut(struct simplifier *s, struct value *value) {
  struct value *x = value->inputs[0];
  int64_t start = value->start;
  if (x->result != value->axis) return NULL;
  if (x->op == OP_rename) return build_select(s->graph, x->inputs[0], x->axis, start);
  if (x->op == OP_slice) return build_select(s->graph, x->inputs[0], x->axis, start + x->start);
  if (x->op == OP_pad) {
    bool inside = start >= x->start && start < x->start + x->axis->extent;
    return inside ? build_select(s->graph, x->inputs[0], x->axis, start - x->start) : number_like(s, value, x->number);
  }
  if (x->op == OP_concat) {
    struct axis *axis;
    int64_t within;
    struct value *part = part_with(x, start, 1, &axis, &within);
    return part ? build_select(s->graph, part, axis, within) : NULL;
  }
  return NULL;
}

struct value *rule_pad_nothing(struct simplifier *s, struct value *value) {
  return value->axis->extent == value->result->extent ? renamed(s, value->inputs[0], value->axis, value->result) : NULL;
}

struct value *rule_concat_one(struct simplifier *s, struct value *value) {
  return value->input_count == 1 ? renamed(s, value->inputs[0], value->list[0], value->result) : NULL;
}
