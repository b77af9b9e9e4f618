/* --dump PATTERN makes the values that match outputs of the graph "predict", and of those for other batches. Outputs
   stay whole through every pass, and prediction writes them like any others, whether it is interpreted or compiled. */
#include <string.h>

#include "passes/passes.h"

static bool is_output(const struct graph *graph, const char *name) {
  for (int i = 0; i < graph->outputs.count; i++)
    if (!strcmp(graph->outputs.items[i].name, name)) return true;
  return false;
}

/* Makes the values that match outputs of the graph. Returns how many there are, or -1 after an error. */
static int dump(struct graph *graph, const char *pattern, struct diagnostics *diagnostics) {
  int matched = 0;
  bool good = true;
  for (int i = 0; i < graph->values.count; i++) {
    struct value *value = graph->values.items[i];
    if (!value->name || value->op == OP_input || value->op == OP_update || !pattern_matches(pattern, value->name))
      continue;
    matched++;
    if (value->axis_count > MAX_RANK) {
      report_error(diagnostics, value->origin.span, "'%s' has %d axes, and --dump writes at most %d", value->name,
                   value->axis_count, MAX_RANK);
      good = false;
      continue;
    }
    if (!is_output(graph, value->name)) graph_add_output(graph, value->name, value);
  }
  return good ? matched : -1;
}

bool pass_dump(struct program *program, const struct pass_options *options, struct diagnostics *diagnostics) {
  bool good = true;
  for (int k = 0; k < options->dump_count; k++) {
    bool found = false;
    for (int i = 0; program_graph(program, i); i++) {
      struct graph *graph = *program_graph(program, i);
      if (!graph || (i != ROUTINE_predict && i < ROUTINE_COUNT)) continue;
      const int matched = dump(graph, options->dump[k], diagnostics);
      good &= matched >= 0;
      found |= matched != 0;
    }
    if (found) continue;
    struct source *source = source_from_text(diagnostics->arena, "--dump", options->dump[k]);
    report_error(diagnostics, (struct span){source, 0, (int)source->length},
                 "no value is called so; show --stage=tensor --graph=predict prints the names");
    good = false;
  }
  return good;
}
