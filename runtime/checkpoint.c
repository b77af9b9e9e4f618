/* A program's tensors in a safetensors file, with what it takes to go on: the step, the seed, and what the data taught. */
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
  return strcmp(key, "tokenizer") == 0 || strcmp(key, "vocabulary") == 0 || strncmp(key, "categories:", 11) == 0;
}

static void lam_add_text(struct lam_pairs *pairs, const char *key, const char *text) { lam_pairs_add(pairs, key, text, strlen(text)); }

static void lam_add_number(struct lam_pairs *pairs, const char *key, int64_t number) {
  char text[32];
  snprintf(text, sizeof text, "%" PRId64, number);
  lam_add_text(pairs, key, text);
}

static bool lam_get_number(const struct lam_weights *weights, const char *key, int64_t *number) {
  const struct lam_pair *pair = lam_pairs_find(&weights->metadata, key);
  char *end;
  if (!pair) return lam_error("%s does not say \"%s\": it was not written by training, which cannot go on from it", weights->path, key);
  errno = 0;
  *number = strtoll(pair->value, &end, 10);
  if (errno || end == pair->value || *end || *number < 0) return lam_error("%s: \"%s\" is not a number", weights->path, key);
  return true;
}

static char *lam_axes_key(const char *name) {
  char *key = lam_allocate((int64_t)strlen(name) + 6, 1);
  return strcat(strcpy(key, "axes:"), name);
}

bool lam_checkpoint_save(struct lam_program *program, const struct lam_run *run, const char *path) {
  struct lam_pairs metadata = {0};
  struct lam_tensor *tensors = lam_allocate(program->tensor_count, sizeof *tensors);
  int count = 0;
  lam_add_text(&metadata, "format", "lamella");
  lam_add_text(&metadata, "model", program->model);
  lam_add_number(&metadata, "step", run->step);
  lam_add_number(&metadata, "steps", run->steps);
  lam_add_number(&metadata, "rows", run->rows);
  lam_add_number(&metadata, "seed", run->seed);
  for (int64_t i = 0; i < run->facts.count; i++)
    lam_pairs_add(&metadata, run->facts.items[i].key, run->facts.items[i].value, run->facts.items[i].length);
  for (int i = 0; i < program->tensor_count; i++) {
    if (!lam_is_kept(&program->tensors[i])) continue;
    char *key = lam_axes_key(program->tensors[i].name);
    lam_add_text(&metadata, key, program->tensors[i].axes);
    free(key);
    tensors[count++] = program->tensors[i];
  }
  bool good = lam_weights_write(path, tensors, count, &metadata);
  for (int64_t i = 0; i < metadata.count; i++) free((char *)metadata.items[i].value);
  free(metadata.items);
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
  enum { SHOWN = 6 };
  if (list->count++ < SHOWN && list->used < sizeof list->text)
    list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used, "%s%s", list->count > 1 ? ", " : "", name);
}

static const char *lam_list_text(struct lam_list *list) {
  enum { SHOWN = 6 };
  if (list->count > SHOWN && list->used < sizeof list->text)
    snprintf(list->text + list->used, sizeof list->text - list->used, " and %d more", list->count - SHOWN);
  return list->text;
}

static bool lam_checkpoint_tensor(const struct lam_weights *weights, const struct lam_entry *entry, struct lam_tensor *tensor) {
  char there[LAM_SHAPE_TEXT], here[LAM_SHAPE_TEXT];
  char *key = lam_axes_key(tensor->name);
  const struct lam_pair *axes = lam_pairs_find(&weights->metadata, key);
  free(key);
  bool same = entry->rank == tensor->rank && (!axes || strcmp(axes->value, tensor->axes) == 0);
  for (int i = 0; same && i < entry->rank; i++) same = entry->shape[i] == tensor->shape[i];
  if (!same)
    return lam_error("%s: tensor %s has axes %s in the file and %s in the model", weights->path, tensor->name,
                     lam_shape_text(there, axes ? axes->value : NULL, entry->shape, entry->rank),
                     lam_shape_text(here, tensor->axes, tensor->shape, tensor->rank));
  return lam_weights_read(weights, entry, tensor->type, tensor->data);
}

static bool lam_checkpoint_wants(const struct lam_tensor *tensor, enum lam_purpose purpose) {
  return purpose == LAM_RESUME ? lam_is_kept(tensor) : tensor->role == LAM_PARAMETER;
}

static bool lam_checkpoint_tensors(struct lam_program *program, const struct lam_weights *weights, enum lam_purpose purpose) {
  struct lam_list missing = {0}, unexpected = {0};
  int found = 0;
  for (int i = 0; i < program->tensor_count; i++) {
    struct lam_tensor *tensor = &program->tensors[i];
    if (!lam_checkpoint_wants(tensor, purpose)) continue;
    if (lam_weights_find(weights, tensor->name))
      found++;
    else
      lam_list_add(&missing, tensor->name);
  }
  for (int64_t k = 0; k < weights->count; k++) {
    bool wanted = purpose != LAM_RESUME && strchr(weights->entries[k].name, '/'); /* what an optimizer kept is no surprise */
    for (int i = 0; i < program->tensor_count && !wanted; i++)
      wanted = lam_is_kept(&program->tensors[i]) && strcmp(program->tensors[i].name, weights->entries[k].name) == 0;
    if (!wanted) lam_list_add(&unexpected, weights->entries[k].name);
  }
  const struct lam_pair *model = lam_pairs_find(&weights->metadata, "model");
  const char *of = model ? model->value : "another model";
  if (missing.count && (purpose != LAM_START_FROM || !found))
    return lam_error("%s (%s) does not fit model %s: it lacks %s%s%s", weights->path, of, program->model, lam_list_text(&missing),
                     unexpected.count ? "; it has " : "", unexpected.count ? lam_list_text(&unexpected) : "");
  if (unexpected.count && purpose == LAM_RESUME)
    return lam_error("%s (%s) does not fit model %s: it has %s, which this program does not know", weights->path, of, program->model,
                     lam_list_text(&unexpected));
  if (missing.count) lam_note("%s lacks %s: drawn at random or set as the spec says", weights->path, lam_list_text(&missing));
  if (unexpected.count) lam_note("%s has %s, which model %s does not use", weights->path, lam_list_text(&unexpected), program->model);
  for (int i = 0; i < program->tensor_count; i++) {
    struct lam_tensor *tensor = &program->tensors[i];
    const struct lam_entry *entry = lam_checkpoint_wants(tensor, purpose) ? lam_weights_find(weights, tensor->name) : NULL;
    if (entry && !lam_checkpoint_tensor(weights, entry, tensor)) return false;
  }
  return true;
}

/* Averages, where the file has them, stand in for the parameters that training goes on with. */
static bool lam_checkpoint_averages(struct lam_program *program, const struct lam_weights *weights) {
  for (int i = 0; i < program->tensor_count; i++) {
    struct lam_tensor *average = &program->tensors[i];
    if (average->role != LAM_AVERAGE) continue;
    const struct lam_entry *entry = lam_weights_find(weights, average->name);
    const char *slash = strrchr(average->name, '/');
    for (int k = 0; entry && slash && k < program->tensor_count; k++) {
      struct lam_tensor tensor = program->tensors[k];
      size_t length = (size_t)(slash - average->name);
      if (tensor.role != LAM_PARAMETER || strncmp(tensor.name, average->name, length) != 0 || tensor.name[length]) continue;
      tensor.name = average->name;
      if (!lam_checkpoint_tensor(weights, entry, &tensor)) return false;
    }
  }
  return true;
}

static bool lam_checkpoint_run(const struct lam_weights *weights, struct lam_run *run) {
  int64_t seed;
  if (!lam_get_number(weights, "step", &run->step) || !lam_get_number(weights, "steps", &run->steps) ||
      !lam_get_number(weights, "rows", &run->rows) || !lam_get_number(weights, "seed", &seed))
    return false;
  if (seed > UINT32_MAX || run->step > UINT32_MAX) return lam_error("%s: its step or seed is impossibly large", weights->path);
  run->seed = (uint32_t)seed;
  return true;
}

bool lam_checkpoint_load(struct lam_program *program, struct lam_run *run, const char *path, enum lam_purpose purpose) {
  struct lam_weights *weights = lam_weights_open(path);
  if (!weights) return false;
  bool good = (purpose != LAM_RESUME || lam_checkpoint_run(weights, run)) && lam_checkpoint_tensors(program, weights, purpose) &&
              (purpose != LAM_USE || lam_checkpoint_averages(program, weights));
  int64_t seed;
  if (good && purpose == LAM_USE && lam_pairs_find(&weights->metadata, "seed") && (good = lam_get_number(weights, "seed", &seed)))
    run->seed = (uint32_t)seed;
  for (int64_t i = 0; good && purpose != LAM_START_FROM && i < weights->metadata.count; i++) {
    const struct lam_pair *pair = &weights->metadata.items[i];
    if (lam_is_fact(pair->key)) lam_pairs_add(&run->facts, pair->key, pair->value, pair->length);
  }
  lam_weights_close(weights);
  return good;
}

const char *lam_checkpoint_path(const struct lam_program *program, const struct lam_options *options, const char *option) {
  const char *given = lam_option_text(options, option, NULL);
  if (given) return given;
  char *path = lam_allocate((int64_t)strlen(program->name) + 13, 1);
  return strcat(strcpy(path, program->name), ".safetensors");
}
