#include "ir/program.h"

#include <string.h>

const struct routine_facts routine_facts[ROUTINE_COUNT] = {
#define ROUTINE(name, constant, summary) {#name, #constant, summary},
#include "ir/routines.def"
#undef ROUTINE
};

struct graph **program_graph(struct program *program, int number) {
  struct graph **graphs[] = {
#define ROUTINE(name, constant, summary) &program->name,
#include "ir/routines.def"
#undef ROUTINE
  };
  if (number < 0 || number >= ROUTINE_COUNT + program->predictions.count) return NULL;
  return number < ROUTINE_COUNT ? graphs[number] : &program->predictions.items[number - ROUTINE_COUNT].graph;
}

const struct prediction *program_prediction(const struct program *program, int number) {
  return number < ROUTINE_COUNT ? NULL : &program->predictions.items[number - ROUTINE_COUNT];
}

bool program_uses_model(const struct program *program, const struct graph *graph) {
  return graph && graph != program->train && graph != program->accumulate && graph != program->calibrate &&
         graph != program->synthesize && graph != program->prune && graph != program->derive;
}

bool program_has_steps(const struct program *program) {
  for (int i = 0; i < program->states.count; i++)
    if (program->states.items[i]->role == ROLE_QUANTIZED) return true;
  return false;
}

bool program_predicts(const struct program *program) { return program->predict || program->predictions.count; }
/* Of columns with the same meaning, those without a range say nothing where another has one. */
data_ids_list data_ids_of(struct arena *arena, const struct data_settings *data) {
  data_ids_list list = {0};
  for (int i = 0; data && i < data->columns.count; i++) {
    const struct column *column = &data->columns.items[i];
    const bool category = column->feature == FEATURE_CATEGORY, masked = data->mask > 0,
               tokens = column->feature == FEATURE_TOKENS || column->feature == FEATURE_NEXT ||
                        column->feature == FEATURE_TARGET;
    if (column->kind != KIND_INTEGER || !(category || (tokens && data->tokenizer != TOKENIZER_NONE))) continue;
    struct data_ids ids = {category ? column->field : NULL, column->range, 0};
    if (column->feature == FEATURE_TOKENS && masked && data->tokenizer == TOKENIZER_CHAR) ids.reserved = 1;
    bool known = false;
    for (int k = 0; k < list.count && !known; k++) {
      struct data_ids *other = &list.items[k];
      if (!other->field != !ids.field || (ids.field && strcmp(other->field, ids.field) != 0)) continue;
      known = !ids.range || !other->range || other->range == ids.range;
      if (!known) continue;
      if (ids.range) other->range = ids.range;
      if (ids.reserved) other->reserved = ids.reserved;
    }
    if (!known) array_push(arena, &list, ids);
  }
  return list;
}

bool program_is_in_base(const struct program *program, const struct state *state) {
  return program->adapters.count && state->role == ROLE_PARAMETER && state->frozen && !is_of_adapter(state);
}
