/* The verifier and the interpreter of the loop IR report each kind of fault, and accept what is right. */
#include <string.h>

#include "ir/loop.h"
#include "tests/unit/check.h"

static struct arena *arena;

static struct module *read_module(const char *text) {
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct module *module = module_read(arena, source_from_text(arena, "test", text), diagnostics);
  if (!CHECK(module != NULL)) {
    diagnostics_print(diagnostics, stdout);
    exit(1);
  }
  return module;
}

static const struct function *last(const struct module *module) {
  return module->functions.items[module->functions.count - 1];
}

struct fault {
  const char *text, *message; /* NULL: nothing is wrong */
};

static void expect(const struct fault *fault, const char *message) {
  bool same = fault->message ? message && strstr(message, fault->message) : !message;
  if (!CHECK(same))
    printf("  %s\n  expected: %s\n  got:      %s\n", fault->text, fault->message ? fault->message : "nothing",
           message ? message : "nothing");
}

/* --- The verifier --------------------------------------------------------------------------------------------------------------- */

#define MULTIPLY "function f(written real c[32], real x[32], bf16 a[24], bf16 b[48], i8 i[48]) { "
static const struct fault rules[] = {
    {"function f(written real y[8]) { vector lane < 8 { y[lane] = 1.0 } }", NULL},
    {"function f(real y[8]) { y[0] = 1.0 }", "y is not to be written"},
    {"function f(written real y[8]) { y[8] = 1.0 }", "is outside of its 8 elements"},
    {"function f(written real y[8]) { y[-1] = 1.0 }", "is outside of its 8 elements"},
    {"function f(written real y[8], index n) { vector lane < n { y[lane] = 1.0 } }", "has no constant extent"},
    {"function f(written real y[8]) { vector lane < 8 { serial i < 1 { y[lane] = 1.0 } } }",
     "holds more than lets and stores"},
    {"function f(written real y[8], index n) { vector lane < 8 { if lane < n { y[lane] = 1.0 } } }", NULL},
    {"function f(written real y[8], index n) { vector lane < 8 { if n < lane { y[lane] = 1.0 } } }",
     "is no guard of all of it"},
    {"function f(written real y[8], index n) { vector lane < 8 { y[lane] = 0.0 if lane < n { y[lane] = 1.0 } } }",
     "is no guard of all of it"},
    {"function f(written real y[8], index n) { vector lane < 8 { if lane * 2 < n { y[lane] = 1.0 } } }",
     "is no guard of all of it"},
    {"function f(written real y[8], index n) { register real r[8] r[n] = 1.0 }", "register array r is indexed by n"},
    {"function f(written real y[8]) { register real r[8] serial i < 8 { r[i] = 1.0 } }",
     "register array r is indexed by i"},
    {"function f(written real y[8]) { register real r[8] unrolled i < 8 { r[i] = 1.0 } }", NULL},
    {"function f(written real y[8]) { register real r[4] unrolled i < 8 { r[i] = 1.0 } }",
     "is outside of its 4 elements"},
    {"function f(written real y[8], index n) { unrolled i < n { y[0] = 1.0 } }", "has no constant extent"},
    {"function f(written real y[8]) { parallel i < 2 { parallel j < 2 { y[i * 2 + j] = 1.0 } } }", "inside another"},
    {"function f(written real y[8]) { stack real r[8] y[0] = fold.add(r[0], 8) }", "no register array"},
    {"function f(written real y[8]) { register real r[8] y[0] = fold.add(r[0], 6) }", "a fold of 6 lanes"},
    {"function f(real x[8], written real y[1]) { y[0] = quantile(x[1], 7, 0.5) }", NULL},
    {"function f(real x[8], written real y[1]) { y[0] = quantile(x[1], 8, 0.5) }", "is outside of its 8 elements"},
    {"function f(real x[8], written real y[1]) { y[0] = quantile(x[1], 0, 0.5) }", "a quantile of 0 elements"},
    {"function f(bf16 x[8], written real y[1]) { y[0] = quantile(x[1], 7, 0.5) }", "does not lie in memory as reals"},
    {"function f(written real y[1]) { register real r[8] y[0] = quantile(r[0], 8, 0.5) }",
     "does not lie in memory as reals"},
    {"function f(real x[8], written real y[8]) { vector lane < 8 { y[lane] = quantile(x[0], 8, 0.5) } }",
     "a quantile inside a vector loop"},
    {"function f(written real y[8]) { register real r[8] y[0] = fold.add(r[4], 8) }", "is outside of its 8 elements"},
    {"function g(written real y[8]) { y[0] = 1.0 } function f(written real y[8]) { call g(&y[0]) }",
     "is called and is no helper"},
    {"function g(written real y[8]) helper { y[0] = 1.0 } function f(written real y[8]) { call g(&y[0]) }", NULL},
    {"function g(written real y[8]) helper { y[0] = 1.0 } function f(written real y[8]) { call g(&y[1]) }",
     "is outside of its 8 elements"},
    {"function g(written real y[8]) helper { y[0] = 1.0 } function f(real y[8]) { call g(&y[0]) }",
     "which is not to be written"},
    {"function g(index n) helper { } function f(real y[8]) { call g(1, 2) }", "takes 1 arguments and gets 2"},
    {"function g(index n) helper { } function f(real y[8]) { call g(1.0) }", "is real and not index"},
    {"function g(index n) helper { parallel i < n { } } function f(real y[8]) { parallel j < 2 { call g(j) } }",
     "is called inside another"},
    {"function f(written real y[8]) { global real r[4] }", "declared as global"},
    {"function f(real x[9], integer m[4]) { stack real t[64] expand 64(&t[0], &x[8], &m[2]) }", NULL},
    {"function f(real x[9], integer m[4]) { stack real t[64] expand 32(&t[0], &x[8], &m[2]) }",
     "expand of 32 elements"},
    {"function f(real x[9], integer m[4]) { stack real t[64] expand 64(&t[0], &x[8]) }", "by 2 pointers"},
    {"function f(real x[9], integer m[4]) { stack real t[64] expand 64(&t[1], &x[8], &m[2]) }",
     "is outside of its 64 elements"},
    {"function f(real x[9], integer m[4]) { stack real t[64] expand 64(&t[0], &x[9], &m[2]) }",
     "is outside of its 9 elements"},
    {"function f(real x[9], integer m[4]) { stack real t[64] expand 64(&t[0], &x[8], &m[3]) }",
     "is outside of its 4 elements"},
    {"function f(real x[9], integer m[4]) { register real t[64] expand 64(&t[0], &x[8], &m[2]) }",
     "operand 0 of expand does not lie in memory"},
    {"function f(real x[9], integer m[4]) { stack real t[64] expand 64(&t[0], 1, &m[2]) }",
     "operand 1 of expand does not lie in memory"},
    {"function f(i8 x[9], integer m[4]) { stack real t[64] expand 64(&t[0], &x[8], &m[2]) }",
     "elements of storage i8 are expanded to such of real"},
    {"function f(i4 x[9], integer m[4]) { stack i4 t[64] expand 64(&t[0], &x[8], &m[2]) }",
     "elements of storage i4 are expanded to such of i4"},
    {"function f(real x[9], i8 m[4]) { stack real t[64] expand 64(&t[0], &x[8], &m[2]) }",
     "masks in elements of storage i8"},
    {"function f(real t[64], real x[9], integer m[4]) { expand 64(&t[0], &x[8], &m[2]) }", "t is not to be written"},
    {"function f(written real t[64], integer m[4]) { expand 64(&t[0], &t[8], &m[2]) }", "t is expanded to itself"},
    {MULTIPLY "multiply(&c[0], 8, &a[0], 6, &b[0], 16, 4, 8, 6, 0, 0) }", NULL},
    {MULTIPLY "multiply(&c[0], 8, &a[0], 6, &b[0], 16, 4, 8, 6) }", "multiply gets 9 arguments"},
    {MULTIPLY "multiply(&c[0], 8, 1, 6, &b[0], 16, 4, 8, 6, 0, 0) }", "argument a of multiply is a number"},
    {MULTIPLY "multiply(&c[0], &c[1], &a[0], 6, &b[0], 16, 4, 8, 6, 0, 0) }",
     "argument c_row of multiply is a pointer"},
    {MULTIPLY "multiply(&c[0], 8, &a[0], 6, &b[0], 16, 4, 8.0, 6, 0, 0) }", "argument columns of multiply is real"},
    {MULTIPLY "register real r[32] multiply(&r[0], 8, &a[0], 6, &b[0], 16, 4, 8, 6, 0, 0) }",
     "argument c of multiply does not lie in memory"},
    {MULTIPLY "multiply(&c[0], 8, &i[0], 6, &b[0], 16, 4, 8, 6, 0, 0) }", "multiply of elements stored as i8 and bf16"},
    {MULTIPLY "multiply(&c[0], 8, &i[0], 6, &i[0], 16, 4, 8, 6, 0, 0) }", "the sums of multiply are stored as real"},
    {MULTIPLY "multiply(&x[0], 8, &a[0], 6, &b[0], 16, 4, 8, 6, 0, 0) }", "x is not to be written"},
    {MULTIPLY "vector lane < 8 { multiply(&c[0], 8, &a[0], 6, &b[0], 16, 4, 8, 6, 0, 0) } }",
     "holds more than lets and stores"},
    {MULTIPLY "multiply(&c[0], 8, &a[0], 6, &b[0], 16, 0, 8, 6, 0, 0) }", "multiply of 0 rows, 8 columns and depth 6"},
    {MULTIPLY "multiply(&c[1], 8, &a[0], 6, &b[0], 16, 4, 8, 6, 0, 0) }", "is outside of its 32 elements"},
    {MULTIPLY "multiply(&c[0], 8, &a[1], 6, &b[0], 16, 4, 8, 6, 0, 0) }", "is outside of its 24 elements"},
    {MULTIPLY "multiply(&c[0], 8, &a[0], 6, &b[0], 17, 4, 8, 5, 0, 0) }", "is outside of its 48 elements"},
    {"function f(real x[8]) { prefetch x[-1] prefetch x[1000] }", NULL},
    {"function f(written real y[8]) { stack real r[4] prefetch r[0] }", "a prefetch of r, which is the function's own"},
};

static void test_verifier(void) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    expect(&rules[i], function_verify(arena, last(read_module(rules[i].text))));
  /* No text can express a variable that is used outside of its loop. */
  struct function *f = function_new(arena, "f");
  struct array *y = function_add_pointer(arena, f, "y", TYPE_REAL, 8, true, NULL);
  struct statement *loop = block_loop(arena, &f->body, LOOP_SERIAL, "i", expression_index(arena, 8));
  block_store(arena, &f->body, y, expression_variable(arena, loop->variable), expression_number(arena, TYPE_REAL, 0));
  struct fault fault = {"y[i] after its loop", "i is not in scope"};
  expect(&fault, function_verify(arena, f));
}

/* --- The interpreter ------------------------------------------------------------------------------------------------------------ */

/* Each function takes x, 16 defined reals 0, 1, 2 ..., y, 16 reals never written, and n, which is 16. */
#define HEAD "function f(real x[16], written real y[16], index n) "
/* a: two rows of three numbers. b: two columns in groups of two, column by column. */
#define PAIRS                                                                                                   \
  "{ stack bf16 a[6] stack bf16 b[8] serial i < 6 { a[i] = cast.bf16(x[i]) } b[0] = 0.0 b[1] = 2.0 b[2] = 1.0 " \
  "b[3] = 3.0 b[4] = 4.0 b[5] = 0.0 b[6] = 5.0 b[7] = 0.0 "
static const struct fault runs[] = {
    {HEAD "{ parallel i < n { y[i] = x[i] } }", NULL},
    {HEAD "{ serial i < n + 1 { y[i] = x[0] } }", "y[16] is out of bounds"},
    {HEAD "{ serial i < n { y[i - 1] = x[0] } }", "y[-1] is out of bounds"},
    {HEAD "{ serial i < n { y[i] = x[n - i] } }", "x[16] is out of bounds"},
    {HEAD "{ y[0] = y[1] }", "y[1] is read and was never written"},
    {HEAD "{ y[0] = quantile(x[1], n - 1, 0.5) if y[0] != 8.0 { y[0] = y[1] } }", NULL},
    {HEAD "{ y[0] = quantile(x[1], n, 0.5) }", "x[16] is out"},
    {HEAD "{ y[0] = quantile(x[1], n - 16, 0.5) }", "a quantile of 0 elements"},
    {HEAD "{ y[0] = 1.0 y[2] = 1.0 y[3] = quantile(y[0], 3, 0.5) }", "y[1] is read and was never written"},
    {HEAD "{ stack real t[4] y[0] = t[n - 13] }", "t[3] is read and was never written"},
    {HEAD "{ serial i < 2 { stack real t[1] if i == 0 { t[0] = 1.0 } y[i] = t[0] } }",
     "t[0] is read and was never written"},
    {HEAD "{ register real r[8] vector lane < 4 { r[lane] = x[lane] } y[0] = fold.add(r[0], 8) }",
     "r[4] is read and was never written"},
    /* Bits 0, 2 and 33 are set, and take the next three values; then bits 0, 2 and 63. Where an element is another one, y[1] is read. */
    {HEAD "{ stack integer m[2] m[0] = 5i m[1] = 2i stack real t[64] expand 64(&t[0], &x[5], &m[0]) "
          "y[0] = t[0] - 5.0 + t[1] + t[2] - 6.0 + t[32] + t[33] - 7.0 + t[34] if y[0] != 0.0 { y[0] = y[1] } }",
     NULL},
    {HEAD "{ stack integer m[2] m[0] = 5i m[1] = -2147483648i stack real t[64] expand 64(&t[0], &x[5], &m[0]) "
          "y[0] = t[63] - 7.0 + t[62] if y[0] != 0.0 { y[0] = y[1] } }",
     NULL},
    {HEAD "{ stack integer m[2] m[0] = 5i m[1] = 2i stack real t[64] expand 64(&t[0], &x[n - 2], &m[0]) }",
     "x[16] is out of bounds"},
    {HEAD "{ stack integer m[2] m[0] = 5i stack real t[64] expand 64(&t[0], &x[0], &m[0]) }",
     "m[1] is read and was never written"},
    /* Rows (0, 1, 2) and (3, 4, 5) by columns (0, 2, 4) and (1, 3, 5), whose third elements begin groups that end with 0. */
    {HEAD PAIRS "multiply(&y[0], 2, &a[0], 3, &b[0], 4, 2, 2, 3, 0, 0) "
                "if y[0] - 10.0 != 0.0 { y[0] = y[9] } if y[1] - 13.0 != 0.0 { y[0] = y[9] } "
                "if y[2] - 28.0 != 0.0 { y[0] = y[9] } if y[3] - 40.0 != 0.0 { y[0] = y[9] } }",
     NULL},
    {HEAD PAIRS
     "y[0] = 1.0 multiply(&y[0], 2, &a[0], 3, &b[0], 4, 1, 1, 3, 1, 0) if y[0] - 11.0 != 0.0 { y[0] = y[9] } }",
     NULL},
    {HEAD PAIRS "multiply(&y[0], 2, &a[0], 3, &b[0], 4, 2, 2, 3, 1, 0) }", "y[0] is read and was never written"},
    {HEAD PAIRS "multiply(&y[0], 2, &a[0], 3, &b[0], 4, 2, 2, 1, 0, 0) }",
     "what lies in b behind the depth of multiply is not 0"},
    {HEAD PAIRS "multiply(&y[0], 2, &a[0], n - 13, &b[0], 4, n - 13, 2, 3, 0, 0) }", "a[6] is out of bounds"},
    {HEAD PAIRS "parallel i < 2 { multiply(&y[i], 2, &a[0], 3, &b[0], 4, 2, 2, 3, 0, 0) } }",
     "race: y[1] is written by two iterations of the parallel loop"},
    {HEAD "{ y[0] = 1.0 y[0] = y[0] + x[1] }", NULL},
    {HEAD "{ parallel i < n { y[i // 2] = x[i] } }", "race: y[0] is written by two iterations of the parallel loop"},
    {HEAD "{ y[0] = 0.0 parallel i < n { y[0] = y[0] + x[i] } }", "race: y[0]"},
    {HEAD "{ serial i < n { y[i] = 0.0 } parallel i < n - 1 { y[i] = y[i + 1] } }",
     "another iteration of the parallel loop read it"},
    {HEAD "{ serial i < n { y[i] = 0.0 } parallel i < n - 1 { y[i + 1] = y[i] } }",
     "another iteration of the parallel loop wrote it"},
    {HEAD "{ serial i < n { y[i] = 0.0 } serial i < n - 1 { y[i + 1] = y[i] } }", NULL},
    {HEAD "{ parallel i < 4 { y[i] = 1.0 } parallel i < 4 { y[3 - i] = y[3 - i] } }", NULL},
    {HEAD "{ parallel i < 4 { stack real t[1] t[0] = x[i] y[i] = t[0] } }", NULL},
    {HEAD "{ stack real t[1] parallel i < 4 { t[0] = x[i] y[i] = t[0] } }", "race: t[0]"},
    {HEAD "{ vector lane < 8 { y[lane // 2] = 1.0 } }", "two iterations of the vector loop"},
    {HEAD "{ parallel i < 2 { vector lane < 8 { y[i * 8 + lane] = x[lane] } } }", NULL},
    {HEAD "{ parallel i < 2 { vector lane < 8 { y[i * 7 + lane] = x[lane] } } }", "race: y[7]"},
    /* A reader before the last two is still remembered. */
    {HEAD "{ y[0] = 0.0 parallel i < 4 { y[i + 1] = y[0] if i == 3 { y[0] = 1.0 } } }",
     "another iteration of the parallel loop read it"},
    {HEAD "{ serial i < n // 0 { } }", "quotient by zero"},
    {HEAD "{ serial i < n step 4 { if i < n - 4 { y[i // 4] = x[i] } } }", NULL},
    {HEAD "{ y[0] = where(n < 3, x[n + 5], 1.0) }", NULL},
    {"function g(real x[8], written real y[4]) helper { y[0] = x[7] }" HEAD "{ call g(&x[8], &y[12]) }", NULL},
    {"function g(real x[8], written real y[4]) helper { y[0] = x[7] }" HEAD "{ call g(&x[n - 7], &y[0]) }",
     "x needs 8 elements and gets 7"},
    {"function g(written real y[1]) helper { y[0] = 1.0 }" HEAD "{ parallel i < 2 { call g(&y[0]) } }", "race: y[0]"},
};

static void test_interpreter(void) {
  for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
    double x[16], y[16] = {0};
    unsigned char defined[16] = {0};
    for (int j = 0; j < 16; j++) x[j] = j;
    struct loop_memory from = {x, NULL, 16}, to = {y, defined, 16};
    struct loop_argument arguments[] = {{.memory = &from}, {.memory = &to}, {.number = 16}};
    const struct module *module = read_module(runs[i].text);
    expect(&runs[i], function_interpret(arena, last(module), arguments));
  }
}

/* Two arguments that point into one memory race with each other. */
static void test_aliases(void) {
  const struct module *module =
      read_module("function f(real x[4], written real y[4]) { parallel i < 4 { y[i] = x[i] } }");
  double data[8] = {0};
  struct loop_memory memory = {data, NULL, 8};
  struct loop_argument apart[] = {{.memory = &memory, .offset = 4}, {.memory = &memory}};
  struct loop_argument same[] = {{.memory = &memory}, {.memory = &memory}};
  struct loop_argument shifted[] = {{.memory = &memory, .offset = 1}, {.memory = &memory}};
  struct loop_argument outside[] = {{.memory = &memory, .offset = 5}, {.memory = &memory}};
  struct fault none = {"aliases", NULL}, race = {"aliases one apart", "race"},
               short_ = {"past the end", "x needs 4 elements and gets 3"};
  expect(&none, function_interpret(arena, last(module), apart));
  expect(&none, function_interpret(arena, last(module), same));
  expect(&race, function_interpret(arena, last(module), shifted));
  expect(&short_, function_interpret(arena, last(module), outside));
}

static void test_values(void) {
  const struct module *module = read_module(
      "function f(real x[16], written real y[16], index n) {\n"
      "  register real sum[4]\n"
      "  unrolled i < 4 { sum[i] = 0.0 }\n"
      "  serial i < n step 4 { vector lane < 4 { sum[lane] = fma(x[i + lane], 2.0, sum[lane]) } }\n"
      "  y[0] = fold.add(sum[0], 4)\n"
      "  y[1] = fold.max(sum[0], 4)\n"
      "  y[2] = real((0 - n) // 3) + real((0 - n) % 3) / 10.0\n"
      "  y[3] = cast.bf16(1.00390625)\n"
      "}\n");
  double x[16], y[16] = {0};
  for (int j = 0; j < 16; j++) x[j] = j;
  struct loop_memory from = {x, NULL, 16}, to = {y, NULL, 16};
  struct loop_argument arguments[] = {{.memory = &from}, {.memory = &to}, {.number = 16}};
  CHECK_STRING(function_interpret(arena, last(module), arguments), NULL);
  CHECK(y[0] == 240 && y[1] == 72);
  CHECK_NEAR(y[2], -6 + 0.2, 1e-12);
  CHECK(y[3] == 1.0);
}

int main(void) {
  arena = arena_new();
  test_verifier();
  test_interpreter();
  test_aliases();
  test_values();
  arena_free(arena);
  return check_done("loop_faults");
}
