/* Prints expressions as C: those without lanes, and those of one lane where lanes are taken one by one. */
#include <math.h>
#include <stdlib.h>

#include "codegen/c_fold.h"
#include "codegen/c_writer.h"

const char *c_type(const struct c_printer *printer, enum type type) {
  bool is_wide = type == TYPE_REAL && printer->target->double_precision;
  return is_wide ? printer->dialect->wide_real : printer->dialect->types[type];
}

const char *c_element_type(const struct c_printer *printer, enum storage storage) {
  const char *narrow = storage_facts[storage].c;
  return narrow ? narrow : c_type(printer, type_of_kind(storage_kind(storage)));
}

/* A finite number, with the fewest digits that read back to the same number. */
static const char *finite_text(struct arena *arena, bool is_float, double number) {
  const char *text = "";
  int digits = is_float ? 6 : 15;
  for (; digits <= 17; digits++) {
    text = arena_format(arena, "%.*g", digits, number);
    if ((is_float ? (double)strtof(text, NULL) : strtod(text, NULL)) == number) break;
  }
  /* A whole number that needs no exponent gets a point. */
  bool is_whole = floor(number) == number && fabs(number) < pow(10, digits);
  return arena_format(arena, "%s%s%s", text, is_whole ? ".0" : "", is_float ? "f" : "");
}

static struct piece real_piece(struct c_printer *printer, double number) {
  bool is_float = !printer->target->double_precision;
  if (is_float) number = (float)number;
  if (!isfinite(number)) uses_add(printer->arena, &printer->uses, isnan(number) ? "NAN" : "INFINITY");
  /* The macros are floats. */
  if (!isfinite(number) && !is_float)
    return (struct piece){isnan(number) ? "(double)NAN"
                          : number > 0  ? "(double)INFINITY"
                                        : "(double)-INFINITY",
                          BINDS_UNARY, false};
  if (isnan(number)) return piece_name("NAN");
  const char *text =
      isinf(number) ? (number > 0 ? "INFINITY" : "-INFINITY") : finite_text(printer->arena, is_float, number);
  return (struct piece){text, signbit(number) ? BINDS_UNARY : BINDS_NAME, signbit(number)};
}

struct piece c_number(struct c_printer *printer, enum type type, double number) {
  switch (type) {
    case TYPE_REAL:
      return real_piece(printer, number);
    case TYPE_INTEGER:
      if (number == -2147483648.0) return piece_name("INT32_MIN");
      break;
    case TYPE_INDEX:
      break;
    case TYPE_BOOLEAN:
      return piece_name(number != 0 ? "1" : "0");
  }
  long long whole = (long long)number;
  return (struct piece){arena_format(printer->arena, "%lld", whole), whole < 0 ? BINDS_UNARY : BINDS_NAME, whole < 0};
}

bool is_literal(const struct expression *expression, int64_t *number) {
  if (expression->kind != EXPRESSION_NUMBER) return false;
  *number = (int64_t)expression->number;
  return true;
}

static struct piece fill(struct writer *writer, enum operation operation, const struct piece *arguments) {
  return writer_fill(writer, writer->simd->scalar[operation], arguments);
}

static struct piece variable_piece(struct writer *writer, const struct expression *x) {
  struct binding *binding = writer_find(writer, x->variable);
  switch (binding->kind) {
    case BINDING_NAME:
      return piece_name(writer_mention(writer, binding->name));
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

static const struct access accesses[STORAGE_COUNT] = {
    [STORAGE_REAL] = {true, OPERATION_COUNT, OPERATION_COUNT, OPERATION_real_load, OPERATION_real_load_masked,
                      OPERATION_real_store, OPERATION_real_store_masked},
    [STORAGE_I32] = {true, OPERATION_COUNT, OPERATION_COUNT, OPERATION_int_load, OPERATION_int_load_masked,
                     OPERATION_int_store, OPERATION_int_store_masked},
    [STORAGE_BOOL] = {true, OPERATION_COUNT, OPERATION_COUNT, OPERATION_mask_load, OPERATION_mask_load_masked,
                      OPERATION_mask_store, OPERATION_mask_store_masked},
#define NARROW(name)               \
  {false,                          \
   OPERATION_##name##_element,     \
   OPERATION_##name##_set,         \
   OPERATION_##name##_load,        \
   OPERATION_##name##_load_masked, \
   OPERATION_##name##_store,       \
   OPERATION_##name##_store_masked}
    [STORAGE_BF16] = NARROW(bf16),
    [STORAGE_F16] = NARROW(f16),
    [STORAGE_I8] = NARROW(i8),
    [STORAGE_U8] = NARROW(u8),
    [STORAGE_I4] = NARROW(i4),
    [STORAGE_U4] = NARROW(u4),
#undef NARROW
};

const struct access *access_of(enum storage storage) { return &accesses[storage]; }

static struct piece load_piece(struct writer *writer, const struct expression *x) {
  struct array_binding *array = writer_find_array(writer, x->array);
  if (array->vectors) {
    /* One lane of a register is read through memory. */
    const struct expression *base =
        writer_resolve(writer, expression_apply(writer->arena, OP_sub, x->arguments[0],
                                                expression_variable(writer->arena, writer->lane), NULL));
    const char *vector = vector_element(writer, array, base);
    const char *lanes = vector_spill(writer, array->name, x->type, vector);
    return piece_name(arena_format(writer->arena, "%s[%s]", lanes, writer->lane_name));
  }
  const char *name = writer_mention(writer, array->name);
  if (array->single) return piece_name(name);
  const struct piece arguments[] = {piece_name(name), scalar_piece(writer, x->arguments[0])};
  if (access_of(x->array->storage)->is_usual)
    return piece_name(arena_format(writer->arena, "%s[%s]", name, arguments[1].text));
  return fill(writer, access_of(x->array->storage)->element, arguments);
}

/* Elements of less than a byte share bytes, so a pointer leads to an element that begins one. */
static const struct expression *bytes_before(struct writer *writer, const struct array *array,
                                             const struct expression *index) {
  const int shared = 8 / storage_facts[array->storage].bits;
  const struct expression *bytes;
  if (shared <= 1) return index;
  if (!expression_divides(writer->arena, index, shared, &bytes))
    bug("%s: a pointer into the middle of a byte of %s", writer->function->name, array->name);
  return bytes;
}

struct piece pointer_piece(struct writer *writer, const struct array *array, const struct expression *index) {
  const char *name = writer_array(writer, array);
  int64_t number;
  index = bytes_before(writer, array, index);
  if (is_literal(index, &number) && number == 0) return piece_name(name);
  /* A sum is added term by term: x + (a + b) is x + a + b. */
  struct piece offset = scalar_piece(writer, index);
  return (struct piece){
      .text = arena_format(writer->arena, "%s + %s", name, piece_text(writer->arena, offset, BINDS_SUM)),
      .binding = BINDS_SUM};
}

/* Whether an integer expression is certainly not negative, so that C's division is the floor. */
static bool is_natural(struct writer *writer, const struct expression *x) {
  int64_t low, high;
  if (x->type == TYPE_INDEX && expression_range(x, &low, &high)) return low >= 0;
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      return x->number >= 0;
    case EXPRESSION_VARIABLE: {
      if (x->variable->bound > 0) return true;
      struct binding *binding = writer_find(writer, x->variable);
      if (binding->kind == BINDING_VALUE) return is_natural(writer, binding->expression);
      /* Index parameters of functions are sizes and offsets, which are not negative. */
      for (int i = 0; i < writer->function->parameters.count; i++)
        if (writer->function->parameters.items[i].variable == x->variable) return x->type == TYPE_INDEX;
      return false;
    }
    case EXPRESSION_APPLY:
      /* A sum or product of integers may wrap around. */
      if (x->type == TYPE_INTEGER && (x->op == OP_add || x->op == OP_mul)) return false;
      switch ((int)x->op) {
        case OP_add:
        case OP_mul:
        case OP_min:
        case OP_quotient:
          return is_natural(writer, x->arguments[0]) && is_natural(writer, x->arguments[1]);
        case OP_mod:
          return is_natural(writer, x->arguments[1]);
        case OP_max:
          return is_natural(writer, x->arguments[0]) || is_natural(writer, x->arguments[1]);
      }
      return false;
    case EXPRESSION_LOAD:
    case EXPRESSION_FMA:
    case EXPRESSION_DOT:
    case EXPRESSION_QUANTILE:
    case EXPRESSION_CONVERT:
    case EXPRESSION_FOLD:
    case EXPRESSION_DRAW:
      return false;
  }
  return false;
}

bool is_idle_cast(const struct writer *writer, const struct expression *x) {
  if (x->kind != EXPRESSION_APPLY || x->op != OP_cast || x->arguments[0]->type != TYPE_REAL) return false;
  bool single = x->storage == STORAGE_F32 && !writer->target->double_precision;
  return single || x->storage == STORAGE_REAL || x->storage == STORAGE_F64;
}

static struct piece cast_piece(struct writer *writer, const struct expression *x) {
  struct piece argument = scalar_piece(writer, x->arguments[0]);
  bool reals = x->arguments[0]->type == TYPE_REAL;
  if (!reals) bug("%s: a cast of type %s", writer->function->name, type_names[x->arguments[0]->type]);
  if (is_idle_cast(writer, x)) return argument;
  switch (x->storage) {
    case STORAGE_REAL:
    case STORAGE_F64:
      break;
    case STORAGE_F32:
      return fill(writer, OPERATION_real_f32, &argument);
    case STORAGE_BF16:
      return fill(writer, OPERATION_real_bf16, &argument);
    case STORAGE_F16:
      return fill(writer, OPERATION_real_f16, &argument);
    case STORAGE_I32:
    case STORAGE_I8:
    case STORAGE_U8:
    case STORAGE_I4:
    case STORAGE_U4: {
      const struct storage_facts *facts = &storage_facts[x->storage];
      const struct piece arguments[] = {argument,
                                        piece_name(arena_format(writer->arena, "%lld.0", (long long)facts->least)),
                                        piece_name(arena_format(writer->arena, "%lld.0", (long long)facts->most))};
      return fill(writer, OPERATION_real_within, arguments);
    }
    case STORAGE_BOOL: {
      struct piece truth = fill(writer, OPERATION_to_mask, &argument);
      return fill(writer, OPERATION_mask_to_real, &truth);
    }
    case STORAGE_COUNT:
      break;
  }
  bug("no such storage");
}

/* The factor of a term of an index; a product of two variables counts as the largest. */
static int64_t term_factor(const struct expression *x) {
  int64_t factor;
  if (x->kind == EXPRESSION_NUMBER) return 0;
  if (x->kind != EXPRESSION_APPLY || x->op != OP_mul) return 1;
  return is_literal(x->arguments[1], &factor) || is_literal(x->arguments[0], &factor) ? factor : INT64_MAX;
}

/* Prints a sum of index terms as a person would write it: largest strides first, the number last. */
static struct piece sum_piece(struct writer *writer, const struct expression *x) {
  enum { MOST = 16 };
  const struct expression *terms[MOST];
  int count = 0;
  for (; x->kind == EXPRESSION_APPLY && x->op == OP_add && count < MOST - 1; x = x->arguments[0])
    terms[count++] = x->arguments[1];
  terms[count++] = x;
  struct piece sum = {.binding = BINDS_SUM};
  for (; count > 0; count--) {
    int best = count - 1; /* terms are listed backwards, so this is the first of those with equal strides */
    for (int i = count - 2; i >= 0; i--)
      if (term_factor(terms[i]) > term_factor(terms[best])) best = i;
    struct piece term = scalar_piece(writer, terms[best]);
    const char *text = piece_text(writer->arena, term, sum.text ? BINDS_PRODUCT : BINDS_SUM);
    if (!sum.text) sum.negative = term.negative && term.binding >= BINDS_SUM;
    sum.text = sum.text ? arena_format(writer->arena, "%s + %s", sum.text, text) : text;
    for (int i = best; i < count - 1; i++) terms[i] = terms[i + 1];
  }
  return sum;
}

/* Integers wrap around, and C defines that for unsigned types alone. OPERATION_COUNT for an operation that cannot leave
   its range. */
static enum operation wrapping(enum op op) {
  switch ((int)op) {
    case OP_neg:
      return OPERATION_wrap_neg;
    case OP_abs:
      return OPERATION_wrap_abs;
    case OP_add:
      return OPERATION_bits_add;
    case OP_sub:
      return OPERATION_bits_sub;
    case OP_mul:
      return OPERATION_wrap_mul;
    case OP_quotient:
      return OPERATION_wrap_quotient;
    case OP_mod:
      return OPERATION_wrap_mod;
  }
  return OPERATION_COUNT;
}

static struct piece apply_piece(struct writer *writer, const struct expression *x) {
  if (x->op == OP_add && x->type == TYPE_INDEX) return sum_piece(writer, x);
  if (x->op == OP_cast) return cast_piece(writer, x);
  /* Compilers warn of k == k. Reals are left out, since x == x is false for NaN. */
  if (op_facts[x->op].class == CLASS_COMPARE && x->arguments[0]->type != TYPE_REAL &&
      expression_equal(x->arguments[0], x->arguments[1]))
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
    return fill(writer, operation == OPERATION_int_mod ? OPERATION_natural_mod : OPERATION_natural_quotient, arguments);
  if (type == TYPE_INTEGER && wrapping(x->op) != OPERATION_COUNT) operation = wrapping(x->op);
  const struct piece result = fill(writer, operation, arguments);
  /* Helpers compute in 64 bits for indices and integers alike. */
  const bool wide = x->op == OP_max || x->op == OP_min || x->op == OP_mod;
  return type == TYPE_INTEGER && wide ? fill(writer, OPERATION_to_int, &result) : result;
}

static struct piece convert_piece(struct writer *writer, const struct expression *x) {
  struct piece argument = scalar_piece(writer, x->arguments[0]);
  enum type from = x->arguments[0]->type;
  if (from == x->type) return argument;
  switch (x->type) {
    case TYPE_REAL:
      return fill(writer, OPERATION_int_to_real, &argument);
    case TYPE_INTEGER:
      return from == TYPE_BOOLEAN ? argument : fill(writer, OPERATION_to_int, &argument);
    case TYPE_INDEX:
      return fill(writer, OPERATION_to_index, &argument);
    case TYPE_BOOLEAN:
      return fill(writer, OPERATION_to_mask, &argument);
  }
  bug("no such type");
}

static struct piece fold_piece(struct writer *writer, const struct expression *x) {
  struct array_binding *array = writer_find_array(writer, x->array);
  const struct expression *start = writer_resolve(writer, x->arguments[0]);
  const bool sum = x->op == OP_add, whole = x->type == TYPE_INTEGER;
  if ((!sum && x->op != OP_max) || (whole && !sum) || (!whole && x->type != TYPE_REAL))
    bug("%s: a fold of %s by %s", writer->function->name, type_names[x->type], op_facts[x->op].name);
  if (array->vectors) {
    const int lanes = writer->target->lanes, count = x->lanes / lanes;
    const char **vectors = arena_new_array(writer->arena, const char *, count);
    for (int i = 0; i < count; i++) {
      const struct expression *apart = expression_index(writer->arena, (int64_t)i * lanes);
      vectors[i] = vector_element(writer, array,
                                  writer_resolve(writer, expression_apply(writer->arena, OP_add, start, apart, NULL)));
    }
    const struct expression *first =
        expression_apply(writer->arena, OP_quotient, start, expression_index(writer->arena, lanes), NULL);
    return fold_vectors(writer->printer, x->op, x->type, vectors, pointer_piece(writer, x->array, first).text, count);
  }
  struct piece arguments[] = {pointer_piece(writer, x->array, start),
                              piece_name(arena_format(writer->arena, "%d", x->lanes))};
  const enum operation operation = whole ? OPERATION_int_fold_add_array
                                   : sum ? OPERATION_fold_add_array
                                         : OPERATION_fold_max_array;
  return fill(writer, operation, arguments);
}

/* Each counter has 32 bits; wider numbers are truncated, as the definition of the generator says. */
void draw_counters(struct writer *writer, const struct expression *draw, struct piece counters[4]) {
  for (int i = 0; i < 4; i++) {
    const struct expression *x = draw->arguments[i];
    int64_t number;
    if (x->type == TYPE_REAL) bug("%s: a real counter", writer->function->name);
    if (is_literal(x, &number)) {
      counters[i] = piece_name(arena_format(writer->arena, "%lluu", (unsigned long long)(uint32_t)number));
      continue;
    }
    struct piece argument = scalar_piece(writer, x);
    counters[i] = fill(writer, OPERATION_to_counter, &argument);
  }
}

struct piece draw_element(struct writer *writer, const struct expression *x) {
  int64_t number;
  if (is_literal(x, &number)) return piece_name(arena_format(writer->arena, "%lldu", (long long)number));
  const struct piece argument = scalar_piece(writer, x);
  return fill(writer, OPERATION_to_element, &argument);
}

static struct piece draw_piece(struct writer *writer, const struct expression *x) {
  struct piece arguments[5];
  draw_counters(writer, x, arguments);
  arguments[4] = draw_element(writer, x->arguments[4]);
  return fill(writer, x->distribution == DISTRIBUTION_NORMAL ? OPERATION_draw_normal : OPERATION_draw_uniform,
              arguments);
}

enum operation dot_operation(const struct expression *x) {
  const enum storage left = x->arguments[1]->array->storage, right = x->arguments[2]->array->storage;
#define DOT(name, count, x_storage, y_storage) \
  if (x->lanes == (count) && left == STORAGE_##x_storage && right == STORAGE_##y_storage) return OPERATION_##name##_dot;
#include "ir/dots.def"
  return OPERATION_COUNT;
}

static struct piece dot_piece(struct writer *writer, const struct expression *x) {
  const enum operation operation = dot_operation(x);
  if (operation == OPERATION_COUNT) bug("%s: a dot that no target has", writer->function->name);
  struct piece arguments[3] = {scalar_piece(writer, x->arguments[0])};
  for (int i = 1; i < 3; i++)
    arguments[i] = pointer_piece(writer, x->arguments[i]->array, x->arguments[i]->arguments[0]);
  return fill(writer, operation, arguments);
}

static struct piece quantile_piece(struct writer *writer, const struct expression *x) {
  const struct expression *first = x->arguments[0];
  struct piece arguments[3];
  arguments[0] = pointer_piece(writer, first->array, first->arguments[0]);
  arguments[1] = scalar_piece(writer, x->arguments[1]);
  arguments[2] = scalar_piece(writer, x->arguments[2]);
  return fill(writer, OPERATION_real_quantile, arguments);
}

struct piece scalar_piece(struct writer *writer, const struct expression *x) {
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      return c_number(writer->printer, x->type, x->number);
    case EXPRESSION_VARIABLE:
      return variable_piece(writer, x);
    case EXPRESSION_LOAD:
      return load_piece(writer, x);
    case EXPRESSION_APPLY:
      return apply_piece(writer, x);
    case EXPRESSION_FMA: {
      struct piece arguments[3];
      for (int i = 0; i < 3; i++) arguments[i] = scalar_piece(writer, x->arguments[i]);
      return fill(writer, OPERATION_real_fma, arguments);
    }
    case EXPRESSION_DOT:
      return dot_piece(writer, x);
    case EXPRESSION_QUANTILE:
      return quantile_piece(writer, x);
    case EXPRESSION_CONVERT:
      return convert_piece(writer, x);
    case EXPRESSION_FOLD:
      return fold_piece(writer, x);
    case EXPRESSION_DRAW:
      return draw_piece(writer, x);
  }
  bug("no such expression");
}

const char *scalar_text(struct writer *writer, const struct expression *expression) {
  return scalar_piece(writer, expression).text;
}
