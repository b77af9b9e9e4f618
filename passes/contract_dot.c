/* Contractions with few rows, where k is contiguous in both operands: what decoding token by token is made of. Each row of b is
   read once, from beginning to end, and every result is a sum of vectors along k. Elements of b may be expressions of what lies in
   memory, such as whole numbers of a few bits times a scale; they are computed where they are read. */
#include "passes/contract.h"
#include "passes/derive.h"

enum {
  DOT_UNROLL = 4,
  DOT_COLUMNS = 16, /* of a task */
  DOT_BYTES = 1 << 18 /* of b, from which on threads share the work: reading takes longer than starting them */
};

/* How a row is summed: in runs, which are `repeats` times `inner` wide vectors long, `outer` runs at a time. Within a run the factors of b
   that vary less than its elements, such as the scale of a group, are numbers. Each of the inner and outer vectors has a sum of its own.
   A wide vector has SUM_LANES elements, which are several vectors of most targets, so that the order of a sum depends on the shape alone. */
struct pace {
  int64_t runs, repeats, run; /* run: its length, in groups of k */
  int outer, inner;
};

static struct pace pace_of(const struct contraction *x) {
  const int64_t groups = x->depth.extent / x->group;
  struct pace pace = {.runs = 1, .run = groups / SUM_LANES * SUM_LANES, .outer = 1};
  if (x->run < x->depth.extent && x->run % ((int64_t)SUM_LANES * x->group) == 0) {
    pace.run = x->run / x->group;
    pace.runs = groups / pace.run;
  }
  const int64_t own = pace.run / SUM_LANES, block = WORDS * SLOTS / SUM_LANES;
  if (x->in_words)
    pace.inner = (int)(own % block == 0 ? block : own);
  else
    pace.inner = pace.runs == 1 ? sum_unroll(pace.run) : own % DOT_UNROLL == 0 ? DOT_UNROLL : own % 2 == 0 ? 2 : 1;
  pace.repeats = pace.inner ? own / pace.inner : 0;
  /* Words are read a block at once, since which element of a word is taken is a number then. */
  const int64_t most = x->in_words ? block : DOT_UNROLL;
  while (pace.repeats == 1 && pace.runs > 1 && pace.inner * pace.outer < most && pace.runs % (2 * pace.outer) == 0)
    pace.outer *= 2;
  return pace;
}

static struct linear unrolled(struct kernel *k, const char *name, int count) {
  if (count == 1) return linear_constant(0);
  return kernel_loop(k, LOOP_UNROLLED, name, expression_index(k->arena, count), count, 1);
}

/* The element of b's row at `along`. */
static const struct expression *element_of_row(struct kernel *k, const struct contraction *x, const struct position *at,
                                               struct linear along) {
  struct arena *arena = k->arena;
  if (!x->b_computed) {
    const struct expression *place = linear_expression(arena, linear_add(arena, at->b_at, along));
    return expression_load(arena, at->b, place);
  }
  struct coordinates coordinates = at->coordinates;
  contract_set_coordinates(arena, &x->depth, along, &coordinates);
  return access_value(k, x->b_value, &coordinates).x;
}

/* Adds one vector of products to its sum: of a row of `a` that begins at `a_at` with one row of b, from `first` on; or of the same
   elements of `a` all along, where `alike` is set. Of a tail, only `count` elements are there. */
static void add_vector(struct kernel *k, const struct contraction *x, struct array *a, struct linear a_at, bool alike,
                       const struct position *at, struct array *sum, struct linear slot, struct linear first,
                       int64_t count) {
  struct arena *arena = k->arena;
  const int lanes = x->s->target->lanes;
  struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
  if (count < lanes) lane = kernel_lanes_below(k, lane, expression_index(arena, count), count);
  slot = linear_add(arena, slot, lane);
  struct linear along = linear_scale(arena, linear_add(arena, first, lane), x->group);
  const struct expression *left =
      expression_load(arena, a, linear_expression(arena, alike ? a_at : linear_add(arena, a_at, along)));
  const struct expression *right = element_of_row(k, x, at, along);
  const struct expression *old = expression_load(arena, sum, linear_expression(arena, slot));
  if (right->type != old->type) right = expression_convert(arena, old->type, right);
  kernel_store(
      k, sum, slot,
      x->group > 1 ? expression_dot(arena, x->group, old, left, right) : expression_fma(arena, left, right, old));
}

/* Fetches what b has some pages ahead, a line for each that `count` elements from `first` on take: processors stop fetching by themselves
   where a page ends. On Zen 5 a row of bytes or of four bits is read 1.2 times as fast by this. */
static void fetch_ahead(struct kernel *k, const struct contraction *x, const struct position *at, struct linear first,
                        int64_t count) {
  enum { AHEAD = 16384, LINE = 64, LEAST = 32 };
  if (!x->b.buffer || x->bitmap || storage_facts[x->b.buffer->storage].bits > 16) return;
  struct arena *arena = k->arena;
  const int bits = storage_facts[x->b.buffer->storage].bits;
  struct array *b = x->b_computed ? kernel_place(k, &x->b, false) : at->b;
  struct linear place = linear_add(arena, at->b_at, first);
  if (x->b_computed) place = linear_add(arena, place, linear_constant(x->b.offset));
  for (int64_t byte = 0; byte < count * bits / 8; byte += LINE)
    if (byte || count * bits / 8 >= LEAST)
      block_prefetch(arena, kernel_block(k), b,
                     linear_expression(arena, linear_add(arena, place, linear_constant((AHEAD + byte) * 8 / bits))));
}

/* The sum of a row of `a` with one row of b; see add_vector. Groups of k are summed by dots. */
static const struct expression *sum_along(struct kernel *k, const struct contraction *x, struct array *a,
                                          struct linear a_at, bool alike, const struct position *at) {
  const enum type type = contract_type(x);
  struct arena *arena = k->arena;
  const int lanes = x->s->target->lanes, depth = k->depth;
  const struct pace pace = pace_of(x);
  const int64_t whole = pace.runs * pace.run, rest = x->depth.extent / x->group - whole;
  const int wide = SUM_LANES / lanes, vectors = pace.outer * pace.inner,
            sums = wide * (!whole                 ? 1
                           : vectors > DOT_UNROLL ? DOT_UNROLL
                                                  : vectors);
  struct array *sum = kernel_array(k, "sum", type, MEMORY_REGISTER, (int64_t)sums * lanes);
  struct linear slot = linear_scale(arena, unrolled(k, "u", sums), lanes);
  slot = linear_add(arena, slot, kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1));
  kernel_store(k, sum, slot, expression_number(arena, type, 0));
  kernel_close_to(k, depth);
  if (whole) {
    struct linear first = linear_constant(0);
    if (pace.runs > pace.outer)
      first = kernel_loop(k, LOOP_SERIAL, "run", expression_index(arena, pace.runs), pace.runs, pace.outer);
    first = linear_scale(arena, first, pace.run);
    int64_t step = (int64_t)pace.inner * SUM_LANES;
    if (pace.repeats > 1)
      first =
          linear_add(arena, first, kernel_loop(k, LOOP_SERIAL, "k", expression_index(arena, pace.run), pace.run, step));
    else
      step *= pace.outer;
    if (!alike) fetch_ahead(k, x, at, linear_scale(arena, first, x->group), step * x->group);
    struct linear r = unrolled(k, "r", pace.outer);
    first = linear_add(arena, first, linear_scale(arena, r, pace.run));
    struct linear u = unrolled(k, "u", pace.inner * wide);
    slot = linear_add(arena, linear_scale(arena, r, (int64_t)pace.inner * wide), u);
    slot = linear_scale(arena, linear_mod(arena, slot, sums), lanes);
    u = linear_scale(arena, u, lanes);
    add_vector(k, x, a, a_at, alike, at, sum, slot, linear_add(arena, first, u), lanes);
    kernel_close_to(k, depth);
  }
  for (int64_t done = 0; done < rest; done += lanes) {
    const int64_t count = rest - done < lanes ? rest - done : lanes;
    add_vector(k, x, a, a_at, alike, at, sum, linear_constant(done), linear_constant(whole + done), count);
    kernel_close_to(k, depth);
  }
  return kernel_fold(k, OP_add, sum, sums);
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

/* The bytes of b that a task reads one after the other. */
static double bytes_of_b(const struct contraction *x) {
  const enum storage storage = x->b.buffer ? x->b.buffer->storage : STORAGE_REAL;
  return contract_usual(&x->column) * (double)x->depth.extent * storage_facts[storage].bits / 8;
}

static bool is_shared(const struct contraction *x, int64_t tasks) {
  const double products = contract_usual(&x->row) * contract_usual(&x->column) * (double)x->depth.extent;
  const double around = (double)contract_tasks(x);
  return tasks > 1 && (2 * around * products >= PARALLEL_FLOPS || around * bytes_of_b(x) >= DOT_BYTES);
}

/* Opens the loop over the columns of a task; `count` of them, DOT_COLUMNS at most. */
static struct linear columns_of(struct kernel *k, const struct contraction *x, struct linear first,
                                const struct expression *count) {
  if (x->column.axis->size)
    return kernel_loop(k, LOOP_SERIAL, "column", contract_extent(k, &x->column), x->column.extent, 1);
  return linear_add(k->arena, first, kernel_loop(k, LOOP_SERIAL, "column", count, DOT_COLUMNS, 1));
}

static struct linear rows_of(struct kernel *k, const struct contraction *x) {
  if (x->row.extent == 1 && !x->row.axis->size) return linear_constant(0);
  return kernel_loop(k, LOOP_SERIAL, "row", contract_extent(k, &x->row), x->row.extent, 1);
}

/* One result: the sum of the row of a and the row of b that `at` is at. */
static const struct expression *result_of(struct kernel *k, const struct contraction *x, const struct copied *copied,
                                          struct linear row, const struct expression *excess,
                                          const struct position *at) {
  struct arena *arena = k->arena;
  const struct expression *sum =
      copied->rows ? sum_along(k, x, copied->rows, linear_scale(arena, row, x->depth.extent), false, at)
                   : sum_along(k, x, at->a, at->a_at, false, at);
  if (excess) sum = expression_apply(arena, OP_sub, sum, excess, NULL);
  if (!at->begins) return sum;
  const struct expression *initial = expression_load(arena, at->initial, linear_expression(arena, at->initial_at));
  return expression_apply(arena, OP_add, sum, initial, NULL);
}

void contract_dot(struct contraction *x) {
  struct arena *arena = x->s->arena;
  struct position at;
  x->packing = PACK_NOT;
  x->width = 0;
  struct kernel *k = contract_kernel(x, &at);
  k->form = FORM_DOT;
  const bool sized = x->column.axis->size != NULL;
  const int64_t blocks = sized ? 1 : divide_up(x->column.extent, DOT_COLUMNS), tasks = blocks * contract_tasks(x);
  struct linear task = linear_constant(0), block = task;
  if (tasks > 1) {
    task = kernel_loop(k, is_shared(x, tasks) ? LOOP_PARALLEL : LOOP_SERIAL, "task", expression_index(arena, tasks),
                       tasks, 1);
    if (blocks > 1) block = linear_mod(arena, task, blocks), task = linear_quotient(arena, task, blocks);
  }
  block = kernel_named(k, "block", block);
  contract_around(k, x, task, &at);
  const struct copied copied = copy_rows(k, x, &at);
  const struct linear first = linear_scale(arena, block, DOT_COLUMNS);
  const struct expression *count =
      expression_index(arena, x->column.extent < DOT_COLUMNS ? x->column.extent : DOT_COLUMNS);
  const bool whole = x->column.extent % DOT_COLUMNS == 0;
  if (blocks > 1 && !whole) {
    const struct expression *left = expression_apply(arena, OP_sub, expression_index(arena, x->column.extent),
                                                     linear_expression(arena, first), NULL);
    count = expression_apply(arena, OP_min, left, count, NULL);
  }
  /* Sums that no memory takes wait in an array for what goes on from them. */
  if (x->sums_pass) at.c = kernel_array(k, "sums", contract_type(x), MEMORY_STACK, x->row.extent * DOT_COLUMNS);
  const int around = k->depth;
  struct position own = at;
  const struct linear column = columns_of(k, x, first, count);
  contract_add_offsets(arena, &x->column, column, &own);
  if (x->bitmap) contract_expand(k, x, &own);
  const struct expression *excess = NULL;
  if (copied.offsets) {
    excess = sum_along(k, x, copied.offsets, linear_constant(0), true, &own);
    excess = kernel_let(k, k->depth, "excess", excess).x;
  }
  struct linear row = rows_of(k, x);
  contract_add_offsets(arena, &x->row, row, &own);
  struct linear place = own.c_at;
  if (x->sums_pass)
    place = linear_add(arena, linear_scale(arena, row, DOT_COLUMNS),
                       linear_add(arena, column, linear_scale(arena, first, -1)));
  const struct expression *result = result_of(k, x, &copied, row, excess, &own);
  kernel_store(k, own.c, place, result);
  kernel_close_to(k, around);
  if (x->ends) {
    row = rows_of(k, x);
    x->width = DOT_COLUMNS;
    at.sums_at = linear_scale(arena, row, DOT_COLUMNS);
    contract_end(k, x, &at, row, 1, first, whole ? NULL : count);
  }
  kernel_close_to(k, 0);
  kernel_finish(k);
}
