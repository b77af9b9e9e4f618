/* The loss over a whole part of the data. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>

static void lam_evaluate_batch(struct lam_dataset *dataset, void **batch, double share, double sums[2]) {
  lam_batch_deliver(batch, dataset);
  lam_run_routine(dataset->program, LAM_EVALUATE, 0, 0, dataset->seed, NULL);
  sums[0] += share * lam_output(dataset->routine, "loss_sum");
  sums[1] += share * lam_output(dataset->routine, "weight_sum");
}

/* A batch has a fixed number of rows. Rows that the last batch lacks are copies of its first row. A batch of that row
   alone tells what the copies added, which is subtracted. */
bool lam_evaluate_some(struct lam_dataset *dataset, enum lam_part part, int64_t most,
                       struct lam_evaluation *evaluation) {
  int64_t examples = lam_dataset_examples(dataset, part), rows = dataset->batch;
  int64_t all = (examples + rows - 1) / rows, batches = most > 0 && most < all ? most : all;
  double sums[2] = {0, 0};
  void **batch = lam_batch_create(dataset);
  *evaluation = (struct lam_evaluation){.batches = batches, .sums = lam_allocate(batches + 1, sizeof sums)};
  lam_span_begin("evaluation", -1);
  for (int64_t k = 0; k < batches; k++) {
    int64_t first = k * all / batches * rows, extra = first + rows > examples ? first + rows - examples : 0;
    double *own = evaluation->sums[k];
    struct lam_row row;
    for (int64_t i = 0; i < rows; i++) {
      row = lam_dataset_row(dataset, part, i < rows - extra ? first + i : first);
      lam_batch_fill(batch, dataset, i, &row);
    }
    lam_evaluate_batch(dataset, batch, 1, own);
    evaluation->examples += rows - extra;
    if (extra) {
      for (int64_t i = 0; i < rows; i++) lam_batch_fill(batch, dataset, i, &row);
      lam_evaluate_batch(dataset, batch, -(double)extra / (double)rows, own);
    }
    sums[0] += own[0];
    sums[1] += own[1];
  }
  lam_span_end();
  lam_batch_free(batch, dataset);
  evaluation->loss = sums[0] / sums[1];
  return sums[1] != 0;
}

bool lam_evaluate(struct lam_dataset *dataset, enum lam_part part, double *loss) {
  struct lam_evaluation evaluation;
  const bool some = lam_evaluate_some(dataset, part, 0, &evaluation);
  *loss = evaluation.loss;
  free(evaluation.sums);
  return some;
}

enum lam_part lam_evaluated_part(const struct lam_program *program) {
  return program->data->split >= 1 ? LAM_EVERYTHING : LAM_VALIDATION;
}

bool lam_cannot_evaluate(const struct lam_dataset *dataset, enum lam_part part) {
  const bool whole = part == LAM_EVERYTHING, none = !lam_dataset_examples(dataset, part);
  const char *advice = whole ? "" : "; with a smaller split in the spec's data block it is larger";
  return lam_error("the %s of %s has no %s%s", whole ? "data" : "validation part", dataset->path,
                   none ? "whole example" : "element with a weight: there is nothing to evaluate", none ? advice : "");
}

static int lam_eval_main(struct lam_program *program, const struct lam_options *options) {
  struct lam_run run = {0};
  if (!lam_checkpoint_use(program, &run, options)) return 1;
  struct lam_dataset *dataset =
      lam_dataset_open(program, LAM_EVALUATE, lam_option_text(options, "data", NULL), run.seed, &run.facts);
  if (!dataset) return 1;
  enum lam_part part = lam_option_text(options, "all", NULL) ? LAM_EVERYTHING : lam_evaluated_part(program);
  int64_t examples = lam_dataset_examples(dataset, part);
  double loss;
  bool some = examples && lam_evaluate(dataset, part, &loss);
  if (some)
    printf("%s  loss %.4f  (%lld examples)\n", part == LAM_EVERYTHING ? "all data" : "validation", loss,
           (long long)examples);
  else
    lam_cannot_evaluate(dataset, part);
  lam_dataset_close(dataset);
  lam_pairs_free(&run.facts);
  return some ? 0 : 1;
}

static const struct lam_option lam_eval_options[] = {
    {"weights", "FILE", "weights in safetensors (default: NAME.safetensors)", 0, 0},
    {"data", "FILE", "other data than the spec's", 0, 0},
    {"all", NULL, "all of the data, not its validation part alone", 0, 0},
    {0}};
LAM_API const struct lam_verb lam_eval_verb = {"eval", "the loss over the validation part of the data",
                                               lam_eval_options, lam_eval_main};
