/* The JIT by itself: text to running code, errors as text, virtual headers, several objects, intrinsics, OpenMP, unloading. */
#include "codegen/jit/jit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static struct jit_object compile_text(struct jit_source source) {
  struct jit_object object = {0};
  char *message = NULL;
  if (!CHECK(jit_compile(&source, &object, &message))) printf("  %s\n", message);
  free(message);
  return object;
}

static struct jit_program *load_objects(const struct jit_object *objects, int count, bool openmp) {
  char *message = NULL;
  struct jit_program *program = jit_load(objects, count, openmp, &message);
  if (!CHECK(program != NULL)) printf("  %s\n", message);
  free(message);
  return program;
}

static void test_two_objects(void) {
  const struct jit_file header = {"pair.h", "int half(int x);\n"};
  struct jit_object objects[2];
  for (int level = 0; level <= 3; level++) {
    objects[0] = compile_text((struct jit_source){
        .main = {"a.c", "#include \"pair.h\"\nint third = 3;\nint f(int x) { return half(x) + 1; }\n"},
        .files = &header,
        .file_count = 1,
        .level = level});
    objects[1] =
        compile_text((struct jit_source){.main = {"b.c", "#include \"pair.h\"\nint half(int x) { return x / 2; }\n"},
                                         .files = &header,
                                         .file_count = 1,
                                         .level = level,
                                         .debug = true});
    if (!objects[0].bytes || !objects[1].bytes) return;
    struct jit_program *program = load_objects(objects, 2, false);
    for (int i = 0; i < 2; i++) jit_object_free(&objects[i]);
    if (!program) return;
    int (*f)(int) = NULL;
    *(void **)&f = jit_symbol(program, "f");
    int *third = jit_symbol(program, "third");
    CHECK(jit_symbol(program, "no_such_name") == NULL);
    if (CHECK(f && third)) CHECK(f(40) + *third == 24);
    jit_unload(program);
  }
}

static void test_errors(void) {
  struct jit_object object = {0};
  char *message = NULL;
  CHECK(!jit_compile(&(struct jit_source){.main = {"wrong.c", "int f(void) {\n  return missing;\n}\n"}}, &object,
                     &message));
  CHECK(message && strstr(message, "wrong.c:2:10: error: use of undeclared identifier 'missing'"));
  CHECK(object.bytes == NULL);
  free(message);
  message = NULL;
  object = compile_text(
      (struct jit_source){.main = {"undefined.c", "int missing(void);\nint f(void) { return missing(); }\n"}});
  CHECK(jit_load(&object, 1, false, &message) == NULL);
  CHECK(message && strstr(message, "missing"));
  jit_object_free(&object);
  free(message);
}

static void test_assembly(void) {
  struct jit_object text = compile_text(
      (struct jit_source){.main = {"a.c", "int f(void) { return 7; }\n"}, .output = JIT_ASSEMBLY, .level = 2});
  CHECK(text.bytes && strlen(text.bytes) == text.size && strstr(text.bytes, "f:"));
  jit_object_free(&text);
}

/* Headers of intrinsics, OpenMP, and the C library. */
static void test_lanes(void) {
  static const char text[] =
      "#include <immintrin.h>\n#include <math.h>\n#include <stdio.h>\n#include <omp.h>\n"
      "__attribute__((target(\"avx2\"))) void twice(float *x) { _mm256_storeu_ps(x, _mm256_add_ps(_mm256_loadu_ps(x), "
      "_mm256_loadu_ps(x))); }\n"
      "double root(double x) { char digits[32]; snprintf(digits, sizeof digits, \"%g\", tanh(x)); return digits[0] == "
      "'0'; }\n"
      "int threads(void) {\n  int count = 0;\n#pragma omp parallel for num_threads(2) reduction(+ : count)\n"
      "  for (int i = 0; i < 100; i++) count += omp_get_num_threads();\n  return count;\n}\n";
  for (int i = 0; i < 20; i++) {
    struct jit_object object =
        compile_text((struct jit_source){.main = {"lanes.c", text}, .level = i % 2 ? 2 : 0, .openmp = true});
    if (!object.bytes) return;
    struct jit_program *program = load_objects(&object, 1, true);
    jit_object_free(&object);
    if (!program) return;
    void (*twice)(float *);
    double (*root)(double);
    int (*threads)(void);
    *(void **)&twice = jit_symbol(program, "twice");
    *(void **)&root = jit_symbol(program, "root");
    *(void **)&threads = jit_symbol(program, "threads");
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    if (CHECK(twice && root && threads)) {
      if (__builtin_cpu_supports("avx2")) {
        twice(x);
        CHECK(x[0] == 2 && x[7] == 16);
      }
      CHECK(root(0.5) == 1);
      CHECK(threads() == 200);
    }
    jit_unload(program);
  }
}

int main(void) {
  char *message = NULL;
  if (!jit_can_compile(&message) || !jit_can_load(&message)) {
    printf("  %s\n", message);
    SKIP("no LLVM");
    free(message);
    return check_done("jit");
  }
  CHECK(jit_compiler_version() && strstr(jit_compiler_version(), "19"));
  test_two_objects();
  test_errors();
  test_assembly();
  test_lanes();
  return check_done("jit");
}
