/* Builders of the loop IR: what folds, and that folding keeps the value. */
#include <math.h>
#include <string.h>

#include "ir/loop.h"
#include "tests/unit/check.h"

static struct arena *arena;
static struct function *function;
static struct block *block;

static const struct expression *variable(const struct variable *x) { return expression_variable(arena, x); }
static const struct expression *number(int64_t x) { return expression_index(arena, x); }
static const struct expression *apply(enum op op, const struct expression *x, const struct expression *y) {
  return expression_apply(arena, op, x, y, NULL);
}

/* The text of an expression, by printing a function that holds it. */
static const char *text_of(const struct expression *x) {
  struct function holder = *function;
  struct statement let = {.kind = STATEMENT_LET, .variable = &(struct variable){.name = "x"}, .expression = x};
  struct statement *statements[] = {&let};
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  holder.body.statements.items = statements;
  holder.body.statements.count = 1;
  function_print(file, &holder);
  fclose(file);
  char *start = strstr(text, "let x = "), *end = start ? strchr(start, '\n') : NULL;
  const char *result = start && end ? arena_copy(arena, start + 8, (size_t)(end - start) - 8) : "?";
  free(text);
  return result;
}

static void test_sums(void) {
  struct variable *n = function_add_number(arena, function, "n", TYPE_INDEX),
                  *m = function_add_number(arena, function, "m", TYPE_INDEX);
  const struct expression *x = variable(n), *y = variable(m);
  CHECK(index_add(arena, x, number(0)) == x);
  CHECK(index_multiply(arena, x, 1) == x);
  CHECK_STRING(text_of(index_multiply(arena, x, 0)), "0");
  CHECK_STRING(text_of(index_add(arena, index_add(arena, x, number(3)), number(4))), "n + 7");
  CHECK_STRING(text_of(index_add(arena, number(3), x)), "n + 3");
  CHECK_STRING(text_of(index_multiply(arena, index_add(arena, index_multiply(arena, x, 3), number(2)), 4)),
               "n * 12 + 8");
  CHECK_STRING(text_of(index_add(arena, index_multiply(arena, x, 3), index_multiply(arena, x, 5))), "n * 8");
  CHECK_STRING(text_of(apply(OP_sub, index_add(arena, x, y), x)), "m");
  CHECK_STRING(text_of(apply(OP_sub, x, index_add(arena, y, number(1)))), "n - m - 1");
  CHECK_STRING(text_of(apply(OP_sub, number(10), x)), "10 - n");
  CHECK_STRING(text_of(apply(OP_mul, x, y)), "n * m");
  /* Nothing is known of n: its remainder stays, but multiples still fold. */
  CHECK_STRING(text_of(apply(OP_quotient, index_add(arena, index_multiply(arena, x, 12), y), number(12))),
               "(n * 12 + m) // 12");
  CHECK_STRING(text_of(apply(OP_quotient, index_multiply(arena, x, 12), number(12))), "n");
  CHECK_STRING(text_of(apply(OP_quotient, index_add(arena, index_multiply(arena, x, 12), number(5)), number(4))),
               "n * 3 + 1");
  CHECK_STRING(text_of(apply(OP_mod, index_add(arena, index_multiply(arena, x, 12), number(5)), number(4))), "1");
}

static void test_ranges(void) {
  struct statement *head = block_loop(arena, block, LOOP_SERIAL, "head", number(12));
  struct statement *key = block_loop(arena, &head->body, LOOP_SERIAL, "key", number(64));
  const struct expression *h = variable(head->variable), *k = variable(key->variable);
  const struct expression *merged = index_add(arena, index_multiply(arena, h, 64), k);
  int64_t low, high, coefficient;
  CHECK_STRING(text_of(apply(OP_quotient, merged, number(64))), "head");
  CHECK_STRING(text_of(apply(OP_mod, merged, number(64))), "key");
  CHECK_STRING(text_of(apply(OP_mod, merged, number(32))), "key % 32");
  CHECK(expression_range(merged, &low, &high) && low == 0 && high == 767);
  CHECK_STRING(text_of(apply(OP_lt, merged, number(768))), "true");
  CHECK_STRING(text_of(apply(OP_lt, number(767), merged)), "false");
  CHECK_STRING(text_of(apply(OP_lt, merged, number(767))), "head * 64 + key < 767");
  CHECK_STRING(text_of(apply(OP_min, merged, number(1000))), "head * 64 + key");
  CHECK(expression_coefficient(merged, head->variable, &coefficient) && coefficient == 64);
  CHECK(expression_coefficient(merged, key->variable, &coefficient) && coefficient == 1);
  CHECK(!expression_coefficient(apply(OP_mod, merged, number(10)), key->variable, &coefficient));
  CHECK(expression_coefficient(apply(OP_mod, h, number(10)), key->variable, &coefficient) && coefficient == 0);
  CHECK(expression_uses(merged, head->variable) && !expression_uses(h, key->variable));
  struct variable *let = block_let(arena, &key->body, "half", apply(OP_quotient, k, number(2)));
  CHECK_STRING(text_of(apply(OP_lt, variable(let), number(32))), "true");
}

static void test_others(void) {
  struct variable *s = function_add_number(arena, function, "s", TYPE_REAL);
  const struct expression *x = variable(s), *zero = expression_number(arena, TYPE_REAL, 0),
                          *one = expression_number(arena, TYPE_REAL, 1);
  CHECK(apply(OP_add, x, zero) == x && apply(OP_mul, one, x) == x && apply(OP_div, x, one) == x);
  /* 0 times infinity is no zero. */
  CHECK_STRING(text_of(apply(OP_mul, x, zero)), "s * 0.0");
  CHECK_STRING(text_of(expression_fma(arena, x, one, x)), "s + s");
  CHECK_STRING(text_of(expression_fma(arena, x, x, zero)), "s * s");
  CHECK_STRING(text_of(apply(OP_add, expression_number(arena, TYPE_REAL, 0.5), one)), "1.5");
  const struct expression *true_ = expression_number(arena, TYPE_BOOLEAN, 1), *less = apply(OP_lt, x, one);
  CHECK(apply(OP_and, true_, less) == less && apply(OP_or, less, true_) == true_);
  CHECK(expression_apply(arena, OP_where, true_, x, one) == x);
  CHECK_STRING(text_of(expression_cast(arena, STORAGE_BF16, expression_cast(arena, STORAGE_BF16, x))), "cast.bf16(s)");
  CHECK(expression_convert(arena, TYPE_REAL, x) == x);
  CHECK_STRING(text_of(expression_convert(arena, TYPE_REAL, number(3))), "3.0");
}

static void test_names(void) {
  struct function *f = function_new(arena, "2 fast");
  CHECK_STRING(f->name, "v2_fast");
  struct statement *first = block_loop(arena, &f->body, LOOP_SERIAL, "i", number(4));
  struct statement *second = block_loop(arena, &f->body, LOOP_SERIAL, "i", number(5));
  struct statement *inner = block_loop(arena, &second->body, LOOP_SERIAL, "i", number(6));
  struct variable *let = block_let(arena, &first->body, "for", number(1));
  CHECK_STRING(first->variable->name, "i");
  CHECK_STRING(second->variable->name, "i_2");
  CHECK_STRING(inner->variable->name, "i_3");
  CHECK_STRING(let->name, "for_2");
  function_tidy_names(arena, f);
  CHECK_STRING(second->variable->name, "i");
  CHECK_STRING(inner->variable->name, "i_2");
}

static struct function *scale(const char *name, const char *x, const char *y, int64_t factor, bool comment) {
  struct function *f = function_new(arena, name);
  struct array *from = function_add_pointer(arena, f, x, TYPE_REAL, 8, false, NULL),
               *to = function_add_pointer(arena, f, y, TYPE_REAL, 8, true, NULL);
  if (comment) block_comment(arena, &f->body, "a comment");
  struct statement *loop = block_loop(arena, &f->body, LOOP_SERIAL, x, number(8));
  const struct expression *at = variable(loop->variable);
  block_store(arena, &loop->body, to, at,
              apply(OP_mul, expression_load(arena, from, at), expression_number(arena, TYPE_REAL, (double)factor)));
  return f;
}

static void test_equality(void) {
  struct function *x = scale("x", "a", "b", 3, false), *y = scale("y", "c", "d", 3, true),
                  *z = scale("x", "a", "b", 4, false);
  CHECK(function_equal(x, y) && function_hash(x) == function_hash(y));
  CHECK(!function_equal(x, z));
  CHECK(function_hash(x) != function_hash(z));
}

/* --- Random index expressions, folded and not, give the same number ----------------------------------------------------------- */

enum { VARIABLES = 3, LENGTHS = 5 };
static struct variable *variables[VARIABLES];

static int64_t floor_quotient(int64_t x, int64_t y) { return x / y - (x % y != 0 && (x < 0) != (y < 0)); }

/* The expression, and its value when the variables have these values. */
static const struct expression *random_expression(int depth, const int64_t *values, int64_t *value) {
  if (depth == 0 || check_below(5) == 0) {
    int i = check_below(VARIABLES + 1);
    *value = i < VARIABLES ? values[i] : check_below(20) - 5;
    return i < VARIABLES ? variable(variables[i]) : number(*value);
  }
  int64_t a, b, divisor = 1 + check_below(9);
  const struct expression *x = random_expression(depth - 1, values, &a);
  switch (check_below(7)) {
    case 0:
      *value = floor_quotient(a, divisor);
      return apply(OP_quotient, x, number(divisor));
    case 1:
      *value = a - divisor * floor_quotient(a, divisor);
      return apply(OP_mod, x, number(divisor));
    case 2:
      *value = a * divisor;
      return index_multiply(arena, x, divisor);
    case 3:
      x = apply(OP_sub, x, random_expression(depth - 1, values, &b));
      *value = a - b;
      return x;
    case 4:
      x = apply(OP_min, x, random_expression(depth - 1, values, &b));
      *value = a < b ? a : b;
      return x;
    case 5:
      x = apply(OP_max, x, random_expression(depth - 1, values, &b));
      *value = a > b ? a : b;
      return x;
    default:
      x = index_add(arena, x, random_expression(depth - 1, values, &b));
      *value = a + b;
      return x;
  }
}

static void test_random(void) {
  for (int round = 0; round < 3000; round++) {
    struct function *f = function_new(arena, "f");
    struct array *y = function_add_pointer(arena, f, "y", TYPE_INTEGER, 1, true, NULL);
    struct block *at = &f->body;
    int64_t values[VARIABLES], value;
    for (int i = 0; i < VARIABLES; i++) {
      struct statement *loop = block_loop(arena, at, LOOP_SERIAL, "i", number(LENGTHS));
      variables[i] = loop->variable;
      values[i] = check_below(LENGTHS);
      at = &loop->body;
    }
    const struct expression *x = random_expression(5, values, &value);
    int64_t low, high;
    if (expression_range(x, &low, &high)) CHECK(low <= value && value <= high);
    const struct expression *here = expression_number(arena, TYPE_BOOLEAN, 1);
    for (int i = 0; i < VARIABLES; i++)
      here = apply(OP_and, here, apply(OP_eq, variable(variables[i]), number(values[i])));
    block_store(arena, &block_if(arena, at, here)->body, y, number(0), expression_convert(arena, TYPE_INTEGER, x));
    double result = 0;
    struct loop_memory memory = {&result, NULL, 1};
    struct loop_argument arguments[] = {{.memory = &memory}};
    CHECK(function_verify(arena, f) == NULL);
    const char *message = function_interpret(arena, f, arguments);
    if (!CHECK(!message) || !CHECK(result == (double)value)) printf("  %s: %s\n", text_of(x), message ? message : "");
  }
}

int main(void) {
  arena = arena_new();
  function = function_new(arena, "holder");
  block = &function->body;
  test_sums();
  test_ranges();
  test_others();
  test_names();
  test_equality();
  test_random();
  arena_free(arena);
  return check_done("loop_fold");
}
