/* What tensors hold before the first step, and averages of parameters. */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

void lam_initialize(struct lam_program *program, uint32_t seed) {
  for (int i = 0; i < program->tensor_count; i++) {
    struct lam_tensor *tensor = &program->tensors[i];
    int64_t count = lam_count(tensor->shape, tensor->rank);
    for (int64_t element = 0; element < count; element++) {
      double number = tensor->low;
      uint32_t words[4];
      if (tensor->initial != LAM_CONSTANT) {
        lam_philox(seed, tensor->stream, 0, 0, (uint64_t)element, words);
        number = tensor->initial == LAM_NORMAL ? tensor->low + tensor->high * lam_normal_draw(words)
                                               : tensor->low + (tensor->high - tensor->low) * lam_uniform_draw(words);
      }
      switch (tensor->type) {
        case LAM_TYPE_REAL: ((lam_real *)tensor->data)[element] = (lam_real)number; break;
        case LAM_TYPE_INTEGER: ((int32_t *)tensor->data)[element] = (int32_t)number; break;
        case LAM_TYPE_BOOLEAN: ((uint8_t *)tensor->data)[element] = number != 0; break;
      }
    }
  }
}

/* The parameter that an average (named "PARAMETER/...") belongs to, or NULL. */
static struct lam_tensor *lam_averaged(struct lam_program *program, const struct lam_tensor *average) {
  const char *slash = strrchr(average->name, '/');
  for (int i = 0; slash && i < program->tensor_count; i++) {
    struct lam_tensor *tensor = &program->tensors[i];
    size_t length = (size_t)(slash - average->name);
    if (tensor->role == LAM_PARAMETER && strncmp(tensor->name, average->name, length) == 0 && !tensor->name[length]) return tensor;
  }
  return NULL;
}

void lam_start_averages(struct lam_program *program) {
  for (int i = 0; i < program->tensor_count; i++) {
    struct lam_tensor *average = &program->tensors[i], *parameter;
    if (average->role != LAM_AVERAGE || !(parameter = lam_averaged(program, average))) continue;
    memcpy(average->data, parameter->data, (size_t)lam_count(average->shape, average->rank) * lam_type_size(average->type));
  }
}
