#include <math.h>

#include "ir/interpret.h"

/* The remainder is exact, however large the quotient, and lies between 0 and y, without y. Where adding y would round
   to y itself, the result is the next number towards 0. */
static double modulo(double x, double y) {
  double rest = fmod(x, y);
  if (rest == 0) return 0;
  if ((rest < 0) == (y < 0)) return rest;
  rest += y;
  return rest == y && isfinite(y) ? nextafter(y, 0) : rest;
}

double scalar_wrap(double x) { return (double)(int32_t)(uint32_t)(int64_t)x; }

double scalar_saturate(double x) {
  if (isnan(x) || x <= INT32_MIN) return INT32_MIN;
  return x >= INT32_MAX ? INT32_MAX : x;
}

/* 32-bit operations in two's complement. False for an operation whose result cannot leave 32 bits. */
static bool apply_to_integers(enum op op, double left, double right, double *result) {
  const uint32_t x = (uint32_t)(int64_t)left, y = (uint32_t)(int64_t)right;
  switch ((int)op) {
    case OP_neg:
      return *result = (double)(int32_t)(0 - x), true;
    case OP_abs:
      return *result = left < 0 ? (double)(int32_t)(0 - x) : left, true;
    case OP_add:
      return *result = (double)(int32_t)(x + y), true;
    case OP_sub:
      return *result = (double)(int32_t)(x - y), true;
    case OP_mul:
      return *result = (double)(int32_t)(x * y), true;
    case OP_quotient:
      return *result = right == 0 ? 0 : scalar_wrap(floor(left / right)), true;
    case OP_mod: /* exact: operands have 32 bits, so rounding the quotient does not change its floor */
      return *result = right == 0 ? 0 : left - right * floor(left / right), true;
    case OP_floor:
      return *result = scalar_saturate(floor(left)), true;
    case OP_round:
      return *result = scalar_saturate(nearbyint(left)), true;
  }
  return false;
}

/* Rounds to bf16, up or down in magnitude by a number u that is uniform in [0, 1): then the expectation is x. */
static double round_random(double x, double u) {
  static const double largest = 0x1.fep127;
  if (!isfinite(x) || x == 0) return x;
  int exponent;
  frexp(x, &exponent);
  const double unit = ldexp(1, exponent - 8 > -133 ? exponent - 8 : -133), steps = fabs(x) / unit, whole = floor(steps);
  const bool rises = u < steps - whole && whole < steps;
  return copysign(fmin((rises ? whole + 1 : whole) * unit, largest), x);
}

double scalar_apply(enum op op, enum kind kind, double x, double y, double z) {
  double whole;
  if (kind == KIND_INTEGER && apply_to_integers(op, x, y, &whole)) return whole;
  switch (op) {
    case OP_neg:
      return -x;
    case OP_abs:
      return fabs(x);
    case OP_exp:
      return exp(x);
    case OP_log:
      return log(x);
    case OP_sqrt:
      return sqrt(x);
    case OP_rsqrt:
      return 1 / sqrt(x);
    case OP_tanh:
      return tanh(x);
    case OP_erf:
      return erf(x);
    case OP_sin:
      return sin(x);
    case OP_cos:
      return cos(x);
    case OP_floor:
      return floor(x);
    case OP_round:
      return nearbyint(x);
    case OP_not:
      return x == 0;
    case OP_cast:
      return x; /* the caller rounds */
    case OP_add:
      return x + y;
    case OP_sub:
      return x - y;
    case OP_mul:
      return x * y;
    case OP_div:
      return x / y;
    case OP_quotient:
      return floor(x / y);
    case OP_mod:
      return modulo(x, y);
    /* As the vector instructions do: the second operand where the two do not compare. */
    case OP_max:
      return x > y ? x : y;
    case OP_min:
      return x < y ? x : y;
    case OP_round_random:
      return round_random(x, y);
    case OP_pow:
      return pow(x, y);
    case OP_lt:
      return x < y;
    case OP_le:
      return x <= y;
    case OP_eq:
      return x == y;
    case OP_ne:
      return x != y;
    case OP_and:
      return x != 0 && y != 0;
    case OP_or:
      return x != 0 || y != 0;
    case OP_where:
      return x != 0 ? y : z;
#define OP(name, noun, class, inputs, attributes, price) case OP_##name:
#define ELEMENTWISE(name, noun, class, inputs, takes, gives, properties, price, operations, real, integer, boolean)
#include "ir/ops.def"
    case OP_COUNT:
      break;
  }
  bug("operation %d is not elementwise", (int)op);
}

/* To `digits` significant bits, no finer than 2^lowest, half to even; beyond `largest` infinite. One rounding, straight from
   double. */
static double round_binary(double x, int digits, int lowest, double largest) {
  if (!isfinite(x) || x == 0) return x;
  int exponent;
  frexp(x, &exponent);
  int unit = exponent - digits;
  if (unit < lowest) unit = lowest;
  double rounded = ldexp(nearbyint(ldexp(x, -unit)), unit);
  return fabs(rounded) > largest ? copysign(INFINITY, x) : rounded;
}

static double round_integer(double x, double low, double high) {
  if (isnan(x)) return 0;
  x = nearbyint(x);
  return x < low ? low : x > high ? high : x;
}

double scalar_round(enum storage storage, double x) {
  switch (storage) {
    case STORAGE_REAL:
    case STORAGE_F64:
      return x;
    case STORAGE_F32:
      return round_binary(x, 24, -149, 0x1.fffffep127);
    case STORAGE_BF16:
      return round_binary(x, 8, -133, 0x1.fep127);
    case STORAGE_F16:
      return round_binary(x, 11, -24, 65504);
    case STORAGE_I32:
    case STORAGE_I8:
    case STORAGE_U8:
    case STORAGE_I4:
    case STORAGE_U4:
      return round_integer(x, (double)storage_facts[storage].least, (double)storage_facts[storage].most);
    case STORAGE_BOOL:
      return x != 0;
    case STORAGE_COUNT:
      break;
  }
  bug("storage %d", (int)storage);
}
