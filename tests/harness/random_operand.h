/* Operands for random graphs; random_operand.c makes them for random_graph.c. */
#ifndef TESTS_HARNESS_RANDOM_OPERAND_H
#define TESTS_HARNESS_RANDOM_OPERAND_H

#include "tests/harness/random_graph.h"

enum domain {
  DOMAIN_ANY, /* in about [-2, 2] */
  DOMAIN_POSITIVE, /* at least 1/2 */
  DOMAIN_NONZERO, /* at least 1/2 in magnitude */
  DOMAIN_SMALL /* in [-1, 1] */
};

/* Random choices. */
uint64_t sample_draw(struct sample *sample);
int sample_below(struct sample *sample, int bound);
bool sample_chance(struct sample *sample, int percent);
bool sample_smooth(const struct sample *sample);
double sample_real_number(struct sample *sample, enum domain domain, bool coarse);

/* One of these: zeros of both signs, infinities, NaN, the largest and least numbers of a float, and numbers that soon
   overflow. */
double sample_extreme_number(struct sample *sample);

/* A new axis. */
struct axis *sample_axis_of(struct sample *sample, const char *name, int64_t extent);

/* Room for the contents of an input or state. */
double *sample_add_content(struct sample *sample, const char *name, bool is_state, int64_t count);
const char *sample_fresh_name(struct sample *sample, const char *stem);
struct state *sample_new_state(struct sample *sample, enum kind kind, struct axis *const *axes, int count,
                               enum role role);

/* Inputs (in smooth graphs states) with their contents. The integers of a leaf index `range`; where that is NULL they
   are small, and none is zero when `nonzero`. */
struct value *sample_real_leaf(struct sample *sample, struct axis *const *axes, int count, enum domain domain);
int64_t sample_wide_integer(struct sample *sample);
struct value *sample_integer_leaf(struct sample *sample, struct axis *const *axes, int count, struct axis *range,
                                  bool nonzero);
struct value *sample_boolean_leaf(struct sample *sample, struct axis *const *axes, int count);
/* A value with these axes, in any order, which need not be axes of the pool: a leaf, or one combined with an earlier
   value. */
struct value *sample_real_value(struct sample *sample, struct axis *const *axes, int count);

/* Axes of an operand: some of the pool in any order, `must` among them where it is given. */
int sample_choose_axes(struct sample *sample, struct axis *must, const struct axis *never, struct axis **axes);

/* A leaf or, where the graph has several operations, an earlier value brought into the domain. A number operand is
   real, or integer where derivatives do not matter. */
struct value *sample_real_operand(struct sample *sample, struct axis *must, const struct axis *never,
                                  enum domain domain);
struct value *sample_integer_operand(struct sample *sample, struct axis *must, const struct axis *never, bool nonzero);
struct value *sample_boolean_operand(struct sample *sample);
struct value *sample_number_operand(struct sample *sample, struct axis *must, const struct axis *never,
                                    enum domain domain);

/* An axis of the pool; a constant axis has no run-time size. */
struct axis *sample_any_axis(struct sample *sample);
struct axis *sample_constant_axis(struct sample *sample);

/* Some of the axes of a value, at least one where it has one. */
int sample_some_axes(struct sample *sample, const struct value *value, struct axis **axes);

#endif
