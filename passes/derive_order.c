/* Orders the launches of derive: first, parameter by parameter, those that make its steps and scale and nothing else, and read it
   and no other. A program can then compute them with one parameter in memory at a time, or leave them out where a file holds the
   steps. A parameter of which other launches of derive need more is as any other, and its steps are in no file. */
#include <string.h>

#include "passes/schedule.h"

struct ordering {
  struct scheduler *s;
  struct routine *routine;
};

static bool is_written(const struct launch *launch, int argument) {
  return launch->function->parameters.items[argument].array->written;
}

static const struct state *state_of(const struct launch_argument *argument) {
  return argument->buffer && argument->buffer->role == BUFFER_STATE ? argument->buffer->state : NULL;
}

static bool is_part(const struct launch_argument *argument, const struct state *parameter) {
  const struct state *state = state_of(argument);
  return state && state->role == ROLE_QUANTIZED && state->of == parameter;
}

static bool writes_part(const struct launch *launch, const struct state *parameter) {
  for (int i = 0; i < launch->arguments.count; i++)
    if (is_part(&launch->arguments.items[i], parameter) && is_written(launch, i)) return true;
  return false;
}

static bool touches(const struct launch *launch, const struct buffer *buffer) {
  for (int i = 0; i < launch->arguments.count; i++)
    if (launch->arguments.items[i].buffer == buffer) return true;
  return false;
}

/* Marks the launches that make the parameter's steps and scale, and those that make what these read. */
static void mark_makers(const struct ordering *o, const struct state *parameter, bool *makes) {
  const int count = o->routine->launches.count;
  struct launch *const *launches = o->routine->launches.items;
  for (int i = count - 1; i >= 0; i--) {
    makes[i] = makes[i] || writes_part(launches[i], parameter);
    for (int j = 0; makes[i] && j < launches[i]->arguments.count; j++) {
      const struct buffer *buffer = launches[i]->arguments.items[j].buffer;
      for (int k = 0; buffer && buffer->role == BUFFER_ACTIVATION && k < count; k++)
        if (!makes[k] && touches(launches[k], buffer)) {
          makes[k] = true;
          if (k > i) i = count; /* it comes later: begin again */
        }
      if (i == count) break;
    }
  }
}

/* Whether those launches can stand alone: all that they read and write is the parameter, its steps and scale, and what only they
   touch. */
static bool stand_alone(const struct ordering *o, const struct buffer *parameter, const bool *makes) {
  const int count = o->routine->launches.count;
  for (int i = 0; i < count; i++) {
    const struct launch *launch = o->routine->launches.items[i];
    if (!makes[i] && touches(launch, parameter)) return false;
    for (int j = 0; makes[i] && j < launch->arguments.count; j++) {
      const struct launch_argument *argument = &launch->arguments.items[j];
      const bool own = argument->buffer == parameter || is_part(argument, parameter->state);
      if (argument->buffer && argument->buffer->role != BUFFER_ACTIVATION && !own) return false;
    }
  }
  return true;
}

static void demote(struct ordering *o, const struct state *parameter) {
  for (int i = 0; i < o->s->program->states.count; i++) {
    struct state *state = o->s->program->states.items[i];
    if (state->role == ROLE_QUANTIZED && state->of == parameter) state->role = ROLE_DERIVED, state->file_shape = NULL;
  }
}

static bool is_quantized(const struct program *program, const struct state *parameter) {
  for (int i = 0; i < program->states.count; i++)
    if (program->states.items[i]->role == ROLE_QUANTIZED && program->states.items[i]->of == parameter) return true;
  return false;
}

static void find_launches(struct ordering *o, const struct buffer *parameter, bool *makes) {
  const int count = o->routine->launches.count;
  memset(makes, 0, (size_t)count * sizeof *makes);
  mark_makers(o, parameter->state, makes);
  bool some = false;
  for (int i = 0; i < count; i++) some = some || makes[i];
  if (!some) return; /* they are a part of the program */
  if (!stand_alone(o, parameter, makes)) {
    demote(o, parameter->state);
    return;
  }
  for (int i = 0; i < count; i++)
    if (makes[i]) o->routine->launches.items[i]->quantizes = parameter;
}

/* Copies of a repeat follow each other, so that they can be turns of one loop. */
static void put_launches_of(struct ordering *o, const struct buffer *parameter, struct launch **ordered, int *done) {
  for (int i = 0; i < o->routine->launches.count; i++)
    if (o->routine->launches.items[i]->quantizes == parameter) ordered[(*done)++] = o->routine->launches.items[i];
}

void order_derived_launches(struct scheduler *s, struct routine *routine) {
  struct ordering o = {.s = s, .routine = routine};
  const int count = routine->launches.count;
  const struct module *module = s->module;
  bool *makes = arena_new_array(s->arena, bool, count + 1);
  struct launch **ordered = arena_new_array(s->arena, struct launch *, count + 1);
  struct pointer_table put = {0};
  int done = 0;
  for (int i = 0; i < module->buffers.count; i++) {
    const struct buffer *buffer = module->buffers.items[i];
    if (buffer->role == BUFFER_STATE && is_quantized(s->program, buffer->state)) find_launches(&o, buffer, makes);
  }
  for (int i = 0; i < module->buffers.count; i++) {
    const struct buffer *first = module->buffers.items[i];
    if (first->role != BUFFER_STATE || pointer_table_find(&put, first)) continue;
    for (int k = i; k < module->buffers.count; k++) {
      const struct buffer *buffer = module->buffers.items[k];
      const bool copies = first->copy >= 0 && buffer->copy >= 0 && !strcmp(first->name, buffer->name);
      if (buffer->role != BUFFER_STATE || (buffer != first && !copies)) continue;
      pointer_table_at(s->arena, &put, buffer, 1);
      put_launches_of(&o, buffer, ordered, &done);
    }
  }
  put_launches_of(&o, NULL, ordered, &done);
  memcpy(routine->launches.items, ordered, (size_t)count * sizeof(struct launch *));
}
