/* The command line: one file for each verb, and here what the files share. */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include <sys/types.h>

#include "codegen/codegen.h"
#include "frontend/frontend.h"
#include "ir/display.h"
#include "passes/passes.h"

/* Exit codes: 0 for success, 1 when the spec or an input is wrong, 2 when the command line is. */
enum { EXIT_DONE = 0, EXIT_WRONG_INPUT = 1, EXIT_USAGE = 2 };

/* An option as given, for those that may be repeated. */
struct given {
  char letter; /* see options.c */
  const char *value;
};

/* What `build` makes, by -c, -S, -shared; and what `run` loads. */
enum build_kind { BUILD_PROGRAM, BUILD_OBJECT, BUILD_ASSEMBLY, BUILD_SHARED, BUILD_HERE };

/* --openmp: how the output of `build` is linked with OpenMP. */
enum openmp {
  OPENMP_USUAL,
  OPENMP_SHARED,
  OPENMP_STATIC,
  OPENMP_NONE
}; /* OPENMP_USUAL: shared if there is such a library, else none */

/* What the command line asks for. */
struct options {
  struct arena *arena;
  const struct verb *verb;
  ARRAY(const char *) specs; /* emit: all of them, the first of which is `spec` */
  const char *spec;     /* as the command line has it; "-": the standard input */
  const char *output;   /* -o */
  const char *stage;    /* --stage */
  const char *graph;    /* --graph */
  const char *compiler; /* --cc */
  bool verbose;
  ARRAY(struct define) defines;
  ARRAY(const char *) dumps;
  struct frontend_options frontend;
  struct pass_options passes;
  struct pass_options *adapts; /* whose pipeline says which adapters there are; NULL: that of `passes` */
  struct emit_options emission; /* build: with bench; emit: --bench */
  enum build_kind kind;
  enum openmp openmp;
  bool is_static;      /* --static */
  int level;           /* -O0 to -O3 */
  bool debug;          /* -g */
  const char *march;   /* -march= */
  const char *tune;    /* --tune: the processor that tiles are for */
  const char *target;  /* --target, or NULL: native */
  int jobs;            /* -j; 0: as many as there are processors */
  bool perf;           /* --perf */
  bool no_cache;       /* --no-cache */
  bool watch;          /* --watch */
  spec_files files;    /* that the spec was made of, or would have been; read even where it is wrong */
  bool refused;        /* the spec, for errors of its own */
  const char *way; /* build: the relative path from the program's folder to the spec's, or NULL if it is not known */
  const char *only_verb; /* of the program: what no such verb needs is left out; NULL: all of it is wanted */
  const char *weights; /* --weights: a file whose parameters become a part of the program */
  const char *only; /* --only: routines by name; NULL: all */
  const char *batch; /* --batch, whose sizes `frontend` has; or NULL */
  const char *json, *page; /* compare: --json, --html */
  ARRAY(struct given) given; /* all options, in order */
  char **rest; /* interpret, run: the program's own verb and arguments */
  int rest_count;
};

struct verb {
  const char *name;
  int (*run)(struct options *options);
  const char *arguments; /* in the usage line */
  const char *summary;   /* one line */
  const char *options;   /* letters of the options it takes; see options.c */
};
extern const struct verb verbs[]; /* ends with a NULL name */

int verb_build(struct options *options);
int verb_emit(struct options *options);
int verb_check(struct options *options);
int verb_show(struct options *options);
int verb_interpret(struct options *options);
int verb_run(struct options *options);
int verb_compare(struct options *options);
int verb_shrink(struct options *options);

/* Reads the arguments after the verb. Returns -1 to go on, or the exit code of a usage error or of --help. */
int options_parse(struct options *options, const struct verb *verb, int count, char **arguments);
/* Returns `code`, with which a program ended. Where that is EXIT_USAGE, tells of the first of the program's arguments that is an option
   of the compiler's. */
int tell_misplaced_option(const struct options *options, int code);
/* Sets the target of that name (NULL: native). Its tile suits the processor that the options name or, if the target is
   native, this one. */
void choose_target(struct options *options, const char *name);
/* Whether this machine can run the target's code; false after a message. */
bool can_run_target(const struct options *options, const struct target *target);
void verb_help(FILE *file, const struct verb *verb);

bool is_stdin(const struct options *options);
/* The name of the spec in messages: SPEC_OF_STDIN, or its path, fit to be printed. */
const char *spec_title(const struct options *options);
/* Reads the spec; the standard input is read only once, however often this is called. NULL with errno set. */
const struct source *read_spec(const struct options *options, struct arena *arena);
/* Spec to program, before any pass, in that arena; options->files says what was read. NULL after errors, which are not printed. */
struct program *read_program(struct options *options, struct arena *arena, struct diagnostics *diagnostics);
/* Lowers the spec and runs the passes on graphs. NULL after printing the errors. */
struct program *load_program(struct options *options, struct diagnostics *diagnostics);
/* Compiles the spec to the texts of C. False after printing the errors. */
bool compile_program(struct options *options, struct program **program, struct emitted *emitted);

/* --- bake.c ------------------------------------------------------------------------------------------------------------------------ */

/* Sets emission.weights to those of options->weights. Where the program prunes, they are pruned, and its graph for that is gone. False
   after printing what is wrong with the file, or that the program would change its parameters. */
bool bake_weights(struct options *options, struct program *program);

/* --- keep.c: what is left out, before any pass -------------------------------------------------------------------------------------- */

/* Drops what a verb of the program does not use. Where it has no such verb, it stays whole, and says so itself. */
void keep_for_verb(struct program *program, const char *verb);
/* Keeps evaluation and, where they are wanted and there are such routines, prediction and generation. */
void keep_untrained(struct program *program, bool predicts, bool generates);
/* Drops all but what options->only names and what that needs; false after reporting a routine that there is none of. */
bool keep_only(struct program *program, const struct options *options, struct diagnostics *diagnostics);

/* --- spec_folder.c: programs look for data beside their spec, and are told where it lies ------------------------------------------- */

/* Tells the programs that this process runs, itself or as children. */
void tell_spec_folder(const struct options *options);
/* The relative path from the folder of the program, which will be written to `path`, to the folder of the spec. NULL if it is not
   known. */
const char *way_to_spec(const struct options *options, const char *path);
/* Puts options->way into the source of the program, if the program looks for files. */
void add_way_to_spec(const struct options *options, const struct program *program, struct emitted *emitted);

/* run --watch SPEC train ...: training that goes on while the spec is edited. Gives the exit code. */
int watch_training(struct options *options);

/* Prints the table of --time-passes, once, after a heading if there is one. */
void print_times(struct options *options, const char *heading);
double seconds_now(void); /* of a clock that only goes forward */

/* --- files.c: what is written ----------------------------------------------------------------------------------------------------- */

/* Writes `text` to `path` by the rule of runtime/files.c. A command that is killed leaves the old file or the new one,
   with the same mode. A link stays and its target is replaced. A path that is no regular file, such as a device, is
   written into. False after a message. */
bool write_file(const char *path, const char *text);
bool write_bytes(const char *path, const char *bytes, size_t size);
/* The same of what `write` writes; false with errno where that fails. */
bool write_by(const char *path, bool (*write)(FILE *file, const void *context), const void *context);
/* The same rule for files that other programs make. output_possible: whether `path` can be written. output_begin: the
   path of a temporary file for them to make, which is gone at the end. output_end: moves that file to `path`. False or
   NULL after a message. */
bool output_possible(const struct options *options, const char *path);
const char *output_begin(struct options *options, const char *path);
bool output_end(struct options *options, const char *made, const char *path);

/* Makes a new folder, which is our own, under $TMPDIR or /tmp. NULL after a message. */
const char *temporary_folder(struct options *options);
/* From now on the file, or the folder if only files added later are in it, is removed when the command ends, by a
   signal too. The text must last as long. */
void temporary_add(const char *path);
void temporary_remove(int count); /* removes the `count` latest of them now */
void temporary_remove_all(void);
void temporary_keep_all(void); /* from now on none is removed */
/* A process that may be writing such files, which must be ended before they are removed; 0: none. */
void temporary_writer(pid_t process);

#endif
