/* A program's tensors in a file, with what it takes to go on: step, seed, what data taught. */
#include "runtime/runtime.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool lam_is_kept(const struct lam_tensor *tensor) {
  return tensor->role == LAM_PARAMETER || tensor->role == LAM_OPTIMIZER || tensor->role == LAM_AVERAGE;
}

static bool lam_is_fact(const char *key) {
  return !strcmp(key, "tokenizer") || !strcmp(key, "vocabulary") || !strncmp(key, "categories:", 11);
}

const char *lam_not_finite(const struct lam_program *program) {
  for (int i = 0; i < program->tensor_count; i++) {
    const struct lam_tensor *tensor = &program->tensors[i];
    if (!lam_is_kept(tensor) || tensor->type != LAM_TYPE_REAL || !isfinite(tensor->low + tensor->high)) continue;
    const lam_real *numbers = tensor->data;
    const int64_t count = lam_count(tensor->shape, tensor->rank);
    int bad = 0;
    for (int64_t k = 0; k < count; k++) bad |= !(numbers[k] - numbers[k] == 0); /* in vectors */
    if (bad) return tensor->name;
  }
  return NULL;
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
  const char *spoilt = lam_not_finite(program);
  if (spoilt) return lam_error("%s holds a number that is infinite or not a number: %s is not written", spoilt, path);
  struct lam_tensor *tensors = lam_allocate(program->tensor_count, sizeof *tensors);
  int count = 0;
  lam_span_begin("checkpoint", run->step);
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
  lam_span_end();
  return good;
}

void lam_list_add(char list[LAM_LIST], const char *name) {
  size_t used = strlen(list);
  snprintf(list + used, LAM_LIST - used, "%s%s", used ? ", " : "", name);
  if (used + strlen(name) + 2 >= LAM_LIST) strcpy(list + LAM_LIST - 4, "...");
}

/* Compares the names that the file has with those that the program wants. */
static bool lam_checkpoint_names(const struct lam_program *program, const struct lam_weights *weights,
                                 enum lam_purpose purpose) {
  char missing[LAM_LIST] = "", unexpected[LAM_LIST] = "";
  bool found = false, resume = purpose == LAM_RESUME;
  for (int i = 0; i < program->tensor_count; i++) {
    const struct lam_tensor *tensor = &program->tensors[i];
    bool there = lam_weights_find(weights, tensor->name) != NULL;
    if (!(resume ? lam_is_kept(tensor) : tensor->role == LAM_PARAMETER)) continue;
    found |= there;
    if (!there) lam_list_add(missing, tensor->name);
  }
  for (int64_t k = 0; k < weights->count; k++) {
    const char *name = weights->entries[k].name;
    bool known = !resume && strchr(name, '/'); /* what an optimizer kept is no surprise */
    for (int i = 0; i < program->tensor_count && !known; i++)
      known = lam_is_kept(&program->tensors[i]) && !strcmp(program->tensors[i].name, name);
    if (!known) lam_list_add(unexpected, name);
  }
  const struct lam_pair *model = lam_pairs_find(&weights->metadata, "model");
  if ((*missing && (purpose != LAM_START_FROM || !found)) || (*unexpected && resume))
    return lam_error("%s (%s) does not fit model %s: it lacks %s; it has %s", weights->path,
                     model ? model->value : "another model", program->model, *missing ? missing : "nothing",
                     *unexpected ? unexpected : "nothing more");
  if (*missing) lam_note("%s lacks %s: set as the spec says", weights->path, missing);
  if (*unexpected) lam_note("%s has %s, which model %s does not use", weights->path, unexpected, program->model);
  return true;
}

/* Where a name stands in a list, "vocab,embed"; -1: nowhere. */
static int lam_axis_place(const char *axes, const char *name, size_t length) {
  for (int place = 0; *axes; place++) {
    size_t here = strcspn(axes, ",");
    if (here == length && !strncmp(axes, name, length)) return place;
    axes += here + (axes[here] == ',');
  }
  return -1;
}

/* Axes may have other names than they had; but those of the same name stand in the same order. */
static bool lam_axes_agree(const char *there, const char *here) {
  int last = -1;
  for (size_t length; *there; there += length + (there[length] == ',')) {
    int place = lam_axis_place(here, there, length = strcspn(there, ","));
    if (place >= 0 && place < last) return false;
    if (place >= 0) last = place;
  }
  return true;
}

/* Does the file have the tensor as the program wants it? */
bool lam_checkpoint_fits(const struct lam_weights *weights, const struct lam_entry *entry,
                         const struct lam_tensor *tensor) {
  char key[512];
  const struct lam_pair *axes = lam_pairs_find(&weights->metadata, lam_axes_key(key, tensor->name));
  bool same = entry->rank == tensor->rank && (!axes || lam_axes_agree(axes->value, tensor->axes));
  for (int i = 0; same && i < entry->rank; i++) same = entry->shape[i] == tensor->shape[i];
  return same;
}

static bool lam_checkpoint_tensor(const struct lam_weights *weights, const struct lam_entry *entry,
                                  const struct lam_tensor *tensor) {
  if (lam_checkpoint_fits(weights, entry, tensor)) return lam_weights_read(weights, entry, tensor->type, tensor->data);
  char there[LAM_SHAPE_TEXT], here[LAM_SHAPE_TEXT], key[512];
  const struct lam_pair *axes = lam_pairs_find(&weights->metadata, lam_axes_key(key, tensor->name));
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
  int64_t most = !strcmp(key, "rows") ? INT64_MAX - 1 : UINT32_MAX;
  if (end != pair->value && !*end && *number >= 0 && *number <= most) return true;
  return lam_error("%s: %s is not a number of \"%s\"", weights->path, pair->value, key);
}

bool lam_checkpoint_run(const struct lam_weights *weights, struct lam_run *run, bool resume) {
  int64_t seed = run->seed;
  if (resume && (!lam_get_number(weights, "step", &run->step) || !lam_get_number(weights, "steps", &run->steps) ||
                 !lam_get_number(weights, "rows", &run->rows)))
    return false;
  if ((resume || lam_pairs_find(&weights->metadata, "seed")) && !lam_get_number(weights, "seed", &seed)) return false;
  run->seed = (uint32_t)seed;
  return true;
}

/* Whether a fact is about this program's data, and about parameters that are taken from the file: those have the axis
   of the ids that it gives a meaning. */
static bool lam_fact_matters(const struct lam_program *program, const struct lam_weights *weights, const char *key) {
  const struct lam_data *data = program->data;
  int64_t ids = -1; /* 0: of no axis */
  for (int c = 0; data && c < data->column_count; c++) {
    const struct lam_column *column = &data->columns[c];
    bool category = column->feature == LAM_CATEGORY, about = !strncmp(key, "categories:", 11);
    if (category != about || column->type != LAM_TYPE_INTEGER || (about && strcmp(key + 11, column->field))) continue;
    if (about || data->tokenizer) ids = column->range > ids ? column->range : ids;
  }
  for (int i = 0; ids > 0 && i < program->tensor_count; i++) {
    const struct lam_tensor *tensor = &program->tensors[i];
    const struct lam_entry *entry = tensor->role == LAM_PARAMETER ? lam_weights_find(weights, tensor->name) : NULL;
    for (int k = 0; entry && lam_checkpoint_fits(weights, entry, tensor) && k < tensor->rank; k++)
      if (tensor->shape[k] % ids == 0) return true;
  }
  return ids == 0;
}

/* What the file learned of its data holds for this program's, too. */
bool lam_checkpoint_facts(const struct lam_program *program, const struct lam_weights *weights, struct lam_run *run,
                          bool all) {
  const struct lam_tokenizer *tokenizer = program->data ? program->data->tokenizer : NULL;
  for (int64_t i = 0; i < weights->metadata.count; i++) {
    const struct lam_pair *pair = &weights->metadata.items[i];
    if (!lam_is_fact(pair->key) || !(all || lam_fact_matters(program, weights, pair->key))) continue;
    if (tokenizer && !strcmp(pair->key, "tokenizer") && strcmp(pair->value, tokenizer->name) != 0)
      return lam_error("%s was trained with tokenizer = %s, and data %s has tokenizer = %s: ids mean something else",
                       weights->path, pair->value, program->data->name, tokenizer->name);
    if (tokenizer && tokenizer->collect && !strcmp(pair->key, "vocabulary")) {
      unsigned char *set = lam_allocate((int64_t)tokenizer->set_bytes, 1);
      bool readable = pair->length && tokenizer->collect(set, pair->value, pair->length, weights->path);
      free(set);
      if (!readable) return lam_error("the vocabulary in %s is not one", weights->path);
    }
    lam_pairs_add(&run->facts, pair->key, pair->value, pair->length);
  }
  return true;
}

bool lam_checkpoint_load(struct lam_program *program, struct lam_run *run, const char *path, enum lam_purpose purpose) {
  struct lam_weights *weights = lam_weights_open(path);
  bool resume = purpose == LAM_RESUME;
  bool good = weights && (purpose == LAM_START_FROM || lam_checkpoint_run(weights, run, resume)) &&
              lam_checkpoint_names(program, weights, purpose) && lam_checkpoint_role(program, weights, LAM_PARAMETER) &&
              lam_checkpoint_facts(program, weights, run, purpose != LAM_START_FROM);
  if (good && !resume) lam_start_averages(program); /* for weights that have none */
  if (good && purpose != LAM_START_FROM) good = lam_checkpoint_role(program, weights, LAM_AVERAGE);
  if (good && resume) good = lam_checkpoint_role(program, weights, LAM_OPTIMIZER);
  lam_weights_close(weights);
  return good;
}

char *lam_checkpoint_path(const struct lam_program *program, const struct lam_options *options, const char *option) {
  const char *given = lam_option_text(options, option, NULL);
  return given ? lam_join(given, "") : lam_join(program->name, ".safetensors");
}

bool lam_checkpoint_use(struct lam_program *program, struct lam_run *run, const struct lam_options *options) {
  char *path = lam_checkpoint_path(program, options, "weights");
  run->seed = program->settings ? program->settings->seed : 0;
  bool good = lam_checkpoint_load(program, run, path, LAM_USE);
  free(path);
  return good;
}
