/* A program's checkpoints: the library's weights in files that are replaced with care; errors go to stderr. */
#include "runtime/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lam_weights *lam_weights_open(const char *path, lam_part_joiner *join) {
  struct lam_weights *weights;
  char message[LAM_MESSAGE];
  if (lam_open_weights(&weights, path, join, message) != LAM_OK) lam_error("%s", message);
  return weights;
}

bool lam_weights_read(const struct lam_weights *weights, const struct lam_entry *entry, enum lam_type type, void *to) {
  char message[LAM_MESSAGE];
  if (lam_check_elements(weights, entry, type, message) != LAM_OK) return lam_error("%s", message);
  lam_read_elements(entry, type, 0, lam_count(entry->shape, entry->rank), to);
  return true;
}

bool lam_weights_write(const char *path, const struct lam_tensor *tensors, int count,
                       const struct lam_pairs *metadata) {
  struct lam_output output;
  return lam_output_open(&output, path) &&
         lam_output_close(&output, lam_put_weights(output.stream, tensors, count, metadata));
}

bool lam_checkpoint_write(struct lam_program *program, const struct lam_run *run, const char *path,
                          lam_checkpoint_putter *put) {
  struct lam_output output;
  if (lam_check_finite(program->model, path) != LAM_OK) return lam_error("%s", program->model->message);
  lam_span_begin("checkpoint", run->step);
  bool good = lam_output_open(&output, path);
  if (good) {
    int status = put(program->model, run, output.stream, path);
    if (status != LAM_OK && status != LAM_CANNOT_WRITE) lam_error("%s", program->model->message);
    good = lam_output_close(&output, status == LAM_OK);
  }
  lam_span_end();
  return good;
}

bool lam_checkpoint_save(struct lam_program *program, const struct lam_run *run, const char *path) {
  return lam_checkpoint_write(program, run, path, lam_put_checkpoint);
}

bool lam_checkpoint_load(struct lam_program *program, struct lam_run *run, const char *path, enum lam_purpose purpose) {
  struct lam_weights *weights = lam_weights_open(path, program->model->join_parts);
  if (!weights) return false;
  const int status = lam_load(program->model, run, weights, purpose);
  if (status != LAM_OK)
    lam_error("%s", program->model->message);
  else if (*program->model->message)
    lam_note("%s", program->model->message);
  lam_weights_close(weights);
  return status == LAM_OK;
}

char *lam_checkpoint_path(const struct lam_program *program, const struct lam_options *options, const char *option) {
  const char *given = lam_option_text(options, option, NULL);
  return given ? lam_join(given, "") : lam_join(program->name, ".safetensors");
}

bool lam_checkpoint_use(struct lam_program *program, struct lam_run *run, const struct lam_options *options) {
  const struct lam_pairs *facts = program->model->facts;
  if (facts && lam_option_text(options, "weights", NULL))
    return lam_error("the weights are a part of this program: build it without --weights to read them from files");
  for (int64_t i = 0; facts && i < facts->count; i++)
    if (!lam_pairs_add(&run->facts, facts->items[i].key, facts->items[i].value, facts->items[i].length))
      return lam_error("out of memory");
  if (facts) return true;
  char *path = lam_checkpoint_path(program, options, "weights");
  run->seed = program->settings ? program->settings->seed : 0;
  bool good = program->adapters ? program->adapters->use(program, run, options, path)
                                : lam_checkpoint_load(program, run, path, LAM_USE_ALONE);
  free(path);
  return good;
}
