/* Categories of tables to ids and back: what training learns of a column, and keeps with the weights. */
#include "runtime/categories.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct lam_pair *lam_categories_find(const struct lam_pairs *facts, const char *column) {
  for (int64_t i = 0; i < facts->count; i++) {
    const char *of = lam_category_column(facts->items[i].key);
    if (of && !strcmp(of, column)) return &facts->items[i];
  }
  return NULL;
}

bool lam_categories_add(struct lam_pairs *facts, const char *column, const char *const *names, int64_t count) {
  const size_t key = strlen(LAM_CATEGORIES) + strlen(column) + 1;
  size_t length = 0, used = 0;
  for (int64_t i = 0; i < count; i++) length += strlen(names[i]) + 1;
  char *memory = malloc(key + length), *value = memory ? memory + key : NULL;
  if (!memory) return false;
  strcat(strcpy(memory, LAM_CATEGORIES), column);
  for (int64_t i = 0; i < count; i++) used += strlen(strcpy(value + used, names[i])) + 1;
  const bool good = lam_pairs_add(facts, memory, value, length);
  free(memory);
  return good;
}

/* --- Of a model --------------------------------------------------------------------------------------------------- */

/* How many ids the column has room for, 0: any number; -1 with a message where there is no such column. */
static int64_t lam_column_range(struct lam_model *model, const char *column) {
  int64_t range = -1;
  for (const struct lam_ids *ids = model->ids; ids < model->ids + model->ids_count; ids++)
    if (ids->field && !strcmp(ids->field, column) && (range <= 0 || (ids->range && ids->range < range)))
      range = ids->range;
  if (range < 0) lam_fail(model->message, LAM_WRONG_ARGUMENT, "the data has no categories in a column %s", column);
  return range;
}

int lam_model_learn_categories(struct lam_model *model, const char *column, const char *const *values, int64_t count) {
  const int64_t range = lam_column_range(model, column);
  int64_t different = 0;
  if (range < 0) return LAM_WRONG_ARGUMENT;
  if (lam_categories_find(&model->run.facts, column))
    return lam_fail(model->message, LAM_WRONG_ARGUMENT, "column %s has its categories already", column);
  if (count < 1)
    return lam_fail(model->message, LAM_WRONG_ARGUMENT, "a column %s without values has no categories", column);
  const char **names = malloc((size_t)count * sizeof *names);
  for (int64_t i = 0, k; names && i < count; i++) {
    for (k = 0; k < different && strcmp(names[k], values[i]) != 0;) k++;
    names[k] = values[i];
    different += k == different;
  }
  int status = LAM_OK;
  if (names && range && different > range)
    status = lam_fail(model->message, LAM_WRONG_ARGUMENT, "column %s has %lld different values, and its axis has %lld",
                      column, (long long)different, (long long)range);
  else if (!names || !lam_categories_add(&model->run.facts, column, names, different))
    status = lam_fail(model->message, LAM_NO_MEMORY, "not enough memory for the categories of column %s", column);
  free(names);
  return status;
}

/* The categories of the model's column, or NULL with a message. */
static const struct lam_pair *lam_column_names(struct lam_model *model, const char *column) {
  if (lam_column_range(model, column) < 0) return NULL;
  const struct lam_pair *names = lam_categories_find(model->facts ? model->facts : &model->run.facts, column);
  if (!names)
    lam_fail(model->message, LAM_WRONG_ARGUMENT,
             "column %s has no categories: weights that training wrote have them, or its values give them", column);
  return names;
}

int lam_model_encode_category(struct lam_model *model, const char *column, const char *category, int32_t *id) {
  const struct lam_pair *names = lam_column_names(model, column);
  int32_t number = 0;
  if (!names) return LAM_WRONG_ARGUMENT;
  for (size_t at = 0; at < names->length; at += strlen(names->value + at) + 1, number++)
    if (!strcmp(names->value + at, category)) return *id = number, LAM_OK;
  return lam_fail(model->message, LAM_WRONG_ARGUMENT, "column %s: \"%s\" is none of the %d that the model knows",
                  column, category, (int)number);
}

int lam_model_decode_category(struct lam_model *model, const char *column, int32_t id, const char **category) {
  const struct lam_pair *names = lam_column_names(model, column);
  if (!names) return LAM_WRONG_ARGUMENT;
  *category = NULL;
  for (size_t at = 0; at < names->length && id >= 0; at += strlen(names->value + at) + 1)
    if (id-- == 0) *category = names->value + at;
  return LAM_OK;
}
