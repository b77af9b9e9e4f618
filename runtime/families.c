/* Tensors and ports of an emitted program, where its tables say that they lie. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static struct lam_tensor lam_tensor_of(const struct lam_family *family, int copy, const void *self) {
  struct lam_tensor tensor = family->like;
  size_t room = strlen(tensor.name) + 16;
  char *name = lam_allocate((int64_t)room, 1), *number = strstr(tensor.name, "%d");
  if (number)
    snprintf(name, room, "%.*s%d%s", (int)(number - tensor.name), tensor.name, copy, number + 2);
  else
    strcpy(name, tensor.name);
  tensor.name = name;
  tensor.rank = lam_rank(tensor.axes);
  tensor.role = family->role;
  tensor.stream = lam_stream_of(name);
  memcpy(&tensor.data, (const char *)self + family->slot + (size_t)copy * sizeof tensor.data, sizeof tensor.data);
  return tensor;
}

/* Rows that belong to the same repeat are neighbours, and their names are alike up to the copy's number. */
static bool lam_same_repeat(const struct lam_family *x, const struct lam_family *y) {
  const char *number = strstr(x->like.name, "%d");
  size_t length = number ? (size_t)(number - x->like.name) + 2 : 0;
  return number && x->copies == y->copies && !strncmp(x->like.name, y->like.name, length);
}

void lam_list_tensors(const struct lam_family *families, int count, const void *self, struct lam_tensor *tensors) {
  for (int first = 0, end; first < count; first = end) {
    for (end = first + 1; end < count && lam_same_repeat(&families[first], &families[end]);) end++;
    for (int copy = 0; copy == 0 || copy < families[first].copies; copy++)
      for (int i = first; i < end; i++) *tensors++ = lam_tensor_of(&families[i], copy, self);
  }
}

static void lam_place_port(struct lam_port *port, void *self) {
  port->data = (char *)self + port->slot;
  if (port->rank > 0) memcpy(&port->data, port->data, sizeof port->data);
}

void lam_place_ports(struct lam_program *program) {
  for (struct lam_routine *routine = program->routines; routine < program->routines + LAM_ROUTINES; routine++) {
    for (int i = 0; i < routine->input_count; i++) lam_place_port(&routine->inputs[i], program->self);
    for (int i = 0; i < routine->output_count; i++) lam_place_port(&routine->outputs[i], program->self);
  }
}
