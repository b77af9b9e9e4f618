#include "codegen/c_arithmetic.h"

#include <string.h>

#include "codegen/codegen.h"

void c_arithmetic_rules(struct text *text) {
  text_comment(
      text,
      "Every sum is written in its order, and every multiply-add that is to be fused as one. No compiler may do "
      "otherwise, "
      "so that all give the same bits: gcc is told so, clang where its options can be undone; else it is an error.");
  text_raw(
      text,
      "#if defined(__GNUC__) && !defined(__clang__)\n"
      "#if !defined(__STRICT_ANSI__) || __GNUC__ < 12 || defined(__ASSOCIATIVE_MATH__) || \\\n"
      "    defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__) || __FINITE_MATH_ONLY__\n"
      "#pragma GCC optimize(\"fp-contract=off\", \"no-fast-math\", \"no-unsafe-math-optimizations\")\n"
      "#pragma GCC optimize(\"no-associative-math\", \"no-reciprocal-math\", \"no-finite-math-only\", "
      "\"signed-zeros\")\n"
      "#endif\n"
      "#elif defined(__FAST_MATH__) || defined(_M_FP_FAST) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)\n"
      "#error \"numbers would be wrong: compile without -ffast-math, -Ofast, -ffinite-math-only, -ffp-model=fast\"\n"
      "#elif defined(__clang__)\n"
      "#if !defined(__wasm__) && !defined(__arm__)\n"
      "#pragma float_control(precise, on)\n"
      "#endif\n"
      "#pragma STDC FP_CONTRACT OFF\n"
      "#endif\n"
      "#if defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2)\n"
      "#error \"numbers would be wrong, since floats are kept in wider registers: add -msse2 -mfpmath=sse\"\n"
      "#endif\n");
}

/* Prints the function NAME_fault. It computes as little as can reveal a wrong compiler, on numbers that no compiler may
   fold. */
static void print_arithmetic_fault(struct text *text, const struct target *target, const char *name) {
  text_comment(
      text,
      "What is wrong with this program's arithmetic, or NULL: not every compiler tells by a macro what it was told.");
  text_raw(
      text,
      "#define WRONG(why)                                                                                   \\\n"
      "  \"this program would compute wrong numbers, because \" why \": compile it without -ffast-math, -Ofast, \" \\\n"
      "  \"-fassociative-math, -ffp-contract=fast and the like\"\n");
  text_open(text, "%sstatic const char *%s_fault(void)", target->attribute ? "LAM_SIMD " : "", name);
  text_line(text,
            "volatile float given[] = {12582912, 0.3f, 1.000244140625f, 1.00048828125f, 7, -0.0f, INFINITY, NAN};");
  text_line(text,
            "const float large = given[0], part = given[1], near = given[2], square = given[3], seven = given[4];");
  text_line(text, "const float zero = given[5], infinite = given[6], none = given[7];");
  text_line(text, "if (part + large - large != 0) return WRONG(\"sums are reordered\");");
  text_line(text, "if (near * near - square != 0) return WRONG(\"products and sums are fused\");");
  text_line(text, "if (seven / 3 != 2.33333325f) return WRONG(\"divisions are products\");");
  text_line(text, "if (none == none || infinite <= 3e38f) return WRONG(\"numbers are taken to be finite\");");
  text_line(text, "if (1 / (zero + 0) < 0) return WRONG(\"zeros have no sign\");");
  text_line(text,
            "return (int64_t)16777217.0 == 16777216 ? WRONG(\"constants are rounded to single precision\") : NULL;");
  text_close(text);
  text_blank(text);
}

/* The table of what a processor must have, and the lines that find out whether it does. */
static void print_needed(struct text *text, const struct target *target) {
  const bool is_arm = target->architecture == ARCHITECTURE_AARCH64;
  text_line(text, "static const struct { unsigned %s; const char *name; } needed[] = {",
            is_arm ? "entry, bit" : "leaf, subleaf, word, bit, state");
  text->indentation += 2;
  for (int i = 0; i < cpu_feature_count(target); i++) {
    const struct cpu_feature *feature = cpu_feature_of(target, i);
    if (is_arm)
      text_line(text, "{%u, %u, LACKS(\"%s\")},", feature->leaf, feature->bit, feature->name);
    else
      text_line(text, "{%u, %u, %u, %u, 0x%x, LACKS(\"%s\")},", feature->leaf, feature->subleaf, feature->word,
                feature->bit, feature->state, feature->name);
  }
  text->indentation -= 2;
  text_line(text, "};");
  if (!is_arm) {
    text_line(text, "unsigned words[4] = {0}, saved = 0, high;");
    text_line(text, "if (__get_cpuid(1, &words[0], &words[1], &words[2], &words[3]) && words[2] >> 27 & 1)");
    text->indentation++;
    text_line(
        text,
        "__asm__ volatile(\"xgetbv\" : \"=a\"(saved), \"=d\"(high) : \"c\"(0)); /* registers that the system saves */");
    text->indentation--;
  }
  text_open(text, "for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)");
  if (is_arm) {
    text_line(text, "if (!(getauxval(needed[i].entry) >> needed[i].bit & 1)) return needed[i].name;");
  } else {
    text_line(text, "const unsigned leaf = needed[i].leaf, subleaf = needed[i].subleaf;");
    text_line(text, "int known = __get_cpuid_count(leaf, subleaf, &words[0], &words[1], &words[2], &words[3]);");
    text_line(
        text,
        "if (!known || !(words[needed[i].word] >> needed[i].bit & 1) || (saved & needed[i].state) != needed[i].state)");
    text->indentation++;
    text_line(text, "return needed[i].name;");
    text->indentation--;
  }
  text_close(text);
  for (int i = 0; i < cpu_feature_count(target); i++) {
    const struct cpu_feature *feature = cpu_feature_of(target, i);
    if (!feature->asked) continue;
    text_raw(text, "#ifdef __linux__\n");
    text_line(text,
              "if (syscall(SYS_arch_prctl, 0x1023L, %uL) != 0) /* ARCH_REQ_XCOMP_PERM: the process asks for them */",
              feature->asked);
    text->indentation++;
    text_line(text,
              "return \"this program uses registers of %s that the system does not grant it: --target=portable \"",
              feature->name);
    text_line(text, "       \"makes one for all\";");
    text->indentation--;
    text_raw(text, "#endif\n");
  }
}

/* Only Linux tells a program of AArch64 what its processor has; other systems require what a target without features
   needs. */
static void print_missing(struct text *text, const struct target *target, const char *name) {
  const bool is_arm = target->architecture == ARCHITECTURE_AARCH64;
  text_comment(
      text, "The first of the instruction sets which this program is made of that processor or system lack, or NULL.");
  text_raw(text,
           "#define LACKS(set) \\\n"
           "  \"this program is made for processors with \" set \", which this one has not: --target=portable makes "
           "one for all\"\n");
  text_open(text, "static const char *%s_missing(void)", name);
  if (is_arm) text_raw(text, "#ifdef __linux__\n");
  print_needed(text, target);
  if (is_arm) text_raw(text, "#endif\n");
  text_line(text, "return NULL;");
  text_close(text);
  text_blank(text);
}

void c_machine_headers(struct text *text, const struct target *target) {
  if (target->architecture == ARCHITECTURE_X86_64) text_raw(text, "#include <cpuid.h>\n");
  bool asks = false;
  for (int i = 0; i < cpu_feature_count(target); i++) asks = asks || cpu_feature_of(target, i)->asked;
  if (asks)
    text_raw(text,
             "#ifdef __linux__\n#include <sys/syscall.h>\n"
             "extern long syscall(long, ...); /* unistd.h declares it beside much else, and not for C11 alone */\n"
             "#endif\n");
  if (target->architecture == ARCHITECTURE_AARCH64) text_raw(text, "#ifdef __linux__\n#include <sys/auxv.h>\n#endif\n");
}

void c_machine_checks(struct text *text, const struct target *target, const char *name) {
  print_arithmetic_fault(text, target, name);
  if (*target->cpu_features) print_missing(text, target, name);
  text_open(text, "const char *%s_problem(void)", name);
  if (*target->cpu_features) {
    text_line(text, "const char *missing = %s_missing();", name);
    text_line(text, "if (missing) return missing;");
  }
  text_line(text, "return %s_fault();", name);
  text_close(text);
  text_blank(text);
}
