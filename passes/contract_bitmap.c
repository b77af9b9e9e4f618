/* Pruned weights that few rows are multiplied by: decoding waits for memory, so zeros are not read. Of each row of b a bitmap says which
   elements are not zero, and these lie side by side; a row is expanded once, for all rows of a (STATEMENT_EXPAND), and sums go on as if
   it had been read whole: the same elements in the same order, and so the same bits.

   The bitmap is made of the weight by a kernel that reads parameters alone, so derive launches it when these change. Its values have
   room for as many elements as pruning leaves (struct state, kept). Each row has an offset into them, so that tasks know where theirs
   begin. Rows for which no room is left have the offset -1 and are read where the weight lies: whatever a host writes into a parameter,
   the result is right. */
#include "passes/contract.h"

enum {
  LONGEST = 1 << 14, /* elements of a row, which lies on the stack */
  LEAST_BYTES =
      1 << 23 /* of all pruned weights: fewer stay in a cache, from where they are read faster than they are expanded */
};

struct bitmap {
  struct buffer *values, *masks, *offsets;
  int64_t row, words; /* of a row: its elements and its masks */
};

/* Whether each row of b that the kernel reads is one of the rows that the weight is made of. */
static bool has_whole_rows(const struct contraction *x) {
  const int64_t row = x->depth.extent;
  if (x->b.buffer->count > INT32_MAX - LONGEST || x->depth.b != 1 || x->b.offset % row || x->b.buffer->count % row ||
      x->column.b % row || row > LONGEST)
    return false;
  const struct group *groups[] = {&x->batch, &x->m, &x->n};
  for (int g = 0; g < 3; g++)
    for (int i = 0; i < groups[g]->count; i++)
      if (groups[g]->items[i].b % row) return false;
  return x->row.b == 0;
}

/* The share of a weight's elements up to which a bitmap is read faster. */
static double limit_of(const struct contraction *x) {
  const double wanted = x->s->pipeline.parameters[PARAMETER_derive_bitmap];
  const struct target *target = x->s->target;
  if (wanted >= 0) return wanted;
  return x->b.buffer->storage == STORAGE_REAL ? target->expand_reals : target->expand_bytes;
}

/* The bytes of all pruned weights, if all of them are stored as this one. */
static double bytes_of_pruned(const struct contraction *x) {
  const struct program *program = x->s->program;
  double count = 0;
  for (int i = 0; i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    if (state->role == ROLE_PARAMETER && state->kept) count += (double)axes_count(state->axes, state->axis_count);
  }
  return count * storage_facts[x->b.buffer->storage].bits / 8;
}

static enum bitmap_reason reason_of(const struct contraction *x, double share) {
  const enum storage storage = x->b.buffer->storage;
  if (x->s->pipeline.parameters[PARAMETER_derive_bitmap] == 0) return BITMAP_LEFT_OUT;
  if (!derives_launches(x->s)) return BITMAP_FIXED;
  if (x->b_computed || (storage != STORAGE_REAL && storage_facts[storage].bits != 8)) return BITMAP_STORAGE;
  if (limit_of(x) == 0) return BITMAP_SLOW;
  if (share > limit_of(x)) return BITMAP_DENSE;
  if (x->s->pipeline.parameters[PARAMETER_derive_bitmap] < 0 && bytes_of_pruned(x) < LEAST_BYTES) return BITMAP_SMALL;
  return has_whole_rows(x) ? BITMAP_READ : BITMAP_ROWS;
}

static struct buffer *buffer_for(const struct contraction *x, const char *what, enum type type, enum storage storage,
                                 int64_t count, const char *comment) {
  const struct value *base = x->b_value;
  while (!base->name && base->op != OP_state && !note_of(x->s, base)->place && base->input_count > 0)
    base = base->inputs[0];
  struct buffer *buffer = scratch_buffer(x->s, base, what, type, count, comment);
  buffer->storage = storage;
  return buffer;
}

/* An integer that a kernel counts with. */
struct counter {
  struct kernel *k;
  struct array *array;
};

static struct counter counter_new(struct kernel *k, const char *name) {
  const struct counter counter = {k, kernel_array(k, name, TYPE_INTEGER, MEMORY_REGISTER, 1)};
  kernel_store(k, counter.array, linear_constant(0), expression_number(k->arena, TYPE_INTEGER, 0));
  return counter;
}

static const struct expression *counter_value(const struct counter *counter) {
  return expression_load(counter->k->arena, counter->array, expression_index(counter->k->arena, 0));
}

static const struct expression *plus(struct arena *arena, const struct expression *x, const struct expression *y) {
  return expression_apply(arena, OP_add, x, y, NULL);
}

static void counter_add(const struct counter *counter, const struct expression *x) {
  kernel_store(counter->k, counter->array, linear_constant(0), plus(counter->k->arena, counter_value(counter), x));
}

static const struct expression *one_where(struct arena *arena, const struct expression *condition) {
  return expression_apply(arena, OP_where, condition, expression_number(arena, TYPE_INTEGER, 1),
                          expression_number(arena, TYPE_INTEGER, 0));
}

static const struct expression *is_kept(struct arena *arena, const struct expression *x) {
  return expression_apply(arena, OP_ne, x, expression_number(arena, x->type, 0), NULL);
}

/* Writes the masks of each row, and how many of its elements are not zero in the place of its offset. */
static void write_masks(struct kernel *k, const struct bitmap *bitmap, struct array *b, struct array *masks,
                        struct array *offsets, int64_t rows, enum loop_kind kind) {
  struct arena *arena = k->arena;
  struct linear row = kernel_loop(k, kind, "row", expression_index(arena, rows), rows, 1);
  const struct counter kept = counter_new(k, "kept");
  struct linear word = kernel_loop(k, LOOP_SERIAL, "word", expression_index(arena, bitmap->words), bitmap->words, 1);
  const struct counter mask = counter_new(k, "mask");
  /* From the last bit to the first: what is in the mask so far moves up by one. */
  struct linear bit = kernel_loop(k, LOOP_SERIAL, "bit", expression_index(arena, MASK_BITS), MASK_BITS, 1);
  struct linear place = linear_add(arena, linear_scale(arena, word, MASK_BITS), linear_constant(MASK_BITS - 1));
  place = linear_add(arena, place, linear_scale(arena, bit, -1));
  struct linear at = linear_add(arena, linear_scale(arena, row, bitmap->row), place);
  const struct expression *set = is_kept(arena, expression_load(arena, b, linear_expression(arena, at)));
  if (bitmap->row % (bitmap->words * MASK_BITS)) {
    const struct expression *inside =
        expression_apply(arena, OP_lt, linear_expression(arena, place), expression_index(arena, bitmap->row), NULL);
    set = expression_apply(arena, OP_and, inside, set, NULL);
  }
  set = kernel_let(k, k->depth, "set", one_where(arena, set)).x;
  const struct expression *before = counter_value(&mask);
  kernel_store(k, mask.array, linear_constant(0), plus(arena, plus(arena, before, before), set));
  counter_add(&kept, set);
  kernel_end(k);
  kernel_store(k, masks, linear_add(arena, linear_scale(arena, row, bitmap->words), word), counter_value(&mask));
  kernel_end(k);
  kernel_store(k, offsets, row, counter_value(&kept));
  kernel_end(k);
}

/* Makes offsets of the numbers of elements. */
static void write_offsets(struct kernel *k, struct array *offsets, int64_t rows, int64_t capacity) {
  struct arena *arena = k->arena;
  const struct counter next = counter_new(k, "next");
  struct linear row = kernel_loop(k, LOOP_SERIAL, "row", expression_index(arena, rows), rows, 1);
  const struct expression *own = expression_load(arena, offsets, linear_expression(arena, row));
  own = kernel_let(k, k->depth, "own", own).x;
  const struct expression *first = kernel_let(k, k->depth, "first", counter_value(&next)).x;
  const struct expression *fits = expression_apply(arena, OP_le, plus(arena, first, own),
                                                   expression_number(arena, TYPE_INTEGER, (double)capacity), NULL);
  fits = kernel_let(k, k->depth, "fits", fits).x;
  const struct expression *zero = expression_number(arena, TYPE_INTEGER, 0),
                          *none = expression_number(arena, TYPE_INTEGER, -1);
  kernel_store(k, offsets, row, expression_apply(arena, OP_where, fits, first, none));
  counter_add(&next, expression_apply(arena, OP_where, fits, own, zero));
  kernel_end(k);
}

/* Each element of a row goes to the place after the last that was kept, which the next one takes where it is zero: so nothing is
   guessed by the processor. What is then kept is copied to the values. */
static void write_values(struct kernel *k, const struct bitmap *bitmap, struct array *b, struct array *offsets,
                         struct array *values, int64_t rows, enum loop_kind kind) {
  struct arena *arena = k->arena;
  struct linear row = kernel_loop(k, kind, "row", expression_index(arena, rows), rows, 1);
  const struct expression *first = expression_load(arena, offsets, linear_expression(arena, row));
  first = expression_convert(arena, TYPE_INDEX, first);
  first = kernel_let(k, k->depth, "first", first).x;
  struct array *line = kernel_array(k, "line", b->type, MEMORY_STACK, bitmap->row);
  line->storage = b->storage;
  const struct counter kept = counter_new(k, "kept");
  struct linear i = kernel_loop(k, LOOP_SERIAL, "i", expression_index(arena, bitmap->row), bitmap->row, 1);
  struct linear at = linear_add(arena, linear_scale(arena, row, bitmap->row), i);
  const struct expression *element = expression_load(arena, b, linear_expression(arena, at));
  element = kernel_let(k, k->depth, "element", element).x;
  const struct expression *place = expression_convert(arena, TYPE_INDEX, counter_value(&kept));
  block_store(arena, kernel_block(k), line, place, element);
  counter_add(&kept, one_where(arena, is_kept(arena, element)));
  kernel_end(k);
  struct statement *guard =
      block_if(arena, kernel_block(k), expression_apply(arena, OP_le, expression_index(arena, 0), first, NULL));
  const struct expression *count = expression_convert(arena, TYPE_INDEX, counter_value(&kept));
  struct statement *copy = block_loop(arena, &guard->body, LOOP_SERIAL, "i", count);
  const struct expression *number = expression_variable(arena, copy->variable);
  block_store(arena, &copy->body, values, plus(arena, first, number), expression_load(arena, line, number));
  kernel_end(k);
}

/* The kernel that makes the bitmap of the weight. */
static void pack_bitmap(const struct contraction *x, const struct bitmap *bitmap, int64_t capacity) {
  struct scheduler *s = x->s;
  struct buffer *from = x->b.buffer;
  const int64_t rows = from->count / bitmap->row;
  struct kernel *k =
      kernel_new(s, &(struct value){.op = OP_contract},
                 arena_format(s->arena, "pack_bitmap_%lldx%lld", (long long)rows, (long long)bitmap->row));
  k->form = FORM_PACK;
  k->launch->label = from->label;
  k->launch->origin = x->value->origin;
  k->value = x->named;
  k->function->comment = "the elements of b that are not zero, which ones they are, and where each row's begin, or -1";
  struct array *b = kernel_place(k, &x->b, false), *values = kernel_pointer(k, bitmap->values, true),
               *masks = kernel_pointer(k, bitmap->masks, true), *offsets = kernel_pointer(k, bitmap->offsets, true);
  const bool parallel = (double)from->count >= s->pipeline.parameters[PARAMETER_parallel_work];
  const enum loop_kind kind = parallel ? LOOP_PARALLEL : LOOP_SERIAL;
  write_masks(k, bitmap, b, masks, offsets, rows, kind);
  write_offsets(k, offsets, rows, capacity);
  write_values(k, bitmap, b, offsets, values, rows, kind);
  kernel_finish(k);
}

void contract_choose_bitmap(struct contraction *x) {
  struct note *note = note_of(x->s, x->value);
  const struct state *state = x->b.buffer ? x->b.buffer->state : NULL;
  if (!state || !state->kept) return;
  const int64_t count = x->b.buffer->count, row = x->depth.extent, rows = count / row;
  note->kept_share = (double)state->kept / (double)count;
  note->bitmap = reason_of(x, note->kept_share);
  if (note->bitmap != BITMAP_READ) return;
  struct arena *arena = x->s->arena;
  struct bitmap *bitmap = arena_new_struct(arena, struct bitmap);
  bitmap->row = row;
  bitmap->words = divide_up(row, EXPAND_STEP) * (EXPAND_STEP / MASK_BITS);
  const enum storage storage = x->b.buffer->storage;
  const enum type type = x->b.buffer->type;
  const int64_t room = state->kept + storage_elements(x->s->target, storage, EXPAND_BYTES);
  bitmap->values = buffer_for(x, "values", type, storage, room,
                              arena_format(arena, "the elements of %s that are not zero", x->b.buffer->comment));
  bitmap->masks = buffer_for(x, "masks", TYPE_INTEGER, STORAGE_I32, rows * bitmap->words,
                             arena_format(arena, "[%lld, %lld] bits", (long long)rows, (long long)row));
  bitmap->offsets = buffer_for(x, "offsets", TYPE_INTEGER, STORAGE_I32, rows,
                               arena_format(arena, "where the values of each of %lld rows begin", (long long)rows));
  pack_bitmap(x, bitmap, state->kept);
  x->bitmap = bitmap;
}

void contract_tell_whole(struct contraction *x, enum bitmap_reason why) {
  struct note *note = note_of(x->s, x->value);
  const struct state *state = x->b.buffer ? x->b.buffer->state : NULL;
  if (!state || !state->kept || note->bitmap != BITMAP_NOT) return;
  note->kept_share = (double)state->kept / (double)x->b.buffer->count;
  note->bitmap = why;
}

void contract_expand(struct kernel *k, const struct contraction *x, struct position *at) {
  struct arena *arena = k->arena;
  const struct bitmap *bitmap = x->bitmap;
  const int64_t above = x->b.offset / bitmap->row;
  struct array *values = kernel_pointer(k, bitmap->values, false),
               *masks =
                   kernel_window(k, &(struct place){.buffer = bitmap->masks, .offset = above * bitmap->words}, false),
               *offsets = kernel_window(k, &(struct place){.buffer = bitmap->offsets, .offset = above}, false);
  struct linear row = linear_quotient(arena, at->b_at, bitmap->row);
  const struct expression *first = expression_load(arena, offsets, linear_expression(arena, row));
  first = kernel_let(k, k->depth, "first", expression_convert(arena, TYPE_INDEX, first)).x;
  struct array *line = kernel_array(k, "weights", at->b->type, MEMORY_STACK, bitmap->words * MASK_BITS);
  line->storage = at->b->storage;
  const struct expression *zero = expression_index(arena, 0);
  struct statement *kept = block_if(arena, kernel_block(k), expression_apply(arena, OP_le, zero, first, NULL));
  block_expand(arena, &kept->body, (struct argument){line, zero}, (struct argument){values, first},
               (struct argument){masks, linear_expression(arena, linear_scale(arena, row, bitmap->words))},
               bitmap->words * MASK_BITS);
  struct statement *whole = block_if(arena, kernel_block(k), expression_apply(arena, OP_lt, first, zero, NULL));
  struct statement *copy = block_loop(arena, &whole->body, LOOP_SERIAL, "i", expression_index(arena, bitmap->row));
  const struct expression *i = expression_variable(arena, copy->variable);
  block_store(arena, &copy->body, line, i,
              expression_load(arena, at->b, plus(arena, linear_expression(arena, at->b_at), i)));
  at->b = line;
  at->b_at = linear_constant(0);
}
