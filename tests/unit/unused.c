/* What is removed from a function: what nothing mentions, what is stored in vain, and what is left empty by that. */
#include "passes/unused.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

struct row {
  const char *before, *after; /* the function's statements; NULL: they all stay */
};

#define LOOP(body) "  serial i < 8 {\n" body "  }\n"
static const struct row rows[] = {
    {LOOP("    y[i] = x[i]\n"), NULL},
    {"  let left = n - 1\n" LOOP("    y[i] = x[i]\n"), LOOP("    y[i] = x[i]\n")},
    {"  let left = n - 1\n" LOOP("    y[i] = x[left]\n"), NULL},
    /* A store of what lies there already: what a product with 1 leaves of a kernel that works in place. */
    {LOOP("    y[i] = y[i]\n"), ""},
    {"  let left = min(n, 8)\n  serial i < left {\n    y[n + i] = y[i + n]\n  }\n", ""},
    {LOOP("    y[i] = y[i + 1]\n"), NULL},
    {LOOP("    y[i] = x[i]\n    y[i] = y[i]\n"), LOOP("    y[i] = x[i]\n")},
    {LOOP("    if i < n {\n      y[i] = y[i]\n    }\n"), ""},
    /* A store to an array of the function's own that nothing reads, and the array. */
    {"  stack real sum[8]\n" LOOP("    sum[i] = x[i]\n    y[i] = x[i]\n"), LOOP("    y[i] = x[i]\n")},
    {"  stack real sum[8]\n" LOOP("    sum[i] = x[i]\n") LOOP("    y[i] = sum[i]\n"), NULL},
};

static char *statements_of(struct arena *arena, const struct function *function) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  function_print(file, function);
  fclose(file);
  char *begin = strchr(text, '\n') + 1, *end = strrchr(text, '}');
  char *statements = arena_copy(arena, begin, (size_t)(end - begin));
  free(text);
  return statements;
}

static void check_row(const struct row *row) {
  struct arena *arena = arena_new();
  const char *text =
      arena_format(arena, "module test\n\nfunction f(real x[8], written real y[16], index n) {\n%s}\n", row->before);
  struct diagnostics *diagnostics = diagnostics_new(arena);
  const struct module *module = module_read(arena, source_from_text(arena, "row", text), diagnostics);
  if (!CHECK(module && module->functions.count == 1)) {
    printf("%s\n%s\n", text, diagnostics->messages.count ? diagnostics->messages.items[0] : "");
    return;
  }
  struct function *function = module->functions.items[0];
  CHECK_STRING(statements_of(arena, function), row->before);
  drop_unused(arena, function);
  CHECK_STRING(statements_of(arena, function), row->after ? row->after : row->before);
  arena_free(arena);
}

int main(void) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
  return check_done("unused");
}
