/* Writes weights in steps: a file a fraction as large, which programs of every target and pipeline read. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>

/* Weights are pruned before they are used, and then steps that were made when they were loaded are out of date. */
static void lam_prune_first(struct lam_program *program, uint32_t seed) {
  struct lam_model *model = program->model;
  if (!program->prune) return;
  program->prune(program, LAM_PREDICT, 0, 0, seed);
  if (!model->quantize || *model->quantized_version == *model->version) return;
  model->quantize(model->self);
  *model->quantized_version = *model->version;
}

static int lam_quantize_main(struct lam_program *program, const struct lam_options *options) {
  const char *out = lam_option_text(options, "out", NULL);
  struct lam_run run = {0};
  if (!out) return lam_error("which file is to be written? --out FILE names it") + 1;
  char shown[LAM_SHOWN], *weights = lam_checkpoint_path(program, options, "weights");
  const bool same = lam_same_file(weights, out);
  free(weights);
  if (same) return lam_error("%s has the weights themselves: --out names another file", lam_shown(shown, out)) + 1;
  if (!lam_is_writable(out)) return 1;
  bool good = lam_checkpoint_use(program, &run, options);
  if (good) lam_prune_first(program, run.seed);
  good = good && lam_checkpoint_write(program, &run, out, lam_put_quantized);
  int count = 0;
  for (int i = 0; i < program->model->tensor_count; i++) count += program->model->tensors[i].use >= LAM_IN_STEPS;
  if (good) printf("%d parameters in steps in %s\n", count, lam_shown(shown, out));
  lam_pairs_free(&run.facts);
  return good ? 0 : 1;
}

static const struct lam_option lam_quantize_options[] = {
    {"weights", "FILE", "weights in safetensors (default: NAME.safetensors)", 0, 0},
    {"out", "FILE", "the file to write", 0, 0},
    {0}};
LAM_API const struct lam_verb lam_quantize_verb = {"quantize", "writes the weights as the pipeline quantizes them",
                                                   lam_quantize_options, lam_quantize_main};
