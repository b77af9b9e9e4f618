/* The first step of mixed, on graphs as lowering leaves them. Gradients of parameters are marked by casts to f32, by
   which the second step (mixed.c) knows them.

   With f16 the loss is scaled, as the smallest gradients would vanish in 16 bits. What follows is torch.amp.GradScaler
   (PyTorch 2.15, torch/amp/grad_scaler.py), with its constants: gradients are those of loss x scale, and divided by the
   scale before anything reads them. If one of them is not finite, the step is skipped: all that it would write stays as
   it was, but for accumulators, which are emptied. Then the scale is halved; after 2,000 steps in a row without a skip
   it is doubled, unless it would not be finite. It may fall below 1. */
#include <string.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

const enum storage mixed_storages[] = {STORAGE_BF16, STORAGE_F16};

static const double INITIAL_SCALE = 65536, GROWTH = 2, BACKOFF = 0.5, GROWTH_INTERVAL = 2000;
/* The largest float: a product beyond it is infinite where reals are floats, and counts as that in doubles. */
static const double LARGEST = 0x1.fffffep127;

struct scaler {
  struct program *program;
  struct graph *graph;
  struct rewrite rewrite;
  bool scales; /* with f16 */
  struct value *step; /* the input, once it is needed */
  struct value *scale, *inverse, *skipped; /* what the states hold before the step; inverse: 1 / scale */
  const struct value *loss; /* the last one that was scaled, and the value that it became */
  struct value *scaled;
  struct value *check; /* 0 times all gradients so far, summed: 0, or NaN where one of them is not finite; or NULL */
  struct value *finite; /* whether all gradients are; made before the first update */
};

/* --- States ------------------------------------------------------------------------------------------------------- */

static struct state *find_state(const struct program *program, const char *name) {
  for (int i = 0; i < program->states.count; i++)
    if (!strcmp(program->states.items[i]->name, name)) return program->states.items[i];
  return NULL;
}

/* The scaler's state of this name, made when there is none. The part before the slash is the name of no tensor, by
   which a checkpoint tells that the state belongs to a pipeline and not to a parameter (runtime/weights.c). */
static struct state *scaler_state(struct scaler *s, const char *name, double initial) {
  struct arena *arena = s->program->arena;
  const char *owner = "scaler";
  while (find_state(s->program, owner)) owner = arena_format(arena, "loss_%s", owner);
  name = arena_format(arena, "%s/%s", owner, name);
  struct state *state = find_state(s->program, name);
  if (state) return state;
  state = arena_new_struct(arena, struct state);
  *state = (struct state){.name = name,
                          .role = ROLE_OPTIMIZER,
                          .kind = KIND_REAL,
                          .low = initial,
                          .initial = INITIAL_CONSTANT,
                          .stream = hash_path(name),
                          .span = s->graph->origin.span};
  array_push(arena, &s->program->states, state);
  return state;
}

static struct state *scale_state(struct scaler *s) { return scaler_state(s, "scale", INITIAL_SCALE); }
static struct state *growth_state(struct scaler *s) { return scaler_state(s, "growth_tracker", 0); }
static struct state *skipped_state(struct scaler *s) { return scaler_state(s, "skipped_steps", 0); }

static struct value *named(struct value *value, const char *name) {
  value->name = name;
  return value;
}

static struct value *scale_of(struct scaler *s) {
  if (!s->scale) s->scale = build_state(s->graph, scale_state(s));
  return s->scale;
}

static struct value *inverse_of(struct scaler *s) {
  if (s->inverse) return s->inverse;
  struct value *one = build_constant(s->graph, 1);
  return s->inverse = named(build_binary(s->graph, OP_div, one, scale_of(s)), "inverse_loss_scale");
}

static struct value *skipped_of(struct scaler *s) {
  if (!s->skipped) s->skipped = build_state(s->graph, skipped_state(s));
  return s->skipped;
}

/* --- Gradients ---------------------------------------------------------------------------------------------------- */

static struct value *scaled_loss(struct scaler *s, const struct value *old) {
  if (s->loss == old) return s->scaled;
  s->loss = old;
  return s->scaled = named(build_binary(s->graph, OP_mul, rewrite_get(&s->rewrite, old), scale_of(s)), "scaled_loss");
}

/* A gradient of the scaled loss, as the optimizer is to have it. */
static struct value *unscaled(struct scaler *s, struct value *gradient) {
  struct graph *graph = s->graph;
  struct value *check = build_binary(graph, OP_mul, gradient, build_constant(graph, 0));
  if (check->axis_count) check = build_reduce(graph, OP_reduce_sum, check, check->axes, check->axis_count);
  s->check = s->check ? build_binary(graph, OP_add, s->check, check) : check;
  return build_binary(graph, OP_mul, gradient, inverse_of(s));
}

static struct value *marked_gradient(struct scaler *s, const struct value *old) {
  struct value *loss = s->scales ? scaled_loss(s, old->inputs[0]) : rewrite_get(&s->rewrite, old->inputs[0]);
  struct value *gradient = build_gradient(s->graph, loss, rewrite_get(&s->rewrite, old->inputs[1]));
  return build_cast(s->graph, gradient, STORAGE_F32);
}

/* --- Updates ------------------------------------------------------------------------------------------------------ */

static struct value *all_finite(struct scaler *s) {
  if (s->finite) return s->finite;
  struct graph *graph = s->graph;
  struct value *zero = build_constant(graph, 0);
  return s->finite = named(build_binary(graph, OP_eq, s->check ? s->check : zero, zero), "gradients_are_finite");
}

/* The update writes what it would, or where the step is skipped what the state held. */
static struct value *guarded_update(struct scaler *s, const struct value *old) {
  struct value *now = build_state(s->graph, old->state), *next = rewrite_get(&s->rewrite, old->inputs[0]);
  next = build_where(s->graph, all_finite(s), next, now);
  if (old->inputs[0]->name) next->name = arena_format(s->graph->arena, "%s.kept", old->inputs[0]->name);
  return value_copy(s->graph, old, &next);
}

/* Writes the scaler's states for the next step, and gives the loop around the graph what it reports. */
static void finish(struct scaler *s) {
  struct graph *graph = s->graph;
  struct value *finite = all_finite(s), *zero = build_constant(graph, 0), *one = build_constant(graph, 1);
  struct value *tracker = build_binary(graph, OP_add, build_state(graph, growth_state(s)), one);
  struct value *grows = build_binary(graph, OP_eq, tracker, build_constant(graph, GROWTH_INTERVAL));
  struct value *scale = scale_of(s), *larger = build_binary(graph, OP_mul, scale, build_constant(graph, GROWTH));
  struct value *fits = build_binary(graph, OP_le, larger, build_constant(graph, LARGEST));
  struct value *smaller = build_binary(graph, OP_mul, scale, build_constant(graph, BACKOFF));
  struct value *next = build_where(graph, build_binary(graph, OP_and, grows, fits), larger, scale);
  next = build_where(graph, finite, next, smaller);
  struct value *skips = named(build_where(graph, finite, zero, one), "step_is_skipped");
  struct value *skipped = build_binary(graph, OP_add, skipped_of(s), skips);
  tracker = build_where(graph, build_binary(graph, OP_and, finite, build_unary(graph, OP_not, grows)), tracker, zero);
  graph_add_output(graph, "loss_scale", scale);
  graph_add_output(graph, "step_is_skipped", skips);
  graph_add_output(graph, "skipped_steps", skipped);
  next->name = "next_loss_scale";
  tracker->name = "next_growth_tracker";
  skipped->name = "all_skipped_steps";
  build_update(graph, scale_state(s), next, NULL, NULL);
  build_update(graph, growth_state(s), tracker, NULL, NULL);
  build_update(graph, skipped_state(s), skipped, NULL, NULL);
}

/* --- The walk ----------------------------------------------------------------------------------------------------- */

static struct value *step_taken(struct scaler *s) {
  if (!s->step) s->step = rewrite_step(&s->rewrite);
  return s->scales ? named(build_binary(s->graph, OP_sub, s->step, skipped_of(s)), "step_taken") : s->step;
}

/* The sum of gradients that a step with accumulation reads. */
static bool is_gradient_sum(const struct value *value) {
  return value->op == OP_state && value->state->role == ROLE_ACCUMULATOR && value->state->of;
}

/* Where no step is skipped, the step taken is the step: the first of the two inputs becomes that, and stands for the other,
   which the next sweep finds unused. */
static void take_every_step(struct graph *graph) {
  struct value *step = NULL, *other = NULL;
  for (int i = 0; i < graph->values.count; i++) {
    struct value *value = graph->values.items[i];
    if (value->run_input != RUN_STEP && value->run_input != RUN_STEP_TAKEN) continue;
    *(step ? &other : &step) = value;
  }
  if (step) name_input(step, run_input_names[RUN_STEP]);
  for (int i = 0; other && i < graph->values.count; i++)
    for (int j = 0; j < graph->values.items[i]->input_count; j++)
      if (graph->values.items[i]->inputs[j] == other) graph->values.items[i]->inputs[j] = step;
  for (int i = 0; other && i < graph->outputs.count; i++)
    if (graph->outputs.items[i].value == other) graph->outputs.items[i].value = step;
}

void pass_mixed_begin(struct program *program, struct graph *graph, enum storage storage) {
  if (storage == STORAGE_REAL || (graph != program->train && graph != program->accumulate)) {
    take_every_step(graph);
    return;
  }
  struct scaler s = {.program = program, .graph = graph, .scales = storage == STORAGE_F16};
  const bool steps = s.scales && graph == program->train;
  const struct origin origin = graph->origin;
  struct origin whole = {.path = "", .function = ""};
  if (program->training) whole.span = program->training->span;
  graph->origin = whole;
  s.rewrite = rewrite_begin(graph);
  for (int i = 0; i < s.rewrite.count; i++) {
    struct value *old = s.rewrite.old[i];
    if (s.rewrite.map[old->id]) continue;
    graph->origin = old->origin;
    if (old->run_input == RUN_STEP_TAKEN) {
      rewrite_set(&s.rewrite, old, step_taken(&s));
    } else if (old->op == OP_gradient) {
      struct value *gradient = marked_gradient(&s, old);
      rewrite_set(&s.rewrite, old, steps ? unscaled(&s, gradient) : gradient);
    } else if (steps && is_gradient_sum(old)) {
      rewrite_set(&s.rewrite, old, unscaled(&s, rewrite_keep(&s.rewrite, old)));
    } else if (steps && old->op == OP_update && old->state->role != ROLE_ACCUMULATOR) {
      rewrite_set(&s.rewrite, old, guarded_update(&s, old));
    } else {
      rewrite_keep(&s.rewrite, old);
    }
  }
  rewrite_end(&s.rewrite);
  graph->origin = whole;
  if (steps) finish(&s);
  graph->origin = origin;
  graph_sweep(graph);
}
