/* The grammar of specs. What each construct becomes is in ast_build.c, what is said about errors in parse_errors.c. */
%define api.pure full
%define api.prefix {spec_}
%define api.location.type {struct span}
%define parse.error custom
/* Lists of expected tokens that are exact, whatever reductions the tables would have made first. */
%define parse.lac full
%locations
/* Stays 0: a conflict means that a spec can be read in two ways, and the user would not know which one was taken. */
%expect 0
%param {struct parse *parse}

%code requires {
#include "frontend/parse.h"
}

%union {
  struct ast_name name;
  struct ast_path *path;
  ast_paths *paths;
  ast_names *names;
  struct ast_product *product;
  ast_products *products;
  struct ast_signature *signature;
  ast_signatures *signatures;
  struct ast_parameter *parameter;
  ast_parameters *parameters;
  struct ast_expression *expression;
  ast_expressions *expressions;
  struct ast_view *view;
  ast_views *views;
  struct ast_argument *argument;
  ast_arguments *arguments;
  struct ast_axis *axis;
  struct ast_statement *statement;
  ast_block *block;
  struct ast_item *item;
}

%code {
int spec_lex(SPEC_STYPE *value, SPEC_LTYPE *location, struct parse *parse);
static void spec_error(SPEC_LTYPE *location, struct parse *parse, const char *message);

/* Deep recursion on the right grows bison's stack, and the tree with it: both have an end that is reported. */
#define YYMAXDEPTH 4000
#define YYLLOC_DEFAULT(Current, Rhs, N)                                    \
  do {                                                                     \
    (Current).source = parse->source;                                      \
    (Current).begin = (N) ? YYRHSLOC(Rhs, 1).begin : YYRHSLOC(Rhs, 0).end; \
    (Current).end = YYRHSLOC(Rhs, N).end;                                  \
  } while (0)

static const struct ast_name no_name;
/* Lists of the tree are kept by pointer while they grow. */
#define NEW(list) ((list) = arena_alloc(parse->arena, sizeof *(list)))
#define ADD(list, ...) array_push(parse->arena, (list), __VA_ARGS__)
}

%initial-action { @$ = (struct span){parse->source, parse->offset, parse->offset}; }

%token START_FILE "the start of a file" START_EXPRESSION "the start of an expression"
%token <name> AXIS "'axis'" MODEL "'model'" FN "'fn'" OVER "'over'" PARAM "'param'" STATE "'state'" REPEAT "'repeat'"
%token <name> RETURN "'return'" USE "'use'" DATA "'data'" TRAIN "'train'" GENERATE "'generate'" CALIBRATE "'calibrate'"
%token <name> OPTIMIZER "'optimizer'" PIPELINE "'pipeline'" GRADIENT "'gradient'" IF "'if'" ELSE "'else'" IN "'in'"
%token <name> AS "'as'" ON "'on'" LIKE "'like'" AND "'and'" OR "'or'" NOT "'not'" FOR "'for'"
%token <name> IDENT "a name" NUMBER "a number" STRING "a string"
%token ARROW "'->'" DOTDOT "'..'" LE "'<='" GE "'>='" EQ "'=='" NE "'!='"
%token NL "the end of the line"
%token YYEOF 0 "the end of the file"

%type <name> name as factor like_name
%type <path> path
%type <paths> targets
%type <names> names patterns over
%type <product> product
%type <products> products dims contracted
%type <signature> signature
%type <signatures> signatures results
%type <parameter> parameter
%type <parameters> parameters parameter_list
%type <expression> value expression or and not comparison sum term unary power postfix primary labelled call pass left_out
%type <expressions> values expressions
%type <view> view range
%type <views> views
%type <argument> argument
%type <arguments> arguments argument_list
%type <axis> axis
%type <statement> statement conditional
%type <block> block statements passes pass_list
%type <item> item function

%%
start: file | START_EXPRESSION value ends { parse->expression = $2; };

/* Words of the top level are names everywhere else. */
name: IDENT | MODEL | FN | OVER | USE | DATA | TRAIN | GENERATE | CALIBRATE | OPTIMIZER | PIPELINE | GRADIENT | IN | AS | ON | LIKE;

/* Lists begin with the token before them and not with nothing: recovery finds them on the stack even when their first entry is
   the wrong one. */
file: START_FILE
  | file item ends { ADD(&parse->file->items, $2); }
  | file ends
  | file error NL { yyerrok; }
  | file error rest ends { yyerrok; };
ends: NL | ';';
/* What follows a broken head: its block is read, so that the errors within are found and its '}' is not taken for another's. */
rest: block | block ELSE block | block GRADIENT '(' parameters ')' block;

item: USE STRING { $$ = make_item(parse, @$, ITEM_USE, $2, NULL, NULL); }
  | axis { $$ = make_item(parse, @$, ITEM_AXIS, $1->name, NULL, NULL); $$->axis = *$1; }
  | MODEL name '(' parameters ')' ARROW signatures block {
      $$ = make_item(parse, @$, ITEM_MODEL, $2, $4, $8);
      item_set_results(parse, $$, NULL, $7);
    }
  | function
  | function GRADIENT '(' parameters ')' block {
      item_set_gradient(parse, $$ = $1, no_name, $4, $6);
      $$->span = @$;
    }
  | function GRADIENT name '(' parameters ')' block {
      item_set_gradient(parse, $$ = $1, $3, $5, $7);
      $$->span = @$;
    }
  | OPTIMIZER name '(' parameters ')' block { $$ = make_item(parse, @$, ITEM_OPTIMIZER, $2, $4, $6); }
  | DATA name block { $$ = make_item(parse, @$, ITEM_DATA, $2, NULL, $3); }
  | TRAIN name ON path block { $$ = make_item(parse, @$, ITEM_TRAIN, $2, NULL, $5); $$->on = *$4; }
  | CALIBRATE name ON path block { $$ = make_item(parse, @$, ITEM_CALIBRATE, $2, NULL, $5); $$->on = *$4; }
  | GENERATE name block { $$ = make_item(parse, @$, ITEM_GENERATE, $2, NULL, $3); }
  | PIPELINE passes '}' { $$ = make_item(parse, @$, ITEM_PIPELINE, no_name, NULL, $2); }
  | PIPELINE name passes '}' { $$ = make_item(parse, @$, ITEM_PIPELINE, $2, NULL, $3); };
function: FN name '(' parameters ')' over results block {
      $$ = make_item(parse, @$, ITEM_FUNCTION, $2, $4, $8);
      item_set_results(parse, $$, $6, $7);
    };
over: %empty { NEW($$); } | OVER names { $$ = $2; };
results: %empty { $$ = NULL; } | ARROW signatures { $$ = $2; };

axis: AXIS name '=' expression { $$ = make_axis(parse, @$, $2, AXIS_SIZE, $4, no_name); }
  | AXIS name LE expression { $$ = make_axis(parse, @$, $2, AXIS_BOUND, $4, no_name); }
  | AXIS name EQ name { $$ = make_axis(parse, @$, $2, AXIS_LIKE, NULL, $4); }
  | AXIS name { $$ = make_axis(parse, @$, $2, AXIS_OPEN, NULL, no_name); };

signatures: signature { NEW($$); ADD($$, *$1); } | signatures ',' signature { $$ = $1; ADD($$, *$3); };
signature: name dims { $$ = make_signature(parse, @$, $1, $2, no_name, no_name); }
  | name dims IN name { $$ = make_signature(parse, @$, $1, $2, $4, no_name); }
  | name dims ':' name { $$ = make_signature(parse, @$, $1, $2, no_name, $4); };
dims: %empty { $$ = NULL; }
  | '[' ']' { NEW($$); }
  | '[' products ']' { $$ = $2; } | '[' products ',' ']' { $$ = $2; };
products: product { $$ = products_new(parse, $1); } | products ',' product { $$ = $1; ADD($$, *$3); };
product: factor { $$ = product_new(parse, $1); } | product '*' factor { product_add(parse, $$ = $1, $3); };
factor: name | NUMBER;
names: name { $$ = names_new(parse, $1); } | names ',' name { $$ = $1; ADD($$, $3); };

parameters: %empty { NEW($$); } | parameter_list | parameter_list ',';
parameter_list: parameter { NEW($$); ADD($$, *$1); } | parameter_list ',' parameter { $$ = $1; ADD($$, *$3); };
parameter: signature { $$ = make_parameter(parse, @$, $1); }
  | name '=' expression { $$ = make_default(parse, @$, $1, $3); }
  | AXIS name { $$ = make_axis_parameter(parse, @$, $2, no_name); }
  | AXIS name '=' name { $$ = make_axis_parameter(parse, @$, $2, $4); };

path: name { $$ = make_path(parse, $1); }
  | path '.' name { path_add_name(parse, $$ = $1, $3); }
  | path '.' NUMBER { path_add_number(parse, $$ = $1, $3); };

block: statements '}' | statements error '}' { yyerrok; };
statements: '{' { NEW($$); yyerrok; }
  | statements statement ends { $$ = $1; ADD($$, $2); }
  | statements ends
  | statements error NL { yyerrok; }
  | statements error rest ends { yyerrok; };

statement: targets '=' expressions { $$ = make_assignment(parse, @$, $1, $3); }
  | targets '=' STRING {
      ast_expressions *text;
      NEW(text);
      ADD(text, make_string(parse, $3));
      $$ = make_assignment(parse, @$, $1, text);
    }
  | labelled { $$ = make_expression_statement(parse, @$, $1); }
  | RETURN expressions { $$ = make_return(parse, @$, $2); }
  | REPEAT path '[' expression ']' as block { $$ = make_repeat(parse, @$, $2, $4, $6, $7); }
  | REPEAT '[' expression ']' as block { $$ = make_repeat(parse, @$, NULL, $3, $5, $6); }
  | PARAM path dims { $$ = make_param(parse, @$, $2, $3, INITIALISE_NONE, NULL); }
  | PARAM path dims '=' expression { $$ = make_param(parse, @$, $2, $3, INITIALISE_VALUE, $5); }
  | PARAM path dims '~' expression { $$ = make_param(parse, @$, $2, $3, INITIALISE_DRAW, $5); }
  | STATE name dims '=' expression { $$ = make_state(parse, @$, $2, $3, no_name, $5); }
  | STATE name like_name '=' expression { $$ = make_state(parse, @$, $2, NULL, $3, $5); }
  | axis { $$ = make_axis_statement(parse, @$, $1); }
  | conditional
  | FOR patterns block { $$ = make_for(parse, @$, $2, $3); };
conditional: IF expression block { $$ = make_if(parse, @$, $2, $3, NULL); }
  | IF expression block ELSE block { $$ = make_if(parse, @$, $2, $3, $5); }
  | IF expression block ELSE conditional {
      ast_block *otherwise;
      NEW(otherwise);
      ADD(otherwise, $5);
      $$ = make_if(parse, @$, $2, $3, otherwise);
    };
patterns: STRING { $$ = names_new(parse, $1); } | patterns ',' STRING { $$ = $1; ADD($$, $3); };
like_name: LIKE name { $$ = $2; };
as: %empty { $$ = no_name; } | AS name { $$ = $2; };
targets: path { NEW($$); ADD($$, *$1); } | targets ',' path { $$ = $1; ADD($$, *$3); };

/* A pipeline is a list of passes, a pass a name, a call, or a name to leave out; commas do as well as line ends. */
passes: '{' { NEW($$); }
  | passes pass_list ends {
      for (int i = 0; i < $2->count; i++) ADD($1, $2->items[i]);
      $$ = $1;
    }
  | passes ends
  | passes error NL { yyerrok; };
pass_list: pass { NEW($$); ADD($$, make_expression_statement(parse, @1, $1)); }
  | pass_list ',' pass { $$ = $1; ADD($$, make_expression_statement(parse, @3, $3)); }
  | pass_list left_out { $$ = $1; ADD($$, make_expression_statement(parse, @2, $2)); }; /* a '-' goes on from the line before */
pass: path { $$ = make_reference(parse, $1); } | call | left_out;
left_out: '-' path { $$ = make_unary(parse, @$, "-", @1, make_reference(parse, $2)); };

expressions: expression { NEW($$); ADD($$, $1); } | expressions ',' expression { $$ = $1; ADD($$, $3); };
value: expression | STRING { $$ = make_string(parse, $1); };
expression: or;
or: and | or OR and { $$ = make_binary(parse, @$, $1, "or", @2, $3); };
and: not | and AND not { $$ = make_binary(parse, @$, $1, "and", @2, $3); };
not: comparison | NOT not { $$ = make_unary(parse, @$, "not", @1, $2); };
comparison: sum
  | sum '<' sum { $$ = make_binary(parse, @$, $1, "<", @2, $3); }
  | sum LE sum { $$ = make_binary(parse, @$, $1, "<=", @2, $3); }
  | sum '>' sum { $$ = make_binary(parse, @$, $1, ">", @2, $3); }
  | sum GE sum { $$ = make_binary(parse, @$, $1, ">=", @2, $3); }
  | sum EQ sum { $$ = make_binary(parse, @$, $1, "==", @2, $3); }
  | sum NE sum { $$ = make_binary(parse, @$, $1, "!=", @2, $3); };
sum: term
  | sum '+' term { $$ = make_binary(parse, @$, $1, "+", @2, $3); }
  | sum '-' term { $$ = make_binary(parse, @$, $1, "-", @2, $3); };
term: unary
  | term '*' unary { $$ = make_binary(parse, @$, $1, "*", @2, $3); }
  | term '/' unary { $$ = make_binary(parse, @$, $1, "/", @2, $3); }
  | term '%' unary { $$ = make_binary(parse, @$, $1, "%", @2, $3); }
  | term '@' contracted unary {
      $$ = make_contraction(parse, @$, $1, (struct span){parse->source, @2.begin, @3.end}, $3, $4);
    };
contracted: name { $$ = products_new(parse, product_new(parse, $1)); }
  | '(' products ')' { $$ = $2; }
  | '(' products ',' ')' { $$ = $2; };
unary: power | '-' unary { $$ = make_unary(parse, @$, "-", @1, $2); };
power: postfix | postfix '^' unary { $$ = make_binary(parse, @$, $1, "^", @2, $3); };
postfix: primary
  | postfix '[' views ']' { $$ = make_viewed(parse, @$, $1, $3); }
  | postfix '[' views ',' ']' { $$ = make_viewed(parse, @$, $1, $3); };
views: view { NEW($$); ADD($$, *$1); } | views ',' view { $$ = $1; ADD($$, *$3); };
view: product ARROW product { $$ = make_rename(parse, @$, $1, $3); }
  | name '=' range { $$ = make_slice(parse, @$, $1, $3, NULL); }
  | name '=' range ARROW product { $$ = make_slice(parse, @$, $1, $3, $5); };
range: expression { $$ = make_range(parse, VIEW_INDEX, $1, NULL); }
  | expression DOTDOT expression { $$ = make_range(parse, VIEW_RANGE, $1, $3); }
  | expression DOTDOT { $$ = make_range(parse, VIEW_RANGE, $1, NULL); }
  | DOTDOT expression { $$ = make_range(parse, VIEW_RANGE, NULL, $2); };
primary: NUMBER { $$ = make_number(parse, $1); }
  | path { $$ = make_reference(parse, $1); }
  | call
  | labelled
  | '(' expression ')' { $$ = $2; }
  | '(' expression ',' values ')' { $$ = make_tuple(parse, @$, $2, $4); };
values: expressions | expressions ',';
labelled: path ':' call { $$ = make_labelled($3, @$, $1); };
call: path '(' arguments ')' { $$ = make_call(parse, @$, $1, $3); };
arguments: %empty { NEW($$); } | argument_list | argument_list ',';
argument_list: argument { NEW($$); ADD($$, *$1); } | argument_list ',' argument { $$ = $1; ADD($$, *$3); };
argument: value { $$ = make_argument(parse, @$, NULL, $1); }
  | path '=' value { $$ = make_argument(parse, @$, $1, $3); }
  | LIKE path { $$ = make_argument(parse, @$, make_path(parse, $1), make_reference(parse, $2)); } /* like = x */
  | AXIS name '=' product { $$ = make_axis_argument(parse, @$, $2, $4); };
%%
/* Bison calls this for one thing only: its stack has reached YYMAXDEPTH. */
static void spec_error(SPEC_LTYPE *location, struct parse *parse, const char *message) {
  (void)message;
  parse_error(parse, *location, "nested too deeply");
}

static int yyreport_syntax_error(const yypcontext_t *context, struct parse *parse) {
  yysymbol_kind_t kinds[YYNTOKENS];
  const char *names[YYNTOKENS];
  int count = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
  if (count < 0) return count;
  for (int i = 0; i < count; i++) names[i] = yysymbol_name(kinds[i]);
  explain_syntax_error(parse, *yypcontext_location(context), yysymbol_name(yypcontext_token(context)), names, count);
  return 0;
}
