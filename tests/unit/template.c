/* Texts with holes: parentheses stand where operators need them and nowhere else, and the names that a text mentions
   are found. */
#include "codegen/template.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct piece name = {"x", BINDS_NAME, false}, sum = {"a + b", BINDS_SUM, false},
                          product = {"a * b", BINDS_PRODUCT, false}, minus = {"-x", BINDS_UNARY, true},
                          choice = {"c ? a : b", BINDS_CHOICE, false}, both = {"p && q", 5, false},
                          either = {"p || q", 4, false}, less = {"a < b", 10, false},
                          negative_sum = {"-a + b", BINDS_SUM, true};

/* Fills each hole with the same piece, and checks the text and how tightly it binds. */
static const struct example {
  const char *row;
  const struct piece *piece;
  const char *text;
  int binding;
  bool negative;
} examples[] = {
    {"$0 + $1", &name, "x + x", BINDS_SUM, false},
    {"$0 + $1", &product, "a * b + a * b", BINDS_SUM, false},
    {"$0 + $1", &sum, "a + b + (a + b)", BINDS_SUM, false},
    {"$0 - $1", &minus, "-x - -x", BINDS_SUM, true},
    {"$0 * $1", &sum, "(a + b) * (a + b)", BINDS_PRODUCT, false},
    {"$0 * $1", &negative_sum, "(-a + b) * (-a + b)", BINDS_PRODUCT, false},
    {"$0 / $1", &product, "a * b / (a * b)", BINDS_PRODUCT, false},
    {"$0 % $1", &minus, "-x % -x", BINDS_PRODUCT, true},
    {"$0 * $1 + $2", &sum, "(a + b) * (a + b) + (a + b)", BINDS_SUM, false},
    {"-$0", &name, "-x", BINDS_UNARY, true},
    {"-$0", &minus, "-(-x)", BINDS_UNARY, true},
    {"-$0", &sum, "-(a + b)", BINDS_UNARY, true},
    {"!$0", &both, "!(p && q)", BINDS_UNARY, false},
    {"(float)$0", &sum, "(float)(a + b)", BINDS_UNARY, false},
    {"(float)$0", &minus, "(float)-x", BINDS_UNARY, false},
    {"*$0", &name, "*x", BINDS_UNARY, false},
    {"f($0, $1)", &sum, "f(a + b, a + b)", BINDS_NAME, false},
    {"f($0 + 1)", &choice, "f((c ? a : b) + 1)", BINDS_NAME, false},
    {"$0 < $1", &sum, "a + b < a + b", 10, false},
    {"$0 < $1", &less, "(a < b) < (a < b)", 10, false},
    {"$0 & $1", &sum, "(a + b) & (a + b)", 8, false},
    {"$0 << $1", &product, "(a * b) << (a * b)", 11, false},
    {"$0 && $1", &both, "p && q && (p && q)", 5, false},
    {"$0 || $1", &both, "(p && q) || (p && q)", 4, false},
    {"$0 && $1", &either, "(p || q) && (p || q)", 5, false},
    {"$0 ? $1 : $2", &less, "a < b ? a < b : a < b", BINDS_CHOICE, false},
    {"$0 ? $1 : $2", &choice, "(c ? a : b) ? (c ? a : b) : (c ? a : b)", BINDS_CHOICE, false},
    {"f($0 * 2) + g($1)", &sum, "f((a + b) * 2) + g(a + b)", BINDS_SUM, false},
    {"1.0f / sqrtf($0)", &sum, "1.0f / sqrtf(a + b)", BINDS_PRODUCT, false},
};

static void check_examples(struct arena *arena) {
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
    const struct example *example = &examples[i];
    struct piece arguments[3] = {*example->piece, *example->piece, *example->piece};
    struct uses uses = {0};
    struct piece got = template_fill(arena, &uses, template_parse(arena, example->row, NULL), arguments);
    CHECK_STRING(got.text, example->text);
    if (!CHECK(got.binding == example->binding && got.negative == example->negative)) printf("  %s\n", example->row);
  }
}

/* The names that a text needs, each once, in the order of their mention. */
static const char *needs(struct arena *arena, const char *text) {
  struct uses uses = {0};
  const char *list = "";
  uses_add_text(arena, &uses, text);
  for (int i = 0; i < uses.names.count; i++)
    list = arena_format(arena, "%s%s%s", list, i ? " " : "", uses.names.items[i]);
  return list;
}

static void check_uses(struct arena *arena) {
  CHECK_STRING(needs(arena, "lam_exp(fabsf($0)) + x"), "lam_exp fabsf");
  CHECK_STRING(needs(arena, "$0 * other(value1e5, 0x1.fep127, lam_max)"), "lam_max");
  CHECK_STRING(needs(arena, "f(\"lam_exp \\\" sqrtf\", 'a') /* lam_log */ + INFINITY"), "INFINITY");
  CHECK_STRING(needs(arena, "memcpy(&x, &my_memcpy, sizeof fabsfx)"), "memcpy");
  struct uses uses = {0};
  struct piece argument = piece_name("lam_argument");
  template_fill(arena, &uses, template_parse(arena, "lam_first($0, lam_second)", NULL), &argument);
  CHECK(uses.names.count == 2); /* the argument's own uses were recorded when it was made */
  uses_add(arena, &uses, "third");
  uses_drop(&uses, 1, 2);
  CHECK(uses.names.count == 2);
  CHECK_STRING(uses.names.items[0], "lam_first");
  CHECK_STRING(uses.names.items[1], "third");
}

int main(void) {
  struct arena *arena = arena_new();
  check_examples(arena);
  check_uses(arena);
  arena_free(arena);
  return check_done("template");
}
