/* The tree as text: a canonical spec, two spaces a level, with brackets only where the grammar needs them. */
#include <string.h>

#include "frontend/ast.h"

/* How tightly an expression binds; the levels are those of the rules in spec.y. */
enum level {
  LEVEL_OR,
  LEVEL_AND,
  LEVEL_NOT,
  LEVEL_COMPARISON,
  LEVEL_SUM,
  LEVEL_TERM,
  LEVEL_UNARY,
  LEVEL_POWER,
  LEVEL_POSTFIX,
  LEVEL_PRIMARY
};

static enum level binary_level(const char *op) {
  if (!strcmp(op, "or")) return LEVEL_OR;
  if (!strcmp(op, "and")) return LEVEL_AND;
  if (!strcmp(op, "+") || !strcmp(op, "-")) return LEVEL_SUM;
  if (!strcmp(op, "*") || !strcmp(op, "/") || !strcmp(op, "%") || !strcmp(op, "@")) return LEVEL_TERM;
  if (!strcmp(op, "^")) return LEVEL_POWER;
  return LEVEL_COMPARISON;
}

static enum level level_of(const struct ast_expression *expression) {
  switch (expression->kind) {
    case AST_NUMBER:
    case AST_STRING:
    case AST_PATH:
    case AST_CALL:
    case AST_TUPLE:
      return LEVEL_PRIMARY;
    case AST_UNARY:
      return *expression->op == '-' ? LEVEL_UNARY : LEVEL_NOT;
    case AST_BINARY:
      return binary_level(expression->op);
    case AST_CONTRACT:
      return LEVEL_TERM;
    case AST_VIEW:
      return LEVEL_POSTFIX;
  }
  return LEVEL_PRIMARY;
}

static void print_expression(FILE *file, const struct ast_expression *expression, enum level least);

static void print_number(FILE *file, const struct ast_expression *expression) {
  char text[40];
  if (expression->is_integer) {
    fprintf(file, "%.0f", expression->number);
    return;
  }
  for (int digits = 1; digits <= 17; digits++) {
    double again;
    snprintf(text, sizeof text, "%.*g", digits, expression->number);
    if (sscanf(text, "%lf", &again) == 1 && again == expression->number) break;
  }
  fprintf(file, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void print_product(FILE *file, const struct ast_product *product) {
  for (int i = 0; i < product->factors.count; i++)
    fprintf(file, "%s%s", i ? " * " : "", product->factors.items[i].text);
}

static void print_products(FILE *file, const ast_products *products) {
  for (int i = 0; i < products->count; i++) {
    if (i) fputs(", ", file);
    print_product(file, &products->items[i]);
  }
}

static void print_expressions(FILE *file, const ast_expressions *expressions) {
  for (int i = 0; i < expressions->count; i++) {
    if (i) fputs(", ", file);
    print_expression(file, expressions->items[i], LEVEL_OR);
  }
}

static void print_call(FILE *file, const struct ast_expression *call) {
  if (call->label.parts.count) fprintf(file, "%s: ", call->label.text);
  fprintf(file, "%s(", call->path.text);
  for (int i = 0; i < call->arguments.count; i++) {
    const struct ast_argument *argument = &call->arguments.items[i];
    if (i) fputs(", ", file);
    if (argument->is_axis) {
      fprintf(file, "axis %s = ", argument->name.text);
      print_product(file, &argument->axis);
      continue;
    }
    if (argument->name.parts.count) fprintf(file, "%s = ", argument->name.text);
    print_expression(file, argument->value, LEVEL_OR);
  }
  fputc(')', file);
}

static void print_view(FILE *file, const struct ast_view *view) {
  switch (view->kind) {
    case VIEW_RENAME:
      print_product(file, &view->from);
      fputs(" -> ", file);
      print_product(file, &view->to);
      return;
    case VIEW_INDEX:
      fprintf(file, "%s = ", view->axis.text);
      print_expression(file, view->low, LEVEL_OR);
      return;
    case VIEW_RANGE:
      fprintf(file, "%s = ", view->axis.text);
      if (view->low) print_expression(file, view->low, LEVEL_OR);
      if (view->low) fputc(' ', file);
      fputs("..", file);
      if (view->high) fputc(' ', file);
      if (view->high) print_expression(file, view->high, LEVEL_OR);
      if (view->to.factors.count) fputs(" -> ", file);
      print_product(file, &view->to);
      return;
  }
}

static void print_contracted(FILE *file, const ast_products *axes) {
  const struct ast_product *first = &axes->items[0];
  const char *name = first->factors.items[0].text;
  bool bare = axes->count == 1 && first->factors.count == 1 && !(*name >= '0' && *name <= '9');
  fputs(bare ? " @" : " @(", file);
  print_products(file, axes);
  fputs(bare ? " " : ") ", file);
}

/* Prints an expression, in brackets when it binds less tightly than its place requires. */
static void print_expression(FILE *file, const struct ast_expression *expression, enum level least) {
  enum level level = level_of(expression);
  bool brackets = level < least;
  if (brackets) fputc('(', file);
  switch (expression->kind) {
    case AST_NUMBER:
      print_number(file, expression);
      break;
    case AST_STRING:
      fprintf(file, "\"%s\"", expression->text);
      break;
    case AST_PATH:
      fputs(expression->path.text, file);
      break;
    case AST_CALL:
      print_call(file, expression);
      break;
    case AST_TUPLE:
      fputc('(', file);
      print_expressions(file, &expression->items);
      fputc(')', file);
      break;
    case AST_UNARY:
      fprintf(file, "%s%s", expression->op, level == LEVEL_NOT ? " " : "");
      print_expression(file, expression->left, level);
      break;
    case AST_BINARY: {
      /* Comparisons do not chain, the exponent of a power may have a sign, and everything else associates to the
         left. */
      bool power = level == LEVEL_POWER, comparison = level == LEVEL_COMPARISON;
      print_expression(file, expression->left, power ? LEVEL_POSTFIX : comparison ? LEVEL_SUM : level);
      fprintf(file, " %s ", expression->op);
      print_expression(file, expression->right, power ? LEVEL_UNARY : level + 1);
      break;
    }
    case AST_CONTRACT:
      print_expression(file, expression->left, LEVEL_TERM);
      print_contracted(file, &expression->axes);
      print_expression(file, expression->right, LEVEL_UNARY);
      break;
    case AST_VIEW:
      print_expression(file, expression->left, LEVEL_POSTFIX);
      fputc('[', file);
      for (int i = 0; i < expression->views.count; i++) {
        if (i) fputs(", ", file);
        print_view(file, &expression->views.items[i]);
      }
      fputc(']', file);
      break;
  }
  if (brackets) fputc(')', file);
}

void ast_print_expression(FILE *file, const struct ast_expression *expression) {
  print_expression(file, expression, LEVEL_OR);
}

static void print_dims(FILE *file, bool has_dims, const ast_products *dims) {
  if (!has_dims) return;
  fputc('[', file);
  print_products(file, dims);
  fputc(']', file);
}

static void print_axis(FILE *file, const struct ast_axis *axis) {
  fprintf(file, "axis %s", axis->name.text);
  switch (axis->kind) {
    case AXIS_SIZE:
      fputs(" = ", file);
      break;
    case AXIS_BOUND:
      fputs(" <= ", file);
      break;
    case AXIS_LIKE:
      fprintf(file, " == %s", axis->like.text);
      break;
    case AXIS_OPEN:
      break;
  }
  if (axis->size) print_expression(file, axis->size, LEVEL_OR);
}

static void print_block(FILE *file, const ast_block *block, int indent);

static void print_conditional(FILE *file, const struct ast_statement *statement, int indent) {
  for (;;) {
    fputs("if ", file);
    print_expression(file, statement->expression, LEVEL_OR);
    print_block(file, &statement->body, indent);
    if (!statement->has_otherwise) return;
    fputs(" else", file);
    if (statement->otherwise.count != 1 || statement->otherwise.items[0]->kind != AST_IF) break;
    fputc(' ', file);
    statement = statement->otherwise.items[0];
  }
  print_block(file, &statement->otherwise, indent);
}

static void print_statement(FILE *file, const struct ast_statement *statement, int indent) {
  const char *target = statement->targets.count ? statement->targets.items[0].text : NULL;
  switch (statement->kind) {
    case AST_ASSIGN:
      for (int i = 0; i < statement->targets.count; i++)
        fprintf(file, "%s%s", i ? ", " : "", statement->targets.items[i].text);
      fputs(" = ", file);
      print_expressions(file, &statement->expressions);
      return;
    case AST_EXPRESSION:
      print_expressions(file, &statement->expressions);
      return;
    case AST_RETURN:
      fputs("return ", file);
      print_expressions(file, &statement->expressions);
      return;
    case AST_REPEAT:
      fprintf(file, "repeat %s[", target ? target : "");
      print_expression(file, statement->expression, LEVEL_OR);
      fputc(']', file);
      if (statement->as.text) fprintf(file, " as %s", statement->as.text);
      print_block(file, &statement->body, indent);
      return;
    case AST_PARAM:
    case AST_STATE:
      fprintf(file, "%s %s", statement->kind == AST_PARAM ? "param" : "state", target);
      print_dims(file, statement->has_dims, &statement->dims);
      if (statement->like.text) fprintf(file, " like %s", statement->like.text);
      if (statement->initial == INITIALISE_NONE) return;
      fputs(statement->initial == INITIALISE_DRAW ? " ~ " : " = ", file);
      print_expression(file, statement->expression, LEVEL_OR);
      return;
    case AST_AXIS:
      print_axis(file, &statement->axis);
      return;
    case AST_IF:
      print_conditional(file, statement, indent);
      return;
    case AST_FOR:
      for (int i = 0; i < statement->patterns.count; i++)
        fprintf(file, "%s\"%s\"", i ? ", " : "for ", statement->patterns.items[i].text);
      print_block(file, &statement->body, indent);
      return;
  }
}

static void print_block(FILE *file, const ast_block *block, int indent) {
  fputs(" {\n", file);
  for (int i = 0; i < block->count; i++) {
    fprintf(file, "%*s", indent + 2, "");
    print_statement(file, block->items[i], indent + 2);
    fputc('\n', file);
  }
  fprintf(file, "%*s}", indent, "");
}

static void print_signature(FILE *file, const struct ast_signature *signature) {
  fputs(signature->name.text, file);
  print_dims(file, signature->has_dims, &signature->dims);
  if (signature->range.text) fprintf(file, " in %s", signature->range.text);
  if (signature->type.text) fprintf(file, ": %s", signature->type.text);
}

static void print_parameters(FILE *file, const ast_parameters *parameters) {
  fputc('(', file);
  for (int i = 0; i < parameters->count; i++) {
    const struct ast_parameter *parameter = &parameters->items[i];
    if (i) fputs(", ", file);
    switch (parameter->kind) {
      case PARAMETER_VALUE:
        print_signature(file, &parameter->signature);
        break;
      case PARAMETER_DEFAULT:
        fprintf(file, "%s = ", parameter->signature.name.text);
        print_expression(file, parameter->initial, LEVEL_OR);
        break;
      case PARAMETER_AXIS:
        fprintf(file, "axis %s", parameter->signature.name.text);
        if (parameter->axis_default.text) fprintf(file, " = %s", parameter->axis_default.text);
        break;
    }
  }
  fputc(')', file);
}

/* A model's or a function's head after its name, and its body. */
static void print_body(FILE *file, const struct ast_item *item) {
  print_parameters(file, &item->parameters);
  for (int i = 0; i < item->over.count; i++) fprintf(file, "%s%s", i ? ", " : " over ", item->over.items[i].text);
  for (int i = 0; item->has_results && i < item->results.count; i++) {
    fputs(i ? ", " : " -> ", file);
    print_signature(file, &item->results.items[i]);
  }
  print_block(file, &item->body, 0);
  if (!item->has_gradient) return;
  fprintf(file, " gradient%s ", item->gradient_approximate ? " approximate" : "");
  print_parameters(file, &item->gradient_parameters);
  print_block(file, &item->gradient, 0);
}

static void print_item(FILE *file, const struct ast_item *item) {
  switch (item->kind) {
    case ITEM_USE:
      fprintf(file, "use \"%s\"", item->name.text);
      break;
    case ITEM_AXIS:
      print_axis(file, &item->axis);
      break;
    case ITEM_MODEL:
      fprintf(file, "model %s", item->name.text);
      print_body(file, item);
      break;
    case ITEM_FUNCTION:
      fprintf(file, "fn %s", item->name.text);
      print_body(file, item);
      break;
    case ITEM_OPTIMIZER:
      fprintf(file, "optimizer %s", item->name.text);
      print_body(file, item);
      break;
    case ITEM_DATA:
      fprintf(file, "data %s", item->name.text);
      print_block(file, &item->body, 0);
      break;
    case ITEM_TRAIN:
      fprintf(file, "train %s on %s", item->name.text, item->on.text);
      print_block(file, &item->body, 0);
      break;
    case ITEM_CALIBRATE:
      fprintf(file, "calibrate %s on %s", item->name.text, item->on.text);
      print_block(file, &item->body, 0);
      break;
    case ITEM_GENERATE:
      fprintf(file, "generate %s", item->name.text);
      print_block(file, &item->body, 0);
      break;
    case ITEM_PIPELINE:
      fprintf(file, item->name.text ? "pipeline %s" : "pipeline", item->name.text);
      print_block(file, &item->body, 0);
      break;
  }
  fputc('\n', file);
}

void ast_print(FILE *file, const struct ast_file *tree) {
  for (int i = 0; i < tree->items.count; i++) {
    const struct ast_item *item = tree->items.items[i];
    bool one_line = item->kind == ITEM_USE || item->kind == ITEM_AXIS;
    if (i && (!one_line || tree->items.items[i - 1]->kind != item->kind)) fputc('\n', file);
    print_item(file, item);
  }
}
