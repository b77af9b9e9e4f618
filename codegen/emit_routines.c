/* Prints routines: the launches of a graph as calls, grouped under comments, and the copies of a repeat as loops. */
#include <string.h>

#include "codegen/emit.h"
#include "codegen/emit_labels.h"

/* A C function that is being printed, and what its calls turned out to need. */
struct body {
  struct emitter *emitter;
  const struct routine *routine;
  struct text *text;
  bool owners[MOST_OWNERS]; /* whether it uses each struct, by its number in the emitter */
  bool seed, sizes, step;
  ARRAY(const char *) names; /* the names of tables so far */
  struct told told;
};

/* The pointer that copy t gets: a field, the index copy + copy_step * t where that is an array of copies, and the
   offset offset + offset_step * t. */
struct pointer {
  const struct field *field;
  bool indexed;
  int64_t copy, copy_step;
  int64_t offset, offset_step;
};

/* Whether both are the same pointer, for all copies. */
static bool is_same_pointer(const struct pointer *x, const struct pointer *y) {
  return x->field == y->field && x->indexed == y->indexed && x->copy == y->copy && x->offset == y->offset &&
         !x->copy_step && !y->copy_step && !x->offset_step && !y->offset_step;
}

static const char *field_text(struct body *body, const struct field *field) {
  struct emitter *emitter = body->emitter;
  for (int i = 0; i < emitter->owners.count; i++)
    if (emitter->owners.items[i] == field->owner) body->owners[i] = true;
  return arena_format(emitter->arena, "%s%s->%s", emit_is_scalar(field) ? "&" : "", field->owner->variable,
                      field->name);
}

static struct pointer pointer_of(struct body *body, const struct launch_argument *argument) {
  const struct place_of_buffer *place = emit_place(body->emitter, argument->buffer);
  struct pointer pointer = {.field = place->field, .indexed = place->copy >= 0, .offset = argument->offset};
  if (pointer.indexed) pointer.copy = place->copy;
  return pointer;
}

static const char *pointer_text(struct body *body, const struct pointer *pointer, const struct counter *counter) {
  struct arena *arena = body->emitter->arena;
  const char *text = field_text(body, pointer->field);
  if (pointer->indexed)
    text = arena_format(arena, "%s[%s]", text,
                        emit_in_counter(arena, counter, pointer->copy, pointer->copy_step).piece.text);
  if (!pointer->offset && !pointer->offset_step) return text;
  return arena_format(arena, "%s + %s", text,
                      emit_in_counter(arena, counter, pointer->offset, pointer->offset_step).piece.text);
}

static struct c_argument number_argument(struct body *body, const struct launch_argument *argument, enum type type) {
  struct arena *arena = body->emitter->arena;
  switch (argument->number_kind) {
    case NUMBER_CONSTANT:
      if (type == TYPE_REAL)
        return (struct c_argument){.piece = c_number(body->emitter->printer, type, argument->real)};
      return emit_known_number(arena, argument->number);
    case NUMBER_SIZE:
      body->sizes = true;
      return (struct c_argument){.piece =
                                     piece_name(emit_size_name(body->emitter, body->routine, (int)argument->number))};
    case NUMBER_SEED:
      body->seed = true;
      return (struct c_argument){.piece = piece_name("seed")};
    case NUMBER_STEP:
      body->step = true;
      return (struct c_argument){.piece = piece_name("step")};
  }
  bug("no such number");
}

static struct c_argument argument_of(struct body *body, const struct launch *launch, int number) {
  static const struct counter none = {0, 1, 1};
  const struct launch_argument *argument = &launch->arguments.items[number];
  if (!argument->buffer && launch->function->parameters.items[number].array)
    return (struct c_argument){.piece = piece_name("NULL")};
  if (!argument->buffer)
    return number_argument(body, argument, launch->function->parameters.items[number].variable->type);
  const struct pointer pointer = pointer_of(body, argument);
  return (struct c_argument){.piece = piece_name(pointer_text(body, &pointer, &none))};
}

/* --- Rolled arguments --------------------------------------------------------------------------------------------------- */

static const char *table_name(struct body *body, const char *base) {
  const char *name = base;
  for (int i = 2;; i++) {
    bool taken = table_find(&body->emitter->function_names, name) != NULL;
    for (int j = 0; j < body->names.count; j++) taken = taken || !strcmp(body->names.items[j], name);
    if (!taken) break;
    name = arena_format(body->emitter->arena, "%s_%d", base, i);
  }
  array_push(body->emitter->arena, &body->names, name);
  return name;
}

/* Prints a table of what the copies get, in the order of i from its least value on, which goes before the loop. Returns
   its element for i. */
static const char *table_text(struct body *body, const struct roll *roll, struct launch *const *launches, int position,
                              int argument, const struct counter *counter) {
  struct emitter *emitter = body->emitter;
  struct arena *arena = emitter->arena;
  const struct launch *sample = roll_launch(roll, launches, position, 0);
  const struct parameter *parameter = &sample->function->parameters.items[argument];
  const char *list = "", *declaration;
  for (int i = 0; i < counter->copies; i++) {
    int copy = counter->direction > 0 ? i : counter->copies - 1 - i;
    list = emit_join(arena, list, argument_of(body, roll_launch(roll, launches, position, copy), argument).piece.text);
  }
  const char *name = table_name(
      body, arena_format(
                arena, "%s_of",
                c_identifier(emitter->printer, parameter->array ? parameter->array->name : parameter->variable->name)));
  if (parameter->array)
    declaration = arena_format(arena, "%s%s *const", parameter->array->written ? "" : "const ",
                               c_element_type(emitter->printer, parameter->array->storage));
  else
    declaration = arena_format(arena, "static const %s", c_type(emitter->printer, parameter->variable->type));
  text_line(body->text, "%s %s[] = {%s};", declaration, name, list);
  int64_t least = counter->direction > 0 ? counter->begin : counter->begin - counter->copies + 1;
  return arena_format(arena, "%s[%s]", name, emit_affine(arena, counter, 1, -least).piece.text);
}

static struct pointer regular_pointer(struct body *body, const struct roll *roll, struct launch *const *launches,
                                      int position, int argument, const struct argument_family *family) {
  int regular = family->form == FORM_EXCEPT_FIRST ? 1 : 0;
  const struct launch_argument *sample = &roll_launch(roll, launches, position, regular)->arguments.items[argument];
  struct pointer pointer = pointer_of(body, sample);
  if (family->copies && pointer.field->copies)
    pointer.indexed = true, pointer.copy = family->start, pointer.copy_step = family->slope;
  pointer.offset = family->offset_start, pointer.offset_step = family->offset_step;
  return pointer;
}

static struct c_argument rolled_argument(struct body *body, const struct roll *roll, struct launch *const *launches,
                                         int position, int argument, const struct counter *counter) {
  struct arena *arena = body->emitter->arena;
  struct argument_family family = roll_argument(launches, roll, position, argument);
  const struct launch *first = roll_launch(roll, launches, position, 0);
  bool is_pointer = first->arguments.items[argument].buffer != NULL, ascending = counter->direction > 0;
  if (family.form == FORM_TABLE)
    return (struct c_argument){.piece = piece_name(table_text(body, roll, launches, position, argument, counter))};
  if (!is_pointer)
    return family.form == FORM_SAME ? argument_of(body, first, argument)
                                    : emit_in_counter(arena, counter, family.start, family.slope);
  const struct pointer pointer = regular_pointer(body, roll, launches, position, argument, &family);
  const char *regular = pointer_text(body, &pointer, counter);
  if (family.form == FORM_SAME || family.form == FORM_AFFINE) return (struct c_argument){.piece = piece_name(regular)};
  bool except_first = family.form == FORM_EXCEPT_FIRST;
  int special = except_first ? 0 : counter->copies - 1;
  int64_t value = counter->begin + (int64_t)counter->direction * special;
  const struct pointer other =
      pointer_of(body, &roll_launch(roll, launches, position, special)->arguments.items[argument]);
  const char *otherwise = pointer_text(body, &other, counter);
  /* all copies share memory */
  if (is_same_pointer(&pointer, &other)) return (struct c_argument){.piece = piece_name(regular)};
  const char *text = arena_format(arena, "i %s %lld ? %s : %s", except_first == ascending ? ">" : "<", (long long)value,
                                  regular, otherwise);
  return (struct c_argument){.piece = {text, BINDS_CHOICE, false}};
}

/* --- Calls -------------------------------------------------------------------------------------------------------------- */

static void emit_call(struct body *body, const struct launch *launch, const struct c_argument *arguments) {
  struct emitter *emitter = body->emitter;
  struct arena *arena = emitter->arena;
  const struct function *function = launch->function;
  const struct kernel_text *kernel = &emitter->kernels.items[*pointer_table_find(&emitter->kernel_numbers, function)];
  const char *list = "", *loop = "";
  const char *timed = emitter->options.bench
                          ? arena_format(arena, "LAM_TIMED(%s) ", c_identifier(emitter->printer, function->name))
                          : "";
  for (int i = 0; i < launch->arguments.count; i++)
    if (!kernel->takes || kernel->takes[i]) list = emit_join(arena, list, arguments[i].piece.text);
  if (kernel->takes) {
    struct c_argument count = c_task_count(emitter->printer, function, arguments);
    bool is_one = count.is_number && count.number == 1;
    list = emit_join(arena, list, is_one ? "0" : emitter->printer->dialect->task);
    if (!is_one) loop = arena_format(arena, "%s ", c_task_loop(emitter->printer, count.piece.text, launch->in_order));
  }
  text_line(body->text, "%s%s%s(%s);", timed, loop, kernel->name, list);
}

static void emit_singles(struct body *body, struct launch *const *launches, int count) {
  static const struct counter none = {0, 1, 1};
  struct arena *arena = body->emitter->arena;
  struct label *labels = arena_new_array(arena, struct label, count);
  const struct roll all = {0, count, 1};
  for (int i = 0; i < count; i++) labels[i] = emit_label_of(arena, &all, launches, i, &none);
  body->told.calls = 0;
  for (int i = 0; i < count; i++) {
    const struct launch *launch = launches[i];
    struct c_argument *arguments = arena_new_array(arena, struct c_argument, launch->arguments.count);
    for (int j = 0; j < launch->arguments.count; j++) arguments[j] = argument_of(body, launch, j);
    emit_comment_call(arena, body->text, &body->told, labels, i, count);
    emit_call(body, launch, arguments);
  }
}

/* The pointer to the parameter that a turn of the loop makes steps of; NULL where it makes none. */
static const char *quantized_argument(const struct roll *roll, struct launch *const *launches,
                                      struct c_argument *const *arguments) {
  for (int position = 0; position < roll->period; position++) {
    const struct launch *launch = roll_launch(roll, launches, position, 0);
    for (int i = 0; launch->quantizes && i < launch->arguments.count; i++)
      if (launch->arguments.items[i].buffer == launch->quantizes && !launch->arguments.items[i].offset)
        return arguments[position][i].piece.text;
  }
  return NULL;
}

static void emit_loop(struct body *body, const struct roll *roll, struct launch *const *launches) {
  struct arena *arena = body->emitter->arena;
  struct counter counter = emit_choose_counter(roll, launches);
  struct c_argument **arguments = arena_new_array(arena, struct c_argument *, roll->period);
  for (int position = 0; position < roll->period; position++) {
    const struct launch *launch = roll_launch(roll, launches, position, 0);
    arguments[position] = arena_new_array(arena, struct c_argument, launch->arguments.count);
    for (int i = 0; i < launch->arguments.count; i++)
      arguments[position][i] = rolled_argument(body, roll, launches, position, i, &counter);
  }
  long long begin = counter.begin, end = counter.begin + (long long)counter.direction * counter.copies;
  if (counter.direction > 0)
    text_open(body->text, "for (int i = %lld; i < %lld; i++)", begin, end);
  else
    text_open(body->text, "for (int i = %lld; i >= %lld; i--)", begin, end + 1);
  struct label *labels = arena_new_array(arena, struct label, roll->period);
  bool goes_on = true; /* all calls are about what the comment before the loop says */
  for (int i = 0; i < roll->period; i++) {
    labels[i] = emit_label_of(arena, roll, launches, i, &counter);
    goes_on = goes_on && emit_label_continues(&labels[i], body->told.comment);
  }
  if (!goes_on) body->told.comment = NULL;
  body->told.calls = 0;
  const char *quantized = quantized_argument(roll, launches, arguments);
  if (quantized) text_line(body->text, "if (!%s) continue;", quantized);
  for (int position = 0; position < roll->period; position++) {
    emit_comment_call(arena, body->text, &body->told, labels, position, roll->period);
    emit_call(body, roll_launch(roll, launches, position, 0), arguments[position]);
  }
  if (!goes_on) body->told.comment = NULL;
  text_close(body->text);
}

static void emit_launches(struct body *body, struct launch *const *launches, int count) {
  struct rolls rolls = roll_launches(body->emitter->arena, launches, count);
  for (int i = 0; i < rolls.items.count;) {
    const struct roll *roll = &rolls.items.items[i++];
    if (roll->copies > 1) {
      emit_loop(body, roll, launches);
      continue;
    }
    int singles = roll->period;
    for (; i < rolls.items.count && rolls.items.items[i].copies == 1; i++) singles += rolls.items.items[i].period;
    emit_singles(body, launches + roll->first, singles);
  }
}

/* Whether a roll of all launches has a turn for each parameter that they make steps of. */
static bool has_turn_for_each(const struct rolls *rolls, struct launch *const *launches, int count) {
  const struct roll *roll = &rolls->items.items[0];
  if (rolls->items.count != 1 || roll->copies < 2) return false;
  bool read = false;
  for (int i = 0; i < count; i++) {
    const bool begins = i % roll->period == 0;
    if (i > 0 && (launches[i]->quantizes != launches[i - 1]->quantizes) != begins) return false;
  }
  for (int i = 0; i < roll->period; i++)
    for (int j = 0; j < launches[i]->arguments.count; j++)
      read = read || (launches[i]->arguments.items[j].buffer == launches[i]->quantizes &&
                      !launches[i]->arguments.items[j].offset);
  return read;
}

/* The steps of those parameters that are in memory: the pointers of the others are NULL. */
static void emit_quantizing(struct body *body, struct launch *const *launches, int count) {
  struct arena *arena = body->emitter->arena;
  for (int first = 0, end; first < count; first = end) {
    const struct buffer *buffer = launches[first]->quantizes;
    for (end = first;
         end < count && launches[end]->quantizes->copy >= 0 && !strcmp(launches[end]->quantizes->name, buffer->name);)
      end++;
    const struct rolls rolls = roll_launches(arena, launches + first, end - first);
    if (end > first && has_turn_for_each(&rolls, launches + first, end - first)) {
      emit_loop(body, &rolls.items.items[0], launches + first);
      continue;
    }
    for (end = first; end < count && launches[end]->quantizes == buffer;) end++;
    const struct launch_argument parameter = {.buffer = (struct buffer *)(uintptr_t)buffer};
    const struct pointer pointer = pointer_of(body, &parameter);
    static const struct counter none = {0, 1, 1};
    text_open(body->text, "if (%s)", pointer_text(body, &pointer, &none));
    body->told.comment = NULL;
    emit_launches(body, launches + first, end - first);
    body->told.comment = NULL;
    text_close(body->text);
  }
}

/* --- Phases ------------------------------------------------------------------------------------------------------------- */

static bool writes(const struct launch *launch, bool (*wanted)(const struct buffer *buffer)) {
  for (int i = 0; i < launch->arguments.count; i++) {
    const struct parameter *parameter = &launch->function->parameters.items[i];
    const struct buffer *buffer = launch->arguments.items[i].buffer;
    if (buffer && parameter->array && parameter->array->written && wanted(buffer)) return true;
  }
  return false;
}

static bool is_loss(const struct buffer *buffer) {
  return buffer->role == BUFFER_OUTPUT && buffer->output_role != OUTPUT_ORDINARY;
}

static bool is_learned(const struct buffer *buffer) {
  return buffer->role == BUFFER_STATE &&
         (buffer->state->role == ROLE_PARAMETER || buffer->state->role == ROLE_OPTIMIZER);
}

struct phase {
  const char *name, *comment; /* name is NULL where the routine has one phase alone */
  int first, count;
};

/* A long routine is easier to read in parts: up to the loss, up to the first change of a parameter or of the
   optimizer's state, and the rest. */
enum { LONG_ROUTINE = 40, SHORT_PHASE = 3 };

static int find_phases(const struct emitter *emitter, const struct routine *routine, struct phase phases[3]) {
  int count = routine->launches.count, loss = 0, update = 0;
  const int steps = routine->number != ROUTINE_derive ? 0 : emit_quantizing_launches(emitter);
  if (steps) {
    phases[0] = (struct phase){"quantize", NULL, 0, steps};
    phases[1] = (struct phase){NULL, NULL, steps, count - steps};
    return 2;
  }
  while (loss < count && !writes(routine->launches.items[loss], is_loss)) loss++;
  while (update < count && !writes(routine->launches.items[update], is_learned)) update++;
  loss = loss < count ? loss + 1 : 0;
  if (loss >= update || loss < SHORT_PHASE || count < LONG_ROUTINE || !emit_is_training(routine)) loss = 0;
  if (count < LONG_ROUTINE || update >= count || update < SHORT_PHASE) update = count;
  int phase_count = 0;
  if (!loss && update == count) {
    phases[phase_count++] = (struct phase){NULL, NULL, 0, count};
    return phase_count;
  }
  if (loss) phases[phase_count++] = (struct phase){"forward", "From the inputs to the loss.", 0, loss};
  if (loss < update)
    phases[phase_count++] =
        loss ? (struct phase){"backward", "From the loss back to the gradients of the parameters.", loss, update - loss}
             : (struct phase){"gradients", "From the inputs to the loss, and back to the gradients.", 0, update};
  if (update < count)
    phases[phase_count++] = (struct phase){"update", "One step of the optimizer.", update, count - update};
  return phase_count;
}

void emit_name_copies(struct emitter *emitter) {
  for (int i = 0; i < emitter->module->routines.count; i++) {
    const struct routine *routine = emitter->module->routines.items[i];
    struct phase phases[3];
    int count = find_phases(emitter, routine, phases);
    for (int j = 0; j < count; j++)
      roll_name_copies(emitter->arena, emitter->module, routine->launches.items + phases[j].first, phases[j].count);
  }
}

/* Declares the pointers that the calls use. */
static void emit_locals(struct body *body, struct text *text, bool places) {
  struct emitter *emitter = body->emitter;
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    if (!body->owners[i]) continue;
    if (owner->kind != OWNER_ACTIVATIONS)
      text_line(text, "%sstruct %s *%s = &m->%s;", owner->kind == OWNER_STATES ? "const " : "", owner->tag,
                owner->variable, owner->member);
    else if (places)
      emit_place_activations(text, owner);
  }
}

static const char *size_list(const struct emitter *emitter, const struct routine *routine, bool types) {
  const char *list = "";
  for (int i = 0; routine->graph && i < routine->graph->sizes.count; i++) {
    const char *name = emit_size_name(emitter, routine, i);
    list = emit_join(emitter->arena, list, types ? arena_format(emitter->arena, "int64_t %s", name) : name);
  }
  return list;
}

static const char *phase_call(struct body *body, bool types) {
  struct emitter *emitter = body->emitter;
  const struct owner *activations = emit_owner(emitter, OWNER_ACTIVATIONS, body->routine);
  bool memory = false, local = false;
  for (int i = 0; i < emitter->owners.count; i++)
    if (body->owners[i]) *(emitter->owners.items[i]->kind == OWNER_ACTIVATIONS ? &local : &memory) = true;
  const char *list = "";
  if (memory) list = types ? arena_format(emitter->arena, "struct %s *m", emitter->name) : "m";
  if (local)
    list = emit_join(emitter->arena, list,
                     types ? arena_format(emitter->arena, "const struct %s *a", activations->tag) : "a");
  if (body->seed) list = emit_join(emitter->arena, list, types ? "uint32_t seed" : "seed");
  if (body->step) list = emit_join(emitter->arena, list, types ? "int64_t step" : "step");
  if (body->sizes) list = emit_join(emitter->arena, list, size_list(emitter, body->routine, types));
  return list[0] ? list : types ? "void" : "";
}

static struct body body_of_phase(struct emitter *emitter, const struct routine *routine, const struct phase *phase) {
  struct body body = {.emitter = emitter, .routine = routine, .text = text_new(emitter->arena)};
  body.text->indentation = 1;
  if (phase->count && routine->launches.items[phase->first]->quantizes)
    emit_quantizing(&body, routine->launches.items + phase->first, phase->count);
  else
    emit_launches(&body, routine->launches.items + phase->first, phase->count);
  return body;
}

/* Prints NAME_quantize, which derive calls, and the library for one parameter after the other. */
static void emit_quantize(struct body *body, struct text *text) {
  const char *name = body->emitter->name;
  text_comment(text, "Steps and scales of those parameters that are in memory: pointers to the others are NULL.");
  text_open(text, "static void %s_quantize(void *self)", name);
  text_line(text, "struct %s *m = self;", name);
  emit_locals(body, text, true);
  text_raw(text, text_string(body->text));
  text_line(text, "m->quantized_version = m->version;");
  text_close(text);
  text_blank(text);
}

/* derive: first the steps, where they are out of date, then what is made of them and of other parameters. */
static void emit_derive(struct emitter *emitter, struct text *text, const struct routine *routine,
                        const struct phase phases[2]) {
  const char *name = emitter->name;
  struct body steps = body_of_phase(emitter, routine, &phases[0]), rest = body_of_phase(emitter, routine, &phases[1]);
  emit_quantize(&steps, text);
  text_open(text, "int %s_derive(%s)", name, emit_signature(emitter, routine));
  text_line(text, "if (m->quantized_version != m->version) %s_quantize(m);", name);
  emit_locals(&rest, text, true);
  text_line(text, "m->derived_version = m->version;");
  text_raw(text, text_string(rest.text));
  text_line(text, "return %s_OK;", emit_upper_name(emitter));
  text_close(text);
  text_blank(text);
}

/* How many rows a step of generation computes: its argument, or the window's fixed extent. */
static const char *rows_of_step(struct emitter *emitter, const struct routine *routine) {
  for (int i = 0; routine->graph && i < routine->graph->sizes.count; i++)
    if (routine->graph->sizes.items[i]->role == SIZE_WINDOW) return emit_size_name(emitter, routine, i);
  const struct buffer *feed = emit_input(routine, emitter->program->generation->feed);
  return arena_format(emitter->arena, "%lld", feed ? (long long)feed->axes[feed->axis_count - 1]->extent : 1ll);
}

/* Weights are pruned before the steps of training that the pipeline names, and before they are used. */
static void emit_prune_call(const struct emitter *emitter, struct text *text, const struct routine *routine) {
  const struct program *program = emitter->program;
  const int number = routine->number;
  if (!emit_routine_find(emitter, ROUTINE_prune)) return;
  if (number == ROUTINE_prune || number == ROUTINE_derive || number == ROUTINE_synthesize) return;
  if (!emit_is_training(routine)) {
    text_line(text, "if (m->pruned <= 0) %s_prune(m, -m->pruned);", emitter->name);
    return;
  }
  for (int i = 0; i < program->prunings.count; i++) {
    const struct pruning *own = &program->prunings.items[i];
    const long long begin = own->begin, end = own->end, every = own->every;
    const char *named =
        begin == end ? arena_format(emitter->arena, "step == %lld", end)
                     : arena_format(emitter->arena, "step == %lld || (step < %lld && (step - %lld) %% %lld == 0)", end,
                                    end, begin, every);
    text_line(text, "if (step >= %lld && m->pruned != step + 1 && (m->pruned <= 0 || %s)) %s_prune(m, step);", begin,
              named, emitter->name);
  }
}

void emit_routine(struct emitter *emitter, struct text *text, const struct routine *routine) {
  struct phase phases[3];
  struct body bodies[3], whole = {.emitter = emitter, .routine = routine};
  const char *name = arena_format(emitter->arena, "%s_%s", emitter->name, routine->name);
  const struct routine_parameters parameters = emit_parameters(emitter, routine);
  int count = find_phases(emitter, routine, phases);
  if (phases[0].count && routine->launches.items[phases[0].first]->quantizes) {
    emit_derive(emitter, text, routine, phases);
    return;
  }
  for (int i = 0; i < count; i++) {
    bodies[i] = body_of_phase(emitter, routine, &phases[i]);
    whole.step = whole.step || bodies[i].step;
    if (!phases[i].name) continue;
    text_comment(text, phases[i].comment);
    text_open(text, "static void %s_%s(%s)", name, phases[i].name, phase_call(&bodies[i], true));
    emit_locals(&bodies[i], text, false);
    text_raw(text, text_string(bodies[i].text));
    text_close(text);
    text_blank(text);
  }
  text_open(text, "int %s(%s)", name, emit_signature(emitter, routine));
  emit_argument_checks(emitter, text, routine);
  emit_prune_call(emitter, text, routine);
  if (emit_reads_derived(emitter, routine))
    text_line(text, "if (m->derived_version != m->version) %s_derive(m);", emitter->name);
  if (!phases[0].name) {
    emit_locals(&bodies[0], text, true);
  } else {
    const struct owner *activations = emit_owner(emitter, OWNER_ACTIVATIONS, routine);
    if (activations) emit_place_activations(text, activations);
  }
  if (!routine->launches.count && !parameters.sizes && !parameters.step) text_line(text, "(void)m;");
  const struct buffer *step = emit_run_input(routine, RUN_STEP);
  const char *port =
      step ? arena_format(emitter->arena, "m->%s.%s", routine->name, emit_place(emitter, step)->field->name) : "";
  const char *real = c_type(emitter->printer, TYPE_REAL);
  if (parameters.step && step) text_line(text, "%s = (%s)step;", port, real);
  if (routine->number == ROUTINE_train)
    text_line(text, "m->trained = step;");
  else if (routine->number == ROUTINE_accumulate)
    text_line(text, "m->accumulated = step;");
  else if (routine->number == ROUTINE_prune)
    text_line(text, "m->pruned = step + 1;");
  else if (parameters.step && !step && !whole.step)
    text_line(text, "(void)step;");
  if (whole.step && !parameters.step)
    text_line(text, "const int64_t step = %s;", step ? arena_format(emitter->arena, "(int64_t)%s", port) : "0");
  if (emit_derives(emitter) && emit_changes_parameters(routine)) text_line(text, "m->version++;");
  if (routine->number == ROUTINE_derive) text_line(text, "m->derived_version = m->version;");
  if (routine->number == ROUTINE_step) text_line(text, "m->stepped = %s;", rows_of_step(emitter, routine));
  for (int i = 0; i < count; i++) {
    if (phases[i].name)
      text_line(text, "%s_%s(%s);", name, phases[i].name, phase_call(&bodies[i], false));
    else
      text_raw(text, text_string(bodies[i].text));
  }
  text_line(text, "return %s_OK;", emit_upper_name(emitter));
  text_close(text);
  text_blank(text);
}
