/* What the functions of routines take, and what they refuse. */
#include <string.h>

#include "codegen/emit.h"

const char *emit_join(struct arena *arena, const char *list, const char *item) {
  return list[0] ? arena_format(arena, "%s, %s", list, item) : item;
}

const char *emit_size_name(const struct emitter *emitter, const struct routine *routine, int number) {
  const struct graph *graph = routine->graph;
  const struct size *size = graph && number < graph->sizes.count ? graph->sizes.items[number] : NULL;
  if (size && size->role == SIZE_WINDOW) return "rows";
  if (size && size->role == SIZE_PAST) return "past";
  return arena_format(emitter->arena, "size_%d", number);
}

const struct routine *emit_routine_find(const struct emitter *emitter, int number) {
  for (int i = 0; i < emitter->module->routines.count; i++)
    if (emitter->module->routines.items[i]->number == number) return emitter->module->routines.items[i];
  return NULL;
}

static const struct buffer *find_port(struct buffer *const *ports, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (!strcmp(ports[i]->label, name)) return ports[i];
  return NULL;
}

const struct buffer *emit_input(const struct routine *routine, const char *name) {
  return find_port(routine->inputs.items, routine->inputs.count, name);
}

const struct buffer *emit_run_input(const struct routine *routine, enum run_input which) {
  for (int i = 0; i < routine->inputs.count; i++)
    if (routine->inputs.items[i]->run_input == which) return routine->inputs.items[i];
  return NULL;
}

const struct buffer *emit_output(const struct routine *routine, const char *name) {
  return find_port(routine->outputs.items, routine->outputs.count, name);
}

bool emit_is_training(const struct routine *routine) {
  return routine->number == ROUTINE_train || routine->number == ROUTINE_accumulate;
}

/* Whether the caller says which step, or batch, it is. */
static bool takes_step(const struct routine *routine) {
  return emit_is_training(routine) || routine->number == ROUTINE_calibrate || routine->number == ROUTINE_prune;
}

bool emit_derives(const struct emitter *emitter) { return emit_routine_find(emitter, ROUTINE_derive) != NULL; }

/* Whether a launch takes a state of the role, to read or to write it. */
static bool takes_state(const struct routine *routine, enum role role, bool written) {
  for (int i = 0; i < routine->launches.count; i++) {
    const struct launch *launch = routine->launches.items[i];
    for (int j = 0; j < launch->arguments.count; j++) {
      const struct buffer *buffer = launch->arguments.items[j].buffer;
      if (buffer && buffer->role == BUFFER_STATE && buffer->state->role == role &&
          launch->function->parameters.items[j].array->written == written)
        return true;
    }
  }
  return false;
}

bool emit_reads_derived(const struct emitter *emitter, const struct routine *routine) {
  if (!emit_derives(emitter) || routine->number == ROUTINE_derive) return false;
  const bool quantized = !emitter->options.weights && takes_state(routine, ROLE_QUANTIZED, false);
  return quantized || takes_state(routine, ROLE_DERIVED, false);
}

bool emit_changes_parameters(const struct routine *routine) {
  return takes_state(routine, ROLE_PARAMETER, true) || takes_state(routine, ROLE_AVERAGE, true) ||
         takes_state(routine, ROLE_STATISTIC, true);
}

static bool draws(const struct routine *routine) {
  for (int i = 0; i < routine->launches.count; i++)
    for (int j = 0; j < routine->launches.items[i]->arguments.count; j++) {
      const struct launch_argument *argument = &routine->launches.items[i]->arguments.items[j];
      if (!argument->buffer && argument->number_kind == NUMBER_SEED) return true;
    }
  return false;
}

int64_t emit_range(const struct routine *routine, const struct buffer *buffer) {
  if (!routine->graph || buffer->role != BUFFER_INPUT) return 0;
  for (int i = 0; i < routine->graph->values.count; i++) {
    const struct value *value = routine->graph->values.items[i];
    if (value->op == OP_input && value->name && buffer->label && !strcmp(value->name, buffer->label))
      return value->range ? value->range->extent : 0;
  }
  return 0;
}

struct routine_parameters emit_parameters(const struct emitter *emitter, const struct routine *routine) {
  const int sizes = routine->graph ? routine->graph->sizes.count : 0;
  const char **names = arena_new_array(emitter->arena, const char *, sizes > 0 ? sizes : 1);
  for (int i = 0; i < sizes; i++) names[i] = emit_size_name(emitter, routine, i);
  return (struct routine_parameters){takes_step(routine), draws(routine), sizes, names};
}

const char *emit_signature(const struct emitter *emitter, const struct routine *routine) {
  const struct routine_parameters parameters = emit_parameters(emitter, routine);
  const char *list = arena_format(emitter->arena, "struct %s *m", emitter->name);
  if (parameters.step) list = emit_join(emitter->arena, list, "int64_t step");
  if (parameters.seed) list = emit_join(emitter->arena, list, "uint32_t seed");
  for (int i = 0; i < parameters.sizes; i++)
    list = arena_format(emitter->arena, "%s, int64_t %s", list, parameters.size_names[i]);
  return list;
}

const char *emit_summary(const struct emitter *emitter, const struct routine *routine) {
  const struct routine_parameters parameters = emit_parameters(emitter, routine);
  const struct prediction *prediction = program_prediction(emitter->program, routine->number);
  const char *summary = prediction ? arena_format(emitter->arena, "The model's outputs for a batch of %lld.",
                                                  (long long)prediction->batch)
                                   : routine_facts[routine->number].summary;
  if (routine->number == ROUTINE_prune)
    summary =
        arena_format(emitter->arena, "%s `step`: that of training which comes next; 0 for as much as ever.", summary);
  else if (parameters.step)
    summary =
        arena_format(emitter->arena, "%s `step` counts from 1%s.", summary,
                     emit_run_input(routine, RUN_STEPS) ? ", and the input `steps` is how many there will be" : "");
  for (int i = 0; i < parameters.sizes; i++) {
    const bool window = routine->graph->sizes.items[i]->role == SIZE_WINDOW;
    summary = arena_format(emitter->arena, "%s `%s`: %s.", summary, parameters.size_names[i],
                           window ? "positions in this window" : "positions so far, these included");
  }
  if (parameters.seed) summary = arena_format(emitter->arena, "%s `seed` keys what is drawn.", summary);
  return summary;
}

/* Returns from the routine with a message where the condition holds. */
static void refuse(const struct emitter *emitter, struct text *text, const char *condition, const char *message) {
  const char *test = arena_format(emitter->arena, "if (%s)", condition),
             *refusal = arena_format(emitter->arena, "return %s_refuse(m, \"%s\");", emitter->name, message);
  if ((size_t)text->indentation * 2 + strlen(test) + 1 + strlen(refusal) <= TEXT_COLUMNS) {
    text_line(text, "%s %s", test, refusal);
    return;
  }
  text_line(text, "%s", test);
  text->indentation++;
  text_line(text, "%s", refusal);
  text->indentation--;
}

/* Integers of an input choose rows of tables, and positions rows of caches; they must be less than this, or 0 for any. */
static int64_t limit_of_ids(const struct routine *routine, const struct buffer *input) {
  int64_t range = emit_range(routine, input);
  for (int i = 0; !range && routine->graph && i < routine->graph->sizes.count; i++)
    if (routine->graph->sizes.items[i]->role == SIZE_PAST && input->run_input == RUN_POSITION)
      range = routine->graph->sizes.items[i]->bound;
  return range;
}

static bool checks_ids(const struct routine *routine, int input) {
  const struct buffer *buffer = routine->inputs.items[input];
  return buffer->type == TYPE_INTEGER && buffer->axis_count && limit_of_ids(routine, buffer);
}

void emit_check_functions(struct emitter *emitter, struct text *text) {
  bool ids = false, numbers = false;
  for (int i = 0; i < emitter->module->routines.count; i++) {
    const struct routine *routine = emitter->module->routines.items[i];
    numbers = numbers || emit_parameters(emitter, routine).step || (routine->graph && routine->graph->sizes.count);
    for (int j = 0; j < routine->inputs.count; j++) ids = ids || checks_ids(routine, j);
  }
  if (!ids && !numbers) return;
  text_open(text, "static int %s_refuse(struct %s *m, const char *why)", emitter->name, emitter->name);
  text_line(text, "m->message = why;");
  text_line(text, "return %s_WRONG_ARGUMENT;", emit_upper_name(emitter));
  text_close(text);
  text_blank(text);
  if (!ids) return;
  text_comment(text, "Whether the first `length` of each `stride` integers are ids from 0 to range - 1.");
  text_open(text,
            "static int %s_ids_fit(const int32_t *ids, int64_t count, int64_t length, int64_t stride, int64_t range)",
            emitter->name);
  text_line(text, "int fit = 1;");
  text_line(text, "for (int64_t i = 0; i < count; i += stride)");
  text->indentation++;
  text_line(text, "for (int64_t k = i; k < i + length; k++) fit &= ids[k] >= 0 && ids[k] < range;");
  text->indentation--;
  text_line(text, "return fit;");
  text_close(text);
  text_blank(text);
}

static void check_ids(const struct emitter *emitter, struct text *text, const struct routine *routine,
                      const struct buffer *input) {
  struct arena *arena = emitter->arena;
  const int64_t range = limit_of_ids(routine, input);
  const char *length = NULL;
  int64_t stride = 1;
  for (int i = 0; i < input->axis_count; i++) {
    const struct axis *axis = input->axes[i];
    if (axis->size && i + 1 < input->axis_count) bug("the input %s has a run-time size within", input->label);
    if (axis->size) length = emit_size_name(emitter, routine, axis->size->index), stride = axis->extent;
  }
  if (!length) length = arena_format(arena, "%lld", (long long)(stride = input->count));
  const char *field = emit_place(emitter, input)->field->name;
  refuse(emitter, text,
         arena_format(arena, "!%s_ids_fit(m->%s.%s, %lld, %s, %lld, %lld)", emitter->name, routine->name, field,
                      (long long)input->count, length, (long long)stride, (long long)range),
         arena_format(arena, "%s_%s: %s must be from 0 to %lld", emitter->name, routine->name, input->label,
                      (long long)range - 1));
}

/* What would make the kernels read or write where nothing is, or the optimizer divide by zero. */
void emit_argument_checks(const struct emitter *emitter, struct text *text, const struct routine *routine) {
  struct arena *arena = emitter->arena;
  const char *name = arena_format(arena, "%s_%s", emitter->name, routine->name);
  const struct graph *graph = routine->graph;
  if (takes_step(routine) && routine->number != ROUTINE_prune) /* weight files hold numbers of steps up to this one */
    refuse(emitter, text, "step < 1 || step > UINT32_MAX", arena_format(arena, "%s: step counts from 1", name));
  if (routine->number == ROUTINE_prune)
    refuse(emitter, text, "step < 0 || step > UINT32_MAX", arena_format(arena, "%s: step counts from 0", name));
  for (int i = 0; graph && i < graph->sizes.count; i++) {
    const struct size *size = graph->sizes.items[i];
    const char *own = emit_size_name(emitter, routine, i),
               *least = size->role == SIZE_PAST && i > 0 ? emit_size_name(emitter, routine, 0) : "1";
    refuse(emitter, text, arena_format(arena, "%s < %s || %s > %lld", own, least, own, (long long)size->bound),
           arena_format(arena, "%s: %s must be from %s to %lld", name, own, least, (long long)size->bound));
  }
  for (int i = 0; i < routine->inputs.count; i++)
    if (checks_ids(routine, i)) check_ids(emitter, text, routine, routine->inputs.items[i]);
}
