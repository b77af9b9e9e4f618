/* The types of the loop IR: what they are of kinds, what operations make of them, and in which storages they lie in memory. */
#include "ir/loop.h"
#include "ir/target.h"

enum type type_of_kind(enum kind kind) {
  switch (kind) {
    case KIND_REAL:
      return TYPE_REAL;
    case KIND_INTEGER:
      return TYPE_INTEGER;
    case KIND_BOOLEAN:
      return TYPE_BOOLEAN;
  }
  bug("kind %d", (int)kind);
}

enum storage storage_of_type(enum type type) {
  static const enum storage usual[] = {STORAGE_REAL, STORAGE_I32, STORAGE_BOOL};
  if (type == TYPE_INDEX) bug("memory holds no values of type index");
  return usual[type];
}

static int64_t bits_of(const struct target *target, enum storage storage) {
  return storage == STORAGE_REAL && target->double_precision ? 64 : storage_facts[storage].bits;
}

int64_t storage_bytes(const struct target *target, enum storage storage, int64_t count) {
  return (count * bits_of(target, storage) + 7) / 8;
}

int64_t storage_elements(const struct target *target, enum storage storage, int64_t bytes) {
  return bytes * 8 / bits_of(target, storage);
}

bool storage_holds(enum storage storage, enum storage stored) {
  const struct storage_facts *outer = &storage_facts[storage], *inner = &storage_facts[stored];
  if (storage == stored) return true;
  if (outer->kind != inner->kind) return false;
  if (outer->kind == KIND_INTEGER) return outer->least <= inner->least && inner->most <= outer->most;
  return outer->kind == KIND_REAL && storage == STORAGE_REAL && inner->bits < 32;
}

bool apply_type(enum op op, const enum type *arguments, enum type *type) {
  if (!op_is_elementwise(op)) return false;
  const struct op_facts *facts = &op_facts[op];
  const int first = facts->class == CLASS_TERNARY ? 1 : 0;
  const enum type x = arguments[first];
  *type = facts->gives == RESULT_INTEGER ? TYPE_INTEGER : facts->gives == RESULT_BOOLEAN ? TYPE_BOOLEAN : x;
  if (first && arguments[0] != TYPE_BOOLEAN) return false;
  for (int i = first + 1; i < facts->inputs; i++)
    if (arguments[i] != x) return false;
  if (facts->gives == RESULT_STORAGE) return x == TYPE_REAL; /* other casts are EXPRESSION_CONVERT */
  switch (facts->takes) {
    case OPERANDS_ANY:
    case OPERANDS_ORDERED:
      return true;
    case OPERANDS_NUMBERS:
      return x != TYPE_BOOLEAN;
    case OPERANDS_REALS:
      return x == TYPE_REAL;
    case OPERANDS_INTEGERS:
      return x == TYPE_INTEGER || x == TYPE_INDEX;
    case OPERANDS_BOOLEANS:
      return x == TYPE_BOOLEAN;
  }
  return false;
}
