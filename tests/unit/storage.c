/* Every pattern of bits of every storage: loaded and stored by plain loops, vector loops and guarded ones, as each target prints them,
   against conversions that the tests have of their own (tests/harness/stored.h) and against the interpreter of loops. */
#include "codegen/codegen.h"
#include "ir/exactness.h"
#include "ir/interpret.h"
#include "runtime/model.h"
#include "tests/harness/compile.h"
#include "tests/harness/stored.h"
#include "tests/harness/foreign.h"
#include "tests/unit/check.h"

enum { FORMS = 3, PLAIN = 0, GUARDED = 1, VECTOR = 2 };
static const char *const forms[FORMS] = {"plain", "guarded", "vector"};
static const enum storage storages[] = {STORAGE_BF16, STORAGE_F16, STORAGE_I8, STORAGE_U8, STORAGE_I4, STORAGE_U4};
enum { STORAGES = sizeof storages / sizeof *storages };

/* to[i] = from[i] for i from 0 to n; in whole vectors, whatever n is, where the form is VECTOR. */
static struct function *copy_function(struct arena *arena, const struct target *target, enum storage from,
                                      enum storage to, int form, int64_t count) {
  struct function *function =
      function_new(arena, arena_format(arena, "%s_to_%s_%s", storage_names[from], storage_names[to], forms[form]));
  const enum type type = type_of_kind(storage_kind(from));
  struct array *x = function_add_pointer(arena, function, "x", type, count, false, NULL),
               *y = function_add_pointer(arena, function, "y", type, count, true, NULL);
  struct variable *n = function_add_number(arena, function, "n", TYPE_INDEX);
  x->storage = from, y->storage = to;
  const struct expression *end = expression_variable(arena, n), *at;
  if (form == VECTOR) end = expression_index(arena, count);
  struct statement *loop = block_loop(arena, &function->body, LOOP_SERIAL, "i", end);
  struct block *block = &loop->body;
  at = expression_variable(arena, loop->variable);
  if (form != PLAIN) {
    loop->step = target->lanes;
    struct statement *lanes = block_loop(arena, block, LOOP_VECTOR, "lane", expression_index(arena, target->lanes));
    at = index_add(arena, at, expression_variable(arena, lanes->variable));
    block = &lanes->body;
    if (form == GUARDED)
      block = &block_if(arena, block, expression_apply(arena, OP_lt, at, expression_variable(arena, n), NULL))->body;
  }
  const struct expression *value = expression_load(arena, x, at);
  if (to != storage_of_type(type) && to != from) value = expression_cast(arena, to, value);
  block_store(arena, block, y, at, value);
  return function;
}

/* Every pattern of the storage's bits once, and then as many as fill the vectors of all targets. */
static int64_t patterns(enum storage storage) { return (int64_t)1 << storage_facts[storage].bits; }
static int64_t counted(enum storage storage) { return patterns(storage) < 64 ? 64 : patterns(storage); }

static void put_pattern(void *memory, enum storage storage, int64_t i) {
  const int64_t pattern = i % patterns(storage);
  if (storage_facts[storage].bits == 16) {
    ((uint16_t *)memory)[i] = (uint16_t)pattern;
    return;
  }
  const bool negative = storage_facts[storage].least < 0 && pattern >= patterns(storage) / 2;
  stored_put(memory, storage, false, i, (double)(negative ? pattern - patterns(storage) : pattern));
}

static bool same(double x, double y) { return isnan(x) ? isnan(y) : x == y && !signbit(x) == !signbit(y); }

static void check_copy(struct arena *arena, struct library *library, const struct target *target,
                       const struct function *function, enum storage from, enum storage to, int form) {
  const int64_t count = counted(from), present = form == VECTOR ? count : count - 3;
  const bool wide = target->double_precision;
  const size_t bytes = stored_bytes(to, wide, count);
  void *x = arena_alloc(arena, stored_bytes(from, wide, count));
  unsigned char *y = arena_alloc(arena, bytes);
  for (int64_t i = 0; i < count; i++) put_pattern(x, from, i);
  memset(y, 0x5A, bytes);
  void *code = library_symbol(library, function->name);
  void (*run)(const void *, void *, int64_t);
  if (!CHECK(code != NULL)) return;
  memcpy(&run, &code, sizeof run);
  run(x, y, present);
  int wrong = 0;
  for (int64_t i = 0; i < present; i++) {
    const double expected = stored_get(x, from, wide, i), got = stored_get(y, to, wide, i);
    if (same(got, expected) || wrong++) continue;
    printf("  %s, %s, element %lld: %.9g and not %.9g\n", target->name, function->name, (long long)i, got, expected);
  }
  CHECK(wrong == 0);
  /* What lies behind the last element stays. */
  unsigned char *untouched = arena_alloc(arena, bytes);
  memset(untouched, 0x5A, bytes);
  for (int64_t i = present; i < count; i++) CHECK(same(stored_get(y, to, wide, i), stored_get(untouched, to, wide, i)));
}

/* --- Elements of four bits in vectors --------------------------------------------------------------------------------------------- */

enum { WORD_COUNT = 64, PER_WORD = 8, ELEMENTS = WORD_COUNT * PER_WORD };
enum { AS_NUMBERS, AS_REALS, TIMES_FACTOR, TAKINGS };

/* y[slot, i] = x[i, slot], as numbers, as reals, or times a factor; or y[i] = x[i] where `in_words` is not set. */
static struct function *take_function(struct arena *arena, const struct target *target, enum storage storage,
                                      int taking, bool in_words) {
  struct function *function = function_new(
      arena, arena_format(arena, "take_%s_%d_%s", storage_names[storage], taking, in_words ? "words" : "row"));
  struct array *x = function_add_pointer(arena, function, "x", TYPE_INTEGER, ELEMENTS, false, NULL),
               *y = function_add_pointer(arena, function, "y", taking == AS_NUMBERS ? TYPE_INTEGER : TYPE_REAL,
                                         ELEMENTS, true, NULL);
  struct variable *factor = function_add_number(arena, function, "factor", TYPE_REAL);
  x->storage = storage;
  const int64_t outer = in_words ? PER_WORD : 1, inner = ELEMENTS / outer;
  struct statement *slots = block_loop(arena, &function->body, LOOP_SERIAL, "slot", expression_index(arena, outer));
  slots->variable->bound = outer;
  struct statement *loop = block_loop(arena, &slots->body, LOOP_SERIAL, "i", expression_index(arena, inner));
  loop->step = loop->variable->multiple = target->lanes;
  struct statement *lanes = block_loop(arena, &loop->body, LOOP_VECTOR, "lane", expression_index(arena, target->lanes));
  const struct expression *slot = expression_variable(arena, slots->variable),
                          *i = index_add(arena, expression_variable(arena, loop->variable),
                                         expression_variable(arena, lanes->variable));
  const struct expression *from = in_words ? index_add(arena, index_multiply(arena, i, PER_WORD), slot) : i;
  const struct expression *value = expression_load(arena, x, from);
  if (taking != AS_NUMBERS) value = expression_convert(arena, TYPE_REAL, value);
  if (taking == TIMES_FACTOR) value = expression_apply(arena, OP_mul, value, expression_variable(arena, factor), NULL);
  block_store(arena, &lanes->body, y, index_add(arena, index_multiply(arena, slot, inner), i), value);
  return function;
}

static void check_taking(struct library *library, const struct target *target, const struct function *function,
                         enum storage storage, int taking, bool in_words) {
  const bool wide = target->double_precision;
  const double factor = 0.37;
  uint8_t x[ELEMENTS / 2];
  double memory[ELEMENTS]; /* room for reals of any precision */
  for (int i = 0; i < ELEMENTS; i++) {
    const int64_t pattern = (i * 7 + i / 16) % 16;
    stored_put(x, storage, false, i, (double)(storage == STORAGE_I4 && pattern > 7 ? pattern - 16 : pattern));
  }
  void *code = library_symbol(library, function->name);
  if (!CHECK(code != NULL)) return;
  if (wide) {
    void (*run)(const void *, void *, double);
    memcpy(&run, &code, sizeof run);
    run(x, memory, factor);
  } else {
    void (*run)(const void *, void *, float);
    memcpy(&run, &code, sizeof run);
    run(x, memory, (float)factor);
  }
  int wrong = 0;
  for (int i = 0; i < ELEMENTS; i++) {
    const int from = in_words ? i % WORD_COUNT * PER_WORD + i / WORD_COUNT : i;
    const double element = stored_get(x, storage, false, from);
    const double product = wide ? element * factor : (double)((float)element * (float)factor);
    const double got = stored_get(memory, taking == AS_NUMBERS ? STORAGE_I32 : STORAGE_REAL, wide, i);
    wrong += got != (taking == TIMES_FACTOR ? product : element);
  }
  if (!CHECK(wrong == 0)) printf("  %s, %s: %d elements are wrong\n", target->name, function->name, wrong);
}

static void check_takings(const struct target *target) {
  struct arena *arena = arena_new();
  struct module module = {.arena = arena, .name = "test"};
  for (int n = 0; n < 4 * TAKINGS; n++)
    array_push(arena, &module.functions,
               take_function(arena, target, n % 2 ? STORAGE_I4 : STORAGE_U4, n / 4, n / 2 % 2));
  for (int n = 0; n < module.functions.count; n++)
    CHECK_STRING(function_verify(arena, module.functions.items[n]), NULL);
  struct library *library = NULL;
  if (target_runs_in_tests(target))
    library = compile_library(arena, emit_functions(arena, &module, target),
                              &(struct compiling){.level = 1, .target = target});
  for (int n = 0; library && n < module.functions.count; n++)
    check_taking(library, target, module.functions.items[n], n % 2 ? STORAGE_I4 : STORAGE_U4, n / 4, n / 2 % 2);
  if (library) library_close(library);
  arena_free(arena);
}

/* The loop interpreter refuses what is not exact; the verifier sees it beforehand; and the rounding that makes it exact. */
static void check_inexact(enum storage storage) {
  struct arena *arena = arena_new();
  const enum type type = type_of_kind(storage_kind(storage));
  struct function *function = function_new(arena, "inexact");
  struct array *x = function_add_pointer(arena, function, "x", type, 4, false, NULL),
               *y = function_add_pointer(arena, function, "y", type, 4, true, NULL);
  y->storage = storage;
  struct statement *loop = block_loop(arena, &function->body, LOOP_SERIAL, "i", expression_index(arena, 4));
  const struct expression *at = expression_variable(arena, loop->variable);
  struct variable *let = block_let(arena, &loop->body, "value", expression_load(arena, x, at));
  block_store(arena, &loop->body, y, at, expression_variable(arena, let));
  const double large = type == TYPE_REAL ? 1.001 : 300;
  double from[4] = {0, 1, 2, large}, to[4];
  struct loop_memory memories[2] = {{from, NULL, 4}, {to, NULL, 4}};
  const struct loop_argument arguments[2] = {{.memory = &memories[0]}, {.memory = &memories[1]}};
  const char *wrong = function_verify(arena, function);
  CHECK(wrong && strstr(wrong, "may not be exact"));
  wrong = function_interpret(arena, function, arguments);
  CHECK(wrong && strstr(wrong, "cannot hold"));
  function_store_exactly(arena, function);
  CHECK(!function_verify(arena, function));
  CHECK(!function_interpret(arena, function, arguments));
  CHECK_NEAR(to[2], 2, 0);
  CHECK_NEAR(to[3], scalar_round(storage, large), 0);
  arena_free(arena);
}

static void check_target(const struct target *target) {
  struct arena *arena = arena_new();
  struct module module = {.arena = arena, .name = "test"};
  for (int s = 0; s < STORAGES; s++)
    for (int form = 0; form < FORMS; form++) {
      const enum storage usual = storage_of_type(type_of_kind(storage_kind(storages[s])));
      array_push(arena, &module.functions,
                 copy_function(arena, target, storages[s], usual, form, counted(storages[s])));
      array_push(arena, &module.functions,
                 copy_function(arena, target, storages[s], storages[s], form, counted(storages[s])));
    }
  for (int i = 0; i < module.functions.count; i++) {
    const char *wrong = function_verify(arena, module.functions.items[i]);
    if (!CHECK(!wrong)) printf("  %s\n", wrong);
  }
  if (!target_runs_in_tests(target)) {
    SKIP(arena_format(arena, "this machine does not run %s", target->name));
    arena_free(arena);
    return;
  }
  struct library *library =
      compile_library(arena, emit_functions(arena, &module, target), &(struct compiling){.level = 1, .target = target});
  for (int i = 0; CHECK(library != NULL) && i < module.functions.count; i++) {
    const struct function *function = module.functions.items[i];
    check_copy(arena, library, target, function, function->parameters.items[0].array->storage,
               function->parameters.items[1].array->storage, i / 2 % FORMS);
  }
  if (library) library_close(library);
  arena_free(arena);
}

/* Published values: IEEE 754 binary16, and the upper halves of floats. */
static void check_values(void) {
  static const struct {
    enum storage storage;
    uint16_t bits;
    double number;
  } rows[] = {
      {STORAGE_F16, 0x3c00, 1},         {STORAGE_F16, 0x7bff, 65504},          {STORAGE_F16, 0x0001, 0x1p-24},
      {STORAGE_F16, 0x0400, 0x1p-14},   {STORAGE_F16, 0x3555, 0.333251953125}, {STORAGE_F16, 0xfc00, -INFINITY},
      {STORAGE_BF16, 0x3f80, 1},        {STORAGE_BF16, 0x4049, 3.140625},      {STORAGE_BF16, 0x7f7f, 0x1.fep127},
      {STORAGE_BF16, 0x0001, 0x1p-133}, {STORAGE_BF16, 0xc2f7, -123.5},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint16_t bits = 0;
    CHECK_NEAR(stored_get(&rows[i].bits, rows[i].storage, false, 0), rows[i].number, 0);
    stored_put(&bits, rows[i].storage, false, 0, rows[i].number);
    CHECK(bits == rows[i].bits);
    CHECK_NEAR(scalar_round(rows[i].storage, rows[i].number), rows[i].number, 0);
  }
}

/* What the runtime loads and draws is rounded as a cast rounds, straight from double. */
static void check_runtime(void) {
  static const struct {
    enum storage storage;
    enum lam_type type;
  } rows[] = {{STORAGE_BF16, LAM_TYPE_BF16}, {STORAGE_F16, LAM_TYPE_F16}, {STORAGE_I8, LAM_TYPE_I8},
              {STORAGE_U8, LAM_TYPE_U8},     {STORAGE_I4, LAM_TYPE_I4},   {STORAGE_U4, LAM_TYPE_U4}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    unsigned char memory[8] = {0};
    const bool real = storage_kind(rows[i].storage) == KIND_REAL;
    for (int round = 0; round < 20000; round++) {
      /* Numbers of all sizes, halves between two neighbours among them, and numbers close to such halves. */
      const int digits = real ? 12 : 2, scale = real ? check_below(300) - 150 : check_below(9);
      double number =
          ldexp(check_below(1 << digits) + (check_below(3) - 1) * (check_below(2) ? 0x1p-40 : 0), scale - digits);
      if (check_below(2)) number = -number;
      const int64_t at = check_below(2);
      lam_set(memory, rows[i].type, at, number);
      const double expected = scalar_round(rows[i].storage, number);
      if (!CHECK(same(lam_get(memory, rows[i].type, at), real ? expected : expected + 0.0)))
        printf("  %s of %.17g\n", storage_names[rows[i].storage], number);
      CHECK(same(stored_get(memory, rows[i].storage, false, at), real ? expected : expected + 0.0));
    }
    CHECK(lam_type_bytes(rows[i].type, 6) == stored_bytes(rows[i].storage, false, 6));
  }
  uint16_t half;
  lam_set(&half, LAM_TYPE_F16, 0, NAN);
  CHECK(isnan(lam_get(&half, LAM_TYPE_F16, 0)));
  lam_set(&half, LAM_TYPE_BF16, 0, -INFINITY);
  CHECK(lam_get(&half, LAM_TYPE_BF16, 0) == -INFINITY);
}

int main(void) {
  check_values();
  check_runtime();
  for (int s = 0; s < STORAGES; s++) check_inexact(storages[s]);
  for (int i = 0; tested_target(i); i++) {
    check_target(tested_target(i));
    check_takings(tested_target(i));
  }
  return check_done("storage");
}
