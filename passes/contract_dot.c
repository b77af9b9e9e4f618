/* Contractions with few rows, where k is contiguous in both operands: what decoding token by token is made of. Each row of b is
   read once, from beginning to end, and every result is a sum of vectors along k. */
#include "passes/contract.h"

enum { DOT_COLUMNS = 16 /* of a task */ };

/* A sum along k: where its elements lie, and where its partial sums do. */
struct along {
  struct kernel *k;
  const struct contraction *x;
  struct array *a, *b, *sum;
  struct linear a_at, b_at;
  bool alike; /* the elements of a are the same all along */
};

static void add_product(void *context, struct linear at, struct linear slot) {
  const struct along *w = context;
  struct arena *arena = w->k->arena;
  const int group = w->x->group;
  const struct linear along = linear_scale(arena, at, group);
  const struct expression *left =
      expression_load(arena, w->a, linear_expression(arena, w->alike ? w->a_at : linear_add(arena, w->a_at, along)));
  const struct expression *right =
      expression_load(arena, w->b, linear_expression(arena, linear_add(arena, w->b_at, along)));
  const struct expression *old = expression_load(arena, w->sum, linear_expression(arena, slot));
  kernel_store(w->k, w->sum, slot,
               group > 1 ? expression_dot(arena, group, old, left, right) : expression_fma(arena, left, right, old));
}

/* The sum of a row of `a` that begins at `a_at` with one row of b; or of the same elements of `a` all along, where `alike` is set. Groups
   of k are summed by dots. */
static const struct expression *sum_along(struct kernel *k, const struct contraction *x, struct array *a,
                                          struct linear a_at, bool alike, const struct position *at) {
  const enum type type = contract_type(x);
  const int lanes = x->s->target->lanes, depth = k->depth;
  const int64_t groups = x->depth.extent / x->group;
  const int vectors = sum_vectors(x->s->target, groups, sum_unroll(groups));
  struct along along = {k, x, a, at->b, NULL, a_at, at->b_at, alike};
  along.sum = kernel_array(k, "sum", type, MEMORY_REGISTER, (int64_t)vectors * lanes);
  kernel_store(k, along.sum, kernel_vectors(k, vectors), expression_number(k->arena, type, 0));
  kernel_close_to(k, depth);
  kernel_run(k, &(struct run){.name = "k",
                              .count = expression_index(k->arena, groups),
                              .bound = groups,
                              .side = (int64_t)vectors * lanes,
                              .body = add_product,
                              .context = &along});
  return kernel_fold(k, OP_add, along.sum, vectors);
}

/* The rows of a as dots need them, copied by each task, and `offsets`: what is added to each element. */
struct copied {
  struct array *rows, *offsets;
};

static struct copied copy_rows(struct kernel *k, const struct contraction *x, const struct position *at) {
  struct arena *arena = k->arena;
  struct copied copied = {0};
  if (!x->a_copied) return copied;
  copied.rows = kernel_array(k, "a_rows", contract_type(x), MEMORY_STACK, x->row.extent * x->depth.extent);
  copied.rows->storage = x->a_storage;
  pack_rows(k, x, at, copied.rows, linear_constant(0), contract_extent(k, &x->row), x->row.extent, linear_constant(0),
            expression_index(arena, x->depth.extent), x->depth.extent);
  if (x->offset) copied.offsets = contract_offsets(k, x);
  return copied;
}

void contract_dot(struct contraction *x) {
  struct arena *arena = x->s->arena;
  struct position at;
  x->packing = PACK_NOT;
  struct kernel *k = contract_kernel(x, &at);
  k->form = FORM_DOT;
  bool sized = x->column.axis->size != NULL;
  int64_t blocks = sized ? 1 : divide_up(x->column.extent, DOT_COLUMNS), tasks = blocks * contract_tasks(x);
  double flops =
      2.0 * (double)contract_tasks(x) * contract_usual(&x->row) * contract_usual(&x->column) * (double)x->depth.extent;
  struct linear task = linear_constant(0), block = task;
  if (tasks > 1) {
    task = kernel_loop(k, flops >= PARALLEL_FLOPS ? LOOP_PARALLEL : LOOP_SERIAL, "task", expression_index(arena, tasks),
                       tasks, 1);
    if (blocks > 1) block = linear_mod(arena, task, blocks), task = linear_quotient(arena, task, blocks);
  }
  block = kernel_named(k, "block", block);
  contract_around(k, x, task, &at);
  const struct copied copied = copy_rows(k, x, &at);
  struct linear column;
  if (sized) {
    column = kernel_loop(k, LOOP_SERIAL, "column", contract_extent(k, &x->column), x->column.extent, 1);
  } else {
    struct linear first = linear_scale(arena, block, DOT_COLUMNS);
    const struct expression *count =
        expression_index(arena, x->column.extent < DOT_COLUMNS ? x->column.extent : DOT_COLUMNS);
    if (blocks > 1 && x->column.extent % DOT_COLUMNS) {
      const struct expression *left = expression_apply(arena, OP_sub, expression_index(arena, x->column.extent),
                                                       linear_expression(arena, first), NULL);
      count = expression_apply(arena, OP_min, left, count, NULL);
    }
    column = linear_add(arena, first, kernel_loop(k, LOOP_SERIAL, "column", count, DOT_COLUMNS, 1));
  }
  contract_add_offsets(arena, &x->column, column, &at);
  const struct expression *excess = NULL;
  if (copied.offsets) {
    excess = sum_along(k, x, copied.offsets, linear_constant(0), true, &at);
    excess = kernel_let(k, k->depth, "excess", excess).x;
  }
  struct linear row = linear_constant(0);
  if (x->row.extent > 1 || x->row.axis->size)
    row = kernel_loop(k, LOOP_SERIAL, "row", contract_extent(k, &x->row), x->row.extent, 1);
  contract_add_offsets(arena, &x->row, row, &at);
  const struct expression *sum =
      copied.rows ? sum_along(k, x, copied.rows, linear_scale(arena, row, x->depth.extent), false, &at)
                  : sum_along(k, x, at.a, at.a_at, false, &at);
  if (excess) sum = expression_apply(arena, OP_sub, sum, excess, NULL);
  if (at.begins) {
    const struct expression *initial = expression_load(arena, at.initial, linear_expression(arena, at.initial_at));
    sum = expression_apply(arena, OP_add, sum, initial, NULL);
  }
  kernel_store(k, at.c, at.c_at, sum);
  kernel_close_to(k, 0);
  kernel_finish(k);
}
