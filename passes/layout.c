/* Where values lie. States keep their file's order of axes. Inputs are row-major with the batch first; outputs have the
   order that they were declared with; values between are laid out as their consumers prefer. An axis with a run-time
   size takes the room of its bound. */
#include <string.h>

#include "passes/schedule.h"

enum { SHORT_AXIS = 8, LONG_AXIS = 16 };

/* A name is unique among the buffers of one copy; copies of a repeat share it. */
static const char *buffer_name(struct scheduler *s, const char *base, int copy) {
  if (copy < 0) return name_unique(s->names, base);
  const char *key = arena_format(s->arena, "%s@%d", base, copy), *unique = name_unique(s->names, key);
  return arena_format(s->arena, "%s%s", base, unique + strlen(key));
}

static int copy_in(struct arena *arena, const char *path, const struct origin *origin) {
  if (!origin->repeat || !origin->repeat->path[0]) return -1;
  const char *prefix = arena_format(arena, "%s.%d.", origin->repeat->path, origin->copy);
  return strncmp(path, prefix, strlen(prefix)) == 0 ? origin->copy : -1;
}

static struct buffer *buffer_new(struct scheduler *s, const char *label, enum buffer_role role, enum kind kind,
                                 struct axis *const *axes, int axis_count, const struct origin *origin) {
  struct arena *arena = s->arena;
  struct buffer *buffer = arena_new_struct(arena, struct buffer);
  buffer->label = label;
  buffer->role = role;
  buffer->type = type_of_kind(kind);
  buffer->storage = storage_of_type(buffer->type);
  buffer->count = 1;
  buffer->axes = arena_new_array(arena, struct axis *, axis_count);
  buffer->axis_count = axis_count;
  for (int i = 0; i < axis_count; i++) {
    buffer->axes[i] = axes[i];
    buffer->count *= axes[i]->extent;
  }
  buffer->comment = axes_text(arena, buffer->axes, axis_count, true);
  buffer->copy = origin ? copy_in(arena, label, origin) : -1;
  buffer->name = buffer_name(s, name_without_copy(arena, label, buffer->copy >= 0 ? origin : NULL), buffer->copy);
  array_push(arena, &s->module->buffers, buffer);
  return buffer;
}

static struct place *place_in(struct scheduler *s, const struct value *value, struct buffer *buffer) {
  struct place *place = arena_new_struct(s->arena, struct place);
  place->buffer = buffer;
  int64_t stride = 1;
  for (int i = buffer->axis_count - 1; i >= 0; i--) {
    for (int j = 0; j < value->axis_count; j++)
      if (value->axes[j] == buffer->axes[i]) place->strides[j] = buffer->axes[i]->extent > 1 ? stride : 0;
    stride *= buffer->axes[i]->extent;
  }
  return place;
}

struct buffer *buffer_of_state(struct scheduler *s, const struct state *state) {
  struct buffer *buffer = table_find(&s->states, state->name);
  if (!buffer) bug("state %s has no buffer", state->name);
  return buffer;
}

struct place *place_of_state(struct scheduler *s, const struct state *state, const struct value *value) {
  return place_in(s, value, buffer_of_state(s, state));
}

/* The values that read or write a state, in the order of the graphs. */
struct state_values {
  ARRAY(const struct value *) items;
};

static struct table find_state_values(struct scheduler *s) {
  struct table table = {0};
  for (int number = 0; program_graph(s->program, number); number++) {
    const struct graph *graph = *program_graph(s->program, number);
    for (int i = 0; graph && i < graph->values.count; i++) {
      const struct value *value = graph->values.items[i];
      if (value->op != OP_state && value->op != OP_update) continue;
      struct state_values *values = table_find(&table, value->state->name);
      if (!values)
        table_set(s->arena, &table, value->state->name, values = arena_new_struct(s->arena, struct state_values));
      array_push(s->arena, &values->items, value);
    }
  }
  return table;
}

/* The origin of one of the state's values that stands in the same copy of a repeat as the path, or NULL. */
static const struct origin *origin_in(struct arena *arena, const struct table *table, const struct state *state,
                                      const char *path) {
  const struct state_values *values = table_find(table, state->name);
  for (int i = 0; values && i < values->items.count; i++)
    if (copy_in(arena, path, &values->items.items[i]->origin) >= 0) return &values->items.items[i]->origin;
  return NULL;
}

/* A parameter that nothing reads, since its average is read in its place: where that stands. */
static const struct origin *origin_of_average(struct scheduler *s, const struct table *values,
                                              const struct state *parameter) {
  const struct origin *origin = NULL;
  for (int i = 0; i < s->program->states.count && !origin; i++)
    if (s->program->states.items[i]->of == parameter)
      origin = origin_in(s->arena, values, s->program->states.items[i], parameter->name);
  return origin;
}

/* States in the order of the program, so that the tables of the output follow it. A state's copy is that of a value which reads
   it, or that of the parameter it belongs to. */
void layout_states(struct scheduler *s) {
  struct arena *arena = s->arena;
  const struct table values = find_state_values(s);
  for (int i = 0; i < s->program->states.count; i++) {
    const struct state *state = s->program->states.items[i];
    const struct origin *origin = origin_in(arena, &values, state, state->name);
    if (!origin && state->of) origin = origin_in(arena, &values, state->of, state->name);
    if (!origin && state->role == ROLE_PARAMETER) origin = origin_of_average(s, &values, state);
    struct buffer *buffer =
        buffer_new(s, state->name, BUFFER_STATE, state->kind, state->axes, state->axis_count, origin);
    buffer->state = state;
    buffer->storage = state_storage(state);
    table_set(arena, &s->states, state->name, buffer);
  }
}

/* The nearest value that the spec names, going back from `value` through first inputs, `value` itself included. */
static const struct value *named_source(const struct value *value) {
  while (!value->name && value->op != OP_state && value->input_count > 0) {
    /* A link of a sum of sums is made from the sum that it adds. */
    const struct value *last = value->inputs[value->input_count - 1];
    value = last->op == OP_reduce_sum ? last : value->inputs[0];
  }
  return value;
}

/* The label of a value. One without a name is called by where it was made, or by what it is made from. */
const char *value_label(struct scheduler *s, const struct value *value, const struct origin **origin) {
  *origin = &value->origin;
  /* What is renamed and not read otherwise is called as the result. */
  while (!value->name && !value->call && facts_uses(&s->facts, value) == 1 &&
         facts_user(&s->facts, value, 0)->op == OP_rename)
    value = facts_user(&s->facts, value, 0);
  if (value->name) return value->name;
  if (value->call) return value->call;
  const char *title = value_noun(value);
  if (facts_is_way_back(&s->facts, value)) title = arena_format(s->arena, "gradient_%s", title);
  if (value->origin.function && value->origin.function[0])
    title = arena_format(s->arena, "%s_%s", value->origin.function, title);
  if (value->origin.path && value->origin.path[0]) return arena_format(s->arena, "%s.%s", value->origin.path, title);
  const struct value *source = named_source(value);
  if (value->origin.function && value->origin.function[0]) return title;
  if (source->op == OP_constant || source->op == OP_index) return title;
  *origin = &source->origin;
  return arena_format(s->arena, "%s.%s", source->op == OP_state ? source->state->name : source->name, title);
}

struct buffer *scratch_buffer(struct scheduler *s, const struct value *value, const char *what, enum type type,
                              int64_t count, const char *comment) {
  const struct origin *origin;
  const char *label = arena_format(s->arena, "%s.%s",
                                   value->op == OP_state ? value->state->name : value_label(s, value, &origin), what);
  if (value->op == OP_state) origin = &value->origin;
  struct buffer *buffer = buffer_new(s, label, BUFFER_ACTIVATION, KIND_REAL, NULL, 0, origin);
  buffer->type = type;
  buffer->storage = storage_of_type(type);
  buffer->count = count;
  buffer->comment = comment ? comment : arena_format(s->arena, "[%lld]", (long long)count);
  return buffer;
}

struct place *place_new(struct scheduler *s, const struct value *value, enum buffer_role role, const char *name,
                        struct axis *const *axes) {
  const struct origin *origin = &value->origin;
  const char *label = name ? name : value_label(s, value, &origin);
  struct buffer *buffer = buffer_new(s, label, role, value->kind, axes, value->axis_count, origin);
  const int64_t row = value->axis_count ? axes[value->axis_count - 1]->extent : 1;
  if (role == BUFFER_ACTIVATION) buffer->storage = exactness_storage(s->facts.exactness[value->id], value->kind, row);
  return place_in(s, value, buffer);
}

void place_in_block(struct scheduler *s, const struct value *value, struct axis *const *order,
                    const struct axis *blocked, int64_t rows) {
  struct place *place = note_of(s, value)->place;
  struct buffer *buffer = place->buffer;
  struct axis *block = arena_new_struct(s->arena, struct axis);
  *block = *blocked;
  block->extent = rows;
  buffer->axes = arena_new_array(s->arena, struct axis *, value->axis_count);
  buffer->count = 1;
  for (int i = value->axis_count - 1; i >= 0; i--) {
    buffer->axes[i] = order[i] == blocked ? block : order[i];
    for (int j = 0; j < value->axis_count; j++)
      if (value->axes[j] == order[i]) place->strides[j] = buffer->axes[i]->extent > 1 ? buffer->count : 0;
    buffer->count *= buffer->axes[i]->extent;
  }
  buffer->comment = axes_text(s->arena, buffer->axes, buffer->axis_count, true);
  place->in_block = true;
}

static bool is_dumped(const struct scheduler *s, const struct value *value) {
  if (!value->name) return false;
  for (int i = 0; i < s->options->dump_count; i++)
    if (pattern_matches(s->options->dump[i], value->name)) return true;
  return false;
}

void layout_interface(struct scheduler *s) {
  const struct graph *graph = s->graph;
  struct axis *axes[MAX_AXES];
  for (int i = 0; i < graph->values.count; i++) {
    struct value *value = graph->values.items[i];
    struct note *note = note_of(s, value);
    if (value->op == OP_input) {
      batch_first(value->axes, value->axis_count, axes);
      note->place = place_new(s, value, BUFFER_INPUT, value->name, axes);
      note->place->buffer->run_input = value->run_input;
      array_push(s->arena, &s->routine->inputs, note->place->buffer);
    } else if (value->op == OP_state) {
      note->place = place_of_state(s, value->state, value);
    } else if (is_dumped(s, value)) {
      keep(s, value, KEEP_DUMPED);
    }
  }
  for (int i = 0; i < graph->outputs.count; i++) {
    const struct output *output = &graph->outputs.items[i];
    struct note *note = note_of(s, output->value);
    struct place *place = place_new(s, output->value, BUFFER_OUTPUT, output->name, output->axes);
    place->buffer->output_role = output->role;
    array_push(s->arena, &s->routine->outputs, place->buffer);
    /* A value that must be computed is computed in the output's place; any other is copied there at the end. */
    bool computed = !note->place && output->value->op != OP_update && output->value->op != OP_constant;
    if (computed)
      keep(s, output->value, KEEP_OUTPUT), note->place = place;
    else
      array_push(s->arena, &s->decisions.copies, (struct copy){output->value, NULL, place, output->name, COPY_OUTPUT});
  }
}

/* --- The order of axes ------------------------------------------------------------------------------------------------------ */

/* Moves the factors together, in their order, to where the last of them is. */
static void gather_factors(struct axis **axes, int count, struct axis *const *factors, int factor_count) {
  struct axis *result[MAX_AXES];
  int filled = 0, present = 0;
  for (int i = 0; i < count; i++) present += axis_listed(factors, factor_count, axes[i]);
  if (present != factor_count) return;
  int seen = 0;
  for (int i = 0; i < count; i++) {
    if (!axis_listed(factors, factor_count, axes[i])) {
      result[filled++] = axes[i];
      continue;
    }
    if (++seen < factor_count) continue;
    for (int j = 0; j < factor_count; j++) result[filled++] = factors[j];
  }
  memcpy(axes, result, sizeof *axes * (size_t)count);
}

/* Where the value is merged, directly or through renames, moves the factors side by side. */
static void follow_merges(struct scheduler *s, const struct value *value, struct axis **axes, int count,
                          struct axis **mapped) {
  for (int i = 0; i < facts_uses(&s->facts, value); i++) {
    const struct value *user = facts_user(&s->facts, value, i);
    if (user->op == OP_merge) {
      struct axis *factors[MAX_AXES];
      int found = 0;
      for (int j = 0; j < user->list_count; j++)
        for (int k = 0; k < count; k++)
          if (mapped[k] == user->list[j]) factors[found++] = axes[k];
      if (found != user->list_count) continue;
      struct axis *before[MAX_AXES], *after[MAX_AXES];
      memcpy(before, axes, sizeof *axes * (size_t)count);
      gather_factors(axes, count, factors, found);
      for (int k = 0; k < count; k++)
        for (int j = 0; j < count; j++)
          if (before[j] == axes[k]) after[k] = mapped[j];
      memcpy(mapped, after, sizeof *mapped * (size_t)count);
    } else if (user->op == OP_rename) {
      struct axis *renamed[MAX_AXES];
      for (int k = 0; k < count; k++) renamed[k] = mapped[k] == user->axis ? user->result : mapped[k];
      follow_merges(s, user, axes, count, renamed);
    }
  }
}

/* Moves the axis at a place to the end. */
static void move_last(struct axis **axes, int count, int at) {
  struct axis *moved = axes[at];
  for (; at < count - 1; at++) axes[at] = axes[at + 1];
  axes[count - 1] = moved;
}

/* An axis of a handful of elements makes no vectors, so a longer one is better innermost. */
static void avoid_short(struct axis **axes, int count) {
  if (count < 2 || axes[count - 1]->extent >= SHORT_AXIS) return;
  for (int at = count - 2; at >= 0; at--) {
    if (axes[at]->extent < LONG_AXIS || is_batch(axes[at]) || axes[at]->size) continue;
    move_last(axes, count, at);
    return;
  }
}

/* Makes an axis along which rows are reduced the innermost, unless the innermost is one already. */
static void prefer_rows(struct scheduler *s, const struct value *value, struct axis **axes) {
  struct axis *const *rows = s->facts.rows[value->id].axes;
  int count = s->facts.rows[value->id].count, last = value->axis_count - 1;
  if (last < 1 || axis_listed(rows, count, axes[last])) return;
  for (int i = 0; i < count; i++) {
    int at = 0;
    while (at <= last && axes[at] != rows[i]) at++;
    if (at > last || rows[i]->extent < SHORT_AXIS) continue;
    move_last(axes, value->axis_count, at);
    return;
  }
}

static void choose_order(struct scheduler *s, const struct value *value, struct axis **axes) {
  struct axis *const *preferred = s->facts.values[value->id].prefers;
  memcpy(axes, preferred ? preferred : value->axes, sizeof *axes * (size_t)value->axis_count);
  if (preferred) return;
  facts_order_axes(&s->facts, axes, value->axis_count);
  prefer_rows(s, value, axes);
  avoid_short(axes, value->axis_count);
  struct axis *mapped[MAX_AXES];
  memcpy(mapped, axes, sizeof *axes * (size_t)value->axis_count);
  follow_merges(s, value, axes, value->axis_count, mapped);
}

/* --- Parts of a concat ------------------------------------------------------------------------------------------------------------ */

struct place layout_part(const struct value *concat, const struct place *whole, int part) {
  const struct value *value = concat->inputs[part];
  struct place place = {.buffer = whole->buffer, .named = whole->named, .offset = whole->offset};
  int64_t along = 0, begin = 0;
  for (int i = 0; i < concat->axis_count; i++)
    if (concat->axes[i] == concat->result) along = whole->strides[i];
  for (int i = 0; i < part; i++) begin += concat->list[i]->extent;
  place.offset += begin * along;
  for (int i = 0; i < value->axis_count; i++) {
    if (value->axes[i] == concat->list[part]) place.strides[i] = along;
    for (int j = 0; j < concat->axis_count; j++)
      if (concat->axes[j] == value->axes[i]) place.strides[i] = whole->strides[j];
  }
  return place;
}

/* Sets *inner to where a view's operand must lie for the view to lie at `place`. False when the view cannot be looked
   through. */
static bool before_view(const struct value *view, const struct place *place, struct place *inner) {
  const struct value *x = view->inputs[0];
  *inner = (struct place){.buffer = place->buffer, .named = place->named, .offset = place->offset};
  if (view->op == OP_expand) {
    for (int i = 0; i < view->list_count; i++)
      if (view->list[i]->extent != 1 || view->list[i]->size) return false;
  } else if (view->op != OP_rename && view->op != OP_stop) {
    return false;
  }
  for (int i = 0; i < x->axis_count; i++) {
    const struct axis *axis = view->op == OP_rename && x->axes[i] == view->axis ? view->result : x->axes[i];
    for (int j = 0; j < view->axis_count; j++)
      if (view->axes[j] == axis) inner->strides[i] = place->strides[j];
  }
  return true;
}

/* Parts that only the concat reads are computed directly in their place in it. This must happen before roots are
   assigned, since each such part has to become a root: a sweep that computes the concat element by element would leave
   its parts to nobody. */
static void adopt_parts(struct scheduler *s, const struct value *concat) {
  for (int i = 0; i < concat->input_count; i++) {
    struct place place = layout_part(concat, note_of(s, concat)->place, i), inner;
    const struct value *part = concat->inputs[i];
    while (facts_uses(&s->facts, part) == 1 && !note_of(s, part)->materialised && !note_of(s, part)->place &&
           before_view(part, &place, &inner)) {
      part = part->inputs[0];
      place = inner;
    }
    struct note *note = note_of(s, part);
    enum op_class class = op_facts[part->op].class;
    if (facts_uses(&s->facts, part) != 1 || note->place || class == CLASS_LEAF || class == CLASS_VIEW ||
        class == CLASS_STOP)
      continue;
    if (part->kind != concat->kind || note->is_absorbed) continue;
    keep(s, part, KEEP_PART);
    note->place = arena_new_struct(s->arena, struct place);
    *note->place = place;
  }
}

void layout_intermediate(struct scheduler *s, const struct value *value) {
  struct axis *axes[MAX_AXES];
  struct note *note = note_of(s, value);
  if (!note->materialised || note->is_placed) return;
  note->is_placed = true;
  if (!note->place) {
    choose_order(s, value, axes);
    note->place = place_new(s, value, BUFFER_ACTIVATION, NULL, axes);
    note->place->buffer->dumped = is_dumped(s, value);
  }
  if (s->fuse && !s->decisions.roots_assigned && value->op == OP_concat) adopt_parts(s, value);
}

void layout_intermediates(struct scheduler *s) {
  /* Consumers are placed first, since the parts of a concat take their place from it. */
  for (int i = s->graph->values.count - 1; i >= 0; i--) layout_intermediate(s, s->graph->values.items[i]);
}
