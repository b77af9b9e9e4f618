/* Where in the model a kernel's work stands: which function of the spec it is called after, and what a comment before its
   calls says. */
#include <string.h>

#include "passes/rewrite.h"
#include "passes/schedule.h"

static bool has_text(const char *text) { return text && text[0]; }

static bool stands_somewhere(const struct origin *origin) {
  return has_text(origin->path) || has_text(origin->function);
}

static bool is_same_text(const char *x, const char *y) { return strcmp(x ? x : "", y ? y : "") == 0; }

static bool is_same_call(const struct origin *x, const struct origin *y) {
  return is_same_text(x->function, y->function) && is_same_text(x->path, y->path);
}

/* --- What most of the work is ------------------------------------------------------------------------------------------- */

/* How many operations of a cluster stand in one call of a function. */
struct share {
  const struct value *value; /* the last of them */
  int operations;
};

struct shares {
  struct scheduler *s;
  const struct cluster *cluster;
  ARRAY(struct share) items;
};

/* Counts what is computed for `value`, where the cluster stores it: `only` leaves out its other values. */
static void count_operations(struct shares *shares, const struct value *value, bool only) {
  struct scheduler *s = shares->s;
  const struct note *note = note_of(s, value);
  if (memo_table_find(&s->scratch.told, value)) return;
  memo_table_set(&s->scratch.told, value, 1);
  for (int i = 0; i < value->input_count; i++) {
    const struct note *input = note_of(s, value->inputs[i]);
    if (input->cluster == shares->cluster ? !only : !input->place) count_operations(shares, value->inputs[i], only);
  }
  const enum op_class class = op_facts[value->op].class;
  const bool sums =
      note->cluster && shares->cluster && value->op == OP_contract && shares->cluster->values.items[0] != value;
  if (class == CLASS_VIEW || class == CLASS_LEAF || class == CLASS_STOP || class == CLASS_UPDATE || sums) return;
  if (!has_text(value->origin.function)) return;
  for (int i = 0; i < shares->items.count; i++) {
    struct share *share = &shares->items.items[i];
    if (!is_same_call(&share->value->origin, &value->origin)) continue;
    share->value = value, share->operations++;
    return;
  }
  array_push(s->arena, &shares->items, ((struct share){value, 1}));
}

/* A value of the call that has the most operations; where that of `own` has no fewer, `own`. */
static const struct value *value_of_most(const struct shares *shares, const struct value *own) {
  const struct origin *origin = &(own->op == OP_update ? own->inputs[0] : own)->origin;
  const struct share *most = NULL;
  int operations = 0;
  for (int i = 0; i < shares->items.count; i++) {
    const struct share *share = &shares->items.items[i];
    if (is_same_call(&share->value->origin, origin)) operations = share->operations;
    if (!most || share->operations > most->operations) most = share;
  }
  return most && most->operations > operations ? most->value : own;
}

const struct value *cluster_main_value(struct scheduler *s, const struct cluster *cluster) {
  struct shares shares = {.s = s, .cluster = cluster};
  memo_table_clear(&s->scratch.told);
  for (int i = 0; i < cluster->values.count; i++) count_operations(&shares, cluster->values.items[i], false);
  return value_of_most(&shares, cluster->values.items[cluster->values.count - 1]);
}

/* --- What the reader is told --------------------------------------------------------------------------------------------- */

/* The value by its path, or as the gradient of another one. */
static struct work_part part_of_value(struct scheduler *s, const struct value *value) {
  const struct origin *origin;
  const char *label = value_label(s, value, &origin);
  const size_t of = gradient_of_length(label);
  if (!of) return (struct work_part){.path = label};
  return (struct work_part){.path = arena_copy(s->arena, label, of), .is_gradient = true};
}

/* Whether it lies in memory that is called after something larger. */
static bool is_part_of_buffer(const struct scheduler *s, const struct value *value) {
  const struct place *place = note_of(s, value)->place;
  return place && place->buffer->axis_count != value->axis_count;
}

/* The nearest value with a name that is computed of this one, itself included; NULL where there is none. */
static const struct value *named_result(const struct scheduler *s, const struct value *value) {
  while (value && !value->name) value = facts_uses(&s->facts, value) ? facts_user(&s->facts, value, 0) : NULL;
  return value;
}

/* Sums for checks, which are parts of one output, belong to the call before them. */
static struct work_part main_part(struct kernel *kernel) {
  struct scheduler *s = kernel->scheduler;
  const struct origin *origin = &kernel->launch->origin;
  const struct value *value = kernel->value;
  if (!stands_somewhere(origin)) {
    const struct value *named = named_result(s, value);
    return named && !is_part_of_buffer(s, named) ? part_of_value(s, named) : (struct work_part){.path = ""};
  }
  struct work_part part = {.path = origin->path ? origin->path : "", .function = origin->function};
  const struct work_part own = value->name ? part_of_value(s, value) : (struct work_part){.path = ""};
  if (own.is_gradient) part.gradient_of = name_end(s->arena, own.path, 1);
  part.is_hidden = own.is_gradient && is_part_of_buffer(s, value);
  return part;
}

static bool is_known(const struct launch *launch, const struct work_part *part) {
  for (int i = 0; i < launch->parts.count; i++)
    if (is_same_text(launch->parts.items[i].path, part->path)) return true;
  return false;
}

/* Whether a path is that of the call, or of something in it. */
static bool is_within(const char *path, const char *call) {
  const size_t length = call ? strlen(call) : 0;
  return length && path && !strncmp(path, call, length) && (!path[length] || path[length] == '.');
}

/* The kernel of a stream computes several gradients of one call: all that it does not keep to itself are told. */
static void tell_gradients(struct kernel *kernel) {
  struct scheduler *s = kernel->scheduler;
  struct launch *launch = kernel->launch;
  launch->parts.items[0].gradient_of = NULL;
  for (int i = 0; i < kernel->cluster->values.count; i++) {
    const struct value *value = kernel->cluster->values.items[i];
    const struct place *place = note_of(s, value)->place;
    if (!value->name || !place || place->in_block) continue;
    const struct work_part own = part_of_value(s, value);
    if (!own.is_gradient) continue;
    struct work_part part = launch->parts.items[0];
    part.gradient_of = name_end(s->arena, own.path, 1);
    if (launch->parts.items[0].gradient_of)
      array_push(s->arena, &launch->parts, part);
    else
      launch->parts.items[0] = part;
  }
}

/* What the kernel stores stands in its first part or, where it was fused with that, in others. */
void kernel_tell_parts(struct kernel *kernel) {
  struct scheduler *s = kernel->scheduler;
  struct launch *launch = kernel->launch;
  const struct cluster *cluster = kernel->cluster;
  array_push(s->arena, &launch->parts, main_part(kernel));
  if (kernel->form == FORM_STREAM) tell_gradients(kernel);
  for (int i = 0; cluster && i < cluster->values.count; i++) {
    const struct value *value = cluster->values.items[i];
    struct shares shares = {.s = s, .cluster = cluster};
    memo_table_clear(&s->scratch.told);
    count_operations(&shares, value, true);
    const bool is_value = value->name && !has_text(value->origin.function);
    const struct origin *origin = is_value ? &value->origin : &value_of_most(&shares, value)->origin;
    const bool called = has_text(origin->function);
    if (value->op == OP_update || is_same_call(origin, &launch->origin) || (!called && !value->name)) continue;
    struct work_part part = {.path = origin->path ? origin->path : "", .function = origin->function};
    if (!called) part = part_of_value(s, value);
    if (!is_within(part.path, launch->origin.path) && !is_known(launch, &part))
      array_push(s->arena, &launch->parts, part);
  }
}
