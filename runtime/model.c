/* A model's tensors by name, what they hold at first, and what else the library is made of. */
#include "runtime/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/random.h"

int lam_fail(char message[LAM_MESSAGE], enum lam_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, LAM_MESSAGE, format, arguments);
  va_end(arguments);
  return (int)status;
}

size_t lam_type_bytes(enum lam_type type, int64_t count) {
  static const unsigned char bits[] = {[LAM_TYPE_REAL] = 8 * sizeof(lam_real),
                                       [LAM_TYPE_INTEGER] = 32,
                                       [LAM_TYPE_BOOLEAN] = 8,
                                       [LAM_TYPE_BF16] = 16,
                                       [LAM_TYPE_F16] = 16,
                                       [LAM_TYPE_I8] = 8,
                                       [LAM_TYPE_U8] = 8,
                                       [LAM_TYPE_I4] = 4,
                                       [LAM_TYPE_U4] = 4};
  return ((size_t)count * bits[type] + 7) / 8;
}

size_t lam_type_size(enum lam_type type) { return lam_type_bytes(type, 1); }

bool lam_type_is_real(enum lam_type type) {
  return type == LAM_TYPE_REAL || type == LAM_TYPE_BF16 || type == LAM_TYPE_F16;
}

static double lam_half_number(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double size = ldexp(exponent ? 1024 + fraction : fraction, exponent ? exponent - 25 : -24);
  if (exponent == 31) size = (double)(fraction ? NAN : INFINITY);
  return bits & 0x8000 ? -size : size;
}

double lam_get(const void *data, enum lam_type type, int64_t i) {
  const unsigned char *bytes = data;
  uint32_t wide;
  float narrow;
  switch (type) {
    case LAM_TYPE_REAL:
      return (double)((const lam_real *)data)[i];
    case LAM_TYPE_INTEGER:
      return ((const int32_t *)data)[i];
    case LAM_TYPE_BOOLEAN:
    case LAM_TYPE_U8:
      return bytes[i];
    case LAM_TYPE_BF16:
      wide = (uint32_t)((const uint16_t *)data)[i] << 16;
      memcpy(&narrow, &wide, sizeof narrow);
      return (double)narrow;
    case LAM_TYPE_F16:
      return lam_half_number(((const uint16_t *)data)[i]);
    case LAM_TYPE_I8:
      return ((const int8_t *)data)[i];
    case LAM_TYPE_I4:
      return ((bytes[i / 2] >> (i % 2 * 4) & 15) ^ 8) - 8;
    case LAM_TYPE_U4:
      return bytes[i / 2] >> (i % 2 * 4) & 15;
  }
  return 0;
}

/* The bits of a float with `bits` of mantissa and exponents from `least` on, halves to even: the sign, and then the
   number's place among all such numbers that are not negative. What is beyond the largest becomes infinity, and NaN
   what follows it. */
static uint16_t lam_rounded_bits(double number, int bits, int least) {
  const double size = fabs(number);
  const uint16_t sign = number < 0 || (number == 0 && 1 / number < 0) ? 0x8000 : 0;
  const uint16_t infinity = (uint16_t)(((1u << (16 - bits)) - 1) << (bits - 1));
  int exponent;
  if (number - number != 0) return (uint16_t)(number == number ? sign | infinity : infinity | 1u << (bits - 2));
  frexp(size, &exponent);
  if (size == 0 || exponent < least) exponent = least;
  const double steps = nearbyint(ldexp(size, bits - exponent));
  const double place = ldexp(exponent - least, bits - 1) + steps;
  return (uint16_t)(sign | (place >= (double)infinity ? infinity : (uint16_t)place));
}

void lam_set(void *data, enum lam_type type, int64_t i, double number) {
  unsigned char *byte = (unsigned char *)data + (type == LAM_TYPE_I4 || type == LAM_TYPE_U4 ? i / 2 : 0);
  const int low = type == LAM_TYPE_I8 ? -128 : type == LAM_TYPE_I4 ? -8 : 0;
  const int high = type == LAM_TYPE_I8 ? 127 : type == LAM_TYPE_U8 ? 255 : type == LAM_TYPE_I4 ? 7 : 15;
  const double whole = nearbyint(number);
  const int small = whole > low ? whole < high ? (int)whole : high : low; /* of NaN the least */
  switch (type) {
    case LAM_TYPE_REAL:
      ((lam_real *)data)[i] = (lam_real)number;
      return;
    case LAM_TYPE_INTEGER:
      ((int32_t *)data)[i] = (int32_t)number;
      return;
    case LAM_TYPE_BOOLEAN:
      ((uint8_t *)data)[i] = number != 0;
      return;
    case LAM_TYPE_BF16:
      ((uint16_t *)data)[i] = lam_rounded_bits(number, 8, -125);
      return;
    case LAM_TYPE_F16:
      ((uint16_t *)data)[i] = lam_rounded_bits(number, 11, -13);
      return;
    case LAM_TYPE_I8:
    case LAM_TYPE_U8:
      ((uint8_t *)data)[i] = (uint8_t)small;
      return;
    case LAM_TYPE_I4:
    case LAM_TYPE_U4:
      *byte = (unsigned char)(i % 2 ? (*byte & 15) | (small & 15) << 4 : (*byte & 240) | (small & 15));
      return;
  }
}

int64_t lam_count(const int64_t *shape, int rank) {
  int64_t count = 1;
  for (int i = 0; i < rank; i++) count *= shape[i];
  return count;
}

const char *lam_shape_text(char text[LAM_SHAPE_TEXT], const char *axes, const int64_t *shape, int rank) {
  size_t used = (size_t)snprintf(text, LAM_SHAPE_TEXT, "[%s", rank ? "" : "]");
  for (int i = 0; i < rank && used < LAM_SHAPE_TEXT; i++) {
    int length = axes ? (int)strcspn(axes, ",") : 0;
    used += (size_t)snprintf(text + used, LAM_SHAPE_TEXT - used, "%.*s%s%lld%s", length, axes ? axes : "",
                             length ? "=" : "", (long long)shape[i], i + 1 < rank ? ", " : "]");
    if (axes) axes += length + (axes[length] == ',');
  }
  return text;
}

/* --- Tensors ------------------------------------------------------------------------------------------------------ */

/* FNV-1a of the name: what keys the tensor's initial draws. */
static uint32_t lam_stream_of(const char *name) {
  uint32_t hash = 2166136261u;
  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
  return hash;
}

static int lam_rank(const char *axes) {
  int rank = *axes != 0;
  for (; *axes; axes++) rank += *axes == ',';
  return rank;
}

/* Writes the copy's name to `name` and returns where it ends. */
static char *lam_copy_name(char *name, const char *pattern, int copy) {
  const char *number = strstr(pattern, "%d");
  const size_t before = number ? (size_t)(number - pattern) : strlen(pattern);
  memcpy(name, pattern, before);
  name += before;
  if (number) name += sprintf(name, "%d%s", copy, number + 2);
  *name = 0;
  return name + 1;
}

/* Rows that belong to the same repeat are neighbours, and their names are alike up to the copy's number. */
static bool lam_same_repeat(const struct lam_family *x, const struct lam_family *y) {
  const char *number = strstr(x->like.name, "%d");
  size_t length = number ? (size_t)(number - x->like.name) + 2 : 0;
  return number && x->copies == y->copies && !strncmp(x->like.name, y->like.name, length);
}

void lam_list_tensors(const struct lam_family *families, int count, void *self, struct lam_tensor *tensors,
                      char *names) {
  for (int first = 0, end; first < count; first = end) {
    for (end = first + 1; end < count && lam_same_repeat(&families[first], &families[end]);) end++;
    for (int copy = 0; copy == 0 || copy < families[first].copies; copy++)
      for (int i = first; i < end; i++, tensors++) {
        *tensors = families[i].like;
        tensors->name = names;
        names = lam_copy_name(names, families[i].like.name, copy);
        tensors->rank = lam_rank(tensors->axes);
        tensors->role = families[i].role;
        tensors->stream = lam_stream_of(tensors->name);
        tensors->slot = (void **)(void *)((char *)self + families[i].slot + (size_t)copy * sizeof tensors->data);
        tensors->data = *tensors->slot;
      }
  }
}

const struct lam_tensor *lam_find_tensor(const struct lam_model *model, const char *name) {
  for (int i = 0; i < model->tensor_count; i++)
    if (!strcmp(model->tensors[i].name, name)) return &model->tensors[i];
  return NULL;
}

void *lam_port_data(const struct lam_model *model, const struct lam_port *port) {
  void *place = (char *)model->self + port->slot;
  if (port->rank > 0) memcpy(&place, place, sizeof place);
  return place;
}

int lam_model_tensor(struct lam_model *model, const char *name, struct lam_tensor *found) {
  const struct lam_tensor *tensor = lam_find_tensor(model, name);
  if (!tensor) return lam_fail(model->message, LAM_WRONG_ARGUMENT, "there is no tensor \"%s\"", name);
  struct lam_tensor parts[LAM_PARTS];
  if (!tensor->data && model->quantized->list(model, tensor, parts) > 0)
    return lam_fail(model->message, LAM_WRONG_ARGUMENT, "%s is not kept: routines read %s and its scale in its place",
                    name, parts[0].name);
  *found = *tensor;
  return LAM_OK;
}

int lam_model_port(struct lam_model *model, const char *name, struct lam_tensor *found) {
  for (const struct lam_port *port = model->ports; port < model->ports + model->port_count; port++) {
    const size_t length = strlen(port->routine);
    if (strncmp(name, port->routine, length) != 0 || name[length] != '.' || strcmp(name + length + 1, port->name) != 0)
      continue;
    *found = (struct lam_tensor){.name = port->name, .axes = port->axes, .type = port->type, .rank = port->rank};
    memcpy(found->shape, port->shape, sizeof found->shape);
    found->data = lam_port_data(model, port);
    return LAM_OK;
  }
  return lam_fail(model->message, LAM_WRONG_ARGUMENT, "there is no input or output \"%s\"", name);
}

static double lam_initial_number(const struct lam_tensor *tensor, uint32_t seed, int64_t element) {
  uint32_t words[4];
  if (tensor->initial == LAM_CONSTANT) return tensor->low;
  lam_philox(seed, tensor->stream, 0, 0, (uint64_t)element, words);
  return tensor->initial == LAM_NORMAL ? tensor->low + tensor->high * lam_normal_draw(words)
                                       : tensor->low + (tensor->high - tensor->low) * lam_uniform_draw(words);
}

void lam_begin(const struct lam_tensor *tensor, uint32_t seed) {
  const int64_t count = lam_count(tensor->shape, tensor->rank);
#ifdef _OPENMP
#pragma omp parallel for if (tensor->type < LAM_TYPE_I4) /* two threads would write halves of one byte */
#endif
  for (int64_t k = 0; k < count; k++) lam_set(tensor->data, tensor->type, k, lam_initial_number(tensor, seed, k));
}

void lam_changed(struct lam_model *model) {
  if (model->version) ++*model->version;
}

/* The parameter that an average, "PARAMETER/average", begins as; or NULL. */
const struct lam_tensor *lam_average_of(const struct lam_model *model, const struct lam_tensor *average) {
  const char *slash = strrchr(average->name, '/');
  const size_t length = slash ? (size_t)(slash - average->name) : 0;
  for (int k = 0; k < model->tensor_count && slash && average->role == LAM_AVERAGE; k++) {
    const struct lam_tensor *tensor = &model->tensors[k];
    if (tensor->role == LAM_PARAMETER && !strncmp(tensor->name, average->name, length) && !tensor->name[length])
      return tensor;
  }
  return NULL;
}

int lam_initialize(struct lam_model *model, uint32_t seed) {
  const int status = model->quantized ? model->quantized->initialize(model, seed) : LAM_OK;
  if (status != LAM_OK) return status;
  for (int i = 0; i < model->tensor_count; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    if (tensor->data && tensor->role != LAM_DERIVED && tensor->role != LAM_QUANTIZED) lam_begin(tensor, seed);
  }
  lam_start_averages(model);
  if (model->pruned) *model->pruned = -1;
  lam_changed(model);
  return LAM_OK;
}

int lam_model_initialize(struct lam_model *model, uint32_t seed) {
  struct lam_run *run = &model->run;
  run->step = run->rows = 0;
  run->seed = seed;
  lam_pairs_cut(&run->facts, run->given, run->facts.count);
  run->given = 0;
  lam_forget_vocabulary(model);
  return lam_initialize(model, seed);
}

void lam_restart(struct lam_model *model, enum lam_role role, bool changed) {
  for (int i = 0; i < model->tensor_count; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    const bool zero = tensor->initial == LAM_CONSTANT && tensor->low == 0;
    if (tensor->role == role && (changed || !zero)) lam_begin(tensor, model->run.seed);
  }
}

void lam_start_averages(struct lam_model *model) {
  for (int i = 0; i < model->tensor_count; i++) {
    const struct lam_tensor *average = &model->tensors[i], *tensor = lam_average_of(model, average);
    if (tensor && tensor->data && average->data)
      for (int64_t at = 0, count = lam_count(tensor->shape, tensor->rank); at < count; at++)
        lam_set(average->data, average->type, at, lam_get(tensor->data, tensor->type, at));
  }
}

bool lam_is_kept(const struct lam_tensor *tensor) {
  return tensor->role <= LAM_AVERAGE && tensor->role != LAM_ACCUMULATOR && tensor->frozen != LAM_IN_BASE;
}

const char *lam_not_finite(const struct lam_model *model) {
  for (int i = 0; i < model->tensor_count; i++) {
    const struct lam_tensor *tensor = &model->tensors[i];
    if (!tensor->data || !lam_type_is_real(tensor->type)) continue;
    if (!lam_is_kept(tensor) && tensor->role != LAM_QUANTIZED) continue;
    const double begins = tensor->low + tensor->high;
    if (begins - begins != 0) continue;
    const lam_real *numbers = tensor->data;
    const int64_t count = lam_count(tensor->shape, tensor->rank);
    int bad = 0;
    for (int64_t k = 0; k < count && tensor->type == LAM_TYPE_REAL; k++)
      bad |= !(numbers[k] - numbers[k] == 0); /* in vectors */
    for (int64_t k = 0; k < count && tensor->type != LAM_TYPE_REAL && !bad; k++) {
      const double number = lam_get(tensor->data, tensor->type, k);
      bad = !(number - number == 0);
    }
    if (bad) return tensor->name;
  }
  return NULL;
}

void lam_forget_vocabulary(struct lam_model *model) {
  free(model->vocabulary.codes);
  model->vocabulary = (struct lam_vocabulary){.tokenizer = model->vocabulary.tokenizer};
}

int lam_recall_vocabulary(struct lam_model *model, char why[LAM_MESSAGE]) {
  struct lam_vocabulary *own = &model->vocabulary, recalled = {.tokenizer = own->tokenizer};
  why[0] = 0;
  if (own->count) return LAM_OK;
  const int status = own->tokenizer->recall(&recalled, model->facts ? model->facts : &model->run.facts, why);
  if (status == LAM_OK)
    *own = recalled;
  else
    free(recalled.codes);
  return status;
}

void lam_model_end(struct lam_model *model) {
  lam_forget_vocabulary(model);
  lam_pairs_free(&model->run.facts);
}

/* --- Pairs -------------------------------------------------------------------------------------------------------- */

bool lam_pairs_add(struct lam_pairs *pairs, const char *key, const char *value, size_t length) {
  if (pairs->count == pairs->capacity) {
    const int64_t capacity = pairs->capacity ? 2 * pairs->capacity : 16;
    struct lam_pair *items = realloc(pairs->items, (size_t)capacity * sizeof *items);
    if (!items) return false;
    pairs->items = items, pairs->capacity = capacity;
  }
  char *copy = malloc(strlen(key) + length + 2);
  if (!copy) return false;
  memcpy(copy, value, length);
  copy[length] = 0;
  strcpy(copy + length + 1, key);
  pairs->items[pairs->count++] = (struct lam_pair){copy + length + 1, copy, length};
  return true;
}

const struct lam_pair *lam_pairs_find(const struct lam_pairs *pairs, const char *key) {
  for (int64_t i = 0; i < pairs->count; i++)
    if (!strcmp(pairs->items[i].key, key)) return &pairs->items[i];
  return NULL;
}

const char *lam_category_column(const char *key) {
  const size_t length = strlen(LAM_CATEGORIES);
  return strncmp(key, LAM_CATEGORIES, length) ? NULL : key + length;
}

void lam_pairs_cut(struct lam_pairs *pairs, int64_t first, int64_t end) {
  for (int64_t i = 0; i < pairs->count; i++)
    if (i < first || i >= end)
      free((char *)(uintptr_t)pairs->items[i].value);
    else
      pairs->items[i - first] = pairs->items[i];
  pairs->count = first < end ? end - first : 0;
}

void lam_pairs_free(struct lam_pairs *pairs) {
  lam_pairs_cut(pairs, 0, 0);
  free(pairs->items);
  *pairs = (struct lam_pairs){0};
}
