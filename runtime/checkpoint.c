/* A program's tensors in a file, with what it takes to go on: step, seed, what the data taught. */
#include "runtime/runtime.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool lam_is_kept(const struct lam_tensor *tensor) {
  return tensor->role == LAM_PARAMETER || tensor->role == LAM_OPTIMIZER || tensor->role == LAM_AVERAGE;
}

static bool lam_is_fact(const char *key) {
  return !strcmp(key, "tokenizer") || !strcmp(key, "vocabulary") || !strncmp(key, "categories:", 11);
}

/* "axes:NAME" */
static const char *lam_axes_key(char key[512], const char *name) {
  snprintf(key, 512, "axes:%s", name);
  return key;
}

static void lam_add_number(struct lam_pairs *pairs, const char *key, int64_t number) {
  char text[32];
  lam_pairs_add(pairs, key, text, (size_t)snprintf(text, sizeof text, "%" PRId64, number));
}

bool lam_checkpoint_save(struct lam_program *program, const struct lam_run *run, const char *path) {
  struct lam_pairs metadata = {0};
  struct lam_tensor *tensors = lam_allocate(program->tensor_count, sizeof *tensors);
  int count = 0;
  lam_pairs_add(&metadata, "format", "lamella", 7);
  lam_pairs_add(&metadata, "model", program->model, strlen(program->model));
  lam_add_number(&metadata, "step", run->step);
  lam_add_number(&metadata, "steps", run->steps);
  lam_add_number(&metadata, "rows", run->rows);
  lam_add_number(&metadata, "seed", run->seed);
  for (const struct lam_pair *fact = run->facts.items; fact < run->facts.items + run->facts.count; fact++)
    lam_pairs_add(&metadata, fact->key, fact->value, fact->length);
  for (int i = 0; i < program->tensor_count; i++) {
    const struct lam_tensor *tensor = &program->tensors[i];
    char key[512];
    if (!lam_is_kept(tensor)) continue;
    lam_pairs_add(&metadata, lam_axes_key(key, tensor->name), tensor->axes, strlen(tensor->axes));
    tensors[count++] = *tensor;
  }
  bool good = lam_weights_write(path, tensors, count, &metadata);
  lam_pairs_free(&metadata);
  free(tensors);
  return good;
}

/* "h.0.a, h.0.b, h.0.c and 9 more" */
struct lam_list {
  char text[512];
  size_t used;
  int count;
};

static void lam_list_add(struct lam_list *list, const char *name) {
  size_t left = sizeof list->text - list->used;
  if (list->count++ < 6 && strlen(name) + 32 < left)
    list->used += (size_t)snprintf(list->text + list->used, left, "%s%s", list->used ? ", " : "", name);
  else
    snprintf(list->text + list->used, left, " and more, %d in all", list->count);
}

static bool lam_is_wanted(const struct lam_tensor *tensor, enum lam_purpose purpose) {
  return purpose == LAM_RESUME ? lam_is_kept(tensor) : tensor->role == LAM_PARAMETER;
}

/* Compares the names that the file has with those that the program wants. */
static bool lam_checkpoint_names(const struct lam_program *program, const struct lam_weights *weights,
                                 enum lam_purpose purpose) {
  struct lam_list missing = {0}, unexpected = {0};
  int found = 0;
  for (int i = 0; i < program->tensor_count; i++) {
    const struct lam_tensor *tensor = &program->tensors[i];
    if (!lam_is_wanted(tensor, purpose)) continue;
    if (lam_weights_find(weights, tensor->name))
      found++;
    else
      lam_list_add(&missing, tensor->name);
  }
  for (int64_t k = 0; k < weights->count; k++) {
    const char *name = weights->entries[k].name;
    bool known = purpose != LAM_RESUME && strchr(name, '/'); /* what an optimizer kept is no surprise */
    for (int i = 0; i < program->tensor_count && !known; i++)
      known = lam_is_kept(&program->tensors[i]) && !strcmp(program->tensors[i].name, name);
    if (!known) lam_list_add(&unexpected, name);
  }
  const struct lam_pair *model = lam_pairs_find(&weights->metadata, "model");
  if ((missing.count && (purpose != LAM_START_FROM || !found)) || (unexpected.count && purpose == LAM_RESUME))
    return lam_error("%s (%s) does not fit model %s: it lacks %s; it has %s", weights->path,
                     model ? model->value : "another model", program->model, missing.count ? missing.text : "nothing",
                     unexpected.count ? unexpected.text : "nothing more");
  if (missing.count) lam_note("%s lacks %s: set as the spec says", weights->path, missing.text);
  if (unexpected.count)
    lam_note("%s has %s, which model %s does not use", weights->path, unexpected.text, program->model);
  return true;
}

static bool lam_checkpoint_tensor(const struct lam_weights *weights, const struct lam_entry *entry,
                                  const struct lam_tensor *tensor) {
  char there[LAM_SHAPE_TEXT], here[LAM_SHAPE_TEXT], key[512];
  const struct lam_pair *axes = lam_pairs_find(&weights->metadata, lam_axes_key(key, tensor->name));
  bool same = entry->rank == tensor->rank && (!axes || !strcmp(axes->value, tensor->axes));
  for (int i = 0; same && i < entry->rank; i++) same = entry->shape[i] == tensor->shape[i];
  if (same) return lam_weights_read(weights, entry, tensor->type, tensor->data);
  return lam_error("%s: tensor %s has axes %s in the file and %s in the model", weights->path, tensor->name,
                   lam_shape_text(there, axes ? axes->value : NULL, entry->shape, entry->rank),
                   lam_shape_text(here, tensor->axes, tensor->shape, tensor->rank));
}

/* Those of a role that the file has. */
static bool lam_checkpoint_role(struct lam_program *program, const struct lam_weights *weights, enum lam_role role) {
  for (int i = 0; i < program->tensor_count; i++) {
    const struct lam_tensor *tensor = &program->tensors[i];
    const struct lam_entry *entry = tensor->role == role ? lam_weights_find(weights, tensor->name) : NULL;
    if (entry && !lam_checkpoint_tensor(weights, entry, tensor)) return false;
  }
  return true;
}

static bool lam_get_number(const struct lam_weights *weights, const char *key, int64_t *number) {
  const struct lam_pair *pair = lam_pairs_find(&weights->metadata, key);
  char *end;
  if (!pair)
    return lam_error("%s does not say \"%s\": training did not write it and cannot go on from it", weights->path, key);
  *number = strtoll(pair->value, &end, 10);
  bool good =
      end != pair->value && !*end && *number >= 0 && *number <= (!strcmp(key, "rows") ? INT64_MAX - 1 : UINT32_MAX);
  return good || lam_error("%s: %s is not a number of \"%s\"", weights->path, pair->value, key);
}

static bool lam_checkpoint_run(const struct lam_weights *weights, struct lam_run *run, enum lam_purpose purpose) {
  int64_t seed = run->seed;
  bool resume = purpose == LAM_RESUME;
  if (resume && (!lam_get_number(weights, "step", &run->step) || !lam_get_number(weights, "steps", &run->steps) ||
                 !lam_get_number(weights, "rows", &run->rows)))
    return false;
  if ((resume || lam_pairs_find(&weights->metadata, "seed")) && !lam_get_number(weights, "seed", &seed)) return false;
  run->seed = (uint32_t)seed;
  for (const struct lam_pair *pair = weights->metadata.items; pair < weights->metadata.items + weights->metadata.count;
       pair++)
    if (lam_is_fact(pair->key)) lam_pairs_add(&run->facts, pair->key, pair->value, pair->length);
  return true;
}

bool lam_checkpoint_load(struct lam_program *program, struct lam_run *run, const char *path, enum lam_purpose purpose) {
  struct lam_weights *weights = lam_weights_open(path);
  bool good = weights && (purpose == LAM_START_FROM || lam_checkpoint_run(weights, run, purpose)) &&
              lam_checkpoint_names(program, weights, purpose) && lam_checkpoint_role(program, weights, LAM_PARAMETER);
  if (good && purpose != LAM_RESUME) lam_start_averages(program); /* for weights that have none */
  if (good && purpose != LAM_START_FROM) good = lam_checkpoint_role(program, weights, LAM_AVERAGE);
  if (good && purpose == LAM_RESUME) good = lam_checkpoint_role(program, weights, LAM_OPTIMIZER);
  lam_weights_close(weights);
  return good;
}

const char *lam_checkpoint_path(const struct lam_program *program, const struct lam_options *options,
                                const char *option) {
  const char *given = lam_option_text(options, option, NULL);
  if (given) return given;
  char *path = lam_allocate((int64_t)strlen(program->name) + 13, 1);
  return strcat(strcpy(path, program->name), ".safetensors");
}
