#include "ir/infer.h"

#include <string.h>

static const char *label(struct arena *arena, const struct axis *axis) {
  return arena_format(arena, "%s'%d", axis->name, axis->id);
}

static const char *ordinal(struct arena *arena, int input) {
  static const char *const words[] = {"first", "second", "third"};
  return input < 3 ? words[input] : arena_format(arena, "%dth", input + 1);
}

static const char *text_of(struct arena *arena, const struct value *value) {
  return axes_text(arena, value->axes, value->axis_count, false);
}

static const char *missing(struct arena *arena, const struct axis *axis, const struct value *value, int input) {
  return arena_format(arena, "axis %s is not in the %s input %s", label(arena, axis), ordinal(arena, input),
                      text_of(arena, value->inputs[input]));
}

static bool has(const struct inferred *inferred, const struct axis *axis) {
  for (int i = 0; i < inferred->axis_count; i++)
    if (inferred->axes[i] == axis) return true;
  return false;
}

/* Appends an axis to the result, which must not have it yet. */
static const char *append(struct arena *arena, struct inferred *inferred, struct axis *axis) {
  if (!axis) return "an axis is missing";
  if (has(inferred, axis)) return arena_format(arena, "axis %s comes twice in the result", label(arena, axis));
  if (inferred->axis_count == MAX_AXES) return arena_format(arena, "the result has more than %d axes", MAX_AXES);
  inferred->axes[inferred->axis_count++] = axis;
  return NULL;
}

static const char *unite(struct arena *arena, struct inferred *inferred, const struct value *value,
                         const struct axis *except) {
  for (int i = 0; i < value->axis_count; i++) {
    if (value->axes[i] == except || has(inferred, value->axes[i])) continue;
    const char *error = append(arena, inferred, value->axes[i]);
    if (error) return error;
  }
  return NULL;
}

static const char *wrong_kind(struct arena *arena, const struct value *value, int input, const char *wanted) {
  return arena_format(arena, "the %s input is %s and must be %s", ordinal(arena, input),
                      kind_names[value->inputs[input]->kind], wanted);
}

static const char *want(struct arena *arena, const struct value *value, int input, enum kind kind) {
  return value->inputs[input]->kind == kind ? NULL : wrong_kind(arena, value, input, kind_names[kind]);
}

static const char *want_number(struct arena *arena, const struct value *value, int input) {
  return value->inputs[input]->kind == KIND_BOOLEAN ? wrong_kind(arena, value, input, "real or integer") : NULL;
}

static const char *want_equal(struct arena *arena, const struct value *value, int first, int second) {
  if (value->inputs[first]->kind == value->inputs[second]->kind) return NULL;
  return arena_format(arena, "the %s input is %s and the %s is %s", ordinal(arena, first),
                      kind_names[value->inputs[first]->kind], ordinal(arena, second),
                      kind_names[value->inputs[second]->kind]);
}

#define TRY(expression)                \
  do {                                 \
    const char *error_ = (expression); \
    if (error_) return error_;         \
  } while (0)

const char *infer_input_count(struct arena *arena, const struct value *value) {
  int count = value->input_count, low = op_facts[value->op].inputs, high = low;
  if (low < 0) {
    switch (op_facts[value->op].class) {
      case CLASS_RANDOM:
      case CLASS_UPDATE:
        low = 1, high = 2;
        break;
      case CLASS_VIEW:
        low = high = value->list_count;
        break;
      case CLASS_CALL:
        if (!value->callee) return "no callee";
        low = high = value->callee->inputs.count;
        break;
      case CLASS_LEAF:
      case CLASS_UNARY:
      case CLASS_BINARY:
      case CLASS_COMPARE:
      case CLASS_LOGIC:
      case CLASS_TERNARY:
      case CLASS_REDUCE:
      case CLASS_MIX:
      case CLASS_CONTRACT:
      case CLASS_GATHER:
      case CLASS_SCATTER:
      case CLASS_STOP:
      case CLASS_GRADIENT:
        bug("%s has no rule for its number of inputs", op_facts[value->op].name);
    }
  }
  if (count >= low && count <= high) return NULL;
  return arena_format(arena, "%d input%s where %d %s wanted", count, count == 1 ? "" : "s", low,
                      low == 1 ? "is" : "are");
}

/* Which casts are allowed, and the axis that an integer result still indexes. */
static const char *infer_cast(const struct value *value, struct inferred *inferred) {
  const struct value *x = value->inputs[0];
  inferred->kind = storage_kind(value->storage);
  if (x->kind == KIND_REAL && inferred->kind != KIND_REAL)
    return "a real becomes an integer by floor or round, not by a cast";
  bool fits = x->range && x->range->extent - 1 <= storage_facts[value->storage].most;
  if (x->kind == KIND_INTEGER && inferred->kind == KIND_INTEGER && fits) inferred->range = x->range;
  return NULL;
}

/* The operands from number `first` on must be of one kind, one that the operation's row takes. */
static const char *want_operands(struct arena *arena, const struct value *value, int first) {
  switch (op_facts[value->op].takes) {
    case OPERANDS_ANY:
      break;
    case OPERANDS_NUMBERS:
    case OPERANDS_ORDERED:
      TRY(want_number(arena, value, first));
      break;
    case OPERANDS_REALS:
      TRY(want(arena, value, first, KIND_REAL));
      break;
    case OPERANDS_INTEGERS:
      TRY(want(arena, value, first, KIND_INTEGER));
      break;
    case OPERANDS_BOOLEANS:
      TRY(want(arena, value, first, KIND_BOOLEAN));
      break;
  }
  for (int i = first + 1; i < value->input_count; i++) TRY(want_equal(arena, value, first, i));
  return NULL;
}

static const char *infer_elementwise(struct arena *arena, const struct value *value, struct inferred *inferred) {
  const struct op_facts *facts = &op_facts[value->op];
  int first = facts->class == CLASS_TERNARY ? 1 : 0;
  if (first) TRY(want(arena, value, 0, KIND_BOOLEAN));
  TRY(want_operands(arena, value, first));
  switch (facts->gives) {
    case RESULT_SAME:
      inferred->kind = value->inputs[first]->kind;
      break;
    case RESULT_INTEGER:
      inferred->kind = KIND_INTEGER;
      break;
    case RESULT_BOOLEAN:
      inferred->kind = KIND_BOOLEAN;
      break;
    case RESULT_STORAGE:
      TRY(infer_cast(value, inferred));
      break;
  }
  if (facts->properties & PROPERTY_CHOOSES && value->inputs[first]->range == value->inputs[first + 1]->range)
    inferred->range = value->inputs[first]->range;
  for (int i = 0; i < value->input_count; i++) TRY(unite(arena, inferred, value->inputs[i], NULL));
  return NULL;
}

static const char *distinct_list(struct arena *arena, const struct value *value) {
  for (int i = 0; i < value->list_count; i++) {
    if (!value->list[i]) return "an axis is missing";
    if (axis_listed(value->list, i, value->list[i]))
      return arena_format(arena, "axis %s is listed twice", label(arena, value->list[i]));
  }
  return NULL;
}

static const char *infer_reduce(struct arena *arena, const struct value *value, struct inferred *inferred) {
  const struct value *x = value->inputs[0];
  TRY(want_number(arena, value, 0));
  TRY(distinct_list(arena, value));
  for (int i = 0; i < value->list_count; i++)
    if (!value_has_axis(x, value->list[i])) return missing(arena, value->list[i], value, 0);
  inferred->kind = x->kind;
  if (value->op == OP_reduce_max) inferred->range = x->range;
  for (int i = 0; i < x->axis_count; i++)
    if (!axis_listed(value->list, value->list_count, x->axes[i])) TRY(append(arena, inferred, x->axes[i]));
  return NULL;
}

static const char *infer_contract(struct arena *arena, const struct value *value, struct inferred *inferred) {
  TRY(want_number(arena, value, 0));
  TRY(want(arena, value, 1, value->inputs[0]->kind));
  TRY(distinct_list(arena, value));
  for (int i = 0; i < value->list_count; i++)
    for (int j = 0; j < 2; j++)
      if (!value_has_axis(value->inputs[j], value->list[i])) return missing(arena, value->list[i], value, j);
  inferred->kind = value->inputs[0]->kind;
  for (int j = 0; j < 2; j++) {
    const struct value *x = value->inputs[j];
    for (int i = 0; i < x->axis_count; i++)
      if (!axis_listed(value->list, value->list_count, x->axes[i]) && !has(inferred, x->axes[i]))
        TRY(append(arena, inferred, x->axes[i]));
  }
  return NULL;
}

/* The axes of table[axis = index], which are also those of the source of a scatter or an update at an index. */
static const char *infer_indexed(struct arena *arena, struct axis *const *axes, int count, struct axis *axis,
                                 const struct value *index, struct inferred *inferred) {
  for (int i = 0; i < count; i++)
    if (axes[i] != axis) TRY(append(arena, inferred, axes[i]));
  return unite(arena, inferred, index, NULL);
}

static const char *want_axes(struct arena *arena, const struct value *value, int input, const struct inferred *axes) {
  const struct value *x = value->inputs[input];
  bool equal = x->axis_count == axes->axis_count;
  for (int i = 0; i < x->axis_count; i++) equal = equal && has(axes, x->axes[i]);
  if (equal) return NULL;
  return arena_format(arena, "the %s input has the axes %s and must have %s", ordinal(arena, input), text_of(arena, x),
                      axes_text(arena, (struct axis *const *)axes->axes, axes->axis_count, false));
}

static const char *infer_gather(struct arena *arena, const struct value *value, struct inferred *inferred) {
  const struct value *table = value->inputs[0], *index = value->inputs[1];
  TRY(want(arena, value, 1, KIND_INTEGER));
  if (!value->axis || !value_has_axis(table, value->axis))
    return value->axis ? missing(arena, value->axis, value, 0) : "an axis is missing";
  inferred->kind = table->kind;
  inferred->range = table->range;
  return infer_indexed(arena, table->axes, table->axis_count, value->axis, index, inferred);
}

static const char *infer_scatter(struct arena *arena, const struct value *value, struct inferred *inferred) {
  const struct value *base = value->inputs[0], *index = value->inputs[1];
  TRY(want_number(arena, value, 0));
  TRY(want(arena, value, 1, KIND_INTEGER));
  TRY(want_equal(arena, value, 0, 2));
  if (!value->axis || !value_has_axis(base, value->axis))
    return value->axis ? missing(arena, value->axis, value, 0) : "an axis is missing";
  struct inferred source = {0};
  TRY(infer_indexed(arena, base->axes, base->axis_count, value->axis, index, &source));
  TRY(want_axes(arena, value, 2, &source));
  inferred->kind = base->kind;
  return unite(arena, inferred, base, NULL);
}

static const char *infer_update(struct arena *arena, const struct value *value, struct inferred *inferred) {
  const struct state *state = value->state;
  if (!state) return "no state";
  TRY(want(arena, value, 0, state->kind));
  struct inferred source = {0};
  if (value->input_count == 2) {
    TRY(want(arena, value, 1, KIND_INTEGER));
    if (!value->axis || !axis_listed(state->axes, state->axis_count, value->axis))
      return arena_format(arena, "the index is along %s, which is not in the state's %s",
                          value->axis ? label(arena, value->axis) : "no axis",
                          axes_text(arena, state->axes, state->axis_count, false));
    TRY(infer_indexed(arena, state->axes, state->axis_count, value->axis, value->inputs[1], &source));
  } else {
    for (int i = 0; i < state->axis_count; i++) TRY(append(arena, &source, state->axes[i]));
  }
  TRY(want_axes(arena, value, 0, &source));
  inferred->kind = state->kind;
  for (int i = 0; i < state->axis_count; i++) TRY(append(arena, inferred, state->axes[i]));
  return NULL;
}

/* Quantiles, and views that cut or join, need axes of constant length. */
static const char *want_constant(struct arena *arena, const struct axis *axis) {
  if (!axis) return "an axis is missing";
  return axis->size ? arena_format(arena, "axis %s has a run-time size", label(arena, axis)) : NULL;
}

static const char *infer_quantile(struct arena *arena, const struct value *value, struct inferred *inferred) {
  const struct value *x = value->inputs[0];
  TRY(want(arena, value, 0, KIND_REAL));
  TRY(want(arena, value, 1, KIND_REAL));
  TRY(distinct_list(arena, value));
  if (value->inputs[1]->axis_count)
    return arena_format(arena, "the share has the axes %s", text_of(arena, value->inputs[1]));
  for (int i = 0; i < value->list_count; i++) {
    if (!value_has_axis(x, value->list[i])) return missing(arena, value->list[i], value, 0);
    TRY(want_constant(arena, value->list[i]));
  }
  inferred->kind = KIND_REAL;
  for (int i = 0; i < x->axis_count; i++)
    if (!axis_listed(value->list, value->list_count, x->axes[i])) TRY(append(arena, inferred, x->axes[i]));
  return NULL;
}

static const char *infer_mix(struct arena *arena, const struct value *value, struct inferred *inferred) {
  const struct value *x = value->inputs[0];
  TRY(want_number(arena, value, 0));
  if (!value->axis) return "an axis is missing";
  if (!value_has_axis(x, value->axis)) return missing(arena, value->axis, value, 0);
  if (value->op == OP_scan) {
    if (value->start != 0 && value->start != 1) return "a scan's start is 0 or 1";
    inferred->kind = x->kind;
    return unite(arena, inferred, x, NULL);
  }
  if (!value->result) return "no result axis";
  if (value->result->size) return arena_format(arena, "the result %s has a run-time size", label(arena, value->result));
  if (value->result->extent > value->axis->extent)
    return arena_format(arena, "the %lld largest of %lld", (long long)value->result->extent,
                        (long long)value->axis->extent);
  inferred->kind = KIND_INTEGER;
  inferred->range = value->axis;
  for (int i = 0; i < x->axis_count; i++)
    TRY(append(arena, inferred, x->axes[i] == value->axis ? value->result : x->axes[i]));
  return NULL;
}

static const char *lengths_differ(struct arena *arena, const char *what, int64_t length, const struct axis *axis) {
  return arena_format(arena, "%s %lld and %s is %lld long", what, (long long)length, label(arena, axis),
                      (long long)axis->extent);
}

static const char *infer_concat(struct arena *arena, const struct value *value, struct inferred *inferred) {
  if (!value->input_count) return "nothing to join";
  TRY(want_constant(arena, value->result));
  int64_t total = 0;
  const struct value *first = value->inputs[0];
  inferred->kind = first->kind;
  inferred->range = first->range;
  for (int i = 0; i < first->axis_count; i++)
    TRY(append(arena, inferred, first->axes[i] == value->list[0] ? value->result : first->axes[i]));
  for (int i = 0; i < value->input_count; i++) {
    const struct value *part = value->inputs[i];
    TRY(want_equal(arena, value, 0, i));
    TRY(want_constant(arena, value->list[i]));
    if (!value_has_axis(part, value->list[i])) return missing(arena, value->list[i], value, i);
    if (part->range != inferred->range) inferred->range = NULL;
    total += value->list[i]->extent;
    struct inferred others = {0};
    for (int j = 0; j < inferred->axis_count; j++)
      TRY(append(arena, &others, inferred->axes[j] == value->result ? value->list[i] : inferred->axes[j]));
    TRY(want_axes(arena, value, i, &others));
  }
  if (total != value->result->extent) return lengths_differ(arena, "the parts together are", total, value->result);
  return NULL;
}

static const char *infer_factors(struct arena *arena, const struct value *value, const struct axis *whole) {
  TRY(distinct_list(arena, value));
  TRY(want_constant(arena, whole));
  if (!value->list_count) return "no factors";
  int64_t product = axes_count(value->list, value->list_count);
  for (int i = 0; i < value->list_count; i++) TRY(want_constant(arena, value->list[i]));
  return product == whole->extent ? NULL : lengths_differ(arena, "the factors together are", product, whole);
}

static const char *infer_view(struct arena *arena, const struct value *value, struct inferred *inferred) {
  const struct value *x = value->inputs[0];
  struct axis *axis = value->axis, *result = value->result;
  inferred->kind = x->kind;
  inferred->range = x->range;
  if (value->op == OP_expand) {
    TRY(distinct_list(arena, value));
    TRY(unite(arena, inferred, x, NULL));
    for (int i = 0; i < value->list_count; i++) TRY(append(arena, inferred, value->list[i]));
    return NULL;
  }
  if (value->op == OP_merge) {
    TRY(infer_factors(arena, value, result));
    for (int i = 0; i < value->list_count; i++)
      if (!value_has_axis(x, value->list[i])) return missing(arena, value->list[i], value, 0);
    for (int i = 0; i < x->axis_count; i++) {
      if (x->axes[i] == value->list[value->list_count - 1])
        TRY(append(arena, inferred, result));
      else if (!axis_listed(value->list, value->list_count, x->axes[i]))
        TRY(append(arena, inferred, x->axes[i]));
    }
    return NULL;
  }
  if (!axis) return "an axis is missing";
  if (!value_has_axis(x, axis)) return missing(arena, axis, value, 0);
  if (value->op == OP_select) {
    if (value->start < 0 || value->start >= axis->extent)
      return arena_format(arena, "element %lld of %s, which is %lld long", (long long)value->start, label(arena, axis),
                          (long long)axis->extent);
  } else if (value->op == OP_split) {
    TRY(infer_factors(arena, value, axis));
  } else if (!result) {
    return "no result axis";
  } else if (value->op == OP_rename) {
    if (result->extent != axis->extent) return lengths_differ(arena, "the axis is", axis->extent, result);
    if (result->size != axis->size)
      return arena_format(arena, "axes %s and %s differ in their run-time size", label(arena, axis),
                          label(arena, result));
  } else {
    /* Both lengths are constants. A slice's result is the shorter of the two, a pad's the longer. */
    TRY(want_constant(arena, axis));
    TRY(want_constant(arena, result));
    int64_t whole = value->op == OP_slice ? axis->extent : result->extent;
    int64_t part = value->op == OP_slice ? result->extent : axis->extent;
    if (value->start < 0 || part > whole || value->start > whole - part)
      return arena_format(arena, "%lld elements from %lld on do not fit in %lld", (long long)part,
                          (long long)value->start, (long long)whole);
    bool outside = !inferred->range || value->number < 0 || value->number >= (double)inferred->range->extent;
    if (value->op == OP_pad && outside) inferred->range = NULL;
  }
  for (int i = 0; i < x->axis_count; i++) {
    if (x->axes[i] != axis)
      TRY(append(arena, inferred, x->axes[i]));
    else if (value->op == OP_split)
      for (int j = 0; j < value->list_count; j++) TRY(append(arena, inferred, value->list[j]));
    else if (value->op != OP_select)
      TRY(append(arena, inferred, result));
  }
  return NULL;
}

static const char *infer_random(struct arena *arena, const struct value *value, struct inferred *inferred) {
  TRY(want(arena, value, 0, KIND_REAL));
  if (value->inputs[0]->axis_count) return "the step has axes";
  inferred->kind = KIND_REAL;
  TRY(unite(arena, inferred, value, NULL));
  if (value->input_count < 2) return NULL;
  const struct value *example = value->inputs[1];
  TRY(want(arena, value, 1, KIND_INTEGER));
  if (example->axis_count != 1 || !has(inferred, example->axes[0]))
    return arena_format(arena, "the example has the axes %s and must have one that the draw has",
                        text_of(arena, example));
  return NULL;
}

static const char *infer_call(struct arena *arena, const struct value *value, struct inferred *inferred) {
  if (value->op == OP_result) {
    const struct value *call = value->inputs[0];
    if (call->op != OP_call) return "the input is not a call";
    const struct graph *body = call->callee->body;
    if (value->start < 0 || value->start >= body->outputs.count)
      return arena_format(arena, "result %lld of %s, which has %d", (long long)value->start, call->callee->name,
                          body->outputs.count);
    const struct value *output = body->outputs.items[value->start].value;
    if (!output) return arena_format(arena, "%s gives no result %lld", call->callee->name, (long long)value->start);
    inferred->kind = output->kind;
    inferred->range = output->range;
    return unite(arena, inferred, output, NULL);
  }
  inferred->kind = KIND_REAL;
  for (int i = 0; i < value->input_count; i++) {
    const struct value *formal = value->callee->inputs.items[i];
    TRY(want(arena, value, i, formal->kind));
    struct inferred axes = {0};
    TRY(unite(arena, &axes, formal, NULL));
    TRY(want_axes(arena, value, i, &axes));
  }
  return NULL;
}

static const char *infer_leaf(struct arena *arena, const struct value *value, struct inferred *inferred) {
  inferred->kind = value->kind;
  inferred->range = value->range;
  if (value->op == OP_constant) return NULL;
  if (value->op == OP_index) {
    inferred->kind = KIND_INTEGER;
    inferred->range = value->axis;
    return append(arena, inferred, value->axis);
  }
  if (value->op == OP_state) {
    if (!value->state) return "no state";
    inferred->kind = value->state->kind;
    for (int i = 0; i < value->state->axis_count; i++) TRY(append(arena, inferred, value->state->axes[i]));
    return NULL;
  }
  if (!value->name) return "an input without a name";
  for (int i = 0; i < value->axis_count; i++) TRY(append(arena, inferred, value->axes[i]));
  return NULL;
}

const char *infer(struct arena *arena, const struct value *value, struct inferred *inferred) {
  memset(inferred, 0, sizeof *inferred);
  TRY(infer_input_count(arena, value));
  switch (op_facts[value->op].class) {
    case CLASS_LEAF:
      return infer_leaf(arena, value, inferred);
    case CLASS_RANDOM:
      return infer_random(arena, value, inferred);
    case CLASS_UNARY:
    case CLASS_BINARY:
    case CLASS_COMPARE:
    case CLASS_LOGIC:
    case CLASS_TERNARY:
      return infer_elementwise(arena, value, inferred);
    case CLASS_REDUCE:
      return infer_reduce(arena, value, inferred);
    case CLASS_MIX:
      return value->op == OP_quantile ? infer_quantile(arena, value, inferred) : infer_mix(arena, value, inferred);
    case CLASS_CONTRACT:
      return infer_contract(arena, value, inferred);
    case CLASS_GATHER:
      return infer_gather(arena, value, inferred);
    case CLASS_SCATTER:
      return infer_scatter(arena, value, inferred);
    case CLASS_VIEW:
      return value->op == OP_concat ? infer_concat(arena, value, inferred) : infer_view(arena, value, inferred);
    case CLASS_STOP:
      inferred->kind = value->inputs[0]->kind;
      inferred->range = value->inputs[0]->range;
      return unite(arena, inferred, value->inputs[0], NULL);
    case CLASS_GRADIENT:
      TRY(want(arena, value, 0, KIND_REAL));
      TRY(want(arena, value, 1, KIND_REAL));
      if (value->inputs[0]->axis_count)
        return arena_format(arena, "the loss has the axes %s", text_of(arena, value->inputs[0]));
      inferred->kind = KIND_REAL;
      return unite(arena, inferred, value->inputs[1], NULL);
    case CLASS_UPDATE:
      return infer_update(arena, value, inferred);
    case CLASS_CALL:
      return infer_call(arena, value, inferred);
  }
  bug("operation %d", (int)value->op);
}
