/* Declarations shared by the scanner, the grammar, the builders of the tree and the wording of syntax errors. Private to the
   parser. */
#ifndef FRONTEND_PARSE_H
#define FRONTEND_PARSE_H

#include "frontend/ast.h"

/* A bracket not yet closed. */
struct bracket {
  char kind; /* one of ( [ { */
  struct span span;
  int indent; /* spaces before the first word of its line */
};

/* A token on its way from the scanner to the grammar. */
struct token {
  int kind;
  struct ast_name name; /* words, numbers and strings (these without quotes) */
  struct span span;
};

/* One run of the parser. The scanner's state is here and nowhere else. */
struct parse {
  struct arena *arena;
  const struct source *source;
  struct diagnostics *diagnostics;
  void *scanner;
  int offset; /* bytes scanned */
  int start; /* a first token that tells the grammar which of its starts is meant */
  struct token last; /* the last token delivered: it decides whether a newline ends a statement */
  struct token before_last; /* the last token that the grammar accepted when it reports an error at `last` */
  struct token held; /* when holding: a scanned token that waits until a line end is delivered */
  bool holding;
  ARRAY(struct bracket) open;
  struct bracket around; /* the innermost bracket open when `last` came, which may have closed it; kind 0: none */
  struct span suspect; /* a '{' whose '}' is indented less than its line, and so is probably not its own */
  int stray_brace; /* where a '}' came that closes no bracket, or -1 */
  bool unclosed_reported;
  bool abandoned; /* there were too many errors, or too deep nesting: the rest is not read */
  int error_line, error_at; /* line and place of the last syntax error: one for a line is enough */
  struct ast_file *file;
  struct ast_expression *expression;
};

/* A newline from the scanner, before it is known whether it ends anything. The grammar never sees it. */
enum { TOKEN_NEWLINE = 1 };

/* Whether only blanks stand before `offset` in its line. */
bool begins_line(const struct source *source, int offset);

/* The scanner calls these for each match and each kind of value. */
struct span parse_advance(struct parse *parse, int length);
struct ast_name parse_text(struct parse *parse, const char *text, int length, struct span span);

/* Reports a syntax error, unless its line has one already. True if it did. */
bool parse_error(struct parse *parse, struct span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Words a syntax error: `found` and `expected` are the grammar's names of tokens. */
void explain_syntax_error(struct parse *parse, struct span span, const char *found, const char *const *expected,
                          int count);
/* Reports a character that the language does not have, and says what was probably meant. */
void explain_stray_character(struct parse *parse, const char *text, int length, struct span span);

/* Builders: one for each production that makes something. They pass small structs by pointer, which keeps the grammar's
   values small. */
struct ast_path *make_path(struct parse *parse, struct ast_name first);
void path_add_name(struct parse *parse, struct ast_path *path, struct ast_name name);
void path_add_number(struct parse *parse, struct ast_path *path, struct ast_name number);

ast_names *names_new(struct parse *parse, struct ast_name first);
struct ast_product *product_new(struct parse *parse, struct ast_name first);
void product_add(struct parse *parse, struct ast_product *product, struct ast_name factor);
ast_products *products_new(struct parse *parse, struct ast_product *first);

struct ast_signature *make_signature(struct parse *parse, struct span span, struct ast_name name, ast_products *dims,
                                     struct ast_name range, struct ast_name type);
struct ast_parameter *make_parameter(struct parse *parse, struct span span, struct ast_signature *signature);
struct ast_parameter *make_default(struct parse *parse, struct span span, struct ast_name name,
                                   struct ast_expression *initial);
struct ast_parameter *make_axis_parameter(struct parse *parse, struct span span, struct ast_name name,
                                          struct ast_name axis_default);

struct ast_expression *make_number(struct parse *parse, struct ast_name number);
struct ast_expression *make_string(struct parse *parse, struct ast_name text);
struct ast_expression *make_reference(struct parse *parse, struct ast_path *path);
struct ast_expression *make_call(struct parse *parse, struct span span, struct ast_path *path,
                                 ast_arguments *arguments);
struct ast_expression *make_labelled(struct ast_expression *call, struct span span, struct ast_path *label);
struct ast_expression *make_tuple(struct parse *parse, struct span span, struct ast_expression *first,
                                  ast_expressions *rest);
struct ast_expression *make_unary(struct parse *parse, struct span span, const char *op, struct span op_span,
                                  struct ast_expression *operand);
struct ast_expression *make_binary(struct parse *parse, struct span span, struct ast_expression *left, const char *op,
                                   struct span op_span, struct ast_expression *right);
struct ast_expression *make_contraction(struct parse *parse, struct span span, struct ast_expression *left,
                                        struct span op_span, ast_products *axes, struct ast_expression *right);
struct ast_expression *make_viewed(struct parse *parse, struct span span, struct ast_expression *operand,
                                   ast_views *views);
struct ast_view *make_rename(struct parse *parse, struct span span, struct ast_product *from, struct ast_product *to);
/* [axis = range] and [axis = range -> to]; `to` NULL without. */
struct ast_view *make_slice(struct parse *parse, struct span span, struct ast_name axis, struct ast_view *range,
                            struct ast_product *to);
struct ast_view *make_range(struct parse *parse, enum ast_view_kind kind, struct ast_expression *low,
                            struct ast_expression *high);

struct ast_argument *make_argument(struct parse *parse, struct span span, struct ast_path *name,
                                   struct ast_expression *value);
struct ast_argument *make_axis_argument(struct parse *parse, struct span span, struct ast_name name,
                                        struct ast_product *axis);

struct ast_axis *make_axis(struct parse *parse, struct span span, struct ast_name name, enum ast_axis_kind kind,
                           struct ast_expression *size, struct ast_name like);

struct ast_statement *make_assignment(struct parse *parse, struct span span, ast_paths *targets,
                                      ast_expressions *values);
struct ast_statement *make_expression_statement(struct parse *parse, struct span span, struct ast_expression *call);
struct ast_statement *make_return(struct parse *parse, struct span span, ast_expressions *values);
struct ast_statement *make_repeat(struct parse *parse, struct span span, struct ast_path *path,
                                  struct ast_expression *count, struct ast_name as, ast_block *body);
struct ast_statement *make_param(struct parse *parse, struct span span, struct ast_path *path, ast_products *dims,
                                 enum ast_initial initial, struct ast_expression *value);
struct ast_statement *make_state(struct parse *parse, struct span span, struct ast_name name, ast_products *dims,
                                 struct ast_name like, struct ast_expression *value);
struct ast_statement *make_axis_statement(struct parse *parse, struct span span, struct ast_axis *axis);
struct ast_statement *make_if(struct parse *parse, struct span span, struct ast_expression *condition, ast_block *body,
                              ast_block *otherwise);
struct ast_statement *make_for(struct parse *parse, struct span span, ast_names *patterns, ast_block *body);

/* Items: make_item makes one, and the grammar's actions fill in the rest. */
struct ast_item *make_item(struct parse *parse, struct span span, enum ast_item_kind kind, struct ast_name name,
                           ast_parameters *parameters, ast_block *body);
/* Sets what follows the brackets of a head; either may be NULL. */
void item_set_results(struct parse *parse, struct ast_item *item, ast_names *over, ast_signatures *results);
void item_set_gradient(struct parse *parse, struct ast_item *item, struct ast_name qualifier,
                       ast_parameters *parameters, ast_block *body);

#endif
