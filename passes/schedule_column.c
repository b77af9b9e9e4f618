/* Reductions whose result keeps the innermost axis (gradients of biases and of normalisations), and those that keep
   none (norms, losses, and whether all that an optimizer wrote is finite). Columns: each task owns some vectors of
   columns and goes down the rows. Totals: chunks of fixed size are summed in parallel, then the sums of the chunks in
   order, so that the result depends on the shape alone; values as large as the space are stored on the way. */
#include <string.h>

#include "passes/schedule.h"

enum { SMALL_TOTAL = 1 << 14, TOTAL_CHUNK = 1 << 12, TOTAL_UNROLL = 4, COLUMN_TASKS = 8 };

static double elements_of(struct axis *const *axes, int count) {
  double elements = 1;
  for (int i = 0; i < count; i++) elements *= axis_usual(axes[i]);
  return elements;
}

/* The sum with one more element; a product that is summed becomes an fma. */
static const struct expression *accumulated(struct kernel *k, const struct value *value, const struct expression *old,
                                            const struct coordinates *at) {
  const struct value *x = value->inputs[0];
  bool single = !note_of(k->scheduler, x)->place && kernel_uses(k->scheduler, x) == 1;
  if (value->op == OP_reduce_sum && x->op == OP_mul && x->kind == KIND_REAL && single) {
    const struct expression *a = access_value(k, x->inputs[0], at).x;
    return expression_fma(k->arena, a, access_value(k, x->inputs[1], at).x, old);
  }
  return reduce_with(k->arena, value, old, access_value(k, x, at).x);
}

static const char *cluster_title(struct scheduler *s, const struct cluster *cluster, const char *otherwise) {
  for (int i = 0; i < cluster->values.count; i++) {
    if (cluster->values.items[i]->name) return name_end(s->arena, cluster->values.items[i]->name, 1);
  }
  return otherwise;
}

static const char *sum_title(struct scheduler *s, const struct cluster *cluster) {
  int i = 0;
  while (i + 1 < cluster->values.count && !is_reduction(cluster->values.items[i])) i++;
  return value_title(s->arena, cluster->values.items[i]);
}

static bool is_element(const struct cluster *cluster, const struct value *value) {
  return !is_reduction(value) && value->axis_count == cluster->space_count;
}

/* Stores what the cluster computes at these coordinates, for each element or else from its sums. Everything is computed
   before anything is stored, since one result may lie where an operand of another does. */
static void store_results(struct kernel *k, const struct cluster *cluster, bool elements,
                          const struct coordinates *at) {
  struct scheduler *s = k->scheduler;
  const struct expression **results = arena_new_array(k->arena, const struct expression *, cluster->values.count);
  for (int i = 0; i < cluster->values.count; i++)
    if (is_element(cluster, cluster->values.items[i]) == elements)
      results[i] = access_value(k, cluster->values.items[i], at).x;
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    const struct place *place = note_of(s, value)->place;
    if (!place || !results[i]) continue;
    /* A single number is found by its pointer alone, so that kernels which write different numbers of one output are
       one function. */
    if (value->axis_count == 0)
      kernel_store(k, kernel_window(k, place, true), linear_constant(0), results[i]);
    else
      kernel_store(k, kernel_place(k, place, true), access_offset(k, value, place, at), results[i]);
  }
}

static void add_locals(struct kernel *k, const struct cluster *cluster) {
  for (int i = 0; i < cluster->values.count; i++)
    if (!is_reduction(cluster->values.items[i]))
      array_push(k->arena, &k->locals, (struct local){cluster->values.items[i], NULL, false});
}

/* --- Columns ------------------------------------------------------------------------------------------------------------------------ */

struct columns {
  struct scheduler *s;
  struct kernel *k;
  struct cluster *cluster;
  const struct axis *axis; /* the axis that vectors run along */
  struct coordinates at;
  struct array **sums;
  int vectors; /* how many each task has */
  bool vector, guarded;
  struct linear block; /* the task's first column */
};

/* Opens the loops over the vectors of a block, sets the column's coordinate, and returns the element of the sums. The
   caller closes them. */
static struct linear open_vectors(struct columns *c) {
  struct kernel *k = c->k;
  struct arena *arena = k->arena;
  int lanes = c->s->target->lanes;
  if (!c->vector) {
    coordinates_set(&c->at, c->axis, c->block);
    return linear_constant(0);
  }
  struct linear slot = linear_constant(0);
  if (c->vectors > 1)
    slot = linear_scale(arena, kernel_loop(k, LOOP_UNROLLED, "v", expression_index(arena, c->vectors), c->vectors, 1),
                        lanes);
  struct linear lane = kernel_loop(k, LOOP_VECTOR, "lane", expression_index(arena, lanes), lanes, 1);
  struct linear column = linear_add(arena, c->block, linear_add(arena, slot, lane));
  if (c->guarded) {
    const struct expression *extent = kernel_extent(k, c->axis), *at = linear_expression(arena, column);
    lane = kernel_guard_lane(k, lane, expression_apply(arena, OP_lt, at, extent, NULL), lanes);
    column = linear_add(arena, c->block, linear_add(arena, slot, lane));
  }
  coordinates_set(&c->at, c->axis, column);
  return linear_add(arena, slot, lane);
}

void schedule_columns(struct scheduler *s, struct cluster *cluster) {
  struct arena *arena = s->arena;
  const struct value *first = cluster->values.items[0];
  struct columns columns = {.s = s,
                            .cluster = cluster,
                            .k = kernel_new(s, first, cluster_title(s, cluster, "columns"))},
                 *c = &columns;
  struct kernel *k = c->k;
  k->form = FORM_COLUMNS;
  k->cluster = cluster;
  kernel_count_uses(s, cluster->values.items, cluster->values.count);
  int lanes = s->target->lanes;
  c->axis = cluster->space[cluster->space_count - 1];
  c->vector = c->axis->extent >= lanes / 2 && c->axis->extent > 1;
  for (int i = 0; i < cluster->values.count; i++)
    if (is_reduction(cluster->values.items[i]) && cluster->values.items[i]->kind != KIND_REAL) c->vector = false;
  int64_t vectors = (c->axis->extent + lanes - 1) / lanes;
  c->vectors = vectors >= 4 * COLUMN_TASKS ? 4 : vectors >= 2 * COLUMN_TASKS ? 2 : 1;
  /* Single columns whose number is known only at run time are a loop to that number: a guard would not keep loads from
     reading beyond it. */
  bool counted = !c->vector && c->axis->size;
  int64_t width = c->vector ? (int64_t)c->vectors * lanes : 1,
          blocks = counted ? 1 : (c->axis->extent + width - 1) / width;
  c->guarded = c->vector && (c->axis->extent % width != 0 || c->axis->size);
  add_locals(k, cluster);
  /* Axes of constant length that are kept make the tasks; the last of them is cut into blocks. */
  struct axis *kept[MAX_AXES];
  int kept_count = 0;
  int64_t tasks = blocks;
  for (int i = 0; i < cluster->space_count - 1; i++) {
    struct axis *axis = cluster->space[i];
    if (axis_listed(cluster->reduced, cluster->reduced_count, axis)) continue;
    kept[kept_count++] = axis;
    if (!axis->size) tasks *= axis->extent;
  }
  bool parallel = elements_of(cluster->space, cluster->space_count) >= s->pipeline.parameters[PARAMETER_parallel_work];
  struct linear task = linear_constant(0);
  if (tasks > 1)
    task = kernel_loop(k, parallel ? LOOP_PARALLEL : LOOP_SERIAL, kept_count || c->vector ? "block" : "column",
                       expression_index(arena, tasks), tasks, 1);
  c->block = linear_scale(arena, blocks > 1 ? linear_mod(arena, task, blocks) : linear_constant(0), width);
  task = linear_quotient(arena, task, blocks);
  for (int i = kept_count - 1; i >= 0; i--) {
    if (kept[i]->size) continue;
    coordinates_set(&c->at, kept[i], linear_mod(arena, task, kept[i]->extent));
    task = linear_quotient(arena, task, kept[i]->extent);
  }
  for (int i = 0; i < kept_count; i++)
    if (kept[i]->size)
      coordinates_set(&c->at, kept[i],
                      kernel_loop(k, LOOP_SERIAL, name_identifier(arena, kept[i]->name), kernel_extent(k, kept[i]),
                                  kept[i]->extent, 1));
  if (counted)
    c->block = kernel_loop(k, LOOP_SERIAL, name_identifier(arena, c->axis->name), kernel_extent(k, c->axis),
                           c->axis->extent, 1);
  int depth = k->depth;
  c->sums = arena_new_array(arena, struct array *, cluster->values.count);
  bool guarded = c->guarded;
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    if (!is_reduction(value)) continue;
    enum type type = type_of_kind(value->kind);
    c->sums[i] = kernel_array(k, title_so_far(k->arena, value), type, MEMORY_REGISTER, width);
    c->guarded = false;
    struct linear slot = open_vectors(c);
    kernel_store(k, c->sums[i], slot, expression_number(arena, type, reduce_initial(value)));
    kernel_close_to(k, depth);
  }
  c->guarded = guarded;
  /* Reduced axes of constant length are one loop over rows. */
  int64_t rows = 1;
  for (int i = 0; i < cluster->reduced_count; i++)
    if (!cluster->reduced[i]->size) rows *= cluster->reduced[i]->extent;
  struct linear row = linear_constant(0);
  if (rows > 1) row = kernel_loop(k, LOOP_SERIAL, "row", expression_index(arena, rows), rows, 1);
  for (int i = cluster->reduced_count - 1; i >= 0; i--) {
    if (cluster->reduced[i]->size) continue;
    coordinates_set(&c->at, cluster->reduced[i], linear_mod(arena, row, cluster->reduced[i]->extent));
    row = linear_quotient(arena, row, cluster->reduced[i]->extent);
  }
  for (int i = 0; i < cluster->reduced_count; i++) {
    struct axis *axis = cluster->reduced[i];
    if (axis->size)
      coordinates_set(
          &c->at, axis,
          kernel_loop(k, LOOP_SERIAL, name_identifier(arena, axis->name), kernel_extent(k, axis), axis->extent, 1));
  }
  struct linear slot = open_vectors(c);
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    if (!is_reduction(value)) continue;
    const struct expression *old = expression_load(arena, c->sums[i], linear_expression(arena, slot));
    kernel_store(k, c->sums[i], slot, accumulated(k, value, old, &c->at));
  }
  kernel_close_to(k, depth);
  slot = open_vectors(c);
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    if (!is_reduction(value)) continue;
    struct leveled sum = {expression_load(arena, c->sums[i], linear_expression(arena, slot)), k->depth};
    kernel_remember(k, value, &c->at, kernel_let_value(k, k->depth, value, sum.x));
  }
  store_results(k, cluster, false, &c->at);
  kernel_close_to(k, 0);
  kernel_finish(k);
}

/* --- Totals ------------------------------------------------------------------------------------------------------------------------- */

struct total {
  struct scheduler *s;
  struct kernel *k;
  struct cluster *cluster;
  struct array **sums;
  bool vector; /* the innermost loop goes by vectors */
  int vectors; /* of partial sums; where not, there is one number */
  struct coordinates at;
  const struct value *like; /* where the run is over a flat index: what lies so */
  struct linear begin; /* where in it the run begins */
};

static void begin_sums(struct total *t) {
  struct kernel *k = t->k;
  add_locals(k, t->cluster); /* the sums may be over values of the cluster itself, which no buffer holds yet */
  for (int i = 0; i < t->cluster->values.count; i++) {
    const struct value *value = t->cluster->values.items[i];
    if (!is_reduction(value)) continue;
    enum type type = type_of_kind(value->kind);
    const int depth = k->depth;
    t->sums[i] = kernel_array(k, title_so_far(k->arena, value), type, MEMORY_REGISTER,
                              t->vector ? (int64_t)t->vectors * t->s->target->lanes : 1);
    const struct linear slot = t->vector ? kernel_vectors(k, t->vectors) : linear_constant(0);
    kernel_store(k, t->sums[i], slot, expression_number(k->arena, type, reduce_initial(value)));
    kernel_close_to(k, depth);
  }
}

static void sum_and_store(struct total *t, struct linear slot) {
  for (int i = 0; i < t->cluster->values.count; i++) {
    const struct value *value = t->cluster->values.items[i];
    if (!is_reduction(value)) continue;
    const struct expression *old = expression_load(t->k->arena, t->sums[i], linear_expression(t->k->arena, slot));
    kernel_store(t->k, t->sums[i], slot, accumulated(t->k, value, old, &t->at));
  }
  store_results(t->k, t->cluster, true, &t->at);
}

static const struct expression *end_sum(struct total *t, int index) {
  struct array *sum = t->sums[index];
  if (!t->vector) return expression_load(t->k->arena, sum, expression_index(t->k->arena, 0));
  return kernel_fold(t->k, reduce_op(t->cluster->values.items[index]), sum, t->vectors);
}

static void flat_body(void *context, struct linear at, struct linear slot) {
  struct total *t = context;
  flat_coordinates(t->like, note_of(t->s, t->like)->place, linear_add(t->k->arena, t->begin, at), &t->at);
  sum_and_store(t, slot);
}

/* `count` elements of a flat index from t->begin on, TOTAL_CHUNK at most. Where the number of all elements is one of whole
   groups of vectors, that of each chunk is, too. */
static void flat_sum(struct total *t, const struct expression *count) {
  const int64_t side = (int64_t)t->vectors * t->s->target->lanes;
  kernel_run(t->k, &(struct run){.name = "i",
                                 .count = count,
                                 .bound = TOTAL_CHUNK,
                                 .side = side,
                                 .is_whole = value_count(t->like) % side == 0 && TOTAL_CHUNK % side == 0,
                                 .body = flat_body,
                                 .context = t});
}

static void nested_body(void *context, struct linear at, struct linear slot) {
  struct total *t = context;
  coordinates_set(&t->at, t->cluster->space[t->cluster->space_count - 1], at);
  sum_and_store(t, slot);
}

/* All elements of the space, by nested loops from the axis `first` on; the innermost loop goes by vectors. */
static void nested_sum(struct total *t, int first) {
  struct kernel *k = t->k;
  struct arena *arena = k->arena;
  int depth = k->depth, last = t->cluster->space_count - 1;
  for (int i = first; i < last + !t->vector; i++) {
    struct axis *axis = t->cluster->space[i];
    struct linear along = linear_constant(0);
    if (axis->extent > 1 || axis->size)
      along = kernel_loop(k, LOOP_SERIAL, name_identifier(arena, axis->name), kernel_extent(k, axis), axis->extent, 1);
    coordinates_set(&t->at, axis, along);
  }
  const struct axis *axis = t->cluster->space[last];
  if (!t->vector)
    sum_and_store(t, linear_constant(0));
  else
    kernel_run(k, &(struct run){.name = name_identifier(arena, axis->name),
                                .count = kernel_extent(k, axis),
                                .bound = axis->extent,
                                .side = (int64_t)t->vectors * t->s->target->lanes,
                                .body = nested_body,
                                .context = t});
  kernel_close_to(k, depth);
}

/* Stores each sum as element `at` of its partial buffer. */
static void store_partials(struct total *t, struct buffer **partials, struct linear at) {
  for (int i = 0; i < t->cluster->values.count; i++) {
    if (!is_reduction(t->cluster->values.items[i])) continue;
    const struct expression *sum =
        kernel_let(t->k, t->k->depth, value_title(t->k->arena, t->cluster->values.items[i]), end_sum(t, i)).x;
    kernel_store(t->k, kernel_pointer(t->k, partials[i], true), at, sum);
  }
}

static void finish_totals(struct total *t, const struct expression **sums) {
  struct kernel *k = t->k;
  struct coordinates at = {0};
  for (int i = 0; i < t->cluster->values.count; i++) {
    const struct value *value = t->cluster->values.items[i];
    if (is_reduction(value)) kernel_remember(k, value, &at, kernel_let_value(k, k->depth, value, sums[i]));
  }
  store_results(k, t->cluster, false, &at);
}

/* A kernel that adds the partial sums, and stores what the cluster makes of the totals. */
static void add_partials(struct total *t, struct buffer **partials, int64_t count) {
  struct scheduler *s = t->s;
  struct arena *arena = s->arena;
  struct kernel *k = t->k =
      kernel_new(s, t->cluster->values.items[0], cluster_title(s, t->cluster, sum_title(s, t->cluster)));
  k->form = FORM_TOTAL;
  add_locals(k, t->cluster);
  k->any_count = true;
  const struct expression **sums = arena_new_array(arena, const struct expression *, t->cluster->values.count);
  struct launch_argument argument = {.number_kind = NUMBER_CONSTANT, .number = count};
  const struct expression *n = expression_variable(arena, kernel_number(k, "chunks", TYPE_INDEX, argument));
  for (int i = 0; i < t->cluster->values.count; i++) {
    const struct value *value = t->cluster->values.items[i];
    if (!is_reduction(value)) continue;
    enum type type = type_of_kind(value->kind);
    struct array *sum = kernel_array(k, title_so_far(k->arena, value), type, MEMORY_REGISTER, 1),
                 *partial = kernel_pointer(k, partials[i], false);
    kernel_store(k, sum, linear_constant(0), expression_number(arena, type, reduce_initial(value)));
    struct linear chunk = kernel_loop(k, LOOP_SERIAL, "chunk", n, count, 1);
    const struct expression *old = expression_load(arena, sum, expression_index(arena, 0));
    kernel_store(k, sum, linear_constant(0),
                 reduce_with(arena, value, old, expression_load(arena, partial, linear_expression(arena, chunk))));
    kernel_end(k);
    sums[i] = expression_load(arena, sum, expression_index(arena, 0));
  }
  finish_totals(t, sums);
  k->function->comment = "adds the sums of the chunks, in order";
  kernel_finish(k);
}

/* A value read by the reductions which lies flat, and all else that they read in the same order; NULL when there is
   none. */
static const struct value *flat_source(struct scheduler *s, struct cluster *cluster);

void schedule_total(struct scheduler *s, struct cluster *cluster) {
  struct arena *arena = s->arena;
  const struct value *first = cluster->values.items[0];
  struct total total = {.s = s, .cluster = cluster, .vector = true}, *t = &total;
  t->sums = arena_new_array(arena, struct array *, cluster->values.count);
  const struct value *stored = NULL; /* the last value that is stored for each element */
  for (int i = 0; i < cluster->values.count; i++) {
    if (cluster->values.items[i]->kind != KIND_REAL) t->vector = false;
    if (is_element(cluster, cluster->values.items[i])) stored = cluster->values.items[i];
  }
  const struct value *like = t->like = t->vector ? flat_source(s, cluster) : NULL;
  if (!like && cluster->space[cluster->space_count - 1]->extent < SUM_LANES) t->vector = false;
  t->vectors = sum_vectors(s->target, SUM_LANES, 1);
  double elements = elements_of(cluster->space, cluster->space_count);
  const char *title = cluster_title(s, cluster, sum_title(s, cluster));
  kernel_count_uses(s, cluster->values.items, cluster->values.count);
  /* With elements to be stored, even one chunk is a loop over chunks, so that small and large tensors share kernels. */
  if ((elements <= SMALL_TOTAL && !(like && stored)) || (!like && cluster->space[0]->size)) {
    struct kernel *k = t->k = stored ? sweep_kernel(s, stored) : kernel_new(s, first, title);
    k->form = FORM_TOTAL;
    k->cluster = cluster;
    begin_sums(t);
    nested_sum(t, 0);
    const struct expression **sums = arena_new_array(arena, const struct expression *, cluster->values.count);
    for (int i = 0; i < cluster->values.count; i++)
      if (is_reduction(cluster->values.items[i])) sums[i] = end_sum(t, i);
    finish_totals(t, sums);
    kernel_finish(k);
    return;
  }
  struct buffer **partials = arena_new_array(arena, struct buffer *, cluster->values.count);
  int64_t count = like ? value_count(like) : 1, chunks;
  int split = 0; /* so many axes make the chunks */
  if (like) {
    t->vectors = sum_vectors(s->target, TOTAL_CHUNK, stored ? 1 : TOTAL_UNROLL);
    chunks = (count + TOTAL_CHUNK - 1) / TOTAL_CHUNK;
  } else {
    chunks = 1;
    while (split < cluster->space_count - 1 && !cluster->space[split]->size &&
           (split == 0 || elements / (double)chunks > TOTAL_CHUNK))
      chunks *= cluster->space[split++]->extent;
  }
  for (int i = 0; i < cluster->values.count; i++)
    if (is_reduction(cluster->values.items[i]))
      partials[i] = scratch_buffer(s, cluster->values.items[i], "partial", type_of_kind(cluster->values.items[i]->kind),
                                   chunks, NULL);
  struct kernel *k = t->k =
      stored ? sweep_kernel(s, stored) : kernel_new(s, first, arena_format(arena, "%s_chunks", title));
  k->form = FORM_TOTAL;
  k->cluster = cluster;
  struct linear chunk;
  if (like) {
    k->any_count = true;
    struct launch_argument argument = {.number_kind = NUMBER_CONSTANT, .number = count};
    const struct expression *n = expression_variable(arena, kernel_number(k, "n", TYPE_INDEX, argument));
    const struct expression *rounded =
        expression_apply(arena, OP_add, n, expression_index(arena, TOTAL_CHUNK - 1), NULL);
    const bool parallel = !stored || count >= 2 * (int64_t)s->pipeline.parameters[PARAMETER_parallel_work];
    chunk = kernel_loop(k, parallel ? LOOP_PARALLEL : LOOP_SERIAL, "chunk",
                        expression_apply(arena, OP_quotient, rounded, expression_index(arena, TOTAL_CHUNK), NULL),
                        chunks, 1);
    t->begin = linear_scale(arena, chunk, TOTAL_CHUNK);
    const struct expression *left = expression_apply(arena, OP_sub, n, linear_expression(arena, t->begin), NULL);
    left = kernel_let(k, k->depth, "count",
                      expression_apply(arena, OP_min, left, expression_index(arena, TOTAL_CHUNK), NULL))
               .x;
    begin_sums(t);
    flat_sum(t, left);
  } else {
    chunk = kernel_loop(k, LOOP_PARALLEL, "chunk", expression_index(arena, chunks), chunks, 1);
    struct linear rest = chunk;
    for (int i = split - 1; i >= 0; i--) {
      coordinates_set(&t->at, cluster->space[i], linear_mod(arena, rest, cluster->space[i]->extent));
      rest = linear_quotient(arena, rest, cluster->space[i]->extent);
    }
    begin_sums(t);
    nested_sum(t, split);
  }
  store_partials(t, partials, chunk);
  kernel_close_to(k, 0);
  kernel_finish(k);
  add_partials(t, partials, chunks);
}

static const struct value *any_source(struct scheduler *s, const struct value *value, int count) {
  if (note_of(s, value)->place) return value->axis_count == count ? value : NULL;
  for (int i = 0; i < value->input_count; i++) {
    const struct value *found = any_source(s, value->inputs[i], count);
    if (found) return found;
  }
  return NULL;
}

static const struct value *flat_source(struct scheduler *s, struct cluster *cluster) {
  const struct value *like = NULL;
  for (int i = 0; i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    if (!is_reduction(value)) continue;
    if (!like) like = any_source(s, value->inputs[0], cluster->space_count);
    if (!like || !values_lie_flat(s, value->inputs[0], like)) return NULL;
  }
  return elements_lie_flat(s, cluster, like) ? like : NULL;
}
