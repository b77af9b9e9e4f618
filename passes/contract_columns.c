/* Contractions with few rows, where the columns of b are contiguous: decoding by weights [in, out]. A register tile would go down a few
   columns and read a line or less of each row of b, which memory delivers at a third of its speed. So some rows of b are read side
   by side instead, for all columns of a task, and added to sums that lie in the nearest cache. The order of a sum is that of a tile. */
#include "passes/contract.h"

/* Rows of b that are read side by side are as many as elements fill SIDE_BYTES. Wide elements bind memory, which reads few streams best; narrow
   ones bind the processor, which then loads and stores sums less often. */
enum {
  TASKS = 8, /* at most, for threads to share */
  LEAST_COLUMNS = 192, /* of a task: memory delivers shorter runs more slowly */
  SIDE_BYTES = 16
};

int64_t contract_columns_of_task(const struct contraction *x) {
  const int64_t columns = divide_up(x->column.extent, TASKS), whole = divide_up(columns, x->width) * x->width;
  return whole < LEAST_COLUMNS ? divide_up(LEAST_COLUMNS, x->width) * x->width : whole;
}

/* What is the same for all of a task. */
struct columns {
  struct kernel *k;
  const struct contraction *x;
  const struct position *at;
  struct linear row; /* the first, and how many */
  const struct expression *rows;
  struct linear first; /* the task's first column */
  const struct expression *count; /* of its columns */
  int64_t bound; /* the most of `count` */
};

/* A vector of sums: where it lies among those of the task. */
struct sums {
  struct linear row, column;
};

static struct sums open_sums(const struct columns *c) {
  struct kernel *k = c->k;
  struct sums sums = {.row = c->row};
  if (c->x->row.axis->size || c->x->row.extent > 1)
    sums.row = linear_add(k->arena, c->row, kernel_loop(k, LOOP_SERIAL, "row", c->rows, FEW_ROWS - 1, 1));
  sums.column = kernel_loop(k, LOOP_SERIAL, "column", c->count, c->bound, c->x->s->target->lanes);
  return sums;
}

static bool is_guarded(const struct columns *c) { return c->x->column.extent % c->x->s->target->lanes != 0; }

/* Opens the loop over the lanes of a vector, and returns the number of their columns in b. */
static struct linear open_lanes(const struct columns *c, const struct sums *sums, struct linear *lane) {
  struct kernel *k = c->k;
  struct arena *arena = k->arena;
  const int lanes = c->x->s->target->lanes;
  *lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
  if (is_guarded(c)) {
    const struct expression *before = linear_expression(arena, sums->column);
    *lane = kernel_lanes_below(k, *lane, expression_apply(arena, OP_sub, c->count, before, NULL), lanes);
  }
  return linear_add(arena, c->first, linear_add(arena, sums->column, *lane));
}

static struct linear place_of_sum(const struct columns *c, const struct sums *sums, struct linear column) {
  struct arena *arena = c->k->arena;
  return linear_add(arena, c->at->c_at, linear_add(arena, linear_scale(arena, sums->row, c->x->row.c), column));
}

/* Sums begin from zero or from what the contraction begins from. */
static void begin_columns(const struct columns *c) {
  struct kernel *k = c->k;
  struct arena *arena = k->arena;
  const int before = k->depth;
  const struct sums sums = open_sums(c);
  struct linear lane, column = open_lanes(c, &sums, &lane);
  const struct expression *begin = expression_number(arena, contract_type(c->x), 0);
  if (c->at->begins) {
    const struct linear row = linear_scale(arena, sums.row, c->at->initial_row);
    const struct linear place = linear_add(arena, c->at->initial_at, linear_add(arena, row, column));
    begin = expression_load(arena, c->at->initial, linear_expression(arena, place));
  }
  kernel_store(k, c->at->c, place_of_sum(c, &sums, column), begin);
  kernel_close_to(k, before);
}

/* Fetches the row of b that is read `rows` later, for it lies too far away for processors to fetch it by themselves. */
static void fetch_row(const struct columns *c, struct linear step, struct linear column, int rows) {
  struct kernel *k = c->k;
  struct arena *arena = k->arena;
  const struct contraction *x = c->x;
  if (!x->b.buffer) return;
  struct array *b = x->b_computed ? kernel_pointer(k, x->b.buffer, false) : c->at->b;
  struct linear place = linear_scale(arena, linear_add(arena, step, linear_constant(rows)), x->depth.b);
  place = linear_add(arena, linear_add(arena, place, c->at->b_at), column);
  if (x->b_computed) place = linear_add(arena, place, linear_constant(x->b.offset));
  block_prefetch(arena, kernel_block(k), b, linear_expression(arena, place));
}

/* Adds the products with the rows [step, step + rows) of b. */
static void add_rows(const struct columns *c, struct linear step, int rows) {
  struct kernel *k = c->k;
  struct arena *arena = k->arena;
  const struct contraction *x = c->x;
  const enum type type = contract_type(x);
  const int before = k->depth, lanes = x->s->target->lanes;
  const struct sums sums = open_sums(c);
  const int inside = k->depth;
  struct array *sum = kernel_array(k, "sum", type, MEMORY_REGISTER, lanes);
  if (is_guarded(c)) { /* lanes that are no columns hold something, too */
    const struct linear all = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
    kernel_store(k, sum, all, expression_number(arena, type, 0));
    kernel_close_to(k, inside);
  }
  struct linear lane, column = open_lanes(c, &sums, &lane);
  kernel_store(k, sum, lane,
               expression_load(arena, c->at->c, linear_expression(arena, place_of_sum(c, &sums, column))));
  kernel_close_to(k, inside);
  struct linear r = linear_constant(0);
  if (rows > 1) r = kernel_loop(k, LOOP_UNROLLED, "r", expression_index(arena, rows), rows, 1);
  r = linear_add(arena, step, r);
  fetch_row(c, r, linear_add(arena, c->first, sums.column), rows);
  column = open_lanes(c, &sums, &lane);
  const struct linear place =
      linear_add(arena, linear_scale(arena, sums.row, x->row.a), linear_scale(arena, r, x->depth.a));
  const struct expression *left =
      expression_load(arena, c->at->a, linear_expression(arena, linear_add(arena, c->at->a_at, place)));
  const struct expression *right = contract_element_of_b(k, x, c->at, r, column);
  if (right->type != type) right = expression_convert(arena, type, right);
  const struct expression *old = expression_load(arena, sum, linear_expression(arena, lane));
  kernel_store(k, sum, lane, expression_fma(arena, left, right, old));
  kernel_close_to(k, inside);
  column = open_lanes(c, &sums, &lane);
  kernel_store(k, c->at->c, place_of_sum(c, &sums, column),
               expression_load(arena, sum, linear_expression(arena, lane)));
  kernel_close_to(k, before);
}

/* --- As a helper ------------------------------------------------------------------------------------------------------------ */

/* A function under construction: blocks of loops, and its numbers as expressions. */
struct helper {
  struct arena *arena;
  int lanes;
  const struct expression *rows, *columns;
};

/* Opens loops over the vectors of all rows, and sets the row and the element's column. */
static struct block *open_rows(const struct helper *h, struct block *block, const struct expression **row,
                               const struct expression **column, struct block **vectors) {
  struct arena *arena = h->arena;
  struct statement *rows = block_loop(arena, block, LOOP_SERIAL, "row", h->rows);
  struct statement *columns = block_loop(arena, &rows->body, LOOP_SERIAL, "column", h->columns);
  columns->step = columns->variable->multiple = h->lanes;
  *row = expression_variable(arena, rows->variable);
  *column = expression_variable(arena, columns->variable);
  return *vectors = &columns->body;
}

static struct block *open_vector(const struct helper *h, struct block *block, const struct expression **lane) {
  struct statement *lanes = block_loop(h->arena, block, LOOP_VECTOR, "lane", expression_index(h->arena, h->lanes));
  *lane = expression_variable(h->arena, lanes->variable);
  return &lanes->body;
}

static const struct expression *times(const struct helper *h, const struct expression *x, const struct expression *y) {
  return expression_apply(h->arena, OP_mul, x, y, NULL);
}

static const struct function *build_helper(struct scheduler *s, struct tile tile) {
  struct arena *arena = s->arena;
  const int side = tile.rows;
  const char *name = arena_format(arena, "columns_by_%d_rows%s%s", side, tile.b == STORAGE_REAL ? "" : "_",
                                  tile.b == STORAGE_REAL ? "" : storage_names[tile.b]);
  if (tile.begins_at_zero) name = arena_format(arena, "%s_new", name);
  struct function *f = function_new(arena, name_unique(s->names, name));
  f->is_helper = true;
  f->comment =
      arena_format(arena,
                   "c[row, column] = sum over k of a[row, k] b[k, column]%s, for few rows: %d rows of b are read "
                   "side by side",
                   tile.begins_at_zero ? "" : " + initial[row, column]", side);
  const enum type b_type = storage_kind(tile.b) == KIND_INTEGER ? TYPE_INTEGER : tile.type;
  struct array *a = function_add_pointer(arena, f, "a", tile.type, 0, false, NULL);
  const struct expression *a_row = expression_variable(arena, function_add_number(arena, f, "a_row", TYPE_INDEX));
  const struct expression *a_step = expression_variable(arena, function_add_number(arena, f, "a_step", TYPE_INDEX));
  struct array *bs = function_add_pointer(arena, f, "b", b_type, 0, false, NULL);
  bs->storage = tile.b;
  const struct expression *b_step = expression_variable(arena, function_add_number(arena, f, "b_step", TYPE_INDEX));
  const struct expression *k_count = expression_variable(arena, function_add_number(arena, f, "k_count", TYPE_INDEX));
  struct array *initial = NULL;
  const struct expression *initial_row = NULL;
  if (!tile.begins_at_zero) {
    initial = function_add_pointer(arena, f, "initial", tile.type, 0, false, NULL);
    initial_row = expression_variable(arena, function_add_number(arena, f, "initial_row", TYPE_INDEX));
  }
  struct array *c = function_add_pointer(arena, f, "c", tile.type, 0, true, NULL);
  const struct expression *c_row = expression_variable(arena, function_add_number(arena, f, "c_row", TYPE_INDEX));
  struct helper helper = {.arena = arena, .lanes = s->target->lanes}, *h = &helper;
  h->rows = expression_variable(arena, function_add_number(arena, f, "rows", TYPE_INDEX));
  h->columns = expression_variable(arena, function_add_number(arena, f, "columns", TYPE_INDEX));

  const struct expression *row, *column, *lane;
  struct block *vectors, *block = open_vector(h, open_rows(h, &f->body, &row, &column, &vectors), &lane);
  const struct expression *at = index_add(arena, column, lane), *begin = expression_number(arena, tile.type, 0);
  if (initial) begin = expression_load(arena, initial, index_add(arena, times(h, row, initial_row), at));
  block_store(arena, block, c, index_add(arena, times(h, row, c_row), at), begin);

  struct statement *steps = block_loop(arena, &f->body, LOOP_SERIAL, "k", k_count);
  steps->step = steps->variable->multiple = side;
  const struct expression *k = expression_variable(arena, steps->variable);
  open_rows(h, &steps->body, &row, &column, &vectors);
  struct array *sum = block_array(arena, vectors, "sum", tile.type, MEMORY_REGISTER, h->lanes);
  block = open_vector(h, vectors, &lane);
  const struct expression *c_at = index_add(arena, times(h, row, c_row), column);
  block_store(arena, block, sum, lane, expression_load(arena, c, index_add(arena, c_at, lane)));
  struct statement *r = block_loop(arena, vectors, LOOP_UNROLLED, "r", expression_index(arena, side));
  const struct expression *step = index_add(arena, k, expression_variable(arena, r->variable));
  const struct expression *b_at = index_add(arena, times(h, step, b_step), column);
  block_prefetch(arena, &r->body, bs, index_add(arena, b_at, index_multiply(arena, b_step, side)));
  const struct expression *left =
      expression_load(arena, a, index_add(arena, times(h, row, a_row), times(h, step, a_step)));
  block = open_vector(h, &r->body, &lane);
  const struct expression *right = expression_load(arena, bs, index_add(arena, b_at, lane));
  if (right->type != tile.type) right = expression_convert(arena, tile.type, right);
  block_store(arena, block, sum, lane, expression_fma(arena, left, right, expression_load(arena, sum, lane)));
  block = open_vector(h, vectors, &lane);
  block_store(arena, block, c, index_add(arena, c_at, lane), expression_load(arena, sum, lane));
  return f;
}

static const struct function *columns_helper(struct scheduler *s, struct tile tile) {
  for (int i = 0; i < s->columns.count; i++) {
    const struct tile *known = &s->columns.items[i].tile;
    if (known->rows == tile.rows && known->b == tile.b && known->begins_at_zero == tile.begins_at_zero)
      return s->columns.items[i].function;
  }
  const struct function *function = build_helper(s, tile);
  array_push(s->arena, &s->columns, (struct tile_entry){tile, function});
  array_push(s->module->arena, &s->module->functions, (struct function *)function);
  return function;
}

/* Calls the helper, where b lies in memory and there are whole vectors and whole turns alone. False where that is not so. */
static bool call_helper(const struct columns *c, int side) {
  struct kernel *k = c->k;
  struct arena *arena = k->arena;
  const struct contraction *x = c->x;
  if (x->b_computed || is_guarded(c) || x->depth.extent % side) return false;
  const struct tile tile = {
      .rows = side, .type = contract_type(x), .b = c->at->b->storage, .begins_at_zero = !c->at->begins};
  struct statement *call = block_call(arena, kernel_block(k), columns_helper(x->s, tile));
  const struct linear a_at = linear_add(arena, c->at->a_at, linear_scale(arena, c->row, x->row.a));
  const struct sums sums = {.row = c->row};
  struct argument arguments[] = {{c->at->a, linear_expression(arena, a_at)},
                                 {NULL, expression_index(arena, x->row.a)},
                                 {NULL, expression_index(arena, x->depth.a)},
                                 {c->at->b, linear_expression(arena, linear_add(arena, c->at->b_at, c->first))},
                                 {NULL, expression_index(arena, x->depth.b)},
                                 {NULL, expression_index(arena, x->depth.extent)},
                                 {c->at->initial, NULL},
                                 {NULL, expression_index(arena, c->at->initial_row)},
                                 {c->at->c, linear_expression(arena, place_of_sum(c, &sums, c->first))},
                                 {NULL, expression_index(arena, x->row.c)},
                                 {NULL, c->rows},
                                 {NULL, c->count}};
  enum { INITIAL = 6 };
  const struct linear row = linear_scale(arena, c->row, c->at->initial_row);
  arguments[INITIAL].expression =
      linear_expression(arena, linear_add(arena, c->at->initial_at, linear_add(arena, row, c->first)));
  for (int i = 0; i < (int)(sizeof arguments / sizeof *arguments); i++)
    if (c->at->begins || (i != INITIAL && i != INITIAL + 1)) array_push(arena, &call->arguments, arguments[i]);
  return true;
}

void contract_columns(struct kernel *k, const struct contraction *x, const struct position *at, struct linear row,
                      const struct expression *rows, struct linear block) {
  struct arena *arena = k->arena;
  const int64_t most = x->block_panels * x->width, extent = x->column.extent;
  struct columns c = {
      .k = k, .x = x, .at = at, .row = row, .rows = rows, .first = linear_scale(arena, block, most), .bound = most};
  c.count = expression_index(arena, most);
  if (x->blocks_n == 1) {
    c.count = expression_index(arena, extent), c.bound = extent;
  } else if (extent % most) {
    const struct expression *first = linear_expression(arena, c.first), *all = expression_index(arena, extent);
    c.count = expression_apply(arena, OP_min, expression_apply(arena, OP_sub, all, first, NULL), c.count, NULL);
    c.count = kernel_let(k, k->depth, "columns", c.count).x;
  }
  const int bits = x->b.buffer ? storage_facts[x->b.buffer->storage].bits : storage_facts[STORAGE_REAL].bits;
  const int side = SIDE_BYTES * 8 / (bits < 8 ? 8 : bits);
  if (call_helper(&c, side)) return;
  begin_columns(&c);
  const int64_t whole = x->depth.extent / side * side;
  const int before = k->depth;
  if (whole) {
    struct linear step = linear_constant(0);
    if (whole > side) step = kernel_loop(k, LOOP_SERIAL, "k", expression_index(arena, whole), whole, side);
    add_rows(&c, step, side);
    kernel_close_to(k, before);
  }
  if (x->depth.extent > whole) add_rows(&c, linear_constant(whole), (int)(x->depth.extent - whole));
  kernel_close_to(k, before);
}
