/* The structs that hold the program's memory, and which pointer of them each buffer is. */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/c_print.h"
#include "codegen/emit.h"

static const struct {
  const char *tag, *member, *variable, *comment;
} role_structs[] = {
    [ROLE_PARAMETER] = {"parameters", "parameters", "p",
                        "What training learns; the names are those of the weight file."},
    [ROLE_OPTIMIZER] = {"optimizer", "optimizer", "o", "What the optimizer remembers of each parameter."},
    [ROLE_ACCUMULATOR] = {"accumulators", "accumulators", "g", "Sums over the micro-batches of a step."},
    [ROLE_AVERAGE] = {"averages", "averages", "e", "Moving averages of the parameters."},
    [ROLE_CACHE] = {"caches", "caches", "c", "What generation keeps of the positions so far."},
    [ROLE_PREPARED] = {"prepared", "prepared", "r", "What generation computes once for a prompt."},
};

/* --- Fields ------------------------------------------------------------------------------------------------------------- */

/* Buffers of one module have different names; within one struct the number that keeps them apart is mostly not needed. */
static const char *short_name(struct arena *arena, const struct buffer *buffer) {
  const char *name = buffer->name;
  size_t length = strlen(name), end = length;
  while (end > 0 && isdigit((unsigned char)name[end - 1])) end--;
  if (end == length || end < 2 || name[end - 1] != '_') return name;
  /* The spec itself may end a name so: "ln_2". */
  const char *label = buffer->label ? buffer->label : "";
  size_t tail = strlen(label), digits = length - end + 1;
  if (tail >= digits && !strcmp(label + tail - digits + 1, name + end) && !isalnum((unsigned char)label[tail - digits]))
    return name;
  return arena_copy(arena, name, end - 1);
}

static bool name_taken(const struct owner *owner, const char *name) {
  for (int i = 0; i < owner->fields.count; i++)
    if (!strcmp(owner->fields.items[i]->name, name)) return true;
  return false;
}

static struct field *field_of_copies(const struct owner *owner, const struct buffer *buffer) {
  for (int i = 0; i < owner->fields.count; i++) {
    struct field *field = owner->fields.items[i];
    if (field->sample->copy >= 0 && field->sample->type == buffer->type && field->sample->role == buffer->role &&
        !strcmp(field->sample->name, buffer->name))
      return field;
  }
  return NULL;
}

enum { MOST_COPIES = 1 << 16 };

static void add_buffer(struct emitter *emitter, struct owner *owner, const struct buffer *buffer) {
  struct arena *arena = emitter->arena;
  bool copied = buffer->copy >= 0 && buffer->copy < MOST_COPIES && owner->kind != OWNER_PORTS;
  struct field *field = copied ? field_of_copies(owner, buffer) : NULL;
  if (!field) {
    field = arena_new_struct(arena, struct field);
    const char *base = c_identifier(arena, owner->kind == OWNER_STATES ? buffer->name : short_name(arena, buffer));
    field->name = base;
    for (int i = 2; name_taken(owner, field->name); i++) field->name = arena_format(arena, "%s_%d", base, i);
    field->owner = owner;
    field->sample = buffer;
    array_push(arena, &owner->fields, field);
  }
  int wanted = copied ? buffer->copy + 1 : 0;
  if (wanted > field->copies || !field->members) {
    const struct buffer **members = arena_new_array(arena, const struct buffer *, wanted > 0 ? wanted : 1);
    for (int i = 0; i < field->copies; i++) members[i] = field->members[i];
    field->members = members;
    field->copies = wanted;
  }
  field->members[copied ? buffer->copy : 0] = buffer;
  array_push(arena, &field->owner->buffers, buffer);
}

/* A family of one is no array, nor are activations that all lie in the same place. */
static void settle_field(struct emitter *emitter, struct field *field) {
  int present = 0;
  bool same = field->owner->kind == OWNER_ACTIVATIONS;
  for (int i = 0; i < field->copies; i++) {
    present += field->members[i] != NULL;
    same = same && (!field->members[i] || field->members[i]->offset == field->sample->offset);
  }
  if (same) field->shared = true;
  if (present == 1) {
    field->members = arena_new_array(emitter->arena, const struct buffer *, 1);
    field->members[0] = field->sample;
    field->copies = 0;
  }
}

static struct owner *owner_new(struct emitter *emitter, enum owner_kind kind, const struct routine *routine,
                               const char *tag) {
  struct owner *owner = arena_new_struct(emitter->arena, struct owner);
  owner->kind = kind;
  owner->routine = routine;
  owner->tag = arena_format(emitter->arena, "%s_%s", emitter->name, tag);
  array_push(emitter->arena, &emitter->owners, owner);
  return owner;
}

struct owner *emit_owner(const struct emitter *emitter, enum owner_kind kind, const struct routine *routine) {
  for (int i = 0; i < emitter->owners.count; i++) {
    struct owner *owner = emitter->owners.items[i];
    if (owner->kind == kind && owner->routine == routine) return owner;
  }
  return NULL;
}

static int by_address(const void *x, const void *y) {
  uintptr_t a = (uintptr_t)((const struct place_of_buffer *)x)->buffer,
            b = (uintptr_t)((const struct place_of_buffer *)y)->buffer;
  return (a > b) - (a < b);
}

const struct place_of_buffer *emit_place(const struct emitter *emitter, const struct buffer *buffer) {
  struct place_of_buffer key = {.buffer = buffer};
  const struct place_of_buffer *place =
      bsearch(&key, emitter->places, (size_t)emitter->place_count, sizeof *emitter->places, by_address);
  if (!place) bug("buffer %s stands in no struct", buffer->name);
  return place;
}

static bool contains(const struct owner *owner, const struct buffer *buffer) {
  for (int i = owner->buffers.count; i-- > 0;)
    if (owner->buffers.items[i] == buffer) return true;
  return false;
}

void emit_layout(struct emitter *emitter) {
  const struct module *module = emitter->module;
  struct arena *arena = emitter->arena;
  for (enum role role = ROLE_PARAMETER; role <= ROLE_PREPARED; role++) {
    struct owner *owner = NULL;
    for (int i = 0; i < module->buffers.count; i++) {
      const struct buffer *buffer = module->buffers.items[i];
      if (buffer->role != BUFFER_STATE || buffer->state->role != role) continue;
      if (!owner) {
        owner = owner_new(emitter, OWNER_STATES, NULL, role_structs[role].tag);
        owner->role = role;
        owner->member = role_structs[role].member;
        owner->variable = role_structs[role].variable;
      }
      add_buffer(emitter, owner, buffer);
    }
  }
  for (int i = 0; i < module->routines.count; i++) {
    const struct routine *routine = module->routines.items[i];
    if (routine->inputs.count || routine->outputs.count) {
      struct owner *owner = owner_new(emitter, OWNER_PORTS, routine, arena_format(arena, "%s_ports", routine->name));
      owner->member = routine->name;
      owner->variable = "io";
      for (int j = 0; j < routine->inputs.count; j++) add_buffer(emitter, owner, routine->inputs.items[j]);
      for (int j = 0; j < routine->outputs.count; j++) add_buffer(emitter, owner, routine->outputs.items[j]);
    }
    struct owner *owner = NULL;
    for (int j = 0; j < routine->launches.count; j++) {
      const struct launch *launch = routine->launches.items[j];
      for (int k = 0; k < launch->arguments.count; k++) {
        const struct buffer *buffer = launch->arguments.items[k].buffer;
        if (!buffer || buffer->role != BUFFER_ACTIVATION) continue;
        if (!owner) {
          owner = owner_new(emitter, OWNER_ACTIVATIONS, routine, arena_format(arena, "%s_activations", routine->name));
          owner->variable = "a";
        }
        if (!contains(owner, buffer)) add_buffer(emitter, owner, buffer);
      }
    }
  }
  ARRAY(struct place_of_buffer) places = {0};
  for (int i = 0; i < emitter->owners.count; i++)
    for (int j = 0; j < emitter->owners.items[i]->fields.count; j++) {
      struct field *field = emitter->owners.items[i]->fields.items[j];
      settle_field(emitter, field);
      for (int copy = 0; copy < field->copies || copy == 0; copy++)
        if (field->members[copy])
          array_push(
              arena, &places,
              (struct place_of_buffer){field->members[copy], field, field->copies && !field->shared ? copy : -1});
    }
  emitter->places = places.items;
  emitter->place_count = places.count;
  for (int i = 0; i < places.count; i++)
    if (places.items[i].field->shared) places.items[i].field->copies = 0;
  qsort(emitter->places, (size_t)places.count, sizeof *emitter->places, by_address);
}

/* --- Declarations ------------------------------------------------------------------------------------------------------- */

/* "gradient of h.3.attn.c_attn.weight": nothing that the name does not say is left out of the comment but the axes. */
static const char *field_comment(const struct field *field) {
  const char *axes = field->sample->comment;
  return axes && axes[0] ? axes : NULL;
}

static void print_pointer(struct emitter *emitter, struct text *text, const struct field *field) {
  const char *type = c_type(emitter->target, field->sample->type), *comment = field_comment(field);
  const char *copies = field->copies ? arena_format(emitter->arena, "[%d]", field->copies) : "";
  text_line(text, "%s *%s%s;%s%s%s", type, field->name, copies, comment ? " /* " : "", comment ? comment : "",
            comment ? " */" : "");
}

static void print_port(struct emitter *emitter, struct text *text, const struct field *field) {
  const char *comment = field_comment(field);
  text_line(text, "%s %s[%lld];%s%s%s", c_type(emitter->target, field->sample->type), field->name,
            (long long)(field->sample->count > 0 ? field->sample->count : 1), comment ? " /* " : "",
            comment ? comment : "", comment ? " */" : "");
}

void emit_public_structs(struct emitter *emitter, struct text *text) {
  struct arena *arena = emitter->arena;
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    if (owner->kind == OWNER_ACTIVATIONS) continue;
    if (owner->kind == OWNER_STATES)
      text_comment(text, role_structs[owner->role].comment);
    else
      text_comment(text, arena_format(arena, "Inputs and outputs of %s_%s.", emitter->name, owner->routine->name));
    text_open(text, "struct %s", owner->tag);
    for (int j = 0; j < owner->fields.count; j++) {
      const struct field *field = owner->fields.items[j];
      if (owner->kind == OWNER_STATES) {
        print_pointer(emitter, text, field);
        continue;
      }
      if (j == 0 && owner->routine->inputs.count) text_comment(text, "inputs");
      if (field->sample->role == BUFFER_OUTPUT && (j == 0 || owner->fields.items[j - 1]->sample->role != BUFFER_OUTPUT))
        text_comment(text, "outputs");
      print_port(emitter, text, field);
    }
    text->indentation--;
    text_line(text, "};");
    text_blank(text);
  }
  text_comment(text, "The program's memory.");
  text_open(text, "struct %s", emitter->name);
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    if (owner->kind != OWNER_ACTIVATIONS) text_line(text, "struct %s %s;", owner->tag, owner->member);
  }
  text_line(text, "void *states;      /* all of them, one after the other */");
  text_line(text, "void *activations; /* what a run needs in between; every routine begins anew */");
  text->indentation--;
  text_line(text, "};");
}

/* --- Activations -------------------------------------------------------------------------------------------------------- */

int64_t emit_activation_bytes(const struct emitter *emitter) {
  int64_t bytes = 0;
  for (int i = 0; i < emitter->module->routines.count; i++)
    if (emitter->module->routines.items[i]->activation_bytes > bytes)
      bytes = emitter->module->routines.items[i]->activation_bytes;
  return bytes;
}

static const char *base_of(enum type type) {
  switch (type) {
    case TYPE_REAL:
      return "reals";
    case TYPE_INTEGER:
      return "integers";
    case TYPE_BOOLEAN:
      return "booleans";
    case TYPE_INDEX:
      return "indices";
  }
  return "";
}

static const char *at_offset(struct arena *arena, enum type type, int64_t offset) {
  return offset ? arena_format(arena, "%s + %lld", base_of(type), (long long)offset) : base_of(type);
}

/* Where copy i lies: "reals + 1024", "reals + 1024 + i * 512", or from a table, which is printed at once. */
static const char *copy_offset(struct emitter *emitter, struct text *text, const struct field *field) {
  struct arena *arena = emitter->arena;
  int64_t first = field->members[0] ? field->members[0]->offset : 0, step = 0;
  bool affine = field->members[0] && field->members[1];
  if (affine) step = field->members[1]->offset - first;
  for (int i = 0; i < field->copies; i++)
    affine = affine && field->members[i] && field->members[i]->offset == first + step * i;
  if (affine) {
    int64_t size = step < 0 ? -step : step;
    const char *base = at_offset(arena, field->sample->type, first);
    if (!step) return base;
    return arena_format(arena, size > INT_MAX / field->copies ? "%s %c (int64_t)i * %lld" : "%s %c i * %lld", base,
                        step < 0 ? '-' : '+', (long long)size);
  }
  const char *list = "";
  for (int i = 0; i < field->copies; i++) {
    int64_t offset = field->members[i] ? field->members[i]->offset : 0;
    list = arena_format(arena, "%s%s%lld", list, i ? ", " : "", (long long)offset);
  }
  text_line(text, "static const int64_t %s[] = {%s};", field->name, list);
  return arena_format(arena, "%s + %s[i]", base_of(field->sample->type), field->name);
}

/* Fields `first` up to `end`, arrays of as many copies, in one loop. */
static void place_copies(struct emitter *emitter, struct text *text, const struct owner *owner, int first, int end) {
  struct arena *arena = emitter->arena;
  const char **offsets = arena_new_array(arena, const char *, end - first);
  for (int i = first; i < end; i++) offsets[i - first] = copy_offset(emitter, text, owner->fields.items[i]);
  const char *loop = arena_format(arena, "for (int i = 0; i < %d; i++)", owner->fields.items[first]->copies);
  if (end - first == 1) {
    text_line(text, "%s a.%s[i] = %s;", loop, owner->fields.items[first]->name, offsets[0]);
    return;
  }
  text_open(text, "%s", loop);
  for (int i = first; i < end; i++) text_line(text, "a.%s[i] = %s;", owner->fields.items[i]->name, offsets[i - first]);
  text_close(text);
}

void emit_activations(struct emitter *emitter, struct text *text, const struct owner *owner) {
  bool used[TYPE_INDEX + 1] = {false};
  text_comment(text, arena_format(emitter->arena,
                                  "What %s computes on the way. Values that do not live at the same time share memory.",
                                  owner->routine->name));
  text_open(text, "struct %s", owner->tag);
  for (int i = 0; i < owner->fields.count; i++) {
    print_pointer(emitter, text, owner->fields.items[i]);
    used[owner->fields.items[i]->sample->type] = true;
  }
  text->indentation--;
  text_line(text, "};");
  text_blank(text);
  text_open(text, "static struct %s %s_place_%s(void *memory)", owner->tag, emitter->name, owner->routine->name);
  text_line(text, "struct %s a;", owner->tag);
  for (enum type type = TYPE_REAL; type <= TYPE_INDEX; type++)
    if (used[type]) text_line(text, "%s *%s = memory;", c_type(emitter->target, type), base_of(type));
  for (int i = 0, end; i < owner->fields.count; i = end) {
    const struct field *field = owner->fields.items[i];
    end = i + 1;
    if (!field->copies) {
      text_line(text, "a.%s = %s;", field->name, at_offset(emitter->arena, field->sample->type, field->sample->offset));
      continue;
    }
    while (end < owner->fields.count && owner->fields.items[end]->copies == field->copies) end++;
    place_copies(emitter, text, owner, i, end);
  }
  text_line(text, "return a;");
  text_close(text);
  text_blank(text);
}
