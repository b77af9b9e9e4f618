/* Files by which a folder of emitted models is built: with make, with CMake, and by hand. */
#include <string.h>
#include <strings.h>

#include "driver/driver.h"
#include "driver/project.h"

#define WRITTEN_BY "Written by Lamella "
#define WRITTEN WRITTEN_BY LAMELLA_VERSION ", and anew whenever `lamella emit` writes into this folder."

const char *project_taken_name(const struct project_model *models, int count) {
  /* Targets, and what make reads first, on file systems too where letters of both cases are one. */
  static const char *const taken[] = {"all", "clean", "makefile", "gnumakefile"};
  for (int i = 0; i < count; i++)
    for (int k = 0; k < 4; k++)
      if (!strcasecmp(models[i].name, taken[k])) return models[i].name;
  return NULL;
}

bool project_is_own(const char *text) {
  const char *second = strchr(text, '\n');
  const bool makefile =
      !strncmp(text, "# ", 2) && second && !strncmp(second, "\n# " WRITTEN_BY, strlen("\n# " WRITTEN_BY));
  return makefile || !strncmp(text, "<!-- " WRITTEN_BY, strlen("<!-- " WRITTEN_BY));
}

/* "BEFORE NAME AFTER" for each model. */
static const char *each(struct arena *arena, const struct project_model *models, int count, const char *before,
                        const char *after, bool examples) {
  const char *list = "";
  for (int i = 0; i < count; i++)
    if (!examples || models[i].example) list = arena_format(arena, "%s%s%s%s", list, before, models[i].name, after);
  return list;
}

/* The objects, or sources, that stand for a model in a program around it. */
static const char *core_of(struct arena *arena, const struct project_model *model, const char *ending) {
  const char *core = arena_format(arena, "%s%s", model->name, ending);
  return model->has_weights ? arena_format(arena, "%s %s_weights%s", core, model->name, ending) : core;
}

const char *project_makefile(struct arena *arena, const struct project_model *models, int count) {
  const char *text = arena_format(arena,
                                  "# Builds the programs of these models, and an example of a program around each.\n"
                                  "# %s\n"
                                  "#   make -j           all of them\n"
                                  "#   make OPENMP=      with one thread; the results are the same\n"
                                  "CFLAGS = -O2\n"
                                  "OPENMP = -fopenmp\n"
                                  "PROGRAMS =%s%s\n\n"
                                  "all: $(PROGRAMS)\n",
                                  WRITTEN, each(arena, models, count, " ", "", false),
                                  each(arena, models, count, " ", "_example", true));
  for (int i = 0; i < count; i++) {
    const char *name = models[i].name, *core = core_of(arena, &models[i], ".o");
    const char *objects = arena_format(arena, "%s_main.o %s lamella.o lamella_runtime.o", name, core);
    text = arena_format(arena,
                        "%s%s: %s\n\t$(CC) $(CFLAGS) $(OPENMP) $(LDFLAGS) %s -o $@ -lm\n%s.o: %s.h\n%s_main.o: %s.h "
                        "lamella.h lamella_runtime.h\n",
                        text, name, objects, objects, name, name, name, name);
    if (!models[i].example) continue;
    objects = arena_format(arena, "%s_example.o %s lamella.o", name, core);
    text = arena_format(arena,
                        "%s%s_example: %s\n\t$(CC) $(CFLAGS) $(OPENMP) $(LDFLAGS) %s -o $@ -lm\n%s_example.o: %s.h\n",
                        text, name, objects, objects, name, name);
  }
  return arena_format(arena,
                      "%slamella.o: lamella.h\nlamella_runtime.o: lamella.h lamella_runtime.h\n\n"
                      ".c.o:\n"
                      "\t$(CC) $(CPPFLAGS) $(CFLAGS) $(OPENMP) -c $< -o $@\n"
                      "clean:\n"
                      "\trm -f $(PROGRAMS) *.o\n"
                      ".PHONY: all clean\n",
                      text);
}

const char *project_cmake(struct arena *arena, const struct project_model *models, int count) {
  const char *sources = "";
  for (int i = 0; i < count; i++) sources = arena_format(arena, "%s %s", sources, core_of(arena, &models[i], ".c"));
  const char *text = arena_format(
      arena,
      "# The library `models` to link with, the programs of the models, and an example of a program around each.\n"
      "# %s\n"
      "cmake_minimum_required(VERSION 3.13)\n"
      "project(models C)\n"
      "if(NOT CMAKE_BUILD_TYPE)\n"
      "  set(CMAKE_BUILD_TYPE Release)\n"
      "endif()\n"
      "find_package(OpenMP)\n"
      "add_library(models STATIC lamella.c%s)\n"
      "target_include_directories(models PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})\n"
      "target_link_libraries(models PUBLIC m)\n"
      "if(OpenMP_C_FOUND)\n"
      "  target_link_libraries(models PUBLIC OpenMP::OpenMP_C)\n"
      "endif()\n"
      "if(UNIX)\n"
      "  add_library(model_programs STATIC lamella_runtime.c)\n"
      "  target_link_libraries(model_programs PUBLIC models)\n",
      WRITTEN, sources);
  for (int i = 0; i < count; i++)
    text = arena_format(arena,
                        "%s  add_executable(program_%s %s_main.c)\n"
                        "  set_target_properties(program_%s PROPERTIES OUTPUT_NAME %s)\n"
                        "  target_link_libraries(program_%s model_programs)\n",
                        text, models[i].name, models[i].name, models[i].name, models[i].name, models[i].name);
  text = arena_format(arena, "%sendif()\n", text);
  for (int i = 0; i < count; i++)
    if (models[i].example)
      text =
          arena_format(arena, "%sadd_executable(%s_example %s_example.c)\ntarget_link_libraries(%s_example models)\n",
                       text, models[i].name, models[i].name, models[i].name);
  return text;
}

const char *project_readme(struct arena *arena, const struct project_model *models, int count) {
  const char *text =
      arena_format(arena,
                   "<!-- %s -->\n"
                   "# Models in C:%s\n\n"
                   "```sh\n"
                   "make -j                                # or: cmake -B build && cmake --build build\n"
                   "./%s --help                          # what the program of a model does: train, predict ...\n"
                   "```\n\n"
                   "| file | what it is |\n|---|---|\n",
                   WRITTEN, each(arena, models, count, " ", "", false), models[0].name);
  for (int i = 0; i < count; i++)
    text = arena_format(arena,
                        "%s| %s.h | how to call the model %s from another program |\n"
                        "| %s | the model: its kernels, its routines, its memory |\n"
                        "| %s_main.c | its command line, with its data and settings |\n",
                        text, models[i].name, models[i].name, core_of(arena, &models[i], ".c"), models[i].name);
  text = arena_format(
      arena,
      "%s| lamella.h, lamella.c | what all models share: weights in files, tensors by name, text |\n"
      "| lamella_runtime.h, lamella_runtime.c | what all command lines share |\n\n"
      "A program of your own takes NAME.h and NAME.c with lamella.h and lamella.c, and links libm. `-fopenmp` is\n"
      "for more than one thread; the numbers are the same without it.\n",
      text);
  for (int i = 0; i < count; i++)
    if (models[i].example)
      text = arena_format(arena, "%s\n## %s_example.c\n\n```c\n%s```\n", text, models[i].name, models[i].example);
  return text;
}
