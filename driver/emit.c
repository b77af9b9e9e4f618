/* Programs as C in a folder: one or several, with those that were emitted into it before, and one runtime for all. */
#include "driver/driver.h"
#include "driver/project.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* A model in the folder, or on its way there. */
struct model {
  const char *name;
  const char *spec; /* as the user named it; NULL: it is there already */
  const char *header; /* or NULL: there is none */
  struct emitted emitted; /* of one that is there, what it needs of the runtime alone */
};
typedef ARRAY(struct model) models;

/* --- What is emitted ------------------------------------------------------------------------------------------------------ */

static bool compile_spec(struct options *options, const char *spec, models *models) {
  struct options own = *options;
  struct program *program;
  struct model model = {.spec = spec};
  own.spec = spec;
  own.emission.files = true;
  own.files = (spec_files){0};
  if (!compile_program(&own, &program, &model.emitted)) return false;
  model.name = program->name;
  model.header = model.emitted.header;
  array_push(options->arena, models, model);
  return true;
}

/* All of them, so that the errors of all are shown. */
static bool compile_specs(struct options *options, models *models) {
  bool good = true;
  for (int i = 0; i < options->specs.count; i++) {
    const char *spec = options->specs.items[i];
    if (compile_spec(options, spec, models)) continue;
    if (options->specs.count > 1)
      fprintf(stderr, "lamella: note: %s cannot be emitted, so nothing is written\n", printable(options->arena, spec));
    good = false;
  }
  return good;
}

/* --- What is there -------------------------------------------------------------------------------------------------------- */

static const char main_ending[] = "_main.c", example_ending[] = "_example.c", weights_ending[] = "_weights.c";
/* What --project writes once for all. */
static const char *const project_files[] = {"Makefile", "CMakeLists.txt", "README.md"};

static bool is_model(const models *models, const char *name) {
  for (int i = 0; i < models->count; i++)
    if (!strcmp(models->items[i].name, name)) return true;
  return false;
}

/* A NAME_main.c that is not emitted now: what its program needs of the runtime, the new one must have, too. */
static bool add_neighbour(struct options *options, const char *file, models *models) {
  struct arena *arena = options->arena;
  const size_t length = strlen(file), ending = strlen(main_ending);
  if (length <= ending || strcmp(file + length - ending, main_ending) != 0) return true;
  const char *name = arena_copy(arena, file, length - ending);
  const char *path = arena_format(arena, "%s/%s", options->output, file);
  const struct source *text = is_model(models, name) ? NULL : source_read(arena, path);
  const char *beginning = arena_format(arena, "/* %s: what the runtime ", file); /* else it is the user's own */
  if (!text || strncmp(text->text, beginning, strlen(beginning)) != 0) return true;
  struct model model = {.name = name};
  const struct source *header = source_read(arena, arena_format(arena, "%s/%s.h", options->output, name));
  if (header) model.header = header->text;
  const char *problem = runtime_note_read(arena, text->text, options->passes.target, &model.emitted.runtime);
  if (problem) {
    fprintf(stderr,
            "lamella: error: %s %s: the runtime written now would not serve it; emit its spec together with this one, "
            "or this one into another folder\n",
            printable(arena, path), problem);
    return false;
  }
  array_push(arena, models, model);
  return true;
}

static int by_name(const struct dirent **x, const struct dirent **y) { return strcmp((*x)->d_name, (*y)->d_name); }

static bool find_neighbours(struct options *options, models *models) {
  struct dirent **entries;
  int count = scandir(options->output, &entries, NULL, by_name);
  bool good = true;
  for (int i = 0; i < count; i++) {
    good = good && add_neighbour(options, arena_strdup(options->arena, entries[i]->d_name), models);
    free(entries[i]);
  }
  if (count >= 0) free(entries);
  return good; /* what is wrong with the folder, writing into it tells */
}

/* --- Names ---------------------------------------------------------------------------------------------------------------- */

static const char *title(struct arena *arena, const struct model *model) {
  return model->spec ? printable(arena, model->spec)
                     : arena_format(arena, "the model %s that is there", printable(arena, model->name));
}

/* What two models cannot both have, or NULL. */
static const char *clash(struct arena *arena, const struct model *x, const struct model *y) {
  /* The macro that guards a header is the name in capitals, and there are file systems to which both are one. */
  if (!strcasecmp(x->name, y->name)) return arena_format(arena, "the name %s", y->name);
  static const char *const endings[] = {main_ending, example_ending, weights_ending};
  for (int i = 0; i < 3; i++)
    if (!strcmp(arena_format(arena, "%s%s", x->name, endings[i]), arena_format(arena, "%s.c", y->name)))
      return arena_format(arena, "the file %s.c", y->name);
  static const char *const kinds[] = {"struct", "enum"}; /* which share their names */
  for (int i = 0; x->header && i < 2; i++)
    if (strstr(x->header, arena_format(arena, "\n%s %s {", kinds[i], y->name)))
      return arena_format(arena, "%s %s", kinds[i], y->name);
  return NULL;
}

static bool check_names(struct options *options, const models *models) {
  struct arena *arena = options->arena;
  for (int i = 0; i < models->count; i++)
    for (int j = 0; j < models->count; j++) {
      const struct model *x = &models->items[i], *y = &models->items[j];
      const char *both = i != j && (x->spec || y->spec) ? clash(arena, x, y) : NULL;
      if (!both) continue;
      fprintf(stderr,
              "lamella: error: %s and %s would both have %s; emit one of them by itself into the same folder, with "
              "another name by --name\n",
              title(arena, x), title(arena, y), both);
      return false;
    }
  return true;
}

/* --- Files of the user's own ---------------------------------------------------------------------------------------------- */

/* Whether a file begins as those that are written here, or has nothing. */
static bool is_emitted(const char *path, const char *name) {
  char text[1024], *end;
  struct stat about;
  FILE *file = stat(path, &about) == 0 && S_ISREG(about.st_mode) ? fopen(path, "rb") : NULL;
  if (!file) return true; /* what else is wrong with it, writing it tells */
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  if (!*text) return true;
  if (project_is_own(text)) return true;
  if (strncmp(text, "/* ", 3) != 0 || !(end = strstr(text, "*/"))) return false;
  *end = 0;
  size_t length = 0; /* a comment of several lines, as one */
  for (const char *at = text; *at; at++)
    if (!isspace((unsigned char)*at) || (length && text[length - 1] != ' '))
      text[length++] = isspace((unsigned char)*at) ? ' ' : *at;
  text[length] = 0;
  if (strstr(text, "Written by Lamella ") || strstr(text, "as Lamella ")) return true;
  return (!strcmp(name, "lamella") && !strcmp(text, "/* What lamella.h declares. ")) ||
         (!strcmp(name, "lamella_runtime") && !strcmp(text, "/* What lamella_runtime.h declares. "));
}

static bool check_file(struct options *options, const char *name, const char *ending, const char *otherwise) {
  const char *path = arena_format(options->arena, "%s/%s%s", options->output, name, ending);
  if (is_emitted(path, name)) return true;
  fprintf(stderr, "lamella: error: %s is there, and Lamella did not write it: nothing is written; %s\n",
          printable(options->arena, path), otherwise);
  return false;
}

/* Whether nothing is lost that Lamella cannot write again. */
static bool check_files(struct options *options, const models *models) {
  static const char *const endings[] = {".h", ".c", main_ending, weights_ending};
  const char *const another = "emit into another folder, or with another name by --name";
  bool good = true;
  for (int k = 0; options->emission.example && k < 3; k++)
    good &= check_file(options, project_files[k], "", "emit into another folder, or without --project");
  for (int k = 0; k < 2; k++) {
    good &= check_file(options, "lamella", endings[k], "emit into another folder");
    good &= check_file(options, "lamella_runtime", endings[k], "emit into another folder");
  }
  for (int i = 0; i < models->count; i++) {
    const struct model *model = &models->items[i];
    for (int k = 0; k < (model->emitted.weights ? 4 : 3) && model->spec; k++)
      good &= check_file(options, model->name, endings[k], another);
    if (model->spec && options->emission.example) good &= check_file(options, model->name, example_ending, another);
  }
  return good;
}

/* --- What is written ------------------------------------------------------------------------------------------------------ */

static bool write_part_by(struct options *options, const char *name, const char *ending,
                          bool (*write)(FILE *file, const void *context), const void *context) {
  const char *path = arena_format(options->arena, "%s/%s%s", options->output, name, ending);
  const bool is_new = access(path, F_OK) != 0;
  if (!write_by(path, write, context)) return false;
  if (is_new) temporary_add(path);
  return true;
}

static bool put_text(FILE *file, const void *text) { return fputs(text, file) >= 0; }

static bool write_part(struct options *options, const char *name, const char *ending, const char *text) {
  return write_part_by(options, name, ending, put_text, text);
}

static void put_line(void *file, const char *line) { fputs(line, file); }

static bool put_weights(FILE *file, const void *emitter) {
  emit_weights(emitter, put_line, file);
  return !ferror(file);
}

static bool write_models(struct options *options, const models *models) {
  runtime_modules needed = 0;
  bool good = true;
  for (int i = 0; i < models->count; i++) {
    const struct model *model = &models->items[i];
    needed = runtime_modules_join(needed, model->emitted.runtime);
    if (model->spec) good = good && write_part(options, model->name, ".h", model->header);
  }
  const struct emitted_runtime runtime = emit_runtime(options->arena, options->passes.target, needed);
  good = good && write_part(options, "lamella", ".h", runtime.library_header) &&
         write_part(options, "lamella", ".c", runtime.library) &&
         write_part(options, "lamella_runtime", ".h", runtime.header) &&
         write_part(options, "lamella_runtime", ".c", runtime.source);
  for (int i = 0; i < models->count; i++) {
    const struct model *model = &models->items[i];
    if (model->spec)
      good = good && write_part(options, model->name, main_ending, model->emitted.main) &&
             write_part(options, model->name, ".c", model->emitted.core) &&
             (!model->emitted.weights ||
              write_part_by(options, model->name, weights_ending, put_weights, model->emitted.weights)) &&
             (!model->emitted.example || write_part(options, model->name, example_ending, model->emitted.example));
  }
  return good;
}

/* The text of a file that was emitted before; NULL where there is none, or one of the user's. */
static const char *own_part(struct options *options, const char *name, const char *ending) {
  const char *path = arena_format(options->arena, "%s/%s%s", options->output, name, ending);
  const struct source *source = is_emitted(path, name) ? source_read(options->arena, path) : NULL;
  return source ? source->text : NULL;
}

/* Those of models that are there already are read from the folder. */
static struct project_model *project_models(struct options *options, const models *models) {
  struct project_model *list = arena_new_array(options->arena, struct project_model, models->count);
  for (int i = 0; i < models->count; i++) {
    const struct model *model = &models->items[i];
    list[i].name = model->name;
    list[i].example = model->spec ? model->emitted.example : own_part(options, model->name, example_ending);
    list[i].has_weights =
        model->spec ? model->emitted.weights != NULL : own_part(options, model->name, weights_ending) != NULL;
  }
  return list;
}

static bool write_project(struct options *options, const struct project_model *list, int count) {
  const char *(*const texts[])(struct arena *, const struct project_model *, int) = {project_makefile, project_cmake,
                                                                                     project_readme};
  bool good = true;
  for (int k = 0; k < 3; k++)
    good = good && write_part(options, project_files[k], "", texts[k](options->arena, list, count));
  return good;
}

static bool check_project(const struct project_model *list, int count) {
  const char *taken = project_taken_name(list, count);
  if (taken)
    fprintf(stderr,
            "lamella: error: the Makefile of --project cannot build a program that is called %s; give it another name "
            "by --name\n",
            taken);
  return !taken;
}

int verb_emit(struct options *options) {
  struct arena *arena = options->arena;
  if (!options->output) {
    fprintf(stderr, "lamella emit: no folder is given; name one with -o DIR\n");
    return EXIT_USAGE;
  }
  if (options->frontend.name && options->specs.count > 1) {
    fprintf(stderr, "lamella emit: --name names one spec; emit the specs one after the other into the same folder\n");
    return EXIT_USAGE;
  }
  /* A folder that has a project keeps one that is about what is there. */
  const struct source *makefile = source_read(arena, arena_format(arena, "%s/%s", options->output, project_files[0]));
  if (makefile && project_is_own(makefile->text)) options->emission.example = true;
  if (options->emission.example && options->emission.bench) {
    fprintf(
        stderr,
        "lamella emit: --bench has kernels that lamella_runtime.c times, which the examples of a project do without; "
        "leave one of the two out, or emit into another folder\n");
    return EXIT_USAGE;
  }
  models models = {0};
  if (!compile_specs(options, &models) || !find_neighbours(options, &models) || !check_names(options, &models) ||
      !check_files(options, &models))
    return EXIT_WRONG_INPUT;
  const struct project_model *project = options->emission.example ? project_models(options, &models) : NULL;
  if (project && !check_project(project, models.count)) return EXIT_WRONG_INPUT;
  bool made = mkdir(options->output, 0777) == 0;
  if (!made && errno != EEXIST) {
    fprintf(stderr, "lamella: error: cannot make the folder %s: %s\n", printable(arena, options->output),
            strerror(errno));
    return EXIT_WRONG_INPUT;
  }
  if (made) temporary_add(options->output); /* until all files are there */
  if (!write_models(options, &models) || (project && !write_project(options, project, models.count)))
    return EXIT_WRONG_INPUT;
  temporary_keep_all();
  for (int i = 0; options->verbose && i < models.count; i++)
    fprintf(stderr, "%s %s/%s.c with its header, library, main and runtime for %s\n",
            models.items[i].spec ? "wrote" : "kept", printable(arena, options->output), models.items[i].name,
            options->passes.target->name);
  return EXIT_DONE;
}
