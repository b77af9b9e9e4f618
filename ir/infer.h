/* What each operation gives for its operands: the one place that knows, used to build values and to verify them. */
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
/* How many inputs the operation has for these attributes is right. */
const char *infer_input_count(struct arena *arena, const struct value *value);

#endif
