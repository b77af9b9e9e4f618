/* Reads what a text is generated from: the inputs of an encoder. */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

/* Sets what an encoder reads: integers to the ids of the source text, booleans to whether there is an id. */
static bool lam_source_ports(struct lam_session *session, enum lam_routine_name name, const char *source) {
  struct lam_program *program = session->program;
  struct lam_routine *routine = &program->routines[name];
  for (int i = 0; i < routine->input_count; i++) {
    struct lam_port *port = &routine->inputs[i];
    if (port == session->feed || port == session->position || port->rank < 2) continue;
    if (!source) return lam_error("the model reads %s: --source TEXT gives it", port->name);
    int64_t length = lam_count(port->shape + 1, port->rank - 1), start = -1, stop = -1;
    for (int c = 0; program->data && c < program->data->column_count; c++)
      if (strcmp(program->data->columns[c].name, port->name) == 0)
        start = program->data->columns[c].start, stop = program->data->columns[c].stop;
    struct lam_session ids = {.vocabulary = session->vocabulary, .has_text = session->has_text, .ids = INT32_MAX};
    if (start >= 0) lam_session_add(&ids, (int32_t)start);
    if (!lam_session_read(&ids, source, strlen(source), "--source")) return false;
    if (ids.count > length - (stop >= 0))
      return lam_error("--source has %lld tokens, and %s takes %lld", (long long)ids.count, port->name,
                       (long long)(length - (stop >= 0)));
    if (stop >= 0) lam_session_add(&ids, (int32_t)stop);
    for (int64_t k = 0; k < port->shape[0] * length; k++) {
      bool inside = k % length < ids.count;
      lam_set(port->data, port->type, k, inside && port->type == LAM_TYPE_INTEGER ? ids.tokens[k % length] : inside);
    }
    for (int64_t k = 0; port->type == LAM_TYPE_INTEGER && port->range && k < ids.count; k++)
      if (ids.tokens[k] >= port->range)
        return lam_error("--source: id %d, and %s takes ids below %lld", (int)ids.tokens[k], port->name,
                         (long long)port->range);
    free(ids.tokens);
  }
  return true;
}

bool lam_read_source(struct lam_session *session, const struct lam_options *options) {
  const char *source = lam_option_text(options, "source", NULL);
  if (!lam_source_ports(session, LAM_STEP, source)) return false;
  if (!session->program->routines[LAM_PREPARE].exists) return true;
  if (!lam_source_ports(session, LAM_PREPARE, source)) return false;
  lam_run_routine(session->program, LAM_PREPARE, 0, 0, 0, NULL);
  return true;
}
