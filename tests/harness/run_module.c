#include "tests/harness/run_module.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/stored.h"

struct memory_of {
  const struct buffer *buffer;
  struct loop_memory memory;
};

struct bench {
  struct arena *arena;
  struct sample *sample; /* has the contents; NULL: contents are made from the names */
  const int64_t *sizes;
  compiled_routine *compiled; /* where set, runs instead of the loop interpreter */
  bool double_precision;
  bool planned; /* activations lie where the plan puts them, in one block */
  ARRAY(struct memory_of) memories;
};

void fill_value(double *data, int64_t count, enum kind kind, const struct axis *range, const char *name) {
  uint32_t random = hash_path(name);
  for (int64_t i = 0; i < count; i++) {
    random = random * 1664525u + 1013904223u;
    double unit = (double)(random >> 8) / 16777216.0;
    switch (kind) {
      case KIND_REAL:
        data[i] = (double)(float)(unit * 2 - 0.9);
        break;
      case KIND_INTEGER:
        data[i] = floor(unit * (double)(range ? range->extent : 5));
        break;
      case KIND_BOOLEAN:
        data[i] = unit < 0.6;
        break;
    }
  }
}

static int64_t full_count(struct axis *const *axes, int count) {
  int64_t elements = 1;
  for (int i = 0; i < count; i++) elements *= axes[i]->extent;
  return elements;
}

/* A value's contents in the order of its own axes at present lengths; both interpreters get the same. */
static const double *input_data(void *context, const struct value *value) {
  struct bench *bench = context;
  int64_t count = 1;
  for (int i = 0; i < value->axis_count; i++) count *= axis_length(value->axes[i], bench->sizes);
  struct content *content = bench->sample ? sample_content(bench->sample, value->name, false) : NULL;
  if (content) return content->data;
  double *data = arena_new_array(bench->arena, double, count);
  fill_value(data, count, value->kind, value->range, value->name);
  if (strcmp(value->name, "step") == 0) data[0] = SAMPLE_STEP;
  if (strcmp(value->name, "steps") == 0) data[0] = 10;
  return data;
}

struct state_data {
  const struct state *state;
  double *data;
};

struct state_list {
  struct bench *bench;
  ARRAY(struct state_data) states;
};

/* A fresh copy at each call, since a run writes to it. */
static double *state_contents(struct bench *bench, const struct state *state) {
  int64_t count = full_count(state->axes, state->axis_count);
  double *data = arena_new_array(bench->arena, double, count);
  struct content *content = bench->sample ? sample_content(bench->sample, state->name, true) : NULL;
  if (content) return memcpy(data, content->data, sizeof *data * (size_t)count);
  fill_value(data, count, state->kind, NULL, state->name);
  for (int64_t i = 0; state->role == ROLE_OPTIMIZER && i < count; i++) data[i] = fabs(data[i]);
  return data;
}

static double *state_data(void *context, const struct state *state) {
  struct state_list *list = context;
  for (int i = 0; i < list->states.count; i++)
    if (list->states.items[i].state == state) return list->states.items[i].data;
  double *data = state_contents(list->bench, state);
  array_push(list->bench->arena, &list->states, (struct state_data){state, data});
  return data;
}

static const double *interpreter_input(void *context, const struct value *value) {
  return input_data(((struct state_list *)context)->bench, value);
}

static struct loop_memory *memory_of(struct bench *bench, const struct buffer *buffer) {
  if (buffer->memory) buffer = buffer->memory;
  for (int i = 0; i < bench->memories.count; i++)
    if (bench->memories.items[i].buffer == buffer) return &bench->memories.items[i].memory;
  struct memory_of entry = {buffer,
                            {arena_new_array(bench->arena, double, buffer->count),
                             arena_new_array(bench->arena, unsigned char, buffer->count), buffer->count}};
  /* The list must not grow, so that pointers to its entries remain valid. */
  if (bench->memories.count == bench->memories.capacity) bug("too many buffers");
  array_push(bench->arena, &bench->memories, entry);
  return &bench->memories.items[bench->memories.count - 1].memory;
}

/* Copies the elements of a dense tensor with axes `axes` at present lengths into or out of a buffer, which is laid out
   by its axes at full extent. */
static void exchange(struct bench *bench, const struct buffer *buffer, struct loop_memory *memory,
                     struct axis *const *axes, int count, double *dense, bool into_buffer) {
  int64_t lengths[MAX_AXES], strides[MAX_AXES], counters[MAX_AXES] = {0}, total = 1;
  for (int i = 0; i < count; i++) {
    lengths[i] = axis_length(axes[i], bench->sizes);
    total *= lengths[i];
    int64_t stride = 1;
    for (int j = buffer->axis_count - 1; j >= 0; j--) {
      if (buffer->axes[j] == axes[i]) strides[i] = stride;
      stride *= buffer->axes[j]->extent;
    }
  }
  for (int64_t element = 0; element < total; element++) {
    int64_t offset = 0;
    for (int i = 0; i < count; i++) offset += counters[i] * strides[i];
    if (into_buffer)
      memory->data[offset] = dense[element], memory->defined[offset] = 1;
    else
      dense[element] = memory->defined[offset] ? memory->data[offset] : NAN;
    for (int i = count - 1; i >= 0 && ++counters[i] == lengths[i]; i--) counters[i] = 0;
  }
}

void join_derived(struct module *module) {
  struct routine *first = module->routines.items[0];
  const struct routine *derive = module->routines.items[module->routines.count - 1];
  if (first == derive || strcmp(derive->name, routine_facts[ROUTINE_derive].name) != 0) return;
  const struct routine own = *first;
  first->launches.items = NULL, first->launches.count = first->launches.capacity = 0;
  for (int i = 0; i < derive->launches.count; i++)
    array_push(module->arena, &first->launches, derive->launches.items[i]);
  for (int i = 0; i < own.launches.count; i++) array_push(module->arena, &first->launches, own.launches.items[i]);
  if (derive->activation_bytes > first->activation_bytes) first->activation_bytes = derive->activation_bytes;
}

static const char *run_launches(struct bench *bench, const struct routine *routine) {
  for (int i = 0; i < routine->launches.count; i++) {
    const struct launch *launch = routine->launches.items[i];
    struct loop_argument *arguments = arena_new_array(bench->arena, struct loop_argument, launch->arguments.count);
    for (int j = 0; j < launch->arguments.count; j++) {
      const struct launch_argument *argument = &launch->arguments.items[j];
      const struct parameter *parameter = &launch->function->parameters.items[j];
      if (argument->buffer) {
        arguments[j] = (struct loop_argument){memory_of(bench, argument->buffer), argument->offset, 0};
        continue;
      }
      switch (argument->number_kind) {
        case NUMBER_CONSTANT:
          arguments[j].number = parameter->variable->type == TYPE_REAL ? argument->real : (double)argument->number;
          break;
        case NUMBER_SIZE:
          arguments[j].number = (double)bench->sizes[argument->number];
          break;
        case NUMBER_SEED:
          arguments[j].number = SAMPLE_SEED;
          break;
        case NUMBER_STEP:
          arguments[j].number = SAMPLE_STEP;
          break;
      }
    }
    const char *wrong = function_interpret(bench->arena, launch->function, arguments);
    if (wrong) return arena_format(bench->arena, "%s: %s", launch->function->name, wrong);
  }
  return NULL;
}

enum { GUARD = 16, GUARD_BYTE = 0x5A };

/* Memory aligned as a program's arena is, with a guard behind it. */
static char *guarded_block(struct bench *bench, size_t bytes) {
  char *block = arena_alloc(bench->arena, bytes + 2 * 64 + GUARD);
  block += 64 - (uintptr_t)block % 64;
  memset(block + bytes, GUARD_BYTE, GUARD);
  return block;
}

static bool guard_holds(const char *end) {
  for (int i = 0; i < GUARD; i++)
    if (end[i] != GUARD_BYTE) return false;
  return true;
}

/* Runs the compiled routine. Each buffer has memory of its own, or activations lie where the plan puts them, before
   guards that must not change. Undefined elements are NaN or, for types without one, zero. Planned activations share
   memory among types, so all their bits are set: that is NaN as a real, and outside of every axis as an index. */
static const char *run_compiled(struct bench *bench, const struct module *module, const struct routine *routine) {
  void **memory = arena_new_array(bench->arena, void *, module->buffers.count);
  char *activations = bench->planned ? guarded_block(bench, (size_t)routine->activation_bytes) : NULL;
  if (activations) memset(activations, 0xFF, (size_t)routine->activation_bytes);
  for (int b = 0; b < module->buffers.count; b++) {
    const struct buffer *buffer = module->buffers.items[b];
    const struct loop_memory *held = memory_of(bench, buffer);
    const bool wide = bench->double_precision;
    char *block = activations && buffer->role == BUFFER_ACTIVATION
                      ? activations + stored_bytes(buffer->storage, wide, buffer->offset)
                      : guarded_block(bench, stored_bytes(buffer->storage, wide, buffer->count));
    memory[b] = block;
    if (activations && buffer->role == BUFFER_ACTIVATION) continue;
    for (int64_t i = 0; i < buffer->count; i++)
      stored_put(block, buffer->storage, wide, i,
                 held->defined[i]            ? held->data[i]
                 : buffer->type == TYPE_REAL ? NAN
                                             : 0);
  }
  bench->compiled(memory, bench->sizes);
  if (activations && !guard_holds(activations + routine->activation_bytes)) return "the activations were written past";
  for (int b = 0; b < module->buffers.count; b++) {
    const struct buffer *buffer = module->buffers.items[b];
    struct loop_memory *held = memory_of(bench, buffer);
    if (activations && buffer->role == BUFFER_ACTIVATION) continue;
    const char *end = (char *)memory[b] + stored_bytes(buffer->storage, bench->double_precision, buffer->count);
    if (!guard_holds(end)) return arena_format(bench->arena, "%s was written past its end", buffer->name);
    for (int64_t i = 0; i < buffer->count; i++) {
      held->data[i] = stored_get(memory[b], buffer->storage, bench->double_precision, i);
      held->defined[i] = 1;
    }
  }
  return NULL;
}

static const char *compare(struct arena *arena, const char *name, const double *expected, const double *found,
                           int64_t count, double tolerance) {
  double largest = 1e-3; /* a sum that cancels is only as exact as its terms, which are about 1 */
  for (int64_t i = 0; i < count; i++)
    if (isfinite(expected[i]) && fabs(expected[i]) > largest) largest = fabs(expected[i]);
  for (int64_t i = 0; i < count; i++) {
    if (isnan(expected[i]) && isnan(found[i])) continue;
    if (expected[i] == found[i] || fabs(expected[i] - found[i]) <= tolerance * largest) continue;
    return arena_format(arena, "%s[%lld] is %.17g and should be %.17g", name, (long long)i, found[i], expected[i]);
  }
  return NULL;
}

/* Memory for every buffer, with the contents of states and inputs. */
static void fill_memories(struct bench *bench, const struct module *module, const struct routine *routine) {
  bench->memories.capacity = module->buffers.count + 1;
  bench->memories.items = arena_new_array(bench->arena, struct memory_of, bench->memories.capacity);
  for (int i = 0; i < module->buffers.count; i++) {
    struct buffer *buffer = module->buffers.items[i];
    if (buffer->role != BUFFER_STATE) continue;
    struct loop_memory *memory = memory_of(bench, buffer);
    memcpy(memory->data, state_contents(bench, buffer->state), sizeof(double) * (size_t)buffer->count);
    memset(memory->defined, 1, (size_t)buffer->count);
  }
  int input = 0;
  for (int i = 0; i < routine->graph->values.count; i++) {
    const struct value *value = routine->graph->values.items[i];
    if (value->op != OP_input) continue;
    struct buffer *buffer = routine->inputs.items[input++];
    exchange(bench, buffer, memory_of(bench, buffer), value->axes, value->axis_count,
             (double *)input_data(bench, value), true);
  }
}

/* An output as the interpreter lays it out. */
static double *output_found(struct bench *bench, const struct routine *routine, int number, int64_t *count) {
  const struct output *output = &routine->graph->outputs.items[number];
  *count = 1;
  for (int i = 0; i < output->value->axis_count; i++) *count *= axis_length(output->axes[i], bench->sizes);
  double *found = arena_new_array(bench->arena, double, *count);
  struct buffer *buffer = routine->outputs.items[number];
  exchange(bench, buffer, memory_of(bench, buffer), output->axes, output->value->axis_count, found, false);
  return found;
}

static const char *compare_on(struct bench bench, const struct module *module, const struct routine *routine,
                              double tolerance) {
  struct arena *arena = bench.arena;
  const int64_t *sizes = bench.sizes;
  struct state_list list = {.bench = &bench};
  const struct graph *graph = routine->graph;
  fill_memories(&bench, module, routine);
  struct environment environment = {.arena = arena,
                                    .sizes = sizes,
                                    .seed = SAMPLE_SEED,
                                    .input = interpreter_input,
                                    .state = state_data,
                                    .context = &list};
  struct tensor *results = arena_new_array(arena, struct tensor, graph->outputs.count);
  const char *wrong = graph_interpret(graph, &environment, results, NULL);
  if (wrong) return arena_format(arena, "graph: %s", wrong);
  wrong = bench.compiled ? run_compiled(&bench, module, routine) : run_launches(&bench, routine);
  if (wrong) return wrong;
  for (int i = 0; i < graph->outputs.count; i++) {
    int64_t count;
    double *found = output_found(&bench, routine, i, &count);
    const bool real = graph->outputs.items[i].value->kind == KIND_REAL;
    wrong = compare(arena, graph->outputs.items[i].name, results[i].data, found, count, real ? tolerance : 0);
    if (wrong) return wrong;
  }
  for (int i = 0; i < module->buffers.count; i++) {
    const struct buffer *buffer = module->buffers.items[i];
    if (buffer->role != BUFFER_STATE || role_is_derived(buffer->state->role)) continue;
    const double *expected = state_data(&list, buffer->state), *found = memory_of(&bench, buffer)->data;
    wrong = compare(arena, buffer->label, expected, found, buffer->count, tolerance);
    if (wrong) return wrong;
  }
  return NULL;
}

const char *compare_routine(struct arena *arena, const struct module *module, const struct routine *routine,
                            const int64_t *sizes, double tolerance) {
  return compare_on((struct bench){.arena = arena, .sizes = sizes}, module, routine, tolerance);
}

const char *compare_sample(struct sample *sample, const struct module *module, const struct routine *routine,
                           double tolerance) {
  return compare_on((struct bench){.arena = sample->arena, .sample = sample, .sizes = sample->sizes}, module, routine,
                    tolerance);
}

const char *compare_compiled(struct sample *sample, const struct module *module, const struct routine *routine,
                             compiled_routine *compiled, bool double_precision, double tolerance) {
  return compare_on((struct bench){.arena = sample->arena,
                                   .sample = sample,
                                   .sizes = sample->sizes,
                                   .compiled = compiled,
                                   .double_precision = double_precision},
                    module, routine, tolerance);
}

const char *run_compiled_sample(struct arena *arena, struct sample *sample, const struct module *module,
                                const struct routine *routine, compiled_routine *compiled, bool double_precision,
                                struct found *found) {
  struct bench bench = {.arena = arena,
                        .sample = sample,
                        .sizes = sample->sizes,
                        .compiled = compiled,
                        .double_precision = double_precision,
                        .planned = true};
  fill_memories(&bench, module, routine);
  const char *wrong = run_compiled(&bench, module, routine);
  if (wrong) return wrong;
  found->outputs = arena_new_array(arena, double *, routine->graph->outputs.count);
  for (int i = 0; i < routine->graph->outputs.count; i++) {
    int64_t count;
    found->outputs[i] = output_found(&bench, routine, i, &count);
  }
  found->states = arena_new_array(arena, double *, sample->contents.count);
  for (int i = 0; i < sample->contents.count; i++) {
    if (!sample->contents.items[i].is_state) continue;
    found->states[i] = sample->contents.items[i].data;
    for (int j = 0; j < module->buffers.count; j++) {
      const struct buffer *buffer = module->buffers.items[j];
      if (buffer->role == BUFFER_STATE && !strcmp(buffer->state->name, sample->contents.items[i].name))
        found->states[i] = memory_of(&bench, buffer)->data;
    }
  }
  return NULL;
}

static const char *real_text(struct arena *arena, double number) {
  if (isnan(number)) return "__builtin_nan(\"\")";
  if (isinf(number)) return number > 0 ? "__builtin_inf()" : "-__builtin_inf()";
  return arena_format(arena, "%.17g", number);
}

const char *caller_text(struct arena *arena, const struct module *module, const struct routine *routine,
                        const char *name, bool double_precision) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  if (!file) abort();
  fprintf(file, "void %s(void **memory, const int64_t *sizes) {\n  (void)memory, (void)sizes;\n", name);
  for (int i = 0; i < routine->launches.count; i++) {
    const struct launch *launch = routine->launches.items[i];
    fprintf(file, "  %s(", launch->function->name);
    for (int j = 0; j < launch->arguments.count; j++) {
      const struct launch_argument *argument = &launch->arguments.items[j];
      const struct parameter *parameter = &launch->function->parameters.items[j];
      if (j) fputs(", ", file);
      if (argument->buffer) {
        int number = 0;
        while (module->buffers.items[number] != argument->buffer) number++;
        const enum storage storage = parameter->array->storage;
        fprintf(file, "(%s *)memory[%d] + %lld", stored_type(storage, double_precision), number,
                (long long)(storage_facts[storage].bits < 8 ? argument->offset / 2 : argument->offset));
        continue;
      }
      switch (argument->number_kind) {
        case NUMBER_CONSTANT:
          if (parameter->variable->type == TYPE_REAL)
            fputs(real_text(arena, argument->real), file);
          else
            fprintf(file, "%lld", (long long)argument->number);
          break;
        case NUMBER_SIZE:
          fprintf(file, "sizes[%lld]", (long long)argument->number);
          break;
        case NUMBER_SEED:
          fprintf(file, "%d", SAMPLE_SEED);
          break;
        case NUMBER_STEP:
          fprintf(file, "%d", SAMPLE_STEP);
          break;
      }
    }
    fputs(");\n", file);
  }
  fputs("}\n", file);
  fclose(file);
  const char *copy = arena_copy(arena, text, length);
  free(text);
  return copy;
}

/* The bytes from the beginning of the arena to where the buffer begins, and to where it ends. */
static void find_bytes(const struct buffer *buffer, bool double_precision, int64_t bytes[2]) {
  bytes[0] = (int64_t)stored_bytes(buffer->storage, double_precision, buffer->offset);
  bytes[1] = bytes[0] + (int64_t)stored_bytes(buffer->storage, double_precision, buffer->count);
}

/* Where an activation lies, and from which launch of the routine to which it is used; `first` is -1 where it never is. */
struct stay {
  const struct buffer *buffer;
  int64_t bytes[2];
  int first, last;
};

const char *check_plan(struct arena *arena, const struct module *module, const struct routine *routine,
                       bool double_precision) {
  struct stay *stays = arena_new_array(arena, struct stay, module->buffers.count);
  for (int i = 0; i < module->buffers.count; i++) {
    stays[i] = (struct stay){.buffer = module->buffers.items[i], .first = -1};
    find_bytes(stays[i].buffer, double_precision, stays[i].bytes);
  }
  for (int l = 0; l < routine->launches.count; l++) {
    const struct launch *launch = routine->launches.items[l];
    for (int i = 0; i < launch->arguments.count; i++) {
      int number = 0;
      while (number < module->buffers.count && stays[number].buffer != launch->arguments.items[i].buffer) number++;
      if (number == module->buffers.count) continue;
      if (stays[number].first < 0) stays[number].first = l;
      stays[number].last = l;
    }
  }
  for (int i = 0; i < module->buffers.count; i++) {
    const struct stay *x = &stays[i];
    if (x->buffer->role != BUFFER_ACTIVATION || x->first < 0) continue;
    if (x->bytes[0] % 64 != 0 || x->bytes[1] > routine->activation_bytes)
      return arena_format(arena, "%s lies at %lld of %lld bytes", x->buffer->name, (long long)x->bytes[0],
                          (long long)routine->activation_bytes);
    for (int j = 0; j < i; j++) {
      const struct stay *y = &stays[j];
      if (y->buffer->role != BUFFER_ACTIVATION || y->first < 0 || x->last < y->first || y->last < x->first) continue;
      if (x->bytes[0] < y->bytes[1] && y->bytes[0] < x->bytes[1])
        return arena_format(arena, "%s and %s overlap", x->buffer->name, y->buffer->name);
    }
  }
  return NULL;
}
