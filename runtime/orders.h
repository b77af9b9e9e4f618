/* Does what lines on stdin ask for, and answers on stdout. */
#ifndef LAM_ORDERS_H
#define LAM_ORDERS_H

#include "runtime/checkpoint.h"
#include "runtime/data.h"

/* A line "NAME ARGUMENT" asks for it. False after an error, which ends the program. */
struct lam_command {
  const char *name; /* NULL past the last */
  bool (*obey)(void *context, const char *argument);
};
/* Obeys lines up to "quit" or the end of stdin. False after an error. */
LAM_API bool lam_obey(const struct lam_command *orders, void *context);

/* Writes tensors to a file: "done". */
LAM_API bool lam_answer_tensors(const char *path, const struct lam_tensor *tensors, int count);
/* Runs the model on the first examples of a part of the data, which were opened for another routine, and writes its
   outputs to a file: "done", or "none" without the routine predict. */
LAM_API bool lam_answer_outputs(const struct lam_dataset *data, enum lam_part part, const char *path);
/* Does `work` so many times with a clock at every kernel. Then come "kernels" and how many there are, and for each its
   calls and seconds in all, its name, and the parts of the model that it computes. */
LAM_API void lam_answer_kernels(const struct lam_program *program, void (*work)(void *context), void *context,
                                long long times);

#endif
