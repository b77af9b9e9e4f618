/* A syntax tree as a fully bracketed text without places: equal texts are equal trees. It shares nothing with ast_print, so
   that a wrong bracket there shows. */
#ifndef TESTS_UNIT_TREE_DUMP_H
#define TESTS_UNIT_TREE_DUMP_H

#include "frontend/ast.h"

static void dump_block(FILE *file, const ast_block *block);

static void dump_products(FILE *file, const ast_products *products) {
  fputc('[', file);
  for (int i = 0; i < products->count; i++) {
    for (int j = 0; j < products->items[i].factors.count; j++)
      fprintf(file, "%s%s", j ? "*" : "", products->items[i].factors.items[j].text);
    fputc(';', file);
  }
  fputc(']', file);
}

static void dump_product(FILE *file, const struct ast_product *product) {
  struct ast_product copy = *product;
  ast_products one = {&copy, 1, 1};
  dump_products(file, &one);
}

static void dump_path(FILE *file, const struct ast_path *path) {
  for (int i = 0; i < path->parts.count; i++) fprintf(file, "%s%s", i ? "." : "", path->parts.items[i].text);
}

static void dump_expression(FILE *file, const struct ast_expression *expression) {
  if (!expression) {
    fputs("none", file);
    return;
  }
  static const char *const kinds[] = {"number", "string", "path",     "call", "tuple",
                                      "unary",  "binary", "contract", "view"};
  fprintf(file, "(%s ", kinds[expression->kind]);
  if (expression->kind == AST_NUMBER)
    fprintf(file, "%s%.17g", expression->is_integer ? "" : "real ", expression->number);
  if (expression->text) fprintf(file, "\"%s\"", expression->text);
  if (expression->label.parts.count) {
    dump_path(file, &expression->label);
    fputs(": ", file);
  }
  dump_path(file, &expression->path);
  if (expression->op) fprintf(file, "%s ", expression->op);
  if (expression->kind == AST_CONTRACT) dump_products(file, &expression->axes);
  for (int i = 0; i < expression->arguments.count; i++) {
    const struct ast_argument *argument = &expression->arguments.items[i];
    fputs(argument->is_axis ? " axis " : " ", file);
    if (argument->name.parts.count) {
      dump_path(file, &argument->name);
      fputc('=', file);
    }
    if (argument->is_axis)
      dump_product(file, &argument->axis);
    else
      dump_expression(file, argument->value);
  }
  for (int i = 0; i < expression->items.count; i++) dump_expression(file, expression->items.items[i]);
  if (expression->left) dump_expression(file, expression->left);
  if (expression->right) dump_expression(file, expression->right);
  for (int i = 0; i < expression->views.count; i++) {
    const struct ast_view *view = &expression->views.items[i];
    static const char *const views[] = {"rename", "index", "range"};
    fprintf(file, " %s %s", views[view->kind], view->axis.text ? view->axis.text : "");
    dump_product(file, &view->from);
    dump_product(file, &view->to);
    dump_expression(file, view->low);
    dump_expression(file, view->high);
  }
  fputc(')', file);
}

static void dump_name(FILE *file, struct ast_name name) { fprintf(file, " %s", name.text ? name.text : "-"); }

static void dump_axis(FILE *file, const struct ast_axis *axis) {
  fprintf(file, "axis%d", axis->kind);
  dump_name(file, axis->name);
  dump_name(file, axis->like);
  dump_expression(file, axis->size);
}

static void dump_statement(FILE *file, const struct ast_statement *statement) {
  fprintf(file, "{%d", statement->kind);
  for (int i = 0; i < statement->targets.count; i++) {
    fputc(' ', file);
    dump_path(file, &statement->targets.items[i]);
  }
  for (int i = 0; i < statement->expressions.count; i++) dump_expression(file, statement->expressions.items[i]);
  dump_expression(file, statement->expression);
  dump_name(file, statement->as);
  dump_name(file, statement->like);
  if (statement->has_dims) dump_products(file, &statement->dims);
  fprintf(file, " initial%d ", statement->initial);
  if (statement->kind == AST_AXIS) dump_axis(file, &statement->axis);
  dump_block(file, &statement->body);
  if (statement->has_otherwise) dump_block(file, &statement->otherwise);
  for (int i = 0; i < statement->patterns.count; i++) dump_name(file, statement->patterns.items[i]);
  fputs("}\n", file);
}

static void dump_block(FILE *file, const ast_block *block) {
  fputs("<", file);
  for (int i = 0; i < block->count; i++) dump_statement(file, block->items[i]);
  fputs(">", file);
}

static void dump_signature(FILE *file, const struct ast_signature *signature) {
  dump_name(file, signature->name);
  if (signature->has_dims) dump_products(file, &signature->dims);
  dump_name(file, signature->range);
  dump_name(file, signature->type);
}

static void dump_parameters(FILE *file, const ast_parameters *parameters) {
  for (int i = 0; i < parameters->count; i++) {
    fprintf(file, " p%d", parameters->items[i].kind);
    dump_signature(file, &parameters->items[i].signature);
    dump_name(file, parameters->items[i].axis_default);
    dump_expression(file, parameters->items[i].initial);
  }
}

/* Text on the heap. */
static char *dump_tree(const struct ast_file *tree) {
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  for (int i = 0; i < tree->items.count; i++) {
    const struct ast_item *item = tree->items.items[i];
    fprintf(file, "item%d", item->kind);
    dump_name(file, item->name);
    if (item->kind == ITEM_AXIS) dump_axis(file, &item->axis);
    dump_parameters(file, &item->parameters);
    for (int j = 0; j < item->over.count; j++) dump_name(file, item->over.items[j]);
    fprintf(file, " results%d", item->has_results);
    for (int j = 0; j < item->results.count; j++) dump_signature(file, &item->results.items[j]);
    dump_block(file, &item->body);
    dump_path(file, &item->on);
    fprintf(file, " gradient%d%d", item->has_gradient, item->gradient_approximate);
    dump_parameters(file, &item->gradient_parameters);
    dump_block(file, &item->gradient);
    fputc('\n', file);
  }
  fclose(file);
  return text;
}

#endif
