/* Every operation and random graphs, scheduled, printed as C for each target, compiled and run, against the interpreter. All of a
   target's graphs are one translation unit. */
#include <dlfcn.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "passes/passes.h"
#include "tests/harness/run_module.h"
#include "tests/unit/check.h"

enum { EACH = 3, GRAPHS = 40 };

struct built {
  struct sample *sample;
  struct module *module;
};

static void build(struct arena *arena, struct built *built, struct module *all, const struct target *target,
                  int number) {
  struct sample *sample = built->sample;
  static const char *const pipelines[] = {"none", "fuse,plan"};
  struct pass_options options = {.pipeline = pipelines[number % 2], .target = target};
  struct diagnostics *diagnostics = diagnostics_new(arena);
  pass_inline(sample->graph);
  built->module = run_schedules(&sample->program, &options, diagnostics);
  diagnostics_print(diagnostics, stdout);
  for (int i = 0; i < built->module->functions.count; i++) {
    struct function *function = built->module->functions.items[i];
    function->name = arena_format(arena, "s%d_%s", number, function->name);
    array_push(arena, &all->functions, function);
  }
}

static void *compile(struct arena *arena, const char *folder, const char *name, const char *source) {
  const char *file = arena_format(arena, "%s/%s.c", folder, name),
             *library = arena_format(arena, "%s/%s.so", folder, name);
  FILE *out = fopen(file, "w");
  if (!CHECK(out != NULL)) return NULL;
  fputs(source, out);
  fclose(out);
  const char *command =
      arena_format(arena, "cc -std=c11 -O1 -Wall -Wextra -Werror -shared -fPIC -o %s %s -lm", library, file);
  if (!CHECK(system(command) == 0)) return NULL;
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  CHECK(handle != NULL);
  return handle;
}

static void check_target(const struct target *target, const char *folder, uint64_t seed) {
  struct arena *arena = arena_new();
  struct module all = {.arena = arena, .name = target->name};
  ARRAY(struct built) graphs = {0};
  for (int op = 0; op < OP_COUNT; op++)
    for (int i = 0; i < EACH; i++)
      array_push(
          arena, &graphs,
          (struct built){sample_operation(arena, (enum op)op, seed + (uint64_t)i, i % 2 ? SAMPLE_SIZES : 0), NULL});
  /* Several operations on floats may round to either side of a step, so these are for doubles. */
  for (int i = 0; i < GRAPHS && target->double_precision; i++)
    array_push(arena, &graphs,
               (struct built){sample_graph(arena, 5 + i % 11, seed + (uint64_t)i, i % 2 ? SAMPLE_SIZES : 0), NULL});
  for (int i = 0; i < graphs.count; i++)
    if (graphs.items[i].sample->stage != STAGE_LOWERED) build(arena, &graphs.items[i], &all, target, i);
  const char *functions = emit_functions(arena, &all, target);
  char *source = NULL;
  size_t length = 0;
  FILE *stream = open_memstream(&source, &length);
  if (!stream) abort();
  fputs(functions, stream);
  for (int i = 0; i < graphs.count; i++)
    if (graphs.items[i].module)
      fputs(caller_text(arena, graphs.items[i].module, graphs.items[i].module->routines.items[0],
                        arena_format(arena, "s%d", i), target->double_precision),
            stream);
  fclose(stream);
  void *handle = compile(arena, folder, target->name, source);
  for (int i = 0; handle && i < graphs.count; i++) {
    struct built *built = &graphs.items[i];
    if (!built->module) continue;
    void *code = dlsym(handle, arena_format(arena, "s%d", i));
    compiled_routine *routine;
    memcpy(&routine, &code, sizeof code);
    const char *wrong = compare_compiled(built->sample, built->module, built->module->routines.items[0], routine,
                                         target->double_precision, target->double_precision ? 1e-9 : 2e-5);
    if (CHECK_STRING(wrong, NULL)) continue;
    printf("target %s, sample %d\n", target->name, i);
    graph_print(stdout, built->sample->graph);
  }
  if (handle) dlclose(handle);
  free(source);
  arena_free(arena);
}

int main(void) {
  char folder[] = "/tmp/lamella-emitted-XXXXXX";
  if (!CHECK(mkdtemp(folder) != NULL)) return check_done("emitted");
  uint64_t seed = check_random();
  for (int i = 0; target_at(i); i++) {
    if (target_runs_here(target_at(i)))
      check_target(target_at(i), folder, seed);
    else
      SKIP(target_at(i)->name);
  }
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", folder);
  if (!check_totals.failed) CHECK(system(command) == 0);
  return check_done("emitted");
}
