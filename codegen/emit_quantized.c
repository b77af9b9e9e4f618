/* Parameters whose steps and scale the first launches of derive make, each by launches of its own (passes/derive_order.c). Those
   that no other routine reads need no place in memory but for this. */
#include <string.h>

#include "codegen/emit.h"

/* Whether launches read the buffer that do not make steps of it, in a routine that is no part of training. */
static bool is_read(const struct emitter *emitter, const struct buffer *buffer) {
  for (int i = 0; i < emitter->module->routines.count; i++) {
    const struct routine *routine = emitter->module->routines.items[i];
    if (emit_is_training(routine)) continue;
    for (int j = 0; j < routine->launches.count; j++) {
      const struct launch *launch = routine->launches.items[j];
      if (launch->quantizes == buffer) continue;
      for (int k = 0; k < launch->arguments.count; k++)
        if (launch->arguments.items[k].buffer == buffer) return true;
    }
  }
  return false;
}

void emit_find_quantized(struct emitter *emitter) {
  const struct routine *derive = emit_routine_find(emitter, ROUTINE_derive);
  const bool trains = emit_routine_find(emitter, ROUTINE_train) || emit_routine_find(emitter, ROUTINE_accumulate);
  for (int i = 0, end; derive && i < derive->launches.count && derive->launches.items[i]->quantizes; i = end) {
    const struct buffer *buffer = derive->launches.items[i]->quantizes;
    for (end = i + 1; end < derive->launches.count && derive->launches.items[end]->quantizes == buffer;) end++;
    struct quantized quantized = {.parameter = buffer, .first = i, .count = end - i};
    quantized.streamed = !is_read(emitter, buffer);
    quantized.placeless = quantized.streamed && !trains;
    array_push(emitter->arena, &emitter->quantized, quantized);
  }
}

const struct quantized *emit_quantized(const struct emitter *emitter, const struct state *parameter) {
  for (int i = 0; i < emitter->quantized.count; i++)
    if (parameter && emitter->quantized.items[i].parameter->state == parameter) return &emitter->quantized.items[i];
  return NULL;
}

bool emit_is_unread(const struct emitter *emitter, const struct state *parameter) {
  bool averaged = false;
  for (int i = 0; i < emitter->program->states.count && emitter->quantized.count; i++) {
    const struct state *state = emitter->program->states.items[i];
    averaged = averaged || (state->role == ROLE_AVERAGE && state->of == parameter);
  }
  for (int i = 0; i < emitter->module->buffers.count && averaged; i++)
    if (emitter->module->buffers.items[i]->state == parameter)
      return !is_read(emitter, emitter->module->buffers.items[i]);
  return false;
}

int emit_quantizing_launches(const struct emitter *emitter) {
  const int count = emitter->quantized.count;
  return count ? emitter->quantized.items[count - 1].first + emitter->quantized.items[count - 1].count : 0;
}
