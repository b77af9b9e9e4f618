#define _GNU_SOURCE /* sched_getaffinity */
#include "driver/spec_code.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_JOBS = 8 }; /* more parts would be too small to be worth their copies of helper functions */

static int compile_jobs(const struct options *options) {
  cpu_set_t processors;
  int jobs = options->jobs;
  if (!jobs && sched_getaffinity(0, sizeof processors, &processors) == 0) jobs = CPU_COUNT(&processors);
  return jobs < 1 ? 1 : jobs > MOST_JOBS ? MOST_JOBS : jobs;
}

bool has_openmp(const struct options *options) {
  if (options->openmp == OPENMP_NONE) return false;
  return options->openmp == OPENMP_STATIC ? jit_has_static_openmp() : jit_has_openmp();
}

static struct jit_source source_like(const struct options *options, struct cache *cache) {
  static const char *const no_main[] = {"-DLAMELLA_NO_MAIN"};
  return (struct jit_source){.output = options->kind == BUILD_ASSEMBLY ? JIT_ASSEMBLY : JIT_OBJECT,
                             .level = options->level,
                             .debug = options->debug,
                             .openmp = has_openmp(options),
                             .march = options->march,
                             .arguments = no_main,
                             .argument_count = options->kind == BUILD_SHARED,
                             .threads = options->kind == BUILD_OBJECT ? 1 : compile_jobs(options),
                             .cache = cache};
}

static void *prepare(void *source) {
  jit_prepare(source);
  return NULL;
}

/* C that the compiler refuses is a fault of Lamella, so the source is kept for a report. */
static void keep_refused(struct options *options, const struct program *program, const struct emitted *emitted,
                         const char *message) {
  const char *folder = temporary_folder(options), *place = "";
  if (folder) {
    const char *source = arena_format(options->arena, "%s/%s.c", folder, program->name);
    if (write_file(source, emitted->source) &&
        write_file(arena_format(options->arena, "%s/%s.h", folder, program->name), emitted->header))
      place = arena_format(options->arena, ", which is kept at %s", source);
  }
  fprintf(stderr, "%slamella: internal error: the C compiler refused the emitted program%s\n", message, place);
}

static bool compile(struct options *options, struct cache *cache, struct hash record, const char **name,
                    struct jit_object *object) {
  /* A thread loads Clang's libraries and headers while the passes run. */
  struct jit_source early = source_like(options, cache);
  pthread_t thread;
  bool has_thread = pthread_create(&thread, NULL, prepare, &early) == 0;
  struct program *program;
  struct emitted emitted;
  struct jit_object runtime = {0};
  options->emission.modules = spec_runtime_suits(options) && spec_runtime_read(&runtime);
  if (options->verbose)
    fprintf(stderr, "the runtime %s\n",
            options->emission.modules ? "was compiled before" : "is compiled with the program");
  bool done = compile_program(options, &program, &emitted);
  times_enter(options->passes.times, "Clang"); /* waiting for that thread */
  if (has_thread) pthread_join(thread, NULL);
  times_leave(options->passes.times);
  if (!done) {
    jit_object_free(&runtime);
    return false;
  }

  char *message = NULL;
  const struct hash text = hash_text((struct hash){{0}}, emitted.source);
  /* A debugger needs the text as a file, so the cache keeps one; the header exists only in memory, as if beside it. */
  const char *kept = options->debug ? cache_keep_text(cache, text, emitted.source) : NULL,
             *slash = kept ? strrchr(kept, '/') : NULL;
  const char *folder = slash ? arena_copy(options->arena, kept, (size_t)(slash + 1 - kept)) : "";
  const struct jit_file header = {arena_format(options->arena, "%s%s.h", folder, program->name), emitted.header};
  struct jit_source source = source_like(options, cache);
  source.main = (struct jit_file){kept ? kept : arena_format(options->arena, "%s.c", program->name), emitted.source};
  source.files = &header, source.file_count = 1;
  struct jit_object modules[RUNTIME_MODULES];
  source.joined = modules;
  source.joined_count = spec_runtime_choose(&runtime, emitted.runtime, source.openmp, modules);
  times_enter(options->passes.times, "compile");
  bool compiled = jit_compile(&source, object, &message);
  times_leave(options->passes.times);
  jit_object_free(&runtime);
  if (compiled) {
    spec_record_keep(options, cache, record, program, object->key, kept ? &text : NULL);
    *name = program->name;
    return true;
  }
  if (strstr(message, "out of memory"))
    fprintf(stderr, "lamella: error: %s\n", message);
  else if (!jit_compiler_version())
    fprintf(stderr, "lamella: error: %s; `lamella build` and `lamella emit` work without it\n", message);
  else if (options->march && strstr(message, "unknown target CPU"))
    fprintf(stderr, "lamella: error: no CPU is called '%s'\n", printable(options->arena, options->march));
  else
    keep_refused(options, program, &emitted, message);
  free(message);
  return false;
}

static void say_how_long(const struct options *options, const char *what, const char *where, double begin) {
  if (options->verbose) fprintf(stderr, "%s %s%s in %.3f s\n", what, spec_title(options), where, seconds_now() - begin);
}

static bool compile_or_find(struct options *options, struct cache *cache, const char **name, struct jit_object *object,
                            bool *found) {
  struct hash record = spec_record_key(options);
  /* What is asked of the passes, they must do. */
  bool passes_run = is_stdin(options) || options->passes.times || options->passes.verify || options->passes.dump_after;
  if (!passes_run && spec_record_find(options, cache, record, name, &object->key)) {
    object->bytes = cache_read(cache, object->key, &object->size);
    if (object->bytes) {
      *found = true;
      return true;
    }
  }
  return compile(options, cache, record, name, object);
}

bool spec_code_compile(struct options *options, const char **name, struct jit_object *object) {
  char problem[1024];
  double begin = seconds_now();
  struct cache *cache = options->no_cache ? NULL : cache_open(problem, sizeof problem);
  if (!cache && !options->no_cache && options->verbose) fprintf(stderr, "lamella: note: no cache: %s\n", problem);
  if (!jit_has_openmp() && options->openmp == OPENMP_USUAL)
    fprintf(stderr, "lamella: note: libomp-19-dev is not installed; the program will use one thread\n");
  bool found = false, done = compile_or_find(options, cache, name, object, &found);
  if (done) say_how_long(options, found ? "found" : "compiled", found ? " in the cache" : "", begin);
  if (cache) cache_close(cache);
  return done;
}

bool spec_code_load(struct options *options, struct spec_code *code) {
  struct jit_object object = {0};
  *code = (struct spec_code){0};
  options->kind = BUILD_HERE;
  if (!spec_code_compile(options, &code->name, &object)) return false;
  char *message = NULL;
  times_enter(options->passes.times, "load");
  code->code = jit_load(&object, 1, jit_has_openmp(), &message);
  if (code->code) *(void **)&code->main = jit_symbol(code->code, "main");
  times_leave(options->passes.times);
  if (!code->code)
    fprintf(stderr, "lamella: error: %s\n", message);
  else if (!code->main)
    bug("the emitted program has no main");
  free(message);
  jit_object_free(&object);
  return code->code != NULL;
}

void name_code(const struct options *options) {
  jit_name_crashes();
  if (options->perf && !jit_perf_map())
    fprintf(stderr, "lamella: note: /tmp cannot be written, so perf will not know names\n");
}
