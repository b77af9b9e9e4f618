/* Copies b into panels as wide as a tile, so that tiles read them from beginning to end. */
#include "passes/contract.h"

/* Packs one panel: `columns` columns of the k piece, and zeros up to the panel's width. `from_at` is its first element
   in b, `to_at` its place in `to`. */
static void pack_panel(struct kernel *k, const struct contraction *x, struct array *from, struct linear from_at,
                       struct array *to, struct linear to_at, const struct expression *depth, int64_t bound,
                       int64_t columns) {
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
    if (left < lanes)
      kernel_if(k, expression_apply(arena, OP_lt, linear_expression(arena, lane), expression_index(arena, left), NULL));
    struct linear source = linear_add(arena, from_vector, linear_scale(arena, lane, x->column.b));
    kernel_store(k, to, linear_add(arena, to_vector, lane),
                 expression_load(arena, from, linear_expression(arena, source)));
    kernel_close_to(k, depth_before);
  }
  kernel_end(k);
}

/* Packs the panel of a given number, which may be the narrow last one. */
static void pack_panel_of(struct kernel *k, const struct contraction *x, struct array *from, struct linear from_at,
                          struct array *to, struct linear to_at, struct linear panel, const struct expression *depth,
                          int64_t bound) {
  struct arena *arena = k->arena;
  from_at = linear_add(arena, from_at, linear_scale(arena, panel, x->width * x->column.b));
  if (x->tail_columns == 0) {
    pack_panel(k, x, from, from_at, to, to_at, depth, bound, x->width);
    return;
  }
  const struct expression *last = expression_index(arena, x->panels - 1), *at = linear_expression(arena, panel);
  if (x->panels > 1) {
    kernel_if(k, expression_apply(arena, OP_lt, at, last, NULL));
    pack_panel(k, x, from, from_at, to, to_at, depth, bound, x->width);
    kernel_end(k);
    kernel_if(k, expression_apply(arena, OP_eq, at, last, NULL));
  }
  pack_panel(k, x, from, from_at, to, to_at, depth, bound, x->tail_columns);
}

void pack_panels(struct kernel *k, const struct contraction *x, struct array *from, struct linear from_at,
                 struct array *to, struct linear first, const struct expression *count, int64_t bound,
                 const struct expression *depth, int64_t depth_bound) {
  struct arena *arena = k->arena;
  int depth_before = k->depth;
  struct linear number = kernel_loop(k, LOOP_SERIAL, "panel", count, bound, 1);
  struct linear to_at = linear_scale(arena, number, depth_bound * x->width);
  pack_panel_of(k, x, from, from_at, to, to_at, linear_add(arena, first, number), depth, depth_bound);
  kernel_close_to(k, depth_before);
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
      scratch_buffer(s, base, "packed", TYPE_REAL, x->panels * x->width * pieces * x->k_piece, comment);
  x->packed = buffer;
  struct kernel *k =
      kernel_new(s, &(struct value){.op = OP_contract},
                 arena_format(arena, "pack_%lldx%lld", (long long)x->depth.extent, (long long)x->column.extent));
  k->form = FORM_PACK;
  k->launch->label = x->b.buffer->label;
  k->launch->origin = x->value->origin;
  k->function->comment = arena_format(arena, "packed[panel, k, %d columns] of b[k, column]", x->width);
  struct array *from = kernel_window(k, x->b.buffer, x->b.offset, false), *to = kernel_pointer(k, buffer, true);
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
  struct linear from_at = linear_scale(arena, piece, x->k_piece * x->depth.b),
                to_at = linear_scale(arena, task, x->k_piece * x->width);
  pack_panel_of(k, x, from, from_at, to, to_at, panel, depth, x->k_piece);
  kernel_close_to(k, 0);
  kernel_finish(k);
}
