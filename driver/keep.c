/* A part of a program: the routines that are asked for, and what these need. What goes is gone before any pass sees it. */
#include "driver/driver.h"

#include <string.h>

/* A set of routines, 1 << enum routine_number each. */
typedef unsigned routine_set;

/* The routines that are asked for by name: by their own, or by that of the program's verb. `needs` come along; without those of
   `verb_uses` the verb of a program does less, and does so without a word. */
static const struct kept {
  enum routine_number routine;
  const char *verb; /* or NULL */
  routine_set needs, verb_uses;
  const char *from; /* what in a spec gives it */
} keepable[] = {
    {ROUTINE_train, "train", 1u << ROUTINE_accumulate | 1u << ROUTINE_synthesize, 1u << ROUTINE_evaluate,
     "a train block"},
    {ROUTINE_evaluate, "eval", 1u << ROUTINE_synthesize, 0, "a train block"},
    {ROUTINE_predict, "predict", 0, 1u << ROUTINE_synthesize, "a model"},
    {ROUTINE_step, "generate", 1u << ROUTINE_prepare, 0, "a generate block"},
    {ROUTINE_synthesize, NULL, 0, 0, "a data block with 'examples'"},
};
enum { KEEPABLE = sizeof keepable / sizeof *keepable };

static const char *name_of(const struct kept *row) { return routine_facts[row->routine].name; }

static bool reads(const struct graph *graph, const char *input) {
  for (int i = 0; graph && i < graph->values.count; i++)
    if (graph->values.items[i]->op == OP_input && !strcmp(graph->values.items[i]->name, input)) return true;
  return false;
}

static bool uses(const struct graph *graph, const struct state *state) {
  for (int i = 0; graph && i < graph->values.count; i++)
    if (graph->values.items[i]->state == state) return true;
  return false;
}

/* Parameters stay, read or not: weights are loaded by them, and averages begin as their copies. */
static void drop_states(struct program *program) {
  int count = 0;
  for (int i = 0; i < program->states.count; i++) {
    struct state *state = program->states.items[i];
    bool used = state->role == ROLE_PARAMETER;
    for (int number = 0; number < ROUTINE_COUNT; number++) used |= uses(*program_graph(program, number), state);
    if (used) program->states.items[count++] = state;
  }
  program->states.count = count;
}

/* Of the data what feeds an input stays, and of data that nothing reads what generation asks of it: which text its ids stand for. */
static void drop_data(struct program *program) {
  struct data_settings *data = program->data;
  const bool trains = program->train || program->evaluate;
  if (data->source == DATA_SYNTHETIC && !program->synthesize) data = NULL;
  if (data && !trains && !program->predict && !program->step) data = NULL;
  program->data = data;
  if (!data) return;
  int count = 0;
  for (int i = 0; i < data->columns.count; i++) {
    bool used = false;
    for (int number = 0; number < ROUTINE_COUNT; number++)
      used |= reads(*program_graph(program, number), data->columns.items[i].name);
    if (used) data->columns.items[count++] = data->columns.items[i];
  }
  data->columns.count = count;
  if (!trains) data->mask = 0; /* examples are spoilt for these alone */
}

static void keep(struct program *program, routine_set kept) {
  bool dropped = false;
  for (int i = 0; i < ROUTINE_COUNT; i++) {
    if (kept >> i & 1 || !*program_graph(program, i)) continue;
    *program_graph(program, i) = NULL;
    dropped = true;
  }
  if (!dropped) return;
  drop_states(program);
  if (program->data) drop_data(program);
  if (!program->step) program->generation = NULL;
}

void keep_for_verb(struct program *program, const char *verb) {
  for (int i = 0; verb && i < KEEPABLE; i++) {
    const struct kept *row = &keepable[i];
    if (!row->verb || strcmp(verb, row->verb) != 0 || !*program_graph(program, row->routine)) continue;
    keep(program, 1u << row->routine | row->needs | row->verb_uses);
  }
}

/* --- --only --------------------------------------------------------------------------------------------------------------- */

/* "train, evaluate, predict" */
static const char *list_routines(struct arena *arena, struct program *program) {
  const char *list = "";
  for (int i = 0; i < KEEPABLE; i++)
    if (*program_graph(program, keepable[i].routine))
      list = arena_format(arena, "%s%s%s", list, *list ? ", " : "", name_of(&keepable[i]));
  return list;
}

static const struct kept *find_keepable(const char *name) {
  for (int i = 0; i < KEEPABLE; i++)
    if (!strcmp(name, name_of(&keepable[i])) || (keepable[i].verb && !strcmp(name, keepable[i].verb)))
      return &keepable[i];
  return NULL;
}

static void report_unknown(struct program *program, struct diagnostics *diagnostics, struct span span,
                           const char *name) {
  struct arena *arena = diagnostics->arena;
  const char *list = list_routines(arena, program), *names[2 * KEEPABLE];
  int count = 0;
  for (int i = 0; i < KEEPABLE; i++) {
    if (!*program_graph(program, keepable[i].routine)) continue;
    names[count++] = name_of(&keepable[i]);
    if (keepable[i].verb) names[count++] = keepable[i].verb;
  }
  const char *closest = closest_name(name, names, count);
  const struct kept *row = find_keepable(name);
  for (int i = 0; i < KEEPABLE; i++) /* one that comes with another */
    for (int number = 0; number < ROUTINE_COUNT; number++)
      if (keepable[i].needs >> number & 1 && !find_keepable(routine_facts[number].name) &&
          !strcmp(routine_facts[number].name, name)) {
        report_error(diagnostics, span, "'%s' is a part of %s and comes with it; this program has %s", name,
                     name_of(&keepable[i]), list);
        return;
      }
  if (row)
    report_error(diagnostics, span, "this program has no routine '%s', which %s in its spec would give it; it has %s",
                 name, row->from, list);
  else if (closest)
    report_error(diagnostics, span, "no routine is called '%s'; did you mean '%s'? This program has %s", name, closest,
                 list);
  else
    report_error(diagnostics, span, "no routine is called '%s'; this program has %s", name, list);
}

bool keep_only(struct program *program, const struct options *options, struct diagnostics *diagnostics) {
  if (!options->only) return true;
  struct arena *arena = options->arena;
  const struct source *source = source_from_text(arena, "--only", options->only);
  const int before = diagnostics->error_count;
  routine_set kept = 0;
  for (const char *at = options->only;;) {
    const char *begin = at + strspn(at, " "), *end = begin + strcspn(begin, ","), *next = end;
    while (end > begin && end[-1] == ' ') end--;
    const char *name = arena_copy(arena, begin, (size_t)(end - begin));
    const struct span span = {source, (int)(begin - options->only), (int)(end - options->only)};
    const struct kept *row = find_keepable(name);
    if (begin == end)
      report_error(diagnostics, span, "a routine is expected here; this program has %s", list_routines(arena, program));
    else if (!row || !*program_graph(program, row->routine))
      report_unknown(program, diagnostics, span, name);
    else
      kept |= 1u << row->routine | row->needs;
    if (!*next) break;
    at = next + 1;
  }
  if (diagnostics->error_count > before) return false;
  if (options->dumps.count && !(kept >> ROUTINE_predict & 1)) {
    report_error(diagnostics, (struct span){source, 0, (int)source->length},
                 "--dump keeps values of predict, which --only leaves out; add predict");
    return false;
  }
  keep(program, kept);
  return true;
}
