#include "ir/loop.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "ir/interpret.h"

const char *const type_names[] = {"real", "integer", "boolean", "index"};
const char *const memory_names[] = {"global", "register", "stack"};
const char *const loop_kind_names[] = {"serial", "parallel", "vector", "unrolled"};

/* --- Nodes ---------------------------------------------------------------------------------------------------------------- */

static struct expression *node(struct arena *arena, enum expression_kind kind, enum type type, int argument_count) {
  struct expression *expression = arena_new_struct(arena, struct expression);
  expression->kind = kind;
  expression->type = type;
  expression->argument_count = argument_count;
  expression->arguments = argument_count ? arena_new_array(arena, const struct expression *, argument_count) : NULL;
  return expression;
}

const struct expression *expression_number(struct arena *arena, enum type type, double number) {
  struct expression *expression = node(arena, EXPRESSION_NUMBER, type, 0);
  expression->number = isnan(number) ? NAN : number; /* one bit pattern: equal constants compare equal */
  return expression;
}

const struct expression *expression_index(struct arena *arena, int64_t number) {
  return expression_number(arena, TYPE_INDEX, (double)number);
}

const struct expression *expression_variable(struct arena *arena, const struct variable *variable) {
  struct expression *expression = node(arena, EXPRESSION_VARIABLE, variable->type, 0);
  expression->variable = variable;
  return expression;
}

const struct expression *expression_load(struct arena *arena, const struct array *array,
                                         const struct expression *index) {
  if (index->type != TYPE_INDEX) bug("%s is indexed by a value of type %s", array->name, type_names[index->type]);
  struct expression *expression = node(arena, EXPRESSION_LOAD, array->type, 1);
  expression->array = array;
  expression->arguments[0] = index;
  return expression;
}

static bool is_number(const struct expression *x) { return x->kind == EXPRESSION_NUMBER; }
static bool is_this_number(const struct expression *x, double number) { return is_number(x) && x->number == number; }

/* --- Affine sums: what keeps index expressions small ------------------------------------------------------------------------- */

enum { MAX_TERMS = 12 };
static const int64_t LARGEST = (int64_t)1 << 52; /* the largest constant: still exact as a double */

/* constant + sum of factor[i] * term[i]; no term is a number, a sum or a product with a number. */
struct sum {
  int64_t constant;
  int count;
  const struct expression *terms[MAX_TERMS];
  int64_t factors[MAX_TERMS];
};

static bool multiply(int64_t x, int64_t y, int64_t *product) {
  return !__builtin_mul_overflow(x, y, product) && *product < LARGEST && *product > -LARGEST;
}

static bool accumulate(int64_t *total, int64_t x) {
  return !__builtin_add_overflow(*total, x, total) && *total < LARGEST && *total > -LARGEST;
}

/* Adds factor * x to the sum; false when it has too many terms or a constant is too large. */
static bool sum_add(struct sum *sum, const struct expression *x, int64_t factor) {
  int64_t product;
  if (is_number(x))
    return x->number > -(double)LARGEST && x->number < (double)LARGEST &&
           multiply((int64_t)x->number, factor, &product) && accumulate(&sum->constant, product);
  if (x->kind == EXPRESSION_APPLY) {
    const struct expression *a = x->arguments[0], *b = x->argument_count > 1 ? x->arguments[1] : NULL;
    if (x->op == OP_add) return sum_add(sum, a, factor) && sum_add(sum, b, factor);
    if (x->op == OP_sub) return multiply(factor, -1, &product) && sum_add(sum, a, factor) && sum_add(sum, b, product);
    if (x->op == OP_mul && is_number(b))
      return multiply(factor, (int64_t)b->number, &product) && sum_add(sum, a, product);
    if (x->op == OP_mul && is_number(a))
      return multiply(factor, (int64_t)a->number, &product) && sum_add(sum, b, product);
  }
  for (int i = 0; i < sum->count; i++)
    if (expression_equal(sum->terms[i], x)) return accumulate(&sum->factors[i], factor);
  if (sum->count == MAX_TERMS) return false;
  sum->terms[sum->count] = x;
  sum->factors[sum->count++] = factor;
  return true;
}

static const struct expression *apply_node(struct arena *arena, enum op op, enum type type, const struct expression *x,
                                           const struct expression *y, const struct expression *z) {
  struct expression *expression = node(arena, EXPRESSION_APPLY, type, op_facts[op].inputs);
  expression->op = op;
  const struct expression *const arguments[3] = {x, y, z};
  for (int i = 0; i < expression->argument_count; i++) expression->arguments[i] = arguments[i];
  return expression;
}

static const struct expression *scaled(struct arena *arena, const struct expression *x, int64_t factor) {
  return factor == 1 ? x : apply_node(arena, OP_mul, TYPE_INDEX, x, expression_index(arena, factor), NULL);
}

/* Terms in the order of their first appearance, those with negative factors subtracted, the constant last. */
static const struct expression *sum_build(struct arena *arena, const struct sum *sum) {
  const struct expression *result = NULL;
  for (int i = 0; i < sum->count; i++) {
    if (sum->factors[i] <= 0) continue;
    const struct expression *term = scaled(arena, sum->terms[i], sum->factors[i]);
    result = result ? apply_node(arena, OP_add, TYPE_INDEX, result, term, NULL) : term;
  }
  bool leading_constant = !result;
  if (leading_constant) result = expression_index(arena, sum->constant);
  for (int i = 0; i < sum->count; i++) {
    if (sum->factors[i] >= 0) continue;
    result = apply_node(arena, OP_sub, TYPE_INDEX, result, scaled(arena, sum->terms[i], -sum->factors[i]), NULL);
  }
  if (leading_constant || !sum->constant) return result;
  int64_t constant = sum->constant;
  return apply_node(arena, constant > 0 ? OP_add : OP_sub, TYPE_INDEX, result,
                    expression_index(arena, constant > 0 ? constant : -constant), NULL);
}

/* x + factor * y */
static const struct expression *index_sum(struct arena *arena, const struct expression *x, const struct expression *y,
                                          int64_t factor) {
  struct sum sum = {0};
  if (sum_add(&sum, x, 1) && sum_add(&sum, y, factor)) return sum_build(arena, &sum);
  if (factor == 1) return apply_node(arena, OP_add, TYPE_INDEX, x, y, NULL);
  if (factor == -1) return apply_node(arena, OP_sub, TYPE_INDEX, x, y, NULL);
  return apply_node(arena, OP_add, TYPE_INDEX, x, scaled(arena, y, factor), NULL);
}

bool expression_coefficient(const struct expression *x, const struct variable *variable, int64_t *coefficient) {
  struct sum sum = {0};
  *coefficient = 0;
  if (!expression_uses(x, variable)) return true;
  if (x->type != TYPE_INDEX || !sum_add(&sum, x, 1)) return false;
  for (int i = 0; i < sum.count; i++) {
    const struct expression *term = sum.terms[i];
    if (term->kind == EXPRESSION_VARIABLE && term->variable == variable)
      *coefficient = sum.factors[i];
    else if (sum.factors[i] && expression_uses(term, variable))
      return false;
  }
  return true;
}

/* The quotient of a product or a variable that is a multiple of the divisor, or NULL. */
static const struct expression *term_quotient(struct arena *arena, const struct expression *term, int64_t divisor) {
  if (term->kind == EXPRESSION_VARIABLE) {
    if (!term->variable->multiple || term->variable->multiple % divisor != 0) return NULL;
    return expression_apply(arena, OP_quotient, term, expression_index(arena, divisor), NULL);
  }
  if (term->kind != EXPRESSION_APPLY || term->op != OP_mul) return NULL;
  for (int i = 0; i < 2; i++) {
    const struct expression *factor = term_quotient(arena, term->arguments[i], divisor);
    if (factor) return expression_apply(arena, OP_mul, term->arguments[1 - i], factor, NULL);
  }
  return NULL;
}

bool expression_divides(struct arena *arena, const struct expression *index, int64_t divisor,
                        const struct expression **quotient) {
  struct sum sum = {0};
  if (!sum_add(&sum, index, 1) || sum.constant % divisor) return false;
  for (int i = 0; i < sum.count; i++) {
    if (sum.factors[i] % divisor == 0) {
      sum.factors[i] /= divisor;
      continue;
    }
    sum.terms[i] = term_quotient(arena, sum.terms[i], divisor);
    if (!sum.terms[i]) return false;
  }
  sum.constant /= divisor;
  *quotient = sum_build(arena, &sum);
  return true;
}

bool expression_remainder(struct arena *arena, const struct expression *index, int64_t divisor,
                          const struct expression **whole, const struct expression **rest) {
  struct sum sum = {0}, apart = {0};
  int64_t low, high;
  if (!sum_add(&sum, index, 1)) return false;
  for (int i = 0; i < sum.count; i++) {
    if (sum.factors[i] % divisor == 0 || term_quotient(arena, sum.terms[i], divisor)) continue;
    if (!sum_add(&apart, sum.terms[i], sum.factors[i])) return false;
    sum.factors[i] = 0;
  }
  apart.constant = ((sum.constant % divisor) + divisor) % divisor;
  sum.constant -= apart.constant;
  *whole = sum_build(arena, &sum), *rest = sum_build(arena, &apart);
  return expression_range(*rest, &low, &high) && low >= 0 && high < divisor;
}

static int64_t floor_quotient(int64_t x, int64_t y) {
  int64_t quotient = x / y;
  return x % y && (x < 0) != (y < 0) ? quotient - 1 : quotient;
}

static bool term_range(const struct expression *x, int64_t *low, int64_t *high);

static bool sum_range(const struct sum *sum, int64_t *low, int64_t *high) {
  *low = *high = sum->constant;
  for (int i = 0; i < sum->count; i++) {
    int64_t least, most, factor = sum->factors[i];
    if (!factor) continue;
    if (!term_range(sum->terms[i], &least, &most) || !multiply(least, factor, &least) || !multiply(most, factor, &most))
      return false;
    if (!accumulate(low, factor > 0 ? least : most) || !accumulate(high, factor > 0 ? most : least)) return false;
  }
  return true;
}

bool expression_range(const struct expression *x, int64_t *low, int64_t *high) {
  struct sum sum = {0};
  return x->type == TYPE_INDEX && sum_add(&sum, x, 1) && sum_range(&sum, low, high);
}

/* What all values of the variable are known to be multiples of. */
static int64_t multiple_of(const struct variable *variable) { return variable->multiple ? variable->multiple : 1; }

/* What the divisor and all values of the index have in common as a factor. */
static int64_t common_factor(const struct expression *index, int64_t divisor) {
  struct sum sum = {0};
  if (!sum_add(&sum, index, 1)) return 1;
  for (int i = -1; i < sum.count; i++) {
    const struct expression *term = i < 0 ? NULL : sum.terms[i];
    const int64_t multiple = term && term->kind == EXPRESSION_VARIABLE ? multiple_of(term->variable) : 1;
    int64_t factor = i < 0 ? sum.constant : sum.factors[i] * multiple;
    for (factor = factor < 0 ? -factor : factor; factor;) {
      const int64_t rest = divisor % factor;
      divisor = factor, factor = rest;
    }
  }
  return divisor;
}

/* The range of an expression that is not a sum. */
static bool term_range(const struct expression *x, int64_t *low, int64_t *high) {
  if (x->kind == EXPRESSION_VARIABLE) {
    const int64_t multiple = multiple_of(x->variable);
    *low = 0, *high = (x->variable->bound - 1) / multiple * multiple;
    return x->variable->bound > 0;
  }
  if (x->kind != EXPRESSION_APPLY || x->argument_count < 2) return false;
  int64_t least[2], most[2];
  bool known[2];
  const struct expression *const *arguments = x->op == OP_where ? x->arguments + 1 : x->arguments;
  for (int i = 0; i < 2; i++) known[i] = expression_range(arguments[i], &least[i], &most[i]);
  int64_t divisor = known[1] && least[1] == most[1] ? least[1] : 0;
  if (x->op == OP_mod && divisor > 0) {
    *low = 0, *high = divisor - common_factor(arguments[0], divisor);
    if (known[0] && least[0] >= 0 && most[0] < divisor) *low = least[0], *high = most[0];
    return true;
  }
  if (!known[0] || !known[1]) return false;
  if (x->op == OP_quotient && divisor > 0) {
    *low = floor_quotient(least[0], divisor), *high = floor_quotient(most[0], divisor);
    return true;
  }
  if (x->op == OP_mul && least[0] >= 0 && least[1] >= 0)
    return multiply(least[0], least[1], low) && multiply(most[0], most[1], high);
  bool smaller = x->op == OP_min, larger = x->op == OP_max, either = x->op == OP_where;
  if (!smaller && !larger && !either) return false;
  *low = (least[0] < least[1]) != larger ? least[0] : least[1];
  *high = (most[0] > most[1]) != smaller ? most[0] : most[1];
  return true;
}

/* The quotient or remainder of a sum by a number. Terms that are multiples of the divisor are taken out where all
   values of the other terms lie between the same two multiples of it. */
static const struct expression *index_division(struct arena *arena, enum op op, const struct expression *x,
                                               int64_t divisor) {
  struct sum sum = {0}, multiples = {0}, rest = {0};
  if (sum_add(&sum, x, 1)) {
    int64_t low, high;
    for (int i = 0; i < sum.count; i++) {
      bool divisible = sum.factors[i] % divisor == 0;
      struct sum *to = divisible ? &multiples : &rest;
      to->terms[to->count] = sum.terms[i];
      to->factors[to->count++] = divisible ? sum.factors[i] / divisor : sum.factors[i];
    }
    rest.constant = sum.constant;
    if (sum_range(&rest, &low, &high)) {
      int64_t period = floor_quotient(low, divisor);
      if (period == floor_quotient(high, divisor)) {
        multiples.constant = period;
        rest.constant -= period * divisor;
        return sum_build(arena, op == OP_quotient ? &multiples : &rest);
      }
    }
    /* In a sum that is never negative, terms that are multiples of the modulus do not change the remainder. */
    int64_t whole_low, whole_high;
    if (op == OP_mod && multiples.count && sum_range(&rest, &low, &high) && low >= 0 &&
        sum_range(&sum, &whole_low, &whole_high) && whole_low >= 0)
      x = sum_build(arena, &rest);
  }
  return apply_node(arena, op, TYPE_INDEX, x, expression_index(arena, divisor), NULL);
}

/* --- Folding -------------------------------------------------------------------------------------------------------------- */

static const struct expression *boolean(struct arena *arena, bool value) {
  return expression_number(arena, TYPE_BOOLEAN, value);
}

static const struct expression *fold_index(struct arena *arena, enum op op, const struct expression *x,
                                           const struct expression *y) {
  int64_t low, high;
  switch ((int)op) {
    case OP_add:
      return index_sum(arena, x, y, 1);
    case OP_sub:
      return index_sum(arena, x, y, -1);
    case OP_neg:
      return index_sum(arena, expression_index(arena, 0), x, -1);
    case OP_mul:
      if (is_number(x)) return index_sum(arena, expression_index(arena, 0), y, (int64_t)x->number);
      if (is_number(y)) return index_sum(arena, expression_index(arena, 0), x, (int64_t)y->number);
      return NULL;
    case OP_quotient:
    case OP_mod:
      return is_number(y) && y->number >= 1 ? index_division(arena, op, x, (int64_t)y->number) : NULL;
    case OP_abs:
      return expression_range(x, &low, &high) && low >= 0 ? x : NULL;
    case OP_min:
    case OP_max:
      if (!expression_range(index_sum(arena, x, y, -1), &low, &high)) return NULL;
      if (high <= 0) return op == OP_min ? x : y;
      return low >= 0 ? (op == OP_min ? y : x) : NULL;
    case OP_lt:
    case OP_le:
    case OP_eq:
    case OP_ne:
      if (!expression_range(index_sum(arena, x, y, -1), &low, &high)) return NULL;
      if (op == OP_lt) return high < 0 ? boolean(arena, true) : low >= 0 ? boolean(arena, false) : NULL;
      if (op == OP_le) return high <= 0 ? boolean(arena, true) : low > 0 ? boolean(arena, false) : NULL;
      if (low == 0 && high == 0) return boolean(arena, op == OP_eq);
      return low > 0 || high < 0 ? boolean(arena, op == OP_ne) : NULL;
  }
  return NULL;
}

static const struct expression *fold_real(struct arena *arena, enum op op, const struct expression *x,
                                          const struct expression *y) {
  bool numbers = is_number(x) && (!y || is_number(y));
  double a = x->number, b = y ? y->number : 0;
  switch ((int)op) {
    case OP_add:
      if (numbers) return expression_number(arena, TYPE_REAL, a + b);
      return is_this_number(y, 0) ? x : is_this_number(x, 0) ? y : NULL;
    case OP_sub:
      if (numbers) return expression_number(arena, TYPE_REAL, a - b);
      return is_this_number(y, 0) ? x : NULL;
    case OP_mul:
      if (numbers) return expression_number(arena, TYPE_REAL, a * b);
      return is_this_number(y, 1) ? x : is_this_number(x, 1) ? y : NULL;
    case OP_div:
      if (numbers) return expression_number(arena, TYPE_REAL, a / b);
      return is_this_number(y, 1) ? x : NULL;
    case OP_neg:
      if (numbers) return expression_number(arena, TYPE_REAL, -a);
      return x->kind == EXPRESSION_APPLY && x->op == OP_neg ? x->arguments[0] : NULL;
    case OP_max:
    case OP_min:
      if (numbers) return expression_number(arena, TYPE_REAL, (op == OP_max ? a > b : a < b) ? a : b);
      return NULL;
  }
  return NULL;
}

static const struct expression *fold_boolean(struct arena *arena, enum op op, const struct expression *x,
                                             const struct expression *y) {
  switch ((int)op) {
    case OP_not:
      if (is_number(x)) return boolean(arena, x->number == 0);
      return x->kind == EXPRESSION_APPLY && x->op == OP_not ? x->arguments[0] : NULL;
    case OP_and:
      if (is_number(x)) return x->number != 0 ? y : x;
      if (is_number(y)) return y->number != 0 ? x : y;
      return expression_equal(x, y) ? x : NULL;
    case OP_or:
      if (is_number(x)) return x->number != 0 ? x : y;
      if (is_number(y)) return y->number != 0 ? y : x;
      return expression_equal(x, y) ? x : NULL;
  }
  return NULL;
}

static const struct expression *fold_integer(struct arena *arena, enum op op, const struct expression *x,
                                             const struct expression *y) {
  bool numbers = is_number(x) && y && is_number(y);
  double a = x->number, b = y ? y->number : 0;
  const struct expression *result = NULL;
  switch ((int)op) {
    case OP_add:
      result = numbers                ? expression_number(arena, TYPE_INTEGER, scalar_apply(op, KIND_INTEGER, a, b, 0))
               : is_this_number(y, 0) ? x
               : is_this_number(x, 0) ? y
                                      : NULL;
      break;
    case OP_sub:
      result = numbers                ? expression_number(arena, TYPE_INTEGER, scalar_apply(op, KIND_INTEGER, a, b, 0))
               : is_this_number(y, 0) ? x
                                      : NULL;
      break;
    case OP_mul:
      result = numbers                ? expression_number(arena, TYPE_INTEGER, scalar_apply(op, KIND_INTEGER, a, b, 0))
               : is_this_number(y, 1) ? x
               : is_this_number(x, 1) ? y
                                      : NULL;
      break;
    case OP_lt:
      return numbers ? boolean(arena, a < b) : NULL;
    case OP_le:
      return numbers ? boolean(arena, a <= b) : NULL;
    case OP_eq:
      return numbers ? boolean(arena, a == b) : NULL;
    case OP_ne:
      return numbers ? boolean(arena, a != b) : NULL;
  }
  return result;
}

/* A literal takes the type of the operand beside it, so that a caller may write 0 for any type. */
static const struct expression *literal_as(struct arena *arena, const struct expression *x, enum type type) {
  if (!is_number(x) || x->type == type || type == TYPE_BOOLEAN) return x;
  return type != TYPE_REAL && x->number != floor(x->number) ? x : expression_number(arena, type, x->number);
}

const struct expression *expression_apply(struct arena *arena, enum op op, const struct expression *x,
                                          const struct expression *y, const struct expression *z) {
  int count = op_facts[op].inputs;
  if (!op_is_elementwise(op)) bug("%s is no operation on numbers", op_facts[op].name);
  if (!x || (count > 1) != (y != NULL) || (count > 2) != (z != NULL))
    bug("%s takes %d operands", op_facts[op].name, count);
  if (count == 2 && x->type != y->type) {
    if (is_number(y))
      y = literal_as(arena, y, x->type);
    else
      x = literal_as(arena, x, y->type);
  } else if (count == 3 && y->type != z->type) {
    if (is_number(z))
      z = literal_as(arena, z, y->type);
    else
      y = literal_as(arena, y, z->type);
  }
  if (op == OP_cast) return expression_cast(arena, STORAGE_REAL, x);
  if (op == OP_div && x->type != TYPE_REAL && y->type != TYPE_REAL)
    x = expression_convert(arena, TYPE_REAL, x), y = expression_convert(arena, TYPE_REAL, y);
  enum type type;
  const enum type types[3] = {x->type, y ? y->type : x->type, z ? z->type : x->type};
  if (!apply_type(op, types, &type))
    bug("%s of %s%s%s%s%s", op_facts[op].name, type_names[types[0]], y ? " and " : "", y ? type_names[types[1]] : "",
        z ? " and " : "", z ? type_names[types[2]] : "");
  const struct expression *folded = NULL;
  /* Reals are left out: x == x is false for NaN. */
  bool same =
      op_facts[op].class == CLASS_COMPARE && x->type != TYPE_REAL && x->type == y->type && expression_equal(x, y);
  if (same)
    folded = boolean(arena, op == OP_le || op == OP_eq);
  else if (op == OP_where)
    folded = is_number(x) ? (x->number != 0 ? y : z) : expression_equal(y, z) ? y : NULL;
  else if (x->type == TYPE_INDEX)
    folded = fold_index(arena, op, x, y);
  else if (x->type == TYPE_REAL)
    folded = fold_real(arena, op, x, y);
  else if (x->type == TYPE_BOOLEAN)
    folded = fold_boolean(arena, op, x, y);
  else
    folded = fold_integer(arena, op, x, y);
  return folded ? folded : apply_node(arena, op, type, x, y, z);
}

const struct expression *expression_cast(struct arena *arena, enum storage storage, const struct expression *x) {
  x = expression_convert(arena, TYPE_REAL, x);
  if (storage == STORAGE_REAL) return x;
  if (x->kind == EXPRESSION_APPLY && x->op == OP_cast && x->storage == storage) return x;
  struct expression *expression = node(arena, EXPRESSION_APPLY, TYPE_REAL, 1);
  expression->op = OP_cast;
  expression->storage = storage;
  expression->arguments[0] = x;
  return expression;
}

const struct expression *expression_fma(struct arena *arena, const struct expression *x, const struct expression *y,
                                        const struct expression *z) {
  if (x->type == TYPE_INTEGER && y->type == TYPE_INTEGER)
    return expression_apply(arena, OP_add, expression_apply(arena, OP_mul, x, y, NULL), z, NULL);
  if (x->type != TYPE_REAL || y->type != TYPE_REAL || z->type != TYPE_REAL)
    bug("fma of %s, %s and %s", type_names[x->type], type_names[y->type], type_names[z->type]);
  if (is_this_number(x, 1)) return expression_apply(arena, OP_add, y, z, NULL);
  if (is_this_number(y, 1)) return expression_apply(arena, OP_add, x, z, NULL);
  if (is_this_number(z, 0)) return expression_apply(arena, OP_mul, x, y, NULL);
  struct expression *expression = node(arena, EXPRESSION_FMA, TYPE_REAL, 3);
  expression->arguments[0] = x, expression->arguments[1] = y, expression->arguments[2] = z;
  return expression;
}

const struct expression *expression_convert(struct arena *arena, enum type type, const struct expression *x) {
  if (x->type == type) return x;
  if (is_number(x) && (type == TYPE_REAL || x->type != TYPE_REAL))
    return expression_number(arena, type, type == TYPE_INTEGER ? scalar_wrap(x->number) : x->number);
  if (x->type == TYPE_REAL || type == TYPE_BOOLEAN)
    bug("%s does not convert to %s", type_names[x->type], type_names[type]);
  /* An integer that was converted to an index and back is itself. */
  if (type == TYPE_INTEGER && x->kind == EXPRESSION_CONVERT && x->arguments[0]->type == TYPE_INTEGER)
    return x->arguments[0];
  struct expression *expression = node(arena, EXPRESSION_CONVERT, type, 1);
  expression->arguments[0] = x;
  return expression;
}

const struct expression *expression_dot(struct arena *arena, int count, const struct expression *sum,
                                        const struct expression *x, const struct expression *y) {
  if (x->kind != EXPRESSION_LOAD || y->kind != EXPRESSION_LOAD || x->type != y->type || sum->type != x->type)
    bug("a dot of %s and %s on %s", type_names[x->type], type_names[y->type], type_names[sum->type]);
  struct expression *expression = node(arena, EXPRESSION_DOT, sum->type, 3);
  expression->lanes = count;
  expression->arguments[0] = sum, expression->arguments[1] = x, expression->arguments[2] = y;
  return expression;
}

const struct expression *expression_quantile(struct arena *arena, const struct expression *first,
                                             const struct expression *count, const struct expression *q) {
  if (first->kind != EXPRESSION_LOAD || first->type != TYPE_REAL || count->type != TYPE_INDEX || q->type != TYPE_REAL)
    bug("a quantile of %s %s for %s", type_names[count->type], type_names[first->type], type_names[q->type]);
  struct expression *expression = node(arena, EXPRESSION_QUANTILE, TYPE_REAL, 3);
  expression->arguments[0] = first, expression->arguments[1] = count, expression->arguments[2] = q;
  return expression;
}

const struct expression *expression_fold(struct arena *arena, enum op op, const struct array *array,
                                         const struct expression *start, int lanes) {
  if (op != OP_add && op != OP_max) bug("a fold by %s", op_facts[op].name);
  struct expression *expression = node(arena, EXPRESSION_FOLD, array->type, 1);
  expression->op = op;
  expression->array = array;
  expression->lanes = lanes;
  expression->arguments[0] = start;
  return expression;
}

const struct expression *expression_draw(struct arena *arena, enum distribution distribution,
                                         const struct expression *const arguments[5]) {
  struct expression *expression = node(arena, EXPRESSION_DRAW, TYPE_REAL, 5);
  expression->distribution = distribution;
  for (int i = 0; i < 5; i++) {
    if (arguments[i]->type != TYPE_INDEX && arguments[i]->type != TYPE_INTEGER)
      bug("argument %d of a draw is %s", i, type_names[arguments[i]->type]);
    expression->arguments[i] = arguments[i];
  }
  return expression;
}

const struct expression *index_add(struct arena *arena, const struct expression *x, const struct expression *y) {
  return expression_apply(arena, OP_add, x, y, NULL);
}

const struct expression *index_multiply(struct arena *arena, const struct expression *x, int64_t factor) {
  return expression_apply(arena, OP_mul, x, expression_index(arena, factor), NULL);
}

bool expression_uses(const struct expression *x, const struct variable *variable) {
  if (x->kind == EXPRESSION_VARIABLE) return x->variable == variable;
  for (int i = 0; i < x->argument_count; i++)
    if (expression_uses(x->arguments[i], variable)) return true;
  return false;
}

bool expression_equal(const struct expression *x, const struct expression *y) {
  if (x == y) return true;
  if (x->kind != y->kind || x->type != y->type || x->argument_count != y->argument_count) return false;
  if (x->variable != y->variable || x->array != y->array || x->op != y->op || x->storage != y->storage ||
      x->distribution != y->distribution || x->lanes != y->lanes || memcmp(&x->number, &y->number, sizeof x->number))
    return false;
  for (int i = 0; i < x->argument_count; i++)
    if (!expression_equal(x->arguments[i], y->arguments[i])) return false;
  return true;
}
