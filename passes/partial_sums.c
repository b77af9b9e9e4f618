/* Runs along an axis by vectors, and the partial sums of such runs: see schedule.h for their order. */
#include "passes/schedule.h"

int sum_unroll(int64_t count) {
  const int64_t vectors = count / SUM_LANES;
  return vectors >= 8 && vectors % 4 == 0 ? 4 : vectors >= 4 && vectors % 2 == 0 ? 2 : 1;
}

int sum_vectors(const struct target *target, int64_t count, int unroll) {
  int64_t sums = (int64_t)SUM_LANES * unroll;
  while (sums / 2 >= count && sums / 2 >= target->lanes) sums /= 2;
  return (int)(sums / target->lanes);
}

struct linear kernel_vectors(struct kernel *kernel, int vectors) {
  struct arena *arena = kernel->arena;
  const int lanes = kernel->scheduler->target->lanes;
  struct linear slot = linear_constant(0);
  if (vectors > 1)
    slot = linear_scale(arena, kernel_loop(kernel, LOOP_UNROLLED, "u", expression_index(arena, vectors), vectors, 1),
                        lanes);
  return linear_add(arena, slot, kernel_loop(kernel, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1));
}

/* One vector of which only the first `left` elements are there. Behind the guard they are below the run's bound, so their range is
   known. */
static void part_of_vector(struct kernel *k, const struct run *run, struct linear from, const struct expression *left,
                           struct linear slot) {
  const int depth = k->depth, lanes = k->scheduler->target->lanes;
  struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(k->arena, lanes), lanes, 1);
  int64_t low, high;
  linear_range(from, &low, &high);
  const int64_t most = run->bound - 1 - high;
  lane = kernel_lanes_below(k, lane, left, most < lanes - 1 && most >= 0 ? most + 1 : lanes);
  run->body(run->context, linear_add(k->arena, from, lane), linear_add(k->arena, slot, lane));
  kernel_close_to(k, depth);
}

/* What is left of a run: at most SUM_LANES elements, and less than `side` of them. */
static void rest_of_run(struct kernel *k, const struct run *run, struct linear from, const struct expression *left) {
  struct arena *arena = k->arena;
  const int depth = k->depth, lanes = k->scheduler->target->lanes;
  const int vectors = (run->side < SUM_LANES ? run->side : SUM_LANES) / lanes;
  struct linear slot = linear_constant(0);
  if (vectors > 1) {
    slot = linear_scale(arena, kernel_loop(k, LOOP_UNROLLED, "u", expression_index(arena, vectors), vectors, 1), lanes);
    kernel_if(k, expression_apply(arena, OP_lt, linear_expression(arena, slot), left, NULL));
    from = linear_from(arena, linear_expression(arena, linear_add(arena, from, slot)), 0, run->bound - 1, k->depth);
    left = expression_apply(arena, OP_sub, left, linear_expression(arena, slot), NULL);
  }
  part_of_vector(k, run, from, left, slot);
  kernel_close_to(k, depth);
}

static void constant_run(struct kernel *k, const struct run *run, int64_t count) {
  struct arena *arena = k->arena;
  const int depth = k->depth, lanes = k->scheduler->target->lanes;
  const int64_t whole = count / run->side * run->side, full = (count - whole) / lanes * lanes;
  if (whole) {
    struct linear i = linear_constant(0);
    if (whole > run->side) i = kernel_loop(k, LOOP_SERIAL, run->name, expression_index(arena, whole), whole, run->side);
    const struct linear slot = kernel_vectors(k, run->side / lanes);
    run->body(run->context, linear_add(arena, i, slot), slot);
    kernel_close_to(k, depth);
  }
  if (full) {
    const struct linear slot = kernel_vectors(k, (int)(full / lanes));
    run->body(run->context, linear_add(arena, linear_constant(whole), slot), slot);
    kernel_close_to(k, depth);
  }
  if (count > whole + full)
    part_of_vector(k, run, linear_constant(whole + full), expression_index(arena, count - whole - full),
                   linear_constant(full));
}

void kernel_run(struct kernel *k, const struct run *run) {
  struct arena *arena = k->arena;
  const int depth = k->depth, lanes = k->scheduler->target->lanes;
  if (run->count->kind == EXPRESSION_NUMBER) {
    constant_run(k, run, (int64_t)run->count->number);
    return;
  }
  if (k->scheduler->target->masks && run->side == lanes && !run->is_whole) {
    const struct linear i = kernel_loop(k, LOOP_SERIAL, run->name, run->count, run->bound, run->side);
    rest_of_run(k, run, i, expression_apply(arena, OP_sub, run->count, linear_expression(arena, i), NULL));
    kernel_close_to(k, depth);
    return;
  }
  const struct expression *rest = expression_apply(arena, OP_mod, run->count, expression_index(arena, run->side), NULL);
  const struct expression *whole = run->is_whole ? run->count : expression_apply(arena, OP_sub, run->count, rest, NULL);
  struct linear i = kernel_loop(k, LOOP_SERIAL, run->name, whole, run->bound, run->side);
  const struct linear slot = kernel_vectors(k, run->side / lanes);
  run->body(run->context, linear_add(arena, i, slot), slot);
  kernel_close_to(k, depth);
  if (run->is_whole) return;
  i = linear_from(arena, whole, 0, run->bound - 1, kernel_level(k, whole));
  if (run->side > SUM_LANES) {
    const struct linear j = kernel_loop(k, LOOP_SERIAL, "j", rest, run->side, SUM_LANES);
    rest = expression_apply(arena, OP_sub, rest, linear_expression(arena, j), NULL);
    i = linear_add(arena, i, j);
  }
  rest_of_run(k, run, i, rest);
  kernel_close_to(k, depth);
}
