/* The options of a command line. */
#ifndef LAM_OPTIONS_H
#define LAM_OPTIONS_H

#include "runtime/memory.h"

struct lam_option {
  const char *name, *argument, *help; /* argument: NULL for a switch, "N": an integer, "X": a number, else a text */
  double minimum, maximum;
};
struct lam_options {
  const struct lam_verb *verb;
  const struct lam_option *more, *adapters; /* the program's, beside the verb's and the common ones; or NULL */
  const char *program; /* argv[0] */
  int count;
  struct lam_pair *given;
};
struct lam_verb {
  const char *name, *summary;
  const struct lam_option *options; /* a NULL name past the last */
  int (*run)(struct lam_program *program, const struct lam_options *options); /* returns the exit code */
};
LAM_TABLE(struct lam_option lam_common_options[])
LAM_API bool lam_options_parse(struct lam_options *options, int count, char **arguments);
LAM_API const char *lam_option_text(const struct lam_options *options, const char *name, const char *otherwise);
LAM_API int64_t lam_option_integer(const struct lam_options *options, const char *name, int64_t otherwise);
LAM_API double lam_option_number(const struct lam_options *options, const char *name, double otherwise);

/* Functions that record a trace, and the option that asks for one. */
struct lam_tracer {
  const struct lam_option *options;
  bool (*open)(const struct lam_program *program, const char *path);
  bool (*close)(const struct lam_program *program, bool keep);
};

#endif
