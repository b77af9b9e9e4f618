/* What tensors hold before the first step, and averages of parameters. */
#include "runtime/runtime.h"

#include <string.h>

static double lam_initial_number(const struct lam_tensor *tensor, uint32_t seed, int64_t element) {
  uint32_t words[4];
  if (tensor->initial == LAM_CONSTANT) return tensor->low;
  lam_philox(seed, tensor->stream, 0, 0, (uint64_t)element, words);
  return tensor->initial == LAM_NORMAL ? tensor->low + tensor->high * lam_normal_draw(words)
                                       : tensor->low + (tensor->high - tensor->low) * lam_uniform_draw(words);
}

void lam_initialize(struct lam_program *program, uint32_t seed) {
  for (int i = 0; i < program->tensor_count; i++) {
    const struct lam_tensor *tensor = &program->tensors[i];
    int64_t count = lam_count(tensor->shape, tensor->rank);
#ifdef _OPENMP
#pragma omp parallel for
#endif
    for (int64_t k = 0; k < count; k++) lam_set(tensor->data, tensor->type, k, lam_initial_number(tensor, seed, k));
  }
}

/* An average is named after its parameter: "PARAMETER/average". */
void lam_start_averages(struct lam_program *program) {
  for (int i = 0; i < program->tensor_count; i++) {
    const struct lam_tensor *average = &program->tensors[i];
    const char *slash = strrchr(average->name, '/');
    if (average->role != LAM_AVERAGE || !slash) continue;
    size_t length = (size_t)(slash - average->name);
    for (int k = 0; k < program->tensor_count; k++) {
      const struct lam_tensor *tensor = &program->tensors[k];
      if (tensor->role == LAM_PARAMETER && !strncmp(tensor->name, average->name, length) && !tensor->name[length])
        memcpy(average->data, tensor->data, (size_t)lam_count(tensor->shape, tensor->rank) * sizeof(lam_real));
    }
  }
}
