/* Adapters in files: adding them to weights, and finding the weights that they were trained on. */
#include "runtime/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- Paths -------------------------------------------------------------------------------------------------------- */

/* How many bytes of the path are its folder, with the slash. */
static size_t lam_folder_bytes(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The path from the root, without "." and "..", for free(); NULL where the current folder is not known. */
static char *lam_from_root(const char *path) {
  char here[4096] = "/";
  if (*path != '/' && !getcwd(here, sizeof here)) return NULL;
  char *folder = lam_join(here, "/"), *whole = lam_join(folder, path), *end = whole;
  for (const char *from = whole; *from;) {
    const size_t length = strcspn(from += strspn(from, "/"), "/");
    const bool up = length == 2 && !strncmp(from, "..", 2), stays = !length || (length == 1 && *from == '.');
    if (up)
      while (end > whole && *--end != '/') continue;
    if (!up && !stays) {
      *end++ = '/';
      memmove(end, from, length);
      end += length;
    }
    from += length;
  }
  *end = 0;
  free(folder);
  return whole;
}

/* The way from the folder of a file to another file, for free(). */
static char *lam_way(const char *from, const char *to) {
  char *a = lam_from_root(from), *b = lam_from_root(to), *way = lam_join("", "");
  size_t same = 0;
  for (size_t i = 0; a && b && a[i] && a[i] == b[i]; i++)
    if (a[i] == '/') same = i + 1;
  for (const char *at = a && b ? a + same : ""; (at = strchr(at, '/')) != NULL; at++) {
    char *longer = lam_join(way, "../");
    free(way), way = longer;
  }
  char *whole = a && b ? lam_join(way, b + same) : lam_join(to, "");
  free(a), free(b), free(way);
  return whole;
}

/* Where that leads, from the folder of the file. */
static char *lam_follow(const char *from, const char *way) {
  if (*way == '/') return lam_join(way, "");
  char *folder = lam_join(from, "");
  folder[lam_folder_bytes(from)] = 0;
  char *path = lam_join(folder, way);
  free(folder);
  return path;
}

/* --- What a file has ---------------------------------------------------------------------------------------------- */

/* An adapter in a file, and the parameter that it is for. */
struct lam_adapter {
  const struct lam_tensor *tensor;
  const struct lam_entry *a, *b;
  double scale; /* alpha / rank */
  int64_t rank, a_strides[LAM_MAX_RANK], b_strides[LAM_MAX_RANK]; /* by the tensor's axes; 0 where a factor lacks one */
  int64_t b_stride; /* of the rank */
};

/* Whether the name is that of a factor a; then how long that of its parameter is. */
static bool lam_is_factor(const char *name, size_t *length) {
  static const char end[] = "/lora_A";
  const size_t all = strlen(name);
  if (all < sizeof end || strcmp(name + all + 1 - sizeof end, end) != 0) return false;
  *length = all + 1 - sizeof end;
  return true;
}

/* Whether the file has adapters, and not the parameters that they are for. */
static bool lam_holds_adapters(const struct lam_weights *weights) {
  size_t length;
  for (int64_t i = 0; i < weights->count; i++)
    if (lam_is_factor(weights->entries[i].name, &length)) {
      char *name = lam_join(weights->entries[i].name, "");
      name[length] = 0;
      const bool alone = !lam_weights_find(weights, name);
      free(name);
      if (alone) return true;
    }
  return false;
}

/* A part of an adapter: its average where `averages`, since that is what evaluation reads. */
static const struct lam_entry *lam_adapter_part(const struct lam_weights *weights, const char *name, const char *part) {
  char *plain = lam_join(name, part), *average = lam_join(plain, "/average");
  const struct lam_entry *entry = lam_weights_find(weights, average);
  if (!entry) entry = lam_weights_find(weights, plain);
  free(plain), free(average);
  return entry;
}

/* The axes of an entry as the file names them, "embed,rank", or "". */
static const char *lam_axes_of(const struct lam_weights *weights, const struct lam_entry *entry) {
  char *key = lam_join("axes:", entry->name);
  const struct lam_pair *pair = lam_pairs_find(&weights->metadata, key);
  free(key);
  return pair ? pair->value : "";
}

/* Whether the next axis of a list is the one that another list begins with, of so many elements; then it is passed. */
static bool lam_pass_axis(const char **axes, const char *wanted, const struct lam_entry *entry, int *place,
                          int64_t extent) {
  const size_t length = strcspn(wanted, ",");
  const bool same = strcspn(*axes, ",") == length && !strncmp(*axes, wanted, length) && length;
  if (!same || *place >= entry->rank || entry->shape[*place] != extent) return false;
  *axes += length + ((*axes)[length] == ',');
  ++*place;
  return true;
}

/* How many elements of the entry are between two that are neighbours along the axis. */
static int64_t lam_stride(const struct lam_entry *entry, int place) {
  return lam_count(entry->shape + place + 1, entry->rank - place - 1);
}

/* Which axes of the tensor each factor has. */
static bool lam_match_axes(const struct lam_weights *weights, struct lam_adapter *adapter) {
  const struct lam_tensor *tensor = adapter->tensor;
  const struct lam_entry *a = adapter->a, *b = adapter->b;
  const char *axes = tensor->axes, *of_a = lam_axes_of(weights, a), *of_b = lam_axes_of(weights, b);
  int in_a = 0, in_b = 1;
  if (a->rank < 2 || b->rank < 2 || a->shape[a->rank - 1] != b->shape[0] || b->shape[0] < 1) return false;
  adapter->rank = b->shape[0];
  adapter->b_stride = lam_stride(b, 0);
  of_b += strcspn(of_b, ",") + (strchr(of_b, ',') != NULL);
  for (int i = 0; i < tensor->rank; i++) {
    const int64_t extent = tensor->shape[i];
    const bool has_a = in_a < a->rank - 1 && lam_pass_axis(&of_a, axes, a, &in_a, extent);
    const bool has_b = lam_pass_axis(&of_b, axes, b, &in_b, extent);
    if (has_a) adapter->a_strides[i] = lam_stride(a, in_a - 1);
    if (has_b) adapter->b_strides[i] = lam_stride(b, in_b - 1);
    if (!has_a && !has_b) return false;
    axes += strcspn(axes, ",") + (strchr(axes, ',') != NULL);
  }
  return in_a == a->rank - 1 && in_b == b->rank;
}

/* Nothing can be added to a parameter of which a program keeps no more than its steps. */
static bool lam_not_kept(const struct lam_tensor *tensor) {
  return lam_error("this program keeps %s in few bits alone: a program without quantize merges adapters into weights",
                   tensor->name);
}

/* Finds the adapter that an entry is a factor of, or an error. */
static bool lam_find_adapter(const struct lam_model *model, const struct lam_weights *weights, const char *name,
                             struct lam_adapter *adapter) {
  const struct lam_entry *alpha = lam_adapter_part(weights, name, "/lora_alpha");
  char here[LAM_SHAPE_TEXT], a_text[LAM_SHAPE_TEXT], b_text[LAM_SHAPE_TEXT], message[LAM_MESSAGE];
  lam_real number = 0;
  *adapter = (struct lam_adapter){.tensor = lam_find_tensor(model, name)};
  adapter->a = lam_adapter_part(weights, name, "/lora_A");
  adapter->b = lam_adapter_part(weights, name, "/lora_B");
  const struct lam_tensor *tensor = adapter->tensor;
  const struct lam_entry *a = adapter->a, *b = adapter->b;
  if (!tensor || tensor->role != LAM_PARAMETER)
    return lam_error("%s has an adapter for %s, which model %s does not have", weights->path, name, model->name);
  if (!tensor->data) return lam_not_kept(tensor);
  if (!b || !alpha || alpha->rank != 0)
    return lam_error("%s has no %s/%s for its %s/lora_A", weights->path, name, b ? "lora_alpha, one number," : "lora_B",
                     name);
  if (lam_check_elements(weights, a, LAM_TYPE_REAL, message) ||
      lam_check_elements(weights, b, LAM_TYPE_REAL, message) ||
      lam_check_elements(weights, alpha, LAM_TYPE_REAL, message))
    return lam_error("%s", message);
  if (!lam_match_axes(weights, adapter)) {
    lam_shape_text(a_text, lam_axes_of(weights, a), a->shape, a->rank);
    lam_shape_text(b_text, lam_axes_of(weights, b), b->shape, b->rank);
    lam_shape_text(here, tensor->axes, tensor->shape, tensor->rank);
    return lam_error("%s: factors with axes %s and %s do not fit parameter %s, which has axes %s in the model",
                     weights->path, a_text, b_text, name, here);
  }
  lam_read_elements(alpha, LAM_TYPE_REAL, 0, 1, &number);
  adapter->scale = (double)number / (double)adapter->rank;
  return true;
}

/* --- Adding them to weights --------------------------------------------------------------------------------------- */

/* Adds factor * A B: the sum of an element's products in double precision, in the order of the rank, and one
   rounding. */
static void lam_add_product(const struct lam_tensor *tensor, const struct lam_adapter *adapter, double factor,
                            const lam_real *a, const lam_real *b) {
  const int64_t count = lam_count(tensor->shape, tensor->rank);
#ifdef _OPENMP
#pragma omp parallel for if (tensor->type < LAM_TYPE_I4)
#endif
  for (int64_t i = 0; i < count; i++) {
    int64_t rest = i, in_a = 0, in_b = 0;
    for (int k = tensor->rank - 1; k >= 0; k--) {
      in_a += rest % tensor->shape[k] * adapter->a_strides[k];
      in_b += rest % tensor->shape[k] * adapter->b_strides[k];
      rest /= tensor->shape[k];
    }
    double sum = 0;
    for (int64_t r = 0; r < adapter->rank; r++) sum += (double)a[in_a + r] * (double)b[in_b + r * adapter->b_stride];
    lam_set(tensor->data, tensor->type, i, lam_get(tensor->data, tensor->type, i) + factor * sum);
  }
}

static void lam_merge_adapter(const struct lam_model *model, const struct lam_adapter *adapter, double scale) {
  const int64_t a_count = lam_count(adapter->a->shape, adapter->a->rank),
                b_count = lam_count(adapter->b->shape, adapter->b->rank);
  lam_real *a = lam_allocate(a_count, sizeof *a), *b = lam_allocate(b_count, sizeof *b);
  lam_read_elements(adapter->a, LAM_TYPE_REAL, 0, a_count, a);
  lam_read_elements(adapter->b, LAM_TYPE_REAL, 0, b_count, b);
  char *name = lam_join(adapter->tensor->name, "/average");
  const struct lam_tensor *average = lam_find_tensor(model, name);
  lam_add_product(adapter->tensor, adapter, scale * adapter->scale, a, b);
  if (average) lam_add_product(average, adapter, scale * adapter->scale, a, b);
  free(name), free(a), free(b);
}

/* Merges all adapters of a file, or none after an error. Parameters that the file has whole take the place of the
   model's. */
static bool lam_merge_file(struct lam_model *model, const struct lam_weights *weights, double scale) {
  struct lam_adapter *adapters = lam_allocate(weights->count, sizeof *adapters);
  char message[LAM_MESSAGE];
  int64_t count = 0;
  bool good = true;
  for (int64_t i = 0; good && i < weights->count; i++) {
    const struct lam_entry *entry = &weights->entries[i];
    const struct lam_tensor *whole = strchr(entry->name, '/') ? NULL : lam_find_tensor(model, entry->name);
    size_t length;
    if (whole && !whole->data) good = lam_not_kept(whole);
    if (whole && good) good = lam_check_tensor(weights, entry, whole, message) == LAM_OK || lam_error("%s", message);
    if (!lam_is_factor(entry->name, &length)) continue;
    char *name = lam_join(entry->name, "");
    name[length] = 0;
    good = lam_find_adapter(model, weights, name, &adapters[count++]);
    free(name);
  }
  if (good && !count) good = lam_error("%s has no adapters: no tensor in it is called NAME/lora_A", weights->path);
  for (int64_t i = 0; good && i < weights->count; i++) {
    const struct lam_entry *entry = &weights->entries[i];
    const struct lam_tensor *whole = strchr(entry->name, '/') ? NULL : lam_find_tensor(model, entry->name);
    if (whole) lam_read_elements(entry, whole->type, 0, lam_count(whole->shape, whole->rank), whole->data);
  }
  for (int64_t i = 0; good && i < count; i++) lam_merge_adapter(model, &adapters[i], scale);
  free(adapters);
  lam_changed(model);
  return good;
}

/* Adapters that were trained with other characters or categories mean something else by the same ids. Where nothing is
   known of them so far, they are those of the adapters. */
static bool lam_join_facts(const struct lam_model *model, struct lam_run *run, const struct lam_weights *weights) {
  for (int64_t i = 0; i < weights->metadata.count; i++) {
    const struct lam_pair *pair = &weights->metadata.items[i];
    const struct lam_pair *own = lam_pairs_find(&run->facts, pair->key);
    if (!lam_is_fact(pair->key)) continue;
    if (!own && !lam_pairs_add(&run->facts, pair->key, pair->value, pair->length)) return lam_error("out of memory");
    if (own && (own->length != pair->length || memcmp(own->value, pair->value, pair->length) != 0))
      return lam_error("%s was trained with another %s than the weights of model %s: the same ids mean something else",
                       weights->path, lam_category_column(pair->key) ? "list of categories" : pair->key, model->name);
  }
  return true;
}

/* FILE or FILE,SCALE */
static bool lam_add_given(struct lam_program *program, struct lam_run *run, const char *given) {
  const char *comma = strrchr(given, ',');
  char *end, *path = lam_join(given, "");
  double scale = 1;
  if (comma) {
    scale = strtod(comma + 1, &end);
    if (end == comma + 1 || *end || scale - scale != 0) {
      free(path);
      return lam_error("--lora %s: after the comma a number is wanted, the scale: --lora FILE,0.5", given);
    }
    path[comma - given] = 0;
  }
  struct lam_weights *weights = lam_weights_open(path, program->model->join_parts);
  const bool good =
      weights && lam_join_facts(program->model, run, weights) && lam_merge_file(program->model, weights, scale);
  lam_weights_close(weights);
  free(path);
  return good;
}

/* --- Loading ------------------------------------------------------------------------------------------------------ */

/* Loads the weights that the adapters of a file are for: those that the file names, or those that training drew. */
static bool lam_load_base(struct lam_program *program, struct lam_run *run, const struct lam_weights *weights,
                          const char *given, enum lam_purpose purpose) {
  const struct lam_pair *named = lam_pairs_find(&weights->metadata, LAM_BASE);
  const bool is_drawn = !given && !named;
  char message[LAM_MESSAGE];
  if (is_drawn && !lam_pairs_find(&weights->metadata, "seed"))
    return lam_error("%s does not name the weights that its adapters are for: --weights FILE --lora ADAPTERS does",
                     weights->path);
  if (is_drawn || purpose == LAM_START_FROM) {
    if (lam_read_run(weights, run, false, message) != LAM_OK) return lam_error("%s", message);
    if (lam_initialize(program->model, run->seed) != LAM_OK) return lam_error("%s", program->model->message);
  }
  if (is_drawn) return true;
  char *path = given ? lam_join(given, "") : lam_follow(weights->path, named->value);
  bool good = given || access(path, F_OK) == 0;
  if (!good)
    lam_error("%s has adapters for the weights in %s, which is not there: %s names those weights", weights->path, path,
              purpose == LAM_USE ? "--weights FILE --lora ADAPTERS" : "--init FILE");
  good = good && lam_checkpoint_load(program, run, path, purpose);
  free(path);
  return good;
}

/* Whether the program's own adapters are those of the file. */
static bool lam_are_own(const struct lam_model *model, const struct lam_weights *weights) {
  bool own = true;
  size_t length;
  for (int64_t i = 0; i < weights->count; i++) {
    const struct lam_tensor *tensor = lam_find_tensor(model, weights->entries[i].name);
    if (lam_is_factor(weights->entries[i].name, &length))
      own = own && tensor && lam_weights_fit(weights, &weights->entries[i], tensor);
  }
  for (int i = 0; i < model->tensor_count; i++)
    if (lam_is_factor(model->tensors[i].name, &length)) own = own && lam_weights_find(weights, model->tensors[i].name);
  return own;
}

/* `merges`: adapters of the program's own become a part of their parameters, too. */
static bool lam_use_weights(struct lam_program *program, struct lam_run *run, const struct lam_options *options,
                            const char *path, bool merges) {
  struct lam_weights *weights = lam_weights_open(path, program->model->join_parts);
  if (!weights) return false;
  bool good;
  if (!lam_holds_adapters(weights)) {
    /* Adapters are added to parameters, which must be in memory then. */
    bool adds = merges;
    for (int i = 0; i < options->count; i++) adds = adds || !strcmp(options->given[i].key, "lora");
    good = lam_checkpoint_load(program, run, path, adds ? LAM_USE : LAM_USE_ALONE);
  } else {
    good = lam_load_base(program, run, weights, NULL, LAM_USE) && lam_join_facts(program->model, run, weights);
    if (good && !merges && lam_are_own(program->model, weights))
      good = lam_checkpoint_load(program, run, path, LAM_USE);
    else
      good = good && lam_merge_file(program->model, weights, 1);
  }
  for (int i = 0; good && i < options->count; i++)
    if (!strcmp(options->given[i].key, "lora")) good = lam_add_given(program, run, options->given[i].value);
  lam_weights_close(weights);
  return good;
}

static bool lam_adapters_use(struct lam_program *program, struct lam_run *run, const struct lam_options *options,
                             const char *path) {
  return lam_use_weights(program, run, options, path, false);
}

static bool lam_has_base(const struct lam_model *model) {
  for (int i = 0; i < model->tensor_count; i++)
    if (model->tensors[i].frozen == LAM_IN_BASE) return true;
  return false;
}

static bool lam_adapters_begin(struct lam_program *program, struct lam_run *run, const struct lam_options *options,
                               const char *initial, const char *out, char **base) {
  *base = NULL;
  if (!lam_has_base(program->model)) return true;
  if (!lam_option_text(options, "resume", NULL)) {
    if (initial)
      *base = lam_way(out, initial);
    else
      lam_note("adapters are trained on weights as they are drawn: --init FILE names others");
    return true;
  }
  struct lam_weights *weights = lam_weights_open(out, program->model->join_parts);
  if (!weights) return false;
  const char *given = lam_option_text(options, "init", NULL);
  const struct lam_pair *named = lam_pairs_find(&weights->metadata, LAM_BASE);
  const bool good = lam_load_base(program, run, weights, given, LAM_START_FROM);
  *base = given ? lam_way(out, given) : named ? lam_join(named->value, "") : NULL;
  lam_weights_close(weights);
  return good;
}

static const struct lam_option lam_adapter_options[] = {
    {"lora", "FILE[,SCALE]", "add adapters that lora trained to the weights; may be given several times", 0, 0}, {0}};

/* Those that load weights for use take adapters, too. */
static const struct lam_option *lam_adapters_options(const struct lam_verb *verb) {
  for (const struct lam_option *option = verb->options; option->name; option++)
    if (!strcmp(option->name, "weights") && strcmp(verb->name, "bench") != 0) return lam_adapter_options;
  return NULL;
}
LAM_API const struct lam_adapters lam_adapters = {lam_adapters_options, lam_adapters_use, lam_adapters_begin};

/* --- The verb merge ----------------------------------------------------------------------------------------------- */

/* Writes the parameters as evaluation reads them, under their names, and what data taught. */
static bool lam_write_merged(struct lam_program *program, const struct lam_run *run, const char *path) {
  const struct lam_model *model = program->model;
  struct lam_tensor *tensors = lam_allocate(model->tensor_count, sizeof *tensors);
  struct lam_pairs metadata = {0};
  int count = 0;
  bool good = lam_pairs_add(&metadata, "format", "lamella", 7) &&
              lam_pairs_add(&metadata, "model", model->name, strlen(model->name));
  if (!good) lam_error("out of memory");
  for (int64_t i = 0; good && i < run->facts.count; i++)
    if (lam_is_fact(run->facts.items[i].key))
      good = lam_pairs_add(&metadata, run->facts.items[i].key, run->facts.items[i].value, run->facts.items[i].length);
  for (int i = 0; good && i < model->tensor_count; i++) {
    if (model->tensors[i].role != LAM_PARAMETER || strchr(model->tensors[i].name, '/')) continue;
    char *average = lam_join(model->tensors[i].name, "/average"), *key = lam_join("axes:", model->tensors[i].name);
    const struct lam_tensor *read = lam_find_tensor(model, average);
    tensors[count] = model->tensors[i];
    if (!model->tensors[i].data) good = lam_not_kept(&model->tensors[i]);
    if (read) tensors[count].data = read->data, tensors[count].type = read->type;
    good = good && lam_pairs_add(&metadata, key, tensors[count].axes, strlen(tensors[count].axes));
    count++;
    free(average), free(key);
  }
  good = good && lam_weights_write(path, tensors, count, &metadata);
  lam_pairs_free(&metadata);
  free(tensors);
  return good;
}

static int lam_merge_main(struct lam_program *program, const struct lam_options *options) {
  const char *out = lam_option_text(options, "out", NULL);
  struct lam_run run = {.seed = program->settings ? program->settings->seed : 0};
  if (!out) return lam_error("where are the weights to go? --out FILE says it") + 1;
  if (access(out, F_OK) == 0 && !lam_option_text(options, "overwrite", NULL))
    return lam_error("%s is there already: --overwrite replaces it, --out FILE names another file", out) + 1;
  char *path = lam_checkpoint_path(program, options, "weights");
  bool good = lam_use_weights(program, &run, options, path, true) && lam_write_merged(program, &run, out);
  lam_pairs_free(&run.facts);
  free(path);
  return good ? 0 : 1;
}

static const struct lam_option lam_merge_options[] = {
    {"weights", "FILE", "weights in safetensors (default: NAME.safetensors)", 0, 0},
    {"out", "FILE", "where the sum goes", 0, 0},
    {"overwrite", NULL, "replace that file", 0, 0},
    {0}};
LAM_API const struct lam_verb lam_merge_verb = {"merge", "adds adapters to weights and writes the sum",
                                                lam_merge_options, lam_merge_main};
