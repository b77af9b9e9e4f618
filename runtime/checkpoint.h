/* A program's weights in a file. */
#ifndef LAM_CHECKPOINT_H
#define LAM_CHECKPOINT_H

#include "runtime/options.h"
#include "runtime/safetensors.h"

/* Where training stands. Facts are what data taught ("vocabulary", "categories:FIELD"); they travel with the
   weights. */
struct lam_run {
  int64_t step, steps, rows; /* rows: examples seen */
  uint32_t seed;
  struct lam_pairs facts;
};
enum lam_purpose {
  LAM_USE, /* evaluation, generation, prediction: parameters and averages */
  LAM_RESUME, /* everything, and where the run stood */
  LAM_START_FROM /* the parameters that the file has; says what is missing or unexpected */
};
/* The first tensor of a checkpoint that holds an infinity or NaN, though it did not begin with one; or NULL. */
LAM_API const char *lam_not_finite(const struct lam_program *program);
/* Fails, and leaves the file as it was, where such a tensor is. */
LAM_API bool lam_checkpoint_save(struct lam_program *program, const struct lam_run *run, const char *path);
LAM_API bool lam_checkpoint_load(struct lam_program *program, struct lam_run *run, const char *path,
                                 enum lam_purpose purpose);
/* Parts of loading: whether the file has the tensor as the program wants it (or an error); where the run stood (all:
   which the file must say); what the file learned of its data (all: also what this program's data does not use). */
LAM_API bool lam_checkpoint_fits(const struct lam_weights *weights, const struct lam_entry *entry,
                                 const struct lam_tensor *tensor);
LAM_API bool lam_checkpoint_run(const struct lam_weights *weights, struct lam_run *run, bool all);
LAM_API bool lam_checkpoint_facts(const struct lam_program *program, const struct lam_weights *weights,
                                  struct lam_run *run, bool all);
/* Adds a name to a list, "h.0.a, h.0.b", that ends in dots where it grows too long. */
enum { LAM_LIST = 256 };
LAM_API void lam_list_add(char list[LAM_LIST], const char *name);
/* The file that an option or the program's name gives, for free(). */
LAM_API char *lam_checkpoint_path(const struct lam_program *program, const struct lam_options *options,
                                  const char *option);
/* Loads that of the option "weights", for use; without a seed of its own it has the settings'. */
LAM_API bool lam_checkpoint_use(struct lam_program *program, struct lam_run *run, const struct lam_options *options);

#endif
