/* What stands before the functions of a printed file. */
#include <ctype.h>
#include <string.h>

#include "codegen/c_helpers.h"
#include "codegen/c_print.h"
#include "codegen/codegen.h"
#include "codegen/math.h"

struct candidate {
  const char *name;
  const struct helper *helper;   /* or */
  const struct formula *formula;
  bool lanes;
  const char *text;
  bool wanted;
};

struct prelude {
  struct arena *arena;
  const struct target *target;
  const struct simd *simd;
  ARRAY(struct candidate) candidates; /* callees before callers */
  bool math, memory;                  /* whether the headers math.h and string.h are needed */
};

/* Calls `use` for every identifier of a C text that is no part of a comment or a string. */
static void scan(struct prelude *prelude, const char *text, void (*use)(struct prelude *prelude, const char *name, size_t length)) {
  for (const char *at = text; *at;) {
    if (at[0] == '/' && at[1] == '*') {
      const char *end = strstr(at + 2, "*/");
      at = end ? end + 2 : at + strlen(at);
    } else if (at[0] == '/' && at[1] == '/') {
      at += strcspn(at, "\n");
    } else if (*at == '"' || *at == '\'') {
      char quote = *at++;
      while (*at && *at != quote) at += *at == '\\' && at[1] ? 2 : 1;
      if (*at) at++;
    } else if (isalpha((unsigned char)*at) || *at == '_') {
      size_t length = 1;
      while (isalnum((unsigned char)at[length]) || at[length] == '_') length++;
      use(prelude, at, length);
      at += length;
    } else if (isdigit((unsigned char)*at)) {
      while (isalnum((unsigned char)*at) || *at == '.') at++;
    } else {
      at++;
    }
  }
}

/* Of math.h, as far as printed code uses it. */
static const char *const math_names[] = {
    "fabsf", "sqrtf", "floorf", "rintf", "fmaf", "fabs", "sqrt", "floor", "rint",
    "pow",   "powf",  "expf",   "logf",  "frexp", "ldexp", "copysign", "isfinite", "INFINITY", "NAN",
#define FUNCTION(name) #name,
#include "codegen/simd.def"
    NULL};

static void want(struct prelude *prelude, const char *name, size_t length) {
  for (int i = 0; math_names[i]; i++)
    if (strlen(math_names[i]) == length && strncmp(math_names[i], name, length) == 0) prelude->math = true;
  if (length == 6 && strncmp(name, "memcpy", 6) == 0) prelude->memory = true;
  for (int i = 0; i < prelude->candidates.count; i++) {
    struct candidate *candidate = &prelude->candidates.items[i];
    if (candidate->wanted || strlen(candidate->name) != length || strncmp(candidate->name, name, length) != 0) continue;
    candidate->wanted = true;
    scan(prelude, candidate->text, want);
  }
}

static const char *helper_text(struct prelude *prelude, const struct helper *helper) {
  struct arena *arena = prelude->arena;
  const char *result = "", *from = helper->text;
  bool is_double = prelude->target->double_precision;
  for (const char *at = strchr(from, '$'); at; at = strchr(from, '$')) {
    result = arena_format(arena, "%s%.*s", result, (int)(at - from), from);
    if (at[1] == 'R') {
      result = arena_format(arena, "%s%s", result, c_type(prelude->target, TYPE_REAL));
      from = at + 2;
    } else if (at[1] == 'M') {
      const char *name = at + 3;
      int length = (int)strcspn(name, ")");
      result = arena_format(arena, "%s%.*s%s", result, length, name, is_double ? "" : "f");
      from = name + length + 1;
    } else {
      bug("the helper %s has an unknown $%c", helper->name, at[1]);
    }
  }
  return arena_format(arena, "%s%s", result, from);
}

static void add_helpers(struct prelude *prelude) {
  const struct helper *helper;
  for (int i = 0; (helper = helper_at(i)) != NULL; i++) {
    if (helper->target && strcmp(helper->target, prelude->target->name) != 0) continue;
    struct candidate candidate = {.name = helper->name, .helper = helper, .text = helper_text(prelude, helper)};
    array_push(prelude->arena, &prelude->candidates, candidate);
  }
}

static void add_formulas(struct prelude *prelude) {
  const struct formula *formula;
  if (prelude->target->double_precision) return;
  for (int i = 0; (formula = formula_at(i)) != NULL; i++) {
    for (int lanes = 0; lanes <= prelude->target->simd; lanes++) {
      struct candidate candidate = {
          .name = formula_name(prelude->arena, formula, lanes),
          .formula = formula,
          .lanes = lanes,
          .text = formula_text(prelude->arena, prelude->target, prelude->simd, formula, lanes),
      };
      array_push(prelude->arena, &prelude->candidates, candidate);
    }
  }
}

static bool mentions(const char *body, const char *word) { return strstr(body, word) != NULL; }

/* A function with its linkage before it, which may make its first line too long. */
static void print_linked(struct text *text, const char *linkage, const char *function) {
  size_t first = strcspn(function, "\n");
  const char *line = arena_format(text->arena, "%s%.*s", linkage, (int)first, function);
  const char *body = strstr(line, " { ");
  if (strlen(line) > TEXT_COLUMNS && body) {
    text_open(text, "%.*s", (int)(body - line), line);
    text_line(text, "%.*s", (int)strlen(body + 3) - 2, body + 3);
    text_close(text);
  } else {
    text_line(text, "%s", line);
  }
  text_raw(text, function + first + 1);
}

const char *c_prelude(struct arena *arena, const struct target *target, const char *body) {
  struct prelude prelude = {.arena = arena, .target = target, .simd = simd_of(arena, target)};
  add_helpers(&prelude);
  add_formulas(&prelude);
  scan(&prelude, body, want);

  struct text *text = text_new(arena);
  if (target->simd) text_line(text, "#include <immintrin.h>");
  if (prelude.math) text_line(text, "#include <math.h>");
  text_line(text, "#include <stdint.h>");
  if (prelude.memory) text_line(text, "#include <string.h>");
  text_blank(text);
  if (target->attribute) text_line(text, "#define LAM_SIMD __attribute__((target(\"%s\")))", target->attribute);
  bool tasks = mentions(body, "LAM_TASKS("), each = tasks || mentions(body, "LAM_EACH(");
  if (tasks || mentions(body, "LAM_PARALLEL")) {
    text_line(text, "#ifdef _OPENMP");
    text_line(text, "#define LAM_PARALLEL _Pragma(\"omp parallel for schedule(static)\")");
    text_line(text, "#else");
    text_line(text, "#define LAM_PARALLEL");
    text_line(text, "#endif");
  }
  if (each) text_comment(text, "Calls a kernel once for each task: in order, or on all threads.");
  if (each) text_line(text, "#define LAM_EACH(count) for (int64_t task = 0; task < (count); task++)");
  if (tasks) text_line(text, "#define LAM_TASKS(count) LAM_PARALLEL LAM_EACH(count)");
  if (mentions(body, "LAM_UNROLL")) {
    text_comment(text, "Without it registers that a loop counts through would be memory.");
    text_line(text, "#if defined(__clang__)");
    text_line(text, "#define LAM_UNROLL _Pragma(\"clang loop unroll(full)\")");
    text_line(text, "#elif defined(__GNUC__)");
    text_line(text, "#define LAM_UNROLL _Pragma(\"GCC unroll 64\")");
    text_line(text, "#else");
    text_line(text, "#define LAM_UNROLL");
    text_line(text, "#endif");
  }
  if (mentions(body, "LAM_PREFETCH")) {
    text_comment(text, "Brings an element near that is read soon; it may lie behind the end, which is why no pointer is made of it.");
    text_line(text, "#if defined(__GNUC__)");
    text_line(text, "#define LAM_PREFETCH(array, index) \\");
    text_line(text, "  __builtin_prefetch((const void *)((uintptr_t)(array) + (uintptr_t)(index) * sizeof *(array)))");
    text_line(text, "#else");
    text_line(text, "#define LAM_PREFETCH(array, index)");
    text_line(text, "#endif");
  }
  text_blank(text);
  const char *linkage = target->attribute ? "LAM_SIMD static inline " : "static inline ";
  for (int i = 0; i < prelude.candidates.count; i++) {
    const struct candidate *candidate = &prelude.candidates.items[i];
    if (!candidate->wanted) continue;
    const char *function = candidate->text;
    if (candidate->formula) {
      if (!candidate->lanes) text_comment(text, formula_comment(candidate->formula));
    } else if (function[0] == '/') {
      size_t length = strcspn(function, "\n") + 1; /* the comment stays above */
      text_raw(text, arena_copy(arena, function, length));
      function += length;
    }
    print_linked(text, linkage, function);
    text_blank(text);
  }
  return text_string(text);
}

const char *emit_functions(struct arena *arena, const struct module *module, const struct target *target) {
  struct c_printer *printer = c_printer_new(arena, target);
  for (int i = 0; i < module->functions.count; i++) c_print_prototype(printer, module->functions.items[i], "");
  for (int i = 0; i < module->functions.count; i++) {
    text_blank(printer->text);
    c_print_function(printer, module->functions.items[i], "");
  }
  const char *body = text_string(printer->text);
  struct text *rules = text_new(arena);
  c_arithmetic_rules(rules);
  return arena_format(arena, "%s%s%s", text_string(rules), c_prelude(arena, target, body), body);
}
