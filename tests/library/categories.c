/* Categories by the library of a table: categories TRAINED WRITTEN. TRAINED is a file that the command line trained; WRITTEN is made here,
   by a training that learned its categories from values, for the command line to predict with. */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct table *m;

/* Linked with --wrap: where `left` is not negative, so many more allocations succeed. */
static int left = -1;
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) { return left == 0 ? NULL : (left -= left > 0, __real_malloc(size)); }
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size) {
  return left == 0 ? NULL : (left -= left > 0, __real_realloc(old, size));
}

static void require(int good, const char *what) {
  if (good) return;
  printf("%s: \"%s\"\n", what, table_message(m));
  exit(1);
}

static void refused(int status, const char *sentence) {
  require(status == TABLE_WRONG_ARGUMENT && strstr(table_message(m), sentence), sentence);
}

static int id_of(const char *column, const char *category) {
  int32_t id = -1;
  require(table_encode_category(m, column, category, &id) == TABLE_OK, category);
  return id;
}

static const char *name_of(const char *column, int32_t id) {
  const char *name = "?";
  require(table_decode_category(m, column, id, &name) == TABLE_OK, column);
  return name;
}

int main(int count, char **arguments) {
  static const char *const colors[] = {"green", "red", "green", "blue", "red"}, *const kinds[] = {"b", "a"},
                           *const many[] = {"a", "b", "c"};
  int32_t id = -1;
  const char *name = NULL;
  if (count != 3 || !(m = table_create()) || table_initialize(m, 1)) return 2;
  refused(table_encode_category(m, "color", "red", &id), "column color has no categories");
  refused(table_decode_category(m, "color", 0, &name), "column color has no categories");
  refused(table_learn_categories(m, "x", colors, 5), "the data has no categories in a column x");
  refused(table_encode_category(m, "x", "red", &id), "the data has no categories in a column x");
  refused(table_learn_categories(m, "color", colors, 0), "without values");
  refused(table_learn_categories(m, "kind", many, 3), "column kind has 3 different values, and its axis has 2");
  require(id == -1 && !name, "what failed has changed something");
  require(table_learn_categories(m, "kind", kinds, 2) == TABLE_OK, "learning after what failed");
  int status = TABLE_NO_MEMORY, tries = 0;
  for (; status == TABLE_NO_MEMORY && tries < 10; tries++) {
    refused(table_encode_category(m, "color", "red", &id), "column color has no categories");
    left = tries;
    status = table_learn_categories(m, "color", colors, 5);
    left = -1;
    require(status == TABLE_OK || strstr(table_message(m), "not enough memory"), "learning without memory");
  }
  require(status == TABLE_OK && tries > 3, "learning values");
  refused(table_learn_categories(m, "color", colors, 5), "has its categories already");
  require(id_of("color", "green") == 0 && id_of("color", "red") == 1 && id_of("color", "blue") == 2, "ids");
  require(id_of("kind", "b") == 0 && id_of("kind", "a") == 1, "ids of the other column");
  refused(table_encode_category(m, "color", "violet", &id), "column color: \"violet\" is none of the 3");
  require(!strcmp(name_of("color", 2), "blue") && !name_of("color", 3) && !name_of("color", -1), "names");

  /* Red and blue are of kind a, green of kind b, as in rows.csv. */
  for (int step = 1; step <= 60; step++) {
    for (int i = 0; i < TABLE_TRAIN_BATCH; i++) {
      const char *color = colors[(step + i) % 5];
      m->train.c[i] = (int32_t)id_of("color", color);
      m->train.kind[i] = (int32_t)id_of("kind", strcmp(color, "green") ? "a" : "b");
      m->train.x[i] = 1;
    }
    require(table_train(m, step) == TABLE_OK, "a step");
  }
  require(table_save(m, arguments[2]) == TABLE_OK, "saving");
  require(table_load(m, arguments[1]) == TABLE_OK, "loading what the command line trained");
  require(id_of("color", "red") == 0 && id_of("color", "green") == 1 && id_of("color", "blue") == 2, "the file's ids");
  require(!strcmp(name_of("kind", 0), "a") && !strcmp(name_of("kind", 1), "b"), "the file's names");
  table_destroy(m);
  return 0;
}
