/* Random inputs, for measuring where there are no data. */
#include "runtime/runtime.h"

#include <string.h>

void lam_random_inputs(struct lam_program *program, int number, const int64_t sizes[2]) {
  const struct lam_routine *routine = lam_routine_at(program, number);
  for (int i = 0; i < routine->input_count; i++) {
    const struct lam_port *port = &routine->inputs[i];
    int64_t count = lam_count(port->shape, port->rank), last = port->rank ? port->shape[port->rank - 1] : 1;
    bool position = strcmp(port->name, "position") == 0;
    for (int64_t k = 0; k < count; k++) {
      uint32_t words[4];
      lam_philox(0, LAM_STREAM_WINDOW, 0, (uint32_t)i, (uint64_t)k, words);
      double random = lam_uniform_draw(words);
      if (port->type == LAM_TYPE_BOOLEAN) random = 1;
      if (port->type == LAM_TYPE_INTEGER) random = (double)lam_below(words, port->range > 0 ? port->range : 2);
      int64_t place = sizes[1] - sizes[0] + k % last;
      if (position) random = (double)(place < sizes[1] ? place : sizes[1] - 1);
      lam_set(port->data, port->type, k, random);
    }
  }
}
