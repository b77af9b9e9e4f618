/* Features of targets: how they are named, that a program asks for those that it uses and for no others, that processors are asked for
   them where Linux has them from, and that rows for them mean what their operations mean: rounding to half precision and to bfloat16 by
   each target, compared with the C compiler's own and with the definition on bits. NEON's runs under qemu. */
#include <unistd.h>

#include "codegen/c_arithmetic.h"
#include "codegen/codegen.h"
#include "tests/unit/check.h"

static struct arena *arena;

static void check_name(const char *text, const char *expected, const char *attribute) {
  const char *problem;
  const struct target *target = target_read(arena, text, &problem);
  CHECK_STRING(problem, NULL);
  if (!CHECK(target != NULL)) return;
  CHECK_STRING(target->name, expected);
  CHECK_STRING(target->attribute, attribute);
}

static void check_refused(const char *text, const char *expected) {
  const char *problem;
  CHECK(!target_read(arena, text, &problem));
  CHECK_STRING(problem, expected);
}

static void check_names(void) {
  check_name("portable", "portable", NULL);
  check_name("avx2+f16c", "avx2+f16c", "avx2,fma,f16c");
  check_name("avx512+bf16+vnni", "avx512+vnni+bf16", "avx512f,avx512bw,avx512vl,avx512dq,fma,avx512vnni,avx512bf16");
  check_name("avx512+vnni+vnni", "avx512+vnni", "avx512f,avx512bw,avx512vl,avx512dq,fma,avx512vnni");
  check_name("neon", "neon", NULL);
  check_name("neon+bf16+dot", "neon+dot+bf16", "arch=armv8.2-a+dotprod+bf16");
  check_refused("avx3", "no target is called 'avx3'; there are native, portable, avx2, avx512, neon, reference");
  check_refused("avx3+vnni", "no target is called 'avx3'; there are native, portable, avx2, avx512, neon, reference");
  check_name("portable+fma", "portable+fma", NULL);
  check_refused("portable+vnni", "the target portable has no feature 'vnni': it has fma");
  check_refused("reference+fma", "the target reference has no features");
  check_refused("avx2+bf16", "the target avx2 has no feature 'bf16': it has f16c, vnni");
  check_refused("avx2+vnn", "the target avx2 has no feature 'vnn': it has f16c, vnni");
  check_refused("avx512+", "the target avx512 has no feature '': it has vnni, bf16, vbmi2, amx");
  check_refused("native+vnni",
                "native takes no features, since it has all that this machine has: name a target, as in avx512+vnni");
  check_refused("nativ+vnni", "no target is called 'nativ'; there are native, portable, avx2, avx512, neon, reference");
  const struct target *target = target_find("avx512");
  CHECK(target_takes(target, "avx512", NULL) && !target_takes(target, "avx512", "bf16"));
  CHECK(!target_takes(target, "avx5", NULL) && !target_takes(target, "avx2", NULL));
}

/* native has exactly what the flags in /proc/cpuinfo say. */
static void check_native(void) {
  static const struct {
    const char *target, *feature, *flag;
  } flags[] = {{"avx2", "f16c", " f16c "},
               {"avx2", "vnni", " avx_vnni "},
               {"avx512", "vnni", " avx512_vnni "},
               {"avx512", "bf16", " avx512_bf16 "},
               {"avx512", "vbmi2", " avx512_vbmi2 "},
               {"avx512", "amx", " amx_bf16 "},
               {"neon", "dot", " asimddp "},
               {"neon", "i8mm", " i8mm "},
               {"neon", "bf16", " bf16 "}};
  enum { COUNT = sizeof flags / sizeof *flags };
  char line[8192] = "", *found = NULL;
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && !found && fgets(line, sizeof line, file))
    if (!strncmp(line, "flags", 5) || !strncmp(line, "Features", 8)) found = line;
  if (file) fclose(file);
  if (!found) {
    SKIP("no /proc/cpuinfo with flags");
    return;
  }
  for (char *at = line; *at; at++)
    if (*at == '\n') *at = ' ';
  const char *problem;
  const struct target *native = target_read(arena, "native", &problem);
  for (int i = 0; i < COUNT; i++) {
    const bool has = strstr(line, flags[i].flag) != NULL;
    const struct target *one =
        target_read(arena, arena_format(arena, "%s+%s", flags[i].target, flags[i].feature), &problem);
    if (!CHECK(target_runs_here(one) == (has && target_runs_here(target_find(flags[i].target)))))
      printf("  %s\n", one->name);
    if (target_takes(native, flags[i].target, NULL) &&
        !CHECK(target_takes(native, flags[i].target, flags[i].feature) == has))
      printf("  %s\n", native->name);
  }
  int features = 0;
  for (int i = 0; target_feature_at(i); i++) features += target_feature_at(i)->cpu_features != NULL;
  CHECK(features == COUNT);
}

/* --- Rounding ------------------------------------------------------------------------------------------------------------------- */

/* A rounding that the targets have, and its name in the program below. */
struct rounding {
  const char *name;
  enum storage storage; /* STORAGE_REAL: bf16 at random, where the draw is 1, so that all steps go towards 0 */
};
static const struct rounding f16 = {"f16", STORAGE_F16}, bf16 = {"bf16", STORAGE_BF16},
                             towards_0 = {"towards_0", STORAGE_REAL};

static const struct expression *rounded(struct rounding rounding, const struct expression *x) {
  if (rounding.storage != STORAGE_REAL) return expression_cast(arena, rounding.storage, x);
  return expression_apply(arena, OP_round_random, x, expression_number(arena, TYPE_REAL, 1), NULL);
}

/* y[i] = x[i] rounded, by vectors. */
static const char *rounding_source(const struct target *target, struct rounding rounding) {
  struct module module = {.arena = arena, .name = "rounding"};
  struct function *function = function_new(arena, "rounded");
  struct array *x = function_add_pointer(arena, function, "x", TYPE_REAL, 0, false, NULL);
  struct array *y = function_add_pointer(arena, function, "y", TYPE_REAL, 0, true, NULL);
  const struct expression *n = expression_variable(arena, function_add_number(arena, function, "n", TYPE_INDEX));
  struct statement *loop = block_loop(arena, &function->body, LOOP_SERIAL, "i", n);
  loop->step = target->lanes;
  struct statement *lanes = block_loop(arena, &loop->body, LOOP_VECTOR, "lane", expression_index(arena, target->lanes));
  const struct expression *at =
      index_add(arena, expression_variable(arena, loop->variable), expression_variable(arena, lanes->variable));
  struct block *block = &block_if(arena, &lanes->body, expression_apply(arena, OP_lt, at, n, NULL))->body;
  block_store(arena, block, y, at, rounded(rounding, expression_load(arena, x, at)));
  array_push(arena, &module.functions, function);
  return emit_functions(arena, &module, target);
}

/* Goes through the floats of all exponents, and ends with status 1 after a message when one is rounded otherwise. A NaN, also a signalling
   one, must still be a NaN in its upper 16 bits, which are what memory keeps of it in bf16. */
static const char program[] =
    "#include <stdio.h>\n"
    "#include <string.h>\n"
    "void rounded(const float *restrict x, float *restrict y, int64_t n);\n"
    "static float bits_float(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }\n"
    "static uint32_t float_bits(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }\n"
    "static float f16(float x) { return (float)(_Float16)x; }\n"
    "static float bf16(float x) {\n"
    "  uint32_t bits = float_bits(x), cut = bits & 0xffff0000u, rest = bits & 0xffffu;\n"
    "  return bits_float(cut + (rest > 0x8000 || (rest == 0x8000 && bits >> 16 & 1) ? 0x10000u : 0));\n"
    "}\n"
    "static float towards_0(float x) { return bits_float(float_bits(x) & 0xffff0000u); }\n"
    "int main(void) {\n"
    "  enum { COUNT = 1021 };\n"
    "  static float x[COUNT], y[COUNT];\n"
    "  uint32_t bits = 0;\n"
    "  for (int round = 0; round < 4096; round++) {\n"
    "    for (int i = 0; i < COUNT; i++, bits += 1027) x[i] = bits_float(round % 2 ? bits : bits & 0xfffff000u);\n"
    "    rounded(x, y, COUNT);\n"
    "    for (int i = 0; i < COUNT; i++) {\n"
    "      const float expected = ROUND(x[i]);\n"
    "      const float upper = bits_float(float_bits(y[i]) & 0xffff0000u);\n"
    "      if (x[i] != x[i] ? upper == upper : float_bits(y[i]) != float_bits(expected))\n"
    "        return printf(\"%a became %a, not %a\\n\", x[i], y[i], expected), 1;\n"
    "    }\n"
    "  }\n"
    "  return 0;\n"
    "}\n";

static bool exists(const char *command) {
  return system(arena_format(arena, "command -v %s > /dev/null", command)) == 0;
}

static void check_rounding(const char *folder, const char *name, struct rounding rounding) {
  const char *problem, *before = "", *compiler = "gcc", *rounds = rounding.name;
  const struct target *target = target_read(arena, name, &problem);
  if (target->architecture == ARCHITECTURE_AARCH64 && target_is_foreign(target))
    compiler = "aarch64-linux-gnu-gcc -static", before = "qemu-aarch64 -cpu max ";
  if (*before ? !exists("aarch64-linux-gnu-gcc") || !exists("qemu-aarch64") : !target_runs_here(target)) {
    SKIP(arena_format(arena, "no %s here", name));
    return;
  }
  const char *file = arena_format(arena, "%s/%s-%s", folder, name, rounds);
  FILE *out = fopen(arena_format(arena, "%s.c", file), "w");
  if (!CHECK(out != NULL)) return;
  fprintf(out, "%s%s", rounding_source(target, rounding), program);
  fclose(out);
  const char *command =
      arena_format(arena, "%s -std=c11 -O2 -Wall -Wextra -Wno-unused-function -Werror -DROUND=%s %s.c -o %s -lm",
                   compiler, rounds, file, file);
  if (!CHECK(system(command) == 0) || !CHECK(system(arena_format(arena, "%s%s", before, file)) == 0))
    printf("  %s by %s\n", rounds, name);
}

/* What a text asks of the processor is what it uses. */
static void check_asked(const char *name, struct rounding rounding, const char *attribute) {
  const char *problem, *line = arena_format(arena, "#define LAM_SIMD%s\n", attribute);
  if (!CHECK(strstr(rounding_source(target_read(arena, name, &problem), rounding), line) != NULL))
    printf("  %s: no %s", name, line);
}

static void check_checks(void) {
  const char *problem;
  struct text *text = text_new(arena);
  c_machine_checks(text, target_read(arena, "avx512+bf16", &problem), "net");
  CHECK(strstr(text_string(text), "{7, 1, 0, 5, 0xe6, LACKS(\"avx512bf16\")},") != NULL);
  CHECK(strstr(text_string(text), "avx512vnni") == NULL);
  text = text_new(arena);
  c_machine_checks(text, target_read(arena, "neon+i8mm", &problem), "net");
  CHECK(strstr(text_string(text), "{26, 13, LACKS(\"i8mm\")},") != NULL);
}

int main(void) {
  arena = arena_new();
  char folder[] = "/tmp/lamella-features-XXXXXX";
  check_names();
  check_native();
  check_checks();
  check_asked("avx2+f16c+vnni", f16, " __attribute__((target(\"avx2,fma,f16c\")))");
  check_asked("avx2+f16c+vnni", bf16, " __attribute__((target(\"avx2,fma\")))");
  check_asked("neon+dot+bf16", bf16, " __attribute__((target(\"arch=armv8.2-a+bf16\")))");
  check_asked("neon+dot+bf16", f16, "");
  if (!CHECK(mkdtemp(folder) != NULL)) return check_done("features");
  static const char *const names[] = {"portable", "avx2", "avx2+f16c", "avx512", "avx512+bf16", "neon", "neon+bf16"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    check_rounding(folder, names[i], f16);
    check_rounding(folder, names[i], bf16);
    check_rounding(folder, names[i], towards_0);
  }
  if (!check_totals.failed) CHECK(system(arena_format(arena, "rm -r %s", folder)) == 0);
  arena_free(arena);
  return check_done("features");
}
