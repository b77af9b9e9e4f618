/* Generates text from a prompt. */
#ifndef LAM_GENERATE_H
#define LAM_GENERATE_H

#include "runtime/program.h"

/* A text that grows. */
struct lam_session {
  struct lam_program *program;
  struct lam_vocabulary vocabulary;
  bool has_text; /* else tokens are read and written as numbers */
  struct lam_port *feed, *position, *from;
  int64_t ids, place_stride, id_stride; /* strides are those of the output */
  int32_t *tokens; /* all so far */
  int64_t count, capacity, seen, past; /* tokens so far; those that the model has seen; positions in its caches */
};
LAM_API void lam_session_add(struct lam_session *session, int32_t token);
/* Adds a text's tokens; `where` is for messages. */
LAM_API bool lam_session_read(struct lam_session *session, const char *text, size_t length, const char *where);

LAM_TABLE(struct lam_verb lam_generate_verb) /* for programs with the routine step */

#endif
