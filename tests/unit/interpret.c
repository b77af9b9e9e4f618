/* The interpreter against numbers worked out by hand, operation by operation, and its errors. */
#include "ir/interpret.h"
#include "tests/unit/check.h"

enum { MOST = 64 };

/* One graph as text, what its inputs and states hold, and what must come out: "name: numbers; name: numbers". */
struct example {
  const char *text, *given, *wanted;
};

struct holding {
  char name[32];
  double data[MOST];
  int count;
};

struct context {
  struct holding held[8];
  int count;
  int64_t sizes[4];
};

static void parse_holdings(struct context *context, const char *text) {
  context->count = 0;
  while (*text) {
    struct holding *holding = &context->held[context->count++];
    int length = 0;
    while (*text == ' ') text++;
    while (*text != ':') holding->name[length++] = *text++;
    holding->name[length] = 0;
    holding->count = 0;
    for (text++; *text && *text != ';';) {
      char *end;
      holding->data[holding->count++] = strtod(text, &end);
      for (text = end; *text == ' ';) text++;
    }
    if (*text == ';') text++;
  }
}

static struct holding *find(struct context *context, const char *name) {
  for (int i = 0; i < context->count; i++)
    if (!strcmp(context->held[i].name, name)) return &context->held[i];
  return NULL;
}

static const double *find_input(void *context, const struct value *input) {
  struct holding *holding = find(context, input->name);
  return holding ? holding->data : NULL;
}

static double *find_state(void *context, const struct state *state) {
  struct holding *holding = find(context, state->name);
  return holding ? holding->data : NULL;
}

static const char *interpret(struct arena *arena, const char *text, struct context *context, struct tensor *results,
                             struct graph **graph) {
  struct diagnostics *diagnostics = diagnostics_new(arena);
  *graph = graph_read(arena, source_from_text(arena, "example", text), diagnostics);
  if (!*graph) {
    diagnostics_print(diagnostics, stdout);
    return "unreadable";
  }
  struct environment environment = {
      .arena = arena, .sizes = context->sizes, .seed = 7, .input = find_input, .state = find_state, .context = context};
  return graph_interpret(*graph, &environment, results, NULL);
}

static void check_example(const struct example *example) {
  struct arena *arena = arena_new();
  struct context context = {.sizes = {2, 3, 0}}, wanted;
  struct tensor results[8];
  struct graph *graph;
  parse_holdings(&context, example->given);
  parse_holdings(&wanted, example->wanted);
  int failed = check_totals.failed;
  if (CHECK_STRING(interpret(arena, example->text, &context, results, &graph), NULL)) {
    for (int i = 0; i < wanted.count; i++) {
      const double *data = NULL;
      struct holding *state = find(&context, wanted.held[i].name);
      for (int j = 0; j < graph->outputs.count; j++)
        if (!strcmp(graph->outputs.items[j].name, wanted.held[i].name)) data = results[j].data;
      if (!data && state) data = state->data;
      if (!CHECK(data != NULL)) continue;
      for (int j = 0; j < wanted.held[i].count; j++) CHECK_NEAR(data[j], wanted.held[i].data[j], 1e-14);
    }
  }
  if (check_totals.failed > failed) printf("in:\n%s\n", example->text);
  arena_free(arena);
}

#define UNARY(kind, result, op) \
  "graph g\naxis a'0 = 4\n%0 " kind " [a] = input \"x\"\n%1 " result " [a] = " op "(%0)\noutput \"y\" = %1\n"
#define BINARY(kind, result, op)                                                                                 \
  "graph g\naxis a'0 = 4\n%0 " kind " [a] = input \"x\"\n%1 " kind " [a] = input \"z\"\n%2 " result " [a] = " op \
  "(%0, %1)\noutput \"y\" = %2\n"

static const struct example examples[] = {
    {UNARY("real", "real", "neg"), "x: 1 -2 0 inf", "y: -1 2 0 -inf"},
    {UNARY("integer", "integer", "abs"), "x: 1 -2 0 7", "y: 1 2 0 7"},
    {UNARY("real", "real", "exp"), "x: 0 1 -1 -inf", "y: 1 2.718281828459045 0.36787944117144233 0"},
    {UNARY("real", "real", "log"), "x: 1 2 0.5 0", "y: 0 0.6931471805599453 -0.6931471805599453 -inf"},
    {UNARY("real", "real", "sqrt"), "x: 4 2 0 1e10", "y: 2 1.4142135623730951 0 1e5"},
    {UNARY("real", "real", "rsqrt"), "x: 4 2 1 0", "y: 0.5 0.7071067811865475 1 inf"},
    {UNARY("real", "real", "tanh"), "x: 0 1 -1 100", "y: 0 0.7615941559557649 -0.7615941559557649 1"},
    {UNARY("real", "real", "erf"), "x: 0 1 -0.5 100", "y: 0 0.8427007929497149 -0.5204998778130465 1"},
    {UNARY("real", "real", "sin"), "x: 0 1 -1 2", "y: 0 0.8414709848078965 -0.8414709848078965 0.9092974268256817"},
    {UNARY("real", "real", "cos"), "x: 0 1 -1 2", "y: 1 0.5403023058681398 0.5403023058681398 -0.4161468365471424"},
    {UNARY("real", "integer", "floor"), "x: 0.5 -0.5 2 -2", "y: 0 -1 2 -2"},
    {UNARY("real", "integer", "round"), "x: 0.5 1.5 -0.5 -2.6", "y: 0 2 0 -3"},
    {UNARY("boolean", "boolean", "not"), "x: 0 1 1 0", "y: 1 0 0 1"},
    {"graph g\naxis a'0 = 4\n%0 real [a] = input \"x\"\n%1 real [a] = cast(%0) as bf16\noutput \"y\" = %1\n",
     "x: 1 1.00390625 1.01171875 1e39", "y: 1 1 1.015625 inf"},
    {"graph g\naxis a'0 = 4\n%0 integer [a] = input \"x\"\n%1 integer [a] = cast(%0) as i8\noutput \"y\" = %1\n",
     "x: 2 -3 1000 -1000", "y: 2 -3 127 -128"},
    {BINARY("real", "real", "add"), "x: 1 2 3 4; z: 10 20 30 40", "y: 11 22 33 44"},
    {BINARY("integer", "integer", "sub"), "x: 1 2 3 4; z: 4 3 2 1", "y: -3 -1 1 3"},
    {BINARY("real", "real", "mul"), "x: 1 2 3 4; z: -1 0.5 0 2", "y: -1 1 0 8"},
    {BINARY("real", "real", "div"), "x: 1 2 3 -1; z: 2 4 -1 0", "y: 0.5 0.5 -3 -inf"},
    {BINARY("integer", "integer", "quotient"), "x: 7 -7 7 -7; z: 2 2 -2 -2", "y: 3 -4 -4 3"},
    {BINARY("integer", "integer", "mod"), "x: 7 -7 7 -7; z: 3 3 -3 -3", "y: 1 2 -2 -1"},
    {BINARY("real", "real", "mod"), "x: 7.5 -7.5 7.5 -7.5; z: 2 2 -2 -2", "y: 1.5 0.5 -0.5 -1.5"},
    {BINARY("real", "real", "max"), "x: 1 5 -1 0; z: 2 4 -2 0", "y: 2 5 -1 0"},
    {BINARY("integer", "integer", "min"), "x: 1 5 -1 0; z: 2 4 -2 0", "y: 1 4 -2 0"},
    {BINARY("real", "real", "pow"), "x: 2 9 2 0; z: 10 0.5 -1 0", "y: 1024 3 0.5 1"},
    {BINARY("real", "real", "round_random"), "x: 1.001953125 1.001953125 -1.001953125 3.395e38; z: 0.24 0.25 0.1 0",
     "y: 1.0078125 1 -1.0078125 3.3895313892515355e38"},
    {BINARY("real", "real", "round_random"), "x: inf nan 1.25 -0.0; z: 0.5 0 0 0", "y: inf nan 1.25 0"},
    {BINARY("real", "boolean", "lt"), "x: 1 2 3 nan; z: 2 2 2 2", "y: 1 0 0 0"},
    {BINARY("integer", "boolean", "le"), "x: 1 2 3 4; z: 2 2 2 2", "y: 1 1 0 0"},
    {BINARY("boolean", "boolean", "eq"), "x: 0 1 0 1; z: 0 0 1 1", "y: 1 0 0 1"},
    {BINARY("real", "boolean", "ne"), "x: 1 2 3 nan; z: 2 2 2 nan", "y: 1 0 1 1"},
    {BINARY("boolean", "boolean", "and"), "x: 0 1 0 1; z: 0 0 1 1", "y: 0 0 0 1"},
    {BINARY("boolean", "boolean", "or"), "x: 0 1 0 1; z: 0 0 1 1", "y: 0 1 1 1"},
    /* Axes align by identity, whatever their order; what an input lacks repeats. */
    {"graph g\naxis a'0 = 2\naxis b'1 = 3\n%0 real [a, b] = input \"x\"\n%1 real [b, a] = input \"z\"\n%2 real [a, b] "
     "= sub(%0, %1)\noutput \"y\" = %2\n",
     "x: 1 2 3 4 5 6; z: 10 40 20 50 30 60", "y: -9 -18 -27 -36 -45 -54"},
    {"graph g\naxis a'0 = 2\naxis b'1 = 3\n%0 real [a] = input \"x\"\n%1 real [b] = input \"z\"\n%2 real [a, b] = "
     "mul(%0, %1)\noutput \"y\" = %2\n",
     "x: 1 2; z: 1 10 100", "y: 1 10 100 2 20 200"},
    /* The NaN of the branch not taken stays away. */
    {"graph g\naxis a'0 = 2\n%0 boolean [a] = input \"c\"\n%1 real [a] = input \"x\"\n%2 real [] = constant nan\n%3 "
     "real [a] = where(%0, %1, %2)\noutput \"y\" = %3\n",
     "c: 1 1; x: 3 4", "y: 3 4"},
    {"graph g\naxis a'0 = 2\naxis b'1 = 3\n%0 real [a, b] = input \"x\"\n%1 real [b] = reduce_sum(%0) over [a]\n%2 "
     "real [] = reduce_max(%0) over [b, a]\noutput \"y\" = %1\noutput \"m\" = %2\n",
     "x: 1 2 3 4 5 6", "y: 5 7 9; m: 6"},
    {"graph g\nsize p <= 2\nsize q <= 3\nsize n <= 4\naxis a'0 = n\n%0 real [a] = input \"x\"\n%1 real [] = "
     "reduce_sum(%0) over [a]\n%2 real [] = "
     "reduce_max(%0) over [a]\noutput \"y\" = %1\noutput \"m\" = %2\n",
     "x: 0", "y: 0; m: -inf"},
    {"graph g\naxis a'0 = 2\naxis b'1 = 3\n%0 real [a, b] = input \"x\"\n%1 real [a, b] = scan(%0) along b at 0\n%2 "
     "real [a, b] = scan(%0) along a at 1\noutput \"y\" = %1\noutput \"z\" = %2\n",
     "x: 1 2 3 4 5 6", "y: 1 3 6 4 9 15; z: 5 7 9 4 5 6"},
    {"graph g\naxis a'0 = 5\naxis k'1 = 4\n%0 real [a] = input \"x\"\n%1 integer in a [k] = top(%0) along a to "
     "k\noutput \"y\" = %1\n",
     "x: 2 nan 3 2 3", "y: 2 4 0 3"},
    {"graph g\naxis a'0 = 3\naxis k'1 = 3\n%0 real [a] = input \"x\"\n%1 integer in a [k] = top(%0) along a to "
     "k\noutput \"y\" = %1\n",
     "x: nan nan -inf", "y: 2 0 1"},
    {"graph g\naxis a'0 = 2\naxis b'1 = 3\naxis c'2 = 2\n%0 real [a, b] = input \"x\"\n%1 real [c, b] = input "
     "\"z\"\n%2 real [a, c] = contract(%0, %1) over [b]\noutput \"y\" = %2\n",
     "x: 1 2 3 4 5 6; z: 1 0 1 0 1 0", "y: 4 2 10 5"},
    {"graph g\naxis a'0 = 2\naxis b'1 = 3\naxis c'2 = 2\n%0 real [a, b] = input \"x\"\n%1 real [b, c] = input "
     "\"z\"\n%2 real [a, c] = contract(%0, %1) over [b]\noutput \"y\" = %2\n",
     "x: 1 2 3 4 5 6; z: 1 0 0 1 1 0", "y: 4 2 10 5"},
    /* Of integers it is an integer, modulo 2^32: 65536 * 65537 + 2 * 3, and (2^31 - 1)^2 + 3 * 4. */
    {"graph g\naxis a'0 = 2\naxis b'1 = 2\n%0 integer [a, b] = input \"x\"\n%1 integer [a, b] = input \"z\"\n%2 "
     "integer [a] = contract(%0, %1) over [b]\noutput \"y\" = %2\n",
     "x: 65536 2 2147483647 3; z: 65537 3 2147483647 4", "y: 65542 13"},
    {"graph g\naxis a'0 = 1\naxis b'1 = 2\naxis c'2 = 2\n%0 integer [a, b] = input \"x\"\n%1 integer [b, c] = input "
     "\"z\"\n%2 integer [a, c] = contract(%0, %1) over [b]\noutput \"y\" = %2\n",
     "x: -2147483648 1; z: 1 3 -1 0", "y: 2147483647 -2147483648"},
    /* Over nothing it is a product, and it aligns what it does not sum. */
    {"graph g\naxis a'0 = 2\naxis b'1 = 2\n%0 real [a, b] = input \"x\"\n%1 real [b, a] = input \"z\"\n%2 real [a] = "
     "contract(%0, %1) over [b]\n%3 real [a, b] = contract(%0, %1) over []\noutput \"y\" = %2\noutput \"p\" = %3\n",
     "x: 1 2 3 4; z: 5 6 7 8", "y: 19 50; p: 5 14 18 32"},
    {"graph g\naxis v'0 = 3\naxis e'1 = 2\naxis s'2 = 2\n%0 real [v, e] = input \"t\"\n%1 integer in v [s] = input "
     "\"i\"\n%2 real [e, s] = gather(%0, %1) along v\noutput \"y\" = %2\n",
     "t: 1 2 3 4 5 6; i: 2 0", "y: 5 1 6 2"},
    /* Shared axes are aligned, and an index may itself run along the axis that it indexes. */
    {"graph g\naxis a'0 = 2\naxis s'1 = 3\n%0 real [a, s] = input \"t\"\n%1 integer in s [a, s] = input \"i\"\n%2 real "
     "[a, s] = gather(%0, %1) along s\noutput \"y\" = %2\n",
     "t: 1 2 3 4 5 6; i: 2 1 0 0 0 1", "y: 3 2 1 4 4 5"},
    {"graph g\naxis v'0 = 3\naxis s'1 = 3\n%0 real [v] = input \"b\"\n%1 integer in v [s] = input \"i\"\n%2 real [s] = "
     "input \"x\"\n%3 real [v] = scatter_add(%0, %1, %2) along v\noutput \"y\" = %3\n",
     "b: 1 1 1; i: 2 0 2; x: 10 20 30", "y: 21 1 41"},
    {"graph g\naxis a'0 = 2\naxis b'1 = 6\naxis c'2 = 2\naxis d'3 = 3\n%0 real [a, b] = input \"x\"\n%1 real [a, c, d] "
     "= split(%0) along b to [c, d]\n%2 real [a, c] = select(%1) along d at 1\n%3 real [a, b] = merge(%1) along [d, c] "
     "to b\noutput \"y\" = %2\noutput \"m\" = %3\n",
     "x: 1 2 3 4 5 6 7 8 9 10 11 12", "y: 2 5 8 11; m: 1 4 2 5 3 6 7 10 8 11 9 12"},
    {"graph g\naxis a'0 = 4\naxis b'1 = 2\naxis c'2 = 5\naxis d'3 = 6\n%0 real [a] = input \"x\"\n%1 real [b] = "
     "slice(%0) along a to b at 1\n%2 real [c] = pad(%1) along b to c at 2 with -1\n%3 real [d] = concat(%0, %1) along "
     "[a, b] to d\n%4 real [b, a] = expand(%1) over [a]\n%5 real [a] = stop(%0)\noutput \"y\" = %2\noutput \"z\" = "
     "%3\noutput \"e\" = %4\noutput \"s\" = %5\n",
     "x: 1 2 3 4", "y: -1 -1 2 3 -1; z: 1 2 3 4 2 3; e: 2 2 2 2 3 3 3 3; s: 1 2 3 4"},
    {"graph g\naxis a'0 = 3\n%0 integer in a [a] = index along a\noutput \"y\" = %0\n", "", "y: 0 1 2"},
    /* Reads see the state before the run, except through the update. */
    {"graph g\naxis a'0 = 2\nstate \"w\" [a] real parameter constant(0)\n%0 real [a] = state \"w\"\n%1 real [] = "
     "constant 1\n%2 real [a] = add(%0, %1)\n%3 real [a] = update(%2) \"w\"\n%4 real [a] = mul(%0, %3)\noutput \"y\" = "
     "%4\n",
     "w: 2 3", "y: 6 12; w: 3 4"},
    /* A cache of 4 rows of which 3 are there now (size 1 of the run); two rows are written. */
    {"graph g\nsize window <= 2\nsize past <= 4\naxis s'0 = window\naxis p'1 = past\naxis e'2 = 2\nstate \"k\" [p, e] "
     "real cache constant(0)\n%0 real [s, e] = input \"x\"\n%1 integer in p [s] = input \"at\"\n%2 real [p, e] = "
     "update(%0, %1) \"k\" along p\noutput \"y\" = %2\n",
     "k: 1 2 3 4 5 6 7 8; x: 10 20 30 40; at: 2 1", "y: 1 2 30 40 10 20; k: 1 2 30 40 10 20 7 8"},
    {"graph g\naxis a'0 = 2\nregion 0 f (%1, %0)\n  %0 real [a] = input \"x\"\n  %1 real [a] = input \"y\"\n  %2 real "
     "[a] = sub(%0, %1)\n  %3 real [] = reduce_sum(%2) over [a]\n  output \"d\" = %2\n  output \"s\" = %3\nend\n%0 "
     "real [a] = input \"p\"\n%1 real [a] = input \"q\"\n%2 real [] = call(%0, %1) region 0\n%3 real [a] = result(%2) "
     "at 0\n%4 real [] = result(%2) at 1\noutput \"d\" = %3\noutput \"s\" = %4\n",
     "p: 1 2; q: 10 30", "d: 9 28; s: 37"},
};

static void check_error(const char *text, const char *given, const char *wanted) {
  struct arena *arena = arena_new();
  struct context context = {.sizes = {2, 3}};
  struct tensor results[8];
  struct graph *graph;
  parse_holdings(&context, given);
  CHECK_STRING(interpret(arena, text, &context, results, &graph), wanted);
  /* Nothing was written. */
  struct context before;
  parse_holdings(&before, given);
  for (int i = 0; i < before.count; i++)
    CHECK(!memcmp(before.held[i].data, context.held[i].data, sizeof(double) * (size_t)before.held[i].count));
  arena_free(arena);
}

static void check_errors(void) {
  check_error(
      "graph g\naxis v'0 = 3\naxis s'1 = 2\nstate \"w\" [v] real parameter constant(0)\n%0 real [v] = state \"w\"\n%1 "
      "real [v] = update(%0) \"w\"\n"
      "%2 integer [s] = input \"i\"\n%3 real [s] = gather(%1, %2) along v name \"h.0.x\"\noutput \"y\" = %3\n",
      "w: 1 2 3; i: 0 3", "example:8:1: index 3 is outside of axis v, which has 3 elements (gather of h.0.x)");
  check_error(
      "graph g\naxis v'0 = 3\naxis s'1 = 2\n%0 real [v] = input \"t\"\n%1 integer [s] = input \"i\"\n%2 real [s] = "
      "gather(%0, %1) along v\noutput \"y\" = %2\n",
      "t: 1 2 3; i: -1 nan", "example:6:1: index -1 is outside of axis v, which has 3 elements (gather of %2)");
  check_error("graph g\naxis v'0 = 3\n%0 real [v] = input \"t\"\noutput \"y\" = %0\n", "",
              "example:3:1: the run does not supply it (input of t)");
  check_error("graph g\n%0 real [] = input \"a\"\n%1 real [] = gradient(%0, %0)\noutput \"y\" = %1\n", "a: 1",
              "example:3:1: a gradient is interpreted only after autodiff (gradient of %1)");
  check_error("graph g\nsize window <= 1\naxis s'0 = window\n%0 real [s] = input \"a\"\noutput \"y\" = %0\n", "a: 1 2",
              "size window is 2 and must be from 0 to 1");
  check_error(
      "graph g\naxis a'0 = 1099511627776\naxis b'1 = 1099511627776\n%0 real [] = input \"a\"\n%1 real [a, b] = "
      "expand(%0) over [a, b]\noutput \"y\" = %1\n",
      "a: 1", "example:5:1: not enough memory for [a=1099511627776, b=1099511627776] (expand of %1)");
}

/* Known answers of the authors' library Random123, kat_vectors. */
static void check_philox(void) {
  uint32_t words[4];
  philox(0, 0, 0, 0, 0, words);
  CHECK(words[0] == 0x6627e8d5 && words[1] == 0xe169c58d && words[2] == 0xbc57ac4c && words[3] == 0x9b00dbd8);
  philox(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffffffffffff, words);
  CHECK(words[0] == 0x408f276d && words[1] == 0x41c83b0e && words[2] == 0xa20bc7c6 && words[3] == 0x6d5451fd);
  philox(0xa4093822, 0x299f31d0, 0x243f6a88, 0x85a308d3, 0x0370734413198a2e, words);
  CHECK(words[0] == 0xd16cfe09 && words[1] == 0x94fdcceb && words[2] == 0x5001e420 && words[3] == 0x24126ea1);
  double mean = 0, square = 0;
  for (int i = 0; i < 20000; i++) {
    double x = random_draw(DISTRIBUTION_NORMAL, 1, 2, 3, 4, (uint64_t)i),
           u = random_draw(DISTRIBUTION_UNIFORM, 1, 2, 3, 4, (uint64_t)i);
    mean += x / 20000;
    square += x * x / 20000;
    CHECK(u >= 0 && u < 1);
  }
  CHECK_NEAR(mean, 0, 0.03);
  CHECK_NEAR(square, 1, 0.05);
}

/* Draws are numbered within an example at full extent, so that neither the batch nor a window changes them. */
static void check_draws(void) {
  const char *text =
      "graph g\nsize window <= 3\naxis batch'0 = 2 batch\naxis s'1 = window\naxis e'2 = 2\n%0 real [] = input "
      "\"step\"\n%1 "
      "integer [batch] = input \"example\"\n"
      "%2 real [s, batch, e] = random(%0, %1) normal stream 5\n%3 real [s, e] = random(%0) uniform stream 9\noutput "
      "\"x\" = %2\noutput \"y\" = %3\n";
  struct arena *arena = arena_new();
  struct context context = {.sizes = {2}};
  struct tensor results[2];
  struct graph *graph;
  parse_holdings(&context, "step: 3; example: 11 4");
  CHECK_STRING(interpret(arena, text, &context, results, &graph), NULL);
  for (int s = 0; s < 2; s++)
    for (int b = 0; b < 2; b++)
      for (int e = 0; e < 2; e++)
        CHECK(results[0].data[(b * 2 + s) * 2 + e] ==
              random_draw(DISTRIBUTION_NORMAL, 7, 5, 3, b ? 4 : 11, (uint64_t)(s * 2 + e)));
  for (int i = 0; i < 4; i++) CHECK(results[1].data[i] == random_draw(DISTRIBUTION_UNIFORM, 7, 9, 3, 0, (uint64_t)i));
  arena_free(arena);
}

/* Rounding to float and to half agrees with the machine's float, and with what IEEE 754 says of the borders. */
static void check_rounding(void) {
  for (int i = 0; i < 20000; i++) {
    double x = ldexp((double)(int64_t)check_random(), -60 - check_below(200) + check_below(120));
    CHECK(scalar_round(STORAGE_F32, x) == (double)(float)x);
  }
  CHECK(scalar_round(STORAGE_F32, 1e-46) == 0 && scalar_round(STORAGE_F32, -1e300) == -INFINITY);
  CHECK(scalar_round(STORAGE_F16, 65519) == 65504 && scalar_round(STORAGE_F16, 65520) == INFINITY);
  CHECK(scalar_round(STORAGE_F16, 0x1p-25) == 0 && scalar_round(STORAGE_F16, 0x1.8p-25) == 0x1p-24);
  CHECK(scalar_round(STORAGE_F16, 2049) == 2048 && scalar_round(STORAGE_F16, 2051) == 2052);
  CHECK(scalar_round(STORAGE_BF16, 257) == 256 && scalar_round(STORAGE_BF16, 259) == 260);
  CHECK(isnan(scalar_round(STORAGE_BF16, NAN)) && signbit(scalar_round(STORAGE_BF16, -0.0)));
  CHECK(scalar_round(STORAGE_I32, 1e20) == INT32_MAX && scalar_round(STORAGE_I32, NAN) == 0);
  CHECK(scalar_round(STORAGE_BOOL, -3) == 1 && scalar_round(STORAGE_BOOL, 0) == 0);
}

static void check_text_helpers(void) {
  CHECK(hash_path("") == 0x811c9dc5 && hash_path("a") == 0xe40c292c && hash_path("foobar") == 0xbf9cf968);
  CHECK(pattern_matches("*.bias", "h.0.attn.bias") && !pattern_matches("*.bias", "bias") && pattern_matches("*", ""));
  CHECK(pattern_matches("h.?.*ln*weight", "h.1.x.ln_1.weight") && !pattern_matches("h.?", "h.10") &&
        !pattern_matches("", "a"));
  CHECK(pattern_matches("a*b*c", "aXbYbZc") && !pattern_matches("a*b", "abc"));
}

int main(void) {
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) check_example(&examples[i]);
  check_errors();
  check_philox();
  check_draws();
  check_rounding();
  check_text_helpers();
  return check_done("interpret");
}
