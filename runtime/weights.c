/* Weights of a model: what a file must have, and what is taken of it. */
#include "runtime/weights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef LAM_MAPS_FILES
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

/* Whether what is loaded is read by evaluation, generation and prediction. */
static bool lam_uses(enum lam_purpose purpose) { return purpose == LAM_USE || purpose == LAM_USE_ALONE; }

/* "axes:NAME" */
static const char *lam_axes_key(char key[512], const char *name) {
  snprintf(key, 512, "axes:%s", name);
  return key;
}

void lam_list_add(char list[LAM_LIST], const char *name) {
  size_t used = strlen(list);
  snprintf(list + used, LAM_LIST - used, "%s%s", used ? ", " : "", name);
  if (used + strlen(name) + 2 >= LAM_LIST) strcpy(list + LAM_LIST - 4, "...");
}

/* --- Loading ------------------------------------------------------------------------------------------------------ */

/* Whether a tensor "OWNER/STATE" belongs to the pipeline, as the scale of a loss does: OWNER is a tensor neither of the
   model nor of the file. */
static bool lam_is_of_pipeline(const struct lam_model *model, const struct lam_weights *weights, const char *name) {
  const char *slash = strchr(name, '/');
  if (!slash) return false;
  const size_t length = (size_t)(slash - name);
  for (int i = 0; i < model->tensor_count; i++)
    if (!strncmp(model->tensors[i].name, name, length) && !model->tensors[i].name[length]) return false;
  for (int64_t k = 0; k < weights->count; k++)
    if (!strncmp(weights->entries[k].name, name, length) && !weights->entries[k].name[length]) return false;
  return true;
}

/* 1: of an adapter. 2: a parameter in the file that adapters are for. 0: neither. */
static int lam_part(const struct lam_tensor *tensor) {
  return tensor->frozen == LAM_IN_BASE ? 2 : tensor->role == LAM_PARAMETER && strchr(tensor->name, '/') != NULL;
}

bool lam_is_statistic(const char *name) {
  static const char *const endings[] = {"/input.max", "/input.square"};
  const char *slash = strrchr(name, '/');
  return slash && (!strcmp(slash, endings[0]) || !strcmp(slash, endings[1]));
}

/* What calibration measures is in files that it wrote, and in no other. */
static int lam_check_statistics(struct lam_model *model, const struct lam_weights *weights, enum lam_purpose purpose) {
  char missing[LAM_LIST] = "";
  for (int i = 0; i < model->tensor_count && lam_uses(purpose); i++)
    if (model->tensors[i].role == LAM_STATISTIC && !lam_weights_find(weights, model->tensors[i].name))
      lam_list_add(missing, model->tensors[i].name);
  if (!*missing) return LAM_OK;
  return lam_fail(model->message, LAM_WRONG_FILE,
                  "%s lacks %s, which the pipeline asks for: the verb calibrate measures that and adds it to the file",
                  weights->path, missing);
}

/* Compares the names that the file has with those that the model wants. A checkpoint of any pipeline serves every
   other: what the pipeline of the file kept for itself is ignored, and what this one's wants and the file lacks begins
   anew. Adapters and the parameters that they are for are in two files, which are loaded in any order. */
static int lam_check_names(struct lam_model *model, const struct lam_weights *weights, enum lam_purpose purpose) {
  char missing[LAM_LIST] = "", unexpected[LAM_LIST] = "";
  bool found = false, resume = purpose == LAM_RESUME, has[3] = {false};
  for (int i = 0; i < model->tensor_count; i++)
    if (lam_weights_find(weights, model->tensors[i].name)) has[lam_part(&model->tensors[i])] = true;
  for (int i = 0; i < model->tensor_count; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    if (!(resume ? lam_is_kept(tensor) : tensor->role == LAM_PARAMETER)) continue;
    bool there = lam_weights_find(weights, tensor->name) != NULL;
    found |= there;
    const int part = lam_part(tensor);
    if (!resume && part && has[3 - part] && !has[part]) continue;
    if (!there && !lam_is_of_pipeline(model, weights, tensor->name)) lam_list_add(missing, tensor->name);
  }
  for (int64_t k = 0; k < weights->count; k++) {
    const char *name = weights->entries[k].name;
    /* What an optimizer kept or calibration measured is no surprise. */
    bool known = (!resume && strchr(name, '/')) || lam_is_statistic(name);
    const struct lam_tensor *tensor = known ? NULL : lam_find_tensor(model, name);
    if (!known && !(tensor && (lam_is_kept(tensor) || !resume)) && !lam_is_of_pipeline(model, weights, name))
      lam_list_add(unexpected, name);
  }
  const struct lam_pair *other = lam_pairs_find(&weights->metadata, "model");
  if ((*missing && (purpose != LAM_START_FROM || !found)) || (*unexpected && resume))
    return lam_fail(model->message, LAM_WRONG_FILE, "%s (%s) does not fit model %s: it lacks %s; it has %s",
                    weights->path, other ? other->value : "another model", model->name, *missing ? missing : "nothing",
                    *unexpected ? unexpected : "nothing more");
  if (*missing && *unexpected)
    return lam_fail(model->message, LAM_OK, "%s lacks %s: set as the spec says; it has %s, which model %s does not use",
                    weights->path, missing, unexpected, model->name);
  if (*missing) return lam_fail(model->message, LAM_OK, "%s lacks %s: set as the spec says", weights->path, missing);
  if (*unexpected)
    return lam_fail(model->message, LAM_OK, "%s has %s, which model %s does not use", weights->path, unexpected,
                    model->name);
  return LAM_OK;
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

bool lam_weights_fit(const struct lam_weights *weights, const struct lam_entry *entry,
                     const struct lam_tensor *tensor) {
  char key[512];
  const struct lam_pair *axes = lam_pairs_find(&weights->metadata, lam_axes_key(key, tensor->name));
  bool same = entry->rank == tensor->rank && (!axes || lam_axes_agree(axes->value, tensor->axes));
  for (int i = 0; same && i < entry->rank; i++) same = entry->shape[i] == tensor->shape[i];
  return same;
}

int lam_check_tensor(const struct lam_weights *weights, const struct lam_entry *entry, const struct lam_tensor *tensor,
                     char message[LAM_MESSAGE]) {
  if (lam_weights_fit(weights, entry, tensor)) return lam_check_elements(weights, entry, tensor->type, message);
  char there[LAM_SHAPE_TEXT], here[LAM_SHAPE_TEXT], key[512];
  const struct lam_pair *axes = lam_pairs_find(&weights->metadata, lam_axes_key(key, tensor->name));
  return lam_fail(message, LAM_WRONG_FILE, "%s: tensor %s has axes %s in the file and %s in the model", weights->path,
                  tensor->name, lam_shape_text(there, axes ? axes->value : NULL, entry->shape, entry->rank),
                  lam_shape_text(here, tensor->axes, tensor->shape, tensor->rank));
}

static bool lam_is_taken(const struct lam_tensor *tensor, enum lam_purpose purpose) {
  return tensor->role == LAM_PARAMETER || (tensor->role == LAM_AVERAGE && purpose != LAM_START_FROM) ||
         (tensor->role == LAM_OPTIMIZER && purpose == LAM_RESUME) ||
         (tensor->role == LAM_STATISTIC && lam_uses(purpose));
}

static int lam_get_number(const struct lam_weights *weights, const char *key, int64_t *number,
                          char message[LAM_MESSAGE]) {
  const struct lam_pair *pair = lam_pairs_find(&weights->metadata, key);
  char *end;
  if (!pair)
    return lam_fail(message, LAM_WRONG_FILE,
                    "%s does not say \"%s\": training did not write it and cannot go on from it", weights->path, key);
  *number = strtoll(pair->value, &end, 10);
  int64_t most = !strcmp(key, "rows") ? INT64_MAX - 1 : UINT32_MAX;
  if (end != pair->value && !*end && *number >= 0 && *number <= most) return LAM_OK;
  return lam_fail(message, LAM_WRONG_FILE, "%s: %s is not a number of \"%s\"", weights->path, pair->value, key);
}

int lam_read_run(const struct lam_weights *weights, struct lam_run *run, bool all, char message[LAM_MESSAGE]) {
  struct lam_run there = *run;
  int64_t seed = run->seed;
  int status = LAM_OK;
  if (all) status = lam_get_number(weights, "step", &there.step, message);
  if (all && !status) status = lam_get_number(weights, "steps", &there.steps, message);
  if (all && !status) status = lam_get_number(weights, "rows", &there.rows, message);
  if (!status && (all || lam_pairs_find(&weights->metadata, "seed")))
    status = lam_get_number(weights, "seed", &seed, message);
  there.seed = (uint32_t)seed;
  if (!status) *run = there;
  return status;
}

bool lam_is_fact(const char *key) {
  return !strcmp(key, "tokenizer") || !strcmp(key, "vocabulary") || lam_category_column(key);
}

/* Whether a fact is about the model's data, and about parameters that are taken from the file: those have the axis of
   the ids that it gives a meaning. */
static bool lam_fact_matters(const struct lam_model *model, const struct lam_weights *weights, const char *key) {
  const char *field = lam_category_column(key);
  for (const struct lam_ids *ids = model->ids; ids < model->ids + model->ids_count; ids++) {
    if (field ? !ids->field || strcmp(ids->field, field) != 0 : ids->field != NULL) continue;
    if (!ids->range) return true;
    for (int i = 0; i < model->tensor_count; i++) {
      const struct lam_tensor *tensor = &model->tensors[i];
      const struct lam_entry *entry = tensor->role == LAM_PARAMETER ? lam_weights_find(weights, tensor->name) : NULL;
      for (int k = 0; entry && lam_weights_fit(weights, entry, tensor) && k < tensor->rank; k++)
        if (tensor->shape[k] % ids->range == 0) return true;
    }
  }
  return false;
}

int lam_check_vocabulary(const struct lam_weights *weights, const struct lam_pair *fact,
                         const struct lam_tokenizer *tokenizer, char message[LAM_MESSAGE]) {
  if (!tokenizer) return LAM_OK;
  if (!strcmp(fact->key, "tokenizer") && strcmp(fact->value, tokenizer->name) != 0)
    return lam_fail(message, LAM_WRONG_FILE,
                    "%s was trained with tokenizer = %s, and here is tokenizer = %s: ids mean something else",
                    weights->path, fact->value, tokenizer->name);
  if (strcmp(fact->key, "vocabulary") != 0) return LAM_OK;
  struct lam_pair alone = *fact;
  struct lam_vocabulary vocabulary = {.tokenizer = tokenizer};
  char why[LAM_MESSAGE] = "it is empty";
  const int status = tokenizer->recall(&vocabulary, &(struct lam_pairs){&alone, 1, 1}, why);
  free(vocabulary.codes);
  if (status == LAM_OK) return LAM_OK;
  if (status == LAM_NO_MEMORY) return lam_fail(message, LAM_NO_MEMORY, "%s", why);
  return lam_fail(message, LAM_WRONG_FILE, "the vocabulary in %.300s is not one: %.600s", weights->path, why);
}

int lam_read_facts(struct lam_model *model, const struct lam_weights *weights, enum lam_purpose purpose,
                   struct lam_pairs *to) {
  for (int64_t i = 0; i < weights->metadata.count; i++) {
    const struct lam_pair *pair = &weights->metadata.items[i];
    if (!lam_is_fact(pair->key)) continue;
    if (purpose == LAM_START_FROM && !lam_fact_matters(model, weights, pair->key)) continue;
    const int status = lam_check_vocabulary(weights, pair, model->vocabulary.tokenizer, model->message);
    if (status != LAM_OK) return status;
    if (!lam_pairs_add(to, pair->key, pair->value, pair->length))
      return lam_fail(model->message, LAM_NO_MEMORY, "not enough memory for the facts of %s", weights->path);
  }
  return LAM_OK;
}

static bool lam_same_fact(const struct lam_pair *x, const struct lam_pair *y) {
  return x->length == y->length && !memcmp(x->value, y->value, x->length);
}

/* Adds to the file's facts those of the run that stay: what was learned, of which the file says nothing; and, where a
   part of the parameters stays, too, what came with them. */
static int lam_keep_facts(struct lam_model *model, const struct lam_run *run, const struct lam_weights *weights,
                          enum lam_purpose purpose, struct lam_run *there) {
  const bool starts = purpose == LAM_START_FROM;
  there->given = there->facts.count;
  for (int64_t i = 0; i < run->facts.count; i++) {
    const struct lam_pair *now = &run->facts.items[i], *then = lam_pairs_find(&there->facts, now->key);
    const char *column = lam_category_column(now->key);
    if (then && starts && !lam_same_fact(now, then))
      return lam_fail(model->message, LAM_WRONG_FILE,
                      "%s was trained with other %s%s than the model has now: the same ids mean something else",
                      weights->path, column ? "categories of " : model->vocabulary.tokenizer->units,
                      column ? column : "");
    if (then || (!starts && i < run->given)) continue;
    if (!lam_pairs_add(&there->facts, now->key, now->value, now->length))
      return lam_fail(model->message, LAM_NO_MEMORY, "not enough memory for the facts of %s", weights->path);
    there->given += i < run->given;
  }
  return LAM_OK;
}

/* Programs without the module parts do not read tensors of few bits. */
static int lam_check_parts(struct lam_model *model, const struct lam_weights *weights) {
  static const char *const parts[] = {"i8", "i4", "u4", "nf4", "bf16", "f16"};
  char name[512];
  for (int i = 0; i < model->tensor_count && !model->join_parts; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    if (tensor->role != LAM_PARAMETER || lam_weights_find(weights, tensor->name)) continue;
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
      if ((size_t)snprintf(name, sizeof name, "%s/%s", tensor->name, parts[k]) < sizeof name &&
          lam_weights_find(weights, name))
        return lam_fail(model->message, LAM_WRONG_FILE,
                        "%s has %s in place of %s: to read weights of few bits, a program must be emitted with "
                        "quantize(...) in its pipeline, or made by lamella build or run",
                        weights->path, name, tensor->name);
  }
  return LAM_OK;
}

/* Whether all that is to be taken fits. */
static int lam_check_weights(struct lam_model *model, const struct lam_weights *weights, enum lam_purpose purpose) {
  int status = lam_check_parts(model, weights);
  if (!status) status = lam_check_statistics(model, weights, purpose);
  if (!status) status = lam_check_names(model, weights, purpose);
  for (int i = 0; i < model->tensor_count && !status; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    const struct lam_entry *entry = lam_is_taken(tensor, purpose) ? lam_weights_find(weights, tensor->name) : NULL;
    if (entry) status = lam_check_tensor(weights, entry, tensor, model->message);
  }
  return status;
}

/* --- Taking elements ---------------------------------------------------------------------------------------------- */

/* The entry that a tensor is taken from. What is an average begins as its parameter, where the file has none. */
const struct lam_entry *lam_source_of(const struct lam_taking *taking, const struct lam_tensor *tensor) {
  if (!lam_is_taken(tensor, taking->purpose)) return NULL;
  const struct lam_entry *entry = lam_weights_find(taking->weights, tensor->name);
  const struct lam_tensor *parameter = entry ? NULL : lam_average_of(taking->model, tensor);
  return parameter && taking->purpose != LAM_RESUME ? lam_weights_find(taking->weights, parameter->name) : entry;
}

static void lam_take_all(const struct lam_taking *taking) {
  for (int i = 0; i < taking->model->tensor_count; i++) {
    const struct lam_tensor *tensor = &taking->model->tensors[i];
    const struct lam_entry *source = lam_source_of(taking, tensor);
    if (source) lam_read_entry(taking->weights, source, tensor->type, tensor->data);
  }
}

int lam_load(struct lam_model *model, struct lam_run *run, const struct lam_weights *weights,
             enum lam_purpose purpose) {
  struct lam_run there = *run;
  there.facts = (struct lam_pairs){0};
  model->message[0] = 0;
  int status = LAM_OK;
  if (purpose != LAM_START_FROM) status = lam_read_run(weights, &there, purpose == LAM_RESUME, model->message);
  if (!status) status = lam_check_weights(model, weights, purpose);
  if (!status) status = lam_read_facts(model, weights, purpose, &there.facts);
  if (!status) status = lam_keep_facts(model, run, weights, purpose, &there);
  struct lam_taking taking = {.model = model, .weights = weights, .purpose = purpose};
  if (!status && model->quantized) status = model->quantized->begin(&taking);
  if (status) {
    lam_pairs_free(&there.facts);
    return status;
  }
  /* What was measured with other parameters says nothing of these. */
  if (!lam_uses(purpose)) lam_restart(model, LAM_STATISTIC, true);
  if (model->note_pruned) model->note_pruned(model, weights, (int)purpose);
  bool in_steps = false;
  if (model->quantized)
    in_steps = model->quantized->take(&taking);
  else
    lam_take_all(&taking);
  if (purpose == LAM_START_FROM) lam_start_averages(model);
  lam_changed(model);
  if (in_steps) *model->quantized_version = *model->version;
  lam_pairs_free(&run->facts);
  *run = there;
  return LAM_OK;
}

static int lam_model_take(struct lam_model *model, struct lam_weights *weights, enum lam_purpose purpose) {
  const int status = lam_load(model, &model->run, weights, purpose);
  lam_weights_close(weights);
  if (status == LAM_OK) lam_forget_vocabulary(model);
  return status;
}

int lam_model_load(struct lam_model *model, const char *path, enum lam_purpose purpose) {
  struct lam_weights *weights;
  const int status = lam_open_weights(&weights, path, model->join_parts, model->message);
  return status == LAM_OK ? lam_model_take(model, weights, purpose) : status;
}

int lam_model_load_memory(struct lam_model *model, const void *bytes, size_t size, enum lam_purpose purpose) {
  struct lam_weights *weights;
  const int status = lam_weights_take(&weights, "the memory", bytes, size, model->join_parts, model->message);
  return status == LAM_OK ? lam_model_take(model, weights, purpose) : status;
}

/* --- Saving ------------------------------------------------------------------------------------------------------- */

static bool lam_add_number(struct lam_pairs *pairs, const char *key, int64_t number) {
  char text[32];
  return lam_pairs_add(pairs, key, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)number));
}

static bool lam_describe(const struct lam_model *model, const struct lam_run *run, const char *quantized,
                         struct lam_pairs *metadata) {
  bool good = lam_pairs_add(metadata, "format", "lamella", 7) &&
              lam_pairs_add(metadata, "model", model->name, strlen(model->name)) &&
              lam_add_number(metadata, "step", run->step) && lam_add_number(metadata, "steps", run->steps) &&
              lam_add_number(metadata, "rows", run->rows) && lam_add_number(metadata, "seed", run->seed);
  if (good && model->pruned && *model->pruned > 0) good = lam_add_number(metadata, "pruned", *model->pruned - 1);
  for (int64_t i = 0; good && i < run->facts.count; i++)
    good = lam_pairs_add(metadata, run->facts.items[i].key, run->facts.items[i].value, run->facts.items[i].length);
  if (good && quantized) good = lam_pairs_add(metadata, "quantized", quantized, strlen(quantized));
  for (int i = 0; good && i < model->tensor_count; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    char key[512];
    if (quantized ? tensor->role == LAM_PARAMETER || tensor->role == LAM_STATISTIC : lam_is_kept(tensor))
      good = lam_pairs_add(metadata, lam_axes_key(key, tensor->name), tensor->axes, strlen(tensor->axes));
  }
  return good;
}

bool lam_is_saved(const struct lam_tensor *tensor) {
  bool measured = false;
  for (int64_t k = 0; tensor->role == LAM_STATISTIC && k < lam_count(tensor->shape, tensor->rank); k++)
    measured |= lam_get(tensor->data, tensor->type, k) != 0;
  return measured || lam_is_kept(tensor);
}

int lam_put_listed(struct lam_model *model, const struct lam_run *run, const char *quantized,
                   const struct lam_tensor *tensors, int count, FILE *file, const char *path) {
  struct lam_pairs metadata = {0};
  int status = LAM_OK;
  if (!lam_describe(model, run, quantized, &metadata))
    status = lam_fail(model->message, LAM_NO_MEMORY, "not enough memory to write %s", path);
  else if (!lam_put_weights(file, tensors, count, &metadata))
    status = lam_fail(model->message, LAM_CANNOT_WRITE, "cannot write %s: %s", path, strerror(errno));
  lam_pairs_free(&metadata);
  return status;
}

/* Of a parameter that is not kept, a checkpoint has the steps. */
int lam_put_checkpoint(struct lam_model *model, const struct lam_run *run, FILE *file, const char *path) {
  struct lam_tensor *tensors = calloc((size_t)model->tensor_count + 1, sizeof *tensors);
  int count = 0;
  if (!tensors) return lam_fail(model->message, LAM_NO_MEMORY, "not enough memory to write %s", path);
  for (int i = 0; i < model->tensor_count; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    if (!lam_is_saved(tensor)) continue;
    if (tensor->data)
      tensors[count++] = *tensor;
    else
      count += model->quantized->list(model, tensor, tensors + count);
  }
  const int status = lam_put_listed(model, run, NULL, tensors, count, file, path);
  free(tensors);
  return status;
}

int lam_check_finite(struct lam_model *model, const char *path) {
  const char *spoilt = lam_not_finite(model);
  if (!spoilt) return LAM_OK;
  return lam_fail(model->message, LAM_NOT_FINITE,
                  "%s holds a number that is infinite or not a number: %s is not written", spoilt, path);
}

int lam_model_save(struct lam_model *model, const char *path) {
  enum { LINK = 4096 };
  if (lam_check_finite(model, path) != LAM_OK) return LAM_NOT_FINITE;
  char *made = malloc(strlen(path) + LINK);
  if (!made) return lam_fail(model->message, LAM_NO_MEMORY, "not enough memory to write %s", path);
  bool apart = true; /* in a new file, which then replaces the old one */
#ifdef LAM_MAPS_FILES
  struct stat old; /* what is no file is written into; opening what may not be written says why */
  const bool there = stat(path, &old) == 0;
  apart = there ? S_ISREG(old.st_mode) && access(path, W_OK) == 0 : errno == ENOENT;
  const size_t folder = strrchr(path, '/') ? (size_t)(strrchr(path, '/') - path) + 1 : 0;
  const ssize_t link = apart ? readlink(path, made + folder, LINK - 1) : -1;
  if (link >= 0) {
    memcpy(made, path, folder);
    made[folder + (size_t)link] = 0;
    const int status = lam_model_save(model, made[folder] == '/' ? made + folder : made);
    return free(made), status;
  }
#endif
  FILE *file = apart ? NULL : fopen(path, "wb");
  for (int i = 0; apart && !file && (!i || errno == EEXIST) && i < 100; i++) { /* nobody's file is lost */
    sprintf(made, "%s.new%.d", path, i); /* 0 has no digits */
    file = fopen(made, "wbx");
  }
#ifdef LAM_MAPS_FILES
  if (file && apart && there) { /* the old file's owner where that is allowed, and no more rights than before */
    const int to = fileno(file);
    bool group = fchown(to, old.st_uid, old.st_gid) == 0 || fchown(to, (uid_t)-1, old.st_gid) == 0;
    fchmod(to, old.st_mode & (group ? 0777 : 0707));
  }
#endif
  int status = file ? lam_put_checkpoint(model, &model->run, file, path) : LAM_CANNOT_WRITE;
  bool told = file && status;
#ifdef LAM_MAPS_FILES
  if (file && !status && (fflush(file) != 0 || (apart && fsync(fileno(file)) != 0))) status = LAM_CANNOT_WRITE;
#endif
  if (file && fclose(file) != 0 && !status) status = LAM_CANNOT_WRITE;
#ifndef LAM_MAPS_FILES /* a name is not given a second time: the old file moves out of the way, and back */
  char *aside = malloc(strlen(made) + 5);
  if (aside) strcat(strcpy(aside, made), ".old");
  const bool moved = aside && !status && rename(path, aside) == 0;
#endif
  if (!status && apart && rename(made, path) != 0) status = LAM_CANNOT_WRITE;
  if (status && !told) lam_fail(model->message, LAM_CANNOT_WRITE, "cannot write %s: %s", path, strerror(errno));
#ifndef LAM_MAPS_FILES
  if (moved) (void)(status ? rename(aside, path) : remove(aside));
  free(aside);
#endif
  if (status && file && apart) remove(made);
  free(made);
  return status;
}
