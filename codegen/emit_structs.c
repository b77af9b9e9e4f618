/* The structs whose pointers lead into the program's memory, and the pointer by which each buffer is reached. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/c_print.h"
#include "codegen/emit.h"
#include "codegen/emit_text.h"

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
    [ROLE_STATISTIC] = {"statistics", "statistics", "s",
                        "What calibration measured of all that weights are multiplied by."},
    [ROLE_DERIVED] = {"derived", "derived", "d", "What is computed of the parameters alone, when these have changed."},
    [ROLE_QUANTIZED] =
        {"quantized", "quantized", "q",
         "Steps and scales of parameters, which routines that do not train read in place of these; files "
         "may hold them, too."},
};

/* --- Fields ------------------------------------------------------------------------------------------------------------- */

/* The buffer's name without the number that makes it unique in its module. Within one struct, it is mostly unique
   without that number. */
static const char *short_name(const struct emitter *emitter, const struct buffer *buffer) {
  const char *name = buffer->name;
  size_t length = strlen(name), end = length;
  while (end > 0 && isdigit((unsigned char)name[end - 1])) end--;
  if (end == length || end < 2 || name[end - 1] != '_') return name;
  const char *label = buffer->label ? buffer->label : "";
  const char *own = c_identifier(emitter->printer, label); /* the number may have been added to the label */
  if (end - 1 == strlen(own) && !strncmp(name, own, end - 1)) return own;
  /* The name in the spec may itself end in a number: "ln_2". */
  size_t tail = strlen(label), digits = length - end + 1;
  if (tail >= digits && !strcmp(label + tail - digits + 1, name + end) && !isalnum((unsigned char)label[tail - digits]))
    return name;
  return arena_copy(emitter->arena, name, end - 1);
}

/* The key that the copies of a repeat's buffer share: role, type and name. */
static const char *family_key(struct arena *arena, const struct buffer *buffer) {
  return arena_format(arena, "%d %d %s", (int)buffer->role, (int)buffer->storage, buffer->name);
}

/* Whether the name is the label, with underscores for characters that C's names cannot have. */
static bool spells(const char *name, const char *label) {
  for (; *name && *label; name++, label++)
    if (*name != (isalnum((unsigned char)*label) ? *label : '_')) return false;
  return *name == *label;
}

/* Of what is kept for a parameter, "EOF/m", the beginning is spelt as the parameter's field is: eof_m. */
static const char *state_name(const struct emitter *emitter, const struct buffer *buffer) {
  const char *slash = buffer->label ? strchr(buffer->label, '/') : NULL;
  const size_t length = slash ? (size_t)(slash - buffer->label) : 0;
  if (!slash || strlen(buffer->name) <= length) return buffer->name;
  const char *parameter = c_identifier(emitter->printer, arena_copy(emitter->arena, buffer->name, length));
  if (strlen(parameter) != length) return buffer->name;
  return arena_format(emitter->arena, "%s%s", parameter, buffer->name + length);
}

enum { MOST_COPIES = 1 << 16 };

static void add_buffer(struct emitter *emitter, struct owner *owner, const struct buffer *buffer) {
  struct arena *arena = emitter->arena;
  bool copied = buffer->copy >= 0 && buffer->copy < MOST_COPIES && owner->kind != OWNER_PORTS;
  struct field *field = copied ? table_find(&owner->families, family_key(arena, buffer)) : NULL;
  if (!field) {
    field = arena_new_struct(arena, struct field);
    const char *base = c_identifier(
        emitter->printer, owner->kind == OWNER_STATES ? state_name(emitter, buffer) : short_name(emitter, buffer));
    field->name = names_declare(arena, &owner->names, base, NULL);
    const char *key = family_key(arena, buffer);
    if (buffer->copy >= 0 && !table_find(&owner->families, key)) table_set(arena, &owner->families, key, field);
    field->owner = owner;
    field->sample = buffer;
    const char *axes = buffer->comment && buffer->comment[0] ? buffer->comment : NULL;
    bool named = owner->kind != OWNER_ACTIVATIONS && !copied && axes && buffer->label;
    bool renamed = named && !spells(field->name, c_identifier(emitter->printer, buffer->label));
    field->comment = renamed ? arena_format(arena, "%s%s", buffer->label, axes) : axes;
    array_push(arena, &owner->fields, field);
  }
  int wanted = copied ? buffer->copy + 1 : 0;
  if (wanted > field->room || !field->members) {
    field->room = wanted > 2 * field->room ? wanted > 0 ? wanted : 1 : 2 * field->room;
    const struct buffer **members = arena_new_array(arena, const struct buffer *, field->room);
    for (int i = 0; i < field->copies; i++) members[i] = field->members[i];
    field->members = members;
  }
  if (wanted > field->copies) field->copies = wanted;
  field->members[copied ? buffer->copy : 0] = buffer;
  array_push(arena, &field->owner->buffers, buffer);
}

/* Makes a field with a single copy a plain pointer, and finds activations whose copies all lie in the same place. */
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

void emit_layout(struct emitter *emitter) {
  const struct module *module = emitter->module;
  struct arena *arena = emitter->arena;
  for (enum role role = ROLE_PARAMETER; role <= ROLE_QUANTIZED; role++) {
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
        int *known = pointer_table_at(arena, &owner->known, buffer, 0);
        if (!(*known)++) add_buffer(emitter, owner, buffer);
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

bool emit_is_scalar(const struct field *field) {
  return field->owner->kind == OWNER_PORTS && !field->sample->axis_count;
}

static bool same_declaration(const struct field *x, const struct field *y) {
  const char *a = x->comment, *b = y->comment;
  return x->sample->storage == y->sample->storage && emit_is_scalar(x) == emit_is_scalar(y) && !a == !b &&
         (!a || !strcmp(a, b));
}

/* What the comment of a field says of its elements where their type in C does not tell what they are. */
static const char *elements_comment(struct arena *arena, enum storage storage, const char *comment) {
  const bool told = storage != STORAGE_BF16 && storage != STORAGE_F16 && storage != STORAGE_I4 && storage != STORAGE_U4;
  if (told) return comment;
  const char *shared = storage_facts[storage].bits < 8 ? ", two in a byte" : "";
  return arena_format(arena, "%s%s%s%s", storage_names[storage], shared, comment ? ", " : "", comment ? comment : "");
}

/* Declares pointers to arrays of one type and shape, or scalars, on one line. The shape stands behind them or, where
   that is too long, before them. */
static void print_members(struct emitter *emitter, struct text *text, struct field *const *fields, int count) {
  struct arena *arena = emitter->arena;
  const bool scalar = emit_is_scalar(fields[0]);
  const char *line = c_element_type(emitter->printer, fields[0]->sample->storage),
             *comment = scalar ? NULL : elements_comment(arena, fields[0]->sample->storage, fields[0]->comment);
  for (int i = 0; i < count; i++) {
    line = arena_format(arena, "%s%s%s%s", line, i ? ", " : " ", scalar ? "" : "*", fields[i]->name);
    if (fields[i]->copies) line = arena_format(arena, "%s[%d]", line, fields[i]->copies);
  }
  bool fits = comment && strlen(line) + strlen(comment) + 10 <= TEXT_COLUMNS;
  if (comment && !fits) text_comment(text, comment);
  text_line(text, "%s;%s", line, fits ? arena_format(arena, " /* %s */", comment) : "");
}

/* Declares ports of one type and shape from number `first` on, all of them inputs or all outputs. Returns the number of
   the next port. */
static int print_ports(struct emitter *emitter, struct text *text, const struct owner *owner, int first) {
  const struct field *field = owner->fields.items[first];
  int end = first + 1;
  while (end < owner->fields.count && owner->fields.items[end]->sample->role == field->sample->role &&
         same_declaration(field, owner->fields.items[end]))
    end++;
  print_members(emitter, text, owner->fields.items + first, end - first);
  return end;
}

static const char *ports_comment(struct emitter *emitter, const struct owner *owner) {
  const struct routine *routine = owner->routine;
  const char *name = arena_format(emitter->arena, "%s_%s", emitter->name, routine->name);
  if (!routine->inputs.count) return arena_format(emitter->arena, "The outputs of %s.", name);
  if (!routine->outputs.count) return arena_format(emitter->arena, "The inputs of %s.", name);
  return arena_format(emitter->arena, "The inputs of %s, and from %s on its outputs.", name,
                      owner->fields.items[routine->inputs.count]->name);
}

/* --- Extents ------------------------------------------------------------------------------------------------------------ */

/* The one extent of all axes of that name in states and ports, or 0 where they have several. */
struct extent {
  const char *name;
  int64_t extent;
};

/* The batch of a prediction for another size is that routine's own, and leaves NAME_BATCH to the spec's. */
static void note_axes(struct emitter *emitter, struct table *extents, const struct owner *owner,
                      struct axis *const *axes, int count) {
  const bool own_batch = owner->routine && program_prediction(emitter->program, owner->routine->number);
  for (int i = 0; i < count; i++) {
    if (own_batch && is_batch(axes[i])) continue;
    struct extent *known = table_find(extents, axes[i]->name);
    if (!known) {
      known = arena_new_struct(emitter->arena, struct extent);
      *known = (struct extent){axes[i]->name, axes[i]->extent};
      table_set(emitter->arena, extents, axes[i]->name, known);
    }
    if (known->extent != axes[i]->extent) known->extent = 0;
  }
}

/* Prints a constant for each axis that has one extent, NAME_VOCAB, and for each axis of a routine's ports,
   NAME_TRAIN_SEQ. */
struct extent_names {
  struct emitter *emitter;
  struct rows rows;
  struct table done; /* printed names: of routines without NAME_, of axes with a colon before them */
  struct table of_routines; /* their names, which no axis called like one of them takes away */
  struct scope_names taken;
};

static const char *extent_of_port(struct extent_names *names, const struct owner *owner, const struct axis *axis) {
  struct arena *arena = names->emitter->arena;
  return arena_format(arena, "%s_%s", emit_in_capitals(arena, owner->routine->name),
                      emit_in_capitals(arena, axis->name));
}

static const char *declare_extent(struct extent_names *names, const char *own) {
  struct arena *arena = names->emitter->arena;
  return names_declare(arena, &names->taken, arena_format(arena, "%s_%s", emit_upper_name(names->emitter), own), NULL);
}

static void reserve_extent(struct extent_names *names, const char *own) {
  if (!table_find(&names->of_routines, own))
    table_set(names->emitter->arena, &names->of_routines, own, (void *)(uintptr_t)declare_extent(names, own));
}

static void print_extent(struct extent_names *names, const char *own, bool of_routine, int64_t extent) {
  struct arena *arena = names->emitter->arena;
  const char *key = of_routine ? own : arena_format(arena, ":%s", own);
  if (table_find(&names->done, key)) return;
  if (!names->done.count) text_open(names->rows.text, "enum %s_extent", names->emitter->name);
  table_set(arena, &names->done, key, names);
  const char *name = of_routine ? table_find(&names->of_routines, own) : declare_extent(names, own);
  rows_add(&names->rows, arena_format(arena, "%s = %lld,", name, (long long)extent));
}

static void print_extents(struct emitter *emitter, struct text *text) {
  struct arena *arena = emitter->arena;
  struct table extents = {0};
  struct extent_names names = {.emitter = emitter, .rows.text = text};
  const char *prefix = emit_upper_name(emitter);
  names_declare(arena, &names.taken, arena_format(arena, "%s_H", prefix), NULL);
  names_declare(arena, &names.taken, arena_format(arena, "%s_ALONE", prefix), NULL);
  for (int i = 0; emit_statuses[i]; i++)
    names_declare(arena, &names.taken, arena_format(arena, "%s_%s", prefix, emit_statuses[i]), NULL);
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < emitter->owners.count; i++) {
      const struct owner *owner = emitter->owners.items[i];
      if (owner->kind == OWNER_STATES && role_is_derived(owner->role)) continue;
      for (int j = 0; j < owner->fields.count && owner->kind != OWNER_ACTIVATIONS; j++) {
        const struct buffer *buffer = owner->fields.items[j]->sample;
        struct axis **axes = buffer->state ? buffer->state->axes : buffer->axes;
        const int count = buffer->state ? buffer->state->axis_count : buffer->axis_count;
        if (!pass) note_axes(emitter, &extents, owner, axes, count);
        for (int k = 0; !pass && owner->kind == OWNER_PORTS && k < count; k++)
          reserve_extent(&names, extent_of_port(&names, owner, axes[k]));
        for (int k = 0; pass && k < count; k++) {
          const struct extent *extent = table_find(&extents, axes[k]->name);
          const char *own = emit_in_capitals(arena, axes[k]->name);
          if (extent && extent->extent) print_extent(&names, own, false, extent->extent);
          if (owner->kind == OWNER_PORTS)
            print_extent(&names, extent_of_port(&names, owner, axes[k]), true, axes[k]->extent);
        }
      }
    }
  if (!names.done.count) return;
  rows_end(&names.rows);
  text->indentation--;
  text_line(text, "};");
  text_blank(text);
}

/* Of a struct of which some pointers are NULL. */
static const char *note_on_absent(const struct emitter *emitter, const struct owner *owner) {
  for (int i = 0; i < owner->buffers.count; i++) {
    const struct quantized *quantized = emit_quantized(emitter, owner->buffers.items[i]->state);
    if (quantized && quantized->placeless)
      return " Those of which `quantized` has the steps are NULL: routines read the steps.";
  }
  return "";
}

void emit_public_structs(struct emitter *emitter, struct text *text) {
  print_extents(emitter, text);
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    if (owner->kind == OWNER_ACTIVATIONS) continue;
    if (owner->kind == OWNER_STATES)
      text_comment(text, arena_format(emitter->arena, "%s%s", role_structs[owner->role].comment,
                                      note_on_absent(emitter, owner)));
    else
      text_comment(text, ports_comment(emitter, owner));
    text_open(text, "struct %s", owner->tag);
    for (int j = 0; j < owner->fields.count; j++) {
      const struct field *field = owner->fields.items[j];
      if (owner->kind == OWNER_STATES) {
        int end = j + 1;
        while (end < owner->fields.count && same_declaration(field, owner->fields.items[end])) end++;
        print_members(emitter, text, owner->fields.items + j, end - j);
        j = end - 1;
        continue;
      }
      j = print_ports(emitter, text, owner, j) - 1;
    }
    text->indentation--;
    text_line(text, "};");
    text_blank(text);
  }
  text_comment(text,
               "A model. Its pointers lead into its memory; those to inputs and outputs may be set to lead elsewhere.");
  text_open(text, "struct %s", emitter->name);
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    if (owner->kind != OWNER_ACTIVATIONS) text_line(text, "struct %s %s;", owner->tag, owner->member);
  }
  text_line(text, "void *activations; /* what a routine needs on the way; each begins anew */");
  if (emit_routine_find(emitter, ROUTINE_train))
    text_line(text, "int64_t trained; /* the step that %s_train did last */", emitter->name);
  if (emit_routine_find(emitter, ROUTINE_accumulate))
    text_line(text, "int64_t accumulated; /* the step that %s_accumulate added to last */", emitter->name);
  if (emit_routine_find(emitter, ROUTINE_step))
    text_line(text, "int64_t stepped; /* how many rows %s_step computed last */", emitter->name);
  if (emit_derives(emitter)) {
    text_line(text, "int64_t version; /* advances when parameters change */");
    text_line(text, "int64_t derived_version; /* of the parameters that %s_derive saw last */", emitter->name);
    if (emitter->quantized.count)
      text_line(text, "int64_t quantized_version; /* of those that the steps were made of */");
  }
  if (emit_routine_find(emitter, ROUTINE_prune))
    text_line(text, "int64_t pruned; /* 1 + the step that %s_prune saw last; else 0 or less */", emitter->name);
  text_line(text, "void *library; /* what lamella.c keeps */");
  text_line(text, "const char *message; /* see %s_message */", emitter->name);
  text_line(text, "void *own; /* what %s_create took, for %s_destroy to free */", emitter->name, emitter->name);
  text->indentation--;
  text_line(text, "};");
}

/* --- Activations -------------------------------------------------------------------------------------------------------- */

/* Sorts fields so that those of one type and shape stand together, in the order of the first of each kind. */
static void group_fields(struct emitter *emitter, struct owner *owner) {
  int count = owner->fields.count, done = 0;
  struct field **fields = arena_new_array(emitter->arena, struct field *, count > 0 ? count : 1);
  bool *taken = arena_new_array(emitter->arena, bool, count > 0 ? count : 1);
  for (int first = 0; first < count; first++) {
    if (taken[first]) continue;
    for (int i = first; i < count; i++) {
      if (taken[i] || !same_declaration(owner->fields.items[first], owner->fields.items[i])) continue;
      fields[done++] = owner->fields.items[i];
      taken[i] = true;
    }
  }
  owner->fields.items = fields;
}

void emit_activations(struct emitter *emitter, struct text *text, struct owner *owner) {
  struct arena *arena = emitter->arena;
  const char *routine = owner->routine->name;
  group_fields(emitter, owner);
  text_comment(text, arena_format(arena, "What %s computes on the way.", routine));
  text_open(text, "struct %s", owner->tag);
  for (int i = 0, end; i < owner->fields.count; i = end) {
    end = i + 1;
    while (end < owner->fields.count && same_declaration(owner->fields.items[i], owner->fields.items[end])) end++;
    print_members(emitter, text, owner->fields.items + i, end - i);
  }
  text->indentation--;
  text_line(text, "};");
  text_comment(text, "Leads them to where they lie. Values that do not live at the same time share memory.");
  emit_lead(emitter, text, owner, NULL);
}
