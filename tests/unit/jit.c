/* The JIT by itself: text to running code, errors as text, virtual headers, several objects, intrinsics, OpenMP, unloading. */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "codegen/jit/jit.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* The code uses headers of intrinsics, of OpenMP and of the C library. */
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

/* Threads compile the code in parts: each static stays one, tables keep their identity, and helpers to be inlined are
   in every part. */
static void test_parts(void) {
  char *text = malloc(1 << 16), *end = text;
  end += sprintf(end,
                 "struct row { const char *name; int (*call)(int); };\nstatic int counter = 5, room[1000];\n"
                 "static inline int help(int x) { return x * 2 + 1; }\n");
  for (int i = 0; i < 40; i++)
    end += sprintf(end,
                   "static const int table%d[] = {%d, %d};\nstatic const int *identity%d(void) { return table%d; }\n"
                   "static int work%d(int x) { static int calls; counter++; room[%d] += x; calls++;\n"
                   "  for (int i = 0; i < x; i++) room[i] ^= help(i + %d); return table%d[1] + calls + (identity%d() "
                   "== table%d); }\n",
                   i, i, i * 3, i, i, i, i + 500, i, i, i, i);
  end += sprintf(end, "static const struct row rows[] = {");
  for (int i = 0; i < 40; i++) end += sprintf(end, "{\"row %d\", work%d}, ", i, i);
  sprintf(end,
          "};\nint total(int x) { int sum = 0; for (int i = 0; i < 40; i++) sum += rows[i].call(x) + work0(0); return "
          "sum; }\n"
          "int count(void) { return counter; }\nconst char *name(int i) { return rows[i].name; }\n");
  int expected = 0;
  for (int threads = 1; threads <= 4; threads++) {
    struct jit_object object =
        compile_text((struct jit_source){.main = {"parts.c", text}, .level = 2, .threads = threads});
    if (!object.bytes) break;
    struct jit_object elf;
    int files = 0;
    for (size_t at = 0; jit_object_next(&object, &at, &elf);) files++;
    CHECK(files == (threads == 1 ? 1 : threads * 2));
    struct jit_program *program = load_objects(&object, 1, false);
    jit_object_free(&object);
    if (!program) break;
    int (*total)(int), (*count)(void);
    const char *(*name)(int);
    *(void **)&total = jit_symbol(program, "total");
    *(void **)&count = jit_symbol(program, "count");
    *(void **)&name = jit_symbol(program, "name");
    if (CHECK(total && count && name)) {
      int got = total(7) + total(3);
      if (threads == 1) expected = got;
      CHECK(got == expected && got > 1000);
      CHECK(count() == 5 + 2 * 80);
      CHECK_STRING(name(39), "row 39");
    }
    jit_unload(program);
  }
  free(text);
}

static int is_loader(struct dl_phdr_info *library, size_t size, void *path) {
  (void)size;
  if (!strstr(library->dlpi_name, "liblamella-load.so")) return 0;
  *(const char **)path = library->dlpi_name;
  return 1;
}

/* gdb reads a list of the code that is loaded. It is LLVM's, in the shared object or in a library that this one needs. */
static void test_debugger(void) {
  struct jit_object object =
      compile_text((struct jit_source){.main = {"a.c", "int f(void) { return 1; }\n"}, .debug = true});
  struct jit_program *program = load_objects(&object, 1, false);
  jit_object_free(&object);
  const char *path = NULL;
  void *library = dl_iterate_phdr(is_loader, &path) ? dlopen(path, RTLD_NOW | RTLD_NOLOAD) : NULL;
  if (CHECK(library != NULL)) {
    struct {
      uint32_t version, action;
      void *relevant, *first;
    } *descriptor = dlsym(library, "__jit_debug_descriptor");
    CHECK(descriptor && descriptor->version == 1 && descriptor->first);
    if (program) jit_unload(program), program = NULL;
    CHECK(descriptor && !descriptor->first);
    dlclose(library);
  }
  if (program) jit_unload(program);
}

/* A crash names the functions on the stack, static ones too, and ends the process by its signal. */
static void test_crash(void) {
  int ends[2];
  if (!CHECK(pipe(ends) == 0)) return;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's */
    dup2(ends[1], STDERR_FILENO);
    struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    static const char text[] =
        "__attribute__((noinline)) static int inner_part(volatile int *at) { *at = 1; return *at + 1; }\n"
        "int outer_part(int *at) { return inner_part(at) + 1; }\n";
    struct jit_object object = compile_text((struct jit_source){.main = {"crash.c", text}, .level = 1});
    struct jit_program *program = load_objects(&object, 1, false);
    int (*outer)(int *) = NULL;
    if (program) *(void **)&outer = jit_symbol(program, "outer_part");
    jit_name_crashes();
    if (outer) outer(NULL);
    _exit(0);
  }
  close(ends[1]);
  char text[8192];
  size_t length = 0;
  for (ssize_t got; length < sizeof text - 1 && (got = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
    length += (size_t)got;
  text[length] = 0;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
  if (!CHECK(strstr(text, "#0 inner_part +") && strstr(text, "#1 outer_part +"))) printf("%s\n", text);
}

static void test_perf(void) {
  struct jit_object object =
      compile_text((struct jit_source){.main = {"a.c", "int perf_shall_see(void) { return 1; }\n"}});
  struct jit_program *program = load_objects(&object, 1, false);
  jit_object_free(&object);
  if (!program) return;
  char path[64], line[256];
  snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
  bool found = false;
  if (CHECK(jit_perf_map())) {
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) found = found || strstr(line, " perf_shall_see\n");
    if (file) fclose(file);
    unlink(path);
  }
  CHECK(found);
  jit_unload(program);
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
  test_parts();
  test_debugger();
  test_crash();
  test_perf();
  return check_done("jit");
}
