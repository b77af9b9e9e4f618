/* Sweeps: kernels of elementwise values and of reductions along rows.

   Rows are independent and run in parallel. Within a row each reduction that others wait for is one traversal of
   vectors with sums in registers, and a last traversal stores the values that are as large as the row. Values that an
   earlier traversal stored are read back; costly values that several traversals need are kept in an array of one row. A
   sweep without rows, where all memory that is read and written has the same layout, runs over one flat index whose
   length is an argument: it is one kernel for all shapes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "passes/stream.h"

enum {
  FLAT_CHUNK = 1 << 12,
  PRICE_ROW = 8 /* the least price of an operation for which a row is kept */
};

/* A value to be stored, and its place. */
struct target_value {
  const struct value *value;
  struct place place;
  bool defined; /* this kernel computes it; otherwise it is copied from its usual place */
};

struct sweep {
  struct scheduler *s;
  struct kernel *k;
  struct cluster *cluster;
  struct axis *outer[MAX_AXES], *row[MAX_AXES]; /* row: vectors run along the last one */
  int outer_count, row_count;
  bool vector;
  struct coordinates at;
  ARRAY(struct target_value) elements; /* as large as the space */
  ARRAY(struct target_value) scalars;  /* one for each row */
  ARRAY(const struct value *) reductions;
  int *levels;                         /* by reduction: the traversal that computes it, from 1 */
  struct array **sums;
  int traversals;
  ARRAY(const struct value *) counted; /* values with a count in scheduler->scratch.counts */
};

static bool in_cluster(const struct sweep *w, const struct value *value) {
  return cluster_of(w->s, value) == w->cluster;
}

/* --- Traversals ---------------------------------------------------------------------------------------------------------------- */

static int level_of(struct sweep *w, const struct value *value, bool inside);

static int level_below(struct sweep *w, const struct value *value) {
  int level = 0;
  for (int i = 0; i < value->input_count; i++) {
    int inner = level_of(w, value->inputs[i], true);
    if (inner > level) level = inner;
  }
  return level;
}

/* The last traversal whose result the value waits for; 0 for none. */
static int level_of(struct sweep *w, const struct value *value, bool inside) {
  struct scheduler *s = w->s;
  for (int i = 0; i < w->reductions.count; i++)
    if (w->reductions.items[i] == value) {
      if (w->levels[i] == 0) w->levels[i] = level_below(w, value) + 1;
      return w->levels[i];
    }
  if (inside && note_of(s, value)->place && !in_cluster(w, value)) return 0;
  const int *known = memo_table_find(&s->scratch.levels, value);
  if (known) return *known;
  int level = level_below(w, value);
  memo_table_set(&s->scratch.levels, value, level);
  return level;
}

/* Counts the traversals that compute a value anew. */
static void count_traversals(struct sweep *w, const struct value *value, int traversal, bool first) {
  struct scheduler *s = w->s;
  if (!first) {
    if (is_reduction(value) || (note_of(s, value)->place && !in_cluster(w, value))) return;
    struct traversal_count *count = &s->scratch.counts[value->id];
    if (count->last == traversal) return;
    if (count->traversals && note_of(s, value)->place) return; /* an earlier traversal has stored it */
    if (!count->traversals) array_push(s->arena, &w->counted, value);
    count->last = traversal;
    count->traversals++;
  }
  bool moves = op_facts[value->op].class == CLASS_VIEW && value->op != OP_expand;
  if (moves || value->op == OP_gather) return;
  for (int i = 0; i < value->input_count; i++) count_traversals(w, value->inputs[i], traversal, false);
}

static int by_id(const void *x, const void *y) {
  return (*(const struct value *const *)x)->id - (*(const struct value *const *)y)->id;
}

static void keep_rows(struct sweep *w) {
  struct scheduler *s = w->s;
  int64_t length = 1;
  for (int i = 0; i < w->row_count; i++) length *= w->row[i]->extent;
  if (w->traversals == 0 || length > s->pipeline.parameters[PARAMETER_fuse_row]) return;
  for (int traversal = 1; traversal <= w->traversals + 1; traversal++) {
    for (int i = 0; i < w->reductions.count; i++)
      if (w->levels[i] == traversal) count_traversals(w, w->reductions.items[i], traversal, true);
    for (int i = 0; traversal == w->traversals + 1 && i < w->elements.count; i++)
      count_traversals(w, w->elements.items[i].value, traversal, false);
  }
  if (w->counted.count) qsort(w->counted.items, (size_t)w->counted.count, sizeof *w->counted.items, by_id);
  for (int i = 0; i < w->counted.count; i++) {
    const struct value *value = w->counted.items[i];
    int traversals = s->scratch.counts[value->id].traversals;
    s->scratch.counts[value->id] = (struct traversal_count){0};
    if (traversals < 2 || op_facts[value->op].price < PRICE_ROW || note_of(s, value)->place) continue;
    if (value->axis_count != w->cluster->space_count) continue;
    struct array *array =
        kernel_array(w->k, value_title(s->arena, value), type_of_kind(value->kind), MEMORY_STACK, length);
    array_push(s->arena, &w->k->locals, (struct local){value, array, false});
  }
}

/* --- Loops --------------------------------------------------------------------------------------------------------------------- */

/* The body of a traversal at the coordinates that are set; `slot` is the element of the sums. The traversal after all
   those of reductions stores the elements. */
static void traversal_body(struct sweep *w, int traversal, struct linear slot) {
  struct kernel *k = w->k;
  struct arena *arena = k->arena;
  struct linear row_index = linear_constant(0);
  for (int i = 0; i < w->row_count; i++)
    row_index =
        linear_add(arena, linear_scale(arena, row_index, w->row[i]->extent), coordinates_get(&w->at, w->row[i]));
  k->row_index = row_index;
  k->row = &w->at;
  for (int i = 0; i < w->reductions.count; i++) {
    if (w->levels[i] != traversal) continue;
    const struct value *value = w->reductions.items[i], *x = value->inputs[0];
    const struct expression *old = expression_load(arena, w->sums[i], linear_expression(arena, slot)), *sum;
    bool product = value->op == OP_reduce_sum && x->op == OP_mul && x->kind == KIND_REAL && !note_of(w->s, x)->place &&
                   kernel_uses(w->s, x) == 1;
    if (product) {
      const struct expression *a = access_value(k, x->inputs[0], &w->at).x;
      sum = expression_fma(arena, a, access_value(k, x->inputs[1], &w->at).x, old);
    } else {
      sum = reduce_with(arena, value, old, access_value(k, x, &w->at).x);
    }
    kernel_store(k, w->sums[i], slot, sum);
  }
  if (traversal == w->traversals + 1) {
    const struct expression **results = arena_new_array(arena, const struct expression *, w->elements.count);
    for (int i = 0; i < w->elements.count; i++) results[i] = access_value(k, w->elements.items[i].value, &w->at).x;
    for (int i = 0; i < w->elements.count; i++) {
      const struct target_value *element = &w->elements.items[i];
      struct local *local = element->defined ? kernel_local(k, element->value) : NULL;
      if (local && local->stored) continue;
      kernel_store(k, kernel_place(k, &element->place, true), access_offset(k, element->value, &element->place, &w->at),
                   results[i]);
    }
    return;
  }
  /* Values that this traversal computed on its way are stored, so that later traversals can read them. */
  for (int i = 0; i < k->locals.count; i++) {
    struct local *local = &k->locals.items[i];
    struct leveled known;
    if (local->stored || local->value->op == OP_update || !kernel_recall(k, local->value, &w->at, &known)) continue;
    if (local->value->axis_count != w->cluster->space_count) continue;
    if (local->array)
      kernel_store(k, local->array, row_index, known.x);
    else
      kernel_store(k, kernel_place(k, note_of(w->s, local->value)->place, true),
                   access_offset(k, local->value, note_of(w->s, local->value)->place, &w->at), known.x);
  }
}

/* To be called after all copies of a traversal's body are written. */
static void mark_stored(struct sweep *w, const bool *would) {
  for (int i = 0; i < w->k->locals.count; i++)
    if (would[i]) w->k->locals.items[i].stored = true;
}

/* Marks the values that a traversal computes on the way to `from`. */
static void mark_needed(struct sweep *w, const struct value *from, bool first) {
  struct scheduler *s = w->s;
  if (!first) {
    if (memo_table_find(&s->scratch.needed, from)) return;
    memo_table_set(&s->scratch.needed, from, 1);
    if (is_reduction(from) || (note_of(s, from)->place && !in_cluster(w, from))) return;
    struct local *local = kernel_local(w->k, from);
    if (local && local->stored) return;
  }
  if ((op_facts[from->op].class == CLASS_VIEW && from->op != OP_expand) || from->op == OP_gather) return;
  for (int i = 0; i < from->input_count; i++) mark_needed(w, from->inputs[i], false);
}

struct traversal {
  struct sweep *w;
  int number;
};

static void run_body(void *context, struct linear at, struct linear slot) {
  const struct traversal *traversal = context;
  struct sweep *w = traversal->w;
  coordinates_set(&w->at, w->row[w->row_count - 1], at);
  traversal_body(w, traversal->number, slot);
}

/* Runs along the whole innermost axis, with `vectors` vectors side by side. */
static void vector_row(struct sweep *w, int traversal, int vectors) {
  struct kernel *k = w->k;
  const int depth = k->depth;
  const struct axis *axis = w->row[w->row_count - 1];
  const char *name = name_identifier(k->arena, axis->name);
  if (!w->vector) {
    struct linear i = linear_constant(0);
    if (axis->extent > 1 || axis->size) i = kernel_loop(k, LOOP_SERIAL, name, kernel_extent(k, axis), axis->extent, 1);
    coordinates_set(&w->at, axis, i);
    traversal_body(w, traversal, linear_constant(0));
    kernel_close_to(k, depth);
    return;
  }
  struct traversal context = {w, traversal};
  kernel_run(k, &(struct run){.name = name,
                              .count = kernel_extent(k, axis),
                              .bound = axis->extent,
                              .side = (int64_t)vectors * w->s->target->lanes,
                              .is_whole = stream_needed(w->s->stream, axis) != NULL,
                              .body = run_body,
                              .context = &context});
}

static void fill_sums(struct sweep *w, int index, int vectors) {
  struct kernel *k = w->k;
  const struct value *value = w->reductions.items[index];
  const int depth = k->depth;
  enum type type = type_of_kind(value->kind);
  w->sums[index] = kernel_array(k, title_so_far(k->arena, value), type, MEMORY_REGISTER,
                                w->vector ? (int64_t)vectors * w->s->target->lanes : 1);
  const struct linear slot = w->vector ? kernel_vectors(k, vectors) : linear_constant(0);
  kernel_store(k, w->sums[index], slot, expression_number(k->arena, type, reduce_initial(value)));
  kernel_close_to(k, depth);
}

static void finish_sum(struct sweep *w, int index, int vectors) {
  struct kernel *k = w->k;
  struct arena *arena = k->arena;
  const struct value *value = w->reductions.items[index];
  const struct expression *total = w->vector ? kernel_fold(k, reduce_op(value), w->sums[index], vectors)
                                             : expression_load(arena, w->sums[index], expression_index(arena, 0));
  struct leveled result = kernel_let_value(k, k->depth, value, total);
  kernel_remember(k, value, &w->at, result);
  const struct place *place = note_of(w->s, value)->place;
  if (place) kernel_store(k, kernel_place(k, place, true), access_offset(k, value, place, &w->at), result.x);
}

/* How many vectors of partial sums a traversal has; where it sums nothing, one vector after the other is stored. */
static int vectors_of(const struct sweep *w, int traversal) {
  const struct axis *axis = w->row[w->row_count - 1];
  if (!w->vector || traversal > w->traversals) return 1;
  return sum_vectors(w->s->target, axis->extent, axis->size ? 1 : sum_unroll(axis->extent));
}

static void run_traversal(struct sweep *w, int traversal) {
  struct kernel *k = w->k;
  struct arena *arena = k->arena;
  const int depth = k->depth, vectors = vectors_of(w, traversal);
  if (traversal == w->traversals + 1 && w->elements.count == 0) return;
  for (int i = 0; i < w->reductions.count; i++)
    if (w->levels[i] == traversal) fill_sums(w, i, vectors);
  bool *would = arena_new_array(arena, bool, k->locals.count);
  /* Finds the locals that the traversal's reductions need. */
  memo_table_clear(&w->s->scratch.needed);
  for (int i = 0; i < w->reductions.count && traversal <= w->traversals; i++)
    if (w->levels[i] == traversal) mark_needed(w, w->reductions.items[i], true);
  for (int j = 0; j < k->locals.count && traversal <= w->traversals; j++) {
    const struct value *value = k->locals.items[j].value;
    would[j] = value->op != OP_update && value->axis_count == w->cluster->space_count &&
               memo_table_find(&w->s->scratch.needed, value);
  }
  for (int i = 0; i < w->row_count - 1; i++) {
    struct linear along = linear_constant(0);
    if (w->row[i]->extent > 1 || w->row[i]->size)
      along = kernel_loop(k, LOOP_SERIAL, name_identifier(arena, w->row[i]->name), kernel_extent(k, w->row[i]),
                          w->row[i]->extent, 1);
    coordinates_set(&w->at, w->row[i], along);
  }
  vector_row(w, traversal, vectors);
  kernel_close_to(k, depth);
  mark_stored(w, would);
  for (int i = 0; i < w->reductions.count; i++)
    if (w->levels[i] == traversal) finish_sum(w, i, vectors);
}

/* --- Whole kernels ------------------------------------------------------------------------------------------------------------- */

static double elements_of(struct axis *const *axes, int count) {
  double elements = 1;
  for (int i = 0; i < count; i++) elements *= axis_usual(axes[i]);
  return elements;
}

/* Opens the loops over all rows: one parallel loop over axes of constant length, serial loops over the others. */
static void open_rows(struct sweep *w) {
  struct kernel *k = w->k;
  struct arena *arena = k->arena;
  const struct stream *stream = w->s->stream;
  int64_t rows = 1;
  for (int i = 0; i < w->outer_count; i++)
    if (!w->outer[i]->size) rows *= stream_extent(stream, w->outer[i]);
  double work = elements_of(w->outer, w->outer_count) * elements_of(w->row, w->row_count);
  enum loop_kind loop = work >= w->s->pipeline.parameters[PARAMETER_parallel_work] ? LOOP_PARALLEL : LOOP_SERIAL;
  struct linear row = linear_constant(0);
  if (rows > 1) row = kernel_loop(k, loop, "row", expression_index(arena, rows), rows, 1);
  for (int i = w->outer_count - 1; i >= 0; i--) {
    if (w->outer[i]->size) continue;
    const int64_t extent = stream_extent(stream, w->outer[i]);
    coordinates_set(&w->at, w->outer[i], stream_coordinate(arena, stream, w->outer[i], linear_mod(arena, row, extent)));
    row = linear_quotient(arena, row, extent);
  }
  for (int i = 0; i < w->outer_count; i++) {
    if (!w->outer[i]->size) continue;
    const char *name = k->depth ? name_identifier(arena, w->outer[i]->name) : "row";
    coordinates_set(&w->at, w->outer[i],
                    kernel_loop(k, LOOP_SERIAL, name, kernel_extent(k, w->outer[i]), w->outer[i]->extent, 1));
  }
}

static void sort_values(struct sweep *w) {
  struct scheduler *s = w->s;
  for (int i = 0; i < w->cluster->values.count; i++) {
    const struct value *value = w->cluster->values.items[i];
    struct place *place = note_of(s, value)->place;
    if (is_reduction(value)) {
      array_push(s->arena, &w->reductions, value);
      continue;
    }
    bool element = value->axis_count == w->cluster->space_count;
    struct target_value target = {value, *place, true};
    if (element)
      array_push(s->arena, &w->elements, target);
    else
      array_push(s->arena, &w->scalars, target);
    array_push(s->arena, &w->k->locals, (struct local){value, NULL, false});
  }
  w->levels = arena_new_array(s->arena, int, w->reductions.count);
  w->sums = arena_new_array(s->arena, struct array *, w->reductions.count);
  memo_table_clear(&s->scratch.levels);
  for (int i = 0; i < w->reductions.count; i++) {
    int level = level_of(w, w->reductions.items[i], false);
    if (level > w->traversals) w->traversals = level;
  }
}

static void rows_kernel(struct sweep *w) {
  struct kernel *k = w->k;
  const struct axis *inner = w->row_count ? w->row[w->row_count - 1] : NULL;
  const struct target *target = w->s->target;
  /* Whether a row is summed by vectors depends on its length alone. */
  const int least = w->reductions.count ? SUM_LANES / 2 : target->masks ? target->lanes / 2 : target->lanes;
  w->vector = inner && inner->extent >= least && inner->extent > 1;
  for (int i = 0; i < w->reductions.count; i++)
    if (w->reductions.items[i]->kind != KIND_REAL) w->vector = false;
  open_rows(w);
  keep_rows(w);
  if (w->row_count == 0) {
    traversal_body(w, w->traversals + 1, linear_constant(0));
  } else {
    for (int traversal = 1; traversal <= w->traversals + 1; traversal++) run_traversal(w, traversal);
  }
  for (int i = 0; i < w->scalars.count; i++) {
    const struct target_value *scalar = &w->scalars.items[i];
    struct leveled x = access_value(k, scalar->value, &w->at);
    kernel_store(k, kernel_place(k, &scalar->place, true), access_offset(k, scalar->value, &scalar->place, &w->at),
                 x.x);
  }
  kernel_close_to(k, k->base);
}

/* --- Flat kernels ---------------------------------------------------------------------------------------------------------------- */

/* Whether the cluster has only values as large as its space, with more than one element, which all have the same
   layout. */
static bool cluster_is_flat(struct scheduler *s, struct cluster *cluster) {
  const struct value *first = cluster->values.items[0];
  for (int i = 0; i < cluster->values.count; i++)
    if (is_reduction(cluster->values.items[i]) || cluster->values.items[i]->axis_count != cluster->space_count)
      return false;
  return cluster->space_count > 0 && value_count(first) > 1 && elements_lie_flat(s, cluster, first);
}

static void flat_kernel(struct sweep *w) {
  struct kernel *k = w->k;
  struct arena *arena = k->arena;
  const struct value *first = w->cluster->values.items[0];
  const struct place *place = note_of(w->s, first)->place;
  int lanes = w->s->target->lanes;
  int64_t count = value_count(first);
  bool parallel = count >= 2 * (int64_t)w->s->pipeline.parameters[PARAMETER_parallel_work];
  k->any_count = true;
  struct launch_argument argument = {.number_kind = NUMBER_CONSTANT, .number = count};
  const struct expression *n = expression_variable(arena, kernel_number(k, "n", TYPE_INDEX, argument)), *left = n;
  /* Even one chunk is a loop over chunks, so that small and large tensors share kernels. */
  const struct expression *rounded = expression_apply(arena, OP_add, n, expression_index(arena, FLAT_CHUNK - 1), NULL);
  const struct expression *chunks =
      expression_apply(arena, OP_quotient, rounded, expression_index(arena, FLAT_CHUNK), NULL);
  struct linear chunk =
      kernel_loop(k, parallel ? LOOP_PARALLEL : LOOP_SERIAL, "chunk", chunks, count / FLAT_CHUNK + 2, 1);
  struct linear begin = linear_scale(arena, chunk, FLAT_CHUNK);
  left = expression_apply(arena, OP_sub, n, linear_expression(arena, begin), NULL);
  left = expression_apply(arena, OP_min, left, expression_index(arena, FLAT_CHUNK), NULL);
  left = kernel_let(k, k->depth, "count", left).x;
  int depth = k->depth;
  const struct expression *rest = expression_apply(arena, OP_mod, left, expression_index(arena, lanes), NULL);
  const struct expression *whole = expression_apply(arena, OP_sub, left, rest, NULL);
  /* Where the elements fill all vectors, there is neither a tail nor a mask. */
  const bool full = count % lanes == 0, masks = w->s->target->masks && !full;
  for (int tail = 0; tail < (masks || full ? 1 : 2); tail++) {
    struct linear i;
    const struct expression *lanes_left = rest;
    if (tail == 0) {
      i = kernel_loop(k, LOOP_SERIAL, "i", masks || full ? left : whole, count, lanes);
      lanes_left = expression_apply(arena, OP_sub, left, linear_expression(arena, i), NULL);
    } else {
      i = linear_from(arena, whole, 0, count, k->depth);
    }
    struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
    if (masks || tail == 1) lane = kernel_lanes_below(k, lane, lanes_left, lanes);
    flat_coordinates(first, place, linear_add(arena, begin, linear_add(arena, i, lane)), &w->at);
    traversal_body(w, 1, lane);
    kernel_close_to(k, depth);
  }
  kernel_close_to(k, k->base);
}

/* --- Entry ----------------------------------------------------------------------------------------------------------------------- */

/* The second part of a kernel's name: "" where the value stands in a function of the spec, which is the first part;
   else the value's name. */
static const char *kernel_title(struct scheduler *s, const struct value *value) {
  if (value->origin.function && value->origin.function[0]) return "";
  if (!value->name) {
    const struct origin *origin;
    const char *label = value_label(s, value, &origin);
    return name_identifier(s->arena, strchr(label, '.') ? label : arena_format(s->arena, "%s_kernel", label));
  }
  return name_end(s->arena, value->name, 1);
}

struct kernel *sweep_kernel(struct scheduler *s, const struct value *last) {
  /* A sweep of updates is named after the optimizer whose formulas it computes. */
  const struct value *source = last->op == OP_update ? last->inputs[0] : last;
  bool optimizer = source != last && source->origin.function && source->origin.function[0];
  return kernel_new(s, source, optimizer ? "" : last->op == OP_update ? "update" : kernel_title(s, last));
}

/* In a stream, axes around are no axes of the rows. */
static void leave_around(struct sweep *w) {
  const struct stream *stream = w->s->stream;
  int kept = 0;
  for (int i = 0; i < w->outer_count; i++) {
    if (stream_is_around(stream, w->outer[i]))
      coordinates_set(&w->at, w->outer[i], coordinates_get(&stream->coordinates, w->outer[i]));
    else
      w->outer[kept++] = w->outer[i];
  }
  w->outer_count = kept;
}

void schedule_sweep(struct scheduler *s, struct cluster *cluster) {
  bool inner_reduced = cluster->reduced_count &&
                       cluster->space[cluster->space_count - 1] == cluster->reduced[cluster->reduced_count - 1];
  if (cluster->reduced_count && cluster->reduced_count == cluster->space_count) {
    schedule_total(s, cluster);
    return;
  }
  if (cluster->reduced_count && !inner_reduced) {
    schedule_columns(s, cluster);
    return;
  }
  struct sweep sweep = {.s = s, .cluster = cluster}, *w = &sweep;
  w->k = sweep_kernel(s, cluster_main_value(s, cluster));
  w->k->cluster = cluster;
  kernel_count_uses(s, cluster->values.items, cluster->values.count);
  bool flat = !s->stream && cluster_is_flat(s, cluster);
  sort_values(w);
  int row_count = cluster->reduced_count ? cluster->reduced_count : cluster->space_count > 0 ? 1 : 0;
  w->row_count = row_count;
  w->outer_count = cluster->space_count - row_count;
  memcpy(w->outer, cluster->space, sizeof *w->outer * (size_t)w->outer_count);
  memcpy(w->row, cluster->space + w->outer_count, sizeof *w->row * (size_t)row_count);
  w->k->form = flat ? FORM_FLAT : cluster->space_count ? FORM_ROWS : FORM_NUMBERS;
  leave_around(w);
  if (flat)
    flat_kernel(w);
  else
    rows_kernel(w);
  kernel_finish(w->k);
}

void schedule_copy(struct scheduler *s, const struct value *value, const struct place *to, const char *what) {
  struct cluster cluster = {.kind = CLUSTER_SWEEP, .space_count = value->axis_count};
  bool whole = to->buffer->axis_count == value->axis_count;
  for (int i = 0; i < value->axis_count && whole; i++) whole = value_has_axis(value, to->buffer->axes[i]);
  memcpy(cluster.space, whole ? to->buffer->axes : value->axes, sizeof *value->axes * (size_t)value->axis_count);
  struct sweep sweep = {.s = s, .cluster = &cluster}, *w = &sweep;
  w->k = kernel_new(s, value, what);
  w->k->form = FORM_COPY;
  kernel_count_uses(s, &value, 1);
  array_push(s->arena, &w->elements, (struct target_value){value, *to, false});
  w->row_count = value->axis_count > 0;
  w->outer_count = value->axis_count - w->row_count;
  memcpy(w->outer, cluster.space, sizeof *w->outer * (size_t)w->outer_count);
  memcpy(w->row, cluster.space + w->outer_count, sizeof *w->row * (size_t)w->row_count);
  rows_kernel(w);
  kernel_finish(w->k);
}

void schedule_concat(struct scheduler *s, const struct value *concat) {
  const struct place *whole = note_of(s, concat)->place;
  for (int i = 0; i < concat->input_count; i++) {
    struct place part = layout_part(concat, whole, i), lies;
    if (access_strided(s, concat->inputs[i], &lies) && lies.buffer == part.buffer && lies.offset == part.offset)
      continue;
    schedule_copy(s, concat->inputs[i], &part, "concat");
  }
}
