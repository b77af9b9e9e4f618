/* The rules of the loop IR that can be seen without running it. */
#include "ir/exactness.h"

#include <math.h>
#include <string.h>

struct verifier {
  struct arena *arena;
  const struct function *function;
  const char *message; /* the first thing wrong */
  ARRAY(const void *) scope; /* variables and arrays in scope */
  ARRAY(const struct statement *) loops;
};

static void wrong(struct verifier *verifier, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void wrong(struct verifier *verifier, const char *format, ...) {
  if (verifier->message) return;
  va_list arguments;
  va_start(arguments, format);
  verifier->message = arena_format(verifier->arena, "function %s: %s", verifier->function->name,
                                   arena_vformat(verifier->arena, format, arguments));
  va_end(arguments);
}

static bool in_scope(const struct verifier *verifier, const void *thing) {
  for (int i = verifier->scope.count; i-- > 0;)
    if (verifier->scope.items[i] == thing) return true;
  return false;
}

static void declare(struct verifier *verifier, const void *thing, const char *name) {
  if (in_scope(verifier, thing)) wrong(verifier, "%s is declared twice", name);
  array_push(verifier->arena, &verifier->scope, thing);
}

static const struct statement *innermost(const struct verifier *verifier, enum loop_kind kind) {
  for (int i = verifier->loops.count; i-- > 0;)
    if (verifier->loops.items[i]->loop == kind) return verifier->loops.items[i];
  return NULL;
}

/* Registers have no addresses: an index must be a constant once unrolled loops are copied and lanes are a vector. */
static void verify_register_index(struct verifier *verifier, const struct array *array,
                                  const struct expression *index) {
  if (index->kind == EXPRESSION_LOAD) wrong(verifier, "register array %s is indexed by a load", array->name);
  if (index->kind == EXPRESSION_VARIABLE) {
    for (int i = 0; i < verifier->loops.count; i++) {
      const struct statement *loop = verifier->loops.items[i];
      if (loop->variable == index->variable && (loop->loop == LOOP_UNROLLED || loop->loop == LOOP_VECTOR)) return;
    }
    wrong(verifier, "register array %s is indexed by %s, which is no lane and no unrolled loop's", array->name,
          index->variable->name);
  }
  for (int i = 0; i < index->argument_count; i++) verify_register_index(verifier, array, index->arguments[i]);
}

static void verify_expression(struct verifier *verifier, const struct expression *x);

/* An element that is read, written or pointed to; `extra` more elements follow it. */
static void verify_element(struct verifier *verifier, const struct array *array, const struct expression *index,
                           int64_t extra) {
  int64_t low, high;
  if (!in_scope(verifier, array)) {
    wrong(verifier, "array %s is not in scope", array->name);
    return;
  }
  verify_expression(verifier, index);
  if (verifier->message) return;
  if (index->type != TYPE_INDEX)
    wrong(verifier, "%s is indexed by a value of type %s", array->name, type_names[index->type]);
  if (array->memory == MEMORY_REGISTER) verify_register_index(verifier, array, index);
  /* Behind a guard a variable may run past the array, so an index into memory is wrong only where it is always outside.
     Register indices are constants or unrolled and have no guards, so they must always be inside. */
  if (!array->count || !expression_range(index, &low, &high)) return;
  if (low + extra >= array->count || high < 0 ||
      (array->memory == MEMORY_REGISTER && (low < 0 || high + extra >= array->count)))
    wrong(verifier, "%s[%lld .. %lld] is outside of its %lld elements", array->name, (long long)low,
          (long long)(high + extra), (long long)array->count);
}

static void verify_dot(struct verifier *verifier, const struct expression *x) {
  if (x->lanes != 2 && x->lanes != 4) wrong(verifier, "a dot of %d products", x->lanes);
  for (int i = 0; i < 3; i++)
    if (x->arguments[i]->type != x->type || x->type == TYPE_BOOLEAN || x->type == TYPE_INDEX)
      wrong(verifier, "a dot of %s is %s", type_names[x->arguments[i]->type], type_names[x->type]);
  for (int i = 1; i < 3 && !verifier->message; i++) {
    const struct expression *load = x->arguments[i];
    if (load->kind != EXPRESSION_LOAD || load->array->memory == MEMORY_REGISTER)
      wrong(verifier, "a dot of what does not lie in memory");
    else
      verify_element(verifier, load->array, load->arguments[0], x->lanes - 1);
  }
}

static void verify_quantile(struct verifier *verifier, const struct expression *x) {
  const struct expression *first = x->arguments[0];
  int64_t low, high;
  if (x->type != TYPE_REAL || x->arguments[1]->type != TYPE_INDEX || x->arguments[2]->type != TYPE_REAL)
    wrong(verifier, "a quantile of %s elements for %s is %s", type_names[x->arguments[1]->type],
          type_names[x->arguments[2]->type], type_names[x->type]);
  else if (first->kind != EXPRESSION_LOAD || first->array->memory == MEMORY_REGISTER ||
           first->array->storage != STORAGE_REAL)
    wrong(verifier, "a quantile of what does not lie in memory as reals");
  else if (innermost(verifier, LOOP_VECTOR))
    wrong(verifier, "a quantile inside a vector loop");
  else if (expression_range(x->arguments[1], &low, &high) && low < 1)
    wrong(verifier, "a quantile of %lld elements", (long long)low);
  else if (expression_range(x->arguments[1], &low, &high))
    verify_element(verifier, first->array, first->arguments[0], low - 1);
}

static void verify_expression(struct verifier *verifier, const struct expression *x) {
  if (verifier->message) return;
  enum type type = x->type, types[3] = {TYPE_REAL, TYPE_REAL, TYPE_REAL};
  if (x->kind != EXPRESSION_LOAD && x->kind != EXPRESSION_FOLD)
    for (int i = 0; i < x->argument_count; i++) verify_expression(verifier, x->arguments[i]);
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      if (type != TYPE_REAL && (!(fabs(x->number) <= 9007199254740992.0) || x->number != floor(x->number))) /* 2^53 */
        wrong(verifier, "%g is no %s", x->number, type_names[type]);
      return;
    case EXPRESSION_VARIABLE:
      if (!in_scope(verifier, x->variable)) wrong(verifier, "%s is not in scope", x->variable->name);
      if (type != x->variable->type)
        wrong(verifier, "%s has type %s", x->variable->name, type_names[x->variable->type]);
      return;
    case EXPRESSION_LOAD:
      verify_element(verifier, x->array, x->arguments[0], 0);
      if (type != x->array->type)
        wrong(verifier, "an element of %s has type %s", x->array->name, type_names[x->array->type]);
      return;
    case EXPRESSION_APPLY:
      if (!op_is_elementwise(x->op) || x->argument_count != op_facts[x->op].inputs) {
        wrong(verifier, "%s of %d operands", op_facts[x->op].name, x->argument_count);
        return;
      }
      for (int i = 0; i < x->argument_count; i++) types[i] = x->arguments[i]->type;
      if (!apply_type(x->op, types, &type) || type != x->type)
        wrong(verifier, "%s of %s gives no %s", op_facts[x->op].name, type_names[types[0]], type_names[x->type]);
      return;
    case EXPRESSION_FMA:
      for (int i = 0; i < 3; i++)
        if (x->arguments[i]->type != TYPE_REAL) wrong(verifier, "fma takes reals");
      return;
    case EXPRESSION_CONVERT:
      if (x->arguments[0]->type == TYPE_REAL || type == TYPE_BOOLEAN)
        wrong(verifier, "%s does not convert to %s", type_names[x->arguments[0]->type], type_names[type]);
      return;
    case EXPRESSION_FOLD:
      verify_element(verifier, x->array, x->arguments[0], x->lanes - 1);
      if (x->array->memory != MEMORY_REGISTER)
        wrong(verifier, "a fold of %s, which is no register array", x->array->name);
      if (type != TYPE_REAL && (type != TYPE_INTEGER || x->op != OP_add))
        wrong(verifier, "a fold of %s by %s", type_names[type], op_facts[x->op].name);
      if (x->lanes < 1 || (x->lanes & (x->lanes - 1))) wrong(verifier, "a fold of %d lanes", x->lanes);
      if (innermost(verifier, LOOP_VECTOR)) wrong(verifier, "a fold inside a vector loop");
      return;
    case EXPRESSION_DOT:
      verify_dot(verifier, x);
      return;
    case EXPRESSION_QUANTILE:
      verify_quantile(verifier, x);
      return;
    case EXPRESSION_DRAW:
      for (int i = 0; i < 5; i++)
        if (x->arguments[i]->type != TYPE_INDEX && x->arguments[i]->type != TYPE_INTEGER)
          wrong(verifier, "argument %d of a draw is %s", i, type_names[x->arguments[i]->type]);
      return;
  }
}

/* lt(affine in the lane with coefficient 1, free of the lane). */
static bool is_prefix_guard(const struct expression *condition, const struct variable *lane) {
  int64_t coefficient;
  return condition->kind == EXPRESSION_APPLY && condition->op == OP_lt &&
         expression_coefficient(condition->arguments[0], lane, &coefficient) && coefficient == 1 &&
         !expression_uses(condition->arguments[1], lane);
}

static void verify_vector_body(struct verifier *verifier, const struct statement *loop) {
  const struct block *body = &loop->body;
  bool guarded = false;
  for (int i = 0; i < body->statements.count; i++) {
    const struct statement *statement = body->statements.items[i];
    if (statement->kind != STATEMENT_IF) continue;
    if (guarded || body->statements.count != 1 || !is_prefix_guard(statement->expression, loop->variable))
      wrong(verifier, "vector loop %s has a condition that is no guard of all of it", loop->variable->name);
    guarded = true;
    body = &statement->body;
    i = -1;
  }
  for (int i = 0; i < body->statements.count; i++) {
    enum statement_kind kind = body->statements.items[i]->kind;
    if (kind != STATEMENT_LET && kind != STATEMENT_STORE && kind != STATEMENT_COMMENT)
      wrong(verifier, "vector loop %s holds more than lets and stores", loop->variable->name);
  }
}

static bool is_constant(const struct expression *x) { return x->kind == EXPRESSION_NUMBER; }

static void verify_block(struct verifier *verifier, const struct block *block);

static void verify_loop(struct verifier *verifier, const struct statement *loop) {
  const char *name = loop->variable->name;
  verify_expression(verifier, loop->extent);
  if (loop->extent->type != TYPE_INDEX || loop->variable->type != TYPE_INDEX)
    wrong(verifier, "loop %s runs over no index", name);
  if (loop->step < 1) wrong(verifier, "loop %s has a step of %lld", name, (long long)loop->step);
  switch (loop->loop) {
    case LOOP_SERIAL:
      break;
    case LOOP_PARALLEL:
      if (innermost(verifier, LOOP_PARALLEL)) wrong(verifier, "parallel loop %s inside another", name);
      break;
    case LOOP_VECTOR:
      if (!is_constant(loop->extent) || loop->step != 1) wrong(verifier, "vector loop %s has no constant extent", name);
      verify_vector_body(verifier, loop);
      break;
    case LOOP_UNROLLED:
      if (!is_constant(loop->extent)) wrong(verifier, "unrolled loop %s has no constant extent", name);
      break;
  }
  if (innermost(verifier, LOOP_VECTOR)) wrong(verifier, "loop %s inside a vector loop", name);
  int visible = verifier->scope.count;
  declare(verifier, loop->variable, name);
  array_push(verifier->arena, &verifier->loops, loop);
  verify_block(verifier, &loop->body);
  verifier->loops.count--;
  verifier->scope.count = visible;
}

static bool has_parallel_loop(const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *statement = block->statements.items[i];
    if (statement->kind == STATEMENT_LOOP && statement->loop == LOOP_PARALLEL) return true;
    if (statement->kind == STATEMENT_CALL && has_parallel_loop(&statement->function->body)) return true;
    if (has_parallel_loop(&statement->body)) return true;
  }
  return false;
}

static void verify_call(struct verifier *verifier, const struct statement *call) {
  const struct function *callee = call->function;
  if (callee == verifier->function || !callee->is_helper)
    wrong(verifier, "%s is called and is no helper", callee->name);
  if (innermost(verifier, LOOP_PARALLEL) && has_parallel_loop(&callee->body))
    wrong(verifier, "%s has a parallel loop and is called inside another", callee->name);
  if (callee->parameters.count != call->arguments.count) {
    wrong(verifier, "%s takes %d arguments and gets %d", callee->name, callee->parameters.count, call->arguments.count);
    return;
  }
  for (int i = 0; i < call->arguments.count; i++) {
    const struct argument *argument = &call->arguments.items[i];
    const struct parameter *parameter = &callee->parameters.items[i];
    if (!argument->array != !parameter->array) {
      wrong(verifier, "argument %d of %s is %s", i, callee->name, argument->array ? "a pointer" : "a number");
    } else if (!argument->array) {
      verify_expression(verifier, argument->expression);
      if (argument->expression->type != parameter->variable->type)
        wrong(verifier, "argument %d of %s is %s and not %s", i, callee->name, type_names[argument->expression->type],
              type_names[parameter->variable->type]);
    } else {
      verify_element(verifier, argument->array, argument->expression,
                     parameter->array->count ? parameter->array->count - 1 : 0);
      if (argument->array->storage != parameter->array->storage)
        wrong(verifier, "argument %d of %s is stored as %s and not as %s", i, callee->name,
              storage_names[argument->array->storage], storage_names[parameter->array->storage]);
      if (parameter->array->written && !argument->array->written)
        wrong(verifier, "%s writes %s, which is not to be written", callee->name, argument->array->name);
      if (argument->array->memory == MEMORY_REGISTER)
        wrong(verifier, "register array %s has no address for %s", argument->array->name, callee->name);
    }
  }
}

static void verify_expand(struct verifier *verifier, const struct statement *statement) {
  const int64_t count = is_constant(statement->extent) ? (int64_t)statement->extent->number : 0;
  if (statement->arguments.count != 3 || count < 1 || count % EXPAND_STEP) {
    wrong(verifier, "expand of %lld elements by %d pointers", (long long)count, statement->arguments.count);
    return;
  }
  const struct argument *arguments = statement->arguments.items;
  for (int i = 0; i < 3; i++)
    if (!arguments[i].array || arguments[i].array->memory == MEMORY_REGISTER) {
      wrong(verifier, "operand %d of expand does not lie in memory", i);
      return;
    }
  const struct array *to = arguments[0].array, *values = arguments[1].array, *masks = arguments[2].array;
  verify_element(verifier, to, arguments[0].expression, count - 1);
  verify_element(verifier, values, arguments[1].expression, 0);
  verify_element(verifier, masks, arguments[2].expression, count / MASK_BITS - 1);
  if (!to->written) wrong(verifier, "%s is not to be written", to->name);
  if (to == values || to == masks) wrong(verifier, "%s is expanded to itself", to->name);
  if (to->storage != values->storage || storage_facts[to->storage].bits < 8)
    wrong(verifier, "elements of storage %s are expanded to such of %s", storage_names[values->storage],
          storage_names[to->storage]);
  if (masks->storage != STORAGE_I32) wrong(verifier, "masks in elements of storage %s", storage_names[masks->storage]);
}

/* Whether the number is a constant, which *number then is. */
static bool constant_argument(const struct statement *statement, enum multiply_argument which, int64_t *number) {
  const struct expression *x = statement->arguments.items[which].expression;
  if (is_constant(x)) *number = (int64_t)x->number;
  return is_constant(x);
}

/* Bounds are known where the sizes are constants. */
static void verify_multiply(struct verifier *verifier, const struct statement *statement) {
  const struct argument *arguments = statement->arguments.items;
  if (statement->arguments.count != MULTIPLY_ARGUMENTS) {
    wrong(verifier, "multiply gets %d arguments", statement->arguments.count);
    return;
  }
  for (int i = 0; i < MULTIPLY_ARGUMENTS; i++) {
    const bool is_pointer = i == MULTIPLY_C || i == MULTIPLY_A || i == MULTIPLY_B;
    const char *name = multiply_arguments[i];
    if (!arguments[i].array != !is_pointer) {
      wrong(verifier, "argument %s of multiply is %s", name, arguments[i].array ? "a pointer" : "a number");
      return;
    }
    if (is_pointer && arguments[i].array->memory == MEMORY_REGISTER)
      wrong(verifier, "argument %s of multiply does not lie in memory", name);
    if (!is_pointer) verify_expression(verifier, arguments[i].expression);
    if (!is_pointer && arguments[i].expression->type != TYPE_INDEX)
      wrong(verifier, "argument %s of multiply is %s", name, type_names[arguments[i].expression->type]);
  }
  const struct array *c = arguments[MULTIPLY_C].array, *a = arguments[MULTIPLY_A].array,
                     *b = arguments[MULTIPLY_B].array;
  const int group = multiply_group(statement);
  if (!group)
    wrong(verifier, "multiply of elements stored as %s and %s", storage_names[a->storage], storage_names[b->storage]);
  if (c->storage != storage_of_type(c->type) || c->type != (a->type == TYPE_REAL ? TYPE_REAL : TYPE_INTEGER))
    wrong(verifier, "the sums of multiply are stored as %s", storage_names[c->storage]);
  if (!is_constant(arguments[MULTIPLY_FAR].expression)) wrong(verifier, "argument far of multiply is no constant");
  if (!c->written) wrong(verifier, "%s is not to be written", c->name);
  if (c == a || c == b) wrong(verifier, "%s is multiplied into itself", c->name);
  if (verifier->message) return;
  int64_t rows = 1, columns = 1, depth = 1, c_row = 0, a_row = 0, b_step = 0;
  constant_argument(statement, MULTIPLY_ROWS, &rows), constant_argument(statement, MULTIPLY_COLUMNS, &columns);
  constant_argument(statement, MULTIPLY_DEPTH, &depth), constant_argument(statement, MULTIPLY_C_ROW, &c_row);
  constant_argument(statement, MULTIPLY_A_ROW, &a_row), constant_argument(statement, MULTIPLY_B_STEP, &b_step);
  if (rows < 1 || columns < 1 || depth < 1 || c_row < 0 || a_row < 0 || b_step < 0) {
    wrong(verifier, "multiply of %lld rows, %lld columns and depth %lld", (long long)rows, (long long)columns,
          (long long)depth);
    return;
  }
  verify_element(verifier, c, arguments[MULTIPLY_C].expression, (rows - 1) * c_row + columns - 1);
  verify_element(verifier, a, arguments[MULTIPLY_A].expression, (rows - 1) * a_row + depth - 1);
  verify_element(verifier, b, arguments[MULTIPLY_B].expression, (depth - 1) / group * b_step + columns * group - 1);
}

static void verify_statement(struct verifier *verifier, const struct statement *statement) {
  int visible = verifier->scope.count;
  switch (statement->kind) {
    case STATEMENT_LOOP:
      verify_loop(verifier, statement);
      return;
    case STATEMENT_LET:
      verify_expression(verifier, statement->expression);
      if (statement->variable->type != statement->expression->type)
        wrong(verifier, "let %s of type %s is a value of type %s", statement->variable->name,
              type_names[statement->variable->type], type_names[statement->expression->type]);
      declare(verifier, statement->variable, statement->variable->name);
      return;
    case STATEMENT_ARRAY:
      if (statement->array->count < 1)
        wrong(verifier, "array %s has %lld elements", statement->array->name, (long long)statement->array->count);
      if (statement->array->memory == MEMORY_GLOBAL)
        wrong(verifier, "array %s is declared as global", statement->array->name);
      declare(verifier, statement->array, statement->array->name);
      return;
    case STATEMENT_STORE:
      verify_element(verifier, statement->array, statement->index, 0);
      verify_expression(verifier, statement->expression);
      if (!statement->array->written) wrong(verifier, "%s is not to be written", statement->array->name);
      if (statement->expression->type != statement->array->type)
        wrong(verifier, "a value of type %s stored in %s of type %s", type_names[statement->expression->type],
              statement->array->name, type_names[statement->array->type]);
      return;
    case STATEMENT_EXPAND:
      verify_expand(verifier, statement);
      return;
    case STATEMENT_MULTIPLY:
      verify_multiply(verifier, statement);
      return;
    case STATEMENT_PREFETCH:
      verify_expression(verifier, statement->index);
      if (statement->array->memory != MEMORY_GLOBAL)
        wrong(verifier, "a prefetch of %s, which is the function's own", statement->array->name);
      return;
    case STATEMENT_IF:
      verify_expression(verifier, statement->expression);
      if (statement->expression->type != TYPE_BOOLEAN)
        wrong(verifier, "a condition of type %s", type_names[statement->expression->type]);
      verify_block(verifier, &statement->body);
      verifier->scope.count = visible;
      return;
    case STATEMENT_CALL:
      verify_call(verifier, statement);
      return;
    case STATEMENT_COMMENT:
      return;
  }
}

static void verify_block(struct verifier *verifier, const struct block *block) {
  for (int i = 0; i < block->statements.count && !verifier->message; i++)
    verify_statement(verifier, block->statements.items[i]);
}

const char *function_verify(struct arena *arena, const struct function *function) {
  struct verifier verifier = {.arena = arena, .function = function};
  for (int i = 0; i < function->parameters.count; i++) {
    const struct parameter *parameter = &function->parameters.items[i];
    if (!parameter->array == !parameter->variable)
      wrong(&verifier, "parameter %d is neither memory nor a number", i);
    else if (parameter->array)
      declare(&verifier, parameter->array, parameter->array->name);
    else
      declare(&verifier, parameter->variable, parameter->variable->name);
  }
  verify_block(&verifier, &function->body);
  if (!verifier.message) verifier.message = function_stores_exactly(arena, function);
  return verifier.message;
}
