/* The file format of weights. */
#ifndef LAM_SAFETENSORS_H
#define LAM_SAFETENSORS_H

#include "runtime/pairs.h"

LAM_API int lam_utf8_write(uint32_t code, char text[4]); /* returns how many bytes */

struct lam_entry {
  const char *name, *type_name; /* "F32" */
  int type; /* of safetensors.c */
  int rank;
  int64_t shape[LAM_MAX_RANK];
  uint64_t begin, end; /* bytes of the file's data */
  const unsigned char *data;
};
struct lam_weights {
  const char *path;
  unsigned char *map;
  size_t length;
  char *names; /* the memory of all names */
  struct lam_entry *entries; /* by name */
  int64_t count;
  struct lam_pairs metadata;
};
LAM_API struct lam_weights *lam_weights_open(const char *path);
LAM_API void lam_weights_close(struct lam_weights *weights);
LAM_API const struct lam_entry *lam_weights_find(const struct lam_weights *weights, const char *name);
/* The entry's elements converted to `type`. */
LAM_API bool lam_weights_read(const struct lam_weights *weights, const struct lam_entry *entry, enum lam_type type,
                              void *to);
/* Writes name, type, shape and data of tensors, reals as F32. */
LAM_API bool lam_weights_write(const char *path, const struct lam_tensor *tensors, int count,
                               const struct lam_pairs *metadata);

#endif
