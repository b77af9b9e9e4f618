/* The functions of a model that need the library which models share (lamella.c): weights, tensors by name, text. */
#include <string.h>

#include "codegen/emit.h"
#include "codegen/emit_text.h"

static const char *const role_names_c[] = {"LAM_PARAMETER", "LAM_OPTIMIZER", "LAM_ACCUMULATOR",
                                           "LAM_AVERAGE",   "LAM_CACHE",     "LAM_PREPARED",
                                           "LAM_STATISTIC", "LAM_DERIVED",   "LAM_QUANTIZED"};
static const char *const role_macros[] = {"PARAMETER", "OPTIMIZER", "ACCUMULATOR", "AVERAGE",  "CACHE",
                                          "PREPARED",  "STATISTIC", "DERIVED",     "QUANTIZED"};
static const char *const initial_names_c[] = {"LAM_CONSTANT", "LAM_NORMAL", "LAM_UNIFORM"};

static bool has_states(struct emitter *emitter) {
  return emit_state_bytes(emitter) > 0 || emit_baked_bytes(emitter) > 0;
}

/* Whether weights come from files. */
bool emit_has_files(struct emitter *emitter) { return has_states(emitter) && !emitter->options.weights; }

static enum tokenizer tokenizer_of(const struct program *program) {
  return program->data ? program->data->tokenizer : TOKENIZER_NONE;
}

/* --- Tensors ------------------------------------------------------------------------------------------------------------ */

static const struct state *member_state(const struct field *field, int copy) {
  return field->members[copy] ? field->members[copy]->state : NULL;
}

/* Whether rows of the two can differ in their name alone. */
static bool alike(const struct emitter *emitter, const struct state *x, const struct state *y) {
  const struct quantized *a = emit_quantized(emitter, x), *b = emit_quantized(emitter, y);
  if (x->role == ROLE_PARAMETER && emit_is_unread(emitter, x) != emit_is_unread(emitter, y)) return false;
  if (!a != !b || (a && a->streamed != b->streamed) || !x->file_shape != !y->file_shape) return false;
  for (int i = 0; x->file_shape && i < x->of->axis_count; i++)
    if (x->of->axis_count != y->of->axis_count || x->file_shape[i] != y->file_shape[i]) return false;
  if (x->kind != y->kind || x->storage != y->storage || x->axis_count != y->axis_count || x->initial != y->initial ||
      x->low != y->low || x->high != y->high || x->frozen != y->frozen || is_of_adapter(x) != is_of_adapter(y))
    return false;
  for (int i = 0; i < x->axis_count; i++)
    if (x->axes[i]->extent != y->axes[i]->extent || strcmp(x->axes[i]->name, y->axes[i]->name) != 0) return false;
  return true;
}

/* "h.%d.attn.weight" where all copies are named so; else NULL. */
static const char *family_name(const struct emitter *emitter, const struct field *field) {
  struct arena *arena = emitter->arena;
  const struct state *first = member_state(field, 0);
  if (!first || strchr(first->name, '%')) return NULL;
  for (const char *at = first->name; (at = strchr(at, '0')) != NULL; at++) {
    bool starts = at == first->name || at[-1] == '.', ends = !at[1] || at[1] == '.';
    if (!starts || !ends) continue;
    int length = (int)(at - first->name), copy = 1;
    for (; copy < field->copies; copy++) {
      const struct state *state = member_state(field, copy);
      if (!state || !alike(emitter, first, state) ||
          strcmp(state->name, arena_format(arena, "%.*s%d%s", length, first->name, copy, at + 1)) != 0)
        break;
    }
    if (copy == field->copies) return arena_format(arena, "%.*s%%d%s", length, first->name, at + 1);
  }
  return NULL;
}

/* Of a quantized state, as files have it. */
static const char *file_shape(struct arena *arena, const struct state *state) {
  const char *list = "";
  for (int i = 0; i < state->of->axis_count; i++)
    list = emit_join(arena, list, arena_format(arena, "%lld", (long long)state->file_shape[i]));
  return arena_format(arena, "{%s}", list);
}

static void family_row(struct emitter *emitter, struct rows *rows, const struct field *field, const char *name,
                       const struct state *state, int copies, const char *element) {
  struct arena *arena = emitter->arena;
  if (hash_path(state->name) != state->stream) bug("%s does not draw from the stream of its name", state->name);
  const char *rest = "";
  if (state_storage(state) != STORAGE_REAL)
    rest = arena_format(arena, "%s, .type = %s", rest, c_storage_constant(state_storage(state)));
  if (state->initial != INITIAL_CONSTANT)
    rest = arena_format(arena, "%s, .initial = %s", rest, initial_names_c[state->initial]);
  if (state->low != 0) rest = arena_format(arena, "%s, .low = %s", rest, c_double(arena, state->low));
  if (state->high != 0) rest = arena_format(arena, "%s, .high = %s", rest, c_double(arena, state->high));
  if (state->frozen)
    rest = arena_format(arena, "%s, .frozen = %s", rest,
                        program_is_in_base(emitter->program, state) ? "LAM_IN_BASE" : "LAM_FROZEN");
  const struct quantized *quantized = emit_quantized(emitter, state);
  if (quantized)
    rest = arena_format(arena, "%s, .use = %s", rest, quantized->streamed ? "LAM_STREAMED" : "LAM_IN_STEPS");
  if (state->role == ROLE_PARAMETER && emit_is_unread(emitter, state))
    rest = arena_format(arena, "%s, .use = LAM_UNREAD", rest);
  const struct state *axes = state->file_shape ? state->of : state;
  const char *shape = c_shape(arena, state->name, axes->axes, axes->axis_count);
  if (state->file_shape) shape = file_shape(arena, state);
  rows_add(rows, arena_format(arena, "{%d, %s(%s%s), {%s, %s, .shape = %s%s}},", copies, role_macros[state->role],
                              field->name, element, c_string(arena, name),
                              c_string(arena, axes_list(arena, axes->axes, axes->axis_count)), shape, rest));
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
      const char *name = field->copies ? family_name(emitter, field) : NULL;
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
  const char *name = c_string(arena, buffer->label),
             *axes = c_string(arena, axes_list(arena, buffer->axes, buffer->axis_count));
  const char *shape = c_shape(arena, buffer->label, buffer->axes, buffer->axis_count), *rest = "";
  long long range = (long long)emit_range(routine, buffer);
  rest = arena_format(arena, ".rank = %d, ", buffer->axis_count);
  if (buffer->axis_count) rest = arena_format(arena, "%s.shape = %s, ", rest, shape);
  if (range) rest = arena_format(arena, "%s.range = %lld, ", rest, range);
  if (buffer->role == BUFFER_OUTPUT) rest = arena_format(arena, "%s.is_output = 1, ", rest);
  rows_add(rows, arena_format(arena, "{PORT(%s, %s), %s, %s, %s, %.*s},", routine->name,
                              emit_place(emitter, buffer)->field->name, name, axes, c_storage_constant(buffer->storage),
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

/* --- What the functions need -------------------------------------------------------------------------------------------- */

/* The text with the model's name wherever it says NAME. */
static const char *named(struct emitter *emitter, const char *text) {
  const char *result = "", *next;
  for (; (next = strstr(text, "NAME")) != NULL; text = next + 4)
    result = arena_format(emitter->arena, "%s%.*s%s", result, (int)(next - text), text, emitter->name);
  return arena_format(emitter->arena, "%s%s", result, text);
}

/* Prints lines of code, in which NAME stands for the model's. */
static void print_code(struct emitter *emitter, struct text *text, const char *lines) {
  for (size_t length; *lines; lines += length + (lines[length] == '\n')) {
    length = strcspn(lines, "\n");
    text_line(text, "%s", named(emitter, arena_copy(emitter->arena, lines, length)));
  }
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

/* What gives ids of the data a meaning; returns how many rows the table has. */
static int emit_ids(struct emitter *emitter, struct text *text) {
  const data_ids_list list = data_ids_of(emitter->arena, emitter->program->data);
  if (!list.count) return 0;
  text_comment(text, "Columns of ids: of categories by their name, of tokens NULL; the places that their axis has.");
  text_open(text, "static const struct lam_ids id_columns[] =");
  struct rows rows = {.text = text};
  for (int i = 0; i < list.count; i++)
    rows_add(&rows, arena_format(emitter->arena, "{%s, %lld, %lld},", c_string(emitter->arena, list.items[i].field),
                                 (long long)list.items[i].range, (long long)list.items[i].reserved));
  rows_end(&rows);
  text->indentation--;
  text_line(text, "};");
  text_blank(text);
  return list.count;
}

static void emit_open_library(struct emitter *emitter, struct text *text, int ports, int ids) {
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
  if (emit_derives(emitter)) {
    text_line(text, "library->model.version = &m->version;");
    text_line(text, "library->model.derived_version = &m->derived_version;");
    if (emitter->quantized.count && emit_runtime_has(emitter, "quantized")) {
      text_line(text, "library->model.quantized = &lam_quantized;");
      text_line(text, "library->model.quantize = %s_quantize;", name);
      text_line(text, "library->model.quantized_version = &m->quantized_version;");
    }
  }
  if (emit_runtime_has(emitter, "parts")) text_line(text, "library->model.join_parts = lam_join_parts;");
  if (emit_routine_find(emitter, ROUTINE_prune)) {
    text_line(text, "library->model.pruned = &m->pruned;");
    text_line(text, "library->model.note_pruned = lam_note_pruned;");
  }
  if (ids) {
    text_line(text, "library->model.ids = id_columns;");
    text_line(text, "library->model.ids_count = %d;", ids);
  }
  if (emitter->options.weights) text_line(text, "library->model.facts = &facts;");
  if (tokenizer != TOKENIZER_NONE)
    text_line(text, "library->model.vocabulary.tokenizer = &lam_%s_tokenizer;",
              tokenizer == TOKENIZER_CHAR ? "char" : "byte");
  text_close(text);
  text_blank(text);
}

/* What several of the functions do. */
static void emit_helpers(struct emitter *emitter, struct text *text) {
  print_code(emitter, text,
             "/* What a call of the library left is the model's message. */\n"
             "static int NAME_told(struct NAME *m, int status) {\n"
             "  struct lam_model *model = m->library;\n"
             "  if (status != LAM_OK) m->message = model->message;\n"
             "  return status;\n"
             "}\n"
             "\n"
             "static int NAME_found(struct NAME *m, int status, const struct lam_tensor *found, struct NAME_array "
             "*tensor) {\n"
             "  if (status != LAM_OK) return NAME_told(m, status);\n"
             "  const int64_t count = lam_count(found->shape, found->rank);\n"
             "  *tensor = (struct NAME_array){found->name, found->axes, (int)found->type, found->rank, {0}, count, "
             "found->data};\n"
             "  memcpy(tensor->shape, found->shape, sizeof tensor->shape);\n"
             "  return LAM_OK;\n"
             "}\n"
             "\n");
}

/* --- Functions ---------------------------------------------------------------------------------------------------------- */

static bool trains_from_files(struct emitter *emitter) {
  return emit_has_files(emitter) && emit_routine_find(emitter, ROUTINE_train);
}

static bool has_text(struct emitter *emitter) { return tokenizer_of(emitter->program) != TOKENIZER_NONE; }

static bool learns_text(struct emitter *emitter) {
  return tokenizer_of(emitter->program) == TOKENIZER_CHAR && !emitter->options.weights;
}

static bool has_categories(struct emitter *emitter) { return program_has_categories(emitter->program); }

static bool learns_categories(struct emitter *emitter) { return has_categories(emitter) && !emitter->options.weights; }

static bool always(struct emitter *emitter) { return emitter != NULL; }

/* The logits that step computes: [batch, places, ids], where the last two may stand in either order; or NULL. */
static const struct buffer *sampled_logits(struct emitter *emitter) {
  const struct routine *step = program_generates(emitter->program) ? emit_routine_find(emitter, ROUTINE_step) : NULL;
  const struct buffer *from = step ? emit_output(step, emitter->program->generation->from) : NULL;
  return from && from->axis_count == 3 ? from : NULL;
}

static bool samples(struct emitter *emitter) { return sampled_logits(emitter) != NULL; }

/* The member of struct NAME that holds the input `steps` of train, or NULL. */
static const char *steps_member(struct emitter *emitter) {
  const struct routine *train = emit_routine_find(emitter, ROUTINE_train);
  const struct buffer *steps = train ? emit_run_input(train, RUN_STEPS) : NULL;
  return steps ? arena_format(emitter->arena, "m->train.%s", emit_place(emitter, steps)->field->name) : NULL;
}

/* What the routines have done is of no account any more. */
static void forget_steps(struct emitter *emitter, struct text *text) {
  if (emit_routine_find(emitter, ROUTINE_train)) print_code(emitter, text, "m->trained = 0;\n");
  if (emit_routine_find(emitter, ROUTINE_accumulate)) print_code(emitter, text, "m->accumulated = 0;\n");
  if (emit_routine_find(emitter, ROUTINE_step)) print_code(emitter, text, "m->stepped = 0;\n");
}

/* Accumulators are in no file. */
static void restart_accumulators(struct emitter *emitter, struct text *text) {
  if (emit_routine_find(emitter, ROUTINE_accumulate))
    print_code(emitter, text, "lam_restart(m->library, LAM_ACCUMULATOR, m->accumulated > 0);\n");
}

static void emit_loaded(struct emitter *emitter, struct text *text) {
  if (!emit_has_files(emitter)) return;
  text_comment(text,
               "After parameters were loaded: what there was of training, and the rows of the last step, belong to "
               "others.");
  text_open(text, "static int %s_loaded(struct %s *m, int status)", emitter->name, emitter->name);
  print_code(emitter, text, "if (status != LAM_OK) return NAME_told(m, status);\n");
  if (emit_routine_find(emitter, ROUTINE_train))
    print_code(emitter, text, "lam_restart(m->library, LAM_OPTIMIZER, m->trained > 0);\n");
  restart_accumulators(emitter, text);
  forget_steps(emitter, text);
  print_code(emitter, text, "return LAM_OK;\n");
  text_close(text);
  text_blank(text);
}

static void initialize_body(struct emitter *emitter, struct text *text) {
  print_code(emitter, text,
             "const int status = lam_model_initialize(m->library, seed);\n"
             "if (status != LAM_OK) return NAME_told(m, status);\n");
  forget_steps(emitter, text);
  print_code(emitter, text, "return LAM_OK;\n");
}

static void start_from_body(struct emitter *emitter, struct text *text) {
  print_code(emitter, text,
             "struct lam_model *model = m->library;\n"
             "m->message = model->message; /* a note, where it does not fail */\n"
             "return NAME_loaded(m, lam_model_load(model, path, LAM_START_FROM));\n");
}

static void resume_body(struct emitter *emitter, struct text *text) {
  const char *steps = steps_member(emitter);
  print_code(emitter, text,
             "struct lam_model *model = m->library;\n"
             "const int status = lam_model_load(model, path, LAM_RESUME);\n"
             "if (status != LAM_OK) return NAME_told(m, status);\n");
  restart_accumulators(emitter, text);
  forget_steps(emitter, text);
  print_code(emitter, text, "*step = m->trained = model->run.step;\n");
  if (steps) text_line(text, "%s = (%s)model->run.steps;", steps, c_type(emitter->printer, TYPE_REAL));
  print_code(emitter, text, "return LAM_OK;\n");
}

static void save_body(struct emitter *emitter, struct text *text) {
  const struct train_settings *training = emitter->program->training;
  const int64_t batches = training && training->accumulate > 0 ? training->accumulate : 1;
  const char *steps = steps_member(emitter);
  if (emit_routine_find(emitter, ROUTINE_train)) {
    print_code(emitter, text,
               "struct lam_model *model = m->library;\n"
               "model->run.step = m->trained;\n");
    text_line(text, "model->run.rows = m->trained * %lld;", (long long)(training ? training->batch * batches : 1));
    if (steps) {
      text_line(text, "const int counts = %s >= 0 && %s < 4294967296;", steps, steps);
      text_line(text, "model->run.steps = counts ? (int64_t)%s : 0;", steps);
    } else {
      text_line(text, "model->run.steps = %lld;", training && training->steps >= 0 ? (long long)training->steps : 0ll);
    }
  }
  print_code(emitter, text, "return NAME_told(m, lam_model_save(m->library, path));\n");
}

static void tensor_body(struct emitter *emitter, struct text *text) {
  print_code(emitter, text,
             "struct lam_tensor found;\n"
             "const int status = lam_model_tensor(m->library, name, &found);\n"
             "return NAME_found(m, status, &found, tensor);\n");
}

static void port_body(struct emitter *emitter, struct text *text) {
  print_code(emitter, text,
             "struct lam_tensor found;\n"
             "const int status = lam_model_port(m->library, name, &found);\n"
             "return NAME_found(m, status, &found, port);\n");
}

/* Where in the output the logits of one position lie: the position's axis comes before or after that of the ids. */
static void sample_body(struct emitter *emitter, struct text *text) {
  const struct buffer *from = sampled_logits(emitter);
  const bool first = from->axes[1]->size != NULL;
  const long long window = (long long)from->axes[first ? 1 : 2]->extent,
                  ids = (long long)from->axes[first ? 2 : 1]->extent;
  text_line(text, "const struct lam_logits logits = {m->step.%s, m->stepped, %lld, %lld, %lld, %lld};",
            emit_place(emitter, from)->field->name, first ? ids : 1ll, ids, first ? 1ll : window,
            (long long)emitter->program->generation->stop);
  print_code(emitter, text,
             "const struct lam_sampling sampling = {temperature, top_p, top_k};\n"
             "return NAME_told(m, lam_model_sample(m->library, &logits, row, sampling, uniform, id));\n");
}

/* NAME stands for the model's in all texts. */
static const struct library_function {
  bool (*wanted)(struct emitter *emitter);
  const char *comment; /* in the header; NULL: that of the function before is for this one, too */
  const char *signature;
  const char *result; /* what it returns, where it does no more than that; else `body` prints what it does */
  void (*body)(struct emitter *emitter, struct text *text);
} library_functions[] = {
    {emit_has_files,
     "All tensors as the spec says them to begin, drawn with the seed. What a file said of characters and categories "
     "is "
     "forgotten, and what was learned stays.",
     "int NAME_initialize(struct NAME *m, uint32_t seed)", NULL, initialize_body},
    {emit_has_files,
     "The parameters of a safetensors file, by name; one that lacks any is refused. Characters and categories that it "
     "has take the place of those that were learned. Training that follows begins anew, at step 1.",
     "int NAME_load(struct NAME *m, const char *path)", "NAME_loaded(m, lam_model_load(m->library, path, LAM_USE))",
     NULL},
    {emit_has_files, NULL, "int NAME_load_memory(struct NAME *m, const void *bytes, size_t size)",
     "NAME_loaded(m, lam_model_load_memory(m->library, bytes, size, LAM_USE))", NULL},
    {trains_from_files,
     "Those that the file has, for training that begins with them at step 1, after initialize, which sets the others; "
     "the message says what the file lacks or has in vain. A file with other characters or categories than the model "
     "has is refused, where its parameters are about them.",
     "int NAME_start_from(struct NAME *m, const char *path)", NULL, start_from_body},
    {trains_from_files,
     "All that training saved, with the input `steps` of train where it has one; and the step that it had done.",
     "int NAME_resume(struct NAME *m, const char *path, int64_t *step)", NULL, resume_body},
    {emit_has_files, "Writes all of it to a file, which is replaced as a whole or not at all.",
     "int NAME_save(struct NAME *m, const char *path)", NULL, save_body},
    {has_states, "A tensor by its name in files, h.0.ln_1.weight.",
     "int NAME_tensor(struct NAME *m, const char *name, struct NAME_array *tensor)", NULL, tensor_body},
    {always, "An input or output by its routine and name, train.loss.",
     "int NAME_port(struct NAME *m, const char *name, struct NAME_array *port)", NULL, port_body},
    {learns_text,
     "Takes the characters of a text for the vocabulary of a model that has none. It stays until a file that has one "
     "is loaded.",
     "int NAME_learn(struct NAME *m, const char *text, size_t length)",
     "NAME_told(m, lam_model_learn(m->library, text, length))", NULL},
    {has_text,
     "The ids of a text. `count` is how many it has; where that is more than `room`, only the first `room` are "
     "written. "
     "`ids` may be NULL, to count them.",
     "int NAME_encode(struct NAME *m, const char *text, size_t length, int32_t *ids, int64_t room, int64_t *count)",
     "NAME_told(m, lam_model_encode(m->library, text, length, ids, room, count))", NULL},
    {has_text, "The bytes that an id stands for, none where it stands for nothing.",
     "int NAME_decode(struct NAME *m, int32_t id, char text[4], int *length)",
     "NAME_told(m, lam_model_decode(m->library, id, text, length))", NULL},
    {learns_categories,
     "Takes the categories of a column of the CSV file, by the name that the file's header gives it: each value that "
     "was not there before gets the next id, as in the order of rows. For a model to which no file gave them.",
     "int NAME_learn_categories(struct NAME *m, const char *column, const char *const *values, int64_t count)",
     "NAME_told(m, lam_model_learn_categories(m->library, column, values, count))", NULL},
    {has_categories, "The id of a category of that column.",
     "int NAME_encode_category(struct NAME *m, const char *column, const char *category, int32_t *id)",
     "NAME_told(m, lam_model_encode_category(m->library, column, category, id))", NULL},
    {has_categories,
     "The category that an id stands for, NULL where it stands for none; it is the model's own, until a file is "
     "loaded.",
     "int NAME_decode_category(struct NAME *m, const char *column, int32_t id, const char **category)",
     "NAME_told(m, lam_model_decode_category(m->library, column, id, category))", NULL},
    {samples,
     "Draws the id after row `row` of those that NAME_step computed last: temperature 0 takes the likeliest; top_k 0 "
     "and "
     "top_p 1 leave none out; `uniform` is a random number from 0 to less than 1.",
     "int NAME_sample(struct NAME *m, int64_t row, double temperature, int64_t top_k, double top_p, double uniform, "
     "int32_t *id)",
     NULL, sample_body},
};
enum { LIBRARY_FUNCTIONS = sizeof library_functions / sizeof *library_functions };

void emit_library(struct emitter *emitter, struct text *text, bool one_text) {
  text_raw(text, arena_format(emitter->arena, "#ifndef %s_ALONE\n", emit_upper_name(emitter)));
  if (!one_text) text_raw(text, "#include \"lamella.h\"\n");
  text_blank(text);
  if (has_states(emitter)) emit_families(emitter, text);
  const int ports = emit_ports(emitter, text);
  emit_facts(emitter, text);
  emit_open_library(emitter, text, ports, emit_ids(emitter, text));
  emit_helpers(emitter, text);
  emit_loaded(emitter, text);
  for (int i = 0; i < LIBRARY_FUNCTIONS; i++) {
    const struct library_function *function = &library_functions[i];
    if (!function->wanted(emitter)) continue;
    text_open(text, "%s", named(emitter, function->signature));
    if (function->result)
      text_line(text, "return %s;", named(emitter, function->result));
    else
      function->body(emitter, text);
    text_close(text);
    text_blank(text);
  }
  text_raw(text, named(emitter,
                       "#else\n#define LIBRARY_BYTES 0u\n"
                       "#define NAME_open_library(m) (void)(m)\n#endif\n\n"));
}

void emit_library_header(struct emitter *emitter, struct text *text) {
  text_comment(text,
               arena_format(emitter->arena,
                            "From here on lamella.c is needed, too. %s.c compiled with %s_ALONE defined has none of "
                            "this and needs nothing.",
                            emitter->program->name, emit_upper_name(emitter)));
  text_open(text, "struct %s_array", emitter->name);
  text_line(text, "const char *name, *axes; /* axes: \"vocab,embed\" */");
  text_line(text,
            "int type; /* 0: %s, 1: int32_t, 2: uint8_t; tensors also 3: bf16, 4: f16, 5: int8_t, 6: uint8_t, 7: i4, "
            "8: u4 */",
            c_type(emitter->printer, TYPE_REAL));
  print_code(emitter, text,
             "int rank;\n"
             "int64_t shape[8], count;\n"
             "void *data; /* row-major; the model's own */\n");
  text->indentation--;
  text_line(text, "};");
  for (int i = 0; i < LIBRARY_FUNCTIONS; i++) {
    const struct library_function *function = &library_functions[i];
    if (!function->wanted(emitter)) continue;
    if (function->comment) text_comment(text, named(emitter, function->comment));
    text_line(text, "%s;", named(emitter, function->signature));
  }
}
