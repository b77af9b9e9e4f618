/* Where values lie, on random graphs: every place holds each element of its value once and inside its buffer, whole buffers are filled,
   axes with a run-time size have the room of their bound, and the parts of a concat lie where the whole has them. */
#include <string.h>

#include "passes/schedule.h"
#include "tests/harness/random_graph.h"
#include "tests/unit/check.h"

enum { ROUNDS = 1200 };

static struct scheduler *scheduler_new(struct sample *sample) {
  static const struct pass_options options;
  struct arena *arena = sample->arena;
  struct scheduler *s = arena_new_struct(arena, struct scheduler);
  *s = (struct scheduler){
      .arena = arena, .program = &sample->program, .options = &options, .graph = sample->graph, .fuse = check_below(2)};
  s->names = name_table_new(arena);
  s->module = arena_new_struct(arena, struct module);
  s->routine = arena_new_struct(arena, struct routine);
  s->decisions.notes = arena_new_array(arena, struct note, sample->graph->next_value);
  return s;
}

/* Any of the values that have something to compute are kept in memory. */
static void choose(struct scheduler *s) {
  int percent = check_below(100);
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    enum op_class class = op_facts[value->op].class;
    if (class == CLASS_STOP || class == CLASS_LEAF || class == CLASS_UPDATE ||
        (class == CLASS_VIEW && value->op != OP_concat))
      continue;
    if (check_below(100) < percent) s->decisions.notes[value->id].materialised = true;
  }
}

/* --- Elements -------------------------------------------------------------------------------------------------------------------------- */

/* Goes to the next element in row-major order; false after the last. */
static bool advance(const struct value *value, int64_t *coordinates) {
  for (int i = value->axis_count - 1; i >= 0; i--) {
    if (++coordinates[i] < value->axes[i]->extent) return true;
    coordinates[i] = 0;
  }
  return false;
}

static int64_t element(const struct value *value, const struct place *place, const int64_t *coordinates) {
  int64_t at = place->offset;
  for (int i = 0; i < value->axis_count; i++) at += place->strides[i] * coordinates[i];
  return at;
}

/* Counts the value's elements at their places; false where one lies outside of the buffer. */
static bool mark(const struct value *value, const struct place *place, int *marks) {
  int64_t coordinates[MAX_AXES] = {0};
  do {
    int64_t at = element(value, place, coordinates);
    if (at < 0 || at >= place->buffer->count) return false;
    marks[at]++;
  } while (advance(value, coordinates));
  return true;
}

static bool at_most_once(const int *marks, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (marks[i] > 1) return false;
  return true;
}

static int *marks_of(struct arena *arena, const struct place *place) {
  return arena_new_array(arena, int, (int)place->buffer->count);
}

static bool check_place(struct arena *arena, const struct value *value, const struct place *place) {
  int *marks = marks_of(arena, place);
  int64_t count = axes_count(value->axes, value->axis_count);
  bool right = CHECK(mark(value, place, marks)) && CHECK(at_most_once(marks, place->buffer->count));
  if (place->buffer->axis_count != value->axis_count || place->offset) return right;
  /* A buffer of one value alone is full. */
  for (int i = 0; i < value->axis_count; i++)
    if (!axis_listed(place->buffer->axes, place->buffer->axis_count, value->axes[i])) return right;
  return right & CHECK(place->buffer->count == count);
}

/* --- Buffers -------------------------------------------------------------------------------------------------------------------------- */

/* In the order of `axes`, the last of which is the innermost. */
static bool is_row_major(const struct value *value, const struct place *place, struct axis *const *axes, int count) {
  int64_t stride = 1;
  for (int i = count - 1; i >= 0; i--) {
    int at = 0;
    while (at < value->axis_count && value->axes[at] != axes[i]) at++;
    if (at == value->axis_count || (axes[i]->extent > 1 && place->strides[at] != stride)) return false;
    stride *= axes[i]->extent;
  }
  return place->offset == 0 && place->buffer->count == stride;
}

static void check_interface(struct scheduler *s) {
  int input = 0;
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    struct axis *axes[MAX_AXES];
    if (value->op == OP_input) {
      batch_first(value->axes, value->axis_count, axes);
      CHECK(is_row_major(value, s->decisions.notes[value->id].place, axes, value->axis_count));
      CHECK(s->routine->inputs.items[input++] == s->decisions.notes[value->id].place->buffer);
    } else if (value->op == OP_state) {
      CHECK(is_row_major(value, s->decisions.notes[value->id].place, value->state->axes, value->state->axis_count));
      CHECK(s->decisions.notes[value->id].place->buffer->state == value->state);
    }
  }
  CHECK(s->routine->inputs.count == input && s->routine->outputs.count == s->graph->outputs.count);
  for (int i = 0; i < s->graph->outputs.count; i++) {
    const struct output *output = &s->graph->outputs.items[i];
    const struct buffer *buffer = s->routine->outputs.items[i];
    /* The value is computed in the promised place, or copied there. */
    const struct place *place = s->decisions.notes[output->value->id].place;
    for (int j = 0; j < s->decisions.copies.count && (!place || place->buffer != buffer); j++)
      if (s->decisions.copies.items[j].place->buffer == buffer) place = s->decisions.copies.items[j].place;
    if (CHECK(place && place->buffer == buffer))
      CHECK(is_row_major(output->value, place, output->axes, output->value->axis_count));
  }
}

/* No name stands for two buffers of one copy. */
static void check_names(const struct scheduler *s) {
  for (int i = 0; i < s->module->buffers.count; i++)
    for (int j = 0; j < i; j++) {
      const struct buffer *x = s->module->buffers.items[i], *y = s->module->buffers.items[j];
      CHECK(x->copy != y->copy || strcmp(x->name, y->name) != 0);
    }
}

/* --- Parts of a concat ------------------------------------------------------------------------------------------------------------------ */

/* Each element of the part lies where the whole has it. */
static void check_part(const struct value *concat, const struct place *whole, int part, int64_t begin) {
  const struct value *value = concat->inputs[part];
  const struct place place = layout_part(concat, whole, part);
  int64_t coordinates[MAX_AXES] = {0};
  bool right = place.buffer == whole->buffer;
  do {
    int64_t outer[MAX_AXES] = {0};
    for (int i = 0; i < value->axis_count; i++)
      for (int j = 0; j < concat->axis_count; j++) {
        if (value->axes[i] == concat->list[part] && concat->axes[j] == concat->result)
          outer[j] = begin + coordinates[i];
        else if (value->axes[i] == concat->axes[j])
          outer[j] = coordinates[i];
      }
    right = right && element(value, &place, coordinates) == element(concat, whole, outer);
  } while (advance(value, coordinates));
  CHECK(right);
}

/* A value that is computed in the place of a part, directly or behind views, fills just that part. */
static int check_adopted(struct scheduler *s, const struct value *concat, const struct place *whole, int part) {
  const struct value *value = concat->inputs[part];
  const struct place place = layout_part(concat, whole, part);
  while (!s->decisions.notes[value->id].place &&
         (value->op == OP_rename || value->op == OP_stop || value->op == OP_expand))
    value = value->inputs[0];
  const struct place *own = s->decisions.notes[value->id].place;
  if (!own || own->buffer != whole->buffer) return 0;
  int *marks = marks_of(s->arena, whole), *own_marks = marks_of(s->arena, whole);
  CHECK(mark(concat->inputs[part], &place, marks) && mark(value, own, own_marks));
  CHECK(!memcmp(marks, own_marks, sizeof *marks * (size_t)whole->buffer->count));
  return 1;
}

static int check_concat(struct scheduler *s, const struct value *concat) {
  const struct place *whole = s->decisions.notes[concat->id].place;
  int64_t begin = 0;
  int adopted = 0;
  if (!whole) return 0;
  for (int part = 0; part < concat->input_count; part++) {
    check_part(concat, whole, part, begin);
    begin += concat->list[part]->extent;
    adopted += check_adopted(s, concat, whole, part);
  }
  return adopted;
}

/* A buffer belongs to one value, except for the parts of concats and for states. */
static void check_apart(struct scheduler *s) {
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *x = s->graph->values.items[i];
    const struct place *place = s->decisions.notes[x->id].place;
    if (!place || place->buffer->role == BUFFER_STATE || x->op == OP_concat) continue;
    int *marks = marks_of(s->arena, place);
    mark(x, place, marks);
    for (int j = 0; j < i; j++) {
      const struct value *y = s->graph->values.items[j];
      const struct place *other = s->decisions.notes[y->id].place;
      if (y->op != OP_concat && other && other->buffer == place->buffer) mark(y, other, marks);
    }
    CHECK(at_most_once(marks, place->buffer->count));
  }
}

static bool is_fed(const struct graph *graph, const struct axis *axis) {
  for (int i = 0; i < graph->values.count; i++)
    if (graph->values.items[i]->op == OP_input && value_has_axis(graph->values.items[i], axis)) return true;
  return false;
}

/* All axes, the examples first. */
static void check_order(struct scheduler *s) {
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    struct axis *axes[MAX_AXES];
    memcpy(axes, value->axes, sizeof *axes * (size_t)value->axis_count);
    facts_order_axes(&s->facts, axes, value->axis_count);
    for (int j = 0; j < value->axis_count; j++) {
      CHECK(axis_listed(axes, value->axis_count, value->axes[j]));
      CHECK(!is_batch(axes[j]) || j == 0 || !is_fed(s->graph, axes[j]));
    }
  }
}

/* --- Rounds ----------------------------------------------------------------------------------------------------------------------------- */

static int check_sample(struct sample *sample) {
  struct scheduler *s = scheduler_new(sample);
  int adopted = 0, failed = check_totals.failed;
  pass_inline(sample->graph);
  s->decisions.notes = arena_new_array(s->arena, struct note, sample->graph->next_value);
  choose(s);
  layout_states(s);
  s->facts = facts_find(s->arena, s->graph);
  layout_interface(s);
  layout_intermediates(s);
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    const struct note *note = &s->decisions.notes[value->id];
    CHECK(!note->materialised || note->place);
    if (!note->place) continue;
    if (!check_place(s->arena, value, note->place)) printf("  of value %d, %s\n", value->id, op_facts[value->op].name);
    if (value->op == OP_concat) adopted += check_concat(s, value);
  }
  check_interface(s);
  check_names(s);
  check_apart(s);
  check_order(s);
  if (check_totals.failed > failed) graph_print(stdout, sample->graph);
  return adopted;
}

/* A part behind a rename and an axis of one element, and one that is an expand of several, which only the concat can make. */
static void check_views(void) {
  struct arena *arena = arena_new();
  struct sample *sample = arena_new_struct(arena, struct sample);
  sample->arena = arena;
  struct graph *graph = sample->graph = sample->program.predict = graph_new(arena, "views", &sample->program.next_axis);
  struct axis *row = axis_new(graph, "row", 3, (struct span){0}),
              *column = axis_new(graph, "column", 5, (struct span){0});
  struct axis *other = axis_new(graph, "other", 3, (struct span){0}),
              *one = axis_new(graph, "one", 1, (struct span){0});
  struct axis *both = axis_new(graph, "both", 11, (struct span){0}), *axes[] = {row, column},
              *parts[] = {one, column, column};
  struct value *x = build_input(graph, "x", KIND_REAL, NULL, axes, 2),
               *v = build_input(graph, "v", KIND_REAL, NULL, &other, 1);
  struct value *behind = build_rename(graph, build_unary(graph, OP_exp, x), row, other);
  struct value *expanded = build_expand(graph, build_unary(graph, OP_neg, v), &column, 1);
  struct value *single = build_expand(graph, build_unary(graph, OP_abs, v), &one, 1);
  struct value *concat = build_concat(graph, (struct value *[]){single, behind, expanded}, parts, 3, both);
  graph_add_output(graph, "y", build_unary(graph, OP_tanh, concat));
  CHECK_STRING(graph_verify(arena, graph, STAGE_FLAT), NULL);
  struct scheduler *s = scheduler_new(sample);
  s->fuse = true;
  s->decisions.notes[concat->id].materialised = true;
  s->facts = facts_find(s->arena, s->graph);
  layout_interface(s);
  layout_intermediates(s);
  CHECK(check_concat(s, concat) == 2);
  CHECK(s->decisions.notes[behind->inputs[0]->id].place && s->decisions.notes[single->inputs[0]->id].place &&
        !s->decisions.notes[expanded->inputs[0]->id].place);
  arena_free(arena);
}

/* A value that is merged later lies as the merged axis will. */
static void check_merge(void) {
  struct arena *arena = arena_new();
  struct sample *sample = arena_new_struct(arena, struct sample);
  sample->arena = arena;
  struct graph *graph = sample->graph = sample->program.predict = graph_new(arena, "merge", &sample->program.next_axis);
  struct axis *axes[3];
  for (int i = 0; i < 3; i++) axes[i] = axis_new(graph, arena_format(arena, "a%d", i), 9 + i, (struct span){0});
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++) {
      if (i == j) continue;
      struct axis *merged = axis_new(graph, "merged", axes[i]->extent * axes[j]->extent, (struct span){0}),
                  *factors[] = {axes[i], axes[j]};
      struct value *x =
          build_unary(graph, OP_exp, build_input(graph, arena_format(arena, "x%d%d", i, j), KIND_REAL, NULL, axes, 3));
      graph_add_output(graph, arena_format(arena, "y%d%d", i, j),
                       build_unary(graph, OP_neg, build_merge(graph, x, factors, 2, merged)));
    }
  struct scheduler *s = scheduler_new(sample);
  for (int i = 0; i < graph->values.count; i++)
    s->decisions.notes[graph->values.items[i]->id].materialised = graph->values.items[i]->op == OP_exp;
  s->facts = facts_find(s->arena, s->graph);
  layout_interface(s);
  layout_intermediates(s);
  for (int v = 0; v < graph->values.count; v++) {
    const struct value *merge = graph->values.items[v], *x;
    if (merge->op != OP_merge) continue;
    const int64_t *strides = s->decisions.notes[(x = merge->inputs[0])->id].place->strides;
    int outer = x->axes[0] == merge->list[0] ? 0 : x->axes[1] == merge->list[0] ? 1 : 2;
    int inner = x->axes[0] == merge->list[1] ? 0 : x->axes[1] == merge->list[1] ? 1 : 2;
    CHECK(strides[outer] == strides[inner] * x->axes[inner]->extent);
  }
  arena_free(arena);
}

int main(int count, char **arguments) {
  int adopted = 0;
  if (!check_options("layout", count, arguments)) return 2;
  check_views();
  check_merge();
  for (long round = 0; check_goes_on(round, ROUNDS); round++) {
    struct arena *arena = arena_new();
    uint64_t seed = check_random();
    int flags = (round % 2 ? SAMPLE_SIZES : 0) | (round % 3 ? SAMPLE_PATTERNS : 0);
    struct sample *sample = round % 4 ? sample_graph(arena, 5 + (int)(round % 20), seed, flags)
                                      : sample_operation(arena, (enum op)(round / 4 % OP_COUNT), seed, flags);
    if (sample->stage != STAGE_LOWERED) adopted += check_sample(sample);
    arena_free(arena);
  }
  CHECK(adopted > 0); /* otherwise the rounds would not try it */
  return check_done("layout");
}
