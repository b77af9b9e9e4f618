/* A pipeline is text: "fuse,simplify(rounds = 4),-plan". Items name passes of passes.def: `name` turns one on, `-name` off,
   `default` stands for what is done without a text, `none` for nothing. The order in which they run is pipeline.c's. */
#ifndef PASSES_PIPELINE_H
#define PASSES_PIPELINE_H

#include "passes/passes.h"

enum pass {
#define PASS(name, when, class, requires, breaks, parameters, summary) PASS_##name,
#include "passes/passes.def"
#undef PASS
  PASS_COUNT
};
enum pass_when { PASS_ALWAYS, PASS_USUAL, PASS_CHOSEN };
enum pass_class { PASS_EXACT, PASS_REASSOCIATES, PASS_APPROXIMATES };

struct pass_facts {
  const char *name;
  enum pass_when when;
  enum pass_class class;
  enum stage requires;
  const char *breaks, *parameters, *summary;
};
extern const struct pass_facts pass_facts[PASS_COUNT];

enum { MAX_PASS_PARAMETERS = 4 };

struct pipeline {
  bool on[PASS_COUNT];
  double parameters[PASS_COUNT][MAX_PASS_PARAMETERS]; /* NaN where not given */
};

/* From options->pipeline, else the spec's `pipeline` block, else the default. An unknown pass or parameter is reported with a caret
   (options->pipeline as "--passes") and false is the answer. */
bool pipeline_parse(struct program *program, const struct pass_options *options, struct diagnostics *diagnostics,
                    struct pipeline *pipeline);
/* The loosest class among the passes that are on: how near to the interpreter the results must be. */
enum pass_class pipeline_class(const struct pipeline *pipeline);

#endif
