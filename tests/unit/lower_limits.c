/* Specs with very many of everything: each is lowered in a time proportional to its length, or refused with the message
   of a limit, and neither takes unlimited memory. */
#include <sys/resource.h>
#include <time.h>

#include "frontend/frontend.h"
#include "tests/unit/check.h"

#if defined __SANITIZE_ADDRESS__
enum { SLOWER = 10 };
#else
enum { SLOWER = 1 };
#endif
/* Quadratic work takes 5 to 10 seconds for these counts, and other work a fifth of a second. */
enum { MANY = 20000, MOST_SECONDS = 3 * SLOWER, MOST_MEGABYTES = 1500 };

/* A text with `%` for the number of the copy and `$` for the one before it, `count` times. */
static void copies(FILE *file, const char *text, int count) {
  for (int i = 1; i <= count; i++)
    for (const char *letter = text; *letter; letter++)
      if (*letter == '%' || *letter == '$')
        fprintf(file, "%d", *letter == '%' ? i : i - 1);
      else
        fputc(*letter, file);
}

#define SGD "optimizer sgd(p, g, lr) { p = p - lr * g }\n"
#define TRAIN "data d { x = normal(1) }\ntrain m on d {\nloss = y; optimizer = sgd(lr = 1)\n"
#define MODEL "model m(x) -> y {\nparam p = 1\nreturn x * p }\n"
#define LAST "return x }\n"

/* A spec is head, copies of a text, middle, copies of another, tail. `message`: NULL where it is lowered. */
static const struct {
  const char *head, *piece, *middle, *other, *tail, *message;
} rows[] = {
    {"", "axis a% = 3\n", "model m(x[a1]) -> y { return sum(x, a1) }\n", "", "", NULL},
    {"axis a0 = 3\n", "axis a% = a$\n", "model m(x[a0]) -> y { return sum(x, a0) }\n", "", "", NULL},
    {"axis a0 = 3\n", "axis a% == a$\n", "model m(x[a0]) -> y { return sum(x, a0) }\n", "", "", NULL},
    {"", "axis a$ = a%\n", "model m(x) -> y { return x }\n", "", "", "axes depend on axes that are declared later"},
    {"model m(x) -> y {\n", "param p% = 1\n", LAST, "", "", NULL},
    {SGD "model m(x) -> y {\n", "param p% = 1\nx = x * p%\n", LAST, "", TRAIN "}\n", NULL},
    {"", "fn f%(x) { return x }\n", "model m(x) -> y {\n", "x = f%(x)\n", LAST, NULL},
    {"model m(x) -> y {\n", "v% = x + 1\n", LAST, "", "", NULL},
    {"model m(x) -> y {\nv0 = x\n", "v% = v$ + 1\n", LAST, "", "", NULL},
    {"model m(x) -> y {\n", "axis a% = 3\n", LAST, "", "", NULL},
    {"model m(x) -> y {\n", "repeat r%[1] { x = x + 1 }\n", LAST, "", "", NULL},
    {"model m(x) -> y {\nv0", ", v%", " = x", ", x", "\n" LAST, NULL},
    {"model m(x0", ", x%", ") -> y { return x0 }\n", "", "", "more than 1000 names in brackets"},
    {"model m(x) -> y0", ", y%", " { return x", ", x", "}\n", "more than 1000 results"},
    {"model m(x) -> y { return max(x", ", x", ") }\n", "", "", "more than 1000 arguments"},
    {"fn f(x", ", a% = 1", ") { return x }\nmodel m(x) -> y { return f(x) }\n", "", "",
     "more than 1000 names in brackets"},
    {"fn f(x) over a0", ", a%", " { return x }\nmodel m(x) -> y { return x }\n", "", "",
     "more than 1000 axes after 'over'"},
    {"model m(x) -> y {\nparam a", ".a%", " = 1\n" LAST, "", "", "more than 100 parts in a path"},
    {SGD MODEL "data d {\nx = normal(1)\n", "c% = x\n", "}\ntrain m on d { loss = y; optimizer = sgd(lr = 1) }\n", "",
     "", NULL},
    {SGD MODEL "data d {\ncsv = \"a.csv\"\nx = number(\"x\")\n", "c% = number(\"c\")\n",
     "}\ntrain m on d { loss = y; optimizer = sgd(lr = 1) }\n", "", "", NULL},
    {"optimizer o(p, g, lr) {\n", "state s% = 0\ns% = s% + g * 0\n", "p = p - lr * g\n}\n" MODEL, "",
     "data d { x = normal(1) }\ntrain m on d { loss = y; optimizer = o(lr = 1) }\n", NULL},
    {SGD MODEL TRAIN, "batch = 2\n", "}\n", "", "", "'batch' is set twice"},
    {SGD MODEL TRAIN, "b% = 2\n", "}\n", "", "", "train has no setting 'b1'"},
    {SGD MODEL TRAIN, "for \"p\" { optimizer.lr = 2 }\n", "}\n", "", "", "more than 4096 patterns"},
    {"", "model m%(x) -> y { return x }\n", "", "", "", NULL},
    {SGD MODEL TRAIN "}\n", "train m on d { loss = y; optimizer = sgd(lr = 1) }\n", "", "", "", NULL},
    {"model m(x) -> y {\n", "v% = z%\n", LAST, "", "", "there is no name 'z1' here"},
    {"model m(x) -> y { ", "v% = z%; ", LAST, "", "", "there is no name 'z1' here"},
    {"", "axis a = 3\n", MODEL, "", "", "axis 'a' is declared twice"},
    {"axis a = 1\nmodel m(x[a", " * a", "]) -> y { return x }\n", "", "", "axis 'a' is twice in the product"},
    {"axis a = 1\nmodel m(x[a", ", a", "]) -> y { return x }\n", "", "", "input 'x' has axis 'a' twice"},
    {"model m(x) -> y { return x", " + x", " }\n", "", "", "more than 256 levels"},
    {"model m(x) -> y { return ", "(", "x }\n", "", "", "nested more than 256 deep"},
    {"model m(x) -> y { return f0(x) }\nfn f0(x) { return x + 1 }\n", "fn f%(x) { return f$(f$(x)) }\n",
     "model n(x) -> y { return f60(x) }\n", "", "", "expressions and statements are carried out by now"},
    {"model m(x) -> y { repeat [4096] { repeat [4096] { x = x + 1\n", "", "}\n}\nreturn x }\n", "", "",
     "are carried out by now"},
    {"model m(x) -> y { repeat [4096] { repeat [4096] {\n", "", "}\n}\nreturn x }\n", "", "", "are carried out by now"},
    {"model m(x) -> y { c = 0\nrepeat [4096] { repeat [4096] { c = c + 1 } }\nreturn x + c }\n", "", "", "", "",
     "are carried out by now"},
    {"axis a = 2\nmodel m(x[a]) -> y { repeat [4096] { ", "x = norm(x, a) + x\n", "}\nreturn sum(x, a) }\n", "", "",
     "the graph 'predict' has more than 1048576 values by now"},
};

static void check_row(size_t row) {
  struct arena *arena = arena_new();
  char *text = NULL;
  size_t length;
  FILE *file = open_memstream(&text, &length);
  if (!file) abort();
  const int many = strstr(rows[row].head, "norm(") || strstr(rows[row].piece, "norm(") ? 100 : MANY;
  fputs(rows[row].head, file);
  copies(file, rows[row].piece, many);
  fputs(rows[row].middle, file);
  copies(file, rows[row].other, many);
  fputs(rows[row].tail, file);
  fclose(file);
  struct diagnostics *diagnostics = diagnostics_new(arena);
  const clock_t begin = clock();
  const struct program *program = lower_source(arena, source_from_text(arena, "test", text), NULL, diagnostics);
  const double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
  const char *message = diagnostics->messages.count ? diagnostics->messages.items[0] : "";
  bool good = CHECK(seconds < MOST_SECONDS);
  good &= rows[row].message ? CHECK(!program && strstr(message, rows[row].message)) : CHECK(program != NULL);
  if (!good) printf("  row %zu, %.2f s: %s%.300s ...\n", row, seconds, message, text);
  free(text);
  arena_free(arena);
}

int main(void) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(i);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  CHECK(usage.ru_maxrss / 1024 < MOST_MEGABYTES * (SLOWER > 1 ? 4 : 1));
  return check_done("lower_limits");
}
