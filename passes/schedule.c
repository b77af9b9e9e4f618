/* From graphs to loops: see schedule.h for the order of work. */
#include "passes/stream.h"

#include <string.h>

void keep(struct scheduler *s, const struct value *value, enum keep_reason why) {
  struct note *note = note_of(s, value);
  if (!note->materialised) note->kept = why;
  note->materialised = true;
}

static bool is_leaf(const struct value *value) { return op_facts[value->op].class == CLASS_LEAF; }

/* Without fusion every value is kept but views and constants, which have nothing to compute. */
static void materialise_all(struct scheduler *s) {
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    enum op_class class = op_facts[value->op].class;
    if (class == CLASS_VIEW || class == CLASS_STOP || is_leaf(value) || class == CLASS_UPDATE) continue;
    keep(s, value, KEEP_UNFUSED);
  }
}

/* Updates are written at the end, when nothing reads the old contents any more, from values that were computed
   before. */
static void prepare_updates(struct scheduler *s) {
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (value->op != OP_update) continue;
    /* The strides of a place are in the order of the axes of the value that is stored there. */
    struct place *place = place_of_state(s, value->state, value->input_count == 2 ? value : value->inputs[0]);
    if (value->input_count == 2) {
      note_of(s, value)->place = place;
      keep(s, value, KEEP_UPDATE);
      continue;
    }
    struct value *source = value->inputs[0];
    struct place *from = NULL;
    if (source->op == OP_state) {
      from =
          place_new(s, source, BUFFER_ACTIVATION, arena_format(s->arena, "%s.old", source->state->name), source->axes);
      array_push(s->arena, &s->decisions.copies, (struct copy){source, NULL, from, "save", COPY_SAVED});
    } else if (source->op != OP_constant && source->op != OP_input) {
      keep(s, source, KEEP_UNFUSED);
    }
    array_push(s->arena, &s->decisions.copies, (struct copy){source, from, place, "update", COPY_UPDATE});
  }
}

/* Schedules a contraction by tiles. False when the value is none, or cannot go by tiles. `ended`: whether the kernel also
   computes what else is in the cluster, which may be NULL. */
static bool tile_contract(struct scheduler *s, const struct value *value, const struct cluster *cluster, bool *ended) {
  const struct note *note = note_of(s, value);
  *ended = false;
  if (value->op != OP_contract && !note->absorbed) return false;
  times_enter(s->options->times, "tile");
  enum untiled_reason why = schedule_contract(s, value, cluster, ended);
  times_leave(s->options->times);
  note_of(s, value)->untiled = why;
  return why == UNTILED_NOT;
}

/* From here on launches belong to the cluster or to the copy. */
static void tell(struct scheduler *s, struct cluster *cluster, const struct copy *copy) {
  if (!s->options->clusters) return;
  array_push(s->arena, &s->decisions.told, ((struct told){cluster, copy, s->routine->launches.count, 0}));
}

static void told(struct scheduler *s) {
  if (!s->options->clusters) return;
  struct told *last = &s->decisions.told.items[s->decisions.told.count - 1];
  last->count = s->routine->launches.count - last->first;
}

/* The cluster is computed by this launch, which may be for others, too. */
static void told_launch(struct scheduler *s, int launch) {
  if (!s->options->clusters) return;
  struct told *last = &s->decisions.told.items[s->decisions.told.count - 1];
  last->first = launch, last->count = 1;
}

/* Without fusion each value is told as the only one of a cluster. */
static struct cluster *single_cluster(struct scheduler *s, const struct value *value) {
  struct cluster *cluster = arena_new_struct(s->arena, struct cluster);
  cluster->kind = value->op == OP_contract ? CLUSTER_CONTRACT : CLUSTER_OTHER;
  array_push(s->arena, &cluster->values, value);
  cluster->space_count = value->axis_count;
  memcpy(cluster->space, value->axes, sizeof *value->axes * (size_t)value->axis_count);
  note_of(s, value)->cluster = cluster;
  return cluster;
}

static void schedule_naively(struct scheduler *s) {
  materialise_all(s);
  prepare_updates(s);
  layout_intermediates(s);
  for (int i = 0; i < s->graph->values.count; i++) {
    const struct value *value = s->graph->values.items[i];
    if (!note_of(s, value)->materialised) continue;
    if (s->options->clusters) tell(s, single_cluster(s, value), NULL);
    bool ended;
    if (!tile_contract(s, value, NULL, &ended)) schedule_naive(s, value);
    told(s);
  }
}

/* A contraction with what goes on from its sums: in the same kernel or, where that cannot be, in one after it. */
static void schedule_product(struct scheduler *s, const struct cluster *cluster) {
  bool ended;
  if (!tile_contract(s, cluster->values.items[0], cluster, &ended)) schedule_naive(s, cluster->values.items[0]);
  if (ended || cluster->values.count == 1) return;
  struct cluster *rest = arena_new_struct(s->arena, struct cluster);
  *rest = *cluster;
  rest->kind = CLUSTER_SWEEP;
  rest->values.items = cluster->values.items + 1;
  rest->values.count = cluster->values.count - 1;
  for (int i = 0; i < rest->values.count; i++) note_of(s, rest->values.items[i])->cluster = rest;
  schedule_sweep(s, rest);
}

void schedule_cluster(struct scheduler *s, struct cluster *cluster) {
  switch (cluster->kind) {
    case CLUSTER_CONTRACT:
      schedule_product(s, cluster);
      break;
    case CLUSTER_SWEEP:
      schedule_sweep(s, cluster);
      break;
    case CLUSTER_CONCAT:
      schedule_concat(s, cluster->values.items[0]);
      break;
    case CLUSTER_OTHER:
      schedule_naive(s, cluster->values.items[0]);
      break;
  }
}

static void schedule_clusters(struct scheduler *s) {
  times_enter(s->options->times, "fuse");
  form_clusters(s);
  times_leave(s->options->times);
  for (int i = 0; i < s->decisions.clusters.count; i++) {
    struct cluster *cluster = s->decisions.clusters.items[i];
    struct stream *stream = cluster->stream;
    tell(s, cluster, NULL);
    if (!stream)
      schedule_cluster(s, cluster);
    else if (stream->clusters.items[0] == cluster)
      schedule_stream(s, stream);
    if (!stream)
      told(s);
    else
      told_launch(s, stream->launch);
  }
}

/* Copies come in three parts: before everything else the old contents of states that are outputs, then the other
   outputs, and last what is written to states. */
static void schedule_copies(struct scheduler *s, bool states, bool before) {
  for (int i = 0; i < s->decisions.copies.count; i++) {
    const struct copy *copy = &s->decisions.copies.items[i];
    bool first = copy->value->op == OP_state && copy->place->buffer->role != BUFFER_STATE;
    if ((copy->place->buffer->role == BUFFER_STATE) != states || first != before) continue;
    struct note *note = note_of(s, copy->value);
    struct place *usual = note->place;
    if (copy->from) note->place = copy->from;
    tell(s, NULL, copy);
    schedule_copy(s, copy->value, copy->place, copy->what);
    told(s);
    note->place = usual;
  }
}

static void schedule_graph(struct scheduler *s, int number) {
  struct arena *arena = s->arena;
  const struct graph *graph = *program_graph(s->program, number);
  s->graph = graph;
  s->decisions.notes = arena_new_array(arena, struct note, graph->next_value);
  s->decisions.copies.count = s->decisions.refusals.count = s->decisions.told.count = s->decisions.forms.count = 0;
  s->scratch = (struct scratch){.levels = memo_table_new(arena, graph),
                                .needed = memo_table_new(arena, graph),
                                .flat = memo_table_new(arena, graph),
                                .counts = arena_new_array(arena, struct traversal_count, graph->next_value),
                                .uses = memo_table_new(arena, graph),
                                .told = memo_table_new(arena, graph)};
  s->routine = arena_new_struct(arena, struct routine);
  s->routine->number = number;
  s->routine->name = graph->name;
  s->routine->graph = graph;
  array_push(arena, &s->module->routines, s->routine);
  times_enter(s->options->times, "layout");
  s->facts = facts_find(arena, graph);
  layout_interface(s);
  times_leave(s->options->times);
  if (!s->fuse) schedule_naively(s);
  schedule_copies(s, false, true);
  if (s->fuse) schedule_clusters(s);
  schedule_copies(s, false, false);
  schedule_copies(s, true, false);
  times_enter(s->options->times, "derive");
  const bool derives = number == ROUTINE_derive;
  for (int i = 0; derives && i < s->derived.count; i++) array_push(arena, &s->routine->launches, s->derived.items[i]);
  if (derives) order_derived_launches(s, s->routine);
  if (!derives) choose_derived_launches(s);
  const char *only = s->options->clusters_of;
  if (s->options->clusters && (!only || !strcmp(only, graph->name))) explain_clusters(s, s->options->clusters);
  if (!derives) move_derived_launches(s);
  times_leave(s->options->times);
  times_enter(s->options->times, "plan");
  plan_routine(s, s->routine);
  times_leave(s->options->times);
}

/* The graph derive is the last, since it does launches of all others; where they have some and it has none of its own, it is an
   empty graph. */
static void schedule_derive(struct scheduler *s) {
  struct program *program = s->program;
  if (!program->derive && s->derived.count)
    program->derive = graph_new(s->arena, routine_facts[ROUTINE_derive].name, &program->next_axis);
  if (program->derive) schedule_graph(s, ROUTINE_derive);
}

struct module *run_schedules(struct program *program, const struct pass_options *options,
                             struct diagnostics *diagnostics) {
  struct arena *arena = program->arena;
  struct scheduler *s = arena_new_struct(arena, struct scheduler);
  *s = (struct scheduler){
      .arena = arena, .program = program, .options = options, .target = options->target, .diagnostics = diagnostics};
  if (!pipeline_parse(program, options, diagnostics, &s->pipeline)) return NULL; /* run_graph_passes told why */
  s->fuse = s->pipeline.on[PASS_fuse];
  s->plan = s->pipeline.on[PASS_plan];
  s->shared = share_table_new(arena);
  s->names = name_table_new(arena);
  s->function_names = name_table_new(arena);
  s->module = arena_new_struct(arena, struct module);
  s->module->arena = arena;
  s->module->name = program->name;
  times_enter(options->times, "layout");
  layout_states(s);
  times_leave(options->times);
  times_enter(options->times, "kernels");
  for (int i = 0; program_graph(program, i); i++)
    if (*program_graph(program, i) && i != ROUTINE_derive) schedule_graph(s, i);
  schedule_derive(s);
  times_leave(options->times);
  /* The passes on loops work graph by graph and kernel by kernel, so the module is printed once, after all of them. */
  for (int i = 0; i < PASS_COUNT && options->dump_after; i++)
    if (!pass_works_on_graphs((enum pass)i) && !strcmp(options->dump_after, pass_facts[i].name))
      module_print(stderr, s->module);
  return s->module;
}
