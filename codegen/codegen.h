/* From loops to source text. */
#ifndef CODEGEN_CODEGEN_H
#define CODEGEN_CODEGEN_H

#include "ir/loop.h"
#include "ir/program.h"
#include "ir/target.h"
#include "ir/times.h"

/* The target of that name ("portable", "avx2", "avx512", "neon", "reference") without features, or NULL. */
const struct target *target_find(const char *name);
/* The target that a text such as "avx512" or "avx512+vnni+bf16" names; "native" is the best that this machine runs, with all of its
   features that this machine has. The name of the result has the features in the order of target_feature_at. NULL when there is none,
   and *problem says why. */
const struct target *target_read(struct arena *arena, const char *text, const char **problem);
/* A feature of a target: an extension of its instructions, which processors of that target may have, or another arithmetic. Rows of
   simd.def can ask for it. */
struct target_feature {
  const char *target, *name;
  const char *attribute; /* what it adds to the target's attribute, where it is an extension */
  /* the names of what it needs as in struct cpu_feature, separated by spaces; NULL: it needs nothing */
  const char *cpu_features;
  const char *description; /* for --help */
  int dots; /* those that rows for it compute: see struct target */
  const char *instructions; /* what its makers call them, where it has dots */
  double expand_bytes; /* see struct target; 0: what the target has without it */
  int matrix_dots; /* those that it computes for whole tiles, by `instructions`; see struct target */
};
const struct target_feature *target_feature_at(int number);
/* Whether rows for the target `base` and, unless NULL, its feature are rows for this one. */
bool target_takes(const struct target *target, const char *base, const char *feature);
/* The target with those of its features alone that are kept. */
const struct target *target_reduced(struct arena *arena, const struct target *target,
                                    bool (*keeps)(const void *context, const char *feature), const void *context);
/* The targets in the order in which --help lists them; NULL past the last. */
const struct target *target_at(int number);
/* Whether this machine can run the target's code. */
bool target_runs_here(const struct target *target);
/* Whether the target is for processors of another architecture than this one's, for which nothing here can compile
   without a compiler of their own. */
bool target_is_foreign(const struct target *target);
/* "x86-64" */
const char *architecture_name(enum architecture architecture);
/* What a processor must have for a target. On x86-64: where cpuid reports it (leaf; subleaf; eax, ebx, ecx or edx; bit), and
   which registers the system must save for it (bits of xcr0). On AArch64: where Linux reports it (leaf: the entry of the
   auxiliary vector; bit). Some registers are for programs that ask Linux for them: `asked` is then the number of what it saves. */
struct cpu_feature {
  const char *name;
  unsigned leaf, subleaf, word, bit, state, asked;
};
int cpu_feature_count(const struct target *target);
const struct cpu_feature *cpu_feature_of(const struct target *target, int number);

/* A processor by its name in compilers ("znver4"), and how many multiply-adds of 512-bit vectors it begins in a cycle.
   For narrower vectors all processors have the same tile. */
struct processor {
  const char *name;
  int multiply_adds;
};
/* The processor of that name ("native": this machine's), or NULL. processor_at lists all of them, some more than once;
   NULL past the last. */
const struct processor *processor_find(const char *name);
const struct processor *processor_at(int number);
/* The target with a tile that suits the processor. */
const struct target *target_tuned(struct arena *arena, const struct target *target, const struct processor *processor);
/* "tiles of 12 rows and 2 vectors (14 loads for 24 multiply-adds), for znver4, ..." */
const char *target_tile_text(struct arena *arena, const struct target *target);

/* A program as texts, of lines of at most 120 columns; the same bytes every time.
     header   NAME.h: what a program that vendors it calls
     core     NAME.c: kernels, routines and memory, which need the header, libc and libm alone; and, unless NAME_ALONE is defined,
              the functions that need the library
     main     NAME_main.c: what the runtime reads of it, and main unless LAMELLA_NO_MAIN is defined
     runtime  the modules that it needs of the library (lamella.c: tensors, weights, text; libc alone) and of the programs' runtime
              (lamella_runtime.c: data, training, the command line)
     weights  NAME_weights.c: parameters that are a part of the program, or NULL
     source   all of these but NAME.h in one text, for those who compile it at once; the modules too, unless options say that they are
              linked to it */
typedef uint64_t runtime_modules; /* a set, a bit for each */
struct emitted {
  const char *header, *core, *main;
  const char *source; /* all in one text; NULL where options ask for files */
  const char *example; /* a program around the model; NULL where options ask for none */
  const struct emitter *weights; /* what NAME_weights.c is printed from, which may be large; or NULL: there is none */
  runtime_modules runtime;
};
/* Weights that become a part of the program. */
struct baked_fact {
  const char *key, *value;
  size_t length; /* of the value, which may hold zeros */
};
struct baked_weights {
  /* Writes elements of the state as they lie in memory: float or double as the target has reals, int32_t, uint8_t. */
  void (*elements)(const void *context, const struct state *state, int64_t first, int64_t count, void *to);
  const void *context;
  const struct baked_fact *facts; /* what their data taught */
  int fact_count;
};
/* Parts that the program carries besides those that its spec asks for. */
struct emit_options {
  const struct baked_weights *weights; /* or NULL: they are read from files */
  /* the verb bench, and --trace for every verb: timing of kernels costs one test a launch when nobody asks for it */
  bool bench;
  bool files; /* the program is wanted as files */
  bool example; /* and an example of a program around it */
  bool modules; /* `source` without the runtime's modules, whose machine code is linked to it (emit_runtime_module) */
  bool steps; /* the verb steps or, where the program does not train, measure: on demand, for lamella compare */
  bool handover; /* training can leave off for the program of an edited spec, for lamella run --watch */
  struct times *times; /* where the time of each phase is counted, or NULL */
};
struct emitted emit_c(struct arena *arena, const struct program *program, const struct module *module,
                      const struct target *target, const struct emit_options *options);
/* Prints NAME_weights.c: a line at a time. */
void emit_weights(const struct emitter *emitter, void (*put)(void *context, const char *line), void *context);
/* lamella.h, lamella.c, lamella_runtime.h and lamella_runtime.c with these modules, for one program or for several that are linked
   together. */
struct emitted_runtime {
  const char *library_header, *library, *header, *source;
};
struct emitted_runtime emit_runtime(struct arena *arena, const struct target *target, runtime_modules chosen);
int runtime_module_count(void);
/* A number that tells the runtime's text of this Lamella from others. */
uint64_t runtime_fingerprint(void);
/* The text of a module of the runtime by the number of its bit, with all declarations, for those who compile it apart. */
const char *emit_runtime_module(struct arena *arena, const struct target *target, int number);
/* What serves programs that need the one and the other. */
runtime_modules runtime_modules_join(runtime_modules x, runtime_modules y);
/* What the program of a NAME_main.c needs, by what that says; or why no runtime for the target can serve it, such as "was written by
   another version of Lamella", NULL when it can. */
const char *runtime_note_read(struct arena *arena, const char *text, const struct target *target,
                              runtime_modules *chosen);
/* Only the functions of a module, for tests: each with external linkage, after the prelude they need. */
const char *emit_functions(struct arena *arena, const struct module *module, const struct target *target);

#endif
