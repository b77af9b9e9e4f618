/* Single operations of the interpreter on tensors: interpret.c runs graphs by them, evaluate*.c has them. */
#ifndef IR_EVALUATE_H
#define IR_EVALUATE_H

#include "ir/interpret.h"

/* A tensor with the distance of its elements along each axis. */
struct operand {
  struct axis *const *axes;
  int axis_count;
  int64_t strides[MAX_AXES];
  double *data;
};

struct evaluation {
  struct arena *arena; /* for messages */
  const int64_t *sizes;
  uint32_t seed;
};

/* Row-major strides of axes at their present length, or at full extent. */
struct operand operand_dense(struct axis *const *axes, int count, double *data, const int64_t *sizes);
struct operand operand_full(struct axis *const *axes, int count, double *data);
/* The stride of an axis; 0 for an axis that the operand lacks, since it repeats along that. */
int64_t operand_stride(const struct operand *operand, const struct axis *axis);
/* The number of elements at present lengths. */
int64_t operand_count(const struct operand *operand, const int64_t *sizes);
/* Copies the elements of `from` to those of `to`, along all of `axes`. */
void operand_copy(struct axis *const *axes, int count, const struct operand *to, const struct operand *from,
                  const int64_t *sizes);

/* Each fills result->data. They return NULL, or a message without the value's place. */
void evaluate_elementwise(const struct value *value, const struct operand *result, const struct operand *inputs,
                          const struct evaluation *evaluation);
const char *evaluate_mixing(const struct value *value, const struct operand *result, const struct operand *inputs,
                            const struct evaluation *evaluation);
const char *evaluate_view(const struct value *value, const struct operand *result, const struct operand *inputs,
                          const struct evaluation *evaluation);
/* Puts `source` into `base` at base[axis = index]: added, for a scatter_add, or written over it, for an update. */
const char *evaluate_put(const struct value *value, const struct operand *base, const struct operand *index,
                         const struct operand *source, bool add, const struct evaluation *evaluation);

#endif
