/* Moves launches that read parameters alone, such as those that pack weights, from graphs that do not train to the routine
   derive, which runs when parameters have changed. What they store and others read is kept, as a state of the role ROLE_DERIVED;
   launches that are equal in several graphs store it once.

   In evaluation of a program that trains, launches stay: it runs seldom, and its activations lie in memory that training has in any
   case, while a copy of all weights would come on top. */
#include "passes/schedule.h"

/* What is known of one routine's launches while some are chosen. */
struct choice {
  struct scheduler *s;
  struct routine *routine;
  struct pointer_table stays; /* by buffer: 1 where a launch that stays writes it */
  struct pointer_table writers; /* by buffer: how many launches write it */
  struct pointer_table wanted; /* by buffer: 1 where a launch that stays reads it */
  ARRAY(struct buffer *) replaced, by; /* buffers of launches that were made before in another graph */
};

static bool is_written(const struct launch *launch, int argument) {
  return launch->function->parameters.items[argument].array->written;
}

static bool is_set(const struct pointer_table *table, const struct buffer *buffer) {
  const int *number = pointer_table_find(table, buffer);
  return number && *number;
}

/* Whether the launch may move as far as this argument goes. */
static bool argument_moves(const struct choice *choice, const struct launch *launch, int number) {
  const struct launch_argument *argument = &launch->arguments.items[number];
  const struct buffer *buffer = argument->buffer;
  if (!buffer) return argument->number_kind == NUMBER_CONSTANT;
  if (is_set(&choice->stays, buffer)) return false;
  if (buffer->role == BUFFER_ACTIVATION) return !buffer->dumped;
  if (buffer->role != BUFFER_STATE || is_written(launch, number)) return false;
  const enum role role = buffer->state->role;
  return role == ROLE_PARAMETER || role == ROLE_AVERAGE || role_is_derived(role);
}

static bool launch_moves(const struct choice *choice, const struct launch *launch) {
  for (int i = 0; i < launch->arguments.count; i++)
    if (!argument_moves(choice, launch, i)) return false;
  return true;
}

static void choose(struct choice *choice) {
  struct arena *arena = choice->s->arena;
  const struct routine *routine = choice->routine;
  for (int i = 0; i < routine->launches.count; i++) routine->launches.items[i]->derived = true;
  for (bool again = true; again;) {
    again = false;
    for (int i = 0; i < routine->launches.count; i++) {
      struct launch *launch = routine->launches.items[i];
      if (!launch->derived || launch_moves(choice, launch)) continue;
      launch->derived = false, again = true;
      for (int j = 0; j < launch->arguments.count; j++)
        if (launch->arguments.items[j].buffer && is_written(launch, j))
          *pointer_table_at(arena, &choice->stays, launch->arguments.items[j].buffer, 0) = 1;
    }
  }
}

/* A program without parameters has nothing that could change, and no memory for states. */
static bool has_parameters(const struct program *program) {
  for (int i = 0; i < program->states.count; i++)
    if (program->states.items[i]->role == ROLE_PARAMETER) return true;
  return false;
}

bool derives_launches(const struct scheduler *s) {
  const struct program *program = s->program;
  const struct graph *graph = s->graph;
  if (!s->pipeline.on[PASS_derive] || !s->pipeline.parameters[PARAMETER_derive_packed] || s->options->fixed_parameters)
    return false;
  return has_parameters(program) && graph != program->train && graph != program->accumulate &&
         graph != program->synthesize && graph != program->prune && graph != program->derive && !(graph == program->evaluate && program->train);
}

void choose_derived_launches(struct scheduler *s) {
  struct choice choice = {.s = s, .routine = s->routine};
  if (derives_launches(s)) choose(&choice);
}

/* --- Moving ----------------------------------------------------------------------------------------------------------------- */

static struct buffer *in_place_of(const struct choice *choice, struct buffer *buffer) {
  for (int i = 0; i < choice->replaced.count; i++)
    if (choice->replaced.items[i] == buffer) return choice->by.items[i];
  return buffer;
}

static bool is_same_function(const struct scheduler *s, const struct function *x, const struct function *y) {
  return x == y || (!s->pipeline.on[PASS_share] && function_equal(x, y));
}

/* Whether both launches do the same, but for the buffers that they write, of which each has no other writer. */
static bool is_same_launch(const struct choice *choice, const struct launch *x, const struct launch *y) {
  if (!is_same_function(choice->s, x->function, y->function)) return false;
  for (int i = 0; i < x->arguments.count; i++) {
    const struct launch_argument *a = &x->arguments.items[i], *b = &y->arguments.items[i];
    if (!a->buffer != !b->buffer || a->offset != b->offset || a->number_kind != b->number_kind ||
        a->number != b->number || a->real != b->real)
      return false;
    if (!a->buffer) continue;
    if (!is_written(x, i)
            ? a->buffer != b->buffer
            : *pointer_table_find(&choice->writers, a->buffer) > 1 || a->buffer->count != b->buffer->count)
      return false;
  }
  return true;
}

/* Moves a launch, or lets those that stay read what an equal one stores. */
static void move_launch(struct choice *choice, struct launch *launch) {
  struct scheduler *s = choice->s;
  for (int i = 0; i < s->derived.count; i++) {
    const struct launch *other = s->derived.items[i];
    if (!is_same_launch(choice, launch, other)) continue;
    for (int j = 0; j < launch->arguments.count; j++) {
      struct buffer *buffer = launch->arguments.items[j].buffer;
      if (!buffer || !is_written(launch, j)) continue;
      array_push(s->arena, &choice->replaced, buffer);
      array_push(s->arena, &choice->by, other->arguments.items[j].buffer);
    }
    return;
  }
  array_push(s->arena, &s->derived, launch);
}

/* Lets the buffer live as long as the program. */
static void keep_buffer(struct scheduler *s, struct buffer *buffer) {
  static const enum kind kinds[] = {
      [TYPE_REAL] = KIND_REAL, [TYPE_INTEGER] = KIND_INTEGER, [TYPE_BOOLEAN] = KIND_BOOLEAN};
  if (buffer->role == BUFFER_STATE) return;
  if (buffer->type == TYPE_INDEX) bug("%s holds indices", buffer->name);
  struct axis *axis = arena_new_struct(s->arena, struct axis);
  *axis = (struct axis){.name = "element", .id = s->program->next_axis++, .extent = buffer->count};
  const struct span nowhere = {0};
  buffer->role = BUFFER_STATE;
  struct state *state =
      derived_state(s->program, buffer->label, kinds[buffer->type], (struct axis *[]){axis}, 1, nowhere);
  if (storage_facts[buffer->storage].c) state->storage = buffer->storage;
  buffer->state = state;
}

void move_derived_launches(struct scheduler *s) {
  struct choice choice = {.s = s, .routine = s->routine};
  struct routine *routine = s->routine;
  int stay = 0;
  for (int i = 0; i < routine->launches.count; i++) {
    const struct launch *launch = routine->launches.items[i];
    for (int j = 0; j < launch->arguments.count; j++)
      if (launch->arguments.items[j].buffer && is_written(launch, j))
        ++*pointer_table_at(s->arena, &choice.writers, launch->arguments.items[j].buffer, 0);
  }
  for (int i = 0; i < routine->launches.count; i++) {
    struct launch *launch = routine->launches.items[i];
    for (int j = 0; j < launch->arguments.count; j++)
      if (launch->arguments.items[j].buffer)
        launch->arguments.items[j].buffer = in_place_of(&choice, launch->arguments.items[j].buffer);
    if (launch->derived)
      move_launch(&choice, launch);
    else
      routine->launches.items[stay++] = launch;
  }
  if (stay == routine->launches.count) return;
  routine->launches.count = stay;
  struct pointer_table stored = {0};
  for (int i = 0; i < s->derived.count; i++)
    for (int j = 0; j < s->derived.items[i]->arguments.count; j++)
      if (s->derived.items[i]->arguments.items[j].buffer && is_written(s->derived.items[i], j))
        *pointer_table_at(s->arena, &stored, s->derived.items[i]->arguments.items[j].buffer, 0) = 1;
  for (int i = 0; i < stay; i++)
    for (int j = 0; j < routine->launches.items[i]->arguments.count; j++) {
      struct buffer *buffer = routine->launches.items[i]->arguments.items[j].buffer;
      if (buffer && is_set(&stored, buffer)) keep_buffer(s, buffer);
    }
}
