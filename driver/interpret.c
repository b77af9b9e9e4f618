/* lamella interpret SPEC VERB ...: runs a program's own verbs, with its routines evaluated by the interpreter in double
   precision. */
#include "driver/interpret.h"

#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"
#include "ir/interpret.h"
#include "runtime/runtime.h"

/* The runtime includes nothing of the compiler, so it lists the routines once more. The two lists must agree. */
#define ROUTINE(name, constant, summary) \
  _Static_assert((int)constant == (int)ROUTINE_##name, "routines.def and the runtime differ");
#include "ir/routines.def"
#undef ROUTINE
_Static_assert((int)LAM_ROUTINES == (int)ROUTINE_COUNT, "routines.def and the runtime differ");

/* What the routines need besides the tables; lam_program.self points to it. */
struct interpreted {
  struct lam_program program;
  struct graph *graphs[ROUTINE_COUNT + MOST_PREDICTIONS];
  const struct state **states; /* in the order of the tensors */
  int64_t version, derived_version, quantized_version, pruned; /* see lam_model */
  /* Steps that a file has are not computed of the parameters again. By tensor: its slot, which the library sets while it has
     steps made, and whether the last load had them made, which began at version made_at. */
  void **slots;
  bool *made;
  int64_t made_at;
  struct lam_prunings prunings;
};

/* What a prediction for another batch needs; lam_prediction.self points to it. */
struct interpreted_prediction {
  struct interpreted *interpreted;
  int number;
};

/* A tensor that lies in 16 bits, and its numbers while a routine runs. */
struct wide {
  const struct lam_tensor *tensor;
  double *data;
};

/* One run of one routine. */
struct running {
  struct interpreted *interpreted;
  struct lam_routine *routine;
  struct arena *arena;
  const int64_t *sizes;
  bool derives;
  ARRAY(struct wide) wide; /* those that it met so far */
};

/* The place in a port's memory of a tensor's element number `i`. Ports have an order of their own and full extents;
   tensors have the order of the value and present lengths. */
static int64_t full_index(struct axis *const *order, struct axis *const *axes, int count, const int64_t *sizes,
                          int64_t i) {
  int64_t at[LAM_MAX_RANK], index = 0;
  for (int k = count - 1; k >= 0; k--) {
    int64_t length = axis_length(axes[k], sizes);
    at[k] = i % length;
    i /= length;
  }
  for (int k = 0; k < count; k++)
    for (int j = 0; j < count; j++)
      if (axes[j] == order[k]) index = index * axes[j]->extent + at[j];
  return index;
}

static int64_t present_count(struct axis *const *axes, int count, const int64_t *sizes) {
  int64_t elements = 1;
  for (int k = 0; k < count; k++) elements *= axis_length(axes[k], sizes);
  return elements;
}

static const double *read_input(void *context, const struct value *input) {
  struct running *running = context;
  const struct lam_port *port = lam_find_port(running->routine->inputs, running->routine->input_count, input->name);
  if (!port) return NULL;
  int64_t count = present_count(input->axes, input->axis_count, running->sizes);
  double *data = arena_new_array(running->arena, double, count);
  struct axis *order[MAX_AXES];
  batch_first(input->axes, input->axis_count, order);
  for (int64_t i = 0; i < count; i++)
    data[i] = lam_get(port->data, port->type, full_index(order, input->axes, input->axis_count, running->sizes, i));
  return data;
}

/* The numbers of a tensor that lies in 16 bits, which narrow_again puts back. */
static double *widened(struct running *running, const struct lam_tensor *tensor) {
  for (int i = 0; i < running->wide.count; i++)
    if (running->wide.items[i].tensor == tensor) return running->wide.items[i].data;
  const int64_t count = lam_count(tensor->shape, tensor->rank);
  const struct wide wide = {tensor, arena_new_array(running->arena, double, count)};
  for (int64_t k = 0; k < count; k++) wide.data[k] = lam_get(tensor->data, tensor->type, k);
  array_push(running->arena, &running->wide, wide);
  return wide.data;
}

static void narrow_again(const struct running *running) {
  for (int i = 0; i < running->wide.count; i++) {
    const struct lam_tensor *tensor = running->wide.items[i].tensor;
    const int64_t count = lam_count(tensor->shape, tensor->rank);
    for (int64_t k = 0; k < count; k++) lam_set(tensor->data, tensor->type, k, running->wide.items[i].data[k]);
  }
}

static int tensor_of(const struct interpreted *interpreted, const struct state *state) {
  for (int i = 0; i < interpreted->program.model->tensor_count; i++)
    if (interpreted->states[i] == state) return i;
  return -1;
}

/* Whether a file gave the quantized state. */
static bool is_given(const struct interpreted *interpreted, const struct state *state) {
  if (interpreted->quantized_version != interpreted->version) return false;
  return interpreted->made_at + 1 != interpreted->version || !interpreted->made[tensor_of(interpreted, state->of)];
}

/* What was given stays: derive writes elsewhere. */
static double *find_state(void *context, const struct state *state) {
  struct running *running = context;
  if (running->derives && state->role == ROLE_QUANTIZED && is_given(running->interpreted, state))
    return arena_new_array(
        running->arena, double,
        lam_count(running->interpreted->program.model->tensors[tensor_of(running->interpreted, state)].shape,
                  state->of->axis_count));
  for (int i = 0; i < running->interpreted->program.model->tensor_count; i++)
    if (running->interpreted->states[i] == state) {
      const struct lam_tensor *tensor = &running->interpreted->program.model->tensors[i];
      return tensor->type == LAM_TYPE_REAL ? tensor->data : widened(running, tensor);
    }
  return NULL;
}

static bool touches(const struct graph *graph, enum op op, enum role role) {
  for (int i = 0; i < graph->values.count; i++)
    if (graph->values.items[i]->op == op && graph->values.items[i]->state->role == role) return true;
  return false;
}

static void run_graph(struct interpreted *interpreted, int number, uint32_t seed, const int64_t *sizes) {
  const struct graph *graph = interpreted->graphs[number];
  struct arena *arena = arena_new();
  int64_t *present = arena_new_array(arena, int64_t, graph->sizes.count);
  for (int i = 0; i < graph->sizes.count; i++) present[i] = sizes ? sizes[i] : graph->sizes.items[i]->bound;
  struct running running = {.interpreted = interpreted,
                            .routine = lam_routine_at(&interpreted->program, number),
                            .arena = arena,
                            .derives = number == ROUTINE_derive,
                            .sizes = present};
  struct environment environment = {arena, present, seed, read_input, find_state, &running};
  struct tensor *results = arena_new_array(arena, struct tensor, graph->outputs.count);
  const char *problem = graph_interpret(graph, &environment, results, NULL);
  if (problem) {
    lam_error("%s", problem);
    exit(EXIT_WRONG_INPUT);
  }
  narrow_again(&running);
  for (int i = 0; i < graph->outputs.count; i++) {
    struct lam_port *port = &running.routine->outputs[i];
    int64_t count = present_count(results[i].axes, results[i].axis_count, present);
    for (int64_t k = 0; k < count; k++)
      lam_set(port->data, port->type,
              full_index(graph->outputs.items[i].axes, results[i].axes, results[i].axis_count, present, k),
              results[i].data[k]);
  }
  if (touches(graph, OP_update, ROLE_PARAMETER) || touches(graph, OP_update, ROLE_AVERAGE) ||
      touches(graph, OP_update, ROLE_STATISTIC))
    lam_changed(interpreted->program.model);
  if (number == ROUTINE_derive) interpreted->derived_version = interpreted->quantized_version = interpreted->version;
  arena_free(arena);
}

/* Routines are called without their number, so each has a function. */
#define ROUTINE(name, constant, summary)                                                 \
  static int run_##name(void *self, int64_t step, uint32_t seed, const int64_t *sizes) { \
    (void)step; /* an input has it */                                                    \
    run_graph(self, ROUTINE_##name, seed, sizes);                                        \
    return 0;                                                                            \
  }
#include "ir/routines.def"
#undef ROUTINE
static int (*const runs[ROUTINE_COUNT])(void *, int64_t, uint32_t, const int64_t *) = {
#define ROUTINE(name, constant, summary) run_##name,
#include "ir/routines.def"
#undef ROUTINE
};

static int run_prediction(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  const struct interpreted_prediction *prediction = self;
  (void)step;
  run_graph(prediction->interpreted, prediction->number, seed, sizes);
  return 0;
}

static int copy_shape(int64_t shape[LAM_MAX_RANK], struct axis *const *axes, int count, const char *name) {
  if (count > LAM_MAX_RANK) bug("%s has %d axes", name, count);
  for (int i = 0; i < count; i++) shape[i] = axes[i]->extent;
  return count;
}

static struct lam_port make_port(struct arena *arena, const char *name, const struct value *value,
                                 struct axis *const *axes) {
  struct lam_port port = {.name = name,
                          .axes = axes_list(arena, axes, value->axis_count),
                          .type = (enum lam_type)value->kind,
                          .range = value->range ? value->range->extent : 0};
  port.rank = copy_shape(port.shape, axes, value->axis_count, name);
  port.data = lam_allocate(lam_count(port.shape, port.rank), lam_type_size(port.type));
  return port;
}

static struct lam_routine make_routine(struct arena *arena, const struct graph *graph, int number) {
  struct lam_routine routine = {.exists = 1, .run = number < ROUTINE_COUNT ? runs[number] : run_prediction};
  routine.inputs = arena_new_array(arena, struct lam_port, graph->values.count);
  routine.outputs = arena_new_array(arena, struct lam_port, graph->outputs.count);
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (value->op != OP_input) continue;
    struct axis *order[MAX_AXES];
    batch_first(value->axes, value->axis_count, order);
    routine.inputs[routine.input_count++] = make_port(arena, value->name, value, order);
  }
  for (int i = 0; i < graph->outputs.count; i++) {
    const struct output *output = &graph->outputs.items[i];
    routine.outputs[routine.output_count++] = make_port(arena, output->name, output->value, output->axes);
  }
  routine.reads_derived = touches(graph, OP_state, ROLE_DERIVED) || touches(graph, OP_state, ROLE_QUANTIZED);
  return routine;
}

static void make_predictions(struct arena *arena, struct interpreted *interpreted, const struct program *from) {
  struct lam_program *program = &interpreted->program;
  program->prediction_count = from->predictions.count;
  program->predictions = arena_new_array(arena, struct lam_prediction, program->prediction_count + 1);
  if (program->prediction_count) program->choose = from->mixes_examples ? lam_choose_first : lam_choose_size;
  for (int i = 0; i < program->prediction_count; i++) {
    const struct graph *graph = from->predictions.items[i].graph;
    struct interpreted_prediction *self = arena_new_struct(arena, struct interpreted_prediction);
    *self = (struct interpreted_prediction){interpreted, ROUTINE_COUNT + i};
    program->predictions[i] = (struct lam_prediction){graph->name, self, make_routine(arena, graph, ROUTINE_COUNT + i)};
  }
}

enum lam_type interpret_type(const struct state *state) {
  switch (state_storage(state)) {
    case STORAGE_REAL:
    case STORAGE_F64:
    case STORAGE_F32:
      return LAM_TYPE_REAL;
    case STORAGE_BF16:
      return LAM_TYPE_BF16;
    case STORAGE_F16:
      return LAM_TYPE_F16;
    case STORAGE_I32:
      return LAM_TYPE_INTEGER;
    case STORAGE_I8:
      return LAM_TYPE_I8;
    case STORAGE_U8:
      return LAM_TYPE_U8;
    case STORAGE_I4:
      return LAM_TYPE_I4;
    case STORAGE_U4:
      return LAM_TYPE_U4;
    case STORAGE_BOOL:
      return LAM_TYPE_BOOLEAN;
    case STORAGE_COUNT:
      break;
  }
  bug("storage %d", (int)state->storage);
}

struct lam_tensor interpret_tensor(struct arena *arena, const struct program *program, const struct state *state) {
  struct lam_tensor tensor = {.name = state->name,
                              .axes = axes_list(arena, state->axes, state->axis_count),
                              .role = (enum lam_role)state->role,
                              .type = interpret_type(state),
                              .initial = (enum lam_initial)state->initial,
                              .low = state->low,
                              .high = state->high,
                              .stream = state->stream,
                              .frozen = !state->frozen                       ? 0
                                        : program_is_in_base(program, state) ? LAM_IN_BASE
                                                                             : LAM_FROZEN};
  if (!state->file_shape) {
    tensor.rank = copy_shape(tensor.shape, state->axes, state->axis_count, state->name);
    return tensor;
  }
  tensor.axes = axes_list(arena, state->of->axes, state->of->axis_count);
  tensor.rank = state->of->axis_count;
  for (int i = 0; i < tensor.rank; i++) tensor.shape[i] = state->file_shape[i];
  return tensor;
}

/* The interpreter holds integers and booleans as doubles, also in states. Reals of 16 bits lie in these, so that they are rounded
   where a compiled program rounds them: when they are loaded or drawn. */
static struct lam_tensor make_tensor(struct arena *arena, const struct program *program, const struct state *state) {
  struct lam_tensor tensor = interpret_tensor(arena, program, state);
  const bool mask = tensor.type == LAM_TYPE_BOOLEAN && state->role == ROLE_OPTIMIZER; /* files hold it as it is */
  if (!lam_type_is_real(tensor.type) && !mask) tensor.type = LAM_TYPE_REAL;
  tensor.data = lam_allocate(lam_count(tensor.shape, tensor.rank), lam_type_size(tensor.type));
  return tensor;
}

const struct lam_tokenizer *interpret_tokenizer(enum tokenizer tokenizer) {
  static const struct lam_tokenizer *const tokenizers[] = {
      [TOKENIZER_NONE] = NULL, [TOKENIZER_CHAR] = &lam_char_tokenizer, [TOKENIZER_BYTE] = &lam_byte_tokenizer};
  return tokenizers[tokenizer];
}

/* The steps of the parameter whose slot is not NULL are to be computed of it: derive does that. */
static void note_made(void *self) {
  struct interpreted *interpreted = self;
  const struct lam_model *model = interpreted->program.model;
  for (int i = 0; i < model->tensor_count; i++) {
    if (interpreted->made_at != interpreted->version) interpreted->made[i] = false;
    if (model->tensors[i].use >= LAM_IN_STEPS && interpreted->slots[i]) interpreted->made[i] = true;
  }
  interpreted->made_at = interpreted->version;
}

static void give_steps(struct arena *arena, struct interpreted *interpreted) {
  struct lam_model *model = interpreted->program.model;
  interpreted->slots = arena_new_array(arena, void *, model->tensor_count);
  interpreted->made = arena_new_array(arena, bool, model->tensor_count);
  interpreted->made_at = -1;
  for (int i = 0; i < model->tensor_count; i++) {
    if (interpreted->states[i]->role != ROLE_QUANTIZED) continue;
    const int parameter = tensor_of(interpreted, interpreted->states[i]->of);
    struct lam_tensor *tensor = &model->tensors[parameter];
    tensor->use = LAM_IN_STEPS;
    tensor->slot = &interpreted->slots[parameter];
    interpreted->slots[parameter] = tensor->data;
    model->quantized = &lam_quantized;
    model->quantize = note_made;
    model->quantized_version = &interpreted->quantized_version;
  }
}

static const struct lam_data *make_data(struct arena *arena, const struct data_settings *from) {
  static const struct lam_reader *const readers[] = {
      [DATA_TEXT] = &lam_text_reader, [DATA_CSV] = &lam_csv_reader, [DATA_SYNTHETIC] = &lam_synthetic_reader};
  struct lam_column *columns = arena_new_array(arena, struct lam_column, from->columns.count);
  for (int i = 0; i < from->columns.count; i++) {
    const struct column *column = &from->columns.items[i];
    columns[i] = (struct lam_column){.name = column->name,
                                     .feature = (enum lam_feature)column->feature,
                                     .field = column->field,
                                     .type = (enum lam_type)column->kind,
                                     .length = column->length,
                                     .range = column->range,
                                     .start = column->start,
                                     .stop = column->stop};
  }
  struct lam_data *data = arena_new_struct(arena, struct lam_data);
  *data = (struct lam_data){.name = from->name,
                            .path = from->path,
                            .path_here = from->path_here,
                            .tokenizer = interpret_tokenizer(from->tokenizer),
                            .examples = from->examples,
                            .split = from->split,
                            .mask = from->mask,
                            .columns = columns,
                            .column_count = from->columns.count,
                            .reader = readers[from->source],
                            .corruption = from->mask > 0 ? &lam_masking : NULL};
  return data;
}

static void give_ids(struct arena *arena, struct lam_model *model, const struct data_settings *data) {
  const data_ids_list list = data_ids_of(arena, data);
  struct lam_ids *ids = arena_new_array(arena, struct lam_ids, list.count);
  for (int i = 0; i < list.count; i++)
    ids[i] = (struct lam_ids){list.items[i].field, list.items[i].range, list.items[i].reserved};
  model->ids = ids, model->ids_count = list.count;
}

static const struct lam_settings *make_settings(struct arena *arena, const struct train_settings *from) {
  struct lam_settings *settings = arena_new_struct(arena, struct lam_settings);
  *settings = (struct lam_settings){.batch = from->batch,
                                    .accumulate = from->accumulate,
                                    .steps = from->steps,
                                    .epochs = from->epochs,
                                    .clip = from->clip,
                                    .average = from->average,
                                    .evaluate_every = from->evaluate_every,
                                    .checkpoint_every = from->checkpoint_every,
                                    .log_every = from->log_every,
                                    .shuffle = from->shuffle,
                                    .seed = from->seed,
                                    .initial = from->initial,
                                    .initial_here = from->initial_here};
  return settings;
}

static const struct lam_verb *const *make_verbs(struct arena *arena, const struct lam_program *program) {
  const struct lam_verb **verbs = arena_new_array(arena, const struct lam_verb *, 7);
  int count = 0;
  if (program->settings && program->routines[LAM_TRAIN].exists && program->data) verbs[count++] = &lam_train_verb;
  if (program->routines[LAM_EVALUATE].exists && program->data) verbs[count++] = &lam_eval_verb;
  if (program->routines[LAM_STEP].exists) verbs[count++] = &lam_generate_verb;
  if (program->routines[LAM_PREDICT].exists || program->prediction_count) verbs[count++] = &lam_predict_verb;
  if (program->model->tensor_count) verbs[count++] = &lam_merge_verb;
  if (program->routines[LAM_CALIBRATE].exists && program->data) verbs[count++] = &lam_calibrate_verb;
  verbs[count++] = &lam_info_verb;
  return verbs;
}

struct lam_program *interpret_program(struct arena *arena, struct program *from) {
  struct interpreted *interpreted = arena_new_struct(arena, struct interpreted);
  struct lam_program *program = &interpreted->program;
  program->name = from->name;
  program->model = arena_new_struct(arena, struct lam_model);
  program->model->name = from->model;
  program->model->join_parts = lam_join_parts;
  program->model->self = interpreted;
  program->target = "the interpreter";
  program->version = LAMELLA_VERSION;
  program->self = interpreted;
  program->model->tensors = arena_new_array(arena, struct lam_tensor, from->states.count);
  interpreted->states = arena_new_array(arena, const struct state *, from->states.count);
  for (int i = 0; i < from->states.count; i++) {
    interpreted->states[i] = from->states.items[i];
    program->model->tensors[program->model->tensor_count++] = make_tensor(arena, from, from->states.items[i]);
  }
  for (int i = 0; program_graph(from, i); i++) interpreted->graphs[i] = *program_graph(from, i);
  for (int i = 0; i < ROUTINE_COUNT; i++)
    if (interpreted->graphs[i]) program->routines[i] = make_routine(arena, interpreted->graphs[i], i);
  make_predictions(arena, interpreted, from);
  if (from->derive) {
    interpreted->version = 1; /* what was never derived is out of date */
    program->model->version = &interpreted->version;
    program->model->derived_version = &interpreted->derived_version;
    give_steps(arena, interpreted);
  }
  if (from->prune) {
    struct lam_pruning *prunings = arena_new_array(arena, struct lam_pruning, from->prunings.count);
    for (int i = 0; i < from->prunings.count; i++)
      prunings[i] = (struct lam_pruning){from->prunings.items[i].begin, from->prunings.items[i].end,
                                         from->prunings.items[i].every};
    interpreted->prunings = (struct lam_prunings){prunings, from->prunings.count};
    program->prunings = &interpreted->prunings;
    program->prune = lam_prune_when_due;
    program->model->pruned = &interpreted->pruned;
    program->model->note_pruned = lam_note_pruned;
  }
  if (from->data) {
    program->data = make_data(arena, from->data);
    program->model->vocabulary.tokenizer = program->data->tokenizer;
    give_ids(arena, program->model, from->data);
  }
  if (from->training) program->settings = make_settings(arena, from->training);
  if (from->calibration) {
    struct lam_calibration *calibration = arena_new_struct(arena, struct lam_calibration);
    *calibration = (struct lam_calibration){from->calibration->examples};
    program->calibration = calibration;
  }
  if (from->generation) {
    struct lam_generation *generation = arena_new_struct(arena, struct lam_generation);
    *generation = (struct lam_generation){from->generation->feed,
                                          from->generation->from,
                                          from->generation->capacity,
                                          from->generation->vocabulary,
                                          from->generation->start,
                                          from->generation->stop,
                                          lam_read_source};
    program->generation = generation;
  }
  program->tracer = &lam_tracer;
  program->adapters = &lam_adapters;
  program->verbs = make_verbs(arena, program);
  return program;
}

int verb_interpret(struct options *options) {
  struct diagnostics *diagnostics = diagnostics_new(options->arena);
  struct program *program = load_program(options, diagnostics);
  if (!program) return EXIT_WRONG_INPUT;
  print_times(options, NULL); /* before the program's own output */
  tell_spec_folder(options);
  char **arguments = arena_new_array(options->arena, char *, options->rest_count + 1);
  arguments[0] = arena_format(options->arena, "lamella interpret %s", options->spec);
  for (int i = 0; i < options->rest_count; i++) arguments[i + 1] = options->rest[i];
  return tell_misplaced_option(
      options, lam_main(interpret_program(options->arena, program), options->rest_count + 1, arguments));
}
