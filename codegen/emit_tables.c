/* The tables that the runtime reads (runtime/program.h), and main. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/emit.h"

static const char *const role_names_c[] = {"LAM_PARAMETER", "LAM_OPTIMIZER", "LAM_ACCUMULATOR",
                                           "LAM_AVERAGE",   "LAM_CACHE",     "LAM_PREPARED"};
static const char *const role_macros[] = {"PARAMETER", "OPTIMIZER", "ACCUMULATOR", "AVERAGE", "CACHE", "PREPARED"};
static const char *const initial_names_c[] = {"LAM_CONSTANT", "LAM_NORMAL", "LAM_UNIFORM"};
static const char *const reader_names[] = {"&lam_text_reader", "&lam_csv_reader", "&lam_synthetic_reader"};
static const char *const tokenizer_names[] = {"NULL", "&lam_char_tokenizer", "&lam_byte_tokenizer"};
static const char *const feature_names[] = {
    "LAM_TOKENS", "LAM_NEXT",   "LAM_WEIGHT",   "LAM_TARGET",  "LAM_ZERO",
    "LAM_YES",    "LAM_NUMBER", "LAM_CATEGORY", "LAM_PRESENT", "LAM_SYNTHETIC_COLUMN"};
static const char *const kind_names_c[] = {"LAM_TYPE_REAL", "LAM_TYPE_INTEGER", "LAM_TYPE_BOOLEAN"};

static const char *type_name(enum type type) {
  switch (type) {
    case TYPE_REAL:
      return kind_names_c[0];
    case TYPE_INTEGER:
      return kind_names_c[1];
    case TYPE_BOOLEAN:
      return kind_names_c[2];
    case TYPE_INDEX:
      break;
  }
  bug("memory of type index");
}

/* A C string, or NULL. */
static const char *quoted(struct arena *arena, const char *text) {
  if (!text) return "NULL";
  char *copy = arena_alloc(arena, strlen(text) * 4 + 3), *to = copy;
  *to++ = '"';
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\')
      *to++ = '\\', *to++ = (char)c;
    else if (c < 32 || c == 127)
      *to++ = '\\', *to++ = (char)('0' + c / 64), *to++ = (char)('0' + c / 8 % 8), *to++ = (char)('0' + c % 8);
    else
      *to++ = (char)c;
  }
  *to++ = '"';
  *to = 0;
  return copy;
}

/* The shortest text that gives the number back. */
static const char *number(struct arena *arena, double x) {
  if (!isfinite(x)) return isnan(x) ? "NAN" : x > 0 ? "INFINITY" : "-INFINITY";
  for (int digits = 1; digits < 17; digits++) {
    const char *text = arena_format(arena, "%.*g", digits, x);
    if (strtod(text, NULL) == x) return text;
  }
  return arena_format(arena, "%.17g", x);
}

static const char *axes_list(struct arena *arena, struct axis *const *axes, int count) {
  const char *list = "";
  for (int i = 0; i < count; i++) list = arena_format(arena, "%s%s%s", list, i ? "," : "", axes[i]->name);
  return quoted(arena, list);
}

/* "{12, 64}" */
static const char *shape_text(struct arena *arena, const char *name, struct axis *const *axes, int count) {
  if (count > MAX_RANK) bug("%s has %d axes: a program's tensors have %d at most", name, count, MAX_RANK);
  const char *list = count ? "" : "0";
  for (int i = 0; i < count; i++)
    list = arena_format(arena, "%s%s%lld", list, i ? ", " : "", (long long)axes[i]->extent);
  return arena_format(arena, "{%s}", list);
}

/* Rows of a table, as many to a line as fit. */
struct rows {
  struct text *text;
  const char *line; /* what is not yet written */
};

static void rows_end(struct rows *rows) {
  if (rows->line) text_line(rows->text, "%s", rows->line);
  rows->line = NULL;
}

static void rows_add(struct rows *rows, const char *row) {
  size_t room = (size_t)(TEXT_COLUMNS - 2 * rows->text->indentation);
  if (rows->line && strlen(rows->line) + strlen(row) + 1 > room) rows_end(rows);
  rows->line = rows->line ? arena_format(rows->text->arena, "%s %s", rows->line, row) : row;
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
  if (state->kind != KIND_REAL) rest = arena_format(arena, "%s, .type = %s", rest, kind_names_c[state->kind]);
  if (state->initial != INITIAL_CONSTANT)
    rest = arena_format(arena, "%s, .initial = %s", rest, initial_names_c[state->initial]);
  if (state->low != 0) rest = arena_format(arena, "%s, .low = %s", rest, number(arena, state->low));
  if (state->high != 0) rest = arena_format(arena, "%s, .high = %s", rest, number(arena, state->high));
  if (state->frozen) rest = arena_format(arena, "%s, .frozen = 1", rest);
  rows_add(rows,
           arena_format(arena, "{%d, %s(%s%s), {%s, %s, .shape = %s%s}},", copies, role_macros[state->role],
                        field->name, element, quoted(arena, name), axes_list(arena, state->axes, state->axis_count),
                        shape_text(arena, state->name, state->axes, state->axis_count), rest));
}

static int emit_families(struct emitter *emitter, struct text *text) {
  struct arena *arena = emitter->arena;
  int tensors = 0;
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
        continue;
      }
      for (int copy = 0; copy == 0 || copy < field->copies; copy++) {
        const struct state *state = member_state(field, copy);
        if (!state) continue;
        family_row(emitter, &rows, field, state->name, state, 0,
                   field->copies ? arena_format(arena, "[%d]", copy) : "");
        tensors++;
      }
    }
  }
  rows_end(&rows);
  text->indentation--;
  text_line(text, "};");
  text_line(text, "enum { FAMILIES = sizeof families / sizeof *families, TENSORS = %d };", tensors);
  text_blank(text);
  return tensors;
}

/* --- Ports -------------------------------------------------------------------------------------------------------------- */

static void port_row(struct emitter *emitter, struct rows *rows, const struct routine *routine,
                     const struct buffer *buffer) {
  struct arena *arena = emitter->arena;
  const char *name = quoted(arena, buffer->label), *axes = axes_list(arena, buffer->axes, buffer->axis_count);
  const char *shape = shape_text(arena, buffer->label, buffer->axes, buffer->axis_count), *rest = "";
  long long range = (long long)emit_range(routine, buffer);
  if (buffer->axis_count) rest = arena_format(arena, ".rank = %d, .shape = %s, ", buffer->axis_count, shape);
  if (range) rest = arena_format(arena, "%s.range = %lld, ", rest, range);
  rows_add(rows, arena_format(arena, "{%s, %s, %s, %s.slot = AT(%s.%s)},", name, axes, type_name(buffer->type), rest,
                              routine->name, emit_place(emitter, buffer)->field->name));
}

/* The inputs of a routine, then its outputs. */
static void emit_ports(struct emitter *emitter, struct text *text, const struct routine *routine) {
  if (!routine->inputs.count && !routine->outputs.count) return;
  struct rows rows = {.text = text};
  text_open(text, "static struct lam_port %s_ports[] =", routine->name);
  for (int i = 0; i < routine->inputs.count; i++) port_row(emitter, &rows, routine, routine->inputs.items[i]);
  for (int i = 0; i < routine->outputs.count; i++) port_row(emitter, &rows, routine, routine->outputs.items[i]);
  rows_end(&rows);
  text->indentation--;
  text_line(text, "};");
}

/* --- Data and settings -------------------------------------------------------------------------------------------------- */

static void emit_data(struct emitter *emitter, struct text *text, const struct data_settings *data) {
  struct arena *arena = emitter->arena;
  if (data->columns.count) {
    text_open(text, "static const struct lam_column columns[] =");
    for (int i = 0; i < data->columns.count; i++) {
      const struct column *column = &data->columns.items[i];
      text_line(text, "{%s, %s, %s, %s, %lld, %lld, %lld, %lld},", quoted(arena, column->name),
                feature_names[column->feature], quoted(arena, column->field), kind_names_c[column->kind],
                (long long)column->length, (long long)column->range, (long long)column->start, (long long)column->stop);
    }
    text->indentation--;
    text_line(text, "};");
  }
  text_open(text, "static const struct lam_data data =");
  const char *reader = program_reads(emitter->program) ? reader_names[data->source] : "NULL";
  text_line(text, ".name = %s, .path = %s, .reader = %s, .tokenizer = %s,", quoted(arena, data->name),
            quoted(arena, data->path), reader, tokenizer_names[data->tokenizer]);
  text_line(text, ".examples = %lld, .split = %s, .mask = %s, .columns = %s, .column_count = %d,",
            (long long)data->examples, number(arena, data->split), number(arena, data->mask),
            data->columns.count ? "columns" : "NULL", data->columns.count);
  if (data->mask > 0) text_line(text, ".corruption = &lam_masking,");
  text->indentation--;
  text_line(text, "};");
}

/* Without training only the seed counts, which draws of other verbs have, too. */
static void emit_settings(struct emitter *emitter, struct text *text, const struct train_settings *training) {
  struct arena *arena = emitter->arena;
  if (!emitter->program->train) {
    text_line(text, "static const struct lam_settings settings = {.seed = %lu};", (unsigned long)training->seed);
    return;
  }
  text_open(text, "static const struct lam_settings settings =");
  text_line(text, ".batch = %lld, .accumulate = %lld, .steps = %lld, .epochs = %lld,", (long long)training->batch,
            (long long)training->accumulate, (long long)training->steps, (long long)training->epochs);
  text_line(text, ".clip = %s, .average = %s, .evaluate_every = %lld, .checkpoint_every = %lld, .log_every = %lld,",
            number(arena, training->clip), number(arena, training->average), (long long)training->evaluate_every,
            (long long)training->checkpoint_every, (long long)training->log_every);
  text_line(text, ".shuffle = %d, .seed = %lu, .initial = %s,", training->shuffle, (unsigned long)training->seed,
            quoted(arena, training->initial));
  text->indentation--;
  text_line(text, "};");
}

static void emit_generation(struct emitter *emitter, struct text *text, const struct generate_settings *generation) {
  struct arena *arena = emitter->arena;
  text_open(text, "static const struct lam_generation generation =");
  text_line(text, ".feed = %s, .from = %s, .capacity = %lld, .vocabulary = %lld, .start = %lld, .stop = %lld,",
            quoted(arena, generation->feed), quoted(arena, generation->from), (long long)generation->capacity,
            (long long)generation->vocabulary, (long long)generation->start, (long long)generation->stop);
  text->indentation--;
  text_line(text, "};");
}

/* --- The program -------------------------------------------------------------------------------------------------------- */

static const char *port_list(struct arena *arena, const struct routine *routine, int first, int count) {
  if (!count) return "NULL, 0";
  const char *plus = first ? arena_format(arena, " + %d", first) : "";
  return arena_format(arena, "%s_ports%s, %d", routine->name, plus, count);
}

bool program_trains(const struct program *program) { return program->train && program->training && program->data; }

bool program_evaluates(const struct program *program) { return program->evaluate && program->data; }

bool program_generates(const struct program *program) { return program->step && program->generation; }

bool program_reads(const struct program *program) {
  return program->data && (program->train || program->evaluate || program->predict);
}

void emit_verbs(const struct program *program, bool verbs[5]) {
  verbs[0] = program_trains(program);
  verbs[1] = program_evaluates(program);
  verbs[2] = program_generates(program);
  verbs[3] = program->predict != NULL;
  verbs[4] = true;
}

bool emit_has_load(const struct emitter *emitter) {
  bool states = false;
  for (int i = 0; i < emitter->owners.count; i++) states = states || emitter->owners.items[i]->kind == OWNER_STATES;
  return states && emit_runtime_has(emitter, "checkpoint");
}

/* For those who make a memory of their own. */
static void emit_load(struct emitter *emitter, struct text *text) {
  text_open(text, "int %s_load(struct %s *m, const char *path)", emitter->name, emitter->name);
  text_line(text, "struct lam_tensor *list = lam_allocate(TENSORS, sizeof *list);");
  text_line(text, "struct lam_program loaded = program;");
  text_line(text, "struct lam_run run = {0};");
  text_line(text, "lam_list_tensors(families, FAMILIES, m, list);");
  text_line(text, "loaded.tensors = list;");
  text_line(text, "int done = lam_checkpoint_load(&loaded, &run, path, LAM_START_FROM);");
  text_line(text, "for (int i = 0; i < TENSORS; i++) free((char *)list[i].name);");
  text_line(text, "free(list);");
  text_line(text, "lam_pairs_free(&run.facts);");
  text_line(text, "return done;");
  text_close(text);
  text_blank(text);
}

/* A routine as the runtime calls all of them. */
static void emit_run(struct emitter *emitter, struct text *text, const struct routine *routine) {
  const struct routine_parameters parameters = emit_parameters(emitter, routine);
  const char *arguments = "self";
  if (parameters.step) arguments = arena_format(emitter->arena, "%s, step", arguments);
  if (parameters.seed) arguments = arena_format(emitter->arena, "%s, seed", arguments);
  for (int i = 0; i < parameters.sizes; i++) arguments = arena_format(emitter->arena, "%s, sizes[%d]", arguments, i);
  text_open(text, "static int run_%s(void *self, int64_t step, uint32_t seed, const int64_t *sizes)", routine->name);
  if (!parameters.step) text_line(text, "(void)step;");
  if (!parameters.seed) text_line(text, "(void)seed;");
  if (!parameters.sizes) text_line(text, "(void)sizes;");
  text_line(text, "return %s_%s(%s);", emitter->name, routine->name, arguments);
  text_close(text);
}

static void emit_program(struct emitter *emitter, struct text *text, int tensors) {
  static const char *const verb_names[] = {"train", "eval", "generate", "predict", "info"};
  const struct program *program = emitter->program;
  const struct module *module = emitter->module;
  struct arena *arena = emitter->arena;
  bool verbs[5];
  const char *list = "";
  emit_verbs(program, verbs);
  for (int i = 0; i < 5; i++)
    if (verbs[i]) list = arena_format(arena, "%s&lam_%s_verb, ", list, verb_names[i]);
  if (verbs[0] && emitter->options.steps) list = arena_format(arena, "%s&lam_steps_verb, ", list);
  if (emitter->options.bench) list = arena_format(arena, "%s&lam_bench_verb, ", list);
  for (int i = 0; i < module->routines.count; i++) {
    emit_run(emitter, text, module->routines.items[i]);
  }
  if (tensors) text_line(text, "static struct lam_tensor tensors[TENSORS];");
  text_line(text, "static const struct lam_verb *const verbs[] = {%sNULL};", list);
  text_open(text, "static struct lam_program program =");
  text_line(text, ".name = %s, .model = %s, .target = %s, .version = %s,", quoted(arena, program->name),
            quoted(arena, program->model), quoted(arena, emitter->target->name), quoted(arena, LAMELLA_VERSION));
  if (tensors) text_line(text, ".tensors = tensors, .tensor_count = TENSORS,");
  text_open(text, ".routines =");
  for (int i = 0; i < module->routines.count; i++) {
    const struct routine *routine = module->routines.items[i];
    text_line(text, "[%s] = {1, run_%s, %s, %s},", routine_find(routine->name)->constant, routine->name,
              port_list(arena, routine, 0, routine->inputs.count),
              port_list(arena, routine, routine->inputs.count, routine->outputs.count));
  }
  text->indentation--;
  text_line(text, "},");
  text_line(text, ".data = %s, .settings = %s, .generation = %s, .verbs = verbs,", program->data ? "&data" : "NULL",
            program->training ? "&settings" : "NULL", program->generation ? "&generation" : "NULL");
  if (emitter->options.bench) text_line(text, ".bench = &bench,");
  if (emit_runtime_has(emitter, "watch")) text_line(text, ".tracer = &lam_tracer,");
  if (emit_runtime_has(emitter, "handover")) text_line(text, ".handover = &lam_handover,");
  text->indentation--;
  text_line(text, "};");
  text_blank(text);
  text_open(text, "struct lam_program *%s_program(void)", emitter->name);
  text_line(text, "if (program.self) return &program;");
  text_line(text, "struct %s *m = %s_create();", emitter->name, emitter->name);
  text_line(text, "const char *problem = %s_problem();", emitter->name);
  text_line(text, "if (!m) return lam_error(\"%%s\", problem ? problem : \"out of memory\"), NULL;");
  text_line(text, "program.self = m;");
  if (tensors) text_line(text, "lam_list_tensors(families, FAMILIES, m, tensors);");
  text_line(text, "lam_place_ports(&program);");
  text_line(text, "return &program;");
  text_close(text);
  text_blank(text);
  if (emit_has_load(emitter)) emit_load(emitter, text);
  text_raw(text, "#ifndef LAMELLA_NO_MAIN\n");
  text_open(text, "int main(int argc, char **argv)");
  text_line(text, "struct lam_program *self = %s_program();", emitter->name);
  text_line(text, "return self ? lam_main(self, argc, argv) : 1;");
  text_close(text);
  text_raw(text, "#endif\n");
}

void emit_tables(struct emitter *emitter, struct text *text) {
  const struct program *program = emitter->program;
  const struct module *module = emitter->module;
  bool has_tensors = false;
  for (int i = 0; i < module->buffers.count; i++)
    has_tensors = has_tensors || module->buffers.items[i]->role == BUFFER_STATE;
  int tensors = has_tensors ? emit_families(emitter, text) : 0;
  text_raw(text, arena_format(emitter->arena, "#define AT(member) offsetof(struct %s, member)\n", emitter->name));
  for (int i = 0; i < module->routines.count; i++) emit_ports(emitter, text, module->routines.items[i]);
  text_blank(text);
  if (program->data) emit_data(emitter, text, program->data);
  if (program->training) emit_settings(emitter, text, program->training);
  if (program->generation) emit_generation(emitter, text, program->generation);
  if (program->data || program->training || program->generation) text_blank(text);
  if (emitter->options.bench) emit_bench(emitter, text);
  emit_program(emitter, text, tensors);
}
