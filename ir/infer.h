/* What each operation gives for its operands. Only this file knows it; graphs are built and verified by it. */
#ifndef IR_INFER_H
#define IR_INFER_H

#include "ir/tensor.h"

struct inferred {
  enum kind kind;
  struct axis *range;
  struct axis *axes[MAX_AXES];
  int axis_count;
};

/* Kind, range and axes of `value` from its operation, inputs and attributes (for an input or a random draw: from the axes it
   has). Returns NULL, or what is wrong with the operands: "axis seq'1 is not in the second input [batch, embed]". */
const char *infer(struct arena *arena, const struct value *value, struct inferred *inferred);
/* Whether the number of inputs is right for the operation and its attributes: NULL, or what is wrong. */
const char *infer_input_count(struct arena *arena, const struct value *value);

#endif
