/* What a model does that keeps steps of parameters, as "NAME/i8" and "NAME/scale". */
#include "runtime/quantized.h"

#include <stdlib.h>
#include <string.h>

/* What is kept in place of a parameter, by number: its steps, its scale, its offset; or NULL. */
static const struct lam_tensor *lam_part_of(const struct lam_model *model, const struct lam_tensor *parameter,
                                            int part) {
  static const char *const names[LAM_PARTS] = {NULL, "/scale", "/offset"};
  const size_t length = strlen(parameter->name);
  for (int i = 0; i < model->tensor_count && parameter->use >= LAM_IN_STEPS; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    if (tensor->role != LAM_QUANTIZED || strncmp(tensor->name, parameter->name, length) != 0) continue;
    const char *rest = tensor->name + length;
    if (rest[0] != '/' || strchr(rest + 1, '/')) continue;
    int own = 0;
    for (int k = 1; k < LAM_PARTS; k++)
      if (!strcmp(rest, names[k])) own = k;
    if (own == part) return tensor;
  }
  return NULL;
}

static int lam_list_parts(const struct lam_model *model, const struct lam_tensor *tensor, struct lam_tensor *parts) {
  int count = 0;
  for (int k = 0; k < LAM_PARTS; k++) {
    const struct lam_tensor *part = lam_part_of(model, tensor, k);
    if (part) parts[count++] = *part;
  }
  return count;
}

/* Makes the steps of the parameter alone, which lies in `data`. */
static void lam_quantize(struct lam_model *model, const struct lam_tensor *parameter, void *data) {
  for (int i = 0; i < model->tensor_count; i++)
    if (model->tensors[i].use >= LAM_IN_STEPS) *model->tensors[i].slot = NULL;
  *parameter->slot = data;
  model->quantize(model->self);
  for (int i = 0; i < model->tensor_count; i++)
    if (model->tensors[i].use >= LAM_IN_STEPS) *model->tensors[i].slot = model->tensors[i].data;
}

/* Memory for a tensor lies at a multiple of so many bytes, as kernels want it. */
enum { LAM_ALIGNMENT = 64 };

static void *lam_aligned(void *memory) {
  return (char *)memory + (LAM_ALIGNMENT - (uintptr_t)memory % LAM_ALIGNMENT) % LAM_ALIGNMENT;
}

/* --- Drawing ------------------------------------------------------------------------------------------------------ */

/* Draws a tensor that is not kept, and makes its steps. */
static void lam_begin_steps(struct lam_model *model, const struct lam_tensor *tensor, uint32_t seed, void *memory) {
  const struct lam_tensor *parameter = tensor->role == LAM_AVERAGE ? lam_average_of(model, tensor) : tensor;
  struct lam_tensor drawn = parameter ? *parameter : *tensor;
  drawn.data = memory;
  lam_begin(&drawn, seed);
  lam_quantize(model, tensor, memory);
}

/* The bytes of the largest tensor that is in memory only while its steps are made of it. */
static size_t lam_largest_not_kept(const struct lam_model *model) {
  size_t largest = 0;
  for (int i = 0; i < model->tensor_count; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    const size_t bytes = lam_type_bytes(tensor->type, lam_count(tensor->shape, tensor->rank));
    if (!tensor->data && bytes > largest) largest = bytes;
  }
  return largest;
}

static int lam_initialize_steps(struct lam_model *model, uint32_t seed) {
  const size_t bytes = lam_largest_not_kept(model);
  char *memory = bytes ? malloc(bytes + LAM_ALIGNMENT) : NULL;
  if (bytes && !memory) return lam_fail(model->message, LAM_NO_MEMORY, "not enough memory for one tensor");
  for (int i = 0; i < model->tensor_count; i++)
    if (!model->tensors[i].data) lam_begin_steps(model, &model->tensors[i], seed, lam_aligned(memory));
  free(memory);
  return LAM_OK;
}

/* --- Loading ------------------------------------------------------------------------------------------------------ */

/* Whether the parameter itself need not be kept. Where parameters are pruned once they are loaded, steps are made of all of
   them again. */
static bool lam_streams(const struct lam_taking *taking, const struct lam_tensor *tensor) {
  const bool alone = taking->purpose == LAM_USE_ALONE && !taking->model->pruned;
  return !tensor->data || (tensor->use == LAM_STREAMED && alone);
}

static bool lam_same_shape(const struct lam_entry *entry, const struct lam_tensor *tensor) {
  bool same = entry->rank == tensor->rank;
  for (int i = 0; same && i < entry->rank; i++) same = entry->shape[i] == tensor->shape[i];
  return same;
}

/* What a model keeps in the place of a parameter, and the entries that a file has for that. */
struct lam_parts {
  const struct lam_tensor *tensors[LAM_PARTS]; /* or NULL */
  const struct lam_entry *entries[LAM_PARTS];
};

/* The entry of the file that is a part of a parameter whose entry is `source`, in the model's shape. NULL where there
   is none, or where the file has the parameter itself, too, which then counts. */
static const struct lam_entry *lam_part_entry(const struct lam_taking *taking, const struct lam_entry *source,
                                              const struct lam_tensor *part) {
  char name[512];
  const char *slash = strrchr(part->name, '/');
  if ((size_t)snprintf(name, sizeof name, "%s%s", source->name, slash) >= sizeof name) return NULL;
  const struct lam_entry *entry = lam_weights_find(taking->weights, name);
  const unsigned char *data = source->data;
  if (!strcmp(slash, "/scale")) data = source->scale;
  if (!strcmp(slash, "/offset")) data = source->offset;
  return entry && entry->data == data && lam_same_shape(entry, part) ? entry : NULL;
}

/* Whether the file has just the steps that the model keeps of the tensor. */
static bool lam_find_parts(const struct lam_taking *taking, const struct lam_tensor *tensor,
                           const struct lam_entry *source, struct lam_parts *parts) {
  memset(parts, 0, sizeof *parts);
  for (int i = 0; i < LAM_PARTS; i++) parts->tensors[i] = lam_part_of(taking->model, tensor, i);
  for (int i = 0; i < LAM_PARTS; i++) {
    if (!parts->tensors[i]) continue;
    parts->entries[i] = lam_part_entry(taking, source, parts->tensors[i]);
    if (!parts->entries[i]) return false;
  }
  return parts->tensors[0] != NULL;
}

static void lam_take_tensor(const struct lam_taking *taking, const struct lam_tensor *tensor,
                            const struct lam_entry *source) {
  if (tensor->use == LAM_UNREAD && taking->purpose == LAM_USE_ALONE) return;
  struct lam_parts parts;
  const bool streams = lam_streams(taking, tensor), steps = lam_find_parts(taking, tensor, source, &parts);
  void *to = streams ? taking->place : tensor->data;
  if (!streams || !steps) lam_read_entry(taking->weights, source, tensor->type, to);
  for (int i = 0; i < LAM_PARTS && steps; i++)
    if (parts.tensors[i])
      lam_read_entry(taking->weights, parts.entries[i], parts.tensors[i]->type, parts.tensors[i]->data);
  if (tensor->use >= LAM_IN_STEPS && !steps) lam_quantize(taking->model, tensor, to);
}

/* Checks the steps that are to be taken, and makes memory for the largest tensor that is read and not kept. */
static int lam_quantized_begin(struct lam_taking *taking) {
  struct lam_model *model = taking->model;
  size_t largest = 0;
  int status = LAM_OK;
  for (int i = 0; i < model->tensor_count && !status; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    const size_t bytes = lam_type_bytes(tensor->type, lam_count(tensor->shape, tensor->rank));
    const struct lam_entry *source = lam_source_of(taking, tensor);
    struct lam_parts parts;
    const bool found = source && lam_find_parts(taking, tensor, source, &parts);
    if (found && !lam_type_is_real(parts.tensors[0]->type))
      status = lam_check_elements(taking->weights, parts.entries[0], parts.tensors[0]->type, model->message);
    else if (!found && source && lam_streams(taking, tensor) && bytes > largest)
      largest = bytes;
  }
  if (status || !largest) return status;
  taking->memory = malloc(largest + LAM_ALIGNMENT);
  if (!taking->memory)
    return lam_fail(model->message, LAM_NO_MEMORY, "not enough memory to read a tensor of %s", taking->weights->path);
  taking->place = lam_aligned(taking->memory);
  return LAM_OK;
}

/* Steps may follow from statistics, so these come first. */
static bool lam_quantized_take(struct lam_taking *taking) {
  const struct lam_model *model = taking->model;
  bool all = true;
  for (int statistics = 1; statistics >= 0; statistics--)
    for (int i = 0; i < model->tensor_count; i++) {
      const struct lam_tensor *tensor = &model->tensors[i];
      const struct lam_entry *source = lam_source_of(taking, tensor);
      if ((tensor->role == LAM_STATISTIC) != statistics) continue;
      if (source) lam_take_tensor(taking, tensor, source);
      all = all && (source || tensor->use < LAM_IN_STEPS);
    }
  free(taking->memory);
  return all;
}

LAM_API const struct lam_quantized lam_quantized = {lam_initialize_steps, lam_quantized_begin, lam_quantized_take,
                                                    lam_list_parts};

/* --- Saving ------------------------------------------------------------------------------------------------------- */

/* For people who look into a file. What they need to know of groups, the shapes tell. */
static const char lam_in_steps[] =
    "a tensor NAME is NAME/i8, /i4 or /u4, whole numbers in bytes, or NF4's levels by NAME/nf4, times NAME/scale, of "
    "which "
    "an element is for a block of neighbours, plus NAME/offset; or it is NAME/bf16 or NAME/f16";

static bool lam_has_average(const struct lam_model *model, const struct lam_tensor *parameter) {
  const size_t length = strlen(parameter->name);
  for (int i = 0; i < model->tensor_count; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    if (tensor->role == LAM_AVERAGE && !strncmp(tensor->name, parameter->name, length) &&
        strrchr(tensor->name, '/') == tensor->name + length)
      return true;
  }
  return false;
}

/* Adds what predictions read of a parameter, or of the average that they read in its place, by the parameter's name,
   which goes to `names`. Of what has elements of that size. */
static int lam_add_parts(const struct lam_model *model, const struct lam_tensor *tensor, size_t size,
                         struct lam_tensor *tensors, char **names) {
  const struct lam_tensor *parameter = lam_average_of(model, tensor), *parts[LAM_PARTS];
  int count = 0;
  for (int k = 0; k < LAM_PARTS; k++) parts[k] = lam_part_of(model, tensor, k);
  if (!parts[0]) parts[0] = tensor;
  for (int k = 0; k < LAM_PARTS; k++) {
    if (!parts[k] || lam_type_size(parts[k]->type) != size) continue;
    tensors[count] = *parts[k];
    if (parameter) {
      tensors[count].name = *names;
      *names += sprintf(*names, "%s%s", parameter->name, parts[k]->name + strlen(tensor->name)) + 1;
    }
    count++;
  }
  return count;
}

/* Lists what predictions read. Larger elements come first, so that all are aligned. */
static int lam_list_quantized(const struct lam_model *model, struct lam_tensor *tensors, char *names) {
  int count = 0;
  for (size_t size = sizeof(lam_real); size > 0; size /= 2)
    for (int i = 0; i < model->tensor_count; i++) {
      const struct lam_tensor *tensor = &model->tensors[i];
      const bool wanted = tensor->role == LAM_AVERAGE || (tensor->role == LAM_STATISTIC && lam_is_saved(tensor)) ||
                          (tensor->role == LAM_PARAMETER && !lam_has_average(model, tensor));
      if (wanted) count += lam_add_parts(model, tensor, size, tensors + count, &names);
    }
  return count;
}

int lam_put_quantized(struct lam_model *model, const struct lam_run *run, FILE *file, const char *path) {
  struct lam_tensor *tensors = calloc((size_t)model->tensor_count + 1, sizeof *tensors);
  size_t bytes = 1;
  for (int i = 0; i < model->tensor_count; i++) bytes += strlen(model->tensors[i].name) + 1;
  char *names = malloc(bytes);
  int status = tensors && names ? LAM_OK : LAM_NO_MEMORY;
  if (status == LAM_OK)
    status = lam_put_listed(model, run, lam_in_steps, tensors, lam_list_quantized(model, tensors, names), file, path);
  else
    lam_fail(model->message, LAM_NO_MEMORY, "not enough memory to write %s", path);
  free(tensors);
  free(names);
  return status;
}
