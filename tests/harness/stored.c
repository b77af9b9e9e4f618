#include "tests/harness/stored.h"

#include <math.h>

/* A binary float of 16 bits by its definition: sign, exponent, mantissa. */
struct format {
  int mantissa_bits, bias;
};
static const struct format bf16 = {7, 127}, f16 = {10, 15};

static double from_bits(struct format format, unsigned bits) {
  const int exponent = (int)(bits >> format.mantissa_bits & ((1u << (15 - format.mantissa_bits)) - 1));
  const int largest = (1 << (15 - format.mantissa_bits)) - 1;
  const double mantissa = (double)(bits & ((1u << format.mantissa_bits) - 1)), sign = bits & 0x8000 ? -1 : 1;
  if (exponent == largest) return mantissa != 0 ? NAN : sign * INFINITY;
  if (!exponent) return sign * ldexp(mantissa, 1 - format.bias - format.mantissa_bits);
  return sign * ldexp(mantissa + ldexp(1, format.mantissa_bits), exponent - format.bias - format.mantissa_bits);
}

/* Of a number that the format holds. */
static unsigned to_bits(struct format format, double number) {
  const unsigned sign = signbit(number) ? 0x8000 : 0, largest = (1u << (15 - format.mantissa_bits)) - 1;
  if (isnan(number)) return largest << format.mantissa_bits | 1u << (format.mantissa_bits - 1);
  if (isinf(number)) return sign | largest << format.mantissa_bits;
  int exponent;
  frexp(number, &exponent);
  exponent += format.bias - 1;
  if (number == 0 || exponent < 1) return sign | (unsigned)ldexp(fabs(number), format.bias + format.mantissa_bits - 1);
  const double mantissa = ldexp(fabs(number), format.bias + format.mantissa_bits - exponent);
  return sign | (unsigned)exponent << format.mantissa_bits | ((unsigned)mantissa & ((1u << format.mantissa_bits) - 1));
}

size_t stored_bytes(enum storage storage, bool double_precision, int64_t count) {
  const int bits = storage == STORAGE_REAL && double_precision ? 64 : storage_facts[storage].bits;
  return ((size_t)count * (size_t)bits + 7) / 8;
}

void stored_put(void *memory, enum storage storage, bool double_precision, int64_t i, double number) {
  unsigned char *byte = (unsigned char *)memory + i / 2;
  switch (storage) {
    case STORAGE_REAL:
      if (double_precision)
        ((double *)memory)[i] = number;
      else
        ((float *)memory)[i] = (float)number;
      return;
    case STORAGE_F64:
    case STORAGE_F32:
    case STORAGE_COUNT:
      break;
    case STORAGE_BF16:
    case STORAGE_F16:
      ((uint16_t *)memory)[i] = (uint16_t)to_bits(storage == STORAGE_BF16 ? bf16 : f16, number);
      return;
    case STORAGE_I32:
      ((int32_t *)memory)[i] = (int32_t)number;
      return;
    case STORAGE_I8:
    case STORAGE_U8:
    case STORAGE_BOOL:
      ((uint8_t *)memory)[i] = (uint8_t)(int)number;
      return;
    case STORAGE_I4:
    case STORAGE_U4:
      *byte = (unsigned char)(i % 2 ? (*byte & 15) | ((int)number & 15) << 4 : (*byte & 240) | ((int)number & 15));
      return;
  }
  bug("no memory holds %s", storage_names[storage]);
}

double stored_get(const void *memory, enum storage storage, bool double_precision, int64_t i) {
  const int nibble = ((const unsigned char *)memory)[storage_facts[storage].bits == 4 ? i / 2 : 0] >> (i % 2 * 4) & 15;
  switch (storage) {
    case STORAGE_REAL:
      return double_precision ? ((const double *)memory)[i] : (double)((const float *)memory)[i];
    case STORAGE_F64:
    case STORAGE_F32:
    case STORAGE_COUNT:
      break;
    case STORAGE_BF16:
    case STORAGE_F16:
      return from_bits(storage == STORAGE_BF16 ? bf16 : f16, ((const uint16_t *)memory)[i]);
    case STORAGE_I32:
      return ((const int32_t *)memory)[i];
    case STORAGE_I8:
      return ((const int8_t *)memory)[i];
    case STORAGE_U8:
    case STORAGE_BOOL:
      return ((const uint8_t *)memory)[i];
    case STORAGE_I4:
      return nibble < 8 ? nibble : nibble - 16;
    case STORAGE_U4:
      return nibble;
  }
  bug("no memory holds %s", storage_names[storage]);
}

const char *stored_type(enum storage storage, bool double_precision) {
  static const char *const types[] = {[KIND_REAL] = "float", [KIND_INTEGER] = "int32_t", [KIND_BOOLEAN] = "uint8_t"};
  if (storage == STORAGE_REAL && double_precision) return "double";
  return storage_facts[storage].c ? storage_facts[storage].c : types[storage_facts[storage].kind];
}
