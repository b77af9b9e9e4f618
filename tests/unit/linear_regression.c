/* The interpreter trains specs/linear.lam with 20 seeds: it ends near the true weights, and nearer to the least-squares
   solution of its data. */
#include <unistd.h>

#include "driver/interpret.h"
#include "frontend/frontend.h"
#include "passes/passes.h"
#include "runtime/program.h"
#include "tests/unit/check.h"

enum { SEEDS = 20, EXAMPLES = 100 };

static const double *output(const struct lam_routine *routine, const char *name) {
  for (int i = 0; i < routine->output_count; i++)
    if (!strcmp(routine->outputs[i].name, name)) return routine->outputs[i].data;
  return NULL;
}

static double parameter(const struct lam_program *program, const char *name) {
  for (int i = 0; i < program->model->tensor_count; i++)
    if (!strcmp(program->model->tensors[i].name, name)) return *(double *)program->model->tensors[i].data;
  return NAN;
}

static void check_seed(struct lam_program *program, uint32_t seed, const char *weights) {
  char number[16];
  snprintf(number, sizeof number, "%u", seed);
  char *arguments[] = {"linear", "train", "--overwrite", "--quiet", "--seed", number, "--out", (char *)weights, NULL};
  CHECK(lam_main(program, 8, arguments) == 0);
  double slope = parameter(program, "slope"), intercept = parameter(program, "intercept");
  CHECK_NEAR(slope, 2, 0.05 / 2);
  CHECK_NEAR(intercept, 1, 0.05);

  const struct lam_routine *synthesize = &program->routines[LAM_SYNTHESIZE];
  synthesize->run(program->self, 0, seed, NULL);
  const double *x = output(synthesize, "x"), *y = output(synthesize, "y");
  if (!CHECK(x && y)) return;
  double sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (int i = 0; i < EXAMPLES; i++) sx += x[i], sy += y[i], sxx += x[i] * x[i], sxy += x[i] * y[i];
  double best = (EXAMPLES * sxy - sx * sy) / (EXAMPLES * sxx - sx * sx);
  CHECK(fabs(slope - best) <= 0.02);
  CHECK(fabs(intercept - (sy - best * sx) / EXAMPLES) <= 0.02);
}

int main(void) {
  struct arena *arena = arena_new();
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct frontend_options frontend = {.standard_library = SOURCE_FOLDER "/specs"};
  struct pass_options passes = {.verify = true};
  struct program *program = lower_spec(arena, SOURCE_FOLDER "/specs/linear.lam", &frontend, diagnostics);
  if (CHECK(program && run_graph_passes(program, &passes, diagnostics))) {
    struct lam_program *tables = interpret_program(arena, program);
    char weights[] = "/tmp/lamella-linear-XXXXXX";
    int file = mkstemp(weights);
    close(file);
    for (uint32_t seed = 1; seed <= SEEDS; seed++) check_seed(tables, seed, weights);
    unlink(weights);
  }
  diagnostics_print(diagnostics, stdout);
  arena_free(arena);
  return check_done("linear_regression");
}
