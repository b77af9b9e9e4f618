/* Weights that become a part of the program. */
#include "driver/driver.h"

#include <stdlib.h>
#include <string.h>

#include "driver/bake.h"
#include "driver/interpret.h"

struct baking {
  const struct lam_weights *weights;
  const struct baked_steps *steps;
  const struct lam_model *pruned; /* what the program's graph prune made of them; NULL: it has none */
  bool wide; /* the target's reals are of double precision */
};

/* The library's reals are of double precision in this process. */
static void elements_of(const void *context, const struct state *state, int64_t first, int64_t count, void *to) {
  const struct baking *baking = context;
  if (state->role == ROLE_QUANTIZED) {
    baked_step_elements(baking->steps, state, baking->wide, first, count, to);
    return;
  }
  const struct lam_entry *entry = baked_entry(baking->weights, state);
  const enum lam_type type = interpret_type(state);
  const struct lam_tensor *pruned = baking->pruned ? lam_find_tensor(baking->pruned, state->name) : NULL;
  for (int64_t i = 0; pruned && i < count; i++) {
    const double element = lam_get(pruned->data, pruned->type, first + i);
    if (type != LAM_TYPE_REAL || baking->wide)
      lam_set(to, type, i, element);
    else
      ((float *)to)[i] = (float)element;
  }
  if (pruned) return;
  if (type != LAM_TYPE_REAL || baking->wide) {
    lam_read_elements(entry, type, first, count, to);
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    double element;
    lam_read_elements(entry, type, first + i, 1, &element);
    ((float *)to)[i] = (float)element;
  }
}

static bool fits(struct options *options, const struct program *program, const struct lam_weights *weights,
                 const struct state *state) {
  const struct lam_tensor tensor = interpret_tensor(options->arena, program, state);
  const struct lam_entry *entry = baked_entry(weights, state);
  char message[LAM_MESSAGE];
  if (!entry)
    return lam_error("%s lacks %s%s", weights->path, state->name,
                     state->role == ROLE_STATISTIC ? ", which the program's verb calibrate adds" : "");
  return lam_check_tensor(weights, entry, &tensor, message) == LAM_OK || lam_error("%s", message);
}

/* What the file says of a vocabulary must be true of the program's tokenizer, which will not look again. */
static bool facts_fit(const struct lam_weights *weights, const struct data_settings *data) {
  const struct lam_tokenizer *tokenizer = data ? interpret_tokenizer(data->tokenizer) : NULL;
  char message[LAM_MESSAGE];
  for (int64_t i = 0; i < weights->metadata.count; i++)
    if (lam_check_vocabulary(weights, &weights->metadata.items[i], tokenizer, message) != LAM_OK)
      return lam_error("%s", message);
  return true;
}

/* Nothing can be written to weights that are a part of the program, so they are pruned here, and the program has no graph for it. */
static bool prune_weights(struct options *options, struct program *program, struct baking *baking) {
  if (!program->prune) return true;
  struct lam_program *interpreted = interpret_program(options->arena, program);
  struct lam_run run = {0};
  if (lam_load(interpreted->model, &run, baking->weights, LAM_USE) != LAM_OK)
    return lam_error("%s", interpreted->model->message);
  lam_run_routine(interpreted, LAM_PRUNE, -*interpreted->model->pruned, 0, 0, NULL);
  baking->pruned = interpreted->model;
  program->prune = NULL;
  return true;
}

bool bake_weights(struct options *options, struct program *program) {
  struct arena *arena = options->arena;
  if (!options->weights) return true;
  if (program->train || program->accumulate) {
    fprintf(stderr,
            "lamella: error: --weights makes parameters a part of a program that does not change them, and this one "
            "trains: --only=predict or --only=step leaves training out\n");
    return false;
  }
  const struct lam_weights *weights =
      lam_weights_open(options->weights, lam_join_parts); /* to the end of the command */
  if (!weights)
    return lam_error("--weights=%s: give a safetensors file that training or another program wrote", options->weights);
  bool good = true;
  for (int i = 0; good && i < program->states.count; i++) {
    const struct state *state = program->states.items[i];
    if (state_is_fixed(state)) good = fits(options, program, weights, state);
  }
  if (!good || !facts_fit(weights, program->data)) return false;
  struct baking *baking = arena_new_struct(arena, struct baking);
  *baking = (struct baking){.weights = weights, .wide = options->passes.target->double_precision};
  bool has_steps = false;
  for (int i = 0; i < program->states.count; i++)
    has_steps = has_steps || program->states.items[i]->role == ROLE_QUANTIZED;
  if (program->prune && has_steps)
    return lam_error(
        "--weights=%s: what quantize makes of weights is computed of the file's, and not of what prune leaves of them; "
        "give a file that a training with prune wrote, and leave prune out here",
        options->weights);
  if (!prune_weights(options, program, baking)) return false;
  baking->steps = bake_steps(arena, program, weights);
  struct baked_weights *baked = arena_new_struct(arena, struct baked_weights);
  struct baked_fact *facts = arena_new_array(arena, struct baked_fact, weights->metadata.count + 1);
  for (int64_t i = 0; i < weights->metadata.count; i++) {
    const struct lam_pair *pair = &weights->metadata.items[i];
    if (lam_is_fact(pair->key)) facts[baked->fact_count++] = (struct baked_fact){pair->key, pair->value, pair->length};
  }
  baked->elements = elements_of, baked->context = baking, baked->facts = facts;
  options->emission.weights = baked;
  return true;
}
