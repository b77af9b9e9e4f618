/* Prints the tables that the runtime reads (runtime/program.h), and main. */
#include <string.h>

#include "codegen/emit.h"
#include "codegen/emit_text.h"

static const char *const reader_names[] = {"&lam_text_reader", "&lam_csv_reader", "&lam_synthetic_reader"};
static const char *const tokenizer_names[] = {"NULL", "&lam_char_tokenizer", "&lam_byte_tokenizer"};
static const char *const feature_names[] = {
    "LAM_TOKENS", "LAM_NEXT",   "LAM_WEIGHT",   "LAM_TARGET",  "LAM_ZERO",
    "LAM_YES",    "LAM_NUMBER", "LAM_CATEGORY", "LAM_PRESENT", "LAM_SYNTHETIC_COLUMN"};

/* --- Data and settings -------------------------------------------------------------------------------------------------- */

static void emit_data(struct emitter *emitter, struct text *text, const struct data_settings *data) {
  struct arena *arena = emitter->arena;
  if (data->columns.count) {
    text_open(text, "static const struct lam_column columns[] =");
    for (int i = 0; i < data->columns.count; i++) {
      const struct column *column = &data->columns.items[i];
      text_line(text, "{%s, %s, %s, %s, %lld, %lld, %lld, %lld},", c_string(arena, column->name),
                feature_names[column->feature], c_string(arena, column->field), c_kind_constants[column->kind],
                (long long)column->length, (long long)column->range, (long long)column->start, (long long)column->stop);
    }
    text->indentation--;
    text_line(text, "};");
  }
  text_open(text, "static const struct lam_data data =");
  const char *reader = program_reads(emitter->program) ? reader_names[data->source] : "NULL";
  text_line(text, ".name = %s, .path = %s, .reader = %s, .tokenizer = %s,", c_string(arena, data->name),
            c_string(arena, data->path), reader, tokenizer_names[data->tokenizer]);
  if (data->path_here) text_line(text, ".path_here = 1,");
  text_line(text, ".examples = %lld, .split = %s, .mask = %s, .columns = %s, .column_count = %d,",
            (long long)data->examples, c_double(arena, data->split), c_double(arena, data->mask),
            data->columns.count ? "columns" : "NULL", data->columns.count);
  if (data->mask > 0) text_line(text, ".corruption = &lam_masking,");
  text->indentation--;
  text_line(text, "};");
}

static void emit_calibration(struct text *text, const struct calibrate_settings *calibration) {
  text_line(text, "static const struct lam_calibration calibration = {.examples = %lld};",
            (long long)calibration->examples);
}

/* In a program that cannot train, only the seed matters: draws of other verbs use it, too. */
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
            c_double(arena, training->clip), c_double(arena, training->average), (long long)training->evaluate_every,
            (long long)training->checkpoint_every, (long long)training->log_every);
  text_line(text, ".shuffle = %d, .seed = %lu, .initial = %s,", training->shuffle, (unsigned long)training->seed,
            c_string(arena, training->initial));
  if (training->initial_here) text_line(text, ".initial_here = 1,");
  text->indentation--;
  text_line(text, "};");
}

static void emit_generation(struct emitter *emitter, struct text *text, const struct generate_settings *generation) {
  struct arena *arena = emitter->arena;
  text_open(text, "static const struct lam_generation generation =");
  text_line(text, ".feed = %s, .from = %s, .capacity = %lld, .vocabulary = %lld, .start = %lld, .stop = %lld,",
            c_string(arena, generation->feed), c_string(arena, generation->from), (long long)generation->capacity,
            (long long)generation->vocabulary, (long long)generation->start, (long long)generation->stop);
  if (program_reads_source(emitter->program)) text_line(text, ".source = lam_read_source,");
  text->indentation--;
  text_line(text, "};");
}

/* --- The program -------------------------------------------------------------------------------------------------------- */

bool program_trains(const struct program *program) { return program->train && program->training && program->data; }

bool program_evaluates(const struct program *program) { return program->evaluate && program->data; }

bool program_calibrates(const struct program *program) { return program->calibrate && program->data; }

bool program_generates(const struct program *program) { return program->step && program->generation; }

bool program_reads(const struct program *program) {
  return program->data && (program->train || program->evaluate || program->calibrate || program_predicts(program));
}

/* Besides what it goes on with and where that stands, the step of such a program has inputs, or it prepares some. */
bool program_reads_source(const struct program *program) {
  if (!program_generates(program)) return false;
  bool more = program->prepare != NULL;
  for (int i = 0; i < program->step->values.count; i++) {
    const struct value *value = program->step->values.items[i];
    more |= value->op == OP_input && value->axis_count > 1 && value->run_input != RUN_POSITION &&
            strcmp(value->name, program->generation->feed) != 0;
  }
  return more;
}

bool program_has_categories(const struct program *program) {
  for (int i = 0; program->data && i < program->data->columns.count; i++)
    if (program->data->columns.items[i].feature == FEATURE_CATEGORY) return true;
  return false;
}

void emit_verbs(const struct program *program, bool verbs[EMITTED_VERBS]) {
  verbs[0] = program_trains(program);
  verbs[1] = program_evaluates(program);
  verbs[2] = program_generates(program);
  verbs[3] = program_predicts(program);
  verbs[4] = program_calibrates(program);
  verbs[5] = true;
}

/* Prints run_NAME, by which the runtime calls the routine with the same arguments as any other. */
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

static const char *reads_derived(const struct emitter *emitter, const struct routine *routine) {
  return emit_reads_derived(emitter, routine) ? ", .reads_derived = 1" : "";
}

/* Prints the table of predictions for batches of other sizes, by which the runtime calls them like any other routine. */
static void emit_predictions(const struct emitter *emitter, struct text *text) {
  const struct program *program = emitter->program;
  if (!program->predictions.count) return;
  text_open(text, "static struct lam_prediction run_predictions[] =");
  for (int i = 0; i < program->predictions.count; i++) {
    const char *name = program->predictions.items[i].graph->name;
    text_line(text, "{.name = %s, .routine = {.exists = 1, .run = run_%s%s}},", c_string(emitter->arena, name), name,
              reads_derived(emitter, emit_routine_find(emitter, ROUTINE_COUNT + i)));
  }
  text->indentation--;
  text_line(text, "};");
}

static void emit_prunings(struct text *text, const struct program *program) {
  text_open(text, "static const struct lam_pruning pruning[] =");
  for (int i = 0; i < program->prunings.count; i++) {
    const struct pruning *own = &program->prunings.items[i];
    text_line(text, "{%lld, %lld, %lld},", (long long)own->begin, (long long)own->end, (long long)own->every);
  }
  text->indentation--;
  text_line(text, "};");
  text_line(text, "static const struct lam_prunings prunings = {pruning, %d};", program->prunings.count);
}

static void emit_program(struct emitter *emitter, struct text *text) {
  static const char *const verb_names[] = {"train", "eval", "generate", "predict", "calibrate", "info"};
  const struct program *program = emitter->program;
  const struct module *module = emitter->module;
  struct arena *arena = emitter->arena;
  bool verbs[EMITTED_VERBS];
  const char *list = "";
  emit_verbs(program, verbs);
  for (int i = 0; i < EMITTED_VERBS; i++)
    if (verbs[i]) list = arena_format(arena, "%s&lam_%s_verb, ", list, verb_names[i]);
  if (program_has_steps(program) && !emitter->options.weights)
    list = arena_format(arena, "%s&lam_quantize_verb, ", list);
  if (emitter->options.steps && (verbs[0] || verbs[1]))
    list = arena_format(arena, "%s&lam_%s_verb, ", list, verbs[0] ? "steps" : "measure");
  if (emitter->options.bench) list = arena_format(arena, "%s&lam_bench_verb, ", list);
  if (emit_runtime_has(emitter, "adapters")) list = arena_format(arena, "%s&lam_merge_verb, ", list);
  for (int i = 0; i < module->routines.count; i++) {
    emit_run(emitter, text, module->routines.items[i]);
  }
  emit_predictions(emitter, text);
  text_line(text, "static const struct lam_verb *const verbs[] = {%sNULL};", list);
  text_open(text, "static struct lam_program program =");
  text_line(text, ".name = %s, .target = %s, .version = %s,", c_string(arena, program->name),
            c_string(arena, emitter->target->name), c_string(arena, LAMELLA_VERSION));
  if (module->routines.count > program->predictions.count) {
    text_open(text, ".routines =");
    for (int i = 0; i < module->routines.count; i++) {
      const struct routine *routine = module->routines.items[i];
      if (program_prediction(program, routine->number)) continue;
      text_line(text, "[%s] = {.exists = 1, .run = run_%s%s},", routine_facts[routine->number].constant, routine->name,
                reads_derived(emitter, routine));
    }
    text->indentation--;
    text_line(text, "},");
  }
  text_line(text, ".data = %s, .settings = %s, .generation = %s, .verbs = verbs,", program->data ? "&data" : "NULL",
            program->training ? "&settings" : "NULL", program->generation ? "&generation" : "NULL");
  if (program_calibrates(program)) text_line(text, ".calibration = &calibration,");
  if (program->prune) text_line(text, ".prunings = &prunings, .prune = lam_prune_when_due,");
  if (program->predictions.count)
    text_line(text, ".predictions = run_predictions, .prediction_count = %d, .choose = %s,", program->predictions.count,
              program->mixes_examples ? "lam_choose_first" : "lam_choose_size");
  if (emit_runtime_has(emitter, "places"))
    text_raw(text, "#ifdef LAMELLA_SPEC_FOLDER\n  .spec_folder = LAMELLA_SPEC_FOLDER,\n#endif\n");
  if (emitter->options.bench) text_line(text, ".bench = &bench,");
  if (emit_runtime_has(emitter, "watch")) text_line(text, ".tracer = &lam_tracer,");
  if (emit_runtime_has(emitter, "adapters")) text_line(text, ".adapters = &lam_adapters,");
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
  text_line(text, "program.model = m->library;");
  text_line(text, "lam_place_ports(&program);");
  text_line(text, "return &program;");
  text_close(text);
  text_blank(text);
  text_raw(text, "#ifndef LAMELLA_NO_MAIN\n");
  text_open(text, "int main(int argc, char **argv)");
  text_line(text, "struct lam_program *self = %s_program();", emitter->name);
  text_line(text, "return self ? lam_main(self, argc, argv) : 1;");
  text_close(text);
  text_raw(text, "#endif\n");
}

void emit_tables(struct emitter *emitter, struct text *text) {
  const struct program *program = emitter->program;
  if (program->data) emit_data(emitter, text, program->data);
  if (program->training) emit_settings(emitter, text, program->training);
  if (program_calibrates(program)) emit_calibration(text, program->calibration);
  if (program->generation) emit_generation(emitter, text, program->generation);
  if (program->prune) emit_prunings(text, program);
  if (program->data || program->training || program->generation || program->prune) text_blank(text);
  if (emitter->options.bench) emit_bench(emitter, text);
  emit_program(emitter, text);
}
