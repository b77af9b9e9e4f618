/* Contractions by register tiles: c[m, n] = sum over k of a[m, k] b[k, n], once for each element of the batch.

   The axes of the operands are first merged where they lie one inside the other, so that [batch, seq, embed] @embed
   [embed, hidden] has one m of batch * seq. The operand that has the result's innermost axis plays b. A is never copied. B is
   read where it lies when its n is contiguous and it is small or seldom used; else it is packed into panels, each as wide as
   a tile: once for all in a kernel of its own, or by each task for itself when tasks share no part of it. What is split
   between threads depends on the shape alone. */
#include <math.h>

#include "passes/schedule.h"

enum {
  K_WHOLE = 768,          /* the longest sum done in one go */
  K_PIECE = 384,          /* longer ones go in pieces of this */
  N_BLOCK = 192,          /* columns of b that stay in cache while a's rows go by */
  TASKS = 16,             /* wanted at least, so that any common number of threads shares them evenly */
  PACK_ELEMENTS = 1 << 13, /* a panel of b up to this is read in place */
  LOCAL_ELEMENTS = 1 << 16, /* a task's own packed b at most */
  SMALL_WORK = 1 << 12,   /* multiplications below which tiles are not worth their code */
  PARALLEL_FLOPS = 1 << 17
};

/* One dimension of the iteration space: axes merged, with the strides along it. */
struct dimension {
  const struct axis *axis; /* for its name, and its length when it has a run-time size */
  int64_t extent;
  int64_t a, b, c, initial;
};

struct group {
  struct dimension items[MAX_AXES];
  int count;
};

enum packing { PACK_NOT, PACK_TASK, PACK_BUFFER };

struct contraction {
  struct scheduler *s;
  const struct value *value;
  const struct value *a_value, *b_value;
  const struct value *named; /* the addition that the contraction is part of, or itself */
  struct place a, b, c;
  struct place initial; /* what is added to; no buffer: nothing */
  struct group batch, m, n, k; /* outermost first */
  struct dimension row, column, depth; /* the ones that tiles run over; the rest are loops around */
  int rows, vectors, width;
  enum packing packing;
  struct buffer *packed;
  int64_t k_piece;
  int64_t panels, tiles, tail_columns, tail_rows; /* when the extents are constants */
  int64_t block_panels, block_tiles, blocks_n, blocks_m;
};

static int64_t stride_of(const struct value *value, const struct place *place, const struct axis *axis) {
  for (int i = 0; i < value->axis_count; i++)
    if (value->axes[i] == axis) return place->strides[i];
  return 0;
}

static void add_dimension(struct group *group, struct dimension dimension) {
  if (dimension.extent == 1 && !dimension.axis->size) return;
  int at = group->count++;
  /* Larger strides outside: by the result's, then by the operands'. */
  while (at > 0) {
    const struct dimension *before = &group->items[at - 1];
    int64_t own = dimension.c ? dimension.c : dimension.a > dimension.b ? dimension.a : dimension.b;
    int64_t other = dimension.c ? before->c : before->a > before->b ? before->a : before->b;
    if (other >= own) break;
    group->items[at] = group->items[at - 1];
    at--;
  }
  group->items[at] = dimension;
}

static bool nests(int64_t outer, const struct dimension *inner, int64_t stride) { return outer == stride * inner->extent; }

static void merge_group(struct group *group) {
  for (int i = 0; i + 1 < group->count;) {
    struct dimension *outer = &group->items[i], *inner = &group->items[i + 1];
    if (!inner->axis->size && !outer->axis->size && nests(outer->a, inner, inner->a) && nests(outer->b, inner, inner->b) &&
        nests(outer->c, inner, inner->c) && nests(outer->initial, inner, inner->initial)) {
      inner->extent *= outer->extent;
      for (int j = i; j + 1 < group->count; j++) group->items[j] = group->items[j + 1];
      group->count--;
      if (i > 0) i--;
    } else {
      i++;
    }
  }
}

/* Takes one dimension out of a group, or a dimension of one element when it is empty. */
static struct dimension take(struct group *group, int index) {
  static const struct axis single = {.name = "one", .extent = 1};
  if (index < 0) return (struct dimension){.axis = &single, .extent = 1};
  struct dimension taken = group->items[index];
  for (int i = index; i + 1 < group->count; i++) group->items[i] = group->items[i + 1];
  group->count--;
  return taken;
}

static int largest(const struct group *group) {
  int best = group->count - 1;
  for (int i = group->count - 1; i >= 0; i--)
    if (group->items[i].extent > group->items[best].extent) best = i;
  return best;
}

static bool classify(struct contraction *x) {
  const struct value *value = x->value, *operands[2] = {value->inputs[0], value->inputs[1]};
  struct place places[2];
  for (int i = 0; i < 2; i++)
    if (!access_strided(x->s, operands[i], &places[i])) return false;
  const struct axis *innermost = NULL;
  for (int i = 0; i < value->axis_count; i++)
    if (x->c.strides[i] == 1 && (value->axes[i]->extent > 1 || value->axes[i]->size)) innermost = value->axes[i];
  if (!innermost) return false;
  bool in_first = value_has_axis(operands[0], innermost), in_second = value_has_axis(operands[1], innermost);
  if (in_first == in_second) return false;
  int b = in_second ? 1 : 0;
  x->a_value = operands[1 - b], x->b_value = operands[b];
  x->a = places[1 - b], x->b = places[b];
  for (int i = 0; i < value->axis_count; i++) {
    const struct axis *axis = value->axes[i];
    struct dimension dimension = {axis, axis->extent, stride_of(x->a_value, &x->a, axis), stride_of(x->b_value, &x->b, axis), x->c.strides[i],
                                  x->initial.strides[i]};
    bool in_a = value_has_axis(x->a_value, axis), in_b = value_has_axis(x->b_value, axis);
    add_dimension(in_a && in_b ? &x->batch : in_a ? &x->m : &x->n, dimension);
  }
  for (int i = 0; i < value->list_count; i++) {
    const struct axis *axis = value->list[i];
    add_dimension(&x->k, (struct dimension){axis, axis->extent, stride_of(x->a_value, &x->a, axis), stride_of(x->b_value, &x->b, axis), 0, 0});
  }
  merge_group(&x->batch), merge_group(&x->m), merge_group(&x->n), merge_group(&x->k);
  x->column = take(&x->n, x->n.count - 1);
  x->row = take(&x->m, largest(&x->m));
  x->depth = take(&x->k, largest(&x->k));
  return true;
}

/* A tile that fits the registers, wasting as little of the shape as can be. */
static void choose_tile(struct contraction *x) {
  const struct target *target = x->s->target;
  int lanes = target->lanes;
  int64_t vectors = (x->column.extent + lanes - 1) / lanes;
  x->vectors = target->tile_vectors;
  if (vectors < x->vectors) x->vectors = (int)vectors;
  else if (vectors % x->vectors && vectors % (x->vectors + 1) == 0 && target->registers >= 32) x->vectors++;
  int most = target->tile_rows * target->tile_vectors / x->vectors;
  if (most > target->registers / 2 - 2 && x->vectors == 1) most = target->registers / 2 - 2;
  if (most < target->tile_rows / 2) most = target->tile_rows / 2;
  if (most < 1) most = 1;
  x->rows = most;
  if (x->row.axis->size) {
    x->rows = most < 4 ? most : 4;
  } else if (x->row.extent < most) {
    x->rows = (int)x->row.extent;
  } else {
    for (int rows = most; rows * 3 >= most * 2 && rows > 0; rows--) {
      if (x->row.extent % rows) continue;
      x->rows = rows;
      break;
    }
  }
  x->width = x->vectors * lanes;
}

static int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

static double loops_around(const struct contraction *x) {
  double count = 1;
  const struct group *groups[] = {&x->batch, &x->m, &x->n};
  for (int g = 0; g < 3; g++)
    for (int i = 0; i < groups[g]->count; i++) count *= (double)groups[g]->items[i].extent;
  return count;
}

/* How b is read and how the work is split. False when no way is good. */
static bool choose_blocks(struct contraction *x) {
  x->k_piece = x->depth.axis->size || x->depth.extent <= K_WHOLE ? x->depth.extent : K_PIECE;
  bool sized_n = x->column.axis->size != NULL, sized_m = x->row.axis->size != NULL;
  int64_t n_block = N_BLOCK / x->width * x->width;
  if (n_block < x->width) n_block = x->width;
  x->panels = divide_up(x->column.extent, x->width);
  x->tail_columns = sized_n ? 0 : x->column.extent % x->width;
  x->tiles = x->row.extent / x->rows;
  x->tail_rows = sized_m ? 0 : x->row.extent % x->rows;
  x->block_panels = n_block / x->width;
  bool contiguous = x->column.b == 1;
  double uses = (double)x->row.extent / x->rows; /* of each panel */
  for (int i = 0; i < x->m.count; i++) uses *= (double)x->m.items[i].extent;
  int64_t panel = x->k_piece * x->width;
  bool sized = sized_n || x->depth.axis->size;
  if (sized) {
    if (!contiguous) return false;
    x->packing = PACK_NOT;
  } else if (contiguous && (panel <= PACK_ELEMENTS || uses < 4)) {
    x->packing = PACK_NOT;
  } else if (x->batch.count == 0 && x->n.count == 0 && x->k.count == 0 && x->panels < (int64_t)TASKS * x->block_panels) {
    x->packing = PACK_BUFFER;
  } else {
    x->packing = PACK_TASK;
    while (x->block_panels > 1 && x->block_panels * panel > LOCAL_ELEMENTS) x->block_panels--;
    if (x->block_panels > x->panels) x->block_panels = x->panels;
    if (x->block_panels * panel > LOCAL_ELEMENTS) return false;
  }
  if (x->block_panels > x->panels) x->block_panels = x->panels;
  x->blocks_n = sized_n ? 1 : divide_up(x->panels, x->block_panels);
  double around = loops_around(x) * (double)x->blocks_n;
  x->blocks_m = 1;
  x->block_tiles = x->tiles;
  if (!sized_m && x->packing != PACK_TASK && around < TASKS && x->tiles > 1) {
    int64_t wanted = (int64_t)ceil(TASKS / around);
    x->block_tiles = divide_up(x->tiles, wanted);
    /* A block that divides the rows evenly, if there is one near. */
    for (int64_t tiles = x->block_tiles; tiles * 3 >= x->block_tiles * 2 && tiles > 0; tiles--)
      if (x->tiles % tiles == 0) {
        x->block_tiles = tiles;
        break;
      }
    x->blocks_m = divide_up(x->tiles, x->block_tiles);
  }
  return true;
}

/* --- Packing ---------------------------------------------------------------------------------------------------------------- */

/* One panel: `width` columns from `column` on, all of the k piece; beyond the last column zeros. The panel's place in `to` is
   at `to_at`, its first element's in b at `from_at`. */
static void pack_panel(struct kernel *k, const struct contraction *x, struct array *from, struct linear from_at, struct array *to,
                       struct linear to_at, const struct expression *depth, int64_t bound, int64_t columns) {
  struct arena *arena = k->arena;
  int lanes = x->s->target->lanes;
  struct linear step = kernel_loop(k, LOOP_SERIAL, "k", depth, bound, 1);
  from_at = linear_add(arena, from_at, linear_scale(arena, step, x->depth.b));
  to_at = linear_add(arena, to_at, linear_scale(arena, step, x->width));
  for (int v = 0; v < x->vectors; v++) {
    int depth_before = k->depth;
    struct linear to_vector = linear_add(arena, to_at, linear_constant((int64_t)v * lanes));
    struct linear from_vector = linear_add(arena, from_at, linear_constant((int64_t)v * lanes * x->column.b));
    int64_t left = columns - (int64_t)v * lanes;
    const struct expression *zero = expression_number(arena, TYPE_REAL, 0);
    if (left < lanes) {
      struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
      kernel_store(k, to, linear_add(arena, to_vector, lane), zero);
      kernel_close_to(k, depth_before);
    }
    if (left <= 0) continue;
    struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
    if (left < lanes) kernel_if(k, expression_apply(arena, OP_lt, linear_expression(arena, lane), expression_index(arena, left), NULL));
    struct linear source = linear_add(arena, from_vector, linear_scale(arena, lane, x->column.b));
    kernel_store(k, to, linear_add(arena, to_vector, lane), expression_load(arena, from, linear_expression(arena, source)));
    kernel_close_to(k, depth_before);
  }
  kernel_end(k);
}

/* Panels [first, first + count) of one k piece; the last panel of b may be narrower. `packed_at` is where the first one goes. */
static void pack_panels(struct kernel *k, const struct contraction *x, struct array *from, struct linear from_at, struct array *to,
                        struct linear packed_at, struct linear first, const struct expression *count, int64_t bound,
                        enum loop_kind loop, const struct expression *depth, int64_t depth_bound, int64_t panel_stride) {
  struct arena *arena = k->arena;
  int depth_before = k->depth;
  struct linear number = kernel_loop(k, loop, "panel", count, bound, 1);
  struct linear panel = linear_add(arena, first, number);
  from_at = linear_add(arena, from_at, linear_scale(arena, panel, x->width * x->column.b));
  packed_at = linear_add(arena, packed_at, linear_scale(arena, number, panel_stride));
  if (x->tail_columns == 0) {
    pack_panel(k, x, from, from_at, to, packed_at, depth, depth_bound, x->width);
  } else {
    const struct expression *last = expression_index(arena, x->panels - 1), *at = linear_expression(arena, panel);
    if (x->panels > 1) {
      kernel_if(k, expression_apply(arena, OP_lt, at, last, NULL));
      pack_panel(k, x, from, from_at, to, packed_at, depth, depth_bound, x->width);
      kernel_end(k);
      kernel_if(k, expression_apply(arena, OP_eq, at, last, NULL));
    }
    pack_panel(k, x, from, from_at, to, packed_at, depth, depth_bound, x->tail_columns);
  }
  kernel_close_to(k, depth_before);
}

/* Packed: for each k piece, panels of [k][width]. */
static void schedule_pack(struct contraction *x) {
  struct scheduler *s = x->s;
  struct arena *arena = s->arena;
  const char *comment = arena_format(arena, "%s in panels of %d columns", x->b.buffer->comment, x->width);
  const struct value *base = x->b_value;
  while (!base->name && base->op != OP_state && !s->notes[base->id].place && base->input_count > 0) base = base->inputs[0];
  struct buffer *buffer = scratch_buffer(s, base, "packed", TYPE_REAL, x->panels * x->width * x->depth.extent, comment);
  x->packed = buffer;
  struct kernel *k = kernel_new(s, &(struct value){.op = OP_contract}, arena_format(arena, "pack_%lldx%lld", (long long)x->depth.extent, (long long)x->column.extent));
  k->launch->label = x->b.buffer->label;
  k->launch->origin = x->value->origin;
  k->function->comment = arena_format(arena, "packed[panel, k, %d columns] of b[k, column]", x->width);
  struct array *from = kernel_window(k, x->b.buffer, x->b.offset, false), *to = kernel_pointer(k, buffer, true);
  int64_t pieces = divide_up(x->depth.extent, x->k_piece), last = x->depth.extent - (pieces - 1) * x->k_piece;
  bool parallel = (double)x->depth.extent * (double)x->column.extent >= 1 << 14;
  for (int piece = 0; piece < 2; piece++) {
    int64_t count = piece == 0 ? (last == x->k_piece ? pieces : pieces - 1) : (last == x->k_piece ? 0 : 1);
    if (count == 0) continue;
    int64_t first = piece == 0 ? 0 : pieces - 1, depth = piece == 0 ? x->k_piece : last;
    struct linear number = linear_constant(0);
    if (count > 1) number = kernel_loop(k, LOOP_SERIAL, "piece", expression_index(arena, count), count, 1);
    number = linear_add(arena, number, linear_constant(first));
    struct linear from_at = linear_scale(arena, number, x->k_piece * x->depth.b);
    struct linear to_at = linear_scale(arena, number, x->k_piece * x->panels * x->width);
    pack_panels(k, x, from, from_at, to, to_at, linear_constant(0), expression_index(arena, x->panels), x->panels,
                parallel ? LOOP_PARALLEL : LOOP_SERIAL, expression_index(arena, depth), depth, depth * x->width);
    kernel_close_to(k, 0);
  }
  kernel_finish(k);
}

/* --- Multiplying ------------------------------------------------------------------------------------------------------------- */

/* What is being multiplied at a place in the loops. */
struct position {
  struct array *a, *b, *c, *initial;
  struct linear a_at, b_at, c_at, initial_at;
  int64_t b_step;       /* between k and k + 1 */
  int64_t panel_stride; /* between panels */
  const struct expression *depth;
  bool adds;            /* to what is in c */
  bool begins;          /* with what is in `initial` */
  int64_t initial_row;
};

static void push_pointer(struct arena *arena, struct statement *call, struct array *array, struct linear at) {
  array_push(arena, &call->arguments, (struct argument){array, linear_expression(arena, at)});
}

static void push_number(struct arena *arena, struct statement *call, const struct expression *x) {
  array_push(arena, &call->arguments, (struct argument){NULL, x});
}

static void call_tile(struct kernel *k, const struct contraction *x, const struct position *at, struct linear row, struct linear panel,
                      struct linear local_panel, int rows, const struct expression *columns) {
  struct arena *arena = k->arena;
  struct tile tile = {rows, x->vectors, columns != NULL, at->adds ? TILE_FROM_RESULT : at->begins ? TILE_FROM_INITIAL : TILE_FROM_ZERO};
  struct statement *call = block_call(arena, kernel_block(k), tile_helper(x->s, tile));
  struct linear column = linear_scale(arena, panel, x->width);
  push_pointer(arena, call, at->a, linear_add(arena, at->a_at, linear_scale(arena, row, x->row.a)));
  push_number(arena, call, expression_index(arena, x->row.a));
  push_number(arena, call, expression_index(arena, x->depth.a));
  push_pointer(arena, call, at->b, linear_add(arena, at->b_at, linear_scale(arena, local_panel, at->panel_stride)));
  push_number(arena, call, expression_index(arena, at->b_step));
  push_number(arena, call, at->depth);
  struct linear c_at = linear_add(arena, at->c_at, linear_add(arena, linear_scale(arena, row, x->row.c), column));
  if (tile.begin == TILE_FROM_INITIAL) {
    struct linear offset = linear_add(arena, linear_scale(arena, row, at->initial_row), column);
    push_pointer(arena, call, at->initial, linear_add(arena, at->initial_at, offset));
    push_number(arena, call, expression_index(arena, at->initial_row));
  }
  push_pointer(arena, call, at->c, c_at);
  push_number(arena, call, expression_index(arena, x->row.c));
  if (columns) push_number(arena, call, columns);
}

/* All panels of a block for the rows of one tile. `block` is the n block's number. */
static void panels_of_tile(struct kernel *k, const struct contraction *x, const struct position *at, struct linear row, int rows,
                           struct linear block) {
  struct arena *arena = k->arena;
  int depth = k->depth;
  struct linear first = linear_scale(arena, block, x->block_panels);
  bool local = x->packing == PACK_TASK;
  if (x->column.axis->size) {
    const struct expression *extent = kernel_extent(k, x->column.axis), *width = expression_index(arena, x->width);
    const struct expression *rounded = expression_apply(arena, OP_add, extent, expression_index(arena, x->width - 1), NULL);
    struct linear panel = kernel_loop(k, LOOP_SERIAL, "panel", expression_apply(arena, OP_quotient, rounded, width, NULL), x->panels, 1);
    const struct expression *left = expression_apply(arena, OP_sub, extent, linear_expression(arena, linear_scale(arena, panel, x->width)), NULL);
    call_tile(k, x, at, row, panel, panel, rows, expression_apply(arena, OP_min, left, width, NULL));
    kernel_close_to(k, depth);
    return;
  }
  int64_t whole = x->panels - (x->tail_columns ? 1 : 0);
  if (whole > 0) {
    struct linear number = linear_constant(0);
    if (x->blocks_n > 1 || x->block_panels > 1 || whole > 1) {
      const struct expression *count = expression_index(arena, x->block_panels);
      int64_t bound = x->block_panels;
      if (x->blocks_n == 1) {
        count = expression_index(arena, whole), bound = whole;
      } else if (whole % x->block_panels) {
        const struct expression *left = expression_apply(arena, OP_sub, expression_index(arena, whole), linear_expression(arena, first), NULL);
        count = expression_apply(arena, OP_min, left, count, NULL);
      }
      number = kernel_loop(k, LOOP_SERIAL, "panel", count, bound, 1);
    }
    struct linear panel = linear_add(arena, first, number);
    call_tile(k, x, at, row, panel, local ? number : panel, rows, NULL);
    kernel_close_to(k, depth);
  }
  if (x->tail_columns) {
    struct linear panel = linear_constant(whole), local_panel = panel;
    if (local) local_panel = linear_constant(whole % x->block_panels);
    if (x->blocks_n > 1)
      kernel_if(k, expression_apply(arena, OP_eq, linear_expression(arena, block), expression_index(arena, x->blocks_n - 1), NULL));
    call_tile(k, x, at, row, panel, local_panel, rows, expression_index(arena, x->tail_columns));
    kernel_close_to(k, depth);
  }
}

static void tiles_of_block(struct kernel *k, const struct contraction *x, const struct position *at, struct linear block_m, struct linear block_n) {
  struct arena *arena = k->arena;
  int depth = k->depth;
  if (x->row.axis->size) {
    const struct expression *extent = kernel_extent(k, x->row.axis), *rows = expression_index(arena, x->rows);
    struct linear tile = kernel_loop(k, LOOP_SERIAL, "tile", expression_apply(arena, OP_quotient, extent, rows, NULL), x->tiles, 1);
    panels_of_tile(k, x, at, linear_scale(arena, tile, x->rows), x->rows, block_n);
    kernel_close_to(k, depth);
    if (x->rows == 1) return;
    const struct expression *rest = expression_apply(arena, OP_mod, extent, rows, NULL);
    const struct expression *before = expression_apply(arena, OP_sub, extent, rest, NULL);
    struct linear row = kernel_loop(k, LOOP_SERIAL, "row", rest, x->rows - 1, 1);
    row = linear_add(arena, row, linear_from(arena, before, 0, x->row.extent - 1, 0));
    panels_of_tile(k, x, at, row, 1, block_n);
    kernel_close_to(k, depth);
    return;
  }
  struct linear first = linear_scale(arena, block_m, x->block_tiles);
  if (x->tiles > 0) {
    const struct expression *count = expression_index(arena, x->block_tiles);
    if (x->tiles % x->block_tiles) {
      const struct expression *left = expression_apply(arena, OP_sub, expression_index(arena, x->tiles), linear_expression(arena, first), NULL);
      count = expression_apply(arena, OP_min, left, count, NULL);
    }
    struct linear tile = linear_constant(0);
    if (x->block_tiles > 1) tile = kernel_loop(k, LOOP_SERIAL, "tile", count, x->block_tiles, 1);
    panels_of_tile(k, x, at, linear_scale(arena, linear_add(arena, first, tile), x->rows), x->rows, block_n);
    kernel_close_to(k, depth);
  }
  if (x->tail_rows) {
    if (x->blocks_m > 1)
      kernel_if(k, expression_apply(arena, OP_eq, linear_expression(arena, block_m), expression_index(arena, x->blocks_m - 1), NULL));
    panels_of_tile(k, x, at, linear_constant(x->tiles * x->rows), (int)x->tail_rows, block_n);
    kernel_close_to(k, depth);
  }
}

/* One piece of k from `k_first`, `depth` long. */
static void piece_of_block(struct kernel *k, const struct contraction *x, struct position at, struct linear k_first,
                           const struct expression *depth, int64_t bound, struct linear block_m, struct linear block_n, bool again) {
  struct arena *arena = k->arena;
  at.depth = depth;
  at.a_at = linear_add(arena, at.a_at, linear_scale(arena, k_first, x->depth.a));
  at.adds = again;
  switch (x->packing) {
  case PACK_NOT: at.b_at = linear_add(arena, at.b_at, linear_scale(arena, k_first, x->depth.b)); break;
  case PACK_BUFFER:
    at.panel_stride = bound * x->width;
    at.b_at = linear_add(arena, at.b_at, linear_scale(arena, k_first, x->panels * x->width));
    break;
  case PACK_TASK: {
    struct array *packed = kernel_array(k, "packed", TYPE_REAL, MEMORY_STACK, x->block_panels * x->width * bound);
    struct linear from_at = linear_add(arena, at.b_at, linear_scale(arena, k_first, x->depth.b));
    struct linear first = linear_scale(arena, block_n, x->block_panels);
    const struct expression *count = expression_index(arena, x->block_panels);
    if (x->panels % x->block_panels) {
      const struct expression *left = expression_apply(arena, OP_sub, expression_index(arena, x->panels), linear_expression(arena, first), NULL);
      count = expression_apply(arena, OP_min, left, count, NULL);
    }
    pack_panels(k, x, at.b, from_at, packed, linear_constant(0), first, count, x->block_panels, LOOP_SERIAL, depth, bound, bound * x->width);
    at.b = packed;
    at.b_at = linear_constant(0);
    at.b_step = x->width;
    at.panel_stride = bound * x->width;
    break;
  }
  }
  tiles_of_block(k, x, &at, block_m, block_n);
}

static void add_offsets(struct arena *arena, const struct dimension *dimension, struct linear at, struct position *position) {
  position->a_at = linear_add(arena, position->a_at, linear_scale(arena, at, dimension->a));
  position->b_at = linear_add(arena, position->b_at, linear_scale(arena, at, dimension->b));
  position->c_at = linear_add(arena, position->c_at, linear_scale(arena, at, dimension->c));
  position->initial_at = linear_add(arena, position->initial_at, linear_scale(arena, at, dimension->initial));
}

static void multiply(struct contraction *x) {
  struct scheduler *s = x->s;
  struct arena *arena = s->arena;
  const struct value *value = x->named->name ? x->named : x->value;
  const char *what = arena_format(arena, "%lldx%lld", (long long)x->depth.extent, (long long)x->column.extent);
  bool local = value->origin.function && value->origin.function[0];
  if (!local) what = arena_format(arena, "%s_%s", value->name ? name_identifier(arena, name_last(value->name)) : "product", what);
  struct kernel *k = kernel_new(s, value, what);
  struct position at = {.b_step = x->depth.b, .panel_stride = x->width * x->column.b};
  at.a = kernel_window(k, x->a.buffer, x->a.offset, false);
  at.b = x->packing == PACK_BUFFER ? kernel_pointer(k, x->packed, false) : kernel_window(k, x->b.buffer, x->b.offset, false);
  at.c = kernel_window(k, x->c.buffer, x->c.offset, true);
  at.a_at = at.b_at = at.c_at = at.initial_at = linear_constant(0);
  if (x->initial.buffer) {
    at.begins = true;
    at.initial = kernel_window(k, x->initial.buffer, x->initial.offset, false);
    at.initial_row = x->row.initial;
  }
  if (x->packing == PACK_BUFFER) at.b_step = x->width;
  /* All loops around the tiles with constant lengths are one loop over tasks. */
  struct group around = {0};
  int64_t tasks = x->blocks_n * x->blocks_m;
  struct group *groups[] = {&x->batch, &x->m, &x->n};
  for (int g = 0; g < 3; g++) {
    for (int i = 0; i < groups[g]->count; i++) {
      if (groups[g]->items[i].axis->size) continue;
      around.items[around.count++] = groups[g]->items[i];
      tasks *= groups[g]->items[i].extent;
    }
  }
  double flops = 2.0 * (double)tasks * (double)(x->block_tiles > 0 ? x->block_tiles : 1) * x->rows * (double)x->block_panels * x->width * (double)x->depth.extent;
  struct linear task = linear_constant(0), block_m = task, block_n = task;
  if (tasks > 1) {
    task = kernel_loop(k, flops >= PARALLEL_FLOPS ? LOOP_PARALLEL : LOOP_SERIAL, "task", expression_index(arena, tasks), tasks, 1);
    if (x->blocks_m > 1) block_m = linear_mod(arena, task, x->blocks_m), task = linear_quotient(arena, task, x->blocks_m);
    if (x->blocks_n > 1) block_n = linear_mod(arena, task, x->blocks_n), task = linear_quotient(arena, task, x->blocks_n);
  }
  struct linear *parts[] = {&block_m, &block_n};
  static const char *const part_names[] = {"row_block", "column_block"};
  for (int i = 0; i < 2; i++)
    if (parts[i]->count == 1 && parts[i]->terms[0].atom->kind != ATOM_VARIABLE) {
      int64_t low, high;
      linear_range(*parts[i], &low, &high);
      struct operand let = kernel_let(k, k->depth, part_names[i], linear_expression(arena, *parts[i]));
      *parts[i] = linear_variable(arena, let.x->variable, high, 1, k->depth);
    }
  for (int i = around.count - 1; i >= 0; i--) {
    struct linear along = i > 0 ? linear_mod(arena, task, around.items[i].extent) : task;
    task = linear_quotient(arena, task, around.items[i].extent);
    if (along.count == 1 && along.terms[0].atom->kind != ATOM_VARIABLE) {
      struct operand let = kernel_let(k, k->depth, name_identifier(arena, around.items[i].axis->name), linear_expression(arena, along));
      along = linear_variable(arena, let.x->variable, around.items[i].extent - 1, 1, k->depth);
    }
    add_offsets(arena, &around.items[i], along, &at);
  }
  for (int g = 0; g < 3; g++)
    for (int i = 0; i < groups[g]->count; i++)
      if (groups[g]->items[i].axis->size) {
        const struct axis *axis = groups[g]->items[i].axis;
        struct linear along = kernel_loop(k, LOOP_SERIAL, name_identifier(arena, axis->name), kernel_extent(k, axis), axis->extent, 1);
        add_offsets(arena, &groups[g]->items[i], along, &at);
      }
  /* Axes of the sum that did not merge run in order, each adding to what is there: zeros at first. */
  bool summed = x->k.count > 0;
  if (summed) {
    int depth = k->depth;
    struct linear row = x->row.extent > 1 || x->row.axis->size
                            ? kernel_loop(k, LOOP_SERIAL, "row", x->row.axis->size ? kernel_extent(k, x->row.axis) : expression_index(arena, x->row.extent), x->row.extent, 1)
                            : linear_constant(0);
    struct linear column = kernel_loop(k, LOOP_SERIAL, "column", x->column.axis->size ? kernel_extent(k, x->column.axis) : expression_index(arena, x->column.extent),
                                       x->column.extent, 1);
    const struct expression *start = expression_number(arena, TYPE_REAL, 0);
    if (at.begins) {
      struct linear offset = linear_add(arena, linear_scale(arena, row, at.initial_row), column);
      start = expression_load(arena, at.initial, linear_expression(arena, linear_add(arena, at.initial_at, offset)));
    }
    kernel_store(k, at.c, linear_add(arena, at.c_at, linear_add(arena, linear_scale(arena, row, x->row.c), column)), start);
    kernel_close_to(k, depth);
    for (int i = 0; i < x->k.count; i++) {
      const struct axis *axis = x->k.items[i].axis;
      struct linear along = kernel_loop(k, LOOP_SERIAL, name_identifier(arena, axis->name),
                                        axis->size ? kernel_extent(k, axis) : expression_index(arena, x->k.items[i].extent), x->k.items[i].extent, 1);
      add_offsets(arena, &x->k.items[i], along, &at);
    }
  }
  if (x->depth.axis->size) {
    piece_of_block(k, x, at, linear_constant(0), kernel_extent(k, x->depth.axis), x->depth.extent, block_m, block_n, summed);
  } else {
    int64_t pieces = divide_up(x->depth.extent, x->k_piece), last = x->depth.extent - (pieces - 1) * x->k_piece;
    int depth = k->depth;
    piece_of_block(k, x, at, linear_constant(0), expression_index(arena, pieces == 1 ? last : x->k_piece), pieces == 1 ? last : x->k_piece, block_m,
                   block_n, summed);
    int64_t middle = pieces - 1 - (last != x->k_piece);
    if (pieces > 1 && middle > 0) {
      struct linear piece = linear_constant(0);
      if (middle > 1) piece = kernel_loop(k, LOOP_SERIAL, "piece", expression_index(arena, middle), middle, 1);
      piece = linear_scale(arena, linear_add(arena, piece, linear_constant(1)), x->k_piece);
      piece_of_block(k, x, at, piece, expression_index(arena, x->k_piece), x->k_piece, block_m, block_n, true);
      kernel_close_to(k, depth);
    }
    if (pieces > 1 && last != x->k_piece)
      piece_of_block(k, x, at, linear_constant((pieces - 1) * x->k_piece), expression_index(arena, last), last, block_m, block_n, true);
  }
  kernel_close_to(k, 0);
  kernel_finish(k);
}

/* Where the result and what it begins from lie, with strides in the order of the contraction's axes. */
static bool set_places(struct contraction *x, const struct value *value) {
  struct scheduler *s = x->s;
  const struct place *place = s->notes[value->id].place;
  x->c = (struct place){.buffer = place->buffer, .offset = place->offset};
  for (int i = 0; i < x->value->axis_count; i++) x->c.strides[i] = stride_of(value, place, x->value->axes[i]);
  if (x->value == value) return true;
  const struct value *other = value->inputs[value->inputs[0] == x->value];
  struct place initial;
  if (!access_strided(s, other, &initial)) return false;
  x->initial = (struct place){.buffer = initial.buffer, .offset = initial.offset};
  for (int i = 0; i < x->value->axis_count; i++) x->initial.strides[i] = stride_of(other, &initial, x->value->axes[i]);
  return true;
}

bool schedule_contract(struct scheduler *s, const struct value *value) {
  const struct value *product = s->notes[value->id].absorbed ? s->notes[value->id].absorbed : value;
  struct contraction x = {.s = s, .value = product, .named = value};
  if (product->op != OP_contract || !set_places(&x, value) || !classify(&x)) return false;
  if (x.initial.buffer && x.column.initial != 1) return false;
  double work = loops_around(&x) * (double)x.row.extent * (double)x.column.extent * (double)x.depth.extent;
  for (int i = 0; i < x.k.count; i++) work *= (double)x.k.items[i].extent;
  if (work < SMALL_WORK || x.column.extent < 4 || (x.column.c != 1)) return false;
  choose_tile(&x);
  if (!choose_blocks(&x)) return false;
  if (x.k.count > 0 && (x.blocks_m > 1 || x.blocks_n > 1)) {
    x.blocks_m = x.blocks_n = 1;
    x.block_tiles = x.tiles;
    x.block_panels = x.panels;
    if (x.packing == PACK_TASK && x.block_panels * x.k_piece * x.width > LOCAL_ELEMENTS) return false;
  }
  if (x.packing == PACK_BUFFER) schedule_pack(&x);
  multiply(&x);
  return true;
}
