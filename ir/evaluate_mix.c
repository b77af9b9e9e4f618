/* Operations that mix elements along axes: sums, running sums, rankings, quantiles, contractions, and reads and writes at an index. */
#include <math.h>
#include <stdlib.h>

#include "ir/evaluate.h"
#include "ir/walk.h"

static void fill(const struct operand *operand, double number, const int64_t *sizes) {
  int64_t count = operand_count(operand, sizes);
  for (int64_t i = 0; i < count; i++) operand->data[i] = number;
}

static void reduce(const struct value *value, const struct operand *result, const struct operand *x,
                   const int64_t *sizes) {
  bool sum = value->op == OP_reduce_sum;
  fill(result, sum ? 0 : -INFINITY, sizes);
  struct walk walk;
  walk_begin(&walk, 2);
  for (int i = 0; i < x->axis_count; i++)
    walk_dimension(&walk, axis_length(x->axes[i], sizes),
                   (int64_t[]){operand_stride(result, x->axes[i]), x->strides[i]});
  walk_join(&walk);
  for (bool more = walk_first(&walk); more; more = walk_next(&walk)) {
    double *to = result->data + walk.offset[0];
    const double *from = x->data + walk.offset[1];
    int64_t to_step = walk.stride[0], from_step = walk.stride[1];
    if (sum && value->kind == KIND_INTEGER)
      for (int64_t i = 0; i < walk.length; i++) to[i * to_step] = scalar_wrap(to[i * to_step] + from[i * from_step]);
    else if (sum)
      for (int64_t i = 0; i < walk.length; i++) to[i * to_step] += from[i * from_step];
    else
      for (int64_t i = 0; i < walk.length; i++)
        to[i * to_step] = scalar_apply(OP_max, value->kind, from[i * from_step], to[i * to_step], 0);
  }
}

/* The rows of x along value->axis, which becomes the walk's last dimension. */
static void walk_rows(struct walk *walk, const struct value *value, const struct operand *result,
                      const struct operand *x, const struct axis *result_axis, const int64_t *sizes) {
  walk_begin(walk, 2);
  for (int i = 0; i < x->axis_count; i++)
    if (x->axes[i] != value->axis)
      walk_dimension(walk, axis_length(x->axes[i], sizes),
                     (int64_t[]){operand_stride(result, x->axes[i]), x->strides[i]});
  walk_dimension(walk, axis_length(value->axis, sizes),
                 (int64_t[]){operand_stride(result, result_axis), operand_stride(x, value->axis)});
}

static void scan(const struct value *value, const struct operand *result, const struct operand *x,
                 const int64_t *sizes) {
  struct walk walk;
  walk_rows(&walk, value, result, x, value->axis, sizes);
  for (bool more = walk_first(&walk); more; more = walk_next(&walk)) {
    double sum = 0;
    for (int64_t n = 0; n < walk.length; n++) {
      int64_t i = value->start ? walk.length - 1 - n : n;
      sum += x->data[walk.offset[1] + i * walk.stride[1]];
      if (value->kind == KIND_INTEGER) sum = scalar_wrap(sum);
      result->data[walk.offset[0] + i * walk.stride[0]] = sum;
    }
  }
}

/* Does x rank before y? NaN ranks last, and equals keep their order. */
static bool ranks_before(double x, double y) { return x > y || (isnan(y) && !isnan(x)); }

static const char *top(const struct value *value, const struct operand *result, const struct operand *x,
                       const struct evaluation *evaluation) {
  int64_t wanted = value->result->extent, length = axis_length(value->axis, evaluation->sizes);
  if (wanted > length)
    return arena_format(evaluation->arena, "the %lld largest along axis %s, which has %lld now", (long long)wanted,
                        value->axis->name, (long long)length);
  struct walk walk;
  walk_rows(&walk, value, result, x, value->result, evaluation->sizes);
  for (bool more = wanted > 0 && walk_first(&walk); more; more = walk_next(&walk)) {
    double *best = result->data + walk.offset[0];
    const double *row = x->data + walk.offset[1];
    int64_t step = walk.stride[0], kept = 0;
    for (int64_t i = 0; i < length; i++) {
      int64_t place = kept;
      while (place > 0 &&
             ranks_before(row[i * walk.stride[1]], row[(int64_t)best[(place - 1) * step] * walk.stride[1]]))
        place--;
      if (place == wanted) continue;
      if (kept < wanted) kept++;
      for (int64_t j = kept - 1; j > place; j--) best[j * step] = best[(j - 1) * step];
      best[place * step] = (double)i;
    }
  }
  return NULL;
}

/* The elements of each quantile are copied side by side. */
static const char *quantile(const struct value *value, const struct operand *result, const struct operand *x,
                            const struct operand *q, const int64_t *sizes) {
  const int64_t count = axes_count(value->list, value->list_count);
  double *elements = malloc(sizeof *elements * (size_t)count);
  if (!elements) return "there is no memory for the elements of a quantile";
  struct walk rows;
  walk_begin(&rows, 2);
  for (int i = 0; i < value->axis_count; i++)
    walk_dimension(&rows, axis_length(value->axes[i], sizes),
                   (int64_t[]){result->strides[i], operand_stride(x, value->axes[i])});
  walk_join(&rows);
  for (bool more = walk_first(&rows); more; more = walk_next(&rows)) {
    for (int64_t i = 0; i < rows.length; i++) {
      struct operand row = *x, copy = operand_dense(value->list, value->list_count, elements, sizes);
      row.data = x->data + rows.offset[1] + i * rows.stride[1];
      operand_copy(value->list, value->list_count, &copy, &row, sizes);
      result->data[rows.offset[0] + i * rows.stride[0]] = quantile_of(elements, count, *q->data);
    }
  }
  free(elements);
  return NULL;
}

/* The sum of products that one walk's innermost dimension adds up, modulo 2^32 for integers. */
static double add_products(bool whole, double sum, const double *a, int64_t a_step, const double *b, int64_t b_step,
                           int64_t length) {
  if (!whole) {
    for (int64_t i = 0; i < length; i++) sum += a[i * a_step] * b[i * b_step];
    return sum;
  }
  uint32_t total = (uint32_t)(int64_t)sum;
  for (int64_t i = 0; i < length; i++) total += (uint32_t)(int64_t)a[i * a_step] * (uint32_t)(int64_t)b[i * b_step];
  return (double)(int32_t)total;
}

static void contract(const struct value *value, const struct operand *result, const struct operand *inputs,
                     const int64_t *sizes) {
  const bool whole = value->kind == KIND_INTEGER;
  const struct operand *x = &inputs[0], *y = &inputs[1];
  fill(result, 0, sizes);
  /* The sum is outside of the result's last axis where an input is contiguous along that axis; else the sum is
     innermost. */
  int last = result->axis_count - 1;
  bool inside = last >= 0 && (operand_stride(x, result->axes[last]) == 1 || operand_stride(y, result->axes[last]) == 1);
  struct walk walk;
  walk_begin(&walk, 3);
  for (int i = 0; i < result->axis_count; i++)
    if (!inside || i < last)
      walk_dimension(
          &walk, axis_length(result->axes[i], sizes),
          (int64_t[]){result->strides[i], operand_stride(x, result->axes[i]), operand_stride(y, result->axes[i])});
  for (int i = 0; i < value->list_count; i++)
    walk_dimension(&walk, axis_length(value->list[i], sizes),
                   (int64_t[]){0, operand_stride(x, value->list[i]), operand_stride(y, value->list[i])});
  if (inside)
    walk_dimension(&walk, axis_length(result->axes[last], sizes),
                   (int64_t[]){1, operand_stride(x, result->axes[last]), operand_stride(y, result->axes[last])});
  walk_join(&walk);
  for (bool more = walk_first(&walk); more; more = walk_next(&walk)) {
    double *to = result->data + walk.offset[0];
    const double *a = x->data + walk.offset[1], *b = y->data + walk.offset[2];
    int64_t to_step = walk.stride[0], a_step = walk.stride[1], b_step = walk.stride[2];
    if (!to_step) {
      *to = add_products(whole, *to, a, a_step, b, b_step, walk.length);
    } else if (whole) {
      for (int64_t i = 0; i < walk.length; i++)
        to[i * to_step] = add_products(whole, to[i * to_step], a + i * a_step, 0, b + i * b_step, 0, 1);
    } else {
      for (int64_t i = 0; i < walk.length; i++) to[i * to_step] += a[i * a_step] * b[i * b_step];
    }
  }
}

static const char *outside(const struct value *value, double index, int64_t length,
                           const struct evaluation *evaluation) {
  return arena_format(evaluation->arena, "index %.17g is outside of axis %s, which has %lld element%s", index,
                      value->axis->name, (long long)length, length == 1 ? "" : "s");
}

static const char *gather(const struct value *value, const struct operand *result, const struct operand *table,
                          const struct operand *index, const struct evaluation *evaluation) {
  int64_t length = axis_length(value->axis, evaluation->sizes), step = operand_stride(table, value->axis);
  struct walk walk;
  walk_begin(&walk, 3);
  for (int i = 0; i < result->axis_count; i++) {
    /* The table's own indexed axis is consumed. Where the result has that axis again, it comes from the index. */
    bool gone = result->axes[i] == value->axis;
    walk_dimension(&walk, axis_length(result->axes[i], evaluation->sizes),
                   (int64_t[]){result->strides[i], gone ? 0 : operand_stride(table, result->axes[i]),
                               operand_stride(index, result->axes[i])});
  }
  walk_join(&walk);
  for (bool more = walk_first(&walk); more; more = walk_next(&walk)) {
    for (int64_t i = 0; i < walk.length; i++) {
      double chosen = index->data[walk.offset[2] + i * walk.stride[2]];
      if (!(chosen >= 0 && chosen < (double)length)) return outside(value, chosen, length, evaluation);
      result->data[walk.offset[0] + i * walk.stride[0]] =
          table->data[walk.offset[1] + i * walk.stride[1] + (int64_t)chosen * step];
    }
  }
  return NULL;
}

const char *evaluate_put(const struct value *value, const struct operand *base, const struct operand *index,
                         const struct operand *source, bool add, const struct evaluation *evaluation) {
  /* An update may write any row up to the axis's full extent, which a state always has. */
  int64_t length = add ? axis_length(value->axis, evaluation->sizes) : value->axis->extent;
  int64_t step = operand_stride(base, value->axis);
  /* What is added to one element comes in the order of scatter_order, in which its axes are innermost. */
  struct axis *order[MAX_AXES], *added[MAX_AXES];
  int count = 0, last = add ? scatter_order(value, added) : 0;
  for (int i = 0; i < source->axis_count; i++)
    if (!axis_listed(added, last, source->axes[i])) order[count++] = source->axes[i];
  for (int i = 0; i < last; i++) order[count++] = added[i];
  struct walk walk;
  walk_begin(&walk, 3);
  for (int i = 0; i < count; i++) {
    const int64_t to = order[i] == value->axis ? 0 : operand_stride(base, order[i]);
    const int64_t strides[] = {to, operand_stride(source, order[i]), operand_stride(index, order[i])};
    walk_dimension(&walk, axis_length(order[i], evaluation->sizes), strides);
  }
  walk_join(&walk);
  for (bool more = walk_first(&walk); more; more = walk_next(&walk)) {
    for (int64_t i = 0; i < walk.length; i++) {
      double chosen = index->data[walk.offset[2] + i * walk.stride[2]];
      if (!(chosen >= 0 && chosen < (double)length)) return outside(value, chosen, length, evaluation);
      double *to = base->data + walk.offset[0] + i * walk.stride[0] + (int64_t)chosen * step;
      double number = source->data[walk.offset[1] + i * walk.stride[1]];
      *to = !add ? number : value->kind == KIND_INTEGER ? scalar_wrap(*to + number) : *to + number;
    }
  }
  return NULL;
}

const char *evaluate_mixing(const struct value *value, const struct operand *result, const struct operand *inputs,
                            const struct evaluation *evaluation) {
  const int64_t *sizes = evaluation->sizes;
  switch (op_facts[value->op].class) {
    case CLASS_REDUCE:
      reduce(value, result, &inputs[0], sizes);
      return NULL;
    case CLASS_CONTRACT:
      contract(value, result, inputs, sizes);
      return NULL;
    case CLASS_GATHER:
      return gather(value, result, &inputs[0], &inputs[1], evaluation);
    case CLASS_SCATTER:
      operand_copy(value->axes, value->axis_count, result, &inputs[0], sizes);
      return evaluate_put(value, result, &inputs[1], &inputs[2], true, evaluation);
    case CLASS_MIX:
      if (value->op == OP_top) return top(value, result, &inputs[0], evaluation);
      if (value->op == OP_quantile) return quantile(value, result, &inputs[0], &inputs[1], sizes);
      if (value->op != OP_scan) bug("%s has no evaluation", op_facts[value->op].name);
      scan(value, result, &inputs[0], sizes);
      return NULL;
    case CLASS_LEAF:
    case CLASS_RANDOM:
    case CLASS_UNARY:
    case CLASS_BINARY:
    case CLASS_COMPARE:
    case CLASS_LOGIC:
    case CLASS_TERNARY:
    case CLASS_VIEW:
    case CLASS_STOP:
    case CLASS_GRADIENT:
    case CLASS_UPDATE:
    case CLASS_CALL:
      break;
  }
  bug("%s does not mix elements", op_facts[value->op].name);
}
