/* The pipeline on tensor graphs: one line a pass, in order, with the reason for the order. What each pass is stands in passes.def;
   the steps that make loops of graphs (fuse, tile, parallel, plan, share) follow in schedule.c. */
#include "passes/pipeline.h"

#include <string.h>

struct run {
  struct program *program;
  const struct pass_options *options;
  struct diagnostics *diagnostics;
  struct pipeline pipeline;
  enum stage stage; /* where every graph stands now */
  bool pruned, derived; /* these passes have run */
  struct quantizer *quantizer; /* what becomes of parameters; NULL without the pass quantize */
  struct cache_quantizer *cache_quantizer; /* what becomes of caches; NULL without the pass quantize_cache */
};

static void run_inline(struct run *run, struct graph *graph) { (void)run, pass_inline(graph); }
static void run_common(struct run *run, struct graph *graph) { (void)run, pass_common(graph); }
static void run_autodiff(struct run *run, struct graph *graph) { pass_autodiff(graph, run->diagnostics); }
static void run_simplify(struct run *run, struct graph *graph) {
  pass_simplify(graph, (int)run->pipeline.parameters[PARAMETER_simplify_rounds]);
}
/* When mixed is left out, its first step still tells optimizers which step it is. */
static void run_mixed_begin(struct run *run, struct graph *graph) {
  const enum storage storage = mixed_storages[(int)run->pipeline.parameters[PARAMETER_mixed_storage]];
  pass_mixed_begin(run->program, graph, run->pipeline.on[PASS_mixed] ? storage : STORAGE_REAL);
}
/* Parameters lie in bf16 in programs that have no graph to train them, too, so it is called for every graph. */
static void run_mixed_weights(struct run *run, struct graph *graph) {
  if (!run->pipeline.parameters[PARAMETER_mixed_masters]) pass_mixed_weights(run->program, graph);
}
static void run_mixed(struct run *run, struct graph *graph) {
  const struct program *program = run->program;
  /* With weights or caches of few bits evaluation says what prediction with them costs, and computes like it. */
  const bool quantizes = run->pipeline.on[PASS_quantize] || run->pipeline.on[PASS_quantize_cache];
  const bool evaluates = graph == program->evaluate && !quantizes;
  if (graph == program->train || graph == program->accumulate || evaluates)
    pass_mixed(graph, mixed_storages[(int)run->pipeline.parameters[PARAMETER_mixed_storage]]);
}
/* Hoist works on two graphs at once, so it is called for the step graph alone. When it is left out, inputs still move,
   since a step is given the window and nothing more. */
static void run_hoist(struct run *run, struct graph *graph) {
  if (graph == run->program->step) pass_hoist(run->program, !run->pipeline.on[PASS_hoist]);
}

/* Adapters came when the frontend lowered the program (pass_lora), so that gradients and optimizers are theirs. */
static void run_lora(struct run *run, struct graph *graph) { (void)run, (void)graph; }

static void run_quantize_cache(struct run *run, struct graph *graph) {
  pass_quantize_cache(run->cache_quantizer, graph);
}
static void run_quantize_train(struct run *run, struct graph *graph) { pass_quantize_train(run->quantizer, graph); }
/* Once all rules have asked for what they want to know, a graph that would measure nothing goes. So does one whose results, as the
   parameters, are a constant of the program. */
static void run_calibrate_begin(struct run *run, struct graph *graph) {
  if (graph != run->program->calibrate) return;
  if (!run->program->statistics.count || run->options->fixed_parameters) run->program->calibrate = NULL;
}
static void run_calibrate(struct run *run, struct graph *graph) { pass_calibrate(run->program, graph); }
static void run_quantize(struct run *run, struct graph *graph) { pass_quantize(run->quantizer, graph); }

/* Prune looks at all graphs before it changes one, so it is called for the first graph alone. */
static void run_prune(struct run *run, struct graph *graph) {
  if (!run->pruned) pass_prune(run->program, &run->pipeline, run->diagnostics);
  run->pruned = true;
  (void)graph;
}

/* Derive makes a graph of its own for all others, so it is called for the first graph alone. */
static void run_derive(struct run *run, struct graph *graph) {
  if (!run->derived) pass_derive(run->program);
  run->derived = true;
  (void)graph;
}

/* Only training has a backward pass that would read what the forward pass computed. */
static void run_stream(struct run *run, struct graph *graph) {
  const struct program *program = run->program;
  if (graph != program->train && graph != program->accumulate) return;
  if (!run->pipeline.on[PASS_fuse] || !run->pipeline.on[PASS_tile]) return; /* there will be no streams */
  pass_stream_again(graph, run->pipeline.parameters[PARAMETER_stream_again]);
}

static const struct step {
  enum pass pass;
  void (*graph)(struct run *run, struct graph *graph);
  enum stage after;
  enum {
    WHEN_ON,
    WITH_MIXED,
    WITH_QUANTIZE,
    WITH_STATISTICS,
    ALWAYS
  } when; /* if the pipeline has the pass; if it has both; if it has the pass and something is measured; in any case */
} steps[] = {
    /* What adapters add is part of every graph before the first pass runs. */
    {PASS_lora, run_lora, STAGE_LOWERED, WHEN_ON},
    /* Masks are values of the graph like those of the spec: whatever an update or a gradient becomes later, it keeps its zeros. */
    {PASS_prune, run_prune, STAGE_LOWERED, WHEN_ON},
    {PASS_calibrate, run_calibrate_begin, STAGE_LOWERED, WHEN_ON},
    /* Scaling the loss and skipping steps are values of the graph like those of the spec: no later step knows of it. */
    {PASS_mixed, run_mixed_begin, STAGE_LOWERED, ALWAYS},
    /* Where parameters lie is known before anything asks what is exact. */
    {PASS_mixed, run_mixed_weights, STAGE_LOWERED, WHEN_ON},
    /* What `cached` gives is marked by a rename, which simplify may fold. */
    {PASS_quantize_cache, run_quantize_cache, STAGE_LOWERED, WHEN_ON},
    /* Derivatives see through functions without a gradient of their own. Functions with one stay whole until autodiff
       has found it. */
    {PASS_inline, run_inline, STAGE_LOWERED, WHEN_ON},
    /* The graph should be small before it is differentiated, and a lookup that is really a slice has a far cheaper
       derivative. */
    {PASS_simplify, run_simplify, STAGE_LOWERED, WHEN_ON},
    {PASS_common, run_common, STAGE_LOWERED, WHEN_ON},
    /* Weights that are rounded while training are values with a gradient of their own. */
    {PASS_quantize, run_quantize_train, STAGE_LOWERED, WHEN_ON},
    {PASS_autodiff, run_autodiff, STAGE_DIFFERENTIATED, WHEN_ON},
    /* The functions kept whole are inlined, and so are their gradients. From here on there are primitives only. */
    {PASS_inline, run_inline, STAGE_FLAT, WHEN_ON},
    /* Rules of derivatives do not look around: they leave expansions, sums and ones behind. Simplifying comes before
       common, because it makes values equal. */
    {PASS_simplify, run_simplify, STAGE_FLAT, WHEN_ON},
    {PASS_common, run_common, STAGE_FLAT, WHEN_ON},
    /* Casts come where the backward pass is known and shares its values with the forward pass. Before autodiff they would leave
       gradients in 32 bits. */
    {PASS_mixed, run_mixed, STAGE_FLAT, WHEN_ON},
    {PASS_simplify, run_simplify, STAGE_FLAT, WITH_MIXED},
    {PASS_common, run_common, STAGE_FLAT, WITH_MIXED},
    /* Where the graph is what the model computes, and says of each contraction what it reads. */
    {PASS_calibrate, run_calibrate, STAGE_FLAT, WHEN_ON},
    {PASS_simplify, run_simplify, STAGE_FLAT, WITH_STATISTICS},
    {PASS_common, run_common, STAGE_FLAT, WITH_STATISTICS},
    /* Before derive, which then computes steps and scales once. */
    {PASS_quantize, run_quantize, STAGE_FLAT, WHEN_ON},
    {PASS_simplify, run_simplify, STAGE_FLAT, WITH_QUANTIZE},
    {PASS_common, run_common, STAGE_FLAT, WITH_QUANTIZE},
    /* What depends on parameters alone needs no prompt: it is gone before hoist looks at generation. */
    {PASS_derive, run_derive, STAGE_FLAT, WHEN_ON},
    /* Hoist comes when what moves is final, so that no value that is dropped later gets a state. */
    {PASS_hoist, run_hoist, STAGE_FLAT, ALWAYS},
    /* After common, which would find that what is computed again is there already. */
    {PASS_stream, run_stream, STAGE_FLAT, WHEN_ON},
};
enum { STEP_COUNT = sizeof steps / sizeof *steps };

static void verify_all(struct run *run, const char *guilty) {
  if (!run->options->verify) return;
  times_enter(run->options->times, "verify");
  for (int i = 0; program_graph(run->program, i); i++) {
    struct graph *graph = *program_graph(run->program, i);
    if (!graph) continue;
    const char *error = graph_verify(graph->arena, graph, run->stage);
    if (error) bug("%s left graph %s wrong: %s", guilty, graph->name, error);
  }
  times_leave(run->options->times);
}

static void dump_all(struct run *run, const char *name) {
  if (!run->options->dump_after || strcmp(run->options->dump_after, name)) return;
  for (int i = 0; program_graph(run->program, i); i++)
    if (*program_graph(run->program, i)) graph_print(stderr, *program_graph(run->program, i));
}

static bool runs(const struct run *run, const struct step *step) {
  if (step->when == WITH_MIXED && !run->pipeline.on[PASS_mixed]) return false;
  if (step->when == WITH_QUANTIZE && !run->pipeline.on[PASS_quantize]) return false;
  if (step->when == WITH_STATISTICS && !run->program->calibrate) return false;
  return step->when == ALWAYS || run->pipeline.on[step->pass];
}

static void run_step(struct run *run, const struct step *step) {
  const char *name = pass_facts[step->pass].name;
  if (pass_facts[step->pass].requires > run->stage) bug("%s comes too early", name);
  times_enter_new(run->options->times, name);
  int before = 0, after = 0;
  for (int i = 0; program_graph(run->program, i); i++) {
    struct graph *graph = *program_graph(run->program, i);
    if (!graph) continue;
    before += graph->values.count;
    step->graph(run, graph);
  }
  for (int i = 0; program_graph(run->program, i); i++)
    if (*program_graph(run->program, i)) after += (*program_graph(run->program, i))->values.count;
  run->stage = step->after;
  if (run->options->times)
    times_note(run->options->times, arena_format(run->diagnostics->arena, "%6d -> %d values", before, after));
  times_leave(run->options->times);
  dump_all(run, name);
}

bool pass_works_on_graphs(enum pass pass) {
  for (int i = 0; i < STEP_COUNT; i++)
    if (steps[i].pass == pass) return true;
  return false;
}

/* Checks that --dump-after names a pass that will run, on graphs or, where loops are made, on loops. */
static bool check_dump(const struct run *run) {
  const char *wanted = run->options->dump_after, *names[PASS_COUNT], *list = "";
  if (!wanted) return true;
  struct arena *arena = run->diagnostics->arena;
  int pass = -1;
  for (int i = 0; i < PASS_COUNT; i++) {
    names[i] = pass_facts[i].name;
    if (!strcmp(wanted, names[i])) pass = i;
    list = arena_format(arena, "%s%s%s", list, i ? ", " : "", names[i]);
  }
  struct source *source = source_from_text(arena, "--dump-after", wanted);
  struct span span = {source, 0, (int)source->length};
  const char *near = closest_name(wanted, names, PASS_COUNT);
  if (pass < 0 && near)
    report_error(run->diagnostics, span, "no pass is called '%s'; did you mean '%s'?", wanted, near);
  else if (pass < 0)
    report_error(run->diagnostics, span, "no pass is called '%s'; there are %s", wanted, list);
  else if (!run->pipeline.on[pass])
    report_error(run->diagnostics, span, "the pipeline leaves %s out", wanted);
  else if (!pass_works_on_graphs((enum pass)pass) && !run->options->loops_follow)
    report_error(run->diagnostics, span,
                 "%s works on loops, and this command makes none; show --stage=loops makes and prints them", wanted);
  else
    return true;
  return false;
}

bool run_graph_passes(struct program *program, const struct pass_options *options, struct diagnostics *diagnostics) {
  struct run run = {.program = program, .options = options, .diagnostics = diagnostics, .stage = STAGE_LOWERED};
  int errors = diagnostics->error_count;
  if (!pipeline_parse(program, options, diagnostics, &run.pipeline) || !check_dump(&run)) return false;
  /* Rules about weights and caches follow from the graphs as the spec has them. */
  if (run.pipeline.on[PASS_quantize]) {
    run.quantizer = pass_quantize_choose(program, &run.pipeline, diagnostics);
    if (!run.quantizer) return false;
  }
  if (run.pipeline.on[PASS_quantize_cache]) {
    run.cache_quantizer = pass_quantize_cache_choose(program, &run.pipeline, diagnostics);
    if (!run.cache_quantizer) return false;
  }
  /* Patterns are matched before a pass can rewrite the values that they mean. */
  if (!pass_dump(program, options, diagnostics)) return false;
  verify_all(&run, "the frontend");
  for (int i = 0; i < STEP_COUNT; i++) {
    if (!runs(&run, &steps[i])) continue;
    run_step(&run, &steps[i]);
    if (diagnostics->error_count > errors) return false;
    verify_all(&run, pass_facts[steps[i].pass].name);
    if (options->errors_only && steps[i].pass == PASS_autodiff) break; /* later passes find no errors */
  }
  return true;
}
