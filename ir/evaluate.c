/* Elementwise operations and views: each element of the result comes from one place of each input. */
#include "ir/evaluate.h"

#include <string.h>

#include "ir/walk.h"

int64_t axis_length(const struct axis *axis, const int64_t *sizes) {
  return axis->size ? sizes[axis->size->index] : axis->extent;
}

struct operand operand_dense(struct axis *const *axes, int count, double *data, const int64_t *sizes) {
  struct operand operand = {axes, count, {0}, data};
  int64_t stride = 1;
  for (int i = count - 1; i >= 0; i--) {
    operand.strides[i] = stride;
    stride *= axis_length(axes[i], sizes);
  }
  return operand;
}

struct operand operand_full(struct axis *const *axes, int count, double *data) {
  struct operand operand = {axes, count, {0}, data};
  int64_t stride = 1;
  for (int i = count - 1; i >= 0; i--) {
    operand.strides[i] = stride;
    stride *= axes[i]->extent;
  }
  return operand;
}

int64_t operand_stride(const struct operand *operand, const struct axis *axis) {
  for (int i = 0; i < operand->axis_count; i++)
    if (operand->axes[i] == axis) return operand->strides[i];
  return 0;
}

static void copy_runs(struct walk *walk, double *to, const double *from) {
  walk_join(walk);
  for (bool more = walk_first(walk); more; more = walk_next(walk)) {
    double *target = to + walk->offset[0];
    const double *source = from + walk->offset[1];
    if (walk->stride[0] == 1 && walk->stride[1] == 1)
      memcpy(target, source, sizeof *target * (size_t)walk->length);
    else
      for (int64_t i = 0; i < walk->length; i++) target[i * walk->stride[0]] = source[i * walk->stride[1]];
  }
}

void operand_copy(struct axis *const *axes, int count, const struct operand *to, const struct operand *from,
                  const int64_t *sizes) {
  struct walk walk;
  walk_begin(&walk, 2);
  for (int i = 0; i < count; i++)
    walk_dimension(&walk, axis_length(axes[i], sizes),
                   (int64_t[]){operand_stride(to, axes[i]), operand_stride(from, axes[i])});
  copy_runs(&walk, to->data, from->data);
}

void evaluate_elementwise(const struct value *value, const struct operand *result, const struct operand *inputs,
                          const struct evaluation *evaluation) {
  struct walk walk;
  walk_begin(&walk, 4);
  for (int i = 0; i < result->axis_count; i++) {
    int64_t strides[MAX_WALK_ARRAYS] = {result->strides[i]};
    for (int k = 0; k < value->input_count; k++) strides[k + 1] = operand_stride(&inputs[k], result->axes[i]);
    walk_dimension(&walk, axis_length(result->axes[i], evaluation->sizes), strides);
  }
  walk_join(&walk);
  static const double none = 0;
  const double *x = inputs[0].data;
  const double *y = value->input_count > 1 ? inputs[1].data : &none;
  const double *z = value->input_count > 2 ? inputs[2].data : &none;
  const int64_t *at = walk.offset, *by = walk.stride;
  for (bool more = walk_first(&walk); more; more = walk_next(&walk)) {
    double *to = result->data + at[0];
    const double *a = x + at[1], *b = y + at[2], *c = z + at[3];
    /* The most frequent operations have loops of their own; all others go through a switch. */
    const bool plain = value->kind == KIND_REAL;
    if (plain && value->op == OP_add)
      for (int64_t i = 0; i < walk.length; i++) to[i * by[0]] = a[i * by[1]] + b[i * by[2]];
    else if (plain && value->op == OP_sub)
      for (int64_t i = 0; i < walk.length; i++) to[i * by[0]] = a[i * by[1]] - b[i * by[2]];
    else if (plain && value->op == OP_mul)
      for (int64_t i = 0; i < walk.length; i++) to[i * by[0]] = a[i * by[1]] * b[i * by[2]];
    else if (value->op == OP_cast)
      for (int64_t i = 0; i < walk.length; i++) to[i * by[0]] = scalar_round(value->storage, a[i * by[1]]);
    else
      for (int64_t i = 0; i < walk.length; i++)
        to[i * by[0]] = scalar_apply(value->op, value->kind, a[i * by[1]], b[i * by[2]], c[i * by[3]]);
  }
}

/* Copies `length` elements of x along `axis`, from `start` on, into the result along `result_axis`, from `result_start`
   on. `result_axis` is NULL where the result has no such axis. */
static void copy_part(const struct operand *result, const struct axis *result_axis, int64_t result_start,
                      const struct operand *x, const struct axis *axis, int64_t start, int64_t length,
                      const int64_t *sizes) {
  struct walk walk;
  walk_begin(&walk, 2);
  for (int i = 0; i < x->axis_count; i++) {
    bool chosen = x->axes[i] == axis;
    walk_dimension(&walk, chosen ? length : axis_length(x->axes[i], sizes),
                   (int64_t[]){chosen && !result_axis ? 0 : operand_stride(result, chosen ? result_axis : x->axes[i]),
                               x->strides[i]});
  }
  int64_t to = result_axis ? result_start * operand_stride(result, result_axis) : 0;
  copy_runs(&walk, result->data + to, x->data + start * operand_stride(x, axis));
}

/* A split or a merge: `whole` is the operand that has the whole axis, which is walked factor by factor beside the
   operand that has the factors. */
static void refactor(const struct value *value, const struct operand *whole, const struct axis *axis, bool split,
                     const struct operand *result, const struct operand *x, const int64_t *sizes) {
  struct walk walk;
  walk_begin(&walk, 2);
  for (int i = 0; i < whole->axis_count; i++) {
    const struct axis *other = whole->axes[i];
    if (other != axis) {
      walk_dimension(&walk, axis_length(other, sizes),
                     (int64_t[]){operand_stride(result, other), operand_stride(x, other)});
      continue;
    }
    for (int j = 0; j < value->list_count; j++) {
      int64_t inside = whole->strides[i] * axes_count(value->list + j + 1, value->list_count - j - 1);
      int64_t apart = operand_stride(split ? result : x, value->list[j]);
      walk_dimension(&walk, value->list[j]->extent, (int64_t[]){split ? apart : inside, split ? inside : apart});
    }
  }
  copy_runs(&walk, result->data, x->data);
}

int64_t operand_count(const struct operand *operand, const int64_t *sizes) {
  int64_t count = 1;
  for (int i = 0; i < operand->axis_count; i++) count *= axis_length(operand->axes[i], sizes);
  return count;
}

const char *evaluate_view(const struct value *value, const struct operand *result, const struct operand *inputs,
                          const struct evaluation *evaluation) {
  const int64_t *sizes = evaluation->sizes;
  int64_t count = operand_count(result, sizes);
  const struct operand *x = &inputs[0];
  const struct axis *axis = value->axis;
  int64_t start = value->start;
  if (value->op == OP_rename) {
    copy_part(result, value->result, 0, x, axis, 0, axis_length(axis, sizes), sizes);
  } else if (value->op == OP_split) {
    refactor(value, x, axis, true, result, x, sizes);
  } else if (value->op == OP_merge) {
    refactor(value, result, value->result, false, result, x, sizes);
  } else if (value->op == OP_slice) {
    copy_part(result, value->result, 0, x, axis, start, value->result->extent, sizes);
  } else if (value->op == OP_select) {
    if (start >= axis_length(axis, sizes))
      return arena_format(evaluation->arena, "element %lld of axis %s, which has %lld now", (long long)start,
                          axis->name, (long long)axis_length(axis, sizes));
    copy_part(result, NULL, 0, x, axis, start, 1, sizes);
  } else if (value->op == OP_expand) {
    operand_copy(value->axes, value->axis_count, result, x, sizes);
  } else if (value->op == OP_pad) {
    for (int64_t i = 0; i < count; i++) result->data[i] = value->number;
    copy_part(result, value->result, start, x, axis, 0, axis->extent, sizes);
  } else if (value->op == OP_concat) {
    start = 0;
    for (int i = 0; i < value->input_count; i++) {
      copy_part(result, value->result, start, &inputs[i], value->list[i], 0, value->list[i]->extent, sizes);
      start += value->list[i]->extent;
    }
  } else {
    bug("%s is not a view", op_facts[value->op].name);
  }
  return NULL;
}
