/* What of the runtime a program needs, by feature: the conditions of runtime/features.h, decided. */
#include <string.h>

#include "codegen/emit.h"

static bool starts(const char *line, const char *with) { return strncmp(line, with, strlen(with)) == 0; }

static bool has_data(const struct emitter *emitter) { return emitter->program->data != NULL; }

static bool has_average(const struct emitter *emitter) {
  const struct program *program = emitter->program;
  for (int i = 0; i < program->states.count; i++)
    if (program->states.items[i]->role == ROLE_AVERAGE) return true;
  return false;
}

static bool has_accumulate(const struct emitter *emitter) { return emitter->program->accumulate != NULL; }

static bool has_windows(const struct emitter *emitter) {
  const struct program *program = emitter->program;
  bool text = program->data && program->data->source == DATA_TEXT;
  return text && program->training && program->training->epochs < 0 && program->training->shuffle;
}

static bool has_epochs(const struct emitter *emitter) { return !has_windows(emitter); }

static bool has_mask(const struct emitter *emitter) {
  const struct program *program = emitter->program;
  return program->data && program->data->mask > 0;
}

static bool has_examples(const struct emitter *emitter) {
  const struct program *program = emitter->program;
  struct program copy = *program;
  struct graph **graph;
  for (int number = 0; (graph = program_graph(&copy, number)) != NULL; number++)
    for (int i = 0; *graph && i < (*graph)->values.count; i++) {
      const struct value *value = (*graph)->values.items[i];
      if (value->op == OP_input && value->name && !strcmp(value->name, "example")) return true;
    }
  return false;
}

static bool has_source(const struct emitter *emitter) {
  const struct program *program = emitter->program;
  if (!program->step || !program->generation) return false;
  for (int i = 0; i < program->step->values.count; i++) {
    const struct value *value = program->step->values.items[i];
    if (value->op == OP_input && strcmp(value->name, program->generation->feed) != 0 && strcmp(value->name, "position") != 0)
      return true;
  }
  return program->prepare != NULL;
}

static bool has_categories(const struct emitter *emitter) {
  const struct program *program = emitter->program;
  for (int i = 0; program->data && i < program->data->columns.count; i++)
    if (program->data->columns.items[i].feature == FEATURE_CATEGORY) return true;
  return false;
}

static bool has_characters(const struct emitter *emitter) {
  const struct program *program = emitter->program;
  return program->data && program->data->tokenizer == TOKENIZER_CHAR;
}

static bool has_numbers(const struct emitter *emitter) {
  const struct program *program = emitter->program;
  return !program->data || program->data->tokenizer == TOKENIZER_NONE;
}

static bool has_few_parameters(const struct emitter *emitter) {
  enum { FEW = 16 };
  const struct program *program = emitter->program;
  int64_t numbers = 0;
  for (int i = 0; i < program->states.count && numbers <= FEW; i++) {
    const struct state *state = program->states.items[i];
    int64_t count = state->role == ROLE_PARAMETER;
    for (int k = 0; k < state->axis_count; k++) count *= state->axes[k]->extent;
    numbers += count;
  }
  return numbers <= FEW;
}

static bool has_double(const struct emitter *emitter) { return emitter->target->double_precision; }

static bool has_bench(const struct emitter *emitter) { return emitter->options.bench; }

static bool has_handover(const struct emitter *emitter) { return emitter->options.handover; }

static bool never(const struct emitter *emitter) { return !emitter; }

/* The conditions of runtime/features.h: the output has what a program meets, and none of the conditions. */
static const struct condition {
  const char *name;
  bool (*is_met)(const struct emitter *emitter);
} conditions[] = {
    {"LAM_WITH_DATA", has_data},
    {"LAM_WITH_AVERAGE", has_average},
    {"LAM_WITH_ACCUMULATE", has_accumulate},
    {"LAM_WITH_WINDOWS", has_windows},
    {"LAM_WITH_EPOCHS", has_epochs},
    {"LAM_WITH_MASK", has_mask},
    {"LAM_WITH_EXAMPLES", has_examples},
    {"LAM_WITH_SOURCE", has_source},
    {"LAM_WITH_CATEGORIES", has_categories},
    {"LAM_WITH_CHARACTERS", has_characters},
    {"LAM_WITH_NUMBERS", has_numbers},
    {"LAM_WITH_FEW_PARAMETERS", has_few_parameters},
    {"LAM_WITH_DOUBLE", has_double},
    {"LAM_WITH_BENCH", has_bench},
    {"LAM_WITH_HANDOVER", has_handover},
    {"LAM_WITH_FILES_APART", never},
};

static bool is_met(const struct emitter *emitter, const char *line) {
  const char *name = line + strlen("#if ");
  size_t length = strcspn(name, " ");
  for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
    if (!strncmp(conditions[i].name, name, length) && !conditions[i].name[length]) return conditions[i].is_met(emitter);
  bug("the runtime asks for %s, which codegen/emit_conditions.c does not know", name);
}

enum { DEEPEST = 32 };

const char *emit_conditions(const struct emitter *emitter, const char *contents) {
  struct arena *arena = emitter->arena;
  struct text *text = text_new(arena);
  enum { OTHER, MET, UNMET } stack[DEEPEST];
  int depth = 0, unmet = 0;
  while (*contents) {
    size_t length = strcspn(contents, "\n");
    const char *line = arena_copy(arena, contents, length);
    contents += length + (contents[length] == '\n');
    bool decided = false;
    if (starts(line, "#if")) {
      if (depth == DEEPEST) bug("conditions of the runtime are nested too deeply");
      decided = starts(line, "#if LAM_WITH_");
      stack[depth++] = !decided ? OTHER : is_met(emitter, line) ? MET : UNMET;
      unmet += stack[depth - 1] == UNMET;
    } else if (starts(line, "#else") && depth && stack[depth - 1] != OTHER) {
      decided = true;
      unmet += stack[depth - 1] == MET ? 1 : -1;
      stack[depth - 1] = stack[depth - 1] == MET ? UNMET : MET;
    } else if (starts(line, "#endif") && depth) {
      decided = stack[--depth] != OTHER;
      unmet -= stack[depth] == UNMET;
    }
    /* Spans are for traces. */
    decided = decided || (!emitter->options.bench && starts(line + strspn(line, " "), "lam_span_"));
    if (!decided && !unmet) text_raw(text, arena_format(arena, "%s\n", line));
  }
  if (depth) bug("a condition of the runtime has no end");
  return text_string(text);
}
