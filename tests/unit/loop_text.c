/* The loop IR's text: print, read and print again give the same; wrong text gives a message and no crash. */
#include <string.h>

#include "ir/loop.h"
#include "tests/unit/check.h"

static struct arena *arena;

static char *print_module(const struct module *module) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  module_print(file, module);
  fclose(file);
  char *copy = arena_strdup(arena, text);
  free(text);
  return copy;
}

static struct module *read_module(const char *text, const char **message) {
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct module *module = module_read(arena, source_from_text(arena, "test", text), diagnostics);
  *message = diagnostics->messages.count ? diagnostics->messages.items[0] : NULL;
  return module;
}

/* --- Random functions: any shape that the builders make ------------------------------------------------------------------------- */

struct maker {
  struct array *arrays[6];
  int array_count;
  struct variable *indices[16], *reals[16];
  int index_count, real_count;
  const struct function *helper;
};

static const struct expression *real(struct maker *m, int depth);
static const struct expression *boolean(struct maker *m, int depth);

static const struct expression *index_of(struct maker *m, int depth) {
  static const enum op ops[] = {OP_add, OP_sub, OP_mul, OP_quotient, OP_mod, OP_min, OP_max};
  if (depth == 0 || check_below(3) == 0)
    return m->index_count && check_below(3) ? expression_variable(arena, m->indices[check_below(m->index_count)])
                                            : expression_index(arena, check_below(50) - 10);
  const struct expression *x = index_of(m, depth - 1), *y = index_of(m, depth - 1);
  enum op op = ops[check_below(7)];
  if (check_below(8) == 0) return expression_apply(arena, OP_where, boolean(m, depth - 1), x, y);
  return expression_apply(arena, op, x, y, NULL);
}

static const struct expression *boolean(struct maker *m, int depth) {
  static const enum op compares[] = {OP_lt, OP_le, OP_eq, OP_ne};
  if (depth == 0) return expression_number(arena, TYPE_BOOLEAN, check_below(2));
  switch (check_below(4)) {
    case 0:
      return expression_apply(arena, check_below(2) ? OP_and : OP_or, boolean(m, depth - 1), boolean(m, depth - 1),
                              NULL);
    case 1:
      return expression_apply(arena, OP_not, boolean(m, depth - 1), NULL, NULL);
    case 2:
      return expression_apply(arena, compares[check_below(4)], index_of(m, depth - 1), index_of(m, depth - 1), NULL);
    default:
      return expression_apply(arena, compares[check_below(4)], real(m, depth - 1), real(m, depth - 1), NULL);
  }
}

static const struct expression *real(struct maker *m, int depth) {
  static const double numbers[] = {0, 1, -1, 0.1, -2.5, 1e30, 3e-20, 65536, INFINITY, -INFINITY, 0.30000000000000004};
  static const enum op unary[] = {OP_neg, OP_abs, OP_exp, OP_sqrt, OP_tanh, OP_cos};
  static const enum op binary[] = {OP_add, OP_sub, OP_mul, OP_div, OP_max, OP_pow, OP_mod};
  const struct expression *draw[5];
  if (depth == 0) {
    if (check_below(2) && m->real_count) return expression_variable(arena, m->reals[check_below(m->real_count)]);
    return expression_number(arena, TYPE_REAL, numbers[check_below(11)]);
  }
  switch (check_below(10)) {
    case 9:
      return expression_quantile(arena, expression_load(arena, m->arrays[check_below(2)], index_of(m, depth - 1)),
                                 index_of(m, depth - 1), real(m, depth - 1));
    case 0:
      return expression_apply(arena, unary[check_below(6)], real(m, depth - 1), NULL, NULL);
    case 1:
      return expression_fma(arena, real(m, depth - 1), real(m, depth - 1), real(m, depth - 1));
    case 2:
      return expression_convert(arena, TYPE_REAL, index_of(m, depth - 1));
    case 3:
      return expression_cast(arena, check_below(2) ? STORAGE_BF16 : STORAGE_F16, real(m, depth - 1));
    case 4:
      return expression_apply(arena, OP_where, boolean(m, depth - 1), real(m, depth - 1), real(m, depth - 1));
    case 5:
      return expression_load(arena, m->arrays[check_below(2)], index_of(m, depth - 1));
    case 6:
      for (int i = 0; i < 5; i++) draw[i] = i < 4 ? expression_index(arena, check_below(100)) : index_of(m, depth - 1);
      return expression_draw(arena, check_below(2) ? DISTRIBUTION_NORMAL : DISTRIBUTION_UNIFORM, draw);
    default:
      return expression_apply(arena, binary[check_below(7)], real(m, depth - 1), real(m, depth - 1), NULL);
  }
}

static void fill(struct maker *m, struct block *block, int depth) {
  static const enum loop_kind loops[] = {LOOP_SERIAL, LOOP_PARALLEL, LOOP_UNROLLED};
  int indices = m->index_count, reals = m->real_count;
  for (int count = 1 + check_below(4); count > 0; count--) {
    struct statement *statement;
    switch (check_below(depth > 0 ? 7 : 4)) {
      case 0:
        block_store(arena, block, m->arrays[1], index_of(m, 2), real(m, 3));
        break;
      case 1:
        if (m->real_count < 16) {
          struct variable *let = block_let(arena, block, "value", real(m, 3));
          m->reals[m->real_count++] = let;
        }
        break;
      case 2:
        block_comment(arena, block, "a \"comment\" with \\ and\na line");
        block_prefetch(arena, block, m->arrays[check_below(2)], index_of(m, 2));
        break;
      case 3:
        if (m->helper) {
          statement = block_call(arena, block, m->helper);
          array_push(arena, &statement->arguments, (struct argument){m->arrays[1], index_of(m, 1)});
          array_push(arena, &statement->arguments, (struct argument){NULL, index_of(m, 2)});
        }
        break;
      case 4:
        fill(m, &block_if(arena, block, boolean(m, 2))->body, depth - 1);
        break;
      default:
        statement = block_loop(arena, block, loops[check_below(3)], "i", index_of(m, 1));
        if (check_below(3) == 0) statement->step = 1 + check_below(8);
        if (m->index_count < 16) m->indices[m->index_count++] = statement->variable;
        fill(m, &statement->body, depth - 1);
        m->index_count = indices;
        break;
    }
  }
  m->real_count = reals;
}

static struct module *random_module(void) {
  struct module *module = arena_new_struct(arena, struct module);
  module->arena = arena;
  module->name = "random";
  struct function *helper = function_new(arena, "helper");
  helper->is_helper = true;
  struct array *x = function_add_pointer(arena, helper, "x", TYPE_REAL, 0, true, NULL);
  struct variable *n = function_add_number(arena, helper, "n", TYPE_INDEX);
  block_store(arena, &helper->body, x, expression_variable(arena, n), expression_number(arena, TYPE_REAL, 0));
  array_push(arena, &module->functions, helper);
  struct function *f = function_new(arena, "random");
  f->comment = "what it \"does\"";
  struct maker m = {.helper = helper, .array_count = 2};
  m.arrays[0] = function_add_pointer(arena, f, "x", TYPE_REAL, 40, false, "[a=4, b=10]");
  m.arrays[1] = function_add_pointer(arena, f, "y", TYPE_REAL, 0, true, NULL);
  m.indices[m.index_count++] = function_add_number(arena, f, "n", TYPE_INDEX);
  m.reals[m.real_count++] = function_add_number(arena, f, "s", TYPE_REAL);
  fill(&m, &f->body, 3);
  array_push(arena, &module->functions, f);
  return module;
}

static void test_round_trip(void) {
  for (int round = 0; round < 400; round++) {
    const char *message;
    struct module *module = random_module();
    if (round % 2) function_tidy_names(arena, module->functions.items[1]);
    const char *text = print_module(module);
    struct module *again = read_module(text, &message);
    if (!CHECK(again != NULL)) {
      printf("%s\n%s\n", text, message);
      return;
    }
    CHECK_STRING(print_module(again), text);
    CHECK(again->functions.count == 2 && function_equal(module->functions.items[1], again->functions.items[1]));
  }
}

/* Every statement and expression that the builders above leave out. */
static const char *const whole =
    "module whole\n"
    "\n"
    "function f(real x[64] \"[64]\", written real y[64], integer k[8], boolean b[8], index n, real s, integer j) \"all "
    "of it\" {\n"
    "  parallel row < n step 8 {\n"
    "    register real sum[8]\n"
    "    stack integer t[4]\n"
    "    t[0] = -3i\n"
    "    t[1] = k[index(j)] // 2i\n"
    "    vector lane < 8 {\n"
    "      if row + lane < n {\n"
    "        sum[lane] = where(b[lane], fma(x[row + lane], s, -0.5), real(k[0]))\n"
    "      }\n"
    "    }\n"
    "    y[row] = fold.add(sum[0], 8) + fold.max(sum[0], 8) - nan\n"
    "  }\n"
    "  prefetch x[n * (n + 1)]\n"
    "  prefetch x[n - (n - 1)]\n"
    "  stack real w[64]\n"
    "  expand 64(&w[0], &x[n + 1], &k[0])\n"
    "  stack bf16 v[64]\n"
    "  multiply(&w[0], 8, &v[n], 8, &v[0], 16, 4, n + 1, 8, 0, 0)\n"
    "}\n";

static void test_whole(void) {
  const char *message;
  struct module *module = read_module(whole, &message);
  if (CHECK(module != NULL))
    CHECK_STRING(print_module(module), whole);
  else
    printf("%s\n", message);
}

static void test_errors(void) {
  static const char *const cases[][2] = {
      {"function f() { x[0] = 1.0 }", "'x' is no array in scope"},
      {"function f(written real x[4]) { x[0] = 1 }", "a value of type index stored in an array of type real"},
      {"function f(real x[4], real x[4]) { }", "'x' is declared already"},
      {"function f(index n) { let y = n + 1.0 }", "add does not take index and real"},
      {"function f(index n) { serial i < 1.0 { } }", "an extent is an index"},
      {"function f(index n) { let y = sinus(n) }", "no operation is called 'sinus'"},
      {"function f(index n) { let y = 123456789012345678901 }", "this number is too large"},
      {"function f(index n) { call g(n) }", "no function before this one is called 'g'"},
      {"function f(index n) { let y = ", "expected a value"},
      {"function f(index n) { comment \"no end", "this string has no end"},
      {"function f(index n) { let y = n < 1 < 2 }", "expected a statement"},
      {"function f(index n) { if n { } }", "a condition is boolean"},
      {"nonsense", "expected 'function'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *message;
    CHECK(!read_module(cases[i][0], &message));
    if (!CHECK(message && strstr(message, cases[i][1])))
      printf("  %s  got: %s\n", cases[i][0], message ? message : "NULL");
  }
  /* Depth is bounded: no input may overrun the stack. */
  char *deep = arena_alloc(arena, 100000);
  strcpy(deep, "function f(index n) { let y = ");
  memset(deep + strlen(deep), '(', 90000);
  const char *message;
  CHECK(!read_module(deep, &message) && strstr(message, "nested too deeply"));
}

/* Damaged text is refused or read, and does no harm. */
static void test_spoiled(void) {
  for (int round = 0; round < 2000; round++) {
    const char *message;
    char *text = arena_strdup(arena, whole);
    size_t length = strlen(text);
    for (int i = 1 + check_below(4); i > 0; i--)
      text[check_below((int)length)] = (char)(check_below(2) ? 32 + check_below(95) : text[check_below((int)length)]);
    struct module *module = read_module(text, &message);
    CHECK(!module == (message != NULL));
    if (module) function_verify(arena, module->functions.items[0]);
  }
}

int main(void) {
  arena = arena_new();
  test_round_trip();
  test_whole();
  test_errors();
  test_spoiled();
  arena_free(arena);
  return check_done("loop_text");
}
