/* Which derived states files hold in a parameter's place: the steps and the scale that quantize made of it, which have the names
   that it gave them, "PARAMETER/i8" and "PARAMETER/scale". Their axes must be those of the parameter, in its order, so that a file's
   reader needs shapes alone: steps have the parameter's, and the scale has an extent for each axis that divides the parameter's. */
#include <string.h>

#include "passes/passes.h"

static bool is_scale(const struct state *state) {
  const char *slash = strrchr(state->name, '/');
  return slash && !strcmp(slash, "/scale");
}

bool is_part_of(const struct value *value, const struct state *parameter) {
  static const enum storage stored[] = {STORAGE_I8, STORAGE_I4, STORAGE_BF16, STORAGE_F16};
  const size_t length = strlen(parameter->name);
  if (!value->name || strncmp(value->name, parameter->name, length) != 0 || value->name[length] != '/') return false;
  const char *rest = value->name + length + 1;
  bool found = !strcmp(rest, "scale");
  for (int i = 0; i < 4; i++) found = found || !strcmp(rest, storage_names[stored[i]]);
  return found;
}

/* What files hold of a parameter. */
struct parts {
  struct state *steps, *scale;
  int grouped; /* the place of the axis in whose place the steps have two; -1: none */
};

static bool steps_fit(struct parts *parts, const struct state *parameter) {
  const struct state *steps = parts->steps;
  int at = 0;
  parts->grouped = -1;
  for (int i = 0; i < parameter->axis_count; i++, at++) {
    const struct axis *axis = parameter->axes[i];
    if (at < steps->axis_count && steps->axes[at] == axis) continue;
    if (parts->grouped >= 0 || at + 1 >= steps->axis_count ||
        steps->axes[at]->extent * steps->axes[at + 1]->extent != axis->extent)
      return false;
    parts->grouped = i;
    at++;
  }
  return at == steps->axis_count;
}

/* The extents of the scale in files; false where its axes are others. */
static bool scale_fits(const struct parts *parts, const struct state *parameter, int64_t *shape) {
  const struct state *scale = parts->scale;
  int at = 0;
  for (int i = 0; i < parameter->axis_count; i++) {
    const struct axis *own = i == parts->grouped ? parts->steps->axes[i] : parameter->axes[i];
    const bool present = at < scale->axis_count && scale->axes[at] == own;
    shape[i] = present ? own->extent : 1;
    at += present;
  }
  return at == scale->axis_count;
}

static bool fit(struct arena *arena, struct parts *parts, const struct state *parameter) {
  if (!parts->steps || !steps_fit(parts, parameter)) return false;
  int64_t *whole = arena_new_array(arena, int64_t, parameter->axis_count),
          *shape = arena_new_array(arena, int64_t, parameter->axis_count);
  for (int i = 0; i < parameter->axis_count; i++) whole[i] = parameter->axes[i]->extent;
  parts->steps->file_shape = whole;
  if (parts->steps->kind == KIND_REAL) return !parts->scale && parts->grouped < 0;
  if (!parts->scale || parts->scale->storage != STORAGE_REAL) return false;
  parts->scale->file_shape = shape;
  return scale_fits(parts, parameter, shape);
}

void settle_parts(struct program *program) {
  for (int i = 0; i < program->states.count; i++) {
    const struct state *parameter = program->states.items[i];
    if (parameter->role != ROLE_PARAMETER && parameter->role != ROLE_AVERAGE) continue;
    struct parts parts = {0};
    bool twice = false;
    for (int k = 0; k < program->states.count; k++) {
      struct state *state = program->states.items[k], **place = is_scale(state) ? &parts.scale : &parts.steps;
      if (state->role != ROLE_QUANTIZED || state->of != parameter) continue;
      twice = twice || *place;
      *place = state;
    }
    if ((!parts.steps && !parts.scale) || (!twice && fit(program->arena, &parts, parameter))) continue;
    for (int k = 0; k < program->states.count; k++)
      if (program->states.items[k]->role == ROLE_QUANTIZED && program->states.items[k]->of == parameter)
        program->states.items[k]->role = ROLE_DERIVED;
  }
}
