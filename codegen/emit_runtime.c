/* The modules of the runtime that a program carries. */
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

static void choose(bool chosen[MODULES], const char *name, size_t length) {
  for (int i = 0; i < MODULES; i++) {
    if (strncmp(modules[i].name, name, length) != 0 || modules[i].name[length]) continue;
    if (chosen[i]) return;
    chosen[i] = true;
    for (const char *need = modules[i].needs; *need;) {
      size_t word = strcspn(need, " ");
      choose(chosen, need, word);
      need += word + (need[word] == ' ');
    }
    return;
  }
  bug("the runtime has no module %.*s", (int)length, name);
}

static void choose_all(const struct emitter *emitter, bool chosen[MODULES]) {
  for (int i = 0; i < MODULES; i++)
    if (is_wanted(emitter->program, &emitter->options, (enum module_name)i))
      choose(chosen, modules[i].name, strlen(modules[i].name));
}

/* NULL where there is none. */
static const char *runtime_file(const char *name) {
  for (const struct runtime_text *file = runtime_texts; file->name; file++)
    if (!strcmp(file->name, name)) return file->text;
  return NULL;
}

/* All headers, or all sources, of the modules of a part that the program has. */
static void add_files(const struct emitter *emitter, struct text *text, enum runtime_part part, const char *ending) {
  bool chosen[MODULES] = {false};
  choose_all(emitter, chosen);
  for (int i = 0; i < MODULES; i++) {
    const char *name = arena_format(emitter->arena, "%s%s", modules[i].name, ending);
    const char *contents = chosen[i] && modules[i].part == part ? runtime_file(name) : NULL;
    if (!contents) continue;
    emit_banner(text, name);
    text_raw(text, contents);
    text_blank(text);
  }
}

void emit_runtime_headers(const struct emitter *emitter, struct text *text, enum runtime_part part) {
  if (part == PROGRAM) {
    text_raw(text, runtime_file("program.h"));
    text_blank(text);
  }
  add_files(emitter, text, part, ".h");
}

void emit_runtime(const struct emitter *emitter, struct text *text, enum runtime_part part) {
  add_files(emitter, text, part, ".c");
}

bool emit_runtime_has(const struct emitter *emitter, const char *name) {
  bool chosen[MODULES] = {false};
  choose_all(emitter, chosen);
  for (int i = 0; i < MODULES; i++)
    if (!strcmp(modules[i].name, name)) return chosen[i];
  bug("the runtime has no module %s", name);
}
