/* From the text of a spec to a program: parse, look names up, check axes and kinds, build graphs. */
#ifndef FRONTEND_FRONTEND_H
#define FRONTEND_FRONTEND_H

#include "ir/diagnostics.h"
#include "ir/program.h"
#include "frontend/ast.h"

/* One -D name=value. `name` is an axis of the spec ("embed"), a setting ("train.steps", "data.text", "generate.stop"),
   an argument of the optimizer ("optimizer.lr"), or the count of a repeat ("repeat.h"). `source` is the text of the
   argument, for carets; the value begins at `value_begin` in it. */
struct define {
  const struct source *source;
  const char *name;
  int value_begin;
};

/* A size of --batch=1,32, and its place in the argument. */
struct batch_size {
  int64_t size;
  struct span span;
};

struct frontend_options {
  /* the model to compile when the spec has several; NULL: that of the first train block, else the last one */
  const char *model;
  const struct define *defines;
  int define_count;
  const struct batch_size *batches; /* the model is also lowered for a batch of each of these sizes */
  int batch_count;
  const char *name; /* of the program, in place of that of the spec's file; NULL: that */
  /* `use "std/x.lam"` looks for a file beside the one that uses it, then in the folder `standard_library`, if that is not NULL. Then
     it calls library_text, if that is not NULL, which returns the text of a file of the library or NULL. */
  const char *standard_library;
  const char *(*library_text)(const char *path);
  spec_files *files; /* where not NULL: becomes program->files, also when there are errors */
  /* Where not NULL: called for each graph of the model, with `adapt_options`. It may change the graph and add parameters to the
     program, which are then trained like those of the spec (ROLE_PARAMETER, read by the graph), and adapters: then other parameters
     are frozen. Returns false after reporting errors. */
  bool (*adapt)(void *adapt_options, struct program *program, const struct forward_graph *forward,
                struct diagnostics *diagnostics);
  void *adapt_options;
};

/* The path that stands for the standard input. A spec that was read from there gives its program the name of its model. */
#define SPEC_OF_STDIN "<stdin>"

/* Everything up to graphs. Errors are reported; NULL if there were any. */
struct program *lower_spec(struct arena *arena, const char *path, const struct frontend_options *options,
                           struct diagnostics *diagnostics);
/* The same from a text already read. */
struct program *lower_source(struct arena *arena, const struct source *source, const struct frontend_options *options,
                             struct diagnostics *diagnostics);

/* The spec's file as a C identifier: what the emitted files, structs and functions are called. Where that would clash it begins with
   "spec_". */
const char *program_name(struct arena *arena, const char *path);
/* Why nothing emitted can be called so, in words; NULL where it can: the name is an identifier, no word of C or C++, and nothing
   that a header or the runtime calls a struct, a macro, or the beginning of its functions. */
const char *program_name_problem(struct arena *arena, const char *name);

#endif
