/* Categories of tables to ids and back. */
#ifndef LAM_CATEGORIES_H
#define LAM_CATEGORIES_H

#include "runtime/model.h"

/* The fact of a column: its categories in the order of their ids, each ended by a zero. Or NULL. */
LAM_API const struct lam_pair *lam_categories_find(const struct lam_pairs *facts, const char *column);
LAM_API bool lam_categories_add(struct lam_pairs *facts, const char *column, const char *const *names,
                                int64_t count); /* false without memory */

/* Of a model's column: each value that was not there before gets the next id. */
LAM_API int lam_model_learn_categories(struct lam_model *model, const char *column, const char *const *values,
                                       int64_t count);
LAM_API int lam_model_encode_category(struct lam_model *model, const char *column, const char *category, int32_t *id);
LAM_API int lam_model_decode_category(struct lam_model *model, const char *column, int32_t id, const char **category);

#endif
