/* Comments before the calls of a routine: where in the model they stand, and what they compute. */
#ifndef CODEGEN_EMIT_LABELS_H
#define CODEGEN_EMIT_LABELS_H

#include "codegen/emit_counter.h"
#include "codegen/text.h"

/* What a comment says of a launch, for all copies of a roll. */
struct label {
  const char *main; /* "h[i].attn: causal_attention"; "" where it belongs to what came before */
  bool is_top; /* outside any call with a path */
  ARRAY(const char *) gradients; /* whose gradients the launch makes: see struct work_part */
  bool is_hidden;
  ARRAY(const char *) others; /* what else the launch computes */
};

/* What the comments of a function have told so far. */
struct told {
  const char *comment; /* what the last one is about, while that holds for the next call, too */
  int calls; /* up to which of the calls at hand they have told what these compute */
};

/* The label of the launches at a position of a roll. A part that some copies lack is left out. */
struct label emit_label_of(struct arena *arena, const struct roll *roll, struct launch *const *launches, int position,
                           const struct counter *counter);
/* Whether the label is about what the one before is about. */
bool emit_label_continues(const struct label *label, const char *main);
/* Prints a comment before the call at `at`, unless the last one holds for it, too. What stands in no call is told
   together: "logits, then log_sum_exp, then loss_sum". */
void emit_comment_call(struct arena *arena, struct text *text, struct told *told, const struct label *labels, int at,
                       int count);

#endif
