/* A model's body as a graph: inputs that carry the batch, results with exactly the axes declared. */
#include "frontend/lower.h"

#include <string.h>

struct graph *begin_graph(struct lowering *lowering, enum routine_number number) {
  struct graph *graph = graph_new(lowering->arena, routine_facts[number].name, &lowering->program->next_axis);
  lowering->graph = graph;
  memset(lowering->run_inputs, 0, sizeof lowering->run_inputs);
  lowering->parameters.count = 0;
  lowering->parameter_names = (struct table){0};
  lowering->counters = (struct table){0};
  lowering->past_axes = (struct table){0};
  lowering->over = NULL;
  lowering->window = lowering->past = NULL;
  lowering->window_axis = NULL;
  lowering->inputs.count = 0;
  lowering->outputs = (things){0};
  lowering->output_axes.count = 0;
  lowering->example_axis = NULL;
  lowering->steps_taken = 0;
  lowering->unrolling = NULL;
  lowering->training = lowering->read_averages = lowering->reduce_all = false;
  lowering->batch = lowering->batch_axis;
  lowering->names_batch = false;
  lowering->frame = NULL;
  return graph;
}

void finish_graph(struct lowering *lowering) {
  lowering->frame = NULL;
  if (lowering->diagnostics->error_count) return;
  graph_sweep(lowering->graph);
  if (!check_storage(lowering, lowering->graph)) return;
  const char *error = graph_verify(lowering->arena, lowering->graph, STAGE_LOWERED);
  if (error) bug("lowering made a graph '%s' that does not verify: %s", lowering->graph->name, error);
}

struct value *run_input(struct lowering *lowering, enum run_input which) {
  struct value **value = &lowering->run_inputs[which];
  const char *name = run_input_names[which];
  if (*value) return *value;
  if (which != RUN_EXAMPLE) return *value = build_input(lowering->graph, name, KIND_REAL, NULL, NULL, 0);
  if (lowering->example_axis) return *value = build_index(lowering->graph, lowering->example_axis);
  return *value = build_input(lowering->graph, name, KIND_INTEGER, NULL, &lowering->batch, 1);
}

int result_number(const struct lowering *lowering, const char *name) {
  for (int i = 0; i < lowering->outputs.count; i++)
    if (!strcmp(lowering->model->results.items[i].name.text, name)) return i;
  return -1;
}

const struct ast_signature *model_input(const struct lowering *lowering, const char *name) {
  for (int i = 0; i < lowering->model->parameters.count; i++)
    if (!strcmp(lowering->model->parameters.items[i].signature.name.text, name))
      return &lowering->model->parameters.items[i].signature;
  return NULL;
}

/* --- Inputs ------------------------------------------------------------------------------------------------------- */

static struct value *make_input(struct lowering *lowering, const struct ast_signature *signature) {
  struct axis *axes[MAX_AXES];
  int count = 0;
  bool good = true;
  axes[count++] = lowering->batch;
  for (int i = 0; i < signature->dims.count; i++) {
    struct product product;
    if (!resolve_product(lowering, &signature->dims.items[i], &product)) {
      good = false;
      continue;
    }
    for (int j = 0; j < product.count; j++) {
      bool twice = false;
      for (int k = 0; k < count; k++) twice |= axes[k] == product.factors[j];
      if (twice || count == MAX_AXES) {
        good = false;
        fail(
            lowering, signature->dims.items[i].span,
            twice ? "input '%s' has axis '%s' twice (every input has 'batch')" : "input '%s' has too many axes at '%s'",
            signature->name.text, product.factors[j]->name);
      } else {
        axes[count++] = product.factors[j];
      }
    }
  }
  struct axis *range = signature->range.text ? resolve_axis(lowering, signature->range) : NULL;
  enum kind kind = signature->range.text ? KIND_INTEGER : KIND_REAL;
  const char *type = signature->type.text;
  if (type && (!strcmp(type, "bool") || !strcmp(type, "boolean")))
    kind = KIND_BOOLEAN;
  else if (type && (!strcmp(type, "int") || !strcmp(type, "integer")))
    kind = KIND_INTEGER;
  else if (type && strcmp(type, "real"))
    good = refuse(lowering, signature->type.span, "'%s' is no kind: a value is real, int or bool", type);
  if (count > MAX_RANK)
    good = refuse(lowering, signature->span, "an input has at most %d axes, 'batch' included", MAX_RANK);
  if (!good || (signature->range.text && !range)) return NULL;
  set_origin(lowering, signature->span);
  return made(lowering, build_input(lowering->graph, signature->name.text, kind, range, axes, count), signature->span)
      .value;
}

static bool make_inputs(struct lowering *lowering, struct frame *frame) {
  const struct ast_item *model = lowering->model;
  bool good = true;
  for (int i = 0; i < model->parameters.count; i++) {
    const struct ast_parameter *parameter = &model->parameters.items[i];
    const struct ast_name name = parameter->signature.name;
    if (parameter->kind != PARAMETER_VALUE) {
      good = refuse(lowering, parameter->span, "a model's inputs are values, as in tokens[seq] in vocab");
      continue;
    }
    if (has_own_meaning(name.text))
      good = refuse(lowering, name.span, "'%s' has a meaning of its own and cannot name an input", name.text);
    const struct symbol *twice = scope_find(frame->scope, name.text);
    if (twice || find_axis(lowering, name.text))
      good =
          refuse(lowering, name.span,
                 twice ? "two inputs are called '%s'" : "'%s' is an axis, and axes and values do not hide each other",
                 name.text);
    struct value *input = make_input(lowering, &parameter->signature);
    good &= input != NULL;
    array_push(lowering->arena, &lowering->inputs, input);
    scope_declare(lowering, frame->scope, name.text, thing_value(input), name.span);
  }
  return good;
}

/* --- Results ------------------------------------------------------------------------------------------------------ */

/* A result with exactly the declared axes and the batch. One that does not depend on the example is repeated along the
   batch. */
static struct thing check_result(struct lowering *lowering, const struct ast_signature *signature, struct thing thing,
                                 struct span span, struct product *declared) {
  if (thing.kind == THING_NONE || thing.kind == THING_AXIS || thing.kind == THING_FUNCTION)
    as_value(lowering, thing, span);
  if (thing.kind == THING_NUMBER) thing = thing_value(as_real(lowering, thing, span));
  if (thing.kind != THING_VALUE) return poison();
  if (!check_signature(lowering, signature, thing, "result", span)) return poison();
  struct value *value = thing.value;
  if (value->axis_count + !value_has_axis(value, lowering->batch) > MAX_RANK)
    return fail(lowering, span, "result '%s' has axes %s: a model's results have at most %d, 'batch' included",
                signature->name.text, shape_text(lowering, value), MAX_RANK);
  if (!signature->has_dims) return thing;
  set_origin(lowering, span);
  if (value->axis_count < MAX_AXES) value = build_expand(lowering->graph, value, &lowering->batch, 1);
  declared->factors[declared->count++] = lowering->batch;
  for (int i = 0; i < signature->dims.count; i++) {
    struct product product;
    if (!resolve_product(lowering, &signature->dims.items[i], &product)) return poison();
    for (int j = 0; j < product.count && declared->count < MAX_AXES; j++) {
      for (int k = 0; k < declared->count; k++)
        if (declared->factors[k] == product.factors[j])
          return fail(lowering, signature->dims.items[i].span,
                      "result '%s' has axis '%s' twice (every result has 'batch')", signature->name.text,
                      product.factors[j]->name);
      declared->factors[declared->count++] = product.factors[j];
    }
  }
  if (value->axis_count != declared->count)
    return fail(lowering, span,
                "result '%s' is declared %s and has %s: a model's results have exactly their declared axes and 'batch'",
                signature->name.text, list_text(lowering, declared->factors, declared->count),
                shape_text(lowering, value));
  return made(lowering, value, span);
}

static bool distinct_results(struct lowering *lowering) {
  const ast_signatures *results = &lowering->model->results;
  for (int i = 0; i < results->count; i++)
    for (int j = 0; j < i; j++) {
      const struct ast_name name = results->items[i].name, before = results->items[j].name;
      if (strcmp(name.text, before.text)) continue;
      fail(lowering, name.span, "two results are called '%s'", name.text);
      report_note(lowering->diagnostics, before.span, "this is the first");
      return false;
    }
  return true;
}

bool lower_forward(struct lowering *lowering) {
  const struct ast_item *model = lowering->model;
  struct frame *frame = frame_new(lowering, lowering->model_file, model, "", (struct span){0});
  lowering->frame = frame;
  const bool inputs = make_inputs(lowering, frame);
  if (!distinct_results(lowering) || !inputs) return false;
  lower_block(lowering, &model->body);
  const int errors = lowering->diagnostics->error_count;
  if (!frame->returned) {
    if (!errors) fail(lowering, model->name.span, "model '%s' returns nothing; end it with return", model->name.text);
    return false;
  }
  if (frame->results.count != model->results.count) {
    bool silent = false;
    for (int i = 0; i < frame->results.count; i++) silent |= frame->results.items[i].kind == THING_POISON;
    if (!silent)
      fail(lowering, frame->returned->span, "model '%s' declares %d result%s and returns %d", model->name.text,
           model->results.count, model->results.count == 1 ? "" : "s", frame->results.count);
    return false;
  }
  bool good = true;
  for (int i = 0; i < frame->results.count; i++) {
    const struct ast_signature *signature = &model->results.items[i];
    struct product declared = {.count = 0};
    struct thing result = check_result(lowering, signature, frame->results.items[i], frame->returned->span, &declared);
    good &= result.kind != THING_POISON;
    if (result.kind == THING_VALUE && !result.value->name && result.value->op != OP_state)
      result.value->name = signature->name.text;
    array_push(lowering->arena, &lowering->outputs, result);
    array_push(lowering->arena, &lowering->output_axes, declared);
  }
  return good;
}

void add_model_output(struct lowering *lowering, int number) {
  const char *name = lowering->model->results.items[number].name.text;
  struct value *value = lowering->outputs.items[number].value;
  const struct product *declared = &lowering->output_axes.items[number];
  if (declared->count)
    graph_add_ordered_output(lowering->graph, name, value, declared->factors);
  else
    graph_add_output(lowering->graph, name, value);
}

/* Parameters that the graph reads, and that no statement of the spec declares. */
static void register_added(struct lowering *lowering) {
  for (int i = 0; i < lowering->graph->values.count; i++) {
    struct value *value = lowering->graph->values.items[i];
    if (value->op != OP_state || value->state->role != ROLE_PARAMETER) continue;
    struct state *state = value->state;
    if (find_parameter(lowering, state->name)) continue;
    struct parameter *parameter = arena_new_struct(lowering->arena, struct parameter);
    *parameter =
        (struct parameter){.path = state->name, .state = state, .raw = value, .value = value, .span = state->span};
    array_push(lowering->arena, &lowering->parameters, parameter);
    table_set(lowering->arena, &lowering->parameter_names, state->name, parameter);
    table_set(lowering->arena, &lowering->states, state->name, state);
  }
}

bool adapt_graph(struct lowering *lowering, bool trains) {
  const struct frontend_options *options = lowering->options;
  if (!options->adapt || lowering->diagnostics->error_count) return true;
  struct value **results = arena_new_array(lowering->arena, struct value *, lowering->outputs.count);
  struct forward_graph forward = {.graph = lowering->graph, .results = results, .trains = trains};
  for (int i = 0; i < lowering->outputs.count; i++)
    if (lowering->outputs.items[i].value) results[forward.result_count++] = lowering->outputs.items[i].value;
  if (!options->adapt(options->adapt_options, lowering->program, &forward, lowering->diagnostics)) return false;
  register_added(lowering);
  return true;
}

static void lower_outputs(struct lowering *lowering) {
  lowering->read_averages = true;
  const bool good = lower_forward(lowering);
  for (int i = 0; good && i < lowering->outputs.count; i++) add_model_output(lowering, i);
  if (good) adapt_graph(lowering, false);
  finish_graph(lowering);
}

void lower_predict(struct lowering *lowering) {
  lowering->program->predict = begin_graph(lowering, ROUTINE_predict);
  lower_outputs(lowering);
  lowering->program->mixes_examples = lowering->names_batch;
}

void lower_predictions(struct lowering *lowering) {
  const struct frontend_options *options = lowering->options;
  struct diagnostics *diagnostics = lowering->diagnostics;
  for (int i = 0; i < options->batch_count && !diagnostics->error_count; i++) {
    const struct batch_size *batch = &options->batches[i];
    struct graph *graph = begin_graph(lowering, ROUTINE_predict);
    graph->name = arena_format(lowering->arena, "%s_%lld", graph->name, (long long)batch->size);
    lowering->batch = axis_new_batch(graph, batch->size, batch->span);
    lower_outputs(lowering);
    array_push(lowering->arena, &lowering->program->predictions, (struct prediction){batch->size, graph});
    if (diagnostics->error_count) report_note(diagnostics, batch->span, "in %s, which this asks for", graph->name);
  }
}
