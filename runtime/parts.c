/* Tensors that a file holds in parts: their steps, the scale of these, and what else there is. */
#include "runtime/parts.h"

#include <stdlib.h>
#include <string.h>

/* Whether the name is that of a part of a tensor, "NAME/i8"; *length is that of NAME. */
static bool lam_is_part(const struct lam_entry *entry, const char *part, size_t *length) {
  const char *slash = strrchr(entry->name, '/');
  if (!slash || slash == entry->name || strcmp(slash + 1, part) != 0) return false;
  *length = (size_t)(slash - entry->name);
  return true;
}

/* The steps of a tensor whose name is the first bytes of `entry`'s; or its scale. Both are entries of the file. */
static const struct lam_entry *lam_find_part(const struct lam_weights *weights, const char *name, size_t length,
                                             const char *part) {
  for (int64_t low = 0, high = weights->count; low < high;) { /* entries are in the order of their names */
    const int64_t middle = low + (high - low) / 2;
    const char *own = weights->entries[middle].name;
    int order = strncmp(own, name, length);
    if (!order && *part) order = (unsigned char)own[length] - '/';
    if (!order) order = strcmp(own + length + (*part != 0), part);
    if (!order) return &weights->entries[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

/* How steps are called in files, and what they are. Reals of 16 bits have no scale. */
static const struct lam_step_kind {
  const char *name;
  int type;
  bool has_scale, has_offset, has_levels;
} lam_step_kinds[] = {{"i8", LAM_I8, true, false, false},      {"i4", LAM_I8, true, false, false},
                      {"u4", LAM_U8, true, true, false},       {"nf4", LAM_U8, true, false, true},
                      {"bf16", LAM_BF16, false, false, false}, {"f16", LAM_F16, false, false, false}};
enum { LAM_STEP_KINDS = sizeof lam_step_kinds / sizeof *lam_step_kinds };

/* Finds the scale or the offset of steps, and checks that it divides them. NULL after a message. */
static const struct lam_entry *lam_find_shared(const struct lam_weights *weights, const struct lam_entry *steps,
                                               size_t length, const char *part, char message[LAM_MESSAGE]) {
  char there[LAM_SHAPE_TEXT], here[LAM_SHAPE_TEXT];
  const struct lam_entry *shared = lam_find_part(weights, steps->name, length, part);
  if (!shared) {
    lam_fail(message, LAM_WRONG_FILE,
             "%s: tensor %s is in steps, and %.*s/%s is not there, without which they mean nothing", weights->path,
             steps->name, (int)length, steps->name, part);
    return NULL;
  }
  bool fits = shared->type == LAM_F32 && shared->rank == steps->rank;
  for (int i = 0; fits && i < steps->rank; i++) fits = shared->shape[i] > 0 && steps->shape[i] % shared->shape[i] == 0;
  if (fits) return shared;
  lam_fail(message, LAM_WRONG_FILE,
           "%s: tensor %s (%s) has shape %s, which is no %s of %s with shape %s: F32 is wanted, as many axes, and "
           "extents that divide",
           weights->path, shared->name, shared->type_name, lam_shape_text(there, NULL, shared->shape, shared->rank),
           part, steps->name, lam_shape_text(here, NULL, steps->shape, steps->rank));
  return NULL;
}

/* The place in the scale of the steps' element number `i`. */
static int64_t lam_scale_place(const struct lam_entry *entry, int64_t i) {
  int64_t place = 0, stride = 1;
  for (int k = entry->rank - 1; k >= 0; k--) {
    place += i % entry->shape[k] / (entry->shape[k] / entry->scale_shape[k]) * stride;
    i /= entry->shape[k];
    stride *= entry->scale_shape[k];
  }
  return place;
}

/* The levels of NF4 (Dettmers et al., QLoRA, 2023). */
static const float lam_levels[16] = {-1.0f,
                                     -0.6961928009986877f,
                                     -0.5250730514526367f,
                                     -0.39491748809814453f,
                                     -0.28444138169288635f,
                                     -0.18477343022823334f,
                                     -0.09105003625154495f,
                                     0.0f,
                                     0.07958029955625534f,
                                     0.16093020141124725f,
                                     0.24611230194568634f,
                                     0.33791524171829224f,
                                     0.44070982933044434f,
                                     0.5626170039176941f,
                                     0.7229568362236023f,
                                     1.0f};

/* Makes reals of steps, of which `from` has those from number `first` on. Neighbours along the last axis share an
   element of the scale. */
static void lam_widen(const struct lam_entry *entry, const unsigned char *from, enum lam_type type, int64_t first,
                      int64_t count, void *to) {
  const int last = entry->rank - 1;
  const int64_t block = entry->rank ? entry->shape[last] / entry->scale_shape[last] : 1;
  for (int64_t i = first, end; i < first + count; i = end) {
    float scale, offset = 0;
    const size_t place = (size_t)lam_scale_place(entry, i) * sizeof scale;
    memcpy(&scale, entry->scale + place, sizeof scale);
    if (entry->offset) memcpy(&offset, entry->offset + place, sizeof offset);
    end = i - i % block + block;
    if (end > first + count) end = first + count;
    for (int64_t k = i; k < end; k++) {
      const unsigned char byte = from[k - first];
      const float step = entry->has_levels ? lam_levels[byte & 15] : entry->type == LAM_I8 ? (float)(int8_t)byte : byte;
      const float product = step * scale;
      lam_set(to, type, k - first, (double)(entry->offset ? product + offset : product));
    }
  }
}

/* The entry of a tensor that the file holds in parts, of which `part` are the steps; false after a message. */
static bool lam_join_part(const struct lam_weights *weights, const struct lam_entry *part, size_t length,
                          const struct lam_step_kind *kind, struct lam_entry *joined, char message[LAM_MESSAGE]) {
  *joined = *part;
  if (!kind->has_scale) return true;
  const struct lam_entry *scale = lam_find_shared(weights, part, length, "scale", message),
                         *offset = scale && kind->has_offset ? lam_find_shared(weights, part, length, "offset", message)
                                                             : NULL;
  if (!scale || (kind->has_offset && !offset)) return false;
  memcpy(joined->scale_shape, scale->shape, sizeof joined->scale_shape);
  joined->scale = scale->data;
  joined->has_levels = kind->has_levels;
  joined->widen = lam_widen;
  if (!offset) return true;
  joined->offset = offset->data;
  if (!memcmp(offset->shape, scale->shape, sizeof scale->shape)) return true;
  lam_fail(message, LAM_WRONG_FILE, "%s: tensor %s has another shape than %s", weights->path, offset->name,
           scale->name);
  return false;
}

/* The kind of steps, or reals of 16 bits, that the entry has in the place of a tensor; *length is that of its name.
   NULL where it is something else, or where the tensor itself is there, which then counts. */
static const struct lam_step_kind *lam_stands_for(const struct lam_weights *weights, const struct lam_entry *entry,
                                                  size_t *length) {
  for (int i = 0; i < LAM_STEP_KINDS; i++)
    if (entry->type == lam_step_kinds[i].type && lam_is_part(entry, lam_step_kinds[i].name, length))
      return lam_find_part(weights, entry->name, *length, "") ? NULL : &lam_step_kinds[i];
  return NULL;
}

int lam_join_parts(struct lam_weights *weights, char message[LAM_MESSAGE]) {
  int64_t more = 0;
  size_t length, bytes = 0;
  for (int64_t i = 0; i < weights->count; i++)
    if (lam_stands_for(weights, &weights->entries[i], &length)) more++, bytes += length + 1;
  if (!more) return LAM_OK;
  struct lam_entry *entries = malloc((size_t)(weights->count + more) * sizeof *entries);
  char *name = weights->joined = malloc(bytes);
  if (!entries || !name) {
    free(entries);
    return lam_fail(message, LAM_NO_MEMORY, "%s: there is not enough memory for it", weights->path);
  }
  int64_t count = weights->count;
  memcpy(entries, weights->entries, (size_t)count * sizeof *entries);
  for (int64_t i = 0; i < weights->count; i++) {
    const struct lam_step_kind *kind = lam_stands_for(weights, &weights->entries[i], &length);
    if (!kind) continue;
    if (!lam_join_part(weights, &weights->entries[i], length, kind, &entries[count], message)) {
      free(entries);
      return LAM_WRONG_FILE;
    }
    entries[count++].name = memcpy(name, weights->entries[i].name, length);
    name[length] = 0;
    name += length + 1;
  }
  free(weights->entries);
  weights->entries = entries;
  weights->count = count;
  qsort(entries, (size_t)count, sizeof *entries, lam_by_name);
  for (int64_t i = 1; i < count; i++)
    if (!lam_by_name(&entries[i - 1], &entries[i]))
      return lam_fail(message, LAM_WRONG_FILE, "%s: tensor %s is there in steps of several kinds", weights->path,
                      entries[i].name);
  return LAM_OK;
}
