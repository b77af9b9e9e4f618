#include "driver/driver.h"

#include <errno.h>
#include <string.h>

#include "passes/pipeline.h"

static bool wanted(const struct options *options, const char *graph) {
  return !options->graph || !strcmp(options->graph, graph);
}

static int show_tree(struct options *options) {
  struct diagnostics *diagnostics = diagnostics_new(options->arena);
  struct source *source = source_read(options->arena, options->spec);
  if (!source) {
    fprintf(stderr, "lamella: error: cannot read %s: %s\n", options->spec, strerror(errno));
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

/* --graph names one that the program has. */
static bool knows_graph(const struct options *options, struct program *program) {
  const char *names = "";
  for (int i = 0; program_graph(program, i); i++) {
    const struct graph *graph = *program_graph(program, i);
    if (!graph) continue;
    if (wanted(options, graph->name)) return true;
    names = arena_format(options->arena, "%s%s%s", names, *names ? ", " : "", graph->name);
  }
  if (!options->graph) return true;
  fprintf(stderr, "lamella show: no graph is called '%s'; this program has %s\n", options->graph, names);
  return false;
}

int verb_show(struct options *options) {
  static const char *const stages[] = {"ast", "tensor", "loops", "c", "passes"};
  enum { STAGES = sizeof stages / sizeof *stages };
  int stage = 0;
  while (stage < STAGES && (!options->stage || strcmp(stages[stage], options->stage))) stage++;
  if (stage == STAGES) {
    fprintf(stderr, "lamella show: --stage is one of ast, tensor, loops, c, passes\n");
    return EXIT_USAGE;
  }
  if (stage == 4 && !options->spec) {
    pipeline_print(stdout, NULL);
    return EXIT_DONE;
  }
  if (stage == 0) return show_tree(options);
  struct diagnostics *diagnostics = diagnostics_new(options->arena);
  struct program *program = load_program(options, diagnostics);
  if (!program) return EXIT_WRONG_INPUT;
  if (stage == 4) {
    struct pipeline pipeline;
    if (!pipeline_parse(program, &options->passes, diagnostics, &pipeline)) bug("the pipeline was read before");
    pipeline_print(stdout, &pipeline);
    return EXIT_DONE;
  }
  if (!knows_graph(options, program)) return EXIT_USAGE;
  if (stage == 1) {
    for (int i = 0; program_graph(program, i); i++) {
      const struct graph *graph = *program_graph(program, i);
      if (graph && wanted(options, graph->name)) graph_print(stdout, graph);
    }
    return EXIT_DONE;
  }
  struct module *module = run_schedules(program, &options->passes, diagnostics);
  if (!module || diagnostics->error_count) {
    diagnostics_print(diagnostics, stderr);
    return EXIT_WRONG_INPUT;
  }
  if (stage == 2)
    module_print(stdout, module);
  else
    fputs(emit_c(options->arena, program, module, options->passes.target, &options->emission).source, stdout);
  return EXIT_DONE;
}
