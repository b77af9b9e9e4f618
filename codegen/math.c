#include "codegen/math.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/c_print.h"

/* A formula is a list of steps `name = expression`, and the last name is the result. Expressions have + - * / & | and comparisons,
   numbers (real with a point or an exponent, or "infinity" and "nan"; else integers, on their bits), and these:
     fma(x, y, z)  abs(x)  select(mask, x, y)  bits(x)  real_of_bits(i)  to_real(i)  shl(i, n)  shr(i, n) (arithmetic)
     wrap_add(i, j)  wrap_sub(i, j): + and - that may wrap around
     scale(x, n, i): x * 2^n, i being n as an integer
     min(x, y): x < y ? x : y, so that a NaN in y comes through; max likewise with >
   Where |x| > limit the whole vector is done by the C text `beyond`, number by number. */
enum { MAX_STEPS = 24 };
struct formula {
  const char *name, *comment;
  const char *parameters; /* "x": a real; "xu": two; "xi": real x and integer i */
  const char *limit, *beyond;
  const char *steps[MAX_STEPS];
};

/* The coefficients of exp, log, sin and cos are those of the Cephes library in single precision (Stephen L. Moshier,
   https://www.netlib.org/cephes/). Adding 12582912 = 1.5 * 2^23 rounds to a whole number, which then stands in the low
   bits. ln 2 and pi/2 are split into parts with so few bits that their products with such whole numbers are exact, even
   without fma. */
static const struct formula formulas[] = {
    {.name = "scale",
     .comment = "x * 2^i, in two steps, so that results may be as small as the least and as large as the largest float",
     .parameters = "xi",
     .steps = {"half = shr(i, 1)", "y = x * real_of_bits(shl(half + 127, 23))",
               "y = y * real_of_bits(shl(i - half + 127, 23))"}},
    {.name = "exp",
     .comment = "e^x = 2^n e^r with |r| <= ln(2) / 2; at most 1 ulp off",
     .parameters = "x",
     /* Below -104 the result is 0. It is not computed, since Intel's processors take a hundred times as long for a vector with a
        result that underflows, and exponentials of -infinity are half of what a causal mask leaves. */
     .steps = {"none = x < -104.0", "c = select(none, 0.0, min(89.0, x))", "t = fma(c, 1.44269504, 12582912.0)",
               "n = t - 12582912.0", "r = fma(n, -0.693359375, c)", "r = fma(n, 2.12194440e-4, r)",
               "p = fma(r, 1.9875691500e-4, 1.3981999507e-3)", "p = fma(p, r, 8.3334519073e-3)",
               "p = fma(p, r, 4.1665795894e-2)", "p = fma(p, r, 1.6666665459e-1)", "p = fma(p, r, 5.0000001201e-1)",
               "p = fma(p, r * r, r) + 1.0", "y = select(none, 0.0, scale(p, n, bits(t) - 0x4B400000))"}},
    {.name = "log",
     .comment = "log(2^e (1 + f)) = e ln(2) + log(1 + f), 1 + f between sqrt(1/2) and sqrt(2); at most 1 ulp off",
     .parameters = "x",
     .steps = {"small = x < 1.17549435e-38",
               "b = bits(select(small, x * 8388608.0, x))",
               "i = wrap_sub(b, 0x3F3504F3)",
               "e = to_real(shr(i, 23)) - select(small, 23.0, 0.0)",
               "f = real_of_bits(wrap_sub(b, i & 0xFF800000)) - 1.0",
               "p = fma(f, 7.0376836292e-2, -1.1514610310e-1)",
               "p = fma(p, f, 1.1676998740e-1)",
               "p = fma(p, f, -1.2420140846e-1)",
               "p = fma(p, f, 1.4249322787e-1)",
               "p = fma(p, f, -1.6668057665e-1)",
               "p = fma(p, f, 2.0000714765e-1)",
               "p = fma(p, f, -2.4999993993e-1)",
               "p = fma(p, f, 3.3333331174e-1)",
               "z = f * f",
               "p = p * f * z",
               "p = fma(e, -2.12194440e-4, p)",
               "p = fma(z, -0.5, p) + f",
               "y = fma(e, 0.693359375, p)",
               "y = select(x < infinity, y, x)",
               "y = select(0.0 < x, y, select(x == 0.0, -infinity, nan))"}},
    {.name = "tanh",
     .comment = "q = e^2|x| - 1, tanh |x| = q / (q + 2); at most 2 ulp off",
     .parameters = "x",
     .steps = {"a = min(10.0, abs(x))", "t = fma(a, 2.88539008, 12582912.0)", "n = t - 12582912.0",
               "r = fma(n, -0.693359375, a + a)", "r = fma(n, 2.12194440e-4, r)",
               "p = fma(r, 1.9875691500e-4, 1.3981999507e-3)", "p = fma(p, r, 8.3334519073e-3)",
               "p = fma(p, r, 4.1665795894e-2)", "p = fma(p, r, 1.6666665459e-1)", "p = fma(p, r, 5.0000001201e-1)",
               "p = fma(p, r * r, r)", "s = real_of_bits(wrap_add(shl(bits(t), 23), 0x3F800000))",
               "q = fma(s, p, s - 1.0)", "y = q / (q + 2.0)", "y = select(a < 0.3, fma(q * -0.5, y, q * 0.5), y)",
               "y = real_of_bits(bits(y) | bits(x) & 0x80000000)"}},
    {.name = "erf",
     .comment = "near 0 a polynomial in x^2, else 1 - e^-p(|x|); at most 2 ulp off",
     .parameters = "x",
     .steps = {"a = min(4.0, abs(x))", "z = a * a", "u = fma(a, -1.72853470e-5, 3.83197126e-4)",
               "v = fma(a, -3.88396438e-3, 2.42546219e-2)", "u = fma(u, z, v)", "u = fma(u, a, -1.06777877e-1)",
               "u = fma(u, a, -6.34846687e-1)", "u = fma(u, a, -1.28717512e-1)", "u = fma(u, a, -a)",
               /* e^u, less exact than lam_exp, because it is less than 0.2 */
               "t = fma(u, 1.44269504, 12582912.0)", "r = fma(t - 12582912.0, -0.693147181, u)",
               "e = fma(r, 1.3981999507e-3, 8.3334519073e-3)", "e = fma(e, r, 4.1665795894e-2)",
               "e = fma(e, r, 1.6666665459e-1)", "e = fma(e, r, 5.0000001201e-1)", "e = fma(e, r * r, r) + 1.0",
               "e = fma(real_of_bits(wrap_add(shl(bits(t), 23), 0x3F800000)), -e, 1.0)",
               "p = fma(z, -5.96761703e-4, 4.99119423e-3)", "p = fma(p, z, -2.67681349e-2)",
               "p = fma(p, z, 1.12819925e-1)", "p = fma(p, z, -3.76125336e-1)", "p = fma(p, z, 1.28379166e-1)",
               "y = select(0.921875 < a, e, fma(p, a, a))", "y = real_of_bits(bits(y) | bits(x) & 0x80000000)"}},
/* pi/2 in five parts of 8, 8, 8, 8 and 24 bits; what the third and fourth subtraction round off is
   added in the end, so that the remainder is good even next to a multiple of pi/2. */
#define REDUCE_QUARTER                                                                                              \
  "t = fma(x, 0.636619772, 12582912.0)", "n = t - 12582912.0", "r = fma(n, -1.5703125, x)",                         \
      "r = fma(n, -4.82559204e-4, r)", "u = fma(n, -1.2665987e-6, r)", "v = fma(n, -1.2665987e-6, r - u)",          \
      "w = fma(n, -9.89530236e-10, u)", "v = v + fma(n, -9.89530236e-10, u - w)", "v = fma(n, -2.56334407e-12, v)", \
      "r = w + v", "z = r * r", "s = fma(z, -1.9515295891e-4, 8.3321608736e-3)", "s = fma(s, z, -1.6666654611e-1)", \
      "s = fma(s * z, r, r)", "c = fma(z, 2.443315711809948e-5, -1.388731625493765e-3)",                            \
      "c = fma(c, z, 4.166664568298827e-2)", "c = fma(c * z, z, fma(z, -0.5, 1.0))"
    {.name = "sin",
     .comment =
         "x = n pi/2 + r; the low bits of n choose between the sine and cosine of r and their signs; at most 2 ulp off",
     .parameters = "x",
     .limit = "100000.0",
     .beyond = "sin",
     .steps = {REDUCE_QUARTER, "q = bits(t)", "y = select((q & 1) == 0, s, c)",
               "y = real_of_bits(bits(y) ^ shl(q & 2, 30))"}},
    {.name = "cos",
     .comment = "x = n pi/2 + r; the low bits of n + 1 choose between the sine and cosine of r and their "
                "signs; at most 2 ulp off",
     .parameters = "x",
     .limit = "100000.0",
     .beyond = "cos",
     .steps = {REDUCE_QUARTER, "q = bits(t) + 1", "y = select((q & 1) == 0, s, c)",
               "y = real_of_bits(bits(y) ^ shl(q & 2, 30))"}},
#undef REDUCE_QUARTER
    /* Of a NaN, x + x is one that is still a NaN in its upper 16 bits, which are what memory keeps; a signalling NaN need not be. */
    {.name = "round_bf16",
     .comment = "to 8 bits of mantissa, halves to even",
     .parameters = "x",
     .steps = {"b = bits(x)", "b = wrap_add(b, (shr(b, 16) & 1) + 0x7FFF)", "y = real_of_bits(b & 0xFFFF0000)",
               "y = select(x == x, y, x + x)"}},
    {.name = "round_random",
     .comment = "to 8 bits of mantissa, away from 0 where u is less than the share of a step that this cuts off",
     .parameters = "xu",
     .steps = {"b = bits(x)", "r = real_of_bits(shl(b & 0xFFFF, 7) | 0x3F800000) - 1.0", "b = b & 0xFFFF0000",
               "t = real_of_bits(b)", "s = real_of_bits(wrap_add(b, 0x10000))", "s = select(abs(s) < infinity, s, t)",
               "y = select(max(0.0, u) < r, s, t)", "y = select(abs(x) < infinity, y, x + x)"}},
    {.name = "round_f16",
     .comment = "to half precision, halves to even: 11 bits of mantissa, fewer below 2^-14, infinity from 65520 on",
     .parameters = "x",
     .steps = {"a = abs(x)", "b = bits(a)", "b = wrap_add(b, (shr(b, 13) & 1) + 0x0FFF)",
               "y = real_of_bits(b & 0xFFFFE000)", "y = select(y < 65536.0, y, infinity)",
               "y = select(a < 6.103515625e-5, a + 0.5 - 0.5, y)", "y = real_of_bits(bits(y) | bits(x) & 0x80000000)",
               "y = select(x == x, y, x + x)"}},
};

const struct formula *formula_at(int number) {
  return number >= 0 && (size_t)number < sizeof formulas / sizeof *formulas ? &formulas[number] : NULL;
}

const char *formula_name(struct arena *arena, const struct formula *formula, bool lanes) {
  return arena_format(arena, "lam_%s%s", formula->name, lanes ? "_lanes" : "");
}

const char *formula_comment(const struct formula *formula) { return formula->comment; }

/* --- Reading and printing in one go --------------------------------------------------------------------------------------------- */

/* A part of a formula as C, and its type: r, i, m, or n for a constant number (of bits to shift). */
struct part {
  struct piece piece;
  char type;
};

struct name {
  const char *name;
  char type;
};

struct reader {
  struct arena *arena;
  const struct target *target;
  const struct simd *simd;
  const struct formula *formula;
  bool lanes;
  struct uses *uses;
  const char *at;
  ARRAY(struct name) names;
};

static _Noreturn void wrong(struct reader *reader, const char *what) {
  bug("formula %s: %s at \"%s\"", reader->formula->name, what, reader->at);
}

static void skip_spaces(struct reader *reader) {
  while (*reader->at == ' ') reader->at++;
}

static bool accept(struct reader *reader, const char *text) {
  skip_spaces(reader);
  if (strncmp(reader->at, text, strlen(text)) != 0) return false;
  reader->at += strlen(text);
  return true;
}

static void expect(struct reader *reader, const char *text) {
  if (!accept(reader, text)) wrong(reader, arena_format(reader->arena, "expected %s", text));
}

static struct part operation_part(struct reader *reader, enum operation operation, const struct part *arguments,
                                  int count) {
  const struct operation_facts *facts = &operation_facts[operation];
  if ((int)strlen(facts->arguments) != count)
    wrong(reader, arena_format(reader->arena, "too few arguments of %s", facts->name));
  struct piece pieces[3];
  for (int i = 0; i < count; i++) {
    if (arguments[i].type != facts->arguments[i])
      wrong(reader, arena_format(reader->arena, "a wrong type for %s", facts->name));
    pieces[i] = arguments[i].piece;
    if (reader->lanes) pieces[i].binding = BINDS_NAME; /* vectors are arguments of calls only */
  }
  const struct template *row = reader->lanes ? reader->simd->vector[operation] : reader->simd->scalar[operation];
  if (!row) bug("the target %s has no row %s, which formulas need", reader->target->name, facts->name);
  return (struct part){template_fill(reader->arena, reader->uses, row, pieces), facts->result};
}

/* A constant of type r or i. */
static struct part literal(struct reader *reader, char type, const char *text, bool negative) {
  struct part part = {{text, negative ? BINDS_UNARY : BINDS_NAME, negative}, type};
  enum operation splat = type == 'r' ? OPERATION_real_splat : OPERATION_int_splat;
  return reader->lanes ? operation_part(reader, splat, &part, 1) : part;
}

/* A constant that a header declares. */
static struct part special(struct reader *reader, const char *text, bool negative) {
  uses_add_text(reader->arena, reader->uses, text);
  return literal(reader, 'r', text, negative);
}

static struct part expression(struct reader *reader, int level);

struct call {
  const char *name;
  enum operation operation;
};
static const struct call calls[] = {
    {"fma", OPERATION_real_fma},        {"abs", OPERATION_real_abs},
    {"bits", OPERATION_real_to_bits},   {"real_of_bits", OPERATION_bits_to_real},
    {"to_real", OPERATION_int_to_real}, {"shl", OPERATION_bits_shl},
    {"shr", OPERATION_bits_shr},        {"wrap_add", OPERATION_bits_add},
    {"scale", OPERATION_real_scale},    {"exp", OPERATION_real_exp},
    {"wrap_sub", OPERATION_bits_sub},   {"select", OPERATION_real_select},
    {"min", OPERATION_real_min},        {"max", OPERATION_real_max},
};

/* A constant number of bits, the only argument that is not a vector. */
static struct part shift_count(struct reader *reader) {
  char *end;
  skip_spaces(reader);
  long count = strtol(reader->at, &end, 10);
  if (end == reader->at) wrong(reader, "expected a number of bits");
  reader->at = end;
  return (struct part){piece_name(arena_format(reader->arena, "%ld", count)), 'n'};
}

static struct part call(struct reader *reader, const char *name) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    if (strcmp(calls[i].name, name) != 0) continue;
    const char *types = operation_facts[calls[i].operation].arguments;
    int count = (int)strlen(types);
    struct part arguments[3];
    for (int j = 0; j < count; j++) {
      if (j) expect(reader, ",");
      arguments[j] = types[j] == 'n' ? shift_count(reader) : expression(reader, 0);
    }
    expect(reader, ")");
    return operation_part(reader, calls[i].operation, arguments, count);
  }
  wrong(reader, arena_format(reader->arena, "no function %s", name));
}

static struct part primary(struct reader *reader) {
  skip_spaces(reader);
  if (accept(reader, "(")) {
    struct part part = expression(reader, 0);
    expect(reader, ")");
    return part;
  }
  if (accept(reader, "-infinity")) return special(reader, "-INFINITY", true);
  if (isdigit((unsigned char)*reader->at) || (*reader->at == '-' && isdigit((unsigned char)reader->at[1]))) {
    char *end;
    const char *start = reader->at;
    double number = strtod(start, &end);
    const char *text = arena_copy(reader->arena, start, (size_t)(end - start));
    reader->at = end;
    if (strchr(text, '.')) return literal(reader, 'r', arena_format(reader->arena, "%sf", text), *start == '-');
    if (number == 2147483648.0) return literal(reader, 'i', "INT32_MIN", false);
    if (number > 2147483648.0)
      return literal(reader, 'i', arena_format(reader->arena, "%.0f", number - 4294967296.0), true);
    return literal(reader, 'i', text, *start == '-');
  }
  if (accept(reader, "-")) {
    struct part part = primary(reader);
    return operation_part(reader, OPERATION_real_neg, &part, 1);
  }
  size_t length = 0;
  while (isalnum((unsigned char)reader->at[length]) || reader->at[length] == '_') length++;
  if (!length) wrong(reader, "expected a name or a number");
  const char *name = arena_copy(reader->arena, reader->at, length);
  reader->at += length;
  if (accept(reader, "(")) return call(reader, name);
  if (strcmp(name, "infinity") == 0) return special(reader, "INFINITY", false);
  if (strcmp(name, "nan") == 0) return special(reader, "NAN", false);
  for (int i = 0; i < reader->names.count; i++)
    if (strcmp(reader->names.items[i].name, name) == 0)
      return (struct part){piece_name(name), reader->names.items[i].type};
  wrong(reader, arena_format(reader->arena, "no name %s", name));
}

struct infix {
  const char *text;
  int level;
  enum operation real, integer;
};
static const struct infix infixes[] = {
    {"==", 1, OPERATION_real_eq, OPERATION_int_eq},  {"<", 1, OPERATION_real_lt, OPERATION_int_lt},
    {"|", 2, OPERATION_COUNT, OPERATION_bits_or},    {"^", 2, OPERATION_COUNT, OPERATION_bits_xor},
    {"&", 3, OPERATION_COUNT, OPERATION_bits_and},   {"+", 4, OPERATION_real_add, OPERATION_int_add},
    {"-", 4, OPERATION_real_sub, OPERATION_int_sub}, {"*", 5, OPERATION_real_mul, OPERATION_COUNT},
    {"/", 5, OPERATION_real_div, OPERATION_COUNT},
};

/* An expression whose operators have at least the level `level`; all associate to the left. */
static struct part expression(struct reader *reader, int level) {
  struct part left = primary(reader);
  for (;;) {
    const struct infix *infix = NULL;
    skip_spaces(reader);
    for (size_t i = 0; i < sizeof infixes / sizeof *infixes && !infix; i++)
      if (infixes[i].level >= level && strncmp(reader->at, infixes[i].text, strlen(infixes[i].text)) == 0)
        infix = &infixes[i];
    if (!infix) return left;
    reader->at += strlen(infix->text);
    struct part arguments[2] = {left, expression(reader, infix->level + 1)};
    enum operation operation = left.type == 'r' ? infix->real : infix->integer;
    if (operation == OPERATION_COUNT) wrong(reader, "an operator on the wrong type");
    left = operation_part(reader, operation, arguments, 2);
  }
}

static const char *type_text(struct reader *reader, char type) {
  enum operation operation = type == 'r' ? OPERATION_real_type : type == 'i' ? OPERATION_int_type : OPERATION_mask_type;
  return template_text(reader->lanes ? reader->simd->vector[operation] : reader->simd->scalar[operation]);
}

/* Prints a step as a line such as "float t = ...;"; without the type where the name has been set before. */
static void print_step(struct reader *reader, struct text *text, const char *step) {
  reader->at = step;
  size_t length = strcspn(step, " ");
  const char *name = arena_copy(reader->arena, step, length);
  reader->at += length;
  expect(reader, "=");
  struct part value = expression(reader, 0);
  skip_spaces(reader);
  if (*reader->at) wrong(reader, "more than one expression");
  bool known = false;
  for (int i = 0; i < reader->names.count; i++) {
    if (strcmp(reader->names.items[i].name, name) != 0) continue;
    if (reader->names.items[i].type != value.type) wrong(reader, "a name changes its type");
    known = true;
  }
  if (!known) array_push(reader->arena, &reader->names, (struct name){name, value.type});
  text_line(text, "%s%s%s = %s;", known ? "" : type_text(reader, value.type), known ? "" : " ", name, value.piece.text);
}

/* Prints the lines for numbers outside of the formula's range. */
static void print_beyond(struct reader *reader, struct text *text) {
  struct arena *arena = reader->arena;
  const struct formula *formula = reader->formula;
  const struct template *const *vector = reader->simd->vector;
  if (!reader->lanes) {
    const char *line =
        arena_format(arena, "if (fabsf(x) > %sf) return (float)%s((double)x);", formula->limit, formula->beyond);
    uses_add(arena, reader->uses, "fabsf");
    uses_add(arena, reader->uses, formula->beyond);
    text_line(text, "%s", line);
    return;
  }
  const char *one = formula_name(arena, formula, false);
  reader->at = arena_format(arena, "%s < abs(x)", formula->limit);
  struct piece outside = expression(reader, 0).piece, memory = piece_name("each"), store[2] = {memory, piece_name("x")};
  text_open(text, "if (%s)", template_fill(arena, reader->uses, vector[OPERATION_any_lane], &outside).text);
  text_line(text, "float each[%d];", reader->target->lanes);
  text_line(text, "%s;", template_fill(arena, reader->uses, vector[OPERATION_real_store], store).text);
  text_line(text, "for (int i = 0; i < %d; i++) each[i] = %s(each[i]);", reader->target->lanes, one);
  uses_add(arena, reader->uses, one);
  text_line(text, "return %s;", template_fill(arena, reader->uses, vector[OPERATION_real_load], &memory).text);
  text_close(text);
}

void formula_print(struct arena *arena, const struct target *target, const struct simd *simd,
                   const struct formula *formula, bool lanes, struct uses *uses, const char **head, const char **body) {
  struct reader reader = {
      .arena = arena, .target = target, .simd = simd, .formula = formula, .lanes = lanes, .uses = uses};
  struct text *text = text_new(arena);
  const char *parameters = "";
  for (const char *p = formula->parameters; *p; p++) {
    const char *name = arena_copy(arena, p, 1);
    char type = *p == 'i' ? 'i' : 'r';
    array_push(arena, &reader.names, (struct name){name, type});
    parameters = arena_format(arena, "%s%s%s %s", parameters, *parameters ? ", " : "", type_text(&reader, type), name);
  }
  text->indentation = 1;
  if (formula->limit) print_beyond(&reader, text);
  for (int i = 0; i < MAX_STEPS && formula->steps[i]; i++) print_step(&reader, text, formula->steps[i]);
  text_line(text, "return %s;", reader.names.items[reader.names.count - 1].name);
  *head = arena_format(arena, "%s %s(%s)", type_text(&reader, 'r'), formula_name(arena, formula, lanes), parameters);
  *body = text_string(text);
}
