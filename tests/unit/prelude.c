/* The text before printed functions has the helpers, macros and headers that the printed text mentions, and no others,
   for random graphs and every target. --seconds N makes it run for so long. */
#include <ctype.h>
#include <string.h>

#include "codegen/codegen.h"
#include "passes/passes.h"
#include "tests/harness/random_graph.h"
#include "tests/unit/check.h"

enum { ROUNDS = 160 };

/* How often the word occurs in the text outside of comments. */
static int count_word(const char *text, const char *word, size_t length) {
  int count = 0;
  bool in_comment = false;
  for (const char *at = text; *at; at++) {
    if (!in_comment && at[0] == '/' && at[1] == '*')
      in_comment = true;
    else if (in_comment && at[0] == '*' && at[1] == '/')
      in_comment = false;
    if (in_comment || strncmp(at, word, length) != 0) continue;
    bool begins = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
    count += begins && !isalnum((unsigned char)at[length]) && at[length] != '_';
  }
  return count;
}

static bool has_word(const char *text, const char *word) { return count_word(text, word, strlen(word)) > 0; }

/* Each "lam_..." is defined once, and used elsewhere. */
static void check_helpers(const char *text) {
  for (const char *at = text; (at = strstr(at, "static inline ")) != NULL; at++) {
    const char *name = at;
    while (strncmp(name, "lam_", 4) != 0 && *name != '\n' && *name) name++;
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (!CHECK(*name == 'l' && name[length] == '(')) continue;
    if (!CHECK(count_word(text, name, length) > 1)) printf("  %.*s\n", (int)length, name);
  }
}

static void check_macros(const char *text) {
  static const char *const macros[] = {"LAM_SIMD", "LAM_PARALLEL", "LAM_UNROLL", "LAM_PREFETCH"};
  for (size_t i = 0; i < sizeof macros / sizeof *macros; i++) {
    size_t length = strlen(macros[i]);
    int definitions = 0, mentions = count_word(text, macros[i], length);
    for (const char *at = text; (at = strstr(at, "#define ")) != NULL; at++)
      definitions += !strncmp(at + strlen("#define "), macros[i], length) &&
                     !isalnum((unsigned char)at[strlen("#define ") + length]);
    /* A target's attribute is defined for whatever is printed for it. */
    if (!CHECK(!mentions == !definitions && (mentions > definitions || !definitions || i == 0)))
      printf("  %s\n", macros[i]);
  }
}

static void check_headers(const char *text) {
  static const char *const math[] = {"fabsf", "sqrtf", "floorf",   "rintf",    "fmaf",     "fabs", "sqrt", "floor",
                                     "rint",  "exp",   "log",      "tanh",     "erf",      "sin",  "cos",  "pow",
                                     "frexp", "ldexp", "copysign", "isfinite", "INFINITY", "NAN"};
  bool needs_math = false;
  for (size_t i = 0; i < sizeof math / sizeof *math; i++) needs_math = needs_math || has_word(text, math[i]);
  CHECK(needs_math == (strstr(text, "#include <math.h>") != NULL));
  CHECK(has_word(text, "memcpy") == (strstr(text, "#include <string.h>") != NULL));
}

static void check_round(long round) {
  static const char *const pipelines[] = {"default", "none", "-plan, -tile", "-fuse"};
  for (int i = 0; target_at(i); i++) {
    struct arena *arena = arena_new();
    int flags = (round % 2 ? SAMPLE_SIZES : 0) | (round % 3 ? SAMPLE_PATTERNS : 0) | (round % 5 ? SAMPLE_LONG : 0);
    uint64_t seed = check_random();
    struct sample *sample = round % 3 ? sample_graph(arena, 1 + (int)(round % 9), seed, flags)
                                      : sample_operation(arena, (enum op)(round / 3 % OP_COUNT), seed, flags);
    int failed = check_totals.failed;
    if (sample->stage != STAGE_LOWERED) {
      pass_inline(sample->graph);
      struct pass_options options = {.pipeline = pipelines[round % 4], .target = target_at(i)};
      const char *text =
          emit_functions(arena, run_schedules(&sample->program, &options, diagnostics_new(arena)), target_at(i));
      check_helpers(text);
      check_macros(text);
      check_headers(text);
      if (check_totals.failed > failed)
        printf("target %s, pipeline '%s'\n%s", target_at(i)->name, options.pipeline, text);
    }
    arena_free(arena);
  }
}

int main(int count, char **arguments) {
  if (!check_options("prelude", count, arguments)) return 2;
  for (long round = 0; check_goes_on(round, ROUNDS); round++) check_round(round);
  return check_done("prelude");
}
