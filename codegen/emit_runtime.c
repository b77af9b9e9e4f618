/* Chooses and prints the modules of the runtime that a program carries. */
#include <string.h>

#include "codegen/emit.h"
#include "codegen/runtime_text.h"

enum module_name {
#define MODULE(name, part, needs, wanted) MODULE_##name,
#include "runtime/modules.def"
#undef MODULE
  MODULES
};

static const struct {
  const char *name, *needs;
  enum runtime_part part;
} modules[] = {
#define MODULE(name, part, needs, wanted) {#name, needs, part},
#include "runtime/modules.def"
#undef MODULE
};

static bool is_wanted(const struct program *p, const struct emit_options *o, enum module_name name) {
  switch (name) {
#define MODULE(name, part, needs, wanted) \
  case MODULE_##name:                     \
    return wanted;
#include "runtime/modules.def"
#undef MODULE
    case MODULES:
      break;
  }
  return false;
}

_Static_assert(MODULES <= 64, "a set of modules has a bit for each");

static enum module_name find_module(const char *name, size_t length) {
  for (int i = 0; i < MODULES; i++)
    if (!strncmp(modules[i].name, name, length) && !modules[i].name[length]) return (enum module_name)i;
  return MODULES;
}

/* Adds a module with all that it needs. */
static void choose(runtime_modules *chosen, enum module_name module) {
  if (*chosen >> module & 1) return;
  *chosen |= (runtime_modules)1 << module;
  for (const char *need = modules[module].needs; *need;) {
    size_t word = strcspn(need, " ");
    enum module_name needed = find_module(need, word);
    if (needed == MODULES) bug("the runtime has no module %.*s", (int)word, need);
    choose(chosen, needed);
    need += word + (need[word] == ' ');
  }
}

runtime_modules emit_runtime_modules(const struct emitter *emitter) {
  runtime_modules chosen = 0;
  for (int i = 0; i < MODULES; i++)
    if (is_wanted(emitter->program, &emitter->options, (enum module_name)i)) choose(&chosen, (enum module_name)i);
  return chosen;
}

/* The text of a file of the runtime, or NULL. */
static const char *runtime_file(const char *name) {
  for (const struct runtime_text *file = runtime_texts; file->name; file++)
    if (!strcmp(file->name, name)) return file->text;
  return NULL;
}

/* Prints the headers, or the sources, of the chosen modules of a part. */
static void add_files(runtime_modules chosen, enum runtime_part part, struct text *text, const char *ending) {
  for (int i = 0; i < MODULES; i++) {
    const char *name = arena_format(text->arena, "%s%s", modules[i].name, ending);
    const char *contents = modules[i].part == part && chosen >> i & 1 ? runtime_file(name) : NULL;
    if (!contents) continue;
    emit_banner(text, name);
    size_t length = strlen(contents);
    while (length > 1 && contents[length - 1] == '\n' && contents[length - 2] == '\n') length--;
    text_raw(text, arena_copy(text->arena, contents, length));
    text_blank(text);
  }
}

void emit_runtime_headers(runtime_modules chosen, enum runtime_part part, struct text *text) {
  if (part == PROGRAM) {
    text_raw(text, runtime_file("program.h"));
    text_blank(text);
  }
  add_files(chosen, part, text, ".h");
}

void emit_runtime_sources(runtime_modules chosen, enum runtime_part part, struct text *text) {
  add_files(chosen, part, text, ".c");
}

bool emit_runtime_has(const struct emitter *emitter, const char *name) {
  enum module_name module = find_module(name, strlen(name));
  if (module == MODULES) bug("the runtime has no module %s", name);
  return emit_runtime_modules(emitter) >> module & 1;
}

runtime_modules runtime_modules_join(runtime_modules x, runtime_modules y) {
  const runtime_modules both = x | y, watch = (runtime_modules)1 << MODULE_watch;
  return both & watch ? both & ~((runtime_modules)1 << MODULE_unwatched) : both; /* `watch` replaces `unwatched` */
}

runtime_modules runtime_modules_apart(runtime_modules chosen) {
  choose(&chosen, MODULE_watch);
  return chosen & ~((runtime_modules)1 << MODULE_unwatched);
}

int runtime_module_count(void) { return MODULES; }

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t add_hash(uint64_t hash, const char *text) {
  for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
  return hash;
}

uint64_t runtime_fingerprint(void) {
  uint64_t hash = add_hash(UINT64_C(14695981039346656037), LAMELLA_VERSION);
  for (const struct runtime_text *file = runtime_texts; file->name; file++)
    hash = add_hash(add_hash(hash, file->name), file->text);
  return hash;
}

const char *emit_runtime_source(struct arena *arena, int number) {
  const char *text = runtime_file(arena_format(arena, "%s.c", modules[number].name));
  return text ? text : "";
}

/* --- The note ----------------------------------------------------------------------------------------------------------- */

static const char note_beginning[] = "Of lamella.c and lamella_runtime.c, as Lamella ";

static const char *real_name(const struct target *target) { return target->double_precision ? "double" : "float"; }

const char *runtime_note(struct arena *arena, const struct target *target, runtime_modules chosen) {
  const char *list = "";
  for (int i = 0; i < MODULES; i++)
    if (chosen >> i & 1) list = arena_format(arena, "%s %s", list, modules[i].name);
  return arena_format(arena, "%s%s writes them for reals of %s, it needs:%s.", note_beginning, LAMELLA_VERSION,
                      real_name(target), list);
}

const char *runtime_note_read(struct arena *arena, const char *text, const struct target *target,
                              runtime_modules *chosen) {
  static const char blanks[] = " \n";
  const char *note = strstr(text, note_beginning), *list = note ? strstr(note, "it needs:") : NULL;
  *chosen = 0;
  if (!list) return "does not say what it needs of the runtime";
  if (!strstr(arena_copy(arena, note, (size_t)(list - note)), arena_format(arena, " %s writes them", LAMELLA_VERSION)))
    return "was written by another version of Lamella";
  if (!strstr(arena_copy(arena, note, (size_t)(list - note)), arena_format(arena, "reals of %s,", real_name(target))))
    return target->double_precision ? "has reals of float, and a runtime has one kind"
                                    : "has reals of double, and a runtime has one kind";
  list += strlen("it needs:");
  for (list += strspn(list, blanks); *list && *list != '.'; list += strspn(list, blanks)) {
    const size_t word = strcspn(list, " \n.");
    enum module_name module = find_module(list, word);
    if (!word || module == MODULES) return "was written by another version of Lamella";
    *chosen |= (runtime_modules)1 << module;
    list += word;
  }
  return NULL;
}
