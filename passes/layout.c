/* Where values lie. States keep their file's order; inputs and outputs are row-major with the batch first; what is in between
   is laid out as its consumers like it. An axis with a run-time size takes the room of its bound. */
#include <string.h>

#include "passes/schedule.h"

static bool is_batch(const struct axis *axis) { return strcmp(axis->name, "batch") == 0; }

/* Copies of a repeat share a name: each name is unique among the buffers of its copy. */
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
  for (int i = 0; i < s->states.count; i++)
    if (s->states.items[i].state == state) return s->states.items[i].buffer;
  bug("state %s has no buffer", state->name);
}

struct place *place_of_state(struct scheduler *s, const struct state *state, const struct value *value) {
  return place_in(s, value, buffer_of_state(s, state));
}

/* States in the order of the program, so that the tables of the output follow it. A state's copy is that of a value which reads
   it, or that of the parameter it belongs to. */
void layout_states(struct scheduler *s) {
  struct arena *arena = s->arena;
  for (int i = 0; i < s->program->states.count; i++) {
    const struct state *state = s->program->states.items[i];
    const struct origin *origin = NULL;
    for (int number = 0; !origin && program_graph(s->program, number); number++) {
      const struct graph *graph = *program_graph(s->program, number);
      if (!graph) continue;
      for (int j = 0; j < graph->values.count && !origin; j++) {
        const struct value *value = graph->values.items[j];
        if (value->op == OP_state && (value->state == state || (state->of && value->state == state->of)) &&
            copy_in(arena, state->name, &value->origin) >= 0)
          origin = &value->origin;
      }
    }
    struct buffer *buffer = buffer_new(s, state->name, BUFFER_STATE, state->kind, state->axes, state->axis_count, origin);
    buffer->state = state;
    array_push(arena, &s->states, (struct state_buffer){state, buffer});
  }
}

static const char *label_of(struct scheduler *s, const struct value *value) {
  if (value->name) return value->name;
  const char *title = op_facts[value->op].name;
  if (value->origin.function && value->origin.function[0]) title = arena_format(s->arena, "%s_%s", value->origin.function, title);
  return value->origin.path && value->origin.path[0] ? arena_format(s->arena, "%s.%s", value->origin.path, title) : title;
}

struct place *place_new(struct scheduler *s, const struct value *value, enum buffer_role role, const char *name,
                        struct axis *const *axes) {
  struct buffer *buffer = buffer_new(s, name ? name : label_of(s, value), role, value->kind, axes, value->axis_count, &value->origin);
  return place_in(s, value, buffer);
}

static void batch_first(const struct value *value, struct axis **axes) {
  int count = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < value->axis_count; i++)
      if (is_batch(value->axes[i]) == (pass == 0)) axes[count++] = value->axes[i];
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
    struct note *note = &s->notes[value->id];
    if (value->op == OP_input) {
      batch_first(value, axes);
      note->place = place_new(s, value, BUFFER_INPUT, value->name, axes);
      array_push(s->arena, &s->routine->inputs, note->place->buffer);
    } else if (value->op == OP_state) {
      note->place = place_of_state(s, value->state, value);
    } else if (is_dumped(s, value)) {
      note->materialised = true;
    }
  }
  for (int i = 0; i < graph->outputs.count; i++) {
    const struct output *output = &graph->outputs.items[i];
    struct note *note = &s->notes[output->value->id];
    batch_first(output->value, axes);
    struct place *place = place_new(s, output->value, BUFFER_OUTPUT, output->name, axes);
    array_push(s->arena, &s->routine->outputs, place->buffer);
    /* What is computed anyway is computed there; anything else is copied when all is done. */
    bool computed = !note->place && output->value->op != OP_update && output->value->op != OP_constant;
    if (computed) note->place = place, note->materialised = true;
    else array_push(s->arena, &s->copies, (struct copy){output->value, NULL, place, output->name});
  }
}

void layout_intermediates(struct scheduler *s) {
  struct axis *axes[MAX_AXES];
  for (int i = 0; i < s->graph->values.count; i++) {
    struct value *value = s->graph->values.items[i];
    struct note *note = &s->notes[value->id];
    if (!note->materialised || note->place) continue;
    batch_first(value, axes);
    note->place = place_new(s, value, BUFFER_ACTIVATION, NULL, axes);
    note->place->buffer->dumped = is_dumped(s, value);
  }
}
