/* The functions of a model that need the library which models share (lamella.c): weights, tensors by name, text. */
#include <string.h>

#include "codegen/emit.h"
#include "codegen/emit_text.h"

static const char *const role_names_c[] = {"LAM_PARAMETER", "LAM_OPTIMIZER", "LAM_ACCUMULATOR",
                                           "LAM_AVERAGE",   "LAM_CACHE",     "LAM_PREPARED"};
static const char *const role_macros[] = {"PARAMETER", "OPTIMIZER", "ACCUMULATOR", "AVERAGE", "CACHE", "PREPARED"};
static const char *const initial_names_c[] = {"LAM_CONSTANT", "LAM_NORMAL", "LAM_UNIFORM"};

static bool has_states(struct emitter *emitter) {
  return emit_state_bytes(emitter) > 0 || emit_baked_bytes(emitter) > 0;
}

/* Whether weights come from files. */
static bool has_files(struct emitter *emitter) { return has_states(emitter) && !emitter->options.weights; }

static enum tokenizer tokenizer_of(const struct program *program) {
  return program->data ? program->data->tokenizer : TOKENIZER_NONE;
}

/* --- Tensors ------------------------------------------------------------------------------------------------------------ */

static const struct state *member_state(const struct field *field, int copy) {
  return field->members[copy] ? field->members[copy]->state : NULL;
}

static bool alike(const struct state *x, const struct state *y) {
  if (x->kind != y->kind || x->axis_count != y->axis_count || x->initial != y->initial || x->low != y->low ||
      x->high != y->high || x->frozen != y->frozen)
    return false;
  for (int i = 0; i < x->axis_count; i++)
    if (x->axes[i]->extent != y->axes[i]->extent || strcmp(x->axes[i]->name, y->axes[i]->name) != 0) return false;
  return true;
}

/* "h.%d.attn.weight" where all copies are named so; else NULL. */
static const char *family_name(struct arena *arena, const struct field *field) {
  const struct state *first = member_state(field, 0);
  if (!first || strchr(first->name, '%')) return NULL;
  for (const char *at = first->name; (at = strchr(at, '0')) != NULL; at++) {
    bool starts = at == first->name || at[-1] == '.', ends = !at[1] || at[1] == '.';
    if (!starts || !ends) continue;
    int length = (int)(at - first->name), copy = 1;
    for (; copy < field->copies; copy++) {
      const struct state *state = member_state(field, copy);
      if (!state || !alike(first, state) ||
          strcmp(state->name, arena_format(arena, "%.*s%d%s", length, first->name, copy, at + 1)) != 0)
        break;
    }
    if (copy == field->copies) return arena_format(arena, "%.*s%%d%s", length, first->name, at + 1);
  }
  return NULL;
}

static void family_row(struct emitter *emitter, struct rows *rows, const struct field *field, const char *name,
                       const struct state *state, int copies, const char *element) {
  struct arena *arena = emitter->arena;
  if (hash_path(state->name) != state->stream) bug("%s does not draw from the stream of its name", state->name);
  const char *rest = "";
  if (state->kind != KIND_REAL) rest = arena_format(arena, "%s, .type = %s", rest, c_kind_constants[state->kind]);
  if (state->initial != INITIAL_CONSTANT)
    rest = arena_format(arena, "%s, .initial = %s", rest, initial_names_c[state->initial]);
  if (state->low != 0) rest = arena_format(arena, "%s, .low = %s", rest, c_double(arena, state->low));
  if (state->high != 0) rest = arena_format(arena, "%s, .high = %s", rest, c_double(arena, state->high));
  if (state->frozen) rest = arena_format(arena, "%s, .frozen = 1", rest);
  rows_add(rows,
           arena_format(arena, "{%d, %s(%s%s), {%s, %s, .shape = %s%s}},", copies, role_macros[state->role],
                        field->name, element, c_string(arena, name), c_axes(arena, state->axes, state->axis_count),
                        c_shape(arena, state->name, state->axes, state->axis_count), rest));
}

/* The table of tensors, how many there are, and how many bytes their names take. */
static void emit_families(struct emitter *emitter, struct text *text) {
  struct arena *arena = emitter->arena;
  int tensors = 0;
  size_t name_bytes = 0;
  text_comment(text, "Tensors that outlive a step; %d stands for the copy's number.");
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    if (owner->kind != OWNER_STATES) continue;
    text_raw(text, arena_format(arena, "#define %s(member) %s, offsetof(struct %s, %s.member)\n",
                                role_macros[owner->role], role_names_c[owner->role], emitter->name, owner->member));
  }
  text_open(text, "static const struct lam_family families[] =");
  struct rows rows = {.text = text};
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    for (int j = 0; j < owner->fields.count && owner->kind == OWNER_STATES; j++) {
      const struct field *field = owner->fields.items[j];
      const char *name = field->copies ? family_name(arena, field) : NULL;
      if (name) {
        family_row(emitter, &rows, field, name, member_state(field, 0), field->copies, "");
        tensors += field->copies;
        for (int copy = 0; copy < field->copies; copy++) name_bytes += strlen(member_state(field, copy)->name) + 1;
        continue;
      }
      for (int copy = 0; copy == 0 || copy < field->copies; copy++) {
        const struct state *state = member_state(field, copy);
        if (!state) continue;
        family_row(emitter, &rows, field, state->name, state, 0,
                   field->copies ? arena_format(arena, "[%d]", copy) : "");
        tensors++;
        name_bytes += strlen(state->name) + 1;
      }
    }
  }
  rows_end(&rows);
  text->indentation--;
  text_line(text, "};");
  text_line(text, "enum { FAMILIES = sizeof families / sizeof *families, TENSORS = %d, NAME_BYTES = %zu };", tensors,
            name_bytes);
  text_blank(text);
}

/* --- Ports -------------------------------------------------------------------------------------------------------------- */

static void port_row(struct emitter *emitter, struct rows *rows, const struct routine *routine,
                     const struct buffer *buffer) {
  struct arena *arena = emitter->arena;
  const char *name = c_string(arena, buffer->label), *axes = c_axes(arena, buffer->axes, buffer->axis_count);
  const char *shape = c_shape(arena, buffer->label, buffer->axes, buffer->axis_count), *rest = "";
  long long range = (long long)emit_range(routine, buffer);
  rest = arena_format(arena, ".rank = %d, ", buffer->axis_count);
  if (buffer->axis_count) rest = arena_format(arena, "%s.shape = %s, ", rest, shape);
  if (range) rest = arena_format(arena, "%s.range = %lld, ", rest, range);
  if (buffer->role == BUFFER_OUTPUT) rest = arena_format(arena, "%s.is_output = 1, ", rest);
  rows_add(rows, arena_format(arena, "{PORT(%s, %s), %s, %s, %s, %.*s},", routine->name,
                              emit_place(emitter, buffer)->field->name, name, axes, c_type_constant(buffer->type),
                              (int)strlen(rest) - 2, rest));
}

/* By routine, the inputs of each before its outputs; returns how many. */
static int emit_ports(struct emitter *emitter, struct text *text) {
  int count = 0;
  for (int i = 0; i < emitter->module->routines.count; i++)
    count += emitter->module->routines.items[i]->inputs.count + emitter->module->routines.items[i]->outputs.count;
  if (!count) return 0;
  text_comment(text, "Inputs and outputs of the routines.");
  text_raw(text,
           arena_format(emitter->arena, "#define PORT(routine, member) #routine, offsetof(struct %s, routine.member)\n",
                        emitter->name));
  text_open(text, "static const struct lam_port ports[] =");
  struct rows rows = {.text = text};
  for (int i = 0; i < emitter->module->routines.count; i++) {
    const struct routine *routine = emitter->module->routines.items[i];
    for (int j = 0; j < routine->inputs.count; j++) port_row(emitter, &rows, routine, routine->inputs.items[j]);
    for (int j = 0; j < routine->outputs.count; j++) port_row(emitter, &rows, routine, routine->outputs.items[j]);
  }
  rows_end(&rows);
  text->indentation--;
  text_line(text, "};");
  text_blank(text);
  return count;
}

/* --- Functions ---------------------------------------------------------------------------------------------------------- */

/* What a call of the library left is the model's message. */
static void emit_told(struct emitter *emitter, struct text *text) {
  text_open(text, "static int %s_told(struct %s *m, int status)", emitter->name, emitter->name);
  text_line(text, "struct lam_model *model = m->library;");
  text_line(text, "if (status != LAM_OK) m->message = model->message;");
  text_line(text, "return status;");
  text_close(text);
  text_blank(text);
}

/* A function of one call. */
static void emit_wrapper(struct emitter *emitter, struct text *text, const char *signature, const char *call) {
  text_open(text, "int %s_%s", emitter->name, signature);
  text_line(text, "return %s_told(m, %s);", emitter->name, call);
  text_close(text);
  text_blank(text);
}

/* What the data taught that the weights were trained with. */
static void emit_facts(struct emitter *emitter, struct text *text) {
  const struct baked_weights *weights = emitter->options.weights;
  if (!weights) return;
  if (weights->fact_count) text_open(text, "static struct lam_pair fact_list[] =");
  for (int i = 0; i < weights->fact_count; i++) {
    const struct baked_fact *fact = &weights->facts[i];
    text_line(text, "{%s, %s, %zu},", c_string(emitter->arena, fact->key),
              c_bytes(emitter->arena, fact->value, fact->length), fact->length);
  }
  if (weights->fact_count) text->indentation--, text_line(text, "};");
  text_line(text, "static const struct lam_pairs facts = {%s, %d, 0};", weights->fact_count ? "fact_list" : "NULL",
            weights->fact_count);
  text_blank(text);
}

static void emit_open_library(struct emitter *emitter, struct text *text, int ports) {
  const char *name = emitter->name;
  const enum tokenizer tokenizer = tokenizer_of(emitter->program);
  text_open(text, "struct %s_library", name);
  text_line(text, "struct lam_model model;");
  if (has_states(emitter)) text_line(text, "struct lam_tensor tensors[TENSORS];");
  if (has_states(emitter)) text_line(text, "char names[NAME_BYTES];");
  text->indentation--;
  text_line(text, "};");
  text_line(text, "#define LIBRARY_BYTES ((sizeof(struct %s_library) + 63) / 64 * 64)", name);
  text_blank(text);
  text_open(text, "static void %s_open_library(struct %s *m)", name, name);
  text_line(text, "struct %s_library *library = m->library;", name);
  text_line(text, "library->model.name = %s;",
            c_string(emitter->arena, emitter->program->model ? emitter->program->model : emitter->program->name));
  text_line(text, "library->model.self = m;");
  if (ports) {
    text_line(text, "library->model.ports = ports;");
    text_line(text, "library->model.port_count = %d;", ports);
  }
  if (has_states(emitter)) {
    text_line(text, "library->model.tensors = library->tensors;");
    text_line(text, "library->model.tensor_count = TENSORS;");
    text_line(text, "lam_list_tensors(families, FAMILIES, m, library->tensors, library->names);");
  }
  if (emitter->options.weights) text_line(text, "library->model.facts = &facts;");
  if (tokenizer != TOKENIZER_NONE)
    text_line(text, "library->model.vocabulary.tokenizer = &lam_%s_tokenizer;",
              tokenizer == TOKENIZER_CHAR ? "char" : "byte");
  text_close(text);
  text_blank(text);
}

static void emit_weights(struct emitter *emitter, struct text *text) {
  const char *name = emitter->name;
  const struct routine *train = emit_routine_find(emitter, "train");
  const struct buffer *steps = train ? emit_input(train, "steps") : NULL;
  text_open(text, "int %s_initialize(struct %s *m, uint32_t seed)", name, name);
  text_line(text, "struct lam_model *model = m->library;");
  text_line(text, "model->run.step = model->run.rows = 0;");
  if (train) text_line(text, "m->trained = 0;");
  text_line(text, "model->run.seed = seed;");
  text_line(text, "lam_initialize(model, seed);");
  text_line(text, "return LAM_OK;");
  text_close(text);
  text_blank(text);
  emit_wrapper(emitter, text, arena_format(emitter->arena, "load(struct %s *m, const char *path)", name),
               "lam_model_load(m->library, path, LAM_USE)");
  emit_wrapper(emitter, text,
               arena_format(emitter->arena, "load_memory(struct %s *m, const void *bytes, size_t size)", name),
               "lam_model_load_memory(m->library, bytes, size, LAM_USE)");
  if (train) {
    text_open(text, "int %s_start_from(struct %s *m, const char *path)", name, name);
    text_line(text, "struct lam_model *model = m->library;");
    text_line(text, "m->message = model->message; /* a note, where it does not fail */");
    text_line(text, "return lam_model_load(model, path, LAM_START_FROM);");
    text_close(text);
    text_blank(text);
    text_open(text, "int %s_resume(struct %s *m, const char *path, int64_t *step)", name, name);
    text_line(text, "struct lam_model *model = m->library;");
    text_line(text, "const int status = lam_model_load(model, path, LAM_RESUME);");
    text_line(text, "if (status == LAM_OK) *step = m->trained = model->run.step;");
    if (steps)
      text_line(text, "if (status == LAM_OK) m->train.%s = (%s)model->run.steps;",
                emit_place(emitter, steps)->field->name, c_type(emitter->printer, TYPE_REAL));
    text_line(text, "return %s_told(m, status);", name);
    text_close(text);
    text_blank(text);
  }
  text_open(text, "int %s_save(struct %s *m, const char *path)", name, name);
  if (train) {
    const struct train_settings *training = emitter->program->training;
    const int64_t batches = training && training->accumulate > 0 ? training->accumulate : 1;
    text_line(text, "struct lam_model *model = m->library;");
    text_line(text, "model->run.step = m->trained;");
    text_line(text, "model->run.rows = m->trained * %lld;", (long long)(training ? training->batch * batches : 1));
    if (steps) {
      const char *field = emit_place(emitter, steps)->field->name;
      text_line(text, "const int counts = m->train.%s >= 0 && m->train.%s < 4294967296;", field, field);
      text_line(text, "model->run.steps = counts ? (int64_t)m->train.%s : 0;", field);
    } else {
      text_line(text, "model->run.steps = %lld;", training && training->steps >= 0 ? (long long)training->steps : 0ll);
    }
  }
  text_line(text, "return %s_told(m, lam_model_save(m->library, path));", name);
  text_close(text);
  text_blank(text);
}

/* Tensors and ports by name, for languages that do not see the struct. */
static void emit_lookup(struct emitter *emitter, struct text *text) {
  const char *name = emitter->name;
  if (has_states(emitter)) {
    text_open(text, "int %s_tensor(struct %s *m, const char *name, struct %s_tensor *tensor)", name, name, name);
    text_line(text, "struct lam_model *model = m->library;");
    text_line(text, "const struct lam_tensor *found = lam_find_tensor(model, name);");
    text_line(text,
              "if (!found) return %s_told(m, lam_fail(model->message, LAM_WRONG_ARGUMENT, \"there is no tensor %%s\", "
              "name));",
              name);
    text_line(text, "const int64_t count = lam_count(found->shape, found->rank);");
    text_line(text,
              "*tensor = (struct %s_tensor){found->name, found->axes, (int)found->type, found->rank, {0}, count, "
              "found->data};",
              name);
    text_line(text, "memcpy(tensor->shape, found->shape, sizeof tensor->shape);");
    text_line(text, "return LAM_OK;");
    text_close(text);
    text_blank(text);
  }
  text_open(text, "int %s_port(struct %s *m, const char *name, struct %s_tensor *port)", name, name, name);
  text_line(text, "struct lam_model *model = m->library;");
  text_line(text, "const struct lam_port *found = lam_model_port(model, name);");
  text_line(text,
            "if (!found) return %s_told(m, lam_fail(model->message, LAM_WRONG_ARGUMENT, \"there is no input or output "
            "%%s\", name));",
            name);
  text_line(text, "const int64_t count = lam_count(found->shape, found->rank);");
  text_line(text,
            "*port = (struct %s_tensor){found->name, found->axes, (int)found->type, found->rank, {0}, count, NULL};",
            name);
  text_line(text, "port->data = lam_port_data(model, found);");
  text_line(text, "memcpy(port->shape, found->shape, sizeof port->shape);");
  text_line(text, "return LAM_OK;");
  text_close(text);
  text_blank(text);
}

/* Where in the output the logits of one position lie: the position's axis comes before or after that of the ids. */
static void emit_sample(struct emitter *emitter, struct text *text) {
  const char *name = emitter->name;
  const struct generate_settings *generation = emitter->program->generation;
  const struct routine *step = emit_routine_find(emitter, "step");
  const struct buffer *from = emit_output(step, generation->from);
  if (!from || from->axis_count != 3) return;
  const bool first = from->axes[1]->size != NULL;
  const long long window = (long long)from->axes[first ? 1 : 2]->extent,
                  ids = (long long)from->axes[first ? 2 : 1]->extent;
  text_open(text,
            "int %s_sample(struct %s *m, int64_t row, double temperature, int64_t top_k, double top_p, double uniform, "
            "int32_t *id)",
            name, name);
  text_line(text, "if (row < 0 || row >= %lld) return %s_refuse(m, \"%s_sample: row must be from 0 to %lld\");", window,
            name, name, window - 1);
  text_line(text, "if (!(temperature >= 0 && top_k >= 0 && top_p >= 0))");
  text->indentation++;
  text_line(text, "return %s_refuse(m, \"%s_sample: temperature, top_k and top_p must be at least 0\");", name, name);
  text->indentation--;
  text_line(text, "if (!(uniform >= 0 && uniform < 1))");
  text->indentation++;
  text_line(text, "return %s_refuse(m, \"%s_sample: uniform must be from 0 to less than 1\");", name, name);
  text->indentation--;
  text_line(text, "const struct lam_sampling sampling = {temperature, top_p, top_k};");
  text_line(
      text,
      "return %s_told(m, lam_model_sample(m->library, m->step.%s + row%s, %lld, %lld, %lld, sampling, uniform, id));",
      name, emit_place(emitter, from)->field->name, first ? arena_format(emitter->arena, " * %lld", ids) : "",
      first ? 1ll : window, ids, (long long)generation->stop);
  text_close(text);
  text_blank(text);
}

static void emit_text_functions(struct emitter *emitter, struct text *text) {
  const enum tokenizer tokenizer = tokenizer_of(emitter->program);
  const char *name = emitter->name;
  struct arena *arena = emitter->arena;
  if (tokenizer == TOKENIZER_NONE) return;
  if (tokenizer == TOKENIZER_CHAR && !emitter->options.weights)
    emit_wrapper(emitter, text, arena_format(arena, "learn(struct %s *m, const char *text, size_t length)", name),
                 "lam_model_learn(m->library, text, length)");
  emit_wrapper(
      emitter, text,
      arena_format(arena,
                   "encode(struct %s *m, const char *text, size_t length, int32_t *ids, int64_t room, int64_t *count)",
                   name),
      "lam_model_encode(m->library, text, length, ids, room, count)");
  emit_wrapper(emitter, text, arena_format(arena, "decode(struct %s *m, int32_t id, char text[4], int *length)", name),
               "lam_model_decode(m->library, id, text, length)");
}

void emit_library(struct emitter *emitter, struct text *text, bool one_text) {
  const char *upper = emit_upper_name(emitter), *name = emitter->name;
  text_raw(text, arena_format(emitter->arena, "#ifndef %s_ALONE\n", upper));
  if (!one_text) text_raw(text, "#include \"lamella.h\"\n");
  text_blank(text);
  if (has_states(emitter)) emit_families(emitter, text);
  const int ports = emit_ports(emitter, text);
  emit_facts(emitter, text);
  emit_open_library(emitter, text, ports);
  emit_told(emitter, text);
  if (has_files(emitter)) emit_weights(emitter, text);
  emit_lookup(emitter, text);
  emit_text_functions(emitter, text);
  if (program_generates(emitter->program) && emit_routine_find(emitter, "step")) emit_sample(emitter, text);
  text_raw(text, arena_format(emitter->arena,
                              "#else\n#define LIBRARY_BYTES 0u\n"
                              "#define %s_open_library(m) (void)(m)\n#endif\n\n",
                              name));
}

void emit_library_header(struct emitter *emitter, struct text *text) {
  const char *name = emitter->name, *upper = emit_upper_name(emitter);
  struct arena *arena = emitter->arena;
  const enum tokenizer tokenizer = tokenizer_of(emitter->program);
  text_comment(text,
               arena_format(arena,
                            "From here on lamella.c is needed, too. %s.c compiled with %s_ALONE defined has none of "
                            "this and needs nothing.",
                            emitter->program->name, upper));
  if (has_files(emitter)) {
    text_comment(text, "All tensors as the spec says them to begin, drawn with the seed.");
    text_line(text, "int %s_initialize(struct %s *m, uint32_t seed);", name, name);
    text_comment(text, "The parameters of a safetensors file, by name; one that lacks any is refused.");
    text_line(text, "int %s_load(struct %s *m, const char *path);", name, name);
    text_line(text, "int %s_load_memory(struct %s *m, const void *bytes, size_t size);", name, name);
    if (emit_routine_find(emitter, "train")) {
      text_comment(text,
                   "Those that the file has, for training that begins with them, after initialize, which sets the "
                   "others; the message says what the file lacks or has in vain.");
      text_line(text, "int %s_start_from(struct %s *m, const char *path);", name, name);
      text_comment(text,
                   emit_input(emit_routine_find(emitter, "train"), "steps")
                       ? "All that training saved, with the input `steps` of train; and the step that it had done."
                       : "All that training saved, and the step that it had done.");
      text_line(text, "int %s_resume(struct %s *m, const char *path, int64_t *step);", name, name);
    }
    text_comment(text, "Writes all of it to a file, which is replaced as a whole or not at all.");
    text_line(text, "int %s_save(struct %s *m, const char *path);", name, name);
  }
  text_comment(
      text, "A tensor by its name in files, h.0.ln_1.weight; an input or output by its routine and name, train.loss.");
  text_open(text, "struct %s_tensor", name);
  text_line(text, "const char *name, *axes; /* axes: \"vocab,embed\" */");
  text_line(text, "int type; /* 0: %s, 1: int32_t, 2: uint8_t */", c_type(emitter->printer, TYPE_REAL));
  text_line(text, "int rank;");
  text_line(text, "int64_t shape[8], count;");
  text_line(text, "void *data; /* row-major; the model's own */");
  text->indentation--;
  text_line(text, "};");
  if (has_states(emitter))
    text_line(text, "int %s_tensor(struct %s *m, const char *name, struct %s_tensor *tensor);", name, name, name);
  text_line(text, "int %s_port(struct %s *m, const char *name, struct %s_tensor *port);", name, name, name);
  if (tokenizer == TOKENIZER_CHAR && !emitter->options.weights) {
    text_comment(
        text,
        "Takes the characters of a text for the vocabulary of a model to which no file gave one. What is loaded later "
        "replaces it.");
    text_line(text, "int %s_learn(struct %s *m, const char *text, size_t length);", name, name);
  }
  if (tokenizer != TOKENIZER_NONE) {
    text_comment(
        text,
        "The ids of a text, `room` of them at most; `ids` may be NULL, to count them. And the bytes that an id stands "
        "for, none where it stands for nothing.");
    text_line(
        text,
        "int %s_encode(struct %s *m, const char *text, size_t length, int32_t *ids, int64_t room, int64_t *count);",
        name, name);
    text_line(text, "int %s_decode(struct %s *m, int32_t id, char text[4], int *length);", name, name);
  }
  if (program_generates(emitter->program) && emit_routine_find(emitter, "step")) {
    text_comment(
        text,
        arena_format(arena,
                     "Draws the id after row `row` of what %s_step computed last: temperature 0 takes the likeliest; "
                     "top_k 0 and top_p 1 leave none out; `uniform` is a random number from 0 to less than 1.",
                     name));
    text_line(text,
              "int %s_sample(struct %s *m, int64_t row, double temperature, int64_t top_k, double top_p, double "
              "uniform, int32_t *id);",
              name, name);
  }
}
