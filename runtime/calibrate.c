/* Adds to a file of weights what is measured of the data: for rules of the pipeline that choose by it how weights are
   rounded. All else in the file stays, so that training can go on from it. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs the routine over whole batches of so many examples of the training part, spread evenly over it. */
static void lam_measure(struct lam_dataset *dataset, int64_t wanted) {
  const int64_t there = lam_dataset_examples(dataset, LAM_TRAINING), rows = dataset->batch;
  const int64_t batches = (wanted + rows - 1) / rows, all = batches * rows;
  void **batch = lam_batch_create(dataset);
  for (int64_t i = 0; i < batches; i++) {
    for (int64_t k = 0; k < rows; k++) {
      const double place = (double)(i * rows + k) / (double)all * (double)there;
      const struct lam_row row = lam_dataset_row(dataset, LAM_TRAINING, (int64_t)place);
      lam_batch_fill(batch, dataset, k, &row);
    }
    lam_batch_deliver(batch, dataset);
    lam_run_routine(dataset->program, LAM_CALIBRATE, i + 1, batches, dataset->seed, NULL);
  }
  lam_batch_free(batch, dataset);
}

static bool lam_measured_well(const struct lam_model *model) {
  for (int i = 0; i < model->tensor_count; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    for (int64_t k = 0; tensor->role == LAM_STATISTIC && k < lam_count(tensor->shape, tensor->rank); k++) {
      const double number = lam_get(tensor->data, tensor->type, k);
      if (!(number - number == 0))
        return lam_error("%s would be %g: the model's own numbers are not finite on this data", tensor->name, number);
    }
  }
  return true;
}

/* A tensor of the file as it can be written again. False where its type is none of those. */
static bool lam_copy_entry(const struct lam_entry *entry, struct lam_tensor *copy) {
  static const struct {
    const char *name;
    enum lam_type type;
  } types[] = {{"F32", LAM_TYPE_REAL},  {"F64", LAM_TYPE_REAL},    {"F16", LAM_TYPE_F16},
               {"BF16", LAM_TYPE_BF16}, {"I32", LAM_TYPE_INTEGER}, {"BOOL", LAM_TYPE_BOOLEAN}};
  size_t k = 0;
  while (k < sizeof types / sizeof *types && strcmp(types[k].name, entry->type_name) != 0) k++;
  if (k == sizeof types / sizeof *types) return false;
  *copy = (struct lam_tensor){.name = entry->name, .type = types[k].type, .rank = entry->rank};
  memcpy(copy->shape, entry->shape, sizeof copy->shape);
  const int64_t count = lam_count(entry->shape, entry->rank);
  copy->data = lam_allocate(count, lam_type_size(copy->type));
  lam_read_elements(entry, copy->type, 0, count, copy->data);
  return true;
}

/* Writes what the file has, what other pipelines asked for included, and what was measured in place of what it had of
   that. */
static bool lam_write_measured(const struct lam_model *model, const char *from, const char *to) {
  struct lam_weights *weights = lam_weights_open(from, model->join_parts);
  if (!weights) return false;
  struct lam_tensor *tensors = lam_allocate(weights->count + model->tensor_count, sizeof *tensors);
  int count = 0, copied = 0;
  bool good = true;
  for (int64_t i = 0; i < weights->count && good; i++) {
    const struct lam_entry *entry = &weights->entries[i];
    const struct lam_tensor *measured = lam_find_tensor(model, entry->name);
    if (measured && measured->role == LAM_STATISTIC) continue;
    good = lam_copy_entry(entry, &tensors[count]) ||
           lam_error("%s: tensor %s is of type %s, which is not written: take a file without it", from, entry->name,
                     entry->type_name);
    count += good;
  }
  copied = count;
  for (int i = 0; i < model->tensor_count; i++)
    if (model->tensors[i].role == LAM_STATISTIC) tensors[count++] = model->tensors[i];
  good = good && lam_weights_write(to, tensors, count, &weights->metadata);
  for (int i = 0; i < copied; i++) free(tensors[i].data);
  free(tensors);
  lam_weights_close(weights);
  return good;
}

static int lam_calibrate_main(struct lam_program *program, const struct lam_options *options) {
  struct lam_run run = {.seed = program->settings ? program->settings->seed : 0};
  struct lam_locked lock = {0};
  char *from = lam_checkpoint_path(program, options, "weights");
  const char *given = lam_option_text(options, "out", NULL), *to = given ? given : from;
  const int64_t wanted = lam_option_integer(options, "examples", program->calibration->examples);
  struct lam_dataset *dataset = NULL;
  bool good = lam_is_writable(to) && lam_lock(&lock, to) && lam_checkpoint_load(program, &run, from, LAM_MEASURE);
  if (good)
    dataset = lam_dataset_open(program, LAM_CALIBRATE, lam_option_text(options, "data", NULL), run.seed, &run.facts);
  good = dataset != NULL;
  if (good && lam_dataset_examples(dataset, LAM_TRAINING) < 1)
    good = lam_error("the training part of %s has no whole example", dataset->path);
  if (good) lam_measure(dataset, wanted);
  good = good && lam_measured_well(program->model) && lam_write_measured(program->model, from, to);
  char shown[LAM_SHOWN];
  if (good) printf("measured %lld examples; %s has what they say\n", (long long)wanted, lam_shown(shown, to));
  lam_dataset_close(dataset);
  lam_pairs_free(&run.facts);
  lam_unlock(&lock);
  free(from);
  return good ? 0 : 1;
}

static const struct lam_option lam_calibrate_options[] = {
    {"weights", "FILE", "weights in safetensors (default: NAME.safetensors)", 0, 0},
    {"data", "FILE", "other data than the spec's", 0, 0},
    {"examples", "N", "how many to measure, in whole batches (default: the spec's)", 1, 2147483647.0},
    {"out", "FILE", "where all goes (default: the file of weights, which then has more in it)", 0, 0},
    {0}};
LAM_API const struct lam_verb lam_calibrate_verb = {"calibrate", "measures on data what the pipeline wants to know",
                                                    lam_calibrate_options, lam_calibrate_main};
