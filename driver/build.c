/* Compiles the emitted C into a file: in this process by Clang's libraries and the system's linker, or by another
   compiler with --cc. */
#include "driver/spec_code.h"
#include "ir/environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 128 };

/* Runs a command given as words. Returns its exit status, or 127 when it cannot be started. Its messages go to a file,
   unless `messages` is NULL. */
static int run_command(const char *const *words, bool verbose, const char *messages) {
  if (verbose) {
    for (int i = 0; words[i]; i++) fprintf(stderr, "%s%s", i ? " " : "", words[i]);
    fputc('\n', stderr);
  }
  fflush(NULL);
  pid_t child = fork();
  if (child < 0) return 127;
  if (child == 0) {
    if (messages && (!freopen(messages, "w", stderr) || !freopen("/dev/null", "w", stdout))) _exit(127);
    execvp(words[0], (char *const *)words);
    _exit(127);
  }
  temporary_writer(child);
  int status = 0;
  pid_t ended;
  while ((ended = waitpid(child, &status, 0)) < 0 && errno == EINTR) continue;
  temporary_writer(0);
  if (ended < 0) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Splits a text such as "ccache gcc -m64" into words. */
static int split_words(struct arena *arena, const char *text, const char **words, int limit) {
  int count = 0;
  char *copy = arena_strdup(arena, text), *rest = NULL;
  for (char *word = strtok_r(copy, " \t", &rest); word && count < limit; word = strtok_r(NULL, " \t", &rest))
    words[count++] = word;
  return count;
}

/* A kind of output, and the ending of its name when -o gives none. */
struct product {
  const char *flag, *ending; /* "-c", ".o" */
};
static struct product product_of(const struct options *options) {
  if (options->kind == BUILD_OBJECT) return (struct product){"-c", ".o"};
  if (options->kind == BUILD_ASSEMBLY) return (struct product){"-S", ".s"};
  if (options->kind == BUILD_SHARED) return (struct product){"-shared", ".so"};
  return (struct product){NULL, ""};
}

/* --- In this process ---------------------------------------------------------------------------------------------------- */

/* Writes each ELF file of the object into `folder` and adds its name to `words`; false after a message. */
static bool write_parts(struct options *options, const struct jit_object *object, const char *folder,
                        const char **words, int *count) {
  struct jit_object elf;
  for (size_t at = 0; jit_object_next(object, &at, &elf);) {
    const char *path = arena_format(options->arena, "%s/%d.o", folder, *count);
    if (*count >= MAX_WORDS - 8 || !write_bytes(path, elf.bytes, elf.size)) return false;
    temporary_add(path);
    words[(*count)++] = path;
  }
  return true;
}

/* Links the object into `path` as Clang's driver would. The parts of the object are first written to a folder of their
   own. */
static bool link_object(struct options *options, const struct jit_object *object, const char *path) {
  const char *folder = temporary_folder(options), *words[MAX_WORDS];
  if (!folder) return false;
  temporary_add(folder);
  int count = 0;
  bool done = write_parts(options, object, folder, words, &count);
  if (options->kind == BUILD_SHARED) words[count++] = "-shared";
  if (has_openmp(options)) words[count++] = "-fopenmp";
  if (has_openmp(options) && options->openmp == OPENMP_STATIC) words[count++] = "-static-openmp";
  if (options->is_static) words[count++] = "-static";
  words[count++] = "-o";
  words[count++] = path;
  words[count++] = "-lm";
  char *message = NULL;
  char **command = done ? jit_link_command(words, count, &message) : NULL;
  if (done && !command) fprintf(stderr, "lamella: error: %s\n", message);
  if (command) {
    int status = run_command((const char *const *)command, options->verbose, NULL);
    if (status == 127)
      fprintf(stderr, "lamella: error: cannot run the linker %s: install binutils\n", command[0]);
    else if (status != 0)
      fprintf(stderr, "lamella: error: the linker %s failed; tools/setup installs the libraries it needs%s\n",
              command[0], options->is_static ? ", and Debian's libc6-dev has the libc.a of a static program" : "");
    done = status == 0;
    for (int i = 0; command[i]; i++) free(command[i]);
    free(command);
  } else {
    done = false;
  }
  free(message);
  return done;
}

static bool build_here(struct options *options, const struct jit_object *object, const char *path) {
  if (options->kind == BUILD_OBJECT || options->kind == BUILD_ASSEMBLY)
    return write_bytes(path, object->bytes, object->size);
  const char *made = output_begin(options, path);
  times_enter(options->passes.times, "link");
  bool linked = made && link_object(options, object, made);
  times_leave(options->passes.times);
  return linked && output_end(options, made, path);
}

/* --- By another compiler ------------------------------------------------------------------------------------------------ */

/* How a compiler is asked for threads: by words before the source and words after it. A small program shows whether
   they work. */
struct threading {
  const char *words[3], *behind[5];
  const char *program;
};
#define OPENMP_PROGRAM "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
static const struct threading one_thread = {.program = "int main(void) { return 0; }\n"};
static const struct threading shared_openmp = {{"-fopenmp"}, {NULL}, OPENMP_PROGRAM};
static const struct threading static_openmp[] = {
    {{"-fopenmp", "-static-openmp"}, {NULL}, OPENMP_PROGRAM}, /* clang */
    /* gcc adds its shared library at the end of the command itself; by then nothing is undefined, so the library is not
       linked. Clang would link a library of another name, and is excluded. */
    {{"-fopenmp"},
     {"-Wl,--as-needed", "-Wl,-Bstatic", "-lgomp", "-Wl,-Bdynamic"},
     "#ifdef __clang__\n#error \"not by libgomp\"\n#endif\n" OPENMP_PROGRAM}};

static int compile(struct options *options, const char *compiler, const char *source, const char *output,
                   const struct threading *threading, const char *flag, const char *messages) {
  const char *words[MAX_WORDS];
  int count = split_words(options->arena, compiler, words, MAX_WORDS - 22);
  const bool links = !flag || options->kind == BUILD_SHARED;
  words[count++] = "-std=c11";
  words[count++] = arena_format(options->arena, "-O%d", options->level);
  if (options->debug) words[count++] = "-g";
  if (options->march) words[count++] = arena_format(options->arena, "-march=%s", options->march);
  for (int i = 0; i < 3 && threading->words[i]; i++) words[count++] = threading->words[i];
  if (options->is_static) words[count++] = "-static";
  if (flag) words[count++] = flag;
  if (options->kind == BUILD_SHARED) words[count++] = "-fPIC", words[count++] = "-DLAMELLA_NO_MAIN";
  words[count++] = "-o";
  words[count++] = output;
  words[count++] = source;
  for (int i = 0; links && i < 5 && threading->behind[i]; i++) words[count++] = threading->behind[i];
  if (links) words[count++] = "-lm";
  words[count] = NULL;
  return run_command(words, options->verbose, messages);
}

/* Compiles a small program with the same options and returns the compiler's exit status. Messages are shown only for
   the last try, the one without threads. */
static int try_compiler(struct options *options, const char *compiler, const char *folder,
                        const struct threading *threading) {
  const char *source = arena_format(options->arena, "%s/try.c", folder);
  const char *program = arena_format(options->arena, "%s/try", folder);
  const bool last = threading == &one_thread, is_product = last || threading != &shared_openmp;
  temporary_add(source), temporary_add(program);
  int status = 1;
  if (write_file(source, threading->program))
    status = compile(options, compiler, source, program, threading, is_product ? product_of(options).flag : NULL,
                     last ? NULL : "/dev/null");
  temporary_remove(2);
  return status;
}

/* Finds out how this compiler makes programs with the threads that the options ask for. NULL after a message. */
static const struct threading *find_threading(struct options *options, const char *compiler, const char *folder) {
  const char *name = printable(options->arena, compiler);
  const bool wants_static = options->openmp == OPENMP_STATIC && !options->is_static;
  if (options->openmp != OPENMP_NONE) {
    const struct threading *first = wants_static ? static_openmp : &shared_openmp;
    for (int i = 0; i < (wants_static ? 2 : 1); i++)
      if (try_compiler(options, compiler, folder, &first[i]) == 0) return &first[i];
  }
  int status = try_compiler(options, compiler, folder, &one_thread);
  if (status == 127) {
    fprintf(stderr, "lamella: error: cannot run the C compiler '%s'; install one, or name another with --cc\n", name);
  } else if (status != 0) {
    fprintf(stderr, "lamella: error: %s cannot compile a program with these options; -v shows how it is called%s\n",
            name, options->is_static ? "; a static program needs libc.a (Debian: libc6-dev)" : "");
  } else if (options->openmp == OPENMP_STATIC && options->kind == BUILD_SHARED) {
    fprintf(stderr,
            "lamella: error: %s has no static library of OpenMP that may become a part of a shared object: leave out "
            "--openmp=static, or use one thread by --openmp=none\n",
            name);
  } else if (options->openmp == OPENMP_STATIC) {
    fprintf(
        stderr,
        "lamella: error: %s finds no static library of OpenMP: install gcc, which has libgomp.a, or the libomp.a of "
        "clang's version; --openmp=none makes a program of one thread\n",
        name);
  } else if (options->openmp == OPENMP_SHARED) {
    fprintf(stderr,
            "lamella: error: %s has no OpenMP here: install the library of its version (clang: libomp-dev); "
            "--openmp=none makes a program of one thread\n",
            name);
  } else {
    if (options->openmp == OPENMP_USUAL)
      fprintf(stderr, "lamella: note: %s has no OpenMP here; the program will use one thread\n", name);
    return &one_thread;
  }
  return NULL;
}

/* Whether the compiler makes code for the target's architecture. */
static bool knows_architecture(struct options *options, const char *compiler, const char *folder) {
  static const struct threading probes[] = {
      [ARCHITECTURE_ANY] = {.program = "int nothing;\n"},
      [ARCHITECTURE_X86_64] = {.program = "#ifndef __x86_64__\n#error \"not x86-64\"\n#endif\nint nothing;\n"},
      [ARCHITECTURE_AARCH64] = {.program = "#ifndef __aarch64__\n#error \"not AArch64\"\n#endif\nint nothing;\n"}};
  const struct threading *probe = &probes[options->passes.target->architecture];
  const char *source = arena_format(options->arena, "%s/try.c", folder);
  const char *object = arena_format(options->arena, "%s/try.o", folder);
  temporary_add(source), temporary_add(object);
  bool known =
      write_file(source, probe->program) && compile(options, compiler, source, object, probe, "-c", "/dev/null") == 0;
  temporary_remove(2);
  return known;
}

/* Shows what a compiler printed, and tells whether it lacked memory. */
static bool lacked_memory(struct options *options, const char *messages) {
  static const char *const words[] = {"out of memory", "memory exhausted", "Cannot allocate memory", "bad_alloc",
                                      "Killed signal"};
  struct source *said = source_read(options->arena, messages);
  bool lacked = false;
  if (said) fputs(said->text, stderr);
  for (size_t i = 0; said && i < sizeof words / sizeof *words; i++) lacked = lacked || strstr(said->text, words[i]);
  return lacked;
}

static bool build_elsewhere(struct options *options, const struct program *program, const struct emitted *emitted,
                            const char *compiler, const char *path) {
  const char *folder = temporary_folder(options);
  if (!folder) return false;
  const char *source = arena_format(options->arena, "%s/%s.c", folder, program->name);
  const char *header = arena_format(options->arena, "%s/%s.h", folder, program->name);
  temporary_add(folder), temporary_add(source), temporary_add(header);
  if (!write_file(source, emitted->source) || !write_file(header, emitted->header)) return false;
  times_enter(options->passes.times, "compile");
  const struct threading *threading = find_threading(options, compiler, folder);
  times_leave(options->passes.times);
  if (!threading) return false;
  const char *made = output_begin(options, path), *messages = arena_format(options->arena, "%s/messages", folder);
  if (!made) return false;
  temporary_add(messages);
  times_enter(options->passes.times, "compile");
  bool done = compile(options, compiler, source, made, threading, product_of(options).flag, messages) == 0;
  times_leave(options->passes.times);
  /* The linker warns that libgomp calls dlopen, in every static program; no user can do anything about it. */
  bool lacked = !(done && options->is_static && !options->verbose) && lacked_memory(options, messages);
  if (done) return output_end(options, made, path);
  if (lacked) {
    fprintf(stderr, "lamella: error: out of memory: %s could not compile the program\n", compiler);
    return false;
  }
  if (!knows_architecture(options, compiler, folder)) {
    fprintf(stderr, "lamella: error: %s makes no code for %s, which the target %s is for: name another with --cc\n",
            compiler, architecture_name(options->passes.target->architecture), options->passes.target->name);
    return false;
  }
  temporary_remove(3); /* the output, its folder and the messages; the source stays */
  temporary_keep_all();
  fprintf(stderr, "lamella: internal error: %s refused the emitted program, which is kept at %s\n", compiler, source);
  return false;
}

/* Checks that --openmp, --static and the kind of output fit together. False after a message. */
static bool check_linking(struct options *options) {
  const char *problem = NULL;
  if (options->is_static && options->openmp == OPENMP_SHARED)
    problem = "--static and --openmp=shared exclude each other";
  if (options->is_static && options->openmp != OPENMP_NONE) options->openmp = OPENMP_STATIC;
  const bool links = options->kind == BUILD_PROGRAM || options->kind == BUILD_SHARED;
  if (options->is_static && options->kind != BUILD_PROGRAM)
    problem = "--static goes with programs, not with -c, -S and -shared";
  if (options->openmp == OPENMP_STATIC && !links)
    problem = "--openmp=static goes with what is linked, not with -c and -S";
  if (problem) fprintf(stderr, "lamella build: %s\n", problem);
  return !problem;
}

/* Returns the C compiler to call, or NULL to compile in this process. */
static const char *choose_compiler(const struct options *options) {
  if (options->compiler) return options->compiler;
  const char *other = environment("CC") && *environment("CC") ? environment("CC") : "cc";
  char *problem = NULL;
  if (!jit_can_compile(&problem)) {
    if (options->verbose || jit_is_built())
      fprintf(stderr, "lamella: note: %s; %s is called instead\n", problem, other);
  } else if (options->openmp == OPENMP_STATIC && !jit_has_static_openmp()) {
    fprintf(stderr, "lamella: note: LLVM has no libomp.a here; %s is called instead\n", other);
  } else {
    other = NULL;
  }
  free(problem);
  return other;
}

int verb_build(struct options *options) {
  if (!check_linking(options)) return EXIT_USAGE;
  options->emission.bench = true; /* a built program lasts, so it may be asked for its times later */
  struct program *program;
  struct emitted emitted;
  struct jit_object object = {0};
  if (!options->compiler && target_is_foreign(options->passes.target)) {
    const enum architecture architecture = options->passes.target->architecture;
    fprintf(stderr,
            "lamella build: the target %s is for %s, and the compiler here is for this machine: name one for that with "
            "--cc, such as --cc=%s-linux-gnu-gcc\n",
            options->passes.target->name, architecture_name(architecture),
            architecture == ARCHITECTURE_AARCH64 ? "aarch64" : "x86_64");
    return EXIT_USAGE;
  }
  const char *compiler = choose_compiler(options), *name, *output = options->output ? options->output : "program";
  if (!compiler && options->openmp == OPENMP_SHARED && !jit_has_openmp()) {
    fprintf(stderr,
            "lamella: error: there is no OpenMP here: install libomp-19-dev, as tools/setup does; "
            "--openmp=none makes a program of one thread\n");
    return EXIT_WRONG_INPUT;
  }
  if (options->kind == BUILD_PROGRAM) options->way = way_to_spec(options, output);
  if (compiler) {
    if (!compile_program(options, &program, &emitted)) return EXIT_WRONG_INPUT;
    name = program->name;
  } else if (!spec_code_compile(options, &name, &object)) {
    return EXIT_WRONG_INPUT;
  }
  const char *path =
      options->output ? options->output : arena_format(options->arena, "%s%s", name, product_of(options).ending);
  bool done = output_possible(options, path) && (compiler ? build_elsewhere(options, program, &emitted, compiler, path)
                                                          : build_here(options, &object, path));
  jit_object_free(&object);
  if (done && options->verbose)
    fprintf(stderr, "wrote %s for %s\n", printable(options->arena, path), options->passes.target->name);
  return done ? EXIT_DONE : EXIT_WRONG_INPUT;
}
