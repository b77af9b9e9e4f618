/* Compiles what is compared: each spec to C, then each different C text to machine code, several at a time. */
#include <elf.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "driver/compare.h"
#include "driver/spec_code.h"

static bool is_weight(const struct state *state) {
  return state && (state->role == ROLE_PARAMETER || state->role == ROLE_AVERAGE || state->role == ROLE_DERIVED ||
                   state->role == ROLE_QUANTIZED);
}

static bool is_raced(const struct comparison *comparison, const struct routine *routine) {
  for (int i = 0; i < comparison->race_count; i++)
    if (routine->number == (int)work_facts[comparison->races[i].work].routine) return true;
  return false;
}

/* Adds up the weights that kernels of the timed routines read: parameters, and what is derived of them, each once. */
static void read_weights(struct comparison *comparison, struct variant *variant, const struct module *module) {
  struct pointer_table seen = {0};
  const struct target *target = variant->options.passes.target;
  const enum storage real = storage_bytes(target, STORAGE_REAL, 1) == 8 ? STORAGE_F64 : STORAGE_F32;
  for (int r = 0; r < module->routines.count; r++) {
    const struct routine *routine = module->routines.items[r];
    if (!is_raced(comparison, routine)) continue;
    for (int i = 0; i < routine->launches.count; i++) {
      const struct launch *launch = routine->launches.items[i];
      for (int j = 0; j < launch->arguments.count; j++) {
        const struct buffer *buffer = launch->arguments.items[j].buffer;
        if (!buffer || !is_weight(buffer->state) || pointer_table_find(&seen, buffer)) continue;
        *pointer_table_at(comparison->arena, &seen, buffer, 0) = 1;
        const double bytes = (double)storage_bytes(target, buffer->storage, buffer->count);
        variant->weight_bytes[buffer->storage == STORAGE_REAL ? real : buffer->storage] += bytes;
      }
    }
  }
}

/* Reads from the static plan what a step keeps in memory. */
static void read_plan(struct comparison *comparison, struct variant *variant, const struct module *module) {
  const int number = work_facts[comparison->races[0].work].routine;
  for (int r = 0; r < module->routines.count; r++) {
    const struct routine *routine = module->routines.items[r];
    if (routine->number != number) continue;
    variant->launches = routine->launches.count;
    variant->activation_bytes = routine->activation_bytes;
    for (int i = 0; i < routine->launches.count; i++) {
      const struct launch *launch = routine->launches.items[i];
      for (int j = 0; j < launch->arguments.count; j++) {
        const struct buffer *buffer = launch->arguments.items[j].buffer;
        if (!buffer || buffer->role != BUFFER_ACTIVATION) continue;
        const struct target *target = variant->options.passes.target;
        int k = 0;
        struct life life = {buffer->label ? buffer->label : buffer->name, i, i,
                            storage_bytes(target, buffer->storage, buffer->offset),
                            storage_bytes(target, buffer->storage, buffer->count)};
        for (; k < variant->lives.count; k++)
          if (variant->lives.items[k].offset == life.offset && variant->lives.items[k].bytes == life.bytes &&
              variant->lives.items[k].name == life.name)
            break;
        if (k < variant->lives.count)
          variant->lives.items[k].last = i;
        else
          array_push(comparison->arena, &variant->lives, life);
      }
    }
  }
}

/* The bytes of machine code in an object: those of its first file, since others are the runtime's. */
static int64_t object_code(const struct jit_object *object) {
  const Elf64_Ehdr *file = (const void *)object->bytes;
  const Elf64_Shdr *sections = (const void *)(object->bytes + file->e_shoff);
  int64_t bytes = 0;
  for (int i = 0; i < file->e_shnum; i++)
    if (sections[i].sh_flags & SHF_EXECINSTR) bytes += (int64_t)sections[i].sh_size;
  return bytes;
}

/* The processor time of this thread: meanwhile other threads compile too. */
static double thread_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static bool translate(struct comparison *comparison, struct variant *variant) {
  struct options *options = &variant->options;
  struct arena *arena = comparison->arena;
  struct diagnostics *diagnostics = diagnostics_new(arena);
  double begin = thread_seconds();
  struct times *times = options->passes.times ? times_new(arena) : NULL;
  options->passes.times = times;
  struct program *program = read_program(options, arena, diagnostics);
  if (program && !(program->train && program->training && program->data)) {
    fprintf(stderr, "lamella compare: %s does not train: it needs a train block and data\n", spec_title(options));
    return false;
  }
  if (program) keep_works(comparison, program);
  struct module *module = NULL;
  if (program && run_graph_passes(program, &options->passes, diagnostics))
    module = run_schedules(program, &options->passes, diagnostics);
  if (!module || diagnostics->error_count) {
    diagnostics_print(diagnostics, stderr);
    return false;
  }
  const bool links = comparison->runtime.bytes && spec_runtime_suits(options);
  struct emit_options emission = {
      .modules = links, .steps = true, .bench = comparison->options->json || comparison->options->page, .times = times};
  variant->emitted = emit_c(arena, program, module, options->passes.target, &emission);
  variant->program = program->name;
  read_plan(comparison, variant, module);
  read_weights(comparison, variant, module);
  for (const char *at = variant->emitted.source; *at; at++) variant->source_lines += *at == '\n';
  variant->translate_seconds = thread_seconds() - begin;
  times_enter(times, "waiting"); /* while other variants are compiled */
  return true;
}

/* Compiles a variant to an object, or sets variant->failure. Several threads may do this at once. */
static void compile(const struct comparison *comparison, struct variant *variant) {
  char file[256], header_file[256];
  snprintf(file, sizeof file, "%s.c", variant->program);
  snprintf(header_file, sizeof header_file, "%s.h", variant->program);
  const struct jit_file header = {header_file, variant->emitted.header};
  static const char *const arguments[] = {"-Dmain=lamella_program"};
  struct jit_source source = {.main = {file, variant->emitted.source},
                              .files = &header,
                              .file_count = 1,
                              .level = variant->options.level,
                              .openmp = true,
                              .arguments = arguments,
                              .argument_count = 1};
  struct jit_object modules[RUNTIME_MODULES];
  source.joined = modules;
  if (spec_runtime_suits(&variant->options))
    source.joined_count = spec_runtime_choose(&comparison->runtime, variant->emitted.runtime, source.openmp, modules);
  char *message = NULL;
  double begin = thread_seconds();
  times_enter(variant->options.passes.times, "compile");
  bool compiled = jit_compile(&source, &variant->object, &message);
  times_leave(variant->options.passes.times);
  if (!compiled) {
    fprintf(stderr, "lamella: internal error: Clang refused the emitted program of %s: %s\n", variant->name, message);
    free(message);
    variant->failure = "cannot be compiled";
    return;
  }
  variant->compile_seconds = thread_seconds() - begin;
  variant->code_bytes = object_code(&variant->object);
}

static void read_runtime(struct comparison *comparison) {
  for (int i = 0; i < comparison->variants.count; i++)
    if (!spec_runtime_suits(&comparison->variants.items[i]->options)) return;
  spec_runtime_read(&comparison->runtime);
}

bool variant_compile(struct comparison *comparison, struct variant *variant) {
  if (!translate(comparison, variant)) return false;
  compile(comparison, variant);
  return !variant->failure;
}

/* The number of the first variant with the same program. Where pipelines give the same program, it is compiled once. */
static int first_alike(const struct comparison *comparison, int number) {
  const struct variant *variant = comparison->variants.items[number];
  for (int i = 0; i < number; i++) {
    const struct variant *other = comparison->variants.items[i];
    if (other->options.level == variant->options.level && !strcmp(other->emitted.source, variant->emitted.source))
      return i;
  }
  return number;
}

struct queue {
  struct comparison *comparison;
  pthread_mutex_t mutex;
  int next;
};

static void *compile_some(void *context) {
  struct queue *queue = context;
  struct comparison *comparison = queue->comparison;
  for (;;) {
    pthread_mutex_lock(&queue->mutex);
    while (queue->next < comparison->variants.count && first_alike(comparison, queue->next) != queue->next)
      queue->next++;
    int number = compare_stopped ? comparison->variants.count : queue->next++;
    pthread_mutex_unlock(&queue->mutex);
    if (number >= comparison->variants.count) return NULL;
    compile(comparison, comparison->variants.items[number]);
  }
}

bool compile_variants(struct comparison *comparison) {
  int count = comparison->variants.count;
  read_runtime(comparison);
  for (int i = 0; i < count; i++)
    if (compare_stopped || !translate(comparison, comparison->variants.items[i])) return false;
  struct queue queue = {.comparison = comparison};
  pthread_mutex_init(&queue.mutex, NULL);
  pthread_t threads[VARIANTS_MOST];
  int started = 0;
  for (int most = processors_allowed() - 1; started < most && started < count - 1; started++)
    if (pthread_create(&threads[started], NULL, compile_some, &queue) != 0) break;
  compile_some(&queue);
  for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
  pthread_mutex_destroy(&queue.mutex);
  for (int i = 0; i < count && !compare_stopped; i++) {
    struct variant *variant = comparison->variants.items[i];
    const struct variant *first = comparison->variants.items[first_alike(comparison, i)];
    if (first->failure) return false;
    if (first == variant) continue;
    variant->object = first->object;
    variant->object.bytes = malloc(first->object.size);
    if (!variant->object.bytes) bug("no memory for a program");
    memcpy(variant->object.bytes, first->object.bytes, first->object.size);
    variant->compile_seconds = first->compile_seconds;
    variant->code_bytes = first->code_bytes;
  }
  for (int i = 0; i < count; i++) {
    struct variant *variant = comparison->variants.items[i];
    times_leave(variant->options.passes.times); /* waiting */
    print_times(&variant->options, variant->name);
  }
  return !compare_stopped;
}
