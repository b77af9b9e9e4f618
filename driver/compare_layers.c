/* What quantising each parameter alone does to the loss, and which to quantise then. All rules are evaluated by one program, which does
   not quantise: the weights that it is given were made steps and reals again by the interpreter, from the graph that quantize would put
   in their place. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/compare.h"
#include "ir/interpret.h"
#include "passes/pipeline.h"
#include "passes/quantize.h"
#include "runtime/runtime.h"

enum { BATCHES_LEAST = 8 };

struct study {
  struct comparison *comparison;
  struct layers layers;
  struct variant *variant; /* the program that evaluates */
  struct program *program; /* as lowering leaves it: what rules are about */
  struct lam_weights *weights;
  int *present; /* by layer: the rule whose weights the program has now, or -1 */
  struct evaluation evaluation; /* of the weights as they are */
  double evaluation_seconds;
};

/* --- Rules and parameters ----------------------------------------------------------------------------------------- */

static bool parse(struct study *study, const char *text, struct diagnostics *diagnostics, struct pipeline *pipeline) {
  const struct pass_options options = {.pipeline = text, .pipeline_name = "--per-layer"};
  return pipeline_parse(study->program, &options, diagnostics, pipeline);
}

/* What stands in the brackets of a rule, without patterns and without what is not about weights. */
static const char *rule_text(struct arena *arena, const struct pass_rule *rule) {
  const char *words[MOST_WORDS], *methods[MOST_WORDS];
  parameter_words(arena, PARAMETER_quantize_weights, words);
  parameter_words(arena, PARAMETER_quantize_method, methods);
  const char *text = words[(int)rule->parameters[PARAMETER_quantize_weights]];
  const int group = (int)rule->parameters[PARAMETER_quantize_group];
  const int method = (int)rule->parameters[PARAMETER_quantize_method];
  if (group >= 0) text = arena_format(arena, "%s, group = %d", text, group);
  return method == METHOD_NEAREST ? text : arena_format(arena, "%s, method = %s", text, methods[method]);
}

static void add_rule(struct study *study, const char *text) {
  for (int i = 0; i < study->layers.rules.count; i++)
    if (!strcmp(study->layers.rules.items[i], text)) return;
  array_push(study->comparison->arena, &study->layers.rules, text);
}

/* The rules are those of the variants; without any, 8 and 4 bits. */
static bool find_rules(struct study *study, struct diagnostics *diagnostics) {
  struct comparison *comparison = study->comparison;
  for (int i = 0; i < comparison->variants.count; i++) {
    struct pipeline pipeline;
    if (!pipeline_parse(study->program, &comparison->variants.items[i]->options.passes, diagnostics, &pipeline))
      return false;
    for (int k = 0; k < pipeline.rules.count; k++) {
      const struct pass_rule *rule = &pipeline.rules.items[k];
      if (rule->pass != PASS_quantize) continue;
      if (rule->parameters[PARAMETER_quantize_method] == METHOD_AWQ) {
        report_error(diagnostics, rule->span,
                     "--per-layer tries weights alone, and awq asks what activations need; write method = nearest");
        return false;
      }
      add_rule(study, rule_text(comparison->arena, rule));
    }
  }
  if (study->layers.rules.count) return true;
  add_rule(study, "i8");
  add_rule(study, "i4");
  return true;
}

/* Marks the parameters that a pipeline quantises. */
static bool mark_quantized(struct study *study, const struct pipeline *pipeline, bool *quantized,
                           struct diagnostics *diagnostics) {
  struct quantized_weights weights;
  if (!quantized_weights(study->program, pipeline, diagnostics, &weights)) return false;
  for (int i = 0; i < study->program->states.count; i++)
    for (int k = 0; k < weights.items.count; k++)
      quantized[i] |= weights.items.items[k].parameter == study->program->states.items[i];
  return true;
}

/* The layers are what a rule without patterns quantises, and what the variants do. */
static bool find_layers(struct study *study, struct diagnostics *diagnostics) {
  const struct comparison *comparison = study->comparison;
  struct arena *arena = comparison->arena;
  struct layers *layers = &study->layers;
  bool *quantized = arena_new_array(arena, bool, study->program->states.count);
  struct pipeline pipeline;
  if (!parse(study, "quantize(i8)", diagnostics, &pipeline) ||
      !mark_quantized(study, &pipeline, quantized, diagnostics))
    return false;
  for (int i = 0; i < comparison->variants.count; i++)
    if (!pipeline_parse(study->program, &comparison->variants.items[i]->options.passes, diagnostics, &pipeline) ||
        !mark_quantized(study, &pipeline, quantized, diagnostics))
      return false;
  for (int i = 0; i < study->program->states.count; i++) {
    const struct state *state = study->program->states.items[i];
    if (state->role != ROLE_PARAMETER) continue;
    if (!quantized[i]) {
      array_push(arena, &layers->others, state->name);
      continue;
    }
    struct layer layer = {.name = state->name, .bytes = sizeof(float), .chosen = -1};
    for (int k = 0; k < state->axis_count; k++) layer.bytes *= (double)state->axes[k]->extent;
    layer.trials = arena_new_array(arena, struct trial, layers->rules.count);
    array_push(arena, &layers->items, layer);
    layers->bytes += layer.bytes;
  }
  study->present = arena_new_array(arena, int, layers->items.count);
  for (int i = 0; i < layers->items.count; i++) study->present[i] = -1;
  return true;
}

/* --- Weights ------------------------------------------------------------------------------------------------------ */

/* The numbers of a tensor of the file of weights, for free(); NULL after a message. */
static double *read_numbers(const struct study *study, const struct state *state) {
  const struct lam_entry *entry = lam_weights_find(study->weights, state->name);
  if (!entry) {
    fprintf(stderr, "lamella compare: %s has no %s; --per-layer asks for weights that are not quantised yet\n",
            study->comparison->weights, state->name);
    return NULL;
  }
  double *numbers = lam_allocate(lam_count(entry->shape, entry->rank), sizeof *numbers);
  if (lam_weights_read(study->weights, entry, LAM_TYPE_REAL, numbers)) return numbers;
  free(numbers);
  return NULL;
}

struct source_numbers {
  const struct state *state;
  double *numbers;
};

static double *find_state(void *context, const struct state *state) {
  const struct source_numbers *source = context;
  return source->state == state ? source->numbers : NULL;
}

/* Gives the program numbers for a parameter. */
static bool replace(struct study *study, const struct state *state, double *numbers) {
  struct arena *arena = study->comparison->arena;
  const char *path = arena_format(arena, "%s/outputs.safetensors", study->comparison->folder);
  struct lam_tensor tensor = {.name = state->name,
                              .axes = axes_list(arena, state->axes, state->axis_count),
                              .rank = state->axis_count,
                              .type = LAM_TYPE_REAL,
                              .data = numbers};
  for (int i = 0; i < state->axis_count; i++) tensor.shape[i] = state->axes[i]->extent;
  const struct lam_pairs metadata = {0};
  if (!lam_weights_write(path, &tensor, 1, &metadata)) return false;
  const char *line = variant_ask(study->comparison, study->variant, arena_format(arena, "replace %s", path),
                                 "could not take other weights");
  return line && !strcmp(line, "done");
}

/* Gives the program what a rule (-1: none) makes of a layer. *bytes are then those of the layer; or it is set to NaN, and nothing is
   done, where the rule cannot be followed. False after a message. */
static bool set_layer(struct study *study, int number, int rule, double *bytes) {
  const struct layer *layer = &study->layers.items.items[number];
  struct arena *arena = arena_new();
  struct diagnostics *diagnostics = diagnostics_new(arena);
  const char *text = rule < 0 ? "i8" : study->layers.rules.items[rule];
  struct pipeline pipeline;
  struct quantized_weights weights;
  *bytes = layer->bytes;
  if (!parse(study, arena_format(arena, "quantize(%s, \"%s\")", text, layer->name), diagnostics, &pipeline) ||
      !quantized_weights(study->program, &pipeline, diagnostics, &weights) || weights.items.count != 1) {
    *bytes = NAN;
    arena_free(arena);
    return true;
  }
  const struct quantized_weight *weight = &weights.items.items[0];
  struct source_numbers source = {weight->read, read_numbers(study, weight->read)};
  struct environment environment = {.arena = arena, .state = find_state, .context = &source};
  struct tensor result = {.data = source.numbers};
  const char *problem =
      source.numbers && rule >= 0 ? graph_interpret(weights.graph, &environment, &result, NULL) : NULL;
  if (problem) fprintf(stderr, "lamella compare: %s\n", problem);
  const bool good = source.numbers && !problem && replace(study, weight->read, result.data);
  if (rule >= 0) *bytes = weight->bytes;
  if (good) study->present[number] = rule;
  free(source.numbers);
  arena_free(arena);
  return good;
}

/* --- Losses ------------------------------------------------------------------------------------------------------- */

static bool evaluate(struct study *study, int64_t batches, struct evaluation *evaluation) {
  const double begin = seconds_now();
  if (!evaluate_variant(study->comparison, study->variant, batches, evaluation)) return false;
  study->evaluation_seconds = seconds_now() - begin;
  return true;
}

/* Chooses how many batches each evaluation takes, so that all of them take about `budget` seconds, and evaluates the weights as they
   are. */
static bool begin_losses(struct study *study, double budget) {
  struct layers *layers = &study->layers;
  struct evaluation *own = &study->evaluation;
  /* The first is slower than those that follow. */
  if (!evaluate(study, 1, own) || !evaluate(study, BATCHES_LEAST, own)) return false;
  const double a_batch = study->evaluation_seconds / BATCHES_LEAST;
  const double times = 2.0 + (double)layers->items.count * layers->rules.count;
  const double batches = budget / times / a_batch;
  layers->batches = batches < BATCHES_LEAST ? BATCHES_LEAST : batches < 1e9 ? (int64_t)batches : 0;
  if (!evaluate(study, layers->batches, own)) return false;
  layers->loss = own->loss;
  layers->examples = own->examples;
  if (own->count < layers->batches) layers->batches = 0; /* there are no more */
  return true;
}

static bool try_rules(struct study *study) {
  struct layers *layers = &study->layers;
  for (int i = 0; i < layers->items.count && !compare_stopped; i++) {
    struct layer *layer = &layers->items.items[i];
    compare_say(study->comparison, "evaluating", layer->name);
    for (int rule = 0; rule < layers->rules.count; rule++) {
      struct trial *trial = &layer->trials[rule];
      struct evaluation evaluation = {.loss = NAN};
      double bytes;
      if (!set_layer(study, i, rule, &trial->bytes)) return false;
      if (isfinite(trial->bytes) && !evaluate(study, layers->batches, &evaluation)) return false;
      trial->loss = evaluation.loss;
      trial->error = difference_error(&evaluation, &study->evaluation);
      if (rule == layers->rules.count - 1 && !set_layer(study, i, -1, &bytes)) return false;
    }
  }
  return !compare_stopped;
}

/* Gives the program what is proposed, and sets the loss and the bytes of that. */
static bool try_proposal(struct study *study) {
  struct layers *layers = &study->layers;
  layers->proposal_bytes = 0;
  for (int i = 0; i < layers->items.count; i++) {
    const struct layer *layer = &layers->items.items[i];
    double bytes;
    if (study->present[i] != layer->chosen && !set_layer(study, i, layer->chosen, &bytes)) return false;
    layers->proposal_bytes += layer->chosen < 0 ? layer->bytes : layer->trials[layer->chosen].bytes;
  }
  struct evaluation evaluation;
  if (!evaluate(study, layers->batches, &evaluation)) return false;
  layers->proposal_loss = evaluation.loss;
  layers->proposal_error = difference_error(&evaluation, &study->evaluation);
  return true;
}

/* Together, rules may cost more than the sum of what each does. Then less is allowed for that sum. */
static bool propose(struct study *study) {
  struct layers *layers = &study->layers;
  struct comparison *comparison = study->comparison;
  layers->limit = comparison->limit ? loss_limit(comparison, layers->loss) : layers->loss + 0.005 * fabs(layers->loss);
  const double wanted = layers->limit - layers->loss;
  double allowance = wanted;
  for (int attempt = 0; attempt < 8 && !compare_stopped && choose_rules(layers, allowance); attempt++) {
    if (!try_proposal(study)) return false;
    if (layers->proposal_loss <= layers->limit) {
      layers->proposal = proposal_text(layers, comparison->arena);
      return true;
    }
    const double added = layers->proposal_loss - layers->loss;
    allowance *= isfinite(added) && added > 0 && wanted / added > 0.1 ? 0.9 * wanted / added : 0.1;
  }
  for (int i = 0; i < layers->items.count; i++) layers->items.items[i].chosen = -1;
  return !compare_stopped;
}

/* What costs most, by any rule, comes first; then in the order of the program. */
static int compare_costs(const void *x, const void *y) {
  const struct layer *a = x, *b = y;
  if (a->most != b->most) return a->most < b->most ? 1 : -1;
  return a->place < b->place ? -1 : a->place > b->place;
}

static void sort_layers(struct layers *layers) {
  for (int i = 0; i < layers->items.count; i++) {
    struct layer *layer = &layers->items.items[i];
    layer->place = i;
    layer->most = -INFINITY;
    for (int rule = 0; rule < layers->rules.count; rule++)
      if (layer->trials[rule].loss > layer->most) layer->most = layer->trials[rule].loss;
  }
  qsort(layers->items.items, (size_t)layers->items.count, sizeof *layers->items.items, compare_costs);
}

/* --- The verb ----------------------------------------------------------------------------------------------------- */

/* The options of the program that evaluates: those of the first variant or, where none was named, of the command. */
static struct options *base_options(const struct comparison *comparison) {
  static const char naming[] = "ptOW";
  for (const char *letter = naming; *letter; letter++)
    for (int i = 0; i < comparison->options->given.count; i++)
      if (comparison->options->given.items[i].letter == *letter) return &comparison->variants.items[0]->options;
  return comparison->options;
}

/* The items of a pipeline but for its rules of quantize. */
static const char *without_rules(struct arena *arena, const char *text, const struct pipeline *pipeline) {
  char *rest = arena_copy(arena, text, strlen(text));
  const char *kept = "";
  for (int i = 0; i < pipeline->rules.count; i++) {
    const struct pass_rule *rule = &pipeline->rules.items[i];
    if (rule->pass == PASS_quantize) memset(rest + rule->span.begin, ' ', (size_t)(rule->span.end - rule->span.begin));
  }
  for (const char *at = rest, *begin = rest;; at++) {
    if (*at == '(') at += strcspn(at, ")");
    if (*at && !strchr(",;\n", *at)) continue;
    begin += strspn(begin, ", ;\n");
    const char *end = at;
    while (end > begin && strchr(" \t", end[-1])) end--;
    if (end > begin)
      kept = arena_format(arena, "%s%s%s", kept, *kept ? ", " : "", arena_copy(arena, begin, (size_t)(end - begin)));
    begin = at;
    if (!*at) return kept;
  }
}

/* Its pipeline without rules of quantize, as text; "" for the usual one. NULL after reporting what makes no sense. */
static const char *base_pipeline(struct study *study, const struct options *options, struct diagnostics *diagnostics) {
  struct arena *arena = study->comparison->arena;
  const char *text = options->passes.pipeline;
  for (int i = 0; !options->passes.pipeline && i < study->program->pipeline.count; i++)
    text = arena_format(arena, "%s%s%s", text ? text : "", text ? ", " : "", study->program->pipeline.items[i].text);
  if (!text || !strcmp(text, "default")) return "";
  struct pipeline pipeline;
  const struct pass_options passes = {.pipeline = text, .pipeline_name = options->passes.pipeline_name};
  if (!pipeline_parse(study->program, &passes, diagnostics, &pipeline)) return NULL;
  return without_rules(arena, text, &pipeline);
}

static bool begin_study(struct study *study) {
  struct comparison *comparison = study->comparison;
  struct variant *variant = study->variant = arena_new_struct(comparison->arena, struct variant);
  struct diagnostics *diagnostics = diagnostics_new(comparison->arena);
  variant->options = *base_options(comparison);
  study->program = read_program(&variant->options, comparison->arena, diagnostics);
  if (study->program) {
    study->layers.base = base_pipeline(study, &variant->options, diagnostics);
    if (study->layers.base && find_rules(study, diagnostics) && find_layers(study, diagnostics)) {
      variant->name = "the program";
      variant->options.passes.pipeline = study->layers.base;
      variant->options.passes.times = NULL;
      variant->errors = arena_format(comparison->arena, "%s/errors", comparison->folder);
      variant->timing = &variant->timings[0];
      if (study->layers.items.count) return true;
      fprintf(stderr,
              "lamella compare: %s has no parameter that quantize takes by itself; name one by --passes='quantize(i8, "
              "\"NAME\")'\n",
              spec_title(comparison->options));
      return false;
    }
  }
  diagnostics_print(diagnostics, stderr);
  return false;
}

int compare_layers(struct comparison *comparison, double budget) {
  struct study study = {.comparison = comparison};
  const bool to_stdout = comparison->options->json && !strcmp(comparison->options->json, "-");
  if (!begin_study(&study)) return EXIT_WRONG_INPUT;
  compare_say(comparison, "compiling", "");
  struct variant *variant = study.variant;
  enter_race(comparison, 0);
  bool good = variant_compile(comparison, variant) && variant_start(comparison, variant);
  study.weights = good ? lam_weights_open(comparison->weights, lam_join_parts) : NULL;
  compare_say(comparison, "evaluating", "");
  good = study.weights && begin_losses(&study, budget) && try_rules(&study) && propose(&study);
  lam_weights_close(study.weights);
  child_end(&variant->child);
  jit_object_free(&variant->object);
  compare_say(comparison, NULL, NULL);
  if (!good) return EXIT_WRONG_INPUT;
  sort_layers(&study.layers);
  report_layers(to_stdout ? stderr : stdout, comparison, &study.layers);
  return write_reports(comparison, report_layers_json(comparison, &study.layers)) ? EXIT_DONE : EXIT_WRONG_INPUT;
}
