/* Training: the loss, gradients, clipping, accumulation, averages, and the graphs train, accumulate and evaluate. */
#include "frontend/lower.h"

#include <math.h>
#include <string.h>

static const char *const train_names[] = {"loss",       "optimizer", "batch",   "steps", "epochs",
                                          "accumulate", "clip",      "average", "eval",  "checkpoint",
                                          "log",        "seed",      "shuffle", "init"};

void read_train_settings(struct lowering *lowering) {
  const ast_block *block = &lowering->train->body;
  struct train_settings *settings = arena_new_struct(lowering->arena, struct train_settings);
  check_settings(lowering, block, "train", train_names, sizeof train_names / sizeof *train_names);
  const int64_t most = INT32_MAX;
  settings->batch = setting_integer(lowering, block, "train", "batch", 1, 1, most);
  settings->accumulate = setting_integer(lowering, block, "train", "accumulate", 1, 1, most);
  settings->steps = setting_integer(lowering, block, "train", "steps", -1, 1, most);
  settings->epochs = setting_integer(lowering, block, "train", "epochs", -1, 1, most);
  settings->clip = setting_number(lowering, block, "train", "clip", -1);
  settings->average = setting_number(lowering, block, "train", "average", -1);
  settings->evaluate_every = setting_integer(lowering, block, "train", "eval", 0, 0, most);
  settings->checkpoint_every = setting_integer(lowering, block, "train", "checkpoint", 0, 0, most);
  settings->log_every = setting_integer(lowering, block, "train", "log", 10, 0, most);
  settings->shuffle = setting_integer(lowering, block, "train", "shuffle", 1, 0, 1) != 0;
  settings->seed = (uint32_t)setting_integer(lowering, block, "train", "seed", 0, 0, UINT32_MAX);
  settings->span = lowering->train->span;
  settings->initial = setting_path(lowering, lowering->train_file, block, "train", "init", &settings->initial_here);
  struct found_setting found;
  if (settings->steps > 0 && settings->epochs > 0) {
    /* On the command line, steps replace epochs of the spec, and the other way round. */
    find_setting(lowering, block, "train", "steps", &found);
    if (!found.statement) settings->epochs = -1;
    find_setting(lowering, block, "train", "epochs", &found);
    if (!found.statement) settings->steps = settings->epochs > 0 ? -1 : settings->steps;
    if (settings->steps > 0 && settings->epochs > 0)
      fail(lowering, lowering->train->name.span,
           "'steps' and 'epochs' are both set; one of them says how long to train");
  }
  if (settings->steps < 0 && settings->epochs < 0) settings->epochs = 1;
  if (find_setting(lowering, block, "train", "clip", &found) && !(settings->clip > 0))
    fail(lowering, found.span, "'clip' is the largest norm that the gradient may have, and must be more than 0");
  if (find_setting(lowering, block, "train", "average", &found) && !(settings->average >= 0 && settings->average < 1))
    fail(lowering, found.span, "'average' must be ema(decay) with a decay from 0 to below 1");
  if (!find_setting(lowering, block, "train", "loss", &found))
    fail(lowering, lowering->train->name.span, "train has no loss; say what it minimises: loss = ...");
  if (!find_setting(lowering, block, "train", "optimizer", &found))
    fail(lowering, lowering->train->name.span, "train has no optimizer; write one as in optimizer = adamw(lr = 1e-3)");
  lowering->program->training = settings;
}

/* --- The loss ----------------------------------------------------------------------------------------------------- */

/* Data columns first, then the model's outputs; output.NAME is always the model's. */
static bool loss_name(struct lowering *lowering, const char *name, struct span span, struct thing *thing) {
  if (data_column(lowering, name, span, thing)) return true;
  const int number = result_number(lowering, name);
  if (number >= 0) *thing = lowering->outputs.items[number];
  return number >= 0;
}

struct loss {
  struct value *sum, *weight;
};

static struct value *sum_all(struct lowering *lowering, struct value *value) {
  return value->axis_count ? build_reduce(lowering->graph, OP_reduce_sum, value, value->axes, value->axis_count)
                           : value;
}

/* The sum of `weight` over all elements of `value`. An axis that `weight` lacks multiplies the sum by its length. */
static struct value *weight_over(struct lowering *lowering, struct value *weight, const struct value *value) {
  double times = 1;
  for (int i = 0; i < value->axis_count; i++)
    if (!value_has_axis(weight, value->axes[i])) times *= (double)value->axes[i]->extent;
  struct value *sum = sum_all(lowering, weight);
  if (times == 1) return sum;
  if (weight->op == OP_constant) return build_constant(lowering->graph, weight->number * times);
  return build_binary(lowering->graph, OP_mul, sum, build_constant(lowering->graph, times));
}

void feed_inputs(struct lowering *lowering) {
  for (int i = 0; i < lowering->inputs.count; i++)
    feed_model_input(lowering, &lowering->model->parameters.items[i].signature, lowering->inputs.items[i]);
}

static bool lower_loss(struct lowering *lowering, struct loss *loss) {
  struct found_setting found;
  if (!find_setting(lowering, &lowering->train->body, "train", "loss", &found)) return false;
  if (!found.statement) {
    fail(lowering, found.span, "-D cannot set the loss: a loss is written in the spec");
    return false;
  }
  struct frame *frame = frame_new(lowering, lowering->train_file, lowering->train, "", (struct span){0});
  frame->caller = NULL;
  frame->resolve = loss_name;
  lowering->frame = frame;
  lowering->reduce_all = true;
  things parts = {0};
  evaluate_list(lowering, found.statement->expressions.items, found.statement->expressions.count, &parts);
  lowering->reduce_all = false;
  if (parts.count > 2) {
    fail(lowering, found.span, "a loss is a value, or a value and its weight; here are %d values", parts.count);
    return false;
  }
  struct value *value = as_real(lowering, parts.items[0], found.span);
  struct value *weight = as_real(lowering, parts.count == 2 ? parts.items[1] : thing_number(1, true), found.span);
  if (!value || !weight) return false;
  if (!has_room(lowering, found.span, (struct value *[]){value, weight}, 2, 0)) return false;
  set_origin(lowering, found.span);
  if (weight->op != OP_input && weight->op != OP_constant) weight = build_stop(lowering->graph, weight);
  struct value *weighted = parts.count == 2 ? build_binary(lowering->graph, OP_mul, value, weight) : value;
  loss->sum = sum_all(lowering, weighted);
  loss->weight = weight_over(lowering, weight, weighted);
  loss->sum->name = "loss_sum";
  loss->weight->name = "weight_sum";
  return true;
}

/* The mean of the loss; 0 where all weights are 0. */
static struct value *mean_loss(struct lowering *lowering, const struct loss *loss) {
  struct graph *graph = lowering->graph;
  struct value *weight = loss->weight;
  if (weight->op != OP_constant) {
    struct value *none = build_binary(graph, OP_eq, weight, build_constant(graph, 0));
    weight = build_where(graph, none, build_constant(graph, 1), weight);
  }
  if (weight->op == OP_constant && weight->number == 1) return loss->sum;
  struct value *mean = build_binary(graph, OP_div, loss->sum, weight);
  if (!mean->name) mean->name = "loss";
  return mean;
}

/* --- One step ----------------------------------------------------------------------------------------------------- */

struct trained {
  struct state *state;
  struct value *value, *gradient;
};
typedef ARRAY(struct trained) trained_parameters;

/* The norm of all gradients. Finite gradients may have infinite squares; the norm is then computed from gradients times
   2^-80, which makes no gradient that matters too small. One sweep over the gradients computes both sums. */
static struct value *gradient_norm(struct lowering *lowering, const trained_parameters *trained) {
  struct graph *graph = lowering->graph;
  struct value *part = build_constant(graph, 0x1p-80), *totals[2] = {NULL, NULL};
  for (int i = 0; i < trained->count; i++) {
    struct value *gradient = trained->items[i].gradient;
    for (int j = 0; j < 2; j++) {
      struct value *x = j ? build_binary(graph, OP_mul, gradient, part) : gradient;
      struct value *square = sum_all(lowering, build_binary(graph, OP_mul, x, x));
      totals[j] = totals[j] ? build_binary(graph, OP_add, totals[j], square) : square;
    }
  }
  if (!totals[0]) return NULL;
  struct value *fits = build_binary(graph, OP_lt, totals[0], build_constant(graph, INFINITY));
  struct value *norm = build_unary(graph, OP_sqrt, totals[0]);
  struct value *large = build_unary(graph, OP_sqrt, totals[1]);
  large = build_binary(graph, OP_mul, large, build_constant(graph, 0x1p80));
  norm = build_where(graph, fits, norm, large);
  norm->name = "gradient_norm";
  return norm;
}

/* Scales all gradients so that their common norm is at most `clip`, as PyTorch's clip_grad_norm_ does. */
static struct value *clip_gradients(struct lowering *lowering, trained_parameters *trained, double clip) {
  struct graph *graph = lowering->graph;
  struct value *norm = gradient_norm(lowering, trained);
  if (!norm) return NULL;
  struct value *most = build_constant(graph, clip);
  struct value *ratio =
      build_binary(graph, OP_div, most, build_binary(graph, OP_add, norm, build_constant(graph, 1e-6)));
  struct value *scale = build_binary(graph, OP_min, ratio, build_constant(graph, 1));
  for (int i = 0; i < trained->count; i++)
    trained->items[i].gradient = build_binary(graph, OP_mul, trained->items[i].gradient, scale);
  return norm;
}

static struct state *average_of(struct lowering *lowering, struct state *parameter) {
  struct state *average = table_find(&lowering->averages, parameter->name);
  if (average) return average;
  const char *name = arena_format(lowering->arena, "%s/average", parameter->name);
  average = state_new(lowering, name, ROLE_AVERAGE, KIND_REAL, parameter->axes, parameter->axis_count, parameter->span);
  average->of = parameter; /* it begins as a copy of the parameter, whatever that begins from (runtime/tensors.c) */
  table_set(lowering->arena, &lowering->averages, parameter->name, average);
  return average;
}

static void add_averages(struct lowering *lowering, pending_updates *updates) {
  struct graph *graph = lowering->graph;
  const double decay = lowering->program->training->average;
  const int count = updates->count;
  for (int i = 0; i < count; i++) {
    const struct pending_update update = updates->items[i];
    if (update.state->role != ROLE_PARAMETER) continue;
    set_origin(lowering, update.state->span);
    struct state *average = average_of(lowering, update.state);
    struct value *kept = build_constant(graph, decay);
    kept = build_binary(graph, OP_mul, kept, build_state(graph, average));
    struct value *fresh = build_binary(graph, OP_mul, build_constant(graph, 1 - decay), update.value);
    struct value *next = build_binary(graph, OP_add, kept, fresh);
    array_push(lowering->arena, updates, (struct pending_update){average, next});
  }
}

/* Adds the output "update_check", which has one number for each parameter: 0, or NaN where something infinite or NaN
   was written for it. By it a run notices the step that spoils the weights. The sweep that writes the updates computes
   it on the way. */
static void check_updates(struct lowering *lowering, struct value *const *updates, int count) {
  struct graph *graph = lowering->graph;
  struct value **checks = arena_new_array(lowering->arena, struct value *, count), *zero = build_constant(graph, 0);
  struct axis **units = arena_new_array(lowering->arena, struct axis *, count);
  int checked = 0;
  for (int i = 0; i < count;) {
    const struct value *first = updates[i];
    struct value *check = NULL;
    set_origin(lowering, first->state->span);
    for (; i < count && (updates[i] == first || updates[i]->state->of == first->state) && same_axes(updates[i], first);
         i++) {
      struct value *term = build_binary(graph, OP_mul, updates[i], zero);
      check = check ? build_binary(graph, OP_add, check, term) : term;
    }
    check = sum_all(lowering, check);
    check->name = arena_format(lowering->arena, "%s.check", first->state->name);
    units[checked] = axis_new(graph, "one", 1, first->state->span);
    checks[checked] = build_expand(graph, check, &units[checked], 1);
    checked++;
  }
  if (!checked) return; /* there was an error */
  set_origin(lowering, lowering->train->span);
  struct axis *axis = axis_new(graph, "update", checked, lowering->train->span);
  graph_add_output(graph, "update_check", build_concat(graph, checks, units, checked, axis));
}

/* Completes a step once there are gradients: clips them, runs the optimizer, and writes everything at the end of the
   graph. */
static void finish_step(struct lowering *lowering, trained_parameters *trained, pending_updates *updates) {
  const struct train_settings *settings = lowering->program->training;
  struct graph *graph = lowering->graph;
  set_origin(lowering, lowering->train->span);
  if (settings->clip > 0) {
    struct value *norm = clip_gradients(lowering, trained, settings->clip);
    if (norm) graph_add_output(graph, "gradient_norm", norm);
  }
  for (int i = 0; i < trained->count; i++)
    lower_optimizer(lowering, trained->items[i].state, trained->items[i].value, trained->items[i].gradient, updates);
  if (settings->average >= 0) add_averages(lowering, updates);
  set_origin(lowering, lowering->train->span);
  struct value **written = arena_new_array(lowering->arena, struct value *, updates->count);
  for (int i = 0; i < updates->count; i++)
    written[i] = build_update(graph, updates->items[i].state, updates->items[i].value, NULL, NULL);
  check_updates(lowering, written, updates->count);
}

/* `name`, or a similar name that no parameter has. With the same name, an accumulator would be taken for the parameter
   or for one of its optimizer states. All parameters exist by the time the first accumulator is made. */
static const char *name_beside_parameters(struct lowering *lowering, const char *name) {
  const struct state *taken;
  while ((taken = table_find(&lowering->states, name)) && taken->role == ROLE_PARAMETER)
    name = arena_format(lowering->arena, "accumulated_%s", name);
  return name;
}

static struct state *accumulator(struct lowering *lowering, const char *name, struct state *of) {
  if (!of) name = name_beside_parameters(lowering, name);
  struct state *state = table_find(&lowering->states, name);
  if (state) return state;
  state = state_new(lowering, name, ROLE_ACCUMULATOR, KIND_REAL, of ? of->axes : NULL, of ? of->axis_count : 0,
                    of ? of->span : lowering->train->span);
  state->of = of;
  return state;
}

static struct state *gradient_accumulator(struct lowering *lowering, struct state *parameter) {
  const char *all = name_beside_parameters(lowering, "gradient");
  return accumulator(lowering, arena_format(lowering->arena, "%s/%s", all, parameter->name), parameter);
}

/* --- The graphs --------------------------------------------------------------------------------------------------- */

/* Lowers the model and the loss for training. False after errors. */
static bool begin_training_graph(struct lowering *lowering, enum routine_number number, struct loss *loss) {
  begin_graph(lowering, number);
  lowering->training = true;
  const bool good = lower_forward(lowering);
  if (lowering->inputs.count == lowering->model->parameters.count) feed_inputs(lowering);
  const bool has_loss = lower_loss(lowering, loss);
  if (good) apply_freezes(lowering);
  if (!has_loss || !good) return false;
  return lowering->diagnostics->error_count == 0;
}

/* Whether the loss depends on a trained parameter through real values, which carry gradients back, and not only through
   stop. */
static bool reaches_parameter(struct lowering *lowering, const struct value *loss) {
  const struct graph *graph = lowering->graph;
  bool *moves = arena_new_array(lowering->arena, bool, graph->next_value);
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    bool reached = value->op == OP_state && value->state->role == ROLE_PARAMETER && !value->state->frozen;
    for (int j = 0; j < value->input_count && value->op != OP_stop && !reached; j++)
      reached = value->inputs[j]->kind == KIND_REAL && moves[value->inputs[j]->id];
    moves[value->id] = reached;
  }
  return moves[loss->id];
}

static bool has_trained(struct lowering *lowering, const struct loss *loss) {
  bool some = false;
  for (int i = 0; i < lowering->program->states.count; i++)
    some |= lowering->program->states.items[i]->role == ROLE_PARAMETER && !lowering->program->states.items[i]->frozen;
  struct found_setting found;
  if (!some) {
    fail(lowering, lowering->train->name.span,
         "there is nothing to train: the model has no parameter that is not frozen");
  } else if (!reaches_parameter(lowering, loss->sum) &&
             find_setting(lowering, &lowering->train->body, "train", "loss", &found)) {
    fail(lowering, found.span, "no parameter that is trained moves this loss: its gradient is zero everywhere");
    some = false;
  }
  return some;
}

static void lower_whole_step(struct lowering *lowering) {
  struct loss loss;
  if (begin_training_graph(lowering, ROUTINE_train, &loss)) {
    struct graph *graph = lowering->program->train = lowering->graph;
    trained_parameters trained = {0};
    pending_updates updates = {0};
    if (has_trained(lowering, &loss)) {
      set_origin(lowering, lowering->train->span);
      struct value *mean = mean_loss(lowering, &loss);
      graph_add_output_of_role(graph, OUTPUT_LOSS, mean);
      graph_add_output_of_role(graph, OUTPUT_LOSS_SUM, loss.sum);
      graph_add_output_of_role(graph, OUTPUT_WEIGHT_SUM, loss.weight);
      for (int i = 0; i < lowering->parameters.count; i++) {
        const struct parameter *parameter = lowering->parameters.items[i];
        if (parameter->state->frozen) continue;
        set_origin(lowering, parameter->span);
        struct value *gradient = build_gradient(graph, mean, parameter->raw);
        array_push(lowering->arena, &trained, (struct trained){parameter->state, parameter->raw, gradient});
      }
      finish_step(lowering, &trained, &updates);
    }
  }
  finish_graph(lowering);
}

static void lower_accumulate(struct lowering *lowering) {
  struct loss loss;
  pending_updates updates = {0};
  if (begin_training_graph(lowering, ROUTINE_accumulate, &loss)) {
    struct graph *graph = lowering->program->accumulate = lowering->graph;
    if (!has_trained(lowering, &loss)) return;
    graph_add_output_of_role(graph, OUTPUT_LOSS_SUM, loss.sum);
    graph_add_output_of_role(graph, OUTPUT_WEIGHT_SUM, loss.weight);
    set_origin(lowering, lowering->train->span);
    struct state *sum = accumulator(lowering, "loss_sum", NULL), *weight = accumulator(lowering, "weight_sum", NULL);
    array_push(lowering->arena, &updates,
               (struct pending_update){sum, build_binary(graph, OP_add, build_state(graph, sum), loss.sum)});
    array_push(lowering->arena, &updates,
               (struct pending_update){weight, build_binary(graph, OP_add, build_state(graph, weight), loss.weight)});
    for (int i = 0; i < lowering->parameters.count; i++) {
      const struct parameter *parameter = lowering->parameters.items[i];
      if (parameter->state->frozen) continue;
      set_origin(lowering, parameter->span);
      struct state *state = gradient_accumulator(lowering, parameter->state);
      struct value *gradient = build_gradient(graph, loss.sum, parameter->raw);
      array_push(lowering->arena, &updates,
                 (struct pending_update){state, build_binary(graph, OP_add, build_state(graph, state), gradient)});
    }
    set_origin(lowering, lowering->train->span);
    for (int i = 0; i < updates.count; i++)
      build_update(graph, updates.items[i].state, updates.items[i].value, NULL, NULL);
  }
  finish_graph(lowering);
}

/* With accumulation, the step takes no data: it reads gradients, loss and weight from the accumulators and sets these
   to zero. */
static void lower_accumulated_step(struct lowering *lowering) {
  struct graph *graph = lowering->program->train = begin_graph(lowering, ROUTINE_train);
  lowering->training = true;
  set_origin(lowering, lowering->train->span);
  struct loss loss = {.sum = build_state(graph, accumulator(lowering, "loss_sum", NULL))};
  loss.weight = build_state(graph, accumulator(lowering, "weight_sum", NULL));
  struct value *zero = build_constant(graph, 0), *empty = build_binary(graph, OP_eq, loss.weight, zero);
  struct value *weight = build_where(graph, empty, build_constant(graph, 1), loss.weight);
  graph_add_output_of_role(graph, OUTPUT_LOSS, build_binary(graph, OP_div, loss.sum, weight));
  graph_add_output_of_role(graph, OUTPUT_LOSS_SUM, loss.sum);
  graph_add_output_of_role(graph, OUTPUT_WEIGHT_SUM, loss.weight);
  trained_parameters trained = {0};
  pending_updates updates = {0};
  const int states = lowering->program->states.count;
  for (int i = 0; i < states; i++) {
    struct state *state = lowering->program->states.items[i];
    if (state->role != ROLE_PARAMETER || state->frozen) continue;
    set_origin(lowering, state->span);
    struct value *sum = build_state(graph, gradient_accumulator(lowering, state));
    struct trained item = {state, build_state(graph, state), build_binary(graph, OP_div, sum, weight)};
    array_push(lowering->arena, &trained, item);
  }
  for (int i = 0; i < states; i++) {
    struct state *state = lowering->program->states.items[i];
    if (state->role != ROLE_ACCUMULATOR) continue;
    array_push(lowering->arena, &updates,
               (struct pending_update){state, build_expand(graph, zero, state->axes, state->axis_count)});
  }
  finish_step(lowering, &trained, &updates);
  finish_graph(lowering);
}

void lower_train(struct lowering *lowering) {
  if (lowering->program->training->accumulate == 1) {
    lower_whole_step(lowering);
    return;
  }
  lower_accumulate(lowering);
  if (!lowering->diagnostics->error_count) lower_accumulated_step(lowering);
}

void lower_evaluate(struct lowering *lowering) {
  struct loss loss;
  struct graph *graph = lowering->program->evaluate = begin_graph(lowering, ROUTINE_evaluate);
  lowering->read_averages = true;
  const bool good = lower_forward(lowering);
  if (good) feed_inputs(lowering);
  if (good && lower_loss(lowering, &loss)) {
    graph_add_output_of_role(graph, OUTPUT_LOSS_SUM, loss.sum);
    graph_add_output_of_role(graph, OUTPUT_WEIGHT_SUM, loss.weight);
  }
  finish_graph(lowering);
}
