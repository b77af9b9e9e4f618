/* Expressions as C: those without lanes, and those of one lane while lanes are taken one by one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/c_writer.h"

const char *c_type(const struct target *target, enum type type) {
  switch (type) {
    case TYPE_REAL: return target->double_precision ? "double" : "float";
    case TYPE_INTEGER: return "int32_t";
    case TYPE_BOOLEAN: return "uint8_t";
    case TYPE_INDEX: return "int64_t";
  }
  bug("no such type");
}

static const char *real_number(struct arena *arena, const struct target *target, double number) {
  if (isnan(number)) return "NAN";
  bool is_float = !target->double_precision;
  if (is_float) number = (float)number;
  if (isinf(number)) return number > 0 ? "INFINITY" : "-INFINITY";
  const char *text = NULL;
  /* The fewest digits that read back to the same number. */
  for (int digits = is_float ? 6 : 15; digits <= 17; digits++) {
    text = arena_format(arena, "%.*g", digits, number);
    if ((is_float ? (double)strtof(text, NULL) : strtod(text, NULL)) == number) break;
  }
  const char *point = strpbrk(text, ".e") ? "" : ".0";
  return arena_format(arena, "%s%s%s", text, point, is_float ? "f" : "");
}

const char *c_number(struct arena *arena, const struct target *target, enum type type, double number) {
  switch (type) {
    case TYPE_REAL: return real_number(arena, target, number);
    case TYPE_INTEGER:
      if (number == -2147483648.0) return "INT32_MIN";
      return arena_format(arena, "%lld", (long long)number);
    case TYPE_INDEX: return arena_format(arena, "%lld", (long long)number);
    case TYPE_BOOLEAN: return number != 0 ? "1" : "0";
  }
  bug("no such type");
}

bool is_literal(const struct expression *expression, int64_t *number) {
  if (expression->kind != EXPRESSION_NUMBER) return false;
  *number = (int64_t)expression->number;
  return true;
}

static struct piece number_piece(struct writer *writer, const struct expression *x) {
  const char *text = c_number(writer->arena, writer->target, x->type, x->number);
  return (struct piece){text, text[0] == '-' ? BINDS_UNARY : BINDS_NAME};
}

static struct piece fill(struct writer *writer, enum operation operation, const struct piece *arguments) {
  return piece_fill(writer->arena, writer->simd->scalar[operation], arguments);
}

static struct piece variable_piece(struct writer *writer, const struct expression *x) {
  struct binding *binding = writer_find(writer, x->variable);
  switch (binding->kind) {
    case BINDING_NAME:
      return piece_name(binding->name);
    case BINDING_VALUE:
      return scalar_piece(writer, binding->expression);
    case BINDING_LANE:
      if (!writer->lane_name) bug("%s: the lane %s outside of lanes", writer->function->name, x->variable->name);
      return piece_name(writer->lane_name);
    case BINDING_VECTOR: {
      if (!writer->lane_name) bug("%s: the vector %s outside of lanes", writer->function->name, x->variable->name);
      if (!binding->lanes) {
        const char *lanes = vector_spill(writer, binding->name, x->type, binding->name);
        writer_find(writer, x->variable)->lanes = lanes;
        binding = writer_find(writer, x->variable);
      }
      return piece_name(arena_format(writer->arena, "%s[%s]", binding->lanes, writer->lane_name));
    }
  }
  bug("no such binding");
}

static struct piece load_piece(struct writer *writer, const struct expression *x) {
  struct array_binding *array = writer_find_array(writer, x->array);
  if (array->vectors) {
    /* One lane of a register: through memory. */
    const struct expression *base = writer_resolve(
        writer, expression_apply(writer->arena, OP_sub, x->arguments[0], expression_variable(writer->arena, writer->lane), NULL));
    const char *vector = vector_element(writer, array, base);
    const char *lanes = vector_spill(writer, array->name, x->type, vector);
    return piece_name(arena_format(writer->arena, "%s[%s]", lanes, writer->lane_name));
  }
  if (array->single) return piece_name(array->name);
  return piece_name(arena_format(writer->arena, "%s[%s]", array->name, scalar_text(writer, x->arguments[0])));
}

struct piece pointer_piece(struct writer *writer, const struct array *array, const struct expression *index) {
  const char *name = writer_find_array(writer, array)->name;
  int64_t number;
  if (is_literal(index, &number) && number == 0) return piece_name(name);
  /* A sum is added term by term: x + (a + b) is x + a + b. */
  struct piece offset = scalar_piece(writer, index);
  return (struct piece){arena_format(writer->arena, "%s + %s", name, piece_text(writer->arena, offset, BINDS_SUM)), BINDS_SUM};
}

/* Whether an integer expression cannot be negative, so that C's division is the floor. */
static bool is_natural(struct writer *writer, const struct expression *x) {
  int64_t low, high;
  if (x->type == TYPE_INDEX && expression_range(x, &low, &high)) return low >= 0;
  switch (x->kind) {
    case EXPRESSION_NUMBER: return x->number >= 0;
    case EXPRESSION_VARIABLE: {
      if (x->variable->bound > 0) return true;
      struct binding *binding = writer_find(writer, x->variable);
      if (binding->kind == BINDING_VALUE) return is_natural(writer, binding->expression);
      /* Sizes and offsets, the index parameters that functions have, are not negative. */
      for (int i = 0; i < writer->function->parameters.count; i++)
        if (writer->function->parameters.items[i].variable == x->variable) return x->type == TYPE_INDEX;
      return false;
    }
    case EXPRESSION_APPLY:
      /* A sum or product of integers may wrap around. */
      if (x->type == TYPE_INTEGER && (x->op == OP_add || x->op == OP_mul)) return false;
      switch ((int)x->op) {
        case OP_add: case OP_mul: case OP_min: case OP_quotient:
          return is_natural(writer, x->arguments[0]) && is_natural(writer, x->arguments[1]);
        case OP_mod: return is_natural(writer, x->arguments[1]);
        case OP_max: return is_natural(writer, x->arguments[0]) || is_natural(writer, x->arguments[1]);
      }
      return false;
    case EXPRESSION_LOAD:
    case EXPRESSION_FMA:
    case EXPRESSION_CONVERT:
    case EXPRESSION_FOLD:
    case EXPRESSION_DRAW:
      return false;
  }
  return false;
}

static struct piece cast_piece(struct writer *writer, const struct expression *x) {
  struct piece argument = scalar_piece(writer, x->arguments[0]);
  bool reals = x->arguments[0]->type == TYPE_REAL;
  if (!reals) bug("%s: a cast of type %s", writer->function->name, type_names[x->arguments[0]->type]);
  switch (x->storage) {
    case STORAGE_REAL:
    case STORAGE_F64:
      return argument;
    case STORAGE_F32:
      if (!writer->target->double_precision) return argument;
      return piece_fill(writer->arena, "(double)(float)$0", &argument);
    case STORAGE_BF16:
      return fill(writer, OPERATION_real_bf16, &argument);
    case STORAGE_F16:
      return fill(writer, OPERATION_real_f16, &argument);
    case STORAGE_I32:
      return piece_fill(writer->arena, "lam_round_within($0, -2147483648.0, 2147483647.0)", &argument);
    case STORAGE_I8:
      return piece_fill(writer->arena, "lam_round_within($0, -128.0, 127.0)", &argument);
    case STORAGE_BOOL: {
      struct piece truth = piece_fill(writer->arena, "($0 != 0)", &argument);
      return fill(writer, OPERATION_mask_to_real, &truth);
    }
  }
  bug("no such storage");
}

/* The number that a term of an index is multiplied by; more than any for a product whose factors are both variable. */
static int64_t term_factor(const struct expression *x) {
  int64_t factor;
  if (x->kind == EXPRESSION_NUMBER) return 0;
  if (x->kind != EXPRESSION_APPLY || x->op != OP_mul) return 1;
  return is_literal(x->arguments[1], &factor) || is_literal(x->arguments[0], &factor) ? factor : INT64_MAX;
}

/* A sum of index terms: the largest strides first, as a person writes them, and the number last. */
static struct piece sum_piece(struct writer *writer, const struct expression *x) {
  enum { MOST = 16 };
  const struct expression *terms[MOST];
  int count = 0;
  for (; x->kind == EXPRESSION_APPLY && x->op == OP_add && count < MOST - 1; x = x->arguments[0]) terms[count++] = x->arguments[1];
  terms[count++] = x;
  const char *text = NULL;
  for (; count > 0; count--) {
    int best = count - 1; /* of equal strides the first of the sum, which is the last here */
    for (int i = count - 2; i >= 0; i--)
      if (term_factor(terms[i]) > term_factor(terms[best])) best = i;
    const char *term = piece_text(writer->arena, scalar_piece(writer, terms[best]), text ? BINDS_PRODUCT : BINDS_SUM);
    text = text ? arena_format(writer->arena, "%s + %s", text, term) : term;
    for (int i = best; i < count - 1; i++) terms[i] = terms[i + 1];
  }
  return (struct piece){text, BINDS_SUM};
}

/* Integers wrap around, which C leaves undefined but for unsigned ones; NULL for an operation that stays inside. */
static const char *wrapping_text(enum op op) {
  switch ((int)op) {
    case OP_neg: return "(int32_t)(0 - (uint32_t)$0)";
    case OP_abs: return "(int32_t)lam_abs_int($0)";
    case OP_add: return "(int32_t)((uint32_t)$0 + (uint32_t)$1)";
    case OP_sub: return "(int32_t)((uint32_t)$0 - (uint32_t)$1)";
    case OP_mul: return "(int32_t)((uint32_t)$0 * (uint32_t)$1)";
    case OP_quotient: return "(int32_t)lam_quotient($0, $1)";
    case OP_mod: return "(int32_t)lam_mod($0, $1)";
  }
  return NULL;
}

static struct piece apply_piece(struct writer *writer, const struct expression *x) {
  if (x->op == OP_add && x->type == TYPE_INDEX) return sum_piece(writer, x);
  if (x->op == OP_cast) return cast_piece(writer, x);
  /* Compilers warn of k == k; of reals it is a question worth asking. */
  if (op_facts[x->op].class == CLASS_COMPARE && x->arguments[0]->type != TYPE_REAL && expression_equal(x->arguments[0], x->arguments[1]))
    return piece_name(x->op == OP_le || x->op == OP_eq ? "1" : "0");
  struct piece arguments[3];
  for (int i = 0; i < x->argument_count; i++) arguments[i] = scalar_piece(writer, x->arguments[i]);
  enum type type = x->arguments[x->op == OP_where ? 1 : 0]->type;
  enum operation operation = operation_of(x->op, type);
  if (operation == OPERATION_COUNT)
    bug("%s: no C for %s of type %s", writer->function->name, op_facts[x->op].name, type_names[type]);
  bool division = operation == OPERATION_int_quotient || operation == OPERATION_int_mod;
  int64_t divisor;
  if (division && type == TYPE_INTEGER) division = is_literal(x->arguments[1], &divisor) && divisor > 0;
  if (division && is_natural(writer, x->arguments[0]) && is_natural(writer, x->arguments[1]))
    return piece_fill(writer->arena, operation == OPERATION_int_mod ? "$0 % $1" : "$0 / $1", arguments);
  if (type == TYPE_INTEGER && wrapping_text(x->op)) return piece_fill(writer->arena, wrapping_text(x->op), arguments);
  return fill(writer, operation, arguments);
}

static struct piece convert_piece(struct writer *writer, const struct expression *x) {
  struct piece argument = scalar_piece(writer, x->arguments[0]);
  enum type from = x->arguments[0]->type;
  if (from == x->type) return argument;
  switch (x->type) {
    case TYPE_REAL: return fill(writer, OPERATION_int_to_real, &argument);
    case TYPE_INTEGER:
      return from == TYPE_BOOLEAN ? argument : piece_fill(writer->arena, "(int32_t)$0", &argument);
    case TYPE_INDEX: return piece_fill(writer->arena, "(int64_t)$0", &argument);
    case TYPE_BOOLEAN: return piece_fill(writer->arena, "$0 != 0", &argument);
  }
  bug("no such type");
}

static struct piece fold_piece(struct writer *writer, const struct expression *x) {
  struct array_binding *array = writer_find_array(writer, x->array);
  const struct expression *start = writer_resolve(writer, x->arguments[0]);
  bool sum = x->op == OP_add;
  if (!sum && x->op != OP_max) bug("%s: a fold by %s", writer->function->name, op_facts[x->op].name);
  if (array->vectors) {
    struct piece argument = piece_name(vector_element(writer, array, start));
    return piece_fill(writer->arena, writer->simd->vector[sum ? OPERATION_fold_add : OPERATION_fold_max], &argument);
  }
  if (x->type != TYPE_REAL) bug("%s: a fold of type %s", writer->function->name, type_names[x->type]);
  struct piece pointer = pointer_piece(writer, x->array, start);
  return piece_name(arena_format(writer->arena, "lam_fold_%s_array(%s, %d)", sum ? "add" : "max", pointer.text, x->lanes));
}

/* Each is a counter of 32 bits: what is wider is cut off, as the generator's definition says. */
void draw_counters(struct writer *writer, const struct expression *draw, const char *texts[4]) {
  for (int i = 0; i < 4; i++) {
    const struct expression *x = draw->arguments[i];
    struct piece argument = scalar_piece(writer, x);
    int64_t number;
    if (x->type == TYPE_REAL) bug("%s: a real counter", writer->function->name);
    if (is_literal(x, &number)) texts[i] = arena_format(writer->arena, "%lluu", (unsigned long long)(uint32_t)number);
    else texts[i] = x->type == TYPE_INDEX ? piece_fill(writer->arena, "(uint32_t)$0", &argument).text : argument.text;
  }
}

static struct piece draw_piece(struct writer *writer, const struct expression *x) {
  const char *texts[4];
  draw_counters(writer, x, texts);
  const char *name = x->distribution == DISTRIBUTION_NORMAL ? "normal" : "uniform";
  return piece_name(arena_format(writer->arena, "lam_draw_%s(%s, %s, %s, %s, %s)", name, texts[0], texts[1], texts[2], texts[3],
                                 scalar_text(writer, x->arguments[4])));
}

struct piece scalar_piece(struct writer *writer, const struct expression *x) {
  switch (x->kind) {
    case EXPRESSION_NUMBER: return number_piece(writer, x);
    case EXPRESSION_VARIABLE: return variable_piece(writer, x);
    case EXPRESSION_LOAD: return load_piece(writer, x);
    case EXPRESSION_APPLY: return apply_piece(writer, x);
    case EXPRESSION_FMA: {
      struct piece arguments[3];
      for (int i = 0; i < 3; i++) arguments[i] = scalar_piece(writer, x->arguments[i]);
      return fill(writer, OPERATION_real_fma, arguments);
    }
    case EXPRESSION_CONVERT: return convert_piece(writer, x);
    case EXPRESSION_FOLD: return fold_piece(writer, x);
    case EXPRESSION_DRAW: return draw_piece(writer, x);
  }
  bug("no such expression");
}

const char *scalar_text(struct writer *writer, const struct expression *expression) {
  return scalar_piece(writer, expression).text;
}
