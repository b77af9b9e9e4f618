/* What the parser builds: precedence, places, every construct, and printing that reads back as the same tree. */
#include <dirent.h>

#include "frontend/ast.h"
#include "tests/unit/check.h"
#include "tests/unit/tree_dump.h"

static char *printed_expression(const struct ast_expression *expression) {
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  if (expression)
    ast_print_expression(file, expression);
  else
    fputs("error", file);
  fclose(file);
  return text;
}

static char *printed(const struct ast_file *tree) {
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  ast_print(file, tree);
  fclose(file);
  return text;
}

static struct ast_expression *expression_of(struct arena *arena, const char *text) {
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct ast_expression *expression = parse_expression(arena, source_from_text(arena, "test", text), diagnostics);
  if (!expression) diagnostics_print(diagnostics, stdout);
  return expression;
}

static char *dumped(const struct ast_expression *expression) {
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  dump_expression(file, expression);
  fclose(file);
  return text;
}

/* Each expression with its canonical form, and with brackets that change nothing. */
static void check_precedence(struct arena *arena) {
  static const struct {
    const char *text, *canonical, *bracketed;
  } rows[] = {
      {"a+b*c", "a + b * c", "a + (b * c)"},
      {"(a+b)*c", "(a + b) * c", "((a) + b) * c"},
      {"a-b-c", "a - b - c", "(a - b) - c"},
      {"a-(b-c)", "a - (b - c)", "a - ((b - c))"},
      {"a/b*c", "a / b * c", "(a / b) * c"},
      {"a/(b*c)", "a / (b * c)", "a / ((b * c))"},
      {"a^b^c", "a ^ b ^ c", "a ^ (b ^ c)"},
      {"(a^b)^c", "(a ^ b) ^ c", "((a ^ b)) ^ c"},
      {"-a^b", "-a ^ b", "-(a ^ b)"},
      {"(-a)^b", "(-a) ^ b", "((-a)) ^ b"},
      {"a^-b", "a ^ -b", "a ^ (-b)"},
      {"-a*b", "-a * b", "(-a) * b"},
      {"-(a*b)", "-(a * b)", "-((a * b))"},
      {"--a", "--a", "-(-a)"},
      {"a @k b @j c", "a @k b @j c", "(a @k b) @j c"},
      {"a @k (b @j c)", "a @k (b @j c)", "a @k ((b @j c))"},
      {"q @key k / sqrt(size(key))", "q @key k / sqrt(size(key))", "(q @key k) / sqrt(size(key))"},
      {"q @(a, b*c) k", "q @(a, b * c) k", "(q) @(a, b * c) (k)"},
      {"x @(a) y", "x @a y", "x @a (y)"},
      {"x @a -y", "x @a -y", "x @a (-y)"},
      {"a+b @k c", "a + b @k c", "a + (b @k c)"},
      {"not a and b or c", "not a and b or c", "((not a) and b) or c"},
      {"not (a and b)", "not (a and b)", "not ((a and b))"},
      {"a or b and c", "a or b and c", "a or (b and c)"},
      {"(a or b) and c", "(a or b) and c", "((a or b)) and c"},
      {"not not a", "not not a", "not (not a)"},
      {"not a == b", "not a == b", "not (a == b)"},
      {"(not a) == b", "(not a) == b", "((not a)) == b"},
      {"a+1<b*2", "a + 1 < b * 2", "(a + 1) < (b * 2)"},
      {"(a<b)==c", "(a < b) == c", "((a < b)) == c"},
      {"a>=b", "a >= b", "(a) >= (b)"},
      {"a!=b", "a != b", "(a) != (b)"},
      {"x[a->b]", "x[a -> b]", "(x)[a -> b]"},
      {"x[a=1][b=2]", "x[a = 1][b = 2]", "(x[a = 1])[b = 2]"},
      {"x[a=1,b=2,]", "x[a = 1, b = 2]", "x[a = (1), b = 2]"},
      {"(x+y)[a->b*c]", "(x + y)[a -> b * c]", "((x + y))[a -> b * c]"},
      {"x[2*a->b]", "x[2 * a -> b]", "(x)[2 * a -> b]"},
      {"-x[a=0]", "-x[a = 0]", "-(x[a = 0])"},
      {"x[a=0]^2", "x[a = 0] ^ 2", "(x[a = 0]) ^ 2"},
      {"(x^2)[a=0]", "(x ^ 2)[a = 0]", "((x ^ 2))[a = 0]"},
      {"x[seq=1..->tail]", "x[seq = 1 .. -> tail]", "x[seq = (1).. -> tail]"},
      {"x[seq=..n-1->head]", "x[seq = .. n - 1 -> head]", "x[seq = ..(n - 1) -> head]"},
      {"x[seq=a..b->c]", "x[seq = a .. b -> c]", "x[seq = (a)..(b) -> c]"},
      {"x[seq=1..]", "x[seq = 1 ..]", "x[seq = (1)..]"},
      {"attn:f(x)", "attn: f(x)", "(attn: f(x))"},
      {"attn:f(x)[a->b]", "attn: f(x)[a -> b]", "(attn: f(x))[a -> b]"},
      {"h.0.1.w", "h.0.1.w", "(h.0.1.w)"},
      {"h.axis.for.if", "h.axis.for.if", "(h.axis.for.if)"},
      {"model.data.train", "model.data.train", "(model.data.train)"},
      {"f()", "f()", "(f())"},
      {"f(a,)", "f(a)", "f((a))"},
      {"f(a,b=2,axis c=d*e,s=\"t\")", "f(a, b = 2, axis c = d * e, s = \"t\")",
       "f((a), b = (2), axis c = d * e, s = \"t\")"},
      {"f(optimizer.lr=1)", "f(optimizer.lr = 1)", "f(optimizer.lr = (1))"},
      {"uniform(like x.y)", "uniform(like = x.y)", "uniform(like = (x.y))"},
      {"f(like)", "f(like)", "f((like))"},
      {"like + in", "like + in", "(like) + in"},
      {"(a,b)", "(a, b)", "((a), (b))"},
      {"(a,b,)", "(a, b)", "((a), (b),)"},
      {"1e-3", "0.001", "(1e-3)"},
      {"1.5", "1.5", "(1.50)"},
      {"1e3", "1e+03", "(1000.0)"},
      {"1.0", "1.0", "(1.00)"},
      {"007", "7", "(7)"},
      {"9007199254740992", "9007199254740992", "(9007199254740992)"},
      {"0.1", "0.1", "(0.10)"},
      {"3.141592653589793", "3.141592653589793", "(3.141592653589793)"},
      {"\"a # b\"", "\"a # b\"", NULL},
      {"a +\n  b", "a + b", "(a +\n b)"},
      {"a\n  + b\n  and c", "a + b and c", "(a +\n b) and c"},
      {"f(a,\n  b,\n)", "f(a, b)", "f((a), b\n)"},
      {"a # a comment", "a", "(a)"},
      {"a\r\n", "a", "(a)"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct ast_expression *expression = expression_of(arena, rows[i].text);
    char *canonical = printed_expression(expression), *tree = dumped(expression);
    CHECK_STRING(canonical, rows[i].canonical);
    char *again = dumped(expression_of(arena, canonical));
    CHECK_STRING(again, tree);
    if (rows[i].bracketed) {
      char *bracketed = dumped(expression_of(arena, rows[i].bracketed));
      CHECK_STRING(bracketed, tree);
      free(bracketed);
    }
    free(canonical), free(tree), free(again);
  }
}

static const char *piece(struct arena *arena, struct span span) {
  return span.source ? arena_copy(arena, span.source->text + span.begin, (size_t)(span.end - span.begin)) : "nowhere";
}

static void check_places(struct arena *arena) {
  struct ast_expression *sum = expression_of(arena, "  a.b + (c * d) [x -> y * z] @(x, w) n: f(1, k = 2)  ");
  if (!CHECK(sum && sum->kind == AST_BINARY)) return;
  CHECK_STRING(piece(arena, sum->span), "a.b + (c * d) [x -> y * z] @(x, w) n: f(1, k = 2)");
  CHECK_STRING(piece(arena, sum->op_span), "+");
  CHECK_STRING(piece(arena, sum->left->span), "a.b");
  CHECK_STRING(piece(arena, sum->left->path.parts.items[1].span), "b");
  struct ast_expression *contraction = sum->right;
  CHECK(contraction->kind == AST_CONTRACT);
  CHECK_STRING(piece(arena, contraction->span), "(c * d) [x -> y * z] @(x, w) n: f(1, k = 2)");
  CHECK_STRING(piece(arena, contraction->op_span), "@(x, w)");
  CHECK_STRING(piece(arena, contraction->axes.items[1].span), "w");
  struct ast_expression *view = contraction->left;
  CHECK_STRING(piece(arena, view->span), "(c * d) [x -> y * z]");
  CHECK_STRING(piece(arena, view->views.items[0].span), "x -> y * z");
  CHECK_STRING(piece(arena, view->views.items[0].to.span), "y * z");
  CHECK_STRING(piece(arena, view->left->span), "c * d");
  struct ast_expression *call = contraction->right;
  CHECK_STRING(piece(arena, call->span), "n: f(1, k = 2)");
  CHECK_STRING(piece(arena, call->label.span), "n");
  CHECK_STRING(piece(arena, call->path.span), "f");
  CHECK_STRING(piece(arena, call->arguments.items[1].span), "k = 2");
  CHECK_STRING(piece(arena, call->arguments.items[1].value->span), "2");

  /* A -D argument: places are those of the whole argument. */
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct source *define = source_from_text(arena, "-D", "embed=4 * head");
  struct ast_expression *value = parse_expression_at(arena, define, 6, diagnostics);
  CHECK(value && value->span.begin == 6 && value->span.end == 14);
  CHECK(value && value->op_span.begin == 8);
  CHECK(!parse_expression_at(arena, source_from_text(arena, "-D", "embed=4 4"), 6, diagnostics));
  CHECK_STRING(diagnostics->messages.count ? diagnostics->messages.items[0] : "",
               "-D:1:9: error: expected the end of the line or an operator before '4'\n  embed=4 4\n          ^\n");
  CHECK(!parse_expression(arena, source_from_text(arena, "-D", ""), diagnostics));
}

static const char every_construct[] =
    "\xEF\xBB\xBF" /* a byte order mark */
    "use \"std/a.lam\"; use \"b\"\r\n"
    "axis a = 4 * 2\naxis b <= a; axis c == a\naxis d\n"
    "model m(x[a, b * 2] in a, y: bool, z, w[]) -> p[a], q { param w.v[a, b] ~ normal(1); param u = 0; param t[a]\n"
    "  repeat h.k[3] as i { axis past == a; x = x + 1 }\n"
    "  repeat [2] { }\n"
    "  if a == 1 { x = 1 } else if a == 2 { x = 2 } else { x = 3 }\n"
    "  if a == 1\n  {\n    x = 1\n  }\n  else\n  {\n    x = 2\n  }\n"
    "  l.m: f(x)\n"
    "  model, data = f(1), g(2)\n"
    "  on = model; as = like\n"
    "  return x, y }\n"
    "fn f(x[a], eps = 1e-5, axis k, axis o = a,) over a, b -> y[a], z { return (x, y) } gradient (dy) { dx = dy }\n"
    "fn g(x) { return x }\ngradient approximate (dy, dz) { dx = dy }\n"
    "fn h(\n  x,\n  y\n) {\n  return f(\n    x,\n    y\n  )[\n    a -> b\n  ]\n}\n"
    "optimizer o(p[row, col], g, lr = 0.1) { state m like p = 0; state d = 0; state e[row] = 1; p = p - lr * g }\n"
    "data d { text = \"a.txt\"; tokenizer = wordpiece(\"v\"); split = 0.9 }\n"
    "train m on d { for \"*.bias\", \"ln*\" { optimizer.decay = 0 }; optimizer = o(lr = cosine(1, 2, warmup = 3)) }\n"
    "generate m { over = b }\n"
    "pipeline { fuse, mixed(bf16); prune(l1, 0.2)\n quantize(int8) }\n"
    "pipeline fast { fuse }";

static void check_constructs(struct arena *arena) {
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct ast_file *tree = parse_source(arena, source_from_text(arena, "all", every_construct), diagnostics);
  diagnostics_print(diagnostics, stdout);
  if (!CHECK(diagnostics->error_count == 0) || !CHECK(tree->items.count == 16)) return;
  struct ast_item **items = tree->items.items;
  CHECK(items[0]->kind == ITEM_USE && !strcmp(items[0]->name.text, "std/a.lam"));
  CHECK(items[3]->axis.kind == AXIS_BOUND && items[4]->axis.kind == AXIS_LIKE && items[5]->axis.kind == AXIS_OPEN);
  struct ast_item *model = items[6];
  CHECK(model->parameters.count == 4 && model->results.count == 2 && model->body.count == 12);
  CHECK(model->parameters.items[0].signature.dims.items[1].factors.count == 2);
  CHECK_STRING(model->parameters.items[0].signature.range.text, "a");
  CHECK_STRING(model->parameters.items[1].signature.type.text, "bool");
  CHECK(!model->parameters.items[2].signature.has_dims && model->parameters.items[3].signature.has_dims);
  CHECK(model->body.items[0]->initial == INITIALISE_DRAW && model->body.items[2]->initial == INITIALISE_NONE);
  CHECK_STRING(model->body.items[3]->as.text, "i");
  CHECK(model->body.items[4]->targets.count == 0);
  CHECK(model->body.items[5]->has_otherwise && model->body.items[5]->otherwise.items[0]->kind == AST_IF);
  struct ast_item *function = items[7];
  CHECK(function->has_gradient && !function->gradient_approximate && function->over.count == 2 &&
        function->has_results);
  CHECK(function->parameters.count == 4 && function->parameters.items[1].kind == PARAMETER_DEFAULT);
  CHECK(function->parameters.items[2].kind == PARAMETER_AXIS && !function->parameters.items[2].axis_default.text);
  CHECK_STRING(function->parameters.items[3].axis_default.text, "a");
  CHECK(items[8]->has_gradient && items[8]->gradient_approximate && !items[8]->has_results);
  CHECK_STRING(items[10]->body.items[0]->like.text, "p");
  CHECK(items[11]->body.items[0]->expressions.items[0]->kind == AST_STRING);
  CHECK(items[12]->body.items[0]->patterns.count == 2);
  CHECK_STRING(items[12]->on.text, "d");
  CHECK(items[14]->body.count == 4 && !items[14]->name.text);
  CHECK_STRING(items[15]->name.text, "fast");

  char *first = printed(tree), *before = dump_tree(tree);
  struct ast_file *again = parse_source(arena, source_from_text(arena, "printed", first), diagnostics);
  char *second = printed(again), *after = dump_tree(again);
  diagnostics_print(diagnostics, stdout);
  CHECK_STRING(second, first);
  CHECK_STRING(after, before);
  free(first), free(second), free(before), free(after);
}

/* Every spec of a folder parses, and prints as a text that parses to the same tree. */
static void check_folder(const char *folder) {
  DIR *directory = opendir(folder);
  if (!CHECK(directory != NULL)) return;
  for (struct dirent *entry; (entry = readdir(directory));) {
    size_t length = strlen(entry->d_name);
    if (length < 4 || strcmp(entry->d_name + length - 4, ".lam")) continue;
    struct arena *arena = arena_new();
    struct diagnostics *diagnostics = diagnostics_new(arena);
    struct source *source = source_read(arena, arena_format(arena, "%s/%s", folder, entry->d_name));
    if (!CHECK(source != NULL)) continue;
    struct ast_file *tree = parse_source(arena, source, diagnostics);
    CHECK(diagnostics->error_count == 0);
    char *first = printed(tree), *before = dump_tree(tree);
    struct ast_file *again = parse_source(arena, source_from_text(arena, "printed", first), diagnostics);
    char *second = printed(again), *after = dump_tree(again);
    diagnostics_print(diagnostics, stdout);
    CHECK_STRING(second, first);
    CHECK_STRING(after, before);
    free(first), free(second), free(before), free(after);
    arena_free(arena);
  }
  closedir(directory);
}

int main(void) {
  struct arena *arena = arena_new();
  check_precedence(arena);
  check_places(arena);
  check_constructs(arena);
  check_folder(SOURCE_FOLDER "/tests/parse");
  check_folder(SOURCE_FOLDER "/specs");
  check_folder(SOURCE_FOLDER "/specs/std");
  arena_free(arena);
  return check_done("parse");
}
