/* A rotation spreads what few elements of a row hold over all of them, so that no element stands out, and steps of a scale that all share
   are fine enough for each: Ashkboos et al., QuaRot: Outlier-Free 4-Bit Inference in Rotated LLMs, 2024.

   The matrix is Hadamard's by Sylvester's construction, divided by the square root of its size n: orthogonal, symmetric, and so its own
   inverse. Its element [i, j] is positive where i and j have an even number of bits in common. This number is a contraction of the bits of
   i and j, so that the matrix is a value of the graph, which derive computes once. It is multiplied with like any matrix: for a row of 64
   that is more work than six rounds of sums and differences, but it is one kernel, and small beside what attention does. */
#include <math.h>

#include "passes/quantize.h"

int64_t rotation_size(const struct axis *axis) { return axis->extent & -axis->extent; }

/* The bits of the numbers along an axis; axes: that one, and `bit`. */
static struct value *bits_along(struct graph *graph, struct axis *axis, struct axis *bit) {
  struct value *two = build_constant(graph, 2), *power = build_binary(graph, OP_pow, two, build_index(graph, bit));
  struct value *index = build_index(graph, axis);
  struct value *shifted = build_binary(graph, OP_quotient, index, build_unary(graph, OP_round, power));
  return build_binary(graph, OP_mod, shifted, build_integer(graph, 2));
}

static const struct rotation *rotation_of(struct parted *p, const struct axis *axis) {
  const int64_t size = rotation_size(axis);
  for (int i = 0; i < p->rotations.count; i++)
    if (p->rotations.items[i].row->extent == size) return &p->rotations.items[i];
  struct graph *graph = p->graph;
  struct rotation rotation = {.row = axis_new(graph, "row", size, axis->span)};
  rotation.column = axis_new(graph, "column", size, axis->span);
  int bits = 0;
  while ((int64_t)1 << bits < size) bits++;
  struct axis *bit = axis_new(graph, "bit", bits, axis->span);
  struct value *rows = bits_along(graph, rotation.row, bit);
  struct value *common = build_contract(graph, rows, bits_along(graph, rotation.column, bit), &bit, 1);
  struct value *even = build_binary(graph, OP_mod, common, build_integer(graph, 2));
  even = build_binary(graph, OP_eq, even, build_integer(graph, 0));
  const double element = 1 / sqrt((double)size);
  struct value *positive = build_constant(graph, element);
  rotation.matrix = build_where(graph, even, positive, build_constant(graph, -element));
  rotation.matrix->name = arena_format(graph->arena, "rotation%lld", (long long)size);
  array_push(p->rewrite.scratch, &p->rotations, rotation);
  return &p->rotations.items[p->rotations.count - 1];
}

struct value *rotated_value(struct parted *p, struct value *x, struct axis *axis) {
  struct graph *graph = p->graph;
  const struct rotation *rotation = rotation_of(p, axis);
  struct axis *row = rotation->row, *column = rotation->column;
  if (row->extent == axis->extent) {
    struct value *matrix = build_rename(graph, rotation->matrix, column, axis);
    return build_contract(graph, build_rename(graph, x, axis, row), matrix, &row, 1);
  }
  struct axis *outer = axis_new(graph, axis->name, axis->extent / row->extent, axis->span);
  x = build_split(graph, x, axis, (struct axis *[]){outer, row}, 2);
  x = build_contract(graph, x, rotation->matrix, &row, 1);
  return build_merge(graph, x, (struct axis *[]){outer, column}, 2, axis);
}
