/* Entry to lowering: files, top-level names, which blocks of the spec make the program, and the order of its graphs. */
#include "frontend/lower.h"

#include <errno.h>
#include <string.h>

/* --- Files -------------------------------------------------------------------------------------------------------- */

static const char *folder_of(struct arena *arena, const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? arena_copy(arena, path, (size_t)(slash - path)) : "";
}

enum { DEEPEST_FILES = 100, MOST_FILES = 4096 };

static struct file *load_file(struct lowering *lowering, const struct source *source, const char *way, bool in_library);

/* The relative path from the spec's folder to the folder of a file that `from` uses under this name. */
static const char *way_to(struct arena *arena, const struct file *from, const char *name) {
  const char *folder = folder_of(arena, name);
  if (!from->way || !*folder) return from->way;
  return *folder == '/' || !*from->way ? folder : arena_format(arena, "%s/%s", from->way, folder);
}

static const char *library_key(struct arena *arena, const char *path) {
  return arena_format(arena, "library:%s", path);
}

/* Uses a file of the library that is built into the compiler. Other files name it "std/x.lam", its neighbours "x.lam". */
static struct file *use_library(struct lowering *lowering, const struct file *from, const char *name) {
  struct arena *arena = lowering->arena;
  const char *path = from->in_library ? arena_format(arena, "%s/%s", from->folder, name) : name;
  struct file *known = table_find(&lowering->file_paths, library_key(arena, path));
  if (known || !lowering->options->library_text) return known;
  const char *text = lowering->options->library_text(path);
  return text ? load_file(lowering, source_from_text(arena, path, text), NULL, true) : NULL;
}

/* Uses a file beside `from`, or one in the folder $LAMELLA_LIBRARY, which may stand for "std". NULL if there is none; if there is one that
   cannot be read, this reports an error and sets `failed`. */
static struct file *use_found(struct lowering *lowering, const struct file *from, struct ast_name name, bool *failed) {
  struct arena *arena = lowering->arena;
  const char *library = lowering->options->standard_library;
  const char *places[3] = {
      *from->folder && *name.text != '/' ? arena_format(arena, "%s/%s", from->folder, name.text) : name.text, NULL,
      NULL};
  if (library) {
    places[1] = arena_format(arena, "%s/%s", library, name.text);
    if (!strncmp(name.text, "std/", 4)) places[2] = arena_format(arena, "%s/%s", library, name.text + 4);
  }
  for (int i = 0; i < 3; i++) {
    if (!places[i]) continue;
    struct file *known = table_find(&lowering->file_paths, places[i]);
    if (known) return known;
    const struct source *source = source_read(arena, places[i]);
    if (source) return load_file(lowering, source, i == 0 ? way_to(arena, from, name.text) : NULL, false);
    array_push(arena, &lowering->program->files, (struct spec_file){places[i], NULL});
    if (errno != ENOENT && errno != ENOTDIR) {
      fail(lowering, name.span, "%s cannot be read: %s", places[i], strerror(errno));
      *failed = true;
      return NULL;
    }
  }
  return NULL;
}

static struct file *use_file(struct lowering *lowering, const struct file *from, struct ast_name name) {
  bool failed = false;
  struct file *file = from->in_library ? NULL : use_found(lowering, from, name, &failed);
  if (!file && !failed) file = use_library(lowering, from, name.text);
  if (!file && !failed)
    fail(lowering, name.span, "there is no file '%s' beside this one%s", name.text,
         lowering->options->standard_library || lowering->options->library_text ? ", nor in the standard library" : "");
  return file;
}

/* The file's names; of those that come twice, the first. */
static void index_items(struct lowering *lowering, struct file *file) {
  for (int i = 0; i < file->tree->items.count; i++) {
    struct ast_item *item = file->tree->items.items[i];
    if (item->kind == ITEM_AXIS || item->kind == ITEM_USE || !item->name.text) continue;
    const struct ast_item *first = table_find(&file->items[item->kind], item->name.text);
    if (!first) {
      table_set(lowering->arena, &file->items[item->kind], item->name.text, item);
    } else if (item->kind != ITEM_TRAIN && item->kind != ITEM_PIPELINE && !lowering->exhausted) {
      fail(lowering, item->name.span, "'%s' is defined twice", item->name.text);
      report_note(lowering->diagnostics, first->name.span, "the first definition");
    }
  }
}

static struct file *load_file(struct lowering *lowering, const struct source *source, const char *way,
                              bool in_library) {
  struct file *file = arena_new_struct(lowering->arena, struct file);
  file->path = source->path;
  file->folder = folder_of(lowering->arena, source->path);
  file->way = way;
  file->in_library = in_library;
  if (!in_library) array_push(lowering->arena, &lowering->program->files, (struct spec_file){source->path, source});
  array_push(lowering->arena, &lowering->files, file); /* before what it uses, so that a circle of uses ends */
  table_set(lowering->arena, &lowering->file_paths, in_library ? library_key(lowering->arena, file->path) : file->path,
            file);
  file->tree = parse_source(lowering->arena, source, lowering->diagnostics);
  if (!file->tree) {
    struct ast_file *empty = arena_new_struct(lowering->arena, struct ast_file);
    empty->source = source;
    file->tree = empty;
  }
  for (int i = 0; i < file->tree->items.count; i++) {
    const struct ast_item *item = file->tree->items.items[i];
    if (item->kind != ITEM_USE) continue;
    if (lowering->file_depth >= DEEPEST_FILES) {
      fail(lowering, item->name.span, "files use one another more than %d deep", DEEPEST_FILES);
      break;
    }
    if (lowering->files.count >= MOST_FILES && !lowering->exhausted) {
      fail(lowering, item->name.span, "a spec uses at most %d files", MOST_FILES);
      lowering->exhausted = true;
    }
    if (lowering->exhausted) break;
    lowering->file_depth++;
    struct file *used = use_file(lowering, file, item->name);
    lowering->file_depth--;
    if (used) array_push(lowering->arena, &file->uses, used);
  }
  index_items(lowering, file);
  return file;
}

/* --- Which blocks make the program -------------------------------------------------------------------------------- */

static const struct ast_item *nth_item(const struct file *file, enum ast_item_kind kind, const char *name, bool last) {
  const struct ast_item *found = NULL;
  for (int i = 0; i < file->tree->items.count; i++) {
    const struct ast_item *item = file->tree->items.items[i];
    if (item->kind == kind && (!name || !strcmp(item->name.text, name)) && (last || !found)) found = item;
  }
  return found;
}

static bool unknown_item(struct lowering *lowering, struct span span, enum ast_item_kind kind, const char *what,
                         const char *name) {
  names candidates = {0};
  collect_item_names(lowering, lowering->files.items[0], kind, &candidates);
  fail(lowering, span, "there is no %s '%s'%s", what, name, suggestion(lowering, name, &candidates));
  return false;
}

/* The model's calibrate block, if there is one. A program has one set of data. */
static bool choose_calibration(struct lowering *lowering) {
  const struct file *spec = lowering->files.items[0];
  const struct ast_item *calibrate = nth_item(spec, ITEM_CALIBRATE, lowering->model->name.text, true);
  if (!calibrate) return true;
  lowering->calibrate = calibrate;
  if (lowering->train && strcmp(calibrate->on.text, lowering->train->on.text) != 0) {
    fail(
        lowering, calibrate->on.span,
        "model '%s' is trained on data '%s', and calibrated on the same: write 'on %s'; the verb takes --data FILE for "
        "other files",
        lowering->model->name.text, lowering->train->on.text, lowering->train->on.text);
    report_note(lowering->diagnostics, lowering->train->on.span, "it is trained here");
    return false;
  }
  lowering->data = find_item(lowering, spec, ITEM_DATA, calibrate->on.text, &lowering->data_file);
  return lowering->data != NULL;
}

static bool choose_blocks(struct lowering *lowering) {
  const struct file *spec = lowering->files.items[0];
  const char *name = lowering->options->model;
  const struct span nowhere = {0};
  for (int i = 0; i < spec->tree->items.count; i++) {
    const struct ast_item *item = spec->tree->items.items[i];
    const bool reads_data = item->kind == ITEM_TRAIN || item->kind == ITEM_CALIBRATE;
    if ((reads_data || item->kind == ITEM_GENERATE) && !find_item(lowering, spec, ITEM_MODEL, item->name.text, NULL))
      unknown_item(lowering, item->name.span, ITEM_MODEL, "model", item->name.text);
    if (reads_data && !find_item(lowering, spec, ITEM_DATA, item->on.text, NULL))
      unknown_item(lowering, item->on.span, ITEM_DATA, "data", item->on.text);
  }
  const struct ast_item *train = nth_item(spec, ITEM_TRAIN, name, false);
  if (!name) name = train ? train->name.text : NULL;
  if (name) {
    lowering->model = find_item(lowering, spec, ITEM_MODEL, name, &lowering->model_file);
    if (!lowering->model) return train ? false : unknown_item(lowering, nowhere, ITEM_MODEL, "model", name);
  } else {
    lowering->model = nth_item(spec, ITEM_MODEL, NULL, true);
    lowering->model_file = spec;
    for (int i = spec->uses.count; i-- > 0 && !lowering->model;) {
      lowering->model = nth_item(spec->uses.items[i], ITEM_MODEL, NULL, true);
      lowering->model_file = spec->uses.items[i];
    }
    if (!lowering->model) {
      fail(lowering, (struct span){.source = spec->tree->source, .begin = 0, .end = 0},
           "this spec has no model; write one as in model name(x) -> y { ... }");
      return false;
    }
  }
  if (train) {
    lowering->train = train;
    lowering->train_file = spec;
    lowering->data = find_item(lowering, spec, ITEM_DATA, train->on.text, &lowering->data_file);
    if (!lowering->data) return false;
  }
  if (!choose_calibration(lowering)) return false;
  lowering->generate = nth_item(spec, ITEM_GENERATE, lowering->model->name.text, true);
  lowering->generate_file = spec;
  return true;
}

static void read_pipeline(struct lowering *lowering) {
  const struct ast_item *item = nth_item(lowering->files.items[0], ITEM_PIPELINE, NULL, true);
  for (int i = 0; item && i < item->body.count; i++) {
    const struct span span = item->body.items[i]->span;
    const char *text = arena_copy(lowering->arena, span.source->text + span.begin, (size_t)(span.end - span.begin));
    array_push(lowering->arena, &lowering->program->pipeline, (struct setting){.text = text, .span = span});
  }
}

/* --- The program -------------------------------------------------------------------------------------------------- */

static int64_t batch_size(struct lowering *lowering) {
  int64_t batch = lowering->program->training ? lowering->program->training->batch : 1;
  struct override *override = find_override(lowering, "batch");
  if (override && override_expression(lowering, override)) {
    lowering->frame = frame_new(lowering, lowering->model_file, NULL, "", (struct span){0});
    evaluate_integer(lowering, override->expression, "'batch'", 1, INT32_MAX, &batch);
    lowering->frame = NULL;
    if (lowering->program->training) lowering->program->training->batch = batch;
  }
  return batch;
}

static void lower_graphs(struct lowering *lowering) {
  struct program *program = lowering->program;
  struct diagnostics *diagnostics = lowering->diagnostics;
  struct frame *settings_frame = frame_new(lowering, lowering->train_file ? lowering->train_file : lowering->model_file,
                                           NULL, "", (struct span){0});
  if (lowering->train) {
    lowering->frame = settings_frame;
    read_train_settings(lowering);
  }
  if (lowering->generate) {
    lowering->frame = settings_frame;
    read_generate_settings(lowering);
  }
  if (lowering->calibrate) {
    lowering->frame = settings_frame;
    read_calibrate_settings(lowering);
  }
  struct graph scratch = {.arena = lowering->arena, .next_axis = &program->next_axis};
  lowering->batch_axis = axis_new_batch(&scratch, batch_size(lowering), (struct span){0});
  if (lowering->data) {
    lowering->frame = settings_frame;
    read_data_settings(lowering);
  }
  /* The errors of one graph are mostly those of the next, so no further graph is built after errors. */
  if (lowering->train) lower_train(lowering);
  if (lowering->train && !diagnostics->error_count) lower_evaluate(lowering);
  if (lowering->calibrate && !diagnostics->error_count) lower_calibrate(lowering);
  if (!diagnostics->error_count) lower_predict(lowering);
  lower_predictions(lowering);
  if (lowering->generate && !diagnostics->error_count) lower_generate(lowering);
  if (lowering->data) {
    check_unread_columns(lowering);
    finish_tokenizer(lowering);
    finish_synthesize(lowering);
  }
  if (!diagnostics->error_count) check_total_storage(lowering);
}

/* Puts parameters first, in the order of declaration, and the other states after them in the order in which they were
   made. */
static void order_states(struct program *program) {
  struct state **items = arena_new_array(program->arena, struct state *, program->states.count);
  int count = 0;
  for (int rest = 0; rest < 2; rest++)
    for (int i = 0; i < program->states.count; i++)
      if ((program->states.items[i]->role == ROLE_PARAMETER) == (rest == 0)) items[count++] = program->states.items[i];
  program->states.items = items;
  program->states.capacity = count;
}

struct program *lower_source(struct arena *arena, const struct source *source, const struct frontend_options *options,
                             struct diagnostics *diagnostics) {
  static const struct frontend_options no_options = {0};
  struct lowering lowering = {.arena = arena, .diagnostics = diagnostics, .options = options ? options : &no_options};
  struct program *program = lowering.program = arena_new_struct(arena, struct program);
  program->arena = arena;
  program->spec = program_name(arena, source->path);
  const int before = diagnostics->error_count;
  load_file(&lowering, source, "", false);
  if (options && options->files) *options->files = program->files;
  if (diagnostics->error_count > before) return NULL; /* a spec with syntax errors would be misunderstood */
  read_overrides(&lowering);
  for (int i = 0; i < lowering.files.count; i++) declare_global_axes(&lowering, lowering.files.items[i]);
  for (int i = 0; i < lowering.files.count; i++)
    for (int j = 0; j < lowering.files.items[i]->axes.count; j++)
      resolve_global_axis(&lowering, lowering.files.items[i]->axes.items[j]);
  if (choose_blocks(&lowering)) {
    program->model = lowering.model->name.text;
    if (!strcmp(source->path, SPEC_OF_STDIN)) program->spec = program_name(arena, program->model);
    program->name = options && options->name ? options->name : program->spec;
    read_pipeline(&lowering);
    if (diagnostics->error_count == before) lower_graphs(&lowering);
  }
  report_unused_overrides(&lowering);
  if (diagnostics->error_count > before) return NULL;
  order_states(program);
  return program;
}

struct program *lower_spec(struct arena *arena, const char *path, const struct frontend_options *options,
                           struct diagnostics *diagnostics) {
  const struct source *source = source_read(arena, path);
  if (!source) {
    report_error(diagnostics, (struct span){0}, "%s cannot be read: %s", path, strerror(errno));
    return NULL;
  }
  return lower_source(arena, source, options, diagnostics);
}
