#include "ir/program.h"

#include <string.h>

const struct routine_facts routine_facts[ROUTINE_COUNT] = {
#define ROUTINE(name, constant, summary) {#name, #constant, summary},
#include "ir/routines.def"
#undef ROUTINE
};

const struct routine_facts *routine_find(const char *name) {
  for (int i = 0; i < ROUTINE_COUNT; i++)
    if (!strcmp(routine_facts[i].name, name)) return &routine_facts[i];
  bug("no program has a routine %s", name);
}

struct graph **program_graph(struct program *program, int number) {
  struct graph **graphs[] = {
#define ROUTINE(name, constant, summary) &program->name,
#include "ir/routines.def"
#undef ROUTINE
  };
  if (number < 0 || number >= ROUTINE_COUNT + program->predictions.count) return NULL;
  return number < ROUTINE_COUNT ? graphs[number] : &program->predictions.items[number - ROUTINE_COUNT].graph;
}

const struct prediction *program_prediction(const struct program *program, const char *name) {
  for (int i = 0; i < program->predictions.count; i++) {
    const struct prediction *prediction = &program->predictions.items[i];
    if (!strcmp(prediction->graph->name, name)) return prediction;
  }
  return NULL;
}

bool program_predicts(const struct program *program) { return program->predict || program->predictions.count; }
