/* Which derived states files hold in a parameter's place: what quantize made of it, by the names that it gave them. "PARAMETER/i8",
   "/i4", "/u4", "/nf4" are steps, "/scale" and "/offset" go with them; "/bf16" and "/f16" stand alone. Their axes must be those of the
   parameter, in its order, so that a file's reader needs shapes alone: steps have the parameter's, and the others have an extent for
   each axis that divides the parameter's. */
#include <string.h>

#include "passes/passes.h"

static const char *const steps_names[] = {"i8", "i4", "u4", "nf4", "bf16", "f16"}, *const shared_names[] = {"scale",
                                                                                                            "offset"};
enum {
  STEPS_NAMES = sizeof steps_names / sizeof *steps_names,
  SHARED_NAMES = sizeof shared_names / sizeof *shared_names
};

static bool is_in(const char *name, const char *const *names, int count) {
  for (int i = 0; i < count; i++)
    if (!strcmp(name, names[i])) return true;
  return false;
}

bool is_part_of(const struct value *value, const struct state *parameter) {
  const size_t length = strlen(parameter->name);
  if (!value->name || strncmp(value->name, parameter->name, length) != 0 || value->name[length] != '/') return false;
  const char *rest = value->name + length + 1;
  return is_in(rest, steps_names, STEPS_NAMES) || is_in(rest, shared_names, SHARED_NAMES);
}

/* What files hold of a parameter. */
struct file_parts {
  struct state *steps, *shared[SHARED_NAMES]; /* NULL: it has none */
  bool twice; /* several are of one kind */
  int grouped; /* the place of the axis in whose place the steps have two; -1: none */
};

static struct file_parts parts_of(const struct program *program, const struct state *parameter) {
  struct file_parts parts = {0};
  for (int i = 0; i < program->states.count; i++) {
    struct state *state = program->states.items[i], **place = &parts.steps;
    if (state->role != ROLE_QUANTIZED || state->of != parameter) continue;
    for (int k = 0; k < SHARED_NAMES; k++)
      if (!strcmp(strrchr(state->name, '/') + 1, shared_names[k])) place = &parts.shared[k];
    parts.twice = parts.twice || *place;
    *place = state;
  }
  return parts;
}

static bool steps_fit(struct file_parts *parts, const struct state *parameter) {
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

/* Sets the extents in files of a scale or an offset; false where its axes are others. */
static bool shared_fits(struct arena *arena, const struct file_parts *parts, const struct state *parameter,
                        struct state *shared) {
  int64_t *shape = arena_new_array(arena, int64_t, parameter->axis_count);
  int at = 0;
  for (int i = 0; i < parameter->axis_count; i++) {
    const struct axis *own = i == parts->grouped ? parts->steps->axes[i] : parameter->axes[i];
    const bool present = at < shared->axis_count && shared->axes[at] == own;
    shape[i] = present ? own->extent : 1;
    at += present;
  }
  shared->file_shape = shape;
  return at == shared->axis_count && shared->kind == KIND_REAL && shared->storage == STORAGE_REAL;
}

static bool fit(struct arena *arena, struct file_parts *parts, const struct state *parameter) {
  if (parts->twice || !parts->steps || !steps_fit(parts, parameter)) return false;
  int64_t *whole = arena_new_array(arena, int64_t, parameter->axis_count);
  for (int i = 0; i < parameter->axis_count; i++) whole[i] = parameter->axes[i]->extent;
  parts->steps->file_shape = whole;
  if (parts->steps->kind == KIND_REAL) return !parts->shared[0] && !parts->shared[1] && parts->grouped < 0;
  if (!parts->shared[0]) return false;
  for (int k = 0; k < SHARED_NAMES; k++)
    if (parts->shared[k] && !shared_fits(arena, parts, parameter, parts->shared[k])) return false;
  return true;
}

void settle_parts(struct program *program) {
  if (!program_has_steps(program)) return;
  for (int i = 0; i < program->states.count; i++) {
    const struct state *parameter = program->states.items[i];
    if (parameter->role != ROLE_PARAMETER && parameter->role != ROLE_AVERAGE) continue;
    struct file_parts parts = parts_of(program, parameter);
    if (fit(program->arena, &parts, parameter)) continue;
    for (int k = 0; k < program->states.count; k++) {
      struct state *state = program->states.items[k];
      if (state->role == ROLE_QUANTIZED && state->of == parameter) state->role = ROLE_DERIVED, state->file_shape = NULL;
    }
  }
}
