#include "driver/driver.h"

#include <errno.h>
#include <string.h>

#include "passes/pipeline.h"

static bool wanted(const struct options *options, const char *graph) {
  return !options->graph || !strcmp(options->graph, graph);
}

static int show_tree(struct options *options) {
  struct diagnostics *diagnostics = diagnostics_new(options->arena);
  const struct source *source = read_spec(options, options->arena);
  if (!source) {
    fprintf(stderr, "lamella: error: cannot read %s: %s\n", spec_title(options), strerror(errno));
    return EXIT_WRONG_INPUT;
  }
  struct ast_file *tree = parse_source(options->arena, source, diagnostics);
  if (diagnostics->error_count) {
    diagnostics_print(diagnostics, stderr);
    return EXIT_WRONG_INPUT;
  }
  ast_print(stdout, tree);
  return EXIT_DONE;
}

static int unknown(struct options *options, const char *what, const char *name, const char *const *names, int count) {
  const char *closest = closest_name(name, names, count), *list = "";
  name = printable(options->arena, name);
  for (int i = 0; i < count; i++) list = arena_format(options->arena, "%s%s%s", list, i ? ", " : "", names[i]);
  if (closest)
    fprintf(stderr, "lamella show: no %s is called '%s'; did you mean '%s'? There are %s\n", what, name, closest, list);
  else
    fprintf(stderr, "lamella show: no %s is called '%s'; there are %s\n", what, name, list);
  return EXIT_USAGE;
}

/* Checks that the program has the graph that --graph names. */
static int check_graph(struct options *options, struct program *program) {
  const char *names[ROUTINE_COUNT + MOST_PREDICTIONS];
  int count = 0;
  for (int i = 0; program_graph(program, i); i++)
    if (*program_graph(program, i)) names[count++] = (*program_graph(program, i))->name;
  for (int i = 0; i < count; i++)
    if (wanted(options, names[i])) return EXIT_DONE;
  if (!strcmp(options->graph, "derive")) {
    fprintf(stderr,
            "lamella show: no values of this program are derived; what else is kept, such as packed weights, is stored "
            "by the launches of 'routine derive' in --stage=loops\n");
    return EXIT_USAGE;
  }
  return unknown(options, "graph", options->graph, names, count);
}

int verb_show(struct options *options) {
  enum { AST, TENSOR, CLUSTERS, LOOPS, C, PASSES, STAGES };
  static const char *const stages[STAGES] = {"ast", "tensor", "clusters", "loops", "c", "passes"};
  if (!options->stage) {
    fprintf(stderr, "lamella show: no --stage is given; it is one of ast, tensor, clusters, loops, c, passes\n");
    return EXIT_USAGE;
  }
  int stage = 0;
  while (stage < STAGES && strcmp(stages[stage], options->stage)) stage++;
  if (stage == STAGES) return unknown(options, "stage", options->stage, stages, STAGES);
  if (options->graph && stage != TENSOR && stage != CLUSTERS) {
    fprintf(stderr,
            "lamella show: --graph goes with --stage=tensor and --stage=clusters; in the other stages graphs share "
            "kernels\n");
    return EXIT_USAGE;
  }
  if (stage == PASSES && !options->spec) {
    pipeline_print(stdout, NULL);
    return EXIT_DONE;
  }
  if (stage == AST) return show_tree(options);
  struct diagnostics *diagnostics = diagnostics_new(options->arena);
  options->passes.loops_follow = stage == CLUSTERS || stage == LOOPS || stage == C;
  struct program *program = load_program(options, diagnostics);
  if (!program) return EXIT_WRONG_INPUT;
  if (stage == PASSES) {
    struct pipeline pipeline;
    if (!pipeline_parse(program, &options->passes, diagnostics, &pipeline)) bug("the pipeline was read before");
    pipeline_print(stdout, &pipeline);
    printf("target     %s: %s\n", options->passes.target->name,
           target_tile_text(options->arena, options->passes.target));
    return EXIT_DONE;
  }
  int code = check_graph(options, program);
  if (code != EXIT_DONE) return code;
  if (stage == TENSOR) {
    for (int i = 0; program_graph(program, i); i++) {
      const struct graph *graph = *program_graph(program, i);
      if (graph && wanted(options, graph->name)) graph_print(stdout, graph);
    }
    return EXIT_DONE;
  }
  if (stage == CLUSTERS) options->passes.clusters = stdout, options->passes.clusters_of = options->graph;
  struct module *module = run_schedules(program, &options->passes, diagnostics);
  if (!module || diagnostics->error_count) {
    diagnostics_print(diagnostics, stderr);
    return EXIT_WRONG_INPUT;
  }
  if (stage == LOOPS)
    module_print(stdout, module);
  else if (stage == C)
    fputs(emit_c(options->arena, program, module, options->passes.target, &options->emission).source, stdout);
  return EXIT_DONE;
}
