/* The C printer against the interpreter of the loop IR: random expressions over every operation, each in a plain loop, a vector
   loop and a guarded vector loop, printed for every target, compiled by gcc and by clang, and run. Vectors must give the bits
   of scalars, and clang those of gcc. */
#include <dlfcn.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "ir/interpret.h"
#include "tests/harness/foreign.h"
#include "tests/unit/check.h"

enum { COUNT = 80, PRESENT = 77, EXPRESSIONS = 60, FORMS = 3 };

/* Plain and guarded loops run to PRESENT, which leaves a tail; vector loops to COUNT. */

/* The parameters that every function of the test has. */
struct fixture {
  struct arena *arena;
  struct function *function;
  struct array *a, *b, *integers, *booleans, *y, *y_integers, *y_booleans;
  struct variable *n, *s, *k;
  const struct expression *at; /* the element that is computed */
  uint64_t state; /* of the random choices: the same for each form */
};

static struct fixture fixture_new(struct arena *arena, const char *name) {
  struct fixture f = {.arena = arena, .function = function_new(arena, name)};
  f.a = function_add_pointer(arena, f.function, "a", TYPE_REAL, COUNT, false, "[80]");
  f.b = function_add_pointer(arena, f.function, "b", TYPE_REAL, COUNT, false, NULL);
  f.integers = function_add_pointer(arena, f.function, "integers", TYPE_INTEGER, COUNT, false, NULL);
  f.booleans = function_add_pointer(arena, f.function, "booleans", TYPE_BOOLEAN, COUNT, false, NULL);
  f.y = function_add_pointer(arena, f.function, "y", TYPE_REAL, COUNT, true, NULL);
  f.y_integers = function_add_pointer(arena, f.function, "y_integers", TYPE_INTEGER, COUNT, true, NULL);
  f.y_booleans = function_add_pointer(arena, f.function, "y_booleans", TYPE_BOOLEAN, COUNT, true, NULL);
  f.n = function_add_number(arena, f.function, "n", TYPE_INDEX);
  f.s = function_add_number(arena, f.function, "s", TYPE_REAL);
  f.k = function_add_number(arena, f.function, "k", TYPE_INTEGER);
  return f;
}

static int choose(struct fixture *f, int limit) {
  f->state = f->state * 6364136223846793005u + 1442695040888963407u;
  return (int)((f->state >> 33) % (uint64_t)limit);
}

/* --- Random expressions ------------------------------------------------------------------------------------------------------- */

static const struct expression *apply(struct fixture *f, enum op op, const struct expression *x,
                                      const struct expression *y) {
  return expression_apply(f->arena, op, x, y, NULL);
}
static const struct expression *number(struct fixture *f, double x) {
  return expression_number(f->arena, TYPE_REAL, x);
}

/* Numbers in [0, COUNT) that differ by lane. */
static const struct expression *some_index(struct fixture *f) {
  switch (choose(f, 6)) {
    case 0:
      return expression_convert(f->arena, TYPE_INDEX, expression_load(f->arena, f->integers, f->at));
    case 1:
      return apply(f, OP_mod, index_add(f->arena, index_multiply(f->arena, f->at, 5), expression_index(f->arena, 3)),
                   expression_index(f->arena, COUNT));
    case 2:
      return apply(f, OP_quotient, f->at, expression_index(f->arena, 2 + choose(f, 5)));
    case 3:
      return expression_index(f->arena, choose(f, COUNT));
    case 4:
      return apply(f, OP_mod, f->at, expression_index(f->arena, 8));
    default:
      return f->at;
  }
}

/* There are few numbers, all of them eighths, which are exact in float, so that comparing and rounding them is exact
   too. */
static const struct expression *exact(struct fixture *f) {
  switch (choose(f, 5)) {
    case 0:
      return expression_variable(f->arena, f->s);
    case 1:
      return number(f, (choose(f, 33) - 16) / 8.0);
    case 2:
      return expression_load(f->arena, f->b, some_index(f));
    case 3:
      return apply(f, OP_add, expression_load(f->arena, f->a, f->at), expression_load(f->arena, f->b, f->at));
    default:
      return expression_load(f->arena, f->a, some_index(f));
  }
}

static const struct expression *real(struct fixture *f, int depth);
static const struct expression *boolean(struct fixture *f, int depth);

static const struct expression *integer(struct fixture *f, int depth) {
  struct arena *arena = f->arena;
  if (depth <= 0 || choose(f, 5) == 0) {
    switch (choose(f, 4)) {
      case 0:
        return expression_variable(arena, f->k);
      case 1:
        return expression_number(arena, TYPE_INTEGER, choose(f, 41) - 20);
      case 2:
        return expression_convert(arena, TYPE_INTEGER, some_index(f));
      default:
        return expression_load(arena, f->integers, some_index(f));
    }
  }
  static const enum op binary[] = {OP_add, OP_sub, OP_max, OP_min, OP_add, OP_sub};
  switch (choose(f, 9)) {
    case 0:
      return apply(f, OP_neg, integer(f, depth - 1), NULL);
    case 1:
      return apply(f, OP_abs, integer(f, depth - 1), NULL);
    case 2:
      return apply(f, OP_floor, exact(f), NULL);
    case 3:
      return apply(f, OP_round, exact(f), NULL);
    case 4:
      return expression_apply(arena, OP_where, boolean(f, depth - 1), integer(f, depth - 1), integer(f, depth - 1));
    case 5:
      return apply(f, choose(f, 2) ? OP_quotient : OP_mod, integer(f, depth - 1),
                   expression_number(arena, TYPE_INTEGER, 1 + choose(f, 9)));
    case 6:
      return expression_convert(arena, TYPE_INTEGER, boolean(f, depth - 1));
    case 7:
      return apply(f, OP_mul, integer(f, 0), integer(f, 0));
    default:
      return apply(f, binary[choose(f, 6)], integer(f, depth - 1), integer(f, depth - 1));
  }
}

static const struct expression *boolean(struct fixture *f, int depth) {
  static const enum op compare[] = {OP_lt, OP_le, OP_eq, OP_ne};
  enum op op = compare[choose(f, 4)];
  if (depth <= 0) return expression_load(f->arena, f->booleans, some_index(f));
  switch (choose(f, 8)) {
    case 0:
      return apply(f, OP_not, boolean(f, depth - 1), NULL);
    case 1:
      return apply(f, OP_and, boolean(f, depth - 1), boolean(f, depth - 1));
    case 2:
      return apply(f, OP_or, boolean(f, depth - 1), boolean(f, depth - 1));
    case 3:
      return apply(f, op, exact(f), exact(f));
    case 4:
      return apply(f, op, integer(f, depth - 1), integer(f, depth - 1));
    case 5:
      return apply(f, op, boolean(f, depth - 1), boolean(f, depth - 1));
    case 6:
      return choose(f, 2) ? apply(f, op, f->at, expression_index(f->arena, choose(f, COUNT)))
                          : apply(f, op, expression_index(f->arena, choose(f, COUNT)), f->at);
    default:
      return expression_load(f->arena, f->booleans, some_index(f));
  }
}

static const struct expression *real(struct fixture *f, int depth) {
  struct arena *arena = f->arena;
  if (depth <= 0) return exact(f);
  static const enum op unary[] = {OP_neg, OP_abs, OP_tanh, OP_erf, OP_sin, OP_cos};
  static const enum op positive[] = {OP_log, OP_sqrt, OP_rsqrt};
  static const enum op binary[] = {OP_add, OP_sub, OP_mul, OP_max, OP_min};
  switch (choose(f, 12)) {
    case 0:
    case 1:
      return apply(f, unary[choose(f, 6)], real(f, depth - 1), NULL);
    case 2:
      return apply(f, positive[choose(f, 3)],
                   apply(f, OP_add, apply(f, OP_abs, real(f, depth - 1), NULL), number(f, 0.5)), NULL);
    case 3:
      return apply(f, OP_exp, apply(f, OP_min, real(f, depth - 1), number(f, 3)), NULL);
    case 4:
      return expression_fma(arena, real(f, depth - 1), real(f, depth - 1), real(f, depth - 1));
    case 5:
      return expression_apply(arena, OP_where, boolean(f, depth - 1), real(f, depth - 1), real(f, depth - 1));
    case 6:
      return expression_convert(arena, TYPE_REAL, integer(f, depth - 1));
    case 7:
      return expression_convert(arena, TYPE_REAL, choose(f, 2) ? some_index(f) : boolean(f, depth - 1));
    case 8: {
      const struct expression *x = real(f, depth - 1);
      return apply(f, OP_div, x, apply(f, OP_add, apply(f, OP_abs, real(f, depth - 1), NULL), number(f, 0.5)));
    }
    case 9: {
      static const enum storage storages[] = {STORAGE_F32, STORAGE_BF16, STORAGE_F16,
                                              STORAGE_I8,  STORAGE_I32,  STORAGE_BOOL};
      if (choose(f, 2)) return expression_cast(arena, storages[choose(f, 6)], exact(f));
      const struct expression *const counters[5] = {
          expression_variable(arena, f->k), expression_number(arena, TYPE_INTEGER, 77), expression_index(arena, 3),
          choose(f, 2) ? expression_load(arena, f->integers, f->at) : expression_number(arena, TYPE_INTEGER, 5),
          choose(f, 2) ? f->at
                       : index_add(arena, index_multiply(arena, f->at, 1 << 20),
                                   expression_number(arena, TYPE_INDEX, 4294967290.0))};
      return expression_draw(arena, choose(f, 2) ? DISTRIBUTION_UNIFORM : DISTRIBUTION_NORMAL, counters);
    }
    case 10: {
      const struct expression *x = apply(f, OP_add, apply(f, OP_abs, exact(f), NULL), number(f, 0.5));
      return choose(f, 2) ? apply(f, OP_pow, x, exact(f)) : apply(f, OP_mod, exact(f), x);
    }
    default:
      return apply(f, binary[choose(f, 5)], real(f, depth - 1), real(f, depth - 1));
  }
}

/* One expression of each type, at every element, in one of the forms. */
static struct function *random_function(struct arena *arena, const struct target *target, int number, int form) {
  static const char *const forms[FORMS] = {"plain", "guarded", "vector"};
  struct fixture f = fixture_new(arena, arena_format(arena, "expression_%d_%s", number, forms[form]));
  f.state = (uint64_t)number * 977 + 12345;
  f.function->comment = "y[i] = random expressions, */ and a comment that tries to end itself";
  const struct expression *n = expression_variable(arena, f.n);
  struct block *block = &f.function->body;
  if (form == 0) {
    struct statement *loop = block_loop(arena, block, LOOP_SERIAL, "i", n);
    f.at = expression_variable(arena, loop->variable);
    block = &loop->body;
  } else {
    const struct expression *extent = n, *base;
    if (form == 2) extent = expression_index(arena, COUNT / target->lanes);
    struct statement *outer = block_loop(arena, block, form == 2 ? LOOP_PARALLEL : LOOP_SERIAL, "i", extent);
    base = expression_variable(arena, outer->variable);
    if (form == 1)
      outer->step = target->lanes;
    else
      base = index_multiply(arena, base, target->lanes);
    if (form == 2) base = expression_variable(arena, block_let(arena, &outer->body, "base", base));
    struct statement *loop = block_loop(arena, &outer->body, LOOP_VECTOR, "l", expression_index(arena, target->lanes));
    f.at = index_add(arena, base, expression_variable(arena, loop->variable));
    block = &loop->body;
    if (form == 1) block = &block_if(arena, block, apply(&f, OP_lt, f.at, n))->body;
    if (number % 3 == 0) f.at = expression_variable(arena, block_let(arena, block, "at", f.at));
  }
  const struct expression *x = real(&f, 3);
  const struct variable *let = block_let(arena, block, "value", x);
  const struct variable *whole = block_let(arena, block, "whole", integer(&f, 2));
  block_store(arena, block, f.y, f.at, apply(&f, OP_add, expression_variable(arena, let), real(&f, 2)));
  block_store(arena, block, f.y_integers, f.at, expression_variable(arena, whole));
  block_store(arena, block, f.y_booleans, f.at, boolean(&f, 2));
  return f.function;
}

/* --- Unrolled loops, registers, folds, calls ----------------------------------------------------------------------------------- */

/* y[i] = a[i] + k through a helper. */
static struct function *helper_function(struct arena *arena) {
  struct function *function = function_new(arena, "shifted");
  struct array *x = function_add_pointer(arena, function, "x", TYPE_REAL, 0, false, NULL);
  struct array *y = function_add_pointer(arena, function, "y", TYPE_REAL, 0, true, NULL);
  struct variable *count = function_add_number(arena, function, "count", TYPE_INDEX);
  struct variable *by = function_add_number(arena, function, "double", TYPE_REAL); /* a keyword */
  struct statement *loop = block_loop(arena, &function->body, LOOP_SERIAL, "i", expression_variable(arena, count));
  const struct expression *i = expression_variable(arena, loop->variable);
  block_store(arena, &loop->body, y, i,
              expression_apply(arena, OP_add, expression_load(arena, x, i), expression_variable(arena, by), NULL));
  function->is_helper = true;
  return function;
}

/* A contraction's tile: registers of rows x vectors, broadcast times vector; then sums of lanes; then a call. */
static struct function *tile_function(struct arena *arena, const struct target *target, const struct function *helper) {
  struct fixture f = fixture_new(arena, "tile");
  struct block *block = &f.function->body;
  int lanes = target->lanes, rows = 3, vectors = 2;
  const struct expression *wide = expression_index(arena, lanes);
  struct array *sums = block_array(arena, block, "sums", TYPE_REAL, MEMORY_REGISTER, rows * vectors * lanes);
  struct array *largest = block_array(arena, block, "largest", TYPE_REAL, MEMORY_REGISTER, lanes);
  struct array *flags = block_array(arena, block, "flags", TYPE_BOOLEAN, MEMORY_REGISTER, lanes);
  struct array *counts = block_array(arena, block, "counts", TYPE_INTEGER, MEMORY_REGISTER, lanes);
  struct array *folded = block_array(arena, block, "folded", TYPE_REAL, MEMORY_REGISTER, 2 * rows);
  struct array *columns = block_array(arena, block, "columns", TYPE_REAL, MEMORY_STACK, 10 * lanes);
  struct array *row = block_array(arena, block, "row", TYPE_REAL, MEMORY_STACK, 2 * lanes);
  block_comment(arena, block, "A tile of registers.");
  for (int pass = 0; pass < 2; pass++) {
    struct block *inner = block;
    const struct expression *k = NULL;
    if (pass) {
      struct statement *serial = block_loop(arena, block, LOOP_SERIAL, "k", expression_index(arena, 5));
      inner = &serial->body;
      k = expression_variable(arena, serial->variable);
    }
    struct statement *r = block_loop(arena, inner, LOOP_UNROLLED, "r", expression_index(arena, rows));
    const struct expression *at_r = expression_variable(arena, r->variable);
    const struct expression *broadcast = NULL;
    if (pass)
      broadcast = expression_variable(
          arena, block_let(arena, &r->body, "broadcast",
                           expression_load(arena, f.a, index_add(arena, k, index_multiply(arena, at_r, 7)))));
    struct statement *v = block_loop(arena, &r->body, LOOP_UNROLLED, "v", expression_index(arena, vectors));
    const struct expression *at_v = expression_variable(arena, v->variable);
    struct statement *l = block_loop(arena, &v->body, LOOP_VECTOR, "l", wide);
    const struct expression *lane = expression_variable(arena, l->variable);
    const struct expression *part =
        index_add(arena, index_multiply(arena, at_r, vectors * lanes), index_multiply(arena, at_v, lanes));
    const struct expression *place = index_add(arena, part, lane);
    const struct expression *b = NULL;
    if (pass)
      b = expression_load(arena, f.b, index_add(arena, index_add(arena, k, index_multiply(arena, at_v, lanes)), lane));
    block_store(arena, &l->body, sums, place,
                pass ? expression_fma(arena, broadcast, b, expression_load(arena, sums, place)) : number(&f, 0));
  }
  /* Guarded registers, integer and boolean ones. */
  struct statement *l = block_loop(arena, block, LOOP_VECTOR, "l", wide);
  const struct expression *lane = expression_variable(arena, l->variable);
  block_store(arena, &l->body, largest, lane, number(&f, -INFINITY));
  block_store(arena, &l->body, flags, lane, apply(&f, OP_lt, expression_load(arena, f.a, lane), number(&f, 0)));
  block_store(arena, &l->body, counts, lane, expression_load(arena, f.integers, lane));
  l = block_loop(arena, block, LOOP_VECTOR, "l", wide);
  lane = expression_variable(arena, l->variable);
  struct statement *guard = block_if(arena, &l->body, apply(&f, OP_lt, lane, expression_index(arena, lanes - 1)));
  block_store(arena, &guard->body, largest, lane,
              apply(&f, OP_max, expression_load(arena, largest, lane),
                    expression_load(arena, f.a, index_add(arena, lane, expression_index(arena, 1)))));
  block_store(arena, &guard->body, flags, lane, apply(&f, OP_not, expression_load(arena, flags, lane), NULL));
  block_store(arena, &guard->body, counts, lane,
              apply(&f, OP_add, expression_load(arena, counts, lane), expression_number(arena, TYPE_INTEGER, 1)));
  /* Making columns of rows has a text of its own. */
  struct statement *k = block_loop(arena, block, LOOP_SERIAL, "k", expression_index(arena, 5));
  for (int v = 0; v < 2; v++) {
    const struct expression *at_k = expression_variable(arena, k->variable);
    l = block_loop(arena, &k->body, LOOP_VECTOR, "l", wide);
    lane = expression_variable(arena, l->variable);
    const struct expression *from =
        index_add(arena, index_add(arena, index_multiply(arena, lane, 3), at_k), expression_index(arena, v * 7));
    const struct expression *to = index_add(arena, index_add(arena, lane, index_multiply(arena, at_k, 2 * lanes)),
                                            expression_index(arena, v * lanes));
    block_store(arena, &l->body, columns, to, expression_load(arena, f.a, from));
  }
  /* Scattered and strided stores. */
  l = block_loop(arena, block, LOOP_VECTOR, "l", wide);
  lane = expression_variable(arena, l->variable);
  block_store(arena, &l->body, row, index_multiply(arena, lane, 2), expression_load(arena, largest, lane));
  block_store(arena, &l->body, row, index_add(arena, index_multiply(arena, lane, 2), expression_index(arena, 1)),
              expression_load(arena, f.a, index_multiply(arena, lane, 3)));
  /* Nothing asks for this guard as a mask. */
  l = block_loop(arena, block, LOOP_VECTOR, "l", wide);
  lane = expression_variable(arena, l->variable);
  guard = block_if(arena, &l->body, apply(&f, OP_lt, lane, expression_index(arena, lanes - 1)));
  block_store(arena, &guard->body, row, index_multiply(arena, lane, 2), number(&f, 3));
  l = block_loop(arena, block, LOOP_VECTOR, "l", wide);
  lane = expression_variable(arena, l->variable);
  block_store(arena, &l->body, f.y_booleans, lane, expression_load(arena, flags, lane));
  block_store(arena, &l->body, f.y_integers, lane, expression_load(arena, counts, lane));
  for (int r = 0; r < rows; r++) {
    const struct expression *start = expression_index(arena, r * vectors * lanes);
    block_store(arena, block, folded, expression_index(arena, 2 * r),
                expression_fold(arena, OP_add, sums, start, lanes));
    block_store(arena, block, folded, expression_index(arena, 2 * r + 1),
                expression_fold(arena, OP_max, largest, expression_index(arena, 0), lanes));
  }
  struct statement *call = block_call(arena, block, helper);
  array_push(arena, &call->arguments, (struct argument){row, expression_index(arena, 0)});
  array_push(arena, &call->arguments, (struct argument){f.y, expression_index(arena, 8)});
  array_push(arena, &call->arguments, (struct argument){NULL, expression_index(arena, 2 * lanes)});
  array_push(arena, &call->arguments, (struct argument){NULL, expression_variable(arena, f.s)});
  struct statement *r = block_loop(arena, block, LOOP_UNROLLED, "r", expression_index(arena, 2 * rows));
  const struct expression *at = expression_variable(arena, r->variable);
  block_store(arena, &r->body, f.y, at, expression_load(arena, folded, at));
  struct statement *copied = block_loop(arena, block, LOOP_SERIAL, "i", expression_index(arena, COUNT - 40));
  const struct expression *at_i = expression_variable(arena, copied->variable);
  block_store(arena, &copied->body, f.y, index_add(arena, at_i, expression_index(arena, 40)),
              expression_load(arena, columns, at_i));
  struct statement *last = block_if(
      arena, block, apply(&f, OP_le, expression_variable(arena, f.k), expression_number(arena, TYPE_INTEGER, 1000)));
  block_store(arena, &last->body, f.y, expression_index(arena, 7),
              expression_load(arena, sums, expression_index(arena, lanes)));
  return f.function;
}

/* --- Running -------------------------------------------------------------------------------------------------------------------- */

struct outputs {
  double y[COUNT], integers[COUNT], booleans[COUNT];
};

struct inputs {
  double a[COUNT], b[COUNT], integers[COUNT], booleans[COUNT];
};

static void interpret(struct arena *arena, const struct function *function, const struct inputs *in,
                      struct outputs *out) {
  struct loop_memory memories[7] = {
      {(double *)in->a, NULL, COUNT},        {(double *)in->b, NULL, COUNT}, {(double *)in->integers, NULL, COUNT},
      {(double *)in->booleans, NULL, COUNT}, {out->y, NULL, COUNT},          {out->integers, NULL, COUNT},
      {out->booleans, NULL, COUNT}};
  struct loop_argument arguments[10] = {{0}};
  for (int i = 0; i < 7; i++) arguments[i].memory = &memories[i];
  arguments[7].number = PRESENT, arguments[8].number = 0.75, arguments[9].number = -3;
  memset(out, 0, sizeof *out);
  const char *wrong = function_interpret(arena, function, arguments);
  if (!CHECK(wrong == NULL)) printf("  %s: %s\n", function->name, wrong);
}

typedef void float_function(const float *, const float *, const int32_t *, const uint8_t *, float *, int32_t *,
                            uint8_t *, int64_t, float, int32_t);
typedef void double_function(const double *, const double *, const int32_t *, const uint8_t *, double *, int32_t *,
                             uint8_t *, int64_t, double, int32_t);

static void run(void *code, bool is_double, const struct inputs *in, struct outputs *out) {
  /* Memory after the end must stay as it is. */
  float a[COUNT], b[COUNT], y[COUNT + 16];
  double y_double[COUNT + 16];
  int32_t integers[COUNT], y_integers[COUNT + 16];
  uint8_t booleans[COUNT], y_booleans[COUNT + 16];
  for (int i = 0; i < COUNT; i++) {
    a[i] = (float)in->a[i], b[i] = (float)in->b[i];
    integers[i] = (int32_t)in->integers[i], booleans[i] = (uint8_t)in->booleans[i];
  }
  for (int i = 0; i < COUNT + 16; i++) y[i] = 0, y_double[i] = 0, y_integers[i] = 0, y_booleans[i] = 0;
  for (int i = COUNT; i < COUNT + 16; i++) y[i] = 5, y_double[i] = 5, y_integers[i] = 5, y_booleans[i] = 5;
  if (is_double) {
    double_function *function;
    memcpy(&function, &code, sizeof code);
    function(in->a, in->b, integers, booleans, y_double, y_integers, y_booleans, PRESENT, 0.75, -3);
  } else {
    float_function *function;
    memcpy(&function, &code, sizeof code);
    function(a, b, integers, booleans, y, y_integers, y_booleans, PRESENT, 0.75f, -3);
  }
  for (int i = 0; i < COUNT; i++)
    out->y[i] = is_double ? y_double[i] : y[i], out->integers[i] = y_integers[i], out->booleans[i] = y_booleans[i];
  bool kept = true;
  for (int i = COUNT; i < COUNT + 16; i++)
    kept = kept && y[i] == 5 && y_double[i] == 5 && y_integers[i] == 5 && y_booleans[i] == 5;
  CHECK(kept);
}

static void *compile(struct arena *arena, const char *compiler, const char *folder, const struct target *target,
                     const char *source) {
  const char *file = arena_format(arena, "%s/%s.c", folder, target->name),
             *library = arena_format(arena, "%s/%s-%s.so", folder, target->name, compiler);
  FILE *out = fopen(file, "w");
  if (!CHECK(out != NULL)) return NULL;
  fputs(source, out);
  fclose(out);
  const char *command =
      arena_format(arena, "%s -std=c11 -O1 -Wall -Wextra -Wconversion -Wshadow -Werror%s -shared -fPIC -o %s %s -lm",
                   compiler, target_option_text(arena, target), library, file);
  if (!CHECK(system(command) == 0)) return NULL;
  void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  CHECK(handle != NULL);
  return handle;
}

static bool same(double x, double y) { return x == y ? true : isnan(x) && isnan(y); }

static void check_outputs(const char *name, const struct outputs *got, const struct outputs *expected, int count,
                          double tolerance) {
  for (int i = 0; i < count; i++) {
    double scale = fabs(expected->y[i]) > 1 ? fabs(expected->y[i]) : 1;
    bool near = tolerance > 0 ? same(got->y[i], expected->y[i]) || fabs(got->y[i] - expected->y[i]) <= tolerance * scale
                              : same(got->y[i], expected->y[i]);
    near = near && got->integers[i] == expected->integers[i] && got->booleans[i] == expected->booleans[i];
    if (CHECK(near)) continue;
    printf("  %s, element %d: %.9g %g %g, expected %.9g %g %g\n", name, i, got->y[i], got->integers[i],
           got->booleans[i], expected->y[i], expected->integers[i], expected->booleans[i]);
    return;
  }
}

static bool lines_fit(const char *source) {
  for (const char *line = source; *line;) {
    size_t length = strcspn(line, "\n");
    if (length > 120) {
      printf("  %.*s\n", (int)length, line);
      return false;
    }
    line += length + (line[length] == '\n');
  }
  return true;
}

static void check_target(const struct target *target, const char *folder) {
  static const char *const compilers[] = {"gcc", "clang-19"};
  struct arena *arena = arena_new();
  struct module module = {.arena = arena, .name = "test"};
  for (int i = 0; i < EXPRESSIONS; i++)
    for (int form = 0; form < FORMS; form++)
      array_push(arena, &module.functions, random_function(arena, target, i, form));
  struct function *helper = helper_function(arena);
  array_push(arena, &module.functions, helper);
  array_push(arena, &module.functions, tile_function(arena, target, helper));
  for (int i = 0; i < module.functions.count; i++) {
    function_tidy_names(arena, module.functions.items[i]);
    const char *wrong = function_verify(arena, module.functions.items[i]);
    if (!CHECK(wrong == NULL)) printf("  %s: %s\n", module.functions.items[i]->name, wrong);
  }
  const char *source = emit_functions(arena, &module, target);
  CHECK(lines_fit(source));
  CHECK_STRING(emit_functions(arena, &module, target), source);

  struct inputs in;
  for (int i = 0; i < COUNT; i++) {
    in.a[i] = (check_below(33) - 16) / 8.0, in.b[i] = (check_below(33) - 16) / 8.0;
    in.integers[i] = check_below(COUNT), in.booleans[i] = check_below(2);
  }
  struct outputs *first = arena_new_array(arena, struct outputs, module.functions.count);
  bool have_first = false;
  for (size_t c = 0; c < sizeof compilers / sizeof *compilers; c++) {
    if (system(arena_format(arena, "command -v %s > /dev/null", compilers[c])) != 0) {
      SKIP(arena_format(arena, "no %s", compilers[c]));
      continue;
    }
    if (!target_runs_in_tests(target) && target_is_foreign(target)) {
      SKIP(arena_format(arena, "nothing here compiles %s", target->name));
      continue;
    }
    void *handle = compile(arena, compilers[c], folder, target, source);
    if (!handle) continue;
    if (!target_runs_in_tests(target)) {
      SKIP(arena_format(arena, "this machine does not run %s", target->name));
      continue;
    }
    for (int i = 0; i < module.functions.count; i++) {
      const struct function *function = module.functions.items[i];
      if (function->is_helper) continue;
      const char *name = arena_format(arena, "%s %s %s", target->name, compilers[c], function->name);
      void *code = dlsym(handle, function->name);
      if (!CHECK(code != NULL)) continue;
      struct outputs out, expected;
      run(code, target->double_precision, &in, &out);
      if (have_first) {
        check_outputs(name, &out, &first[i], COUNT, 0);
        continue;
      }
      first[i] = out;
      interpret(arena, function, &in, &expected);
      check_outputs(name, &out, &expected, COUNT, target->double_precision ? 1e-12 : 1e-4);
      if (i < EXPRESSIONS * FORMS && i % FORMS) check_outputs(name, &out, &first[i - i % FORMS], PRESENT, 0);
    }
    have_first = true;
  }
  arena_free(arena);
}

int main(int argc, char **argv) {
  char folder[] = "/tmp/lamella-c-printer-XXXXXX";
  if (!mkdtemp(folder)) return 1;
  for (int i = 0; tested_target(i); i++)
    if (argc < 2 || strcmp(argv[1], tested_target(i)->name) == 0) check_target(tested_target(i), folder);
  if (check_totals.failed)
    printf("the sources are in %s\n", folder);
  else if (system(strcat(strcpy((char[64]){0}, "rm -r "), folder)) != 0)
    return 1;
  return check_done("c_printer");
}
