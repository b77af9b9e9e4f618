/* Writes what Lamella emits for the products that standard input lists ("NAME LAYOUT M K N" a line): emit FOLDER
   [TARGET [PASSES]] makes FOLDER/product_0.c, product_1.c and so on, and FOLDER/find.c, which finds them by shape.
   Together they are a contender for time.c. */
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "passes/passes.h"
#include "tests/harness/run_module.h"

static struct program *program_of(struct arena *arena, char layout, int64_t rows, int64_t inner, int64_t columns) {
  struct program *program = arena_new_struct(arena, struct program);
  program->arena = arena;
  program->name = "contract";
  struct graph *g = program->predict = graph_new(arena, "predict", &program->next_axis);
  struct span nowhere = {0};
  struct axis *m = axis_new(g, "m", rows, nowhere), *k = axis_new(g, "k", inner, nowhere),
              *n = axis_new(g, "n", columns, nowhere);
  struct axis *left[] = {layout == 'g' ? k : m, layout == 'g' ? m : k},
              *right[] = {layout == 't' ? n : k, layout == 't' ? k : n};
  struct value *x = build_input(g, "x", KIND_REAL, NULL, left, 2), *w = build_input(g, "w", KIND_REAL, NULL, right, 2);
  graph_add_output(g, "c", build_contract(g, x, w, &k, 1));
  return program;
}

/* Writes bench_product_NUMBER(x, w, c), which runs the routine on these three and has memory of its own for packed
   operands. */
static void write_product(struct arena *arena, const char *folder, int number, const struct module *module,
                          const struct target *target) {
  FILE *out = fopen(arena_format(arena, "%s/product_%d.c", folder, number), "w");
  if (!out) exit(1);
  fprintf(out, "%s\n%s\n", emit_functions(arena, module, target),
          caller_text(arena, module, module->routines.items[0], "launch", false));
  for (int i = 0; i < module->buffers.count; i++)
    if (module->buffers.items[i]->role == BUFFER_ACTIVATION)
      fprintf(out, "static _Alignas(64) float scratch_%d[%lld];\n", i, (long long)module->buffers.items[i]->count);
  fprintf(out, "void bench_product_%d(void *x, void *w, void *c) {\n  void *memory[%d];\n", number,
          module->buffers.count);
  for (int i = 0; i < module->buffers.count; i++) {
    const struct buffer *buffer = module->buffers.items[i];
    if (buffer->role == BUFFER_ACTIVATION)
      fprintf(out, "  memory[%d] = scratch_%d;\n", i, i);
    else
      fprintf(out, "  memory[%d] = %s;\n", i,
              buffer->role == BUFFER_OUTPUT    ? "c"
              : strcmp(buffer->name, "x") == 0 ? "x"
                                               : "w");
  }
  fputs("  launch(memory, 0);\n}\n", out);
  if (fclose(out) != 0) exit(1);
}

int main(int argc, char **argv) {
  struct arena *arena = arena_new();
  const char *problem;
  const struct target *target = argc > 1 ? target_read(arena, argc > 2 ? argv[2] : "native", &problem) : NULL;
  if (!target || target->double_precision)
    return fprintf(stderr, "usage: emit FOLDER [TARGET [PASSES]], TARGET of single precision\n"), 2;
  struct pass_options options = {.pipeline = argc > 3 ? argv[3] : "fuse,plan", .target = target};
  const char *declarations = "", *choices = "";
  char name[128], layout;
  long long m, k, n;
  int count = 0;
  for (; scanf("%127s %c %lld %lld %lld", name, &layout, &m, &k, &n) == 5; count++) {
    struct module *module = run_schedules(program_of(arena, layout, m, k, n), &options, diagnostics_new(arena));
    if (!module) return 1;
    write_product(arena, argv[1], count, module, target);
    declarations = arena_format(arena, "%svoid bench_product_%d(void *x, void *w, void *c);\n", declarations, count);
    choices = arena_format(arena,
                           "%s  if (p->layout == '%c' && p->m == %lld && p->k == %lld && p->n == %lld) return (union "
                           "found){.product = bench_product_%d}.data;\n",
                           choices, layout, m, k, n, count);
  }
  FILE *out = fopen(arena_format(arena, "%s/find.c", argv[1]), "w");
  if (!out) return 1;
  fprintf(
      out,
      "#include \"bench/contract/contract.h\"\n#include <stddef.h>\n%sunion found {\n  void (*product)(void *, void *, "
      "void *);\n  void *data;\n};\n"
      "void *contract_prepare(const struct product *p, const float *x, const float *w, float *c) {\n  (void)x, "
      "(void)w, (void)c;\n%s  return NULL;\n}\n"
      "void contract(void *prepared, const struct product *p, const float *x, const float *w, float *c) {\n  (void)p;\n"
      "  (union found){.data = prepared}.product((void *)(uintptr_t)x, (void *)(uintptr_t)w, c);\n}\n",
      declarations, choices);
  arena_free(arena);
  return fclose(out) != 0;
}
