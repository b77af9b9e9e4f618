#include "ir/exactness.h"

#include <math.h>

#include "ir/interpret.h"

enum { ALL_FORMATS = 1 << STORAGE_BF16 | 1 << STORAGE_F16 };

struct exactness exactness_any(enum kind kind) {
  switch (kind) {
    case KIND_REAL:
      return (struct exactness){0, -INFINITY, INFINITY, true};
    case KIND_INTEGER:
      return exactness_between(INT32_MIN, INT32_MAX);
    case KIND_BOOLEAN:
      return exactness_between(0, 1);
  }
  bug("kind %d", (int)kind);
}

struct exactness exactness_none(void) { return (struct exactness){ALL_FORMATS, INFINITY, -INFINITY, false}; }

struct exactness exactness_between(double low, double high) { return (struct exactness){0, low, high, false}; }

static bool is_exact(enum storage storage, double number) {
  return isnan(number) || scalar_round(storage, number) == number;
}

struct exactness exactness_number(enum kind kind, double number) {
  if (kind != KIND_REAL) return exactness_between(number, number);
  struct exactness x = {0, number, number, isnan(number)};
  if (isnan(number)) x.low = INFINITY, x.high = -INFINITY;
  if (is_exact(STORAGE_BF16, number)) x.formats |= 1 << STORAGE_BF16;
  if (is_exact(STORAGE_F16, number)) x.formats |= 1 << STORAGE_F16;
  return x;
}

struct exactness exactness_stored(enum storage storage) {
  const struct storage_facts *facts = &storage_facts[storage];
  if (facts->kind != KIND_REAL) return exactness_between((double)facts->least, (double)facts->most);
  struct exactness x = exactness_any(KIND_REAL);
  x.formats = ALL_FORMATS & 1 << storage;
  return x;
}

struct exactness exactness_either(struct exactness x, struct exactness y) {
  return (struct exactness){x.formats & y.formats, fmin(x.low, y.low), fmax(x.high, y.high),
                            x.may_be_nan || y.may_be_nan};
}

/* Integers wrap around, so a sum that may leave 32 bits may be any. */
static struct exactness whole(double low, double high) {
  return low >= INT32_MIN && high <= INT32_MAX ? exactness_between(low, high) : exactness_any(KIND_INTEGER);
}

static struct exactness cast(enum storage storage, enum kind from, struct exactness x) {
  const struct storage_facts *facts = &storage_facts[storage];
  if (facts->kind == KIND_BOOLEAN) return exactness_between(0, 1);
  if (facts->kind == KIND_INTEGER)
    return exactness_between(fmax((double)facts->least, fmin(x.low, (double)facts->most)),
                             fmin((double)facts->most, fmax(x.high, (double)facts->least)));
  if (from != KIND_REAL) {
    /* All whole numbers to 2^8 are exact in bf16, and all to 2^11 in f16. */
    const double largest = fmax(fabs(x.low), fabs(x.high));
    x.formats = (largest <= 256 ? 1 << STORAGE_BF16 : 0) | (largest <= 2048 ? 1 << STORAGE_F16 : 0);
  }
  if (storage == STORAGE_BF16 || storage == STORAGE_F16) x.formats = 1 << storage;
  x.low = scalar_round(storage, x.low);
  x.high = scalar_round(storage, x.high);
  return x;
}

/* The extremes of a product of two intervals. */
static struct exactness product(struct exactness x, struct exactness y) {
  const double corners[] = {x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high};
  double low = corners[0], high = corners[0];
  for (int i = 1; i < 4; i++) low = fmin(low, corners[i]), high = fmax(high, corners[i]);
  return whole(low, high);
}

/* Of two numbers one of which is NaN, max and min give the second. */
static struct exactness larger(struct exactness x, struct exactness y, bool smaller) {
  struct exactness result = {x.formats & y.formats, smaller ? fmin(x.low, y.low) : fmax(x.low, y.low),
                             smaller ? fmin(x.high, y.high) : fmax(x.high, y.high), y.may_be_nan};
  if (x.may_be_nan) result.low = fmin(result.low, y.low), result.high = fmax(result.high, y.high);
  return result;
}

static struct exactness to_whole(enum op op, struct exactness x) {
  if (x.low > x.high) return exactness_between(INT32_MIN, INT32_MIN); /* NaN alone */
  const double low = scalar_apply(op, KIND_INTEGER, x.low, 0, 0), high = scalar_apply(op, KIND_INTEGER, x.high, 0, 0);
  return exactness_between(x.may_be_nan ? INT32_MIN : low, high);
}

struct exactness exactness_apply(enum op op, enum storage storage, enum kind kind, enum kind from,
                                 const struct exactness *operands) {
  const struct exactness x = operands[0];
  const bool real = kind == KIND_REAL;
  switch ((int)op) {
    case OP_cast:
      return cast(storage, from, x);
    case OP_round_random:
      return exactness_stored(STORAGE_BF16);
    case OP_neg:
      if (real) return (struct exactness){x.formats, -x.high, -x.low, x.may_be_nan};
      return whole(-x.high, -x.low);
    case OP_abs: {
      const double high = fmax(fabs(x.low), fabs(x.high)), low = fmax(0, fmax(x.low, -x.high));
      return real ? (struct exactness){x.formats, low, high, x.may_be_nan} : whole(low, high);
    }
    case OP_max:
    case OP_min:
      return larger(x, operands[1], op == OP_min);
    case OP_where:
      return exactness_either(operands[1], operands[2]);
    case OP_floor:
    case OP_round:
      return to_whole(op, x);
    case OP_add:
      if (!real) return whole(x.low + operands[1].low, x.high + operands[1].high);
      break;
    case OP_sub:
      if (!real) return whole(x.low - operands[1].high, x.high - operands[1].low);
      break;
    case OP_mul:
      if (!real) return product(x, operands[1]);
      break;
    case OP_mod:
      if (!real && operands[1].low > 0) return exactness_between(0, operands[1].high - 1);
      break;
    case OP_quotient:
      if (!real && operands[1].low == operands[1].high && operands[1].low > 0)
        return exactness_between(floor(x.low / operands[1].low), floor(x.high / operands[1].low));
      break;
  }
  return exactness_any(kind);
}

bool exactness_fits(struct exactness x, enum storage storage) {
  const struct storage_facts *facts = &storage_facts[storage];
  if (storage == storage_of_type(type_of_kind(facts->kind))) return true;
  if (facts->kind == KIND_REAL) return x.formats >> storage & 1;
  return x.low >= (double)facts->least && x.high <= (double)facts->most;
}

enum storage exactness_storage(struct exactness x, enum kind kind, int64_t row) {
  enum storage narrowest = storage_of_type(type_of_kind(kind));
  for (int i = 0; i < STORAGE_COUNT; i++) {
    const struct storage_facts *facts = &storage_facts[i];
    if (facts->kind == kind && facts->c && row * facts->bits % 8 == 0 && facts->bits < storage_facts[narrowest].bits &&
        exactness_fits(x, (enum storage)i))
      narrowest = (enum storage)i;
  }
  return narrowest;
}
