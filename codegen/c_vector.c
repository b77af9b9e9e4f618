/* Prints vector loops with SIMD: there is no loop, and each statement of the body is done on all lanes at once by rows
   of simd.def. */
#include <string.h>

#include "codegen/c_writer.h"

/* Texts of the vector operations for reals, integers and booleans. */
struct family {
  enum operation type, splat, load, store, select;
};
static const struct family families[] = {
    [TYPE_REAL] = {OPERATION_real_type, OPERATION_real_splat, OPERATION_real_load, OPERATION_real_store,
                   OPERATION_real_select},
    [TYPE_INTEGER] = {OPERATION_int_type, OPERATION_int_splat, OPERATION_int_load, OPERATION_int_store,
                      OPERATION_int_select},
    [TYPE_BOOLEAN] = {OPERATION_mask_type, OPERATION_mask_splat, OPERATION_mask_load, OPERATION_mask_store,
                      OPERATION_mask_select},
    [TYPE_INDEX] = {OPERATION_int_type, OPERATION_int_splat, OPERATION_int_load, OPERATION_int_store,
                    OPERATION_int_select},
};

static const struct template *row(struct writer *writer, enum operation operation) {
  const struct template *row = writer->simd->vector[operation];
  if (!row) bug("the target %s has no row %s", writer->target->name, operation_facts[operation].name);
  return row;
}

static const char *vector_type(struct writer *writer, enum type type) {
  return template_text(row(writer, families[type].type));
}

static const char *fill(struct writer *writer, enum operation operation, const char *x, const char *y, const char *z) {
  struct piece arguments[3] = {
      {.text = x, .binding = BINDS_LIST}, {.text = y, .binding = BINDS_LIST}, {.text = z, .binding = BINDS_LIST}};
  return writer_fill(writer, row(writer, operation), arguments).text;
}

/* The name of the mask of active lanes. */
static const char *guard_text(struct writer *writer) { return writer_mention(writer, writer->guard); }

static const char *vector_text(struct writer *writer, const struct expression *x);

/* Whether the value differs between lanes. */
static bool has_lanes(struct writer *writer, const struct expression *x) {
  if (x->kind == EXPRESSION_VARIABLE) {
    struct binding *binding = writer_find(writer, x->variable);
    if (binding->kind == BINDING_VALUE) return has_lanes(writer, binding->expression);
    return binding->kind != BINDING_NAME;
  }
  for (int i = 0; i < x->argument_count; i++)
    if (has_lanes(writer, x->arguments[i])) return true;
  return false;
}

static bool has_load(const struct expression *x) {
  if (x->kind == EXPRESSION_LOAD || x->kind == EXPRESSION_DRAW || x->kind == EXPRESSION_FOLD) return true;
  for (int i = 0; i < x->argument_count; i++)
    if (has_load(x->arguments[i])) return true;
  return false;
}

/* Splits an index into base + lane; false when that is impossible. */
static bool splits_lane(struct writer *writer, const struct expression *index, const struct expression **base) {
  int64_t coefficient;
  if (!expression_coefficient(index, writer->lane, &coefficient) || coefficient != 1) return false;
  *base = expression_apply(writer->arena, OP_sub, index, expression_variable(writer->arena, writer->lane), NULL);
  return !has_lanes(writer, *base);
}

static const char *place_in_registers(struct writer *writer, const struct array_binding *array,
                                      const struct expression *index) {
  const struct expression *base;
  if (!splits_lane(writer, index, &base)) bug("%s: %s is not indexed by lanes", writer->function->name, array->name);
  return vector_element(writer, array, base);
}

/* --- Lanes one by one --------------------------------------------------------------------------------------------------------- */

/* Declares memory for the lanes of one vector of that type. */
static const char *lane_array(struct writer *writer, const char *name, enum type type, bool zeroed) {
  const char *array = writer_declare(writer, arena_format(writer->arena, "%s_lanes", name));
  enum type stored = type == TYPE_INDEX ? TYPE_INTEGER : type;
  writer_line(writer, LINE_DECLARATION, "%s %s[%d]%s;", c_type(writer->printer, stored), array, writer->target->lanes,
              zeroed ? " = {0}" : "");
  return array;
}

const char *vector_spill(struct writer *writer, const char *name, enum type type, const char *vector) {
  const char *array = lane_array(writer, name, type, false);
  writer_line(writer, LINE_SIMPLE, "%s;", fill(writer, families[type].store, array, vector, NULL));
  return array;
}

/* The head of a loop over lanes, with the guard as a condition. The statement that follows is its body. */
static const char *lane_loop(struct writer *writer, const char *lane, const char *condition) {
  const char *loop = arena_format(writer->arena, "for (%s %s = 0; %s < %d; %s++)", c_type(writer->printer, TYPE_INDEX),
                                  lane, lane, writer->target->lanes, lane);
  return condition ? arena_format(writer->arena, "%s if (%s)", loop, condition) : loop;
}

static const char *lane_condition(struct writer *writer) {
  return writer->condition ? scalar_text(writer, writer->condition) : NULL;
}

/* Ends the loop over lanes; other loops may use the name of its variable again. */
static void close_lane(struct writer *writer) {
  names_forget(&writer->names, writer->lane_name);
  writer->lane_name = NULL;
}

/* What one lane of a vector holds: an index has 32 bits there. */
static struct piece lane_piece(struct writer *writer, const struct expression *x) {
  const struct piece value = scalar_piece(writer, x);
  if (x->type != TYPE_INDEX || x->kind == EXPRESSION_NUMBER) return value;
  return writer_fill(writer, writer->simd->scalar[OPERATION_to_int], &value);
}

static const char *by_lanes(struct writer *writer, const struct expression *x) {
  const char *lane = writer_declare(writer, writer->lane->name);
  writer->lane_name = lane;
  const char *condition = lane_condition(writer);
  const char *value = lane_piece(writer, x).text;
  const char *name = x->kind == EXPRESSION_LOAD ? writer_find_array(writer, x->array)->name : "value";
  const char *array = lane_array(writer, name, x->type, condition != NULL);
  writer_line(writer, LINE_COMPOUND, "%s %s[%s] = %s;", lane_loop(writer, lane, condition), array, lane, value);
  close_lane(writer);
  return fill(writer, families[x->type].load, array, NULL, NULL);
}

/* --- Expressions ------------------------------------------------------------------------------------------------------------- */

static const char *splat(struct writer *writer, const struct expression *x) {
  if (x->type == TYPE_REAL && x->kind == EXPRESSION_NUMBER && x->number == 0)
    return fill(writer, OPERATION_real_zero, NULL, NULL, NULL);
  const struct piece value = lane_piece(writer, x);
  return writer_fill(writer, row(writer, families[x->type].splat), &value).text;
}

/* Loads an element for each lane from anywhere in the array. The index is base + offset, where offset is a vector of
   32-bit integers. NULL where the offset might not fit, or the target cannot load such elements. */
static const char *gather(struct writer *writer, const struct expression *x) {
  struct arena *arena = writer->arena;
  const struct expression *index = x->arguments[0], *base = expression_index(arena, 0);
  int64_t stride;
  enum operation operation = x->type == TYPE_REAL ? OPERATION_real_gather : OPERATION_int_gather;
  enum operation masked = x->type == TYPE_REAL ? OPERATION_real_gather_masked : OPERATION_int_gather_masked;
  if (x->type == TYPE_BOOLEAN || !access_of(x->array->storage)->is_usual || !writer->simd->vector[operation] ||
      !writer->simd->vector[masked])
    return NULL;
  if (expression_coefficient(index, writer->lane, &stride) && stride > -(1 << 24) && stride < 1 << 24) {
    const struct expression *offset = index_multiply(arena, expression_variable(arena, writer->lane), stride);
    base = expression_apply(arena, OP_sub, index, offset, NULL);
    index = offset;
    if (has_lanes(writer, base)) return NULL;
  } else if (x->array->count <= 0 || x->array->count > INT32_MAX) {
    return NULL;
  }
  writer->printer->gathers = true;
  const char *pointer = pointer_piece(writer, x->array, base).text, *offsets = vector_text(writer, index);
  /* A choice among 16 is made in registers. Lanes that are off read nothing then, whatever they ask for. */
  if (base->kind == EXPRESSION_NUMBER && x->array->count == 16 && x->array->storage == STORAGE_REAL &&
      writer->simd->vector[OPERATION_real_lookup])
    return fill(writer, OPERATION_real_lookup, pointer, offsets, NULL);
  if (writer->guard) return fill(writer, masked, pointer, offsets, guard_text(writer));
  return fill(writer, operation, pointer, offsets, NULL);
}

/* Whether a vector can be read or written so at `base` elements from the array's beginning: the target has the operation, and
   the first element begins a byte. */
static bool is_vector_access(struct writer *writer, const struct array *array, const struct expression *base,
                             enum operation operation) {
  const int shared = 8 / storage_facts[array->storage].bits;
  const struct expression *bytes;
  return writer->simd->vector[operation] && (shared <= 1 || expression_divides(writer->arena, base, shared, &bytes));
}

/* Elements of four bits that are loaded a vector at once: side by side, or number `slot` of each word of eight. */
struct nibbles {
  const char *pointer;
  const char *slot; /* NULL: side by side */
};

static bool find_words(struct writer *writer, const struct expression *load, struct nibbles *nibbles) {
  enum { PER_WORD = 8 };
  const struct expression *base = load->arguments[0], *whole, *slot;
  const struct expression *lane = expression_variable(writer->arena, writer->lane);
  int64_t apart;
  if (!expression_coefficient(base, writer->lane, &apart) || apart != PER_WORD) return false;
  base = expression_apply(writer->arena, OP_sub, base, index_multiply(writer->arena, lane, PER_WORD), NULL);
  if (has_lanes(writer, base) || !expression_remainder(writer->arena, base, PER_WORD, &whole, &slot)) return false;
  const char *words = pointer_piece(writer, load->array, whole).text;
  *nibbles = (struct nibbles){words, scalar_text(writer, slot)};
  return true;
}

/* Whether the expression is whole numbers of four bits, with a sign or without, that the target loads so. */
static bool find_nibbles(struct writer *writer, const struct expression *load, struct nibbles *nibbles) {
  const struct expression *base;
  if (load->kind != EXPRESSION_LOAD || writer->guard || storage_facts[load->array->storage].bits != 4 ||
      writer_find_array(writer, load->array)->vectors)
    return false;
  if (!splits_lane(writer, load->arguments[0], &base)) return find_words(writer, load, nibbles);
  if (!is_vector_access(writer, load->array, base, OPERATION_i4_load)) return false;
  *nibbles = (struct nibbles){pointer_piece(writer, load->array, base).text, NULL};
  return true;
}

/* Elements of four bits as reals, times a number that all lanes share unless that is NULL, by one look-up in the values that they can
   have; NULL where the expression is none or the target has no look-ups. */
static const char *look_up(struct writer *writer, const struct expression *x, const struct expression *factor) {
  struct nibbles nibbles;
  if (x->kind != EXPRESSION_CONVERT || x->type != TYPE_REAL || x->arguments[0]->kind != EXPRESSION_LOAD ||
      x->arguments[0]->array->storage != STORAGE_I4 || !writer->simd->vector[OPERATION_i4_real] ||
      !find_nibbles(writer, x->arguments[0], &nibbles))
    return NULL;
  const char *times = factor ? splat(writer, factor) : NULL;
  if (nibbles.slot)
    return fill(writer, factor ? OPERATION_i4_of_words_times : OPERATION_i4_of_words_real, nibbles.pointer,
                nibbles.slot, times);
  return fill(writer, factor ? OPERATION_i4_times : OPERATION_i4_real, nibbles.pointer, times, NULL);
}

static const char *load(struct writer *writer, const struct expression *x) {
  struct array_binding *array = writer_find_array(writer, x->array);
  const struct expression *base;
  if (array->vectors) return place_in_registers(writer, array, x->arguments[0]);
  const struct access *access = access_of(x->array->storage);
  const bool along = splits_lane(writer, x->arguments[0], &base);
  if (along && !access->is_usual &&
      !is_vector_access(writer, x->array, base, writer->guard ? access->load_masked : access->load))
    return by_lanes(writer, x);
  struct nibbles nibbles;
  const enum operation of_words = x->array->storage == STORAGE_I4 ? OPERATION_i4_of_words : OPERATION_u4_of_words;
  if (!along && writer->simd->vector[of_words] && find_nibbles(writer, x, &nibbles))
    return fill(writer, of_words, nibbles.pointer, nibbles.slot, NULL);
  if (!along) {
    const char *gathered = gather(writer, x);
    return gathered ? gathered : by_lanes(writer, x);
  }
  const char *pointer = pointer_piece(writer, x->array, base).text;
  if (writer->guard) return fill(writer, access->load_masked, pointer, guard_text(writer), NULL);
  return fill(writer, access->load, pointer, NULL, NULL);
}

/* base + lane < bound holds in the first lanes alone; bound < base + lane, for which *negated is set, in all but the
   first. Returns the number of those first lanes as an expression, or NULL for another comparison. */
static const struct expression *first_lanes(struct writer *writer, const struct expression *x, bool *negated) {
  if ((x->op != OP_lt && x->op != OP_le) || x->arguments[0]->type != TYPE_INDEX) return NULL;
  const struct expression *base, *bound, *one = expression_index(writer->arena, 1);
  if (splits_lane(writer, x->arguments[0], &base) && !has_lanes(writer, x->arguments[1])) {
    *negated = false; /* base + lane < bound */
    bound = x->arguments[1];
    if (x->op == OP_le) bound = expression_apply(writer->arena, OP_add, bound, one, NULL);
  } else if (splits_lane(writer, x->arguments[1], &base) && !has_lanes(writer, x->arguments[0])) {
    *negated = true; /* not (base + lane <= bound) */
    bound = x->arguments[0];
    if (x->op == OP_lt) bound = expression_apply(writer->arena, OP_add, bound, one, NULL);
  } else {
    return NULL;
  }
  return expression_apply(writer->arena, OP_sub, bound, base, NULL);
}

/* The exponent when `x` is a constant power of two, else -1. */
static int power_of_two(const struct expression *x) {
  int64_t number;
  if (!is_literal(x, &number) || number < 1 || (number & (number - 1))) return -1;
  return __builtin_ctzll((unsigned long long)number);
}

static const char *apply(struct writer *writer, const struct expression *x) {
  struct arena *arena = writer->arena;
  bool negated;
  const struct expression *count = first_lanes(writer, x, &negated);
  if (count) {
    const char *mask = fill(writer, OPERATION_first_lanes, scalar_text(writer, count), NULL, NULL);
    return negated ? fill(writer, OPERATION_mask_not, mask, NULL, NULL) : mask;
  }
  if (x->op == OP_cast) {
    switch (x->storage) {
      case STORAGE_REAL:
      case STORAGE_F32:
      case STORAGE_F64:
        return vector_text(writer, x->arguments[0]);
      case STORAGE_BF16:
        return fill(writer, OPERATION_real_bf16, vector_text(writer, x->arguments[0]), NULL, NULL);
      case STORAGE_F16:
        return fill(writer, OPERATION_real_f16, vector_text(writer, x->arguments[0]), NULL, NULL);
      case STORAGE_I32:
      case STORAGE_I8:
      case STORAGE_U8:
      case STORAGE_I4:
      case STORAGE_U4:
      case STORAGE_BOOL:
        return by_lanes(writer, x);
      case STORAGE_COUNT:
        break;
    }
  }
  for (int i = 0; i < 2 && x->op == OP_mul && x->type == TYPE_REAL; i++) {
    const char *found =
        has_lanes(writer, x->arguments[1 - i]) ? NULL : look_up(writer, x->arguments[i], x->arguments[1 - i]);
    if (found) return found;
  }
  enum operation operation = operation_of(x->op, x->arguments[x->op == OP_where ? 1 : 0]->type);
  if (operation == OPERATION_COUNT) bug("%s: no C for %s", writer->function->name, op_facts[x->op].name);
  if (operation == OPERATION_int_quotient || operation == OPERATION_int_mod) {
    int shift = power_of_two(x->arguments[1]);
    if (shift < 0) return by_lanes(writer, x);
    const char *argument = vector_text(writer, x->arguments[0]);
    if (operation == OPERATION_int_quotient && !shift) return argument;
    if (operation == OPERATION_int_quotient)
      return fill(writer, OPERATION_bits_shr, argument, arena_format(arena, "%d", shift), NULL);
    const char *rest = arena_format(arena, "%lld", (1LL << shift) - 1);
    return fill(writer, OPERATION_bits_and, argument, fill(writer, OPERATION_int_splat, rest, NULL, NULL), NULL);
  }
  if (!writer->simd->vector[operation]) return by_lanes(writer, x);
  const char *arguments[3] = {NULL, NULL, NULL};
  for (int i = 0; i < x->argument_count; i++) arguments[i] = vector_text(writer, x->arguments[i]);
  return fill(writer, operation, arguments[0], arguments[1], arguments[2]);
}

static const char *convert(struct writer *writer, const struct expression *x) {
  enum type from = x->arguments[0]->type;
  const char *found = look_up(writer, x, NULL);
  if (found) return found;
  const char *argument = vector_text(writer, x->arguments[0]);
  bool boolean = from == TYPE_BOOLEAN;
  switch (x->type) {
    case TYPE_REAL:
      if (from == TYPE_REAL) return argument;
      return fill(writer, boolean ? OPERATION_mask_to_real : OPERATION_int_to_real, argument, NULL, NULL);
    case TYPE_INTEGER:
    case TYPE_INDEX:
      if (from == TYPE_REAL) return by_lanes(writer, x);
      return boolean ? fill(writer, OPERATION_mask_to_int, argument, NULL, NULL) : argument;
    case TYPE_BOOLEAN: {
      if (boolean) return argument;
      bool reals = from == TYPE_REAL;
      const char *zero = reals ? fill(writer, OPERATION_real_zero, NULL, NULL, NULL)
                               : fill(writer, OPERATION_int_splat, "0", NULL, NULL);
      return fill(writer, reals ? OPERATION_real_ne : OPERATION_int_ne, argument, zero, NULL);
    }
  }
  bug("no such type");
}

static const char *whole_text(struct writer *writer, const struct expression *x);

/* The groups of `count` elements that begin at the load, as a vector: one for all lanes, or the lanes' own, one after the other. NULL when
   they lie otherwise. */
static const char *groups(struct writer *writer, const struct expression *load, int count) {
  const struct expression *base = load->arguments[0];
  const bool alike = !has_lanes(writer, base);
  if (!alike) {
    int64_t apart;
    if (!expression_coefficient(base, writer->lane, &apart) || apart != count) return NULL;
    const struct expression *distance =
        index_multiply(writer->arena, expression_variable(writer->arena, writer->lane), count);
    base = expression_apply(writer->arena, OP_sub, base, distance, NULL);
    if (has_lanes(writer, base)) return NULL;
  }
  const char *pointer = pointer_piece(writer, load->array, base).text;
  return fill(writer, alike ? OPERATION_group_splat : OPERATION_group_load, pointer, NULL, NULL);
}

static const char *dot(struct writer *writer, const struct expression *x) {
  const enum operation operation = dot_operation(x);
  if (operation == OPERATION_COUNT || !writer->simd->vector[operation] || writer->guard) return by_lanes(writer, x);
  const char *left = groups(writer, x->arguments[1], x->lanes);
  const char *right = left ? groups(writer, x->arguments[2], x->lanes) : NULL;
  if (!right) return by_lanes(writer, x);
  const char *sum = vector_text(writer, x->arguments[0]);
  return fill(writer, operation, sum, left, right);
}

/* Draws uniform numbers for elements at equal distances, all lanes at once. */
static const char *draw(struct writer *writer, const struct expression *x) {
  enum { FARTHEST = 1 << 26 }; /* so that the last lane's distance has 32 bits */
  const struct expression *element = x->arguments[4];
  int64_t stride;
  bool alike = x->distribution == DISTRIBUTION_UNIFORM && writer->simd->vector[OPERATION_random_uniform] &&
               element->type == TYPE_INDEX;
  for (int i = 0; i < 4 && alike; i++) alike = !has_lanes(writer, x->arguments[i]);
  if (!alike || !expression_coefficient(element, writer->lane, &stride) || stride < 1 || stride > FARTHEST)
    return by_lanes(writer, x);
  const struct expression *distance =
      index_multiply(writer->arena, expression_variable(writer->arena, writer->lane), stride);
  const struct expression *base = expression_apply(writer->arena, OP_sub, element, distance, NULL);
  if (has_lanes(writer, base)) return by_lanes(writer, x);
  struct piece arguments[6];
  draw_counters(writer, x, arguments);
  arguments[4] = draw_element(writer, base);
  arguments[5] = piece_name(arena_format(writer->arena, "%lld", (long long)stride));
  return writer_fill(writer, row(writer, OPERATION_random_uniform), arguments).text;
}

/* The values of all lanes as a C expression. Steps that must come first are printed on lines of their own, and so are
   parts that would make a long expression of nested calls. */
static const char *vector_text(struct writer *writer, const struct expression *x) {
  enum { READABLE = 72 };
  const char *text = whole_text(writer, x);
  if (strlen(text) <= READABLE || x->kind == EXPRESSION_LOAD || !has_lanes(writer, x)) return text;
  const char *name = writer_declare(writer, x->type == TYPE_BOOLEAN ? "test" : "part");
  writer_line(writer, LINE_DECLARATION, "const %s %s = %s;", vector_type(writer, x->type), name, text);
  return name;
}

static const char *whole_text(struct writer *writer, const struct expression *x) {
  if (!has_lanes(writer, x)) return splat(writer, x);
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      return splat(writer, x);
    case EXPRESSION_VARIABLE: {
      struct binding *binding = writer_find(writer, x->variable);
      if (binding->kind == BINDING_VECTOR) return binding->name;
      if (binding->kind == BINDING_VALUE) return vector_text(writer, writer_resolve(writer, x));
      return fill(writer, OPERATION_lane_numbers, NULL, NULL, NULL);
    }
    case EXPRESSION_LOAD:
      return load(writer, x);
    case EXPRESSION_APPLY:
      return apply(writer, x);
    case EXPRESSION_FMA: {
      const char *a = vector_text(writer, x->arguments[0]), *b = vector_text(writer, x->arguments[1]);
      return fill(writer, OPERATION_real_fma, a, b, vector_text(writer, x->arguments[2]));
    }
    case EXPRESSION_DOT:
      return dot(writer, x);
    case EXPRESSION_CONVERT:
      return convert(writer, x);
    case EXPRESSION_FOLD:
    case EXPRESSION_QUANTILE:
      return by_lanes(writer, x);
    case EXPRESSION_DRAW:
      return draw(writer, x);
  }
  bug("no such expression");
}

/* --- Statements ---------------------------------------------------------------------------------------------------------------- */

static void store_by_lanes(struct writer *writer, const struct statement *s, const struct expression *index,
                           const char *value) {
  const char *values = vector_spill(writer, writer_find_array(writer, s->array)->name, s->expression->type, value);
  const char *lane = writer_declare(writer, writer->lane->name);
  writer->lane_name = lane;
  const char *condition = lane_condition(writer);
  const struct piece value_of_lane = piece_name(arena_format(writer->arena, "%s[%s]", values, lane));
  const char *loop = lane_loop(writer, lane, condition);
  if (access_of(s->array->storage)->is_usual) {
    const char *array = writer_array(writer, s->array);
    writer_line(writer, LINE_COMPOUND, "%s %s[%s] = %s;", loop, array, scalar_text(writer, index), value_of_lane.text);
  } else {
    writer_line(writer, LINE_COMPOUND, "%s %s", loop, writer_set_text(writer, s->array, index, value_of_lane));
  }
  close_lane(writer);
}

static void store(struct writer *writer, const struct statement *s) {
  const struct expression *index = writer_resolve(writer, s->index), *base;
  struct array_binding *array = writer_find_array(writer, s->array);
  const struct expression *stored = writer_resolve(writer, s->expression);
  const char *value = array->vectors && !writer->guard ? whole_text(writer, stored) : vector_text(writer, stored);
  const struct access *access = access_of(s->array->storage);
  const enum operation operation = writer->guard ? access->store_masked : access->store;
  if (array->vectors) {
    const char *place = place_in_registers(writer, array, index);
    if (writer->guard) value = fill(writer, families[s->expression->type].select, guard_text(writer), value, place);
    writer_assign(writer, place, value);
  } else if (splits_lane(writer, index, &base) &&
             (access->is_usual || is_vector_access(writer, s->array, base, operation))) {
    const char *pointer = pointer_piece(writer, s->array, base).text;
    writer_line(writer, LINE_SIMPLE, "%s;",
                writer->guard ? fill(writer, operation, pointer, guard_text(writer), value)
                              : fill(writer, operation, pointer, value, NULL));
  } else {
    store_by_lanes(writer, s, index, value);
  }
}

static void let(struct writer *writer, const struct statement *s) {
  const struct expression *x = writer_resolve(writer, s->expression);
  bool lanes = has_lanes(writer, x);
  if (lanes && x->type == TYPE_INDEX && !has_load(x)) {
    /* An index is not stored: it is printed as a sum in each address that it is for. */
    writer_bind(writer, (struct binding){.variable = s->variable, .kind = BINDING_VALUE, .expression = x});
    return;
  }
  const char *value = lanes ? whole_text(writer, x) : scalar_text(writer, x);
  const char *name = writer_declare(writer, s->variable->name);
  writer_line(writer, LINE_DECLARATION, "const %s %s = %s;",
              lanes ? vector_type(writer, x->type) : c_type(writer->printer, x->type), name, value);
  writer_bind(writer,
              (struct binding){.variable = s->variable, .kind = lanes ? BINDING_VECTOR : BINDING_NAME, .name = name});
}

static void body(struct writer *writer, const struct block *block);

static void guarded(struct writer *writer, const struct statement *s) {
  const char *outer = writer->guard;
  const struct expression *outer_condition = writer->condition;
  const struct expression *condition = writer_resolve(writer, s->expression);
  struct mark before = writer_mark(writer);
  int lines = writer->lines.count;
  const char *mask = whole_text(writer, condition);
  if (outer) mask = fill(writer, OPERATION_mask_and, guard_text(writer), mask, NULL);
  struct mark after = writer_mark(writer);
  /* whether the mask needed no lines of its own, which may use the names mentioned */
  bool is_line = writer->lines.count == lines;
  writer->guard = writer_declare(writer, "on");
  writer->condition =
      outer_condition ? expression_apply(writer->arena, OP_and, outer_condition, condition, NULL) : condition;
  struct aside outside = writer_begin_aside(writer, writer->text->indentation);
  body(writer, &s->body);
  struct aside inside = writer_end_aside(writer, outside);
  /* Stores lane by lane use the condition and not the mask; compilers warn of a mask that is not used. */
  if (writer_mentions_since(writer, after, writer->guard))
    writer_line(writer, LINE_DECLARATION, "const %s %s = %s;", vector_type(writer, TYPE_BOOLEAN), writer->guard, mask);
  else if (is_line)
    writer_forget(writer, before, after);
  text_raw(writer->text, text_string(inside.text));
  writer->lines = (struct lines){writer->lines.count + inside.lines.count, inside.lines.kind, inside.lines.line,
                                 inside.lines.assigned};
  writer->guard = outer;
  writer->condition = outer_condition;
}

static void body(struct writer *writer, const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *s = block->statements.items[i];
    if (s->kind == STATEMENT_LET)
      let(writer, s);
    else if (s->kind == STATEMENT_STORE)
      store(writer, s);
    else if (s->kind == STATEMENT_IF)
      guarded(writer, s);
    else if (s->kind == STATEMENT_COMMENT)
      writer_comment(writer, s->text);
    else
      bug("%s: a vector loop holds more than let, store and if", writer->function->name);
  }
}

/* The operation that stores several vectors so that their elements alternate; OPERATION_COUNT where the target has none. */
static enum operation group_store(struct writer *writer, enum storage storage, int64_t count) {
  enum operation operation = OPERATION_COUNT;
  if (storage == STORAGE_BF16 && count == 2) operation = OPERATION_bf16_store_2;
  if (storage == STORAGE_I8 && count == 4) operation = OPERATION_i8_store_4;
  if (storage == STORAGE_U8 && count == 4) operation = OPERATION_u8_store_4;
  return operation != OPERATION_COUNT && writer->simd->vector[operation] ? operation : OPERATION_COUNT;
}

/* The store at the end of a block of lets, or NULL. */
static const struct statement *last_store(const struct block *block) {
  for (int i = 0; i < block->statements.count - 1; i++)
    if (block->statements.items[i]->kind != STATEMENT_LET) return NULL;
  const struct statement *last = block->statements.count ? block->statements.items[block->statements.count - 1] : NULL;
  return last && last->kind == STATEMENT_STORE ? last : NULL;
}

bool vector_group(struct writer *writer, const struct statement *unrolled) {
  enum { MOST = 4 };
  int64_t count, along, apart;
  if (!writer->target->simd || unrolled->body.statements.count != 1 || unrolled->step > 1 ||
      !is_literal(writer_resolve(writer, unrolled->extent), &count) || count < 2 || count > MOST)
    return false;
  const struct statement *loop = unrolled->body.statements.items[0];
  if (loop->kind != STATEMENT_LOOP || loop->loop != LOOP_VECTOR) return false;
  const struct statement *store = last_store(&loop->body);
  if (!store || writer_find_array(writer, store->array)->vectors) return false;
  const enum operation operation = group_store(writer, store->array->storage, count);
  /* Names in the index may be those of the loops themselves, which have no binding yet. */
  if (operation == OPERATION_COUNT || !expression_coefficient(store->index, unrolled->variable, &along) || along != 1 ||
      !expression_coefficient(store->index, loop->variable, &apart) || apart != count)
    return false;
  struct arena *arena = writer->arena;
  struct piece arguments[MOST + 1];
  writer->lane = loop->variable;
  for (int64_t j = 0; j < count; j++) {
    const struct expression *number = expression_index(arena, j);
    writer_bind(writer, (struct binding){.variable = unrolled->variable, .kind = BINDING_VALUE, .expression = number});
    writer_bind(writer, (struct binding){.variable = loop->variable, .kind = BINDING_LANE});
    for (int i = 0; i < loop->body.statements.count - 1; i++) let(writer, loop->body.statements.items[i]);
    if (j == 0) {
      const struct expression *base =
          expression_apply(arena, OP_sub, writer_resolve(writer, store->index),
                           index_multiply(arena, expression_variable(arena, loop->variable), count), NULL);
      arguments[0] = pointer_piece(writer, store->array, base);
    }
    const char *value = whole_text(writer, writer_resolve(writer, store->expression));
    const char *name = writer_declare(writer, "part");
    writer_line(writer, LINE_DECLARATION, "const %s %s = %s;", vector_type(writer, store->expression->type), name,
                value);
    arguments[j + 1] = piece_name(name);
  }
  writer->lane = NULL;
  writer_line(writer, LINE_SIMPLE, "%s;", writer_fill(writer, row(writer, operation), arguments).text);
  return true;
}

void vector_loop(struct writer *writer, const struct statement *loop) {
  if (writer->lane) bug("%s: a vector loop in a vector loop", writer->function->name);
  writer->lane = loop->variable;
  writer_bind(writer, (struct binding){.variable = loop->variable, .kind = BINDING_LANE});
  body(writer, &loop->body);
  writer->lane = NULL;
}
