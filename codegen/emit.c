/* Prints a whole program: as its files, and as one text. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/emit.h"
#include "codegen/merge.h"

/* --- Kernels ------------------------------------------------------------------------------------------------------------ */

static void add_calls(struct arena *arena, struct pointer_table *list, const struct block *block);

static void add_function(struct arena *arena, struct pointer_table *list, const struct function *function) {
  if (pointer_table_find(list, function)) return;
  pointer_table_at(arena, list, function, 1);
  add_calls(arena, list, &function->body);
}

static void add_calls(struct arena *arena, struct pointer_table *list, const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *statement = block->statements.items[i];
    if (statement->kind == STATEMENT_CALL) add_function(arena, list, statement->function);
    add_calls(arena, list, &statement->body);
  }
}

/* The functions that launches reach. Compilers would warn of the others, which are left out. */
static struct pointer_table used_functions(struct arena *arena, const struct module *module) {
  struct pointer_table list = {0};
  for (int i = 0; i < module->routines.count; i++)
    for (int j = 0; j < module->routines.items[i]->launches.count; j++)
      add_function(arena, &list, module->routines.items[i]->launches.items[j]->function);
  return list;
}

/* Whether a kernel cannot have this name, because a routine's local, a table or a library's function has it. (Local tables are called
   otherwise than kernels, see table_name.) */
static bool is_reserved(const struct emitter *emitter, const char *name) {
  static const char *const locals[] = {
      "a",           "p",          "o",       "g",         "e",          "c",     "r",       "d",
      "i",           "q",          "self",    "m",         "io",         "seed",  "sizes",   "step",
      "activations", "rows",       "past",    "status",    "states",     "ports", "memory",  "families",
      "columns",     "id_columns", "data",    "settings",  "generation", "verbs", "program", "tensors",
      "main",        "bench",      "kernels", "workloads", NULL};
  for (int i = 0; locals[i]; i++)
    if (!strcmp(locals[i], name)) return true;
  return emitter->printer->dialect->is_library_name(name);
}

/* Whether the name begins as those of the program, the runtime or a library do: then no suffix makes it free. */
static bool has_reserved_beginning(const struct emitter *emitter, const char *name) {
  static const char *const beginnings[] = {"lam_", "run_", "pthread_", "omp_", "_"};
  size_t length = strlen(emitter->name);
  if (!strncmp(name, emitter->name, length) && (!name[length] || name[length] == '_')) return true;
  for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
    if (!strncmp(name, beginnings[i], strlen(beginnings[i]))) return true;
  return false;
}

static void rename_functions(struct emitter *emitter) {
  const struct module *module = emitter->module;
  struct arena *arena = emitter->arena;
  struct table *names = &emitter->function_names;
  for (int i = 0; i < module->functions.count; i++) {
    const char *name = module->functions.items[i]->name;
    int *count = table_find(names, name);
    if (!count) table_set(arena, names, name, count = arena_new_struct(arena, int));
    ++*count;
  }
  for (int i = 0; i < module->functions.count; i++) {
    struct function *function = module->functions.items[i];
    --*(int *)table_find(names, function->name);
    const char *base = c_identifier(emitter->printer, function->name);
    if (has_reserved_beginning(emitter, base)) base = arena_format(arena, "kernel_%s", base);
    const char *name = base;
    int *count;
    for (int number = 2; count = table_find(names, name), is_reserved(emitter, name) || (count && *count); number++)
      name =
          number == 2 ? arena_format(arena, "%s_kernel", base) : arena_format(arena, "%s_kernel_%d", base, number - 1);
    function->name = name;
    if (!count) table_set(arena, names, name, count = arena_new_struct(arena, int));
    ++*count;
  }
}

/* Prints the kernel, unless the same task was printed before: kernels for a constant and for a run-time number of rows
   have the same task. */
static void print_kernel(struct emitter *emitter, const struct function *function) {
  struct arena *arena = emitter->arena;
  struct c_printer *printer = emitter->printer;
  struct kernel_text kernel = {.function = function, .name = c_identifier(emitter->printer, function->name)};
  struct text *all = printer->text;
  const char *other = NULL;
  printer->text = text_new(arena);
  if (c_is_task(function)) {
    const char *key = c_print_task(printer, function, true);
    kernel.takes = c_task_takes(arena, function);
    other = table_find(&emitter->kernel_names, key);
    if (other)
      kernel.name = other;
    else
      table_set(arena, &emitter->kernel_names, key, (void *)kernel.name);
  } else {
    c_print_function(printer, function, true);
  }
  pointer_table_at(arena, &emitter->kernel_numbers, function, emitter->kernels.count);
  array_push(arena, &emitter->kernels, kernel);
  if (!other) {
    text_raw(all, text_string(printer->text));
    text_blank(all);
  }
  printer->text = all;
}

static void print_kernels(struct emitter *emitter) {
  struct arena *arena = emitter->arena;
  struct pointer_table used = used_functions(arena, emitter->module);
  for (int i = 0; i < emitter->module->functions.count; i++) {
    struct function *function = emitter->module->functions.items[i];
    if (!pointer_table_find(&used, function)) continue;
    function_tidy_names(arena, function);
    print_kernel(emitter, function);
  }
  if (emitter->options.bench) emit_peaks(emitter);
}

/* --- The source --------------------------------------------------------------------------------------------------------- */

void emit_banner(struct text *text, const char *title) {
  text_raw(text, "/* ---- ");
  text_raw(text, title);
  text_raw(text, " ");
  for (size_t column = strlen(title) + 9; column < 117; column++) text_raw(text, "-");
  text_raw(text, " */\n");
}

const char *emit_core_files(const struct emitter *emitter) {
  const char *name = emitter->program->name, *core = arena_format(emitter->arena, "%s.c", name);
  return emit_baked_bytes(emitter) ? arena_format(emitter->arena, "%s %s_weights.c", core, name) : core;
}

static void opening_comment(struct emitter *emitter, struct text *text) {
  const struct program *program = emitter->program;
  const struct target *target = emitter->target;
  const char *name = program->name, *core = emit_core_files(emitter);
  bool verbs[EMITTED_VERBS];
  emit_verbs(program, verbs);
  text_comment(
      text,
      arena_format(
          emitter->arena,
          "%s.c: the model %s of %s.lam%s, for %s.\nWritten by Lamella %s. It needs libc and libm alone.\n"
          "To call it from another program, see %s.h, and compile %s with lamella.c. With -fopenmp it has all threads; "
          "the results are the same. Its own program, for one thread:\n"
          "  cc -O2 %s %s_main.c lamella.c lamella_runtime.c -o %s -lm",
          name, program->model ? program->model : name, program->spec ? program->spec : name,
          verbs[0] && verbs[2] ? ", its training and its generation"
          : verbs[0]           ? " and its training"
          : verbs[2]           ? " and its generation"
                               : "",
          target->description ? target->description : target->name, LAMELLA_VERSION, name, core, core, name, name));
}

/* Prints the kernels and routines, which need nothing of the library or the runtime. */
static const char *print_core(struct emitter *emitter) {
  struct arena *arena = emitter->arena;
  struct text *core = text_new(arena), *routines = text_new(arena);
  rename_functions(emitter);
  print_kernels(emitter);
  text_comment(routines, "A place in the memory that begins at `at`, so many bytes on.");
  text_line(routines, "#define AT(bytes) (void *)(at + (bytes))");
  text_blank(routines);
  emit_check_functions(emitter, routines);
  for (int i = 0; i < emitter->module->routines.count; i++) {
    const struct routine *routine = emitter->module->routines.items[i];
    struct owner *activations = emit_owner(emitter, OWNER_ACTIVATIONS, routine);
    if (activations) emit_activations(emitter, routines, activations);
    emit_routine(emitter, routines, routine);
  }
  emitter->printer->headers[HEADER_MATH] = emitter->printer->headers[HEADER_MEMORY] = true;
  const char *prelude = c_prelude(emitter->printer);
  text_raw(core, arena_format(arena, "#include \"%s.h\"\n\n", emitter->program->name));
  emitter->printer->dialect->print_check_headers(core, emitter->target);
  text_raw(core, "#include <stddef.h>\n#include <stdlib.h>\n");
  text_raw(core, prelude);
  text_blank(core);
  emit_banner(core, "kernels");
  text_blank(core);
  text_raw(core, text_string(emitter->printer->text));
  emit_banner(core, "routines");
  text_blank(core);
  if (emitter->options.bench) emit_timed_calls(emitter, core);
  text_raw(core, text_string(routines));
  return text_string(core);
}

/* Prints the functions around the kernels and routines, which follow them in NAME.c. */
static const char *print_model(struct emitter *emitter, bool one_text) {
  struct text *text = text_new(emitter->arena);
  emit_banner(text, "the library");
  text_blank(text);
  emit_library(emitter, text, one_text);
  emit_banner(text, "memory");
  text_blank(text);
  emit_memory(emitter, text);
  return text_string(text);
}

/* A file: its comment (NULL: the one that opens NAME.c), the rules, the includes and the body. */
static const char *print_file(struct emitter *emitter, const char *comment, const char *includes, const char *body) {
  struct text *text = text_new(emitter->arena);
  if (comment)
    text_comment(text, comment);
  else
    opening_comment(emitter, text);
  emitter->printer->dialect->print_rules(text);
  text_raw(text, includes);
  text_raw(text, body);
  return text_string(text);
}

static const char *real_macro(const struct target *target) {
  return target->double_precision ? "#define LAM_REAL double\n" : "";
}

static const char posix[] = "#ifndef _POSIX_C_SOURCE\n#define _POSIX_C_SOURCE 200809L\n#endif\n";

const char *emit_runtime_module(struct arena *arena, const struct target *target, int number) {
  struct emitter emitter = {.arena = arena, .target = target, .printer = c_printer_new(arena, target)};
  const runtime_modules all = runtime_modules_apart(~(runtime_modules)0);
  struct text *text = text_new(arena);
  text_raw(text, arena_format(arena, "%s%s\n", posix, real_macro(target)));
  emit_runtime_headers(all, LIBRARY, text);
  emit_runtime_headers(all, PROGRAM, text);
  text_raw(text, emit_runtime_source(arena, number));
  return print_file(&emitter, "A module of the runtime.", "", text_string(text));
}

struct emitted_runtime emit_runtime(struct arena *arena, const struct target *target, runtime_modules chosen) {
  struct emitter emitter = {.arena = arena, .target = target, .printer = c_printer_new(arena, target)};
  struct text *headers[2], *sources[2];
  for (int part = LIBRARY; part <= PROGRAM; part++) {
    emit_runtime_headers(chosen, (enum runtime_part)part, headers[part] = text_new(arena));
    emit_runtime_sources(chosen, (enum runtime_part)part, sources[part] = text_new(arena));
  }
  return (struct emitted_runtime){
      .library_header = arena_format(
          arena,
          "/* What emitted models share: tensors, weights, text. Written by Lamella %s. */\n"
          "#ifndef LAMELLA_H\n#define LAMELLA_H\n%s#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n%s\n#ifdef "
          "__cplusplus\n}\n#endif\n\n#endif\n",
          LAMELLA_VERSION, real_macro(target), text_string(headers[LIBRARY])),
      .library = print_file(&emitter, "What lamella.h declares.",
                            arena_format(arena, "%s#include \"lamella.h\"\n\n", posix), text_string(sources[LIBRARY])),
      .header =
          arena_format(arena,
                       "/* What emitted programs share: data, training, the command line. Written by Lamella %s. */\n"
                       "#ifndef LAMELLA_RUNTIME_H\n#define LAMELLA_RUNTIME_H\n%s#include \"lamella.h\"\n\n%s\n#endif\n",
                       LAMELLA_VERSION, posix, text_string(headers[PROGRAM])),
      .source = print_file(&emitter, "What lamella_runtime.h declares.", "#include \"lamella_runtime.h\"\n\n",
                           text_string(sources[PROGRAM]))};
}

/* The parameters as a constant array, which may lie in read-only memory and is aligned for vectors. */
void emit_weights(const struct emitter *emitter, void (*put)(void *context, const char *line), void *context) {
  struct arena *arena = emitter->arena;
  const char *name = emitter->program->name;
  struct text *head = text_new(arena);
  text_comment(head, arena_format(arena, "%s_weights.c: the parameters of the model in %s.c. Written by Lamella %s.",
                                  name, name, LAMELLA_VERSION));
  put(context, text_string(head));
  put(context, "#include <stdalign.h>\n#include <stdint.h>\n\n");
  put(context, arena_format(arena, "extern const uint32_t %s_weights[];\n", emitter->name));
  put(context, arena_format(arena, "alignas(64) const uint32_t %s_weights[%lld] = {\n", emitter->name,
                            (long long)emit_baked_bytes(emitter) / 4));
  emit_baked_words(emitter, put, context);
  put(context, "};\n");
}

static void put_text(void *text, const char *line) { text_raw(text, line); }

static void print_sources(struct emitter *emitter, struct emitted *emitted) {
  struct arena *arena = emitter->arena;
  const char *name = emitter->program->name, *core = print_core(emitter);
  struct text *tables = text_new(arena);
  emit_tables(emitter, tables);
  emitted->runtime = emit_runtime_modules(emitter);
  emitted->weights = emit_baked_bytes(emitter) ? emitter : NULL;
  emitted->core = print_file(emitter, NULL, "\n", arena_format(arena, "%s%s", core, print_model(emitter, false)));
  struct text *main = text_new(arena); /* without the rules: it computes nothing */
  text_comment(main, arena_format(arena,
                                  "%s_main.c: what the runtime reads of %s.c, and main unless LAMELLA_NO_MAIN is "
                                  "defined.\n%s",
                                  name, name, runtime_note(arena, emitter->target, emitted->runtime)));
  text_raw(main, arena_format(arena,
                              "#include \"lamella_runtime.h\"\n\n#include \"%s.h\"\n\n#include <math.h>\n#include "
                              "<stdlib.h>\n#include <string.h>\n\n",
                              name));
  text_raw(main, text_string(tables));
  emitted->main = text_string(main);
  if (emitter->options.example) emitted->example = emit_example(emitter);
  if (emitter->options.files) return;
  /* The modules need POSIX, which is asked for before the first include; so their declarations come first. */
  struct text *whole = text_new(arena);
  const bool apart = emitter->options.modules;
  if (apart) emitted->runtime = runtime_modules_apart(emitted->runtime);
  text_raw(whole,
           arena_format(arena, "%s%s%s\n", apart ? "" : "#define LAM_ONE_TEXT\n", posix, real_macro(emitter->target)));
  emit_runtime_headers(emitted->runtime, LIBRARY, whole);
  emit_runtime_headers(emitted->runtime, PROGRAM, whole);
  if (emitted->weights) emit_weights(emitter, put_text, whole);
  text_raw(whole, core);
  text_raw(whole,
           "/* Without main, or with settings that a spec does not have, some functions have no caller. */\n"
           "#pragma GCC diagnostic ignored \"-Wunused-function\"\n\n");
  if (!apart) emit_runtime_sources(emitted->runtime, LIBRARY, whole);
  text_raw(whole, print_model(emitter, true));
  if (!apart) emit_runtime_sources(emitted->runtime, PROGRAM, whole);
  emit_banner(whole, "what the runtime reads of this program, and main");
  text_blank(whole);
  text_raw(whole, text_string(tables));
  emitted->source = print_file(emitter, NULL, "", text_string(whole));
}

/* --- The header --------------------------------------------------------------------------------------------------------- */

static const char *print_header(struct emitter *emitter) {
  struct arena *arena = emitter->arena;
  struct text *text = text_new(arena);
  const char *name = emitter->name;
  const char *guard = arena_format(arena, "%s_H", emit_upper_name(emitter));
  text_comment(
      text,
      arena_format(
          arena,
          "%s.h: calls %s.c from another program. Written by Lamella %s.\nWrite a routine's inputs where the "
          "pointers of its struct lead, run it, read its outputs there. Arrays are row-major; their axes are in the "
          "comments.",
          emitter->program->name, emitter->program->name, LAMELLA_VERSION));
  text_raw(text,
           arena_format(arena, "#ifndef %s\n#define %s\n\n#include <stddef.h>\n#include <stdint.h>\n\n", guard, guard));
  text_raw(text, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  emit_public_structs(emitter, text);
  text_blank(text);
  emit_memory_header(emitter, text);
  text_blank(text);
  text_comment(text,
               "The routines: they read their inputs and write their outputs where the pointers of their struct lead.");
  for (int i = 0; i < emitter->module->routines.count; i++) {
    const struct routine *routine = emitter->module->routines.items[i];
    text_comment(text, emit_summary(emitter, routine));
    text_line(text, "int %s_%s(%s);", name, routine->name, emit_signature(emitter, routine));
  }
  text_blank(text);
  emit_library_header(emitter, text);
  text_blank(text);
  text_comment(text, arena_format(arena, "From here on %s_main.c and lamella_runtime.c are needed, too.",
                                  emitter->program->name));
  text_comment(text,
               "The program as its own command line sees it; the memory is made on the first call. NULL as above.");
  text_line(text, "struct lam_program *%s_program(void);", name);
  text_raw(text, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
  return text_string(text);
}

/* The program's name as an identifier: "gpt-nano-sort" gives gpt_nano_sort. */
static const char *program_identifier(const struct c_printer *printer, const char *name) {
  char *text = arena_format(printer->arena, "%s%s", isalpha((unsigned char)name[0]) ? "" : "model_", name);
  for (char *c = text; *c; c++)
    if (!isalnum((unsigned char)*c)) *c = '_';
  return printer->dialect->is_taken(text) ? arena_format(printer->arena, "%s_", text) : text;
}

static void make_tasks(struct arena *arena, struct module *module) {
  struct pointer_table made = {0};
  for (int i = 0; i < module->functions.count; i++)
    if (c_make_task(module->functions.items[i])) pointer_table_at(arena, &made, module->functions.items[i], 1);
  for (int j = 0; j < module->routines.count; j++)
    for (int k = 0; k < module->routines.items[j]->launches.count; k++) {
      struct launch *launch = module->routines.items[j]->launches.items[k];
      launch->in_order = launch->in_order || pointer_table_find(&made, launch->function);
    }
}

/* How many tasks there are is an argument, so that kernels which differ in that alone are merged. */
static void take_task_counts(struct arena *arena, struct module *module) {
  struct pointer_table numbers = {0};
  int64_t *counts = arena_new_array(arena, int64_t, module->functions.count + 1);
  for (int i = 0; i < module->functions.count; i++) {
    counts[i] = c_take_task_count(arena, module->functions.items[i]);
    *pointer_table_at(arena, &numbers, module->functions.items[i], 0) = i;
  }
  for (int j = 0; j < module->routines.count; j++)
    for (int k = 0; k < module->routines.items[j]->launches.count; k++) {
      struct launch *launch = module->routines.items[j]->launches.items[k];
      const int64_t count = counts[*pointer_table_find(&numbers, launch->function)];
      if (count)
        array_push(arena, &launch->arguments,
                   ((struct launch_argument){.number_kind = NUMBER_CONSTANT, .number = count}));
    }
}

/* The target with those of its features alone that the kernels use: so the program is the same whatever others were named. */
static const struct target *target_in_use(struct arena *arena, const struct module *module,
                                          const struct target *target) {
  if (!strchr(target->name, '+')) return target;
  struct c_printer *printer = c_printer_new(arena, target);
  struct pointer_table used = used_functions(arena, module);
  for (int i = 0; i < module->functions.count; i++)
    if (pointer_table_find(&used, module->functions.items[i]))
      c_print_function(printer, module->functions.items[i], true);
  return c_target_used(printer);
}

struct emitted emit_c(struct arena *arena, const struct program *program, const struct module *module,
                      const struct target *target, const struct emit_options *options) {
  struct module *own = arena_new_struct(arena, struct module);
  *own = *module;
  own->functions.items = NULL, own->functions.count = own->functions.capacity = 0;
  for (int i = 0; i < module->functions.count; i++) array_push(arena, &own->functions, module->functions.items[i]);
  times_enter(options->times, "merge");
  make_tasks(arena, own);
  take_task_counts(arena, own);
  merge_kernels(arena, own);
  times_leave(options->times);
  times_enter(options->times, "code");
  target = target_in_use(arena, own, target);
  struct emitter *emitter = arena_new_struct(arena, struct emitter);
  *emitter = (struct emitter){.arena = arena, .program = program, .module = own, .target = target, .options = *options};
  emitter->printer = c_printer_new(arena, target);
  emitter->name = program_identifier(emitter->printer, program->name);
  emit_find_quantized(emitter);
  times_enter(options->times, "roll");
  emit_name_copies(emitter);
  times_leave(options->times);
  emit_layout(emitter);
  struct emitted emitted = {.header = print_header(emitter)};
  print_sources(emitter, &emitted);
  times_leave(options->times);
  return emitted;
}
