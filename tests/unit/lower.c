/* What specs mean once lowered: small models whose results are worked out by hand. */
#include "tests/unit/model_run.h"

/* Lowers a text to a program; checks that there is none when `good` is false. */
static bool open_text(struct model_run *run, const char *text, bool with_passes) {
  *run = (struct model_run){.arena = arena_new()};
  struct diagnostics *diagnostics = diagnostics_new(run->arena);
  struct frontend_options options = {.standard_library = SOURCE_FOLDER "/specs"};
  const struct source *source = source_from_text(run->arena, "text.lam", text);
  struct pass_options passes = {.verify = true};
  run->program = lower_source(run->arena, source, &options, diagnostics);
  if (run->program && with_passes && !run_graph_passes(run->program, &passes, diagnostics)) run->program = NULL;
  if (!CHECK(run->program != NULL)) {
    diagnostics_print(diagnostics, stdout);
    return false;
  }
  run->states = arena_new_array(run->arena, double *, run->program->states.count);
  for (int i = 0; i < run->program->states.count; i++) {
    const struct state *state = run->program->states.items[i];
    const int64_t elements = axes_count(state->axes, state->axis_count);
    run->states[i] = arena_new_array(run->arena, double, elements);
    for (int64_t j = 0; j < elements; j++)
      run->states[i][j] = state->initial == INITIAL_CONSTANT ? state->low : 0.5 * content_of(state->name, j);
  }
  return true;
}

/* The only output of `predict` for the input x, one example. */
static const struct tensor *predict(struct model_run *run, const double *x) {
  set_input(run, "x", x);
  struct tensor *results = model_step(run, run->arena, run->program->predict, NULL);
  return results;
}

static void check_numbers(const struct tensor *tensor, const double *expected, int count) {
  if (!CHECK(tensor != NULL) || !CHECK(axes_count(tensor->axes, tensor->axis_count) == count)) return;
  for (int i = 0; i < count; i++) CHECK_NEAR(tensor->data[i], expected[i], 1e-14);
}

static void check_prediction(const char *text, const double *x, const double *expected, int count) {
  struct model_run run;
  if (open_text(&run, text, false)) check_numbers(predict(&run, x), expected, count);
  model_close(&run);
}

static void check_compile_time(void) {
  const double x[] = {2};
  check_prediction("axis a = 6\n axis b = a / 2\n model m(x) -> y { return x * size(b) + 7 % 4 + 2 ^ 3 + max(1, 5) }",
                   x, (double[]){2 * 3 + 3 + 8 + 5}, 1);
  check_prediction(
      "model m(x) -> y { s = 0; repeat [4] as i { if i % 2 == 1 { s = s + i * x } else { s = s - 1 } }; return s }", x,
      (double[]){4 * 2 - 2}, 1);
  check_prediction(
      "fn f(x, g, k = 3, scale = none) { if given(scale) { return g(x) * scale } else { return g(x) * k } }\n"
      "fn twice(x) { return 2 * x }\n"
      "model m(x) -> y { return f(x, twice) + f(x, sqrt, scale = x) + f(x, twice, 1) }",
      x, (double[]){12 + 1.4142135623730951 * 2 + 4}, 1);
  check_prediction("model m(x) -> y { if training { return x } else { return x ^ 2 + x ^ 0.5 + x ^ -1 } }", x,
                   (double[]){4 + 1.4142135623730951 + 0.5}, 1);
  /* The names of a function are its own, even where a parameter of its caller has the same name. */
  check_prediction("fn f(x) { m = x + 1\n return m * m }\n model m(x) -> y { param m = 5\n return f(x) + m }", x,
                   (double[]){14}, 1);
}

static void check_axes(void) {
  const double x[] = {1, 2, 3, 4, 5, 6};
  /* A split is outermost first, a merge is its inverse, in any order of the factors. */
  check_prediction(
      "axis a = 2\n axis b = 3\n axis c = 6\n model m(x[c]) -> y[b] { z = x[c -> a * b]; return z[a = 1] - z[a = 0] }",
      x, (double[]){3, 3, 3}, 3);
  check_prediction("axis a = 2\n axis b = 3\n axis c = 6\n model m(x[c]) -> y[c] { return x[c -> a * b][b * a -> c] }",
                   x, (double[]){1, 4, 2, 5, 3, 6}, 6);
  /* One actual axis bound to two parameters stays two axes inside: a square matrix, here the one that sums. */
  check_prediction(
      "axis c = 6\n fn f(x[in], axis in, axis out) { param w[in, out] = 1\n return x @in w }\n model m(x[c]) -> y[c] { "
      "return f(x, c, c) }",
      x, (double[]){21, 21, 21, 21, 21, 21}, 6);
  /* A product is one axis inside, and comes back as its factors. */
  check_prediction(
      "axis a = 2\n axis b = 3\n axis c = 6\n fn f(x, axis d) { return x * index(d) }\n"
      "model m(x[c]) -> y[a, b] { return f(x[c -> a * b], a * b) }",
      x, (double[]){0, 2, 6, 12, 20, 30}, 6);
  check_prediction("axis c = 6\n axis d = 3\n model m(x[c]) -> y[d] { return x[c = 2..5 -> d] }", x,
                   (double[]){3, 4, 5}, 3);
  check_prediction("axis c = 6\n axis d = 8\n model m(x[c]) -> y[d] { return pad(x, c, 1, axis d = d) }", x,
                   (double[]){0, 1, 2, 3, 4, 5, 6, 0}, 8);
  check_prediction(
      "axis c = 6\n axis two = 2\n model m(x[c]) -> y[two] { return stack(max(x, c), min(x, c), axis two = two) }", x,
      (double[]){6, 1}, 2);
  check_prediction(
      "axis c = 6\n axis k = 2\n model m(x[c]) -> y[k], z[k] { v, i = top(x * -1, c, k); return v, i + 0.5 }", x,
      (double[]){-1, -2}, 2);
  check_prediction("axis c = 6\n model m(x[c]) -> y[c] { return scan(x, c) - mean(x, c) }", x,
                   (double[]){-2.5, -0.5, 2.5, 6.5, 11.5, 17.5}, 6);
  check_prediction("axis c = 6\n model m(x[c]) -> y[c] { i = where(index(c) == 0, 5, index(c) - 1)\n return x[c = i] }",
                   x, (double[]){6, 1, 2, 3, 4, 5}, 6);
}

static void check_parameters(void) {
  struct model_run run;
  const double x[] = {1, 2, 3, 4};
  const char *text =
      "axis a = 4\n axis b = 2\n axis c = 2\n"
      "fn f(x[in], axis in, axis out) { param w[in, out] ~ uniform(0, 1)\n return x @in w }\n"
      "model m(x[a]) -> y[a] {\n"
      "  repeat h[2] { x = up: f(x, a, b * c); x = down: f(x, b * c, a) }\n"
      "  repeat [3] { x = same: f(x, a, a) }\n"
      "  return x + h.1.up.w[b = 1, c = 0]\n"
      "}";
  if (open_text(&run, text, false)) {
    const struct program *program = run.program;
    static const char *const expected[] = {"h.0.up.w", "h.0.down.w", "h.1.up.w", "h.1.down.w", "same.w"};
    CHECK(program->states.count == 5);
    for (int i = 0; i < program->states.count && i < 5; i++) {
      CHECK_STRING(program->states.items[i]->name, expected[i]);
      CHECK(program->states.items[i]->axis_count == 2);
      CHECK(program->states.items[i]->axes[0]->extent == 4 && program->states.items[i]->axes[1]->extent == 4);
    }
    double now[4] = {1, 2, 3, 4};
    for (int layer = 0; layer < 7; layer++) {
      const double *w = run.states[layer < 4 ? layer : 4];
      double next[4] = {0};
      for (int i = 0; i < 4; i++)
        for (int o = 0; o < 4; o++) next[o] += now[i] * w[i * 4 + o];
      memcpy(now, next, sizeof now);
    }
    for (int i = 0; i < 4; i++) now[i] += run.states[2][i * 4 + 2];
    check_numbers(predict(&run, x), now, 4);
  }
  model_close(&run);
}

/* A custom gradient is the one used, summed over the axes that the argument lacks. */
static void check_gradient_blocks(void) {
  struct model_run run;
  const char *text =
      "axis a = 3\n"
      "optimizer plain(p, g, lr) { p = p - lr * g }\n"
      "fn f(x, w) -> y { z = x * w; y = z * z; return y } gradient (dy) { dw = dy * (z + y); dx = 0 * dy }\n"
      "fn through(x) -> y { return round(x) } gradient approximate (dy) { dx = dy }\n"
      "model m(x[a]) -> y[a] { param w = 0.5; param v[a] = 1; return f(x, w) + through(v) }\n"
      "data d { examples = 2; x = normal(1, a) }\n"
      "train m on d { loss = sum(y); optimizer = plain(lr = 1); batch = 2 }";
  if (open_text(&run, text, true)) {
    const double x[] = {1, -2, 3, 0.5, 2, 1}, zero = 0;
    double gradient = 0;
    for (int i = 0; i < 6; i++) gradient += x[i] * 0.5 + x[i] * x[i] * 0.25;
    set_input(&run, "x", x);
    set_input(&run, "step", &zero);
    CHECK(model_step(&run, run.arena, run.program->train, NULL) != NULL);
    CHECK_NEAR(*state_contents(&run, "w"), 0.5 - gradient, 1e-14);
    for (int i = 0; i < 3; i++) CHECK_NEAR(state_contents(&run, "v")[i], 1 - 2, 1e-14); /* twice: two examples */
  }
  model_close(&run);
}

/* loss = value, weight is a weighted mean, however the batch is cut; clipping, averages, accumulation. */
static void check_training(void) {
  struct model_run run;
  const char *text =
      "use \"std/optim.lam\"\n axis a = 2\n"
      "model m(x[a]) -> y[a] { param w = 2; return w * x }\n"
      "data d { examples = 4; x = normal(1, a); u = uniform(0, 1) }\n"
      "train m on d { loss = y * y, u; optimizer = sgd(lr = 0.1); batch = 2; accumulate = 2; clip = 3; average = "
      "ema(0.75) }";
  if (open_text(&run, text, true)) {
    const double x[] = {1, 2, 3, 4, 5, 6, 7, 8}, u[] = {0.5, 1, 0, 0.25}, zero = 0;
    *state_contents(&run, "w/average") = 2; /* as programs begin: a copy of the parameter */
    double sum = 0, weight = 0, gradient = 0;
    for (int i = 0; i < 8; i++) {
      sum += 4 * x[i] * x[i] * u[i / 2];
      weight += u[i / 2];
      gradient += 4 * x[i] * x[i] * u[i / 2];
    }
    set_input(&run, "step", &zero);
    for (int i = 0; i < 2; i++) {
      set_input(&run, "x", x + 4 * i);
      set_input(&run, "u", u + 2 * i);
      CHECK(model_step(&run, run.arena, run.program->accumulate, NULL) != NULL);
    }
    const struct graph *train = run.program->train;
    const struct tensor *results = model_step(&run, run.arena, train, NULL);
    const double clipped = 3 * (gradient / weight) / (gradient / weight + 1e-6);
    if (CHECK(results != NULL)) {
      CHECK_NEAR(*output_of(train, results, "loss")->data, sum / weight, 1e-14);
      CHECK_NEAR(*output_of(train, results, "weight_sum")->data, weight, 1e-14);
      CHECK_NEAR(*output_of(train, results, "gradient_norm")->data, gradient / weight, 1e-14);
    }
    CHECK_NEAR(*state_contents(&run, "w"), 2 - 0.1 * clipped, 1e-14);
    CHECK_NEAR(*state_contents(&run, "w/average"), 0.75 * 2 + 0.25 * (2 - 0.1 * clipped), 1e-14);
    CHECK_NEAR(*state_contents(&run, "gradient/w"), 0, 0);
    CHECK_NEAR(*state_contents(&run, "loss_sum"), 0, 0);
    const struct graph *evaluate = run.program->evaluate; /* reads the average */
    results = model_step(&run, run.arena, evaluate, NULL);
    const double w = *state_contents(&run, "w/average");
    if (CHECK(results != NULL))
      CHECK_NEAR(*output_of(evaluate, results, "loss_sum")->data, w * w * (49 + 64) * 0.25, 1e-13);
  }
  model_close(&run);
}

/* The last matching pattern decides; each optimizer keeps its own states. */
static void check_patterns(void) {
  struct model_run run;
  const char *text =
      "use \"std/optim.lam\"\n"
      "model m(x) -> y { param a.w = 1; param a.b = 1; param c.b = 1; return x * a.w + a.b + c.b }\n"
      "data d { examples = 4; x = normal(1) }\n"
      "train m on d { loss = y; optimizer = adamw(lr = 0.1)\n"
      "  for \"a.*\" { freeze = 1 }\n  for \"*.b\" { freeze = 0; optimizer = sgd(lr = 0.5) }\n  for \"c.*\" { "
      "optimizer.lr = 0.25 } }";
  if (open_text(&run, text, true)) {
    const double x = 3, zero = 0;
    set_input(&run, "x", &x);
    set_input(&run, "step", &zero);
    CHECK(model_step(&run, run.arena, run.program->train, NULL) != NULL);
    CHECK_NEAR(*state_contents(&run, "a.w"), 1, 0);
    CHECK_NEAR(*state_contents(&run, "a.b"), 0.5, 1e-15);
    CHECK_NEAR(*state_contents(&run, "c.b"), 0.75, 1e-15);
    CHECK(run.program->states.items[0]->frozen && !run.program->states.items[1]->frozen);
    CHECK(state_contents(&run, "a.w/m") == NULL);
  }
  model_close(&run);
}

int main(void) {
  check_compile_time();
  check_axes();
  check_parameters();
  check_gradient_blocks();
  check_training();
  check_patterns();
  return check_done("lower");
}
