/* Contractions by register tiles: loops of tasks, blocks and pieces around the helpers of schedule_tile.c. */
#include "passes/contract.h"

static void push_pointer(struct arena *arena, struct statement *call, struct array *array, struct linear at) {
  array_push(arena, &call->arguments, (struct argument){array, linear_expression(arena, at)});
}

static void push_number(struct arena *arena, struct statement *call, const struct expression *x) {
  array_push(arena, &call->arguments, (struct argument){NULL, x});
}

/* Whether the sums are memory that no cache of a core holds until it is read. */
static bool is_far(const struct contraction *x) {
  enum { FAR_BYTES = 1 << 21 };
  return !x->sums_pass && !x->ends && x->c.buffer->count * (storage_facts[x->c.buffer->storage].bits / 8) >= FAR_BYTES;
}

/* Multiplies a tile by instructions on whole tiles, which go on from what c holds: what the sums begin from is copied there first. */
static void multiply_matrix(struct kernel *k, const struct contraction *x, const struct position *at, struct linear row,
                            struct linear panel, struct linear local_panel, int rows,
                            const struct expression *columns) {
  struct arena *arena = k->arena;
  const int before = k->depth, lanes = x->s->target->lanes;
  const struct linear column = linear_scale(arena, panel, x->width);
  const struct expression *begun = at->added ? at->added : expression_index(arena, at->begins);
  struct linear a_at = linear_constant(0), c_at = linear_constant(0);
  if (!x->a_copied) a_at = linear_add(arena, at->a_at, linear_scale(arena, row, x->row.a));
  if (!x->sums_pass) c_at = linear_add(arena, at->c_at, linear_add(arena, linear_scale(arena, row, x->row.c), column));
  const int64_t c_row = x->sums_pass ? x->width : x->row.c;
  if (!columns) columns = expression_index(arena, x->width);
  if (at->begins && !at->added) {
    struct linear r = linear_constant(0);
    if (rows > 1) r = kernel_loop(k, LOOP_SERIAL, "r", expression_index(arena, rows), rows, 1);
    struct linear first = kernel_loop(k, LOOP_SERIAL, "column", columns, x->width, lanes);
    struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
    const struct expression *left = expression_apply(arena, OP_sub, columns, linear_expression(arena, first), NULL);
    if (columns->kind != EXPRESSION_NUMBER || (int64_t)columns->number % lanes)
      lane = kernel_lanes_below(k, lane, left, lanes);
    const struct linear within = linear_add(arena, first, lane);
    struct linear from = linear_add(arena, linear_scale(arena, linear_add(arena, row, r), at->initial_row), column);
    from = linear_add(arena, at->initial_at, linear_add(arena, from, within));
    kernel_store(k, at->c, linear_add(arena, linear_add(arena, c_at, linear_scale(arena, r, c_row)), within),
                 expression_load(arena, at->initial, linear_expression(arena, from)));
    kernel_close_to(k, before);
  }
  const struct linear b_at = linear_add(arena, at->b_at, linear_scale(arena, local_panel, at->panel_stride));
  const struct argument arguments[MULTIPLY_ARGUMENTS] = {
      [MULTIPLY_C] = {at->c, linear_expression(arena, c_at)},
      [MULTIPLY_C_ROW] = {NULL, expression_index(arena, c_row)},
      [MULTIPLY_A] = {at->a, linear_expression(arena, a_at)},
      [MULTIPLY_A_ROW] = {NULL, expression_index(arena, x->a_copied ? at->depth_bound : x->row.a)},
      [MULTIPLY_B] = {at->b, linear_expression(arena, b_at)},
      [MULTIPLY_B_STEP] = {NULL, expression_index(arena, at->b_step)},
      [MULTIPLY_ROWS] = {NULL, expression_index(arena, rows)},
      [MULTIPLY_COLUMNS] = {NULL, columns},
      [MULTIPLY_DEPTH] = {NULL, at->depth},
      [MULTIPLY_BEGUN] = {NULL, begun},
      [MULTIPLY_FAR] = {NULL, expression_index(arena, is_far(x))}};
  block_multiply(arena, kernel_block(k), arguments);
}

/* Multiplies a tile by the helper that all contractions share. */
static void multiply_tile(struct kernel *k, const struct contraction *x, const struct position *at, struct linear row,
                          struct linear panel, struct linear local_panel, int rows, const struct expression *columns) {
  struct arena *arena = k->arena;
  int vectors = x->vectors, lanes = x->s->target->lanes;
  /* A tail needs no more vectors than it has columns. */
  if (columns && columns->kind == EXPRESSION_NUMBER) vectors = (int)divide_up((int64_t)columns->number, lanes);
  /* Where sums are new and pass, there is no memory of theirs to begin from. The panel stands for it where it is of their type. */
  const bool is_new = x->sums_pass && !at->begins, begins_at_zero = is_new && at->b->storage != at->c->storage;
  const struct tile tile = {.rows = rows,
                            .vectors = vectors,
                            .guarded = columns != NULL,
                            .type = contract_type(x),
                            .group = x->group,
                            .a = at->a->storage,
                            .b = at->b->storage,
                            .begins_at_zero = begins_at_zero,
                            .excess = at->excess != NULL};
  struct statement *call = block_call(arena, kernel_block(k), tile_helper(x->s, tile));
  struct linear column = linear_scale(arena, panel, x->width);
  if (x->a_copied) {
    push_pointer(arena, call, at->a, linear_constant(0));
    push_number(arena, call, expression_index(arena, at->depth_bound));
    push_number(arena, call, expression_index(arena, x->group));
  } else {
    push_pointer(arena, call, at->a, linear_add(arena, at->a_at, linear_scale(arena, row, x->row.a)));
    push_number(arena, call, expression_index(arena, x->row.a));
    push_number(arena, call, expression_index(arena, x->depth.a * x->group));
  }
  push_pointer(arena, call, at->b, linear_add(arena, at->b_at, linear_scale(arena, local_panel, at->panel_stride)));
  push_number(arena, call, expression_index(arena, at->b_step));
  const struct expression *group = expression_index(arena, x->group);
  push_number(arena, call, x->group == 1 ? at->depth : expression_apply(arena, OP_quotient, at->depth, group, NULL));
  const int64_t c_row = x->sums_pass ? x->width : x->row.c;
  struct linear c_at = linear_constant(0);
  if (!x->sums_pass) c_at = linear_add(arena, at->c_at, linear_add(arena, linear_scale(arena, row, x->row.c), column));
  if (at->begins && !at->added) {
    struct linear offset = linear_add(arena, linear_scale(arena, row, at->initial_row), column);
    push_number(arena, call, expression_index(arena, 1));
    push_pointer(arena, call, at->initial, linear_add(arena, at->initial_at, offset));
    push_number(arena, call, expression_index(arena, at->initial_row));
  } else if (is_new && !begins_at_zero) {
    push_number(arena, call, expression_index(arena, 0));
    push_pointer(arena, call, at->b, linear_constant(0));
    push_number(arena, call, expression_index(arena, 0));
  } else if (!begins_at_zero) {
    push_number(arena, call, at->added ? at->added : expression_index(arena, 0));
    push_pointer(arena, call, at->c, c_at);
    push_number(arena, call, expression_index(arena, c_row));
  }
  push_pointer(arena, call, at->c, c_at);
  push_number(arena, call, expression_index(arena, c_row));
  if (at->excess)
    push_pointer(arena, call, at->excess, linear_add(arena, at->excess_at, linear_scale(arena, local_panel, x->width)));
  if (columns) push_number(arena, call, columns);
}

/* What is done for one tile: the product, then what goes on from it, or one of the two. */
enum work { MULTIPLY = 1, END = 2 };

static void do_tile(struct kernel *k, const struct contraction *x, const struct position *at, enum work work,
                    struct linear row, struct linear panel, struct linear local_panel, int rows,
                    const struct expression *columns) {
  struct position own = *at;
  if (x->sums_pass) own.c = kernel_array(k, "sums", contract_type(x), MEMORY_STACK, rows * x->width);
  if (work & MULTIPLY && x->matrix) multiply_matrix(k, x, &own, row, panel, local_panel, rows, columns);
  if (work & MULTIPLY && !x->matrix) multiply_tile(k, x, &own, row, panel, local_panel, rows, columns);
  if (work & END) contract_end(k, x, &own, row, rows, linear_scale(k->arena, panel, x->width), columns);
}

/* How many of the first `panels` panels the n block number `block` has. */
static const struct expression *panels_of_block(struct arena *arena, const struct contraction *x, struct linear block,
                                                int64_t panels) {
  const struct expression *count = expression_index(arena, x->blocks_n == 1 ? panels : x->block_panels);
  const struct expression *all = expression_index(arena, panels),
                          *needed = stream_needed(x->column.stream, x->column.axis);
  if (!needed && (x->blocks_n == 1 || x->blocks_n * x->block_panels == panels)) return count;
  if (needed) {
    const struct expression *width = expression_index(arena, x->width);
    needed = expression_apply(arena, OP_add, needed, expression_index(arena, x->width - 1), NULL);
    needed = expression_apply(arena, OP_quotient, needed, width, NULL);
    all = panels * x->width < x->column.extent ? expression_apply(arena, OP_min, needed, all, NULL) : needed;
  }
  const struct linear first = linear_scale(arena, block, x->block_panels);
  const struct expression *left = expression_apply(arena, OP_sub, all, linear_expression(arena, first), NULL);
  return x->blocks_n == 1 ? left : expression_apply(arena, OP_min, left, count, NULL);
}

/* All panels of the n block number `block`, for the rows of one tile. */
static void panels_of_tile(struct kernel *k, const struct contraction *x, const struct position *at, enum work work,
                           struct linear row, int rows, struct linear block) {
  struct arena *arena = k->arena;
  int depth = k->depth;
  struct linear first = linear_scale(arena, block, x->block_panels);
  const bool local = x->packing == PACK_TASK || x->widened;
  if (x->column.axis->size) {
    const struct expression *extent = kernel_extent(k, x->column.axis), *width = expression_index(arena, x->width);
    const struct expression *rounded =
        expression_apply(arena, OP_add, extent, expression_index(arena, x->width - 1), NULL);
    struct linear panel =
        kernel_loop(k, LOOP_SERIAL, "panel", expression_apply(arena, OP_quotient, rounded, width, NULL), x->panels, 1);
    const struct expression *left =
        expression_apply(arena, OP_sub, extent, linear_expression(arena, linear_scale(arena, panel, x->width)), NULL);
    do_tile(k, x, at, work, row, panel, panel, rows, expression_apply(arena, OP_min, left, width, NULL));
    kernel_close_to(k, depth);
    return;
  }
  int64_t whole = x->panels - (x->tail_columns ? 1 : 0);
  if (whole > 0) {
    const int64_t bound = x->blocks_n == 1 ? whole : x->block_panels;
    const struct expression *count = panels_of_block(arena, x, block, whole);
    struct linear number = linear_constant(0);
    if (bound > 1 || count->kind != EXPRESSION_NUMBER) number = kernel_loop(k, LOOP_SERIAL, "panel", count, bound, 1);
    struct linear panel = linear_add(arena, first, number);
    do_tile(k, x, at, work, row, panel, local ? number : panel, rows, NULL);
    kernel_close_to(k, depth);
  }
  if (x->tail_columns) {
    struct linear panel = linear_constant(whole), local_panel = panel;
    if (local) local_panel = linear_constant(whole % x->block_panels);
    if (x->blocks_n > 1)
      kernel_if(k, expression_apply(arena, OP_eq, linear_expression(arena, block),
                                    expression_index(arena, x->blocks_n - 1), NULL));
    const struct expression *needed = stream_needed(x->column.stream, x->column.axis);
    if (needed) kernel_if(k, expression_apply(arena, OP_lt, expression_index(arena, whole * x->width), needed, NULL));
    do_tile(k, x, at, work, row, panel, local_panel, rows, expression_index(arena, x->tail_columns));
    kernel_close_to(k, depth);
  }
}

/* The rows of one tile: those of a that are computed are computed first, for all panels. */
static void rows_of_tile(struct kernel *k, const struct contraction *x, const struct position *at, enum work work,
                         struct linear row, int rows, struct linear block) {
  const int depth = k->depth;
  struct position own = *at;
  /* Rows that no block before needed hold no sums yet. */
  if (at->added && stream_needed(x->row.stream, x->row.axis)) {
    const struct expression *old = linear_expression(k->arena, x->s->stream->first);
    own.added = expression_apply(k->arena, OP_where,
                                 expression_apply(k->arena, OP_lt, linear_expression(k->arena, row), old, NULL),
                                 expression_index(k->arena, 1), expression_index(k->arena, 0));
  }
  if (x->a_copied && work & MULTIPLY) {
    own.a = kernel_array(k, "a_rows", contract_type(x), MEMORY_STACK, rows * at->depth_bound);
    own.a->storage = x->a_storage;
    pack_rows(k, x, at, own.a, row, expression_index(k->arena, rows), rows, at->k_first, at->depth, at->depth_bound);
  }
  panels_of_tile(k, x, &own, work, row, rows, block);
  kernel_close_to(k, depth);
}

/* The first row behind whole tiles, where there are as many rows as a run-time size says; and how many follow. */
static struct linear rows_behind_tiles(struct kernel *k, const struct contraction *x, const struct expression **rest) {
  struct arena *arena = k->arena;
  const struct expression *extent = kernel_extent(k, x->row.axis);
  *rest = expression_apply(arena, OP_mod, extent, expression_index(arena, x->rows), NULL);
  return linear_from(arena, expression_apply(arena, OP_sub, extent, *rest, NULL), 0, x->row.extent - 1, 0);
}

/* As many rows as the stream's blocks have so far, by tiles for one block after the other. */
static void tiles_of_needed(struct kernel *k, const struct contraction *x, const struct position *at, enum work work,
                            const struct expression *needed, struct linear block_n) {
  struct arena *arena = k->arena;
  const int64_t rows = x->s->stream->rows, tiles = rows / x->rows, tail = rows % x->rows;
  const int depth = k->depth;
  struct linear first = linear_constant(0), tile = first;
  if (tail) {
    const struct expression *blocks = expression_apply(arena, OP_quotient, needed, expression_index(arena, rows), NULL);
    first = linear_scale(arena, kernel_loop(k, LOOP_SERIAL, "rows", blocks, x->row.extent / rows, 1), rows);
  }
  const int inner = k->depth;
  const struct expression *count =
      tail ? expression_index(arena, tiles)
           : expression_apply(arena, OP_quotient, needed, expression_index(arena, x->rows), NULL);
  if (tiles > 1 || !tail) tile = kernel_loop(k, LOOP_SERIAL, "tile", count, tail ? tiles : x->tiles, 1);
  const struct linear row = linear_add(arena, first, linear_scale(arena, tile, x->rows));
  if (tiles) rows_of_tile(k, x, at, work, row, x->rows, block_n);
  kernel_close_to(k, inner);
  if (tail)
    rows_of_tile(k, x, at, work, linear_add(arena, first, linear_constant(tiles * x->rows)), (int)tail, block_n);
  kernel_close_to(k, depth);
}

static void tiles_of_block(struct kernel *k, const struct contraction *x, const struct position *at, enum work work,
                           struct linear block_m, struct linear block_n) {
  struct arena *arena = k->arena;
  int depth = k->depth;
  const struct expression *needed = stream_needed(x->row.stream, x->row.axis);
  if (needed) {
    tiles_of_needed(k, x, at, work, needed, block_n);
    return;
  }
  if (x->row.axis->size && x->by_columns && work == END) {
    struct linear row = kernel_loop(k, LOOP_SERIAL, "row", kernel_extent(k, x->row.axis), x->row.extent, 1);
    rows_of_tile(k, x, at, work, row, 1, block_n);
    kernel_close_to(k, depth);
    return;
  }
  if (x->row.axis->size) {
    const struct expression *extent = kernel_extent(k, x->row.axis), *rows = expression_index(arena, x->rows);
    struct linear tile =
        kernel_loop(k, LOOP_SERIAL, "tile", expression_apply(arena, OP_quotient, extent, rows, NULL), x->tiles, 1);
    rows_of_tile(k, x, at, work, linear_scale(arena, tile, x->rows), x->rows, block_n);
    kernel_close_to(k, depth);
    if (x->rows == 1 || x->by_columns) return;
    const struct expression *rest;
    struct linear row = rows_behind_tiles(k, x, &rest);
    row = linear_add(arena, row, kernel_loop(k, LOOP_SERIAL, "row", rest, x->rows - 1, 1));
    rows_of_tile(k, x, at, work, row, 1, block_n);
    kernel_close_to(k, depth);
    return;
  }
  struct linear first = linear_scale(arena, block_m, x->block_tiles);
  if (x->tiles > 0) {
    const struct expression *count = expression_index(arena, x->block_tiles);
    if (x->tiles % x->block_tiles) {
      const struct expression *left =
          expression_apply(arena, OP_sub, expression_index(arena, x->tiles), linear_expression(arena, first), NULL);
      count = expression_apply(arena, OP_min, left, count, NULL);
    }
    struct linear tile = linear_constant(0);
    if (x->block_tiles > 1) tile = kernel_loop(k, LOOP_SERIAL, "tile", count, x->block_tiles, 1);
    rows_of_tile(k, x, at, work, linear_scale(arena, linear_add(arena, first, tile), x->rows), x->rows, block_n);
    kernel_close_to(k, depth);
  }
  if (x->tail_rows) {
    if (x->blocks_m > 1)
      kernel_if(k, expression_apply(arena, OP_eq, linear_expression(arena, block_m),
                                    expression_index(arena, x->blocks_m - 1), NULL));
    rows_of_tile(k, x, at, work, linear_constant(x->tiles * x->rows), (int)x->tail_rows, block_n);
    kernel_close_to(k, depth);
  }
}

/* Copies the panels of the block from packed memory, where they are narrow, to `to` as reals: as many rows as the piece of k has. */
static void widen_panels(struct kernel *k, const struct contraction *x, const struct position *at, struct array *to,
                         struct linear block) {
  struct arena *arena = k->arena;
  const int before = k->depth, lanes = x->s->target->lanes;
  const struct expression *count = panels_of_block(arena, x, block, x->panels);
  struct linear panel = linear_constant(0);
  if (x->block_panels > 1) panel = kernel_loop(k, LOOP_SERIAL, "panel", count, x->block_panels, 1);
  const struct expression *elements =
      expression_apply(arena, OP_mul, at->depth, expression_index(arena, x->width), NULL);
  struct linear i = kernel_loop(k, LOOP_SERIAL, "i", elements, at->panel_stride, lanes);
  i = linear_add(arena, i, kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1));
  i = linear_add(arena, i, linear_scale(arena, panel, at->panel_stride));
  const struct linear from =
      linear_add(arena, at->b_at, linear_scale(arena, block, x->block_panels * at->panel_stride));
  const struct expression *narrow = expression_load(arena, at->b, linear_expression(arena, linear_add(arena, from, i)));
  kernel_store(k, to, i, narrow->type == to->type ? narrow : expression_convert(arena, to->type, narrow));
  kernel_close_to(k, before);
}

/* One piece of k, which begins at `k_first` and is `depth` long; `added` as in struct position. */
static void piece_of_block(struct kernel *k, const struct contraction *x, struct position at, enum work work,
                           struct linear k_first, const struct expression *depth, int64_t bound, struct linear block_m,
                           struct linear block_n, const struct expression *added) {
  struct arena *arena = k->arena;
  at.depth = depth;
  if (!x->a_copied) at.a_at = linear_add(arena, at.a_at, linear_scale(arena, k_first, x->depth.a));
  at.k_first = k_first;
  at.depth_bound = bound;
  at.added = added;
  switch (x->packing) {
    case PACK_NOT:
      at.b_at = linear_add(arena, at.b_at, linear_scale(arena, k_first, x->depth.b));
      break;
    case PACK_BUFFER: {
      at.panel_stride = bound * x->width;
      at.b_at = linear_add(arena, at.b_at, linear_scale(arena, k_first, x->panels * x->width));
      at.excess_at = linear_scale(arena, linear_quotient(arena, k_first, x->k_piece), x->panels * x->width);
      if (!x->widened) break;
      struct array *reals =
          kernel_array(k, "widened", contract_type(x), MEMORY_STACK, x->block_panels * at.panel_stride);
      widen_panels(k, x, &at, reals, block_n);
      at.b = reals;
      at.b_at = linear_constant(0);
      break;
    }
    case PACK_TASK: {
      struct array *packed =
          kernel_array(k, "packed", storage_kind(x->b_storage) == KIND_REAL ? TYPE_REAL : TYPE_INTEGER, MEMORY_STACK,
                       x->block_panels * x->width * bound);
      packed->storage = x->b_storage;
      if (x->offset) at.excess = kernel_array(k, "excess", contract_type(x), MEMORY_STACK, x->block_panels * x->width);
      pack_panels(k, x, &at, packed, at.excess, linear_scale(arena, block_n, x->block_panels),
                  panels_of_block(arena, x, block_n, x->panels), x->block_panels, k_first, depth, bound);
      at.b = packed;
      at.b_at = linear_constant(0);
      at.b_step = x->width * x->group;
      at.panel_stride = bound * x->width;
      break;
    }
  }
  tiles_of_block(k, x, &at, work, block_m, block_n);
}

/* Axes of the sum that did not merge are loops around the tiles, whose every turn adds to c. So c is filled first: with
   zeros, or with what the contraction begins from. */
static void begin_sums(struct kernel *k, const struct contraction *x, struct position *at) {
  struct arena *arena = k->arena;
  int depth = k->depth;
  struct linear row = linear_constant(0);
  if (x->row.extent > 1 || x->row.axis->size)
    row = kernel_loop(k, LOOP_SERIAL, "row", contract_extent(k, &x->row), x->row.extent, 1);
  struct linear column = kernel_loop(k, LOOP_SERIAL, "column", contract_extent(k, &x->column), x->column.extent, 1);
  const struct expression *start = expression_number(arena, contract_type(x), 0);
  if (at->begins) {
    struct linear offset = linear_add(arena, linear_scale(arena, row, at->initial_row), column);
    start = expression_load(arena, at->initial, linear_expression(arena, linear_add(arena, at->initial_at, offset)));
  }
  kernel_store(k, at->c, linear_add(arena, at->c_at, linear_add(arena, linear_scale(arena, row, x->row.c), column)),
               start);
  kernel_close_to(k, depth);
  for (int i = 0; i < x->k.count; i++) {
    const struct dimension *dimension = &x->k.items[i];
    struct linear along = kernel_loop(k, LOOP_SERIAL, name_identifier(arena, dimension->axis->name),
                                      contract_extent(k, dimension), dimension->extent, 1);
    contract_add_offsets(arena, dimension, along, at);
  }
}

/* The product of the task's blocks, piece by piece of k. `summed`: 1 where c holds something already, else NULL. */
static void pieces_of_blocks(struct kernel *k, const struct contraction *x, struct position at, struct linear block_m,
                             struct linear block_n, const struct expression *summed) {
  struct arena *arena = k->arena;
  const struct expression *always = expression_index(arena, 1);
  const int64_t pieces = x->depth.axis->size ? 1 : divide_up(x->depth.extent, x->k_piece);
  if (pieces == 1) {
    const enum work work = x->ends && !summed && !x->by_columns ? MULTIPLY | END : MULTIPLY;
    piece_of_block(k, x, at, work, linear_constant(0), contract_extent(k, &x->depth),
                   contract_padded(x, x->depth.extent), block_m, block_n, summed);
    return;
  }
  int64_t begun = at.begins || summed ? 1 : 0;
  if (begun)
    piece_of_block(k, x, at, MULTIPLY, linear_constant(0), expression_index(arena, x->k_piece), x->k_piece, block_m,
                   block_n, summed);
  struct linear piece = linear_constant(0);
  if (pieces - begun > 1)
    piece = kernel_loop(k, LOOP_SERIAL, "piece", expression_index(arena, pieces - begun), pieces - begun, 1);
  piece = linear_add(arena, piece, linear_constant(begun));
  struct linear first = linear_scale(arena, piece, x->k_piece);
  const struct expression *depth = expression_index(arena, x->k_piece);
  if (x->depth.extent % x->k_piece) {
    const struct expression *left =
        expression_apply(arena, OP_sub, contract_extent(k, &x->depth), linear_expression(arena, first), NULL);
    depth = expression_apply(arena, OP_min, left, depth, NULL);
  }
  piece_of_block(k, x, at, MULTIPLY, first, depth, x->k_piece, block_m, block_n,
                 begun ? always : linear_expression(arena, piece));
}

/* Whether all blocks of a stream multiply by the same b, which a task can then pack once. It lies on the stack, which has limits. */
static bool can_pack_ahead(const struct kernel *k, const struct contraction *x) {
  enum { MOST_AHEAD = 1 << 16 };
  const struct stream *stream = x->s->stream;
  if (!stream || !stream->block || x->packing != PACK_TASK || x->offset) return false;
  if (value_has_axis(x->b_value, stream->blocked) || x->batch.count || x->n.count || x->k.count) return false;
  return x->k_piece >= x->depth.extent && k->packed_ahead + x->panels * x->width * x->depth.extent <= MOST_AHEAD;
}

static void pack_ahead(struct kernel *k, struct contraction *x, struct position *at) {
  struct arena *arena = k->arena;
  const enum type type = storage_kind(x->b_storage) == KIND_REAL ? TYPE_REAL : TYPE_INTEGER;
  const int64_t count = x->panels * x->width * x->depth.extent;
  const struct ahead ahead = kernel_go_ahead(k);
  struct array *packed = kernel_array(k, "packed", type, MEMORY_STACK, count);
  packed->storage = x->b_storage;
  pack_panels(k, x, at, packed, NULL, linear_constant(0), expression_index(arena, x->panels), x->panels,
              linear_constant(0), expression_index(arena, x->depth.extent), x->depth.extent);
  kernel_go_back(k, &ahead);
  k->packed_ahead += count;
  x->packing = PACK_BUFFER;
  at->b = packed;
  at->b_at = linear_constant(0);
}

void contract_tiles(struct contraction *x) {
  struct arena *arena = x->s->arena;
  struct position at;
  struct kernel *k = contract_kernel(x, &at);
  k->form = FORM_TILES;
  if (can_pack_ahead(k, x)) pack_ahead(k, x, &at);
  if (x->packing == PACK_BUFFER) at.b_step = x->width * x->group;
  int64_t tasks = x->blocks_n * x->blocks_m * contract_tasks(x);
  double flops = 2.0 * (double)contract_tasks(x) * contract_usual(&x->row) * contract_usual(&x->column) *
                 contract_usual(&x->depth);
  struct linear task = linear_constant(0), block_m = task, block_n = task;
  if (tasks > 1) {
    task = kernel_loop(k, flops >= PARALLEL_FLOPS ? LOOP_PARALLEL : LOOP_SERIAL, "task", expression_index(arena, tasks),
                       tasks, 1);
    /* Panels that a task widens go by the same rows, one after the other; else rows go by the same panels. */
    if (x->widened && x->blocks_n > 1)
      block_n = linear_mod(arena, task, x->blocks_n), task = linear_quotient(arena, task, x->blocks_n);
    if (x->blocks_m > 1)
      block_m = linear_mod(arena, task, x->blocks_m), task = linear_quotient(arena, task, x->blocks_m);
    if (!x->widened && x->blocks_n > 1)
      block_n = linear_mod(arena, task, x->blocks_n), task = linear_quotient(arena, task, x->blocks_n);
  }
  block_m = kernel_named(k, "row_block", block_m);
  block_n = kernel_named(k, "column_block", block_n);
  contract_around(k, x, task, &at);
  const int around = k->depth;
  if (x->by_columns) {
    struct linear first = linear_constant(0);
    const struct expression *rows = expression_index(arena, x->row.extent);
    if (x->row.axis->size) {
      /* Nothing is packed where there are fewer rows than a tile has. */
      const struct expression *least = expression_index(arena, x->rows);
      if (x->packing == PACK_TASK)
        kernel_if(k, expression_apply(arena, OP_le, least, kernel_extent(k, x->row.axis), NULL));
      pieces_of_blocks(k, x, at, block_m, block_n, NULL);
      kernel_close_to(k, around);
      first = rows_behind_tiles(k, x, &rows);
    }
    contract_columns(k, x, &at, first, rows, block_n);
  } else {
    const struct expression *summed = x->k.count > 0 ? expression_index(arena, 1) : NULL;
    if (x->k.count > 0) begin_sums(k, x, &at);
    if (stream_adds(x->s->stream, x->value)) summed = x->s->stream->block;
    pieces_of_blocks(k, x, at, block_m, block_n, summed);
  }
  kernel_close_to(k, around);
  /* Where the sums come about piece by piece, the task goes on from them when all pieces are added. */
  if (x->ends && (x->by_columns || x->k.count > 0 || (!x->depth.axis->size && x->k_piece < x->depth.extent)))
    tiles_of_block(k, x, &at, END, block_m, block_n);
  kernel_close_to(k, k->base);
  kernel_finish(k);
}
