/* Expressions: names, numbers folded at compile time, arithmetic, contraction. */
#include "frontend/lower.h"

#include <math.h>
#include <string.h>

#include "ir/interpret.h"

/* --- From things to values ---------------------------------------------------------------------------------------- */

struct thing made(struct lowering *lowering, struct value *value, struct span span) {
  const double count = element_count(value->axes, value->axis_count);
  if (count > LARGEST_COUNT)
    return fail(lowering, span, "this has %.4g elements (%s), and more than 2^40 are not supported", count,
                shape_text(lowering, value));
  if (value->kind == KIND_INTEGER && !fits_integer(lowering, value, span)) return poison();
  return thing_value(value);
}

struct value *as_value(struct lowering *lowering, struct thing thing, struct span span) {
  switch (thing.kind) {
    case THING_POISON:
      return NULL;
    case THING_VALUE:
      return thing.value;
    case THING_NUMBER:
      set_origin(lowering, span);
      if (thing.boolean) return build_boolean(lowering->graph, thing.number != 0);
      if (thing.integer && thing.number >= INT32_MIN && thing.number <= INT32_MAX)
        return build_integer(lowering->graph, (int64_t)thing.number);
      if (thing.integer) {
        fail(lowering, span,
             "%.17g is no whole number of 32 bits (-2147483648 to 2147483647), and a whole number stands here; times "
             "1.0 it is a real",
             thing.number);
        return NULL;
      }
      return build_constant(lowering->graph, thing.number);
    case THING_NONE:
      fail(lowering, span, "this argument was not given; ask with 'if given(name)' before it is used");
      return NULL;
    case THING_AXIS:
      fail(lowering, span, "'%s' is an axis, and a value is expected here; size(%s) is how long it is",
           thing.axis->name, thing.axis->name);
      return NULL;
    case THING_FUNCTION:
      fail(lowering, span, "'%s' is a function, and a value is expected here",
           thing.function ? thing.function->name.text : thing.builtin->name);
      return NULL;
    case THING_TUPLE:
      fail(lowering, span, "%d values stand where one is expected", thing.item_count);
      return NULL;
  }
  return NULL;
}

struct value *to_real(struct lowering *lowering, struct value *value) {
  return value->kind == KIND_REAL ? value : build_cast(lowering->graph, value, STORAGE_REAL);
}

struct value *as_real(struct lowering *lowering, struct thing thing, struct span span) {
  if (thing.kind == THING_NUMBER) {
    set_origin(lowering, span);
    return build_constant(lowering->graph, thing.number);
  }
  struct value *value = as_value(lowering, thing, span);
  if (!value) return NULL;
  set_origin(lowering, span);
  return to_real(lowering, value);
}

/* A number takes the kind of the value that it is combined with. */
static struct value *beside(struct lowering *lowering, struct thing thing, const struct thing *other, bool real,
                            struct span span) {
  if (thing.kind == THING_NUMBER && !thing.boolean) {
    const bool integer = !real && thing.integer && !(other->kind == THING_VALUE && other->value->kind != KIND_INTEGER);
    thing.integer = integer;
  }
  return as_value(lowering, thing, span);
}

struct thing single(struct lowering *lowering, struct thing thing, struct span span) {
  if (thing.kind != THING_TUPLE) return thing;
  if (thing.item_count == 1) return thing.items[0];
  return fail(lowering, span, "%d values stand where one is expected", thing.item_count);
}

bool has_room(struct lowering *lowering, struct span span, struct value *const *values, int count, int extra) {
  struct axis *seen[MAX_AXES];
  int total = 0;
  for (int i = 0; i < count; i++)
    for (int j = 0; j < values[i]->axis_count; j++) {
      bool known = false;
      for (int k = 0; k < total; k++) known |= seen[k] == values[i]->axes[j];
      if (known) continue;
      if (total + extra < MAX_AXES) {
        seen[total++] = values[i]->axes[j];
        continue;
      }
      const char *shapes = "";
      for (int k = 0; k < count; k++)
        shapes = arena_format(lowering->arena, "%s%s%s", shapes, k ? " and " : "", shape_text(lowering, values[k]));
      fail(lowering, span, "the result would have more than %d axes: %s", MAX_AXES, shapes);
      return false;
    }
  return true;
}

/* --- Numbers ------------------------------------------------------------------------------------------------------ */

bool evaluate_number(struct lowering *lowering, const struct ast_expression *expression, const char *what,
                     double *number) {
  /* Before there is a graph, an expression that turns out to be no number is built in a scratch graph, and then
     refused. */
  struct graph *graph = lowering->graph;
  if (!graph) lowering->graph = graph_new(lowering->arena, "scratch", &lowering->program->next_axis);
  struct thing thing = evaluate(lowering, expression);
  lowering->graph = graph;
  if (lowering->sizes && thing.kind == THING_AXIS) thing = thing_number((double)thing.axis->extent, true);
  if (thing.kind == THING_POISON) return false;
  if (thing.kind != THING_NUMBER) {
    fail(lowering, expression->span,
         "%s must be known when the spec is compiled: made of numbers, sizes of axes and indices of repeats", what);
    return false;
  }
  *number = thing.number;
  return true;
}

bool evaluate_integer(struct lowering *lowering, const struct ast_expression *expression, const char *what, int64_t low,
                      int64_t high, int64_t *number) {
  double real;
  if (!evaluate_number(lowering, expression, what, &real)) return false;
  if (real != floor(real) || real < (double)low || real > (double)high) {
    fail(lowering, expression->span, "%s must be a whole number from %lld to %lld, and is %.10g", what, (long long)low,
         (long long)high, real);
    return false;
  }
  *number = (int64_t)real;
  return true;
}

static bool whole(double number) { return number == floor(number) && fabs(number) < 9e15; }

static struct thing fold(const char *op, struct thing x, struct thing y) {
  const double a = x.number, b = y.number;
  const bool integers = x.integer && y.integer;
  if (!strcmp(op, "+")) return thing_number(a + b, integers);
  if (!strcmp(op, "-")) return thing_number(a - b, integers);
  if (!strcmp(op, "*")) return thing_number(a * b, integers);
  if (!strcmp(op, "/")) return thing_number(a / b, integers && b != 0 && whole(a / b));
  if (!strcmp(op, "%")) return thing_number(scalar_apply(OP_mod, KIND_REAL, a, b, 0), integers && b != 0);
  if (!strcmp(op, "^")) return thing_number(pow(a, b), integers && whole(pow(a, b)));
  if (!strcmp(op, "max")) return thing_number(a > b ? a : b, a > b ? x.integer : y.integer);
  if (!strcmp(op, "min")) return thing_number(a < b ? a : b, a < b ? x.integer : y.integer);
  if (!strcmp(op, "<")) return thing_boolean(a < b);
  if (!strcmp(op, "<=")) return thing_boolean(a <= b);
  if (!strcmp(op, ">")) return thing_boolean(a > b);
  if (!strcmp(op, ">=")) return thing_boolean(a >= b);
  if (!strcmp(op, "==")) return thing_boolean(a == b);
  if (!strcmp(op, "!=")) return thing_boolean(a != b);
  if (!strcmp(op, "and")) return thing_boolean(a != 0 && b != 0);
  if (!strcmp(op, "or")) return thing_boolean(a != 0 || b != 0);
  bug("no folding of '%s'", op);
}

/* --- Operators ---------------------------------------------------------------------------------------------------- */

static const struct operator{
  const char *text;
  enum op op;
  bool swapped;
}
operators[] = {
    {"+", OP_add, false}, {"-", OP_sub, false}, {"*", OP_mul, false},   {"/", OP_div, false},
    {"%", OP_mod, false}, {"^", OP_pow, false}, {"max", OP_max, false}, {"min", OP_min, false},
    {"<", OP_lt, false},  {"<=", OP_le, false}, {">", OP_lt, true},     {">=", OP_le, true},
    {"==", OP_eq, false}, {"!=", OP_ne, false}, {"and", OP_and, false}, {"or", OP_or, false},
};

static const struct operator* find_operator(const char *text) {
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
    if (!strcmp(operators[i].text, text)) return &operators[i];
  bug("no operator '%s'", text);
}

/* Powers with a small constant exponent are products, roots and reciprocals: cheaper, and exact for integers. */
static struct value *power(struct lowering *lowering, struct value *x, double exponent, struct span span) {
  struct graph *graph = lowering->graph;
  set_origin(lowering, span);
  if (exponent == 1) return x;
  if (exponent == 2 || exponent == 3 || exponent == 4) {
    if (x->kind == KIND_BOOLEAN) x = to_real(lowering, x);
    struct value *square = build_binary(graph, OP_mul, x, x);
    return exponent == 2 ? square : build_binary(graph, OP_mul, square, exponent == 3 ? x : square);
  }
  x = to_real(lowering, x);
  if (exponent == 0.5) return build_unary(graph, OP_sqrt, x);
  if (exponent == -0.5) return build_unary(graph, OP_rsqrt, x);
  if (exponent == -1) return build_binary(graph, OP_div, build_constant(graph, 1), x);
  return build_binary(graph, OP_pow, x, build_constant(graph, exponent));
}

struct thing lower_binary(struct lowering *lowering, const char *op, struct thing left, struct thing right,
                          struct span span) {
  left = single(lowering, left, span), right = single(lowering, right, span);
  if (lowering->sizes) {
    if (left.kind == THING_AXIS) left = thing_number((double)left.axis->extent, true);
    if (right.kind == THING_AXIS) right = thing_number((double)right.axis->extent, true);
  }
  if (left.kind == THING_POISON || right.kind == THING_POISON) return poison();
  if (left.kind == THING_NUMBER && right.kind == THING_NUMBER) {
    const struct thing folded = fold(op, left, right);
    if (!folded.integer || fabs(folded.number) <= 0x1p53) return folded;
    return fail(lowering, span, "this is %.17g, and whole numbers known when the spec is compiled are exact up to 2^53",
                folded.number);
  }
  const struct operator* facts = find_operator(op);
  const enum operands operands = op_facts[facts->op].takes;
  if (facts->op == OP_pow && right.kind == THING_NUMBER && left.kind == THING_VALUE)
    return made(lowering, power(lowering, left.value, right.number, span), span);
  const bool real = operands == OPERANDS_REALS;
  struct value *x = beside(lowering, left, &right, real, span), *y = beside(lowering, right, &left, real, span);
  if (!x || !y) return poison();
  set_origin(lowering, span);
  switch (operands) {
    case OPERANDS_NUMBERS:
    case OPERANDS_REALS:
    case OPERANDS_ORDERED:
      if (real || x->kind != y->kind || x->kind == KIND_BOOLEAN) x = to_real(lowering, x), y = to_real(lowering, y);
      break;
    case OPERANDS_ANY:
      if (x->kind != y->kind) x = to_real(lowering, x), y = to_real(lowering, y);
      break;
    case OPERANDS_BOOLEANS:
      if (x->kind != KIND_BOOLEAN || y->kind != KIND_BOOLEAN)
        return fail(lowering, span, "'%s' takes booleans, and the %s side is %s", op,
                    x->kind != KIND_BOOLEAN ? "left" : "right",
                    kind_names[x->kind != KIND_BOOLEAN ? x->kind : y->kind]);
      break;
    case OPERANDS_INTEGERS:
      bug("'%s' takes integers alone", op);
  }
  if (facts->op == OP_mod && y->kind == KIND_INTEGER && y->op == OP_constant && y->number == 0)
    return fail(lowering, span, "this divides by zero, so that there is no remainder");
  struct value *both[] = {facts->swapped ? y : x, facts->swapped ? x : y};
  if (!has_room(lowering, span, both, 2, 0)) return poison();
  return made(lowering, build_binary(lowering->graph, facts->op, both[0], both[1]), span);
}

struct thing lower_unary(struct lowering *lowering, enum op op, struct thing operand, struct span span) {
  const struct op_facts *facts = &op_facts[op];
  operand = single(lowering, operand, span);
  if (lowering->sizes && operand.kind == THING_AXIS) operand = thing_number((double)operand.axis->extent, true);
  if (operand.kind == THING_NUMBER) {
    if (op == OP_not) return thing_boolean(operand.number == 0);
    const bool integer = facts->gives == RESULT_INTEGER || (facts->takes == OPERANDS_NUMBERS && operand.integer);
    return thing_number(scalar_apply(op, KIND_REAL, operand.number, 0, 0), integer);
  }
  struct value *x = as_value(lowering, operand, span);
  if (!x) return poison();
  set_origin(lowering, span);
  if (facts->takes == OPERANDS_BOOLEANS) {
    if (x->kind != KIND_BOOLEAN)
      return fail(lowering, span, "'not' takes a boolean, and this is %s", kind_names[x->kind]);
  } else if (x->kind == KIND_INTEGER && facts->gives == RESULT_INTEGER) {
    return operand;
  } else if (x->kind == KIND_BOOLEAN || facts->takes == OPERANDS_REALS) {
    x = to_real(lowering, x);
  }
  return made(lowering, build_unary(lowering->graph, op, x), span);
}

static struct thing lower_contract(struct lowering *lowering, const struct ast_expression *expression) {
  struct value *x = as_real(lowering, evaluate(lowering, expression->left), expression->left->span);
  struct value *y = as_real(lowering, evaluate(lowering, expression->right), expression->right->span);
  struct axis *over[MAX_AXES];
  int count = 0;
  bool good = x && y;
  for (int i = 0; i < expression->axes.count; i++) {
    struct product product;
    if (!resolve_product(lowering, &expression->axes.items[i], &product)) return poison();
    for (int j = 0; j < product.count; j++) {
      struct axis *axis = product.factors[j];
      for (int k = 0; k < count; k++)
        if (over[k] == axis)
          return fail(lowering, expression->axes.items[i].span, "axis '%s' is contracted twice", axis->name);
      if (count == MAX_AXES)
        return fail(lowering, expression->op_span, "this contraction names more than %d axes", MAX_AXES);
      if (good && !(value_has_axis(x, axis) && value_has_axis(y, axis)))
        good = refuse(lowering, expression->op_span,
                      "'@%s' needs axis %s in both operands: the left has %s, the right has %s", axis->name, axis->name,
                      shape_text(lowering, x), shape_text(lowering, y));
      if (good && breaks_window_law(lowering, expression->op_span, axis, "contracting")) good = false;
      over[count++] = axis;
    }
  }
  if (!good) return poison();
  if (!count) return fail(lowering, expression->op_span, "a contraction names at least one axis");
  struct value *both[] = {x, y};
  if (!has_room(lowering, expression->span, both, 2, 0)) return poison();
  set_origin(lowering, expression->span);
  return made(lowering, build_contract(lowering->graph, x, y, over, count), expression->span);
}

/* --- Names -------------------------------------------------------------------------------------------------------- */

/* Whether the text that is lowered stands in an optimizer, or in a function that an optimizer calls. */
static bool in_optimizer(const struct lowering *lowering) {
  const struct frame *frame = lowering->frame;
  while (frame && !(frame->item && frame->item->kind == ITEM_OPTIMIZER)) frame = frame->caller;
  return frame;
}

static bool special_name(struct lowering *lowering, const char *name, struct span span, struct thing *thing) {
  if (!strcmp(name, "inf"))
    *thing = thing_number(INFINITY, false);
  else if (!strcmp(name, "none"))
    *thing = (struct thing){.kind = THING_NONE};
  else if (!strcmp(name, "true") || !strcmp(name, "false"))
    *thing = thing_boolean(*name == 't');
  else if (!strcmp(name, "training"))
    *thing = thing_boolean(lowering->training);
  else if ((!strcmp(name, "step") || !strcmp(name, "steps")) && lowering->graph && !lowering->in_region) {
    set_origin(lowering, span);
    const enum run_input which = strcmp(name, "step") ? RUN_STEPS : in_optimizer(lowering) ? RUN_STEP_TAKEN : RUN_STEP;
    *thing = thing_value(run_input(lowering, which));
  } else
    return false;
  return true;
}

static struct thing evaluate_path(struct lowering *lowering, const struct ast_expression *expression) {
  const struct ast_path *path = &expression->path;
  struct thing thing;
  if (path->parts.count == 1) {
    const struct symbol *symbol = scope_find(lowering->frame->scope, path->text);
    if (symbol) return symbol->thing;
    if (lowering->frame->resolve && lowering->frame->resolve(lowering, path->text, expression->span, &thing))
      return thing;
  }
  if (path->parts.count == 2 && !strcmp(path->parts.items[0].text, "output") && lowering->frame->resolve) {
    const int number = result_number(lowering, path->parts.items[1].text);
    if (number >= 0) return lowering->outputs.items[number];
  }
  struct parameter *parameter = find_parameter(lowering, path->text);
  if (parameter) return read_parameter(lowering, parameter, expression->span);
  if (path->parts.count == 1) {
    struct axis *axis = find_axis(lowering, path->text);
    if (axis) return (struct thing){.kind = THING_AXIS, .axis = axis};
    /* its size is wrong, and that was reported */
    if (find_global_axis(lowering, lowering->frame->file, path->text)) return poison();
    if (special_name(lowering, path->text, expression->span, &thing)) return thing;
    if (find_function(lowering, path->text, &thing)) return thing;
  }
  names candidates = {0};
  collect_visible_names(lowering, &candidates);
  for (int i = 0; lowering->frame->resolve && i < lowering->outputs.count; i++)
    array_push(lowering->arena, &candidates, lowering->model->results.items[i].name.text);
  if (lowering->sizes)
    return fail(lowering, expression->span, "there is no axis or number '%s' here%s", path->text,
                suggestion(lowering, path->text, &candidates));
  if (lowering->frame->resolve)
    return fail(lowering, expression->span, "there is no '%s' here: %s%s", path->text, supplied_text(lowering),
                suggestion(lowering, path->text, &candidates));
  return fail(lowering, expression->span, "there is no %s '%s' here%s", path->parts.count > 1 ? "parameter" : "name",
              path->text, suggestion(lowering, path->text, &candidates));
}

static struct thing evaluate_tuple(struct lowering *lowering, const struct ast_expression *expression) {
  things items = {0};
  evaluate_list(lowering, expression->items.items, expression->items.count, &items);
  return (struct thing){.kind = THING_TUPLE, .items = items.items, .item_count = items.count};
}

struct thing evaluate(struct lowering *lowering, const struct ast_expression *expression) {
  if (is_exhausted(lowering, expression->span, 1)) return poison();
  switch (expression->kind) {
    case AST_NUMBER:
      return thing_number(expression->number, expression->is_integer);
    case AST_STRING:
      return fail(lowering, expression->span, "a text is expected only in settings");
    case AST_PATH:
      return evaluate_path(lowering, expression);
    case AST_CALL:
      return lower_call(lowering, expression);
    case AST_TUPLE:
      return evaluate_tuple(lowering, expression);
    case AST_UNARY: {
      const struct thing operand = evaluate(lowering, expression->left);
      return lower_unary(lowering, !strcmp(expression->op, "not") ? OP_not : OP_neg, operand, expression->span);
    }
    case AST_BINARY: {
      const struct thing left = evaluate(lowering, expression->left), right = evaluate(lowering, expression->right);
      return lower_binary(lowering, expression->op, left, right, expression->span);
    }
    case AST_CONTRACT:
      return lower_contract(lowering, expression);
    case AST_VIEW:
      return lower_view(lowering, expression);
  }
  return poison();
}

void evaluate_list(struct lowering *lowering, struct ast_expression *const *expressions, int count, things *into) {
  for (int i = 0; i < count; i++) {
    const struct thing thing = evaluate(lowering, expressions[i]);
    if (thing.kind == THING_TUPLE && is_exhausted(lowering, expressions[i]->span, thing.item_count))
      array_push(lowering->arena, into, poison());
    else if (thing.kind == THING_TUPLE)
      for (int j = 0; j < thing.item_count; j++) array_push(lowering->arena, into, thing.items[j]);
    else
      array_push(lowering->arena, into, thing);
  }
}
