/* Keys with values: the metadata of files, and options. */
#ifndef LAM_PAIRS_H
#define LAM_PAIRS_H

#include "runtime/program.h"

struct lam_pair {
  const char *key, *value;
  size_t length; /* of the value, which may hold zeros */
};
struct lam_pairs {
  struct lam_pair *items;
  int64_t count, capacity;
};
LAM_API void lam_pairs_add(struct lam_pairs *pairs, const char *key, const char *value,
                           size_t length); /* copies both */
LAM_API const struct lam_pair *lam_pairs_find(const struct lam_pairs *pairs, const char *key);
LAM_API void lam_pairs_free(struct lam_pairs *pairs);

#endif
