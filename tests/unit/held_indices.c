/* Indices outside of their axis. The interpreter refuses them; a program, which cannot stop in the middle of a kernel, takes the
   nearest element that there is, on every target and under every pipeline, and touches no memory but its own. */
#include "codegen/codegen.h"
#include "passes/passes.h"
#include "tests/harness/random_operand.h"
#include "tests/harness/trial.h"
#include "tests/unit/check.h"

enum { ROWS = 5, MOST = 8 };

/* The graph under test; its indices, one for each element of `own`, run along `rows`. */
struct fixture {
  struct arena *arena;
  struct sample *sample;
  struct axis *rows, *columns, *own;
};

static void begin(struct fixture *f, struct arena *arena, const char *name) {
  struct sample *sample = arena_new_struct(arena, struct sample);
  *f = (struct fixture){.arena = arena, .sample = sample};
  sample->arena = sample->program.arena = arena;
  sample->program.name = sample->program.model = "sample";
  sample->graph = sample->program.predict = graph_new(arena, name, &sample->program.next_axis);
  sample->stage = STAGE_FLAT;
  sample->state = 1;
  f->rows = sample_axis_of(sample, "rows", ROWS);
  f->columns = sample_axis_of(sample, "columns", 3 + check_below(20));
  f->own = sample_axis_of(sample, "own", MOST);
}

static struct value *real(struct fixture *f, struct axis *x, struct axis *y) {
  return sample_real_leaf(f->sample, (struct axis *[]){x, y}, 2, DOMAIN_ANY);
}

/* An index whose contents are rows, until `check` makes them wild. `computed`: it is computed from the input. */
static struct value *index_of(struct fixture *f, bool computed) {
  double *data = sample_add_content(f->sample, "index", false, MOST);
  for (int i = 0; i < MOST; i++) data[i] = i % 3 ? 0 : i % ROWS;
  struct value *index = build_input(f->sample->graph, "index", KIND_INTEGER, NULL, &f->own, 1);
  if (!computed) return index;
  struct value *other = build_integer(f->sample->graph, 1 << 30);
  return build_where(f->sample->graph, build_binary(f->sample->graph, OP_lt, index, other), index, other);
}

static const double wild[MOST] = {0, -1, ROWS, 3, -2147483647, 1 << 29, 1, ROWS - 1};

static double held(double index) { return index < 0 ? 0 : index > ROWS - 1 ? ROWS - 1 : index; }

static void check(struct fixture *f, const char *name) {
  static const char *const pipelines[] = {"none", "none, fuse", "none, simplify, common", "default"};
  struct content *content = sample_content(f->sample, "index", false);
  for (int i = 0; i < MOST; i++) content->data[i] = held(wild[i]);
  struct expectation expected = {0};
  if (!CHECK_STRING(expectation_new(f->arena, f->sample, &expected), NULL)) return;
  struct trial_set *set = trial_set_new(f->arena);
  for (int i = 0; i < 4 * set->target_count; i++) trial_set_add(set, &expected, pipelines[i % 4], set->targets[i / 4]);
  for (int i = 0; i < set->trials.count; i++) {
    content = sample_content(set->trials.items[i]->sample, "index", false);
    memcpy(content->data, wild, sizeof wild);
  }
  CHECK(!trial_set_run(set, &(struct compiling){.level = 1}));
  for (int i = 0; i < set->trials.count; i++) {
    const struct trial *trial = set->trials.items[i];
    if (!CHECK_STRING(trial->wrong, NULL))
      printf("  %s, pipeline %s, target %s\n", name, trial->pipeline, trial->target->name);
  }
  /* The definition of the language has no number for them. */
  content = sample_content(f->sample, "index", false);
  memcpy(content->data, wild, sizeof wild);
  struct environment environment = sample_environment(f->sample);
  const char *refused = graph_interpret(f->sample->graph, &environment, NULL, NULL);
  if (CHECK(refused != NULL)) CHECK(strstr(refused, "is outside of axis rows, which has 5 elements") != NULL);
}

static void check_all(bool computed) {
  struct arena *arena = arena_new();
  struct fixture fixture, *f = &fixture;
  begin(f, arena, "gather");
  struct value *table = real(f, f->rows, f->columns);
  graph_add_output(f->sample->graph, "result", build_gather(f->sample->graph, table, f->rows, index_of(f, computed)));
  check(f, "gather");

  begin(f, arena, "gather_exp");
  table = build_unary(f->sample->graph, OP_exp, real(f, f->columns, f->rows));
  graph_add_output(f->sample->graph, "result", build_gather(f->sample->graph, table, f->rows, index_of(f, computed)));
  check(f, "gather of what is computed");

  begin(f, arena, "scatter_add");
  table = real(f, f->rows, f->columns);
  struct value *index = index_of(f, computed), *source = real(f, f->own, f->columns);
  graph_add_output(f->sample->graph, "result", build_scatter_add(f->sample->graph, table, f->rows, index, source));
  check(f, "scatter_add");

  begin(f, arena, "update");
  struct axis *axes[] = {f->rows, f->columns};
  struct state *state = sample_new_state(f->sample, KIND_REAL, axes, 2, ROLE_CACHE);
  double *data = sample_add_content(f->sample, state->name, true, axes_count(axes, 2));
  for (int64_t i = 0; i < axes_count(axes, 2); i++) data[i] = (double)i;
  index = index_of(f, computed), source = real(f, f->own, f->columns);
  graph_add_output(f->sample->graph, "result", build_update(f->sample->graph, state, source, f->rows, index));
  check(f, "update");
  arena_free(arena);
}

/* A constant that is no row must not become a selection by the rule for constants. */
static void check_constant(void) {
  static const int numbers[] = {-1, ROWS, 1 << 30, 2};
  for (int i = 0; i < 4; i++) {
    struct arena *arena = arena_new();
    struct fixture fixture, *f = &fixture;
    begin(f, arena, "constant");
    struct value *table = real(f, f->rows, f->columns), *index = build_integer(f->sample->graph, numbers[i]);
    graph_add_output(f->sample->graph, "result", build_gather(f->sample->graph, table, f->rows, index));
    struct pass_options options = {.pipeline = "default", .target = target_find("portable"), .verify = true};
    struct diagnostics *diagnostics = diagnostics_new(arena);
    CHECK(run_graph_passes(&f->sample->program, &options, diagnostics));
    struct environment environment = sample_environment(f->sample);
    const char *refused = graph_interpret(f->sample->graph, &environment, NULL, NULL);
    CHECK((refused != NULL) == (numbers[i] < 0 || numbers[i] >= ROWS));
    struct module *module = run_schedules(&f->sample->program, &options, diagnostics);
    CHECK(module != NULL);
    arena_free(arena);
  }
}

int main(void) {
  check_all(false);
  check_all(true);
  check_constant();
  return check_done("held_indices");
}
