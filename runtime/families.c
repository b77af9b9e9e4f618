/* Tensors in families: the copies of a repeat share one row of the program's table. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <string.h>

/* FNV-1a of the name: what keys the tensor's initial draws. */
static uint32_t lam_stream_of(const char *name) {
  uint32_t hash = 2166136261u;
  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
  return hash;
}

/* Rows that belong to the same repeat are neighbours, and their names are alike up to the copy's number. */
static bool lam_same_repeat(const struct lam_family *x, const struct lam_family *y) {
  const char *number = strstr(x->name, "%d");
  return number && x->copies == y->copies && !strncmp(x->name, y->name, (size_t)(number - x->name) + 2);
}

static void lam_set_pointer(const struct lam_family *family, int copy, void *self, void *data) {
  char *slot = (char *)self + family->slot;
  switch (family->type) {
    case LAM_TYPE_REAL:
      ((lam_real **)(void *)slot)[copy] = data;
      break;
    case LAM_TYPE_INTEGER:
      ((int32_t **)(void *)slot)[copy] = data;
      break;
    case LAM_TYPE_BOOLEAN:
      ((uint8_t **)(void *)slot)[copy] = data;
      break;
  }
}

static void *lam_get_pointer(const struct lam_family *family, int copy, const void *self) {
  const char *slot = (const char *)self + family->slot;
  switch (family->type) {
    case LAM_TYPE_REAL:
      return ((lam_real *const *)(const void *)slot)[copy];
    case LAM_TYPE_INTEGER:
      return ((int32_t *const *)(const void *)slot)[copy];
    case LAM_TYPE_BOOLEAN:
      return ((uint8_t *const *)(const void *)slot)[copy];
  }
  return NULL;
}

/* Calls `visit` on each tensor, in the order of the spec: copy by copy for neighbours of one repeat. */
static void lam_each_tensor(const struct lam_family *families, int count,
                            void (*visit)(void *context, const struct lam_family *family, int copy), void *context) {
  for (int first = 0, end; first < count; first = end) {
    for (end = first + 1; end < count && families[first].copies && lam_same_repeat(&families[first], &families[end]);)
      end++;
    for (int copy = 0; copy == 0 || copy < families[first].copies; copy++)
      for (int i = first; i < end; i++) visit(context, &families[i], copy);
  }
}

struct lam_placement {
  char *self, *memory;
  size_t used;
};

static void lam_place_one(void *context, const struct lam_family *family, int copy) {
  enum { ALIGNMENT = 64 };
  struct lam_placement *placement = context;
  size_t bytes = (size_t)lam_count(family->shape, family->rank) * lam_type_size(family->type);
  if (placement->memory) lam_set_pointer(family, copy, placement->self, placement->memory + placement->used);
  placement->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t lam_place_tensors(const struct lam_family *families, int count, void *self, void *memory) {
  struct lam_placement placement = {self, memory, 0};
  lam_each_tensor(families, count, lam_place_one, &placement);
  return placement.used;
}

struct lam_listing {
  const void *self;
  struct lam_tensor *tensors;
};

static void lam_list_one(void *context, const struct lam_family *family, int copy) {
  struct lam_listing *listing = context;
  struct lam_tensor *tensor = listing->tensors++;
  size_t room = strlen(family->name) + 16;
  char *name = lam_allocate((int64_t)room, 1);
  const char *number = family->copies ? strstr(family->name, "%d") : NULL;
  if (number)
    snprintf(name, room, "%.*s%d%s", (int)(number - family->name), family->name, copy, number + 2);
  else
    snprintf(name, room, "%s", family->name);
  *tensor = (struct lam_tensor){.name = name,
                                .axes = family->axes,
                                .role = family->role,
                                .type = family->type,
                                .rank = family->rank,
                                .initial = family->initial,
                                .low = family->low,
                                .high = family->high,
                                .stream = lam_stream_of(name),
                                .trainable = family->trainable,
                                .data = lam_get_pointer(family, copy, listing->self)};
  memcpy(tensor->shape, family->shape, sizeof tensor->shape);
}

void lam_list_tensors(const struct lam_family *families, int count, const void *self, struct lam_tensor *tensors) {
  struct lam_listing listing = {self, tensors};
  lam_each_tensor(families, count, lam_list_one, &listing);
}
