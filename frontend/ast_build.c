/* Builders of the syntax tree, which the productions of spec.y call. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/parse.h"

static struct span join(struct span first, struct span last) {
  return (struct span){first.source, first.begin, last.end};
}

/* Paths, names and products of axes. */

struct ast_path *make_path(struct parse *parse, struct ast_name first) {
  struct ast_path *path = arena_new_struct(parse->arena, struct ast_path);
  path->text = first.text;
  path->span = first.span;
  array_push(parse->arena, &path->parts, first);
  return path;
}

/* Reports a list longer than anybody would write. Code that takes time for each pair of a list's entries may rely on
   the limit. */
static void check_length(struct parse *parse, struct span span, int count, int most, const char *what) {
  if (count <= most || parse->abandoned) return;
  parse_error(parse, span, "more than %d %s", most, what);
  parse->abandoned = true;
}

void path_add_name(struct parse *parse, struct ast_path *path, struct ast_name name) {
  if (path->parts.count >= MOST_PARTS) {
    check_length(parse, name.span, path->parts.count + 1, MOST_PARTS, "parts in a path");
    return;
  }
  path->text = arena_format(parse->arena, "%s.%s", path->text, name.text);
  path->span = join(path->span, name.span);
  array_push(parse->arena, &path->parts, name);
}

/* In h.0.1.weight the scanner sees 0.1 as one number; it is two parts of the path. */
void path_add_number(struct parse *parse, struct ast_path *path, struct ast_name number) {
  size_t digits = strspn(number.text, "0123456789");
  const char *rest = number.text + digits;
  size_t more = *rest == '.' ? strspn(rest + 1, "0123456789") : 0;
  if (rest[more ? more + 1 : 0]) {
    parse_error(parse, number.span, "'%s' cannot be a part of a path: expected a name or a whole number", number.text);
    return;
  }
  struct span first = number.span, second = number.span;
  first.end = first.begin + (int)digits;
  second.begin = first.end + 1;
  path_add_name(parse, path, parse_text(parse, number.text, (int)digits, first));
  if (more) path_add_name(parse, path, parse_text(parse, rest + 1, (int)more, second));
}

ast_names *names_new(struct parse *parse, struct ast_name first) {
  ast_names *names = arena_new_struct(parse->arena, ast_names);
  array_push(parse->arena, names, first);
  return names;
}

struct ast_product *product_new(struct parse *parse, struct ast_name first) {
  struct ast_product *product = arena_new_struct(parse->arena, struct ast_product);
  product->span = first.span;
  array_push(parse->arena, &product->factors, first);
  return product;
}

void product_add(struct parse *parse, struct ast_product *product, struct ast_name factor) {
  product->span = join(product->span, factor.span);
  array_push(parse->arena, &product->factors, factor);
}

ast_products *products_new(struct parse *parse, struct ast_product *first) {
  ast_products *products = arena_new_struct(parse->arena, ast_products);
  array_push(parse->arena, products, *first);
  return products;
}

/* Signatures and parameters. */

struct ast_signature *make_signature(struct parse *parse, struct span span, struct ast_name name, ast_products *dims,
                                     struct ast_name range, struct ast_name type) {
  struct ast_signature *signature = arena_new_struct(parse->arena, struct ast_signature);
  signature->name = name;
  if (dims) signature->dims = *dims, signature->has_dims = true;
  signature->range = range;
  signature->type = type;
  signature->span = span;
  return signature;
}

struct ast_parameter *make_parameter(struct parse *parse, struct span span, struct ast_signature *signature) {
  struct ast_parameter *parameter = arena_new_struct(parse->arena, struct ast_parameter);
  parameter->kind = PARAMETER_VALUE;
  parameter->signature = *signature;
  parameter->span = span;
  return parameter;
}

static struct ast_parameter *named_parameter(struct parse *parse, struct span span, enum ast_parameter_kind kind,
                                             struct ast_name name) {
  struct ast_parameter *parameter = arena_new_struct(parse->arena, struct ast_parameter);
  parameter->kind = kind;
  parameter->signature.name = name;
  parameter->signature.span = name.span;
  parameter->span = span;
  return parameter;
}

struct ast_parameter *make_default(struct parse *parse, struct span span, struct ast_name name,
                                   struct ast_expression *initial) {
  struct ast_parameter *parameter = named_parameter(parse, span, PARAMETER_DEFAULT, name);
  parameter->initial = initial;
  return parameter;
}

struct ast_parameter *make_axis_parameter(struct parse *parse, struct span span, struct ast_name name,
                                          struct ast_name axis_default) {
  struct ast_parameter *parameter = named_parameter(parse, span, PARAMETER_AXIS, name);
  parameter->axis_default = axis_default;
  return parameter;
}

/* Expressions. */

static struct ast_expression *expression_new(struct parse *parse, enum ast_expression_kind kind, struct span span) {
  struct ast_expression *expression = arena_new_struct(parse->arena, struct ast_expression);
  expression->kind = kind;
  expression->span = span;
  expression->depth = 1;
  return expression;
}

/* Keeps the depth of an expression. Long chains are as deep as nested brackets, since a + b + ... leans to the left. */
static void deepen(struct parse *parse, struct ast_expression *expression, const struct ast_expression *child) {
  if (!child || child->depth < expression->depth) return;
  expression->depth = child->depth + 1;
  if (expression->depth <= DEEPEST_EXPRESSION || parse->abandoned) return;
  parse_error(parse, expression->span, "the expression has more than %d levels: name a part of it", DEEPEST_EXPRESSION);
  parse->abandoned = true;
}

struct ast_expression *make_number(struct parse *parse, struct ast_name number) {
  struct ast_expression *expression = expression_new(parse, AST_NUMBER, number.span);
  expression->number = strtod(number.text, NULL);
  expression->is_integer = !strpbrk(number.text, ".eE");
  const double largest_integer = 9007199254740992.0; /* 2^53: beyond, a double skips integers */
  if (expression->is_integer && expression->number > largest_integer)
    parse_error(parse, number.span, "the integer is too large: at most 2^53 = 9007199254740992");
  else if (isinf(expression->number))
    parse_error(parse, number.span, "the number is too large: at most 1.7976931348623157e308");
  else if (expression->number == 0 && number.text[strcspn(number.text, "123456789eE")] >= '1' &&
           number.text[strcspn(number.text, "123456789eE")] <= '9')
    parse_error(parse, number.span, "the number is too small to tell from 0");
  return expression;
}

struct ast_expression *make_string(struct parse *parse, struct ast_name text) {
  struct ast_expression *expression = expression_new(parse, AST_STRING, text.span);
  expression->text = text.text;
  return expression;
}

struct ast_expression *make_reference(struct parse *parse, struct ast_path *path) {
  struct ast_expression *expression = expression_new(parse, AST_PATH, path->span);
  expression->path = *path;
  return expression;
}

struct ast_expression *make_call(struct parse *parse, struct span span, struct ast_path *path,
                                 ast_arguments *arguments) {
  struct ast_expression *expression = expression_new(parse, AST_CALL, span);
  expression->path = *path;
  expression->arguments = *arguments;
  check_length(parse, path->span, arguments->count, MOST_ARGUMENTS, "arguments in a call");
  for (int i = 0; i < arguments->count; i++) deepen(parse, expression, arguments->items[i].value);
  return expression;
}

struct ast_expression *make_labelled(struct ast_expression *call, struct span span, struct ast_path *label) {
  call->label = *label;
  call->span = span;
  return call;
}

struct ast_expression *make_tuple(struct parse *parse, struct span span, struct ast_expression *first,
                                  ast_expressions *rest) {
  struct ast_expression *expression = expression_new(parse, AST_TUPLE, span);
  array_push(parse->arena, &expression->items, first);
  for (int i = 0; i < rest->count; i++) array_push(parse->arena, &expression->items, rest->items[i]);
  for (int i = 0; i < expression->items.count; i++) deepen(parse, expression, expression->items.items[i]);
  return expression;
}

struct ast_expression *make_unary(struct parse *parse, struct span span, const char *op, struct span op_span,
                                  struct ast_expression *operand) {
  struct ast_expression *expression = expression_new(parse, AST_UNARY, span);
  expression->op = op;
  expression->op_span = op_span;
  expression->left = operand;
  deepen(parse, expression, operand);
  return expression;
}

struct ast_expression *make_binary(struct parse *parse, struct span span, struct ast_expression *left, const char *op,
                                   struct span op_span, struct ast_expression *right) {
  struct ast_expression *expression = expression_new(parse, AST_BINARY, span);
  expression->op = op;
  expression->op_span = op_span;
  expression->left = left;
  expression->right = right;
  deepen(parse, expression, left);
  deepen(parse, expression, right);
  return expression;
}

struct ast_expression *make_contraction(struct parse *parse, struct span span, struct ast_expression *left,
                                        struct span op_span, ast_products *axes, struct ast_expression *right) {
  struct ast_expression *expression = make_binary(parse, span, left, "@", op_span, right);
  expression->kind = AST_CONTRACT;
  expression->axes = *axes;
  return expression;
}

struct ast_expression *make_viewed(struct parse *parse, struct span span, struct ast_expression *operand,
                                   ast_views *views) {
  struct ast_expression *expression = expression_new(parse, AST_VIEW, span);
  expression->left = operand;
  expression->views = *views;
  deepen(parse, expression, operand);
  for (int i = 0; i < views->count; i++) {
    deepen(parse, expression, views->items[i].low);
    deepen(parse, expression, views->items[i].high);
  }
  return expression;
}

struct ast_view *make_rename(struct parse *parse, struct span span, struct ast_product *from, struct ast_product *to) {
  struct ast_view *view = arena_new_struct(parse->arena, struct ast_view);
  view->kind = VIEW_RENAME;
  view->from = *from;
  view->to = *to;
  view->span = span;
  return view;
}

struct ast_view *make_range(struct parse *parse, enum ast_view_kind kind, struct ast_expression *low,
                            struct ast_expression *high) {
  struct ast_view *view = arena_new_struct(parse->arena, struct ast_view);
  view->kind = kind;
  view->low = low;
  view->high = high;
  return view;
}

struct ast_view *make_slice(struct parse *parse, struct span span, struct ast_name axis, struct ast_view *range,
                            struct ast_product *to) {
  range->axis = axis;
  range->span = span;
  if (to) range->to = *to;
  if (to && range->kind == VIEW_INDEX)
    parse_error(parse, to->span,
                "[%s = ...] takes one place of '%s' and leaves no axis to name; a range is written low .. high",
                axis.text, axis.text);
  return range;
}

struct ast_argument *make_argument(struct parse *parse, struct span span, struct ast_path *name,
                                   struct ast_expression *value) {
  struct ast_argument *argument = arena_new_struct(parse->arena, struct ast_argument);
  if (name) argument->name = *name;
  argument->value = value;
  argument->span = span;
  return argument;
}

struct ast_argument *make_axis_argument(struct parse *parse, struct span span, struct ast_name name,
                                        struct ast_product *axis) {
  struct ast_argument *argument = make_argument(parse, span, make_path(parse, name), NULL);
  argument->is_axis = true;
  argument->axis = *axis;
  return argument;
}

/* Statements. */

struct ast_axis *make_axis(struct parse *parse, struct span span, struct ast_name name, enum ast_axis_kind kind,
                           struct ast_expression *size, struct ast_name like) {
  struct ast_axis *axis = arena_new_struct(parse->arena, struct ast_axis);
  *axis = (struct ast_axis){name, kind, size, like, span};
  return axis;
}

static struct ast_statement *statement_new(struct parse *parse, enum ast_statement_kind kind, struct span span) {
  struct ast_statement *statement = arena_new_struct(parse->arena, struct ast_statement);
  statement->kind = kind;
  statement->span = span;
  return statement;
}

struct ast_statement *make_assignment(struct parse *parse, struct span span, ast_paths *targets,
                                      ast_expressions *values) {
  struct ast_statement *statement = statement_new(parse, AST_ASSIGN, span);
  statement->targets = *targets;
  statement->expressions = *values;
  return statement;
}

struct ast_statement *make_expression_statement(struct parse *parse, struct span span, struct ast_expression *call) {
  struct ast_statement *statement = statement_new(parse, AST_EXPRESSION, span);
  array_push(parse->arena, &statement->expressions, call);
  return statement;
}

struct ast_statement *make_return(struct parse *parse, struct span span, ast_expressions *values) {
  struct ast_statement *statement = statement_new(parse, AST_RETURN, span);
  statement->expressions = *values;
  return statement;
}

struct ast_statement *make_repeat(struct parse *parse, struct span span, struct ast_path *path,
                                  struct ast_expression *count, struct ast_name as, ast_block *body) {
  struct ast_statement *statement = statement_new(parse, AST_REPEAT, span);
  if (path) array_push(parse->arena, &statement->targets, *path);
  statement->expression = count;
  statement->as = as;
  statement->body = *body;
  return statement;
}

struct ast_statement *make_param(struct parse *parse, struct span span, struct ast_path *path, ast_products *dims,
                                 enum ast_initial initial, struct ast_expression *value) {
  struct ast_statement *statement = statement_new(parse, AST_PARAM, span);
  array_push(parse->arena, &statement->targets, *path);
  if (dims) statement->dims = *dims, statement->has_dims = true;
  statement->initial = initial;
  statement->expression = value;
  return statement;
}

struct ast_statement *make_state(struct parse *parse, struct span span, struct ast_name name, ast_products *dims,
                                 struct ast_name like, struct ast_expression *value) {
  struct ast_statement *statement = statement_new(parse, AST_STATE, span);
  array_push(parse->arena, &statement->targets, *make_path(parse, name));
  if (dims) statement->dims = *dims, statement->has_dims = true;
  statement->initial = INITIALISE_VALUE;
  statement->like = like;
  statement->expression = value;
  return statement;
}

struct ast_statement *make_axis_statement(struct parse *parse, struct span span, struct ast_axis *axis) {
  struct ast_statement *statement = statement_new(parse, AST_AXIS, span);
  statement->axis = *axis;
  return statement;
}

struct ast_statement *make_if(struct parse *parse, struct span span, struct ast_expression *condition, ast_block *body,
                              ast_block *otherwise) {
  struct ast_statement *statement = statement_new(parse, AST_IF, span);
  statement->expression = condition;
  statement->body = *body;
  if (otherwise) statement->otherwise = *otherwise, statement->has_otherwise = true;
  return statement;
}

struct ast_statement *make_for(struct parse *parse, struct span span, ast_names *patterns, ast_block *body) {
  struct ast_statement *statement = statement_new(parse, AST_FOR, span);
  statement->patterns = *patterns;
  statement->body = *body;
  return statement;
}

/* Items. */

struct ast_item *make_item(struct parse *parse, struct span span, enum ast_item_kind kind, struct ast_name name,
                           ast_parameters *parameters, ast_block *body) {
  struct ast_item *item = arena_new_struct(parse->arena, struct ast_item);
  item->kind = kind;
  item->span = span;
  item->name = name;
  if (parameters) item->parameters = *parameters;
  check_length(parse, name.span, item->parameters.count, MOST_ARGUMENTS, "names in brackets");
  if (body) item->body = *body;
  return item;
}

void item_set_results(struct parse *parse, struct ast_item *item, ast_names *over, ast_signatures *results) {
  if (over) item->over = *over;
  if (results) item->results = *results, item->has_results = true;
  check_length(parse, item->name.span, item->over.count, MOST_ARGUMENTS, "axes after 'over'");
  check_length(parse, item->name.span, item->results.count, MOST_ARGUMENTS, "results");
}

void item_set_gradient(struct parse *parse, struct ast_item *item, struct ast_name qualifier,
                       ast_parameters *parameters, ast_block *body) {
  if (qualifier.text && strcmp(qualifier.text, "approximate"))
    parse_error(parse, qualifier.span, "expected '(' or 'approximate' after 'gradient', found '%s'", qualifier.text);
  item->has_gradient = true;
  item->gradient_approximate = qualifier.text != NULL;
  item->gradient_parameters = *parameters;
  item->gradient = *body;
}
