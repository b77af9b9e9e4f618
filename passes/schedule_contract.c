/* Contractions by register tiles: c[m, n] = sum over k of a[m, k] b[k, n], once for each element of the batch.

   Axes of the operands that lie one inside the other are merged first, so that [batch, seq, embed] @embed [embed,
   hidden] has one m of batch * seq. The operand that has the result's innermost axis plays b. A is never copied. B is
   read where it lies when its n is contiguous and it is small or seldom used. Otherwise it is packed into panels as
   wide as a tile: by a kernel of its own, or by each task for itself when tasks have no part of it in common. How work
   is split between threads depends on the shape alone. */
#include <math.h>
#include <string.h>

#include "ir/exactness.h"
#include "passes/contract.h"
#include "passes/derive.h"

enum {
  PACK_ELEMENTS = 1 << 13, /* the largest panel of b that is read in place */
  LOCAL_ELEMENTS = 1 << 16, /* the largest packed b of one task */
  NEAR_BYTES = 1 << 20,   /* of a, so that all tasks that go through all of it have it in a cache of their own */
  WIDEST = 8,             /* the most vectors of a panel */
  MATRIX_STEP = 16,       /* groups of k in a row of a tile register */
  FEW_DEPTH = 32,         /* of a piece of k, where few rows are the rule: b is then read by runs of many columns */
  WIDENED_TILES = 4, /* with fewer tiles it costs less to widen what is loaded in each of them */
  LOCAL_ROWS = 64         /* the most rows of sums along k that wait on the stack for what goes on from them */
};

static void add_dimension(struct group *group, struct dimension dimension) {
  if (dimension.extent == 1 && !dimension.axis->size) return;
  int at = group->count++;
  /* Larger strides go outside: those of the result, or of the operands where the result lacks the axis. */
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

static bool nests(int64_t outer, const struct dimension *inner, int64_t stride) {
  return outer == stride * inner->extent;
}

static void merge_group(struct group *group) {
  for (int i = 0; i + 1 < group->count;) {
    struct dimension *outer = &group->items[i], *inner = &group->items[i + 1];
    if (!inner->axis->size && !outer->axis->size && nests(outer->a, inner, inner->a) &&
        nests(outer->b, inner, inner->b) && nests(outer->c, inner, inner->c) &&
        nests(outer->initial, inner, inner->initial)) {
      inner->extent *= outer->extent;
      const struct dimension last = *inner;
      memcpy(inner->axes, outer->axes, sizeof outer->axes);
      memcpy(inner->axes + outer->axis_count, last.axes, sizeof *last.axes * (size_t)last.axis_count);
      inner->axis_count += outer->axis_count;
      for (int j = i; j + 1 < group->count; j++) group->items[j] = group->items[j + 1];
      group->count--;
      if (i > 0) i--;
    } else {
      i++;
    }
  }
}

/* Takes dimension number `index` out of a group; a negative number stands for a dimension of one element. */
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

/* The strides that a computed operand would have if it were stored: they say which axes of it can be merged. */
static struct place place_as_stored(struct scheduler *s, const struct value *value) {
  struct place place = {0};
  struct axis *order[MAX_AXES];
  memcpy(order, value->axes, sizeof *order * (size_t)value->axis_count);
  facts_order_axes(&s->facts, order, value->axis_count);
  int64_t stride = 1;
  for (int i = value->axis_count - 1; i >= 0; i--) {
    for (int j = 0; j < value->axis_count; j++)
      if (value->axes[j] == order[i]) place.strides[j] = stride;
    stride *= order[i]->extent;
  }
  return place;
}

static int64_t common_divisor(int64_t x, int64_t y) {
  while (y) {
    const int64_t rest = x % y;
    x = y, y = rest;
  }
  return x;
}

/* How many elements along the axis have the same coordinates along all other axes of what the expression is computed of: a merge of two
   axes has runs along the inner one. */
static int64_t run_along(const struct value *value, const struct axis *axis) {
  int64_t run = axis->extent;
  if (!value_has_axis(value, axis) || !access_is_expression(value)) return run;
  if (value->op == OP_merge && value->result == axis)
    return run_along(value->inputs[0], value->list[value->list_count - 1]);
  if (value->op == OP_rename && value->result == axis) return run_along(value->inputs[0], value->axis);
  const bool passes = op_is_elementwise(value->op) || value->op == OP_expand || value->op == OP_stop;
  for (int i = 0; passes && i < value->input_count; i++) run = common_divisor(run, run_along(value->inputs[i], axis));
  return run;
}

static bool classify(struct contraction *x) {
  const struct value *value = x->value, *operands[2] = {value->inputs[0], value->inputs[1]};
  const struct stream *stream = x->s->stream;
  struct place places[2];
  bool computed[2];
  for (int i = 0; i < 2; i++) {
    computed[i] = !access_strided(x->s, operands[i], &places[i]);
    if (!computed[i]) continue;
    if (!access_is_expression(operands[i])) return false;
    if (!access_widest(x->s, operands[i], &places[i])) places[i] = place_as_stored(x->s, operands[i]);
  }
  const struct axis *innermost = NULL;
  for (int i = 0; i < value->axis_count; i++)
    if (x->c.strides[i] == 1 && (value->axes[i]->extent > 1 || value->axes[i]->size)) innermost = value->axes[i];
  if (!innermost) return false;
  bool in_first = value_has_axis(operands[0], innermost), in_second = value_has_axis(operands[1], innermost);
  if (in_first == in_second) return false;
  int b = in_second ? 1 : 0;
  x->a_value = operands[1 - b], x->b_value = operands[b];
  x->a = places[1 - b], x->b = places[b];
  x->a_computed = computed[1 - b], x->b_computed = computed[b];
  /* Bytes are made reals where they are loaded. */
  struct place widened;
  if (x->b_computed && access_widened(x->s, x->b_value, &widened) && storage_facts[widened.buffer->storage].bits == 8)
    x->b = widened, x->b_computed = false;
  /* What is narrow in memory is widened where it is copied. */
  x->a_copied = x->a_computed || x->a.buffer->storage != storage_of_type(contract_type(x));
  for (int i = 0; i < value->axis_count; i++) {
    const struct axis *axis = value->axes[i];
    if (stream_is_around(stream, axis)) continue;
    struct dimension dimension = {axis,
                                  stream_extent(stream, axis),
                                  stride_along(x->a_value, &x->a, axis),
                                  stride_along(x->b_value, &x->b, axis),
                                  x->c.strides[i],
                                  x->initial.strides[i],
                                  {axis},
                                  1,
                                  stream};
    bool in_a = value_has_axis(x->a_value, axis), in_b = value_has_axis(x->b_value, axis);
    add_dimension(in_a && in_b ? &x->batch : in_a ? &x->m : &x->n, dimension);
  }
  for (int i = 0; i < value->list_count; i++) {
    const struct axis *axis = value->list[i];
    add_dimension(&x->k, (struct dimension){axis,
                                            stream_extent(stream, axis),
                                            stride_along(x->a_value, &x->a, axis),
                                            stride_along(x->b_value, &x->b, axis),
                                            0,
                                            0,
                                            {axis},
                                            1,
                                            stream});
  }
  merge_group(&x->batch), merge_group(&x->m), merge_group(&x->n), merge_group(&x->k);
  x->column = take(&x->n, x->n.count - 1);
  x->row = take(&x->m, largest(&x->m));
  x->depth = take(&x->k, largest(&x->k));
  x->in_words = x->b_computed && x->b.buffer && storage_facts[x->b.buffer->storage].bits == 4 && x->depth.b == SLOTS &&
                x->depth.extent % (WORDS * SLOTS) == 0;
  const int last = x->depth.axis_count - 1;
  x->run = x->b_computed && last >= 0 ? run_along(x->b_value, x->depth.axes[last]) : x->depth.extent;
  return true;
}

enum type contract_type(const struct contraction *x) { return type_of_kind(x->value->kind); }

struct dot_operands {
  int count;
  enum storage a, b;
};

static const struct dot_operands dots[] = {
#define DOT(name, count, x, y) {count, STORAGE_##x, STORAGE_##y},
#include "ir/dots.def"
};

/* Whether the elements of a's groups lie side by side where a lies. */
static bool is_grouped(const struct contraction *x) {
  return !x->a_computed && x->a.buffer->storage == x->a_storage && x->depth.a == 1 && !x->offset;
}

/* What is added to a, so that it can be summed by the dot: 0, or what makes bytes with a sign of such without, or the opposite.
   False when the operands do not fit the dot. */
static bool fits_dot(const struct contraction *x, const struct dot_operands *dot, bool shifted) {
  const struct exactness *exactness = x->s->facts.exactness;
  enum storage a = dot->a;
  if (shifted && a != STORAGE_U8 && a != STORAGE_I8) return false;
  if (shifted) a = a == STORAGE_U8 ? STORAGE_I8 : STORAGE_U8;
  return storage_kind(a) == x->value->kind && exactness_fits(exactness[x->a_value->id], a) &&
         exactness_fits(exactness[x->b_value->id], dot->b);
}

static bool has_few_rows(const struct contraction *x) { return x->row.axis->size || x->row.extent < FEW_ROWS; }

/* Whether b is read in vectors where it lies, widened as it is loaded, since few rows are multiplied by it. Elements of less than a byte are
   not, for a tile knows nothing of where its vectors begin. */
static bool is_b_read_in_place(const struct contraction *x) {
  return has_few_rows(x) && !x->b_computed && x->column.b == 1 && storage_facts[x->b.buffer->storage].bits >= 8;
}

/* Chooses the dots of the target that the operands can be summed by, if there are: by one instruction rather than by several, of
   operands as they are rather than with an offset. Where b is read where it lies, it must lie there as they take it. */
static void choose_dots(struct contraction *x, bool in_place) {
  const int sets[] = {x->s->target->dots, x->s->target->composed_dots};
  for (int choice = 0; choice < 4; choice++)
    for (size_t i = 0; i < sizeof dots / sizeof *dots; i++) {
      const bool shifted = choice % 2;
      if (!(sets[choice / 2] >> i & 1) || !fits_dot(x, &dots[i], shifted)) continue;
      if (x->depth.extent % dots[i].count != 0) continue;
      if (in_place && x->b.buffer->storage != dots[i].b) continue;
      x->group = dots[i].count, x->dot = (enum dot)i;
      x->a_storage = dots[i].a, x->b_storage = dots[i].b;
      x->offset = !shifted ? 0 : x->a_storage == STORAGE_U8 ? 128 : -128;
      x->a_copied = !is_grouped(x) && x->depth.a == 1;
      return;
    }
}

/* For sums along k, of a few rows of a, which each task copies if it has to, and of rows of b where they lie. */
static void choose_group_along(struct contraction *x) {
  enum { LOCAL_BYTES = 4 * LOCAL_ELEMENTS };
  const bool copied = x->a_copied;
  x->group = 1;
  /* Sums of reals are what they were before there were dots. */
  if (x->value->kind == KIND_INTEGER) choose_dots(x, true);
  if (x->group > 1 && x->a_copied && x->row.extent * x->depth.extent > LOCAL_BYTES)
    x->group = 1, x->offset = 0, x->a_copied = copied;
  /* What is narrow is widened as it is loaded. */
  if (x->group == 1 && !x->a_computed) x->a_copied = false;
}

/* Chooses products of whole tiles, if the target has some that the operands fit. */
static void choose_matrix(struct contraction *x) {
  for (size_t i = 0; i < sizeof dots / sizeof *dots && !x->matrix; i++) {
    if (!(x->s->target->matrix_dots >> i & 1) || !fits_dot(x, &dots[i], false)) continue;
    x->matrix = true;
    x->group = dots[i].count, x->dot = (enum dot)i;
    x->a_storage = dots[i].a, x->b_storage = dots[i].b;
    x->a_copied = !is_grouped(x) && x->depth.a == 1;
  }
}

/* Whether packing b is no work of the graph's: it reads a parameter alone, and is done when that changes. */
static bool is_packed_beforehand(const struct contraction *x) {
  if (x->b_computed || x->b.buffer->role != BUFFER_STATE || !derives_launches(x->s)) return false;
  return state_is_fixed(x->b.buffer->state) || role_is_derived(x->b.buffer->state->role);
}

/* Whether a dimension of the loops around has a run-time size. */
static bool has_sized(const struct group *group) {
  for (int i = 0; i < group->count; i++)
    if (group->items[i].axis->size) return true;
  return false;
}

/* For tiles, where all elements of a group are there. A kernel of its own that copies a has constant extents. */
static void choose_group(struct contraction *x) {
  const bool copied = x->a_copied,
             sized = x->row.axis->size || has_sized(&x->m) || has_sized(&x->batch) || x->s->stream;
  x->group = 1;
  if (!x->column.axis->size && !x->depth.axis->size && x->k.count == 0) {
    if (!has_few_rows(x) && !sized) choose_matrix(x);
    if (!x->matrix) choose_dots(x, false);
  }
  const bool in_place = is_b_read_in_place(x) && !is_packed_beforehand(x);
  const bool needs_kernel = x->group > 1 && !x->a_copied && !is_grouped(x);
  if (x->group > 1 && !in_place && !(sized && needs_kernel)) return;
  x->group = 1, x->offset = 0, x->a_copied = copied;
  x->a_storage = x->b_storage = storage_of_type(contract_type(x));
}

/* Blocks for instructions on whole tiles, so large that what their beginning costs is little: of as many rows as divide them evenly, if
   there is such a number. */
static void choose_matrix_tile(struct contraction *x, int64_t vectors) {
  enum { ROWS = 64, STEP = 16, VECTORS = 4 };
  x->vectors = vectors < VECTORS ? (int)vectors : vectors % VECTORS && vectors % 3 == 0 ? 3 : VECTORS;
  x->rows = x->row.extent < ROWS ? (int)x->row.extent : ROWS;
  for (int rows = ROWS; rows >= ROWS / 2 && x->row.extent % x->rows; rows -= STEP)
    if (x->row.extent % rows == 0) x->rows = rows;
}

/* Chooses a tile that fits the registers and wastes little of the shape. */
static void choose_tile(struct contraction *x) {
  const struct target *target = x->s->target;
  int lanes = target->lanes;
  int64_t vectors = (x->column.extent + lanes - 1) / lanes;
  x->vectors = target->tile_vectors;
  if (vectors < x->vectors)
    x->vectors = (int)vectors;
  else if (x->vectors % 2 == 0 && vectors % x->vectors && vectors % 3 == 0 && target->registers >= 32)
    x->vectors = 3;
  /* With few rows, panels are wide, so that b is read in long runs. */
  if (has_few_rows(x)) {
    int rows = x->row.axis->size ? FEW_ROWS : (int)x->row.extent;
    x->vectors = WIDEST;
    while (x->vectors > 1 && (x->vectors * (rows + 1) > target->registers - 2 || x->vectors > vectors)) x->vectors /= 2;
  }
  int most = target->tile_rows * target->tile_vectors / x->vectors;
  if (most > target->registers / 2 - 2 && x->vectors == 1) most = target->registers / 2 - 2;
  if (most < target->tile_rows / 2) most = target->tile_rows / 2;
  if (most < 1) most = 1;
  x->rows = most;
  if (x->row.axis->size) {
    x->rows = FEW_ROWS;
  } else if (x->row.extent < most) {
    x->rows = (int)x->row.extent;
  } else {
    for (int rows = most; rows * 3 >= most * 2 && rows > 0; rows--) {
      if (x->row.extent % rows) continue;
      x->rows = rows;
      break;
    }
  }
  if (x->matrix) choose_matrix_tile(x, vectors);
  const double *wanted = x->s->pipeline.parameters;
  if (wanted[PARAMETER_tile_rows] && !x->row.axis->size)
    x->rows = wanted[PARAMETER_tile_rows] < x->row.extent ? wanted[PARAMETER_tile_rows] : (int)x->row.extent;
  if (wanted[PARAMETER_tile_vectors])
    x->vectors = wanted[PARAMETER_tile_vectors] < vectors ? wanted[PARAMETER_tile_vectors] : (int)vectors;
  x->width = x->vectors * lanes;
}

int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }

int64_t contract_padded(const struct contraction *x, int64_t depth) { return divide_up(depth, x->group) * x->group; }

static double loops_around(const struct contraction *x) {
  double count = 1;
  const struct group *groups[] = {&x->batch, &x->m, &x->n};
  for (int g = 0; g < 3; g++)
    for (int i = 0; i < groups[g]->count; i++) count *= (double)groups[g]->items[i].extent;
  return count;
}

/* The length of a piece of k: pieces that are all of one length need less code, and a piece has whole groups, or whatever is not to be cut. */
static int64_t piece_of(int64_t k, int64_t whole, int group) {
  for (int64_t piece = whole / 2; piece >= whole / 4; piece--)
    if (k % piece == 0 && piece % group == 0) return piece;
  const int64_t piece = whole / 8 * 3 / group * group;
  return piece < group ? group : piece;
}

/* Whether tiles can read vectors of b's columns where they lie. */
static bool is_b_contiguous(const struct contraction *x) {
  const bool narrow = !x->b_computed && x->b.buffer->storage != storage_of_type(contract_type(x));
  return x->column.b == 1 && !x->b_computed && x->group == 1 && (!narrow || is_b_read_in_place(x));
}

/* Whether few rows are multiplied by columns. */
static bool goes_by_columns(const struct contraction *x) {
  return (is_b_read_in_place(x) || (has_few_rows(x) && x->b_computed && x->column.b == 1)) && x->group == 1 &&
         !x->a_copied && !x->column.axis->size && !x->depth.axis->size && x->k.count == 0;
}

/* The piece of k for more rows, where columns are for few. */
static int64_t few_piece_of(int64_t k) {
  for (int64_t piece = FEW_DEPTH; piece >= FEW_DEPTH / 4; piece /= 2)
    if (k % piece == 0) return piece;
  return k;
}

/* Whether the packed copy of b is as narrow as b. It lives as long as the parameter then, and takes no more memory than it. */
static bool is_packed_narrow(const struct contraction *x) {
  if (x->group > 1 || !is_packed_beforehand(x)) return false;
  const int bits = storage_facts[x->b.buffer->storage].bits;
  return bits >= 8 && bits < storage_facts[storage_of_type(contract_type(x))].bits;
}

/* Of a piece of k of all rows of a. */
static int64_t row_bytes(const struct contraction *x) {
  return x->row.extent * x->k_piece * storage_facts[x->a_storage].bits / 8;
}

/* Whether each task packs its part of b, so that b needs no memory besides: all rows are then multiplied by it at once, which is good as long
   as they are few enough to stay in a cache. */
static bool packs_by_task(const struct contraction *x, int tasks) {
  return x->matrix && !is_packed_beforehand(x) && row_bytes(x) <= NEAR_BYTES && x->panels * 2 >= tasks;
}

/* Decides how b is read and how the work is split. False when b would have to be packed and cannot be, or a copied. Whether
   they can depends on the shape alone, since plain loops may sum several axes in another order: it may take smaller
   tiles. */
static bool choose_blocks(struct contraction *x) {
  const double *limits = x->s->pipeline.parameters;
  const int tasks = x->s->stream ? 1 : (int)limits[PARAMETER_tile_tasks];
  const bool few = has_few_rows(x) && !x->a_copied && !x->b_computed && x->group == 1;
  const bool whole = x->depth.axis->size || few || x->depth.extent <= limits[PARAMETER_tile_depth];
  const int uncut = x->in_words ? WORDS * SLOTS : x->matrix ? MATRIX_STEP * x->group : x->group;
  x->k_piece = whole ? contract_padded(x, x->depth.extent)
                     : piece_of(x->depth.extent, (int64_t)limits[PARAMETER_tile_depth], uncut);
  x->by_columns = goes_by_columns(x);
  if (x->by_columns && x->b_computed) x->k_piece = few_piece_of(x->depth.extent);
  if (x->a_copied && x->k_piece > LOCAL_ELEMENTS) return false;
  while (x->a_copied && x->rows * x->k_piece > LOCAL_ELEMENTS) x->rows--;
  bool sized_n = x->column.axis->size != NULL, sized_m = x->row.axis->size != NULL;
  /* Narrow elements take as much of a cache as fewer wide ones. */
  /* A stream's kernel has more arrays on its stack than this one. */
  const int64_t share = x->matrix ? 32 / storage_facts[x->b_storage].bits : 1,
                local = (x->s->stream ? LOCAL_ELEMENTS / 2 : LOCAL_ELEMENTS) * share;
  int64_t n_block = (int64_t)limits[PARAMETER_tile_columns] * share / x->width * x->width;
  if (n_block < x->width) n_block = x->width;
  if (x->by_columns) n_block = contract_columns_of_task(x);
  x->panels = divide_up(x->column.extent, x->width);
  x->tail_columns = sized_n ? 0 : x->column.extent % x->width;
  x->tiles = x->row.extent / x->rows;
  x->tail_rows = sized_m ? 0 : x->row.extent % x->rows;
  x->block_panels = n_block / x->width;
  const bool contiguous = is_b_contiguous(x);
  double uses = contract_usual(&x->row) / x->rows; /* how often each panel is used */
  for (int i = 0; i < x->m.count; i++) uses *= contract_usual(&x->m.items[i]);
  int64_t panel = x->k_piece * x->width, near_blocks = 1;
  bool sized = sized_n || x->depth.axis->size;
  const bool has_buffer = !x->s->stream && !x->b_computed && x->batch.count == 0 && x->n.count == 0 && x->k.count == 0;
  if (sized) {
    if (!contiguous) return false;
    x->packing = PACK_NOT;
  } else if (contiguous && (panel <= PACK_ELEMENTS || uses < 4)) {
    x->packing = PACK_NOT;
  } else if (has_buffer && (x->panels <= (int64_t)tasks * x->block_panels || panel > local) &&
             !packs_by_task(x, tasks)) {
    x->packing = PACK_BUFFER;
    x->widened = is_packed_narrow(x) && !sized_m && x->tiles >= WIDENED_TILES && panel <= local;
    /* All panels go by some rows of a, which stay in a cache; and as many rows as can go by what a task widens. */
    if (x->widened) near_blocks = row_bytes(x) > NEAR_BYTES ? row_bytes(x) / NEAR_BYTES : 1;
    while (x->widened && x->block_panels > 1 &&
           (x->panels * near_blocks < tasks * x->block_panels || x->block_panels * panel > local))
      x->block_panels--;
  } else {
    if (!has_buffer && !contiguous && x->k_piece * SUM_LANES > LOCAL_ELEMENTS) return false;
    x->packing = PACK_TASK;
    if (x->matrix && x->block_panels > x->panels / tasks)
      x->block_panels = x->panels / tasks > 0 ? x->panels / tasks : 1;
    /* One panel is computed at a time, and stays in the nearest cache while all rows go by. */
    if (x->b_computed && uses >= WIDENED_TILES && row_bytes(x) <= NEAR_BYTES) x->block_panels = 1;
    while (x->block_panels > 1 && x->block_panels * panel > local) x->block_panels--;
    if (x->block_panels > x->panels) x->block_panels = x->panels;
    if (panel > local && contiguous) {
      x->packing = PACK_NOT;
    } else if (panel > local) {
      x->vectors /= 2;
      x->width = x->vectors * x->s->target->lanes;
      return choose_blocks(x);
    }
  }
  if (x->block_panels > x->panels) x->block_panels = x->panels;
  x->blocks_n = sized_n ? 1 : divide_up(x->panels, x->block_panels);
  double around = loops_around(x) * (double)x->blocks_n;
  x->blocks_m = 1;
  x->block_tiles = x->tiles;
  int64_t wanted = (int64_t)ceil(tasks / around);
  if (wanted < near_blocks) wanted = near_blocks;
  if (!sized_m && x->packing != PACK_TASK && wanted > 1 && x->tiles > 1) {
    x->block_tiles = divide_up(x->tiles, wanted);
    /* A block size that divides the rows evenly is preferred, if there is one nearby. */
    for (int64_t tiles = x->block_tiles; tiles * 3 >= x->block_tiles * 2 && tiles > 0; tiles--)
      if (x->tiles % tiles == 0) {
        x->block_tiles = tiles;
        break;
      }
    x->blocks_m = divide_up(x->tiles, x->block_tiles);
  }
  if (x->block_tiles < WIDENED_TILES) x->widened = false;
  return true;
}

/* Sets where the result and the value that it begins from lie, with strides in the order of the contraction's axes.
   False when the latter has no constant strides. */
static bool set_places(struct contraction *x, const struct value *value) {
  struct scheduler *s = x->s;
  const struct place *place = note_of(s, value)->place;
  x->c = (struct place){
      .buffer = place->buffer, .named = place->named, .in_block = place->in_block, .offset = place->offset};
  for (int i = 0; i < x->value->axis_count; i++) x->c.strides[i] = stride_along(value, place, x->value->axes[i]);
  if (x->value == value) return true;
  const struct value *other = value->inputs[value->inputs[0] == x->value];
  struct place initial;
  if (!access_strided(s, other, &initial) || initial.buffer->storage != place->buffer->storage) return false;
  x->initial = (struct place){
      .buffer = initial.buffer, .named = initial.named, .in_block = initial.in_block, .offset = initial.offset};
  for (int i = 0; i < x->value->axis_count; i++)
    x->initial.strides[i] = stride_along(other, &initial, x->value->axes[i]);
  return true;
}

/* Nothing lies in the buffer after all. */
static void drop_buffer(struct scheduler *s, const struct buffer *buffer) {
  int kept = 0;
  for (int i = 0; i < s->module->buffers.count; i++)
    if (s->module->buffers.items[i] != buffer) s->module->buffers.items[kept++] = s->module->buffers.items[i];
  s->module->buffers.count = kept;
}

/* Where only the kernel itself reads the sums, they need no memory. */
static void pass_sums(struct contraction *x) {
  struct note *note = note_of(x->s, x->named);
  x->sums_pass = note->is_passing;
  if (!x->sums_pass) return;
  drop_buffer(x->s, x->c.buffer);
  note->is_local = true;
}

/* How many elements of work one element of its loops stands for, in a stream. */
static double streamed_work(const struct stream *stream) {
  double count = 1;
  for (int i = 0; stream && i < stream->around_count; i++) count *= (double)stream->around[i]->extent;
  return stream ? count * (double)(stream->blocked->extent / stream->rows) : 1;
}

/* Decides all that is decided about a contraction before the first statement is written. UNTILED_NOT, or why it cannot go by tiles or
   dot products. *along: it goes by dot products along k. */
static enum untiled_reason decide(struct contraction *x, bool *along) {
  struct scheduler *s = x->s;
  *along = false;
  if (!s->pipeline.on[PASS_tile]) return UNTILED_LEFT_OUT;
  if (!set_places(x, x->named)) return UNTILED_INITIAL;
  if (!classify(x)) return UNTILED_SHAPE;
  if (x->initial.buffer && x->column.initial != 1) return UNTILED_INITIAL;
  double work = loops_around(x) * (double)x->row.extent * (double)x->column.extent * (double)x->depth.extent;
  for (int i = 0; i < x->k.count; i++) work *= (double)x->k.items[i].extent;
  work *= streamed_work(s->stream);
  const double least = s->pipeline.parameters[PARAMETER_tile_work];
  const bool few = has_few_rows(x);
  bool along_k = x->depth.a == 1 && (x->depth.b == 1 || x->in_words) && !x->depth.axis->size &&
                 x->depth.extent >= 2 * SUM_LANES && x->k.count == 0;
  if (few && along_k && work >= least) {
    choose_group_along(x);
    *along = !x->a_computed || x->group > 1;
    if (*along) return UNTILED_NOT;
  }
  if (work < least || x->column.extent < 4) return UNTILED_SMALL;
  if (x->column.c != 1) return UNTILED_SHAPE;
  contract_tell_whole(x, !few ? BITMAP_TILES : along_k ? BITMAP_COMPUTED : BITMAP_COLUMNS);
  choose_group(x);
  choose_tile(x);
  if (!choose_blocks(x)) return UNTILED_BLOCKS;
  if (x->k.count > 0) {
    /* One task goes along all of k. */
    x->blocks_m = x->blocks_n = 1;
    x->block_tiles = x->tiles;
    x->block_panels = x->panels;
    const int64_t columns = divide_up(x->column.extent, SUM_LANES) * SUM_LANES;
    if (x->packing == PACK_TASK && columns * x->k_piece > LOCAL_ELEMENTS) {
      if (!is_b_contiguous(x)) return UNTILED_BLOCKS;
      x->packing = PACK_NOT;
    }
  }
  return UNTILED_NOT;
}

bool contract_can_stream(struct scheduler *s, const struct value *value, const struct cluster *cluster) {
  const struct value *product = product_of(s, value);
  struct contraction x = {.s = s, .value = product, .named = value, .cluster = cluster};
  bool along;
  /* Few rows would be summed along k, in another order, if k were not cut into blocks. */
  if (decide(&x, &along) != UNTILED_NOT || along || x.by_columns || has_few_rows(&x)) return false;
  if (stream_adds(s->stream, product) && (x.k.count > 0 || x.initial.buffer || cluster->values.count > 1)) return false;
  return cluster->values.count == 1 || contract_can_end(&x);
}

static bool is_alone(const struct dimension *dimension, const struct axis *axis) {
  return dimension->axis_count == 1 && dimension->axes[0] == axis;
}

bool contract_can_clip(struct scheduler *s, const struct value *value, const struct cluster *cluster,
                       const struct axis *axis) {
  const struct value *product = product_of(s, value);
  struct contraction x = {.s = s, .value = product, .named = value, .cluster = cluster};
  bool along;
  if (decide(&x, &along) != UNTILED_NOT || along || x.by_columns || x.matrix) return false;
  if (is_alone(&x.depth, axis)) return x.k.count == 0 && x.k_piece >= x.depth.extent && s->stream->rows % x.group == 0;
  if (stream_adds(s->stream, product)) return is_alone(&x.row, axis) && x.blocks_m == 1;
  return is_alone(&x.column, axis);
}

enum untiled_reason schedule_contract(struct scheduler *s, const struct value *value, const struct cluster *cluster,
                                      bool *ended) {
  const struct value *product = product_of(s, value);
  struct contraction x = {.s = s, .value = product, .named = value, .cluster = cluster};
  bool along;
  const enum untiled_reason why = decide(&x, &along);
  if (why != UNTILED_NOT) return why;
  if (along) {
    *ended = x.ends = contract_can_end(&x);
    if (x.ends && x.row.extent <= LOCAL_ROWS) pass_sums(&x);
    contract_choose_bitmap(&x);
    contract_dot(&x);
    return UNTILED_NOT;
  }
  if (x.packing == PACK_BUFFER && is_packed_narrow(&x)) x.b_storage = x.b.buffer->storage;
  if (x.packing == PACK_BUFFER) contract_pack(&x);
  if (x.group > 1 && !x.a_copied && !is_grouped(&x)) contract_pack_groups(&x);
  *ended = x.ends = contract_can_end(&x);
  if (x.ends && !x.by_columns && x.k.count == 0 && (x.depth.axis->size || x.k_piece >= x.depth.extent)) pass_sums(&x);
  contract_tiles(&x);
  return UNTILED_NOT;
}
