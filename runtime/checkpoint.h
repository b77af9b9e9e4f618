/* A program's weights in a file, with messages on stderr. */
#ifndef LAM_CHECKPOINT_H
#define LAM_CHECKPOINT_H

#include "runtime/options.h"
#include "runtime/weights.h"

/* Weights in a file, or NULL after an error; `join` is that of the model, or NULL. */
LAM_API struct lam_weights *lam_weights_open(const char *path, lam_part_joiner *join);
/* The entry's elements converted to `type`, or an error. */
LAM_API bool lam_weights_read(const struct lam_weights *weights, const struct lam_entry *entry, enum lam_type type,
                              void *to);
LAM_API bool lam_weights_write(const char *path, const struct lam_tensor *tensors, int count,
                               const struct lam_pairs *metadata);

/* Fails, and leaves the file as it was, where a tensor is not finite. */
LAM_API bool lam_checkpoint_save(struct lam_program *program, const struct lam_run *run, const char *path);
/* The same for what a function of the library writes. */
typedef int lam_checkpoint_putter(struct lam_model *model, const struct lam_run *run, FILE *file, const char *path);
LAM_API bool lam_checkpoint_write(struct lam_program *program, const struct lam_run *run, const char *path,
                                  lam_checkpoint_putter *put);
LAM_API bool lam_checkpoint_load(struct lam_program *program, struct lam_run *run, const char *path,
                                 enum lam_purpose purpose);
/* The file that an option or the program's name gives, for free(). */
LAM_API char *lam_checkpoint_path(const struct lam_program *program, const struct lam_options *options,
                                  const char *option);
#define LAM_BASE "base"
/* What the module adapters does for other modules, which do not need it. */
struct lam_adapters {
  const struct lam_option *(*options)(const struct lam_verb *verb); /* of the verb; or NULL */
  /* Loads the weights `path` for use, and the adapters that the options give. */
  bool (*use)(struct lam_program *program, struct lam_run *run, const struct lam_options *options, const char *path);
  /* Before training to `out`, which begins from `initial` or, NULL, from nothing: loads what resumed adapters are for.
     The way from `out` to that, for free(), or NULL, becomes the fact LAM_BASE. */
  bool (*begin)(struct lam_program *program, struct lam_run *run, const struct lam_options *options,
                const char *initial, const char *out, char **base);
};

/* Loads that of the option "weights", for use; without a seed of its own it has the settings'. */
LAM_API bool lam_checkpoint_use(struct lam_program *program, struct lam_run *run, const struct lam_options *options);

#endif
