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
  return number >= 0 && number < ROUTINE_COUNT ? graphs[number] : NULL;
}
