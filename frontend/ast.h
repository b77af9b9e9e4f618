/* The syntax tree of a spec, as the parser builds it and lowering reads it. Nothing here knows what a name means. */
#ifndef FRONTEND_AST_H
#define FRONTEND_AST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ir/diagnostics.h"

struct ast_name {
  const char *text;
  struct span span;
};
typedef ARRAY(struct ast_name) ast_names;

/* A dotted path a.b.0.c: `text` is the whole, `parts` its words. */
struct ast_path {
  const char *text;
  ast_names parts;
  struct span span;
};
typedef ARRAY(struct ast_path) ast_paths;

/* An axis or a product of axes, as in [part * head * key]; a factor may be the number 1, 2 ... */
struct ast_product {
  ast_names factors;
  struct span span;
};
typedef ARRAY(struct ast_product) ast_products;

/* name[dims] in range   or   name[dims]: bool */
struct ast_signature {
  struct ast_name name;
  ast_products dims;
  bool has_dims;          /* x and x[] differ: the first says nothing of its axes */
  struct ast_name range;  /* "in vocab"; text NULL if absent */
  struct ast_name type;   /* ": bool"; text NULL if absent */
  struct span span;
};
typedef ARRAY(struct ast_signature) ast_signatures;

enum ast_parameter_kind { PARAMETER_VALUE, PARAMETER_DEFAULT, PARAMETER_AXIS };
struct ast_parameter {
  enum ast_parameter_kind kind;
  struct ast_signature signature;       /* value: all of it; default and axis: the name alone */
  struct ast_expression *initial;       /* default: name = initial */
  struct ast_name axis_default;         /* axis name = other; text NULL if absent */
  struct span span;
};
typedef ARRAY(struct ast_parameter) ast_parameters;

enum ast_expression_kind {
  AST_NUMBER,
  AST_STRING,
  AST_PATH,
  AST_CALL,
  AST_TUPLE,
  AST_UNARY,    /* op: "-" "not" */
  AST_BINARY,   /* op: "+" "-" "*" "/" "%" "^" "<" "<=" ">" ">=" "==" "!=" "and" "or" */
  AST_CONTRACT, /* left @axes right */
  AST_VIEW      /* left[views] */
};

/* The parser refuses deeper nesting, so that walks of the tree may recurse. */
enum { DEEPEST_EXPRESSION = 256, DEEPEST_BRACKETS = 256, MOST_ARGUMENTS = 1000, MOST_PARTS = 100 };

enum ast_view_kind {
  VIEW_RENAME, /* [from -> to]: rename, split (to is a product), merge (from is a product) */
  VIEW_INDEX,  /* [axis = low]: select by a constant or gather by a tensor */
  /* [axis = low .. high -> to.factors[0]]; low or high may be NULL; `to` may be empty, and lowering says so */
  VIEW_RANGE
};
struct ast_view {
  enum ast_view_kind kind;
  struct ast_product from, to;
  struct ast_name axis;
  struct ast_expression *low, *high;
  struct span span;
};
typedef ARRAY(struct ast_view) ast_views;

/* An argument: positional (name.text NULL), name = value, or axis name = product. */
struct ast_argument {
  struct ast_path name;          /* parts.count 0 when positional */
  struct ast_expression *value;  /* NULL for an axis argument */
  struct ast_product axis;       /* axis argument; its `name` is name */
  bool is_axis;
  struct span span;
};
typedef ARRAY(struct ast_argument) ast_arguments;
typedef ARRAY(struct ast_expression *) ast_expressions;

struct ast_expression {
  enum ast_expression_kind kind;
  struct span span;
  double number;
  bool is_integer;               /* the number was written without point and exponent */
  const char *text;              /* string contents */
  struct ast_path path;          /* path; call: what is called */
  struct ast_path label;         /* call: "attn" of attn: f(x); parts.count 0 without one */
  ast_arguments arguments;
  ast_expressions items; /* tuple */
  const char *op;
  struct span op_span;
  struct ast_expression *left, *right;  /* unary: left */
  ast_products axes;                    /* contract */
  ast_views views;
  int depth; /* the height of the expression, itself included: at most DEEPEST_EXPRESSION */
};

typedef ARRAY(struct ast_statement *) ast_block;

enum ast_statement_kind {
  AST_ASSIGN, /* targets = expressions */
  AST_EXPRESSION, /* a labelled call alone */
  AST_RETURN,
  AST_REPEAT,
  AST_PARAM,
  AST_STATE,
  AST_AXIS,
  AST_IF,
  AST_FOR
};
enum ast_initial { INITIALISE_NONE, INITIALISE_VALUE /* = */, INITIALISE_DRAW /* ~ */ };
enum ast_axis_kind { AXIS_SIZE /* = */, AXIS_BOUND /* <= */, AXIS_LIKE /* == */, AXIS_OPEN };

struct ast_axis {
  struct ast_name name;
  enum ast_axis_kind kind;
  struct ast_expression *size; /* size and bound */
  struct ast_name like;
  struct span span;
};

struct ast_statement {
  enum ast_statement_kind kind;
  struct span span;
  ast_paths targets; /* assign; param and repeat: the path in targets.items[0] (repeat: may be none) */
  ast_expressions expressions; /* assign, expression, return */
  struct ast_expression *expression; /* repeat: count; param: initial; state: initial; if: condition */
  struct ast_name as; /* repeat ... as i; text NULL without */
  ast_products dims; /* param, state */
  bool has_dims;
  enum ast_initial initial;
  struct ast_name like; /* state m like p; text NULL without */
  struct ast_axis axis;
  ast_block body, otherwise; /* repeat, if, for */
  bool has_otherwise;
  ast_names patterns; /* for: the strings, without quotes */
};

enum ast_item_kind {
  ITEM_USE,
  ITEM_AXIS,
  ITEM_MODEL,
  ITEM_FUNCTION,
  ITEM_OPTIMIZER,
  ITEM_DATA,
  ITEM_TRAIN,
  ITEM_CALIBRATE,
  ITEM_GENERATE,
  ITEM_PIPELINE
};
enum { ITEM_KINDS = ITEM_PIPELINE + 1 };

struct ast_item {
  enum ast_item_kind kind;
  struct span span;
  struct ast_name name; /* use: the string; pipeline: text NULL without one */
  struct ast_axis axis;
  ast_parameters parameters;
  ast_names over;
  ast_signatures results;
  bool has_results;
  ast_block body; /* pipeline: AST_EXPRESSION statements, each a path or a call */
  struct ast_path on; /* train M on D, calibrate M on D */
  bool has_gradient, gradient_approximate;
  ast_parameters gradient_parameters;
  ast_block gradient;
};

struct ast_file {
  const struct source *source;
  ARRAY(struct ast_item *) items;
};

/* Parses one source. Syntax errors are reported, at most one for a line. Returns what could be read. */
struct ast_file *parse_source(struct arena *arena, const struct source *source, struct diagnostics *diagnostics);
/* Parses a single expression, for "-D name=VALUE"; NULL after an error. */
struct ast_expression *parse_expression(struct arena *arena, const struct source *source,
                                        struct diagnostics *diagnostics);
/* The same, beginning at byte `begin` of the source, so that spans point into the whole argument "name=VALUE". */
struct ast_expression *parse_expression_at(struct arena *arena, const struct source *source, int begin,
                                           struct diagnostics *diagnostics);
/* Prints the tree as a spec that parses to an equal tree (lamella show --stage=ast). */
void ast_print(FILE *file, const struct ast_file *tree);
/* One expression, in the same canonical form. */
void ast_print_expression(FILE *file, const struct ast_expression *expression);

#endif
