/* Copies b into panels as wide as a tile, so that tiles read them from beginning to end. */
#include "passes/contract.h"

const struct expression *contract_element_of_b(struct kernel *k, const struct contraction *x, const struct position *at,
                                               struct linear step, struct linear column) {
  struct arena *arena = k->arena;
  if (x->b_computed) {
    struct coordinates coordinates = at->coordinates;
    contract_set_coordinates(arena, &x->depth, step, &coordinates);
    contract_set_coordinates(arena, &x->column, column, &coordinates);
    return access_value(k, x->b_value, &coordinates).x;
  }
  struct linear offset = linear_add(arena, at->b_at, linear_scale(arena, step, x->depth.b));
  offset = linear_add(arena, offset, linear_scale(arena, column, x->column.b));
  return expression_load(arena, at->b, linear_expression(arena, offset));
}

/* Element (step, row) of a, in the same way. */
static const struct expression *element_of_a(struct kernel *k, const struct contraction *x, const struct position *at,
                                             struct linear step, struct linear row) {
  struct arena *arena = k->arena;
  if (x->a_computed) {
    struct coordinates coordinates = at->coordinates;
    contract_set_coordinates(arena, &x->depth, step, &coordinates);
    contract_set_coordinates(arena, &x->row, row, &coordinates);
    return access_value(k, x->a_value, &coordinates).x;
  }
  struct linear offset = linear_add(arena, at->a_at, linear_scale(arena, step, x->depth.a));
  offset = linear_add(arena, offset, linear_scale(arena, row, x->row.a));
  return expression_load(arena, at->a, linear_expression(arena, offset));
}

/* Opens a loop over the elements of a group where there are several. Adds its variable to the place in packed memory and to the
   step of k. */
static struct linear group_loop(struct kernel *k, int group, struct linear to_at, struct linear *step) {
  if (group == 1) return to_at;
  struct linear j = kernel_loop(k, LOOP_UNROLLED, "j", expression_index(k->arena, group), group, 1);
  *step = linear_add(k->arena, *step, j);
  return linear_add(k->arena, to_at, j);
}

/* The same as it is stored in `to`: whole numbers may become reals there. */
static const struct expression *packed_element(struct kernel *k, const struct contraction *x, const struct position *at,
                                               const struct array *to, struct linear step, struct linear column) {
  const struct expression *element = contract_element_of_b(k, x, at, step, column);
  return element->type == to->type ? element : expression_convert(k->arena, to->type, element);
}

/* Whether elements lie side by side along k and would be read one by one down the columns of a panel: they are computed row by row
   instead, and then transposed. */
static bool is_transposed(const struct contraction *x, const struct array *to) {
  const bool plain = !x->b_computed && x->b.buffer->storage == storage_of_type(x->b.buffer->type);
  return (x->depth.b == 1 || x->in_words) && x->group == 1 && !plain && to->storage == STORAGE_REAL &&
         (x->depth.axis_count == 1 || x->run % x->s->target->lanes == 0);
}

enum { STRIP = 64 /* elements along k that are computed of each column before they are transposed */ };

/* Packs a panel in this way: see pack_panel. */
static void transpose_panel(struct kernel *k, const struct contraction *x, const struct position *at, struct array *to,
                            struct linear to_at, struct linear column, struct linear k_first,
                            const struct expression *depth, int64_t bound, int64_t columns) {
  struct arena *arena = k->arena;
  const int lanes = x->s->target->lanes;
  const int64_t length = bound < STRIP ? bound : STRIP;
  struct array *rows = kernel_array(k, "rows", to->type, MEMORY_STACK, x->width * length);
  const int outer = k->depth;
  if (columns < x->width) { /* what is no column of b stays 0 */
    struct linear i = kernel_loop(k, LOOP_SERIAL, "i", expression_index(arena, (x->width - columns) * length),
                                  (x->width - columns) * length, 1);
    kernel_store(k, rows, linear_add(arena, i, linear_constant(columns * length)),
                 expression_number(arena, to->type, 0));
    kernel_close_to(k, outer);
  }
  struct linear strip = linear_constant(0);
  const struct expression *here = depth;
  if (bound > STRIP) {
    strip = kernel_loop(k, LOOP_SERIAL, "strip", depth, bound, STRIP);
    const struct expression *left = expression_apply(arena, OP_sub, depth, linear_expression(arena, strip), NULL);
    if (depth->kind == EXPRESSION_NUMBER && (int64_t)depth->number % STRIP == 0)
      here = expression_index(arena, STRIP);
    else
      here =
          kernel_let(k, k->depth, "here", expression_apply(arena, OP_min, left, expression_index(arena, STRIP), NULL))
              .x;
  }
  const int inside = k->depth;
  struct linear c = kernel_loop(k, LOOP_SERIAL, "column", expression_index(arena, columns), columns, 1);
  struct linear step = kernel_loop(k, LOOP_SERIAL, "k", here, length, lanes);
  struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
  if (here->kind != EXPRESSION_NUMBER || (int64_t)here->number % lanes) {
    const struct expression *left = expression_apply(arena, OP_sub, here, linear_expression(arena, step), NULL);
    lane = kernel_lanes_below(k, lane, left, lanes);
  }
  step = linear_add(arena, step, lane);
  kernel_store(k, rows, linear_add(arena, linear_scale(arena, c, length), step),
               packed_element(k, x, at, to, linear_add(arena, k_first, linear_add(arena, strip, step)),
                              linear_add(arena, column, c)));
  kernel_close_to(k, inside);
  step = kernel_loop(k, LOOP_SERIAL, "k", here, length, 1);
  const int turned = k->depth;
  for (int v = 0; v < x->vectors; v++) {
    lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
    lane = linear_add(arena, lane, linear_constant((int64_t)v * lanes));
    struct linear place = linear_add(arena, to_at, linear_scale(arena, linear_add(arena, strip, step), x->width));
    const struct expression *from =
        linear_expression(arena, linear_add(arena, linear_scale(arena, lane, length), step));
    kernel_store(k, to, linear_add(arena, place, lane), expression_load(arena, rows, from));
    kernel_close_to(k, turned);
  }
  kernel_close_to(k, outer);
}

/* Packs the groups of one row of a panel, from the step `step` of k on: `length` elements of each, and zeros behind them. */
static void pack_groups(struct kernel *k, const struct contraction *x, const struct position *at, struct array *to,
                        struct linear to_at, struct linear column, struct linear step, int length, int64_t columns) {
  struct arena *arena = k->arena;
  const int lanes = x->s->target->lanes;
  const struct expression *zero = expression_number(arena, to->type, 0);
  for (int v = 0; v < x->vectors; v++) {
    int depth_before = k->depth;
    struct linear to_vector = linear_add(arena, to_at, linear_constant((int64_t)v * lanes * x->group));
    struct linear first = linear_add(arena, column, linear_constant((int64_t)v * lanes)), own_step = step;
    int64_t left = columns - (int64_t)v * lanes;
    if (left < lanes || length < x->group) {
      struct linear at_zero = group_loop(k, x->group, to_vector, &own_step);
      struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
      kernel_store(k, to, linear_add(arena, at_zero, linear_scale(arena, lane, x->group)), zero);
      kernel_close_to(k, depth_before);
    }
    if (left <= 0) continue;
    own_step = step;
    to_vector = group_loop(k, length, to_vector, &own_step);
    struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
    if (left < lanes) lane = kernel_lanes_below(k, lane, expression_index(arena, left), left);
    kernel_store(k, to, linear_add(arena, to_vector, linear_scale(arena, lane, x->group)),
                 packed_element(k, x, at, to, own_step, linear_add(arena, first, lane)));
    kernel_close_to(k, depth_before);
  }
}

/* Packs one panel: `columns` columns from `column` on of the k piece that begins at `k_first`, and zeros up to the
   panel's width. `to_at` is its place in `to`. The elements of a group of k lie side by side. */
static void pack_panel(struct kernel *k, const struct contraction *x, const struct position *at, struct array *to,
                       struct linear to_at, struct linear column, struct linear k_first, const struct expression *depth,
                       int64_t bound, int64_t columns) {
  struct arena *arena = k->arena;
  if (is_transposed(x, to)) {
    transpose_panel(k, x, at, to, to_at, column, k_first, depth, bound, columns);
    return;
  }
  const int rest = (int)(x->depth.extent % x->group), before = k->depth;
  const struct expression *group = expression_index(arena, x->group), *whole = depth;
  if (rest) whole = expression_apply(arena, OP_sub, depth, expression_apply(arena, OP_mod, depth, group, NULL), NULL);
  struct linear step = kernel_loop(k, LOOP_SERIAL, "k", whole, bound, x->group);
  pack_groups(k, x, at, to, linear_add(arena, to_at, linear_scale(arena, step, x->width)), column,
              linear_add(arena, k_first, step), x->group, columns);
  kernel_close_to(k, before);
  if (!rest) return;
  /* The last piece of k ends within a group. */
  const struct expression *here = expression_apply(arena, OP_mod, depth, group, NULL);
  if (here->kind != EXPRESSION_NUMBER)
    kernel_if(k, expression_apply(arena, OP_ne, here, expression_index(arena, 0), NULL));
  step = linear_from(arena, whole, 0, bound - rest, k->depth);
  pack_groups(k, x, at, to, linear_add(arena, to_at, linear_scale(arena, step, x->width)), column,
              linear_add(arena, k_first, step), rest, columns);
  kernel_close_to(k, before);
}

/* Packs the panel of a given number, which may be the narrow last one. */
static void pack_panel_of(struct kernel *k, const struct contraction *x, const struct position *at, struct array *to,
                          struct linear to_at, struct linear panel, struct linear k_first,
                          const struct expression *depth, int64_t bound) {
  struct arena *arena = k->arena;
  struct linear column = linear_scale(arena, panel, x->width);
  if (x->tail_columns == 0) {
    pack_panel(k, x, at, to, to_at, column, k_first, depth, bound, x->width);
    return;
  }
  const struct expression *last = expression_index(arena, x->panels - 1), *number = linear_expression(arena, panel);
  if (x->panels > 1) {
    kernel_if(k, expression_apply(arena, OP_lt, number, last, NULL));
    pack_panel(k, x, at, to, to_at, column, k_first, depth, bound, x->width);
    kernel_end(k);
    kernel_if(k, expression_apply(arena, OP_eq, number, last, NULL));
  }
  pack_panel(k, x, at, to, to_at, linear_constant((x->panels - 1) * x->width), k_first, depth, bound, x->tail_columns);
}

/* a's element as it is copied. */
static const struct expression *with_offset(struct kernel *k, const struct contraction *x,
                                            const struct expression *element) {
  if (!x->offset) return element;
  return expression_apply(k->arena, OP_add, element, expression_number(k->arena, contract_type(x), x->offset), NULL);
}

struct array *contract_offsets(struct kernel *k, const struct contraction *x) {
  struct arena *arena = k->arena;
  const int before = k->depth;
  struct array *offsets = kernel_array(k, "offsets", contract_type(x), MEMORY_STACK, x->group);
  offsets->storage = x->a_storage;
  struct linear j = kernel_loop(k, LOOP_UNROLLED, "j", expression_index(arena, x->group), x->group, 1);
  kernel_store(k, offsets, j, expression_number(arena, contract_type(x), x->offset));
  kernel_close_to(k, before);
  return offsets;
}

/* Sums the columns of a packed panel, times the offset: a tile of one row, whose elements are all the offset. */
static void sum_excess(struct kernel *k, const struct contraction *x, struct array *panel, struct linear panel_at,
                       const struct expression *depth, struct array *excess, struct linear excess_at) {
  struct arena *arena = k->arena;
  struct array *offsets = contract_offsets(k, x);
  const struct tile tile = {.rows = 1,
                            .vectors = x->vectors,
                            .type = contract_type(x),
                            .group = x->group,
                            .a = x->a_storage,
                            .b = x->b_storage};
  struct statement *call = block_call(arena, kernel_block(k), tile_helper(x->s, tile));
  const struct expression *zero = expression_index(arena, 0), *to = linear_expression(arena, excess_at);
  const struct argument arguments[] = {
      {offsets, zero},
      {NULL, zero},
      {NULL, zero},
      {panel, linear_expression(arena, panel_at)},
      {NULL, expression_index(arena, (int64_t)x->width * x->group)},
      {NULL, expression_apply(arena, OP_quotient, depth, expression_index(arena, x->group), NULL)},
      {NULL, zero},
      {excess, to},
      {NULL, zero},
      {excess, to},
      {NULL, zero}};
  for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) array_push(arena, &call->arguments, arguments[i]);
}

void pack_panels(struct kernel *k, const struct contraction *x, const struct position *at, struct array *to,
                 struct array *excess, struct linear first, const struct expression *count, int64_t bound,
                 struct linear k_first, const struct expression *depth, int64_t depth_bound) {
  struct arena *arena = k->arena;
  int depth_before = k->depth;
  struct linear number = linear_constant(0);
  if (bound > 1 || count->kind != EXPRESSION_NUMBER) number = kernel_loop(k, LOOP_SERIAL, "panel", count, bound, 1);
  struct linear to_at = linear_scale(arena, number, depth_bound * x->width);
  const int inside = k->depth;
  pack_panel_of(k, x, at, to, to_at, linear_add(arena, first, number), k_first, depth, depth_bound);
  kernel_close_to(k, inside);
  if (excess) sum_excess(k, x, to, to_at, depth, excess, linear_scale(arena, number, x->width));
  kernel_close_to(k, depth_before);
}

/* Vectors go along k where k is one axis; where it is several, each element has its own coordinates. */
void pack_rows(struct kernel *k, const struct contraction *x, const struct position *at, struct array *to,
               struct linear row, const struct expression *rows, int64_t bound, struct linear k_first,
               const struct expression *depth, int64_t depth_bound) {
  struct arena *arena = k->arena;
  const int before = k->depth, lanes = x->depth.axis_count == 1 ? x->s->target->lanes : 1;
  struct coordinates coordinates = at->coordinates;
  struct linear r = linear_constant(0);
  if (bound > 1) r = kernel_loop(k, LOOP_SERIAL, "r", rows, bound, 1);
  contract_set_coordinates(arena, &x->row, linear_add(arena, row, r), &coordinates);
  struct linear step = kernel_loop(k, LOOP_SERIAL, "k", depth, depth_bound, lanes);
  if (lanes > 1) {
    const struct expression *left = expression_apply(arena, OP_sub, depth, linear_expression(arena, step), NULL);
    struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
    if (depth->kind != EXPRESSION_NUMBER || (int64_t)depth->number % lanes)
      lane = kernel_lanes_below(k, lane, left, lanes);
    step = linear_add(arena, step, lane);
  }
  contract_set_coordinates(arena, &x->depth, linear_add(arena, k_first, step), &coordinates);
  kernel_store(k, to, linear_add(arena, linear_scale(arena, r, depth_bound), step),
               with_offset(k, x, access_value(k, x->a_value, &coordinates).x));
  kernel_close_to(k, before);
}

/* The layout of packed b: for each k piece, panels of [k][width]. */
void contract_pack(struct contraction *x) {
  struct scheduler *s = x->s;
  struct arena *arena = s->arena;
  int64_t pieces = divide_up(x->depth.extent, x->k_piece);
  const char *comment = arena_format(arena, "%s in panels of %d columns", x->b.buffer->comment, x->width);
  const struct value *base = x->b_value;
  while (!base->name && base->op != OP_state && !note_of(s, base)->place && base->input_count > 0)
    base = base->inputs[0];
  struct buffer *buffer =
      scratch_buffer(s, base, "packed", storage_kind(x->b_storage) == KIND_REAL ? TYPE_REAL : TYPE_INTEGER,
                     x->panels * x->width * pieces * x->k_piece, comment);
  buffer->storage = x->b_storage;
  x->packed = buffer;
  if (x->offset)
    x->excess =
        scratch_buffer(s, base, "excess", contract_type(x), x->panels * x->width * pieces,
                       arena_format(arena, "%d times the sums of %s", x->offset, base->name ? base->name : "b"));
  struct kernel *k =
      kernel_new(s, &(struct value){.op = OP_contract},
                 arena_format(arena, "pack_%lldx%lld", (long long)x->depth.extent, (long long)x->column.extent));
  k->form = FORM_PACK;
  k->launch->label = x->b.buffer->label;
  k->launch->origin = x->value->origin;
  k->value = x->named;
  k->function->comment = arena_format(arena, "packed[panel, k, %d columns] of b[k, column]", x->width);
  struct position at = {.b = kernel_window(k, &x->b, false), .b_at = linear_constant(0)};
  struct array *to = kernel_pointer(k, buffer, true);
  struct array *excess = x->excess ? kernel_pointer(k, x->excess, true) : NULL;
  int64_t tasks = pieces * x->panels;
  bool parallel = (double)x->depth.extent * (double)x->column.extent >= s->pipeline.parameters[PARAMETER_parallel_work];
  struct linear task =
      kernel_loop(k, parallel ? LOOP_PARALLEL : LOOP_SERIAL, "task", expression_index(arena, tasks), tasks, 1);
  struct linear piece = linear_quotient(arena, task, x->panels), panel = linear_mod(arena, task, x->panels);
  piece = kernel_named(k, "piece", piece);
  panel = kernel_named(k, "panel", panel);
  const struct expression *depth = expression_index(arena, x->k_piece);
  if (x->depth.extent % x->k_piece) {
    const struct expression *first = linear_expression(arena, linear_scale(arena, piece, x->k_piece));
    depth = expression_apply(arena, OP_min,
                             expression_apply(arena, OP_sub, expression_index(arena, x->depth.extent), first, NULL),
                             depth, NULL);
  }
  struct linear to_at = linear_scale(arena, task, x->k_piece * x->width);
  const int inside = k->depth;
  pack_panel_of(k, x, &at, to, to_at, panel, linear_scale(arena, piece, x->k_piece), depth, x->k_piece);
  kernel_close_to(k, inside);
  if (excess) sum_excess(k, x, to, to_at, depth, excess, linear_scale(arena, task, x->width));
  kernel_close_to(k, 0);
  kernel_finish(k);
}

enum {
  LINE_BYTES = 64, /* rows of tile registers are read faster where they begin with a line of the cache */
  ROWS_OF_TASK = 32 /* as many elements in two bytes as a line has */
};

/* The strides that a has in a buffer [batch, rows around, k / group, row, group]: the elements of a group lie side by side, those of
   groups are `depth.a` times as far apart as k is. For whole tiles: in a buffer [batch, rows around, row, k]. */
static int64_t set_group_strides(struct contraction *x) {
  const int64_t line = LINE_BYTES * 8 / storage_facts[x->a_storage].bits;
  const int64_t depth = x->matrix ? divide_up(x->depth.extent, line) * line : x->depth.extent;
  int64_t stride = x->row.extent * depth;
  struct group *const groups[] = {&x->m, &x->batch};
  for (int g = 0; g < 2; g++)
    for (int i = groups[g]->count - 1; i >= 0; i--) {
      groups[g]->items[i].a = stride;
      stride *= groups[g]->items[i].extent;
    }
  x->row.a = x->matrix ? depth : x->group;
  x->depth.a = x->matrix ? 1 : x->row.extent;
  return stride;
}

/* One group of k of all rows, into [row, group]. */
static void pack_group(struct kernel *k, const struct contraction *x, const struct contraction *from,
                       const struct position *at, struct array *to, struct linear to_at, struct linear number) {
  struct arena *arena = k->arena;
  const int lanes = x->s->target->lanes;
  const int64_t whole = x->row.extent / lanes * lanes;
  to_at = linear_add(arena, to_at, linear_scale(arena, number, x->row.extent * x->group));
  for (int tail = 0; tail < 2; tail++) {
    const int64_t rows = tail ? x->row.extent - whole : whole;
    if (!rows) continue;
    const int before = k->depth;
    struct linear row = linear_constant(tail ? whole : 0), step = linear_scale(arena, number, x->group);
    if (!tail && rows > lanes) row = kernel_loop(k, LOOP_SERIAL, "row", expression_index(arena, rows), rows, lanes);
    struct linear place = linear_add(arena, to_at, linear_scale(arena, row, x->group));
    place = group_loop(k, x->group, place, &step);
    struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
    if (tail) lane = kernel_lanes_below(k, lane, expression_index(arena, rows), rows);
    kernel_store(k, to, linear_add(arena, place, linear_scale(arena, lane, x->group)),
                 with_offset(k, x, element_of_a(k, from, at, step, linear_add(arena, row, lane))));
    kernel_close_to(k, before);
  }
}

/* All of k of the rows of block number `number`, into [row, k]. */
static void pack_row_block(struct kernel *k, const struct contraction *x, const struct contraction *from,
                           const struct position *at, struct array *to, struct linear to_at, struct linear number) {
  struct arena *arena = k->arena;
  const int lanes = x->s->target->lanes, before = k->depth;
  const int64_t bound = x->row.extent < ROWS_OF_TASK ? x->row.extent : ROWS_OF_TASK;
  const struct linear first = linear_scale(arena, number, ROWS_OF_TASK);
  const struct expression *rows = expression_index(arena, bound);
  if (x->row.extent % bound) {
    const struct expression *left =
        expression_apply(arena, OP_sub, expression_index(arena, x->row.extent), linear_expression(arena, first), NULL);
    rows = expression_apply(arena, OP_min, left, rows, NULL);
  }
  struct linear step =
      kernel_loop(k, LOOP_SERIAL, "k", expression_index(arena, x->depth.extent), x->depth.extent, lanes);
  struct linear r = kernel_loop(k, LOOP_SERIAL, "r", rows, bound, 1);
  struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
  const struct expression *left =
      expression_apply(arena, OP_sub, expression_index(arena, x->depth.extent), linear_expression(arena, step), NULL);
  if (x->depth.extent % lanes) lane = kernel_lanes_below(k, lane, left, lanes);
  step = linear_add(arena, step, lane);
  const struct linear row = linear_add(arena, first, r);
  to_at = linear_add(arena, to_at, linear_add(arena, linear_scale(arena, row, x->row.a), step));
  kernel_store(k, to, to_at, element_of_a(k, from, at, step, row));
  kernel_close_to(k, before);
}

void contract_pack_groups(struct contraction *x) {
  struct scheduler *s = x->s;
  struct arena *arena = s->arena;
  const struct contraction from = *x;
  const int64_t count = set_group_strides(x);
  const struct value *base = x->a_value;
  while (!base->name && base->op != OP_state && !note_of(s, base)->place && base->input_count > 0)
    base = base->inputs[0];
  const char *order = x->matrix ? "[row, k]" : arena_format(arena, "[k / %d, row, %d]", x->group, x->group);
  struct buffer *buffer = scratch_buffer(s, base, x->matrix ? "rows" : "groups", contract_type(x), count,
                                         arena_format(arena, "a[k, row] as %s", order));
  buffer->storage = x->a_storage;
  x->a_packed = buffer;
  struct kernel *k = kernel_new(s, &(struct value){.op = OP_contract},
                                arena_format(arena, "%s_%lldx%lld", x->matrix ? "turn" : "group",
                                             (long long)x->depth.extent, (long long)x->row.extent));
  k->form = FORM_PACK;
  k->launch->label = value_label(s, base, &(const struct origin *){NULL});
  k->launch->origin = x->value->origin;
  k->value = x->named;
  k->function->comment = arena_format(arena, "%s%s of a[k, row]", x->matrix ? "rows" : "groups", order);
  const struct value *roots[] = {x->a_value};
  kernel_count_uses(s, roots, 1);
  struct position at = {.b_step = 0};
  at.a_at = at.b_at = at.c_at = at.initial_at = linear_constant(0);
  struct array *to = kernel_pointer(k, buffer, true);
  if (!x->a_computed) at.a = kernel_window(k, &x->a, false);
  for (int i = 0; i < x->a_value->axis_count; i++)
    coordinates_set(&at.coordinates, x->a_value->axes[i], linear_constant(0));
  /* One task for each group of k, or for some rows, and each element of the loops around. */
  const int64_t parts = x->matrix ? divide_up(x->row.extent, ROWS_OF_TASK) : x->depth.extent / x->group;
  int64_t tasks = parts;
  for (int i = 0; i < x->batch.count; i++) tasks *= x->batch.items[i].extent;
  for (int i = 0; i < x->m.count; i++) tasks *= x->m.items[i].extent;
  const bool parallel = (double)count >= s->pipeline.parameters[PARAMETER_parallel_work];
  struct linear task =
      kernel_loop(k, parallel ? LOOP_PARALLEL : LOOP_SERIAL, "task", expression_index(arena, tasks), tasks, 1);
  struct linear number = kernel_named(k, x->matrix ? "block" : "group", linear_mod(arena, task, parts));
  struct linear to_at = linear_constant(0);
  task = linear_quotient(arena, task, parts);
  const struct group *const around[] = {&from.m, &from.batch}, *const placed[] = {&x->m, &x->batch};
  for (int g = 0; g < 2; g++)
    for (int i = around[g]->count - 1; i >= 0; i--) {
      struct linear along = linear_mod(arena, task, around[g]->items[i].extent);
      task = linear_quotient(arena, task, around[g]->items[i].extent);
      along = kernel_named(k, name_identifier(arena, around[g]->items[i].axis->name), along);
      contract_add_offsets(arena, &around[g]->items[i], along, &at);
      to_at = linear_add(arena, to_at, linear_scale(arena, along, placed[g]->items[i].a));
    }
  if (x->matrix)
    pack_row_block(k, x, &from, &at, to, to_at, number);
  else
    pack_group(k, x, &from, &at, to, to_at, number);
  kernel_close_to(k, 0);
  kernel_finish(k);
}
