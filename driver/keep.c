/* A part of a program: the routines that are asked for, and what these need. What goes is gone before any pass sees it. */
#include "driver/driver.h"

#include <string.h>

/* A set of routines, 1 << the number of program_graph each. */
typedef unsigned routine_set;
_Static_assert(ROUTINE_COUNT + MOST_PREDICTIONS <= 32, "a set of routines has a bit for each");

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
    {ROUTINE_calibrate, "calibrate", 1u << ROUTINE_synthesize, 0,
     "a calibrate block, and rules of its pipeline that measure,"},
    {ROUTINE_predict, "predict", 0, 1u << ROUTINE_synthesize, "a model"},
    {ROUTINE_step, "generate", 1u << ROUTINE_prepare, 0, "a generate block"},
    {ROUTINE_synthesize, NULL, 0, 0, "a data block with 'examples'"},
};
enum { KEEPABLE = sizeof keepable / sizeof *keepable };

static const char *name_of(const struct kept *row) { return routine_facts[row->routine].name; }

/* The row's routine and what comes with it: with predict, the predictions for other batches. */
static routine_set set_of(struct program *program, const struct kept *row) {
  routine_set set = 1u << row->routine | row->needs;
  for (int i = ROUTINE_COUNT; row->routine == ROUTINE_predict && program_graph(program, i); i++) set |= 1u << i;
  return set;
}

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
    for (int number = 0; program_graph(program, number); number++) used |= uses(*program_graph(program, number), state);
    if (used) program->states.items[count++] = state;
  }
  program->states.count = count;
}

/* Of the data what feeds an input stays, and of data that nothing reads what generation asks of it: which text its ids stand for.
   Categories stay, fed or not, since outputs are often their ids. */
static void drop_data(struct program *program) {
  struct data_settings *data = program->data;
  const bool trains = program->train || program->evaluate || program->calibrate;
  if (data->source == DATA_SYNTHETIC && !program->synthesize) data = NULL;
  if (data && !trains && !program_predicts(program) && !program->step) data = NULL;
  program->data = data;
  if (!data) return;
  int count = 0;
  for (int i = 0; i < data->columns.count; i++) {
    bool used = data->columns.items[i].feature == FEATURE_CATEGORY;
    for (int number = 0; program_graph(program, number); number++)
      used |= reads(*program_graph(program, number), data->columns.items[i].name);
    if (used) data->columns.items[count++] = data->columns.items[i];
  }
  data->columns.count = count;
  if (!trains) data->mask = 0; /* examples are spoilt for these alone */
}

static void keep(struct program *program, routine_set kept) {
  bool dropped = false;
  for (int i = 0; program_graph(program, i); i++) {
    if (kept >> i & 1 || !*program_graph(program, i)) continue;
    if (program_uses_model(program, *program_graph(program, i)))
      array_push(program->arena, &program->left_out, ((struct left_out){i, *program_graph(program, i)}));
    *program_graph(program, i) = NULL;
    dropped = true;
  }
  if (!dropped) return;
  int predictions = 0;
  for (int i = 0; i < program->predictions.count; i++)
    if (program->predictions.items[i].graph) program->predictions.items[predictions++] = program->predictions.items[i];
  program->predictions.count = predictions;
  drop_states(program);
  if (program->data) drop_data(program);
  if (!program->step) program->generation = NULL;
}

void keep_for_verb(struct program *program, const char *verb) {
  for (int i = 0; verb && i < KEEPABLE; i++) {
    const struct kept *row = &keepable[i];
    if (!row->verb || strcmp(verb, row->verb) != 0 || !*program_graph(program, row->routine)) continue;
    keep(program, set_of(program, row) | row->verb_uses);
  }
}

void keep_untrained(struct program *program, bool predicts, bool generates) {
  routine_set kept = 0;
  for (int i = 0; i < KEEPABLE; i++) {
    const struct kept *row = &keepable[i];
    if (row->routine == ROUTINE_evaluate || (row->routine == ROUTINE_predict && predicts) ||
        (row->routine == ROUTINE_step && generates))
      kept |= set_of(program, row);
  }
  keep(program, kept);
}

/* --- --only --------------------------------------------------------------------------------------------------------------- */

/* "train, evaluate, predict" */
static const char *list_routines(struct arena *arena, struct program *program) {
  const char *list = "";
  for (int i = 0; i < KEEPABLE; i++) {
    if (*program_graph(program, keepable[i].routine))
      list = arena_format(arena, "%s%s%s", list, *list ? ", " : "", name_of(&keepable[i]));
    for (int k = 0; keepable[i].routine == ROUTINE_predict && k < program->predictions.count; k++)
      list = arena_format(arena, "%s, %s", list, program->predictions.items[k].graph->name);
  }
  return list;
}

/* The set of the prediction that is called so; 0 where there is none. */
static routine_set prediction_called(const struct program *program, const char *name) {
  for (int i = 0; i < program->predictions.count; i++)
    if (!strcmp(program->predictions.items[i].graph->name, name)) return 1u << (ROUTINE_COUNT + i);
  return 0;
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
  const char *list = list_routines(arena, program), *names[2 * KEEPABLE + MOST_PREDICTIONS];
  const char *predict = routine_facts[ROUTINE_predict].name;
  const size_t length = strlen(predict);
  int count = 0;
  for (int i = 0; i < KEEPABLE; i++) {
    if (!*program_graph(program, keepable[i].routine)) continue;
    names[count++] = name_of(&keepable[i]);
    if (keepable[i].verb) names[count++] = keepable[i].verb;
  }
  for (int i = 0; i < program->predictions.count; i++) names[count++] = program->predictions.items[i].graph->name;
  const char *closest = closest_name(name, names, count);
  const struct kept *row = find_keepable(name);
  if (!strncmp(name, predict, length) && name[length] == '_' && name[length + 1] > '0' &&
      strspn(name + length + 1, "0123456789") == strlen(name + length + 1)) {
    report_error(diagnostics, span, "this program has no routine '%s', which --batch=%s would give it; it has %s", name,
                 name + length + 1, list);
    return;
  }
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
    const routine_set prediction = prediction_called(program, name);
    if (begin == end)
      report_error(diagnostics, span, "a routine is expected here; this program has %s", list_routines(arena, program));
    else if (prediction)
      kept |= prediction;
    else if (!row || !*program_graph(program, row->routine))
      report_unknown(program, diagnostics, span, name);
    else
      kept |= set_of(program, row);
    if (!*next) break;
    at = next + 1;
  }
  if (diagnostics->error_count > before) return false;
  if (!(kept & set_of(program, find_keepable(routine_facts[ROUTINE_predict].name)))) {
    const struct span all = {source, 0, (int)source->length};
    if (options->dumps.count)
      report_error(diagnostics, all, "--dump keeps values of predict, which --only leaves out; add predict");
    if (options->batch)
      report_error(diagnostics, all,
                   "--batch is for predict, which --only leaves out; add predict, or leave out --batch");
    if (options->dumps.count || options->batch) return false;
  }
  keep(program, kept);
  return true;
}
