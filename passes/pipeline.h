/* A pipeline is text: "fuse(keep = 40), -plan". Its items name passes of passes.def and change the usual pipeline:
   `name` turns a pass on, with its parameters in brackets, `-name` leaves it out, `default` goes back to what is usual,
   and `none` leaves out all that can be, so that "none, fuse" is fuse alone. Items of a pass of rules, such as
   "quantize(i4), quantize(i8, \"wte*\")", do not replace each other: each is a rule. pipeline.c decides the order in which
   passes run. */
#ifndef PASSES_PIPELINE_H
#define PASSES_PIPELINE_H

#include <stdio.h>

#include "passes/passes.h"

enum pass {
#define PASS(name, when, class, requires, breaks, summary) PASS_##name,
#include "passes/passes.def"
  PASS_COUNT
};
enum pass_parameter {
#define PARAMETER(pass, name, usual, least, most, summary) PARAMETER_##pass##_##name,
#define NUMBER(pass, name, usual, least, most, summary) PARAMETER_##pass##_##name,
#define WORD(pass, name, words, summary) PARAMETER_##pass##_##name,
#include "passes/passes.def"
  PARAMETER_COUNT
};
enum pass_when { PASS_ALWAYS, PASS_USUAL, PASS_CHOSEN, PASS_RULES };
enum pass_class { PASS_EXACT, PASS_REASSOCIATES, PASS_APPROXIMATES };

struct pass_facts {
  const char *name;
  enum pass_when when;
  enum pass_class class;
  enum stage requires;
  const char *breaks, *summary;
};
extern const struct pass_facts pass_facts[PASS_COUNT];

/* `words` are those that the parameter may be, with spaces between them, and its number is the word's place; NULL: it is a number,
   and a whole one unless `is_real`. */
enum { MOST_WORDS = 8 };
struct parameter_facts {
  enum pass pass;
  const char *name;
  double usual, least, most;
  bool is_real;
  const char *words, *summary;
};
extern const struct parameter_facts parameter_facts[PARAMETER_COUNT];

/* An item of a pass of rules: what it is to do with the weights whose names one of the patterns matches; without patterns, with those
   that the pass takes by itself. Of several rules for a weight the last counts. */
struct pass_pattern {
  const char *text;
  struct span span;
};
struct pass_rule {
  enum pass pass;
  double parameters[PARAMETER_COUNT];
  ARRAY(struct pass_pattern) patterns;
  struct span span;
};

struct pipeline {
  bool on[PASS_COUNT]; /* of a pass of rules: whether it has any */
  double parameters[PARAMETER_COUNT]; /* of a pass of rules: the usual ones */
  ARRAY(struct pass_rule) rules; /* in the order of the text */
};

/* Reads options->pipeline, else the spec's `pipeline` block; without either, the pipeline is the usual one. Returns
   false after reporting, with a caret, what makes no sense; messages call the text of options->pipeline "--passes". */
bool pipeline_parse(struct program *program, const struct pass_options *options, struct diagnostics *diagnostics,
                    struct pipeline *pipeline);
/* The parameter's words in order; returns how many there are, at most MOST_WORDS, or 0 where it is a whole number. */
int parameter_words(struct arena *arena, enum pass_parameter parameter, const char *words[MOST_WORDS]);
/* Whether a pass is a step of run_graph_passes; the others decide how run_schedules makes loops. */
bool pass_works_on_graphs(enum pass pass);
/* The loosest class among the passes that are on: how near to the interpreter the results must be. */
enum pass_class pipeline_class(const struct pipeline *pipeline);
/* The last of the pass's rules that has a pattern for the name or, where `usual`, has no patterns; or NULL. */
const struct pass_rule *pipeline_rule(const struct pipeline *pipeline, enum pass pass, const char *name, bool usual);
/* Whether the state is what passes of rules are about: a parameter of reals with two or more axes. Gains and biases are no weights. */
bool is_weight(const struct state *state);
/* Whether each pattern of the pass's rules matches the name of a weight; reports those that do not. */
bool pipeline_check_patterns(const struct pipeline *pipeline, enum pass pass, const struct program *program,
                             struct diagnostics *diagnostics);
/* The passes as a table for people: what each is, and its parameters with their ranges. With a pipeline, which are on and what their
   parameters are. */
void pipeline_print(FILE *file, const struct pipeline *pipeline);
/* For --help: prints one line for each pass that a pipeline may leave out. */
void pipeline_help(FILE *file);

#endif
