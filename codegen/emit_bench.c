/* Prints what the verb bench and --trace need: calls of kernels that are timed, the work of each kernel, and functions
   that measure what the machine can do. */
#include <string.h>

#include "codegen/c_print.h"
#include "codegen/emit.h"
#include "ir/work.h"

/* --- Kernels ------------------------------------------------------------------------------------------------------------ */

static bool is_launched(const struct module *module, const struct function *function) {
  for (int i = 0; i < module->routines.count; i++)
    for (int j = 0; j < module->routines.items[i]->launches.count; j++)
      if (module->routines.items[i]->launches.items[j]->function == function) return true;
  return false;
}

struct kernel_list {
  ARRAY(const struct function *) items; /* by number */
};

static struct kernel_list list_kernels(const struct emitter *emitter) {
  struct kernel_list list = {0};
  for (int i = 0; i < emitter->module->functions.count; i++)
    if (is_launched(emitter->module, emitter->module->functions.items[i]))
      array_push(emitter->arena, &list.items, emitter->module->functions.items[i]);
  return list;
}

static int kernel_number(const struct kernel_list *list, const struct function *function) {
  for (int i = 0; i < list->items.count; i++)
    if (list->items.items[i] == function) return i;
  bug("the kernel %s has no number", function->name);
}

void emit_timed_calls(struct emitter *emitter, struct text *text) {
  struct kernel_list list = list_kernels(emitter);
  const char *names = "";
  text_comment(text,
               "Stands before each call of a kernel: the verb bench and --trace time it, and else it costs two tests.");
  text_line(text, "double lam_kernel_begin(void);");
  text_line(text, "void lam_kernel_end(int kernel, double begin);");
  text_raw(text,
           "#define LAM_TIMED(kernel)                                            \\\n"
           "  for (double begin = lam_kernel_begin(), calls = 1; calls > 0;      \\\n"
           "       lam_kernel_end(KERNEL_##kernel, begin), calls = 0)\n");
  for (int i = 0; i < list.items.count; i++)
    names = arena_format(emitter->arena, "%s%sKERNEL_%s", names, i ? ", " : "", list.items.items[i]->name);
  text_line(text, "enum { %s };", names);
  text_blank(text);
}

/* --- Peaks -------------------------------------------------------------------------------------------------------------- */

/* READ_CHUNK: the reals that a task reads, 256 KB of floats, which fit into a core's own cache. */
enum { READ_CHUNK = 65536, READ_VECTORS = 8 };

static int peak_vectors(const struct target *target) {
  int vectors = target->tile_rows * target->tile_vectors;
  return vectors > READ_VECTORS ? vectors : READ_VECTORS;
}

/* Adds loops over vectors and lanes. Returns their body, and as *element the index v * lanes + lane. */
static struct block *vector_loops(struct arena *arena, struct block *block, int vectors, int lanes,
                                  const struct expression **element) {
  struct statement *outer = block_loop(arena, block, LOOP_UNROLLED, "v", expression_index(arena, vectors));
  struct statement *inner = block_loop(arena, &outer->body, LOOP_VECTOR, "lane", expression_index(arena, lanes));
  *element = index_add(arena, index_multiply(arena, expression_variable(arena, outer->variable), lanes),
                       expression_variable(arena, inner->variable));
  return &inner->body;
}

/* Stores the sum of `sum`'s vectors in out[task * room + lane]. */
static void store_sum(struct arena *arena, struct block *block, int vectors, int lanes, struct array *sum,
                      struct array *out, int room, const struct variable *task) {
  struct statement *loop = block_loop(arena, block, LOOP_VECTOR, "lane", expression_index(arena, lanes));
  const struct expression *lane = expression_variable(arena, loop->variable),
                          *total = expression_load(arena, sum, lane);
  for (int v = 1; v < vectors; v++)
    total = expression_apply(
        arena, OP_add, total,
        expression_load(arena, sum, index_add(arena, lane, expression_index(arena, (int64_t)v * lanes))), NULL);
  block_store(arena, &loop->body, out,
              index_add(arena, index_multiply(arena, expression_variable(arena, task), room), lane), total);
}

/* Multiply-adds on as many registers as a contraction's tile has (or READ_VECTORS); each waits for the last one on its
   own register alone. */
static struct function *multiply_peak(struct arena *arena, const struct target *target, const char *name) {
  int vectors = peak_vectors(target), lanes = target->lanes;
  struct function *function = function_new(arena, arena_format(arena, "%s_peak_multiply", name));
  function->comment = "as many multiply-adds as the processor can do";
  struct array *out = function_add_pointer(arena, function, "out", TYPE_REAL, 0, true, NULL);
  struct variable *tasks = function_add_number(arena, function, "tasks", TYPE_INDEX);
  struct variable *rounds = function_add_number(arena, function, "rounds", TYPE_INDEX);
  struct statement *task = block_loop(arena, &function->body, LOOP_PARALLEL, "task", expression_variable(arena, tasks));
  struct array *sum = block_array(arena, &task->body, "sum", TYPE_REAL, MEMORY_REGISTER, (int64_t)vectors * lanes);
  const struct expression *element, *half = expression_number(arena, TYPE_REAL, 0.5);
  const struct expression *first = index_multiply(arena, expression_variable(arena, task->variable), vectors * lanes);
  struct block *body = vector_loops(arena, &task->body, vectors, lanes, &element);
  /* The first values come from memory, since a compiler would not compute anew what it knows, or knows to be equal. */
  block_store(arena, body, sum, element, expression_load(arena, out, index_add(arena, first, element)));
  struct statement *round = block_loop(arena, &task->body, LOOP_SERIAL, "round", expression_variable(arena, rounds));
  body = vector_loops(arena, &round->body, vectors, lanes, &element);
  block_store(arena, body, sum, element, expression_fma(arena, expression_load(arena, sum, element), half, half));
  store_sum(arena, &task->body, vectors, lanes, sum, out, vectors * lanes, task->variable);
  return function;
}

/* Sums chunks of x. Each round reads every element once. */
static struct function *read_peak(struct arena *arena, const struct target *target, const char *name) {
  int lanes = target->lanes, width = READ_VECTORS * lanes;
  struct function *function = function_new(arena, arena_format(arena, "%s_peak_read", name));
  function->comment = "reads as fast as the memory gives";
  struct array *x = function_add_pointer(arena, function, "x", TYPE_REAL, 0, false, NULL);
  struct array *sums = function_add_pointer(arena, function, "sums", TYPE_REAL, 0, true, NULL);
  struct variable *chunks = function_add_number(arena, function, "chunks", TYPE_INDEX);
  struct variable *rounds = function_add_number(arena, function, "rounds", TYPE_INDEX);
  struct statement *chunk =
      block_loop(arena, &function->body, LOOP_PARALLEL, "chunk", expression_variable(arena, chunks));
  struct array *sum = block_array(arena, &chunk->body, "sum", TYPE_REAL, MEMORY_REGISTER, width);
  const struct expression *element;
  struct block *body = vector_loops(arena, &chunk->body, READ_VECTORS, lanes, &element);
  block_store(arena, body, sum, element, expression_number(arena, TYPE_REAL, 0));
  struct statement *round = block_loop(arena, &chunk->body, LOOP_SERIAL, "round", expression_variable(arena, rounds));
  struct statement *i = block_loop(arena, &round->body, LOOP_SERIAL, "i", expression_index(arena, READ_CHUNK));
  i->step = width;
  body = vector_loops(arena, &i->body, READ_VECTORS, lanes, &element);
  const struct expression *at = index_multiply(arena, expression_variable(arena, chunk->variable), READ_CHUNK);
  at = index_add(arena, index_add(arena, at, expression_variable(arena, i->variable)), element);
  block_store(
      arena, body, sum, element,
      expression_apply(arena, OP_add, expression_load(arena, sum, element), expression_load(arena, x, at), NULL));
  store_sum(arena, &chunk->body, READ_VECTORS, lanes, sum, sums, lanes, chunk->variable);
  return function;
}

void emit_peaks(struct emitter *emitter) {
  struct function *multiply = multiply_peak(emitter->arena, emitter->target, emitter->name);
  struct function *functions[] = {multiply, read_peak(emitter->arena, emitter->target, emitter->name)};
  for (int i = 0; i < 2; i++) {
    const char *wrong = function_verify(emitter->arena, functions[i]);
    if (wrong) bug("%s: %s", functions[i]->name, wrong);
    function_tidy_names(emitter->arena, functions[i]);
    c_print_function(emitter->printer, functions[i], false);
    text_blank(emitter->printer->text);
  }
}

/* --- Tables ------------------------------------------------------------------------------------------------------------- */

/* The path with [i] in place of copy numbers: "h[i].attn.c_proj" for "h.3.attn.c_proj". */
static const char *any_copy(struct arena *arena, const char *path) {
  char *text = arena_alloc(arena, 2 * strlen(path) + 1), *to = text;
  for (const char *at = path; *at;) {
    size_t digits = *at == '.' ? strspn(at + 1, "0123456789") : 0;
    if (digits && (!at[1 + digits] || at[1 + digits] == '.')) {
      memcpy(to, "[i]", 3);
      to += 3;
      at += 1 + digits;
    } else {
      *to++ = *at++;
    }
  }
  return text;
}

/* Names the parts of the model that launch the kernel, as many as a line has room for. */
static const char *places_of(const struct emitter *emitter, const struct function *function) {
  enum { ROOM = 80 };
  struct arena *arena = emitter->arena;
  ARRAY(const char *) places = {0};
  for (int i = 0; i < emitter->module->routines.count; i++)
    for (int j = 0; j < emitter->module->routines.items[i]->launches.count; j++) {
      const struct launch *launch = emitter->module->routines.items[i]->launches.items[j];
      if (launch->function != function) continue;
      const char *path = launch->origin.path && launch->origin.path[0] ? launch->origin.path : launch->origin.function;
      const char *place = any_copy(arena, path ? path : "");
      bool known = !place[0];
      for (int k = 0; k < places.count; k++) known = known || !strcmp(places.items[k], place);
      if (!known) array_push(arena, &places, place);
    }
  if (!places.count) return "";
  const char *text = arena_copy(arena, places.items[0], strnlen(places.items[0], ROOM));
  int shown = 1;
  while (shown < places.count && strlen(text) + strlen(places.items[shown]) <= ROOM)
    text = arena_format(arena, "%s, %s", text, places.items[shown++]);
  return shown < places.count ? arena_format(arena, "%s and %d more", text, places.count - shown) : text;
}

/* The same, and of a contraction by what it multiplies. */
static const char *account_of(const struct emitter *emitter, const struct function *function) {
  const char *places = places_of(emitter, function), *by = function->multiplies;
  return by ? arena_format(emitter->arena, "%s%sby %s", places, *places ? "; " : "", by) : places;
}

static bool same_launch(const struct launch *x, const struct launch *y) {
  if (x->function != y->function) return false;
  for (int i = 0; i < x->arguments.count; i++) {
    const struct launch_argument *a = &x->arguments.items[i], *b = &y->arguments.items[i];
    if (!a->buffer != !b->buffer || a->number_kind != b->number_kind || a->number != b->number) return false;
    if (a->buffer && a->buffer->count - a->offset != b->buffer->count - b->offset) return false;
  }
  return true;
}

/* Prints the work of each kernel in one run of the routine. Copies of a layer do the same work, so it is computed once
   for all launches that are alike. */
static void emit_work(struct emitter *emitter, struct text *text, const struct kernel_list *kernels,
                      const struct routine *routine, const char *name, const int64_t *sizes) {
  struct arena *scratch = arena_new();
  struct known_launch {
    const struct launch *launch;
    double operations, bytes;
  };
  ARRAY(struct known_launch) known = {0};
  double *operations = arena_new_array(scratch, double, kernels->items.count);
  double *bytes = arena_new_array(scratch, double, kernels->items.count);
  bool *runs = arena_new_array(scratch, bool, kernels->items.count);
  for (int i = 0; i < routine->launches.count; i++) {
    const struct launch *launch = routine->launches.items[i];
    int number = kernel_number(kernels, launch->function), at = 0;
    while (at < known.count && !same_launch(known.items[at].launch, launch)) at++;
    if (at == known.count) {
      struct work work = launch_work(scratch, launch, sizes);
      struct known_launch fresh = {launch, work.operations, 0};
      for (int storage = 0; storage < STORAGE_COUNT; storage++)
        fresh.bytes += work.moved[storage] * (double)storage_bytes(emitter->target, (enum storage)storage, 8) / 8;
      array_push(scratch, &known, fresh);
    }
    runs[number] = true;
    operations[number] += known.items[at].operations;
    bytes[number] += known.items[at].bytes;
  }
  const char *list = "";
  for (int i = 0; i < kernels->items.count; i++)
    if (runs[i])
      list =
          arena_format(emitter->arena, "%s%s{%d, %.0f, %.0f}", list, list[0] ? ", " : "", i, operations[i], bytes[i]);
  text_line(text, "static const struct lam_work run_%s_work[] = {%s};", name, list);
  arena_free(scratch);
}

/* The runs of routines that the verb bench measures. Generation's step is run twice, with full caches: for one token,
   and for a whole window of them. */
static const struct workload {
  enum routine_number routine;
  const char *name; /* NULL: the routine's name */
  bool window; /* of a whole window */
} workloads[] = {{ROUTINE_train, NULL, false},      {ROUTINE_step, NULL, false},    {ROUTINE_step, "prompt", true},
                 {ROUTINE_evaluate, NULL, false},   {ROUTINE_predict, NULL, false}, {ROUTINE_prepare, NULL, false},
                 {ROUTINE_accumulate, NULL, false}, {ROUTINE_derive, NULL, false},  {ROUTINE_prune, NULL, false}};

static int64_t window_of(const struct routine *routine) {
  for (int i = 0; i < routine->inputs.count; i++) {
    const struct buffer *buffer = routine->inputs.items[i];
    if (buffer->run_input == RUN_POSITION && buffer->axis_count == 2) return buffer->axes[1]->extent;
  }
  return 1;
}

/* Prints the work of a run, and returns its row in the table of workloads. `number` is the runtime's, of the routine. */
static const char *workload_row(struct emitter *emitter, struct text *text, const struct kernel_list *kernels,
                                const struct routine *routine, const char *name, const char *number,
                                const int64_t *sizes) {
  emit_work(emitter, text, kernels, routine, name, sizes);
  return arena_format(emitter->arena,
                      "{\"%s\", %s, {%lld, %lld}, run_%s_work, sizeof run_%s_work / sizeof(struct lam_work)},", name,
                      number, (long long)sizes[0], (long long)sizes[1], name, name);
}

void emit_bench(struct emitter *emitter, struct text *text) {
  struct arena *arena = emitter->arena;
  const struct program *program = emitter->program;
  struct kernel_list kernels = list_kernels(emitter);
  ARRAY(const char *) rows = {0};
  text_comment(
      text,
      "Kernels by number, with the parts of the model that they compute; and what all their calls in one run of a "
      "routine do: kernel, operations, bytes.");
  text_open(text, "static const struct lam_kernel kernels[] =");
  for (int i = 0; i < kernels.items.count; i++)
    text_line(text, "{\"%s\", \"%s\"},", kernels.items.items[i]->name, account_of(emitter, kernels.items.items[i]));
  text->indentation--;
  text_line(text, "};");
  for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
    const struct workload *workload = &workloads[i];
    const struct routine_facts *facts = &routine_facts[workload->routine];
    const char *name = workload->name ? workload->name : facts->name;
    for (int j = 0; j < emitter->module->routines.count; j++) {
      const struct routine *routine = emitter->module->routines.items[j];
      if (routine->number != (int)workload->routine) continue;
      int64_t sizes[2] = {0, 0};
      if (workload->routine == ROUTINE_step) {
        sizes[0] = workload->window ? window_of(routine) : 1;
        sizes[1] = program->generation ? program->generation->capacity : sizes[0];
      }
      array_push(arena, &rows, workload_row(emitter, text, &kernels, routine, name, facts->constant, sizes));
    }
  }
  for (int i = 0; i < program->predictions.count; i++) {
    const char *name = program->predictions.items[i].graph->name, *number = arena_format(arena, "LAM_ROUTINES + %d", i);
    array_push(arena, &rows,
               workload_row(emitter, text, &kernels, emit_routine_find(emitter, ROUTINE_COUNT + i), name, number,
                            (int64_t[2]){0}));
  }
  text_open(text, "static const struct lam_workload workloads[] =");
  for (int i = 0; i < rows.count; i++) text_line(text, "%s", rows.items[i]);
  text->indentation--;
  text_line(text, "};");
  const char *real = emitter->target->double_precision ? "double" : "float";
  text_line(text, "void %s_peak_multiply(%s *out, int64_t tasks, int64_t rounds);", emitter->name, real);
  text_line(text, "void %s_peak_read(const %s *x, %s *sums, int64_t chunks, int64_t rounds);", emitter->name, real,
            real);
  text_open(text, "static const struct lam_bench bench =");
  text_line(text, "kernels, %d, workloads, sizeof workloads / sizeof *workloads,", kernels.items.count);
  int reals = peak_vectors(emitter->target) * emitter->target->lanes;
  text_line(text, "{%d, %d, %d, %s_peak_multiply, %s_peak_read},", reals, 2 * reals, READ_CHUNK, emitter->name,
            emitter->name);
  text->indentation--;
  text_line(text, "};");
  text_blank(text);
}
