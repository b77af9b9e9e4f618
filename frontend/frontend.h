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

struct frontend_options {
  /* the model to compile when the spec has several; NULL: that of the first train block, else the last one */
  const char *model;
  const struct define *defines;
  int define_count;
  const char *standard_library; /* the folder of std/ files: `use "std/x.lam"` looks beside the spec first, then here */
  spec_files *files; /* where not NULL, receives program->files, also after errors */
};

/* Does everything up to graphs. Errors are reported; NULL if there were any. */
struct program *lower_spec(struct arena *arena, const char *path, const struct frontend_options *options,
                           struct diagnostics *diagnostics);
/* The same for a text that has been read already (for tests). */
struct program *lower_source(struct arena *arena, const struct source *source, const struct frontend_options *options,
                             struct diagnostics *diagnostics);

#endif
