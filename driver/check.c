#include "driver/driver.h"

#include <string.h>

/* A number such as "1,234,567". */
static const char *with_commas(struct arena *arena, int64_t number) {
  char *digits = arena_format(arena, "%lld", (long long)number);
  int length = (int)strlen(digits);
  char *text = arena_alloc(arena, (size_t)length * 2 + 1), *end = text;
  for (int i = 0; i < length; i++) {
    if (i && (length - i) % 3 == 0) *end++ = ',';
    *end++ = digits[i];
  }
  return text;
}

int verb_check(struct options *options) {
  struct diagnostics *diagnostics = diagnostics_new(options->arena);
  const struct pass_options *passes = &options->passes;
  options->passes.errors_only = !passes->verify && !passes->times && !passes->dump_after;
  struct program *program = load_program(options, diagnostics);
  if (!program) return EXIT_WRONG_INPUT;
  int64_t numbers = 0;
  int tensors = 0;
  for (int i = 0; i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    if (state->role != ROLE_PARAMETER) continue;
    int64_t count = 1;
    for (int k = 0; k < state->axis_count; k++) count *= state->axes[k]->extent;
    numbers += count;
    tensors++;
  }
  printf("%s: model %s, %s parameters in %d tensors", spec_title(options), program->model,
         with_commas(options->arena, numbers), tensors);
  const char *before = "; graphs ";
  for (int i = 0; program_graph(program, i); i++) {
    const struct graph *graph = *program_graph(program, i);
    if (!graph) continue;
    printf("%s%s", before, graph->name);
    before = ", ";
  }
  putchar('\n');
  return EXIT_DONE;
}
