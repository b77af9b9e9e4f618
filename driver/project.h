/* What `emit --project` writes beside the sources: how to build them. */
#ifndef DRIVER_PROJECT_H
#define DRIVER_PROJECT_H

#include <stdbool.h>

#include "ir/arena.h"

struct project_model {
  const char *name; /* of its files */
  const char *example; /* the text of NAME_example.c; NULL for a model that was there before and has none */
  bool has_weights; /* NAME_weights.c */
};

/* The texts of the files, for models that share one runtime. */
const char *project_makefile(struct arena *arena, const struct project_model *models, int count);
const char *project_cmake(struct arena *arena, const struct project_model *models, int count);
const char *project_readme(struct arena *arena, const struct project_model *models, int count);
/* Whether a text begins as the Makefile, the CMakeLists.txt or the README.md does. */
bool project_is_own(const char *text);
/* A model that cannot be called so, since a target of the Makefile is; or NULL. */
const char *project_taken_name(const struct project_model *models, int count);

#endif
