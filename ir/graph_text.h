/* What graph_print.c and graph_read.c share: which attributes the text of an operation has. */
#ifndef IR_GRAPH_TEXT_H
#define IR_GRAPH_TEXT_H

#include "ir/tensor.h"

enum attribute {
  ATTRIBUTE_NUMBER = 1,       /* constant 0.5          pad ... with 0 */
  ATTRIBUTE_STATE = 2,        /* state "wte.weight" */
  ATTRIBUTE_AXIS = 4,         /* along seq */
  ATTRIBUTE_RESULT = 8,       /* to tail */
  ATTRIBUTE_OVER = 16,        /* over [batch, seq]: the list */
  ATTRIBUTE_ALONG = 32,       /* along [batch, seq]: the list */
  ATTRIBUTE_TO = 64,          /* to [head, key]: the list */
  ATTRIBUTE_START = 128,      /* at 3 */
  ATTRIBUTE_STORAGE = 256,    /* as bf16 */
  ATTRIBUTE_DRAW = 512,       /* normal stream 12 */
  ATTRIBUTE_CALLEE = 1024,    /* region 2 */
  ATTRIBUTE_INPUT = 2048,     /* input "tokens" */
  ATTRIBUTE_MAY_LACK_AXIS = 4096
};

/* A set of enum attribute. */
int op_attributes(enum op op);

#endif
