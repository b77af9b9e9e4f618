#include "tests/harness/element_error.h"

#include <float.h>
#include <math.h>

#include "ir/evaluate.h"

struct precision precision_of(bool double_precision, bool reassociates) {
  /* Functions: codegen/math.c promises 2 units in the last place, which are up to 4 roundings. The C library promises
     1, and it is compared with itself. The interpreter's own roundings are added. */
  if (double_precision) return (struct precision){0x1p-52, 0x1p-1074, DBL_MAX, 8, reassociates};
  return (struct precision){0x1p-24 + 0x1p-52, 0x1p-149, FLT_MAX, 4.2, reassociates};
}

static double gamma_of(const struct precision *precision, double roundings) {
  double product = roundings * precision->unit;
  return product < 0.5 ? product / (1 - product) * (1 + 0x1p-40) : INFINITY;
}

double element_error(const struct precision *precision, const struct value *value, double number, double moved,
                     double size, int terms) {
  /* Integers are exact, even where they wrap around, unless an operand was not exact, so that they may wrap or not. */
  if (value->kind == KIND_INTEGER) return moved == 0 ? 0 : size + moved <= INT32_MAX ? moved : INFINITY;
  /* Beside an infinity, a part of the sum may overflow to an infinity of the other sign. */
  if (isnan(moved) || isinf(moved) || isnan(size) || size > precision->largest) return INFINITY;
  if (!isfinite(number)) return 0;
  double error = moved;
  if (terms) error += gamma_of(precision, terms) * size + terms * precision->least;
  return fabs(number) + error > precision->largest ? INFINITY : error;
}

/* The error of a monotone function: its extremes are at the ends of the interval. The library's roundings are added. */
static double monotone(double (*function)(double), double x, double e) {
  double y = function(x), low = function(x - e), high = function(x + e);
  return fmax(fabs(high - y), fabs(y - low)) + 4 * DBL_EPSILON * fmax(fabs(high), fabs(low));
}

static double reciprocal_root(double x) { return 1 / sqrt(x); }

/* Rounding to a storage moves in jumps. The ends of the interval tell how far; an exact operand does not move. */
static double rounding_error(enum storage storage, double x, double e) {
  if (storage == STORAGE_REAL || storage == STORAGE_F64) return e;
  if (storage == STORAGE_BOOL && fabs(x) <= e && e > 0) return 1;
  double y = scalar_round(storage, x);
  return e > 0 ? fmax(scalar_round(storage, x + e) - y, y - scalar_round(storage, x - e)) : 0;
}

/* Random rounding does not fall where its operand rises, and goes the other way with the number that decides. */
static double random_rounding_error(const struct point *p, double y) {
  double largest = 0;
  for (int i = 0; i < 4 && (p->e[0] > 0 || p->e[1] > 0); i++) {
    double x = i & 1 ? p->x[0] - p->e[0] : p->x[0] + p->e[0], u = i & 2 ? p->x[1] - p->e[1] : p->x[1] + p->e[1];
    largest = fmax(largest, fabs(scalar_apply(OP_round_random, KIND_REAL, x, u, 0) - y));
  }
  return largest;
}

/* How far the result of a comparison may be off: 0 or 1. */
static double comparison_error(const struct point *p) {
  double e = p->e[0] + p->e[1];
  return e == 0 || fabs(p->x[0] - p->x[1]) > e * (1 + 0x1p-40) ? 0 : 1;
}

static double quotient_error(double x, double ex, double y, double ey) {
  return fabs(y) > ey ? (ex + fabs(x / y) * ey) / (fabs(y) - ey) : INFINITY;
}

static double power_error(const struct point *p) {
  double x = p->x[0], y = p->x[1], ex = p->e[0], ey = p->e[1];
  if (ex == 0 && ey == 0) return x == 0 && y < 0 ? INFINITY : 0; /* the sign of a zero is not known */
  if (x - ex <= 0) return INFINITY;
  double number = pow(x, y), error = 0, largest = number;
  for (int i = 0; i < 4; i++) {
    double corner = pow(i & 1 ? x - ex : x + ex, i & 2 ? y - ey : y + ey);
    error = fmax(error, fabs(corner - number));
    largest = fmax(largest, corner);
  }
  return error + 4 * DBL_EPSILON * largest;
}

/* The error where one operand is infinite or NaN; such an operand is exact. */
static double special_error(enum op op, double y, const struct point *p) {
  int other = isfinite(p->x[0]) ? 0 : 1;
  bool both = !isfinite(p->x[0]) && !isfinite(p->x[1]);
  double x = p->x[other], e = p->e[other];
  bool open = !both && fabs(x) <= e && e > 0; /* its sign is not known */
  switch (op) {
    case OP_mul:
      return open ? INFINITY : 0;
    case OP_div:
      return isnan(y) && (isnan(p->x[0]) || isnan(p->x[1]) || both) ? 0 : open || p->x[1] == 0 ? INFINITY : 0;
    case OP_max:
    case OP_min:
      return isfinite(y) ? e : 0;
    case OP_mod:
    case OP_pow:
    case OP_round_random:
      return e > 0 ? INFINITY : 0;
    default:
      return 0;
  }
}

/* How far the result may move when the operands do. *roundings is how often it is rounded after that. */
static double moved_by(const struct value *value, double y, const struct point *p, const struct precision *precision,
                       double *roundings) {
  double x0 = p->x[0], x1 = p->x[1], e0 = p->e[0], e1 = p->e[1], q;
  bool whole = value->kind != KIND_REAL;
  *roundings = whole ? 0 : 1;
  switch (value->op) {
    case OP_neg:
    case OP_abs:
      *roundings = 0;
      return e0;
    case OP_exp:
      *roundings = precision->functions;
      return isfinite(x0) ? monotone(exp, x0, e0) : 0;
    case OP_log:
      *roundings = precision->functions;
      if (e0 > 0 && x0 - e0 <= 0) return x0 + e0 < 0 ? 0 : INFINITY;
      return x0 > 0 && isfinite(x0) ? monotone(log, x0, e0) : 0;
    case OP_sqrt:
      if (e0 > 0 && x0 - e0 < 0) return x0 + e0 < 0 ? 0 : INFINITY;
      return x0 > 0 && isfinite(x0) ? monotone(sqrt, x0, e0) : 0;
    case OP_rsqrt:
      *roundings = precision->functions;
      if (x0 == 0 || (e0 > 0 && x0 - e0 <= 0)) return x0 + e0 < 0 ? 0 : INFINITY;
      return x0 > 0 && isfinite(x0) ? monotone(reciprocal_root, x0, e0) : 0;
    case OP_tanh:
      *roundings = precision->functions;
      return isfinite(x0) ? monotone(tanh, x0, e0) : 0;
    case OP_erf:
      *roundings = precision->functions;
      return isfinite(x0) ? monotone(erf, x0, e0) : 0;
    case OP_sin:
    case OP_cos:
      *roundings = precision->functions;
      return fmin(e0, 2);
    case OP_floor:
      return scalar_saturate(floor(x0 + e0)) - scalar_saturate(floor(x0 - e0));
    case OP_round:
      return scalar_saturate(nearbyint(x0 + e0)) - scalar_saturate(nearbyint(x0 - e0));
    case OP_not:
      return e0;
    case OP_cast:
      *roundings = 0;
      /* A program converts an integer to its real type first, which is exact up to 1 / unit. */
      q = fabs(x0) + e0;
      q = value->inputs[0]->kind == KIND_INTEGER && q > 1 / precision->unit ? q * precision->unit : 0;
      return rounding_error(value->storage, x0, value->storage == STORAGE_BOOL ? e0 : e0 + q);
    case OP_add:
    case OP_sub:
      return e0 + e1;
    case OP_mul:
      return fabs(x0) * e1 + fabs(x1) * e0 + e0 * e1;
    case OP_div:
      return quotient_error(x0, e0, x1, e1);
    case OP_quotient:
      return e0 == 0 && e1 == 0 ? 0 : x1 == 0 ? INFINITY : ceil(quotient_error(x0, e0, x1, e1));
    case OP_mod:
      if (whole) return e0 == 0 && e1 == 0 ? 0 : fabs(x1) + e1 + fabs(y);
      if (e0 == 0 && e1 == 0 && x1 == 0) return INFINITY;
      *roundings = 2; /* that of a sum, and the step to the number below the divisor */
      if (e0 == 0 && e1 == 0) return 0; /* the remainder is exact */
      q = quotient_error(x0, e0, x1, e1) + 4 * DBL_EPSILON * fabs(x0 / x1);
      if (isinf(q) || isnan(q)) return INFINITY;
      if (floor(x0 / x1 + q) != floor(x0 / x1 - q)) return fabs(x1) + e1; /* it may jump from one end to the other */
      return e0 + (fabs(x0 / x1) + 1) * e1;
    case OP_max:
    case OP_min:
      *roundings = 0;
      return fmax(e0, e1);
    case OP_round_random:
      *roundings = 0;
      return random_rounding_error(p, y);
    case OP_pow:
      *roundings = precision->functions;
      return power_error(p);
    case OP_lt:
    case OP_le:
    case OP_eq:
    case OP_ne:
      return comparison_error(p);
    case OP_and:
      return (x0 == 0 && e0 == 0) || (x1 == 0 && e1 == 0) ? 0 : fmax(e0, e1);
    case OP_or:
      return (x0 != 0 && e0 == 0) || (x1 != 0 && e1 == 0) ? 0 : fmax(e0, e1);
    case OP_where: {
      *roundings = 0;
      double x2 = p->x[2], e2 = p->e[2];
      if (e0 == 0) return x0 != 0 ? e1 : e2;
      return x1 == x2 ? fmax(e1, e2) : fabs(x1 - x2) + fmax(e1, e2);
    }
#define OP(name, noun, class, inputs, attributes, price) case OP_##name:
#define ELEMENTWISE(name, noun, class, inputs, takes, gives, properties, price, operations, real, integer, boolean)
#include "ir/ops.def"
    case OP_COUNT:
      break;
  }
  bug("operation %d is not elementwise", (int)value->op);
}

/* How large an integer would be if it did not wrap around. */
static double unwrapped(enum op op, double y, const struct point *p) {
  if (op == OP_mul) return fabs(p->x[0] * p->x[1]);
  return op == OP_add || op == OP_sub ? fabs(p->x[0]) + fabs(p->x[1]) : fabs(y);
}

double elementwise_error(const struct precision *precision, const struct value *value, double y,
                         const struct point *p) {
  bool chooses = value->op == OP_where || value->op == OP_and || value->op == OP_or;
  int finite = 0;
  for (int i = 0; i < value->input_count; i++) {
    if (isinf(p->e[i]) && !chooses) return INFINITY;
    finite += isfinite(p->x[i]);
  }
  double roundings = 0, moved;
  bool compares = op_facts[value->op].class == CLASS_COMPARE;
  if (finite < value->input_count && value->input_count == 2 && !compares)
    moved = special_error(value->op, y, p), roundings = value->op == OP_max || value->op == OP_min ? 0 : 1;
  else if (finite < value->input_count && compares)
    moved = 0;
  else
    moved = moved_by(value, y, p, precision, &roundings);
  if (!(moved < INFINITY)) return INFINITY;
  double rounded = isfinite(y) ? gamma_of(precision, roundings) * (fabs(y) + moved) : 0;
  if (roundings > 0 && value->op != OP_add && value->op != OP_sub) rounded += roundings * precision->least;
  return element_error(precision, value, y, moved + rounded,
                       value->kind == KIND_INTEGER ? unwrapped(value->op, y, p) : fabs(y), 0);
}
